"""Read the posts of Yunxin's message copy service (消息抄送), one JSON body a line, as messages (yunxin.md §3).

Strategy: a copy says with words what an import line says with numbers. It is turned into the typed record of such a
line, so that what both can say is read in one place; notifications become the notices 101-110 (`notices.py`).
Copies of other events than messages, of chat rooms, of system notifications and of what was blocked are left out.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from imconvert.errors import Rejected
from imconvert.model import MAX_ID, Custom, Message, Notes, Part, Skip
from imconvert.vendors import lenient, values
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.yunxin import messages, notices, repair
from imconvert.vendors.yunxin.records import MEDIA, REFUSED, Data, Record

MARK = b'"eventType"'
"""What every copy has in it."""

_CALL = -1
_TEAMS = ("TEAM", "SUPER_TEAM")
_CHATS = ("PERSON", *_TEAMS)
_SYSTEM = ("CUSTOM_PERSON", "CUSTOM_TEAM")
_TYPES = {
    "TEXT": 0, "PICTURE": 1, "AUDIO": 2, "VIDEO": 3, "LOCATION": 4, "FILE": 6, "TIPS": 10, "CUSTOM": 100,
    "NOTIFICATION": notices.NOTIFICATION,
}  # fmt: skip
CLIENTS = {
    "AOS": 1, "IOS": 2, "PC": 4, "WINPHONE": 8, "WEB": 16, "REST": 32, "MAC": 64, "HARMONY": 65,
}  # fmt: skip
_EVENTS = {
    "2": "login", "3": "logout", "5": "call duration", "6": "call file", "9": "chat room entered or left",
}  # fmt: skip
_CHATROOM = "4"
_CAPTIONED = frozenset({100, _CALL, 4, *MEDIA})
"""The types beside whose content a caption may stand."""


class Copy(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A post of event type 1. The fields from `fromDeviceId` on tell of the transport, and are not taken."""

    eventType: str | int
    convType: str
    to: str
    fromAccount: str
    msgType: str
    msgTimestamp: str | int
    msgidServer: str | int
    fromClientType: str = ""
    body: str | None = None
    attach: str | dict[str, Any] = ""
    ext: str = ""
    antispam: Any = None
    blacklist: Any = None
    msgidClient: Raw = Raw()
    fromDeviceId: Raw = Raw()
    fromNick: Raw = Raw()
    ip: Raw = Raw()
    port: Raw = Raw()
    resendFlag: Raw = Raw()
    tMembers: Raw = Raw()
    yidunRes: Raw = Raw()
    customSafeFlag: Raw = Raw()
    customApnsText: Raw = Raw()
    aiParams: Raw = Raw()


_decode = msgspec.json.Decoder(Copy).decode
TRANSPORT = tuple(info.encode_name for info in msgspec.structs.fields(Copy) if info.type is Raw)
"""The fields that tell of the transport."""

_KEYS = frozenset(info.encode_name for info in msgspec.structs.fields(Copy))
_NEEDED = ("convType", "to", "fromAccount", "msgType", "msgTimestamp", "msgidServer")
_TEXTS = ("convType", "to", "fromAccount", "msgType", "fromClientType", "body")

_FOREIGN = {"msg_id", "conversationInfo", "originalMsgInfo"}
"""Fields of other vendors' posts that have an event type as well."""


def looks_like(value: dict[str, Any]) -> bool:
    """An object whose event type is a number; other vendors have words there, or fields that copies don't have."""
    kind = value.get("eventType")
    return not value.keys() & _FOREIGN and (type(kind) is int or (isinstance(kind, str) and values.digits(kind)))


