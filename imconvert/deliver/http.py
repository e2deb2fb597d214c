"""The innermost wrapper: one request on one kept-alive connection, and the verdict on its answer.

Strategy: each connection is an httpx transport of its own, so that taking one costs the same however many there are.
They queue up, and rest for REST seconds before the next request: an answer that comes twice must not be taken for the
answer to the next request. A connection on which more came than its answer is closed.
Promise: an answer longer than MOST_BYTES, a broken or a late one is an outcome ("lost"), never an exception; what the
vendor says is cleaned of secrets before anybody sees it. Redirects are not followed, certificates are always checked.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from imconvert.deliver import Request, Send
from imconvert.vendors.calls import Failed, Http, Kind, Reply, Verdict

MOST_BYTES = 4 << 20
LONGEST_WHY = 300
KEPT = 30.0
REST = 0.02
"""Bytes of an answer; characters of a vendor's text that are kept; seconds a connection may, and has to, lie idle."""

_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)

Prepare = Callable[[Request], Http]
Read = Callable[[Request, Reply], Verdict]


class Connections:
    """Kept-alive connections to one address. `timeout` in seconds is for a request and the whole of its answer."""

    def __init__(self, *, timeout: float, verify: ssl.SSLContext | bool = True, proxy: str | None = None) -> None:
        self._verify = httpx.create_ssl_context() if verify is True else verify
        self._proxy = proxy
        self._origins: dict[str, httpx.URL] = {}
        self._idle: deque[tuple[float, httpx.AsyncHTTPTransport]] = deque()
        self._timeout = timeout
        self._extensions: dict[str, Any] = {"timeout": httpx.Timeout(timeout).as_dict()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, why: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.close()

    def _make(self) -> httpx.AsyncHTTPTransport:
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEPT)
        return httpx.AsyncHTTPTransport(verify=self._verify, trust_env=False, proxy=self._proxy, limits=one)

    def _request(self, http: Http) -> httpx.Request:
        """The request, its path taken as it is: parsing and quoting it anew would cost more than all else."""
        start = http.url.find("/", http.url.find("://") + 3)
        origin = self._origins.get(http.url[:start])
        if origin is None:
            origin = self._origins[http.url[:start]] = httpx.URL(http.url[:start])
        extensions = {**self._extensions, "target": http.url[start:].encode("ascii")}
        return httpx.Request(http.method, origin, headers=list(http.headers), content=http.content,
                             extensions=extensions)  # fmt: skip

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop()[1].aclose()

    async def ask(self, http: Http) -> Reply:
        """The answer to a request, without a verdict."""
        now = asyncio.get_running_loop().time()
        rested = self._idle and now - self._idle[0][0] >= REST
        one = self._idle.popleft()[1] if rested else self._make()
        request = self._request(http)
        whole = False
        try:
            async with asyncio.timeout(self._timeout):
                answer = await one.handle_async_request(request)
                content = await _content(answer)
            whole = content is not None
        except _UNSENT as why:
            return Reply(fault="unsent", why=_why(why))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as why:
            return Reply(fault="lost", why=_why(why))
        finally:
            if whole and not _has_more(one):
                self._idle.append((asyncio.get_running_loop().time(), one))
            else:
                await one.aclose()
        if content is None:
            return Reply(answer.status_code, fault="lost", why=f"the answer is longer than {MOST_BYTES} bytes")
        return Reply(answer.status_code, answer.headers, content)


async def _content(answer: httpx.Response) -> bytes | None:
    """The body, unpacked; None if it is too long."""
    parts, size = [], 0
    try:
        async for part in answer.aiter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                return None
            parts.append(part)
    finally:
        await answer.aclose()
    return b"".join(parts)


def _has_more(one: httpx.AsyncHTTPTransport) -> bool:
    """Whether bytes came behind the answer; httpx shows them to nobody and would take them for the next one."""
    inner: Any = one
    for name in ("_pool", "connections"):
        inner = getattr(inner, name)
    return any(found._connection._h11_state.trailing_data[0] for found in inner)


def _why(why: Exception) -> str:
    return f"{type(why).__name__}: {why}".rstrip(": ")[:LONGEST_WHY]


def over_http(connections: Connections, prepare: Prepare, read: Read) -> Send:
    """Send requests as `prepare` makes them; `read` judges what comes back."""

    async def send(request: Request) -> Reply:
        http = prepare(request)
        request.flight.flying = True
        reply = await connections.ask(http)
        verdict = clean(_judged(request, reply, read), http.hidden)
        request.flight.flying = verdict.kind is Kind.UNCLEAR
        return reply._replace(verdict=verdict, why=verdict.why)

    return send


def _judged(request: Request, reply: Reply, read: Read) -> Verdict:
    if reply.fault == "unsent":
        return Verdict(Kind.RETRY, "no connection", reply.why)
    if reply.fault:
        return Verdict(Kind.UNCLEAR, "no answer", reply.why)
    return read(request, reply)


def clean(verdict: Verdict, hidden: tuple[str, ...]) -> Verdict:
    """The verdict without secrets, control characters and length in the vendor's words."""
    failed = tuple(
        Failed(one.item, one.kind, cleaned(one.code, hidden), cleaned(one.why, hidden)) for one in verdict.failed
    )
    return verdict._replace(code=cleaned(verdict.code, hidden), why=cleaned(verdict.why, hidden), failed=failed)


def cleaned(text: str, hidden: tuple[str, ...]) -> str:
    """One printable line of at most LONGEST_WHY characters, each hidden text in it gone."""
    for secret in hidden:
        if secret:
            text = text.replace(secret, "…")
    return "".join(letter if letter.isprintable() else " " for letter in text)[:LONGEST_WHY]
