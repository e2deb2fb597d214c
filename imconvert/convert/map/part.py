"""Write the part of one segment: lines, rows, sorted runs of keys, rejects and skips, then the marker.

Strategy: columns gather for the records of one or more batches and become NumPy rows once; keys are sorted in runs
of RUN rows, so that memory does not grow with the segment.
Cost: 48 bytes of disk for a row and 32 for a key, gone after the run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from imconvert import durable, native
from imconvert.convert.blocks import begins_of
from imconvert.convert.map.gather import ENOUGH, Gathering
from imconvert.convert.map.names import Names
from imconvert.convert.map.spread import AsTheyCome, ByConversation
from imconvert.convert.work import (
    BUCKETS,
    KEY,
    MOST_ROWS,
    RECALL,
    ROW,
    SOURCE,
    Array,
    FileSum,
    WorkFolder,
    place_number,
    together,
)
from imconvert.errors import IntegrityError
from imconvert.model import Message
from imconvert.vendors.contract import Gathered, Gathers, Line

RUN = 1 << 17


class StreamPart:
    """One stream of a part: its lines and their rows. `keep_lines` off writes the rows alone (check); where `ordered`,
    lines lie in ranges of so many bytes in the order of their conversations."""

    def __init__(
        self,
        work: WorkFolder,
        segment: int,
        number: int,
        name: str,
        columns: Gathers,
        *,
        keep_lines: bool,
        ordered: int,
    ) -> None:
        self.base = place_number(segment, number, 0)
        self.name = name
        self.lines = durable.Writer(work.part(segment, name))
        self.rows = durable.Writer(work.part(segment, f"{name}.rows"))
        self.sources = durable.Writer(work.part(segment, f"{name}.sources"))
        self.talks = durable.Writer(work.part(segment, f"{name}.talks")) if ordered and keep_lines else None
        self.spread = (
            ByConversation(self.lines, self.rows, self.talks, ordered)
            if self.talks
            else AsTheyCome(self.lines if keep_lines else None, self.rows)
        )
        self.count = 0
        self.columns = columns
        self.names = Names()
        self.turns: list[tuple[int, int]] = []

    def turn(self, base: int) -> None:
        """What was added since the last turn is of records that are numbered from `base` on."""
        self.turns.append((len(self.columns), base))

    def add(self, line: Line, index: int, message: Message, part: int) -> None:
        """Add part number `part` of a message whose source id has to be remembered."""
        self.names.add(len(self.columns), message, part)
        self.columns.add(line, index)

    def flush(self, gathered: Gathering, numbers: KeyRuns) -> Array | None:
        """Write what came of the records that gathered; gives its keys."""
        count, turns, self.turns = len(self.columns), self.turns, []
        if not count:
            return None
        found = Gathered(*self.columns.take())
        rows = self._rows(found, gathered, turns)
        self.spread.add(found.lines, rows)
        if self.names.positions or found.named:
            self._flush_names(found.named, rows["msgid"], numbers)
        keys = self._keys(found.keys, found.digests, count)
        self.count += count
        return keys

    def _rows(self, found: Gathered, gathered: Gathering, turns: list[tuple[int, int]]) -> Array:
        shifts = gathered.shifts()
        if not (native.BUILT and found.offsets and shifts and len(turns) == 1):
            return rows_of(found, gathered, turns, self.spread.end)
        gathered.counts[0].lines += turns[0][0]
        line, offset, file = shifts
        columns = found.lengths, found.times, found.msgids, found.sources, found.offsets
        return np.frombuffer(native.rows(*columns, self.spread.end, line + turns[0][1], offset, file), ROW)

    def _flush_names(self, shortcut: bytes, msgids: Array, numbers: KeyRuns) -> None:
        sources, derived = self.names.rows(shortcut, self.base + self.count, msgids)
        self.sources.write(sources.tobytes())
        if len(derived):
            numbers.add(derived)
        self.names = Names()

    def _keys(self, hashed: bytes, digests: bytes, count: int) -> Array:
        if self.count + count > MOST_ROWS:
            raise IntegrityError("IMC-6001", detail=f"a segment has more than {MOST_ROWS} lines")
        return _keyed(hashed, digests, self.base + self.count)


def rows_of(found: Gathered, gathered: Gathering, turns: list[tuple[int, int]], begin: int) -> Array:
    """The ROWs of lines that lie one behind the other from `begin` on."""
    sources = np.frombuffer(found.sources, "<i8") + _bases(turns)
    rows = np.empty(len(sources), ROW)
    rows["length"] = np.frombuffer(found.lengths, "<u4")
    rows["begin"] = begins_of(rows["length"], begin)
    rows["file"], rows["line"], rows["offset"] = gathered.rows(sources, np.frombuffer(found.offsets, "<i8"))
    rows["time"] = np.frombuffer(found.times, "<i8")
    rows["msgid"] = np.frombuffer(found.msgids, "<u8")
    return rows


def keyed(hashed: bytes, digests: bytes, place: int) -> Array:
    """The KEYs of lines whose places are counted from `place`."""
    hashes = np.frombuffer(hashed, "<u8").reshape(-1, 2)
    keys = np.empty(len(hashes), KEY)
    keys["hi"], keys["lo"] = hashes[:, 0], hashes[:, 1]
    keys["digest"] = np.frombuffer(digests, "<u8")
    keys["place"] = np.arange(len(hashes), dtype=np.uint64) + np.uint64(place)
    return keys


def _keyed(hashed: bytes, digests: bytes, place: int) -> Array:
    return np.frombuffer(native.keyed(hashed, digests, place), KEY) if native.BUILT else keyed(hashed, digests, place)


def _bases(turns: list[tuple[int, int]]) -> Array:
    """What the number of each line's record is counted from."""
    ends, bases = zip(*turns, strict=True)
    return np.repeat(np.array(bases), np.diff([0, *ends]))


