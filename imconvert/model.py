"""The nouns: messages, people and groups as every vendor's folder reads and writes them.

Promise: a `Message` says everything its source said about it. Times are milliseconds since 1970 UTC, durations
milliseconds, sizes bytes, pictures pixels, places degrees as decimal text. What a noun has no field for stays in
`extra`, so that a writer can keep it or count it as lost, and never thins it out unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct
from xxhash import xxh3_64_intdigest, xxh3_128_digest

MAX_ID = (1 << 63) - 1
"""The greatest message or group number that a signed 64-bit integer holds."""

MAX_DEPTH = 64
"""Deepest nesting of objects and arrays that a record may have."""

Extra = dict[str, Any]

CLIENTS = {"android": 1, "ios": 2, "pc": 4, "windows-phone": 8, "web": 16, "server": 32, "mac": 64, "harmony": 65}
"""The kinds of client, by the numbers that Yunxin gives them (yunxin.md §1.6)."""

UNKNOWN_CLIENT = CLIENTS["server"]


class Text(Struct, frozen=True, gc=False):
    """Plain text."""

    text: str
    extra: Extra | None = None


class Media(Struct, frozen=True, gc=False):
    """A file somewhere: what is unknown is None. `kind` is image, audio, video or file.

    `data` are its bytes where the record itself held them; then `url` is given by who writes them to a file.
    """

    kind: Literal["image", "audio", "video", "file"]
    url: str
    name: str | None = None
    suffix: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    duration: int | None = None
    md5: str | None = None
    extra: Extra | None = None
    data: bytes | None = None


class Place(Struct, frozen=True, gc=False):
    """A point on the map; longitude and latitude as decimal text, so that no digit is lost."""

    title: str
    longitude: str
    latitude: str
    extra: Extra | None = None


class Custom(Struct, frozen=True, gc=False):
    """Content that only the app understands, or that no noun here fits.

    `kind` is "custom" where the app sent custom content; otherwise it names what the source meant (combined,
    command, tip, ...). `vendor` is where it comes from, `content` what it said there, in that vendor's own words.
    """

    kind: str
    vendor: str
    content: Any
    extra: Extra | None = None


class Notice(Struct, frozen=True, gc=False):
    """Something happened in a group. `kind` is a row of NOTICES; the sender is the one who did it.

    `who` is the other person where the kind has one; `info` are the changed properties of kind "info".
    """

    kind: str
    who: str | None = None
    info: Extra | None = None
    extra: Extra | None = None


NOTICES = ("join", "kick", "mute", "unmute", "appoint", "dismiss-manager", "info", "transfer", "leave", "disband")

Part = Text | Media | Place | Custom | Notice


class Message(Struct, frozen=True, gc=False):
    """One message: its id as a number, time in ms, p2p or team, sender, receiver or group, client, content.

    `ext` is the app's own extension; `extra` what the source says of the message beyond these.
    """

    source_id: str
    msgid: int
    time: int
    chat: Literal["p2p", "team"]
    sender: str
    target: str
    client: int
    parts: tuple[Part, ...]
    ext: str | None = None
    extra: Extra | None = None


class Account(Struct, frozen=True, gc=False):
    """Somebody who can log in. `push_name` is what pushes call them; times are ms.

    `disabled` says that they are locked out, `gagged` that they may not write.
    """

    id: str
    push_name: str | None = None
    created: int | None = None
    disabled: bool = False
    gagged: bool = False
    extra: Extra | None = None


class Profile(Struct, frozen=True, gc=False):
    """What others see of somebody; what is unknown is None. `ext` is the app's own extension, a text."""

    id: str
    name: str | None = None
    avatar: str | None = None
    sign: str | None = None
    gender: Literal["male", "female"] | None = None
    birthday: str | None = None
    mail: str | None = None
    phone: str | None = None
    place: str | None = None
    ext: str | None = None
    extra: Extra | None = None


class Friend(Struct, frozen=True, gc=False):
    """`friend` is on the list of `owner`; with `both` it is the other way round, too. `labels` are the owner's groups
    of friends, `since` is ms, `wording` what was said when they became friends."""

    owner: str
    friend: str
    both: bool = False
    remark: str | None = None
    labels: tuple[str, ...] = ()
    since: int | None = None
    wording: str | None = None
    ext: str | None = None
    extra: Extra | None = None


class Block(Struct, frozen=True, gc=False):
    """`owner` wants nothing of `other`; `since` is ms."""

    owner: str
    other: str
    since: int | None = None


class Mute(Struct, frozen=True, gc=False):
    """`owner` is told of a chat's messages (`target`, of chat p2p or team) only so far, or, with chat all, of none or
    few at all. `hours` are those of the day for which it holds, as 22:00-08:00; none for always."""

    owner: str
    chat: Literal["p2p", "team", "all"]
    target: str = ""
    level: Literal["none", "mentions", "all"] = "none"
    hours: str | None = None


