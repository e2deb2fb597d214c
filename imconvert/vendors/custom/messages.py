"""Read the records of a self-built system as messages, by its mapping.

Strategy: the mapping is compiled once a reader; a record then goes through its closures: rules, chat, id, time, ends,
bodies. Whether it was a line, an element or a row is over once it is a dict.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from xxhash import xxh3_128_hexdigest

from imconvert.errors import Rejected
from imconvert.model import (
    CLIENTS,
    MAX_DEPTH,
    MAX_ID,
    UNKNOWN_CLIENT,
    Message,
    Notes,
    Part,
    Skip,
    depth_exceeds,
    derived_id,
)
from imconvert.vendors import lenient
from imconvert.vendors.contract import Read
from imconvert.vendors.custom import NAME, bodies, fields, rows, times
from imconvert.vendors.custom.fields import Compiler, Get, name_of, tree_of, watcher
from imconvert.vendors.custom.parse import plain
from imconvert.vendors.custom.spec import Chat, Mapping, PeopleMapping, Rule, Value
from imconvert.vendors.lenient import shown

"""The name of this source, by which ids are derived."""

Parse = Callable[[bytes], Any]
Ends = Callable[[Any], "tuple[Any, str] | Skip"]
Leave = Callable[[Any], "Skip | None"]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="sorted").encode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def reader(
    mapping: Mapping, notes: Notes, latest: int, head: str = "", fit: Callable[[Any], None] | None = None
) -> Read:
    """The function that reads one record. It raises Rejected with codes of the 2xxx family, and what `fit` raises."""
    table = mapping.input.format == "csv"
    tree = tree_of([*mapping.used, *mapping.ignore])
    make = Compiler(mapping.input.json, tree, notes, mapping.name)
    watch = None if table else watcher(tree, (), make.inner, notes)
    parse = record_parser(mapping, notes, head, watch)
    leave = _leaver(mapping, make)
    ends: Any = _ends(mapping, make)
    identity = _identity(mapping, make, notes)
    when, at = make.value(mapping.time), times.reader(mapping.time, latest, notes)
    who, sender = make.value(mapping.sender), name_of(mapping.sender)
    client, ext = _client(mapping.client, make, notes), _ext(mapping.ext, make)
    parts = _parts(mapping, make, notes)
    time_name = name_of(mapping.time)

    def read(raw: bytes) -> Message | Skip:
        record = parse(raw)
        if record.__class__ is Skip:
            return record
        if fit:
            fit(record)
        left = leave(record) if leave else None
        if left is not None:
            return left
        where = ends(record)
        if where.__class__ is Skip:
            return where
        moment = when(record)
        if moment is None or moment == "":
            raise Rejected("IMC-2101", field=time_name)
        body = parts(record)
        if body.__class__ is Skip:
            return body
        source, msgid = identity(record)
        return Message(
            source, msgid, at(moment), where[0], fields.word(who(record), sender), where[1], client(record), body,
            ext(record) if ext else None,
        )  # fmt: skip

    return read


def record_parser(
    mapping: Mapping | PeopleMapping, notes: Notes, head: str, watch: Callable[[dict[str, Any]], None] | None
) -> Parse:
    """The function from raw bytes to a record, or to a skip where they are none."""
    if mapping.input.format == "csv":
        ignored = frozenset(str(path[0]) for path in mapping.ignore)
        return rows.reader(mapping.input, head, (_columns(mapping), ignored), notes)
    return _objects(notes, watch)


def _columns(mapping: Mapping | PeopleMapping) -> frozenset[str]:
    """The columns that the mapping needs."""
    return frozenset(str(path[0]) for path in mapping.used if path)


def _objects(notes: Notes, watch: Callable[[dict[str, Any]], None] | None) -> Parse:
    def parse(raw: bytes) -> Any:
        if depth_exceeds(raw):
            raise Rejected("IMC-2004", limit=MAX_DEPTH)
        try:
            found = _decode(raw)
        except _REFUSED:
            found = None
        if found.__class__ is not dict:
            found = lenient.parse(raw.rstrip(b" \t\r\n,"), notes)
        if watch:
            watch(found)
        return found

    return parse


def _identity(mapping: Mapping, make: Compiler, notes: Notes) -> Callable[[Any], tuple[str, int]]:
    """The id of a record, as it stands there and as a number; the latter derived where the former is none."""
    if mapping.id is None:
        return _derived([make.path(path) for path in mapping.id_from], notes)
    get, name = make.value(mapping.id), name_of(mapping.id)

    def identity(record: Any) -> tuple[str, int]:
        source = fields.word(get(record), name)
        if source.isascii() and source.isdigit() and source[0] != "0" and len(source) < 20:
            number = int(source)
            if number <= MAX_ID:
                return source, number
        notes.changes.append(("transformed", "id to a derived number"))
        return source, derived_id(NAME, source)

    return identity


def _derived(getters: list[Get], notes: Notes) -> Callable[[Any], tuple[str, int]]:
    """An id of the values that make a record what it is; equal ones are the same message."""

    def identity(record: Any) -> tuple[str, int]:
        found = [get(record) for get in getters]
        if all(value is None for value in found):
            raise Rejected("IMC-2101", field="id.from")
        source = xxh3_128_hexdigest(_encode(found))
        notes.changes.append(("transformed", "id derived from other fields"))
        return source, derived_id(NAME, source)

    return identity


def _ends(mapping: Mapping, make: Compiler) -> Ends:
    """The function that tells chat and target; it raises Rejected (IMC-2101, IMC-2105, IMC-2445)."""
    chat = mapping.chat
    receiver, group = (make.value(spec) if spec else None for spec in (mapping.receiver, mapping.group))
    if chat.prefix is not None:
        return _by_prefix(chat, mapping, receiver or group)
    if chat.always or chat.table is not None:
        return _by_word(chat, mapping, make, {"p2p": receiver or group, "team": group or receiver})
    assert receiver and group
    return _by_field(chat, receiver, group)


def _by_field(chat: Chat, receiver: Get, group: Get) -> Ends:
    both = chat.both

    def ends(record: Any) -> tuple[Any, str] | Skip:
        to, team = receiver(record), group(record)
        if team is None or team == "":
            if to is None or to == "":
                raise Rejected("IMC-2445", why="neither receiver nor group is set")
            return "p2p", fields.word(to, "receiver")
        if to is not None and to != "" and both != "group":
            if both == "reject":
                raise Rejected("IMC-2105")
            return "p2p", fields.word(to, "receiver")
        return "team", fields.word(team, "group")

    return ends


def _by_word(chat: Chat, mapping: Mapping, make: Compiler, gets: dict[str, Get | None]) -> Ends:
    value = make.value(chat.value) if chat.value else None
    table, default = dict(chat.table or {}), chat.default
    name = name_of(chat.value) if chat.value else ""
    names = {
        "p2p": name_of(mapping.receiver or mapping.group or Value()),
        "team": name_of(mapping.group or mapping.receiver or Value()),
    }

    def ends(record: Any) -> tuple[Any, str] | Skip:
        kind = chat.always
        if value is not None:
            found = value(record)
            kind = table.get(found if found.__class__ is str else plain(found), default)
            if not kind:
                make.notes.novel.append(("value", f"{name}={shown(found)}"))
                raise Rejected("IMC-2445", why=f"[chat] has no {name} = {shown(found)}")
        get = gets.get(kind)
        if get is None:
            return _no_chat(kind)
        return kind, fields.word(get(record), names[kind])

    return ends


def _by_prefix(chat: Chat, mapping: Mapping, address: Get | None) -> Ends:
    prefixes = sorted((chat.prefix or {}).items(), key=lambda item: -len(item[0]))
    name = name_of(mapping.receiver or mapping.group or Value())
    assert address

    def ends(record: Any) -> tuple[Any, str] | Skip:
        found = fields.word(address(record), name)
        for prefix, kind in prefixes:
            if found.startswith(prefix):
                rest = found if chat.keep else found[len(prefix) :]
                return (kind, fields.word(rest, name)) if kind in ("p2p", "team") else _no_chat(kind)
        if not chat.default:
            raise Rejected("IMC-2445", why=f"{name} = {shown(found)} begins with none of the prefixes")
        return (chat.default, found) if chat.default in ("p2p", "team") else _no_chat(chat.default)

    return ends


def _no_chat(kind: str) -> Skip:
    return Skip("IMC-8103", {}) if kind == "chatroom" else Skip("IMC-8131", {"rule": "[chat] says skip"})


def _client(spec: Value | None, make: Compiler, notes: Notes) -> Callable[[Any], int]:
    """The number of the client; a name or number that nobody knows is noted."""
    if spec is None:
        return lambda record: UNKNOWN_CLIENT
    get, name = make.value(spec), name_of(spec)
    known = {**CLIENTS, **{str(number): number for number in CLIENTS.values()}}

    def client(record: Any) -> int:
        value = get(record)
        found = known.get(value.lower() if value.__class__ is str else plain(value))
        if found is None:
            notes.repairs.append("IMC-3013")
            if value is not None and value != "":
                notes.novel.append(("value", f"{name}={shown(value)}"))
            return UNKNOWN_CLIENT
        return found

    return client


def _ext(spec: Value | None, make: Compiler) -> Callable[[Any], str | None] | None:
    """The app's extension as text; objects and arrays as compact JSON."""
    if spec is None:
        return None
    get = make.value(spec)

    def ext(record: Any) -> str | None:
        value = get(record)
        if value is None or value == "":
            return None
        return value if value.__class__ is str else lenient.compact(value)

    return ext


