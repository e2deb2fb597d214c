"""Messages: import, live sending, reading back (easemob.md §4.3, §4.10, §4.11).

An import is one message a call and knows no duplicates: what is sent again is a second message, unless the order of the
conversation refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call, Refused
from imconvert.simulators.core.checks import digits, integer
from imconvert.simulators.easemob.answers import body_of, fail, illegal, limited
from imconvert.simulators.easemob.bodies import Content, content_of
from imconvert.simulators.easemob.people import exists, fold

TABLES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY, chat TEXT NOT NULL, one TEXT NOT NULL, other TEXT NOT NULL, sender TEXT NOT NULL,
    target TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL, ext TEXT, time INTEGER NOT NULL, api TEXT NOT NULL,
    number INTEGER NOT NULL
);
CREATE INDEX conversations ON messages (chat, one, other, time);
CREATE TABLE imported (
    chat TEXT, one TEXT, other TEXT, last INTEGER NOT NULL, PRIMARY KEY (chat, one, other)
) WITHOUT ROWID;
"""

EPOCH = 1_417_564_800
"""Second from which the upper half of a message id counts (§8, INFERRED there)."""

Conversation = tuple[str, str, str]


def import_to_user(call: Call) -> Mapping[str, Any]:
    """§4.3, POST /messages/users/import."""
    body = _import_body(call)
    sender, target = fold(body["from"]), fold(body["target"])
    _check_ids(call, sender, target)
    return _import(call, ("chat", *_pair(sender, target)), (sender, target), body)


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)


def import_to_group(call: Call) -> Mapping[str, Any]:
    """§4.3, POST /messages/chatgroups/import: later than the group, earlier than now."""
    body = _import_body(call)
    sender, group = fold(body["from"]), body["target"]
    _check_ids(call, sender)
    row = call.desk.store.one("SELECT created FROM groups WHERE id = ?", group)
    if row is None and call.desk.chosen("check_ids", "on"):
        fail(call, 404, "resource_not_found", f"grpID {group} does not exist!")
    if call.desk.chosen("group_time", "enforce"):
        time = body.get("msg_timestamp", call.now - 1)
        if row is not None and time <= row[0]:
            illegal(call, "msg_timestamp must be later than the group creation time")
        if time >= call.now:
            illegal(call, "msg_timestamp must be earlier than the current time")
    return _import(call, ("groupchat", group, ""), (sender, group), body)


def _import_body(call: Call) -> dict[str, Any]:
    wait = call.desk.rates.wait_of("import", "" if call.desk.chosen("import_rate", "shared") else call.api, call.at)
    if wait:
        raise Refused(limited(call, wait))
    body = body_of(call)
    for name in ("from", "target"):
        value = body.get(name)
        if value is None or value == "":
            illegal(call, f"{name} not allow empty")
        if not isinstance(value, str):
            fail(call, 400, "invalid_request_body", f"{name} is no text")
    if not integer()(body.get("msg_timestamp", 1000)):
        fail(call, 400, "invalid_request_body", "msg_timestamp is no number")
    if body.get("msg_timestamp", 1000) < 1000:
        illegal(call, "msg_timestamp must not be less than 1000")
    for name in ("need_download", "is_ack_read"):
        if not isinstance(body.get(name, False), bool):
            fail(call, 400, "invalid_request_body", f"{name} is neither true nor false")
    return body


def _check_ids(call: Call, *users: str) -> None:
    """Sending looks at no ids, and import probably neither (UNCONFIRMED in §4.3)."""
    if call.desk.chosen("check_ids", "on"):
        for user in users:
            if not exists(call.desk, user):
                fail(call, 404, "resource_not_found", f"username {user} doesn't exist!")


