"""The work files of a run: what a mapped segment leaves, under which names, in which layout.

Layout of `.work/part-00007.*` for each stream: the target lines, a ROW for each line, and `sources`, SOURCE rows; where
lines lie in the order of conversations, `talks`, the u8 hash of each row's conversation. For
all streams together: `keys`, sorted runs of KEY rows, with `buckets`, the number of keys below each of BUCKETS hash
bounds for each run; `numbers.keys` and `numbers.buckets`, the same for derived message numbers; `rejects` and `skipped`
as NDJSON; `recalls`, RECALL rows; `ids`, the accounts met. `part-00007.json`, the marker, comes last and holds the size
and xxh3-64 of each of them, so that a part without a fitting marker does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType
from numpy.typing import NDArray

from imconvert import durable

Array = NDArray[Any]
Marker = TypeVar("Marker")

ROW = np.dtype(
    [
        ("begin", "<u8"),
        ("line", "<u8"),
        ("offset", "<u8"),
        ("time", "<i8"),
        ("msgid", "<u8"),
        ("length", "<u4"),
        ("file", "<u4"),
    ]
)
"""Of one target line: where it begins in its part, and its length without the newline; number (from 0, in its piece)
and byte offset of its source record; time in ms; message number; input number."""

KEY = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("digest", "<u8"), ("place", "<u8")])
"""Of one target line: xxh3-128 of its key, xxh3-64 of its content, its place. For derived numbers the fields are the
number shifted left by one, the first half of the hash of its source id, the part, its place."""

SOURCE = np.dtype([("hi", "<u8"), ("lo", "<u8"), ("place", "<u8"), ("part", "<u8")])
"""Of one target line whose number does not lead to its source id: xxh3-128 of that id, its place, and which part of
the message it is, from 0."""

DROP = np.dtype([("place", "<u8"), ("winner", "<u8"), ("kind", "<u8"), ("msgid", "<u8")])
"""Of one line that is not written as it is: its place, the place of the line that stays, one of the kinds below, and
the new message number where it got one."""

DUPLICATE, CONFLICT, REKEYED, RENUMBERED, RECALLED, MARKED, MARKED_REKEYED, MARKED_RENUMBERED = range(8)
KINDS = 8
"""Left out for a line with the same key and content, or other content; written with a new number because of its key,
or because another source id has the number; recalled and left out for it (`winner` is the number of the event), or
written as a tombstone, which may have a new number as well."""

LEFT_OUT = (DUPLICATE, CONFLICT, RECALLED)
TOMBSTONES = (MARKED, MARKED_REKEYED, MARKED_RENUMBERED)
REWRITTEN = (REKEYED, RENUMBERED, *TOMBSTONES)


def is_among(kinds: Array, wanted: Iterable[int]) -> Array:
    """Which of these kinds of drops are wanted ones."""
    table = np.zeros(KINDS, bool)
    table[list(wanted)] = True
    return table[kinds]


RECALL = np.dtype(
    [
        ("hi", "<u8"),
        ("lo", "<u8"),
        ("msgid", "<u8"),
        ("talk", "<u8"),
        ("line", "<u8"),
        ("offset", "<u8"),
        ("file", "<u4"),
        ("segment", "<u4"),
    ]
)
"""Of one recall event: xxh3-128 of the source id that it recalls, the number that this id is or 0, a hash of the
conversation or 0; where the event stands, its `line` counted as in a ROW."""

IDS = np.dtype([("target", "<u8"), ("source", "<u8")])
"""Of one account met: xxh3-64 of its id as written and as it came."""

BUCKET_BITS = 12
BUCKETS = 1 << BUCKET_BITS

SEGMENT_SHIFT, STREAM_SHIFT = 40, 36
ROW_MASK = (1 << STREAM_SHIFT) - 1
MOST_ROWS = 1 << STREAM_SHIFT


class Place(NamedTuple):
    """A target line: segment number, stream number, row. As one number, places sort in input order."""

    segment: int
    stream: int
    row: int


def place_number(segment: int, stream: int, row: int) -> int:
    return segment << SEGMENT_SHIFT | stream << STREAM_SHIFT | row


def place_of(number: int) -> Place:
    return Place(number >> SEGMENT_SHIFT, number >> STREAM_SHIFT & 0xF, number & ROW_MASK)


class FileSum(Struct, frozen=True):
    """Size and xxh3-64 of a work file."""

    size: int
    digest: str


class First(Struct, frozen=True):
    """An example: input number, record number from 0 in its piece, and what there is to say."""

    file: int
    line: int
    why: str = ""
    values: dict[str, Any] = {}


class Count(Struct):
    """How often something happened, and where first."""

    count: int = 0
    first: First | None = None


class Novelties(Struct):
    """What of one kind the vendor's documents don't know: counts by name, and how often names beyond the limit."""

    names: dict[str, Count]
    others: int = 0


class PieceCounts(Struct):
    """The ledger of one piece. `lines` are target lines; `split` is how many more than their records they are.

    `survey` is what the input as a whole says about its records, as JSON. `clocks` are the offsets by which times were
    read, each with what says so.
    """

    file: int
    read: int = 0
    rejected: int = 0
    skipped: int = 0
    split: int = 0
    lines: int = 0
    bytes: int = 0
    survey: str = ""
    error: tuple[str, dict[str, Any]] | None = None
    clocks: list[tuple[str, str]] = []


class PartMarker(Struct):
    """What mapping a segment gave. Counters are by code, or by (kind, outcome, field) joined with tabs. `ranges` are,
    for each stream, the rows of each range whose lines lie in the order of their conversations."""

    segment: int
    refused: str
    pieces: list[PieceCounts]
    rows: list[int]
    runs: list[int]
    rejects: dict[str, Count]
    skipped: dict[str, Count]
    repairs: dict[str, Count]
    kinds: dict[str, int]
    changes: dict[str, Count]
    folded: int
    files: dict[str, FileSum]
    drift: dict[str, Novelties] = {}
    numbers: list[int] = []
    named: int = 0
    recalls: int = 0
    ranges: list[list[int]] = []


class SealMarker(Struct):
    """What sealing a segment gave: its shards, and the lines left out, by input number."""

    segment: int
    shards: list[ShardFacts]
    duplicates: dict[int, int]
    conflicts: dict[int, int]
    rekeyed: dict[int, int]
    written: dict[int, int]
    renumbered: dict[int, int]
    files: dict[str, FileSum]
    examples: dict[str, Any]
    basis: str
    sources: SourceFacts | None = None
    recalled: dict[int, int] = {}
    marked: dict[int, int] = {}


class Decided(Struct):
    """The lists of drops that decide about all lines: their files, in the order in which places ascend, and how many
    drops of each kind a stream of a segment has (by place without its row), where it has any."""

    files: dict[str, FileSum]
    kinds: dict[int, list[int]]

    def left_out(self, segment: int, stream: int) -> int:
        """How many lines of a stream are not written."""
        kinds = self.kinds.get(place_number(segment, stream, 0) >> STREAM_SHIFT)
        return sum(kinds[kind] for kind in LEFT_OUT) if kinds else 0

    def rewritten(self, segment: int, stream: int) -> int:
        """How many lines of a stream are written otherwise."""
        kinds = self.kinds.get(place_number(segment, stream, 0) >> STREAM_SHIFT)
        return sum(kinds[kind] for kind in REWRITTEN) if kinds else 0

    def total(self) -> list[int]:
        """How many drops there are of each kind."""
        return [sum(kinds) for kinds in zip([0] * KINDS, *self.kinds.values(), strict=True)]


class Resolved(Decided):
    """What resolving gave: `basis` names the parts and the policy it was done for; `collided` are the source ids that
    got another number than the derived one."""

    basis: str = ""
    collided: int = 0
    recalls: RecallFacts | None = None


class RecallFacts(Struct):
    """Recall events; how many found no message, and where the first of these stands (segment, input, line, offset)."""

    events: int
    without: int
    first: tuple[int, int, int, int] | None


class SourceFacts(Struct):
    """An index of source ids as the manifest tells it: its name, its lines, and the shards they lie in, by stream."""

    name: str
    lines: int
    shards: dict[str, str]


class ShardFacts(Struct):
    """One shard as the manifest tells it. Times in ms; `msgids` is the lowest and highest message number.

    `messages` is there where the lines are requests.
    """

    name: str
    stream: str
    lines: int
    bytes: int
    sha256: str
    times: tuple[int, int]
    msgids: tuple[int, int]
    messages: int | UnsetType = UNSET

    @property
    def count(self) -> int:
        """How many messages it holds."""
        return self.lines if isinstance(self.messages, UnsetType) else self.messages


class PackageFacts(Struct):
    """A shard of packages as the manifest tells it: `lines` are copies of messages, `bytes` those of the file."""

    name: str
    users: int
    calls: int
    lines: int
    bytes: int
    sha256: str


_encode = msgspec.json.Encoder().encode


def marker_bytes(marker: Struct) -> bytes:
    """A marker as JSON."""
    return _encode(marker) + b"\n"


class WorkFolder:
    """Names and layout of `.work/`. Opens nothing by itself."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def resolved(self) -> Path:
        return self.path / "resolved.json"

    @property
    def publish(self) -> Path:
        return self.path / "publish.json"

    def part(self, segment: int, name: str) -> Path:
        return self.path / f"part-{segment:05}.{name}"

    def seal(self, segment: int, name: str) -> Path:
        return self.path / f"seal-{segment:05}.{name}"

    def scattered(self, segment: int, name: str) -> Path:
        return self.path / f"scatter-{segment:05}.{name}"

    def bucket(self, stream: str, number: int) -> Path:
        return self.path / f"bucket-{stream}-{number:05}.json"

    @property
    def drops(self) -> Path:
        return self.path / "drops"

    def drops_of(self, segment: int) -> Path:
        """The list of one segment, where each has its own."""
        return self.path / f"drops-{segment:05}"

    def list_of(self, decided: Decided, segment: int) -> Path:
        """The list in which the drops of a segment are, maybe among others."""
        own = (self.drops_of(segment), self.resolved_of(segment))
        return next((path for path in own if path.name in decided.files), self.drops)

    @property
    def renumbered(self) -> Path:
        return self.path / "renumbered"

    @property
    def recalls(self) -> Path:
        return self.path / "recalls"

    @property
    def earlier_recalls(self) -> Path:
        return self.path / "recalls.earlier"

    def collided(self, partition: int) -> Path:
        return self.path / f"collided-{partition:05}"

    def partition(self, number: int) -> Path:
        return self.path / f"partition-{number:05}"

    def resolved_of(self, segment: int) -> Path:
        """Like `drops_of`, before more lists are merged into it."""
        return self.path / f"resolved-{segment:05}"

    def recalled(self, segment: int, chunk: int) -> Path:
        return self.path / f"recalled-{segment:05}.{chunk:05}"

    def read_part(self, segment: int, *, ours: bool = False) -> PartMarker | None:
        """The marker of a mapped segment, if it is there and every file it names is as it says.

        `ours` are files that this very run has written, whose bytes need not be read again.
        """
        marker = _read_marker(self.part(segment, "json"), PartMarker)
        return marker if marker and (ours or self._intact(marker.files)) else None

    def read_seal(self, segment: int, basis: str, *, ours: bool = False) -> SealMarker | None:
        """The marker of a segment sealed for this basis, likewise."""
        return self.read_marker(self.seal(segment, "json"), SealMarker, basis, ours=ours)

    def read_marker(self, path: Path, kind: type[Marker], basis: str, *, ours: bool = False) -> Marker | None:
        """A marker of this kind, with `basis` and `files`, if it is there for this basis and its files are whole."""
        marker: Any = _read_marker(path, kind)
        return marker if marker and marker.basis == basis and (ours or self._intact(marker.files)) else None

    def read_resolved(self, basis: str) -> Resolved | None:
        """What was resolved for this basis, if it is there and whole."""
        return self.read_marker(self.resolved, Resolved, basis)

    def last_resolved(self) -> Resolved | None:
        """What was resolved last, for whatever basis."""
        found: Resolved | None = _read_marker(self.resolved, Resolved)
        return found

    def _intact(self, files: dict[str, FileSum]) -> bool:
        return all(durable.intact(self.path / name, found.size, found.digest) for name, found in files.items())


