"""Make vendor exports of any size whose truth is known.

Plan: pools of seats (who talks to whom), texts and attachments are drawn once from the seed. Each file then
draws from the pools with its own generator, seeded by (seed, vendor, file number), and owns a stretch of
time and of message ids that no other file touches. Lines are formatted by hand, as strings that hold one
UTF-8 byte a character (CPython joins and encodes those fastest); only the few planted ones go through a JSON
library. Nothing is shared with the converter, so the two can check each other.

Promise: equal arguments give equal bytes, for any number of jobs, any hash seed and any platform
(compressed bytes also depend on the compression library). The truth is printed as one JSON object:

messages    distinct good records of people, in all files; exactly what --messages asked for
duplicates  later records of the same file with the same key and the same content as a message; half of them
            with other key order or typing. Key: message id, sender, receiver or group, time
conflicts   later records of the same file with the key of a message, but with another text (never equal to
            each other either)
damaged     records that no reader can accept. Each is in addition to the messages and never hurts one
events      Easemob only: recalls and edits, which refer to an earlier message of the same file
chatroom    Easemob only: chat-room messages; they are counted here and not in `messages`
lines       records in all = messages + duplicates + conflicts + damaged + events + chatroom; a physical line
            each, or an element of an `entities` array
oddities    messages (all of them good) whose line carries something a reader has to repair
extra_bodies  Easemob only: bodies beyond the first of a message
bytes       size of all files before compression
by_chat, by_type  messages by chat and by type; types are the vendor's own, taken from the first body
"""

from __future__ import annotations

import gc
import gzip
import importlib
import importlib.util
import json
import re
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import IO, Any, NamedTuple, cast

import click
import orjson

BATCH = 4000
PAGE = 1000  # entities in one answer of the old export
START = 1_710_464_400_000  # 2024-03-15 09:00 in Beijing
HOUR = 3_600_000
SPACING = 40  # mean ms between two messages of a vendor whose files are not cut by the hour
BEIJING = timezone(timedelta(hours=8))
P2P, TEAM = 0, 1
TEAM_SHARE = 0.4
SLOTS = 1 << 16  # length of a table that two random bytes can index
REMEMBERED = 4096  # messages of a file that a planted record can refer to
SEQUENCE = (1 << 21) - 1
EXTRA = 1 << 21  # lifts the id of a planted record above the ids of messages of the same millisecond

Seat = tuple[int, str, str, str]  # chat, sender, receiver or group, someone else
Fragment = tuple[str, str]  # text before and after a message number; no number if the second is empty
Draw = tuple[int, Seat, int, str, str, str, str]  # index, seat, slot, head, tail, ext, client
Media = dict[str, list[Fragment]]
Change = Callable[[str], str]
Plant = Callable[[str, str, Random], str]  # earlier line, fresh line, chance -> line


class Order(NamedTuple):
    """What the caller asked for."""

    vendor: str
    folder: Path
    messages: int
    files: int
    seed: int
    compress: str
    shape: str
    users: int
    groups: int
    oddities: float
    shares: dict[str, float]  # of duplicates, conflicts and damaged


@dataclass(frozen=True, slots=True)
class Pools:
    """What all files of one order draw from."""

    seats: list[Seat]
    kinds: tuple[list[str], list[str]]
    heads: list[str]
    tails: list[str]
    exts: list[str]
    clients: list[str]
    media: Media


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor's shapes."""

    kinds: tuple[dict[str, float], dict[str, float]]  # shares of types besides text, p2p and team
    text: str
    people: tuple[Callable[[int, Random], str], ...]
    exts: tuple[tuple[str, int], ...]
    clients: tuple[tuple[str, int], ...]
    group: Callable[[int, Random], str]
    media: Callable[[Random], Media]
    line: Callable[[str, Draw, int, int, Media], str]
    number: Callable[[int, int], int]
    seconds: Change
    oddities: tuple[Change, ...]
    reshape: Callable[[str, Random], str]
    plants: dict[str, Plant]
    extras: dict[str, float]  # shares of plants that the caller does not choose
    counts_as: dict[str, tuple[str, int]]  # kind -> type for the truth, bodies beyond the first
    hourly: bool
    suffix: str


# --- texts ---------------------------------------------------------------------------------------------


def split(text: str) -> list[str]:
    return text.split()


