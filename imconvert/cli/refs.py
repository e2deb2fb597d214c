"""`imconvert refs OUTPUT... REPORT`: is everybody there whom the outputs mention?"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert.cli import progress
from imconvert.cli.msgs import CLOCK, machine
from imconvert.cli.options import READING, language, named
from imconvert.cli.provision import secrets_key
from imconvert.cli.terminal import printable
from imconvert.convert.books.secrets import KEY_BYTES, read_key
from imconvert.convert.finished.refs import (
    MISSING,
    PLACEHOLDERS,
    POLICIES,
    REJECTED,
    Report,
    Wanted,
    check_refs,
    rows_of,
)

SHOWN = 20
WORDS = {
    "en": {
        "account": "accounts", "group": "groups", "all": "Everybody and every group that is mentioned is there.",
        "missing": "missing {kind}: {missing:,}, mentions of them: {mentions:,}",
        "ids": "{made:,} ids made, {needed:,} needed, {missing:,} missing", "first": "first",
        "list": "all of them: {path}",
        "placeholder": "{count:,} placeholder accounts: load {path} before the others",
        "reject": "{count:,} lines can't go in: {path}",
    },
    "zh": {
        "account": "账号", "group": "群组", "all": "被引用的账号与群组全部存在。",
        "missing": "缺少 {missing:,} 个{kind}，共被引用 {mentions:,} 次",
        "ids": "已创建 {made:,} 个 ID，被引用 {needed:,} 个，缺少 {missing:,} 个", "first": "首次",
        "list": "完整列表：{path}",
        "placeholder": "{count:,} 个占位账号：请先导入 {path}",
        "reject": "{count:,} 行无法导入：{path}",
    },
}  # fmt: skip


@click.command()
@click.argument("outputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="OUTPUT... REPORT")
@click.option(
    "--missing-accounts",
    "policy",
    type=click.Choice(POLICIES),
    default="list",
    show_default=True,
    help="Accounts that are missing: list them; make placeholders of them, an output of their own; or list "
    "every line that can't go in without them.",
)
@named(READING)["jobs"]
@secrets_key
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")  # fmt: skip
def refs(
    outputs: tuple[Path, ...], policy: Any, jobs: int, given: Path | None, quiet: bool, as_json: bool
) -> int:  # fmt: skip
    """Check that all accounts and groups that the finished folders OUTPUT... mention are made by one of them.

    Name the outputs of users, friends, groups and messages of one migration. The folder REPORT gets missing.csv, with
    counts and first places, and refs.json. Groups whose ids the target gives out are known by load-ids.csv of their
    output once they were loaded. Ends with 3 if something is missing.
    """
    *folders, report = outputs
    if not folders:
        raise click.UsageError("Name at least one OUTPUT before REPORT.")
    key = read_key(given) if given else secrets.token_bytes(KEY_BYTES)
    wanted = Wanted(tuple(folders), report, policy, jobs, key, given is not None)
    watch = progress.watcher(quiet=quiet)
    try:
        found = check_refs(wanted, watch, CLOCK, machine())
    finally:
        watch.close()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    elif not quiet:
        click.echo("\n".join(_lines(found, report, language())))
    return 0 if found.whole else 3


def _lines(found: Report, report: Path, lang: str) -> list[str]:
    words = WORDS[lang]
    lines = [words["ids"].format(**msgspec.to_builtins(found.ids))]
    for kind, lacking in found.missing.items():
        if lacking.ids:
            lines.append(words["missing"].format(kind=words[kind], missing=lacking.ids, mentions=lacking.mentions))
    if not found.ids.missing:
        return [*lines, words["all"]]
    for row in rows_of(report / MISSING, SHOWN):
        place = f"{row['output']}/{row['shard']}:{row['line']}"
        lines.append(f"  {row['mentions']:>8}  {words[row['kind']]} {printable(row['id'])}  {words['first']} {place}")
    lines.append(words["list"].format(path=report / MISSING))
    if found.placeholders:
        lines.append(words["placeholder"].format(count=found.placeholders, path=report / PLACEHOLDERS))
    if found.rejected:
        lines.append(words["reject"].format(count=found.rejected, path=report / REJECTED))
    return lines
