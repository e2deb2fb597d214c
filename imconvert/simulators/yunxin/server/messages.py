"""Messages: live sending, history queries, uploads (yunxin.md §4.4, §5)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import orjson

from imconvert.simulators.core.calls import Answer, Call, Refused
from imconvert.simulators.core.checks import digits
from imconvert.simulators.yunxin.server.accounts import exists, need
from imconvert.simulators.yunxin.server.answers import (
    ACCID,
    ACCIDS,
    NUMBERS,
    TID,
    TIME,
    Field,
    fail,
    failed,
    fold,
    form_of,
    json_of,
    more_of,
    optional,
    page_of,
    part_of,
)
from imconvert.simulators.yunxin.server.notices import conversation_of, keep
from imconvert.simulators.yunxin.server.teams import role_of, team_of

TYPES = ("0", "1", "2", "3", "4", "6", "10", "100")
_BODY = {
    "0": ("msg",), "1": ("url", "ext", "w", "h", "size"), "2": ("url", "ext", "dur", "size"),
    "3": ("url", "ext", "dur", "w", "h", "size"), "4": ("title", "lng", "lat"), "6": ("url", "ext", "size"),
    "10": ("msg",), "100": (),
}  # fmt: skip
"""What a body has to have, by type (§6)."""

_MOST = 15 << 20
_TYPE = Field(form="|".join(TYPES))
_MESSAGE = {
    "type": _TYPE, "body": Field(), "option": optional(), "ext": optional(1024), "pushcontent": optional(500),
    "payload": optional(2048),
}  # fmt: skip


def _content(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    """Type, body, ext and route of a message, checked. Raises Refused 414, 405."""
    body = _object(call, "body", given["body"])
    missing = [name for name in _BODY[str(given["type"])] if name not in body]
    if missing:
        fail(call, 414, f"body has no {missing[0]}")
    if len(str(given["body"])) > call.desk.number("body"):
        fail(call, 405, f"body is longer than {call.desk.number('body')}")
    if given.get("ext"):
        _object(call, "ext", given["ext"])
    route = _object(call, "option", given.get("option") or "{}").get("route", True)
    return {"type": int(given["type"]), "body": body, "ext": given.get("ext"), "route": route, "source": "rest",
            "client_id": given.get("msgClientId")}  # fmt: skip


def _object(call: Call, name: str, text: Any) -> dict[str, Any]:
    try:
        found = orjson.loads(text) if isinstance(text, str) else text
    except ValueError:
        found = None
    if not isinstance(found, dict):
        fail(call, 414, f"{name} is no JSON object")
    return found


def send(call: Call) -> Mapping[str, Any]:
    """msg/sendMsg: ope 0 to a person, 1 to a team; the time is the server's."""
    given = form_of(call, {"from": ACCID, "ope": Field(form="[01]"), "to": Field(), **_MESSAGE})
    number = _send(call, given["from"], given["to"], given, team=given["ope"] == "1")
    return {"data": {"msgid": number, "timetag": call.now, "antispam": False}}


def _send(call: Call, sender: str, target: str, given: Mapping[str, Any], *, team: bool) -> int:
    content = _content(call, given)
    need(call, sender)
    if team:
        _check_team(call, sender, team_of(call, target))
    else:
        need(call, target)
        query = "SELECT 1 FROM lists WHERE kind = 'black' AND owner = ? AND other = ?"
        if call.desk.store.has(query, fold(target), fold(sender)):
            fail(call, 403, "the receiver has blocked the sender")
    return keep(call, (sender, target), content, team=team)


def _check_team(call: Call, sender: str, tid: int) -> None:
    role = role_of(call.desk, tid, sender)
    if not role:
        fail(call, 804, "the sender is no member")
    query = "SELECT json_extract(facts, '$.mute') FROM teams WHERE tid = ?"
    kind = call.desk.store.number(query, tid)
    if kind == 3 or (kind == 1 and role == "member"):
        fail(call, 812, "the team is muted")
    query = "SELECT json_extract(facts, '$.gagged') FROM members WHERE tid = ? AND accid = ?"
    if call.desk.store.number(query, tid, fold(sender)):
        fail(call, 423, "the sender is muted")


def send_batch(call: Call) -> Mapping[str, Any]:
    """msg/sendBatchMsg: at most 500, 100 with returnMsgid; `unregister` is a text that holds JSON."""
    given = form_of(
        call, {"fromAccid": ACCID, "toAccids": ACCIDS, "returnMsgid": optional(form="true|false"), **_MESSAGE}
    )
    wants = given.get("returnMsgid") == "true"
    if len(given["toAccids"]) > (100 if wants else 500):
        fail(call, 414, "toAccids are too many")
    need(call, given["fromAccid"])
    content, store = _content(call, given), call.desk
    missing = [accid for accid in given["toAccids"] if not exists(store, accid)]
    there = [accid for accid in given["toAccids"] if accid not in missing]
    found = {accid: keep(call, (given["fromAccid"], accid), content, team=False) for accid in there}
    told = {"unregister": orjson.dumps(missing).decode(), "timetag": call.now}
    return told | ({"msgids": found} if wants else {})


