"""Load for the bench of the feed: a client that only counts what it reads, and a static server on the feed's stack."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

MIB = 1 << 20
BLOCK = 256 << 10
SHORT = 1 << 16
"""Bytes that the static server sends in one go; bytes of a body that is kept."""

EMPTY = b'{"code":200,"data":[]}'


class Line:
    """One connection. What comes is counted, not kept, but for the head and a body of up to SHORT bytes."""

    def __init__(self, port: int, *, receive: int = 0) -> None:
        self.end = socket.socket()
        if receive:
            self.end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.end.connect(("127.0.0.1", port))
        self._room = memoryview(bytearray(MIB))

    def close(self) -> None:
        self.end.close()

    def ask(self, request: bytes, *, pause: float = 0.0) -> tuple[dict[bytes, bytes], int, bytes]:
        """Headers, length of the body, and the body if it is short."""
        self.end.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            more = self.end.recv(65536)
            if not more:
                raise ConnectionError("the server closed")
            got += more
        head, _, body = got.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        if b" 200 " not in status:
            raise ConnectionError(status.decode())
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        length = int(headers[b"content-length"])
        while len(body) < length <= SHORT:
            body += self.end.recv(SHORT) or _cut_off()
        left = length - len(body)
        while left:
            count = self.end.recv_into(self._room, min(left, MIB))
            if not count:
                _cut_off()
            left -= count
            if pause:
                time.sleep(pause)
        return headers, length, body


def _cut_off() -> NoReturn:
    raise ConnectionError("the answer was cut off")


def get(path: str, token: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Token: {token}\r\n\r\n".encode()


def post(body: bytes, token: str) -> bytes:
    head = f"POST /ingest HTTP/1.1\r\nHost: x\r\nX-Token: {token}\r\nContent-Type: application/x-ndjson\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def again(port: int, request: bytes, seconds: float) -> tuple[float, int]:
    """Bytes a second of one request, asked over one connection for so long; and how often."""
    line, total, count = Line(port), 0, 0
    start = time.perf_counter()
    while time.perf_counter() - start < seconds or not count:
        _, length, _ = line.ask(request)
        total, count = total + length, count + 1
    line.close()
    return total / (time.perf_counter() - start), count


def polled(port: int, request: bytes, go_on: Callable[[int], bool]) -> list[float]:
    """Seconds of each of many polls over one connection, sorted; `go_on` is asked behind each with their number."""
    line = Line(port)
    times: list[float] = []
    while not times or go_on(len(times)):
        start = time.perf_counter()
        line.ask(request)
        times.append(time.perf_counter() - start)
    line.close()
    return sorted(times)


# --- the static server ---


@contextmanager
def static(path: Path) -> Iterator[int]:
    """The static server in its own process; gives its port."""
    words = [sys.executable, str(Path(__file__).with_name("bench_feed.py")), "--static", str(path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def serve_static(path: Path) -> None:
    """Answer /file, /blocks and /empty on the feed's own stack until the process is ended."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import FileResponse, Response, StreamingResponse
    from starlette.routing import Route

    from imconvert.serve import listen

    async def file(request: Request) -> Response:
        return FileResponse(path, media_type="application/json")

    async def blocks(request: Request) -> Response:
        def read() -> Iterator[bytes]:
            with path.open("rb", buffering=0) as source:
                while block := source.read(BLOCK):
                    yield block

        async def pieces() -> Any:
            for block in read():
                yield block

        headers = {"Content-Length": str(path.stat().st_size)}
        return StreamingResponse(pieces(), media_type="application/json", headers=headers)

    async def empty(request: Request) -> Response:
        return Response(EMPTY, media_type="application/json")

    app = Starlette(routes=[Route("/file", file), Route("/blocks", blocks), Route("/empty", empty)])
    end = listen.bind("127.0.0.1", 0)
    listen.listen(app, end, None, lambda: print(end.getsockname()[1], flush=True))
