"""Append the records of files to a spool: what `imconvert spool append` does, and what a relay may call.

Promise: a record is counted as appended when it is on the disk. One that cannot be taken is named with its place,
code and cause, and does not stop the others. Records that the feed knows already are left out when it reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from imconvert.errors import InputError, Location, Rejected
from imconvert.serve.intake import Checker
from imconvert.serve.spool import Spool
from imconvert.sources import pieces
from imconvert.sources.containers import Limits
from imconvert.sources.inputs import Input, expand, open_inputs
from imconvert.sources.records import KEPT, RECORD_LIMIT, Batch

Refuse = Callable[[Location, Rejected], None]


@dataclass(slots=True)
class Count:
    """Records read, appended, refused and blank: the first is the sum of the others."""

    read: int = 0
    appended: int = 0
    refused: int = 0
    blank: int = 0


def append(spool: Spool, checker: Checker, patterns: Sequence[str], latest: int, refuse: Refuse) -> Count:
    """Append all records of the inputs; `refuse` is told of each that cannot be taken.

    Raises UsageError, IntegrityError IMC-6004, and InputError for an input that can't be read whole, behind the records
    before the damage.
    """
    inputs, unreadable = open_inputs(expand(tuple(patterns)), Limits())
    count = Count()
    for source in inputs:
        for batch in _batches(source):
            _append(spool, checker, batch, latest, _Refusals(source.label, refuse), count)
    if unreadable:
        raise InputError(unreadable[0].code, unreadable[0].label, **unreadable[0].values)
    return count


def _batches(source: Input) -> Iterator[Batch]:
    return pieces.batches(source, 0, -1, None, Limits(), lambda done: None)


@dataclass(frozen=True, slots=True)
class _Refusals:
    label: str
    refuse: Refuse

    def tell(self, batch: Batch, index: int, why: Rejected) -> None:
        self.refuse(Location(self.label, batch.number(index) + 1, int(batch.offsets[index])), why)


def _append(spool: Spool, checker: Checker, batch: Batch, latest: int, told: _Refusals, count: Count) -> None:
    raws = [b"" if index in batch.lengths else raw for index, raw in enumerate(batch.records)]
    found = checker.check(raws, latest)
    if found.lines:
        spool.append(b"\n".join(found.lines) + b"\n")
    for index, length in batch.lengths.items():
        told.tell(batch, index, Rejected("IMC-2003", length=length, limit=RECORD_LIMIT, kept=KEPT))
    for index, why in found.refused:
        told.tell(batch, index, why)
    count.read += len(raws)
    count.appended += len(found.lines)
    count.refused += len(found.refused) + len(batch.lengths)
    count.blank += found.blank - len(batch.lengths)
