"""Build the tree of a shape from what stands where in the records of a self-built system.

Strategy: each value of a mapping is put at the place its path leads to, for all kinds of content or for some. The tree
is then folded into nodes: keys that no path names are refused, those that a kind has no use for say nothing.
Promise: what a mapping reads in more than one way, or in a way that nodes don't know, is `Unfit` and goes the long way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from imconvert.vendors.custom.spec import Path
from imconvert.vendors.nodes import UNREAD, Node, by_kind, items, json, record_of, row, unset


class Unfit(Exception):
    """A mapping, or a part of it, can't be told as a shape."""


@dataclass(slots=True)
class Place:
    """A place in a record: what reads it always or for some kinds, whether it is all of some value, what is inside."""

    always: Node | None = None
    kinds: dict[int, Node] = field(default_factory=dict)
    whole: bool = False
    inside: dict[str | int, Place] = field(default_factory=dict)

    def depends(self) -> bool:
        """Whether what is read here, or inside, is another thing for another kind."""
        return bool(self.kinds) or any(place.depends() for place in self.inside.values())

    def is_read(self, kind: int) -> bool:
        """Whether anything here or inside is read of a record of this kind."""
        found = self.always is not None or kind in self.kinds
        return found or any(place.is_read(kind) for place in self.inside.values())


class Places:
    """All places that a mapping names. `opened` are the paths whose texts hold JSON, `kind` is that of the kind."""

    def __init__(self, opened: Iterable[Path], kind: Path | None) -> None:
        self.root = Place()
        self.opened = frozenset(opened)
        self.kind = kind
        self.numbers: list[int] = []

    def name(self, path: Path) -> Place:
        """The place at a path, which is known from now on. Raises Unfit for the record as a whole, and from the end."""
        if not path or any(isinstance(step, int) and not 0 <= step < 32 for step in path):
            raise Unfit
        place = self.root
        for step in path:
            place = place.inside.setdefault(step, Place())
        return place

    def put(self, path: Path, node: Node, kind: int | None = None) -> None:
        """Let a node read what is at a path, of records of one kind or of all. Raises Unfit where another does."""
        place = self.name(path)
        place.whole = True
        taken = place.always if kind is None else place.always or place.kinds.get(kind)
        if taken is not None and taken != node:
            raise Unfit
        if kind is None:
            place.always = node
        else:
            place.kinds[kind] = node

    def record(self) -> Node:
        """The node for records that are objects."""
        return record_of({str(key): self._node(place, (key,)) for key, place in self.root.inside.items()})

    def row(self, columns: tuple[str, ...]) -> Node:
        """The node for records that are rows with these columns. Raises Unfit where one lacks or is there twice."""
        if len(set(columns)) != len(columns) or not self.root.inside.keys() <= set(columns):
            raise Unfit
        inside = self.root.inside
        return row(*(self._node(inside[name], (name,)) if name in inside else UNREAD for name in columns))

    def _node(self, place: Place, path: Path) -> Node:
        if place.always is not None:
            if place.kinds or place.inside:
                raise Unfit
            return place.always
        if place.kinds or (path in self.opened and not self._holds_kind(path) and place.depends()):
            return by_kind({kind: self._for(place, path, kind) for kind in self.numbers})
        if not place.inside:
            return UNREAD
        return self._opened(path, self._container(place, path))

    def _holds_kind(self, path: Path) -> bool:
        return self.kind is not None and self.kind[: len(path)] == path

    def _for(self, place: Place, path: Path, kind: int) -> Node:
        """What reads a place of records of one kind."""
        if place.always is not None:
            return place.always
        within = any(inner.is_read(kind) for inner in place.inside.values())
        if kind in place.kinds:
            if within:
                raise Unfit
            return place.kinds[kind]
        if not place.inside or (not within and (place.whole or path in self.opened)):
            return UNREAD
        found = {step: self._for(inner, (*path, step), kind) for step, inner in place.inside.items()}
        return self._opened(path, _holder(found))

    def _container(self, place: Place, path: Path) -> Node:
        return _holder({step: self._node(inner, (*path, step)) for step, inner in place.inside.items()})

    def _opened(self, path: Path, node: Node) -> Node:
        """JSON in a text, where a path leads into one; a text of blanks goes the long way."""
        return unset(json(node), "null") if path in self.opened else node


def _holder(found: dict[str | int, Node]) -> Node:
    """An object, or an array, of these and of nothing else. Raises Unfit for both at once."""
    places = [step for step in found if isinstance(step, int)]
    if not places:
        return record_of({str(step): node for step, node in found.items()})
    if len(places) < len(found):
        raise Unfit
    return items(*(found.get(place, UNREAD) for place in range(max(places) + 1)))
