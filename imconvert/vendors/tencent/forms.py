"""Tencent's import calls as forms for the compiled part (tencent.md §4.1, §5.4, §6).

Strategy: an element differs in what it has and in what the note must keep of it; each such way is a form of its own.
Promise: gives exactly the lines that `requests.py` would give; what a form isn't sure of goes there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from functools import lru_cache
from itertools import product

from imconvert.model import Custom
from imconvert.vendors.contract import Plain, Settings
from imconvert.vendors.lenient import compact
from imconvert.vendors.requests import BETWEEN
from imconvert.vendors.shapes import (
    LineForm,
    LineForms,
    Step,
    above,
    begins,
    closed,
    degrees,
    hashed,
    in_second,
    key_number,
    lacks,
    literal,
    maybe,
    members,
    opened,
    pair,
    past_seconds,
    put,
    seconds,
    suffix_among,
    suffix_told,
)
from imconvert.vendors.tencent.bodies import PLACE, TEXT, TEXT_IN_NOTE
from imconvert.vendors.tencent.element_writers import (
    CUSTOM,
    DOWNLOAD,
    FORMAT_NUMBERS,
    LARGE,
    SIZE_OF_COVER,
    THUMB,
    digest,
)
from imconvert.vendors.tencent.elements import ORIGINAL, OTHER_FORMAT
from imconvert.vendors.tencent.lines import SEQ_STEP
from imconvert.vendors.tencent.requests import GROUP, PAIR
from imconvert.vendors.tencent.rules import COMMUNITY, LONGEST, PRINTABLE
from imconvert.vendors.wrapping import MARK, wrapped

PLAIN = Plain(PRINTABLE.replace(b'"', b"").replace(b"\\", b""), LONGEST)
_NOTICES = ("join", "kick", "mute", "unmute", "appoint", "dismiss-manager", "transfer", "leave", "disband")
_LAYERS = {"duration": 0, "suffix": 2, "name": 2}
"""Fields that may stand in the note, in their order there, each with the strings that it stands in."""


def line_forms(settings: Settings) -> LineForms:
    """The forms of all kinds, by the settings; none where these ask for what only the long way does."""
    usual = settings["tencent.cloud_data"] == "note" and settings["tencent.size_counts"] == "body"
    return _all(tuple(settings.items())) if usual else lambda label, chat, extras: None


@lru_cache(maxsize=4)
def _all(settings: tuple[tuple[str, str], ...]) -> LineForms:
    """The forms, made once for all segments and shapes."""
    return lru_cache(maxsize=None)(_Forms(dict(settings)).of)


@dataclass(frozen=True, slots=True)
class _Way:
    """A way in which an element can be: its content, what is checked before it is written, fields kept in the note."""

    content: tuple[Step, ...] = ()
    checks: tuple[Step, ...] = ()
    kept: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    repairs: tuple[str, ...] = ()

    def __add__(self, other: _Way) -> _Way:
        """Both at once, the content of this one first."""
        return _Way(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


class _Forms:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.most = min(int(settings["tencent.size_warn"]), int(settings["tencent.size_limit"]))
        self.media = {
            "image": ("TIMImageElem", self._images),
            "audio": ("TIMSoundElem", _sounds),
            "video": ("TIMVideoFileElem", self._videos),
            "file": ("TIMFileElem", _files),
        }

    def of(self, label: str, chat: int, extras: tuple[str, ...]) -> LineForm | tuple[LineForm, ...] | None:
        kind, _, more = label.partition(":")
        if chat and self.settings["tencent.group_cloud_data"] != "yes":
            return None
        if label == "text":
            way = _says(literal('"Text":'), put("text", layers=1))
            other = replace(way, needs=("ext",), changes=(("transformed", TEXT_IN_NOTE),))
            return self._form(TEXT, chat, way), self._form(TEXT, chat, other, text=True)
        if label == "custom":
            return self._form(CUSTOM, chat, _custom(put("content", layers=1), lacks("content", '"raw":')))
        if kind == "notice":
            return self._notice(more) if more in _NOTICES and chat else None
        without = _Way(without=tuple(f"extra{number}" for number in range(len(extras))))
        if label == "place":
            return self._form("TIMLocationElem", chat, _PLACES + without)
        if kind not in self.media:
            return None
        into, ways = self.media[kind]
        return tuple(self._form(into, chat, way + without) for way in ways())

    def _form(self, into: str, chat: int, way: _Way, *, text: bool = False) -> LineForm:
        """A form of an element. With `text` the app's extension is no object."""
        kept = [name for name in _LAYERS if name in way.kept]
        steps = (
            *way.checks, *(self._group() if chat else self._pair()),
            opened('"MsgBody":['), literal(f'{{"MsgType":"{into}","MsgContent":{{'), *way.content, literal("}}"),
            closed("]", most=self.most),
            literal(f',"{PLACE}":"{{'), members("ext", MARK, text=text, inside=True),
            literal(f'\\"{MARK}\\":{{\\"id\\":\\"'), put("msgid"), literal('\\",\\"ms\\":'), put("time"),
            literal(',\\"client\\":'), put("client"), *_left(kept), literal('}}"' + ("}]}}" if chat else "}}")),
        )  # fmt: skip
        return LineForm(
            steps, into=into, own_digest=into == CUSTOM, needs=way.needs, without=way.without,
            filled=tuple(name for name in ("md5", "name", "title") if name in way.needs), repairs=way.repairs,
            named_by_url=into == "TIMFileElem",
            changes=(*way.changes, *(("transformed", f"{name} kept in {PLACE}") for name in kept)),
        )  # fmt: skip

    def _pair(self) -> Iterator[Step]:
        yield from _head(PAIR, pair(BETWEEN))
        yield from (literal('"MsgSeq":'), in_second("time", SEQ_STEP), literal(',"MsgRandom":'), key_number())
        yield from (literal(',"MsgTimeStamp":'), past_seconds("time"))
        yield literal(f',"SyncFromOldSystem":{self.settings["tencent.sync"]},"From_Account":')
        yield from (put("sender", layers=1), literal(',"To_Account":'), put("receiver", layers=1), literal(","))

    def _group(self) -> Iterator[Step]:
        recent = ',"RecentContactFlag":1' if self.settings["tencent.recent_contacts"] == "yes" else ""
        yield lacks("receiver", COMMUNITY)
        yield from _head(GROUP, put("receiver"))
        yield from (literal('"GroupId":'), put("receiver", layers=1))
        yield from (literal(f'{recent},"MsgList":[{{"Random":'), key_number())
        yield from (literal(',"SendTime":'), past_seconds("time"))
        yield from (literal(',"From_Account":'), put("sender", layers=1), literal(","))

    def _notice(self, kind: str) -> LineForm | None:
        if self.settings["tencent.notices"] == "skip":
            return None
        content = wrapped(Custom("notice", "imconvert", {"notice": kind}))
        begin = compact(compact(content)).removesuffix('}}"')
        way = _custom(literal(begin), maybe(',\\"who\\":', "other", layers=2), literal('}}"'))
        return self._form(CUSTOM, 1, replace(way, changes=(("transformed", "notice to a wrapped custom element"),)))

    def _images(self) -> Iterator[_Way]:
        sizes = (ORIGINAL, LARGE, THUMB) if self.settings["tencent.image_sizes"] == "three" else (ORIGINAL,)
        known = _Way(needs=("size", "width", "height"), without=("duration",))
        for uuid, form, name in product(_uuids("UUID"), _formats(), _names()):
            yield _URL + uuid + form + _pictures(sizes) + name + known

    def _videos(self) -> Iterator[_Way]:
        cover = self.settings["tencent.video_cover"]
        own = cover == "video"
        thumb = (_says(literal(',"ThumbUrl":'), put("url", layers=1)) + _named_by_url("ThumbUUID") if own
                 else _says(literal(f',"ThumbUrl":{compact(cover)},"ThumbUUID":"{digest(cover)}"')))  # fmt: skip
        form = _says(literal(',"VideoFormat":'), put("suffix", layers=1), literal(f',"VideoDownloadFlag":{DOWNLOAD}'))
        size = _says(
            literal(',"ThumbWidth":'), put("width"), literal(',"ThumbHeight":'), put("height"),
            literal(f',"ThumbDownloadFlag":{DOWNLOAD}'),
        )  # fmt: skip
        known = _Way(
            checks=(above("width", 0),), needs=("suffix", "width", "height"), changes=(("transformed", SIZE_OF_COVER),),
            repairs=("IMC-3250",),
        )  # fmt: skip
        for uuid, length, name in product(_uuids("VideoUUID"), _lengths("VideoSecond"), _names()):
            yield _url("VideoUrl") + uuid + _size("VideoSize") + length + form + thumb + size + name + known


