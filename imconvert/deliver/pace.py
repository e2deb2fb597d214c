"""Never more calls than the limit in any window, as the server counts them, and hardly fewer.

Strategy: a limit of N calls in a window of W seconds has N places in a table that all processes on one journal share.
The *rule*: each call takes a free place, and gives it up W·(1 + margin/2) behind the moment at which it had surely
arrived. So of the calls of one place no two arrive in one window, and of all not more than N, in whatever order. When a
call arrived, its own answer tells: before it, by the shortest time that an answer takes. Until then its place is taken.
The *rhythm*: one call behind the other in distances of W·(1 + margin)/N. A call whose place is late by less than the
difference of both costs nothing, for the rhythm goes on. What was missed is caught up with, as far as the rule lets it:
BEHIND of a window at once; more, up to DEBT, only where calls were waiting for their turn, and by going FASTER. So idle
time is never saved up for a burst.
When no answer comes for a while, no further call goes, as all that is held up arrives together; and as long as the
shortest time is not known, calls begin one by one, each answer letting one more go unanswered.
Adaptive: a target that says "too fast" lowers the rate, once per window: to MILD where that is a rare answer, to CUT
where it is more than OFTEN of those of a window, to HALF where it bars us for BARRED windows or longer (yunxin.md
§4.2). Calls stop for as long as it says; RECOVERY windows without such an answer give STEP back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from imconvert.deliver import Clock, Request, Send
from imconvert.durable.shared import SharedNumbers
from imconvert.vendors.calls import Api, Kind, Limit, Reply

MARGIN = 0.02
BEHIND, DEBT, FASTER = 0.05, 0.25, 0.2
SILENCE = 0.5
HALF, CUT, MILD, OFTEN, STEP, FLOOR, RECOVERY, BARRED = 0.5, 0.7, 0.95, 0.1, 0.05, 0.1, 2.0, 10.0
"""Shares of the window; three factors, share of answers, step and floor of the rate, windows twice."""

STALE, STUCK, LOOK = 600.0, 5.0, 0.002
"""Seconds: how far ahead a time is that was written before the machine was started anew; how long a place of another
process, which may have died, stays taken without a sign; between looks at places, for a window of a second."""

SHORTEST_OF = 200
COLD = 20
"""Answers over which the shortest time is taken; answers before which it is not known."""

ROOM = 8192
SEEN = 32
_HEAD, _FACTOR, _UNTIL, _CUT_AT, _RAISED_AT, _LAST, _DEBT = range(7)
_PLACES = 8
NUMBERS = _PLACES + ROOM
"""Places, and so the greatest limit; how many that are given up are looked at; places of the numbers before them."""


class Slot(NamedTuple):
    """The place of a call, and when it went."""

    place: int
    at: float


class Pacer:
    """The turns of one bucket of calls. Times are `clock.steady()`, but for blocks, which outlive the machine.

    A place holds the time at which its last call had arrived, below 0 that at which one went that may not have yet.
    """

    def __init__(self, numbers: SharedNumbers, limit: Limit, clock: Clock, *, margin: float = MARGIN) -> None:
        self.limit = limit
        self._numbers = numbers
        self.clock = clock
        self._gap, self._rule = limit.per * (1 + margin), limit.per * (1 + margin / 2)
        self._queue = asyncio.Lock()
        self._asking = 0
        self._mine: set[int] = set()
        self._shortest = Shortest()
        self._cold = min(COLD, limit.calls + 4)
        self._answers = 0
        self._unheard: deque[Slot] = deque()
        self._ended: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._news = asyncio.Event()

    async def turn(self) -> Slot:
        """Wait until the next call may go; it counts from then on."""
        waited = self._asking > 0
        self._asking += 1
        try:
            async with self._queue:
                await self._in_rhythm(waited)
                slot = await self._placed()
                self._unheard.append(slot)
                return slot
        finally:
            self._asking -= 1

    async def _in_rhythm(self, waited: bool) -> None:
        """Wait for the next turn of the rhythm. Turns that were missed while somebody `waited` are a debt."""
        now, per = self.clock.steady(), self.limit.per
        with self._numbers.locked() as shared:
            step = self._gap / self._calls(shared, now)
            back = min(shared[_DEBT], FASTER * step)
            due = _known(shared[_LAST], now) + step - back
            missed = max(0.0, now - BEHIND * per - due)
            shared[_DEBT] = min(DEBT * per, shared[_DEBT] - back + missed) if waited else 0.0
            shared[_LAST] = due + missed
        if due + missed > now:
            await self.clock.sleep(due + missed - now)

    async def _placed(self) -> Slot:
        """Wait for a free place while nothing else is in the way, and take it."""
        while True:
            await self._answered()
            await self._unblocked()
            now = self.clock.steady()
            with self._numbers.locked() as shared:
                place, wait = self._best(shared, now)
                if wait <= 0:
                    shared[_PLACES + place] = -now
                    self._mine.add(place)
                    return Slot(place, now)
            await self.clock.sleep(wait)

    def _best(self, shared: memoryview[float], now: float) -> tuple[int, float]:
        """The place that is free first of those at the head, and in how many seconds it will be."""
        calls = self._calls(shared, now)
        head, first, seen, best = int(shared[_HEAD]), -1, 0, (0, LOOK * self.limit.per)
        for place in ((head + step) % calls for step in range(calls)):
            wait = self._left(shared, place, now)
            if wait is None:
                continue
            if first < 0:
                first, best = place, (place, wait)
            elif wait < best[1]:
                best = place, wait
            seen += 1
            if wait <= 0 or seen == SEEN:
                break
        if first < 0 or best[1] > 0:
            return best
        shared[_PLACES + best[0]] = shared[_PLACES + first]
        shared[_HEAD] = (first + 1) % calls
        return first, best[1]

    def _left(self, shared: memoryview[float], place: int, now: float) -> float | None:
        """Seconds until a place is free; None where that is not known."""
        at = shared[_PLACES + place]
        if not _known(abs(at), now):
            return 0.0
        if at > 0:
            return at + self._rule - now
        return None if place in self._mine or now + at < STUCK * self.limit.per else 0.0

    def _calls(self, shared: memoryview[float], now: float) -> int:
        """How many calls a window may have now."""
        return max(1, int(self.limit.calls * self._factor(shared, now)))

    async def _answered(self) -> None:
        """Wait while too much is unanswered."""
        while self._unheard and self._silent():
            self._news.clear()
            await self._news.wait()

    def _silent(self) -> bool:
        """Whether nothing that was sent lately was answered."""
        if self._answers < self._cold:
            return len(self._unheard) > self._answers
        return self.clock.steady() - self._unheard[0].at > self._patience()

    def _patience(self) -> float:
        return max(SILENCE * self.limit.per, 4 * self._shortest.value)

    async def _unblocked(self) -> None:
        while (left := self._blocked()) > 0:
            await self.clock.sleep(min(left, self.limit.per))

    def _blocked(self) -> float:
        """Seconds for which the target wants no calls."""
        with self._numbers.locked() as shared:
            return max(0.0, shared[_UNTIL] - self.clock.now())

    def _factor(self, shared: memoryview[float], now: float) -> float:
        """The share of the limit that is used now; it recovers by steps."""
        factor = shared[_FACTOR] or 1.0
        quiet = now - max(_known(shared[_CUT_AT], now), _known(shared[_RAISED_AT], now))
        if factor < 1 and quiet >= RECOVERY * self.limit.per:
            factor = min(1.0, factor + STEP)
            shared[_RAISED_AT] = now
        shared[_FACTOR] = factor
        return factor

    def heard(self, ended: Slot, *, answered: bool) -> None:
        """A call ended, with an answer or without: it has arrived by now."""
        now = self.clock.steady()
        self._news.set()
        self._ended.append(now)
        if len(self._ended) > ROOM:
            self._lately(self._ended)
        if answered:
            self._answers += 1
            self._shortest.add(now - ended.at)
        arrived = now - (self._shortest.value if self._answers >= self._cold else 0.0)
        while self._unheard and self._unheard[0].at <= ended.at:
            self._unheard.popleft()
        self._mine.discard(ended.place)
        with self._numbers.locked() as shared:
            if shared[_PLACES + ended.place] == -ended.at:
                shared[_PLACES + ended.place] = max(ended.at, arrived)

    def slow_down(self, wait: float) -> None:
        """The target said "too fast", and wants no calls for `wait` seconds (0: it did not say)."""
        now = self.clock.steady()
        self._refused.append(now)
        often = self._lately(self._refused) > OFTEN * max(1, self._lately(self._ended))
        factor = HALF if wait >= BARRED * self.limit.per else CUT if often else MILD
        with self._numbers.locked() as shared:
            shared[_UNTIL] = max(shared[_UNTIL], self.clock.now() + wait)
            if now - _known(shared[_CUT_AT], now) >= self.limit.per or not shared[_CUT_AT]:
                shared[_FACTOR] = max(FLOOR, (shared[_FACTOR] or 1.0) * factor)
                shared[_CUT_AT] = now

    def _lately(self, times: deque[float]) -> int:
        """How many of the times lie in the last window; the others are forgotten."""
        begin = self.clock.steady() - self.limit.per
        while times and times[0] < begin:
            times.popleft()
        return len(times)

    def share(self) -> float:
        """The share of the limit that is used now."""
        with self._numbers.locked() as shared:
            return shared[_FACTOR] or 1.0

    def close(self) -> None:
        self._numbers.close()


class Shortest:
    """The shortest of the last times, of at least SHORTEST_OF and at most twice as many; 0 before the first."""

    def __init__(self) -> None:
        self._older = self._newer = float("inf")
        self._count = 0

    def add(self, seconds: float) -> None:
        self._newer = min(self._newer, seconds)
        self._count += 1
        if self._count == SHORTEST_OF:
            self._older, self._newer, self._count = self._newer, float("inf"), 0

    @property
    def value(self) -> float:
        found = min(self._older, self._newer)
        return found if found < float("inf") else 0.0


def _known(at: float, now: float) -> float:
    """A time of the ring; one from before the machine was started anew says nothing."""
    return 0.0 if at > now + STALE else at


def paced(send: Send, pacer_of: Callable[[Api], Pacer | None]) -> Send:
    """Send each request in its bucket's turn; a bucket without a pacer has no limit."""

    async def in_turn(request: Request) -> Reply:
        pacer = pacer_of(request.api)
        if pacer is None:
            request.flight.turned = True
            return await send(request)
        slot, answered = await pacer.turn(), False
        request.flight.turned = True
        try:
            reply = await send(request)
            answered = not reply.fault
        finally:
            pacer.heard(slot, answered=answered)
        if reply.verdict.kind is Kind.THROTTLE:
            pacer.slow_down(reply.verdict.wait)
        return reply

    return in_turn
