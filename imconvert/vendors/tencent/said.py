"""What lines of messages for Tencent say, for conversation lists (tencent.md §4.1, §5.4)."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from imconvert.vendors.people.said import TEAM, Said, pair_of


class _Item(Struct, gc=False, rename={"sender": "From_Account", "second": "SendTime", "body": "MsgBody"}):
    sender: str
    second: int
    body: Raw


class _Body(Struct, gc=False, rename={
    "sender": "From_Account", "receiver": "To_Account", "body": "MsgBody", "group": "GroupId", "items": "MsgList",
}):  # fmt: skip
    sender: str = ""
    receiver: str = ""
    body: Raw = Raw(b"[]")
    group: str = ""
    items: tuple[_Item, ...] = ()


class _Line(Struct, gc=False):
    time: int
    body: _Body


_decode = msgspec.json.Decoder(_Line).decode


def said(line: bytes) -> list[Said]:
    """The last message in a line of messages; none in any other line."""
    found = _decode(line)
    body = found.body
    if body.items:
        last = body.items[-1]
        return [Said(TEAM, body.group, last.second * 1000, last.sender, bytes(last.body))]
    if body.sender and body.receiver:
        return [Said(*pair_of(body.sender, body.receiver), found.time, body.sender, bytes(body.body))]
    return []
