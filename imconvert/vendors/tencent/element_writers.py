"""Parts as Tencent's elements (tencent.md §6, §11): the way back of `elements.py`.

Strategy: a table from kind of part to writer. What came from Tencent goes back into the fields it came from; what no
element has a field for is kept among the leftovers. Content of other vendors becomes a TIMCustomElem that tells whose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from xxhash import xxh3_128_hexdigest

from imconvert.model import Custom, Media, Notes, Notice, Part, Place, Text
from imconvert.vendors.contract import Book
from imconvert.vendors.covers import cover_of
from imconvert.vendors.degrees import number_of
from imconvert.vendors.leftovers import Leftovers
from imconvert.vendors.lenient import compact
from imconvert.vendors.tencent.elements import FORMATS, ORIGINAL, OTHER_FORMAT
from imconvert.vendors.tencent.keys import VENDOR
from imconvert.vendors.values import suffix_of
from imconvert.vendors.wrapping import unwrapped, wrapped

Element = dict[str, Any]
CUSTOM = "TIMCustomElem"
SENDABLE = frozenset({"custom", "face", "combined", "unknown"})
"""Kinds of Tencent's own content that go back as elements; tips and media without an address can't be sent (§6)."""

FORMAT_NUMBERS = {suffix: number for number, suffix in FORMATS.items()} | {"jpeg": 1}
DOWNLOAD = 2
LARGE, THUMB = 2, 3
SIZE_OF_COVER = "width and height of the video to its cover's"


class Choices(NamedTuple):
    """What the settings say about elements: how many sizes a picture gets, and what stands for a missing cover."""

    sizes: str
    cover: str


class Desk(NamedTuple):
    """What a writer of elements works with."""

    notes: Notes
    left: Leftovers
    accounts: Book
    choices: Choices


def write_element(part: Part, desk: Desk) -> Element:
    """The element for a part. Raises Rejected where the element can't be made, or an id is refused."""
    desk.left.begin()
    kind, content = _WRITERS[part.__class__](part, desk)
    return {"MsgType": kind, "MsgContent": content} if kind else content


Written = tuple[str, Element]
"""MsgType and MsgContent; or an empty type and a whole element."""


def _text(part: Text, desk: Desk) -> Written:
    desk.left.keep_all(part.extra)
    return "TIMTextElem", {"Text": part.text}


def _place(part: Place, desk: Desk) -> Written:
    desk.left.keep_all(part.extra)
    return "TIMLocationElem", {
        "Desc": part.title,
        "Latitude": number_of(part.latitude, "Latitude"),
        "Longitude": number_of(part.longitude, "Longitude"),
    }


def _media(part: Media, desk: Desk) -> Written:
    return _MEDIA[part.kind](part, dict(part.extra or {}), desk)


def _uuid(part: Media, extra: Element, key: str) -> str:
    """The name of a file in the cloud: the source's own, or its check sum, or that of its address (§6)."""
    own = extra.pop(key, None)
    if isinstance(own, str) and own:
        return own
    return part.md5 or digest(part.url)


def digest(url: str) -> str:
    """A name for a file by its address."""
    return xxh3_128_hexdigest(url.encode())


def _rest(part: Media, extra: Element, desk: Desk, uuid: str, *fields: str) -> None:
    """Keep what the element has no field for: these fields of the part, a check sum that is not its name, the extra."""
    for field in fields:
        desk.left.keep(field, getattr(part, field))
    if part.md5 != uuid:
        desk.left.keep("md5", part.md5)
    desk.left.keep_all(extra)


