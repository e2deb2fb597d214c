"""Never more calls than the limit in any window, as the server counts them, and hardly fewer.

Strategy: the last calls' times lie in a ring that all processes on one journal share. Of a limit of N in a window of
W seconds, a call goes W·(1 + margin) behind the N-th before it, and in even distances: idle time is never saved up
for a burst, but a call that was a little late (at most BEHIND of the window) does not put off those behind it. The
server counts arrivals: what holds up everything (a stalled process, network or server) makes calls arrive together at
its end. What a call was late, beyond the half of the margin, is therefore added to its time when the first answer to
it or to a later one comes: by then it had surely arrived. The other half is for calls that are late one by one. How
late an answer is, is told by the shortest time that one takes; as long as that is not known, calls begin one by one,
each answer letting one more go unanswered. And when no answer comes for a while, no further call goes.
Adaptive: a target that says "too fast" lowers the rate, once per window: to MILD where that is a rare answer, to CUT
where it is more than OFTEN of those of a window. Calls stop for as long as it says; RECOVERY windows without such an
answer give STEP back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from imconvert.deliver import Clock, Request, Send
from imconvert.durable.shared import SharedNumbers
from imconvert.vendors.calls import Api, Kind, Limit, Reply

MARGIN = 0.025
BEHIND = 0.05
SILENCE = 0.5
CUT, MILD, OFTEN, STEP, FLOOR, RECOVERY = 0.7, 0.95, 0.1, 0.05, 0.1, 2.0
STALE = 600.0
"""Shares of the window; factors and share of answers, step and floor of the rate, windows; seconds."""

SHORTEST_OF = 200
COLD = 20
"""Answers over which the shortest time is taken; answers before which it is not known."""

ROOM = 8192
_HEAD, _FACTOR, _UNTIL, _CUT_AT, _RAISED_AT, _LAST = range(6)
_RING = 8
NUMBERS = _RING + ROOM
"""Calls that the ring remembers, which is also the greatest limit; places of the numbers before it."""


class Slot(NamedTuple):
    """A place in the ring and the time that stands there."""

    number: int
    at: float


class Pacer:
    """The turns of one bucket of calls. Times are `clock.steady()`, but for blocks, which outlive the machine."""

    def __init__(self, numbers: SharedNumbers, limit: Limit, clock: Clock, *, margin: float = MARGIN) -> None:
        self.limit = limit
        self._numbers = numbers
        self.clock = clock
        self._gap = limit.per * (1 + margin)
        self._late = limit.per * margin / 2
        self._queue = asyncio.Lock()
        self._unheard: deque[Slot] = deque()
        self._shortest = Shortest()
        self._answers = 0
        self._ended: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._news = asyncio.Event()

    async def turn(self) -> Slot:
        """Wait until the next call may go; it counts from then on."""
        async with self._queue:
            while True:
                await self._answered()
                await self._unblocked()
                slot = self._reserve()
                wait = slot.at - self.clock.steady()
                if wait > 0:
                    await self.clock.sleep(wait)
                if not self._blocked():
                    break
            went = self._went(slot)
            self._unheard.append(went)
            return went

    async def _answered(self) -> None:
        """Wait while too much is unanswered."""
        while self._unheard and self._silent():
            self._news.clear()
            await self._news.wait()

    def _silent(self) -> bool:
        """Whether nothing that was sent lately was answered."""
        if self._answers < COLD:
            return len(self._unheard) > self._answers
        waited = self.clock.steady() - self._unheard[0].at
        return len(self._unheard) >= self.limit.calls or waited > self._patience()

    def _patience(self) -> float:
        return max(SILENCE * self.limit.per, 4 * self._shortest.value)

    async def _unblocked(self) -> None:
        while (left := self._blocked()) > 0:
            await self.clock.sleep(min(left, self.limit.per))

    def _blocked(self) -> float:
        """Seconds for which the target wants no calls."""
        with self._numbers.locked() as shared:
            return max(0.0, shared[_UNTIL] - self.clock.now())

    def _reserve(self) -> Slot:
        """The earliest time for one more call, now its own."""
        now = self.clock.steady()
        with self._numbers.locked() as shared:
            rate = self._factor(shared, now)
            calls = max(1, int(self.limit.calls * rate))
            number = int(shared[_HEAD])
            earlier = _known(shared[_RING + (number - calls) % ROOM], now) if number >= calls else 0.0
            before = _known(shared[_LAST], now)
            even = max(now - BEHIND * self.limit.per, before + self._gap / calls) if before else now
            at = max(now, even, earlier + self._gap if earlier else now)
            shared[_RING + number % ROOM], shared[_LAST] = at, max(even, at - BEHIND * self.limit.per)
            shared[_HEAD] = number + 1
        return Slot(number, at)

    def _factor(self, shared: memoryview[float], now: float) -> float:
        """The share of the limit that is used now; it recovers by steps."""
        factor = shared[_FACTOR] or 1.0
        quiet = now - max(_known(shared[_CUT_AT], now), _known(shared[_RAISED_AT], now))
        if factor < 1 and quiet >= RECOVERY * self.limit.per:
            factor = min(1.0, factor + STEP)
            shared[_RAISED_AT] = now
        shared[_FACTOR] = factor
        return factor

    def _went(self, slot: Slot) -> Slot:
        """Write down when the call really goes."""
        slot = slot._replace(at=max(slot.at, self.clock.steady()))
        with self._numbers.locked() as shared:
            _put(shared, slot)
        return slot

    def heard(self, ended: Slot, *, answered: bool, fresh: bool) -> None:
        """A call ended: it and all that went before it have arrived by now.

        One for which a connection had to be made (`fresh`) may have arrived behind those that had theirs.
        """
        now = self.clock.steady()
        self._news.set()
        self._ended.append(now)
        if len(self._ended) > ROOM:
            self._lately(self._ended)
        if answered:
            self._answers += 1
            self._shortest.add(now - ended.at)
        arrived = now - self._late - (self._shortest.value if self._answers >= COLD else 0.0)
        late = [ended._replace(at=arrived)] if fresh and arrived > ended.at else []
        while self._unheard and self._unheard[0].number <= ended.number:
            slot = self._unheard.popleft()
            if arrived > slot.at:
                late.append(slot._replace(at=arrived))
        if late:
            with self._numbers.locked() as shared:
                for slot in late:
                    _put(shared, slot)

    def slow_down(self, wait: float) -> None:
        """The target said "too fast", and wants no calls for `wait` seconds (0: it did not say)."""
        now = self.clock.steady()
        self._refused.append(now)
        often = self._lately(self._refused) > OFTEN * max(1, self._lately(self._ended))
        with self._numbers.locked() as shared:
            shared[_UNTIL] = max(shared[_UNTIL], self.clock.now() + wait)
            if now - _known(shared[_CUT_AT], now) >= self.limit.per or not shared[_CUT_AT]:
                shared[_FACTOR] = max(FLOOR, (shared[_FACTOR] or 1.0) * (CUT if often else MILD))
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


def _put(shared: memoryview[float], slot: Slot) -> None:
    if shared[_HEAD] - slot.number <= ROOM:
        shared[_RING + slot.number % ROOM] = slot.at


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
        slot, answered, fresh = await pacer.turn(), False, False
        request.flight.turned = True
        try:
            reply = await send(request)
            answered, fresh = not reply.fault, reply.fresh
        finally:
            pacer.heard(slot, answered=answered, fresh=fresh)
        if reply.verdict.kind is Kind.THROTTLE:
            pacer.slow_down(reply.verdict.wait)
        return reply

    return in_turn
