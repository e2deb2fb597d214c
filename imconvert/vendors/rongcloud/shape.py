"""RongCloud's usual records as shapes for the compiled part: log lines, posts of its routing (rongcloud.md §2, §3, §5).

Base64 voices, group notices and quoted pictures go the long way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from imconvert.model import UNKNOWN_CLIENT, Notes
from imconvert.vendors.contract import Settings
from imconvert.vendors.rongcloud.bodies import BUILT_IN, KEYS
from imconvert.vendors.rongcloud.messages import CLIENT_OF, clock_of
from imconvert.vendors.rongcloud.records import VENDOR
from imconvert.vendors.shapes import (
    IGNORED,
    REFUSED,
    UNREAD,
    Bounds,
    Kind,
    Naming,
    Node,
    Shape,
    among,
    by_kind,
    choice,
    class_name,
    content,
    decimal,
    digits,
    json,
    kept,
    number,
    record,
    record_of,
    said,
    some_text,
    string_or,
    suffix,
    text,
    told,
    wall_clock,
    whatever_head,
    word,
)

TEXT, IMAGE, GIF, SOUND, VIDEO, FILE, PLACE, REPLY, TIP, CARD, COMBINED, COMMAND, STREAM, CONTACT, PROFILE, APP = range(
    16
)
_CLASSES = {
    "RC:TxtMsg": TEXT, "RC:ImgMsg": IMAGE, "RC:GIFMsg": GIF, "RC:HQVCMsg": SOUND, "RC:SightMsg": VIDEO,
    "RC:FileMsg": FILE, "RC:LBSMsg": PLACE, "RC:ReferenceMsg": REPLY, "RC:InfoNtf": TIP, "RC:ImgTextMsg": CARD,
    "RC:CombineMsg": COMBINED, "RC:CmdMsg": COMMAND, "RC:CmdNtf": COMMAND, "RC:StreamMsg": STREAM,
    "RC:ContactNtf": CONTACT, "RC:ProfileNtf": PROFILE,
}  # fmt: skip
_WRAPPED = {REPLY: "reply", TIP: "tip", CARD: "card", COMBINED: "combined", COMMAND: "command", STREAM: "stream",
            CONTACT: "contact", PROFILE: "profile", APP: "custom"}  # fmt: skip
_SETTINGS = {REPLY: "rongcloud.replies", TIP: "rongcloud.tips", COMMAND: "rongcloud.commands"}
"""Kinds that go the long way where these settings are not "custom"."""

_THUMBNAIL, _LOCAL, _CLASS = "extra13", "extra14", "extra15"
_EXTRAS = ("user", "mentionedInfo")
_COMMON = {
    "extra": some_text("ext"),
    "user": content("extra0"),
    "mentionedInfo": content("extra1"),
    "localPath": some_text(_LOCAL),
}
_SIZE = string_or(digits("size"), number("size"))
_SECONDS = number("duration", zeros=3)
_DEGREES = {name: string_or(text(name), decimal(name)) for name in ("latitude", "longitude")}


def _media(**members: Node) -> Node:
    return record_of({**members, **_COMMON, "name": some_text("name")})


def _whole(*names: str) -> Node:
    """Content of these classes, of which nothing is looked at but its keys."""
    return kept("content", record_of(dict.fromkeys(sorted(set().union(*(KEYS[name] for name in names))), UNREAD)))


_UNQUOTED = among('"RC:TxtMsg"', '"RC:HQVCMsg"', '"RC:FileMsg"', '"RC:GIFMsg"', '"RC:ReferenceMsg"')
_REPLY = {
    **dict.fromkeys(KEYS["RC:ReferenceMsg"], UNREAD),
    "objName": _UNQUOTED,
    "referMsg": string_or(REFUSED, UNREAD),
}
_CONTENTS: Mapping[int, Node] = {
    TEXT: record(
        content=text("text"), extra=_COMMON["extra"], user=_COMMON["user"], mentionedInfo=_COMMON["mentionedInfo"]
    ),
    IMAGE: _media(content=some_text(_THUMBNAIL), imageUri=word("url")),
    GIF: _media(remoteUrl=word("url"), gifDataSize=_SIZE, width=number("width"), height=number("height")),
    SOUND: _media(remoteUrl=word("url"), duration=_SECONDS),
    VIDEO: _media(sightUrl=word("url"), content=some_text(_THUMBNAIL), size=_SIZE, duration=_SECONDS),
    FILE: _media(fileUrl=word("url"), size=_SIZE, type=suffix("suffix")),
    PLACE: record_of({**_COMMON, **_DEGREES, "content": some_text(_THUMBNAIL), "poi": text("title")}),
    REPLY: kept("content", record_of(_REPLY)),
    TIP: _whole("RC:InfoNtf"),
    CARD: _whole("RC:ImgTextMsg"),
    COMBINED: _whole("RC:CombineMsg"),
    COMMAND: _whole("RC:CmdMsg"),
    STREAM: _whole("RC:StreamMsg"),
    CONTACT: _whole("RC:ContactNtf"),
    PROFILE: _whole("RC:ProfileNtf"),
    APP: content("content"),
}
_CONTENT = string_or(json(by_kind(_CONTENTS)), by_kind(_CONTENTS))
_NAME = class_name(_CLASS, _CLASSES, other=APP, refused=BUILT_IN)
_CLIENTS: Mapping[str, str | None] = {'""': None} | {f'"{name}"': str(client) for name, client in CLIENT_OF.items()}
_TIME = string_or(digits("time"), number("time"))

_LINE = record(
    appId=IGNORED,
    fromUserId=text("sender"),
    targetId=text("receiver"),
    targetType=choice("chat", {"1": 0, "3": 1}),
    GroupId=some_text("group"),
    classname=_NAME,
    content=_CONTENT,
    dateTime=wall_clock("wall"),
    timestamp=_TIME,
    msgUID=text("source"),
    source=choice("client", _CLIENTS),
    isSensitiveWord=among('"false"', "false", '""'),
)
_SIGNATURE = ("signature", "nonce", "signTimestamp", "appKey", "timestamp")
_POST = record_of({
    "fromUserId": text("sender"), "toUserId": text("receiver"), "objectName": _NAME, "content": _CONTENT,
    "channelType": choice("chat", {'"PERSON"': 0, '"GROUP"': 1}), "msgTimestamp": _TIME, "msgUID": text("source"),
    "sensitiveType": among('"0"', "0", '""'), "source": choice("client", _CLIENTS), "originalMsgUID": among('""'),
    "busChannel": among('""'), "aiGenerated": among('"false"', "false", '""'),
    **dict.fromkeys(_SIGNATURE, UNREAD),
})  # fmt: skip

_REMARKS = {
    _THUMBNAIL: ("degraded", "thumbnail left out"),
    _LOCAL: ("degraded", "localPath left out"),
    "duration": ("transformed", "duration in s to dur in ms"),
    **{f"extra{place}": ("transformed", f"{name} kept in attach") for place, name in enumerate(_EXTRAS)},
}


def _kind(required: tuple[str, ...], *optional: str, filled: tuple[str, ...] = ()) -> Kind:
    given = (*required, *optional, "ext", _LOCAL, _CLASS, "extra0", "extra1")
    remarks = {name: remark for name, remark in _REMARKS.items() if name in given}
    return Kind(required, given, filled, remarks)


def _wrapped(word: str) -> tuple[str, Kind]:
    change = ("transformed", f"{word} to a wrapped custom message")
    return f"{word}:{VENDOR}", Kind(("content",), (_CLASS,), remarks={"content": change})


_NOTED = ("transformed", "text leftovers to ext")
_LEFTOVERS = tuple(
    (TEXT, f"text+{name}", Kind(("text", f"extra{place}"), (_CLASS,), remarks={"text": _NOTED}))
    for place, name in enumerate(_EXTRAS)
)
_KINDS: Mapping[int, tuple[str, Kind]] = {
    TEXT: ("text", Kind(("text",), ("ext", _CLASS))),
    IMAGE: ("image", _kind(("url",), "name", _THUMBNAIL)),
    GIF: ("image", _kind(("url", "suffix"), "name", "size", "width", "height")),
    SOUND: ("audio", _kind(("url", "suffix"), "name", "duration")),
    VIDEO: ("video", _kind(("url",), "name", "size", "duration", _THUMBNAIL)),
    FILE: ("file", _kind(("url", "name"), "size", filled=("name",))),
    PLACE: ("place", _kind(("title", "longitude", "latitude"), _THUMBNAIL)),
    **{kind: _wrapped(word) for kind, word in _WRAPPED.items()},
}

_SHAPE = Shape(
    tree=_LINE,
    kinds=_KINDS,
    others=_LEFTOVERS,
    extras=_EXTRAS,
    client=UNKNOWN_CLIENT,
    find_suffix=True,
    naming=Naming(VENDOR, told("source"), told("source"), alone=True),
    opening="stamped",
    group_first=True,
    wrapping=(*said('{"objectName":"'), *told(_CLASS), *said('","content":'), *told("content"), *said("}")),
)


def _by(settings: Settings, *required: str) -> Shape:
    """The shape for these settings, of records that have these fields, too."""

    def with_all(kind: Kind) -> Kind:
        return replace(kind, required=(*kind.required, "chat", *required))

    kinds = {
        kind: (label, with_all(found))
        for kind, (label, found) in _KINDS.items()
        if kind not in _SETTINGS or settings[_SETTINGS[kind]] == "custom"
    }
    return replace(_SHAPE, kinds=kinds, others=tuple((kind, label, with_all(one)) for kind, label, one in _LEFTOVERS))


def _clocked(settings: Settings, head: bytes) -> Bounds:
    """The hour of a file and its zone."""
    clock = clock_of(head, settings, 0, Notes())
    return Bounds(clock.first, clock.stop, clock.offset, clock.said)


def shape(settings: Settings) -> Shape:
    """The shape of log lines that tell both of their times."""
    return replace(_by(settings, "wall"), behind=partial(_clocked, settings))


def more_shapes(settings: Settings) -> tuple[Shape, ...]:
    """The shapes of posts, as JSON and as forms."""
    posts = replace(_by(settings), tree=_POST, opening="json", group_first=False, behind=whatever_head)
    return replace(posts, mark=b'"objectName"'), replace(posts, mark=b"objectName=", opening="form")
