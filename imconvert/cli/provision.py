"""What `imconvert users`, `friends` and `groups` have in common: options, settings, the run."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from imconvert.cli import progress
from imconvert.cli.msgs import CLOCK, machine, tell
from imconvert.cli.options import EXISTING, READING, Command, WithSettings, named
from imconvert.convert.books.secrets import KEY_BYTES, read_key
from imconvert.convert.options import Options
from imconvert.convert.run import convert
from imconvert.vendors import SETTINGS, Setting, provisioned, settings

ON_CONFLICT = ("quarantine", "keep-last")
_TAKEN = ("source", "map", "jobs", "max_rejects", "segment_size", "ids", "tids", "write_missing", "latest", "settings",
          "strict", "quiet", "as_json")  # fmt: skip
_OF_IDS = ("easemob.fold", "easemob.escape", "easemob.user_bytes", "yunxin.fold")
"""Settings of messages that decide about ids."""


class WithPeople(WithSettings):
    """A command whose help ends with the settings that are about people."""

    def known(self) -> Iterable[Setting]:
        found = settings("auto", "users")
        return [one for name, one in found.items() if name not in SETTINGS or name in _OF_IDS]


def reading(content: str) -> Callable[[Command], Command]:
    """Add the options of a command that reads pages about people, for this content."""
    common = named(READING)
    options: list[Callable[[Any], Any]] = [
        click.argument("paths", nargs=-1, required=True, metavar="INPUT... OUT"),
        common["source"],
        click.option("--to", "target", type=click.Choice(provisioned(content)), required=True,
                     help="Whom the shards are for: requests in the order to send them."),
        click.option("--on-conflict", type=click.Choice(ON_CONFLICT), default="quarantine", show_default=True,
                     help="Of records about the same, but with other content: keep the first, or the last."),
        *(common[name] for name in _TAKEN if name != "source"),
    ]  # fmt: skip

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def run(content: str, paths: tuple[str, ...], target: str, given: Path | None = None, **chosen: Any) -> int:
    """Convert; gives the exit code. `given` is a file with the key of the secrets."""
    *inputs, last = paths
    if not inputs:
        raise click.UsageError("Name at least one INPUT before OUT.")
    quiet, as_json, chosen_settings = chosen.pop("quiet"), chosen.pop("as_json"), dict(chosen.pop("settings"))
    key = read_key(given) if given else secrets.token_bytes(KEY_BYTES)
    options = Options(
        inputs=tuple(inputs), output=Path(last), target=f"{target}/{content}", settings=chosen_settings, key=key,
        fixed_key=given is not None, **chosen,
    )  # fmt: skip
    watch = progress.watcher(quiet=quiet)
    try:
        outcome = convert(options, watch, CLOCK, machine())
    finally:
        watch.close()
    return tell(outcome, Path(last), quiet=quiet, as_json=as_json)


secrets_key = click.option(
    "--secrets-key", "given", type=EXISTING,
    help="secrets.key of an earlier output: its accounts keep the secrets that they got there.",
)  # fmt: skip
