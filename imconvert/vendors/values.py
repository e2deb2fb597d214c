"""Turn the typings that exports really use into exact values: whole numbers, times, decimal text.

Promise: an integer never passes through a float; what is not exactly the value is rejected with the field's name.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import Notes
from imconvert.vendors.lenient import shown

EARLIEST = 946_684_800_000
"""2000-01-01 UTC in ms: no messaging cloud has older messages (yunxin.md §9)."""

_EXACT = 1 << 53


def digits(text: str) -> bool:
    """Whether a text is a plain decimal whole number that fits 64 bits, with an optional minus."""
    body = text[1:] if text[:1] == "-" else text
    return body.isascii() and body.isdigit() and len(body) <= 19


def whole(value: Any, field: str, notes: Notes, *, note: str | None = "IMC-3007") -> int:
    """A whole number from an int, a numeric string (noted as `note`) or an integral float up to 2^53.

    Raises Rejected (IMC-2102) with `field`.
    """
    if type(value) is int:
        return value
    if type(value) is str and digits(value.strip()):
        if note:
            notes.repairs.append(note)
        return int(value)
    if type(value) is float and value.is_integer() and abs(value) < _EXACT:
        notes.repairs.append("IMC-3014")
        return int(value)
    raise Rejected("IMC-2102", field=field, found=shown(value), expected="a whole number")


def milliseconds(value: int, latest: int, notes: Notes) -> int:
    """A time in ms; seconds (10 digits) and microseconds (16 digits) are scaled and noted.

    Raises Rejected (IMC-2104) outside of 2000-01-01 and `latest`.
    """
    if EARLIEST <= value <= latest:
        return value
    scaled = value * 1000 if 10**9 <= value < 10**10 else value // 1000 if 10**15 <= value < 10**16 else value
    if scaled == value or not EARLIEST <= scaled <= latest:
        raise Rejected("IMC-2104", found=value, earliest=day(EARLIEST), latest=day(latest))
    notes.repairs.append("IMC-3008")
    return scaled


def day(time: int) -> str:
    """A time in ms as `2026-11-22T00:00:00Z`."""
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal(value: Any, field: str) -> str:
    """Degrees as decimal text: numbers keep their shortest exact form. Raises Rejected (IMC-2102)."""
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    if type(value) is str:
        return value
    raise Rejected("IMC-2102", field=field, found=shown(value), expected="a number")


def text(value: Any, field: str) -> str:
    """A string. Raises Rejected (IMC-2102) for anything else, IMC-2101 where there is none."""
    if type(value) is str:
        return value
    if value is None:
        raise Rejected("IMC-2101", field=field)
    raise Rejected("IMC-2102", field=field, found=shown(value), expected="a string")


def word(value: Any, name: str) -> str:
    """An id: a text, or a whole number as one. Raises Rejected (IMC-2101, IMC-2102)."""
    if value.__class__ is str and value:
        return value
    if value is None or value == "":
        raise Rejected("IMC-2101", field=name)
    if value.__class__ is int:
        return str(value)
    raise Rejected("IMC-2102", field=name, found=shown(value), expected="a text or a whole number")


def suffix_of(name: str | None) -> str | None:
    """The extension of a file name or URL without the dot, if it has a plausible one."""
    tail = (name or "").split("?", 1)[0].split("#", 1)[0].rsplit("/", 1)[-1]
    stem, dot, suffix = tail.rpartition(".")
    return suffix.lower() if dot and stem and suffix.isalnum() and suffix.isascii() and len(suffix) <= 8 else None
