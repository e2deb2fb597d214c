"""Easemob: hourly history files of lines, and the answers of the old JSON export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from exports.core import HOUR, SEQUENCE, TEAM, Change, Draw, Media, Shape, Stretch
from exports.damage import DAMAGED_LINE, LINE_ODDITIES, damage, not_an_object, without_sender
from exports.stream import as_lines, by_hour, numbered
from exports.texts import SURNAMES, WORDS
from exports.tools import backwards, dumps, loads, narrow, pick_media, split_at_mark, swap, uuid_head

PAGE = 1000  # entities in one answer of the old export
SHARES = {"img": 0.08, "audio": 0.06, "video": 0.015, "loc": 0.007, "file": 0.01, "custom": 0.035} | {
    "cmd": 0.008, "combine": 0.004, "two": 0.003}  # fmt: skip
CHATS = ("chat", "groupchat")
EXTS = (
    ('"ext":{},', 50), ("", 6), ('"ext":{"em_push_title":"新消息","lv":12},', 10),
    ('"ext":{"em_at_list":["ALL"]},', 4),
    ('"ext":{"nick":"小王","avatar":"https://media.example.com/a/7.png","device":"iPhone15,2"},', 16),
    ('"ext":{"msgQuote":{"msgID":"1418038712905770616","msgPreview":"好的","msgType":"txt"}},', 6),
    ('"ext":{"entities":[{"k":1},{"k":[2,3.5,null]}],"em_apns_ext":{"em_push_content":"您有新\\n消息"}},', 8),
)  # fmt: skip
PEOPLE: tuple[Callable[[int, Random], str], ...] = (
    lambda n, rng: f"u{n:06d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"138{n:08d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"x{rng.getrandbits(32):08x}_{n:x}",
)
EPOCH = 1_417_564_800_000


def number_of(when: int, index: int) -> int:
    """High 32 bits are seconds since 2014-12-03, low ones the fraction and a sequence."""
    return ((when - EPOCH) << 32) // 1000 + (index & SEQUENCE)


def stored(rng: Random, *names: str) -> dict[str, Any]:
    url = f"https://a1.easemob.example/acme/chat/chatfiles/{uuid_head(rng)}@@"
    secret = {"secret": f"{rng.getrandbits(64):016x}"} if rng.random() < 0.6 else {}
    return {"url": url, "filename": rng.choice(names), "file_length": rng.randrange(900, 9_000_000)} | secret


def box(rng: Random) -> dict[str, Any]:
    return {"size": {"width": rng.choice((720, 1080)), "height": rng.choice((1280, 1920, 960))}}


def custom(rng: Random) -> dict[str, Any]:
    exts = {"orderNo": "@@", "price": f"{rng.randrange(999)}.5", "title": rng.choice(WORDS)}
    return {"type": "custom", "customEvent": rng.choice(("order", "gift", "card"))} | rng.choice(
        ({"v2:customExts": exts}, {"v2:customExts": exts, "customExts": [{k: v} for k, v in exts.items()]},
         {"customExts": [{k: v} for k, v in exts.items()]}))  # fmt: skip


def combine(rng: Random) -> dict[str, Any]:
    kept = {"subType": "sub_combine", "title": "群聊的聊天记录", "summary": "小王: 好的\n小李: 收到",
            "msg": "[聊天记录]", "combineLevel": rng.randrange(1, 4)}  # fmt: skip
    return rng.choice(({}, {"type": "txt"})) | kept | stored(rng, "17000000000.txt")


def place(rng: Random) -> dict[str, Any]:
    addr = rng.choice(("北京市海淀区海淀大街 8 号", "杭州市滨江区网商路 599 号"))
    lat, lng = round(rng.uniform(20, 42), 6), round(rng.uniform(100, 122), 6)
    return {"type": "loc", "lat": lat, "lng": lng, "addr": addr}


def video(rng: Random) -> dict[str, Any]:
    thumb = {"thumb": "https://a1.easemob.example/acme/chat/chatfiles/" + uuid_head(rng) + "0123456789ab"}
    return {"type": "video"} | stored(rng, "video.mp4") | {"length": rng.randrange(1, 300)} | thumb | box(rng)


def image(rng: Random) -> dict[str, Any]:
    return {"type": "img"} | stored(rng, "IMG_1.jpg", "截屏.png") | box(rng)


BODIES: dict[str, Callable[[Random], dict[str, Any]]] = {
    "img": image,
    "audio": lambda rng: {"type": "audio"} | stored(rng, "audio.amr") | {"length": rng.randrange(1, 60)},
    "video": video,
    "loc": place,
    "file": lambda rng: {"type": "file"} | stored(rng, "报价单.xlsx", "a b.pdf", "readme"),
    "custom": custom,
    "cmd": lambda rng: {"type": "cmd", "action": rng.choice(("typing", "refresh_profile", "em_reaction"))},
    "combine": combine,
    "two": image,
}


def media_of(rng: Random) -> Media:
    return {kind: [split_at_mark(dumps(body(rng))) for _ in range(1021)] for kind, body in BODIES.items()}


def line_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (chat, sender, target, _), _, head, tail, ext, _ = draw
    if kind == "txt":
        bodies = f'{{"type":"txt","msg":"{head}{tail}"}}'
    elif kind == "two":
        bodies = f'{{"type":"txt","msg":"{head}{tail}"}},{pick_media(media, kind, index, number)}'
    else:
        bodies = pick_media(media, kind, index, number)
    ends = f'"from":"{sender}","to":"{target}"'
    top = f'"msg_id":"{number}","timestamp":{when},"direction":"outgoing",{ends}'
    return f'{{{top},"chat_type":"{CHATS[chat]}","payload":{{"bodies":[{bodies}],{ext}{ends}}}}}'


ODDITIES: tuple[Change, ...] = (
    swap(r'"msg_id":"(\d+)"', r'"msg_id":\1'),
    swap(r'"timestamp":(\d+)', r'"timestamp":"\1"'),
    swap(r'"ext":\{"em_at_list":\["ALL"\]\}', r'"ext":"{\\"em_at_list\\":[\\"ALL\\"]}"'),
    swap(r'"ext":\{\}', r'"ext":"{}"'),
)


def reshape(past: str, rng: Random) -> str:
    record = loads(past)
    change = rng.randrange(4)
    if change == 0:
        record["timestamp"] = str(record["timestamp"])
    elif change == 1:
        record["msg_id"] = int(record["msg_id"])
    elif change == 2:
        record["payload"] = backwards(record["payload"])
    return dumps(backwards(record))


def conflict(past: str, fresh: str, rng: Random) -> str:
    record = loads(past)
    record["payload"]["bodies"] = [{"type": "txt", "msg": f"[改] {rng.getrandbits(64):x}"}]
    return dumps(record)


def event(past: str, fresh: str, rng: Random) -> str:
    earlier = loads(past)
    record = earlier | {key: loads(fresh)[key] for key in ("msg_id", "timestamp")}
    ends = {"from": earlier["from"], "to": earlier["to"]}
    if rng.random() < 0.7:
        gone = {"ack_message_id": earlier["msg_id"], "bodies": []}
        return dumps(record | {"chat_type": "recall", "payload": gone | ends})
    meta = {"edit_msg": {"send_time": earlier["timestamp"], "edit_time": record["timestamp"],
                         "sender": ends["from"], "operator": ends["from"], "count": 1}}  # fmt: skip
    bodies = [{"type": "txt", "msg": "改正:明天见"}]
    edit = {"edit_message_id": earlier["msg_id"], "bodies": bodies, "meta": meta}
    return dumps(record | {"chat_type": "edit", "payload": edit | ends})


def chatroom(past: str, fresh: str, rng: Random) -> str:
    record = loads(fresh)
    room = {"to": str(200_000_000_000_000 + rng.randrange(50))}
    return dumps(record | room | {"chat_type": "chatroom", "payload": record["payload"] | room})


def as_entities(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
    """Answers of the old export, one after the other; only the last has no cursor."""
    pages = (lines[at : at + PAGE] for lines in batches for at in range(0, len(lines), PAGE))
    page = next(pages, [])
    start, count = stretch.start, 0
    asked = f'"action":"get","params":{{"ql":["select * where timestamp>{start}"]}},"path":"/chatmessages"'
    while page:
        coming = next(pages, [])
        count += 1
        cursor = f'"cursor":"LTU2{start:x}{count:06x}",' if coming else ""
        owner = f'"duration":{9 + count % 90},"organization":"acme","applicationName":"chat"'
        tail = f'"timestamp":{start + 10 * HOUR},{owner},{cursor}"count":{len(page)}'
        yield [f'{{{asked},"entities":[', ",".join(map(as_entity, page)), f"],{tail}}}\n"]
        page = coming


def as_entity(line: str) -> str:
    return '{"type":"chatmessage",' + line[1:] if line[0] == "{" else line


LINES = Shape(
    kinds=(SHARES, SHARES),
    text="txt",
    people=PEOPLE,
    exts=EXTS,
    clients=(("", 1),),
    group=lambda n, rng: str(100_000_000_000_000 + n * 1_048_576 + rng.randrange(1_048_576)),
    media=media_of,
    line=line_of,
    number=number_of,
    seconds=swap(r'"timestamp":(\d{10})000\b', r'"timestamp":\1'),
    oddities=ODDITIES + LINE_ODDITIES,
    reshape=reshape,
    conflict=conflict,
    damaged=DAMAGED_LINE,
    extras={"events": (0.0004, event), "chatroom": (0.0004, chatroom)},
    counts_as={"combine": ("sub_combine", 0), "two": ("txt", 1)},
    blocks=as_lines,
    name=by_hour,
    hourly=True,
)

ENTITIES = replace(
    LINES,
    oddities=ODDITIES,
    damaged=damage(without_sender, not_an_object),  # anything else would break the whole document
    blocks=as_entities,
    name=numbered(".json"),
)


def as_one(front: str, between: str, end: str) -> Callable[[Iterator[list[str]], Stretch], Iterator[list[str]]]:
    """A single document that holds all."""

    def blocks(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
        mark = front
        for lines in batches:
            yield [mark, between.join(map(as_entity, lines))]
            mark = between
        yield [end]

    return blocks


def indented(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
    """A single document as a pretty-printer leaves it."""
    laid_out = ([narrow(json.dumps(json.loads(line.encode("latin-1")), indent=2, ensure_ascii=False)) for line in lines]
                for lines in batches)  # fmt: skip
    return as_one('{\n  "action": "get",\n  "entities": [\n', ",\n", "\n  ]\n}\n")(laid_out, stretch)


POSTED_AS = {"txt": "text", "img": "image", "audio": "voice", "loc": "location", "cmd": "command", "two": "text"}


def post_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    """A webhook post: the history line with what a post adds."""
    line = line_of(kind, draw, when, number, media).replace('"direction":"outgoing",', "", 1)
    chat, sender, target, _ = draw[1]
    scope, group = ("group", f'"group_id":"{target}",') if chat == TEAM else ("user", "")
    word = POSTED_AS.get(kind, kind)
    who = f'"callId":"acme#chat_{number}","eventType":"chat",{group}"content_type":"chat:{scope}:{word}"'
    signed = f'"security":"{number:032x}","securityVersion":"1.0.0","appkey":"acme#chat","host":"msync@10.0.0.7"'
    return f"{{{who},{line[1:-1]},{signed}}}"


DOCUMENT = replace(ENTITIES, blocks=as_one('{"action":"get","entities":[', ",", "]}"), single=True)
INDENTED = replace(ENTITIES, blocks=indented, single=True)
POSTS = replace(LINES, line=post_of, name=numbered(".ndjson"))

SHAPES = {"lines": LINES, "entities": ENTITIES, "document": DOCUMENT, "indented": INDENTED, "posts": POSTS}
