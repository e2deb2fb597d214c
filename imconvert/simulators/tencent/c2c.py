"""One-to-one messages (tencent.md §4).

A message is known by its pair, whoever of the two sent it, and by (MsgSeq, MsgRandom, MsgTimeStamp); content does not
count, and the first import wins (§4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import U32, Rule, array, digits, integer, one_of, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.tencent.answers import body_of, fail
from imconvert.simulators.tencent.elements import problem_of, size_of
from imconvert.simulators.tencent.people import exists

TABLES = """
CREATE TABLE c2c (
    one TEXT, other TEXT, time INTEGER, seq INTEGER, random INTEGER, sender TEXT NOT NULL, receiver TEXT NOT NULL,
    body TEXT NOT NULL, data TEXT, api TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (one, other, time, seq, random)
) WITHOUT ROWID;
CREATE TABLE c2c_unread (
    owner TEXT, peer TEXT, time INTEGER, seq INTEGER, random INTEGER, PRIMARY KEY (owner, peer, time, seq, random)
) WITHOUT ROWID;
CREATE TABLE c2c_again (api TEXT NOT NULL, sender TEXT NOT NULL, receiver TEXT NOT NULL, key TEXT NOT NULL);
"""
HISTORY, LIVE, LIVE_BEFORE_2023 = 2, 5, 1
"""Values of SyncFromOldSystem (§4.1, §14)."""

_ANSWER = 13_000
_USER = text(1)
_MESSAGE = {
    "From_Account": Rule(_USER, 90008), "To_Account": Rule(_USER, 90003), "MsgSeq": Rule(U32, 90010, needed=False),
    "MsgRandom": Rule(U32, 90005), "MsgBody": Rule(array(), 90007),
    "CloudCustomData": Rule(text(), 90010, needed=False),
}  # fmt: skip
_IMPORT = {
    "SyncFromOldSystem": Rule(one_of((HISTORY, LIVE, LIVE_BEFORE_2023)), 90030), **_MESSAGE,
    "MsgTimeStamp": Rule(integer(1, (1 << 32) - 1), 90006),
}  # fmt: skip
_FORBID = one_of(("ForbidBeforeSendMsgCallback", "ForbidAfterSendMsgCallback"))
_CONTROL = one_of(("NoUnread", "NoLastMsg", "WithMuteNotifications"))
_SEND = {
    "SyncOtherMachine": Rule(one_of((1, 2)), 90031, needed=False), **_MESSAGE,
    "MsgTimeStamp": Rule(U32, 90006, needed=False),
    "MsgLifeTime": Rule(integer(0, 604_800), 90026, needed=False),
    "ForbidCallbackControl": Rule(array(of=_FORBID), 90010, needed=False),
    "SendMsgControl": Rule(array(of=_CONTROL), 90010, needed=False),
}  # fmt: skip


def importmsg(call: Call) -> None:
    """§4.1. A duplicate has no code of its own and is answered with OK (UNCONFIRMED there)."""
    body = body_of(call, _IMPORT)
    _check(call.desk, body)
    _keep(call, body, body["MsgTimeStamp"], unread=body["SyncFromOldSystem"] != HISTORY)


def _check(desk: Desk, body: Mapping[str, Any]) -> None:
    if not exists(desk, body["From_Account"]):
        fail(90008, "From_Account does not exist")
    if not exists(desk, body["To_Account"]):
        fail(90012, "To_Account does not exist")
    if problem := problem_of(body["MsgBody"]):
        fail(90002, problem)
    if size_of(body["MsgBody"]) > desk.number("size"):
        fail(93000, "the message is too long")


def _keep(call: Call, body: Mapping[str, Any], time: int, *, unread: bool) -> str:
    """Keep a message, unless it is there, and give its key."""
    store, sender, receiver = call.desk.store, body["From_Account"], body["To_Account"]
    seq = body.get("MsgSeq")
    if seq is None:  # a random one is filled in (§4.1); here a counter, so that runs stay the same
        seq = store.next("c2c_seq")
    one, other = sorted((sender, receiver))
    key = (time, seq, body["MsgRandom"])
    body_text = orjson.dumps(body["MsgBody"]).decode()
    row = (one, other, *key, sender, receiver, body_text, body.get("CloudCustomData"), call.api, store.next("message"))
    named = f"{seq}_{body['MsgRandom']}_{time}"
    if not store.run("INSERT OR IGNORE INTO c2c VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row).rowcount:
        store.run("INSERT INTO c2c_again VALUES (?, ?, ?, ?)", (call.api, sender, receiver, named))
    elif unread:
        store.run("INSERT INTO c2c_unread VALUES (?, ?, ?, ?, ?)", (receiver, sender, *key))
    return named


def sendmsg(call: Call) -> Mapping[str, Any]:
    """§4.3; friendship, blocks and mutes do not count. The time is the server's; MsgLifeTime 0 is not kept."""
    body = body_of(call, _SEND)
    _check(call.desk, body)
    return _sent(call, body)


