"""Ask Easemob's roaming history whether a message is there (easemob.md §4.3, §4.11).

The import rises strictly in time in each conversation, so that sender and time name a message. The names of the
answer's fields, its order and whether old messages show are UNCONFIRMED: an answer that can't be read, or that shows
nothing as old as what is looked for, says nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from imconvert.vendors.calls import App, Call, Found, Query, Reply, answer_of, body_of

ROAMING_PAIR, ROAMING_GROUP = "roaming/chat", "roaming/group"
_PAGE = 20
_DAY = 86_400_000


def _ask(name: str, target: str) -> Any:
    def ask(app: App, call: Call, more: Any, now: float) -> Call | None:
        """The messages up to this one, the newest first."""
        body = body_of(call)
        if app.values["query"] != "roaming" or not isinstance(body.get("msg_timestamp"), int):
            return None
        wanted = {"username": body.get("from"), target: body.get("target"), "limit": _PAGE, "order": "down",
                  "endTimestamp": body["msg_timestamp"] + 1}  # fmt: skip
        if more:
            wanted["cursor"] = more
        path = f"/api/server/v6/{app.values['org']}/{app.values['app']}/{name}"
        return Call(name, Raw(msgspec.json.encode(wanted)), path=path)

    return ask


def _read(app: App, call: Call, reply: Reply, now: float) -> Found:
    """There if a message has sender and time; not there if the answer shows what is older, or would show it."""
    rows, cursor = _page(reply)
    if rows is None:
        return Found(sure=False)
    body = body_of(call)
    time = body["msg_timestamp"]
    seen = [(_sender(row), row.get("timestamp")) for row in rows]
    if (str(body.get("from", "")).lower(), time) in seen:
        return Found(frozenset({0}))
    times = [at for _, at in seen if isinstance(at, int)]
    if times != sorted(times, reverse=True) and cursor:
        return Found(more=cursor)
    if any(at < time for at in times):
        return Found()
    if cursor:
        return Found(more=cursor)
    return Found(sure=time > now * 1000 - float(app.values["retention_days"]) * _DAY)


def _page(reply: Reply) -> tuple[list[dict[str, Any]] | None, str]:
    """The messages of an answer and the cursor of the next; None if it can't be read."""
    data = (answer_of(reply) or {}).get("data")
    rows = data.get("messages", data.get("msgs")) if isinstance(data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None, ""
    pages = data.get("pagination") if isinstance(data, dict) else None
    return rows, str(pages.get("cursor") or "") if isinstance(pages, dict) else ""


def _sender(row: dict[str, Any]) -> str:
    payload = row.get("payload")
    inner = payload.get("from") if isinstance(payload, dict) else None
    return str(inner or row.get("from", "")).lower()


PAIR = Query(_ask(ROAMING_PAIR, "to"), _read)
GROUP = Query(_ask(ROAMING_GROUP, "groupId"), _read)
