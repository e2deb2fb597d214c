"""Hand RongCloud's plain texts, the most of any log, to the target without a message between.

Strategy: one typed decoder takes a log line of a text with nothing unusual, with or without the time in front of it;
its two times are compared as the long way does, by tables of the seconds and milliseconds met. Whatever the decoder
or a check refuses goes the long way.
Promise: gives exactly the lines that reading and writing the messages would give;
tests/vendors/test_shortcut.py compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct

from imconvert.model import UNKNOWN_CLIENT, Notes, derived_id, key_of
from imconvert.vendors import values
from imconvert.vendors.contract import Book, Columns, Settings, Shortcut, Taken, Target, Unfit
from imconvert.vendors.rongcloud.clock import read_wall
from imconvert.vendors.rongcloud.messages import CLIENT_OF, clock_of
from imconvert.vendors.rongcloud.records import VENDOR

REMEMBERED = 4096
"""Seconds whose wall-clock text is kept at hand; lines of a log follow each other in time."""

STAMP = 19
_STAMP = re.compile(rb"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}\{")
_MILLISECONDS = {f".{number:03}": number for number in range(1000)}
_CLIENTS = {**CLIENT_OF, "": UNKNOWN_CLIENT}
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, Unfit)


class _Content(Struct, forbid_unknown_fields=True, gc=False):
    content: str
    extra: str = ""


class _Line(Struct, forbid_unknown_fields=True, gc=False):
    fromUserId: str
    targetId: str
    targetType: Literal[1, 3]
    classname: Literal["RC:TxtMsg"]
    content: _Content
    dateTime: str
    timestamp: int
    msgUID: str
    GroupId: str = ""
    appId: str = ""
    source: str = ""
    isSensitiveWord: Literal["false"] = "false"


_decode = msgspec.json.Decoder(_Line).decode


def shortcut(
    target: Target, settings: Settings, accounts: Book, groups: Book, latest: int, found: bytes = b""
) -> Shortcut | None:
    """The function that writes a batch of records to a target that takes plain texts; see `contract.Shortcut`."""
    put = target.put_text
    if put is None:
        return None
    clock = clock_of(found, settings, latest, Notes())
    offset, first, stop = clock.offset, clock.first, clock.stop
    seconds: dict[str, int] = {}
    places = {name: number for number, name in enumerate(target.streams)}

    def write_through(
        records: list[bytes], streams: tuple[Columns, ...], otherwise: Callable[[int, bytes], None]
    ) -> list[Taken]:
        decode, earliest, person, group = _decode, values.EARLIEST, accounts.get, groups.get
        index = left = -1
        for raw in records:
            index += 1
            try:
                line = decode(raw if raw[:1] == b"{" else _behind_stamp(raw))
                time, text = line.timestamp, line.dateTime
                if not earliest <= time <= latest:
                    raise Unfit
                wall = (seconds.get(text[:STAMP]) or _learn(seconds, text[:STAMP])) + _MILLISECONDS[text[STAMP:]]
                if wall - time != offset or not first <= wall < stop:
                    raise Unfit
                sender = person(line.fromUserId) or accounts.learn(line.fromUserId)
                to = line.targetId
                if line.targetType == 1:
                    chat, other = "p2p", person(to) or accounts.learn(to)
                else:
                    to = line.GroupId or to
                    chat, other = "team", group(to) or groups.learn(to)
                msgid, content = derived_id(VENDOR, line.msgUID or _nothing()), line.content
                ext: Any = content.extra or UNSET
                put(
                    streams, index, chat, msgid, sender, other, time, _CLIENTS[line.source], ext, content.content
                )  # fmt: skip
                columns = streams[places[chat]]
                columns.named.append((len(columns.lines) - 1, line.msgUID))
                columns.keys[-1] = key_of(msgid, "", "", 0)
            except _REFUSED:
                left += 1
                otherwise(index, raw)
        return [Taken("text", (), index - left, 0)]

    return Shortcut(write_through)


def _behind_stamp(raw: bytes) -> bytes:
    """The JSON behind the time of a prefixed line. Raises Unfit for any other line."""
    if not _STAMP.match(raw):
        raise Unfit
    return raw[STAMP:]


def _learn(seconds: dict[str, int], text: str) -> int:
    wall = read_wall(text)
    if wall is None or text[4] != "-" or text[10] != " ":
        raise Unfit
    if len(seconds) >= REMEMBERED:
        seconds.clear()
    seconds[text] = wall.time
    return wall.time


def _nothing() -> str:
    raise Unfit
