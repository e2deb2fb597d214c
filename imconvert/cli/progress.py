"""Show how far a run is: a bar on a terminal, else a line every half minute."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

EVERY = 30.0
_UNITS = {"convert": "B", "check": "B", "plan": "B", "seal": "B", "keys": "B", "resolve": "keys", "pack": "B"}


class Silent:
    """Shows nothing."""

    def phase(self, name: str, total: int) -> None:
        return None

    def tick(self, done: int) -> None:
        return None

    def close(self) -> None:
        return None


class Bar(Silent):
    """A tqdm bar for each phase, in bytes or keys, with rate and time left."""

    def __init__(self) -> None:
        from tqdm import tqdm  # only where a terminal is: it takes its time to load

        tqdm.monitor_interval = 0  # no thread of its own: workers are forked
        self.make: Any = tqdm
        self.bar: Any = None
        self.before = 0
        self.last = 0

    def phase(self, name: str, total: int) -> None:
        self.close()
        self.before = self.last
        if total:
            unit = _UNITS.get(name, "")
            self.bar = self.make(
                total=total, desc=f"{name:8}", unit=unit, unit_scale=True, file=sys.stderr, leave=False,
                unit_divisor=1024 if unit == "B" else 1000,
            )  # fmt: skip

    def tick(self, done: int) -> None:
        self.last = done
        if self.bar is not None:
            self.bar.update(min(done - self.before, self.bar.total) - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class Lines(Silent):
    """A line on standard error every EVERY seconds."""

    def __init__(self) -> None:
        self.name = ""
        self.total = self.before = self.last = 0
        self.said = self.began = time.monotonic()

    def phase(self, name: str, total: int) -> None:
        self.name, self.total, self.before = name, total, self.last
        self.began = time.monotonic()

    def tick(self, done: int) -> None:
        self.last = done
        now = time.monotonic()
        if now - self.said < EVERY or not self.total:
            return
        self.said = now
        part = min(1.0, (done - self.before) / self.total)
        rate = (done - self.before) / max(now - self.began, 0.001)
        left = max(0.0, self.total - (done - self.before)) / rate if rate else 0
        click.echo(f"{self.name}: {part:.1%}, {rate / 1e6:.1f} M{_UNITS.get(self.name, '')}/s, {left:.0f} s left",
                   err=True)  # fmt: skip


def watcher(*, quiet: bool) -> Silent:
    """The way of showing progress that fits where standard error goes."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()
