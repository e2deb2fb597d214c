"""Map one segment: read, decode, encode; good records to lines and keys, the others to rejects and skips.

Plan: a record goes through `read` (vendor) and `write` (target); whatever is said about it on the way is in
`notes`. Runs in a worker; takes file names and numbers, leaves files and a marker.
Promise: every record of the segment is counted exactly once: written, rejected or skipped.
"""

from __future__ import annotations

import base64
import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from imconvert import durable, native
from imconvert.convert.map import maps, recall_events
from imconvert.convert.map.drift import Radar
from imconvert.convert.map.gather import ENOUGH, At, Gathering
from imconvert.convert.map.media import FOLDER, Apart
from imconvert.convert.map.names import is_named
from imconvert.convert.map.part import Part, facts
from imconvert.convert.map.spread import range_for
from imconvert.convert.map.tally import Tally, count
from imconvert.convert.plan import Piece, Segment, bytes_of
from imconvert.convert.work import IDS, PartMarker, PieceCounts, WorkFolder, marker_bytes
from imconvert.errors import InputError, Rejected, cause_of, remedy_of
from imconvert.model import EPOCH, Notes, Notice, Place, Skip, Text, key_of
from imconvert.model import Part as Body
from imconvert.sources import pieces
from imconvert.sources.containers import Limits
from imconvert.sources.inputs import Input
from imconvert.sources.records import KEPT, RECORD_LIMIT, Batch
from imconvert.vendors import TARGETS, compiled, find
from imconvert.vendors.contract import Book, Columns, LeftOut, Read, Shortcut, Taken, Write
from imconvert.vendors.shapes import Shape
from imconvert.vendors.wrapping import without_lines

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class MapJob:
    """What a worker needs for one segment.

    `refused` are xxh3-64 of account ids that collide after folding; without `fold` all ids that fold are refused.
    With `recalls` the events that recall messages are noted.
    `compiled` takes the compiled part where it is built.
    """

    work: Path
    segment: Segment
    inputs: dict[int, Input]
    vendor: str
    target: str
    settings: dict[str, str]
    latest: int
    limits: Limits = Limits()
    mapping: str | None = None
    ids: Path | None = None
    tids: Path | None = None
    refused: tuple[int, ...] = ()
    strict: bool = False
    keep_lines: bool = True
    fold: bool = True
    media_url: str = FOLDER
    recalls: bool = False
    compiled: bool = True


def map_segment(job: MapJob, progress: Progress) -> int:
    """Map `job.segment` into `job.work`, marker last; gives how many records were rejected.

    Raises IntegrityError IMC-6004 where a work file can't be written.
    """
    return map_by(Mapper, job, progress)


def map_by(kind: type[Mapper], job: MapJob, progress: Progress) -> int:
    """Map `job.segment` by a kind of mapper. Mappers are cycles, so that each takes those before it away."""
    work = WorkFolder(job.work)
    durable.remove(work.part(job.segment.number, "json"))
    mapper = kind(job, work)
    gc.disable()
    try:
        for piece in job.segment.pieces:
            mapper.piece(piece, progress)
    finally:
        gc.enable()
        gc.collect()
    return mapper.finish()


class Way(NamedTuple):
    """How records are taken: by a shortcut, which reads times by this clock, or the long way."""

    shortcut: Shortcut | None
    clock: tuple[str, str]


LONG = Way(None, EPOCH)


def _way_behind(head: bytes, shortcut: Shortcut | None) -> Way:
    """The way that a shortcut is for records behind this head; without `behind` it is one for records without any."""
    clock = None
    if shortcut:
        clock = shortcut.behind(head) if shortcut.behind else None if head else EPOCH
    return Way(shortcut if clock else None, clock or EPOCH)


_BLANK = b" \t\r\n\xef\xbb\xbf"
CUT_OFF = ("IMC-2001", "IMC-2002", "IMC-2442", "IMC-2443")
"""What is said of a record of which the end is missing."""
LOOKED_AT = 4096


