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
from imconvert.convert import drops, ledger, manifest, maps
from imconvert.convert.drops import Drops
from imconvert.convert.manifest import Labels, Manifest
from imconvert.convert.options import Options
from imconvert.convert.run import Clock, Outcome, Run, Watcher, bases_of, make_plan
from imconvert.convert.work import CONFLICT, DUPLICATE, KINDS, RENUMBERED, PartMarker, WorkFolder


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
            self._settler().settle(parts, self._basis(parts))
            found = self._found(parts)
        if self.options.write_missing:
            maps.write_missing(self.options.write_missing, [self.work.part(part.segment, "missing") for part in parts])
        return Outcome(found, self._run_facts(found), again=False)

    def _found(self, parts: list[PartMarker]) -> Manifest:
        found = manifest.new(self.plan)
        books = ledger.accounts(parts, [], len(self.plan.inputs))
        labels = Labels(self.plan, bases_of(parts))
        found.inputs = manifest.input_facts(self.plan, parts, books)
        self._describe(found, parts, labels)
        found.totals = ledger.total(books)
        kinds = self._decided()
        found.totals.duplicates, found.totals.conflicts = kinds[DUPLICATE], kinds[CONFLICT]
        found.collisions = self._collided(kinds[RENUMBERED], {})
        lines = sum(sum(part.rows) for part in parts)
        found.totals.written = lines - found.totals.duplicates - found.totals.conflicts
        ledger.check([found.totals], ["all inputs"], found.totals.written)
        return found

    def _decided(self) -> list[int]:
        """How many lines are not written as they are, by kind."""
        counts = np.zeros(KINDS, np.int64)
        with durable.Reader(self.work.drops) as reader:
            for window in Drops(reader).windows(*drops.EVERY_PLACE):
                counts += np.bincount(window["kind"].astype(np.int64), minlength=KINDS)
        return [int(count) for count in counts]
