"""Who is in which group, from the user's own file: CSV with a header, the columns group and user, and joined_at if the
file has it.

Strategy: the file may be larger than the memory, so its rows become sorted runs as lines of conversations do, by the
same hash; the conversations of a bucket then meet their members in one pass. Ids are those of the source; the maps
and rules of the run apply to them.
Promise: the same file gives the same members, in whatever order its rows stand. A row whose ids the target can't have
is counted, with the first of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from imconvert import durable
from imconvert.convert.arrange.runs import MOST_BITS, PLACED, Files, Runs, Slice, slices, sorted_lines
from imconvert.convert.arrange.scatter import hash_for
from imconvert.convert.work import FileSum, WorkFolder, marker_bytes
from imconvert.errors import Rejected, UsageError
from imconvert.sources.inputs import lines_of_text
from imconvert.vendors.contract import Book

GROUP, USER, JOINED = "group", "user", "joined_at"
NAME = "members"
BITS = MOST_BITS
"""Buckets of the runs, as a power of two: as many as conversations have at most."""

WINDOW_ROWS = 1 << 17
REMEMBERED = 1 << 16
"""Names whose hash is kept at hand."""

_SECONDS = 100_000_000_000
"""Below this a whole number counts seconds, from here on milliseconds: 5138 in s, 1973 in ms."""


class Row(NamedTuple):
    """A row as it is written: line in the file, ids of the source, and ms since 1970 or 0."""

    line: int
    group: str
    user: str
    joined: int


class MembersMarker(Struct):
    """What the file gave: rows; those whose ids the target can't have, with the first of them; the runs."""

    basis: str
    rows: int
    refused: int
    first: str
    runs: int
    files: dict[str, FileSum]


class Talks(dict[bytes, int]):
    """Hashes of conversations or of users, the last ones kept at hand."""

    def __init__(self, salt: int, width: int) -> None:
        super().__init__()
        self.hash = hash_for(salt, width)

    def __missing__(self, name: bytes) -> int:
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[name] = int.from_bytes(self.hash(name))
        return found


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file of members. Raises UsageError IMC-1231 for one that can't be read."""
    reader = csv.DictReader(lines_of_text(path), strict=True)
    try:
        if not {GROUP, USER} <= set(reader.fieldnames or ()):
            raise UsageError("IMC-1231", str(path), why=f"its header lacks {GROUP} or {USER}")
        for row in reader:
            group, user = (row[GROUP] or "").strip(), (row[USER] or "").strip()
            if bool(group) != bool(user):
                raise UsageError("IMC-1231", f"{path}:{reader.line_num}", why=f"{GROUP} or {USER} is empty")
            if group:
                yield Row(reader.line_num, group, user, _moment(path, reader.line_num, row.get(JOINED)))
    except csv.Error as why:
        raise UsageError("IMC-1231", f"{path}:{reader.reader.line_num}", why=str(why)) from why


def _moment(path: Path, line: int, text: str | None) -> int:
    """A time in ms: seconds or milliseconds since 1970, or ISO 8601 in UTC unless it says otherwise; none is 0."""
    text = (text or "").strip()
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) < 17:
        return int(text) * 1000 if int(text) < _SECONDS else int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("IMC-1231", f"{path}:{line}", why=f"{JOINED} is {text[:40]!r}, no time") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def scatter(work: WorkFolder, path: Path, books: tuple[Book, Book], talks: Talks, basis: str) -> MembersMarker:
    """Leave the members in sorted runs, marker last; what is there already for this basis is taken over.

    `books` are those of accounts and groups. Raises UsageError IMC-1231.
    """
    found: MembersMarker | None = work.read_marker(work.path / f"{NAME}.json", MembersMarker, basis)
    if found:
        return found
    runs = Runs(lambda suffix: work.path / f"{NAME}{suffix}", BITS)
    some = _Window(runs, books, talks)
    for row in rows(path):
        some.add(row)
    some.flush()
    runs.finish()
    sums = {writer.path.name: FileSum(writer.size, writer.digest) for writer in runs.writers}
    found = MembersMarker(basis, some.rows, some.refused, some.first, runs.runs, sums)
    durable.replace_file(work.path / f"{NAME}.json", marker_bytes(found))
    return found


class _Window:
    """Rows that wait for their run."""

    def __init__(self, runs: Runs, books: tuple[Book, Book], talks: Talks) -> None:
        self.runs = runs
        self.accounts, self.groups = books
        self.talks = talks
        self.lines: list[bytes] = []
        self.talk: list[int] = []
        self.time: list[int] = []
        self.rows = self.refused = 0
        self.first = ""

    def add(self, row: Row) -> None:
        self.rows += 1
        try:
            user, group = str(self.accounts[row.user]), str(self.groups[row.group])
        except Rejected as why:
            self.refused += 1
            self.first = self.first or f"{row.line}: {why.why()}"
            return
        conversation = msgspec.json.encode(group)[1:-1]
        self.lines.append(conversation + b"\t" + user.encode())
        self.talk.append(self.talks[conversation])
        self.time.append(row.joined)
        if len(self.lines) >= WINDOW_ROWS:
            self.flush()

    def flush(self) -> None:
        if not self.lines:
            return
        placed = np.zeros(len(self.lines), PLACED)
        placed["talk"], placed["time"] = self.talk, self.time
        placed["place"] = np.arange(self.runs.count, self.runs.count + len(placed), dtype=np.uint64)
        self.runs.write(placed, self.lines)
        self.lines, self.talk, self.time = [], [], []


class Members:
    """The members of the conversations of one bucket of `bits`; they have to be asked for in the order of hashes."""

    def __init__(self, work: WorkFolder, runs: int, bucket: int, bits: int) -> None:
        self.files = Files(lambda _, name: work.path / name)
        wide = 1 << (BITS - bits)
        some = slices(self.files, NAME, [(0, runs)], BITS, bucket * wide, wide)
        self.rows = _each(self.files, some)
        self.next = next(self.rows, None)

    def of(self, talk: int, conversation: bytes) -> dict[str, int]:
        """The members of a conversation with the times from which on they are; empty where the file has none."""
        found: dict[str, int] = {}
        while self.next is not None and self.next[0] <= talk:
            if self.next[0] == talk and self.next[1] == conversation:
                found.setdefault(self.next[2], self.next[3])
            self.next = next(self.rows, None)
        return found

    def close(self) -> None:
        self.files.close()


def _each(files: Files, some: list[Slice]) -> Iterator[tuple[int, bytes, str, int]]:
    """Hash, conversation, user and time of each member, in order."""
    for placed, lines in sorted_lines(files, NAME, some):
        for talk, time, line in zip(placed["talk"].tolist(), placed["time"].tolist(), lines, strict=True):
            conversation, _, user = line.partition(b"\t")
            yield talk, conversation, user.decode(), time
