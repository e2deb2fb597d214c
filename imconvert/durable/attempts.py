"""Keep what one attempt at a piece of work writes apart from everything else until it is whole.

Strategy: while an attempt is on, what is written below its `work` folder lies below its `own` one instead, and is
looked for there first; whoever writes and reads need not know. `publish` then gives each file its name by an atomic
rename, markers (.json) last.
Promise: two attempts at the same piece never touch each other's files, and as they write the same bytes it does not
matter whose rename comes last. What has a name is whole. An attempt whose time is over publishes nothing.
Cost: a rename for each file, within one file system.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from imconvert.errors import IntegrityError

FOLDER = "attempts"
TURN = "turn"
"""Below `work`: where attempts have their folders; whose turn it is."""


class Attempt(NamedTuple):
    """An attempt at some work. It counts as long as `turn` is what the file TURN in `work` holds."""

    work: Path
    own: Path
    turn: str


_now: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def attempted(work: Path, name: str, turn: str) -> Iterator[Attempt]:
    """Make an attempt; unless it is published, nothing of it stays."""
    attempt = Attempt(work, work / FOLDER / name, turn)
    os.makedirs(attempt.own, mode=0o700)
    before = _now.set(attempt)
    try:
        yield attempt
    finally:
        _now.reset(before)
        shutil.rmtree(attempt.own, ignore_errors=True)


def being_written(path: Path) -> Path:
    """Where a file is that gets this name."""
    attempt = _now.get()
    return attempt.own / path.relative_to(attempt.work) if attempt and path.is_relative_to(attempt.work) else path


def to_read(path: Path) -> Path:
    """Where the file of this name is to be read."""
    mine = being_written(path)
    return mine if mine is path or mine.exists() else path


def turn_of(work: Path) -> str | None:
    """Whose turn it is, or None where `work` cannot be seen."""
    try:
        return (work / TURN).read_text()
    except FileNotFoundError:
        return None


def publish(attempt: Attempt) -> None:
    """Give all files their names. Raises IntegrityError IMC-6142 for an attempt whose time is over."""
    if turn_of(attempt.work) != attempt.turn:
        raise IntegrityError("IMC-6142", str(attempt.work))
    names = [Path(base, name).relative_to(attempt.own) for base, _, names in os.walk(attempt.own) for name in names]
    folders = {attempt.work / name.parent for name in names}
    for folder in sorted(folders):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in sorted(names, key=lambda name: (name.suffix == ".json", name)):
        os.replace(attempt.own / name, attempt.work / name)
    for folder in sorted(folders):
        _sync(folder)


def _sync(folder: Path) -> None:
    found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(found)
    finally:
        os.close(found)
