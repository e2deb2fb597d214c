"""The vendor's own import of text files, which no API does: take lines as its people would (yunxin.md §1).

A line that cannot be imported is told apart. Of two lines with the same msgid, sender, receiver or team, and time the
later one overwrites the other (§1.7). Imported messages are found by history queries; notices come back as type 5, and
whether the number is kept is UNCONFIRMED (§5.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.errors import Rejected
from imconvert.simulators.core.calls import Call
from imconvert.simulators.yunxin.records import Key, judge
from imconvert.simulators.yunxin.server.notices import FIRST, INSERT, NOTICE, conversation_of

TABLES = """
CREATE TABLE imports (
    team INTEGER, sender TEXT, target TEXT, time INTEGER, msgid INTEGER, number INTEGER NOT NULL,
    PRIMARY KEY (team, sender, target, time, msgid)
) WITHOUT ROWID;
"""

_NOTICES = {101: 0, 102: 1, 103: 10, 104: 10, 105: 7, 106: 8, 107: 3, 108: 6, 109: 2, 110: 4}
"""What a notice is called in history (§3.3)."""


def take(call: Call, line: bytes) -> Mapping[str, Any]:
    """Import a line and say what became of it: new, overwritten, or why it cannot be imported."""
    try:
        key = judge(line, call.now).key
    except Rejected as why:
        return {"outcome": "bad", "why": str(why.values.get("why", why.code))}
    record = orjson.loads(line)
    kind, data = record["type"], record["data"]
    before = _before(call, key)
    number = before or call.desk.store.next("message")
    kept = call.desk.chosen("imported_ids", "kept")
    msgid = key.msgid if kept else call.desk.store.next("msgid", FIRST)
    sender, body = _content(kind, data, key)
    row = (
        msgid, *conversation_of(key.sender, key.target, team=key.chat == "team"), sender, key.target,
        NOTICE if kind in _NOTICES else kind, orjson.dumps(body).decode(), data.get("ext"), key.time,
        int(data.get("clientType", 32)), f"imported-{number}", "import", number,
    )  # fmt: skip
    call.desk.store.run(INSERT.replace("INSERT", "INSERT OR REPLACE"), row)
    call.desk.store.run("INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?, ?)", (*_four(key), number))
    return {"outcome": "overwritten" if before else "new", "msgid": msgid}


def _four(key: Key) -> tuple[int, str, str, int, int]:
    return int(key.chat == "team"), key.sender, key.target, key.time, key.msgid


def _before(call: Call, key: Key) -> int:
    """The number of a message with the same four, which is overwritten; 0 if there is none."""
    query = "SELECT number FROM imports WHERE team = ? AND sender = ? AND target = ? AND time = ? AND msgid = ?"
    return call.desk.store.number(query, *_four(key))


def _content(kind: int, data: Mapping[str, Any], key: Key) -> tuple[str, Any]:
    """Sender and body as history queries tell them (§5.1, §6); at a notice of 101 it is the other one who acts."""
    if kind == 0:
        return key.sender, {"msg": data["body"]}
    if kind in _NOTICES:
        return _notice(kind, data, key)
    attach = orjson.loads(data["attach"]) if kind != 100 else data["attach"]
    if kind == 4:
        attach |= {name: float(attach[name]) for name in ("lng", "lat")}
    return key.sender, attach


def _notice(kind: int, data: Mapping[str, Any], key: Key) -> tuple[str, dict[str, Any]]:
    other = str(data.get("accid2", "")).lower()
    sender, target = (other, key.sender) if kind == 101 else (key.sender, other)
    facts: dict[str, Any] = {"ids": [target]} if target else {}
    facts |= {"mute": str(int(kind == 103))} if kind in (103, 104) else {}
    facts |= {"tinfo": {name: str(value) for name, value in data["tinfo"].items()}} if "tinfo" in data else {}
    return sender, {"id": _NOTICES[kind], "data": facts}
