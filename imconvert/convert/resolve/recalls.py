"""Find the messages that were recalled, wherever the events that say so stand.

Strategy: each part leaves a row for every recall event it met: the hash of the recalled id, its number where it is one,
and, where the source tells it, the conversation. All rows are joined in input order; CHUNK of them at a time are held
as a table, and every part's rows are looked up in it, part by part in the workers. What is found are drops like others.
Promise: the order of events and messages does not matter; the first event of an id counts as its place. Ids are
compared by 128-bit hashes. Memory is a table of CHUNK events and a window of rows; events cost 64 bytes of disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from imconvert import durable
from imconvert.convert.map.recall_events import talk_of
from imconvert.convert.resolve.lines import LineReader
from imconvert.convert.work import (
    DROP,
    MARKED,
    RECALL,
    RECALLED,
    ROW,
    SOURCE,
    Array,
    WorkFolder,
    place_number,
    read_rows,
    row_windows,
    rows_at,
)
from imconvert.vendors import TARGETS
from imconvert.vendors.contract import KeyFields

CHUNK = 1 << 17
POLICIES = {"drop": RECALLED, "mark": MARKED}
"""What happens to recalled messages, by the word for it; with "keep", nothing is looked for."""


class Key(NamedTuple):
    """What events are looked up by: hash of the id, or its number and NUMBER; and the conversation."""

    first: int
    second: int
    talk: int


NUMBER = -1


class Table:
    """Some events, by what they recall; `base` is the number of the first. Without `talks` the ids alone count."""

    def __init__(self, rows: Array, base: int, *, talks: bool) -> None:
        self.first: dict[Key, int] = {}
        self.own: list[int] = []
        for index, (hi, lo, number, talk, *_) in enumerate(rows.tolist(), base):
            talk *= talks
            found = self.first.setdefault(Key(hi, lo, talk), index) if hi or lo else -1
            self.own.append(found)
            if number:
                self.first.setdefault(Key(number, NUMBER, talk), found)
        self.numbers = np.unique(rows["msgid"][rows["msgid"] > 0])
        self.hashes = np.unique(rows["hi"])
        self.tells = talks and bool(rows["talk"].any())

    def look(self, first: int, second: int, talk: Callable[[], int]) -> int | None:
        """The first event about an id, in this conversation or in none that is told."""
        anywhere = self.first.get(Key(first, second, 0))
        here = self.first.get(Key(first, second, talk())) if self.tells else None
        both = [index for index in (anywhere, here) if index is not None]
        return min(both) if both else None


@dataclass(frozen=True, slots=True)
class RecallJob:
    """What a worker needs to look up one part: events [base, stop), and as which chunk it leaves its list of drops.

    `confirm` is off where no lines were kept, so that conversations can't be compared.
    """

    work: Path
    target: str
    segment: int
    base: int
    stop: int
    chunk: int
    kind: int
    confirm: bool


def find_recalled(job: RecallJob, progress: Callable[[int], None]) -> list[int]:
    """Leave the drops of recalled lines, sorted by place; gives the events that found a line."""
    work = WorkFolder(job.work)
    table = Table(read_rows(work.recalls, RECALL, job.base, job.stop), job.base, talks=job.confirm)
    met: set[int] = set()
    writer = durable.Writer(work.recalled(job.segment, job.chunk))
    with LineReader(work, TARGETS[job.target]) as lines:
        for number, stream in enumerate(TARGETS[job.target].streams):
            for places, events in _found(job, stream, number, table, lines):
                met.update(events)
                drops = np.zeros(len(places), DROP)
                drops["place"], drops["winner"], drops["kind"] = places, events, job.kind
                writer.write(drops.tobytes())
    writer.finish()
    return sorted(met)


def _found(
    job: RecallJob, stream: str, number: int, table: Table, lines: LineReader
) -> Iterator[tuple[list[int], list[int]]]:
    """Places of recalled lines in a window, ascending, and the events."""
    work = WorkFolder(job.work)
    low = place_number(job.segment, number, 0)
    with durable.Reader(work.part(job.segment, f"{stream}.sources")) as reader:
        sources = _Sources(reader)
        for first, rows in row_windows(work.part(job.segment, f"{stream}.rows"), ROW):
            named = sources.between(low + first, low + first + len(rows))
            found: dict[int, int] = {}
            for place, one, two in sorted(_candidates(rows, named, low + first, table)):
                event = table.look(one, two, partial(_talk_at, lines, place))
                if event is not None:
                    found[place] = event
            yield list(found), list(found.values())


def _candidates(rows: Array, named: Array, first: int, table: Table) -> Iterator[tuple[int, int, int]]:
    """Place and id of the lines that some event may be about."""
    own = np.ones(len(rows), bool)
    own[(named["place"] - np.uint64(first)).astype(np.int64)] = False
    for row in np.flatnonzero(own & _among(rows["msgid"], table.numbers)).tolist():
        yield first + row, int(rows["msgid"][row]), NUMBER
    for source in named[_among(named["hi"], table.hashes)].tolist():
        yield source[2], source[0], source[1]


def _among(values: Array, known: Array) -> Array:
    """Which of the values are known; `known` is sorted."""
    if not len(known):
        return np.zeros(len(values), bool)
    where = np.minimum(np.searchsorted(known, values), len(known) - 1)
    return np.asarray(known[where] == values)


def _talk_at(lines: LineReader, place: int) -> int:
    key: KeyFields = lines.target.read_key(next(lines.lines(np.array([place], np.uint64))))
    return talk_of(key.sender, key.target)


class _Sources:
    """SOURCE rows of a stream, read from front to back by ranges of places."""

    def __init__(self, reader: durable.Reader) -> None:
        self.reader = reader
        self.count = reader.size // SOURCE.itemsize
        self.at = 0

    def between(self, low: int, high: int) -> Array:
        """The rows of places in [low, high), which begins where the range before ended; one a line at most."""
        rows = rows_at(self.reader, SOURCE, self.at, min(self.count, self.at + high - low))
        stop = int(np.searchsorted(rows["place"], np.uint64(high)))
        self.at += stop
        return rows[:stop]


class Tally(NamedTuple):
    """Recall events; how many found no message; the number of the first of these, or -1."""

    events: int
    without: int
    first: int


def tally(work: WorkFolder, met: Array, since: int, *, talks: bool) -> Tally:
    """Count the events from number `since` on; `met` says of each event whether it found a line."""
    without, first = 0, -1
    for base in range(0, len(met), CHUNK):
        stop = min(len(met), base + CHUNK)
        own = np.array(Table(read_rows(work.recalls, RECALL, base, stop), base, talks=talks).own)
        missed = base + np.flatnonzero((own < 0) | ~met[np.maximum(own, 0)])
        missed = missed[missed >= since]
        first = int(missed[0]) if first < 0 and len(missed) else first
        without += len(missed)
    return Tally(len(met) - since, without, first)
