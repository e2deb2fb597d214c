"""The application: what can be asked for, and how it is answered (docs/serve.md).

GET  the feed's path    the next window; with ?cursor= ?since= ?until= ?limit= any stretch, without moving on
POST /ingest            records as NDJSON
GET  /status /status.json /metrics /healthz
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from imconvert.convert.ports import Clock
from imconvert.errors import ImconvertError, Rejected, remedy_of
from imconvert.serve import page, replays, status
from imconvert.serve.access import Access, Rates
from imconvert.serve.answers import Answer, Desk
from imconvert.serve.clerk import Clerk
from imconvert.serve.gate import DRAINED, Gate, Log
from imconvert.serve.receiving import Receipt
from imconvert.serve.taking import HELD_REMEDY as HELD
from imconvert.serve.windows import Window

BODY_TIME = 30.0
TAKE_TIME = 60.0
READ_TIME = 3.0
"""Seconds for a body to come in, for it to be taken in, and for a pull to wait for lines that are being read."""

MOST_BODIES = 8
MOST_TOLD = 1000
LEAST_LINE = 64
"""Bodies taken in at once; records named in an answer; bytes a line that a body has at least, for no record is
shorter and each line costs memory."""

REFUSED = "IMC-7140"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/jsonlines")


@dataclass(frozen=True, slots=True)
class Site:
    """Where the feed is asked for, and the longest body that is taken in."""

    path: str
    body: int


def make(clerk: Clerk, site: Site, access: Access, clock: Clock, log: Log) -> Gate:
    """The application behind its gate."""
    app = App(clerk, site, clock)
    names = {site.path: "feed"} | {f"/{name}": name for name in app.routes}
    inner = Starlette(
        routes=[
            Route(site.path, app.feed, methods=["GET"]),
            *(Route(f"/{name}", *found[:1], methods=list(found[1])) for name, found in app.routes.items()),
        ],
        exception_handlers={ImconvertError: app.failed, Exception: app.failed},
    )
    rates = Rates(access.rate, clock.steady)
    gate = Gate(inner, names, access, rates, log=log, trouble=app.trouble, steady=clock.steady)
    app.gate = gate
    return gate


class App:
    """The answers. What may wait for a disk happens in threads."""

    def __init__(self, clerk: Clerk, site: Site, clock: Clock) -> None:
        self.clerk, self.site, self.clock = clerk, site, clock
        self.desk = Desk(clerk.feed, clock.now, clock.steady)
        self.bodies = asyncio.Semaphore(MOST_BODIES)
        self.gate: Gate | None = None
        self.routes: dict[str, tuple[Any, list[str]]] = {
            "ingest": (self.ingest, ["POST"]),
            "status": (self.status, ["GET"]),
            "status.json": (self.status_json, ["GET"]),
            "metrics": (self.metrics, ["GET"]),
            "healthz": (self.healthz, ["GET"]),
        }

    def trouble(self, code: int) -> bytes:
        shape = self.clerk.feed.target.feed
        return shape.trouble(code) if shape else b""

    def _short(self, code: int) -> Response:
        """An answer that says no more than its code; the connection ends, for a body may still be on its way."""
        headers = {"connection": "close"} | ({"retry-after": "5"} if code == 503 else {})
        return Response(self.trouble(code), code, headers, "application/json")

    async def failed(self, request: Request, why: Exception) -> Response:
        """What went wrong here is no fault of the request."""
        request.scope["told"].end = why.code if isinstance(why, ImconvertError) else type(why).__name__
        return self._short(503)

    @property
    def _now(self) -> int:
        return int(self.clock.now() * 1000)

    async def feed(self, request: Request) -> Any:
        try:
            wanted = replays.read(request.query_params)
            if wanted is None:
                window = await self._next()
            else:
                window = await asyncio.to_thread(replays.window, self.clerk.feed, wanted)
        except ValueError:
            return self._short(400)
        if window is None:
            return self._short(503)
        return Answer(
            self.desk,
            window,
            moves=wanted is None,
            gzip=_takes_gzip(request.headers.get("accept-encoding", "")),
            known=request.headers.get("if-none-match", ""),
        )

    async def _next(self) -> Window | None:
        """The next window; None where there may be something that can't be read.

        Where nothing is there to be served only because its lines are still being read, wait a moment.
        """
        await self.desk.settle()
        feed, until = self.clerk.feed, self.clock.steady() + READ_TIME
        while True:
            behind = self.clerk.behind
            if feed.cursor >= feed.end and not feed.idle:
                window = Window(feed.cursor, feed.cursor)
            else:
                window = await asyncio.to_thread(feed.pull, self._now)
            if window.records or not behind or self.clerk.trouble or self.clock.steady() >= until:
                break
            await asyncio.sleep(0.01)
        if self.clerk.trouble and not window.records:
            return None
        return replace(window, more=True) if behind else window

    async def ingest(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in NDJSON or request.headers.get("content-encoding", "identity") != "identity":
            return await self._refused(request, 415)
        if int(request.headers.get("content-length") or 0) > self.site.body:
            return await self._refused(request, 413)
        async with self.bodies:
            try:
                async with asyncio.timeout(BODY_TIME):
                    body = await self._body(request)
            except (TimeoutError, ClientDisconnect):
                return self._short(408)
            if body is None or body.count(b"\n") > self.site.body // LEAST_LINE:
                return self._short(413)
            try:
                async with asyncio.timeout(TAKE_TIME):
                    receipt = await asyncio.wrap_future(self.clerk.hand_in(body))
            except TimeoutError:
                return self._short(503)
        request.scope["told"].records = receipt.accepted
        return _receipt(receipt, _language(request))

    async def _refused(self, request: Request, code: int) -> Response:
        assert self.gate
        await self.gate.drain(request.scope, request.receive)
        return self._short(code)

    async def _body(self, request: Request) -> bytes | None:
        """The whole body; None where it is longer than allowed. The rest of that is read too, and dropped."""
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size <= self.site.body:
                parts.append(part)
            if size > self.site.body + DRAINED:
                break
        return b"".join(parts) if size <= self.site.body else None

    async def _facts(self) -> dict[str, Any]:
        assert self.gate
        found = await asyncio.to_thread(status.facts, self.clerk, self._now)
        return found | {"proxied_pulls": self.gate.proxied}

    async def status_json(self, request: Request) -> Response:
        return Response(msgspec.json.encode(await self._facts()), media_type="application/json")

    async def status(self, request: Request) -> Response:
        body = page.render(msgspec.json.encode(await self._facts()), lang=_language(request))
        return Response(body, media_type="text/html", headers={"content-security-policy": page.policy()})

    async def metrics(self, request: Request) -> Response:
        assert self.gate
        body = status.metrics(await self._facts(), self.gate.requests)
        return Response(body, media_type="text/plain; version=0.0.4")

    async def healthz(self, request: Request) -> Response:
        trouble: ImconvertError | None = self.clerk.trouble
        return Response(b"trouble\n" if trouble else b"ok\n", 503 if trouble else 200, media_type="text/plain")


def _language(request: Request) -> str:
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def _receipt(found: Receipt, lang: str) -> Response:
    """200 if every record was taken or known; 422 if one was refused or held, the others being taken."""
    bad = bool(found.rejected or found.held)
    body = {
        "code": 422 if bad else 200,
        "accepted": found.accepted,
        "duplicates": found.duplicates,
        "undecided": found.undecided,
        "rejected": [_refused(line, why, REFUSED, lang) for line, why in found.rejected[:MOST_TOLD]],
        "held": [_refused(line, why, HELD, lang) for line, why in found.held[:MOST_TOLD]],
        "untold": sum(max(0, len(some) - MOST_TOLD) for some in (found.rejected, found.held)),
    }
    return Response(msgspec.json.encode(body), 422 if bad else 200, media_type="application/json")


def _refused(line: int, why: Rejected, remedy: str, lang: str) -> dict[str, Any]:
    """What is said of a record; its code's own remedy is for those who convert files."""
    return {"line": line, "code": why.code, "why": why.why(lang), "remedy": remedy_of(remedy, lang=lang)}


def _takes_gzip(header: str) -> bool:
    """Whether an Accept-Encoding names gzip and does not refuse it."""
    for part in header.lower().split(","):
        name, _, rest = part.strip().partition(";")
        if name.strip() == "gzip":
            return rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
