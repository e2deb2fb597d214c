"""A feed of one's own: records, a server on loopback in a thread, and a puller that reads sockets by hand."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from uvicorn.server import ServerState

from imconvert.cli.progress import Silent
from imconvert.convert.options import Options
from imconvert.convert.ports import Clock
from imconvert.convert.run import convert
from imconvert.serve import app, listen
from imconvert.serve.clerk import Clerk
from imconvert.serve.feed import Overlap
from imconvert.serve.run import Serving, opened
from imconvert.vendors import SETTINGS

CLOCK = Clock(time.time, time.monotonic)
DEFAULTS = {name: setting.default for name, setting in SETTINGS.items()}
LATEST = 1_900_000_000_000
BASE = 1_700_000_000_000


def record(number: int, body: str = "", *, msgid: int | None = None) -> bytes:
    """A canonical p2p import line without its LF; `number` decides its key unless `msgid` is given."""
    data = {
        "msgid": msgid or number, "from": "ann", "to": "bob", "createTime": BASE + number, "clientType": 1,
        "body": body or f"早 {number}",
    }  # fmt: skip
    return json.dumps({"type": 0, "data": data}, ensure_ascii=False, separators=(",", ":")).encode()


def team_record(number: int) -> bytes:
    data = {"msgid": number, "accid": "ann", "tid": 880011, "createTime": BASE + number, "clientType": 16,
            "body": f"t{number}"}  # fmt: skip
    return json.dumps({"type": 0, "data": data}, separators=(",", ":")).encode()


def lines(records: Sequence[bytes]) -> bytes:
    return b"".join(one + b"\n" for one in records)


def output_of(folder: Path, records: Sequence[bytes]) -> Path:
    """A finished output folder with these records."""
    source = folder.with_suffix(".in")
    source.write_bytes(lines(records))
    convert(Options((str(source),), folder, source="yunxin", latest=LATEST), Silent(), CLOCK, {"imconvert": "test"})
    return folder


def serving(
    state: Path, *outputs: Path, overlap: int = 7_200_000, idle: int = 0, copies: int = 2, **chosen: Any
) -> Serving:
    found = Serving(outputs=outputs, state=state, settings=DEFAULTS, port=0, overlap=Overlap(overlap, idle, copies))
    return replace(found, **chosen)


@dataclass
class Answer:
    """What came back: status, headers, body, and whether the body was as long as announced."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool

    @property
    def records(self) -> list[Any]:
        packed = self.headers.get("content-encoding") == "gzip"
        found = json.loads(gzip.decompress(self.body) if packed else self.body)
        assert found["code"] == 200
        return list(found["data"])


@dataclass
class Server:
    """A running feed."""

    clerk: Clerk
    port: int
    log: list[dict[str, Any]] = field(default_factory=list)

    def connect(self, *, buffer: int = 0) -> socket.socket:
        end = socket.socket()
        if buffer:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        end.settimeout(10)
        end.connect(("127.0.0.1", self.port))
        return end

    def ask(
        self, path: str = "/feed", *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b"",
        stop: int | None = None, buffer: int = 0,
    ) -> Answer:  # fmt: skip
        """One request on a connection of its own; with `stop`, read only so many bytes of the answer and break off."""
        told = {"Host": "feed", **(headers or {})} | ({"Content-Length": str(len(body))} if body else {})
        head = "".join([f"{method} {path} HTTP/1.1\r\n", *(f"{k}: {v}\r\n" for k, v in told.items()), "\r\n"])
        with self.connect(buffer=buffer) as end:
            end.sendall(head.encode() + body)
            return read_answer(end, head_only=method == "HEAD", stop=stop)

    def ingest(self, records: Sequence[bytes], **headers: str) -> Answer:
        kind = {"Content-Type": "application/x-ndjson"}
        return self.ask("/ingest", method="POST", headers=kind | headers, body=lines(records))

    def drain(self) -> list[Any]:
        """Pull until nothing is new, and give all records."""
        found: list[Any] = []
        while True:
            some = self.ask().records
            if not some:
                return found
            found += some

    def settled(self) -> Server:
        """Wait until the feed has read all that is there."""
        self.clerk.hand_in(b"").result()
        wait_for(lambda: not self.clerk.behind and self.clerk.register.pending() is None)
        return self


def read_answer(end: socket.socket, *, head_only: bool = False, stop: int | None = None) -> Answer:
    data = b""
    while b"\r\n\r\n" not in data:
        some = end.recv(65536 if stop is None else max(1, min(65536, stop - len(data))))
        data += some
        if not some or (stop is not None and len(data) >= stop):
            break
    if b"\r\n\r\n" not in data:
        return Answer(0, {}, b"", whole=False)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *rest = head.decode("latin-1").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in rest)}
    length = 0 if head_only else int(headers.get("content-length", 0))
    while len(body) < length and (stop is None or len(head) + 4 + len(body) < stop):
        some = end.recv(65536 if stop is None else max(1, min(65536, stop - len(head) - 4 - len(body))))
        if not some:
            break
        body += some
    return Answer(int(status.split(" ")[1]), headers, body, whole=len(body) == length)


def wait_for(condition: Any, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@contextmanager
def running(wanted: Serving, *, kill: bool = False) -> Iterator[Server]:
    """The feed on a free port of loopback. With `kill` it ends without a checkpoint, as a killed process would."""
    log: list[dict[str, Any]] = []
    with opened(wanted, CLOCK) as clerk:
        end = listen.bind("127.0.0.1", 0)
        clerk.start()
        gate = app.make(clerk, wanted.site, wanted.access, CLOCK, log.append)
        found = listen.server(gate, wanted.tls)
        thread = threading.Thread(target=found.run, kwargs={"sockets": [end]}, daemon=True)
        thread.start()
        try:
            wait_for(lambda: found.started)
            yield Server(clerk, end.getsockname()[1], log)
        finally:
            found.should_exit = True
            thread.join(10)
            end.close()
            if kill:
                clerk.checkpoint = lambda: None  # type: ignore[method-assign]
            clerk.stop()
            assert not thread.is_alive()


class Loop:
    """An event loop in a thread, for many short-lived servers: the protocol of `listen` without uvicorn's own loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    @contextmanager
    def running(self, wanted: Serving) -> Iterator[Server]:
        """Like `running`; `Server.clerk.checkpoint` decides whether it ends like a stop or like a kill."""
        log: list[dict[str, Any]] = []
        with opened(wanted, CLOCK) as clerk:
            clerk.start()
            gate = app.make(clerk, wanted.site, wanted.access, CLOCK, log.append)
            config = listen.server(gate, None).config
            state = ServerState()
            end = listen.bind("127.0.0.1", 0)
            found = self.do(self._open(config, state, end))
            try:
                yield Server(clerk, end.getsockname()[1], log)
            finally:
                self.do(self._close(found, state))
                clerk.stop()

    async def _open(self, config: Any, state: ServerState, end: socket.socket) -> asyncio.Server:
        return await self.loop.create_server(
            lambda: config.http_protocol_class(config=config, server_state=state, app_state={}), sock=end
        )

    async def _close(self, found: asyncio.Server, state: ServerState) -> None:
        """End all connections, also those that were accepted a moment ago and are still being made."""
        found.close()
        for _ in range(5):
            for connection in list(state.connections):
                connection.transport.abort()
            for task in list(state.tasks):
                task.cancel()
            await asyncio.gather(*state.tasks, return_exceptions=True)
            await asyncio.sleep(0)
