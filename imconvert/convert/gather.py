"""Gather batches of one or many files until mapping them is worth its fixed costs.

Strategy: batches that are read and written the same way wait until they hold ENOUGH bytes; then they are mapped in one
go, their records numbered throughout. A record's file, line and offset are looked up by its number.
Promise: records keep their order, and each is counted to its own piece. Memory is ENOUGH and a batch.
Cost: a small file costs little more than opening it; a batch that is large enough is mapped at once, and not copied.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from imconvert.convert.work import Array, PieceCounts
from imconvert.sources.records import Batch

ENOUGH = 1 << 17
"""Bytes of records that are worth the fixed costs."""


class At(NamedTuple):
    """Where a record lies: its number in the gathering, its batch and its number there, the counts of its piece."""

    number: int
    batch: Batch
    row: int
    counts: PieceCounts

    @property
    def file(self) -> int:
        return self.counts.file

    @property
    def line(self) -> int:
        """Its number in its stream, from 0."""
        return self.batch.number(self.row)

    @property
    def offset(self) -> int:
        return int(self.batch.offsets[self.row])


class Gathering:
    """Batches that are mapped in one go, each with the counts of its piece. `records` says how many they hold."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.counts: list[PieceCounts] = []
        self.starts: list[int] = []
        self.records = 0
        self.bytes = 0

    def add(self, batch: Batch, counts: PieceCounts) -> None:
        self.batches.append(batch)
        self.counts.append(counts)
        self.starts.append(self.records)
        self.records += len(batch)
        self.bytes += batch.size

    def text(self) -> bytes | None:
        """All records as the lines of one text, if they came as lines."""
        texts = [batch.text for batch in self.batches if batch.text is not None]
        if len(texts) < len(self.batches):
            return None
        return texts[0] if len(texts) == 1 else b"\n".join(texts)

    def all(self) -> list[bytes]:
        """All records."""
        if len(self.batches) == 1:
            return self.batches[0].records
        return list(chain.from_iterable(batch.records for batch in self.batches))

    def at(self, number: int) -> At:
        """Where a record lies."""
        which = bisect_right(self.starts, number) - 1
        return At(number, self.batches[which], number - self.starts[which], self.counts[which])

    @cached_property
    def owners(self) -> Array:
        """The batch of each record."""
        return np.repeat(np.arange(len(self.batches)), [len(batch) for batch in self.batches])

    @cached_property
    def lines(self) -> Array:
        """The number of each record in its stream, from 0."""
        return np.concatenate([batch.every_number() for batch in self.batches])

    @cached_property
    def offsets(self) -> Array:
        """The byte offset of each record in its content."""
        return np.concatenate([batch.offsets for batch in self.batches])

    @cached_property
    def files(self) -> Array:
        """The file of each record."""
        return np.array([counts.file for counts in self.counts])[self.owners]

    def written(self, records: Array) -> None:
        """Count a line for each of these records."""
        found = np.bincount(self.owners[records], minlength=len(self.batches))
        for counts, lines in zip(self.counts, found.tolist(), strict=True):
            counts.lines += lines
