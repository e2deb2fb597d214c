"""People and groups as RongCloud's calls (rongcloud.md §4.2).

Plan: registering gives a token, which the loader keeps apart. Friends, and roles in groups, need hosting; a setting
says whether the app has it. A plain group is made by its owner, the others join.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imconvert.model import FOREVER, Account, Block, Friend, Group, Member, Mute, Notes, Profile, ReadMark
from imconvert.vendors.contract import Line, Settings
from imconvert.vendors.people import finish
from imconvert.vendors.people.finish import PUSH_NAME, Cutting, Piece, by_owner, called, each_once, merged, one_each
from imconvert.vendors.people.lines import Entry, Key, line, rank_of
from imconvert.vendors.people.writing import Content, Desk

NAME, PORTRAIT, GROUP_NAME, REMARK, INTRO, NOTICE, GROUP_PORTRAIT = 128, 1024, 64, 64, 512, 1024, 128
JOIN = {"approval": 2, "free": 1, "closed": 3}
INVITE = {"managers": 1, "all": 2}
PAIR, TEAM = 1, 3
LEVELS = {"none": 5, "mentions": 1, "all": -1}
DAY = 24 * 60


# --- users ----------------------------------------------------------------------------------------------


def put_account(desk: Desk, account: Account) -> Iterator[Line]:
    user = desk.accounts[account.id]
    found = {"userId": user}
    if account.push_name:
        found[PUSH_NAME] = desk.cut(account.push_name, NAME, "push name", in_bytes=True)
    for what in ("disabled", "gagged"):
        if getattr(account, what):
            desk.lost(what)
    yield line("accounts", user, Key("account", user), found, 1)


def put_profile(desk: Desk, profile: Profile) -> Iterator[Line]:
    user = desk.accounts[profile.id]
    found: dict[str, Any] = {}
    if profile.name:
        found["name"] = desk.cut(profile.name, NAME, "name", in_bytes=True)
    found |= desk.whole((("portraitUri", profile.avatar, PORTRAIT),), in_bytes=True)
    for what in ("sign", "gender", "birthday", "mail", "phone", "place", "ext"):
        if getattr(profile, what):
            desk.lost(what)
    if found:
        yield line("accounts", user, Key(finish.facets("profile", found), user), {"userId": user, **found})


def put_hours(desk: Desk, mute: Mute) -> Iterator[Line]:
    """Hours of the day in which nothing is pushed."""
    user = desk.accounts[mute.owner]
    start, minutes = _period(mute.hours or "00:00-00:00")
    body = {"userId": user, "startTime": f"{start}:00", "period": minutes, "level": 5 if mute.level == "none" else 1}
    yield line("push", user, Key("push", user), body)


def _period(hours: str) -> tuple[str, int]:
    """When it begins, and for how many minutes; the whole day but a minute is the longest."""
    start, _, end = hours.partition("-")
    begin, stop = (int(text[:2]) * 60 + int(text[3:5]) for text in (start, end or start))
    return start, min((stop - begin) % DAY or DAY, DAY - 1)


def _user_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    def make(entries: list[Entry]) -> dict[str, Any]:
        found = called(finish.together(entries, notes), "name")
        found.setdefault("name", found["userId"])
        return {"body": finish.in_order(found, ("userId", "name", "portraitUri"))}

    return make


def _body(entry: Entry) -> dict[str, Any]:
    return {"body": entry.body}


USERS = Content(
    {Account: put_account, Profile: put_profile, Mute: put_hours},
    {
        "accounts": merged("user/getToken.json", _user_call, alone=True),
        "push": one_each("user/blockPushPeriod/set.json", _body, alone=True),
    },
)


# --- friends --------------------------------------------------------------------------------------------


def put_friend(desk: Desk, friend: Friend) -> Iterator[Line]:
    owner, other = desk.pair(friend.owner, friend.friend)
    for one, two in ((owner, other), (other, owner))[: 1 + friend.both]:
        first, second = min(one, two), max(one, two)
        yield line("friends", first, Key("friend", one, two), second, rank_of(second))
    if friend.remark:
        body = {"userId": owner, "targetId": other, "remarkName": desk.cut(friend.remark, REMARK, "remark")}
        yield line("remarks", owner, Key("remark", owner, other), body)
    for what in ("labels", "wording", "ext"):
        if getattr(friend, what):
            desk.lost(what)


def _friend_calls(settings: Settings, notes: Notes) -> Cutting:
    return each_once(lambda api, owner, items, group: {"body": {"userId": owner, "targetId": items[0], "optType": 2}})


def put_block(desk: Desk, block: Block) -> Iterator[Line]:
    owner, other = desk.pair(block.owner, block.other)
    yield line("blocks", owner, Key("block", owner, other), other)


def _blocks(settings: Settings, notes: Notes) -> Cutting:
    size = int(settings["rongcloud.block_batch"])
    return Cutting(
        lambda entry: Piece(entry.body),
        lambda api, owner, items, group: {"body": {"userId": owner, "blackUserId": items}}, lambda api: size,
    )  # fmt: skip


def _quiet(kind: int, owner: str, target: str, mute: Mute) -> dict[str, Any]:
    body = {"conversationType": kind, "requestId": owner, "targetId": target, "isMuted": int(mute.level == "none")}
    return {**body, "unpushLevel": LEVELS[mute.level]}


def put_quiet_friend(desk: Desk, mute: Mute) -> Iterator[Line]:
    owner, other = desk.pair(mute.owner, mute.target)
    yield line("conversations", owner, Key("mute", owner, other), _quiet(PAIR, owner, other, mute))


def put_no_mark(desk: Desk, mark: ReadMark) -> Iterator[Line]:
    desk.lost("read mark")
    yield from ()


FRIENDS = Content(
    {Friend: put_friend, Block: put_block, Mute: put_quiet_friend, ReadMark: put_no_mark},
    {
        "friends": by_owner("friend/add.json", _friend_calls),
        "remarks": one_each("friend/profile/set.json", _body),
        "blocks": by_owner("user/blacklist/add.json", _blocks),
        "conversations": one_each("conversation/notification/set.json", _body),
    },
)


# --- groups ---------------------------------------------------------------------------------------------


def put_group(desk: Desk, group: Group) -> Iterator[Line]:
    found = desk.groups[group.id]
    body: dict[str, Any] = {"groupName": desk.cut(group.name, GROUP_NAME, "group name")} if group.name else {}
    if group.owner:
        body["owner"] = desk.accounts[group.owner]
    if group.brief:
        body |= {"notice": group.notice} if group.notice else {}
        yield line("groups", found, Key(finish.facets("brief", body), found), body, 1)
        return
    for what in ("capacity", "created", "ext", "muted", "edit"):
        if getattr(group, what):
            desk.lost(what)
    body.setdefault("groupName", desk.cut(group.id, GROUP_NAME, "group name"))
    yield line("groups", found, Key("group", found), {**body, "whole": True})
    if _hosted(desk.settings):
        hosting = {"name": body["groupName"], **body, **_hosting(desk, group)}
        yield line("hosted-groups", found, Key("hosted", found), hosting)
    else:
        for what in ("intro", "notice", "avatar", "join", "invite", "consent"):
            if getattr(group, what) not in (None, ""):
                desk.lost(f"{what}, as groups are not hosted")


def _hosted(settings: Settings) -> bool:
    return settings["rongcloud.hosted_groups"] == "yes"


def _hosting(desk: Desk, group: Group) -> dict[str, str]:
    """What a hosted group has beyond its name and owner, each a JSON text."""
    texts = (("introduction", group.intro, INTRO), ("announcement", group.notice, NOTICE))
    profile = {name: desk.cut(value, most, name) for name, value, most in texts if value}
    profile |= desk.whole((("portraitUrl", group.avatar, GROUP_PORTRAIT),))
    rules: dict[str, int] = {"joinPerm": JOIN[group.join]} if group.join else {}
    if group.invite:
        rules["memInvitePerm"] = INVITE[group.invite]
    if group.consent is not None:
        rules["invitePerm"] = int(group.consent)
    found = {"groupProfile": profile, "permissions": rules}
    return {name: finish.encode(value).decode() for name, value in found.items() if value}


def put_member(desk: Desk, member: Member) -> Iterator[Line]:
    group, account = desk.groups[member.group], desk.accounts[member.account]
    for what in ("name", "ext"):
        if getattr(member, what):
            desk.lost(f"{what} of a member")
    if member.role == "owner":
        yield line("groups", group, Key("head", group), {"owner": account}, 2)
        if _hosted(desk.settings):
            yield line("hosted-groups", group, Key("head@hosted", group), {"owner": account}, 2)
    else:
        yield line("members", group, Key("member", group, account), account)
    if member.role == "admin" and _hosted(desk.settings):
        yield line("group-roles", group, Key("admin", group, account), account)
    elif member.role == "admin":
        desk.lost("admin, as groups are not hosted")
    if member.muted_until == FOREVER:
        yield line("group-roles", group, Key("mute", group, account), account, 1)
    elif member.muted_until:
        desk.lost("mute that ends")


def put_quiet_group(desk: Desk, mute: Mute) -> Iterator[Line]:
    owner, group = desk.accounts[mute.owner], desk.groups[mute.target]
    yield line("conversations", group, Key("mute", owner, group), _quiet(TEAM, owner, group, mute))


def _group_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    """A group made by its owner; without its facts, or an owner, it can't be."""

    def make(entries: list[Entry]) -> dict[str, Any] | None:
        found = finish.together(entries, notes)
        if "whole" not in found or "owner" not in found:
            finish.unmade(notes, "IMC-3303" if "owner" in found else "IMC-3304")
            return None
        body = {"userId": [found["owner"]], "groupId": entries[0].conv, "groupName": found["groupName"]}
        return {"body": body}

    return make


