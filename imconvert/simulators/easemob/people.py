"""Users, their attributes and their push settings (easemob.md §3.1, §4.2, §4.7, §4.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import integer
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.easemob.answers import body_of, cursor_of, fail, illegal, limit_of, no_user

TABLES = """
CREATE TABLE users (
    name TEXT PRIMARY KEY, nickname TEXT, created INTEGER NOT NULL, number INTEGER NOT NULL UNIQUE
) WITHOUT ROWID;
CREATE TABLE attributes (user TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE push (user TEXT, kind TEXT, key TEXT, facts TEXT NOT NULL, PRIMARY KEY (user, kind, key)) WITHOUT ROWID;
"""

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_BATCH_REASON = "the {name} already exists"
_LENGTHS = {"nickname": 64, "avatarurl": 256, "phone": 32, "mail": 64, "sign": 256, "birth": 64}
_ATTRIBUTES = 2048
_PERIOD = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]|")
_WEEK = 604_800_000


def fold(name: str) -> str:
    """A user id as the server keeps it (§8)."""
    return name.lower()


def exists(desk: Desk, name: Any) -> bool:
    return isinstance(name, str) and desk.store.has("SELECT 1 FROM users WHERE name = ?", fold(name))


def user_in_path(call: Call) -> str:
    if not exists(call.desk, call.parts["user"]):
        no_user(call)
    return fold(call.parts["user"])


def register(call: Call) -> Mapping[str, Any]:
    """§4.2: one user, or an array of at most 60; those who are there already are told apart in a batch."""
    try:
        body = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict | list) or not body:
        fail(call, 400, "invalid_request_body", "Request body is invalid. Please check body is correct.")
    items = body if isinstance(body, list) else [body]
    if len(items) > call.desk.number("users"):
        illegal(call, f"batch size over limit:{call.desk.number('users')}")
    for item in items:
        _check(call, item)
    return _batch(call, items) if isinstance(body, list) else _single(call, items[0])


def _check(call: Call, item: Any) -> None:
    """One illegal name voids the whole batch (UNCONFIRMED in §4.2)."""
    if not isinstance(item, dict):
        fail(call, 400, "invalid_request_body", "Request body is invalid. Please check body is correct.")
    name, password, nickname = item.get("username"), item.get("password"), item.get("nickname", "")
    if not isinstance(name, str) or not name:
        illegal(call, "username must be provided")
    if len(name.encode()) > 64:
        illegal(call, "USERNAME_TOO_LONG")
    if not _NAME.fullmatch(name):
        illegal(call, f"username [{name}] is not legal")
    if not isinstance(password, str) or not password:
        illegal(call, "password or pin must provided")
    if len(password) > 64:
        illegal(call, "PASSWORD_TOO_LONG")
    if not isinstance(nickname, str) or len(nickname) > 100:
        illegal(call, "NICKNAME_TOO_LONG")


def _make(call: Call, item: Mapping[str, Any]) -> dict[str, Any]:
    desk, name = call.desk, fold(item["username"])
    if desk.number("most_users") and desk.store.number("SELECT count(*) FROM users") >= desk.number("most_users"):
        fail(call, 429, "resource_limited", "the number of users of this plan is used up")
    row = (name, item.get("nickname"), call.now, desk.store.next("user"))
    desk.store.run("INSERT INTO users VALUES (?, ?, ?, ?)", row)
    return _entity((name, item.get("nickname"), call.now))


def _entity(row: Any) -> dict[str, Any]:
    name, nickname, created = row
    found = {"uuid": f"user-{name}", "type": "user", "created": created, "modified": created, "username": name,
             "activated": True}  # fmt: skip
    return found if nickname is None else found | {"nickname": nickname}


def _single(call: Call, item: Mapping[str, Any]) -> Mapping[str, Any]:
    if exists(call.desk, item["username"]):
        text = f"Application {call.desk.text('app')} Entity user requires that property named username be unique, "
        fail(call, 400, "duplicate_unique_property_exists", text + f"value of {fold(item['username'])} exists")
    return {"entities": [_make(call, item)]}


def _batch(call: Call, items: list[Any]) -> Mapping[str, Any]:
    passwords: dict[str, str] = {}
    for item in items:
        if passwords.setdefault(fold(item["username"]), item["password"]) != item["password"]:
            text = f"value of {fold(item['username'])} exists"
            fail(call, 400, "duplicate_unique_property_exists", text)
    spoiled, made, there = call.spoiled(len(items)), [], []
    for index, item in enumerate(items):
        name = fold(item["username"])
        if index in spoiled:
            there.append({"username": name, "registerUserFailReason": "internal error"})
        elif exists(call.desk, name):
            there.append({"username": name, "registerUserFailReason": _BATCH_REASON.format(name=name)})
        else:
            made.append(_make(call, item))
    return {"entities": made, "data": there, "count": len(made)}


def listed(call: Call) -> Mapping[str, Any]:
    """§3.1: oldest first; the last page has no cursor."""
    limit, cursor = limit_of(call, 1, 100, 10), cursor_of(call, 0)
    query = "SELECT name, nickname, created, number FROM users WHERE number > ? ORDER BY number LIMIT ?"
    rows = call.desk.store.all(query, cursor, limit + 1)
    found = [_entity(row[:3]) for row in rows[:limit]]
    more = {"cursor": str(rows[limit - 1][3])} if len(rows) > limit else {}
    return {"entities": found, "count": len(found), **more}


def shown(call: Call) -> Mapping[str, Any]:
    row = call.desk.store.one("SELECT name, nickname, created FROM users WHERE name = ?", user_in_path(call))
    return {"entities": [_entity(row)], "count": 1}


def renamed(call: Call) -> Mapping[str, Any]:
    """§4.8: the nickname that push shows."""
    user, body = user_in_path(call), body_of(call)
    if not isinstance(body.get("nickname"), str) or len(body["nickname"]) > 100:
        illegal(call, "NICKNAME_TOO_LONG")
    call.desk.store.run("UPDATE users SET nickname = ? WHERE name = ?", (body["nickname"], user))
    return shown(call)


def set_attributes(call: Call) -> Mapping[str, Any]:
    """§4.7: a form, not JSON; at most 2 KB a user."""
    if call.kind != "application/x-www-form-urlencoded":
        fail(call, 415, "unsupported_media_type", "Content-Type must be application/x-www-form-urlencoded")
    user = user_in_path(call)
    changes = call.form()
    long = [name for name, most in _LENGTHS.items() if len(changes.get(name, "")) > most]
    if long:
        illegal(call, f"{long[0]} is too long")
    found = _attributes(call.desk, user) | changes
    text = orjson.dumps(found).decode()
    if len(text.encode()) > _ATTRIBUTES:
        fail(call, 403, "exceed_limit", "the attributes of the user are larger than 2 KB")
    call.desk.store.run("INSERT OR REPLACE INTO attributes VALUES (?, ?)", (user, text))
    return {"data": found}


def _attributes(desk: Desk, user: str) -> dict[str, str]:
    row = desk.store.one("SELECT facts FROM attributes WHERE user = ?", fold(user))
    return dict(orjson.loads(row[0])) if row else {}


def get_attributes(call: Call) -> Mapping[str, Any]:
    return {"data": _attributes(call.desk, call.parts["user"])}


def find_attributes(call: Call) -> Mapping[str, Any]:
    """§3.3: an unknown user or key gives nothing."""
    body = body_of(call)
    users, names = body.get("targets"), body.get("properties")
    if not isinstance(users, list) or not users or len(users) > 100:
        illegal(call, "targets are 1 to 100 users")
    if not isinstance(names, list) or not names:
        illegal(call, "properties are missing")
    found = {user: _attributes(call.desk, str(user)) for user in users}
    return {"data": {user: {name: facts[name] for name in names if name in facts} for user, facts in found.items()}}


def set_push(call: Call) -> Mapping[str, Any]:
    """§4.8: the daily window only for all conversations, DEFAULT only for one."""
    user, body = user_in_path(call), body_of(call)
    kind, key = call.parts["kind"], call.parts["key"]
    everywhere = kind == "user" and fold(key) == user
    allowed = ("ALL", "AT", "NONE") if everywhere else ("DEFAULT", "ALL", "AT", "NONE")
    if kind not in ("user", "chatgroup"):
        illegal(call, f"there is no kind {kind}")
    if body.get("type", "ALL") not in allowed:
        illegal(call, f"type is one of {', '.join(allowed)}")
    period, duration = body.get("ignoreInterval"), body.get("ignoreDuration", 0)
    if period is not None and (not everywhere or not isinstance(period, str) or not _PERIOD.fullmatch(period)):
        illegal(call, "ignoreInterval is a window such as 21:30-08:00, for all conversations only")
    if not integer(0, _WEEK)(duration):
        illegal(call, f"ignoreDuration is a number of milliseconds up to {_WEEK}")
    changes: dict[str, Any] = {name: body[name] for name in ("type", "ignoreInterval") if name in body}
    if "ignoreDuration" in body:
        changes["ignoreDuration"] = call.now + duration if duration else 0
    found = _push(call, user) | changes
    row = (user, kind, fold(key), orjson.dumps(found).decode())
    call.desk.store.run("INSERT OR REPLACE INTO push VALUES (?, ?, ?, ?)", row)
    return {"data": found}


def _push(call: Call, user: str) -> dict[str, Any]:
    query = "SELECT facts FROM push WHERE user = ? AND kind = ? AND key = ?"
    row = call.desk.store.one(query, user, call.parts["kind"], fold(call.parts["key"]))
    return dict(orjson.loads(row[0])) if row else {}


def get_push(call: Call) -> Mapping[str, Any]:
    return {"data": _push(call, user_in_path(call))}
