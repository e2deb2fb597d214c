"""Messages as they are kept, and the notices that operations on teams leave (yunxin.md §3.3, §4.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.yunxin.server.answers import fold

TABLES = """
CREATE TABLE messages (
    msgid INTEGER NOT NULL, team INTEGER NOT NULL, one TEXT NOT NULL, other TEXT NOT NULL, sender TEXT NOT NULL,
    target TEXT NOT NULL, type INTEGER NOT NULL, body TEXT NOT NULL, ext TEXT, time INTEGER NOT NULL,
    client INTEGER NOT NULL, client_id TEXT NOT NULL, source TEXT NOT NULL, number INTEGER PRIMARY KEY
);
CREATE INDEX conversations ON messages (team, one, other, time);
"""

NOTICE = 5
REST = 32
FIRST = 1_200_510_468_189
INSERT = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def conversation_of(sender: str, target: str, *, team: bool) -> tuple[int, str, str]:
    """Under which a message is found: the team, or the pair whoever sent."""
    one, other = sorted((sender, target))
    return (1, target, "") if team else (0, one, other)


def keep(call: Call, ends: tuple[str, str], content: Mapping[str, Any], *, team: bool) -> int:
    """Keep a message of now and give its number. `content` has type, body, ext, client, client_id, source."""
    sender, target = fold(ends[0]), ends[1] if team else fold(ends[1])
    number = call.desk.store.next("msgid", FIRST)
    row = (
        number, *conversation_of(sender, target, team=team), sender, target, content["type"],
        orjson.dumps(content["body"]).decode(), content.get("ext"), call.now, content.get("client", REST),
        content.get("client_id") or f"simulated-{number}", content["source"], call.desk.store.next("message"),
    )  # fmt: skip
    call.desk.store.run(INSERT, row)
    facts = {**content, "msgid": number, "from": sender, "to": target, "team": team, "now": call.now,
             "client_id": row[11]}  # fmt: skip
    if content.get("route", True):
        call.desk.tell("message", facts)
    return number


def notice(call: Call, tid: int, sender: str, kind: int, data: Mapping[str, Any]) -> None:
    """Operations on teams generate notices that are dated now (§4.4); `kind` is the id of §3.3."""
    body = {"id": kind, "data": dict(data)}
    keep(call, (sender, str(tid)), {"type": NOTICE, "body": body, "source": "notice"}, team=True)
