"""The wire shapes of Yunxin's import lines, as typed records (yunxin.md §1.2-1.5).

The decoder accepts exactly what the vendor's samples show; everything else goes to `repair.py`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from imconvert.model import CLIENTS, MAX_ID

Id = Annotated[int, Meta(ge=1, le=MAX_ID)]


class Data(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """`data` of a record; `from` and `to` of a person, or `accid` and `tid` of a team, are there.

    The order of the fields is the order in which they are written.
    """

    msgid: Id
    from_: str | UnsetType = msgspec.field(default=UNSET, name="from")
    to: str | UnsetType = UNSET
    accid: str | UnsetType = UNSET
    tid: Id | UnsetType = UNSET
    createTime: int | str
    clientType: int | str
    ext: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    attach: str | dict[str, Any] | UnsetType = UNSET
    accid2: str | UnsetType = UNSET
    tinfo: dict[str, Any] | UnsetType = UNSET


class Record(Struct, forbid_unknown_fields=True, gc=False):
    """One line: the message type and everything else in `data`."""

    type: int
    data: Data


class Attach(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """The description of a picture, audio, video or file; the order is the order in which it is written."""

    name: str | None = None
    md5: str | None = None
    url: str = ""
    ext: str | None = None
    dur: int | None = None
    w: int | None = None
    h: int | None = None
    size: int | None = None


decode_record = msgspec.json.Decoder(Record).decode
decode_attach = msgspec.json.Decoder(Attach).decode
encode = msgspec.json.Encoder().encode
encode_sorted = msgspec.json.Encoder(order="sorted").encode

REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoders raise for a text that is not of the typed shape."""

MEDIA = {1: "image", 2: "audio", 3: "video", 6: "file"}
PLACE = 4
NOTICE_KINDS = {
    101: "join", 102: "kick", 103: "mute", 104: "unmute", 105: "appoint",
    106: "dismiss-manager", 107: "info", 108: "transfer", 109: "leave", 110: "disband",
}  # fmt: skip
JOIN = 101
"""The one notice whose `accid` is not the actor but the one who joined; `accid2` is the inviter (§1.5)."""

INFO = 107
"""The notice with `tinfo`: the team's properties changed."""

WITH_OTHER = frozenset({101, 102, 103, 104, 105, 106, 108})
"""The notices that name a second person in accid2."""

CUSTOM = 100
"""From this type on a line holds free-form objects, whose key order says nothing."""

CLIENT_NUMBERS: dict[int | str, int] = {n: n for n in CLIENTS.values()} | {str(n): n for n in CLIENTS.values()}
"""Client types as vendor samples type them: numbers, or numbers as strings (§1.6)."""

INFO_KEYS = frozenset(str(number) for number in range(14, 25))
"""Keys of tinfo that the import page knows (§1.5)."""

INFO_NUMBERS = ("16", "17", "21", "22", "23", "24")
"""Keys of tinfo whose values are whole numbers; vendor samples send them as strings too."""
