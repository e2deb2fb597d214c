"""Load a stage: conversations side by side, until all is done or something stops it.

Order of durable writes for a call: intent (journal), then it is sent, then outcome, ids given out and the interval of
finished lines (journal, one transaction). Recovery is the start: what the journal does not call finished is sent;
what it says was under way is found out first.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from imconvert.deliver import Clock, Place, Request
from imconvert.deliver.journal import Journal
from imconvert.durable.shared import Claims
from imconvert.errors import BudgetExceeded, ImconvertError, UsageError
from imconvert.load.chain import Chain
from imconvert.load.fill import filled
from imconvert.load.lanes import Lane, Lanes
from imconvert.load.progress import Progress
from imconvert.load.shards import Shard, read_call
from imconvert.load.target import Budget
from imconvert.load.uploads import Uploads
from imconvert.vendors.calls import Call, Kind, Verdict, items_of

GRACE, TROUBLE = 1.25, 10.0
POLL = 0.005
OTHERS = 0.5
OFTEN = 0.05
"""Seconds that calls under way get when the run is asked to end, and when trouble ends it; between looks at the pace;
at other processes; at calls that came back and would be sent again."""


class Refused(ImconvertError):
    """The target refuses, or does not answer; nothing more can be sent. Exit code 7."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What of the output is loaded: stages (all if none), patterns of conversations, at most so many lines."""

    stages: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    limit: int | None = None

    def takes(self, conv: str) -> bool:
        return not self.only or any(fnmatchcase(conv, pattern) for pattern in self.only)


