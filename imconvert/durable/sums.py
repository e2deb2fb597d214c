"""What is told of a file: size, lines, sha256 and xxh3-64, taken of the bytes as they go by."""

from __future__ import annotations

import hashlib

import numpy as np
from xxhash import xxh3_64

from imconvert import native

_NEWLINE = 10


def _newlines(data: bytes) -> int:
    if native.BUILT:
        return native.ends(data)[0]
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE))


class Sums:
    """Size, lines, sha256 and xxh3-64 of the bytes that go by."""

    def __init__(self) -> None:
        self.size = 0
        self.lines = 0
        self._sha = hashlib.sha256()
        self._xxh3 = xxh3_64()

    def add(self, data: bytes) -> None:
        self._sha.update(data)
        self._xxh3.update(data)
        self.size += len(data)
        self.lines += _newlines(data)

    @property
    def sha256(self) -> str:
        return self._sha.hexdigest()

    @property
    def xxh3(self) -> str:
        return self._xxh3.hexdigest()
