"""What every write rests on: errors of the system told as ours, whole writes, closing that may sync."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from imconvert.errors import IntegrityError

BLOCK = 1 << 20
NEW = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
"""Bytes that are read or written at once; how files are opened that are written."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an operating-system error on `path` into IMC-6004 with the path and the cause."""
    try:
        yield
    except OSError as why:
        raise told_of(path, why) from why


def told_of(path: Path, why: OSError) -> IntegrityError:
    """An operating-system error on `path` as ours."""
    name = errno.errorcode.get(why.errno or 0, "?")
    return IntegrityError("IMC-6004", str(path), why=f"{why.strerror} ({name})")


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte of `data` at the current position; short writes are continued."""
    view = memoryview(data)
    while len(view):
        view = view[os.write(fd, view) :]


def close(fd: int, *, sync: bool) -> None:
    """Close a file, after its bytes are on the disk if that is asked for."""
    try:
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


class Range(NamedTuple):
    """Bytes [start, stop) of a file of ours."""

    path: Path
    start: int
    stop: int
