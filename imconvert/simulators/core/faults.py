"""Mishaps on purpose: which one a request has is drawn from the seed.

Strategy: a plan gives kinds of mishaps their shares, for all endpoints or for those of a name. What is drawn depends on
the seed, the endpoint, the body and how many times this body came before, and on nothing else. So the same message has
the same mishaps in every run, in whatever order a client with many connections sends its messages.
Cost: about 100 bytes of memory for each distinct body, as long as there is a plan.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, NamedTuple

BEFORE = {
    "429": "HTTP 429 without Retry-After",
    "429-after": "HTTP 429 with Retry-After",
    "5xx": "HTTP 500, 502, 503 or 504, nothing applied",
    "busy": "the vendor's own way to say that it has no time",
    "expired": "the sign-on is no longer valid",
    "reset": "the connection is reset, nothing applied",
    "hang": "no answer for the time of a stall, then a reset, nothing applied",
}
AFTER = {
    "5xx-after": "HTTP 502 or 504, although it was applied",
    "malformed": "200 with a body that is no JSON, although it was applied",
    "truncated": "200 with a JSON body that breaks off, although it was applied",
    "cut": "the connection is reset in the middle of the body, although it was applied",
    "reset-after": "the connection is reset without an answer, although it was applied",
    "slow-head": "the head of the answer comes byte by byte",
    "slow-body": "the body of the answer comes in pieces",
    "stall": "the answer comes after the time of a stall",
    "reply-twice": "the answer comes two times on the connection",
    "applied-twice": "the request is applied two times, as if something between had repeated it",
    "partial": "some items of a batch fail",
}
KINDS = BEFORE | AFTER
POSTS = {
    "lost": "the callback is never posted",
    "twice": "it is posted two times",
    "late": "it is posted behind the next one",
    "forged": "it is posted one more time with a wrong signature",
}
"""Kinds of mishaps that callbacks can have."""

CALLBACKS = "callback"
_OPTIONS = {"stall": 30.0, "pause": 0.05, "retry-after": 1.0, "calm-first": 0.0, "calm-after": float("inf")}


class Fault(NamedTuple):
    """The mishap of one request; `number` is 61 random bits for whatever it has to choose."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Shares of kinds by pattern of endpoint names; of patterns that match, the later ones decide.

    `stall` and `pause` are seconds, `retry_after` too; the first `calm_first` requests and those behind `calm_after`
    have no mishaps.
    """

    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    stall: float = 30.0
    pause: float = 0.05
    retry_after: float = 1.0
    calm_first: float = 0
    calm_after: float = float("inf")


def read_plan(text: str) -> Plan:
    """A plan from TOML. Raises ValueError that names what is wrong."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        raise ValueError(str(why)) from why
    tables = {name: value for name, value in given.items() if isinstance(value, dict)}
    options = {name: value for name, value in given.items() if name not in tables}
    if unknown := options.keys() - _OPTIONS.keys():
        raise ValueError(f"there is no {min(unknown)}; known are {', '.join(_OPTIONS)}, and tables of shares")
    amounts = {name: _amount(name, options.get(name, default)) for name, default in _OPTIONS.items()}
    shares = {pattern: _shares(pattern, table) for pattern, table in tables.items()}
    return Plan(shares, *amounts.values())


def read_shares(text: str) -> Plan:
    """A plan for all endpoints from `reset-after=3%,busy=5%`. Raises ValueError."""
    pairs = [word.strip().partition("=") for word in text.split(",")]
    return Plan({"*": _shares("*", {name: share for name, _, share in pairs})})


def _amount(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} is a number, 0 or more, not {value!r}")
    return float(value)


def _shares(pattern: str, table: Mapping[str, object]) -> dict[str, float]:
    kinds = POSTS if pattern == CALLBACKS else KINDS
    if unknown := table.keys() - kinds.keys():
        raise ValueError(f"there is no mishap {min(unknown)!r}; known are {', '.join(kinds)}")
    found = {kind: _share(kind, value) for kind, value in table.items()}
    if sum(found.values()) > 1 + 1e-9:
        raise ValueError(f"the shares of {pattern!r} exceed 100%")
    return found


def _share(kind: str, value: object) -> float:
    text = str(value).strip()
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise ValueError(f'{kind} is a share such as 0.05 or "5%", not {value!r}')
    return found


class Draws:
    """A plan at work. `counts` are the mishaps so far, by endpoint and kind."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.counts: Counter[tuple[str, str]] = Counter()
        self._seed = str(seed).encode()
        self._times: Counter[bytes] = Counter()
        self._drawn = 0
        self._tables: dict[str, dict[str, float]] = {}

    def of(self, name: str, content: bytes, *, batch: bool = False) -> Fault | None:
        """The mishap of a request with this content, if it has one; only batches fail in part."""
        table = self.shares_of(name)
        self._drawn += 1
        if not table or not self.plan.calm_first < self._drawn <= self.plan.calm_after:
            return None
        kind, number = self._draw(table, name.encode(), content)
        if kind is None or (kind == "partial" and not batch):
            return None
        self.counts[name, kind] += 1
        return Fault(kind, number)

    def _draw(self, table: Mapping[str, float], name: bytes, content: bytes) -> tuple[str | None, int]:
        digest = blake2b(b"\0".join((self._seed, name, content)), digest_size=8).digest()
        times = self._times[digest]
        self._times[digest] += 1
        bits = blake2b(digest + times.to_bytes(8), digest_size=16).digest()
        drawn = int.from_bytes(bits[:8]) / (1 << 64)
        for kind, share in table.items():
            if drawn < share:
                return kind, int.from_bytes(bits[8:]) >> 3
            drawn -= share
        return None, 0

    def shares_of(self, name: str) -> dict[str, float]:
        """The shares that hold for an endpoint, or for callbacks."""
        found = self._tables.get(name)
        if found is None:
            found = {}
            for pattern, shares in self.plan.shares.items():
                if self.matches(name, pattern):
                    found |= shares
            self._tables[name] = found
        return found

    @staticmethod
    def matches(name: str, pattern: str) -> bool:
        """Whether a pattern means this endpoint; callbacks are meant only by their own name."""
        return fnmatchcase(name, pattern) and (name == CALLBACKS) == (pattern == CALLBACKS)

    def told(self) -> dict[str, Any]:
        """How many mishaps of each kind there were, and at which endpoints."""
        kinds: Counter[str] = Counter()
        apis: dict[str, dict[str, int]] = {}
        for (name, kind), count in sorted(self.counts.items()):
            kinds[kind] += count
            apis.setdefault(name, {})[kind] = count
        return {"requests": self._drawn, "kinds": dict(sorted(kinds.items())), "endpoints": apis}
