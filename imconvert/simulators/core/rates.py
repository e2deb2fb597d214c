"""Rate windows that slide: no stretch of a window's length ever holds more calls that were taken than its limit.

Strategy: a window remembers the times of the calls that it took. A bucket that refills, or a counter per calendar
second, would let twice the limit through around a boundary; a vendor's limit is read as the strictest of these.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

_RATE = re.compile(r"(\d+)(?:/(\d+(?:\.\d+)?)\s*(s|m|h)?(?:/(\d+(?:\.\d+)?)\s*(s|m|h)?)?)?")
_UNITS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Limit(NamedTuple):
    """At most `calls` in `span` seconds; who passes it is refused for `block` seconds more."""

    calls: int
    span: float = 1.0
    block: float = 0.0


def read_limit(text: str) -> Limit:
    """A limit from `100`, `100/1s`, `120/1m` or, with a block, `100/1s/10s`. Raises ValueError for anything else."""
    found = _RATE.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is no rate such as 100, 120/1m or 100/1s/10s")
    return Limit(int(found[1]), float(found[2] or 1) * _UNITS[found[3]], float(found[4] or 0) * _UNITS[found[5]])


class Window:
    """One limit at work. Times are seconds of a clock that never goes back."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._taken: deque[float] = deque()
        self._blocked = float("-inf")

    def wait(self, at: float, more: int = 1) -> float:
        """Seconds until `more` calls would be taken; 0 for at once."""
        if at < self._blocked:
            return self._blocked - at
        taken, limit = self._taken, self.limit
        while taken and taken[0] <= at - limit.span:
            taken.popleft()
        if len(taken) + more <= limit.calls:
            return 0.0
        if limit.block:
            self._blocked = at + limit.block
            return limit.block
        return limit.span if more > limit.calls else taken[len(taken) + more - limit.calls - 1] + limit.span - at

    def take(self, at: float, more: int = 1) -> None:
        self._taken.extend([at] * more)


class Rates:
    """The windows of an app. Without limits everything is taken and nothing remembered."""

    def __init__(self, limits: Mapping[str, Limit], *, on: bool = True) -> None:
        self._limits = limits if on else {}
        self._windows = {name: Window(limit) for name, limit in self._limits.items()}

    def wait(self, names: tuple[str, ...], at: float, more: int = 1) -> float:
        """Take `more` calls in each of these windows and give 0, or in none and give the seconds until all are free."""
        windows = [self._windows[name] for name in names if name in self._windows]
        wait = max((window.wait(at, more) for window in windows), default=0.0)
        if not wait:
            for window in windows:
                window.take(at, more)
        return wait

    def wait_of(self, name: str, whose: str, at: float, more: int = 1) -> float:
        """The same in a window that each has for itself, such as a group."""
        own = f"{name}/{whose}"
        if name in self._limits and own not in self._windows:
            self._windows[own] = Window(self._limits[name])
        return self.wait((own,), at, more)
