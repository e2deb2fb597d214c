"""Friends and blocks (tencent.md §3.6-3.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import U32, Rule, array, integer, table, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.tencent.answers import body_of, fail
from imconvert.simulators.tencent.people import exists, is_user

TABLES = """
CREATE TABLE friends (owner TEXT, friend TEXT, facts TEXT NOT NULL, PRIMARY KEY (owner, friend)) WITHOUT ROWID;
CREATE TABLE blocks (owner TEXT, blocked TEXT, at INTEGER NOT NULL, PRIMARY KEY (owner, blocked)) WITHOUT ROWID;
"""

_SOURCE = re.compile(r"AddSource_Type_[A-Za-z]{1,8}")
_CUSTOM = re.compile(r"Tag_SNS_Custom_[A-Za-z]{1,8}")
_PAGE = 100


def _source(value: Any) -> bool:
    return isinstance(value, str) and bool(_SOURCE.fullmatch(value))


def _custom(value: Any) -> bool:
    return isinstance(value, dict) and bool(_CUSTOM.fullmatch(str(value.get("Tag"))))


_FRIEND = {
    "To_Account": Rule(is_user, 30001), "AddSource": Rule(_source, 30001),
    "Remark": Rule(text(0, 96), 30001, needed=False), "RemarkTime": Rule(U32, 30001, needed=False),
    "GroupName": Rule(array(of=text(1, 30)), 30001, needed=False),
    "AddWording": Rule(text(0, 256), 30001, needed=False), "AddTime": Rule(U32, 30001, needed=False),
    "CustomItem": Rule(array(of=_custom), 30001, needed=False),
}  # fmt: skip
_OWNER = Rule(is_user, 30001)


def _owner(call: Call, body: Mapping[str, Any]) -> str:
    if not exists(call.desk, body["From_Account"]):
        fail(30003, "the account does not exist")
    return str(body["From_Account"])


def _answered(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Results of a batch; Fail_Account is there only if something failed (§3.6)."""
    failed = [item["To_Account"] for item in results if item["ResultCode"]]
    return {"ResultItem": results, **({"Fail_Account": failed} if failed else {})}


def _result(user: Any, code: int = 0, info: str = "") -> dict[str, Any]:
    return {"To_Account": user, "ResultCode": code, "ResultInfo": info}


def friend_import(call: Call) -> Mapping[str, Any]:
    """§3.6: one-way; importing a friend again overwrites the fields (UNCONFIRMED there)."""
    body = body_of(call, {"From_Account": _OWNER, "AddFriendItem": Rule(array(1, of=table), 30001)})
    if len(body["AddFriendItem"]) > call.desk.number("friends"):
        fail(30001, "there are too many friends in one call")
    owner, spoiled = _owner(call, body), call.spoiled(len(body["AddFriendItem"]))
    items = enumerate(body["AddFriendItem"])
    return _answered([_befriend(call.desk, owner, item, spoiled=index in spoiled) for index, item in items])


def _befriend(desk: Desk, owner: str, item: Mapping[str, Any], *, spoiled: bool) -> dict[str, Any]:
    user = item.get("To_Account")
    wrong = next((name for name, rule in _FRIEND.items() if not _fits(item, name, rule)), None)
    if wrong:
        return _result(user, 30001, f"Err_SNS_FriendImport_{wrong}_Invalid")
    if spoiled:
        return _result(user, 30006, "Err_SNS_FriendImport_Internal")
    if not exists(desk, user):
        return _result(user, 30003, "Err_SNS_FriendImport_Account_Not_Exist")
    if desk.store.number("SELECT count(*) FROM friends WHERE owner = ?", owner) >= desk.number("most_friends"):
        return _result(user, 30010, "Err_SNS_FriendImport_Friend_Full")
    if len(_groups(desk, owner) | set(item.get("GroupName", []))) > 32:
        return _result(user, 30011, "Err_SNS_FriendImport_Group_Full")
    desk.store.run("INSERT OR REPLACE INTO friends VALUES (?, ?, ?)", (owner, user, orjson.dumps(item).decode()))
    return _result(user)


def _groups(desk: Desk, owner: str) -> set[str]:
    query = "SELECT DISTINCT value FROM friends, json_each(facts, '$.GroupName') WHERE owner = ?"
    return set(desk.store.column(query, owner))


