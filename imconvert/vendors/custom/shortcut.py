"""Hand plain texts of a self-built system to the target without the round of a message's lines.

Strategy: the record is read as always; a plain text about which nothing has to be noted goes straight to the target's
columns, and every other record is left to the long way.
Promise: gives exactly the lines that the long way would give; tests/vendors/test_custom.py compares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET

from imconvert.errors import Rejected
from imconvert.model import Notes
from imconvert.vendors.contract import Book, Columns, Shortcut, Taken, Target, Unfit
from imconvert.vendors.custom.fields import Compiler, tree_of
from imconvert.vendors.custom.messages import reader
from imconvert.vendors.custom.parse import plain
from imconvert.vendors.custom.spec import Mapping


def shortcut(
    mapping: Mapping, target: Target, accounts: Book, groups: Book, latest: int, head: str = ""
) -> Shortcut | None:
    """The function that writes a batch of records to a target that takes plain texts; see `contract.Shortcut`."""
    put = target.put_text
    if put is None:
        return None
    notes = Notes()
    read: Any = reader(mapping, notes, latest, head, _fit(mapping))
    clock = notes.clock

    def write_through(
        records: list[bytes], streams: tuple[Columns, ...], otherwise: Callable[[int, bytes], None]
    ) -> list[Taken]:
        index = left = -1
        for raw in records:
            index += 1
            try:
                message = read(raw)
                text = message.parts[0]
                noted = notes.repairs or notes.changes or notes.novel or notes.clock != clock
                if noted or text.extra or len(message.parts) > 1:
                    raise Unfit
                sender, to, chat = message.sender, message.target, message.chat
                book = accounts if chat == "p2p" else groups
                put(
                    streams, index, chat, message.msgid, accounts.get(sender) or accounts.learn(sender),
                    book.get(to) or book.learn(to), message.time, message.client, message.ext or UNSET, text.text,
                )  # fmt: skip
            except _REFUSED:
                left += 1
                notes.clear()
                otherwise(index, raw)
        return [Taken("text", (), index - left, 0)]

    return Shortcut(write_through)


def _fit(mapping: Mapping) -> Callable[[Any], None]:
    """Raises Unfit for a record whose kind is not one plain text."""
    texts = frozenset(name for name, body in mapping.bodies.items() if body.kind == "text")
    if mapping.kind is None:
        return _never if texts else _always
    get = Compiler(mapping.input.json, tree_of(mapping.used), Notes()).value(mapping.kind)
    plainly = frozenset(key for key, names in mapping.kinds.items() if texts.issuperset(names))

    def fit(record: Any) -> None:
        kind = get(record)
        if (kind if kind.__class__ is str else plain(kind)) not in plainly:
            raise Unfit

    return fit


def _never(record: Any) -> None:
    return None


def _always(record: Any) -> None:
    raise Unfit


_REFUSED = (Rejected, KeyError, AttributeError, Unfit)
