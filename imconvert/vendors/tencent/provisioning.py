"""People and groups as Tencent's import calls (tencent.md §3, §5.2 to §5.7).

Plan: nick and avatar go along with the account, as a hundred of those fit one call; the other facts of a profile need
a call of their own. A friendship is one-way: a mutual one makes two lines. The owner of a group comes in with the
group, its other members behind the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import FOREVER, Account, Block, Friend, Group, Member, Mute, Notes, Profile, ReadMark
from imconvert.vendors.contract import Line, Settings
from imconvert.vendors.people import finish
from imconvert.vendors.people.finish import Piece, by_owner, in_batches, merged, one_each, other_of
from imconvert.vendors.people.lines import Entry, Key, line, rank_of
from imconvert.vendors.people.writing import Content, Desk
from imconvert.vendors.tencent.rules import COMMUNITY

ACCOUNTS, PROFILE = "im_open_login_svc/multiaccount_import", "profile/portrait_set"
FRIENDS, BLOCKS, READ = "sns/friend_import", "sns/black_list_add", "openim/admin_set_msg_read"
_GROUP = "group_open_http_svc"
GROUP, MEMBERS, UNREAD = (f"{_GROUP}/{name}" for name in ("import_group", "import_group_member", "set_unread_msg_num"))
FACTS, SILENCE = f"{_GROUP}/modify_group_base_info", f"{_GROUP}/forbid_send_msg"

VALUE, PLACE, REMARK, LABEL, WORDING = 500, 16, 96, 30, 256
"""Most bytes of a profile's value, a place, a remark, the name of a group of friends, a wording (§2)."""

GENDERS = {"male": "Gender_Type_Male", "female": "Gender_Type_Female"}
TYPES = {"private": "Private", "public": "Public", "meeting": "ChatRoom", "community": "Community"}
JOIN = {"free": "FreeAccess", "approval": "NeedPermission", "closed": "DisableApply"}
LENGTHS = {"limits": (30, 240, 300, 100), "sdk": (100, 400, 400, 500)}
"""Most bytes of name, introduction, notice and avatar of a group, by the page that says so (§2)."""

FOR_EVER = (1 << 32) - 1
"""MuteTime of what has no end (§5.7)."""

EARLIEST = 946_684_800
"""Stands for the time at which a group was made, in s, where the source does not tell: no history is older."""


# --- users ----------------------------------------------------------------------------------------------


def put_account(desk: Desk, account: Account) -> Iterator[Line]:
    user = desk.accounts[account.id]
    for what in ("push_name", "disabled", "gagged"):
        if getattr(account, what):
            desk.lost(what.replace("_", " "))
    yield line("accounts", user, Key("account", user), {"UserID": user})


def put_profile(desk: Desk, profile: Profile) -> Iterator[Line]:
    user = desk.accounts[profile.id]
    shown: dict[str, Any] = {}
    if profile.name:
        shown["Nick"] = desk.cut(profile.name, VALUE, "name", in_bytes=True)
    shown |= desk.whole((("FaceUrl", profile.avatar, VALUE),), in_bytes=True)
    if shown:
        yield line("accounts", user, Key(finish.facets("nick", shown), user), {"UserID": user, **shown})
    tags = dict(_tags(desk, profile))
    if tags:
        yield line("profiles", user, Key(finish.facets("profile", tags), user), tags)


def _tags(desk: Desk, profile: Profile) -> Iterator[tuple[str, Any]]:
    """Tags of §3.4 with their values; fields that have none go into custom tags, if the settings name such."""
    if profile.sign:
        yield "Tag_Profile_IM_SelfSignature", desk.cut(profile.sign, VALUE, "sign", in_bytes=True)
    if profile.gender:
        yield "Tag_Profile_IM_Gender", GENDERS[profile.gender]
    if profile.birthday:
        day = _day(profile.birthday)
        if day is None:
            desk.lost("birthday that is no day")
        else:
            yield "Tag_Profile_IM_BirthDay", day
    if profile.place:
        yield "Tag_Profile_IM_Location", desk.cut(profile.place, PLACE, "place", in_bytes=True)
    custom = custom_tags(desk.settings["tencent.profile_tags"])
    for name in ("mail", "phone", "ext"):
        value = getattr(profile, name)
        if value and name in custom:
            yield f"Tag_Profile_Custom_{custom[name]}", desk.cut(value, VALUE, name, in_bytes=True)
        elif value:
            desk.lost(name)


def _day(text: str) -> int | None:
    """YYYYMMDD of a birthday such as 1990-01-02."""
    digits = "".join(character for character in text[:10] if character.isdigit())
    fine = len(digits) == 8 and digits.isascii() and "0101" <= digits[4:] <= "1231" and "01" <= digits[6:] <= "31"
    return int(digits) if fine else None


