"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from imconvert.convert.options import ON_CONFLICT, RECALLS, Budget
from imconvert.vendors import MESSAGES, Setting, names, settings

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SPANS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)", re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)


def language() -> str:
    """`zh` or `en`: IMCONVERT_LANG if it is set, else the locale's language."""
    chosen = os.environ.get("IMCONVERT_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG") or "en"
    return "zh" if chosen.lower().startswith("zh") else "en"


class Size(click.ParamType):  # type: ignore[type-arg]
    """A size in bytes: 1000, 64MiB, 50GiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        size = float(found[1]) * _UNITS[found[2].lower()] if found else 0.0
        if not 1 <= size < 1 << 62:
            self.fail(f"{value!r} is no size such as 64MiB", param, ctx)
        return int(size)


class Span(click.ParamType):  # type: ignore[type-arg]
    """A span of time in seconds: 500ms, 5s, 5, 2m, 1.5h, 1d."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = _SPAN.fullmatch(str(value).strip())
        if not found:
            self.fail(f"{value!r} is no span of time such as 500ms, 5s or 2h", param, ctx)
        return float(found[1]) * _SPANS[found[2].lower()]


class SegmentSize(Size):
    """A size, or auto."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return None if value in (None, "auto") else super().convert(value, param, ctx)


class Rejects(click.ParamType):  # type: ignore[type-arg]
    """A number of records, or a share such as 0.1%."""

    name = "N|P%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Budget:
        if isinstance(value, Budget):
            return value
        text = str(value).strip()
        try:
            amount = float(text.removesuffix("%"))
        except ValueError:
            amount = -1.0
        if not 0 <= amount < float("inf") or not (text.endswith("%") or amount.is_integer()):
            self.fail(f"{value!r} is neither a number of records nor a share such as 0.1%", param, ctx)
        return Budget(amount, text.endswith("%"))


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A time: milliseconds since 1970, or ISO 8601 (UTC unless it says otherwise)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int) or re.fullmatch(r"[0-9]{1,16}", str(value)):
            return int(value)
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither milliseconds nor a time such as 2026-01-31T00:00:00Z", param, ctx)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


class Source(click.ParamType):  # type: ignore[type-arg]
    """A vendor's name, or auto; a name that nobody knows is told by the run, which asks the plug-ins."""

    name = "vendor"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(['auto', *names()])}]"


class Pair(click.ParamType):  # type: ignore[type-arg]
    """NAME=VALUE."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, chosen = str(value).partition("=")
        if not equals:
            self.fail(f"{value!r} is not of the form NAME=VALUE", param, ctx)
        return name.strip(), chosen.strip()


def settings_help(known: Iterable[Setting]) -> str:
    """The settings with their defaults, for --help."""
    lines = ["\b", "Settings (--set NAME=VALUE), the points that vendors leave open:"]
    for setting in known:
        allowed = setting.allowed if isinstance(setting.allowed, str) else "|".join(setting.allowed)
        lines += [f"  {setting.name} [{allowed}; default {setting.default}]", f"      {setting.help}"]
    return "\n".join(lines)


class WithSettings(click.Command):
    """A command whose help ends with the settings; those of plug-ins are known only when somebody asks."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.epilog = settings_help(self.known())
        super().format_epilog(ctx, formatter)

    def known(self) -> Iterable[Setting]:
        """The settings that the command is about."""
        return settings("auto").values()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


FILE = click.Path(path_type=Path, dir_okay=False)
EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)

READING = (
    click.option("--from", "source", type=Source(), default="auto",
                 show_default=True, help="Whose export it is; auto looks at the content."),
    click.option("--to", "target", type=click.Choice(sorted(MESSAGES)), default="yunxin", show_default=True,
                 help="Whom the shards are for: Yunxin's import files, or requests in the order to send them."),
    click.option("--map", "map", type=EXISTING, metavar="FILE",
                 help="Mapping file (TOML) of a self-built system; see imconvert map guess."),
    click.option("--jobs", "-j", type=click.IntRange(1, 256), default=cores, show_default="cores",
                 help="Worker processes. The output does not depend on it."),
    click.option("--on-conflict", type=click.Choice(ON_CONFLICT), default="quarantine",
                 show_default=True, help="Of messages with the same id, sender, target and time but other content: "
                 "keep the first, keep the last, or give the later ones a new id."),
    click.option("--recalls", type=click.Choice(RECALLS), default="keep", show_default=True,
                 help="Messages that were recalled later: write them, leave them out, or write a mark in their place."),
    click.option("--max-rejects", type=Rejects(), help="Stop (exit 5) when more records are rejected."),
    click.option("--segment-size", type=SegmentSize(), default=None, show_default="auto",
                 help="Bytes of input that are one unit of work and of resuming."),
    click.option("--ids", type=EXISTING, help="CSV source,target that maps account ids."),
    click.option("--tids", type=EXISTING, help="CSV source,target that maps group ids."),
    click.option("--members", type=EXISTING,
                 help="CSV group,user,joined_at: who is in which group, for packages of devices."),
    click.option("--write-missing-ids", "write_missing", type=FILE,
                 help="Write the ids that need a map as a CSV to fill in."),
    click.option("--latest", type=Moment(), help="Reject later messages.  [default: now + 1 day]"),
    click.option("--set", "settings", type=Pair(), multiple=True, help="Change a setting, see below."),
    click.option("--media-url", help="What stands before the names of files that records held, such as voices; "
                 "by default media, the folder in OUT that they go to."),
    click.option("--strict", is_flag=True, help="Reject what would have to be repaired."),
    click.option("--compiled/--no-compiled", default=True, show_default=True,
                 help="Let the part in C take usual records, where it's built. The output does not depend on it."),
    click.option("--quiet", "-q", is_flag=True, help="No progress and no summary."),
    click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON."),
)  # fmt: skip


def named(options: Iterable[Callable[[Command], Command]]) -> dict[str, Callable[[Command], Command]]:
    """Options by the name of what they set."""

    def name_of(option: Callable[[Any], Any]) -> str:
        def bare() -> None: ...

        return str(option(bare).__click_params__[0].name)

    return {name_of(option): option for option in options}


SCRATCH = click.Path(path_type=Path, file_okay=False, exists=True)


def reading(command: Command) -> Command:
    """Add the options of every command that reads exports."""
    for option in reversed(READING):
        command = option(command)
    return command