class Mapper:
    """The state of mapping one segment."""

    def __init__(self, job: MapJob, work: WorkFolder) -> None:
        target = TARGETS[job.target]
        self.job = job
        self.work = work
        self.media = Apart(work, job.segment.number, job.media_url, keep=job.keep_lines)
        self.notes = Notes(self.media.add)
        self.tally = Tally()
        self.radar = Radar()
        self.pieces: list[PieceCounts] = []
        self.accounts = Book(
            target.account_rule_by(job.settings),
            map=maps.load(job.ids, "account", target.account_rule),
            refused=_refusal(job),
            noted=lambda: self.notes.repairs.append("IMC-3009"),
        )
        rule = target.group_rule_by(job.settings)
        self.groups = Book(rule, map=maps.load(job.tids, "group", rule))
        self.folded = 0
        self.vendor, self.target = find(job.vendor, job.mapping), target
        self.own_keys = self.vendor.own_keys
        self.write: Write = target.writer(job.settings, self.notes, self.accounts, self.groups)
        tables = self.vendor.tables
        can_be = self.vendor.shape or self.vendor.more_shapes or (tables and tables.shape)
        self.compiled = bool(job.compiled and native.BUILT and target.line_forms and can_be)
        self.shape_of_rows = cache(self._shape_of_rows)
        self.usual = self._compiled(self.vendor.shape(job.settings)) if self.compiled and self.vendor.shape else None
        self.marked = self._marked()
        self.waiting = Gathering()
        self._behind(b"")
        self.way = self.ways[b""]
        columns = native.Columns if self.compiled else Columns
        size = range_for(bytes_of(job.segment, job.inputs)) if target.arrange else 0
        self.part = Part(work, job.segment.number, target.streams, columns, keep_lines=job.keep_lines, ordered=size)

    def _compiled(self, shape: Shape) -> Shortcut | None:
        target, latest = self.target, self.job.latest
        assert target.line_forms
        forms, books = target.line_forms(self.job.settings), (self.accounts, self.groups)
        return compiled.through(
            shape, forms, books=books, latest=latest, digest_of=target.digest_of, plain=target.plain_account,
            strict=self.job.strict,
        )  # fmt: skip

    def _shape_of_rows(self, head: bytes) -> Shortcut | None:
        """The compiled shortcut for rows of a table with this header."""
        tables = self.vendor.tables
        found = tables.shape(self.job.settings, head) if tables and tables.shape else None
        return self._compiled(found) if found else None

    def _marked(self) -> dict[bytes, Callable[[], Shortcut | None]]:
        """What makes, when they are first met, the compiled shortcuts of the vendor's other formats, by their marks."""
        more = self.vendor.more_shapes
        found = more(self.job.settings) if self.compiled and more else ()
        return {shape.mark: cache(partial(self._compiled, shape)) for shape in found}

    def _way(self, batch: Batch) -> Way:
        """The way for a batch, by its first record; whatever doesn't fit its shortcut goes the long way."""
        if batch.lengths:
            return LONG
        mark = b""
        if self.marked:
            first = batch.records[0] if batch.text is None else batch.text[:LOOKED_AT]
            mark = next((mark for mark in self.marked if mark in first), b"")
        if mark not in self.ways:
            self.ways[mark] = _way_behind(self.head, self.marked[mark]())
        return self.ways[mark]

    def piece(self, piece: Piece, progress: Progress) -> None:
        source = self.job.inputs[piece.file]
        counts = PieceCounts(piece.file)
        self.pieces.append(counts)
        found = pieces.batches(
            source, piece.start, piece.stop, self.vendor.tables or self.vendor.documents, self.job.limits, progress,
            look=self._look(), compiled=self.job.compiled,
        )  # fmt: skip
        try:
            for batch in found:
                self.batch(batch, counts)
        except InputError as why:
            counts.error = (why.code, dict(why.values))

    def records(self, file: int, batch: Batch) -> None:
        """Map a batch that comes from elsewhere than from pieces."""
        if not self.pieces or self.pieces[-1].file != file:
            self.pieces.append(PieceCounts(file))
        self.batch(batch, self.pieces[-1])

    def batch(self, batch: Batch, counts: PieceCounts) -> None:
        """Add a batch to those that wait; they are mapped together, unless they are read in different ways."""
        if batch.head != self.head:
            self.map()
            self._behind(batch.head)
        way = self._way(batch)
        if way is not self.way:
            self.map()
            self.way = way
        if self.vendor.survey and not counts.survey:
            counts.survey = batch.head.decode()
        counts.read += len(batch)
        self.waiting.add(batch, counts)
        if self.waiting.bytes >= ENOUGH:
            self.map()

    def map(self) -> None:
        """One pass over the records that wait, in order; most take the vendor's shortcut, if it has one."""
        waiting, self.waiting = self.waiting, Gathering()
        if not waiting.records:
            return
        left: list[At] = []

        def record(number: int, raw: bytes) -> None:
            at = waiting.at(number)
            left.append(at)
            self._taken(at, raw)

        if self.way.shortcut:
            self._shorten(self.way.shortcut, waiting, record)
            self._timed(waiting, left)
        else:
            for number, raw in enumerate(waiting.all()):
                record(number, raw)
        for batch, counts in zip(waiting.batches, waiting.counts, strict=True):
            if batch.crlf:
                self._count_crlf(batch, counts)
        self.part.keep(waiting)

    def _count_crlf(self, batch: Batch, counts: PieceCounts) -> None:
        """Batches come in input order, so that the first place of all is one of the first batch that has such lines."""
        known = self.tally.repairs.get("IMC-3002")
        if known:
            known.count += batch.crlf
        else:
            count(self.tally.repairs, "IMC-3002", counts.file, batch.number(batch.first_crlf()), times=batch.crlf)

    def _shorten(self, way: Shortcut, waiting: Gathering, record: Callable[[int, bytes], None]) -> None:
        """Let a shortcut take what it can; it leaves the rest to `record`."""
        columns = tuple(stream.columns for stream in self.part.streams.values())
        text = waiting.text() if way.splits and not self.part.gathered.records else None
        for taken in way.take(waiting.all() if text is None else text, columns, record):
            self._took(waiting.at(taken.first), taken)

    def _taken(self, at: At, raw: bytes) -> None:
        """Read and write one record, or say why not."""
        try:
            self._record(at, raw)
        except Rejected as why:
            self._reject(at, raw, why)
        except LeftOut as why:
            self._skip(at, raw, why.skip)

    def _look(self) -> pieces.Look | None:
        survey, settings = self.vendor.survey, self.job.settings
        return (lambda label, begin: survey.look(label, begin, settings)) if survey else None

    def _behind(self, head: bytes) -> None:
        """Read what follows as records of a document, or of an input, with this head."""
        vendor, job = self.vendor, self.job
        self.head = head
        read, through = vendor.behind(head)
        self.notes.clock = EPOCH
        made = read(job.settings, self.notes, job.latest)
        self.read: Read = without_lines(made, self.notes) if self.target.arrange else made
        if self.compiled:
            usual = _way_behind(head, self.shape_of_rows(head) if vendor.tables and head else self.usual)
        else:
            books = (self.accounts, self.groups)
            shortcut = through(self.target, job.settings, *books, job.latest) if through else None
            usual = Way(shortcut, self.notes.clock)
        self.ways = {b"": usual}

    def _record(self, at: At, raw: bytes) -> None:
        """Read and write one record. Raises Rejected."""
        if not raw or at.row in at.batch.lengths:
            return self._odd(at, raw)
        notes = self.notes
        message = self.read(raw)
        if isinstance(message, Skip):
            return self._skip(at, raw, message)
        lines = self.write(self.media.named(message))
        if self.vendor.own_keys:
            lines = [line._replace(key=key_of(line.msgid, "", "", 0)) for line in lines]
        if notes.repairs and self.job.strict:
            raise Rejected(notes.repairs[0])
        if notes.clock not in at.counts.clocks:
            at.counts.clocks.append(notes.clock)
        self.media.take()
        label = notes.label or label_of(message.parts[0])
        if notes.repairs or notes.changes or notes.novel:
            self._note(label, at)
        self.tally.kinds[label] = self.tally.kinds.get(label, 0) + 1
        streams = self.part.streams
        if is_named(message, len(lines)):
            for number, line in enumerate(lines):
                streams[line.stream].add(line, at.number, message, number)
        else:
            streams[lines[0].stream].columns.add(lines[0], at.number)
        at.counts.split += len(lines) - 1
        return None

    def _odd(self, at: At, raw: bytes) -> None:
        """A blank line, or a record beyond the limit."""
        if not raw:
            at.counts.skipped += 1
            count(self.tally.skipped, "IMC-8101", at.file, at.line)
            return
        self._reject(at, raw, Rejected("IMC-2003", length=at.batch.lengths[at.row], limit=RECORD_LIMIT, kept=KEPT))

    def _reject(self, at: At, raw: bytes, why: Rejected) -> None:
        self._forget(at)
        if not raw.strip(_BLANK):
            self._odd(at, b"")
            return
        if at.batch.open_end and at.row == len(at.batch) - 1 and why.code in CUT_OFF:
            why = Rejected("IMC-2005")
        at.counts.rejected += 1
        text = why.why()
        count(self.tally.rejects, why.code, at.file, at.line, why.values)
        self.part.rejects.write(self._located(why.code, at, text, raw))

    def _skip(self, at: At, raw: bytes, skip: Skip) -> None:
        self._forget(at)
        at.counts.skipped += 1
        text = cause_of(skip.code, skip.values)
        count(self.tally.skipped, skip.code, at.file, at.line, skip.values)
        if self.job.recalls:
            self._recall(skip, at)
        more: dict[str, Any] = {name: skip.values[name] for name in ("event", "of") if name in skip.values}
        if skip.ends:
            more["in"] = skip.ends
        self.part.skipped.write(self._located(skip.code, at, text, raw, more))

    def _recall(self, skip: Skip, at: At) -> None:
        """Take note of an event that recalls a message."""
        event = recall_events.event_of(skip, self.accounts, self.groups)
        if event:
            segment = self.job.segment.number
            row = recall_events.row_of(event, line=at.line, offset=at.offset, file=at.file, segment=segment)
            self.part.recalls.write(row.tobytes())

    def _located(self, code: str, at: At, why: str, raw: bytes, more: dict[str, Any] | None = None) -> bytes:
        """A line for rejects or skips; its `line` counts from 0 in the piece until it is sealed."""
        found = {
            "code": code,
            "file": self.job.inputs[at.file].label,
            "line": at.line,
            "offset": at.offset,
            "why": why,
            "remedy": remedy_of(code),
            **(more or {}),
            **({"head": self.head.decode()} if self.head else {}),
            **_raw(self.vendor.redact(raw) if self.vendor.redact else raw),
        }
        return b"%d\t" % at.file + msgspec.json.encode(found) + b"\n"

    def _note(self, kind: str, at: At) -> None:
        for code in dict.fromkeys(self.notes.repairs):
            count(self.tally.repairs, code, at.file, at.line)
        self._changed(kind, self.notes.changes, at)
        self._forget(at)

    def _forget(self, at: At) -> None:
        """Empty the notes for the next record; what was unknown about this one counts whatever became of it."""
        if self.notes.novel:
            self.radar.see(self.notes.novel, at.file, at.line)
        self.notes.clear()

    def _changed(self, kind: str, changes: Sequence[tuple[str, str]], at: At, times: int = 1) -> None:
        for outcome, name in dict.fromkeys(changes):
            count(self.tally.changes, f"{kind}\t{outcome}\t{name}", at.file, at.line, times=times)
        if changes:
            count(self.tally.changes, f"{kind}\tany\t", at.file, at.line, times=times)

    def _took(self, first: At, taken: Taken) -> None:
        """Count what the shortcut took."""
        if taken.records:
            self.tally.kinds[taken.label] = self.tally.kinds.get(taken.label, 0) + taken.records
            self._changed(taken.label, taken.changes, first, taken.records)
            for code in taken.repairs:
                count(self.tally.repairs, code, first.file, first.line, times=taken.records)

    def _timed(self, waiting: Gathering, left: list[At]) -> None:
        """Note the clock of the shortcut where it took any."""
        slow = Counter(id(at.batch) for at in left)
        for batch, counts in zip(waiting.batches, waiting.counts, strict=True):
            if slow[id(batch)] < len(batch) and self.way.clock not in counts.clocks:
                counts.clocks.append(self.way.clock)

    def finish(self) -> int:
        """Map what waits, and close the part, marker last; gives how many records were rejected."""
        self.map()
        part, tally = self.part, self.tally
        part.ids.write(ids_of(self.accounts).tobytes())
        part.missing.write(b"".join(_missing("account", self.accounts)) + b"".join(_missing("group", self.groups)))
        marker = PartMarker(
            segment=self.job.segment.number,
            refused=str(hash_of(self.job.refused)),
            pieces=self.pieces,
            rejects=tally.rejects,
            skipped=tally.skipped,
            repairs=tally.repairs,
            kinds=tally.kinds,
            changes=tally.changes,
            folded=self.folded + len(self.accounts.folded),
            files=part.finish() | self.media.finish(),
            drift=self.radar.found(),
            **facts(part),
        )
        durable.replace_file(self.work.part(self.job.segment.number, "json"), marker_bytes(marker))
        return sum(piece.rejected for piece in self.pieces)


