"""Read everything as a run would, and write nothing that lasts but the missing ids, if asked for: all errors at once.

Plan: map without keeping lines, then resolve on the hashes alone (128 bits: a false duplicate in 10^9 messages has
a chance of about 10^-21). Needs about 80 bytes of disk for a message, in a folder that goes at the end.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from imconvert import durable
from imconvert.convert.books import ledger, manifest
from imconvert.convert.books.manifest import Example, Labels, Manifest
from imconvert.convert.map import maps
from imconvert.convert.options import Options
from imconvert.convert.plan import make_plan
from imconvert.convert.ports import Clock, Watcher
from imconvert.convert.resolve.drops import Drops
from imconvert.convert.resolve.lines import LineReader
from imconvert.convert.run import Outcome, Run
from imconvert.convert.work import (
    CONFLICT,
    DUPLICATE,
    LEFT_OUT,
    MARKED_RENUMBERED,
    RECALLED,
    RENUMBERED,
    TOMBSTONES,
    Count,
    First,
    PartMarker,
    Resolved,
    WorkFolder,
    bases_of,
    place_number,
)
from imconvert.errors import cause_of


def check(options: Options, base: Path | None, watch: Watcher, clock: Clock, facts: dict[str, Any]) -> Outcome:
    """What a run of these options would report; its scratch folder lies below `base` and goes at the end.

    New ids need lines, so conflicts that a run would rekey are told as conflicts.
    """
    policy = "quarantine" if options.on_conflict == "rekey" else options.on_conflict
    options = replace(options, keep_lines=False, on_conflict=policy)
    options.complete_settings()
    with durable.scratch_folder(base) as folder:
        plan = make_plan(replace(options, output=folder), clock)
        return _Check(options, plan, WorkFolder(folder), watch, clock, facts).run()


class _Check(Run):
    """A run that ends when all is known."""

    def run(self) -> Outcome:
        with self.pool:
            parts = self._read_all()
            found = self._found(parts, self._settler().settle(parts, self._basis(parts)))
        if self.options.write_missing:
            maps.write_missing(self.options.write_missing, [self.work.part(part.segment, "missing") for part in parts])
        return Outcome(found, self._run_facts(found), again=False)

    def _found(self, parts: list[PartMarker], resolved: Resolved) -> Manifest:
        found = manifest.new(self.plan)
        books = ledger.accounts(parts, [], len(self.plan.inputs))
        bases = bases_of(parts)
        labels = Labels(self.plan, bases)
        found.inputs = manifest.input_facts(self.plan, parts, books)
        self._describe(found, parts, labels)
        found.totals = ledger.total(books)
        kinds = resolved.total()
        found.totals.duplicates, found.totals.conflicts = kinds[DUPLICATE], kinds[CONFLICT]
        recalled = kinds[RECALLED]
        found.totals.skipped += recalled
        if recalled:
            found.skipped["IMC-8140"] = self._first_recalled(parts, recalled, labels)
        found.recalls = self._recalls(recalled + sum(kinds[kind] for kind in TOMBSTONES), bases)
        found.collisions = self._collided(kinds[RENUMBERED] + kinds[MARKED_RENUMBERED], {})
        lines = sum(sum(part.rows) for part in parts)
        found.totals.written = lines - sum(kinds[kind] for kind in LEFT_OUT)
        ledger.check([found.totals], ["all inputs"], found.totals.written)
        return found

    def _first_recalled(self, parts: list[PartMarker], count: int, labels: Labels) -> Example:
        """The recalled lines as an example of what is skipped, with the first in input order."""
        with durable.Reader(self.work.drops) as reader, LineReader(self.work, self.target) as lines:
            for part in parts:
                places = [
                    window["place"][window["kind"] == RECALLED][:1]
                    for stream in range(len(self.target.streams))
                    for window in Drops(reader).windows(*(place_number(part.segment, stream + n, 0) for n in (0, 1)))
                ]
                rows = lines.rows(np.concatenate([np.empty(0, np.uint64), *places]))
                if len(rows):
                    file, line = min((row[6], row[1]) for row in rows.tolist())
                    return labels.example(
                        part.segment, "IMC-8140", Count(count, First(file, line, cause_of("IMC-8140")))
                    )
        raise AssertionError("there are recalled lines")