def say(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message that a user sends with a client."""
    team = "group" in message
    target = str(message["group"] if team else message["to"])
    given = {"type": str(message.get("type", 0)), "body": message.get("body", {"msg": message.get("text", "")})}
    content = {
        **_content(call, given),
        "ext": message.get("ext"),
        "client": message.get("client", 1),
        "source": "client",
    }
    return {"msgid": keep(call, (message["from"], target), content, team=team)}


# --- history --------------------------------------------------------------------------------------------

_HISTORY = {
    "begintime": TIME, "endtime": TIME, "limit": Field(form="[0-9]{1,4}"), "reverse": optional(form="[12]"),
    "type": optional(form=NUMBERS), "excludeMsgid": optional(form=NUMBERS),
}  # fmt: skip


def history_of_pair(call: Call) -> Mapping[str, Any]:
    """history/querySessionMsg: both directions; newest first unless reverse is 1."""
    given = form_of(call, {"from": ACCID, "to": ACCID, **_HISTORY})
    need(call, given["from"], given["to"])
    return _history(call, given, conversation_of(fold(given["from"]), fold(given["to"]), team=False))


def history_of_team(call: Call) -> Mapping[str, Any]:
    """history/queryTeamMsg: checkTeamValid asks for a member of now, without it for one who once was."""
    given = form_of(call, {"tid": TID, "accid": ACCID, "checkTeamValid": optional(form="true|false"), **_HISTORY})
    if given.get("checkTeamValid") != "false":
        if not role_of(call.desk, team_of(call, given["tid"]), given["accid"]):
            fail(call, 804, "the account is no member")
    elif not call.desk.store.has(
        "SELECT 1 FROM once WHERE tid = ? AND accid = ?", int(given["tid"]), fold(given["accid"])
    ):
        fail(call, 804, "the account never was a member")
    return _history(call, given, conversation_of("", str(int(given["tid"])), team=True))


def _history(call: Call, given: Mapping[str, Any], conversation: tuple[int, str, str]) -> dict[str, Any]:
    first, last, limit = int(given["begintime"]), int(given["endtime"]), int(given["limit"])
    if first >= last:
        fail(call, 414, "bad time")
    if not 1 <= limit <= 100:
        fail(call, 414, "limit is 1 to 100")
    kinds = [int(one) for one in (given.get("type") or "").split(",") if one]
    without = [int(one) for one in (given.get("excludeMsgid") or "").split(",") if one]
    way = "ASC" if given.get("reverse") == "1" else "DESC"
    rows = _rows(call, conversation, (max(first, _oldest(call)), last), (kinds, without), f"{way} LIMIT {limit}")
    return {"size": len(rows), "msgs": [_told(row) for row in rows]}


def _oldest(call: Call) -> int:
    days = call.desk.number("history_days")
    return call.now - days * 86_400_000 if days else 0


def _rows(call: Call, conversation: tuple[int, str, str], times: tuple[int, int], only: Any, order: str) -> list[Any]:
    """Messages of a conversation; `only` are types to take (none for all) and numbers to leave out."""
    kinds, without = only
    query = f"""
        SELECT sender, msgid, client_id, time, type, client, body, ext, target FROM messages
        WHERE team = ? AND one = ? AND other = ? AND time BETWEEN ? AND ?
            {f"AND type IN ({','.join(map(str, kinds))})" if kinds else ""}
            {f"AND msgid NOT IN ({','.join(map(str, without))})" if without else ""}
        ORDER BY time {order.replace(" LIMIT", f", number {order.split()[0]} LIMIT")}
    """
    return call.desk.store.all(query, *conversation, *times)


def _told(row: Any) -> dict[str, Any]:
    sender, number, client_id, time, kind, client, body, ext, _ = row
    found = {"from": sender, "msgid": number, "msgidclient": client_id, "sendtime": time, "type": kind,
             "fromclienttype": client, "body": orjson.loads(body)}  # fmt: skip
    return found if not ext else found | {"ext": ext}


# --- v2 -------------------------------------------------------------------------------------------------


def _conversation(call: Call) -> tuple[str, str, bool]:
    """Owner, other and whether it is a team, of `owner|type|other` (§4.5)."""
    parts = unquote(call.parts["cid"]).split("|")
    if len(parts) != 3 or parts[1] not in ("1", "2"):
        fail(call, 414, "conversation_id is wrong")
    return parts[0], parts[2], parts[1] == "2"


def send_v2(call: Call) -> Mapping[str, Any]:
    """A message_client_id that was there before is 107306."""
    owner, other, team = _conversation(call)
    body = json_of(call, {"extension": optional(1024)})
    message = part_of(call, body, "message")
    if str(message.get("message_type")) not in TYPES:
        fail(call, 414, "message is wrong")
    kind, client_id = str(message["message_type"]), message.get("message_client_id")
    if client_id is not None and not isinstance(client_id, str):
        fail(call, 414, "message_client_id is no text")
    if client_id and call.desk.store.has("SELECT 1 FROM messages WHERE client_id = ?", client_id):
        fail(call, 107306, "the message_client_id was there before")
    texts = kind in ("0", "10")
    content = {"msg": message.get("text")} if texts else message.get("attachment")
    given = {"type": kind, "body": content, "ext": body.get("extension"), "msgClientId": client_id,
             "option": {"route": part_of(call, body, "route_config").get("route_enabled", True)}}  # fmt: skip
    number = _send(call, owner, other, given, team=team)
    return {
        "message_server_id": number,
        "message_client_id": client_id or f"simulated-{number}",
        "create_time": call.now,
    }


def history_v2(call: Call) -> Mapping[str, Any]:
    """§5.2. `descending=true` is documented as ascending order."""
    owner, other, team = _conversation(call)
    query = call.query
    first, last = (digits(query.get(name)) for name in ("begin_time", "end_time"))
    limit, start = page_of(call)
    if first is None or last is None or first >= last:
        fail(call, 414, "begin_time or end_time is wrong")
    if team and query.get("check_team_valid") != "false" and not role_of(call.desk, team_of(call, other), owner):
        fail(call, 804, "the account is no member")
    kinds = [int(one) for one in query.get("message_type", "").split(",") if digits(one) is not None]
    way = "ASC" if query.get("descending") == "true" else "DESC"
    conversation = conversation_of(fold(owner), other if team else fold(other), team=team)
    order = f"{way} LIMIT {limit + 1} OFFSET {start}"
    rows = _rows(call, conversation, (max(first, _oldest(call)), last), (kinds, []), order)
    return {"items": [_told_v2(row, team=team) for row in rows[:limit]], **more_of(rows, limit, start)}


def _told_v2(row: Any, *, team: bool) -> dict[str, Any]:
    sender, number, client_id, time, kind, client, body, ext, target = row
    content = orjson.loads(body)
    return {
        "message_server_id": number, "message_client_id": client_id, "conversation_type": 2 if team else 1,
        "sender_id": sender, "team_id" if team else "receiver_id": target, "message_type": kind, "sub_type": 0,
        "create_time": time, "sender_client_type": client, "text": content.get("msg", "") if kind in (0, 10) else "",
        "attachment": {} if kind in (0, 10) else content, "extension": ext or "",
    }  # fmt: skip


# --- files ----------------------------------------------------------------------------------------------


def upload(call: Call) -> Mapping[str, Any]:
    """msg/upload: `content` in base64, at most 15 MB."""
    given = form_of(call, {"content": Field(), "type": optional(128), "tag": optional(32)})
    try:
        content = base64.b64decode(given["content"], validate=True)
    except ValueError:
        fail(call, 414, "content is no base64")
    return _kept(call, given, content)


def upload_file(call: Call) -> Mapping[str, Any]:
    """msg/fileUpload: multipart, part `content`."""
    if call.kind != "multipart/form-data":
        fail(call, 414, "Content-Type is not multipart/form-data")
    parts = call.multipart()
    if "content" not in parts:
        fail(call, 414, "content is missing")
    given = {name: part.content.decode(errors="replace") for name, part in parts.items() if name != "content"}
    return _kept(call, given, parts["content"].content)


def _kept(call: Call, given: Mapping[str, Any], content: bytes) -> dict[str, Any]:
    if len(content) > _MOST:
        fail(call, 414, "content is larger than 15 MB")
    if given.get("expireSec") and digits(given["expireSec"], 86_400) is None:
        fail(call, 414, "expireSec is less than a day")
    number = call.desk.store.next("file")
    identity = sha256(f"file/{number}".encode()).hexdigest()[:32]
    row = (identity, given.get("tag", ""), given.get("type") or "application/octet-stream", content, None, call.now)
    call.desk.store.run("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", row)
    return {"url": f"http://{call.headers.get('host', '')}/files/{identity}"}


def download(call: Call) -> Answer:
    """What was uploaded; files are public."""
    row = call.desk.store.one("SELECT bytes, type FROM files WHERE id = ?", call.parts["file"])
    if row is None:
        raise Refused(failed(call, 404, "there is no such file")._replace(status=404))
    return Answer(200, row[0], "200", row[1])
