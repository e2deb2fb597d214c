"""Yunxin's import lines as forms for the compiled part (yunxin.md §1.2-1.4).

Promise: the fields stand in the order of `records.Data` and `records.Attach`.
"""

from __future__ import annotations

from imconvert.vendors.contract import Settings
from imconvert.vendors.shapes import (
    LineForm,
    LineForms,
    Step,
    any_member,
    as_it_is,
    closed,
    literal,
    maybe,
    member,
    opened,
    put,
)
from imconvert.vendors.yunxin.records import CUSTOM, MEDIA, NOTICE_KINDS, PLACE
from imconvert.vendors.yunxin.rules import ATTACH_USUAL, BODY_LIMIT, EXT_LIMIT

_ENDS = (("from", "to", 1), ("accid", "tid", 0))
_NUMBERS = {"text": 0, **{kind: number for number, kind in MEDIA.items()}, "place": PLACE, "custom": CUSTOM} | {
    f"notice:{name}": number for number, name in NOTICE_KINDS.items()
}
_LIMITS = {"ext": EXT_LIMIT}
_PLACE = (("title", "title", 2), ("lng", "longitude", 2), ("lat", "latitude", 2))
_ATTACH = (
    ("name", "name", 2), ("md5", "md5", 2), ("url", "url", 2), ("ext", "suffix", 2), ("dur", "duration", 0),
    ("w", "width", 0), ("h", "height", 0), ("size", "size", 0),
)  # fmt: skip


def line_forms(settings: Settings) -> LineForms:
    """The forms of all kinds, by the settings."""
    limit = min(ATTACH_USUAL, int(settings["yunxin.attach_limit"]))
    as_object = settings["yunxin.custom_attach"] == "object"

    def form(label: str, chat: int, extras: tuple[str, ...]) -> LineForm | None:
        if label == "text":
            steps = (*_head(0, chat), literal(',"body":'), put("text", layers=1), literal("}}"))
            return LineForm(steps, _LIMITS | {"text": BODY_LIMIT})
        if label.startswith("text+"):
            return _noted(chat, label.removeprefix("text+"), extras)
        kind, _, source = label.partition(":")
        if source and kind != "notice":
            return _wrapped(kind, source, chat, limit) if as_object else None
        if label == "custom":
            steps = (*_head(CUSTOM, chat), literal(',"attach":'), put("content"), literal("}}"))
            return LineForm(steps, _LIMITS | {"content": limit}, sorted_digest=True) if as_object else None
        if label.startswith("notice:"):
            steps = (*_head(_NUMBERS[label], chat), maybe(',"accid2":', "other", layers=1), literal("}}"))
            return LineForm(steps, sorted_digest=True) if chat else None
        known = _PLACE if label == "place" else _ATTACH
        steps = (*_head(_NUMBERS[label], chat), *_attach(known, extras, limit))
        return LineForm(steps, _LIMITS, named_by_url=label == "file")

    return form


def _noted(chat: int, leftover: str, extras: tuple[str, ...]) -> LineForm:
    """A text without an extension, and with one leftover, which goes there; see `import_lines.with_note`."""
    note = as_it_is(f'{{\\"imconvert\\":{{\\"{leftover}\\":', f"extra{extras.index(leftover)}")
    ext = (opened(',"ext":"'), note, closed('}}"', most=EXT_LIMIT))
    steps = (*_head(0, chat), *ext, literal(',"body":'), put("text", layers=1), literal("}}"))
    return LineForm(steps, {"text": BODY_LIMIT})


def _wrapped(kind: str, source: str, chat: int, limit: int) -> LineForm:
    """Content of another vendor, as `import_lines` wraps it."""
    before = f'{{"v":1,"kind":"{kind}","src":"{source}","raw":'
    steps = (*_head(CUSTOM, chat), literal(f',"attach":{before}'), put("content"), literal("}}}"))
    return LineForm(steps, _LIMITS | {"content": max(0, limit - len(before) - 1)}, sorted_digest=True)


def _head(kind: int, chat: int) -> tuple[Step, ...]:
    sender, target, layers = _ENDS[chat]
    return (
        literal(f'{{"type":{kind},"data":{{"msgid":'),
        put("msgid"),
        literal(f',"{sender}":'),
        put("sender", layers=1),
        literal(f',"{target}":'),
        put("receiver", layers=layers),
        literal(',"createTime":'),
        put("time"),
        literal(',"clientType":'),
        put("client"),
        maybe(',"ext":', "ext", layers=1),
    )


def _attach(known: tuple[tuple[str, str, int], ...], extras: tuple[str, ...], limit: int) -> tuple[Step, ...]:
    """The description of a file or place; what it has beyond the known fields follows them, sorted."""
    rest = sorted((name, f"extra{number}") for number, name in enumerate(extras))
    return (
        opened(',"attach":"{'),
        *(member(f'\\"{name}\\":', source, layers=layers) for name, source, layers in known),
        *(any_member(f'\\"{name}\\":', extra) for name, extra in rest),
        closed('}"}}', most=limit),
    )
