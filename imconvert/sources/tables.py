"""Split tables (CSV, TSV) into rows as raw bytes, each with the line at which it begins.

Strategy: without quotes and escapes a row is a line. With them a row is matched as a whole by one pattern without
backtracking, so that a line end inside of a quoted value, or behind an escape, belongs to the value. Where a quoted
value ends and something else than a delimiter follows, the quotes of the row are broken: its lines up to there become
rows of their own, and reading goes on at the line of the break, so that a broken quote costs little but itself.
Promise: every byte is in one row or is the line end behind it; memory is a block and a row of at most RECORD_LIMIT; a
quoted value longer than that is taken for one whose end is missing. Each byte is looked at a few times at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from imconvert import native
from imconvert.errors import InputError
from imconvert.sources.records import KEPT, RECORD_LIMIT, Batch, lines
from imconvert.vendors.contract import Tables

BOM = b"\xef\xbb\xbf"
TWO_BYTES = frozenset({"gb18030", "gbk"})
"""Encodings in which the second byte of a character may look like ASCII."""


class _Patterns(NamedTuple):
    """A whole row with its LF; the row up to where its quotes break the rules."""

    row: re.Pattern[bytes]
    broken: re.Pattern[bytes] | None


@lru_cache(maxsize=64)
def _patterns(delimiter: str, quote: str, escape: str, encoding: str) -> _Patterns:
    d, q, e = (re.escape(mark.encode()) for mark in (delimiter, quote, escape))
    pairs = rb"\x81-\xfe" if encoding in TWO_BYTES else b""
    units = rb"|[\x81-\xfe][\x30-\xfe]|[\x81-\xfe]" if pairs else b""
    units += rb"|" + e + rb"." if e else b""
    first = rb"(?:[^" + q + d + e + pairs + rb"\n]" + units + rb")"
    more = rb"(?:[^" + d + e + pairs + rb"\n]++" + units + rb")*+"
    plain = rb"(?:" + first + more + rb")?+"
    if not q:
        return _Patterns(re.compile(rb"(?:" + plain + d + rb")*+" + plain + rb"\n", re.DOTALL), None)
    inner = rb"(?:[^" + q + e + rb"]++" + (rb"|" + e + rb"." if e else b"") + rb"|" + q + q + rb")*+"
    quoted = q + inner + q
    value = rb"(?:" + quoted + rb"(?=" + d + rb"|\r?\n)|" + plain + rb"(?=[" + d + rb"\n]))"
    row = rb"[^" + q + e + rb"\n]*+\n|(?:" + value + d + rb")*+" + value + rb"\r?\n"
    broken = rb"(?:" + value + d + rb")*+" + quoted + rb"(?!" + d + rb"|\r?\n|\r?\Z|" + q + rb")"
    return _Patterns(re.compile(row, re.DOTALL), re.compile(broken, re.DOTALL))


def rows(blocks: Iterator[bytes], tables: Tables, *, compiled: bool = native.BUILT) -> Iterator[Batch]:
    """The rows of a whole table; the first row is their head if the table has a header.

    An InputError of the blocks is raised after the rows before the damage were yielded.
    """
    batches = (
        _rows(blocks, tables, compiled=compiled)
        if tables.multiline and (tables.quote or tables.escape)
        else _lines(blocks)
    )
    head = b""
    for number, batch in enumerate(batches):
        if number == 0:
            head = head_of(batch, tables)
        batch.head = head
        yield batch


def head_of(batch: Batch, tables: Tables) -> bytes:
    """The header of the table that begins with `batch`, as UTF-8; nothing if it has none or none that can be read."""
    if not tables.header or not batch.records or 0 in batch.lengths:
        return b""
    try:
        return batch.records[0].rstrip(b"\r").decode(tables.encoding).encode()
    except UnicodeDecodeError:
        return b""


def _lines(blocks: Iterator[bytes]) -> Iterator[Batch]:
    for number, batch in enumerate(lines(blocks)):
        yield without_mark(batch) if number == 0 else batch


def without_mark(batch: Batch) -> Batch:
    """The batch without the byte order mark before its first record."""
    first = batch.records[0]
    if not first.startswith(BOM):
        return batch
    records, offsets = [first[len(BOM) :], *batch.records[1:]], batch.offsets.copy()
    offsets[0] += len(BOM)
    return Batch(records, offsets, batch.first, batch.lengths, batch.open_end, batch.crlf, batch.numbers, batch.head)


class _Splitter:
    """Cuts rows out of blocks; `data` from `begin` on is what waits, `line` the number of its first line."""

    def __init__(self, tables: Tables, *, compiled: bool) -> None:
        self.signs = _signs(tables) if compiled else None
        self.row, self.broken = _patterns(tables.delimiter, tables.quote, tables.escape, tables.encoding)
        self.data = b""
        self.wanted = 0
        self.waiting: list[bytes] = []
        self.offset = 0
        self.line = 0
        self.first = 0
        self.too_long = 0
        self._clear()

    def _clear(self) -> None:
        self.records: list[bytes] = []
        self.offsets: list[int] = []
        self.numbers: list[int] = []
        self.lengths: dict[int, int] = {}
        self.crlf = 0

    def feed(self, block: bytes) -> None:
        """Take the next block; a row that does not end yet is looked at again when twice as much is there."""
        self.waiting.append(block)
        if sum(map(len, self.waiting)) < self.wanted:
            return
        data = b"".join((self.data, *self.waiting))
        self.waiting = []
        if not self.offset and not self.records and data.startswith(BOM):
            self.offset, data = len(BOM), data[len(BOM) :]
        self._take(data)
        self.wanted = min(len(self.data), max(0, RECORD_LIMIT + 1 - len(self.data)))

    def _take(self, data: bytes) -> None:
        begin = self._skip(data) if self.too_long else 0
        rows: list[bytes] = []
        lines: list[int] = []
        while True:
            begin = self._whole(data, begin, rows, lines)
            end = self._broken_until(data, begin)
            if end < 0:
                break
            broken = data[begin:end].split(b"\n")
            rows += broken
            lines += [1] * len(broken)
            begin = end + 1
        self._emit(rows, lines)
        self.data = data[begin:]
        if len(self.data) > RECORD_LIMIT:
            self._cut()

    def _whole(self, data: bytes, begin: int, rows: list[bytes], lines: list[int]) -> int:
        """Add the whole rows that come next, and how many lines each has; gives where they end."""
        if self.signs:
            return native.cut_table(data, begin, self.signs, rows, lines)
        match = self.row.match
        found = match(data, begin)
        while found:
            end = found.end()
            row = data[begin : end - 1]
            rows.append(row)
            lines.append(row.count(b"\n") + 1)
            begin = end
            found = match(data, begin)
        return begin

    def _emit(self, rows: list[bytes], lines: list[int]) -> None:
        """These rows are next, each with an LF behind it."""
        self.records += rows
        offsets = [*accumulate(map(len, rows), _behind_row, initial=self.offset)]
        numbers = [*accumulate(lines, initial=self.line)]
        self.offset, self.line = offsets.pop(), numbers.pop()
        self.offsets += offsets
        self.numbers += numbers
        self.crlf += sum([row.endswith(b"\r") for row in rows])
        if rows and max(map(len, rows)) > RECORD_LIMIT:
            self._shorten(len(self.records) - len(rows))

    def _emit_lines(self, data: bytes) -> None:
        """These lines are rows of their own."""
        rows = data.split(b"\n")
        self._emit(rows, [1] * len(rows))

    def _shorten(self, first: int) -> None:
        """Of the rows from number `first` on that are too long, keep the first bytes."""
        for index in range(first, len(self.records)):
            if len(self.records[index]) > RECORD_LIMIT:
                self.lengths[index] = len(self.records[index])
                self.records[index] = self.records[index][:KEPT]

    def _broken_until(self, data: bytes, begin: int) -> int:
        """Where the quotes of a row are broken, the line end up to which its lines are rows of their own; -1 if not."""
        found = self.broken.match(data, begin) if self.broken else None
        if not found:
            return -1
        end = data.rfind(b"\n", begin, found.end())
        return end if end >= 0 else data.find(b"\n", found.end())

    def _cut(self) -> None:
        """What waits is too long for a row: a quote that never ends, or a line that does not."""
        end = self.data.rfind(b"\n")
        if end >= 0:
            data, self.data = self.data, b""
            self._emit_lines(data[:end])
            self._take(data[end + 1 :])
            return
        self.lengths[len(self.records)] = 0
        self.records.append(self.data[:KEPT])
        self.offsets.append(self.offset)
        self.numbers.append(self.line)
        self.too_long = len(self.data)
        self.data = b""

    def _skip(self, data: bytes) -> int:
        """Pass over the rest of a row that is too long; gives where the next begins."""
        end = data.find(b"\n")
        self.too_long += len(data) if end < 0 else end
        if end < 0:
            return len(data)
        self._long_row_ends()
        return end + 1

    def _long_row_ends(self) -> None:
        self.lengths[len(self.records) - 1] = self.too_long
        self.offset += self.too_long + 1
        self.line += 1
        self.too_long = 0

    def end(self) -> bool:
        """The input is over; whether its last row had no line end."""
        rest = b"".join((self.data, *self.waiting))
        self.waiting, self.data = [], b""
        if not self.offset and not self.records and rest.startswith(BOM):
            self.offset, rest = len(BOM), rest[len(BOM) :]
        self._take(rest)
        rest, self.data = self.data, b""
        if self.too_long:
            self._long_row_ends()
            return True
        if not rest:
            return False
        found = self.row.match(rest + b"\n")
        whole = found is not None and found.end() == len(rest) + 1
        if whole:
            self._emit([rest], [rest.count(b"\n") + 1])
        else:
            self._emit_lines(rest.removesuffix(b"\n"))
        return whole or not rest.endswith(b"\n")

    def taken(self, *, open_end: bool = False) -> Iterator[Batch]:
        """The rows so far; a row that is too long waits for its end, and all with it."""
        if not self.records or self.too_long:
            return
        offsets, numbers = (np.array(column, np.int64) for column in (self.offsets, self.numbers))
        batch = Batch(self.records, offsets, self.first, self.lengths, open_end, self.crlf, numbers)
        self.first += len(self.records)
        self._clear()
        yield batch


def _behind_row(offset: int, length: int) -> int:
    return offset + length + 1


def _signs(tables: Tables) -> tuple[int, int, int] | None:
    """The signs as the part in C takes them; None for characters of two bytes, and for signs that are the same."""
    signs = [sign for sign in (tables.delimiter, tables.quote, tables.escape) if sign]
    if tables.encoding in TWO_BYTES or len(set(signs)) < len(signs):
        return None
    delimiter, quote, escape = (ord(sign) if sign else -1 for sign in (tables.delimiter, tables.quote, tables.escape))
    return delimiter, quote, escape


def _rows(blocks: Iterator[bytes], tables: Tables, *, compiled: bool) -> Iterator[Batch]:
    splitter = _Splitter(tables, compiled=compiled)
    damage: InputError | None = None
    try:
        for block in blocks:
            splitter.feed(block)
            yield from splitter.taken()
    except InputError as why:
        damage = why
    open_end = splitter.end()
    yield from splitter.taken(open_end=open_end)
    if damage:
        raise damage
