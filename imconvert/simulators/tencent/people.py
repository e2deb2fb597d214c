"""Accounts and profiles (tencent.md §3.1-3.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import U32, Rule, array, one_of, table, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.tencent.answers import body_of, fail

TABLES = """
CREATE TABLE accounts (id TEXT PRIMARY KEY, profile TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
"""

_USER = re.compile(r"[\x20-\x7e]{1,32}")
NICK, FACE = "Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"
_TEXT = text(0, 500)


def is_user(value: Any) -> bool:
    """Printable ASCII of at most 32 bytes, not empty (§2)."""
    return isinstance(value, str) and bool(_USER.fullmatch(value))


def exists(desk: Desk, user: Any) -> bool:
    return isinstance(user, str) and desk.store.has("SELECT 1 FROM accounts WHERE id = ?", user)


_PROFILE: Mapping[str, Callable[[Any], bool]] = {
    NICK: _TEXT, FACE: _TEXT, "Tag_Profile_IM_SelfSignature": _TEXT, "Tag_Profile_IM_Location": text(0, 16),
    "Tag_Profile_IM_Gender": one_of([f"Gender_Type_{name}" for name in ("Unknown", "Female", "Male")]),
    "Tag_Profile_IM_AllowType": one_of([f"AllowType_Type_{name}" for name in ("NeedConfirm", "AllowAny", "DenyAny")]),
    "Tag_Profile_IM_AdminForbidType": one_of(["AdminForbid_Type_None", "AdminForbid_Type_SendOut"]),
    **{f"Tag_Profile_IM_{name}": U32 for name in ("BirthDay", "Language", "Level", "Role", "MsgSettings")},
}  # fmt: skip
"""Tags and their values (§3.4)."""

_CUSTOM = re.compile(r"Tag_Profile_Custom_([A-Za-z]{1,8})")


def _put(desk: Desk, user: str, changes: Mapping[str, Any], now: int) -> None:
    """Make an account or change it; what is not named stays (§3.1: idempotent, nick and face are overwritten)."""
    desk.store.run(
        "INSERT INTO accounts VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET profile = json_patch(profile, ?2)",
        (user, orjson.dumps(changes).decode(), now // 1000),
    )


def multiaccount_import(call: Call) -> Mapping[str, Any]:
    """§3.1: `AccountList` with nick and face, or `Accounts`, the older form."""
    body = body_of(call)
    listed = body.get("AccountList", body.get("Accounts"))
    if not isinstance(listed, list) or not listed:
        fail(70402, "AccountList is missing or empty")
    if len(listed) > call.desk.number("accounts"):
        fail(70206, "there are too many accounts")
    items = [one if isinstance(one, dict) else {"UserID": one} for one in listed]
    spoiled, failed = call.spoiled(len(items)), []
    for index, item in enumerate(items):
        if index in spoiled or not is_user(item.get("UserID")) or not _nick_fits(item):
            failed.append(item.get("UserID"))
        else:
            _put(call.desk, item["UserID"], _nick_of(item), call.now)
    return {"FailAccounts": failed} if failed else {}


def _nick_fits(item: Mapping[str, Any]) -> bool:
    return all(_TEXT(item.get(name, "")) for name in ("Nick", "FaceUrl"))


def _nick_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {tag: item[name] for tag, name in ((NICK, "Nick"), (FACE, "FaceUrl")) if name in item}


def account_import(call: Call) -> None:
    """§3.2; before about 2023 the key was Identifier."""
    body = body_of(call)
    user = body.get("UserID", body.get("Identifier"))
    if not is_user(user):
        fail(70402, "UserID is missing, empty, too long or has other characters")
    if not all(isinstance(body.get(name, ""), str) for name in ("Nick", "FaceUrl")):
        fail(70402, "Nick or FaceUrl is no text")
    if not _nick_fits(body):
        fail(40601, "Nick or FaceUrl has more than 500 bytes")
    _put(call.desk, str(user), _nick_of(body), call.now)


def account_check(call: Call) -> Mapping[str, Any]:
    """§3.3."""
    body = body_of(call, {"CheckItem": Rule(array(1, of=table), 70402)})
    if len(body["CheckItem"]) > call.desk.number("accounts"):
        fail(70206, "there are too many accounts")
    return {"ResultItem": [_checked(call.desk, item.get("UserID")) for item in body["CheckItem"]]}


def _checked(desk: Desk, user: Any) -> dict[str, Any]:
    if not is_user(user):
        return {"UserID": user, "ResultCode": 70402, "ResultInfo": "Err_Invalid_UserID", "AccountStatus": ""}
    status = "Imported" if exists(desk, user) else "NotImported"
    return {"UserID": user, "ResultCode": 0, "ResultInfo": "", "AccountStatus": status}


def portrait_set(call: Call) -> None:
    """§3.4; the last write wins."""
    body = body_of(call, {"From_Account": Rule(is_user, 40001), "ProfileItem": Rule(array(1, of=table), 40001)})
    if not exists(call.desk, body["From_Account"]):
        fail(40003, "the account does not exist")
    for item in body["ProfileItem"]:
        _check_tag(call.desk, str(item.get("Tag")), item.get("Value"))
    _put(call.desk, body["From_Account"], {one["Tag"]: one["Value"] for one in body["ProfileItem"]}, call.now)


def _check_tag(desk: Desk, tag: str, value: Any) -> None:
    custom = _CUSTOM.fullmatch(tag)
    declared = desk.text("custom_tags").split(",")
    if custom and custom[1] in declared:
        test = _TEXT
    elif tag in _PROFILE:
        test = _PROFILE[tag]
    else:
        fail(40009, f"there is no tag {tag}")
    if isinstance(value, str) and len(value.encode()) > 500:
        fail(40601, f"{tag} has more than 500 bytes")
    if isinstance(value, str) is (test is U32):
        fail(40610, f"{tag} has a value of another type")
    if not test(value):
        fail(40605, f"{tag} has a wrong value")


def portrait_get(call: Call) -> Mapping[str, Any]:
    """§3.5: all accounts have to be there."""
    rules = {"To_Account": Rule(array(1, 100, of=is_user), 40001), "TagList": Rule(array(1, of=text(1)), 40001)}
    body = body_of(call, rules)
    found = [_portrait(call.desk, user, body["TagList"]) for user in body["To_Account"]]
    failed = [item["To_Account"] for item in found if item["ResultCode"]]
    return {"UserProfileItem": found, **({"Fail_Account": failed} if failed else {})}


def _portrait(desk: Desk, user: str, tags: list[str]) -> dict[str, Any]:
    row = desk.store.one("SELECT profile FROM accounts WHERE id = ?", user)
    if row is None:
        return {"To_Account": user, "ProfileItem": [], "ResultCode": 40003, "ResultInfo": "Err_Account_Not_Exist"}
    profile = orjson.loads(row[0])
    items = [{"Tag": tag, "Value": profile[tag]} for tag in tags if tag in profile]
    return {"To_Account": user, "ProfileItem": items, "ResultCode": 0, "ResultInfo": ""}
