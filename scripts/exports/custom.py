"""Self-built systems: the log and the table that the two full examples of docs/mapping.md describe.

The mapping of the lines is fixtures/custom/ndjson-log/mapping.toml, that of the table is in fixtures/custom/mysql-csv.
A row of the table is drawn as a record of the log and rewritten by MySQL's rules when its file is put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any

from exports.core import BEIJING, Change, Draw, Media, Shape, Stretch
from exports.damage import LINE_ODDITIES, bad_byte_in, cut, damage, garbage, not_an_object, with_nul
from exports.easemob import PEOPLE
from exports.stream import as_lines, numbered
from exports.texts import WORDS
from exports.tools import backwards, dumps, loads, narrow, pick_media, split_at_mark, swap

SHARES = {"image": 0.08, "audio": 0.06, "video": 0.015, "file": 0.01, "location": 0.007, "card": 0.02}
SCENES = ("single", "group")
ENDS = ("uid", "gid")
EXTS = (("", 70), (',"ext":{"trace":"t-1"}', 20), (',"ext":{"push":"新消息","lv":[1,2.5,null]}', 10))
CLIENTS = (("", 40), (',"os":"iOS"', 30), (',"os":"android"', 25), (',"os":"web"', 5))


def url(ending: str) -> str:
    return f"https://cdn.acme.example/2024/@@.{ending}"


def sized(rng: Random) -> dict[str, int]:
    return {"w": rng.choice((720, 1080)), "h": rng.choice((960, 1280)), "size": rng.randrange(900, 9_000_000)}


def card(rng: Random) -> dict[str, Any]:
    return {"type": "card", "card": {"uid": "@@", "title": rng.choice(WORDS), "price": rng.randrange(999) / 4}}


def place(rng: Random) -> dict[str, Any]:
    lng, lat = round(rng.uniform(100, 122), 6), round(rng.uniform(20, 42), 6)
    return {"type": "location", "lng": lng, "lat": lat, "title": "杭州市滨江区网商路 599 号"}


BODIES: dict[str, Callable[[Random], dict[str, Any]]] = {
    "image": lambda rng: {"type": "image", "url": url("jpg"), "name": "截屏.jpg"} | sized(rng),
    "audio": lambda rng: {"type": "audio", "url": url("amr"), "dur": rng.randrange(1000, 60_000)},
    "video": lambda rng: {"type": "video", "url": url("mp4"), "dur": rng.randrange(1000, 300_000)} | sized(rng),
    "file": lambda rng: {"type": "file", "url": url("pdf"), "name": "报价单.pdf", "size": rng.randrange(1, 9_000_000)},
    "location": place,
    "card": card,
}


def media_of(rng: Random) -> Media:
    return {kind: [split_at_mark(dumps(body(rng))) for _ in range(1021)] for kind, body in BODIES.items()}


def line_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (chat, sender, target, _), _, head, tail, ext, client = draw
    text = kind == "text"
    payload = f'{{"type":"text","text":"{head}{tail}"}}' if text else pick_media(media, kind, index, number)
    ends = f'"from":{{"uid":"{sender}"{client}}},"to":{{"{ENDS[chat]}":"{target}"}}'
    return f'{{"mid":"{number}","ts":{when},"scene":"{SCENES[chat]}",{ends},"payload":{payload}{ext},"level":"info"}}'


def without_sender(past: str, rng: Random) -> str:
    record = loads(past)
    del record["from"]["uid"]
    return dumps(record)


def reshape(past: str, rng: Random) -> str:
    record = loads(past)
    change = rng.randrange(3)
    if change == 0:
        record["ts"] = str(record["ts"])
    elif change == 1:
        record["mid"] = int(record["mid"])
    return dumps(backwards(record))


def conflict(past: str, fresh: str, rng: Random) -> str:
    return dumps(loads(past) | {"payload": {"type": "text", "text": f"[改] {rng.getrandbits(64):x}"}})


def event(past: str, fresh: str, rng: Random) -> str:
    return dumps(loads(fresh) | {"payload": {"type": "typing", "of": loads(past)["mid"]}})


def chatroom(past: str, fresh: str, rng: Random) -> str:
    return dumps(loads(fresh) | {"scene": "live"})


ODDITIES: tuple[Change, ...] = (
    swap(r'"mid":"(\d+)"', r'"mid":\1'),
    swap(r'"ts":(\d+)', r'"ts":"\1"'),
    swap(r'"(dur|size)":(\d+)', r'"\1":"\2"'),
)

COLUMNS = ("id", "msg_id", "send_time", "from_user", "to_user", "group_id", "platform", "msg_type", "content", "extra",
           "status", "updated_at")  # fmt: skip
KINDS = {"text": 1, "image": 2, "audio": 3, "location": 4, "video": 5, "file": 77, "card": 78, "typing": 99}
PLATFORMS = {"iOS": 1, "android": 2, "web": 3}
WAYS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "image": lambda body: {"key": body["url"], "name": body["name"], "size": [body["w"], body["h"]]},
    "audio": lambda body: {"key": body["url"].split("example/")[1], "seconds": body["dur"] / 1000},
    "video": lambda body: {"key": body["url"], "size": [body["w"], body["h"]], "caption": "看视频"},
    "location": lambda body: {"lng": str(body["lng"]), "lat": body["lat"], "address": body["title"]},
    "typing": lambda body: {"msg_id": int(body["of"])},
}


def quoted(text: str) -> str:
    """As INTO OUTFILE writes it: the escape sign before itself, quotes and line ends."""
    for sign in ("\\", '"', "\n"):
        text = text.replace(sign, "\\" + sign)
    return '"' + text.replace("\0", "\\0") + '"'


def row_of(line: str, number: int) -> str:
    """The row of a record, or a row that lacks values for what is no record."""
    record = loads(line)
    if not isinstance(record, dict):
        return quoted(line)
    body = record["payload"]
    kind, chat = body["type"], record["scene"] != "single"
    way = WAYS.get(kind)
    content = body["text"] if kind == "text" else dumps_wide(way(body) if way else body)
    when = f"{datetime.fromtimestamp(int(record['ts']) // 1000, BEIJING):%Y-%m-%d %H:%M:%S}"
    sender = f"u_{record['from']['uid']}" if "uid" in record["from"] else "\\N"
    to = ("\\N", record["to"]["gid"]) if chat else (f"u_{record['to']['uid']}", 0)
    platform = PLATFORMS.get(record["from"].get("os"), "\\N")
    values = (number, record["mid"], when, sender, *to, platform, KINDS[kind], quoted(content), "\\N", 0, "\\N")
    return narrow(",".join(map(str, values)))


def dumps_wide(value: Any) -> str:
    return dumps(value).encode("latin-1").decode()


def as_rows(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
    """A table with its header."""
    yield [",".join(COLUMNS), "\n"]
    number = 0
    for lines in batches:
        rows = [row_of(line, number + place) for place, line in enumerate(lines, 1)]
        number += len(lines)
        yield ["\n".join(rows), "\n"]


LINES = Shape(
    kinds=(SHARES, SHARES),
    text="text",
    people=PEOPLE,
    exts=EXTS,
    clients=CLIENTS,
    group=lambda n, rng: str(880_000 + n * 16 + rng.randrange(16)),
    media=media_of,
    line=line_of,
    number=lambda when, index: when * 64 + (index & 31),
    seconds=swap(r'"ts":(\d{10})000\b', r'"ts":\1'),
    oddities=ODDITIES + LINE_ODDITIES,
    reshape=reshape,
    conflict=conflict,
    damaged=damage(cut, bad_byte_in("mid"), garbage, with_nul, without_sender),
    extras={"events": (0.0004, event), "chatroom": (0.0004, chatroom)},
    counts_as={},
    blocks=as_lines,
    name=numbered(".ndjson"),
)

TABLE = replace(
    LINES,
    seconds=lambda line: line,
    oddities=(lambda line: line,),
    damaged=damage(without_sender, not_an_object),
    extras={"events": (0.0004, event)},
    counts_as={"video": ("video", 1)},
    blocks=as_rows,
    name=numbered(".csv"),
)

SHAPES = {"lines": LINES, "table": TABLE}
