"""Id maps: read them, see whether a target can live with them, and make them.

Format: a map is a CSV (`source`, `target`, and `kind`, `reason` if there are such) or an SQLite database with a table
`ids` of these columns; a list of ids is a CSV with `source`, or one id a line.
Strategy: everything is a pass over rows and an external sort: by target, where those that are equal meet, and back by
the order in which they came.
Promise: a map that was made is reversible: no two sources have a target in common, whatever case they were written in,
where the target does not tell cases apart. The same ids give the same map. Memory does not grow with it.
"""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_64_intdigest

from imconvert import durable
from imconvert.convert.textsort import Sorter
from imconvert.durable.database import Lookup, write_table
from imconvert.errors import Rejected, UsageError
from imconvert.sources.inputs import is_database, text_lines

Rule = Callable[[str], Any]
HEADER = ("kind", "source", "target", "reason")
DATABASES = (".db", ".sqlite", ".sqlite3")
ROWS = 4096
LONGEST = 300
"""Characters up to which it is tried how long an id may be."""


class Row(NamedTuple):
    """A row of a map: its line, kind, source, target, reason; a list has no targets."""

    line: int
    kind: str
    source: str
    target: str
    reason: str = ""


def rows_of(path: Path, kind: str) -> Iterator[Row]:
    """The rows of a map or a list that are of this kind, or of none. Raises UsageError IMC-1008."""
    found = _database_rows(path) if is_database(path) else _csv_rows(path)
    return (row for row in found if row.kind in ("", kind) and row.source)


def _database_rows(path: Path) -> Iterator[Row]:
    found = Lookup(path)
    names = found.columns("ids")
    if not {"source", "target"} <= set(names):
        raise UsageError("IMC-1008", str(path), why="it has no table ids with source and target")
    columns = ", ".join(name if name in names else f"'' AS {name}" for name in HEADER)
    for number, values in enumerate(found.rows(f"SELECT {columns} FROM ids ORDER BY rowid"), 1):
        yield Row(number, *(str(value or "") for value in values))


def _csv_rows(path: Path) -> Iterator[Row]:
    lines = (line.decode() for line in text_lines(path))
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    try:
        head = next(reader, None)
        if head is None:
            return
        names = {name.strip(): place for place, name in enumerate(head)}
        if "source" not in names and len(head) > 1:
            raise UsageError("IMC-1008", str(path), why="its header lacks source")
        if "source" not in names:
            yield Row(1, "", head[0], "")
        places = [names.get(name, 0 if name == "source" and "source" not in names else -1) for name in HEADER]
        for found in reader:
            values = [found[place].strip() if 0 <= place < len(found) else "" for place in places]
            yield Row(reader.line_num, *values)
    except (csv.Error, UnicodeDecodeError) as why:
        raise UsageError("IMC-1008", str(path), why=str(why)) from why


# --- checking -------------------------------------------------------------------------------------------


class Finding(NamedTuple):
    """Something about a map: a code, where it stands, and its values, of which `why` may be a Rejected."""

    code: str
    place: str
    values: dict[str, Any]


def check(paths: Sequence[Path], kind: str, rule: Rule, work: Path) -> Iterator[Finding]:
    """What is wrong with maps, row by row, then what only all of them together show."""
    by_target, by_source, by_case = (Sorter(work, name) for name in ("targets", "sources", "cases"))
    for path in paths:
        for row in rows_of(path, kind):
            place = f"{path}:{row.line}"
            if not row.target:
                continue
            try:
                kept = str(rule(row.target))
            except Rejected as why:
                told = {"source": row.source, "target": row.target, "why": why}
                yield Finding("IMC-2610", place, told)
                continue
            if kept != row.target:
                yield Finding("IMC-3310", place, {"target": row.target, "kept": kept})
            by_target.add((kept, row.source, place))
            by_source.add((row.source, kept, place))
            by_case.add((kept.lower(), kept, place))
    yield from _collisions(by_target, "IMC-2611")
    yield from _collisions(by_source, "IMC-2612")
    yield from _collisions(by_case, "IMC-3311")


def _collisions(rows: Iterable[tuple[str, str, str]], code: str) -> Iterator[Finding]:
    """Where the first column has several seconds."""
    for name, group in groupby(rows, key=itemgetter(0)):
        first: tuple[str, str] | None = None
        last = ""
        for _, other, place in group:
            if first is None:
                first, last = (other, place), other
            elif other != last:
                last = other
                yield Finding(code, place, {"name": name, "first": first[0], "at": first[1], "second": other})


# --- making ---------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """An id that needs a target: which list it comes from, its number there, itself, and what it would like to be."""

    list: int
    number: int
    source: str
    target: str


