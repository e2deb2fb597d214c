"""What an answer holds: a stretch of the feed, cut at whole records, planned before its first byte is sent.

Strategy: a window is a list of byte ranges of files. Where it ends is found by counting line ends, so that no record
is parsed; in an answer each line end becomes the separator, so that its length is known beforehand. Ranges may be as
short as a line where others are left out between them, so that files stay open and are read in blocks (`Shelf`).
Promise: every range was looked at when the window was planned: the file is there, is what it was when its lines were
taken, and the range begins and ends at line ends. A file that fails this makes no answer (IMC-6041).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imconvert import durable
from imconvert.errors import IntegrityError
from imconvert.serve.state import File, place

BLOCK = 1 << 20
SENT = 256 << 10
"""Bytes looked at and sent in one go."""

_TAIL = 65536


class Stretch(NamedTuple):
    """Bytes [start, stop) of a file of the feed, whole lines."""

    file: File
    start: int
    stop: int


class Caps(NamedTuple):
    """At most so many records and bytes in an answer."""

    records: int
    bytes: int


@dataclass(slots=True)
class Window:
    """Stretches from place `start` to place `stop` of the feed, with what they hold.

    Of a plain pull's window, `fresh` and `fresh_bytes` are what was not delivered before, and `begin` is where that
    begins; what stands before it repeats earlier windows. `more` says that there is more behind it; `first` and `last`
    are the times (ms) of the first and last fresh record.
    """

    start: int
    stop: int
    stretches: list[Stretch] = field(default_factory=list)
    records: int = 0
    bytes: int = 0
    more: bool = False
    begin: int = 0
    fresh: int = 0
    fresh_bytes: int = 0
    first: int = 0
    last: int = 0

    def add(self, stretch: Stretch, records: int) -> None:
        last = self.stretches[-1] if self.stretches else None
        if last and last.file is stretch.file and last.stop == stretch.start:
            self.stretches[-1] = Stretch(last.file, last.start, stretch.stop)
        else:
            self.stretches.append(stretch)
        self.records += records
        self.bytes += stretch.stop - stretch.start
        self.stop = place(stretch.file.number, stretch.stop)

    def before(self, other: Window) -> Window:
        """This window and the one right behind it as one, whose fresh part is the other's."""
        both = Window(self.start, self.stop, list(self.stretches), self.records, self.bytes)
        for stretch in other.stretches:
            both.add(stretch, 0)
        both.records = self.records + other.records
        both.stop, both.more = other.stop, other.more
        both.begin, both.fresh, both.fresh_bytes = other.begin, other.fresh, other.fresh_bytes
        both.first, both.last = other.first, other.last
        return both


def opened(file: File, stop: int) -> durable.Reader:
    """A reader of a file whose lines were taken up to `stop`. Raises IntegrityError IMC-6041 if it is another now."""
    try:
        reader = durable.Reader(Path(file.path))
    except IntegrityError as why:
        raise IntegrityError("IMC-6041", file.path, why=str(why.values.get("why"))) from why
    if reader.size < stop or (file.bytes and (reader.size, reader.changed) != (file.bytes, file.changed)):
        reader.close()
        raise IntegrityError("IMC-6041", file.path, why="size or time of the last write differ")
    return reader


class Shelf:
    """The file that is being read, and a block of it."""

    def __init__(self) -> None:
        self._file: File | None = None
        self._reader: durable.Reader | None = None
        self._size = 0
        self._begin, self._block = 0, b""

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._reader:
            self._reader.close()

    def take(self, stretch: Stretch) -> durable.Reader:
        """The file of a stretch, looked at when it is opened. Raises IntegrityError IMC-6041."""
        if self._reader is None or self._file is not stretch.file or stretch.stop > self._size:
            self.__exit__()
            self._reader = None
            self._reader = opened(stretch.file, stretch.stop)
            self._file, self._size, self._block = stretch.file, self._reader.size, b""
        return self._reader

    def at(self, stretch: Stretch, offset: int, length: int) -> bytes:
        """Bytes of the file of a stretch; short pieces come out of a block."""
        reader = self.take(stretch)
        if length >= SENT:
            return reader.at(offset, length)
        begin = offset - self._begin
        if not 0 <= begin <= len(self._block) - length:
            self._block = reader.at(offset, min(SENT, self._size - offset))
            self._begin, begin = offset, 0
        return self._block[begin : begin + length]

    def blocks(self, stretch: Stretch, stop: int, size: int) -> Iterator[bytes]:
        """The bytes of a stretch up to `stop`, in blocks of at most `size`."""
        for offset in range(stretch.start, stop, size):
            yield self.at(stretch, offset, min(size, stop - offset))


