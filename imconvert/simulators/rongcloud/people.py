"""Users, friends, lists, do-not-disturb (rongcloud.md §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.rongcloud.answers import Field, Form, fail, form_of

TABLES = """
CREATE TABLE users (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, portrait TEXT NOT NULL, profile TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE friends (
    owner TEXT, friend TEXT, remark TEXT NOT NULL, extra TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (owner, friend)
) WITHOUT ROWID;
CREATE TABLE lists (kind TEXT, owner TEXT, user TEXT, at INTEGER NOT NULL, PRIMARY KEY (kind, owner, user))
WITHOUT ROWID;
CREATE TABLE quiet (owner TEXT, kind TEXT, target TEXT, facts TEXT NOT NULL, PRIMARY KEY (owner, kind, target))
WITHOUT ROWID;
"""

USER = Field(most=64, form=r"[A-Za-z0-9+=_\-]+")
_NAME, _PORTRAIT = Field(most=128), Field(needed=False, most=1024)
_TYPES = r"1|3|6|10"
_LEVELS = r"-1|0|1|2|4|5"


def exists(desk: Desk, user: str) -> bool:
    return desk.store.has("SELECT 1 FROM users WHERE id = ?", user)


def need_user(call: Call, *users: str) -> None:
    """Raises Refused 400 for a user who is not there (§6)."""
    for user in users:
        if not exists(call.desk, user):
            fail(call, 400, f"the user {user} does not exist.")


def get_token(call: Call) -> Mapping[str, Any]:
    """Register, or refresh name and portrait; a token each time. 2007 where the quota of the app is used up."""
    form = form_of(call, {"userId": USER, "name": _NAME, "portraitUri": _PORTRAIT})
    user, most, store = form.one("userId"), call.desk.number("most_users"), call.desk.store
    if most and not exists(call.desk, user) and store.number("SELECT count(*) FROM users") >= most:
        fail(call, 2007, "the quota of registered users is used up.")
    store.run(
        "INSERT INTO users VALUES (?, ?, ?, '{}', ?) ON CONFLICT (id) DO UPDATE SET name = ?2, portrait = ?3",
        (user, form.one("name"), form.one("portraitUri"), call.now),
    )
    token = sha256(f"{call.desk.text('app_secret')}/{user}/{call.now}".encode()).hexdigest()
    return {"userId": user, "token": f"{token}@simulator"}


def refresh(call: Call) -> None:
    form = form_of(call, {"userId": USER, "name": _NAME._replace(needed=False), "portraitUri": _PORTRAIT})
    need_user(call, form.one("userId"))
    names = {"name": "name", "portraitUri": "portrait"}
    for field, value in form.given(*names).items():
        call.desk.store.run(f"UPDATE users SET {names[field]} = ? WHERE id = ?", (value, form.one("userId")))


def info(call: Call) -> Mapping[str, Any]:
    user = form_of(call, {"userId": USER}).one("userId")
    row = call.desk.store.one("SELECT name, portrait, at FROM users WHERE id = ?", user)
    if row is None:
        fail(call, 400, f"the user {user} does not exist.")
    return {"userName": row[0], "userPortrait": row[1], "createTime": row[2]}


def set_profile(call: Call) -> None:
    """Profile hosting: JSON objects in the fields."""
    fields = {"userId": USER, "userProfile": Field(needed=False), "userExtProfile": Field(needed=False)}
    form = form_of(call, fields)
    need_user(call, form.one("userId"))
    found = {name: _object(call, name, text) for name, text in form.given("userProfile", "userExtProfile").items()}
    query = "UPDATE users SET profile = json_patch(profile, ?) WHERE id = ?"
    call.desk.store.run(query, (orjson.dumps(found).decode(), form.one("userId")))


def _object(call: Call, name: str, text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        fail(call, 1002, f"{name} is invalid.")
    return found


def find_profiles(call: Call) -> Mapping[str, Any]:
    form, found = form_of(call, {"userId": USER._replace(times=20)}), []
    for user in form.many("userId"):
        row = call.desk.store.one("SELECT profile FROM users WHERE id = ?", user)
        if row:
            found.append({"userId": user, **orjson.loads(row[0])})
    return {"profiles": found}


def add_friend(call: Call) -> None:
    """One pair a call; optType 2 needs no consent. (1, by the setting of the other one, is taken as consent here.)"""
    fields = {"userId": USER, "targetId": USER, "optType": Field(needed=False, form="1|2"),
              "extra": Field(needed=False, most=1024)}  # fmt: skip
    form = form_of(call, fields)
    one, other = form.one("userId"), form.one("targetId")
    need_user(call, one, other)
    rows = [(one, other, form.one("extra"), call.now), (other, one, form.one("extra"), call.now)]
    call.desk.store.many("INSERT OR IGNORE INTO friends VALUES (?, ?, '', ?, ?)", rows)


def set_remark(call: Call) -> None:
    form = form_of(call, {"userId": USER, "targetId": USER, "remarkName": Field(needed=False, most=64)})
    query = "UPDATE friends SET remark = ? WHERE owner = ? AND friend = ?"
    values = (form.one("remarkName"), form.one("userId"), form.one("targetId"))
    if not call.desk.store.run(query, values).rowcount:
        fail(call, 1002, "targetId is no friend.")


def friends(call: Call) -> Mapping[str, Any]:
    """Pages by pageToken, the oldest first."""
    number = Field(needed=False, form="[0-9]{1,9}")
    form = form_of(
        call, {"userId": USER, "pageToken": number, "size": number, "order": Field(needed=False, form="0|1")}
    )
    size, start = int(form.one("size", "50")), int(form.one("pageToken", "0") or 0)
    query = "SELECT friend, remark, at FROM friends WHERE owner = ? ORDER BY at, friend LIMIT ? OFFSET ?"
    rows = call.desk.store.all(query, form.one("userId"), min(size, 100) + 1, start)
    found = [{"userId": user, "remarkName": remark, "time": at} for user, remark, at in rows[: min(size, 100)]]
    total = call.desk.store.number("SELECT count(*) FROM friends WHERE owner = ?", form.one("userId"))
    token = str(start + len(found)) if len(rows) > len(found) else ""
    return {"totalCount": total, "pageToken": token, "friendList": found}


def check_friends(call: Call) -> Mapping[str, Any]:
    form = form_of(call, {"userId": USER, "targetIds": USER._replace(times=20)})
    found = [
        {"userId": user, "result": _relation(call.desk, form.one("userId"), user)} for user in form.many("targetIds")
    ]
    return {"results": found}


def _relation(desk: Desk, one: str, other: str) -> int:
    """1 both ways, 2 in one's own list only, 3 in the other's only, 4 none."""
    query = "SELECT 1 FROM friends WHERE owner = ? AND friend = ?"
    mine, theirs = desk.store.has(query, one, other), desk.store.has(query, other, one)
    return {(True, True): 1, (True, False): 2, (False, True): 3, (False, False): 4}[mine, theirs]


_LISTS = {"blacklist": "blackUserId", "whitelist": "whiteUserId"}


def _list_of(call: Call) -> tuple[str, Form]:
    """Which of the two lists is meant, and the form."""
    kind = call.path.split("/")[2]
    fields = {"userId": USER, _LISTS[kind]: USER._replace(times=call.desk.number("listed"))}
    return kind, form_of(call, fields)


def add_to_list(call: Call) -> None:
    """At most 20 a call (UNCONFIRMED there)."""
    kind, form = _list_of(call)
    need_user(call, form.one("userId"))
    rows = [(kind, form.one("userId"), user, call.now) for user in form.many(_LISTS[kind])]
    call.desk.store.many("INSERT OR IGNORE INTO lists VALUES (?, ?, ?, ?)", rows)


def remove_from_list(call: Call) -> None:
    kind, form = _list_of(call)
    query = "DELETE FROM lists WHERE kind = ? AND owner = ? AND user = ?"
    call.desk.store.many(query, [(kind, form.one("userId"), user) for user in form.many(_LISTS[kind])])


def show_list(call: Call) -> Mapping[str, Any]:
    user, kind = form_of(call, {"userId": USER}).one("userId"), call.path.split("/")[2]
    return {
        "users": call.desk.store.column("SELECT user FROM lists WHERE kind = ? AND owner = ? ORDER BY 1", kind, user)
    }


def _keep_quiet(call: Call, owner: str, kind: str, target: str, facts: Mapping[str, str]) -> None:
    need_user(call, owner)
    row = (owner, kind, target, orjson.dumps(facts).decode())
    call.desk.store.run("INSERT OR REPLACE INTO quiet VALUES (?, ?, ?, ?)", row)


def quiet_conversation(call: Call) -> None:
    form = form_of(call, {
        "conversationType": Field(form=_TYPES), "requestId": USER, "targetId": Field(most=64),
        "isMuted": Field(needed=False, form="0|1"), "unpushLevel": Field(needed=False, form=_LEVELS),
        "busChannel": Field(needed=False, most=20),
    })  # fmt: skip
    if not form.given("isMuted", "unpushLevel"):
        fail(call, 1002, "isMuted or unpushLevel is required.")
    target, facts = form.one("targetId"), form.given("isMuted", "unpushLevel", "busChannel")
    _keep_quiet(call, form.one("requestId"), form.one("conversationType"), target, facts)


def quiet_type(call: Call) -> None:
    fields = {"conversationType": Field(form=_TYPES), "requestId": USER, "unpushLevel": Field(form=_LEVELS)}
    form = form_of(call, fields)
    _keep_quiet(call, form.one("requestId"), form.one("conversationType"), "", form.given("unpushLevel"))


def quiet_hours(call: Call) -> None:
    form = form_of(call, {
        "userId": USER, "startTime": Field(form="(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}"),
        "period": Field(form="[1-9][0-9]{0,3}"), "level": Field(needed=False, form="1|5"),
    })  # fmt: skip
    if int(form.one("period")) > 1439:
        fail(call, 1002, "period is invalid.")
    _keep_quiet(call, form.one("userId"), "hours", "", form.given("startTime", "period", "level"))


def pin(call: Call) -> None:
    fields = {"userId": USER, "conversationType": Field(form=r"1|3|6"), "targetId": Field(most=64),
              "setTop": Field(form="true|false")}  # fmt: skip
    form = form_of(call, fields)
    kind = f"top/{form.one('conversationType')}"
    _keep_quiet(call, form.one("userId"), kind, form.one("targetId"), form.given("setTop"))
