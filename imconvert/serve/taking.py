"""Take the lines of a file into the feed: find which of them are new, and leave the others out.

Strategy: strictly in the order of the feed, a step at a time. A shard is compared with its manifest's sha256 before its
first line counts; a line of a spool file has to be exactly what its record's conversion gives.
Promise: of equal keys the first in the order of the feed is served. The same record again is left out; another one
with the same key, or a damaged line, is left out and held with code and cause. Doing it again after a crash decides the
same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from imconvert import durable
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError, cause_of, remedy_of
from imconvert.model import key_of
from imconvert.serve import windows
from imconvert.serve.feed import Feed
from imconvert.serve.intake import Checker
from imconvert.serve.judging import NEW, OTHER, Batch, Judge
from imconvert.serve.spool import HELD, Spool
from imconvert.serve.state import File, Hole, place

STEP = 1 << 20
"""Bytes of a file that are taken in one step, unless a line is longer."""

DAMAGED = "IMC-6042"
CONFLICT = "IMC-8301"
HELD_REMEDY = "IMC-7141"
_FOREVER = 1 << 62


class Line(NamedTuple):
    """A line of a file: its bytes without LF, its place [start, stop) with it, and what is known of it; `key` is empty
    where it is damaged."""

    data: bytes
    start: int
    stop: int
    key: bytes
    digest: bytes
    time: int


def held_line(code: str, values: dict[str, Any], raw: bytes, where: dict[str, Any], served: bytes | None) -> bytes:
    """A line for the file of held records; `served` is the record with the same key that is served."""
    found = {
        "code": code,
        **where,
        "why": cause_of(code, values),
        "remedy": remedy_of(HELD_REMEDY if code == CONFLICT else code, values),
        "raw": raw.decode(errors="replace"),
    }
    if served is not None:
        found["served"] = served.decode(errors="replace")
    return msgspec.json.encode(found) + b"\n"


class Taker:
    """Takes files for one feed. `known_held` are lines that were held since the last checkpoint, which is then noted
    for good; should they be taken again, they are not held twice."""

    def __init__(self, feed: Feed, judge: Judge, spool: Spool, checker: Checker) -> None:
        self.feed = feed
        self.judge = judge
        self.index = judge.index
        self.spool = spool
        self.checker = checker
        self.held = 0
        self._verified: set[int] = set()
        self._bad: dict[int, int] = {}
        self.known_held = set(self._held_before())

    def _held_before(self) -> Iterator[tuple[str, int]]:
        """Lines that are held already, though they are still to be taken, for the last life ended before it could note
        that; all others are only counted."""
        taken = {file.path: file.taken for file in self.feed.state.files}
        path = self.spool.folder / HELD
        for line in durable.lines_of(path) if durable.exists(path) else ():
            self.held += 1
            try:
                found = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if "file" in found and found["offset"] >= taken.get(found["file"], 0):
                yield found["file"], found["offset"]

    def step(self, file: File, end: int) -> None:
        """Take some lines of a file whose whole lines end at `end`. Raises IntegrityError IMC-6041, IMC-6004.

        What can fail comes first: the file, the index and the holes change together or not at all.
        """
        self._verify(file)
        start = file.taken
        with durable.Reader(Path(file.path)) as reader:
            data = _some_lines(reader, start, end)
        lines = list(self._read(file, start, data))
        good = [line for line in lines if line.key]
        verdicts = self.judge.judge(
            Batch([line.key for line in good], [line.digest for line in good], [line.data for line in good])
        )
        left = {line.start: kind for line, kind in zip(good, verdicts.kinds, strict=True) if kind != NEW}
        served = {good[number].start: line for number, line in verdicts.served.items()}
        self._leave_out(file, [line for line in lines if not line.key or line.start in left], left, served)
        for key, number in verdicts.fresh.items():
            self.index.add(key, good[number].digest, place(file.number, good[number].start))
        file.saw([line.time for line in good])
        file.records += len(lines)
        file.taken = start + len(data)

    def _leave_out(self, file: File, lines: list[Line], left: dict[int, int], served: dict[int, bytes]) -> None:
        if not lines:
            return
        held = {}
        for line in lines:
            code = DAMAGED if not line.key else CONFLICT if left[line.start] == OTHER else ""
            if code and (file.path, line.start) not in self.known_held:
                where, why = {"file": file.path, "offset": line.start}, {"why": "it is no canonical record"}
                held[file.path, line.start] = held_line(code, why, line.data, where, served.get(line.start))
        if held:
            self.spool.hold(b"".join(held.values()))
            self.known_held |= held.keys()
            self.held += len(held)
        holes = [Hole(file.number, line.start, line.stop) for line in lines]
        self.feed.holes.setdefault(file.number, []).extend(_joined(holes))
        file.left_out += len(lines)
        file.left_bytes += sum(line.stop - line.start for line in lines)

    def _verify(self, file: File) -> None:
        """Compare a shard with its manifest, once in the life of this process if lines are still to be taken."""
        if file.sha256 and file.number not in self._verified:
            self._compare(file)

    def compare(self, file: File) -> None:
        """See that a shard is what it was, by its sha256 if its size or time differ. Raises IntegrityError IMC-6041."""
        try:
            windows.opened(file, file.bytes).close()
        except IntegrityError:
            if not durable.exists(Path(file.path)):
                raise
            self._compare(file)

    def _compare(self, file: File) -> None:
        with durable.Reader(Path(file.path)) as reader:
            changed = reader.changed
        if self._bad.get(file.number) != changed:
            sums = Sums()
            durable.scan(Path(file.path), seen=sums.add)
            if (sums.size, sums.lines, sums.sha256) == (file.bytes, file.lines, file.sha256):
                self._verified.add(file.number)
                file.changed = changed
                return
        self._bad[file.number] = changed
        raise IntegrityError("IMC-6041", file.path, why="it is not what its manifest says")

    def _read(self, file: File, start: int, data: bytes) -> Iterator[Line]:
        raws = data.split(b"\n")[:-1]
        return self._of_spool(start, raws) if file.kind == "spool" else self._of_shard(file, start, raws)

    def _of_shard(self, file: File, start: int, raws: list[bytes]) -> Iterator[Line]:
        target = self.feed.target
        for raw in raws:
            stop = start + len(raw) + 1
            try:
                key = target.read_key(raw)
                yield Line(raw, start, stop, key_of(*key), target.digest_of(raw), key.time)
            except (msgspec.DecodeError, UnicodeDecodeError) as why:
                raise IntegrityError("IMC-6041", file.path, why=f"byte {start} begins no record ({why})") from why
            start = stop

    def _of_spool(self, start: int, raws: list[bytes]) -> Iterator[Line]:
        found = self.checker.check(raws, _FOREVER)
        known = {source: number for number, source in enumerate(found.sources) if found.lines[number] == raws[source]}
        for index, raw in enumerate(raws):
            stop, number = start + len(raw) + 1, known.get(index)
            if number is None:
                yield Line(raw, start, stop, b"", b"", 0)
            else:
                yield Line(raw, start, stop, found.keys[number], found.digests[number], found.times[number])
            start = stop


def _joined(holes: list[Hole]) -> list[Hole]:
    """Holes that touch as one."""
    found: list[Hole] = []
    for hole in holes:
        if found and found[-1].stop == hole.start:
            found[-1] = Hole(hole.number, found[-1].start, hole.stop)
        else:
            found.append(hole)
    return found


def _some_lines(reader: durable.Reader, start: int, end: int) -> bytes:
    """Whole lines from `start` on, about STEP bytes."""
    length = min(STEP, end - start)
    while True:
        data = reader.at(start, length)
        if start + length == end:
            return data
        cut = data.rfind(b"\n") + 1
        if cut:
            return data[:cut]
        length = min(2 * length, end - start)
