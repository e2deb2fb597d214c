"""`imconvert msgs INPUT... OUT`: convert message exports into shards."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import click

from imconvert import __version__
from imconvert.cli import progress, summary
from imconvert.cli.options import EXISTING, WithSettings, language, reading
from imconvert.cli.spark import HERE, absolute, chosen_engine, engine_options
from imconvert.convert.finished.replay import replay
from imconvert.convert.options import Options
from imconvert.convert.ports import Clock
from imconvert.convert.run import Outcome, convert
from imconvert.durable.storage import path_of
from imconvert.errors import UsageError

CLOCK = Clock(time.time, time.monotonic)


def machine() -> dict[str, Any]:
    """What run.json says about the machine and the versions."""
    return {"imconvert": __version__, "python": platform.python_version(), "machine": platform.platform()}


def tell(outcome: Outcome, output: Path | None, *, quiet: bool, as_json: bool) -> int:
    """Print the summary in the form that was asked for; gives the exit code."""
    if as_json:
        click.echo(summary.as_json(outcome, output))
    elif not quiet:
        click.echo(summary.as_text(outcome, output, language()))
    return outcome.exit_code


@click.command(cls=WithSettings)
@click.argument("paths", nargs=-1, required=True, metavar="INPUT... OUT")
@click.option("--replay", "rejects", type=EXISTING, help="Take the corrected records of a rejects file back into OUT.")
@engine_options
@reading
def msgs(
    paths: tuple[str, ...], rejects: Path | None, engine: str, master: str | None, conf: Any, quiet: bool,
    as_json: bool, settings: Any, **chosen: Any,
) -> int:  # fmt: skip
    """Convert message exports INPUT... into shards in the folder OUT.

    Inputs are files, folders, globs or - for standard input; plain, .gz, .zst, .bz2, .xz or .zip, told by their
    content. After an interruption of any kind the same command goes on where it stopped.

    With --replay there is no INPUT: records of the rejects file, known by file, line and offset, are taken back into
    the finished folder OUT after `raw` was corrected. Doing so twice changes nothing.
    """
    *inputs, last = paths
    if bool(inputs) == bool(rejects):
        raise click.UsageError("--replay takes OUT alone." if rejects else "Name at least one INPUT before OUT.")
    if rejects and engine != HERE:
        raise UsageError("IMC-1355", option="--replay", why="runs on this machine")
    output = path_of(last)
    options = Options(inputs=tuple(inputs), output=output, settings=dict(settings), **chosen)
    watch = progress.watcher(quiet=quiet)
    try:
        if rejects:
            outcome = replay(rejects, options, watch, CLOCK, machine())
        else:
            with chosen_engine(engine, master, conf) as engines:
                outcome = convert(options if engine == HERE else absolute(options), watch, CLOCK, machine(), engines)
    finally:
        watch.close()
    return tell(outcome, output, quiet=quiet, as_json=as_json)
