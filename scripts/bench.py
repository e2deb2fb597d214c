"""Measure imconvert, and other tools that do the same job, on the same files.

Every run is a fresh process, timed from start to exit with all output fsynced; contenders.py says what
exactly the job is and how each contender does it. Contenders take turns, and the median of the rounds counts.
measuring.py makes the input and measures the runs.
A wide gap between `s` and `best s` says that the machine was not quiet: measure again.
The time ratio is time a message, as a multiple of the first row's; below 1 is faster than that row.

Peak memory is told by a round of its own, whose time does not count, since looking takes time: the highest of samples
taken every 50 ms over the whole process tree, as the sum of proportional sizes (PSS: a page shared by several workers
counts once; the fair figure) and as the sum of resident sizes (RSS: it counts in each).

Suites: `compare` is imconvert against the others; `scale` shows how rate and memory follow the number of
messages; `jobs` is one worker against several; `files` is one big file against 10,000 small ones with the
same lines; `sources` is every shape of every vendor that `exports` can make, about --size MB each, with one worker,
beside Easemob's history lines, and says whether the counts are those that were planted; `targets` is the same Yunxin
lines to Yunxin, Easemob and Tencent, arranging included, with a map for the ids that not all of them take. Nothing here
passes or fails on a time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import click
import psutil
from exports import VENDORS as SHAPES
from measuring import HERE, MIB, OURS, Case, Input, Plan, Row, command_of, joined, make_input, take_turns

SMALL_FILES = 10_000
SAMPLE = 20_000
BASE = ("easemob", "lines")
CONTENDERS = (OURS, "plain", "duckdb", "chdb")
VENDORS = ("yunxin", "easemob")
TARGETS = ("yunxin", "easemob", "tencent")
PACKAGES = ("duckdb", "chdb", "chdb-core", "msgspec", "orjson", "numpy", "xxhash")


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


def sources(plan: Plan) -> list[Row]:
    """Every shape of every vendor, the one that the others are compared with first."""
    wanted = [(vendor, shape) for vendor in SHAPES for shape in SHAPES[vendor] if vendor in plan.vendors]
    order = dict.fromkeys([BASE, *wanted])
    inputs = [sized(plan, vendor, shape) for vendor, shape in order]
    return take_turns([Case(f"{one.vendor} {one.shape}", command_of(OURS, one, 1), one) for one in inputs], plan)


def targets(plan: Plan) -> list[Row]:
    """Yunxin lines to each of the targets; the others are compared with what stays Yunxin's."""
    source = make_input(plan, "yunxin", plan.messages)
    ids = map_of_ids(source)

    def case(target: str) -> Case:
        command = command_of(OURS, source, plan.jobs)
        return Case(f"--to {target}", lambda out: [*command(out), "--to", target, "--ids", str(ids)], source)

    return take_turns([case(target) for target in TARGETS], plan)


def map_of_ids(source: Input) -> Path:
    """A map for the accounts of the input that hold what not every target takes."""
    path = source.folder.with_name(f"{source.folder.name}-ids.csv")
    if not path.exists():
        found: set[bytes] = set()
        for file in source.folder.iterdir():
            found.update(re.findall(rb'"(?:from|to|accid2?)":"([a-z0-9._-]+@[a-z0-9._-]+)"', file.read_bytes()))
        rows = [f"{name},{name.replace('@', '_at_')}" for name in sorted(name.decode() for name in found)]
        path.write_text("\n".join(["source,target", *rows, ""]), encoding="utf-8")
    return path


def sized(plan: Plan, vendor: str, shape: str) -> Input:
    """An export of about the size asked for; a shape whose files are single documents gets one of them."""
    sample = make_input(plan, vendor, SAMPLE, files=1, shape=shape)
    messages = plan.size * 1000 * SAMPLE // sample.bytes * 1000
    return make_input(plan, vendor, max(SAMPLE, messages), files=1 if SHAPES[vendor][shape].single else 8, shape=shape)


def engines(plan: Plan) -> list[Row]:
    """This machine's own workers, and Spark on the same cores: what an engine for many machines costs on one."""
    rows = []
    for vendor in plan.vendors:
        source = make_input(plan, vendor, plan.messages, files=16)
        masters = (f"local[{plan.jobs},4]", f"local-cluster[{plan.jobs},1,1024]")
        cases = [Case(f"--jobs {plan.jobs}", command_of(OURS, source, plan.jobs), source)]
        cases += [Case(master, on_spark(source, master), source) for master in masters]
        rows += take_turns(cases, plan)
    return rows


def on_spark(source: Input, master: str) -> Callable[[Path], list[str]]:
    ours = command_of(OURS, source, 1)
    return lambda out: [*ours(out), "--engine", "spark", "--master", master]


SUITES: dict[str, Callable[[Plan], list[Row]]] = {
    "compare": compare, "scale": scale, "jobs": jobs, "files": files, "sources": sources, "targets": targets,
    "engines": engines,
}  # fmt: skip

# --- report --------------------------------------------------------------------------------------------

SOURCE_HEADS = (
    "",
    "s",
    "best s",
    "messages/s",
    "MB/s",
    "times Easemob's rate",
    "peak PSS, MiB",
    "peak RSS, MiB",
    "counts",
)
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
    source = row.case.input
    facts = {
        "vendor": source.vendor,
        "shape": source.shape,
        "label": row.case.label,
        "messages": source.messages,
        "bytes": source.bytes,
    }
    failed = [run.problem for run in (*row.looks, *row.runs) if run.problem]
    if failed:
        return facts | {"problem": failed[-1]}
    runs, seen = row.runs, row.looks[0]
    seconds = median(run.seconds for run in runs)
    return facts | {
        "seconds": seconds,
        "best": min(run.seconds for run in runs),
        "rate": source.messages / seconds,
        "megabytes": source.bytes / seconds / 1e6,
        "ratio": seconds / source.messages / base if base else None,
        "pss": seen.pss / MIB,
        "rss": seen.rss / MIB,
        "counts": compared(source, runs[-1].counts),
        "p2p": runs[-1].p2p,
        "team": runs[-1].team,
        "runs": [asdict(run) for run in runs],
    }


