"""What the pipeline asks of a vendor: the `Vendor`, `Target` and `Setting` records, and the `Books` of ids.

Plan: a reader turns the raw bytes of one record into messages, a writer turns a message into lines. Both are made
once per segment, from settings, books and the notes they write to; after that they are plain functions. What only the
order of a conversation can tell, a target's `Arrange` does with its lines behind the sort.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from imconvert import native
from imconvert.errors import Rejected
from imconvert.model import Message, Notes, Skip, hash_of_source
from imconvert.vendors.books import NOT_PLAIN as NOT_PLAIN
from imconvert.vendors.books import Book as Book
from imconvert.vendors.books import Plain as Plain
from imconvert.vendors.bundles import Bundle
from imconvert.vendors.lenient import parse

if TYPE_CHECKING:
    from imconvert.vendors.calls import Rest
    from imconvert.vendors.people.mentions import MentionsOf
    from imconvert.vendors.people.said import SaidIn
    from imconvert.vendors.shapes import LineForms, Shape

Settings = Mapping[str, str]
Read = Callable[[bytes], Message | Skip]


class KeyFields(NamedTuple):
    """The key of a line: a group is an int, or a tuple of its id where that is text; a person is a str."""

    msgid: int
    sender: str
    target: str | int | tuple[str]
    time: int

    def identity(self, own_keys: bool) -> KeyFields:
        """What tells the line apart: all of it, or its number alone where that stands for a key of the source's own."""
        return KeyFields(self.msgid, "", "", 0) if own_keys else self


class Line(NamedTuple):
    """One target line without its newline: stream, 16-byte key, bytes, xxh3-64 of its canonical content, id, time."""

    stream: str
    key: bytes
    data: bytes
    digest: bytes
    msgid: int
    time: int


class Gathered(NamedTuple):
    """Columns as bytes: lines each ended by LF, u4 lengths without it, 16-byte keys, 8-byte digests, u8 numbers, i8
    times, i8 numbers of records in their batch, i8 offsets of records in the text of their batch or nothing;
    little-endian.

    `named` has, for lines whose number was made of a name, an i8 row and the 16-byte hash of the name each.
    """

    lines: bytes
    lengths: bytes
    keys: bytes
    digests: bytes
    msgids: bytes
    times: bytes
    sources: bytes
    offsets: bytes = b""
    named: bytes = b""


class Columns:
    """The lines of one stream that gather from a batch, as columns; `sources` are the numbers of their records.

    `named` holds, for lines whose number a shortcut derived, their place among the lines and their source id.
    """

    __slots__ = ("digests", "keys", "lines", "msgids", "named", "sources", "times")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.keys: list[bytes] = []
        self.digests: list[bytes] = []
        self.msgids: list[int] = []
        self.times: list[int] = []
        self.sources: list[int] = []
        self.named: list[tuple[int, str]] = []

    def add(self, line: Line, source: int) -> None:
        self.lines.append(line.data)
        self.keys.append(line.key)
        self.digests.append(line.digest)
        self.msgids.append(line.msgid)
        self.times.append(line.time)
        self.sources.append(source)

    def __len__(self) -> int:
        return len(self.lines)

    def take(self) -> Gathered:
        """All columns; they are empty afterwards."""
        self.lines.append(b"")
        lines, lengths = b"\n".join(self.lines), array("I", map(len, self.lines[:-1]))
        numbers = array("Q", self.msgids), array("q", self.times), array("q", self.sources)
        hashes = b"".join(self.keys), b"".join(self.digests)
        named = b"".join([row.to_bytes(8, "little") + hash_of_source(source_id) for row, source_id in self.named])
        self.__init__()  # type: ignore[misc]
        msgids, times, sources = (column.tobytes() for column in numbers)
        return Gathered(lines, lengths.tobytes(), *hashes, msgids, times, sources, named=named)


if TYPE_CHECKING:
    Gathers = Columns | native.Columns
else:
    Gathers = Any


class Taken(NamedTuple):
    """Records that took the shortcut: the word for their content, what was changed in each, as in `Notes.changes`,
    how many they are, the number of the first in its batch, and what was mended in each, as in `Notes.repairs`."""

    label: str
    changes: tuple[tuple[str, str], ...]
    records: int
    first: int
    repairs: tuple[str, ...] = ()


