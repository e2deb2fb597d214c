"""Pack a finished output for the vendor: few large files, a sheet for people, and the same facts for programs.

Strategy: shards are joined in manifest order, by the kernel where it can. As few files are made as `max_file`
allows; they are cut between shards where that costs no further file, else after a line within a shard. Every file
is read back, and what was read has to be what the manifest says of each shard.
Order of durable writes: `.pack/pack.json` says what is being packed; each file is copied to `.pack/NAME.part`,
synced, renamed to `.pack/NAME` and read back; then the sheet; then `.pack/handover.json`, from where on the pack is
decided; then the moves, `handover.json` last; then `.pack/` goes. No copy is believed without being read.
Promise: the same output and options give the same bytes; an interrupted pack goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from imconvert import durable
from imconvert.convert.books import manifest, publish
from imconvert.convert.books.manifest import Manifest, read_manifest
from imconvert.convert.map.media import FOLDER
from imconvert.convert.ports import Watcher
from imconvert.convert.work import ShardFacts
from imconvert.durable import copying
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError, UsageError
from imconvert.vendors import TARGETS

FORMAT = 1
RECORD = "handover.json"
SHEET = "HANDOVER.md"
WORK = ".pack"
BEGUN = "pack.json"
HANDED_OVER = ".txt"
MAX_FILE = 50 << 30
MOST_FILES = 9999
LEFT_OUT = ("rejected", "conflicts", "duplicates", "skipped")

_APPKEY = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Request:
    """What to pack where. `appkey` and `roaming` (yes or no) may stay empty, for a person to fill in."""

    output: Path
    folder: Path
    max_file: int = MAX_FILE
    appkey: str = ""
    roaming: str = ""


class PackedFile(Struct):
    """One file of the hand-over; `times` are the first and last message time in ms."""

    name: str
    stream: str
    lines: int
    bytes: int
    sha256: str
    times: tuple[int, int]


class Handover(Struct):
    """What handover.json says. `kinds` are messages by kind before duplicates and conflicts were taken out; `media` are
    files that lines name and that are not handed over, their addresses beginning with `media_url`."""

    format: int
    target: str
    manifest_sha256: str
    max_file: int
    appkey: str
    roaming: str
    streams: dict[str, int]
    files: list[PackedFile]
    kinds: dict[str, int]
    left_out: dict[str, int]
    inputs_not_read_whole: int
    media: int = 0
    media_url: str = ""


class Begun(Struct):
    """What is being packed, and how: a pack is continued only by the same."""

    manifest_sha256: str
    max_file: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the hand-over folder holds, and whether it had been finished before."""

    handover: Handover
    again: bool


Sheet = Callable[[Handover], bytes]
"""Writes the sheet for people: the record in their words."""


class Part(NamedTuple):
    """Bytes [start, stop) of a shard."""

    shard: ShardFacts
    start: int
    stop: int


class Plan(NamedTuple):
    """A file to make: its name and what it consists of."""

    name: str
    stream: str
    parts: list[Part]

    @property
    def size(self) -> int:
        return sum(part.stop - part.start for part in self.parts)


def pack(
    wanted: Request, sheet: Sheet, watch: Watcher, *, ways: Sequence[copying.CopySome] = copying.COPY_WAYS
) -> Outcome:
    """Pack a finished output into the hand-over folder. After an interruption the same call goes on.

    Raises UsageError (IMC-1004 to 1006, 1010, 1011, 1014, 1016, 1017), IntegrityError (IMC-6002, 6004 to 6006).
    """
    found, begun = _source(wanted)
    _refuse_strangers(wanted.folder)
    known = _read_record(wanted.folder, begun)
    if known and WORK not in durable.names_in(wanted.folder):
        return _answered(wanted, known, sheet, again=True)
    work = wanted.folder / WORK
    durable.make_folder(work)
    with durable.sole_owner(work):
        known = _read_record(wanted.folder, begun)
        if not known and not durable.exists(work / RECORD):
            _begin(work, begun)
            record = _Packer(wanted, found, begun, watch, ways).run()
            _decide(work, record, sheet)
        _finish(work, wanted.folder, begun)
    handover = _read_record(wanted.folder, begun)
    assert handover is not None
    return _answered(wanted, handover, sheet, again=known is not None)


