"""Ask Tencent whether a group, or messages of a group, are there (tencent.md §5.4, §5.9, §5.10)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from imconvert.vendors.calls import App, Call, Found, Query, Reply, answer_of, body_of

GROUP_INFO = "group_open_http_svc/get_group_info"
GROUP_MESSAGES = "group_open_http_svc/group_msg_get_simple"
_PAGE = 20


def _ask_messages(app: App, call: Call, more: Any, now: float) -> Call | None:
    """The newest messages of the group, then those before."""
    body = {"GroupId": body_of(call).get("GroupId"), "ReqMsgNumber": _PAGE}
    if more is not None:
        body["ReqMsgSeq"] = more
    return Call(GROUP_MESSAGES, Raw(msgspec.json.encode(body)))


def _read_messages(app: App, call: Call, reply: Reply, now: float) -> Found:
    """Messages are told by sender, second and Random. Pages go back until they are older than the call."""
    found = answer_of(reply) or {}
    rows = found.get("RspMsgList")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return Found(sure=False)
    wanted = body_of(call).get("MsgList", [])
    seen = {(row.get("From_Account"), row.get("MsgTimeStamp"), row.get("MsgRandom")) for row in rows}
    keys = [(one.get("From_Account"), one.get("SendTime"), one.get("Random")) for one in wanted]
    there = frozenset(item for item, key in enumerate(keys) if key in seen)
    first = min((one.get("SendTime", 0) for one in wanted), default=0)
    holes = [row for row in rows if row.get("IsPlaceMsg") == 1 and _at(row) >= first]
    if holes and len(there) < len(wanted):
        return Found(there, sure=False)
    if not rows or any(_at(row) < first for row in rows) or len(there) == len(wanted):
        return Found(there)
    lowest = min(int(row.get("MsgSeq", 0)) for row in rows)
    return Found(there, more=lowest - 1 if lowest > 1 else None)


def _at(row: dict[str, Any]) -> int:
    at = row.get("MsgTimeStamp", 0)
    return at if isinstance(at, int) else 0


def _ask_group(app: App, call: Call, more: Any, now: float) -> Call | None:
    """The group itself; without an id of our own there is no way to ask."""
    name = body_of(call).get("GroupId")
    if not name:
        return None
    body = {"GroupIdList": [name], "ResponseFilter": {"GroupBaseInfoFilter": ["Type", "Name", "Owner_Account"]}}
    return Call(GROUP_INFO, Raw(msgspec.json.encode(body)))


def _read_group(app: App, call: Call, reply: Reply, now: float) -> Found:
    """It is ours if type, name and owner are (§5.2); the outer code says nothing (§5.10)."""
    rows = (answer_of(reply) or {}).get("GroupInfo")
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        return Found(sure=False)
    row, body = rows[0], body_of(call)
    if row.get("ErrorCode"):
        return Found() if row["ErrorCode"] in (10010, 10015) else Found(sure=False)
    ours = all(row.get(name, "") == body.get(name, "") for name in ("Type", "Name", "Owner_Account"))
    return Found(frozenset({0}), given=str(body.get("GroupId", ""))) if ours else Found(sure=False)


MESSAGES = Query(_ask_messages, _read_messages)
GROUP = Query(_ask_group, _read_group)
