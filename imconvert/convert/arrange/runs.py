"""An external sort: lines go into sorted runs, bucket by bucket, and come back bucket by bucket in order.

Strategy: what fits the memory is sorted by (talk, time, place) and appended to three files as a run: the lines, a row
for each, and where each bucket begins. The first bits of `talk`, a hash, are the bucket, so that in a run the lines of
a bucket lie together. Reading a bucket, slices with too many rows are cut in two at the weighted median of their
middles, found by looking single rows up; rows that are few enough are sorted at once, their lines read piece by piece.
Promise: the order of a bucket follows from its rows alone, not from the runs; memory is bounded whatever it holds.
Cost: the lines once more on the disk, and 64 bytes for each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imconvert import durable
from imconvert.convert.blocks import Block, begins_of, block_at, block_of, blocks_joined
from imconvert.convert.work import Array, rows_at, together

WINDOW_BYTES = 6 << 20
MOST_ROWS = 1 << 17
MOST_OPEN = 24
MOST_BITS = 12
"""Bytes of lines that are ordered at once, few enough for a cache; rows that are sorted at once; open files; the most
buckets, as a power of two."""

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
source record; where it begins in its file of lines; input number; length without the newline. The first three are what
lines are sorted by; no two lines have all of them in common."""

BOUND = np.dtype([("row", "<u8")])
"""Where a bucket begins in a run: the number of its row in its file."""

SUFFIXES = ("", ".rows", ".bounds")


class Runs:
    """Writes runs of one stream: lines, rows and bounds to the files `path(suffix)`. 2 ** `bits` are the buckets."""

    def __init__(self, path: Callable[[str], Path], bits: int) -> None:
        self.lines, self.rows, self.bounds = self.writers = tuple(durable.Writer(path(suffix)) for suffix in SUFFIXES)
        self.bits = bits
        self.runs = self.count = 0

    def write(self, rows: Array, lines: Sequence[bytes]) -> None:
        """Append a run of PLACED rows and their lines, in any order; `begin` and `length` need not be there."""
        self.write_block(rows, block_of(lines))

    def write_block(self, rows: Array, block: Block) -> None:
        """The same for lines in a block."""
        order = in_order(rows)
        rows, block = rows.take(order), block.at(order)
        rows["length"] = block.lengths
        rows["begin"] = begins_of(block.lengths, self.lines.size)
        self.lines.write(block.joined())
        self.write_rows(rows)

    def write_rows(self, rows: Array) -> None:
        """Append a run of PLACED rows that are in order, whose lines lie elsewhere."""
        self._write_bounds(rows["talk"])
        self.rows.write(rows.tobytes())
        self.count += len(rows)
        self.runs += 1

    def _write_bounds(self, talks: Array) -> None:
        buckets = np.arange(1 << self.bits, dtype=np.uint64)
        lowest = buckets << np.uint64(64 - self.bits) if self.bits else buckets
        bounds = np.empty(len(buckets) + 1, BOUND)
        bounds["row"][:-1] = np.searchsorted(talks, lowest) + self.count
        bounds["row"][-1] = self.count + len(talks)
        self.bounds.write(bounds.tobytes())

    def finish(self) -> None:
        for writer in self.writers:
            writer.finish()


class Files:
    """The files of runs, a few of them open; `path(owner, name)` says where one is."""

    def __init__(self, path: Callable[[int, str], Path]) -> None:
        self.path = path
        self.readers: OrderedDict[tuple[int, str], durable.Reader] = OrderedDict()

    def __call__(self, owner: int, name: str) -> durable.Reader:
        found = self.readers.pop((owner, name), None)
        if found is None:
            if len(self.readers) >= MOST_OPEN:
                self.readers.popitem(last=False)[1].close()
            found = durable.Reader(self.path(owner, name))
        self.readers[owner, name] = found
        return found

    def close(self) -> None:
        for reader in self.readers.values():
            reader.close()
        self.readers.clear()


class Slice(NamedTuple):
    """Rows [start, stop) of a file of rows, sorted."""

    owner: int
    start: int
    stop: int


def bucket_rows(bounds: Array, bits: int) -> Array:
    """How many rows each bucket has, by the bounds of all runs of a file."""
    rows = bounds["row"].reshape(-1, (1 << bits) + 1)
    return np.asarray(np.diff(rows, axis=1).sum(axis=0, dtype=np.uint64))


def slices(
    files: Files, name: str, runs: Sequence[tuple[int, int]], bits: int, bucket: int, wide: int = 1
) -> list[Slice]:
    """Where a bucket, or `wide` of them from it on, lies in each run; `runs` are owners with how many they have."""
    found = []
    for owner, count in runs:
        bounds = files(owner, f"{name}.bounds")
        for run in range(count):
            at = run * ((1 << bits) + 1) + bucket
            first, last = rows_at(bounds, BOUND, at, at + wide + 1)["row"][[0, -1]].tolist()
            if first < last:
                found.append(Slice(owner, first, last))
    return found


