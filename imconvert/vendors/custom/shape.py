"""A mapping as a shape for the compiled part, as far as it is plain: one body a kind, values as they stand.

Strategy: values that the nodes know are put at their places; a kind whose body asks for more is left out, so that its
records go the long way, and a mapping whose common values ask for more has no shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Table
from functools import partial
from typing import Any

from imconvert.model import CLIENTS, UNKNOWN_CLIENT
from imconvert.vendors.custom import NAME, zones
from imconvert.vendors.custom.parse import UNITS, plain
from imconvert.vendors.custom.places import Places, Unfit
from imconvert.vendors.custom.rows import header_of
from imconvert.vendors.custom.spec import UNSET, Body, Mapping, Rule, Value
from imconvert.vendors.custom.times import AS_ISO, SCALES, clock_of
from imconvert.vendors.lenient import compact
from imconvert.vendors.nodes import (
    REFUSED,
    UNREAD,
    Node,
    among,
    choice,
    clock,
    content,
    decimal,
    degrees,
    identity,
    json,
    scaled,
    string_or,
    text,
    trimmed,
    unless,
    unset,
    word,
)
from imconvert.vendors.shapes import Bounds, Kind, Naming, Opening, Shape, told

_NOTHING = ("null", '""')
_WORD = re.compile(r"[\w.-]+")
_RESERVED = frozenset({"text", "place", "notice", "image", "audio", "video", "file"})
_CLIENTS = {**CLIENTS, **{str(number): number for number in CLIENTS.values()}}
_WITH = {"ext", "derived"}
_LONGEST = 200
"""Bytes that may be put in front of a value."""


def shape(mapping: Mapping, columns: tuple[str, ...] | None = None) -> Shape | None:
    """The shape of a mapping's records, which are rows with these columns, or objects; None where there is none."""
    try:
        return _Builder(mapping).shape(columns)
    except Unfit:
        return None


def shape_of_rows(mapping: Mapping, head: str) -> Shape | None:
    """The shape of rows of a table with this header."""
    if mapping.input.encoding not in ("utf-8", "utf8"):
        return None
    return shape(mapping, mapping.input.columns or tuple(header_of(mapping.input, head)))


