"""Join a message that came in several lines to one MsgBody again: by the detour over Yunxin's lines, Tencent's own.

Strategy: the note in such a line's CloudCustomData says of which message it is which part. Neighbours of one sender and
one moment that are complete are joined, if they fit; where one is missing, the others stay messages of their own. So do
the parts that a message of ours was taken apart into, which are too much for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from imconvert.model import Notes
from imconvert.vendors.contract import Placed
from imconvert.vendors.lenient import compact
from imconvert.vendors.tencent.bodies import PLACE
from imconvert.vendors.tencent.element_writers import CUSTOM
from imconvert.vendors.values import digits
from imconvert.vendors.wrapping import MARK, object_of

MARKED = b'\\"part\\":\\"'
"""Stands in every line that is a part of a message."""

_decode = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode
_encode = msgspec.json.Encoder().encode


class Joined(NamedTuple):
    """A line in order, made of so many of the lines that were sorted."""

    time: int
    data: bytes
    lines: int = 1


class Mark(NamedTuple):
    """The message that a line is a part of, which part, and of how many."""

    of: str
    number: int
    total: int


class _Piece(NamedTuple):
    line: Joined
    found: dict[str, Any]
    mark: Mark


class Room(NamedTuple):
    """Bytes that a message may have; whether CloudCustomData counts."""

    most: int
    with_data: bool


def message_in(body: dict[str, Any]) -> dict[str, Any]:
    """The one message of a call."""
    message: dict[str, Any] = body["MsgList"][0] if "MsgList" in body else body
    return message


def joined(lines: Iterator[Placed], notes: Notes, room: Room) -> Iterator[Joined]:
    """The lines with what belongs together as one, within the room of a message."""
    waiting: list[_Piece] = []
    for time, data in lines:
        line = Joined(time, data)
        piece = _piece(line) if MARKED in data else None
        if waiting and not (piece and _follows(waiting[-1], piece)):
            yield from _apart(waiting)
        if not piece:
            yield line
            continue
        waiting.append(piece)
        if piece.mark.number == piece.mark.total and waiting[0].mark.number == 1:
            yield from _together(waiting, notes, room)
    yield from _apart(waiting)


def _piece(line: Joined) -> _Piece | None:
    found = _decode(line.data)
    note = object_of(message_in(found["body"]).get(PLACE)).get(MARK)
    mark = _mark(note) if isinstance(note, dict) else None
    return _Piece(line, found, mark) if mark else None


def _mark(note: dict[str, Any]) -> Mark | None:
    """What a note says about the message that the line is a part of."""
    of, part = note.get("of"), note.get("part")
    if not isinstance(of, str) or not isinstance(part, str):
        return None
    number, _, total = part.partition("/")
    return Mark(of, int(number), int(total)) if digits(number) and digits(total) else None


def _follows(last: _Piece, piece: _Piece) -> bool:
    same = last.line.time == piece.line.time and last.mark == piece.mark._replace(number=piece.mark.number - 1)
    return same and message_in(last.found["body"])["From_Account"] == message_in(piece.found["body"])["From_Account"]


def _apart(waiting: list[_Piece]) -> Iterator[Joined]:
    """The waiting ones as messages of their own."""
    yield from (piece.line for piece in waiting)
    waiting.clear()


def _together(waiting: list[_Piece], notes: Notes, room: Room) -> Iterator[Joined]:
    """The waiting ones as one message, if Tencent takes it so (§6)."""
    messages = [message_in(piece.found["body"]) for piece in waiting]
    elements = [element for message in messages for element in message["MsgBody"]]
    customs = sum(element["MsgType"] == CUSTOM for element in elements)
    own = _data([object_of(message.get(PLACE)) for message in messages], waiting[0].mark.of)
    data = {PLACE: compact(own)} if own else {}
    size = len(_encode(elements)) + sum(len(text.encode()) for text in data.values() if room.with_data)
    if len(waiting) == 1 or customs > 1 or size > room.most:
        yield from _apart(waiting)
        return
    notes.changes.append(("transformed", "lines of one message joined"))
    first, found = messages[0], waiting[0].found
    first.pop(PLACE)
    first.update({"MsgBody": elements, **data})
    if uploads := list(dict.fromkeys(url for piece in waiting for url in piece.found.get("upload", ()))):
        body = found.pop("body")
        found.update(upload=uploads, body=body)
    yield Joined(waiting[0].line.time, _encode(found), len(waiting))
    waiting.clear()


def _data(found: list[dict[str, Any]], of: str) -> dict[str, Any]:
    """The first one's CloudCustomData, with the leftovers of all, and the id of the whole."""
    notes = [data.get(MARK) or {} for data in found]
    left = [note.get("left", {}) for note in notes]
    note = {key: value for key, value in notes[0].items() if key not in ("part", "of", "left")}
    if "id" in note:
        note["id"] = of
    note |= {"left": left} if any(left) else {}
    data = {key: value for key, value in found[0].items() if key != MARK}
    return {**data, MARK: note} if note else data
