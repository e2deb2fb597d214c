"""Say what simple records look like and how their lines are written, as tables that the compiled part follows.

Plan: a vendor describes its usual records as a `Shape`, a tree from keys to fields, with the kinds of content it
takes; a target describes its lines as a `LineForm` for each kind and chat. `through` joins the two into a shortcut.
Promise: a table only ever takes what reading and writing the message would give the same; tests/test_native.py
compares. A record that fits no table takes the long way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec.json import encode
from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert import native
from imconvert.model import EPOCH
from imconvert.vendors import values
from imconvert.vendors.contract import NOT_PLAIN, Book, Plain, Shortcut, Taken

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

Node = tuple[Any, ...]
Step = tuple[str, bytes, int, int, int]


def number_of(name: str) -> int:
    """The number of a field."""
    return FIELDS.index(name)


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


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of content: what a record of it must have and may have, and what has to be remarked if a field is there.

    `filled` are fields that must not be empty; `remarks` are pairs (outcome, field) for the fidelity table.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    remarks: Mapping[str, tuple[str, str]] = field(default_factory=dict)


Steps = tuple[tuple[str, bytes, int, int], ...]


def said(text: str) -> Steps:
    """These words."""
    return (("literal", text.encode(), 0, 0),)


def told(name: str) -> Steps:
    """What a field says."""
    return (("field", b"", number_of(name), 0),)


def in_order(name: str, other: str, between: str) -> Steps:
    """What two fields say, the lower text first."""
    one, two = number_of(name), number_of(other)
    return (("low", b"", one, two), *said(between), ("high", b"", one, two))


@dataclass(frozen=True, slots=True)
class Naming:
    """How records that have no numbers are named: the steps for each chat, and the name space of their numbers.

    `alone` says that the number is all of a line's key, `numbers` that a source id that is a number is taken as it is.
    Texts with one of the `guarded` characters of ASCII are left. `echoes` are fields that, where they are there, have
    to say the same as the steps.
    """

    space: str
    p2p: Steps
    team: Steps
    alone: bool = False
    numbers: bool = False
    guarded: str = ""
    echoes: Mapping[str, Steps] = field(default_factory=dict)


class Bounds(NamedTuple):
    """What the head of a file says about its records: from when to when they are, by which clock, and of which group.

    Bounds are those of the wall clock in ms where a record has one, which then is `offset` ms ahead; else those of the
    time as it stands in the record. The group is that of records that name neither a group nor a receiver.
    """

    first: int = -(1 << 63)
    stop: int = (1 << 63) - 1
    offset: int = 0
    clock: tuple[str, str] = EPOCH
    group: str | None = None


FREE = Bounds()


def without_head(head: bytes) -> Bounds | None:
    """Only records that no head says anything about."""
    return None if head else FREE


def whatever_head(head: bytes) -> Bounds | None:
    """Records about which a head has nothing to say."""
    return FREE


ORDERS = ("ms", "counter", "imported", "none")
"""What a time is: ms; or seconds, whose ms are `counter` modulo 1000, or its millionth part where it is an imported
message's, or none."""


OPENINGS = ("json", "stamped", "form", "row")
"""What a record is: JSON; JSON that may have a time like "2022/01/21 15:40:28" before it; a form, whose fields are told
as an object of strings; a row of a table, whose values are told as an array of strings."""


class Opening(NamedTuple):
    """One of OPENINGS; of a row the signs, none or one byte each, and the values that are none and become null."""

    what: str
    delimiter: bytes = b""
    quote: bytes = b""
    escape: bytes = b""
    nulls: tuple[bytes, ...] = ()


JSON = Opening("json")

TARGETS = ("as they are", "group first", "apart")
"""How receiver and group are told apart: by which of them is there; a group comes before the receiver in a team's
record, and means nothing in another's; the same, and a team's record has to have one."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The usual records of a vendor: the tree of keys, and the kinds by their numbers in the tree's choice "kind".

    The name of a kind is its word in reports; behind a colon the vendor whose content is to be wrapped, behind a plus a
    leftover that a text has beside it. `others` are kinds that are tried where a record lacks or exceeds the fields of
    the first of its number. With `wrapping` content is told by these steps.
    `extras` are the names, in order, of the leftovers extra0, extra1, ...; `client` is what all records have if they
    name none; `bare` ids must not hold an app or a resource; `find_suffix` takes a file's suffix from its name or URL.
    `mark` is what all records have in them where a vendor has shapes beside its first. `behind(head)` is what a head
    means for its records; None leaves them. `naming` is for records without numbers, `order` is one of ORDERS,
    `targets` one of TARGETS, `kind` that of all records that name none, `ext` the extension of those that have
    none.
    """

    tree: Node
    kinds: Mapping[int, tuple[str, Kind]]
    extras: tuple[str, ...] = ()
    client: int | None = None
    bare: bool = False
    find_suffix: bool = False
    mark: bytes = b""
    behind: Callable[[bytes], Bounds | None] = without_head
    naming: Naming | None = None
    order: str = "ms"
    targets: str = "as they are"
    opening: Opening = JSON
    kind: int | None = None
    ext: str = ""
    wrapping: Steps = ()
    others: tuple[tuple[int, str, Kind], ...] = ()


@dataclass(frozen=True, slots=True)
class LineForm:
    """How a target writes one kind of content in one chat: limits in characters by field, and the steps.

    `sorted_digest` says that the order of the keys in it means nothing.
    """

    steps: tuple[Step, ...]
    limits: Mapping[str, int] = field(default_factory=dict)
    sorted_digest: bool = False


LineForms = Callable[[str, int, tuple[str, ...]], LineForm | None]
"""The form for a kind in a chat (0 p2p, 1 team), with the names of its extra fields; None if there is none."""


