"""A few numbers that processes share: a mapped file under a lock, not synced, as it need not outlive the machine.

Promise: who holds the lock sees what the last holder wrote; a holder that dies gives it up.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imconvert.durable import _told

_WIDTH = 8


class SharedNumbers:
    """`count` floats in a file, all 0 at first, made if it is missing, with mode 0600."""

    def __init__(self, path: Path, count: int) -> None:
        size = count * _WIDTH
        with _told(path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if os.fstat(self._fd).st_size < size:
                os.ftruncate(self._fd, size)
            self._map = mmap.mmap(self._fd, size)
        self._numbers = memoryview(self._map).cast("d")

    @contextmanager
    def locked(self) -> Iterator[memoryview[float]]:
        """The numbers, while nobody else has them."""
        fcntl.lockf(self._fd, fcntl.LOCK_EX)
        try:
            yield self._numbers
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        self._numbers.release()
        self._map.close()
        os.close(self._fd)


class Claims:
    """Numbers of which each belongs to one living process: locks of the kernel's on the bytes of a file."""

    def __init__(self, path: Path) -> None:
        with _told(path):
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def take(self, number: int) -> bool:
        """Whether the number is ours now."""
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def wait(self, number: int) -> None:
        """Wait until the number is ours."""
        fcntl.lockf(self._fd, fcntl.LOCK_EX, 1, number)

    def leave(self, number: int) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, number)

    def close(self) -> None:
        os.close(self._fd)
