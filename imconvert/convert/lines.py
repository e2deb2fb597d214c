"""Read single target lines and their rows back from the parts, by place."""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from imconvert import durable
from imconvert.convert.work import Array, WorkFolder, place_of
from imconvert.vendors.contract import KeyFields, Target

MOST_OPEN = 24


_ONE = struct.Struct("<QQQqQQ")
_TWO = struct.Struct("<QQQqQQQQQqQQ")
"""One ROW, and two of them."""


class Row(NamedTuple):
    """Where a line lies in its part, and number (from 0, in its piece), offset and input of its source record."""

    begin: int
    end: int
    line: int
    offset: int
    file: int


class LineReader:
    """Looks lines and rows up by place, keeping a few files open. `rekeyed` are new message numbers by place."""

    def __init__(self, work: WorkFolder, target: Target, rekeyed: dict[int, int] | None = None) -> None:
        self.work = work
        self.target = target
        self.rekeyed = rekeyed or {}
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

    def row(self, place: int) -> Row:
        """The row of a line, and where the line begins in its part."""
        where = place_of(place)
        rows = self._file(where.segment, f"{self.target.streams[where.stream]}.rows")
        if where.row:
            begin, *_, end, line, offset, _, _, file = _TWO.unpack(rows.at((where.row - 1) * _ONE.size, _TWO.size))
            return Row(begin, end, line, offset, file)
        end, line, offset, _, _, file = _ONE.unpack(rows.at(0, _ONE.size))
        return Row(0, end, line, offset, file)

    def line(self, place: int, row: Row | None = None) -> bytes:
        """A target line with its newline."""
        where = place_of(place)
        row = row or self.row(place)
        line = self._file(where.segment, self.target.streams[where.stream]).at(row.begin, row.end - row.begin)
        msgid = self.rekeyed.get(place)
        return line if msgid is None else self.target.with_msgid(line, msgid)

    def confirmed(self, rows: Array, losers: Array, winners: Array) -> tuple[Array, Array]:
        """Of pairs with equal hashes, those whose real keys are equal.

        Where a hash deceives, the lines are grouped by their real keys instead, the first of each group winning.
        """
        places = rows["place"]
        real_losers: list[int] = []
        real_winners: list[int] = []
        leaders: dict[KeyFields, int] = {}
        leader, leader_line = -1, b""
        for loser, winner in zip(losers.tolist(), winners.tolist(), strict=True):
            if winner != leader:
                leader, leader_line = winner, self.line(int(places[winner]))
                leaders = {}
            line = self.line(int(places[loser]))
            real = winner
            if line != leader_line:
                key = self.target.read_key(line)
                leaders = leaders or {self.target.read_key(leader_line): winner}
                real = leaders.setdefault(key, loser)
            if real != loser:
                real_losers.append(loser)
                real_winners.append(real)
        return np.array(real_losers, np.int64), np.array(real_winners, np.int64)
