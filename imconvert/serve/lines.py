"""Read single lines of the feed back, by their places.

Strategy: places are sorted; lines that lie near each other are cut out of one block.
Promise: a line that cannot be read any more, since its file is gone or is another now, is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from imconvert import durable
from imconvert.errors import IntegrityError
from imconvert.serve import windows
from imconvert.serve.state import MOST, SHIFT, File

NEAR = 16 << 10
BLOCK = 1 << 20
"""Bytes between two lines that are read in one go, and bytes that are read at most to find several."""


def lines_at(files: Sequence[File], places: Iterable[int]) -> dict[int, bytes | None]:
    """The lines that begin at the places, without their LF."""
    found: dict[int, bytes | None] = {}
    for number, some in groupby(sorted(places), lambda place: place >> SHIFT):
        wanted = list(some)
        found |= dict.fromkeys(wanted)
        try:
            with windows.opened(files[number - 1], (wanted[-1] & MOST - 1) + 1) as reader:
                found.update(_lines(reader, wanted))
        except IntegrityError:
            continue
    return found


def _lines(reader: durable.Reader, places: list[int]) -> Iterator[tuple[int, bytes | None]]:
    size = reader.size
    for span in _spans(places):
        first = span[0] & MOST - 1
        data = reader.at(first, min(size, (span[-1] & MOST - 1) + NEAR) - first)
        for place in span:
            begin = (place & MOST - 1) - first
            end = data.find(b"\n", begin)
            yield place, data[begin:end] if end >= 0 else _long_line(reader, first + begin, size)


def _spans(places: list[int]) -> Iterator[list[int]]:
    """Sorted places of one file, those together that one block holds."""
    span: list[int] = []
    for place in places:
        if span and (place - span[-1] > NEAR or place - span[0] > BLOCK):
            yield span
            span = []
        span.append(place)
    if span:
        yield span


def _long_line(reader: durable.Reader, begin: int, size: int) -> bytes | None:
    """A line that is longer than NEAR."""
    parts = []
    for block in reader.blocks(begin, size):
        head, end, _ = block.partition(b"\n")
        parts.append(head)
        if end:
            return b"".join(parts)
    return None
