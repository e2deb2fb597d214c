"""Groups, their members and what may be said about them (easemob.md §3.2, §4.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import Rule, array, boolean, chars, check, digits, integer, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.easemob.answers import body_of, cursor_of, fail, illegal, limit_of
from imconvert.simulators.easemob.people import exists, fold
from imconvert.simulators.easemob.relations import names_of

TABLES = """
CREATE TABLE groups (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, facts TEXT NOT NULL, announcement TEXT NOT NULL, muted INTEGER NOT NULL,
    created INTEGER NOT NULL, number INTEGER NOT NULL UNIQUE
) WITHOUT ROWID;
CREATE TABLE members (
    team TEXT, user TEXT, role TEXT NOT NULL, joined INTEGER NOT NULL, muted_until INTEGER NOT NULL,
    facts TEXT NOT NULL, PRIMARY KEY (team, user)
) WITHOUT ROWID;
CREATE TABLE group_blocks (team TEXT, user TEXT, PRIMARY KEY (team, user)) WITHOUT ROWID;
"""

FIRST = 184_524_748_161_025
"""Ids that the server makes have about 15 digits (§8)."""

FOR_EVER = 4_638_873_600_000
_ID = re.compile(r"[a-z0-9]{1,64}")
_WRONG = "invalid_parameter"
_CREATE = {
    "public": Rule(boolean, _WRONG), "owner": Rule(text(1), _WRONG),
    "groupname": Rule(chars(0, 128), _WRONG, needed=False), "description": Rule(chars(0, 512), _WRONG, needed=False),
    "desc": Rule(chars(0, 512), _WRONG, needed=False), "avatar": Rule(chars(0, 1024), _WRONG, needed=False),
    "maxusers": Rule(integer(1), _WRONG, needed=False), "members": Rule(array(of=text(1)), _WRONG, needed=False),
    "allowinvites": Rule(boolean, _WRONG, needed=False), "membersonly": Rule(boolean, _WRONG, needed=False),
    "members_only": Rule(boolean, _WRONG, needed=False),
    "invite_need_confirm": Rule(boolean, _WRONG, needed=False), "custom": Rule(text(0, 8192), _WRONG, needed=False),
    "groupid": Rule(text(1), _WRONG, needed=False),
}  # fmt: skip
_FACTS = ("groupname", "description", "avatar", "public", "maxusers", "allowinvites", "membersonly", "custom")
_SDK_NAMES = {"desc": "description", "members_only": "membersonly"}
"""Names that the official SDK sends in place of the documented ones."""

_MISSING = {"public": "group must contain public field!"}


def create(call: Call) -> Mapping[str, Any]:
    """§4.5: created now, whatever the history; an id of one's own only where that was activated."""
    body = body_of(call)
    check(body, _CREATE, lambda code, why: fail(call, 400, str(code), _MISSING.get(why.split()[0], why)))
    desk, owner = call.desk, fold(body["owner"])
    members = [fold(name) for name in body.get("members", []) if fold(name) != owner]
    for name in (owner, *members):
        if not exists(desk, name):
            fail(call, 404, "resource_not_found", f"username {name} doesn't exist!")
    if len(members) + 1 > body.get("maxusers", 200):
        fail(call, 403, "exceed_limit", "members size is greater than max user size !")
    group = _id(call, body)
    facts = {"groupname": "", "description": "", "avatar": "", "maxusers": 200, "allowinvites": False,
             "membersonly": False, "custom": ""}  # fmt: skip
    facts |= {_SDK_NAMES.get(name, name): body[name] for name in (*_FACTS, *_SDK_NAMES) if name in body}
    row = (group, owner, orjson.dumps(facts).decode(), call.now, desk.store.next("group"))
    desk.store.run("INSERT INTO groups VALUES (?, ?, ?, '', 0, ?, ?)", row)
    for name, role in ((owner, "owner"), *((name, "member") for name in members)):
        _join(call, group, name, role)
    return {"data": {"groupid": group}}


