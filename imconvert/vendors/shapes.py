"""Say what simple records look like and how their lines are written, as tables that the compiled part follows.

Plan: a vendor describes its usual records as a `Shape`, a tree from keys to fields, with the kinds of content it
takes; a target describes its lines as a `LineForm` for each kind and chat. `compiled.py` joins the two.
Promise: a table only ever takes what reading and writing the message would give the same; tests/test_native.py
compares. A record that fits no table takes the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from imconvert.model import EPOCH

FIELDS = (
    "kind", "chat", "msgid", "time", "client", "sender", "receiver", "member", "group", "source", "counter", "random",
    "wall", "echo-id", "echo-name", "ext", "other", "text", "url", "name", "suffix", "md5", "duration", "width",
    "height", "size", "title", "longitude", "latitude", "content", *(f"extra{number}" for number in range(16)),
)  # fmt: skip
"""The fields that a record can have, in the order of native/shape.h. `member` and `group` are the ends of a group
message where the vendor gives them names of their own; `other` is the second person of a notice; `extra` ones are
leftovers that the shape names. `source`, `counter` and `random` are there to be named by; `wall` is a wall clock in ms;
the echoes are what has to say the same as other fields."""

MENDINGS = ("IMC-3001", "IMC-3003", "IMC-3007", "IMC-3008", "IMC-3016")
"""The repairs that the compiled part knows, in the order of native/shape.h; the last two and the first two it does by
itself."""

Node = tuple[Any, ...]
Step = tuple[str, bytes, int, int, int]


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

    `alone` says that the number is all of a line's key; texts with one of the `guarded` characters of ASCII are left.
    `echoes` are fields that, where they are there, have to say the same as the steps.
    """

    space: str
    p2p: Steps
    team: Steps
    alone: bool = False
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


OPENINGS = ("json", "stamped", "form")
"""What a record is: JSON; JSON that may have a time like "2022/01/21 15:40:28" before it; a form, whose fields are told
as an object of strings."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The usual records of a vendor: the tree of keys, and the kinds by their numbers in the tree's choice "kind".

    The name of a kind is its word in reports; behind a colon the vendor whose content is to be wrapped, behind a plus a
    leftover that a text has beside it. `others` are kinds that are tried where a record lacks or exceeds the fields of
    the first of its number. With `wrapping` content is told by these steps.
    `extras` are the names, in order, of the leftovers extra0, extra1, ...; `client` is what all records have if they
    name none; `bare` ids must not hold an app or a resource, `numbered` groups have numbers from 1 as ids;
    `find_suffix` takes a file's suffix from its name or URL.
    `mark` is what all records have in them where a vendor has shapes beside its first. `behind(head)` is what a head
    means for its records; None leaves them. `naming` is for records without numbers, `order` is one of ORDERS,
    `opening` one of OPENINGS. With `group_first` a group comes before the receiver in a team's record, and means
    nothing in another's.
    With a `label`, even an empty one, a byte order mark and that word may stand before a record, and its time may be in
    seconds or microseconds; this is mended and counted.
    """

    tree: Node
    kinds: Mapping[int, tuple[str, Kind]]
    extras: tuple[str, ...] = ()
    client: int | None = None
    bare: bool = False
    numbered: bool = False
    find_suffix: bool = False
    mark: bytes = b""
    behind: Callable[[bytes], Bounds | None] = without_head
    naming: Naming | None = None
    order: str = "ms"
    group_first: bool = False
    opening: str = "json"
    wrapping: Steps = ()
    others: tuple[tuple[int, str, Kind], ...] = ()
    label: bytes | None = None


