"""The nodes of a shape: words for what may stand in a record, as the tables that the compiled part reads records by.

Promise: a node only takes what the reader of its vendor takes for the same; all else makes the record go the long way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

FIELDS = (
    "kind", "chat", "msgid", "time", "client", "sender", "receiver", "member", "group", "source", "counter", "random",
    "wall", "echo-id", "echo-name", "derived", "ext", "other", "text", "url", "name", "suffix", "md5", "duration",
    "width", "height", "size", "title", "longitude", "latitude", "content",
    *(f"extra{number}" for number in range(16)),
)  # fmt: skip
"""The fields that a record can have, in the order of native/shape.h. `member` and `group` are the ends of a group
message where the vendor gives them names of their own; `other` is the second person of a notice; `extra` ones are
leftovers that the shape names. `source`, `counter` and `random` are there to be named by; `wall` is a wall clock in ms;
the echoes are what has to say the same as other fields; `derived` is there where a number was made of a name."""

MENDINGS = ("IMC-3001", "IMC-3003", "IMC-3007", "IMC-3008", "IMC-3016")
"""The repairs that the compiled part knows, in the order of native/shape.h; the last two and the first two it does by
itself."""

Node = tuple[Any, ...]


_NUMBERS = {name: number for number, name in enumerate(FIELDS)}


def number_of(name: str) -> int:
    """The number of a field."""
    return _NUMBERS[name]


def mask_of(names: Iterable[str]) -> int:
    """Fields as bits."""
    return sum(1 << number_of(name) for name in set(names))


def record(**members: Node) -> Node:
    """An object with these keys and no other, none of them twice; `from_` stands for the key "from"."""
    return record_of({name.removesuffix("_"): node for name, node in members.items()})


def record_of(members: Mapping[str, Node]) -> Node:
    """An object with these keys and no other, none of them twice."""
    return ("object", *((name.encode(), node) for name, node in members.items()))


def whole(**members: Node) -> Node:
    """An object with all of these keys and no other."""
    return ("whole", *record(**members)[1:])


def only(node: Node) -> Node:
    """An array of one element."""
    return ("only", node)


def text(name: str) -> Node:
    """A string."""
    return ("text", number_of(name))


def some_text(name: str) -> Node:
    """A string; an empty one says nothing."""
    return ("some-text", number_of(name))


def word(name: str) -> Node:
    """A string that begins and ends with visible ASCII and has nothing escaped in it."""
    return ("word", number_of(name))


def number(name: str, *, zeros: int = 0) -> Node:
    """A whole number from 0, written with `zeros` more digits: 3 make seconds milliseconds."""
    return ("number", number_of(name), zeros)


def some_number(name: str) -> Node:
    """A whole number from 0; 0 says nothing."""
    return ("some-number", number_of(name))


def without(name: str, refused: str) -> Node:
    """A string with nothing escaped in it, and none of these characters of ASCII."""
    return ("without", number_of(name), refused.encode())


def suffix(name: str) -> Node:
    """A string of 1 to 8 letters and digits of ASCII, which become lower case."""
    return ("suffix", number_of(name))


def wall_clock(name: str) -> Node:
    """A string like "2022-01-21 15:40:28.920", from 1970 on, which becomes ms as if it were UTC."""
    return ("wall", number_of(name))


def identity(name: str) -> Node:
    """A string that is not empty, or a whole number as one."""
    return ("id", number_of(name))


def trimmed(name: str, cut: Iterable[str], before: str) -> Node:
    """The same without the first of these beginnings that it has, and with `before` in front if it is no URL."""
    beginnings = ((beginning.encode(), b"") for beginning in cut)
    return ("trimmed", number_of(name), before.encode(), *beginnings)


def scaled(name: str, times: int, by: int = 1) -> Node:
    """A number from 0, times and by something: a rest is cut off, but a fraction of the number has to come out even.

    It may stand in a string if it is whole.
    """
    return ("scaled", number_of(name), times, by)


def degrees(name: str) -> Node:
    """A string of up to three digits and a fraction, with or without a minus."""
    return ("degrees", number_of(name))


def clock(name: str, signs: str, *, own: bool, zone: tuple[tuple[int, int, int], ...]) -> Node:
    """A clock such as "2024-01-31 08:00:00", one of the signs between date and time, which becomes ms since 1970.

    It may have a fraction of 3 or 6 digits, and tell its `own` offset; else that of the `zone` is taken, which is told
    by intervals of wall clocks in ms (from, to, ms ahead of UTC).
    """
    return ("clock", number_of(name), f"{own:d}{signs}".encode(), zone)


def unset(node: Node, *tokens: str) -> Node:
    """A value that says nothing if it is one of these JSON tokens."""
    return ("unset", node, *((token.encode(), b"") for token in tokens))


def unless(*tokens: str) -> Node:
    """A string with nothing escaped in it, a whole number from 0 or null, but none of these JSON tokens."""
    return ("unless", *((token.encode(), b"") for token in tokens))


def items(*nodes: Node) -> Node:
    """An array whose first elements are read by these nodes; further ones say nothing, and there may be less."""
    return ("items", *nodes)


def row(*nodes: Node) -> Node:
    """An array of just as many elements."""
    return ("row", *nodes)


def digits(name: str) -> Node:
    """A whole number from 0 in a string, without leading zeros."""
    return ("digits", number_of(name))


def decimal(name: str) -> Node:
    """A number that becomes a string of the same digits."""
    return ("decimal", number_of(name))


def choice(name: str, tokens: Mapping[str, str | int | None]) -> Node:
    """One of these JSON tokens, each with what it means: text, for kinds and chats a number below 256, or nothing."""
    return ("choice", number_of(name), *((token.encode(), _meaning(value)) for token, value in tokens.items()))


def _meaning(value: str | int | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value if value is None else bytes([value])


def among(*tokens: str) -> Node:
    """One of these JSON tokens, which says nothing."""
    return ("among", *((token.encode(), b"") for token in tokens))


def json(node: Node) -> Node:
    """A string that holds JSON; an empty one says nothing."""
    return ("json", node)


def content(name: str) -> Node:
    """Any object, as it is."""
    return ("content", number_of(name))


def extension(name: str) -> Node:
    """An object of the app's own; an empty one, or null, says nothing."""
    return ("extension", number_of(name))


