"""The pieces that vendors are made of: lenient parsing, exact values, ids, bodies; and no input that surprises them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from golden import LATEST
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import SEEDS, SETS, mutated
from roads import TARGET, LongRoad

from imconvert.errors import Rejected
from imconvert.model import MAX_ID, Custom, Media, Notes, Part, Place, Text, depth_exceeds, derived_id, key_of
from imconvert.vendors import lenient, values
from imconvert.vendors.contract import Book
from imconvert.vendors.easemob.bodies import read_body
from imconvert.vendors.yunxin import repair, rules

TIME = 1_711_000_000_000


def refused(call: Any, *given: Any, **named: Any) -> str:
    """The code that a call is refused with."""
    with pytest.raises(Rejected) as caught:
        call(*given, **named)
    return caught.value.code


def noted(call: Any, *given: Any, **named: Any) -> tuple[Any, list[str]]:
    """What a call gives, and the repairs it noted."""
    notes = Notes()
    return call(*given, notes, **named), notes.repairs


# --- lenient -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value", "repairs"),
    [
        (b'{"a":1}', {"a": 1}, []),
        (b'  {"a":1}\t\r', {"a": 1}, []),
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}, ["IMC-3001"]),
        (b'\xef\xbb\xbf \xef\xbb\xbf{"a":1}', {"a": 1}, ["IMC-3001", "IMC-3001"]),
        (b'json{"a":1}', {"a": 1}, ["IMC-3003"]),
        (b'\xef\xbb\xbfjson \t{"a":1}', {"a": 1}, ["IMC-3001", "IMC-3003"]),
        (b'{"a":"x\ty"}', {"a": "x\ty"}, ["IMC-3004"]),
        (b'{"a":"\x00"}', {"a": "\0"}, ["IMC-3004"]),
        ("{“a”:＂x＂}".encode(), {"a": "x"}, ["IMC-3005"]),
        ('{"a":"“x”"}'.encode(), {"a": "“x”"}, []),
        (b'{"a":"\\ud83d"}', {"a": "\ufffd"}, ["IMC-3006"]),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}, []),
        (b'{"\\udfff":["\\ud83d"]}', {"\ufffd": ["\ufffd"]}, ["IMC-3006"]),
        (b'{"a":9007199254740993}', {"a": 9007199254740993}, []),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890}, []),
    ],
)
def test_parse_forgives_and_says_so(raw: bytes, value: Any, repairs: list[str]) -> None:
    assert (value, repairs) == noted(lenient.parse, raw, label=b"json")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "IMC-2001"), (b"{", "IMC-2001"), (b'{"a":1', "IMC-2001"), (b'{"a":1}}', "IMC-2001"),
        (b'{"a":NaN}', "IMC-2001"), (b'{"a":1e999}', "IMC-2001"), (b"json", "IMC-2001"), (b'jsonp{"a":1}', "IMC-2001"),
        (b'{"a":' + b"1" * 5000 + b"}", "IMC-2001"), (b'{"a":"\xff"}', "IMC-2002"), (b"[]", "IMC-2006"),
        (b"null", "IMC-2006"), (b'{"a":1\0\0', "IMC-2007"), (b"[" * 65 + b"]" * 65, "IMC-2004"),
        (b"[" * 100_000, "IMC-2004"),
    ],
)  # fmt: skip
def test_parse_refuses_what_is_no_record(raw: bytes, code: str) -> None:
    assert code == refused(lenient.parse, raw, Notes(), label=b"json")


def test_gb18030_is_guessed() -> None:
    with pytest.raises(Rejected) as caught:
        lenient.parse("{“导出”}".encode("gb18030"), Notes())
    assert "GB18030" in caught.value.why()


def test_label_is_no_label_where_none_is_asked_for() -> None:
    assert refused(lenient.parse, b'json{"a":1}', Notes()) == "IMC-2001"


def test_long_values_are_shown_short() -> None:
    assert len(lenient.shown("x" * 1000)) == 60


@settings(max_examples=300, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8))  # fmt: skip
def test_parse_agrees_with_plain_json(value: Any) -> None:
    """Integers of any size too: none ever becomes a float."""
    text = json.dumps({"k": value})
    assert (json.loads(text), []) == noted(lenient.parse, text.encode())


# --- values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_value", "expected", "repairs"),
    [
        (7, 7, []), ("7", 7, ["IMC-3007"]), (" 7 ", 7, ["IMC-3007"]), ("-7", -7, ["IMC-3007"]),
        ("007", 7, ["IMC-3007"]), (7.0, 7, ["IMC-3014"]), (1.0534501e7, 10534501, ["IMC-3014"]),
        ("9223372036854775807", MAX_ID, ["IMC-3007"]), (2**70, 2**70, []), (2.0**53 - 1, 2**53 - 1, ["IMC-3014"]),
    ],
)  # fmt: skip
def test_whole_number_is_exact(given_value: Any, expected: int, repairs: list[str]) -> None:
    notes = Notes()
    assert (expected, repairs) == (values.whole(given_value, "f", notes), notes.repairs)


@pytest.mark.parametrize(
    "given_value",
    [True, None, [], "", " ", "7.0", "1e3", "٧", "７", "--7", "+7", "1" * 20]
    + [1.5, float("inf"), float("nan"), 2.0**53 + 2],
)
def test_what_is_not_exactly_a_number_is_refused(given_value: Any) -> None:
    assert refused(values.whole, given_value, "f", Notes()) == "IMC-2102"


def test_float_that_may_stand_for_another_number_is_refused() -> None:
    """9007199254740993.0 reads as 2^53: from there on a float says nothing about its last digit (yunxin.md §9)."""
    assert refused(values.whole, json.loads("9007199254740993.0"), "f", Notes()) == "IMC-2102"


@pytest.mark.parametrize(
    ("time", "expected", "repairs"),
    [
        (TIME, TIME, []), (values.EARLIEST, values.EARLIEST, []), (LATEST, LATEST, []),
        (TIME // 1000, TIME, ["IMC-3008"]), (TIME * 1000 + 999, TIME, ["IMC-3008"]),
    ],
)  # fmt: skip
def test_time_becomes_milliseconds(time: int, expected: int, repairs: list[str]) -> None:
    notes = Notes()
    assert (expected, repairs) == (values.milliseconds(time, LATEST, notes), notes.repairs)


@pytest.mark.parametrize(
    "time", [0, -1, values.EARLIEST - 1, LATEST + 1, LATEST // 1000 + 1, 946_684_799, 10**17, -TIME]
)
def test_time_out_of_range_is_refused(time: int) -> None:
    assert refused(values.milliseconds, time, LATEST, Notes()) == "IMC-2104"


@pytest.mark.parametrize(
    ("value", "expected"), [(116.340836, "116.340836"), (39, "39"), (-0.5, "-0.5"), ("39.10", "39.10")]
)
def test_degrees_keep_their_digits(value: Any, expected: str) -> None:
    assert expected == values.decimal(value, "lat")


@pytest.mark.parametrize("value", [None, True, [], float("nan"), float("inf")])
def test_degrees_are_numbers(value: Any) -> None:
    assert refused(values.decimal, value, "lat") == "IMC-2102"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.PNG", "png"), ("https://m.cn/a.b/c.mp4?x=1.2#y", "mp4"), ("readme", None), (".bashrc", None), ("", None),
     (None, None), ("a.", None), ("a.中文", None), ("a.verylongend", None)],
)  # fmt: skip
def test_suffix_is_taken_where_plausible(name: str | None, suffix: str | None) -> None:
    assert suffix == values.suffix_of(name)


# --- Yunxin's rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "target"), [("u_ann", "u_ann"), ("U.Ann@x-1", "u.ann@x-1"), ("a" * 32, "a" * 32)])
def test_account_is_folded(source: str, target: str) -> None:
    assert target == rules.account(source)


@pytest.mark.parametrize("source", ["", "a" * 33, "小王", "a b", "a/b", "a\n", "ａ", "İ", "ß", "\u212aate"])
def test_account_that_yunxin_would_not_take_is_refused(source: str) -> None:
    """K, the Kelvin sign, is no letter of ASCII, though it becomes one when folded (yunxin.md §7)."""
    assert refused(rules.account, source) == "IMC-2201"


@pytest.mark.parametrize("source", ["1", "184524748161025", str(MAX_ID)])
def test_group_number_is_taken(source: str) -> None:
    assert int(source) == rules.group(source)


@pytest.mark.parametrize("source", ["", "0", "01", "-1", "1.0", " 1", "abc", "１", str(MAX_ID + 1), "9" * 40])
def test_group_that_is_no_number_is_refused(source: str) -> None:
    assert refused(rules.group, source) == "IMC-2202"


@pytest.mark.parametrize(
    ("attach", "repairs"),
    [('{"a":1}', []), ({"a": 1}, ["IMC-3010"]), (json.dumps('{"a":1}'), ["IMC-3010"]), ("{“a”:1}", ["IMC-3005"])],
)
def test_attach_is_opened(attach: Any, repairs: list[str]) -> None:
    assert ({"a": 1}, repairs) == noted(repair.attach_object, attach)


@pytest.mark.parametrize("attach", ["[1]", "7", '"x"', "not json", "", json.dumps(json.dumps('{"a":1}'))])
def test_attach_that_is_no_object_is_called_so(attach: str) -> None:
    """The record itself is fine JSON, so the code must not say that it is not."""
    assert refused(repair.attach_object, attach, Notes()) == "IMC-2107"


# --- ids -----------------------------------------------------------------------------------------------


class Counted:
    """A book over Yunxin's rule, and how often it noted a folded id."""

    def __init__(self, **more: Any) -> None:
        self.times = 0
        self.book = Book(rules.account, noted=self.count, **more)

    def count(self) -> None:
        self.times += 1


