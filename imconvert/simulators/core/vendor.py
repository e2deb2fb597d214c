"""What a vendor's server is: a table of endpoints, and how it says what every server has to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from imconvert.simulators.core.calls import Answer, Call
from imconvert.simulators.core.desk import Desk, Setting
from imconvert.simulators.core.rates import Limit


class Endpoint(NamedTuple):
    """One call that the server takes. Parts of the path in braces are given to `run`; `rates` names its windows.

    `batch` says that some of its items may fail on purpose, `public` that it needs no authorization.
    """

    name: str
    method: str
    path: str
    run: Callable[[Call], Any]
    rates: tuple[str, ...] = ()
    batch: bool = False
    public: bool = False


class Post(NamedTuple):
    """What is sent to a callback: the query behind its address, headers, body."""

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Ban(NamedTuple):
    """So many failures in `span` seconds end all posts for `length` seconds."""

    failures: int
    span: float
    length: float


class Posting(NamedTuple):
    """How a vendor posts: how many tries, how long it waits, what counts as delivered, when it gives up for a while."""

    tries: int
    timeout: float
    delivered: Callable[[int, bytes], bool]
    ban: Ban | None = None


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor's server. `where` makes the whole path of an endpoint, `reply` an answer of what an endpoint returns
    (unless that is an answer already).

    `authorize` raises Refused; `limited`, `unknown` and `expired` are the answers for a window that is full, a path
    that nobody knows and a sign-on that has ended; `busy` those with which the vendor says that it has no time.
    `say` puts a message of a user into the app, `post` makes the vendor's callback of an event, `take` imports a line
    of a text file where a vendor has such an import; `sample` are the names and keys of the app.
    """

    name: str
    tables: str
    endpoints: Sequence[Endpoint]
    settings: Mapping[str, Setting]
    limits: Mapping[str, Limit]
    where: Callable[[Desk, str], str]
    reply: Callable[[Call, Any], Answer]
    authorize: Callable[[Call], None]
    limited: Callable[[Call, float], Answer]
    unknown: Callable[[Call], Answer]
    expired: Callable[[Call], Answer]
    busy: Sequence[Callable[[Call], Answer]]
    exports: Mapping[str, Callable[[Desk], Any]]
    say: Callable[[Call, Mapping[str, Any]], Any]
    post: Callable[[Desk, str, Mapping[str, Any]], Post | None]
    posting: Posting
    sample: Callable[[Desk], Mapping[str, str]]
    take: Callable[[Call, bytes], Mapping[str, Any]] | None = None
