"""What a mapping file says, as records; `parse.py` makes them, the other modules compile them into functions."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
"""Keys of objects and indexes of arrays, from the record inwards; the empty path is the record as a whole."""

WHOLE = "$"
_BARE = re.compile(r'[^.\[\]"]+')
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"|(' + _BARE.pattern + ")", re.DOTALL)
_INDEX = re.compile(r"\[(-?\d+)\]")
UNSET: Any = type("Unset", (), {"__repr__": lambda self: "UNSET"})()


def path_of(text: str) -> Path | None:
    """A dotted path such as `content.items[0].url`, or None where it is none; keys with dots stand in quotes."""
    if text == WHOLE:
        return ()
    steps: list[str | int] = []
    place = 0
    while place < len(text):
        key = _KEY.match(text, place + (text[place] == "." and bool(steps)))
        index = _INDEX.match(text, place) if steps else None
        found = index or (key if not steps or text[place] == "." else None)
        if not found:
            return None
        steps.append(int(found[1]) if index else found[2] or re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL))
        place = found.end()
    return tuple(steps) or None


def shown(path: Path) -> str:
    """The path as text."""
    if not path:
        return WHOLE
    return "".join(f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in path).removeprefix(".")


def _key(step: str) -> str:
    """A key as it stands in a path: in quotes if it would be read as something else."""
    if _BARE.fullmatch(step) and step != WHOLE:
        return step
    return '"' + re.sub(r'(["\\])', r"\\\1", step) + '"'


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value comes from: the first of `paths` that is set, or `const`, or an `object` of values; and what is
    then done to it. `default` stands in where nothing is set; values in `unset` count as not set. `table` replaces
    values, `otherwise` those that it lacks; `cut` are beginnings to take away, `before` is put in front; `json` opens
    JSON text; `unit`, `format` and `zone` say how numbers and times are written.
    """

    paths: tuple[Path, ...] = ()
    const: Any = UNSET
    default: Any = UNSET
    table: Table[str, Any] | None = None
    otherwise: Any = UNSET
    unset: frozenset[str] = frozenset()
    cut: tuple[str, ...] = ()
    before: str = ""
    json: bool = False
    object: tuple[tuple[str, Value], ...] | None = None
    unit: str = ""
    format: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """How the files are built. `json` are the paths whose texts hold JSON."""

    format: str = "ndjson"
    array: str = ""
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    null: tuple[str, ...] = ()
    header: bool = True
    columns: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    encoding: str = "utf-8"
    multiline: bool = True
    json: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Chat:
    """How one-to-one and group messages are told apart: `always`; a table of a value; a prefix of the address; or else
    by which of receiver and group is set. `both` decides where both are."""

    always: str = ""
    value: Value | None = None
    table: Table[str, str] | None = None
    prefix: Table[str, str] | None = None
    keep: bool = False
    default: str = ""
    both: str = "reject"


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition: the value at the path is set and one of `values`; with no values that it is set."""

    value: Value
    values: frozenset[str] = frozenset()
    reason: str = ""
    of: Value | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """One part: what it is `as`, its fields, what else is kept, and the value that must be set for it to be there."""

    kind: str
    fields: Table[str, Value]
    extra: tuple[tuple[str, Value], ...] | None = None
    when: Value | None = None
    label: str = "custom"
    words: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a mapping for people: the noun that it makes, its fields, and the value that must be set for it to be
    there."""

    noun: str
    fields: Table[str, Value]
    when: Value | None = None


@dataclass(frozen=True, slots=True)
class PeopleMapping:
    """A whole mapping file for people and groups."""

    name: str
    input: Input
    sections: tuple[Section, ...]
    skips: tuple[Rule, ...] = ()
    ignore: tuple[Path, ...] = ()
    used: frozenset[Path] = field(default=frozenset())


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping file."""

    name: str
    input: Input
    id: Value | None
    id_from: tuple[Path, ...]
    time: Value
    sender: Value
    receiver: Value | None
    group: Value | None
    client: Value | None
    ext: Value | None
    chat: Chat
    kind: Value | None
    kinds: Table[str, tuple[str, ...]]
    kind_default: str
    bodies: Table[str, Body]
    skips: tuple[Rule, ...] = ()
    recalls: tuple[Rule, ...] = ()
    ignore: tuple[Path, ...] = ()
    used: frozenset[Path] = field(default=frozenset())
