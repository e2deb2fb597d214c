"""The two roads of a record, for tests: read and written as a message, or the shortcut that makes no message."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from golden import LATEST, Case

from imconvert import native
from imconvert.convert.map.media import Apart
from imconvert.convert.map.names import is_named
from imconvert.convert.map.segment import label_of
from imconvert.convert.options import Options
from imconvert.convert.work import WorkFolder
from imconvert.errors import InputError, Rejected
from imconvert.model import Notes, Skip, hash_of_source, key_of
from imconvert.sources import pieces, tables
from imconvert.vendors import BY_NAME, TARGETS, compiled, find, shapes
from imconvert.vendors.contract import Book, Gathered, Gathers, Line, Target, Vendor
from imconvert.vendors.wrapping import without_lines

TARGET = TARGETS["yunxin"]


class Written(NamedTuple):
    """What became of a record: the code of its reject or skip, or its lines; and what was noted on the way.

    `named` are the hashes of the source ids of its lines, where their numbers don't tell them.
    """

    code: str = ""
    label: str = ""
    lines: tuple[Line, ...] = ()
    repairs: tuple[str, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    novel: tuple[tuple[str, str], ...] = ()
    named: tuple[bytes, ...] = ()


def complete(settings: dict[str, str] | None) -> dict[str, str]:
    return Options(inputs=(), output=None, settings=settings or {}).complete_settings()  # type: ignore[arg-type]


class LongRoad:
    """Reads records of a vendor and writes them as a target's lines, one at a time."""

    def __init__(
        self,
        vendor: str | Vendor = "yunxin",
        settings: dict[str, str] | None = None,
        head: bytes = b"",
        target: Target = TARGET,
    ) -> None:
        chosen, vendor = complete(settings), known(vendor)
        self.notes = Notes()
        rule = target.account_rule_by(chosen)
        self.accounts = Book(rule, noted=lambda: self.notes.repairs.append("IMC-3009"))
        read = vendor.behind(head)[0](chosen, self.notes, LATEST)
        self.read = without_lines(read, self.notes) if target.arrange else read
        self.own_keys = vendor.own_keys
        self.media = Apart(WorkFolder(Path()), 0, "media", keep=False)
        self.write = target.writer(chosen, self.notes, self.accounts, Book(target.group_rule))

    def __call__(self, raw: bytes) -> Written:
        self.notes.clear()
        try:
            message = self.read(raw)
            if isinstance(message, Skip):
                return Written(message.code)
            lines = self.write(self.media.named(message))
            if self.own_keys:
                lines = [line._replace(key=key_of(line.msgid, "", "", 0)) for line in lines]
        except Rejected as why:
            why.why()
            return Written(why.code)
        notes = tuple(self.notes.repairs), tuple(self.notes.changes), tuple(self.notes.novel)
        named = (hash_of_source(message.source_id),) * len(lines) if is_named(message, len(lines)) else ()
        return Written("", self.notes.label or label_of(message.parts[0]), tuple(lines), *notes, named)


class Shortcut:
    """A vendor's shortcut to a target, for one record at a time; None is a record that it leaves to the long road."""

    def __init__(
        self,
        vendor: str | Vendor = "yunxin",
        settings: dict[str, str] | None = None,
        head: bytes = b"",
        *,
        compiled: bool = False,
        strict: bool = False,
        target: Target = TARGET,
    ) -> None:
        chosen, vendor = complete(settings), known(vendor)
        books = Book(target.account_rule_by(chosen)), Book(target.group_rule)
        if compiled:
            every = [*(vendor.more_shapes(chosen) if vendor.more_shapes else ()), usual_shape(vendor, chosen, head)]
            self.ways = [
                (shape.mark, compiled_from(shape, chosen, books, head, target, strict=strict))
                for shape in every
                if shape
            ]
        else:
            make = vendor.behind(head)[1]
            self.ways = [(b"", make(target, chosen, *books, LATEST) if make else None)]

    def __call__(self, raw: bytes) -> Written | None:
        left: list[int] = []
        through = next((through for mark, through in self.ways if mark in raw), None)
        if through is None:
            return None
        streams = tuple(through.columns() for _ in TARGET.streams)
        found = through.take([raw], streams, lambda index, _: left.append(index))
        if left:
            return None
        taken = next(taken for taken in found if taken.records)
        columns = [Gathered(*stream.take()) for stream in streams]
        lines = [line for name, some in zip(TARGET.streams, columns, strict=True) for line in lines_in(name, some)]
        named = b"".join(some.named for some in columns)
        hashes = tuple(named[at + 8 : at + 24] for at in range(0, len(named), 24))
        return Written("", taken.label, tuple(lines), taken.repairs, taken.changes, named=hashes)


