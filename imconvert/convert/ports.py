"""What a run asks of the world: somebody to tell how far it is, and the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Watcher(Protocol):
    """Is told what the run is doing: the phase and how many units it has, then how many are done."""

    def phase(self, name: str, total: int) -> None: ...
    def tick(self, done: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Clock:
    """`now()` in seconds since 1970, `steady()` in seconds since anything."""

    now: Callable[[], float]
    steady: Callable[[], float]
