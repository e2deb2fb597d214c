"""What the loader asks of a vendor that takes its data by REST: its calls, how they are signed, what answers mean.

Plan: a `Rest` record holds tables (calls, stages, limits, error codes) and pure functions between a `Call`, which is a
line of a shard, the exact `Http` request, the `Reply` and the `Verdict` on it. Time, nonce and token are arguments.
Promise: nothing here sends, sleeps or asks a clock, so that every byte of a request can be tested by comparing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct


class Kind(StrEnum):
    """What is to be done about an answer."""

    DONE = "done"
    """It went in, or was there already."""
    RETRY = "retry"
    """It surely did not go in; the same may be sent again."""
    UNCLEAR = "unclear"
    """It may have gone in."""
    THROTTLE = "throttle"
    """Too fast; it did not go in."""
    REAUTH = "re-auth"
    """The token is no longer good; it did not go in."""
    SPLIT = "split"
    """Too much for one call; halves of it may go."""
    DEPENDENCY = "dependency"
    """An account or a group that it names is missing."""
    ITEM = "item"
    """It can never go in as it is."""
    STOP = "stop"
    """Nothing can go in before somebody changes the configuration or the plan."""


class Secret:
    """A text that does not show itself; `reveal()` gives it to the function that signs."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        return self._text


class App(NamedTuple):
    """The app to load: the keys of [app] in target.toml with their defaults, the settings, and the secret."""

    values: Mapping[str, Any]
    secret: Secret


class Token(NamedTuple):
    """What proves the caller for a while: `until` in seconds since 1970."""

    secret: Secret
    until: float


class Call(Struct, frozen=True):
    """A line of a shard: a request to `api` (the vendor's name of the path) that is complete but for address and proof.

    `key` names the record, `conv` what has to be loaded in order and one at a time ("" for what needs no order), `time`
    is in ms. `path` stands in for the name where a path has parts of its own. `ids` says which fields of the body hold
    ids that the target gives out only while loading: field to [kind, source id]; `source` is the id whose target the
    answer to this call gives. `secret` says which field of the body, or of each of its items, gets the secret of the
    account in which other field. `upload` are texts in the body that name files of the output: each is uploaded, and
    its address put in their place. `data` are the bytes of a file, where the call uploads one; no line has it.
    """

    api: str
    body: Raw
    key: str | int = ""
    conv: str = ""
    time: int = 0
    path: str = ""
    ids: dict[str, tuple[str, str]] = {}
    source: str = ""
    secret: dict[str, str] = {}
    upload: tuple[str, ...] = ()
    data: bytes = b""


class Http(NamedTuple):
    """An exact request. `hidden` are the texts in it that nobody may see."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    content: bytes
    hidden: tuple[str, ...] = ()


class Failed(NamedTuple):
    """An item of a call that did not go in: its position in the call, and why."""

    item: int
    kind: Kind
    code: str
    why: str


class Verdict(NamedTuple):
    """What an answer means. `code` is the vendor's own; `wait` are seconds for which the vendor wants no calls.

    `failed` are the items of a batch that did not go in where the call as a whole did; `given` is the id that the
    target gave out; `token` an account and the secret that the target gave out for it.
    """

    kind: Kind
    code: str = ""
    why: str = ""
    wait: float = 0.0
    failed: tuple[Failed, ...] = ()
    given: str = ""
    token: tuple[str, Secret] | None = None


class Reply(NamedTuple):
    """What came back. `fault` is "" for an answer, "unsent" where the request surely did not leave, "lost" else."""

    status: int = 0
    headers: Mapping[str, str] = {}
    content: bytes = b""
    fault: str = ""
    why: str = ""
    verdict: Verdict = Verdict(Kind.UNCLEAR)


class Limit(NamedTuple):
    """At most `calls` in any window of `per` seconds; 0 calls for no limit."""

    calls: int
    per: float = 1.0


class Found(NamedTuple):
    """What a history query says of a call: positions of its items that are there; `more` goes on asking.

    `sure` is False where the answer can't be understood; then nothing is known. `given` is the id that the target gave
    out to what is there. Where the target's answer doesn't tell, `candidates` are ids of what looks like the call's: it
    is there if just one of them is known to be nobody else's.
    """

    there: frozenset[int] = frozenset()
    more: Any = None
    sure: bool = True
    given: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """How to ask whether a call went in: `ask(app, call, more, now)` makes the question, `read(app, call, reply, now)`
    its answer.

    `more` is None at first, then what the answer before said. `ask` gives None where there is no way to ask.
    """

    ask: Callable[[App, Call, Any, float], Call | None]
    read: Callable[[App, Call, Reply, float], Found]


@dataclass(frozen=True, slots=True)
class Api:
    """One call of the vendor's.

    `limit` is the reference's; calls of one `bucket` share it. `items` is the field of the body that is a list ("" for
    a body that is a list itself, None for a call that is one thing). `safe` says that the target knows what it has, so
    that sending it twice does no harm; otherwise `query` finds out, if it can. `ordered` says that what was left out
    can't be brought in behind its successors. `gives` is the kind of id that the answer gives out. `body` says how the
    body is written: as JSON; as a form whose lists are JSON (form); as a form whose lists repeat the key (repeated).
    """

    name: str
    limit: Limit
    bucket: str = ""
    items: str | None = None
    safe: bool = False
    ordered: bool = False
    query: Query | None = None
    gives: str = ""
    method: str = "POST"
    body: str = "json"

    @property
    def pace(self) -> str:
        """The name of the bucket."""
        return self.bucket or self.name


class Stage(NamedTuple):
    """A step of the vendor's order: its name and the calls that belong to it."""

    name: str
    apis: tuple[str, ...]


