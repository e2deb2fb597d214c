"""RongCloud: hourly logs, each a zip with one file of lines behind their time; and posts of the message routing."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from random import Random
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from exports.core import BEIJING, EXTRA, SEQUENCE, START, Change, Draw, Media, Plant, Shape, Stretch
from exports.damage import bad_byte_in, cut, damage, garbage, with_nul
from exports.packing import open_zip
from exports.stream import as_lines, numbered
from exports.texts import SURNAMES, WORDS
from exports.tools import backwards, dumps, loads, narrow, pick_media, split_at_mark, swap, uuid_head

TEXT = "RC:TxtMsg"
SHARES = {
    "RC:ImgMsg": 0.08, "RC:HQVCMsg": 0.05, "RC:VcMsg": 0.005, "RC:SightMsg": 0.015, "RC:FileMsg": 0.01,
    "RC:LBSMsg": 0.007, "RC:GIFMsg": 0.01, "RC:ReferenceMsg": 0.02, "RC:InfoNtf": 0.006, "RC:CombineMsg": 0.002,
    "app:order": 0.03,
}  # fmt: skip
TEAM_SHARES = SHARES | {"RC:GrpNtf": 0.01}
EXTS = (
    ("", 60), (',"extra":""', 20), (',"extra":"{\\"lv\\":12}"', 8),
    (',"user":{"id":"u1","name":"小王","portrait":"https://media.example.com/a/7.png"}', 8),
    (',"mentionedInfo":{"type":1,"userIdList":[],"mentionedContent":"有人@你"}', 4),
)  # fmt: skip
CLIENTS = (
    ("iOS", 40),
    ("Android", 40),
    ("PC", 6),
    ("Websocket", 6),
    ("MiniProgram", 4),
    ("HarmonyOS", 3),
    ("Server", 1),
)
CHANNELS = ("PERSON", "GROUP")
PEOPLE: tuple[Callable[[int, Random], str], ...] = (
    lambda n, rng: f"u{n:06d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"138{n:08d}",
)
VOICES, OTHERS = 257, 1021
NUMBERS = START - 1


def number_of(when: int, index: int) -> int:
    return ((when - NUMBERS) << 22) + (index & SEQUENCE)


assert EXTRA <= SEQUENCE + 1


def uid_of(number: int) -> str:
    """Four groups of capitals and digits."""
    text = f"{number:016X}"
    return f"{text[:4]}-{text[4:8]}-{text[8:12]}-{text[12:]}"


@lru_cache(maxsize=4096)
def second_of(second: int) -> str:
    return f"{datetime.fromtimestamp(second, BEIJING):%Y-%m-%d %H:%M:%S}"


def picture(rng: Random) -> str:
    return base64.b64encode(b"\xff\xd8\xff\xe0" + rng.randbytes(rng.randrange(900, 3000))).decode()


def url(rng: Random, suffix: str) -> str:
    return f"https://rongcloud-file.example/{uuid_head(rng)}@@{suffix}"


def refer(rng: Random) -> dict[str, Any]:
    quoted = {"content": rng.choice(WORDS)}
    return {"content": rng.choice(WORDS), "referMsgUserId": "u000001", "referMsg": quoted, "objName": TEXT,
            "referMsgUid": "5A2T-@@-454E-L6O2"}  # fmt: skip


def combine(rng: Random) -> dict[str, Any]:
    return {"remoteUrl": url(rng, ".html"), "conversationType": 1, "nameList": ["小王", "小李"],
            "summaryList": [f"小王：{rng.choice(WORDS)}"]}  # fmt: skip


def place(rng: Random) -> dict[str, Any]:
    return {"content": picture(rng), "latitude": round(rng.uniform(20, 42), 6), "poi": "网商路 599 号",
            "longitude": round(rng.uniform(100, 122), 6)}  # fmt: skip


def voice(rng: Random) -> dict[str, Any]:
    sound = b"#!AMR\n" + rng.randbytes(rng.randrange(400, 6000))
    return {"content": base64.b64encode(sound).decode(), "duration": rng.randrange(1, 60), "extra": ""}


def gif(rng: Random) -> dict[str, Any]:
    return {"gifDataSize": rng.randrange(9000, 900_000), "remoteUrl": url(rng, ".gif"), "width": 263, "height": 240}


BODIES: dict[str, Callable[[Random], dict[str, Any]]] = {
    "RC:ImgMsg": lambda rng: {"content": picture(rng), "imageUri": url(rng, ".jpg"), "extra": ""},
    "RC:HQVCMsg": lambda rng: {"remoteUrl": url(rng, ".aac"), "duration": rng.randrange(1, 60)},
    "RC:VcMsg": voice,
    "RC:SightMsg": lambda rng: {"sightUrl": url(rng, ".mp4"), "content": picture(rng), "name": "v.mp4",
                                "duration": rng.randrange(1, 120), "size": rng.randrange(90_000, 9_000_000)},
    "RC:FileMsg": lambda rng: {"name": "报价单.xlsx", "size": rng.choice((1234, "1234")), "type": "xlsx",
                               "fileUrl": url(rng, ".xlsx")},
    "RC:LBSMsg": place,
    "RC:GIFMsg": gif,
    "RC:ReferenceMsg": refer,
    "RC:InfoNtf": lambda rng: {"message": f"{rng.choice(WORDS)} @@", "extra": ""},
    "RC:CombineMsg": combine,
    "app:order": lambda rng: {"orderNo": "@@", "price": rng.randrange(999) / 2, "title": rng.choice(WORDS)},
}  # fmt: skip


def media_of(rng: Random) -> Media:
    return {kind: [split_at_mark(dumps(body(rng))) for _ in range(VOICES if kind == "RC:VcMsg" else OTHERS)]
            for kind, body in BODIES.items()}  # fmt: skip


def content_of(kind: str, draw: Draw, number: int, media: Media) -> str:
    index, (_, sender, _, other), _, head, tail, ext, _ = draw
    if kind == TEXT:
        return f'{{"content":"{head}{tail}"{ext}}}'
    if kind == "RC:GrpNtf":
        data = f'"data":{{"operatorNickname":"{sender}","targetUserIds":["{other}"]}}'
        return f'{{"operatorUserId":"{sender}","operation":"Add",{data},"message":""}}'
    return pick_media(media, kind, index, number)


def log_line(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    chat, sender, target, _ = draw[1]
    clock = second_of(when // 1000)
    group = target if chat else ""
    ends = f'"fromUserId":"{sender}","targetId":"{target}","targetType":{3 if chat else 1},"GroupId":"{group}"'
    content = f'"classname":"{kind}","content":{content_of(kind, draw, number, media)}'
    times = f'"dateTime":"{clock}.{when % 1000:03}","timestamp":{when}'
    behind = f'"msgUID":"{uid_of(number)}","source":"{draw[6]}","isSensitiveWord":"false"'
    return f'{clock.replace("-", "/")}{{"appId":"k51hidwqexample",{ends},{content},{times},{behind}}}'


def apart(line: str) -> tuple[str, dict[str, Any]]:
    """What stands before the object of a line, and the object."""
    at = line.index("{")
    return line[:at], loads(line[at:])


def together(before: str, record: dict[str, Any]) -> str:
    return before + dumps(record)


ODDITIES: tuple[Change, ...] = (
    swap(r'"timestamp":(\d+)', r'"timestamp":"\1"'),
    swap(r'"targetType":(\d)', r'"targetType":"\1"'),
    swap(r"^([\d/]+ [\d:]+)\{", r"\1 {"),
    swap(r"^[\d/]+ [\d:]+\{", "{"),
    swap(r"^(?=\d)", "INFO "),
    lambda line: narrow("\ufeff") + line,
    lambda line: line + "\r",
    lambda line: line + "  \t",
)


def reshape(past: str, rng: Random) -> str:
    before, record = apart(past)
    change = rng.randrange(4)
    if change == 0:
        record["timestamp"] = str(record["timestamp"])
    elif change == 1:
        record["content"] = narrow_text(record["content"])
    elif change == 2:
        before = ""
    return together(before, backwards(record))


def narrow_text(value: Any) -> str:
    """JSON as a text that `dumps` takes: characters, not bytes."""
    return dumps(value).encode("latin-1").decode()


def conflict(past: str, fresh: str, rng: Random) -> str:
    before, record = apart(past)
    kind, content = other_content(record["classname"], record["content"], rng)
    return together(before, record | {"classname": kind, "content": content})


def other_content(kind: str, content: Any, rng: Random) -> tuple[str, Any]:
    """Another text; of a group notice another inviter, for the one who joined is part of its key."""
    if kind == "RC:GrpNtf":
        return kind, content | {"operatorUserId": f"x{rng.getrandbits(64):x}"}
    return TEXT, {"content": f"[改] {rng.getrandbits(64):x}"}


def without_sender(past: str, rng: Random) -> str:
    before, record = apart(past)
    del record["fromUserId"]
    return together(before, record)


def other_hour(past: str, rng: Random) -> str:
    """The wall clock is that of another zone than the rest of the log shows."""
    before, record = apart(past)
    shifted = datetime.strptime(record["dateTime"][:10], "%Y-%m-%d")
    return together(before, record | {"dateTime": f"{shifted:%Y-%m-%d} 00:00:00.000"})


def planted(kind: str, content: Callable[[dict[str, Any], Random], Any], **more: Any) -> Plant:
    """A fresh record of another class, which may refer to an earlier one."""

    def plant(past: str, fresh: str, rng: Random) -> str:
        before, record = apart(fresh)
        return together(before, record | {"classname": kind, "content": content(apart(past)[1], rng)} | more)

    return plant


def recalled(earlier: dict[str, Any], rng: Random) -> dict[str, Any]:
    return {"messageUId": earlier["msgUID"], "sentTime": earlier["timestamp"], "isAdmin": False, "isDelete": False,
            "conversationType": earlier["targetType"], "targetId": earlier["targetId"]}  # fmt: skip


def by_hour(vendor: str, stretch: Stretch) -> str:
    return f"{datetime.fromtimestamp(stretch.start / 1000, BEIJING):%Y-%m-%d-%H}.zip"


LOGS = Shape(
    kinds=(SHARES, TEAM_SHARES),
    text=TEXT,
    people=PEOPLE,
    exts=EXTS,
    clients=CLIENTS,
    group=lambda n, rng: str(10_000_000 + n),
    media=media_of,
    line=log_line,
    number=number_of,
    seconds=swap(r'"timestamp":(\d{10})000\b', r'"timestamp":\1'),
    oddities=ODDITIES,
    reshape=reshape,
    conflict=conflict,
    damaged=damage(cut, bad_byte_in("msgUID"), garbage, with_nul, without_sender, other_hour),
    extras={
        "events": (0.0004, planted("RC:RcCmd", recalled)),
        "chatroom": (
            0.0004,
            planted(TEXT, lambda _, rng: {"content": "hi"}, targetType=4, targetId="room7", GroupId=""),
        ),
        "signals": (0.0004, planted("RC:TypSts", lambda _, rng: {"typingContentType": TEXT})),
    },
    counts_as={},
    blocks=as_lines,
    name=by_hour,
    hourly=True,
    container=open_zip,
)


def as_form(fields: dict[str, Any]) -> str:
    """Fields as the routing posts them; all values are texts of characters."""
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items())


def post(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    chat, sender, target, _ = draw[1]
    content = content_of(kind, draw, number, media).encode("latin-1").decode()
    return as_form({
        "fromUserId": sender, "toUserId": target, "objectName": kind, "content": content, "channelType": CHANNELS[chat],
        "msgTimestamp": str(when), "msgUID": uid_of(number), "sensitiveType": "0", "source": draw[6], "busChannel": "",
    })  # fmt: skip


def field(line: str, name: str) -> str:
    found = re.search(rf"(?:^|&){name}=([^&]*)", line)
    assert found
    return found[1]


def field_text(line: str, name: str) -> str:
    return narrow(unquote_plus(field(line, name)))


def set_fields(line: str, **fields: str) -> str:
    for name, value in fields.items():
        before, key, behind = re.split(rf"((?:^|&){name}=)[^&]*", line, maxsplit=1)
        line = f"{before}{key}{quote_plus(value)}{behind}"
    return line


def reshape_post(past: str, rng: Random) -> str:
    return "&".join(reversed(past.split("&")))


def conflict_post(past: str, fresh: str, rng: Random) -> str:
    kind, content = other_content(unquote_plus(field(past, "objectName")), loads(field_text(past, "content")), rng)
    return set_fields(past, objectName=kind, content=dumps(content).encode("latin-1").decode())


def room_post(past: str, fresh: str, rng: Random) -> str:
    return set_fields(fresh, channelType="TEMPGROUP", toUserId="room7")


def recall_post(past: str, fresh: str, rng: Random) -> str:
    return dumps({"eventType": 1, "fromUserId": "u000001", "originalMsgInfo": {"messageId": field(past, "msgUID")}})


def no_sender_post(past: str, rng: Random) -> str:
    return re.sub(r"(?:^|(?<=&))fromUserId=[^&]*&?", "", past)


POSTS = replace(
    LOGS,
    line=post,
    seconds=swap(r"msgTimestamp=(\d{10})000\b", r"msgTimestamp=\1"),
    oddities=(lambda line: "?" + line, lambda line: line + "\r", lambda line: "signature=0123456789&" + line),
    reshape=reshape_post,
    conflict=conflict_post,
    damaged=damage(garbage, no_sender_post),
    extras={"events": (0.0004, recall_post), "chatroom": (0.0004, room_post)},
    name=numbered(".txt"),
    container=None,
)

SHAPES = {"logs": LOGS, "posts": POSTS}