@dataclass(frozen=True, slots=True)
class LineForm:
    """How a target writes one kind of content in one chat: limits in characters by field, and the steps.

    `sorted_digest` says that the order of the keys in it means nothing, `own_digest` that it does so where only the
    target's own function knows, `named_by_url` that what has no name is called by the last part of its URL, which
    counts as a repair.
    A target with types of its own says which one it writes `into`. Then `needs`, `without` and `filled` are fields that
    must be there, must not be there, and must not be empty, beside what the kind says; `changes` and `repairs` are told
    of every record, `remarks` of those that have the field.
    """

    steps: tuple[Step, ...]
    limits: Mapping[str, int] = field(default_factory=dict)
    sorted_digest: bool = False
    own_digest: bool = False
    named_by_url: bool = False
    into: str = ""
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    repairs: tuple[str, ...] = ()
    remarks: Mapping[str, tuple[str, str]] = field(default_factory=dict)


LineForms = Callable[[str, int, tuple[str, ...]], LineForm | tuple[LineForm, ...] | None]
"""The form for a kind in a chat (0 p2p, 1 team), with the names of its extra fields, or several of which the first that
takes a record counts; None if there is none."""


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


def pair(between: str) -> Step:
    """Write the ids of sender and receiver, the lower one first."""
    return ("pair", between.encode(), 0, 0, 0)


def members(name: str, taken: str, *, text: bool = False, inside: bool = False) -> Step:
    """Write the members of an object, a comma behind each; refuse one that has a key `taken` somewhere. With `text`,
    write what is none as the member "ext", and refuse an object. With `inside` they stand in a string."""
    return ("members", f'"{taken}":'.encode(), number_of(name), 1 if text else 0, 1 if inside else 0)


def file_name(*, append: bool) -> Step:
    """Write the name, or else the last part of the URL. It must end with the suffix if there is one; with `append` it
    must not, and gets it."""
    return ("name", b"", number_of("name"), 1 if append else 0, 0)


def seconds(name: str, *, whole: bool) -> Step:
    """Write milliseconds as seconds; refuse them unless they are whole ones, or unless they aren't."""
    return ("seconds", b"", number_of(name), 0 if whole else 1, 0)


def past_seconds(name: str) -> Step:
    """Write milliseconds as seconds, rounded down."""
    return ("seconds", b"", number_of(name), 2, 0)


def in_second(name: str, times: int) -> Step:
    """Write the milliseconds of a time that are over the second, so many times."""
    return ("rest", b"", number_of(name), 0, times)


def key_number() -> Step:
    """Write the first 32 bits of the hash of the record's key as a number."""
    return ("key", b"", 0, 0, 0)


def suffix_among(words: Iterable[str], *, wanted: bool = True) -> Step:
    """Write nothing; refuse a suffix that is not among the words, or with `wanted` off one that is."""
    return ("among" if wanted else "other", ",".join(words).encode(), number_of("suffix"), 0, 0)


def strings(name: str, *, most: int, mixed: bool) -> Step:
    """Write an object of at most so many members with its values as strings, which all or, if `mixed`, not all are."""
    return ("strings", b"", number_of(name), 1 if mixed else 0, most)


def at_most(name: str, most: int) -> Step:
    """Write nothing; refuse a greater number."""
    return ("most", b"", number_of(name), 0, most)


def above(name: str, most: int) -> Step:
    """Write nothing; refuse a number that is not greater."""
    return ("above", b"", number_of(name), 0, most)


def suffix_told(*, told: bool) -> Step:
    """Write nothing; refuse a suffix that neither name nor URL has, or with `told` off anything else."""
    return ("told", b"", number_of("suffix"), 1 if told else 0, 0)


def lacks(name: str, data: str) -> Step:
    """Write nothing; refuse a field in which this stands somewhere."""
    return ("lacks", data.encode(), number_of(name), 0, 0)


def begins(name: str, *words: str) -> Step:
    """Write nothing; refuse a field that begins with none of these."""
    return ("begins", ",".join(words).encode(), number_of(name), 0, 0)


def hashed(name: str) -> Step:
    """Write the hash of a field, xxh3-128 in hexadecimal digits."""
    return ("hash", b"", number_of(name), 0, 0)
