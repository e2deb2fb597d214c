"""Tencent's elements as parts (tencent.md §6, §11).

Strategy: a table from MsgType to reader; each takes the fields it knows and leaves the rest in `extra`. Elements that
no noun fits, known or not, become custom parts with the whole element, from which it can be rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from imconvert.errors import Rejected
from imconvert.model import Custom, Media, Notes, Part, Place, Text
from imconvert.vendors import values
from imconvert.vendors.lenient import shown
from imconvert.vendors.tencent.keys import VENDOR

Content = dict[str, Any]
Read = Callable[[Content, Content, Notes], Part]
MediaKind = Literal["image", "audio", "video", "file"]

FORMATS = {1: "jpg", 2: "gif", 3: "png", 4: "bmp"}
OTHER_FORMAT = 255
ORIGINAL = 1
_KEYS = ("MsgType", "MsgContent")


def read_element(element: Content, notes: Notes) -> Part:
    """One element of a MsgBody. Raises Rejected where a field that it needs is missing or of another kind."""
    kind, content = element.get("MsgType"), element.get("MsgContent")
    if not isinstance(kind, str):
        raise Rejected("IMC-2102" if "MsgType" in element else "IMC-2101", field="MsgBody.MsgType",
                       found=shown(kind), expected="a string")  # fmt: skip
    known = _READERS.get(kind)
    if known is None:
        notes.novel.append(("type", kind))
        return _whole("unknown", element, notes)
    if not isinstance(content, dict):
        raise Rejected("IMC-2102" if "MsgContent" in element else "IMC-2101", field="MsgBody.MsgContent",
                       found=shown(content), expected="an object")  # fmt: skip
    documented, read = known
    if len(element) > len(_KEYS):
        notes.novel.extend(("key", f"MsgBody.{key}") for key in element if key not in _KEYS)
    if not content.keys() <= documented:
        notes.novel.extend(("key", f"MsgBody.{kind}.{key}") for key in content if key not in documented)
    return read(content, element, notes)


def _whole(kind: str, element: Content, notes: Notes) -> Custom:
    notes.changes.append(("transformed", f"{kind} to a wrapped custom message"))
    return Custom(kind, VENDOR, element)


def _wrapping(kind: str) -> Read:
    return lambda _, element, notes: _whole(kind, element, notes)


def _leftover(content: Content, element: Content, taken: tuple[str, ...]) -> Content | None:
    """What the part has no field for; download flags of 2, the only value there is, say nothing."""
    rest = {key: value for key, value in element.items() if key not in _KEYS}
    rest |= {
        key: value
        for key, value in content.items()
        if key not in taken and value is not None and not (key in _FLAGS and value == 2)
    }
    return rest or None


def _kept(content: Content, element: Content, taken: tuple[str, ...], notes: Notes) -> Content | None:
    rest = _leftover(content, element, taken)
    notes.changes.extend(("transformed", f"{key[:40]} kept in attach") for key in sorted(rest or ()))
    return rest


def _text(content: Content, element: Content, notes: Notes) -> Part:
    text = values.text(content.get("Text"), "Text")
    if len(content) == 1 and len(element) == 2:
        return Text(text)
    return Text(text, _leftover(content, element, ("Text",)))


def _place(content: Content, element: Content, notes: Notes) -> Part:
    for key in ("Latitude", "Longitude"):
        if content.get(key) is None:
            raise Rejected("IMC-2101", field=key)
    title = content.get("Desc")
    return Place(
        values.text(title, "Desc") if title is not None else "",
        values.decimal(content["Longitude"], "Longitude"),
        values.decimal(content["Latitude"], "Latitude"),
        _kept(content, element, ("Desc", "Latitude", "Longitude"), notes),
    )


def _sound(content: Content, element: Content, notes: Notes) -> Part:
    url = _url(content, "Url")
    if not url:
        return _unavailable(element, notes)
    return Media(
        "audio",
        url,
        size=_whole_number(content, "Size", notes),
        duration=_duration(content, "Second", notes),
        extra=_kept(content, element, ("Url", "Size", "Second"), notes),
    )


def _file(content: Content, element: Content, notes: Notes) -> Part:
    url = _url(content, "Url")
    if not url:
        return _unavailable(element, notes)
    return Media(
        "file",
        url,
        name=_base_name(content.get("FileName"), notes),
        size=_whole_number(content, "FileSize", notes),
        extra=_kept(content, element, ("Url", "FileName", "FileSize"), notes),
    )


def _base_name(name: Any, notes: Notes) -> str | None:
    """The last part of a name that may be a path on a device."""
    if name is None or name == "":
        return None
    last = values.text(name, "FileName").replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    if last != name:
        notes.changes.append(("transformed", "FileName cut to its last part"))
    return last or None


def _video(content: Content, element: Content, notes: Notes) -> Part:
    url = _url(content, "VideoUrl")
    if not url:
        return _unavailable(element, notes)
    width, height = (_pixels(content, key, notes) for key in ("ThumbWidth", "ThumbHeight"))
    if width or height:
        notes.changes.append(("degraded", "video width and height are the thumbnail's"))
    form = content.get("VideoFormat")
    return Media(
        "video",
        url,
        suffix=values.text(form, "VideoFormat").lower() or None if form is not None else None,
        size=_whole_number(content, "VideoSize", notes),
        width=width,
        height=height,
        duration=_duration(content, "VideoSecond", notes),
        extra=_kept(content, element, _OF_VIDEO, notes),
    )


_OF_VIDEO = ("VideoUrl", "VideoSize", "VideoSecond", "VideoFormat", "ThumbWidth", "ThumbHeight")


def _image(content: Content, element: Content, notes: Notes) -> Part:
    """The original, or else the largest, is the picture; the others stay beside it."""
    sizes = content.get("ImageInfoArray")
    if sizes is None:
        sizes = []
    if not isinstance(sizes, list) or not all(isinstance(size, dict) for size in sizes):
        raise Rejected("IMC-2102", field="ImageInfoArray", found=shown(sizes), expected="an array of objects")
    with_url = [size for size in sizes if _url(size, "URL")]
    if not with_url:
        return _unavailable(element, notes)
    picture = max(with_url, key=lambda size: (size.get("Type") == ORIGINAL, *_extent(size)))
    _name_unknown_sizes(sizes, notes)
    taken: Content = {**content, "ImageInfoArray": [size for size in sizes if size is not picture] or None}
    taken |= {key: value for key, value in picture.items() if key not in _OF_SIZE}
    form = content.get("ImageFormat")
    suffix = _suffix(form, notes)
    return Media(
        "image",
        _url(picture, "URL"),
        suffix=suffix,
        size=_whole_number(picture, "Size", notes),
        width=_pixels(picture, "Width", notes),
        height=_pixels(picture, "Height", notes),
        extra=_kept(taken, element, ("ImageFormat",) if suffix or form == OTHER_FORMAT else (), notes),
    )


_OF_SIZE = ("Type", "URL", "Size", "Width", "Height")


def _name_unknown_sizes(sizes: list[Content], notes: Notes) -> None:
    path = "MsgBody.TIMImageElem.ImageInfoArray"
    notes.novel.extend(("key", f"{path}.{key}") for size in sizes for key in size if key not in _OF_SIZE)


def _extent(size: Content) -> tuple[int, int]:
    width, height, length = (
        value if type(value := size.get(key)) is int else 0 for key in ("Width", "Height", "Size")
    )  # fmt: skip
    return width * height, length


def _suffix(form: Any, notes: Notes) -> str | None:
    """The suffix of a picture's format; where that says nothing, the URL decides."""
    if form is None or form == OTHER_FORMAT:
        return None
    suffix = FORMATS.get(form) if type(form) is int else None
    if suffix is None:
        notes.novel.append(("value", f"MsgBody.TIMImageElem.ImageFormat={shown(form, 20)}"))
    return suffix


