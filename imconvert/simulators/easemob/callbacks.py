"""The post-delivery callback (easemob.md §5)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5
from typing import Any

import orjson

from imconvert.simulators.core.desk import Desk
from imconvert.simulators.core.vendor import Ban, Post, Posting

MOST = 1000
POSTING = Posting(
    tries=2,
    timeout=10.0,
    delivered=lambda status, body: status == 200 and len(body) <= MOST,
    ban=Ban(failures=90, span=30.0, length=300.0),
)
"""§5.3: one more try at once, then dropped; 90 failures in 30 s ban the address for 5 minutes at first."""

_CONTENT = {"txt": "text", "img": "image", "audio": "voice", "video": "video", "loc": "location", "file": "file",
            "cmd": "command", "custom": "custom"}  # fmt: skip


def post(desk: Desk, event: str, facts: Mapping[str, Any]) -> Post | None:
    """The post for a message. It is signed by md5 of call id, secret and time; the content is not signed."""
    group = facts["chat"] == "groupchat"
    app = f"{desk.text('org')}#{desk.text('app')}"
    call_id, now = f"{app}_{facts['id']}", facts["now"]
    body = {
        "callId": call_id, "eventType": "chat", "chat_type": facts["chat"], "timestamp": now,
        "from": facts["from"], "to": facts["to"], **({"group_id": facts["to"]} if group else {}),
        "content_type": f"chat:{'group' if group else 'user'}:{_CONTENT.get(facts['type'], 'unknown')}",
        "msg_id": str(facts["id"]), "appkey": app, "host": "simulator", "securityVersion": "1.0.0",
        "payload": {"bodies": [{"type": facts["type"], **facts["body"]}], "ext": facts["ext"], "from": facts["from"],
                    "to": facts["to"], "type": facts["chat"]},
        "security": sign(call_id, desk.text("callback_secret"), now),
    }  # fmt: skip
    return Post({}, {"Content-Type": "application/json"}, orjson.dumps(body))


def sign(call_id: str, secret: str, timestamp: int) -> str:
    return md5(f"{call_id}{secret}{timestamp}".encode(), usedforsecurity=False).hexdigest()