class _Builder:
    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        kind = mapping.kind
        self.places = Places(mapping.input.json, kind.paths[0] if kind and len(kind.paths) == 1 else None)
        self.kinds: dict[int, tuple[str, Kind]] = {}
        self.numbers: dict[str, int] = {}
        self.last = -1
        self.client: int | None = None
        self.ext = ""

    def shape(self, columns: tuple[str, ...] | None) -> Shape:
        """Raises Unfit."""
        mapping, source = self.mapping, self.mapping.input
        for path in (*mapping.used, *mapping.ignore):
            self.places.name(path)
        for path in mapping.ignore:
            self.places.put(path, UNREAD)
        self._bodies()
        self._common()
        self._kind()
        opening = Opening("json")
        if columns is not None:
            delimiter, quote, escape = (sign.encode() for sign in (source.delimiter, source.quote, source.escape))
            opening = Opening("row", delimiter, quote, escape, tuple(mark.encode() for mark in source.null))
        return Shape(
            tree=self.places.record() if columns is None else self.places.row(columns),
            kinds=self.kinds,
            client=self.client,
            find_suffix=True,
            naming=Naming(NAME, told("source"), told("source"), numbers=True),
            opening=opening,
            targets="apart" if mapping.receiver and mapping.group and self._by_word() else "as they are",
            kind=None if mapping.kind else 0,
            ext=self.ext,
            behind=partial(_behind, Bounds(clock=clock_of(mapping.time))),
        )

    def _by_word(self) -> bool:
        return bool(self.mapping.chat.always) or self.mapping.chat.table is not None

    def _common(self) -> None:
        mapping = self.mapping
        if mapping.id is None or mapping.chat.prefix is not None:
            raise Unfit
        self._each(mapping.id, identity("source"), "cut", "before")
        self._each(mapping.sender, self._end(mapping.sender, "sender"), "cut", "before", "unset")
        self._time(mapping.time)
        self._targets()
        self._client(mapping.client)
        self._ext(mapping.ext)
        for rule in (*mapping.skips, *mapping.recalls):
            self._rule(rule)

    def _each(self, spec: Value, node: Node, *done: str, kind: int | None = None) -> None:
        """Let a node read all places of a value of which nothing else is asked than what is `done`. Raises Unfit."""
        asked = {
            "const": spec.const is not UNSET, "object": spec.object is not None, "table": spec.table is not None,
            "default": spec.default is not UNSET, "unset": bool(spec.unset), "cut": bool(spec.cut),
            "before": bool(spec.before), "json": spec.json,
        }  # fmt: skip
        if any(is_asked and name not in done for name, is_asked in asked.items()) or not spec.paths:
            raise Unfit
        nothing = (*_NOTHING, *_tokens(spec.unset))
        for path in spec.paths:
            self.places.put(path, unset(node, *nothing) if len(spec.paths) > 1 or spec.unset else node, kind)

    def _end(self, spec: Value, name: str) -> Node:
        """Somebody's id, or a group's."""
        return _trimmed(spec, name) if spec.cut or spec.before else identity(name)

    def _targets(self) -> None:
        mapping, chat = self.mapping, self.mapping.chat
        receiver, group = mapping.receiver, mapping.group
        if self._by_word() and not (receiver and group):
            name = "group" if chat.always == "team" else "receiver"
            receiver, group = (receiver or group, None) if name == "receiver" else (None, receiver or group)
        for name, spec in (("receiver", receiver), ("group", group)):
            if spec:
                optional = unset(self._end(spec, name), *_NOTHING, *_tokens(spec.unset))
                self._each(spec, optional, "cut", "before", "unset")
        if chat.always and chat.always not in ("p2p", "team"):
            raise Unfit
        if chat.always and mapping.receiver and mapping.group:
            raise Unfit
        if chat.value is not None and chat.table is not None:
            chats = {"p2p": 0, "team": 1}
            rows = {token: chats[kind] for key, kind in chat.table.items() if kind in chats for token in _tokens([key])}
            self._each(chat.value, choice("chat", rows or _unfit()))

    def _time(self, spec: Value) -> None:
        if spec.unit in SCALES:
            times, by = SCALES[spec.unit]
            return self._each(spec, scaled("time", times, by))
        signs = "T " if spec.unit == "iso" else spec.format[8:9] if spec.format in AS_ISO else _unfit()
        own = not spec.zone
        return self._each(spec, clock("time", signs, own=own, zone=zones.intervals(spec.zone)))

    def _client(self, spec: Value | None) -> None:
        if spec is None:
            self.client = UNKNOWN_CLIENT
            return
        given = spec.const if spec.const is not UNSET else spec.default
        if given is not UNSET:
            self.client = _CLIENTS.get(plain(given).lower()) or _unfit()
        if spec.const is not UNSET:
            return
        words = {word: word for name in _CLIENTS for word in _spellings(name)} if spec.table is None else spec.table
        rows: dict[str, str | None] = {}
        for key, meant in words.items():
            number = _CLIENTS.get(plain(meant).lower())
            rows |= {token: str(number) for token in _tokens([key]) if number}
        if spec.default is not UNSET:
            rows |= dict.fromkeys(_NOTHING)
        self._each(spec, choice("client", rows or _unfit()), "table", "default")

    def _ext(self, spec: Value | None) -> None:
        if spec is None:
            return
        if spec.object is None:
            self._each(spec, unset(string_or(text("ext"), content("ext")), *_NOTHING))
            return
        constant: dict[str, Any] = {}
        for name, part in spec.object:
            if part.const is UNSET:
                self._each(part, unset(REFUSED, "null"))
            else:
                constant[name] = part.const
        self.ext = compact(constant) if constant else ""

    def _rule(self, rule: Rule) -> None:
        """Records that a rule leaves out go the long way; the kind itself is looked at where it is read."""
        kind = self.mapping.kind
        if kind and rule.value.paths == kind.paths:
            return
        self._each(rule.value, unless(*_tokens(rule.values)) if rule.values else among(*_NOTHING, "false"))

    def _left_out(self) -> set[str]:
        """The kinds that rules leave out. Raises Unfit for a rule that any kind is left out by."""
        kind = self.mapping.kind
        every = (*self.mapping.skips, *self.mapping.recalls)
        rules = [rule for rule in every if kind and rule.value.paths == kind.paths]
        if any(not rule.values for rule in rules):
            raise Unfit
        return {value for rule in rules for value in rule.values}

    def _kind(self) -> None:
        if self.mapping.kind is None:
            return
        rows = {token: number for key, number in self.numbers.items() for token in _tokens([key])}
        self._each(self.mapping.kind, choice("kind", rows or _unfit()))

    def _bodies(self) -> None:
        mapping = self.mapping
        names = mapping.kinds if mapping.kind else {"": (mapping.kind_default,)}
        left_out = self._left_out()
        for key, found in names.items():
            if len(found) == 1 and found[0] in mapping.bodies and key not in left_out:
                self._body(key, mapping.bodies[found[0]])
        self.places.numbers = list(self.kinds)
        if not self.kinds:
            raise Unfit

    def _body(self, key: str, body: Body) -> None:
        """Take a kind along if its body can be told."""
        self.last += 1
        try:
            label, kind, nodes = _read(body, self.mapping.name)
            for spec, node in nodes:
                self._each(spec, node, "cut", "before", "json", kind=self.last if self.mapping.kind else None)
        except Unfit:
            return
        self.numbers[key] = self.last
        self.kinds[self.last] = (label, kind)