def _parts(mapping: Mapping, make: Compiler, notes: Notes) -> Callable[[Any], Any]:
    """The function that makes the parts of a message, or a skip. It raises Rejected (IMC-21xx, IMC-2444)."""
    readers = {name: bodies.reader(body, make, notes) for name, body in mapping.bodies.items()}
    one_each = {name: _all_of([read]) for name, read in readers.items()}
    default = _outcome(mapping.kind_default, one_each)
    if mapping.kind is None:
        return default or one_each[mapping.kind_default]
    get, name = make.value(mapping.kind), name_of(mapping.kind)
    table = {
        key: _outcome(names[0], one_each) if len(names) == 1 else _all_of([readers[n] for n in names if n in readers])
        for key, names in mapping.kinds.items()
    }

    def parts(record: Any) -> Any:
        kind = get(record)
        read = table.get(kind if kind.__class__ is str else plain(kind)) if kind is not None else default
        if read is None:
            notes.novel.append(("type", f"{name}={shown(kind)}"))
            read = default
            if read is None:
                raise Rejected("IMC-2444", field=name, found=shown(kind))
        return read(record)

    return parts


def _outcome(name: str, readers: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any] | None:
    """What a name of [kind] stands for: a body, a skip, or None, which is a reject."""
    if name in readers:
        return readers[name]
    return (lambda record: Skip("IMC-8131", {"rule": "[kind] says skip"})) if name == "skip" else None


