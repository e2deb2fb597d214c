"""Saved answers of Easemob's list calls: users, attributes, contacts, blocks, push settings, groups (easemob.md §3).

Whose list an answer is stands in its `uri`; an answer whose envelope was taken off needs its request beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import FOREVER, Account, Block, Friend, Group, Member, Mute, Notes, Noun, Profile
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import compact, shown
from imconvert.vendors.people.pages import NAME, Asked, Items, Page, Shelf
from imconvert.vendors.people.reading import choice, flag, moment, number, record, text
from imconvert.vendors.values import word

_QUALIFIED = re.compile(r"[^#/]+#[^#/_]+_(.+)")
_GENDERS = {"0": None, "1": "male", "2": "female"}
_LEVELS = {"NONE": "none", "AT": "mentions", "ALL": "all", "DEFAULT": None}
_IGNORE = "notification_ignore_"
_FAR = 4_000_000_000_000
"""A mute that ends later than this (ms) never ends."""

_USER = frozenset({
    "uuid", "type", "created", "modified", "username", "activated", "nickname", "notification_display_style",
    "notification_no_disturbing", "notification_no_disturbing_start", "notification_no_disturbing_end",
    "notifier_name", "device_token",
})  # fmt: skip
_ATTRIBUTES = frozenset({"nickname", "avatarurl", "phone", "mail", "gender", "sign", "birth", "ext"})
_LISTED = frozenset({"groupid", "groupname", "owner", "affiliations", "type", "lastModified", "last_modified", "id"})
_DETAIL = frozenset({
    "id", "name", "avatar", "description", "public", "membersonly", "allowinvites", "maxusers", "owner", "created",
    "custom", "mute", "disabled", "affiliations_count", "invite_need_confirm",
})  # fmt: skip


class Lists:
    """Reads items; `notes` gathers what was odd."""

    def __init__(self, settings: Settings, notes: Notes, latest: int) -> None:
        self.notes, self.latest = notes, latest
        self.card_key = settings["easemob.card_key"]

    def _time(self, value: Any) -> int | None:
        return moment(value, self.notes, self.latest)

    def user(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """§3.1; the nickname is what pushes show."""
        found = record(item, "user")
        name = word(found.get("username"), "username")
        disabled = found.get("activated") is False
        yield Account(name, text(found.get("nickname")), self._time(found.get("created")), disabled)
        hours = _hours(found)
        if flag(found.get("notification_no_disturbing")):
            yield Mute(name, "all", level="none", hours=hours)
        for key in found:
            if key.startswith(_IGNORE) and flag(found[key]):
                yield Mute(name, "team", key.removeprefix(_IGNORE))

    def attributes(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """One user's attributes, or the pair of the user and those (§3.3)."""
        user, given = item if item.__class__ is tuple else (asked.whose("user", "username", NAME), item)
        found = record(given, "attributes")
        if not found:
            return
        more = {key: value for key, value in found.items() if key not in _ATTRIBUTES}
        for key in more:
            self.notes.novel.append(("key", f"metadata.{key}"))
        gender = choice(found.get("gender"), _GENDERS, self.notes, "gender")
        yield Profile(
            word(user, "user"), text(found.get("nickname")), text(found.get("avatarurl")), text(found.get("sign")),
            gender, text(found.get("birth")), text(found.get("mail")), text(found.get("phone")),
            ext=text(found.get("ext")), extra=more or None,
        )  # fmt: skip

    def contact(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """A name, or a name with its remark."""
        owner = asked.whose("owner", "username", "user", NAME)
        found = item if item.__class__ is dict else {"username": item}
        yield Friend(owner, word(found.get("username"), "username"), remark=text(found.get("remark")))

    def blocked(self, item: Any, asked: Asked) -> Iterator[Noun]:
        yield Block(asked.whose("owner", "username", "user", NAME), word(item, "data"))

    def push(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """§4.8: of all conversations, where the key is the user's own id."""
        found = record(item, "notification")
        owner, key = asked.whose("owner"), asked.whose("key")
        level = choice(found.get("type"), _LEVELS, self.notes, "notification.type")
        hours = text(found.get("ignoreInterval"))
        if asked.known("kind") == "chatgroup":
            yield from [Mute(owner, "team", key, level)] if level else []
        elif key != owner:
            yield from [Mute(owner, "p2p", key, level)] if level else []
        elif hours or level in ("none", "mentions"):
            yield Mute(owner, "all", level=level or "none", hours=hours)

    def group(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """§3.2, in full. A group that is not there says so itself."""
        found = record(item, "group")
        if "error" in found or ("name" not in found and "owner" not in found):
            raise Rejected("IMC-2600", found=shown(found.get("error", found)))
        public = found.get("public")
        yield Group(
            word(found.get("id"), "id"), text(found.get("name")), _plain(found.get("owner")),
            None if public is None else "public" if flag(public) else "private",
            text(found.get("description")), avatar=text(found.get("avatar")),
            join=None if "membersonly" not in found else "approval" if flag(found["membersonly"]) else "free",
            invite=None if "allowinvites" not in found else "all" if flag(found["allowinvites"]) else "managers",
            capacity=number(found.get("maxusers"), self.notes), created=self._time(found.get("created")),
            muted=flag(found.get("mute")), ext=text(found.get("custom")),
        )  # fmt: skip

    def listed(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """A group as lists name it; in a user's list that user is in it."""
        found = record(item, "group")
        group = word(found.get("groupid", found.get("id")), "groupid")
        yield Group(group, text(found.get("groupname")), _plain(found.get("owner")), brief=True)
        user = asked.known("member")
        if user:
            yield Member(group, user)

    def member(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """{"owner": user} or {"member": user}."""
        found = record(item, "member")
        group = asked.whose("group", "id", "groupid", NAME)
        role: Any = "owner" if "owner" in found else "member"
        yield Member(group, word(found.get(role), role), role, since=self._time(found.get("joined_time")))

    def admin(self, item: Any, asked: Asked) -> Iterator[Noun]:
        yield Member(asked.whose("group"), word(item, "admin"), "admin")

    def muted(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "mute")
        until = number(found.get("expire"), self.notes)
        end = FOREVER if until is None or until > _FAR else until
        yield Member(asked.whose("group"), word(found.get("user"), "user"), muted_until=end)

    def notice(self, item: Any, asked: Asked) -> Iterator[Noun]:
        notice = text(record(item, "announcement").get("announcement"))
        if notice:
            yield Group(asked.whose("group"), notice=notice, brief=True)

    def card(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """Attributes of a member: one of them is the name, by a setting."""
        found = dict(record(item, "attributes"))
        name = text(found.pop(self.card_key, None))
        if name or found:
            yield Member(asked.whose("group"), asked.whose("user"), name=name, ext=compact(found) if found else None)


def _plain(owner: Any) -> str | None:
    """The owner's id; lists write it with organization and application before it (§3.2)."""
    found = text(owner)
    match = _QUALIFIED.fullmatch(found) if found else None
    return match[1] if match else found


def _hours(found: dict[str, Any]) -> str | None:
    """The hours of the day from their numbers "8" and "18"."""
    ends = [str(found.get(f"notification_no_disturbing_{end}", "")) for end in ("start", "end")]
    if all(end.isascii() and end.isdigit() and int(end) < 25 for end in ends):
        return "-".join(f"{int(end) % 24:02}:00" for end in ends)
    return None


def shelf(settings: Settings, notes: Notes, latest: int) -> Shelf:
    """The answers of §3."""
    read = Lists(settings, notes, latest)
    user, group = r"(?P<owner>[^/]+)", r"/chatgroups/(?P<group>[^/]+)"
    pages = (
        Page("metadata/user/get", (Items("data", read.attributes, keyed=True),), url=r"/metadata/user/get$"),
        Page("metadata/chatgroup/user", (Items("data", read.card),),
             url=r"/metadata/chatgroup/(?P<group>[^/]+)/user/(?P<user>[^/]+)$"),
        Page("metadata/user", (Items("data", read.attributes),), url=r"/metadata/user/(?P<user>[^/]+)$"),
        Page("notification", (Items("data", read.push),),
             url=rf"/users/{user}/notification/(?P<kind>user|chatgroup)/(?P<key>[^/]+)$"),
        Page("joined_chatgroups", (Items("data", read.listed, known=_LISTED), Items("entities", read.listed)),
             url=r"/users/(?P<member>[^/]+)/joined_chatgroups$"),
        Page("chatgroups/user", (Items("data", read.listed, known=_LISTED), Items("entities", read.listed)),
             url=r"/chatgroups/user/(?P<member>[^/]+)$"),
        Page("contacts", (Items("data.contacts", read.contact),), url=rf"/user/{user}/contacts$"),
        Page("contacts", (Items("data.contacts", read.contact),)),
        Page("contacts/users", (Items("data", read.contact),), url=rf"/users/{user}/contacts/users$"),
        Page("group blocks", (Items("data", _nothing),), url=rf"{group}/(?:blocks|white)/users$"),
        Page("blocks/users", (Items("data", read.blocked),), url=rf"/users/{user}/blocks/users$"),
        Page("chatgroups/users", (Items("data", read.member),), url=rf"{group}/users$"),
        Page("chatgroups/admin", (Items("data", read.admin),), url=rf"{group}/admin$"),
        Page("chatgroups/mute", (Items("data", read.muted),), url=rf"{group}/mute$"),
        Page("chatgroups/announcement", (Items("data", read.notice),), url=rf"{group}/announcement$"),
        Page("chatgroups/detail",
             (Items("data", read.group, known=_DETAIL, keep=("id",),
                    inner=(Items("affiliations", read.member),)),), url=r"/chatgroups/[^/]+$"),
        Page("chatgroups", (Items("data", read.listed, known=_LISTED),), url=r"/chatgroups$"),
        Page("users", (Items("entities", read.user),)),
        Page("user", (Items("", read.user),), has=("username",)),
    )  # fmt: skip
    return Shelf(pages, ("uri", "path"), trouble)


def _nothing(item: Any, asked: Asked) -> Iterator[Noun]:
    yield from ()


def trouble(answer: dict[str, Any]) -> str | None:
    """§1: an answer that is an error."""
    if isinstance(answer.get("error"), str) and "entities" not in answer and "data" not in answer:
        return shown(answer.get("error_description", answer["error"]), 120)
    return None