def custom_tags(text: str) -> dict[str, str]:
    """Fields and their custom tags from a setting such as ext=Ext,mail=Mail."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip(): tag.strip() for name, _, tag in pairs}


def _profile_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    def make(entries: list[Entry]) -> dict[str, Any]:
        items = [{"Tag": tag, "Value": value} for tag, value in finish.together(entries, notes).items()]
        return {"body": {"From_Account": entries[0].conv, "ProfileItem": items}}

    return make


USERS = Content(
    {Account: put_account, Profile: put_profile},
    {
        "accounts": in_batches(
            ACCOUNTS, "tencent.account_batch",
            lambda entries, notes: finish.in_order(finish.together(entries, notes), ("UserID", "Nick", "FaceUrl")),
            lambda items: {"AccountList": items},
        ),
        "profiles": merged(PROFILE, _profile_call, alone=True),
    },
)  # fmt: skip


# --- friends --------------------------------------------------------------------------------------------


def put_friend(desk: Desk, friend: Friend) -> Iterator[Line]:
    owner, other = desk.pair(friend.owner, friend.friend)
    found: dict[str, Any] = {"To_Account": other}
    if friend.remark:
        found["Remark"] = desk.cut(friend.remark, REMARK, "remark", in_bytes=True)
    if friend.labels:
        found["GroupName"] = [desk.cut(label, LABEL, "label", in_bytes=True) for label in friend.labels]
    found["AddSource"] = desk.settings["tencent.add_source"]
    if friend.wording:
        found["AddWording"] = desk.cut(friend.wording, WORDING, "wording", in_bytes=True)
    if friend.since:
        found["AddTime"] = friend.since // 1000
    tag = desk.settings["tencent.friend_tag"]
    if friend.ext and tag != "none":
        value = desk.cut(friend.ext, VALUE, "ext", in_bytes=True)
        found["CustomItem"] = [{"Tag": f"Tag_SNS_Custom_{tag}", "Value": value}]
    elif friend.ext:
        desk.lost("ext")
    yield line("friends", owner, Key("friend", owner, other), found)
    if friend.both:
        back = {name: found[name] for name in ("AddSource", "AddTime") if name in found}
        yield line("friends", other, Key("friend", other, owner), {"To_Account": owner, **back})


def put_block(desk: Desk, block: Block) -> Iterator[Line]:
    owner, other = desk.pair(block.owner, block.other)
    yield line("blocks", owner, Key("block", owner, other), other)


def put_mute(desk: Desk, mute: Mute) -> Iterable[Line]:
    desk.lost("do not disturb")
    return ()


def put_mark(desk: Desk, mark: ReadMark) -> Iterator[Line]:
    if mark.time is None:
        desk.lost("unread count without a time")
        return
    owner, other = desk.pair(mark.owner, mark.target)
    body = {"Report_Account": owner, "Peer_Account": other, "MsgReadTime": mark.time // 1000}
    yield line("read-marks", owner, Key("read", owner, other), body)


def _relations(field: str, most: str) -> Any:
    """Calls of the accounts on a list of one owner; more than `most` (a setting) are noted."""

    def cut(settings: Settings, notes: Notes) -> finish.Cutting:
        limit, size, count = int(settings[most]), int(settings["tencent.relation_batch"]), 0

        def piece(entry: Entry) -> Piece:
            nonlocal count
            count += 1
            if count == limit + 1:
                notes.repairs.append("IMC-3301")
            return Piece(entry.body)

        return finish.Cutting(
            piece, lambda api, owner, items, group: {"body": {"From_Account": owner, field: items}}, lambda api: size
        )

    return cut


def _body(entry: Entry) -> dict[str, Any]:
    return {"body": entry.body}


FRIENDS_OF = Content(
    {Friend: put_friend, Block: put_block, Mute: put_mute, ReadMark: put_mark},
    {
        "friends": by_owner(FRIENDS, _relations("AddFriendItem", "tencent.most_friends")),
        "blocks": by_owner(BLOCKS, _relations("To_Account", "tencent.most_blocks")),
        "read-marks": one_each(READ, _body, alone=True),
    },
)


# --- groups ---------------------------------------------------------------------------------------------


def put_group(desk: Desk, group: Group) -> Iterator[Line]:
    if group.kind == "live":
        desk.lost("group of a kind that can't be imported (AVChatRoom)")
        return
    found = desk.groups[group.id]
    facts: dict[str, Any] = {"Owner_Account": desk.accounts[group.owner]} if group.owner else {}
    facts |= _group_texts(desk, group)
    if group.brief:
        yield line("groups", found, Key(finish.facets("brief", facts), found), facts, 2)
        return
    kind = TYPES[group.kind] if group.kind else desk.settings["tencent.group_type"]
    if (kind == "Community") != found.startswith(COMMUNITY):
        raise Rejected("IMC-2606", group=found, kind=kind)
    for what in ("invite", "edit", "consent", "ext"):
        if getattr(group, what) not in (None, ""):
            desk.lost(what)
    body = {"Type": kind, "GroupId": found, "Name": found, **facts, **dict(_group_facts(desk, group, kind))}
    yield line("groups", found, Key("group", found), body)
    if group.muted:
        yield line("group-roles", found, Key("mute-all", found), {"MuteAllMember": "On"})


def _group_facts(desk: Desk, group: Group, kind: str) -> Iterator[tuple[str, Any]]:
    """What of a group is no text. Its members, and its first message, have to be later than itself (§5.2)."""
    if group.capacity:
        yield "MaxMemberCount", group.capacity
    if group.join and kind != "Private":
        yield "ApplyJoinOption", JOIN[group.join]
    if not group.created:
        desk.notes.repairs.append("IMC-3302")
    yield "CreateTime", group.created // 1000 - 1 if group.created else EARLIEST
    key = desk.settings["tencent.group_source_key"]
    if key != "none":
        yield "AppDefinedData", [{"Key": key, "Value": group.id}]


def _group_texts(desk: Desk, group: Group) -> dict[str, str]:
    name, intro, notice, avatar = LENGTHS[desk.settings["tencent.group_lengths"]]
    texts = {"Name": desk.cut(group.name, name, "group name", in_bytes=True)} if group.name else {}
    if group.intro:
        texts["Introduction"] = desk.cut(group.intro, intro, "introduction", in_bytes=True)
    if group.notice:
        texts["Notification"] = desk.cut(group.notice, notice, "notice", in_bytes=True)
    return texts | desk.whole((("FaceUrl", group.avatar, avatar),), in_bytes=True)


def put_member(desk: Desk, member: Member) -> Iterator[Line]:
    group, account = desk.groups[member.group], desk.accounts[member.account]
    for what in ("name", "ext"):
        if getattr(member, what):
            desk.lost(f"{what} of a member")
    if member.role == "owner":
        yield line("groups", group, Key("owner", group), {"Owner_Account": account}, 1)
    else:
        who, rank = {"Member_Account": account}, rank_of(account)
        since = {"JoinTime": member.since // 1000} if member.since else {}
        yield line("members", group, Key("joined" if since else "member", group, account), {**who, **since}, rank)
        if member.role == "admin":
            yield line("members", group, Key("admin", group, account), {**who, "Role": "Admin"}, rank)
    if member.muted_until == FOREVER:
        yield line("group-roles", group, Key("mute", group, account), account, 1)
    elif member.muted_until:
        desk.lost("mute that ends")


def put_unread(desk: Desk, mark: ReadMark) -> Iterator[Line]:
    if mark.unread is None:
        desk.lost("read mark of a group without a count")
        return
    group, account = desk.groups[mark.target], desk.accounts[mark.owner]
    body = {"GroupId": group, "Member_Account": account, "UnreadMsgNum": mark.unread}
    yield line("unread", group, Key("unread", group, account), body)


_FIELDS = ("Owner_Account", "Type", "GroupId", "Name", "Introduction", "Notification", "FaceUrl", "MaxMemberCount",
           "ApplyJoinOption", "CreateTime", "AppDefinedData")  # fmt: skip


def _group_call(settings: Settings, notes: Notes) -> finish.MakeCall:
    """A group with its owner; without its facts it can't be made."""

    def make(entries: list[Entry]) -> dict[str, Any] | None:
        found = finish.together(entries, notes)
        if "Type" not in found:
            finish.unmade(notes, "IMC-3303")
            return None
        return {"body": finish.in_order(found, _FIELDS)}

    return make


