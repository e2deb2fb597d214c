"""A message as one or several of Tencent's message bodies, within its limits (tencent.md §2, §4.1, §6).

Strategy: all parts become elements of one MsgBody, as Tencent allows, but for further custom elements. What is too long
is taken apart: one element a message, then texts in pieces. CloudCustomData carries the app's extension, and beside it
our note: id and ms in the source, and what no element has a field for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from imconvert.errors import Rejected
from imconvert.model import UNKNOWN_CLIENT, Message, Notes
from imconvert.vendors.contract import Book, Settings
from imconvert.vendors.cutting import LEAST, pieces
from imconvert.vendors.leftovers import Leftovers
from imconvert.vendors.lenient import compact
from imconvert.vendors.tencent.element_writers import CUSTOM, Choices, Desk, Element, write_element
from imconvert.vendors.wrapping import is_object, kind_of, with_note

PLACE = "CloudCustomData"
TEXT = "TIMTextElem"
TEXT_IN_NOTE = f"{PLACE} that is no object to its key ext"
_encode = msgspec.json.Encoder().encode
_OVERHEAD = len(_encode([{"MsgType": TEXT, "MsgContent": {"Text": ""}}]))
_NUMBERING = 320
"""At most what CloudCustomData grows by where a message becomes several: part, of and an id of the source."""


class Body(NamedTuple):
    """One message for Tencent: its MsgBody as JSON, and CloudCustomData."""

    elements: bytes
    data: str | None


class Limits(NamedTuple):
    """Bytes of a message above which it is remarked upon and refused; whether CloudCustomData counts; long texts."""

    warn: int
    most: int
    with_data: bool
    split: bool


class BodyWriter:
    """Makes the bodies of messages, by the settings."""

    def __init__(self, settings: Settings, notes: Notes, accounts: Book) -> None:
        self.notes = notes
        self.accounts = accounts
        self.choices = Choices(settings["tencent.image_sizes"], settings["tencent.video_cover"])
        self.noted = settings["tencent.cloud_data"] == "note"
        self.limits = Limits(
            int(settings["tencent.size_warn"]),
            int(settings["tencent.size_limit"]),
            settings["tencent.size_counts"] == "body+data",
            settings["tencent.long_text"] == "split",
        )

    def write(self, message: Message, note: dict[str, Any], *, room: bool = True) -> list[Body]:
        """The bodies of a message, in order. `note` is what has to be remembered of it beside its content; `room` says
        whether the call takes CloudCustomData. Raises Rejected (IMC-2102, IMC-22xx, IMC-2550)."""
        left = Leftovers(self.notes, PLACE if room and self.noted else None)
        desk = Desk(self.notes, left, self.accounts, self.choices)
        elements = [write_element(part, desk) for part in message.parts]
        self.notes.label = f"{kind_of(message.parts[0])} > {elements[0]['MsgType']}"
        data = self._data(message, note, left)
        if data is not None and not room:
            self.notes.changes.append(("dropped", PLACE))
            data = None
        found = [_encode(some) for some in _apart(elements)]
        if any(self._size(body, data) > self.limits.most for body in found):
            found = [piece for element in elements for piece in self._fitted(element, data)]
        if any(self._size(body, data) > self.limits.warn for body in found):
            self.notes.repairs.append("IMC-3251")
        return self._numbered(message, found, data, noted=room and self.noted)

    def _data(self, message: Message, note: dict[str, Any], left: Leftovers) -> str | None:
        """CloudCustomData: the app's own text as it is where nothing has to stand beside it."""
        told = {**note, "client": message.client} if note and left.place else {}
        if not told and message.client != UNKNOWN_CLIENT:
            self.notes.changes.append(("dropped", "client"))
        told |= left.note()
        told |= left.apart("extra", message.extra)
        if not told:
            return message.ext or None
        ext = message.ext
        if ext and not is_object(ext):
            self.notes.changes.append(("transformed", TEXT_IN_NOTE))
            ext = compact({"ext": ext})
        return with_note(ext, told)

    def _size(self, body: bytes, data: str | None) -> int:
        return len(body) + (len(data.encode()) if data and self.limits.with_data else 0)

    def _fitted(self, element: Element, data: str | None) -> Iterator[bytes]:
        """One element as a message of its own, or a long text as several. Raises Rejected (IMC-2550)."""
        body = _encode([element])
        room = self.limits.most - self._size(b"", data)
        if len(body) <= room:
            yield body
            return
        room -= _NUMBERING if self.limits.with_data else 0
        if element["MsgType"] != TEXT or not self.limits.split or room - _OVERHEAD < LEAST:
            raise Rejected("IMC-2550", kind=element["MsgType"], size=self._size(body, data), limit=self.limits.most)
        self.notes.changes.append(("transformed", "long text to several messages"))
        for piece in pieces(element["MsgContent"]["Text"], room - _OVERHEAD):
            yield _encode([{"MsgType": TEXT, "MsgContent": {"Text": piece}}])

    def _numbered(self, message: Message, found: list[bytes], data: str | None, *, noted: bool) -> list[Body]:
        """The bodies with their data: the first has all of it, and each says which of how many it is."""
        if len(found) == 1:
            return [Body(found[0], data)]
        self.notes.changes.append(("transformed", "one message to several"))
        if not noted:
            return [Body(found[0], data), *(Body(body, None) for body in found[1:])]
        parts = [{"part": f"{number}/{len(found)}", "of": message.source_id} for number in range(1, len(found) + 1)]
        return [Body(body, with_note(data if part is parts[0] else None, part))
                for body, part in zip(found, parts, strict=True)]  # fmt: skip


def _apart(elements: list[Element]) -> Iterator[list[Element]]:
    """The elements in messages of at most one custom element each (§6)."""
    some: list[Element] = []
    customs = 0
    for element in elements:
        custom = element["MsgType"] == CUSTOM
        if custom and customs:
            yield some
            some, customs = [], 0
        some.append(element)
        customs += custom
    yield some