class Group(Struct, frozen=True, gc=False):
    """A group. `created` is ms, `capacity` the most members it may have.

    `kind` says how open it is: private (by invitation), public, meeting (history for later ones, too), community, or
    live (no members that stay). `join` says how one gets in, `invite` who may invite, `edit` who may change its facts;
    `consent` whether who is invited has to agree. `muted` says that only owner and admins may write. `brief` says that
    this is not all that is known of the group, but what a list says of it, or a single fact.
    """

    id: str
    name: str | None = None
    owner: str | None = None
    kind: Literal["private", "public", "meeting", "community", "live"] | None = None
    intro: str | None = None
    notice: str | None = None
    avatar: str | None = None
    join: Literal["free", "approval", "closed"] | None = None
    invite: Literal["managers", "all"] | None = None
    edit: Literal["managers", "all"] | None = None
    consent: bool | None = None
    capacity: int | None = None
    created: int | None = None
    muted: bool = False
    brief: bool = False
    ext: str | None = None
    extra: Extra | None = None


FOREVER = MAX_ID
"""The end of what has none, as a time in ms."""


class Member(Struct, frozen=True, gc=False):
    """`account` is in `group`. `since` and `muted_until` are ms; `name` is what the group calls them."""

    group: str
    account: str
    role: Literal["owner", "admin", "member"] = "member"
    name: str | None = None
    since: int | None = None
    muted_until: int | None = None
    ext: str | None = None
    extra: Extra | None = None


class ReadMark(Struct, frozen=True, gc=False):
    """`owner` has read a chat up to `time` (ms), or `unread` messages of it are not read yet."""

    owner: str
    chat: Literal["p2p", "team"]
    target: str
    time: int | None = None
    unread: int | None = None


Noun = Account | Profile | Friend | Block | Mute | Group | Member | ReadMark
"""What there is to say about people and groups."""

_encode = msgspec.json.Encoder().encode


def key_of(msgid: int, sender: str, target: str | int | tuple[str], time: int) -> bytes:
    """The canonical key of a record, 16 bytes: xxh3-128 of the JSON array [msgid, sender, target, time].

    A group is given as an int, or as a tuple of its id, and a person as a str, so that the two can never be the same
    key; JSON's own quoting keeps ("ab", "c") apart from ("a", "bc"). Reference: yunxin.md §1.7.
    """
    return xxh3_128_digest(_encode((msgid, sender, target, time)))


def derived_id(namespace: str, source_id: str) -> int:
    """A message number from 1 to MAX_ID for a source id that is none, always the same for the same id."""
    return (xxh3_64_intdigest(f"{namespace}\0{source_id}".encode()) & MAX_ID) or 1


def hash_of_source(source_id: str) -> bytes:
    """xxh3-128 of a source id, 16 bytes: how source ids are compared."""
    return xxh3_128_digest(source_id.encode("utf-8", "surrogatepass"))


def depth_exceeds(data: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether the JSON text nests objects and arrays deeper than `limit`; brackets inside of strings don't count."""
    if data.count(b"{") + data.count(b"[") <= limit:
        return False
    return _deepest(data) > limit


def _deepest(data: bytes) -> int:
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if escaped:
            escaped = False
        elif byte == 0x5C:
            escaped = in_string
        elif byte == 0x22:
            in_string = not in_string
        elif not in_string and byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif not in_string and byte in b"}]":
            depth -= 1
    return deepest


class Skip(Struct, frozen=True, gc=False):
    """A record that is left out on purpose: a code of the 81xx family, with the values of its text.

    An event (IMC-8102) has `event` and `of`, the source id of the message, among its values. Where that id alone could
    mean several messages, `ends` is the conversation: p2p or team, and sender and target as a message has them.
    """

    code: str
    values: dict[str, Any]
    ends: tuple[str, str, str] | None = None


EPOCH = ("+00:00", "epoch")
"""The clock of records whose times are counted from 1970 UTC."""


class Notes:
    """What reading and writing one record had to do to it.

    `repairs` are codes of the 3xxx family; `changes` are pairs (outcome, field), outcome being "transformed",
    "degraded" or "dropped", for the fidelity table, in which `label` is the row of the record if the writer says so
    ("text > txt"). `novel` are pairs (what, name) of what the vendor's documents don't know: a
    "key" by its path, a "type" of content, a "value" of a field that has a fixed set of them, written field=value.
    The driver empties all of them for each record.

    `clock` is how the reader turns times into UTC: the offset, and what says that it is that. It stays until the reader
    says otherwise, when it is made or with a record; readers whose records hold instants leave it as it is.
    `keep(data, suffix)` keeps bytes as a file beside the lines and gives its URL; it is the driver's.
    """

    __slots__ = ("changes", "clock", "keep", "label", "novel", "repairs")

    def __init__(self, keep: Callable[[bytes, str], str] = lambda data, suffix: "") -> None:
        self.repairs: list[str] = []
        self.changes: list[tuple[str, str]] = []
        self.novel: list[tuple[str, str]] = []
        self.label = ""
        self.clock = EPOCH
        self.keep = keep

    def clear(self) -> None:
        self.repairs.clear()
        self.changes.clear()
        self.novel.clear()
        self.label = ""