class Watchful:
    """Sees outcomes go by. Raises BudgetExceeded IMC-5010 when one code is too large a share of the last ones."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.last: deque[str] = deque()
        self.codes: Counter[str] = Counter()

    def see(self, code: str) -> None:
        """An outcome: the code of a failure, or "" for none."""
        self.last.append(code)
        self.codes[code] += 1
        if len(self.last) > self.budget.window:
            self.codes[self.last.popleft()] -= 1
        if code and len(self.last) == self.budget.window and self.codes[code] > self.budget.share * self.budget.window:
            raise BudgetExceeded("IMC-5010", found=code, count=self.codes[code], window=self.budget.window)


class Stage:
    """One stage being loaded."""

    def __init__(
        self, shards: list[Shard], chain: Chain, journal: Journal, claims: Claims, *, clock: Clock, choice: Choice,
        progress: Progress, inflight: int, slack: int, watchful: Watchful, stop: asyncio.Event,
        uploads: Uploads,
    ) -> None:  # fmt: skip
        self.waiting = deque(shards)
        self.shards = {shard.number: shard for shard in shards}
        self.chain, self.journal, self.claims, self.clock = chain, journal, claims, clock
        self.choice, self.progress, self.inflight, self.watchful, self.stop = choice, progress, inflight, watchful, stop
        self.slack = slack
        self.lanes = Lanes(choice.takes)
        self.uploads = uploads
        self.unclear: dict[int, set[int]] = {}
        self.tasks: dict[asyncio.Task[None], Request | None] = {}
        self.changed = asyncio.Event()
        self.halt = asyncio.Event()
        self.row = progress.rows[shards[0].stage]
        self.sent = 0
        self.trouble: BaseException | None = None
        self.latest = float("inf")

    async def run(self) -> None:
        """Load until nothing is left that may go. Raises what stopped it."""
        loop = asyncio.get_running_loop()
        asked, halted = loop.create_task(self._on_stop()), loop.create_task(self._on_halt())
        try:
            while await self._more():
                pass
            await self._end()
        finally:
            asked.cancel()
            halted.cancel()
            self.row.held = self.lanes.left_out
            self.lanes.close()
        if self.trouble:
            raise self.trouble

    @property
    def over(self) -> bool:
        """Whether nothing more may begin."""
        limit = self.choice.limit
        return bool(self.stop.is_set() or self.trouble or (limit is not None and self.sent >= limit))

    async def _more(self) -> bool:
        """Begin a lane, or wait for something; False when all is over."""
        if self.over:
            return False
        self.changed.clear()
        if len(self.tasks) >= self.inflight:
            await self.changed.wait()
        elif self._waiting() >= self.slack:
            await self.clock.sleep(POLL)
        elif self.lanes.ready:
            self._begin(self.lanes.ready.popleft())
            await asyncio.sleep(0)
        elif self.lanes.scan():
            await asyncio.sleep(0)
        elif not await self._take_up():
            if self.tasks:
                await self.changed.wait()
            elif self.waiting:
                await self.clock.sleep(OTHERS)
            else:
                return False
        return True

    def _waiting(self) -> int:
        """How many calls wait for their turn."""
        return sum(request is None or not request.flight.turned for request in self.tasks.values())

    async def _take_up(self) -> bool:
        """Take up one more shard that no other process has."""
        await self._leave()
        for _ in range(len(self.waiting)):
            shard = self.waiting.popleft()
            if self.claims.take(shard.number):
                done = self.journal.load(shard.number)
                self.unclear[shard.number] = {one.place.line for one in self.journal.unknowns(shard.number)}
                self.lanes.take_up(shard, done)
                return True
            self.waiting.append(shard)
        return False

    async def _leave(self) -> None:
        """Give up what is finished, once that is on the disk where other processes see it."""
        over = self.lanes.ended()
        if over:
            await self.journal.flush()
        for one in over:
            self.claims.leave(one.shard.number)

    def _begin(self, lane: Lane) -> None:
        task = asyncio.get_running_loop().create_task(self._lane(lane))
        self.tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self.tasks[task]
        self.changed.set()
        if not task.cancelled() and task.exception():
            self.trouble = self.trouble or task.exception()
            self.halt.set()

    async def _lane(self, lane: Lane) -> None:
        """Send the lines of a lane one by one."""
        while lane.runs and not self.over:
            self.sent += 1
            place, data = self.lanes.next(lane)
            hold = await self._line(place, read_call(data, self.shards[place.shard].name, place.line))
            self.lanes.back(lane, hold=hold)
        self.lanes.rest(lane)

    async def _line(self, place: Place, call: Call) -> bool:
        """Send a line; True if its conversation has to wait until its outcome is known."""
        rest = self.chain.target.rest
        api = rest.apis.get(call.api)
        if api is None:
            raise UsageError("IMC-1258", self.shards[place.shard].name, api=call.api, target=rest.title)
        request = Request(api, call, place, unclear=place.line in self.unclear[place.shard])
        missing = await self._fill(request)
        if missing and missing.kind in (Kind.ITEM, Kind.DEPENDENCY):
            self.journal.record(request, missing)
            self._count(request, missing)
            return False
        if missing:
            raise Refused("IMC-7210", found=missing.code, why=missing.why)
        task = asyncio.current_task()
        assert task is not None
        self.tasks[task] = request
        reply = await self.chain.send(request)
        self._count(request, reply.verdict)
        if reply.verdict.kind in (Kind.STOP, Kind.RETRY, Kind.THROTTLE, Kind.REAUTH):
            raise Refused("IMC-7210", found=reply.verdict.code, why=reply.verdict.why)
        return reply.verdict.kind is Kind.UNCLEAR and api.ordered

    async def _fill(self, request: Request) -> Verdict | None:
        """Put ids and addresses that the target gave out into the call; a verdict if one is missing."""
        found: Call | Verdict = request.call
        if request.call.ids:
            found = filled(request.call, self.journal.target_of)
        if isinstance(found, Call) and found.upload:
            found = await self.uploads.put_in(found)
        if isinstance(found, Verdict):
            return found
        request.call = found
        return None

    def _count(self, request: Request, verdict: Verdict) -> None:
        row = self.row
        self.progress.answered(self.clock.steady())
        if verdict.kind is Kind.UNCLEAR:
            row.unknown += 1
        elif verdict.kind in (Kind.DONE, Kind.ITEM, Kind.DEPENDENCY):
            items = items_of(request.api, request.call)
            failed = items if verdict.kind is not Kind.DONE else len(verdict.failed)
            row.done, row.mine = row.done + 1, row.mine + 1
            row.items, row.failed = row.items + items - failed, row.failed + failed
            codes = {one.code for one in verdict.failed} if verdict.kind is Kind.DONE else {verdict.code}
            for code in codes or {""}:
                self.watchful.see(code)

    async def _on_stop(self) -> None:
        await self.stop.wait()
        self.latest = self.clock.steady() + GRACE
        self.halt.set()

    async def _on_halt(self) -> None:
        """When the run has to end, calls that are not under way are given up at once, the others in a while."""
        await self.halt.wait()
        self.changed.set()
        latest = self.clock.steady() + TROUBLE
        while self.clock.steady() < min(latest, self.latest):
            self._cancel(lambda request: request is None or not request.flight.flying)
            await self.clock.sleep(OFTEN)
        self._cancel(lambda request: True)

    def _cancel(self, which: Callable[[Request | None], bool]) -> None:
        for task, request in list(self.tasks.items()):
            if which(request):
                task.cancel()

    async def _end(self) -> None:
        """Wait for the lanes that are under way."""
        while self.tasks:
            await asyncio.wait(list(self.tasks))
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        await self._leave()
