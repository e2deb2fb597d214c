"""Take in what is handed in: check it, leave out what is known, store the rest, and say what became of each record.

Strategy: all that wait are taken in together, with one sync.
Promise: what a receipt calls accepted or held is on the disk. Records are only compared while the feed has read all
that comes before them; until then they are stored first, and compared when they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from imconvert.errors import IntegrityError, Rejected
from imconvert.serve.intake import Checked
from imconvert.serve.judging import NEW, OTHER, SAME, Batch, Verdicts
from imconvert.serve.register import Register
from imconvert.serve.spool import Appended
from imconvert.serve.state import place
from imconvert.serve.taking import CONFLICT, Taker, held_line

BEHIND = 4 << 20
"""Bytes still to be taken with which records are stored first and compared later."""


@dataclass(slots=True)
class Receipt:
    """What became of records handed in together. The numbers in `rejected` and `held` count them from 1.

    `undecided` are stored durably, but could not be compared yet, because the feed is still reading older lines.
    """

    accepted: int = 0
    duplicates: int = 0
    undecided: int = 0
    rejected: list[tuple[int, Rejected]] = field(default_factory=list)
    held: list[tuple[int, Rejected]] = field(default_factory=list)


@dataclass(slots=True)
class Job:
    """Records handed in together, one a line, and whom to tell."""

    body: bytes
    answer: Future[Receipt]


@dataclass(slots=True)
class Receiver:
    """Takes jobs in. `advance` takes one step of what is pending."""

    taker: Taker
    register: Register
    advance: Callable[[], None]
    ingested: int = 0
    rejected: int = 0

    def take_in(self, jobs: Sequence[Job], now: int, latest: int) -> list[Receipt]:
        """Take records in that came until `now` (ms) and are not from after `latest` (ms). Raises IntegrityError
        IMC-6004; then nothing is sure."""
        bodies = [job.body.split(b"\n") for job in jobs]
        checked = self.taker.checker.check([record for body in bodies for record in body], latest)
        verdicts = self._stored(checked)
        receipts = _receipts([len(body) for body in bodies], checked, verdicts)
        if verdicts:
            self._hold(checked, verdicts, now)
        self.ingested += sum(receipt.accepted for receipt in receipts)
        self.rejected += len(checked.refused)
        return receipts

    def _stored(self, checked: Checked) -> Verdicts | None:
        """Append what is new; gives the verdicts, None where none were possible and all was appended."""
        while self._caught_up():
            verdicts = self.taker.judge.judge(Batch(checked.keys, checked.digests, checked.lines))
            if not verdicts.fresh or self._appended(checked, verdicts):
                return verdicts
            self.register.look()
        if checked.lines:
            self.taker.spool.append(b"\n".join(checked.lines) + b"\n")
        return None

    def _appended(self, checked: Checked, verdicts: Verdicts) -> bool:
        """Append the new records and take them up, which need no second look; False if others appended meanwhile."""
        file = self.register.state.files[-1]
        numbers = list(verdicts.fresh.values())
        lines = [checked.lines[number] for number in numbers]
        done = self.taker.spool.append(b"\n".join(lines) + b"\n", expected=Appended(Path(file.path), 0, file.taken))
        if not done:
            return False
        begins = accumulate((len(line) + 1 for line in lines), initial=done.start)
        for key, number, begin in zip(verdicts.fresh, numbers, begins, strict=False):
            self.taker.index.add(key, checked.digests[number], place(file.number, begin))
        file.saw([checked.times[number] for number in numbers])
        file.records += len(lines)
        self.register.grew(file, done.stop)
        file.taken = done.stop
        return True

    def _caught_up(self) -> bool:
        """Take what others appended meanwhile; False if that is much, or cannot be read."""
        if self.register.unread(BEHIND):
            return False
        try:
            while self.register.pending():
                self.advance()
        except IntegrityError:  # the same step fails again where it is shown
            return False
        return self.register.state.files[-1].kind == "spool"

    def _hold(self, checked: Checked, verdicts: Verdicts, now: int) -> None:
        """Store records in conflict, durably, before anybody is told."""
        held = [
            held_line(CONFLICT, {}, line, {"handed_in_ms": now}, verdicts.served.get(number))
            for number, (line, kind) in enumerate(zip(checked.lines, verdicts.kinds, strict=True))
            if kind == OTHER
        ]
        if held:
            self.taker.spool.hold(b"".join(held))
            self.taker.held += len(held)


def _receipts(sizes: Sequence[int], checked: Checked, verdicts: Verdicts | None) -> list[Receipt]:
    """A receipt for each body of so many records; without verdicts all are accepted and undecided."""
    owners = [number for number, size in enumerate(sizes) for _ in range(size)]
    bases = list(accumulate(sizes, initial=0))
    receipts = [Receipt() for _ in sizes]
    kinds = verdicts.kinds if verdicts else [NEW] * len(checked.lines)
    for source, kind in zip(checked.sources, kinds, strict=True):
        receipt, line = receipts[owners[source]], source - bases[owners[source]] + 1
        if kind == NEW:
            receipt.accepted += 1
        elif kind == SAME:
            receipt.duplicates += 1
        else:
            receipt.held.append((line, Rejected(CONFLICT)))
    for source, why in checked.refused:
        receipts[owners[source]].rejected.append((source - bases[owners[source]] + 1, why))
    for receipt in receipts:
        receipt.undecided = 0 if verdicts else receipt.accepted
    return receipts
