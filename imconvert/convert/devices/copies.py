"""Make the copies of the messages of one arranged shard, one for everybody who has the message, in runs by owner.

Strategy: conversations lie one after the other; each is gone through once to learn who wrote and how many messages it
has, where that is needed, and once to make the copies. Of a pair both have a copy; of a group its members, or where
nobody says who they are, those who wrote. A copy goes through the external sort behind the name of its owner.
Promise: each message is told of as copied, as left out by a choice, or as reaching nobody; which copies there are, and
in which order, follows from the shard, the members and the choices alone.
Cost: the copies once more on the disk, and 64 bytes for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from imconvert import durable
from imconvert.convert.arrange.runs import MOST_ROWS, PLACED, WINDOW_BYTES, Runs
from imconvert.convert.arrange.scatter import WIDTH
from imconvert.convert.devices.members import Members, Talks
from imconvert.convert.steps import done, there
from imconvert.convert.work import FileSum, WorkFolder, marker_bytes
from imconvert.vendors import TARGETS
from imconvert.vendors.contract import Copies
from imconvert.vendors.requests import conversation_in, head_of

BITS = 12
"""Buckets of the runs of copies, as a power of two; how many of them make a shard is decided when all are counted."""

STREAM = "copies"
_PLACE_SHIFT = 40
END = b"\t"
"""Stands behind the owner of a copy, whose id has no blanks."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Which bucket of conversations a shard is, and by which hash; whether they are groups."""

    number: int
    bits: int
    salt: int
    groups: bool


@dataclass(frozen=True, slots=True)
class CopyJob:
    """What a worker needs for one arranged shard; `number` is its place among them.

    `members` says how many runs there are of the user's file, if he gave one. `since` and `newest` are his choices.
    `salt` and `width` are those of the hash of owners.
    """

    work: Path
    target: str
    number: int
    shard: str
    bucket: Bucket
    members: int | None
    since: int | None
    newest: int | None
    basis: str
    salt: int
    width: int


class CopyMarker(Struct):
    """What copying a shard gave: messages that were copied, left out as older than `since` or as not among the
    `newest`, or reach nobody (`lost`, with the key of the first); groups, and of how many nobody told the members, with
    the first; the copies and their runs."""

    number: int
    basis: str
    runs: int = 0
    copied: int = 0
    since: int = 0
    newest: int = 0
    lost: int = 0
    first_lost: str = ""
    groups: int = 0
    untold: int = 0
    first_untold: str = ""
    copies: int = 0
    files: dict[str, FileSum] = {}


def copy_name(number: int, name: str) -> str:
    """The work file of a shard's copies."""
    return f"copies-{number:05}.{name}"


def copied(job: CopyJob, progress: Callable[[int], None]) -> CopyMarker:
    """The marker of a shard whose messages are copied, taken over or made."""
    path = job.work / copy_name(job.number, "json")
    return there(done(job.work, path, CopyMarker, job.basis, partial(copy_shard, job, progress)), path)


def copy_shard(job: CopyJob, progress: Callable[[int], None]) -> int:
    """Leave the sorted copies of a shard, marker last; gives how many there are."""
    work = WorkFolder(job.work)
    runs = Runs(lambda suffix: work.path / copy_name(job.number, STREAM + suffix), BITS)
    copier = _Copier(job, work, runs)
    copier.run(progress)
    runs.finish()
    found = copier.found
    found.runs, found.copies = runs.runs, runs.count
    found.files = {writer.path.name: FileSum(writer.size, writer.digest) for writer in runs.writers}
    durable.replace_file(work.path / copy_name(job.number, "json"), marker_bytes(found))
    return runs.count


class Line(NamedTuple):
    """A line of a shard, without its newline, and the offset behind it."""

    data: bytes
    end: int


def lines_of(reader: durable.Reader, start: int = 0, stop: int | None = None) -> Iterator[Line]:
    """The lines of a part of a file, which begins and ends with whole ones."""
    rest = b""
    end = start
    for block in reader.blocks(start, stop):
        *whole, rest = (rest + block).split(b"\n")
        for data in whole:
            end += len(data) + 1
            yield Line(data, end)


class Talk(NamedTuple):
    """A conversation in a shard: where its lines are, how many, and who wrote them if somebody wants to know."""

    name: bytes
    start: int
    stop: int
    messages: int
    writers: frozenset[str]


