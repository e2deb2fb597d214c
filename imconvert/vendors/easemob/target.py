"""Write messages as Easemob's import requests, one a message (easemob.md §4.3).

Promise: a line is the final request but for its time, which only the order of its conversation can settle (`order.py`).
The app's extension keeps its keys; what the vendor has no field for stands below a key of our own, the last one in it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_digest

from imconvert.model import Message, Notes, derived_id, key_of
from imconvert.vendors import requests
from imconvert.vendors.contract import Book, Line, Settings, Write
from imconvert.vendors.easemob.extension import Extension
from imconvert.vendors.easemob.fit import Fit
from imconvert.vendors.easemob.outgoing import Bodies, Piece, encode
from imconvert.vendors.wrapping import kind_of

APIS = {"p2p": "messages/users/import", "team": "messages/chatgroups/import"}
CUSTOM = "custom"

_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


def writer(settings: Settings, notes: Notes, accounts: Book, groups: Book) -> Write:
    """The function that writes one message. It raises Rejected (IMC-25xx) or LeftOut before it makes any line."""
    bodies = Bodies(settings, notes, accounts)
    extension = Extension(settings, notes)
    fit = Fit(settings, notes, extension)
    lines = _Lines(settings, extension)

    def write(message: Message) -> list[Line]:
        sender = accounts[message.sender]
        target = groups[message.target] if message.chat == "team" else accounts[message.target]
        pieces = fit.pieces(message, [bodies.piece(part) for part in message.parts])
        notes.label = f"{kind_of(message.parts[0])} > {pieces[0].type}"
        count = len(pieces)
        return [
            lines.line(message, sender, target, piece, f"{number + 1}/{count}" if count > 1 else "", number)
            for number, piece in enumerate(pieces)
        ]

    return write


def flags(settings: Settings, *, download: bool) -> bytes:
    """What stands between body and extension: whether the vendor is to fetch a file, and whether it counts as read."""
    names = (*(("need_download",) if download else ()), "is_ack_read")
    chosen = ((name, settings[f"easemob.{name}"]) for name in names)
    return b"".join(b'"%s":%s,' % (name.encode(), value.encode()) for name, value in chosen if value != "omit")


class _Lines:
    """Puts the pieces of a message into lines."""

    def __init__(self, settings: Settings, extension: Extension) -> None:
        self.extension = extension
        self.flags, self.flags_of_files = (flags(settings, download=download) for download in (False, True))

    def line(self, message: Message, sender: str, target: str, piece: Piece, part: str, number: int) -> Line:
        msgid = message.msgid if number == 0 else derived_id("part", f"{message.source_id}#{number}")
        chat, time = message.chat, message.time
        ext = self.extension.json(message, piece, part, first=number == 0)
        download = "url" in piece.body and not piece.upload
        body = b'{"from":%s,"target":%s,"type":"%s","body":%s,%s%s"msg_timestamp":%d}' % (
            encode(sender), encode(target), piece.type.encode(), encode(piece.body),
            self.flags_of_files if download else self.flags,
            b'"ext":%s,' % ext if ext else b"", time,
        )  # fmt: skip
        conv = requests.conversation(chat, sender, target)
        key = requests.key(msgid, time, sender)
        data = requests.line(APIS[chat], conv, key, time, msgspec.Raw(body), piece.upload)
        digest = xxh3_64_digest(_encode_sorted(_decode(data)) if piece.type == CUSTOM else data)
        end = target if chat == "p2p" else (target,)
        return Line(chat, key_of(msgid, sender, end, time), data, digest, msgid, time)


class _Body(Struct, gc=False):
    type: str


class _Line(Struct, gc=False):
    body: _Body


_decode_type = msgspec.json.Decoder(_Line).decode


def digest_of(line: bytes) -> bytes:
    """xxh3-64 of the content of a line that `writer` made, 8 bytes; the keys of custom content have no order."""
    return xxh3_64_digest(_encode_sorted(_decode(line)) if _decode_type(line).body.type == CUSTOM else line)


def tombstone(line: bytes, source: str, settings: Settings) -> bytes:
    """The line of a recalled message: who, where and when, but of its content only the type."""
    found = _decode(line)
    body = found["body"]
    content: Any = {"customEvent": "recalled", "customExts": {"type": body["type"]}}
    mark = body.get("ext", {}).get(settings["easemob.mark"], {})
    own = {key: mark[key] for key in ("id", "client", "part") if key in mark}
    ext = {"ext": {settings["easemob.mark"]: own}} if own else {}
    ends = {key: body[key] for key in ("from", "target")}
    time = body["msg_timestamp"]
    found.pop("upload", None)
    found["body"] = {**ends, "type": CUSTOM, "body": content, **ext, "msg_timestamp": time}
    return encode(found)
