"""Carry what a target has no words for: another vendor's content inside of custom content, leftovers in an extension.

Promise: what was wrapped comes out again as it went in, also by the detour over another vendor's lines.
"""

from __future__ import annotations

from typing import Any

import msgspec

from imconvert.model import Custom, Message, Notes, Notice, Part, Place, Skip, Text
from imconvert.vendors.contract import Read
from imconvert.vendors.lenient import compact

MARK = "imconvert"
"""The key that our notes stand under in an app's extension."""

_VERSION = 1
_KEYS = frozenset({"v", "kind", "src", "raw"})


def wrapped(part: Custom) -> dict[str, Any]:
    """Custom content so that clients can tell whose it is: `{"v":1,"kind":…,"src":…,"raw":…}` (yunxin.md §10)."""
    return {"v": _VERSION, "kind": part.kind, "src": part.vendor, "raw": part.content}


def unwrapped(part: Custom) -> Custom:
    """The content in an app's custom content that is such a wrapping; any other as it is."""
    content = part.content
    if part.kind != "custom" or not isinstance(content, dict) or content.keys() != _KEYS or content["v"] != _VERSION:
        return part
    kind, vendor = content["kind"], content["src"]
    if not isinstance(kind, str) or not isinstance(vendor, str):
        return part
    return Custom(kind, vendor, content["raw"], part.extra)


def object_of(ext: str | None) -> dict[str, Any]:
    """An extension as an object; one that is none stands under "ext"."""
    if not ext:
        return {}
    value = _parsed(ext)
    return value if isinstance(value, dict) else {"ext": value}


def is_object(ext: str) -> bool:
    """Whether an extension is a JSON object."""
    return isinstance(_parsed(ext), dict)


def _parsed(ext: str) -> Any:
    try:
        return msgspec.json.decode(ext)
    except (msgspec.DecodeError, RecursionError):
        return ext


def noted(ext: dict[str, Any], note: dict[str, Any]) -> dict[str, Any]:
    """An extension that also holds `note` under MARK, beside what stands there already."""
    before = ext.get(MARK, {})
    return {**ext, MARK: {**(before if isinstance(before, dict) else {"app": before}), **note}}


def with_note(ext: str | None, note: dict[str, Any]) -> str:
    """The same for an extension that is a text."""
    return compact(noted(object_of(ext), note))


_OF_LINES = (
    " kept in attach",
    " kept in ext",
    " to a wrapped custom message",
    " in s to dur in ms",
    " to a derived number",
)


def without_lines(read: Read, notes: Notes) -> Read:
    """The reader, but for notes of changes that only Yunxin's lines need: another target says itself what it does."""

    def found(raw: bytes) -> Message | Skip:
        message = read(raw)
        notes.changes[:] = [one for one in notes.changes if not is_of_lines(one)]
        return message

    return found


def is_of_lines(change: tuple[str, str]) -> bool:
    """Whether a change is one that only Yunxin's lines need."""
    return change[0] == "transformed" and change[1].endswith(_OF_LINES)


def kind_of(part: Part) -> str:
    """The word for a kind of content; of wrapped content the one for what is in it."""
    if isinstance(part, Custom):
        return unwrapped(part).kind
    return _KINDS.get(part.__class__) or part.kind  # type: ignore[union-attr]


_KINDS: dict[type, str] = {Text: "text", Place: "place", Notice: "notice"}
