"""Bring keys together on Apache Spark: the two exchanges that `shuffle` stands between.

Strategy: files of keys leave as blocks, sorted on their way to the partitions; drops go on, sorted, to the tasks that
write the lists of some segments each.
Promise: rows of keys and drops go from machine to machine, never through the driver; it learns sums and counts. Lines
that get new ids (`rekey`) are the exception: their places are collected, for the driver derives the ids.
Cost: 32 bytes a line once over the network, and 32 bytes a drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pyspark import Broadcast, SparkContext
from pyspark.rdd import RDD

from imconvert.convert.options import Options
from imconvert.convert.pool import Engine
from imconvert.convert.ports import Watcher
from imconvert.convert.resolve import drops, numbers
from imconvert.convert.resolve.keys import Keys
from imconvert.convert.resolve.partition import ResolveJob
from imconvert.convert.run import Engines
from imconvert.convert.spark import shuffle
from imconvert.convert.spark.distributed import Done, Failed, Spark, Turn, answered
from imconvert.convert.spark.shuffle import Block, Share, Source
from imconvert.convert.work import KEY, Decided, PartMarker, WorkFolder, place_number

SENT = 1 << 23
WORTH = 1 << 16
"""Rows of keys for each task that sends them (256 MiB); rows for which it is worth to give a core a task."""

Blocks = Iterable[tuple[Block, bytes]]


class Decision(NamedTuple):
    """What the tasks that decide have in common; from file `new` on keys are those of an earlier round; `groups` tasks
    write the lists of `segments` segments."""

    turn: Turn
    job: ResolveJob
    new: int
    groups: int
    segments: int


@dataclass(frozen=True, slots=True)
class MergeJob:
    """What a worker needs to bring lists together that have drops of one segment."""

    work: Path
    segment: int
    sources: tuple[Path, ...]


def merge_segment(job: MergeJob, progress: Any) -> Decided:
    """Write the list of a segment."""
    low, high = (place_number(job.segment + more, 0, 0) for more in (0, 1))
    return drops.merge(job.sources, WorkFolder(job.work).drops_of(job.segment), low, high)


class SharedKeys:
    """Keys that Spark brings together."""

    def __init__(self, spark: Spark, work: WorkFolder) -> None:
        self.spark = spark
        self.work = work
        self.segments: list[int] = []

    def collisions(self, parts: Sequence[PartMarker]) -> list[Path]:
        """As in `Keys`; the exchange is kept, and read again only if there is something to find."""
        sources = self._sources([(part, part.numbers) for part in parts], "numbers.keys")
        blocks = self._sorted(sources)
        found = dict(self.spark.collect(blocks.mapPartitionsWithIndex(shared_numbers)))
        if not found:
            return []
        shared = self.spark.context.broadcast((self.spark.turn(), found))
        answers = self.spark.collect(blocks.mapPartitionsWithIndex(partial(leave_shared, shared)))
        return [self.work.collided(self.spark.result(answer)) for answer in answers]

    def decide(self, parts: Sequence[PartMarker], job: ResolveJob) -> Decided:
        """As in `Keys`; leaves a list for each segment."""
        self.segments = [part.segment for part in parts]
        sources = self._sources([(part, part.runs) for part in parts], "keys")
        new = len(sources)
        later = [Source(new, job.later.path, job.later.runs)] if job.later else []
        groups = min(len(parts), self._tasks(sum(sum(part.runs) for part in parts)))
        decision = self.spark.context.broadcast(Decision(self.spark.turn(), job, new, groups, len(parts)))
        blocks = self._sorted(sources, later, ascending=not job.last_wins)
        shares = blocks.mapPartitionsWithIndex(partial(decided, decision))
        lists = shares.repartitionAndSortWithinPartitions(groups, partial(group_of, groups, len(parts)))
        return self._joined(self.spark.collect(lists.mapPartitionsWithIndex(partial(listed, decision))))

    def merge(self, more: Sequence[Path], own: dict[int, list[Path]]) -> Decided:
        """As in `Keys`; a task a segment."""
        jobs = [
            MergeJob(self.work.path, segment, (self.work.resolved_of(segment), *more, *own.get(segment, ())))
            for segment in self.segments
        ]
        return _sum([found for _, found in sorted(self.spark.run(merge_segment, jobs), key=itemgetter(0))])

    def _sources(self, runs: Sequence[tuple[PartMarker, list[int]]], name: str) -> list[Source]:
        """The files of keys of all parts that have any."""
        filled = [(part, found, self.work.part(part.segment, name)) for part, found in runs if found]
        return [
            Source(number, path, tuple(found), part.files[path.name].digest)
            for number, (part, found, path) in enumerate(filled)
        ]

    def _sorted(
        self, sources: Sequence[Source], later: Sequence[Source] = (), *, ascending: bool = True
    ) -> RDD[tuple[Block, bytes]]:
        """The blocks of these files, by partition, sorted; `later` ones share no block with others."""
        rows = sum(sum(source.runs) for source in (*sources, *later))
        bits = shuffle.bits_for(rows, self.spark.cores)
        senders = shuffle.chunks(sources, max(self._tasks(rows), rows // SENT))
        senders += [[source] for source in later]
        blocks = self.spark.context.parallelize(senders, max(1, len(senders))).flatMap(partial(sent, bits))
        return blocks.repartitionAndSortWithinPartitions(1 << bits, itemgetter(0), ascending)

    def _tasks(self, rows: int) -> int:
        """How many tasks it takes to keep all cores busy, if that is worth it."""
        return max(1, min(2 * self.spark.cores, rows // WORTH))

    def _joined(self, answers: list[tuple[int, Done | Failed]]) -> Decided:
        return _sum([self.spark.result(answer) for _, answer in sorted(answers, key=itemgetter(0))])


def _sum(found: Sequence[Decided]) -> Decided:
    files = {name: each for some in found for name, each in some.files.items()}
    return Decided(files, {owner: kinds for some in found for owner, kinds in some.kinds.items()})


def sent(bits: int, sources: list[Source]) -> Iterator[tuple[Block, bytes]]:
    return shuffle.blocks(sources, bits)


def shared_numbers(partition: int, blocks: Blocks) -> Iterator[tuple[int, list[int]]]:
    """The numbers of a partition that several ids share, if there are any."""
    found = numbers.find_shared((np.frombuffer(data, KEY) for _, data in blocks), shuffle.ROWS)
    if len(found):
        yield partition, found.tolist()


def leave_shared(
    shared: Broadcast[tuple[Turn, dict[int, list[int]]]], partition: int, blocks: Blocks
) -> Iterator[Done | Failed]:
    """Leave the rows of the numbers that several ids share; answers the number of the partition."""
    turn, found = shared.value
    if partition not in found:
        return

    def leave() -> int:
        wanted = np.array(found[partition], np.uint64)
        rows = numbers.rows_of(wanted, (np.frombuffer(data, KEY) for _, data in blocks))
        numbers.leave_collisions(WorkFolder(turn.work).collided(partition), rows)
        return partition

    yield answered(turn, leave)


def decided(decision: Broadcast[Decision], partition: int, blocks: Blocks) -> Iterator[tuple[Share, bytes]]:
    found = decision.value
    return shuffle.found_drops(found.job, partition, blocks, found.new)


def group_of(groups: int, segments: int, share: Share) -> int:
    """Which task writes the list of a segment: each has segments that follow one another."""
    return int(share.segment * groups // segments)


def listed(
    decision: Broadcast[Decision], group: int, shares: Iterable[tuple[Share, bytes]]
) -> Iterator[tuple[int, Done | Failed]]:
    """Write the lists of a group of segments."""
    turn, _, _, groups, segments = decision.value
    mine = range(-(-group * segments // groups), -(-(group + 1) * segments // groups))
    yield group, answered(turn, partial(shuffle.write_lists, WorkFolder(turn.work), mine, shares))


def on_spark(context: SparkContext) -> Engines:
    """Tasks of this context, and keys that it brings together."""

    def engines(options: Options, work: WorkFolder, watch: Watcher) -> tuple[Engine, Keys]:
        spark = Spark(context, work.path, watch.tick)
        return spark, SharedKeys(spark, work)

    return engines
