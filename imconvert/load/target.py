"""target.toml: whose app is loaded, how fast, and how patiently. Docs: load.md.

Promise: a key that is unknown, missing or of the wrong kind is told before anything is sent, all of them at once. No
secret stands in the file; it comes from the environment or from a file that nobody else can read.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from imconvert.deliver.pace import MARGIN, ROOM
from imconvert.deliver.retry import Policy
from imconvert.errors import UsageError
from imconvert.vendors import BY_NAME
from imconvert.vendors.calls import Api, Limit, Rest

_SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_LIMIT = re.compile(r"(\d+)/(\d+(?:\.\d+)?(?:ms|s|m|h|d))")


class Budget(NamedTuple):
    """The run stops when one code is the outcome of `share` of the last `window` calls."""

    window: int = 200
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Target:
    """What target.toml says. Times in seconds; `limits` by bucket or api; `timeout` of one answer, `settle` before the
    history is asked; `ca` and `proxy` "" for none; `pace_folder` "" for the journal's own."""

    name: str
    rest: Rest
    values: Mapping[str, Any]
    secret_env: str
    secret_file: str = ""
    limits: Mapping[str, Limit] = field(default_factory=dict)
    inflight: int = 64
    timeout: float = 30.0
    settle: float = 2.0
    margin: float = MARGIN
    policy: Policy = Policy()
    budget: Budget = Budget()
    pace_folder: str = ""
    ca: str = ""
    proxy: str = ""

    def takes(self, made_for: str) -> bool:
        """Whether an output is for this target."""
        return made_for == self.name

    def bucket_of(self, api: Api) -> str:
        """The bucket of a call; one with a limit of its own in [limits] has one of its own."""
        return api.name if api.name in self.limits else api.pace

    def limit_of(self, api: Api) -> Limit:
        """The limit of a call's bucket: as set, else the reference's."""
        return self.limits.get(self.bucket_of(api), api.limit)


class _Problems:
    """What is wrong with the file, gathered."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.found: list[tuple[str, str, dict[str, object]]] = []

    def add(self, key: str, why: str) -> None:
        self.found.append(("IMC-1251", key, {"why": why}))

    def unknown(self, table: Mapping[str, Any], known: list[str], prefix: str) -> None:
        for name in table:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f'; did you mean "{close[0]}"?' if close else ""
                self.add(f"{prefix}{name}", f"there is no such key{hint}")

    def end(self) -> None:
        if self.found:
            raise UsageError("IMC-1250", self.place, count=len(self.found), problems=self.found)


def span(value: Any) -> float:
    """Seconds: a number, or a text such as 500ms, 15s, 10m, 2h. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise ValueError("it is no span of time such as 15s")
    return float(found[1]) * _SPANS[found[2]]


