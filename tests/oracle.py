"""What a converter must make of an export, said as plainly as can be: plain json, dicts and sets.

Written from the vendors' documents alone; shares no code with the converter, so that the two can check each other.
It knows what scripts/make_export.py can make, and no more: it is no second converter. Everything is in memory.

A record of the answer is the target line as a dict, its `attach` and `ext` opened, and "stream" beside it; the
number of a body beyond the first is None, for how it is derived is the converter's own affair.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

FIRST, LAST = 946_684_800_000, 1_900_000_000_000
GREATEST = 2**63 - 1
YUNXIN_ORDER = ("msgid", "from", "to", "accid", "tid", "createTime")
NOTICES_WITH_OTHER = (101, 102, 103, 104, 105, 106, 108)
MEDIA_TYPES = {"img": 1, "audio": 2, "voice": 2, "video": 3, "file": 6}


class Refused(Exception):
    """The record cannot be taken over."""


class LeftOut(Exception):
    """The record is no message."""


@dataclass
class Answer:
    """Canonical records that stay, as sorted JSON; and how many went elsewhere. Duplicates and conflicts are lines."""

    kept: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    conflicts: int = 0
    duplicate_records: int = 0
    conflict_records: int = 0
    rejected: int = 0
    skipped: int = 0
    read: int = 0


def answer(vendor: str, raws: list[bytes]) -> Answer:
    """What becomes of the raw records of one export, in their order."""
    found = Answer()
    seen: dict[str, str] = {}
    for raw in raws:
        found.read += 1
        try:
            lines = list(READERS[vendor](parsed(raw)))
        except Refused:
            found.rejected += 1
        except LeftOut:
            found.skipped += 1
        else:
            for place, (key, line) in enumerate(lines):
                settle(found, seen, json.dumps(key), canonical(line), first=place == 0)
    return found


def settle(found: Answer, seen: dict[str, str], key: str, line: str, *, first: bool) -> None:
    if key not in seen:
        seen[key] = line
        found.kept[line] += 1
    elif seen[key] == line:
        found.duplicates += 1
        found.duplicate_records += first
    else:
        found.conflicts += 1
        found.conflict_records += first


def canonical(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, sort_keys=True)


def opened(text: Any) -> Any:
    """The JSON in a string; a string that holds none stays."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return text


def as_answered(stream: str, line: bytes) -> str:
    """A line that the converter wrote, in the form of `Answer.kept`."""
    record = json.loads(line)
    data = record["data"]
    for key in ("attach", "ext"):
        if key in data:
            data[key] = opened(data[key])
    note = data.get("ext") if isinstance(data.get("ext"), dict) else {}
    if not note.get("imconvert", {}).get("part", "1/").startswith("1/"):
        data["msgid"] = None
    return canonical({"stream": stream, **record})


