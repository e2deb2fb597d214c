"""`imconvert simulate VENDOR`: stand in for a vendor, to rehearse what it will do."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from imconvert import durable
from imconvert.cli.options import EXISTING, FILE, Size, Span, language
from imconvert.cli.rehearsed import WORDS, line_of, origin_of, summary_of, text_of
from imconvert.cli.simulated import MISHAPS, SERVING, command_of, epilog_of, serve, with_options
from imconvert.simulators import easemob, rongcloud, tencent
from imconvert.simulators.yunxin.compare import compared
from imconvert.simulators.yunxin.faults import KINDS, Rule, read_rules
from imconvert.simulators.yunxin.fetch import Address, Clock, Fetcher, open_client
from imconvert.simulators.yunxin.rehearsal import Course, Mishaps, Rehearsal
from imconvert.simulators.yunxin.server import VENDOR
from imconvert.simulators.yunxin.store import Comparison, Store

NOT_AS_AGREED = 7
FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_LINES = re.compile(r"(?:p2p|team)-[0-9]+\.txt|spool-[0-9]+\.ndjson")
"""The files of outputs and spools that hold records."""


@click.group()
def simulate() -> None:
    """Stand in for a vendor, to rehearse before the real one comes."""


class Rules(click.ParamType):  # type: ignore[type-arg]
    """Mishaps with their shares: cut=30%,lose=5%."""

    name = "rules"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Rule, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return read_rules(str(value))
        except ValueError as why:
            self.fail(str(why), param, ctx)


class Web(click.ParamType):  # type: ignore[type-arg]
    """An http or https address without user and password. It may hold a token, so that no message repeats it."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parts = urlsplit(str(value))
            fine = parts.scheme in ("http", "https") and parts.netloc.count("@") == 0 and bool(parts.hostname)
            fine = fine and (parts.port or 1) > 0
        except ValueError:
            fine = False
        if not fine or not str(value).isprintable() or " " in str(value):
            self.fail("it is no address such as http://127.0.0.1:8080/", param, ctx)
        return str(value)


TEXT = "Serve {name}'s REST API: {what}. Answers as its documents say; see docs/simulators.md."
for _vendor, _name, _what in (
    (easemob.VENDOR, "Easemob", "users, groups, message import, live sending, roaming, files, callbacks"),
    (tencent.VENDOR, "Tencent Cloud IM", "accounts, groups, message import, live sending, queries, callbacks"),
    (rongcloud.VENDOR, "RongCloud", "users, groups, publishing, queries, the hourly log, message routing"),
):
    simulate.add_command(command_of(_vendor, TEXT.format(name=_name, what=_what)))


IMPORTING = click.option(
    "--import",
    "imported",
    type=FOLDER,
    multiple=True,
    metavar="FOLDER",
    help="Before serving, import the text files of this finished output, as Yunxin's people would.",
)
PULLING = (
    click.option("--pull", "url", type=Web(), help="Pull the feed at this address, in place of serving."),
    click.option("--every", type=Span(), default="5s", show_default=True, help="Time from pull to pull."),
    click.option("--token", default="", envvar="IMCONVERT_FEED_TOKEN", metavar="TOKEN",
                 help="Sent as Authorization: Bearer TOKEN. Better in IMCONVERT_FEED_TOKEN, where ps does not see it."),
    click.option("--store", "path", type=FILE, help="SQLite file that keeps what came; without it, memory."),
    click.option("--once", is_flag=True, help="Pull one time; the same as --pulls 1."),
    click.option("--pulls", type=click.IntRange(1), help="Stop after so many pulls.  [default: never]"),
    click.option("--until-quiet", type=click.IntRange(1), metavar="N",
                 help="Stop when N whole answers in a row brought nothing new."),
    click.option("--calm-after", type=click.IntRange(0), metavar="N", help="No more mishaps after N pulls."),
    click.option("--gzip", is_flag=True, help="Accept compressed answers."),
    click.option("--timeout", type=Span(), default="60s", show_default=True, help="Longest time for one answer."),
    click.option("--max-answer", type=Size(), default="64MiB", show_default=True, help="Largest answer, unpacked."),
    click.option("--ca", type=EXISTING, help="Certificate (PEM) to trust, for a server with one of its own."),
    click.option("--expect", "expected", type=FOLDER, multiple=True, metavar="FOLDER",
                 help="At the end, compare the store with this finished output or spool: is every record there?"),
)  # fmt: skip