def _sounds() -> Iterator[_Way]:
    ways = product(_uuids("UUID"), _lengths("Second"), _suffixes(), _names())
    rest = _says(literal(f',"Download_Flag":{DOWNLOAD}')) + _Way(without=("width", "height"))
    for uuid, length, suffix, name in ways:
        yield _url("Url") + uuid + _size("Size") + length + suffix + name + rest


def _files() -> Iterator[_Way]:
    name = _says(literal(',"FileName":'), put("name", layers=1), literal(f',"Download_Flag":{DOWNLOAD}'))
    rest = _Way(needs=("name",), without=("width", "height", "duration"))
    for uuid, suffix in product(_uuids("UUID"), _suffixes()):
        yield _url("Url") + uuid + _size("FileSize") + name + suffix + rest


def _says(*content: Step) -> _Way:
    return _Way(content)


_PLACES = _says(
    literal('"Desc":'), put("title", layers=1), literal(',"Latitude":'), degrees("latitude"),
    literal(',"Longitude":'), degrees("longitude"),
) + _Way(needs=("title",))  # fmt: skip
_URL = _Way(checks=(begins("url", "http://", "https://"),))
"""The address is none of a file that has to be uploaded first."""


def _url(key: str) -> _Way:
    return _URL + _says(literal(f'"{key}":'), put("url", layers=1), literal(","))