def _id(call: Call, body: Mapping[str, Any]) -> str:
    if "groupid" not in body or not call.desk.chosen("group_ids", "own"):
        return str(call.desk.store.next("group_id", FIRST))
    if not _ID.fullmatch(body["groupid"]):
        illegal(call, f"group ID {body['groupid']} is not legal")
    if _is_group(call.desk, body["groupid"]):
        illegal(call, f"group ID {body['groupid']} already exists!")
    return str(body["groupid"])


def _join(call: Call, group: str, user: str, role: str = "member") -> bool:
    row = (group, user, role, call.now)
    return bool(call.desk.store.run("INSERT OR IGNORE INTO members VALUES (?, ?, ?, ?, 0, '{}')", row).rowcount)


def _is_group(desk: Desk, group: str) -> bool:
    return desk.store.has("SELECT 1 FROM groups WHERE id = ?", group)


def group_in_path(call: Call) -> str:
    group = call.parts["group"]
    if not _is_group(call.desk, group):
        fail(call, 404, "resource_not_found", f"grpID {group} does not exist!")
    return group


def listed(call: Call) -> Mapping[str, Any]:
    """§3.2: newest first; the owner is written with application and organization."""
    limit, cursor = limit_of(call, 1, 1000, 10), cursor_of(call, 1 << 62)
    query = """
        SELECT id, owner, facts, created, number, (SELECT count(*) FROM members WHERE team = id) FROM groups
        WHERE number < ? ORDER BY number DESC LIMIT ?
    """
    rows = call.desk.store.all(query, cursor, limit + 1)
    app = f"{call.desk.text('org')}#{call.desk.text('app')}"
    found = [
        {"groupid": group, "groupname": orjson.loads(facts)["groupname"], "owner": f"{app}_{owner}",
         "affiliations": count, "type": "group", "lastModified": str(created)}
        for group, owner, facts, created, _, count in rows[:limit]
    ]  # fmt: skip
    more = {"cursor": str(rows[limit - 1][4])} if len(rows) > limit else {}
    return {"data": found, "count": len(found), **more}


def shown(call: Call) -> Mapping[str, Any]:
    """§3.2: up to 100 groups; those that are not there are told so inside a 200."""
    groups = call.parts["group"].split(",")
    if len(groups) > 100:
        illegal(call, "at most 100 groups")
    found = [_details(call.desk, group) for group in groups]
    return {"data": found, "count": len(found)}


def _details(desk: Desk, group: str) -> dict[str, Any]:
    row = desk.store.one("SELECT owner, facts, muted, created FROM groups WHERE id = ?", group)
    if row is None:
        return {"id": group, "error": "group id doesn't exist"}
    owner, facts, muted, created = row[0], orjson.loads(row[1]), bool(row[2]), row[3]
    users = desk.store.all("SELECT user, role FROM members WHERE team = ? ORDER BY joined, user", group)
    roles = [{"owner" if role == "owner" else "member": user} for user, role in users]
    return {
        "id": group, "name": facts.pop("groupname"), **facts, "owner": owner, "created": created, "mute": muted,
        "disabled": False, "affiliations_count": len(users), "affiliations": roles[:10_000],
    }  # fmt: skip


def modified(call: Call) -> Mapping[str, Any]:
    """§4.5: a new owner, or other facts."""
    group, body, store = group_in_path(call), body_of(call), call.desk.store
    if "newowner" in body:
        owner = fold(str(body["newowner"]))
        _needs_member(call, group, owner)
        store.run("UPDATE members SET role = 'member' WHERE team = ? AND role = 'owner'", (group,))
        store.run("UPDATE members SET role = 'owner' WHERE team = ? AND user = ?", (group, owner))
        store.run("UPDATE groups SET owner = ? WHERE id = ?", (owner, group))
        return {"data": {"newowner": True}}
    optional = {name: rule._replace(needed=False) for name, rule in _CREATE.items()}
    check(body, optional, lambda code, why: fail(call, 400, str(code), why))
    changes = {_SDK_NAMES.get(name, name): body[name] for name in (*_FACTS, *_SDK_NAMES) if name in body}
    store.run("UPDATE groups SET facts = json_patch(facts, ?) WHERE id = ?", (orjson.dumps(changes).decode(), group))
    return {"data": dict.fromkeys(changes, True)}


def is_member(desk: Desk, group: str, user: str) -> bool:
    return desk.store.has("SELECT 1 FROM members WHERE team = ? AND user = ?", group, user)


