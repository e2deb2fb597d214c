"""What proves the caller: a token, made or fetched, cached, and renewed once for all calls that found it stale.

Promise: however many calls find the token stale at once, one new one is fetched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from imconvert.deliver import Clock, Request, Send
from imconvert.vendors.calls import App, Http, Kind, Reply, Rest, Secret, Token, Verdict

EARLY = 60.0
"""Seconds before its end at which a token is renewed."""

NOTHING = Token(Secret(""), float("inf"))


class Proof:
    """The token of an app. `ask` sends a request that needs no proof."""

    def __init__(self, rest: Rest, app: App, clock: Clock, ask: Callable[[Http], Awaitable[Reply]]) -> None:
        self.rest, self.app, self.clock, self.ask = rest, app, clock, ask
        self.token = Token(Secret(""), 0.0)
        self._lock = asyncio.Lock()

    async def ready(self) -> Verdict | None:
        """Have a token that holds; a verdict where there is none to be had."""
        if self.clock.now() < self.token.until - EARLY:
            return None
        async with self._lock:
            if self.clock.now() < self.token.until - EARLY:
                return None
            return await self._fetch()

    def stale(self, used: object) -> None:
        """The token that a call used did not hold: the next one needs another, unless there is another by now."""
        if used is self.token:
            self.token = self.token._replace(until=0.0)

    async def _fetch(self) -> Verdict | None:
        if self.rest.token:
            self.token = self.rest.token(self.app, self.clock.now())
        elif self.rest.login:
            reply = await self.ask(self.rest.login.ask(self.app))
            if reply.fault:
                return Verdict(Kind.RETRY, "no token", reply.why)
            found = self.rest.login.read(reply, self.clock.now())
            if isinstance(found, Verdict):
                return found
            self.token = found
        else:
            self.token = NOTHING
        return None


def proven(send: Send, proof: Proof) -> Send:
    """Send only with a token that should hold."""

    async def with_proof(request: Request) -> Reply:
        trouble = await proof.ready()
        return Reply(verdict=trouble) if trouble else await send(request)

    return with_proof
