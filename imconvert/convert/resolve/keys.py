"""Bring the rows of keys together by their hash, and the drops that come of it to where lines are sealed.

Strategy: `Keys` is all that depends on where the rows are: on one machine (`OwnKeys`) each partition reads its slices
of the parts' files, and the lists of all partitions are merged into one.
Promise: whoever brings them together, what is decided about a line is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from imconvert.convert.pool import Engine
from imconvert.convert.resolve import drops
from imconvert.convert.resolve.numbers import NumbersJob, find_collisions
from imconvert.convert.resolve.partition import KeyFile, ResolveJob, partitions, resolve_partition
from imconvert.convert.work import Decided, PartMarker, WorkFolder


class Keys(Protocol):
    """Who brings keys together."""

    def collisions(self, parts: Sequence[PartMarker]) -> list[Path]:
        """Files with the rows of derived numbers that several ids share; none where there are no such rows."""

    def decide(self, parts: Sequence[PartMarker], job: ResolveJob) -> Decided:
        """Find the drops among the keys of the parts; of `job` everything counts but its partition and its files."""

    def merge(self, more: Sequence[Path], own: dict[int, list[Path]]) -> Decided:
        """Add further lists to those of the last `decide`: `more` of any lines, `own` of lines of one segment, which
        come last."""


@dataclass(slots=True)
class OwnKeys:
    """Keys that this machine reads from the files of the parts."""

    work: WorkFolder
    engine: Engine
    lists: list[Path] = field(default_factory=list)

    def collisions(self, parts: Sequence[PartMarker]) -> list[Path]:
        files = tuple(key_file(self.work, part.segment, part.numbers, "numbers.") for part in parts if part.numbers)
        ranges = partitions(sum(sum(part.numbers) for part in parts))
        jobs = [NumbersJob(self.work.path, number, *bounds, files) for number, bounds in enumerate(ranges)]
        found = self._run(find_collisions, jobs)
        return [self.work.collided(number) for number in range(len(jobs))] if sum(found) else []

    def decide(self, parts: Sequence[PartMarker], job: ResolveJob) -> Decided:
        files = tuple(key_file(self.work, part.segment, part.runs) for part in parts)
        ranges = partitions(sum(sum(part.runs) for part in parts))
        self._run(
            resolve_partition,
            [
                replace(job, partition=number, first=first, stop=stop, files=files)
                for number, (first, stop) in enumerate(ranges)
            ],
        )
        self.lists = [self.work.partition(number) for number in range(len(ranges))]
        return self.merge([], {})

    def merge(self, more: Sequence[Path], own: dict[int, list[Path]]) -> Decided:
        last = [path for paths in own.values() for path in paths]
        return drops.merge([*self.lists, *more, *last], self.work.drops)

    def _run(self, function: Callable[..., Any], jobs: Sequence[Any]) -> list[Any]:
        return [result for _, result in self.engine.run(function, jobs)]


def key_file(work: WorkFolder, segment: int, runs: Sequence[int], prefix: str = "") -> KeyFile:
    """The file of keys of a part; `prefix` for another kind of keys."""
    keys, buckets = (work.part(segment, f"{prefix}{name}") for name in ("keys", "buckets"))
    return KeyFile(keys, buckets, tuple(runs))
