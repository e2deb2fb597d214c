"""Groups, plain and hosted (rongcloud.md §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.rongcloud.answers import Field, Form, fail, form_of
from imconvert.simulators.rongcloud.people import USER, need_user

TABLES = """
CREATE TABLE groups (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, owner TEXT, hosted INTEGER NOT NULL, facts TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE members (
    team TEXT, user TEXT, role TEXT NOT NULL, joined INTEGER NOT NULL, gagged_until INTEGER NOT NULL,
    PRIMARY KEY (team, user)
) WITHOUT ROWID;
"""

_GROUP, _NAME = Field(most=64), Field(most=64)
_MANY = USER._replace(times=1000)
_HOSTED = USER._replace(times=100)
FOR_EVER = 1 << 53
_PROFILE = {"introduction": 512, "announcement": 1024, "portraitUrl": 128}
_PERMISSIONS = {"joinPerm": (0, 1, 2, 3), "removePerm": (0, 1, 2), "memInvitePerm": (0, 1, 2), "invitePerm": (0, 1)}


def need_group(call: Call, group: str) -> None:
    if not call.desk.store.has("SELECT 1 FROM groups WHERE id = ?", group):
        fail(call, 1002, "groupId does not exist.")


def _join(call: Call, group: str, users: list[str], role: str = "member") -> None:
    most = call.desk.number("most_members")
    call.desk.store.many(
        "INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?, 0)", [(group, user, role, call.now) for user in users]
    )
    if call.desk.store.number("SELECT count(*) FROM members WHERE team = ?", group) > most:
        fail(call, 1000, f"the group has more than {most} members.")


def create(call: Call) -> None:
    """A group that is there gets the members and the name."""
    form = form_of(call, {"userId": _MANY, "groupId": _GROUP, "groupName": _NAME})
    need_user(call, *form.many("userId"))
    _put(call, form.one("groupId"), form.one("groupName"))
    _join(call, form.one("groupId"), form.many("userId"))


def _put(call: Call, group: str, name: str) -> None:
    query = "INSERT INTO groups VALUES (?, ?, NULL, 0, '{}', ?) ON CONFLICT (id) DO UPDATE SET name = ?2"
    call.desk.store.run(query, (group, name, call.now))


def join(call: Call) -> None:
    """At most 1000 users a call."""
    form = form_of(call, {"userId": _MANY, "groupId": _GROUP, "groupName": _NAME._replace(needed=False)})
    need_user(call, *form.many("userId"))
    need_group(call, form.one("groupId"))
    _join(call, form.one("groupId"), form.many("userId"))


def quit_group(call: Call) -> None:
    form = form_of(call, {"userId": _MANY, "groupId": _GROUP})
    need_group(call, form.one("groupId"))
    rows = [(form.one("groupId"), user) for user in form.many("userId")]
    call.desk.store.many("DELETE FROM members WHERE team = ? AND user = ?", rows)


def refresh(call: Call) -> None:
    form = form_of(call, {"groupId": _GROUP, "groupName": _NAME})
    need_group(call, form.one("groupId"))
    _put(call, form.one("groupId"), form.one("groupName"))


def dismiss(call: Call) -> None:
    form = form_of(call, {"userId": USER, "groupId": _GROUP})
    need_group(call, form.one("groupId"))
    call.desk.store.run("DELETE FROM groups WHERE id = ?", (form.one("groupId"),))
    call.desk.store.run("DELETE FROM members WHERE team = ?", (form.one("groupId"),))


def sync(call: Call) -> None:
    """All groups of a user, as fields group[ID]=NAME: others are left, these are joined."""
    form = form_of(call, {"userId": USER})
    user = form.one("userId")
    need_user(call, user)
    wanted = {name[6:-1]: value for name, value in call.pairs() if name.startswith("group[") and name.endswith("]")}
    call.desk.store.run("DELETE FROM members WHERE user = ?", (user,))
    for group, name in wanted.items():
        _put(call, group, name)
        _join(call, group, [user])


def _facts(call: Call, form: Form) -> str:
    """Profile, permissions and extension of a hosted group, checked."""
    found: dict[str, Any] = {}
    for name in ("groupProfile", "permissions", "groupExtProfile"):
        try:
            found[name] = orjson.loads(form.one(name, "{}") or "{}")
        except ValueError:
            fail(call, 1002, f"{name} is invalid.")
        if not isinstance(found[name], dict):
            fail(call, 1002, f"{name} is invalid.")
    _check_facts(call, found)
    return orjson.dumps(found).decode()


def _check_facts(call: Call, found: Mapping[str, Any]) -> None:
    for name, most in _PROFILE.items():
        if len(str(found["groupProfile"].get(name, ""))) > most:
            fail(call, 1005, f"{name} is longer than {most} characters.")
    for name, allowed in _PERMISSIONS.items():
        if found["permissions"].get(name, 0) not in allowed:
            fail(call, 1002, f"{name} is invalid.")
    extension = found["groupExtProfile"]
    if len(extension) > 10 or any(not key.startswith("ext_") or len(key) > 32 for key in extension):
        fail(call, 1002, "groupExtProfile is invalid.")


_ENTRUST = {"groupId": _GROUP, "name": _NAME, "owner": USER, "userId": _HOSTED._replace(needed=False)}


def entrust_create(call: Call) -> None:
    form = form_of(call, _ENTRUST)
    if call.desk.store.has("SELECT 1 FROM groups WHERE id = ?", form.one("groupId")):
        fail(call, 1002, "groupId exists.")
    _host(call, form)


def entrust_import(call: Call) -> None:
    """Turn a plain group into a hosted one; no callbacks."""
    form = form_of(call, _ENTRUST)
    need_group(call, form.one("groupId"))
    _host(call, form)


def _host(call: Call, form: Form) -> None:
    group, owner = form.one("groupId"), form.one("owner")
    need_user(call, owner, *form.many("userId"))
    _put(call, group, form.one("name"))
    query = "UPDATE groups SET hosted = 1, owner = ?, facts = ? WHERE id = ?"
    call.desk.store.run(query, (owner, _facts(call, form), group))
    _join(call, group, [owner], "owner")
    call.desk.store.run("UPDATE members SET role = 'owner' WHERE team = ? AND user = ?", (group, owner))
    _join(call, group, form.many("userId"))


def _need_hosted(call: Call, group: str) -> None:
    need_group(call, group)
    if not call.desk.store.has("SELECT 1 FROM groups WHERE id = ? AND hosted", group):
        fail(call, 1002, "groupId is no hosted group.")


def entrust_join(call: Call) -> None:
    """At most 100 users a call."""
    form = form_of(call, {"groupId": _GROUP, "userIds": _HOSTED})
    _need_hosted(call, form.one("groupId"))
    need_user(call, *form.many("userIds"))
    _join(call, form.one("groupId"), form.many("userIds"))


def add_managers(call: Call) -> None:
    form = form_of(call, {"groupId": _GROUP, "userIds": _HOSTED})
    _need_hosted(call, form.one("groupId"))
    query = "UPDATE members SET role = 'manager' WHERE team = ? AND user = ? AND role = 'member'"
    call.desk.store.many(query, [(form.one("groupId"), user) for user in form.many("userIds")])


def gag(call: Call) -> None:
    """At most 20 users a call; minutes up to 43200, 0 for ever."""
    minutes = Field(form="[0-9]{1,5}")
    form = form_of(call, {"userId": USER._replace(times=20), "groupId": _GROUP, "minute": minutes})
    if int(form.one("minute")) > 43_200:
        fail(call, 1003, "minute is invalid.")
    need_group(call, form.one("groupId"))
    until = call.now + int(form.one("minute")) * 60_000 if int(form.one("minute")) else FOR_EVER
    query = "UPDATE members SET gagged_until = ? WHERE team = ? AND user = ?"
    call.desk.store.many(query, [(until, form.one("groupId"), user) for user in form.many("userId")])


def members(call: Call) -> Mapping[str, Any]:
    """The members of a group, for a check."""
    group = form_of(call, {"groupId": _GROUP}).one("groupId")
    need_group(call, group)
    found = call.desk.store.column("SELECT user FROM members WHERE team = ? ORDER BY joined, user", group)
    return {"users": [{"id": user} for user in found]}