PULLED = f"""\b
Mishaps of --pull (--faults KIND=SHARE,...; {", ".join(KINDS)}):
  cut     break the connection at some byte of the answer; cut@4096 at this one
  hangup  ask, and be gone before the answer comes
  lose    take the whole answer and forget it, as a puller that dies before it stores
  slow    read in small bites
  twice   pull two times at once"""


@simulate.command(epilog=f"{PULLED}\n\n{epilog_of(VENDOR)}")
@with_options(*SERVING, IMPORTING, *PULLING, *MISHAPS)
def yunxin(url: str | None, quiet: bool, as_json: bool, **chosen: Any) -> int:
    """Serve Yunxin's REST API (--port), or pull an increment feed as Yunxin does (--pull).

    --port: accounts, friends, teams, live sending, history queries, uploads, message copies, in v1 and v2. Answers as
    its documents say; see docs/simulators.md.

    --pull: GETs the address at the interval, takes only {"code":200,"data":[...]}, checks each element as an import
    record, and stores it by Yunxin's rule: of two records with the same msgid, sender, receiver or team, and time, the
    later one overwrites the other. Shares no code with imconvert serve. Ends with exit code 7 if the feed broke the
    agreement, if a record cannot be imported or overwrote another message, if the last answer failed, or if records of
    --expect are missing.
    """
    if (url is None) == (chosen["port"] is None):
        raise click.UsageError("Name one of --port, to serve, and --pull, to pull.")
    if url is None:
        return serve(VENDOR, chosen, as_json=as_json, quiet=quiet, lines=_lines_of(chosen["imported"]))
    chosen["rules"] = Rules().convert(chosen["faults"] or (), None, None)
    return _pull(url, chosen, as_json=as_json, quiet=quiet)


def _pull(url: str, chosen: Mapping[str, Any], *, as_json: bool, quiet: bool) -> int:
    words = WORDS[language()]
    with Store(chosen["path"]) as store, _client(chosen) as client:
        if not quiet:
            click.echo(words["pulling"].format(origin=origin_of(url), every=chosen["every"]), err=True)
        told = None if quiet else lambda pull: click.echo(line_of(pull, words), err=True)
        work = _rehearsal(url, client, store, told, chosen)
        try:
            work.run(_course(chosen))
        finally:
            found = _compared(store, chosen["expected"])
            if as_json:
                click.echo(summary_of(work.tally, store, found))
            elif not quiet:
                click.echo(text_of(work.tally, store, found, words))
    return 0 if work.tally.clean and (found is None or found.complete) else NOT_AS_AGREED


def _client(chosen: Mapping[str, Any]) -> Any:
    try:
        verify = ssl.create_default_context(cafile=str(chosen["ca"])) if chosen["ca"] else True
    except ssl.SSLError as why:
        raise click.BadParameter(f"{chosen['ca']} holds no certificate", param_hint="--ca") from why
    return open_client(verify, small=bool(chosen["rules"]))


def _rehearsal(url: str, client: Any, store: Store, told: Any, chosen: Mapping[str, Any]) -> Rehearsal:
    clock = Clock(time.time, time.monotonic, time.sleep)
    address = Address(url, chosen["token"], chosen["gzip"], chosen["timeout"], chosen["max_answer"])
    mishaps = Mishaps(chosen["rules"], chosen["seed"], chosen["calm_after"])
    return Rehearsal(Fetcher(client, address, clock), store, clock, mishaps, told or (lambda pull: None))


def _course(chosen: Mapping[str, Any]) -> Course:
    return Course(chosen["every"], 1 if chosen["once"] else chosen["pulls"], chosen["until_quiet"])


def _compared(store: Store, folders: Sequence[Path]) -> Comparison | None:
    """How the store compares with the lines of outputs and spools; None if nothing is expected."""
    if not folders:
        return None
    return compared(store, _lines_of(folders), int(time.time() * 1000))


def _lines_of(folders: Sequence[Path]) -> Iterator[bytes]:
    """The records of outputs and spools."""
    paths = [folder / name for folder in folders for name in durable.names_in(folder) if _LINES.fullmatch(name)]
    return (line for path in paths for line in durable.lines_of(path) if line.strip())
