"""Split a stream of JSON documents into the documents themselves, for those whose records are whole answers.

Strategy: the structural scan of `documents.py` tells where the depth comes back to nothing. Of an array that is a
document each object is a record. Content whose lines are documents each is none of this: it is lines.
Promise: every byte that is not blank, a comma or a bracket of such an array is in one record; memory is a block and a
record. A document that breaks off comes out with `open_end`, and is named (IMC-4013).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from imconvert.errors import InputError
from imconvert.sources.documents import BOM, Scanner
from imconvert.sources.records import Batch, Carry

_BLANKS = b" \t\r\n"
_BETWEEN = _BLANKS + b"," + BOM
LOOKED_AT = 3


def is_spread(head: bytes) -> bool:
    """Whether content that begins with `head` has documents that are not one a line."""
    lines = [line for line in (line.strip(_BLANKS + BOM) for line in head.split(b"\n")) if line]
    if not lines or lines[0][:1] not in b"{[" or (len(lines) == 1 and lines[0][:1] == b"{"):
        return False
    if lines[0][:1] == b"[":
        return True
    if _is_object(lines[0]):
        return False
    scanner = Scanner()
    scanner.structure(lines[0])
    later = lines[1:LOOKED_AT]
    return scanner.depth > 0 and not all(map(_is_object, later))


def _is_object(data: bytes) -> bool:
    try:
        return msgspec.json.decode(data).__class__ is dict
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


class _Splitter:
    """Cuts documents out of blocks. `base` is the depth between records: 0, or 1 inside of an array."""

    def __init__(self) -> None:
        self.scanner = Scanner()
        self.carry = Carry()
        self.base = 0
        self.inside = False
        self.begin = self.offset = self.first = 0
        self.records: list[bytes] = []
        self.offsets: list[int] = []
        self.lengths: dict[int, int] = {}

    def feed(self, block: bytes) -> None:
        marks, kinds, depths = self.scanner.structure(block)
        here = 0
        for index in np.flatnonzero(depths <= self.base + 2).tolist():
            here = self._edge(block, here, int(marks[index]), int(kinds[index]), int(depths[index]))
        self.carry.add(block[here:])
        self.offset += len(block)

    def _edge(self, block: bytes, here: int, place: int, kind: int, depth: int) -> int:
        """Act on a bracket; gives the first byte that is not taken yet."""
        if self.inside:
            if depth > self.base:
                return here
            self.inside = False
            self._take(block[here : place + 1], whole=True)
            return place + 1
        if kind == 0x5B and depth == 1 and self.base == 0:
            self._between(block, here, place)
            self.base = 1
            return self._from(place + 1)
        if kind == 0x5D and depth == 0:
            self._between(block, here, place)
            self.base = 0
            return self._from(place + 1)
        if depth == self.base + 1:
            self._between(block, here, place)
            self.inside = True
            return self._from(place)
        return here

    def _from(self, place: int) -> int:
        self.begin = self.offset + place
        return place

    def _between(self, block: bytes, here: int, place: int) -> None:
        """What stood between two records; what is more than separators is a record, to be rejected."""
        self._take(block[here:place], whole=False)

    def _take(self, data: bytes, *, whole: bool) -> None:
        self.carry.add(data)
        found, length = self.carry.take()
        text = found if whole else found.strip(_BETWEEN)
        begin = self.begin if whole else self.begin + max(found.find(text), 0)
        self.begin = self.begin + length
        if not text:
            return
        if length > len(found):
            self.lengths[len(self.records)] = length
        self.records.append(text)
        self.offsets.append(begin)

    def taken(self, *, open_end: bool = False) -> Iterator[Batch]:
        if self.records:
            offsets = np.array(self.offsets, np.int64)
            yield Batch(self.records, offsets, self.first, self.lengths, open_end)
            self.first += len(self.records)
            self.records, self.offsets, self.lengths = [], [], {}

    def end(self) -> bool:
        """The input is over; whether its last document was cut."""
        cut = self.inside
        self._take(b"", whole=cut)
        return cut


def documents(blocks: Iterator[bytes], label: str) -> Iterator[Batch]:
    """The documents as batches of raw records.

    Raises InputError after all of them: that of the blocks, or IMC-4013 where a document does not end.
    """
    splitter = _Splitter()
    damage: InputError | None = None
    try:
        for block in blocks:
            splitter.feed(block)
            yield from splitter.taken()
    except InputError as why:
        damage = why
    cut = splitter.end()
    yield from splitter.taken(open_end=cut)
    if cut or splitter.base:
        damage = damage or InputError("IMC-4013", label, offset=splitter.offset, why="the document does not end")
    if damage:
        raise damage
