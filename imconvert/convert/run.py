"""The local driver: take a run from wherever it stands to its manifest.

Order: lock, plan, map, collisions, resolve, seal, ledger, publish. Every step first looks for what an earlier,
interrupted run has left and believes it only if its sums fit; a fresh run is a resume from nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from xxhash import xxh3_64_hexdigest

from imconvert import durable, native
from imconvert.convert import plan
from imconvert.convert.arrange.arranger import Arranger, as_seals, describe
from imconvert.convert.arrange.bucket import BucketMarker
from imconvert.convert.books import ledger, manifest, publish
from imconvert.convert.books.manifest import Collisions, Example, Labels, Manifest, Recalls, SideFile, read_manifest
from imconvert.convert.books.secrets import keep_key, secret_moves, write_secrets
from imconvert.convert.devices.handout import hand_out, package_moves
from imconvert.convert.map import collide, drift, maps, media
from imconvert.convert.map.segment import MapJob
from imconvert.convert.map.step import mapped
from imconvert.convert.options import Options
from imconvert.convert.plan import Plan, Segment, make_plan
from imconvert.convert.pool import Engine, Pool
from imconvert.convert.ports import Clock, Watcher
from imconvert.convert.resolve.keys import Keys, OwnKeys
from imconvert.convert.resolve.settle import Settler
from imconvert.convert.seal import source_index
from imconvert.convert.seal.sealer import SealJob, sealed
from imconvert.convert.work import PartMarker, Resolved, SealMarker, WorkFolder, bases_of, marker_bytes
from imconvert.errors import CATALOGUE, BudgetExceeded, InputError, UsageError
from imconvert.sources.inputs import STDIN, Input
from imconvert.vendors import TARGETS, find


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its manifest, what run.json says, and whether it had been finished before."""

    manifest: Manifest
    facts: dict[str, Any]
    again: bool

    @property
    def exit_code(self) -> int:
        return manifest.exit_code(self.manifest)


Engines = Callable[[Options, WorkFolder, Watcher], tuple[Engine, Keys]]
"""Makes who does the jobs of a run, and who brings its keys together."""


def on_this_machine(options: Options, work: WorkFolder, watch: Watcher) -> tuple[Engine, Keys]:
    """Worker processes, and keys in files."""
    pool = Pool(options.jobs, tick=watch.tick)
    return pool, OwnKeys(work, pool)


def convert(
    options: Options, watch: Watcher, clock: Clock, facts: dict[str, Any], engines: Engines = on_this_machine
) -> Outcome:
    """Convert the inputs into the output folder; `facts` about the machine go into run.json.

    Raises UsageError, InputError IMC-4010, BudgetExceeded, IntegrityError. After any of them, and after a crash, the
    same call goes on where it stopped.
    """
    options.complete_settings()
    ours = make_plan(options, clock)
    work = WorkFolder(options.output / publish.WORK)
    _check_free(options.output)
    if not durable.exists(work.path) and (finished := _finished(options.output, ours)):
        return finished
    durable.make_folder(work.path)
    with durable.sole_owner(work.path):
        _check_free(options.output)
        if publish.pending(work):
            publish.finish(work, options.output)
        finished = _finished(options.output, ours)
        if finished:
            durable.remove(work.path)
            return finished
        keep_key(work.path, options, TARGETS[ours.target])
        return Run(options, _begin(work, ours), work, watch, clock, facts, engines).run()


def _check_free(output: Path) -> None:
    """Raise UsageError IMC-1004 for a folder that holds what is not ours."""
    strange = [name for name in durable.names_in(output) if name != publish.WORK]
    finished = manifest.NAME in strange
    if strange and not finished and not publish.pending(WorkFolder(output / publish.WORK)):
        raise UsageError("IMC-1004", str(output), found=strange[0])