def _seconds(part: Media, desk: Desk) -> int | None:
    """Whole seconds, rounded up, at least one (§11); a duration that is not just that is kept as well."""
    if part.duration is None:
        return None
    seconds = max(1, -(-part.duration // 1000))
    if seconds * 1000 != part.duration:
        desk.left.keep("duration", part.duration)
    return seconds


def _keep_suffix(part: Media, name: str | None, desk: Desk) -> None:
    """Keep a suffix that neither name nor address tells."""
    if part.suffix not in (suffix_of(name), suffix_of(part.url)):
        desk.left.keep("suffix", part.suffix)


def _flag(extra: Element, key: str) -> int:
    flag = extra.pop(key, None)
    return flag if type(flag) is int else DOWNLOAD


def _known(fields: Element) -> Element:
    return {key: value for key, value in fields.items() if value is not None}


def _sound(part: Media, extra: Element, desk: Desk) -> Written:
    content = _known({
        "Url": part.url, "UUID": _uuid(part, extra, "UUID"), "Size": part.size, "Second": _seconds(part, desk),
        "Download_Flag": _flag(extra, "Download_Flag"),
    })  # fmt: skip
    _keep_suffix(part, part.name, desk)
    _rest(part, extra, desk, content["UUID"], "name", "width", "height")
    return "TIMSoundElem", content


def _file(part: Media, extra: Element, desk: Desk) -> Written:
    name = part.name
    if name is None:
        name = part.url.split("?", 1)[0].rsplit("/", 1)[-1] or "file"
        desk.notes.repairs.append("IMC-3016")
    content = _known({
        "Url": part.url, "UUID": _uuid(part, extra, "UUID"), "FileSize": part.size, "FileName": name,
        "Download_Flag": _flag(extra, "Download_Flag"),
    })  # fmt: skip
    _keep_suffix(part, name, desk)
    _rest(part, extra, desk, content["UUID"], "width", "height", "duration")
    return "TIMFileElem", content


def _image(part: Media, extra: Element, desk: Desk) -> Written:
    own, uuid = "UUID" in extra, _uuid(part, extra, "UUID")
    suffix = part.suffix or suffix_of(part.name) or suffix_of(part.url)
    number = FORMAT_NUMBERS.get((suffix or "").lower(), OTHER_FORMAT)
    if number == OTHER_FORMAT:
        _keep_suffix(part, part.name, desk)
    if part.width is None or part.height is None:
        desk.notes.changes.append(("transformed", "unknown width or height to 0"))
    sizes = _sizes(part, extra, one=own or desk.choices.sizes == "one")
    _rest(part, extra, desk, uuid, "name", "duration")
    return "TIMImageElem", {"UUID": uuid, "ImageFormat": number, "ImageInfoArray": sizes}


def _sizes(part: Media, extra: Element, *, one: bool) -> list[Element]:
    """The picture and its smaller ones: the source's own, or the picture itself for want of others."""
    picture = {"Type": ORIGINAL, "Size": part.size or 0, "Width": part.width or 0, "Height": part.height or 0,
               "URL": part.url}  # fmt: skip
    others = extra.pop("ImageInfoArray", None)
    if isinstance(others, list) and others:
        return [picture, *others]
    found = cover_of(extra)
    small = (
        {"Type": THUMB, "Size": 0, "Width": 0, "Height": 0, "URL": found[1]} if found else {**picture, "Type": THUMB}
    )
    if found:
        del extra[found[0]]
    elif one:
        return [picture]
    return [picture, {**picture, "Type": LARGE}, small]


def _video(part: Media, extra: Element, desk: Desk) -> Written:
    cover = _cover(part, extra, desk)
    form = part.suffix or suffix_of(part.name) or suffix_of(part.url)
    content = _known({
        "VideoUrl": part.url, "VideoUUID": _uuid(part, extra, "VideoUUID"), "VideoSize": part.size,
        "VideoSecond": _seconds(part, desk), "VideoFormat": form,
        "VideoDownloadFlag": _flag(extra, "VideoDownloadFlag"),
        "ThumbUrl": cover, "ThumbUUID": extra.pop("ThumbUUID", None) or digest(cover),
        "ThumbSize": extra.pop("ThumbSize", None), "ThumbWidth": part.width or 0, "ThumbHeight": part.height or 0,
        "ThumbFormat": extra.pop("ThumbFormat", None), "ThumbDownloadFlag": _flag(extra, "ThumbDownloadFlag"),
    })  # fmt: skip
    if part.width or part.height:
        desk.notes.changes.append(("transformed", SIZE_OF_COVER))
    _rest(part, extra, desk, content["VideoUUID"], "name")
    return "TIMVideoFileElem", content


def _cover(part: Media, extra: Element, desk: Desk) -> str:
    """The address of the cover, which the target demands; what stands in for a missing one is told."""
    found = cover_of(extra)
    if found:
        del extra[found[0]]
        return found[1]
    desk.notes.repairs.append("IMC-3250")
    return part.url if desk.choices.cover == "video" else desk.choices.cover


def _custom(part: Custom, desk: Desk) -> Written:
    """Tencent's own element as it was; the app's own object of a Yunxin message as it is; all else wrapped."""
    desk.left.keep_all(part.extra)
    part = unwrapped(part)
    content = part.content
    if part.vendor == VENDOR and part.kind in SENDABLE and _is_element(content):
        return "", content
    own = part.kind == "custom" and part.vendor == "yunxin"
    if not own:
        desk.notes.changes.append(("transformed", f"{part.kind} to a wrapped custom element"))
    return CUSTOM, custom_content(content if own else wrapped(part))


def _is_element(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("MsgType"), str) and "MsgContent" in content


def custom_content(data: Any) -> Element:
    """What a TIMCustomElem holds for data that is a text or becomes one."""
    return {"Data": data if isinstance(data, str) else compact(data), "Desc": "", "Ext": ""}


def _notice(part: Notice, desk: Desk) -> Written:
    """What happened in a group, as custom content of the one who did it; never as a text (§11)."""
    desk.left.keep_all(part.extra)
    desk.notes.changes.append(("transformed", "notice to a wrapped custom element"))
    who = None if part.who is None else desk.accounts[part.who]
    raw = _known({"notice": part.kind, "who": who, "info": part.info})
    return CUSTOM, custom_content(wrapped(Custom("notice", "imconvert", raw)))


_WRITERS: dict[type, Callable[[Any, Desk], Written]] = {
    Text: _text, Media: _media, Place: _place, Custom: _custom, Notice: _notice,
}  # fmt: skip

_MEDIA: dict[str, Callable[[Media, Element, Desk], Written]] = {
    "image": _image, "audio": _sound, "video": _video, "file": _file,
}  # fmt: skip
