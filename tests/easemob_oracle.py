"""What Easemob's import requests for plain Yunxin lines must be, said as plainly as can be.

Written from easemob.md §4.3, §4.4 and docs/formats.md alone; shares no code with the converter. A text that is too long
is told as one request whose `msg` is the whole text: where it is cut is the converter's own affair.
"""

from __future__ import annotations

import json
from typing import Any

TYPES = {1: "img", 2: "audio", 3: "video", 6: "file"}
NOTICES = {101: "join", 102: "kick", 103: "mute", 104: "unmute", 105: "appoint", 106: "dismiss-manager", 107: "info",
           108: "transfer", 109: "leave", 110: "disband"}  # fmt: skip


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def requests(lines: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The bodies of the requests by path and conversation, in order, each with a time of its own."""
    found: dict[tuple[str, str], list[tuple[int, int, dict[str, Any]]]] = {}
    for place, line in enumerate(lines):
        api, conv, body = request(line)
        found.setdefault((api, conv), []).append((line["data"]["createTime"], place, body))
    return {name: timed([body for _, _, body in sorted(mine, key=lambda one: one[:2])]) for name, mine in found.items()}


def timed(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last = 0
    for body in bodies:
        if body["msg_timestamp"] <= last:
            body["ext"]["imconvert"]["time"] = body["msg_timestamp"]
            body["msg_timestamp"] = last + 1
        last = body["msg_timestamp"]
    return bodies


def request(line: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    data = line["data"]
    team = "tid" in data
    sender, target = (data["accid"], str(data["tid"])) if team else (data["from"], data["to"])
    if line["type"] == 101:
        sender = data["accid2"]
    kind, body, kept = content(line["type"], data)
    ext = extension(data.get("ext"))
    ext["imconvert"] = {"id": str(data["msgid"]), "client": data["clientType"], **kept}
    conv = target if team else "·".join(sorted([sender, target]))
    api = "messages/chatgroups/import" if team else "messages/users/import"
    return api, conv, {
        "from": sender, "target": target, "type": kind, "body": body, "ext": ext, "msg_timestamp": data["createTime"],
    }  # fmt: skip


def extension(ext: str | None) -> dict[str, Any]:
    if not ext:
        return {}
    try:
        value = json.loads(ext)
    except ValueError:
        return {"ext": ext}
    return value if isinstance(value, dict) else {"ext": ext}


def content(number: int, data: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    if number == 0:
        return "txt", {"msg": data["body"]}, {}
    if number == 4:
        place = json.loads(data["attach"])
        return (
            "loc",
            {"lat": place["lat"], "lng": place["lng"], "addr": place["title"] or f"{place['lat']},{place['lng']}"},
            {},
        )
    if number in TYPES:
        return media(TYPES[number], json.loads(data["attach"]))
    if number == 100:
        return custom(data["attach"])
    exts = {"notice": NOTICES[number]}
    other = data.get("accid") if number == 101 else data.get("accid2")
    if other is not None:
        exts["who"] = other
    if number == 107:
        exts["info"] = compact({key: value for key, value in data["tinfo"].items() if key != "tid"})
    return "custom", {"customEvent": "notice", "customExts": exts}, {}


def media(kind: str, attach: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    name = attach.get("name") or attach["url"].split("/")[-1] or {"img": "image"}.get(kind, kind)
    if not name.lower().endswith("." + attach["ext"].lower()):
        name = f"{name}.{attach['ext']}"
    body: dict[str, Any] = {"url": attach["url"], "filename": name}
    kept = {key: attach[key] for key in ("md5", "size", "dur", "w", "h") if key in attach}
    if kind in ("audio", "video") and "dur" in attach:
        whole, rest = divmod(attach["dur"], 1000)
        body["length"] = whole + bool(rest)
        if not rest:
            del kept["dur"]
    if kind == "img" and "w" in attach and "h" in attach:
        body["size"] = {"width": kept.pop("w"), "height": kept.pop("h")}
    if kind == "video" and "size" in attach:
        body["file_length"] = kept.pop("size")
    return kind, body, kept


def custom(attach: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    if list(attach) == ["v", "kind", "src", "raw"] and attach["v"] == 1:
        return "custom", {"customEvent": attach["kind"]}, {"src": attach["src"], "raw": compact(attach["raw"])}
    if len(attach) > 16:
        return "custom", {"customEvent": "custom"}, {"raw": compact(attach)}
    exts = {key: value if isinstance(value, str) else compact(value) for key, value in attach.items()}
    return "custom", {"customEvent": "custom", "customExts": exts}, {}
