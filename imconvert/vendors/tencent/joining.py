"""Join a message that came in several lines to one MsgBody again: by the detour over Yunxin's lines, Tencent's own.

Strategy: such a line carries a mark as the first field of its body, `"join":[OF, NUMBER, COUNT]`. Neighbours of one
sender and one moment that are complete are joined; where one is missing, the others stay messages of their own. The
mark itself is in no finished line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from imconvert.model import Message, Notes
from imconvert.vendors.contract import Placed
from imconvert.vendors.lenient import compact
from imconvert.vendors.tencent.element_writers import CUSTOM
from imconvert.vendors.wrapping import MARK, object_of

JOIN = "join"
_MARKED = b',"body":{"join":['
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
    time: int
    found: dict[str, Any]
    mark: Mark


def mark_of(message: Message) -> Mark | None:
    """What the note of a message that came as a line of its own says about the message that it is a part of."""
    if not message.ext or f'"{MARK}"' not in message.ext or len(message.parts) > 1:
        return None
    note = object_of(message.ext).get(MARK)
    if not isinstance(note, dict) or not isinstance(note.get("of"), str) or not isinstance(note.get("part"), str):
        return None
    number, _, count = note["part"].partition("/")
    if not (number.isdecimal() and count.isdecimal() and number.isascii() and count.isascii()):
        return None
    return Mark(note["of"], int(number), int(count))


def message_in(body: dict[str, Any]) -> dict[str, Any]:
    """The one message of a call."""
    message: dict[str, Any] = body["MsgList"][0] if "MsgList" in body else body
    return message


def joined(lines: Iterator[Placed], notes: Notes, limit: int) -> Iterator[Joined]:
    """The lines with what belongs together as one, within `limit` bytes of MsgBody."""
    waiting: list[_Piece] = []
    for line in lines:
        if _MARKED not in line.data:
            yield from _apart(waiting)
            yield Joined(line.time, line.data)
            continue
        piece = _piece(line)
        if not _follows(waiting, piece):
            yield from _apart(waiting)
        waiting.append(piece)
        if piece.mark.number == piece.mark.total and waiting[0].mark.number == 1:
            yield from _together(waiting, notes, limit)
    yield from _apart(waiting)


def _piece(line: Placed) -> _Piece:
    found = _decode(line.data)
    return _Piece(line.time, found, Mark(*found["body"].pop(JOIN)))


def _follows(waiting: list[_Piece], piece: _Piece) -> bool:
    if not waiting:
        return True
    last = waiting[-1]
    same = last.time == piece.time and last.mark == piece.mark._replace(number=piece.mark.number - 1)
    return same and message_in(last.found["body"])["From_Account"] == message_in(piece.found["body"])["From_Account"]


def _apart(waiting: list[_Piece]) -> Iterator[Joined]:
    """The waiting ones as messages of their own."""
    for piece in waiting:
        yield Joined(piece.time, _encode(piece.found))
    waiting.clear()


def _together(waiting: list[_Piece], notes: Notes, limit: int) -> Iterator[Joined]:
    """The waiting ones as one message, if Tencent takes it so (§6)."""
    messages = [message_in(piece.found["body"]) for piece in waiting]
    elements = [element for message in messages for element in message["MsgBody"]]
    customs = sum(element["MsgType"] == CUSTOM for element in elements)
    if len(waiting) == 1 or customs > 1 or len(_encode(elements)) > limit:
        yield from _apart(waiting)
        return
    notes.changes.append(("transformed", "lines of one message joined"))
    first, found = messages[0], waiting[0].found
    first["MsgBody"] = elements
    data = _data([object_of(message.get("CloudCustomData")) for message in messages], waiting[0].mark.of)
    if data:
        first["CloudCustomData"] = compact(data)
    if uploads := list(dict.fromkeys(url for piece in waiting for url in piece.found.get("upload", ()))):
        body = found.pop("body")
        found.update(upload=uploads, body=body)
    yield Joined(waiting[0].time, _encode(found), len(waiting))
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
