"""Accounts, profiles, friends and lists, in both surfaces (yunxin.md §4.4, §4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.yunxin.server.answers import (
    ACCID,
    ACCIDS,
    Field,
    checked,
    fail,
    fold,
    form_of,
    json_of,
    more_of,
    optional,
    page_of,
    part_of,
)

TABLES = """
CREATE TABLE requests (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE accounts (
    id TEXT PRIMARY KEY, token TEXT NOT NULL, profile TEXT NOT NULL, flags TEXT NOT NULL, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE friends (
    owner TEXT, friend TEXT, facts TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (owner, friend)
) WITHOUT ROWID;
CREATE TABLE lists (kind TEXT, owner TEXT, other TEXT, at INTEGER NOT NULL, PRIMARY KEY (kind, owner, other))
WITHOUT ROWID;
"""

PROFILE = {
    "name": optional(64), "icon": optional(1024), "sign": optional(256), "email": optional(64), "birth": optional(16),
    "mobile": optional(32), "gender": optional(form="[012]"), "ex": optional(1024),
}  # fmt: skip
V2_NAMES = {"name": "name", "avatar": "icon", "sign": "sign", "email": "email", "birthday": "birth",
            "mobile": "mobile", "gender": "gender", "extension": "ex"}  # fmt: skip
"""Names of a profile in v2 and in v1 (§4.5)."""

_V2_PROFILE = {name: PROFILE[v1] for name, v1 in V2_NAMES.items()}
_FLAG = Field(form="true|false")
BLOCK, MUTE = "black", "mute"
RELATIONS = {"1": BLOCK, "2": MUTE}


def exists(desk: Desk, accid: str) -> bool:
    return desk.store.has("SELECT 1 FROM accounts WHERE id = ?", fold(accid))


def need(call: Call, *accids: str) -> None:
    """Raises Refused 414 for an account that is not registered (v2 names it 102404 in failed lists)."""
    for accid in accids:
        if not exists(call.desk, accid):
            fail(call, 414, f"{accid} not register")


def _register(call: Call, accid: str, token: str, profile: Mapping[str, Any]) -> None:
    if exists(call.desk, accid):
        fail(call, 414, "already register")
    row = (fold(accid), token or f"token-{fold(accid)}", orjson.dumps(profile).decode(), "{}", call.now)
    call.desk.store.run("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", row)


def create(call: Call) -> Mapping[str, Any]:
    """user/create: the id is kept in lower case, and the answer's counts (§7). An account that is there is 414."""
    given = form_of(call, {"accid": ACCID, "token": optional(128), **PROFILE})
    profile = {name: given[name] for name in PROFILE if name in given}
    _register(call, given["accid"], given.get("token", ""), profile)
    accid = fold(given["accid"])
    return {"info": {"accid": accid, "token": given.get("token") or f"token-{accid}", "name": given.get("name", "")}}


def create_v2(call: Call) -> Mapping[str, Any]:
    body = json_of(call, {"account_id": ACCID._replace(form=r"[a-z0-9_@.\-]+"), "token": optional(128)})
    profile = _profile_of(call, part_of(call, body, "user_information"))
    _register(call, body["account_id"], body.get("token", ""), profile)
    return {"account_id": body["account_id"], "token": body.get("token") or f"token-{body['account_id']}"}


def _profile_of(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    found = checked(call, given, _V2_PROFILE)
    return {V2_NAMES[name]: found[name] for name in V2_NAMES if name in found}


def _change(call: Call, accid: str, column: str, changes: Mapping[str, Any]) -> None:
    need(call, accid)
    query = f"UPDATE accounts SET {column} = json_patch({column}, ?) WHERE id = ?"
    call.desk.store.run(query, (orjson.dumps(changes).decode(), fold(accid)))


def update(call: Call) -> None:
    """user/updateUinfo: an empty text clears."""
    given = form_of(call, {"accid": ACCID, **PROFILE})
    _change(call, given["accid"], "profile", {name: given[name] for name in PROFILE if name in given})


def update_v2(call: Call) -> Mapping[str, Any]:
    _change(call, call.parts["accid"], "profile", _profile_of(call, json_of(call, {})))
    return _user_v2(call.desk, call.parts["accid"]) or {}


def _profile(desk: Desk, accid: str) -> dict[str, Any] | None:
    row = desk.store.one("SELECT profile FROM accounts WHERE id = ?", fold(accid))
    return None if row is None else dict(orjson.loads(row[0]))


def show(call: Call) -> Mapping[str, Any]:
    """user/getUinfos: at most 200; all have to be there."""
    accids = form_of(call, {"accids": ACCIDS})["accids"]
    if len(accids) > 200:
        fail(call, 414, "accids are more than 200")
    need(call, *accids)
    return {"uinfos": [{"accid": accid, **(_profile(call.desk, accid) or {})} for accid in accids]}


def _user_v2(desk: Desk, accid: str) -> dict[str, Any] | None:
    profile = _profile(desk, accid)
    if profile is None:
        return None
    return {"account_id": fold(accid), **{name: profile[v1] for name, v1 in V2_NAMES.items() if v1 in profile}}


def show_v2(call: Call) -> Mapping[str, Any]:
    need(call, call.parts["accid"])
    return _user_v2(call.desk, call.parts["accid"]) or {}


def show_many_v2(call: Call) -> Mapping[str, Any]:
    accids = [one for one in call.query.get("account_ids", "").split(",") if one]
    if not 1 <= len(accids) <= 100:
        fail(call, 414, "account_ids are 1 to 100 accounts")
    found = {accid: _user_v2(call.desk, accid) for accid in accids}
    failed = [
        {"account_id": one, "error_code": 102404, "error_msg": "account not exist"} for one in accids if not found[one]
    ]
    return {"success_list": [user for user in found.values() if user], "failed_list": failed}


def flag(call: Call) -> None:
    """user/block, unblock, mute, setDonnop: one switch each."""
    name = call.path.rsplit("/", 1)[1].removesuffix(".action")
    field = {"mute": "mute", "setDonnop": "donnopOpen"}.get(name)
    given = form_of(call, {"accid": ACCID} | ({field: _FLAG} if field else {}))
    changes = {field: given[field] == "true"} if field else {"block": name == "block"}
    _change(call, given["accid"], "flags", changes)


# --- friends and lists ----------------------------------------------------------------------------------


def _befriend(call: Call, owner: str, friend: str, facts: Mapping[str, Any]) -> None:
    """A friendship is kept for both, with facts of its own for each."""
    need(call, owner, friend)
    store, most = call.desk.store, call.desk.number("most_friends")
    if store.number("SELECT count(*) FROM friends WHERE owner = ?", fold(owner)) >= most:
        fail(call, 419, "there are too many friends")
    rows = [
        (fold(owner), fold(friend), orjson.dumps(facts).decode(), call.now),
        (fold(friend), fold(owner), "{}", call.now),
    ]
    store.many("INSERT OR IGNORE INTO friends VALUES (?, ?, ?, ?)", rows)


_FRIEND = {"alias": optional(128), "ex": optional(256), "serverex": optional(256)}


def add_friend(call: Call) -> None:
    """friend/add: 1 adds at once, 2 asks, 3 accepts, 4 refuses; only 1 and 3 make a friend here."""
    fields = {"accid": ACCID, "faccid": ACCID, "type": Field(form="[1234]"), "msg": optional(256)}
    given = form_of(call, fields | {"serverex": optional(256)})
    need(call, given["accid"], given["faccid"])
    if given["type"] in ("1", "3"):
        facts = {"serverex": given["serverex"]} if "serverex" in given else {}
        _befriend(call, given["accid"], given["faccid"], facts)


def _change_friend(call: Call, owner: str, friend: str, changes: Mapping[str, Any]) -> None:
    query = "UPDATE friends SET facts = json_patch(facts, ?) WHERE owner = ? AND friend = ?"
    if not call.desk.store.run(query, (orjson.dumps(changes).decode(), fold(owner), fold(friend))).rowcount:
        fail(call, 404, "they are no friends")


def update_friend(call: Call) -> None:
    given = form_of(call, {"accid": ACCID, "faccid": ACCID, **_FRIEND})
    changes = {name: given[name] for name in _FRIEND if name in given}
    _change_friend(call, given["accid"], given["faccid"], changes)


def friends(call: Call) -> Mapping[str, Any]:
    """friend/get: those that changed since `updatetime`."""
    given = form_of(call, {"accid": ACCID, "updatetime": optional(form="[0-9]{1,16}")})
    need(call, given["accid"])
    query = "SELECT friend, facts, at FROM friends WHERE owner = ? AND at >= ? ORDER BY friend"
    rows = call.desk.store.all(query, fold(given["accid"]), int(given.get("updatetime") or 0))
    found = [
        {"faccid": friend, "bidirection": True, "createtime": at, **orjson.loads(facts)} for friend, facts, at in rows
    ]
    return {"friends": found, "size": len(found)}


_V2_FRIEND = {"alias": "alias", "extension": "ex", "customer_extension": "serverex"}


def add_friend_v2(call: Call) -> Mapping[str, Any]:
    fields = {"account_id": ACCID, "friend_account_id": ACCID, "type": optional(form="[1234]"), "alias": optional(128)}
    body = json_of(call, fields)
    facts = {v1: body[name] for name, v1 in _V2_FRIEND.items() if name in body}
    _befriend(call, body["account_id"], body["friend_account_id"], facts)
    return {}


def update_friend_v2(call: Call) -> Mapping[str, Any]:
    body = json_of(call, {"friend_account_id": ACCID, "alias": optional(128)})
    changes = {v1: body[name] for name, v1 in _V2_FRIEND.items() if name in body}
    _change_friend(call, call.parts["accid"], body["friend_account_id"], changes)
    return {}


def friends_v2(call: Call) -> Mapping[str, Any]:
    owner, rows, more = _page(call, "SELECT friend, facts, at FROM friends WHERE owner = ?")
    names = {v1: name for name, v1 in _V2_FRIEND.items()}
    items = [
        {"account_id": owner, "friend_account_id": friend, "create_time": at,
         **{names[name]: value for name, value in orjson.loads(facts).items() if name in names}}
        for friend, facts, at in rows
    ]  # fmt: skip
    return {"items": items, **more}


def _page(call: Call, query: str, *values: Any) -> tuple[str, list[Any], dict[str, Any]]:
    """A page of a list of `account_id`: the owner, its rows, and how to go on."""
    owner = call.query.get("account_id", "")
    need(call, owner)
    limit, start = page_of(call)
    rows = call.desk.store.all(f"{query} ORDER BY 1 LIMIT ? OFFSET ?", fold(owner), *values, limit + 1, start)
    return fold(owner), rows[:limit], more_of(rows, limit, start)


def _list(call: Call, kind: str, owner: str, other: str, *, on: bool) -> None:
    need(call, owner, other)
    store, ends = call.desk.store, (kind, fold(owner), fold(other))
    if not on:
        store.run("DELETE FROM lists WHERE kind = ? AND owner = ? AND other = ?", ends)
        return
    store.run("INSERT OR IGNORE INTO lists VALUES (?, ?, ?, ?)", (*ends, call.now))
    if store.number("SELECT count(*) FROM lists WHERE kind = ? AND owner = ?", *ends[:2]) > call.desk.number(
        "most_listed"
    ):
        fail(call, 419, "the list is full")


def set_relation(call: Call) -> None:
    """user/setSpecialRelation: 1 blocks, 2 mutes; value 1 or 0."""
    fields = {"accid": ACCID, "targetAcc": ACCID, "relationType": Field(form="[12]"), "value": Field(form="[01]")}
    given = form_of(call, fields)
    _list(call, RELATIONS[given["relationType"]], given["accid"], given["targetAcc"], on=given["value"] == "1")


def listed(call: Call) -> Mapping[str, Any]:
    accid = form_of(call, {"accid": ACCID})["accid"]
    need(call, accid)
    query = "SELECT other FROM lists WHERE kind = ? AND owner = ? ORDER BY 1"
    kinds = {"mutelist": MUTE, "blacklist": BLOCK}
    return {name: call.desk.store.column(query, kind, fold(accid)) for name, kind in kinds.items()}


def _kind(call: Call) -> str:
    return BLOCK if "block_contacts" in call.path else MUTE


def add_contact_v2(call: Call) -> Mapping[str, Any]:
    body = json_of(call, {"account_id": ACCID, "contact_account_id": ACCID})
    _list(call, _kind(call), body["account_id"], body["contact_account_id"], on=True)
    return {}


def remove_contact_v2(call: Call) -> Mapping[str, Any]:
    other = call.query.get("contact_account_id", "")
    _list(call, _kind(call), call.parts["accid"], other, on=False)
    return {}


def contacts_v2(call: Call) -> Mapping[str, Any]:
    query = "SELECT other, at FROM lists WHERE owner = ? AND kind = ?"
    owner, rows, more = _page(call, query, _kind(call))
    items = [{"account_id": owner, "contact_account_id": other, "create_time": at} for other, at in rows]
    return {"items": items, **more}