def _members(settings: Settings, notes: Notes) -> finish.Cutting:
    """What several lines say of the same member is one item; such lines come together."""
    size = int(settings["tencent.member_batch"])
    last: dict[str, Any] = {}

    def piece(entry: Entry) -> Piece:
        nonlocal last
        found = finish.decode(entry.body)
        if found["Member_Account"] == last.get("Member_Account"):
            last.update(found)
            return Piece(None)
        last = found
        return Piece(found)

    return finish.Cutting(
        piece, lambda api, owner, items, group: {"body": {"GroupId": owner, "MemberList": items}}, lambda api: size
    )


def _roles(settings: Settings, notes: Notes) -> finish.Cutting:
    """Who may not write: all, or some for ever."""
    size = int(settings["tencent.silence_batch"])

    def piece(entry: Entry) -> Piece:
        return Piece(entry.body, SILENCE if other_of(entry) else FACTS)

    def wrap(api: str, owner: str, items: list[Any], group: Any) -> dict[str, Any]:
        if api == FACTS:
            return {"body": {"GroupId": owner, **finish.decode(items[0])}}
        return {"body": {"GroupId": owner, "Members_Account": items, "MuteTime": FOR_EVER}}

    return finish.Cutting(piece, wrap, lambda api: 1 if api == FACTS else size)


GROUPS = Content(
    {Group: put_group, Member: put_member, Mute: put_mute, ReadMark: put_unread},
    {
        "groups": merged(GROUP, _group_call),
        "members": by_owner(MEMBERS, _members),
        "group-roles": by_owner(SILENCE, _roles),
        "unread": one_each(UNREAD, _body),
    },
)
CONTENTS = {"users": USERS, "friends": FRIENDS_OF, "groups": GROUPS}
