"""Find account ids that become the same target id, though the source tells them apart.

Strategy: each part lists the accounts that it met as pairs of hashes (target, source). Only if some part met an id
that changed when it was folded are the lists merged, partition by partition, to find targets with several sources.
Rule: the id that is written exactly like the target keeps it; all others of the group are refused (IMC-2203), and
the parts that met them are mapped again. Without such an id all of the group are refused: which is meant can't be
known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imconvert.convert.work import IDS, Array, PartMarker, WorkFolder, read_rows

PARTITIONS = 64


def refused(work: WorkFolder, parts: list[PartMarker]) -> tuple[int, ...]:
    """xxh3-64 of the source ids that collide, sorted; none where nothing was folded."""
    if not any(part.folded for part in parts):
        return ()
    paths = [work.part(part.segment, "ids") for part in parts]
    found = [_collisions(paths, partition) for partition in range(PARTITIONS)]
    return tuple(np.unique(np.concatenate(found)).tolist())


def _collisions(paths: list[Path], partition: int) -> Array:
    shift = np.uint64(64 - PARTITIONS.bit_length() + 1)
    pairs = np.empty(0, IDS)
    for path in paths:
        rows = read_rows(path, IDS)
        pairs = np.unique(np.concatenate([pairs, rows[rows["target"] >> shift == partition]]))
    targets, counts = np.unique(pairs["target"], return_counts=True)
    crowded = pairs[np.isin(pairs["target"], targets[counts > 1])]
    return np.asarray(crowded["source"][crowded["source"] != crowded["target"]], np.uint64)


def meets(work: WorkFolder, part: PartMarker, sources: tuple[int, ...]) -> bool:
    """Whether a part met one of the source ids."""
    return bool(sources) and bool(np.isin(read_rows(work.part(part.segment, "ids"), IDS)["source"], sources).any())
