"""The command line: the only place that prints, prompts, reads the environment or draws progress bars."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from imconvert import __version__
from imconvert.cli.check import check
from imconvert.cli.errors import errors
from imconvert.cli.explain import explain
from imconvert.cli.msgs import msgs
from imconvert.cli.options import language
from imconvert.cli.pack import pack
from imconvert.errors import ImconvertError


class Stopped(BaseException):
    """A signal asked the run to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="imconvert")
def cli() -> None:
    """Convert chat history between messaging clouds, every message accounted for.

    \b
    Exit codes:
      0  done                       5  stopped: too many records rejected
      2  wrong usage                6  integrity: nothing was published
      3  done, with rejects or conflicts
      4  an input could not be read whole
      130/143  stopped by a signal; the same command resumes
    """


cli.add_command(msgs)
cli.add_command(check)
cli.add_command(explain)
cli.add_command(errors)
cli.add_command(pack)


def main() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        code = cli(standalone_mode=False)
    except Stopped as stopped:
        _end(128 + stopped.number, "Stopped; the same command resumes.")
    except click.exceptions.Abort:
        _end(130, "Stopped; the same command resumes.")
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except ImconvertError as why:
        _end(why.exit_code, why.text(language()))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _end(code: int, message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
