"""The user's own id maps: CSV files from source ids to target ids, and the list of ids that lack one.

Format: UTF-8 CSV with a header; the columns `source` and `target` are needed, `kind` (account or group) picks the
rows where a file holds both, all others are ignored. Rows with an empty target are not filled in yet and say
nothing. Reading the same file twice costs once.
"""

from __future__ import annotations

import csv
import functools
import heapq
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from imconvert import durable
from imconvert.errors import Rejected, UsageError
from imconvert.sources.inputs import read_text

HEADER = ("kind", "source", "target", "messages")


class IdMap(NamedTuple):
    """Targets by source id, in the form in which the target keeps them, and the set of them."""

    targets: dict[str, str]
    taken: frozenset[str]


NO_MAP = IdMap({}, frozenset())


def load(path: Path | None, kind: str, rule: Callable[[str], Any]) -> IdMap:
    """The map in a CSV file, for `kind`, its targets brought into form by `rule`; no file gives an empty map.

    Raises UsageError IMC-1008 where the file can't be used, IMC-1009 where two ids become one.
    """
    return _load(path, kind, rule) if path else NO_MAP


@functools.lru_cache(maxsize=2)
def _load(path: Path, kind: str, rule: Callable[[str], Any]) -> IdMap:
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