def parsed(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Refused from None
    text = text.strip(" \t\r\n\ufeff").removeprefix("json")
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        raise Refused from None
    if not isinstance(value, dict):
        raise Refused
    return value


def number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise Refused from None


def moment(value: Any) -> int:
    found = number(value)
    if found < 10**10:
        found *= 1000
    elif found >= 10**15:
        found //= 1000
    if not FIRST <= found <= LAST:
        raise Refused
    return found


Lines = Iterator[tuple[Any, dict[str, Any]]]


def yunxin(record: dict[str, Any]) -> Lines:
    kind, data = number(record.get("type")), record.get("data")
    if not isinstance(data, dict):
        raise Refused
    made: dict[str, Any] = {"msgid": number(data.get("msgid"))}
    if not 1 <= made["msgid"] <= GREATEST:
        raise Refused
    made["createTime"] = moment(data.get("createTime"))
    made["clientType"] = number(data.get("clientType"))
    team = "tid" in data
    sender, target = ("accid", "tid") if team else ("from", "to")
    if not data.get(sender) or not data.get(target) or team == ("to" in data):
        raise Refused
    made[sender] = data[sender].lower()
    made[target] = number(data["tid"]) if team else data["to"].lower()
    made |= yunxin_content(kind, data)
    if data.get("ext") and kind <= 100:
        made["ext"] = opened(data["ext"])
    key = made["msgid"], made[sender], made[target], made["createTime"]
    yield key, {"stream": "team" if team else "p2p", "type": kind, "data": made}


def yunxin_content(kind: int, data: dict[str, Any]) -> dict[str, Any]:
    if kind == 0:
        return {"body": data["body"]}
    if kind in (1, 2, 3, 4, 6, 100):
        attach = opened(data["attach"])
        if kind in (1, 2, 3, 6) and "ext" in attach:
            attach["ext"] = attach["ext"].strip()
        if kind == 6:
            attach.setdefault("name", attach["url"].rsplit("/", 1)[-1])
        return {"attach": attach}
    if kind in NOTICES_WITH_OTHER:
        return {"accid2": data["accid2"].lower()}
    if kind == 107:
        flags = {key: int(value) for key, value in data["tinfo"].items() if key in ("16", "17", "21", "22", "23", "24")}
        return {"tinfo": data["tinfo"] | flags | {"tid": int(data["tid"])}}
    if kind in (109, 110):
        return {}
    raise Refused


def easemob(record: dict[str, Any]) -> Lines:
    payload = record.get("payload")
    if not isinstance(payload, dict):
        raise Refused
    chat = record.get("chat_type", "chat")
    if chat == "chatroom" or payload.get("ack_message_id") or payload.get("edit_message_id"):
        raise LeftOut
    sender, target = (payload.get(end) or record.get(end) for end in ("from", "to"))
    if not record.get("msg_id") or not sender or not target:
        raise Refused
    source, time = str(record["msg_id"]), moment(record.get("timestamp"))
    team = chat == "groupchat"
    ends = {"accid": sender.lower(), "tid": int(target)} if team else {"from": sender.lower(), "to": target.lower()}
    bodies = payload.get("bodies") or []
    for place, body in enumerate(bodies):
        ext = opened(payload.get("ext")) if place == 0 else None
        if len(bodies) > 1:
            ext = (ext or {}) | {"imconvert": {"part": f"{place + 1}/{len(bodies)}", "of": source}}
        made: dict[str, Any] = {"msgid": None if place else int(source), "createTime": time, "clientType": 32, **ends}
        kind, content = easemob_content(body)
        made |= content | ({"ext": ext} if ext else {})
        key = source, place, *ends.values(), time
        yield key, {"stream": "team" if team else "p2p", "type": kind, "data": made}


def easemob_content(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    kind = body.get("type")
    if body.get("subType") == "sub_combine":
        return 100, {"attach": wrapped("combined", body)}
    if kind == "txt":
        return 0, {"body": body["msg"]}
    if kind == "loc":
        return 4, {"attach": {"title": body["addr"], "lng": str(body["lng"]), "lat": str(body["lat"])}}
    if kind in MEDIA_TYPES:
        return MEDIA_TYPES[kind], {"attach": easemob_media(body)}
    return 100, {"attach": wrapped({"cmd": "command", "custom": "custom"}.get(kind, "unknown"), body)}


def wrapped(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"v": 1, "kind": kind, "src": "easemob", "raw": body}


def easemob_media(body: dict[str, Any]) -> dict[str, Any]:
    """Bytes and pixels stay, seconds become milliseconds; what Yunxin has no word for stays beside."""
    made = {"url": body["url"], "name": body["filename"], "size": body["file_length"]}
    if "length" in body:
        made["dur"] = body["length"] * 1000
    if "size" in body:
        made |= {"w": body["size"]["width"], "h": body["size"]["height"]}
    stem, dot, suffix = body["filename"].rpartition(".")
    if dot:
        made["ext"] = suffix
    known = ("type", "url", "filename", "file_length", "length", "size")
    return made | {key: value for key, value in body.items() if key not in known}


READERS = {"yunxin": yunxin, "easemob": easemob}


def raw_lines(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n")


def raw_entities(data: bytes) -> list[bytes]:
    """The elements of `entities` of documents that follow each other."""
    found: list[bytes] = []
    text, place = data.decode(), 0
    while text[place:].strip():
        document, place = json.JSONDecoder().raw_decode(text, place + len(text[place:]) - len(text[place:].lstrip()))
        found += [json.dumps(entity).encode() for entity in document["entities"]]
    return found
