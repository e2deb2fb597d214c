"""Yunxin: posts of its message copy service, a JSON body a line."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

from exports.core import TEAM, Change, Draw, Media
from exports.damage import LINE_ODDITIES, bad_byte_in, cut, damage, garbage, with_nul, without
from exports.stream import as_lines, numbered
from exports.tools import backwards, dumps, loads, pick_media, quoted, split_at_mark, swap
from exports.yunxin import LINES, NOTICE_SHARES, TINFO, custom_payload, media_of

TYPES = {"0": "TEXT", "1": "PICTURE", "2": "AUDIO", "3": "VIDEO", "4": "LOCATION", "6": "FILE", "100": "CUSTOM"}
CLIENTS = {"1": "AOS", "2": "IOS", "4": "PC", "16": "WEB", "32": "REST", "64": "MAC"}
PERSON, NUMBER = "@person@", "@number@"
NOTICES: dict[str, Any] = {
    "101": {"id": 0, "data": {"ids": [PERSON]}}, "102": {"id": 1, "data": {"ids": [PERSON]}},
    "103": {"id": 10, "data": {"ids": [PERSON], "mute": "1"}},
    "104": {"id": 10, "data": {"ids": [PERSON], "mute": "0"}},
    "105": {"id": 7, "data": {"ids": [PERSON]}}, "106": {"id": 8, "data": {"ids": [PERSON]}},
    "108": {"id": 6, "data": {"id": PERSON}}, "109": {"id": 2, "data": {}}, "110": {"id": 4, "data": {}},
}  # fmt: skip


def media_in_copies(rng: Random) -> Media:
    infos = [{"id": 3, "data": {"tinfo": json.loads(f"{{{part}}}")}} for part in TINFO]
    return media_of(rng) | {
        "100": [split_at_mark(f'"attach":{quoted(custom_payload(rng))}') for _ in range(1021)],
        "107": [(f'"attach":{quoted(info)}', "") for info in infos],
        **{kind: [(f'"attach":{quoted(notice)}', "")] for kind, notice in NOTICES.items()},
    }


def copy_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (chat, sender, target, other), _, head, tail, ext, client = draw
    body, attach, name = "", '"attach":""', TYPES.get(kind, "NOTIFICATION")
    if kind == "0":
        body = f"{head}{tail}"
    else:
        attach = pick_media(media, kind, index, number)
        if kind in NOTICE_SHARES:
            attach = attach.replace(PERSON, other)
    conv = "TEAM" if chat == TEAM else "PERSON"
    who = f'"to":"{target}","fromAccount":"{sender}","fromClientType":"{CLIENTS[client]}","fromDeviceId":"d{index:x}"'
    ids = f'"msgidClient":"{number:032x}","msgidServer":"{number}","resendFlag":"0"'
    ext = "" if kind in NOTICE_SHARES else ext
    what = f'"msgTimestamp":"{when}","msgType":"{name}",{ids},"body":"{body}",{ext}{attach}'
    return f'{{"eventType":"1","convType":"{conv}",{who},"fromNick":"{sender}",{what}}}'


ODDITIES: tuple[Change, ...] = (
    swap(r'"msgidServer":"(\d+)"', r'"msgidServer":\1'),
    swap(r'"msgTimestamp":"(\d+)"', r'"msgTimestamp":\1'),
    swap(r'"eventType":"1"', '"eventType":1'),
)


def reshape(past: str, rng: Random) -> str:
    record = loads(past)
    if rng.random() < 0.5 and record["attach"]:
        record["attach"] = json.loads(record["attach"])
    return dumps(backwards(record | {"resendFlag": "1"}))


def conflict(past: str, fresh: str, rng: Random) -> str:
    """Another text under the key of a message; the key of a notice that somebody joined names who joined."""
    record = loads(past)
    if '"id":0,' in record["attach"].replace(" ", "") and record["msgType"] == "NOTIFICATION":
        record["fromAccount"] = json.loads(record["attach"])["data"]["ids"][0]
    return dumps(record | {"msgType": "TEXT", "attach": "", "body": f"[改] {rng.getrandbits(64):x}"})


def event(past: str, fresh: str, rng: Random) -> str:
    earlier = loads(past)
    login = {"eventType": rng.choice(("2", "3")), "accid": earlier["fromAccount"], "timestamp": earlier["msgTimestamp"]}
    friend = earlier | {"convType": "CUSTOM_PERSON", "msgType": "FRIEND_ADD", "attach": '{"vt":1}'}
    return dumps(rng.choice((login, friend)))


def chatroom(past: str, fresh: str, rng: Random) -> str:
    return dumps({"eventType": "4", "roomId": str(rng.randrange(99)), "msgType": "TEXT", "attach": "好的"})


COPIES = replace(
    LINES,
    media=media_in_copies,
    line=copy_of,
    seconds=swap(r'"msgTimestamp":"(\d{10})000"', r'"msgTimestamp":"\1"'),
    oddities=ODDITIES + LINE_ODDITIES,
    reshape=reshape,
    conflict=conflict,
    damaged=damage(cut, bad_byte_in("msgidServer"), garbage, with_nul, without("fromAccount")),
    extras={"events": (0.002, event), "chatroom": (0.0004, chatroom)},
    blocks=as_lines,
    name=numbered(".ndjson"),
)

SHAPES = {"copies": COPIES}