class KeyRuns:
    """Gathers keys and writes them as sorted runs with their bucket counts."""

    def __init__(self, work: WorkFolder, segment: int, *, prefix: str = "") -> None:
        self.keys = durable.Writer(work.part(segment, f"{prefix}keys"))
        self.buckets = durable.Writer(work.part(segment, f"{prefix}buckets"))
        self.waiting: list[Array] = []
        self.count = 0
        self.runs: list[int] = []

    def add(self, keys: Array) -> None:
        self.waiting.append(keys)
        self.count += len(keys)
        if self.count >= RUN:
            self.flush()

    def flush(self) -> None:
        if not self.count:
            return
        keys = together(self.waiting, KEY)
        keys = keys.take(in_order(keys["hi"]))
        self.keys.write(keys.tobytes())
        self.buckets.write(bucket_counts(keys["hi"]).tobytes())
        self.runs.append(len(keys))
        self.waiting, self.count = [], 0


def in_order(hashes: Array) -> Array:
    """What sorts the hashes, equal ones as they came: a fast sort that is not stable, then the few equal ones anew."""
    hashes = np.ascontiguousarray(hashes)
    order = np.argsort(hashes)
    found = hashes.take(order)
    same = found[1:] == found[:-1]
    if same.any():
        equal = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        order[equal] = order[equal][np.lexsort((order[equal], found[equal]))]
    return order


def bucket_counts(hashes: Array) -> Array:
    """How many of the sorted hashes lie below each of the BUCKETS + 1 equal bounds."""
    shift = np.uint64(64 - BUCKETS.bit_length() + 1)
    counts = np.bincount((hashes >> shift).astype(np.int64), minlength=BUCKETS)
    return np.concatenate([[0], np.cumsum(counts)]).astype("<u4")


class Part:
    """All files of a part being written. `finish` closes them and gives their sums for the marker."""

    def __init__(
        self,
        work: WorkFolder,
        segment: int,
        streams: tuple[str, ...],
        columns: Callable[[], Gathers],
        *,
        keep_lines: bool = True,
        ordered: int = 0,
    ) -> None:
        self.segment = segment
        self.gathered = Gathering()
        self.streams = {
            name: StreamPart(work, segment, number, name, columns(), keep_lines=keep_lines, ordered=ordered)
            for number, name in enumerate(streams)
        }
        self.keys = KeyRuns(work, segment)
        self.numbers = KeyRuns(work, segment, prefix="numbers.")
        self.rejects = durable.Writer(work.part(segment, "rejects"))
        self.skipped = durable.Writer(work.part(segment, "skipped"))
        self.recalls = durable.Writer(work.part(segment, "recalls"))
        self.ids = durable.Writer(work.part(segment, "ids"))
        self.missing = durable.Writer(work.part(segment, "missing"))

    def keep(self, mapped: Gathering) -> None:
        """Keep what the streams hold of records that were mapped, until writing it down is worth its fixed costs.

        What came as a text is written at once, for the places of its lines are counted in that text.
        """
        for stream in self.streams.values():
            stream.turn(self.gathered.records)
        for batch, counts in zip(mapped.batches, mapped.counts, strict=True):
            self.gathered.add(batch, counts)
        if self.gathered.bytes >= ENOUGH or any(batch.text is not None for batch in mapped.batches):
            self.flush()

    def flush(self) -> None:
        """Write what the streams hold."""
        gathered, self.gathered = self.gathered, Gathering()
        for stream in self.streams.values():
            keys = stream.flush(gathered, self.numbers)
            if keys is not None:
                self.keys.add(keys)

    @property
    def named(self) -> int:
        """How many lines have a row in `sources`."""
        return sum(stream.sources.size for stream in self.streams.values()) // SOURCE.itemsize

    def finish(self) -> dict[str, FileSum]:
        self.flush()
        writers = []
        for runs in (self.keys, self.numbers):
            runs.flush()
            writers += [runs.keys, runs.buckets]
        writers += [self.rejects, self.skipped, self.recalls, self.ids, self.missing]
        for stream in self.streams.values():
            stream.spread.finish()
            writers += [stream.lines, stream.rows, stream.sources, *([stream.talks] if stream.talks else [])]
        for writer in writers:
            writer.finish()
        return {writer.path.name: FileSum(writer.size, writer.digest) for writer in writers}


def facts(part: Part) -> dict[str, Any]:
    """The parts of the marker that the files themselves tell."""
    rows = [stream.count for stream in part.streams.values()]
    recalls = part.recalls.size // RECALL.itemsize
    return {
        "rows": rows,
        "runs": part.keys.runs,
        "numbers": part.numbers.runs,
        "named": part.named,
        "recalls": recalls,
        "ranges": [stream.spread.ranges for stream in part.streams.values()],
    }
