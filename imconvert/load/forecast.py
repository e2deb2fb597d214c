"""What a load will take, before the first call: calls, hours, days and the date of its end by stage; blockers first.

The time of a stage is the longer of two: its calls at the limit, and the calls of its longest conversation one behind
the other, each waiting for its answer. Every shard is read once; memory does not grow with it, since the lines of a
conversation are neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imconvert.convert.books.manifest import Manifest
from imconvert.errors import cause_of, remedy_of
from imconvert.load.shards import listed, opened, read_head
from imconvert.load.target import Target
from imconvert.sources.inputs import text_lines
from imconvert.vendors.calls import App, Finding, History, Limit, Secret

LATENCY = 0.05
"""Seconds that an answer is taken to need, unless somebody knows better."""


@dataclass(slots=True)
class StagePlan:
    """A stage: calls by api, the longest conversation in calls, and the seconds that it takes."""

    name: str
    calls: Counter[str] = field(default_factory=Counter)
    longest: int = 0
    longest_name: str = ""
    seconds: float = 0.0
    limit: float = 0.0


@dataclass(slots=True)
class Forecast:
    """All stages in their order, and what is to be known before."""

    stages: list[StagePlan]
    findings: list[Finding]

    @property
    def blocked(self) -> bool:
        return any(one.blocks for one in self.findings)


def forecast(output: Path, target: Target, *, now: float, latency: float, seen: Callable[[int], None]) -> Forecast:
    """Count and calculate. Raises UsageError IMC-1014 for no finished output, IMC-1258 for unknown calls."""
    found = opened(output)
    app = App(target.values, Secret(""))
    if not target.takes(found.target):
        return Forecast([], [_no_messages(found, target)])
    stages = _counted(output, found, target, seen)
    for stage in stages:
        _timed(stage, target, latency)
    calls: Counter[str] = sum((stage.calls for stage in stages), Counter())
    findings = target.rest.checks(app, History(calls, *_times(found), int(now * 1000)))
    return Forecast(stages, sorted(findings, key=lambda one: not one.blocks))


def _no_messages(found: Manifest, target: Target) -> Finding:
    """Why an output can't be loaded into a target that it was not made for."""
    if target.rest.no_messages:
        return Finding(target.rest.no_messages, {"target": target.rest.title}, True)
    return Finding("IMC-1255", {"found": found.target, "wanted": target.name}, True)


def _times(found: Manifest) -> tuple[int, int]:
    firsts = [shard.times[0] for shard in found.shards if shard.times[0]]
    return min(firsts, default=0), max((shard.times[1] for shard in found.shards), default=0)


def _counted(output: Path, found: Manifest, target: Target, seen: Callable[[int], None]) -> list[StagePlan]:
    plans = {stage.name: StagePlan(stage.name) for stage in target.rest.stages}
    for name, stage, _ in listed(output, found, target.rest):
        _count(output / name, plans[stage], seen)
    return [plan for plan in plans.values() if plan.calls]


def _count(path: Path, plan: StagePlan, seen: Callable[[int], None]) -> None:
    conv, length = "", 0
    for number, line in enumerate(text_lines(path)):
        head = read_head(line, path.name, number)
        plan.calls[head.api] += 1
        length = length + 1 if head.conv and head.conv == conv else 1
        conv = head.conv
        if conv and length > plan.longest:
            plan.longest, plan.longest_name = length, conv
        seen(len(line) + 1)


def _timed(plan: StagePlan, target: Target, latency: float) -> None:
    """Calls at their limits, the buckets side by side; and the longest conversation."""
    buckets: Counter[str] = Counter()
    limits: dict[str, Limit] = {}
    for name, calls in plan.calls.items():
        api = target.rest.apis[name]
        bucket = target.bucket_of(api)
        buckets[bucket] += calls
        limits[bucket] = target.limit_of(api)
    rates = {bucket: one.calls / (one.per * (1 + target.margin)) for bucket, one in limits.items()}
    paced = max((calls / rates[bucket] for bucket, calls in buckets.items() if rates[bucket]), default=0.0)
    plan.seconds = max(paced, plan.longest * latency)
    plan.limit = min((one.calls / one.per for one in limits.values() if one.calls), default=0.0)


def facts(found: Forecast, now: float, lang: str) -> dict[str, Any]:
    """The forecast as JSON has it: a date of the end for each stage, one behind the other from `now` on."""
    rows, at = [], now
    for stage in found.stages:
        at += stage.seconds
        rows.append({
            "name": stage.name, "calls": stage.calls.total(), "by_api": dict(sorted(stage.calls.items())),
            "limit_per_s": stage.limit, "seconds": round(stage.seconds, 1), "hours": round(stage.seconds / 3600, 2),
            "days": round(stage.seconds / 86_400, 2), "finish_ms": round(at * 1000),
            "longest_conversation": stage.longest, "its_name": stage.longest_name,
        })  # fmt: skip
    findings = [
        {"code": one.code, "blocks": one.blocks, "why": cause_of(one.code, dict(one.values), lang=lang),
         "remedy": remedy_of(one.code, dict(one.values), lang=lang)}
        for one in found.findings
    ]  # fmt: skip
    return {"blocked": found.blocked, "findings": findings, "stages": rows,
            "seconds": round(at - now, 1), "finish_ms": round(at * 1000)}  # fmt: skip