def _source(wanted: Request) -> tuple[Manifest, Begun]:
    """The manifest of the output to pack. Raises UsageError where it is not finished, or nothing to hand over."""
    output, folder = wanted.output, wanted.folder
    if wanted.appkey and not _APPKEY.fullmatch(wanted.appkey):
        raise UsageError("IMC-1010", option="--appkey", why="expected are letters and digits", command="pack")
    found = read_manifest(output)
    if publish.WORK in durable.names_in(output):
        raise UsageError("IMC-1014", str(output), why=f"a run is under way or was interrupted ({publish.WORK}/)")
    target = TARGETS.get(found.target_name)
    if target is None or target.suffix != HANDED_OVER:
        raise UsageError("IMC-1016", str(output), target=found.target)
    if folder.resolve().is_relative_to(output.resolve()):
        raise UsageError("IMC-1011", str(folder), folder=str(output))
    data = durable.read_file(output / manifest.NAME) or b""
    return found, Begun(hashlib.sha256(data).hexdigest(), wanted.max_file)


def _refuse_strangers(folder: Path) -> None:
    """Raises UsageError IMC-1004 for a folder that holds anything but a pack, finished or begun."""
    names = [name for name in durable.names_in(folder) if name != WORK]
    if names and RECORD not in names and not durable.exists(folder / WORK / RECORD):
        raise UsageError("IMC-1004", str(folder), found=names[0])


def _read_record(folder: Path, begun: Begun) -> Handover | None:
    """The record of a hand-over of the same output. Raises IMC-1004, IMC-1005 or IMC-1006 for another one."""
    data = durable.read_file(folder / RECORD)
    if data is None:
        return None
    try:
        version = msgspec.json.decode(data).get("format")
        if version != FORMAT:
            raise UsageError("IMC-1006", str(folder), found=version, ours=FORMAT)
        known = msgspec.json.decode(data, type=Handover)
    except (msgspec.DecodeError, AttributeError) as why:
        raise UsageError("IMC-1004", str(folder), found=RECORD) from why
    _refuse_other(folder, Begun(known.manifest_sha256, known.max_file), begun)
    return known


def _refuse_other(folder: Path, theirs: Begun, ours: Begun) -> None:
    if theirs.manifest_sha256 != ours.manifest_sha256:
        raise UsageError("IMC-1005", str(folder), difference="it is the hand-over of another output")
    if theirs.max_file != ours.max_file:
        raise UsageError("IMC-1005", str(folder), difference=f"it was begun with --max-file {theirs.max_file}")


def _answered(wanted: Request, known: Handover, sheet: Sheet, *, again: bool) -> Outcome:
    """The finished hand-over, with AppKey and roaming as they are given now.

    The sheet is renewed if they changed or if it is gone, and else left alone: people write on it.
    """
    folder = wanted.folder
    for file in known.files:
        size = durable.size_of(folder / file.name)
        if size != file.bytes:
            raise IntegrityError("IMC-6006", str(folder / file.name), found=size, expected=file.bytes)
    new = msgspec.structs.replace(known, appkey=wanted.appkey or known.appkey, roaming=wanted.roaming or known.roaming)
    if new == known and durable.exists(folder / SHEET):
        return Outcome(new, again)
    durable.replace_file(folder / SHEET, sheet(new))
    durable.replace_file(folder / RECORD, to_bytes(new))
    return Outcome(new, again=False)


def _begin(work: Path, begun: Begun) -> None:
    """Write down what is being packed, or see that it is what an interrupted pack began."""
    data = durable.read_file(work / BEGUN)
    if data is None:
        durable.replace_file(work / BEGUN, msgspec.json.encode(begun))
    else:
        _refuse_other(work.parent, msgspec.json.decode(data, type=Begun), begun)


def _decide(work: Path, record: Handover, sheet: Sheet) -> None:
    """Put sheet and record beside the files. From here on only moves are left to do."""
    durable.replace_file(work / SHEET, sheet(record))
    durable.sync_folder(work)
    durable.replace_file(work / RECORD, to_bytes(record))


def _finish(work: Path, folder: Path, begun: Begun) -> None:
    """Do the moves that are not done yet, the record last, and remove the work folder."""
    decided = _read_record(work, begun)
    if decided:
        for name in (*(file.name for file in decided.files), SHEET):
            if durable.exists(work / name):
                durable.rename(work / name, folder / name)
        durable.sync_folder(folder)
        durable.rename(work / RECORD, folder / RECORD)
        durable.sync_folder(folder)
    durable.remove(work)
    durable.sync_folder(folder)


