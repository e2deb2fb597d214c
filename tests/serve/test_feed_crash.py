"""The feed is killed at every durable step: nothing that came in is lost, nothing is served with two contents.

Plan: one life of a feed (hand-ins, lines that others append, outputs that appear, pulls, checkpoints, merges) runs in
a fork, which ends at its k-th operation on the disk, a commit of the database being two of them. The fork writes down
what was acknowledged and what the puller stored, the puller always before the cursor moves. Then the feed is opened
again, without any fault, and drained.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support import faulty_disk
from support.faulty_disk import Fault, faulty
from support.feeds import CLOCK, LATEST, lines, output_of, record, serving
from support.small_jobs import fast_folder, forked

from imconvert.durable.database import Database
from imconvert.serve import keys, windows
from imconvert.serve.clerk import Clerk
from imconvert.serve.receiving import Job
from imconvert.serve.run import opened
from imconvert.serve.spool import Spool
from imconvert.serve.windows import Caps

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

NOW = 1_800_000_000_000
STRIDE = int(os.environ.get("IMCONVERT_CRASH_STRIDE", "4"))
"""Every n-th operation is a point of death; 1 for all of them."""

OUTPUTS = {
    "a": [record(number) for number in range(1, 9)],
    "b": [record(number) for number in (5, 20, 21, 22)] + [record(6, "other")],
    "c": [record(40), record(30, "other"), record(41)],
}


@dataclass
class Life:
    """The feed in `folder`, driven by hand; `ledger` keeps what was acknowledged and what the puller stored."""

    folder: Path
    ledger: Path
    clerk: Clerk = field(init=False)

    @contextmanager
    def begun(self) -> Iterator[None]:
        wanted = serving(self.folder / "feed.db", self.folder / "outs", caps=Caps(6, 4000), overlap=0)
        with opened(wanted, CLOCK) as self.clerk:
            self.clerk.spool.limit = 900
            yield

    def run(self) -> None:
        with self.begun():
            self.appears("a")
            self.looks()
            self.pulls(1)
            self.hands_in([record(10), record(11), record(1, "other")])
            self.appears("b")
            self.appends([record(30), record(31), record(20, "third")])
            self.looks()
            self.hands_in([record(12), record(40, "other")])
            self.pulls(2)
            self.clerk.checkpoint()
            self.appears("c")
            self.looks()
            self.hands_in([record(number) for number in range(50, 62)])
            self.clerk.index.tend(self.clerk.state.name_runs, wait=True)
            self.pulls(9)

    def go_on(self) -> None:
        """Another life, right behind a death: what is there is pulled first, and then more comes in."""
        with self.begun():
            self.looks()
            self.pulls(20)
            self.hands_in([record(90), record(91)])
            self.appends([record(92)])
            self.looks()
            self.pulls(2)

    def note(self, what: str, found: list[Any]) -> None:
        with self.ledger.open("a") as file:
            file.write(json.dumps({what: found}) + "\n")

    def appears(self, name: str) -> None:
        """An output comes under its name when it is whole, as with a rename."""
        if (self.folder / name).exists():
            os.rename(self.folder / name, self.folder / "outs" / name)

    def looks(self) -> None:
        self.clerk.register.look()
        while self.clerk.register.pending():
            self.clerk._advance()

    def hands_in(self, records: list[bytes]) -> None:
        self.clerk.receiver.take_in([Job(lines(records), Future())], NOW, LATEST)
        self.note("acknowledged", [json.loads(one) for one in records])

    def appends(self, records: list[bytes]) -> None:
        Spool(self.folder / "feed.spool", limit=900).append(lines(records))
        self.note("acknowledged", [json.loads(one) for one in records])

    def pulls(self, times: int) -> None:
        for _ in range(times):
            window = self.clerk.feed.pull(NOW)
            if window.records:
                body = b"".join(windows.blocks(window, b","))
                self.note("stored", json.loads(b"[" + body + b"]"))
                self.clerk.feed.delivered(window, NOW, 0.1)


@contextmanager
def small_index() -> Iterator[None]:
    """Runs and merges of a few keys."""
    before = keys.MOST, keys.FAN
    keys.MOST, keys.FAN = 5, 2
    try:
        yield
    finally:
        keys.MOST, keys.FAN = before


@contextmanager
def counted_commits(disk: faulty_disk.Disk) -> Iterator[None]:
    """The moments before and behind a commit count as operations of the disk."""
    real = Database.change

    def step() -> None:
        disk.log.append(("commit", ""))
        if len(disk.log) == disk.fault.at:
            os._exit(faulty_disk.DEAD)

    @contextmanager
    def change(self: Database) -> Iterator[Any]:
        with real(self) as link:
            yield link
            step()
        step()

    Database.change = change  # type: ignore[method-assign]
    try:
        yield
    finally:
        Database.change = real  # type: ignore[method-assign]


def prepared(folder: Path) -> Path:
    (folder / "outs").mkdir(parents=True)
    for name, records in OUTPUTS.items():
        output_of(folder / name, records)
    return folder


def lived(folder: Path, ledger: Path, at: int) -> int:
    """A life up to operation `at`, or to its end; gives the number of operations."""
    with small_index(), faulty(folder, Fault(at)) as disk, counted_commits(disk):
        Life(folder, ledger).run()
    return len(disk.log)


def told(ledger: Path) -> tuple[list[Any], list[Any]]:
    """The records that were acknowledged, and those that the puller stored."""
    found: dict[str, list[Any]] = {"acknowledged": [], "stored": []}
    for line in ledger.read_text().splitlines() if ledger.exists() else ():
        for name, records in json.loads(line).items():
            found[name] += records
    return found["acknowledged"], found["stored"]


def check(folder: Path, ledger: Path) -> None:
    life = Life(folder, ledger)
    for name in OUTPUTS:
        life.appears(name)
    with small_index():
        life.go_on()
        life.run()
    acknowledged, stored = told(ledger)
    contents: dict[int, Any] = {}
    for one in stored:
        msgid = one["data"]["msgid"]
        assert contents.setdefault(msgid, one) == one, "one key was served with two contents"
    came = {one["data"]["msgid"] for one in acknowledged}
    came |= {json.loads(one)["data"]["msgid"] for some in OUTPUTS.values() for one in some}
    assert [] == sorted(came ^ set(contents))


def test_a_kill_at_any_durable_step_loses_nothing() -> None:
    with fast_folder() as base:
        base_total, total = forked(lambda: lived(prepared(base / "0"), base / "0.ledger", 0))
        assert base_total == 0, total
        assert total > 150
        check(base / "0", base / "0.ledger")
        for at in range(1, total + 1, STRIDE):
            folder, ledger = prepared(base / str(at)), base / f"{at}.ledger"
            code, why = forked(lambda f=folder, g=ledger, k=at: lived(f, g, k))
            assert code in (0, faulty_disk.DEAD), why
            code, why = forked(lambda f=folder, g=ledger: check(f, g))
            assert code == 0, f"killed at operation {at}: {why}"
