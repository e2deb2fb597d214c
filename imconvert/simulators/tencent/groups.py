"""Groups (tencent.md §5.1, 5.2, 5.6, 5.10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import U32, Rule, array, integer, one_of, text
from imconvert.simulators.core.desk import Desk, Setting
from imconvert.simulators.tencent.answers import body_of, fail
from imconvert.simulators.tencent.people import exists, is_user

TABLES = """
CREATE TABLE groups (
    id TEXT PRIMARY KEY, type TEXT NOT NULL, owner TEXT, created INTEGER NOT NULL, facts TEXT NOT NULL,
    next_seq INTEGER NOT NULL, last_time INTEGER NOT NULL, number INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE members (
    team TEXT, account TEXT, role TEXT NOT NULL, joined INTEGER NOT NULL, unread INTEGER NOT NULL,
    muted_until INTEGER NOT NULL, PRIMARY KEY (team, account)
) WITHOUT ROWID;
"""

TYPES = {"Private": "Private", "Work": "Private", "Public": "Public", "ChatRoom": "ChatRoom", "Meeting": "ChatRoom",
         "AVChatRoom": "AVChatRoom", "Community": "Community"}  # fmt: skip
"""Types as they are written, and as they are kept (§5.1)."""

NO_HISTORY, NO_UNREAD = ("AVChatRoom",), ("ChatRoom", "AVChatRoom")
_ID = re.compile(r"[\x20-\x7e]{1,48}")
_KEY = re.compile(r"[A-Za-z0-9_]{1,16}")
_LENGTHS = {
    "older": {"Name": 30, "Introduction": 240, "Notification": 300, "FaceUrl": 100},
    "newer": {"Name": 100, "Introduction": 400, "Notification": 400, "FaceUrl": 500},
}
LENGTHS = Setting("newer", "longest name, introduction, notice, face: 100/400/400/500 bytes, or 30/240/300/100 (§2)",
                  tuple(_LENGTHS))  # fmt: skip
_ANSWER = 1 << 20


def _custom(value: Any) -> bool:
    """A custom field of a group (§2)."""
    return (
        isinstance(value, dict)
        and bool(_KEY.fullmatch(str(value.get("Key"))))
        and text(0, 512)(value.get("Value"))
        and value.keys() <= {"Key", "Value"}
    )


_OPTIONS = {
    "Introduction": Rule(text(), 10004, needed=False), "Notification": Rule(text(), 10004, needed=False),
    "FaceUrl": Rule(text(), 10004, needed=False),
    "ApplyJoinOption": Rule(one_of(("FreeAccess", "NeedPermission", "DisableApply")), 10004, needed=False),
    "InviteJoinOption": Rule(one_of(("FreeAccess", "NeedPermission", "DisableInvite")), 10004, needed=False),
    "AppDefinedData": Rule(array(0, 10, of=_custom), 10004, needed=False),
}  # fmt: skip
_IMPORT = {
    "Type": Rule(one_of(tuple(TYPES)), 10004), "Name": Rule(text(1), 10004),
    "Owner_Account": Rule(is_user, 10004, needed=False), "GroupId": Rule(text(1), 10015, needed=False),
    "CreateTime": Rule(U32, 10004, needed=False), "MaxMemberCount": Rule(integer(1), 10004, needed=False),
    "SupportTopic": Rule(integer(0, 1), 10004, needed=False), **_OPTIONS,
}  # fmt: skip
_MODIFY = {
    "GroupId": Rule(text(1), 10015), "Name": Rule(text(1), 10004, needed=False),
    "MaxMemberNum": Rule(integer(1), 10004, needed=False),
    "MuteAllMember": Rule(one_of(("On", "Off")), 10004, needed=False),
    "ShutUpAllMember": Rule(one_of(("On", "Off")), 10004, needed=False), **_OPTIONS,
}  # fmt: skip
FACTS = ("Name", "Introduction", "Notification", "FaceUrl", "ApplyJoinOption", "InviteJoinOption", "MuteAllMember")


def _check_lengths(desk: Desk, body: Mapping[str, Any]) -> None:
    for name, most in _LENGTHS[desk.text("lengths")].items():
        if len(body.get(name, "").encode()) > most:
            fail(10004, f"{name} has more than {most} bytes")


def group_of(desk: Desk, group: Any) -> tuple[str, str, int, int, int]:
    """Id, type, creation, next sequence number and time of the last message of a group. Raises Refused."""
    if not isinstance(group, str):
        fail(10015, "GroupId is missing or no text")
    row = desk.store.one("SELECT id, type, created, next_seq, last_time FROM groups WHERE id = ?", group)
    if row is None:
        fail(10010, "the group does not exist")
    return row


def import_group(call: Call) -> Mapping[str, Any]:
    """§5.2; no callback, no notice."""
    body, desk = body_of(call, _IMPORT), call.desk
    _check_lengths(desk, body)
    owner, created = body.get("Owner_Account"), body.get("CreateTime", call.now // 1000)
    if owner is not None and not exists(desk, owner):
        fail(10019, "the owner does not exist")
    if created > call.now // 1000:
        fail(10004, "CreateTime lies ahead")
    kind, group = TYPES[body["Type"]], _free_id(desk, body)
    facts = {name: body[name] for name in FACTS if name in body}
    facts |= {"MaxMemberNum": body.get("MaxMemberCount", 0), "AppDefinedData": body.get("AppDefinedData", []),
              "SupportTopic": body.get("SupportTopic", 0)}  # fmt: skip
    row = (group, kind, owner, created, orjson.dumps(facts).decode(), 1, 0, desk.store.next("group"))
    desk.store.run("INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    if owner is not None:
        desk.store.run("INSERT INTO members VALUES (?, ?, 'Owner', ?, 0, 0)", (group, owner, created))
    return {"GroupId": group}


def _free_id(desk: Desk, body: Mapping[str, Any]) -> str:
    """The group's id, checked or assigned (§2, §5.2). Raises Refused 10015, 10021, 10025."""
    prefix = "@TGS#_" if TYPES[body["Type"]] == "Community" else "@TGS#"
    if "GroupId" not in body:
        return f"{prefix}{desk.store.next('group_id', 0x1000):X}"
    group = body["GroupId"]
    if not _ID.fullmatch(group) or group.startswith("@TGS#") is (prefix == "@TGS#"):
        fail(10015, "GroupId has a form that may not be chosen")
    row = desk.store.one("SELECT owner FROM groups WHERE id = ?", group)
    if row and row[0] is not None and row[0] == body.get("Owner_Account"):
        fail(10025, "GroupId is in use, and its owner is the same")
    if row:
        fail(10021, "GroupId is in use")
    return str(group)


def modify_group_base_info(call: Call) -> None:
    """§5.6: what is not named stays; a custom field with an empty value goes."""
    body, desk = body_of(call, _MODIFY), call.desk
    group = group_of(desk, body["GroupId"])
    _check_lengths(desk, body)
    row = desk.store.one("SELECT facts FROM groups WHERE id = ?", group[0])
    facts = orjson.loads(row[0]) if row else {}
    custom = {item["Key"]: item["Value"] for item in (*facts["AppDefinedData"], *body.get("AppDefinedData", []))}
    changes = {name: body[name] for name in (*FACTS, "MaxMemberNum") if name in body}
    if "ShutUpAllMember" in body:
        changes["MuteAllMember"] = body["ShutUpAllMember"]
    listed = [{"Key": key, "Value": value} for key, value in custom.items() if value]
    facts |= changes | {"AppDefinedData": listed}
    desk.store.run("UPDATE groups SET facts = ? WHERE id = ?", (orjson.dumps(facts).decode(), group[0]))
    told = {name: body[name] for name in ("Name", "Introduction", "Notification", "FaceUrl") if name in body}
    if told:
        event = {"group": group[0], "type": group[1], "changes": told, "now": call.now}
        desk.tell("Group.CallbackAfterGroupInfoChanged", event)


def get_appid_group_list(call: Call) -> Mapping[str, Any]:
    """§5.10; Next 0 is the end."""
    rules = {"Limit": Rule(integer(1, 10_000), 10004, needed=False), "Next": Rule(integer(0), 10004, needed=False),
             "GroupType": Rule(one_of(tuple(TYPES)), 10004, needed=False)}  # fmt: skip
    body, store = body_of(call, rules), call.desk.store
    kind = TYPES.get(body.get("GroupType", ""), "%")
    limit, start = body.get("Limit", 10_000), body.get("Next", 0)
    total = store.number("SELECT count(*) FROM groups WHERE type LIKE ?", kind)
    query = "SELECT id, number FROM groups WHERE type LIKE ? AND number > ? ORDER BY number LIMIT ?"
    rows = store.all(query, kind, start, limit + 1)
    more = len(rows) > limit
    found = [{"GroupId": group} for group, _ in rows[:limit]]
    if len(orjson.dumps(found)) > _ANSWER:
        fail(10018, "the answer would have more than 1 MB")
    return {"TotalCount": total, "GroupIdList": found, "Next": rows[limit - 1][1] if more else 0}


def get_group_info(call: Call) -> Mapping[str, Any]:
    """§5.10: each group has a code of its own."""
    body = body_of(call, {"GroupIdList": Rule(array(1, 50, of=text(1)), 10004)})
    wanted = body.get("ResponseFilter") or {}
    found = [_info(call.desk, group, wanted) for group in body["GroupIdList"]]
    if len(orjson.dumps(found)) > _ANSWER:
        fail(10018, "the answer would have more than 1 MB")
    return {"GroupInfo": found}


def _info(desk: Desk, group: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    query = "SELECT type, owner, created, facts, next_seq, last_time FROM groups WHERE id = ?"
    row = desk.store.one(query, group)
    if row is None:
        return {"GroupId": group, "ErrorCode": 10010, "ErrorInfo": "the group does not exist"}
    facts = orjson.loads(row[3])
    members = desk.store.number("SELECT count(*) FROM members WHERE team = ?", group)
    found = {
        "Type": row[0], "Name": "", "Introduction": "", "Notification": "", "FaceUrl": "",
        "Owner_Account": row[1] or "", "CreateTime": row[2], "LastInfoTime": row[2], "LastMsgTime": row[5],
        "NextMsgSeq": row[4], "MemberNum": members, "ApplyJoinOption": "NeedPermission", "MuteAllMember": "Off",
        **facts,
    }  # fmt: skip
    custom, chosen = found.pop("AppDefinedData"), wanted.get("GroupBaseInfoFilter")
    if chosen is not None:
        found = {name: found[name] for name in chosen if name in found}
    keys = wanted.get("AppDefinedDataFilter_Group")
    found["AppDefinedData"] = [item for item in custom if keys is None or item["Key"] in keys]
    if wanted.get("MemberInfoFilter") != []:
        found["MemberList"] = [member_told(row) for row in members_of(desk, group, 10_000, 0)]
    return {"GroupId": group, "ErrorCode": 0, "ErrorInfo": "", **found}


def members_of(desk: Desk, group: str, limit: int, offset: int) -> list[Any]:
    query = """
        SELECT account, role, joined, unread, muted_until FROM members WHERE team = ?
        ORDER BY joined, account LIMIT ? OFFSET ?
    """
    return desk.store.all(query, group, limit, offset)


def member_told(row: Any) -> dict[str, Any]:
    account, role, joined, unread, muted = row
    return {
        "Member_Account": account, "Role": role, "JoinTime": joined, "MsgSeq": 0, "MsgFlag": "AcceptAndNotify",
        "LastSendMsgTime": 0, "MuteUntil": muted, "NameCard": "", "UnreadMsgNum": unread,
    }  # fmt: skip