class _Packer:
    """Makes the files of a hand-over in the work folder."""

    def __init__(
        self, wanted: Request, found: Manifest, begun: Begun, watch: Watcher, ways: Sequence[copying.CopySome]
    ) -> None:
        self.wanted = wanted
        self.output = wanted.output
        self.work = wanted.folder / WORK
        self.manifest = found
        self.begun = begun
        self.watch = watch
        self.ways = ways
        self.target = TARGETS[found.target_name]
        self.shard_sum = hashlib.sha256()
        self.done = 0

    def run(self) -> Handover:
        for shard in self.manifest.shards:
            _check_size(self.output / shard.name, shard)
        plans = plan_files(self.output, self.manifest.shards, self.target.streams, self.wanted.max_file)
        self._check_space(plans)
        self.watch.phase("pack", 2 * sum(plan.size for plan in plans))
        sums = [self._make(plan, plans) for plan in plans]
        self._check_lines(plans, sums)
        files = [self._facts(plan, found) for plan, found in zip(plans, sums, strict=True)]
        return self._record(files)

    def _check_space(self, plans: list[Plan]) -> None:
        """Raises UsageError IMC-1017 where the copies that are still to be made would not fit."""
        todo = [plan for plan in plans if durable.size_of(self.work / plan.name) != plan.size]
        for plan in todo:
            durable.remove(self.work / plan.name)
            durable.remove(self.work / f"{plan.name}.part")
        needed, free = sum(plan.size for plan in todo), durable.free_bytes(self.work)
        if needed > free:
            raise UsageError("IMC-1017", str(self.wanted.folder), needed=needed, free=free)

    def _make(self, plan: Plan, plans: list[Plan]) -> Sums:
        """Copy one file and read it back. If it is not what it should be, no copy of its shards stays."""
        path, part = self.work / plan.name, self.work / f"{plan.name}.part"
        if durable.exists(path):
            self._tick(plan.size)
        else:
            ranges = [durable.Range(self.output / shard.name, start, stop) for shard, start, stop in plan.parts]
            copying.copy_ranges(part, ranges, copied=self._tick, ways=self.ways)
            durable.rename(part, path)
        try:
            return self._read_back(path, plan)
        except IntegrityError:
            shards = {part.shard.name for part in plan.parts}
            for other in plans:
                if any(part.shard.name in shards for part in other.parts):
                    durable.remove(self.work / other.name)
            raise

    def _tick(self, size: int) -> None:
        self.done += size
        self.watch.tick(self.done)

    def _read_back(self, path: Path, plan: Plan) -> Sums:
        """The sums of a file that was made, each shard in it compared with the manifest where it ends."""
        sums = Sums()
        with durable.Reader(path) as reader:
            for part in plan.parts:
                if part.start == 0:
                    self.shard_sum = hashlib.sha256()
                for block in reader.blocks(sums.size, sums.size + part.stop - part.start):
                    sums.add(block)
                    self.shard_sum.update(block)
                    self._tick(len(block))
                if part.stop == part.shard.bytes and self.shard_sum.hexdigest() != part.shard.sha256:
                    self._blame(path, part.shard)
        return sums

    def _blame(self, path: Path, shard: ShardFacts) -> None:
        """Say whether the shard is damaged (IMC-6002) or only its copy (IMC-6005)."""
        sums = Sums()
        durable.scan(self.output / shard.name, seen=sums.add)
        if sums.sha256 == shard.sha256:
            raise IntegrityError("IMC-6005", str(path), shard=shard.name)
        what = f"its sha256 is {sums.sha256}, but the manifest says {shard.sha256}"
        raise IntegrityError("IMC-6002", str(self.output / shard.name), what=what)

    def _check_lines(self, plans: list[Plan], sums: list[Sums]) -> None:
        """Count twice: the lines that were read back have to be those of the manifest, for each stream."""
        lines = dict.fromkeys(self.manifest.streams, 0)
        for plan, found in zip(plans, sums, strict=True):
            lines[plan.stream] = lines.get(plan.stream, 0) + found.lines
        if lines != self.manifest.streams or sum(lines.values()) != self.manifest.totals.written:
            what = f"its shards have {lines} lines, but it says {self.manifest.streams}"
            raise IntegrityError("IMC-6002", str(self.output / manifest.NAME), what=what)

    def _facts(self, plan: Plan, sums: Sums) -> PackedFile:
        times = [self._times(part) for part in plan.parts]
        span = (min(first for first, _ in times), max(last for _, last in times))
        return PackedFile(plan.name, plan.stream, sums.lines, sums.size, sums.sha256, span)

    def _times(self, part: Part) -> tuple[int, int]:
        """First and last time of a part: known for a whole shard, else read from its lines."""
        if part.stop - part.start == part.shard.bytes:
            return part.shard.times
        with durable.Reader(self.output / part.shard.name) as reader:
            times = [self.target.read_key(line).time for line in _lines(reader, part.start, part.stop)]
        return min(times), max(times)

    def _record(self, files: list[PackedFile]) -> Handover:
        found, totals = self.manifest, self.manifest.totals
        return Handover(
            format=FORMAT,
            target=found.target,
            manifest_sha256=self.begun.manifest_sha256,
            max_file=self.wanted.max_file,
            appkey=self.wanted.appkey,
            roaming=self.wanted.roaming,
            streams=found.streams,
            files=files,
            kinds={kind: row.messages for kind, row in found.fidelity.items() if row.messages},
            left_out={name: getattr(totals, name) for name in LEFT_OUT},
            inputs_not_read_whole=sum(1 for source in found.inputs if source.error),
            media=found.media.files,
            media_url=found.options.get("media-url", FOLDER) if found.media.files else "",
        )


