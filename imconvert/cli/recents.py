"""`imconvert recents OUTPUT... OUT`: everybody's list of recent conversations."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from imconvert.cli import progress
from imconvert.cli.options import EXISTING, READING, language, named
from imconvert.convert.finished.recents import Report, Wanted
from imconvert.convert.finished.recents import recents as make_recents

WORDS = {
    "en": {"made": "{people:,} people, {conversations:,} conversations in {folder}",
           "cut": "{cut:,} older conversations left out (--most {most})",
           "without": "{without:,} conversations of groups without known members: name the output of groups, too"},
    "zh": {"made": "{people:,} 个用户，{conversations:,} 个会话，位于 {folder}",
           "cut": "略去较早的会话 {cut:,} 个（--most {most}）",
           "without": "{without:,} 个群会话的成员未知：请同时给出群组的输出"},
}  # fmt: skip


@click.command()
@click.argument("outputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="OUTPUT... OUT")
@click.option("--most", type=click.IntRange(1), default=100, show_default=True, help="Conversations in a list.")
@click.option("--unread", type=EXISTING, help="CSV owner,chat,target,unread: how many are not read, where it is known.")
@named(READING)["jobs"]
@named(READING)["quiet"]
@named(READING)["as_json"]
def recents(
    outputs: tuple[Path, ...], most: int, unread: Path | None, jobs: int, quiet: bool, as_json: bool
) -> int:  # fmt: skip
    """Make everybody's list of recent conversations, for your own server, of the finished folders OUTPUT...

    Name the outputs of messages, and those of groups, whose members share a group's conversation. A line of the shards
    in OUT is a user with conversations, the latest first: peer, time in ms, who wrote last and what.
    """
    *folders, out = outputs
    if not folders:
        raise click.UsageError("Name at least one OUTPUT before OUT.")
    watch = progress.watcher(quiet=quiet)
    try:
        found = make_recents(Wanted(tuple(folders), out, most, unread, jobs), watch)
    finally:
        watch.close()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    elif not quiet:
        click.echo("\n".join(_lines(found, out, language())))
    return 0


def _lines(found: Report, out: Path, lang: str) -> list[str]:
    words, values = WORDS[lang], {**msgspec.to_builtins(found), "folder": out}
    return [words[name].format(**values) for name in ("made", "cut", "without") if name == "made" or values[name]]
