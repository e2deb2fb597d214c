"""Decide about every line of a run: whether it is written, and under which number.

Order: derived numbers that several source ids share, then keys that several lines share, round by round where
conflicts get new ids, then messages that were recalled. All that is decided stands in lists of drops; the marker
`resolved.json` comes last and names what it was decided for, so that an interrupted run decides again unless all fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imconvert import durable
from imconvert.convert.options import Options
from imconvert.convert.pool import Engine
from imconvert.convert.resolve import drops, numbers, recalls
from imconvert.convert.resolve.keys import Keys
from imconvert.convert.resolve.numbers import Known
from imconvert.convert.resolve.partition import ResolveJob
from imconvert.convert.resolve.recalls import CHUNK, POLICIES, RecallJob, find_recalled
from imconvert.convert.resolve.rekey import Rekeyed
from imconvert.convert.work import (
    CONFLICT,
    DROP,
    RECALL,
    Array,
    Decided,
    PartMarker,
    RecallFacts,
    Resolved,
    WorkFolder,
    marker_bytes,
    read_rows,
)
from imconvert.vendors.contract import Target

Phase = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Settler:
    """The parts of a run on which deciding depends. `phase` is told what begins, with how many keys; `own_keys` as in
    the source's `Vendor`; `known` gives the numbers that source ids have in a finished output."""

    work: WorkFolder
    options: Options
    target: Target
    engine: Engine
    keys: Keys
    phase: Phase
    own_keys: bool = False
    known: Known = lambda names: {}

    def settle(self, parts: list[PartMarker], basis: str) -> Resolved:
        """Leave lists of drops, and the marker for `basis`; nothing to do where both are there and whole."""
        known = self.work.read_resolved(basis)
        if known:
            return known
        self.phase("resolve", sum(sum(part.runs) + sum(part.numbers) for part in parts))
        collided, moved = self._number(parts)
        found, more = self._resolve(parts, self.work.renumbered if moved else None)
        own, facts = self._recall(parts) if self.options.recalls != "keep" else ({}, None)
        if more or own:
            found = self.keys.merge(more, own)
        resolved = Resolved(found.files, found.kinds, basis, collided, facts)
        durable.replace_file(self.work.resolved, marker_bytes(resolved))
        return resolved

    def _number(self, parts: list[PartMarker]) -> tuple[int, int]:
        """See that derived numbers are unique; gives how many ids got another one, and how many lines have such."""
        if not any(part.numbers for part in parts):
            return 0, 0
        collided = self.keys.collisions(parts)
        if not collided:
            return 0, 0
        return numbers.renumbered(self.work, collided, lambda: self._rows(parts), self.known)

    def _rows(self, parts: list[PartMarker]) -> Iterator[Array]:
        """All rows of a run; parts that stand in for finished shards have them, too."""
        paths = [self.work.part(part.segment, f"{stream}.rows") for part in parts for stream in self.target.streams]
        return numbers.all_rows([path for path in paths if durable.exists(path)])

    def _resolve(self, parts: list[PartMarker], changed: Path | None) -> tuple[Decided, list[Path]]:
        """Decide about lines with equal keys; rounds go on until no line that got a new id is in conflict.

        Gives the lists of drops, and further ones that are to be merged into them.
        """
        lines = self.options.keep_lines
        rekeyed = Rekeyed(self.work, self.target, changed, own_keys=self.own_keys, lines=lines)
        found = self.keys.decide(parts, self._job(rekeyed, changed))
        while self.options.on_conflict == "rekey" and rekeyed.again(self._conflicts(found)):
            found = self.keys.decide(parts, self._job(rekeyed, changed))
        return found, self._left(found, rekeyed, changed)

    def _job(self, rekeyed: Rekeyed, changed: Path | None) -> ResolveJob:
        """What all partitions have in common."""
        again = rekeyed.files()
        return ResolveJob(
            work=self.work.path,
            target=self.target.name,
            partition=0,
            first=0,
            stop=0,
            files=(),
            last_wins=self.options.on_conflict == "keep-last",
            without=again[0] if again else None,
            later=again[1] if again else None,
            renumbered=changed,
            confirm=self.options.keep_lines,
            own_keys=self.own_keys,
        )

    def _left(self, found: Decided, rekeyed: Rekeyed, changed: Path | None) -> list[Path]:
        """Write the new numbers of lines about which nothing else was decided, as further lists."""
        lists = self._lists(found)
        left = {"rekeyed.left": rekeyed.left(lists)}
        if changed:
            rows = read_rows(changed, DROP)
            left["renumbered.left"] = drops.left(rows[~np.isin(rows["place"], list(rekeyed.salts))], lists)
        return [self._write(name, rows) for name, rows in left.items() if len(rows)]

    def _write(self, name: str, rows: Array) -> Path:
        writer = durable.Writer(self.work.path / name)
        writer.write(rows.tobytes())
        writer.finish()
        return writer.path

    def _lists(self, found: Decided) -> list[Path]:
        return [self.work.path / name for name in found.files]

    def _conflicts(self, found: Decided) -> list[int]:
        """The places of lines in conflict; they are few, or the new ids would not fit the memory."""
        if not found.total()[CONFLICT]:
            return []
        return [
            place
            for rows in drops.every(self._lists(found))
            for place in rows["place"][rows["kind"] == CONFLICT].tolist()
        ]

    def _recall(self, parts: list[PartMarker]) -> tuple[dict[int, list[Path]], RecallFacts]:
        """Find the lines that were recalled; they become a list of drops for each segment and chunk of events."""
        talks = self.options.keep_lines
        met, since = np.zeros(self._gather(parts), bool), self._earlier()
        own: dict[int, list[Path]] = {}
        for chunk, base in enumerate(range(0, len(met), CHUNK)):
            stop = min(len(met), base + CHUNK)
            jobs = [
                RecallJob(self.work.path, self.target.name, part.segment, base, stop, chunk,
                          POLICIES[self.options.recalls], talks)
                for part in parts if sum(part.rows)
            ]  # fmt: skip
            for _, events in self.engine.run(find_recalled, jobs):
                met[events] = True
            for job in jobs:
                own.setdefault(job.segment, []).append(self.work.recalled(job.segment, chunk))
        tally = recalls.tally(self.work, met, since, talks=talks)
        return own, RecallFacts(tally.events, tally.without, self._place(tally.first))

    def _gather(self, parts: list[PartMarker]) -> int:
        """Bring all recall events into one file, those of a finished output first; gives how many there are."""
        sources = [self.work.part(part.segment, "recalls") for part in parts if part.recalls]
        earlier = [self.work.earlier_recalls] if self._earlier() else []
        _, size, _ = durable.join_files(self.work.recalls, [*earlier, *sources])
        return size // RECALL.itemsize

    def _earlier(self) -> int:
        """How many events come from a finished output."""
        return (durable.size_of(self.work.earlier_recalls) or 0) // RECALL.itemsize

    def _place(self, event: int) -> tuple[int, int, int, int] | None:
        if event < 0:
            return None
        row = read_rows(self.work.recalls, RECALL, event, event + 1)[0]
        return int(row["segment"]), int(row["file"]), int(row["line"]), int(row["offset"])
