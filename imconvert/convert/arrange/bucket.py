"""Bring the lines of one bucket together from all runs, in order, and let the target finish them: a shard.

Strategy: the lines come sorted, as many at a time as fit the memory, so that a conversation may be larger than it. The
target's finisher takes the lines of a conversation one after the other and gives requests.
Promise: the shard is sorted by (conversation, time, source order) whatever the runs were. Hashes of conversations are
confirmed on the lines. Lines are counted twice: as rows, and in the bytes.
Order of durable writes: shard, fsync; index, fsync; marker last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from imconvert import durable, native
from imconvert.convert.arrange.runs import PLACED, Files, slices, sorted_blocks
from imconvert.convert.blocks import Block, Bundled, block_of, bundled
from imconvert.convert.map.tally import count
from imconvert.convert.seal import index
from imconvert.convert.steps import done
from imconvert.convert.work import Array, Count, FileSum, ShardFacts, WorkFolder, marker_bytes
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError
from imconvert.model import Notes
from imconvert.vendors import TARGETS
from imconvert.vendors.contract import Placed, Request
from imconvert.vendors.requests import CONV_END

BLOCK_ROWS = 1 << 16
"""Rows of a block of the index."""

ROW = "order"
"""The row of the fidelity table that tells what the order of conversations changed."""


@dataclass(frozen=True, slots=True)
class GatherJob:
    """What a worker needs for one bucket. `runs` are the segments with runs of the stream, and how many they have;
    `salt` is that of the hash; of the segments in `stay` the lines are in the parts."""

    work: Path
    target: str
    stream: str
    bucket: int
    bits: int
    runs: tuple[tuple[int, int], ...]
    name: str
    basis: str
    settings: dict[str, str]
    salt: int = 0
    stay: frozenset[int] = frozenset()

    def file(self, segment: int, name: str) -> Path:
        """Where a file of a segment's runs is: their lines may have stayed in its part."""
        work = WorkFolder(self.work)
        return (
            work.part(segment, name) if name == self.stream and segment in self.stay else work.scattered(segment, name)
        )


class BucketMarker(Struct):
    """What a bucket became: its shard, its messages by input number, its conversations and the messages of the
    largest, and what finishing it had to change, as in a part's marker; which of 2 ** `bits` it is by which hash."""

    basis: str
    shard: ShardFacts
    written: dict[int, int]
    conversations: int
    largest: int
    repairs: dict[str, Count]
    changes: dict[str, Count]
    files: dict[str, FileSum]
    bucket: int
    bits: int
    salt: int


class Collision(Exception):
    """Two conversations have the same hash."""


