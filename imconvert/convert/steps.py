"""One unit of a step: what an earlier run has left of it is taken over, else the step is done.

Promise: what is left is believed only if its sums fit and it was made for the same decisions. The answer is the marker
itself, so that the driver learns everything from answers, whichever machine gave them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from imconvert.convert import collide
from imconvert.convert.bucket import BucketMarker, GatherJob, gather_bucket
from imconvert.convert.copies import CopyJob, CopyMarker, copy_name, copy_shard
from imconvert.convert.packages import PackageJob, PackageMarker, package_bucket
from imconvert.convert.people import map_people
from imconvert.convert.plan import bytes_of
from imconvert.convert.scatter import ScatterJob, ScatterMarker, scatter_segment
from imconvert.convert.seal import SealJob, seal_segment
from imconvert.convert.segment import MapJob, hash_of, map_segment
from imconvert.convert.work import PartMarker, SealMarker, WorkFolder
from imconvert.errors import IntegrityError
from imconvert.vendors import TARGETS

Progress = Callable[[int], None]
Marker = TypeVar("Marker")


def mapped(job: MapJob, progress: Progress) -> PartMarker:
    """The marker of a mapped segment."""
    work, number = WorkFolder(job.work), job.segment.number
    known = work.read_part(number)
    if known and _fits(work, known, job.refused):
        progress(bytes_of(job.segment, job.inputs))
        return known
    map_job = map_people if TARGETS[job.target].people else map_segment
    map_job(job, progress)
    return _there(work.read_part(number, ours=True), work.part(number, "json"))


def _fits(work: WorkFolder, part: PartMarker, refused: tuple[int, ...]) -> bool:
    """Whether a part was mapped with these refusals, or would not be changed by them."""
    if part.refused == str(hash_of(refused)):
        return True
    return part.refused == str(hash_of(())) and not collide.meets(work, part, refused)


def sealed(job: SealJob, progress: Progress) -> SealMarker:
    """The marker of a sealed segment."""
    path = WorkFolder(job.work).seal(job.segment, "json")
    return _there(_done(job.work, path, SealMarker, job.basis, partial(seal_segment, job, progress)), path)


def scattered(job: ScatterJob, progress: Progress) -> ScatterMarker:
    """The marker of a scattered segment."""
    path = WorkFolder(job.work).scattered(job.segment, "json")
    return _there(_done(job.work, path, ScatterMarker, job.basis, partial(scatter_segment, job, progress)), path)


def gathered(job: GatherJob, progress: Progress) -> BucketMarker | None:
    """The marker of a bucket; None where two conversations have the same hash."""
    path = WorkFolder(job.work).bucket(job.stream, job.bucket)
    return _done(job.work, path, BucketMarker, job.basis, partial(gather_bucket, job, progress))


def copied(job: CopyJob, progress: Progress) -> CopyMarker:
    """The marker of a shard whose messages are copied."""
    path = job.work / copy_name(job.number, "json")
    return _there(_done(job.work, path, CopyMarker, job.basis, partial(copy_shard, job, progress)), path)


def packaged(job: PackageJob, progress: Progress) -> PackageMarker | None:
    """The marker of a shard of packages; None where two users have the same hash."""
    path = job.work / f"{job.name}.json"
    return _done(job.work, path, PackageMarker, job.basis, partial(package_bucket, job, progress))


def _done(work: Path, path: Path, kind: type[Marker], basis: str, do: Callable[[], int]) -> Marker | None:
    """The marker at `path`, after doing what leaves it if need be; None if that gives less than 0: it was in vain."""
    folder = WorkFolder(work)
    known = folder.read_marker(path, kind, basis)
    if known is not None:
        return known
    return _there(folder.read_marker(path, kind, basis, ours=True), path) if do() >= 0 else None


def _there(marker: Marker | None, path: Path) -> Marker:
    """A marker that was just written. Raises IntegrityError IMC-6002 where it can't be read back."""
    if marker is None:
        raise IntegrityError("IMC-6002", str(path), what="it was written and cannot be read back")
    return marker
