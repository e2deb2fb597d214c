"""Read Easemob's history lines, webhook posts, and entities of old dumps, as messages (easemob.md §2.2-2.4, §5.2).

Strategy: a typed decoder takes what the vendor documents; what it refuses is parsed leniently and brought into the
same typed record, so that there is one reading of its meaning.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from imconvert.errors import Rejected
from imconvert.model import MAX_DEPTH, MAX_ID, UNKNOWN_CLIENT, Message, Notes, Skip, depth_exceeds, derived_id
from imconvert.vendors import lenient, values
from imconvert.vendors.contract import Read, Settings
from imconvert.vendors.easemob import posts
from imconvert.vendors.easemob.bodies import VENDOR, read_body
from imconvert.vendors.lenient import shown

_EVENTS = frozenset({"recall", "edit", "notify", "read_ack"})
_CHATS = {"chat": "p2p", "groupchat": "team"}
_POSTED = {**_CHATS, "group": "team"}
REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Payload(Struct, forbid_unknown_fields=True, gc=False):
    """`payload`: what was said, by whom, to whom; `meta` tells of an edit."""

    bodies: list[dict[str, Any]] = []
    ext: dict[str, Any] | str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    type: str | None = None
    ack_message_id: str | None = None
    edit_message_id: str | None = None
    meta: Raw | None = None


class Record(Struct, forbid_unknown_fields=True, gc=False):
    """One history line, one entity of a dump or one webhook post (§2.2, §2.4, §5.2).

    `event` is there in posts only. Behind `direction` nothing is said about the message.
    """

    msg_id: str
    timestamp: int
    payload: Payload
    chat_type: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    recall_id: str | None = None
    event: str | None = msgspec.field(default=None, name="eventType")
    group_id: str | None = None
    content_type: str | None = None
    direction: Literal["outgoing", "incoming"] | None = None
    type: Literal["chatmessage"] | None = None
    uuid: Raw | None = None
    created: Raw | None = None
    modified: Raw | None = None
    callId: Raw | None = None
    security: Raw | None = None
    securityVersion: Raw | None = None
    appkey: Raw | None = None
    host: Raw | None = None


_decode = msgspec.json.Decoder(Record).decode
_decode_any = msgspec.json.Decoder().decode
_KEYS = frozenset(info.encode_name for info in msgspec.structs.fields(Record))
_PAYLOAD_KEYS = frozenset(info.encode_name for info in msgspec.structs.fields(Payload))


def looks_like(value: dict[str, Any]) -> bool:
    """A message record, or a dump that holds an array of entities."""
    if isinstance(value.get("entities"), list) and ("action" in value or "path" in value or "entities" in value):
        return True
    return "msg_id" in value and ("payload" in value or "chat_type" in value)


def reader(settings: Settings, notes: Notes, latest: int) -> Read:
    """The function that reads one record. It raises Rejected with codes of the 2xxx family."""
    skip_commands = settings["easemob.commands"] == "skip"
    without_copies = settings["easemob.incoming"] == "skip"

    def read(raw: bytes) -> Message | Skip:
        if depth_exceeds(raw):
            raise Rejected("IMC-2004", limit=MAX_DEPTH)
        try:
            record = _decode(raw)
        except REFUSED:
            record = _mended(raw, notes)
        if not record.msg_id:
            raise Rejected("IMC-2102", field="msg_id", found='""', expected="an id")
        payload = record.payload
        chat = _chat_of(record, notes, without_copies=without_copies)
        if isinstance(chat, Skip):
            return chat
        bodies = payload.bodies
        if skip_commands and bodies and all(body.get("type") == "cmd" for body in bodies):
            return Skip("IMC-8104", {"setting": "easemob.commands=skip"})
        time = record.timestamp
        if not values.EARLIEST <= time <= latest:
            time = values.milliseconds(time, latest, notes)
        if not bodies:
            raise Rejected("IMC-2110")
        return Message(
            record.msg_id,
            _msgid(record.msg_id, notes),
            time,
            chat,  # type: ignore[arg-type]
            _person(payload.from_ or record.from_, "payload.from", notes),
            _person(_target(record, chat), "payload.to", notes),
            UNKNOWN_CLIENT,
            tuple([read_body(body, notes) for body in bodies]),
            _ext(payload.ext, notes),
        )

    return read


def _chat_of(record: Record, notes: Notes, *, without_copies: bool) -> str | Skip:
    """Whether it is a message of two people or of a group, or why it is left out. Raises Rejected."""
    if without_copies and record.direction == "incoming":
        return Skip("IMC-8104", {"setting": "easemob.incoming=skip"})
    payload = record.payload
    kind = record.chat_type or payload.type or "chat"
    chats = _CHATS
    if record.event is not None:
        skip = posts.left_out(record.event, kind, record.content_type, notes)
        if skip:
            return skip
        chats = _POSTED
    if kind not in chats or payload.ack_message_id or payload.edit_message_id:
        return _left_out(record, notes)
    return chats[kind]


def _target(record: Record, chat: str) -> str | None:
    """In a group's post `to` may be a user: the group's own field comes first (§5.2)."""
    if chat == "team" and record.group_id:
        return record.group_id
    return record.payload.to or record.to


def _left_out(record: Record, notes: Notes) -> Skip:
    """Events are about a message, chat rooms have no import path; any other chat type is unknown (§2.3)."""
    payload = record.payload
    kind = record.chat_type or payload.type
    if kind == "chatroom":
        return Skip("IMC-8103", {})
    of = payload.ack_message_id or payload.edit_message_id or record.recall_id
    if of or kind in _EVENTS:
        event = kind if kind in _EVENTS else "edit" if payload.edit_message_id else "recall"
        return Skip("IMC-8102", {"event": event, "of": of or "unknown"})
    notes.novel.append(("value", f"chat_type={kind}"))
    raise Rejected("IMC-2102", field="chat_type", found=shown(kind), expected="chat, groupchat or chatroom")


def _msgid(source_id: str, notes: Notes) -> int:
    """The id itself where it is a number in range; else one derived from it, always the same (§8)."""
    if source_id.isascii() and source_id.isdigit() and source_id[0] != "0" and len(source_id) < 20:
        number = int(source_id)
        if number <= MAX_ID:
            return number
    notes.changes.append(("transformed", "msg_id to a derived number"))
    return derived_id(VENDOR, source_id)


def _person(source: str | None, field: str, notes: Notes) -> str:
    """A user or group id without the app in front or the resource behind (§2.2)."""
    if not source:
        raise Rejected("IMC-2101", field=field)
    if "#" not in source and "@" not in source and "/" not in source:
        return source
    notes.repairs.append("IMC-3015")
    user = source.split("/", 1)[0].split("@", 1)[0]
    return user.split("#", 1)[1].split("_", 1)[-1] if "#" in user else user


def _ext(ext: dict[str, Any] | str | None, notes: Notes) -> str | None:
    """The app's extension as JSON text; one that came as text is the same as one that came as an object."""
    if isinstance(ext, str) and ext:
        notes.repairs.append("IMC-3017")
        try:
            value = _decode_any(ext)
        except REFUSED:
            return ext
        if not isinstance(value, dict):
            return ext
        ext = value
    return lenient.compact(ext) if ext else None


