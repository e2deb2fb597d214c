"""The shortcut writes exactly what reading and writing the message writes, or nothing.

Strategy: records are drawn around the vendor's samples, each field in all the typings that exports use and in some
that none does; what the shortcut takes has to come out of the long road the same, with the same noted.
"""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Any

import pytest
from golden import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import HEADS, SETS, damaged, mutated
from roads import LongRoad, Shortcut, Written, elements, known, records, settings_of, vendor_of, ways_of

from imconvert import native
from imconvert.model import MAX_ID
from imconvert.vendors import ALL
from imconvert.vendors.contract import Columns, Vendor

TIME = 1_711_000_000_000
WITH_SHORTCUT = [vendor.name for vendor in ALL if ways_of(vendor)]
CASES = [case for case in cases() if ways_of(vendor_of(case))]
YUNXIN = [case for case in CASES if case.vendor == "yunxin"]

TEXTS = ["你好", "", 'a"b\\c', "“引号”", " x ", "n" * 1025, "长" * 5001]
PEOPLE = ["u_ann", "u_bob", "wang.1@corp.cn", "U_Carl", "小王", "", "a" * 32, "a" * 33, "\u212aate"]
texts = st.one_of(st.text(max_size=12), st.sampled_from(TEXTS))
people = st.sampled_from(PEOPLE)
odd = st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.lists(st.integers(), max_size=2)
numbers = st.integers(-1, MAX_ID + 1)
typed = st.one_of(numbers, numbers.map(str), numbers.map(float))
times = st.one_of(
    st.integers(946_684_799_999, 1_900_000_000_001), st.sampled_from([TIME, TIME // 1000, TIME * 1000, 0])
).flatmap(lambda value: st.sampled_from([value, str(value), f" {value}", float(value)]))
clients = st.sampled_from([1, 2, 16, 64, 65, "1", "2", "32", 7, "x", "01", 1.0, None])
measures = st.one_of(st.integers(0, 10**7), st.sampled_from(["12", 1.0, 2.5, -1, None]))
words = st.one_of(texts, st.sampled_from(["jpg", " amr", "mp4 ", "", None, 7]))
urls = st.sampled_from(["https://media.example.com/a/1f.png", "https://m.cn/x", "", " https://m.cn/x", None])
media = st.fixed_dictionaries(
    {"url": urls},
    optional={"ext": words, "name": words, "md5": words, "more": odd}
    | dict.fromkeys(("dur", "w", "h", "size"), measures),
)
usual_media = st.fixed_dictionaries(
    {"url": st.just("https://media.example.com/a/1f.png"), "ext": st.sampled_from(["png", "amr"])},
    optional={"name": texts, "md5": texts} | dict.fromkeys(("dur", "w", "h", "size"), st.integers(0, 10**7)),
)
json_text = st.one_of(media, usual_media, odd).flatmap(
    lambda value: st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)])
)
attaches = st.one_of(json_text, json_text.map(json.dumps), media, texts, odd)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "msgid": typed, "from": people, "to": people, "accid": people, "tid": typed, "createTime": times,
    "clientType": clients, "ext": texts, "body": texts, "attach": attaches, "accid2": people,
    "tinfo": st.one_of(st.just({"tid": 7}), odd), "more": odd,
}  # fmt: skip
USUAL: dict[str, st.SearchStrategy[Any]] = {
    "msgid": st.integers(1, MAX_ID), "createTime": st.sampled_from([TIME, str(TIME)]),
    "clientType": st.sampled_from([1, "2"]), "ext": st.sampled_from(["", "{}", "ext.."]),
}  # fmt: skip
ENDS = ({"from": "u_ann", "to": "u_bob"}, {"accid": "u_ann", "tid": 880011})
CONTENT = {0: ("body", st.text(max_size=12)), 1: ("attach", usual_media.map(json.dumps)), 2: ("attach", json_text),
           3: ("attach", usual_media.map(json.dumps)), 6: ("attach", usual_media.map(json.dumps)),
           100: ("attach", media), 4: ("attach", json_text), 10: ("body", texts)}  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A usual record, in which up to three fields are replaced, added or taken away; then printed in some way."""
    kind = draw(st.sampled_from(list(CONTENT)))
    name, content = CONTENT[kind]
    data = {key: draw(value) for key, value in USUAL.items()} | draw(st.sampled_from(ENDS)) | {name: draw(content)}
    for field in draw(st.lists(st.sampled_from(list(FIELDS)), max_size=3)):
        if field in data and draw(st.booleans()):
            del data[field]
        else:
            data[field] = draw(FIELDS[field])
    if draw(st.booleans()):
        data = dict(reversed(data.items()))
    record = {"type": draw(st.sampled_from([kind, kind, kind, str(kind), 102, 999])), "data": data}
    text = json.dumps(record, ensure_ascii=draw(st.booleans()))
    return draw(st.sampled_from([b"", b"", b"json", b"\xef\xbb\xbf"])) + text.encode("utf-8", "surrogatepass")


def same(raw: bytes, chosen: dict[str, str] | None = None, vendor: str | Vendor = "yunxin", head: bytes = b"") -> int:
    """Compare the ways of a record; gives how many shortcuts took it."""
    ways = [Shortcut(vendor, chosen, head, compiled=compiled)(raw) for compiled in ways_of(known(vendor))]
    found = LongRoad(vendor, chosen, head)(raw) if any(ways) else None
    for short in ways:
        if short is not None and found is not None:
            assert in_any_order(found) == in_any_order(short)
    return sum(short is not None for short in ways)


def in_any_order(found: Written) -> Written:
    return found._replace(changes=tuple(sorted(found.changes)), repairs=tuple(sorted(set(found.repairs))))


@settings(max_examples=1500, deadline=None)
@given(lines())
def test_shortcut_agrees_with_the_long_road(raw: bytes) -> None:
    same(raw)


@settings(max_examples=300, deadline=None)
@given(
    lines(),
    st.sampled_from(
        [
            {"yunxin.custom_attach": "string"},
            {"yunxin.tip": "text"},
            {"yunxin.tip": "reject"},
            {"yunxin.attach_limit": "100"},
        ]
    ),
)
def test_shortcut_agrees_for_any_setting(raw: bytes, chosen: dict[str, str]) -> None:
    same(raw, chosen)


def test_shortcut_knows_that_numbers_grow_when_written() -> None:
    """1e9 is written as 1000000000.0, so that the content is longer than the record that it came in."""
    content = {"type": 100, "data": {"msgid": 1, "from": "a", "to": "b", "createTime": TIME, "clientType": 1,
                                     "attach": {"n": ["@@"]}}}  # fmt: skip
    same(json.dumps(content).replace('"@@"', ",".join(["1e9"] * 900)).encode())


@pytest.mark.parametrize("vendor", WITH_SHORTCUT)
@settings(max_examples=1500, deadline=None)
@given(data=st.data())
def test_shortcut_agrees_on_mutated_lines(vendor: str, data: st.DataObject) -> None:
    same(data.draw(mutated(vendor)), data.draw(SETS), vendor, data.draw(st.sampled_from(HEADS[vendor])))


SELF_BUILT = [case for case in CASES if case.vendor == "custom"]
MAPPED_VALUES = [
    b'"', b"''", b"\\", b",", b"|", b"\\N", b"null", b"0", b"-1", b"1.5", b"2024-02-30 00:00:00", b"9" * 20,
    b"2024-03-10 02:30:00", b"2024-10-27T02:30:00", b"2024-05-01T00:00:00.123Z", b"http://x/y", b"u_", b"{}",
]  # fmt: skip


@pytest.mark.parametrize("case", SELF_BUILT, ids=attrgetter("id"))
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_shortcut_agrees_on_damage_to_self_built_systems(case: Case, data: st.DataObject) -> None:
    vendor = vendor_of(case)
    found = [one for file in case.inputs() for one in elements(vendor, file.read_bytes(), file.name)]
    head, raw = data.draw(st.sampled_from(found))
    if data.draw(st.booleans()):
        value = data.draw(st.sampled_from(MAPPED_VALUES))
        places = [place for place in range(len(raw)) if raw[place : place + 1] in (b",", b":", b"|", b"\t")]
        at = data.draw(st.sampled_from(places or [0]))
        end = next((place for place in places if place > at), len(raw))
        raw = raw[: at + 1] + value + raw[end:]
    else:
        raw = data.draw(damaged([raw]))
    same(raw, None, vendor, head)


def test_self_built_systems_take_the_compiled_way() -> None:
    """Plain mappings have a shape, and the usual records of the two full examples fit it."""
    for name, least in (("mysql-csv", 0.3), ("ndjson-log", 0.3), ("tsv-gb18030", 0), ("document-as-array", 0.3)):
        case = next(case for case in SELF_BUILT if case.name == name)
        vendor, taken, read = vendor_of(case), 0, 0
        for file in case.inputs():
            for head, raw in elements(vendor, file.read_bytes(), file.name):
                read += 1
                taken += Shortcut(vendor, None, head, compiled=True)(raw) is not None if ways_of(vendor)[-1] else 0
        assert taken >= least * read, name


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_shortcut_agrees_on_golden_inputs(case: Case) -> None:
    vendor, asked = vendor_of(case), settings_of(case.asked())
    for file in case.inputs():
        for head, raw in elements(vendor, file.read_bytes(), file.name, asked):
            same(raw, asked, vendor, head)


ENDED = b',"from":"a","to":"b","createTime":%d,"clientType":1}}'
MENDED = {
    "IMC-3001": b'\xef\xbb\xbf{"type":0,"data":{"msgid":1,"body":"x"' + ENDED,
    "IMC-3003": b'json {"type":0,"data":{"msgid":1,"body":"x"' + ENDED,
    "IMC-3007": b'{"type":"0","data":{"msgid":"1","body":"x"' + ENDED,
    "IMC-3016": b'{"type":6,"data":{"msgid":1,"attach":"{\\"url\\":\\"h/x.y?/z\\"}"' + ENDED,
}


@pytest.mark.skipif(not native.BUILT, reason="the part in C isn't built here")
@pytest.mark.parametrize("code", [*MENDED, "IMC-3008"])
@pytest.mark.parametrize("time", [TIME // 1000, TIME, TIME * 1000])
def test_compiled_shortcut_mends_the_usual_oddities(code: str, time: int) -> None:
    raw = MENDED.get(code, MENDED["IMC-3007"]) % time
    found = Shortcut(compiled=True)(raw)
    assert found is not None
    assert in_any_order(found) == in_any_order(LongRoad()(raw))
    assert (code in found.repairs) == (code != "IMC-3008" or time != TIME)
    assert Shortcut(compiled=True, strict=True)(raw) is None


@pytest.mark.parametrize("name", ["text-p2p", "text-team", "picture-p2p", "audio-team", "video-p2p", "file-team"])
def test_shortcut_takes_the_usual_records(name: str) -> None:
    case = next(case for case in YUNXIN if case.name == name)
    taken = [Shortcut()(raw) is not None for file in case.inputs() for raw in records(file.read_bytes())]
    assert [True] * len(taken) == taken


def test_shortcut_keeps_records_in_order_around_those_it_leaves() -> None:
    case = next(case for case in YUNXIN if case.name == "json-label")
    raws = [raw for file in case.inputs() for raw in records(file.read_bytes())]
    left: list[int] = []
    taken = Shortcut().ways[0][1].take([*raws, b"", raws[0][4:]], (Columns(), Columns()), lambda i, _: left.append(i))
    assert (left, sum(found.records for found in taken)) == ([0, 1, 2, 3, 4], 1)