def _finished(output: Path, ours: Plan) -> Outcome | None:
    """The outcome of this very run, if it is finished. Raises IMC-1005 or IMC-1006 for any other."""
    if not durable.exists(output / manifest.NAME):
        return None
    found = read_manifest(output)
    names = found.source_name, found.target_name
    theirs = (*names, found.options, [(i.file, i.edges) for i in found.inputs if i.container])
    mine = (ours.vendor, ours.target, ours.options, [(i.label, i.edges) for i in ours.inputs])
    if theirs != mine or any(source.path == STDIN for source in ours.inputs):
        raise UsageError("IMC-1005", str(output), difference="it holds the finished output of other inputs or options")
    return Outcome(found, msgspec.json.decode(durable.read_file(output / manifest.RUN) or b"{}"), again=True)


def _begin(work: WorkFolder, ours: Plan) -> Plan:
    """The plan to follow: ours, written down, or the one of the interrupted run if it is the same.

    Raises UsageError IMC-1005 for another run, InputError IMC-4010 where an input is not what it was.
    """
    data = durable.read_file(work.plan)
    if data is None:
        durable.replace_file(work.plan, plan.to_bytes(ours))
        return ours
    theirs = plan.from_bytes(data, str(work.path.parent))
    if [source.label for source in ours.inputs] == [source.label for source in theirs.inputs]:
        for mine, before in zip(ours.inputs, theirs.inputs, strict=True):
            if (mine.edges, mine.changed) != (before.edges, before.changed):
                raise InputError("IMC-4010", mine.label)
    other = plan.difference(ours, theirs)
    if other:
        raise UsageError("IMC-1005", str(work.path.parent), difference=other)
    return theirs


