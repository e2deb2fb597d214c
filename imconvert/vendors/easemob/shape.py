"""Easemob's usual records as a shape for the compiled part: one body, a text or a file (easemob.md §2.2, §2.3)."""

from __future__ import annotations

from dataclasses import replace

from imconvert.model import UNKNOWN_CLIENT
from imconvert.vendors.shapes import (
    IGNORED,
    Kind,
    Shape,
    choice,
    decimal,
    digits,
    extension,
    number,
    only,
    record,
    string_or,
    text,
    whole,
    word,
)

_BODY = record(
    type=choice("kind", {'"txt"': 0, '"img"': 1, '"audio"': 2, '"voice"': 2, '"video"': 3, '"file"': 6, '"loc"': 4}),
    msg=text("text"),
    url=word("url"),
    filename=text("name"),
    file_length=number("size"),
    secret=text("extra0"),
    size=whole(width=number("width"), height=number("height")),
    length=number("duration", zeros=3),
    thumb=text("extra1"),
    thumb_secret=text("extra2"),
    lat=string_or(text("latitude"), decimal("latitude")),
    lng=string_or(text("longitude"), decimal("longitude")),
    addr=text("title"),
)

_TREE = record(
    msg_id=digits("msgid"),
    timestamp=number("time"),
    direction=IGNORED,
    from_=IGNORED,
    to=IGNORED,
    chat_type=choice("chat", {'"chat"': 0, '"groupchat"': 1}),
    payload=record(bodies=only(_BODY), ext=extension("ext"), from_=text("sender"), to=text("receiver")),
)

_EXTRAS = ("secret", "thumb", "thumb_secret")
_KEPT = {f"extra{number}": ("transformed", f"{name} kept in attach") for number, name in enumerate(_EXTRAS)}
_FILE = ("name", "size", "ext", *_KEPT)
_REMARKS = {"duration": ("transformed", "length in s to dur in ms")}
_THUMBNAIL = ("degraded", "video width and height are the thumbnail's")


def _file(*optional: str, required: tuple[str, ...] = ("url",)) -> Kind:
    remarks = {name: change for name, change in (_REMARKS | _KEPT).items() if name in (*optional, *_KEPT)}
    return Kind(required, (*_FILE, *optional), filled=("name",), remarks=remarks)


def _video() -> Kind:
    kind = _file("duration", "width", "height")
    return replace(kind, remarks={**kind.remarks, "width": _THUMBNAIL})


SHAPE = Shape(
    tree=_TREE,
    kinds={
        0: ("text", Kind(required=("text",), optional=("ext",))),
        1: ("image", _file("width", "height")),
        2: ("audio", _file("duration")),
        3: ("video", _video()),
        4: ("place", Kind(required=("longitude", "latitude", "title"), optional=("ext",))),
        6: ("file", _file(required=("url", "name"))),
    },
    extras=_EXTRAS,
    client=UNKNOWN_CLIENT,
    bare=True,
    find_suffix=True,
)
