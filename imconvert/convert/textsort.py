"""An external sort of small rows of texts and numbers: what does not fit the memory goes into sorted files.

Promise: the order is that of the rows themselves, whatever the files; memory is MOST rows, and a line of each file.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from imconvert import durable

MOST = 1 << 18
FILES = 64
AT_ONCE = 4096
"""Rows that are sorted at once; files that are read at once; rows that are written at once."""

Row = tuple[Any, ...]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[Any, ...]).decode


class Sorter:
    """Takes rows in any order, and gives them sorted, once. Its files lie in `folder` and begin with `name`.

    What a worker added, and left by `leave()`, another sorter takes over as `files`.
    """

    def __init__(self, folder: Path, name: str, most: int = MOST) -> None:
        self.folder, self.name, self.most = folder, name, most
        self.rows: list[Row] = []
        self.files: list[Path] = []
        self.made = 0

    def add(self, row: Row) -> None:
        self.rows.append(row)
        if len(self.rows) >= self.most:
            self.rows.sort()
            self._write(iter(self.rows))
            self.rows = []

    def leave(self) -> list[Path]:
        """Write down what waits; gives all files."""
        if self.rows:
            self.rows.sort()
            self._write(iter(self.rows))
            self.rows = []
        return self.files

    def _write(self, rows: Iterator[Row]) -> None:
        path = self.folder / f"{self.name}-{self.made:05}"
        self.made += 1
        writer = durable.Writer(path)
        while some := list(islice(rows, AT_ONCE)):
            writer.write(b"\n".join([*map(_encode, some), b""]))
        writer.finish()
        self.files.append(path)

    def __iter__(self) -> Iterator[Row]:
        self.rows.sort()
        while len(self.files) > FILES:
            some, self.files = self.files[:FILES], self.files[FILES:]
            self._write(heapq.merge(*map(_rows, some)))
            for path in some:
                durable.remove(path)
        yield from heapq.merge(self.rows, *map(_rows, self.files))
        for path in self.files:
            durable.remove(path)


def _rows(path: Path) -> Iterator[Row]:
    return map(_decode, durable.lines_of(path))
