"""When the wall clocks of a zone are how far ahead of UTC, for the compiled part.

Promise: an interval only holds clocks that one offset alone is right for; what a change of the clocks shows twice, or
never, is in none.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from imconvert.vendors import values
from imconvert.vendors.custom.times import zone_of

DAY = 86_400
LAST = 2_240_611_200
"""2041-01-01 UTC in seconds; clocks from then on go the long way."""

FOREVER = 1 << 62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Interval = tuple[int, int, int]
"""Wall clocks in ms from the first to before the second are as many ms ahead as the third says."""


@lru_cache(maxsize=16)
def intervals(name: str) -> tuple[Interval, ...]:
    """Those of a zone, up to LAST; none for a zone that nobody knows, or without a name."""
    zone = zone_of(name) if name else None
    if zone is None:
        return ()
    if isinstance(zone, timezone):
        return ((-FOREVER, FOREVER, zone.utcoffset(None) // _MILLISECOND),)
    return tuple(_apart([*_periods(zone)]))


def _periods(zone: tzinfo) -> Iterator[Interval]:
    """Seconds since 1970, from and to, with one offset in seconds each."""
    first = begin = values.EARLIEST // 1000 - 2 * DAY
    offset = _offset(zone, begin)
    for second in range(first + DAY, LAST, DAY):
        if _offset(zone, second) != offset:
            change = _change(zone, second - DAY, second)
            yield begin, change, offset
            begin, offset = change, _offset(zone, change)
    yield begin, LAST, offset


def _change(zone: tzinfo, before: int, after: int) -> int:
    """The first second with another offset than `before` has."""
    offset = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(zone, middle) == offset else (before, middle)
    return after


def _offset(zone: tzinfo, second: int) -> int:
    found = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert found is not None
    return found // timedelta(seconds=1)


def _apart(periods: list[Interval]) -> Iterator[Interval]:
    """The wall clocks of each period that no other one shows."""
    for number, (begin, end, offset) in enumerate(periods):
        first, stop = begin + offset, end + offset
        if number:
            first = max(first, begin + periods[number - 1][2])
        if number + 1 < len(periods):
            stop = min(stop, end + periods[number + 1][2])
        yield first * 1000, stop * 1000, offset * 1000
