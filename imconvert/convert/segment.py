"""Map one segment: read, decode, encode; good records to lines and keys, the others to rejects and skips.

Plan: a record goes through `read` (vendor) and `write` (target); whatever is said about it on the way is in
`notes`. Runs in a worker; takes file names and numbers, leaves files and a marker.
Promise: every record of the segment is counted exactly once: written, rejected or skipped.
"""

from __future__ import annotations

import base64
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from imconvert import durable
from imconvert.convert import maps, recalls
from imconvert.convert.drift import Radar
from imconvert.convert.media import FOLDER, Apart
from imconvert.convert.names import is_named
from imconvert.convert.part import Part, facts
from imconvert.convert.plan import Piece, Segment
from imconvert.convert.work import IDS, Count, First, PartMarker, PieceCounts, WorkFolder, marker_bytes
from imconvert.errors import InputError, Rejected, cause_of, remedy_of
from imconvert.model import EPOCH, Notes, Notice, Place, Skip, Text, key_of
from imconvert.model import Part as Body
from imconvert.sources import pieces
from imconvert.sources.containers import Limits
from imconvert.sources.inputs import Input
from imconvert.sources.records import KEPT, RECORD_LIMIT, Batch
from imconvert.vendors import TARGETS, Target, find, shapes
from imconvert.vendors.contract import Book, Columns, LeftOut, MakeShortcut, Read, Shortcut, Taken, Write
from imconvert.vendors.shapes import Shape

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


@dataclass(slots=True)
class Tally:
    """What happened in one segment, by code, with the first example of each."""

    rejects: dict[str, Count] = field(default_factory=dict)
    skipped: dict[str, Count] = field(default_factory=dict)
    repairs: dict[str, Count] = field(default_factory=dict)
    changes: dict[str, Count] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)


def count(
    into: dict[str, Count], name: str, file: int, line: int, values: dict[str, Any] | None = None, times: int = 1
) -> None:
    """Count `name`, keeping its first place and, for a code with values, what it said there."""
    known = into.get(name)
    if known and known.first and known.first.file == file and line < known.first.line:
        known.first = First(file, line)
    if known is None:
        why = cause_of(name, values) if values is not None else ""
        into[name] = known = Count(0, First(file, line, why, values or {}))
    known.count += times


def map_segment(job: MapJob, progress: Progress) -> int:
    """Map `job.segment` into `job.work`, marker last; gives how many records were rejected.

    Raises IntegrityError IMC-6004 where a work file can't be written.
    """
    return map_by(Mapper, job, progress)


