"""The lines that are not written as they are, in one file sorted by place.

Strategy: each partition leaves its drops sorted; they are merged by ranges of places, a range being halved until
its drops fit the budget. Memory is fixed, however many lines are dropped. A line may be recalled as well as something
else: left out is left out, and a new number stays with a tombstone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from imconvert import durable
from imconvert.convert.work import (
    DROP,
    MARKED,
    MARKED_REKEYED,
    MARKED_RENUMBERED,
    RECALLED,
    REKEYED,
    RENUMBERED,
    Array,
    FileSum,
    WorkFolder,
    rows_at,
)

BUDGET = 1 << 18
"""Drops held in memory at once: 8 MiB."""

EVERY_PLACE = (0, 1 << 64)


class Drops:
    """A file of DROP rows sorted by place, read by ranges of places."""

    def __init__(self, reader: durable.Reader) -> None:
        self.reader = reader
        self.rows = reader.size // DROP.itemsize

    def bound(self, place: int) -> int:
        """How many drops lie below a place."""
        low, high = 0, self.rows
        while low < high:
            middle = (low + high) // 2
            if int(rows_at(self.reader, DROP, middle, middle + 1)["place"][0]) < place:
                low = middle + 1
            else:
                high = middle
        return low

    def between(self, low: int, high: int) -> Array:
        """The drops whose place lies in [low, high)."""
        return rows_at(self.reader, DROP, self.bound(low), self.bound(high))

    def windows(self, low: int, high: int, *, size: int = BUDGET) -> Iterator[Array]:
        """The same, at most `size` at a time."""
        start, stop = self.bound(low), self.bound(high)
        for first in range(start, stop, size):
            yield rows_at(self.reader, DROP, first, min(stop, first + size))


def merge(work: WorkFolder, partitions: int) -> FileSum:
    """Bring the drops of all partitions into one sorted file."""
    writer = durable.Writer(work.drops)
    for rows in _ranges(work, partitions, *EVERY_PLACE):
        writer.write(rows.tobytes())
    writer.finish()
    return FileSum(writer.size, writer.digest)


def _ranges(work: WorkFolder, partitions: int, low: int, high: int) -> Iterator[Array]:
    total = sum(_count(work, number, low, high) for number in range(partitions))
    if total > BUDGET and high - low > 1:
        middle = (low + high) // 2
        yield from _ranges(work, partitions, low, middle)
        yield from _ranges(work, partitions, middle, high)
    elif total:
        rows = np.concatenate([_between(work, number, low, high) for number in range(partitions)])
        yield _one_each(rows[np.argsort(rows["place"], kind="stable")])


_TOMBSTONE_OF = {REKEYED: MARKED_REKEYED, RENUMBERED: MARKED_RENUMBERED}


def _one_each(rows: Array) -> Array:
    """One drop for each place, of rows sorted by place, and at equal places by partition: recalls come last."""
    places = rows["place"]
    first = np.ones(len(rows), bool)
    first[1:] = places[1:] != places[:-1]
    if first.all():
        return rows
    kept = rows[first].copy()
    owner = np.cumsum(first) - 1
    second = ~first
    second[1:] &= first[:-1]
    for row in np.flatnonzero(second).tolist():
        drop, recall = kept[owner[row]], rows[row]
        if drop["kind"] in _TOMBSTONE_OF:
            kept["kind"][owner[row]] = _TOMBSTONE_OF[int(drop["kind"])] if recall["kind"] == MARKED else RECALLED
            kept["winner"][owner[row]] = recall["winner"]
    return kept


def _count(work: WorkFolder, number: int, low: int, high: int) -> int:
    with durable.Reader(work.partition(number)) as reader:
        drops = Drops(reader)
        return drops.bound(high) - drops.bound(low)


def _between(work: WorkFolder, number: int, low: int, high: int) -> Array:
    with durable.Reader(work.partition(number)) as reader:
        return Drops(reader).between(low, high)
