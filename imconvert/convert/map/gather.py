"""Gather batches of one or many files until mapping them is worth its fixed costs.

Strategy: batches that are read and written the same way wait until they hold ENOUGH bytes; then they are mapped in one
go, their records numbered throughout. A record's file, line and offset are looked up by its number.
Promise: records keep their order, and each is counted to its own piece. Memory is ENOUGH and a batch.
Cost: a small file costs little more than opening it; a batch that is large enough is mapped at once, and not copied.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

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

    def rows(self, records: Array, within: Array) -> tuple[Any, Array, Array]:
        """File, line (from 0) and offset of these records, a target line of each being counted to its piece.

        `within` says where in the text the records begin, if anybody has looked; else they are looked for here.
        """
        if len(self.batches) == 1:
            return self._rows_of_one(records, within)
        owners = self.owners[records]
        found = np.bincount(owners, minlength=len(self.batches))
        for counts, lines in zip(self.counts, found.tolist(), strict=True):
            counts.lines += lines
        files = np.array([counts.file for counts in self.counts])[owners]
        offsets = self.offsets[records] if not len(within) else within + np.array([*self._shifts()])[owners]
        return files, self._lines(records, owners), offsets

    def shifts(self) -> tuple[int, int, int] | None:
        """Where all is one batch whose lines follow each other: what their numbers and their places in its text are
        counted from, and their file."""
        batch = self.batches[0]
        if len(self.batches) > 1 or batch.numbers is not None:
            return None
        return batch.first, batch.begin, self.counts[0].file

    def _rows_of_one(self, records: Array, within: Array) -> tuple[Any, Array, Array]:
        """The same where all is one batch, as in large files: its file stands for those of all records."""
        batch, counts = self.batches[0], self.counts[0]
        counts.lines += len(records)
        lines = records + batch.first if batch.numbers is None else batch.numbers[records]
        return counts.file, lines, within + batch.begin if len(within) else batch.offsets[records]

    def _lines(self, records: Array, owners: Array) -> Array:
        """The numbers of these records in their streams, from 0."""
        firsts = [batch.first - start for batch, start in zip(self.batches, self.starts, strict=True)]
        lines: Array = records + np.array(firsts)[owners]
        for which, batch in enumerate(self.batches):
            if batch.numbers is not None:
                mine = owners == which
                lines[mine] = batch.numbers[records[mine] - self.starts[which]]
        return lines

    @cached_property
    def offsets(self) -> Array:
        """The byte offset of each record in its content."""
        return np.concatenate([batch.offsets for batch in self.batches])

    def _shifts(self) -> Iterator[int]:
        """How much further on the lines of each batch stand in their content than in the text of all."""
        at = 0
        for batch in self.batches:
            yield batch.begin - at
            at += batch.size + 1
