"""People and teams as Yunxin's calls (yunxin.md §4.4); second.py says them in words of v2.

Plan: an account is made with its whole profile, one a call. A friendship is kept for both, so that both directions
become one call; aliases follow. A team's id is given out when it is made, and whoever adds members or managers has to
be its owner: the owner's line goes along with the members and roles of a team.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imconvert.model import FOREVER, Account, Block, Friend, Group, Member, Mute, Notes, Profile, ReadMark
from imconvert.vendors.contract import Line, Settings
from imconvert.vendors.people import finish
from imconvert.vendors.people.finish import PUSH_NAME, Cutting, Piece, by_owner, called, each_once, merged, one_each
from imconvert.vendors.people.lines import Entry, Key, line, rank_of
from imconvert.vendors.people.rules import any_id
from imconvert.vendors.people.writing import Content, Desk
from imconvert.vendors.yunxin.second import either

_PROFILE = {"name": ("name", 64), "avatar": ("icon", 1024), "sign": ("sign", 256), "mail": ("email", 64),
            "birthday": ("birth", 16), "phone": ("mobile", 32), "ext": ("ex", 1024)}  # fmt: skip
"""Fields of a profile, and the most characters of each."""
_WHOLE = ("avatar", "mail", "birthday", "phone", "ext")
"""Fields that half of would be worth nothing."""
GENDERS = {"male": 1, "female": 2}
JOIN = {"free": 0, "approval": 1, "closed": 2}
WHO = {"managers": 0, "all": 1}
ALIAS, FRIEND_EXT, NAME, NOTICE, INTRO, CUSTOM, ICON, CARD = 128, 256, 64, 1024, 512, 1024, 1024, 32
_FIRST = -1
"""The rank of an owner's line, which has to be known before all others."""


# --- users ----------------------------------------------------------------------------------------------


def put_account(desk: Desk, account: Account) -> Iterator[Line]:
    user = desk.accounts[account.id]
    found = {"accid": user}
    if account.push_name:
        found[PUSH_NAME] = desk.cut(account.push_name, NAME, "push name")
    yield line("accounts", user, Key("account", user), found, 1)
    if account.disabled:
        yield line("bans", user, Key("disabled", user), {"accid": user})
    if account.gagged:
        yield line("bans", user, Key("gagged", user), {"accid": user, "mute": True})


def put_profile(desk: Desk, profile: Profile) -> Iterator[Line]:
    user = desk.accounts[profile.id]
    found: dict[str, Any] = {}
    for field, (name, most) in _PROFILE.items():
        value = getattr(profile, field)
        if field in _WHOLE:
            found |= desk.whole(((name, value, most),))
        elif value:
            found[name] = desk.cut(value, most, field)
    if profile.gender:
        found["gender"] = GENDERS[profile.gender]
    if profile.place:
        desk.lost("place")
    if found:
        yield line("accounts", user, Key(finish.facets("profile", found), user), {"accid": user, **found})


def put_hours(desk: Desk, mute: Mute) -> Iterator[Line]:
    desk.lost("do not disturb for all conversations")
    yield from ()


_CREATE = ("accid", "name", "icon", "sign", "email", "birth", "mobile", "gender", "ex")


def _user_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    def make(entries: list[Entry]) -> dict[str, Any]:
        return {
            "secret": {"token": "accid"},
            "body": finish.in_order(called(finish.together(entries, notes), "name"), _CREATE),
        }

    return make


def _bans(settings: Settings, notes: Notes) -> Cutting:
    def piece(entry: Entry) -> Piece:
        gagged = entry.key.startswith("gagged/")
        return Piece(entry.body, "user/mute.action" if gagged else "user/block.action")

    return Cutting(piece, _alone, lambda api: 1)


def _alone(api: str, owner: str, items: list[Any], group: Any) -> dict[str, Any]:
    return {"body": items[0]}


USERS = Content(
    {Account: put_account, Profile: put_profile, Mute: put_hours},
    {
        "accounts": merged("user/create.action", _user_call, alone=True),
        "bans": by_owner("user/block.action", _bans),
    },
    secret="accounts",
)


# --- friends --------------------------------------------------------------------------------------------


