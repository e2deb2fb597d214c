"""The callbacks that Tencent posts (tencent.md §8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import orjson

from imconvert.simulators.core.desk import Desk
from imconvert.simulators.core.vendor import Post, Posting

POSTING = Posting(tries=1, timeout=2.0, delivered=lambda status, body: status == 200 and _is_json(body))
"""2 s, no second try by default; an answer that is no JSON counts as failed."""

Facts = Mapping[str, Any]


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except ValueError:
        return False
    return True


def post(desk: Desk, event: str, facts: Facts) -> Post | None:
    """The post for an event. `Sign` is the sha256 of token and RequestTime, if a token is set."""
    body = {"CallbackCommand": event, **_BODIES[event](facts, desk), "EventTime": facts["now"]}
    query = {
        "SdkAppid": str(desk.number("sdkappid")), "CallbackCommand": event, "contenttype": "json",
        "ClientIP": "127.0.0.1", "OptPlatform": str(facts.get("platform", "RESTAPI")),
    }  # fmt: skip
    token = desk.text("callback_token")
    if token:
        now = str(int(desk.clock.now()))
        query |= {"Sign": sign(token, now), "RequestTime": now}
    return Post(query, {"Content-Type": "application/json"}, orjson.dumps(body))


def sign(token: str, time: str) -> str:
    return sha256(f"{token}{time}".encode()).hexdigest()


def _c2c(facts: Facts, desk: Desk) -> dict[str, Any]:
    body = facts["body"]
    return {
        "From_Account": body["From_Account"], "To_Account": body["To_Account"],
        "MsgSeq": int(facts["key"].split("_")[0]), "MsgRandom": body["MsgRandom"], "MsgTime": facts["time"],
        "MsgKey": facts["key"], "MsgId": f"144115{facts['key']}", "OnlineOnlyFlag": facts["online"],
        "SendMsgResult": 0, "ErrorInfo": "send msg succeed", "MsgBody": body["MsgBody"],
        **({"CloudCustomData": body["CloudCustomData"]} if "CloudCustomData" in body else {}),
    }  # fmt: skip


def _group(facts: Facts, desk: Desk) -> dict[str, Any]:
    body = facts["body"]
    return {
        "GroupId": body["GroupId"], "Type": facts["type"], "From_Account": body["From_Account"],
        "Operator_Account": body["From_Account"], "Random": body["Random"], "MsgSeq": facts["seq"],
        "MsgId": f"144115{body['GroupId']}{facts['seq']}", "MsgTime": facts["time"],
        "OnlineOnlyFlag": body.get("OnlineOnlyFlag", 0), "MsgBody": body["MsgBody"],
        **{name: body[name] for name in ("CloudCustomData", "GroupAtInfo") if name in body},
    }  # fmt: skip


def _read(facts: Facts, desk: Desk) -> dict[str, Any]:
    return {"Report_Account": facts["owner"], "Peer_Account": facts["peer"], "LastReadTime": facts["until"],
            "UnreadMsgNum": facts["unread"]}  # fmt: skip


def _changed(facts: Facts, desk: Desk) -> dict[str, Any]:
    return {"GroupId": facts["group"], "Type": facts["type"], "Operator_Account": desk.text("identifier"),
            **facts["changes"]}  # fmt: skip


def _joined(facts: Facts, desk: Desk) -> dict[str, Any]:
    return {
        "GroupId": facts["group"], "Type": facts["type"], "JoinType": "Invited",
        "Operator_Account": desk.text("identifier"),
        "NewMemberList": [{"Member_Account": user} for user in facts["members"]],
    }  # fmt: skip


def _left(facts: Facts, desk: Desk) -> dict[str, Any]:
    return {
        "GroupId": facts["group"], "Type": facts["type"], "ExitType": "Kicked",
        "Operator_Account": desk.text("identifier"),
        "ExitMemberList": [{"Member_Account": user} for user in facts["members"]],
    }  # fmt: skip


_BODIES: dict[str, Callable[[Facts, Desk], dict[str, Any]]] = {
    "C2C.CallbackAfterSendMsg": _c2c, "Group.CallbackAfterSendMsg": _group, "C2C.CallbackAfterMsgReport": _read,
    "Group.CallbackAfterGroupInfoChanged": _changed, "Group.CallbackAfterNewMemberJoin": _joined,
    "Group.CallbackAfterMemberExit": _left,
}  # fmt: skip
