"""History files: a gzip for each hour of what was sent, laid out in lines (tencent.md §7)."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

import orjson

from imconvert.simulators.core.calls import Answer, Call, Refused
from imconvert.simulators.core.checks import Rule, one_of, text
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.core.hours import DAY, HOUR, start_of
from imconvert.simulators.tencent.answers import body_of, fail, failed

BEIJING = 8
KEPT = 7 * DAY
LINK = 3600
_IMPORTS = "('importmsg', 'import_group_msg')"
_C2C = (
    f"SELECT sender, receiver, time, seq, random, body FROM c2c WHERE time >= ? AND time < ? AND api NOT IN {_IMPORTS}"
)
_GROUP = f"""
    SELECT sender, team, time, seq, body FROM group_messages WHERE time >= ? AND time < ? AND api NOT IN {_IMPORTS}
"""


def get_history(call: Call) -> Mapping[str, Any]:
    """§7.1: 1004 is both "not generated yet" and "no messages"; 1005 is expired; hours are Beijing's."""
    body = body_of(call, {"ChatType": Rule(one_of(("C2C", "Group")), 1002), "MsgTime": Rule(text(10, 10), 1002)})
    try:
        start = start_of(body["MsgTime"], BEIJING)
    except ValueError:
        fail(1002, "MsgTime is no hour")
    if call.now >= start + KEPT:
        fail(1005, "the file has expired")
    content = _content(call.desk, body["ChatType"], body["MsgTime"])
    if call.now < start + 2 * HOUR or content is None:
        fail(1004, "the file is not there")
    packed = gzip.compress(content, mtime=0)
    until = datetime.fromtimestamp(call.now / 1000 + LINK, UTC) + timedelta(hours=BEIJING)
    link = f"http://{call.headers.get('host', '')}/history/{body['ChatType']}/{body['MsgTime']}.gz"
    file = {"URL": link, "ExpireTime": f"{until:%Y-%m-%d %H:%M:%S}", "FileSize": len(content),
            "FileMD5": _md5(content), "GzipSize": len(packed), "GzipMD5": _md5(packed)}  # fmt: skip
    return {"File": [file], "ChatType": body["ChatType"], "MsgTime": body["MsgTime"]}


def _md5(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()


def download(call: Call) -> Answer:
    """The file itself."""
    try:
        content = _content(call.desk, call.parts["chat"], call.parts["file"].removesuffix(".gz"))
    except ValueError:
        content = None
    if content is None:
        raise Refused(failed(1004, "the file is not there")._replace(status=404))
    return Answer(200, gzip.compress(content, mtime=0), "200", "application/gzip")


def _content(desk: Desk, chat: str, hour: str) -> bytes | None:
    """§7.2: a header line, a message a line, a closing line; None where there are none."""
    start = start_of(hour, BEIJING) // 1000
    rows = desk.store.all(f"{_C2C if chat == 'C2C' else _GROUP} ORDER BY number", start, start + 3600)
    if not rows:
        return None
    head = {"SdkAppId": desk.number("sdkappid"), "ChatType": chat, "MsgTime": hour}
    lines = b",\n".join(orjson.dumps(_c2c(row) if chat == "C2C" else _group(row)) for row in rows)
    return orjson.dumps(head)[:-1] + b',"MsgList":[\n' + lines + b"\n]}\n"


def _c2c(row: Any) -> dict[str, Any]:
    sender, receiver, time, seq, random, body = row
    return {"From_Account": sender, "To_Account": receiver, "MsgTimestamp": time, "MsgSeq": seq, "MsgRandom": random,
            "MsgBody": orjson.loads(body)}  # fmt: skip


def _group(row: Any) -> dict[str, Any]:
    """Without MsgRandom, as in the documented sample."""
    sender, team, time, seq, body = row
    return {"From_Account": sender, "GroupId": team, "MsgTimestamp": time, "MsgSeq": seq, "MsgBody": orjson.loads(body)}
