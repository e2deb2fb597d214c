"""Yunxin's usual records as shapes for the compiled part: import lines, copies, items of answers (yunxin.md §1-6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import compact
from imconvert.vendors.nodes import (
    IGNORED,
    Node,
    among,
    by_kind,
    choice,
    content,
    decimal,
    digits,
    json,
    mended,
    number,
    record,
    record_of,
    some_text,
    string_or,
    text,
    word,
)
from imconvert.vendors.shapes import Kind, Shape, whatever_head
from imconvert.vendors.yunxin.copies import CLIENTS as CLIENTS_IN_COPIES
from imconvert.vendors.yunxin.copies import MARK as COPY
from imconvert.vendors.yunxin.copies import TRANSPORT
from imconvert.vendors.yunxin.history import MARKS
from imconvert.vendors.yunxin.records import CLIENT_NUMBERS, CUSTOM, INFO, JOIN, MEDIA, NOTICE_KINDS, PLACE, WITH_OTHER

_ATTACH_NODES = {
    "name": text("name"),
    "md5": text("md5"),
    "url": word("url"),
    "ext": word("suffix"),
    "dur": number("duration"),
    "w": number("width"),
    "h": number("height"),
    "size": number("size"),
    "title": text("title"),
    "lng": string_or(text("longitude"), decimal("longitude")),
    "lat": string_or(text("latitude"), decimal("latitude")),
}
_ATTACH = record_of(_ATTACH_NODES)
_IN_STRING = "IMC-3007"


def _number(name: str) -> Node:
    """A number, or a string of one, which is mended."""
    return string_or(mended(_IN_STRING, digits(name)), number(name))


_MENDED = {"dur": _number("duration"), "w": _number("width"), "h": _number("height"), "size": _number("size")}
_TYPES = (0, *MEDIA, PLACE, CUSTOM, *(kind for kind in NOTICE_KINDS if kind != INFO))

_NOTICES = {kind: name for kind, name in NOTICE_KINDS.items() if kind != INFO}

_TREE = record(
    type=string_or(
        mended(_IN_STRING, choice("kind", {f'"{kind}"': kind for kind in _TYPES})),
        choice("kind", {str(kind): kind for kind in _TYPES}),
    ),
    data=record(
        ext=some_text("ext"),
        clientType=choice("client", {compact(given): str(meant) for given, meant in CLIENT_NUMBERS.items()}),
        createTime=string_or(digits("time"), number("time")),
        msgid=_number("msgid"),
        from_=text("sender"),
        to=text("receiver"),
        accid=text("member"),
        tid=_number("group"),
        body=text("text"),
        attach=string_or(json(record_of(_ATTACH_NODES | _MENDED)), content("content")),
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
    numbered=True,
    find_suffix=True,
    turned=JOIN,
    label=b"json",
)


def shape(settings: Settings) -> Shape:
    """The shape of import lines, whatever the settings."""
    return _SHAPE


def _kinds(names: Mapping[int, str], *required: str) -> dict[int, tuple[str, Kind]]:
    found = {number: _SHAPE.kinds[number] for number in names}
    return {
        number: (label, replace(kind, required=(*kind.required, *required))) for number, (label, kind) in found.items()
    }


ITEM, ITEM2, _ = MARKS
_PLAIN = {0: "TEXT", 1: "PICTURE", 2: "AUDIO", 3: "VIDEO", PLACE: "LOCATION", 6: "FILE"}
_EITHER_NUMBER = {name: string_or(digits(name), number(name)) for name in ("msgid", "time")}
_CLIENT = choice("client", {compact(given): str(meant) for given, meant in CLIENT_NUMBERS.items()})


def _copies(*teams: str) -> Shape:
    chats = {'"PERSON"': 0} | {f'"{name}"': 1 for name in teams}
    tree = record(
        eventType=choice("extra7", {'"1"': ""}),
        convType=choice("chat", chats),
        to=text("receiver"),
        fromAccount=text("sender"),
        fromClientType=choice("client", {f'"{name}"': str(meant) for name, meant in CLIENTS_IN_COPIES.items()}),
        msgTimestamp=_EITHER_NUMBER["time"],
        msgType=choice("kind", {f'"{name}"': kind for kind, name in _PLAIN.items()}),
        msgidServer=_EITHER_NUMBER["msgid"],
        body=some_text("text"),
        attach=json(_ATTACH),
        ext=some_text("ext"),
        **dict.fromkeys(TRANSPORT, IGNORED),
    )
    return replace(_SHAPE, tree=tree, kinds=_kinds(_PLAIN, "chat", "extra7"), mark=COPY, label=None)


_IN_ANSWERS = {**_PLAIN, CUSTOM: "CUSTOM"}
_FILED = {kind: _ATTACH for kind in _PLAIN if kind}
_BODY = by_kind({0: record(msg=text("text")), **_FILED, CUSTOM: content("content")})
_LONG = record_of({**_ATTACH_NODES, "width": number("width"), "height": number("height")})
_ATTACHMENT = by_kind({**dict.fromkeys(_FILED, _LONG), CUSTOM: content("content")})
_ITEM = record(
    from_=text("sender"),
    to=text("receiver"),
    tid=string_or(text("group"), number("group")),
    msgid=_EITHER_NUMBER["msgid"],
    msgidclient=IGNORED,
    sendtime=_EITHER_NUMBER["time"],
    type=choice("kind", {str(kind): kind for kind in _IN_ANSWERS}),
    fromclienttype=_CLIENT,
    body=_BODY,
    ext=some_text("ext"),
)
_ITEM2 = record(
    message_server_id=_EITHER_NUMBER["msgid"],
    message_client_id=IGNORED,
    conversation_type=among("1", "2", "3"),
    sender_id=text("sender"),
    receiver_id=text("receiver"),
    team_id=string_or(text("group"), number("group")),
    message_type=choice("kind", {str(kind): kind for kind in _IN_ANSWERS}),
    sub_type=among("0"),
    create_time=_EITHER_NUMBER["time"],
    sender_client_type=_CLIENT,
    text=text("text"),
    attachment=_ATTACHMENT,
    extension=some_text("ext"),
)


def more_shapes(settings: Settings) -> tuple[Shape, ...]:
    """The shapes of copies, and of items of both kinds of answers."""
    teams = ("TEAM", "SUPER_TEAM") if settings["yunxin.super_team"] == "team" else ("TEAM",)
    one = replace(_SHAPE, tree=_ITEM, kinds=_kinds(_IN_ANSWERS), mark=ITEM, behind=whatever_head, label=None)
    return _copies(*teams), one, replace(one, tree=_ITEM2, mark=ITEM2)
