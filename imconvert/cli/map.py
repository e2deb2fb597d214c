"""`imconvert map guess FILE` and `imconvert map test MAP FILE...`: from an unknown export to a right mapping."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert.cli.options import EXISTING, Moment, language
from imconvert.cli.terminal import printable
from imconvert.convert.authoring.guess import guess as guess_mapping
from imconvert.convert.authoring.trial import Seen, Shown, Trial, try_out
from imconvert.convert.options import DAY, Options
from imconvert.sources.containers import LIMITS
from imconvert.vendors import MESSAGES

LIMIT = 10_000
WIDEST = 400
"""Characters of a record that the text shows; --json shows more."""

WORDS = {
    "en": {
        "source": "source", "canonical": "message", "notes": "noted", "outcome": "outcome",
        "totals": "{records} records: {written} lines, {rejected} rejected, {skipped} skipped",
        "codes": "Codes", "drift": "Not named by the mapping (add to it, or to ignore)",
        "never": "Named by the mapping, but set in no record (a slip?)", "kinds": "Kinds", "first": "first",
    },
    "zh": {
        "source": "源记录", "canonical": "消息", "notes": "说明", "outcome": "结果",
        "totals": "{records} 条记录：写出 {written} 行，被拒 {rejected}，略过 {skipped}",
        "codes": "错误与提示", "drift": "映射未提及的内容（请补充，或加入 ignore）",
        "never": "映射提及、但所有记录都未设置的路径（是否写错？）", "kinds": "类型", "first": "首例",
    },
}  # fmt: skip


@click.group("map")
def map() -> None:
    """Mapping files for the exports of self-built systems (docs/mapping.md)."""


@map.command()
@click.argument("file", type=EXISTING, metavar="FILE")
def guess(file: Path) -> None:
    """Propose a mapping for FILE (JSON lines, a JSON document, CSV or TSV; packed or not) and print it.

    Names and values of the first records decide. What is unsure has a remark, what is missing a TODO; look at each,
    then try the mapping with imconvert map test.
    """
    click.echo(guess_mapping(file, LIMITS), nl=False)


@map.command()
@click.argument("mapping", type=EXISTING, metavar="MAP")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--show", "-n", type=click.IntRange(0, 1000), default=5, show_default=True, help="Records to show in full."
)
@click.option("--limit", type=click.IntRange(0), default=LIMIT, show_default=True, help="Records to read; 0 reads all.")
@click.option("--to", "target", type=click.Choice(sorted(MESSAGES)), default="yunxin", show_default=True,
              help="Whose lines to show.")  # fmt: skip
@click.option("--latest", type=Moment(), help="Reject later messages.  [default: now + 1 day]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def test(
    mapping: Path, files: tuple[str, ...], show: int, limit: int, target: str, latest: int | None, as_json: bool
) -> int:
    """Try the mapping file MAP on FILE... without writing anything.

    Shows the first records as they are, as messages and as lines of the target; then all errors by code with their
    first places, keys that the mapping does not name, and paths that no record sets. Ends with 3 if a record would be
    rejected. Duplicates and id maps are for imconvert check.
    """
    options = Options(inputs=files, output=Path(), map=mapping, target=target)
    bound = latest if latest is not None else int(time.time() * 1000) + DAY
    trial = try_out(options, bound, show=show, limit=limit)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(trial), indent=1).decode())
    else:
        click.echo("\n".join(_lines(trial, target, WORDS[language()])))
    return 3 if trial.rejected else 0


def _lines(trial: Trial, target: str, words: dict[str, str]) -> Iterator[str]:
    for shown in trial.shown:
        yield from _record(shown, target, words)
        yield ""
    yield words["totals"].format(**{name: f"{getattr(trial, name):,}" for name in _TOTALS})
    if trial.kinds:
        yield f"{words['kinds']}: " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(trial.kinds.items()))
    yield from _table(words["codes"], trial.codes, words)
    yield from _table(words["drift"], trial.drift, words)
    if trial.never:
        yield from ("", words["never"], *(f"  {printable(path)}" for path in trial.never))


_TOTALS = ("records", "written", "rejected", "skipped")


def _record(shown: Shown, target: str, words: dict[str, str]) -> Iterator[str]:
    rows: list[tuple[str, Any]] = [(words["source"], shown.source)]
    if shown.code:
        rows.append((words["outcome"], f"{shown.code}  {shown.why}"))
    else:
        rows.append((words["canonical"], msgspec.json.encode(shown.canonical).decode()))
        rows += [(target, line) for line in shown.lines]
        if shown.notes:
            rows.append((words["notes"], "; ".join(shown.notes)))
    yield printable(shown.place)
    for name, text in rows:
        yield f"  {name:9} {_short(printable(text))}"


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _table(title: str, seen: dict[str, Seen], words: dict[str, str]) -> Iterator[str]:
    if not seen:
        return
    yield from ("", title)
    for name, one in sorted(seen.items(), key=lambda item: -item[1].count):
        why = f": {printable(one.why)}" if one.why else ""
        yield f"  {one.count:>8,}  {printable(name)}{why}  {words['first']} {printable(one.place)}"
        if one.remedy:
            yield f"  {'':>8}  {printable(one.remedy)}"