def _hosted_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    def make(entries: list[Entry]) -> dict[str, Any] | None:
        found = finish.together(entries, notes)
        if "name" not in found or "owner" not in found:
            return None
        names = ("name", "owner", "groupProfile", "permissions")
        return {"body": {"groupId": entries[0].conv, **finish.in_order(found, names)}}

    return make


def _members(settings: Settings, notes: Notes) -> Cutting:
    size = int(settings["rongcloud.member_batch"])
    return Cutting(
        lambda entry: Piece(entry.body), lambda api, owner, items, group: {"body": {"userId": items, "groupId": owner}},
        lambda api: size,
    )  # fmt: skip


ADMIN, GAG = "entrust/group/manager/add.json", "group/user/gag/add.json"


def _roles(settings: Settings, notes: Notes) -> Cutting:
    size = int(settings["rongcloud.gag_batch"])

    def wrap(api: str, owner: str, items: list[Any], group: Any) -> dict[str, Any]:
        if api == ADMIN:
            return {"body": {"groupId": owner, "userIds": items}}
        return {"body": {"userId": items, "groupId": owner, "minute": 0}}

    return Cutting(lambda entry: Piece(entry.body, ADMIN if finish.kind_of(entry) == "admin" else GAG), wrap,
                   lambda api: size)  # fmt: skip


GROUPS = Content(
    {Group: put_group, Member: put_member, Mute: put_quiet_group, ReadMark: put_no_mark},
    {
        "groups": merged("group/create.json", _group_call),
        "members": by_owner("group/join.json", _members),
        "hosted-groups": merged("entrust/group/import.json", _hosted_call),
        "group-roles": by_owner(GAG, _roles),
        "conversations": one_each("conversation/notification/set.json", _body),
    },
)
CONTENTS = {"users": USERS, "friends": FRIENDS, "groups": GROUPS}
