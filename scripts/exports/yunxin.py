"""Yunxin: lines of its text import, as a relay or another export tool leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import orjson

from exports.core import SEQUENCE, TEAM, Change, Draw, Media, Shape
from exports.damage import DAMAGED_LINE, LINE_ODDITIES
from exports.stream import as_lines, numbered
from exports.texts import SURNAMES, WORDS
from exports.tools import backwards, dumps, loads, narrow, pick_media, quoted, split_at_mark, swap, uuid_head

SHARES = {"1": 0.08, "2": 0.06, "3": 0.015, "4": 0.007, "6": 0.01, "100": 0.035}
NOTICE_SHARES = {"101": 0.013, "102": 0.003, "103": 0.002, "104": 0.002, "105": 0.001, "106": 0.001} | {
    "107": 0.005, "108": 0.0005, "109": 0.0045, "110": 0.0005}  # fmt: skip
TINFO = (
    '"14":"群介绍:只谈工作"', '"15":"周五 18:00 前交周报"', '"16":"0"', '"16":1', '"17":1',
    '"18":"{\\"lv\\":3}"', '"20":"https://media.example.com/icon/7.png"', '"21":0,"22":1', '"23":0', '"24":1',
)  # fmt: skip
EXTS = (
    ('"ext":"",', 60), ('"ext":"ext..",', 1), ('"ext":"{\\"nick\\":\\"小王\\",\\"lv\\":12}",', 8),
    ('"ext":"{\\"v\\":2,\\"device\\":\\"iPhone15\\",\\"app\\":\\"8.3.1\\",\\"trace\\":\\"9f31c0aa\\"}",', 14),
    ('"ext":"{\\"quote\\":{\\"id\\":\\"12345\\",\\"text\\":\\"好的\\"},\\"at\\":[\\"u000001\\"]}",', 5),
    ('"ext":"{\\"push\\":true,\\"badge\\":1,\\"channel\\":\\"default\\"}",', 8), ("", 4),
)  # fmt: skip
CLIENTS = (("1", 40), ("2", 38), ("4", 8), ("16", 9), ("32", 3), ("64", 2))
PEOPLE: tuple[Callable[[int, Random], str], ...] = (
    lambda n, rng: f"u{n:06d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"{rng.choice(SURNAMES)}.{n}@corp.cn",
    lambda n, rng: f"138{n:08d}",
    lambda n, rng: f"{rng.getrandbits(80):020x}-{n:x}",
)
TWITTER_EPOCH = 1_288_834_974_657


def snowflake(when: int, index: int) -> int:
    return (when - TWITTER_EPOCH) << 22 | index & SEQUENCE


def url(rng: Random) -> str:
    return f"https://media.example.com/acme/chatfiles/{uuid_head(rng)}@@"


def picture(rng: Random) -> dict[str, Any]:
    high, wide = rng.choice(((780, 1040), (1920, 1080), (1280, 720), (640, 640), (2532, 1170)))
    name = rng.choice(("haha", "IMG_2031", "微信图片_20240315", "截屏 2024", "tmp-0"))
    size = rng.randrange(9_000, 4_000_000)
    return {"h": high, "ext": rng.choice(("jpg", "png", "gif", "jpeg")), "size": size, "w": wide,
            "name": name, "url": url(rng)}  # fmt: skip


def audio(rng: Random) -> dict[str, Any]:
    dur = rng.randrange(800, 60_000)
    return {"size": dur * 2, "ext": rng.choice(("amr", "amr", "aac")), "dur": dur, "url": url(rng)}


def video(rng: Random) -> dict[str, Any]:
    dur = rng.randrange(1000, 300_000)
    return {"h": 780, "w": 1040, "size": dur * 150, "ext": "mp4", "dur": dur, "url": url(rng)}


def place(rng: Random) -> dict[str, Any]:
    title = f"{rng.choice(('新华南路', '中山北路', '网商路', '南山大道'))} {rng.randrange(1, 999)} 号"
    return {"lng": f"{rng.uniform(100, 122):.6f}", "title": title, "lat": f"{rng.uniform(20, 42):.5f}"}


def document(rng: Random) -> dict[str, Any]:
    ext = rng.choice(("ttf", "pdf", "docx", "xlsx", "zip"))
    name = {"name": f"{rng.choice(('报价单', '合同', 'readme', '2024 Q1 总结'))}.{ext}"}
    size = rng.randrange(99, 90_000_000)
    return {"size": size, "ext": ext, "url": url(rng)} | rng.choice(({}, name))


def custom_payload(rng: Random) -> dict[str, Any]:
    price = f"{rng.randrange(1, 9999) / 10:.1f}"
    param = {"ptId": f"f{rng.randrange(99)}", "pe": url(rng), "artisanName": "", "productPrice": price}
    return rng.choice((
        {"param": param | {"productName": rng.choice(WORDS)}, "type": "1", "url": "", "desc": "作息"},
        {"type": 3, "data": {"catalog": "ajmd", "chartlet": f"ajmd{rng.randrange(99):03d}", "trace": "@@"}},
        {"kind": "red_packet", "id": "@@", "amount": price, "wish": "恭喜", "data": {"msgs": [1, 2.5, None]}},
        {"kind": "order", "orderNo": "@@", "items": [{"sku": "A-1", "n": 2}], "paid": True},
    ))  # fmt: skip


ATTACH = {"1": picture, "2": audio, "3": video, "4": place,
                 "6": document}  # fmt: skip


def media_of(rng: Random) -> Media:
    made = {
        kind: [split_at_mark(f'"attach":{quoted(attach(rng))}') for _ in range(1021)] for kind, attach in ATTACH.items()
    }
    made["100"] = [split_at_mark(f'"attach":{dumps(custom_payload(rng))}') for _ in range(1021)]
    made["107"] = [(narrow(part), "") for part in TINFO]
    return made


def notice(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (_, sender, team, other), *_, client = draw
    target = tinfo = ""
    if kind == "107":
        tinfo = f'"tinfo":{{{pick_media(media, kind, index, number)},"tid":{team}}},'
    elif kind not in ("109", "110"):
        target = f'"accid2":"{other}",'
    head = f'{{"data":{{{target}"createTime":{when},"clientType":{client},{tinfo}"msgid":{number},'
    return f'{head}"accid":"{sender}","tid":{team}}},"type":{kind}}}'


def line_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (chat, sender, target, _), _, head, tail, ext, client = draw
    if kind == "0":
        content = f'"body":"{head}{tail}"'
    elif kind in NOTICE_SHARES:
        return notice(kind, draw, when, number, media)
    else:
        content = pick_media(media, kind, index, number)
    if chat == TEAM:
        key = f'"createTime":{when},"clientType":{client},"msgid":{number},"accid":"{sender}"'
        return f'{{"data":{{{ext}{key},{content},"tid":{target}}},"type":{kind}}}'
    if kind in ("4", "100"):  # the guide prints these two in another order, with a quoted time
        key = f'"clientType":"{client}","createTime":"{when}",{ext}"msgid":{number}'
        return f'{{"data":{{{content},{key},"from":"{sender}","to":"{target}"}},"type":{kind}}}'
    key = f'"clientType":"{client}","createTime":{when},"msgid":{number},"from":"{sender}","to":"{target}"'
    return f'{{"data":{{{ext}{key},{content}}},"type":{kind}}}'


ODDITIES: tuple[Change, ...] = (
    lambda line: "json" + line,
    swap(r'(\\"ext\\":\\")(amr|mp4|ttf|aac)\\"', r'\1 \2\\"'),
    swap(r'"msgid":(\d+)', r'"msgid":"\1"'),
)


def reshape(past: str, rng: Random) -> str:
    record = loads(past)
    data = record["data"]
    turned = str if isinstance(data["createTime"], int) else int
    change = rng.randrange(4)
    if change == 0:
        data["createTime"] = turned(data["createTime"])
    elif change == 1:
        data["msgid"] = str(data["msgid"])
    elif change == 2 and isinstance(data.get("attach"), str):
        data["attach"] = json.dumps(backwards(orjson.loads(data["attach"])))
    else:
        record = backwards(record)
    return dumps(record | {"data": backwards(data)})


def conflict(past: str, fresh: str, rng: Random) -> str:
    record = loads(past)
    kept = {k: v for k, v in record["data"].items() if k not in ("attach", "body", "tinfo", "accid2")}
    return dumps({"data": kept | {"body": f"[改] {rng.getrandbits(64):x}"}, "type": 0})


LINES = Shape(
    kinds=(SHARES, SHARES | NOTICE_SHARES),
    text="0",
    people=PEOPLE,
    exts=EXTS,
    clients=CLIENTS,
    group=lambda n, rng: str(rng.choice((1, 30, 2000, 180_000)) * 10**9 + n * 4099 + rng.randrange(4099)),
    media=media_of,
    line=line_of,
    number=snowflake,
    seconds=swap(r'"createTime":("?)(\d{10})000\b', r'"createTime":\1\2'),
    oddities=ODDITIES + LINE_ODDITIES,
    reshape=reshape,
    conflict=conflict,
    damaged=DAMAGED_LINE,
    extras={},
    counts_as={},
    blocks=as_lines,
    name=numbered(".txt"),
)

SHAPES = {"lines": LINES}
