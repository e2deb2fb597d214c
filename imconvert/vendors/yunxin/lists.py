"""Saved answers of Yunxin's list calls, v1 and v2: users, friends, lists, teams, read marks (yunxin.md §4.4, §4.5, §8).

An answer about somebody's friends, or a team's members in v2, does not say whose they are: the request has to stand
beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import FOREVER, Account, Block, Friend, Group, Member, Mute, Notes, Noun, Profile, ReadMark
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.people.pages import NAME, Asked, Items, Page, Shelf
from imconvert.vendors.people.reading import choice, flag, moment, number, record, table_of, text
from imconvert.vendors.values import word

_JOIN = {"0": "free", "1": "approval", "2": "closed"}
_WHO = {"0": "managers", "1": "all"}
_CONSENT = {"0": False, "1": True}
_ASKED = {"0": True, "1": False}
"""beinvitemode: 0 has to agree, 1 need not (§1.5)."""
_CHATS = {"1": "p2p", "2": "team", "3": "team"}

_USER = frozenset({"accid", "name", "icon", "sign", "email", "birth", "mobile", "gender", "ex", "valid", "mute",
                   "updatetime", "createtime"})  # fmt: skip
_TEAM = frozenset({
    "tid", "tname", "owner", "announcement", "intro", "icon", "custom", "clientCustom", "joinmode", "magree",
    "beinvitemode", "invitemode", "uptinfomode", "upcustommode", "maxusers", "teamMemberLimit", "size", "createtime",
    "updatetime", "mute", "muteType", "prop", "serverCustom",
})  # fmt: skip


class Lists:
    """Reads items; `notes` gathers what was odd."""

    def __init__(self, settings: Settings, notes: Notes, latest: int) -> None:
        self.notes, self.latest = notes, latest
        self.genders = table_of(settings["yunxin.genders"])
        self.roles = table_of(settings["yunxin.member_roles"])

    def _time(self, value: Any) -> int | None:
        return moment(value, self.notes, self.latest)

    def _one_of(self, found: dict[str, Any], name: str, table: Any) -> Any:
        return choice(found.get(name), table, self.notes, name)

    def user(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """A user as v1 shows one; `valid` false is one that was blocked."""
        found = record(item, "uinfos")
        user = word(found.get("accid"), "accid")
        yield Account(user, disabled=found.get("valid") is False, gagged=flag(found.get("mute")))
        yield Profile(
            user, text(found.get("name")), text(found.get("icon")), text(found.get("sign")),
            self._one_of(found, "gender", {"0": None, **self.genders}), text(found.get("birth")),
            text(found.get("email")), text(found.get("mobile")), ext=text(found.get("ex")),
        )  # fmt: skip

    def user_v2(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "user")
        user = word(found.get("account_id"), "account_id")
        yield Account(user)
        yield Profile(
            user, text(found.get("name")), text(found.get("avatar")), text(found.get("sign")),
            self._one_of(found, "gender", {"0": None, **self.genders}), text(found.get("birthday")),
            text(found.get("email")), text(found.get("mobile")), ext=text(found.get("extension")),
        )  # fmt: skip

    def friend(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "friends")
        owner = asked.whose("accid", NAME)
        ext = text(found.get("ex")) or text(found.get("serverex"))
        yield Friend(owner, word(found.get("faccid"), "faccid"), remark=text(found.get("alias")),
                     since=self._time(found.get("createtime")), ext=ext)  # fmt: skip

    def friend_v2(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "items")
        owner = text(found.get("account_id")) or asked.whose("account_id", NAME)
        ext = text(found.get("extension")) or text(found.get("customer_extension"))
        yield Friend(owner, word(found.get("friend_account_id"), "friend_account_id"), remark=text(found.get("alias")),
                     since=self._time(found.get("create_time")), ext=ext)  # fmt: skip

    def blocked(self, item: Any, asked: Asked) -> Iterator[Noun]:
        yield Block(asked.whose("accid", NAME), word(item, "blacklist"))

    def muted(self, item: Any, asked: Asked) -> Iterator[Noun]:
        yield Mute(asked.whose("accid", NAME), "p2p", word(item, "mutelist"))

    def contact_v2(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """On the block list or the mute list, as the address says."""
        found = record(item, "items")
        owner = text(found.get("account_id")) or asked.whose("account_id", NAME)
        other = word(found.get("contact_account_id"), "contact_account_id")
        since = self._time(found.get("create_time"))
        yield Block(owner, other, since) if asked.whose("list") == "block" else Mute(owner, "p2p", other)

    def team(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """A team in full, its members apart."""
        found = record(item, "team")
        tid = word(found.get("tid"), "tid")
        owner = _account(found.get("owner"))
        yield Group(
            tid, text(found.get("tname")), owner, None, text(found.get("intro")), text(found.get("announcement")),
            text(found.get("icon")), self._one_of(found, "joinmode", _JOIN), self._one_of(found, "invitemode", _WHO),
            self._one_of(found, "uptinfomode", _WHO), self._consent(found),
            number(found.get("maxusers", found.get("teamMemberLimit")), self.notes),
            self._time(found.get("createtime")), flag(found.get("mute")) or found.get("muteType") in (1, 3, "1", "3"),
            ext=text(found.get("custom")),
        )  # fmt: skip
        if owner:
            yield self._member(tid, found["owner"], "owner")

    def _consent(self, found: dict[str, Any]) -> bool | None:
        if "beinvitemode" in found:
            return choice(found["beinvitemode"], _ASKED, self.notes, "beinvitemode")  # type: ignore[no-any-return]
        return choice(found.get("magree"), _CONSENT, self.notes, "magree")  # type: ignore[no-any-return]

    def _member(self, tid: str, item: Any, role: Any) -> Member:
        """A name, or an object of a detail query."""
        found = item if item.__class__ is dict else {}
        return Member(
            tid, word(_account(item), "accid"), role, text(found.get("nick")), self._time(found.get("createtime")),
            FOREVER if flag(found.get("mute")) else None, text(found.get("custom")),
        )  # fmt: skip

    def member(self, role: str) -> Callable[[Any, Asked], Iterator[Noun]]:
        def read(item: Any, asked: Asked) -> Iterator[Noun]:
            yield self._member(asked.whose("tid"), item, role)

        return read

    def joined(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "infos")
        tid = word(found.get("tid"), "tid")
        yield Group(tid, text(found.get("tname")), _account(found.get("owner")), brief=True)
        yield Member(tid, asked.whose("accid", NAME))

    def silent(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """Somebody who may not write in a team."""
        found = record(item, "mutes")
        tid = text(found.get("tid")) or asked.whose("tid", NAME)
        yield Member(tid, word(found.get("accid"), "accid"), muted_until=FOREVER)

    def member_v2(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "items")
        tid = text(found.get("team_id")) or asked.whose("team_id", "tid", NAME)
        role: Any = choice(found.get("member_role"), self.roles, self.notes, "member_role") or "member"
        yield Member(
            tid, word(found.get("account_id"), "account_id"), role, text(found.get("team_nick")),
            self._time(found.get("join_time")), FOREVER if flag(found.get("chat_banned")) else None,
            text(found.get("server_extension")),
        )  # fmt: skip

    def team_v2(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "team_info")
        rules = found.get("configuration")
        rules = rules if rules.__class__ is dict else {}
        tid, owner = word(found.get("team_id"), "team_id"), text(found.get("owner_account_id"))
        yield Group(
            tid, text(found.get("name")), owner, None, text(found.get("intro")), text(found.get("announcement")),
            text(found.get("icon")), self._one_of(rules, "join_mode", _JOIN), self._one_of(rules, "invite_mode", _WHO),
            self._one_of(rules, "update_team_info_mode", _WHO), self._one_of(rules, "agree_mode", _ASKED),
            number(found.get("members_limit"), self.notes), self._time(found.get("create_time")),
            ext=text(found.get("server_extension")),
        )  # fmt: skip
        if owner:
            yield Member(tid, owner, "owner")

    def any_v2(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """An item of a v2 list without its address, by the keys that it has."""
        found = record(item, "items")
        for key, read in (("conversation_id", self.conversation), ("friend_account_id", self.friend_v2),
                          ("member_role", self.member_v2), ("contact_account_id", self.contact_v2)):  # fmt: skip
            if key in found:
                yield from read(item, asked)
                return
        raise Rejected("IMC-2602", keys=shown(sorted(found), 200))

    def conversation(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """How much of a conversation is read: `owner|type|other` is its id."""
        found = record(item, "items")
        owner, kind, other = (str(found.get("conversation_id")).split("|") + ["", ""])[:3]
        if kind not in _CHATS or not other:
            raise Rejected("IMC-2102", field="conversation_id", found=shown(found.get("conversation_id")),
                           expected="owner|type|other")  # fmt: skip
        time, unread = self._time(found.get("last_read_time")), number(found.get("unread_count"), self.notes)
        yield ReadMark(owner, _CHATS[kind], other, time, unread)  # type: ignore[arg-type]


def _account(value: Any) -> str | None:
    """An account that is written as its id, or as an object with it."""
    return text(value.get("accid")) if value.__class__ is dict else text(value)


def shelf(settings: Settings, notes: Notes, latest: int) -> Shelf:
    """The answers of §4.4, §4.5 and §8."""
    read = Lists(settings, notes, latest)
    people = (Items("members", read.member("member")), Items("admins", read.member("admin")))
    team = Items("tinfos", read.team, known=_TEAM, keep=("tid",), inner=people)
    listed = r"/(?P<list>block|mute)_contacts"
    pages = (
        Page("user/getUinfos", (Items("uinfos", read.user, known=_USER),)),
        Page("friend/get", (Items("friends", read.friend),)),
        Page("user/listBlackAndMuteList", (Items("blacklist", read.blocked), Items("mutelist", read.muted))),
        Page("team/query", (team,)),
        Page("team/queryDetail", (team._replace(path="tinfo"),)),
        Page("team/joinTeams", (Items("infos", read.joined),)),
        Page("team/listTeamMute", (Items("mutes", read.silent),)),
        Page("block_contacts", (Items("data.items", read.contact_v2),), url=listed),
        Page("list_members", (Items("data.items", read.member_v2),), url=r"/teams/(?P<team_id>[^/]+)/actions/list_"),
        Page("conversations", (Items("data.items", read.conversation),), url=r"/conversations$"),
        Page("friends", (Items("data.items", read.friend_v2),), url=r"/friends$"),
        Page("users", (Items("data.success_list", read.user_v2),)),
        Page("users", (Items("data", read.user_v2),), url=r"/users/[^/]+$"),
        Page("teams", (Items("data.team_info", read.team_v2),)),
        Page("list", (Items("data.items", read.any_v2),)),
    )  # fmt: skip
    return Shelf(pages, (), trouble)


def trouble(answer: dict[str, Any]) -> str | None:
    """An answer that is an error (§4.1)."""
    code = answer.get("code")
    if code in (None, 200):
        return None
    return f"{code} {answer.get('desc') or answer.get('msg') or ''}".strip()
