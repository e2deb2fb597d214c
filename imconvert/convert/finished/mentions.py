"""Find the ids that shards mention and that none of them makes: an external sort of hashes, with their places.

Strategy: a worker reads a shard, adds up what it mentions in a table that fits the memory, and leaves it as sorted runs
whenever it is full. The hash space is cut into partitions; each gathers its slice of every run, is sorted once, and
leaves the ids that are needed but made nowhere, each with how often and the first place. Their names are read back from
these places.
Promise: memory does not grow with ids or lines; the same shards give the same list. Ids are compared by 128 bits of
hash, as `check` does, and the names that are told by the lines themselves.
Cost: 56 bytes of scratch for an id and run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
from xxhash import xxh3_128_digest

from imconvert import durable
from imconvert.convert.map.part import bucket_counts, in_order
from imconvert.convert.work import BUCKETS, Array, row_windows, rows_at
from imconvert.vendors import BY_NAME
from imconvert.vendors.people.mentions import GROUP, Mention, MentionsOf

MENTION = np.dtype(
    [
        ("hi", "<u8"),
        ("lo", "<u8"),
        ("line", "<u8"),
        ("offset", "<u8"),
        ("count", "<u8"),
        ("length", "<u4"),
        ("shard", "<u4"),
        ("makes", "<u8"),
    ]
)
"""Of one id in one run: xxh3-128 of its kind and itself; the first line (from 0) of its shard that needs it, with its
offset and length, the shard's number, and how many need it; how many make it."""

MOST_IDS = 1 << 18
PARTITION = 1 << 19
"""Ids in the table of a worker; rows that a partition is sized for."""


@dataclass(frozen=True, slots=True)
class ShardJob:
    """What a worker needs for one shard. `target` is whose lines they are; `groups` gives group ids other names."""

    work: Path
    number: int
    path: Path
    target: str
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        return self.work / f"mentions-{self.number:05}"

    @property
    def buckets(self) -> Path:
        return self.work / f"mentions-{self.number:05}.buckets"


def hash_of(kind: str, id: str) -> bytes:
    """The 16 bytes by which an id is known."""
    return xxh3_128_digest(f"{kind}\0{id}".encode())


def finder(job: ShardJob) -> MentionsOf:
    """The function that finds the mentions in a line of the shard."""
    of = BY_NAME[job.target].mentions
    assert of is not None
    groups = job.groups
    if not groups:
        return of
    return lambda line: [
        Mention(kind, groups.get(id, id) if kind == GROUP else id, makes) for kind, id, makes in of(line)
    ]


