"""Message copies (消息抄送): what was sent, posted to the customer (yunxin.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5
from typing import Any

import orjson

from imconvert.simulators.core.desk import Desk
from imconvert.simulators.core.vendor import Post, Posting
from imconvert.simulators.yunxin.server.answers import check_sum

POSTING = Posting(tries=3, timeout=5.0, delivered=lambda status, body: status in (200, 500))
"""§3.1: 200 and 500 count as delivered within 5 s; how often it is tried again is UNCONFIRMED."""

TYPES = {0: "TEXT", 1: "PICTURE", 2: "AUDIO", 3: "VIDEO", 4: "LOCATION", 5: "NOTIFICATION", 6: "FILE", 10: "TIPS",
         100: "CUSTOM"}  # fmt: skip
CLIENTS = {1: "AOS", 2: "IOS", 4: "PC", 8: "WINPHONE", 16: "WEB", 32: "REST", 64: "MAC", 65: "HARMONY"}


def post(desk: Desk, event: str, facts: Mapping[str, Any]) -> Post | None:
    """The copy of a message; every value is a text (§3.3)."""
    text = facts["type"] in (0, 10)
    body = {
        "eventType": "1", "convType": "TEAM" if facts["team"] else "PERSON", "to": facts["to"],
        "fromAccount": facts["from"], "fromClientType": CLIENTS[facts.get("client", 32)],
        "msgTimestamp": str(facts["now"]), "msgType": TYPES[facts["type"]], "msgidClient": facts["client_id"],
        "msgidServer": str(facts["msgid"]), "resendFlag": "0", "body": facts["body"].get("msg", "") if text else "",
        "attach": "" if text else orjson.dumps(facts["body"]).decode(), "ext": facts.get("ext") or "",
    }  # fmt: skip
    raw = orjson.dumps(body)
    return Post({}, headers_of(desk, raw, str(int(desk.clock.now() * 1000))), raw)


def headers_of(desk: Desk, body: bytes, now: str) -> dict[str, str]:
    """§3.1: CurTime in milliseconds, MD5 of the body, SHA1 over secret, MD5 and CurTime."""
    digest = md5(body, usedforsecurity=False).hexdigest()
    return {
        "Content-Type": "application/json", "AppKey": desk.text("app_key"), "CurTime": now, "MD5": digest,
        "CheckSum": check_sum(desk.text("app_secret"), digest, now),
    }  # fmt: skip
