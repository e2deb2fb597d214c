"""The command line: the only place that prints, prompts, reads the environment or draws progress bars."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

import click

from imconvert import __version__
from imconvert.cli.options import language
from imconvert.errors import ImconvertError

COMMANDS = (
    "msgs", "users", "friends", "groups", "ids", "refs", "recents", "check", "map", "explain", "errors", "pack",
    "packages", "plan", "load", "serve", "simulate", "spool",
)  # fmt: skip
"""Each is a module of this folder that holds a command of its name; it is loaded when it is asked for."""

VARIANTS = {("plan", "--engine"): "scale"}
"""Commands that are another one, in a module of that name, where an option stands behind them."""


class Stopped(BaseException):
    """A signal asked the run to stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


class _Commands(click.Group):
    """Loads a command's module, and all that it needs, only if that command is run or listed."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return _loaded(name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        for (name, option), variant in VARIANTS.items():
            if args[0] == name and any(word.partition("=")[0] == option for word in args):
                return name, _loaded(variant), args[1:]
        return super().resolve_command(context, args)


def _loaded(name: str) -> click.Command:
    found: click.Command = getattr(import_module(f"imconvert.cli.{name}"), name)
    return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="imconvert")
def cli() -> None:
    """Convert chat history between messaging clouds, every message accounted for.

    \b
    Exit codes:
      0  done                       5  stopped: too many records rejected
      2  wrong usage                6  integrity: nothing was published
      3  done, with rejects or conflicts
      4  an input could not be read whole
      7  the other side refused, or its answer is wrong
      130/143  stopped by a signal; the same command resumes
    """


def main() -> None:
    """Run the command line and end the process with the exit code of what happened."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # no thread of NumPy's beside the workers
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
        _end(why.exit_code, "\n".join([why.text(language()), *why.details(language())]))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _end(code: int, message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)
