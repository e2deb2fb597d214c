"""Who is in which group, from the user's own file: CSV with a header, the columns group, user and, if it is there,
joined_at.

Strategy: the file may be larger than the memory, so its rows become sorted runs like the lines of conversations, by the
same hash; a bucket's conversations then meet their members in one pass. Ids are those of the source; maps and rules
of the run apply to them.
Promise: the same file gives the same members, in whatever order its rows stand. A row whose ids the target can't have is
counted, with the first of them.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from imconvert.errors import Rejected, UsageError
from imconvert.sources.inputs import text_lines

GROUP, USER, JOINED = "group", "user", "joined_at"
_SECONDS = 100_000_000_000
"""Below this a whole number counts seconds, from here on milliseconds: 1973 in ms, 5138 in s."""


class Row(NamedTuple):
    """A row as it is written: line in the file, ids of the source, and ms since 1970 or 0."""

    line: int
    group: str
    user: str
    joined: int


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file of members. Raises UsageError IMC-1231 for one that can't be read."""
    reader = csv.DictReader(text_lines(path), strict=True)
    try:
        if not {GROUP, USER} <= set(reader.fieldnames or ()):
            raise UsageError("IMC-1231", str(path), why=f"its header lacks {GROUP} or {USER}")
        for row in reader:
            group, user = (row[GROUP] or "").strip(), (row[USER] or "").strip()
            if not group and not user:
                continue
            if not group or not user:
                raise UsageError("IMC-1231", f"{path}:{reader.line_num}", why=f"{GROUP} or {USER} is empty")
            yield Row(reader.line_num, group, user, _moment(path, reader.line_num, row.get(JOINED)))
    except csv.Error as why:
        raise UsageError("IMC-1231", f"{path}:{reader.reader.line_num}", why=str(why)) from why
