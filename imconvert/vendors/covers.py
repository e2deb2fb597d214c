"""The cover picture of a video, which the model has no field for: the keys that readers leave its address under.

A writer that has a place for a cover looks here; one that has none keeps the key with the other leftovers.
"""

from __future__ import annotations

from typing import Any

KEYS = ("thumb", "ThumbUrl")
"""Easemob's and Tencent's names for it; both pass through Yunxin's attach as they are."""


def cover_of(extra: dict[str, Any] | None) -> tuple[str, str] | None:
    """Key and address of the cover among leftovers, if there is one."""
    for key in KEYS:
        found = (extra or {}).get(key)
        if isinstance(found, str) and found.strip():
            return key, found.strip()
    return None
