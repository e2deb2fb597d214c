"""The extension of a request: the app's own keys, then, below a key of ours, what Easemob has no field for.

The key holds `id` (of the message in the source) and `client`, so that a message is found again at the vendor, and
where it applies `part`, `time` (the true one, where it had to be moved), leftovers. Reference: easemob.md §4.3, §4.4.
"""

from __future__ import annotations

from typing import Any

import msgspec

from imconvert.model import Message, Notes, depth_exceeds
from imconvert.vendors.contract import Settings
from imconvert.vendors.easemob.outgoing import Piece, encode
from imconvert.vendors.wrapping import MARK

NONE = "none"
CONTENT = ("src", "raw", "long")
"""What is kept of a message that can't be understood without it."""

_WORDS = {"dur": "dur in ms", "extra": "leftovers", "w": "width", "h": "height"}
_decode = msgspec.json.Decoder().decode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def mark_of(settings: Settings) -> str:
    """The key of ours, empty where nothing of ours is to be written."""
    mark = settings["easemob.mark"]
    return "" if mark == NONE else mark


class Extension:
    """Makes extensions, by the settings."""

    def __init__(self, settings: Settings, notes: Notes) -> None:
        self.notes = notes
        self.mark = mark_of(settings)
        self.last: tuple[str, dict[str, Any] | None] = "", None

    def json(self, message: Message, piece: Piece, part: str, *, first: bool) -> bytes:
        """The extension as JSON, empty where there is none; the app's own stands on the `first` of several lines."""
        ext = self._own(message) if first and not piece.whole else {}
        ours = self._ours(message, piece, part, first=first)
        if ours:
            mark = self.mark or MARK
            before = ext.pop(mark, {})
            ext[mark] = {**(before if isinstance(before, dict) else {"app": before}), **ours}
        return encode(ext) if ext else b""

    def _ours(self, message: Message, piece: Piece, part: str, *, first: bool) -> dict[str, Any]:
        """What is told below our key; without one only what the message can't be understood without."""
        parts = {"part": part} if part else {}
        if not self.mark:
            return parts | {key: value for key, value in piece.kept.items() if key in CONTENT}
        extra = {"extra": message.extra} if first and message.extra else {}
        return {"id": message.source_id, "client": message.client, **parts, **extra, **piece.kept}

    def note(self, message: Message, pieces: list[Piece]) -> None:
        """Say what becomes of what has no place."""
        changes = self.notes.changes
        if message.ext and self._object(message.ext) is None:
            changes.append(("transformed", 'ext that is no object moved below the key "ext"'))
        before = self._own(message).get(MARK) if message.ext and MARK in message.ext else None
        if isinstance(before, dict) and "of" in before:
            changes.append(("degraded", "bodies of one message stay apart"))
        names = [_WORDS.get(name, name) for piece in pieces for name in piece.kept if name not in CONTENT]
        names += ["leftovers of the message"] if message.extra else []
        if self.mark:
            changes.extend(("transformed", f"{name} kept in ext") for name in names)
        else:
            changes.extend(("dropped", name) for name in ("client and source id", *names))

    def _own(self, message: Message) -> dict[str, Any]:
        if not message.ext:
            return {}
        found = self._object(message.ext)
        return {"ext": message.ext} if found is None else dict(found)

    def _object(self, ext: str) -> dict[str, Any] | None:
        """The extension as an object if it is one; that of the last message is at hand, for it is asked for often."""
        if ext != self.last[0]:
            self.last = ext, _object_in(ext)
        return self.last[1]


def _object_in(ext: str) -> dict[str, Any] | None:
    if not ext.lstrip().startswith("{") or depth_exceeds(ext.encode()):
        return None
    try:
        found = _decode(ext)
    except _REFUSED:
        return None
    return found if isinstance(found, dict) else None
