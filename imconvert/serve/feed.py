"""The feed: one order of all records, from the first shard to the last line that was handed in.

Plan: files stand in the order in which they came; a place in the feed is (file, offset). Lines are *taken* in that
order by one thread (`clerk.py`); what is taken and not left out is served. Any thread may plan windows.
Promise: the cursor moves only over what was delivered, so that new data never overtakes older; concurrent pulls get
the same records, and whichever ends first moves the cursor.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from operator import attrgetter

from imconvert.errors import IntegrityError
from imconvert.serve import windows
from imconvert.serve.state import SHIFT, File, Hole, Sent, State, place
from imconvert.serve.windows import Caps, Stretch, Window
from imconvert.vendors.contract import Target


@dataclass(frozen=True, slots=True)
class Overlap:
    """How delivered windows are repeated: before new records those of the last `time` ms as far as there is room (none
    for 0), and always so many that each is served in at least `copies` answers; where nothing new came, the last ones
    in `idle` more answers."""

    time: int = 7_200_000
    idle: int = 0
    copies: int = 2


class Feed:
    """The files with what was taken of them, and the cursor."""

    def __init__(self, state: State, target: Target, caps: Caps, overlap: Overlap) -> None:
        self.state = state
        self.target = target
        self.caps = caps
        self.overlap = overlap
        self.idle = overlap.idle
        parts = overlap.copies if overlap.time else 1
        self.fresh = Caps(max(1, caps.records // parts), max(1, caps.bytes // parts))
        self.holes: dict[int, list[Hole]] = {}
        self._lock = threading.Lock()
        self._next: tuple[int, int, Window] | None = None

    @property
    def cursor(self) -> int:
        return self.state.cursor

    @property
    def end(self) -> int:
        """The place up to which lines were taken."""
        last = next((file for file in reversed(self.state.files) if file.taken), None)
        return place(last.number, last.taken) if last else 0

    def stretches(self, start: int, stop: int | None = None) -> Iterator[Stretch]:
        """What is to be served from place `start` on, in order."""
        for file in self.state.from_place(start):
            first = start - place(file.number, 0) if start >> SHIFT == file.number else 0
            last = file.taken if stop is None else min(file.taken, stop - place(file.number, 0))
            if start >> SHIFT <= file.number and file.kind != "bulk" and first < last:
                yield from self._between(file, first, last)

    def waits(self, file: File) -> bool:
        """Whether something of a file was taken and is still to be delivered."""
        start = max(0, self.cursor - place(file.number, 0))
        return file.kind != "bulk" and any(True for _ in self._between(file, start, file.taken))

    def _between(self, file: File, start: int, stop: int) -> Iterator[Stretch]:
        """[start, stop) of a file without its holes."""
        if file.left_out:
            for hole in self._holes(file.number, start, stop):
                if start < hole.start:
                    yield Stretch(file, start, hole.start)
                start = max(start, hole.stop)
        if start < stop:
            yield Stretch(file, start, stop)

    def _holes(self, number: int, start: int, stop: int) -> Iterator[Hole]:
        """What is left out, in order. A checkpoint may come in between: then some come twice, but none is missed."""
        some = self.holes.get(number, [])
        fresh = some[bisect_right(some, start, key=attrgetter("stop")) :]
        yield from self.state.holes(number, start, stop)
        yield from takewhile(lambda hole: hole.start < stop, fresh)

    def upcoming(self) -> Window:
        """The records that were not delivered yet, as many as the caps allow; only a part of that where windows are
        repeated, so that those that must be always have room."""
        cursor, end = self.cursor, self.end
        known = self._next
        if known and known[:2] == (cursor, end):
            windows.verify(known[2])
            return known[2]
        window = windows.fill(self.stretches(cursor), cursor, self.fresh)
        if window.records:
            read = self.target.read_key
            window.first, window.last = read(windows.first_line(window)).time, read(windows.last_line(window)).time
        self._next = (cursor, end, window)
        return window

    def pull(self, now: int) -> Window:
        """What a plain pull gets at `now` (ms): the upcoming records, and before them the last windows once more.

        Nothing new is an empty window.
        """
        window = self.upcoming()
        if not window.records and not self.idle:
            return window
        starts = self._starts(window, now)
        for start in dict.fromkeys((*starts[-1:], *starts[:1])):
            try:
                repeated = windows.whole(self.stretches(start, window.start), start, window.start)
            except IntegrityError:  # a file that was delivered whole may have been moved away
                continue
            repeated.records = sum(sent.records for sent in self.state.windows if sent.start >= start)
            return repeated.before(window)
        return window

    def _starts(self, window: Window, now: int) -> list[int]:
        """Where the delivered windows begin that are repeated before a window, the last one first: as many as make the
        copies, and older ones while they are young enough; all of them only while there is room."""
        found: list[int] = []
        start, records, size = window.start, window.records, window.bytes
        for sent in reversed(self.state.windows if self.overlap.time or self.idle else []):
            records, size = records + sent.records, size + sent.bytes
            young = sent.at > now - self.overlap.time
            wanted = young or len(found) < max(1, self.overlap.copies - 1)
            if not wanted or sent.stop != start or records > self.caps.records or size > self.caps.bytes:
                break
            start = sent.start
            found.append(start)
        return found

    def replay(self, start: int, caps: Caps) -> Window:
        """Records from place `start` on, delivered or not."""
        return windows.fill(self.stretches(start), start, caps)

    def has(self, start: int) -> bool:
        """Whether a place is between two records of the feed."""
        file = next((file for file in self.state.files if file.number == start >> SHIFT), None)
        offset = start - place(file.number, 0) if file else start
        return not offset or (file is not None and offset <= file.taken and windows.at_line_end(file, offset))

    def delivered(self, window: Window, at: int, seconds: float) -> bool:
        """Take note that a window was delivered; False if one that reaches as far was delivered before."""
        with self._lock:
            if window.stop == self.cursor and not window.fresh:
                self.idle = max(0, self.idle - 1)
            if window.stop <= self.cursor:
                return False
            self.idle = self.overlap.idle
            last = self.state.windows[-1] if self.state.windows else None
            records, size = self._fresh(window)
            total, total_bytes = (last.total, last.total_bytes) if last else (0, 0)
            self.state.delivered(
                Sent(
                    self.cursor,
                    window.stop,
                    records,
                    size,
                    at,
                    seconds,
                    window.last,
                    total + records,
                    total_bytes + size,
                )
            )
        return True

    def _fresh(self, window: Window) -> tuple[int, int]:
        """Records and bytes of a window behind the cursor, which may have moved since it was planned."""
        if window.begin == self.cursor:
            return window.fresh, window.fresh_bytes
        moved = [sent for sent in self.state.windows if sent.start >= window.begin]
        return (window.fresh - sum(sent.records for sent in moved), window.fresh_bytes - sum(s.bytes for s in moved))

    def backlog(self) -> tuple[int, int]:
        """Records and bytes that were not delivered yet, those not taken yet included."""
        served = [file for file in self.state.files if file.kind != "bulk"]
        records = sum(max(file.lines, file.records) - file.left_out for file in served)
        size = sum(max(file.bytes, file.taken) - file.left_bytes for file in served)
        last = self.state.windows[-1] if self.state.windows else None
        return (records - last.total, size - last.total_bytes) if last else (records, size)