def _all_of(readers: list[bodies.ReadPart]) -> Callable[[Any], tuple[Part, ...]]:
    if len(readers) == 1:
        read = readers[0]

    def several(record: Any) -> tuple[Part, ...]:
        found = tuple([part for read in readers if (part := read(record)) is not None])
        if not found:
            raise Rejected("IMC-2110")
        return found

    def single(record: Any) -> tuple[Part, ...]:
        part = read(record)
        if part is None:
            raise Rejected("IMC-2110")
        return (part,)

    return single if len(readers) == 1 else several


def _leaver(mapping: Mapping, make: Compiler) -> Leave | None:
    """The function that says whether a record is left out: a rule to skip it, or a recall; None without rules."""
    tests = [(holds(rule, make), skipped(rule)) for rule in mapping.skips]
    tests += [(holds(rule, make), _recalled(rule, mapping, make)) for rule in mapping.recalls]
    if not tests:
        return None

    def leave(record: Any) -> Skip | None:
        for holds, outcome in tests:
            if holds(record):
                return outcome(record)
        return None

    return leave


def holds(rule: Rule, make: Compiler) -> Callable[[Any], bool]:
    """The function that says whether a rule is about a record."""
    get, values = make.value(rule.value), rule.values
    if not values:
        return lambda record: get(record) not in (None, "", False)
    known = values | {int(value) for value in values if re.fullmatch(r"-?[1-9]\d{0,17}|0", value)}

    def is_one(record: Any) -> bool:
        value = get(record)
        if value.__class__ is str or value.__class__ is int:
            return value in known
        return value is not None and plain(value) in values

    return is_one


def skipped(rule: Rule) -> Callable[[Any], Skip]:
    """What becomes of a record that a rule to skip it is about."""
    told = f"{name_of(rule.value)} is " + (" or ".join(sorted(rule.values)) if rule.values else "set")
    skip = Skip("IMC-8131", {"rule": rule.reason or told})
    return lambda record: skip


def _recalled(rule: Rule, mapping: Mapping, make: Compiler) -> Callable[[Any], Skip]:
    """A recall of the message that `of` names, or of the record itself."""
    spec = rule.of or mapping.id
    get = make.value(spec) if spec else None

    def recalled(record: Any) -> Skip:
        of = get(record) if get else None
        return Skip("IMC-8102", {"event": "recall", "of": plain(of) if of not in (None, "") else "unknown"})

    return recalled