def _behind(bounds: Bounds, head: bytes) -> Bounds | None:
    return bounds


def _unfit() -> Any:
    raise Unfit


def _tokens(values: Any) -> Iterator[str]:
    """How values that tables and conditions know may stand in a record."""
    for value in values:
        yield compact(value)
        if re.fullmatch(r"[1-9]\d{0,17}|0", value):
            yield value


def _spellings(name: str) -> Iterator[str]:
    """How the name of a client is usually written; what is written otherwise goes the long way."""
    yield from (name, name.capitalize(), name.upper(), "iOS" if name == "ios" else name)


def _trimmed(spec: Value, name: str) -> Node:
    if len(spec.before.encode()) > _LONGEST:
        raise Unfit
    return trimmed(name, spec.cut, spec.before)


_Found = tuple[str, Kind, list[tuple[Value, Node]]]


def _read(body: Body, system: str) -> _Found:
    """The label, the kind and the values of a body, each with its node. Raises Unfit."""
    if body.when is not None:
        raise Unfit
    found: _Found = _READERS.get(body.kind, _unfit_body)(body, system)
    for _, extra in body.extra or ():
        found[2].append((extra, unset(REFUSED, "null")))
    return found


def _unfit_body(body: Body, system: str) -> _Found:
    raise Unfit


_DERIVED = {"derived": ("transformed", "id to a derived number")}


def _text(body: Body, system: str) -> _Found:
    return "text", Kind(("text",), ("ext",), remarks=_DERIVED), [(body.fields["text"], text("text"))]


def _media(body: Body, system: str) -> _Found:
    url = body.fields["url"]
    values = [(url, _trimmed(url, "url") if url.cut or url.before else word("url"))]
    for name in ("name", "suffix", "md5"):
        if name in body.fields:
            values.append((body.fields[name], unset(text(name), *_NOTHING)))
    for name in ("size", "width", "height", "duration"):
        if name in body.fields:
            scale = UNITS.get(name, {}).get(body.fields[name].unit, 1)
            values.append((body.fields[name], unset(scaled(name, scale), *_NOTHING)))
    optional = ("ext", "name", "suffix", "md5", "size", "width", "height", "duration")
    is_file = body.kind == "file"
    needed = ("url", "name") if is_file else ("url",)
    return body.kind, Kind(needed, optional, ("name",) if is_file else (), _DERIVED), values


def _place(body: Body, system: str) -> _Found:
    if "title" not in body.fields:
        raise Unfit
    values = [(body.fields["title"], text("title"))]
    values += [(body.fields[name], string_or(degrees(name), decimal(name))) for name in ("longitude", "latitude")]
    return "place", Kind(("title", "longitude", "latitude"), ("ext",), remarks=_DERIVED), values


def _custom(body: Body, system: str) -> _Found:
    label, words, spec = body.label, body.words or system, body.fields["content"]
    if label in _RESERVED or not _WORD.fullmatch(label) or not _WORD.fullmatch(words) or words == "yunxin":
        raise Unfit
    whole = content("content")
    remarks: Table[str, tuple[str, str]] = _DERIVED
    if not body.words:
        remarks = {"content": ("transformed", f"{label} to a wrapped custom message"), **_DERIVED}
    node = string_or(json(whole) if spec.json else REFUSED, whole)
    return f"{label}:{words}", Kind(("content",), ("ext",), remarks=remarks), [(spec, node)]


_READERS: Table[str, Any] = {
    "text": _text,
    **dict.fromkeys(("image", "audio", "video", "file"), _media),
    "place": _place,
    "custom": _custom,
}
