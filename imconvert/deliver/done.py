"""Which lines of a shard are finished, as intervals: a handful of rows for any number of lines.

Strategy: the lines of a conversation are neighbours, so that finished ones join to one interval for each conversation
under way, and behind those to one from the beginning. Each interval knows the byte offset behind it, so that a
reader can step over it without reading.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """Finished lines [start, stop); `offset` is where line `stop` begins."""

    start: int
    stop: int
    offset: int


class Done:
    """The finished lines of one shard."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans = {span.start: span for span in spans}
        self._starts = sorted(self._spans)
        self._changed: set[int] = set()
        self._gone: set[int] = set()
        self.lines = sum(span.stop - span.start for span in self._spans.values())

    def __len__(self) -> int:
        return len(self._starts)

    def around(self, line: int) -> Span | None:
        """The interval that holds a line."""
        place = bisect_right(self._starts, line) - 1
        found = self._spans[self._starts[place]] if place >= 0 else None
        return found if found and line < found.stop else None

    def add(self, line: int, offset: int) -> None:
        """Line `line` is finished; the next one begins at `offset`."""
        if self.around(line):
            return
        start, stop = line, line + 1
        before, behind = self.around(line - 1), self._spans.get(line + 1)
        if behind:
            stop, offset = behind.stop, behind.offset
            self._drop(behind.start)
        if before:
            start = before.start
        else:
            self._starts.insert(bisect_right(self._starts, start), start)
        self._spans[start] = Span(start, stop, offset)
        self._changed.add(start)
        self._gone.discard(start)
        self.lines += 1

    def _drop(self, start: int) -> None:
        del self._starts[bisect_right(self._starts, start) - 1]
        del self._spans[start]
        self._changed.discard(start)
        self._gone.add(start)

    def changes(self) -> tuple[list[int], list[Span]]:
        """Starts of intervals that are gone, and intervals that are new or longer, since the last time."""
        gone, changed = sorted(self._gone), [self._spans[start] for start in sorted(self._changed)]
        self._gone, self._changed = set(), set()
        return gone, changed
