"""What Easemob's errors mean: by status, error type and a part of the text (easemob.md §9).

The wording differs between versions, so that a rule matches a part of it, in lower case, and the first that matches
decides. What no rule knows is an item that can't go in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from imconvert.vendors.calls import Kind, Reply, Verdict, retry_after


class _Rule(NamedTuple):
    status: int
    error: str
    text: str
    kind: Kind


_RULES = (
    _Rule(400, "duplicate_unique_property_exists", "", Kind.DONE),
    _Rule(400, "illegal_argument", "already exists", Kind.DONE),
    _Rule(400, "", "service open exception", Kind.STOP),
    _Rule(400, "invalid_grant", "", Kind.STOP),
    _Rule(400, "unsupported_grant_type", "", Kind.STOP),
    _Rule(401, "", "", Kind.REAUTH),
    _Rule(403, "", "message send reach limit", Kind.THROTTLE),
    _Rule(403, "", "already in group", Kind.DONE),
    _Rule(403, "", "unopened", Kind.STOP),
    _Rule(403, "", "service not allow", Kind.STOP),
    _Rule(404, "organization_application_not_found", "", Kind.STOP),
    _Rule(404, "resource_not_found", "api does not exist", Kind.STOP),
    _Rule(404, "resource_not_found", "", Kind.DEPENDENCY),
    _Rule(404, "service_resource_not_found", "", Kind.DEPENDENCY),
    _Rule(405, "", "", Kind.STOP),
    _Rule(415, "", "", Kind.STOP),
    _Rule(408, "", "", Kind.UNCLEAR),
    _Rule(409, "", "", Kind.RETRY),
    _Rule(413, "", "", Kind.ITEM),
    _Rule(429, "resource_limited", "", Kind.STOP),
    _Rule(429, "", "", Kind.THROTTLE),
)


def judged(reply: Reply, found: Mapping[str, Any] | None) -> Verdict:
    """The verdict on an answer that is no success; `found` is its JSON object."""
    error = str((found or {}).get("error", ""))
    text = str((found or {}).get("error_description", ""))
    code = error or f"HTTP {reply.status}"
    for rule in _RULES:
        fits = rule.status == reply.status and rule.error in ("", error) and rule.text in text.lower()
        if fits:
            wait = retry_after(reply) if rule.kind is Kind.THROTTLE else 0.0
            return Verdict(rule.kind, code, text, wait)
    if 300 <= reply.status < 400:
        return Verdict(Kind.STOP, code, "the address leads elsewhere")
    known = 400 <= reply.status < 500 and error
    return Verdict(Kind.ITEM if known else Kind.UNCLEAR, code, text)
