"""What Easemob demands of ids (easemob.md §4.2, §4.5, §8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from imconvert.errors import Rejected
from imconvert.vendors.contract import Settings

USER_BYTES = 64
GROUP_RULE = "1 to {most} of a-z 0-9"
_CHARACTERS = re.compile(r"[a-z0-9_.\-]+")
_ILLEGAL = re.compile(rb"[^a-z0-9_.\-]")


def account(source: str) -> str:
    """The user id as Easemob stores it. Raises Rejected (IMC-2500) where it cannot be one."""
    return _account(source, USER_BYTES, escape=False)


def group(source: str) -> str:
    """The group id. Raises Rejected (IMC-2501) for anything but 1 to 64 lower-case letters and digits."""
    if source.isascii() and source.isalnum() and source == source.lower() and len(source) <= USER_BYTES:
        return source
    raise Rejected("IMC-2501", group=repr(source))


@lru_cache(maxsize=8)
def _rule(most: int, *, escape: bool) -> Callable[[str], str]:
    return lambda source: _account(source, most, escape=escape)


def account_rules(settings: Settings) -> Callable[[str], str]:
    """The rule for user ids by the settings."""
    return _rule(int(settings["easemob.user_bytes"]), escape=settings["easemob.escape"] == "escape")


def _account(source: str, most: int, *, escape: bool) -> str:
    if len(source) <= most and _CHARACTERS.fullmatch(source):
        return source
    folded = source.lower() if source.isascii() else source
    if escape and source:
        folded = _ILLEGAL.sub(lambda found: b"_x%02x" % found[0][0], folded.encode()).decode()
    if not _CHARACTERS.fullmatch(folded) or len(folded) > most:
        raise Rejected("IMC-2500", account=repr(source), limit=most)
    return folded
