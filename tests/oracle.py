"""What a converter must make of an export, said as plainly as can be: plain json, dicts and sets.

Written from the vendors' documents alone; shares no code with the converter, so that the two can check each other.
It knows what scripts/make_export.py can make, and no more: it is no second converter. Everything is in memory.

A record of the answer is the target line as a dict, its `attach` and `ext` opened, and "stream" beside it; the
number of a body beyond the first is None, for how it is derived is the converter's own affair.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from xxhash import xxh3_64_intdigest

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
    if re.match(r"\??\w+=", text):
        return from_form(text)
    text = re.sub(r"^(INFO )?(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ?)?(?=\{)", "", text)
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


RONGCLOUD_CLIENTS = {"iOS": 2, "Android": 1, "PC": 4, "Websocket": 16, "MiniProgram": 16, "HarmonyOS": 65, "Server": 32}
BEIJING = 8 * 3_600_000


def rongcloud(record: dict[str, Any]) -> Lines:
    """A log line, a routing post, or an operation."""
    if "eventType" in record:
        raise LeftOut
    posted = "objectName" in record
    kind, source = record.get("objectName" if posted else "classname"), record.get("msgUID")
    sender, target = record.get("fromUserId"), record.get("toUserId" if posted else "targetId")
    if not kind or not source or not sender or not target:
        raise Refused
    time = moment(record.get("msgTimestamp" if posted else "timestamp"))
    if not posted and wall_clock(record["dateTime"]) != time + BEIJING:
        raise Refused
    chat = {"PERSON": 1, "GROUP": 3, "TEMPGROUP": 4}[record["channelType"]] if posted else number(record["targetType"])
    if chat == 4 or kind in ("RC:RcCmd", "RC:TypSts"):
        raise LeftOut
    team, content = chat == 3, opened(record["content"])
    ends = {"accid": sender.lower(), "tid": int(target)} if team else {"from": sender.lower(), "to": target.lower()}
    type_, more = rongcloud_content(kind, content)
    if kind == "RC:GrpNtf":
        ends |= {"accid": content["data"]["targetUserIds"][0].lower()}
    made = {
        "msgid": named(source),
        "createTime": time,
        "clientType": RONGCLOUD_CLIENTS[record["source"]],
        **ends,
        **more,
    }
    yield (source,), {"stream": "team" if team else "p2p", "type": type_, "data": made}


def named(source: str) -> int:
    """The number of a message, as docs/formats.md has it."""
    return xxh3_64_intdigest(b"rongcloud\0" + source.encode()) & GREATEST or 1


def wall_clock(text: str) -> int:
    return round(datetime.strptime(f"{text}+0000", "%Y-%m-%d %H:%M:%S.%f%z").timestamp() * 1000)


def rongcloud_content(kind: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    ext = {"ext": opened(content["extra"])} if content.get("extra") else {}
    if kind == "RC:TxtMsg":
        rest = {key: value for key, value in content.items() if key not in ("content", "extra")}
        return 0, {"body": content["content"]} | ext | ({"ext": {"imconvert": rest}} if rest else {})
    if kind == "RC:GrpNtf":
        return 101, {"accid2": content["operatorUserId"].lower()}
    if kind == "RC:LBSMsg":
        place = {"title": content["poi"], "lng": str(content["longitude"]), "lat": str(content["latitude"])}
        return 4, {"attach": place}
    if kind in RONGCLOUD_MEDIA:
        return rongcloud_media(kind, content)
    word = {"RC:ReferenceMsg": "reply", "RC:InfoNtf": "tip", "RC:CombineMsg": "combined"}.get(kind, "custom")
    raw = {"objectName": kind, "content": content}
    return 100, {"attach": {"v": 1, "kind": word, "src": "rongcloud", "raw": raw}}


RONGCLOUD_MEDIA = {
    "RC:ImgMsg": (1, "imageUri"), "RC:GIFMsg": (1, "remoteUrl"), "RC:VcMsg": (2, ""), "RC:HQVCMsg": (2, "remoteUrl"),
    "RC:SightMsg": (3, "sightUrl"), "RC:FileMsg": (6, "fileUrl"),
}  # fmt: skip


def rongcloud_media(kind: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    type_, key = RONGCLOUD_MEDIA[kind]
    if kind == "RC:VcMsg":
        sound = base64.b64decode(content["content"])
        sha = hashlib.sha256(sound).hexdigest()
        made: dict[str, Any] = {"url": f"media/{sha[:2]}/{sha}.amr", "size": len(sound), "ext": "amr"}
        made["md5"] = hashlib.md5(sound).hexdigest()
    else:
        made = {"url": content[key], "ext": content[key].rpartition(".")[2]}
    for theirs, ours in (("name", "name"), ("size", "size"), ("gifDataSize", "size"), ("width", "w"), ("height", "h")):
        if theirs in content:
            made[ours] = content[theirs] if ours == "name" else int(content[theirs])
    if "duration" in content:
        made["dur"] = content["duration"] * 1000
    return type_, {"attach": made}


def from_form(text: str) -> dict[str, Any]:
    pairs = (pair.partition("=") for pair in text.removeprefix("?").split("&"))
    return {name: unquote_plus(value) for name, _, value in pairs if name != "signature"}


READERS = {"yunxin": yunxin, "easemob": easemob, "rongcloud": rongcloud}


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


def raw_zipped(data: bytes) -> list[bytes]:
    """The lines of the one file in a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as pack:
        (name,) = pack.namelist()
        return raw_lines(pack.read(name))
