"""What the head of a document says about all of its records (tencent.md §5.9, §7.2).

Promise: a head that cannot be read says nothing; then each record has to speak for itself.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from imconvert.errors import Rejected
from imconvert.model import Notes
from imconvert.vendors.lenient import parse

BEIJING = timedelta(hours=8)
"""The zone of the hours that files are named by (§7.1)."""

_HOUR = re.compile(r"\d{10}")


class Head(NamedTuple):
    """`chat` is C2C or Group; `group` holds where a record names none; `hour` is the file's, as seconds [from, to)."""

    chat: str | None = None
    group: str | None = None
    hour: tuple[int, int] | None = None


@lru_cache(maxsize=16)
def read_head(data: bytes) -> Head:
    """The head in `data`, which ends with the bracket of the array."""
    try:
        found = parse(data.rstrip() + b"]}", Notes())
    except Rejected:
        return Head()
    return Head(_word(found.get("ChatType")), _word(found.get("GroupId")), _hour(found.get("MsgTime")))


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _hour(value: Any) -> tuple[int, int] | None:
    """YYYYMMDDHH in Beijing's time."""
    text = str(value)
    if not _HOUR.fullmatch(text) or not text.isascii():
        return None
    try:
        begin = datetime.strptime(text, "%Y%m%d%H").replace(tzinfo=UTC) - BEIJING
    except (ValueError, OverflowError):
        return None
    second = int(begin.timestamp())
    return second, second + 3600
