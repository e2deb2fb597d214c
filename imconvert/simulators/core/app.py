"""The application: a request's way from the wire to the store and back.

    route -> mishap drawn -> (before) or: authorize -> windows -> endpoint, in one transaction -> (after) -> wire

Promise: an endpoint's work is kept whole or not at all, and it is kept before its answer is sent. Requests are worked
on one after the other, in the order in which they came in whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from imconvert.errors import UsageError
from imconvert.simulators.core import admin
from imconvert.simulators.core.calls import Answer, Call, Refused
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.core.faults import AFTER, BEFORE, CALLBACKS, Draws, Fault, Plan
from imconvert.simulators.core.posts import Postman
from imconvert.simulators.core.routes import Routes
from imconvert.simulators.core.server import LINE
from imconvert.simulators.core.vendor import Endpoint, Vendor
from imconvert.simulators.core.wire import gone, reset, send_spoiled, send_whole

LONGEST = 64 << 20
_ERRORS = (500, 502, 503, 504)


class App:
    """One running simulator: `desk.store` is its state, `draws` are mishaps, `failures` requests that it broke on."""

    def __init__(self, vendor: Vendor, desk: Desk, plan: tuple[Plan, int] | None, postman: Postman | None) -> None:
        self.vendor, self.desk, self.postman = vendor, desk, postman
        self.draws = Draws(*plan) if plan else None
        if self.draws:
            _check(self.draws.plan, vendor)
        self.routes = Routes(vendor.endpoints, lambda path: vendor.where(desk, path))
        self.number = desk.store.number("SELECT max(number) FROM arrivals")
        self.failures: list[str] = []
        self._told: list[tuple[str, Mapping[str, Any]]] = []
        desk.tell = lambda event, facts: self._told.append((event, facts))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"].startswith("/_simulator/"):
            await admin.answer(self, scope, await _body(receive), send)
        else:
            await self._answer(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        """Open and end what needs the loop."""
        while True:
            kind = (await receive())["type"]
            if kind == "lifespan.shutdown" and self.postman:
                await self.postman.close()
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        body, line = await _body(receive), scope[LINE]
        if body is None:
            await reset(line)
            return
        call = self.call(scope, body)
        found = self.routes.find(call.method, scope["raw_path"].decode())
        if found is None:
            await self._sent(call, self.vendor.unknown(call), None, line, send)
            return
        endpoint, call.parts = found
        call.api = endpoint.name
        fault = self._drawn(call, endpoint)
        if fault and fault.kind in BEFORE:
            await self._refused(call, fault, line, send)
            return
        answer = self.work(call, endpoint, fault)
        await self._sent(call, answer, fault, line, send)

    def call(self, scope: Any, body: bytes) -> Call:
        """A request that came whole; it arrives now, and is worked on at once, so that times rise as work does."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        clock = self.desk.clock
        times = clock.steady(), int(clock.now() * 1000)
        return Call(self.desk, scope["method"], scope["path"], query, headers, body, *times)

    def by_hand(self, run: Callable[[Call, Any], Any], items: Iterable[Any]) -> list[Any]:
        """Do something that is no request for each item, in one transaction, and post what came of it."""
        clock = self.desk.clock
        call = Call(self.desk, "", "", {}, {}, b"", clock.steady(), int(clock.now() * 1000))
        self._told.clear()
        self.desk.store.begin()
        try:
            found = [run(call, item) for item in items]
        except BaseException:
            self.desk.store.undo()
            raise
        self.desk.store.end()
        self.publish()
        return found

    def _drawn(self, call: Call, endpoint: Endpoint) -> Fault | None:
        if not self.draws:
            return None
        content = call.body if call.method != "GET" else call.path.encode()
        return self.draws.of(endpoint.name, content, batch=endpoint.batch)

    def work(self, call: Call, endpoint: Endpoint, fault: Fault | None = None) -> Answer:
        """What the vendor makes of a request."""
        if fault and fault.kind == "partial":
            call.spoils = fault.number or 1
        found = self._applied(call, endpoint)
        if fault and fault.kind == "applied-twice":
            found = self._applied(call, endpoint)
        return found

    def _applied(self, call: Call, endpoint: Endpoint) -> Answer:
        store = self.desk.store
        store.begin()
        self._told.clear()
        try:
            if not endpoint.public:
                self.vendor.authorize(call)
            wait = self.desk.rates.wait(endpoint.rates, call.at)
            if wait:
                raise Refused(self.vendor.limited(call, wait))
            made = endpoint.run(call)
            found = made if isinstance(made, Answer) else self.vendor.reply(call, made)
        except Refused as why:
            store.undo()
            return why.answer
        except BaseException as why:
            store.undo()
            self.failures.append(f"{endpoint.name}: {why!r}")
            raise
        store.end()
        self.publish()
        return found

    def publish(self) -> None:
        """Post what an endpoint told of."""
        if self._told and self.postman:
            for event, facts in self._told:
                self.postman.take(event, facts, self.draws)
        self._told.clear()

    async def _refused(self, call: Call, fault: Fault, line: Any, send: Any) -> None:
        """A mishap that comes before the work."""
        if fault.kind in ("reset", "hang"):
            self._arrived(call, Answer(0, b""), fault)
            if fault.kind == "hang":
                await gone(line, self._plan.stall)
            await reset(line)
            return
        await self._sent(call, self._instead(call, fault), fault, line, send)

    @property
    def _plan(self) -> Plan:
        return self.draws.plan if self.draws else Plan()

    def _instead(self, call: Call, fault: Fault) -> Answer:
        """The answer of something before the vendor, or of a vendor that did nothing."""
        if fault.kind == "busy":
            return self.vendor.busy[fault.number % len(self.vendor.busy)](call)
        if fault.kind == "expired":
            return self.vendor.expired(call)
        status = 429 if fault.kind.startswith("429") else _ERRORS[fault.number % len(_ERRORS)]
        again = (("Retry-After", f"{self._plan.retry_after:g}"),) if fault.kind == "429-after" else ()
        return Answer(status, b"<html><body>try again</body></html>", type="text/html", headers=again)

    async def _sent(self, call: Call, found: Answer, fault: Fault | None, line: Any, send: Any) -> None:
        self._arrived(call, found, fault)
        if fault and fault.kind in AFTER:
            await send_spoiled(found, fault, self._plan, line, send)
        else:
            await send_whole(found, send)

    def _arrived(self, call: Call, found: Answer, fault: Fault | None) -> None:
        self.number += 1
        row = (self.number, call.at, call.now, call.api or call.path, found.status, found.code, fault and fault.kind)
        self.desk.store.arrived(row)


def _check(plan: Plan, vendor: Vendor) -> None:
    """Raises UsageError IMC-1292 for a plan that names what is not there, or whose shares exceed 1 together."""
    draws = Draws(plan, 0)
    names = [endpoint.name for endpoint in vendor.endpoints]
    for pattern in plan.shares:
        if pattern != CALLBACKS and not any(draws.matches(name, pattern) for name in names):
            raise UsageError("IMC-1292", why=f"no endpoint is called {pattern!r}; there are {', '.join(names)}")
    for name in names:
        if sum(draws.shares_of(name).values()) > 1 + 1e-9:
            raise UsageError("IMC-1292", why=f"the shares for {name} exceed 100% together")


async def _body(receive: Any) -> bytes | None:
    """The whole body; None where the other side went away before its end, or does not come to one."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LONGEST:
            return None
        if not message.get("more_body"):
            return b"".join(parts) if len(parts) > 1 else parts[0]
