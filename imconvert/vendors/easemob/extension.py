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

NONE = "none"
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

    def json(self, message: Message, piece: Piece, part: str, *, first: bool) -> bytes:
        """The extension as JSON, empty where there is none; the app's own stands on the `first` of several lines."""
        ext = self._own(message) if first and not piece.whole else {}
        if not self.mark:
            return encode(ext) if ext else b""
        before = ext.pop(self.mark, {})
        note: dict[str, Any] = before if isinstance(before, dict) else {"app": before}
        note |= {"id": message.source_id, "client": message.client}
        if part:
            note["part"] = part
        if first and message.extra:
            note["extra"] = message.extra
        return encode({**ext, self.mark: {**note, **piece.kept}})

    def note(self, message: Message, pieces: list[Piece]) -> None:
        """Say what becomes of what has no place."""
        changes = self.notes.changes
        if message.ext and self._object(message.ext) is None:
            changes.append(("transformed", 'ext that is no object moved below the key "ext"'))
        if self.mark:
            return
        changes.append(("dropped", "client and source id"))
        if message.extra:
            changes.append(("dropped", "leftovers of the message"))
        changes.extend(("dropped", name) for piece in pieces for name in piece.kept)

    def _own(self, message: Message) -> dict[str, Any]:
        if not message.ext:
            return {}
        found = self._object(message.ext)
        return {"ext": message.ext} if found is None else found

    @staticmethod
    def _object(ext: str) -> dict[str, Any] | None:
        if not ext.lstrip().startswith("{") or depth_exceeds(ext.encode()):
            return None
        try:
            found = _decode(ext)
        except _REFUSED:
            return None
        return found if isinstance(found, dict) else None
