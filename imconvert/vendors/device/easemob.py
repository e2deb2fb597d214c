"""Messages for the local databases of Easemob's clients: what `importMessages` takes (easemob.md §7).

Strategy: a line holds a message but for what depends on whose copy it is. `msgId` is the source's own where that was
Easemob, else the message number. The app's extension stays as it is; below a key of ours stands what has no field.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from imconvert.model import UNKNOWN_CLIENT, Message, Notes, Notice, Skip, derived_id
from imconvert.vendors import requests
from imconvert.vendors.contract import Book, LeftOut, Line, Settings, Write
from imconvert.vendors.device import packing
from imconvert.vendors.device.flutter import VENDOR, Body, Desk, write_body
from imconvert.vendors.device.packing import Ends, Names, Sdk, item, key_fields
from imconvert.vendors.leftovers import Leftovers
from imconvert.vendors.wrapping import is_object, kind_of, noted, object_of

API = "easemob/importMessages"
CHAT, GROUP, SUCCESS = 0, 1, 2
SDK = Sdk(API, Names("direction", "send", "rec", "conversationId"), lambda line: b'"type":"custom"' in line)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode


def writer(settings: Settings, notes: Notes, accounts: Book, groups: Book) -> Write:
    """The function that writes one message. It raises Rejected (IMC-2102, IMC-22xx, IMC-25xx) and LeftOut."""
    return _Writer(settings, notes, accounts, groups).write


class _Writer:
    def __init__(self, settings: Settings, notes: Notes, accounts: Book, groups: Book) -> None:
        self.notes = notes
        self.accounts = accounts
        self.groups = groups
        self.event = settings["device.custom_event"]
        self.without_notices = settings["device.notices"] == "skip"

    def write(self, message: Message) -> list[Line]:
        if self.without_notices and isinstance(message.parts[0], Notice):
            raise LeftOut(Skip("IMC-8104", {"setting": "device.notices=skip"}))
        books = self.accounts if message.chat == "p2p" else self.groups
        ends = Ends(self.accounts[message.sender], books[message.target])
        left = Leftovers(self.notes, "attributes")
        desk = Desk(self.notes, left, self.accounts, self.event)
        bodies = [write_body(part, desk) for part in message.parts]
        self.notes.label = f"{kind_of(message.parts[0])} > {bodies[0]['type']}"
        if len(bodies) > 1:
            self.notes.changes.append(("transformed", "one message to several"))
        attributes = self._attributes(message, left, len(bodies))
        return [self._line(message, number, ends, body, attributes[number]) for number, body in enumerate(bodies)]

    def _attributes(self, message: Message, left: Leftovers, count: int) -> list[Body]:
        """The extension of each part: the app's own stands with the first."""
        if message.ext and not is_object(message.ext):
            self.notes.changes.append(("transformed", 'ext that is no object moved below the key "ext"'))
        note: dict[str, Any] = {} if _is_own(message) else {"id": message.source_id}
        note |= {} if message.client == UNKNOWN_CLIENT else {"client": message.client}
        note |= left.note() | left.apart("extra", message.extra)
        notes = [note, *({} for _ in range(1, count))]
        if count > 1:
            notes = [one | {"part": f"{n + 1}/{count}", "of": message.source_id} for n, one in enumerate(notes)]
        own = object_of(message.ext)
        found = [own, *({} for _ in range(1, count))]
        return [noted(ext, one) if one else ext for ext, one in zip(found, notes, strict=True)]

    def _line(self, message: Message, number: int, ends: Ends, body: Body, attributes: Body) -> Line:
        return item(SDK, message, number, ends, {
            "msgId": _id(message, number, ends), "from": ends.sender, "to": ends.target,
            "chatType": CHAT if message.chat == "p2p" else GROUP, "localTime": message.time,
            "serverTime": message.time, "status": SUCCESS, "hasRead": True, "hasReadAck": False,
            "hasDeliverAck": False, "needGroupAck": False, "isThread": False, "attributes": attributes, "body": body,
        })  # fmt: skip


def _is_own(message: Message) -> bool:
    """Whether a message may come from Easemob with this very id, so that the id need not be told beside it."""
    return message.source_id == str(message.msgid) or message.msgid == derived_id(VENDOR, message.source_id)


def _id(message: Message, number: int, ends: Ends) -> str:
    if number == 0 and _is_own(message):
        return message.source_id
    return str(key_fields(message, number, ends).msgid)


def with_msgid(line: bytes, msgid: int) -> bytes:
    """The line with another message number; its msgId changes with it."""
    found = _decode(line)
    fields = packing.read_key(line)
    found["key"] = requests.key(msgid, fields.time, fields.sender)
    found["body"]["msgId"] = str(msgid)
    return _encode(found)


def tombstone(line: bytes, source: str, settings: Settings) -> bytes:
    """The line of a recalled message: of its content only the type."""
    found = _decode(line)
    found.pop("upload", None)
    body = found["body"]
    raw = _encode({"type": body["body"]["type"]}).decode()
    body["attributes"] = {}
    body["body"] = {"type": "custom", "event": "recalled", "params": {"src": source, "raw": raw}}
    return _encode(found)


def digest_of(line: bytes) -> bytes:
    """xxh3-64 of the canonical content of a line."""
    return packing.digest_of(line, free=SDK.free(line))
