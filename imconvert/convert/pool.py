"""Run the same pure functions in this process, or in a few worker processes.

Strategy: each worker has a pipe; it gets one job at a time and answers with the result or the error. Workers count
their progress in shared memory. With one worker everything runs here, in order.
Promise: a worker that dies ends the run with IMC-6003; a worker whose parent dies ends at once; no worker outlives
the pool.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import multiprocessing
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from imconvert import native
from imconvert.errors import ImconvertError, IntegrityError

TICK = 0.2
KEPT = 1 << 26
"""Seconds between two looks at the progress; bytes of freed memory that stay with a process."""

Work = Callable[[Any, Callable[[int], None]], Any]


FORKS = sys.platform == "linux"


class Engine(Protocol):
    """Whoever does jobs. `peak` are bytes of memory, `facts` what run.json says about it; `phase` tells what begins."""

    @property
    def peak(self) -> int: ...
    @property
    def facts(self) -> dict[str, Any]: ...
    def phase(self, name: str, total: int) -> None: ...
    def __enter__(self) -> Engine: ...
    def __exit__(self, *exc: object) -> None: ...
    def run(self, function: Work, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]: ...
    def here(self, function: Work, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]: ...


class Pool:
    """`jobs` workers, started when they are first needed. `peak` sums the memory high-water marks, in bytes."""

    def __init__(self, jobs: int, *, tick: Callable[[int], None]) -> None:
        self.jobs = jobs
        self.tick = tick
        self.context: Any = multiprocessing.get_context("fork" if FORKS else "spawn")
        self.counters = _counters(max(1, jobs), self.context)
        self.workers: list[tuple[Any, Connection]] = []
        self.peaks: dict[int, int] = {}

    def __enter__(self) -> Pool:
        gc.freeze()  # what is loaded stays; neither the collector nor the copies of a fork need to touch it
        if native.BUILT:
            native.keep_memory(KEPT)
        return self

    def __exit__(self, *exc: object) -> None:
        for process, pipe in self.workers:
            if exc[0] is not None:
                process.kill()
            else:
                _dismiss(pipe)
        for process, pipe in self.workers:
            process.join()
            pipe.close()

    @property
    def peak(self) -> int:
        return memory_peak() + sum(self.peaks.values())

    @property
    def facts(self) -> dict[str, Any]:
        return {"jobs": self.jobs}

    def phase(self, name: str, total: int) -> None:
        """Progress is counted by the jobs, whatever begins."""

    def run(self, function: Work, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Do all jobs; yields (number of the job, result) as they end, in no particular order.

        Raises the ImconvertError that a job raised, or IntegrityError IMC-6003 for a worker that is lost.
        """
        if self.jobs == 1 or len(jobs) <= 1:
            yield from self.here(function, jobs)
            return
        while len(self.workers) < min(self.jobs, len(jobs)):
            self._start()
        yield from self._spread(function, jobs)

    def here(self, function: Work, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Do all jobs in this process, in order; for what only this process has, such as standard input."""
        for number, job in enumerate(jobs):
            yield number, function(job, self._count_here)

    def _count_here(self, amount: int) -> None:
        self.counters[0] += amount
        self.tick(sum(self.counters))

    def _start(self) -> None:
        ours, theirs = self.context.Pipe()
        arguments = (theirs, self.counters, len(self.workers))
        process = self.context.Process(target=_serve, args=arguments, daemon=True)
        process.start()
        theirs.close()
        self.workers.append((process, ours))

    def _spread(self, function: Work, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        waiting = list(enumerate(jobs))[::-1]
        busy: dict[Connection, int] = {}
        for _, pipe in self.workers:
            self._give(pipe, function, waiting, busy)
        while busy:
            ready: list[Any] = wait(list(busy), TICK)
            for pipe in ready:
                number = busy.pop(pipe)
                result = self._answer(pipe)
                self._give(pipe, function, waiting, busy)
                yield number, result
            self.tick(sum(self.counters))

    def _give(
        self, pipe: Connection, function: Work, waiting: list[tuple[int, Any]], busy: dict[Connection, int]
    ) -> None:
        if waiting:
            number, job = waiting.pop()
            try:
                pipe.send((function, job))
            except OSError as why:
                raise self._lost(pipe) from why
            busy[pipe] = number

    def _answer(self, pipe: Connection) -> Any:
        try:
            kind, value, peak = pipe.recv()
        except (EOFError, OSError) as why:
            raise self._lost(pipe) from why
        self.peaks[pipe.fileno()] = peak
        if kind == "done":
            return value
        if kind == "error":
            raise value
        raise RuntimeError(f"a worker failed:\n{value}")

    def _lost(self, pipe: Connection) -> IntegrityError:
        process = next(process for process, its in self.workers if its is pipe)
        process.join(timeout=5)
        code = process.exitcode
        return IntegrityError("IMC-6003", how=f"signal {-code}" if code and code < 0 else f"exit code {code}")


def _counters(count: int, context: Any) -> Any:
    """Numbers from 0 to 2**64 - 1 that all workers see."""
    return memoryview(mmap.mmap(-1, 8 * count)).cast("Q") if FORKS else context.RawArray("Q", count)


def _dismiss(pipe: Connection) -> None:
    """Tell a worker to end; that its pipe closes would not do, for forked workers hold each other's ends."""
    with contextlib.suppress(OSError):
        pipe.send(None)


def memory_peak() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _serve(pipe: Connection, counters: Any, slot: int) -> None:
    """The life of a worker: jobs in, answers out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def progress(amount: int) -> None:
        counters[slot] += amount

    while True:
        try:
            order = pipe.recv()
        except (EOFError, OSError):
            return
        if order is None:
            return
        function, job = order
        pipe.send((*_attempt(function, job, progress), memory_peak()))


def _attempt(function: Work, job: Any, progress: Callable[[int], None]) -> tuple[str, Any]:
    try:
        return "done", function(job, progress)
    except ImconvertError as why:
        return "error", why
    except Exception:  # noqa: BLE001 - the top of a worker: the parent raises it again
        return "crash", traceback.format_exc()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
