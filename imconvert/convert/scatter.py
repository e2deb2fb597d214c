"""Bring the lines of one segment into the order of their conversations, run by run.

Strategy: a window of lines that fits the memory loses what was dropped, is sorted by (conversation, time, place) and
appended to the segment's file as a run. Conversations are sorted by a hash, whose first bits are the bucket, so that in
a run the lines of a bucket lie together; for each run a table tells where each bucket begins.
Promise: what a run holds follows from the segment and what was decided about its lines, from nothing else.
Cost: the lines once more on the disk, and 64 bytes for each; a window is at most WINDOW_BYTES, or one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import Struct
from xxhash import xxh3_64_intdigest

from imconvert import durable
from imconvert.convert.drops import Drops
from imconvert.convert.seal import rewritten
from imconvert.convert.work import (
    LEFT_OUT,
    ROW,
    Array,
    FileSum,
    WorkFolder,
    marker_bytes,
    place_number,
    row_windows,
)
from imconvert.vendors import TARGETS
from imconvert.vendors.requests import conversation_in

WINDOW_BYTES = 24 << 20
REMEMBERED = 1 << 16
"""Bytes of lines that are sorted at once; conversations whose hash is kept at hand."""

PLACED = np.dtype(
    [
        ("talk", "<u8"),
        ("time", "<i8"),
        ("place", "<u8"),
        ("msgid", "<u8"),
        ("line", "<u8"),
        ("offset", "<u8"),
        ("begin", "<u8"),
        ("file", "<u4"),
        ("length", "<u4"),
    ]
)
"""Of one line: hash of its conversation, time in ms, place, message number; number (from 0) and byte offset of its
source record; where it begins in the segment's file; input number; length without the newline. The first three are what
lines are sorted by."""

BOUND = np.dtype([("row", "<u8"), ("byte", "<u8")])
"""Where a bucket begins in a run: the number of its row, and of its byte, in the segment's files."""


@dataclass(frozen=True, slots=True)
class ScatterJob:
    """What a worker needs for one segment. `bits` says for each stream how many buckets it has, as a power of two.

    `salt` chooses the hash, of which `width` bits count. `bases`, `basis`, `vendor` and `settings` are as for sealing.
    """

    work: Path
    target: str
    segment: int
    bits: tuple[int, ...]
    bases: dict[tuple[int, int], int]
    basis: str
    vendor: str
    settings: dict[str, str]
    salt: int = 0
    width: int = 64


class ScatterMarker(Struct):
    """What scattering a segment gave: the number of runs of each stream."""

    segment: int
    basis: str
    runs: list[int]
    files: dict[str, FileSum]


def scatter_segment(job: ScatterJob, progress: Callable[[int], None]) -> int:
    """Leave the sorted runs of a segment, marker last; gives how many lines they have."""
    work = WorkFolder(job.work)
    streams = TARGETS[job.target].streams
    writers: list[durable.Writer] = []
    runs = []
    lines = 0
    with durable.Reader(work.drops) as reader:
        for number, stream in enumerate(streams):
            scatter = _Scatter(job, work, number, stream)
            scatter.run(Drops(reader), progress)
            writers += [scatter.lines, scatter.rows, scatter.bounds]
            runs.append(scatter.runs)
            lines += scatter.count
    for writer in writers:
        writer.finish()
    sums = {writer.path.name: FileSum(writer.size, writer.digest) for writer in writers}
    durable.replace_file(
        work.scattered(job.segment, "json"), marker_bytes(ScatterMarker(job.segment, job.basis, runs, sums))
    )
    return lines


class Talks(dict[bytes, int]):
    """Hashes of conversations, the last ones kept at hand."""

    def __init__(self, salt: int, width: int) -> None:
        super().__init__()
        self.salt = salt
        self.mask = (1 << 64) - (1 << 64 - width)

    def __missing__(self, conversation: bytes) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[conversation] = xxh3_64_intdigest(conversation, self.salt) & self.mask
        return found


