"""What Tencent must be given for Yunxin's import lines, said as plainly as can be: json, dicts and sorting.

Written from tencent.md alone; shares no code with the converter. Everything is in memory. It knows lines whose ids are
unique and that need no repair, and the default settings.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from typing import Any

from xxhash import xxh3_128_digest

FORMATS = {"jpg": 1, "jpeg": 1, "gif": 2, "png": 3, "bmp": 4}
NOTICES = {101: "join", 102: "kick", 103: "mute", 104: "unmute", 105: "appoint", 106: "dismiss-manager", 107: "info",
           108: "transfer", 109: "leave", 110: "disband"}  # fmt: skip


def calls(lines: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The calls of each conversation, in order: path and body, CloudCustomData opened."""
    talks: dict[str, list[Any]] = defaultdict(list)
    for number, line in enumerate(lines):
        data = line["data"]
        talk = str(data["tid"]) if "tid" in data else "·".join(sorted((data["from"], data["to"])))
        talks[talk].append((data["createTime"], number, line))
    return {talk: in_order([line for _, _, line in sorted(some)]) for talk, some in talks.items()}


def in_order(lines: list[dict[str, Any]]) -> list[Any]:
    if "tid" in lines[0]["data"]:
        group = {"GroupId": str(lines[0]["data"]["tid"]), "RecentContactFlag": 1}
        items = [item(line) for line in lines]
        batches = [items[start : start + 7] for start in range(0, len(items), 7)]
        return [("group_open_http_svc/import_group_msg", {**group, "MsgList": batch}) for batch in batches]
    found = []
    before = None
    for line in lines:
        time = line["data"]["createTime"]
        ordinal = ordinal + 1 if time == before else 0  # noqa: F821 - set in the first round, where before is None
        before = time
        found.append(("openim/importmsg", pair(line, time % 1000 * 10**6 + ordinal)))
    return found


def random_of(*key: Any) -> int:
    return int.from_bytes(xxh3_128_digest(json.dumps(key, separators=(",", ":")).encode())[:4], "little")


def pair(line: dict[str, Any], seq: int) -> dict[str, Any]:
    data = line["data"]
    time, sender, receiver = data["createTime"], data["from"], data["to"]
    return {
        "SyncFromOldSystem": 2, "From_Account": sender, "To_Account": receiver, "MsgSeq": seq,
        "MsgRandom": random_of(data["msgid"], sender, receiver, time), "MsgTimeStamp": time // 1000,
        **content(line, sender),
    }  # fmt: skip


def item(line: dict[str, Any]) -> dict[str, Any]:
    data = line["data"]
    time, sender = data["createTime"], data["accid"]
    if line["type"] == 101:
        sender = data["accid2"]
    random = random_of(data["msgid"], sender, [str(data["tid"])], time)
    return {"From_Account": sender, "SendTime": time // 1000, "Random": random, **content(line, sender)}


def content(line: dict[str, Any], sender: str) -> dict[str, Any]:
    data, left = line["data"], {}
    if line["type"] == 0:
        element = "TIMTextElem", {"Text": data["body"]}
    elif line["type"] == 100:
        element = "TIMCustomElem", custom(data["attach"])
    elif line["type"] == 4:
        place = json.loads(data["attach"])
        element = "TIMLocationElem", {"Desc": place["title"], "Latitude": float(place["lat"]),
                                      "Longitude": float(place["lng"])}  # fmt: skip
    elif line["type"] in NOTICES:
        raw = {"notice": NOTICES[line["type"]]}
        other = data["accid"] if line["type"] == 101 else data.get("accid2")
        raw |= {"who": other} if other else {}
        raw |= {"info": {k: v for k, v in data["tinfo"].items() if k != "tid"}} if "tinfo" in data else {}
        element = "TIMCustomElem", custom({"v": 1, "kind": "notice", "src": "imconvert", "raw": raw})
    else:
        element = MEDIA[line["type"]](json.loads(data["attach"]), left)
    note = {"id": str(data["msgid"]), "ms": data["createTime"], "client": data["clientType"]}
    note |= {"left": left} if left else {}
    ext = json.loads(data["ext"]) if data.get("ext") else {}
    return {"MsgBody": [{"MsgType": element[0], "MsgContent": element[1]}],
            "CloudCustomData": {**ext, "imconvert": note}}  # fmt: skip


def hash_of(url: str) -> str:
    return xxh3_128_digest(url.encode()).hex()


def custom(data: Any) -> dict[str, str]:
    return {"Data": json.dumps(data, ensure_ascii=False, separators=(",", ":")), "Desc": "", "Ext": ""}


def named(attach: dict[str, Any]) -> str:
    return attach.get("md5") or hash_of(attach["url"])


def keep(attach: dict[str, Any], left: dict[str, Any], **names: str) -> None:
    left.update({name: attach[key] for name, key in names.items() if key in attach})


def suffix(attach: dict[str, Any], left: dict[str, Any]) -> None:
    """What neither the name nor the address tells."""
    if not any(name.endswith("." + attach["ext"]) for name in (attach["url"], attach.get("name", ""))):
        left["suffix"] = attach["ext"]


def image(attach: dict[str, Any], left: dict[str, Any]) -> Any:
    size = {"Size": attach.get("size", 0), "Width": attach.get("w", 0), "Height": attach.get("h", 0),
            "URL": attach["url"]}  # fmt: skip
    keep(attach, left, name="name")
    form = FORMATS.get(attach.get("ext", "").lower(), 255)
    if form == 255:
        suffix(attach, left)
    return "TIMImageElem", {"UUID": named(attach), "ImageFormat": form,
                            "ImageInfoArray": [{"Type": kind, **size} for kind in (1, 2, 3)]}  # fmt: skip


def seconds(attach: dict[str, Any], left: dict[str, Any]) -> int:
    found = max(1, math.ceil(attach["dur"] / 1000))
    if found * 1000 != attach["dur"]:
        left["duration"] = attach["dur"]
    return found


def sound(attach: dict[str, Any], left: dict[str, Any]) -> Any:
    found = {"Url": attach["url"], "UUID": named(attach), "Size": attach["size"], "Second": seconds(attach, left),
             "Download_Flag": 2}  # fmt: skip
    keep(attach, left, name="name")
    suffix(attach, left)
    return "TIMSoundElem", found


def video(attach: dict[str, Any], left: dict[str, Any]) -> Any:
    cover = hash_of(attach["url"])
    found = {
        "VideoUrl": attach["url"], "VideoUUID": named(attach), "VideoSize": attach["size"],
        "VideoSecond": seconds(attach, left), "VideoFormat": attach["ext"], "VideoDownloadFlag": 2,
        "ThumbUrl": attach["url"], "ThumbUUID": cover, "ThumbWidth": attach["w"], "ThumbHeight": attach["h"],
        "ThumbDownloadFlag": 2,
    }  # fmt: skip
    keep(attach, left, name="name")
    return "TIMVideoFileElem", found


def file(attach: dict[str, Any], left: dict[str, Any]) -> Any:
    suffix(attach, left)
    return "TIMFileElem", {"Url": attach["url"], "UUID": named(attach), "FileSize": attach["size"],
                           "FileName": attach["name"], "Download_Flag": 2}  # fmt: skip


MEDIA = {1: image, 2: sound, 3: video, 6: file}