def _needs_member(call: Call, group: str, user: str) -> None:
    if not is_member(call.desk, group, user):
        fail(call, 403, "forbidden_op", f"users [{user}] are not members of this group!")


def add_members(call: Call) -> Mapping[str, Any]:
    """§4.5: nobody new is 403; an unknown user is 404."""
    group, most = group_in_path(call), call.desk.number("members")
    names = names_of(call, body_of(call), most, f"at most {most} users")
    for name in names:
        if not exists(call.desk, name):
            fail(call, 404, "resource_not_found", f"username {name} doesn't exist!")
    facts = call.desk.store.one("SELECT facts FROM groups WHERE id = ?", group)
    size = call.desk.store.number("SELECT count(*) FROM members WHERE team = ?", group)
    new = [name for name in dict.fromkeys(names) if not is_member(call.desk, group, name)]
    if not new:
        fail(call, 403, "forbidden_op", f"can not join this group, reason:user: {names[0]} already in group: {group}")
    if facts and size + len(new) > orjson.loads(facts[0])["maxusers"]:
        fail(call, 403, "exceed_limit", "the group is full")
    spoiled = call.spoiled(len(new))
    added = [name for index, name in enumerate(new) if index not in spoiled and _join(call, group, name)]
    return {"data": {"newmembers": added, "groupid": group, "action": "add_member"}}


def members(call: Call) -> Mapping[str, Any]:
    """§3.2: pages from 1."""
    group = group_in_path(call)
    page = digits(call.query.get("pagenum", "1"), 1, 1 << 40)
    size = digits(call.query.get("pagesize", "10"), 1, 1000)
    if page is None or size is None:
        illegal(call, "pagenum is a number from 1, pagesize one from 1 to 1000")
    query = "SELECT user, role, joined FROM members WHERE team = ? ORDER BY joined, user LIMIT ? OFFSET ?"
    rows = call.desk.store.all(query, group, size, (page - 1) * size)
    timed = call.query.get("joined_time") == "true"
    found = [
        {"owner" if role == "owner" else "member": user, **({"joined_time": joined} if timed else {})}
        for user, role, joined in rows
    ]
    return {"data": found, "count": len(found)}


def add_admin(call: Call) -> Mapping[str, Any]:
    """§4.5: a member becomes an admin; at most 99."""
    group, body = group_in_path(call), body_of(call)
    user = fold(str(body.get("newadmin", "")))
    if not user:
        illegal(call, "newadmin must be provided")
    _needs_member(call, group, user)
    if call.desk.store.number("SELECT count(*) FROM members WHERE team = ? AND role = 'admin'", group) >= 99:
        fail(call, 403, "exceed_limit", "the number of admins is used up")
    query = "UPDATE members SET role = 'admin' WHERE team = ? AND user = ? AND role = 'member'"
    call.desk.store.run(query, (group, user))
    return {"data": {"result": "success", "newadmin": user}}


def admins(call: Call) -> Mapping[str, Any]:
    query = "SELECT user FROM members WHERE team = ? AND role = 'admin' ORDER BY user"
    return {"data": call.desk.store.column(query, group_in_path(call))}


def mute(call: Call) -> Mapping[str, Any]:
    """§4.5: milliseconds, -1 for ever, 0 to lift; the owner cannot be muted."""
    group, body, most = group_in_path(call), body_of(call), call.desk.number("mutes")
    names, length = names_of(call, body, most, f"at most {most} users"), body.get("mute_duration")
    if not isinstance(length, int) or not integer(-1, FOR_EVER)(length):
        illegal(call, "mute_duration is a number of milliseconds, or -1")
    for name in names:
        _needs_member(call, group, name)
        if call.desk.store.has("SELECT 1 FROM groups WHERE id = ? AND owner = ?", group, name):
            fail(call, 403, "forbidden_op", "the owner cannot be muted")
    until = FOR_EVER if length < 0 else call.now + length if length else 0
    query = "UPDATE members SET muted_until = ? WHERE team = ? AND user = ?"
    call.desk.store.many(query, [(until, group, name) for name in names])
    return {"data": [{"result": True, "expire": until, "user": name} for name in names]}


