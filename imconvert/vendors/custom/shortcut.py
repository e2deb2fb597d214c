"""Hand plain texts of a self-built system to the target without the round of a message's lines.

Strategy: the record is read as always; a plain text about which nothing has to be noted goes straight to the target's
columns, and every other record is left to the long way.
Promise: gives exactly the lines that the long way would give; tests/test_custom.py compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET

from imconvert.errors import Rejected
from imconvert.model import Notes, Text
from imconvert.vendors.contract import Book, Columns, Shortcut, Target, Unfit
from imconvert.vendors.custom.messages import reader
from imconvert.vendors.custom.spec import Mapping


def shortcut(
    mapping: Mapping, target: Target, accounts: Book, groups: Book, latest: int, head: str = ""
) -> Shortcut | None:
    """The function that writes a batch of records to a target that takes plain texts; see `contract.Shortcut`."""
    put = target.put_text
    if put is None:
        return None
    notes = Notes()
    read = reader(mapping, notes, latest, head)

    def write_through(
        records: Sequence[bytes], streams: Sequence[Columns], otherwise: Callable[[int, bytes], None]
    ) -> dict[str, int]:
        index = left = -1
        for raw in records:
            index += 1
            try:
                message = read(raw)
                parts = message.parts  # type: ignore[union-attr]
                text = parts[0]
                if notes.repairs or notes.changes or notes.novel or text.__class__ is not Text or len(parts) > 1:
                    raise Unfit
                if text.extra:
                    raise Unfit
                sender, to = message.sender, message.target  # type: ignore[union-attr]
                chat = message.chat  # type: ignore[union-attr]
                book = accounts if chat == "p2p" else groups
                put(
                    streams, index, chat, message.msgid,  # type: ignore[union-attr]
                    accounts.get(sender) or accounts.learn(sender), book.get(to) or book.learn(to), message.time,  # type: ignore[union-attr]
                    message.client, message.ext or UNSET, text.text,  # type: ignore[union-attr]
                )  # fmt: skip
            except _REFUSED:
                left += 1
                notes.clear()
                otherwise(index, raw)
        return {"text": index - left}

    return write_through


_REFUSED = (Rejected, KeyError, AttributeError, Unfit)
