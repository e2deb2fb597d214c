"""A small SQLite database whose commits are on the disk when they return.

Strategy: write-ahead log, `synchronous=FULL`, one connection behind one lock, every change in one transaction.
Promise: an error of the database is an IntegrityError with the path and the cause, and the transaction did not happen.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imconvert.durable.system import NEW, told
from imconvert.errors import IntegrityError

WAIT = 5.0
"""Seconds to wait for another process that has the database locked."""


class Database:
    """One database file, made if it is missing, with mode 0600."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._lock = threading.RLock()
        with told(path):
            os.close(os.open(path, NEW, 0o600))
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
