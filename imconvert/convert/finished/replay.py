"""Take corrected rejects back into a finished output.

Plan: the lines of a rejects file are mapped again, each under its old place; the finished shards are read once for
their keys; both are resolved together, what is finished coming first; what is new is sealed into further shards.
Order of durable writes: all in `.work/`, then published like a run: shards, indexes, side files, manifest last.
Promise: a reject counts once. It is known by file, record number and offset, and only those that still stand in
OUT/rejects.ndjson are taken; so repeating a replay changes nothing. Recall events, of the finished output and of the
replay, apply to the records that are taken; finished shards never change.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from imconvert import durable
from imconvert.convert.books import ledger, manifest, publish
from imconvert.convert.books.manifest import Collisions, Example, Fidelity, Manifest, Recalls, SideFile, read_manifest
from imconvert.convert.finished.keys import FinishedShard, KeysJob, read_keys
from imconvert.convert.map import maps, media, recall_events
from imconvert.convert.map.part import KeyRuns
from imconvert.convert.map.segment import Mapper
from imconvert.convert.options import DAY, Options
from imconvert.convert.plan import Piece, Plan, Segment
from imconvert.convert.ports import Clock, Watcher
from imconvert.convert.run import Outcome, Run, recalled_lines
from imconvert.convert.seal import index, source_index
from imconvert.convert.work import KEY, PartMarker, SealMarker, WorkFolder
from imconvert.errors import UsageError
from imconvert.model import Skip
from imconvert.sources.inputs import Input, text_lines
from imconvert.sources.records import Batch
from imconvert.vendors import TARGETS, find

BATCH = 1000
WINDOW = 65536


class Reject(msgspec.Struct):
    """What a replay needs of a line of a rejects file."""

    file: str
    line: int
    offset: int
    raw: str | None = None
    raw_base64: str | None = None
    head: str = ""

    def __post_init__(self) -> None:
        if self.raw is None and self.raw_base64 is None:
            raise ValueError("it has neither raw nor raw_base64")
        self.record  # noqa: B018 - what is no base64 is told here

    @property
    def record(self) -> bytes:
        if self.raw_base64 is not None:
            return base64.b64decode(self.raw_base64, validate=True)
        return (self.raw or "").encode()

    @property
    def name(self) -> int:
        return xxh3_64_intdigest(f"{self.line}:{self.offset}:{self.file}".encode())


class Skipped(msgspec.Struct):
    """What a replay needs of a line of skipped.ndjson."""

    code: str
    file: str
    line: int
    offset: int
    event: str = ""
    of: str = ""
    ends: tuple[str, str, str] | None = msgspec.field(default=None, name="in")


_decode = msgspec.json.Decoder(Reject).decode
_decode_skipped = msgspec.json.Decoder(Skipped).decode


def replay(path: Path, options: Options, watch: Watcher, clock: Clock, facts: dict[str, Any]) -> Outcome:
    """Take the records of the rejects file `path` back into `options.output`.

    Raises UsageError IMC-1014 where the output is not finished, IMC-1015 for lines that are no rejects, IMC-1018
    where OUT/rejects.ndjson lacks lines that the manifest counts, IMC-1200 where its conversations are in order,
    IMC-1306 where it is one of people.
    """
    work = WorkFolder(options.output / publish.WORK)
    before = read_manifest(options.output)
    if before.content:
        raise UsageError("IMC-1306", str(options.output), content=before.content, file=path)
    if TARGETS[before.target_name].arrange:
        raise UsageError("IMC-1200", str(options.output), target=before.target)
    durable.make_folder(work.path)
    with durable.sole_owner(work.path):
        if publish.pending(work):
            publish.finish(work, options.output)
            before = read_manifest(options.output)
            durable.make_folder(work.path)
        durable.clear(work.path)
        try:
            outcome = _Replay(path, options, work, before, watch, clock, facts).run()
        finally:
            if not publish.pending(work):
                durable.remove(work.path)
    return outcome


class _Replay(Run):
    """A run whose first segments are the finished shards and whose last one is the rejects."""

    def __init__(
        self,
        path: Path,
        options: Options,
        work: WorkFolder,
        before: Manifest,
        watch: Watcher,
        clock: Clock,
        facts: dict[str, Any],
    ) -> None:
        self.path = path
        self.before = before
        self.labels = [source.file for source in before.inputs]
        self.shards = [
            FinishedShard(number, TARGETS[before.target_name].streams.index(shard.stream), shard)
            for number, shard in enumerate(before.shards)
        ]
        segment = Segment(len(self.shards), tuple(Piece(number) for number in range(len(self.labels))))
        inputs = tuple(Input(label, str(path), None, "plain", 0, "") for label in self.labels)
        latest = _latest(options, before, clock)
        plan = Plan(
            before.format, before.source_name, before.target_name, before.options, latest, inputs, (), (segment,)
        )
        super().__init__(_with(options, before), plan, work, watch, clock, facts)
        self.first_index = len(before.sources) + 1

    def run(self) -> Outcome:
        standing = self._standing()
        chosen = self._chosen(standing)
        if not chosen:
            return self._unchanged()
        with self.pool:
            part = self._map_rejects(chosen)
            if self.options.write_missing:
                maps.write_missing(self.options.write_missing, [self.work.part(part.segment, "missing")])
            if sum(piece.rejected for piece in part.pieces) == len(chosen) and not _codes_changed(part, self.before):
                return self._unchanged()
            return self._take(part, chosen)

    def _archives(self) -> dict[Path, int]:
        """None: what is replayed stands in no archive."""
        return {}

    def _unchanged(self) -> Outcome:
        facts = msgspec.json.decode(durable.read_file(self.options.output / manifest.RUN) or b"{}")
        return Outcome(self.before, facts, again=True)

    def _take(self, part: PartMarker, chosen: dict[int, Reject]) -> Outcome:
        runs = self._shard_keys()
        stand_ins = [
            PartMarker(
                shard.number, "", [], [0] * len(self.target.streams), runs[shard.number], {}, {}, {}, {}, {}, 0, {}
            )
            for shard in self.shards
        ]
        if part.numbers:
            stand_ins.append(self._finished_numbers())
        basis = self._basis([part])
        resolved = replace(self._settler(), known=self._known).settle([*stand_ins, part], basis)
        names = self._numbered(self._shard_names([part], resolved))
        seal = self._seal([part], resolved, {}, names)[0]
        return self._publish_replay(part, seal, set(chosen))

    def _finished_numbers(self) -> PartMarker:
        """The derived numbers of the finished output as those of a part that comes before all others."""
        segment = len(self.shards) + 1
        runs = KeyRuns(self.work, segment, prefix="numbers.")
        for block in self._sources():
            rows = np.zeros(len(block["hash"]), KEY)
            rows["hi"] = block["msgid"] << np.uint64(1)
            rows["lo"], rows["digest"] = block["hash"], block["part"]
            runs.add(rows)
        runs.flush()
        for writer in (runs.keys, runs.buckets):
            writer.finish()
        empty = [0] * len(self.target.streams)
        return PartMarker(segment, "", [], empty, [], {}, {}, {}, {}, {}, 0, {}, numbers=runs.runs)

    def _known(self, names: set[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """The numbers that these source ids have in the finished output."""
        hashes = np.array(sorted({name[0] for name in names}), np.uint64)
        return {
            (int(block["hash"][row]), int(block["part"][row])): int(block["msgid"][row])
            for block in self._sources()
            for row in np.flatnonzero(np.isin(block["hash"], hashes)).tolist()
        }

    def _sources(self) -> Iterator[dict[str, Any]]:
        """The indexes of source ids of the finished output, block by block."""
        for each in self.before.sources:
            with durable.Reader(self.options.output / index.FOLDER / each.name) as reader:
                yield from source_index.blocks(reader)

    def _numbered(self, names: dict[int, dict[str, str]]) -> dict[int, dict[str, str]]:
        """The names of new shards go on behind those that are there."""
        suffix = self.target.suffix
        taken = {
            stream: max((int(s.name[len(stream) + 1 : -len(suffix)]) for s in self.before.shards if s.stream == stream),
                        default=0)
            for stream in self.target.streams
        }  # fmt: skip
        return {
            segment: {stream: f"{stream}-{taken[stream] + 1:05}{suffix}" for stream in found}
            for segment, found in names.items()
        }

    def _standing(self) -> set[int]:
        """The rejects that the output still holds. Raises IMC-1018 where lines were taken out by hand."""
        side = self.options.output / "rejects.ndjson"
        found = [_reject(line, side, number).name for number, line in enumerate(text_lines(side), 1)]
        if len(found) != self.before.totals.rejected:
            raise UsageError("IMC-1018", str(side), found=len(found), expected=self.before.totals.rejected)
        return set(found)

    def _chosen(self, standing: set[int]) -> dict[int, Reject]:
        """The records to take back, by name, in their order in the file; each once."""
        chosen: dict[int, Reject] = {}
        known = Counter(self.labels)
        for number, line in enumerate(text_lines(self.path), 1):
            reject = _reject(line, self.path, number)
            if known[reject.file] != 1:
                which = "no input" if reject.file not in known else "more than one input"
                raise UsageError("IMC-1015", f"{self.path}:{number}", why=f"{reject.file!r} is {which} of this output")
            if reject.name in standing:
                chosen[reject.name] = reject
        return chosen

    def _map_rejects(self, chosen: dict[int, Reject]) -> PartMarker:
        """Map the chosen records, input by input, in the order of their places."""
        segment = self.plan.segments[0]
        self._phase("convert", len(chosen))
        job = replace(self._map_job(segment, ()), fold=False)
        mapper = Mapper(job, self.work)
        if self.options.recalls != "keep":
            self._remember_recalls(mapper)
        files = {label: file for file, label in enumerate(self.labels)}
        order = sorted(chosen.values(), key=lambda reject: (files[reject.file], reject.line, reject.offset))
        for (label, head), found in groupby(order, key=lambda reject: (reject.file, reject.head)):
            records = list(found)
            for start in range(0, len(records), BATCH):
                some = records[start : start + BATCH]
                mapper.records(files[label], _batch(some, start, head))
        mapper.finish()
        part = self.work.read_part(segment.number)
        assert part is not None
        return part

    def _remember_recalls(self, mapper: Mapper) -> None:
        """Leave the recall events of the finished output, for they may be about records that are taken back."""
        side = self.options.output / "skipped.ndjson"
        files = {label: file for file, label in enumerate(self.labels)}
        writer = durable.Writer(self.work.earlier_recalls)
        for line in durable.lines_of(side):
            found = _decode_skipped(line)
            if found.event:
                skip = Skip(found.code, {"event": found.event, "of": found.of}, found.ends)
                event = recall_events.event_of(skip, mapper.accounts, mapper.groups)
                if event:
                    row = recall_events.row_of(event, line=found.line - 1, offset=found.offset, file=files[found.file],
                                         segment=mapper.job.segment.number)  # fmt: skip
                    writer.write(row.tobytes())
        writer.finish()

    def _shard_keys(self) -> dict[int, list[int]]:
        self._phase("keys", sum(shard.bytes for shard in self.before.shards))
        own_keys = find(self.plan.vendor, self.options.mapping()).own_keys
        jobs = [
            KeysJob(self.work.path, self.options.output, self.plan.target, shard, own_keys) for shard in self.shards
        ]
        return dict(self.pool.run(read_keys, jobs))

    def _publish_replay(self, part: PartMarker, seal: SealMarker, chosen: set[int]) -> Outcome:
        lists = self._media([part])
        found = self._updated(part, seal, chosen)
        moves = self._add_media(found, lists) if lists else []
        durable.replace_file(self.work.path / manifest.NAME, manifest.to_bytes(found))
        facts = {**self._run_facts(found), "replayed": len(chosen)}
        durable.replace_file(self.work.path / manifest.RUN, msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
        more = [seal.sources.name] if seal.sources else []
        publish.announce(self.work, [shard.name for shard in seal.shards], more, moves)
        publish.finish(self.work, self.options.output)
        return Outcome(found, facts, again=False)

    def _updated(self, part: PartMarker, seal: SealMarker, chosen: set[int]) -> Manifest:
        """The manifest with the replayed records moved from `rejected` to where they went."""
        found = msgspec.convert(msgspec.to_builtins(self.before), Manifest)
        for account, more in zip(found.inputs, ledger.accounts([part], [seal], len(self.labels)), strict=True):
            account.account.read -= more.read
            account.account.rejected -= more.read
            account.account.add(more)
        found.shards = sorted(
            [*found.shards, *seal.shards], key=lambda s: (self.target.streams.index(s.stream), s.name)
        )
        found.totals = ledger.total([source.account for source in found.inputs])
        ledger.check([s.account for s in found.inputs], self.labels, sum(shard.lines for shard in found.shards))
        found.streams = {s: sum(k.lines for k in found.shards if k.stream == s) for s in self.target.streams}
        found.rekeyed += sum(seal.rekeyed.values())
        found.sources = [*found.sources, *([seal.sources] if seal.sources else [])]
        for name in manifest.SIDES:
            found.files[f"{name}.ndjson"] = self._grown(name, seal, chosen)
        labels = manifest.Labels(self.plan, {})
        found.rejects = self._rejects_now()
        for ours, theirs in ((found.skipped, part.skipped), (found.repairs, part.repairs)):
            _add(ours, labels.examples([(part.segment, theirs)]))
        _add(found.skipped, recalled_lines([seal]))
        found.recalls = self._recalls_now(seal)
        found.collisions = self._collisions_now(seal)
        _add_fidelity(found.fidelity, manifest.fidelity([part], labels))
        found.duplicates = found.duplicates or seal.examples.get("IMC-8201", {})
        found.conflicts = found.conflicts or seal.examples.get("IMC-8301", {})
        return found

    def _add_media(self, found: Manifest, lists: list[Path]) -> list[list[str]]:
        """Add the files of the replayed records to those that are there; gives the moves for the new ones."""
        there = dict(media.listed(self.options.output / media.LIST))
        new = {name: size for path in lists for name, size in media.listed(path) if name not in there}
        merged = self.work.path / "media.merged"
        media.write_list(merged, there | new)
        found.media, found.files[media.LIST] = manifest.media_list(self.work.path / media.LIST, [merged])
        return [[name, name] for name in sorted(new)] + [[media.LIST, media.LIST]]

    def _collisions_now(self, seal: SealMarker) -> Collisions | None:
        lines = sum(seal.renumbered.values())
        resolved = self.work.last_resolved()
        ids = resolved.collided if resolved else 0
        before = self.before.collisions
        if not before:
            return Collisions(ids, lines, seal.examples.get("renumbered", {})) if lines or ids else None
        return Collisions(before.ids + ids, before.lines + lines, before.first)

    def _recalls_now(self, seal: SealMarker) -> Recalls | None:
        """What was done about recalls, the replayed records included; events of before are not counted again."""
        before, more = self.before.recalls, self._recalled([seal], {})
        if not before or not more:
            return before
        return Recalls(
            before.policy,
            before.events + more.events,
            before.lines + more.lines,
            before.without + more.without,
            before.first or more.first,
        )

    def _grown(self, name: str, seal: SealMarker, chosen: set[int]) -> SideFile:
        """The side file with what the replay added; of the rejects, without those that were taken."""
        old = self.options.output / f"{name}.ndjson"
        if name == "rejects":
            kept = durable.Writer(self.work.path / "rejects.kept")
            for number, line in enumerate(text_lines(old), 1):
                if _reject(line, old, number).name not in chosen:
                    kept.write(line + b"\n")
            kept.finish()
            old = kept.path
        target = self.work.path / f"{name}.ndjson"
        return SideFile(*durable.join_files(target, [old, self.work.seal(seal.segment, name)]))

    def _rejects_now(self) -> dict[str, Example]:
        found: dict[str, Example] = {}
        for line in durable.lines_of(self.work.path / "rejects.ndjson"):
            reject = msgspec.json.decode(line)
            example = manifest.example_of(reject)
            if reject["code"] in found:
                found[reject["code"]].count += 1
            else:
                found[reject["code"]] = example
        return dict(sorted(found.items()))


def _with(options: Options, before: Manifest) -> Options:
    """The options of the first run, where this one does not say otherwise. Raises IMC-1010 for a missing map."""
    for name, path in (("ids", options.ids), ("tids", options.tids), ("map", options.map)):
        if name in before.options and path is None:
            raise UsageError("IMC-1010", option=f"--{name}", why="the output was made with a map", command="msgs")
    if options.map and "map" not in before.options:
        raise UsageError("IMC-1106", option=f"an output of {before.source}")
    options.vendor()
    settings = {name[4:]: value for name, value in before.options.items() if name.startswith("set ")}
    policy = "rekey" if options.on_conflict == "rekey" else "quarantine"
    return replace(
        options,
        settings={**settings, **options.settings},
        strict=options.strict or "strict" in before.options,
        on_conflict=policy,
        recalls=before.options.get("recalls", "keep"),
        max_rejects=None,
        media_url=options.media_url or before.options.get("media-url"),
    )


def _latest(options: Options, before: Manifest, clock: Clock) -> int:
    """The upper bound for times in ms: this command's, else the first run's, else a day from now."""
    if options.latest is not None:
        return options.latest
    return int(before.options.get("latest", clock.now() * 1000 + DAY))


def _reject(line: bytes, path: Path, number: int) -> Reject:
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as why:
        raise UsageError("IMC-1015", f"{path}:{number}", why=str(why)) from why


def _batch(rejects: list[Reject], first: int, head: str) -> Batch:
    numbers = np.array([reject.line - 1 for reject in rejects], np.int64)
    offsets = np.array([reject.offset for reject in rejects], np.int64)
    records = [reject.record.strip(b"\r\n") for reject in rejects]
    return Batch(records, offsets, first, {}, numbers=numbers, head=head.encode())


def _codes_changed(part: PartMarker, before: Manifest) -> bool:
    return any(code not in before.rejects for code in part.rejects)


def _add(into: dict[str, Example], more: dict[str, Example]) -> None:
    for name, example in more.items():
        if name in into:
            into[name].count += example.count
        else:
            into[name] = example


def _add_fidelity(into: dict[str, Fidelity], more: dict[str, Fidelity]) -> None:
    for kind, row in more.items():
        known = into.setdefault(kind, Fidelity(0, 0, {}, {}))
        known.messages += row.messages
        known.kept += row.kept
        _add(known.transformed, row.transformed)
        _add(known.degraded, row.degraded)
