"""A load from its beginning to its end: open the journal, check the shards, decide about what is unknown, load stage
by stage, leave the list of failed items and the map of ids.

Files: `load/` beside the shards holds journal, locks and pace; `load-failed.ndjson` and `load-ids.csv` are written
from the journal at every end of a run, whatever ended it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from imconvert import durable
from imconvert.convert.books.manifest import Manifest
from imconvert.deliver import Clock
from imconvert.deliver.journal import Journal
from imconvert.durable.shared import Claims
from imconvert.errors import ImconvertError, UsageError, exit_code_of
from imconvert.load import failed, replays
from imconvert.load.chain import Chain
from imconvert.load.progress import Progress, Row, facts
from imconvert.load.run import Choice, Stage, Watchful
from imconvert.load.secrets import Secrets
from imconvert.load.shards import Shard, opened, registered
from imconvert.load.target import Target
from imconvert.load.unknown import Decide, decide
from imconvert.load.uploads import Uploads
from imconvert.vendors.calls import App, Secret

FOLDER = "load"
JOURNAL = "journal.db"
FORMAT = "1"
LISTS = 1 << 40
"""The number in the claims that stands for the lists; shards have lower ones."""
LEAST_SLACK, SLACK = 8, 0.1
"""Calls that may wait for their turn, at least, and in seconds of the limit."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a load is asked to do. `journal` is None for the folder beside the shards."""

    output: Path
    target: Target
    secret: Secret
    choice: Choice = field(default_factory=Choice)
    journal: Path | None = None
    replay: Path | None = None
    rebind: bool = False
    decide: Decide | None = None

    @property
    def folder(self) -> Path:
        return self.journal or self.output / FOLDER

    @property
    def app(self) -> App:
        return App(self.target.values, self.secret)


Show = Callable[[Callable[[], dict[str, Any]]], AbstractAsyncContextManager[None]]
"""Shows the facts while the load runs: a terminal view, a status page."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How the load touches the world: clock, chance, what asks it to stop, who is shown what, bytes checked."""

    clock: Clock
    chance: Random
    stop: asyncio.Event
    show: Show | None = None
    checked: Callable[[int], None] = lambda size: None


