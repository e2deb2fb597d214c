"""How RongCloud asks and answers: forms, and a code in JSON beside the HTTP status (rongcloud.md §1, §6)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from hashlib import sha1
from typing import Any, NamedTuple, NoReturn

from imconvert.simulators.core.calls import Answer, Call, Refused, answer
from imconvert.simulators.core.checks import digits

STATUS = {
    200: 200, 400: 400, 404: 404, 1000: 500, 1001: 401, 1002: 400, 1003: 400, 1004: 401, 1005: 400, 1008: 429,
    1009: 430, 1015: 400, 1050: 504, 2007: 403,
}  # fmt: skip
"""HTTP status by code (§6; documented for 1004 and 1008, the rest UNCONFIRMED there)."""


def reply(call: Call, found: Any) -> Answer:
    """The answer of an endpoint that worked."""
    return answer(200, {"code": 200, **(found or {})}, 200)


def failed(call: Call, code: int, why: str) -> Answer:
    return answer(STATUS[code], {"url": call.path, "code": code, "errorMessage": why}, code)


def fail(call: Call, code: int, why: str) -> NoReturn:
    raise Refused(failed(call, code, why))


def authorize(call: Call) -> None:
    """§1: four headers, each also with RC- before its name; the body is not signed."""
    key, nonce, time, given = (_header(call, name) for name in ("app-key", "nonce", "timestamp", "signature"))
    if not key or not nonce or not time or not given:
        fail(call, 1004, "App-Key, Nonce, Timestamp or Signature is missing")
    if key != call.desk.text("app_key"):
        fail(call, 1001, "the App-Key is not known")
    if len(nonce) > 18:
        fail(call, 1004, "the Nonce has more than 18 characters")
    if not hmac.compare_digest(given, sign(call.desk.text("app_secret"), nonce, time)):
        fail(call, 1004, "the Signature is wrong")
    skew = call.desk.number("clock_skew")
    moment = digits(time)
    if moment is None or (skew and abs(_milliseconds(moment) - call.now) > skew * 1000):
        fail(call, 1004, "the Timestamp is wrong")


def _header(call: Call, name: str) -> str:
    return call.headers.get(name) or call.headers.get(f"rc-{name}", "")


def _milliseconds(time: int) -> int:
    """Documents say milliseconds, official SDKs send seconds (§1)."""
    return time * 1000 if time < 100_000_000_000 else time


def sign(secret: str, nonce: str, time: str) -> str:
    return sha1(f"{secret}{nonce}{time}".encode(), usedforsecurity=False).hexdigest()


def limited(call: Call, wait: float) -> Answer:
    return failed(call, 1008, "the calls are too frequent")


def unknown(call: Call) -> Answer:
    return failed(call, 404, "there is no such path")


def expired(call: Call) -> Answer:
    """There is no sign-on that ends; a clock that drifted looks like this."""
    return failed(call, 1004, "the Signature is wrong")


def _busy(code: int, why: str) -> Callable[[Call], Answer]:
    return lambda call: failed(call, code, why)


BUSY = (_busy(1008, "the calls are too frequent"), _busy(1000, "internal error"), _busy(1050, "internal time-out"))
"""Throttling and temporary trouble (§6)."""


class Field(NamedTuple):
    """A field of a form: whether it is needed, its longest value in bytes, its form, how often it may be repeated."""

    needed: bool = True
    most: int | None = None
    form: str | None = None
    times: int = 1


class Form:
    """The fields of a form that kept to their rules."""

    def __init__(self, values: Mapping[str, list[str]]) -> None:
        self._values = values

    def one(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[-1]

    def many(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def given(self, *names: str) -> dict[str, str]:
        """Those of these fields that were sent."""
        return {name: self._values[name][-1] for name in names if name in self._values}


def form_of(call: Call, fields: Mapping[str, Field]) -> Form:
    """The form of a request. Raises Refused 1002, or 1005 for what is too long."""
    try:
        pairs = call.pairs()
    except ValueError:
        fail(call, 1002, "the body is no form")
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    for name, field in fields.items():
        _check(call, name, field, values.get(name, []))
    return Form(values)


def _check(call: Call, name: str, field: Field, values: list[str]) -> None:
    if field.needed and not any(values):
        fail(call, 1002, f"{name} is required.")
    if len(values) > field.times:
        fail(call, 1002, f"{name} is given more than {field.times} times.")
    if field.most is not None and any(len(value.encode()) > field.most for value in values):
        fail(call, 1005, f"{name} is longer than {field.most} bytes.")
    if field.form and any(value and not re.fullmatch(field.form, value) for value in values):
        fail(call, 1002, f"{name} is invalid.")
