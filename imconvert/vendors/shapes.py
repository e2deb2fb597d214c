"""Say what simple records look like and how their lines are written, as tables that the compiled part follows.

Plan: a vendor describes its usual records as a `Shape`, a tree from keys to fields, with the kinds of content it
takes; a target describes its lines as a `LineForm` for each kind and chat. `compiled.py` joins the two.
Promise: a table only ever takes what reading and writing the message would give the same; tests/convert/test_native.py
compares. A record that fits no table takes the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from imconvert.model import EPOCH
from imconvert.vendors.nodes import Node, number_of

Step = tuple[str, bytes, int, int, int]


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
    the first of its number. With `wrapping` content is told by these steps. In records of the kind `turned` the sender
    is the one whom `other` acts on; targets with types of their own tell them as all others do.
    `extras` are the names, in order, of the leftovers extra0, extra1, ...; `client` is what all records have if they
    name none; `bare` ids must not hold an app or a resource, `numbered` groups have numbers from 1 as ids;
    `find_suffix` takes a file's suffix from its name or URL.
    `mark` is what all records have in them where a vendor has shapes beside its first. `behind(head)` is what a head
    means for its records; None leaves them. `naming` is for records without numbers, `order` is one of ORDERS,
    `targets` one of TARGETS, `opening` one of OPENINGS, `kind` that of all records that name none, `ext` the extension
    of those that have none.
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
    targets: str = "as they are"
    opening: Opening = JSON
    kind: int | None = None
    ext: str = ""
    wrapping: Steps = ()
    others: tuple[tuple[int, str, Kind], ...] = ()
    turned: int = -1
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


def degrees(name: str) -> Step:
    """Write a text as a number with a decimal point; refuse what is no number in plain digits."""
    return ("degrees", b"", number_of(name), 0, 0)


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