def _import(call: Call, conversation: Conversation, ends: tuple[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    content, time, store = content_of(call, body), body.get("msg_timestamp", call.now), call.desk.store
    row = store.one("SELECT last FROM imported WHERE chat = ? AND one = ? AND other = ?", *conversation)
    if row and time <= row[0] and call.desk.chosen("order", "enforce"):
        illegal(call, "msg_timestamp must be greater than that of the last message of the conversation")
    store.run("INSERT OR REPLACE INTO imported VALUES (?, ?, ?, ?)", (*conversation, max(time, row[0] if row else 0)))
    return {"data": {"msg_id": str(keep(call, conversation, ends, content, time))}}


def keep(call: Call, conversation: Conversation, ends: tuple[str, str], content: Content, time: int) -> int:
    """Keep a message and give its id, which rises."""
    store = call.desk.store
    seconds, rest = divmod(call.now, 1000)
    number = store.above("msg_id", ((seconds - EPOCH) << 32) + rest * 4_294_967)
    ext = None if content.ext is None else orjson.dumps(content.ext).decode()
    body = orjson.dumps(content.body).decode()
    row = (number, *conversation, *ends, content.type, body, ext, time, call.api, store.next("message"))
    store.run("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return number


_SENDING = {"messages/users": ("chat", 600, "send_users"), "messages/chatgroups": ("groupchat", 3, "send_groups")}


def send(call: Call) -> Mapping[str, Any]:
    """§4.10: ids, blocks and mutes are not looked at; each target counts as a message."""
    chat, most, window = _SENDING[call.api]
    body = body_of(call)
    sender, targets = body.get("from", "admin"), body.get("to")
    if not isinstance(sender, str) or not sender:
        illegal(call, "from not allow empty")
    if not isinstance(targets, list) or not targets or not all(isinstance(one, str) and one for one in targets):
        illegal(call, "to not allow empty")
    if len(targets) > most:
        illegal(call, f"at most {most} targets")
    content = content_of(call, body)
    if call.spend(f"{window}_messages", len(targets)):
        fail(call, 403, "forbidden_op", "message send reach limit")
    return {"data": {target: str(_send(call, chat, (fold(sender), target), content)) for target in targets}}


def _send(call: Call, chat: str, ends: tuple[str, str], content: Content) -> int:
    sender, target = ends
    conversation = ("chat", *_pair(sender, fold(target))) if chat == "chat" else (chat, target, "")
    number = keep(call, conversation, (sender, fold(target) if chat == "chat" else target), content, call.now)
    facts = {"chat": chat, "id": number, "from": sender, "to": target, "type": content.type, "body": content.body,
             "ext": content.ext or {}, "now": call.now}  # fmt: skip
    call.desk.tell("chat", facts)
    return number


def say(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message that a user sends with a client."""
    content = Content(message.get("type", "txt"), message.get("body", {"msg": message.get("text", "")}),
                      message.get("ext"))  # fmt: skip
    chat, target = ("groupchat", message["group"]) if "group" in message else ("chat", message["to"])
    return {"msg_id": str(_send(call, chat, (fold(message["from"]), target), content))}


def roaming_of_pair(call: Call) -> Mapping[str, Any]:
    """§4.11, POST …/roaming/chat."""
    body = body_of(call)
    user, peer = body.get("username"), body.get("to")
    if not isinstance(user, str) or not isinstance(peer, str):
        illegal(call, "username or to is missing")
    return _roaming(call, body, ("chat", *_pair(fold(user), fold(peer))))


def roaming_of_group(call: Call) -> Mapping[str, Any]:
    """§4.11, POST …/roaming/group."""
    body = body_of(call)
    if not isinstance(body.get("username"), str) or not isinstance(body.get("groupId"), str):
        illegal(call, "username or groupId is missing")
    return _roaming(call, body, ("groupchat", body["groupId"], ""))


def _roaming(call: Call, body: Mapping[str, Any], conversation: Conversation) -> dict[str, Any]:
    """A page. Names, highest limit and directions are UNCONFIRMED in §4.11: `down` goes back in time, `up` forward."""
    limit, order = body.get("limit", 20), body.get("order", "down")
    low, high = body.get("startTimestamp", 0), body.get("endTimestamp", 1 << 62)
    if not integer(1, call.desk.number("roaming_page"))(limit):
        illegal(call, f"limit is a number from 1 to {call.desk.number('roaming_page')}")
    if order not in ("up", "down"):
        illegal(call, "order is up or down")
    if not integer(0)(low) or not integer(0)(high):
        illegal(call, "startTimestamp and endTimestamp are milliseconds")
    days = call.desk.number("roaming_days")
    low = max(low, call.now - days * 86_400_000) if days else low
    at, number = _cursor(call, body.get("cursor"), order)
    rows = call.desk.store.all(_PAGES[order], *conversation, low, high, at, number, limit + 1)
    found = [history_line(row) for row in rows[:limit]]
    cursor = f"{rows[limit - 1][5]}_{rows[limit - 1][0]}" if len(rows) > limit else ""
    return {"data": {"messages": found, "pagination": {"cursor": cursor, "limit": limit}}}


COLUMNS = "id, sender, target, type, body, time, ext, chat"
_PAGES = {
    order: f"""
        SELECT {COLUMNS} FROM messages
        WHERE chat = ? AND one = ? AND other = ? AND time BETWEEN ? AND ? AND (time, id) {than} (?, ?)
        ORDER BY time {way}, id {way} LIMIT ?
    """
    for order, than, way in (("down", "<", "DESC"), ("up", ">", "ASC"))
}


def _cursor(call: Call, cursor: Any, order: str) -> tuple[int, int]:
    if not cursor:
        return (1 << 62, 0) if order == "down" else (0, 0)
    at, _, number = str(cursor).partition("_")
    found = digits(at), digits(number)
    if None in found:
        illegal(call, "the cursor is none of ours")
    return found  # type: ignore[return-value]


def history_line(row: Any) -> dict[str, Any]:
    """A message in the form of history files (§2.2)."""
    number, sender, target, kind, body, time, ext, chat = row
    payload = {"bodies": [{"type": kind, **orjson.loads(body)}], "ext": orjson.loads(ext) if ext else {},
               "from": sender, "to": target}  # fmt: skip
    return {
        "msg_id": str(number), "timestamp": time, "direction": "outgoing", "from": sender, "to": target,
        "chat_type": chat, "payload": payload,
    }  # fmt: skip
