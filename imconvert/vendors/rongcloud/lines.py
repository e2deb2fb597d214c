"""Open one raw record of RongCloud's: a log line with or without its time in front, a form post, or a JSON post.

Strategy: what stands around the JSON object is taken off (rongcloud.md §2.2); a post of the message routing may come
as the form that the vendor sends (§5). Both end as a dict, which `records.py` reads.
Promise: nothing but the time prefix is taken off unseen; fields of a post's signature go no further than here.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from imconvert.errors import Rejected
from imconvert.model import Notes
from imconvert.vendors import lenient

MOST_FIELDS = 10_000
"""Fields of a form that are read; each receiver of a directed group message is one."""

LISTS = ("groupUserIds",)
"""Form fields that may be repeated."""

_BLANKS = b" \t\r\n"
_PREFIX = re.compile(rb"(\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2})[ \t]*(?=\{)")
_FORM = re.compile(rb"\??[A-Za-z][A-Za-z-]*=")
_SIGNED = frozenset({"signature", "nonce", "signtimestamp", "appkey", "app-key"})
_SECRET = frozenset({"signature", "nonce"})
_FORM_SECRET = re.compile(rb"((?:^|[?&])(?:RC-)?(?:signature|nonce)=)[^&]*", re.IGNORECASE)
_JSON_SECRET = re.compile(rb'("(?:RC-)?signature"\s*:\s*")[0-9a-f]{40}(?=")', re.IGNORECASE)

_encode = msgspec.json.Encoder().encode


class Opened(NamedTuple):
    """A record as an object, and the wall-clock time that stood before it."""

    fields: dict[str, Any]
    prefix: str | None = None


def opened(raw: bytes, notes: Notes) -> Opened:
    """The object in `raw`. Raises Rejected (IMC-200x)."""
    data = _bare(raw, notes)
    if _FORM.match(data):
        return Opened(_form(data))
    found, prefix = unwrapped(data, notes)
    return Opened(lenient.parse(found, notes), prefix)


def peek(raw: bytes) -> dict[str, Any] | None:
    """The record as detection looks at it, or None where it is none."""
    try:
        return opened(raw, Notes()).fields
    except Rejected:
        return None


def unwrapped(data: bytes, notes: Notes) -> tuple[bytes, str | None]:
    """The JSON text from the first `{` to the last `}`, and the time before it; other text around is noted."""
    prefix = None
    if not data.startswith(b"{"):
        time = _PREFIX.match(data)
        begin = time.end() if time else data.find(b"{")
        if begin < 0 or data.startswith((b"[", b'"')):
            return data, None
        if time:
            prefix = time[1].decode()
        else:
            notes.repairs.append("IMC-3111")
        data = data[begin:]
    end = data.rfind(b"}") + 1
    if 0 < end < len(data):
        notes.repairs.append("IMC-3111")
        data = data[:end]
    return data, prefix


def _bare(raw: bytes, notes: Notes) -> bytes:
    data = raw.strip(_BLANKS)
    while data.startswith(lenient.BOM):
        notes.repairs.append("IMC-3001")
        data = data[len(lenient.BOM) :].lstrip(_BLANKS)
    return data


def _form(data: bytes) -> dict[str, Any]:
    """The fields of a form; of a field that is repeated the last counts, as of a key in JSON."""
    try:
        pairs = parse_qsl(
            data.removeprefix(b"?").decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except UnicodeDecodeError as why:
        raise Rejected("IMC-2002", byte=why.start, hint=" (within a form field)") from None
    except ValueError:
        raise Rejected("IMC-2001", detail=f"a form of more than {MOST_FIELDS} fields") from None
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in LISTS:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def is_signed(name: str) -> bool:
    """Whether a field of a post belongs to its signature, not to the message (§5)."""
    return name.lower().removeprefix("rc-") in _SIGNED


def redacted(raw: bytes) -> bytes:
    """The record without the signature that a recorded post may carry; all else stays byte for byte."""
    if _FORM.match(raw.lstrip(_BLANKS)):
        return _FORM_SECRET.sub(rb"\1", raw)
    if b"ignature" not in raw and b"once" not in raw:
        return raw
    found = peek(raw)
    if found is None:
        return _JSON_SECRET.sub(rb"\1", raw)
    if "classname" in found or not any(_is_secret(name) for name in found):
        return raw
    return _encode({name: "" if _is_secret(name) else value for name, value in found.items()})


def _is_secret(name: str) -> bool:
    return name.lower().removeprefix("rc-") in _SECRET
