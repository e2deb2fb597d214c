"""Pull again and again, as Yunxin does at the agreed interval, and keep count.

Plan: a round is one pull, or two at once where that is the planned mishap. What a pull brought is judged and stored
before the next one is made, so that the store is all a rehearsal needs to go on later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from imconvert.errors import Rejected
from imconvert.simulators.yunxin.answer import Answer, PullFailed, elements_of
from imconvert.simulators.yunxin.faults import Fault, Rule, fault_of
from imconvert.simulators.yunxin.fetch import Clock, Cut, Fetcher
from imconvert.simulators.yunxin.records import judge
from imconvert.simulators.yunxin.store import Counts, Element, Pull, Store

BROKEN = ("IMC-7124", "IMC-7127")
"""What breaks the agreement, whatever happened before and after."""


@dataclass(frozen=True, slots=True)
class Course:
    """How long to go on: a number of pulls, or until so many whole answers in a row brought nothing new."""

    every: float
    pulls: int | None = None
    until_quiet: int | None = None


@dataclass(frozen=True, slots=True)
class Mishaps:
    """The planned mishaps; after the first `calm_after` pulls there are no more."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0
    calm_after: int | None = None

    def of(self, number: int) -> Fault | None:
        if self.calm_after is not None and number > self.calm_after:
            return None
        return fault_of(self.rules, self.seed, number)


class Tally(Struct):
    """All pulls of a rehearsal: how they ended, what they brought, and what was odd."""

    pulls: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    outcomes: dict[str, int] = {}
    codes: dict[str, int] = {}
    examples: dict[str, dict[str, object]] = {}
    remarks: dict[str, int] = {}
    largest_records: int = 0
    largest_bytes: int = 0
    slowest_seconds: float = 0.0
    last: str | None = None

    def add(self, pull: Pull) -> None:
        self.pulls += 1
        self.counts.add(pull.counts)
        _count(self.outcomes, pull.outcome)
        if pull.code:
            _count(self.codes, pull.code)
            self.examples.setdefault(pull.code, pull.values)
        if pull.outcome in ("taken", "failed"):
            self.last = pull.outcome
        self.largest_records = max(self.largest_records, pull.counts.received)
        self.largest_bytes = max(self.largest_bytes, pull.bytes)
        if pull.outcome == "taken":
            self.slowest_seconds = max(self.slowest_seconds, pull.seconds)

    @property
    def clean(self) -> bool:
        """Whether the feed did what was agreed, and the last pull that had no mishap was answered."""
        broken = self.counts.bad or self.counts.overwritten or any(code in self.codes for code in BROKEN)
        return not broken and self.last in ("taken", None)


def _count(counts: dict[str, int], name: str, more: int = 1) -> None:
    counts[name] = counts.get(name, 0) + more


@dataclass(slots=True)
class Rehearsal:
    """One puller at work. `told` hears of every pull once it is stored."""

    fetcher: Fetcher
    store: Store
    clock: Clock
    mishaps: Mishaps
    told: Callable[[Pull], None]
    tally: Tally = field(default_factory=Tally)

    def run(self, course: Course) -> None:
        """Pull until the course is over."""
        number, quiet, due = self.store.pulls, 0, self.clock.monotonic()
        while True:
            pulls = self.round(number + 1)
            number += len(pulls)
            brought_nothing = all(pull.outcome == "taken" and not pull.counts.new for pull in pulls)
            quiet = quiet + 1 if brought_nothing else 0
            if quiet == course.until_quiet or (course.pulls is not None and self.tally.pulls >= course.pulls):
                return
            now = self.clock.monotonic()
            due = max(due + course.every, now)
            self.clock.sleep(due - now)

    def round(self, number: int) -> list[Pull]:
        """One pull, or two at once; what they brought is stored."""
        fault = self.mishaps.of(self.tally.pulls + 1)
        at_once = 2 if fault and fault.kind == "twice" else 1
        if at_once == 1:
            asked = [self._ask(number, fault)]
        else:
            with ThreadPoolExecutor(at_once) as threads:
                asked = list(threads.map(self._ask, (number, number + 1), (fault, fault)))
        for pull, answer in asked:
            self._take(pull, answer)
        return [pull for pull, _ in asked]

    def _ask(self, number: int, fault: Fault | None) -> tuple[Pull, Answer | None]:
        pull = Pull(number=number, at_ms=int(self.clock.now() * 1000), outcome="failed", counts=Counts())
        pull.fault = fault.kind if fault else None
        start = self.clock.monotonic()
        answer: Answer | None = None
        try:
            answer = self.fetcher.fetch(fault)
            pull.status, pull.bytes = answer.status, answer.size
        except PullFailed as why:
            pull.code, pull.values = why.code, why.values
        except Cut as cut:
            pull.outcome, pull.status, pull.bytes = "cut", cut.status, cut.size
        pull.seconds = round(self.clock.monotonic() - start, 6)
        return pull, answer

    def _take(self, pull: Pull, answer: Answer | None) -> None:
        elements: list[Element] = []
        if answer is not None and pull.fault == "lose":
            pull.outcome = "lost"
        elif answer is not None:
            elements = self._elements(pull, answer)
        self.store.take(pull, elements)
        self.tally.add(pull)
        self.told(pull)

    def _elements(self, pull: Pull, answer: Answer) -> list[Element]:
        try:
            raws = elements_of(answer)
        except PullFailed as why:
            pull.code, pull.values = why.code, why.values
            return []
        pull.outcome = "taken"
        return list(self._judged(raws))

    def _judged(self, raws: list[bytes]) -> Iterator[Element]:
        now = int(self.clock.now() * 1000)
        for raw in raws:
            try:
                found = judge(raw, now)
            except Rejected as why:
                yield raw, why
            else:
                for remark in found.remarks:
                    _count(self.tally.remarks, remark)
                yield raw, found
