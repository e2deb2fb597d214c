"""People and groups as Easemob's calls (easemob.md §4.2, §4.5 to §4.8).

Plan: the account comes with the nickname that pushes show; what others see are attributes, a call of their own.
Contacts are two-way, so that both directions of a friendship become one item; remarks follow in calls of their own. A
group's owner makes it; admins, mutes and notice come behind its members.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from imconvert.model import FOREVER, Account, Block, Friend, Group, Member, Mute, Notes, Profile, ReadMark
from imconvert.vendors.contract import Line, Settings
from imconvert.vendors.easemob.rules import group as own_group
from imconvert.vendors.people import finish
from imconvert.vendors.people.finish import Cutting, Piece, by_owner, in_batches, merged, one_each, other_of
from imconvert.vendors.people.lines import Entry, Key, line, rank_of
from imconvert.vendors.people.rules import any_id
from imconvert.vendors.people.writing import Content, Desk

ATTRIBUTES = {"nickname": 64, "avatarurl": 256, "phone": 32, "mail": 64, "sign": 256, "birth": 64}
"""Most characters of what the SDKs read (§4.7)."""
_OF_PROFILE = {"name": "nickname", "avatar": "avatarurl", "phone": "phone", "mail": "mail", "sign": "sign",
               "birthday": "birth"}  # fmt: skip
GENDERS = {"male": "1", "female": "2"}
ALL_ATTRIBUTES = 2048
PUSH_NAME, REMARK, NAME, INTRO, AVATAR, NOTICE, CUSTOM, CARD = 100, 100, 128, 512, 1024, 512, 8192, 512
LEVELS = {"none": "NONE", "mentions": "AT", "all": "ALL"}


def _part(id: str) -> str:
    """An id as a part of a path."""
    return quote(id, safe="")


# --- users ----------------------------------------------------------------------------------------------


def put_account(desk: Desk, account: Account) -> Iterator[Line]:
    user = desk.accounts[account.id]
    found = {"username": user}
    if account.push_name:
        found["nickname"] = desk.cut(account.push_name, PUSH_NAME, "push name")
    for what in ("disabled", "gagged"):
        if getattr(account, what):
            desk.lost(what)
    yield line("accounts", user, Key("account", user), found)


def put_profile(desk: Desk, profile: Profile) -> Iterator[Line]:
    user = desk.accounts[profile.id]
    if profile.name:
        name = desk.cut(profile.name, PUSH_NAME, "push name")
        yield line("accounts", user, Key("nick", user), {"username": user, "name": name}, 1)
    found = dict(_attributes(desk, profile))
    while found and len(finish.encode(found)) > ALL_ATTRIBUTES:
        gone = max(found, key=lambda name: len(found[name].encode()))
        del found[gone]
        desk.lost(f"{gone}, as the attributes are larger than {ALL_ATTRIBUTES} bytes")
    if found:
        yield line("profiles", user, Key(finish.facets("profile", found), user), found)


def _attributes(desk: Desk, profile: Profile) -> Iterator[tuple[str, str]]:
    for field, name in _OF_PROFILE.items():
        value = getattr(profile, field)
        if field in ("avatar", "phone", "mail"):
            yield from desk.whole(((name, value, ATTRIBUTES[name]),)).items()
        elif value:
            yield name, desk.cut(value, ATTRIBUTES[name], field)
    if profile.gender:
        yield "gender", GENDERS[profile.gender]
    if profile.ext:
        yield "ext", profile.ext
    if profile.place:
        desk.lost("place")


def _user(entries: Sequence[Entry], notes: Notes) -> dict[str, Any]:
    """Who has no name for pushes is called by the name that others see."""
    found = finish.together(entries, notes)
    name = found.pop("name", None)
    return {"username": found["username"], **({"nickname": shown} if (shown := found.get("nickname", name)) else {})}


def _profile_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    def make(entries: list[Entry]) -> dict[str, Any]:
        return {"path": f"metadata/user/{_part(entries[0].conv)}", "body": finish.together(entries, notes)}

    return make


def put_hours(desk: Desk, mute: Mute) -> Iterator[Line]:
    """Do not disturb, whatever the conversation."""
    user = desk.accounts[mute.owner]
    yield line("push", user, Key("push", user), _push(mute))


def _push(mute: Mute) -> dict[str, Any]:
    """§4.8: hours are for all conversations only."""
    if mute.hours and mute.chat == "all":
        return {"type": "ALL", "ignoreInterval": mute.hours}
    return {"type": LEVELS[mute.level]}


def _push_call(kind: str) -> Any:
    def wrap(entry: Entry) -> dict[str, Any]:
        key = other_of(entry) or entry.conv
        return {"path": f"users/{_part(entry.conv)}/notification/{kind}/{_part(key)}", "body": entry.body}

    return wrap


USERS = Content(
    {Account: put_account, Profile: put_profile, Mute: put_hours},
    {
        "accounts": in_batches(
            "users", "easemob.account_batch",
            _user, lambda items: items,
            secret={"password": "username"},
        ),
        "profiles": merged("users/profile", _profile_call, alone=True),
        "push": one_each("users/notification", _push_call("user"), alone=True),
    },
    secret="accounts",
)  # fmt: skip


# --- friends --------------------------------------------------------------------------------------------


def put_friend(desk: Desk, friend: Friend) -> Iterator[Line]:
    owner, other = desk.pair(friend.owner, friend.friend)
    first, second = _ends(desk, owner, other)
    yield line("friends", first, Key("friend", owner, other), second, rank_of(second))
    if friend.both:
        first, second = _ends(desk, other, owner)
        yield line("friends", first, Key("friend", other, owner), second, rank_of(second))
    if friend.remark:
        remark = desk.cut(friend.remark, REMARK, "remark")
        yield line("remarks", owner, Key("remark", owner, other), {"remark": remark})
    for what in ("labels", "wording", "ext"):
        if getattr(friend, what):
            desk.lost(what)


def _ends(desk: Desk, owner: str, other: str) -> tuple[str, str]:
    """Whose call a friendship goes into: with two-way contacts always that of the same of the two."""
    return (owner, other) if desk.settings["easemob.contacts"] == "one-way" else (min(owner, other), max(owner, other))


def _contacts(settings: Settings, notes: Notes) -> Cutting:
    size, last = int(settings["easemob.contact_batch"]), b""

    def piece(entry: Entry) -> Piece:
        nonlocal last
        again, last = bytes(entry.body) == last, bytes(entry.body)
        return Piece(None if again else entry.body)

    return Cutting(piece, _usernames("users/{}/contacts/import"), lambda api: size)


def _usernames(path: str) -> finish.Wrap:
    return lambda api, owner, items, group: {"path": path.replace("{}", _part(owner)), "body": {"usernames": items}}


def _blocks(settings: Settings, notes: Notes) -> Cutting:
    size, limit, count = int(settings["easemob.block_batch"]), int(settings["easemob.most_blocks"]), 0

    def piece(entry: Entry) -> Piece:
        nonlocal count
        count += 1
        if count == limit + 1:
            notes.repairs.append("IMC-3301")
        return Piece(entry.body)

    return Cutting(piece, _usernames("users/{}/blocks/users"), lambda api: size)


def _remark_call(entry: Entry) -> dict[str, Any]:
    return {"path": f"user/{_part(entry.conv)}/contacts/users/{_part(other_of(entry))}", "body": entry.body}


def put_block(desk: Desk, block: Block) -> Iterator[Line]:
    owner, other = desk.pair(block.owner, block.other)
    yield line("blocks", owner, Key("block", owner, other), other)


def put_quiet_friend(desk: Desk, mute: Mute) -> Iterator[Line]:
    owner, other = desk.pair(mute.owner, mute.target)
    yield line("push", owner, Key("mute", owner, other), _push(mute))


def put_no_mark(desk: Desk, mark: ReadMark) -> Iterator[Line]:
    desk.lost("read mark")
    yield from ()


FRIENDS = Content(
    {Friend: put_friend, Block: put_block, Mute: put_quiet_friend, ReadMark: put_no_mark},
    {
        "friends": by_owner("contacts/import", _contacts),
        "remarks": one_each("contacts/remark", _remark_call),
        "blocks": by_owner("blocks", _blocks),
        "push": one_each("users/notification", _push_call("user")),
    },
)


# --- groups ---------------------------------------------------------------------------------------------


def put_group(desk: Desk, group: Group) -> Iterator[Line]:
    found = desk.groups[group.id]
    if group.notice:
        notice = {"announcement": desk.cut(group.notice, NOTICE, "notice")}
        yield line("group-roles", found, Key("notice", found), notice, 2)
    facts = dict(_facts(desk, group))
    if group.brief:
        if facts:
            yield line("groups", found, Key(finish.facets("brief", facts), found), facts, 2)
        return
    own = {"groupid": found} if _own_ids(desk.settings) else {}
    for what in ("edit", "created"):
        if getattr(group, what):
            desk.lost(what)
    yield line("groups", found, Key("group", found), {**own, "groupname": found, **facts, **_access(desk, group)})
    if group.muted:
        yield line("group-roles", found, Key("mute-all", found), {}, 3)


def _facts(desk: Desk, group: Group) -> Iterator[tuple[str, Any]]:
    if group.name:
        yield "groupname", desk.cut(group.name, NAME, "group name")
    if group.intro:
        yield "description", desk.cut(group.intro, INTRO, "introduction")
    yield from desk.whole((("avatar", group.avatar, AVATAR),)).items()
    if group.capacity:
        yield "maxusers", group.capacity
    if group.owner:
        yield "owner", desk.accounts[group.owner]
    yield from desk.whole((("custom", group.ext, CUSTOM),), in_bytes=True).items()


def _own_ids(settings: Settings) -> bool:
    return settings["easemob.group_ids"] == "own"


def _access(desk: Desk, group: Group) -> dict[str, Any]:
    """Who gets in: `public`, and what belongs to a public or a private group (§4.5)."""
    if group.join == "closed":
        desk.lost("join: closed, anybody may be invited all the same")
    public = group.kind in ("public", "meeting", "community", "live") or (not group.kind and group.join == "free")
    if group.join == "approval" and not public and not group.kind:
        desk.lost("join: approval, as groups are private whose source does not tell how open they are")
    rest = {"membersonly": group.join != "free"} if public else {"allowinvites": group.invite == "all"}
    return {"public": public, **rest, "invite_need_confirm": bool(group.consent) and _may_ask(desk)}


def _may_ask(desk: Desk) -> bool:
    """Whether members that are brought in are asked: not while migrating, unless a setting says so."""
    return desk.settings["easemob.ask_members"] == "yes"


def put_member(desk: Desk, member: Member) -> Iterator[Line]:
    group, account = desk.groups[member.group], desk.accounts[member.account]
    if member.role == "owner":
        yield line("groups", group, Key("owner", group), {"owner": account}, 1)
    else:
        yield line("members", group, Key("member", group, account), account)
    if member.role == "admin":
        yield line("group-roles", group, Key("admin", group, account), {"newadmin": account})
    if member.muted_until == FOREVER:
        yield line("group-roles", group, Key("mute", group, account), account, 1)
    elif member.muted_until:
        desk.lost("mute that ends")
    if member.name:
        card = {desk.settings["easemob.card_key"]: desk.cut(member.name, CARD, "name of a member", in_bytes=True)}
        yield line("group-roles", group, Key("card", group, account), card, 4)
    if member.ext:
        desk.lost("ext of a member")


def put_quiet_group(desk: Desk, mute: Mute) -> Iterator[Line]:
    owner, group = desk.accounts[mute.owner], desk.groups[mute.target]
    yield line("push", group, Key("mute", owner, group), {"user": owner, **_push(mute)})


def _in_group(settings: Settings, owner: str, path: str) -> dict[str, Any]:
    """Path and ids of a call about a group: its id is given out while loading unless it is our own."""
    if _own_ids(settings):
        return {"path": path.replace("{}", _part(owner))}
    return {"path": path, "ids": {"path": ("group", owner)}}


_ORDER = ("groupid", "groupname", "description", "avatar", "public", "membersonly", "allowinvites",
          "invite_need_confirm", "maxusers", "owner", "custom")  # fmt: skip


def _group_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    """A group with its owner; without its facts, or an owner, it can't be made."""

    def make(entries: list[Entry]) -> dict[str, Any] | None:
        found = finish.together(entries, notes)
        if "public" not in found or "owner" not in found:
            finish.unmade(notes, "IMC-3303" if "owner" in found else "IMC-3304")
            return None
        return {"body": finish.in_order(found, _ORDER), "source": entries[0].conv}

    return make


