"""The one thread that writes: it takes in what is handed in, and keeps the feed in step with folders and spool.

Strategy: whoever hands in records waits for a future. The clerk takes in all that wait at once. In between it looks
for new shards and spool lines and takes their lines, a step at a time, so that nobody waits long.
Promise: what is answered as taken is on the disk. A failure is told to all who wait, and shown as trouble until a
later attempt succeeds; nothing is answered as taken by guess. A clerk that is stuck, or gone, is trouble, too.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from imconvert.convert.options import DAY
from imconvert.convert.ports import Clock
from imconvert.errors import ImconvertError, IntegrityError, UsageError
from imconvert.serve.feed import Feed
from imconvert.serve.receiving import Job, Receipt, Receiver
from imconvert.serve.register import Register
from imconvert.serve.taking import Taker

LOOK = 1.0
"""Seconds between two looks for new shards and spool lines, unless a look takes more than a quarter of that."""

MOST_AT_ONCE = 32 << 20
"""Bytes of records that are taken in with one sync."""

SAVED = 256 << 20
"""Bytes taken since the last checkpoint that ask for the next one."""

STUCK = 60.0
STOPPED = 20.0
"""Seconds that one thing may take before it is trouble: a disk that hangs, or a stopped process that has the spool; and
that the end is waited for."""


@dataclass(frozen=True, slots=True)
class Doing:
    """What the clerk is at, and since when by the clock that never goes back."""

    what: str
    since: float


class Clerk:
    """See the head of this module."""

    def __init__(self, feed: Feed, taker: Taker, register: Register, clock: Clock) -> None:
        self.feed, self.taker, self.register, self.clock = feed, taker, register, clock
        self.state, self.spool, self.index = feed.state, taker.spool, taker.index
        self.receiver = Receiver(taker, register, self._step)
        self.behind = True
        self._look_at = 0.0
        self._since = 0
        self._troubles: dict[str, ImconvertError] = {}
        self._told = ""
        self.tell: Callable[[ImconvertError | None], None] = lambda trouble: None
        self._doing: Doing | None = None
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)

    def start(self) -> None:
        """Look once, so that wrong folders are told at once, then go on in a thread. What may be mended while the
        feed runs is trouble. Raises UsageError, and IntegrityError for outputs that were handed over as files."""
        self.register.take_up_bulk()
        self._guarded("look", self.register.look)
        if isinstance(self.trouble, UsageError):
            raise self.trouble
        self._tell()
        self._thread.start()

    def hand_in(self, body: bytes) -> Future[Receipt]:
        """Take records in, one a line. Raises IntegrityError IMC-6051 where the clerk is gone."""
        if not self._thread.is_alive():
            raise IntegrityError("IMC-6051", why="it is not running")
        job = Job(body, Future())
        self._jobs.put(job)
        return job.answer

    def stop(self) -> None:
        """Finish what was handed in, and leave a checkpoint. A clerk that is stuck is left behind, as by a kill."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(STOPPED)

    @property
    def trouble(self) -> ImconvertError | None:
        """Why the feed is not well, or None."""
        doing = self._doing
        if doing and self.clock.steady() - doing.since > STUCK:
            return IntegrityError("IMC-6050", what=doing.what, seconds=int(self.clock.steady() - doing.since))
        return next(iter(tuple(self._troubles.values())), None)

    def _run(self) -> None:
        try:
            stopping = False
            while not stopping:
                stopping = self._turn()
            self._guarded("advance", self.checkpoint)
        except BaseException as why:
            self._troubles = {"clerk": IntegrityError("IMC-6051", why=f"{type(why).__name__}: {why}")}
            self._tell()
            raise

    def _turn(self) -> bool:
        """One round of work; whether it was the last."""
        jobs, stopping = self._waiting(0.0 if self.behind and not self.trouble else LOOK / 4)
        if jobs:
            self._guarded("intake", partial(self._take_in, jobs), jobs)
        if (began := self.clock.steady()) >= self._look_at:
            self._look_at = 0.0
            self._guarded("look", self.register.look)
            if "intake" in self._troubles:
                self._guarded("intake", self.spool.probe)
            ended = self.clock.steady()
            self._look_at = ended + max(LOOK, 4 * (ended - began))
        self._guarded("advance", self._advance)
        self._tell()
        return stopping

    def _tell(self) -> None:
        """Tell of trouble that is new, and of its end."""
        trouble = self.trouble
        text = trouble.text() if trouble else ""
        if text != self._told:
            self._told = text
            self.tell(trouble)

    def _waiting(self, patience: float) -> tuple[list[Job], bool]:
        """The jobs that wait, up to MOST_AT_ONCE bytes, and whether to stop behind them."""
        jobs: list[Job] = []
        try:
            job = self._jobs.get(timeout=patience) if patience else self._jobs.get_nowait()
            while job is not None:
                if job.answer.set_running_or_notify_cancel():
                    jobs.append(job)
                if sum(len(one.body) for one in jobs) >= MOST_AT_ONCE:
                    return jobs, False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return jobs, False
        return jobs, True

    def _guarded(self, name: str, do: Callable[[], None], jobs: Sequence[Job] = ()) -> None:
        """Do something that may fail; then say so to all that wait for it, until it succeeds again."""
        self._doing = Doing(name, self.clock.steady())
        try:
            do()
            self._troubles.pop(name, None)
        except ImconvertError as why:
            self._troubles[name] = why
            _fail(jobs, why)
        except BaseException as why:
            _fail(jobs, why)
            raise
        finally:
            self._doing = None

    def _take_in(self, jobs: Sequence[Job]) -> None:
        now = int(self.clock.now() * 1000)
        for job, receipt in zip(jobs, self.receiver.take_in(jobs, now, now + DAY), strict=True):
            if receipt.undecided:
                self._look_at = 0.0
            job.answer.set_result(receipt)
        self._since += sum(len(job.body) for job in jobs)

    def _step(self) -> None:
        """Take one step of what is pending, and keep the index in shape."""
        file = self.register.pending()
        if file:
            before = file.taken
            self.taker.step(file, self.register.end_of(file))
            self._since += file.taken - before
        if self.index.full or self._since >= SAVED:
            self.checkpoint()
        self.index.tend(self.state.name_runs)

    def _advance(self) -> None:
        self._step()
        self.behind = self.register.pending() is not None

    def checkpoint(self) -> None:
        """Bring keys, files and holes to the disk together."""
        holes = [hole for some in self.feed.holes.values() for hole in some]
        files = list(self.state.files)
        self.index.flush(lambda runs: self.state.checkpoint(runs, files, holes))
        self.feed.holes.clear()
        self.taker.known_held.clear()
        self._since = 0


def _fail(jobs: Sequence[Job], why: BaseException) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(why)