def _size(key: str) -> _Way:
    return _says(maybe(f',"{key}":', "size"))


def _uuids(key: str) -> Iterator[_Way]:
    yield _named_by_url(key, "") + _Way(without=("md5",))
    yield _says(literal(f'"{key}":'), put("md5", layers=1)) + _Way(needs=("md5",))


def _named_by_url(key: str, before: str = ",") -> _Way:
    return _says(literal(f'{before}"{key}":"'), hashed("url"), literal('"'))


def _names() -> tuple[_Way, _Way]:
    return _Way(kept=("name",), needs=("name",)), _Way(without=("name",))


def _lengths(key: str) -> Iterator[_Way]:
    """In whole seconds, with some milliseconds, which are kept as well, and none."""
    key = f',"{key}":'
    found = _says(literal(key), seconds("duration", whole=False))
    yield found + _Way(kept=("duration",), needs=("duration",))
    found = _says(literal(key), seconds("duration", whole=True))
    yield found + _Way(checks=(above("duration", 999),), needs=("duration",))
    yield _Way(without=("duration",))


def _suffixes() -> tuple[_Way, _Way]:
    kept = _Way(checks=(suffix_told(told=False),), kept=("suffix",), needs=("suffix",))
    return kept, _Way(checks=(suffix_told(told=True),))


def _formats() -> Iterator[_Way]:
    """The formats with a number, and all others, whose suffix is kept where nothing else tells it."""
    for number in sorted({*FORMAT_NUMBERS.values()}):
        names = [name for name, mine in FORMAT_NUMBERS.items() if mine == number]
        yield _format(number) + _Way(checks=(suffix_among(names),))
    for suffix in _suffixes():
        yield _format(OTHER_FORMAT) + _Way(checks=(suffix_among(FORMAT_NUMBERS, wanted=False),)) + suffix


def _format(number: int) -> _Way:
    return _says(literal(f',"ImageFormat":{number}'))


def _pictures(sizes: tuple[int, ...]) -> _Way:
    steps: list[Step] = []
    for number, size in enumerate(sizes):
        steps += literal(f'{"," if number else ""}{{"Type":{size},"Size":'), put("size")
        steps += literal(',"Width":'), put("width"), literal(',"Height":'), put("height")
        steps += literal(',"URL":'), put("url", layers=1), literal("}")
    return _says(literal(',"ImageInfoArray":['), *steps, literal("]"))


def _custom(*data: Step) -> _Way:
    """A custom element; a step that writes nothing may stand behind its data."""
    return _says(literal('"Data":'), *data, literal(',"Desc":"","Ext":""'))


def _left(kept: list[str]) -> Iterator[Step]:
    """What stands in the note of what the element has no field for."""
    for number, name in enumerate(kept):
        yield literal(',\\"left\\":{' if not number else ",")
        yield from (literal(f'\\"{name}\\":'), put(name, layers=_LAYERS[name]))
    if kept:
        yield literal("}")


def _head(api: str, conversation: Step) -> Iterator[Step]:
    yield from (literal(f'{{"api":"{api}","conv":"'), conversation, literal('","key":"'), put("msgid"), literal("/"))
    yield from (put("time"), literal("/"), put("sender"), literal('","time":'), put("time"), literal(',"body":{'))
