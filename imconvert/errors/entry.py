"""One entry of the catalogue."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One code: a short stable name, and cause and remedy by language."""

    code: str
    name: str
    cause: dict[str, str]
    remedy: dict[str, str]


def entry(code: str, name: str, cause: str, remedy: str, cause_zh: str, remedy_zh: str) -> Entry:
    return Entry(code, name, {"en": cause, "zh": cause_zh}, {"en": remedy, "zh": remedy_zh})
