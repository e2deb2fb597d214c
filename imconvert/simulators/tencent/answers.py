"""How Tencent answers: HTTP 200 with an envelope, whatever the outcome (tencent.md §1.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from imconvert.simulators.core.calls import Answer, Call, Refused, answer
from imconvert.simulators.core.checks import Rule, check

OK: Mapping[str, Any] = {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}

UNREADABLE = {"openim": 90001, "group_open_http_svc": 10011, "profile": 40001, "sns": 30001,
              "im_open_login_svc": 70402, "open_msg_svc": 1002}  # fmt: skip
"""The code for a body that is no JSON object, by service (§9)."""


def reply(call: Call, found: Mapping[str, Any] | None) -> Answer:
    """The answer of an endpoint that worked."""
    return answer(200, {**OK, **(found or {})}, 0)


def failed(code: int, info: str) -> Answer:
    """The answer for a code."""
    return answer(200, {"ActionStatus": "FAIL", "ErrorCode": code, "ErrorInfo": info}, code)


def fail(code: Any, info: str) -> NoReturn:
    raise Refused(failed(int(code), info))


def body_of(call: Call, rules: Mapping[str, Rule] | None = None) -> dict[str, Any]:
    """The body, an object that keeps to the rules."""
    unreadable = UNREADABLE[call.path.split("/")[2]]
    try:
        body = call.json()
    except ValueError:
        fail(unreadable, "the body is no JSON")
    if not isinstance(body, dict):
        fail(unreadable, "the body is no object")
    if rules:
        check(body, rules, fail)
    return body


def limited(call: Call, wait: float) -> Answer:
    """§1.5."""
    return failed(60007, "the calls of this API are too frequent")


def unknown(call: Call) -> Answer:
    """§9: 60009, an error in the request's address."""
    return failed(60009, "there is no such command")


def expired(call: Call) -> Answer:
    return failed(70001, "the UserSig has expired")


def _busy(code: int, info: str) -> Any:
    return lambda call: failed(code, info)


BUSY = (
    _busy(60007, "the calls of this API are too frequent"), _busy(60011, "the calls of this SDKAppID are too frequent"),
    _busy(60008, "timed out"), _busy(60018, "too frequent"), _busy(60014, "timed out"), _busy(91000, "internal error"),
    _busy(90994, "internal error"), _busy(10002, "internal error"), _busy(70500, "internal error"),
)  # fmt: skip
"""Throttling and temporary trouble (§9, THROTTLE and RETRY)."""
