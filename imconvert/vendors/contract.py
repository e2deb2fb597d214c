"""What the pipeline asks of a vendor: the `Vendor`, `Target` and `Setting` records, and the `Books` of ids.

Plan: a reader turns the raw bytes of one record into messages, a writer turns a message into lines. Both are made
once per segment, from settings, books and the notes they write to; after that they are plain functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from imconvert.errors import Rejected
from imconvert.model import Message, Notes, Skip

Settings = Mapping[str, str]
Read = Callable[[bytes], Message | Skip]


class KeyFields(NamedTuple):
    """The key of a line: a group is an int, a person a str."""

    msgid: int
    sender: str
    target: str | int
    time: int


class Line(NamedTuple):
    """One target line without its newline: stream, 16-byte key, bytes, xxh3-64 of its canonical content, id, time."""

    stream: str
    key: bytes
    data: bytes
    digest: bytes
    msgid: int
    time: int


class Columns:
    """The lines of one stream that gather from a batch, as columns; `sources` are the numbers of their records."""

    __slots__ = ("digests", "keys", "lines", "msgids", "sources", "times")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.keys: list[bytes] = []
        self.digests: list[bytes] = []
        self.msgids: list[int] = []
        self.times: list[int] = []
        self.sources: list[int] = []

    def add(self, line: Line, source: int) -> None:
        self.lines.append(line.data)
        self.keys.append(line.key)
        self.digests.append(line.digest)
        self.msgids.append(line.msgid)
        self.times.append(line.time)
        self.sources.append(source)


Shortcut = Callable[[Sequence[bytes], Sequence[Columns], Callable[[int, bytes], None]], dict[str, int]]
"""Writes a batch of records without making messages of them: `(records, streams, otherwise)`. A record that has to
be looked at more closely is left to `otherwise(number, raw)`, in its turn. Gives the count of the others by label."""


class Unfit(Exception):
    """A record can't take the shortcut."""


PutText = Callable[[Sequence[Columns], int, str, int, str, Any, int, int, Any, str], None]
"""Adds the line of a plain text to the columns of its stream: `(streams, source, chat, msgid, sender, target, time,
client, ext, text)`, the ids looked up, `ext` a text or UNSET. Raises Unfit for what needs a closer look."""

Write = Callable[[Message], list[Line]]


@dataclass(frozen=True, slots=True)
class Setting:
    """A choice that the vendor's documents leave open: name, default, what it may be, and what it means."""

    name: str
    default: str
    allowed: tuple[str, ...] | str
    help: str

    def accepts(self, value: str) -> bool:
        """Whether `value` is one of `allowed`; the word "number" stands for any whole number from 1."""
        if self.allowed == "number":
            return value.isascii() and value.isdigit() and int(value) > 0
        return value in self.allowed


class Book(dict[str, Any]):
    """Ids of the source to ids of the target, filled as they are met.

    `map` is the user's own table with the set of its targets, and comes first. `rule` turns an id into a target id
    or raises Rejected. An id that is some other id's mapped target is refused (IMC-2204).
    `folded` holds the ids that the rule changed; `refused` says which ids collide after folding (IMC-2203);
    `noted` is called each time an id is used that was folded.
    """

    def __init__(
        self,
        rule: Callable[[str], Any],
        *,
        map: tuple[Mapping[str, str], Set[str]] = ({}, frozenset()),
        refused: Callable[[str], bool] | None = None,
        noted: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.rule = rule
        self.map, self.taken = map
        self.refused = refused
        self.noted = noted
        self.folded: dict[str, Any] = {}
        self.missing: dict[str, int] = {}

    def __missing__(self, source: str) -> Any:
        """Called for ids met for the first time, ids that change, and ids that are refused."""
        known = self.folded.get(source)
        if known is not None:
            self.noted()
            return known
        try:
            target = self._learn(source)
        except Rejected:
            self.missing[source] = self.missing.get(source, 0) + 1
            raise
        if source in self.folded:
            self.noted()
        return target

    def learn(self, source: str) -> Any:
        """The target of an id met for the first time. Raises KeyError where it is folded, refused or no text."""
        if source.__class__ is not str:
            raise KeyError(source)
        if source not in self.folded:
            try:
                self._learn(source)
            except Rejected as why:
                raise KeyError(source) from why
        if source in self.folded:
            raise KeyError(source)
        return self[source]

    def preview(self, source: str) -> Any:
        """The target of an id, without taking note that it was met. Raises Rejected."""
        mapped = self.map.get(source)
        return self.rule(source if mapped is None else mapped)

    def _learn(self, source: str) -> Any:
        mapped = self.map.get(source)
        if mapped is not None:
            self[source] = self.rule(mapped)
            return self[source]
        target = self.rule(source)
        if str(target) in self.taken:
            raise Rejected("IMC-2204", account=source)
        if str(target) != source and self.refused and self.refused(source):
            raise Rejected("IMC-2203", account=source, target=target)
        if str(target) == source:
            self[source] = target
        else:
            self.folded[source] = target
        return target


@dataclass(frozen=True, slots=True)
class Target:
    """A vendor as the one who takes the messages.

    `streams` are the kinds of shards, `suffix` their file ending. `writer(settings, notes, accounts, groups)` makes
    the function that writes one message; `put_text`, if there is one, adds a plain text without a message.
    `account_rule` and `group_rule` check ids. Of a line that the writer made, `read_key` finds the key, `digest_of`
    the digest of its content; `with_msgid` makes a copy that has another message number, and `tombstone` one, by the
    name of the source vendor and the settings, that only says that the message was recalled. `merge_fold` says
    whether, by the settings, ids that differ in case only are the same.
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


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor as the one whose exports are read.

    `looks_like(value)` says whether a parsed record is this vendor's; `array` names the top-level array of its
    documents, if it has such; `reader(settings, notes, latest)` makes the function that reads one record, `latest`
    being the upper bound for times in ms. `shortcut(target, settings, accounts, groups, latest)` makes a function
    that writes records through to a target without making messages of them, if it knows a way.
    """

    name: str
    title: str
    looks_like: Callable[[dict[str, Any]], bool]
    reader: Callable[[Settings, Notes, int], Read]
    array: str | None = None
    settings: tuple[Setting, ...] = ()
    shortcut: Callable[[Target, Settings, Book, Book, int], Shortcut | None] | None = None
    target: Target | None = None
