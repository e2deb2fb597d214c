"""From blocks of bytes to batches of raw records, each with its place.

Strategy: line files are split at LF only, block by block; documents are split by a structural scan (quotes, braces
and depth as NumPy columns) that yields the elements of one top-level array as raw bytes.
Promise: what is yielded, joined with what separates it, is the input; a record longer than the limit comes as its
first bytes and its length; memory is a block and a record, whatever the input.
Why not a JSON library for documents: it would end at the first bad byte and tell no offsets, but one bad record
must not cost the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imconvert import native
from imconvert.errors import InputError
from imconvert.sources.containers import MIB, read_range

RECORD_LIMIT = 16 * MIB
"""Longest record in bytes; a longer one is rejected (IMC-2003)."""

KEPT = 65536
"""How many bytes of a too long record are kept with its reject."""

HEAD_KEPT = 4096
"""Longest head of a document in bytes that its records are read with, and that a reject carries."""

Ints = NDArray[np.int64]


class Batch:
    """Records in input order: raw bytes, byte offset of each in the content, number of the first, from 0.

    `text` is there if the records are its lines; then they are only parted when they are asked for. `lengths` holds
    the true length of records that were cut to KEPT bytes, by index. `open_end` says that the last record was ended
    by the end of the input, not by a separator. `crlf` counts lines that ended in CRLF. `numbers` are the numbers of
    the records where they don't follow each other. `head` is what their document or input says as a whole, where their
    vendor wants to know.
    """

    def __init__(
        self,
        records: list[bytes] | None,
        offsets: Ints | None,
        first: int,
        lengths: dict[int, int],
        open_end: bool = False,
        crlf: int = 0,
        numbers: Ints | None = None,
        head: bytes = b"",
        *,
        text: bytes | None = None,
        begin: int = 0,
    ) -> None:
        self.first, self.lengths, self.open_end, self.crlf, self.numbers = first, lengths, open_end, crlf, numbers
        self.head, self.text = head, text
        self.begin = begin
        self._records, self._offsets = records, offsets
        self._length: int | None = None

    @classmethod
    def of_lines(
        cls, text: bytes, begin: int, first: int, crlf: int, *, open_end: bool = False, length: int | None = None
    ) -> Batch:
        """The lines of a text that begins at `begin` in the content; `length` is how many they are, if it is known."""
        found = cls(None, None, first, {}, open_end, crlf, text=text, begin=begin)
        found._length = length
        return found

    @property
    def records(self) -> list[bytes]:
        if self._records is None:
            assert self.text is not None
            self._records = self.text.split(b"\n")
        return self._records

    @property
    def offsets(self) -> Ints:
        if self._offsets is None:
            assert self.text is not None
            ends = np.flatnonzero(np.frombuffer(self.text, np.uint8) == _NEWLINE)
            self._offsets = np.concatenate([[0], ends + 1]) + self.begin
        return self._offsets

    @property
    def size(self) -> int:
        """About how many bytes the records have."""
        return len(self.text) if self.text is not None else sum(map(len, self.records))

    def __len__(self) -> int:
        if self._length is None:
            self._length = len(self.records) if self.text is None else _line_ends(self.text)[0] + 1
        return self._length

    def end(self) -> int:
        """The place behind the last record."""
        if self.text is not None:
            return self.begin + len(self.text)
        last = len(self) - 1
        return int(self.offsets[last]) + self.lengths.get(last, len(self.records[last]))

    def first_crlf(self) -> int:
        """The number within the batch of the first record that ended in CRLF; there has to be one."""
        if self.text is None:
            return next(index for index, raw in enumerate(self.records) if raw.endswith(b"\r"))
        found = self.text.find(b"\r")
        while 0 <= found < len(self.text) - 1 and self.text[found + 1] != _NEWLINE:
            found = self.text.find(b"\r", found + 1)
        return self.text.count(b"\n", 0, found)

    def number(self, index: int) -> int:
        """The number of a record in its stream, from 0."""
        return self.first + index if self.numbers is None else int(self.numbers[index])


_NEWLINE, _RETURN = 10, 13


class Carry:
    """The beginning of a record that has not ended yet; beyond the limit only its first bytes are kept."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0

    def add(self, data: bytes) -> None:
        if self.length <= RECORD_LIMIT:
            self.parts.append(data)
            if self.length + len(data) > RECORD_LIMIT:
                self.parts = [b"".join(self.parts)[:KEPT]]
        self.length += len(data)

    def take(self) -> tuple[bytes, int]:
        """The bytes kept, and the whole length; the carry is empty afterwards."""
        data, length = b"".join(self.parts), self.length
        self.parts, self.length = [], 0
        return data, length


