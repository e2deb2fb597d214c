"""Everything that is wrong with a mapping file, gathered and told at once, with the place of each.

Strategy: the TOML parser tells no places, so that lines are looked up in the text: the header of the table, then the
key below it. What can't be found so is told by its table alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Any

from imconvert.errors import UsageError
from imconvert.vendors.lenient import shown

Where = tuple[str | int, ...]


class Problems:
    """The problems of one mapping file."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[tuple[int, str, str, dict[str, Any]]] = []

    def say(self, code: str, where: Where, key: str, **values: Any) -> None:
        """Note a problem at `key` of the table `where`."""
        name = ".".join(str(step) for step in where if not isinstance(step, int))
        self.found.append((line_of(self.text, where, key), f"[{name}]" if name else "", code, {"key": key, **values}))

    def unknown(self, where: Where, key: str, allowed: Collection[str]) -> None:
        self.say("IMC-1102", where, key, hint=hint(key, allowed), allowed=", ".join(sorted(allowed)))

    def missing(self, where: Where, key: str, why: str) -> None:
        self.say("IMC-1103", where, key, why=why)

    def bad(self, where: Where, key: str, found: Any, expected: str, allowed: Collection[str] = ()) -> None:
        self.say("IMC-1104", where, key, found=shown(found), expected=expected, hint=hint(found, allowed))

    def at_odds(self, where: Where, key: str, why: str) -> None:
        self.say("IMC-1105", where, key, why=why)

    def check(self) -> None:
        """Raise UsageError IMC-1100 with all problems, if there are any."""
        if self.found:
            problems = [(code, place(line, where), values) for line, where, code, values in sorted(self.found, key=_at)]
            raise UsageError("IMC-1100", count=len(problems), problems=problems)


def _at(problem: tuple[int, str, str, dict[str, Any]]) -> tuple[int, str]:
    return problem[0], problem[1]


def place(line: int, where: str) -> str:
    """`line 12 [message]`, as far as it is known."""
    return " ".join(part for part in (f"line {line}" if line else "", where) if part)


def hint(found: Any, allowed: Collection[str]) -> str:
    """` (did you mean "time"?)` where something allowed is close."""
    close = difflib.get_close_matches(str(found), list(allowed), n=1, cutoff=0.6)
    return f' (did you mean "{close[0]}"?)' if close and close[0] != found else ""


def line_of(text: str, where: Where, key: str) -> int:
    """The line from 1 at which `key` of the table `where` is set, else that of the table, else 0."""
    lines = text.splitlines()
    names = [str(step) for step in where if not isinstance(step, int)]
    turn = next((step for step in where if isinstance(step, int)), 0)
    for depth in range(len(names), -1, -1):
        start = _header(lines, names[:depth], turn)
        if start is None:
            continue
        wanted = [key, *(names[depth : depth + 1])] if depth == len(names) else names[depth : depth + 1]
        return _key(lines, start, wanted) or start
    return 0


def _header(lines: list[str], names: list[str], turn: int) -> int | None:
    """The line of a table's header; 0 for the top."""
    if not names:
        return 0
    pattern = re.compile(r"\s*\[{1,2}\s*" + r"\s*\.\s*".join(map(_bare_or_quoted, names)) + r"\s*\]{1,2}")
    found = [number for number, line in enumerate(lines, 1) if pattern.match(line)]
    return found[min(turn, len(found) - 1)] if found else None


def _key(lines: list[str], start: int, keys: list[str]) -> int:
    """The line of the first of `keys` that is set below line `start`, before the next header."""
    for key in keys:
        pattern = re.compile(r"\s*" + _bare_or_quoted(key) + r"\s*[=.]")
        for number in range(start, len(lines)):
            if re.match(r"\s*\[", lines[number]):
                break
            if pattern.match(lines[number]):
                return number + 1
    return 0


def _bare_or_quoted(name: str) -> str:
    return rf"[\"']?{re.escape(name)}[\"']?"