class Reader:
    """Reads copies; `read` gives None for a record that is none."""

    def __init__(self, settings: Settings, notes: Notes, latest: int) -> None:
        self.notes = notes
        self.calls = settings["yunxin.calls"] == "custom"
        self.super_teams = settings["yunxin.super_team"] == "team"
        self.words = notices.Words.of(settings)
        kinds = {notices.NOTIFICATION: notices.read_notification, _CALL: _call}
        self.take = messages.taker(settings, notes, latest, kinds=kinds)

    def read(self, raw: bytes) -> Message | Skip | None:
        try:
            copy = _decode(raw)
        except REFUSED:
            return self._mended(raw)
        if copy.eventType == "1" or looks_like({"eventType": copy.eventType}):
            return self._read(copy, raw)
        return None

    def _mended(self, raw: bytes) -> Message | Skip | None:
        """A copy that the typed decoder refused. Raises Rejected."""
        try:
            found = lenient.parse(raw, Notes())
        except Rejected:
            return None
        if not looks_like(found):
            return None
        lenient.parse(raw, self.notes)
        event = str(found["eventType"])
        if event != "1":
            return self._other(event)
        self.notes.novel.extend(("key", key) for key in found if key not in _KEYS)
        for key in sorted(found.keys() - _KEYS):
            self.notes.repairs.append("IMC-3018")
            self.notes.changes.append(("degraded", f"unknown key {key[:40]}"))
        return self._read(_copy(found, self.notes), raw)

    def _other(self, event: str) -> Skip:
        if event == _CHATROOM:
            return Skip("IMC-8103", {})
        if event not in _EVENTS:
            self.notes.novel.append(("value", f"eventType={event}"))
        return Skip("IMC-8151", {"event": _EVENTS.get(event, event)})

    def _read(self, copy: Copy, raw: bytes) -> Message | Skip:
        if str(copy.eventType) != "1":
            return self._other(str(copy.eventType))
        left_out = self._left_out(copy)
        if left_out:
            return left_out
        kind = self._kind(copy.msgType)
        if kind is None:
            return Skip("IMC-8104", {"setting": "yunxin.calls=skip"})
        message = self.take(Record(kind, self._data(copy, kind)), raw)
        if kind == notices.NOTIFICATION:
            message = notices.placed(message, self.words, self.notes)
        return self._with_words(message, copy, kind)

    def _with_words(self, message: Message, copy: Copy, kind: int) -> Message:
        """The message, with the caption beside its content, and which kind of call it was."""
        words = {"body": copy.body} if copy.body and kind in _CAPTIONED else {}
        if kind == _CALL:
            words["msgType"] = copy.msgType
        if not words:
            return message
        self.notes.changes.extend(("transformed", f"{name} kept in ext") for name in words)
        return msgspec.structs.replace(message, extra=words)

    def _left_out(self, copy: Copy) -> Skip | None:
        """Why a copy is no message of the history, if it is none. Raises Rejected (IMC-2102)."""
        chat = copy.convType
        if chat in _SYSTEM:
            return Skip("IMC-8152", {"kind": copy.msgType})
        if chat not in _CHATS:
            self.notes.novel.append(("value", f"convType={chat}"))
            raise Rejected("IMC-2102", field="convType", found=shown(chat), expected=" or ".join(_CHATS))
        for name in ("antispam", "blacklist"):
            if getattr(copy, name) not in (None, "", "0", "false", False, 0):
                return Skip("IMC-8150", {"why": name})
        if chat == "SUPER_TEAM" and not self.super_teams:
            return Skip("IMC-8104", {"setting": "yunxin.super_team=skip"})
        return None

    def _kind(self, name: str) -> int | None:
        """The number of a message type; None for a call that is not wanted. Raises Rejected (IMC-2106)."""
        kind = _TYPES.get(name)
        if kind is not None:
            return kind
        if name == "NRTC_NETCALL" or name.startswith("NETCALL_"):
            return _CALL if self.calls else None
        self.notes.novel.append(("type", name))
        raise Rejected("IMC-2106", found=shown(name))

    def _data(self, copy: Copy, kind: int) -> Data:
        """The copy as the data of an import line. Raises Rejected."""
        notes = self.notes
        data = Data(
            msgid=_number(copy.msgidServer, "msgidServer", notes),
            createTime=values.whole(copy.msgTimestamp, "msgTimestamp", notes, note=None),
            clientType=CLIENTS.get(copy.fromClientType, copy.fromClientType),
            ext=copy.ext or UNSET,
            attach=copy.attach or UNSET,
        )
        if kind not in _CAPTIONED and copy.body is not None:
            data.body = copy.body
        if copy.convType in _TEAMS:
            data.accid = copy.fromAccount
            data.tid = _number(copy.to, "to", notes)
        else:
            data.from_, data.to = copy.fromAccount, copy.to
        return data


def _number(value: str | int, field: str, notes: Notes) -> int:
    """An id that is a number, which copies write as text. Raises Rejected (IMC-2103, IMC-2102)."""
    number = values.whole(value, field, notes, note=None)
    if 1 <= number <= MAX_ID:
        return number
    if field == "msgidServer":
        raise Rejected("IMC-2103", found=shown(value))
    raise Rejected("IMC-2102", field=field, found=shown(value), expected="a number from 1 to 2^63-1")


def _call(record: Record, notes: Notes) -> Part:
    """A call has no type of its own in an import: it is kept whole, as content of the app."""
    content = {} if record.data.attach is UNSET else repair.attach_object(record.data.attach, notes)
    repair.check_depth(content)
    notes.changes.append(("transformed", "call to a wrapped custom message"))
    return Custom("call", "yunxin", content)


def _copy(found: dict[str, Any], notes: Notes) -> Copy:
    """The fields of a copy from whatever typing they came in. Raises Rejected (IMC-2101, IMC-2102)."""
    fields = {key: value for key, value in found.items() if key in _KEYS and value is not None}
    for key in _NEEDED:
        if key not in fields:
            raise Rejected("IMC-2101", field=key)
    for key in _TEXTS:
        if key in fields:
            fields[key] = str(fields[key]) if type(fields[key]) is int else values.text(fields[key], key)
    for key in ("msgTimestamp", "msgidServer"):
        fields[key] = values.whole(fields[key], key, notes, note=None)
    if not isinstance(fields.get("attach", ""), str | dict):
        raise Rejected("IMC-2107", found=shown(fields["attach"]))
    if not isinstance(fields.get("ext", ""), str):
        notes.repairs.append("IMC-3017")
        fields["ext"] = lenient.compact(fields["ext"])
    return Copy(**fields)
