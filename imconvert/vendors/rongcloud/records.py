"""RongCloud's three shapes of a message as one record: log line, routing post, message-operation callback.

Strategy: which shape an object has is told by its keys; a table names the function for each. Log and routing end in
the same `Record`, so that the same message from both has the same line and one of them is dropped (rongcloud.md §7.7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from imconvert.errors import Rejected
from imconvert.model import MAX_DEPTH, Notes, Skip, depth_exceeds
from imconvert.vendors import lenient, values
from imconvert.vendors.lenient import shown
from imconvert.vendors.rongcloud.clock import Clock
from imconvert.vendors.rongcloud.lines import Opened, is_signed

VENDOR = "rongcloud"
Fields = dict[str, Any]

CONVERSATIONS = {
    1: "PERSON", 2: "PERSONS", 3: "GROUP", 4: "TEMPGROUP", 5: "CUSTOMERSERVICE", 6: "NOTIFY", 7: "MC", 8: "MP",
    10: "ULTRAGROUP",
}  # fmt: skip
"""Conversation types: the numbers of the log, and the names that callbacks use (§2.3)."""

CONTENT_DEPTH = MAX_DEPTH - 8
"""Deepest nesting of content: a target line wraps it in some more levels."""

_NAMES = frozenset(CONVERSATIONS.values())
_LOG = frozenset({
    "appId", "fromUserId", "targetId", "targetType", "GroupId", "classname", "content", "dateTime", "timestamp",
    "msgUID", "source", "isSensitiveWord",
})  # fmt: skip
_POST = frozenset({
    "fromUserId", "toUserId", "objectName", "content", "channelType", "msgTimestamp", "msgUID", "sensitiveType",
    "source", "originalMsgUID", "busChannel", "groupUserIds", "aiGenerated",
})  # fmt: skip
_KEPT = ("originalMsgUID", "busChannel", "groupUserIds")
"""Documented fields of a post that no noun of the model has a place for (§5)."""


class Record(NamedTuple):
    """A message as both shapes tell it; `rest` is what they say beyond it."""

    uid: str
    kind: str
    conversation: str
    sender: str
    target: str
    content: Any
    time: int
    client: Any
    rest: Fields


Shape = Callable[[Opened, Clock, Notes], Record | Skip]


def looks_like(value: Fields) -> bool:
    """A log line, a routing post or a message-operation callback."""
    if "classname" in value:
        return "msgUID" in value or ("fromUserId" in value and "targetId" in value)
    if "objectName" in value:
        return "channelType" in value or "msgTimestamp" in value
    return "eventType" in value and isinstance(value.get("originalMsgInfo"), dict)


def shape_of(fields: Fields) -> Shape:
    """The function for a record of this shape. Raises Rejected (IMC-2301)."""
    if "classname" in fields:
        return _log_line
    if "objectName" in fields and ("msgTimestamp" in fields or "channelType" in fields):
        return _post
    if "eventType" in fields and ("originalMsgInfo" in fields or "conversationInfo" in fields):
        return _operation
    raise Rejected("IMC-2301", vendor=VENDOR)


def _log_line(record: Opened, clock: Clock, notes: Notes) -> Record:
    """A line of the hourly log (§2.2)."""
    fields = record.fields
    conversation = _conversation_of(fields.get("targetType"), notes)
    group = fields.get("GroupId")
    target = "GroupId" if group and conversation != "PERSON" else "targetId"
    rest = _unknown(fields, _LOG, notes)
    if fields.get("isSensitiveWord") in ("true", True):
        rest["sensitive"] = True
    return Record(
        _id(fields, "msgUID"),
        _word(fields, "classname"),
        conversation,
        _id(fields, "fromUserId"),
        _id(fields, target),
        _content(fields, notes),
        clock.time(fields.get("timestamp"), fields.get("dateTime"), record.prefix),
        fields.get("source"),
        rest,
    )


def _post(record: Opened, clock: Clock, notes: Notes) -> Record:
    """A post of the message routing (§5); the fields of its signature are left behind."""
    fields = {name: value for name, value in record.fields.items() if not is_signed(name) and name != "timestamp"}
    conversation = fields.get("channelType")
    if not isinstance(conversation, str) or conversation not in _NAMES:
        _name_value("channelType", conversation, notes)
        raise Rejected("IMC-2102", field="channelType", found=shown(conversation), expected="PERSON, GROUP, …")
    rest = _unknown(fields, _POST, notes)
    rest |= {name: fields[name] for name in _KEPT if fields.get(name) not in (None, "", [])}
    if fields.get("aiGenerated") in ("true", True):
        rest["aiGenerated"] = True
    if str(fields.get("sensitiveType") or "0") != "0":
        rest["sensitive"] = True
    if fields.get("msgTimestamp") is None:
        raise Rejected("IMC-2101", field="msgTimestamp")
    return Record(
        _id(fields, "msgUID"),
        _word(fields, "objectName"),
        conversation,
        _id(fields, "fromUserId"),
        _id(fields, "toUserId"),
        _content(fields, notes),
        clock.epoch(fields["msgTimestamp"], "msgTimestamp"),
        fields.get("source"),
        rest,
    )


_EVENTS = {1: "recall", 2: "delete"}


def _operation(record: Opened, clock: Clock, notes: Notes) -> Skip:
    """A message-operation callback: an event about a message (§5)."""
    fields = record.fields
    number = values.whole(fields["eventType"], "eventType", notes, note=None)
    event = _EVENTS.get(number)
    if event is None:
        _name_value("eventType", number, notes)
        raise Rejected("IMC-2102", field="eventType", found=shown(number), expected="1 or 2")
    about = fields.get("originalMsgInfo")
    if not isinstance(about, dict):
        raise Rejected("IMC-2101", field="originalMsgInfo")
    return Skip("IMC-8102", {"event": event, "of": _id(about, "messageId")})


def _conversation_of(number: Any, notes: Notes) -> str:
    if number is None:
        raise Rejected("IMC-2101", field="targetType")
    found = CONVERSATIONS.get(values.whole(number, "targetType", notes))
    if found is None:
        _name_value("targetType", number, notes)
        raise Rejected("IMC-2102", field="targetType", found=shown(number), expected="1 to 8, or 10")
    return found


def _name_value(field: str, value: Any, notes: Notes) -> None:
    notes.novel.append(("value", f"{field}={value if isinstance(value, str) else shown(value)}"))


def _unknown(fields: Fields, known: frozenset[str], notes: Notes) -> Fields:
    """What the documents don't know of a record, named and kept."""
    rest = {name: value for name, value in fields.items() if name not in known and value is not None}
    notes.novel.extend(("key", name) for name in rest)
    return rest


