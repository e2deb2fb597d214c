"""Friends and blocks (easemob.md §3.3, §4.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.easemob.answers import body_of, cursor_of, fail, illegal, limit_of, no_user
from imconvert.simulators.easemob.people import exists, fold, user_in_path

TABLES = """
CREATE TABLE contacts (
    owner TEXT, friend TEXT, remark TEXT, number INTEGER NOT NULL UNIQUE, PRIMARY KEY (owner, friend)
) WITHOUT ROWID;
CREATE TABLE blocks (owner TEXT, blocked TEXT, PRIMARY KEY (owner, blocked)) WITHOUT ROWID;
"""


def names_of(call: Call, body: Mapping[str, Any], most: int, over: str) -> list[str]:
    """`usernames`, folded. Raises Refused where they are none or too many."""
    found = body.get("usernames")
    if not isinstance(found, list) or not found or not all(isinstance(name, str) and name for name in found):
        illegal(call, "usernames are missing, or are not texts")
    if len(found) > most:
        illegal(call, over)
    return [fold(name) for name in found]


def _full(desk: Desk, owner: str) -> bool:
    most = desk.number("most_contacts")
    return bool(most) and desk.store.number("SELECT count(*) FROM contacts WHERE owner = ?", owner) >= most


def _befriend(desk: Desk, owner: str, friend: str) -> None:
    row = (owner, friend, desk.store.next("contact"))
    desk.store.run("INSERT OR IGNORE INTO contacts VALUES (?, ?, NULL, ?)", row)


def add_contact(call: Call) -> Mapping[str, Any]:
    """§4.6: both directions at once."""
    owner, friend = user_in_path(call), fold(call.parts["friend"])
    if not exists(call.desk, friend):
        no_user(call)
    if _full(call.desk, owner) or _full(call.desk, friend):
        fail(call, 403, "exceed_limit", "the number of contacts is used up")
    _befriend(call.desk, owner, friend)
    _befriend(call.desk, friend, owner)
    return {"entities": [{"username": friend, "type": "user", "activated": True}]}


def import_contacts(call: Call) -> Mapping[str, Any]:
    """§4.6: at most 10; each name ends in one of four lists. Two-way unless set otherwise (UNCONFIRMED there)."""
    owner, desk, most = user_in_path(call), call.desk, call.desk.number("contacts")
    names = names_of(call, body_of(call), most, f"request user over flow limit:{most}.")
    found: dict[str, list[str]] = {"success": [], "NotExistFailed": [], "maxLimitFailed": [], "UnKnowFailed": []}
    spoiled = call.spoiled(len(names))
    for index, name in enumerate(names):
        if index in spoiled:
            found["UnKnowFailed"].append(name)
        elif not exists(desk, name):
            found["NotExistFailed"].append(name)
        elif _full(desk, owner):
            found["maxLimitFailed"].append(name)
        else:
            _befriend(desk, owner, name)
            if desk.chosen("contacts_import", "two-way"):
                _befriend(desk, name, owner)
            found["success"].append(name)
    return {"data": found}


def set_remark(call: Call) -> Mapping[str, Any]:
    """§4.6."""
    owner, friend, body = user_in_path(call), fold(call.parts["friend"]), body_of(call)
    if not isinstance(body.get("remark"), str) or len(body["remark"]) > 100:
        illegal(call, "remark is a text of at most 100 characters")
    query = "UPDATE contacts SET remark = ? WHERE owner = ? AND friend = ?"
    if not call.desk.store.run(query, (body["remark"], owner, friend)).rowcount:
        fail(call, 400, "illegal_argument", f"{friend} is no contact of {owner}")
    return {"status": "ok"}


def page_of_contacts(call: Call) -> Mapping[str, Any]:
    """§3.3: newest first."""
    owner, limit, cursor = user_in_path(call), limit_of(call, 1, 50, 10), cursor_of(call, 1 << 62)
    query = "SELECT friend, remark, number FROM contacts WHERE owner = ? AND number < ? ORDER BY number DESC LIMIT ?"
    rows = call.desk.store.all(query, owner, cursor, limit + 1)
    remark = call.query.get("needReturnRemark") == "true"
    found = [{"username": row[0], **({"remark": row[1]} if remark else {})} for row in rows[:limit]]
    more = {"cursor": str(rows[limit - 1][2])} if len(rows) > limit else {}
    return {"data": {"contacts": found}, "count": len(found), **more}


def all_contacts(call: Call) -> Mapping[str, Any]:
    found = call.desk.store.column("SELECT friend FROM contacts WHERE owner = ? ORDER BY number", user_in_path(call))
    return {"data": found, "count": len(found)}


def add_blocks(call: Call) -> Mapping[str, Any]:
    """§4.6: at most 500 in all; a friend stays a friend."""
    owner, store, most = user_in_path(call), call.desk.store, call.desk.number("most_blocks")
    names = names_of(call, body_of(call), most, f"at most {most} users")
    missing = [name for name in names if not exists(call.desk, name)]
    if missing:
        no_user(call)
    store.many("INSERT OR IGNORE INTO blocks VALUES (?, ?)", [(owner, name) for name in names])
    if store.number("SELECT count(*) FROM blocks WHERE owner = ?", owner) > most:
        fail(call, 403, "exceed_limit", "the number of blocked users is used up")
    return {"data": names}


def all_blocks(call: Call) -> Mapping[str, Any]:
    found = call.desk.store.column("SELECT blocked FROM blocks WHERE owner = ? ORDER BY 1", user_in_path(call))
    return {"data": found, "count": len(found)}
