"""The values of Easemob's own custom content, which stand under two keys: an object, or a list of objects."""

from __future__ import annotations

from typing import Any

KEYS = ("v2:customExts", "customExts")


def exts_of(body: dict[str, Any]) -> Any:
    """The values as one object, None where there are none; anything else where the two keys, or the objects of a list,
    do not agree, so that one object could not hold what they say."""
    found = [_one(body[key]) for key in KEYS if body.get(key) is not None]
    if not found:
        return None
    return found[0] if all(one == found[0] for one in found) else found


def _one(exts: Any) -> Any:
    if not isinstance(exts, list) or not all(isinstance(one, dict) for one in exts):
        return exts
    merged = {key: value for one in exts for key, value in one.items()}
    return merged if all(merged[key] == value for one in exts for key, value in one.items()) else exts
