"""`imconvert packages OUT [USER...]`: look at the packages for users' devices, or write some as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from imconvert.cli.options import language
from imconvert.cli.package_table import WORDS, totals_of
from imconvert.cli.terminal import printable
from imconvert.convert.books.manifest import PackageTotals
from imconvert.convert.devices.packages import User
from imconvert.convert.finished.unpack import Packages
from imconvert.errors import UsageError
from imconvert.vendors.values import day

FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("output", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="OUT")
@click.argument("names", nargs=-1, metavar="[USER]...")
@click.option("--to", "folder", type=FOLDER, help="Write the packages as files below this folder, one a call.")
@click.option("--all", "everybody", is_flag=True, help="All users, with --to.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def packages(output: Path, names: tuple[str, ...], folder: Path | None, everybody: bool, as_json: bool) -> None:
    """Look at the packages for users' devices in the finished folder OUT, or write some of them as files.

    Without USER it tells what there is in all; with USERs, where their calls lie in the shards: a range of bytes each,
    which can be handed to a device as it is. With --to each call becomes a file, DIR/USER/00001.ndjson.
    """
    if everybody and (names or not folder):
        raise UsageError("IMC-1234", why="--all goes with --to and without names")
    if folder and not names and not everybody:
        raise UsageError("IMC-1234", why="--to is there, but nobody is named")
    with Packages(output) as found:
        chosen = found.users() if everybody else iter(_named(found, names))
        if folder:
            click.echo(_write(found, chosen, folder, as_json=as_json))
        else:
            click.echo(_told(found.totals, list(chosen), as_json=as_json))


def _named(found: Packages, names: tuple[str, ...]) -> list[User]:
    users = {name: found.find(name) for name in dict.fromkeys(names)}
    missing = [name for name, user in users.items() if user is None]
    if missing:
        raise UsageError("IMC-1232", str(found.output), users=", ".join(map(printable, missing)))
    return [user for user in users.values() if user]


def _write(found: Packages, chosen: Iterator[User], folder: Path, *, as_json: bool) -> str:
    users = files = 0
    for user in chosen:
        users, files = users + 1, files + found.write(user, folder)
    if as_json:
        return msgspec.json.encode({"users": users, "files": files, "folder": str(folder)}).decode()
    return WORDS[language()]["wrote"].format(users=f"{users:,}", files=f"{files:,}", folder=folder)


def _told(totals: PackageTotals, chosen: list[User], *, as_json: bool) -> str:
    if as_json:
        return msgspec.json.format(msgspec.json.encode(chosen or totals), indent=1).decode()
    if not chosen:
        return "\n".join(totals_of(totals, language()))
    return "\n".join(line for user in chosen for line in _lines(user, WORDS[language()]))


def _lines(user: User, words: dict[str, str]) -> list[str]:
    span = f"{day(user.first)} … {day(user.last)}"
    head = f"{printable(user.user)}  {user.messages:,} {words['messages']}  {span}  {user.file}"
    return [head, *(f"  {begin:,}-{begin + size - 1:,}  {messages:,} {words['messages']}"
                    for begin, size, messages in user.calls)]  # fmt: skip
