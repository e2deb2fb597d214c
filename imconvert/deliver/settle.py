"""Find out whether what is unclear went in, by asking the target's history. Never guess.

Strategy: ask, and send what is not there; what the answer can't tell stays unclear and is listed by who called. A
call of which the target knows whether it has it is simply sent.
Promise: nothing is sent a second time unless the target said that it is not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from imconvert.deliver import Counted, Request, Send
from imconvert.deliver.split import FINAL, failed_of
from imconvert.vendors.calls import Api, App, Found, Kind, Reply, Verdict, items_of, part_of

ROUNDS = 6
PAGES = 40
"""How often one call is asked for and sent; how many answers a question may take."""


EARLIER = Reply(verdict=Verdict(Kind.UNCLEAR, "earlier run", "it was under way when an earlier run ended"))


class Settled:
    """Sends until it is clear what went in. `pause` lets a call that is under way arrive before it is asked for.

    `taken(kind, id)` says whether an id that the target gave out is known to belong to a call.
    """

    def __init__(
        self, send: Send, app: App, apis: Mapping[str, Api], *, pause: Callable[[], Awaitable[None]],
        now: Callable[[], float], count: Counted, taken: Callable[[str, str], bool],
    ) -> None:  # fmt: skip
        self.send, self.app, self.apis, self.pause, self.now, self.count = send, app, apis, pause, now, count
        self.taken = taken
        self._alike: Counter[bytes] = Counter()

    async def __call__(self, request: Request) -> Reply:
        if request.api.safe:
            return await self.send(request)
        body = bytes(request.call.body)
        self._alike[body] += 1
        try:
            return await self._cleared(request)
        finally:
            self._alike -= Counter((body,))

    async def _cleared(self, request: Request) -> Reply:
        there: frozenset[int] = frozenset()
        reply = EARLIER if request.unclear else await self.send(request)
        for _ in range(ROUNDS):
            if reply.verdict.kind is not Kind.UNCLEAR:
                break
            await self.pause()
            found = await self._asked(request)
            if found is None or not found.sure:
                self.count("unknown", reply.verdict.code)
                break
            there |= found.there
            self.count("found" if found.there else "not found", reply.verdict.code)
            reply = await self._missing(request, there, found.given)
        return reply

    async def _missing(self, request: Request, there: frozenset[int], given: str) -> Reply:
        """Send the items that are not there."""
        number = items_of(request.api, request.call)
        items = [item for item in range(number) if item not in there]
        if not items:
            return Reply(verdict=Verdict(Kind.DONE, given=given))
        whole = len(items) == number
        request.flight.partly |= not whole
        call = request.call if whole else part_of(request.api, request.call, items)
        reply = await self.send(Request(request.api, call, request.place, flight=request.flight))
        return reply if whole else _placed(reply, items)

    async def _asked(self, request: Request) -> Found | None:
        """What the history says; None if there is no way to ask, or no answer."""
        query = request.api.query
        if query is None:
            return None
        there: frozenset[int] = frozenset()
        more = None
        for _ in range(PAGES):
            call = query.ask(self.app, request.call, more, self.now())
            if call is None:
                return None
            reply = await self.send(Request(self.apis[call.api], call, request.place))
            if reply.verdict.kind is not Kind.DONE:
                return None
            page = query.read(self.app, request.call, reply, self.now())
            there |= page.there
            if page.more is None or not page.sure:
                return self._chosen(request, page._replace(there=there))
            more = page.more
        return None

    def _chosen(self, request: Request, found: Found) -> Found:
        """Which of the candidates is the call's: the one that belongs to no other, if no other may have made it."""
        left = [one for one in found.candidates if not self.taken(request.api.gives, one)]
        if not left:
            return found
        alone = len(left) == 1 and self._alike[bytes(request.call.body)] == 1
        return found._replace(there=frozenset({0}), given=left[0]) if alone else found._replace(sure=False)


def _placed(reply: Reply, items: list[int]) -> Reply:
    """The verdict on a part, by positions in the whole."""
    if reply.verdict.kind not in FINAL:
        return reply
    return reply._replace(verdict=reply.verdict._replace(kind=Kind.DONE, failed=failed_of(reply, items)))
