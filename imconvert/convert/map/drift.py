"""The radar for schema drift: which keys, types and values of the input the vendor's documents don't know.

Strategy: of each kind, the MOST names with the lowest hashes are kept, with exact counts and the first place of each;
all others are only counted. A name that is among the lowest of all input is among the lowest of every part of it, so
that the result is the same however the input is cut, and random names grow neither memory nor manifest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Generic, TypeVar

from msgspec import Struct, field
from xxhash import xxh3_64_intdigest

from imconvert.convert.work import Count, First, Novelties, PartMarker

KINDS = ("key", "type", "value")
MOST = 200
"""Names of a kind that are told apart."""

LONGEST = 80
"""Characters of a name that count."""

Place = TypeVar("Place")


class Sighting(Struct):
    """In how many records something unknown stood, and the first place."""

    count: int
    file: str
    line: int


class Drift(Struct):
    """What of one kind was met: records by name, sorted, and in `others` how often names beyond the limit."""

    names: dict[str, Sighting] = field(default_factory=dict)
    others: int = 0


class Bounded(Generic[Place]):
    """Counts of the `most` names with the lowest hashes, each with its first place, if added in input order."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.counts: dict[str, int] = {}
        self.first: dict[str, Place] = {}
        self.heap: list[tuple[int, str]] = []
        self.others = 0

    def add(self, name: str, times: int, place: Place) -> None:
        if name in self.counts:
            self.counts[name] += times
            return
        self.counts[name], self.first[name] = times, place
        heapq.heappush(self.heap, (-xxh3_64_intdigest(name.encode()), name))
        if len(self.heap) > self.most:
            _, highest = heapq.heappop(self.heap)
            self.others += self.counts.pop(highest)
            del self.first[highest]


class Radar:
    """What one segment met."""

    def __init__(self) -> None:
        self.kinds: dict[str, Bounded[First]] = {}

    def see(self, novel: Iterable[tuple[str, str]], file: int, line: int) -> None:
        """Count what one record has, each name once."""
        for what, name in {(what, _shown(name)): None for what, name in novel}:
            self.kinds.setdefault(what, Bounded()).add(name, 1, First(file, line))

    def found(self) -> dict[str, Novelties]:
        return {
            what: Novelties(
                {name: Count(kind.counts[name], kind.first[name]) for name in sorted(kind.counts)}, kind.others
            )
            for what, kind in sorted(self.kinds.items())
        }


def _shown(name: str) -> str:
    return name[:LONGEST].encode("utf-8", "replace").decode()


def merged(parts: list[PartMarker], labels: list[str], bases: dict[tuple[int, int], int]) -> dict[str, Drift]:
    """What all segments met, by kind; places counted in the whole input."""
    kinds: dict[str, Bounded[tuple[str, int]]] = {}
    others = dict.fromkeys(KINDS, 0)
    for part in parts:
        for what, found in part.drift.items():
            kind = kinds.setdefault(what, Bounded())
            others[what] += found.others
            for name, count in found.names.items():
                first = count.first
                assert first is not None
                line = first.line + bases.get((part.segment, first.file), 0) + 1
                kind.add(name, count.count, (labels[first.file], line))
    return {
        what: Drift(
            {n: Sighting(kind.counts[n], *kind.first[n]) for n in sorted(kind.counts)}, kind.others + others[what]
        )
        for what, kind in sorted(kinds.items())
    }
