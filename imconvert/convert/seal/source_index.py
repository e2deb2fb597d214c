"""The side index of source ids: from the id that a message had in its source to its number and shard line.

Format: `IMCS`, version; then blocks of up to 65 536 lines, each the number of lines, the packed size, the lowest and
the highest hash, and a zstd frame, with its checksum, of columns packed like those of a shard's index. Blocks are
sorted by hash within runs of RUN lines, so that a lookup unpacks one block a run and writing holds one run.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from imconvert import durable
from imconvert.convert.resolve.drops import Drops
from imconvert.convert.seal.index import packed, unpacked
from imconvert.convert.work import LEFT_OUT, Array, is_among
from imconvert.errors import IntegrityError
from imconvert.model import hash_of_source

COLUMNS = ("hash", "msgid", "line", "part", "stream")
RUN = 1 << 19
BLOCK = 1 << 16
_HEAD = b"IMCS\x01\0\0\0"
_BLOCK = struct.Struct("<QQQQ")

ENTRY = np.dtype([(name, "<u8") for name in COLUMNS])
"""Of one line: the first half of xxh3-128 of its source id, its message number, its number in its shard from 1 (0: it
was left out), which part of the message it is, and its stream."""


def name_of(number: int) -> str:
    return f"sources-{number:05}.ids"


class Builder:
    """Writes the index of a segment's lines."""

    def __init__(self, writer: durable.Writer) -> None:
        self.writer = writer
        self.count = 0
        self.waiting: list[Array] = []
        self.held = 0
        writer.write(_HEAD)

    def add(self, entries: Array) -> None:
        """Append ENTRY rows."""
        self.waiting.append(entries)
        self.held += len(entries)
        if self.held >= RUN:
            self.flush()

    def flush(self) -> None:
        """Write what is held as one sorted run."""
        if not self.held:
            return
        rows = np.concatenate(self.waiting)
        rows = rows[np.argsort(rows["hash"], kind="stable")]
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            frame = packed([some[name] for name in COLUMNS])
            edges = int(some["hash"][0]), int(some["hash"][-1])
            self.writer.write(_BLOCK.pack(len(some), len(frame), *edges) + frame)
        self.count += self.held
        self.waiting, self.held = [], 0


def entries(sources: Array, msgids: Array, drops: Drops, low: int, stream: int) -> Array:
    """ENTRY rows of SOURCE rows of one stream, in order of their places; `low` is the place of the stream's first line.

    `msgids` are the numbers that the lines had before anything was decided.
    """
    rows = np.zeros(len(sources), ENTRY)
    places = sources["place"]
    rows["hash"], rows["part"], rows["stream"] = sources["hi"], sources["part"], stream
    rows["msgid"], rows["line"] = msgids, places - np.uint64(low) + np.uint64(1)
    for window in drops.windows(int(places[0]), int(places[-1]) + 1):
        where = np.minimum(np.searchsorted(window["place"], places), len(window) - 1)
        hits = window["place"][where] == places
        new = hits & (window["msgid"][where] != 0)
        rows["msgid"][new] = window["msgid"][where[new]]
        rows["line"][hits & is_among(window["kind"][where], LEFT_OUT)] = 0
    return rows


def left_before(places: Array, drops: Drops, low: int, high: int) -> Array:
    """For each of the places, how many of the lines from `low` to `high` that are left out lie before it."""
    found = np.zeros(len(places), np.uint64)
    for window in drops.windows(low, high):
        gone = window["place"][is_among(window["kind"], LEFT_OUT)]
        found += np.searchsorted(gone, places).astype(np.uint64)
    return found


def blocks(reader: durable.Reader, wanted: int | None = None) -> Iterator[dict[str, Array]]:
    """The columns of an index, block by block; only blocks that may have the hash `wanted`, if it is given.

    Raises IntegrityError IMC-6002 where the index is damaged.
    """
    name = reader.path.name
    if reader.size < len(_HEAD) or reader.at(0, len(_HEAD)) != _HEAD:
        raise IntegrityError("IMC-6002", name, what="it is no index of this version")
    place = len(_HEAD)
    while place < reader.size:
        count, size, low, high = _BLOCK.unpack(reader.at(place, _BLOCK.size))
        place += _BLOCK.size
        if size > reader.size - place:
            raise IntegrityError("IMC-6002", name, what="the index ends too early")
        if wanted is None or low <= wanted <= high:
            yield unpacked(reader.at(place, size), count, name, COLUMNS)
        place += size


def find(reader: durable.Reader, source_id: str) -> Iterator[tuple[int, int, int]]:
    """Message number, shard line and stream of each line of a source id."""
    wanted = int(np.frombuffer(hash_of_source(source_id), "<u8")[0])
    for block in blocks(reader, wanted):
        for row in np.flatnonzero(block["hash"] == wanted).tolist():
            yield int(block["msgid"][row]), int(block["line"][row]), int(block["stream"][row])
