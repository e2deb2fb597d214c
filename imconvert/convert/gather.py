"""Bring the lines of one bucket together from all runs, in order, and let the target finish them: a shard.

Strategy: the lines come sorted, as many at a time as fit the memory, so that a conversation may be larger than it. The
target's finisher takes the lines of a conversation one after the other and gives requests.
Promise: the shard is sorted by (conversation, time, source order) whatever the runs were. Hashes of conversations are
confirmed on the lines. Lines are counted twice: as rows, and in the bytes.
Order of durable writes: shard, fsync; index, fsync; marker last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
from msgspec import Struct

from imconvert import durable
from imconvert.convert import index
from imconvert.convert.runs import PLACED, Files, slices, sorted_lines
from imconvert.convert.segment import count
from imconvert.convert.work import Array, Count, FileSum, ShardFacts, WorkFolder, marker_bytes
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError
from imconvert.model import Notes
from imconvert.vendors import TARGETS
from imconvert.vendors.contract import FinishAll, Placed, Request
from imconvert.vendors.requests import end_of_conversation

BLOCK_ROWS = 1 << 16
"""Rows of a block of the index."""

ROW = "order"
"""The row of the fidelity table that tells what the order of conversations changed."""


@dataclass(frozen=True, slots=True)
class GatherJob:
    """What a worker needs for one bucket. `runs` are the segments with runs of the stream, and how many they have."""

    work: Path
    target: str
    stream: str
    bucket: int
    bits: int
    runs: tuple[tuple[int, int], ...]
    name: str
    basis: str
    settings: dict[str, str]


class BucketMarker(Struct):
    """What a bucket became: its shard, its messages by input number, its conversations and the messages of the
    largest, and what finishing it had to change, as in a part's marker."""

    basis: str
    shard: ShardFacts
    written: dict[int, int]
    conversations: int
    largest: int
    repairs: dict[str, Count]
    changes: dict[str, Count]
    files: dict[str, FileSum]


class Collision(Exception):
    """Two conversations have the same hash."""


def gather_bucket(job: GatherJob, progress: Callable[[int], None]) -> int:
    """Write the shard of a bucket and its index, marker last; gives how many messages it holds, or -1 without a shard
    where two conversations have the same hash, so that the lines have to be scattered by another."""
    try:
        return _Gather(job, progress).run()
    except Collision:
        return -1


