"""Send again what may be sent again, at one layer only.

Strategy: full jitter below an exponential ceiling; the pace is kept underneath, so that retries cost turns like all
else. A call is given up after `tries` while others succeed, as then it is its own fault; while nothing succeeds at
all, the target is down, and the same call is tried until `patience` has run out and the run stops.
Promise: what may have gone in is only sent again where the target knows what it has (`Api.safe`); all else that is
unclear is for the wrapper outside to find out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from imconvert.deliver import Clock, Counted, Request, Send, with_verdict
from imconvert.vendors.calls import Kind, Reply


@dataclass(frozen=True, slots=True)
class Policy:
    """`tries` of a call; ceiling of the wait before the second try and greatest ceiling; `patience`; in seconds."""

    tries: int = 8
    base: float = 0.2
    most: float = 30.0
    patience: float = 600.0

    def wait(self, tries: int, chance: Random) -> float:
        """Seconds to wait behind so many tries."""
        return chance.uniform(0, min(self.most, self.base * 2 ** min(tries, 30)))


class Health:
    """When anything last succeeded, by `steady()`."""

    def __init__(self, now: float) -> None:
        self.at = now


RENEWALS = 2
"""How many new tokens are tried while nothing succeeds."""

Stale = Callable[[object], None]


@dataclass(slots=True)
class _Tries:
    """What was tried of one call: when it began, how often it failed, when a new token was asked for."""

    began: float
    failed: int = 0
    renewed: float = 0.0
    renewals: int = 0

    def last(self, kind: Kind, now: float, policy: Policy, health: Health) -> Kind | None:
        """Take note of a failure; what to make of the call if it is not to be tried again, None if it is."""
        if kind is Kind.REAUTH:
            self.renewals = 1 if health.at > self.renewed else self.renewals + 1
            self.renewed = now
            return Kind.STOP if self.renewals > RENEWALS or self.failed >= policy.tries else None
        if now - max(health.at, self.began) > policy.patience:
            return Kind.STOP
        return Kind.ITEM if self.failed >= policy.tries and health.at > self.began else None


def retried(
    send: Send, policy: Policy, clock: Clock, *, chance: Random, health: Health, stale: Stale, count: Counted
) -> Send:
    """Send until there is an answer that repeating would not change.

    `stale` is told of a token that did not hold; when new ones don't hold either, and nothing succeeds, the run ends.
    """

    async def until_clear(request: Request) -> Reply:
        tries = _Tries(clock.steady())
        while True:
            reply = await send(request)
            kind = reply.verdict.kind
            if not _again(request, kind):
                health.at = health.at if kind is Kind.UNCLEAR else clock.steady()
                return reply
            tries.failed += kind is not Kind.THROTTLE
            last = tries.last(kind, clock.steady(), policy, health)
            if last:
                return _given_up(reply, last)
            count(str(kind), reply.verdict.code)
            if kind is Kind.REAUTH:
                stale(request.flight.proof)
                await clock.sleep(reply.verdict.wait)
            if kind is not Kind.REAUTH or tries.renewals > 1:
                await clock.sleep(policy.wait(tries.failed, chance))

    return until_clear


def _again(request: Request, kind: Kind) -> bool:
    """Whether a call may be sent again."""
    return kind in (Kind.RETRY, Kind.THROTTLE, Kind.REAUTH) or (kind is Kind.UNCLEAR and request.api.safe)


def _given_up(reply: Reply, kind: Kind) -> Reply:
    """A reply that is to be final; what may have gone in stays unclear, unless the run ends with it."""
    if kind is Kind.ITEM and reply.verdict.kind is Kind.UNCLEAR:
        return reply
    return with_verdict(reply, kind)
