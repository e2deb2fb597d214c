"""Killed at any operation, the same command again ends with the bytes of an undisturbed run (design, promise 3).

Plan: the small job is killed before every operation on its disk, and in the middle of every write, each in a fork;
then it is run again. "After operation k" and "before operation k + 1" are one state, see support/faulty_disk.py.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.faulty_disk import DEAD, Fault, faulty
from support.small_jobs import complete, differing, fast_folder, forked, leftovers, options, run, small_inputs, tree

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

SEED = int(os.environ.get("IMCONVERT_SEED", "1"))
SHARE = int(os.environ.get("IMCONVERT_CRASH_STRIDE", "1"))


class Job:
    """One small job: what it gives undisturbed, and which operations it takes."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.folder = folder
        self.more = more
        if not (folder / "in").exists():
            small_inputs(folder / "in")
        with faulty(folder / "whole") as disk:
            run(self.options("whole"))
        self.log = disk.log
        self.wanted = tree(folder / "whole")

    def options(self, name: str) -> Any:
        return options(self.folder / "in", self.folder / name, **self.more)

    def killed(self, name: str, at: int, what: str = "kill") -> int:
        """Run and die at operation `at`; gives the exit code."""

        def work() -> None:
            with faulty(self.folder / name, Fault(at, what)):
                run(self.options(name))

        code, trouble = forked(work)
        assert code in (0, DEAD), trouble
        return code

    def resumed(self, name: str) -> None:
        """Run undisturbed and compare everything."""
        code, trouble = forked(lambda: run(self.options(name)) and None)
        assert code == 0, trouble
        assert leftovers(self.folder / name) == []
        assert differing(self.wanted, self.folder / name) == []

    def points(self, stride: int, seed: int) -> Iterator[tuple[int, str]]:
        """Kill points, every `stride`-th from a random first one; each write is torn, too."""
        every = [(at, "kill") for at in range(1, len(self.log) + 1)]
        every += [(at, "tear") for at, (name, _) in enumerate(self.log, 1) if name == "write"]
        yield from every[random.Random(seed).randrange(stride) :: stride]


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


def crash_and_resume(job: Job, at: int, what: str) -> None:
    name = f"{what}-{at}"
    assert job.killed(name, at, what) == DEAD
    assert complete(job.folder / name) == []
    job.resumed(name)


def kill_everywhere(job: Job, stride: int) -> None:
    found, broken = Counter[str](), []
    for at, what in job.points(stride, SEED):
        found[f"{what} {job.log[at - 1][0]}"] += 1
        try:
            crash_and_resume(job, at, what)
        except AssertionError as why:
            broken.append((at, what, *job.log[at - 1], str(why).splitlines()[0][:100]))
    print(f"seed {SEED}: {found.total()} kill points of {len(job.log)} operations: {dict(found)}")
    assert broken == []


@pytest.mark.parametrize("quarter", range(4))
def test_killed_at_any_operation(folder: Path, quarter: int) -> None:
    """Every operation of the job, in four tests, so that no test is a long one."""
    job = Job(folder)
    every = list(job.points(SHARE, SEED))[quarter::4]
    job.points = lambda stride, seed: iter(every)  # type: ignore[method-assign]
    kill_everywhere(job, 1)


def test_killed_with_rekeying(folder: Path) -> None:
    kill_everywhere(Job(folder, on_conflict="rekey"), stride=9 * SHARE)


@pytest.mark.parametrize("policy", ["drop", "mark"])
def test_killed_with_recalls(folder: Path, policy: str) -> None:
    kill_everywhere(Job(folder, recalls=policy, on_conflict="rekey"), stride=19 * SHARE)


def test_killed_with_keep_last(folder: Path) -> None:
    kill_everywhere(Job(folder, on_conflict="keep-last"), stride=23 * SHARE)


def test_killed_while_packages_are_made(folder: Path) -> None:
    """Members, copies, packages and the index of users behind all that other targets have."""
    members = folder / "members.csv"
    members.write_text("group,user\n90071992547,u0\n90071992547,reader\n", encoding="utf-8")
    job = Job(folder, target="device", members=members, settings={"device.gzip": "yes"})
    wanted = [at for at, (_, name) in enumerate(job.log, 1) if Path(name).name.startswith(OF_PACKAGES)]
    assert len(wanted) > 20
    points = [
        (at, what) for at in wanted for what in ("kill", "tear") if what == "kill" or job.log[at - 1][0] == "write"
    ]
    job.points = lambda stride, seed: iter(points[random.Random(seed).randrange(stride) :: stride])  # type: ignore[method-assign]
    kill_everywhere(job, stride=3 * SHARE)


OF_PACKAGES = ("members", "copies-", "packages-", "users.")


def test_killed_again_while_resuming(folder: Path) -> None:
    """Of a sample of first kills, the run after it is killed at every few operations as well."""
    job = Job(folder)
    chance = random.Random(SEED)
    count, broken = 0, []
    for first in sorted(chance.sample(range(2, len(job.log)), 8)):
        second = 1 + chance.randrange(40)
        while True:
            name = f"{first}-{second}"
            job.killed(name, first)
            if job.killed(name, second) == 0:
                break
            count += 1
            assert complete(job.folder / name) == []
            try:
                job.resumed(name)
            except AssertionError as why:
                broken.append((first, second, str(why).splitlines()[0][:100]))
            second += 40 * SHARE
    print(f"seed {SEED}: {count} kills while resuming")
    assert broken == []


def test_killed_many_times_in_a_row(folder: Path) -> None:
    """Each run gets a few operations further than the one before, at worst."""
    job = Job(folder)
    chance = random.Random(SEED)
    kills = 0
    for limit in (40, 120, 400):
        name = f"row-{limit}"
        while job.killed(name, chance.randrange(limit // 2, limit + kills)) == DEAD:
            kills += 1
            assert complete(job.folder / name) == []
            assert kills < 2000, f"no end, seed {SEED}"
        job.resumed(name)
    print(f"seed {SEED}: {kills} kills in a row")