def literal(data: str) -> Step:
    """Write this."""
    return ("literal", data.encode(), 0, 0, 0)


def put(name: str, *, layers: int = 0) -> Step:
    """Write a field, as a string within `layers` - 1 strings if it's not 0."""
    return ("put", b"", number_of(name), layers, 0)


def maybe(before: str, name: str, *, layers: int = 0) -> Step:
    """Write `before` and a field, if the field is there and not empty."""
    return ("maybe", before.encode(), number_of(name), layers, 0)


def opened(data: str) -> Step:
    """Write this; the members that follow are parted by commas."""
    return ("open", data.encode(), 0, 0, 0)


def member(before: str, name: str, *, layers: int = 0) -> Step:
    """Write `before` and a field, if the field is there."""
    return ("member", before.encode(), number_of(name), layers, 0)


def as_it_is(before: str, name: str) -> Step:
    """Write `before` and a field, if the field is there, as a JSON value within a string, its keys as they stand."""
    return ("member", before.encode(), number_of(name), 4, 0)


def any_member(before: str, name: str) -> Step:
    """Write `before` and a field, if the field is there, as a JSON value within a string."""
    return ("member", before.encode(), number_of(name), 3, 0)


def closed(data: str, *, most: int) -> Step:
    """Write this, unless what was opened is then longer than `most` bytes."""
    return ("close", data.encode(), 0, 0, most)


def through(
    shape: Shape,
    forms: LineForms,
    *,
    books: tuple[Book, Book],
    latest: int,
    digest_of: Callable[[bytes], bytes],
    plain: Plain = NOT_PLAIN,
) -> Shortcut | None:
    """The compiled shortcut from a shape to a target's lines; None where the compiled part isn't built.

    `books` are those of accounts and groups, `digest_of` and `plain` are the target's own. A map comes before `plain`.
    """
    if not native.BUILT:
        return None
    accounts, groups = books
    kinds = (*((number, *found) for number, found in shape.kinds.items()), *shape.others)
    rows = [row for number, label, kind in kinds for row in _rows(shape, number, label, kind, forms)]
    allowed, longest = NOT_PLAIN if accounts.map else plain
    taker = native.Through(
        shape=shape.tree,
        forms=tuple(row.form for row in rows),
        accounts=accounts,
        learn_account=accounts.learn,
        groups=groups,
        learn_group=groups.learn,
        hashed=xxh3_128_digest,
        digest=xxh3_64_digest,
        sorted_digest=digest_of,
        defaults=tuple(_defaults(shape)),
        earliest=values.EARLIEST,
        latest=latest,
        bare=shape.bare,
        find_suffix=shape.find_suffix,
        plain_account=allowed,
        longest_account=longest,
        naming=_naming(shape.naming) if shape.naming else None,
        order=ORDERS.index(shape.order),
        opening=_opening(shape.opening),
        targets=TARGETS.index(shape.targets),
        wrapping=shape.wrapping,
    )

    def take(batch: Any, streams: Any, otherwise: Any) -> list[Taken]:
        return [
            Taken(rows[row].word, rows[row].changes(seen), count, first)
            for row, seen, count, first in taker.take(batch, streams, otherwise)
        ]

    def behind(head: bytes) -> tuple[str, str] | None:
        bounds = shape.behind(head)
        if bounds is None:
            return None
        group = None if bounds.group is None else encode(bounds.group)[1:-1]
        taker.behind(bounds.first, bounds.stop, bounds.offset, group)
        return bounds.clock

    return Shortcut(take, native.Columns, splits=True, behind=behind)


def _defaults(shape: Shape) -> Iterable[tuple[int, int, bytes]]:
    """What records have that don't say so: the field, how many strings it is escaped for, and what it is."""
    if shape.client is not None:
        yield number_of("client"), 0, b"%d" % shape.client
    if shape.kind is not None:
        yield number_of("kind"), 0, bytes([shape.kind])
    if shape.ext:
        yield number_of("ext"), 1, encode(shape.ext)[1:-1]


def _opening(found: Opening) -> tuple[Any, ...]:
    signs = (sign[0] if sign else 0 for sign in (found.delimiter, found.quote, found.escape))
    return (OPENINGS.index(found.what), *signs, found.nulls)


def _naming(found: Naming) -> tuple[Any, ...]:
    echoes = tuple((number_of(name), steps) for name, steps in found.echoes.items())
    return (
        found.space.encode(),
        found.alone,
        found.numbers,
        f"\\{found.guarded}".encode(),
        (found.p2p, found.team),
        echoes,
    )


class _Row(NamedTuple):
    """A form as the compiled part takes it, with its word in reports, and what is to be remarked for which fields."""

    word: str
    remarks: tuple[tuple[int, tuple[str, str]], ...]
    form: tuple[Any, ...]

    def changes(self, seen: int) -> tuple[tuple[str, str], ...]:
        return tuple(dict.fromkeys(change for mask, change in self.remarks if seen & mask))


def _rows(shape: Shape, number: int, label: str, kind: Kind, forms: LineForms) -> Iterable[_Row]:
    given = (*kind.required, *kind.optional, *(("suffix",) if shape.find_suffix else ()))
    remarks = tuple((mask_of([name]), change) for name, change in kind.remarks.items())
    for chat in (0, 1):
        form = forms(label, chat, shape.extras)
        if form:
            limits = tuple((number_of(name), most) for name, most in form.limits.items())
            masks = map(mask_of, (kind.required, given, kind.filled, kind.remarks))
            found = (number, chat, *masks, form.sorted_digest, limits, form.steps)
            yield _Row(re.split("[:+]", label)[0], remarks, found)
