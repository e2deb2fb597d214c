"""Read a mapping file (TOML) into its records, with every problem of it named at once (docs/mapping.md).

Strategy: tables of what is allowed where; each reader takes what is right and notes what is not, so that one mistake
hides no other. The records are made only if there was none.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from imconvert.errors import UsageError
from imconvert.model import CLIENTS, NOTICES
from imconvert.vendors.custom import times
from imconvert.vendors.custom.problems import Problems, Where
from imconvert.vendors.custom.spec import UNSET, Body, Chat, Input, Mapping, Path, Rule, Value, path_of

VERSION = 1
FORMATS = ("ndjson", "json", "csv", "tsv")
ENCODINGS = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "gb18030": "gb18030", "gbk": "gb18030"}
CHATS = ("p2p", "team", "chatroom", "skip")
BOTH = ("group", "receiver", "reject")

_TOP = ("version", "name", "input", "message", "chat", "kind", "body", "skip", "recall", "ignore")
_MESSAGE = ("id", "time", "sender", "receiver", "group", "client", "ext")
_CHAT = ("always", "path", "table", "prefix", "keep", "default", "both", "unset")
_KIND = ("path", "table", "default", "unset")
RULE = ("path", "is", "reason")
_TABLES = ("delimiter", "quote", "escape", "null", "header", "columns", "optional", "encoding", "multiline")
_INPUT = {
    "ndjson": ("format", "json"),
    "json": ("format", "json", "array"),
    "csv": ("format", "json", *_TABLES),
    "tsv": ("format", "json", *_TABLES),
}

ANY = ("path", "const", "default", "unset", "table", "otherwise", "cut", "before")
_CONTENT = (*ANY, "json", "object")
_NUMBER = (*ANY, "unit")
_TIME = ("path", "unit", "format", "zone", "unset")
_MEDIA: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("url", "name", "suffix", "md5"), ANY),
    **dict.fromkeys(("size", "width", "height", "duration"), _NUMBER),
}
BODIES: dict[str, dict[str, tuple[str, ...]]] = {
    "text": {"text": ANY},
    **dict.fromkeys(("image", "audio", "video", "file"), _MEDIA),
    "place": dict.fromkeys(("title", "longitude", "latitude"), ANY),
    "custom": {"content": _CONTENT},
    "notice": {"notice": ANY, "who": ANY, "info": _CONTENT},
}
"""The fields of each kind of body, and what the value of each may be made of."""

REQUIRED = {"text": ("text",), "place": ("longitude", "latitude"), "custom": ("content",), "notice": ("notice",)}
UNITS = {"duration": {"ms": 1, "s": 1000, "min": 60_000}, "size": {"bytes": 1, "kb": 1024, "mb": 1 << 20}}


def mapping_of(text: str) -> Mapping:
    """The mapping in `text`. Raises UsageError IMC-1100 with all its problems."""
    problems = Problems(text)
    mapping = Reading(problems).mapping(toml_of(text))
    problems.check()
    return mapping


def toml_of(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises UsageError IMC-1100 for anything else."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as why:
        line = re.search(r"at line (\d+)", str(why))
        where = f"line {line[1]}" if line else ""
        raise UsageError("IMC-1100", count=1, problems=[("IMC-1101", where, {"why": str(why)})]) from None


class Reading:
    """Reads the tables of one file. `used` gathers the paths, `columns` are those that there may be, if known."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.used: set[Path] = set()
        self.columns: tuple[str, ...] = ()

    def top(self, found: dict[str, Any], allowed: tuple[str, ...]) -> str:
        """Check the keys outside of tables; gives the system's name."""
        self.known(found, allowed, ())
        if found.get("version", VERSION) != VERSION:
            self.problems.bad((), "version", found["version"], str(VERSION))
        name = self.text(found, "name", (), "custom")
        if not re.fullmatch(r"[\w.-]{1,40}", name):
            self.problems.bad((), "name", name, "a word of letters, digits, - and .")
        return name

    def mapping(self, found: dict[str, Any]) -> Mapping:
        name = self.top(found, _TOP)
        source = self.input(self.table(found, "input", ()))
        message = self.table(found, "message", ())
        self.known(message, _MESSAGE, ("message",))
        identity, id_from = self.identity(message)
        values = {key: self.value(message, key, ("message",), ANY) for key in ("receiver", "group", "client")}
        bodies = self.bodies(self.table(found, "body", ()))
        kind, kinds, default = self.kind(self.table(found, "kind", ()), bodies, given="kind" in found)
        return Mapping(
            name=name,
            input=source,
            id=identity,
            id_from=id_from,
            time=self.time(message, "time", ("message",)),
            sender=self.needed(message, "sender", ("message",), ANY, "who sent the message"),
            ext=self.value(message, "ext", ("message",), _CONTENT),
            chat=self.chat(self.table(found, "chat", ()), values),
            kind=kind,
            kinds=kinds,
            kind_default=default,
            bodies=bodies,
            skips=self.rules(found, "skip", RULE),
            recalls=self.rules(found, "recall", (*RULE, "of")),
            ignore=self.plain_paths(found, "ignore", ()),
            used=frozenset(self.used),
            **self.checked(values),
        )

    def checked(self, values: dict[str, Value | None]) -> dict[str, Any]:
        client = values["client"]
        names = [*CLIENTS, *map(str, CLIENTS.values())]
        for name in client.table.values() if client and client.table else ():
            if str(name) not in names:
                self.problems.bad(("message", "client"), "table", name, f"one of {', '.join(CLIENTS)}", names)
        return values

    def known(self, table: dict[str, Any], allowed: tuple[str, ...], where: Where) -> None:
        for key in table:
            if key not in allowed:
                self.problems.unknown(where, key, allowed)

    def table(self, found: dict[str, Any], key: str, where: Where) -> dict[str, Any]:
        return self.typed(found, key, where, dict, {}, "a table")  # type: ignore[no-any-return]

    def text(self, found: dict[str, Any], key: str, where: Where, default: str = "") -> str:
        return self.typed(found, key, where, str, default, "a text")  # type: ignore[no-any-return]

    def flag(self, found: dict[str, Any], key: str, where: Where, default: bool) -> bool:
        return self.typed(found, key, where, bool, default, "true or false")  # type: ignore[no-any-return]

    def typed(self, found: dict[str, Any], key: str, where: Where, kind: type, default: Any, expected: str) -> Any:
        value = found.get(key, default)
        if not isinstance(value, kind):
            self.problems.bad(where, key, value, expected)
            return default
        return value

    def choice(self, found: dict[str, Any], key: str, where: Where, allowed: tuple[str, ...], default: str) -> str:
        value = found.get(key, default)
        if value not in allowed and value != default:
            self.problems.bad(where, key, value, f"one of {', '.join(allowed)}", allowed)
            return default
        return str(value)

    def texts(self, found: dict[str, Any], key: str, where: Where) -> tuple[str, ...]:
        """A list of texts; one text is a list of one."""
        value = found.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problems.bad(where, key, value, "a list of texts")
            return ()
        return tuple(value)

    def words(self, found: dict[str, Any], key: str, where: Where) -> frozenset[str]:
        """A list of scalars, or one, as the texts that they are compared by."""
        value = found.get(key, [])
        value = value if isinstance(value, list) else [value]
        if not all(isinstance(item, str | int | float) for item in value):
            self.problems.bad(where, key, value, "a list of texts and numbers")
            return frozenset()
        return frozenset(plain(item) for item in value)

    def path(self, text: Any, where: Where, key: str) -> Path | None:
        found = path_of(text) if isinstance(text, str) else None
        if found is None:
            self.problems.bad(where, key, text, "a path such as content.items[0].url, or $ for the whole record")
            return None
        if self.columns and found and found[0] not in self.columns:
            self.problems.bad(where, key, found[0], "one of input.columns", self.columns)
        self.used.add(found)
        return found

    def input(self, found: dict[str, Any]) -> Input:
        where = ("input",)
        if "format" not in found:
            self.problems.missing(where, "format", f"one of {', '.join(FORMATS)}")
        form = self.choice(found, "format", where, FORMATS, "ndjson")
        self.known(found, _INPUT[form], where)
        if form in ("csv", "tsv"):
            return self.rows(found, form, where)
        array = self.text(found, "array", where)
        steps = path_of(array) if array else ()
        if steps is None or not all(isinstance(step, str) for step in steps):
            self.problems.bad(where, "array", array, 'keys with dots between them, or "" for the document itself')
        return Input(format=form, array=array, json=self.plain_paths(found, "json", where))

    def plain_paths(self, found: dict[str, Any], key: str, where: Where) -> tuple[Path, ...]:
        """A list of paths that no value is taken from."""
        paths = [path_of(text) for text in self.texts(found, key, where)]
        if not all(paths):
            self.problems.bad(where, key, found[key], "a list of paths")
        return tuple(path for path in paths if path)

    def rows(self, found: dict[str, Any], form: str, where: Where) -> Input:
        tabs = form == "tsv"
        marks = {
            "delimiter": self.mark(found, "delimiter", where, "\t" if tabs else ",", needed=True),
            "quote": self.mark(found, "quote", where, "" if tabs else '"'),
            "escape": self.mark(found, "escape", where, "\\" if tabs else ""),
        }
        given = [mark for mark in marks.values() if mark]
        if len(set(given)) < len(given):
            self.problems.at_odds(where, "delimiter", "delimiter, quote and escape have to differ")
        self.columns = self.texts(found, "columns", where)
        header = self.flag(found, "header", where, not self.columns)
        if not header and not self.columns:
            self.problems.missing(where, "columns", "without a header row the columns have to be named")
        if len(set(self.columns)) < len(self.columns):
            self.problems.bad(where, "columns", list(self.columns), "names that differ")
        encoding = self.choice(found, "encoding", where, tuple(ENCODINGS), "utf-8")
        return Input(
            format="csv",
            null=self.texts(found, "null", where) if "null" in found else ("\\N",) if tabs else (),
            header=header,
            columns=self.columns,
            optional=frozenset(self.texts(found, "optional", where)),
            encoding=ENCODINGS[encoding],
            multiline=self.flag(found, "multiline", where, True),
            json=self.plain_paths(found, "json", where),
            **marks,
        )

    def mark(self, found: dict[str, Any], key: str, where: Where, default: str, *, needed: bool = False) -> str:
        value = self.text(found, key, where, default)
        if (not value and needed) or (value and not re.fullmatch(r"[\t -/:-@\[-`{-~]", value)):
            self.problems.bad(where, key, value, "a tab or one ASCII sign" + ("" if needed else ', or "" for none'))
            return default
        return value

    def value(
        self, found: dict[str, Any], key: str, where: Where, allowed: tuple[str, ...], units: Any = ()
    ) -> Value | None:
        """The value that `key` describes: a path, a list of paths, or a table of `allowed` keys; None without one."""
        raw = found.get(key)
        if raw is None:
            return None
        if not isinstance(raw, dict):
            return Value(paths=self.paths(raw, where, key))
        inside = (*where, key)
        self.known(raw, allowed, inside)
        sources = [name for name in ("path", "const", "object") if name in raw]
        if len(sources) != 1:
            self.problems.missing(inside, "path", f"exactly one of {', '.join(n for n in _SOURCES if n in allowed)}")
        table = raw.get("table")
        if table is not None:
            table = self.table(raw, "table", inside)
        return Value(
            paths=self.paths(raw["path"], inside, "path") if "path" in raw else (),
            const=raw.get("const", UNSET),
            default=raw.get("default", UNSET),
            table=table,
            otherwise=raw.get("otherwise", UNSET),
            unset=self.words(raw, "unset", inside),
            cut=self.texts(raw, "cut", inside),
            before=self.text(raw, "before", inside),
            json=self.flag(raw, "json", inside, False),
            object=self.object(raw, inside) if "object" in raw else None,
            unit=self.choice(raw, "unit", inside, tuple(units), "") if units else self.text(raw, "unit", inside),
        )

    def needed(self, found: dict[str, Any], key: str, where: Where, allowed: tuple[str, ...], what: str) -> Value:
        value = self.value(found, key, where, allowed)
        if value is None:
            self.problems.missing(where, key, what)
        return value or Value()

    def paths(self, raw: Any, where: Where, key: str) -> tuple[Path, ...]:
        several = raw if isinstance(raw, list) else [raw]
        if not several:
            self.problems.bad(where, key, raw, "a path or a list of paths")
        return tuple(path for text in several if (path := self.path(text, where, key)) is not None)

    def object(self, raw: dict[str, Any], where: Where, key: str = "object") -> tuple[tuple[str, Value], ...]:
        found = self.table(raw, key, where)
        values = ((name, self.value(found, name, (*where, key), _CONTENT)) for name in found)
        return tuple((name, value) for name, value in values if value)

    def identity(self, message: dict[str, Any]) -> tuple[Value | None, tuple[Path, ...]]:
        where = ("message",)
        raw = message.get("id")
        if raw is None:
            self.problems.missing(where, "id", 'a path, or { from = ["room", "time", "sender", "text"] } to derive one')
        if not isinstance(raw, dict) or "from" not in raw:
            return self.value(message, "id", where, (*ANY, "from")), ()
        self.known(raw, ("from",), ("message", "id"))
        return None, self.paths(self.typed(raw, "from", ("message", "id"), list, [], "a list of paths"), where, "from")

    def time(self, found: dict[str, Any], key: str, table: Where) -> Value:
        """The time that `key` of a table describes; one that is missing is a problem."""
        where = (*table, key)
        raw = found.get(key)
        if not isinstance(raw, dict):
            raw = {} if raw is None else {"path": raw}
        self.known(raw, _TIME, where)
        if "path" not in raw:
            self.problems.missing(table, key, 'such as { path = "send_time", unit = "ms" }')
        unit = self.choice(raw, "unit", where, times.UNITS, "")
        form, zone = self.text(raw, "format", where), self.text(raw, "zone", where)
        if "path" in raw and "unit" not in raw:
            self.problems.missing(where, "unit", f"one of {', '.join(times.UNITS)}")
        elif unit:
            self.clock(unit, form, zone, where)
        paths = self.paths(raw["path"], where, "path") if "path" in raw else ()
        return Value(paths, unit=unit, format=form, zone=zone, unset=self.words(raw, "unset", where))

    def clock(self, unit: str, form: str, zone: str, where: Where) -> None:
        """What of unit, format and zone does not go together, or is none."""
        if bool(form) != (unit == "format"):
            self.problems.at_odds(where, "format", 'unit = "format" and format = "%Y-…" go together')
        if form and not times.is_format(form):
            self.problems.bad(where, "format", form, "a format such as %Y/%m/%d %H:%M:%S")
        if zone and times.zone_of(zone) is None:
            self.problems.bad(where, "zone", zone, "+08:00, UTC or a name such as Asia/Shanghai")
        if unit in ("iso", "format") and not zone:
            self.problems.missing(where, "zone", "times without an offset need their zone, such as +08:00")
        if zone and unit not in ("iso", "format"):
            self.problems.at_odds(where, "zone", "a number counted from 1970 UTC has no zone")

    def chat(self, found: dict[str, Any], ends: dict[str, Value | None]) -> Chat:
        where = ("chat",)
        self.known(found, _CHAT, where)
        ways = [way for way in ("always", "table", "prefix") if way in found]
        if len(ways) > 1:
            self.problems.at_odds(where, ways[1], f"[chat] has both {ways[0]} and {ways[1]}")
        if ("table" in found) != ("path" in found):
            self.problems.missing(where, "path" if "table" in found else "table", "path and table go together")
        chat = Chat(
            always=self.choice(found, "always", where, CHATS[:2], ""),
            value=self.value({"value": {k: found[k] for k in ("path", "unset") if k in found}}, "value", where, ANY)
            if "path" in found else None,
            table=self.chats(found, "table"),
            prefix=self.chats(found, "prefix"),
            keep=self.flag(found, "keep", where, False),
            default=self.choice(found, "default", where, CHATS, ""),
            both=self.choice(found, "both", where, BOTH, "reject"),
        )  # fmt: skip
        self.ends(chat, ends)
        return chat

    def chats(self, found: dict[str, Any], key: str) -> dict[str, str] | None:
        if key not in found:
            return None
        table = self.table(found, key, ("chat",))
        for name, chat in table.items():
            if chat not in CHATS:
                self.problems.bad(("chat", key), name, chat, f"one of {', '.join(CHATS)}", CHATS)
        return {name: str(chat) for name, chat in table.items()}

    def ends(self, chat: Chat, ends: dict[str, Value | None]) -> None:
        """A message needs somewhere to go; which of the two is needed follows from [chat]."""
        if not ends["receiver"] and not ends["group"]:
            self.problems.missing(("message",), "receiver", "give receiver, group or both")
        elif not (chat.always or chat.table or chat.prefix) and not (ends["receiver"] and ends["group"]):
            only = "group" if ends["group"] else "receiver"
            always = "team" if ends["group"] else "p2p"
            self.problems.missing(("chat",), "always", f'message has {only} alone; say [chat] always = "{always}"')

    def kind(
        self, found: dict[str, Any], bodies: dict[str, Body], *, given: bool
    ) -> tuple[Value | None, dict[str, tuple[str, ...]], str]:
        where = ("kind",)
        self.known(found, _KIND, where)
        if not given:
            if len(bodies) != 1:
                self.problems.missing((), "kind", "with several bodies [kind] says which is for whom")
            return None, {}, next(iter(bodies), "reject")
        value = self.value({"kind": {k: found[k] for k in ("path", "unset") if k in found}}, "kind", (), ANY)
        table = self.table(found, "table", where)
        names = (*bodies, "skip", "reject")
        kinds = {}
        for key in table:
            several = self.texts(table, key, ("kind", "table"))
            for name in several:
                if name not in names:
                    self.problems.bad(("kind", "table"), key, name, f"one of {', '.join(names)}", names)
            kinds[key] = several
        return value, kinds, self.choice(found, "default", where, names, "reject")

    def bodies(self, found: dict[str, Any]) -> dict[str, Body]:
        if not found:
            self.problems.missing((), "body", 'at least one, such as [body.text] with as = "text"')
        return {name: self.body(self.table(found, name, ("body",)), name) for name in found}

    def body(self, found: dict[str, Any], name: str) -> Body:
        where = ("body", name)
        kind = self.choice(found, "as", where, tuple(BODIES), "")
        if not kind:
            if "as" not in found:
                self.problems.missing(where, "as", f"one of {', '.join(BODIES)}")
            return Body("text", {})
        allowed = BODIES[kind]
        self.known(found, ("as", "when", "extra", *(("label", "words") if kind == "custom" else ()), *allowed), where)
        values = {key: self.value(found, key, where, sort, UNITS.get(key, ())) for key, sort in allowed.items()}
        for key in REQUIRED.get(kind, ("url",)):
            if values[key] is None:
                self.problems.missing(where, key, f'a body as = "{kind}" needs it')
        if kind == "notice":
            self.notices(values["notice"], where)
        return Body(
            kind,
            {key: value for key, value in values.items() if value},
            self.object(found, where, "extra") if "extra" in found else None,
            self.value(found, "when", where, ANY),
            self.text(found, "label", where, "custom"),
            self.text(found, "words", where),
        )

    def notices(self, value: Value | None, where: Where) -> None:
        named = [] if value is None else [*(value.table or {}).values(), value.const, value.default, value.otherwise]
        for notice in named:
            if notice is not UNSET and notice not in NOTICES:
                self.problems.bad(where, "notice", notice, f"one of {', '.join(NOTICES)}", NOTICES)

    def rules(self, found: dict[str, Any], key: str, allowed: tuple[str, ...]) -> tuple[Rule, ...]:
        several = found.get(key, [])
        several = [several] if isinstance(several, dict) else several
        if not isinstance(several, list) or not all(isinstance(rule, dict) for rule in several):
            self.problems.bad((), key, several, f"tables [[{key}]]")
            return ()
        return tuple(self.rule(rule, (key, number), allowed) for number, rule in enumerate(several))

    def rule(self, found: dict[str, Any], where: Where, allowed: tuple[str, ...]) -> Rule:
        self.known(found, allowed, where)
        if "path" not in found:
            self.problems.missing(where, "path", "where the value stands")
        value = self.value({"path": found["path"]}, "path", where, ANY) if "path" in found else None
        of = self.value(found, "of", where, ANY)
        return Rule(value or Value(), self.words(found, "is", where), self.text(found, "reason", where), of)


_SOURCES = ("path", "const", "object")


def plain(value: Any) -> str:
    """A scalar as the text by which tables and conditions know it."""
    if value.__class__ is bool:
        return "true" if value else "false"
    if value.__class__ is float and value.is_integer():
        return str(int(value))
    return str(value)
