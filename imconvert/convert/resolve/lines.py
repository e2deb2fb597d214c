"""Read single target lines and their rows back from the parts, by place."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import numpy as np

from imconvert import durable
from imconvert.convert.work import ROW, ROW_MASK, STREAM_SHIFT, Array, WorkFolder, place_of, rows_at
from imconvert.vendors.contract import KeyFields, Target

MOST_OPEN = 24
WINDOW = 16384
DENSE = 128
MOST_AT_ONCE = 1 << 19
"""Open files; lines looked up at once; rows in a span for each wanted one, and at most, that are read in one go."""


class LineReader:
    """Looks lines and rows up by place, keeping a few files open. `rekeyed` are new message numbers by place;
    `own_keys` as in the source's `Vendor`."""

    def __init__(
        self, work: WorkFolder, target: Target, rekeyed: dict[int, int] | None = None, *, own_keys: bool = False
    ) -> None:
        self.work = work
        self.target = target
        self.rekeyed = rekeyed or {}
        self.own_keys = own_keys
        self.files: OrderedDict[tuple[int, str], durable.Reader] = OrderedDict()

    def __enter__(self) -> LineReader:
        return self

    def __exit__(self, *exc: object) -> None:
        for file in self.files.values():
            file.close()
        self.files.clear()

    def _file(self, segment: int, name: str) -> durable.Reader:
        found = self.files.pop((segment, name), None)
        if found is None:
            if len(self.files) >= MOST_OPEN:
                self.files.popitem(last=False)[1].close()
            found = durable.Reader(self.work.part(segment, name))
        self.files[segment, name] = found
        return found

    def _by_file(self, places: Array) -> Iterator[tuple[Array, int, str]]:
        """Which of the places are in one file: the segment, and the stream, by name."""
        owners = places >> np.uint64(STREAM_SHIFT)
        for owner in sorted(set(owners.tolist())):
            chosen = np.flatnonzero(owners == np.uint64(owner))
            where = place_of(int(places[chosen[0]]))
            yield chosen, where.segment, self.target.streams[where.stream]

    def rows(self, places: Array) -> Array:
        """The ROW of each place, in the order of `places`."""
        found = np.empty(len(places), ROW)
        for chosen, segment, stream in self._by_file(places):
            file = self._file(segment, f"{stream}.rows")
            found[chosen] = _picked(file, (places[chosen] & np.uint64(ROW_MASK)).astype(np.int64))
        return found

    def line(self, place: int, begin: int, length: int) -> bytes:
        """A target line without its newline, from where its row says that it lies."""
        where = place_of(place)
        return self._numbered(place, self._file(where.segment, self.target.streams[where.stream]).at(begin, length))

    def lines(self, places: Array) -> Iterator[bytes]:
        """The target lines of the places, in their order."""
        for start in range(0, len(places), WINDOW):
            yield from self._lines(places[start : start + WINDOW])

    def _lines(self, places: Array) -> Iterator[bytes]:
        found = [b""] * len(places)
        rows = self.rows(places)
        for chosen, segment, stream in self._by_file(places):
            begins, lengths = rows["begin"][chosen].tolist(), rows["length"][chosen].tolist()
            for number, line in zip(chosen.tolist(), self._file(segment, stream).each(begins, lengths), strict=True):
                found[number] = line
        return map(self._numbered, places.tolist(), found) if self.rekeyed else iter(found)

    def _numbered(self, place: int, line: bytes) -> bytes:
        """The line with the number that it got, if it got another."""
        msgid = self.rekeyed.get(place)
        return line if msgid is None else self.target.with_msgid(line, msgid)

    def _identity(self, line: bytes) -> KeyFields:
        return self.target.read_key(line).identity(self.own_keys)

    def confirmed(self, rows: Array, losers: Array, winners: Array) -> tuple[Array, Array]:
        """Of pairs with equal hashes, those whose real keys are equal.

        Where a hash deceives, the lines are grouped by their real keys instead, the first of each group winning.
        """
        losing, winning = self.lines(rows["place"][losers]), self.lines(rows["place"][winners])
        real_losers: list[int] = []
        real_winners: list[int] = []
        leaders: dict[KeyFields, int] = {}
        leader = -1
        for loser, winner, line, leader_line in zip(losers.tolist(), winners.tolist(), losing, winning, strict=True):
            if winner != leader:
                leader, leaders = winner, {}
            real = winner
            if line != leader_line:
                leaders = leaders or {self._identity(leader_line): winner}
                real = leaders.setdefault(self._identity(line), loser)
            if real != loser:
                real_losers.append(loser)
                real_winners.append(real)
        return np.array(real_losers, np.int64), np.array(real_winners, np.int64)


def _picked(file: durable.Reader, numbers: Array) -> Array:
    """The ROWs of these numbers: the whole span where they lie close, else each for itself."""
    low, high = int(numbers.min()), int(numbers.max()) + 1
    if high - low <= max(DENSE * len(numbers), 1) and high - low <= MOST_AT_ONCE:
        return rows_at(file, ROW, low, high).take(numbers - low)
    size = ROW.itemsize
    return np.frombuffer(b"".join(file.each((numbers * size).tolist(), [size] * len(numbers))), ROW)