class Given(NamedTuple):
    """A target that was given, and why: same, case, characters, length, collision; or map, where a map says so."""

    list: int
    number: int
    source: str
    target: str
    reason: str


class Shape:
    """What a rule allows, found out by asking it: characters one by one, and lengths."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.most = max((length for length in range(1, LONGEST) if self.allows("a" * length)), default=0)
        if not self.most:
            raise UsageError("IMC-1303")
        self.folds = not self.allows("aA")
        self.joint = next((sign for sign in "_-." if self.allows(f"a{sign}a")), "")
        self.legal: dict[str, bool] = {}

    def allows(self, id: str) -> bool:
        """Whether the id is kept as it is."""
        try:
            return str(self.rule(id)) == id
        except Rejected:
            return False

    def fit(self, wanted: str) -> tuple[str, str]:
        """The nearest id that is allowed, and what had to change."""
        if self.allows(wanted):
            return wanted, "same"
        near = wanted.lower() if self.folds else wanted
        if self.allows(near):
            return near, "case"
        plain = "".join(map(self._spelled, near))
        reason = "characters" if plain != near else "length"
        left = "".join(character for character in near if self.legal[character])
        if len(left) * 2 <= len(near):
            return self.alias(left.rstrip(self.joint) or "u", wanted), reason
        return (plain if self.allows(plain) else self.alias(plain, wanted)), reason

    def _spelled(self, character: str) -> str:
        legal = self.legal.get(character)
        if legal is None:
            legal = self.legal[character] = self.allows(f"a{character}a")
        return character if legal else self.joint or "0"

    def alias(self, near: str, name: str, turn: int = 0) -> str:
        """An id of its own for `name`: the beginning of what is near, and 64 bits of a hash."""
        number = xxh3_64_intdigest(f"{name}\0{turn}".encode())
        tail = base64.b32encode(number.to_bytes(8)).decode().rstrip("=").lower()
        return f"{near[: max(0, self.most - len(tail) - 1)]}{self.joint}{tail}"[: self.most]


def assign(wanted: Iterable[Wanted], rule: Rule, work: Path) -> Iterator[Given]:
    """A target of its own for each id, in the order of lists and numbers. An id that can stay as it is stays."""
    shape = Shape(rule)
    rows = Sorter(work, "wanted")
    for one in _once(wanted, work):
        target, reason = shape.fit(one.target)
        rows.add((target, reason != "same", one.list, one.number, one.source, reason))
    turn = 0
    while True:
        again, clashes = Sorter(work, f"turn{turn}"), 0
        for target, group in groupby(rows, key=itemgetter(0)):
            first = True
            for _, changed, number, place, source, reason in group:
                if first:
                    first = False
                    again.add((target, changed, number, place, source, reason))
                    continue
                clashes += 1
                other = shape.alias(target, f"{number}\0{source}", turn)
                again.add((other, True, number, place, source, "collision"))
        rows, turn = again, turn + 1
        if not clashes:
            break
    ordered = Sorter(work, "ordered")
    for target, _, number, place, source, reason in rows:
        ordered.add((number, place, source, target, reason))
    yield from (Given(*row) for row in ordered)


def _once(wanted: Iterable[Wanted], work: Path) -> Iterator[Wanted]:
    """Each id of a list once, where it stands first."""
    rows = Sorter(work, "once")
    for one in wanted:
        rows.add((one.list, one.source, one.number, one.target))
    for (number, source), group in groupby(rows, key=itemgetter(0, 1)):
        _, _, place, target = next(group)
        yield Wanted(number, place, source, target)


def write(path: Path, kind: str, rows: Iterable[tuple[str, str, str]]) -> int:
    """Write (source, target, reason) as a map, SQLite where its name ends so; gives how many rows it has."""
    with_kind = ((kind, *row) for row in rows)
    if path.suffix in DATABASES:
        schema = "CREATE TABLE ids (kind TEXT, source TEXT, target TEXT, reason TEXT)"
        indexes = "CREATE INDEX by_source ON ids (source, kind); CREATE INDEX by_target ON ids (target, kind)"
        return write_table(path, schema, "INSERT INTO ids VALUES (?, ?, ?, ?)", with_kind, indexes)
    return _write_csv(path, with_kind)


def _write_csv(path: Path, rows: Iterable[tuple[str, ...]]) -> int:
    temp = path.with_name(path.name + ".tmp")
    writer, count = durable.Writer(temp), 0
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for row in rows:
        table.writerow(row)
        count += 1
        if count % ROWS == 0:
            writer.write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    writer.write(text.getvalue().encode())
    writer.finish(sync=True)
    durable.rename(temp, path)
    durable.sync_folder(path.parent)
    return count
