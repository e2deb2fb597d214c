"""See that no message is larger than Easemob takes (easemob.md §4.4): body and extension in bytes of compact JSON.

What is too large is cut, becomes a file, or is refused, by the settings; nothing is cut off.
"""

from __future__ import annotations

from msgspec import Raw

from imconvert.errors import Rejected
from imconvert.model import Message, Notes
from imconvert.vendors.contract import Settings
from imconvert.vendors.cutting import pieces as cut
from imconvert.vendors.easemob.extension import Extension
from imconvert.vendors.easemob.outgoing import Piece, encode
from imconvert.vendors.uploads import is_own_file

SMALLEST_ROOM = 64
"""Bytes that must be left for a text beside its extension, lest it be cut into crumbs."""

WIDEST = "9999/9999"
_TEXT = "txt"
_FRAME = len(b'{"msg":""}')


class Fit:
    """Brings the pieces of a message below the limit."""

    def __init__(self, settings: Settings, notes: Notes, extension: Extension) -> None:
        self.notes = notes
        self.extension = extension
        self.limit = max(1, int(settings["easemob.size_limit"]) - int(settings["easemob.size_margin"]))
        self.texts = settings["easemob.long_text"]
        self.others = settings["easemob.long_content"]

    def pieces(self, message: Message, pieces: list[Piece]) -> list[Piece]:
        """The pieces in their order, each small enough. Raises Rejected (IMC-2502)."""
        several = WIDEST if len(pieces) > 1 else ""
        found = [
            small
            for number, piece in enumerate(pieces)
            for small in self._fitted(message, piece, several, first=number == 0)
        ]
        self.extension.note(message, found)
        if len(pieces) > 1:
            self.notes.changes.append(("transformed", "several bodies to one message each"))
        return found

    def _size(self, message: Message, piece: Piece, part: str, *, first: bool) -> int:
        return len(encode(piece.body)) + len(self.extension.json(message, piece, part, first=first))

    def _fitted(self, message: Message, piece: Piece, part: str, *, first: bool) -> list[Piece]:
        size = self._size(message, piece, part, first=first)
        if size <= self.limit:
            return [piece]
        policy = self.texts if piece.type == _TEXT else self.others
        if policy == "split":
            return self._split(message, piece, size, first=first)
        if policy == "file":
            return [self._as_file(message, piece, part, first=first)]
        raise Rejected("IMC-2502", size=size, limit=self.limit)

    def _split(self, message: Message, piece: Piece, size: int, *, first: bool) -> list[Piece]:
        rooms = [
            self.limit - _FRAME - len(self.extension.json(message, some, WIDEST, first=own))
            for some, own in ((piece, first), (Piece(_TEXT, {}), False))
        ]
        if min(rooms) < SMALLEST_ROOM:
            raise Rejected("IMC-2502", size=size, limit=self.limit)
        self.notes.repairs.append("IMC-3200")
        self.notes.changes.append(("transformed", "text cut into several messages"))
        texts = list(cut(piece.body["msg"], min(rooms)))
        return [Piece(_TEXT, {"msg": text}, piece.kept if not n else {}) for n, text in enumerate(texts)]

    def _as_file(self, message: Message, piece: Piece, part: str, *, first: bool) -> Piece:
        """A file with the text, or with body and extension as JSON."""
        self.notes.repairs.append("IMC-3201")
        if piece.type == _TEXT:
            self.notes.changes.append(("transformed", "text as a file"))
            data, suffix = piece.body["msg"].encode(), "txt"
        else:
            self.notes.changes.append(("transformed", f"{piece.type} as a file"))
            ext = self.extension.json(message, piece, "", first=first)
            more = {"ext": Raw(ext)} if ext else {}
            data, suffix = encode({"type": piece.type, "body": piece.body, **more}), "json"
        url = self.notes.keep(data, suffix)
        kept = {**(piece.kept if piece.type == _TEXT else {}), "long": piece.type}
        found = Piece("file", {"url": url, "filename": f"message.{suffix}"}, kept, whole=suffix == "json")
        if is_own_file(url):
            found.upload.append(url)
        size = self._size(message, found, part, first=first)
        if size > self.limit:
            raise Rejected("IMC-2502", size=size, limit=self.limit)
        return found
