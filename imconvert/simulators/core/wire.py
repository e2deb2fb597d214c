"""Put an answer on the wire: as it should be, or with the mishap that was drawn.

Strategy: what HTTP allows goes through the server; what it forbids (half a body, a head in pieces, two answers) is
written to the connection itself, which is then given up.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Protocol

from imconvert.simulators.core.calls import Answer
from imconvert.simulators.core.faults import Fault, Plan

Send = Callable[[Any], Awaitable[None]]
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing resets the connection, as a process that dies does."""

_KNOWN = frozenset(HTTPStatus)
_PIECES = 8
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
_SPOILED = (b"", b"null", _PAGE, b"\xff\xfe{", b'{"code":', b"OK")


class Line(Protocol):
    """A connection below HTTP: where to write, and how to learn that it is gone."""

    transport: Any
    lost: asyncio.Event


async def send_whole(found: Answer, send: Send, pieces: int = 1, pause: float = 0.0) -> None:
    """An answer as it should be, if need be in pieces with pauses."""
    await send({"type": "http.response.start", "status": found.status, "headers": headers_of(found)})
    size = -(-len(found.body) // pieces) or 1
    parts = [found.body[start : start + size] for start in range(0, len(found.body), size)] or [b""]
    for part in parts[:-1]:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(pause)
    await send({"type": "http.response.body", "body": parts[-1]})


def headers_of(found: Answer, length: int | None = None) -> list[tuple[bytes, bytes]]:
    size = len(found.body) if length is None else length
    further = [(name.lower().encode(), value.encode()) for name, value in found.headers]
    return [(b"content-type", found.type.encode()), (b"content-length", str(size).encode()), *further]


def raw(found: Answer, length: int | None = None) -> bytes:
    """The bytes of an answer, with a false length if one is given."""
    reason = HTTPStatus(found.status).phrase if found.status in _KNOWN else "Other"
    lines = [f"HTTP/1.1 {found.status} {reason}".encode(), *(b": ".join(pair) for pair in headers_of(found, length))]
    return b"\r\n".join(lines) + b"\r\n\r\n" + found.body


async def reset(line: Line) -> None:
    """Break the connection off, as a process that dies does."""
    if not line.lost.is_set():
        line.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        line.transport.abort()
        await line.lost.wait()


async def _write(line: Line, data: bytes, pause: float) -> None:
    """Write in a few pieces, as long as somebody is there."""
    size = -(-len(data) // _PIECES)
    for start in range(0, len(data), size):
        if line.lost.is_set():
            return
        line.transport.write(data[start : start + size])
        await asyncio.sleep(pause)


async def send_spoiled(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    """An answer with one of the mishaps that come behind the work (`faults.AFTER`)."""
    await _SPOIL.get(fault.kind, _as_is)(found, fault, plan, line, send)


async def _as_is(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    await send_whole(found, send)


async def _gateway(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    await send_whole(Answer((502, 504)[fault.number % 2], _PAGE, type="text/html"), send)


async def _malformed(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    await send_whole(found._replace(body=_SPOILED[fault.number % len(_SPOILED)]), send)


async def _truncated(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    await send_whole(found._replace(body=found.body[: fault.number % max(len(found.body), 1)]), send)


async def _cut(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    whole = raw(found, len(found.body) + 1)
    line.transport.write(whole[: len(whole) - fault.number % max(len(found.body), 1)])
    await asyncio.sleep(plan.pause)
    await reset(line)


async def _reset(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    await reset(line)


async def _slow_head(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    whole = raw(found._replace(headers=(*found.headers, ("connection", "close"))))
    head, _, _ = whole.partition(b"\r\n\r\n")
    await _write(line, whole[: len(head) + 4], plan.pause)
    line.transport.write(whole[len(head) + 4 :])
    line.transport.close()
    await line.lost.wait()


async def _slow_body(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    await send_whole(found, send, _PIECES, plan.pause)


async def _stall(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    if not await gone(line, plan.stall):
        await send_whole(found, send)


async def _twice(found: Answer, fault: Fault, plan: Plan, line: Line, send: Send) -> None:
    await send_whole(found, send)
    line.transport.write(raw(found))


async def gone(line: Line, patience: float) -> bool:
    """Wait; True as soon as the other side has given up."""
    try:
        await asyncio.wait_for(line.lost.wait(), patience)
    except TimeoutError:
        return False
    return True


_SPOIL: dict[str, Callable[[Answer, Fault, Plan, Line, Send], Awaitable[None]]] = {
    "5xx-after": _gateway, "malformed": _malformed, "truncated": _truncated, "cut": _cut, "reset-after": _reset,
    "slow-head": _slow_head, "slow-body": _slow_body, "stall": _stall, "reply-twice": _twice,
}  # fmt: skip
