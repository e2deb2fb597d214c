"""Split JSON documents of any size into the elements of one top-level array (easemob.md §2.4).

Strategy: each block is scanned with NumPy: unescaped quotes give the in-string mask, braces and brackets outside
of strings give the depth; an element runs from the place where the depth leaves the array to where it returns.
Documents may follow each other, keys may come in any order, and an array of the same name deeper down is not taken.
Promise: every byte of an element comes out once, with its offset; constant memory. What stands in the array and is
no object comes out as a record too, to be rejected. A document that breaks off is named (IMC-4013) after the
elements before the break; the element that was cut comes out with `open_end`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imconvert.errors import InputError
from imconvert.sources.records import Batch, Carry, Ints

_SPACES = b" \t\r\n\xef\xbb\xbf"
_OPEN, _CLOSE = b"{[", b"}]"


class Token(NamedTuple):
    """A structural byte outside of strings: its place in the block, the byte, and the depth after it."""

    place: int
    byte: int
    depth: int


class Scanner:
    """Finds the structure of a stream of blocks; strings, escapes and depth carry over from block to block."""

    def __init__(self) -> None:
        self.in_string = False
        self.escaped = False
        self.depth = 0

    def structure(self, block: bytes) -> tuple[Ints, Ints, Ints]:
        """Places, bytes and depths after them of the brackets and braces outside of strings."""
        data = np.frombuffer(block, np.uint8)
        quotes = self._quotes(data)
        marks = np.flatnonzero((data == 0x7B) | (data == 0x7D) | (data == 0x5B) | (data == 0x5D))
        inside = (np.searchsorted(quotes, marks) + self.in_string) & 1
        marks = marks[inside == 0]
        kinds = data[marks]
        steps = np.where((kinds == 0x7B) | (kinds == 0x5B), 1, -1)
        depths = self.depth + np.cumsum(steps)
        self.in_string = bool((len(quotes) + self.in_string) & 1)
        if len(depths):
            self.depth = int(depths[-1])
        return marks, kinds.astype(np.int64), depths

    def _quotes(self, data: NDArray[np.uint8]) -> Ints:
        """Places of the quotes that are not escaped."""
        quotes = np.flatnonzero(data == 0x22)
        slashes = np.flatnonzero(data == 0x5C)
        began_escaped = self.escaped
        if not len(slashes) and not began_escaped:
            return quotes
        escapes = _escapes(slashes, began_escaped)
        self.escaped = bool(len(escapes) and escapes[-1] == len(data) - 1)
        hidden = escapes + 1
        if began_escaped:
            hidden = np.concatenate([np.zeros(1, hidden.dtype), hidden])
        return quotes[~np.isin(quotes, hidden)]


def _escapes(slashes: Ints, began_escaped: bool) -> Ints:
    """Of the places of backslashes, those that escape the byte after them: the 1st, 3rd, ... of each run."""
    if not len(slashes):
        return slashes
    starts = np.empty(len(slashes), bool)
    starts[0] = True
    starts[1:] = np.diff(slashes) != 1
    first = np.maximum.accumulate(np.where(starts, np.arange(len(slashes)), 0))
    rank = np.arange(len(slashes)) - first
    if began_escaped and slashes[0] == 0:
        rank[first == 0] -= 1  # the run's first backslash was escaped by the block before
    return np.asarray(slashes[rank % 2 == 0], np.int64)


class _Splitter:
    """Cuts the elements out of the blocks. `inside` says that the array is open; depth 2 is the array's own."""

    def __init__(self, array: str) -> None:
        self.scanner = Scanner()
        self.key = re.compile(rb'"' + re.escape(array.encode()) + rb'"\s*:\s*\[$')
        self.carry = Carry()
        self.tail = b""
        self.inside = False
        self.started = False
        self.cut_at = 0
        self.begin = 0
        self.offset = 0
        self.records: list[bytes] = []
        self.offsets: list[int] = []
        self.lengths: dict[int, int] = {}

    def feed(self, block: bytes) -> None:
        """Take the next block; finished elements gather in `records`, `offsets` and `lengths`."""
        marks, kinds, depths = self.scanner.structure(block)
        edges = np.flatnonzero((depths <= 2) | ((depths == 3) & ((kinds == 0x7B) | (kinds == 0x5B))))
        here = 0
        for index in edges:
            here = self._edge(block, here, int(marks[index]), int(kinds[index]), int(depths[index]))
        if self.inside:
            self.carry.add(block[here:])
        self.tail = (self.tail + block)[-256:]
        self.offset += len(block)

    def _edge(self, block: bytes, here: int, place: int, byte: int, depth: int) -> int:
        """Act on a bracket at `place`, `here` being the first byte not taken yet; gives the next such."""
        if depth < 0:
            raise _Broken(self.offset + place, "a closing bracket without its opening one")
        if not self.inside:
            return self._open(block, here, place, byte, depth)
        if depth == 3 and not self.started:
            self._stray(block[here:place])
            self.started = True
            self.begin = self.offset + place
            return place
        if depth == 2 and self.started:
            self._finish(block[here : place + 1])
            self.begin = self.offset + place + 1
            return place + 1
        if depth < 2:
            self._stray(block[here:place])
            self.inside = False
        return here

    def _open(self, block: bytes, here: int, place: int, byte: int, depth: int) -> int:
        if byte != 0x5B or depth != 2 or not self._is_key(block, place):
            return here
        self.inside = True
        self.begin = self.offset + place + 1
        return place + 1

    def _is_key(self, block: bytes, place: int) -> bool:
        text = block[max(0, place - 200) : place + 1]
        return bool(self.key.search(text if place >= 200 else self.tail + text))

    def _finish(self, data: bytes) -> None:
        self.carry.add(data)
        self._emit(*self.carry.take())
        self.started = False

    def _stray(self, data: bytes) -> None:
        """What stands between elements: separators, or something that is no object."""
        self.carry.add(data)
        text, length = self.carry.take()
        for piece in text.split(b","):
            if piece.strip(_SPACES):
                self._emit(piece.strip(_SPACES), len(piece.strip(_SPACES)) if len(text) == length else length)

    def _emit(self, data: bytes, length: int) -> None:
        if length > len(data):
            self.lengths[len(self.records)] = length
        self.records.append(data)
        self.offsets.append(self.begin)

    def take(self, first: int, *, open_end: bool = False) -> Batch:
        batch = Batch(self.records, np.array(self.offsets, np.int64), first, self.lengths, open_end)
        self.records, self.offsets, self.lengths = [], [], {}
        return batch