WORDS = split(
    "我 你 他 我们 大家 今天 明天 昨天 晚上 上午 下午 周末 现在 刚才 马上 已经 还是 可以 不能 需要 应该 "
    "觉得 知道 看到 收到 发给 联系 确认 安排 开会 吃饭 回家 上班 下班 出差 项目 客户 合同 报价 订单 快递 "
    "发货 退款 付款 发票 地址 电话 微信 群里 文件 图片 视频 语音 方案 需求 测试 上线 版本 问题 原因 解决 "
    "办法 时间 地点 价格 数量 质量 服务 老板 同事 朋友 孩子 妈妈 老师 学校 医院 公司 北京 上海 杭州 深圳 "
    "地铁 高铁 机票 酒店 天气 下雨 很冷 太热 真的 好像 其实 如果 但是 因为 所以 然后 最后 一下 一起 一个 "
    "两次 三天 几点 多少 怎么 什么 哪里 为什么 谢谢 麻烦 辛苦 不好意思 没问题 的 的 的 了 了 是 在 有 就 "
    "都 不 也 要 去 来 说 吗 吧 呢 啊 哈哈 嗯 20 15 A3 VIP APP"
)
LATIN = split(
    "the meeting is moved to please check send me latest build ok thanks order number today tomorrow server "
    "deploy done review link password reset invoice next week let us know customer feedback great"
)
REPLIES = split("好的 嗯 嗯嗯 收到 哈哈哈 在吗 ok 谢谢 [呲牙] 早 晚安 好 1 👌 不用了 马上到 OK! 知道了")
LENGTHS = (
    {2: 50, 4: 80, 6: 120, 8: 140, 10: 130, 12: 120, 15: 100, 18: 80, 22: 60, 28: 45, 36: 32, 50: 22}
    | {80: 11, 130: 5, 220: 2, 480: 1}
)  # fmt: skip
TAILS = (
    ("", 1100), ("。", 120), ("?", 90), ("!", 60), ("~", 40), ("😂", 50), ("😂😂👍", 20), ("[微笑]", 30),
    ("\n第二行:见附件", 12), (',他说"不行"', 10), (" C:\\共享\\报表.xlsx", 6), ("\t√", 5), ("“引号”", 8),
    (" https://example.com/p/10086?a=1&b=%E4%BD%A0", 25), (" http://t.example.cn/Ab3dE", 25), ("</b>", 3),
    (" @所有人 ", 12), (' {"k":"v"}', 4), ("\u2028另起", 1), ("𠮷野家", 2), ("e\u0301", 2), ("\\n", 3),
    ("👨\u200d👩\u200d👧", 3), (",等你", 60), (",明天再说吧", 60),
)  # fmt: skip