def _unavailable(element: Content, notes: Notes) -> Part:
    """A medium without a URL cannot be fetched, but the message stays (§6)."""
    notes.repairs.append("IMC-3102")
    notes.changes.append(("degraded", "media without a URL"))
    return Custom("media-unavailable", VENDOR, element)


def _url(content: Content, key: str) -> str:
    value = content.get(key)
    return values.text(value, key).strip() if value is not None else ""


def _whole_number(content: Content, key: str, notes: Notes) -> int | None:
    value = content.get(key)
    return None if value is None else values.whole(value, key, notes)


def _pixels(content: Content, key: str, notes: Notes) -> int | None:
    """Width or height; 0 means that nobody knows."""
    return _whole_number(content, key, notes) or None


def _duration(content: Content, key: str, notes: Notes) -> int | None:
    seconds = _whole_number(content, key, notes)
    if seconds is None:
        return None
    notes.changes.append(("transformed", f"{key} in s to dur in ms"))
    return seconds * 1000


_FLAGS = frozenset({"Download_Flag", "VideoDownloadFlag", "ThumbDownloadFlag"})
_MEDIUM = ("Url", "UUID", "Download_Flag")

_READERS: dict[str, tuple[frozenset[str], Read]] = {
    "TIMTextElem": (frozenset({"Text"}), _text),
    "TIMLocationElem": (frozenset({"Desc", "Latitude", "Longitude"}), _place),
    "TIMFaceElem": (frozenset({"Index", "Data"}), _wrapping("face")),
    "TIMCustomElem": (frozenset({"Data", "Desc", "Ext", "Sound"}), _wrapping("custom")),
    "TIMSoundElem": (frozenset({*_MEDIUM, "Size", "Second"}), _sound),
    "TIMImageElem": (frozenset({"UUID", "ImageFormat", "ImageInfoArray"}), _image),
    "TIMFileElem": (frozenset({*_MEDIUM, "FileSize", "FileName"}), _file),
    "TIMVideoFileElem": (
        frozenset({*_OF_VIDEO, "VideoUUID", "VideoDownloadFlag", "ThumbUrl", "ThumbUUID", "ThumbSize", "ThumbFormat",
                   "ThumbDownloadFlag"}), _video),
    "TIMRelayElem": (
        frozenset({"Title", "MsgNum", "CompatibleText", "AbstractList", "MsgList", "JsonMsgKey"}),
        _wrapping("combined")),
    "TIMGroupTipElem": (frozenset(), _wrapping("tip")),
    "TIMGroupSystemNoticeElem": (frozenset(), _wrapping("tip")),
}  # fmt: skip
"""For each MsgType the fields that the documents know, and its reader."""