class Shortcut(NamedTuple):
    """A way to write a batch of records without making messages of them: `take(batch, streams, otherwise)`.

    A record that has to be looked at more closely is left to `otherwise(number, raw)`, in its turn. Says what it
    took. The streams gather in what `columns` makes. If it `splits`, a batch may also be bytes whose lines it is.
    `behind(head)` gets it ready for records with this head, and gives the clock by which it reads their times; None
    where it doesn't take them.
    """

    take: Callable[[Any, tuple[Any, ...], Callable[[int, bytes], None]], list[Taken]]
    columns: Callable[[], Gathers] = Columns
    splits: bool = False
    behind: Callable[[bytes], tuple[str, str] | None] | None = None


class Unfit(Exception):
    """A record can't take the shortcut."""


class LeftOut(Exception):
    """A writer leaves the message out on purpose, as the `Skip` says."""

    def __init__(self, skip: Skip) -> None:
        super().__init__(skip)
        self.skip = skip


class Copies(NamedTuple):
    """What a message is on the devices of those who have it: on the sender's, and on everybody else's.

    `receiver` is the other one of a pair, None in a group.
    """

    sender: str
    receiver: str | None
    own: bytes
    theirs: bytes


@dataclass(frozen=True, slots=True)
class Packages:
    """How the arranged lines of a target become packages, one for each user whose devices are to import them.

    `copies(line)` makes the copies of a line; `most(settings)` messages go into one call of the SDK.
    """

    copies: Callable[[bytes], Copies]
    most: Callable[[Settings], int]


PutText = Callable[[Sequence[Columns], int, str, int, str, Any, int, int, Any, str], None]
"""Adds the line of a plain text to the columns of its stream: `(streams, source, chat, msgid, sender, target, time,
client, ext, text)`, the ids looked up, `ext` a text or UNSET. Raises Unfit for what needs a closer look."""

Write = Callable[[Message], list[Line]]
"""Writes one message. Raises Rejected or LeftOut before it makes any line."""


class Placed(NamedTuple):
    """A line in the order of its conversation, without its newline; `time` is what it was sorted by, in ms."""

    time: int
    data: bytes


class Request(NamedTuple):
    """A line of a shard, without its newline, made of so many lines of a conversation, the next ones in order.

    One that is made of none belongs to what came before it. Without `data` there is no line: what it is made of has
    told what it had to, and needs no call of its own.
    """

    data: bytes
    lines: int = 1


Finish = Callable[[Iterator[Placed]], Iterator[Request]]
FinishAll = Callable[[Iterator[Iterator[Placed]]], Iterator[Request]]


@dataclass(frozen=True, slots=True)
class Blocker:
    """What has to be settled with the vendor before the lines of a stream can be loaded: a code that says it.

    Its text may use {lines}, {conversations}, {first} and {last}, the times of day of the stream's messages.
    """

    code: str
    stream: str


@dataclass(frozen=True, slots=True)
class Arrange:
    """What a target that is loaded in time order does with the lines of a conversation behind the sort.

    `finisher(settings, notes)` makes a function that gets all lines of one conversation in order of (time, source),
    lazily, and gives the requests made of them, taking every line in its turn; what it had to change stands in the
    notes when it gives the request. It must stream: a conversation may be larger than the memory.
    `together(stream)`, where it is there instead, makes a function that gets all conversations of a bucket of the
    stream, one after the other, so that a request may be made of several.
    `bundle(settings, stream)`, if there is one, says how lines are bundled where that is all there is to finish.
    `still(settings)`, if there is one, makes a function of the stream, the times of whole conversations that lie one
    behind the other, and where each begins, all as arrays. It says which conversations need no finishing, because each
    of their lines is a request as it stands. `blockers(settings)` are what has to be settled before loading.
    """

    finisher: Callable[[Settings, Notes], Finish] | None = None
    still: Callable[[Settings], Callable[[str, Any, Any], Any]] | None = None
    blockers: Callable[[Settings], tuple[Blocker, ...]] = lambda settings: ()
    together: Callable[[str], Callable[[Settings, Notes], FinishAll]] | None = None
    bundle: Callable[[Settings, str], Bundle | None] = lambda settings, stream: None


def number_in(value: str) -> int | None:
    """The number that a setting of the kind "optional" or "moment" holds, if it holds one."""
    return None if value == "none" else int(value)


@dataclass(frozen=True, slots=True)
class Setting:
    """A choice that the vendor's documents leave open: name, default, what it may be, and what it means."""

    name: str
    default: str
    allowed: tuple[str, ...] | str
    help: str

    def accepts(self, value: str) -> bool:
        """Whether `value` is one of `allowed`; "number" stands for any whole number from 1, "text" for any line,
        "optional" for a number or none, "moment" for ms since 1970, or none."""
        if self.allowed == "text":
            return value.isprintable()
        if self.allowed in ("optional", "moment") and value == "none":
            return True
        if self.allowed in ("number", "optional", "moment"):
            return value.isascii() and value.isdigit() and len(value) < 19 and int(value) > 0
        return value in self.allowed


