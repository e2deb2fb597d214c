"""Measure imconvert, and other tools that do the same job, on the same files.

Every run is a fresh process, timed from start to exit with all output fsynced; contenders.py says what
exactly the job is and how each contender does it. Contenders take turns, and the median of the rounds counts.
Input is made once by make_export.py, with its usual share of oddities, duplicates and damage, and is warm in
the page cache; dirty pages are written out before each run. Rows are counted here, in the files left behind.
A wide gap between `s` and `best s` says that the machine was not quiet: measure again.
The time ratio is time a message, as a multiple of the first row's; below 1 is faster than that row.

Peak memory is the highest of samples taken every 50 ms over the whole process tree: as the sum of
proportional sizes (PSS: a page shared by several workers counts once; the fair figure) and as the sum of
resident sizes (RSS: it counts in each).

Suites: `compare` is imconvert against the others; `scale` shows how rate and memory follow the number of
messages; `jobs` is one worker against several; `files` is one big file against 10,000 small ones with the
same lines. Nothing here passes or fails on a time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import psutil

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
INTERVAL = 0.05
SEED = 1
SMALL_FILES = 10_000
OURS = "imconvert"
CONTENDERS = (OURS, "plain", "duckdb", "chdb")
VENDORS = ("yunxin", "easemob")
PACKAGES = ("duckdb", "chdb", "chdb-core", "msgspec", "orjson", "numpy", "xxhash")
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


class Input(NamedTuple):
    """A folder of files, how many good messages they hold and how many bytes."""

    vendor: str
    folder: Path
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """One process, measured."""

    seconds: float
    pss: int
    rss: int
    p2p: int
    team: int
    problem: str = ""


class Case(NamedTuple):
    """One row of a table: what is run on what."""

    label: str
    command: Callable[[Path], list[str]]
    input: Input


class Row(NamedTuple):
    """The runs of a case."""

    case: Case
    runs: list[Run]


# --- input ---------------------------------------------------------------------------------------------


def make_input(plan: Plan, vendor: str, messages: int, *, files: int = 8) -> Input:
    """The files of an earlier call, if it asked the same of the same generator, else new ones."""
    generator = HERE / "make_export.py"
    sources = sorted((HERE / "exports").glob("*.py"))
    made_by = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]
    folder = plan.work / "input" / f"{vendor}-{messages}-{files}-{made_by}"
    truth = folder.with_suffix(".json")
    if not truth.exists():
        click.echo(f"making {folder.name} ...", err=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        amounts = [f"--messages={messages}", f"--files={files}", f"--seed={SEED}", f"--jobs={plan.jobs}"]
        command = [sys.executable, str(generator), vendor, str(folder), *amounts]
        truth.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return Input(vendor, folder, messages, json.loads(truth.read_bytes())["bytes"])


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


def command_of(name: str, source: Input, jobs: int) -> Callable[[Path], list[str]]:
    """The command line of a contender, given the folder it shall write."""
    place, workers = str(source.folder), ["--jobs", str(jobs)]
    if name == OURS:
        start = [sys.executable, "-m", "imconvert", "msgs", place]
        return lambda out: [*start, str(out), "--from", source.vendor, *workers, "--quiet", "--json"]
    start = [sys.executable, str(HERE / "contenders.py"), name, source.vendor, place]
    return lambda out: [*start, str(out), *workers]


def measure(case: Case, out: Path) -> Run:
    """Run a case once. The folder it wrote is gone afterwards."""
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    done = threading.Event()
    peaks = {"pss": 0, "rss": 0}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        start = time.perf_counter()
        process = subprocess.Popen(case.command(out), stdout=said, stderr=complained, cwd=HERE.parent)
        sampler = threading.Thread(target=sample, args=(process.pid, done, peaks))
        sampler.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        done.set()
        sampler.join()
        complained.seek(0)
        problem = "" if code in GOOD_EXITS else last_words(complained.read(), code)
    rows = [0 if problem else lines_in(out.glob(f"{chat}*")) for chat in ("p2p", "team")]
    shutil.rmtree(out, ignore_errors=True)
    return Run(seconds, peaks["pss"], peaks["rss"], rows[0], rows[1], problem)


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
    """All cases once, then all again; one that failed is not tried again."""
    rows = [Row(case, []) for case in cases]
    for turn in range(plan.repeat):
        for row in rows:
            if row.runs and row.runs[-1].problem:
                continue
            run = measure(row.case, plan.work / "out")
            row.runs.append(run)
            told = run.problem or f"{run.seconds:.2f} s"
            click.echo(f"round {turn + 1}: {row.case.input.vendor} {row.case.label}: {told}", err=True)
    return rows


# --- suites --------------------------------------------------------------------------------------------


def compare(plan: Plan) -> list[Row]:
    sources = [make_input(plan, vendor, plan.messages) for vendor in plan.vendors]
    cases = [[Case(name, command_of(name, one, plan.jobs), one) for name in plan.contenders] for one in sources]
    return [row for group in cases for row in take_turns(group, plan)]


def scale(plan: Plan) -> list[Row]:
    rows = []
    for vendor in plan.vendors:
        for size in plan.sizes:
            source = make_input(plan, vendor, size * 1_000_000)
            rows += take_turns([Case(f"{size} M", command_of(OURS, source, plan.jobs), source)], plan)
    return rows


def jobs(plan: Plan) -> list[Row]:
    rows = []
    for vendor in plan.vendors:
        source = make_input(plan, vendor, plan.messages)
        workers = sorted({1, plan.jobs})
        rows += take_turns([Case(f"--jobs {n}", command_of(OURS, source, n), source) for n in workers], plan)
    return rows


def files(plan: Plan) -> list[Row]:
    small = make_input(plan, "easemob", plan.messages, files=SMALL_FILES)
    big = joined(small)
    named = (("1 file", big), (f"{SMALL_FILES:,} files", small))
    return take_turns([Case(label, command_of(OURS, one, plan.jobs), one) for label, one in named], plan)


SUITES: dict[str, Callable[[Plan], list[Row]]] = {
    "compare": compare, "scale": scale, "jobs": jobs, "files": files,
}  # fmt: skip

# --- report --------------------------------------------------------------------------------------------

HEADS = (
    "",
    "s",
    "best s",
    "messages/s",
    "MB/s",
    "time ratio",
    "peak PSS, MiB",
    "peak RSS, MiB",
    "p2p rows",
    "team rows",
)


def summary(row: Row, base: float | None) -> dict[str, Any]:
    """The medians of a row. `base` is the seconds a message of the row that the others are compared with."""
    good = [run for run in row.runs if not run.problem]
    source = row.case.input
    facts = {
        "vendor": source.vendor,
        "label": row.case.label,
        "messages": source.messages,
        "bytes": source.bytes,
    }
    if not good or good != row.runs:
        return facts | {"problem": row.runs[-1].problem}
    seconds = median(run.seconds for run in good)
    return facts | {
        "seconds": seconds,
        "best": min(run.seconds for run in good),
        "rate": source.messages / seconds,
        "megabytes": source.bytes / seconds / 1e6,
        "ratio": seconds / source.messages / base if base else None,
        "pss": median(run.pss for run in good) / MIB,
        "rss": median(run.rss for run in good) / MIB,
        "p2p": good[-1].p2p,
        "team": good[-1].team,
        "runs": [asdict(run) for run in good],
    }


def base_of(rows: Sequence[Row]) -> float | None:
    """Seconds a message of the first row, which is ours unless the caller left us out."""
    runs = rows[0].runs
    if any(run.problem for run in runs):
        return None
    return median(run.seconds for run in runs) / rows[0].case.input.messages


def summaries(rows: Sequence[Row]) -> list[dict[str, Any]]:
    told = []
    for vendor in dict.fromkeys(row.case.input.vendor for row in rows):
        group = [row for row in rows if row.case.input.vendor == vendor]
        told += [summary(row, base_of(group)) for row in group]
    return told


def cells(fact: dict[str, Any]) -> list[str]:
    if "problem" in fact:
        return [fact["label"], fact["problem"], *[""] * (len(HEADS) - 2)]
    return [
        fact["label"], f"{fact['seconds']:.2f}", f"{fact['best']:.2f}",
        f"{fact['rate']:,.0f}", f"{fact['megabytes']:.1f}",
        f"{fact['ratio']:.2f}" if fact["ratio"] else "", f"{fact['pss']:,.0f}", f"{fact['rss']:,.0f}",
        f"{fact['p2p']:,}", f"{fact['team']:,}",
    ]  # fmt: skip


def table(facts: Sequence[dict[str, Any]]) -> str:
    """Markdown whose columns also line up as plain text."""
    lines = [list(HEADS), *map(cells, facts)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(HEADS))]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    made = [[lines[0][0].ljust(widths[0]), *padded(lines[0][1:], widths[1:])], rule]
    made += [[line[0].ljust(widths[0]), *padded(line[1:], widths[1:])] for line in lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in made)


def padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]


def machine() -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    versions = {OURS: own_version()} | {name: version for name in PACKAGES if (version := version_of(name))}
    memory = f"{psutil.virtual_memory().total / (1 << 30):.0f} GiB"
    return {
        "date": datetime.now(UTC).date().isoformat(), "cpu": cpu_model(), "cores": cores, "memory": memory,
        "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "versions": versions, "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def own_version() -> str:
    """The version with the commit it was built from, where there is one."""
    sys.path.insert(0, str(HERE.parent))
    version = importlib.import_module(OURS).__version__
    command = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return " ".join((version, found.stdout.decode().strip())).strip()


def version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def report(facts: Sequence[dict[str, Any]], host: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in host["versions"].items())
    parts = [
        f"{host['date']} · {host['cpu']}, {host['cores']} cores, {host['memory']} · {host['system']} · "
        f"Python {host['python']} · {versions} · load before {host['load']}",
        f"`python scripts/bench.py {shlex.join(sys.argv[1:])}`".replace(" `", "`"),
    ]
    for vendor in dict.fromkeys(fact["vendor"] for fact in facts):
        group = [fact for fact in facts if fact["vendor"] == vendor]
        sizes = ", ".join(dict.fromkeys(f"{f['messages']:,} messages in {f['bytes'] / 1e6:,.0f} MB" for f in group))
        parts += [f"**{vendor} → yunxin**, {sizes}", table(group)]
    return "\n\n".join(parts)


# --- command -------------------------------------------------------------------------------------------


def names(allowed: Sequence[str]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def read(context: click.Context, parameter: click.Parameter, value: str) -> list[str]:
        asked = [name.strip() for name in value.split(",")]
        wrong = [name for name in asked if name not in allowed]
        if wrong:
            raise click.BadParameter(f"{', '.join(wrong)}; choose from {', '.join(allowed)}")
        return asked

    return read


def numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        return [int(number) for number in value.split(",")]
    except ValueError as why:
        raise click.BadParameter("whole numbers, separated by commas") from why


def installed(asked: Sequence[str]) -> list[str]:
    missing = [name for name in ("duckdb", "chdb") if name in asked and not importlib.util.find_spec(name)]
    for name in missing:
        click.echo(f"{name} is left out: pip install {name}", err=True)
    return [name for name in asked if name not in missing]


@click.command(help=__doc__.split("\n")[0])
@click.option("--suite", type=click.Choice(list(SUITES)), default="compare", show_default=True)
@click.option("--messages", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--vendors", callback=names(VENDORS), default=",".join(VENDORS), show_default=True)
@click.option("--contenders", callback=names(CONTENDERS), default=",".join(CONTENDERS), show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True, help="Rounds.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Workers or threads.")
@click.option("--sizes", callback=numbers, default="1,10,30", show_default=True, help="Millions, for `scale`.")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), help="Where input is made and kept.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="All figures go here.")
def main(suite: str, contenders: list[str], *, work: Path | None, file: Path | None, **asked: Any) -> None:
    work = (work or Path(tempfile.gettempdir()) / "imconvert-bench").resolve()
    plan = Plan(contenders=installed(contenders), work=work, **asked)
    host = machine()
    facts = summaries(SUITES[suite](plan))
    click.echo(report(facts, host))
    if file:
        told = {"suite": suite, "command": sys.argv[1:], "machine": host, "rows": facts}
        file.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
