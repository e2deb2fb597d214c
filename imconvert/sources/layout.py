"""Read JSON documents that are laid out in lines: a head, an element a line, `]}` (tencent.md §7.2).

Strategy: whole lines are looked at, never what stands inside of them, so that a broken line costs itself and the
reading goes on with the next. A line that begins an element without ending it takes the lines behind it along, for
a raw line feed may stand in a text. Documents may follow each other; one without an end is named (IMC-4013) after all
else was read.
Promise: whatever is neither head nor end comes out as a record, numbered by its line in the content. Memory is a block
and a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import numpy as np

from imconvert import native
from imconvert.errors import InputError
from imconvert.sources.documents import BOM, array_key, elements
from imconvert.sources.records import RECORD_LIMIT, Batch, Carry, kept_head, lines
from imconvert.vendors.contract import Documents

OUTSIDE, ARRAY, TAIL = "outside", "array", "tail"
LOOKED_AT = 20
_BLANKS = b" \t\r"
_EMPTY = _BLANKS + BOM
_KEY = re.compile(rb'"(?:[^"\\]|\\.)*"\s*:')
_END = re.compile(rb"\]\s*(?:\}\s*,?|,?|,\s*" + _KEY.pattern + rb".*)$")


def laid_out(head: bytes, documents: Documents) -> bool:
    """Whether a document that begins with `head` has one element a line."""
    found = [line.strip(_EMPTY) for line in head.split(b"\n")[: LOOKED_AT + 1]]
    found = [line for line in found if line]
    if not found or not re.search(array_key(documents) + rb"$", found[0]) or found[0][:1] != b"{":
        return False
    return len(found) == 1 or any(map(_is_row, found[1:])) or _END.match(found[1]) is not None


def _is_row(text: bytes) -> bool:
    return text.startswith(b"{") and _ends_row(text)


def _ends_row(text: bytes) -> bool:
    return text.endswith((b"}", b"},")) or (text.endswith(b",") and text[:-1].rstrip(_BLANKS).endswith(b"}"))


def one_a_line(head: bytes, documents: Documents) -> bool:
    """Whether content that begins with `head` has several whole documents, one a line."""
    found = [line.strip(_EMPTY) for line in head.split(b"\n")]
    found = [line for line in found if line]
    return (
        len(found) > 1
        and found[1].startswith(b"{")
        and bool(re.search(array_key(documents), found[0]))
        and (_is_json(found[0]))
    )


class _Rows:
    """Tells heads, elements and ends apart. `carry` holds an element whose line did not end it, from `begun` on."""

    def __init__(self, documents: Documents, label: str, *, compiled: bool) -> None:
        self.compiled = compiled
        self.documents = documents
        self.label = label
        self.header = re.compile(rb"\{.*" + array_key(documents) + rb"$")
        self.array = re.compile(array_key(documents))
        self.where = OUTSIDE
        self.head = b""
        self.carry = Carry()
        self.begun = (0, 0)
        self.bracket = (b"", b"", 0, 0)
        self.records: list[bytes] = []
        self.offsets: list[int] = []
        self.numbers: list[int] = []
        self.lengths: dict[int, int] = {}
        self.ready: list[Batch] = []
        self.first = 0
        self.unended: int | None = None

    def feed(self, batch: Batch) -> None:
        """Take a batch of lines; what is finished of it gathers in `ready`."""
        if self.compiled and batch.text is not None:
            self._cut(batch.text, batch.begin, batch.first)
        else:
            for index, (raw, at) in enumerate(zip(batch.records, batch.offsets.tolist(), strict=True)):
                self._line(raw, at, batch.first + index, batch.lengths.get(index))
        self._end_batch(keep_last=self.where == ARRAY)

    def _cut(self, text: bytes, begin: int, number: int) -> None:
        """Take the lines of a text: those that are elements many at a time, the others one by one."""
        here = 0
        while here <= len(text):
            if self.where == ARRAY and not self.carry.length:
                before = len(self.records)
                here = native.cut_rows(text, here, begin, self.records, self.offsets)
                count = len(self.records) - before
                self.numbers.extend(range(number, number + count))
                number += count
                if count and here == len(text) and not text.endswith(b"\n"):
                    return
            end = text.find(b"\n", here)
            end = len(text) if end < 0 else end
            self._line(text[here:end], begin + here, number, None)
            number, here = number + 1, end + 1

    def _line(self, raw: bytes, at: int, number: int, length: int | None) -> None:
        """Take a line; `length` is that of one that was too long."""
        text = raw.strip(_BLANKS)
        if length is not None:
            self._finish()
            self._emit(raw, at, number, length)
        elif self.where == ARRAY and not self.carry.length and _is_row(text):
            self._row(raw, text, at, number)
        elif text.strip(_EMPTY) or self.carry.length:
            self._look(raw, text, at, number)

    def _look(self, raw: bytes, text: bytes, at: int, number: int) -> None:
        """A line that is not just an element."""
        if self.carry.length:
            if not text.lstrip(_EMPTY).startswith(b"{") and text != b"]}":
                self.carry.add(b"\n" + raw)
                if _ends_row(text):
                    self._finish()
                return
            self._finish()
        {OUTSIDE: self._outside, ARRAY: self._inside, TAIL: self._behind}[self.where](raw, text, at, number)

    def _inside(self, raw: bytes, text: bytes, at: int, number: int) -> None:
        if text.startswith(b"]") and _END.match(text):
            self.where = OUTSIDE if text.endswith((b"}", b"},")) else TAIL
            self.bracket = (raw, text, at, number)
        elif self._is_header(text):
            self._without_end(at)
            self._outside(raw, text, at, number)
        elif text.startswith(b"{") and not _is_row(text):
            self.begun = (at + raw.index(b"{"), number)
            self.carry.add(text)
        else:
            self._row(raw, text, at, number)

    def _behind(self, raw: bytes, text: bytes, at: int, number: int) -> None:
        """Keys of the document may follow its array; if elements do, the bracket was none that ends it."""
        if _is_row(text) and not self.array.search(text):
            self.where = ARRAY
            self._row(*self.bracket)
            self._row(raw, text, at, number)
        elif text.startswith(b"{"):
            self._without_end(at)
            self._outside(raw, text, at, number)
        elif text.endswith(b"}") and (text == b"}" or _KEY.match(text)):
            self.where = OUTSIDE
        elif not _KEY.match(text):
            self._row(raw, text, at, number)

    def _outside(self, raw: bytes, text: bytes, at: int, number: int) -> None:
        text = text.strip(_EMPTY)
        if self._is_header(text):
            self._begin(kept_head(text, len(text)) if self.documents.reader else b"")
            self.where = ARRAY
        elif not (text.startswith(b"{") and self.array.search(text) and self._one_line(raw, text, at, number)):
            self._begin(b"")
            self._row(raw, text, at, number)

    def _one_line(self, raw: bytes, text: bytes, at: int, number: int) -> bool:
        """Take a line that is a whole document; whether it was one."""
        try:
            batches = list(elements(iter([text]), self.documents, self.label, compiled=self.compiled))
        except InputError:
            return False
        begin = at + raw.index(b"{")
        for batch in batches:
            self._begin(batch.head)
            self.records += batch.records
            self.offsets += (batch.offsets + begin).tolist()
            self.numbers += [number] * len(batch)
        return True

    def _begin(self, head: bytes) -> None:
        if head != self.head:
            self._end_batch()
            self.head = head

    def _is_header(self, text: bytes) -> bool:
        """Whether a line ends with the key of the array and its bracket."""
        return text.endswith(b"[") and self.header.match(text) is not None

    def _row(self, raw: bytes, text: bytes, at: int, number: int) -> None:
        start = at if raw.startswith(b"{") else at + raw.index(text)
        self._emit(text[:-1].rstrip(_BLANKS) if text.endswith(b",") else text, start, number)

    def _finish(self) -> None:
        """The element that waits is over, whole or broken."""
        if self.carry.length:
            data, length = self.carry.take()
            text = data.rstrip(_BLANKS)
            self._emit(text[:-1].rstrip(_BLANKS) if text.endswith(b",") else text, *self.begun, length)

    def _emit(self, data: bytes, offset: int, number: int, length: int = 0) -> None:
        if length > RECORD_LIMIT:
            self.lengths[len(self.records)] = length
        self.records.append(data)
        self.offsets.append(offset)
        self.numbers.append(number)

    def _end_batch(self, *, keep_last: bool = False, open_end: bool = False) -> None:
        """Make a batch of the records so far; the last one may have to wait, as the document's end may be glued on."""
        count = len(self.records) - keep_last
        if count <= 0:
            return
        offsets, numbers = (np.array(column[:count], np.int64) for column in (self.offsets, self.numbers))
        lengths = {index: length for index, length in self.lengths.items() if index < count}
        self.ready.append(
            Batch(self.records[:count], offsets, self.first, lengths, open_end, numbers=numbers, head=self.head)
        )
        self.first += count
        self.lengths = {index - count: length for index, length in self.lengths.items() if index >= count}
        self.records, self.offsets, self.numbers = (
            self.records[count:], self.offsets[count:], self.numbers[count:],
        )  # fmt: skip

    def _without_end(self, at: int) -> None:
        """The document ends here without `]}` on a line of its own: glued to the last element, or missing."""
        self.where = OUTSIDE
        if self.records and len(self.records) - 1 not in self.lengths and _is_glued(self.records[-1]):
            self.records[-1] = self.records[-1][:-2].rstrip(_BLANKS)
        elif self.unended is None:
            self.unended = at

    def end(self, at: int, *, open_end: bool) -> None:
        """The input is over."""
        cut = open_end or bool(self.carry.length)
        self._finish()
        if self.where != OUTSIDE:
            self._without_end(at)
        self._end_batch(open_end=cut and self.unended is not None)

    def taken(self) -> list[Batch]:
        ready, self.ready = self.ready, []
        return ready


def _is_glued(record: bytes) -> bool:
    """Whether a record is one element with the end of its document behind it."""
    return record.endswith(b"]}") and not _is_json(record) and _is_json(record[:-2])


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def rows(
    blocks: Iterator[bytes], documents: Documents, label: str, *, compiled: bool = native.BUILT
) -> Iterator[Batch]:
    """The elements of documents that are laid out in lines, as batches of raw records.

    Raises InputError after all elements: that of the blocks, or IMC-4013 where a document does not end.
    """
    found = _Rows(documents, label, compiled=compiled)
    damage: InputError | None = None
    size, open_end = 0, False
    try:
        for batch in lines(blocks):
            found.feed(batch)
            yield from found.taken()
            open_end = batch.open_end
            size = batch.end() + (not open_end)
    except InputError as why:
        damage = why
    found.end(size, open_end=open_end)
    yield from found.taken()
    if found.unended is not None:
        damage = damage or InputError("IMC-4013", label, offset=found.unended, why="the document does not end")
    if damage:
        raise damage
