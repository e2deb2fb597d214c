"""Take values out of the items of list APIs: optional texts, flags, times, words of small vocabularies.

Rule: what only adorns somebody is taken as it comes, and left out where it makes no sense (counted, IMC-3306); only the
ids have to be right, or the item is rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import Notes
from imconvert.vendors import values
from imconvert.vendors.lenient import compact, shown

LEFT = "IMC-3306"


def record(value: Any, what: str) -> dict[str, Any]:
    """An item that is an object. Raises Rejected (IMC-2102) for anything else."""
    if value.__class__ is dict:
        return value
    raise Rejected("IMC-2102", field=what, found=shown(value), expected="an object")


def text(value: Any) -> str | None:
    """A text that may be missing; numbers as they are written, objects and arrays as JSON, "" for none."""
    if value is None or value == "" or value is False:
        return None
    if value.__class__ is str:
        return value
    return compact(value)


def flag(value: Any) -> bool:
    """A switch: true, 1, and their texts."""
    return value is True or value in (1, "1", "true", "True", "on", "On", "yes")


def number(value: Any, notes: Notes) -> int | None:
    """A whole number from 0 that may be missing."""
    if value is None or value == "":
        return None
    if value.__class__ is int and value >= 0:
        return value
    if value.__class__ is str and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    notes.repairs.append(LEFT)
    return None


def moment(value: Any, notes: Notes, latest: int, *, unit: int = 1) -> int | None:
    """A time that may be missing, in ms since 1970, from a number of `unit` ms; 0 is none."""
    found = number(value, notes)
    if not found:
        return None
    time = found * unit
    if values.EARLIEST <= time <= latest:
        return time
    notes.repairs.append(LEFT)
    return None


def choice(value: Any, table: Mapping[str, Any], notes: Notes, name: str) -> Any:
    """What a word or number of a vocabulary means; None for none, and for one that nobody knows, which is noted."""
    if value is None or value == "":
        return None
    key = str(value)
    if key not in table:
        notes.novel.append(("value", f"{name}={key[:40]}"))
    return table.get(key)


def table_of(setting: str) -> dict[str, str]:
    """A vocabulary from a setting such as 1=male,2=female."""
    pairs = (pair.partition("=") for pair in setting.split(",") if "=" in pair)
    return {key.strip(): meaning.strip() for key, _, meaning in pairs}