def verify(window: Window) -> None:
    """Raise IntegrityError IMC-6041 unless all files of a window are still what they were."""
    with Shelf() as shelf:
        for stretch in window.stretches:
            shelf.take(stretch)


def fill(stretches: Iterator[Stretch], start: int, caps: Caps) -> Window:
    """The window that begins at place `start` and holds as much as the caps allow, but at least one record."""
    window = Window(start, start, begin=start)
    with Shelf() as shelf:
        for stretch in stretches:
            if window.records >= caps.records or window.bytes >= caps.bytes:
                window.more = True
                break
            left = Caps(caps.records - window.records, caps.bytes - window.bytes)
            stop, records = _cut(shelf, stretch, left, alone=not window.records)
            if records:
                window.add(Stretch(stretch.file, stretch.start, stop), records)
            if stop < stretch.stop:
                window.more = True
                break
    window.fresh, window.fresh_bytes = window.records, window.bytes
    return window


def _cut(shelf: Shelf, stretch: Stretch, left: Caps, *, alone: bool) -> tuple[int, int]:
    """Where to cut a stretch, and how many records are before the cut; one that is too long stands `alone` or waits."""
    _check_edges(shelf, stretch)
    most = min(stretch.stop, stretch.start + left.bytes)
    stop, records, offset = stretch.start, 0, stretch.start
    for block in shelf.blocks(stretch, most, BLOCK):
        count = block.count(b"\n")
        if records + count >= left.records:
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == 0x0A)
            return offset + int(ends[left.records - records - 1]) + 1, left.records
        if count:
            stop = offset + block.rfind(b"\n") + 1
        records += count
        offset += len(block)
    if not records and alone:
        return _first_end(shelf, stretch), 1
    return stop, records


def _first_end(shelf: Shelf, stretch: Stretch) -> int:
    offset = stretch.start
    for block in shelf.blocks(stretch, stretch.stop, BLOCK):
        end = block.find(b"\n")
        if end >= 0:
            return offset + end + 1
        offset += len(block)
    raise IntegrityError("IMC-6041", stretch.file.path, why="a line has no end")


def _check_edges(shelf: Shelf, stretch: Stretch) -> None:
    """Raise IMC-6041 unless a stretch begins and ends at line ends."""
    edges = [edge - 1 for edge in (stretch.start, stretch.stop) if edge]
    if any(shelf.at(stretch, edge, 1) != b"\n" for edge in edges):
        raise IntegrityError("IMC-6041", stretch.file.path, why="its lines are elsewhere")


def at_line_end(file: File, offset: int) -> bool:
    """Whether a line of a file ends at an offset."""
    with opened(file, offset) as reader:
        return reader.at(offset - 1, 1) == b"\n"


def whole(stretches: Iterator[Stretch], start: int, stop: int) -> Window:
    """The window of all that lies between two places; its records are not counted."""
    window = Window(start, stop)
    with Shelf() as shelf:
        for stretch in stretches:
            _check_edges(shelf, stretch)
            window.add(stretch, 0)
    window.stop = stop
    return window


def blocks(window: Window, between: bytes) -> Iterator[bytes]:
    """The lines of a window, set apart by `between`, which is as long as a line end."""
    left = window.bytes
    for block in _gathered(window):
        left -= len(block)
        yield (block if left else block[:-1]).replace(b"\n", between)


def _gathered(window: Window) -> Iterator[bytes]:
    """The bytes of a window in blocks of about SENT, however short its stretches are."""
    parts: list[bytes] = []
    size = 0
    with Shelf() as shelf:
        for stretch in window.stretches:
            for block in shelf.blocks(stretch, stretch.stop, SENT):
                if size and size + len(block) > SENT:
                    yield b"".join(parts)
                    parts, size = [], 0
                parts.append(block)
                size += len(block)
    if parts:
        yield b"".join(parts)


def last_line(window: Window) -> bytes:
    """The last record of a window that has one."""
    file, start, stop = window.stretches[-1]
    with opened(file, stop) as reader:
        for length in (_TAIL, stop - start):
            tail = reader.at(max(start, stop - length), min(length, stop - start))[:-1]
            found = tail.rfind(b"\n")
            if found >= 0 or length >= stop - start:
                break
    return tail[found + 1 :]


def first_line(window: Window) -> bytes:
    """The first record of a window that has one."""
    stretch = window.stretches[0]
    with Shelf() as shelf:
        return shelf.at(stretch, stretch.start, _first_end(shelf, stretch) - stretch.start - 1)
