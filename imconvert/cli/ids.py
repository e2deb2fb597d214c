"""`imconvert ids check|suggest|merge`: maps from the ids of the source to those of the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert import durable
from imconvert.cli.options import EXISTING, SCRATCH, Pair, language
from imconvert.cli.terminal import printable
from imconvert.convert.authoring import ids as maps
from imconvert.convert.authoring.ids import Given, Wanted
from imconvert.convert.options import Options
from imconvert.errors import Rejected, UsageError, cause_of, exit_code_of, remedy_of
from imconvert.vendors import MESSAGES

SHOWN = 20
WORDS = {
    "en": {"fine": "Nothing is wrong with it: {rows:,} ids.", "more": "… and more",
           "made": "{rows:,} ids in {path}", "changed": "{count:,} changed: {reason}"},
    "zh": {"fine": "没有问题：{rows:,} 个 ID。", "more": "… 其余从略",
           "made": "{rows:,} 个 ID 已写入 {path}", "changed": "{count:,} 个已更改：{reason}"},
}  # fmt: skip

_to = click.option("--to", "target", type=click.Choice(sorted(MESSAGES)), required=True, help="Whose ids they become.")
_kind = click.option("--kind", type=click.Choice(("account", "group")), default="account", show_default=True,
                     help="What they are ids of; rows of another kind are left alone.")  # fmt: skip
_work = click.option("--work", type=SCRATCH, help="Folder for scratch files.  [default: system's]")
_set = click.option("--set", "settings", type=Pair(), multiple=True, help="Settings that change what ids may be.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _rule(target: str, kind: str, settings: Any) -> Callable[[str], Any]:
    """The rule for ids of a kind at the target."""
    chosen = Options(inputs=(), output=Path(), target=target, settings=dict(settings)).complete_settings()
    found = MESSAGES[target]
    return found.account_rule_by(chosen) if kind == "account" else found.group_rule_by(chosen)


@click.group()
def ids() -> None:
    """Maps of ids: what each id of the source is at the target (docs/people.md)."""


@ids.command()
@click.argument("files", nargs=-1, required=True, type=EXISTING, metavar="MAP...")
@_to
@_kind
@_set
@_work
@_json
def check(files: tuple[Path, ...], target: str, kind: str, settings: Any, work: Path | None, as_json: bool) -> int:
    """Check maps MAP... (CSV or SQLite) against what the target demands of ids.

    Told are targets that can't be, or would be kept otherwise; two sources with one target, in whatever case; and two
    targets of one source. Ends with 3 if something has to be changed.
    """
    found: list[maps.Finding] = []
    counts: dict[str, int] = {}
    with durable.scratch_folder(work) as folder:
        for one in maps.check(files, kind, _rule(target, kind, settings), folder):
            counts[one.code] = counts.get(one.code, 0) + 1
            if counts[one.code] <= SHOWN or as_json:
                found.append(one)
    rows = sum(1 for file in files for row in maps.rows_of(file, kind) if row.target)
    if as_json:
        told = {"rows": rows, "findings": [{**one._asdict(), "values": _told(one, "en")} for one in found]}
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
    else:
        click.echo("\n".join(_findings(found, counts, rows, language())))
    return max((exit_code_of(code) for code in counts), default=0)


def _told(one: maps.Finding, lang: str) -> dict[str, Any]:
    """The values of a finding, in words."""
    return {name: value.why(lang).rstrip(".。") if isinstance(value, Rejected) else value
            for name, value in one.values.items()}  # fmt: skip


def _findings(found: list[maps.Finding], counts: dict[str, int], rows: int, lang: str) -> Iterator[str]:
    words = WORDS[lang]
    if not counts:
        yield words["fine"].format(rows=rows)
    for code, group in groupby(sorted(found, key=attrgetter("code")), key=attrgetter("code")):
        yield f"{counts[code]:,} × {code}"
        for one in group:
            yield f"  {printable(one.place)}: {printable(cause_of(code, _told(one, lang), lang=lang))}"
        if counts[code] > SHOWN:
            yield f"  {words['more']}"
        yield f"  {remedy_of(code, lang=lang)}"


@ids.command()
@click.argument("source", type=EXISTING, metavar="IDS")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@_to
@_kind
@click.option("--prefix", default="", help="What stands before each target.")
@_set
@_work
def suggest(
    source: Path, out: Path, target: str, kind: str, prefix: str, settings: Any, work: Path | None
) -> int:  # fmt: skip
    """Make a map OUT (CSV, or SQLite by the ending .db) for the ids in IDS.

    IDS is a CSV with a column source, such as --write-missing-ids leaves, or one id a line; a target that it has
    already is kept if it can be. An id stays as it is where it can; others are brought into form, and what would meet
    another gets an ending of its own. The same IDS give the same map, and no two of them the same target.
    """
    if durable.exists(out) and not out.samefile(source):
        raise click.UsageError(f"{out} exists, and may have been edited: name it as IDS, or another OUT.")
    with durable.scratch_folder(work) as folder:
        rows = maps.assign(_wanted(source, kind, prefix, 0), _rule(target, kind, settings), folder)
        _tell(_written(out, kind, rows), out)
    return 0


def _wanted(path: Path, kind: str, prefix: str, number: int) -> Iterator[Wanted]:
    for row in maps.rows_of(path, kind):
        yield Wanted(number, row.line, row.source, f"{prefix}{row.target or row.source}")


def _written(out: Path, kind: str, rows: Iterable[Given]) -> dict[str, int]:
    """Write a map; gives how many ids were given a target for which reason."""
    reasons: dict[str, int] = {}

    def told() -> Iterator[tuple[str, str, str]]:
        for row in rows:
            reasons[row.reason] = reasons.get(row.reason, 0) + 1
            yield row.source, row.target, row.reason

    maps.write(out, kind, told())
    return reasons


def _tell(reasons: dict[str, int], out: Path) -> None:
    words = WORDS[language()]
    click.echo(words["made"].format(rows=sum(reasons.values()), path=out))
    for reason, count in sorted(reasons.items()):
        if reason != "same":
            click.echo(f"  {words['changed'].format(count=count, reason=reason)}")


@ids.command()
@click.argument("apps", nargs=-1, required=True, metavar="NAME=IDS... OUT")
@_to
@_kind
@click.option(
    "--prefix",
    type=click.Choice(("always", "never")),
    default="always",
    show_default=True,
    help="Put NAME_ before each target; or only tell those apart that meet.",
)
@_set
@_work
def merge(
    apps: tuple[str, ...], target: str, kind: str, prefix: str, settings: Any, work: Path | None
) -> int:  # fmt: skip
    """Bring the ids of several apps into one: a map OUT/NAME.csv for each, whose targets never meet.

    IDS are lists or maps as for suggest. Convert each app with its own map (--ids OUT/NAME.csv).
    """
    *pairs, out = apps
    named = [Pair().convert(pair, None, None) for pair in pairs]
    names = [name for name, _ in named]
    if not named or len(set(names)) < len(names):
        raise click.UsageError("Name each app once, as NAME=IDS, before OUT.")
    for _, path in named:
        if not durable.exists(Path(path)):
            raise UsageError("IMC-1001", pattern=path)
    durable.make_folder(Path(out))
    lists = [
        (name, Path(path), f"{name}_" if prefix == "always" else "", number)
        for number, (name, path) in enumerate(named)
    ]
    every = (one for _, path, before, number in lists for one in _wanted(path, kind, before, number))
    with durable.scratch_folder(work) as folder:
        rows = maps.assign(every, _rule(target, kind, settings), folder)
        for number, group in groupby(rows, key=attrgetter("list")):
            file = Path(out) / f"{names[number]}.csv"
            _tell(_written(file, kind, group), file)
    return 0
