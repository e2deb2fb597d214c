"""`imconvert load OUT`: push the shards of a finished output to its target."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import click
import msgspec

from imconvert.cli import progress
from imconvert.cli.loading import WORDS, shower, view
from imconvert.cli.options import EXISTING, language
from imconvert.cli.terminal import printable
from imconvert.deliver import Clock
from imconvert.errors import UsageError, cause_of, remedy_of
from imconvert.load import failed
from imconvert.load.job import Job, Wanted, Ways, carry_out
from imconvert.load.rehearse import requests
from imconvert.load.run import Choice
from imconvert.load.shards import Shard
from imconvert.load.target import Target, read_target
from imconvert.load.unknown import Case, Decide
from imconvert.sources.inputs import read_text, text_lines
from imconvert.vendors.calls import Secret

CLOCK = Clock(time.time, time.monotonic, asyncio.sleep)
OUTPUT = click.Path(path_type=Path, file_okay=False, exists=True)
_ANSWERS = {"r": "resend", "s": "skip", "k": "keep"}


def target_in(path: Path) -> Target:
    """What a target.toml says."""
    return read_target(read_text(path), str(path))


def secret_of(target: Target, beside: Path) -> Secret:
    """The secret, from a file that nobody else can read or from the environment. Raises UsageError IMC-1262."""
    if not target.secret_file:
        return Secret(os.environ.get(target.secret_env, "").strip())
    path = beside / target.secret_file
    try:
        open_to_others = stat.S_IMODE(os.stat(path).st_mode) & 0o077
    except OSError:
        open_to_others = 0
    if open_to_others:
        raise UsageError("IMC-1262", str(path))
    return Secret("".join(line.decode() for line in text_lines(path)).strip())


@click.command(
    epilog="""\b
Files in OUT:
  load/               the journal: what was sent, what is unknown; locks and pace
  load-failed.ndjson  calls that the target refused, each with why; correct body and use --replay
  load-ids.csv        ids that the target gave out, as a map for --tids
  load-tokens.csv     tokens that the target gave out (RongCloud); nobody but you can read it

