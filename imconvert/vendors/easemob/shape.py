"""Easemob's usual records as a shape for the compiled part: one body, a text or a file (easemob.md §2.2, §2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from imconvert.model import UNKNOWN_CLIENT
from imconvert.vendors.contract import Settings
from imconvert.vendors.nodes import (
    IGNORED,
    UNREAD,
    Node,
    among,
    anything,
    choice,
    decimal,
    digits,
    extension,
    kept,
    mended,
    number,
    only,
    record,
    record_of,
    string_or,
    text,
    whole,
    word,
)
from imconvert.vendors.shapes import Kind, Shape

_TYPES = {"txt": 0, "img": 1, "audio": 2, "voice": 2, "video": 3, "loc": 4, "file": 6, "custom": 7, "cmd": 8}
_EXTRAS = ("secret", "thumb", "thumb_secret")
_OTHERWISE = "IMC-3007"
"""A number where the documents have a string, or the other way round."""
_FORWARDED = {"title": "extra9", "summary": "extra10", "combineLevel": "extra11"}
_APP = {"customEvent": "extra3", "v2:customExts": "extra4", "customExts": "extra5", "action": "extra6"}

_BODY = record_of(
    {
        "type": choice("kind", {f'"{name}"': number for name, number in _TYPES.items()}),
        "msg": text("text"),
        "url": word("url"),
        "filename": text("name"),
        "file_length": number("size"),
        "size": whole(width=number("width"), height=number("height")),
        "length": number("duration", zeros=3),
        "lat": string_or(text("latitude"), decimal("latitude")),
        "lng": string_or(text("longitude"), decimal("longitude")),
        "addr": text("title"),
        **{name: text(f"extra{number}") for number, name in enumerate(_EXTRAS)},
        **{name: anything(extra) for name, extra in (_APP | _FORWARDED).items()},
        "subType": choice("extra8", {'"sub_combine"': ""}),
    }
)


def _tree(*directions: str, **more: Node) -> Node:
    return record(
        msg_id=string_or(digits("msgid"), mended(_OTHERWISE, number("msgid"))),
        timestamp=string_or(mended(_OTHERWISE, digits("time")), number("time")),
        direction=among(*directions),
        type=among('"chatmessage"'),
        **dict.fromkeys(("uuid", "created", "modified"), UNREAD),
        from_=IGNORED,
        to=IGNORED,
        chat_type=choice("chat", {'"chat"': 0, '"groupchat"': 1}),
        payload=record(
            bodies=only(kept("content", _BODY)), ext=extension("ext"), from_=text("sender"), to=text("receiver")
        ),
        **more,
    )


_OUTGOING, _INCOMING = '"outgoing"', '"incoming"'

_KEPT = {f"extra{number}": ("transformed", f"{name} kept in attach") for number, name in enumerate(_EXTRAS)}
_SECRET, _THUMB = ("extra0",), ("extra1", "extra2")
_REMARKS = {"duration": ("transformed", "length in s to dur in ms")} | _KEPT
_THUMBNAIL = {"width": ("degraded", "video width and height are the thumbnail's")}


def _file(
    *optional: str, required: tuple[str, ...] = ("url",), remarks: Mapping[str, tuple[str, str]] = _REMARKS
) -> Kind:
    given = ("name", "size", "ext", "content", *_SECRET, *optional)
    return Kind(required, given, ("name",), {name: remarks[name] for name in given if name in remarks})


def _wrapped(kind: str, *optional: str) -> Kind:
    change = ("transformed", f"{kind} to a wrapped custom message")
    return Kind(("content",), ("ext", *optional), remarks={"content": change})


_COMBINED = _wrapped("combined", "extra8", *_FORWARDED.values(), "text", "url", "name", "size", *_SECRET)
_UNTYPED = 9
"""The kind of bodies without a type, as those of forwarded messages may be."""
_OTHERS = tuple(
    (number, "combined:easemob", replace(_COMBINED, required=("content", "extra8")))
    for number in (_TYPES["txt"], _UNTYPED)
)
_SHAPE = Shape(
    tree=_tree(_OUTGOING, _INCOMING),
    kinds={
        0: ("text", Kind(required=("text",), optional=("ext", "content"))),
        1: ("image", _file("width", "height", *_THUMB)),
        2: ("audio", _file("duration")),
        3: ("video", _file("duration", "width", "height", *_THUMB, remarks=_REMARKS | _THUMBNAIL)),
        4: ("place", Kind(required=("longitude", "latitude", "title"), optional=("ext", "content"))),
        6: ("file", _file(required=("url", "name"))),
        7: ("custom:easemob", _wrapped("custom", "extra3", "extra4", "extra5")),
        8: ("command:easemob", _wrapped("command", "extra6")),
    },
    others=_OTHERS,
    kind=_UNTYPED,
    extras=_EXTRAS,
    client=UNKNOWN_CLIENT,
    bare=True,
    find_suffix=True,
    label=b"",
)


def shape(settings: Settings) -> Shape:
    """The shape; commands and copies that are to be skipped go the long way."""
    found = _SHAPE
    if settings["easemob.incoming"] == "skip":
        found = replace(found, tree=_tree(_OUTGOING))
    if settings["easemob.commands"] == "skip":
        found = replace(found, kinds={number: kind for number, kind in found.kinds.items() if number != _TYPES["cmd"]})
    return found


_SUFFIXES = ("text", "image", "voice", "location", "video", "file", "command", "custom", "txt", "unknown")
_POST = {
    "eventType": among('"chat"'),
    "group_id": text("group"),
    "content_type": choice(
        "extra7", {f'"chat:{scope}:{kind}"': "" for scope in ("user", "group") for kind in _SUFFIXES}
    ),
    **dict.fromkeys(("callId", "security", "securityVersion", "appkey", "host"), IGNORED),
}


def _posted(kind: Kind) -> Kind:
    """Only with its content type a post says whether it is of a group."""
    return replace(kind, required=(*kind.required, "extra7"))


def more_shapes(settings: Settings) -> tuple[Shape, ...]:
    """The shape of webhook posts."""
    kinds = {number: (label, _posted(kind)) for number, (label, kind) in shape(settings).kinds.items()}
    others = tuple((number, label, _posted(kind)) for number, label, kind in _OTHERS)
    tree = _tree(_OUTGOING, **_POST)
    return (replace(_SHAPE, tree=tree, kinds=kinds, others=others, mark=b'"callId"', label=None),)
