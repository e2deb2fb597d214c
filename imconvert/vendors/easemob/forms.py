"""Easemob's import requests as forms for the compiled part (easemob.md §4.3, §4.4).

Promise: gives exactly the lines that `target.py` would give; what a form isn't sure of goes there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any

from imconvert.vendors.contract import Plain, Settings
from imconvert.vendors.easemob.extension import NONE
from imconvert.vendors.easemob.outgoing import TYPES, encode
from imconvert.vendors.easemob.rules import USER_BYTES
from imconvert.vendors.easemob.target import APIS, CUSTOM, flags
from imconvert.vendors.requests import BETWEEN
from imconvert.vendors.shapes import (
    LineForm,
    LineForms,
    Step,
    above,
    at_most,
    closed,
    file_name,
    literal,
    maybe,
    members,
    opened,
    pair,
    put,
    seconds,
    strings,
    suffix_among,
)

PLAIN = Plain(b"0123456789abcdefghijklmnopqrstuvwxyz_.-", USER_BYTES)
_CHATS = ("p2p", "team")
_KEPT = {"md5": "md5", "size": "size", "dur": "duration", "w": "width", "h": "height"}
_WORDS = {"dur": "dur in ms", "w": "width", "h": "height"}
_LENGTH = ("transformed", "dur in ms to length in s")
_NOTICES = ("join", "kick", "mute", "unmute", "appoint", "dismiss-manager", "transfer", "leave", "disband")


def line_forms(settings: Settings) -> LineForms:
    """The forms of all kinds, by the settings; none where these ask for what only the long way does."""
    usual = settings["easemob.mark"] not in ("", NONE) and int(settings["easemob.user_bytes"]) >= USER_BYTES
    return _all(tuple(settings.items())) if usual else lambda label, chat, extras: None


@lru_cache(maxsize=4)
def _all(settings: tuple[tuple[str, str], ...]) -> LineForms:
    """The forms, made once for all segments and shapes."""
    return lru_cache(maxsize=None)(_Forms(dict(settings)).of)


class _Forms:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.mark = settings["easemob.mark"]
        self.limit = max(1, int(settings["easemob.size_limit"]) - int(settings["easemob.size_margin"]))
        self.file_limit = int(settings["easemob.file_limit"])
        self.formats = settings["easemob.voice_formats"].lower().split(",")
        self.event = encode(settings["easemob.custom_event"]).decode()

    def of(self, label: str, chat: int, extras: tuple[str, ...]) -> LineForm | tuple[LineForm, ...] | None:
        kind, _, more = label.partition(":")
        if label == "text":
            body = (literal('"msg":'), put("text", layers=1))
            changes = (("transformed", 'ext that is no object moved below the key "ext"'),)
            other = self._form("txt", chat, body, text=True, needs=("ext",), changes=changes)
            return self._form("txt", chat, body), other
        if label == "place":
            known = (("lat", "latitude"), ("lng", "longitude"), ("addr", "title"))
            steps = [s for n, (key, name) in enumerate(known) for s in _text(key, name, first=not n)]
            return self._form("loc", chat, tuple(steps), filled=("title",))
        if label == CUSTOM:
            return tuple(self._customs(chat))
        if kind == "notice":
            return self._notice(chat, more) if more in _NOTICES and chat else None
        return tuple(self._media(kind, chat, extras)) if kind in TYPES else None

    def _form(
        self,
        into: str,
        chat: int,
        body: tuple[Step, ...],
        kept: tuple[str, ...] = (),
        *,
        download: bool = False,
        text: bool = False,
        filled: tuple[str, ...] = (),
        **more: Any,
    ) -> LineForm:
        """A form of a type; `kept` are the measures that go into the extension where they are there. With `text` the
        app's extension is no object."""
        between = flags(self.settings, download=download).decode()
        mark = encode(self.mark).decode()
        steps = (
            *_head(chat, into),
            opened('"body":{'), *body, literal(f'}},{between}"ext":{{'), members("ext", self.mark, text=text),
            literal(f'{mark}:{{"id":"'), put("msgid"), literal('","client":'), put("client"),
            *(maybe(f',"{name}":', _KEPT[name], layers=1 if name == "md5" else 0) for name in kept),
            literal("}"), closed("}", most=max(0, self.limit + len(between) + len(',"ext":'))),
            literal(',"msg_timestamp":'), put("time"), literal("}}"),
        )  # fmt: skip
        remarks = {_KEPT[name]: ("transformed", f"{_WORDS.get(name, name)} kept in ext") for name in kept}
        filled += ("md5",) if "md5" in kept else ()
        return LineForm(steps, into=into, remarks=remarks, filled=filled, **more)

    def _customs(self, chat: int) -> Iterator[LineForm]:
        changed = (("transformed", "values of custom content to strings"),)
        for mixed, changes in ((False, ()), (True, changed)):
            steps = (
                literal(f'"customEvent":{self.event},"customExts":'),
                strings("content", most=int(self.settings["easemob.custom_exts"]), mixed=mixed),
            )
            yield self._form(CUSTOM, chat, steps, sorted_digest=True, changes=changes)

    def _notice(self, chat: int, kind: str) -> LineForm | None:
        if self.settings["easemob.notices"] == "skip":
            return None
        exts = (
            literal(f'"customEvent":"notice","customExts":{{"notice":"{kind}"'),
            maybe(',"who":', "other", layers=1),
        )
        changes = (("transformed", "notice to custom"),)
        return self._form(CUSTOM, chat, (*exts, literal("}")), sorted_digest=True, changes=changes)

    def _media(self, kind: str, chat: int, extras: tuple[str, ...]) -> Iterator[LineForm]:
        """Forms for each way to be large, without a name or its suffix, measures, or whole seconds."""
        for large, named, append in product((False, True), (True, False), (False, True)):
            for variant in self._variants(TYPES[kind]):
                yield self._file(TYPES[kind], chat, extras, variant.called(named=named, append=append, large=large))

    def _variants(self, into: str) -> Iterator[_Variant]:
        if into == "img":
            size = (literal(',"size":{"width":'), put("width"), literal(',"height":'), put("height"), literal("}"))
            yield _Variant(size, needs=("width", "height"), kept=("md5", "size", "dur"))
            yield _Variant(without=("width", "height"), kept=("md5", "size", "dur"))
        elif into == "file":
            yield _Variant(kept=("md5", "size", "dur", "w", "h"))
        elif into == "video":
            for variant in _lengths():
                variant.body += (maybe(',"file_length":', "size"),)
                variant.kept = tuple(name for name in variant.kept if name != "size")
                yield variant
        else:
            yield from self._voices()

    def _voices(self) -> Iterator[_Variant]:
        for variant in _lengths():
            variant.body = (suffix_among(self.formats), *variant.body)
            yield variant
        for variant in _lengths() if self.settings["easemob.voices"] == "audio" else ():
            variant.body = (suffix_among(self.formats, wanted=False), *variant.body)
            variant.repairs = ("IMC-3202",)
            yield variant

    def _file(self, into: str, chat: int, extras: tuple[str, ...], variant: _Variant) -> LineForm:
        known = ("secret", "thumb", "thumb_secret") if into == "video" else ("secret",)
        rest = [f"extra{number}" for number, name in enumerate(extras) if name not in known]
        own = (maybe(f',"{name}":', f"extra{extras.index(name)}", layers=1) for name in extras if name in known)
        checked = above("size", self.file_limit) if variant.large else at_most("size", self.file_limit)
        named = (literal('"url":'), put("url", layers=1), literal(',"filename":'), file_name(append=variant.append))
        body = (checked, *named, *variant.body, *own)
        filled = tuple(f"extra{number}" for number in range(len(extras)))
        return self._form(
            into, chat, body, variant.kept, download=True, filled=filled, needs=variant.needs,
            without=(*variant.without, *rest), changes=variant.changes, repairs=variant.repairs,
        )  # fmt: skip


