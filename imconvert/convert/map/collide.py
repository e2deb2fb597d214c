"""Find account ids that become the same target id, though the source tells them apart.

Strategy: each part lists the accounts that it met as pairs of hashes (target, source). Only if some part met an id
that changed when it was folded are the lists merged, partition by partition, to find targets with several sources.
Rule: the id that is written exactly like the target keeps it; all others of the group are refused (IMC-2203), and
the parts that met them are mapped again. Without such an id all of the group are refused: which is meant can't be
known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imconvert.convert.work import IDS, Array, PartMarker, WorkFolder, read_rows

PARTITIONS = 64


@dataclass(frozen=True, slots=True)
class IdsJob:
    """What a worker needs for one partition: the lists of ids of all parts."""

    partition: int
    paths: tuple[Path, ...]


def refused(work: WorkFolder, parts: list[PartMarker], run: Callable[..., Iterable[Any]]) -> tuple[int, ...]:
    """xxh3-64 of the source ids that collide, sorted, by `run` of a pool; none where nothing was folded."""
    if not any(part.folded for part in parts):
        return ()
    paths = tuple(work.part(part.segment, "ids") for part in parts)
    found = run(find_refused, [IdsJob(partition, paths) for partition in range(PARTITIONS)])
    return tuple(sorted({source for _, sources in found for source in sources}))


def find_refused(job: IdsJob, progress: Callable[[int], None]) -> list[int]:
    """The source ids of a partition that collide."""
    return sorted(set(_collisions(job).tolist()))


def _collisions(job: IdsJob) -> Array:
    shift = np.uint64(64 - PARTITIONS.bit_length() + 1)
    pairs = np.empty(0, IDS)
    for path in job.paths:
        rows = read_rows(path, IDS)
        pairs = np.unique(np.concatenate([pairs, rows[rows["target"] >> shift == job.partition]]))
    targets, counts = np.unique(pairs["target"], return_counts=True)
    crowded = pairs[np.isin(pairs["target"], targets[counts > 1])]
    return np.asarray(crowded["source"][crowded["source"] != crowded["target"]], np.uint64)


def meets(work: WorkFolder, part: PartMarker, sources: tuple[int, ...]) -> bool:
    """Whether a part met one of the source ids."""
    return bool(sources) and bool(np.isin(read_rows(work.part(part.segment, "ids"), IDS)["source"], sources).any())
