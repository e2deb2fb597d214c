"""Yunxin: answers of its history queries, whole bodies one a line, or one answer as a whole file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from exports.core import TEAM, Draw, Media, Shape, Stretch
from exports.damage import damage, not_an_object, without
from exports.stream import numbered
from exports.tools import backwards, dumps, loads, pick_media, split_at_mark, swap
from exports.yunxin import ATTACH, LINES, NOTICE_SHARES, SHARES, custom_payload
from exports.yunxin_copies import NOTICES, PERSON

PAGE = 100  # the most that an answer holds
NOTICE_KINDS = {kind: share for kind, share in NOTICE_SHARES.items() if kind != "107"}


def media_in_answers(rng: Random) -> Media:
    made = {kind: [split_at_mark(dumps(attach(rng))) for _ in range(1021)] for kind, attach in ATTACH.items()}
    made["100"] = [split_at_mark(dumps(custom_payload(rng))) for _ in range(1021)]
    return made | {kind: [(dumps(notice), "")] for kind, notice in NOTICES.items()}


def content_of(kind: str, draw: Draw, number: int, media: Media) -> tuple[str, str]:
    """The number of the type, and the content that is not text."""
    body = pick_media(media, kind, draw[0], number)
    return ("5", body.replace(PERSON, draw[1][3])) if kind in NOTICE_SHARES else (kind, body)


def item_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    """An item of v1, with the other side in it, as a tool that saves answers may add it."""
    index, (chat, sender, target, _), _, head, tail, ext, client = draw
    body = f'{{"msg":"{head}{tail}"}}'
    if kind != "0":
        kind, body = content_of(kind, draw, number, media)
    side = f'"tid":"{target}"' if chat == TEAM else f'"to":"{target}"'
    ids = f'"msgid":{number},"msgidclient":"{number:032x}","sendtime":{when}'
    ext = "" if kind == "5" else ext
    return f'{{"from":"{sender}",{ids},"type":{kind},"fromclienttype":{client},{ext}"body":{body},{side}}}'


def item2_of(kind: str, draw: Draw, when: int, number: int, media: Media) -> str:
    index, (chat, sender, target, _), _, head, tail, ext, client = draw
    content = f'"text":"{head}{tail}"'
    if kind != "0":
        kind, body = content_of(kind, draw, number, media)
        content = f'"attachment":{body}'
    side = f'"team_id":"{target}"' if chat == TEAM else f'"receiver_id":"{target}"'
    extension = ext.replace('"ext"', '"extension"', 1) if kind != "5" else ""
    ids = f'"message_server_id":"{number}","message_client_id":"{number:032x}","conversation_type":{chat + 1}'
    who = f'"sender_id":"{sender}",{side},"message_type":{kind},"sub_type":0,"create_time":{when}'
    return f'{{{ids},{who},"sender_client_type":{client},{extension}{content}}}'


def answers(front: str, end: str, *, most: int = PAGE) -> Callable[[Iterator[list[str]], Stretch], Iterator[list[str]]]:
    """Whole answers, one a line."""

    def blocks(batches: Iterator[list[str]], stretch: Stretch) -> Iterator[list[str]]:
        for lines in batches:
            for at in range(0, len(lines), most):
                page = lines[at : at + most]
                yield [front % len(page), ",".join(page), end]

    return blocks


def reshape(past: str, rng: Random) -> str:
    record = loads(past)
    body = record.get("body")
    if isinstance(body, dict) and rng.random() < 0.5:
        record["body"] = json.dumps(body)
    return dumps(backwards(record))


def joined(record: dict[str, object], content: object) -> dict[str, object]:
    """The sender that the key names: of a notice that somebody joined it is who joined."""
    if isinstance(content, dict) and content.get("id") == 0 and set(content) == {"id", "data"}:
        return {("from" if "from" in record else "sender_id"): content["data"]["ids"][0]}
    return {}


def conflict(past: str, fresh: str, rng: Random) -> str:
    record = loads(past)
    body = {"msg": f"[改] {rng.getrandbits(64):x}"}
    return dumps(record | joined(record, record["body"]) | {"type": 0, "body": body})


def conflict2(past: str, fresh: str, rng: Random) -> str:
    record = loads(past)
    content = record.pop("attachment", None)
    return dumps(record | joined(record, content) | {"message_type": 0, "text": f"[改] {rng.getrandbits(64):x}"})


V1 = replace(
    LINES,
    kinds=(SHARES, SHARES | NOTICE_KINDS),
    media=media_in_answers,
    line=item_of,
    seconds=swap(r'"sendtime":(\d{10})000\b', r'"sendtime":\1'),
    oddities=(swap(r'"msgid":(\d+)', r'"msgid":"\1"'), swap(r'"sendtime":(\d+)', r'"sendtime":"\1"')),
    reshape=reshape,
    conflict=conflict,
    damaged=damage(without("from", "sender_id"), not_an_object),
    extras={},
    blocks=answers('{"code":200,"size":%d,"msgs":[', "]}\n"),
    name=numbered(".ndjson"),
)
V2 = replace(
    V1,
    line=item2_of,
    seconds=swap(r'"create_time":(\d{10})000\b', r'"create_time":\1'),
    oddities=(swap(r'"message_server_id":"(\d+)"', r'"message_server_id":\1'),
              swap(r'"create_time":(\d+)', r'"create_time":"\1"')),
    conflict=conflict2,
    blocks=answers('{"code":200,"msg":"success","data":{"has_more":true,"next_token":"t%d","items":[', "]}}\n"),
)  # fmt: skip

SHAPES: dict[str, Shape] = {"history-v1": V1, "history-v2": V2}
