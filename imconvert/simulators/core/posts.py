"""Post the vendor's callbacks: what happened in the app, signed, to the address of a relay or a feed.

Strategy: one worker posts in the order of the events; a post that fails is tried again as often as the vendor does, and
then dropped, as the vendor does. Each post and its outcome are noted in the table `posts`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import httpx

from imconvert.simulators.core.desk import Desk
from imconvert.simulators.core.faults import CALLBACKS, Draws
from imconvert.simulators.core.vendor import Post, Vendor

MOST = 100_000
"""Posts that may wait; what comes on top is lost, as it is at a vendor whose customer does not answer."""


class _Letter(NamedTuple):
    event: str
    post: Post
    fault: str | None


class Postman:
    """Posts to one address. `waiting` is how many posts are not done yet."""

    def __init__(self, vendor: Vendor, desk: Desk, url: str) -> None:
        self._vendor, self._desk, self._url = vendor, desk, url
        self._letters: asyncio.Queue[_Letter] = asyncio.Queue()
        self._held: list[_Letter] = []
        self._task: asyncio.Task[None] | None = None
        self._client = httpx.AsyncClient(trust_env=False, timeout=vendor.posting.timeout)
        self._failures: deque[float] = deque()
        self._banned = float("-inf")
        self.waiting = 0

    def take(self, event: str, facts: Mapping[str, Any], draws: Draws | None) -> None:
        """Post an event soon, if this vendor has a callback for it."""
        post = self._vendor.post(self._desk, event, facts)
        if post is None:
            return
        fault = draws.of(CALLBACKS, post.body) if draws else None
        letter = _Letter(event, post, fault.kind if fault else None)
        if letter.fault == "late" and not self._held:
            self._held.append(letter)
        elif letter.fault == "lost" or self._letters.qsize() > MOST:
            self._note(letter, 0, "lost")
        else:
            for one in (letter, *self._held):
                self._letters.put_nowait(one)
            self._held.clear()
        self._task = self._task or asyncio.get_running_loop().create_task(self._work())
        self.waiting = self._letters.qsize() + len(self._held)

    async def _work(self) -> None:
        while True:
            letter = await self._letters.get()
            await self._deliver(letter)
            if letter.fault == "twice":
                await self._deliver(letter)
            if letter.fault == "forged":
                await self._deliver(letter._replace(event="forged", post=_forged(letter.post)))
            self._letters.task_done()
            self.waiting = self._letters.qsize() + len(self._held)

    async def _deliver(self, letter: _Letter) -> None:
        posting, outcome, tries = self._vendor.posting, "banned", 0
        for number in range(1, posting.tries + 1):
            if self._desk.clock.steady() < self._banned:
                break
            tries = number
            outcome, fine = await self._tried(letter.post)
            if fine:
                break
            self._failed()
        self._note(letter, tries, outcome)

    def _failed(self) -> None:
        """Too many failures end all posts for a while."""
        ban, now = self._vendor.posting.ban, self._desk.clock.steady()
        self._failures.append(now)
        while ban and self._failures[0] < now - ban.span:
            self._failures.popleft()
        if ban and len(self._failures) >= ban.failures:
            self._banned = now + ban.length
            self._failures.clear()

    async def _tried(self, post: Post) -> tuple[str, bool]:
        mark = "&" if "?" in self._url else "?"
        address = self._url + (mark + urlencode(post.query) if post.query else "")
        try:
            reply = await self._client.post(address, content=post.body, headers=dict(post.headers))
        except httpx.HTTPError as why:
            return type(why).__name__, False
        return str(reply.status_code), self._vendor.posting.delivered(reply.status_code, reply.content)

    def _note(self, letter: _Letter, tries: int, outcome: str) -> None:
        at = int(self._desk.clock.now() * 1000)
        body = letter.post.body.decode()
        self._desk.store.run(
            "INSERT INTO posts (at, event, body, tries, outcome) VALUES (?, ?, ?, ?, ?)",
            (at, letter.event, body, tries, outcome),
        )

    async def settle(self) -> None:
        """Wait until everything is posted; what was held back goes now."""
        for letter in self._held:
            self._letters.put_nowait(letter)
        self._held.clear()
        await self._letters.join()
        self.waiting = 0

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._client.aclose()


def _forged(post: Post) -> Post:
    """The same post with content that somebody changed behind the signature, or a signature of nobody's."""
    query = {
        name: value[::-1] if name.lower() in ("sign", "signature") else value for name, value in post.query.items()
    }
    headers = {name: value[::-1] if name.lower() == "checksum" else value for name, value in post.headers.items()}
    body = post.body.replace(b'"security":"', b'"security":"0')
    return Post(query, headers, body)
