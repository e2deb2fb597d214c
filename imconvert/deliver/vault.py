"""Tokens that a target gives out while it is loaded: in a file of their own, which nobody but its owner can read.

Promise: a token is on the disk before the outcome that brought it, and nowhere else. The file is made when the first
one comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imconvert import durable
from imconvert.durable.database import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS tokens (account TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID"

Row = tuple[str, str]
"""An account and its token."""


class Vault:
    """The tokens by account; of one account the last that came."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data: Database | None = None

    def keep(self, rows: Sequence[Row]) -> None:
        """Keep some tokens; they are on the disk when this returns."""
        if rows:
            with self._opened().change() as link:
                link.executemany("INSERT OR REPLACE INTO tokens VALUES (?, ?)", rows)

    def rows(self) -> list[Row]:
        """All tokens, by account."""
        if not self._data and not durable.exists(self.path):
            return []
        return [(str(account), str(token)) for account, token in self._opened().rows(
            "SELECT account, token FROM tokens ORDER BY account")]  # fmt: skip

    def _opened(self) -> Database:
        if self._data is None:
            self._data = Database(self.path, SCHEMA)
        return self._data

    def close(self) -> None:
        if self._data:
            self._data.close()