class Field(NamedTuple):
    """A key of [app] in target.toml: its default (None where it has to be given), and what it means."""

    name: str
    default: Any
    help: str


class History(NamedTuple):
    """What is to be loaded, as `checks` sees it: calls by api, first and last time (0 for none), when, all in ms."""

    calls: Mapping[str, int]
    first: int
    last: int
    at: int


class Finding(NamedTuple):
    """Something to know before the first call: a code of the catalogue, its values, and whether it blocks the load."""

    code: str
    values: dict[str, Any]
    blocks: bool


DAY = 86_400_000
"""A day in ms."""


def outlived(app: App, history: History) -> list[Finding]:
    """What is older than the `retention_days` of the app, for which the target keeps messages."""
    days = float(app.values["retention_days"])
    old = history.first and days and history.first < history.at - days * DAY
    return [Finding("IMC-7281", {"days": f"{days:g}"}, False)] if old else []


class Login(NamedTuple):
    """How to get a token from the target: `ask(app)` makes the request, `read(reply, now)` gives the token."""

    ask: Callable[[App], Http]
    read: Callable[[Reply, float], Token | Verdict]


def nothing_known(app: App, history: History) -> list[Finding]:
    """The findings of a vendor of which nothing is known to stand in the way."""
    return []


@dataclass(frozen=True, slots=True)
class Rest:
    """A vendor's REST interface as a target.

    `identity(app)` names the app in public. `prepare(app, api, call, token, now=, nonce=)` makes the exact request,
    `read(app, api, call, reply)` the verdict on an answer that came. `token(app, now)` makes a token without asking,
    `login` gets one; without either, calls are signed one by one. `checks(app, history)` finds what stands in the way.
    """

    title: str
    apis: Mapping[str, Api]
    stages: tuple[Stage, ...]
    fields: tuple[Field, ...]
    secret_env: str
    identity: Callable[[App], str]
    address: Callable[[App], str]
    prepare: Callable[..., Http]
    read: Callable[[App, Api, Call, Reply], Verdict]
    checks: Callable[[App, History], list[Finding]] = nothing_known
    token: Callable[[App, float], Token] | None = None
    login: Login | None = None
    uploads: str = ""
    """The call that takes a file and answers with its address, if there is one."""
    no_messages: str = ""
    """The code that says why messages can't be loaded, where they can't."""

    def stage_of(self, api: str) -> str:
        """The stage that a call belongs to; "" for none."""
        return next((stage.name for stage in self.stages if api in stage.apis), "")


def items_of(api: Api, call: Call) -> int:
    """How many items a call has."""
    if api.items is None:
        return 1
    body = msgspec.json.decode(call.body)
    found = body if api.items == "" else body.get(api.items) if isinstance(body, dict) else None
    return len(found) if isinstance(found, list) else 1


def part_of(api: Api, call: Call, items: Sequence[int]) -> Call:
    """The call with only some of its items, in their order."""
    body = msgspec.json.decode(call.body)
    chosen = [(body if api.items == "" else body[api.items])[item] for item in items]
    made: Any = chosen if api.items == "" else {**body, str(api.items): chosen}
    return msgspec.structs.replace(call, body=Raw(msgspec.json.encode(made)))


def form_of(body: Raw, *, repeat: bool = False) -> tuple[str, bytes]:
    """Content type and bytes of a body as a form; lists are JSON, or repeat their key."""
    pairs: list[tuple[str, str]] = []
    for name, value in msgspec.json.decode(body).items():
        values = value if repeat and isinstance(value, list) else [value]
        pairs += [(name, one if isinstance(one, str) else msgspec.json.encode(one).decode()) for one in values]
    return "application/x-www-form-urlencoded;charset=utf-8", urlencode(pairs).encode()


def body_of(call: Call) -> dict[str, Any]:
    """The body of a call as an object; empty for anything else."""
    found = msgspec.json.decode(call.body)
    return found if isinstance(found, dict) else {}


def answer_of(reply: Reply) -> dict[str, Any] | None:
    """The JSON object of an answer; None for anything else."""
    try:
        found = msgspec.json.decode(reply.content)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def retry_after(reply: Reply, default: float = 0.0) -> float:
    """The seconds of a Retry-After header, or the default; dates and nonsense give the default."""
    text = reply.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        return default
    return min(seconds, 86_400.0) if seconds >= 0 else default