def _mended(raw: bytes, notes: Notes) -> Record:
    """The record in `raw`, with everything forgiven that §2.3 finds worth forgiving. Raises Rejected."""
    found = lenient.parse(raw.rstrip(b" \t\r\n,"), notes)
    payload = found.get("payload")
    _name_unknown(found, payload if isinstance(payload, dict) else (), notes)
    if not isinstance(payload, dict):
        if "msg_id" not in found and "bodies" not in found:
            raise Rejected("IMC-2301", vendor=VENDOR)
        raise Rejected("IMC-2101", field="payload")
    return Record(
        msg_id=_id(found.get("msg_id"), notes),
        timestamp=_timestamp(found.get("timestamp"), notes),
        payload=_payload(payload, notes),
        chat_type=_word(found, "chat_type"),
        from_=_word(found, "from"),
        to=_word(found, "to"),
        recall_id=_word(found, "recall_id"),
        event=_word(found, "eventType"),
        group_id=_word(found, "group_id"),
        content_type=_word(found, "content_type"),
        direction="incoming" if found.get("direction") == "incoming" else None,
    )


def _name_unknown(found: dict[str, Any], payload: Iterable[str], notes: Notes) -> None:
    notes.novel.extend(("key", key) for key in found if key not in _KEYS)
    notes.novel.extend(("key", f"payload.{key}") for key in payload if key not in _PAYLOAD_KEYS)
    kind = found.get("type")
    if isinstance(kind, str) and kind != "chatmessage":
        notes.novel.append(("value", f"type={kind}"))


def _id(value: Any, notes: Notes) -> str:
    if value is None:
        raise Rejected("IMC-2101", field="msg_id")
    if type(value) is int:
        notes.repairs.append("IMC-3007")
        return str(value)
    if not isinstance(value, str) or not value:
        raise Rejected("IMC-2102", field="msg_id", found=shown(value), expected="a string")
    return value


def _timestamp(value: Any, notes: Notes) -> int:
    if value is None:
        raise Rejected("IMC-2101", field="timestamp")
    return values.whole(value, "timestamp", notes)


def _payload(payload: dict[str, Any], notes: Notes) -> Payload:
    bodies = payload.get("bodies")
    if bodies is None:
        bodies = []
    if not isinstance(bodies, list) or not all(isinstance(body, dict) for body in bodies):
        raise Rejected("IMC-2102", field="payload.bodies", found=shown(bodies), expected="an array of objects")
    ext = payload.get("ext")
    if ext is not None and not isinstance(ext, dict | str):
        notes.repairs.append("IMC-3017")
        ext = lenient.compact(ext)
    return Payload(
        bodies=bodies,
        ext=ext,
        from_=_word(payload, "from"),
        to=_word(payload, "to"),
        type=_word(payload, "type"),
        ack_message_id=_word(payload, "ack_message_id"),
        edit_message_id=_word(payload, "edit_message_id"),
    )


def _word(found: dict[str, Any], key: str) -> str | None:
    """A string, or a number as a string; ids are opaque, so nothing is read into them."""
    value = found.get(key)
    if value is None or isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise Rejected("IMC-2102", field=key, found=shown(value), expected="a string")
