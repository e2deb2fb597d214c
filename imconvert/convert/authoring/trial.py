"""Try a mapping on a file without writing anything: the first records side by side, and all errors of the rest.

Strategy: the same reading, the same reader and the same writer as in a run, one record at a time; ids are not looked up
in maps, and duplicates are not looked for: that is what `imconvert check` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from imconvert.convert.map.segment import label_of
from imconvert.convert.options import Options
from imconvert.errors import CATALOGUE, InputError, Rejected, cause_of, remedy_of
from imconvert.model import Message, Notes, Skip
from imconvert.sources import pieces
from imconvert.sources.inputs import expand, open_inputs
from imconvert.vendors import CUSTOM, TARGETS, find
from imconvert.vendors.contract import Book, LeftOut, Read, Vendor, Write
from imconvert.vendors.custom.coverage import Coverage, coverage_of

BLANK = b" \t\r\n\xef\xbb\xbf"
SHOWN = 4000
"""Bytes of a record that are shown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One record: its place, itself, what was read, what was written, and what was noted; or the code of its fate."""

    place: str
    source: str
    canonical: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    code: str = ""
    why: str = ""


@dataclass(slots=True)
class Seen:
    """How often something happened, where first, and in what words."""

    count: int
    place: str
    why: str = ""
    remedy: str = ""


@dataclass(slots=True)
class Trial:
    """What a mapping makes of a file. `never` are its paths that were set in no record."""

    records: int = 0
    written: int = 0
    rejected: int = 0
    skipped: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    codes: dict[str, Seen] = field(default_factory=dict)
    drift: dict[str, Seen] = field(default_factory=dict)
    never: list[str] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)


class _Road:
    """Reader and writer of a trial, made anew for each head."""

    def __init__(self, vendor: Vendor, target: str, options: Options, latest: int) -> None:
        self.vendor, self.latest = vendor, latest
        self.target = TARGETS[target]
        self.notes = Notes()
        self.settings = options.complete_settings()
        accounts, groups = Book(self.target.account_rule_by(self.settings)), Book(self.target.group_rule)
        self.write: Write = self.target.writer(self.settings, self.notes, accounts, groups)
        self.head = b""
        self.read: Read = vendor.reader(self.settings, self.notes, latest)

    def behind(self, head: bytes) -> None:
        if head != self.head and self.vendor.tables:
            self.head = head
            self.read = self.vendor.tables.reader(self.settings, self.notes, self.latest, head)


def try_out(options: Options, latest: int, *, show: int, limit: int) -> Trial:
    """Read up to `limit` records of the inputs (0: all) by the mapping, and keep `show` of them.

    Raises UsageError for the mapping, InputError for an input that can't be read whole.
    """
    text = options.mapping() or ""
    options.vendor()
    road = _Road(find(CUSTOM, text), options.target, options, latest)
    trial, coverage = Trial(), coverage_of(text)
    inputs, unreadable = open_inputs(expand(options.inputs), options.limits)
    for bad in unreadable:
        raise InputError(bad.code, bad.label, **bad.values)
    build = road.vendor.tables or road.vendor.documents
    for source in inputs:
        for batch in pieces.batches(source, 0, -1, build, options.limits, lambda count: None):
            road.behind(batch.head)
            for index, raw in enumerate(batch.records):
                if limit and trial.records >= limit:
                    return _ended(trial, coverage)
                _one(trial, road, f"{source.label}:{batch.number(index) + 1}", raw, show)
                coverage.see(raw, batch.head)
    return _ended(trial, coverage)


def _ended(trial: Trial, coverage: Coverage) -> Trial:
    trial.never = coverage.never()
    return trial


def _one(trial: Trial, road: _Road, place: str, raw: bytes, show: int) -> None:
    notes = road.notes
    notes.clear()
    trial.records += 1
    found = _mapped(road, raw)
    for what, name in notes.novel:
        _count(trial.drift, f"{what} {name}", place)
    if found.code:
        rejected = found.code.startswith("IMC-2")
        trial.rejected += rejected
        trial.skipped += not rejected
        _count(trial.codes, found.code, place, found.why)
    else:
        trial.written += len(found.lines)
        for code in dict.fromkeys(notes.repairs):
            _count(trial.codes, code, place, cause_of(code))
        kind = (found.canonical or {})["parts"][0]["part"]
        trial.kinds[kind] = trial.kinds.get(kind, 0) + 1
    if len(trial.shown) < show and found.code != "IMC-8130":
        trial.shown.append(replace(found, place=place, source=raw[:SHOWN].decode("utf-8", "replace")))


def _mapped(road: _Road, raw: bytes) -> Shown:
    if not raw.strip(BLANK):
        return Shown("", "", code="IMC-8101", why=cause_of("IMC-8101"))
    try:
        message = road.read(raw)
        if isinstance(message, Skip):
            return Shown("", "", code=message.code, why=cause_of(message.code, message.values))
        lines = road.write(message)
    except LeftOut as why:
        return Shown("", "", code=why.skip.code, why=cause_of(why.skip.code, why.skip.values))
    except Rejected as why:
        return Shown("", "", code=why.code, why=why.why())
    notes = [f"{code} {CATALOGUE[code].name}" for code in dict.fromkeys(road.notes.repairs)]
    notes += [f"{outcome}: {name}" for outcome, name in dict.fromkeys(road.notes.changes)]
    return Shown("", "", canonical_of(message), tuple(line.data.decode() for line in lines), tuple(notes))


def canonical_of(message: Message) -> dict[str, Any]:
    """The message as plain data; each part says what it is."""
    found = msgspec.to_builtins(message)
    parts = [dict(_part(part)) for part in message.parts]
    return {**{key: value for key, value in found.items() if value is not None}, "parts": parts}


def _part(part: Any) -> Iterator[tuple[str, Any]]:
    yield "part", label_of(part)
    for name, value in msgspec.to_builtins(part).items():
        if value is not None and name != "extra":
            yield name, value
    if part.extra:
        yield "extra", part.extra


def _count(into: dict[str, Seen], name: str, place: str, why: str = "") -> None:
    seen = into.setdefault(name, Seen(0, place, why, remedy_of(name) if name in CATALOGUE else ""))
    seen.count += 1
