"""The one thread that writes: it takes in what is handed in, and keeps the feed in step with folders and spool.

Strategy: whoever hands in records waits for a future. The clerk takes all that wait at once, checks them, leaves out
what is known, appends the rest with one sync, and answers. In between it looks for new shards and spool lines and
takes their lines, a step at a time, so that nobody waits long.
Promise: what is answered as taken is on the disk. A failure is told to all who wait, and shown as trouble until a
later attempt succeeds; nothing is answered as taken by guess.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from imconvert import durable
from imconvert.convert.options import DAY
from imconvert.convert.run import Clock
from imconvert.errors import ImconvertError, IntegrityError, Rejected
from imconvert.serve import folders
from imconvert.serve.feed import Feed
from imconvert.serve.intake import Checked
from imconvert.serve.spool import Appended
from imconvert.serve.state import SHIFT, File
from imconvert.serve.taking import CONFLICT, NEW, SAME, Taker, held_line, judge

LOOK = 1.0
"""Seconds between two looks for new shards and spool lines."""

MOST_AT_ONCE = 32 << 20
"""Bytes of records that are taken in with one sync."""

SAVED = 256 << 20
"""Bytes taken since the last checkpoint that ask for the next one."""

BEHIND = 4 << 20
"""Bytes still to be taken with which records are stored first and compared later."""


@dataclass(slots=True)
class Receipt:
    """What became of records handed in together. The numbers in `rejected` and `held` count them from 1.

    `undecided` are stored durably, but could not be compared yet, because the feed is still reading older lines.
    """

    accepted: int = 0
    duplicates: int = 0
    undecided: int = 0
    rejected: list[tuple[int, Rejected]] = field(default_factory=list)
    held: list[tuple[int, Rejected]] = field(default_factory=list)


@dataclass(slots=True)
class Job:
    """Records handed in together, and whom to tell."""

    records: list[bytes]
    size: int
    answer: Future[Receipt]


class Clerk:
    """See the head of this module. `outputs` are folders to serve, `bulk` outputs that were handed over as files."""

    def __init__(self, feed: Feed, taker: Taker, clock: Clock, outputs: Sequence[Path], bulk: Sequence[Path]) -> None:
        self.feed, self.taker, self.clock = feed, taker, clock
        self.state, self.spool, self.index = feed.state, taker.spool, taker.index
        self.outputs, self.bulk = outputs, bulk
        self._troubles: dict[str, ImconvertError] = {}
        self._manifests: dict[Path, tuple[int, int]] = {}
        self.ingested = 0
        self.rejected = 0
        self.behind = True
        self._look_at = 0.0
        self._saved = self._taken()
        self._ends: dict[str, int] = {}
        self._known = {file.path for file in self.state.files}
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)

    def start(self) -> None:
        """Look once, so that wrong folders are told at once, then go on in a thread."""
        self.look()
        self._thread.start()

    def hand_in(self, records: list[bytes], size: int) -> Future[Receipt]:
        """Take records in, given without their line ends. Raises IntegrityError where the clerk is gone."""
        if not self._thread.is_alive():
            raise IntegrityError("IMC-6003", how="the thread that writes")
        job = Job(records, size, Future())
        self._jobs.put(job)
        return job.answer

    def stop(self) -> None:
        """Finish what was handed in, and leave a checkpoint."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            jobs, stopping = self._waiting(0.0 if self.behind and not self.trouble else LOOK / 4)
            if jobs:
                self._guarded("intake", partial(self._take_in, jobs), jobs)
            if self.clock.steady() >= self._look_at:
                self._look_at = self.clock.steady() + LOOK
                self._guarded("look", self.look, [])
            self._guarded("advance", self._advance, [])
        self._guarded("advance", self.checkpoint, [])

    def _waiting(self, patience: float) -> tuple[list[Job], bool]:
        """The jobs that wait, up to MOST_AT_ONCE bytes, and whether to stop behind them."""
        jobs: list[Job] = []
        try:
            job = self._jobs.get(timeout=patience) if patience else self._jobs.get_nowait()
            while job is not None:
                jobs.append(job)
                if sum(one.size for one in jobs) >= MOST_AT_ONCE:
                    return jobs, False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return jobs, False
        return jobs, True

    @property
    def trouble(self) -> ImconvertError | None:
        """Why the feed is not well, or None."""
        return next(iter(self._troubles.values()), None)

    def _guarded(self, name: str, do: Callable[[], None], jobs: list[Job]) -> None:
        """Do something that may fail; then say so to all that wait for it, until it succeeds again."""
        try:
            do()
            self._troubles.pop(name, None)
        except ImconvertError as why:
            self._troubles[name] = why
            for job in jobs:
                if not job.answer.done():
                    job.answer.set_exception(why)
        except BaseException as why:
            for job in jobs:
                if not job.answer.done():
                    job.answer.set_exception(why)
            raise

    # --- what is there -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Take up new shards and spool files, and see how far the spool has grown."""
        new = [*self._new_shards(self.bulk, "bulk"), *self._new_shards(self.outputs, "shard")]
        with self.spool.turn():
            segments = self.spool.segments()
            first = not self.state.files
            if not segments or (new and not first):
                self._register(_spooled(segments), self._known)
                self._register(new, self._known)
                segments = [*segments, self.spool.begin_next()]
            else:
                self._register(new, self._known)
            self._register(_spooled(segments), self._known)
            ends = {str(path): end for path, end in self.spool.ends().items()}
        self._compare_waiting()
        for path, end in ends.items():
            if end > self._ends.get(path, 0):
                durable.sync_file(Path(path))
        self._ends = ends

    def _new_shards(self, outputs: Sequence[Path], kind: str) -> list[File]:
        found = []
        for folder in folders.finished(outputs):
            mark = folders.mark(folder)
            if self._manifests.get(folder) == mark:
                continue
            new = [file for file in folders.shards(folder, self.feed.target) if file.path not in self._known]
            found += [msgspec.structs.replace(file, kind=kind) for file in new]
            if not new:
                self._manifests[folder] = mark
        return found

    def _compare_waiting(self) -> None:
        """See that shards that are still to be delivered are what they were. Raises IntegrityError IMC-6041."""
        for file in self.state.files[max(0, (self.feed.cursor >> SHIFT) - 1) :]:
            if file.kind == "shard" and file.taken:
                self.taker.compare(file)

    def _register(self, files: Sequence[File], known: set[str]) -> None:
        number = len(self.state.files)
        new = [file for file in files if file.path not in known]
        for file in new:
            number += 1
            file.number = number
        if new:
            self.state.add_files(new)
            known.update(file.path for file in new)

    def _end_of(self, file: File) -> int:
        return file.bytes if file.kind != "spool" else self._ends.get(file.path, 0)

    def _pending(self) -> File | None:
        """The first file with lines that were not taken."""
        return next((file for file in self.state.files if file.taken < self._end_of(file)), None)

    def _advance(self) -> None:
        """Take one step of what is pending, and keep the index in shape."""
        file = self._pending()
        if file:
            self.taker.step(file, self._end_of(file))
        if self.index.full or self._taken() - self._saved >= SAVED:
            self.checkpoint()
        self.index.tend(self.state.name_runs)
        self.behind = self._pending() is not None

    def checkpoint(self) -> None:
        """Bring keys, files and holes to the disk together."""
        holes = [hole for some in self.feed.holes.values() for hole in some]
        files = list(self.state.files)
        self.index.flush(lambda runs: self.state.checkpoint(runs, files, holes))
        self.feed.holes.clear()
        self._saved = self._taken()

    def _taken(self) -> int:
        return sum(file.taken for file in self.state.files)

    # --- what is handed in -------------------------------------------------------------------------------------------

    def _take_in(self, jobs: list[Job]) -> None:
        latest = int(self.clock.now() * 1000) + DAY
        records = [record for job in jobs for record in job.records]
        checked = self.taker.checker.check(records, latest)
        verdicts, where = self._stored(checked)
        receipts = self._receipts(jobs, checked, verdicts)
        self._hold(jobs, checked, verdicts)
        self.ingested += sum(receipt.accepted for receipt in receipts)
        self.rejected += len(checked.refused)
        for job, receipt in zip(jobs, receipts, strict=True):
            if not where:
                receipt.undecided = receipt.accepted
            job.answer.set_result(receipt)

    def _stored(self, checked: Checked) -> tuple[list[int], bool]:
        """Append what is new; gives the verdicts, and whether they were possible."""
        while self._catch_up():
            verdicts, fresh = judge(self.index, checked.keys, checked.digests)
            lines = [line for line, verdict in zip(checked.lines, verdicts, strict=True) if verdict == NEW]
            if not lines:
                return verdicts, True
            file = self.state.files[-1]
            behind = Appended(Path(file.path), 0, file.taken)
            done = self.spool.append(b"\n".join(lines) + b"\n", expected=behind)
            if done:
                self._took(file, done, fresh, [t for t, v in zip(checked.times, verdicts, strict=True) if v == NEW])
                return verdicts, True
            self.look()
        if checked.lines:
            self.spool.append(b"\n".join(checked.lines) + b"\n")
            self._look_at = 0.0
        return [NEW] * len(checked.lines), False

    def _took(self, file: File, done: Appended, fresh: dict[bytes, bytes], times: list[int]) -> None:
        """Take up lines of our own, which need no second look."""
        self.index.fresh.update(fresh)
        file.first = min(times) if not file.first else min(file.first, *times)
        file.last = max(file.last, *times)
        file.records += len(times)
        self._ends[file.path] = done.stop
        file.taken = done.stop

    def _catch_up(self) -> bool:
        """Take what others appended meanwhile; False if that is much, or cannot be read."""
        if self._unread() > BEHIND:
            return False
        try:
            while self._pending():
                self._advance()
        except IntegrityError as why:
            self._troubles["advance"] = why
            return False
        return self.state.files[-1].kind == "spool"

    def _unread(self) -> int:
        return sum(max(0, self._end_of(file) - file.taken) for file in self.state.files[-8:]) + (
            BEHIND + 1 if any(file.taken < self._end_of(file) for file in self.state.files[:-8]) else 0
        )

    def _receipts(self, jobs: list[Job], checked: Checked, verdicts: list[int]) -> list[Receipt]:
        owners = [number for number, job in enumerate(jobs) for _ in job.records]
        bases = [0]
        for job in jobs:
            bases.append(bases[-1] + len(job.records))
        receipts = [Receipt() for _ in jobs]
        for source, verdict in zip(checked.sources, verdicts, strict=True):
            owner = owners[source]
            if verdict == NEW:
                receipts[owner].accepted += 1
            elif verdict == SAME:
                receipts[owner].duplicates += 1
            else:
                receipts[owner].held.append((source - bases[owner] + 1, Rejected(CONFLICT)))
        for source, why in checked.refused:
            owner = owners[source]
            receipts[owner].rejected.append((source - bases[owner] + 1, why))
        return receipts

    def _hold(self, jobs: list[Job], checked: Checked, verdicts: list[int]) -> None:
        """Store records in conflict, durably, before anybody is told."""
        held = [
            held_line(CONFLICT, {}, line, {"handed_in_ms": int(self.clock.now() * 1000)})
            for line, verdict in zip(checked.lines, verdicts, strict=True)
            if verdict not in (NEW, SAME)
        ]
        if held:
            self.spool.hold(b"".join(held))
            self.taker.held += len(held)


def _spooled(segments: Sequence[Path]) -> list[File]:
    return [File(number=0, kind="spool", path=str(path)) for path in segments]
