"""Say what simple records look like and how their lines are written, as tables that the compiled part follows.

Plan: a vendor describes its usual records as a `Shape`, a tree from keys to fields, with the kinds of content it
takes; a target describes its lines as a `LineForm` for each kind and chat. `through` joins the two into a shortcut.
Promise: a table only ever takes what reading and writing the message would give the same; tests/test_native.py
compares. A record that fits no table takes the long way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert import native
from imconvert.vendors import values
from imconvert.vendors.contract import NOT_PLAIN, Book, Plain, Shortcut, Taken
from imconvert.vendors.wrapping import is_of_lines

FIELDS = (
    "kind", "chat", "msgid", "time", "client", "sender", "receiver", "member", "group", "ext", "other", "text", "url",
    "name", "suffix", "md5", "duration", "width", "height", "size", "title", "longitude", "latitude", "content",
    "extra0", "extra1", "extra2", "extra3", "extra4", "extra5", "extra6", "extra7",
)  # fmt: skip
"""The fields that a record can have, in the order of native/shape.h. `member` and `group` are the ends of a group
message where the vendor gives them names of their own; `other` is the second person of a notice; `extra` ones are
leftovers that the shape names."""

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


def digits(name: str) -> Node:
    """A whole number from 0 in a string, without leading zeros."""
    return ("digits", number_of(name))


def decimal(name: str) -> Node:
    """A number that becomes a string of the same digits."""
    return ("decimal", number_of(name))


def choice(name: str, tokens: Mapping[str, str | int]) -> Node:
    """One of these JSON tokens, each with what it means: text, or for kinds and chats a number below 256."""
    pairs = ((token, bytes([value]) if isinstance(value, int) else value.encode()) for token, value in tokens.items())
    return ("choice", number_of(name), *((token.encode(), value) for token, value in pairs))


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


@dataclass(frozen=True, slots=True)
class Shape:
    """The usual records of a vendor: the tree of keys, and the kinds by their numbers in the tree's choice "kind".

    The name of a kind is its word in reports, with more behind a colon where the target's forms differ.
    `extras` are the names, in order, of the leftovers extra0, extra1, ...; `client` is what all records have if they
    name none; `bare` ids must not hold an app or a resource; `find_suffix` takes a file's suffix from its name or URL.
    `mark` is what all records have in them where a vendor has shapes beside its first; `any_head` says that what stands
    in their document before its array says nothing about those that fit.
    With a `label`, even an empty one, a byte order mark and that word may stand before a record, and its time may be in
    seconds or microseconds; this is mended and counted.
    """

    tree: Node
    kinds: Mapping[int, tuple[str, Kind]]
    extras: tuple[str, ...] = ()
    client: int | None = None
    bare: bool = False
    find_suffix: bool = False
    mark: bytes = b""
    any_head: bool = False
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


def through(
    shape: Shape,
    forms: LineForms,
    *,
    books: tuple[Book, Book],
    latest: int,
    digest_of: Callable[[bytes], bytes],
    plain: Plain = NOT_PLAIN,
    strict: bool = False,
) -> Shortcut | None:
    """The compiled shortcut from a shape to a target's lines; None where the compiled part isn't built.

    `books` are those of accounts and groups, `digest_of` and `plain` are the target's own. A map comes before `plain`.
    With `strict` nothing is mended: such records go the long way. A target with types of its own looks for suffixes
    itself.
    """
    if not native.BUILT:
        return None
    accounts, groups = books
    rows = [row for number in shape.kinds for row in _rows(shape, number, forms) if not (strict and row.form.repairs)]
    apart = any(row.form.into for row in rows)
    allowed, longest = NOT_PLAIN if accounts.map else plain
    taker = native.Through(
        shape=_opened(shape.tree) if any(map(_has_members, rows)) else shape.tree,
        forms=tuple(row.compiled for row in rows),
        accounts=accounts,
        learn_account=accounts.learn,
        groups=groups,
        learn_group=groups.learn,
        hashed=xxh3_128_digest,
        digest=xxh3_64_digest,
        sorted_digest=digest_of,
        client=None if shape.client is None else b"%d" % shape.client,
        earliest=values.EARLIEST,
        latest=latest,
        bare=shape.bare,
        find_suffix=shape.find_suffix and not apart,
        plain_account=allowed,
        longest_account=longest,
        label=shape.label,
        strict=strict,
    )

    def take(batch: Any, streams: Any, otherwise: Any) -> list[Taken]:
        return [
            Taken(rows[row].word, rows[row].changes(seen), count, first, (*_repairs(mended), *rows[row].form.repairs))
            for row, seen, mended, count, first in taker.take(batch, streams, otherwise)
        ]

    return Shortcut(take, native.Columns, splits=True)


class _Row(NamedTuple):
    """A form of a kind: as it is, as the compiled part takes it, and what to remark on a field."""

    label: str
    form: LineForm
    compiled: tuple[Any, ...]
    remarks: tuple[tuple[int, tuple[str, str]], ...]

    @property
    def word(self) -> str:
        """The row of the fidelity table."""
        kind = self.label.partition(":")[0]
        return f"{kind} > {self.form.into}" if self.form.into else kind

    def changes(self, seen: int) -> tuple[tuple[str, str], ...]:
        return (*(change for mask, change in self.remarks if seen & mask), *self.form.changes)


def _rows(shape: Shape, number: int, forms: LineForms) -> Iterable[_Row]:
    label, kind = shape.kinds[number]
    for chat in (0, 1):
        found = forms(label, chat, shape.extras)
        for form in found if isinstance(found, tuple) else (found,) if found else ():
            yield _row(shape, number, chat, form)


def _row(shape: Shape, number: int, chat: int, form: LineForm) -> _Row:
    label, kind = shape.kinds[number]
    given = {*kind.required, *kind.optional, *(("suffix",) if shape.find_suffix else ())}
    remarks = [one for one in kind.remarks.items() if not (form.into and is_of_lines(one[1]))] + [*form.remarks.items()]
    limits = tuple((number_of(name), most) for name, most in form.limits.items())
    masks = map(
        mask_of,
        (
            {*kind.required, *form.needs} - {*form.without},
            given - {*form.without},
            (*kind.filled, *form.filled),
            [name for name, _ in remarks],
        ),
    )
    ordered = 2 if form.own_digest else int(form.sorted_digest)
    compiled = (number, chat, *masks, ordered, form.named_by_url, limits, form.steps)
    return _Row(label, form, compiled, tuple((mask_of([name]), change) for name, change in remarks))


def _has_members(row: _Row) -> bool:
    return any(step[0] == "members" for step in row.form.steps)


def _opened(node: Any) -> Any:
    """The tree, but an extension that is a text which holds an object is that object."""
    if node == some_text("ext"):
        return ("opened", number_of("ext"))
    return tuple(map(_opened, node)) if isinstance(node, tuple) else node


def _repairs(mended: int) -> tuple[str, ...]:
    return tuple(code for number, code in enumerate(MENDINGS) if mended >> number & 1) if mended else ()
