"""History files: a gzip of lines for each hour of what was sent (easemob.md §2.1, §2.2)."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.calls import Answer, Call
from imconvert.simulators.core.checks import digits
from imconvert.simulators.core.hours import DAY, HOUR, start_of
from imconvert.simulators.easemob.answers import fail, illegal
from imconvert.simulators.easemob.messages import COLUMNS, history_line

LINK = 1800
"""Seconds for which a link holds."""

_SENT = "WHERE time >= ? AND time < ? AND api NOT LIKE '%/import'"
"""Whether imported messages appear is UNCONFIRMED (§4.11); here they do not."""


def hour_file(call: Call) -> Mapping[str, Any]:
    """GET /chatmessages/{time}: a link; the same 400 for an hour that is too old and for one that is not ready."""
    desk, hour = call.desk, call.parts["hour"]
    app = f"{desk.text('org')}#{desk.text('app')}"
    try:
        start = start_of(hour, desk.number("zone_hours"))
    except ValueError:
        illegal(call, f"illegal arguments: appkey {app}, time {hour}")
    ready = start + (1 + desk.number("history_after_hours")) * HOUR
    if not ready <= call.now < start + desk.number("history_days") * DAY:
        text = f"illegal arguments: appkey {app}, time {hour}, maybe chat message history is expired or unstored"
        illegal(call, text)
    if not desk.store.has(f"SELECT 1 FROM messages {_SENT} LIMIT 1", start, start + HOUR):
        fail(call, 404, "storage_object_not_found", "Failed to find chat message history download url")
    until = call.now // 1000 + LINK
    place = f"/history/14D/{desk.text('org')}/{desk.text('app')}/{hour}.gz"
    link = f"http://{call.headers.get('host', '')}{place}?Expires={until}&OSSAccessKeyId=simulated&Signature=simulated"
    return {"data": [{"url": link}]}


def download(call: Call) -> Answer:
    """The file itself, as long as its link holds."""
    if (digits(call.query.get("Expires")) or 0) * 1000 < call.now:
        fail(call, 403, "AccessDenied", "Request has expired.")
    try:
        start = start_of(call.parts["file"].removesuffix(".gz"), call.desk.number("zone_hours"))
    except ValueError:
        fail(call, 404, "NoSuchKey", "The specified key does not exist.")
    rows = call.desk.store.all(f"SELECT {COLUMNS} FROM messages {_SENT} ORDER BY id", start, start + HOUR)
    lines = b"".join(orjson.dumps(history_line(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    return Answer(200, gzip.compress(lines, mtime=0), "200", "application/gzip")