def map_by(kind: type[Mapper], job: MapJob, progress: Progress) -> int:
    """Map `job.segment` by a kind of mapper."""
    work = WorkFolder(job.work)
    durable.remove(work.part(job.segment.number, "json"))
    mapper = kind(job, work)
    gc.disable()
    try:
        for piece in job.segment.pieces:
            mapper.piece(piece, progress)
    finally:
        gc.enable()
    return mapper.finish()


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
        self.usual = self._shortcut(self.vendor.shortcut, compiled=job.compiled)
        self._behind(b"")
        self.marked = list(self._marked())
        columns = self.usual.columns if self.usual else Columns
        self.part = Part(work, job.segment.number, target.streams, columns, keep_lines=job.keep_lines)

    def _shortcut(self, own: MakeShortcut | None, *, compiled: bool) -> Shortcut | None:
        """The compiled shortcut if there is one and it is asked for, else the vendor's own, if it has one."""
        job, books, vendor, target = self.job, (self.accounts, self.groups), self.vendor, self.target
        if compiled and vendor.shape and target.line_forms:
            found = self._compiled(vendor.shape(job.settings), target)
            if found:
                return found
        return own(target, job.settings, *books, job.latest) if own else None

    def _compiled(self, shape: Shape, target: Target) -> Shortcut | None:
        assert target.line_forms
        forms, books = target.line_forms(self.job.settings), (self.accounts, self.groups)
        latest, plain = self.job.latest, target.plain_account
        return shapes.through(shape, forms, books=books, latest=latest, digest_of=target.digest_of, plain=plain)

    def _marked(self) -> Iterator[tuple[Shape, Shortcut]]:
        """The compiled shortcuts of the vendor's other formats."""
        vendor, target = self.vendor, self.target
        if self.job.compiled and vendor.more_shapes and target.line_forms:
            for shape in vendor.more_shapes(self.job.settings):
                found = self._compiled(shape, target)
                if found:
                    yield shape, found

    def _way(self, batch: Batch) -> Shortcut | None:
        """The shortcut for a batch, by its first record; whatever doesn't fit it goes the long way.

        Behind a head `through` is that of the input, or none for records of documents.
        """
        if batch.lengths:
            return None
        if self.marked:
            first = batch.records[0] if batch.text is None else batch.text[:LOOKED_AT]
            for shape, shortcut in self.marked:
                if shape.mark in first:
                    return shortcut if shape.any_head or not batch.head else None
        return self.through

    def piece(self, piece: Piece, progress: Progress) -> None:
        source = self.job.inputs[piece.file]
        counts = PieceCounts(piece.file)
        self.pieces.append(counts)
        build = self.vendor.tables or self.vendor.documents
        found = pieces.batches(source, piece.start, piece.stop, build, self.job.limits, progress, look=self._look())
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
        """One pass over the records of a batch, in order; most take the vendor's shortcut, if it has one."""
        self._begin(batch.head, counts)
        columns = tuple(stream.columns for stream in self.part.streams.values())

        def record(index: int, raw: bytes) -> None:
            try:
                self._record(batch, index, raw, counts)
            except Rejected as why:
                self._reject(batch, index, raw, why, counts)
            except LeftOut as why:
                self._skip(batch, index, raw, why.skip, counts)

        through = self._way(batch)
        if through:
            records = batch.text if through.splits and batch.text is not None else batch.records
            for taken in through.take(records, columns, record):
                self._took(batch, taken, counts)
        else:
            for index, raw in enumerate(batch.records):
                record(index, raw)
        if batch.crlf:
            count(self.tally.repairs, "IMC-3002", counts.file, batch.number(batch.first_crlf()), times=batch.crlf)
        counts.lines += sum(map(len, columns))
        self.part.flush(counts.file, batch)
        counts.read += len(batch)

    def _look(self) -> pieces.Look | None:
        survey, settings = self.vendor.survey, self.job.settings
        return (lambda label, begin: survey.look(label, begin, settings)) if survey else None

    def _begin(self, head: bytes, counts: PieceCounts) -> None:
        """Get ready for a batch with this head."""
        if head != self.head:
            self._behind(head)
        if self.vendor.survey and not counts.survey:
            counts.survey = head.decode()

    def _behind(self, head: bytes) -> None:
        """Read what follows as records of a document, or of an input, with this head."""
        vendor, job = self.vendor, self.job
        self.head = head
        read, through = vendor.behind(head)
        self.notes.clock = EPOCH
        self.read: Read = read(job.settings, self.notes, job.latest)
        self.clock = self.notes.clock
        self.through = self._shortcut(through, compiled=False) if head else self.usual

    def _record(self, batch: Batch, index: int, raw: bytes, counts: PieceCounts) -> None:
        """Read and write one record. Raises Rejected."""
        if not raw or index in batch.lengths:
            return self._odd(batch, index, raw, counts)
        notes = self.notes
        message = self.read(raw)
        if isinstance(message, Skip):
            return self._skip(batch, index, raw, message, counts)
        lines = self.write(self.media.named(message))
        if self.vendor.own_keys:
            lines = [line._replace(key=key_of(line.msgid, "", "", 0)) for line in lines]
        if notes.repairs and self.job.strict:
            raise Rejected(notes.repairs[0])
        if notes.clock not in counts.clocks:
            counts.clocks.append(notes.clock)
        self.media.take()
        label = notes.label or label_of(message.parts[0])
        if notes.repairs or notes.changes or notes.novel:
            self._note(label, counts.file, batch.number(index))
        self.tally.kinds[label] = self.tally.kinds.get(label, 0) + 1
        streams = self.part.streams
        if is_named(message, len(lines)):
            for number, line in enumerate(lines):
                streams[line.stream].add(line, index, message, number)
        else:
            streams[lines[0].stream].columns.add(lines[0], index)
        counts.split += len(lines) - 1
        return None

    def _odd(self, batch: Batch, index: int, raw: bytes, counts: PieceCounts) -> None:
        """A blank line, or a record beyond the limit."""
        if not raw:
            counts.skipped += 1
            count(self.tally.skipped, "IMC-8101", counts.file, batch.number(index))
            return
        why = Rejected("IMC-2003", length=batch.lengths[index], limit=RECORD_LIMIT, kept=KEPT)
        self._reject(batch, index, raw, why, counts)

    def _reject(self, batch: Batch, index: int, raw: bytes, why: Rejected, counts: PieceCounts) -> None:
        self._forget(counts.file, batch.number(index))
        if not raw.strip(_BLANK):
            self._odd(batch, index, b"", counts)
            return
        if batch.open_end and index == len(batch) - 1 and why.code in CUT_OFF:
            why = Rejected("IMC-2005")
        line = batch.number(index)
        counts.rejected += 1
        text = why.why()
        count(self.tally.rejects, why.code, counts.file, line, why.values)
        offset = int(batch.offsets[index])
        self.part.rejects.write(self._located(why.code, counts.file, line, offset, text, raw))

    def _skip(self, batch: Batch, index: int, raw: bytes, skip: Skip, counts: PieceCounts) -> None:
        line = batch.number(index)
        self._forget(counts.file, line)
        counts.skipped += 1
        text = cause_of(skip.code, skip.values)
        count(self.tally.skipped, skip.code, counts.file, line, skip.values)
        offset = int(batch.offsets[index])
        if self.job.recalls:
            self._recall(skip, counts.file, line, offset)
        more: dict[str, Any] = {name: skip.values[name] for name in ("event", "of") if name in skip.values}
        if skip.ends:
            more["in"] = skip.ends
        self.part.skipped.write(self._located(skip.code, counts.file, line, offset, text, raw, more))

    def _recall(self, skip: Skip, file: int, line: int, offset: int) -> None:
        """Take note of an event that recalls a message."""
        event = recalls.event_of(skip, self.accounts, self.groups)
        if event:
            segment = self.job.segment.number
            row = recalls.row_of(event, line=line, offset=offset, file=file, segment=segment)
            self.part.recalls.write(row.tobytes())

    def _located(
        self, code: str, file: int, line: int, offset: int, why: str, raw: bytes, more: dict[str, Any] | None = None
    ) -> bytes:
        """A line for rejects or skips; its `line` counts from 0 in the piece until it is sealed."""
        found = {
            "code": code,
            "file": self.job.inputs[file].label,
            "line": line,
            "offset": offset,
            "why": why,
            "remedy": remedy_of(code),
            **(more or {}),
            **({"head": self.head.decode()} if self.head else {}),
            **_raw(self.vendor.redact(raw) if self.vendor.redact else raw),
        }
        return b"%d\t" % file + msgspec.json.encode(found) + b"\n"

    def _note(self, kind: str, file: int, line: int) -> None:
        for code in dict.fromkeys(self.notes.repairs):
            count(self.tally.repairs, code, file, line)
        self._changed(kind, self.notes.changes, file, line)
        self._forget(file, line)

    def _forget(self, file: int, line: int) -> None:
        """Empty the notes for the next record; what was unknown about this one counts whatever became of it."""
        if self.notes.novel:
            self.radar.see(self.notes.novel, file, line)
        self.notes.clear()

    def _changed(self, kind: str, changes: Sequence[tuple[str, str]], file: int, line: int, times: int = 1) -> None:
        for outcome, name in dict.fromkeys(changes):
            count(self.tally.changes, f"{kind}\t{outcome}\t{name}", file, line, times=times)
        if changes:
            count(self.tally.changes, f"{kind}\tany\t", file, line, times=times)

    def _took(self, batch: Batch, taken: Taken, counts: PieceCounts) -> None:
        """Count what the shortcut took; it reads times as the reader does before its first record."""
        file = counts.file
        if taken.records:
            if self.clock not in counts.clocks:
                counts.clocks.append(self.clock)
            self.tally.kinds[taken.label] = self.tally.kinds.get(taken.label, 0) + taken.records
            self._changed(taken.label, taken.changes, file, batch.number(taken.first), taken.records)

    def finish(self) -> int:
        part, tally = self.part, self.tally
        part.ids.write(ids_of(self.accounts).tobytes())
        part.missing.write(b"".join(_missing("account", self.accounts)) + b"".join(_missing("group", self.groups)))
        sums = part.finish() | self.media.finish()
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
            files=sums,
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
    """The accounts met that no map names, as IDS rows."""
    same = [source for source in book if source not in book.map]
    rows = np.empty(len(same) + len(book.folded), IDS)
    hashes = [xxh3_64_intdigest(source.encode()) for source in same]
    rows["source"] = hashes + [xxh3_64_intdigest(source.encode()) for source in book.folded]
    rows["target"] = hashes + [xxh3_64_intdigest(str(target).encode()) for target in book.folded.values()]
    return rows


def _missing(kind: str, book: Book) -> Iterator[bytes]:
    for source in sorted(book.missing):
        yield msgspec.json.encode([kind, source, book.missing[source]]) + b"\n"
