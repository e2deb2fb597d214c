"""Parse a record that strict parsing refused, and say what had to be forgiven.

Strategy: the forgivable oddities are undone one by one, from the outside in; each is noted once per record. What
still is no JSON object is rejected with the reason.
Promise: no repair changes a value except where its code says so (yunxin.md §9, easemob.md §2.3).
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import msgspec

from imconvert.errors import Rejected
from imconvert.model import MAX_DEPTH, Notes, depth_exceeds

BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
_QUOTES = str.maketrans({"\u201c": '"', "\u201d": '"', "\uff02": '"'})
_BLANKS = b" \t\r\n"

_strict = msgspec.json.Decoder().decode


def parse(raw: bytes, notes: Notes, *, label: bytes = b"") -> dict[str, Any]:
    """The JSON object in `raw`. `label` is a word that may stand glued before it. Raises Rejected (IMC-200x)."""
    value = _parse(_stripped(raw, notes, label), notes)
    if not isinstance(value, dict):
        raise Rejected("IMC-2006", found=shown(value))
    return value


def parse_text(text: str, notes: Notes) -> Any:
    """Any JSON value in a string of a record. Raises Rejected (IMC-200x)."""
    return _parse(text.encode("utf-8", "replace"), notes)


def shown(value: object, limit: int = 60) -> str:
    """A value as JSON for a message, cut to `limit` characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def compact(value: Any) -> str:
    """A JSON value as compact text, keys in their order."""
    return msgspec.json.encode(value).decode()


def _stripped(raw: bytes, notes: Notes, label: bytes) -> bytes:
    data = raw.strip(_BLANKS)
    while data.startswith(BOM):
        notes.repairs.append("IMC-3001")
        data = data[len(BOM) :].lstrip(_BLANKS)
    if label and data.startswith(label) and data[len(label) :].lstrip(_BLANKS).startswith(b"{"):
        notes.repairs.append("IMC-3003")
        data = data[len(label) :].lstrip(_BLANKS)
    return data


def _parse(data: bytes, notes: Notes) -> Any:
    if depth_exceeds(data):
        raise Rejected("IMC-2004", limit=MAX_DEPTH)
    try:
        return _strict(data)
    except (UnicodeDecodeError, msgspec.DecodeError):
        pass
    text = _decoded(data)
    try:
        return _forgiving(text, notes)
    except ValueError as why:
        return _unquoted(text, notes, why)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as why:
        raise Rejected("IMC-2002", byte=why.start, hint=_encoding_hint(data)) from None


def _encoding_hint(data: bytes) -> str:
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    return " (it may be GB18030)"


def _forgiving(text: str, notes: Notes) -> Any:
    """JSON with raw control characters and lone surrogates allowed inside of strings."""
    value = json.loads(text, strict=False, parse_constant=_no_constant, parse_float=_finite)
    if any(character < " " for character in text):
        notes.repairs.append("IMC-3004")
    return _whole_characters(value, notes) if "\\u" in text else value


def _unquoted(text: str, notes: Notes, why: ValueError) -> Any:
    """Last resort: typographic quotes become plain ones (yunxin.md §9)."""
    plain = text.translate(_QUOTES)
    if plain != text:
        try:
            value = _forgiving(plain, notes)
        except ValueError:
            pass
        else:
            notes.repairs.append("IMC-3005")
            return value
    if "\0" in text:
        raise Rejected("IMC-2007") from None
    raise Rejected("IMC-2001", detail=_detail(why)) from None


def _detail(why: ValueError) -> str:
    if isinstance(why, json.JSONDecodeError):
        return f"{why.msg} at character {why.pos}"
    return str(why).split(";")[0]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return number


def _whole_characters(value: Any, notes: Notes) -> Any:
    """Replace lone surrogates in all strings of a value by U+FFFD, noting it once."""
    if isinstance(value, str):
        if not _SURROGATE.search(value):
            return value
        if "IMC-3006" not in notes.repairs:
            notes.repairs.append("IMC-3006")
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole_characters(item, notes) for item in value]
    if isinstance(value, dict):
        return {_whole_characters(k, notes): _whole_characters(v, notes) for k, v in value.items()}
    return value
