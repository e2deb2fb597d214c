"""Saved answers of Tencent's list calls: profiles, friends, blocks, groups, members (tencent.md §3, §5.10).

Whose friends or members an answer lists stands only in its request, which has to be kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import FOREVER, Account, Block, Friend, Group, Member, Mute, Notes, Noun, Profile
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import compact
from imconvert.vendors.people.pages import NAME, Asked, Items, Page, Shelf
from imconvert.vendors.people.reading import choice, moment, number, record, text
from imconvert.vendors.values import word

_GENDERS = {"Gender_Type_Female": "female", "Gender_Type_Male": "male", "Gender_Type_Unknown": None}
_TYPES = {
    "Private": "private", "Work": "private", "Public": "public", "ChatRoom": "meeting", "Meeting": "meeting",
    "AVChatRoom": "live", "Community": "community",
}  # fmt: skip
_JOIN = {"FreeAccess": "free", "NeedPermission": "approval", "DisableApply": "closed"}
_INVITE = {"FreeAccess": "all", "NeedPermission": "managers", "DisableInvite": "managers"}
_ROLES = {"Owner": "owner", "Admin": "admin", "Member": "member"}
_FLAGS = {"AcceptAndNotify": None, "AcceptNotNotify": "none", "Discard": "none"}
_IM, _SNS = "Tag_Profile_IM_", "Tag_SNS_IM_"
_FOREVER = (1 << 32) - 1
SECOND = 1000

_GROUP = frozenset({
    "GroupId", "ErrorCode", "ErrorInfo", "Type", "Name", "Introduction", "Notification", "FaceUrl", "Owner_Account",
    "CreateTime", "InfoSeq", "LastInfoTime", "LastMsgTime", "NextMsgSeq", "MemberNum", "MaxMemberNum",
    "ApplyJoinOption", "InviteJoinOption", "MuteAllMember", "ShutUpAllMember", "AppDefinedData", "SupportTopic",
    "MaxMemberCount",
})  # fmt: skip
_MEMBER = frozenset({
    "Member_Account", "Role", "JoinTime", "MsgSeq", "MsgFlag", "LastSendMsgTime", "MuteUntil", "ShutUpUntil",
    "NameCard", "AppMemberDefinedData", "UnreadMsgNum",
})  # fmt: skip


class Lists:
    """Reads items; `notes` gathers what was odd."""

    def __init__(self, settings: Settings, notes: Notes, latest: int) -> None:
        self.notes, self.latest = notes, latest

    def _time(self, value: Any) -> int | None:
        return moment(value, self.notes, self.latest, unit=SECOND)

    def _choice(self, found: dict[str, Any], name: str, table: Any) -> Any:
        value = found.get(name)
        return choice(value.strip() if isinstance(value, str) else value, table, self.notes, name)

    def profile(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """§3.5: tags and their values."""
        found = _fine(item, "UserProfileItem")
        user = word(found.get("To_Account"), "To_Account")
        tags = _tags(found.get("ProfileItem"))
        own = {tag: tags.pop(f"{_IM}{tag}", None) for tag in _PROFILE}
        gender = choice(own["Gender"], _GENDERS, self.notes, "Gender")
        more = {tag: value for tag, value in tags.items() if value not in ("", 0)}
        yield Account(user)
        yield Profile(
            user, text(own["Nick"]), text(own["Image"]), text(own["SelfSignature"]), gender,
            _birthday(own["BirthDay"]), place=text(own["Location"]), ext=compact(more) if more else None,
        )  # fmt: skip

    def checked(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """§3.3: accounts that are there."""
        found = _fine(item, "ResultItem")
        if found.get("AccountStatus") == "Imported":
            yield Account(word(found.get("UserID"), "UserID"))

    def friend(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = _fine(item, "UserDataItem")
        tags = _tags(found.get("ValueItem"))
        own = {name: tags.pop(f"{_SNS}{name}", None) for name in _FRIEND}
        labels = own["Group"] if isinstance(own["Group"], list) else []
        more = {tag: value for tag, value in tags.items() if value not in ("", 0)}
        yield Friend(
            asked.whose("From_Account", NAME), word(found.get("To_Account"), "To_Account"), remark=text(own["Remark"]),
            labels=tuple(str(label) for label in labels), since=self._time(own["AddTime"]),
            wording=text(own["AddWording"]), ext=compact(more) if more else None,
        )  # fmt: skip

    def blocked(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = _fine(item, "BlackListItem")
        since = self._time(found.get("AddBlackTimeStamp"))
        yield Block(asked.whose("From_Account", NAME), word(found.get("To_Account"), "To_Account"), since)

    def group(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """§5.10: each group has a code of its own."""
        found = _fine(item, "GroupInfo")
        more = found.get("AppDefinedData")
        yield Group(
            word(found.get("GroupId"), "GroupId"), text(found.get("Name")), text(found.get("Owner_Account")),
            self._choice(found, "Type", _TYPES), text(found.get("Introduction")), text(found.get("Notification")),
            text(found.get("FaceUrl")), self._choice(found, "ApplyJoinOption", _JOIN),
            self._choice(found, "InviteJoinOption", _INVITE),
            capacity=number(found.get("MaxMemberNum", found.get("MaxMemberCount")), self.notes),
            created=self._time(found.get("CreateTime")),
            muted="On" in (found.get("MuteAllMember"), found.get("ShutUpAllMember")),
            ext=compact(more) if more else None,
        )  # fmt: skip

    def member(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """Roles may have trailing blanks."""
        found = _fine(item, "MemberList")
        group, account = asked.whose("GroupId", NAME), word(found.get("Member_Account"), "Member_Account")
        more = found.get("AppMemberDefinedData")
        yield Member(
            group, account, self._choice(found, "Role", _ROLES) or "member", text(found.get("NameCard")),
            self._time(found.get("JoinTime")), self._muted(found.get("MuteUntil", found.get("ShutUpUntil"))),
            compact(more) if more else None,
        )  # fmt: skip
        level = self._choice(found, "MsgFlag", _FLAGS)
        if level:
            yield Mute(account, "team", group, level)

    def _muted(self, value: Any) -> int | None:
        """Until when, in ms; a moment that is over is none, unless nobody can tell."""
        seconds = number(value, self.notes)
        if not seconds:
            return None
        if seconds >= _FOREVER:
            return FOREVER
        return seconds * SECOND


_PROFILE = ("Nick", "Image", "SelfSignature", "Gender", "BirthDay", "Location")
_FRIEND = ("Group", "Remark", "AddSource", "AddWording", "AddTime")


def _fine(value: Any, what: str) -> dict[str, Any]:
    """An item that is an object and no error."""
    found = record(value, what)
    code = found.get("ErrorCode") or found.get("ResultCode")
    if code:
        raise Rejected("IMC-2600", found=f"{code} {found.get('ErrorInfo') or found.get('ResultInfo') or ''}".strip())
    return found


def _tags(items: Any) -> dict[str, Any]:
    """Tags and values of a list of both."""
    listed = items if isinstance(items, list) else []
    return {str(one.get("Tag")): one.get("Value") for one in listed if isinstance(one, dict)}


def _birthday(value: Any) -> str | None:
    """YYYYMMDD as a day such as 1990-01-02; other numbers as they are, 0 for none."""
    found = text(value)
    if found is None or found == "0":
        return None
    return f"{found[:4]}-{found[4:6]}-{found[6:]}" if len(found) == 8 and found.isdigit() else found


def _nothing(item: Any, asked: Asked) -> Iterator[Noun]:
    yield from ()


def shelf(settings: Settings, notes: Notes, latest: int) -> Shelf:
    """The answers of §3 and §5.10."""
    read = Lists(settings, notes, latest)
    pages = (
        Page("portrait_get", (Items("UserProfileItem", read.profile),)),
        Page("account_check", (Items("ResultItem", read.checked),), url=r"/account_check$"),
        Page("friend_get", (Items("UserDataItem", read.friend),)),
        Page("black_list_get", (Items("BlackListItem", read.blocked),)),
        Page("get_group_info",
             (Items("GroupInfo", read.group, known=_GROUP, keep=("GroupId",),
                    inner=(Items("MemberList", read.member, known=_MEMBER),)),)),
        Page("get_group_member_info", (Items("MemberList", read.member, known=_MEMBER),)),
        Page("get_appid_group_list", (Items("GroupIdList", _nothing),)),
    )  # fmt: skip
    return Shelf(pages, (), trouble)


def trouble(answer: dict[str, Any]) -> str | None:
    """An answer that is an error as a whole (§1.4)."""
    code = answer.get("ErrorCode")
    return f"{code} {answer.get('ErrorInfo') or ''}".strip() if code else None
