"""What a record says stands in its lines, or the fidelity table, a repair or the drift tells of it.

Plan: every text of the golden records gets a word appended that occurs nowhere else, one at a time. A record that is
still taken must have the word in its lines, or tell of a loss. The exceptions are told by name: what the documents of
this project leave out without counting, because it is said twice or tells of the transport alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from golden import cases
from roads import LongRoad, elements, settings_of, vendor_of

from imconvert.vendors import TARGETS

WORD = "zq7zq"
MOST = 8
"""Records of a file that are looked at."""

TRANSPORT = {
    "easemob": {
        "direction", "uuid", "callId", "security", "securityVersion", "appkey", "host", "content_type",
        # said by the payload, or by the chat type
        "from", "to", "payload.to", "payload.type",
    },
    "rongcloud": {
        "appId", "appKey", "nonce", "signTimestamp", "timestamp", "signature",
        # the target of the other chat; flags that are true or nothing; the operator of a notice is its sender
        "GroupId", "targetId", "isSensitiveWord", "sensitiveType", "aiGenerated", "fromUserId",
    },
    # `tencent.topics=topic` puts the topic in its place
    "tencent": {"GroupId"},
    "yunxin": {
        "fromDeviceId", "fromNick", "ip", "port", "msgidClient", "msgidclient", "message_client_id", "resendFlag",
        "tMembers",
    },
}  # fmt: skip
"""Paths that are left out without counting (docs/formats.md)."""

KINDS = {"easemob": {"payload.bodies.type"}, "yunxin": {"msgType"}}
"""What says which kind of content it is."""


def texts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the texts of a record stand."""
    if isinstance(value, str):
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from texts(inner, (*path, key))


def said(value: Any, path: tuple[str | int, ...]) -> Any:
    """The record with the word behind one of its texts."""
    if not path:
        return value + WORD
    copy = value.copy()
    copy[path[0]] = said(value[path[0]], path[1:])
    return copy


def is_told(road: LongRoad, record: Any) -> bool:
    """Whether the word stands in the lines, or something is said of what is not there."""
    found = road(json.dumps(record).encode())
    losses = [change for change in found.changes if change[0] in ("degraded", "dropped")]
    return bool(found.code or losses or found.repairs or found.novel) or any(
        WORD.encode() in line.data for line in found.lines
    )


@pytest.mark.parametrize("target", ["easemob", "tencent", "rongcloud"])
@pytest.mark.parametrize("vendor", TRANSPORT)
def test_what_is_said_is_told(vendor: str, target: str) -> None:
    lost, looked_at = set(), 0
    for case in cases():
        files = [
            file for file in case.inputs() if case.vendor == vendor and file.suffix in (".txt", ".json", ".ndjson")
        ]
        for head, raw in [one for file in files for one in elements(vendor_of(case), file.read_bytes())[:MOST]]:
            try:
                record = json.loads(raw)
            except (ValueError, RecursionError):
                continue
            road = LongRoad(vendor, settings_of(case.asked()), head, TARGETS[target])
            for path in texts(record):
                looked_at += 1
                if not is_told(road, said(record, path)):
                    lost.add(".".join(str(key) for key in path if isinstance(key, str)))
    assert lost - TRANSPORT[vendor] - KINDS.get(vendor, set()) == set()
    assert looked_at > 100
