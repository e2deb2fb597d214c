"""Teams and their members in v2 (yunxin.md §4.5); the work is that of v1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.yunxin.server.accounts import exists, need
from imconvert.simulators.yunxin.server.answers import (
    ACCID,
    ACCIDS,
    TID,
    Field,
    checked,
    fold,
    json_of,
    more_of,
    optional,
    page_of,
    part_of,
)
from imconvert.simulators.yunxin.server.teams import (
    FACTS,
    add_members,
    change_member,
    hand_over,
    make,
    managed,
    set_managers,
    team_of,
)

_V2_FACTS = {"name": "tname", "icon": "icon", "announcement": "announcement", "intro": "intro",
             "server_extension": "custom", "members_limit": "teamMemberLimit"}  # fmt: skip
_V2_MODES = {"join_mode": "joinmode", "agree_mode": "beinvitemode", "invite_mode": "invitemode",
             "update_team_info_mode": "uptinfomode", "update_extension_mode": "upcustommode"}  # fmt: skip


def create(call: Call) -> Mapping[str, Any]:
    """Who is not registered goes into `failed_list`."""
    fields = {"owner_account_id": ACCID, "team_type": Field(form="[12]"), "invite_msg": optional(150),
              "invite_account_ids": ACCIDS._replace(needed=False)}  # fmt: skip
    body = json_of(call, fields | {name: FACTS[v1] for name, v1 in _V2_FACTS.items()})
    need(call, body["owner_account_id"])
    modes = checked(call, part_of(call, body, "configuration"), {
        name: FACTS[v1]._replace(needed=False) for name, v1 in _V2_MODES.items()})  # fmt: skip
    facts = {v1: body[name] for name, v1 in _V2_FACTS.items() if name in body}
    facts |= {v1: modes[name] for name, v1 in _V2_MODES.items() if name in modes}
    invited = body.get("invite_account_ids", [])
    there = [one for one in dict.fromkeys(invited) if exists(call.desk, one) and one != fold(body["owner_account_id"])]
    tid = make(call, body["owner_account_id"], there, facts, quiet=False)
    info = {"team_id": tid, "team_type": body["team_type"], "owner_account_id": fold(body["owner_account_id"]),
            "name": body["name"], "members_limit": facts.get("teamMemberLimit", 200)}  # fmt: skip
    return {"team_info": info, "failed_list": _failed(one for one in invited if not exists(call.desk, one))}


def _failed(accids: Iterable[str], code: int = 102404, why: str = "account not exist") -> list[dict[str, Any]]:
    return [{"account_id": accid, "error_code": code, "error_msg": why} for accid in accids]


_OPERATED = {"operator_id": ACCID, "team_id": TID, "team_type": Field(form="[12]")}


def _managed_v2(call: Call, body: Mapping[str, Any], *, by_owner: bool = False) -> int:
    return managed(call, {"tid": body["team_id"], "owner": body["operator_id"]}, by_owner=by_owner)


def add(call: Call) -> Mapping[str, Any]:
    body = json_of(call, {**_OPERATED, "invite_account_ids": ACCIDS})
    tid, accids = _managed_v2(call, body), body["invite_account_ids"]
    there = [one for one in accids if exists(call.desk, one)]
    failed = add_members(call, tid, body["operator_id"], there) if there else []
    missing = _failed(one for one in accids if one not in there)
    return {"success_list": [one for one in there if one not in failed],
            "failed_list": missing + _failed(failed, 500, "internal error")}  # fmt: skip


def member(call: Call) -> Mapping[str, Any]:
    """Nick, gag and extension of one member."""
    body = json_of(call, {**_OPERATED, "team_nick": optional(32), "server_extension": optional(1024)})
    names = {"team_nick": "nick", "chat_banned": "gagged", "server_extension": "custom",
             "message_notify_state": "notify"}  # fmt: skip
    changes = {v1: body[name] for name, v1 in names.items() if name in body}
    change_member(call, _managed_v2(call, body), call.parts["accid"], changes)
    return {}


def gag(call: Call) -> Mapping[str, Any]:
    body = json_of(call, {**_OPERATED, "chat_ban_account_ids": ACCIDS})
    tid = _managed_v2(call, body)
    for accid in body["chat_ban_account_ids"]:
        change_member(call, tid, accid, {"gagged": bool(body.get("chat_banned", True))})
    return {"failed_list": []}


def managers(call: Call) -> Mapping[str, Any]:
    body = json_of(call, {"operator_id": ACCID, "managers": ACCIDS})
    tid = _managed_v2(call, {**body, "team_id": call.parts["tid"]}, by_owner=True)
    set_managers(call, tid, (body["operator_id"], body["managers"]), on=call.path.endswith("add_manager"))
    return {"failed_list": []}


def transfer(call: Call) -> Mapping[str, Any]:
    body = json_of(call, {"operator_id": ACCID, "new_owner_account_id": ACCID})
    tid = _managed_v2(call, {**body, "team_id": call.parts["tid"]}, by_owner=True)
    hand_over(call, tid, body["operator_id"], body["new_owner_account_id"], leaves=bool(body.get("leave")))
    return {}


def members(call: Call) -> Mapping[str, Any]:
    tid, (limit, start) = team_of(call, call.parts["tid"]), page_of(call)
    query = "SELECT accid, role, facts, at FROM members WHERE tid = ? ORDER BY at, accid LIMIT ? OFFSET ?"
    rows = call.desk.store.all(query, tid, limit + 1, start)
    roles = {"member": 0, "owner": 1, "manager": 2}
    items = [
        {"account_id": accid, "member_role": roles[role], "team_nick": facts.get("nick", ""), "join_time": at,
         "chat_banned": bool(facts.get("gagged"))}
        for accid, role, facts, at in ((*row[:2], orjson.loads(row[2]), row[3]) for row in rows[:limit])
    ]  # fmt: skip
    return {"items": items, **more_of(rows, limit, start)}
