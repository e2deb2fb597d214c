"""Parts as RongCloud's message classes (rongcloud.md §3): the way back of `bodies.py`.

Strategy: a table from kind of part to writer. Content that came from RongCloud goes back into its class; content of
other vendors goes into one custom class that the app has to register. What no class has a field for is kept as
leftovers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from imconvert.model import Custom, Media, Notes, Notice, Part, Place, Text
from imconvert.vendors.contract import Book
from imconvert.vendors.degrees import number_of
from imconvert.vendors.leftovers import Leftovers
from imconvert.vendors.lenient import compact
from imconvert.vendors.rongcloud.notices import ALONE, NAME, TEAM_NAME, WHO, WITH_PEOPLE
from imconvert.vendors.rongcloud.records import VENDOR
from imconvert.vendors.values import suffix_of
from imconvert.vendors.wrapping import unwrapped, wrapped

Content = dict[str, Any]

NOTICE = "RC:GrpNtf"
_OPERATIONS = {kind: operation for operation, kind in {**WITH_PEOPLE, **ALONE}.items()}


class Desk(NamedTuple):
    """What a writer of contents works with. `custom_class` is the class for other vendors' content."""

    notes: Notes
    left: Leftovers
    accounts: Book
    custom_class: str


class Written(NamedTuple):
    """A class and its content."""

    kind: str
    content: Content


def write_content(part: Part, actor: str, desk: Desk) -> Written:
    """The class and content for a part of a message by `actor`, an id of the target. Raises Rejected."""
    desk.left.begin()
    if isinstance(part, Notice):
        return _notice([part], actor, desk)
    return _WRITERS[part.__class__](part, desk)


def write_notices(parts: list[Notice], actor: str, desk: Desk) -> Written:
    """The one content for a notice about several people."""
    desk.left.begin()
    return _notice(parts, actor, desk)


def _known(fields: Content) -> Content:
    return {key: value for key, value in fields.items() if value is not None}


_COMMON = {"user": dict, "mentionedInfo": dict}
"""Leftovers that any content takes back, if they are what they were (§3)."""


def _returned(extra: Content | None, desk: Desk) -> Content:
    """What goes back into the content; the rest is kept."""
    extra = dict(extra or {})
    back = {key: extra.pop(key) for key, kind in _COMMON.items() if isinstance(extra.get(key), kind)}
    desk.left.keep_all(extra)
    return back


def _text(part: Text, desk: Desk) -> Written:
    return Written("RC:TxtMsg", {"content": part.text, **_returned(part.extra, desk)})


def _place(part: Place, desk: Desk) -> Written:
    latitude, longitude = number_of(part.latitude, "latitude"), number_of(part.longitude, "longitude")
    content = {"content": "", "latitude": latitude, "longitude": longitude, "poi": part.title}
    return Written("RC:LBSMsg", {**content, **_returned(part.extra, desk)})


def _media(part: Media, desk: Desk) -> Written:
    kind = "gif" if part.kind == "image" and _suffix(part) == "gif" else part.kind
    name, fields, kept = _MEDIA[kind]
    for field in kept:
        desk.left.keep(field, getattr(part, field))
    if name != "RC:FileMsg" and part.suffix not in (suffix_of(part.name), suffix_of(part.url), _IMPLIED.get(kind)):
        desk.left.keep("suffix", part.suffix)
    return Written(name, {**_known(fields(part, desk)), **_returned(part.extra, desk)})


_IMPLIED = {"gif": "gif", "audio": "aac"}


def _suffix(part: Media) -> str | None:
    return (part.suffix or suffix_of(part.name) or suffix_of(part.url) or "").lower() or None


def _seconds(part: Media, desk: Desk) -> int | None:
    """Whole seconds, rounded up, at least one; a duration that is not just that is kept as well."""
    if part.duration is None:
        return None
    seconds = max(1, -(-part.duration // 1000))
    if seconds * 1000 != part.duration:
        desk.left.keep("duration", part.duration)
    return seconds


def _image(part: Media, desk: Desk) -> Content:
    return {"content": "", "imageUri": part.url, "name": part.name}


def _gif(part: Media, desk: Desk) -> Content:
    return {"gifDataSize": part.size, "remoteUrl": part.url, "width": part.width, "height": part.height,
            "name": part.name}  # fmt: skip


def _audio(part: Media, desk: Desk) -> Content:
    return {"remoteUrl": part.url, "duration": _seconds(part, desk), "name": part.name}


def _video(part: Media, desk: Desk) -> Content:
    return {"sightUrl": part.url, "content": "", "duration": _seconds(part, desk), "size": part.size,
            "name": part.name}  # fmt: skip


def _file(part: Media, desk: Desk) -> Content:
    name = part.name
    if name is None:
        name = part.url.split("?", 1)[0].rsplit("/", 1)[-1] or "file"
        desk.notes.repairs.append("IMC-3016")
    return {"name": name, "size": part.size, "type": _suffix(part), "fileUrl": part.url}


_MEDIA: dict[str, tuple[str, Callable[[Media, Desk], Content], tuple[str, ...]]] = {
    "image": ("RC:ImgMsg", _image, ("size", "width", "height", "duration", "md5")),
    "gif": ("RC:GIFMsg", _gif, ("duration", "md5")),
    "audio": ("RC:HQVCMsg", _audio, ("size", "width", "height", "md5")),
    "video": ("RC:SightMsg", _video, ("width", "height", "md5")),
    "file": ("RC:FileMsg", _file, ("width", "height", "duration", "md5")),
}
"""For each kind of media its class, its content, and the fields that the class has no place for."""


def _custom(part: Custom, desk: Desk) -> Written:
    """RongCloud's own class and content as they were; all else whole in the class for other vendors' content."""
    part = unwrapped(part)
    own = _own(part, desk)
    if own:
        return own
    desk.left.keep_all(part.extra)
    desk.notes.changes.append(("transformed", f"{part.kind} to the class {desk.custom_class}"))
    return Written(desk.custom_class, wrapped(part))


def _own(part: Custom, desk: Desk) -> Written | None:
    raw = part.content
    if part.vendor != VENDOR or not isinstance(raw, dict):
        return None
    kind, content = raw.get("objectName"), raw.get("content")
    if not isinstance(kind, str) or not kind or not isinstance(content, dict):
        return None
    desk.left.keep_all({"record": raw["record"]} if "record" in raw else None)
    desk.left.keep_all(part.extra)
    return Written(kind, content)


def _notice(parts: list[Notice], actor: str, desk: Desk) -> Written:
    """What happened in a group; kinds that the vendor has no operation for go into the custom class (§3)."""
    for part in parts:
        desk.left.keep_all(part.extra)
    people = [desk.accounts[part.who] for part in parts if part.who is not None]
    kind, info = parts[0].kind, parts[0].info
    data: Content | None = None
    if kind in _OPERATIONS:
        operation, data = _OPERATIONS[kind], {WHO: people} if people else {}
    elif kind == "info" and info and set(info) == {TEAM_NAME}:
        operation, data = "Rename", {NAME: info[TEAM_NAME]}
    if data is None:
        desk.notes.changes.append(("transformed", f"notice to the class {desk.custom_class}"))
        raw = _known({"notice": kind, "who": people or None, "info": info})
        return Written(desk.custom_class, wrapped(Custom("notice", "imconvert", raw)))
    return Written(NOTICE, {"operatorUserId": actor, "operation": operation, "data": compact(data), "message": ""})


_WRITERS: dict[type, Callable[[Any, Desk], Written]] = {Text: _text, Media: _media, Place: _place, Custom: _custom}
