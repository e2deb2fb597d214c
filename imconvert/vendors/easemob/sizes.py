"""Cut a text that is too long for one message (easemob.md §4.4): the size of a message is counted in bytes of JSON."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import msgspec

_encode = msgspec.json.Encoder().encode
_JOINER = "\u200d"
_LOOK_BACK = 64
"""Characters that a cut may move back to find a better place."""


def json_bytes(text: str) -> int:
    """Bytes of a text within the quotes of a JSON string."""
    return len(_encode(text)) - 2


def cut(text: str, first: int, others: int) -> Iterator[str]:
    """The text in pieces of at most `first` and then `others` bytes of JSON, cut between what a reader sees as
    characters, at the end of a line or a word where one is near."""
    room = first
    while json_bytes(text) > room:
        end = _boundary(text, _fitting(text, room))
        yield text[:end]
        text, room = text[end:], others
    yield text


def _fitting(text: str, room: int) -> int:
    """How many characters of a text, at least one, fit into `room` bytes."""
    low, high = 1, min(len(text), max(1, room))
    while low < high:
        middle = (low + high + 1) // 2
        if json_bytes(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _boundary(text: str, end: int) -> int:
    """The best place to cut at or shortly before `end`."""
    start = max(1, end - _LOOK_BACK)
    for wanted in ("\n", " "):
        at = text.rfind(wanted, start, end)
        if at > 0:
            return at + 1
    at = end
    while at > start and _joined(text, at):
        at -= 1
    return at if not _joined(text, at) else end


def _joined(text: str, at: int) -> bool:
    """Whether the characters on both sides of a place belong together: marks, joined and flagged emoji, skin tones."""
    before, after = text[at - 1], text[at]
    if unicodedata.combining(after) or unicodedata.category(after) in ("Mn", "Me", "Mc", "Cf"):
        return True
    if before == _JOINER or "\U0001f3fb" <= after <= "\U0001f3ff" or (before == "\r" and after == "\n"):
        return True
    return _flag(after) and _flag(before) and _flags_before(text, at) % 2 == 1


def _flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flags_before(text: str, at: int) -> int:
    start = at
    while start and _flag(text[start - 1]):
        start -= 1
    return at - start
