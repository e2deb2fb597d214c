"""What a MsgBody may hold (tencent.md §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from imconvert.simulators.core.checks import Rule, array, check, integer, number, one_of, table, text
from imconvert.simulators.core.desk import Setting

_TEXT, _INT = text(), integer(0)
_PICTURE = {
    "URL": Rule(text(1), 0), "Width": Rule(_INT, 0), "Height": Rule(_INT, 0),
    "Type": Rule(one_of((1, 2, 3)), 0, needed=False), "Size": Rule(_INT, 0, needed=False),
}  # fmt: skip


class _Wrong(Exception):
    pass


def _wrong(code: Any, info: str) -> Any:
    raise _Wrong(info)


def _picture(value: Any) -> bool:
    try:
        check(value if isinstance(value, dict) else {}, _PICTURE, _wrong)
    except _Wrong:
        return False
    return True


def _fields(needed: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Rule]:
    return {name: Rule(test, 0) for name, test in needed.items()} | {
        name: Rule(test, 0, needed=False) for name, test in others.items()
    }


ELEMENTS: dict[str, dict[str, Rule]] = {
    "TIMTextElem": _fields({"Text": _TEXT}, {}),
    "TIMLocationElem": _fields({"Latitude": number, "Longitude": number}, {"Desc": _TEXT}),
    "TIMFaceElem": _fields({"Index": integer()}, {"Data": _TEXT}),
    "TIMCustomElem": _fields({}, {"Data": _TEXT, "Desc": _TEXT, "Ext": _TEXT, "Sound": _TEXT}),
    "TIMSoundElem": _fields(
        {"Url": text(1), "UUID": text(1), "Download_Flag": integer()}, {"Size": _INT, "Second": _INT}
    ),
    "TIMImageElem": _fields(
        {"UUID": text(1), "ImageInfoArray": array(1, of=_picture)}, {"ImageFormat": one_of((1, 2, 3, 4, 255))}
    ),
    "TIMFileElem": _fields(
        {"Url": text(1), "UUID": text(1), "Download_Flag": integer()}, {"FileSize": _INT, "FileName": _TEXT}
    ),
    "TIMVideoFileElem": _fields(
        {"VideoUrl": text(1), "VideoUUID": text(1), "VideoDownloadFlag": integer(), "ThumbUrl": text(1),
         "ThumbUUID": text(1), "ThumbDownloadFlag": integer(), "ThumbWidth": _INT, "ThumbHeight": _INT},
        {"VideoSize": _INT, "VideoSecond": _INT, "VideoFormat": _TEXT, "ThumbSize": _INT, "ThumbFormat": _TEXT},
    ),
    "TIMRelayElem": _fields(
        {"Title": _TEXT, "MsgNum": _INT, "CompatibleText": _TEXT, "AbstractList": array(of=_TEXT)},
        {"MsgList": array(), "JsonMsgKey": text(1)},
    ),
}  # fmt: skip
"""Fields of MsgContent by MsgType: those that a sender has to give, and others with their types."""

SIZE = Setting(12288, "longest MsgBody in bytes; older pages say 8000 (§2)")


def problem_of(body: Any) -> str | None:
    """What is wrong with a MsgBody, in a few words."""
    if not isinstance(body, list) or not body:
        return "MsgBody holds no elements"
    for element in body:
        if not isinstance(element, dict) or not table(element.get("MsgContent")):
            return "an element has no MsgContent"
        rules = ELEMENTS.get(str(element.get("MsgType")))
        if rules is None:
            return f"there is no MsgType {element.get('MsgType')!r}"
        try:
            check(element["MsgContent"], rules, _wrong)
        except _Wrong as why:
            return str(why)
    if sum(element["MsgType"] == "TIMCustomElem" for element in body) > 1:
        return "there is more than one TIMCustomElem"
    return None


def size_of(body: Any) -> int:
    """Bytes of a MsgBody as compact JSON (§2, size policy)."""
    return len(orjson.dumps(body))
