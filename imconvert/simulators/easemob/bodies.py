"""What a message may hold, for import and for live sending (easemob.md §4.3, §4.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import Rule, check, integer, table, text
from imconvert.simulators.easemob.answers import fail, illegal

_TEXT, _SECONDS = text(), integer(0)
_EVENT = re.compile(r"[a-zA-Z0-9\-_/.]{1,32}")
_INVALID = "invalid_request_body"


def _event(value: Any) -> bool:
    return isinstance(value, str) and bool(_EVENT.fullmatch(value))


def _texts(value: Any) -> bool:
    """At most 16 texts by name."""
    return isinstance(value, dict) and len(value) <= 16 and all(isinstance(one, str) for one in value.values())


def _fields(needed: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Rule]:
    return {name: Rule(test, _INVALID) for name, test in needed.items()} | {
        name: Rule(test, _INVALID, needed=False) for name, test in others.items()
    }


_URL: Mapping[str, Callable[[Any], bool]] = {"url": text(1)}
_FILE = {"filename": _TEXT, "secret": _TEXT}
BODIES: dict[str, dict[str, Rule]] = {
    "txt": _fields({"msg": _TEXT}, {}),
    "img": _fields(_URL, {**_FILE, "size": table}),
    "audio": _fields(_URL, {**_FILE, "length": _SECONDS}),
    "video": _fields(
        _URL, {**_FILE, "thumb": _TEXT, "thumb_secret": _TEXT, "length": _SECONDS, "file_length": _SECONDS}
    ),
    "file": _fields(_URL, _FILE),
    "loc": _fields({"lat": _TEXT, "lng": _TEXT, "addr": _TEXT}, {}),
    "cmd": _fields({"action": _TEXT}, {}),
    "custom": _fields({}, {"customEvent": _event, "customExts": _texts}),
}
"""Fields of a body by type: those that are needed, and others with their types."""


class Content(NamedTuple):
    """What a message says: its type, body and extension."""

    type: str
    body: dict[str, Any]
    ext: dict[str, Any] | None


def content_of(call: Call, given: Mapping[str, Any]) -> Content:
    """The content of a request in the documented form or in that of the official SDK (`msg` with the type inside)."""
    kind, body = given.get("type"), given.get("body")
    if isinstance(given.get("msg"), dict) and body is None:
        body = {name: value for name, value in given["msg"].items() if name != "type"}
        kind = given["msg"].get("type")
    if kind == "" or kind is None:
        illegal(call, "type not allow empty")
    if body is None or body == {}:
        illegal(call, "message body not allow empty")
    if not isinstance(kind, str) or not isinstance(body, dict):
        fail(call, 400, _INVALID, "Request body is invalid. Please check body is correct.")
    rules = BODIES.get(kind)
    if rules is None:
        illegal(call, f"there is no type {kind}")
    check(body, rules, lambda code, why: fail(call, 400, str(code), why))
    ext = given.get("ext", {})
    if not isinstance(ext, dict):
        fail(call, 400, _INVALID, "ext is no object")
    _check_size(call, body, ext)
    return Content(kind, body, ext if "ext" in given else None)


def _check_size(call: Call, body: Any, ext: Any) -> None:
    """Body and ext together have at most 5 KB (§4.4)."""
    if len(orjson.dumps(body)) + len(orjson.dumps(ext)) > call.desk.number("size"):
        fail(call, 400, "message_send_error", "message is too large", {"error_code": 14007})
