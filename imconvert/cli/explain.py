"""`imconvert explain OUT MSGID`: where a line came from, or why it is absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert.audit.explain import Finding, explain_message
from imconvert.cli.options import language
from imconvert.cli.terminal import printable
from imconvert.errors import UsageError, cause_of, remedy_of

TEXTS = {
    "en": {"written": "written", "from": "from", "byte": "byte", "kept": "kept instead"},
    "zh": {"written": "已写出", "from": "来自", "byte": "字节", "kept": "保留的是"},
}


@click.command()
@click.argument("output", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="OUT")
@click.argument("msgid")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(output: Path, msgid: str, as_json: bool) -> None:
    """Say where the message MSGID of the finished folder OUT came from, or why it is absent.

    MSGID is the message number of a shard line, or the id that the message had in its source.
    """
    findings = list(explain_message(output, msgid))
    if not findings:
        raise UsageError("IMC-1012", str(output), msgid=msgid)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=1).decode())
        return
    for finding in findings:
        click.echo("\n".join(_lines(finding, language())))


def _lines(finding: Finding, lang: str) -> list[str]:
    words = TEXTS[lang]
    place = f"{printable(finding.file)}:{finding.line} ({words['byte']} {finding.offset:,})"
    if finding.code is None:
        return [f"{words['written']}  {finding.shard}:{finding.shard_line}", f"  {words['from']} {place}"]
    why = cause_of(finding.code, lang=lang) if lang == "zh" or not finding.why else finding.why
    lines = [
        f"{finding.code}  {printable(why)}",
        f"  {words['from']} {place}",
        f"  {remedy_of(finding.code, lang=lang)}",
    ]
    kept: dict[str, Any] | None = finding.kept
    if kept:
        lines.append(f"  {words['kept']}: {printable(str(kept['file']))}:{kept['line']}")
    return lines