def test_book_folds_and_notes_every_use() -> None:
    found = Counted()
    assert ([found.book[source] for source in ("Ann", "ann", "Ann")], found.times) == (["ann", "ann", "ann"], 2)


def test_book_prefers_the_map() -> None:
    assert Book(rules.account, map=({"小王": "wang"}, {"wang"}))["小王"] == "wang"


def test_mapped_id_is_checked_by_the_rule() -> None:
    assert refused(Book(rules.account, map=({"a": "小王"}, {"小王"})).__getitem__, "a") == "IMC-2201"


def test_id_that_is_the_target_of_another_is_refused() -> None:
    assert refused(Book(rules.account, map=({"a": "b"}, {"b"})).__getitem__, "b") == "IMC-2204"


def test_id_that_is_the_folded_target_of_another_is_refused() -> None:
    """Else a, mapped to Bob, and bob would become one person unseen."""
    assert refused(Book(rules.account, map=({"a": "bob"}, {"bob"})).__getitem__, "bob") == "IMC-2204"


def test_refused_id_is_refused_every_time() -> None:
    book = Book(rules.account, refused=lambda source: source == "Ann")
    assert [refused(book.__getitem__, "Ann") for _ in range(2)] == ["IMC-2203"] * 2


def test_missing_ids_are_counted() -> None:
    book = Book(rules.account)
    for source in ("小王", "小王", "小李"):
        refused(book.__getitem__, source)
    assert book.missing == {"小王": 2, "小李": 1}


