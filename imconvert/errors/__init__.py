"""What can go wrong, told with a stable code, the place, the cause and the way out.

Plan: one catalogue (`catalogue.py`) holds every code in English and Chinese; the exceptions here carry a code and
the values that fill its text. The first digit of a code is its family, and the family decides the exit code.
Promise: a code never changes its meaning and is never used twice.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from imconvert.errors.catalogue import CATALOGUE
from imconvert.errors.details import DETAILS, KEYS
from imconvert.errors.entry import Entry

__all__ = [
    "CATALOGUE",
    "EXIT_CODES",
    "BudgetExceeded",
    "Entry",
    "ImconvertError",
    "InputError",
    "IntegrityError",
    "Location",
    "Rejected",
    "UsageError",
    "cause_of",
    "exit_code_of",
    "remedy_of",
]

EXIT_CODES = {"1": 2, "2": 3, "3": 0, "4": 4, "5": 5, "6": 6, "7": 7, "8": 0}
"""Exit code by the first digit of an error code: `IMC-4002` ends a run with 4."""


class Location(NamedTuple):
    """A place in an input: file label, record number from 1 (a line, or an element of a document), byte offset."""

    file: str
    line: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class _Quiet(dict[str, object]):
    """Leaves an unknown `{name}` in a text as it stands, so that a catalogue text can be shown without values."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def cause_of(code: str, values: dict[str, object] | None = None, *, lang: str = "en") -> str:
    """The cause text of a code in `lang` (`en` or `zh`), filled with `values`; no newline ever comes out."""
    text = CATALOGUE[code].cause[lang].format_map(_Quiet(_in(lang, values or {})))
    return text.replace("\n", "\\n").replace("\r", "\\r")


def remedy_of(code: str, values: dict[str, object] | None = None, *, lang: str = "en") -> str:
    """What the user can do about a code, in `lang` (`en` or `zh`), filled with `values`."""
    return CATALOGUE[code].remedy[lang].format_map(_Quiet(_in(lang, values or {})))


def _in(lang: str, values: dict[str, object]) -> dict[str, object]:
    """Values of an error with those that are phrases in `lang`."""
    if lang != "zh":
        return values
    known = {key: DETAILS.translated(value) for key, value in values.items() if key in KEYS and isinstance(value, str)}
    return values | known


def exit_code_of(code: str) -> int:
    """The exit code a run ends with when this code is the worst it met."""
    return EXIT_CODES[code[4]]


class ImconvertError(Exception):
    """Ends a command. `code` is a catalogue code, `place` the file it is about, `values` fill its text."""

    def __init__(self, code: str, place: Location | str | None = None, **values: object) -> None:
        super().__init__(code, place, values)
        self.code = code
        self.place = Location(place) if isinstance(place, str) else place
        self.values = values

    def __reduce__(self) -> tuple[object, ...]:
        return _revive, (type(self), self.code, self.place, self.values)

    @property
    def exit_code(self) -> int:
        return exit_code_of(self.code)

    def text(self, lang: str = "en") -> str:
        """`IMC-4002 export.gz: cause. Remedy.` in one line."""
        where = f" {self.place}:" if self.place else ""
        remedy = remedy_of(self.code, self.values, lang=lang)
        return f"{self.code}{where} {cause_of(self.code, self.values, lang=lang)} {remedy}"

    def details(self, lang: str = "en") -> list[str]:
        """A line for each of several problems behind this error, as (code, place, values) in its value `problems`."""
        problems: Any = self.values.get("problems", ())
        return [f"  {code} {place}: {cause_of(code, values, lang=lang)}" for code, place, values in problems]

    def __str__(self) -> str:
        return self.text()


def _revive(kind: type[ImconvertError], code: str, place: Location | None, values: dict[str, object]) -> ImconvertError:
    return kind(code, place, **values)


class UsageError(ImconvertError):
    """The command cannot be run as it was given. Exit code 2."""


class InputError(ImconvertError):
    """An input cannot be read whole. What was read before the damage is kept. Exit code 4."""


class BudgetExceeded(ImconvertError):
    """More records were rejected than `--max-rejects` allows. Exit code 5."""


class IntegrityError(ImconvertError):
    """A promise would be broken, so nothing is called finished. Exit code 6."""


class Rejected(Exception):
    """One record cannot be taken over. Never ends a run: the record goes to the rejects with its place."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values

    def why(self, lang: str = "en") -> str:
        return cause_of(self.code, self.values, lang=lang)