def put_friend(desk: Desk, friend: Friend) -> Iterator[Line]:
    owner, other = desk.pair(friend.owner, friend.friend)
    for one, two in ((owner, other), (other, owner))[: 1 + friend.both]:
        first, second = min(one, two), max(one, two)
        yield line("friends", first, Key("friend", one, two), second, rank_of(second))
    found: dict[str, Any] = {}
    if friend.remark:
        found["alias"] = desk.cut(friend.remark, ALIAS, "remark")
    found |= desk.whole((("ex", friend.ext, FRIEND_EXT),))
    if found:
        yield line("remarks", owner, Key("remark", owner, other), {"accid": owner, "faccid": other, **found})
    for what in ("labels", "wording"):
        if getattr(friend, what):
            desk.lost(what)


def _friend_calls(settings: Settings, notes: Notes) -> Cutting:
    return each_once(lambda api, owner, items, group: {"body": {"accid": owner, "faccid": items[0], "type": 1}})


def put_block(desk: Desk, block: Block) -> Iterator[Line]:
    owner, other = desk.pair(block.owner, block.other)
    yield line("relations", owner, Key("block", owner, other), _relation(owner, other, 1))


def put_mute(desk: Desk, mute: Mute) -> Iterator[Line]:
    owner, other = desk.pair(mute.owner, mute.target)
    if mute.level == "none":
        yield line("relations", owner, Key("mute", owner, other), _relation(owner, other, 2))
    else:
        desk.lost(f"do not disturb but for {mute.level}")


def _relation(owner: str, other: str, kind: int) -> dict[str, Any]:
    return {"accid": owner, "targetAcc": other, "relationType": kind, "value": 1}


def put_no_mark(desk: Desk, mark: ReadMark) -> Iterator[Line]:
    desk.lost("read mark")
    yield from ()


def _body(entry: Entry) -> dict[str, Any]:
    return {"body": entry.body}


FRIENDS = Content(
    {Friend: put_friend, Block: put_block, Mute: put_mute, ReadMark: put_no_mark},
    {
        "friends": by_owner("friend/add.action", _friend_calls),
        "remarks": one_each("friend/update.action", _body),
        "relations": one_each("user/setSpecialRelation.action", _body),
    },
)


# --- groups ---------------------------------------------------------------------------------------------


def put_group(desk: Desk, group: Group) -> Iterator[Line]:
    found = desk.groups[group.id]
    body = dict(_facts(desk, group))
    if group.owner:
        owner = desk.accounts[group.owner]
        body["owner"] = owner
        for stream in ("members", "group-roles"):
            yield line(stream, found, Key(f"owner@{stream}", found), {"owner": owner}, _FIRST)
    if group.brief:
        yield line("groups", found, Key(finish.facets("brief", body), found), body, 1)
        return
    if group.created:
        desk.lost("created")
    body.setdefault("tname", desk.cut(group.id, NAME, "group name"))
    body["joinmode"] = JOIN[group.join or "approval"]
    yield line("groups", found, Key("group", found), body)
    if group.muted:
        yield line("group-roles", found, Key("mute-all", found), {"mute": True}, 3)


def _facts(desk: Desk, group: Group) -> Iterator[tuple[str, Any]]:
    for name, value, most, what in (
        ("tname", group.name, NAME, "group name"), ("announcement", group.notice, NOTICE, "notice"),
        ("intro", group.intro, INTRO, "introduction"),
    ):  # fmt: skip
        if value:
            yield name, desk.cut(value, most, what)
    yield from desk.whole((("icon", group.avatar, ICON), ("custom", group.ext, CUSTOM))).items()
    if group.consent is not None:
        yield "beinvitemode", int(not group.consent)
    for name, who in (("invitemode", group.invite), ("uptinfomode", group.edit)):
        if who:
            yield name, WHO[who]
    if group.capacity:
        yield "teamMemberLimit", group.capacity


def put_member(desk: Desk, member: Member) -> Iterator[Line]:
    group, account = desk.groups[member.group], desk.accounts[member.account]
    who = {"accid": account}
    if member.role == "owner":
        yield line("groups", group, Key("head", group), {"owner": account}, 2)
        for stream in ("members", "group-roles"):
            yield line(stream, group, Key(f"head@{stream}", group), {"owner": account}, _FIRST)
    else:
        yield line("members", group, Key("member", group, account), account)
    if member.role == "admin":
        yield line("group-roles", group, Key("admin", group, account), account, 1)
    if member.muted_until == FOREVER:
        yield line("group-roles", group, Key("mute", group, account), {**who, "mute": 1}, 2)
    elif member.muted_until:
        desk.lost("mute that ends")
    card = {"nick": desk.cut(member.name, CARD, "name of a member")} if member.name else {}
    card |= desk.whole((("custom", member.ext, CUSTOM),), in_bytes=True)
    if card:
        yield line("group-roles", group, Key(finish.facets("card", card), group, account), {**who, **card}, 4)


