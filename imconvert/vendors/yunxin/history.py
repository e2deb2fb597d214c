"""Read the answers of Yunxin's history queries, v1 and v2, as messages (yunxin.md §5, §6).

Strategy: as with copies, an item is turned into the typed record of an import line. An item of v1 doesn't say whom
it went to: that is told by `from` and `to`, or `tid`, before the array of its answer, by the item itself, or by a
setting. Answers are read whole (one a line, or one after the other), and so are items on lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct

from imconvert.errors import Rejected
from imconvert.model import MAX_ID, Message, Notes, Skip
from imconvert.vendors import lenient, values
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.yunxin import messages, notices
from imconvert.vendors.yunxin.records import CUSTOM, REFUSED, Data, Record

MARKS = (b'"sendtime"', b'"message_server_id"', b'"code"')
"""What items of v1, items of v2, and answers have in them."""

_ROBOT, _TEXTS = 11, (0, 10)


class Conversation(NamedTuple):
    """Whose messages an answer holds: two people, or a team."""

    pair: tuple[str, str] | None = None
    tid: Any = None


class Item(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A message of a v1 answer; `to` and `tid` stand there only if whoever saved it put them there."""

    from_: str = msgspec.field(name="from")
    msgid: int | str
    sendtime: int | str
    type: int
    fromclienttype: int | str = ""
    body: dict[str, Any] | str | None = None
    ext: str = ""
    to: str | None = None
    tid: int | str | None = None
    msgidclient: Raw = Raw()


