"""Messages: publishing, queries, the hourly log, message routing (rongcloud.md §2, §4.1, §4.2, §5).

There is no import of the past: what is published is stamped now (§4.1).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson

from imconvert.simulators.core.calls import Answer, Call, Refused
from imconvert.simulators.core.checks import Rule, boolean, check, integer, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.core.hours import DAY, HOUR, start_of
from imconvert.simulators.core.vendor import Post, Posting
from imconvert.simulators.rongcloud.answers import Field, fail, failed, form_of, limited, sign
from imconvert.simulators.rongcloud.groups import need_group
from imconvert.simulators.rongcloud.people import USER, need_user

TABLES = """
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, uid TEXT NOT NULL, kind INTEGER NOT NULL, one TEXT NOT NULL, other TEXT NOT NULL,
    sender TEXT NOT NULL, target TEXT NOT NULL, object TEXT NOT NULL, content TEXT NOT NULL, time INTEGER NOT NULL,
    source TEXT NOT NULL
);
CREATE INDEX conversations ON messages (kind, one, other, time);
CREATE INDEX times ON messages (time);
"""

PERSON, GROUP, SYSTEM = 1, 3, 6
_CHANNELS = {PERSON: "PERSON", GROUP: "GROUP", SYSTEM: "NOTIFY"}
POSTING = Posting(tries=3, timeout=5.0, delivered=lambda status, body: 200 <= status < 300)
"""§5: 2xx within 5 s, two more tries, then dropped."""

MOST = 128 << 10
KEPT = 3 * DAY
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_CONTENT = {"objectName": Field(most=32), "content": Field()}


def _uid(number: int) -> str:
    """Four groups of four, as in the samples (§2.2)."""
    digest = sha256(f"uid/{number}".encode()).digest()
    text = "".join(_ALPHABET[byte & 31] for byte in digest[:16])
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _keep(call: Call, kind: int, ends: tuple[str, str], content: tuple[str, str], source: str) -> str:
    """Keep a message that was sent now, tell of it, and give its id."""
    store, (sender, target) = call.desk.store, ends
    number = store.next("message")
    one, other = sorted(ends) if kind == PERSON else (target, "")
    row = (number, _uid(number), kind, one, other, sender, target, *content, call.now, source)
    store.run("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    if source != "Server" or call.desk.chosen("route_server", "on"):
        facts = {"uid": row[1], "kind": kind, "from": sender, "to": target, "object": content[0],
                 "content": content[1], "now": call.now, "source": source}  # fmt: skip
        call.desk.tell("message", facts)
    return str(row[1])


def _content(call: Call, form: Any) -> tuple[str, str]:
    """Class and content: JSON text of at most 128 KB (§3)."""
    content = form.one("content")
    if len(content.encode()) > MOST:
        fail(call, 1005, "content is longer than 128 KB.")
    try:
        orjson.loads(content)
    except ValueError:
        fail(call, 1002, "content is invalid.")
    return form.one("objectName"), content


def _publish(call: Call, kind: int, field: str, most: int) -> Mapping[str, Any]:
    form = form_of(call, {"fromUserId": USER, field: Field(most=64, times=most), **_CONTENT})
    targets, content = form.many(field), _content(call, form)
    need_user(call, form.one("fromUserId"))
    if kind == GROUP:
        for target in targets:
            need_group(call, target)
    if kind == PERSON and call.spend("receivers", len(targets)):
        raise Refused(limited(call, 0))
    kept = form.one("isPersisted", "1") == "1"
    uids = [_keep(call, kind, (form.one("fromUserId"), target), content, "Server") for target in targets if kept]
    return {"messageUID": uids[0]} if len(uids) == 1 else {"messageUIDs": uids} if uids else {}


def publish_private(call: Call) -> Mapping[str, Any]:
    """§4.2: at most 1000 receivers, each of which counts."""
    return _publish(call, PERSON, "toUserId", 1000)


def publish_group(call: Call) -> Mapping[str, Any]:
    """§4.2: at most 3 groups."""
    return _publish(call, GROUP, "toGroupId", 3)


def publish_system(call: Call) -> Mapping[str, Any]:
    """§4.2: at most 100 receivers."""
    return _publish(call, SYSTEM, "toUserId", 100)


def say(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message that a user sends with a client."""
    kind, target = (GROUP, message["group"]) if "group" in message else (PERSON, message["to"])
    content = message.get("content", {"content": message.get("text", "")})
    pair = (message.get("class", "RC:TxtMsg"), orjson.dumps(content).decode())
    return {"msgUID": _keep(call, kind, (message["from"], target), pair, message.get("source", "Android"))}


def query_private(call: Call) -> Mapping[str, Any]:
    """§2.4, /v3/message/private/query.json."""
    body = _query_body(call)
    one, other = sorted((body["userId"], body["targetId"]))
    return _query(call, body, (PERSON, one, other))


def query_group(call: Call) -> Mapping[str, Any]:
    """§2.4, /v3/message/group/query.json."""
    body = _query_body(call)
    return _query(call, body, (GROUP, body["targetId"], ""))


_QUERY = {
    "userId": Rule(text(1), 1002), "targetId": Rule(text(1), 1002), "startTime": Rule(integer(0), 1002),
    "endTime": Rule(integer(0), 1002), "pageSize": Rule(integer(1, 100), 1002, needed=False),
    "includeStart": Rule(boolean, 1002, needed=False),
}  # fmt: skip