def limit(value: Any) -> Limit:
    """Calls a second, or a text such as 120/60s; 0 for no limit. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= ROOM:
        return Limit(value)
    found = _LIMIT.fullmatch(value) if isinstance(value, str) else None
    if not found or int(found[1]) > ROOM or not span(found[2]):
        raise ValueError(f"it is no limit such as 100 (a second) or 120/60s, at most {ROOM}")
    return Limit(int(found[1]), span(found[2]))


def whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("it is no whole number from 1")
    return value


def share(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError("it is no number from 0 to 1")
    return float(value)


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError("it is no text")
    return value


LOAD: Mapping[str, Callable[[Any], Any]] = {
    "inflight": whole, "timeout": span, "settle": span, "margin": share, "tries": whole, "backoff": span,
    "patience": span,
    "budget_window": whole, "budget_share": share, "pace_folder": text, "ca": text, "proxy": text,
}  # fmt: skip
"""The keys of [load] and how they are read."""
TABLES = ("target", "app", "secret", "limits", "load")
_SECRET_LIKE = re.compile(r"secret|password|key$|sig$|token", re.IGNORECASE)


def read_target(content: str, place: str) -> Target:
    """What a target.toml says. Raises UsageError IMC-1250 with all that is wrong, IMC-1252 for no TOML, IMC-1253 for an
    unknown target, IMC-1254 for a secret in it."""
    try:
        found = tomllib.loads(content)
    except tomllib.TOMLDecodeError as why:
        raise UsageError("IMC-1252", place, why=str(why)) from why
    name = found.get("target")
    maker = BY_NAME[name].rest if isinstance(name, str) and name in BY_NAME else None
    if maker is None:
        known = ", ".join(one.name for one in BY_NAME.values() if one.rest)
        raise UsageError("IMC-1253", place, found=str(name), known=known)
    rest, problems = maker(), _Problems(place)
    problems.unknown(found, list(TABLES), "")
    tables = {table: _table(found, table, problems) for table in TABLES[1:]}
    values = _app(tables["app"], rest, problems)
    limits = _limits(tables["limits"], rest, problems)
    chosen = {key: _read(f"load.{key}", LOAD[key], value, problems) for key, value in tables["load"].items()
              if key in LOAD}  # fmt: skip
    problems.unknown(tables["load"], list(LOAD), "load.")
    problems.unknown(tables["secret"], ["env", "file"], "secret.")
    secret = {key: _read(f"secret.{key}", text, value, problems) for key, value in tables["secret"].items()}
    problems.end()
    return _target(str(name), rest, values, limits, chosen, secret)


def _table(found: Mapping[str, Any], name: str, problems: _Problems) -> Mapping[str, Any]:
    table = found.get(name, {})
    if isinstance(table, dict):
        return table
    problems.add(name, "it is no table")
    return {}


def _read(key: str, reader: Callable[[Any], Any], value: Any, problems: _Problems) -> Any:
    try:
        return reader(value)
    except ValueError as why:
        problems.add(key, str(why))
        return None


def _app(table: Mapping[str, Any], rest: Rest, problems: _Problems) -> dict[str, Any]:
    """The keys of [app] with their defaults."""
    known = [one.name for one in rest.fields]
    for name in table:
        if name not in known and _SECRET_LIKE.search(name):
            raise UsageError("IMC-1254", problems.place, name=f"app.{name}", env=rest.secret_env)
    problems.unknown(table, known, "app.")
    values: dict[str, Any] = {}
    for one in rest.fields:
        value = table.get(one.name, one.default)
        if value is None:
            problems.add(f"app.{one.name}", f"it is missing ({one.help})")
        elif one.default is not None and type(value) is not type(one.default):
            problems.add(f"app.{one.name}", f"it is no {_KINDS[type(one.default)]} ({one.help})")
        values[one.name] = value
    if not problems.found:
        _check_address(values, problems)
    return values


_KINDS: Mapping[type, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def _check_address(values: Mapping[str, Any], problems: _Problems) -> None:
    """Plain HTTP only goes to this machine."""
    url = values.get("url")
    if not url:
        return
    parts = urlsplit(str(url))
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        problems.add("app.url", "it is no address such as https://api.example.com")
    elif parts.scheme == "http" and not local:
        problems.add("app.url", "without https it may only lead to this machine")


def _limits(table: Mapping[str, Any], rest: Rest, problems: _Problems) -> dict[str, Limit]:
    known = sorted({*rest.apis, *(api.pace for api in rest.apis.values())})
    problems.unknown(table, known, "limits.")
    return {key: _read(f"limits.{key}", limit, value, problems) for key, value in table.items() if key in known}


def _target(
    name: str, rest: Rest, values: Mapping[str, Any], limits: Mapping[str, Limit], chosen: dict[str, Any],
    secret: Mapping[str, str],
) -> Target:  # fmt: skip
    usual = Policy()
    policy = Policy(
        tries=chosen.pop("tries", usual.tries), base=chosen.pop("backoff", usual.base),
        patience=chosen.pop("patience", usual.patience),
    )  # fmt: skip
    budget = Budget(chosen.pop("budget_window", Budget().window), chosen.pop("budget_share", Budget().share))
    return Target(
        name, rest, values, secret.get("env") or rest.secret_env, secret.get("file", ""), limits, policy=policy,
        budget=budget, **chosen,
    )  # fmt: skip
