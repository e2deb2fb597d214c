"""`imconvert msgs INPUT... OUT`: convert message exports into shards."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Any

import click

from imconvert import __version__
from imconvert.cli import progress, summary
from imconvert.cli.options import language, reading, settings_help
from imconvert.convert.options import Options
from imconvert.convert.run import Clock, convert

CLOCK = Clock(time.time, time.monotonic)


def machine() -> dict[str, Any]:
    """What run.json says about the machine and the versions."""
    return {"imconvert": __version__, "python": platform.python_version(), "machine": platform.platform()}


@click.command(epilog=settings_help())
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.argument("output", type=click.Path(path_type=Path, file_okay=False), metavar="OUT")
@reading
def msgs(inputs: tuple[str, ...], output: Path, quiet: bool, as_json: bool, settings: Any, **chosen: Any) -> int:
    """Convert message exports INPUT... into shards in the folder OUT.

    Inputs are files, folders, globs or - for standard input; plain, .gz, .zst, .bz2, .xz or .zip, told by their
    content. After an interruption of any kind the same command goes on where it stopped.
    """
    if not inputs:
        raise click.UsageError("Name at least one INPUT before OUT.")
    options = Options(inputs=inputs, output=output, settings=dict(settings), **chosen)
    watch = progress.watcher(quiet=quiet)
    try:
        outcome = convert(options, watch, CLOCK, machine())
    finally:
        watch.close()
    if as_json:
        click.echo(summary.as_json(outcome, output))
    elif not quiet:
        click.echo(summary.as_text(outcome, output, language()))
    return outcome.exit_code
