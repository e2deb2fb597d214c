"""One segment as a unit of work: the part that an earlier run has left is taken over, else the segment is mapped."""

from __future__ import annotations

from collections.abc import Callable

from imconvert.convert.map import collide
from imconvert.convert.map.people import map_people
from imconvert.convert.map.segment import MapJob, hash_of, map_segment
from imconvert.convert.plan import bytes_of
from imconvert.convert.steps import there
from imconvert.convert.work import PartMarker, WorkFolder
from imconvert.vendors import TARGETS


def mapped(job: MapJob, progress: Callable[[int], None]) -> PartMarker:
    """The marker of a mapped segment."""
    work, number = WorkFolder(job.work), job.segment.number
    known = work.read_part(number)
    if known and _fits(work, known, job.refused):
        progress(bytes_of(job.segment, job.inputs))
        return known
    map_job = map_people if TARGETS[job.target].people else map_segment
    map_job(job, progress)
    return there(work.read_part(number, ours=True), work.part(number, "json"))


def _fits(work: WorkFolder, part: PartMarker, refused: tuple[int, ...]) -> bool:
    """Whether a part was mapped with these refusals, or would not be changed by them."""
    if part.refused == str(hash_of(refused)):
        return True
    return part.refused == str(hash_of(())) and not collide.meets(work, part, refused)
