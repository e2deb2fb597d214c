"""`imconvert errors [CODE]`: the catalogue of codes."""

from __future__ import annotations

import click
import msgspec

from imconvert.cli.options import language
from imconvert.errors import CATALOGUE, Entry, UsageError, exit_code_of

FAMILIES = {
    "en": {
        "1": "Usage", "2": "Rejected records", "3": "Repairs and notices", "4": "Inputs", "5": "Stopped",
        "6": "Integrity", "7": "Targets", "8": "Left out on purpose",
    },
    "zh": {
        "1": "用法", "2": "被拒记录", "3": "修复与提示", "4": "输入", "5": "中止",
        "6": "完整性", "7": "目标", "8": "有意略过",
    },
}  # fmt: skip


@click.command()
@click.argument("code", required=False)
@click.option("--lang", type=click.Choice(["en", "zh"]), default=language, show_default="locale", help="Language.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def errors(code: str | None, lang: str, as_json: bool) -> None:
    """Explain CODE (such as IMC-2104), or list all codes."""
    entries = [_find(code)] if code else list(CATALOGUE.values())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode([_plain(entry) for entry in entries]), indent=1).decode())
    elif code:
        click.echo("\n".join(_lines(entries[0], lang)))
    else:
        click.echo("\n".join(_list(entries, lang)))


def _find(code: str) -> Entry:
    name = code.upper()
    found = CATALOGUE.get(name if name.startswith("IMC-") else f"IMC-{name}")
    by_name = [entry for entry in CATALOGUE.values() if entry.name == code.lower()]
    if found is None and not by_name:
        raise UsageError("IMC-1013", found=code)
    return found or by_name[0]


def _plain(entry: Entry) -> dict[str, object]:
    return {**entry._asdict(), "exit_code": exit_code_of(entry.code)}


def _lines(entry: Entry, lang: str) -> list[str]:
    return [f"{entry.code} {entry.name}", f"  {entry.cause[lang]}", f"  {entry.remedy[lang]}"]


def _list(entries: list[Entry], lang: str) -> list[str]:
    lines: list[str] = []
    family = ""
    for entry in entries:
        if entry.code[4] != family:
            family = entry.code[4]
            lines += ["", f"{FAMILIES[lang][family]} (exit {exit_code_of(entry.code)})"]
        lines.append(f"  {entry.code} {entry.name:22} {entry.cause[lang]}")
    return lines[1:]
