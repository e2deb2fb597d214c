"""The `Books` of ids: what each id of the source is at the target, learned as ids are met."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, NamedTuple

from imconvert.errors import Rejected


class Book(dict[str, Any]):
    """Ids of the source to ids of the target, filled as they are met.

    `map` is the user's own table with the set of its targets, and comes first. `rule` turns an id into a target id
    or raises Rejected. An id that is some other id's mapped target is refused (IMC-2204).
    `folded` holds the ids that the rule changed; `refused` says which ids collide after folding (IMC-2203);
    `noted` is called each time an id is used that was folded. `met` are functions that give xxh3-64, as u8, of ids
    that were met elsewhere and are their own targets.
    """

    def __init__(
        self,
        rule: Callable[[str], Any],
        *,
        map: tuple[Mapping[str, str], Container[str]] = ({}, frozenset()),
        refused: Callable[[str], bool] | None = None,
        noted: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.rule = rule
        self.map, self.taken = map
        self.refused = refused
        self.noted = noted
        self.folded: dict[str, Any] = {}
        self.missing: dict[str, int] = {}
        self.met: list[Callable[[], bytes]] = []

    def __missing__(self, source: str) -> Any:
        """Called for ids met for the first time, ids that change, and ids that are refused."""
        known = self.folded.get(source)
        if known is not None:
            self.noted()
            return known
        try:
            target = self._learn(source)
        except Rejected:
            self.missing[source] = self.missing.get(source, 0) + 1
            raise
        if source in self.folded:
            self.noted()
        return target

    def learn(self, source: str) -> Any:
        """The target of an id met for the first time. Raises KeyError where it is folded, refused or no text."""
        if source.__class__ is not str:
            raise KeyError(source)
        if not self.map and source not in self.folded:
            try:
                target = self.rule(source)
            except Rejected as why:
                raise KeyError(source) from why
            if str(target) == source:
                self[source] = target
                return target
        if source not in self.folded:
            try:
                self._learn(source)
            except Rejected as why:
                raise KeyError(source) from why
        if source in self.folded:
            raise KeyError(source)
        return self[source]

    def preview(self, source: str) -> Any:
        """The target of an id, without taking note that it was met. Raises Rejected."""
        mapped = self.map.get(source)
        return self.rule(source if mapped is None else mapped)

    def _learn(self, source: str) -> Any:
        mapped = self.map.get(source)
        if mapped is not None:
            self[source] = self.rule(mapped)
            return self[source]
        target = self.rule(source)
        if str(target) in self.taken:
            raise Rejected("IMC-2204", account=source)
        if str(target) != source and self.refused and self.refused(source):
            raise Rejected("IMC-2203", account=source, target=target)
        if str(target) == source:
            self[source] = target
        else:
            self.folded[source] = target
        return target


class Plain(NamedTuple):
    """Ids that a target takes as they are, whatever else it is told: up to `most` of these ASCII characters."""

    allowed: bytes = b""
    most: int = 0


NOT_PLAIN = Plain()
