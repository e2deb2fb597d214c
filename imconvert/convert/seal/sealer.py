"""Seal the part of one segment: shards without the dropped lines, and the account of what was left out.

Strategy: a part without drops is synced and gets a second name; one with drops is copied range by range without
them. Sums are taken of the bytes on their way. Lines are counted in those bytes, independently of the rows.
Order of durable writes: shard bytes, fsync; side files; marker last. Nothing of the part is deleted before the
whole run is published, so that sealing again gives the same.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from imconvert import durable
from imconvert.convert.resolve.drops import Drops
from imconvert.convert.resolve.lines import WINDOW, LineReader
from imconvert.convert.seal import index, source_index
from imconvert.convert.steps import done, there
from imconvert.convert.work import (
    CONFLICT,
    DUPLICATE,
    KINDS,
    MARKED_REKEYED,
    MARKED_RENUMBERED,
    MOST_ROWS,
    RECALL,
    RECALLED,
    REKEYED,
    RENUMBERED,
    REWRITTEN,
    ROW,
    SEGMENT_SHIFT,
    SOURCE,
    TOMBSTONES,
    Array,
    FileSum,
    SealMarker,
    ShardFacts,
    SourceFacts,
    WorkFolder,
    is_among,
    marker_bytes,
    place_number,
    read_rows,
    row_windows,
)
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError, cause_of, remedy_of
from imconvert.vendors import TARGETS
from imconvert.vendors.contract import Settings, Target


@dataclass(frozen=True, slots=True)
class SealJob:
    """What a worker needs to seal one segment.

    `shards` are the names of its shards by stream; a stream that has none stays empty. `bases` are the numbers of
    records of a file before each segment, by (segment, file), where they are not 0. `labels` name the inputs.
    `drops` is the list that holds the drops of the segment. `basis` names what was resolved, for the marker. `sources`
    is the name of its index of source ids, or empty where there are none to look up. `vendor` and `settings` are for
    tombstones.
    """

    work: Path
    target: str
    segment: int
    shards: dict[str, str]
    bases: dict[tuple[int, int], int]
    labels: dict[int, str]
    drops: Path
    basis: str
    sources: str = ""
    vendor: str = ""
    settings: dict[str, str] = field(default_factory=dict)


Located = tuple[int, int, bytes]
"""A line of a side file, behind the input and the number of its record."""

SIDES = {DUPLICATE: ("duplicates", "IMC-8201"), CONFLICT: ("conflicts", "IMC-8301")}
OF_PEOPLE = "IMC-8183"
"""What a conflict is called where it is one of people."""


def sealed(job: SealJob, progress: Callable[[int], None]) -> SealMarker:
    """The marker of a sealed segment, taken over or made."""
    path = WorkFolder(job.work).seal(job.segment, "json")
    return there(done(job.work, path, SealMarker, job.basis, partial(seal_segment, job, progress)), path)


def seal_segment(job: SealJob, progress: Callable[[int], None]) -> int:
    """Seal the segment into the work folder, marker last; gives how many lines its shards have."""
    return _Sealer(job).run(progress)


class _Sealer:
    def __init__(self, job: SealJob) -> None:
        self.job = job
        self.work = WorkFolder(job.work)
        self.bases = {file: records for (segment, file), records in job.bases.items() if segment == job.segment}
        self.target: Target = TARGETS[job.target]
        self.counts: dict[int, dict[int, int]] = {kind: {} for kind in range(KINDS)}
        self.written: dict[int, int] = {}
        self.examples: dict[str, Any] = {}
        self.earliest: dict[str, tuple[int, int]] = {}
        self.sums: list[tuple[Path, FileSum]] = []
        self.closing = durable.Closing()
        self.sides = {kind: durable.Writer(self.work.seal(job.segment, name)) for kind, (name, _) in SIDES.items()}

    def run(self, progress: Callable[[int], None]) -> int:
        job = self.job
        with self.closing:
            shards = [
                facts
                for number, stream in enumerate(self.target.streams)
                if (facts := self._stream(number, stream, progress))
            ]
            self.sums += [self._copied("rejects", self._located("rejects")), self._copied("skipped", self._skipped())]
            for writer in self.sides.values():
                writer.finish()
                self.sums.append((writer.path, FileSum(writer.size, writer.digest)))
            sources = self._sources() if job.sources else None
        marker = SealMarker(
            segment=job.segment,
            shards=shards,
            duplicates=self.counts[DUPLICATE],
            conflicts=self.counts[CONFLICT],
            rekeyed=self._counted(REKEYED, MARKED_REKEYED),
            written=self.written,
            renumbered=self._counted(RENUMBERED, MARKED_RENUMBERED),
            recalled=self.counts[RECALLED],
            marked=self._counted(*TOMBSTONES),
            files={path.name: found for path, found in self.sums},
            examples=self.examples,
            basis=job.basis,
            sources=sources,
        )
        durable.replace_file(self.work.seal(job.segment, "json"), marker_bytes(marker))
        return sum(facts.lines for facts in shards)

    def _counted(self, *kinds: int) -> dict[int, int]:
        """Lines of any of these kinds, by input."""
        found: dict[int, int] = {}
        for kind in kinds:
            for file, count in self.counts[kind].items():
                found[file] = found.get(file, 0) + count
        return found

    def _stream(self, number: int, stream: str, progress: Callable[[int], None]) -> ShardFacts | None:
        job = self.job
        low = place_number(job.segment, number, 0)
        with durable.Reader(self.job.drops) as reader:
            drops = Drops(reader)
            for window in drops.windows(low, place_number(job.segment, number + 1, 0), size=WINDOW):
                self._tell(window)
            name = job.shards.get(stream)
            return self._shard(name, stream, drops, low, progress) if name else None

    def _shard(self, name: str, stream: str, drops: Drops, low: int, progress: Callable[[int], None]) -> ShardFacts:
        sums = Sums()
        seen = _both(sums.add, progress)
        beside = durable.Writer(self.work.path / index.name_of(name))
        origins = index.Builder(beside)
        target = self.work.path / name
        unchanged = drops.bound(low) == drops.bound(low + MOST_ROWS)
        self._write(target, stream, self._pieces(stream, drops, low, origins), seen, unchanged=unchanged)
        beside.finish(closing=self.closing)
        self.sums += [(target, FileSum(sums.size, sums.xxh3)), (beside.path, FileSum(beside.size, beside.digest))]
        for file, count in origins.files.items():
            self.written[file] = self.written.get(file, 0) + count
        if sums.lines != origins.count:
            raise IntegrityError("IMC-6001", detail=f"{name} has {sums.lines} lines for {origins.count} rows")
        return ShardFacts(name, stream, sums.lines, sums.size, sums.sha256, origins.times, origins.msgids)

    def _write(
        self,
        target: Path,
        stream: str,
        pieces: Iterator[durable.Piece],
        seen: Callable[[bytes], None],
        *,
        unchanged: bool,
    ) -> None:
        """Make the shard: the part itself under a second name where nothing is left out, else a copy."""
        part = self.work.part(self.job.segment, stream)
        if unchanged and durable.link(part, target):
            for _ in pieces:  # only the rows matter: the bytes are those of the part
                pass
            durable.scan(part, seen=seen)
            durable.sync_file(part)
        else:
            durable.write_pieces(target, pieces, seen=seen, closing=self.closing)

    def _pieces(self, stream: str, drops: Drops, low: int, origins: index.Builder) -> Iterator[durable.Piece]:
        """What the shard consists of: ranges of the part without the dropped lines, and lines with new numbers."""
        part = self.work.part(self.job.segment, stream)
        for first, rows in row_windows(self.work.part(self.job.segment, f"{stream}.rows"), ROW):
            here = drops.between(low + first, low + first + len(rows))
            changed = (here["place"] - np.uint64(low + first)).astype(np.int64)
            yield from _window(part, rows, here, changed, self._rewritten)
            new = is_among(here["kind"], REWRITTEN)
            numbered = new & (here["msgid"] != 0)
            if numbered.any():
                rows = rows.copy()
                rows["msgid"][changed[numbered]] = here["msgid"][numbered]
            stays = np.ones(len(rows), bool)
            stays[changed[~new]] = False
            rows = rows.take(np.flatnonzero(stays))
            rows["line"] += self._bases(rows["file"])
            origins.add(rows)

    def _sources(self) -> SourceFacts:
        """Write the index of the source ids that had to be remembered."""
        job = self.job
        writer = durable.Writer(self.work.path / job.sources)
        builder = source_index.Builder(writer)
        with durable.Reader(self.job.drops) as reader, LineReader(self.work, self.target) as lines:
            for number, stream in enumerate(self.target.streams):
                for found in self._entries(number, stream, Drops(reader), lines):
                    builder.add(found)
        builder.flush()
        writer.finish(closing=self.closing)
        self.sums.append((writer.path, FileSum(writer.size, writer.digest)))
        return SourceFacts(job.sources, builder.count, job.shards)

    def _entries(self, number: int, stream: str, drops: Drops, lines: LineReader) -> Iterator[Array]:
        low = place_number(self.job.segment, number, 0)
        since, gone = low, np.uint64(0)
        for _, sources in row_windows(self.work.part(self.job.segment, f"{stream}.sources"), SOURCE):
            places = sources["place"]
            rows = source_index.entries(sources, lines.rows(places)["msgid"], drops, low, number)
            before = gone + source_index.left_before(places, drops, since, int(places[-1]) + 1)
            rows["line"] -= np.where(rows["line"], before, np.uint64(0))
            since, gone = int(places[-1]), before[-1]
            yield rows

    def _bases(self, files: Array) -> Array:
        """For each row the number of records that its file had before this segment."""
        table = np.zeros(int(files.max(initial=0)) + 1, np.uint64)
        for file, records in self.bases.items():
            if file < len(table):
                table[file] = records
        return table[files]

    def _tell(self, drops: Array) -> None:
        """Count the drops by input, and write a line for each to its side file."""
        with LineReader(self.work, self.target) as reader:
            rows = reader.rows(drops["place"])
            lost = is_among(drops["kind"], SIDES)
            winners = reader.rows(np.where(lost, drops["winner"], drops["place"]))
            left = reader.lines(drops["place"][lost])
            for drop, row, winner in zip(drops.tolist(), rows.tolist(), winners.tolist(), strict=True):
                kind, file = drop[2], row[-1]
                self.counts[kind][file] = self.counts[kind].get(file, 0) + 1
                if kind in SIDES:
                    self._side(reader, drop, self._renumbered(next(left), drop), row, winner)
                elif kind in (RENUMBERED, MARKED_RENUMBERED):
                    self._example("renumbered", drop, row)

    def _side(
        self, reader: LineReader, drop: tuple[int, ...], line: bytes, row: tuple[int, ...], winner: tuple[int, ...]
    ) -> None:
        place, kept, kind, _ = drop
        code = SIDES[kind][1]
        shown = OF_PEOPLE if kind == CONFLICT and self.target.people else code
        found: dict[str, Any] = {"code": shown, **self._place(place, row)}
        if kind == CONFLICT:
            found |= {"why": cause_of(shown), "remedy": remedy_of(shown)}
        found |= {"key": self.target.read_key(line)._asdict(), "kept": self._place(kept, winner)}
        if kind == CONFLICT:
            kept_line = self._line(reader, drop, kept, winner)
            found |= {"message": msgspec.Raw(line), "kept_message": msgspec.Raw(kept_line)}
        if code not in self.examples:
            self.examples[code] = {name: found[name] for name in ("file", "line", "key", "kept")}
        self.sides[kind].write(msgspec.json.encode(found) + b"\n")

    def _example(self, name: str, drop: tuple[int, ...], row: tuple[int, ...]) -> None:
        """Keep the first line that is written under another number."""
        self._first(name, row, {**self._place(drop[0], row), "derived": row[4], "msgid": drop[3]})

    def _first(self, name: str, row: tuple[int, ...], found: dict[str, Any]) -> None:
        """Keep what is first in input order; streams come one after the other."""
        place = row[6], row[1]
        if place < self.earliest.get(name, (place[0] + 1, 0)):
            self.earliest[name], self.examples[name] = place, found

    def _line(self, reader: LineReader, drop: tuple[int, ...], place: int, row: tuple[int, ...]) -> bytes:
        """A line, with the number that both lines of a drop got where another id had theirs."""
        return self._renumbered(reader.line(place, row[0], row[5]), drop)

    def _renumbered(self, line: bytes, drop: tuple[int, ...]) -> bytes:
        return self.target.with_msgid(line, drop[3]) if drop[3] else line

    def _place(self, place: int, row: tuple[int, ...]) -> dict[str, Any]:
        """Where a line came from, for people; `row` is its ROW."""
        _, line, offset, _, _, _, file = row
        line += self.job.bases.get((place >> SEGMENT_SHIFT, file), 0) + 1
        return {"file": self.job.labels[file], "line": line, "offset": offset}

    def _rewritten(self, line: bytes, drop: Array) -> bytes:
        return rewritten(self.target, line, drop, self.job.vendor, self.job.settings)

    def _located(self, name: str) -> Iterator[Located]:
        """Rejects or skips, with their record numbers counted from 1 in the whole file."""
        for line in durable.lines_of(self.work.part(self.job.segment, name)):
            file, _, record = line.partition(b"\t")
            found = msgspec.json.decode(record)
            place = int(file), found["line"]
            found["line"] += self.job.bases.get((self.job.segment, int(file)), 0) + 1
            yield *place, msgspec.json.encode(found) + b"\n"

    def _skipped(self) -> Iterator[Located]:
        """Skips, and lines that were recalled, in the order of their records."""
        with durable.Reader(self.job.drops) as reader, LineReader(self.work, self.target) as lines:
            recalled = [self._recalled(number, Drops(reader), lines) for number in range(len(self.target.streams))]
            yield from heapq.merge(self._located("skipped"), *recalled, key=itemgetter(0, 1))

    def _recalled(self, stream: int, drops: Drops, lines: LineReader) -> Iterator[Located]:
        """The lines of a stream that were left out because they were recalled."""
        low, high = (place_number(self.job.segment, stream + more, 0) for more in (0, 1))
        for window in drops.windows(low, high, size=WINDOW):
            chosen = window[window["kind"] == RECALLED]
            if len(chosen):
                for drop, row in zip(chosen.tolist(), lines.rows(chosen["place"]).tolist(), strict=True):
                    yield row[6], row[1], self._recalled_line(drop, row, lines)

    def _recalled_line(self, drop: tuple[int, ...], row: tuple[int, ...], lines: LineReader) -> bytes:
        code = "IMC-8140"
        line = self._line(lines, drop, drop[0], row)
        found = {"code": code, **self._place(drop[0], row), "why": cause_of(code), "remedy": remedy_of(code)}
        self._first(code, row, {name: found[name] for name in ("file", "line", "why")})
        found |= {"key": self.target.read_key(line)._asdict(), "recalled_by": self._event(drop[1])}
        return msgspec.json.encode(found | {"message": msgspec.Raw(line)}) + b"\n"

    def _event(self, number: int) -> dict[str, Any]:
        """Where a recall event stands."""
        row = read_rows(self.work.recalls, RECALL, number, number + 1)[0]
        file = int(row["file"])
        line = int(row["line"]) + self.job.bases.get((int(row["segment"]), file), 0) + 1
        return {"file": self.job.labels[file], "line": line, "offset": int(row["offset"])}

    def _copied(self, name: str, lines: Iterator[Located]) -> tuple[Path, FileSum]:
        writer = durable.Writer(self.work.seal(self.job.segment, name))
        for _, _, line in lines:
            writer.write(line)
        writer.finish()
        return writer.path, FileSum(writer.size, writer.digest)


def rewritten(target: Target, line: bytes, drop: Array, vendor: str, settings: Settings) -> bytes:
    """A line with the new number that its DROP row gives, or as a tombstone, or both."""
    if drop["msgid"]:
        line = target.with_msgid(line, int(drop["msgid"]))
    return target.tombstone(line, vendor, settings) if drop["kind"] in TOMBSTONES else line


def _window(
    part: Path, rows: Array, drops: Array, changed: Array, rewritten: Callable[[bytes, Array], bytes]
) -> Iterator[durable.Piece]:
    """The pieces of one window of rows: what lies between the changed ones, and lines that are written anew."""
    begin = int(rows["begin"][0])
    columns = (rows[name].take(changed).tolist() for name in ("begin", "length"))
    anew = is_among(drops["kind"], REWRITTEN).tolist()
    for number, (start, length) in enumerate(zip(*columns, strict=True)):
        yield durable.Range(part, begin, start)
        if anew[number]:
            with durable.Reader(part) as reader:
                yield rewritten(reader.at(start, length), drops[number]) + b"\n"
        begin = start + length + 1
    yield durable.Range(part, begin, int(rows["begin"][-1]) + int(rows["length"][-1]) + 1)


def _both(add: Callable[[bytes], None], progress: Callable[[int], None]) -> Callable[[bytes], None]:
    def seen(data: bytes) -> None:
        add(data)
        progress(len(data))

    return seen
