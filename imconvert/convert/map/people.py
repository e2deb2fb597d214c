"""Map pages about people: unfold them into records of one item each, read those as nouns, write these as lines.

Strategy: as for messages, but that a page stands for many records. Each counts, is rejected and is placed for itself;
its place is the number of the item in its file, and the byte at which it begins.
Promise: memory does not grow with the people of a segment: what the books of ids learned is written down, and
forgotten, whenever they have grown large.
A line of a rejects file is the record that it holds, so that corrected rejects are an input like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from imconvert.convert.map.gather import At
from imconvert.convert.map.segment import MapJob, Mapper, Progress, ids_of, map_by
from imconvert.convert.map.tally import count
from imconvert.convert.work import PieceCounts
from imconvert.errors import Rejected
from imconvert.model import Skip
from imconvert.sources.records import Batch
from imconvert.vendors.contract import Book

MOST_IDS = 1 << 17
"""Ids that the books of a segment remember."""

OTHER_CONTENT = "IMC-8180"


class _Reject(msgspec.Struct):
    """A line of a rejects file, as far as it matters here."""

    code: str
    file: str
    raw: str
    head: str = ""


_decode_reject = msgspec.json.Decoder(_Reject).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def map_people(job: MapJob, progress: Progress) -> int:
    """Map `job.segment` into `job.work`, marker last; gives how many records were rejected."""
    return map_by(PeopleMapper, job, progress)


class PeopleMapper(Mapper):
    """A mapper whose records are nouns."""

    def batch(self, batch: Batch, counts: PieceCounts) -> None:
        super().batch(self._unfolded(batch, counts), counts)

    def map(self) -> None:
        super().map()
        for book in (self.accounts, self.groups):
            if len(book) + len(book.folded) > MOST_IDS:
                self._forget_ids(book)

    def _forget_ids(self, book: Book) -> None:
        if book is self.accounts:
            self.part.ids.write(ids_of(book).tobytes())
            self.folded += len(book.folded)
        book.clear()
        book.folded.clear()

    def _unfolded(self, batch: Batch, counts: PieceCounts) -> Batch:
        """The batch with each page replaced by pages of one item."""
        if not self.vendor.unfold:
            return batch
        if batch.crlf:
            count(self.tally.repairs, "IMC-3002", counts.file, counts.read, times=batch.crlf)
        records: list[bytes] = []
        offsets: list[int] = []
        numbers: list[int] = []
        lengths: dict[int, int] = {}
        for index, (raw, at) in enumerate(zip(batch.records, batch.offsets.tolist(), strict=True)):
            if index in batch.lengths:
                lengths[len(records)] = batch.lengths[index]
            for begin, piece in self._pieces(raw) if index not in batch.lengths else ((0, raw),):
                records.append(piece)
                offsets.append(at + begin)
                numbers.append(batch.number(index))
        again = batch.numbers is not None
        return Batch(
            records, np.array(offsets, np.int64), counts.read, lengths, batch.open_end,
            numbers=np.array(numbers, np.int64) if again else None, head=batch.head,
        )  # fmt: skip

    def _pieces(self, raw: bytes) -> Iterator[tuple[int, bytes]]:
        assert self.vendor.unfold
        raw = _rejected(raw) or raw
        yield from self.vendor.unfold(raw) or ((0, raw),)

    def _skip(self, at: At, raw: bytes, skip: Skip) -> None:
        """Leave a record out; one that another command takes is only counted, as there may be very many."""
        if skip.code != OTHER_CONTENT:
            return super()._skip(at, raw, skip)
        self._forget(at)
        at.counts.skipped += 1
        return count(self.tally.skipped, skip.code, at.file, at.line, skip.values)

    def _record(self, at: At, raw: bytes) -> None:
        """Read and write the nouns of one record. Raises Rejected or LeftOut."""
        if not raw or at.row in at.batch.lengths:
            return self._odd(at, raw)
        notes, streams = self.notes, self.part.streams
        nouns: Any = self.read(raw)
        if isinstance(nouns, Skip):
            return self._skip(at, raw, nouns)
        lines = self.write(nouns)
        if notes.repairs and self.job.strict:
            raise Rejected(notes.repairs[0])
        if notes.clock not in at.counts.clocks:
            at.counts.clocks.append(notes.clock)
        label = notes.label
        if notes.repairs or notes.changes or notes.novel:
            self._note(label, at)
        self.tally.kinds[label] = self.tally.kinds.get(label, 0) + 1
        for line in lines:
            streams[line.stream].columns.add(line, at.number)
        at.counts.split += len(lines) - 1
        return None


def _rejected(raw: bytes) -> bytes | None:
    """The record in a line of a rejects file; None for any other line."""
    if not raw.startswith(b'{"code":"IMC-'):
        return None
    try:
        found = _decode_reject(raw)
        name = _decode(found.head).get("name") if found.head else None
    except (msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        return None
    if not name:
        return found.raw.encode()
    return b'{"request":%b,"response":%b}' % (_encode({"name": name}), found.raw.encode())