def _query_body(call: Call) -> dict[str, Any]:
    try:
        body = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        fail(call, 1002, "the body is no JSON.")
    check(body, _QUERY, lambda code, why: fail(call, code, why))
    if not 0 <= body["endTime"] - body["startTime"] <= call.desk.number("query_days") * DAY:
        fail(call, 1002, "endTime is invalid.")
    return body


def _query(call: Call, body: Mapping[str, Any], conversation: tuple[int, str, str]) -> dict[str, Any]:
    """Newest first; `includeStart` says whether the border belongs to it."""
    query = """
        SELECT uid, sender, target, object, content, time FROM messages
        WHERE kind = ? AND one = ? AND other = ? AND time >= ? AND time <= ? ORDER BY time DESC, number DESC LIMIT ?
    """
    first = body["startTime"] + (0 if body.get("includeStart", True) else 1)
    rows = call.desk.store.all(query, *conversation, first, body["endTime"], body.get("pageSize", 10))
    found = [
        {"targetId": target, "fromUserId": sender, "messageUID": uid, "msgTime": time, "objectName": kind,
         "content": content, "expansion": False, "extraContent": "", "busChannel": ""}
        for uid, sender, target, kind, content, time in rows
    ]  # fmt: skip
    return {"data": found}


def history(call: Call) -> Mapping[str, Any]:
    """§2.1: the address of an hour's log; empty where the hour holds nothing, is not over, or is too old."""
    date = form_of(call, {"date": Field(form="[0-9]{10}")}).one("date")
    if call.desk.chosen("history_log", "off"):
        fail(call, 1009, "the service is not enabled.")
    start = _start_of(call, date)
    end = start + HOUR
    query = "SELECT 1 FROM messages WHERE time >= ? AND time < ? LIMIT 1"
    there = call.now - KEPT <= end <= call.now and call.desk.store.has(query, start, end)
    name = UUID(bytes=sha256(date.encode()).digest()[:16], version=4)
    host = call.headers.get("host", "")
    return {"url": f"http://{host}/1/{date}/{name}.zip" if there else "", "date": date}


def _zone(desk: Desk) -> timezone:
    return timezone(timedelta(hours=desk.number("zone_hours")))


def _start_of(call: Call, date: str) -> int:
    try:
        return start_of(date, call.desk.number("zone_hours"))
    except ValueError:
        fail(call, 1002, "date is invalid.")


def history_file(call: Call) -> Answer:
    """§2.1, §2.2: a zip with one text file, lines with the time in front."""
    date = call.parts["date"]
    start = _start_of(call, date)
    query = "SELECT uid, kind, sender, target, object, content, time, source FROM messages WHERE time >= ? AND time < ?"
    lines = "".join(
        _line(call.desk, row) for row in call.desk.store.all(f"{query} ORDER BY number", start, start + HOUR)
    )
    if not lines:
        raise Refused(failed(call, 404, "there is no such file"))
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as file:
        file.writestr(ZipInfo(f"{date[:4]}-{date[4:6]}-{date[6:8]}-{date[8:]}"), lines)
    return Answer(200, packed.getvalue(), "200", "application/zip")


def _line(desk: Desk, row: Any) -> str:
    uid, kind, sender, target, name, content, time, source = row
    moment = datetime.fromtimestamp(time / 1000, UTC).astimezone(_zone(desk))
    record = {
        "appId": desk.text("app_key"), "fromUserId": sender, "targetId": target, "targetType": kind,
        "GroupId": target if kind == GROUP else "", "classname": name, "content": orjson.loads(content),
        "dateTime": f"{moment:%Y-%m-%d %H:%M:%S}.{time % 1000:03}", "timestamp": time, "msgUID": uid,
        "source": source, "isSensitiveWord": "false",
    }  # fmt: skip
    return f"{moment:%Y/%m/%d %H:%M:%S}{orjson.dumps(record).decode()}\n"


def forget_history(call: Call) -> None:
    """§2.1: the file of an hour goes."""
    date = form_of(call, {"date": Field(form="[0-9]{10}")}).one("date")
    start = _start_of(call, date)
    query = "DELETE FROM messages WHERE time >= ? AND time < ?"
    if not call.desk.store.run(query, (start, start + HOUR)).rowcount:
        fail(call, 1015, "there is nothing to delete.")


def post(desk: Desk, event: str, facts: Mapping[str, Any]) -> Post | None:
    """§5: a form, signed in the query."""
    now = str(facts["now"])
    nonce = f"n{facts['uid'][:8]}"
    query = {"appKey": desk.text("app_key"), "nonce": nonce, desk.text("callback_time"): now,
             "signature": sign(desk.text("app_secret"), nonce, now)}  # fmt: skip
    body = {
        "fromUserId": facts["from"], "toUserId": facts["to"], "objectName": facts["object"],
        "content": facts["content"], "channelType": _CHANNELS[facts["kind"]], "msgTimestamp": now,
        "msgUID": facts["uid"], "originalMsgUID": "", "sensitiveType": "0", "source": facts["source"],
        "busChannel": "", "groupUserIds": "",
    }  # fmt: skip
    return Post(query, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(body).encode())
