"""The two roads of a record, for tests: read and written as a message, or the shortcut that makes no message."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from golden import LATEST

from imconvert.convert.media import Apart
from imconvert.convert.options import Options
from imconvert.convert.segment import label_of
from imconvert.convert.work import WorkFolder
from imconvert.errors import Rejected
from imconvert.model import Notes, Skip, key_of
from imconvert.vendors import BY_NAME, TARGETS, shapes
from imconvert.vendors.contract import Book, Gathered, Gathers, Line, Target
from imconvert.vendors.wrapping import without_lines

TARGET = TARGETS["yunxin"]


class Written(NamedTuple):
    """What became of a record: the code of its reject or skip, or its lines; and what was noted on the way."""

    code: str = ""
    label: str = ""
    lines: tuple[Line, ...] = ()
    repairs: tuple[str, ...] = ()
    changes: tuple[tuple[str, str], ...] = ()
    novel: tuple[tuple[str, str], ...] = ()


def complete(settings: dict[str, str] | None) -> dict[str, str]:
    return Options(inputs=(), output=None, settings=settings or {}).complete_settings()  # type: ignore[arg-type]


class LongRoad:
    """Reads records of a vendor and writes them as a target's lines, one at a time."""

    def __init__(self, vendor: str = "yunxin", settings: dict[str, str] | None = None, target: Target = TARGET) -> None:
        chosen = complete(settings)
        self.notes = Notes()
        rule = target.account_rule_by(chosen)
        self.accounts = Book(rule, noted=lambda: self.notes.repairs.append("IMC-3009"))
        read = BY_NAME[vendor].reader(chosen, self.notes, LATEST)
        self.read = without_lines(read, self.notes) if target.arrange else read
        self.own_keys = BY_NAME[vendor].own_keys
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
        return Written("", self.notes.label or label_of(message.parts[0]), tuple(lines), *notes)


class Shortcut:
    """A vendor's shortcut to a target, for one record at a time; None is a record that it leaves to the long road."""

    def __init__(
        self,
        vendor: str = "yunxin",
        settings: dict[str, str] | None = None,
        *,
        compiled: bool = False,
        strict: bool = False,
        target: Target = TARGET,
    ) -> None:
        chosen = complete(settings)
        books = Book(target.account_rule_by(chosen)), Book(target.group_rule)
        if compiled:
            more = BY_NAME[vendor].more_shapes
            made = [*(more(chosen) if more else ()), replace(BY_NAME[vendor].shape(chosen), mark=b"")]
            self.ways = [(shape.mark, compiled_from(shape, chosen, books, target, strict=strict)) for shape in made]
        else:
            self.ways = [(b"", BY_NAME[vendor].shortcut(target, chosen, *books, LATEST))]

    def __call__(self, raw: bytes) -> Written | None:
        left: list[int] = []
        through = next(through for mark, through in self.ways if mark in raw)
        streams = tuple(through.columns() for _ in TARGET.streams)
        found = through.take([raw], streams, lambda index, _: left.append(index))
        if left:
            return None
        taken = next(taken for taken in found if taken.records)
        return Written("", taken.label, tuple(gathered(streams)), taken.repairs, taken.changes)


def compiled_from(
    shape: shapes.Shape, chosen: dict[str, str], books: tuple[Book, Book], target: Target, *, strict: bool
) -> Any:
    assert target.line_forms
    return shapes.through(
        shape, target.line_forms(chosen), books=books, latest=LATEST, digest_of=target.digest_of,
        plain=target.plain_account, strict=strict,
    )  # fmt: skip


def gathered(streams: tuple[Gathers, ...]) -> list[Line]:
    """What columns hold, as lines."""
    return [line for name, columns in zip(TARGET.streams, streams, strict=True) for line in lines_in(name, columns)]


def lines_in(name: str, columns: Gathers) -> Iterator[Line]:
    found = Gathered(*columns.take())
    lines = found.lines.split(b"\n")[:-1]
    assert [*map(len, lines)] == [*array("I", found.lengths)]
    msgids, times = array("Q", found.msgids), array("q", found.times)
    for row, line in enumerate(lines):
        key, digest = found.keys[row * 16 : row * 16 + 16], found.digests[row * 8 : row * 8 + 8]
        yield Line(name, key, line, digest, msgids[row], times[row])


def records(data: bytes) -> list[bytes]:
    """The lines of a file, as the sources give them."""
    return data.removesuffix(b"\n").split(b"\n") if data else []


def settings_of(asked: dict[str, Any]) -> dict[str, str]:
    """The settings that a golden case asks for."""
    return dict(asked.get("settings", {}))
