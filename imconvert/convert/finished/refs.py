"""See, before anything is sent, that everybody and every group that finished outputs mention is there.

Order: scan the shards, sort, name what is missing, write the report; then what was asked for about it: placeholder
accounts, or a list of the lines that can't go in.
Order of durable writes: all in `.work/`, from nothing; then the files, each by a rename, `refs.json` last. A report
that was there before loses its `refs.json` first.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from imconvert import durable
from imconvert.convert.books.manifest import Manifest, read_manifest
from imconvert.convert.finished import mentions
from imconvert.convert.finished.mentions import PARTITION, PartitionJob, ShardJob
from imconvert.convert.map.maps import targets_in
from imconvert.convert.options import Options
from imconvert.convert.pool import Pool
from imconvert.convert.ports import Clock, Watcher
from imconvert.convert.resolve.partition import partitions
from imconvert.convert.run import convert
from imconvert.errors import UsageError
from imconvert.vendors import BY_NAME
from imconvert.vendors.people.mentions import ACCOUNT, GROUP

REPORT, MISSING, REJECTED, PLACEHOLDERS = "refs.json", "missing.csv", "rejected.ndjson", "placeholders"
HEADER = ("kind", "id", "mentions", "output", "shard", "line")
WORK = ".work"
IDS = "load-ids.csv"
"""Where a loaded output tells which ids its groups got."""

POLICIES = ("list", "placeholder", "reject")
MAPPING = '[input]\nformat = "csv"\n[[skip]]\npath = "kind"\nis = "group"\n[account]\nid = "id"\n'
"""How the list of what is missing is read as accounts."""


class Counts(Struct):
    """All ids: made by the outputs, needed by them, and needed but not made."""

    made: int
    needed: int
    missing: int


class Missing(Struct):
    """The ids of a kind that are not made, and how often they are needed."""

    ids: int = 0
    mentions: int = 0


class Report(Struct):
    """What the check found."""

    format: int
    target: str
    outputs: list[str]
    ids: Counts
    missing: dict[str, Missing]
    policy: str
    rejected: int = 0
    placeholders: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is missing any more."""
        return not self.missing[GROUP].ids and self.missing[ACCOUNT].ids == self.placeholders


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be checked: outputs, where the report goes, the policy, workers, key of secrets of new accounts."""

    outputs: tuple[Path, ...]
    report: Path
    policy: Literal["list", "placeholder", "reject"] = "list"
    jobs: int = 1
    key: bytes = b""
    fixed_key: bool = False


def check_refs(wanted: Wanted, watch: Watcher, clock: Clock, facts: dict[str, Any]) -> Report:
    """Check the outputs and leave the report. Raises UsageError IMC-1014, IMC-1300 to IMC-1302."""
    manifests = [read_manifest(output) for output in wanted.outputs]
    target = _one_target(wanted.outputs, manifests)
    work = wanted.report / WORK
    strange = set(durable.names_in(wanted.report)) - {REPORT, MISSING, REJECTED, PLACEHOLDERS, WORK}
    if strange:
        raise UsageError("IMC-1004", str(wanted.report), found=min(strange))
    durable.make_folder(work)
    with durable.sole_owner(work):
        durable.clear(work)
        for name in (REPORT, REJECTED, PLACEHOLDERS):
            durable.remove(wanted.report / name)
        return _Check(wanted, manifests, target, work, watch).run(clock, facts)


def _one_target(outputs: tuple[Path, ...], manifests: list[Manifest]) -> str:
    """The vendor that all outputs are for."""
    target = manifests[0].target
    for output, found in zip(outputs, manifests, strict=True):
        if found.target != target:
            raise UsageError("IMC-1300", str(output), found=found.target, first=target)
    if target not in BY_NAME or BY_NAME[target].mentions is None:
        raise UsageError("IMC-1301", str(outputs[0]), target=target)
    if not any(found.content == "users" for found in manifests):
        raise UsageError("IMC-1302", str(outputs[0]))
    return target


class _Check:
    def __init__(self, wanted: Wanted, manifests: list[Manifest], target: str, work: Path, watch: Watcher) -> None:
        self.wanted, self.target, self.work, self.watch = wanted, target, work, watch
        self.pool = Pool(wanted.jobs, tick=watch.tick)
        self.places: list[tuple[Path, str]] = []
        self.jobs: list[ShardJob] = []
        self.bytes = 0
        for output, found in zip(wanted.outputs, manifests, strict=True):
            groups = groups_of(output) if found.content else {}
            for shard in found.shards:
                self.jobs.append(ShardJob(work, len(self.jobs), output / shard.name, target, groups))
                self.places.append((output, shard.name))
                self.bytes += shard.bytes

    def run(self, clock: Clock, facts: dict[str, Any]) -> Report:
        with self.pool:
            self.watch.phase("refs", self.bytes)
            parts = self._settled()
            report = self._report(parts)
            if self.wanted.policy == "reject" and report.ids.missing:
                report.rejected = self._reject(parts)
        self._publish()
        if self.wanted.policy == "placeholder" and report.missing[ACCOUNT].ids:
            report.placeholders = self._placeholders(clock, facts)
        data = msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
        durable.replace_file(self.wanted.report / REPORT, data)
        durable.remove(self.work)
        return report

    def _settled(self) -> list[PartitionJob]:
        runs = dict(self.pool.run(mentions.scan, self.jobs))
        shards = tuple((job, tuple(runs[job.number])) for job in self.jobs)
        rows = sum(sum(counts) for _, counts in shards)
        self.watch.phase("resolve", rows)
        jobs = [
            PartitionJob(self.work, number, first, stop, shards)
            for number, (first, stop) in enumerate(partitions(rows, PARTITION))
        ]
        self.found = [one for _, one in sorted(self.pool.run(mentions.settle, jobs))]
        return jobs

    def _report(self, parts: list[PartitionJob]) -> Report:
        """Write the list of what is missing, and count it."""
        kinds = {ACCOUNT: Missing(), GROUP: Missing()}
        writer = durable.Writer(self.work / MISSING)
        writer.write(_csv(HEADER))
        for part in parts:
            for found, count, shard, line in mentions.named(part):
                output, name = self.places[shard]
                kinds[found.kind].ids += 1
                kinds[found.kind].mentions += count
                writer.write(_csv((found.kind, found.id, count, output, name, line + 1)))
        writer.finish(sync=True)
        ids = Counts(*(sum(getattr(one, name) for one in self.found) for name in Counts.__struct_fields__))
        return Report(1, self.target, [str(output) for output in self.wanted.outputs], ids, kinds, self.wanted.policy)

    def _reject(self, parts: list[PartitionJob]) -> int:
        """Write every line that needs what is missing."""
        path = self.work / "hashes"
        writer = durable.Writer(path)
        writer.write(mentions.missing_hashes(parts).tobytes())
        writer.finish()
        self.watch.phase("refs", self.bytes)
        jobs = [_LinesJob(job, path, *map(str, self.places[job.number])) for job in self.jobs]
        counts = dict(self.pool.run(lines_without, jobs))
        durable.join_files(self.work / REJECTED, [job.rejected for job in jobs])
        return sum(counts.values())

    def _publish(self) -> None:
        for name in (MISSING, REJECTED):
            if durable.exists(self.work / name):
                durable.rename(self.work / name, self.wanted.report / name)
        durable.sync_folder(self.wanted.report)

    def _placeholders(self, clock: Clock, facts: dict[str, Any]) -> int:
        """Make accounts of those that are missing, an output of its own."""
        mapping = self.work / "placeholders.toml"
        durable.replace_file(mapping, MAPPING.encode())
        folder = self.wanted.report / PLACEHOLDERS
        options = Options(
            inputs=(str(self.wanted.report / MISSING),), output=folder, target=f"{self.target}/users", map=mapping,
            jobs=1, key=self.wanted.key, fixed_key=self.wanted.fixed_key,
        )  # fmt: skip
        outcome = convert(options, self.watch, clock, facts)
        return outcome.manifest.totals.written


def groups_of(output: Path) -> Mapping[str, str]:
    """The ids that groups got when they were loaded, by the ids that they had."""
    path = output / IDS
    return targets_in(path, GROUP) if durable.exists(path) else {}


@dataclass(frozen=True, slots=True)
class _LinesJob:
    """What a worker needs to find the lines of a shard that can't go in."""

    shard: ShardJob
    hashes: Path
    output: str
    name: str

    @property
    def rejected(self) -> Path:
        return self.shard.work / f"rejected-{self.shard.number:05}"


