"""Propose a mapping for records that nobody has described: what fits the names and the values, with doubts told.

Strategy: records are flattened to paths with their values; each role takes the path whose name and values speak most
for it; the kinds are judged one by one by their records. What is not sure stands there with a remark, what is missing
as a TODO that makes every record a reject until it is filled in.
Promise: what comes out can be read as a mapping; the same sample gives the same text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from imconvert.vendors.custom import names
from imconvert.vendors.custom.parse import plain
from imconvert.vendors.custom.spec import Path, shown
from imconvert.vendors.values import suffix_of

DEEPEST = 4
MOST_KINDS = 24
_EPOCHS = (("s", 1e9, 1e10), ("ms", 1e12, 1e13), ("us", 1e15, 1e16), ("ns", 1e18, 1e19))
_FORMATS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y%m%d%H%M%S", "%d/%m/%Y %H:%M:%S", "%Y年%m月%d日 %H:%M:%S")
_URL = re.compile(r"(https?|oss|cos|s3)://\S+|/[\w./-]+\.\w{2,5}")

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Field:
    """A path of the sample with the values that stand there; `inner` where it leads through JSON in a text."""

    path: Path
    values: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        return names.folded(str(self.path[-1]))

    def share(self, test: Callable[[Any], bool]) -> float:
        """How much of the values passes a test; 0 without values."""
        return sum(map(test, self.values)) / len(self.values) if self.values else 0.0


@dataclass(slots=True)
class Sample:
    """Records, flattened. `inner` are the paths whose texts hold JSON."""

    records: list[dict[str, Any]]
    fields: dict[Path, Field] = field(default_factory=dict)
    inner: list[Path] = field(default_factory=list)

    def at(self, record: Any, path: Path) -> Any:
        """What stands at a path of a record, JSON in texts opened."""
        for depth, step in enumerate(path):
            if depth and path[:depth] in self.inner:
                record = opened(record)
            record = record.get(step) if isinstance(record, dict) else None
        return record


def opened(value: Any) -> Any:
    """The object in a text, or the value itself."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value


def sample_of(records: list[dict[str, Any]]) -> Sample:
    """The records with their paths."""
    sample = Sample(records)
    for record in records:
        _flatten(sample, record, ())
    return sample


def _flatten(sample: Sample, value: dict[str, Any], path: Path) -> None:
    for key, item in value.items():
        here = (*path, key)
        if item is None or item == "":
            continue
        found = opened(item)
        if found is not item and isinstance(found, dict) and here not in sample.inner:
            sample.inner.append(here)
        sample.fields.setdefault(here, Field(here)).values.append(item)
        if isinstance(found, dict) and len(here) < DEEPEST:
            _flatten(sample, found, here)


def is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not (isinstance(value, str) and value.startswith(("{", "[")))


def epoch_of(value: Any) -> str | None:
    """The unit in which a number, or digits, would be a time of our days."""
    text = plain(value) if isinstance(value, int | float) else value if isinstance(value, str) else ""
    if not re.fullmatch(r"\d{9,19}(\.\d+)?", text):
        return None
    number = float(text)
    return next((unit for unit, low, high in _EPOCHS if low <= number < high), None)


def clock_of(value: Any) -> tuple[str, str] | None:
    """Unit and format of a time written out."""
    if not isinstance(value, str) or len(value) < 12:
        return None
    try:
        datetime.fromisoformat(value)
    except ValueError:
        pass
    else:
        return None if value.isdigit() else ("iso", "")
    for form in _FORMATS:
        try:
            datetime.strptime(value, form)
        except ValueError:
            continue
        return "format", form
    return None


def time_of(value: Any) -> tuple[str, str] | None:
    unit = epoch_of(value)
    return (unit, "") if unit else clock_of(value)


_FITS: dict[str, Callable[[Field], float]] = {
    "id": lambda one: len(set(map(plain, one.values))) / len(one.values),
    "time": lambda one: one.share(lambda value: time_of(value) is not None),
    "kind": lambda one: 1.0 if len(set(map(plain, one.values))) <= MOST_KINDS else 0.0,
    "chat": lambda one: 1.0 if len(set(map(plain, one.values))) <= 6 else 0.0,
    "client": lambda one: 1.0 if len(set(map(plain, one.values))) <= 16 else 0.0,
    "status": lambda one: 1.0 if len(set(map(plain, one.values))) <= 8 else 0.0,
}
"""How well values fit a role, from 0 to 1; other roles are told by name alone."""

ANY_VALUE = ("content", "ext")


@dataclass(frozen=True, slots=True)
class Choice:
    """The path that a role takes, and how sure that is, from 0 to 1."""

    path: Path
    sure: float


def choose(sample: Sample) -> dict[str, Choice]:
    """The best path for each role, no path for two of them."""
    scored: list[tuple[float, str, Path]] = []
    for role, words in names.ROLES.items():
        for path, one in sample.fields.items():
            score = _score(role, words, one)
            if score > 0.3:
                scored.append((score, role, path))
    chosen: dict[str, Choice] = {}
    for score, role, path in sorted(scored, key=lambda item: (-item[0], len(item[2]), item[1])):
        if role not in chosen and all(path != other.path for other in chosen.values()):
            chosen[role] = Choice(path, min(score, 1.0))
    return chosen