def _sent(call: Call, body: Mapping[str, Any]) -> Mapping[str, Any]:
    time = int(body.get("MsgTimeStamp", call.now // 1000))
    unread = "NoUnread" not in body.get("SendMsgControl", [])
    online = body.get("MsgLifeTime") == 0
    unkept = f"{body.get('MsgSeq', 0)}_{body['MsgRandom']}_{time}"
    key = unkept if online else _keep(call, body, time, unread=unread)
    if "ForbidAfterSendMsgCallback" not in body.get("ForbidCallbackControl", []):
        facts = {"body": dict(body), "key": key, "time": time, "now": call.now, "online": int(online)}
        call.desk.tell("C2C.CallbackAfterSendMsg", facts | {"platform": "RESTAPI" if call.api else "Android"})
    return {"MsgTime": time, "MsgKey": key}


def say(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message that a user sends with a client."""
    random = call.desk.store.next("said")
    content = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": message["text"]}}]
    body = {"From_Account": message["from"], "To_Account": message["to"], "MsgSeq": random, "MsgRandom": random,
            "MsgBody": message.get("body", content)}  # fmt: skip
    _check(call.desk, body)
    return _sent(call, body)


def admin_set_msg_read(call: Call) -> None:
    """§4.2; MsgReadTime is an integer or, on another page, a string."""
    body = body_of(call, {"Report_Account": Rule(_USER, 90001), "Peer_Account": Rule(_USER, 90001)})
    given = body.get("MsgReadTime", call.now // 1000)
    until = given if integer(0)(given) else digits(given)
    if until is None:
        fail(90001, "MsgReadTime is no time")
    owner, peer = body["Report_Account"], body["Peer_Account"]
    if not exists(call.desk, owner) or not exists(call.desk, peer):
        fail(90048, "the account does not exist")
    store = call.desk.store
    store.run("DELETE FROM c2c_unread WHERE owner = ? AND peer = ? AND time <= ?", (owner, peer, until))
    left = store.number("SELECT count(*) FROM c2c_unread WHERE owner = ?", owner)
    facts = {"owner": owner, "peer": peer, "until": until, "unread": left, "now": call.now}
    call.desk.tell("C2C.CallbackAfterMsgReport", facts)


_QUERY = {
    "From_Account": Rule(_USER, 90008), "To_Account": Rule(_USER, 90003), "MaxCnt": Rule(integer(1), 90001),
    "MinTime": Rule(U32, 90001), "MaxTime": Rule(U32, 90001), "LastMsgKey": Rule(text(), 90001, needed=False),
}  # fmt: skip


def admin_getroammsg(call: Call) -> Mapping[str, Any]:
    """§4.4: both directions, back in time; an answer is cut at about 13 KB; what is too old is not found (§2)."""
    body, desk = body_of(call, _QUERY), call.desk
    if not exists(desk, body["From_Account"]) or not exists(desk, body["To_Account"]):
        fail(90048, "the account does not exist")
    oldest = call.now // 1000 - desk.number("roaming_days") * 86_400 if desk.number("roaming_days") else 0
    pair = sorted((body["From_Account"], body["To_Account"]))
    query = """
        SELECT sender, receiver, seq, random, time, body, data FROM c2c
        WHERE one = ? AND other = ? AND time BETWEEN ? AND ? ORDER BY time DESC, seq DESC, random DESC
    """
    rows = desk.store.run(query, (*pair, max(body["MinTime"], oldest), body["MaxTime"]))
    return _page(rows, body)


def _page(rows: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    """Newest first as far as count and size go; `LastMsgKey` was the end of the page before."""
    found: list[dict[str, Any]] = []
    skipping, complete, size = body.get("LastMsgKey") or None, 1, 0
    for row in rows:
        item = _told(row)
        if skipping and item["MsgTimeStamp"] == body["MaxTime"]:
            skipping = None if item["MsgKey"] == skipping else skipping
            continue
        size += len(orjson.dumps(item))
        if len(found) == body["MaxCnt"] or (found and size > _ANSWER):
            complete = 0
            break
        found.append(item)
    last = found[-1] if found else {}
    return {
        "Complete": complete, "MsgCnt": len(found), "LastMsgTime": last.get("MsgTimeStamp", 0),
        "LastMsgKey": last.get("MsgKey", ""), "MsgList": found,
    }  # fmt: skip


def _told(row: Any) -> dict[str, Any]:
    sender, receiver, seq, random, time, body, data = row
    found = {
        "From_Account": sender, "To_Account": receiver, "MsgSeq": seq, "MsgRandom": random, "MsgTimeStamp": time,
        "MsgFlagBits": 0, "MsgKey": f"{seq}_{random}_{time}", "MsgBody": orjson.loads(body),
    }  # fmt: skip
    return found if data is None else found | {"CloudCustomData": data}
