"""Tencent as a target: elements, bodies within limits, calls in order (tencent.md §4.1, §5.4, §6, §11)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from golden import FIXTURES, LATEST, cases, run
from roads import complete
from target_lines import PARTS, TIME, Road, message
from xxhash import xxh3_128_hexdigest

from imconvert.errors import Rejected
from imconvert.model import Custom, Media, Message, Notes, Notice, Skip, derived_id, key_of
from imconvert.vendors import BY_NAME

GROUP = {"chat": "team", "target": "880011"}
NOTE = json.dumps({"imconvert": {"id": "7001", "ms": TIME, "client": 32}}, separators=(",", ":"))


def element(part: Any, **asked: str) -> Any:
    """The one element that a part becomes."""
    (found,) = Road("tencent", **asked).body(message(part))["MsgBody"]
    return found


def note_of(body: Any) -> Any:
    return json.loads(body["CloudCustomData"])["imconvert"]


def test_call_of_a_pair_is_as_documented() -> None:
    body = Road("tencent").body(message("hello"))
    key = key_of(7001, "ann", "bob", TIME)
    assert body == {
        "MsgSeq": 123_000_000, "MsgRandom": int.from_bytes(key[:4], "little"), "MsgTimeStamp": 1_709_690_405,
        "SyncFromOldSystem": 2, "From_Account": "ann", "To_Account": "bob",
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}],
        "CloudCustomData": NOTE,
    }  # fmt: skip


def test_call_of_a_group_is_as_documented() -> None:
    body = Road("tencent").body(message("morning", **GROUP))
    key = key_of(7001, "ann", ("880011",), TIME)
    item = {
        "Random": int.from_bytes(key[:4], "little"), "SendTime": 1_709_690_405, "From_Account": "ann",
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "morning"}}],
        "CloudCustomData": NOTE,
    }  # fmt: skip
    assert body == {"GroupId": "880011", "RecentContactFlag": 1, "MsgList": [item]}


def named(url: str) -> str:
    return xxh3_128_hexdigest(url.encode())


ELEMENTS = {
    "image": ("TIMImageElem", {"UUID": "d" * 32, "ImageFormat": 1, "ImageInfoArray": [
        {"Type": size, "Size": 9, "Width": 4, "Height": 3, "URL": "https://m.example/a.jpg"} for size in (1, 2, 3)]}),
    "audio": ("TIMSoundElem", {"Url": "https://m.example/v.amr", "UUID": named("https://m.example/v.amr"), "Size": 7,
                               "Second": 2, "Download_Flag": 2}),
    "video": ("TIMVideoFileElem", {
        "VideoUrl": "https://m.example/v.mp4", "VideoUUID": named("https://m.example/v.mp4"), "VideoSize": 70,
        "VideoSecond": 3, "VideoFormat": "mp4", "VideoDownloadFlag": 2, "ThumbUrl": "https://m.example/v.mp4",
        "ThumbUUID": named("https://m.example/v.mp4"), "ThumbWidth": 16, "ThumbHeight": 9, "ThumbDownloadFlag": 2}),
    "file": ("TIMFileElem", {"Url": "https://m.example/f.pdf", "UUID": named("https://m.example/f.pdf"), "FileSize": 5,
                             "FileName": "报告.pdf", "Download_Flag": 2}),
    "place": ("TIMLocationElem", {"Desc": "天安门", "Latitude": 39.908692, "Longitude": 116.397477}),
    "custom": ("TIMCustomElem", {"Data": '{"k":"v"}', "Desc": "", "Ext": ""}),
    "face": ("TIMFaceElem", {"Index": 1, "Data": "x"}),
    "card": ("TIMCustomElem", {"Data": '{"v":1,"kind":"card","src":"rongcloud","raw":{"objectName":"RC:ImgTextMsg",'
                                       '"content":{"title":"t"}}}', "Desc": "", "Ext": ""}),
    "notice": ("TIMCustomElem", {"Data": '{"v":1,"kind":"notice","src":"imconvert","raw":{"notice":"join",'
                                         '"who":"carl"}}', "Desc": "", "Ext": ""}),
}  # fmt: skip


@pytest.mark.parametrize("kind", ELEMENTS)
def test_part_becomes_the_documented_element(kind: str) -> None:
    name, content = ELEMENTS[kind]
    assert {"MsgType": name, "MsgContent": content} == element(PARTS[kind])


def exact(case: Any) -> bool:
    return case.vendor == "tencent" and case.name in (
        "custom", "face", "file", "image", "relay", "several-elements", "sound", "c2c-text", "group-text",
    )  # fmt: skip


def records(case: Any) -> list[bytes]:
    lines = [line for file in case.inputs() for line in file.read_bytes().split(b"\n")]
    return [line.strip().rstrip(b",") for line in lines if b'"MsgSeq"' in line]


@pytest.mark.parametrize("case", [case for case in cases() if exact(case)], ids=lambda case: case.name)
def test_what_came_from_tencent_goes_back_as_it_was(case: Any) -> None:
    road = Road("tencent")
    read = BY_NAME["tencent"].reader(complete({}), Notes(), LATEST)
    for raw in records(case):
        record, one = json.loads(raw), read(raw)
        assert isinstance(one, Message)
        body = road.body(one)
        item = body["MsgList"][0] if "MsgList" in body else body
        assert documented(record["MsgBody"]) == documented(item["MsgBody"])
        if "To_Account" in record:
            names = ("MsgSeq", "MsgRandom", "From_Account", "To_Account")
            assert [record[name] for name in names] == [body[name] for name in names]
            assert record.get("CloudCustomData") == body.get("CloudCustomData")


def documented(body: list[Any]) -> list[Any]:
    """Elements but for what reading brings into one form: paths of files, typings, order of sizes, missing names."""
    return [{"MsgType": element["MsgType"], "MsgContent": plain(element["MsgContent"])} for element in body]


def plain(content: Any) -> Any:
    found = {key: int(value) if key in ("Second", "Size", "FileSize") else value for key, value in content.items()}
    found = {key: value for key, value in found.items() if not key.endswith(("Flag", "FileName"))}
    if "ImageInfoArray" in found:
        found["ImageInfoArray"] = sorted(found["ImageInfoArray"], key=lambda size: size["Type"])
        found["ImageInfoArray"] = [{k: v or 0 for k, v in size.items()} for size in found["ImageInfoArray"]]
    return found


def test_several_parts_are_one_message() -> None:
    body = Road("tencent").body(message("look", PARTS["image"], PARTS["custom"]))
    assert ["TIMTextElem", "TIMImageElem", "TIMCustomElem"] == [one["MsgType"] for one in body["MsgBody"]]


def test_a_second_custom_element_is_a_message_of_its_own() -> None:
    road = Road("tencent")
    one = message(PARTS["custom"], "between", PARTS["custom"], client=1)
    lines = road.lines(one)
    bodies = [json.loads(request.data)["body"] for request in road.requests([one])]
    kinds = [[one["MsgType"] for one in body["MsgBody"]] for body in bodies]
    assert [["TIMCustomElem", "TIMTextElem"], ["TIMCustomElem"]] == kinds
    assert ["1/2", "2/2"] == [note_of(body)["part"] for body in bodies]
    assert [7001, derived_id("part", "7001#1")] == [line.msgid for line in lines]
    assert len({body["MsgRandom"] for body in bodies}) == 2


@pytest.mark.parametrize("size", [12_288, 300])
def test_a_long_text_is_split_within_the_limit(size: int) -> None:
    text = "字" * 3000 + "👨\u200d👩\u200d👧" * 200 + '"\n' * 1000
    road = Road("tencent", **{"tencent.size_limit": str(size)})
    bodies = [json.loads(line.data)["body"]["MsgBody"] for line in road.lines(message(text))]
    assert text == "".join(body[0]["MsgContent"]["Text"] for body in bodies)
    assert max(len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()) for body in bodies) <= size
    assert len(bodies) > 1 and ("transformed", "long text to several messages") in road.notes.changes


@pytest.mark.parametrize(("part", "asked"), [
    ("x" * 13_000, {"tencent.long_text": "reject"}),
    (Custom("custom", "yunxin", {"k": "x" * 13_000}), {}),
])  # fmt: skip
def test_what_is_too_large_is_rejected(part: Any, asked: dict[str, str]) -> None:
    with pytest.raises(Rejected) as why:
        Road("tencent", **asked).lines(message(part))
    assert why.value.code == "IMC-2550" and why.value.values["limit"] == 12_288


def test_a_large_message_is_remarked_upon() -> None:
    road = Road("tencent")
    road.lines(message("x" * 8000))
    assert ["IMC-3251"] == road.notes.repairs


def test_size_may_count_the_cloud_data() -> None:
    road = Road("tencent", **{"tencent.size_counts": "body+data", "tencent.size_limit": "4000"})
    lines = road.lines(message("x" * 3000, ext=json.dumps({"a": "y" * 2000})))
    for line in lines:
        body = json.loads(line.data)["body"]
        size = len(json.dumps(body["MsgBody"], separators=(",", ":"))) + len(body["CloudCustomData"].encode())
        assert size <= 4000
    assert len(lines) > 1


def test_what_has_no_field_is_kept_in_the_note() -> None:
    road = Road("tencent")
    part = Media("audio", "https://m.example/v", name="n", suffix="amr", duration=1234, extra={"codec": "x"})
    body = road.body(message(part, client=2, ext='{"app":1}', extra={"star": True}))
    assert json.loads(body["CloudCustomData"]) == {"app": 1, "imconvert": {
        "id": "7001", "ms": TIME, "client": 2, "left": {"duration": 1234, "suffix": "amr", "name": "n", "codec": "x"},
        "extra": {"star": True}}}  # fmt: skip
    assert ("transformed", "codec kept in CloudCustomData") in road.notes.changes


def test_without_a_note_what_has_no_field_is_told_as_dropped() -> None:
    road = Road("tencent", **{"tencent.cloud_data": "own"})
    part = Media("audio", "https://m.example/v.amr", name="n")
    body = road.body(message(part, client=2, ext="any text", extra={"star": True}))
    assert "any text" == body["CloudCustomData"]
    dropped = [what for outcome, what in road.notes.changes if outcome == "dropped"]
    assert ["name", "client", "star"] == dropped


def test_groups_may_have_no_cloud_data() -> None:
    road = Road("tencent", **{"tencent.group_cloud_data": "no"})
    (item,) = road.body(message("m", ext="e", **GROUP))["MsgList"]
    assert "CloudCustomData" not in item and ("dropped", "CloudCustomData") in road.notes.changes


def test_notices_may_be_left_out() -> None:
    skip = Road("tencent", **{"tencent.notices": "skip"}).skip(message(Notice("join", "carl"), **GROUP))
    assert Skip("IMC-8104", {"setting": "tencent.notices=skip"}) == skip


def test_a_cover_among_the_leftovers_is_used() -> None:
    video = Media("video", "https://m.example/v.mp4", extra={"thumb": "https://m.example/t.jpg"})
    assert "https://m.example/t.jpg" == element(video)["MsgContent"]["ThumbUrl"]
    road = Road("tencent", **{"tencent.video_cover": "https://m.example/none.png"})
    body = road.body(message(PARTS["video"]))
    assert "https://m.example/none.png" == body["MsgBody"][0]["MsgContent"]["ThumbUrl"]
    assert ["IMC-3250"] == road.notes.repairs


def test_wrapped_content_of_a_yunxin_archive_is_what_it_was() -> None:
    raw = {"MsgType": "TIMFaceElem", "MsgContent": {"Index": 3, "Data": "d"}}
    assert raw == element(Custom("custom", "yunxin", {"v": 1, "kind": "face", "src": "tencent", "raw": raw}))


@pytest.mark.parametrize(("found", "written"), [("39.90", "39.90"), ("39", "39.0"), ("-0.5", "-0.5"), ("1e1", "10.0")])
def test_degrees_keep_their_digits(found: str, written: str) -> None:
    (line,) = Road("tencent").lines(message(msgspec.structs.replace(PARTS["place"], latitude=found)))
    assert f'"Latitude":{written},'.encode() in line.data


@pytest.mark.parametrize("found", ["", "north", "nan", "1_0", "inf"])
def test_degrees_that_are_none_are_rejected(found: str) -> None:
    with pytest.raises(Rejected) as why:
        Road("tencent").lines(message(msgspec.structs.replace(PARTS["place"], latitude=found)))
    assert why.value.code == "IMC-2102"


@pytest.mark.parametrize(("chat", "target", "code"), [
    ("p2p", "x" * 33, "IMC-2201"), ("p2p", "小王", "IMC-2201"), ("p2p", "", "IMC-2201"),
    ("team", "@TGS#1", "IMC-2551"), ("team", "g" * 49, "IMC-2551"),
])  # fmt: skip
def test_ids_are_checked(chat: str, target: str, code: str) -> None:
    with pytest.raises(Rejected) as why:
        Road("tencent").lines(message(chat=chat, target=target))
    assert code == why.value.code


def test_a_topic_goes_into_the_call() -> None:
    body = Road("tencent").body(message("t", chat="team", target="@TGS#_1", extra={"TopicId": "@TGS#_1@TOPIC#_2"}))
    assert ("@TGS#_1", "@TGS#_1@TOPIC#_2") == (body["GroupId"], body["TopicId"]) and "RecentContactFlag" not in body


def items_in(folder: Path) -> list[Any]:
    """The messages for Tencent in an output, in its order."""
    lines = [line for file in sorted(folder.glob("*-0*.ndjson")) for line in file.read_bytes().splitlines()]
    bodies = [json.loads(line)["body"] for line in lines]
    return [item for body in bodies for item in body.get("MsgList", [body])]


@pytest.mark.parametrize("name", ["several-elements", "relay", "face", "custom", "image", "sound", "location", "video"])
def test_the_detour_over_an_archive_of_yunxin_lines_keeps_the_elements(name: str, tmp_path: Path) -> None:
    """But for the numbers that Tencent had; elements that were a message are one again."""
    source = FIXTURES / "tencent" / name / "in"
    run(source, tmp_path / "direct", "tencent", target="tencent")
    run(source, tmp_path / "archive", "tencent")
    run(tmp_path / "archive", tmp_path / "detour", "yunxin", target="tencent")
    direct, detour = items_in(tmp_path / "direct"), items_in(tmp_path / "detour")
    assert [item["MsgBody"] for item in direct] == [item["MsgBody"] for item in detour]
    assert [item["From_Account"] for item in direct] == [item["From_Account"] for item in detour]
