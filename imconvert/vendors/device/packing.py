"""Lines for the local databases of users' devices: one a message, and from it each user's copy (easemob.md §7,
rongcloud.md §4.1).

Strategy: a line's body holds all that is the same for everybody; what depends on whose device it is, direction and
conversation, comes in front when the copy is made, so that a message of a large group is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
from xxhash import xxh3_64_digest

from imconvert.model import Message, Notes, derived_id, key_of
from imconvert.vendors import requests
from imconvert.vendors.contract import Copies, Finish, KeyFields, Line, Request, Settings
from imconvert.vendors.uploads import uploads_of

STREAMS = ("p2p", "team")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_sorted = msgspec.json.Encoder(order="sorted").encode


class Names(NamedTuple):
    """How an SDK calls a message's direction, with its two values, and its conversation."""

    direction: str
    sent: str | int
    received: str | int
    conversation: str


class Ends(NamedTuple):
    """Sender and target of a message as the target knows them."""

    sender: str
    target: str


class Sdk(NamedTuple):
    """A vendor's SDK: the call that takes the messages, its names, and what shows that a line holds free content, in
    whose JSON the order of keys does not count."""

    api: str
    names: Names
    free: Callable[[bytes], bool]


def item(sdk: Sdk, message: Message, number: int, ends: Ends, body: dict[str, Any]) -> Line:
    """The line of part `number` of a message; `body` is what is the same for everybody."""
    fields = key_fields(message, number, ends)
    conv = requests.conversation(message.chat, ends.sender, ends.target)
    name = requests.key(fields.msgid, message.time, ends.sender)
    data = requests.line(sdk.api, conv, name, message.time, body, uploads_of(message))
    digest = digest_of(data, free=sdk.free(data))
    return Line(STREAMS[message.chat != "p2p"], key_of(*fields), data, digest, fields.msgid, message.time)


def key_fields(message: Message, number: int, ends: Ends) -> KeyFields:
    """The key of a part."""
    msgid = message.msgid if number == 0 else derived_id("part", f"{message.source_id}#{number}")
    target = ends.target if message.chat == "p2p" else (ends.target,)
    return KeyFields(msgid, ends.sender, target, message.time)


def read_key(line: bytes) -> KeyFields:
    """The key fields of a line."""
    head = requests.head_of(line)
    msgid, time, sender = head.key.split("/", 2)
    one, between, other = head.conv.partition(requests.BETWEEN)
    target = (one,) if not between else other if sender == one else one
    return KeyFields(int(msgid), sender, target, int(time))


def digest_of(line: bytes, *, free: bool) -> bytes:
    """xxh3-64 of the canonical content of a line, 8 bytes."""
    return xxh3_64_digest(_sorted(_opened(_decode(line))) if free else line)


def _opened(value: Any) -> Any:
    """A value with the JSON objects in its texts opened."""
    if isinstance(value, dict):
        return {key: _opened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_opened(one) for one in value]
    if isinstance(value, str) and value.startswith("{"):
        try:
            return _opened(_decode(value))
        except (msgspec.DecodeError, RecursionError):
            return value
    return value


def copies_of(line: bytes, names: Names) -> Copies:
    """The copies of a line: what the sender's device takes, and what those of the others take."""
    head = requests.head_of(line)
    sender = head.key.split("/", 2)[2]
    one, between, other = head.conv.partition(requests.BETWEEN)
    receiver = (other if sender == one else one) if between else None
    body = bytes(head.body)
    own = _copy(body, {names.direction: names.sent, names.conversation: receiver or one})
    theirs = _copy(body, {names.direction: names.received, names.conversation: sender if between else one})
    return Copies(sender, receiver, own, theirs)


def _copy(body: bytes, fields: dict[str, Any]) -> bytes:
    return _encode(fields)[:-1] + b"," + body[1:]


def finisher(settings: Settings, notes: Notes) -> Finish:
    """The lines of a conversation as they are: a local database takes equal times, and sorts by itself."""
    return lambda lines: (Request(line.data) for line in lines)


def still(settings: Settings) -> Callable[[str, Any, Any], Any]:
    """Says that no conversation needs finishing."""
    return lambda stream, times, starts: np.ones(len(starts), bool)
