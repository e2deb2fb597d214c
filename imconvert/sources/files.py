"""Files of the user's, whether they lie on a disk or in a store: opening, looking, listing.

Promise: an error of the system, or of a store, is an OSError. What lies in a store is read by ranges, never copied.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from imconvert.durable import storage
from imconvert.durable.storage import is_remote


class Status(NamedTuple):
    """Size in bytes, when it was last written in ns since 1970, and what tells it from other files."""

    size: int
    changed: int
    identity: tuple[int, ...]


def status_of(path: Path | str) -> Status:
    """What is known of a file. Raises OSError."""
    if not _is_far(path):
        return _status(os.stat(path))
    return _far_status(storage.known(Path(path)))


def status_in(file: BinaryIO) -> Status:
    """What is known of an open file."""
    far = storage.far(file)
    return _far_status(far.ranges.status) if far else _status(os.fstat(file.fileno()))


def _status(found: os.stat_result) -> Status:
    return Status(found.st_size, found.st_mtime_ns, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))


def _far_status(found: storage.Status) -> Status:
    return Status(found.size, found.changed, (found.size, found.changed))


def _is_far(path: Path | str) -> bool:
    """Whether it is a name in a store; cheap for others, as there may be many small files."""
    text = os.fspath(path)
    return text[:1] != "/" and is_remote(Path(text))


def open_file(path: Path | str) -> BinaryIO:
    """A file for reading. Raises OSError."""
    if _is_far(path):
        return storage.opened(Path(path))
    return open(path, "rb")  # noqa: PTH123, SIM115 - opening by Path would cost as much as opening a small file


def size_of(file: BinaryIO) -> int | None:
    """The size of an open file; None where it has none, as a pipe."""
    far = storage.far(file)
    if far:
        return far.ranges.status.size
    found = os.fstat(file.fileno())
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def read_at(file: BinaryIO, size: int, offset: int) -> bytes:
    """At most `size` bytes from `offset` of an open file."""
    far = storage.far(file)
    return far.ranges.at(offset, size) if far else os.pread(file.fileno(), size, offset)


def remote_files(pattern: str) -> Iterator[tuple[str, Path]]:
    """What an address names, a label with each: a name, everything visible below it, or what fits a pattern."""
    path = storage.path_of(pattern)
    if storage.status(path):
        yield path.name, path
        return
    found = [] if any(mark in pattern for mark in "*?[") else storage.names(path)
    for each in found:
        inside = each.relative_to(path)
        if not any(part.startswith(".") for part in inside.parts):
            yield inside.as_posix(), each
    for each in storage.matching(pattern) if not found else []:
        yield from remote_files(storage.address_of(each))