def _members(settings: Settings, notes: Notes) -> Cutting:
    size = int(settings["easemob.member_batch"])

    def wrap(api: str, owner: str, items: list[Any], group: Any) -> dict[str, Any]:
        return {**_in_group(settings, owner, "chatgroups/{}/users?need_notify=false"), "body": {"usernames": items}}

    return Cutting(lambda entry: Piece(entry.body), wrap, lambda api: size)


_ROLES = {
    "admin": ("chatgroups/admin", "chatgroups/{}/admin"),
    "mute": ("chatgroups/mute", "chatgroups/{}/mute"),
    "notice": ("chatgroups/announcement", "chatgroups/{}/announcement"),
    "mute-all": ("chatgroups/ban", "chatgroups/{}/ban"),
    "card": ("chatgroups/member-profile", "metadata/chatgroup/{}/user/"),
}
"""Of each kind of line the call, and its path."""


def _roles(settings: Settings, notes: Notes) -> Cutting:
    size = int(settings["easemob.member_batch"])
    paths = dict(_ROLES.values())

    def piece(entry: Entry) -> Piece:
        kind = finish.kind_of(entry)
        return Piece(entry.body, _ROLES[kind][0], other_of(entry) if kind == "card" else None)

    def wrap(api: str, owner: str, items: list[Any], group: Any) -> dict[str, Any]:
        place = _in_group(settings, owner, paths[api] + (_part(group) if group else ""))
        if api == "chatgroups/mute":
            return {**place, "body": {"usernames": items, "mute_duration": -1}}
        return {**place, "body": {"metaData": items[0]} if group else items[0]}

    return Cutting(piece, wrap, lambda api: size if api == "chatgroups/mute" else 1)


def _quiet(settings: Settings, notes: Notes) -> Cutting:
    def wrap(api: str, owner: str, items: list[Any], group: Any) -> dict[str, Any]:
        found = finish.decode(items[0])
        user = found.pop("user")
        return {**_in_group(settings, owner, f"users/{_part(user)}/notification/chatgroup/{{}}"), "body": found}

    return Cutting(lambda entry: Piece(entry.body), wrap, lambda api: 1)


GROUPS = Content(
    {Group: put_group, Member: put_member, Mute: put_quiet_group, ReadMark: put_no_mark},
    {
        "groups": merged("chatgroups", _group_call),
        "members": by_owner("chatgroups/members", _members),
        "group-roles": by_owner("chatgroups/admin", _roles),
        "push": by_owner("users/notification", _quiet),
    },
    group_rules=lambda settings: own_group if _own_ids(settings) else any_id,
)
CONTENTS = {"users": USERS, "friends": FRIENDS, "groups": GROUPS}
