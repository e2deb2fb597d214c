"""Messages for the local databases of RongCloud's clients (rongcloud.md §4.1): no server call imports the past.

Strategy: a line holds a message as the SDK's `batchInsertMessage` takes it, but for what depends on whose copy it is.
`messageUId` is the source's own where that was RongCloud, else made of the canonical key in the same form, so that a
second insertion finds what the first made. The app's extension goes into the content's `extra`; our note of the
source's id and of what has no field into the message's.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import Raw

from imconvert.errors import Rejected
from imconvert.model import UNKNOWN_CLIENT, Custom, Message, Notes, Notice, Skip, derived_id, key_of
from imconvert.vendors import requests
from imconvert.vendors.contract import Book, KeyFields, LeftOut, Line, Settings, Write
from imconvert.vendors.cutting import LEAST, pieces
from imconvert.vendors.device import packing
from imconvert.vendors.device.packing import Ends, Names, Sdk, item, key_fields
from imconvert.vendors.leftovers import Leftovers
from imconvert.vendors.rongcloud.contents import Desk, Written, write_content, write_notices
from imconvert.vendors.rongcloud.records import VENDOR
from imconvert.vendors.wrapping import MARK, kind_of, wrapped

API = "rongcloud/batchInsertMessage"
PRIVATE, GROUP = 1, 3
SENT, READ = 30, 1
SENDS, RECEIVES = 1, 2
TEXT = "RC:TxtMsg"
_FREE = b'"objectName":"RC:'
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode

SDK = Sdk(API, Names("messageDirection", SENDS, RECEIVES, "targetId"), lambda line: _FREE not in line)


def writer(settings: Settings, notes: Notes, accounts: Book, groups: Book) -> Write:
    """The function that writes one message. It raises Rejected (IMC-2102, IMC-22xx, IMC-255x) and LeftOut."""
    return _Writer(settings, notes, accounts, groups).write


class _Writer:
    def __init__(self, settings: Settings, notes: Notes, accounts: Book, groups: Book) -> None:
        self.notes = notes
        self.accounts = accounts
        self.groups = groups
        self.custom_class = settings["rongcloud.custom_class"]
        self.as_text = settings["rongcloud.content"] == "text"
        self.limit = int(settings["rongcloud.size_limit"])
        self.without_notices = settings["rongcloud.notices"] == "skip"

    def write(self, message: Message) -> list[Line]:
        if self.without_notices and isinstance(message.parts[0], Notice):
            raise LeftOut(Skip("IMC-8104", {"setting": "rongcloud.notices=skip"}))
        books = self.accounts if message.chat == "p2p" else self.groups
        ends = Ends(self.accounts[message.sender], books[message.target])
        left = Leftovers(self.notes, "extra")
        written = self._contents(message, ends, Desk(self.notes, left, self.accounts, self.custom_class))
        self.notes.label = f"{kind_of(message.parts[0])} > {written[0].kind}"
        if len(written) > 1:
            self.notes.changes.append(("transformed", "one message to several"))
        note = self._note(message, left)
        return [self._line(message, number, ends, one, note, len(written)) for number, one in enumerate(written)]

    def _contents(self, message: Message, ends: Ends, desk: Desk) -> list[Written]:
        """Class and content of each message that this one becomes. Raises Rejected."""
        notices = [part for part in message.parts if isinstance(part, Notice)]
        if len(notices) == len(message.parts):
            written = [write_notices(notices, ends.sender, desk)]
        else:
            written = [write_content(part, ends.sender, desk) for part in message.parts]
        written = [piece for one in written for piece in self._pieces(one)]
        if message.ext:
            written[0] = Written(written[0].kind, self._extended(written[0].content, message.ext))
        return written

    def _extended(self, content: dict[str, Any], ext: str) -> dict[str, Any]:
        """The content with the app's extension, unless the content has one of its own."""
        if "extra" in content:
            self.notes.changes.append(("dropped", "ext beside the content's own extra"))
            return content
        return {**content, "extra": ext}

    def _pieces(self, written: Written) -> list[Written]:
        """A content, or the pieces of a text that is too long. Raises Rejected (IMC-2550)."""
        text = written.content.get("content")
        if written.kind != TEXT or not isinstance(text, str) or len(_encode(written.content)) <= self.limit:
            return [self._fitting(written)]
        room = self.limit - len(_encode({**written.content, "content": ""}))
        if room < LEAST:
            return [self._fitting(written)]
        self.notes.changes.append(("transformed", "long text to several messages"))
        return [Written(TEXT, {**written.content, "content": piece}) for piece in pieces(text, room)]

    def _fitting(self, written: Written) -> Written:
        size = len(_encode(written.content))
        if size > self.limit:
            raise Rejected("IMC-2550", kind=written.kind, size=size, limit=self.limit)
        return written

    def _note(self, message: Message, left: Leftovers) -> dict[str, Any]:
        note: dict[str, Any] = {} if _is_own(message) else {"id": message.source_id}
        if message.client != UNKNOWN_CLIENT:
            note["client"] = message.client
        return note | left.note() | left.apart("extra", message.extra)

    def _line(
        self, message: Message, number: int, ends: Ends, written: Written, note: dict[str, Any], count: int
    ) -> Line:
        if number:
            note = {}
        if count > 1:
            note = note | {"part": f"{number + 1}/{count}", "of": message.source_id}
        content = _encode(written.content)
        body = {
            "conversationType": PRIVATE if message.chat == "p2p" else GROUP,
            "senderUserId": ends.sender,
            "objectName": written.kind,
            "content": content.decode() if self.as_text else Raw(content),
            "sentTime": message.time,
            "messageUId": _uid(message, number, ends),
            "sentStatus": SENT,
            "receivedStatus": READ,
            "extra": _encode({MARK: note}).decode() if note else "",
        }
        return item(SDK, message, number, ends, body)


def _is_own(message: Message) -> bool:
    """Whether a message comes from RongCloud with an id of its own."""
    return message.msgid == derived_id(VENDOR, message.source_id)


def _uid(message: Message, number: int, ends: Ends) -> str:
    if number == 0 and _is_own(message):
        return message.source_id
    return uid_of(key_fields(message, number, ends))


def uid_of(fields: KeyFields) -> str:
    """An id in RongCloud's form, four groups of capitals and digits, from the canonical key (§2.2)."""
    text = base64.b32encode(key_of(*fields)[:10]).decode()
    return "-".join(text[begin : begin + 4] for begin in range(0, 16, 4))


def with_msgid(line: bytes, msgid: int) -> bytes:
    """The line with another message number; its messageUId changes with it."""
    found = _decode(line)
    fields = packing.read_key(line)._replace(msgid=msgid)
    found["key"] = requests.key(msgid, fields.time, fields.sender)
    found["body"]["messageUId"] = uid_of(fields)
    return _encode(found)


def tombstone(line: bytes, source: str, settings: Settings) -> bytes:
    """The line of a recalled message: of its content only the class that it had."""
    found = _decode(line)
    found.pop("upload", None)
    body = found["body"]
    content = wrapped(Custom("recalled", source, {"type": body["objectName"]}))
    body["objectName"] = settings["rongcloud.custom_class"]
    body["content"] = _encode(content).decode() if settings["rongcloud.content"] == "text" else content
    body["extra"] = ""
    return _encode(found)


def digest_of(line: bytes) -> bytes:
    """xxh3-64 of the canonical content of a line."""
    return packing.digest_of(line, free=SDK.free(line))
