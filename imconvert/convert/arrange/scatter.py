"""Bring the lines of one segment into the order of their conversations, run by run.

Strategy: a window of lines that fits the memory loses what was dropped and becomes a run, sorted by the hash of the
conversation, time and place. Where the part has its lines in ranges of that order, and none is to be rewritten, a range
becomes a run whose lines stay in the part.
Promise: what a run holds follows from the segment and what was decided about its lines, from nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from msgspec import Struct
from xxhash import xxh3_64_digest, xxh3_64_intdigest

from imconvert import durable
from imconvert.convert.arrange.runs import PLACED, Runs, windows
from imconvert.convert.blocks import Block, Hash, block_at, block_of, blocks_joined
from imconvert.convert.resolve.drops import Drops
from imconvert.convert.seal.sealer import rewritten
from imconvert.convert.steps import done, there
from imconvert.convert.work import (
    LEFT_OUT,
    ROW,
    Array,
    FileSum,
    WorkFolder,
    marker_bytes,
    place_number,
    row_windows,
    rows_at,
)
from imconvert.vendors import TARGETS

WIDTH = 64
"""Bits of the hash that count."""

NO_TALKS = np.empty(0, "<u8")


@dataclass(frozen=True, slots=True)
class ScatterJob:
    """What a worker needs for one segment. `bits` says for each stream how many buckets it has, as a power of two.

    A run is made of `window` bytes of lines, or of a range of `ranges`; whether lines stay where they are is told for
    each stream by `stay`. `salt` chooses the hash, of which `width` bits count. `bases`, `drops`, `basis`, `vendor` and
    `settings` are as for sealing.
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
    ranges: list[list[int]]
    stay: tuple[bool, ...]
    salt: int = 0
    width: int = WIDTH


class ScatterMarker(Struct):
    """What scattering a segment gave: the number of runs of each stream, and whether their lines are in the part."""

    segment: int
    basis: str
    runs: list[int]
    stay: tuple[bool, ...]
    files: dict[str, FileSum]


def scattered(job: ScatterJob, progress: Callable[[int], None]) -> ScatterMarker:
    """The marker of a scattered segment, taken over or made."""
    path = WorkFolder(job.work).scattered(job.segment, "json")
    return there(done(job.work, path, ScatterMarker, job.basis, partial(scatter_segment, job, progress)), path)


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
    marker = ScatterMarker(job.segment, job.basis, [runs.runs for runs in found], job.stay, sums)
    durable.replace_file(work.scattered(job.segment, "json"), marker_bytes(marker))
    return sum(runs.count for runs in found)


def hash_for(salt: int, width: int) -> Hash:
    """The hash of conversations of that salt; of less than 64 bits only the first `width` count."""
    if width < 64:
        mask = (1 << 64) - (1 << 64 - width)
        return lambda conversation: (xxh3_64_intdigest(conversation, salt) & mask).to_bytes(8)
    return partial(xxh3_64_digest, seed=salt) if salt else xxh3_64_digest


class _Scatter:
    """One stream of a segment."""

    def __init__(self, job: ScatterJob, work: WorkFolder, number: int, stream: str) -> None:
        self.job = job
        self.target = TARGETS[job.target]
        self.low = place_number(job.segment, number, 0)
        self.part = work.part(job.segment, stream)
        self.part_rows = work.part(job.segment, f"{stream}.rows")
        self.talks = work.part(job.segment, f"{stream}.talks")
        self.ranges = job.ranges[number] if job.ranges else []
        self.stays = job.stay[number]
        self.runs = Runs(lambda suffix: work.scattered(job.segment, f"{stream}{suffix}"), job.bits[number])
        self.hash = hash_for(job.salt, job.width)

    def run(self, drops: Drops, progress: Callable[[int], None]) -> None:
        with durable.Reader(self.part) as part:
            for rows, places, talks in self._windows():
                here = drops.between(int(places.min()), int(places.max()) + 1)
                placed = self._placed(rows, places)
                if self.stays:
                    placed["talk"] = talks
                    self._stay(placed[np.isin(places, here["place"], invert=True)] if len(here) else placed)
                else:
                    self._move(part, placed, here)
                progress(int(rows["length"].sum()) + len(rows))

    def _windows(self) -> Iterator[tuple[Array, Array, Array]]:
        """Rows of lines that lie one behind the other, their places, and the hashes of their conversations if known."""
        if not self.ranges:
            for first, rows in row_windows(self.part_rows, ROW):
                for start, stop in windows(rows["begin"], rows["length"], self.job.window):
                    places = np.arange(first + start, first + stop, dtype=np.uint64) + np.uint64(self.low)
                    yield rows[start:stop], places, NO_TALKS
            return
        first = 0
        with durable.Reader(self.part_rows) as rows_file, durable.Reader(self.talks) as talks_file:
            for count in self.ranges:
                rows, talks = (
                    rows_at(file, kind, first, first + count)
                    for file, kind in ((rows_file, ROW), (talks_file, NO_TALKS.dtype))
                )
                order = np.argsort(rows["begin"])
                yield rows.take(order), order.astype(np.uint64) + np.uint64(self.low + first), talks[order]
                first += count

    def _stay(self, placed: Array) -> None:
        if len(placed):
            self.runs.write_rows(placed)

    def _move(self, part: durable.Reader, placed: Array, drops: Array) -> None:
        block = block_at(part, placed["begin"], placed["length"])
        stays = np.ones(len(placed), bool)
        changed: dict[int, bytes] = {}
        by_place = np.argsort(placed["place"])
        where = by_place[(drops["place"] - placed["place"].min()).astype(np.int64)]
        for at, drop in zip(where.tolist(), drops, strict=True):
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

    def _placed(self, rows: Array, places: Array) -> Array:
        """Rows for the sort, whose records are counted in the whole file."""
        placed = np.empty(len(rows), PLACED)
        for name in ("time", "msgid", "line", "offset", "file", "begin", "length"):
            placed[name] = rows[name]
        first, last = int(rows["file"].min()), int(rows["file"].max())
        bases = [self.job.bases.get((self.job.segment, file), 0) for file in range(first, last + 1)]
        placed["line"] += np.array(bases, np.uint64)[rows["file"] - first]
        placed["place"] = places
        return placed


def _with(block: Block, changed: dict[int, bytes]) -> Block:
    """The block with other lines in these places, which lie behind all others."""
    news = block_of(list(changed.values()))
    both, places = blocks_joined([block, news]), np.fromiter(changed, np.int64)
    begins, lengths = both.begins[: len(block.begins)].copy(), both.lengths[: len(block.begins)].copy()
    begins[places], lengths[places] = both.begins[len(block.begins) :], news.lengths
    return Block(both.data, begins, lengths)