class _Variant:
    """A way in which files of a type differ: what stands in the body, what has to be there, what is kept aside."""

    def __init__(
        self,
        body: tuple[Step, ...] = (),
        *,
        needs: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
        kept: tuple[str, ...] = (),
        changes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.body = body
        self.needs = needs
        self.without = without
        self.kept = kept
        self.changes = changes
        self.repairs: tuple[str, ...] = ()
        self.append = self.large = False

    def called(self, *, named: bool, append: bool, large: bool) -> _Variant:
        """With a name or without, whose suffix has to be appended or not; larger than the vendor stores, or not."""
        self.append, self.large = append, large
        if large:
            self.needs += ("size",)
            self.repairs += ("IMC-3204",)
        if named:
            self.needs += ("name",)
        else:
            self.without += ("name",)
            self.changes += (("transformed", "filename made up"),)
        if append:
            self.changes += (("transformed", "suffix added to filename"),)
        return self


def _lengths() -> Iterator[_Variant]:
    """Without a duration, with one in whole seconds, and with one that has to be kept as well."""
    kept = ("md5", "size", "w", "h")
    yield _Variant(without=("duration",), kept=kept)
    for whole in (True, False):
        steps = (literal(',"length":'), seconds("duration", whole=whole))
        more = kept if whole else ("md5", "size", "dur", "w", "h")
        yield _Variant(steps, needs=("duration",), kept=more, changes=(_LENGTH,))


def _text(key: str, name: str, *, first: bool) -> tuple[Step, ...]:
    return literal(f'{"" if first else ","}"{key}":'), put(name, layers=1)


def _head(chat: int, into: str) -> tuple[Step, ...]:
    return (
        literal(f'{{"api":"{APIS[_CHATS[chat]]}","conv":"'),
        put("receiver") if chat else pair(BETWEEN),
        literal('","key":"'),
        put("msgid"),
        literal("/"),
        put("time"),
        literal("/"),
        put("sender"),
        literal('","time":'),
        put("time"),
        literal(',"body":{"from":'),
        put("sender", layers=1),
        literal(',"target":'),
        put("receiver", layers=1),
        literal(f',"type":"{into}",'),
    )
