"""What the feed must remember: its files in order, what of them is left out, how far they were delivered.

Strategy: one SQLite file; a step that belongs together is one transaction. A *place* is one number, (file number,
byte offset), and places sort in the order of the feed.
Promise: the cursor only moves forward, and only over what was delivered. What is written here is on the disk before
anybody is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from imconvert.durable.database import Database
from imconvert.errors import UsageError

FORMAT = 1
SHIFT = 40
MOST = 1 << SHIFT
"""Bits of a place that are the offset; so long may a file be."""

KEPT_WINDOWS = 1000
AT_ONCE = 2000
"""Delivered windows that are remembered, and holes that are read at once."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, path TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL,
    lines INTEGER NOT NULL, sha256 TEXT NOT NULL, changed INTEGER NOT NULL, taken INTEGER NOT NULL,
    records INTEGER NOT NULL, left_out INTEGER NOT NULL, left_bytes INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS holes (
    number INTEGER, start INTEGER, stop INTEGER NOT NULL, PRIMARY KEY (number, start)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS windows (
    id INTEGER PRIMARY KEY, start INTEGER NOT NULL, stop INTEGER NOT NULL, records INTEGER NOT NULL,
    bytes INTEGER NOT NULL, at INTEGER NOT NULL, seconds REAL NOT NULL, until INTEGER NOT NULL,
    total INTEGER NOT NULL, total_bytes INTEGER NOT NULL);
"""


def place(number: int, offset: int) -> int:
    return number << SHIFT | offset


class File(Struct):
    """One file of the feed, in its order.

    `kind` is shard, bulk (handed over as files: known, not served) or spool. `bytes`, `lines`, `sha256` are what a
    manifest says of it, 0 and "" for a spool file; `changed` is the time of its last write when it was taken up.
    `taken` is the offset up to which its lines were looked at, `records` how many those are, `left_out` how many of
    these are not served; `first` and `last` are the range of their times in ms.
    """

    number: int
    kind: str
    path: str
    bytes: int = 0
    lines: int = 0
    sha256: str = ""
    changed: int = 0
    taken: int = 0
    records: int = 0
    left_out: int = 0
    left_bytes: int = 0
    first: int = 0
    last: int = 0

    def saw(self, times: Sequence[int]) -> None:
        """Widen the range of times."""
        if times:
            self.first = min(times) if not self.first else min(self.first, *times)
            self.last = max(self.last, *times)


class Hole(NamedTuple):
    """Bytes [start, stop) of a file that are not served."""

    number: int
    start: int
    stop: int


class Sent(NamedTuple):
    """A delivered window: places [start, stop), its records and bytes, when (ms), how long (s), the time of its last
    record, and how many records and bytes were delivered in all behind it."""

    start: int
    stop: int
    records: int
    bytes: int
    at: int
    seconds: float
    until: int
    total: int
    total_bytes: int


class State:
    """The database, read once and written through."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = Database(path, _SCHEMA)
        found = dict(self._data.rows("SELECT name, value FROM facts"))
        if found.setdefault("format", str(FORMAT)) != str(FORMAT):
            raise UsageError("IMC-1006", str(path), found=found["format"], ours=FORMAT)
        self.facts = found
        self.files = [File(*row) for row in self._data.rows("SELECT * FROM files ORDER BY number")]
        rows = self._data.rows(
            "SELECT start, stop, records, bytes, at, seconds, until, total, total_bytes FROM windows ORDER BY id DESC"
            " LIMIT ?",
            KEPT_WINDOWS,
        )
        self.windows = [Sent(*row) for row in reversed(rows)]

    def begin(self, name: str) -> None:
        """Give a new feed its name, from which its answers' tags are made."""
        with self._data.change() as link:
            link.execute("INSERT OR IGNORE INTO facts VALUES ('format', ?), ('feed', ?)", (str(FORMAT), name))
        self.facts.setdefault("feed", name)

    @property
    def cursor(self) -> int:
        return self.windows[-1].stop if self.windows else 0

    def from_place(self, start: int) -> list[File]:
        """The file that holds a place, and all behind it."""
        return self.files[max(0, (start >> SHIFT) - 1) :]

    def runs(self) -> list[str]:
        """The names of the runs of the key index."""
        return [name for (name,) in self._data.rows("SELECT name FROM runs ORDER BY name")]

    def add_files(self, files: Iterable[File], replaced: Iterable[File] = ()) -> None:
        """Put files at the end of the feed; the `replaced` ones lose their names to some of them."""
        new, renamed = list(files), [(file, f"{file.path}#{file.number}") for file in replaced]
        with self._data.change() as link:
            link.executemany("UPDATE files SET path = ? WHERE number = ?", [(to, file.number) for file, to in renamed])
            link.executemany(f"INSERT INTO files VALUES ({','.join('?' * 13)})", [_row(file) for file in new])
        for file, path in renamed:
            file.path = path
        self.files.extend(new)

    def checkpoint(self, runs: list[str], files: Iterable[File], holes: Iterable[Hole]) -> None:
        """All keys of what was taken of `files` are in `runs` now; `holes` are not served."""
        with self._data.change() as link:
            link.execute("DELETE FROM runs")
            link.executemany("INSERT INTO runs VALUES (?)", [(name,) for name in runs])
            link.executemany(f"INSERT OR REPLACE INTO files VALUES ({','.join('?' * 13)})", map(_row, files))
            link.executemany("INSERT OR REPLACE INTO holes VALUES (?, ?, ?)", holes)

    def name_runs(self, runs: list[str]) -> None:
        """The runs after a merge."""
        self.checkpoint(runs, (), ())

    def forget(self) -> None:
        """Nothing was taken of any file: all lines have to be looked at again."""
        with self._data.change() as link:
            link.execute("DELETE FROM runs")
            link.execute("DELETE FROM holes")
            link.execute("UPDATE files SET taken = 0, records = 0, left_out = 0, left_bytes = 0")
        for file in self.files:
            file.taken = file.records = file.left_out = file.left_bytes = 0

    def holes(self, number: int, start: int, stop: int) -> Iterator[Hole]:
        """The recorded holes of a file that touch [start, stop), in order; there may be millions."""
        first = "(SELECT max(start) FROM holes WHERE number = ? AND start <= ?)"
        query = (
            f"SELECT number, start, stop FROM holes WHERE number = ? AND start >= coalesce({first}, ?) AND start < ?"
            " ORDER BY start LIMIT ?"
        )
        while True:
            rows = self._data.rows(query, number, number, start, start, stop, AT_ONCE)
            yield from (hole for hole in map(Hole._make, rows) if hole.stop > start)
            if len(rows) < AT_ONCE:
                return
            start = rows[-1][2]

    def delivered(self, sent: Sent) -> None:
        """Move the cursor to the end of a window, durably."""
        with self._data.change() as link:
            link.execute(f"INSERT INTO windows VALUES (NULL, {','.join('?' * len(sent))})", sent)
            link.execute("DELETE FROM windows WHERE id <= (SELECT max(id) FROM windows) - ?", (KEPT_WINDOWS,))
        self.windows.append(sent)
        del self.windows[:-KEPT_WINDOWS]

    def undeliver(self, count: int) -> None:
        """Move the cursor back to before the last `count` delivered windows, as far as they are remembered."""
        whole = bool(self.windows) and self.windows[0].start == 0
        count = min(count, len(self.windows) - (0 if whole else 1))
        if count > 0:
            with self._data.change() as link:
                link.execute(
                    "DELETE FROM windows WHERE id IN (SELECT id FROM windows ORDER BY id DESC LIMIT ?)", (count,)
                )
            del self.windows[-count:]

    def close(self) -> None:
        self._data.close()


def _row(file: File) -> tuple[object, ...]:
    return tuple(getattr(file, name) for name in file.__struct_fields__)
