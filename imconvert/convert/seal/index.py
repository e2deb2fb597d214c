"""The side index of a shard: for each of its lines the message number and the place of the source record.

Format: `IMCX`, version; then blocks of up to 65 536 lines, each the number of lines, the packed size, and a zstd
frame, with its checksum, of four columns (message number, input number, record number from 1, byte offset) as 64-bit
differences with their byte planes apart. About 5 bytes a message. In version 2, which belongs to shards whose lines are
requests, a row is a message, and a fifth column is the line that it went into.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import zstandard

from imconvert import durable
from imconvert.convert.work import Array
from imconvert.errors import IntegrityError

COLUMNS = ("msgid", "file", "line", "offset")
WITH_REQUESTS = (*COLUMNS, "request")
FOLDER = "index"
_HEADS = {b"IMCX\x01\0\0\0": COLUMNS, b"IMCX\x02\0\0\0": WITH_REQUESTS}
_HEAD, _HEAD_WITH_REQUESTS = _HEADS
_BLOCK = struct.Struct("<QQ")


def name_of(shard: str) -> str:
    """The name of a shard's index, in the folder FOLDER."""
    return f"{shard.rsplit('.', 1)[0]}.idx"


class Builder:
    """Writes the index of a shard; knows its count, its lines by input, its first and last time and number."""

    def __init__(self, writer: durable.Writer, *, requests: bool = False) -> None:
        self.writer = writer
        self.count = 0
        self.files: dict[int, int] = {}
        self.times = (0, 0)
        self.msgids = (0, 0)
        writer.write(_HEAD_WITH_REQUESTS if requests else _HEAD)

    def add(self, rows: Array, requests: Array | None = None) -> None:
        """Append ROW rows, at most 65 536, whose `line` counts from 0 in the whole file; `requests` are, from 0, the
        lines of the shard that they went into."""
        if not len(rows):
            return
        self.writer.write(_packed(rows, () if requests is None else (requests + np.uint64(1),)))
        files = np.sort(rows["file"])
        begins = np.flatnonzero(np.append(True, files[1:] != files[:-1]))
        for file, number in zip(files[begins].tolist(), np.diff(np.append(begins, len(files))).tolist(), strict=True):
            self.files[file] = self.files.get(file, 0) + number
        self.times = _range(self.times, rows["time"], self.count)
        self.msgids = _range(self.msgids, rows["msgid"], self.count)
        self.count += len(rows)


def _packed(rows: Array, more: Sequence[Array]) -> bytes:
    frame = packed([*(rows[name].astype("<u8") + np.uint64(name == "line") for name in COLUMNS), *more])
    return _BLOCK.pack(len(rows), len(frame)) + frame


def packed(columns: Iterable[Array]) -> bytes:
    """Columns of 64-bit numbers as one zstd frame: differences, their byte planes apart."""
    planes = []
    for values in columns:
        steps = np.diff(values, prepend=np.uint64(0))
        planes.append(steps.view(np.uint8).reshape(-1, 8).T.tobytes())
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(b"".join(planes))


def _range(known: tuple[int, int], values: Array, count: int) -> tuple[int, int]:
    low, high = int(values.min()), int(values.max())
    return (min(known[0], low), max(known[1], high)) if count else (low, high)


def row_of(reader: durable.Reader, line: int) -> dict[str, int]:
    """What an index says about a message of its shard, counted from 1. Raises IntegrityError IMC-6002."""
    for first, block in numbered(reader, line):
        return {name: int(column[line - first]) for name, column in block.items()}
    raise IntegrityError("IMC-6002", reader.path.name, what=f"the index has no line {line}")


def blocks(reader: durable.Reader) -> Iterator[dict[str, Array]]:
    """The columns of an index, block by block. Raises IntegrityError IMC-6002 where it is damaged."""
    for _, block in numbered(reader):
        yield block


def numbered(reader: durable.Reader, line: int | None = None) -> Iterator[tuple[int, dict[str, Array]]]:
    """The blocks, each with the number of its first line from 1; if `line` is given, only the one that holds it."""
    name = reader.path.name
    columns = _HEADS.get(reader.at(0, min(reader.size, len(_HEAD))))
    if columns is None:
        raise IntegrityError("IMC-6002", name, what="it is no index of this version")
    place, first = len(_HEAD), 1
    while place < reader.size:
        count, size = _BLOCK.unpack(reader.at(place, _BLOCK.size))
        place += _BLOCK.size
        if size > reader.size - place:
            raise IntegrityError("IMC-6002", name, what="the index ends too early")
        if line is None or first <= line < first + count:
            yield first, unpacked(reader.at(place, size), count, name, columns)
        place += size
        first += count


def unpacked(frame: bytes, count: int, name: str, columns: Sequence[str]) -> dict[str, Array]:
    """What `packed` made, by the names of the columns. Raises IntegrityError IMC-6002 where it is damaged."""
    try:
        if not count or zstandard.frame_content_size(frame) != count * 8 * len(columns):
            raise zstandard.ZstdError("a block has another size than it says")
        data: Any = zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as why:
        raise IntegrityError("IMC-6002", name, what=f"the index cannot be read ({why})") from why
    planes = np.frombuffer(data, np.uint8).reshape(len(columns), 8, count)
    return {
        column: np.cumsum(np.ascontiguousarray(planes[number].T).view("<u8").ravel(), dtype=np.uint64)
        for number, column in enumerate(columns)
    }
