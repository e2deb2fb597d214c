"""What Yunxin demands of ids (yunxin.md §7)."""

from __future__ import annotations

import re

from imconvert.errors import Rejected
from imconvert.model import MAX_ID
from imconvert.vendors.contract import Plain

PLAIN_ACCOUNT = Plain(b"abcdefghijklmnopqrstuvwxyz0123456789_@.-", 32)
_ACCOUNT = re.compile(r"[a-z0-9_@.\-]{1,32}")
ACCOUNT_RULE = "1 to 32 of a-z 0-9 _ @ . -"
BODY_LIMIT = 5000
EXT_LIMIT = 1024
ATTACH_USUAL = 4096
"""Lengths in characters that an app's plan usually allows; longer ones are written and counted (IMC-3019)."""


def account(source: str) -> str:
    """The account id as Yunxin stores it. Raises Rejected (IMC-2201) where it cannot be one."""
    if _ACCOUNT.fullmatch(source):
        return source
    folded = source.lower()
    if not source.isascii() or not _ACCOUNT.fullmatch(folded):
        raise Rejected("IMC-2201", account=repr(source), rule=ACCOUNT_RULE)
    return folded


def group(source: str) -> int:
    """The group id as a number. Raises Rejected (IMC-2202) for anything but a plain decimal from 1 to 2^63-1."""
    if source.isascii() and source.isdigit() and source[0] != "0" and len(source) < 20 and int(source) <= MAX_ID:
        return int(source)
    raise Rejected("IMC-2202", group=repr(source))
