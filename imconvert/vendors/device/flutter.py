"""Parts as bodies of Easemob's SDK, in the JSON of its Flutter edition, the only public one (easemob.md §7).

Strategy: a table from kind of part to writer. What came from Easemob goes back into its fields; commands, which clients
do not store, and other vendors' content become custom bodies. What no body has a field for is kept as leftovers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from imconvert.model import Custom, Media, Notes, Notice, Part, Place, Text
from imconvert.vendors.contract import Book
from imconvert.vendors.covers import cover_of
from imconvert.vendors.degrees import number_of
from imconvert.vendors.easemob.exts import KEYS, exts_of
from imconvert.vendors.leftovers import Leftovers
from imconvert.vendors.lenient import compact
from imconvert.vendors.values import suffix_of
from imconvert.vendors.wrapping import unwrapped

Body = dict[str, Any]
VENDOR = "easemob"
PENDING = 3
"""fileStatus of a file that is not on the device yet."""
EVENT = re.compile(r"[a-zA-Z0-9\-_/.]{1,32}")
MOST_PARAMS = 16


class Desk(NamedTuple):
    """What a writer of bodies works with. `event` is the name for custom content that has none of its own."""

    notes: Notes
    left: Leftovers
    accounts: Book
    event: str


def write_body(part: Part, desk: Desk) -> Body:
    """The body for a part. Raises Rejected where it can't be made, or an id is refused."""
    desk.left.begin()
    return _WRITERS[part.__class__](part, desk)


def _text(part: Text, desk: Desk) -> Body:
    desk.left.keep_all(part.extra)
    return {"type": "txt", "content": part.text}


def _place(part: Place, desk: Desk) -> Body:
    extra = dict(part.extra or {})
    building = _word(extra, "buildingName")
    desk.left.keep_all(extra)
    return {"type": "loc", "latitude": number_of(part.latitude, "latitude"),
            "longitude": number_of(part.longitude, "longitude"), "address": part.title, **building}  # fmt: skip


def _word(extra: Body, key: str, name: str = "") -> Body:
    """A text among the leftovers under the name that it has in a body; it is no leftover then."""
    value = extra.get(key)
    if not isinstance(value, str):
        return {}
    del extra[key]
    return {name or key: value}


def _media(part: Media, desk: Desk) -> Body:
    extra = dict(part.extra or {})
    kind, own, kept = _MEDIA[part.kind]
    body = {"type": kind, "remotePath": part.url, **_word(extra, "secret"), "displayName": _name(part, desk),
            "fileSize": part.size or 0, "localPath": "", "fileStatus": PENDING, **own(part, extra, desk)}  # fmt: skip
    for field in kept:
        desk.left.keep(field, getattr(part, field))
    if part.suffix not in (suffix_of(body["displayName"]), suffix_of(part.url)):
        desk.left.keep("suffix", part.suffix)
    desk.left.keep_all(extra)
    return body


def _name(part: Media, desk: Desk) -> str:
    """What clients show; made of the URL where the source has no name."""
    if part.name:
        return part.name
    desk.notes.repairs.append("IMC-3016")
    return part.url.split("?", 1)[0].rsplit("/", 1)[-1] or part.kind


