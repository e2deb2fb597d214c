"""Write the lines and rows of one stream of a part: as they come, or in the order of their conversations.

Strategy: for a target that is loaded in time order, lines wait until there is a range of them, which is written sorted
by (talk, time, place): so a range is a run of the external sort already, whose lines need not be written again. Rows
stand in the order of the source whatever the order of the lines is, and say where these lie.
Cost: 8 bytes of disk for a line; memory for a few times a range.
"""

from __future__ import annotations

import numpy as np
from xxhash import xxh3_64_digest

from imconvert import durable
from imconvert.convert.blocks import Block, begins_of
from imconvert.convert.work import Array

LEAST, MOST = 6 << 20, 16 << 20
SHARE = 8
"""Bytes of a range: few enough for a cache, and for the memory; of larger segments a share, lest ranges be too many."""


def range_for(size: int) -> int:
    """Bytes of a range in a segment of so many bytes."""
    return min(max(LEAST, size // SHARE), MOST)


class AsTheyCome:
    """Lines in the order of the source. Without `lines` the rows alone are written (check)."""

    def __init__(self, lines: durable.Writer | None, rows: durable.Writer) -> None:
        self.lines, self.rows = lines, rows
        self.ranges: list[int] = []
        self.end = 0

    def add(self, data: bytes, rows: Array) -> None:
        """Write lines, each with a newline behind it, and their rows, whose lines are counted from `end`."""
        self.end += len(data)
        self.rows.write(rows.tobytes())
        if self.lines:
            self.lines.write(data)

    def finish(self) -> None:
        """Write what waits; the files stay open."""


class ByConversation:
    """Ranges of about `size` bytes, sorted; `ranges` are their rows, `talks` gets the hash of each conversation."""

    def __init__(self, lines: durable.Writer, rows: durable.Writer, talks: durable.Writer, size: int) -> None:
        self.lines, self.rows, self.talks = lines, rows, talks
        self.size = size
        self.ranges: list[int] = []
        self.waiting: list[tuple[bytes, Array]] = []
        self.held = self.end = 0

    def add(self, data: bytes, rows: Array) -> None:
        """As above."""
        self.waiting.append((data, rows))
        self.held += len(data)
        if self.held >= self.size:
            self.finish()

    def finish(self) -> None:
        """As above."""
        if not self.waiting:
            return
        data, rows = b"".join(data for data, _ in self.waiting), np.concatenate([rows for _, rows in self.waiting])
        self.waiting, self.held = [], 0
        block = Block(data, begins_of(rows["length"]), rows["length"])
        talks = block.talks(xxh3_64_digest)
        order = np.lexsort((rows["time"], talks))
        rows["begin"][order] = begins_of(rows["length"][order], self.lines.size)
        self.lines.write(block.at(order).joined())
        self.rows.write(rows.tobytes())
        self.talks.write(talks.tobytes())
        self.ranges.append(len(rows))
