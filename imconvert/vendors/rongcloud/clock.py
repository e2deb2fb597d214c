"""Prove the time zone of a log: hour in the file's name, wall clock and epoch have to agree (rongcloud.md §2.1, §2.2).

Strategy: the first lines of an input that hold both times show the offset of its data centre; it is the input's
zone, and every later line has to show the same. The name of an hourly file says which hour the wall clock may show.
Promise: depends on the input and the settings alone, never on how the input is cut. A zone that nothing proves is
noted for every message whose time rests on it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from imconvert.errors import Rejected
from imconvert.model import EPOCH, Notes
from imconvert.vendors import values
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.rongcloud.lines import unwrapped

MINUTE, HOUR = 60_000, 3_600_000
DEFAULT = "+08:00"
"""The zone of the vendor's data centres in China."""

SURVEYED = 200
"""Lines of an input that are asked for its zone."""

SLACK = HOUR
"""How far outside of its file's hour a message may lie: when exactly a file is cut is not documented."""

FOREVER = 1 << 62
_QUARTER, _FARTHEST = 15 * MINUTE, 14 * HOUR
_WALL = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,3})\d*)?", re.ASCII)
_HOUR_NAME = re.compile(r"(?<!\d)(\d{4})([-_]?)(\d\d)\2(\d\d)\2(\d\d)(?!\d)", re.ASCII)


class Wall(NamedTuple):
    """A wall-clock time in ms, as if it were UTC; `exact` says whether it tells milliseconds."""

    time: int
    exact: bool


def read_wall(text: str) -> Wall | None:
    """A time like `2022-01-21 15:40:28.920`, or None where it is none."""
    found = _WALL.fullmatch(text)
    if not found:
        return None
    hour = _hour(*found.group(1, 2, 3, 4))
    minute, second = int(found[5]), int(found[6])
    if hour is None or minute > 59 or second > 59:
        return None
    return Wall(hour + minute * MINUTE + second * 1000 + int((found[7] or "0").ljust(3, "0")), bool(found[7]))


