"""The whole converter against a naive one: the calls for Tencent, of random Yunxin lines of every type."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from golden import run
from oracle_tencent import NOTICES, calls

SEED = int(os.environ.get("IMCONVERT_SEED", "1"))
BASE = 1_709_690_400_000
PEOPLE = ("ann", "bob", "carl_1", "d.ora", "e-v@x")
TEXTS = ("hi", "你好 😀", 'quotes " and \\ back', "line\nbreak\ttab", "é́", "\u0001", "")


def attach(chance: random.Random, suffix: str, **fields: Any) -> str:
    url = f"https://m.example/{chance.randrange(99)}" + chance.choice(["", f".{suffix}", ".bin"])
    found: dict[str, Any] = {"url": url, "ext": suffix, "size": chance.randrange(10**6), **fields}
    if chance.random() < 0.5:
        found["md5"] = f"{chance.randrange(16**32):032x}"
    if "name" not in found and chance.random() < 0.3:
        found["name"] = chance.choice(["a." + suffix, "图", "b.tmp"])
    return json.dumps(found, ensure_ascii=False)


def content(chance: random.Random, kind: int, tid: int) -> dict[str, Any]:
    match kind:
        case 0:
            return {"body": chance.choice(TEXTS)}
        case 1:
            return {"attach": attach(chance, chance.choice(["jpg", "png", "webp"]), w=4, h=chance.randrange(9))}
        case 2:
            return {"attach": attach(chance, "amr", dur=chance.choice([0, 1, 999, 1000, 1001, 60_000]))}
        case 3:
            return {"attach": attach(chance, "mp4", dur=chance.choice([3000, 3001]), w=16, h=9)}
        case 4:
            place = {
                "title": chance.choice(TEXTS),
                "lng": "116.397477",
                "lat": chance.choice(["39.908692", "-1.5", "0"]),
            }
            return {"attach": json.dumps(place, ensure_ascii=False)}
        case 6:
            return {"attach": attach(chance, "pdf", name=chance.choice(["报告.pdf", "x"]))}
        case 100:
            return {"attach": chance.choice([{"k": "v", "n": [1, 2.5, None]}, {"字": "值"}])}
        case 107:
            return {"tinfo": {"tid": tid, "14": "公告"}}
        case 109 | 110:
            return {}
        case _:
            return {"accid2": chance.choice(PEOPLE)}


def line(chance: random.Random, number: int) -> dict[str, Any]:
    kind = chance.choice([0, 0, 0, 1, 2, 3, 4, 6, 100, *NOTICES])
    tid = chance.randrange(1, 4)
    sender = chance.choice(PEOPLE)
    team = kind in NOTICES or chance.random() < 0.5
    ends = {"accid": sender, "tid": tid} if team else {"from": sender, "to": chance.choice(PEOPLE)}
    data = {"msgid": number, **ends, "createTime": BASE + chance.randrange(4000) // chance.choice([1, 500]),
            "clientType": chance.choice([1, 2, 16, 32])}  # fmt: skip
    if kind not in NOTICES and chance.random() < 0.3:
        data["ext"] = chance.choice(['{"a":1}', '{"imconvert":{"x":1},"b":"字"}'.replace('"imconvert"', '"other"')])
    return {"type": kind, "data": data | content(chance, kind, tid)}


def opened(body: dict[str, Any]) -> dict[str, Any]:
    """A body with CloudCustomData opened, for the order of keys in it is nobody's business."""
    for message in body.get("MsgList", [body]):
        message["CloudCustomData"] = json.loads(message["CloudCustomData"])
    return body


def calls_in(folder: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for shard in sorted(folder.glob("*-0*.ndjson")):
        for raw in shard.read_bytes().splitlines():
            request = json.loads(raw)
            found.setdefault(request["conv"], []).append((request["api"], opened(request["body"])))
    return found


@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
def test_converter_gives_what_the_oracle_gives(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    lines = [line(chance, number) for number in range(1, 1500)]
    (tmp_path / "in").mkdir()
    data = "".join(json.dumps(one, ensure_ascii=chance.random() < 0.5) + "\n" for one in lines)
    (tmp_path / "in" / "lines.txt").write_text(data, encoding="utf-8")
    outcome = run(tmp_path / "in", tmp_path / "out", "yunxin", target="tencent", segment_size=50_000)
    assert len(lines) == outcome.manifest.totals.written, f"seed {seed}"
    assert calls(lines) == calls_in(tmp_path / "out"), f"seed {seed}"
