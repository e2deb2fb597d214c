"""Time, as an argument, and movable: a rehearsal may look at tomorrow without waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Seconds since 1970 and seconds of a clock that never goes back; `ahead` is added to both."""

    day: Callable[[], float]
    monotonic: Callable[[], float]
    ahead: float = 0.0

    def now(self) -> float:
        return self.day() + self.ahead

    def steady(self) -> float:
        return self.monotonic() + self.ahead
