"""A small SQLite database whose commits are on the disk when they return.

Strategy: write-ahead log, `synchronous=FULL`, one connection behind one lock, every change in one transaction.
Promise: an error of the database is an IntegrityError with the path and the cause, and the transaction did not happen.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imconvert.durable import _FLAGS, _told, rename, sync_file, sync_folder
from imconvert.errors import IntegrityError

WAIT = 5.0
"""Seconds to wait for another process that has the database locked."""


class Database:
    """One database file, made if it is missing, with mode 0600."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        with _told(path):
            os.close(os.open(path, _FLAGS, 0o600))
        with self._named():
            self._link = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
            self._link.execute("PRAGMA journal_mode=WAL")
            self._link.execute("PRAGMA synchronous=FULL")
            self._link.executescript(schema)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as why:
            raise IntegrityError("IMC-6040", str(self.path), why=str(why)) from why

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed and on the disk behind the block, or undone."""
        with self._lock, self._named():
            self._link.execute("BEGIN IMMEDIATE")
            try:
                yield self._link
                self._link.execute("COMMIT")
            except BaseException:
                if self._link.in_transaction:
                    self._link.execute("ROLLBACK")
                raise

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._lock, self._named():
            return self._link.execute(query, values).fetchall()

    def close(self) -> None:
        with self._lock, self._named():
            self._link.close()


class Lookup:
    """A database that is only read, such as an id map. Raises IntegrityError IMC-6131 where it can't be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._named():
            self._link = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as why:
            raise IntegrityError("IMC-6131", str(self.path), why=str(why)) from why

    def rows(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query, one by one."""
        with self._named():
            yield from self._link.execute(query, values)

    def columns(self, table: str) -> list[str]:
        """The names of a table's columns; none where there is no such table."""
        return [row[1] for row in self.rows(f"PRAGMA table_info({table})")]


def write_table(path: Path, schema: str, insert: str, rows: Iterable[tuple[Any, ...]], indexes: str) -> int:
    """Make a database of one table, whole or not at all; gives how many rows it has."""
    temp, count = path.with_name(path.name + ".tmp"), 0
    with _told(temp):
        os.close(os.open(temp, _FLAGS | os.O_TRUNC, 0o600))
    try:
        with closing(sqlite3.connect(temp, isolation_level=None)) as link:
            link.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {schema}")
            link.execute("BEGIN")
            for row in rows:
                link.execute(insert, row)
                count += 1
            link.execute("COMMIT")
            link.executescript(indexes)
    except sqlite3.Error as why:
        raise IntegrityError("IMC-6131", str(temp), why=str(why)) from why
    sync_file(temp)
    rename(temp, path)
    sync_folder(path.parent)
    return count