@dataclass(frozen=True, slots=True)
class Feed:
    """How a target that pulls its increments is answered: lines between `begin` and `end`, set apart by `between`.

    An answer without lines is `begin` and `end`; `trouble(code)` is one that says that something is wrong.
    """

    begin: bytes
    between: bytes
    end: bytes
    media_type: str
    trouble: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """A vendor as the one who takes the messages.

    `streams` are the kinds of shards, `suffix` their file ending. `writer(settings, notes, accounts, groups)` makes
    the function that writes one message; `put_text`, if there is one, adds a plain text without a message.
    `account_rule` and `group_rule` check ids. Of a line that the writer made, `read_key` finds the key, `digest_of`
    the digest of its content; `with_msgid` makes a copy that has another message number, and `tombstone` one, by the
    name of the source vendor and the settings, that only says that the message was recalled. `merge_fold` says
    whether, by the settings, ids that differ in case only are the same. `line_forms(settings)` describes its usual
    lines to the compiled part, and `plain_account` the ids that `account_rule` never changes. `feed` is how it pulls
    increments, if it does.
    A target with `arrange` is loaded in time order: its lines begin with a head as in `vendors/requests.py`, by which
    they are gathered and sorted; with `packages` they become packages for users' devices after that.
    `account_rules(settings)` and `group_rules(settings)` make the rules for ids that no map names, where settings
    change them.
    `people` says that its lines are about people and groups: `writer` writes nouns, lines have no time, and keys are
    those of `people/lines.py`; `secret` is the stream whose accounts get secrets, if they do.
    """

    name: str
    streams: tuple[str, ...]
    suffix: str
    account_rule: Callable[[str], str]
    group_rule: Callable[[str], Any]
    writer: Callable[[Settings, Notes, Book, Book], Write]
    read_key: Callable[[bytes], KeyFields]
    digest_of: Callable[[bytes], bytes]
    with_msgid: Callable[[bytes, int], bytes]
    tombstone: Callable[[bytes, str, Settings], bytes]
    put_text: PutText | None
    merge_fold: Callable[[Settings], bool]
    line_forms: Callable[[Settings], LineForms] | None = None
    plain_account: Plain = NOT_PLAIN
    feed: Feed | None = None
    arrange: Arrange | None = None
    packages: Packages | None = None
    account_rules: Callable[[Settings], Callable[[str], str]] | None = None
    group_rules: Callable[[Settings], Callable[[str], Any]] | None = None
    people: bool = False
    secret: str = ""

    def account_rule_by(self, settings: Settings) -> Callable[[str], str]:
        """The rule for account ids that no map names."""
        return self.account_rules(settings) if self.account_rules else self.account_rule

    def group_rule_by(self, settings: Settings) -> Callable[[str], Any]:
        """The rule for group ids that no map names."""
        return self.group_rules(settings) if self.group_rules else self.group_rule


@dataclass(frozen=True, slots=True)
class Documents:
    """JSON documents whose elements are records: the names that their array may have.

    `by_line` says that the vendor writes one element a line, so that a broken one can't spoil the next; `one_a_line`
    that whole documents may be kept one a line, with the same good.
    `reader(settings, notes, latest, head)` makes the reader for the elements behind `head`, which is what stands in
    their document before its array; None where the head says nothing about them. A name may be a dotted path of keys,
    and the empty one is an array that is the whole document. `always` says that nothing else is to be expected.
    `whole` says that whole documents are records, one a line or laid out otherwise.
    """

    arrays: tuple[str, ...]
    by_line: bool = False
    always: bool = False
    one_a_line: bool = False
    whole: bool = False
    reader: Callable[[Settings, Notes, int, bytes], Read] | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """What an input as a whole says about its records, where a vendor's reader wants to know, such as their time zone.

    `look(label, begin, settings)` gives it as a flat JSON object of texts, or nothing; `begin` is how the content
    begins, whatever part of it is read. `reader(settings, notes, latest, found)` and, if there is one,
    `shortcut(target, settings, accounts, groups, latest, found)` are made for records of such an input.
    """

    look: Callable[[str, bytes, Settings], bytes]
    reader: Callable[[Settings, Notes, int, bytes], Read]
    shortcut: Callable[[Target, Settings, Book, Book, int, bytes], Shortcut | None] | None = None