class Item2(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A message of a v2 answer."""

    message_server_id: int | str
    sender_id: str
    message_type: int
    create_time: int | str
    receiver_id: str | None = None
    team_id: int | str | None = None
    text: str | None = None
    attachment: dict[str, Any] | str | None = None
    extension: str | None = None
    sender_client_type: int | str = ""
    sub_type: Any = None
    modify_account_id: Any = None
    modify_time: Any = None
    thread_config: Any = None
    conversation_type: Raw = Raw()
    message_client_id: Raw = Raw()


_decoders: dict[bytes, Callable[[bytes], Any]] = {
    MARKS[0]: msgspec.json.Decoder(Item).decode,
    MARKS[1]: msgspec.json.Decoder(Item2).decode,
}
_KEYS = {kind: frozenset(info.encode_name for info in msgspec.structs.fields(kind)) for kind in (Item, Item2)}
_NEEDED = {
    Item: ("from", "msgid", "sendtime", "type"),
    Item2: ("message_server_id", "sender_id", "message_type", "create_time"),
}
_NUMBERS = ("type", "message_type", "msgid", "message_server_id", "sendtime", "create_time")
_LATER = ("sub_type", "modify_account_id", "modify_time", "thread_config")


def looks_like(value: dict[str, Any]) -> bool:
    """An answer with its messages, an answer without any, or a message of one."""
    return _item_kind(value) is not None or _is_answer(value)


def _item_kind(value: dict[str, Any]) -> type[Item | Item2] | None:
    if "sendtime" in value and "msgid" in value:
        return Item
    return Item2 if "message_server_id" in value else None


def _is_answer(value: dict[str, Any]) -> bool:
    if type(value.get("code")) is not int or "type" in value:
        return False
    data = value.get("data")
    return "msgs" in value or "desc" in value or "msg" in value or (isinstance(data, dict) and "items" in data)


class Reader:
    """Reads the items behind a head; `read` gives None for a record that is none."""

    def __init__(self, settings: Settings, notes: Notes, latest: int, head: bytes = b"") -> None:
        self.notes = notes
        self.words = notices.Words.of(settings)
        self.conversation = _told_by(head) or _chosen(settings["yunxin.conversation"])
        kinds = {notices.NOTIFICATION: notices.read_notification}
        self.take = messages.taker(settings, notes, latest, kinds=kinds)

    def read(self, raw: bytes) -> Message | Skip | None:
        for mark, decode in _decoders.items():
            if mark in raw:
                try:
                    return self._item(decode(raw), raw)
                except REFUSED:
                    continue
        return self._mended(raw)

    def _mended(self, raw: bytes) -> Message | Skip | None:
        try:
            found = lenient.parse(raw, Notes())
        except Rejected:
            return None
        kind = _item_kind(found)
        if kind is None and not _is_answer(found):
            return None
        lenient.parse(raw, self.notes)
        if kind is None:
            return _answer(found)
        unknown = sorted(found.keys() - _KEYS[kind])
        self.notes.novel.extend(("key", key) for key in unknown)
        for key in unknown:
            self.notes.repairs.append("IMC-3018")
            self.notes.changes.append(("degraded", f"unknown key {key[:40]}"))
        return self._item(_typed(found, kind, self.notes), raw)

    def _item(self, item: Item | Item2, raw: bytes) -> Message:
        record = self._record(item) if isinstance(item, Item) else self._record2(item)
        if record.type == _ROBOT:
            raise Rejected("IMC-2106", found=_ROBOT)
        try:
            message = self.take(record, raw)
            if record.type == notices.NOTIFICATION:
                message = notices.placed(message, self.words, self.notes)
        except Rejected as why:
            raise _in_words_of(item, why) from None
        later = _later(item) if isinstance(item, Item2) else {}
        if not later:
            return message
        self.notes.changes.extend(("transformed", f"{key} kept in ext") for key in later)
        return msgspec.structs.replace(message, extra=later)

    def _record(self, item: Item) -> Record:
        data = Data(
            msgid=_id(item.msgid, "msgid", self.notes),
            createTime=values.whole(item.sendtime, "sendtime", self.notes, note=None),
            clientType=item.fromclienttype,
            ext=item.ext or UNSET,
        )
        self._address(data, item.from_, item.to, item.tid)
        self._fill(data, item.type, item.body)
        return Record(item.type, data)

    def _record2(self, item: Item2) -> Record:
        data = Data(
            msgid=_id(item.message_server_id, "message_server_id", self.notes),
            createTime=values.whole(item.create_time, "create_time", self.notes, note=None),
            clientType=item.sender_client_type,
            ext=item.extension or UNSET,
        )
        team = item.team_id if item.team_id not in (None, "", 0, "0") else None
        self._address(data, item.sender_id, item.receiver_id or None, team)
        if item.message_type in _TEXTS and item.text is not None:
            data.body = item.text
            if item.attachment:
                data.attach = _flat(item.attachment)
        else:
            self._fill(data, item.message_type, _renamed(item.attachment) if item.attachment else None)
        return Record(item.message_type, data)

    def _address(self, data: Data, sender: str, to: str | None, tid: Any) -> None:
        """Set sender and target. Raises Rejected (IMC-2105, IMC-2480, IMC-2481)."""
        if tid is None and to is None:
            tid = self.conversation.tid
            to = None if tid is not None else self._other(sender)
        if tid is None:
            data.from_ = sender
        else:
            data.accid, data.tid = sender, _id(tid, "tid", self.notes)
        if to is not None:
            data.to = to

    def _other(self, sender: str) -> str:
        """The one of the two whom the sender wrote to."""
        pair = self.conversation.pair
        if pair is None:
            raise Rejected("IMC-2481")
        one, other = pair
        if sender.lower() not in (one.lower(), other.lower()):
            raise Rejected("IMC-2480", sender=sender, pair=f"{one}, {other}")
        return other if sender.lower() == one.lower() else one

    def _fill(self, data: Data, kind: int, body: dict[str, Any] | str | None) -> None:
        """Set the content as an import line has it (§6). Raises Rejected."""
        if body is None:
            return
        if kind not in _TEXTS:
            data.attach = body if kind == CUSTOM else _flat(body)
            return
        found = _opened(body, self.notes) if isinstance(body, str) else body
        if isinstance(found, str):
            data.body = found
            return
        if found.get("msg") is not None:
            data.body = values.text(found["msg"], "body.msg")
        for key in found.keys() - {"msg"}:
            self.notes.novel.append(("key", f"body.{key}"))
            self.notes.changes.append(("degraded", f"unknown key body.{key[:40]}"))


def _told_by(head: bytes) -> Conversation | None:
    """What stands before the array of an answer, if it names a conversation."""
    for end in (b"]}", b"]}}"):
        try:
            found = lenient.parse(head + end, Notes())
        except Rejected:
            continue
        if found.get("tid") not in (None, ""):
            return Conversation(tid=found["tid"])
        one, other = found.get("from"), found.get("to")
        return Conversation((one, other)) if isinstance(one, str) and isinstance(other, str) else None
    return None


def _chosen(setting: str) -> Conversation:
    """A pair of accounts, a team, or "none"."""
    if setting == "none":
        return Conversation()
    one, comma, other = (word.strip() for word in setting.partition(","))
    if comma:
        return Conversation((one, other))
    return Conversation(tid=one or None)


def _answer(found: dict[str, Any]) -> Skip:
    """An answer that holds no messages. Raises Rejected (IMC-2482, IMC-2301)."""
    if found["code"] != 200:
        raise Rejected("IMC-2482", answer=shown({key: found[key] for key in ("code", "desc", "msg") if key in found}))
    data = found.get("data")
    if found.get("msgs") or (data.get("items") if data.__class__ is dict else data):
        raise Rejected("IMC-2301", vendor="yunxin")
    return Skip("IMC-8153", {})


def _in_words_of(item: Item | Item2, why: Rejected) -> Rejected:
    """The reject with the name that the content has in the answer."""
    content = "body" if isinstance(item, Item) else "attachment"
    field = str(why.values.get("field", ""))
    if field == "body":
        field = "body.msg" if isinstance(item, Item) else "text"
    field = re.sub(r"^attach\b", content, field)
    return Rejected(why.code, **{**why.values, "field": field}) if field else why


def _later(item: Item2) -> dict[str, Any]:
    """What became of a message later, and what it belongs to; an import line has no fields for it."""
    found = ((key, getattr(item, key)) for key in _LATER)
    return {key: value for key, value in found if value not in (None, "", 0, {}, [])}


def _id(value: Any, field: str, notes: Notes) -> int:
    number = values.whole(value, field, notes, note=None)
    if 1 <= number <= MAX_ID:
        return number
    if field == "tid":
        raise Rejected("IMC-2102", field=field, found=shown(value), expected="a number from 1 to 2^63-1")
    raise Rejected("IMC-2103", found=shown(value))


def _flat(body: dict[str, Any] | str) -> str:
    return body if isinstance(body, str) else lenient.compact(body)


def _renamed(attachment: dict[str, Any] | str) -> dict[str, Any] | str:
    """Width and height have their long names in v2 (§6)."""
    if isinstance(attachment, str):
        return attachment
    names = {"width": "w", "height": "h"}
    return {names[key] if names.get(key, key) not in attachment else key: value for key, value in attachment.items()}


def _opened(body: str, notes: Notes) -> dict[str, Any] | str:
    """A body that is JSON in a string; any other string is the text itself."""
    try:
        found = lenient.parse_text(body, Notes())
    except Rejected:
        return body
    return found if isinstance(found, dict) and "msg" in found else body


def _typed(found: dict[str, Any], kind: type[Item | Item2], notes: Notes) -> Item | Item2:
    """The fields of an item from whatever typing they came in. Raises Rejected (IMC-2101, IMC-2102)."""
    fields = {key: value for key, value in found.items() if key in _KEYS[kind] and value is not None}
    for key in _NEEDED[kind]:
        if key not in fields:
            raise Rejected("IMC-2101", field=key)
    fields = {key: _typing.get(key, _any)(value, key, notes) for key, value in fields.items()}
    if "from" in fields:
        fields["from_"] = fields.pop("from")
    return kind(**fields)


def _any(value: Any, field: str, notes: Notes) -> Any:
    return value


def _content(value: Any, field: str, notes: Notes) -> str | dict[str, Any]:
    if isinstance(value, str | dict):
        return value
    raise Rejected("IMC-2107", found=shown(value))


def _extension(value: Any, field: str, notes: Notes) -> str:
    if isinstance(value, str):
        return value
    notes.repairs.append("IMC-3017")
    return lenient.compact(value)


def _word(value: Any, field: str, notes: Notes) -> str:
    return str(value) if type(value) is int else values.text(value, field)


def _exact(value: Any, field: str, notes: Notes) -> int:
    return values.whole(value, field, notes, note="IMC-3007" if field.endswith("type") else None)


def _client(value: Any, field: str, notes: Notes) -> int | str:
    return value if isinstance(value, str) or type(value) is int else ""


_typing: dict[str, Callable[[Any, str, Notes], Any]] = {
    **dict.fromkeys(("body", "attachment"), _content),
    **dict.fromkeys(("ext", "extension"), _extension),
    **dict.fromkeys(("from", "to", "sender_id", "receiver_id", "text"), _word),
    **dict.fromkeys(_NUMBERS, _exact),
    **dict.fromkeys(("fromclienttype", "sender_client_type"), _client),
}
