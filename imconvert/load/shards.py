"""The shards of a finished output as the loader takes them: whole, unchanged, each belonging to a stage.

Promise: a shard is loaded only if its bytes are those of the manifest. They are summed once; after that its size and
time of last write say whether it was touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from imconvert import durable
from imconvert.convert.books import manifest
from imconvert.convert.books.manifest import Manifest
from imconvert.deliver.journal import Journal
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError, UsageError
from imconvert.vendors.calls import Call, Rest

CHUNK = 64 << 10
LONGEST = 16 << 20
"""Bytes read at a time; longest line."""


class Head(Struct, gc=False):
    """What the loader wants to know of a line before it is sent."""

    api: str
    conv: str = ""


class Shard(NamedTuple):
    """A shard: its number in the journal, where it is, its stage, its lines, those of its longest conversation."""

    number: int
    path: Path
    name: str
    stage: str
    lines: int
    longest: int = 0


_head = msgspec.json.Decoder(Head).decode
_call = msgspec.json.Decoder(Call).decode


def read_head(line: bytes, shard: str, number: int) -> Head:
    """The head of line `number` (from 0). Raises IntegrityError IMC-6111 for what is no request."""
    try:
        return _head(line)
    except (msgspec.DecodeError, RecursionError) as why:
        raise IntegrityError("IMC-6111", f"{shard}:{number + 1}", why=str(why)) from why


def read_call(line: bytes, shard: str, number: int) -> Call:
    """Line `number` (from 0) as a call. Raises IntegrityError IMC-6111."""
    try:
        return _call(line)
    except (msgspec.DecodeError, RecursionError) as why:
        raise IntegrityError("IMC-6111", f"{shard}:{number + 1}", why=str(why)) from why


def opened(folder: Path) -> Manifest:
    """The manifest of a finished output. Raises UsageError IMC-1014."""
    data = durable.read_file(folder / manifest.NAME)
    if data is None:
        raise UsageError("IMC-1014", str(folder), why="there is no manifest.json")
    try:
        return manifest.from_bytes(data)
    except msgspec.DecodeError as why:
        raise UsageError("IMC-1014", str(folder / manifest.NAME), why=str(why)) from why


def first_api(path: Path) -> str:
    """The call of a shard's first line; "" for an empty shard."""
    for line in durable.lines_of(path):
        return read_head(line, path.name, 0).api
    return ""


def listed(folder: Path, found: Manifest, rest: Rest) -> list[tuple[str, str, int]]:
    """Names, stages and lines of the shards. Raises UsageError IMC-1258 for a call that the target does not have."""
    rows = []
    for facts in found.shards:
        api = first_api(folder / facts.name) if facts.lines else ""
        stage = rest.stage_of(api) if api else ""
        if api and not stage:
            raise UsageError("IMC-1258", facts.name, api=api, target=rest.title)
        if api:
            rows.append((facts.name, stage, facts.lines))
    return rows


def registered(
    folder: Path, found: Manifest, rest: Rest, journal: Journal, watch: Callable[[int], None]
) -> list[Shard]:
    """The shards with their numbers, each checked, those with the longest conversations first, as nothing can make up
    for a late beginning of these. Raises IntegrityError IMC-6110 for one that is not as written."""
    known = {row[1]: row for row in journal.data.rows("SELECT id, name, sha256, bytes, lines, changed FROM shards")}
    facts = {one.name: one for one in found.shards}
    shards = []
    for name, stage, lines in listed(folder, found, rest):
        with durable.Reader(folder / name) as reader:
            size, changed = reader.size, reader.changed
        if name not in known or known[name][2:] != (facts[name].sha256, size, lines, changed):
            _check(folder / name, facts[name].sha256, watch)
            row = (name, facts[name].sha256, size, lines, changed, longest_in(folder / name))
            _register(journal, row, known.get(name))
        [(number, longest)] = journal.data.rows("SELECT id, longest FROM shards WHERE name = ?", name)
        shards.append(Shard(number, folder / name, name, stage, lines, longest))
    return sorted(shards, key=lambda shard: -shard.longest)


def longest_in(path: Path) -> int:
    """How many lines the longest conversation of a shard has; its lines are neighbours."""
    conv, length, found = "", 0, 0
    for number, line in enumerate(durable.lines_of(path)):
        head = read_head(line, path.name, number)
        length = length + 1 if head.conv and head.conv == conv else int(bool(head.conv))
        conv, found = head.conv, max(found, length)
    return found


def _check(path: Path, sha256: str, watch: Callable[[int], None]) -> None:
    sums = Sums()

    def seen(block: bytes) -> None:
        sums.add(block)
        watch(len(block))

    durable.scan(path, seen=seen)
    if sums.sha256 != sha256:
        raise IntegrityError("IMC-6110", str(path))


def _register(journal: Journal, row: tuple[str, str, int, int, int, int], known: Sequence[object] | None) -> None:
    """Take a shard into the journal. Raises IntegrityError IMC-6110 if one of that name was other bytes before."""
    if known and known[2] != row[1]:
        raise IntegrityError("IMC-6110", row[0])
    with journal.data.change() as link:
        link.execute(
            "INSERT INTO shards (name, sha256, bytes, lines, changed, longest) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET changed = excluded.changed",
            row,
        )


class Line(NamedTuple):
    """A line of a shard: its number from 0, the offsets of its begin and of the next line, its bytes without LF."""

    number: int
    offset: int
    stop: int
    data: bytes


def lines_from(reader: durable.Reader, number: int, offset: int, *, size: int = CHUNK) -> Iterator[Line]:
    """The lines from line `number` on, which begins at `offset`; `size` bytes are read at a time."""
    left = b""
    begin = offset
    for block in reader.blocks(offset, size=size):
        *whole, left = (left + block).split(b"\n")
        for data in whole:
            stop = begin + len(data) + 1
            yield Line(number, begin, stop, data)
            number, begin = number + 1, stop
        if len(left) > LONGEST:
            raise IntegrityError("IMC-6111", f"{reader.path.name}:{number + 1}", why="the line is too long")
    if left:
        yield Line(number, begin, begin + len(left), left)