MakeRead = Callable[[Settings, Notes, int], Read]
MakeShortcut = Callable[[Target, Settings, Book, Book, int], Shortcut | None]


def rest_in(module: str) -> Callable[[], Rest]:
    """What gives the REST interface that a module defines as REST; it is loaded only then."""

    def load() -> Rest:
        found: Rest = import_module(module).REST
        return found

    return load


def peek_at_json(raw: bytes) -> dict[str, Any] | None:
    """A record that is a JSON object, for detection; None for anything else."""
    try:
        return parse(raw, Notes(), label=b"json")
    except Rejected:
        return None


@dataclass(frozen=True, slots=True)
class Tables:
    """Files of rows (CSV, TSV) whose rows are records. `delimiter`, `quote` and `escape` are an ASCII character each.

    `quote` and `escape` may be empty. `header` says that the first row names the columns; it is the head of its file.
    `multiline` says that values may hold line ends; without it rows are lines, so that big files can be cut.
    `reader` and `shortcut` are those of the vendor, made for a head; `shape(settings, head)` describes usual rows to
    the compiled part, if there is a way, and gives None for heads that it has none for.
    """

    reader: Callable[[Settings, Notes, int, bytes], Read]
    shortcut: Callable[[Target, Settings, Book, Book, int, bytes], Shortcut | None]
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"
    header: bool = True
    multiline: bool = True
    shape: Callable[[Settings, bytes], Shape | None] | None = None


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor as the one whose exports are read.

    `looks_like(value)` says whether a parsed record is this vendor's; `documents` describes its documents, if it
    has such, `tables` its tables; `reader(settings, notes, latest)` makes the function that reads one record,
    `latest` being the upper bound for times in ms. `shortcut(target, settings, accounts, groups, latest)` makes a
    function that writes records through to a target without making messages of them, if it knows a way;
    `shape(settings)` describes its usual records to the compiled part, which does the same, and
    `more_shapes(settings)` those of its other formats, each with a mark. `own_keys` says that message numbers are
    derived from all that tells its messages apart, so that lines with the same number are the same message even
    where sender, target or time differ; a shortcut has to make its keys of the number
    alone, then. `name_of(raw, head)` gives the source id of a record that was rejected or skipped, if it still tells
    it; it is there for vendors whose source ids don't stand in their records as they are.
    `people` is the vendor as the one whose saved pages about people are read: its reader gives nouns, and
    `unfold(raw)` the pages with one item each that a page stands for, with their offsets in it. `provisions` are the
    targets of what people and groups are made of, named VENDOR/CONTENT. `mentions(line)` finds the ids in a line for
    this vendor as target, `said(line)` what its last message says.
    `rest()` gives its REST interface, if data can be sent to it that way.
    `survey` is for vendors whose records can't be understood alone. `peek(raw)` gives a record of this vendor's to
    `looks_like`, where it is not plain JSON; `redact(raw)` takes secrets out of a record that is to be told of.
    """

    name: str
    title: str
    looks_like: Callable[[dict[str, Any]], bool]
    reader: MakeRead
    documents: Documents | None = None
    tables: Tables | None = None
    settings: tuple[Setting, ...] = ()
    shortcut: MakeShortcut | None = None
    shape: Callable[[Settings], Shape] | None = None
    more_shapes: Callable[[Settings], tuple[Shape, ...]] | None = None
    target: Target | None = None
    own_keys: bool = False
    name_of: Callable[[bytes, bytes], str | None] | None = None
    survey: Survey | None = None
    peek: Callable[[bytes], dict[str, Any] | None] = peek_at_json
    redact: Callable[[bytes], bytes] | None = None
    people: Vendor | None = None
    provisions: tuple[Target, ...] = ()
    mentions: MentionsOf | None = None
    said: SaidIn | None = None
    unfold: Callable[[bytes], list[tuple[int, bytes]] | None] | None = None
    rest: Callable[[], Rest] | None = None

    def behind(self, head: bytes) -> tuple[MakeRead, MakeShortcut | None]:
        """What makes reader and shortcut for records with this head: that of their table, document or input."""
        if not head:
            return self.reader, self.shortcut
        if self.tables:
            return partial(_with_head, self.tables.reader, head), partial(_with_head, self.tables.shortcut, head)
        if self.survey:
            through = self.survey.shortcut
            return partial(_with_head, self.survey.reader, head), through and partial(_with_head, through, head)
        if self.documents and self.documents.reader:
            return partial(_with_head, self.documents.reader, head), None
        return self.reader, None


def _with_head(make: Callable[..., Any], head: bytes, *given: Any) -> Any:
    return make(*given, head)
