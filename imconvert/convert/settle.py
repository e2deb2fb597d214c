"""Decide about every line of a run: whether it is written, and under which number.

Order: derived numbers that several source ids share, then keys that several lines share, round by round where
conflicts get new ids, then messages that were recalled. All that is decided stands in one file, `drops`; the marker
`resolved.json` comes last and names what it was decided for, so that an interrupted run decides again unless all fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imconvert import durable
from imconvert.convert import drops, numbers, recalls
from imconvert.convert.drops import Drops
from imconvert.convert.numbers import Known, NumbersJob, find_collisions
from imconvert.convert.options import Options
from imconvert.convert.pool import Pool
from imconvert.convert.recalls import CHUNK, POLICIES, RecallJob, find_recalled
from imconvert.convert.rekey import Rekeyed
from imconvert.convert.resolve import KeyFile, ResolveJob, partitions, resolve_partition
from imconvert.convert.work import (
    CONFLICT,
    DROP,
    RECALL,
    Array,
    FileSum,
    PartMarker,
    RecallFacts,
    Resolved,
    WorkFolder,
    marker_bytes,
    read_rows,
)
from imconvert.vendors.contract import Target

Phase = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Settler:
    """The parts of a run on which deciding depends. `phase` is told what begins, with how many keys; `own_keys` as in
    the source's `Vendor`; `known` gives the numbers that source ids have in a finished output."""

    work: WorkFolder
    options: Options
    target: Target
    pool: Pool
    phase: Phase
    own_keys: bool = False
    known: Known = lambda names: {}

    def settle(self, parts: list[PartMarker], basis: str) -> None:
        """Leave `drops`, and the marker for `basis`; nothing to do where both are there and whole."""
        if self.work.read_resolved(basis):
            return
        rows = sum(sum(part.runs) for part in parts)
        self.phase("resolve", rows + sum(sum(part.numbers) for part in parts))
        collided, moved = self._number(parts)
        changed = self.work.renumbered if moved else None
        merged, count = self._resolve(parts, partitions(rows), changed)
        facts = None
        if self.options.recalls != "keep":
            merged, facts = self._recall(parts, merged, count)
        resolved = Resolved(basis, {self.work.drops.name: merged}, collided, facts)
        durable.replace_file(self.work.resolved, marker_bytes(resolved))

    def _run(self, function: Callable[..., Any], jobs: Sequence[Any]) -> list[Any]:
        """The results of all jobs, in their order."""
        return [result for _, result in sorted(self.pool.run(function, jobs))]

    def _number(self, parts: list[PartMarker]) -> tuple[int, int]:
        """See that derived numbers are unique; gives how many ids got another one, and how many lines have such."""
        count = sum(sum(part.numbers) for part in parts)
        if not count:
            return 0, 0
        files = tuple(self._key_file(part.segment, "numbers.", part.numbers) for part in parts if part.numbers)
        jobs = [
            NumbersJob(self.work.path, number, first, stop, files)
            for number, (first, stop) in enumerate(partitions(count))
        ]
        if not sum(self._run(find_collisions, jobs)):
            return 0, 0
        return numbers.renumbered(self.work, len(jobs), lambda: self._rows(parts), self.known)

    def _rows(self, parts: list[PartMarker]) -> Iterator[Array]:
        """All rows of a run; parts that stand in for finished shards have them, too."""
        paths = [self.work.part(part.segment, f"{stream}.rows") for part in parts for stream in self.target.streams]
        return numbers.all_rows([path for path in paths if durable.exists(path)])

    def _key_file(self, segment: int, prefix: str, runs: Sequence[int]) -> KeyFile:
        keys, buckets = (self.work.part(segment, f"{prefix}{name}") for name in ("keys", "buckets"))
        return KeyFile(keys, buckets, tuple(runs))

    def _resolve(
        self, parts: list[PartMarker], ranges: list[tuple[int, int]], changed: Path | None
    ) -> tuple[FileSum, int]:
        """Decide about lines with equal keys; rounds go on until no line that got a new id is in conflict.

        Gives the sum of `drops`, and of how many partitions it was made.
        """
        files = tuple(self._key_file(part.segment, "", part.runs) for part in parts)
        rekeyed = Rekeyed(self.work, self.target, changed, own_keys=self.own_keys)
        merged = self._round(files, ranges, rekeyed, changed)
        while self.options.on_conflict == "rekey" and rekeyed.again(self._conflicts()):
            merged = self._round(files, ranges, rekeyed, changed)
        more = rekeyed.leave(len(ranges))
        if changed:
            more += self._leave_renumbered(changed, len(ranges) + more, rekeyed)
        return drops.merge(self.work, len(ranges) + more) if more else merged, len(ranges) + more

    def _recall(self, parts: list[PartMarker], merged: FileSum, count: int) -> tuple[FileSum, RecallFacts]:
        """Find the lines that were recalled; their drops become partitions from `count` on."""
        talks = self.options.keep_lines
        met, since = np.zeros(self._gather(parts), bool), self._earlier()
        before = count
        for base in range(0, len(met), CHUNK):
            stop = min(len(met), base + CHUNK)
            jobs = [
                RecallJob(self.work.path, self.target.name, part.segment, base, stop, count + number,
                          POLICIES[self.options.recalls], talks)
                for number, part in enumerate(part for part in parts if sum(part.rows))
            ]  # fmt: skip
            for events in self._run(find_recalled, jobs):
                met[events] = True
            count += len(jobs)
        found = recalls.tally(self.work, met, since, talks=talks)
        if count > before:
            merged = drops.merge(self.work, count)
        return merged, RecallFacts(found.events, found.without, self._place(found.first))

    def _gather(self, parts: list[PartMarker]) -> int:
        """Bring all recall events into one file, those of a finished output first; gives how many there are."""
        sources = [self.work.part(part.segment, "recalls") for part in parts if part.recalls]
        earlier = [self.work.earlier_recalls] if self._earlier() else []
        _, size, _ = durable.join_files(self.work.recalls, [*earlier, *sources])
        return size // RECALL.itemsize

    def _earlier(self) -> int:
        """How many events come from a finished output."""
        return (durable.size_of(self.work.earlier_recalls) or 0) // RECALL.itemsize

    def _place(self, event: int) -> tuple[int, int, int, int] | None:
        if event < 0:
            return None
        row = read_rows(self.work.recalls, RECALL, event, event + 1)[0]
        return int(row["segment"]), int(row["file"]), int(row["line"]), int(row["offset"])

    def _conflicts(self) -> list[int]:
        with durable.Reader(self.work.drops) as reader:
            return [
                place
                for rows in Drops(reader).windows(*drops.EVERY_PLACE)
                for place in rows["place"][rows["kind"] == CONFLICT].tolist()
            ]

    def _leave_renumbered(self, changed: Path, number: int, rekeyed: Rekeyed) -> int:
        """Leave the numbers of lines about which nothing else was decided as partition `number`; gives 1."""
        rows = read_rows(changed, DROP)
        stays = ~np.isin(rows["place"], list(rekeyed.salts))
        with durable.Reader(self.work.drops) as reader:
            for window in Drops(reader).windows(*drops.EVERY_PLACE):
                stays &= ~np.isin(rows["place"], window["place"])
        writer = durable.Writer(self.work.partition(number))
        writer.write(rows[stays].tobytes())
        writer.finish()
        return 1

    def _round(
        self, files: tuple[KeyFile, ...], ranges: list[tuple[int, int]], rekeyed: Rekeyed, changed: Path | None
    ) -> FileSum:
        again = rekeyed.files()
        jobs = [
            ResolveJob(
                work=self.work.path,
                target=self.target.name,
                partition=number,
                first=first,
                stop=stop,
                files=files,
                last_wins=self.options.on_conflict == "keep-last",
                without=again[0] if again else None,
                later=again[1] if again else None,
                renumbered=changed,
                confirm=self.options.keep_lines,
                own_keys=self.own_keys,
            )
            for number, (first, stop) in enumerate(ranges)
        ]
        self._run(resolve_partition, jobs)
        return drops.merge(self.work, len(jobs))