def talks_in(reader: durable.Reader, *, writers: bool) -> Iterator[Talk]:
    """The conversations of a shard."""
    start = 0
    for name, lines in groupby(lines_of(reader), key=lambda line: conversation_in(line.data)):
        count, stop, wrote = 0, start, set()
        for line in lines:
            count, stop = count + 1, line.end
            if writers:
                wrote.add(sender_of(line.data))
        yield Talk(name, start, stop, count, frozenset(wrote))
        start = stop


def sender_of(line: bytes) -> str:
    """Who wrote the message of a line."""
    return head_of(line).key.split("/", 2)[2]


class _Copier:
    def __init__(self, job: CopyJob, work: WorkFolder, runs: Runs) -> None:
        packages = TARGETS[job.target].packages
        assert packages is not None
        self.job = job
        self.work = work
        self.copies_of = packages.copies
        self.copies = _Window(runs, Talks(job.salt, job.width), job.number << _PLACE_SHIFT)
        self.talks = Talks(job.bucket.salt, WIDTH)
        self.found = CopyMarker(job.number, job.basis)

    def run(self, progress: Callable[[int], None]) -> None:
        job = self.job
        told = job.members is not None and job.bucket.groups
        members = Members(self.work, job.members or 0, job.bucket.number, job.bucket.bits) if told else None
        with durable.Reader(self.work.path / job.shard) as reader:
            for talk in talks_in(reader, writers=job.bucket.groups):
                found = members.of(self.talks[talk.name], talk.name) if members else {}
                self._conversation(reader, talk, found)
                progress(talk.stop - talk.start)
        if members:
            members.close()
        self.copies.flush()

    def _conversation(self, reader: durable.Reader, talk: Talk, members: dict[str, int]) -> None:
        job, found = self.job, self.found
        if job.bucket.groups:
            found.groups += 1
            if not members:
                members = dict.fromkeys(sorted(talk.writers), 0)
                found.untold += 1
                found.first_untold = found.first_untold or talk.name.decode()
        oldest = talk.messages - job.newest if job.newest is not None else 0
        for number, line in enumerate(lines_of(reader, talk.start, talk.stop)):
            time = head_of(line.data).time
            if job.since is not None and time < job.since:
                found.since += 1
            elif number < oldest:
                found.newest += 1
            else:
                self._message(line.data, time, members)

    def _message(self, line: bytes, time: int, members: dict[str, int]) -> None:
        message = self.copies_of(line)
        copies = list(_owned(message, members, time))
        if copies:
            self.found.copied += 1
        else:
            self.found.lost += 1
            self.found.first_lost = self.found.first_lost or head_of(line).key
        self.copies.add(time, copies)


def _owned(message: Copies, members: dict[str, int], time: int) -> Iterator[tuple[str, bytes]]:
    """Owners and copies of a message. In a group those have it who had joined by then."""
    if message.receiver is not None:
        yield message.sender, message.own
        if message.receiver != message.sender:
            yield message.receiver, message.theirs
        return
    for user, joined in members.items():
        if joined <= time:
            yield user, message.own if user == message.sender else message.theirs


class _Window:
    """Copies that wait for their run."""

    def __init__(self, runs: Runs, owners: Talks, base: int) -> None:
        self.runs = runs
        self.owners = owners
        self.base = base
        self.messages = self.size = 0
        self.lines: list[bytes] = []
        self.talk: list[int] = []
        self.time: list[int] = []
        self.place: list[int] = []

    def add(self, time: int, copies: list[tuple[str, bytes]]) -> None:
        for owner, copy in copies:
            name = owner.encode()
            self.lines.append(b"%b%b%b" % (name, END, copy))
            self.talk.append(self.owners[name])
            self.time.append(time)
            self.place.append(self.base + self.messages)
            self.size += len(copy)
            if self.size >= WINDOW_BYTES or len(self.lines) >= MOST_ROWS:
                self.flush()
        self.messages += 1

    def flush(self) -> None:
        if not self.lines:
            return
        placed = np.zeros(len(self.lines), PLACED)
        placed["talk"], placed["time"], placed["place"] = self.talk, self.time, self.place
        self.runs.write(placed, self.lines)
        self.lines, self.talk, self.time, self.place, self.size = [], [], [], [], 0
