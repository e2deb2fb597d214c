"""The nouns: one message as every vendor's folder reads and writes it.

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
