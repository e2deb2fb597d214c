"""The compiled part writes exactly what the target's own writer writes, or nothing: forms of requests.

Strategy: as in test_shortcut.py, whose records they are, with further ones that differ in what requests make of them.
"""

from __future__ import annotations

import json
from itertools import product
from operator import attrgetter
from typing import Any

import pytest
from golden import Case, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import SETS, mutated
from roads import LongRoad, Shortcut, records, settings_of
from test_shortcut import TIME, in_any_order, lines

from imconvert import native
from imconvert.model import MAX_ID
from imconvert.vendors import TARGETS

pytestmark = pytest.mark.skipif(not native.BUILT, reason="the part in C isn't built here")
WITH_FORMS = [target.name for target in TARGETS.values() if target.line_forms and target.arrange]
SHAPED = ["yunxin", "easemob"]
CASES = [case for case in cases() if case.vendor in SHAPED]
HOST = "https://m.example/"


def same(raw: bytes, target: str, chosen: dict[str, str] | None = None, vendor: str = "yunxin") -> bool:
    """Whether a record is taken, which then has become what it becomes the long way."""
    short = Shortcut(vendor, chosen, compiled=True, target=TARGETS[target])(raw)
    if short is not None:
        assert in_any_order(short) == in_any_order(LongRoad(vendor, chosen, target=TARGETS[target])(raw))
    return short is not None


@pytest.mark.parametrize("target", WITH_FORMS)
@settings(max_examples=400, deadline=None)
@given(raw=lines())
def test_forms_agree_with_the_long_road(target: str, raw: bytes) -> None:
    same(raw, target)


@pytest.mark.parametrize(("target", "vendor"), list(product(WITH_FORMS, SHAPED)))
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_forms_agree_on_mutated_lines(target: str, vendor: str, data: st.DataObject) -> None:
    same(data.draw(mutated(vendor)), target, data.draw(SETS), vendor)


@pytest.mark.parametrize("target", WITH_FORMS)
@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_forms_agree_on_golden_inputs(target: str, case: Case) -> None:
    for file in case.inputs():
        for raw in records(file.read_bytes()):
            same(raw, target, settings_of(case.asked()), case.vendor)


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


attaches = st.fixed_dictionaries(
    {"url": some(HOST + "a", HOST + "a.jpg", HOST + "a.PDF?x=1", "ab/ab" + "0" * 62 + ".jpg", "ftp://x/é.gif")},
    optional={
        "ext": some("jpg", "JPG", "jpeg", "pdf", "amr"), "name": some("a.jpg", 'b"\\.pdf', "截屏 1", "", "c.JPG"),
        "md5": some("0" * 32, ""), "size": some(0, 9, 20_000_000), "dur": some(0, 999, 1000, 1001, 61_000),
        "w": some(0, 4), "h": some(0, 3),
    },
)  # fmt: skip
customs = some({}, {"a": 1.0}, {"b": ['"\\', None], "a": "é"}, {"v": 1, "kind": "k", "src": "s", "raw": 1}, {"raw": 2})
degrees = some("0", "-0", "01", "1.", ".5", "-1.50", "1e3", " 2 ", "116.404", "١", "x", "", "-", "9" * 40, "2.5.", "+1")
exts = some("", "{}", "any", '"t"', "[1]", "12", '{"a":"\\"é\\\\","b":[1.50]}', ' {"a":1}', '{"imconvert":{"id":"1"}}',
            '{"imconvert":{"part":"1/2","of":"7"}}')  # fmt: skip