def _id(fields: Fields, name: str) -> str:
    """An id: opaque text, never read as a number; one that was written as a number is its digits (§7.5)."""
    value = fields.get(name)
    if type(value) is int:
        return str(value)
    if value is None or value == "":
        raise Rejected("IMC-2101", field=name)
    if not isinstance(value, str):
        raise Rejected("IMC-2102", field=name, found=shown(value), expected="a string")
    return value


def _word(fields: Fields, name: str) -> str:
    value = values.text(fields.get(name), name)
    if not value:
        raise Rejected("IMC-2101", field=name)
    return value


def _content(fields: Fields, notes: Notes) -> Any:
    """The body: an object in the log, text that holds one in posts; both are accepted in both (§7.4).

    Text that holds no JSON object stays text, for an app may send what it likes. Raises Rejected (IMC-2004).
    """
    content = fields.get("content")
    if content is None:
        raise Rejected("IMC-2101", field="content")
    if not isinstance(content, str):
        return content
    if not content.lstrip().startswith("{"):
        return content
    if depth_exceeds(content.encode("utf-8", "replace"), CONTENT_DEPTH):
        raise Rejected("IMC-2004", limit=CONTENT_DEPTH)
    before = len(notes.repairs)
    try:
        found = lenient.parse_text(content, notes)
    except Rejected:
        del notes.repairs[before:]
        return content
    return found if isinstance(found, dict) else content
