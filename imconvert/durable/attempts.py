"""Keep what one attempt at a piece of work writes apart from everything else until it is whole.

Strategy: while an attempt is on, what is written below its `work` folder lies below its `own` one instead, and is
looked for there first; whoever writes and reads need not know. `publish` then gives each file its name by an atomic
rename, markers (.json) last.
Promise: two attempts at the same piece never touch each other's files, and as they write the same bytes it does not
matter whose rename comes last. What has a name is whole. An attempt whose time is over publishes nothing.
Cost: a rename for each file, within one file system. Where `work` is in a store, attempts write to this machine's
folder for temporary files, and publishing puts each file in place.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from imconvert.durable import storage
from imconvert.durable.storage import is_remote
from imconvert.durable.system import told
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
    own = Path(tempfile.mkdtemp(prefix="imconvert-")) if is_remote(work) else work / FOLDER / name
    attempt = Attempt(work, own, turn)
    os.makedirs(attempt.own, mode=0o700, exist_ok=is_remote(work))
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
        with storage.opened(work / TURN) as file:
            return file.read().decode()
    except FileNotFoundError:
        return None


def publish(attempt: Attempt) -> None:
    """Give all files their names. Raises IntegrityError IMC-6142 for an attempt whose time is over."""
    if turn_of(attempt.work) != attempt.turn:
        raise IntegrityError("IMC-6142", str(attempt.work))
    names = [Path(base, name).relative_to(attempt.own) for base, _, names in os.walk(attempt.own) for name in names]
    names.sort(key=lambda name: (name.suffix == ".json", name))
    with told(attempt.work):
        if is_remote(attempt.work):
            for name in names:
                storage.put(attempt.own / name, attempt.work / name)
        else:
            _rename(attempt, names)


def _rename(attempt: Attempt, names: list[Path]) -> None:
    folders = sorted({attempt.work / name.parent for name in names})
    for folder in folders:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in names:
        os.replace(attempt.own / name, attempt.work / name)
    for folder in folders:
        _sync(folder)


def _sync(folder: Path) -> None:
    found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(found)
    finally:
        os.close(found)