ENDS = ({"from": "ann", "to": "bob"}, {"from": "Zoë", "to": "a" * 33}, {"from": "a b", "to": "A'"},
        {"accid": "ann", "tid": 880011}, {"accid": 'q"', "tid": 5})  # fmt: skip


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Texts, files, custom content and notices in all the ways of which requests make something else."""
    kind = draw(some(0, 1, 2, 3, 4, 6, 100, 102, 105))
    data = {"msgid": draw(some(1, 9_007_199_254_740_993)), "createTime": TIME + draw(some(0, 7, 999)), "clientType": 2,
            "ext": draw(exts), **draw(st.sampled_from(ENDS))}  # fmt: skip
    if kind == 0:
        data["body"] = draw(some("hi", 'é"\\\n😀', "x" * 4990))
    elif kind == 4:
        data["attach"] = json.dumps({"title": draw(some("东门", "", '"')), "lng": draw(degrees), "lat": draw(degrees)})
    elif kind < 100:
        data["attach"] = json.dumps(draw(attaches))
    elif kind == 100:
        data["attach"] = draw(customs)
    else:
        data["accid2"] = draw(some("carl", 'c"\\'))
    return json.dumps({"type": kind, "data": data}, ensure_ascii=False).encode()


ASKED: dict[str, list[dict[str, str]]] = {
    "easemob": [{}],
    "tencent": [
        {}, {"tencent.image_sizes": "one", "tencent.video_cover": "https://m.example/c\"é.png"},
        {"tencent.recent_contacts": "no", "tencent.sync": "5", "tencent.notices": "skip"},
        {"tencent.group_cloud_data": "no"}, {"tencent.size_warn": "120"}, {"tencent.size_limit": "100"},
        {"tencent.cloud_data": "own"}, {"tencent.size_counts": "body+data"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("target", WITH_FORMS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_forms_agree_on_what_requests_tell_apart(target: str, data: st.DataObject) -> None:
    same(data.draw(contents()), target, data.draw(st.sampled_from(ASKED[target])))


USUAL = {
    "text": (0, {"body": "hi", "ext": '{"a":"é"}'}),
    "text with another text": (0, {"body": "hi", "ext": "any"}),
    "image": (1, {"attach": {"url": HOST + "a", "ext": "jpeg", "size": 9, "w": 4, "h": 3, "name": "截屏"}}),
    "image of another format": (1, {"attach": {"url": HOST + "a.webp", "ext": "webp", "size": 9, "w": 4, "h": 3}}),
    "audio": (2, {"attach": {"url": HOST + "a", "ext": "amr", "size": 9, "dur": 1500}}),
    "audio of whole seconds": (2, {"attach": {"url": HOST + "a.amr", "ext": "amr", "dur": 2000, "md5": "0" * 32}}),
    "video": (3, {"attach": {"url": HOST + "a", "ext": "mp4", "size": 9, "dur": 1500, "w": 4, "h": 3}}),
    "file": (6, {"attach": {"url": HOST + "a", "ext": "pdf", "size": 9, "name": "报告.pdf"}}),
    "file without a name": (6, {"attach": {"url": HOST + "a.pdf", "size": 9}}),
    "place": (4, {"attach": {"title": "东门", "lng": "116.40", "lat": "-39"}}),
    "custom": (100, {"attach": {"a": [1, "é"]}}),
}


@pytest.mark.parametrize("target", WITH_FORMS)
@pytest.mark.parametrize("chat", [0, 3])
@pytest.mark.parametrize("name", USUAL)
def test_usual_records_are_taken(name: str, chat: int, target: str) -> None:
    kind, content = USUAL[name]
    more = {key: json.dumps(value) if kind < 100 and key == "attach" else value for key, value in content.items()}
    data = {"msgid": 7, "createTime": TIME, "clientType": 2, **ENDS[chat], **more}
    assert same(json.dumps({"type": kind, "data": data}).encode(), target)


def test_notices_are_taken() -> None:
    notice = {"msgid": 7, "createTime": TIME, "clientType": 2, "accid2": "carl", **ENDS[3]}
    assert same(json.dumps({"type": 102, "data": notice}).encode(), "tencent")


@pytest.mark.parametrize("target", WITH_FORMS)
@pytest.mark.parametrize("number", [0, MAX_ID, MAX_ID + 1])
def test_numbers_of_groups_that_are_none_are_left(target: str, number: int) -> None:
    data = {"msgid": 7, "createTime": TIME, "clientType": 2, "body": "x", "accid": "ann", "tid": number}
    assert same(json.dumps({"type": 0, "data": data}).encode(), target) == (number == MAX_ID)


@pytest.mark.parametrize(
    ("target", "name"), [("easemob", "text"), ("easemob", "image"), ("easemob", "file"), ("tencent", "text")]
)
def test_records_of_easemob_are_taken(target: str, name: str) -> None:
    found = [case for case in CASES if case.vendor == "easemob" and case.name == name]
    raws = [raw for case in found for file in case.inputs() for raw in records(file.read_bytes())]
    assert any([same(raw, target, vendor="easemob") for raw in raws])