def _score(role: str, words: tuple[str, ...], one: Field) -> float:
    if role not in ANY_VALUE and one.share(is_scalar) < 0.9:
        return 0.0
    place = words.index(one.name) if one.name in words else None
    by_name = 1.0 - 0.5 * place / len(words) if place is not None else 0.0
    if role == "time" and place is None and len(one.path) == 1:
        by_name = 0.4
    fits = _FITS[role](one) if role in _FITS else 1.0
    return by_name * fits / (1 + 0.25 * (len(one.path) - 1))


@dataclass(frozen=True, slots=True)
class Kind:
    """One value of the kind, what its records seem to be, where their fields are, and how sure that is."""

    value: str
    body: str
    fields: tuple[tuple[str, Path], ...]
    count: int
    sure: bool


def kinds_of(sample: Sample, chosen: dict[str, Choice]) -> list[Kind]:
    """The kinds that the sample holds, the most frequent first."""
    choice, content = chosen.get("kind"), chosen.get("content")
    if choice is None:
        return [_judge("", sample.records, sample, content)]
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in sample.records:
        value = sample.at(record, choice.path)
        if value is not None:
            groups.setdefault(plain(value), []).append(record)
    often = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [_judge(value, records, sample, content) for value, records in often]


def _judge(value: str, records: list[dict[str, Any]], sample: Sample, content: Choice | None) -> Kind:
    """What the records of one kind are: by the word for it, else by what they hold."""
    path = content.path if content else ()
    bodies = [opened(sample.at(record, path)) for record in records]
    inside = _inside(path, [body for body in bodies if isinstance(body, dict)])
    named = names.meant(value, names.KINDS)
    shaped = _shape(bodies, inside, path)
    body = named or shaped or "custom"
    fields = _fields(body, bodies, inside, path)
    if not fields:
        body, fields = "custom", (("content", path),)
    return Kind(value, body, fields, len(records), sure=body == named or (shaped is not None and not value))


def _inside(path: Path, bodies: list[dict[str, Any]]) -> dict[str, Path]:
    """What stands inside of contents, by what it seems to be."""
    keys = Counter(key for body in bodies for key in body)
    found: dict[str, Path] = {}
    for meaning, words in names.INSIDE.items():
        for word in words:
            key = next((key for key in keys if names.folded(key) == word), None)
            if key is not None and not (meaning == "suffix" and isinstance(bodies[0].get(key), dict)):
                found[meaning] = (*path, key)
                break
    return found


def _shape(bodies: list[Any], inside: dict[str, Path], path: Path) -> str | None:
    if {"longitude", "latitude"} <= inside.keys():
        return "place"
    if "url" in inside:
        urls = [body.get(inside["url"][-1]) for body in bodies if isinstance(body, dict)]
        return _by_suffix(urls) or ("audio" if "duration" in inside and "width" not in inside else "file")
    texts = [body for body in bodies if isinstance(body, str)]
    if texts and len(texts) == sum(body is not None for body in bodies):
        return _by_suffix(texts) if all(_URL.fullmatch(text) for text in texts) else "text"
    return "text" if "text" in inside and len(inside) <= 2 else None


def _by_suffix(urls: Iterable[Any]) -> str | None:
    found = Counter(suffix_of(url) for url in urls if isinstance(url, str)).most_common(1)
    suffix = found[0][0] if found else None
    return next((kind for kind, known in names.SUFFIXES.items() if suffix in known), None)


_WANTED = {
    "text": ("text",),
    "image": ("url", "name", "suffix", "size", "width", "height", "md5"),
    "audio": ("url", "name", "suffix", "size", "duration", "md5"),
    "video": ("url", "name", "suffix", "size", "width", "height", "duration", "md5"),
    "file": ("url", "name", "suffix", "size", "md5"),
    "place": ("longitude", "latitude", "title"),
}
_NEEDED = {"text": ("text",), "place": ("longitude", "latitude")}


def _fields(body: str, bodies: list[Any], inside: dict[str, Path], path: Path) -> tuple[tuple[str, Path], ...]:
    """The paths of a body's fields; none where the body can't be this one."""
    if body == "custom":
        return (("content", path),)
    plainly = bool(bodies) and all(isinstance(found, str) for found in bodies if found is not None)
    if plainly and body != "place" and path:
        return (("text" if body == "text" else "url", path),)
    if any(name not in inside for name in _NEEDED.get(body, ("url",))):
        return ()
    taken: dict[Path, str] = {}
    for name in _WANTED[body]:
        if name in inside:
            taken.setdefault(inside[name], name)
    return tuple((name, found) for found, name in taken.items())


def told(path: Path) -> str:
    """A path as a TOML string."""
    return quoted(shown(path))


def quoted(text: str) -> str:
    """A TOML string."""
    plainly = msgspec.json.encode(text).decode()
    return plainly.replace("\x7f", "\\u007f")


def key(text: str) -> str:
    """A TOML key."""
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else quoted(text)