def known(vendor: str | Vendor) -> Vendor:
    return BY_NAME[vendor] if isinstance(vendor, str) else vendor


def compiled_from(
    shape: shapes.Shape,
    chosen: dict[str, str],
    books: tuple[Book, Book],
    head: bytes,
    target: Target = TARGET,
    *,
    strict: bool = False,
) -> Any:
    assert target.line_forms
    found = compiled.through(
        shape, target.line_forms(chosen), books=books, latest=LATEST, digest_of=target.digest_of,
        plain=target.plain_account, strict=strict,
    )  # fmt: skip
    return found if found and found.behind(head) else None


def usual_shape(vendor: Vendor, chosen: dict[str, str], head: bytes) -> shapes.Shape | None:
    if vendor.tables:
        return vendor.tables.shape(chosen, head) if vendor.tables.shape else None
    return vendor.shape(chosen)


def ways_of(vendor: Vendor) -> tuple[bool, ...]:
    """The shortcuts of a vendor, the compiled ones and others, as what `compiled` has to be for them."""
    survey, rows = vendor.survey and vendor.survey.shortcut, vendor.tables and vendor.tables.shortcut
    own = bool(vendor.shortcut or survey or rows)
    shaped = vendor.shape or (vendor.tables and vendor.tables.shape)
    return (*((False,) if own else ()), *((True,) if native.BUILT and shaped else ()))


def gathered(streams: tuple[Gathers, ...]) -> list[Line]:
    """What columns hold, as lines."""
    found = [(name, Gathered(*columns.take())) for name, columns in zip(TARGET.streams, streams, strict=True)]
    return [line for name, some in found for line in lines_in(name, some)]


def lines_in(name: str, found: Gathered) -> Iterator[Line]:
    lines = found.lines.split(b"\n")[:-1]
    assert [*map(len, lines)] == [*array("I", found.lengths)]
    msgids, times = array("Q", found.msgids), array("q", found.times)
    for row, line in enumerate(lines):
        key, digest = found.keys[row * 16 : row * 16 + 16], found.digests[row * 8 : row * 8 + 8]
        yield Line(name, key, line, digest, msgids[row], times[row])


def records(data: bytes) -> list[bytes]:
    """The lines of a file, as the sources give them."""
    return data.removesuffix(b"\n").split(b"\n") if data else []


def vendor_of(case: Case) -> Vendor:
    """The vendor of a golden case, by its mapping if it has one."""
    asked = case.asked()
    return find(case.vendor, asked["map"].read_text(encoding="utf-8") if "map" in asked else None)


def elements(vendor: Vendor, data: bytes, label: str = "in", settings: dict[str, str] | None = None) -> list[Any]:
    """The records of a file that is not packed, each with what its document or input says as a whole: (head, raw)."""
    survey, chosen = vendor.survey, complete(settings)
    look = (lambda name, begin: survey.look(name, begin, chosen)) if survey else None
    if vendor.tables:
        batches = tables.rows(iter([data]), vendor.tables)
    else:
        batches = pieces._whole(iter([data] if data else []), vendor.documents, label, look, compiled=False)
    found: list[Any] = []
    try:
        for batch in batches:
            found += [(batch.head, raw) for raw in batch.records]
    except InputError:
        pass
    return found


def settings_of(asked: dict[str, Any]) -> dict[str, str]:
    """The settings that a golden case asks for."""
    return dict(asked.get("settings", {}))
