"""One record of a history file, an answer or a callback, whichever spelling it has (tencent.md §4.4, §5.9, §7.2, §8).

Strategy: a typed decoder takes what the documents know; what it refuses is parsed leniently and brought into the same
typed record, so that there is one reading of its meaning. Keys that nobody knows are named and kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Struct

from imconvert.errors import Rejected
from imconvert.model import Notes
from imconvert.vendors import lenient, values
from imconvert.vendors.lenient import shown
from imconvert.vendors.tencent.keys import VENDOR, read_key

MESSAGES = frozenset({"C2C.CallbackAfterSendMsg", "Group.CallbackAfterSendMsg"})
"""The callbacks that are messages; all others are events (§8)."""

REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NAMES = {
    "sender": "From_Account", "receiver": "To_Account", "group": "GroupId", "topic": "TopicId", "body": "MsgBody",
    "seq": "MsgSeq", "random": "MsgRandom", "key": "MsgKey",
    "time_of_file": "MsgTimestamp", "time_of_answer": "MsgTimeStamp", "time_of_callback": "MsgTime",
    "data": "CloudCustomData", "platform": "MsgFromPlatform", "request_platform": "OptPlatform",
    "address": "ClientIP", "flags": "MsgFlagBits", "place": "IsPlaceMsg", "priority": "MsgPriority",
    "command": "CallbackCommand", "result": "SendMsgResult", "online_only": "OnlineOnlyFlag", "mentions": "GroupAtInfo",
    "group_type": "Type", "operator": "Operator_Account", "message_id": "MsgId",
    "random_of_group": "Random", "event_time": "EventTime", "error": "ErrorInfo", "unread": "UnreadMsgNum",
    "sync": "SyncFromOldSystem", "app": "SdkAppid",
}  # fmt: skip


class Record(Struct, forbid_unknown_fields=True, gc=False, rename=_NAMES):
    """A message as it is recorded. The last six fields say nothing about the message itself."""

    sender: str
    body: list[dict[str, Any]]
    seq: int
    receiver: str | None = None
    group: str | None = None
    topic: str | None = None
    random: int | None = None
    key: str | None = None
    time_of_file: int | None = None
    time_of_answer: int | None = None
    time_of_callback: int | None = None
    data: str | None = None
    platform: str | None = None
    request_platform: str | None = None
    address: str | None = None
    flags: int = 0
    place: int = 0
    priority: int | str | None = None
    command: str | None = None
    result: int = 0
    online_only: int = 0
    mentions: list[Any] | None = None
    group_type: str | None = None
    operator: str | None = None
    message_id: str | int | None = None
    random_of_group: Any = None
    event_time: Any = None
    error: Any = None
    unread: Any = None
    sync: Any = None
    app: Any = None


class Found(NamedTuple):
    """A record, and what it has beyond the keys that the documents know."""

    record: Record
    unknown: dict[str, Any]


_decode = msgspec.json.Decoder(Record).decode
_FIELDS = {info.encode_name: info.name for info in msgspec.structs.fields(Record)}
_WHOLE = frozenset({"seq", "random", "time_of_file", "time_of_answer", "time_of_callback",
                    "flags", "place", "result", "online_only"})  # fmt: skip
_WORDS = frozenset({"sender", "receiver", "group", "topic", "key", "platform", "request_platform", "address", "command",
                    "group_type", "operator"})  # fmt: skip


def read(raw: bytes, notes: Notes) -> Found | dict[str, Any]:
    """The message in `raw`, or what an event without a message holds. Raises Rejected (IMC-2xxx)."""
    try:
        return Found(_decode(raw), {})
    except REFUSED:
        pass
    found = lenient.parse(raw.rstrip(b" \t\r\n,"), notes)
    if "MsgBody" not in found:
        if isinstance(command := found.get("CallbackCommand"), str) and command not in MESSAGES:
            return found
        if not found.keys() & {"From_Account", "MsgSeq", "CallbackCommand"}:
            raise Rejected("IMC-2301", vendor=VENDOR)
    return _mended(found, notes)


def _mended(found: dict[str, Any], notes: Notes) -> Found:
    """The record of a parsed object, its typings mended. Raises Rejected."""
    known: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    for key, value in found.items():
        name = _FIELDS.get(key)
        if name is None:
            notes.novel.append(("key", key))
            unknown[key] = value
        elif value is not None:
            mended = _typed(name, key, value, notes)
            if mended is UNSET:
                unknown[key] = value
            else:
                known[name] = mended
    if "key" in known and not known.keys() >= {"seq", "random"} and "receiver" in known:
        seq, random, _ = read_key(known["key"])
        known = {"seq": seq, "random": random} | known
    for name in ("sender", "body", "seq"):
        if name not in known:
            raise Rejected("IMC-2101", field=_NAMES[name])
    return Found(Record(**known), unknown)


def _typed(name: str, key: str, value: Any, notes: Notes) -> Any:
    """A field's value in the type that it should have; UNSET where it can only be kept as it is. Raises Rejected."""
    if name in _WHOLE:
        return values.whole(value, key, notes)
    if name in _WORDS:
        return _word(key, value, notes)
    if name == "body":
        return _body(value)
    if name == "data" and not isinstance(value, str):
        notes.repairs.append("IMC-3017")
        return lenient.compact(value)
    expected = {"mentions": list, "priority": int | str, "message_id": int | str}.get(name)
    return UNSET if expected and (not isinstance(value, expected) or isinstance(value, bool)) else value


def _word(key: str, value: Any, notes: Notes) -> str:
    if type(value) is int:
        notes.repairs.append("IMC-3103")
        return str(value)
    return values.text(value, key)


def _body(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise Rejected("IMC-2102", field="MsgBody", found=shown(value), expected="an array of objects")
    return value
