"""`imconvert load OUT`: push the shards of a finished output to its target."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import time
from pathlib import Path
from random import Random
from typing import Any

import click
import msgspec

from imconvert.cli.options import EXISTING
from imconvert.deliver import Clock
from imconvert.errors import UsageError
from imconvert.load.job import Job, Wanted, Ways
from imconvert.load.job import load as load_job
from imconvert.load.run import Choice
from imconvert.load.target import Target, read_target
from imconvert.sources.inputs import read_text, text_lines
from imconvert.vendors.calls import Secret

CLOCK = Clock(time.time, time.monotonic, asyncio.sleep)
OUTPUT = click.Path(path_type=Path, file_okay=False, exists=True)


def target_in(path: Path) -> Target:
    """What a target.toml says."""
    return read_target(read_text(path), str(path))


def secret_of(target: Target, beside: Path) -> Secret:
    """The secret, from a file that nobody else can read or from the environment. Raises UsageError IMC-1262."""
    if target.secret_file:
        path = beside / target.secret_file
        if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
            raise UsageError("IMC-1262", str(path))
        return Secret("".join(line.decode() for line in text_lines(path)).strip())
    return Secret(os.environ.get(target.secret_env, "").strip())


@click.command()
@click.argument("output", type=OUTPUT, metavar="OUT")
@click.option("--target", "target_file", type=EXISTING, required=True, help="target.toml: whose app, how fast.")
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Only this stage; may be repeated.")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only these conversations, such as group-7 or u1*.")
@click.option("--limit", type=click.IntRange(1), help="Send at most so many lines, for a pilot.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def load(
    output: Path, target_file: Path, stages: tuple[str, ...], only: tuple[str, ...], limit: int | None, as_json: bool
) -> int:
    """Push the shards of the finished output OUT to the target that they were made for."""
    target = target_in(target_file)
    wanted = Wanted(output, target, secret_of(target, target_file.parent), Choice(stages, only, limit))
    return asyncio.run(_run(wanted, as_json))


def _stop(number: int, got: list[int], stop: asyncio.Event) -> None:
    got.append(number)
    stop.set()


async def _run(wanted: Wanted, as_json: bool) -> int:
    stop = asyncio.Event()
    got: list[int] = []
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, number, got, stop)
    job = Job(wanted, Ways(CLOCK, Random(), stop))
    await load_job(job)
    if as_json:
        click.echo(msgspec.json.encode(job.facts()).decode())
    if got:
        return 128 + got[0]
    rows: list[Any] = list(job.progress.rows.values())
    return 7 if any(row.unknown for row in rows) else 3 if any(row.failed for row in rows) else 0
