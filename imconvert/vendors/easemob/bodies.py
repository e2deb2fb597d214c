"""Easemob's bodies as parts (easemob.md §2.3).

Strategy: a table from body type to reader; each takes the fields it knows and leaves the rest in `extra`. A type
that nobody knows becomes a custom part, so that it survives the trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from imconvert.errors import Rejected
from imconvert.model import Custom, Media, Notes, Part, Place, Text
from imconvert.vendors import values
from imconvert.vendors.lenient import shown

Body = dict[str, Any]
VENDOR = "easemob"
MediaKind = Literal["image", "audio", "video", "file"]


def read_body(body: Any, notes: Notes) -> Part:
    """One element of `bodies`. Raises Rejected where a field that the type needs is missing or of another kind."""
    if not isinstance(body, dict):
        raise Rejected("IMC-2102", field="payload.bodies", found=shown(body), expected="an object")
    if body.get("subType") == "sub_combine":
        _name_unknown("combined", body, notes)
        return _custom("combined", body, notes)
    kind = body.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader:
        return reader(body, notes)
    if kind != "unknown":
        notes.novel.append(("type", kind if isinstance(kind, str) else shown(kind)))
    return _custom("unknown", body, notes)


def _name_unknown(kind: str, keys: Iterable[str], notes: Notes) -> None:
    """Say which keys the documents don't know for a kind of body."""
    known = _DOCUMENTED[kind]
    notes.novel.extend(("key", f"payload.bodies.{kind}.{key}") for key in keys if key not in known)


def _text(body: Body, notes: Notes) -> Part:
    rest = _rest(body, ("type", "msg"))
    if rest:
        _name_unknown("txt", rest, notes)
    return Text(values.text(body.get("msg"), "msg"), rest)


def _rest(body: Body, known: tuple[str, ...]) -> dict[str, Any] | None:
    if len(body) <= len(known) and all(key in known for key in body):
        return None
    return {key: value for key, value in body.items() if key not in known and value is not None} or None


def _media(kind: MediaKind, known: tuple[str, ...]) -> Callable[[Body, Notes], Part]:
    def read(body: Body, notes: Notes) -> Part:
        url = values.text(body.get("url"), "url").strip()
        if not url:
            raise Rejected("IMC-2101", field="url")
        width, height = _size(body, notes)
        name = body.get("filename")
        return Media(
            kind,
            url,
            name=values.text(name, "filename") if name else None,
            size=_number(body, ("file_length",), notes),
            width=width,
            height=height,
            duration=_duration(body, notes) if "length" in known else None,
            extra=_leftover(body, _understood(body, known), notes),
        )

    return read


def _understood(body: Body, known: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that are taken from this body: a size of another shape than usual stays with the leftovers."""
    if "size" not in body or _is_size(body["size"]):
        return known
    return tuple(key for key in known if key != "size")


def _size(body: Body, notes: Notes) -> tuple[int | None, int | None]:
    size = body.get("size")
    if not _is_size(size):
        return None, None
    assert isinstance(size, dict)
    if body["type"] == "video":
        notes.changes.append(("degraded", "video width and height are the thumbnail's"))
    return _number(size, ("width",), notes), _number(size, ("height",), notes)


def _is_size(size: Any) -> bool:
    return isinstance(size, dict) and size.keys() <= {"width", "height"}


def _number(body: Body, keys: tuple[str, ...], notes: Notes) -> int | None:
    """A whole number; fractions, which some clients send for sizes, are rounded and noted."""
    value = next((body[key] for key in keys if body.get(key) is not None), None)
    if value is None:
        return None
    if type(value) is float and not value.is_integer():
        notes.changes.append(("degraded", f"{keys[0]} rounded"))
        return round(value)
    return values.whole(value, keys[0], notes)


def _duration(body: Body, notes: Notes) -> int | None:
    """Seconds to milliseconds; both spellings of the key are in use."""
    value = body.get("length", body.get("Length"))
    if value is None:
        return None
    notes.changes.append(("transformed", "length in s to dur in ms"))
    if type(value) is float:
        return round(value * 1000)
    return values.whole(value, "length", notes) * 1000


def _leftover(body: Body, known: tuple[str, ...], notes: Notes) -> dict[str, Any] | None:
    rest = _rest(body, known)
    if rest:
        _name_unknown(body["type"], rest, notes)
        notes.changes.extend(("transformed", f"{key[:40]} kept in attach") for key in sorted(rest))
    return rest


def _place(body: Body, notes: Notes) -> Part:
    for key in ("lat", "lng"):
        if body.get(key) is None:
            raise Rejected("IMC-2101", field=key)
    title = body.get("addr")
    return Place(
        values.text(title, "addr") if title is not None else "",
        values.decimal(body["lng"], "lng"),
        values.decimal(body["lat"], "lat"),
        _leftover(body, ("type", "lat", "lng", "addr"), notes),
    )


def _custom(kind: str, body: Body, notes: Notes) -> Part:
    notes.changes.append(("transformed", f"{kind} to a wrapped custom message"))
    return Custom(kind, VENDOR, body)


def _app_custom(body: Body, notes: Notes) -> Part:
    _name_unknown("custom", body, notes)
    return _custom("custom", body, notes)


def _command(body: Body, notes: Notes) -> Part:
    _name_unknown("cmd", body, notes)
    return _custom("command", body, notes)


_FILE = ("type", "url", "filename", "file_length")
_audio = _media("audio", (*_FILE, "length", "Length"))

_OF_FILES = frozenset({*_FILE, "secret"})
_OF_AUDIO = _OF_FILES | {"length", "Length"}
_OF_IMAGES = _OF_FILES | {"size", "thumb", "thumb_secret", "thumbFilename"}
_DOCUMENTED: dict[str, frozenset[str]] = {
    "txt": frozenset({"type", "msg"}),
    "img": _OF_IMAGES,
    "audio": _OF_AUDIO,
    "voice": _OF_AUDIO,
    "video": _OF_IMAGES | _OF_AUDIO,
    "file": _OF_FILES,
    "loc": frozenset({"type", "lat", "lng", "addr", "buildingName"}),
    "cmd": frozenset({"type", "action", "param"}),
    "custom": frozenset({"type", "customEvent", "v2:customExts", "customExts"}),
    "combined": _OF_FILES | {"subType", "title", "summary", "msg", "combineLevel"},
}
"""The keys that the documents know of each kind of body (§2.3), whatever becomes of them."""

_READERS: dict[str, Callable[[Body, Notes], Part]] = {
    "txt": _text,
    "img": _media("image", (*_FILE, "size")),
    "audio": _audio,
    "voice": _audio,
    "video": _media("video", (*_FILE, "size", "length", "Length")),
    "file": _media("file", _FILE),
    "loc": _place,
    "cmd": _command,
    "custom": _app_custom,
}