def put_quiet(desk: Desk, mute: Mute) -> Iterator[Line]:
    owner, group = desk.accounts[mute.owner], desk.groups[mute.target]
    if mute.level == "none":
        yield line("group-roles", group, Key("quiet", owner, group), {"accid": owner, "ope": 1}, 5)
    else:
        desk.lost(f"do not disturb but for {mute.level}")


_TEAM = ("tname", "owner", "members", "msg", "magree", "joinmode", "announcement", "intro", "custom", "icon",
         "beinvitemode", "invitemode", "uptinfomode", "teamMemberLimit", "isNotifyCloseOnline",
         "isNotifyClosePersistent")  # fmt: skip


def _team_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    """A team with its owner; without its facts, or an owner, it can't be made."""
    quiet = {"isNotifyCloseOnline": 1, "isNotifyClosePersistent": 1} if settings["yunxin.team_notices"] == "no" else {}

    def make(entries: list[Entry]) -> dict[str, Any] | None:
        found = finish.together(entries, notes)
        if "joinmode" not in found or "owner" not in found:
            finish.unmade(notes, "IMC-3303" if "owner" in found else "IMC-3304")
            return None
        members = [found["owner"]] if settings["yunxin.team_members"] == "owner" else []
        found |= {"members": members, "msg": settings["yunxin.team_message"], "magree": 0, **quiet}
        return {"source": entries[0].conv, "body": finish.in_order(found, _TEAM)}

    return make


def _owned(settings: Settings, notes: Notes, name: str, wrap: Any, most: int) -> Cutting:
    """Calls that the owner of the team makes, who has to come before all else."""
    owners: list[str] = []

    def piece(entry: Entry) -> Piece:
        kind = finish.kind_of(entry)
        if kind.endswith(f"@{name}"):
            owners.append(finish.decode(entry.body)["owner"])
            return Piece(None)
        if not owners and kind != "quiet":
            notes.repairs.append("IMC-3304")
            notes.changes.append(("dropped", f"{kind}, as the team has no owner"))
            return Piece(None)
        return Piece(entry.body, _ROLES.get(kind, ""))

    def wrapped(api: str, group: str, items: list[Any], more: Any) -> dict[str, Any]:
        return {"ids": {"tid": ("group", group)}, "body": wrap(api, owners[0] if owners else "", items)}

    return Cutting(piece, wrapped, lambda api: most if api in _MANY else 1)


_ROLES = {"admin": "team/addManager.action", "mute": "team/muteTlist.action", "mute-all": "team/muteTlistAll.action",
          "card": "team/updateTeamNick.action", "quiet": "team/muteTeam.action"}  # fmt: skip
_MANY = ("team/add.action", "team/addManager.action")


def _members(settings: Settings, notes: Notes) -> Cutting:
    def wrap(api: str, owner: str, items: list[Any]) -> dict[str, Any]:
        return {"tid": "", "owner": owner, "members": items, "magree": 0, "msg": settings["yunxin.team_message"]}

    return _owned(settings, notes, "members", wrap, int(settings["yunxin.member_batch"]))


def _roles(settings: Settings, notes: Notes) -> Cutting:
    def wrap(api: str, owner: str, items: list[Any]) -> dict[str, Any]:
        if api == _ROLES["admin"]:
            return {"tid": "", "owner": owner, "members": items}
        if api == _ROLES["quiet"]:
            return {"tid": "", **finish.decode(items[0])}
        return {"tid": "", "owner": owner, **finish.decode(items[0])}

    return _owned(settings, notes, "group-roles", wrap, int(settings["yunxin.manager_batch"]))


GROUPS = Content(
    {Group: put_group, Member: put_member, Mute: put_quiet, ReadMark: put_no_mark},
    {
        "groups": merged("team/create.action", _team_call),
        "members": by_owner("team/add.action", _members),
        "group-roles": by_owner("team/addManager.action", _roles),
    },
    group_rules=lambda settings: any_id,
)
CONTENTS = {"users": either(USERS), "friends": either(FRIENDS), "groups": either(GROUPS)}