def gathered(job: GatherJob, progress: Callable[[int], None]) -> BucketMarker | None:
    """The marker of a bucket, taken over or made; None where two conversations have the same hash."""
    path = WorkFolder(job.work).bucket(job.stream, job.bucket)
    return done(job.work, path, BucketMarker, job.basis, partial(gather_bucket, job, progress))


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
        self.files = Files(job.file)
        self.notes = Notes()
        target = TARGETS[job.target]
        arrange = target.arrange
        assert arrange is not None
        self.together = arrange.together(job.stream)(job.settings, self.notes) if arrange.together else None
        self.finish = arrange.finisher(job.settings, self.notes) if arrange.finisher else _never
        self.still = arrange.still(job.settings) if arrange.still else _none_still
        self.marks = arrange.bundle(job.settings, job.stream) if native.BUILT else None
        self.shard = _Shard(self.work.path / job.name, timed=not target.people, forget=not target.packages)
        self.conversations = self.largest = 0
        self.repairs: dict[str, Count] = {}
        self.changes: dict[str, Count] = {}
        self.chunks: Iterator[Chunk] = iter(())
        self.chunk = NO_LINES
        self.at = 0

    def run(self) -> int:
        try:
            found = slices(self.files, self.job.stream, self.job.runs, self.job.bits, self.job.bucket)
            self.chunks = self._chunks(sorted_blocks(self.files, self.job.stream, found))
            if self.together:
                self._add(self.together(self._conversations()))
            while self._here():
                self._some()
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
            self.job.bucket,
            self.job.bits,
            self.job.salt,
        )
        durable.replace_file(self.work.bucket(self.job.stream, self.job.bucket), marker_bytes(marker))
        return self.shard.origins.count

    def _chunks(self, found: Iterator[tuple[Array, Block]]) -> Iterator[Chunk]:
        """Lines in order, whose conversations may go on in the next ones. Raises Collision."""
        last, here = None, next(found, None)
        while here:
            following = next(found, None)
            talks = here[0]["talk"]
            goes_on = following is not None and following[0]["talk"][0] == talks[-1]
            yield self._chunk(*here, whole=slice(int(talks[0] == last), -1 if goes_on else None))
            last, here = talks[-1], following

    def _chunk(self, rows: Array, block: Block, *, whole: slice) -> Chunk:
        """These lines; `whole` are the conversations that are here from end to end."""
        talks = rows["talk"]
        if block.mixed(talks):
            raise Collision
        starts = np.flatnonzero(np.append(True, talks[1:] != talks[:-1]))
        ends = np.append(starts[1:], len(rows))
        still, together = np.zeros(len(starts), bool), None
        if len(starts[whole]):
            inner = slice(int(starts[whole][0]), int(ends[whole][-1]))
            within = starts[whole] - inner.start
            if self.marks:
                together = bundled(block.at(inner), within, self.marks)
                still[whole] = together.done
            else:
                still[whole] = self.still(self.job.stream, rows["time"][inner], within)
        self.shard.expect(rows)
        self.progress(int(rows["length"].sum()) + len(rows))
        moving = np.append(np.flatnonzero(~still), len(starts))
        return Chunk(rows, block, starts, ends, moving, together, int(whole.start))

    def _here(self) -> bool:
        """Whether there is a line; the next chunk is fetched where one is done."""
        if self.at < len(self.chunk.rows):
            return True
        found = next(self.chunks, None)
        self.chunk, self.at = found or NO_LINES, 0
        return found is not None

    def _some(self) -> None:
        """Finish some of what is here: conversations that need nothing all together, any other by itself."""
        chunk = self.chunk
        number = int(np.searchsorted(chunk.starts, self.at))
        stop = int(chunk.moving[np.searchsorted(chunk.moving, number)])
        if stop > number:
            end = int(chunk.ends[stop - 1])
            self.shard.add_all(*chunk.lines(number, stop))
            self._count(stop - number, int((chunk.ends[number:stop] - chunk.starts[number:stop]).max()))
            self.at = end
            return
        before = self.shard.messages
        self._add(self.finish(self._conversation()))
        if self.shard.messages == before:
            raise IntegrityError("IMC-6001", detail=f"no request was made of a conversation in {self.job.name}")
        self._count(1, self.shard.messages - before)

    def _add(self, requests: Iterable[Request]) -> None:
        notes, add = self.notes, self.shard.add
        for request in requests:
            if notes.repairs or notes.changes:
                self._note(self.shard.messages)
            add(request)

    def _count(self, conversations: int, largest: int) -> None:
        self.conversations += conversations
        self.largest = max(self.largest, largest)

    def _conversations(self) -> Iterator[Iterator[Placed]]:
        """Each conversation; all of its lines have to be taken before the next one is."""
        while self._here():
            yield self._counted(self._conversation())

    def _counted(self, lines: Iterator[Placed]) -> Iterator[Placed]:
        count = 0
        for line in lines:
            count += 1
            yield line
        self._count(1, count)

    def _conversation(self) -> Iterator[Placed]:
        """The lines of the conversation that begins here. Raises Collision."""
        talk, head = self.chunk.rows["talk"][self.at], b""
        while self._here() and self.chunk.rows["talk"][self.at] == talk:
            start = self.at
            self.at = int(self.chunk.ends[np.searchsorted(self.chunk.ends, start, side="right")])
            lines = self.chunk.block.at(slice(start, self.at)).lines()
            if head and not lines[0].startswith(head):
                raise Collision
            head = lines[0][: lines[0].index(CONV_END) + len(CONV_END)]
            yield from map(Placed, self.chunk.rows["time"][start : self.at].tolist(), lines)

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


class Chunk(NamedTuple):
    """Sorted lines: their rows, the lines, where each conversation begins and ends, which of them need finishing, with
    how many there are behind the last; where lines are bundled, those of the conversations from `skipped` on."""

    rows: Array
    block: Block
    starts: Array
    ends: Array
    moving: Array
    bundled: Bundled | None = None
    skipped: int = 0

    def lines(self, start: int, stop: int) -> tuple[bytes, Array]:
        """The lines of these conversations, which need no finishing, and of how many messages each is made."""
        if self.bundled:
            return self.bundled.of(start - self.skipped, stop - self.skipped)
        some = self.block.at(slice(int(self.starts[start]), int(self.ends[stop - 1])))
        return some.joined(), np.ones(len(some.begins), np.uint32)


_NOTHING = np.empty(0, np.int64)
NO_LINES = Chunk(np.empty(0, PLACED), block_of([]), _NOTHING, _NOTHING, _NOTHING)


