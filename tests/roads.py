"""The two roads of a record, for tests: read and written as a message, or the shortcut that makes no message."""

from __future__ import annotations

from typing import Any, NamedTuple

from golden import LATEST

from imconvert.convert.options import Options
from imconvert.convert.segment import label_of
from imconvert.errors import Rejected
from imconvert.model import Notes, Skip
from imconvert.vendors import BY_NAME, TARGETS
from imconvert.vendors.contract import Book, Columns, Line

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
    """Reads records of a vendor and writes them as Yunxin lines, one at a time."""

    def __init__(self, vendor: str = "yunxin", settings: dict[str, str] | None = None) -> None:
        chosen = complete(settings)
        self.notes = Notes()
        self.accounts = Book(TARGET.account_rule, noted=lambda: self.notes.repairs.append("IMC-3009"))
        self.read = BY_NAME[vendor].reader(chosen, self.notes, LATEST)
        self.write = TARGET.writer(chosen, self.notes, self.accounts, Book(TARGET.group_rule))

    def __call__(self, raw: bytes) -> Written:
        self.notes.clear()
        try:
            message = self.read(raw)
            if isinstance(message, Skip):
                return Written(message.code)
            lines = self.write(message)
        except Rejected as why:
            why.why()
            return Written(why.code)
        notes = tuple(self.notes.repairs), tuple(self.notes.changes), tuple(self.notes.novel)
        return Written("", label_of(message.parts[0]), tuple(lines), *notes)


class Shortcut:
    """A vendor's shortcut to Yunxin, for one record at a time; None is a record that it leaves to the long road."""

    def __init__(self, vendor: str = "yunxin", settings: dict[str, str] | None = None) -> None:
        maker = BY_NAME[vendor].shortcut
        self.through = maker(TARGET, complete(settings), Book(TARGET.account_rule), Book(TARGET.group_rule), LATEST)

    def __call__(self, raw: bytes) -> Written | None:
        left: list[int] = []
        streams = [Columns() for _ in TARGET.streams]
        labels = self.through([raw], streams, lambda index, _: left.append(index))
        if left:
            return None
        return Written("", next(label for label, count in labels.items() if count), tuple(gathered(streams)))


def gathered(streams: list[Columns]) -> list[Line]:
    """What columns hold, as lines."""
    return [
        Line(name, *row)
        for name, found in zip(TARGET.streams, streams, strict=True)
        for row in zip(found.keys, found.lines, found.digests, found.msgids, found.times, strict=True)
    ]


def records(data: bytes) -> list[bytes]:
    """The lines of a file, as the sources give them."""
    return data.removesuffix(b"\n").split(b"\n") if data else []


def settings_of(asked: dict[str, Any]) -> dict[str, str]:
    """The settings that a golden case asks for."""
    return dict(asked.get("settings", {}))