def in_order(rows: Array, *, placed: bool = False) -> Array:
    """The order of PLACED rows by (talk, time, place); `placed` where those that differ in the place alone follow each
    other in order of it."""
    talks, times, places = rows["talk"], rows["time"], rows["place"]
    if not placed and (places[1:] < places[:-1]).any():
        return np.lexsort((places, times, talks))
    return np.lexsort((times, talks)) if (times[1:] < times[:-1]).any() else np.argsort(talks, kind="stable")


def sorted_lines(files: Files, name: str, some: Sequence[Slice]) -> Iterator[tuple[Array, list[bytes]]]:
    """The PLACED rows and the lines of slices in order, as many at a time as fit the memory."""
    for rows, block in sorted_blocks(files, name, some):
        yield rows, block.lines()


def sorted_blocks(files: Files, name: str, some: Sequence[Slice]) -> Iterator[tuple[Array, Block]]:
    """The same, the lines in a block."""
    for near in ranges(list(some), Look(files, name)):
        yield from _in_order(files, name, near)


def _in_order(files: Files, name: str, near: Sequence[Slice]) -> Iterator[tuple[Array, Block]]:
    """Slices whose rows fit the memory: they are sorted at once, and their lines read as many at a time as fit it."""
    rows = [rows_at(files(one.owner, f"{name}.rows"), PLACED, one.start, one.stop) for one in near]
    edges = [(int(mine["place"].min()), int(mine["place"].max())) for mine in rows]
    found = together(rows, PLACED)
    order = in_order(found, placed=all(one[1] < two[0] for one, two in pairwise(edges)))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    mine = np.split(ranks, np.cumsum([len(one) for one in rows])[:-1])
    found = found.take(order)
    begins = begins_of(found["length"])
    for low, high in windows(begins, found["length"], WINDOW_BYTES, found["talk"]):
        cuts = [np.searchsorted(own, (low, high)).tolist() for own in mine]
        blocks = [
            block_at(files(one.owner, name), own["begin"][start:stop], own["length"][start:stop])
            for one, own, (start, stop) in zip(near, rows, cuts, strict=True)
        ]
        places = np.concatenate([own[start:stop] for own, (start, stop) in zip(mine, cuts, strict=True)]) - low
        turns = np.empty(high - low, np.int64)
        turns[places] = np.arange(high - low)
        yield found[low:high], blocks_joined(blocks).at(turns)


Key = tuple[int, int, int]


class Look:
    """Looks single rows up."""

    def __init__(self, files: Files, name: str) -> None:
        self.files = files
        self.name = f"{name}.rows"

    def row(self, owner: int, number: int) -> Array:
        return rows_at(self.files(owner, self.name), PLACED, number, number + 1)[0]  # type: ignore[no-any-return]

    def key(self, owner: int, number: int) -> Key:
        row = self.row(owner, number)
        return int(row["talk"]), int(row["time"]), int(row["place"])


def ranges(some: list[Slice], look: Look) -> Iterator[list[Slice]]:
    """Sorted slices cut into ranges of keys, in order, none of which has more than MOST_ROWS rows."""
    waiting = [some]
    while waiting:
        near = waiting.pop()
        if sum(one.stop - one.start for one in near) <= MOST_ROWS:
            if near:
                yield near
            continue
        middle = _pivot(near, look)
        cuts = [_below(one, middle, look) for one in near]
        low = [one._replace(stop=cut) for one, cut in zip(near, cuts, strict=True) if cut > one.start]
        high = [one._replace(start=cut) for one, cut in zip(near, cuts, strict=True) if cut < one.stop]
        waiting += [high, low]


def _pivot(some: list[Slice], look: Look) -> Key:
    """The weighted median of the slices' middles: at least about a quarter of all rows lies on either side of it."""
    middles = sorted((look.key(one.owner, (one.start + one.stop) // 2), one.stop - one.start) for one in some)
    half = sum(weight for _, weight in middles) / 2
    seen = accumulate(weight for _, weight in middles)
    return next(key for (key, _), weight in zip(middles, seen, strict=True) if weight > half)


def _below(one: Slice, middle: Key, look: Look) -> int:
    """Where in a slice the first row stands whose key is not lower."""
    low, high = one.start, one.stop
    while low < high:
        at = (low + high) // 2
        if look.key(one.owner, at) < middle:
            low = at + 1
        else:
            high = at
    return low


def windows(begins: Array, lengths: Array, most: int, talks: Array | None = None) -> Iterator[tuple[int, int]]:
    """Ranges of lines that lie one after the other and have together at most `most` bytes, or are one line. They end
    where one of the sorted `talks` ends, unless it alone has more."""
    ends = begins + lengths + np.uint64(1)
    start = 0
    while start < len(begins):
        stop = int(np.searchsorted(ends, begins[start] + np.uint64(most), side="right"))
        stop = max(start + 1, stop)
        if talks is not None and stop < len(begins):
            edge = int(np.searchsorted(talks, talks[stop]))
            stop = edge if edge > start else stop
        yield start, stop
        start = stop
