"""A small HTTP server that plays a target: it answers by a function, and can break off, stall, or apply and break
off."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Asked:
    """A request as the target saw it; `at` is when it had come whole (s, steady)."""

    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What the target answers: JSON and status, after `delay` seconds; `cut` breaks off without an answer."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    delay: float = 0.0
    raw: bytes | None = None


Act = Callable[[Asked], Answer]


class FakeTarget:
    """Serves on loopback in a thread of its own; `asked` is all that came, in order."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.asked: list[Asked] = []
        self.port = 0
        self.transports: set[Any] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Protocol(self), "127.0.0.1", self.port)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._end())

    async def _end(self) -> None:
        """End all connections, also those that were accepted a moment ago and are still being made."""
        for end in self._server.sockets:
            self._loop.remove_reader(end.fileno())
        for _ in range(3):
            await asyncio.sleep(0)
        self._server.close()
        for transport in self.transports:
            transport.abort()
        await asyncio.sleep(0)


class _Protocol(asyncio.Protocol):
    def __init__(self, target: FakeTarget) -> None:
        self.target = target
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.target.transports.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.target.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, found, rest = self.got.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self.got = rest[length:]
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        asked = Asked(time.monotonic(), method, path, query, headers, rest[:length])
        self.target.asked.append(asked)
        answer = self.target.act(asked)
        if answer.delay:
            self.target._loop.call_later(answer.delay, self._answer, answer)
        else:
            self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if answer.cut:
            self.transport.abort()
            return
        body = answer.raw if answer.raw is not None else json.dumps(answer.value).encode()
        extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = f"HTTP/1.1 {answer.status} X\r\ncontent-type: application/json\r\n{extra}"
        self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
