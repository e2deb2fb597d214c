"""Messages of groups (tencent.md §5.4, 5.8, 5.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import U32, Rule, array, integer, one_of, table, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.tencent.answers import body_of, fail
from imconvert.simulators.tencent.elements import problem_of, size_of
from imconvert.simulators.tencent.groups import NO_HISTORY, group_of
from imconvert.simulators.tencent.people import exists, is_user

TABLES = """
CREATE TABLE group_messages (
    team TEXT, seq INTEGER, sender TEXT NOT NULL, time INTEGER NOT NULL, random INTEGER NOT NULL, body TEXT NOT NULL,
    data TEXT, at INTEGER NOT NULL, api TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (team, seq)
) WITHOUT ROWID;
CREATE INDEX group_randoms ON group_messages (team, random);
CREATE TABLE group_again (team TEXT NOT NULL, seq INTEGER NOT NULL, sender TEXT NOT NULL, random INTEGER NOT NULL);
"""

REPEAT = 300
"""Seconds in which the same Random of the same sender in the same group is a duplicate (§5.4, §13 point 5)."""

_OK, _BAD_TIME, _TOO_LONG, _NOBODY, _TROUBLE = 0, 10004, 80002, 10019, 10002
_GROUP = Rule(text(1), 10015)
_ITEM = {
    "From_Account": Rule(is_user, 10004), "SendTime": Rule(U32, 10004), "MsgBody": Rule(array(1), 10004),
    "Random": Rule(U32, 10004, needed=False), "CloudCustomData": Rule(text(), 10004, needed=False),
    "TopicId": Rule(text(), 10004, needed=False),
}  # fmt: skip


def import_group_msg(call: Call) -> Mapping[str, Any]:
    """§5.4: oldest first, each message judged alone; behind the call everybody's unread count is 0."""
    rules = {"GroupId": _GROUP, "MsgList": Rule(array(1, of=table), 10004), "RecentContactFlag": Rule(
        integer(0, 1), 10004, needed=False)}  # fmt: skip
    body = body_of(call, rules)
    if len(body["MsgList"]) > call.desk.number("messages"):
        fail(10005, "there are too many messages in one call")
    group, kind, *_ = group_of(call.desk, body["GroupId"])
    if kind in NO_HISTORY:
        fail(10007, "this type of group has no history")
    for item in body["MsgList"]:
        _check(item)
    spoiled = call.spoiled(len(body["MsgList"]))
    found = [_import(call, group, item, spoiled=index in spoiled) for index, item in enumerate(body["MsgList"])]
    call.desk.store.run("UPDATE members SET unread = 0 WHERE team = ? AND unread", (group,))
    return {"ImportMsgResult": found}


def _check(item: Mapping[str, Any]) -> None:
    for name, rule in _ITEM.items():
        if not rule.test(item[name]) if name in item else rule.needed:
            fail(10004, f"{name} is missing or has a wrong value")
    if problem := problem_of(item["MsgBody"]):
        fail(10004, problem)


def _import(call: Call, group: str, item: Mapping[str, Any], *, spoiled: bool) -> dict[str, Any]:
    """One message. What came a moment ago is not kept again, and answered as it was (UNCONFIRMED how)."""
    desk, time = call.desk, item["SendTime"]
    random = item["Random"] if "Random" in item else desk.store.next("random")
    sequence, result = 0, _TROUBLE if spoiled else _OK
    if not result:
        sequence = _came_before(call, group, item["From_Account"], random) if "Random" in item else 0
        result = _OK if sequence else _judge(call, group, item)
    if not result and not sequence:
        sequence = _keep(call, group, item, time, random)
    return {"MsgSeq": sequence, "MsgTime": time, "Result": result}


def _came_before(call: Call, group: str, sender: str, random: int) -> int:
    """The sequence number of a message of the last 5 minutes with this Random, or 0."""
    query = "SELECT seq FROM group_messages WHERE team = ? AND random = ? AND sender = ? AND at > ?"
    found = call.desk.store.number(query, group, random, sender, call.now - REPEAT * 1000)
    if found:
        call.desk.store.run("INSERT INTO group_again VALUES (?, ?, ?, ?)", (group, found, sender, random))
    return found


def _judge(call: Call, group: str, item: Mapping[str, Any]) -> int:
    _, _, created, _, last = group_of(call.desk, group)
    time, equal = item["SendTime"], call.desk.chosen("equal_seconds", "accept")
    fits = created < time < call.now // 1000 and (time > last or (equal and time == last))
    if not exists(call.desk, item["From_Account"]):
        return _NOBODY
    if not fits:
        return _BAD_TIME
    return _TOO_LONG if size_of(item["MsgBody"]) > call.desk.number("size") else _OK


