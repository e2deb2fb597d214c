"""Tell Yunxin's formats apart, record by record: import lines, message copies, and answers of history queries.

Strategy: a few bytes that a format can't do without decide who is asked first; whoever is asked looks at the whole
record and may hand it back. What nobody wants is read as an import line, which says what is wrong with it.
"""

from __future__ import annotations

from typing import Any

from imconvert.model import Message, Notes, Skip
from imconvert.vendors.contract import Documents, Read, Settings
from imconvert.vendors.yunxin import copies, history, messages


def looks_like(value: dict[str, Any]) -> bool:
    """A record of any of the formats."""
    return messages.looks_like(value) or copies.looks_like(value) or history.looks_like(value)


def reader(settings: Settings, notes: Notes, latest: int, head: bytes = b"") -> Read:
    """The function that reads one record, behind the head of its document if it has one. It raises Rejected."""
    line = messages.reader(settings, notes, latest)
    copy = copies.Reader(settings, notes, latest)
    item = history.Reader(settings, notes, latest, head)
    asked = ((copies.MARK, copy.read), *((mark, item.read) for mark in history.MARKS))

    def read(raw: bytes) -> Message | Skip:
        for mark, ask in asked:
            if mark in raw:
                found = ask(raw)
                if found is not None:
                    return found
        return line(raw)

    return read


DOCUMENTS = Documents(("msgs", "data.items"), reader=reader, one_a_line=True)