def test_group_book_gives_numbers() -> None:
    assert Book(rules.group)["880011"] == 880011


@given(st.text(), st.text())
def test_derived_id_is_a_positive_number_of_64_bits(namespace: str, source: str) -> None:
    assert 1 <= derived_id(namespace, source) <= MAX_ID


def test_derived_id_never_changes() -> None:
    """Written down, for shards of earlier versions hold such numbers."""
    expected = 4351948175454250033, 3388518734259857004
    assert expected == (derived_id("easemob", "5I02W-16-8278a"), derived_id("part", "966475220900644860#1"))


def test_derived_id_depends_on_the_namespace() -> None:
    assert derived_id("a", "1") != derived_id("b", "1")


targets = st.text(max_size=3) | st.integers(1, MAX_ID)
keys = st.tuples(st.integers(1, MAX_ID), st.text(max_size=3), targets, st.integers(0, LATEST))


@given(keys, keys)
def test_key_is_equal_only_for_equal_fields(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert (one == other) == (key_of(*one) == key_of(*other))


@pytest.mark.parametrize(
    ("one", "other"),
    [((1, "ab", "c", 1), (1, "a", "bc", 1)), ((1, "a", "7", 1), (1, "a", 7, 1)), ((1, "a", "b", 1), (1, "b", "a", 1))],
)
def test_key_keeps_its_fields_apart(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert key_of(*one) != key_of(*other)


@pytest.mark.parametrize(
    ("text", "exceeds"),
    [(b"[" * 64 + b"]" * 64, False), (b"[" * 65 + b"]" * 65, True), (b'"' + b"[" * 99 + b'"', False),
     (b'["\\"' + b"{" * 99 + b'"]', False), (b"[]" * 99, False), (b"[" * 65, True)],
)  # fmt: skip
def test_depth_is_counted_outside_of_strings(text: bytes, exceeds: bool) -> None:
    assert exceeds == depth_exceeds(text)


# --- Easemob's bodies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"type": "txt", "msg": "你好"}, Text("你好")),
        ({"type": "txt", "msg": "x", "style": "bold"}, Text("x", {"style": "bold"})),
        ({"type": "img", "url": "u", "filename": "a.jpg", "file_length": 9, "size": {"width": 2, "height": 3}},
         Media("image", "u", name="a.jpg", size=9, width=2, height=3)),
        ({"type": "audio", "url": "u", "length": 3}, Media("audio", "u", duration=3000)),
        ({"type": "voice", "url": "u", "Length": "3"}, Media("audio", "u", duration=3000)),
        ({"type": "video", "url": "u", "length": 2.5, "thumb": "t"},
         Media("video", "u", duration=2500, extra={"thumb": "t"})),
        ({"type": "file", "url": " u ", "secret": "s"}, Media("file", "u", extra={"secret": "s"})),
        ({"type": "loc", "lat": 39.9, "lng": "116.30", "addr": "北京"}, Place("北京", "116.30", "39.9")),
        ({"type": "cmd", "action": "x"}, Custom("command", "easemob", {"type": "cmd", "action": "x"})),
        ({"type": "custom", "customEvent": "x"}, Custom("custom", "easemob", {"type": "custom", "customEvent": "x"})),
        ({"subType": "sub_combine"}, Custom("combined", "easemob", {"subType": "sub_combine"})),
        ({"type": "txt", "subType": "sub_combine"},
         Custom("combined", "easemob", {"type": "txt", "subType": "sub_combine"})),
        ({"type": "new"}, Custom("unknown", "easemob", {"type": "new"})),
        ({"type": []}, Custom("unknown", "easemob", {"type": []})),
    ],
)  # fmt: skip
def test_body_becomes_a_part(body: dict[str, Any], part: Part) -> None:
    assert part == read_body(body, Notes())


