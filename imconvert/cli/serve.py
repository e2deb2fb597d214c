"""`imconvert serve OUT...`: the increment feed that a vendor pulls."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert.cli.msgs import CLOCK
from imconvert.cli.options import EXISTING, Pair, Size, Span, language
from imconvert.cli.terminal import printable
from imconvert.convert.options import Options
from imconvert.errors import ImconvertError, UsageError
from imconvert.serve.access import Access, Secret
from imconvert.serve.app import Site
from imconvert.serve.feed import Overlap
from imconvert.serve.listen import Tls
from imconvert.serve.run import Serving, run
from imconvert.serve.windows import Caps
from imconvert.sources.inputs import text_lines

WORDS = {
    "en": {
        "url": "serving", "status": "status", "spool": "spool", "well": "The feed is well again.",
        "open": "No token is set: whoever reaches the port may pull and hand in.",
        "token": "Token: in the header Authorization: Bearer TOKEN or X-Token, or as the first segment of the path.",
    },
    "zh": {
        "url": "服务地址", "status": "状态页", "spool": "spool 目录", "well": "增量接口已恢复正常。",
        "open": "未设置令牌：任何能访问该端口的人都可拉取和写入。",
        "token": "令牌：放在请求头 Authorization: Bearer TOKEN 或 X-Token 中，或作为路径的第一段。",
    },
}  # fmt: skip

SWITCH = 0.0005
"""Seconds after which a thread that takes in records lets go of the interpreter, for an answer waits that long. The
garbage collector would hold up answers, too: it is told to leave alone what was there at the start."""

FOLDER = click.Path(path_type=Path, file_okay=False)
_PATH = re.compile(r"(/[A-Za-z0-9._~\-]+){1,8}")
_TAKEN = ("/ingest", "/status", "/status.json", "/metrics", "/healthz")


class Network(click.ParamType):  # type: ignore[type-arg]
    """An address or a network: 203.0.113.0/24."""

    name = "cidr"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return ipaddress.ip_network(str(value), strict=False)
        except ValueError:
            self.fail(f"{value!r} is no network such as 203.0.113.0/24", param, ctx)


class FeedPath(click.ParamType):  # type: ignore[type-arg]
    """A path: /feed."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        path = str(value)
        if not _PATH.fullmatch(path) or path in _TAKEN:
            self.fail(f"{value!r} is no path such as /feed, or is used for something else", param, ctx)
        return path


@click.command()
@click.argument("outputs", nargs=-1, type=FOLDER, metavar="[OUT...]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    default="feed.db",
    show_default=True,
    help="File that remembers what was delivered.",
)
@click.option("--spool", type=FOLDER, help="Folder of records handed in.  [default: beside the state, .spool]")
@click.option(
    "--after",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    metavar="MANIFEST",
    help="manifest.json of an output that was handed over as files: its records are known, not served.",
)
@click.option("--path", type=FeedPath(), default="/feed", show_default=True, help="Path of the feed.")
@click.option(
    "--token",
    "tokens",
    multiple=True,
    envvar="IMCONVERT_FEED_TOKEN",
    show_envvar=True,
    help="Token that a request needs. Other users see options: better by environment or file.",
)
@click.option("--token-file", "token_files", type=EXISTING, multiple=True, help="File with tokens, one a line.")
@click.option(
    "--ingest-token",
    "ingest",
    multiple=True,
    envvar="IMCONVERT_INGEST_TOKEN",
    show_envvar=True,
    help="Token for POST /ingest, which then takes no other.",
)
@click.option("--allow", type=Network(), multiple=True, help="Network that may ask; all others may not.")
@click.option(
    "--rate",
    type=click.FloatRange(0),
    default=50.0,
    show_default=True,
    help="Requests a second from one address; 0 for no limit.",
)
@click.option(
    "--window",
    type=Span(),
    default="2h",
    show_default=True,
    help="How long delivered windows are repeated before new records, as far as there is room; 0 for never.",
)
@click.option(
    "--copies",
    type=click.IntRange(1, 100),
    default=2,
    show_default=True,
    help="In how many answers each record is served at least, as long as new ones come. More is safer behind a proxy.",
)
@click.option(
    "--idle-repeats",
    type=click.IntRange(0, 999),
    default=0,
    show_default=True,
    help="When nothing is new, repeat the last windows in N more answers before answers are empty.",
)
@click.option(
    "--again",
    type=click.IntRange(0, 999),
    default=0,
    help="Deliver the last N windows once more, should the vendor have lost them.",
)
@click.option(
    "--max-records",
    type=click.IntRange(1, 1_000_000),
    default=5000,
    show_default=True,
    help="Most records in an answer.",
)
@click.option("--max-bytes", type=Size(), default="8MiB", show_default=True, help="Most bytes in an answer.")
@click.option("--max-body", type=Size(), default="8MiB", show_default=True, help="Longest body of POST /ingest.")
@click.option("--tls-cert", type=EXISTING, help="Certificate chain (PEM); the feed is served by HTTPS.")
@click.option("--tls-key", type=EXISTING, help="Its private key (PEM).")
@click.option("--open-to-all", is_flag=True, help="Listen beyond loopback without a token.")
@click.option("--set", "settings", type=Pair(), multiple=True, help="Change a setting, as for msgs.")
@click.option("--quiet", "-q", is_flag=True, help="No access log.")
@click.option("--json", "as_json", is_flag=True, help="Print what is served, and the log, as JSON lines.")
def serve(
    outputs: tuple[Path, ...], tls_cert: Path | None, tls_key: Path | None, settings: Any, quiet: bool, as_json: bool,
    max_records: int, max_bytes: int, max_body: int, path: str, window: float, **chosen: Any,
) -> None:  # fmt: skip
    """Serve the increment feed: finished outputs OUT..., and records that are handed in meanwhile.

    The vendor GETs the feed at an agreed interval and gets what it did not get before. OUT is a finished output, or a
    folder in which outputs appear. Records are handed in with POST /ingest or imconvert spool append.
    """
    if bool(tls_cert) != bool(tls_key):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    wanted = Serving(
        outputs=outputs,
        state=chosen["state"],
        spool=chosen["spool"],
        after=chosen["after"],
        host=chosen["host"],
        port=chosen["port"],
        site=Site(path, max_body),
        caps=Caps(max_records, max_bytes),
        overlap=Overlap(round(window * 1000), chosen["idle_repeats"], chosen["copies"]),
        access=_access(chosen),
        tls=Tls(tls_cert, tls_key) if tls_cert and tls_key else None,
        open_to_all=chosen["open_to_all"],
        again=chosen["again"],
        settings=Options((), Path(), settings=dict(settings)).complete_settings(),
    )
    sys.setswitchinterval(SWITCH)
    gc.freeze()
    run(
        wanted,
        CLOCK,
        log=lambda line: None if quiet else _log(line, as_json),
        tell=lambda trouble: _tell(trouble, as_json),
        ready=lambda found: _ready(found, as_json),
    )


