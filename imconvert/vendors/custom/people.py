"""Read the tables of a self-built system as people and groups, by a mapping of their own (docs/people.md).

Strategy: each table of the mapping makes one noun of a record; what a record lacks, or where `when` is not set, makes
none. Ids have to be right; what only adorns somebody is left out where it makes no sense (IMC-3306).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, NamedTuple

from imconvert.errors import Rejected
from imconvert.model import (
    FOREVER,
    Account,
    Block,
    Friend,
    Group,
    Member,
    Mute,
    Notes,
    Noun,
    Profile,
    ReadMark,
    Skip,
)
from imconvert.vendors.contract import Documents, Vendor
from imconvert.vendors.custom import NAME, times
from imconvert.vendors.custom.fields import Compiler, name_of, tree_of, watcher
from imconvert.vendors.custom.messages import holds, record_parser, skipped
from imconvert.vendors.custom.parse import ANY, RULE, Reading, toml_of
from imconvert.vendors.custom.problems import Problems
from imconvert.vendors.custom.spec import PeopleMapping, Section, Value
from imconvert.vendors.people.reading import LEFT, flag, number, text
from imconvert.vendors.people.source import SUFFIX
from imconvert.vendors.values import word


class Field(NamedTuple):
    """A field of a noun: what it is (id, text, texts, flag, number, time, end, or the words that it may be)."""

    kind: str | tuple[str, ...]
    needed: bool = False


_ID = Field("id", needed=True)
_TEXT, _FLAG, _TIME, _NUMBER = map(Field, ("text", "flag", "time", "number"))

NOUNS: Mapping[str, tuple[type, Mapping[str, Field]]] = {
    "account": (Account, {"id": _ID, "push_name": _TEXT, "created": _TIME, "disabled": _FLAG, "gagged": _FLAG}),
    "profile": (Profile, {
        "id": _ID, "name": _TEXT, "avatar": _TEXT, "sign": _TEXT, "gender": Field(("male", "female")),
        "birthday": _TEXT, "mail": _TEXT, "phone": _TEXT, "place": _TEXT, "ext": _TEXT,
    }),
    "friend": (Friend, {
        "owner": _ID, "friend": _ID, "both": _FLAG, "remark": _TEXT, "labels": Field("texts"), "since": _TIME,
        "wording": _TEXT, "ext": _TEXT,
    }),
    "block": (Block, {"owner": _ID, "other": _ID, "since": _TIME}),
    "mute": (Mute, {
        "owner": _ID, "chat": Field(("p2p", "team", "all"), needed=True), "target": _TEXT,
        "level": Field(("none", "mentions", "all")), "hours": _TEXT,
    }),
    "group": (Group, {
        "id": _ID, "name": _TEXT, "owner": _TEXT, "kind": Field(("private", "public", "meeting", "community", "live")),
        "intro": _TEXT, "notice": _TEXT, "avatar": _TEXT, "join": Field(("free", "approval", "closed")),
        "invite": Field(("managers", "all")), "edit": Field(("managers", "all")), "consent": _FLAG,
        "capacity": _NUMBER, "created": _TIME, "muted": _FLAG, "ext": _TEXT,
    }),
    "member": (Member, {
        "group": _ID, "account": _ID, "role": Field(("owner", "admin", "member")), "name": _TEXT, "since": _TIME,
        "muted_until": Field("end"), "ext": _TEXT,
    }),
    "read": (ReadMark, {
        "owner": _ID, "chat": Field(("p2p", "team"), needed=True), "target": _ID, "time": _TIME, "unread": _NUMBER,
    }),
}  # fmt: skip
"""The tables that a mapping may have, and their fields."""

_TOP = ("version", "name", "input", "skip", "ignore", *NOUNS)
_CONTENT = (*ANY, "json", "object")
_END = {"yes": FOREVER}


def mapping_of(given: str) -> PeopleMapping:
    """The mapping in a text. Raises UsageError IMC-1100 with all its problems."""
    problems = Problems(given)
    mapping = _Reading(problems).people(toml_of(given))
    problems.check()
    return mapping


class _Reading(Reading):
    """Reads the tables of a mapping for people."""

    def people(self, found: dict[str, Any]) -> PeopleMapping:
        name = self.top(found, _TOP)
        source = self.input(self.table(found, "input", ()))
        sections = tuple(self.section(noun, self.table(found, noun, ())) for noun in NOUNS if noun in found)
        if not sections:
            self.problems.missing((), "account", f"at least one table, such as [account]; known are {', '.join(NOUNS)}")
        return PeopleMapping(
            name, source, sections, self.rules(found, "skip", RULE), self.plain_paths(found, "ignore", ()),
            frozenset(self.used),
        )  # fmt: skip

    def section(self, noun: str, found: dict[str, Any]) -> Section:
        fields, where = NOUNS[noun][1], (noun,)
        self.known(found, ("when", *fields), where)
        values = {}
        for key, field in fields.items():
            if key not in found:
                if field.needed:
                    self.problems.missing(where, key, f"[{noun}] needs it")
            elif field.kind in ("time", "end"):
                values[key] = self.time(found, key, where)
            elif value := self.value(found, key, where, _CONTENT):
                values[key] = value
        return Section(noun, values, self.value(found, "when", where, ANY))


Make = Callable[[Any], "Noun | None"]


def reader(mapping: PeopleMapping, notes: Notes, latest: int, head: str = "") -> Callable[[bytes], Any]:
    """The function that reads one record as nouns, or a skip. It raises Rejected with codes of the 2xxx family."""
    table = mapping.input.format == "csv"
    tree = tree_of([*mapping.used, *mapping.ignore])
    make = Compiler(mapping.input.json, tree, notes, mapping.name)
    parse = record_parser(mapping, notes, head, None if table else watcher(tree, (), make.inner, notes))
    rules = [(holds(rule, make), skipped(rule)) for rule in mapping.skips]
    makers = [_maker(section, make, notes, latest) for section in mapping.sections]

    def read(raw: bytes) -> tuple[Noun, ...] | Skip:
        record = parse(raw)
        if record.__class__ is Skip:
            return record
        for is_about, outcome in rules:
            if is_about(record):
                return outcome(record)
        nouns = tuple(noun for maker in makers if (noun := maker(record)) is not None)
        return nouns or Skip("IMC-8181", {"page": mapping.name})

    return read


def _maker(section: Section, make: Compiler, notes: Notes, latest: int) -> Make:
    """The function that makes the noun of a table; None where the record has none."""
    noun, fields = NOUNS[section.noun]
    when = make.value(section.when) if section.when else None
    takers = [
        (key, make.value(value), _taker(value, fields[key], notes, latest)) for key, value in section.fields.items()
    ]

    def made(record: Any) -> Noun | None:
        if when and when(record) in (None, "", False, 0, "0"):
            return None
        given = {key: value for key, get, take in takers if (value := take(get(record))) is not None}
        return noun(**given)  # type: ignore[no-any-return]

    return made


def _taker(spec: Value, field: Field, notes: Notes, latest: int) -> Callable[[Any], Any]:
    """The function that makes a field of what stands there, None where there is nothing."""
    name = name_of(spec)
    if field.kind == "id":
        return partial(word, name=name)
    if field.kind in ("time", "end"):
        return _time_taker(spec, notes, latest, end=field.kind == "end")
    if isinstance(field.kind, tuple):
        return _choice_taker(name, field, notes)
    plain: dict[str, Callable[[Any], Any]] = {
        "text": text, "texts": _texts, "flag": flag, "number": lambda value: number(value, notes),
    }  # fmt: skip
    return plain[field.kind]


def _choice_taker(name: str, field: Field, notes: Notes) -> Callable[[Any], Any]:
    """One of the words that there are; another one is noted, and rejected where it is needed."""

    def take(value: Any) -> Any:
        found = text(value)
        if found in field.kind:
            return found
        if found is not None:
            notes.novel.append(("value", f"{name}={found[:40]}"))
        if field.needed:
            raise Rejected("IMC-2102", field=name, found=repr(value), expected=" or ".join(field.kind))
        return None

    return take


def _time_taker(spec: Value, notes: Notes, latest: int, *, end: bool) -> Callable[[Any], Any]:
    """A time; an end may lie ahead, and a plain yes is one without an end."""
    read = times.reader(spec, FOREVER if end else latest, notes)

    def take(value: Any) -> int | None:
        if value in (None, "", 0, "0", False):
            return None
        if end and (value is True or str(value) in _END):
            return FOREVER
        try:
            return read(value)
        except Rejected:
            notes.repairs.append(LEFT)
            return None

    return take


def _texts(value: Any) -> tuple[str, ...]:
    """Texts of a list, or of a text with commas."""
    several = value if value.__class__ is list else str(value or "").split(",")
    return tuple(found.strip() for one in several if (found := text(one)) and found.strip())


@lru_cache(maxsize=4)
def people_of(given: str, base: Callable[..., Vendor]) -> Vendor:
    """The source of people that the mapping file describes; `base(name, mapping, reader)` makes the vendor of it.

    Raises UsageError IMC-1100.
    """
    mapping = mapping_of(given)
    found = base(NAME + SUFFIX, mapping, partial(_read, mapping))
    if mapping.input.format == "csv":
        return found
    documents = Documents((mapping.input.array,), always=True) if mapping.input.format == "json" else None
    return replace(found, documents=documents, unfold=lambda raw: None)


def _read(mapping: PeopleMapping, settings: Any, notes: Notes, latest: int, head: bytes = b"") -> Any:
    return reader(mapping, notes, latest, head.decode())
