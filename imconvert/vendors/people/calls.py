"""The finished requests about people, as the loader takes them.

Format: as in `requests.py`, without a time; between `time` and `body` may stand `path` (where the path has parts of its
own; `{}` in it is filled in by `ids`), `ids` (fields of the body, or `path`, whose ids the target gives out only while
loading: field to [kind, source id]), `source` (the id whose target the answer gives), and `secret` (field of the body,
or of each of its items, into which the loader puts the secret of the account that the other field names).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct


class Call(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A request. The order of the fields is the order in which they are written; `api`, `conv`, `key` and `time` are
    always there."""

    api: str
    conv: str
    key: str
    time: int
    path: str = ""
    ids: Mapping[str, tuple[str, str]] = {}
    source: str = ""
    secret: Mapping[str, str] = {}
    body: Raw


_encode = msgspec.json.Encoder().encode


def call(api: str, conv: str, key: str, body: Any, **more: Any) -> bytes:
    """A line without its newline; `conv` is empty for what needs no order."""
    raw = body if isinstance(body, Raw) else Raw(_encode(body))
    return _encode(Call(api=api, conv=conv, key=key, time=0, body=raw, **more))


def key_of(first: str, count: int) -> str:
    """The key of a call of several lines: that of its first, and how many more."""
    return first if count == 1 else f"{first}+{count - 1}"