def located(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """The lines of a shard, each with its number from 0 and its offset."""
    offset = 0
    for number, line in enumerate(durable.lines_of(path)):
        yield number, offset, line
        offset += len(line) + 1


class _Table:
    """The ids of a shard since the last run: [needed, makes, line, offset, length]."""

    def __init__(self, job: ShardJob) -> None:
        self.job = job
        self.rows: dict[bytes, list[int]] = {}
        self.writer, self.bounds = durable.Writer(job.runs), durable.Writer(job.buckets)
        self.runs: list[int] = []

    def add(self, mention: Mention, line: int, offset: int, length: int) -> None:
        name = hash_of(mention.kind, mention.id)
        row = self.rows.get(name)
        if row is None:
            row = self.rows[name] = [0, 0, 0, 0, 0]
        if mention.makes:
            row[1] += 1
            return
        if not row[0]:
            row[2:] = line, offset, length
        row[0] += 1

    def flush(self) -> None:
        if not self.rows:
            return
        found = np.zeros(len(self.rows), MENTION)
        hashes = np.frombuffer(b"".join(self.rows), "<u8").reshape(-1, 2)
        found["hi"], found["lo"] = hashes[:, 0], hashes[:, 1]
        for name, column in zip(("count", "makes", "line", "offset", "length"), zip(*self.rows.values(), strict=True),
                                strict=True):  # fmt: skip
            found[name] = column
        found["shard"] = self.job.number
        found = found[in_order(found["hi"])]
        self.writer.write(found.tobytes())
        self.bounds.write(bucket_counts(found["hi"]).tobytes())
        self.runs.append(len(found))
        self.rows = {}

    def finish(self) -> list[int]:
        self.flush()
        self.writer.finish()
        self.bounds.finish()
        return self.runs


def scan(job: ShardJob, progress: Callable[[int], None]) -> list[int]:
    """Leave what a shard mentions as sorted runs; gives their rows."""
    find, table = finder(job), _Table(job)
    waiting = 0
    for number, offset, line in located(job.path):
        for mention in find(line):
            table.add(mention, number, offset, len(line))
        if len(table.rows) >= MOST_IDS:
            table.flush()
        waiting += len(line) + 1
        if waiting >= durable.BLOCK:
            progress(waiting)
            waiting = 0
    progress(waiting)
    return table.finish()


@dataclass(frozen=True, slots=True)
class PartitionJob:
    """What a worker needs for one partition: buckets [first, stop) of all shards' runs."""

    work: Path
    number: int
    first: int
    stop: int
    shards: tuple[tuple[ShardJob, tuple[int, ...]], ...]

    @property
    def missing(self) -> Path:
        return self.work / f"missing-{self.number:05}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a partition holds: ids that are made, ids that are needed, and those of them that nobody makes."""

    made: int
    needed: int
    missing: int


def settle(job: PartitionJob, progress: Callable[[int], None]) -> Found:
    """Leave the MENTION rows of the ids that are needed and made nowhere, in order of their first places."""
    rows = np.concatenate([np.empty(0, MENTION), *_slices(job)])
    rows = rows[np.lexsort((rows["line"], rows["shard"], rows["count"] == 0, rows["lo"], rows["hi"]))]
    opens = np.ones(len(rows), bool)
    opens[1:] = (rows["hi"][1:] != rows["hi"][:-1]) | (rows["lo"][1:] != rows["lo"][:-1])
    starts = np.flatnonzero(opens)
    firsts = rows[starts].copy()
    if len(starts):
        firsts["count"] = np.add.reduceat(rows["count"], starts)
        firsts["makes"] = np.add.reduceat(rows["makes"], starts)
    missing = firsts[(firsts["makes"] == 0) & (firsts["count"] > 0)]
    missing = missing[np.lexsort((missing["line"], missing["shard"]))]
    writer = durable.Writer(job.missing)
    writer.write(missing.tobytes())
    writer.finish()
    progress(len(rows))
    made, needed = int((firsts["makes"] > 0).sum()), int((firsts["count"] > 0).sum())
    return Found(made, needed, len(missing))


def _slices(job: PartitionJob) -> Iterator[Array]:
    for shard, runs in job.shards:
        with durable.Reader(shard.runs) as rows, durable.Reader(shard.buckets) as buckets:
            base = 0
            for number, count in enumerate(runs):
                bounds = np.frombuffer(buckets.at(number * 4 * (BUCKETS + 1), 4 * (BUCKETS + 1)), "<u4")
                yield rows_at(rows, MENTION, base + int(bounds[job.first]), base + int(bounds[job.stop]))
                base += count


def named(job: PartitionJob) -> Iterator[tuple[Mention, int, int, int]]:
    """The missing ids of a partition: how often each is needed, and in which shard and line (from 0) first."""
    shards = {shard.number: shard for shard, _ in job.shards}
    for _, rows in row_windows(job.missing, MENTION):
        for number, some in groupby(rows, key=itemgetter("shard")):
            shard, find = shards[int(number)], finder(shards[int(number)])
            with durable.Reader(shard.path) as reader:
                for row in some:
                    line = reader.at(int(row["offset"]), int(row["length"]))
                    name = row["hi"].tobytes() + row["lo"].tobytes()
                    found = next(one for one in find(line) if hash_of(one.kind, one.id) == name)
                    yield found, int(row["count"]), shard.number, int(row["line"])


def missing_hashes(jobs: list[PartitionJob]) -> Array:
    """The first halves of the hashes of all missing ids, sorted."""
    found = [rows["hi"] for job in jobs for _, rows in row_windows(job.missing, MENTION)]
    return np.sort(np.concatenate([np.empty(0, "<u8"), *found]))