def mutes(call: Call) -> Mapping[str, Any]:
    query = "SELECT user, muted_until FROM members WHERE team = ? AND muted_until > ? ORDER BY user"
    rows = call.desk.store.all(query, group_in_path(call), call.now)
    return {"data": [{"user": user, "expire": until} for user, until in rows]}


def ban(call: Call) -> Mapping[str, Any]:
    """§4.5: mute all."""
    call.desk.store.run("UPDATE groups SET muted = 1 WHERE id = ?", (group_in_path(call),))
    return {"data": {"mute": True}}


def block(call: Call) -> Mapping[str, Any]:
    """§4.5: at most 60; members only, who leave the group by it; each has its own result."""
    group, store, most = group_in_path(call), call.desk.store, call.desk.number("group_blocks")
    names, found = names_of(call, body_of(call), most, f"at most {most} users"), []
    spoiled = call.spoiled(len(names))
    for index, name in enumerate(names):
        query = "DELETE FROM members WHERE team = ? AND user = ? AND role <> 'owner'"
        fine = index not in spoiled and bool(store.run(query, (group, name)).rowcount)
        if fine:
            store.run("INSERT OR IGNORE INTO group_blocks VALUES (?, ?)", (group, name))
        reason = {} if fine else {"reason": f"user: {name} doesn't exist in group: {group}"}
        found.append({"result": fine, "action": "add_blocks", "user": name, "groupid": group, **reason})
    return {"data": found}


def blocks(call: Call) -> Mapping[str, Any]:
    found = call.desk.store.column("SELECT user FROM group_blocks WHERE team = ? ORDER BY 1", group_in_path(call))
    return {"data": found}


def announce(call: Call) -> Mapping[str, Any]:
    """§4.5: at most 512 characters."""
    group, body = group_in_path(call), body_of(call)
    if not isinstance(body.get("announcement"), str) or len(body["announcement"]) > 512:
        illegal(call, "announcement is a text of at most 512 characters")
    call.desk.store.run("UPDATE groups SET announcement = ? WHERE id = ?", (body["announcement"], group))
    return {"data": {"id": group, "result": True}}


def announcement(call: Call) -> Mapping[str, Any]:
    row = call.desk.store.one("SELECT announcement FROM groups WHERE id = ?", group_in_path(call))
    return {"data": {"announcement": row[0] if row else ""}}


def set_member(call: Call) -> Mapping[str, Any]:
    """§3.2: attributes of a member: 4 KB, keys of 16 bytes, values of 512 bytes."""
    group, user, body = group_in_path(call), fold(call.parts["user"]), body_of(call)
    _needs_member(call, group, user)
    changes = body.get("metaData", body)
    fits = isinstance(changes, dict) and all(
        isinstance(value, str) and len(key.encode()) <= 16 and len(value.encode()) <= 512
        for key, value in changes.items()
    )
    if not fits:
        illegal(call, "attributes are texts, keys of 16 bytes, values of 512 bytes")
    found = _member_facts(call, group, user) | changes
    text_of = orjson.dumps(found).decode()
    if len(text_of) > 4096:
        fail(call, 403, "exceed_limit", "the attributes of the member are larger than 4 KB")
    query = "UPDATE members SET facts = ? WHERE team = ? AND user = ?"
    call.desk.store.run(query, (text_of, group, user))
    return {"data": found}


def _member_facts(call: Call, group: str, user: str) -> dict[str, Any]:
    row = call.desk.store.one("SELECT facts FROM members WHERE team = ? AND user = ?", group, user)
    return dict(orjson.loads(row[0])) if row else {}


def get_member(call: Call) -> Mapping[str, Any]:
    return {"data": _member_facts(call, group_in_path(call), fold(call.parts["user"]))}


def joined(call: Call) -> Mapping[str, Any]:
    """§3.2: the groups of a user."""
    query = "SELECT team, groups.facts FROM members JOIN groups ON id = team WHERE user = ? ORDER BY number"
    rows = call.desk.store.all(query, fold(call.parts["user"]))
    return {"data": [{"groupid": group, "groupname": orjson.loads(facts)["groupname"]} for group, facts in rows]}