class Run:
    """One run over a plan that is written down. `first_index` is the number of its first index of source ids."""

    first_index = 1

    def __init__(
        self,
        options: Options,
        ours: Plan,
        work: WorkFolder,
        watch: Watcher,
        clock: Clock,
        facts: dict[str, Any],
        engines: Engines = on_this_machine,
    ) -> None:
        self.options = options
        self.plan = ours
        self.work = work
        self.pool, self.keys = engines(options, work, watch)
        self.watch = watch
        self.clock = clock
        self.facts = facts
        self.target = TARGETS[ours.target]
        self.began = clock.steady()
        self.phases: dict[str, float] = {}
        self.buckets: list[BucketMarker] = []

    def run(self) -> Outcome:
        with self.pool:
            parts = self._read_all()
            basis = self._basis(parts)
            resolved = self._settler().settle(parts, basis)
            bases = bases_of(parts)
            seals = self._seal(parts, resolved, bases, self._shard_names(parts, resolved))
            self.buckets = self._arrange(parts, resolved, bases)
            return self._publish(parts, seals, bases)

    def _read_all(self) -> list[PartMarker]:
        """Map every segment, and those again that met ids which collide. Raises BudgetExceeded."""
        parts = self._map(())
        refused = self._collisions(parts)
        if refused:
            parts = self._map(refused)
        self._check_budget(parts, finished=True)
        return parts

    def _settler(self) -> Settler:
        own_keys = find(self.plan.vendor, self.options.mapping()).own_keys
        return Settler(self.work, self.options, self.target, self.pool, self.keys, self._phase, own_keys)

    def _phase(self, name: str, total: int) -> None:
        now = self.clock.steady()
        self.phases[name] = now
        self.watch.phase(name, total)
        self.pool.phase(name, total)

    def _map(self, refused: tuple[int, ...]) -> list[PartMarker]:
        """Map what is not mapped yet. Raises BudgetExceeded as soon as too many records are rejected."""
        segments, inputs = self.plan.segments, dict(enumerate(self.plan.inputs))
        self._phase("convert", sum(plan.bytes_of(segment, inputs) for segment in segments))
        from_stdin = [segment for segment in segments if self._reads_stdin(segment)]
        others = [segment for segment in segments if not self._reads_stdin(segment)]
        parts: list[PartMarker] = []
        rejected = 0
        for run, some in ((self.pool.here, from_stdin), (self.pool.run, others)):
            for _, part in run(mapped, self._map_jobs(some, refused)):
                parts.append(part)
                rejected += sum(piece.rejected for piece in part.pieces)
                self._spent(rejected, parts)
        return sorted(parts, key=lambda part: part.segment)

    def _reads_stdin(self, segment: Segment) -> bool:
        return any(self.plan.inputs[piece.file].path == STDIN for piece in segment.pieces)

    def _map_jobs(self, segments: list[Segment], refused: tuple[int, ...]) -> list[MapJob]:
        """A job for each; what is the same in all of them is one object."""
        first = [self._map_job(segment, refused) for segment in segments[:1]]
        more = segments[1:]
        return first + [replace(first[0], segment=segment, inputs=self._inputs(segment)) for segment in more]

    def _inputs(self, segment: Segment) -> dict[int, Input]:
        return {piece.file: self.plan.inputs[piece.file] for piece in segment.pieces}

    def _map_job(self, segment: Segment, refused: tuple[int, ...]) -> MapJob:
        options = self.options
        return MapJob(
            work=self.work.path,
            segment=segment,
            inputs=self._inputs(segment),
            vendor=self.plan.vendor,
            mapping=options.mapping(),
            target=self.plan.target,
            settings=options.complete_settings(),
            latest=self.plan.latest,
            limits=options.limits,
            ids=options.ids,
            tids=options.tids,
            refused=refused,
            strict=options.strict,
            keep_lines=options.keep_lines,
            media_url=options.media_url or media.FOLDER,
            recalls=options.recalls != "keep",
            compiled=options.compiled,
        )

    def _spent(self, rejected: int, parts: list[PartMarker]) -> None:
        budget = self.options.max_rejects
        if budget and budget.exceeded(rejected, 0, finished=False):
            self._check_budget(parts, finished=False)

    def _check_budget(self, parts: list[PartMarker], *, finished: bool) -> None:
        read = sum(piece.read for part in parts for piece in part.pieces)
        rejected = sum(piece.rejected for part in parts for piece in part.pieces)
        budget = self.options.max_rejects
        if budget and budget.exceeded(rejected, read, finished=finished):
            raise BudgetExceeded("IMC-5001", str(self.options.output), rejected=rejected, read=read, budget=str(budget))

    def _collisions(self, parts: list[PartMarker]) -> tuple[int, ...]:
        if self.target.merge_fold(self.options.complete_settings()):
            return ()
        return collide.refused(self.work, parts, self.pool.run)

    def _basis(self, parts: list[PartMarker]) -> str:
        policy = f"{self.options.on_conflict} {self.options.recalls} {self.options.keep_lines}".encode()
        return xxh3_64_hexdigest(b"".join(marker_bytes(part) for part in parts) + policy)

    def _shard_names(self, parts: list[PartMarker], resolved: Resolved) -> dict[int, dict[str, str]]:
        """Consecutive names for the shards of each stream, in input order; streams left empty get none."""
        numbers = dict.fromkeys(self.target.streams, 0)
        names: dict[int, dict[str, str]] = {part.segment: {} for part in parts}
        if self.target.arrange:
            return names
        for part in parts:
            for stream, (name, rows) in enumerate(zip(self.target.streams, part.rows, strict=True)):
                if rows > resolved.left_out(part.segment, stream):
                    numbers[name] += 1
                    names[part.segment][name] = f"{name}-{numbers[name]:05}{self.target.suffix}"
        return names

    def _source_names(self, parts: list[PartMarker]) -> dict[int, str]:
        """Consecutive names for the indexes of source ids; segments without such ids have none."""
        numbers = itertools.count(self.first_index)
        return {part.segment: source_index.name_of(next(numbers)) if part.named else "" for part in parts}

    def _seal(
        self,
        parts: list[PartMarker],
        resolved: Resolved,
        bases: dict[tuple[int, int], int],
        names: dict[int, dict[str, str]],
    ) -> list[SealMarker]:
        streams = self.target.streams
        self._phase(
            "seal", sum(part.files[self.work.part(part.segment, s).name].size for part in parts for s in streams)
        )
        labels = {number: source.label for number, source in enumerate(self.plan.inputs)}
        sources, settings = self._source_names(parts), self.options.complete_settings()
        jobs = [
            SealJob(
                work=self.work.path,
                target=self.plan.target,
                segment=part.segment,
                shards=names[part.segment],
                bases=bases,
                labels=labels,
                drops=self.work.list_of(resolved, part.segment),
                basis=resolved.basis,
                sources=sources[part.segment],
                vendor=self.plan.vendor,
                settings=settings,
            )
            for part in parts
        ]
        return sorted((seal for _, seal in self.pool.run(sealed, jobs)), key=lambda seal: seal.segment)

    def _arrange(
        self, parts: list[PartMarker], resolved: Resolved, bases: dict[tuple[int, int], int]
    ) -> list[BucketMarker]:
        """What becomes a shard where the target is loaded in time order."""
        vendor, settings = self.plan.vendor, self.options.complete_settings()
        arranger = Arranger(self.work, self.target, self.pool, self._phase, bases, resolved, vendor, settings)
        return arranger.arrange(parts, resolved.basis) if self.target.arrange else []

    def _publish(self, parts: list[PartMarker], seals: list[SealMarker], bases: dict[tuple[int, int], int]) -> Outcome:
        lists = self._media(parts)
        packages = hand_out(
            self.options, self.buckets, work=self.work, target=self.target, pool=self.pool, phase=self._phase
        )
        self._phase("publish", 0)
        found = self._manifest(parts, seals, bases)
        found.packages = packages
        if self.target.secret:
            found.secrets = write_secrets(self.work.path, found.shards, self.target.secret)
        if lists:
            found.media, found.files[media.LIST] = manifest.media_list(self.work.path / media.LIST, lists)
        if self.options.write_missing:
            maps.write_missing(self.options.write_missing, [self.work.part(part.segment, "missing") for part in parts])
        durable.replace_file(self.work.path / manifest.NAME, manifest.to_bytes(found))
        facts = self._run_facts(found)
        durable.replace_file(self.work.path / manifest.RUN, msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
        shards, sources = [shard.name for shard in found.shards], [each.name for each in found.sources]
        moves = media.moves(found.media) + package_moves(found.packages) + secret_moves(found)
        publish.announce(self.work, shards, sources, moves)
        publish.finish(self.work, self.options.output)
        return Outcome(found, facts, again=False)

    def _media(self, parts: list[PartMarker]) -> list[Path]:
        """Write the files that stood inside of records below `.work/`; gives their lists."""
        holders, archives = media.holders(self.work, parts), self._archives()
        if holders or archives:
            self._phase("media", sum((*holders.values(), *archives.values())))
        return media.write(self.work, tuple(holders), self.pool.run, tuple(archives))

    def _archives(self) -> dict[Path, int]:
        """The finished outputs among the inputs that have such files."""
        return media.archives_of(source.path for source in self.plan.inputs if source.path != STDIN)

    def _manifest(
        self, parts: list[PartMarker], seals: list[SealMarker], bases: dict[tuple[int, int], int]
    ) -> Manifest:
        found = manifest.new(self.plan)
        sealed = [*seals, *as_seals(self.buckets)]
        every = [shard for seal in sealed for shard in seal.shards]
        shards = sorted(every, key=lambda shard: self.target.streams.index(shard.stream))
        books = ledger.accounts(parts, sealed, len(self.plan.inputs))
        ledger.check(books, [source.label for source in self.plan.inputs], sum(shard.count for shard in shards))
        labels = Labels(self.plan, bases)
        found.totals = ledger.total(books)
        found.rekeyed = sum(sum(seal.rekeyed.values()) for seal in seals)
        renumbered = sum(sum(seal.renumbered.values()) for seal in seals)
        found.collisions = self._collided(renumbered, _first_example("renumbered", seals))
        found.recalls = self._recalled(seals, bases)
        found.sources = [seal.sources for seal in seals if seal.sources]
        found.streams = {s: sum(shard.count for shard in shards if shard.stream == s) for s in self.target.streams}
        found.shards = shards
        found.files = {f"{name}.ndjson": self._side(name, seals) for name in manifest.SIDES}
        found.inputs = manifest.input_facts(self.plan, parts, books)
        self._describe(found, parts, labels)
        describe(found, self.buckets, self.target, self.options.complete_settings(), labels)
        found.duplicates = _first_example("IMC-8201", seals)
        found.conflicts = _first_example("IMC-8301", seals)
        found.skipped = dict(sorted((found.skipped | recalled_lines(seals)).items()))
        return found

    def _collided(self, lines: int, first: dict[str, Any]) -> Collisions | None:
        resolved = self.work.last_resolved()
        return Collisions(resolved.collided, lines, first) if resolved and resolved.collided else None

    def _recalled(self, seals: list[SealMarker], bases: dict[tuple[int, int], int]) -> Recalls | None:
        return self._recalls(sum(sum((*s.recalled.values(), *s.marked.values())) for s in seals), bases)

    def _recalls(self, lines: int, bases: dict[tuple[int, int], int]) -> Recalls | None:
        resolved = self.work.last_resolved()
        facts = resolved and resolved.recalls
        if not facts:
            return None
        first: dict[str, Any] = {}
        if facts.first:
            segment, file, line, offset = facts.first
            line += bases.get((segment, file), 0) + 1
            first = {"file": self.plan.inputs[file].label, "line": line, "offset": offset}
        return Recalls(self.options.recalls, facts.events, lines, facts.without, first)

    def _describe(self, found: Manifest, parts: list[PartMarker], labels: Labels) -> None:
        """What was rejected, skipped, repaired and changed, with the first place of each."""
        found.rejects = labels.examples([(part.segment, part.rejects) for part in parts])
        found.skipped = labels.examples([(part.segment, part.skipped) for part in parts])
        found.repairs = labels.examples([(part.segment, part.repairs) for part in parts])
        found.fidelity = manifest.fidelity(parts, labels)
        found.times = manifest.times(parts, labels.labels)
        found.drift = drift.merged(parts, labels.labels, labels.bases)
        empty = [source.file for source in found.inputs if not source.account.read and not source.error]
        if empty:
            found.repairs["IMC-3020"] = Example(len(empty), CATALOGUE["IMC-3020"].name, empty[0], 0)

    def _side(self, name: str, seals: list[SealMarker]) -> SideFile:
        target = self.work.path / f"{name}.ndjson"
        return SideFile(*durable.join_files(target, [self.work.seal(seal.segment, name) for seal in seals]))

    def _run_facts(self, found: Manifest) -> dict[str, Any]:
        now = self.clock.steady()
        seconds = now - self.began
        size = sum(source.size for source in self.plan.inputs)
        return {
            **self.facts,
            "finished": int(self.clock.now()),
            "seconds": round(seconds, 3),
            "phases": _spans(self.phases, now),
            **self.pool.facts,
            "compiled": native.BUILT and self.options.compiled,
            "records_per_second": round(found.totals.read / seconds) if seconds else 0,
            "megabytes_per_second": round(size / seconds / 1e6, 1) if seconds else 0,
            "peak_memory_bytes": self.pool.peak,
            "latest": self.plan.latest,
        }


def _spans(starts: dict[str, float], end: float) -> dict[str, float]:
    """Phase starts to seconds each took."""
    times = [*starts.values(), end]
    return {name: round(times[i + 1] - times[i], 3) for i, name in enumerate(starts)}


def _first_example(code: str, seals: Sequence[SealMarker]) -> dict[str, Any]:
    return next((seal.examples[code] for seal in seals if code in seal.examples), {})


def recalled_lines(seals: Sequence[SealMarker]) -> dict[str, Example]:
    """The lines that were left out because they were recalled, as one of the reasons for which something is skipped."""
    count = sum(sum(seal.recalled.values()) for seal in seals)
    if not count:
        return {}
    code = "IMC-8140"
    first = _first_example(code, seals)
    return {code: Example(count, CATALOGUE[code].name, first["file"], first["line"], first["why"])}
