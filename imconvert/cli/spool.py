"""`imconvert spool append SPOOL [INPUT...]`: hand records to a feed, whether it runs or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert import durable
from imconvert.cli.msgs import CLOCK
from imconvert.cli.options import Moment, Pair, language
from imconvert.cli.terminal import printable
from imconvert.convert.options import DAY, Options
from imconvert.errors import Location, Rejected, exit_code_of, remedy_of
from imconvert.serve.append import Count, append
from imconvert.serve.intake import Checker
from imconvert.serve.spool import Spool
from imconvert.vendors import TARGETS

REFUSED = "IMC-7140"
WORDS = {
    "en": "{appended:,} of {read:,} records appended, {refused:,} refused, {blank:,} blank",
    "zh": "读取 {read:,} 条记录，写入 {appended:,}，被拒 {refused:,}，空行 {blank:,}",
}

NEW = {
    "en": "{folder} was not there before; a feed reads it if it is beside its state, or named by serve --spool.",
    "zh": "{folder} 是新建的目录；仅当它与状态文件同处，或由 serve --spool 指定时，增量接口才会读取。",
}


@click.group()
def spool() -> None:
    """Records that are handed to a feed (imconvert serve) while it runs."""


@spool.command("append")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="SPOOL")
@click.argument("inputs", nargs=-1, metavar="[INPUT...]")
@click.option("--latest", type=Moment(), help="Refuse later messages.  [default: now + 1 day]")
@click.option("--set", "settings", type=Pair(), multiple=True, help="Change a setting, as for msgs.")
@click.option("--quiet", "-q", is_flag=True, help="No summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary, and what was refused, as JSON.")
def append_command(
    folder: Path, inputs: tuple[str, ...], latest: int | None, settings: Any, quiet: bool, as_json: bool
) -> int:
    """Append the import records of INPUT... (default: standard input) to the folder SPOOL.

    They are on the disk when the command ends. A record that cannot be taken is named and does not stop the others
    (exit code 3); appending the same records again does no harm.
    """
    chosen, new = Options((), Path(), settings=dict(settings)).complete_settings(), not durable.exists(folder)
    refused: list[tuple[Location, Rejected]] = []
    count = append(
        Spool(folder),
        Checker(next(target for target in TARGETS.values() if target.feed), chosen),
        inputs or ("-",),
        latest if latest is not None else int(CLOCK.now() * 1000) + DAY,
        lambda place, why: refused.append((place, why)),
    )
    _tell(count, refused, quiet=quiet, as_json=as_json)
    if new and not as_json:
        click.echo(NEW[language()].format(folder=folder), err=True)
    return exit_code_of("IMC-2001") if refused else 0


def _tell(count: Count, refused: list[tuple[Location, Rejected]], *, quiet: bool, as_json: bool) -> None:
    lang = language()
    if as_json:
        found = {
            "read": count.read, "appended": count.appended, "refused": count.refused, "blank": count.blank,
            "refusals": [
                {**place._asdict(), "code": why.code, "why": why.why(lang),
                 "remedy": remedy_of(REFUSED, lang=lang)}
                for place, why in refused
            ],
        }  # fmt: skip
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
        return
    for place, why in refused:
        click.echo(f"{printable(str(place))}: {why.code} {printable(why.why(lang))}", err=True)
    if not quiet:
        values = {"read": count.read, "appended": count.appended, "refused": count.refused, "blank": count.blank}
        click.echo(WORDS[lang].format(**values))
