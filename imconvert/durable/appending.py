"""Files that only grow and that several processes append to, one at a time.

Strategy: whoever appends holds the folder's lock, writes behind the last complete line, and syncs before it lets go.
Promise: `append` gives back only after its bytes are on the disk. What a writer that died left behind the last line
end was never acknowledged, and is cut by the next one. A file on which a write or sync failed gets no more bytes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imconvert.durable import Reader, make_folder, sync_folder
from imconvert.durable.system import told, write_all
from imconvert.errors import IntegrityError

LOCK = ".append"
_WINDOW = 1 << 16


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait for the lock of a folder and hold it. It is the kernel's, and ends with its owner however that dies."""
    make_folder(folder)
    with told(folder):
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with told(folder):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def begin(path: Path) -> None:
    """Make an empty file with a durable name; one that is there stays as it is."""
    if path.exists():
        return
    try:
        with told(path):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        sync_folder(path.parent)
    except IntegrityError:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def append(path: Path, data: bytes) -> int:
    """Write `data` behind the last line of a file and sync it; gives the offset where it begins.

    Raises IntegrityError IMC-6004; then nothing was appended as far as the system lets us take it back, and the file
    must not be used for further appends.
    """
    with told(path):
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            start = whole_lines(path)
            if start < os.fstat(fd).st_size:
                os.ftruncate(fd, start)
            os.lseek(fd, start, os.SEEK_SET)
            try:
                write_all(fd, data)
                os.fsync(fd)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(fd, start)
                raise
        finally:
            os.close(fd)
    return start


def whole_lines(path: Path) -> int:
    """Where the last complete line of a file ends."""
    with Reader(path) as reader:
        stop = reader.size
        while stop:
            start = max(0, stop - _WINDOW)
            found = reader.at(start, stop - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            stop = start
    return 0
