"""A sorted run of keys on disk, asked in memory first.

Format: `IMCK`, version; ROW rows sorted by key; then the fences (`hi` of every FENCE-th row) and a Bloom filter of
about 10 to 20 bits a key; then a footer with the counts and the xxh3-64 of fences and filter. Little-endian.
Cost: 32 bytes a key on disk, 1.3 to 2.6 in memory; a key that is not there costs no read but one time in a hundred.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from imconvert import durable
from imconvert.errors import IntegrityError

Array = NDArray[Any]

ROW = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("digest", "<u8"), ("place", "<u8")])
"""Of one record: xxh3-128 of its canonical key, xxh3-64 of its canonical content, and its place in the feed."""


class Known(NamedTuple):
    """What is known of a key: the digest of its record's content, and the place of its line in the feed."""

    digest: bytes
    place: int


def known_of(data: bytes) -> Known:
    """What is known of a key, from its 16 bytes."""
    return Known(data[:8], int.from_bytes(data[8:], "little"))


FENCE = 128
BLOCK = 65536
_HEAD = b"IMCK\x02\0\0\0"
_FOOT = struct.Struct("<QQQQ")
_PROBES = 5
_BITS_A_KEY = 10


class Bloom:
    """A Bloom filter over rows; its size is a power of two."""

    def __init__(self, bits: Array) -> None:
        self.bits = bits
        self._mask = np.uint64(len(bits) * 8 - 1)

    @classmethod
    def sized(cls, count: int) -> Bloom:
        size = 1 << max(10, (count * _BITS_A_KEY - 1).bit_length())
        return cls(np.zeros(size // 8, np.uint8))

    def _places(self, hi: Array, lo: Array) -> Iterator[Array]:
        step = hi | np.uint64(1)
        for number in range(_PROBES):
            yield (lo + step * np.uint64(number)) & self._mask

    def add(self, rows: Array) -> None:
        for places in self._places(rows["hi"], rows["lo"]):
            bit = np.uint8(1) << (places & np.uint64(7)).astype(np.uint8)
            np.bitwise_or.at(self.bits, places >> np.uint64(3), bit)

    def maybe(self, hi: Array, lo: Array) -> Array:
        """The indexes of the keys that may be there."""
        left = np.arange(len(hi))
        for number in range(_PROBES):
            places = (lo[left] + (hi[left] | np.uint64(1)) * np.uint64(number)) & self._mask
            bit = np.uint8(1) << (places & np.uint64(7)).astype(np.uint8)
            left = left[(self.bits[places >> np.uint64(3)] & bit) != 0]
        return left


class Run:
    """One run, open for questions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = durable.Reader(path)
        try:
            self.count, self._fences, self._bloom = self._tail()
        except BaseException:
            self._reader.close()
            raise

    def close(self) -> None:
        self._reader.close()

    def _tail(self) -> tuple[int, Array, Bloom]:
        size = self._reader.size
        if size < len(_HEAD) + _FOOT.size or self._reader.at(0, len(_HEAD)) != _HEAD:
            raise IntegrityError("IMC-6043", str(self.path))
        count, fences, filter_size, digest = _FOOT.unpack(self._reader.at(size - _FOOT.size, _FOOT.size))
        begin = len(_HEAD) + count * ROW.itemsize
        if begin + fences * 8 + filter_size + _FOOT.size != size:
            raise IntegrityError("IMC-6043", str(self.path))
        tail = self._reader.at(begin, fences * 8 + filter_size)
        if xxh3_64_intdigest(tail) != digest:
            raise IntegrityError("IMC-6043", str(self.path))
        bits = np.frombuffer(tail, np.uint8, offset=fences * 8)
        return count, np.frombuffer(tail, "<u8", count=fences), Bloom(bits)

    def find(self, hi: Array, lo: Array) -> dict[int, Known]:
        """Those keys that are in the run, by their index."""
        found = {}
        for index in self._bloom.maybe(hi, lo).tolist():
            known = self._look(hi[index], lo[index])
            if known is not None:
                found[index] = known
        return found

    def _look(self, hi: Any, lo: Any) -> Known | None:
        first = max(0, int(np.searchsorted(self._fences, hi, "left")) - 1) * FENCE
        last = min(self.count, int(np.searchsorted(self._fences, hi, "right")) * FENCE)
        if first >= last:
            return None
        rows = self.rows(first, last)
        for row in range(int(np.searchsorted(rows["hi"], hi, "left")), last - first):
            if rows["hi"][row] != hi:
                return None
            if rows["lo"][row] == lo:
                return Known(rows["digest"][row].tobytes(), int(rows["place"][row]))
        return None

    def rows(self, start: int, stop: int) -> Array:
        """Rows [start, stop)."""
        data = self._reader.at(len(_HEAD) + start * ROW.itemsize, (stop - start) * ROW.itemsize)
        return np.frombuffer(data, ROW)


def write_run(path: Path, blocks: Iterable[Array], count: int) -> None:
    """Make a synced run of sorted blocks of rows, `count` in all; nothing stays of one that fails."""
    writer = durable.Writer(path)
    try:
        writer.write(_HEAD)
        bloom, fences, place = Bloom.sized(count), [], 0
        for rows in blocks:
            writer.write(rows.tobytes())
            bloom.add(rows)
            fences.append(rows["hi"][-place % FENCE :: FENCE])
            place += len(rows)
        tail = np.concatenate([*fences, np.empty(0, "<u8")]).tobytes()
        number = len(tail) // 8
        tail += bloom.bits.tobytes()
        writer.write(tail)
        writer.write(_FOOT.pack(place, number, len(bloom.bits), xxh3_64_intdigest(tail)))
        writer.finish(sync=True)
    except BaseException:
        writer.give_up()
        raise


def merged(runs: list[Run]) -> Iterator[Array]:
    """The rows of several runs as sorted blocks; what is held is a few blocks of each."""
    places = [0] * len(runs)
    held = [run.rows(0, 0) for run in runs]
    while True:
        for number, run in enumerate(runs):
            if not len(held[number]) and places[number] < run.count:
                stop = min(run.count, places[number] + BLOCK)
                held[number] = run.rows(places[number], stop)
                places[number] = stop
        ends = [rows["hi"][-1] for number, rows in enumerate(held) if len(rows) and places[number] < runs[number].count]
        if not ends:
            break
        bound = min(ends)
        cuts = [int(np.searchsorted(rows["hi"], bound, "right")) for rows in held]
        yield _sorted([rows[:cut] for rows, cut in zip(held, cuts, strict=True)])
        held = [rows[cut:] for rows, cut in zip(held, cuts, strict=True)]
    if any(len(rows) for rows in held):
        yield _sorted(held)


def _sorted(pieces: list[Array]) -> Array:
    rows = np.concatenate(pieces)
    return rows[np.argsort(rows["hi"], kind="stable")]
