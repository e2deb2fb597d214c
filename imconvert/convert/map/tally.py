"""Count what happens in a segment by code, and keep where it happened first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from imconvert.convert.work import Count, First
from imconvert.errors import cause_of


@dataclass(slots=True)
class Tally:
    """What happened in one segment, by code, with the first example of each."""

    rejects: dict[str, Count] = field(default_factory=dict)
    skipped: dict[str, Count] = field(default_factory=dict)
    repairs: dict[str, Count] = field(default_factory=dict)
    changes: dict[str, Count] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)


def count(
    into: dict[str, Count], name: str, file: int, line: int, values: dict[str, Any] | None = None, times: int = 1
) -> None:
    """Count `name`, keeping its first place and, for a code with values, what it said there."""
    known = into.get(name)
    if known and known.first and (file, line) < (known.first.file, known.first.line):
        known.first = First(file, line)
    if known is None:
        why = cause_of(name, values) if values is not None else ""
        into[name] = known = Count(0, First(file, line, why, values or {}))
    known.count += times
