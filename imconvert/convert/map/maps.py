"""The user's own id maps, from source ids to target ids, and the list of ids that lack one.

Format: UTF-8 CSV with a header; the columns `source` and `target` are needed, `kind` (account or group) picks the
rows where a file holds both, all others are ignored. Rows with an empty target are not filled in yet and say
nothing. Reading the same file twice costs once. Or an SQLite database with a table `ids` of these columns, which is
looked up and may be larger than the memory.
"""

from __future__ import annotations

import csv
import functools
import heapq
import io
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from imconvert import durable
from imconvert.durable.database import Lookup
from imconvert.errors import Rejected, UsageError
from imconvert.sources.inputs import is_database, read_text

HEADER = ("kind", "source", "target", "messages")


REMEMBERED = 1 << 16
"""Ids of an SQLite map that are kept at hand."""


class IdMap(NamedTuple):
    """Targets by source id, in the form in which the target keeps them, and the set of them."""

    targets: Mapping[str, str]
    taken: Container[str]


NO_MAP = IdMap({}, frozenset())


def load(path: Path | None, kind: str, rule: Callable[[str], Any]) -> IdMap:
    """The map in a file, for `kind`, its targets brought into form by `rule`; no file gives an empty map.

    Raises UsageError IMC-1008 where the file can't be used, IMC-1009 where two ids become one.
    """
    return _load(path, kind, rule) if path else NO_MAP


def targets_in(path: Path, kind: str) -> dict[str, str]:
    """The targets of a map by their sources, as they stand there. Raises UsageError IMC-1008."""
    return {source: target for _, source, target in _rows(path, kind)}


class Stored(Mapping[str, str]):
    """The targets of an SQLite map, looked up one by one; as a set, `taken`, what some id has for a target."""

    def __init__(self, path: Path, kind: str) -> None:
        self.lookup, self.kind = Lookup(path), kind
        self.remembered = functools.lru_cache(maxsize=REMEMBERED)(self._target)

    def _one(self, query: str, value: str) -> str | None:
        return next((str(row[0]) for row in self.lookup.rows(query, value, self.kind)), None)

    def _target(self, source: str) -> str | None:
        query = "SELECT target FROM ids WHERE source = ? AND kind IN ('', ?) AND target <> '' ORDER BY rowid LIMIT 1"
        return self._one(query, source)

    def __getitem__(self, source: str) -> str:
        found = self.remembered(source)
        if found is None:
            raise KeyError(source)
        return found

    def __contains__(self, source: object) -> bool:
        return isinstance(source, str) and self.remembered(source) is not None

    def __iter__(self) -> Iterator[str]:
        return (str(row[0]) for row in self.lookup.rows("SELECT source FROM ids WHERE kind IN ('', ?)", self.kind))

    def __len__(self) -> int:
        return next(int(row[0]) for row in self.lookup.rows("SELECT count(*) FROM ids"))

    def __bool__(self) -> bool:
        return True

    def is_target(self, target: str) -> bool:
        return self._one("SELECT 1 FROM ids WHERE target = ? AND kind IN ('', ?) LIMIT 1", target) is not None

    def clash(self) -> tuple[str, str, str] | None:
        """A target that two sources have, with these."""
        query = ("SELECT target, min(source), max(source) FROM ids WHERE kind IN ('', ?) AND target <> ''"
                 " GROUP BY target HAVING min(source) <> max(source) LIMIT 1")  # fmt: skip
        return next(((str(a), str(b), str(c)) for a, b, c in self.lookup.rows(query, self.kind)), None)


class Taken:
    """The targets of an SQLite map, as far as `in` is asked."""

    def __init__(self, stored: Stored) -> None:
        self.stored = stored

    def __contains__(self, target: object) -> bool:
        return isinstance(target, str) and self.stored.is_target(target)


@functools.lru_cache(maxsize=2)
def _load(path: Path, kind: str, rule: Callable[[str], Any]) -> IdMap:
    if is_database(path):
        stored = Stored(path, kind)
        clash = stored.clash()
        if clash:
            raise UsageError("IMC-1009", str(path), first=clash[1], second=clash[2], target=clash[0])
        return IdMap(stored, Taken(stored))
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for line, source, wanted in _rows(path, kind):
        try:
            target = str(rule(wanted))
        except Rejected as why:
            raise UsageError("IMC-1008", f"{path}:{line}", why=why.why().rstrip(".")) from why
        if found.get(source, target) != target:
            raise UsageError("IMC-1008", f"{path}:{line}", why=f"{source!r} has two targets")
        if owners.setdefault(target, source) != source:
            raise UsageError("IMC-1009", f"{path}:{line}", first=owners[target], second=source, target=target)
        found[source] = target
    return IdMap(found, frozenset(owners))


def _rows(path: Path, kind: str) -> Iterator[tuple[int, str, str]]:
    reader = csv.DictReader(io.StringIO(read_text(path)), strict=True)
    try:
        if not {"source", "target"} <= set(reader.fieldnames or ()):
            raise UsageError("IMC-1008", str(path), why="its header lacks source or target")
        for row in reader:
            source, target = row["source"], (row["target"] or "").strip()
            if source and target and row.get("kind") in (None, "", kind):
                yield reader.line_num, source, target
    except csv.Error as why:
        raise UsageError("IMC-1008", f"{path}:{reader.reader.line_num}", why=str(why)) from why


def write_missing(path: Path, parts: list[Path]) -> int:
    """Write the ids that the parts found missing as a CSV to fill in; gives how many there are."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    rows = 0
    for (kind, source), number in _merged(parts):
        writer.writerow((kind, source, "", number))
        rows += 1
    durable.replace_file(path, text.getvalue().encode())
    return rows


def _merged(parts: list[Path]) -> Iterator[tuple[tuple[str, str], int]]:
    """The sorted lists of the parts as one, the numbers of messages added up."""
    lists = [[msgspec.json.decode(line) for line in (durable.read_file(part) or b"").splitlines()] for part in parts]
    current: tuple[str, str] | None = None
    number = 0
    row: Any
    for row in heapq.merge(*lists):
        if (row[0], row[1]) != current:
            if current:
                yield current, number
            current, number = (row[0], row[1]), 0
        number += row[2]
    if current:
        yield current, number
