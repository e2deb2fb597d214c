"""Turn a raw row of a table into a record: column by column, quotes and escapes undone, NULLs as None.

Strategy: a row without a quote, an escape or a NULL is split, all others are matched by one pattern without
backtracking. The header decides the columns, or the mapping where there is no header.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import Notes, Skip
from imconvert.vendors.custom.spec import Input
from imconvert.vendors.lenient import shown

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a"}
"""What stands behind the escape sign, as MySQL writes it; all else stands for itself."""

Split = Callable[[str], list[str | None]]
ReadRow = Callable[[bytes], "dict[str, Any] | Skip"]


def splitter(source: Input) -> Split:
    """The function from the text of a row to its values. It raises Rejected (IMC-2443)."""
    delimiter, quote, escape = source.delimiter, source.quote, source.escape
    null = frozenset(source.null)
    pattern = _pattern(delimiter, quote, escape)
    undo = _undo(quote, escape)

    doubled = quote * 2
    marks = tuple(null)

    def closely(text: str) -> list[str | None]:
        found = pattern.findall(delimiter + text)
        if escape and escape in text:
            return [
                undo(value[1:-1]) if value else None if plain in null else undo(plain, quoted=False) if not wrong
                else _broken() for value, plain, wrong in found
            ]  # fmt: skip
        return [
            value[1:-1].replace(doubled, quote) if value else None if plain in null else plain if not wrong
            else _broken() for value, plain, wrong in found
        ]  # fmt: skip

    def split(text: str) -> list[str | None]:
        if (quote and quote in text) or (escape and escape in text):
            return closely(text)
        found: list[Any] = text.split(delimiter)
        for mark in marks:
            if mark in text:
                return [None if value in null else value for value in found]
        return found

    return split


def _broken() -> str:
    raise Rejected("IMC-2443")


def _pattern(delimiter: str, quote: str, escape: str) -> re.Pattern[str]:
    """A value with the delimiter before it: quoted (1) or not (2); or a quote where none should be (3)."""
    d, q, e = map(re.escape, (delimiter, quote, escape))
    unit = rf"|{e}." if e else ""
    plain = rf"((?:[^{d}{e}]{unit})*+)"
    if not q:
        return re.compile(rf"{d}(\Z.)?{plain}(\Z.)?", re.DOTALL)
    quoted = rf"({q}(?:[^{q}{e}]++{unit}|{q}{q})*+{q})(?={d}|\Z)"
    return re.compile(rf"{d}(?:{quoted}|(?!{q}){plain}|({q}))", re.DOTALL)


def _undo(quote: str, escape: str) -> Callable[..., str]:
    escaped = re.compile(re.escape(escape) + "(.?)", re.DOTALL) if escape else None
    doubled = quote * 2

    def undo(text: str, *, quoted: bool = True) -> str:
        if quoted and quote and doubled in text:
            text = text.replace(doubled, quote)
        if escaped and escape in text:
            text = escaped.sub(lambda found: ESCAPES.get(found[1], found[1]), text)
        return text

    return undo


def reader(source: Input, head: str, names: tuple[frozenset[str], frozenset[str]], notes: Notes) -> ReadRow:
    """The function from a raw row to a record, or to a skip for a row that is the header; `names` are the columns that
    the mapping needs, and those that it ignores. It raises Rejected (IMC-2441 to IMC-2443, IMC-2446).
    """
    named, ignored = names
    split, encoding = splitter(source), source.encoding
    header = header_of(source, head)
    columns = source.columns or tuple(header)
    missing = _missing(columns, named, source.optional)
    unnamed = [name for name in columns if name not in named | ignored]
    count = len(columns)

    def read(raw: bytes) -> dict[str, Any] | Skip:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as why:
            raise Rejected("IMC-2446", encoding=encoding, byte=why.start) from None
        if text[-1:] == "\r":
            text = text[:-1]
        if text == head and source.header:
            notes.novel.extend(("key", name) for name in unnamed)
            return Skip("IMC-8130", {})
        if missing:
            raise Rejected("IMC-2441", column=missing, header=shown(list(columns), 200))
        values = split(text)
        if len(values) != count:
            raise Rejected("IMC-2442", found=len(values), expected=count)
        return dict(zip(columns, values, strict=True))

    return read


def header_of(source: Input, head: str) -> list[str]:
    """The columns that a header names; none where it can't be read."""
    try:
        return [name or "" for name in splitter(source)(head)] if head else []
    except Rejected:
        return []


def _missing(columns: tuple[str, ...], named: frozenset[str], optional: frozenset[str]) -> str:
    lacking = sorted(
        name for name in named if columns.count(name) > 1 or (name not in columns and name not in optional)
    )
    return lacking[0] if lacking else ""