class Job:
    """A load that has its journal. `facts()` says how it is doing."""

    def __init__(self, wanted: Wanted, ways: Ways) -> None:
        self.wanted, self.ways = wanted, ways
        self.manifest: Manifest = opened(wanted.output)
        check(wanted, self.manifest)
        durable.make_folder(wanted.folder)
        self.journal = Journal(wanted.folder / JOURNAL, ways.clock)
        self.claims = Claims(wanted.folder / "claims")
        self.progress = Progress(wanted.target.rest.identity(wanted.app), ways.clock.steady())
        self.left = failed.Left()
        self.share: Callable[[], float] = lambda: 1.0

    def prepare(self) -> list[tuple[str, list[Shard]]]:
        """The stages with their shards, checked, and decisions about unknown calls carried out."""
        wanted, rest = self.wanted, self.wanted.target.rest
        bind(self.journal, wanted, self.manifest)
        if wanted.replay:
            shards = replays.taken_in(wanted.replay, wanted.folder, rest, self.journal)
        else:
            shards = registered(wanted.output, self.manifest, rest, self.journal, self.ways.checked)
        if wanted.decide:
            decide(self.journal, shards, wanted.decide)
        order = [stage.name for stage in rest.stages]
        for shard in sorted(shards, key=lambda shard: order.index(shard.stage)):
            row = self.progress.rows.setdefault(shard.stage, Row(shard.stage, 0))
            row.lines += shard.lines
            row.done += self.journal.finished(shard.number)
        for name in wanted.choice.stages:
            if name not in order:
                raise UsageError("IMC-1259", found=name, known=", ".join(order))
        chosen = wanted.choice.stages or tuple(order)
        stages = {name: [shard for shard in shards if shard.stage == name] for name in order if name in chosen}
        return [(name, own) for name, own in stages.items() if own]

    async def run(self, stages: list[tuple[str, list[Shard]]]) -> None:
        """Load the stages. Raises what stopped it, once everything is on the disk."""
        wanted, ways = self.wanted, self.ways
        self.journal.start()
        chain = Chain(wanted.target, wanted.app, self.journal, wanted.folder, secrets=Secrets(wanted.output),
                      clock=ways.clock, chance=ways.chance, count=self.progress.count)  # fmt: skip
        self.share = chain.paces.share
        watchful = Watchful(wanted.target.budget)
        uploads = Uploads(wanted.output, wanted.target.rest, self.journal, chain.unrecorded)
        left = wanted.choice.limit
        try:
            async with ways.show(self.facts) if ways.show else nullcontext():
                for name, shards in stages:
                    self.progress.now_at = name
                    choice = Choice(wanted.choice.stages, wanted.choice.only, left)
                    stage = Stage(
                        shards, chain, self.journal, self.claims, clock=ways.clock, choice=choice,
                        progress=self.progress, inflight=wanted.target.inflight, slack=self.slack(name),
                        watchful=watchful, stop=ways.stop, uploads=uploads,
                    )  # fmt: skip
                    await stage.run()
                    left = None if left is None else left - stage.sent
                    if ways.stop.is_set() or left == 0:
                        break
                self.progress.state = "stopped" if ways.stop.is_set() else "ended"
        except ImconvertError as why:
            self.progress.state, self.progress.why = "stopped", why.text()
            raise
        finally:
            self.share = lambda: 1.0
            await uploads.close()
            await chain.close()
            await self.journal.close()

    def leave_lists(self) -> None:
        """Write the lists anew, one process at a time."""
        wanted = self.wanted
        self.claims.wait(LISTS)
        try:
            self.left = failed.leave_lists(
                wanted.output, wanted.folder / JOURNAL, wanted.target.rest, self.ways.clock, ours=self.claims.take
            )  # fmt: skip
        finally:
            self.claims.close()

    def close(self) -> None:
        """Give up a job that was not run."""
        self.journal.vault.close()
        self.journal.data.close()
        self.claims.close()

    def facts(self) -> dict[str, Any]:
        """How the load is doing, as JSON has it."""
        clock = self.ways.clock
        share = self.share() if self.progress.state == "loading" else 1.0
        return facts(self.progress, now=clock.now(), steady=clock.steady(), limits=self.limits(), share=share)

    def summary(self) -> dict[str, Any]:
        """The facts at the end of a run, with what the journal says of failures and unknown calls."""
        rows = self.progress.rows.values()
        return {**self.facts(), "sent": sum(row.mine for row in rows), **self.left._asdict()}

    def exit_code(self) -> int:
        """7 where outcomes are unknown, 3 where items failed, else 0."""
        if self.left.unknown:
            return exit_code_of("IMC-7220")
        return exit_code_of("IMC-2001") if self.left.failed_lines else 0

    def slack(self, stage: str) -> int:
        """So many calls that wait for their turn keep the pace even; more would only hold up their conversations."""
        rate = self.limits()[stage]
        return max(LEAST_SLACK, int(rate * SLACK)) if rate else self.wanted.target.inflight

    def limits(self) -> Mapping[str, float]:
        """Calls a second by stage: the lowest of its calls' limits."""
        target = self.wanted.target
        found = {}
        for stage in target.rest.stages:
            rates = [target.limit_of(target.rest.apis[api]) for api in stage.apis]
            found[stage.name] = min((one.calls / one.per for one in rates if one.calls), default=0.0)
        return found


def check(wanted: Wanted, found: Manifest, *, secret: bool = True) -> None:
    """Raise UsageError IMC-1255 for another target's output, IMC-1256 for a missing secret if one is needed."""
    if not wanted.target.takes(found.target):
        raise UsageError("IMC-1255", str(wanted.output), found=found.target, wanted=wanted.target.name)
    if secret and not wanted.secret:
        raise UsageError("IMC-1256", env=wanted.target.secret_env)


def bind(journal: Journal, wanted: Wanted, found: Manifest) -> None:
    """Tie the journal to the app and the address. Raises UsageError IMC-1260 where it is another's."""
    rest, app = wanted.target.rest, wanted.app
    facts_now = {"format": FORMAT, "app": rest.identity(app), "address": rest.address(app)}
    known = dict(journal.data.rows("SELECT name, value FROM facts"))
    if known.get("format", FORMAT) != FORMAT:
        raise UsageError("IMC-1006", str(journal.path), found=known["format"], ours=FORMAT)
    other = [name for name in ("app", "address") if known.get(name, facts_now[name]) != facts_now[name]]
    if other and (other != ["address"] or not wanted.rebind):
        raise UsageError("IMC-1260", str(journal.path), found=f"{known['app']} {known['address']}",
                         wanted=f"{facts_now['app']} {facts_now['address']}")  # fmt: skip
    with journal.data.change() as link:
        link.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts_now.items()))


async def carry_out(job: Job, stages: list[tuple[str, list[Shard]]]) -> None:
    """Load the stages and leave the lists; raises what stopped it."""
    try:
        await job.run(stages)
    finally:
        job.leave_lists()
