"""What lines of messages for Easemob say, for conversation lists (easemob.md §4.3)."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from imconvert.vendors.easemob.target import APIS
from imconvert.vendors.people.said import TEAM, Said, pair_of


class _Body(Struct, gc=False, rename={"sender": "from"}):
    sender: str = ""
    target: str = ""
    type: str = ""
    body: Raw = Raw(b"{}")
    msg_timestamp: int = 0


class _Line(Struct, gc=False):
    api: str
    body: _Body


_decode = msgspec.json.Decoder(_Line).decode


def said(line: bytes) -> list[Said]:
    """The message in a line."""
    found = _decode(line)
    body = found.body
    content = b'{"type":%b,"body":%b}' % (msgspec.json.encode(body.type), bytes(body.body))
    talk = (TEAM, body.target) if found.api == APIS["team"] else pair_of(body.sender, body.target)
    return [Said(*talk, body.msg_timestamp, body.sender, content)]
