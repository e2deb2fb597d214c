"""See that no two source ids get the same derived message number.

Strategy: rows (number, identity, place) lie in sorted runs like the keys. A partition of the number space reduces its
rows to distinct ids, in turns, and leaves all rows of numbers that several ids share; mostly there are none. The
id met first in input order keeps the number; each later one gets the next number derived from it that no line of the
run has. Places decide, never the order of work.
Promise: a source id has one number throughout a run, and a derived number one source id. Ids with the same number are
the same if another 64-bit hash of them is. Memory is a few times BUDGET rows, and the lines whose numbers collide
(about none: among a billion ids there is a collision with a chance of 5 %).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imconvert import durable
from imconvert.convert.resolve.partition import BUDGET, KeyFile, gathered, slice_of
from imconvert.convert.work import DROP, KEY, RENUMBERED, ROW, Array, WorkFolder, read_rows, row_windows, together
from imconvert.model import derived_id

Identity = tuple[int, int, int]
"""A derived number, shifted left by one; of what it was derived from: half a hash of the source id, the part."""


Name = tuple[int, int]
"""Of a source id, half a hash; the part."""

Known = Callable[[set[Name]], dict[Name, int]]


@dataclass(frozen=True, slots=True)
class NumbersJob:
    """What a worker needs for one partition: buckets [first, stop) of all files, in input order."""

    work: Path
    partition: int
    first: int
    stop: int
    files: tuple[KeyFile, ...]
    budget: int = BUDGET


def find_collisions(job: NumbersJob, progress: Callable[[int], None]) -> int:
    """Leave the rows of numbers that several ids share; gives how many there are."""
    shared = find_shared(_runs(job), job.budget)
    found = rows_of(shared, _runs(job)) if len(shared) else np.empty(0, KEY)
    leave_collisions(WorkFolder(job.work).collided(job.partition), found)
    return len(found)


def leave_collisions(path: Path, rows: Array) -> None:
    writer = durable.Writer(path)
    writer.write(rows.tobytes())
    writer.finish()


def _runs(job: NumbersJob) -> Iterator[Array]:
    """The partition's rows."""
    for source in job.files:
        for run in range(len(source.runs)):
            yield slice_of(source, run, job.first, job.stop)


def find_shared(runs: Iterable[Array], budget: int = BUDGET) -> Array:
    """The numbers that more than one id has, sorted."""
    known = np.empty(0, KEY)
    for rows in gathered(runs, budget):
        known = _distinct(together([known, rows], KEY))
    numbers, counts = np.unique(known["hi"], return_counts=True)
    return np.asarray(numbers[counts > 1])


def _distinct(rows: Array) -> Array:
    """A row of each id. Most have a number of their own; only those that share one are compared in all they have."""
    rows = rows.take(np.argsort(np.ascontiguousarray(rows["hi"])))
    same = rows["hi"][1:] == rows["hi"][:-1]
    if not same.any():
        return rows
    equal = np.append(same, False) | np.insert(same, 0, False)
    some = rows[equal]
    _, first = np.unique(some[["hi", "lo", "digest"]], return_index=True)
    return together([rows[~equal], some.take(first)], KEY)


def rows_of(shared: Array, runs: Iterable[Array]) -> Array:
    """The rows with one of these numbers."""
    return np.concatenate([np.empty(0, KEY), *(rows[np.isin(rows["hi"], shared)] for rows in runs)])


def renumbered(
    work: WorkFolder, collided: Sequence[Path], rows: Callable[[], Iterator[Array]], known: Known = lambda names: {}
) -> tuple[int, int]:
    """Write new numbers for the lines of all but the first of ids that share one, as DROP rows.

    `collided` are the files that `find_collisions` left. `rows()` gives all ROW rows of the run, in windows; `known`
    the numbers that ids got before. Gives how many ids got one now, and how many lines have one.
    """
    found = np.concatenate([read_rows(path, KEY) for path in collided])
    found = found[np.argsort(found["place"], kind="stable")]
    identities: list[Identity] = list(zip(*(found[name].tolist() for name in ("hi", "lo", "digest")), strict=True))
    owners: dict[int, Identity] = {}
    later = {one: None for one in identities if owners.setdefault(one[0], one) != one}
    before = known({one[1:] for one in later})
    numbers = _next_numbers([one for one in later if one[1:] not in before], rows)
    new = len(numbers)
    numbers |= {one: before[one[1:]] for one in later if one[1:] in before}
    moved = [row for row, one in enumerate(identities) if one in numbers]
    drops = np.zeros(len(moved), DROP)
    drops["place"] = drops["winner"] = found["place"][moved]
    drops["kind"] = RENUMBERED
    drops["msgid"] = np.array([numbers[identities[row]] for row in moved], np.uint64)
    writer = durable.Writer(work.renumbered)
    writer.write(drops.tobytes())
    writer.finish()
    return new, len(moved)


def _next_numbers(identities: Sequence[Identity], rows: Callable[[], Iterator[Array]]) -> dict[Identity, int]:
    """A number for each identity, the first in the row of those derived from it that nothing else has."""
    salts = dict.fromkeys(identities, 0)
    waiting = list(identities)
    chosen: dict[Identity, int] = {}
    while waiting:
        for one in waiting:
            salts[one] += 1
            chosen[one] = _derived(one, salts[one])
        used = _used(rows, np.array(sorted({chosen[one] for one in waiting}), np.uint64))
        waiting = []
        for one in identities:
            if chosen[one] in used:
                waiting.append(one)
            used.add(chosen[one])
    return chosen


def _derived(identity: Identity, salt: int) -> int:
    return derived_id("again", ":".join(f"{half:x}" for half in (*identity, salt)))


def _used(rows: Callable[[], Iterator[Array]], wanted: Array) -> set[int]:
    """Those of the wanted numbers that some line has."""
    return {number for some in rows() for number in np.intersect1d(some["msgid"], wanted).tolist()}


def all_rows(paths: Sequence[Path]) -> Iterator[Array]:
    """The ROW rows of these files, in windows."""
    for path in paths:
        for _, rows in row_windows(path, ROW):
            yield rows
