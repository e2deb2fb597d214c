"""How Yunxin asks and answers, in its two surfaces (yunxin.md §4.1, §4.3).

v1 is a form and `{"code":…}`, v2 is JSON and `{"code":…,"msg":…,"data":…}`; both answer HTTP 200 whatever the outcome.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha1
from typing import Any, NamedTuple, NoReturn

import orjson

from imconvert.simulators.core.calls import Answer, Call, Refused, answer
from imconvert.simulators.core.checks import digits, integer

SKEW = 300
"""Seconds for which a CheckSum holds (§4.1)."""

V2 = "/im/v2"


def is_v2(call: Call) -> bool:
    return call.path.startswith(V2)


def reply(call: Call, found: Any) -> Answer:
    """The answer of an endpoint that worked; what it found is the root in v1, `data` in v2."""
    body = {"code": 200, "msg": "success", "data": found or {}} if is_v2(call) else {"code": 200, **(found or {})}
    return answer(200, body, 200)


def failed(call: Call, code: int, why: str) -> Answer:
    name = "msg" if is_v2(call) else "desc"
    return answer(200, {"code": code, name: why}, code)


def fail(call: Call, code: int, why: str) -> NoReturn:
    raise Refused(failed(call, code, why))


def authorize(call: Call) -> None:
    """§4.1: SHA1 over AppSecret, Nonce and CurTime, for 5 minutes; a wrong one is 414. A request id counts once."""
    key, nonce, time, given = (call.headers.get(name, "") for name in ("appkey", "nonce", "curtime", "checksum"))
    if key != call.desk.text("app_key"):
        fail(call, 403, "the AppKey is not known")
    if not nonce or len(nonce) > 128 or digits(time) is None:
        fail(call, 414, "bad checksum: Nonce or CurTime")
    if not hmac.compare_digest(given.encode(), check_sum(call.desk.text("app_secret"), nonce, time).encode()):
        fail(call, 414, "bad checksum")
    if abs(int(time) - call.now // 1000) > SKEW:
        fail(call, 414, "bad checksum: CurTime has expired")
    identity = call.headers.get("x-custom-traceid" if is_v2(call) else "requestid")
    if identity and call.desk.chosen("request_id", "once"):
        seen = call.desk.store.run("INSERT OR IGNORE INTO requests VALUES (?)", (identity,))
        if not seen.rowcount:
            fail(call, 431, "HTTP duplicate request")


def check_sum(secret: str, middle: str, time: str) -> str:
    """The CheckSum of REST calls (middle is the Nonce) and of copies (middle is the MD5 of the body)."""
    return sha1(f"{secret}{middle}{time}".encode(), usedforsecurity=False).hexdigest()


def limited(call: Call, wait: float) -> Answer:
    return failed(call, 416, "the calls are too frequent")


def unknown(call: Call) -> Answer:
    return failed(call, 404, "there is no such path")


def expired(call: Call) -> Answer:
    """There is no sign-on that ends; a clock that drifted looks like this."""
    return failed(call, 414, "bad checksum: CurTime has expired")


def _busy(code: int, why: str) -> Callable[[Call], Answer]:
    return lambda call: failed(call, code, why)


BUSY = (_busy(416, "the calls are too frequent"), _busy(500, "internal error"), _busy(503, "busy"),
        _busy(514, "not available"), _busy(408, "timed out"))  # fmt: skip
"""Throttling and temporary trouble (§4.3)."""


class Field(NamedTuple):
    """A parameter: whether it is needed, its most characters, its form, whether it is a JSON array of texts.

    It is a number where its form is one of digits; v2 sends such as numbers, v1 everything as texts.
    """

    needed: bool = True
    most: int | None = None
    form: str | None = None
    array: bool = False

    @property
    def number(self) -> bool:
        return bool(self.form) and str(self.form)[:2] in ("[0", "[1")


ACCID = Field(most=32, form=r"[A-Za-z0-9_@.\-]+")
ACCIDS = Field(array=True)
TID = Field(form="[0-9]{1,18}")
TIME = Field(form="[0-9]{1,16}")
NUMBERS = "[0-9]{1,18}(?:,[0-9]{1,18})*|"


def optional(most: int | None = None, form: str | None = None) -> Field:
    return Field(needed=False, most=most, form=form)


Values = Mapping[str, Any]


def form_of(call: Call, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The parameters of a v1 call; arrays are read. Raises Refused 414, or 405 for what is too long."""
    if call.kind != "application/x-www-form-urlencoded":
        fail(call, 414, "Content-Type is not application/x-www-form-urlencoded")
    try:
        given = call.form()
    except ValueError:
        fail(call, 414, "the body is no form")
    return checked(call, given, fields)


def json_of(call: Call, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The body of a v2 call, by the same rules."""
    try:
        given = call.json()
    except ValueError:
        given = None
    if not isinstance(given, dict):
        fail(call, 414, "the body is no JSON object")
    return checked(call, given, fields)


def checked(call: Call, given: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    found = dict(given)
    for name, field in fields.items():
        value = given.get(name)
        if value is None or value == [] or (field.needed and value == ""):
            if field.needed:
                fail(call, 414, f"{name} is missing")
            found.pop(name, None)
            continue
        found[name] = _array(call, name, value) if field.array else _text(call, name, field, value)
    return found


def _array(call: Call, name: str, value: Any) -> list[str]:
    try:
        found = orjson.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = None
    if not isinstance(found, list) or not found:
        fail(call, 414, f"{name} is no JSON array")
    return [fold(str(one)) for one in found]


def _text(call: Call, name: str, field: Field, value: Any) -> Any:
    if not isinstance(value, str) and not (field.number and integer()(value)):
        fail(call, 414, f"{name} is wrong")
    text = str(value)
    if field.most is not None and len(text) > field.most:
        fail(call, 405, f"{name} is longer than {field.most}")
    if field.form and text and not re.fullmatch(field.form, text):
        fail(call, 414, f"{name} is wrong")
    return value


def part_of(call: Call, body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object inside of a v2 body; empty where it is absent."""
    found = body.get(name)
    if found is not None and not isinstance(found, dict):
        fail(call, 414, f"{name} is no object")
    return found or {}


def page_of(call: Call) -> tuple[int, int]:
    """`limit` and `page_token` of a v2 query."""
    limit, start = digits(call.query.get("limit", "100"), 1, 100), digits(call.query.get("page_token") or "0")
    if limit is None or start is None:
        fail(call, 414, "limit or page_token is wrong")
    return limit, start


def more_of(rows: Sequence[Any], limit: int, start: int) -> dict[str, Any]:
    """How to go on behind a page of which one row more was asked for."""
    more = len(rows) > limit
    return {"has_more": more, "next_token": str(start + limit) if more else ""}


def fold(accid: str) -> str:
    """An account id as the server keeps it (§7)."""
    return accid.lower()
