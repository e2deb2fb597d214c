"""Arrange the lines of a run for a target that is loaded in time order: buckets of whole conversations, each sorted.

Strategy: an external sort in two steps, of which both are spread over the workers. `scatter` makes sorted runs of each
segment; `gather` brings together what all runs hold of a bucket, and lets the target finish it. How many buckets a
stream has follows from its bytes alone.
Promise: conversations never cross buckets; the same bytes for any number of workers and after any interruption. What a
step has left is believed only if its sums fit and it was made for the same decisions.
Order of durable writes: runs, their marker; shard, index, their marker. Nothing of an earlier step is deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from imconvert.convert.arrange.bucket import ROW, BucketMarker, GatherJob, gathered
from imconvert.convert.arrange.runs import BOUND, MOST_BITS, WINDOW_BYTES, bucket_rows
from imconvert.convert.arrange.scatter import WIDTH, ScatterJob, ScatterMarker, scattered
from imconvert.convert.books.manifest import Arranged, BlockerFacts, Fidelity, Labels, Manifest
from imconvert.convert.pool import Engine
from imconvert.convert.work import Count, Decided, PartMarker, SealMarker, WorkFolder, read_rows
from imconvert.errors import CATALOGUE, IntegrityError, cause_of, remedy_of
from imconvert.vendors.contract import Blocker, Settings, Target
from imconvert.vendors.values import day

WANTED_BYTES = 48 << 20
MOST_SALTS = 64
MOST_RUNS, MOST_WINDOW = 1024, 24 << 20
"""Bytes of lines that a bucket is sized for; hashes that are tried; about how many runs there should be at most, and
the most bytes of one."""

NO_SEGMENT = -1
"""Stands for the segment where something is counted by bucket, with places in the whole input."""

Phase = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Arranger:
    """The parts of a run on which arranging depends; `bases`, `vendor` and `settings` as for sealing; `decided` names
    the lists of drops."""

    work: WorkFolder
    target: Target
    pool: Engine
    phase: Phase
    bases: dict[tuple[int, int], int]
    decided: Decided
    vendor: str
    settings: dict[str, str]
    width: int = WIDTH

    def arrange(self, parts: Sequence[PartMarker], basis: str) -> list[BucketMarker]:
        """The buckets that hold anything, in order of streams and buckets; what is there already is taken over."""
        bits = tuple(map(bits_for, self._sizes(parts)))
        for salt in range(MOST_SALTS):
            own = f"{basis}-{salt}"
            found = self._gather(self._scatter(parts, bits, own, salt), bits, own, salt)
            if found is not None:
                return found
        raise IntegrityError("IMC-6001", detail=f"conversations have the same hash under {MOST_SALTS} salts")

    def _sizes(self, parts: Sequence[PartMarker]) -> list[int]:
        """Bytes of each stream, whatever will be dropped of them."""
        return [
            sum(part.files[self.work.part(part.segment, stream).name].size for part in parts)
            for stream in self.target.streams
        ]

    def _scatter(
        self, parts: Sequence[PartMarker], bits: tuple[int, ...], basis: str, salt: int
    ) -> list[ScatterMarker]:
        size = sum(self._sizes(parts))
        self.phase("arrange", 2 * size)
        jobs = [
            ScatterJob(
                self.work.path, self.target.name, part.segment, bits, self.bases,
                self.work.list_of(self.decided, part.segment), basis, self.vendor, self.settings, window_for(size),
                part.ranges, self._stay(part, salt), salt, self.width,
            )
            for part in parts
        ]  # fmt: skip
        return [marker for _, marker in sorted(self.pool.run(scattered, jobs), key=itemgetter(0))]

    def _stay(self, part: PartMarker, salt: int) -> tuple[bool, ...]:
        """Whether the lines of each stream are in the order of this hash in the part, and none is to be rewritten."""
        usual = salt == 0 and self.width == WIDTH
        return tuple(
            usual and bool(part.ranges and part.ranges[number]) and not self.decided.rewritten(part.segment, number)
            for number in range(len(self.target.streams))
        )

    def _gather(
        self, scattered: list[ScatterMarker], bits: tuple[int, ...], basis: str, salt: int
    ) -> list[BucketMarker] | None:
        """None where two conversations turned out to have the same hash."""
        jobs = [
            job
            for number, stream in enumerate(self.target.streams)
            for job in self._jobs(scattered, number, stream, bits[number], basis, salt)
        ]
        found = [marker for _, marker in sorted(self.pool.run(gathered, jobs), key=itemgetter(0))]
        return None if None in found else found

    def _jobs(
        self, scattered: list[ScatterMarker], number: int, stream: str, bits: int, basis: str, salt: int
    ) -> list[GatherJob]:
        """A job for each bucket that holds anything; their shards have consecutive names."""
        runs = tuple((marker.segment, marker.runs[number]) for marker in scattered if marker.runs[number])
        stay = frozenset(marker.segment for marker in scattered if marker.stay[number])
        rows = np.zeros(1 << bits, np.uint64)
        for segment, _ in runs:
            rows += bucket_rows(read_rows(self.work.scattered(segment, f"{stream}.bounds"), BOUND), bits)
        filled = np.flatnonzero(rows).tolist()
        names = [f"{stream}-{place:05}{self.target.suffix}" for place in range(1, len(filled) + 1)]
        return [
            GatherJob(
                self.work.path, self.target.name, stream, bucket, bits, runs, name, basis, self.settings, salt, stay
            )
            for bucket, name in zip(filled, names, strict=True)
        ]


def bits_for(size: int) -> int:
    """How many buckets a stream of so many bytes gets, as a power of two."""
    bits = 0
    while bits < MOST_BITS and WANTED_BYTES << bits < size:
        bits += 1
    return bits


def window_for(size: int) -> int:
    """Bytes of lines that become a run, of so many in all: more where there is more, lest runs be too many."""
    return min(max(WINDOW_BYTES, size // MOST_RUNS), MOST_WINDOW)


def as_seals(buckets: Sequence[BucketMarker]) -> list[SealMarker]:
    """What the books have to know of the buckets."""
    return [
        SealMarker(NO_SEGMENT, [bucket.shard], {}, {}, {}, bucket.written, {}, {}, {}, bucket.basis)
        for bucket in buckets
    ]


def describe(
    found: Manifest, buckets: Sequence[BucketMarker], target: Target, settings: Settings, labels: Labels
) -> None:
    """Tell in the manifest of what was arranged, what that changed, and what stands in the way of loading."""
    if not target.arrange:
        return
    found.arranged = Arranged(
        requests={s: sum(b.shard.lines for b in buckets if b.shard.stream == s) for s in target.streams},
        conversations={s: sum(b.conversations for b in buckets if b.shard.stream == s) for s in target.streams},
        largest=max((bucket.largest for bucket in buckets), default=0),
        blockers=[
            facts for blocker in target.arrange.blockers(settings) if (facts := _blocked(blocker, buckets)) is not None
        ],
    )
    repairs, changes = (merged([getattr(bucket, name) for bucket in buckets]) for name in ("repairs", "changes"))
    found.repairs = dict(sorted((found.repairs | labels.examples([(NO_SEGMENT, repairs)])).items()))
    if changes:
        found.fidelity[ROW] = _row(changes, found.totals.written, labels)


def _row(changes: dict[str, Count], messages: int, labels: Labels) -> Fidelity:
    row = Fidelity(messages, messages - changes.pop(f"{ROW}\tany\t").count, {}, {})
    for name, example in labels.examples([(NO_SEGMENT, changes)]).items():
        _, outcome, example.name = name.split("\t")
        row.add(outcome, example)
    return row


def merged(tallies: Sequence[dict[str, Count]]) -> dict[str, Count]:
    """Counters added up; of their first places the first in input order stays."""
    found: dict[str, Count] = {}
    for tally in tallies:
        for name, more in tally.items():
            known = found.setdefault(name, Count(0, more.first))
            known.count += more.count
            if known.first and more.first and (more.first.file, more.first.line) < (known.first.file, known.first.line):
                known.first = more.first
    return found


def _blocked(blocker: Blocker, buckets: Sequence[BucketMarker]) -> BlockerFacts | None:
    """What there is to say of a blocker; None where its stream holds nothing."""
    mine = [bucket for bucket in buckets if bucket.shard.stream == blocker.stream]
    if not mine:
        return None
    times = [time for bucket in mine for time in bucket.shard.times]
    values = {
        "messages": sum(bucket.shard.count for bucket in mine),
        "conversations": sum(bucket.conversations for bucket in mine),
        "first": day(min(times)),
        "last": day(max(times)),
    }
    code = blocker.code
    return BlockerFacts(code, CATALOGUE[code].name, cause_of(code, {**values}), remedy_of(code), values)
