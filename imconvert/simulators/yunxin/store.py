"""What the puller has taken, in one SQLite file, by Yunxin's overwrite rule (yunxin.md §1.7).

Strategy: one row for each key. A record whose key is there and whose content differs takes the place of the other; the
other is kept aside in a table of its own, for a rehearsal wants to see what Yunxin would have lost.
Promise: an answer is stored whole or not at all; a file of something else is left alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from imconvert.errors import Rejected, UsageError
from imconvert.simulators.yunxin.records import Judged, Key

_MARK, _FORMAT = 0x494D5958, 1
"""How a file of ours is known: application_id ("IMYX") and user_version."""

_TABLES = """
CREATE TABLE pulls (
    number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, outcome TEXT NOT NULL, code TEXT, status INTEGER,
    bytes INTEGER NOT NULL, seconds REAL NOT NULL, received INTEGER NOT NULL, new INTEGER NOT NULL,
    again INTEGER NOT NULL, overwritten INTEGER NOT NULL, bad INTEGER NOT NULL
);
CREATE TABLE records (
    sender TEXT, chat TEXT, target TEXT, time INTEGER, msgid INTEGER, content BLOB NOT NULL, record TEXT NOT NULL,
    first_pull INTEGER NOT NULL, last_pull INTEGER NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (sender, chat, target, time, msgid)
) WITHOUT ROWID;
CREATE TABLE overwritten (pull INTEGER NOT NULL, position INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
CREATE TABLE bad (pull INTEGER NOT NULL, position INTEGER NOT NULL, why TEXT NOT NULL, record BLOB NOT NULL);
"""
_EXPECTED = """
DROP TABLE IF EXISTS temp.expected;
CREATE TEMP TABLE expected (
    sender TEXT, chat TEXT, target TEXT, time INTEGER, msgid INTEGER, content BLOB NOT NULL,
    PRIMARY KEY (sender, chat, target, time, msgid)
) WITHOUT ROWID;
"""
_BOTH = "FROM expected LEFT JOIN records USING (sender, chat, target, time, msgid)"
_MISSING = f"{_BOTH} WHERE records.content IS NULL"
_COMPARED = f"""
SELECT count(*), coalesce(sum(records.content IS NULL), 0), coalesce(sum(records.content <> expected.content), 0)
{_BOTH}
"""
_WHERE = "WHERE sender = ? AND chat = ? AND target = ? AND time = ? AND msgid = ?"


class Counts(Struct):
    """Records of one pull, or of many: `received = new + again + overwritten + bad`."""

    received: int = 0
    new: int = 0
    again: int = 0
    overwritten: int = 0
    bad: int = 0

    def add(self, other: Counts) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Pull(Struct, kw_only=True):
    """One pull: what became of it, and what it brought."""

    number: int
    at_ms: int
    outcome: str
    counts: Counts
    code: str | None = None
    values: dict[str, object] = {}
    status: int | None = None
    bytes: int = 0
    seconds: float = 0.0
    fault: str | None = None

    def note(self, code: str, **values: object) -> None:
        """Keep the first thing that is wrong with what it brought."""
        if self.code is None:
            self.code, self.values = code, values


class Comparison(Struct):
    """How the store compares with what it should hold: of `expected` records so many are `missing`, so many are there
    with `other` content, and `more` are there that were not expected. `examples` are numbers of missing ones."""

    expected: int
    missing: int
    other: int
    more: int
    examples: list[int]

    @property
    def complete(self) -> bool:
        return not self.missing and not self.other


Element = tuple[bytes, Judged | Rejected]
"""An element as it was sent, and what the judge says of it."""


class Store:
    """The records taken so far. Without a path they live in memory and go with the process."""

    def __init__(self, path: Path | None) -> None:
        self._place = str(path) if path else ":memory:"
        with self._told():
            self._db = sqlite3.connect(self._place, isolation_level=None, timeout=5, check_same_thread=False)
        try:
            with self._told():
                self._prepare()
        except UsageError:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as why:
            raise UsageError("IMC-1161", self._place, why=str(why)) from why

    def _prepare(self) -> None:
        mark, version = self._one("PRAGMA application_id"), self._one("PRAGMA user_version")
        empty = not self._one("SELECT count(*) FROM sqlite_master")
        if not empty and (mark, version) != (_MARK, _FORMAT):
            raise UsageError("IMC-1160", self._place)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        if empty:
            marks = f"PRAGMA application_id = {_MARK}; PRAGMA user_version = {_FORMAT};"
            self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} {marks} COMMIT;")

    def _one(self, query: str) -> int:
        found: int = self._db.execute(query).fetchone()[0]
        return found

    @property
    def records(self) -> int:
        """How many records the store holds."""
        with self._told():
            return self._one("SELECT count(*) FROM records")

    @property
    def pulls(self) -> int:
        """How many pulls there have been, those of earlier runs included."""
        with self._told():
            return self._one("SELECT coalesce(max(number), 0) FROM pulls")

    def rows(self) -> Iterator[str]:
        """The records as they were sent last, in the order of their keys."""
        with self._told():
            query = "SELECT record FROM records ORDER BY sender, chat, target, time, msgid"
            yield from (row[0] for row in self._db.execute(query))

    def compare(self, expected: Iterable[Judged]) -> Comparison:
        """Compare with the records that should be there; of equal keys the first one counts, as in a feed."""
        with self._told():
            self._db.executescript(_EXPECTED)
            rows = ((*_row(one.key), one.content) for one in expected)
            self._db.executemany("INSERT OR IGNORE INTO expected VALUES (?, ?, ?, ?, ?, ?)", rows)
            total, missing, other = self._db.execute(_COMPARED).fetchone()
            examples = [row[0] for row in self._db.execute(f"SELECT msgid {_MISSING} LIMIT 5")]
        return Comparison(total, missing, other, self.records - (total - missing), examples)

    def take(self, pull: Pull, elements: Sequence[Element] = ()) -> None:
        """Store a pull with all it brought, at once, and count into it."""
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                for position, element in enumerate(elements):
                    self._take(pull, position, element)
                self._note(pull)
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _take(self, pull: Pull, position: int, element: Element) -> None:
        raw, judged = element
        pull.counts.received += 1
        if isinstance(judged, Rejected):
            why = str(judged.values.get("why", judged.code))
            pull.counts.bad += 1
            pull.note(judged.code, position=position, why=why)
            self._db.execute("INSERT INTO bad VALUES (?, ?, ?, ?)", (pull.number, position, why, raw))
            return
        where = _row(judged.key)
        found = self._db.execute(f"SELECT content, record FROM records {_WHERE}", where).fetchone()
        if found is None:
            pull.counts.new += 1
            row = (*where, judged.content, raw.decode(), pull.number, pull.number)
            self._db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)", row)
            return
        if found[0] == judged.content:
            pull.counts.again += 1
        else:
            pull.counts.overwritten += 1
            pull.note("IMC-7127", position=position, msgid=judged.key.msgid)
            lost = (pull.number, position, found[1], raw.decode())
            self._db.execute("INSERT INTO overwritten VALUES (?, ?, ?, ?)", lost)
        changes = (judged.content, raw.decode(), pull.number, *where)
        self._db.execute(
            f"UPDATE records SET content = ?, record = ?, last_pull = ?, times = times + 1 {_WHERE}", changes
        )

    def _note(self, pull: Pull) -> None:
        counts = (getattr(pull.counts, name) for name in Counts.__struct_fields__)
        facts = (pull.number, pull.at_ms, pull.outcome, pull.code, pull.status, pull.bytes, pull.seconds)
        self._db.execute("INSERT INTO pulls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*facts, *counts))


def _row(key: Key) -> tuple[str, str, str, int, int]:
    return key.sender, key.chat, key.target, key.time, key.msgid
