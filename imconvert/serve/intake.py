"""Check records that somebody hands in while the feed serves, exactly as a conversion would.

Strategy: the target's own reader and writer turn each record into its canonical line; most take the vendor's shortcut.
Promise: every record handed in is a line, a blank, or a refusal with its number, code and cause.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from imconvert.errors import Rejected
from imconvert.model import Message, Notes, Skip
from imconvert.sources.records import RECORD_LIMIT
from imconvert.vendors import find
from imconvert.vendors.contract import Book, Columns, Read, Settings, Target

MOST_IDS = 200_000
"""Ids remembered as already checked; beyond, the memory begins anew."""


@dataclass(slots=True)
class Checked:
    """Canonical lines (without LF) with keys, digests, times and record numbers, in order; refusals; blanks."""

    lines: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    refused: list[tuple[int, Rejected]] = field(default_factory=list)
    blank: int = 0


class Checker:
    """Checks records for a target. `latest` is the upper bound for their times in ms, moved on by the caller."""

    def __init__(self, target: Target, settings: Settings) -> None:
        self.target = target
        self.settings = settings
        self.vendor = find(target.name)
        self._renew()

    def _renew(self) -> None:
        merge = self.target.merge_fold(self.settings)
        self._accounts = Book(self.target.account_rule, refused=None if merge else lambda source: True)
        self._groups = Book(self.target.group_rule)

    def check(self, raws: Sequence[bytes], latest: int) -> Checked:
        """Check records, given without their line ends."""
        if len(self._accounts) + len(self._groups) > MOST_IDS:
            self._renew()
        notes, found = Notes(), Checked()
        columns = [Columns() for _ in self.target.streams]
        streams = dict(zip(self.target.streams, columns, strict=True))
        read = self.vendor.reader(self.settings, notes, latest)
        write = self.target.writer(self.settings, notes, self._accounts, self._groups)

        def at_length(index: int, raw: bytes) -> None:
            notes.clear()
            if not raw.strip():
                found.blank += 1
                return
            try:
                for line in write(_message(read, raw)):
                    streams[line.stream].add(line, index)
            except Rejected as why:
                why.__traceback__ = why.__cause__ = why.__context__ = None  # they hold KiB of frames
                found.refused.append((index, why))

        maker = self.vendor.shortcut
        through = maker(self.target, self.settings, self._accounts, self._groups, latest) if maker else None
        if through:
            through.take(list(raws), tuple(columns), at_length)
        else:
            for index, raw in enumerate(raws):
                at_length(index, raw)
        _in_order(columns, found)
        return found


def _message(read: Read, raw: bytes) -> Message:
    if len(raw) > RECORD_LIMIT:
        raise Rejected("IMC-2003", length=len(raw), limit=RECORD_LIMIT, kept=0)
    message = read(raw)
    if isinstance(message, Skip):
        raise Rejected(message.code, **message.values)
    return message


def _in_order(columns: Sequence[Columns], found: Checked) -> None:
    """Bring the lines of all streams into the order of their records."""
    if sum(bool(one.lines) for one in columns) == 1:
        one = next(one for one in columns if one.lines)
        found.lines, found.keys, found.digests = one.lines, one.keys, one.digests
        found.times, found.sources = one.times, one.sources
        return
    rows = sorted(
        (row for one in columns for row in zip(one.sources, one.lines, one.keys, one.digests, one.times, strict=True)),
        key=lambda row: row[0],
    )
    for source, line, key, digest, time in rows:
        found.sources.append(source)
        found.lines.append(line)
        found.keys.append(key)
        found.digests.append(digest)
        found.times.append(time)