@lru_cache(maxsize=256)
def _hour(year: str, month: str, day: str, hour: str) -> int | None:
    try:
        return int(datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        return None


def offset_between(wall: Wall, time: int) -> int:
    """How many ms the wall clock is ahead of the epoch time; a wall clock without ms is compared in seconds."""
    return wall.time - (time if wall.exact else time // 1000 * 1000)


def is_zone(offset: int) -> bool:
    """Whether an offset in ms can be that of a time zone."""
    return offset % _QUARTER == 0 and abs(offset) <= _FARTHEST


def zone_name(offset: int) -> str:
    """An offset in ms as `+08:00`, or as seconds where it is no zone's."""
    if not is_zone(offset):
        return f"{offset / 1000:+g} s"
    minutes = abs(offset) // MINUTE
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def zone_offset(name: str) -> int:
    """`+08:00` as ms."""
    minutes = int(name[1:3]) * 60 + int(name[4:6])
    return (-minutes if name[0] == "-" else minutes) * MINUTE


class _Times(Struct, gc=False):
    timestamp: int | None = None
    dateTime: str | None = None


_decode_times = msgspec.json.Decoder(_Times).decode


def survey(label: str, head: bytes, settings: Settings) -> dict[str, str]:
    """What an input says about its times: `zone` and where it comes from (`zone_from`), and `hour` of its name.

    `head` is how the content begins. An input without wall clocks has no zone.
    """
    offsets, clocks = _offsets(head)
    found: dict[str, str] = {}
    hour = hour_of(label) if settings["rongcloud.hour_names"] == "check" else None
    if hour is not None:
        found["hour"] = hour
    chosen = settings["rongcloud.zone"]
    if chosen != "auto":
        return {"zone": chosen, "zone_from": "setting", **found}
    if offsets:
        return {"zone": zone_name(offsets.most_common(1)[0][0]), "zone_from": "timestamp", **found}
    return {"zone": DEFAULT, "zone_from": "default", **found} if clocks else found


def _offsets(head: bytes) -> tuple[Counter[int], int]:
    """The offsets that the first lines show, the most frequent first shown; and how many have a wall clock."""
    found: Counter[int] = Counter()
    clocks = 0
    for times in _times(head):
        wall = read_wall(times.dateTime) if times.dateTime else None
        clocks += wall is not None
        if wall and times.timestamp:
            offset = offset_between(wall, times.timestamp)
            found.update([offset] if is_zone(offset) else [])
    return found, clocks


def _times(head: bytes) -> Iterator[_Times]:
    for line in head.split(b"\n", SURVEYED)[:SURVEYED]:
        try:
            yield _decode_times(unwrapped(line.strip().removeprefix(b"\xef\xbb\xbf"), Notes())[0])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue


def hour_of(label: str) -> str | None:
    """The hour that the name of a file or of a zip entry tells, the innermost name first, as `2022-01-21T15`."""
    for name in reversed(re.split(r"[/!]", label)):
        for found in _HOUR_NAME.finditer(name):
            if _hour(*found.group(1, 3, 4, 5)) is not None:
                return "{}-{}-{}T{}".format(*found.group(1, 3, 4, 5))
    return None


class Clock:
    """Reads the times of one input's records, by what `survey` said of it."""

    def __init__(self, context: Mapping[str, str], settings: Settings, latest: int, notes: Notes) -> None:
        chosen = settings["rongcloud.zone"]
        self.zone = context.get("zone", DEFAULT) if chosen == "auto" else chosen
        self.offset = zone_offset(self.zone)
        origin = context.get("zone_from", "default") if chosen == "auto" else "setting"
        self.proven = origin in ("setting", "timestamp")
        self.hour = context.get("hour") if settings["rongcloud.hour_names"] == "check" else None
        self.first, self.stop = hour_bounds(self.hour)
        self.latest = latest
        self.notes = notes
        self.said = notes.clock = (self.zone, origin)

    def time(self, epoch: Any, clock: Any, prefix: str | None) -> int:
        """The time of a log line in ms: its epoch, checked against its wall clock; or the wall clock alone."""
        time = None if epoch is None else self.epoch(epoch, "timestamp")
        wall = self._wall(clock) if clock else None
        if time is None:
            return self._from_wall(wall, prefix)
        if wall is not None and offset_between(wall, time) != self.offset:
            shows = zone_name(offset_between(wall, time))
            raise Rejected("IMC-2420", clock=clock, time=values.day(time), shows=shows, zone=self.zone)
        if wall is not None or self.proven:
            self.check_hour(wall.time if wall else time + self.offset)
        if wall is not None:
            self.notes.clock = self.said
        return time

    def epoch(self, value: Any, field: str) -> int:
        """Milliseconds since 1970, as a number or as text; no zone has a part in them."""
        self.notes.clock = EPOCH
        return values.milliseconds(values.whole(value, field, self.notes, note=None), self.latest, self.notes)

    def _wall(self, clock: Any) -> Wall:
        wall = read_wall(clock) if isinstance(clock, str) else None
        if wall is None:
            raise Rejected("IMC-2102", field="dateTime", found=shown(clock), expected="YYYY-MM-DD HH:MM:SS.mmm")
        return wall

    def _from_wall(self, wall: Wall | None, prefix: str | None) -> int:
        if wall is None:
            wall = read_wall(prefix) if prefix else None
            if wall is None:
                raise Rejected("IMC-2101", field="timestamp")
            self.notes.repairs.append("IMC-3113")
        self.check_hour(wall.time)
        if not self.proven:
            self.notes.repairs.append("IMC-3110")
        self.notes.clock = self.said
        return values.milliseconds(wall.time - self.offset, self.latest, self.notes)

    def check_hour(self, wall: int) -> None:
        """Refuse a wall-clock time that its file's hour does not hold. Raises Rejected (IMC-2421)."""
        if not self.first <= wall < self.stop:
            raise Rejected("IMC-2421", clock=values.day(wall).removesuffix("Z"), hour=self.hour)


def hour_bounds(hour: str | None) -> tuple[int, int]:
    """From when to when the wall clock may show in a file of this hour."""
    if hour is None:
        return -FOREVER, FOREVER
    begin = _hour(hour[:4], hour[5:7], hour[8:10], hour[11:13])
    assert begin is not None
    return begin - SLACK, begin + HOUR + SLACK
