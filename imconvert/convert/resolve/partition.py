"""Find the lines that share a key, and decide which of them stays.

Strategy: the hash space is cut into partitions of about BUDGET rows; a partition gathers its slice of every sorted
run, in input order, and is sorted once in memory. What is left after the first of equals are drops, told apart by
the digest of their content. A partition that is too big (one key many times) is taken in turns: what stays of a
turn joins the next.
Promise: exact. Equal hashes are confirmed on the real keys before anything is dropped; input order decides, never
the order of work. Memory is a few times BUDGET rows of 32 bytes, whatever the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from imconvert import durable
from imconvert.convert.map.part import in_order
from imconvert.convert.resolve.lines import LineReader
from imconvert.convert.work import (
    BUCKETS,
    CONFLICT,
    DROP,
    DUPLICATE,
    KEY,
    Array,
    FileSum,
    WorkFolder,
    read_rows,
    rows_at,
    together,
)
from imconvert.vendors import TARGETS

BUDGET = 1 << 19
"""Rows that a partition is sized for: 16 MiB of keys."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file of sorted runs with its bucket counts; `runs` are the rows of each run."""

    path: Path
    buckets: Path
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ResolveJob:
    """What a worker needs for one partition: buckets [first, stop) of all key files, in input order.

    `last_wins` keeps the last of equals instead of the first. `without` is a file of DROP rows whose lines got a new
    message number in an earlier round: their old keys don't count, the new ones are in `later` and come after all
    others. `renumbered` is a file of DROP rows whose lines have other message numbers than their keys say. `confirm`
    is off where no lines were kept. `own_keys` as in the source's `Vendor`.
    """

    work: Path
    target: str
    partition: int
    first: int
    stop: int
    files: tuple[KeyFile, ...]
    last_wins: bool = False
    without: Path | None = None
    later: KeyFile | None = None
    renumbered: Path | None = None
    confirm: bool = True
    own_keys: bool = False
    budget: int = BUDGET


def partitions(rows: int, budget: int = BUDGET) -> list[tuple[int, int]]:
    """Bucket ranges that hold about `budget` of `rows` rows each."""
    wanted = 1
    while wanted < BUCKETS and wanted * budget < rows:
        wanted *= 2
    step = BUCKETS // wanted
    return [(first, first + step) for first in range(0, BUCKETS, step)]


def resolve_partition(job: ResolveJob, progress: Callable[[int], None]) -> FileSum:
    """Write the drops of one partition, sorted by place, to its drops file; gives the file's sum."""
    drops = find_drops(job, _runs(job), progress)
    writer = durable.Writer(WorkFolder(job.work).partition(job.partition))
    writer.write(drops.tobytes())
    writer.finish()
    return FileSum(writer.size, writer.digest)


def find_drops(job: ResolveJob, runs: Iterable[Array], progress: Callable[[int], None]) -> Array:
    """The drops of a partition, sorted by place, from its rows in order of preference, as `preferred` gives them."""
    kept = np.empty(0, KEY)
    found: list[Array] = [np.empty(0, DROP)]
    changed = numbers_by_place(job.renumbered) | numbers_by_place(job.without)
    with LineReader(WorkFolder(job.work), TARGETS[job.target], changed, own_keys=job.own_keys) as reader:
        for chunk in gathered(runs, 2 * job.budget):
            rows = together([kept, chunk] if len(kept) else [chunk], KEY)
            kept, drops = first_of_equals(rows, reader if job.confirm else None)
            found.append(drops)
            progress(len(chunk))
    drops = _with_numbers(np.concatenate(found), job.renumbered)
    return drops[np.argsort(drops["place"], kind="stable")]


def numbers_by_place(path: Path | None) -> dict[int, int]:
    """The new message numbers in a file of DROP rows, by place; none without a file."""
    if path is None:
        return {}
    rows = read_rows(path, DROP)
    return dict(zip(rows["place"].tolist(), rows["msgid"].tolist(), strict=True))


_ODD = np.uint64(0x9E3779B97F4A7C15)


def told_apart(rows: Array, changed: Array) -> Array:
    """KEY rows in which the lines with new numbers no longer have the keys of those who keep the old ones.

    `changed` are DROP rows sorted by place. The new number is mixed into the hash; as nothing else has that number,
    equal hashes still mean equal keys.
    """
    where = np.searchsorted(changed["place"], rows["place"])
    hits = np.flatnonzero(changed["place"][np.minimum(where, len(changed) - 1)] == rows["place"])
    if not len(hits):
        return rows
    rows = rows.copy()
    rows["lo"][hits] ^= changed["msgid"][where[hits]] * _ODD
    return rows


