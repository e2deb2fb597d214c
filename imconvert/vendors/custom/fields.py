"""Turn the values of a mapping into functions from a record to what stands there.

Strategy: each value is compiled once: a path into lookups of its own, then only the steps that it asks for, so that
a plain key costs one call. JSON inside of texts is opened when a path leads through it, and remembered while its
record lasts. Objects on the way are watched for keys that no path names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from imconvert.errors import Rejected
from imconvert.model import MAX_DEPTH, Notes, depth_exceeds
from imconvert.vendors import lenient
from imconvert.vendors.custom.parse import plain
from imconvert.vendors.custom.spec import UNSET, Path, Value, shown
from imconvert.vendors.values import word as word

Get = Callable[[Any], Any]

_decode = msgspec.json.Decoder().decode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(slots=True)
class Node:
    """A place in the record: `whole` if some value is all of it, and the places inside that are named."""

    whole: bool = False
    inside: dict[str | int, Node] = field(default_factory=dict)


def tree_of(paths: Iterable[Path]) -> Node:
    """The places that paths lead to."""
    root = Node()
    for path in paths:
        node = root
        for step in path:
            node = node.inside.setdefault(step, Node())
        node.whole = True
    return root


def watcher(node: Node, path: Path, opened: frozenset[Path], notes: Notes) -> Callable[[dict[str, Any]], None] | None:
    """Notes the keys of an object at `path` that no path of the mapping names; None where all belong to a value.

    What is in texts is watched when it is opened, and items of arrays are not.
    """
    if node.whole and path not in opened:
        return None
    names = node.inside.keys()
    if any(isinstance(name, int) for name in names) or not names:
        return None
    known = frozenset(names)
    deeper: list[tuple[Any, Callable[[dict[str, Any]], None]]] = [
        (key, watch)
        for key, child in node.inside.items()
        if (*path, key) not in opened and child.inside and (watch := watcher(child, (*path, key), opened, notes))
    ]
    prefix = f"{shown(path)}." if path else ""

    def look(found: dict[str, Any]) -> None:
        if not known >= found.keys():
            notes.novel.extend(("key", f"{prefix}{key}") for key in found if key not in known)
        for key, watch in deeper:
            value = found.get(key)
            if value.__class__ is dict:
                watch(value)

    return look


class Compiler:
    """Makes getters for one reader: what it knows of JSON in texts, the notes of its records, the system's name."""

    def __init__(self, inner: Iterable[Path], tree: Node, notes: Notes, name: str = "") -> None:
        self.name = name
        self.inner = frozenset(inner)
        self.tree = tree
        self.notes = notes
        self.openers: dict[Path, Get] = {}

    def value(self, spec: Value) -> Get:
        """The function from a record to the value, None where it is not set."""
        get = self._source(spec)
        if spec.unset:
            get = _without(get, spec.unset)
        if spec.cut or spec.before:
            get = _trimmed(get, spec.cut, spec.before)
        if spec.json:
            get = self._opened(get, shown(spec.paths[0]) if spec.paths else "")
        if spec.table is not None:
            get = _looked_up(get, spec.table, spec.otherwise)
        if spec.default is not UNSET:
            get = _defaulted(get, spec.default)
        return get

    def _source(self, spec: Value) -> Get:
        if spec.const is not UNSET:
            constant = spec.const
            return lambda record: constant
        if spec.object is not None:
            return self.object(spec.object)
        paths = [self.path(path) for path in spec.paths]
        return paths[0] if len(paths) == 1 else _first(paths)

    def object(self, parts: tuple[tuple[str, Value], ...]) -> Get:
        """An object of values; those not set are left out, and an empty one is none."""
        getters = [(name, self.value(value)) for name, value in parts]

        def get(record: Any) -> Any:
            return {name: value for name, one in getters if (value := one(record)) is not None} or None

        return get

    def path(self, path: Path) -> Get:
        """The function from a record to what stands at the path, None where nothing does."""
        if not path:
            return lambda record: record
        first = path[0]
        if len(path) == 1:
            return lambda record: record.get(first)
        steps = [(step, self._opener(path[: depth + 1])) for depth, step in enumerate(path[:-1])]
        return _walk(steps, path[-1])

    def _opener(self, path: Path) -> Get | None:
        """What opens the text at a path that is said to hold JSON, once a record however many paths lead through it."""
        if path not in self.inner:
            return None
        if path not in self.openers:
            node = self.tree
            for step in path:
                node = node.inside.get(step, Node())
            watch = watcher(node, path, self.inner, self.notes)
            self.openers[path] = _remembered(shown(path), watch)
        return self.openers[path]

    def _opened(self, get: Get, name: str) -> Get:
        """JSON text as the value that it holds; a text that is no JSON stays as it is."""

        def opened(record: Any) -> Any:
            value = get(record)
            if value.__class__ is not str or value[:1] not in "{[":
                return value
            try:
                return inner_json(value, name)
            except Rejected:
                return value

        return opened