class _Broken(Exception):
    def __init__(self, offset: int, why: str) -> None:
        super().__init__(offset, why)
        self.offset = offset
        self.why = why


def elements(blocks: Iterator[bytes], array: str, label: str) -> Iterator[Batch]:
    """The elements of the top-level array `array` of one or more documents, as batches of raw records.

    Raises InputError IMC-4013 after all complete elements where a document is broken or breaks off.
    """
    splitter = _Splitter(array)
    first = 0
    damage: InputError | None = None
    try:
        for block in blocks:
            splitter.feed(block)
            if splitter.records:
                batch = splitter.take(first)
                first += len(batch.records)
                yield batch
    except InputError as why:
        damage = why
    except _Broken as broken:
        damage = InputError("IMC-4013", label, offset=broken.offset, why=broken.why)
    if splitter.inside or splitter.scanner.depth > 0 or splitter.scanner.in_string:
        damage = damage or InputError("IMC-4013", label, offset=splitter.offset, why="the document does not end")
    if splitter.inside:
        _keep_rest(splitter)
    if splitter.records:
        yield splitter.take(first, open_end=splitter.started)
    if damage:
        raise damage


def _keep_rest(splitter: _Splitter) -> None:
    """The element that the end of the input cut becomes the last record."""
    data, length = splitter.carry.take()
    if data.strip(_SPACES + b","):
        splitter.started = True
        splitter._emit(data, length)
