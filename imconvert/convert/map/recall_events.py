"""Events that recall messages, as rows: what an event tells of the message that it is about.

Promise: pure. A row matches nothing that the event does not tell: one without an id has none of the columns to look up.
"""

from __future__ import annotations

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from imconvert.convert.work import RECALL, Array
from imconvert.errors import Rejected
from imconvert.model import MAX_ID, Skip, hash_of_source
from imconvert.vendors.contract import Book

UNKNOWN = "unknown"
"""What stands for the id where an event does not tell it."""


def number_of(source_id: str) -> int:
    """The message number that a source id is, or 0."""
    plain = source_id.isascii() and source_id.isdigit() and source_id[0] != "0" and len(source_id) < 20
    return int(source_id) if plain and int(source_id) <= MAX_ID else 0


def talk_of(sender: str, target: str | int | tuple[str]) -> int:
    """A hash of a conversation: of the group, or of the two people, whoever wrote; never 0."""
    ends = sorted((sender, target)) if isinstance(target, str) else [target]
    return xxh3_64_intdigest(msgspec.json.encode(ends)) or 1


def event_of(skip: Skip, accounts: Book, groups: Book) -> tuple[bytes, int, int] | None:
    """Hash, number (or 0) and conversation (0: not told) of what an event recalls; None if it recalls nothing."""
    if skip.values.get("event") != "recall":
        return None
    of = skip.values["of"]
    return hash_of_source(of) if of != UNKNOWN else b"", number_of(of), _talk(skip, accounts, groups)


def _talk(skip: Skip, accounts: Book, groups: Book) -> int:
    if skip.ends is None:
        return 0
    chat, sender, target = skip.ends
    try:
        if chat == "team":
            found = groups.preview(target)
            return talk_of("", found if isinstance(found, int) else (found,))
        return talk_of(accounts.preview(sender), accounts.preview(target))
    except Rejected:
        return 0


def row_of(event: tuple[bytes, int, int], *, line: int, offset: int, file: int, segment: int) -> Array:
    """An event as a RECALL row; one that does not tell the id has none of the columns that could match."""
    hashed, number, talk = event
    halves = np.frombuffer(hashed or bytes(16), "<u8")
    return np.array([(halves[0], halves[1], number, talk, line, offset, file, segment)], RECALL)
