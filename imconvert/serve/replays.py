"""Stretches of the feed for tests and repairs: `?cursor=FILE-OFFSET`, `?since=MS`, `?until=MS`, `?limit=N`.

They never move the cursor. `since` and `until` (excluded) choose records by their own time; files whose range of times
lies outside are not opened. One answer looks at no more than SEEN bytes; X-Feed-Next says where to go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imconvert.serve.feed import Feed
from imconvert.serve.state import MOST, File, place
from imconvert.serve.windows import BLOCK, Caps, Shelf, Stretch, Window

SEEN = 64 << 20
_NAMES = frozenset({"cursor", "since", "until", "limit"})
_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; None where the query does not say."""

    cursor: int | None
    since: int | None
    until: int | None
    limit: int | None


def read(query: Mapping[str, str]) -> Wanted | None:
    """What a query asks for; None for a plain pull. Raises ValueError for what can't be read."""
    if not query.keys() & _NAMES:
        return None
    return Wanted(
        _cursor(query["cursor"]) if "cursor" in query else None,
        *(_number(query[name]) if name in query else None for name in ("since", "until", "limit")),
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise ValueError(text)
    return int(text)


def _cursor(text: str) -> int:
    file, _, offset = text.partition("-")
    if _number(file) >= 1 << 22 or _number(offset) >= MOST:
        raise ValueError(text)
    return place(int(file), int(offset))


def window(feed: Feed, wanted: Wanted) -> Window:
    """The records asked for. Raises ValueError for a cursor that is no place of the feed, IntegrityError IMC-6041."""
    if wanted.cursor is not None and not feed.has(wanted.cursor):
        raise ValueError(wanted.cursor)
    limit = feed.caps.records if wanted.limit is None else min(max(wanted.limit, 1), feed.caps.records)
    caps = Caps(limit, feed.caps.bytes)
    timed = wanted.since is not None or wanted.until is not None
    start = wanted.cursor if wanted.cursor is not None else 0 if timed else feed.cursor
    if not timed:
        return feed.replay(start, caps)
    return _chosen(feed, start, range(wanted.since or 0, _ALL if wanted.until is None else wanted.until), caps)


def _chosen(feed: Feed, start: int, times: range, caps: Caps) -> Window:
    found, seen = Window(start, start), 0
    for line in _lines(feed.stretches(start), times):
        file, length = line.file, line.stop - line.start
        if found.records >= caps.records or (found.records and found.bytes + length > caps.bytes) or seen > SEEN:
            found.more = True
            return found
        seen += length
        if line.data and feed.target.read_key(line.data).time in times:
            found.add(Stretch(file, line.start, line.stop), 1)
        found.stop = place(file.number, line.stop)
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    file: File
    start: int
    stop: int
    data: bytes


def _lines(stretches: Iterator[Stretch], times: range) -> Iterator[_Line]:
    """The lines of stretches; for one whose file has no record of these times only its end, without data."""
    with Shelf() as shelf:
        for stretch in stretches:
            file, start, rest = stretch.file, stretch.start, b""
            if file.first >= times.stop or file.last < times.start:
                yield _Line(file, stretch.stop, stretch.stop, b"")
                continue
            for block in shelf.blocks(stretch, stretch.stop, BLOCK):
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    yield _Line(file, start, start + len(line) + 1, line)
                    start += len(line) + 1
