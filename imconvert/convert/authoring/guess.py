"""Look at the beginning of a file that nobody has described: how it is built, and a mapping for it.

Strategy: what parses as JSON lines is that; what parses as a document is cut at its largest array; the rest is a
table, whose delimiter is the one that splits the first rows alike. Only the first MiB is read.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from imconvert.errors import InputError, Rejected, UsageError
from imconvert.model import Notes
from imconvert.sources import tables
from imconvert.sources.containers import Limits, sniff
from imconvert.sources.documents import Scanner, elements
from imconvert.vendors.contract import Documents, Tables
from imconvert.vendors.custom import rows
from imconvert.vendors.custom.guess import quoted
from imconvert.vendors.custom.proposal import proposal
from imconvert.vendors.custom.spec import Input
from imconvert.vendors.lenient import parse

HEAD = 1 << 20
RECORDS = 1000
_BOM = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """How a file is built: the lines of [input], and its first records."""

    source: list[str]
    records: list[dict[str, Any]]


def guess(path: Path, limits: Limits) -> str:
    """A mapping file for a file like this. Raises UsageError IMC-1107, InputError IMC-40xx."""
    head = sniff(path, path.name, limits, HEAD)
    whole = len(head) < HEAD
    if not head.strip():
        raise UsageError("IMC-1107", str(path), why="it is empty")
    if not whole:
        head = head[: head.rfind(b"\n") + 1] or head
    found = _lines(head) or _document(head) or _table(head)
    if found is None or not found.records:
        raise UsageError("IMC-1107", str(path), why="it is neither JSON lines, nor a JSON document, nor a table")
    return proposal(found.records[:RECORDS], found.source, path.name)


def _records(raws: list[bytes]) -> list[dict[str, Any]]:
    found = []
    for raw in raws[: RECORDS * 2]:
        try:
            found.append(parse(raw, Notes()))
        except Rejected:
            continue
    return found


def _lines(head: bytes) -> Found | None:
    """JSON lines, if most of the first lines are."""
    raws = [line for line in head.split(b"\n")[:RECORDS] if line.strip()]
    if not raws[0].lstrip(_BOM + b" \t").startswith(b"{"):
        return None
    found = _records(raws)
    return Found(['format = "ndjson"'], found) if len(found) * 2 > len(raws) else None


def _document(head: bytes) -> Found | None:
    """A JSON document, cut at the array that holds most objects."""
    if not head.lstrip(_BOM + b" \t\r\n").startswith((b"{", b"[")):
        return None
    paths = [path for path, _ in _arrays(head).most_common(1)]
    array = ".".join(paths[0]) if paths else ""
    raws: list[bytes] = []
    try:
        for batch in elements(iter([head]), Documents((array,), always=True), ""):
            raws += batch.records
    except InputError:
        raws = raws[:-1]
    return Found(['format = "json"', f"array = {quoted(array)}"], _records(raws))


def _arrays(head: bytes) -> Counter[tuple[str, ...]]:
    """How many objects are elements of each array that keys alone lead to."""
    counts: Counter[tuple[str, ...]] = Counter()
    inside: list[tuple[int, tuple[str, ...] | None]] = []
    marks, kinds, _ = Scanner().structure(head)
    for place, kind in zip(marks.tolist(), kinds.tolist(), strict=True):
        if kind not in b"{[":
            inside = inside[:-1]
            continue
        outer, path = inside[-1] if inside else (0, ())
        if outer == 0x5B and kind == 0x7B and path is not None:
            counts[path] += 1
        key = _KEY.search(head, max(0, place - 200), place)
        if inside:
            path = (*path, key[1].decode()) if path is not None and outer == 0x7B and key else None
        inside.append((kind, path))
    return counts


_KEY = re.compile(rb'"([\w-]+)"\s*:\s*\Z')


def _table(head: bytes) -> Found | None:
    encoding = _encoding(head)
    text = head.decode(encoding, "replace")
    delimiter = _delimiter(text)
    if delimiter is None:
        return None
    quote = '"' if re.search(rf'(^|[\n{re.escape(delimiter)}])"', text) else ""
    null = ("\\N",) if "\\N" in text else ("NULL",) if re.search(r"\bNULL\b", text) else ()
    kinds = [Input("csv", "", delimiter, quote, escape, null, encoding=encoding) for escape in ("", "\\")]
    cuts = [_rows(head, source) for source in kinds]
    whole = [sum(len(row) == len(found[0]) for row in found) for found in cuts]
    escaped = whole[1] > whole[0] or (
        whole[1] == whole[0] and delimiter == "\t" and bool(re.search(r"\\[nt\\N]", text))
    )
    source, (names, *others) = kinds[escaped], cuts[escaped]
    header = all(name and not re.fullmatch(r"-?[\d.:/ -]+", name) for name in names) and len(set(names)) == len(names)
    columns = [name or "" for name in names] if header else [f"c{number}" for number in range(1, len(names) + 1)]
    found = others if header else [names, *others]
    records = [dict(zip(columns, values, strict=True)) for values in found if len(values) == len(columns)]
    return Found(_lines_of(source, header, columns), records)


def _unused(*arguments: Any) -> Any:
    raise NotImplementedError


def _rows(head: bytes, source: Input) -> list[list[str | None]]:
    """The values of the first rows; a broken row has none."""
    build = Tables(_unused, _unused, source.delimiter, source.quote, source.escape, source.encoding)
    raws = [row for batch in tables.rows(iter([head]), build) for row in batch.records if row.strip()]
    split = rows.splitter(source)
    return [_split(split, raw, source.encoding) for raw in raws[: RECORDS + 1]]


def _split(split: rows.Split, raw: bytes, encoding: str) -> list[str | None]:
    try:
        return split(raw.rstrip(b"\r").decode(encoding, "replace"))
    except Rejected:
        return []


def _encoding(head: bytes) -> str:
    try:
        head[: head.rfind(b"\n") + 1].decode()
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def _delimiter(text: str) -> str | None:
    """The sign that stands equally often in most of the first lines."""
    lines = [line for line in text.split("\n")[:50] if line.strip()]
    best: tuple[float, int, str] | None = None
    for sign in ("\t", ",", ";", "|"):
        usual, times = Counter(line.count(sign) for line in lines).most_common(1)[0]
        if usual and (best is None or (times / len(lines), usual) > best[:2]):
            best = (times / len(lines), usual, sign)
    return best[2] if best else None


def _lines_of(source: Input, header: bool, columns: list[str]) -> list[str]:
    lines = ['format = "csv"', f"delimiter = {quoted(source.delimiter)}", f"quote = {quoted(source.quote)}",
             f"escape = {quoted(source.escape)}", f'encoding = "{source.encoding}"']  # fmt: skip
    if source.null:
        lines.append(f"null = [{', '.join(map(quoted, source.null))}]")
    if not header:
        lines.append("header = false")
        lines.append(f"columns = [{', '.join(map(quoted, columns))}]  # TODO: the file has no header; name its columns")
    return lines
