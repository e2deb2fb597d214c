"""A feed on loopback that answers as it is told, to test the puller against."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

BASE = 1_711_000_000_000


def p2p(number: int, text: str = "早") -> dict[str, Any]:
    data = {"msgid": number, "from": "u_ann", "to": "u_bob", "createTime": BASE + number, "clientType": 1}
    return {"type": 0, "data": {**data, "body": f"{text} {number}"}}


def team(number: int, text: str = "群") -> dict[str, Any]:
    data = {"msgid": number, "accid": "u_ann", "tid": 880011, "createTime": BASE + number, "clientType": 1}
    return {"type": 0, "data": {**data, "body": f"{text} {number}"}}


class Reply(NamedTuple):
    """An answer. It ends, with the connection, after `stop` bytes of the body; `length` may lie."""

    status: int = 200
    body: bytes = b'{"code":200,"data":[]}'
    kind: str | None = "application/json; charset=utf-8"
    stop: int | None = None
    length: int | None = None
    extra: Sequence[tuple[str, str]] = ()


def good(*records: Any) -> Reply:
    return Reply(body=json.dumps({"code": 200, "data": records}, ensure_ascii=False).encode())


class Seen(NamedTuple):
    """A request as it came."""

    path: str
    headers: dict[str, str]


class Feed:
    """Gives `answer(n)` to the n-th request, counted from 1, and remembers the requests."""

    def __init__(self, answer: Callable[[int], Reply]) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self.url = ""
        self._changed = threading.Condition()

    def next(self, seen: Seen) -> Reply:
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()
            return self.answer(len(self.seen))

    def came(self, count: int) -> bool:
        """Whether `count` requests came; a puller that hangs up is gone before its request is read."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.seen) >= count, timeout=60) and len(self.seen) == count


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    feed: Feed

    def do_GET(self) -> None:
        reply = self.feed.next(Seen(self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(reply.status)
        if reply.kind is not None:
            self.send_header("Content-Type", reply.kind)
        for name, value in reply.extra:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        self.wfile.write(reply.body[: reply.stop])
        self.close_connection = reply.stop is not None or reply.length is not None

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pullers that break off are what this is for."""


@contextmanager
def serving(*replies: Reply, then: Reply | None = None) -> Iterator[Feed]:
    """A feed that gives the replies in turn, and after them `then` (by default the last one) for ever."""
    last = then or replies[-1]
    feed = Feed(lambda number: replies[number - 1] if number <= len(replies) else last)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"feed": feed}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    feed.url = f"http://127.0.0.1:{server.server_address[1]}/feed"
    try:
        yield feed
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
