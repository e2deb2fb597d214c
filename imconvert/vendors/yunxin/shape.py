"""Yunxin's usual import lines as a shape for the compiled part: texts, files and custom content (yunxin.md §1)."""

from __future__ import annotations

from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import compact
from imconvert.vendors.shapes import (
    Kind,
    Shape,
    choice,
    content,
    decimal,
    digits,
    json,
    number,
    record,
    some_text,
    string_or,
    text,
    word,
)
from imconvert.vendors.yunxin.records import CLIENT_NUMBERS, CUSTOM, INFO, MEDIA, NOTICE_KINDS, PLACE, WITH_OTHER

_ATTACH = record(
    name=text("name"),
    md5=text("md5"),
    url=word("url"),
    ext=word("suffix"),
    dur=number("duration"),
    w=number("width"),
    h=number("height"),
    size=number("size"),
    title=text("title"),
    lng=string_or(text("longitude"), decimal("longitude")),
    lat=string_or(text("latitude"), decimal("latitude")),
)

_NOTICES = {kind: name for kind, name in NOTICE_KINDS.items() if kind != INFO}

_TREE = record(
    type=choice("kind", {str(kind): kind for kind in (0, *MEDIA, PLACE, CUSTOM, *_NOTICES)}),
    data=record(
        ext=some_text("ext"),
        clientType=choice("client", {compact(given): str(meant) for given, meant in CLIENT_NUMBERS.items()}),
        createTime=string_or(digits("time"), number("time")),
        msgid=number("msgid"),
        from_=text("sender"),
        to=text("receiver"),
        accid=text("member"),
        tid=number("group"),
        body=text("text"),
        attach=string_or(json(_ATTACH), content("content")),
        accid2=text("other"),
    ),
)

_FILE = ("name", "md5", "suffix", "duration", "width", "height", "size", "ext")
_MEDIA = Kind(required=("url",), optional=_FILE)
_NAMED = Kind(required=("url", "name"), optional=_FILE, filled=("name",))

_SHAPE = Shape(
    tree=_TREE,
    kinds={
        0: ("text", Kind(required=("text",), optional=("ext",))),
        **{kind: (label, _NAMED if label == "file" else _MEDIA) for kind, label in MEDIA.items()},
        PLACE: ("place", Kind(required=("title", "longitude", "latitude"), optional=("ext",))),
        CUSTOM: ("custom", Kind(required=("content",), optional=("ext",))),
        **{kind: (f"notice:{name}", Kind(("other",) if kind in WITH_OTHER else ())) for kind, name in _NOTICES.items()},
    },
    find_suffix=True,
)


def shape(settings: Settings) -> Shape:
    """The shape, whatever the settings."""
    return _SHAPE
