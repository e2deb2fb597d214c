"""What every request passes before it is answered, and what every answer gets on its way out.

Order: network, rate, what was asked for, token, origin of browsers; then the application; then the log. A refusal says
no more than its status.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from imconvert.serve.access import Access, Rates
from imconvert.serve.answers import Told

Log = Callable[[dict[str, Any]], None]

HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
STRICT = (b"strict-transport-security", b"max-age=31536000")
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_OPEN = "healthz"
_OF_PROXIES = frozenset({b"via", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip"})
"""Headers that a proxy adds: behind one, delivery is what the proxy took."""

DRAINED = 64 << 20
DRAIN_TIME = 3.0
DRAINS = 64
"""Bytes and seconds of a refused request's body that are read and dropped; and of how many at a time."""


class Gate:
    """Wraps the application. `names` are what can be asked for, by path; the first segment may be a token."""

    def __init__(
        self,
        app: Any,
        names: Mapping[str, str],
        access: Access,
        rates: Rates,
        *,
        log: Log,
        trouble: Callable[[int], bytes],
        steady: Callable[[], float],
    ) -> None:
        self.app, self.names, self.access, self.rates = app, names, access, rates
        self.log, self.trouble, self.steady = log, trouble, steady
        self.requests: dict[tuple[str, int], int] = {}
        self.proxied = 0
        self.drain = Drain()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        began, seen = self.steady(), Seen(send, strict=scope["scheme"] == "https")
        name, path, given = self._asked(scope)
        scope["told"] = Told(proxied=name == "feed" and any(key in _OF_PROXIES for key, _ in scope["headers"]))
        refusal = self._refusal(scope, name, given)
        try:
            if refusal:
                await self.drain(scope, receive)
                await seen.plain(refusal, self.trouble(refusal))
            else:
                await self.app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, seen.send)
        finally:
            self._note(scope, name or "?", seen.status, self.steady() - began)

    def _asked(self, scope: Any) -> tuple[str | None, str, list[str]]:
        """What is asked for, its path without a token, and the tokens given."""
        given = []
        for key, value in scope["headers"]:
            text = value.decode("utf-8", "surrogateescape")
            if key == b"x-token":
                given.append(text.strip())
            elif key == b"authorization" and text[:7].lower() == "bearer ":
                given.append(text[7:].strip())
        path = scope["path"]
        if path not in self.names:
            token, slash, rest = path[1:].partition("/")
            if slash and f"/{rest}" in self.names:
                return self.names[f"/{rest}"], f"/{rest}", [*given, token]
        return self.names.get(path), path, given

    def _refusal(self, scope: Any, name: str | None, given: list[str]) -> int:
        address = scope["client"][0] if scope.get("client") else ""
        if not self.access.knows(address):
            return 403
        if not self.rates.allows(address):
            return 429
        if name != _OPEN and not self.access.opens(name or "?", given):
            return 401
        if name is None:
            return 404
        return 403 if _from_elsewhere(scope) else 0

    def _note(self, scope: Any, name: str, status: int, seconds: float) -> None:
        told: Told = scope["told"]
        self.requests[name, status] = self.requests.get((name, status), 0) + 1
        address = scope["client"][0] if scope.get("client") else "-"
        line = {"from": address, "method": scope["method"][:10], "what": name, "status": status,
                "seconds": round(seconds, 4), "records": told.records, "bytes": told.bytes}  # fmt: skip
        self.proxied += told.proxied
        self.log({**line, **({"end": told.end} if told.end else {}), **({"proxied": True} if told.proxied else {})})


class Drain:
    """Reads the rest of a body that nobody wants: a connection that is closed with unread bytes is reset, and the
    sender would not see the answer. Who waits for a word before it sends a body gets none."""

    def __init__(self) -> None:
        self._left = DRAINS

    async def __call__(self, scope: Any, receive: Any) -> None:
        names = {key for key, _ in scope["headers"]}
        if not self._left or b"expect" in names or not names & {b"content-length", b"transfer-encoding"}:
            return
        self._left -= 1
        try:
            async with asyncio.timeout(DRAIN_TIME):
                await self._read(receive)
        except TimeoutError:
            return
        finally:
            self._left += 1

    async def _read(self, receive: Any) -> None:
        left = DRAINED
        while left > 0:
            message = await receive()
            if not message.get("more_body"):
                return
            left -= len(message.get("body", b""))


def _from_elsewhere(scope: Any) -> bool:
    """Whether a browser sends this for another site: such a pull would move the cursor unseen."""
    found = [value for key, value in scope["headers"] if key == b"sec-fetch-site"]
    return any(value not in (b"same-origin", b"none") for value in found)


class Seen:
    """Adds headers to an answer and remembers its status."""

    def __init__(self, send: Any, *, strict: bool) -> None:
        self._send = send
        self._more = [*HEADERS, STRICT] if strict else HEADERS
        self.status = 0

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *self._more]
            if not any(key.lower() == _POLICY[0] for key, _ in headers):
                headers.append(_POLICY)
            message = {**message, "headers": headers}
        await self._send(message)

    async def plain(self, status: int, body: bytes) -> None:
        """A short answer that says no more than its status."""
        headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        headers += {
            401: [(b"www-authenticate", b"Bearer")],
            429: [(b"retry-after", b"1")],
            503: [(b"retry-after", b"5")],
        }.get(status, [])
        if status in (401, 403, 413, 429):
            headers.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