def kept(name: str, node: Node) -> Node:
    """A value that is read by `node`, and kept as it is beside that."""
    return ("kept", number_of(name), node)


def mended(code: str, node: Node) -> Node:
    """A value that is read by `node` only because something is forgiven, which counts as this repair."""
    return ("mended", MENDINGS.index(code), node)


def anything(name: str) -> Node:
    """Any value, as it is."""
    return ("anything", number_of(name))


def class_name(name: str, kinds: Mapping[str, int], *, other: int | None = None, refused: str = "") -> Node:
    """A name of a kind of content, which is kept. Others that don't begin with `refused` are of kind `other`."""
    fallback = (b"", b"" if other is None else bytes([other]))
    rows = ((name.encode(), bytes([kind])) for name, kind in kinds.items())
    return ("class", number_of(name), refused.encode(), fallback, *rows)


def by_kind(nodes: Mapping[int, Node]) -> Node:
    """A value that is read by the node for the record's kind, which stands before it or in the same object."""
    return ("by-kind", *((bytes([kind]), node) for kind, node in nodes.items()))


def pick(name: str, node: Node) -> Node:
    """An array of objects read by `node`, of which exactly one is of kind 1; the others, if any, are kept together."""
    return ("pick", number_of(name), node)


def string_or(string: Node, other: Node) -> Node:
    """One node for strings, another for anything else."""
    return ("either", string, other)


IGNORED: Node = ("ignored",)
"""A string that says nothing."""

UNREAD: Node = ("unread",)
"""Any value; it says nothing."""

REFUSED: Node = ("refused",)
"""A key whose records go the long way."""
