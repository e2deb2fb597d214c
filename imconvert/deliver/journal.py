"""What became of each call, on the disk: the intent before it is sent, the outcome behind it.

Strategy: SQLite with a write-ahead log. Finished lines are intervals (done.py), so that a hundred million calls cost
a few rows; a call has a row of its own only while it is under way, unknown or failed. Whatever comes while one commit
is being synced goes into the next: an intent waits for its commit, an outcome does not, as the next intent of its
conversation takes it along.
Promise: a call is sent only after its intent is on the disk. A crash leaves at most the calls under way as unknown.
An id that the target gave out is recorded together with the outcome that brought it; a token goes to the vault before
that, and never into the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from imconvert.deliver import Clock, Place, Request, Send
from imconvert.deliver.done import Done, Span
from imconvert.deliver.vault import Vault
from imconvert.durable.database import Database
from imconvert.vendors.calls import Kind, Reply, Verdict

LINGER = 0.05
"""Longest time in seconds that an outcome waits for company."""

VAULT = "tokens.db"
"""The file of the tokens, beside the journal."""

WHOLE = -1
"""Stands for all items of a call."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shards (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL,
    lines INTEGER NOT NULL, changed INTEGER NOT NULL, longest INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS done (
    shard INTEGER, start INTEGER, stop INTEGER NOT NULL, offset INTEGER NOT NULL,
    PRIMARY KEY (shard, start)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS open (
    shard INTEGER, line INTEGER, offset INTEGER NOT NULL, stop INTEGER NOT NULL, at REAL NOT NULL,
    unknown INTEGER NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (shard, line)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failed (
    shard INTEGER, line INTEGER, item INTEGER, offset INTEGER NOT NULL, stop INTEGER NOT NULL, at REAL NOT NULL,
    kind TEXT NOT NULL, code TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (shard, line, item)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ids (
    kind TEXT, source TEXT, target TEXT NOT NULL, PRIMARY KEY (kind, source)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (path TEXT PRIMARY KEY, url TEXT NOT NULL) WITHOUT ROWID;
"""


class Unknown(NamedTuple):
    """A call whose outcome is not known: its place, since when (s since 1970), whether that was found out to be so."""

    place: Place
    at: float
    unknown: bool
    code: str
    why: str


class Failure(NamedTuple):
    """An item (WHOLE: all of a call) that did not go in."""

    place: Place
    item: int
    at: float
    kind: str
    code: str
    why: str


class _Batch:
    """What goes into the next commit; of a call, what was said last."""

    def __init__(self) -> None:
        self.calls: dict[tuple[int, int], tuple[Any, ...] | None] = {}
        self.failed: list[tuple[Any, ...]] = []
        self.given: list[tuple[str, str, str]] = []
        self.tokens: list[tuple[str, str]] = []
        self.shards: dict[int, None] = {}

    def steps(self, done: dict[int, Done]) -> list[tuple[str, list[tuple[Any, ...]]]]:
        """The statements with their rows."""
        closed = [place for place, row in self.calls.items() if row is None]
        opened = [row for row in self.calls.values() if row is not None]
        shorter: list[tuple[Any, ...]] = []
        longer: list[tuple[Any, ...]] = []
        for shard in self.shards:
            gone, spans = done[shard].changes()
            shorter += [(shard, start) for start in gone]
            longer += [(shard, *span) for span in spans]
        found = ((_CLOSE, closed), (_OPEN, opened), (_FAIL, self.failed), (_GIVE, self.given), (_SHORTER, shorter),
                 (_LONGER, longer))  # fmt: skip
        return [(statement, [tuple(row) for row in rows]) for statement, rows in found if rows]


_OPEN = "INSERT OR REPLACE INTO open VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_CLOSE = "DELETE FROM open WHERE shard = ? AND line = ?"
_FAIL = "INSERT OR REPLACE INTO failed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_SHORTER = "DELETE FROM done WHERE shard = ? AND start = ?"
_LONGER = "INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)"
_GIVE = "INSERT OR REPLACE INTO ids VALUES (?, ?, ?)"


class Journal:
    """The journal of a load. `start()` before the first call, `close()` behind the last."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.data = Database(path, SCHEMA)
        self.vault = Vault(path.with_name(VAULT))
        self.done: dict[int, Done] = {}
        self._given: dict[tuple[str, str], str] = {}
        self._batch = _Batch()
        self._waiting: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "journal")

    # -- while calls are under way

    def start(self) -> None:
        self._writer = asyncio.get_running_loop().create_task(self._write_on())

    async def intend(self, request: Request) -> None:
        """Record that a call is about to be sent; returns when that is on the disk."""
        place = request.place
        self._batch.calls[place[:2]] = (*place, self.clock.now(), 0, "", "")
        await self._committed()

    def withdraw(self, request: Request) -> None:
        """The call was not sent after all."""
        self._batch.calls[request.place[:2]] = None
        self._soon()

    def record(self, request: Request, verdict: Verdict) -> None:
        """Record the outcome of a call."""
        place = request.place
        if verdict.kind is Kind.UNCLEAR:
            self._batch.calls[place[:2]] = (*place, self.clock.now(), 1, verdict.code, verdict.why)
        elif verdict.kind is Kind.DONE:
            self._finish(place, [(f.item, str(f.kind), f.code, f.why) for f in verdict.failed])
            if verdict.token:
                self._batch.tokens.append((verdict.token[0], verdict.token[1].reveal()))
            if verdict.given and request.api.gives:
                source = request.call.source or str(request.call.key)
                self._give(request.api.gives, source, verdict.given)
        elif verdict.kind in (Kind.ITEM, Kind.DEPENDENCY):
            self._finish(place, [(WHOLE, str(verdict.kind), verdict.code, verdict.why)])
        elif not request.flight.pending and not request.unclear:
            self._batch.calls[place[:2]] = None
        self._soon()

    def _give(self, kind: str, source: str, target: str) -> None:
        self._batch.given.append((kind, source, target))
        self._given[kind, source] = target
        self._wake.set()

    def leave_out(self, place: Place, code: str, why: str) -> None:
        """An unknown call that is not to be sent again: finished, and listed as failed. Before the first call only."""
        self.load(place.shard)
        self._finish(place, [(WHOLE, "unknown", code, why)])
        batch, self._batch = self._batch, _Batch()
        self._write(batch.steps(self.done), [])

    def _finish(self, place: Place, failed: Iterable[tuple[int, str, str, str]]) -> None:
        now = self.clock.now()
        self._batch.calls[place[:2]] = None
        for item, kind, code, why in failed:
            row = (place.shard, place.line, item, place.offset, place.stop, now, kind, code, why)
            self._batch.failed.append(row)
        self.done[place.shard].add(place.line, place.stop)
        self._batch.shards[place.shard] = None

    async def flush(self) -> None:
        """Wait until all that was recorded is on the disk."""
        await self._committed()

    async def _committed(self) -> None:
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().create_future()
        self._wake.set()
        await asyncio.shield(self._waiting)

    def _soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER, self._wake.set)

    async def _write_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._timer:
                self._timer.cancel()
                self._timer = None
            batch, waiting, self._batch, self._waiting = self._batch, self._waiting, _Batch(), None
            steps = batch.steps(self.done)
            try:
                await loop.run_in_executor(self._thread, self._write, steps, batch.tokens)
            except BaseException as why:
                if waiting and not waiting.done():
                    waiting.set_exception(why)
                self._waiting = self._waiting or loop.create_future()
                self._waiting.set_exception(why)
                raise
            if waiting:
                waiting.set_result(None)

    def _write(self, steps: list[tuple[str, list[tuple[Any, ...]]]], tokens: list[tuple[str, str]]) -> None:
        self.vault.keep(tokens)
        if steps:
            with self.data.change() as link:
                for statement, rows in steps:
                    link.executemany(statement, rows)

    async def close(self) -> None:
        """Write what is left, and close the file."""
        if self._writer:
            if not self._writer.done():
                await self.flush()
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        self._thread.shutdown()
        self.vault.close()
        self.data.close()

    # -- what stands in it

    def load(self, shard: int) -> Done:
        """The finished lines of a shard, as they stand; they are kept up to date from here on."""
        rows = self.data.rows("SELECT start, stop, offset FROM done WHERE shard = ? ORDER BY start", shard)
        self.done[shard] = Done(Span(*row) for row in rows)
        return self.done[shard]

    def finished(self, shard: int) -> int:
        """How many lines of a shard are finished, as it stands on the disk."""
        return int(self.data.rows("SELECT coalesce(sum(stop - start), 0) FROM done WHERE shard = ?", shard)[0][0])

    def unknowns(self, shard: int) -> list[Unknown]:
        """The calls of a shard that were under way when somebody crashed, or that are unknown, in order."""
        rows = self.data.rows(
            "SELECT line, offset, stop, at, unknown, code, why FROM open WHERE shard = ? ORDER BY line", shard
        )
        return [Unknown(Place(shard, *row[:3]), row[3], bool(row[4]), row[5], row[6]) for row in rows]

    def failures(self, shard: int) -> list[Failure]:
        """What of a shard did not go in, in order."""
        rows = self.data.rows(
            "SELECT line, offset, stop, item, at, kind, code, why FROM failed WHERE shard = ? ORDER BY line, item",
            shard,
        )
        return [Failure(Place(shard, *row[:3]), *row[3:]) for row in rows]

    def url_of(self, path: str) -> str | None:
        """The address at the target of a file of the output that was uploaded."""
        rows = self.data.rows("SELECT url FROM uploads WHERE path = ?", path)
        return str(rows[0][0]) if rows else None

    def uploaded(self, path: str, url: str) -> None:
        """A file of the output is at the target."""
        with self.data.change() as link:
            link.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?)", (path, url))

    def gave(self, kind: str, target: str) -> bool:
        """Whether an id that the target gave out is known."""
        rows = self.data.rows("SELECT 1 FROM ids WHERE kind = ? AND target = ? LIMIT 1", kind, target)
        return bool(rows) or any(pair[0] == kind and found == target for pair, found in self._given.items())

    def target_of(self, kind: str, source: str) -> str | None:
        """The id that the target gave out for a source id."""
        if (kind, source) in self._given:
            return self._given[kind, source]
        rows = self.data.rows("SELECT target FROM ids WHERE kind = ? AND source = ?", kind, source)
        return str(rows[0][0]) if rows else None


def journaled(send: Send, journal: Journal) -> Send:
    """Send a call between its intent and its outcome."""

    async def recorded(request: Request) -> Reply:
        try:
            await journal.intend(request)
            reply = await send(request)
        except asyncio.CancelledError:
            if not request.flight.pending and not request.unclear:
                journal.withdraw(request)
            raise
        journal.record(request, reply.verdict)
        return reply

    return recorded