class _Gather:
    def __init__(self, job: GatherJob, progress: Callable[[int], None]) -> None:
        self.job = job
        self.progress = progress
        self.work = WorkFolder(job.work)
        self.files = Files(self.work.scattered)
        self.notes = Notes()
        target = TARGETS[job.target]
        assert target.arrange is not None
        self.finish: FinishAll = target.arrange.finish(job.stream, job.settings, self.notes)
        self.shard = _Shard(self.work.path / job.name, timed=not target.people)
        self.conversations = self.largest = 0
        self.repairs: dict[str, Count] = {}
        self.changes: dict[str, Count] = {}

    def run(self) -> int:
        try:
            self._requests()
        finally:
            self.files.close()
        facts, sums = self.shard.finish(self.job.stream)
        marker = BucketMarker(
            self.job.basis,
            facts,
            self.shard.origins.files,
            self.conversations,
            self.largest,
            self.repairs,
            self.changes,
            sums,
        )
        durable.replace_file(self.work.bucket(self.job.stream, self.job.bucket), marker_bytes(marker))
        return self.shard.origins.count

    def _requests(self) -> None:
        notes, add = self.notes, self.shard.add
        for request in self.finish(self._conversations()):
            if notes.repairs or notes.changes:
                self._note(self.shard.messages)
            add(request)

    def _conversations(self) -> Iterator[Iterator[Placed]]:
        for _, group in groupby(self._lines(), key=itemgetter(0)):
            self.conversations += 1
            yield self._counted(one_conversation(group))

    def _counted(self, lines: Iterator[Placed]) -> Iterator[Placed]:
        count = 0
        for line in lines:
            count += 1
            yield line
        self.largest = max(self.largest, count)

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Hash of the conversation, time and bytes of each line, in order."""
        job, files = self.job, self.files
        found = slices(files, job.stream, job.runs, job.bits, job.bucket)
        for rows, lines in sorted_lines(files, job.stream, found):
            self.shard.expect(rows)
            yield from zip(rows["talk"].tolist(), rows["time"].tolist(), lines, strict=True)
            self.progress(int(rows["length"].sum()) + len(rows))

    def _note(self, message: int) -> None:
        """Count what finishing the request changed that begins with this message."""
        row = self.shard.row(message)
        file, line = int(row["file"]), int(row["line"])
        for code in dict.fromkeys(self.notes.repairs):
            count(self.repairs, code, file, line)
        changes = dict.fromkeys(self.notes.changes)
        for outcome, name in changes:
            count(self.changes, f"{ROW}\t{outcome}\t{name}", file, line)
        if changes:
            count(self.changes, f"{ROW}\tany\t", file, line)
        self.notes.clear()


def one_conversation(lines: Iterator[tuple[int, int, bytes]]) -> Iterator[Placed]:
    """The lines with one hash, as long as they are all of one conversation. Raises Collision."""
    _, time, data = next(lines)
    prefix = data[: end_of_conversation(data)]
    yield Placed(time, data)
    for _, time, data in lines:
        if not data.startswith(prefix):
            raise Collision
        yield Placed(time, data)


class _Shard:
    """A shard and its index, being written. Rows come in order before the requests that are made of them; those of
    requests without data go with the request before."""

    def __init__(self, path: Path, *, timed: bool = True) -> None:
        self.timed = timed
        self.sums = Sums()
        self.writer = durable.Writer(path)
        self.beside = durable.Writer(path.with_name(index.name_of(path.name)))
        self.origins = index.Builder(self.beside, requests=True)
        self.rows: deque[Array] = deque()
        self.first = 0
        self.waiting: list[bytes] = []
        self.size = 0
        self.lines: list[int] = []
        self.owners: list[int] = []
        self.requests = self.messages = 0

    def expect(self, rows: Array) -> None:
        self._flush()
        self.rows.append(rows)

    def add(self, request: Request) -> None:
        if request.data:
            self.waiting.append(request.data)
            self.size += len(request.data)
            self.requests += 1
        self.lines.append(request.lines)
        self.owners.append(max(self.requests - 1, 0))
        self.messages += request.lines
        if self.size >= durable.BLOCK:
            self._write()

    def _write(self) -> None:
        self.waiting.append(b"")
        data = b"\n".join(self.waiting)
        self.writer.write(data)
        self.sums.add(data)
        self.waiting, self.size = [], 0

    def row(self, message: int) -> Array:
        """The row of a message that is not in the index yet."""
        at = message - self.first
        for rows in self.rows:
            if at < len(rows):
                return rows[at]  # type: ignore[no-any-return]
            at -= len(rows)
        raise IntegrityError("IMC-6001", detail="a request was made of lines that were not there")

    def _flush(self) -> None:
        """Bring the rows of all messages that are in requests into the index."""
        if not self.lines:
            return
        rows = np.concatenate([np.empty(0, PLACED), *self.rows])
        done = sum(self.lines)
        if done > len(rows):
            raise IntegrityError("IMC-6001", detail=f"requests were made of {done} lines where {len(rows)} were there")
        numbers = np.repeat(np.array(self.owners, np.uint64), self.lines)
        for start in range(0, done, BLOCK_ROWS):
            stop = min(done, start + BLOCK_ROWS)
            self.origins.add(rows[start:stop], numbers[start:stop])
        self.first += done
        self.rows = deque([rows[done:]] if done < len(rows) else [])
        self.lines, self.owners = [], []

    def finish(self, stream: str) -> tuple[ShardFacts, dict[str, FileSum]]:
        """Sync both files; gives what there is to say of them. Raises IntegrityError IMC-6001 where counts differ."""
        self._write()
        self._flush()
        self.writer.finish(sync=True)
        self.beside.finish(sync=True)
        left = sum(map(len, self.rows))
        if left or self.sums.lines != self.requests:
            name = self.writer.path.name
            raise IntegrityError(
                "IMC-6001",
                detail=f"{name} has {self.sums.lines} lines for {self.requests} requests; {left} rows are left",
            )
        facts = ShardFacts(
            self.writer.path.name,
            stream,
            self.sums.lines,
            self.sums.size,
            self.sums.sha256,
            self.origins.times if self.timed else (0, 0),
            self.origins.msgids,
            self.origins.count,
        )
        writers = (self.writer, self.beside)
        return facts, {writer.path.name: FileSum(writer.size, writer.digest) for writer in writers}
