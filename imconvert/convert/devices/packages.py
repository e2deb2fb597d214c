"""Write the packages of the owners in one bucket: calls of an SDK, one after the other, in a shard with an index.

Strategy: a file a user would be a million small files; so the packages of many users lie behind one another in a shard,
cut into calls, and the index says for each user where each call begins and ends. A call's bytes are lines of JSON, or a
gzip file of their own, so that a range of the shard can be handed to a device as it is.
Promise: a call holds at most so many messages and CALL_BYTES, in order of time; hashes of owners are confirmed on their
names; lines are counted twice, as rows and in the bytes.
Order of durable writes: shard, fsync; index, fsync; marker last.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec
from msgspec import Struct

from imconvert import durable
from imconvert.convert.arrange.bucket import Collision
from imconvert.convert.arrange.runs import Files, slices, sorted_lines
from imconvert.convert.devices.copies import BITS, END, STREAM, copy_name
from imconvert.convert.steps import done
from imconvert.convert.work import FileSum, PackageFacts, WorkFolder, marker_bytes
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError

CALL_BYTES = 8 << 20
"""Bytes of the lines of a call, at most, unless it is one line: a device reads them at once."""

GZIP_LEVEL = 6
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class PackageJob:
    """What a worker needs for one bucket of 2 ** `bits`. `runs` are the shards with copies and how many runs they have.

    `most` messages are in a call; `packed` says whether calls are gzip files.
    """

    work: Path
    bucket: int
    bits: int
    runs: tuple[tuple[int, int], ...]
    name: str
    most: int
    packed: bool
    basis: str


class User(Struct):
    """A row of the index: the user and the hash that rows are sorted by, his messages, the first and the last time, and
    of each call its offset in the file, its bytes and its messages."""

    hash: str
    user: str
    file: str
    messages: int
    first: int
    last: int
    calls: list[tuple[int, int, int]]


class PackageMarker(Struct):
    """What a bucket became, and the messages of its largest user."""

    basis: str
    shard: PackageFacts
    largest: int
    largest_user: str
    files: dict[str, FileSum]


def index_of(name: str) -> str:
    """The work file of a shard's part of the index."""
    return f"{name}.users"


def packaged(job: PackageJob, progress: Callable[[int], None]) -> PackageMarker | None:
    """The marker of a shard of packages, taken over or made; None where two users have the same hash."""
    path = job.work / f"{job.name}.json"
    return done(job.work, path, PackageMarker, job.basis, partial(package_bucket, job, progress))


def package_bucket(job: PackageJob, progress: Callable[[int], None]) -> int:
    """Write the packages of a bucket, marker last; gives how many copies they hold, or -1 without them where two users
    have the same hash."""
    work = WorkFolder(job.work)
    files = Files(lambda owner, name: work.path / copy_name(owner, name))
    try:
        return _Packages(job, work).run(_lines(job, files, progress))
    except Collision:
        return -1
    finally:
        files.close()


def _lines(job: PackageJob, files: Files, progress: Callable[[int], None]) -> Iterator[tuple[int, int, bytes]]:
    """Hash of the owner, time, and owner with copy, in order."""
    wide = 1 << (BITS - job.bits)
    some = slices(files, STREAM, job.runs, BITS, job.bucket * wide, wide)
    for rows, lines in sorted_lines(files, STREAM, some):
        yield from zip(rows["talk"].tolist(), rows["time"].tolist(), lines, strict=True)
        progress(int(rows["length"].sum()) + len(rows))


class _Packages:
    def __init__(self, job: PackageJob, work: WorkFolder) -> None:
        self.job = job
        self.work = work
        self.sums = Sums()
        self.writer = durable.Writer(work.path / job.name)
        self.index = durable.Writer(work.path / index_of(job.name))
        self.users = self.calls = self.lines = self.newlines = self.largest = 0
        self.largest_user = ""

    def run(self, lines: Iterator[tuple[int, int, bytes]]) -> int:
        for talk, group in groupby(lines, key=itemgetter(0)):
            self._user(talk, group)
        self.writer.finish(sync=True)
        self.index.finish(sync=True)
        if self.newlines != self.lines:
            raise IntegrityError(
                "IMC-6001", detail=f"{self.job.name} has {self.newlines} lines for {self.lines} copies"
            )
        writers = (self.writer, self.index)
        facts = PackageFacts(self.job.name, self.users, self.calls, self.lines, self.sums.size, self.sums.sha256)
        sums = {writer.path.name: FileSum(writer.size, writer.digest) for writer in writers}
        marker = PackageMarker(self.job.basis, facts, self.largest, self.largest_user, sums)
        durable.replace_file(self.work.path / f"{self.job.name}.json", marker_bytes(marker))
        return self.lines

    def _user(self, talk: int, group: Iterator[tuple[int, int, bytes]]) -> None:
        """The package of one user. Raises Collision."""
        _, first, data = next(group)
        owner, _, copy = data.partition(END)
        prefix = owner + END
        user = User(f"{talk:016x}", owner.decode(), self.job.name, 0, first, first, [])
        waiting, size = [copy], len(copy)
        for _, user.last, data in group:
            if not data.startswith(prefix):
                raise Collision
            copy = data[len(prefix) :]
            if len(waiting) >= self.job.most or size + len(copy) > CALL_BYTES:
                self._call(user, waiting)
                waiting, size = [], 0
            waiting.append(copy)
            size += len(copy) + 1
        self._call(user, waiting)
        self.users += 1
        if user.messages > self.largest:
            self.largest, self.largest_user = user.messages, user.user
        self.index.write(_encode(user) + b"\n")

    def _call(self, user: User, copies: list[bytes]) -> None:
        data = b"\n".join([*copies, b""])
        self.newlines += data.count(b"\n")
        if self.job.packed:
            data = gzip.compress(data, GZIP_LEVEL, mtime=0)
        user.calls.append((self.writer.size, len(data), len(copies)))
        user.messages += len(copies)
        self.writer.write(data)
        self.sums.add(data)
        self.calls += 1
        self.lines += len(copies)
