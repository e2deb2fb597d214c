"""Kill the real command line at random moments and look at what is left; for as long as there is time.

Plan: one export, converted once undisturbed for each conflict policy. Then, round after round: start, kill (the
parent, a worker, or the whole group), up to five times in a row, with one or two workers; then run to the end. The
folder must hold the same bytes, nothing else, and nobody may still be running.
Every round is drawn from the seed and its number, so that a failing one can be repeated with --seed and --first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import click
import psutil

ROOT = Path(__file__).resolve().parents[1]
POLICIES = ("quarantine", "keep-last", "rekey")
TARGETS = ("parent", "worker", "group", "interrupt", "terminate")
PATIENCE = 60.0


def main_command(folder: Path, output: Path, policy: str, jobs: int) -> list[str]:
    return [sys.executable, "-m", "imconvert", "msgs", str(folder), str(output), "-q", "-j", str(jobs),
            "--segment-size", "60k", "--on-conflict", policy, "--latest", "1900000000000"]  # fmt: skip


def start(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def members(session: int) -> list[psutil.Process]:
    """The living processes of a session but its first."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = os.getsid(process.pid) == session and process.pid != session
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def strike(process: subprocess.Popen[bytes], target: str, chance: Random) -> None:
    """Kill or stop what `target` says; a process that has ended already is fine."""
    if process.poll() is not None:
        return
    if target == "worker":
        workers = [child for child in members(process.pid) if "resource_tracker" not in " ".join(child.cmdline())]
        for worker in chance.sample(workers, min(1, len(workers))):
            worker.kill()
    elif target == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.send_signal({"interrupt": signal.SIGINT, "terminate": signal.SIGTERM}.get(target, signal.SIGKILL))


def sums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def complete(folder: Path) -> bool:
    """Whether there is no manifest, or everything that it names is there as it says."""
    path = folder / "manifest.json"
    if not path.exists():
        return True
    found = json.loads(path.read_bytes())
    wanted = {shard["name"]: shard["sha256"] for shard in found["shards"]}
    wanted |= {name: side["sha256"] for name, side in found["files"].items()}
    have = sums(folder)
    return all(have.get(name) == value for name, value in wanted.items())


def wait_for(process: subprocess.Popen[bytes]) -> tuple[int | None, bytes]:
    """Exit code and what it said; None for one that does not end."""
    try:
        said = process.communicate(timeout=PATIENCE)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None, process.communicate()[1]
    return process.returncode, said


def orphans(session: int) -> int:
    deadline = time.monotonic() + 5
    while (left := members(session)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        process.kill()
    return len(left)


class Campaign:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.counts: Counter[str] = Counter()
        self.troubles: list[str] = []
        self.wanted: dict[str, dict[str, str]] = {}
        self.seconds = 1.0

    def prepare(self, messages: int) -> None:
        """Make the export, and what an undisturbed run makes of it."""
        making = [sys.executable, str(ROOT / "scripts" / "make_export.py"), "easemob", str(self.folder / "in"),
                  "--messages", str(messages), "--files", "3", "--seed", str(self.seed), "--duplicates", "0.05",
                  "--conflicts", "0.02", "--damage", "0.01"]  # fmt: skip
        subprocess.run(making, check=True, stdout=subprocess.DEVNULL)
        for policy in POLICIES:
            began = time.monotonic()
            code, said = wait_for(start(main_command(self.folder / "in", self.folder / policy, policy, 1)))
            assert code in (0, 3), said
            self.seconds = time.monotonic() - began
            self.wanted[policy] = sums(self.folder / policy)

    def round(self, number: int) -> None:
        chance = Random(f"{self.seed} {number}")
        policy = chance.choice(POLICIES)
        output = self.folder / f"round-{number}"
        before = len(self.troubles)
        for _ in range(chance.randint(1, 5)):
            self.disturbed(number, output, policy, chance)
        process = start(main_command(self.folder / "in", output, policy, chance.choice([1, 2])))
        code, said = wait_for(process)
        self.check(number, code in (0, 3), f"the last run ended with {code}: {said.decode()[-300:]}")
        self.check(number, orphans(process.pid) == 0, "orphans after the last run")
        self.check(number, sums(output) == self.wanted[policy], "other bytes than undisturbed")
        left = [path.name for path in output.rglob("*") if path.name == ".work" or path.name.endswith(".tmp")]
        self.check(number, not left, f"leftovers {left}")
        self.counts["rounds"] += 1
        if len(self.troubles) == before:
            shutil.rmtree(output, ignore_errors=True)

    def disturbed(self, number: int, output: Path, policy: str, chance: Random) -> None:
        jobs, target = chance.choice([1, 2]), chance.choice(TARGETS)
        process = start(main_command(self.folder / "in", output, policy, jobs))
        deadline = time.monotonic() + chance.uniform(0.1, 0.8) * self.seconds
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        landed = process.poll() is None
        strike(process, target, chance)
        code, said = wait_for(process)
        self.counts[f"{target} -j {jobs}" if landed else "too late"] += 1
        self.check(number, code is not None, f"hung after a strike at the {target}")
        self.check(number, b"Traceback" not in said, f"traceback after {target}: {said.decode()[-300:]}")
        self.check(number, orphans(process.pid) == 0, f"orphans after a strike at the {target}")
        self.check(number, complete(output), f"a manifest without its files after a strike at the {target}")

    def check(self, number: int, fine: bool, what: str) -> None:
        if not fine:
            self.troubles.append(f"round {number} (--seed {self.seed} --first {number}): {what}")
            print(self.troubles[-1], flush=True)


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--first", type=int, default=0, show_default=True, help="Number of the first round.")
@click.option("--minutes", type=float, default=5.0, show_default=True)
@click.option("--rounds", type=int, default=None, help="Stop after so many rounds.")
@click.option("--messages", type=int, default=3000, show_default=True)
def main(seed: int, first: int, minutes: float, rounds: int | None, messages: int) -> None:
    """Kill conversions at random moments, resume them, compare the bytes. Exit code 1 for any trouble."""
    end = time.monotonic() + minutes * 60
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        campaign = Campaign(Path(folder), seed)
        campaign.prepare(messages)
        number = first
        while time.monotonic() < end and (rounds is None or number < first + rounds):
            campaign.round(number)
            number += 1
    print(json.dumps({"seed": seed, "first": first, **campaign.counts, "troubles": len(campaign.troubles)}))
    sys.exit(1 if campaign.troubles else 0)


if __name__ == "__main__":
    main()
