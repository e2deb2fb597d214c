"""One unit of a step: what an earlier run has left of it is taken over, else the step is done.

Promise: what is left is believed only if its sums fit and it was made for the same decisions. The answer is the marker
itself, so that the driver learns everything from answers, whichever machine gave them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from imconvert.convert import collide
from imconvert.convert.gather import BucketMarker, GatherJob, gather_bucket
from imconvert.convert.plan import bytes_of
from imconvert.convert.scatter import ScatterJob, ScatterMarker, scatter_segment
from imconvert.convert.seal import SealJob, seal_segment
from imconvert.convert.segment import MapJob, hash_of, map_segment
from imconvert.convert.work import PartMarker, SealMarker, WorkFolder
from imconvert.errors import IntegrityError

Progress = Callable[[int], None]
Marker = TypeVar("Marker")


def mapped(job: MapJob, progress: Progress) -> PartMarker:
    """The marker of a mapped segment."""
    work, number = WorkFolder(job.work), job.segment.number
    known = work.read_part(number)
    if known and _fits(work, known, job.refused):
        progress(bytes_of(job.segment, job.inputs))
        return known
    map_segment(job, progress)
    return _there(work.read_part(number, ours=True), f"part {number}")


def _fits(work: WorkFolder, part: PartMarker, refused: tuple[int, ...]) -> bool:
    """Whether a part was mapped with these refusals, or would not be changed by them."""
    if part.refused == str(hash_of(refused)):
        return True
    return part.refused == str(hash_of(())) and not collide.meets(work, part, refused)


def sealed(job: SealJob, progress: Progress) -> SealMarker:
    """The marker of a sealed segment."""
    work = WorkFolder(job.work)
    known = work.read_seal(job.segment, job.basis)
    if known:
        progress(sum(shard.bytes for shard in known.shards))
        return known
    seal_segment(job, progress)
    return _there(work.read_seal(job.segment, job.basis, ours=True), f"seal {job.segment}")


def scattered(job: ScatterJob, progress: Progress) -> ScatterMarker:
    """The marker of a scattered segment."""
    work = WorkFolder(job.work)
    path = work.scattered(job.segment, "json")
    known = work.read_marker(path, ScatterMarker, job.basis)
    if known:
        return known
    scatter_segment(job, progress)
    return _there(work.read_marker(path, ScatterMarker, job.basis, ours=True), f"scatter {job.segment}")


def gathered(job: GatherJob, progress: Progress) -> BucketMarker | None:
    """The marker of a bucket; None where two conversations have the same hash."""
    work = WorkFolder(job.work)
    path = work.bucket(job.stream, job.bucket)
    known = work.read_marker(path, BucketMarker, job.basis)
    if known:
        return known
    if gather_bucket(job, progress) < 0:
        return None
    return _there(work.read_marker(path, BucketMarker, job.basis, ours=True), f"bucket {job.stream} {job.bucket}")


def _there(marker: Marker | None, name: str) -> Marker:
    """A marker that was just written. Raises IntegrityError IMC-6001 where it can't be read back."""
    if marker is None:
        raise IntegrityError("IMC-6001", detail=f"the marker of {name} is gone")
    return marker