def _keep(call: Call, group: str, item: Mapping[str, Any], time: int, random: int) -> int:
    """Keep a message and give its sequence number, one more than that of the last one (§5.4)."""
    store = call.desk.store
    row = store.one(
        "UPDATE groups SET next_seq = next_seq + 1, last_time = max(last_time, ?) WHERE id = ? RETURNING next_seq - 1",
        time, group,
    )  # fmt: skip
    assert row
    body = orjson.dumps(item["MsgBody"]).decode()
    values = (group, row[0], item["From_Account"], time, random, body, item.get("CloudCustomData"), call.now, call.api,
              store.next("message"))  # fmt: skip
    store.run("INSERT INTO group_messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return int(row[0])


_FORBID = one_of(("ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"))
_SEND = {
    "GroupId": _GROUP, "Random": Rule(U32, 10004), "MsgBody": Rule(array(1), 10004),
    "From_Account": Rule(is_user, 10004, needed=False),
    "MsgPriority": Rule(one_of(("High", "Normal", "Low", "Lowest")), 10004, needed=False),
    "ForbidCallbackControl": Rule(array(of=_FORBID), 10004, needed=False),
    "SendMsgControl": Rule(array(of=one_of(("NoUnread", "NoLastMsg"))), 10004, needed=False),
    "OnlineOnlyFlag": Rule(integer(0, 1), 10004, needed=False), "GroupAtInfo": Rule(array(), 10004, needed=False),
    "CloudCustomData": Rule(text(), 10004, needed=False),
}  # fmt: skip


def send_group_msg(call: Call) -> Mapping[str, Any]:
    """§5.8: the time is the server's; 40 messages a second in one group (§1.5)."""
    body = body_of(call, _SEND)
    group, *_ = group_of(call.desk, body["GroupId"])
    if call.desk.rates.wait_of("group_messages", group, call.at):
        fail(10023, "the messages in this group are too frequent")
    return _sent(call, body)


def _sent(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    group, kind, *_ = group_of(call.desk, body["GroupId"])
    sender, time = body.get("From_Account", call.desk.text("identifier")), call.now // 1000
    if "From_Account" in body and not exists(call.desk, sender):
        fail(10019, "From_Account does not exist")
    if problem := problem_of(body["MsgBody"]):
        fail(10004, problem)
    if size_of(body["MsgBody"]) > call.desk.number("size"):
        fail(80002, "the message is too long")
    _check_muted(call.desk, group, sender, time)
    before = _came_before(call, group, sender, body["Random"])
    if before:
        return {"MsgTime": time, "MsgSeq": before}
    item = {**body, "From_Account": sender}
    kept = kind not in NO_HISTORY and not body.get("OnlineOnlyFlag")
    sequence = _keep(call, group, item, time, body["Random"]) if kept else 0
    if kept and "NoUnread" not in body.get("SendMsgControl", []):
        query = "UPDATE members SET unread = unread + 1 WHERE team = ? AND account <> ?"
        call.desk.store.run(query, (group, sender))
    if "ForbidAfterSendMsgCallback" not in body.get("ForbidCallbackControl", []):
        facts = {"body": item, "type": kind, "seq": sequence, "time": time, "now": call.now}
        call.desk.tell("Group.CallbackAfterSendMsg", facts | {"platform": "RESTAPI" if call.api else "Android"})
    return {"MsgTime": time, "MsgSeq": sequence}


def _check_muted(desk: Desk, group: str, sender: str, now: int) -> None:
    query = "SELECT 1 FROM members WHERE team = ? AND account = ? AND muted_until > ?"
    if desk.store.has(query, group, sender, now):
        fail(10017, "the sender is muted in this group")


def say(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message that a member sends with a client."""
    content = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": message.get("text", "")}}]
    body = {"GroupId": message["group"], "From_Account": message["from"], "Random": call.desk.store.next("said"),
            "MsgBody": message.get("body", content)}  # fmt: skip
    return _sent(call, body)


def group_msg_get_simple(call: Call) -> Mapping[str, Any]:
    """§5.9: newest first; IsFinished 1 says that there is nothing older."""
    rules = {"GroupId": _GROUP, "ReqMsgNumber": Rule(integer(1, 20), 10004), "ReqMsgSeq": Rule(
        integer(1), 10004, needed=False)}  # fmt: skip
    body = body_of(call, rules)
    group, _, _, next_seq, _ = group_of(call.desk, body["GroupId"])
    days = call.desk.number("roaming_days")
    oldest = call.now // 1000 - days * 86_400 if days else 0
    query = """
        SELECT sender, seq, time, random, body, data FROM group_messages WHERE team = ? AND seq <= ?
        ORDER BY seq DESC LIMIT ?
    """
    start = body.get("ReqMsgSeq", next_seq - 1)
    found = [_told(row, oldest) for row in call.desk.store.all(query, group, start, body["ReqMsgNumber"])]
    cut = len(orjson.dumps(found)) > 64 << 10
    finished = 0 if cut else 2 if found and all(item["IsPlaceMsg"] for item in found) else 1
    return {"GroupId": group, "IsFinished": finished, "RspMsgList": found[: len(found) // 2 or 1] if cut else found}


def _told(row: Any, oldest: int) -> dict[str, Any]:
    sender, seq, time, random, body, data = row
    gone = time < oldest
    found = {
        "From_Account": sender, "IsPlaceMsg": int(gone), "MsgBody": [] if gone else orjson.loads(body),
        "MsgPriority": 2, "MsgRandom": random, "MsgSeq": seq, "MsgTimeStamp": time,
    }  # fmt: skip
    return found if data is None or gone else found | {"CloudCustomData": data}
