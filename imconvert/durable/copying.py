"""Copy ranges of files into a new one, in the kernel where the system can.

Promise: a way of copying that the system refuses gives place to the next one; the last one always works.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from imconvert.durable import _FLAGS, BLOCK, Range, _close, _told, write_all
from imconvert.errors import IntegrityError

CopySome = Callable[[int, int, int, int], int]
"""Copies some bytes: (source, target, offset, most) -> how many; to the target's own position."""


def copy_in_kernel(source: int, target: int, offset: int, most: int) -> int:
    """By copy_file_range: the bytes never come here, and some file systems only share them."""
    return os.copy_file_range(source, target, most, offset)


def copy_by_sendfile(source: int, target: int, offset: int, most: int) -> int:
    """By sendfile: the bytes never come here."""
    return os.sendfile(target, source, offset, most)


def copy_by_hand(source: int, target: int, offset: int, most: int) -> int:
    """By reading and writing."""
    data = os.pread(source, min(most, BLOCK), offset)
    write_all(target, data)
    return len(data)


COPY_WAYS: tuple[CopySome, ...] = (
    *((copy_in_kernel,) if hasattr(os, "copy_file_range") else ()),
    copy_by_sendfile,
    copy_by_hand,
)
"""The ways to copy, the best first. The last one always works."""

_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK, errno.EPERM)
_MOST = 64 << 20


def copy_ranges(
    target: Path, ranges: Iterable[Range], *, copied: Callable[[int], None], ways: Sequence[CopySome] = COPY_WAYS
) -> None:
    """Make a new, synced file of ranges of other files; `copied` is told of every step.

    A way of copying that the system refuses, or that copies nothing, gives place to the next one for the whole file.
    """
    left = list(ways)
    with _told(target):
        fd = os.open(target, _FLAGS | os.O_TRUNC, 0o600)
        try:
            for piece in ranges:
                _copy_range(fd, piece, copied, left)
        except BaseException:
            os.close(fd)
            raise
        _close(fd, sync=True)


def _copy_range(fd: int, piece: Range, copied: Callable[[int], None], ways: list[CopySome]) -> None:
    with _told(piece.path):
        source = os.open(piece.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        offset = piece.start
        while offset < piece.stop:
            done = _copy_some(source, fd, offset, min(_MOST, piece.stop - offset), ways)
            if not done:
                raise IntegrityError("IMC-6002", str(piece.path), what="it is shorter than expected")
            offset += done
            copied(done)
    finally:
        os.close(source)


def _copy_some(source: int, target: int, offset: int, most: int, ways: list[CopySome]) -> int:
    """How many bytes the first way that works has copied; ways that do not work are taken out of `ways`."""
    while True:
        try:
            done = ways[0](source, target, offset, most)
        except OSError as why:
            if len(ways) == 1 or why.errno not in _CANNOT:
                raise
            done = 0
        if done or len(ways) == 1:
            return done
        del ways[0]
