"""What import lines say, for conversation lists (yunxin.md §1.2)."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from imconvert.vendors.people.said import TEAM, Said, pair_of


class _Data(Struct, gc=False, rename={"sender": "from", "receiver": "to", "time": "createTime"}):
    time: int
    sender: str = ""
    receiver: str = ""
    accid: str = ""
    tid: int = 0
    body: str = ""
    attach: Raw = Raw(b"null")


class _Line(Struct, gc=False):
    type: int
    data: _Data


_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def said(line: bytes) -> list[Said]:
    """The message in a line."""
    found = _decode(line)
    data = found.data
    content = _encode({"type": found.type, "body": data.body} if found.type == 0 else
                      {"type": found.type, "attach": data.attach})  # fmt: skip
    sender = data.accid or data.sender
    talk = (TEAM, str(data.tid)) if data.tid else pair_of(data.sender, data.receiver)
    return [Said(*talk, data.time, sender, content)]
