"""Put the feed together and serve it until a signal comes.

Beside the state file FEED.db lie `FEED.keys/`, the key index, and, unless it is elsewhere, `FEED.spool/`.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from imconvert import durable
from imconvert.convert.books import manifest
from imconvert.convert.ports import Clock
from imconvert.errors import ImconvertError, IntegrityError, UsageError
from imconvert.serve import app, listen
from imconvert.serve.access import Access
from imconvert.serve.app import Site
from imconvert.serve.clerk import Clerk
from imconvert.serve.feed import Feed, Overlap
from imconvert.serve.gate import Log
from imconvert.serve.intake import Checker
from imconvert.serve.judging import Judge
from imconvert.serve.keys import KeyIndex
from imconvert.serve.listen import Tls
from imconvert.serve.register import Register
from imconvert.serve.spool import Spool
from imconvert.serve.state import State
from imconvert.serve.taking import Taker
from imconvert.serve.windows import Caps
from imconvert.vendors import TARGETS

Ready = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Serving:
    """What `imconvert serve` is asked to do; `again` windows are delivered once more."""

    outputs: tuple[Path, ...]
    state: Path
    spool: Path | None = None
    after: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    site: Site = Site("/feed", 8 << 20)
    caps: Caps = Caps(5000, 8 << 20)
    overlap: Overlap = Overlap()
    access: Access = field(default_factory=Access)
    tls: Tls | None = None
    open_to_all: bool = False
    again: int = 0
    target: str = "yunxin"
    settings: Mapping[str, str] = field(default_factory=dict)


def spool_of(state: Path) -> Path:
    """The spool folder that belongs to a state file, unless another is named."""
    return state.with_suffix(".spool")


@contextlib.contextmanager
def opened(wanted: Serving, clock: Clock) -> Iterator[Clerk]:
    """The feed with its clerk, not started yet. Raises UsageError IMC-1007 where another server has it."""
    target = TARGETS[wanted.target]
    keys = wanted.state.with_suffix(".keys")
    durable.make_folder(keys)
    with durable.sole_owner(keys), contextlib.ExitStack() as stack:
        state = State(wanted.state)
        stack.callback(state.close)
        state.begin(uuid4().hex[:12])
        if wanted.again:
            state.undeliver(wanted.again)
        index = _index(keys, state)
        stack.callback(index.close)
        spool = Spool((wanted.spool or spool_of(wanted.state)).absolute())
        feed = Feed(state, target, wanted.caps, wanted.overlap)
        taker = Taker(feed, Judge(index, state, target), spool, Checker(target, wanted.settings))
        register = Register(taker, wanted.outputs, [_bulk(path) for path in wanted.after])
        yield Clerk(feed, taker, register, clock)


def _index(folder: Path, state: State) -> KeyIndex:
    """The key index; if it is damaged, an empty one, and all lines are to be read again."""
    try:
        return KeyIndex(folder, state.runs())
    except IntegrityError:
        state.forget()
        return KeyIndex(folder, [])


def _bulk(path: Path) -> Path:
    """The output folder of a manifest. Raises UsageError IMC-1014."""
    folder = path.parent if path.name == manifest.NAME else path
    if not durable.exists(folder / manifest.NAME):
        raise UsageError("IMC-1014", str(path), why="there is no manifest.json")
    return folder


def check(wanted: Serving) -> None:
    """Raise UsageError IMC-1130 for a server that anybody could ask, IMC-1133 for one that has nothing to serve."""
    if not wanted.access.tokens and not wanted.open_to_all and not _is_loopback(wanted.host):
        raise UsageError("IMC-1130", host=wanted.host)
    for folder in wanted.outputs:
        if not durable.exists(folder):
            raise UsageError("IMC-1133", str(folder))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run(
    wanted: Serving, clock: Clock, *, log: Log, tell: Callable[[ImconvertError | None], None], ready: Ready
) -> None:
    """Serve until a signal comes; `ready` is told where, `tell` of trouble when it begins, and None when it ends."""
    check(wanted)
    with opened(wanted, clock) as clerk:
        clerk.tell = tell
        end = listen.bind(wanted.host, wanted.port)
        try:
            clerk.start()
            gate = app.make(clerk, wanted.site, wanted.access, clock, log)
            listen.listen(gate, end, wanted.tls, lambda: ready(where(wanted, end.getsockname()[1])))
        finally:
            end.close()
            clerk.stop()


def where(wanted: Serving, port: int) -> dict[str, Any]:
    """The addresses that are served."""
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    base = f"{'https' if wanted.tls else 'http'}://{host}:{port}"
    return {
        "url": f"{base}{wanted.site.path}",
        "status": f"{base}/status",
        "state": str(wanted.state),
        "spool": str((wanted.spool or spool_of(wanted.state)).absolute()),
        "needs_token": bool(wanted.access.tokens),
    }
