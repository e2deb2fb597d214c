"""What the vendors' documents say of every call and every packaged message in the goldens of Tencent, RongCloud and
devices; and that nothing these targets can say lacks a golden."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import pytest
from golden import Case, codes_of, target_cases

from imconvert.errors import CATALOGUE

CASES = target_cases()
TENCENT = [case for case in CASES if "to-tencent" in case.name]
PACKAGED = [case for case in CASES if "to-device" in case.name or "to-rongcloud" in case.name]

ELEMENTS: dict[str, tuple[set[str], set[str]]] = {
    "TIMTextElem": ({"Text"}, set()),
    "TIMLocationElem": ({"Desc", "Latitude", "Longitude"}, set()),
    "TIMFaceElem": ({"Index"}, {"Data", "Colour"}),
    "TIMCustomElem": ({"Data"}, {"Desc", "Ext", "Sound"}),
    "TIMSoundElem": ({"Url", "UUID", "Download_Flag"}, {"Size", "Second"}),
    "TIMImageElem": ({"UUID", "ImageFormat", "ImageInfoArray"}, set()),
    "TIMFileElem": ({"Url", "UUID", "FileName", "Download_Flag"}, {"FileSize"}),
    "TIMVideoFileElem": (
        {"VideoUrl", "VideoUUID", "VideoDownloadFlag", "ThumbUrl", "ThumbUUID", "ThumbWidth", "ThumbHeight",
         "ThumbDownloadFlag"}, {"VideoSize", "VideoSecond", "VideoFormat", "ThumbSize", "ThumbFormat"}),
    "TIMRelayElem": ({"Title", "MsgNum", "CompatibleText", "AbstractList"}, {"MsgList", "JsonMsgKey"}),
}  # fmt: skip
"""What an element must have to be sent and may have (tencent.md §6)."""

BODIES: dict[str, tuple[set[str], set[str]]] = {
    "txt": ({"content"}, set()),
    "loc": ({"latitude", "longitude", "address"}, {"buildingName"}),
    "custom": ({"event", "params"}, set()),
    "combine": ({"title", "summary", "remotePath"}, {"compatibleText", "secret", "displayName"}),
    "img": ({"width", "height"}, {"thumbnailRemotePath", "thumbnailSecret"}),
    "voice": ({"duration"}, set()),
    "video": ({"duration"}, {"width", "height", "thumbnailRemotePath", "thumbnailSecret"}),
    "file": (set(), set()),
}  # fmt: skip
FILES = {"remotePath", "displayName", "fileSize", "localPath", "fileStatus"}
"""The bodies of Easemob's SDK (easemob.md §7); those of files have FILES as well."""

U32 = range(1 << 32)


def lines_of(case: Case, *names: str) -> Iterator[dict[str, Any]]:
    files = case.expected()
    for name in names:
        yield from map(json.loads, files.get(name, b"").splitlines())


