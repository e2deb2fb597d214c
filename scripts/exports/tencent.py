"""Tencent: hourly history files of pairs and of groups, laid out in lines or not, answers of history queries, and
recorded callbacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

from exports.core import P2P, START, TEAM, Change, Draw, Media, Shape, Stretch
from exports.damage import LINE_ODDITIES, bad_byte_in, cut, damage, garbage, not_an_object, with_nul, without
from exports.stream import apart_by_hour, as_lines, hour_of, numbered
from exports.texts import SURNAMES, WORDS
from exports.tools import backwards, dumps, loads, pick_media, split_at_mark, swap

SHARES = {"TIMImageElem": 0.08, "TIMSoundElem": 0.06, "TIMVideoFileElem": 0.015, "TIMLocationElem": 0.007} | {
    "TIMFileElem": 0.01, "TIMCustomElem": 0.035, "TIMFaceElem": 0.02, "TIMRelayElem": 0.004, "two": 0.003}  # fmt: skip
DATA = (
    ("", 60), (r',"CloudCustomData":"{\"lv\":12,\"push\":\"新消息\"}"', 14), (r',"CloudCustomData":"plain words"', 4),
    (r',"CloudCustomData":"{\"messageReply\":{\"messageID\":\"144115-1\",\"messageAbstract\":\"好的\"}}"', 8),
)  # fmt: skip
PLATFORMS = ("Android", "iOS", "Web", "Windows", "Mac", "RESTAPI")
PEOPLE: tuple[Callable[[int, Random], str], ...] = (
    lambda n, rng: f"u{n:06d}",
    lambda n, rng: f"{rng.choice(SURNAMES)}_{n}",
    lambda n, rng: f"x{rng.getrandbits(32):08x}-{n:x}",
)
MIX = 2_654_435_761
WIDE = (1 << 32) - 1
PAGES = {P2P: 100, TEAM: 20}
"""Records in an answer, at most."""


def number_of(when: int, index: int) -> int:
    """A MsgSeq that grows with time: no two messages of a file have the same as long as a second has 4096 at most."""
    return ((when - START) // 1000 << 12) + (index & 4095)


def element(kind: str, **content: Any) -> dict[str, Any]:
    return {"MsgType": kind, "MsgContent": content}


def stored(path: str) -> dict[str, Any]:
    return {"Url": f"https://cos.example/{path}/@@", "UUID": f"{path}0123456789abcdef", "Download_Flag": 2}


def image(rng: Random) -> dict[str, Any]:
    width, height = rng.choice((720, 1080)), rng.choice((1280, 1920, 960))
    sizes = [
        {"Type": kind, "Size": rng.randrange(900, 9_000_000), "Width": width // kind, "Height": height // kind,
         "URL": f"https://cos.example/i/{kind}/" + ("@@" if kind == 1 else "7")}
        for kind in rng.sample((1, 2, 3), 3)
    ]  # fmt: skip
    return element("TIMImageElem", UUID=f"{rng.getrandbits(64):016x}", ImageFormat=rng.choice((1, 2, 3, 4, 255)),
                   ImageInfoArray=sizes)  # fmt: skip


def video(rng: Random) -> dict[str, Any]:
    return element("TIMVideoFileElem", VideoUrl="https://cos.example/v/@@", VideoUUID="5da38ba89d6521011e1f6f3fd669",
                   VideoSize=rng.randrange(9000, 90_000_000), VideoSecond=rng.randrange(1, 300), VideoFormat="mp4",
                   VideoDownloadFlag=2, ThumbUrl="https://cos.example/t/1", ThumbUUID="6edaffed", ThumbSize=13907,
                   ThumbWidth=720, ThumbHeight=1280, ThumbFormat="JPG", ThumbDownloadFlag=2)  # fmt: skip


def place(rng: Random) -> dict[str, Any]:
    return element("TIMLocationElem", Desc="北京市海淀区海淀大街 8 号", Latitude=round(rng.uniform(20, 42), 6),
                   Longitude=round(rng.uniform(100, 122), 6))  # fmt: skip


def relay(rng: Random) -> dict[str, Any]:
    kept = {
        "Title": "群聊的聊天记录",
        "MsgNum": 2,
        "CompatibleText": "请升级",
        "AbstractList": ["小王: 好的", "小李: 收到"],
    }
    if rng.random() < 0.5:
        return element("TIMRelayElem", **kept, JsonMsgKey="group-@@")
    said = [element("TIMTextElem", Text="消息")]
    inner = [
        {"From_Account": "A", "GroupId": "g", "MsgSeq": n, "MsgRandom": 7, "MsgTimeStamp": 1664437702, "MsgBody": said}
        for n in (1, 2)
    ]
    return element("TIMRelayElem", **kept, MsgList=inner)


def file(rng: Random) -> dict[str, Any]:
    name = rng.choice(("报价单.xlsx", "a b.pdf", "readme", "file:///private/var/tmp/trim.MOV"))
    return element("TIMFileElem", **stored("d"), FileSize=rng.randrange(900, 9_000_000), FileName=name)


BODIES: dict[str, Callable[[Random], dict[str, Any]]] = {
    "TIMImageElem": image,
    "TIMSoundElem": lambda rng: element(
        "TIMSoundElem", **stored("s"), Size=rng.randrange(99_999), Second=rng.randrange(60)
    ),
    "TIMVideoFileElem": video,
    "TIMLocationElem": place,
    "TIMFileElem": file,
    "TIMCustomElem": lambda rng: element(
        "TIMCustomElem", Data=dumps_text({"orderNo": "@@", "t": rng.choice(WORDS)}), Desc="", Ext=""
    ),
    "TIMFaceElem": lambda rng: element("TIMFaceElem", Index=rng.randrange(99), Data="tt\0\1"),
    "TIMRelayElem": relay,
    "two": image,
}


def dumps_text(value: Any) -> str:
    return dumps(value).encode("latin-1").decode()


def media_of(rng: Random) -> Media:
    return {kind: [split_at_mark(dumps(body(rng))) for _ in range(1021)] for kind, body in BODIES.items()}


def body_of(kind: str, draw: Draw, number: int, media: Media) -> str:
    index, _, _, head, tail, _, _ = draw
    text = f'{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"{head}{tail}"}}}}'
    if kind == "TIMTextElem":
        return text
    found = pick_media(media, kind, index, number)
    return f"{text},{found}" if kind == "two" else found


def line_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    _, (chat, sender, target, _), _, _, _, data, client = draw
    body = body_of(kind, draw, number, media)
    where = "GroupId" if chat == TEAM else "To_Account"
    random = f',"MsgRandom":{number * MIX & WIDE}' if chat == P2P else ""
    ends = f'"From_Account":"{sender}","{where}":"{target}","MsgTimestamp":{when // 1000}'
    return f'{{{ends},"MsgSeq":{number}{random},"MsgBody":[{body}]{data}{client}}}'


ODDITIES: tuple[Change, ...] = (
    swap(r'"MsgSeq":(\d+)', r'"MsgSeq":"\1"', once=True),
    swap(r'"MsgTimestamp":(\d+)', r'"MsgTimestamp":"\1"', once=True),
    swap(r'"MsgRandom":(\d+)', r'"MsgRandom":\1.0', once=True),
)


def reshape(past: str, rng: Random) -> str:
    record = loads(past)
    change = rng.randrange(3)
    if change == 0:
        record["MsgTimestamp"] = str(record["MsgTimestamp"])
    elif change == 1:
        record["MsgSeq"] = str(record["MsgSeq"])
    return dumps(backwards(record))


def conflict(past: str, fresh: str, rng: Random) -> str:
    record = loads(past)
    record["MsgBody"] = [element("TIMTextElem", Text=f"[改] {rng.getrandbits(64):x}")]
    return dumps(record)


bad_byte = bad_byte_in("From_Account", "MsgSeq")
without_sender = without("From_Account")
DAMAGED_LINE = damage(cut, bad_byte, garbage, with_nul, without_sender)


def head_of(stretch: Stretch) -> str:
    chat = "Group" if stretch.chat == TEAM else "C2C"
    return f'{{"SdkAppId":1400000001,"ChatType":"{chat}","MsgTime":"{hour_of(stretch)}","MsgList":['


def as_history(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
    """A head, a record a line, and the end."""
    yield [head_of(stretch), "\n"]
    before = ""
    for lines in batches:
        yield [before, ",\n".join(lines)]
        before = ",\n"
    yield ["\n]}\n"]


def as_one_line(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
    """The same without a line feed, as a JSON library would write it."""
    yield [head_of(stretch)]
    before = ""
    for lines in batches:
        yield [before, ",".join(lines)]
        before = ","
    yield ["]}"]


def item_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    """A record of an answer, with its group, which the answer will tell in its place."""
    return line_of(kind, draw, when, number, media).replace('"MsgTimestamp"', '"MsgTimeStamp"', 1)


def as_answers(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
    """Answers of admin_getroammsg, or of group_msg_get_simple, a line each."""
    waiting: dict[str, list[str]] = defaultdict(list)
    for lines in batches:
        for group, line in grouped(lines):
            items = waiting[group]
            items.append(line)
            if len(items) >= PAGES[stretch.chat or P2P]:
                yield answer_of(group, waiting.pop(group))
    for group, items in waiting.items():
        yield answer_of(group, items)


def answer_of(group: str, items: list[str]) -> list[str]:
    front = f'"GroupId":"{group}","IsFinished":0,"RspMsgList":['
    if not group:
        front = f'"Complete":0,"MsgCnt":{len(items)},"MsgList":['
    return ['{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,', front, ",".join(items), "]}\n"]


def grouped(lines: list[str]) -> Iterator[tuple[str, str]]:
    """The group of each line, and the line without it; what names none goes along with the one before it."""
    group = ""
    for line in lines:
        if '"GroupId":' in line:
            record = loads(line)
            group = record.pop("GroupId", group)
            line = dumps(record)
        yield group, line


def callback_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    _, (chat, sender, target, _), _, _, _, data, _ = draw
    body = body_of(kind, draw, number, media)
    time = f'"MsgTime":{when // 1000},"EventTime":{when + 9},"OnlineOnlyFlag":0,"MsgBody":[{body}]{data}'
    random = number * MIX & WIDE
    if chat == TEAM:
        ends = f'"GroupId":"{target}","Type":"Public","From_Account":"{sender}","Operator_Account":"{sender}"'
        return f'{{"CallbackCommand":"Group.CallbackAfterSendMsg",{ends},"Random":{random},"MsgSeq":{number},{time}}}'
    key = f'"MsgSeq":{number},"MsgRandom":{random},"MsgKey":"{number}_{random}_{when // 1000}","SendMsgResult":0'
    ends = f'"From_Account":"{sender}","To_Account":"{target}"'
    return f'{{"CallbackCommand":"C2C.CallbackAfterSendMsg",{ends},{key},{time}}}'


def event(past: str, fresh: str, rng: Random) -> str:
    earlier = loads(past)
    if "GroupId" in earlier:
        gone = {"CallbackCommand": "Group.CallbackAfterMemberExit", "ExitType": "Quit", "GroupId": earlier["GroupId"]}
        return dumps(gone | {"ExitMemberList": [{"Member_Account": earlier["From_Account"]}]})
    kept = {key: earlier[key] for key in ("From_Account", "To_Account", "MsgKey")}
    return dumps({"CallbackCommand": "C2C.CallbackAfterMsgWithDraw"} | kept)


def live_room(past: str, fresh: str, rng: Random) -> str:
    record = loads(fresh)
    room = {
        "CallbackCommand": "Group.CallbackAfterSendMsg",
        "Type": "AVChatRoom",
        "GroupId": f"@TGS#a{rng.randrange(50)}",
    }
    return dumps({key: value for key, value in record.items() if key != "To_Account"} | room)


HISTORY = Shape(
    kinds=(SHARES, SHARES),
    text="TIMTextElem",
    people=PEOPLE,
    exts=DATA,
    clients=(("", 40), *((f',"MsgFromPlatform":"{name}"', 10) for name in PLATFORMS)),
    group=lambda n, rng: str(100_000 + n * 16 + rng.randrange(16)),
    media=media_of,
    line=line_of,
    number=number_of,
    seconds=swap(r'"MsgTimestamp":(\d{10})\b', r'"MsgTimestamp":\g<1>000', once=True),
    oddities=ODDITIES + LINE_ODDITIES[1:],
    reshape=reshape,
    conflict=conflict,
    damaged=DAMAGED_LINE,
    extras={},
    counts_as={"two": ("TIMTextElem", 1)},
    blocks=as_history,
    name=apart_by_hour,
    hourly=True,
    chats_apart=True,
)

ONE_LINE = replace(
    HISTORY,
    oddities=ODDITIES,
    damaged=damage(without_sender, not_an_object),  # anything else would break the whole document
    blocks=as_one_line,
    single=True,
)

ANSWERS = replace(
    HISTORY,
    line=item_of,
    seconds=swap(r'"MsgTimeStamp":(\d{10})\b', r'"MsgTimeStamp":\g<1>000', once=True),
    oddities=(
        swap(r'"MsgSeq":(\d+)', r'"MsgSeq":"\1"', once=True),
        swap(r'"MsgTimeStamp":(\d+)', r'"MsgTimeStamp":"\1"', once=True),
    ),
    reshape=lambda past, rng: dumps(backwards(loads(past))),
    damaged=damage(without_sender, not_an_object),
    blocks=as_answers,
    name=numbered(".ndjson"),
)

CALLBACKS = replace(
    HISTORY,
    clients=(("", 1),),
    line=callback_of,
    seconds=swap(r'"MsgTime":(\d{10})\b', r'"MsgTime":\g<1>000'),
    oddities=(swap(r'"MsgSeq":(\d+)', r'"MsgSeq":"\1"', once=True), *LINE_ODDITIES),
    reshape=lambda past, rng: dumps(backwards(loads(past))),
    extras={"events": (0.0004, event), "chatroom": (0.0004, live_room)},
    blocks=as_lines,
    name=numbered(".ndjson"),
    hourly=False,
    chats_apart=False,
)

SHAPES = {"history": HISTORY, "one-line": ONE_LINE, "answers": ANSWERS, "callbacks": CALLBACKS}
