"""Saved answers of RongCloud's queries: users, friends, blocklists, groups' members (rongcloud.md §4.2).

The reference names the calls but few of their answers' fields; those of the official SDKs are taken, and all of them
are UNCONFIRMED. Whose list an answer is stands only in its request, which has to be kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imconvert.model import Account, Block, Friend, Member, Notes, Noun, Profile
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import compact
from imconvert.vendors.people.pages import NAME, Asked, Items, Page, Shelf
from imconvert.vendors.people.reading import moment, record, text
from imconvert.vendors.values import word


class Lists:
    """Reads items; `notes` gathers what was odd."""

    def __init__(self, notes: Notes, latest: int) -> None:
        self.notes, self.latest = notes, latest

    def user(self, item: Any, asked: Asked) -> Iterator[Noun]:
        user = asked.whose("userId", NAME)
        yield Account(user, created=moment(item.get("createTime"), self.notes, self.latest))
        yield Profile(user, text(item.get("userName")), text(item.get("userPortrait")))

    def profile(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """Hosted profiles, whose fields the app decides."""
        found = record(item, "profiles")
        more = {key: value for key, value in found.items() if key != "userId" and value}
        if more:
            yield Profile(word(found.get("userId"), "userId"), ext=compact(more))

    def friend(self, item: Any, asked: Asked) -> Iterator[Noun]:
        found = record(item, "friendList")
        since = moment(found.get("time"), self.notes, self.latest)
        owner, friend = asked.whose("userId", NAME), word(found.get("userId"), "userId")
        yield Friend(owner, friend, remark=text(found.get("remarkName")), since=since)

    def listed(self, item: Any, asked: Asked) -> Iterator[Noun]:
        """`users` are blocked by a user, or the members of a group; the request tells."""
        if asked.known("groupId"):
            found = item.get("id", item.get("userId")) if item.__class__ is dict else item
            yield Member(asked.whose("groupId"), word(found, "users"))
        else:
            yield Block(asked.whose("userId", NAME), word(item, "users"))


def shelf(settings: Settings, notes: Notes, latest: int) -> Shelf:
    """The answers of §4.2."""
    read = Lists(notes, latest)
    pages = (
        Page("friend/get", (Items("friendList", read.friend),)),
        Page("user/profile/batch/query", (Items("profiles", read.profile),)),
        Page("users", (Items("users", read.listed),)),
        Page("user/info", (Items("", read.user),), has=("userName",)),
    )  # fmt: skip
    return Shelf(pages, (), trouble)


def trouble(answer: dict[str, Any]) -> str | None:
    """An answer that is an error (§6)."""
    code = answer.get("code")
    return None if code in (None, 200) else f"{code} {answer.get('errorMessage') or ''}".strip()