def _access(chosen: dict[str, Any]) -> Access:
    """Who may ask. Raises UsageError IMC-1180 where a token was meant to be, but is none."""
    for name in ("IMCONVERT_FEED_TOKEN", "IMCONVERT_INGEST_TOKEN"):
        if name in os.environ and not os.environ[name].strip():
            raise UsageError("IMC-1180", where=name)
    tokens = [*chosen["tokens"]]
    for path in chosen["token_files"]:
        tokens += _tokens_in(path)
    if not all((*tokens, *chosen["ingest"])):
        raise click.UsageError("A token is empty.")
    return Access(
        tokens=tuple(Secret(text) for text in tokens),
        ingest=tuple(Secret(text) for text in chosen["ingest"]),
        networks=chosen["allow"],
        rate=chosen["rate"],
    )


def _tokens_in(path: Path) -> list[str]:
    """The tokens of a file that nobody else can read. Raises UsageError IMC-1135, IMC-1180."""
    if os.stat(path).st_mode & 0o077:
        raise UsageError("IMC-1135", str(path))
    found = [line.decode("utf-8-sig", "surrogateescape").strip() for line in text_lines(path)]
    if not any(found):
        raise UsageError("IMC-1180", where=str(path))
    return found


def _ready(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
        return
    words = WORDS[language()]
    for name in ("url", "status", "spool"):
        _say(f"{words[name]}  {found[name]}")
    _say(words["token" if found["needs_token"] else "open"])


def _log(line: dict[str, Any], as_json: bool) -> None:
    at = CLOCK.now()
    if as_json:
        _say(msgspec.json.encode({"at_ms": int(at * 1000), **line}).decode())
        return
    parts = [f"{name}={value}" for name, value in line.items() if name not in ("from", "method", "what", "status")]
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _say(f"{moment} {line['from']} {line['method']} {line['what']} {line['status']} {' '.join(parts)}")


def _tell(trouble: ImconvertError | None, as_json: bool) -> None:
    """Say on standard error that the feed is in trouble, or well again; also with --quiet."""
    lang, at = language(), CLOCK.now()
    if as_json:
        found = {"at_ms": int(at * 1000), "state": "trouble" if trouble else "well",
                 "why": trouble.text(lang) if trouble else None}  # fmt: skip
        _say(msgspec.json.encode(found).decode())
        return
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    _say(f"{moment} {printable(trouble.text(lang)) if trouble else WORDS[lang]['well']}")


def _say(text: str) -> None:
    """Write a line to standard error. A log on a full disk, or whose reader is gone, must not end the feed."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(text, err=True)