def _fits(item: Mapping[str, Any], name: str, rule: Rule) -> bool:
    return rule.test(item[name]) if name in item else not rule.needed


def friend_get(call: Call) -> Mapping[str, Any]:
    """§3.8, in pages of 100."""
    body = body_of(call, {"From_Account": _OWNER, "StartIndex": Rule(integer(0), 30001)})
    owner, start = _owner(call, body), body["StartIndex"]
    total = call.desk.store.number("SELECT count(*) FROM friends WHERE owner = ?", owner)
    query = "SELECT facts FROM friends WHERE owner = ? ORDER BY friend LIMIT ? OFFSET ?"
    found = [_told(orjson.loads(facts)) for facts in call.desk.store.column(query, owner, _PAGE, start)]
    done = start + len(found) >= total
    return {
        "UserDataItem": found, "FriendNum": total, "CompleteFlag": int(done), "StandardSequence": 0,
        "CustomSequence": 0, "NextStartIndex": 0 if done else start + len(found),
    }  # fmt: skip


def _told(item: Mapping[str, Any]) -> dict[str, Any]:
    names = {"GroupName": "Group", "Remark": "Remark", "AddSource": "AddSource", "AddWording": "AddWording",
             "AddTime": "AddTime"}  # fmt: skip
    values = [{"Tag": f"Tag_SNS_IM_{tag}", "Value": item[name]} for name, tag in names.items() if name in item]
    return {"To_Account": item["To_Account"], "ValueItem": values + item.get("CustomItem", [])}


def black_list_add(call: Call) -> Mapping[str, Any]:
    """§3.7: blocking ends the friendship in both directions."""
    body = body_of(call, {"From_Account": _OWNER, "To_Account": Rule(array(1), 30001)})
    if len(body["To_Account"]) > call.desk.number("friends"):
        fail(30001, "there are too many accounts in one call")
    owner, spoiled = _owner(call, body), call.spoiled(len(body["To_Account"]))
    users = enumerate(body["To_Account"])
    return _answered([_block(call, owner, user, spoiled=index in spoiled) for index, user in users])


def _block(call: Call, owner: str, user: Any, *, spoiled: bool) -> dict[str, Any]:
    store = call.desk.store
    if not is_user(user):
        return _result(user, 30001, "Err_SNS_BlackListAdd_Invalid")
    if spoiled:
        return _result(user, 30006, "Err_SNS_BlackListAdd_Internal")
    if not exists(call.desk, user):
        return _result(user, 30003, "Err_SNS_BlackListAdd_Account_Not_Exist")
    if store.has("SELECT 1 FROM blocks WHERE owner = ? AND blocked = ?", owner, user):
        return _result(user, 30001, "Err_SNS_BlackListAdd_Already_Exist")
    if store.number("SELECT count(*) FROM blocks WHERE owner = ?", owner) >= call.desk.number("most_blocks"):
        return _result(user, 30013, "Err_SNS_BlackListAdd_Full")
    store.run("INSERT INTO blocks VALUES (?, ?, ?)", (owner, user, call.now // 1000))
    store.run("DELETE FROM friends WHERE (owner, friend) IN (VALUES (?1, ?2), (?2, ?1))", (owner, user))
    return _result(user)


def black_list_get(call: Call) -> Mapping[str, Any]:
    """§3.8; StartIndex 0 in the answer is the end."""
    rules = {"From_Account": _OWNER, "StartIndex": Rule(integer(0), 30001), "MaxLimited": Rule(integer(1), 30001)}
    body = body_of(call, rules)
    owner, start = _owner(call, body), body["StartIndex"]
    query = "SELECT blocked, at FROM blocks WHERE owner = ? ORDER BY blocked LIMIT ? OFFSET ?"
    rows = call.desk.store.all(query, owner, body["MaxLimited"] + 1, start)
    found = [{"To_Account": user, "AddBlackTimeStamp": at} for user, at in rows[: body["MaxLimited"]]]
    more = len(rows) > len(found)
    return {"BlackListItem": found, "StartIndex": start + len(found) if more else 0, "CurruentSequence": 0}
