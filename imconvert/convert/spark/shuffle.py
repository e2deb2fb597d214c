"""What machines that share only a folder do to bring keys together: pure functions between two exchanges.

Strategy: keys leave as blocks, each for one partition of the hash space; a partition gets its blocks sorted, so that
its rows come in order of preference, decides about them, and sends the drops on to the segments they lie in.
Promise: blocks carry rows of keys and nothing else; how files and partitions are cut does not change what is decided.
Memory is HOLD bytes of keys where they leave, a few times ROWS rows where they arrive, and the drops of one segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from xxhash import xxh3_64

from imconvert import durable
from imconvert.convert.resolve import drops
from imconvert.convert.resolve.partition import ResolveJob, find_drops, preferred
from imconvert.convert.work import DROP, KEY, SEGMENT_SHIFT, Array, Decided, FileSum, WorkFolder, rows_at
from imconvert.errors import IntegrityError

HOLD = 32 << 20
ROWS = 1 << 21
BLOCK = 1 << 17
"""Bytes of keys that wait to be sent; rows that a partition is sized for (64 MiB); bytes of a block at most."""

MOST_BITS = 24


class Source(NamedTuple):
    """A file of sorted runs: its place among all, the rows of each run, and its xxh3-64, if that is known."""

    number: int
    path: Path
    runs: tuple[int, ...]
    digest: str = ""


class Block(NamedTuple):
    """What a block is known by; blocks of a partition sort in input order. `file` is the first it has rows of."""

    partition: int
    file: int
    number: int


class Share(NamedTuple):
    """What is sent on about one segment by one partition."""

    segment: int
    partition: int


def bits_for(rows: int, cores: int) -> int:
    """How many partitions there are, as a power of two: enough for the memory, and for all cores if it is worth it."""
    bits = 0
    while bits < MOST_BITS and (ROWS << bits < rows or (1 << bits < cores and ROWS >> 5 << bits < rows)):
        bits += 1
    return bits


def chunks(sources: Sequence[Source], wanted: int) -> list[list[Source]]:
    """The sources in order, cut into at most `wanted` lists of about as many rows."""
    total = 1 + sum(sum(source.runs) for source in sources)
    cut: list[list[Source]] = [[] for _ in range(max(1, wanted))]
    seen = 0
    for source in sources:
        cut[seen * len(cut) // total].append(source)
        seen += sum(source.runs)
    return [some for some in cut if some]


def blocks(sources: Iterable[Source], bits: int) -> Iterator[tuple[Block, bytes]]:
    """The rows of some files as blocks. Raises IntegrityError IMC-6002 for a file that is not as it was written."""
    held: list[Array] = []
    first = size = number = 0
    for source in sources:
        for rows in _runs(source):
            first = first if held else source.number
            held.append(rows)
            size += rows.nbytes
            if size >= HOLD:
                for block in _cut(held, bits, first, number):
                    yield block
                    number = block[0].number + 1
                held, size = [], 0
    if held:
        yield from _cut(held, bits, first, number)


def _runs(source: Source) -> Iterator[Array]:
    check = xxh3_64()
    first = 0
    with durable.Reader(source.path) as reader:
        for count in source.runs:
            rows = rows_at(reader, KEY, first, first + count)
            check.update(rows.tobytes())
            yield rows
            first += count
    if source.digest and check.hexdigest() != source.digest:
        raise IntegrityError("IMC-6002", str(source.path), what="its keys are not those that were written")


def _cut(held: list[Array], bits: int, first: int, number: int) -> Iterator[tuple[Block, bytes]]:
    """Rows that were held, by partition: of each run those whose hashes begin with its bits."""
    lowest = np.arange(1, 1 << bits, dtype=np.uint64) << np.uint64(64 - bits) if bits else np.empty(0, np.uint64)
    bounds = [[0, *np.searchsorted(rows["hi"], lowest).tolist(), len(rows)] for rows in held]
    for partition in range(1 << bits):
        some = [rows[at[partition] : at[partition + 1]].tobytes() for rows, at in zip(held, bounds, strict=True)]
        data = b"".join(some)
        for start in range(0, len(data), BLOCK):
            yield Block(partition, first, number), data[start : start + BLOCK]
            number += 1


def arrived(job: ResolveJob, stream: Iterable[tuple[Block, bytes]], new: int) -> Iterator[Array]:
    """The rows of a partition in order of preference; from file number `new` on they are keys of an earlier round."""
    now = preferred(job)
    for block, data in stream:
        yield now(np.frombuffer(data, KEY), new=block.file >= new)


def found_drops(
    job: ResolveJob, partition: int, stream: Iterable[tuple[Block, bytes]], new: int
) -> Iterator[tuple[Share, bytes]]:
    """The drops of a partition, a share for each segment."""
    job = replace(job, partition=partition, budget=ROWS)
    rows = find_drops(job, arrived(job, stream, new), _unseen)
    for segment, some in drops.by_owner(rows, SEGMENT_SHIFT):
        yield Share(segment, partition), some.tobytes()


def _unseen(amount: int) -> None:
    """Progress that nobody looks at: it is told by tasks."""


def write_lists(work: WorkFolder, segments: range, stream: Iterable[tuple[Share, bytes]]) -> Decided:
    """Write the list of each of these segments from the shares, which come sorted."""
    waiting = iter(groupby(stream, key=lambda share: share[0].segment))
    files: dict[str, FileSum] = {}
    kinds: dict[int, list[int]] = {}
    at = next(waiting, None)
    for segment in segments:
        mine: list[bytes] = []
        if at and at[0] == segment:
            mine = [data for _, data in at[1]]
            at = next(waiting, None)
        rows = np.frombuffer(b"".join(mine), DROP)
        rows = rows[np.argsort(rows["place"], kind="stable")]
        writer = durable.Writer(work.resolved_of(segment))
        writer.write(rows.tobytes())
        writer.finish()
        files[writer.path.name] = FileSum(writer.size, writer.digest)
        drops.count(rows, kinds)
    if at:
        raise IntegrityError("IMC-6001", detail=f"drops of segment {at[0]} came to the wrong place")
    return Decided(files, kinds)
