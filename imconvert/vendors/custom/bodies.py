"""Compile the bodies of a mapping: from a record to the parts of a message."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import NOTICES, Custom, Media, Notes, Notice, Part, Place, Text
from imconvert.vendors import values
from imconvert.vendors.custom import fields
from imconvert.vendors.custom.fields import Compiler, Get, name_of
from imconvert.vendors.custom.parse import UNITS
from imconvert.vendors.custom.spec import Body
from imconvert.vendors.lenient import shown

ReadPart = Callable[[Any], Part | None]
_DEGREES = re.compile(r"-?\d{1,3}(\.\d+)?")


def reader(body: Body, make: Compiler, notes: Notes) -> ReadPart:
    """The function that makes the part, or None where its `when` is not set. It raises Rejected (IMC-21xx)."""
    read = _READERS[body.kind](body, make, notes)
    if body.when is None:
        return read
    when = make.value(body.when)
    return lambda record: None if when(record) in (None, "") else read(record)


def _extra(body: Body, make: Compiler) -> Get:
    return make.object(body.extra) if body.extra else lambda record: None


def _text(body: Body, make: Compiler, notes: Notes) -> ReadPart:
    spec = body.fields["text"]
    get, name, extra = make.value(spec), name_of(spec), _extra(body, make)
    if not body.extra:
        return lambda record: Text(fields.text(get(record), name))
    return lambda record: Text(fields.text(get(record), name), extra(record))


def _media(body: Body, make: Compiler, notes: Notes) -> ReadPart:
    kind: Any = body.kind
    get, name, extra = make.value(body.fields["url"]), name_of(body.fields["url"]), _extra(body, make)
    words = {key: _optional(body, key, make, notes) for key in ("name", "suffix", "md5")}
    numbers = {key: _number(body, key, make, notes) for key in ("size", "width", "height", "duration")}
    others = [(key, one) for key, one in (*words.items(), *numbers.items()) if one]

    def read(record: Any) -> Part:
        url = fields.word(get(record), name)
        if url != url.strip():
            notes.repairs.append("IMC-3011")
            url = url.strip()
        if not url:
            raise Rejected("IMC-2101", field=name)
        return Media(kind, url, extra=extra(record), **{key: one(record) for key, one in others})

    return read


def _optional(body: Body, key: str, make: Compiler, notes: Notes) -> Get | None:
    """A text that need not be there."""
    spec = body.fields.get(key)
    if spec is None:
        return None
    get, name = make.value(spec), name_of(spec)
    return lambda record: None if (value := get(record)) is None or value == "" else fields.text(value, name)


def _number(body: Body, key: str, make: Compiler, notes: Notes) -> Get | None:
    """A whole number in the model's unit that need not be there; a fraction of it is rounded and noted."""
    spec = body.fields.get(key)
    if spec is None:
        return None
    get, name = make.value(spec), name_of(spec)
    scale = UNITS.get(key, {}).get(spec.unit, 1)

    def read(record: Any) -> int | None:
        value = get(record)
        if value is None or value == "":
            return None
        if value.__class__ is int:
            return value * scale
        if value.__class__ is str and value.isascii() and value.isdigit() and len(value) < 20:
            return int(value) * scale
        exact = _exact(value, name) * scale
        if exact != int(exact):
            notes.changes.append(("degraded", f"{key} rounded"))
        return round(exact)

    return read


def _exact(value: Any, name: str) -> Decimal:
    try:
        exact = Decimal(repr(value) if value.__class__ is float else value.strip() if value.__class__ is str else "")
        if exact.is_finite() and 0 <= exact < 1 << 63:
            return exact
    except InvalidOperation:
        pass
    raise Rejected("IMC-2102", field=name, found=shown(value), expected="a number") from None


def _place(body: Body, make: Compiler, notes: Notes) -> ReadPart:
    title, extra = _optional(body, "title", make, notes), _extra(body, make)
    ends = [(make.value(body.fields[key]), name_of(body.fields[key])) for key in ("longitude", "latitude")]

    def read(record: Any) -> Part:
        longitude, latitude = [_degrees(get(record), name) for get, name in ends]
        return Place((title(record) if title else None) or "", longitude, latitude, extra(record))

    return read


def _degrees(value: Any, name: str) -> str:
    if value is None or value == "":
        raise Rejected("IMC-2101", field=name)
    found = values.decimal(value, name).strip()
    if value.__class__ is str and not _DEGREES.fullmatch(found):
        raise Rejected("IMC-2102", field=name, found=shown(value), expected="degrees as a number")
    return found


def _custom(body: Body, make: Compiler, notes: Notes) -> ReadPart:
    spec = body.fields["content"]
    get, name, extra = make.value(spec), name_of(spec), _extra(body, make)
    label, words = body.label, body.words or make.name

    def read(record: Any) -> Part:
        content = get(record)
        if content is None:
            raise Rejected("IMC-2101", field=name)
        if not body.words:
            notes.changes.append(("transformed", f"{label} to a wrapped custom message"))
        return Custom(label, words, content, extra(record))

    return read


def _notice(body: Body, make: Compiler, notes: Notes) -> ReadPart:
    spec = body.fields["notice"]
    get, name, extra = make.value(spec), name_of(spec), _extra(body, make)
    who, info = _optional(body, "who", make, notes), body.fields.get("info")
    changed = make.value(info) if info else None

    def read(record: Any) -> Part:
        kind = get(record)
        if kind not in NOTICES:
            raise Rejected("IMC-2102", field=name, found=shown(kind), expected=" or ".join(NOTICES))
        found = changed(record) if changed else None
        if found is not None and found.__class__ is not dict:
            raise Rejected("IMC-2102", field=name_of(info) if info else "", found=shown(found), expected="an object")
        return Notice(kind, who(record) if who else None, found, extra(record))

    return read


_READERS: dict[str, Callable[[Body, Compiler, Notes], ReadPart]] = {
    "text": _text,
    **dict.fromkeys(("image", "audio", "video", "file"), _media),
    "place": _place,
    "custom": _custom,
    "notice": _notice,
}
