"""The socket: uvicorn, with the time limits it lacks and with a view of how a connection ends.

Strategy: a connection without a request in work is idle. It must send a whole head within HEAD_TIME; beyond MOST_IDLE
idle ones the oldest is dropped, so that those who flood the port with silent connections only push out each other.
Promise: a `Link` says of an answer whether its receiver took it: it closed in order behind the last byte. (A socket
that is closed with unread bytes resets.) Of a receiver that keeps the connection open it is known only whether its
system acknowledged the last byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import resource
import socket
import struct
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from imconvert.errors import UsageError

HEAD_TIME = 10.0
KEEP_TIME = 8
HEAD_BYTES = 16 << 10
STOP_TIME = 1
MOST_IDLE = 4096
BACKLOG = 1024
"""Seconds for the head of a request, and between two (no interval at which pullers like to come, for then both sides
would close and ask at the same moment); bytes of a head; seconds to stop; idle connections; waiting."""

LINK = "imconvert.link"


@dataclass(frozen=True, slots=True)
class Tls:
    """Where certificate chain and private key are."""

    certificate: Path
    key: Path


class Link:
    """One connection, as an answer sees it."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.lost = asyncio.Event()
        self.in_order = False

    async def flushed(self) -> bool:
        """Wait until the system has all bytes; False if the connection was lost before."""
        await self._protocol.flow.drain()
        return not self.lost.is_set()

    async def taken(self, patience: float) -> bool | None:
        """Whether the receiver took all that was flushed; waits until it closes, at most `patience` seconds.

        None where it kept the connection open and its system acknowledged everything.
        """
        plain = self._protocol.scheme == "http"
        end: Any = self._protocol.transport.get_extra_info("socket")
        if plain:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lost.wait(), patience)
        if self.lost.is_set():
            return self.in_order
        return None if _unacknowledged(end) == 0 else False

    def cut(self) -> None:
        """Break the connection off."""
        self._protocol.transport.abort()


def _unacknowledged(end: Any) -> int:
    """Bytes that the other side's system has not acknowledged; 0 where this one can't tell."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        return int(struct.unpack("i", fcntl.ioctl(end.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except (OSError, ValueError):
        return -1


class Protocol(H11Protocol):
    """uvicorn's protocol with limits. `idle` are the connections without a request in work, the oldest first."""

    idle: dict[Protocol, None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=int(self.scheme == "https"))
        self.link = Link(self)
        self.app = _linked(self.app, self.link)
        self._deadline: asyncio.TimerHandle | None = None
        self._watch()
        while len(self.idle) > MOST_IDLE:
            oldest = next(iter(self.idle))
            del self.idle[oldest]
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, or break off where an answer has begun already."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self.idle[self] = None

    def _watch(self) -> None:
        """Idle connections have a deadline for the head of their next request."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:
            self.idle.pop(self, None)
            self._rest()
        elif not self.transport.is_closing():
            self.idle.setdefault(self, None)
            self._deadline = self._deadline or self.loop.call_later(HEAD_TIME, self.transport.abort)

    def _rest(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle.pop(self, None)
        self._rest()
        self.link.in_order = exc is None
        self.link.lost.set()
        super().connection_lost(exc)


def _linked(app: Any, link: Link) -> Any:
    async def linked(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {LINK: link}
        await app(scope, receive, send)

    return linked


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises UsageError IMC-1132."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as stack:
            found = stack.enter_context(socket.socket(family, kind, number))
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(BACKLOG)
            found.setblocking(False)
            stack.pop_all()
    except OSError as why:
        raise UsageError("IMC-1132", address=f"{host}:{port}", why=why.strerror or str(why)) from why
    return found


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that gives a TLS handshake no more time than a head, for which uvicorn has no setting."""

    async def create_server(self, *words: Any, **more: Any) -> asyncio.Server:
        limits = {"ssl_handshake_timeout": HEAD_TIME} if more.get("ssl") else {}
        return await super().create_server(*words, **{**more, **limits})


class Server(uvicorn.Server):
    """uvicorn's server in a loop of ours."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            runner.run(self.serve(sockets=sockets))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, and let what was accepted become connections before the server is closed: asyncio
        would forget these otherwise, with a traceback, and leave them open."""
        for end in sockets or ():
            asyncio.get_running_loop().remove_reader(end)
        await asyncio.sleep(0)
        await super().shutdown(sockets=sockets)


def server(app: Any, tls: Tls | None) -> Server:
    """A server of `app`. Raises UsageError IMC-1131 for a certificate or key that can't be used."""
    _allow_many_files()
    protocol: Any = type("LimitedProtocol", (Protocol,), {"idle": {}})
    config = uvicorn.Config(
        app, loop="asyncio", http=protocol, ws="none", lifespan="off", interface="asgi3", access_log=False,
        log_config=None, log_level="critical", server_header=False, proxy_headers=False, backlog=BACKLOG,
        timeout_keep_alive=KEEP_TIME, timeout_graceful_shutdown=STOP_TIME, h11_max_incomplete_event_size=HEAD_BYTES,
        ssl_certfile=tls.certificate if tls else None, ssl_keyfile=tls.key if tls else None,
    )  # fmt: skip
    try:
        config.load()
    except (OSError, ValueError) as why:
        raise UsageError("IMC-1131", why=getattr(why, "strerror", None) or str(why)) from why
    return Server(config)


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_IDLE * 4 if hard == resource.RLIM_INFINITY else min(hard, MOST_IDLE * 4)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def listen(app: Any, end: socket.socket, tls: Tls | None, ready: Callable[[], None]) -> None:
    """Serve `app` on a socket until a signal comes; `ready` is called when it is about to."""
    found = server(app, tls)
    ready()
    found.run(sockets=[end])
