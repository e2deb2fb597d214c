"""Write nouns as lines of a target's streams, by a table of the vendor's.

Plan: a content (users, friends, groups) is a table from nouns to functions that make their lines. A record whose nouns
stand in no row of it belongs to another content, and one whose nouns gave no line can't be said at the target; both are
left out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import (
    Account,
    Block,
    Friend,
    Group,
    Member,
    Mute,
    Notes,
    Noun,
    Profile,
    ReadMark,
    Skip,
)
from imconvert.vendors.contract import Arrange, Book, LeftOut, Line, Settings, Target
from imconvert.vendors.people import lines
from imconvert.vendors.people.finish import MakeFinish

LABELS: Mapping[type, str] = {
    Account: "account", Profile: "profile", Friend: "friend", Block: "block", Mute: "mute", Group: "group",
    Member: "member", ReadMark: "read mark",
}  # fmt: skip
"""The words for nouns in reports."""

CONTENTS: Mapping[type, str] = {
    Account: "users", Profile: "users", Friend: "friends", Block: "friends", Group: "groups", Member: "groups",
}  # fmt: skip
_OF_CHAT = {"all": "users", "p2p": "friends", "team": "groups"}


def content_of(noun: Noun) -> str:
    """The content, and the command, that a noun belongs to."""
    if isinstance(noun, Mute | ReadMark):
        return _OF_CHAT[noun.chat]
    return CONTENTS[noun.__class__]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the functions that write nouns need."""

    settings: Settings
    notes: Notes
    accounts: Book
    groups: Book

    def lost(self, what: str) -> None:
        """Count something that the target can't be told."""
        self.notes.changes.append(("dropped", what))

    def pair(self, owner: str, other: str) -> tuple[str, str]:
        """The ids of two who have to do with each other. Raises Rejected IMC-2605 where they are the same."""
        first, second = self.accounts[owner], self.accounts[other]
        if first == second:
            raise Rejected("IMC-2605", account=first)
        return first, second

    def whole(self, found: Iterable[tuple[str, str | None, int]], *, in_bytes: bool = False) -> dict[str, str]:
        """Of fields, each with its value and its limit, those that are set and short enough; half of such a value, an
        address or JSON, would be worth nothing."""
        kept = {}
        for name, value, most in found:
            if value and len(value.encode() if in_bytes else value) <= most:
                kept[name] = value
            elif value:
                self.lost(f"{name} longer than {most} {'bytes' if in_bytes else 'characters'}")
        return kept

    def cut(self, text: str, most: int, what: str, *, in_bytes: bool = False) -> str:
        """A text of at most so many characters, or bytes as UTF-8; what is longer is cut, and counted."""
        if len(text) <= most and (not in_bytes or len(text.encode()) <= most):
            return text
        self.notes.changes.append(("degraded", f"{what} cut to {most} {'bytes' if in_bytes else 'characters'}"))
        return text.encode()[:most].decode("utf-8", "ignore") if in_bytes else text[:most]


Put = Callable[[Desk, Any], Iterable[Line]]
Table = Mapping[type, Put]
Write = Callable[[Sequence[Noun]], list[Line]]


def writer(content: str, table: Table) -> Callable[[Settings, Notes, Book, Book], Write]:
    """The function that makes the function that writes the nouns of a record, all of them or none.

    That one raises Rejected where an id can't be, LeftOut (IMC-8180, IMC-8182) where there is no line to write. What a
    table has no row for, the target has no word for.
    """

    def made(settings: Settings, notes: Notes, accounts: Book, groups: Book) -> Write:
        desk = Desk(settings, notes, accounts, groups)

        def write(nouns: Sequence[Noun]) -> list[Line]:
            mine = [noun for noun in nouns if content_of(noun) == content]
            found = [line for noun in mine if (put := table.get(noun.__class__)) for line in put(desk, noun)]
            if found:
                notes.label = LABELS[mine[0].__class__]
                return found
            names = ", ".join(dict.fromkeys(LABELS[noun.__class__] for noun in mine or nouns))
            if mine:
                raise LeftOut(Skip("IMC-8182", {"found": names, "why": _why(notes)}))
            commands = " or ".join(dict.fromkeys(map(content_of, nouns)))
            raise LeftOut(Skip("IMC-8180", {"found": names, "commands": commands}))

        return write

    return made


def _why(notes: Notes) -> str:
    return ", ".join(what for outcome, what in notes.changes if outcome == "dropped") or "nothing in it is set"


@dataclass(frozen=True, slots=True)
class Content:
    """What is written for a content: a table of nouns, and the streams in load order with what makes calls of them.

    `secret` is the stream whose accounts get secrets.
    """

    table: Table
    streams: Mapping[str, MakeFinish]
    group_rules: Callable[[Settings], Callable[[str], Any]] | None = None
    secret: str = ""


def _no_number(line: bytes, msgid: int) -> bytes:
    raise AssertionError("people have no message numbers")


def _no_tombstone(line: bytes, source: str, settings: Settings) -> bytes:
    raise AssertionError("people are not recalled")


def provisions(base: Target, contents: Mapping[str, Content]) -> tuple[Target, ...]:
    """The targets `VENDOR/CONTENT` of the vendor whose messages `base` takes; ids are checked as for those."""
    return tuple(_target(base, name, content) for name, content in contents.items())


def _target(base: Target, name: str, content: Content) -> Target:
    return replace(
        base,
        name=f"{base.name}/{name}",
        streams=tuple(content.streams),
        suffix=".ndjson",
        writer=writer(name, content.table),  # type: ignore[arg-type]
        read_key=lines.read_key,  # type: ignore[arg-type]
        digest_of=lines.digest_of,
        with_msgid=_no_number,
        tombstone=_no_tombstone,
        put_text=None,
        line_forms=None,
        feed=None,
        packages=None,
        arrange=Arrange(together=content.streams.__getitem__),
        group_rules=content.group_rules or base.group_rules,
        people=True,
        secret=content.secret,
    )
