"""Whom and which groups the lines of an output are about: what they make, and what has to be there for them.

Strategy: a table says for each call where in it ids stand. A place is a path in the body (`AccountList[].UserID`,
`[].username`), or a part of the line's head: `@conv`, or `@id` and `@other` of its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from imconvert.vendors.people.lines import key_in

ACCOUNT, GROUP = "account", "group"


class Mention(NamedTuple):
    """An id in a line: of an account or a group, which the call makes, or else needs."""

    kind: str
    id: str
    makes: bool = False


class Place(NamedTuple):
    """Where ids of a kind stand in the lines of a call."""

    path: str
    kind: str = ACCOUNT
    makes: bool = False


class _Line(Struct, gc=False):
    api: str
    body: Raw
    conv: str = ""
    key: str = ""


_line = msgspec.json.Decoder(_Line).decode
_decode = msgspec.json.Decoder().decode
MentionsOf = Callable[[bytes], list[Mention]]


def mentions_by(table: Mapping[str, Sequence[Place]]) -> MentionsOf:
    """The function from a line to its mentions; calls that stand not in the table have none."""
    steps = {api: [(place, _steps(place.path)) for place in places] for api, places in table.items()}

    def mentions(data: bytes) -> list[Mention]:
        line = _line(data)
        places = steps.get(line.api)
        if not places:
            return []
        body = _decode(line.body)
        return [
            Mention(place.kind, found, place.makes)
            for place, path in places
            for found in (_in_head(line, place.path) if place.path[0] == "@" else _in_body(body, path))
        ]

    return mentions


def _steps(path: str) -> list[str]:
    """The steps of a path; an empty one goes through all items of a list."""
    return [step for part in path.split(".") for step in ([part[:-2], ""] if part.endswith("[]") else [part])][
        path.startswith("[]") :
    ]


def _in_head(line: _Line, path: str) -> Iterator[str]:
    if path == "@conv":
        found = line.conv
    else:
        key = key_in(line.key)
        found = key.id if path == "@id" else key.other
    if found:
        yield found


def _in_body(value: Any, path: Sequence[str]) -> Iterator[str]:
    if not path:
        if value not in (None, ""):
            yield str(value)
        return
    step, rest = path[0], path[1:]
    if step:
        if isinstance(value, dict) and step in value:
            yield from _in_body(value[step], rest)
    elif isinstance(value, list):
        for item in value:
            yield from _in_body(item, rest)
