"""The socket: uvicorn, with a view of each connection below HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from imconvert.errors import UsageError

LINE = "imconvert.line"
BACKLOG, STOP_TIME, KEEP_TIME = 1024, 1, 75
"""Connections that wait to be accepted; seconds for the end; seconds that an idle connection is kept."""


class _Joining:
    """A transport that joins what is written in one turn of the loop: head and body of an answer go out together.

    A write is the dearest thing that happens to a request; this makes one of two.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts:
            self._transport.write(b"".join(parts))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(H11Protocol):
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = _Joining(transport, self.loop)  # type: ignore[assignment]
        self.lost = asyncio.Event()
        self.app = _with_line(self.app, self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()


def _with_line(app: Any, line: _Protocol) -> Any:
    def called(scope: Any, receive: Any, send: Any) -> Any:
        scope[LINE] = line
        return app(scope, receive, send)

    return called


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


def url_of(end: socket.socket) -> str:
    """The address of a listening socket."""
    host, port = end.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """First let connections that were accepted a moment ago be made: asyncio loses those of a closed server."""
        for end in sockets or ():
            asyncio.get_running_loop().remove_reader(end)
        await asyncio.sleep(0)
        await super().shutdown(sockets=sockets)


def server(app: Any) -> uvicorn.Server:
    """A server of `app`; `serve(sockets=[…])` runs until `should_exit` is set or a signal comes."""
    config = uvicorn.Config(
        app, loop="asyncio", http=_Protocol, ws="none", lifespan="on", interface="asgi3", access_log=False,
        log_config=None, log_level="error", server_header=False, date_header=False, proxy_headers=False,
        backlog=BACKLOG, timeout_keep_alive=KEEP_TIME, timeout_graceful_shutdown=STOP_TIME,
    )  # fmt: skip
    return _Server(config)


def listen(app: Any, end: socket.socket, ready: Callable[[], None]) -> None:
    """Serve `app` on a socket until a signal comes; `ready` is called when it is about to."""
    found = server(app)
    ready()
    found.run(sockets=[end])
