"""Decide about calls whose outcome is not known and can't be found out: send again, leave out, or leave unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from imconvert import durable
from imconvert.deliver.journal import Journal, Unknown
from imconvert.load.shards import Shard, read_call
from imconvert.vendors.calls import Call

LEFT_OUT = "IMC-7221"


class Case(NamedTuple):
    """An unknown call, as it is shown to who decides."""

    shard: str
    unknown: Unknown
    call: Call


Decide = Callable[[Case], str]
"""Gives resend, skip, or keep."""


def cases(journal: Journal, shards: Iterable[Shard]) -> Iterable[Case]:
    """The calls that are known to be unknown, in order."""
    for shard in shards:
        found = [one for one in journal.unknowns(shard.number) if one.unknown]
        if found:
            with durable.Reader(shard.path) as reader:
                for one in found:
                    data = reader.at(one.place.offset, one.place.stop - one.place.offset)
                    call = read_call(data.rstrip(b"\n"), shard.name, one.place.line)
                    yield Case(shard.name, one, call)


def decide(journal: Journal, shards: Iterable[Shard], choose: Decide) -> None:
    """Carry out a decision for each unknown call: forget that it was tried, or call it finished and failed."""
    for case in list(cases(journal, shards)):
        chosen = choose(case)
        place = case.unknown.place
        if chosen == "resend":
            with journal.data.change() as link:
                link.execute("DELETE FROM open WHERE shard = ? AND line = ?", place[:2])
        elif chosen == "skip":
            journal.leave_out(place, LEFT_OUT, case.unknown.code)