def kept_head(text: bytes, length: int) -> bytes:
    """The head of a document as its records carry it: nothing where it is too long to, or no UTF-8."""
    if length > HEAD_KEPT:
        return b""
    try:
        return text.decode("utf-8-sig").strip().encode()
    except UnicodeDecodeError:
        return b""


def lines(blocks: Iterator[bytes], *, offset: int = 0) -> Iterator[Batch]:
    """Split blocks into lines. `offset` is the place of the first byte in the content.

    An InputError of the blocks is raised after the records before the damage were yielded.
    """
    carry = Carry()
    number = 0
    damage: InputError | None = None
    while True:
        try:
            block = next(blocks, None)
        except InputError as why:
            damage, block = why, None
        if block is None:
            break
        cut = block.rfind(b"\n")
        if cut < 0:
            carry.add(block)
            continue
        batch, offset = _line_batch(carry, block, cut, offset, number)
        number += len(batch)
        yield batch
        carry.add(block[cut + 1 :])
    if carry.length:
        data, length = carry.take()
        if length > RECORD_LIMIT:
            yield Batch([data], np.array([offset], np.int64), number, {0: length}, open_end=True)
        else:
            yield Batch.of_lines(data, offset, number, 0, open_end=True)
    if damage:
        raise damage


def _line_batch(carry: Carry, block: bytes, cut: int, offset: int, number: int) -> tuple[Batch, int]:
    """The lines of a block up to its last LF, at `cut`, behind what was carried, and the place behind that LF."""
    head, length = carry.take()
    after = offset + length + cut + 1
    if not length or length + block.find(b"\n") <= RECORD_LIMIT:
        text = b"".join((head, memoryview(block)[:cut])) if head else block[:cut]
        newlines, returns = _line_ends(text)
        return Batch.of_lines(text, offset, number, returns, length=newlines + 1), after
    first, newline, rest = block[:cut].partition(b"\n")
    records = [(head + first)[:KEPT], *(rest.split(b"\n") if newline else [])]
    lengths = {0: length + len(first)}
    sizes = np.array([lengths[0], *map(len, records[1:])], np.int64)
    offsets = offset + np.concatenate([[0], np.cumsum(sizes[:-1] + 1)])
    return Batch(records, offsets, number, lengths, crlf=_line_ends(rest)[1]), after


def line_ends(data: bytes) -> tuple[int, int]:
    """How many LF there are, and how many CR that have one, or the end, behind them."""
    seen = np.frombuffer(data, np.uint8)
    behind = np.flatnonzero(seen == _RETURN) + 1 if b"\r" in data else np.empty(0, np.int64)
    returns = np.count_nonzero(seen[behind[behind < len(seen)]] == _NEWLINE) + data.endswith(b"\r")
    return int(np.count_nonzero(seen == _NEWLINE)), int(returns)


_line_ends = native.ends if native.BUILT else line_ends


def line_range(
    path: Path, label: str, start: int, stop: int, size: int, progress: Callable[[int], None]
) -> tuple[Iterator[bytes], int]:
    """Blocks of the lines whose first byte lies in [start, stop) of a plain file, and the place of the first."""
    begin = start if start == 0 else _after_newline(path, label, start - 1, stop, size)
    if begin >= stop:
        return iter(()), begin
    end = size if stop >= size else _after_newline(path, label, stop - 1, size, size)
    return read_range(path, label, begin, end, progress=progress), begin


def _after_newline(path: Path, label: str, start: int, stop: int, size: int) -> int:
    """The place behind the first LF in [start, stop), or `stop` if there is none."""
    place = start
    for block in read_range(path, label, start, min(stop, size), block=65536):
        cut = block.find(b"\n")
        if cut >= 0:
            return place + cut + 1
        place += len(block)
    return stop
