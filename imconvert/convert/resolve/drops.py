"""The lines that are not written as they are, in lists sorted by place.

Strategy: each partition leaves its drops sorted; they are merged by ranges of places, a range being halved until
its drops fit the budget. Memory is fixed, however many lines are dropped. A line may be recalled as well as something
else: left out is left out, and a new number stays with a tombstone. How many there are of each kind is counted on the
way, for each stream of each segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from imconvert import durable
from imconvert.convert.work import (
    DROP,
    KINDS,
    MARKED,
    MARKED_REKEYED,
    MARKED_RENUMBERED,
    RECALLED,
    REKEYED,
    RENUMBERED,
    STREAM_SHIFT,
    Array,
    Decided,
    FileSum,
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


def every(paths: Iterable[Path]) -> Iterator[Array]:
    """The drops of whole lists, one after the other, some at a time."""
    for path in paths:
        with durable.Reader(path) as reader:
            yield from Drops(reader).windows(*EVERY_PLACE)


def left(rows: Array, lists: Iterable[Path]) -> Array:
    """Of drops, those about whose lines the lists say nothing."""
    stays = np.ones(len(rows), bool)
    for window in every(lists):
        stays &= ~np.isin(rows["place"], window["place"])
    return rows[stays]


def merge(sources: Sequence[Path], target: Path, low: int = EVERY_PLACE[0], high: int = EVERY_PLACE[1]) -> Decided:
    """Bring the drops that lists hold of places in [low, high) into one list; of equal places the first list counts."""
    writer = durable.Writer(target)
    kinds: dict[int, list[int]] = {}
    for rows in _ranges(sources, low, high):
        writer.write(rows.tobytes())
        count(rows, kinds)
    writer.finish()
    return Decided({target.name: FileSum(writer.size, writer.digest)}, kinds)


def count(rows: Array, into: dict[int, list[int]]) -> None:
    """Add drops, sorted by place, to how many each stream of a segment has of each kind."""
    for owner, some in by_owner(rows, STREAM_SHIFT):
        before = into.get(owner, [0] * KINDS)
        into[owner] = (np.bincount(some["kind"].astype(np.int64), minlength=KINDS) + before).tolist()


def by_owner(rows: Array, shift: int) -> Iterator[tuple[int, Array]]:
    """Drops, sorted by place, of each segment or stream: what a place is without its last bits."""
    owners = rows["place"] >> np.uint64(shift)
    first = np.flatnonzero(np.append(owners[:1] == owners[:1], owners[1:] != owners[:-1]))
    stops = [*first[1:].tolist(), len(rows)]
    for owner, start, stop in zip(owners[first].tolist(), first.tolist(), stops, strict=False):
        yield owner, rows[start:stop]


def _ranges(sources: Sequence[Path], low: int, high: int) -> Iterator[Array]:
    total = sum(_count(path, low, high) for path in sources)
    if total > BUDGET and high - low > 1:
        middle = (low + high) // 2
        yield from _ranges(sources, low, middle)
        yield from _ranges(sources, middle, high)
    elif total:
        rows = np.concatenate([_between(path, low, high) for path in sources])
        yield _one_each(rows[np.argsort(rows["place"], kind="stable")])


_TOMBSTONE_OF = {REKEYED: MARKED_REKEYED, RENUMBERED: MARKED_RENUMBERED}


def _one_each(rows: Array) -> Array:
    """One drop for each place, of rows sorted by place, and at equal places by list: recalls come last."""
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


def _count(path: Path, low: int, high: int) -> int:
    with durable.Reader(path) as reader:
        drops = Drops(reader)
        return drops.bound(high) - drops.bound(low)


def _between(path: Path, low: int, high: int) -> Array:
    with durable.Reader(path) as reader:
        return Drops(reader).between(low, high)
