"""The head of a line that is a request: what a loader needs to know of it beside its body.

Format: `{"api":…,"conv":…,"key":…,"time":…,"body":{…}}`, in this order; between `time` and `body` `"upload":[…]` may
name the files of this output that stand as URLs in the body. The conversation is found without parsing.
Promise: `conv` is the same for all lines of a conversation and for no other line; `conv` and `key` together name a
line in an output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from imconvert.vendors.contract import KeyFields

BETWEEN = "\u00b7"
"""Stands between the two people of a conversation. It can't stand in an id: those are ASCII with all vendors."""


class Head(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A line as a loader sees it: path at the vendor, conversation, what names it there, time in ms, body.

    The order of the fields is the order in which they are written.
    """

    api: str
    conv: str
    key: str
    time: int
    upload: Sequence[str] = ()
    body: Raw


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Head).decode
CONV = b'","conv":"'
CONV_END = b'","key":"'
"""What stands before and behind the conversation of a line, and in neither of them."""


def head_of(line: bytes) -> Head:
    """The head of a line, its body not parsed."""
    return _decode(line)


def conversation(chat: str, sender: str, target: str) -> str:
    """What names a conversation: the group, or the two people, whoever wrote."""
    if chat == "team":
        return target
    return f"{sender}{BETWEEN}{target}" if sender < target else f"{target}{BETWEEN}{sender}"


def key(msgid: int, time: int, sender: str) -> str:
    """What names a message in its conversation."""
    return f"{msgid}/{time}/{sender}"


def line(api: str, conv: str, key: str, time: int, body: Any, upload: Sequence[str] = ()) -> bytes:
    """A line, without its newline."""
    raw = body if isinstance(body, Raw) else Raw(_encode(body))
    return _encode(Head(api=api, conv=conv, key=key, time=time, upload=tuple(upload), body=raw))


def conversation_in(line: bytes) -> bytes:
    """The conversation of a line as it stands there."""
    begin = line.index(CONV) + len(CONV)
    return line[begin : line.index(CONV_END, begin)]


def read_key(line: bytes) -> KeyFields:
    """The key fields of a line of one message."""
    head = _decode(line)
    number, time, sender = head.key.split("/", 2)
    first, between, second = head.conv.partition(BETWEEN)
    other = first if sender == second else second
    return KeyFields(int(number), sender, other if between else (first,), int(time))


def with_msgid(line: bytes, msgid: int) -> bytes:
    """The line named by another message number, its body as it is."""
    head = _decode(line)
    _, time, sender = head.key.split("/", 2)
    return _encode(msgspec.structs.replace(head, key=key(msgid, int(time), sender)))
