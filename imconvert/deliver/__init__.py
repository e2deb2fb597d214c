"""Calling out: the only room that does. A call goes through wrappers of one signature, each of one concern.

    send = http |> paced |> retried |> split |> settled |> journaled

Promise: no wrapper knows its neighbours; time, sleep and chance are arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from imconvert.vendors.calls import Api, Call, Kind, Reply, Verdict

__all__ = ["Clock", "Counted", "Flight", "Place", "Request", "Send", "with_verdict"]


class Place(NamedTuple):
    """Where a call stands: number of its shard, number of its line from 0, byte offsets of the line and of the next."""

    shard: int
    line: int
    offset: int = 0
    stop: int = 0


@dataclass(slots=True)
class Flight:
    """What is not known of a call yet: whether it is at the target (`flying`), and whether parts of it are.

    `turned` says that it had its turn in the pace, `proof` is the token that it was last sent with.
    """

    flying: bool = False
    partly: bool = False
    turned: bool = False
    proof: object = None

    @property
    def pending(self) -> bool:
        """Whether something of it may be at the target without our knowing."""
        return self.flying or self.partly


@dataclass(slots=True)
class Request:
    """A call on its way. `unclear` says that an earlier try of it may have gone in."""

    api: Api
    call: Call
    place: Place
    unclear: bool = False
    flight: Flight = field(default_factory=Flight)


Send = Callable[[Request], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Clock:
    """`now()` in seconds since 1970, `steady()` in seconds since the start of the machine, `sleep(seconds)`."""

    now: Callable[[], float]
    steady: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


Counted = Callable[[str, str], None]
"""Is told what happened, for the eye: a kind such as retry, and the cause."""


def with_verdict(reply: Reply, kind: Kind, code: str = "", why: str = "") -> Reply:
    """The reply with another verdict; code and reason stay if they are not given."""
    old = reply.verdict
    return reply._replace(verdict=Verdict(kind, code or old.code, why or old.why))
