"""Teams and their members (yunxin.md §4.4). A tid is made by the server and cannot be chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import digits
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.yunxin.server.accounts import need
from imconvert.simulators.yunxin.server.answers import (
    ACCID,
    ACCIDS,
    TID,
    Field,
    fail,
    fold,
    form_of,
    optional,
)
from imconvert.simulators.yunxin.server.notices import notice

TABLES = """
CREATE TABLE teams (tid INTEGER PRIMARY KEY, owner TEXT NOT NULL, facts TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE members (
    tid INTEGER, accid TEXT, role TEXT NOT NULL, facts TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (tid, accid)
) WITHOUT ROWID;
CREATE TABLE once (tid INTEGER, accid TEXT, PRIMARY KEY (tid, accid)) WITHOUT ROWID;
"""

FIRST = 880_011
_FLAG, _BIT = optional(form="true|false"), optional(form="[01]")
FACTS = {
    "tname": Field(most=64), "announcement": optional(1024), "intro": optional(512), "custom": optional(1024),
    "icon": optional(1024), "magree": Field(form="[01]"), "joinmode": Field(form="[012]"), "beinvitemode": _BIT,
    "invitemode": _BIT, "uptinfomode": _BIT, "upcustommode": _BIT, "teamMemberLimit": optional(form="[0-9]{1,5}"),
}  # fmt: skip
_CREATE = {
    **FACTS, "owner": ACCID, "members": ACCIDS, "msg": Field(most=150), "isNotifyCloseOnline": _BIT,
    "isNotifyClosePersistent": _BIT,
}  # fmt: skip
_OPTIONAL = {name: field._replace(needed=False) for name, field in FACTS.items()}


def create(call: Call) -> Mapping[str, Any]:
    """team/create: owner and members at most 200; who is not registered fails the call."""
    given = form_of(call, _CREATE)
    members = [accid for accid in given["members"] if accid != fold(given["owner"])]
    need(call, given["owner"], *members)
    facts = {name: given[name] for name in FACTS if name in given}
    tid = make(call, given["owner"], members, facts, quiet=given.get("isNotifyClosePersistent") == "1")
    return {"tid": str(tid), "faccid": {"accid": [], "msg": ""}}


def make(call: Call, owner: str, members: list[str], facts: Mapping[str, Any], *, quiet: bool) -> int:
    most = min(int(facts.get("teamMemberLimit") or 200), call.desk.number("team_size"))
    if most < 2:
        fail(call, 414, "teamMemberLimit is wrong")
    if len(members) + 1 > min(most, 200):
        fail(call, 801, "the team has too many members")
    tid = call.desk.store.next("tid", FIRST)
    row = (tid, fold(owner), orjson.dumps({**facts, "teamMemberLimit": most}).decode(), call.now)
    call.desk.store.run("INSERT INTO teams VALUES (?, ?, ?, ?)", row)
    _join(call, tid, [owner], "owner")
    _join(call, tid, members)
    if members and not quiet:
        notice(call, tid, owner, 0, {"ids": members})
    return tid


def _join(call: Call, tid: int, accids: Iterable[str], role: str = "member") -> None:
    rows = [(tid, fold(accid), role, call.now) for accid in accids]
    call.desk.store.many("INSERT OR IGNORE INTO members VALUES (?, ?, ?, '{}', ?)", rows)
    call.desk.store.many("INSERT OR IGNORE INTO once VALUES (?, ?)", [row[:2] for row in rows])


def role_of(desk: Desk, tid: int, accid: str) -> str:
    """owner, manager or member; empty for nobody of the team."""
    row = desk.store.one("SELECT role FROM members WHERE tid = ? AND accid = ?", tid, fold(accid))
    return str(row[0]) if row else ""


def team_of(call: Call, tid: Any) -> int:
    """A team that is there. Raises Refused 803."""
    found = digits(str(tid))
    if found is None or not call.desk.store.has("SELECT 1 FROM teams WHERE tid = ?", found):
        fail(call, 803, "there is no such team")
    return found


def managed(call: Call, given: Mapping[str, Any], *, by_owner: bool = False) -> int:
    """The team of a call whose `owner` may change it. Raises Refused 803, 802."""
    tid = team_of(call, given["tid"])
    allowed = ("owner",) if by_owner else ("owner", "manager")
    if role_of(call.desk, tid, given["owner"]) not in allowed:
        fail(call, 802, "no permission")
    return tid


def add(call: Call) -> Mapping[str, Any]:
    """team/add: at most 200; nobody new is 809."""
    fields = {"tid": TID, "owner": ACCID, "members": ACCIDS, "magree": Field(form="[01]"), "msg": Field(most=150),
              "attach": optional(512)}  # fmt: skip
    given = form_of(call, fields)
    return {"faccid": {"accid": add_members(call, managed(call, given), given["owner"], given["members"]), "msg": ""}}


def add_members(call: Call, tid: int, owner: str, accids: list[str]) -> list[str]:
    """Add accounts and give those that failed on purpose."""
    if len(accids) > 200:
        fail(call, 414, "members are more than 200")
    need(call, *accids)
    new = [accid for accid in dict.fromkeys(accids) if not role_of(call.desk, tid, accid)]
    if not new:
        fail(call, 809, "already in team")
    row = call.desk.store.one("SELECT facts FROM teams WHERE tid = ?", tid)
    size = call.desk.store.number("SELECT count(*) FROM members WHERE tid = ?", tid)
    if row and size + len(new) > orjson.loads(row[0])["teamMemberLimit"]:
        fail(call, 801, "the team has too many members")
    spoiled = call.spoiled(len(new))
    added = [accid for index, accid in enumerate(new) if index not in spoiled]
    _join(call, tid, added)
    if added:
        notice(call, tid, owner, 0, {"ids": added})
    return [accid for accid in new if accid not in added]


def update(call: Call) -> None:
    given = form_of(call, {"tid": TID, "owner": ACCID, **_OPTIONAL})
    tid, changes = managed(call, given), {name: given[name] for name in FACTS if name in given}
    query = "UPDATE teams SET facts = json_patch(facts, ?) WHERE tid = ?"
    call.desk.store.run(query, (orjson.dumps(changes).decode(), tid))
    notice(call, tid, given["owner"], 3, {"tinfo": {"1": str(tid), **_numbered(changes)}})


_NUMBERS = {"tname": "3", "intro": "14", "announcement": "15", "joinmode": "16", "custom": "18", "icon": "20",
            "beinvitemode": "21", "invitemode": "22", "uptinfomode": "23", "upcustommode": "24"}  # fmt: skip


def _numbered(changes: Mapping[str, Any]) -> dict[str, str]:
    """Keys of tinfo (§1.5)."""
    return {_NUMBERS[name]: str(value) for name, value in changes.items() if name in _NUMBERS}


def managers(call: Call) -> None:
    """team/addManager and removeManager: at most 10 a call."""
    given = form_of(call, {"tid": TID, "owner": ACCID, "members": ACCIDS})
    tid = managed(call, given, by_owner=True)
    set_managers(call, tid, (given["owner"], given["members"]), on="addManager" in call.path)


def set_managers(call: Call, tid: int, who: tuple[str, list[str]], *, on: bool) -> None:
    owner, accids = who
    if len(accids) > 10:
        fail(call, 414, "members are more than 10")
    old, new = ("member", "manager") if on else ("manager", "member")
    for accid in accids:
        if not role_of(call.desk, tid, accid):
            fail(call, 804, f"{accid} is no member")
    query = "UPDATE members SET role = ? WHERE tid = ? AND accid = ? AND role = ?"
    call.desk.store.many(query, [(new, tid, accid, old) for accid in accids])
    notice(call, tid, owner, 7 if on else 8, {"ids": accids})


def change_owner(call: Call) -> None:
    """team/changeOwner: leave 1 leaves, 2 stays."""
    given = form_of(call, {"tid": TID, "owner": ACCID, "newowner": ACCID, "leave": Field(form="[12]")})
    tid = managed(call, given, by_owner=True)
    hand_over(call, tid, given["owner"], given["newowner"], leaves=given["leave"] == "1")


def hand_over(call: Call, tid: int, owner: str, new: str, *, leaves: bool) -> None:
    store = call.desk.store
    if not role_of(call.desk, tid, new):
        fail(call, 804, f"{new} is no member")
    store.run("UPDATE members SET role = 'member' WHERE tid = ? AND role = 'owner'", (tid,))
    store.run("UPDATE members SET role = 'owner' WHERE tid = ? AND accid = ?", (tid, fold(new)))
    store.run("UPDATE teams SET owner = ? WHERE tid = ?", (fold(new), tid))
    notice(call, tid, owner, 6, {"id": fold(new)})
    if leaves:
        store.run("DELETE FROM members WHERE tid = ? AND accid = ?", (tid, fold(owner)))


def change_member(call: Call, tid: int, accid: str, changes: Mapping[str, Any]) -> None:
    query = "UPDATE members SET facts = json_patch(facts, ?) WHERE tid = ? AND accid = ?"
    if not call.desk.store.run(query, (orjson.dumps(changes).decode(), tid, fold(accid))).rowcount:
        fail(call, 804, f"{accid} is no member")


def set_nick(call: Call) -> None:
    fields = {"tid": TID, "owner": ACCID, "accid": ACCID, "nick": optional(32), "custom": optional(1024)}
    given = form_of(call, fields)
    changes: dict[str, Any] = {name: given[name] for name in ("nick", "custom") if name in given}
    change_member(call, managed(call, given), given["accid"], changes)


def quiet(call: Call) -> None:
    """team/muteTeam: do not disturb one member; ope 1 is quiet, 2 is not."""
    given = form_of(call, {"tid": TID, "accid": ACCID, "ope": Field(form="[12]")})
    change_member(call, team_of(call, given["tid"]), given["accid"], {"quiet": given["ope"] == "1"})


def gag(call: Call) -> None:
    """team/muteTlist: one member may not speak."""
    given = form_of(call, {"tid": TID, "owner": ACCID, "accid": ACCID, "mute": Field(form="[01]")})
    tid = managed(call, given)
    change_member(call, tid, given["accid"], {"gagged": given["mute"] == "1"})
    notice(call, tid, given["owner"], 10, {"ids": [fold(given["accid"])], "mute": given["mute"]})


def gag_all(call: Call) -> None:
    """team/muteTlistAll: mute, or muteType 0 nobody, 1 members, 3 everybody."""
    given = form_of(call, {"tid": TID, "owner": ACCID, "mute": _FLAG, "muteType": optional(form="[013]")})
    if "mute" not in given and "muteType" not in given:
        fail(call, 414, "mute or muteType is missing")
    kind = int(given["muteType"]) if "muteType" in given else 1 if given["mute"] == "true" else 0
    tid = managed(call, given)
    query = "UPDATE teams SET facts = json_patch(facts, ?) WHERE tid = ?"
    call.desk.store.run(query, (orjson.dumps({"mute": kind}).decode(), tid))


def kick(call: Call) -> None:
    """team/kick: `member`, or `members`, at most 200."""
    one_or_many = {"member": ACCID._replace(needed=False), "members": ACCIDS._replace(needed=False)}
    given = form_of(call, {"tid": TID, "owner": ACCID, **one_or_many})
    accids = given.get("members") or ([fold(given["member"])] if given.get("member") else [])
    if not 1 <= len(accids) <= 200:
        fail(call, 414, "member or members are 1 to 200 accounts")
    tid = managed(call, given)
    for accid in accids:
        if role_of(call.desk, tid, accid) not in ("member", "manager"):
            fail(call, 804, f"{accid} is no member")
    call.desk.store.many("DELETE FROM members WHERE tid = ? AND accid = ?", [(tid, accid) for accid in accids])
    notice(call, tid, given["owner"], 1, {"ids": accids})


def leave(call: Call) -> None:
    given = form_of(call, {"tid": TID, "accid": ACCID})
    tid = team_of(call, given["tid"])
    if role_of(call.desk, tid, given["accid"]) not in ("member", "manager"):
        fail(call, 804, "who leaves is no member, or the owner")
    call.desk.store.run("DELETE FROM members WHERE tid = ? AND accid = ?", (tid, fold(given["accid"])))
    notice(call, tid, given["accid"], 2, {})


def remove(call: Call) -> None:
    """team/remove: the team is dismissed; its history stays."""
    given = form_of(call, {"tid": TID, "owner": ACCID})
    tid = managed(call, given, by_owner=True)
    notice(call, tid, given["owner"], 4, {})
    call.desk.store.run("DELETE FROM teams WHERE tid = ?", (tid,))
    call.desk.store.run("DELETE FROM members WHERE tid = ?", (tid,))


def _told(desk: Desk, tid: int, *, members: bool) -> dict[str, Any] | None:
    row = desk.store.one("SELECT owner, facts, at FROM teams WHERE tid = ?", tid)
    if row is None:
        return None
    users = desk.store.all("SELECT accid, role FROM members WHERE tid = ? ORDER BY at, accid", tid)
    facts = orjson.loads(row[1])
    found = {
        "tid": tid, **facts, "owner": row[0], "createtime": row[2], "updatetime": row[2], "size": len(users),
        "maxusers": facts["teamMemberLimit"], "mute": bool(facts.get("mute")),
    }  # fmt: skip
    if members:
        found["admins"] = [accid for accid, role in users if role == "manager"]
        found["members"] = [accid for accid, role in users if role == "member"]
    return found


def query(call: Call) -> Mapping[str, Any]:
    """team/query: ope 1 with members; an unknown team is 803 unless ignoreInvalid is set."""
    given = form_of(call, {"tids": ACCIDS, "ope": Field(form="[01]"), "ignoreInvalid": _FLAG})
    if len(given["tids"]) > 30:
        fail(call, 414, "tids are more than 30")
    found = []
    for tid in given["tids"]:
        team = _told(call.desk, digits(tid) or 0, members=given["ope"] == "1")
        if team is None and given.get("ignoreInvalid") != "true":
            fail(call, 803, f"there is no team {tid}")
        found += [team] if team else []
    return {"tinfos": found}


def detail(call: Call) -> Mapping[str, Any]:
    """team/queryDetail: owner, admins and members as objects."""
    tid = team_of(call, form_of(call, {"tid": TID})["tid"])
    rows = call.desk.store.all("SELECT accid, role, facts, at FROM members WHERE tid = ? ORDER BY at, accid", tid)
    people = [
        (role, {"accid": accid, "createtime": at, "nick": facts.get("nick", ""), "mute": facts.get("gagged", False),
                "custom": facts.get("custom", "")})
        for accid, role, facts, at in ((*row[:2], orjson.loads(row[2]), row[3]) for row in rows)
    ]  # fmt: skip
    found = _told(call.desk, tid, members=False) or {}
    owner = next((one for role, one in people if role == "owner"), {})
    listed = {name: [one for role, one in people if role == kind] for name, kind in
              (("admins", "manager"), ("members", "member"))}  # fmt: skip
    return {"tinfo": {**found, "owner": owner, **listed}}


def joined(call: Call) -> Mapping[str, Any]:
    accid = form_of(call, {"accid": ACCID})["accid"]
    need(call, accid)
    tids = call.desk.store.column("SELECT tid FROM members WHERE accid = ? ORDER BY tid", fold(accid))
    found = [_told(call.desk, tid, members=False) for tid in tids]
    return {"infos": found, "count": len(found)}


def gagged(call: Call) -> Mapping[str, Any]:
    """team/listTeamMute."""
    given = form_of(call, {"tid": TID, "owner": ACCID})
    query = "SELECT accid FROM members WHERE tid = ? AND json_extract(facts, '$.gagged') ORDER BY accid"
    found = call.desk.store.column(query, managed(call, given))
    return {"mutes": [{"accid": accid, "tid": int(given["tid"])} for accid in found]}