def _with_numbers(drops: Array, renumbered: Path | None) -> Array:
    """The drops, those of renumbered lines with their numbers."""
    if renumbered is None or not len(drops):
        return drops
    changed = read_rows(renumbered, DROP)
    where = np.minimum(np.searchsorted(changed["place"], drops["place"]), len(changed) - 1)
    hits = changed["place"][where] == drops["place"]
    drops["msgid"][hits] = changed["msgid"][where[hits]]
    return drops


def _runs(job: ResolveJob) -> Iterator[Array]:
    """The partition's rows in order of preference."""
    now = preferred(job)
    files = (*job.files, *((job.later,) if job.later else ()))
    runs = [(source, run) for source in files for run in range(len(source.runs))]
    for source, run in reversed(runs) if job.last_wins else runs:
        yield now(slice_of(source, run, job.first, job.stop), new=source is job.later)


class Preferred(Protocol):
    """Gives rows of a run as they count in this round; `new` are the keys that lines got in an earlier round."""

    def __call__(self, rows: Array, *, new: bool) -> Array: ...


def preferred(job: ResolveJob) -> Preferred:
    """What has to be done to rows before they are compared: old keys go, the order is turned where the last wins."""
    without = read_rows(job.without, DROP)["place"] if job.without else None
    changed = read_rows(job.renumbered, DROP) if job.renumbered else None

    def now(rows: Array, *, new: bool) -> Array:
        if without is not None and not new:
            rows = rows[~np.isin(rows["place"], without)]
        if changed is not None and not new:
            rows = told_apart(rows, changed)
        return rows[::-1] if job.last_wins else rows

    return now


def gathered(runs: Iterable[Array], wanted: int) -> Iterator[Array]:
    """Rows one after the other, about `wanted` at a time, or a run where it has more."""
    waiting: list[Array] = []
    size = 0
    for rows in runs:
        waiting.append(rows)
        size += len(rows)
        if size >= wanted:
            yield together(waiting, KEY)
            waiting, size = [], 0
    if waiting:
        yield together(waiting, KEY)


def slice_of(source: KeyFile, run: int, first: int, stop: int) -> Array:
    """Of one run of a file, the rows in buckets [first, stop)."""
    base = sum(source.runs[:run])
    with durable.Reader(source.path) as keys, durable.Reader(source.buckets) as buckets:
        counts = np.frombuffer(buckets.at(run * 4 * (BUCKETS + 1), 4 * (BUCKETS + 1)), "<u4")
        return rows_at(keys, KEY, base + int(counts[first]), base + int(counts[stop]))


def first_of_equals(rows: Array, reader: LineReader | None) -> tuple[Array, Array]:
    """Of rows in order of preference, the first of each key, and DROP rows for the others."""
    order = in_order(rows["hi"])
    hashes = rows["hi"][order]
    same = hashes[1:] == hashes[:-1]
    if not same.any():
        return rows, np.empty(0, DROP)
    in_group = np.zeros(len(rows), bool)
    in_group[1:] = same
    in_group[:-1] |= same
    suspects = order[in_group]  # positions in `rows`, by hash, then by preference
    losers, winners = _paired(rows, suspects)
    if reader:
        losers, winners = reader.confirmed(rows, losers, winners)
    drops = np.zeros(len(losers), DROP)
    drops["place"] = rows["place"][losers]
    drops["winner"] = rows["place"][winners]
    drops["kind"] = np.where(rows["digest"][losers] == rows["digest"][winners], DUPLICATE, CONFLICT)
    stays = np.ones(len(rows), bool)
    stays[losers] = False
    return rows.take(np.flatnonzero(stays)), drops


def _paired(rows: Array, suspects: Array) -> tuple[Array, Array]:
    """Pairs (loser, winner) of positions among the suspects that have the same 128-bit hash."""
    order = np.lexsort((suspects, rows["lo"][suspects], rows["hi"][suspects]))
    suspects = suspects[order]
    hi, lo = rows["hi"][suspects], rows["lo"][suspects]
    opens = np.ones(len(suspects), bool)
    opens[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1])
    leaders = suspects[np.maximum.accumulate(np.where(opens, np.arange(len(suspects)), 0))]
    return suspects[~opens], leaders[~opens]
