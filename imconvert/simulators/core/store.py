"""What a simulator remembers, in one SQLite database.

Strategy: a request is a transaction. In a file it is written to the log that SQLite keeps beside it, without waiting
for the disk: a simulator that is killed loses nothing that it answered, one whose machine loses power may.
Promise: a file of something else, or of another vendor, is left alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

from imconvert.errors import UsageError

_FORMAT = 1
_COMMON = """
CREATE TABLE arrivals (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, now INTEGER NOT NULL, api TEXT NOT NULL, status INTEGER NOT NULL,
    code TEXT NOT NULL, fault TEXT
);
CREATE TABLE posts (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL, tries INTEGER NOT NULL,
    outcome TEXT NOT NULL
);
CREATE TABLE files (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, bytes BLOB NOT NULL, secret TEXT, at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
_PENDING = 256

Row = tuple[Any, ...]


class Store:
    """A vendor's state. Without a path it lives in memory and goes with the process."""

    def __init__(self, path: Path | None, vendor: str, tables: str) -> None:
        self._place = str(path) if path else ":memory:"
        self._mark = crc32(f"imconvert.simulate.{vendor}".encode()) & 0x7FFFFFFF
        self._pending: list[Row] = []
        with self._told():
            self._db = sqlite3.connect(self._place, isolation_level=None, timeout=5, check_same_thread=False)
        try:
            with self._told():
                self._prepare(_COMMON + tables)
        except UsageError:
            self._db.close()
            raise
        self.run = self._db.execute
        self.many = self._db.executemany

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as why:
            raise UsageError("IMC-1161", self._place, why=str(why)) from why

    def _prepare(self, tables: str) -> None:
        found = [self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        empty = not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not empty and found != [self._mark, _FORMAT]:
            raise UsageError("IMC-1290", self._place)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = OFF")
        if empty:
            marks = f"PRAGMA application_id = {self._mark}; PRAGMA user_version = {_FORMAT};"
            self._db.executescript(f"BEGIN IMMEDIATE; {tables} {marks} COMMIT;")

    def close(self) -> None:
        self.flush()
        self._db.close()

    def one(self, query: str, *values: Any) -> Row | None:
        """The first row of an answer, or None."""
        found: Row | None = self._db.execute(query, values).fetchone()
        return found

    def all(self, query: str, *values: Any) -> list[Row]:
        return self._db.execute(query, values).fetchall()

    def column(self, query: str, *values: Any) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self._db.execute(query, values)]

    def number(self, query: str, *values: Any) -> int:
        """The first value of the first row; 0 where there is none."""
        found = self.one(query, *values)
        return int(found[0] or 0) if found else 0

    def has(self, query: str, *values: Any) -> bool:
        return self.one(query, *values) is not None

    def begin(self) -> None:
        self._db.execute("BEGIN")

    def end(self) -> None:
        self._db.execute("COMMIT")

    def undo(self) -> None:
        self._db.execute("ROLLBACK")

    def arrived(self, row: Sequence[Any]) -> None:
        """Note a request; the notes are written in batches, and before anybody reads them."""
        self._pending.append(tuple(row))
        if len(self._pending) >= _PENDING:
            self.flush()

    def flush(self) -> None:
        pending, self._pending = self._pending, []
        self.begin()
        self._db.executemany("INSERT INTO arrivals VALUES (?, ?, ?, ?, ?, ?, ?)", pending)
        self.end()

    def next(self, name: str, start: int = 1) -> int:
        """A number that was never given before under this name."""
        row = self.one(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            name, start,
        )  # fmt: skip
        assert row
        return int(row[0])

    def above(self, name: str, least: int) -> int:
        """A number above all that were given under this name, and not below `least`."""
        row = self.one(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE "
            "SET value = max(value + 1, excluded.value) RETURNING value",
            name,
            least,
        )
        assert row
        return int(row[0])
