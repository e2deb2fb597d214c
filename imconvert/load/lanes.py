"""Which call may go next: one at a time in each conversation, in the order of its shard, many conversations at once.

Strategy: a shard is scanned from its beginning, only as far ahead as calls are wanted. Neighbouring lines of one
conversation become one *run* of its lane, known by place and count, so that a conversation of ten million lines is
stepped over without being held. A lane whose call came back goes first, so that a long conversation, once begun,
never waits behind new ones.
Promise: memory is bounded by MOST_RUNS runs and a buffer for each lane that is under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from imconvert import durable
from imconvert.deliver import Place
from imconvert.deliver.done import Done
from imconvert.load.shards import CHUNK, Line, Shard, lines_from, read_head

MOST_RUNS = 65_536
STEP = 2_000
SMALL = 4 << 10
"""Runs that wait; lines scanned before others get their turn; bytes read at least."""


@dataclass(slots=True)
class Run:
    """Neighbouring lines of one conversation: shard, number of the first, its offset, how many, and where they end."""

    shard: int
    line: int
    offset: int
    lines: int
    stop: int


@dataclass(slots=True)
class Lane:
    """The lines of one conversation that are to be sent, in order."""

    conv: str
    runs: deque[Run] = field(default_factory=deque)
    lines: Iterator[Line] | None = None


class Opened:
    """A shard that is being loaded: how far it was scanned, and what of it is left."""

    def __init__(self, shard: Shard, done: Done) -> None:
        self.shard = shard
        self.done = done
        self.reader = durable.Reader(shard.path)
        self.scan: Iterator[Line] | None = None
        self.line = self.offset = 0
        self.scanned = False
        self.runs = 0
        """Runs that are not finished."""

    def next(self) -> Line | None:
        """The next line that is not finished; None at the end."""
        span = self.done.around(self.line)
        if span:
            self.line, self.offset, self.scan = span.stop, span.offset, None
        if self.scan is None:
            self.scan = lines_from(self.reader, self.line, self.offset)
        found = next(self.scan, None)
        if found is None:
            self.scanned = True
            return None
        self.line, self.offset = found.number + 1, found.stop
        return found


class Lanes:
    """The lanes of the shards that are open. `wanted` says of a conversation whether it is to be loaded now."""

    def __init__(self, wanted: Callable[[str], bool] = lambda conv: True) -> None:
        self.wanted = wanted
        self.opened: dict[int, Opened] = {}
        self.lanes: dict[str, Lane] = {}
        self.ready: deque[Lane] = deque()
        self.held: set[str] = set()
        self.runs = 0
        self.left_out = 0
        """Lines that were stepped over, as their conversation is not wanted or held."""

    def take_up(self, shard: Shard, done: Done) -> None:
        self.opened[shard.number] = Opened(shard, done)

    def scan(self) -> bool:
        """Look at some more lines; False if there are none, or no room for them."""
        opened = next((one for one in self.opened.values() if not one.scanned), None)
        if opened is None or self.runs >= MOST_RUNS:
            return False
        for _ in range(STEP):
            line = opened.next()
            if line is None:
                break
            self._place(opened, line)
        return True

    def _place(self, opened: Opened, line: Line) -> None:
        conv = read_head(line.data, opened.shard.name, line.number).conv
        if conv in self.held or not self.wanted(conv):
            self.left_out += 1
            return
        name = conv or f"\0{opened.shard.number}:{line.number}"
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane(name)
            self.ready.append(lane)
        last = lane.runs[-1] if lane.runs else None
        if last and last.shard == opened.shard.number and last.stop == line.offset:
            last.lines += 1
            last.stop = line.stop
        else:
            lane.runs.append(Run(opened.shard.number, line.number, line.offset, 1, line.stop))
            opened.runs += 1
            self.runs += 1

    def next(self, lane: Lane) -> tuple[Place, bytes]:
        """The next call of a lane that was ready, which then belongs to who asked."""
        run = lane.runs[0]
        if lane.lines is None:
            size = min(CHUNK, max(SMALL, run.stop - run.offset))
            lane.lines = lines_from(self.opened[run.shard].reader, run.line, run.offset, size=size)
        line = next(lane.lines)
        return Place(run.shard, line.number, line.offset, line.stop), line.data

    def back(self, lane: Lane, *, hold: bool = False) -> None:
        """A lane's call is over; with `hold` nothing more of its conversation may go."""
        run = lane.runs[0]
        run.line, run.lines = run.line + 1, run.lines - 1
        if hold:
            self._hold(lane)
        elif not run.lines:
            self._end_run(lane)

    def rest(self, lane: Lane) -> None:
        """Nobody works on a lane any more: it waits for its turn if something is left of it."""
        if lane.runs:
            self.ready.appendleft(lane)
        else:
            self.lanes.pop(lane.conv, None)

    def _end_run(self, lane: Lane) -> None:
        run = lane.runs.popleft()
        lane.lines = None
        self.runs -= 1
        self.opened[run.shard].runs -= 1

    def _hold(self, lane: Lane) -> None:
        self.held.add(lane.conv)
        self.left_out += sum(run.lines for run in lane.runs)
        while lane.runs:
            self._end_run(lane)

    def ended(self) -> list[Opened]:
        """The shards of which nothing is left to do now; they are no longer open."""
        over = [one for one in self.opened.values() if one.scanned and not one.runs]
        for one in over:
            one.reader.close()
            del self.opened[one.shard.number]
        return over

    def close(self) -> None:
        for one in self.opened.values():
            one.reader.close()