def _check_size(path: Path, shard: ShardFacts) -> None:
    size = durable.size_of(path)
    if size != shard.bytes:
        what = "it is missing" if size is None else f"it has {size} bytes, but the manifest says {shard.bytes}"
        raise IntegrityError("IMC-6002", str(path), what=what)


def plan_files(output: Path, shards: list[ShardFacts], streams: tuple[str, ...], limit: int) -> list[Plan]:
    """The files to make, none above `limit` bytes unless it is a single line. Raises IMC-1010 for too many."""
    plans: list[Plan] = []
    for stream in streams:
        mine = [shard for shard in shards if shard.stream == stream]
        files = min((_cut(output, mine, limit, whole=whole) for whole in (True, False)), key=len)
        plans += [Plan(name, stream, parts) for name, parts in zip(_names(stream, len(files)), files, strict=True)]
    return plans


def _names(stream: str, count: int) -> list[str]:
    """`p2p.txt`, or `p2p-1.txt` and so on; as many digits in each, so that they sort."""
    if count == 1:
        return [f"{stream}{HANDED_OVER}"]
    return [f"{stream}-{number:0{len(str(count))}}{HANDED_OVER}" for number in range(1, count + 1)]


def _cut(output: Path, shards: list[ShardFacts], limit: int, *, whole: bool) -> list[list[Part]]:
    """Share out the shards to files. `whole` never cuts a shard that fits into a file; else every file is filled."""
    files: list[list[Part]] = []
    room = 0
    for shard in shards:
        start = 0
        while start < shard.bytes:
            apart = whole and room < shard.bytes - start <= limit
            stop = start if apart else _stop(output, shard, start, room)
            if stop == start:  # nothing more goes into this file
                if len(files) == MOST_FILES:
                    why = f"it would make more than {MOST_FILES} files"
                    raise UsageError("IMC-1010", option="--max-file", why=why, command="pack")
                files.append([])
                room = limit
                stop = _stop(output, shard, start, room)
            if stop == start:  # a line longer than a file may be
                stop = _line_end_after(output / shard.name, start, shard.bytes)
            files[-1].append(Part(shard, start, stop))
            room -= stop - start
            start = stop
    return files


def _stop(output: Path, shard: ShardFacts, start: int, room: int) -> int:
    """Where a shard has to be cut so that what begins at `start` fits into `room`; `start` if no line fits."""
    if shard.bytes - start <= room:
        return shard.bytes
    stop = start + room
    with durable.Reader(output / shard.name) as reader:
        while stop > start:
            begin = max(start, stop - durable.BLOCK)
            end = reader.at(begin, stop - begin).rfind(b"\n")
            if end >= 0:
                return begin + end + 1
            stop = begin
    return start


def _line_end_after(path: Path, start: int, size: int) -> int:
    """Where the line that begins at `start` ends."""
    with durable.Reader(path) as reader:
        for block in reader.blocks(start, size, size=1 << 16):
            end = block.find(b"\n")
            if end >= 0:
                return start + end + 1
            start += len(block)
    return size


def _lines(reader: durable.Reader, start: int, stop: int) -> Iterator[bytes]:
    rest = b""
    for block in reader.blocks(start, stop):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def to_bytes(handover: Handover) -> bytes:
    """The record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(handover), indent=1) + b"\n"
