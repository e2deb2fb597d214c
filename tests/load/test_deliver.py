"""Each wrapper of `deliver` alone, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from support.virtual import clock, run

from imconvert.deliver import Place, Request, Send
from imconvert.deliver.done import Done, Span
from imconvert.deliver.proof import Proof, proven
from imconvert.deliver.retry import Health, Policy, retried
from imconvert.deliver.settle import Settled
from imconvert.deliver.split import Split
from imconvert.vendors.calls import (
    Api,
    App,
    Call,
    Failed,
    Found,
    Http,
    Kind,
    Limit,
    Query,
    Reply,
    Secret,
    Token,
    Verdict,
)

LIMIT = Limit(100)
SAFE = Api("set", LIMIT, safe=True)
PLAIN = Api("send", LIMIT)
BATCH = Api("batch", LIMIT, items="list", safe=True)
TOP = Api("top", LIMIT, items="", safe=True)


def request(api: Api, body: Any = None, *, unclear: bool = False) -> Request:
    return Request(api, Call(api.name, Raw(msgspec.json.encode(body or {})), key="k"), Place(1, 0), unclear=unclear)


def kind(kind: Kind, **more: Any) -> Reply:
    return Reply(200, verdict=Verdict(kind, "code", "why", **more))


class Script:
    """Answers one after the other; the last one for ever. `bodies` are what was sent, `at` when."""

    def __init__(self, *replies: Reply | Callable[[Request], Reply]) -> None:
        self.replies = list(replies)
        self.bodies: list[Any] = []
        self.at: list[float] = []

    async def __call__(self, request: Request) -> Reply:
        self.bodies.append(msgspec.json.decode(request.call.body))
        self.at.append(asyncio.get_running_loop().time())
        found = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return found(request) if callable(found) else found


def nothing(kind: str, cause: str) -> None:
    return None


async def no_pause(tries: int = 0) -> None:
    return None


# -- retried


def trying(inner: Send, *, policy: Policy | None = None, health: Health | None = None, stale: Any = None) -> Send:
    found = clock()
    return retried(inner, policy or Policy(), found, chance=Random(1), health=health or Health(found.steady()),
                   stale=stale or (lambda used: None), count=nothing)  # fmt: skip


@pytest.mark.parametrize("final", [Kind.DONE, Kind.ITEM, Kind.DEPENDENCY, Kind.SPLIT, Kind.STOP])
def test_an_answer_that_repeating_would_not_change_is_not_repeated(final: Kind) -> None:
    async def check() -> None:
        inner = Script(kind(final))
        assert final is (await trying(inner)(request(PLAIN))).verdict.kind
        assert 1 == len(inner.bodies)

    run(check())


@pytest.mark.parametrize("again", [Kind.RETRY, Kind.THROTTLE])
def test_what_did_not_go_in_is_sent_again(again: Kind) -> None:
    async def check() -> None:
        inner = Script(kind(again), kind(again), kind(Kind.DONE))
        assert Kind.DONE is (await trying(inner)(request(PLAIN))).verdict.kind
        assert 3 == len(inner.bodies)

    run(check())


def test_what_may_have_gone_in_is_sent_again_only_where_that_does_no_harm() -> None:
    async def check() -> None:
        inner = Script(kind(Kind.UNCLEAR), kind(Kind.DONE))
        assert Kind.UNCLEAR is (await trying(inner)(request(PLAIN))).verdict.kind
        assert 1 == len(inner.bodies)
        assert Kind.DONE is (await trying(inner)(request(SAFE))).verdict.kind

    run(check())


def test_waits_grow_up_to_a_ceiling_and_are_drawn_below_it() -> None:
    policy, chance = Policy(base=0.2, most=30), Random(5)
    waits = [[policy.wait(tries, chance) for _ in range(200)] for tries in range(12)]
    for tries, some in enumerate(waits):
        assert 0 <= min(some) and max(some) <= min(30, 0.2 * 2**tries)
    assert max(waits[3]) > max(waits[0]) and len(set(waits[9])) > 190


def test_a_call_is_given_up_where_others_succeed() -> None:
    async def check() -> None:
        found = clock()
        health = Health(found.steady())

        async def fails(request: Request) -> Reply:
            health.at = found.steady() + 1e-9
            return kind(Kind.RETRY)

        reply = await trying(fails, policy=Policy(tries=4), health=health)(request(PLAIN))
        assert Kind.ITEM is reply.verdict.kind

    run(check())


def test_while_nothing_succeeds_a_call_is_tried_until_patience_ends_and_then_all_stops() -> None:
    async def check() -> None:
        inner = Script(kind(Kind.RETRY))
        began = clock().steady()
        reply = await trying(inner, policy=Policy(tries=3, patience=600))(request(PLAIN))
        assert Kind.STOP is reply.verdict.kind
        assert 600 < clock().steady() - began < 640
        assert len(inner.bodies) > 20

    run(check())


def test_a_token_that_does_not_hold_is_renewed_and_a_refused_new_one_ends_the_run() -> None:
    async def check() -> None:
        seen: list[object] = []
        inner = Script(kind(Kind.REAUTH), kind(Kind.DONE))
        assert Kind.DONE is (await trying(inner, stale=seen.append)(request(PLAIN))).verdict.kind
        assert 1 == len(seen)
        never = Script(kind(Kind.REAUTH))
        assert Kind.STOP is (await trying(never)(request(PLAIN))).verdict.kind
        assert len(never.bodies) <= 3

    run(check())


# -- split


def refuse_more_than(most: int) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        body = msgspec.json.decode(request.call.body)
        rows = body if isinstance(body, list) else body["list"]
        if len(rows) > most:
            return kind(Kind.SPLIT)
        bad = tuple(Failed(item, Kind.ITEM, "bad", "") for item, row in enumerate(rows) if row < 0)
        return Reply(verdict=Verdict(Kind.DONE, failed=bad))

    return answer


@pytest.mark.parametrize("api", [BATCH, TOP], ids=["field", "top"])
def test_halves_of_what_is_too_much_go_in_order_and_failures_keep_their_places(api: Api) -> None:
    async def check() -> None:
        rows = [1, -2, 3, 4, 5, -6, 7]
        inner = Script(refuse_more_than(2))
        body: Any = rows if api.items == "" else {"list": rows, "group": "g"}
        reply = await Split(inner, no_pause, nothing)(request(api, body))
        sent = [one if api.items == "" else one["list"] for one in inner.bodies]
        assert rows == [row for one in sent if len(one) <= 2 for row in one]
        assert [1, 5] == [one.item for one in reply.verdict.failed]
        assert api.items == "" or all(one["group"] == "g" for one in inner.bodies)

    run(check())


def test_one_item_that_is_too_much_can_not_go_in() -> None:
    async def check() -> None:
        reply = await Split(Script(kind(Kind.SPLIT)), no_pause, nothing)(request(BATCH, {"list": [1]}))
        assert Kind.ITEM is reply.verdict.kind
        reply = await Split(Script(kind(Kind.SPLIT)), no_pause, nothing)(request(PLAIN))
        assert Kind.ITEM is reply.verdict.kind

    run(check())


def test_items_that_may_go_in_later_are_sent_alone() -> None:
    async def check() -> None:
        failed = (Failed(0, Kind.ITEM, "bad", ""), Failed(2, Kind.RETRY, "busy", ""))
        inner = Script(Reply(verdict=Verdict(Kind.DONE, failed=failed)), Reply(verdict=Verdict(Kind.DONE)))
        reply = await Split(inner, no_pause, nothing)(request(BATCH, {"list": [10, 11, 12]}))
        assert [10, 11, 12] == inner.bodies[0]["list"] and [12] == inner.bodies[1]["list"]
        assert failed[:1] == reply.verdict.failed

    run(check())


def test_what_is_unclear_of_a_part_is_unclear_of_the_whole() -> None:
    async def check() -> None:
        inner = Script(kind(Kind.SPLIT), kind(Kind.DONE), kind(Kind.UNCLEAR))
        asked = request(BATCH, {"list": [1, 2]})
        assert Kind.UNCLEAR is (await Split(inner, no_pause, nothing)(asked)).verdict.kind
        assert asked.flight.pending

    run(check())


# -- settled


class Target:
    """Keeps numbers of batches; loses an answer when told to; can be asked what it has."""

    def __init__(self, lose: list[str]) -> None:
        self.lose, self.has, self.asked = lose, list[int](), 0

    async def __call__(self, request: Request) -> Reply:
        if request.api.name == "query":
            self.asked += 1
            return Reply(content=msgspec.json.encode(self.has), verdict=Verdict(Kind.DONE))
        what = self.lose.pop(0) if self.lose else ""
        rows = msgspec.json.decode(request.call.body)["list"]
        if what != "before":
            self.has += rows[:2] if what == "half" else rows
        return kind(Kind.UNCLEAR) if what else kind(Kind.DONE)


def reads(app: App, call: Call, reply: Reply, now: float) -> Found:
    has = msgspec.json.decode(reply.content)
    return Found(frozenset(item for item, row in enumerate(msgspec.json.decode(call.body)["list"]) if row in has))


QUERY = Query(lambda app, call, more, now: Call("query", Raw(b"{}")), reads)
ASKED = Api("batch", LIMIT, items="list", ordered=True, query=QUERY)
APIS = {"query": Api("query", LIMIT, safe=True)}


def settling(inner: Send, seen: Counter[str] | None = None, others: tuple[str, ...] = ()) -> Settled:
    def count(kind: str, cause: str) -> None:
        if seen is not None:
            seen[kind] += 1

    def taken(kind: str, target: str) -> bool:
        return target in others

    return Settled(inner, App({}, Secret("")), APIS, pause=no_pause, now=lambda: 0.0, count=count, taken=taken)


@pytest.mark.parametrize("lose", [[], ["before"], ["after"], ["half"], ["before", "half", "after"]], ids=str)
def test_each_item_goes_in_once_whatever_is_lost(lose: list[str]) -> None:
    async def check() -> None:
        target = Target(list(lose))
        reply = await settling(target)(request(ASKED, {"list": [1, 2, 3, 4]}))
        assert Kind.DONE is reply.verdict.kind
        assert [1, 2, 3, 4] == target.has

    run(check())


def test_a_call_of_an_earlier_run_is_asked_for_before_it_is_sent() -> None:
    async def check() -> None:
        target = Target([])
        target.has = [1, 2]
        reply = await settling(target)(request(ASKED, {"list": [1, 2]}, unclear=True))
        assert Kind.DONE is reply.verdict.kind
        assert [1, 2] == target.has and 1 == target.asked

    run(check())


@pytest.mark.parametrize(
    "query",
    [None, Query(lambda *given: None, reads),
     Query(lambda app, call, more, now: Call("query", Raw(b"{}")), lambda *given: Found(sure=False))],
    ids=["no query", "no way to ask", "no answer that tells"],
)  # fmt: skip
def test_what_can_not_be_found_out_stays_unclear_and_is_never_sent_again(query: Query | None) -> None:
    async def check() -> None:
        target, seen = Target(["after"]), Counter[str]()
        api = Api("batch", LIMIT, items="list", query=query)
        reply = await settling(target, seen)(request(api, {"list": [1]}))
        assert Kind.UNCLEAR is reply.verdict.kind
        assert [1] == target.has and 1 == seen["unknown"]

    run(check())


@pytest.mark.parametrize(
    ("there", "others", "expected", "given", "sent"),
    [(("7",), (), Kind.DONE, "7", 1), (("5", "7"), ("5",), Kind.DONE, "7", 1), (("5",), ("5",), Kind.DONE, "", 2),
     (("7", "8"), (), Kind.UNCLEAR, "", 1)],
)  # fmt: skip
def test_a_candidate_is_the_calls_only_where_it_can_be_no_others(
    there: tuple[str, ...], others: tuple[str, ...], expected: Kind, given: str, sent: int
) -> None:
    """Of several that may be it, none is taken; where all belong to others, it is not there, and is sent."""
    api = Api("new", LIMIT, gives="group", query=Query(
        lambda app, call, more, now: Call("query", Raw(b"{}")), lambda *given: Found(candidates=there)))  # fmt: skip
    calls = []

    async def inner(request: Request) -> Reply:
        if request.api.name == "query":
            return kind(Kind.DONE)
        calls.append(request)
        return kind(Kind.UNCLEAR) if len(calls) == 1 else kind(Kind.DONE)

    async def check() -> None:
        reply = await settling(inner, others=others)(request(api, {}))
        assert (expected, given, sent) == (reply.verdict.kind, reply.verdict.given, len(calls))

    run(check())


def test_a_candidate_is_nobodys_while_a_call_just_like_it_is_under_way() -> None:
    api = Api("new", LIMIT, gives="group", query=Query(
        lambda app, call, more, now: Call("query", Raw(b"{}")), lambda *given: Found(candidates=("7",))))  # fmt: skip
    twin, calls = asyncio.Event(), []

    async def inner(asked: Request) -> Reply:
        if asked.api.name == "query":
            return kind(Kind.DONE)
        calls.append(asked)
        if len(calls) > 1:
            return kind(Kind.UNCLEAR)
        await twin.wait()
        return kind(Kind.DONE)

    async def check() -> None:
        send = settling(inner)
        other = asyncio.create_task(send(request(api)))
        await asyncio.sleep(0)
        assert Kind.UNCLEAR is (await send(request(api))).verdict.kind
        twin.set()
        await other
        found = await send(request(api))
        assert (Kind.DONE, "7") == (found.verdict.kind, found.verdict.given)

    run(check())


# -- proven


class Maker:
    """Gives out tokens that it counts."""

    def __init__(self) -> None:
        self.made = 0
        self.token: Any = None
        self.login = self

    def ask(self, app: App) -> Http:
        return Http("POST", "", (), b"")

    def read(self, reply: Reply, now: float) -> Token:
        self.made += 1
        return Token(Secret(f"token {self.made}"), now + 3600)


def test_however_many_find_the_token_stale_one_new_one_is_fetched() -> None:
    async def check() -> None:
        maker = Maker()

        async def ask(http: Http) -> Reply:
            await asyncio.sleep(0.2)
            return Reply(200)

        proof = Proof(maker, App({}, Secret("")), clock(), ask)  # type: ignore[arg-type]
        send = proven(Script(kind(Kind.DONE)), proof)
        await asyncio.gather(*(send(request(PLAIN)) for _ in range(50)))
        assert 1 == maker.made
        used = proof.token
        for _ in range(50):
            proof.stale(used)
        await asyncio.gather(*(send(request(PLAIN)) for _ in range(50)))
        proof.stale(used)
        await send(request(PLAIN))
        assert 2 == maker.made
        await asyncio.sleep(3600)
        await send(request(PLAIN))
        assert 3 == maker.made

    run(check())


# -- done


def test_finished_lines_are_few_intervals_whatever_their_order() -> None:
    chance = Random(11)
    for lines in (1, 2, 7, 60):
        order = list(range(lines))
        chance.shuffle(order)
        done, kept = Done(), dict[int, Span]()
        for count, line in enumerate(order):
            done.add(line, (line + 1) * 10)
            if chance.random() < 0.3 or count == lines - 1:
                gone, longer = done.changes()
                for start in gone:
                    kept.pop(start, None)
                kept.update((span.start, span) for span in longer)
                finished = sorted(order[: count + 1])
                assert finished == [n for span in sorted(kept.values()) for n in range(span.start, span.stop)]
                assert all(span.offset == span.stop * 10 for span in kept.values())
                assert all(bool(done.around(n)) == (n in finished) for n in range(lines))
        assert [Span(0, lines, lines * 10)] == list(kept.values())
        again = Done(kept.values())
        assert lines == again.lines and 1 == len(again)
