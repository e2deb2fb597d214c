"""The side index of a shard: for each of its lines the message number and the place of the source record.

Format: `IMCX`, version, number of lines, then four columns, each as the zstd frame of 64-bit differences, byte
planes apart: message number, input number, record number from 1, byte offset. About 5 bytes a message.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import zstandard

from imconvert.convert.work import Array
from imconvert.errors import IntegrityError

COLUMNS = ("msgid", "file", "line", "offset")
_HEAD = struct.Struct("<4sIQ4Q")
_MAGIC, _VERSION = b"IMCX", 1
FOLDER = "index"


def name_of(shard: str) -> str:
    """The name of a shard's index, in the folder FOLDER."""
    return f"{shard.rsplit('.', 1)[0]}.idx"


class Builder:
    """Gathers the rows of a shard; knows its count, its lines by input, its first and last time and number."""

    def __init__(self) -> None:
        self.count = 0
        self.files: dict[int, int] = {}
        self.times = (0, 0)
        self.msgids = (0, 0)
        self.columns: dict[str, list[Array]] = {name: [] for name in COLUMNS}
        self.packers = {name: zstandard.ZstdCompressor(level=1).compressobj() for name in COLUMNS}
        self.packed: dict[str, list[bytes]] = {name: [] for name in COLUMNS}
        self.last = dict.fromkeys(COLUMNS, 0)

    def add(self, rows: Array) -> None:
        """Append ROW rows whose `line` counts from 0 in the whole file."""
        if not len(rows):
            return
        for name in COLUMNS:
            values = rows[name].astype("<u8") + np.uint64(name == "line")
            steps = np.diff(values, prepend=np.uint64(self.last[name]))
            self.last[name] = int(values[-1])
            planes = np.concatenate([[len(steps)], steps]).astype("<u8").view(np.uint8).reshape(-1, 8)
            self.packed[name].append(self.packers[name].compress(planes[:1].tobytes() + planes[1:].T.tobytes()))
        files, counts = np.unique(rows["file"], return_counts=True)
        for file, number in zip(files.tolist(), counts.tolist(), strict=True):
            self.files[file] = self.files.get(file, 0) + number
        self.times = _range(self.times, rows["time"], self.count)
        self.msgids = _range(self.msgids, rows["msgid"], self.count)
        self.count += len(rows)

    def to_bytes(self) -> bytes:
        frames = [b"".join(self.packed[name]) + self.packers[name].flush() for name in COLUMNS]
        return _HEAD.pack(_MAGIC, _VERSION, self.count, *map(len, frames)) + b"".join(frames)


def _range(known: tuple[int, int], values: Array, count: int) -> tuple[int, int]:
    low, high = int(values.min()), int(values.max())
    return (min(known[0], low), max(known[1], high)) if count else (low, high)


def read(data: bytes, name: str) -> dict[str, Array]:
    """The columns of an index. Raises IntegrityError IMC-6002 where it is damaged."""
    try:
        magic, version, count, *sizes = _HEAD.unpack_from(data)
        if (magic, version) != (_MAGIC, _VERSION):
            raise ValueError("not an index of this version")
        columns: dict[str, Array] = {}
        place = _HEAD.size
        for column, size in zip(COLUMNS, sizes, strict=True):
            columns[column] = _column(data[place : place + size], count)
            place += size
    except (ValueError, struct.error, zstandard.ZstdError) as why:
        raise IntegrityError("IMC-6002", name, what=f"the index cannot be read ({why})") from why
    return columns


def _column(frame: bytes, count: int) -> Array:
    data: Any = zstandard.ZstdDecompressor().decompressobj().decompress(frame)
    steps: list[Array] = []
    place = found = 0
    while found < count:
        size = int(np.frombuffer(data, "<u8", 1, place)[0])
        planes = np.frombuffer(data, np.uint8, size * 8, place + 8).reshape(8, size)
        steps.append(np.ascontiguousarray(planes.T).view("<u8").ravel())
        place += 8 + size * 8
        found += size
    return np.cumsum(np.concatenate(steps or [np.empty(0, "<u8")]), dtype=np.uint64)
