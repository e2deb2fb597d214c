"""Lines that lie in one block of bytes, as columns: where each begins and how long it is.

Strategy: what is done for each line is done in C where that part is built; the Python here says what it does, and
tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from imconvert import durable, native
from imconvert.convert.work import Array
from imconvert.vendors.bundles import Bundle
from imconvert.vendors.requests import CONV, CONV_END

Hash = Callable[[bytes], bytes]
"""A hash of 64 bits, as xxh3_64_digest gives it."""


class Block(NamedTuple):
    """Lines without their newlines: the bytes they lie in, their begins as u8 and their lengths as u4."""

    data: bytes
    begins: Array
    lengths: Array

    def at(self, chosen: Array | slice) -> Block:
        """These of the lines, in this order."""
        return self._replace(begins=self.begins[chosen], lengths=self.lengths[chosen])

    def lines(self) -> list[bytes]:
        """The lines, each for itself."""
        ends = (self.begins + self.lengths).tolist()
        return [self.data[begin:end] for begin, end in zip(self.begins.tolist(), ends, strict=True)]

    def joined(self) -> bytes:
        """The lines in their order, each with a newline behind it."""
        return _joined(self.data, *self._columns())

    def talks(self, hashed: Hash) -> Array:
        """The hash of each line's conversation."""
        return np.frombuffer(_keys(self.data, *self._columns(), CONV, CONV_END, hashed), "<u8")

    def mixed(self, talks: Array) -> bool:
        """Whether a line has the hash of the line before it, but is of another conversation."""
        return _mixed(self.data, *self._columns(), np.ascontiguousarray(talks), CONV_END) >= 0

    def _columns(self) -> tuple[Array, Array]:
        return np.ascontiguousarray(self.begins, "<u8"), np.ascontiguousarray(self.lengths, "<u4")


class Bundled(NamedTuple):
    """Lines of conversations, several as one: their bytes, of how many each is made, and for each conversation where
    its bytes and its counts begin, with where the last one's end. One without counts is to be finished otherwise."""

    data: bytes
    counts: Array
    edges: Array

    @property
    def done(self) -> Array:
        """Which conversations are here."""
        return np.asarray(self.edges[1:, 1] > self.edges[:-1, 1])

    def of(self, start: int, stop: int) -> tuple[bytes, Array]:
        """The bytes and counts of conversations [start, stop)."""
        (begin, first), (end, last) = self.edges[start].tolist(), self.edges[stop].tolist()
        return self.data[begin:end], self.counts[first:last]


def bundled(block: Block, starts: Array, marks: Bundle) -> Bundled:
    """The lines of whole conversations, which begin at `starts`, bundled where that is all there is to do."""
    data, counts, edges = native.bundled(
        block.data, *block._columns(), np.ascontiguousarray(starts, "<u8"), tuple(marks)
    )
    found = np.frombuffer(edges, "<u8").reshape(-1, 2)
    return Bundled(data, np.frombuffer(counts, "<u4"), np.concatenate([np.zeros((1, 2), np.uint64), found]))


def begins_of(lengths: Array, start: int = 0) -> Array:
    """Where lines of these lengths begin that stand one behind the other, each with a newline behind it."""
    steps = lengths.astype(np.uint64) + np.uint64(1)
    return np.asarray(np.cumsum(steps) - steps + np.uint64(start))


def block_of(lines: Sequence[bytes]) -> Block:
    """Lines as a block."""
    lengths = np.array([len(line) for line in lines], "<u4")
    ends = np.cumsum(lengths, dtype=np.uint64)
    return Block(b"".join(lines), ends - lengths, lengths)


def blocks_joined(blocks: Sequence[Block]) -> Block:
    """Several blocks as one."""
    if len(blocks) == 1:
        return blocks[0]
    bases = np.cumsum([0, *(len(block.data) for block in blocks[:-1])], dtype=np.uint64)
    begins = [block.begins + base for block, base in zip(blocks, bases, strict=True)]
    lengths = np.concatenate([block.lengths for block in blocks])
    return Block(b"".join(block.data for block in blocks), np.concatenate(begins), lengths)


def block_at(reader: durable.Reader, begins: Array, lengths: Array) -> Block:
    """Lines that lie one after the other in a file."""
    if not len(begins):
        return Block(b"", begins, lengths)
    base = begins[0]
    data = reader.at(int(base), int(begins[-1]) + int(lengths[-1]) - int(base))
    return Block(data, begins - base, lengths)


def keys(data: bytes, begins: Array, lengths: Array, opens: bytes, closes: bytes, hashed: Hash) -> bytes:
    """The hashes, as u8, of what stands in each line between the first `opens` and the next `closes`."""
    found = []
    for line in Block(data, begins, lengths).lines():
        start = line.index(opens) + len(opens)
        found.append(hashed(line[start : line.index(closes, start)]))
    return np.frombuffer(b"".join(found), ">u8").astype("<u8").tobytes()


def mixed(data: bytes, begins: Array, lengths: Array, keys: Array, closes: bytes) -> int:
    """The first line that has the key of the line before it, but another text up to its first `closes`; or -1."""
    lines = Block(data, begins, lengths).lines()
    for number in np.flatnonzero(keys[1:] == keys[:-1]).tolist():
        before, line = lines[number], lines[number + 1]
        if not line.startswith(before[: before.index(closes) + len(closes)]):
            return int(number) + 1
    return -1


def joined(data: bytes, begins: Array, lengths: Array) -> bytes:
    """The lines in their order, each with a newline behind it."""
    return b"\n".join([*Block(data, begins, lengths).lines(), b""])


_keys, _mixed, _joined = (native.keys, native.mixed, native.joined) if native.BUILT else (keys, mixed, joined)
