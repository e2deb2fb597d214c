"""The driver of a run on Apache Spark: it schedules, and decides nothing.

Strategy: jobs are the same as on one machine, a task each; what all jobs of a step have in common travels once. What
tasks write goes into the work folder, which every machine sees at the same path; keys travel by themselves
(`exchange.py`).
Promise: everything that is reported comes from answers of tasks, of which each counts once however often it was tried.
What an attempt writes has its name only when it is whole (`durable.attempts`), and nobody publishes for a driver that
is gone or a step that is over.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillBusy
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import Broadcast, SparkContext, TaskContext
from pyspark.rdd import RDD

from imconvert import __version__, durable
from imconvert.convert.map.segment import MapJob
from imconvert.convert.pool import Work, memory_peak
from imconvert.durable import attempts
from imconvert.errors import ImconvertError, InputError, IntegrityError, UsageError
from imconvert.sources.inputs import check_unchanged

LOOK = 0.5
WAVE = 16
LEAST = 1000
PROBES = 64
"""Seconds between two looks at how far the tasks are; tasks for each core that are given out at once, and at least;
tasks that look around before the run."""

UNSEEN, LACKING, GAVE_UP = "IMC-1353", "IMC-1354", "IMC-6140"


class Turn(NamedTuple):
    """A step of a run, as its tasks know it; each is tried `tries` times."""

    work: Path
    name: str
    tries: int


class Done(NamedTuple):
    """What a task answers: its result, and the most memory that its worker ever had, in bytes."""

    result: Any
    peak: int


class Failed(NamedTuple):
    """What a task answers that gives up."""

    why: ImconvertError


@dataclass(frozen=True, slots=True)
class Order:
    """What the tasks of a step have in common."""

    turn: Turn
    function: Work
    kind: type[Any]
    common: dict[str, Any]


def in_common(jobs: Sequence[Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The fields that are the very same in all jobs, and of each job the others."""
    each = [{field.name: getattr(job, field.name) for field in fields(job)} for job in jobs]
    common = {name: value for name, value in each[0].items() if all(job[name] is value for job in each)}
    return common, [{name: value for name, value in job.items() if name not in common} for job in each]


def do_jobs(shared: Broadcast[Order], jobs: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, Any]]:
    """The life of a task: numbers of jobs and their own fields in, answers out."""
    order = shared.value
    for number, own in jobs:
        job = order.kind(**order.common, **own)
        yield number, answered(order.turn, partial(_do, order.function, job))


def _do(function: Work, job: Any) -> Any:
    if isinstance(job, MapJob):
        _look_at(job)
    return function(job, _unseen)


def _look_at(job: MapJob) -> None:
    """Raise UsageError IMC-1353 where this machine has no such input, which the driver has seen."""
    for source in job.inputs.values():
        try:
            check_unchanged(source)
        except InputError as why:
            if why.code == "IMC-4001":
                raise UsageError(UNSEEN, source.path, host=os.uname().nodename) from why


def _unseen(amount: int) -> None:
    """Progress of a single job, which nobody looks at."""


def answered(turn: Turn, do: Callable[[], Any]) -> Done | Failed:
    """The answer of one attempt. What may be better elsewhere is raised, so that Spark tries again while it will."""
    context = TaskContext.get()
    assert context is not None
    name = f"{turn.name}-{context.stageId()}-{context.partitionId()}-{context.taskAttemptId()}"
    try:
        if attempts.turn_of(turn.work) is None:
            raise UsageError(UNSEEN, str(turn.work), host=os.uname().nodename)
        with attempts.attempted(turn.work, name, turn.name) as attempt:
            result = do()
            attempts.publish(attempt)
    except ImconvertError as why:
        if context.attemptNumber() + 1 < turn.tries and (why.code == UNSEEN or isinstance(why, IntegrityError)):
            raise
        return Failed(why)
    return Done(result, memory_peak())


class Seen(NamedTuple):
    """What a machine answers that looks around."""

    host: str
    version: str
    sees: bool


def look_around(work: Path, numbers: Iterable[int]) -> Iterator[Seen]:
    """What this machine has of what the run needs."""
    for _ in numbers:
        yield Seen(os.uname().nodename, __version__, attempts.turn_of(work) is not None)


