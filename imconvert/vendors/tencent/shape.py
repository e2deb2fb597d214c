"""Tencent's usual records as a shape for the compiled part: one element each (tencent.md §4.4, §5.9, §6, §7, §8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from imconvert.model import UNKNOWN_CLIENT
from imconvert.vendors.contract import Settings
from imconvert.vendors.shapes import (
    UNREAD,
    Bounds,
    Kind,
    Naming,
    Node,
    Shape,
    among,
    by_kind,
    choice,
    decimal,
    in_order,
    kept,
    number,
    only,
    pick,
    record,
    record_of,
    said,
    some_number,
    some_text,
    string_or,
    suffix,
    text,
    told,
    without,
    word,
)
from imconvert.vendors.tencent.elements import FORMATS, ORIGINAL, OTHER_FORMAT
from imconvert.vendors.tencent.heads import read_head
from imconvert.vendors.tencent.keys import VENDOR
from imconvert.vendors.tencent.messages import PLATFORMS

TEXT, IMAGE, SOUND, VIDEO, PLACE, FACE, FILE, CUSTOM, RELAY = range(9)
_TYPES = {
    "TIMTextElem": TEXT, "TIMImageElem": IMAGE, "TIMSoundElem": SOUND, "TIMVideoFileElem": VIDEO,
    "TIMLocationElem": PLACE, "TIMFaceElem": FACE, "TIMFileElem": FILE, "TIMCustomElem": CUSTOM, "TIMRelayElem": RELAY,
}  # fmt: skip
_EXTRAS = ("UUID", "ImageInfoArray", "VideoUUID", "ThumbUrl", "ThumbUUID", "ThumbSize", "ThumbFormat")
_LEFT = {name: f"extra{number}" for number, name in enumerate(_EXTRAS)}
_LOST = {"ClientIP": "extra13", "MsgPriority": "extra14", "MsgId": "extra15"}
_ONLY_FLAG = among("2")

_SIZE = record(
    Type=choice("kind", {str(kind): int(kind == ORIGINAL) for kind in (1, 2, 3)}),
    URL=word("url"),
    Size=number("size"),
    Width=some_number("width"),
    Height=some_number("height"),
)
_FORMATS: Mapping[str, str | None] = {str(form): ending for form, ending in FORMATS.items()}
_DEGREES: dict[str, Node] = {
    key: string_or(text(name), decimal(name)) for key, name in (("Latitude", "latitude"), ("Longitude", "longitude"))
}


def _any(*keys: str) -> Node:
    return record_of(dict.fromkeys(keys, UNREAD))


_CONTENT = by_kind({
    TEXT: record(Text=text("text")),
    IMAGE: record(
        UUID=text(_LEFT["UUID"]),
        ImageFormat=choice("suffix", {**_FORMATS, str(OTHER_FORMAT): None}),
        ImageInfoArray=pick(_LEFT["ImageInfoArray"], _SIZE),
    ),
    SOUND: record(
        Url=word("url"), UUID=text(_LEFT["UUID"]), Download_Flag=_ONLY_FLAG, Size=number("size"),
        Second=number("duration", zeros=3),
    ),
    VIDEO: record(
        VideoUrl=word("url"), VideoUUID=text(_LEFT["VideoUUID"]), VideoSize=number("size"),
        VideoSecond=number("duration", zeros=3), VideoFormat=suffix("suffix"), VideoDownloadFlag=_ONLY_FLAG,
        ThumbUrl=text(_LEFT["ThumbUrl"]), ThumbUUID=text(_LEFT["ThumbUUID"]), ThumbSize=number(_LEFT["ThumbSize"]),
        ThumbWidth=some_number("width"), ThumbHeight=some_number("height"), ThumbFormat=text(_LEFT["ThumbFormat"]),
        ThumbDownloadFlag=_ONLY_FLAG,
    ),
    PLACE: record(Desc=text("title"), **_DEGREES),
    FACE: _any("Index", "Data"),
    FILE: record(
        Url=word("url"), UUID=text(_LEFT["UUID"]), Download_Flag=_ONLY_FLAG, FileSize=number("size"),
        FileName=without("name", "/"),
    ),
    CUSTOM: _any("Data", "Desc", "Ext", "Sound"),
    RELAY: _any("Title", "MsgNum", "CompatibleText", "AbstractList", "MsgList", "JsonMsgKey"),
})  # fmt: skip

_ELEMENT = record(MsgType=choice("kind", {f'"{name}"': kind for name, kind in _TYPES.items()}), MsgContent=_CONTENT)


def _spellings(platform: str) -> Iterable[str]:
    """How a platform is usually written; what is written otherwise goes the long way."""
    special = {"ios": "iOS", "ipad": "iPad", "macos": "macOS", "restapi": "RESTAPI"}
    return {platform, platform.capitalize(), special.get(platform, platform)}


_CLIENTS: Mapping[str, str | None] = {'""': None} | {
    f'"{written}"': str(client) for platform, client in PLATFORMS.items() for written in _spellings(platform)
}
_COMMANDS = {'"C2C.CallbackAfterSendMsg"': 0, '"Group.CallbackAfterSendMsg"': 1}
_GROUPS = ('"Public"', '"Private"', '"Work"', '"Meeting"', '"ChatRoom"', '"Community"', '""')
_SECOND = number("time")

_TREE = record(
    CallbackCommand=choice("chat", _COMMANDS),
    From_Account=text("sender"),
    To_Account=text("receiver"),
    GroupId=text("group"),
    Type=among(*_GROUPS),
    MsgTimestamp=_SECOND,
    MsgTimeStamp=_SECOND,
    MsgTime=_SECOND,
    MsgSeq=number("counter"),
    MsgRandom=number("random"),
    MsgKey=some_text("echo-name"),
    Operator_Account=some_text("echo-id"),
    MsgBody=only(kept("content", _ELEMENT)),
    CloudCustomData=some_text("ext"),
    MsgFromPlatform=choice("client", _CLIENTS),
    OptPlatform=choice("client", _CLIENTS),
    ClientIP=some_text(_LOST["ClientIP"]),
    **{name: string_or(text(_LOST[name]), number(_LOST[name])) for name in ("MsgPriority", "MsgId")},
    **dict.fromkeys(("MsgFlagBits", "IsPlaceMsg", "SendMsgResult", "OnlineOnlyFlag"), among("0")),
    **dict.fromkeys(("Random", "EventTime", "ErrorInfo", "UnreadMsgNum", "SyncFromOldSystem", "SdkAppid"), UNREAD),
)

_KEY = (*told("counter"), *said("_"), *told("random"), *said("_"), *told("time"))
_NAMING = Naming(
    space=VENDOR,
    p2p=(*said("c2c/"), *in_order("sender", "receiver", "/"), *said("/"), *_KEY),
    team=(*said("group/"), *told("group"), *said("/"), *told("counter")),
    alone=True,
    guarded="%/",
    echoes={"echo-id": told("sender"), "echo-name": _KEY},
)

_LOST_REMARKS = {extra: ("degraded", f"{name} left out") for name, extra in _LOST.items()}
_KEPT_REMARKS = {extra: ("transformed", f"{name} kept in attach") for name, extra in _LEFT.items()}
_COMMON = ("ext", "content", *_LOST.values())
_THUMBNAIL = ("degraded", "video width and height are the thumbnail's")


def _kind(required: tuple[str, ...], *optional: str, filled: tuple[str, ...] = (), **remarks: tuple[str, str]) -> Kind:
    given = (*required, *_COMMON, *optional)
    found = {extra: remark for extra, remark in (_LOST_REMARKS | _KEPT_REMARKS | remarks).items() if extra in given}
    return Kind(required, (*_COMMON, *optional), filled, found)


def _wrapped(kind: str) -> tuple[str, Kind]:
    return f"{kind}:{VENDOR}", _kind(("content",), content=("transformed", f"{kind} to a wrapped custom message"))


def _seconds(key: str) -> tuple[str, str]:
    return ("transformed", f"{key} in s to dur in ms")


_OF_VIDEO = [_LEFT[name] for name in _EXTRAS if name.startswith(("Video", "Thumb"))]

_SHAPE = Shape(
    tree=_TREE,
    kinds={
        TEXT: ("text", _kind(("text",))),
        IMAGE: ("image", _kind(("url",), "suffix", "size", "width", "height", _LEFT["UUID"], _LEFT["ImageInfoArray"])),
        SOUND: ("audio", _kind(("url",), "size", "duration", _LEFT["UUID"], duration=_seconds("Second"))),
        VIDEO: ("video", _kind(("url",), "suffix", "size", "duration", "width", "height", *_OF_VIDEO,
                               duration=_seconds("VideoSecond"), width=_THUMBNAIL, height=_THUMBNAIL)),
        PLACE: ("place", _kind(("title", "longitude", "latitude"))),
        FACE: _wrapped("face"),
        FILE: ("file", _kind(("url", "name"), "size", _LEFT["UUID"], filled=("name",))),
        CUSTOM: _wrapped("custom"),
        RELAY: _wrapped("combined"),
    },
    extras=_EXTRAS,
    client=UNKNOWN_CLIENT,
    find_suffix=True,
    naming=_NAMING,
)  # fmt: skip


def _behind(head: bytes) -> Bounds | None:
    """The hour of a file, and its group; without a hour times may be any."""
    found = read_head(head) if head else None
    if not found:
        return Bounds()
    bounds = Bounds(*found.hour) if found.hour else Bounds()
    return bounds._replace(group=found.group)


def shape(settings: Settings) -> Shape:
    """The shape; topics and recalled messages go the long way."""
    return replace(_SHAPE, order=settings["tencent.order"], behind=_behind)
