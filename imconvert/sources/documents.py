"""Split JSON documents of any size into the elements of one array (easemob.md §2.4, tencent.md §7.2, yunxin.md §5).

Strategy: each block is scanned with NumPy: unescaped quotes give the in-string mask, braces and brackets outside
of strings give the depth; an element runs from the place where the depth leaves the array to where it returns. Where
the part in C is built, it cuts the elements that lie whole in a block, and leaves all else to the scan.
The array is the document itself, or stands at a path of keys. Documents may follow each other, keys may come in any
order, and an array of the same name elsewhere is not taken.
What stands before the array goes with the elements, if it is asked for; it never grows beyond a few KiB.
Promise: every byte of an element comes out once, with its offset; constant memory. What stands in the array or
between documents and is no object comes out as a record too, to be rejected, and so does a document without the
array. A document that breaks off is named (IMC-4013) after the elements before the break; the element that was cut
comes out with `open_end`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from imconvert import native
from imconvert.errors import InputError
from imconvert.sources.records import Batch, Carry, Ints, kept_head
from imconvert.vendors.contract import Documents

BETWEEN, ENVELOPE, ARRAY, ELEMENT, TAIL = "between", "envelope", "array", "element", "tail"
BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n" + BOM
STEP = 1024
"""Bytes that are scanned at once where an array may begin or end, so that little of it is scanned and not cut."""

KEPT_BEFORE = 256
_NEXT = re.compile(rb"[\s,]*\{")

_WORDS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[^\s,"]+', re.DOTALL)


class Scanner:
    """Finds the structure of a stream of blocks; strings, escapes and depth carry over from block to block."""

    def __init__(self) -> None:
        self.in_string = False
        self.escaped = False
        self.depth = 0

    def edges(self, block: bytes, most: int) -> Iterator[tuple[int, bool, int]]:
        """The brackets down to depth `most`, and those that open one more: place, whether it opens, depth after it."""
        marks, kinds, depths = self.structure(block)
        opens = (kinds == 0x7B) | (kinds == 0x5B)
        for index in np.flatnonzero((depths <= most) | ((depths == most + 1) & opens)).tolist():
            yield int(marks[index]), bool(opens[index]), int(depths[index])

    def compiled_edges(self, block: bytes, most: int) -> list[tuple[int, bool, int]]:
        """The same by the part in C."""
        found, self.depth, self.in_string, self.escaped = native.edges(
            block, most, self.depth, self.in_string, self.escaped
        )
        return found

    def structure(self, block: bytes) -> tuple[Ints, Ints, Ints]:
        """Places, bytes and depths after them of the brackets and braces outside of strings."""
        data = np.frombuffer(block, np.uint8)
        quotes = self._quotes(data)
        marks = np.flatnonzero((data == 0x7B) | (data == 0x7D) | (data == 0x5B) | (data == 0x5D))
        inside = (np.searchsorted(quotes, marks) + self.in_string) & 1
        marks = marks[inside == 0]
        kinds = data[marks]
        steps = np.where((kinds == 0x7B) | (kinds == 0x5B), 1, -1)
        depths = self.depth + np.cumsum(steps)
        self.in_string = bool((len(quotes) + self.in_string) & 1)
        if len(depths):
            self.depth = int(depths[-1])
        return marks, kinds.astype(np.int64), depths

    def _quotes(self, data: NDArray[np.uint8]) -> Ints:
        """Places of the quotes that are not escaped."""
        quotes = np.flatnonzero(data == 0x22)
        slashes = np.flatnonzero(data == 0x5C)
        began_escaped = self.escaped
        if not len(slashes) and not began_escaped:
            return quotes
        escapes = _escapes(slashes, began_escaped)
        self.escaped = bool(len(escapes) and escapes[-1] == len(data) - 1)
        hidden = escapes + 1
        if began_escaped:
            hidden = np.concatenate([np.zeros(1, hidden.dtype), hidden])
        return quotes[~np.isin(quotes, hidden)]


def _escapes(slashes: Ints, began_escaped: bool) -> Ints:
    """Of the places of backslashes, those that escape the byte after them: the 1st, 3rd, ... of each run."""
    if not len(slashes):
        return slashes
    starts = np.empty(len(slashes), bool)
    starts[0] = True
    starts[1:] = np.diff(slashes) != 1
    first = np.maximum.accumulate(np.where(starts, np.arange(len(slashes)), 0))
    rank = np.arange(len(slashes)) - first
    if began_escaped and slashes[0] == 0:
        rank[first == 0] -= 1  # the run's first backslash was escaped by the block before
    return np.asarray(slashes[rank % 2 == 0], np.int64)


class _Splitter:
    """Cuts the elements out of the blocks.

    `where` says what the bytes from `begin` on, which wait in `carry`, are part of: what stands BETWEEN documents, the
    ENVELOPE of a document before its array, the ARRAY between its elements, an ELEMENT, or the TAIL behind the array.
    Records of documents with other heads are never in the same batch. `base` is the depth inside of the array,
    `owner` the name of the object that the envelope is in.
    """

    def __init__(self, documents: Documents, *, compiled: bool = native.BUILT) -> None:
        self.compiled = compiled
        self.scanner = Scanner()
        self.paths = {tuple(name.encode().split(b".")) if name else () for name in documents.arrays}
        self.key = _keys_of(self.paths)
        self.deepest = max(map(len, self.paths)) + 1
        self.level = self.deepest
        self.trail: tuple[bytes, ...] = ()
        self.heads = documents.reader is not None
        self.head = b""
        self.ready: list[Batch] = []
        self.first = 0
        self.carry = Carry()
        self.before = b""
        self.where = BETWEEN
        self.begin = 0
        self.offset = 0
        self.records: list[bytes] = []
        self.offsets: list[int] = []
        self.lengths: dict[int, int] = {}

    def feed(self, block: bytes) -> None:
        """Take the next block; finished elements gather in `records`, `offsets` and `lengths`."""
        here = 0
        while here < len(block):
            here = self._cut(block, here) if self.compiled else 0
            part = block[here:] if not self.compiled or self._is_cut(block, here) else block[here : here + STEP]
            if part:
                self._scan(part)
            here += len(part)

    def _is_cut(self, block: bytes, here: int) -> bool:
        """Whether what comes is an element that does not end in its block."""
        return self.where == ELEMENT or (self.where == ARRAY and _NEXT.match(block, here) is not None)

    def _cut(self, block: bytes, here: int) -> int:
        """Cut the whole elements that come next, and before them the end of one; gives where they end."""
        scanner, begin = self.scanner, here
        if self.where == ELEMENT:
            state = scanner.depth, scanner.in_string, scanner.escaped
            end, scanner.depth, scanner.in_string, scanner.escaped = native.follow(block, here, self.level, *state)
            here = end if end >= 0 else len(block)
            if end < 0:
                self.carry.add(block[begin:])
            else:
                self._finish(block[begin:end], ARRAY, end - begin)
        if self.where == ARRAY and not self.carry.length:
            here = native.cut_elements(block, here, self.offset - begin, self.records, self.offsets)
            self.begin = self.offset + here - begin
        self._passed(block[begin:here])
        return here

    def _scan(self, block: bytes) -> None:
        """Act on the brackets that matter."""
        here, found = 0, self.scanner.compiled_edges if self.compiled else self.scanner.edges
        for place, opens, depth in found(block, self.deepest):
            here = self._edge(block, here, place, opens, depth)
        if self.where != TAIL:
            self.carry.add(block[here:])
        self._passed(block)

    def _passed(self, data: bytes) -> None:
        self.before = (self.before + data[-KEPT_BEFORE:])[-KEPT_BEFORE:]
        self.offset += len(data)

    def _edge(self, block: bytes, here: int, place: int, opens: bool, depth: int) -> int:
        """Act on a bracket at `place`, `here` being the first byte not taken yet; gives the next such."""
        if depth < 0:
            if self.where != TAIL:
                self.carry.add(block[here:place])
            raise _Broken(self.offset + place, "a closing bracket without its opening one")
        return self._EDGES[self.where](self, block, here, place, opens, depth)

    def _between(self, block: bytes, here: int, place: int, opens: bool, depth: int) -> int:
        here, self.trail = self._leave(block, here, place, ENVELOPE), ()
        return self._begin(block, here, place, 1) if () in self.paths and block[place] == 0x5B else here

    def _envelope(self, block: bytes, here: int, place: int, opens: bool, depth: int) -> int:
        if depth == 0:
            return self._finish(block[here : place + 1], BETWEEN, place + 1)
        if opens and len(self.trail) == depth - 2 and (key := self._key_before(block, place)) is not None:
            trail = (*self.trail, key)
            if block[place] == 0x5B and trail in self.paths:
                return self._begin(block, here, place, depth)
            if block[place] == 0x7B:
                self.trail = trail
        elif not opens:
            self.trail = self.trail[: depth - 1]
        return here

    def _array(self, block: bytes, here: int, place: int, opens: bool, depth: int) -> int:
        if depth == self.level + 1:
            return self._leave(block, here, place, ELEMENT)
        self._leave(block, here, place, TAIL)
        return self._enter(BETWEEN, place + 1) if depth == 0 else place

    def _element(self, block: bytes, here: int, place: int, opens: bool, depth: int) -> int:
        return self._finish(block[here : place + 1], ARRAY, place + 1) if depth == self.level else here

    def _tail(self, block: bytes, here: int, place: int, opens: bool, depth: int) -> int:
        return self._enter(BETWEEN, place + 1) if depth == 0 else here

    _EDGES = {BETWEEN: _between, ENVELOPE: _envelope, ARRAY: _array, ELEMENT: _element, TAIL: _tail}

    def _begin(self, block: bytes, here: int, place: int, level: int) -> int:
        """The array begins with the bracket at `place`, what stands before it is its head."""
        self.carry.add(block[here : place + 1])
        self._behind(*self.carry.take())
        self.level = level
        return self._enter(ARRAY, place + 1)

    def _enter(self, where: str, place: int) -> int:
        self.where = where
        self.begin = self.offset + place
        if where == BETWEEN and self.head:
            self._behind(b"", 0)
        return place

    def _behind(self, head: bytes, length: int) -> None:
        """What comes next stands behind this head."""
        head = kept_head(head, length) if self.heads else b""
        if head != self.head:
            self._end_batch()
            self.head = head

    def _finish(self, data: bytes, where: str, place: int) -> int:
        """An element, or a whole document without the array, ends here and is a record."""
        self.carry.add(data)
        self._emit(*self.carry.take())
        return self._enter(where, place)

    def _leave(self, block: bytes, here: int, place: int, where: str) -> int:
        """What stood between elements or documents ends here: separators, or things that are no objects."""
        self.carry.add(block[here:place])
        self.stray()
        return self._enter(where, place)

    def stray(self) -> None:
        """Each string or word among the separators that wait becomes a record, to be rejected."""
        text, length = self.carry.take()
        begin = self.begin
        if length > len(text):
            self._emit(text, length)
            return
        for word in _WORDS.finditer(text.replace(BOM, b"   ")):
            self.begin = begin + word.start()
            self._emit(word[0], len(word[0]))

    def _key_before(self, block: bytes, place: int) -> bytes | None:
        """The key of the value that begins at `place`, if it is one of those that lead to the array."""
        text = block[max(0, place - 200) : place + 1]
        found = self.key.search(text if place >= 200 else self.before + text)
        return found[1] if found else None

    def _emit(self, data: bytes, length: int) -> None:
        if length > len(data):
            self.lengths[len(self.records)] = length
        self.records.append(data)
        self.offsets.append(self.begin)

    def _end_batch(self, *, open_end: bool = False) -> None:
        if self.records:
            offsets = np.array(self.offsets, np.int64)
            self.ready.append(Batch(self.records, offsets, self.first, self.lengths, open_end, head=self.head))
            self.first += len(self.records)
            self.records, self.offsets, self.lengths = [], [], {}

    def taken(self, *, open_end: bool = False) -> list[Batch]:
        """The batches that are finished; `open_end` says that the last record was cut by the end of the input."""
        self._end_batch(open_end=open_end)
        ready, self.ready = self.ready, []
        return ready

    def keep_rest(self) -> bool:
        """Make what the end of the input cut the last record; whether there was such."""
        if self.where in (BETWEEN, ARRAY):
            self.stray()
            return False
        data, length = self.carry.take()
        if self.where == TAIL or (self.where == ENVELOPE and not data):
            return False
        self._emit(data, length)
        return True


class _Broken(Exception):
    def __init__(self, offset: int, why: str) -> None:
        super().__init__(offset, why)
        self.offset = offset
        self.why = why


def _keys_of(paths: Iterable[tuple[bytes, ...]]) -> re.Pattern[bytes]:
    """A pattern for a key that leads to the array, and the bracket or brace behind it."""
    keys = sorted({re.escape(key) for path in paths for key in path})
    return re.compile(rb'"(' + b"|".join(keys) + rb')"\s*:\s*[\[{]$')


@cache
def array_key(documents: Documents) -> bytes:
    """A pattern for the key of the array and its bracket."""
    names = (re.escape(name.rpartition(".")[2].encode()) for name in documents.arrays)
    return rb'"(?:' + b"|".join(names) + rb')"\s*:\s*\['


@cache
def _array_pattern(documents: Documents) -> re.Pattern[bytes]:
    return re.compile(array_key(documents))


def begins_with_array(head: bytes, documents: Documents) -> bool:
    """Whether the first JSON value of content that begins with `head` is an object with such an array."""
    if documents.always:
        return True
    text = head.lstrip(_BLANKS)
    key = _array_pattern(documents)
    if not text.startswith(b"{") or _is_line_without(key, text) or not key.search(text):
        return False
    marks, _, depths = Scanner().structure(text)
    ends = np.flatnonzero(depths <= 0)
    splitter = _Splitter(documents)
    splitter.feed(text[: int(marks[ends[0]])] if len(ends) else text)
    return splitter.where not in (BETWEEN, ENVELOPE)


def _is_line_without(key: re.Pattern[bytes], text: bytes) -> bool:
    """Whether the first value is a line, as most are, and has no such key."""
    line = text.partition(b"\n")[0]
    if key.search(line):
        return False
    try:
        _decode_members(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def elements(
    blocks: Iterator[bytes], documents: Documents, label: str, *, compiled: bool = native.BUILT
) -> Iterator[Batch]:
    """The elements of the array of one or more documents, as batches of raw records.

    Raises InputError IMC-4013 after all complete elements where a document is broken or breaks off.
    """
    splitter = _Splitter(documents, compiled=compiled)
    damage: InputError | None = None
    try:
        for block in blocks:
            splitter.feed(block)
            yield from splitter.taken()
    except InputError as why:
        damage = why
    except _Broken as broken:
        damage = InputError("IMC-4013", label, offset=broken.offset, why=broken.why)
    if splitter.scanner.depth > 0 or splitter.scanner.in_string:
        damage = damage or InputError("IMC-4013", label, offset=splitter.offset, why="the document does not end")
    cut = splitter.keep_rest()
    yield from splitter.taken(open_end=cut)
    if damage:
        raise damage