class _Scatter:
    """One stream of a segment."""

    def __init__(self, job: ScatterJob, work: WorkFolder, number: int, stream: str) -> None:
        self.job = job
        self.target = TARGETS[job.target]
        self.bits = job.bits[number]
        self.low = place_number(job.segment, number, 0)
        self.part = work.part(job.segment, stream)
        self.part_rows = work.part(job.segment, f"{stream}.rows")
        self.lines = durable.Writer(work.scattered(job.segment, stream))
        self.rows = durable.Writer(work.scattered(job.segment, f"{stream}.rows"))
        self.bounds = durable.Writer(work.scattered(job.segment, f"{stream}.bounds"))
        self.talks = Talks(job.salt, job.width)
        self.runs = self.count = 0

    def run(self, drops: Drops, progress: Callable[[int], None]) -> None:
        with durable.Reader(self.part) as part:
            for first, rows in row_windows(self.part_rows, ROW):
                for start, stop in _windows(rows):
                    some = rows[start:stop]
                    low = self.low + first + start
                    self._window(part, some, low, drops.between(low, low + len(some)))
                    progress(int(some["length"].sum()) + len(some))

    def _window(self, part: durable.Reader, rows: Array, low: int, drops: Array) -> None:
        lines = lines_at(part, rows["begin"], rows["length"])
        placed = self._placed(rows, low)
        stays = np.ones(len(rows), bool)
        for at, drop in zip((drops["place"] - np.uint64(low)).tolist(), drops, strict=True):
            if drop["kind"] in LEFT_OUT:
                stays[at] = False
            else:
                lines[at] = rewritten(self.target, lines[at], drop, self.job.vendor, self.job.settings)
                placed["msgid"][at] = drop["msgid"] or placed["msgid"][at]
        if stays.any():
            self._write(placed, lines, np.flatnonzero(stays))

    def _placed(self, rows: Array, low: int) -> Array:
        placed = np.empty(len(rows), PLACED)
        for name in ("time", "msgid", "line", "offset", "file"):
            placed[name] = rows[name]
        files, where = np.unique(rows["file"], return_inverse=True)
        bases = [self.job.bases.get((self.job.segment, int(file)), 0) for file in files]
        placed["line"] += np.array(bases, np.uint64)[where]
        placed["place"] = np.arange(low, low + len(rows), dtype=np.uint64)
        return placed

    def _write(self, placed: Array, lines: list[bytes], stays: Array) -> None:
        """Append a run of these lines."""
        talks = self.talks
        chosen = [lines[at] for at in stays.tolist()]
        rows = placed[stays]
        rows["talk"] = [talks[conversation_in(line)] for line in chosen]
        rows["length"] = [len(line) for line in chosen]
        order = np.lexsort((rows["time"], rows["talk"]))
        rows = rows[order]
        ends = np.cumsum(rows["length"].astype(np.uint64) + np.uint64(1)) + np.uint64(self.lines.size)
        rows["begin"] = ends - rows["length"] - np.uint64(1)
        self._write_bounds(rows["talk"], rows["begin"], int(ends[-1]))
        data = [chosen[at] for at in order.tolist()]
        data.append(b"")
        self.lines.write(b"\n".join(data))
        self.rows.write(rows.tobytes())
        self.count += len(rows)
        self.runs += 1

    def _write_bounds(self, talks: Array, begins: Array, end: int) -> None:
        bounds = np.empty((1 << self.bits) + 1, BOUND)
        firsts = np.arange(1 << self.bits, dtype=np.uint64) << np.uint64(64 - self.bits) if self.bits else [0]
        first = np.searchsorted(talks, np.asarray(firsts, np.uint64))
        bounds["row"][:-1] = first + self.count
        bounds["byte"][:-1] = np.append(begins, np.uint64(end))[first]
        bounds[-1] = self.count + len(talks), end
        self.bounds.write(bounds.tobytes())


def _windows(rows: Array) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose lines together have at most WINDOW_BYTES, or that are one row."""
    start = 0
    begins = rows["begin"]
    while start < len(rows):
        stop = int(np.searchsorted(begins, begins[start] + np.uint64(WINDOW_BYTES)))
        stop = max(start + 1, stop if stop == len(rows) else stop - 1)
        yield start, stop
        start = stop


def lines_at(reader: durable.Reader, begins: Array, lengths: Array) -> list[bytes]:
    """Lines that lie one after the other in a file, without their newlines."""
    if not len(begins):
        return []
    base = int(begins[0])
    data = reader.at(base, int(begins[-1]) + int(lengths[-1]) - base)
    starts = (begins - np.uint64(base)).astype(np.int64)
    ends = (starts + lengths).tolist()
    return [data[start:end] for start, end in zip(starts.tolist(), ends, strict=True)]