@pytest.mark.parametrize(
    ("body", "code"),
    [("text", "IMC-2102"), ({"type": "txt"}, "IMC-2101"), ({"type": "img", "url": ""}, "IMC-2101"),
     ({"type": "file"}, "IMC-2101"), ({"type": "loc", "lat": 1}, "IMC-2101"), ({"type": "txt", "msg": 7}, "IMC-2102"),
     ({"type": "audio", "url": "u", "length": "x"}, "IMC-2102"), ({"type": "loc", "lat": [], "lng": 1}, "IMC-2102")],
)  # fmt: skip
def test_body_without_what_it_needs_is_refused(body: Any, code: str) -> None:
    assert code == refused(read_body, body, Notes())


# --- nothing is lost unseen ----------------------------------------------------------------------------


def yunxin_line(kind: int, **data: Any) -> bytes:
    usual = {"msgid": 1, "createTime": TIME, "clientType": 1}
    ends = {} if "tid" in data else {"from": "u_ann", "to": "u_bob"}
    return json.dumps({"type": kind, "data": usual | ends | data}, ensure_ascii=False).encode()


def easemob_line(*bodies: Any, **more: Any) -> bytes:
    payload = {"bodies": bodies, "from": "u_ann", "to": "u_bob"}
    return json.dumps({"msg_id": "77", "timestamp": TIME, "chat_type": "chat", "payload": payload | more}).encode()


