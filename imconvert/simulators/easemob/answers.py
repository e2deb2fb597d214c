"""How Easemob answers: a status, and an envelope around data, entities or an error (easemob.md §1, §9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from imconvert.simulators.core.calls import Answer, Call, Refused, answer
from imconvert.simulators.core.checks import Rule, check, digits
from imconvert.simulators.core.desk import Desk

APPLICATION = "8be024f0-e978-11e8-b697-5d598d5f8402"
"""The id that the system gave to the application."""


def where(desk: Desk, path: str) -> str:
    """The whole path: organization and application stand first, or behind the version (§1, §4.11).

    A path that begins with two slashes lies outside of the app.
    """
    app = f"/{desk.text('org')}/{desk.text('app')}"
    if path.startswith("//"):
        return path[1:]
    return path.replace("/{app}", app) if "/{app}" in path else app + path


def reply(call: Call, found: Any) -> Answer:
    """The answer of an endpoint that worked: what it found, in the envelope."""
    return answer(200, _envelope(call) | (found or {}), 200)


def _envelope(call: Call) -> dict[str, Any]:
    org, app = call.desk.text("org"), call.desk.text("app")
    path = call.path.removeprefix(f"/{org}/{app}")
    return {
        "action": call.method.lower(), "application": APPLICATION, "applicationName": app, "organization": org,
        "path": path, "uri": f"http://{call.headers.get('host', '')}{call.path}", "entities": [],
        "timestamp": call.now, "duration": 0,
    }  # fmt: skip


def failed(call: Call, status: int, error: str, text: str, further: Mapping[str, Any] | None = None) -> Answer:
    """The answer for an error; `exception` is a class of theirs, which nobody should look at."""
    body = {"error": error, "exception": f"easemob.{error}", "error_description": text, "timestamp": call.now,
            "duration": 0}  # fmt: skip
    return answer(status, body | dict(further or {}), error)


def fail(call: Call, status: int, error: str, text: str, further: Mapping[str, Any] | None = None) -> NoReturn:
    raise Refused(failed(call, status, error, text, further))


def illegal(call: Call, text: str) -> NoReturn:
    """400 illegal_argument, the most common one."""
    fail(call, 400, "illegal_argument", text)


def body_of(call: Call, rules: Mapping[str, Rule] | None = None) -> dict[str, Any]:
    """The body, an object that keeps to the rules; a rule's code is the error's type. Wrong types are
    invalid_request_body (§4.3)."""
    try:
        body = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        fail(call, 400, "invalid_request_body", "Request body is invalid. Please check body is correct.")
    if rules:
        check(body, rules, lambda code, text: fail(call, 400, str(code), text))
    return body


def limited(call: Call, wait: float) -> Answer:
    """§9: 429 "reached api limit"."""
    return failed(call, 429, "reach_limit", "This request has reached api limit")


def unknown(call: Call) -> Answer:
    """Another app, a path that is not there, or a method that it does not take (§9)."""
    org, app = call.desk.text("org"), call.desk.text("app")
    given = call.path.split("/")[1:3]
    if not call.path.startswith("/api/") and given != [org, app]:
        text = f"Could not find application for {'/'.join(given)} from URI: {call.path.lstrip('/')}"
        return failed(call, 404, "organization_application_not_found", text)
    return failed(call, 404, "resource_not_found", "The requested API does not exist")


def expired(call: Call) -> Answer:
    return failed(call, 401, "unauthorized", "Unable to authenticate due to expired access token")


def _busy(status: int, error: str, text: str) -> Any:
    return lambda call: failed(call, status, error, text)


BUSY = (
    _busy(429, "reach_limit", "This request has reached api limit"),
    _busy(403, "forbidden_op", "message send reach limit"),
    _busy(408, "request_timeout", "timed out"),
    _busy(409, "conflict", "the same resource is being changed"),
    _busy(503, "service_unavailable", "try again later"),
)
"""Throttling and temporary trouble (§9), the 403 that means a rate among them."""


def no_user(call: Call) -> NoReturn:
    """A user in the path who is not there (§9)."""
    fail(call, 404, "service_resource_not_found", "Service resource not found")


def limit_of(call: Call, low: int, high: int, usual: int) -> int:
    """`limit` of the query."""
    found = digits(call.query.get("limit", str(usual)), low, high)
    if found is None:
        illegal(call, f"limit is a number from {low} to {high}")
    return found


def cursor_of(call: Call, first: int) -> int:
    """`cursor` of the query; `first` without one."""
    given = call.query.get("cursor", "")
    found = digits(given) if given else first
    if found is None:
        illegal(call, "the cursor is none of ours")
    return found