def _seconds(part: Media, desk: Desk) -> int:
    """Whole seconds, rounded up; a duration that is not just that is kept as well."""
    if part.duration is None:
        return 0
    seconds = -(-part.duration // 1000)
    if seconds * 1000 != part.duration:
        desk.left.keep("duration", part.duration)
    return seconds


def _image(part: Media, extra: Body, desk: Desk) -> Body:
    return _measures(part) | _cover(extra)


def _measures(part: Media) -> Body:
    return {"width": part.width or 0, "height": part.height or 0}


def _cover(extra: Body) -> Body:
    found = cover_of(extra)
    if not found:
        return {}
    del extra[found[0]]
    return {"thumbnailRemotePath": found[1], **_word(extra, "thumb_secret", "thumbnailSecret")}


def _video(part: Media, extra: Body, desk: Desk) -> Body:
    return {"duration": _seconds(part, desk), **_measures(part), **_cover(extra)}


def _voice(part: Media, extra: Body, desk: Desk) -> Body:
    return {"duration": _seconds(part, desk)}


def _nothing(part: Media, extra: Body, desk: Desk) -> Body:
    return {}


_MEDIA: dict[str, tuple[str, Callable[[Media, Body, Desk], Body], tuple[str, ...]]] = {
    "image": ("img", _image, ("duration", "md5")),
    "audio": ("voice", _voice, ("width", "height", "md5")),
    "video": ("video", _video, ("md5",)),
    "file": ("file", _nothing, ("width", "height", "duration", "md5")),
}
"""For each kind of media its type, its own fields, and the fields of the model that it has no place for."""


def _custom(part: Custom, desk: Desk) -> Body:
    """Easemob's own content as it was, the app's own of Yunxin as parameters, all else whole in one parameter."""
    desk.left.keep_all(part.extra)
    part = unwrapped(part)
    if part.vendor == VENDOR and isinstance(part.content, dict) and (restore := _RESTORED.get(part.kind)):
        found = restore(part.content, desk)
        if found:
            return found
    if part.kind == "custom" and part.vendor == "yunxin" and _are_params(part.content):
        return {"type": "custom", "event": desk.event, "params": part.content}
    desk.notes.changes.append(("transformed", f"{part.kind[:40]} to a wrapped custom body"))
    event = part.kind if EVENT.fullmatch(part.kind) else desk.event
    return {"type": "custom", "event": event, "params": {"src": part.vendor, "raw": compact(part.content)}}


def _are_params(found: Any) -> bool:
    """Whether an object has just texts, and not too many (§4.4)."""
    return isinstance(found, dict) and len(found) <= MOST_PARAMS and all(isinstance(v, str) for v in found.values())


def _own_custom(raw: Body, desk: Desk) -> Body | None:
    event, params = raw.get("customEvent"), exts_of(raw)
    params = {} if params is None else params
    if not isinstance(event, str) or not EVENT.fullmatch(event) or not isinstance(params, dict):
        return None
    if len(params) > MOST_PARAMS:
        return None
    texts = {key: value if isinstance(value, str) else compact(value) for key, value in params.items()}
    if texts != params:
        desk.notes.changes.append(("transformed", "values of custom content to texts"))
    known = ("type", "customEvent", *KEYS)
    desk.left.keep_all({key: value for key, value in raw.items() if key not in known})
    return {"type": "custom", "event": event, "params": texts}


_COMBINED = {"title": "title", "summary": "summary", "msg": "compatibleText", "url": "remotePath", "secret": "secret",
             "filename": "displayName"}  # fmt: skip


def _own_combined(raw: Body, desk: Desk) -> Body | None:
    if not isinstance(raw.get("url"), str):
        return None
    rest = {key: value for key, value in raw.items() if key not in ("type", "subType")}
    body: Body = {"type": "combine"}
    for key, name in _COMBINED.items():
        body |= _word(rest, key, name)
    size = rest.pop("file_length", 0)
    desk.left.keep_all(rest)
    return {**body, "fileSize": size if type(size) is int else 0, "localPath": "", "fileStatus": PENDING}


_RESTORED: dict[str, Callable[[Body, Desk], Body | None]] = {"custom": _own_custom, "combined": _own_combined}


def _notice(part: Notice, desk: Desk) -> Body:
    """What happened in a group, as custom content of the one who did it."""
    desk.left.keep_all(part.extra)
    desk.notes.changes.append(("transformed", "notice to a custom body"))
    params = {"notice": part.kind}
    params |= {} if part.who is None else {"who": desk.accounts[part.who]}
    params |= {} if part.info is None else {"info": compact(part.info)}
    return {"type": "custom", "event": "notice", "params": params}


_WRITERS: dict[type, Callable[[Any, Desk], Body]] = {
    Text: _text, Media: _media, Place: _place, Custom: _custom, Notice: _notice,
}  # fmt: skip