def _read_marker(path: Path, kind: type[Any]) -> Any:
    data = durable.read_file(path)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError:
        return None


def read_rows(path: Path, kind: np.dtype[Any], start: int = 0, stop: int | None = None) -> Array:
    """Rows [start, stop) of a column file."""
    with durable.Reader(path) as reader:
        count = reader.size // kind.itemsize if stop is None else stop
        return rows_at(reader, kind, start, count)


def rows_at(reader: durable.Reader, kind: np.dtype[Any], start: int, stop: int) -> Array:
    """Rows [start, stop) through an open reader."""
    return np.frombuffer(reader.at(start * kind.itemsize, (stop - start) * kind.itemsize), kind)


def together(parts: Sequence[Array], kind: np.dtype[Any]) -> Array:
    """Rows one after the other, copied as they lie; NumPy would look at each of their fields."""
    whole = f"V{kind.itemsize}"
    return parts[0] if len(parts) == 1 else np.concatenate([part.view(whole) for part in parts]).view(kind)


def row_windows(path: Path, kind: np.dtype[Any], *, size: int = 65536) -> Iterator[tuple[int, Array]]:
    """All rows of a column file, window by window, each with the number of its first row."""
    with durable.Reader(path) as reader:
        count = reader.size // kind.itemsize
        for start in range(0, count, size):
            yield start, rows_at(reader, kind, start, min(count, start + size))


def total(counts: Iterable[Count]) -> int:
    """The sum of counts."""
    return sum(found.count for found in counts)


def bases_of(parts: Iterable[PartMarker]) -> dict[tuple[int, int], int]:
    """How many records of a file came before a segment, where that is not 0."""
    seen: dict[int, int] = {}
    bases: dict[tuple[int, int], int] = {}
    for part in parts:
        for piece in part.pieces:
            if seen.get(piece.file):
                bases[part.segment, piece.file] = seen[piece.file]
            seen[piece.file] = seen.get(piece.file, 0) + piece.read
    return bases
