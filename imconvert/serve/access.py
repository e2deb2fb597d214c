"""Who may ask: tokens, networks, and how often.

Promise: tokens are compared in constant time, all of them each time, as digests, so that neither length nor order
shows. A token never stands in what is logged: a path is told by the name of what was asked for.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MOST_ADDRESSES = 10_000
"""Addresses whose rate is remembered."""


class Secret:
    """A token that does not show itself. What is given may be no UTF-8: it is compared byte by byte."""

    __slots__ = ("_digest",)

    def __init__(self, text: str) -> None:
        self._digest = _digest(text)

    def __repr__(self) -> str:
        return "Secret(…)"

    def fits(self, text: str) -> bool:
        return hmac.compare_digest(self._digest, _digest(text))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class Access:
    """`tokens` open everything but the intake where `ingest` tokens are set, which open that and the status.

    Without tokens everybody in `networks` may ask; without networks, everybody who can reach the port. `rate` is the
    number of requests a second from one address, 0 for no limit.
    """

    tokens: tuple[Secret, ...] = ()
    ingest: tuple[Secret, ...] = ()
    networks: tuple[Network, ...] = ()
    rate: float = 0.0

    def knows(self, address: str) -> bool:
        """Whether an address may connect."""
        if not self.networks:
            return True
        try:
            found = ipaddress.ip_address(address.split("%")[0])
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self.networks)

    def opens(self, what: str, given: Sequence[str]) -> bool:
        """Whether one of the tokens given opens `what`: feed, ingest, or anything else."""
        if what == "ingest":
            return _any_fits(self.ingest or self.tokens, given)
        return _any_fits(self.tokens if what == "feed" else (*self.tokens, *self.ingest), given, empty=not self.tokens)


def _any_fits(tokens: Sequence[Secret], given: Sequence[str], *, empty: bool | None = None) -> bool:
    """Whether any fits, all being compared; without tokens everything does."""
    if not tokens or empty:
        return True
    found = False
    for token in tokens:
        for text in given:
            found |= token.fits(text)
    return found


class Rates:
    """A bucket of requests for each address, filled at a steady rate, two seconds deep."""

    def __init__(self, rate: float, steady: Callable[[], float]) -> None:
        self.rate = rate
        self.steady = steady
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str) -> bool:
        """Take one request out of an address's bucket; False if it is empty."""
        if not self.rate:
            return True
        now, most = self.steady(), max(1.0, 2 * self.rate)
        level, since = self._buckets.pop(address, (most, now))
        level = min(most, level + (now - since) * self.rate)
        self._buckets[address] = (level - 1 if level >= 1 else level, now)
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return level >= 1