PICTURE = '{"url":"https://m.cn/a.png","ext":"png"}'


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(yunxin_line(1, attach=PICTURE, body="caption"), id="caption of a picture"),
        pytest.param(yunxin_line(0, body="x", attach=PICTURE), id="attach of a text"),
        pytest.param(yunxin_line(0, body="x", accid="u_eve"), id="accid beside from"),
        pytest.param(yunxin_line(0, body="x", tid=7, accid="u_ann", **{"from": "u_eve"}), id="from beside accid"),
        pytest.param(yunxin_line(109, tid=7, accid="u_ann", accid2="u_eve"), id="other person of a leave"),
        pytest.param(yunxin_line(102, tid=7, accid="u_ann", accid2="u_eve", tinfo={"14": "x"}), id="tinfo of a kick"),
        pytest.param(yunxin_line(102, tid=7, accid="u_ann", accid2="u_eve", ext="x"), id="ext of a notice"),
    ],
)
def test_what_yunxin_has_no_place_for_is_told_as_degraded(raw: bytes) -> None:
    found = LongRoad()(raw)
    assert found.code or "degraded" in [outcome for outcome, _ in found.changes]


@pytest.mark.parametrize(
    "body",
    [{"type": "img", "url": "u", "size": "746x1325"}, {"type": "img", "url": "u", "size": {"width": 1, "depth": 2}}],
)
def test_what_is_left_of_a_body_is_told(body: dict[str, Any]) -> None:
    assert LongRoad("easemob")(easemob_line(body)).changes


def test_part_number_survives_other_leftovers() -> None:
    """A text with keys of its own is still part 1 of 2 (easemob.md §2.3)."""
    raw = easemob_line({"type": "txt", "msg": "a", "style": "bold"}, {"type": "txt", "msg": "b"})
    first, _ = LongRoad("easemob")(raw).lines
    ext = json.loads(json.loads(first.data)["data"]["ext"])["imconvert"]
    assert (ext.get("part"), ext.get("of"), ext.get("style")) == ("1/2", "77", "bold")


def test_note_of_the_app_under_our_word_survives() -> None:
    raw = easemob_line({"type": "txt", "msg": "a", "style": "b"}, ext={"imconvert": {"mine": 1}})
    (line,) = LongRoad("easemob")(raw).lines
    assert "mine" in json.loads(line.data)["data"]["ext"]


def test_cut_off_attach_is_not_a_cut_off_record() -> None:
    assert LongRoad()(yunxin_line(1, attach='{"url":"https://m.cn/a')).code == "IMC-2107"


# --- nothing surprises them ----------------------------------------------------------------------------


def holds(vendor: str, raw: bytes, chosen: dict[str, str]) -> None:
    """Whatever it is: a code, or lines that are whole; `LongRoad` lets anything but Rejected through."""
    for line in LongRoad(vendor, chosen)(raw).lines:
        assert b"\n" not in line.data
        assert (line.msgid, line.time) == (TARGET.read_key(line.data).msgid, TARGET.read_key(line.data).time)


@pytest.mark.parametrize("vendor", sorted(SEEDS))
@settings(max_examples=3000, deadline=None)
@given(data=st.data())
def test_mutated_lines_are_written_or_rejected(vendor: str, data: st.DataObject) -> None:
    holds(vendor, data.draw(mutated(vendor)), data.draw(SETS))


def test_a_quoted_kind_that_is_no_word_is_kept() -> None:
    quoting = b'{"content":"ok","referMsgUserId":"u_bob","referMsg":{"content":"eh"},"objName":[],"referMsgUid":"5A2T"}'
    record = next(raw for raw in SEEDS["rongcloud"] if b"RC:TxtMsg" in raw and b"'content'" not in raw)
    content = json.dumps(json.loads(record)["content"], ensure_ascii=False, separators=(",", ":")).encode()
    assert content in record
    holds("rongcloud", record.replace(content, quoting).replace(b"RC:TxtMsg", b"RC:ReferenceMsg"), {})


@pytest.mark.parametrize("vendor", sorted(SEEDS))
@settings(max_examples=500, deadline=None)
@given(raw=st.binary(max_size=60))
def test_random_bytes_are_rejected(vendor: str, raw: bytes) -> None:
    assert LongRoad(vendor)(raw).lines == ()


@pytest.mark.parametrize("vendor", sorted(SEEDS))
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_reading_is_the_same_every_time(vendor: str, data: st.DataObject) -> None:
    """Nothing of a record stays behind in the reader, the writer or their notes."""
    first, second = data.draw(mutated(vendor)), data.draw(mutated(vendor))
    road = LongRoad(vendor)
    road(first)
    assert LongRoad(vendor)(second) == road(second)
