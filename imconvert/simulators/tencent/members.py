"""Members of groups (tencent.md §5.3, 5.5, 5.7, 5.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import U32, Rule, array, integer, table, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.tencent.answers import body_of, fail
from imconvert.simulators.tencent.groups import NO_HISTORY, NO_UNREAD, group_of, member_told, members_of
from imconvert.simulators.tencent.people import exists, is_user

FAILED, DONE, ALREADY = 0, 1, 2
"""Results of an item (§5.3)."""

_GROUP = Rule(text(1), 10015)
_MEMBER = {"JoinTime": U32, "UnreadMsgNum": U32, "Role": lambda value: value == "Admin", "Member_Account": is_user}


def _items(call: Call, body: Mapping[str, Any], setting: str) -> list[Any]:
    if len(body["MemberList"]) > call.desk.number(setting):
        fail(10005, "there are too many members in one call")
    return list(body["MemberList"])


def import_group_member(call: Call) -> Mapping[str, Any]:
    """§5.3: JoinTime lies behind the group's creation and before now, or the member fails."""
    body = body_of(call, {"GroupId": _GROUP, "MemberList": Rule(array(1, of=table), 10004)})
    items = _items(call, body, "members")
    group, kind, created, next_seq, _ = group_of(call.desk, body["GroupId"])
    if kind in NO_HISTORY:
        fail(10007, "members of this type of group cannot be imported")
    spoiled, found = call.spoiled(len(items)), []
    for index, item in enumerate(items):
        joined = item.get("JoinTime", call.now // 1000 - 1)
        wrong = any(name in item and not test(item[name]) for name, test in _MEMBER.items())
        if index in spoiled or wrong or not created < joined < call.now // 1000:
            result = FAILED
        else:
            result = _add(call.desk, (group, item.get("Member_Account"), item.get("Role", "Member"), joined))
        if result == DONE and kind not in NO_UNREAD:
            _set_unread(call.desk, group, item["Member_Account"], item.get("UnreadMsgNum", 0), next_seq - 1)
        found.append({"Member_Account": item.get("Member_Account"), "Result": result})
    return {"MemberList": found}


def _add(desk: Desk, member: tuple[str, Any, str, int]) -> int:
    if not exists(desk, member[1]):
        return FAILED
    done = desk.store.run("INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?, 0, 0)", member).rowcount
    return DONE if done else ALREADY


def _set_unread(desk: Desk, group: str, account: str, unread: int, most: int) -> int:
    """A count is capped at the messages that there are (§5.3, §5.5)."""
    query = "UPDATE members SET unread = ? WHERE team = ? AND account = ?"
    return desk.store.run(query, (min(unread, most), group, account)).rowcount


def set_unread_msg_num(call: Call) -> None:
    """§5.5; no effect and no error where a type counts nothing."""
    rules = {"GroupId": _GROUP, "Member_Account": Rule(is_user, 10004), "UnreadMsgNum": Rule(U32, 10004)}
    body = body_of(call, rules)
    group, kind, _, next_seq, _ = group_of(call.desk, body["GroupId"])
    if kind in NO_UNREAD:
        return
    if not _set_unread(call.desk, group, body["Member_Account"], body["UnreadMsgNum"], next_seq - 1):
        fail(10004, "the account is no member of the group")


def add_group_member(call: Call) -> Mapping[str, Any]:
    """§5.7."""
    rules = {"GroupId": _GROUP, "MemberList": Rule(array(1, of=table), 10004), "Silence": Rule(
        integer(0, 1), 10004, needed=False)}  # fmt: skip
    body = body_of(call, rules)
    items = _items(call, body, "members")
    group, kind, *_ = group_of(call.desk, body["GroupId"])
    if kind in NO_HISTORY:
        fail(10007, "nobody can be added to this type of group")
    missing = [item for item in items if not exists(call.desk, item.get("Member_Account"))]
    if missing:
        fail(10019, f"the account {missing[0].get('Member_Account')!r} does not exist")
    spoiled, found = call.spoiled(len(items)), []
    for index, item in enumerate(items):
        member = (group, item["Member_Account"], "Member", call.now // 1000)
        found.append({"Member_Account": member[1], "Result": FAILED if index in spoiled else _add(call.desk, member)})
    added = [item["Member_Account"] for item in found if item["Result"] == DONE]
    if added:
        facts = {"group": group, "type": kind, "members": added, "now": call.now}
        call.desk.tell("Group.CallbackAfterNewMemberJoin", facts)
    return {"MemberList": found}


def delete_group_member(call: Call) -> None:
    """§5.7: removing somebody who is no member still answers OK."""
    body = body_of(call, {"GroupId": _GROUP, "MemberToDel_Account": Rule(array(1, of=is_user), 10004)})
    if len(body["MemberToDel_Account"]) > 100:
        fail(10005, "there are too many members in one call")
    group, kind, *_ = group_of(call.desk, body["GroupId"])
    if kind in NO_HISTORY:
        fail(10004, "nobody can be removed from this type of group")
    query = "DELETE FROM members WHERE team = ? AND account = ?"
    gone = [user for user in body["MemberToDel_Account"] if call.desk.store.run(query, (group, user)).rowcount]
    if gone:
        facts = {"group": group, "type": kind, "members": gone, "now": call.now}
        call.desk.tell("Group.CallbackAfterMemberExit", facts)


def forbid_send_msg(call: Call) -> None:
    """§5.7; seconds, 0 ends it; before about 2023 ShutUpTime."""
    body = body_of(call, {"GroupId": _GROUP, "Members_Account": Rule(array(1, 500, of=is_user), 10004)})
    seconds = body.get("MuteTime", body.get("ShutUpTime"))
    if not U32(seconds):
        fail(10004, "MuteTime is missing or no unsigned 32-bit number")
    group, kind, *_ = group_of(call.desk, body["GroupId"])
    if kind == "Private":
        fail(10007, "nobody can be muted in this type of group")
    until = 0 if not seconds else min(call.now // 1000 + seconds, (1 << 32) - 1)
    rows = [(until, group, user) for user in body["Members_Account"]]
    call.desk.store.many("UPDATE members SET muted_until = ? WHERE team = ? AND account = ?", rows)


def get_group_member_info(call: Call) -> Mapping[str, Any]:
    """§5.10; communities are read on with Next, a text, the others with Offset."""
    rules = {"GroupId": _GROUP, "Limit": Rule(integer(1, 200), 10004, needed=False), "Offset": Rule(
        integer(0), 10004, needed=False), "Next": Rule(text(), 10004, needed=False)}  # fmt: skip
    body = body_of(call, rules)
    group, kind, *_ = group_of(call.desk, body["GroupId"])
    limit = body.get("Limit", 100)
    offset = int(body.get("Next") or 0) if kind == "Community" else body.get("Offset", 0)
    total = call.desk.store.number("SELECT count(*) FROM members WHERE team = ?", group)
    found = [member_told(row) for row in members_of(call.desk, group, limit, offset)]
    if kind != "Community":
        return {"MemberNum": total, "MemberList": found}
    end = offset + len(found)
    return {"MemberNum": total, "MemberList": found, "Next": str(end) if end < total else ""}
