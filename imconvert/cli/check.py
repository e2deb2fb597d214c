"""`imconvert check INPUT...`: all errors at once, nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from imconvert.cli import progress
from imconvert.cli.msgs import CLOCK, machine, tell
from imconvert.cli.options import SCRATCH, WithSettings, reading
from imconvert.convert.check import check as check_inputs
from imconvert.convert.options import Options


@click.command(cls=WithSettings)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--work", type=SCRATCH, help="Folder for scratch files (about 80 bytes a message).  [default: system's]")
@reading
def check(inputs: tuple[str, ...], work: Path | None, quiet: bool, as_json: bool, settings: Any, **chosen: Any) -> int:
    """Read message exports INPUT... as msgs would, and report all errors at once, without writing shards."""
    options = Options(inputs=inputs, output=work or Path(), settings=dict(settings), **chosen)
    watch = progress.watcher(quiet=quiet)
    try:
        outcome = check_inputs(options, work, watch, CLOCK, machine())
    finally:
        watch.close()
    return tell(outcome, None, quiet=quiet, as_json=as_json)
