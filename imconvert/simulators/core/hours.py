"""Hours, as the vendors name them: YYYYMMDDHH in the zone of a data centre."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

HOUR = 3_600_000
DAY = 86_400_000


def start_of(hour: str, ahead: int) -> int:
    """The first millisecond of an hour in a zone that is so many hours ahead of UTC. Raises ValueError."""
    if len(hour) != 10 or not hour.isdecimal():
        raise ValueError(f"{hour!r} is no hour such as 2024030610")
    moment = datetime.strptime(hour, "%Y%m%d%H").replace(tzinfo=timezone(timedelta(hours=ahead)))
    return int(moment.timestamp() * 1000)
