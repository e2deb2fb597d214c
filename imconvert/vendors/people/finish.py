"""Make calls of sorted lines: the items of an owner, or of many owners, in batches.

Strategy: a finisher gets the conversations of a whole bucket, one after the other, and takes their lines in order. What
a line is worth is a decision of the vendor's: an item of a call, or a remark on what came before.
Promise: streaming, whatever the size of an owner or of a bucket; every line is in one call, or belongs to the call
before it. The same lines give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from imconvert.model import Notes
from imconvert.vendors.contract import FinishAll, Placed, Request, Settings
from imconvert.vendors.people.calls import call, key_of
from imconvert.vendors.people.lines import Entry, entry_of, key_in

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode
Talks = Iterator[Iterator[Placed]]
MakeFinish = Callable[[Settings, Notes], FinishAll]
Fold = Callable[[Sequence[Entry], Notes], Any]
Entries = list[Entry]


MakeCall = Callable[[Entries], "dict[str, Any] | None"]
"""What `call` takes beside api, conv and key, of the entries of an owner; None where they need no call."""


def merged(api: str, make: Callable[[Settings, Notes], MakeCall], *, alone: bool = False) -> MakeFinish:
    """A call for each owner. `alone` says that it needs no order among the calls about this owner."""

    def made(settings: Settings, notes: Notes) -> FinishAll:
        of = make(settings, notes)

        def finish(talks: Talks) -> Iterator[Request]:
            for talk in talks:
                entries = list(map(entry_of, talk))
                first, parts = entries[0], of(entries)
                data = b"" if parts is None else call(api, "" if alone else first.conv, first.key, **parts)
                yield Request(data, len(entries))

        return finish

    return made


def one_each(api: str, wrap: Callable[[Entry], dict[str, Any]], *, alone: bool = False) -> MakeFinish:
    """A call for each line."""

    def made(settings: Settings, notes: Notes) -> FinishAll:
        def finish(talks: Talks) -> Iterator[Request]:
            for talk in talks:
                for entry in map(entry_of, talk):
                    yield Request(call(api, "" if alone else entry.conv, entry.key, **wrap(entry)))

        return finish

    return made


def in_batches(api: str, size: str, fold: Fold, make: Callable[[list[Any]], Any], **more: Any) -> MakeFinish:
    """Calls for many owners, each an item that `fold` makes of the owner's entries. `size` is a setting, `make(items)`
    the body."""

    def made(settings: Settings, notes: Notes) -> FinishAll:
        most = int(settings[size])

        def finish(talks: Talks) -> Iterator[Request]:
            items: list[Any] = []
            first, lines = "", 0
            for talk in talks:
                entries = list(map(entry_of, talk))
                first = first or entries[0].key
                items.append(fold(entries, notes))
                lines += len(entries)
                if len(items) >= most:
                    yield Request(call(api, "", key_of(first, len(items)), make(items), **more), lines)
                    items, first, lines = [], "", 0
            if items:
                yield Request(call(api, "", key_of(first, len(items)), make(items), **more), lines)

        return finish

    return made


class Piece(NamedTuple):
    """What a line adds to the calls of its owner: an item for `api`; None belongs to the line before or behind it.

    Items with another `group` (a role, a duration) go into another call.
    """

    item: Any
    api: str = ""
    group: Any = None


Wrap = Callable[[str, str, list[Any], Any], dict[str, Any]]
"""`wrap(api, owner, items, group)` gives what `call` takes beside api, conv and key."""


class Cutting(NamedTuple):
    """How the calls of one owner are made: what a line adds, what a call is made of, and how many items a call to an
    api has at most."""

    piece: Callable[[Entry], Piece]
    wrap: Wrap
    most: Callable[[str], int]


def each_once(wrap: Wrap) -> Cutting:
    """A call for each item of an owner; one where the same item follows, as of friendships told from both sides."""
    last = b""

    def piece(entry: Entry) -> Piece:
        nonlocal last
        again, last = bytes(entry.body) == last, bytes(entry.body)
        return Piece(None if again else entry.body)

    return Cutting(piece, wrap, lambda api: 1)


def by_owner(api: str, cutting: Callable[[Settings, Notes], Cutting]) -> MakeFinish:
    """Calls of the items of one owner, to `api` where an item does not name another. `cutting(settings, notes)` is
    asked anew for each owner, so that what it gives may remember what it saw of one."""

    def made(settings: Settings, notes: Notes) -> FinishAll:
        def finish(talks: Talks) -> Iterator[Request]:
            for talk in talks:
                yield from _of_owner(map(entry_of, talk), cutting(settings, notes), api)

        return finish

    return made


def _of_owner(entries: Iterable[Entry], cutting: Cutting, api: str) -> Iterator[Request]:
    """The calls for one owner. Lines without an item go with the call that is being made; if there is none at all, they
    need none."""
    batch = _Batch(cutting.wrap)
    for entry in entries:
        piece = cutting.piece(entry)
        piece = piece if piece.api else piece._replace(api=api)
        if piece.item is not None and batch.items and not batch.takes(piece, cutting.most(piece.api)):
            yield batch.request()
            batch = _Batch(cutting.wrap)
        batch.add(entry, piece)
    if batch.items:
        yield batch.request()
    elif batch.lines:
        yield Request(b"", batch.lines)


class _Batch:
    """A call that is being made."""

    def __init__(self, wrap: Wrap) -> None:
        self.wrap = wrap
        self.items: list[Any] = []
        self.piece = Piece(None)
        self.conv = self.first = ""
        self.lines = 0

    def takes(self, piece: Piece, most: int) -> bool:
        return len(self.items) < most and (piece.api, piece.group) == (self.piece.api, self.piece.group)

    def add(self, entry: Entry, piece: Piece) -> None:
        self.lines += 1
        if piece.item is None:
            return
        if not self.items:
            self.piece, self.first, self.conv = piece, entry.key, entry.conv
        self.items.append(piece.item)

    def request(self) -> Request:
        api, group = self.piece.api, self.piece.group
        made = self.wrap(api, self.conv, self.items, group)
        return Request(call(api, self.conv, key_of(self.first, len(self.items)), **made), self.lines)


def other_of(entry: Entry) -> str:
    """The other id that a line is about."""
    return key_in(entry.key).other


def together(entries: Iterable[Entry], notes: Notes) -> dict[str, Any]:
    """What the entries hold as one object; what comes first stays, and what says otherwise is noted."""
    found: dict[str, Any] = {}
    for entry in entries:
        more = decode(entry.body)
        if any(found.get(name, value) != value for name, value in more.items()):
            notes.repairs.append("IMC-3305")
        found |= {name: value for name, value in more.items() if name not in found}
    return found


def unmade(notes: Notes, code: str) -> None:
    """Note that a group is not made, and why; there is no call."""
    notes.repairs.append(code)
    notes.changes.append(("dropped", "a group of which too little is known"))


def facets(kind: str, found: Iterable[str]) -> str:
    """A kind of line that holds but some of the fields: other fields of the same come in lines of their own."""
    return f"{kind}:{','.join(found)}"


def kind_of(entry: Entry) -> str:
    """The kind of a line, without its fields."""
    return key_in(entry.key).kind.partition(":")[0]


PUSH_NAME = "push_name"
"""The key of a line under which stands what pushes call somebody."""


def called(found: dict[str, Any], field: str) -> dict[str, Any]:
    """The facts of somebody: who has no name is called what pushes call them."""
    shown = found.pop(PUSH_NAME, None)
    return {field: shown, **found} if shown else found


def in_order(found: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The object with its keys in this order."""
    return {name: found[name] for name in names if name in found}
