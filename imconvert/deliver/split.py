"""Halve a call that is too large for the target, and send again items that a call as a whole left behind.

Promise: positions in the verdict are those of the call as it was given; halves go one behind the other, in order.
What is unclear of a part is unclear of the whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from imconvert.deliver import Counted, Request, Send, with_verdict
from imconvert.vendors.calls import Failed, Kind, Reply, items_of, part_of

ROUNDS = 5
"""How often items that the target wants to see again are sent again."""

FINAL = (Kind.DONE, Kind.ITEM, Kind.DEPENDENCY)


class Split:
    """Sends a call, its halves if it is too large, and what of a batch may go in at another try.

    `pause(tries)` comes before that.
    """

    def __init__(self, send: Send, pause: Callable[[int], Awaitable[None]], count: Counted) -> None:
        self.send, self.pause, self.count = send, pause, count

    async def __call__(self, request: Request) -> Reply:
        reply = await self.send(request)
        if request.api.items is None:
            return reply if reply.verdict.kind is not Kind.SPLIT else with_verdict(reply, Kind.ITEM)
        if reply.verdict.kind is Kind.SPLIT:
            return await self._halves(request, reply)
        for tries in range(ROUNDS):
            again = _again(request, reply)
            if not again:
                break
            request.flight.partly = True
            self.count("item again", again[0].code)
            await self.pause(tries + 1)
            reply = await self._once_more(request, reply, again)
        return _final(reply)

    async def _halves(self, request: Request, reply: Reply) -> Reply:
        number = items_of(request.api, request.call)
        if number < 2:
            return with_verdict(reply, Kind.ITEM)
        self.count("split", reply.verdict.code)
        middle = number // 2
        first = await self(_part(request, range(middle)))
        if first.verdict.kind not in FINAL:
            return first
        request.flight.partly = True
        second = await self(_part(request, range(middle, number)))
        if second.verdict.kind not in FINAL:
            return second
        failed = (*failed_of(first, range(middle)), *failed_of(second, range(middle, number)))
        return _whole(second, failed)

    async def _once_more(self, request: Request, reply: Reply, again: Sequence[Failed]) -> Reply:
        items = [one.item for one in again]
        left = tuple(one for one in reply.verdict.failed if one not in again)
        more = await self.send(_part(request, items))
        if more.verdict.kind not in FINAL:
            return more
        return _whole(more, (*left, *failed_of(more, items)))


def _part(request: Request, items: Sequence[int]) -> Request:
    return Request(request.api, part_of(request.api, request.call, items), request.place, flight=request.flight)


def _again(request: Request, reply: Reply) -> list[Failed]:
    """The items that may go in at another try."""
    kinds = (Kind.RETRY, Kind.THROTTLE, *((Kind.UNCLEAR,) if request.api.safe else ()))
    return [one for one in reply.verdict.failed if one.kind in kinds] if reply.verdict.kind is Kind.DONE else []


def _final(reply: Reply) -> Reply:
    """What is still unclear of an item is unclear of the whole; what still wants another try has failed."""
    verdict = reply.verdict
    if any(one.kind is Kind.UNCLEAR for one in verdict.failed):
        return with_verdict(reply, Kind.UNCLEAR)
    lasting = (Kind.RETRY, Kind.THROTTLE)
    failed = tuple(one._replace(kind=Kind.ITEM) if one.kind in lasting else one for one in verdict.failed)
    return reply._replace(verdict=verdict._replace(failed=failed))


def failed_of(reply: Reply, items: Sequence[int]) -> tuple[Failed, ...]:
    """What failed of a part, by position in the whole."""
    verdict = reply.verdict
    if verdict.kind is not Kind.DONE:
        return tuple(Failed(item, verdict.kind, verdict.code, verdict.why) for item in items)
    return tuple(one._replace(item=items[one.item]) for one in verdict.failed)


def _whole(reply: Reply, failed: tuple[Failed, ...]) -> Reply:
    return reply._replace(verdict=reply.verdict._replace(kind=Kind.DONE, failed=tuple(sorted(failed))))