def lines_without(job: _LinesJob, progress: Callable[[int], None]) -> int:
    """Write the lines of a shard that need what is missing; gives how many."""
    find = mentions.finder(job.shard)
    with durable.Reader(job.hashes) as reader:
        missing = memoryview(reader.at(0, reader.size)).cast("Q")
    writer, count = durable.Writer(job.rejected), 0
    for number, _, line in mentions.located(job.shard.path):
        lacking = [f"{one.kind} {one.id}" for one in find(line) if not one.makes and _is_in(missing, one.kind, one.id)]
        if lacking:
            found = {"output": job.output, "shard": job.name, "line": number + 1, "missing": sorted(set(lacking))}
            writer.write(msgspec.json.encode(found) + b"\n")
            count += 1
        progress(len(line) + 1)
    writer.finish()
    return count


def _is_in(missing: Any, kind: str, id: str) -> bool:
    wanted = int.from_bytes(mentions.hash_of(kind, id)[:8], "little")
    place = bisect_left(missing, wanted)
    return bool(place < len(missing) and missing[place] == wanted)


def _csv(row: tuple[Any, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue().encode()


def rows_of(path: Path, most: int) -> Iterator[dict[str, str]]:
    """The first rows of a list of what is missing."""
    lines = durable.lines_of(path)
    head = next(lines).decode()
    for line, _ in zip(lines, range(most), strict=False):
        yield next(csv.DictReader([head, line.decode()]))
