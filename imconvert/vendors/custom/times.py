"""Times as other systems write them: numbers since 1970 in some unit, ISO 8601, or a format of their own.

Strategy: formats that are ISO in all but name take the fast parser; others are parsed by the format. A local time is
made absolute by its own offset if it has one, else by the zone that the mapping names.
Promise: exact to the millisecond; fractions of one are cut off, never rounded up.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from imconvert.errors import Rejected
from imconvert.model import EPOCH, Notes
from imconvert.vendors import values
from imconvert.vendors.custom.spec import Value
from imconvert.vendors.lenient import shown

UNITS = ("s", "ms", "us", "ns", "iso", "format")
SCALES = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE = datetime(1970, 1, 1)
_MILLISECOND = timedelta(milliseconds=1)
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")
AS_ISO = frozenset({"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f"})

ReadTime = Callable[[Any], int]

OWN = ("own", "value")
"""The clock of times that tell their offset themselves."""


def clock_of(spec: Value) -> tuple[str, str]:
    """The clock of a mapping's times: the zone where it names one, else the times' own offsets, or none is needed."""
    if spec.unit not in ("iso", "format"):
        return EPOCH
    return (spec.zone, "mapping") if spec.zone else OWN


def zone_of(name: str) -> tzinfo | None:
    """The zone of `+08:00`, `UTC`, `Z` or an IANA name; None for anything else."""
    if name in ("UTC", "Z"):
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset and int(offset[2]) < 24 and int(offset[3]) < 60:
        delta = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-delta if offset[1] == "-" else delta)
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def is_format(form: str) -> bool:
    """Whether a moment written in the format can be read back in it, to the day at least."""
    moment = datetime(2026, 11, 22, 13, 14, 15, tzinfo=UTC)
    try:
        found = datetime.strptime(moment.strftime(form), form)
    except (ValueError, re.error):
        return False
    return found.date() == moment.date()


def reader(spec: Value, latest: int, notes: Notes) -> ReadTime:
    """The function that turns a value into ms since 1970. Raises Rejected (IMC-2102, IMC-2104)."""
    return _by_clock(spec, latest, notes) if spec.unit in ("iso", "format") else _by_number(spec.unit, latest, notes)


def _by_number(unit: str, latest: int, notes: Notes) -> ReadTime:
    times, by = SCALES[unit]
    earliest = values.EARLIEST

    def read(value: Any) -> int:
        if value.__class__ is int:
            number = value
        elif value.__class__ is str and value.isascii() and value.isdigit() and len(value) < 20:
            number = int(value)
        else:
            return _fraction(value, times, by, latest)
        time: int = number * times // by
        return time if earliest <= time <= latest else values.milliseconds(number, latest, notes)

    return read


def _fraction(value: Any, times: int, by: int, latest: int) -> int:
    """A number with a fraction, exactly."""
    try:
        exact = Decimal(repr(value) if value.__class__ is float else value if value.__class__ is str else "")
        time = int(exact * times / by) if exact.adjusted() < 24 else -1
    except (InvalidOperation, ValueError, OverflowError):
        raise Rejected("IMC-2102", field="time", found=shown(value), expected="a time as a number") from None
    if not values.EARLIEST <= time <= latest:
        raise _outside(str(value)[:40], latest)
    return time


def _outside(found: Any, latest: int) -> Rejected:
    return Rejected("IMC-2104", found=found, earliest=values.day(values.EARLIEST), latest=values.day(latest))


def _by_clock(spec: Value, latest: int, notes: Notes) -> ReadTime:
    parse = _parser(spec)
    zone = zone_of(spec.zone)
    fixed = zone.utcoffset(None) if isinstance(zone, timezone) else None
    said = notes.clock = clock_of(spec)

    def read(value: Any) -> int:
        if value.__class__ is not str:
            raise Rejected("IMC-2102", field="time", found=shown(value), expected="a time as text")
        try:
            moment = parse(value)
        except ValueError:
            raise Rejected("IMC-2102", field="time", found=shown(value),
                           expected=spec.format or "a time such as 2026-01-31 08:00:00") from None  # fmt: skip
        try:
            notes.clock = said if moment.tzinfo is None else OWN
            if moment.tzinfo is not None:
                time = (moment - _EPOCH) // _MILLISECOND
            elif fixed is not None:
                time = (moment - _NAIVE - fixed) // _MILLISECOND
            else:
                time = (_placed(moment, zone, notes) - _EPOCH) // _MILLISECOND
        except OverflowError:
            raise _outside(value[:40], latest) from None
        if not values.EARLIEST <= time <= latest:
            raise _outside(value[:40], latest)
        return time

    return read


def _placed(moment: datetime, zone: tzinfo | None, notes: Notes) -> datetime:
    """A local time in a zone whose clocks are changed; the earlier of two is taken, and noted."""
    found = moment.replace(tzinfo=zone)
    later = found.replace(fold=1)
    if (found.utcoffset() or timedelta()) > (later.utcoffset() or timedelta()):
        notes.repairs.append("IMC-3120")
    return found


def _parser(spec: Value) -> Callable[[str], datetime]:
    form = spec.format
    if spec.unit == "iso":
        return datetime.fromisoformat
    if form not in AS_ISO:
        return lambda text: datetime.strptime(text, form)
    length = 19

    def parse(text: str) -> datetime:
        if len(text) >= length and text[4] == "-" and text[10] == form[8] and "+" not in text and text[-1] != "Z":
            return datetime.fromisoformat(text)
        return datetime.strptime(text, form)

    return parse