def _refusal(job: MapJob) -> Callable[[str], bool] | None:
    """Says of an id that folds whether it is refused; None where no id is."""
    if not job.fold and not TARGETS[job.target].merge_fold(job.settings):
        return lambda source: True
    refused = frozenset(job.refused)
    return (lambda source: xxh3_64_intdigest(source.encode()) in refused) if refused else None


def hash_of(refused: tuple[int, ...]) -> int:
    """A short name for a set of refused ids."""
    return xxh3_64_intdigest(repr(sorted(refused)).encode())


def label_of(part: Body) -> str:
    """The word for a kind of content in reports."""
    return _LABELS.get(part.__class__) or part.kind  # type: ignore[union-attr]


_LABELS: dict[type, str] = {Text: "text", Place: "place", Notice: "notice"}


def _raw(raw: bytes) -> dict[str, str]:
    try:
        return {"raw": raw.decode()}
    except UnicodeDecodeError:
        return {"raw_base64": base64.b64encode(raw).decode()}


def ids_of(book: Book) -> Any:
    """The accounts met that no map names, as IDS rows; some may be there twice."""
    met = np.frombuffer(b"".join(given() for given in book.met), np.uint64)
    same = np.concatenate([met, _hashes(source for source in book if source not in book.map)])
    rows = np.empty(len(same) + len(book.folded), IDS)
    rows["source"] = np.concatenate([same, _hashes(book.folded)])
    rows["target"] = np.concatenate([same, _hashes(map(str, book.folded.values()))])
    return rows


def _hashes(ids: Iterable[str]) -> Any:
    return np.array([xxh3_64_intdigest(each.encode()) for each in ids], np.uint64)


def _missing(kind: str, book: Book) -> Iterator[bytes]:
    for source in sorted(book.missing):
        yield msgspec.json.encode([kind, source, book.missing[source]]) + b"\n"
