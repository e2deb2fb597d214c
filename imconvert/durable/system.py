"""What every write rests on: errors of the system told as ours, whole writes, closing that may sync."""

from __future__ import annotations

import errno
import os
import threading
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


def close(fd: int, *, sync: bool, forget: bool = False) -> None:
    """Close a file, after its bytes are on the disk if that is asked for. With `forget` they leave the memory then, for
    nobody will read them soon: what is written next finds room there that is in use already."""
    try:
        if sync:
            os.fsync(fd)
        if forget and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


class Closing:
    """Brings finished files to the disk and closes them while work goes on; at its end all of them are there.

    Raises IntegrityError IMC-6004 at the end for the first file that could not be synced or closed.
    """

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._errors: list[IntegrityError] = []

    def __enter__(self) -> Closing:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        for thread in self._threads:
            thread.join()
        if self._errors and kind is None:
            raise self._errors[0]

    def take(self, fd: int, path: Path) -> None:
        """Sync and close a file that nobody writes any more."""
        self._threads.append(threading.Thread(target=self._close, args=(fd, path)))
        self._threads[-1].start()

    def _close(self, fd: int, path: Path) -> None:
        try:
            with told(path):
                close(fd, sync=True)
        except IntegrityError as why:
            self._errors.append(why)


class Range(NamedTuple):
    """Bytes [start, stop) of a file of ours."""

    path: Path
    start: int
    stop: int