def phrase(length: int, rng: Random) -> str:
    if rng.random() < 0.06:
        return " ".join(rng.choices(LATIN, k=max(1, length // 4)))
    words = "".join(rng.choices(WORDS, k=length))[:length]
    return words if length < 15 else words[: length // 2] + "," + words[length // 2 + 1 :]


def escaped(text: str, rng: Random) -> str:
    if rng.random() < 0.02:
        return json.dumps(text)[1:-1]
    return dumps(text)[1:-1]


def text_heads(rng: Random) -> list[str]:
    sizes = rng.choices(list(LENGTHS), list(LENGTHS.values()), k=16_384)
    return [escaped(phrase(size, rng), rng) for size in sizes] + [escaped(r, rng) for r in REPLIES] * 100


def text_tails(rng: Random) -> list[str]:
    clauses = [escaped("," + phrase(rng.randrange(4, 20), rng), rng) for _ in range(500)]
    return spread([(escaped(text, rng), weight) for text, weight in TAILS]) + clauses


# --- small tools ---------------------------------------------------------------------------------------


def narrow(text: str) -> str:
    """The UTF-8 bytes of a text as a string with one character a byte, as all lines and fragments are."""
    return text.encode().decode("latin-1")


def dumps(value: Any) -> str:
    return orjson.dumps(value).decode("latin-1")


def loads(line: str) -> Any:
    return orjson.loads(line.encode("latin-1"))


def quoted(value: Any) -> str:
    """JSON in a JSON string."""
    return dumps(orjson.dumps(value).decode())


def spread(weighted: Sequence[tuple[str, int]]) -> list[str]:
    return [value for value, weight in weighted for _ in range(weight)]


def split_at_mark(text: str) -> Fragment:
    before, _, after = text.partition("@@")
    return before, after


def random_slots(rng: Random, count: int) -> array[int]:
    slots = array("H", rng.randbytes(2 * count))
    if sys.byteorder == "big":
        slots.byteswap()
    return slots


def uuid_head(rng: Random) -> str:
    return f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-11ee-{rng.getrandbits(16):04x}-"


def backwards(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in reversed(record)}


def zipf_table(values: Sequence[Any], rng: Random, size: int) -> list[Any]:
    """Every value once, then more of the first ones than of the last ones."""
    return [*values, *rng.choices(values, [1 / (rank + 12) for rank in range(len(values))], k=size)]


def pick_media(media: Media, kind: str, index: int, number: int) -> str:
    choices = media[kind]
    before, after = choices[index % len(choices)]
    return f"{before}{number:x}{after}" if after else before


# --- damage, the same for every vendor -----------------------------------------------------------------

GARBAGE = (
    "2024-03-15 09:12:44,102 ERROR [export-worker-7] java.net.SocketTimeoutException: Read timed out",
    "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    "--- 导出中断,正在重试 (3/5) ---",
    "锟斤拷烫烫烫",
    "}}}]",
)


def cut(past: str, rng: Random) -> str:
    return past[: rng.randrange(8, len(past) - 1)]


def bad_byte(past: str, rng: Random) -> str:
    """One byte of the key of the message id becomes 0xFF, so that dropping or replacing it does not help."""
    return re.sub(r'"(msg_?)id"', '"\\1\xffd"', past, count=1)


def garbage(past: str, rng: Random) -> str:
    return narrow(rng.choice(GARBAGE))


def with_nul(past: str, rng: Random) -> str:
    return cut(past, rng) + "\0" * rng.randrange(1, 64)


def without_sender(past: str, rng: Random) -> str:
    record = loads(past)
    for owner in (record, record.get("data", {}), record.get("payload", {})):
        owner.pop("from", None)
        owner.pop("accid", None)
    return dumps(record)


def not_an_object(past: str, rng: Random) -> str:
    return rng.choice(("null", "17", '"record"', "[]", "true"))


def damage(*ways: Callable[[str, Random], str]) -> Plant:
    return lambda past, fresh, rng: rng.choice(ways)(past, rng)


DAMAGED_LINE = damage(cut, bad_byte, garbage, with_nul, without_sender)
DAMAGED_ENTITY = damage(without_sender, not_an_object)  # anything else would break the whole document


# --- oddities that do not depend on the vendor ---------------------------------------------------------


def swap(pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> Change:
    found = re.compile(pattern)
    return lambda line: found.sub(replacement, line)


LINE_ODDITIES: tuple[Change, ...] = (
    lambda line: line + "\r",
    lambda line: narrow("\ufeff") + line,
    lambda line: line + "  \t",
)


# --- yunxin --------------------------------------------------------------------------------------------

SURNAMES = split("wang li zhang liu chen yang zhao huang zhou wu xu sun hu zhu gao lin he guo ma luo")
YUNXIN_SHARES = {"1": 0.08, "2": 0.06, "3": 0.015, "4": 0.007, "6": 0.01, "100": 0.035}
NOTICE_SHARES = {"101": 0.013, "102": 0.003, "103": 0.002, "104": 0.002, "105": 0.001, "106": 0.001} | {
    "107": 0.005, "108": 0.0005, "109": 0.0045, "110": 0.0005}  # fmt: skip
TINFO = (
    '"14":"群介绍:只谈工作"', '"15":"周五 18:00 前交周报"', '"16":"0"', '"16":1', '"17":1',
    '"18":"{\\"lv\\":3}"', '"20":"https://media.example.com/icon/7.png"', '"21":0,"22":1', '"23":0', '"24":1',
)  # fmt: skip
YUNXIN_EXTS = (
    ('"ext":"",', 60), ('"ext":"ext..",', 1), ('"ext":"{\\"nick\\":\\"小王\\",\\"lv\\":12}",', 8),
    ('"ext":"{\\"v\\":2,\\"device\\":\\"iPhone15\\",\\"app\\":\\"8.3.1\\",\\"trace\\":\\"9f31c0aa\\"}",', 14),
    ('"ext":"{\\"quote\\":{\\"id\\":\\"12345\\",\\"text\\":\\"好的\\"},\\"at\\":[\\"u000001\\"]}",', 5),
    ('"ext":"{\\"push\\":true,\\"badge\\":1,\\"channel\\":\\"default\\"}",', 8), ("", 4),
)  # fmt: skip
YUNXIN_CLIENTS = (("1", 40), ("2", 38), ("4", 8), ("16", 9), ("32", 3), ("64", 2))
YUNXIN_PEOPLE: tuple[Callable[[int, Random], str], ...] = (
    lambda n, rng: f"u{n:06d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"{rng.choice(SURNAMES)}.{n}@corp.cn",
    lambda n, rng: f"138{n:08d}",
    lambda n, rng: f"{rng.getrandbits(80):020x}-{n:x}",
)
TWITTER_EPOCH = 1_288_834_974_657


def snowflake(when: int, index: int) -> int:
    return (when - TWITTER_EPOCH) << 22 | index & SEQUENCE


def yunxin_url(rng: Random) -> str:
    return f"https://media.example.com/acme/chatfiles/{uuid_head(rng)}@@"


def yunxin_picture(rng: Random) -> dict[str, Any]:
    high, wide = rng.choice(((780, 1040), (1920, 1080), (1280, 720), (640, 640), (2532, 1170)))
    name = rng.choice(("haha", "IMG_2031", "微信图片_20240315", "截屏 2024", "tmp-0"))
    size = rng.randrange(9_000, 4_000_000)
    return {"h": high, "ext": rng.choice(("jpg", "png", "gif", "jpeg")), "size": size, "w": wide,
            "name": name, "url": yunxin_url(rng)}  # fmt: skip


def yunxin_audio(rng: Random) -> dict[str, Any]:
    dur = rng.randrange(800, 60_000)
    return {"size": dur * 2, "ext": rng.choice(("amr", "amr", "aac")), "dur": dur, "url": yunxin_url(rng)}


def yunxin_video(rng: Random) -> dict[str, Any]:
    dur = rng.randrange(1000, 300_000)
    return {"h": 780, "w": 1040, "size": dur * 150, "ext": "mp4", "dur": dur, "url": yunxin_url(rng)}


def yunxin_place(rng: Random) -> dict[str, Any]:
    title = f"{rng.choice(('新华南路', '中山北路', '网商路', '南山大道'))} {rng.randrange(1, 999)} 号"
    return {"lng": f"{rng.uniform(100, 122):.6f}", "title": title, "lat": f"{rng.uniform(20, 42):.5f}"}


def yunxin_file(rng: Random) -> dict[str, Any]:
    ext = rng.choice(("ttf", "pdf", "docx", "xlsx", "zip"))
    name = {"name": f"{rng.choice(('报价单', '合同', 'readme', '2024 Q1 总结'))}.{ext}"}
    size = rng.randrange(99, 90_000_000)
    return {"size": size, "ext": ext, "url": yunxin_url(rng)} | rng.choice(({}, name))


def custom_payload(rng: Random) -> dict[str, Any]:
    price = f"{rng.randrange(1, 9999) / 10:.1f}"
    param = {"ptId": f"f{rng.randrange(99)}", "pe": yunxin_url(rng), "artisanName": "", "productPrice": price}
    return rng.choice((
        {"param": param | {"productName": rng.choice(WORDS)}, "type": "1", "url": "", "desc": "作息"},
        {"type": 3, "data": {"catalog": "ajmd", "chartlet": f"ajmd{rng.randrange(99):03d}", "trace": "@@"}},
        {"kind": "red_packet", "id": "@@", "amount": price, "wish": "恭喜", "data": {"msgs": [1, 2.5, None]}},
        {"kind": "order", "orderNo": "@@", "items": [{"sku": "A-1", "n": 2}], "paid": True},
    ))  # fmt: skip


YUNXIN_ATTACH = {"1": yunxin_picture, "2": yunxin_audio, "3": yunxin_video, "4": yunxin_place,
                 "6": yunxin_file}  # fmt: skip


def yunxin_media(rng: Random) -> Media:
    made = {
        kind: [split_at_mark(f'"attach":{quoted(attach(rng))}') for _ in range(1021)]
        for kind, attach in YUNXIN_ATTACH.items()
    }
    made["100"] = [split_at_mark(f'"attach":{dumps(custom_payload(rng))}') for _ in range(1021)]
    made["107"] = [(narrow(part), "") for part in TINFO]
    return made


def yunxin_notice(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (_, sender, team, other), *_, client = draw
    target = tinfo = ""
    if kind == "107":
        tinfo = f'"tinfo":{{{pick_media(media, kind, index, number)},"tid":{team}}},'
    elif kind not in ("109", "110"):
        target = f'"accid2":"{other}",'
    head = f'{{"data":{{{target}"createTime":{when},"clientType":{client},{tinfo}"msgid":{number},'
    return f'{head}"accid":"{sender}","tid":{team}}},"type":{kind}}}'


def yunxin_line(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (chat, sender, target, _), _, head, tail, ext, client = draw
    if kind == "0":
        content = f'"body":"{head}{tail}"'
    elif kind in NOTICE_SHARES:
        return yunxin_notice(kind, draw, when, number, media)
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


YUNXIN_ODDITIES: tuple[Change, ...] = (
    lambda line: "json" + line,
    swap(r'(\\"ext\\":\\")(amr|mp4|ttf|aac)\\"', r'\1 \2\\"'),
    swap(r'"msgid":(\d+)', r'"msgid":"\1"'),
)


def yunxin_reshape(past: str, rng: Random) -> str:
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


def yunxin_conflict(past: str, fresh: str, rng: Random) -> str:
    record = loads(past)
    kept = {k: v for k, v in record["data"].items() if k not in ("attach", "body", "tinfo", "accid2")}
    return dumps({"data": kept | {"body": f"[改] {rng.getrandbits(64):x}"}, "type": 0})


YUNXIN = Vendor(
    kinds=(YUNXIN_SHARES, YUNXIN_SHARES | NOTICE_SHARES),
    text="0",
    people=YUNXIN_PEOPLE,
    exts=YUNXIN_EXTS,
    clients=YUNXIN_CLIENTS,
    group=lambda n, rng: str(rng.choice((1, 30, 2000, 180_000)) * 10**9 + n * 4099 + rng.randrange(4099)),
    media=yunxin_media,
    line=yunxin_line,
    number=snowflake,
    seconds=swap(r'"createTime":("?)(\d{10})000\b', r'"createTime":\1\2'),
    oddities=YUNXIN_ODDITIES,
    reshape=yunxin_reshape,
    plants={"conflicts": yunxin_conflict},
    extras={},
    counts_as={},
    hourly=False,
    suffix=".txt",
)


# --- easemob -------------------------------------------------------------------------------------------

EASEMOB_SHARES = {"img": 0.08, "audio": 0.06, "video": 0.015, "loc": 0.007, "file": 0.01, "custom": 0.035} | {
    "cmd": 0.008, "combine": 0.004, "two": 0.003}  # fmt: skip
EASEMOB_CHATS = ("chat", "groupchat")
EASEMOB_EXTS = (
    ('"ext":{},', 50), ("", 6), ('"ext":{"em_push_title":"新消息","lv":12},', 10),
    ('"ext":{"em_at_list":["ALL"]},', 4),
    ('"ext":{"nick":"小王","avatar":"https://media.example.com/a/7.png","device":"iPhone15,2"},', 16),
    ('"ext":{"msgQuote":{"msgID":"1418038712905770616","msgPreview":"好的","msgType":"txt"}},', 6),
    ('"ext":{"entities":[{"k":1},{"k":[2,3.5,null]}],"em_apns_ext":{"em_push_content":"您有新\\n消息"}},', 8),
)  # fmt: skip
EASEMOB_PEOPLE: tuple[Callable[[int, Random], str], ...] = (
    lambda n, rng: f"u{n:06d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"138{n:08d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"x{rng.getrandbits(32):08x}_{n:x}",
)
EASEMOB_EPOCH = 1_417_564_800_000


def easemob_number(when: int, index: int) -> int:
    """High 32 bits are seconds since 2014-12-03, low ones the fraction and a sequence."""
    return ((when - EASEMOB_EPOCH) << 32) // 1000 + (index & SEQUENCE)


def stored(rng: Random, *names: str) -> dict[str, Any]:
    url = f"https://a1.easemob.example/acme/chat/chatfiles/{uuid_head(rng)}@@"
    secret = {"secret": f"{rng.getrandbits(64):016x}"} if rng.random() < 0.6 else {}
    return {"url": url, "filename": rng.choice(names), "file_length": rng.randrange(900, 9_000_000)} | secret


def box(rng: Random) -> dict[str, Any]:
    return {"size": {"width": rng.choice((720, 1080)), "height": rng.choice((1280, 1920, 960))}}


def easemob_custom(rng: Random) -> dict[str, Any]:
    exts = {"orderNo": "@@", "price": f"{rng.randrange(999)}.5", "title": rng.choice(WORDS)}
    return {"type": "custom", "customEvent": rng.choice(("order", "gift", "card"))} | rng.choice(
        ({"v2:customExts": exts}, {"v2:customExts": exts, "customExts": [{k: v} for k, v in exts.items()]},
         {"customExts": [{k: v} for k, v in exts.items()]}))  # fmt: skip


def easemob_combine(rng: Random) -> dict[str, Any]:
    kept = {"subType": "sub_combine", "title": "群聊的聊天记录", "summary": "小王: 好的\n小李: 收到",
            "msg": "[聊天记录]", "combineLevel": rng.randrange(1, 4)}  # fmt: skip
    return rng.choice(({}, {"type": "txt"})) | kept | stored(rng, "17000000000.txt")


def easemob_place(rng: Random) -> dict[str, Any]:
    addr = rng.choice(("北京市海淀区海淀大街 8 号", "杭州市滨江区网商路 599 号"))
    lat, lng = round(rng.uniform(20, 42), 6), round(rng.uniform(100, 122), 6)
    return {"type": "loc", "lat": lat, "lng": lng, "addr": addr}


def easemob_video(rng: Random) -> dict[str, Any]:
    thumb = {"thumb": "https://a1.easemob.example/acme/chat/chatfiles/" + uuid_head(rng) + "0123456789ab"}
    return {"type": "video"} | stored(rng, "video.mp4") | {"length": rng.randrange(1, 300)} | thumb | box(rng)


def easemob_image(rng: Random) -> dict[str, Any]:
    return {"type": "img"} | stored(rng, "IMG_1.jpg", "截屏.png") | box(rng)


EASEMOB_BODIES: dict[str, Callable[[Random], dict[str, Any]]] = {
    "img": easemob_image,
    "audio": lambda rng: {"type": "audio"} | stored(rng, "audio.amr") | {"length": rng.randrange(1, 60)},
    "video": easemob_video,
    "loc": easemob_place,
    "file": lambda rng: {"type": "file"} | stored(rng, "报价单.xlsx", "a b.pdf", "readme"),
    "custom": easemob_custom,
    "cmd": lambda rng: {"type": "cmd", "action": rng.choice(("typing", "refresh_profile", "em_reaction"))},
    "combine": easemob_combine,
    "two": easemob_image,
}


def easemob_media(rng: Random) -> Media:
    return {kind: [split_at_mark(dumps(body(rng))) for _ in range(1021)] for kind, body in EASEMOB_BODIES.items()}


def easemob_line(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (chat, sender, target, _), _, head, tail, ext, _ = draw
    if kind == "txt":
        bodies = f'{{"type":"txt","msg":"{head}{tail}"}}'
    elif kind == "two":
        bodies = f'{{"type":"txt","msg":"{head}{tail}"}},{pick_media(media, kind, index, number)}'
    else:
        bodies = pick_media(media, kind, index, number)
    ends = f'"from":"{sender}","to":"{target}"'
    top = f'"msg_id":"{number}","timestamp":{when},"direction":"outgoing",{ends}'
    return f'{{{top},"chat_type":"{EASEMOB_CHATS[chat]}","payload":{{"bodies":[{bodies}],{ext}{ends}}}}}'


EASEMOB_ODDITIES: tuple[Change, ...] = (
    swap(r'"msg_id":"(\d+)"', r'"msg_id":\1'),
    swap(r'"timestamp":(\d+)', r'"timestamp":"\1"'),
    swap(r'"ext":\{"em_at_list":\["ALL"\]\}', r'"ext":"{\\"em_at_list\\":[\\"ALL\\"]}"'),
    swap(r'"ext":\{\}', r'"ext":"{}"'),
)


def easemob_reshape(past: str, rng: Random) -> str:
    record = loads(past)
    change = rng.randrange(4)
    if change == 0:
        record["timestamp"] = str(record["timestamp"])
    elif change == 1:
        record["msg_id"] = int(record["msg_id"])
    elif change == 2:
        record["payload"] = backwards(record["payload"])
    return dumps(backwards(record))


def easemob_conflict(past: str, fresh: str, rng: Random) -> str:
    record = loads(past)
    record["payload"]["bodies"] = [{"type": "txt", "msg": f"[改] {rng.getrandbits(64):x}"}]
    return dumps(record)


def easemob_event(past: str, fresh: str, rng: Random) -> str:
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


def easemob_chatroom(past: str, fresh: str, rng: Random) -> str:
    record = loads(fresh)
    room = {"to": str(200_000_000_000_000 + rng.randrange(50))}
    return dumps(record | room | {"chat_type": "chatroom", "payload": record["payload"] | room})


EASEMOB = Vendor(
    kinds=(EASEMOB_SHARES, EASEMOB_SHARES),
    text="txt",
    people=EASEMOB_PEOPLE,
    exts=EASEMOB_EXTS,
    clients=(("", 1),),
    group=lambda n, rng: str(100_000_000_000_000 + n * 1_048_576 + rng.randrange(1_048_576)),
    media=easemob_media,
    line=easemob_line,
    number=easemob_number,
    seconds=swap(r'"timestamp":(\d{10})000\b', r'"timestamp":\1'),
    oddities=EASEMOB_ODDITIES,
    reshape=easemob_reshape,
    plants={"conflicts": easemob_conflict, "events": easemob_event, "chatroom": easemob_chatroom},
    extras={"events": 0.0004, "chatroom": 0.0004},
    counts_as={"combine": ("sub_combine", 0), "two": ("txt", 1)},
    hourly=True,
    suffix="",
)

VENDORS = {"yunxin": YUNXIN, "easemob": EASEMOB}


# --- pools ---------------------------------------------------------------------------------------------


def kind_table(shares: dict[str, float], text: str) -> list[str]:
    table = spread([(kind, round(share * SLOTS)) for kind, share in shares.items()])
    return table + [text] * (SLOTS - len(table))


def p2p_seats(people: list[str], rng: Random) -> list[Seat]:
    """Pairs who talk to each other, in both directions."""
    size = 2 * len(people)
    pairs = zip(rng.choices(zipf_table(people, rng, size), k=size), rng.choices(people, k=size), strict=True)
    apart = [(a, b) for a, b in pairs if a != b] or [(people[0], people[1])]
    return [seat for a, b in apart for seat in ((P2P, a, b, a), (P2P, b, a, b))]


def team_seats(groups: list[str], people: list[str], rng: Random) -> list[Seat]:
    seats: list[Seat] = []
    for group in groups:
        members = rng.sample(people, min(len(people), rng.choice((3, 5, 8, 12, 20, 40))))
        others = members[1:] + members[:1]
        seats += [(TEAM, one, group, other) for one, other in zip(members, others, strict=True)]
    return seats


def make_seats(order: Order, vendor: Vendor, rng: Random) -> list[Seat]:
    people = [rng.choice(vendor.people)(n, rng) for n in range(order.users)]
    groups = [vendor.group(n, rng) for n in range(order.groups)]
    tables = p2p_seats(people, rng), team_seats(groups, people, rng)
    size = max(1 << 16, 2 * (len(tables[P2P]) + len(tables[TEAM])))
    counts = size - int(size * TEAM_SHARE), int(size * TEAM_SHARE)
    return [seat for table, count in zip(tables, counts, strict=True) for seat in fitted(table, count, rng)]


def fitted(table: list[Seat], size: int, rng: Random) -> list[Seat]:
    return zipf_table(table, rng, size - len(table)) if len(table) < size else rng.sample(table, size)


def make_pools(order: Order) -> Pools:
    vendor = VENDORS[order.vendor]
    rng = Random(f"{order.seed}/{order.vendor}/pools")
    return Pools(
        seats=make_seats(order, vendor, rng),
        kinds=(kind_table(vendor.kinds[P2P], vendor.text), kind_table(vendor.kinds[TEAM], vendor.text)),
        heads=text_heads(rng),
        tails=rng.choices(text_tails(rng), k=SLOTS),
        exts=rng.choices([narrow(ext) for ext in spread(vendor.exts)], k=SLOTS),
        clients=rng.choices(spread(vendor.clients), k=SLOTS),
        media=vendor.media(rng),
    )


# --- one file ------------------------------------------------------------------------------------------


class Stream:
    """The records of one file, in order, and the count of what was planted."""

    def __init__(self, order: Order, pools: Pools, file: int) -> None:
        self.order, self.pools = order, pools
        self.vendor = VENDORS[order.vendor]
        self.rng = Random(f"{order.seed}/{order.vendor}/{file}")
        self.start, length, self.count = stretch(order, file)
        self.gap = length / max(1, self.count)
        self.past: list[str] = []
        self.tally: Counter[str] = Counter()
        self.kinds: Counter[tuple[int, str]] = Counter()
        lines = order.shape == "lines"
        self.oddities = self.vendor.oddities + (LINE_ODDITIES if lines else ())
        damaged = DAMAGED_LINE if lines else DAMAGED_ENTITY
        plants = self.vendor.plants | {"damaged": damaged, "duplicates": self._duplicate}
        shares = order.shares | self.vendor.extras
        self.plants = [(name, share, plants[name]) for name, share in shares.items()]
        self.planted = sum(shares.values())

    def batches(self) -> Iterator[list[str]]:
        for first in range(0, self.count, BATCH):
            yield self._batch(first, min(BATCH, self.count - first))

    def _draws(self, first: int, size: int) -> Iterator[tuple[Draw, float, float, float]]:
        pools, choices, chance = self.pools, self.rng.choices, self.rng.random
        slots = (random_slots(self.rng, size) for _ in range(4))
        columns = (
            choices(pools.seats, k=size), next(slots), choices(pools.heads, k=size),
            *(map(table.__getitem__, next(slots)) for table in (pools.tails, pools.exts, pools.clients)),
        )  # fmt: skip
        draws = zip(range(first, first + size), *columns, strict=True)
        chances = ([chance() for _ in range(size)] for _ in range(3))
        return cast(Iterator[tuple[Draw, float, float, float]], zip(draws, *chances, strict=True))

    def _batch(self, first: int, size: int) -> list[str]:
        lines: list[str] = []
        kinds, media = self.pools.kinds, self.pools.media
        render, number_at = self.vendor.line, self.vendor.number
        start, gap, oddities, planted = self.start, self.gap, self.order.oddities, self.planted
        seen: tuple[list[str], list[str]] = ([], [])
        last = when = self._moment(first - 1)
        for draw, jitter, odd, fate in self._draws(first, size):
            index, seat, slot = draw[:3]
            last, when = when, start + int((index + jitter * 0.99) * gap)
            chat = seat[0]
            kind = kinds[chat][slot]
            number = number_at(when, index)
            if odd < oddities * 0.2 and when - when % 1000 >= last:
                when -= when % 1000
            line = render(kind, draw, when, number, media)
            seen[chat].append(kind)
            if not index & 7:
                self._remember(line)
            lines.append(self._odd(line, when) if odd < oddities else line)
            if fate < planted:
                lines.append(self._plant(fate, render(kind, draw, when, number + EXTRA, media)))
        self.kinds.update({(chat, k): n for chat in (P2P, TEAM) for k, n in Counter(seen[chat]).items()})
        return lines

    def _moment(self, index: int) -> int:
        return self.start + int(max(0.0, index + 0.99) * self.gap)

    def _remember(self, line: str) -> None:
        if len(self.past) < REMEMBERED:
            self.past.append(line)
        else:
            self.past[int(self.rng.random() * REMEMBERED)] = line

    def _odd(self, line: str, when: int) -> str:
        self.tally["oddities"] += 1
        changed = self.vendor.seconds(line) if when % 1000 == 0 else self.rng.choice(self.oddities)(line)
        return changed if changed != line else line + " "

    def _plant(self, fate: float, fresh: str) -> str:
        name, plant = self._fated(fate)
        self.tally[name] += 1
        return plant(self.rng.choice(self.past), fresh, self.rng)

    def _fated(self, fate: float) -> tuple[str, Plant]:
        for name, share, plant in self.plants[:-1]:
            if fate < share:
                return name, plant
            fate -= share
        return self.plants[-1][0], self.plants[-1][2]

    def _duplicate(self, past: str, fresh: str, rng: Random) -> str:
        return past if rng.random() < 0.5 else self.vendor.reshape(past, rng)


def first_message(order: Order, file: int) -> int:
    return order.messages * file // order.files


def stretch(order: Order, file: int) -> tuple[int, int, int]:
    """Start and length of a file's time in ms, and its number of messages."""
    first, after = first_message(order, file), first_message(order, file + 1)
    if VENDORS[order.vendor].hourly:
        return START + file * HOUR, HOUR, after - first
    return START + first * SPACING, (after - first) * SPACING, after - first


def as_lines(stream: Stream) -> Iterator[list[str]]:
    for lines in stream.batches():
        yield ["\n".join(lines), "\n"]


def as_entities(stream: Stream) -> Iterator[list[str]]:
    """Answers of the old export, one after the other; only the last has no cursor."""
    pages = (lines[at : at + PAGE] for lines in stream.batches() for at in range(0, len(lines), PAGE))
    page = next(pages, [])
    start, count = stream.start, 0
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


SHAPES = {"lines": as_lines, "entities": as_entities}


# --- files ---------------------------------------------------------------------------------------------


def open_zst(raw: IO[bytes]) -> IO[bytes]:
    library = importlib.import_module("zstandard")
    return cast(IO[bytes], library.ZstdCompressor(level=3).stream_writer(raw, closefd=False))


def open_gz(raw: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0))


COMPRESSORS: dict[str, Callable[[IO[bytes]], IO[bytes]]] = {"gz": open_gz, "zst": open_zst}


def file_name(order: Order, file: int) -> str:
    vendor = VENDORS[order.vendor]
    ending = "" if order.compress == "none" else f".{order.compress}"
    if order.shape == "entities":
        return f"{order.vendor}-{file + 1:05d}.json{ending}"
    if vendor.hourly:
        hour = datetime.fromtimestamp((START + file * HOUR) / 1000, BEIJING)
        return f"{hour:%Y%m%d%H}{ending}"
    return f"{order.vendor}-{file + 1:05d}{vendor.suffix}{ending}"


def write_file(order: Order, pools: Pools, file: int) -> tuple[Counter[str], Counter[tuple[int, str]]]:
    stream = Stream(order, pools, file)
    with ExitStack() as stack:
        out: IO[bytes] = stack.enter_context((order.folder / file_name(order, file)).open("wb"))
        if order.compress in COMPRESSORS:
            out = stack.enter_context(COMPRESSORS[order.compress](out))
        for parts in SHAPES[order.shape](stream):
            block = "".join(parts).encode("latin-1")
            stream.tally["bytes"] += len(block)
            out.write(block)
    return stream.tally, stream.kinds


def write_files(order: Order, files: range) -> tuple[Counter[str], Counter[tuple[int, str]]]:
    """The work of one process."""
    pools = make_pools(order)
    gc.disable()  # nothing here is cyclic, and a collection would walk through all pools
    tally: Counter[str] = Counter()
    kinds: Counter[tuple[int, str]] = Counter()
    for file in files:
        more, more_kinds = write_file(order, pools, file)
        tally.update(more)
        kinds.update(more_kinds)
    return tally, kinds


def write_export(order: Order, jobs: int) -> dict[str, Any]:
    """Write all files and return the truth about them."""
    order.folder.mkdir(parents=True, exist_ok=True)
    jobs = min(jobs, order.files)
    shares = [range(job, order.files, jobs) for job in range(jobs)]
    if jobs == 1:
        done = [write_files(order, shares[0])]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            done = list(pool.map(write_files, [order] * jobs, shares))
    tally = sum((one for one, _ in done), Counter[str]())
    return truth(order, tally, sum((kinds for _, kinds in done), Counter[tuple[int, str]]()))


def truth(order: Order, tally: Counter[str], kinds: Counter[tuple[int, str]]) -> dict[str, Any]:
    by_type: Counter[str] = Counter()
    by_chat = {"p2p": 0, "team": 0}
    bodies = 0
    for (chat, kind), count in sorted(kinds.items()):
        name, extra = VENDORS[order.vendor].counts_as.get(kind, (kind, 0))
        by_type[name] += count
        by_chat["team" if chat == TEAM else "p2p"] += count
        bodies += extra * count
    planted = {name: tally[name] for name in ("duplicates", "conflicts", "damaged", "events", "chatroom")}
    messages = by_type.total()
    return {
        "vendor": order.vendor, "seed": order.seed,
        "files": [file_name(order, n) for n in range(order.files)],
        "lines": messages + sum(planted.values()), "bytes": tally["bytes"], "messages": messages, **planted,
        "oddities": tally["oddities"], "extra_bodies": bodies, "by_chat": by_chat, "by_type": dict(by_type),
    }  # fmt: skip


# --- command -------------------------------------------------------------------------------------------

SHARE = click.FloatRange(0, 1)


@click.command(help=__doc__.split("\n")[0])
@click.argument("vendor", type=click.Choice(list(VENDORS)))
@click.argument("folder", metavar="OUT_DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--messages", type=click.IntRange(0), default=100_000, show_default=True, help="In all files.")
@click.option("--files", type=click.IntRange(1), default=1, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--compress", type=click.Choice(["none", *COMPRESSORS]), default="none", show_default=True)
@click.option("--shape", type=click.Choice(list(SHAPES)), default="lines", show_default=True)
@click.option("--users", type=click.IntRange(2, 500_000), default=20_000, show_default=True)
@click.option("--groups", type=click.IntRange(1, 200_000), default=2000, show_default=True)
@click.option("--oddities", type=SHARE, default=0.01, show_default=True, help="Share of messages to repair.")
@click.option("--duplicates", type=SHARE, default=0.01, show_default=True, help="Extra lines a message.")
@click.option("--conflicts", type=SHARE, default=0.001, show_default=True, help="Extra lines a message.")
@click.option("--damage", "damaged", type=SHARE, default=0.0005, show_default=True, help="As above.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def main(jobs: int, duplicates: float, conflicts: float, damaged: float, **asked: Any) -> None:
    shares = {"duplicates": duplicates, "conflicts": conflicts, "damaged": damaged}
    order = Order(shares=shares, **asked)
    check(order)
    click.echo(json.dumps(write_export(order, jobs), ensure_ascii=False))


def check(order: Order) -> None:
    if order.shape == "entities" and not VENDORS[order.vendor].hourly:
        raise click.UsageError(f"{order.vendor} never exported entities; leave out --shape")
    if sum(order.shares.values()) + sum(VENDORS[order.vendor].extras.values()) > 1:
        raise click.UsageError("duplicates, conflicts and damage add up to more than one line per message")
    if order.compress == "zst" and importlib.util.find_spec("zstandard") is None:
        raise click.UsageError("zst needs the package zstandard: pip install zstandard")


if __name__ == "__main__":
    main()