class Spark:
    """Does jobs as tasks of a SparkContext. `peak` is the memory of the driver and of the largest worker, in bytes."""

    def __init__(self, context: SparkContext, work: Path, tick: Callable[[int], None]) -> None:
        self.context = context
        self.work = work
        self.tick = tick
        self.name = secrets.token_hex(4)
        self.turns = 0
        self.thread = ThreadPoolExecutor(1)
        self.largest = 0
        self.told = self.expected = self.best = 0

    def __enter__(self) -> Spark:
        durable.remove(self.work / attempts.FOLDER)
        self.probe()
        return self

    def __exit__(self, *exc: object) -> None:
        self.thread.shutdown(wait=exc[0] is None)

    @property
    def cores(self) -> int:
        """How many there are now; a cluster may grow with the work."""
        return max(1, int(self.context.defaultParallelism))

    @property
    def peak(self) -> int:
        return memory_peak() + self.largest

    @property
    def facts(self) -> dict[str, Any]:
        return {"engine": f"spark {self.context.version}", "master": self.context.master, "cores": self.cores}

    def phase(self, name: str, total: int) -> None:
        """From here on `total` is done bit by bit."""
        self.told += self.expected
        self.expected, self.best = total, 0

    def turn(self) -> Turn:
        """The next step; attempts of the one before can no longer publish."""
        self.turns += 1
        name = f"{self.name}-{self.turns}"
        durable.replace_file(self.work / attempts.TURN, name.encode())
        return Turn(self.work, name, self._tries())

    def _tries(self) -> int:
        """How often a task is tried: `local` once unless it says otherwise, all others as configured."""
        master = str(self.context.master)
        if master.startswith("local["):
            found = re.fullmatch(r"local\[[^,]+,\s*(\d+)\]", master)
            return int(found[1]) if found else 1
        return 1 if master == "local" else int(self.context.getConf().get("spark.task.maxFailures", "4") or 4)

    def probe(self) -> None:
        """Let machines look around. Raises UsageError IMC-1353, IMC-1354."""
        turn = self.turn()
        count = min(PROBES, self.cores)
        tasks = self.context.parallelize(range(count), count).mapPartitions(partial(look_around, turn.work))
        for seen in self.collect(tasks):
            if seen.version != __version__:
                raise UsageError(LACKING, why=f"{seen.host} has imconvert {seen.version}, the driver {__version__}")
            if not seen.sees:
                raise UsageError(UNSEEN, str(self.work), host=seen.host)

    def run(self, function: Work, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Do all jobs, a task each; yields (number of the job, result) in waves, in no particular order.

        Raises the ImconvertError that a job ended with, or IntegrityError IMC-6140 where Spark gave up.
        """
        if not jobs:
            return
        common, own = in_common(jobs)
        order = self.context.broadcast(Order(self.turn(), function, type(jobs[0]), common))
        waiting = list(enumerate(own))
        wave = max(LEAST, WAVE * self.cores)
        for start in range(0, len(waiting), wave):
            some = waiting[start : start + wave]
            tasks = self.context.parallelize(some, len(some)).mapPartitions(partial(do_jobs, order))
            found = self.collect(tasks, start / len(waiting), len(some) / len(waiting))
            yield from ((number, self.result(answer)) for number, answer in found)
        order.unpersist()

    def here(self, function: Work, jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Do all jobs in the driver, in order; for what only it has, such as standard input."""
        for number, job in enumerate(jobs):
            yield number, function(job, _unseen)

    def result(self, answer: Done | Failed) -> Any:
        """The result in an answer. Raises what the task ended with."""
        if isinstance(answer, Failed):
            raise answer.why
        self.largest = max(self.largest, answer.peak)
        return answer.result

    def collect(self, tasks: RDD[Any], since: float = 0.0, share: float = 1.0) -> list[Any]:
        """All that tasks give, while progress is told: they are `share` of what is done, `since` is behind us."""
        self.turns += 1
        group = f"{self.name}-{self.turns}"
        answer = self.thread.submit(self._collect, tasks, group)
        try:
            while not _ready(answer):
                self._tell(since + share * self._done(group))
        except BaseException:
            self.context.cancelJobGroup(group)
            raise
        try:
            return answer.result()
        except (Py4JError, OSError, EOFError) as why:
            raise explained(why) from why

    def _collect(self, tasks: RDD[Any], group: str) -> list[Any]:
        self.context.setJobGroup(group, "imconvert", interruptOnCancel=True)
        return list(tasks.collect())

    def _done(self, group: str) -> float:
        """Which share of the tasks of a group is done."""
        tracker = self.context.statusTracker()
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
        stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
        total = sum(stage.numTasks for stage in stages if stage)
        return sum(stage.numCompletedTasks for stage in stages if stage) / total if total else 0.0

    def _tell(self, share: float) -> None:
        self.best = max(self.best, int(min(1.0, share) * self.expected))
        self.tick(self.told + self.best)


def _ready(answer: Future[Any]) -> bool:
    try:
        answer.exception(LOOK)
    except StillBusy:
        return False
    return True


_CODE = re.compile(r"IMC-\d{4}[^\n]*")
_ERROR = re.compile(r"^\w[\w.]*(?:Error|Exception)\b.*", re.MULTILINE)


def explained(why: BaseException) -> ImconvertError:
    """What made Spark give up, in a line."""
    text = str(why.java_exception.getMessage()) if isinstance(why, Py4JJavaError) else str(why)
    if "No module named" in text or "PYTHON_VERSION_MISMATCH" in text:
        return UsageError(LACKING, why=_ERROR.findall(text)[-1] if _ERROR.findall(text) else text.splitlines()[0])
    lines = _CODE.findall(text) or _ERROR.findall(text) or text.splitlines() or [type(why).__name__]
    return IntegrityError(GAVE_UP, why=lines[-1].strip().rstrip("."))