\b
Exit codes: 0 all that was asked for went in; 3 done, but items failed; 5 one error code filled a window; 6 a shard or
the journal can't be trusted; 7 the target refuses, or outcomes are unknown; 130/143 stopped, the same command goes on.
"""
)
@click.argument("output", type=OUTPUT, metavar="OUT")
@click.option(
    "--target",
    "target_file",
    type=EXISTING,
    required=True,
    help="target.toml: whose app, how fast, how patiently; see docs/load.md.",
)
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Only this stage; may be repeated.")
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only conversations whose name (conv) matches, such as group-7 or 'u1*'; may be repeated.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Send at most N calls: a pilot.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the exact requests as JSON lines, secrets hidden (20, or --limit); send nothing.",
)
@click.option("--replay", type=EXISTING, metavar="FILE", help="Send the corrected calls of a load-failed.ndjson.")
@click.option(
    "--resolve",
    type=click.Choice(["resend", "skip", "ask"]),
    help="What to do with calls whose outcome is unknown and can't be found out.",
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where the journal lies, such as one of its own for a rehearsal.  [default: OUT/load]",
)
@click.option("--rebind", is_flag=True, help="Go on with a journal although the address of the app changed.")
@click.option(
    "--status-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve the status on loopback: / as JSON, /metrics for Prometheus; 0 takes a free port.",
)
@click.option("--quiet", "-q", is_flag=True, help="No view and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def load(
    output: Path, target_file: Path, stages: tuple[str, ...], only: tuple[str, ...], limit: int | None, **chosen: Any
) -> int:  # fmt: skip
    """Push the shards of the finished output OUT to the target that they were made for.

    Each call is journaled before and behind, so that the same command goes on after any interruption, and never sends
    anew what went in. Several processes may load one OUT side by side; together they keep to the limits.
    """
    target = target_in(target_file)
    wanted = Wanted(
        output, target, secret_of(target, target_file.parent), Choice(stages, only, limit), journal=chosen["journal"],
        replay=chosen["replay"], rebind=chosen["rebind"], decide=_decider(chosen["resolve"]),
    )  # fmt: skip
    if chosen["dry_run"]:
        for one in requests(wanted, CLOCK, Random()):
            click.echo(msgspec.json.encode(one).decode())
        return 0
    job, ready = _prepared(wanted, chosen)
    return asyncio.run(_run(job, ready, target_file, chosen))


def _prepared(wanted: Wanted, chosen: dict[str, Any]) -> tuple[Job, list[tuple[str, list[Shard]]]]:
    """The job, its shards summed, and its stages."""
    show = _with_status(shower(WORDS[language()], quiet=chosen["quiet"] or chosen["as_json"]), chosen["status_port"])
    watch, done = progress.watcher(quiet=chosen["quiet"] or chosen["as_json"]), [0]

    def checked(size: int) -> None:
        done[0] += size
        watch.tick(done[0])

    chosen_by = wanted.decide

    def decide(case: Case) -> str:
        watch.close()  # nobody can answer behind a bar
        assert chosen_by
        return chosen_by(case)

    wanted = replace(wanted, decide=decide if chosen_by else None)
    job = Job(wanted, Ways(CLOCK, Random(), asyncio.Event(), show, checked))
    try:
        watch.phase("check", sum(shard.bytes for shard in job.manifest.shards))
        return job, job.prepare()
    except BaseException:
        job.close()
        raise
    finally:
        watch.close()


def _decider(chosen: str | None) -> Decide | None:
    """What decides about unknown calls. Raises UsageError IMC-1263 where there is nobody to ask."""
    if chosen == "ask" and not sys.stdin.isatty():
        raise UsageError("IMC-1263")
    if chosen == "ask":
        return _ask
    return (lambda case: chosen) if chosen else None


def _ask(case: Case) -> str:
    words = WORDS[language()]
    call = case.call
    at = datetime.fromtimestamp(case.unknown.at).strftime("%Y-%m-%d %H:%M:%S")
    click.echo(f"{words['in_doubt']}: {case.shard}:{case.unknown.place.line + 1}  {call.api}  {call.key}  {at}")
    click.echo(f"  {printable(bytes(call.body).decode('utf-8', 'replace')[:400])}")
    answer = click.prompt(words["ask"], type=click.Choice(sorted(_ANSWERS)), show_choices=False)
    return _ANSWERS[answer]


async def _run(
    job: Job, stages: list[tuple[str, list[Shard]]], target_file: Path, chosen: dict[str, Any]
) -> int:  # fmt: skip
    got: list[int] = []
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, number, got, job.ways.stop)
    try:
        await carry_out(job, stages)
    finally:
        _tell(job, target_file, chosen)
    return 128 + got[0] if got else job.exit_code()


def _stop(number: int, got: list[int], stop: asyncio.Event) -> None:
    """The first signal lets calls under way arrive, the second one ends at once."""
    if got:
        os._exit(128 + number)
    got.append(number)
    stop.set()


Facts = Callable[[], dict[str, Any]]


def _with_status(show: Callable[[Facts], Any], port: int | None) -> Callable[[Facts], Any]:
    """Show the facts in a second place as well: on a port."""
    if port is None:
        return show
    from imconvert.serve.beside import beside, on_loopback  # a server is loaded only where one is wanted

    end = on_loopback(port)
    click.echo(f"http://127.0.0.1:{end.getsockname()[1]}/", err=True)

    @contextlib.asynccontextmanager
    async def both(facts: Facts) -> AsyncIterator[None]:
        async with beside(facts, end), show(facts):
            yield

    return both


def _tell(job: Job, target_file: Path, chosen: dict[str, Any]) -> None:
    """Print the summary in the form that was asked for."""
    found = job.summary()
    if chosen["as_json"]:
        click.echo(msgspec.json.encode(found).decode())
    elif not chosen["quiet"]:
        click.echo("\n".join(_text(found, job.wanted, target_file)))


def _text(found: dict[str, Any], wanted: Wanted, target_file: Path) -> list[str]:
    words, lang = WORDS[language()], language()
    lines = view(found, words)
    left = sum(row["lines"] - row["done"] for row in found["stages"])
    stopped = left and found["state"] == "stopped" and not found["why"]
    lines.append(words["stopped" if stopped else "some" if left else "loaded" if found["sent"] else "again"])
    places = {"output": wanted.output, "target": target_file, "path": wanted.output / failed.NAME}
    following = []
    if found["failed_lines"]:
        following.append(words["failed_next"].format(**places))
    if found["unknown"]:
        values = {"count": found["unknown"]}
        lines.append(f"IMC-7220 {cause_of('IMC-7220', values, lang=lang)} {remedy_of('IMC-7220', values, lang=lang)}")
        following.append(words["unknown_next"].format(**places))
    if found["ids"]:
        lines.append(words["ids"].format(path=wanted.output / failed.IDS))
    if found["tokens"]:
        lines.append(words["tokens"].format(path=wanted.output / failed.TOKENS))
    return lines + ([f"{words['next']}:", *(f"  {line}" for line in following)] if following else [])