def compared(source: Input, counts: dict[str, int]) -> str:
    """Whether the counts of a run are those that the input's maker tells.

    He counts records; of a duplicate with several bodies each is a line, and counted here, and so are the heads of
    tables, as skipped.
    """
    if not counts:
        return ""
    truth = source.truth
    heads = len(truth["files"]) if source.shape == "table" else 0
    good, rejected = truth["messages"], truth["damaged"]
    skipped = truth["lines"] - good - truth["duplicates"] - truth["conflicts"] - rejected
    planted = {
        "read": truth["lines"] + heads,
        "written": good + truth["extra_bodies"],
        "duplicates": truth["duplicates"] + counts["split"] - truth["extra_bodies"],
        "conflicts": truth["conflicts"],
        "rejected": rejected,
        "skipped": skipped + heads,
    }
    wrong = [f"{name} {counts[name]:,} for {count:,}" for name, count in planted.items() if counts[name] != count]
    return "; ".join(wrong) or "as planted"


def base_of(rows: Sequence[Row]) -> float | None:
    """Seconds a message of the first row, which is ours unless the caller left us out."""
    runs = rows[0].runs
    if not runs or any(run.problem for run in runs):
        return None
    return median(run.seconds for run in runs) / rows[0].case.input.messages


def summaries(rows: Sequence[Row]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    if any(row.case.input.shape != "lines" for row in rows):
        return [summary(row, base_of(rows)) for row in rows]
    for vendor in dict.fromkeys(row.case.input.vendor for row in rows):
        group = [row for row in rows if row.case.input.vendor == vendor]
        told += [summary(row, base_of(group)) for row in group]
    return told


def source_cells(fact: dict[str, Any]) -> list[str]:
    """A row of `sources`; the ratio is of rates here: above 1 is faster than Easemob's lines."""
    if "problem" in fact:
        return [fact["label"], fact["problem"], *[""] * (len(SOURCE_HEADS) - 2)]
    ratio = f"{1 / fact['ratio']:.2f}" if fact["ratio"] else ""
    return [*cells(fact)[:5], ratio, f"{fact['pss']:,.0f}", f"{fact['rss']:,.0f}", fact["counts"]]


def cells(fact: dict[str, Any]) -> list[str]:
    if "problem" in fact:
        return [fact["label"], fact["problem"], *[""] * (len(HEADS) - 2)]
    return [
        fact["label"], f"{fact['seconds']:.2f}", f"{fact['best']:.2f}",
        f"{fact['rate']:,.0f}", f"{fact['megabytes']:.1f}",
        f"{fact['ratio']:.2f}" if fact["ratio"] else "", f"{fact['pss']:,.0f}", f"{fact['rss']:,.0f}",
        f"{fact['p2p']:,}", f"{fact['team']:,}",
    ]  # fmt: skip


def table(lines: Sequence[list[str]]) -> str:
    """Markdown whose columns also line up as plain text; the first line is the heads."""
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(lines[0]))]
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
    if any(fact["shape"] != "lines" for fact in facts):
        made = ", ".join(f"{f['label']} {f['messages']:,} messages in {f['bytes'] / 1e6:,.0f} MB" for f in facts)
        return "\n\n".join([*parts, made, table([list(SOURCE_HEADS), *map(source_cells, facts)])])
    for vendor in dict.fromkeys(fact["vendor"] for fact in facts):
        group = [fact for fact in facts if fact["vendor"] == vendor]
        sizes = ", ".join(dict.fromkeys(f"{f['messages']:,} messages in {f['bytes'] / 1e6:,.0f} MB" for f in group))
        parts += [f"**from {vendor}**, {sizes}", table([list(HEADS), *map(cells, group)])]
    return "\n\n".join(parts)


# --- command -------------------------------------------------------------------------------------------


def names(allowed: Sequence[str]) -> Callable[[click.Context, click.Parameter, str | None], list[str]]:
    def read(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str]:
        if value is None:
            return []
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
@click.option("--vendors", callback=names(tuple(SHAPES)), help="By default all that the suite knows.")
@click.option("--contenders", callback=names(CONTENDERS), default=",".join(CONTENDERS), show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True, help="Rounds.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Workers or threads.")
@click.option("--sizes", callback=numbers, default="1,10,30", show_default=True, help="Millions, for `scale`.")
@click.option("--size", type=click.IntRange(1), default=200, show_default=True, help="MB a shape, for `sources`.")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), help="Where input is made and kept.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="All figures go here.")
def main(suite: str, contenders: list[str], *, work: Path | None, file: Path | None, **asked: Any) -> None:
    work = (work or Path(tempfile.gettempdir()) / "imconvert-bench").resolve()
    known = tuple(SHAPES) if suite == "sources" else VENDORS
    asked["vendors"] = [vendor for vendor in asked["vendors"] if vendor in known] or list(known)
    plan = Plan(contenders=installed(contenders), work=work, **asked)
    host = machine()
    facts = summaries(SUITES[suite](plan))
    click.echo(report(facts, host))
    if file:
        told = {"suite": suite, "command": sys.argv[1:], "machine": host, "rows": facts}
        file.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
