"""An event loop whose time jumps to the next timer instead of waiting, and clocks that follow it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from imconvert.deliver import Clock

Result = TypeVar("Result")


class _Jumping(selectors.DefaultSelector):
    """Never waits: what would be waited for is added to the time."""

    jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("nothing will ever happen")
        if not ready and timeout:
            self.jumped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = _Jumping()
        super().__init__(self.jumping)

    def time(self) -> float:
        return 1000.0 + self.jumping.jumped


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def clock() -> Clock:
    """The clock of the running virtual loop."""
    loop = asyncio.get_running_loop()
    return Clock(lambda: loop.time() + 1_700_000_000, loop.time, asyncio.sleep)
