"""Make inputs for measurements, and measure a process: time, and peak memory of its whole tree.

Input is made once by make_export.py, with its usual share of oddities, duplicates and damage, and is warm in
the page cache; dirty pages are written out before each run. Rows are counted here, in the files left behind.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import click
import psutil

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
INTERVAL = 0.05
SEED = 1
OURS = "imconvert"
GOOD_EXITS = (0, 3)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the caller asked for."""

    messages: int
    vendors: Sequence[str]
    contenders: Sequence[str]
    repeat: int
    jobs: int
    sizes: Sequence[int]
    work: Path
    size: int


class Input(NamedTuple):
    """A folder of files, how many good messages they hold and how many bytes; what their maker says of them."""

    vendor: str
    folder: Path
    messages: int
    bytes: int
    shape: str
    truth: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """One process, measured."""

    seconds: float
    pss: int
    rss: int
    p2p: int
    team: int
    problem: str = ""
    counts: dict[str, int] = field(default_factory=dict)


class Case(NamedTuple):
    """One row of a table: what is run on what."""

    label: str
    command: Callable[[Path], list[str]]
    input: Input


class Row(NamedTuple):
    """The runs of a case: those that count for time, and one that was looked at for memory."""

    case: Case
    runs: list[Run]
    looks: list[Run]


def environment() -> dict[str, str]:
    """That of a user, who has compiled modules at hand: with this variable every start compiles all of them."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


# --- input ---------------------------------------------------------------------------------------------


def make_input(plan: Plan, vendor: str, messages: int, *, files: int = 8, shape: str = "lines") -> Input:
    """The files of an earlier call, if it asked the same of the same generator, else new ones."""
    generator = HERE / "make_export.py"
    sources = sorted((HERE / "exports").glob("*.py"))
    made_by = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]
    folder = plan.work / "input" / f"{vendor}-{shape}-{messages}-{files}-{made_by}"
    truth = folder.with_suffix(".json")
    if not truth.exists():
        click.echo(f"making {folder.name} ...", err=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        amounts = [f"--messages={messages}", f"--files={files}", f"--seed={SEED}", f"--shape={shape}"]
        command = [sys.executable, str(generator), vendor, str(folder), f"--jobs={plan.jobs}", *amounts]
        truth.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    told = json.loads(truth.read_bytes())
    return Input(vendor, folder, messages, told["bytes"], shape, told)


def joined(source: Input) -> Input:
    """The same lines in one file."""
    folder = source.folder.with_name(f"{source.folder.name}-joined")
    name = min(path.name for path in source.folder.iterdir())
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "part").open("wb") as out:
            for path in sorted(source.folder.iterdir()):
                out.write(path.read_bytes())
        (folder / "part").rename(folder / name)
    return source._replace(folder=folder)


# --- one run -------------------------------------------------------------------------------------------


MAPS = {shape: HERE.parent / "fixtures" / "custom" / case / "mapping.toml"
        for shape, case in (("lines", "ndjson-log"), ("table", "mysql-csv"))}  # fmt: skip
"""The mappings of the self-built systems that are made up."""


def command_of(name: str, source: Input, jobs: int) -> Callable[[Path], list[str]]:
    """The command line of a contender, given the folder it shall write."""
    place, workers = str(source.folder), ["--jobs", str(jobs)]
    if name == OURS:
        start = [sys.executable, "-m", "imconvert", "msgs", place]
        told = ["--map", str(MAPS[source.shape])] if source.vendor == "custom" else ["--from", source.vendor]
        return lambda out: [*start, str(out), *told, *workers, "--quiet", "--json"]
    start = [sys.executable, str(HERE / "contenders.py"), name, source.vendor, place]
    return lambda out: [*start, str(out), *workers]


def measure(case: Case, out: Path, *, look: bool) -> Run:
    """Run a case once, and look at its memory meanwhile or not. The folder it wrote is gone afterwards."""
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    done = threading.Event()
    peaks = {"pss": 0, "rss": 0}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        start = time.perf_counter()
        process = subprocess.Popen(
            case.command(out), stdout=said, stderr=complained, cwd=HERE.parent, env=environment()
        )
        sampler = threading.Thread(target=sample, args=(process.pid, done, peaks))
        if look:
            sampler.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        done.set()
        if look:
            sampler.join()
        complained.seek(0)
        problem = "" if code in GOOD_EXITS else last_words(complained.read(), code)
    found = out / "manifest.json"
    counts = json.loads(found.read_bytes()).get("totals", {}) if not problem and found.exists() else {}
    rows = [0 if problem else lines_in(out.glob(f"{chat}*")) for chat in ("p2p", "team")]
    shutil.rmtree(out, ignore_errors=True)
    return Run(seconds, peaks["pss"], peaks["rss"], rows[0], rows[1], problem, counts)


def last_words(complaint: bytes, code: int) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines()
    return f"exit code {code}: {lines[-1][:120] if lines else 'no message'}"


def sample(pid: int, done: threading.Event, peaks: dict[str, int]) -> None:
    """Keep the highest sums over the process tree, until told to stop."""
    root = psutil.Process(pid)
    while not done.wait(INTERVAL):
        try:
            tree = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        sizes = [sizes_of(process) for process in tree]
        peaks["pss"] = max(peaks["pss"], sum(pss for pss, _ in sizes))
        peaks["rss"] = max(peaks["rss"], sum(rss for _, rss in sizes))


def sizes_of(process: psutil.Process) -> tuple[int, int]:
    """Proportional and resident size in bytes, from one look; nothing for a process that is just ending."""
    sizes = {"Pss": 0, "Rss": 0}
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, _, value = line.partition(":")
            if name in sizes:
                sizes[name] = int(value.split()[0]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return sizes["Pss"], sizes["Rss"]


def lines_in(paths: Iterable[Path]) -> int:
    count = 0
    for path in paths:
        with path.open("rb") as lines:
            while block := lines.read(8 * MIB):
                count += block.count(b"\n")
    return count


def take_turns(cases: Sequence[Case], plan: Plan) -> list[Row]:
    """All cases once for memory, since looking at it takes time, then all in turns for time.

    One that failed is not tried again.
    """
    rows = [Row(case, [], []) for case in cases]
    for turn in range(plan.repeat + 1):
        for row in rows:
            if any(run.problem for run in (*row.runs, *row.looks)):
                continue
            run = measure(row.case, plan.work / "out", look=not turn)
            (row.runs if turn else row.looks).append(run)
            told = run.problem or (f"{run.seconds:.2f} s" if turn else f"{run.pss / MIB:.0f} MiB")
            click.echo(f"round {turn}: {row.case.input.vendor} {row.case.label}: {told}", err=True)
    return rows
