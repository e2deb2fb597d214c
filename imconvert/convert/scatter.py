"""Bring the lines of one segment into the order of their conversations, run by run.

Strategy: a window of lines that fits the memory loses what was dropped and becomes a run, sorted by the hash of the
conversation, time and place.
Promise: what a run holds follows from the segment and what was decided about its lines, from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from msgspec import Struct
from xxhash import xxh3_64_intdigest

from imconvert import durable
from imconvert.convert.blocks import Block, Hash, block_at, block_of, blocks_joined
from imconvert.convert.drops import Drops
from imconvert.convert.runs import PLACED, Runs, windows
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

WIDTH = 64
"""Bits of the hash that count."""


@dataclass(frozen=True, slots=True)
class ScatterJob:
    """What a worker needs for one segment. `bits` says for each stream how many buckets it has, as a power of two.

    A run is made of `window` bytes of lines. `salt` chooses the hash, of which `width` bits count. `bases`, `drops`,
    `basis`, `vendor` and `settings` are as for sealing.
    """

    work: Path
    target: str
    segment: int
    bits: tuple[int, ...]
    bases: dict[tuple[int, int], int]
    drops: Path
    basis: str
    vendor: str
    settings: dict[str, str]
    window: int
    salt: int = 0
    width: int = WIDTH


class ScatterMarker(Struct):
    """What scattering a segment gave: the number of runs of each stream."""

    segment: int
    basis: str
    runs: list[int]
    files: dict[str, FileSum]


def scatter_segment(job: ScatterJob, progress: Callable[[int], None]) -> int:
    """Leave the sorted runs of a segment, marker last; gives how many lines they have."""
    work = WorkFolder(job.work)
    found = []
    with durable.Reader(job.drops) as reader:
        for number, stream in enumerate(TARGETS[job.target].streams):
            scatter = _Scatter(job, work, number, stream)
            scatter.run(Drops(reader), progress)
            found.append(scatter.runs)
    for runs in found:
        runs.finish()
    sums = {writer.path.name: FileSum(writer.size, writer.digest) for runs in found for writer in runs.writers}
    marker = ScatterMarker(job.segment, job.basis, [runs.runs for runs in found], sums)
    durable.replace_file(work.scattered(job.segment, "json"), marker_bytes(marker))
    return sum(runs.count for runs in found)


def hash_for(salt: int, width: int) -> Hash:
    """The hash of conversations of that salt; of less than 64 bits only the first `width` count."""
    if width < 64:
        mask = (1 << 64) - (1 << 64 - width)
        return lambda conversation: xxh3_64_intdigest(conversation, salt) & mask
    return partial(xxh3_64_intdigest, seed=salt) if salt else xxh3_64_intdigest


class _Scatter:
    """One stream of a segment."""

    def __init__(self, job: ScatterJob, work: WorkFolder, number: int, stream: str) -> None:
        self.job = job
        self.target = TARGETS[job.target]
        self.low = place_number(job.segment, number, 0)
        self.part = work.part(job.segment, stream)
        self.part_rows = work.part(job.segment, f"{stream}.rows")
        self.runs = Runs(lambda suffix: work.scattered(job.segment, f"{stream}{suffix}"), job.bits[number])
        self.hash = hash_for(job.salt, job.width)

    def run(self, drops: Drops, progress: Callable[[int], None]) -> None:
        with durable.Reader(self.part) as part:
            for first, rows in row_windows(self.part_rows, ROW):
                for start, stop in windows(rows["begin"], rows["length"], self.job.window):
                    some = rows[start:stop]
                    low = self.low + first + start
                    self._window(part, some, low, drops.between(low, low + len(some)))
                    progress(int(some["length"].sum()) + len(some))

    def _window(self, part: durable.Reader, rows: Array, low: int, drops: Array) -> None:
        block = block_at(part, rows["begin"], rows["length"])
        placed = self._placed(rows, low)
        stays = np.ones(len(rows), bool)
        changed: dict[int, bytes] = {}
        for at, drop in zip((drops["place"] - np.uint64(low)).tolist(), drops, strict=True):
            if drop["kind"] in LEFT_OUT:
                stays[at] = False
            else:
                line = block.at(slice(at, at + 1)).lines()[0]
                changed[at] = rewritten(self.target, line, drop, self.job.vendor, self.job.settings)
                placed["msgid"][at] = drop["msgid"] or placed["msgid"][at]
        if changed:
            block = _with(block, changed)
        if not stays.all():
            placed, block = placed[stays], block.at(stays)
        if len(placed):
            placed["talk"] = block.talks(self.hash)
            self.runs.write_block(placed, block)

    def _placed(self, rows: Array, low: int) -> Array:
        """Rows for the sort, whose records are counted in the whole file."""
        placed = np.empty(len(rows), PLACED)
        for name in ("time", "msgid", "line", "offset", "file"):
            placed[name] = rows[name]
        files, where = np.unique(rows["file"], return_inverse=True)
        bases = [self.job.bases.get((self.job.segment, int(file)), 0) for file in files]
        placed["line"] += np.array(bases, np.uint64)[where]
        placed["place"] = np.arange(low, low + len(rows), dtype=np.uint64)
        return placed


def _with(block: Block, changed: dict[int, bytes]) -> Block:
    """The block with other lines in these places, which lie behind all others."""
    news = block_of(list(changed.values()))
    both, places = blocks_joined([block, news]), np.fromiter(changed, np.int64)
    begins, lengths = both.begins[: len(block.begins)].copy(), both.lengths[: len(block.begins)].copy()
    begins[places], lengths[places] = both.begins[len(block.begins) :], news.lengths
    return Block(both.data, begins, lengths)