def calls_of(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((line["api"], line["body"]) for line in lines_of(case, "p2p.ndjson", "team.ndjson"))


def messages_in(api: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    if api == "openim/admin_set_msg_read":
        return []
    return [body] if api == "openim/importmsg" else body["MsgList"]


@pytest.mark.parametrize("case", TENCENT, ids=attrgetter("id"))
def test_calls_are_what_the_documents_say(case: Case) -> None:
    most = int(case.asked().get("settings", {}).get("tencent.size_limit", 12_288))
    for api, body in calls_of(case):
        for message in messages_in(api, body):
            assert 1 <= len(message["From_Account"].encode()) <= 32
            assert len(json.dumps(message["MsgBody"], ensure_ascii=False, separators=(",", ":")).encode()) <= most
            assert isinstance(message.get("CloudCustomData", ""), str)
            kinds = [element["MsgType"] for element in message["MsgBody"]]
            assert 1 <= len(kinds) and kinds.count("TIMCustomElem") <= 1
            for element in message["MsgBody"]:
                required, optional = ELEMENTS.get(element["MsgType"], (set(), set(element["MsgContent"])))
                known = required | optional
                assert required <= element["MsgContent"].keys() <= known, element


@pytest.mark.parametrize("case", TENCENT, ids=attrgetter("id"))
def test_pairs_are_in_order_and_never_twice_the_same(case: Case) -> None:
    seen: dict[tuple[str, ...], set[tuple[int, ...]]] = defaultdict(set)
    last: dict[tuple[str, ...], int] = {}
    for api, body in calls_of(case):
        if api != "openim/importmsg":
            continue
        pair = tuple(sorted((body["From_Account"], body["To_Account"])))
        triple = (body["MsgSeq"], body["MsgRandom"], body["MsgTimeStamp"])
        assert body["MsgSeq"] in U32 and body["MsgRandom"] in U32
        assert triple not in seen[pair]
        assert last.get(pair, 0) <= body["MsgTimeStamp"]
        seen[pair].add(triple)
        last[pair] = body["MsgTimeStamp"]


@pytest.mark.parametrize("case", TENCENT, ids=attrgetter("id"))
def test_groups_are_in_order_in_batches_with_distinct_randoms(case: Case) -> None:
    most = int(case.asked().get("settings", {}).get("tencent.group_batch", 7))
    randoms: dict[Any, set[int]] = defaultdict(set)
    last: dict[Any, int] = {}
    for api, body in calls_of(case):
        if api != "group_open_http_svc/import_group_msg":
            continue
        group = body["GroupId"], body.get("TopicId")
        assert 1 <= len(body["MsgList"]) <= most
        for item in body["MsgList"]:
            assert item["Random"] in U32 and item["Random"] not in randoms[group]
            assert last.get(group, 0) <= item["SendTime"]
            randoms[group].add(item["Random"])
            last[group] = item["SendTime"]


@pytest.mark.parametrize("api", ["openim/importmsg", "group_open_http_svc/import_group_msg"])
@pytest.mark.parametrize("kind", ELEMENTS)
def test_every_element_has_a_golden_in_both_chats(kind: str, api: str) -> None:
    written = {(one, element["MsgType"]) for case in TENCENT for one, body in calls_of(case)
               for message in messages_in(one, body) for element in message["MsgBody"]}  # fmt: skip
    assert (api, kind) in written


def packages_of(case: Case) -> Iterator[dict[str, Any]]:
    names = [name for name in case.expected() if name.startswith("packages-")]
    return lines_of(case, *sorted(names))


@pytest.mark.parametrize("case", [case for case in PACKAGED if "to-device" in case.name], ids=attrgetter("id"))
def test_messages_for_easemobs_sdk_are_what_it_reads(case: Case) -> None:
    for message in packages_of(case):
        assert message["direction"] in ("send", "rec") and message["chatType"] in (0, 1) and message["status"] == 2
        assert isinstance(message["msgId"], str) and isinstance(message["attributes"], dict)
        body = message["body"]
        required, optional = BODIES[body["type"]]
        more = FILES | {"secret"} if "fileStatus" in body else set()
        assert required <= body.keys() <= required | optional | more | {"type"}
        if body["type"] == "custom":
            assert all(isinstance(value, str) for value in body["params"].values()) and len(body["params"]) <= 16
        if body["type"] == "loc":
            assert isinstance(body["latitude"], float) and isinstance(body["longitude"], float)


@pytest.mark.parametrize("case", [case for case in PACKAGED if "to-rongcloud" in case.name], ids=attrgetter("id"))
def test_messages_for_rongclouds_sdk_are_what_it_reads(case: Case) -> None:
    for message in packages_of(case):
        assert message["messageDirection"] in (1, 2) and message["conversationType"] in (1, 3)
        assert message["sentStatus"] == 30 and message["receivedStatus"] == 1
        assert message["messageUId"] and isinstance(message["sentTime"], int)
        content = message["content"]
        assert isinstance(json.loads(content) if isinstance(content, str) else content, dict)


@pytest.mark.parametrize("kind", BODIES)
def test_every_body_of_easemobs_sdk_has_a_golden(kind: str) -> None:
    found = {(message["body"]["type"], message["chatType"]) for case in PACKAGED if "to-device" in case.name
             for message in packages_of(case)}  # fmt: skip
    assert {(kind, 0), (kind, 1)} <= found


@pytest.mark.parametrize("name", [
    "RC:TxtMsg", "RC:ImgMsg", "RC:GIFMsg", "RC:HQVCMsg", "RC:SightMsg", "RC:FileMsg", "RC:LBSMsg", "RC:GrpNtf",
    "RC:ReferenceMsg", "RC:CombineMsg", "imconvert:raw",
])  # fmt: skip
def test_every_class_of_rongcloud_has_a_golden(name: str) -> None:
    assert name in {message["objectName"] for case in PACKAGED if "to-rongcloud" in case.name
                    for message in packages_of(case)}  # fmt: skip


@pytest.mark.parametrize(
    "code", [code for code in CATALOGUE if "IMC-2550" <= code <= "IMC-2599" or "IMC-3250" <= code <= "IMC-3299"]
)
def test_code_has_a_golden(code: str) -> None:
    assert code in {found for case in CASES for found in codes_of(case)}
