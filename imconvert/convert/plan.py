"""Turn inputs into an ordered list of segments, the units of work and of resuming.

Strategy: big plain line files are cut by byte range; a packed file, a zip entry or a JSON document is one stream;
small files share a segment. The plan depends on the inputs and the segment size only, never on the workers.
Promise: each byte of each input belongs to exactly one piece, in input order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from imconvert.convert.options import DAY, Options
from imconvert.convert.ports import Clock
from imconvert.durable.storage import is_remote
from imconvert.errors import InputError, UsageError
from imconvert.sources.detect import detect, is_document
from imconvert.sources.inputs import Input, Unreadable, expand, open_inputs
from imconvert.vendors import every
from imconvert.vendors.contract import Vendor

MIB = 1 << 20
SMALLEST, LARGEST = 32 * MIB, 256 * MIB
SEGMENTS_WANTED = 64
UNPACKED = 5
"""A packed byte weighs as many bytes as this when small files are gathered into segments."""

FORMAT = 1
"""Version of the output folder and of the work files."""


class Piece(Struct, frozen=True):
    """Bytes [start, stop) of input number `file`; stop -1 is its end. Records belong to where they begin."""

    file: int
    start: int = 0
    stop: int = -1


class Segment(Struct, frozen=True):
    """One unit of work: pieces in input order."""

    number: int
    pieces: tuple[Piece, ...]


class Plan(Struct, frozen=True):
    """All that decides the output: inputs, options and segments. `latest` is the upper bound for times in ms."""

    format: int
    vendor: str
    target: str
    options: dict[str, str]
    latest: int
    inputs: tuple[Input, ...]
    unreadable: tuple[Unreadable, ...]
    segments: tuple[Segment, ...]


def make_plan(options: Options, clock: Clock) -> Plan:
    """The plan of a run. Raises UsageError (IMC-10xx) where the inputs can't be understood."""
    output = None if is_remote(options.output) else options.output.absolute()
    files = expand(options.inputs, outside=output)
    inputs, unreadable = open_inputs(files, options.limits)
    chosen = options.vendor()
    if not chosen and not inputs:
        first = unreadable[0]
        raise InputError(first.code, first.label, **first.values)
    vendor = chosen or detect(inputs, every(options.content), options.limits)
    size = options.segment_size or segment_size(sum(map(weight, inputs)))
    return Plan(
        format=FORMAT,
        vendor=vendor.name,
        target=options.target,
        options=options.identity(vendor.name),
        latest=options.latest if options.latest is not None else int(clock.now() * 1000) + DAY,
        inputs=tuple(inputs),
        unreadable=tuple(unreadable),
        segments=cut(tuple(inputs), size, vendor),
    )


def weight(source: Input) -> int:
    """About how many bytes an input unpacks to."""
    return source.size if source.container == "plain" else source.size * UNPACKED


def segment_size(total: int) -> int:
    """The default size for `total` bytes: a power of two from 32 MiB to 256 MiB that gives about 64 segments."""
    size = SMALLEST
    while size < LARGEST and size * SEGMENTS_WANTED < total:
        size *= 2
    return size


def cut(inputs: tuple[Input, ...], size: int, vendor: Vendor) -> tuple[Segment, ...]:
    """The segments of the inputs for a segment size in bytes."""
    segments: list[Segment] = []
    gathered: list[Piece] = []
    gathered_weight = 0

    def close() -> None:
        nonlocal gathered_weight
        if gathered:
            segments.append(Segment(len(segments), tuple(gathered)))
            gathered.clear()
            gathered_weight = 0

    for number, source in enumerate(inputs):
        for piece, heavy in _pieces(number, source, size, vendor):
            if gathered_weight + heavy > size:
                close()
            gathered.append(piece)
            gathered_weight += heavy
    close()
    return tuple(segments)


def _pieces(number: int, source: Input, size: int, vendor: Vendor) -> Iterator[tuple[Piece, int]]:
    heavy = weight(source)
    whole = source.container != "plain" or source.size <= size
    if whole or _in_one(source, vendor):
        yield Piece(number), heavy
        return
    for start in range(0, source.size, size):
        stop = min(start + size, source.size)
        yield Piece(number, start, stop), stop - start


def _in_one(source: Input, vendor: Vendor) -> bool:
    """Whether a plain file can't be cut at line ends, as they may stand within records."""
    if vendor.tables:
        return vendor.tables.multiline and bool(vendor.tables.quote or vendor.tables.escape)
    return vendor.documents is not None and is_document(Path(source.path), vendor.documents)


def bytes_of(segment: Segment, inputs: Mapping[int, Input]) -> int:
    """How many bytes of its inputs a segment reads."""
    return sum(piece.stop - piece.start if piece.stop >= 0 else inputs[piece.file].size for piece in segment.pieces)


_encode = msgspec.json.Encoder().encode


def to_bytes(plan: Plan) -> bytes:
    """The plan as JSON, the same bytes for the same plan."""
    return _encode(plan) + b"\n"


def from_bytes(data: bytes, folder: str) -> Plan:
    """The plan in `data`. Raises UsageError IMC-1006 for another format or one that nobody can read."""
    try:
        found = msgspec.json.decode(data).get("format")
        if found == FORMAT:
            return msgspec.json.decode(data, type=Plan)
    except (msgspec.DecodeError, AttributeError):
        found = "unreadable"
    raise UsageError("IMC-1006", folder, found=found, ours=FORMAT)


def difference(ours: Plan, theirs: Plan) -> str | None:
    """In a few words what keeps two plans from being the same run, or None."""
    for name, ours_is, theirs_is in (
        ("the inputs are others", [i.label for i in ours.inputs], [i.label for i in theirs.inputs]),
        ("the source vendor is another", ours.vendor, theirs.vendor),
        ("the target is another", ours.target, theirs.target),
        ("the segment size is another", ours.segments, theirs.segments),
    ):
        if ours_is != theirs_is:
            return name
    for option in sorted(ours.options.keys() | theirs.options.keys()):
        if ours.options.get(option) != theirs.options.get(option):
            return f"{option} was {theirs.options.get(option)!r} and is {ours.options.get(option)!r} now"
    return None