def inner_json(text: str, name: str) -> Any:
    """The JSON value in a text. Raises Rejected (IMC-2004, IMC-2447)."""
    data = text.encode("utf-8", "surrogatepass")
    if depth_exceeds(data, MAX_DEPTH - 4):
        raise Rejected("IMC-2004", limit=MAX_DEPTH - 4)
    try:
        return _decode(data)
    except _REFUSED:
        raise Rejected("IMC-2447", field=name) from None


def _remembered(name: str, watch: Callable[[dict[str, Any]], None] | None) -> Get:
    last: list[Any] = [None, None]

    def opened(value: Any) -> Any:
        if value.__class__ is not str:
            return value
        if value is last[0]:
            return last[1]
        found = inner_json(value, name) if value.strip() else None
        last[0], last[1] = value, found
        if watch and found.__class__ is dict:
            watch(found)
        return found

    return opened


def _walk(steps: list[tuple[str | int, Get | None]], last: str | int) -> Get:
    def get(record: Any) -> Any:
        for step, opened in steps:
            record = _step(record, step)
            if opened:
                record = opened(record)
        return _step(record, last)

    return get


def _step(value: Any, step: str | int) -> Any:
    if value.__class__ is dict:
        return value.get(step)
    if value.__class__ is list and step.__class__ is int:
        return value[step] if -len(value) <= step < len(value) else None
    return None


def _first(getters: list[Get]) -> Get:
    def get(record: Any) -> Any:
        for one in getters:
            value = one(record)
            if value is not None and value != "":
                return value
        return None

    return get


def _without(get: Get, unset: frozenset[str]) -> Get:
    def checked(record: Any) -> Any:
        value = get(record)
        if value is None:
            return None
        return None if (value if value.__class__ is str else plain(value)) in unset else value

    return checked


def _trimmed(get: Get, cut: tuple[str, ...], before: str) -> Get:
    def trimmed(record: Any) -> Any:
        value = get(record)
        if value is None or value == "" or value.__class__ not in (str, int):
            return value
        text = str(value)
        start = next((prefix for prefix in cut if text.startswith(prefix)), "")
        text = text[len(start) :]
        return text if not before or "://" in text else before + text

    return trimmed


def _looked_up(get: Get, table: Any, otherwise: Any) -> Get:
    rows = dict(table)

    def looked_up(record: Any) -> Any:
        value = get(record)
        if value is None or value.__class__ in (dict, list):
            return value
        found = rows.get(value if value.__class__ is str else plain(value), UNSET)
        return found if found is not UNSET else value if otherwise is UNSET else otherwise

    return looked_up


def _defaulted(get: Get, default: Any) -> Get:
    def defaulted(record: Any) -> Any:
        value = get(record)
        return default if value is None or value == "" else value

    return defaulted


def name_of(spec: Value) -> str:
    """How messages call a value: its path."""
    return shown(spec.paths[0]) if spec.paths else "const" if spec.object is None else "object"


def text(value: Any, name: str) -> str:
    """A text, which may be empty; numbers as they are written. Raises Rejected (IMC-2101, IMC-2102)."""
    if value.__class__ is str:
        return value
    if value is None:
        raise Rejected("IMC-2101", field=name)
    if value.__class__ in (int, float):
        return str(value)
    raise Rejected("IMC-2102", field=name, found=lenient.shown(value), expected="a text")