def _never(lines: Iterator[Placed]) -> Iterator[Request]:
    raise NotImplementedError


def _none_still(stream: str, times: Array, starts: Array) -> Array:
    return np.zeros(len(starts), bool)


class _Shard:
    """A shard and its index, being written. Rows come in order before the requests that are made of them; those of
    requests without data go with the request before. A shard that is not `timed` has no times to tell of; one to
    `forget` is not read again by this run."""

    def __init__(self, path: Path, *, timed: bool = True, forget: bool = False) -> None:
        self.timed, self.forget = timed, forget
        self.sums = Sums()
        self.writer = durable.Writer(path)
        self.beside = durable.Writer(path.with_name(index.name_of(path.name)))
        self.origins = index.Builder(self.beside, requests=True)
        self.rows: deque[Array] = deque()
        self.first = 0
        self.waiting: list[bytes] = []
        self.size = 0
        self.numbers: list[Array] = []
        self.lines: list[int] = []
        self.requests = self.messages = 0

    def expect(self, rows: Array) -> None:
        self._flush()
        self.rows.append(rows)

    def add(self, request: Request) -> None:
        self.messages += request.lines
        if request.data:
            self.lines.append(request.lines)
            self._put(request.data + b"\n")
        elif self.lines:
            self.lines[-1] += request.lines
        else:
            self.numbers.append(np.full(request.lines, max(self.requests - 1, 0), np.uint64))

    def add_all(self, data: bytes, counts: Array) -> None:
        """Whole lines, each a request that is made of so many messages."""
        self._number()
        numbers = np.arange(self.requests, self.requests + len(counts), dtype=np.uint64)
        self.numbers.append(np.repeat(numbers, counts))
        self.requests += len(counts)
        self.messages += len(self.numbers[-1])
        self._put(data)

    def _put(self, data: bytes) -> None:
        self.waiting.append(data)
        self.size += len(data)
        if self.size >= durable.BLOCK:
            self._write()

    def _write(self) -> None:
        data = b"".join(self.waiting)
        self.writer.write(data)
        self.sums.add(data)
        self.waiting, self.size = [], 0

    def _number(self) -> None:
        """Bring requests that came one by one behind the others."""
        if self.lines:
            numbers = np.arange(self.requests, self.requests + len(self.lines), dtype=np.uint64)
            self.numbers.append(np.repeat(numbers, self.lines))
            self.requests += len(self.lines)
            self.lines = []

    def row(self, message: int) -> Array:
        """The row of a message that is not in the index yet."""
        at = message - self.first
        for rows in self.rows:
            if at < len(rows):
                return rows[at]  # type: ignore[no-any-return]
            at -= len(rows)
        raise IntegrityError("IMC-6001", detail="a request was made of lines that were not there")

    def _flush(self, *, last: bool = False) -> None:
        """Bring the rows of messages that are in requests into the index, whole blocks unless these are the last."""
        self._number()
        count = sum(map(len, self.numbers))
        done = count if last else count - count % BLOCK_ROWS
        if not done:
            return
        rows, numbers = np.concatenate([np.empty(0, PLACED), *self.rows]), np.concatenate(self.numbers)
        if count > len(rows):
            raise IntegrityError("IMC-6001", detail=f"requests were made of {count} lines where {len(rows)} were there")
        for start in range(0, done, BLOCK_ROWS):
            stop = min(done, start + BLOCK_ROWS)
            self.origins.add(rows[start:stop], numbers[start:stop])
        self.first += done
        self.rows = deque([rows[done:]] if done < len(rows) else [])
        self.numbers = [numbers[done:]] if done < count else []

    def finish(self, stream: str) -> tuple[ShardFacts, dict[str, FileSum]]:
        """Sync both files; gives what there is to say of them. Raises IntegrityError IMC-6001 where counts differ."""
        self._write()
        self._flush(last=True)
        self.writer.finish(sync=True, forget=self.forget)
        self.beside.finish(sync=True)
        name, sums, left = self.writer.path.name, self.sums, sum(map(len, self.rows))
        if left or sums.lines != self.requests:
            detail = f"{name} has {sums.lines} lines for {self.requests} requests; {left} rows are left"
            raise IntegrityError("IMC-6001", detail=detail)
        origins = self.origins
        times = origins.times if self.timed else (0, 0)
        facts = ShardFacts(name, stream, sums.lines, sums.size, sums.sha256, times, origins.msgids, origins.count)
        writers = (self.writer, self.beside)
        return facts, {writer.path.name: FileSum(writer.size, writer.digest) for writer in writers}
