"""What order tells Tencent: MsgSeq, distinct Randoms, batches, joined messages, read marks (tencent.md §4, §5.4)."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from target_lines import TIME, Road, message

from imconvert.model import Custom, Media, Message, Notes, Text, key_of
from imconvert.vendors.contract import Line, Placed, Request
from imconvert.vendors.tencent import keys
from imconvert.vendors.tencent.lines import random_of
from imconvert.vendors.tencent.order import Group
from imconvert.vendors.yunxin.import_lines import with_note

GROUP = {"chat": "team", "target": "880011"}
SECOND = TIME // 1000 * 1000

few = st.integers(0, 5)
"""Milliseconds and people from small ranges, so that they meet."""
moments = st.lists(st.tuples(few, st.sampled_from(["ann", "bob"])), min_size=1, max_size=40)


def bodies(found: list[Request]) -> list[Any]:
    return [json.loads(request.data)["body"] for request in found]


def talk(wanted: list[tuple[int, str]], **fields: Any) -> list[Message]:
    """Messages of a pair or a group at these milliseconds by these people, in source order."""
    other = {"ann": "bob", "bob": "ann"}
    return [
        message(f"m{n}", source_id=str(n), msgid=n, time=SECOND + ms, sender=who, **{"target": other[who], **fields})
        for n, (ms, who) in enumerate(wanted, 1)
    ]


@settings(max_examples=200, deadline=None)
@given(moments)
def test_seq_grows_inside_of_a_second_in_source_order(wanted: list[tuple[int, str]]) -> None:
    found = Road("tencent").requests(talk(wanted))
    numbers = [body["MsgSeq"] for body in bodies(found)]
    texts = [body["MsgBody"][0]["MsgContent"]["Text"] for body in bodies(found)]
    order = sorted(range(len(wanted)), key=lambda n: (wanted[n][0], n))
    assert [f"m{n + 1}" for n in order] == texts
    assert all(one < other for one, other in pairwise(numbers))
    triples = {(body["MsgSeq"], body["MsgRandom"], body["MsgTimeStamp"]) for body in bodies(found)}
    assert len(triples) == len(wanted)


@settings(max_examples=200, deadline=None)
@given(moments, st.integers(1, 9))
def test_batches_hold_all_in_order_within_the_limit(wanted: list[tuple[int, str]], most: int) -> None:
    road = Road("tencent", **{"tencent.group_batch": str(most)})
    found = road.requests(talk(wanted, **GROUP))
    sizes = [len(body["MsgList"]) for body in bodies(found)]
    assert max(sizes) <= most and all(size == most for size in sizes[:-1])
    assert sizes == [request.lines for request in found] and sum(sizes) == len(wanted)
    items = [item for body in bodies(found) for item in body["MsgList"]]
    order = sorted(range(len(wanted)), key=lambda n: (wanted[n][0], n))
    assert [f"m{n + 1}" for n in order] == [item["MsgBody"][0]["MsgContent"]["Text"] for item in items]
    assert len({item["Random"] for item in items}) == len(items)
    assert {item["SendTime"] for item in items} == {SECOND // 1000}


@settings(max_examples=50, deadline=None)
@given(moments)
def test_same_messages_same_bytes(wanted: list[tuple[int, str]]) -> None:
    for fields in ({}, GROUP):
        assert Road("tencent").requests(talk(wanted, **fields)) == Road("tencent").requests(talk(wanted, **fields))


def test_name_of_a_call_of_several_says_how_many() -> None:
    (found,) = Road("tencent").requests(talk([(1, "ann"), (2, "bob"), (3, "ann")], **GROUP))
    line = json.loads(found.data)
    assert (f"1/{SECOND + 1}/ann+2", SECOND + 1, "880011") == (line["key"], line["time"], line["conv"])
    assert ["api", "conv", "key", "time", "body"] == list(line)


def test_uploads_of_a_call_of_several_are_all_named() -> None:
    voices = [Media("audio", f"media/ab/ab{digit * 62}.amr") for digit in "01"]
    messages = [message(voice, msgid=n, time=SECOND + n, **GROUP) for n, voice in enumerate([*voices, voices[0]], 1)]
    (found,) = Road("tencent").requests([message("t", msgid=9, time=SECOND, **GROUP), *messages])
    line = json.loads(found.data)
    assert [voice.url for voice in voices] == line["upload"] and "body" == list(line)[-1]


def test_topics_have_calls_of_their_own() -> None:
    group = {"chat": "team", "target": "@TGS#_1"}
    one = [message(str(n), msgid=n, time=SECOND + n, extra={"TopicId": f"t{n // 3}"}, **group) for n in range(1, 5)]
    found = bodies(Road("tencent").requests(one))
    assert [("t0", 2), ("t1", 2)] == [(body["TopicId"], len(body["MsgList"])) for body in found]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=30), st.integers(1, 8))
def test_randoms_are_distinct_in_every_window(randoms: list[int], window: int) -> None:
    """Of numbers from a tiny range, so that nearly all meet another."""
    group = Group(window, None)
    found = [group.random(random) for random in randoms]
    assert all(0 <= random <= keys.U32 for random in found)
    for start in range(len(found)):
        some = found[start : start + window]
        assert len(some) == len(set(some))
    if window >= len(randoms):
        assert set(randoms) <= set(found)


def test_a_window_forgets() -> None:
    group = Group(1, None)
    assert [7, 8, 7] == [group.random(random) for random in (7, 8, 7)] and len(group.known) == 1


ids = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=9)


@settings(max_examples=300, deadline=None)
@given(ids, ids, st.integers(1, 1 << 62), st.sampled_from(["p2p", "team"]))
def test_random_is_that_of_the_key(sender: str, target: str, msgid: int, chat: str) -> None:
    """Also with quotes, slashes and backslashes in ids."""
    assume(chat == "p2p" or not target.startswith("@TGS#"))
    road = Road("tencent")
    line = lines_of(road, message("x", sender=sender, target=target, msgid=msgid, chat=chat))
    body = json.loads(line.data)["body"]
    assert random_of(line.key) == (body["MsgRandom"] if chat == "p2p" else body["MsgList"][0]["Random"])
    assert line.key == key_of(*road.target.read_key(line.data))
    other = lines_of(road, message("x", sender=sender, target=target, msgid=7, chat=chat))
    assert other.data == road.target.with_msgid(line.data, 7)


def test_seconds_may_be_made_to_increase() -> None:
    road = Road("tencent", **{"tencent.group_seconds": "increase"})
    wanted = [(0, "ann"), (1, "ann"), (999, "bob"), (5000, "bob")]
    found = [item for body in bodies(road.requests(talk(wanted, **GROUP))) for item in body["MsgList"]]
    second = SECOND // 1000
    assert [second, second + 1, second + 2, second + 5] == [item["SendTime"] for item in found]
    assert ["IMC-3252", "IMC-3252"] == road.notes.repairs
    assert [SECOND, SECOND + 1, SECOND + 999, SECOND + 5000] == [
        json.loads(item["CloudCustomData"])["imconvert"]["ms"] for item in found
    ]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=6), st.data())
def test_what_is_still_stays_as_it_is(talks: list[list[int]], data: st.DataObject) -> None:
    """A conversation that is said to need nothing is what it would become."""
    fields = data.draw(st.sampled_from([{}, GROUP]))
    marks = data.draw(st.sampled_from(["none", "all"]))
    road = Road("tencent", **{"tencent.read_marks": marks})
    some = [[lines_of(road, message(f"{n}", msgid=n + 1, time=TIME + time, **fields))
             for n, time in enumerate(sorted(times))] for times in talks]  # fmt: skip
    times = np.array([line.time for lines in some for line in lines])
    starts = np.cumsum([0, *map(len, some[:-1])])
    assert road.target.arrange and road.target.arrange.still
    found = road.target.arrange.still(road.settings)("team" if fields else "p2p", times, starts)
    for lines, still in zip(some, found.tolist(), strict=True):
        requests = [*road.target.arrange.finisher(road.settings, Notes())(Placed(one.time, one.data) for one in lines)]
        assert still == ([one.data for one in requests] == [one.data for one in lines])


def from_tencent(seq: int, random: int, second: int, **fields: Any) -> Message:
    name = keys.of_pair("ann", "bob", f"{seq}_{random}_{second}")
    return message(str(seq), source_id=name, msgid=keys.number(name), time=second * 1000 + seq % 1000, **fields)


def test_numbers_of_tencent_stay() -> None:
    second = SECOND // 1000
    found = bodies(Road("tencent").requests([from_tencent(seq, 71, second) for seq in (3001, 4_294_967_295)]))
    assert [(3001, 71, second), (4_294_967_295, 71, second)] == [
        (body["MsgSeq"], body["MsgRandom"], body["MsgTimeStamp"]) for body in found
    ]


@pytest.mark.parametrize("asked", [{"tencent.numbers": "derived"}, {}])
def test_numbers_of_tencent_may_be_derived(asked: dict[str, str]) -> None:
    """Also where they don't fit 32 bits."""
    seq = 3001 if asked else 1 << 32
    (body,) = bodies(Road("tencent", **asked).requests([from_tencent(seq, 71, SECOND // 1000)]))
    assert seq % 1000 * 1_000_000 == body["MsgSeq"] and 71 != body["MsgRandom"]


def pieces(count: int, **fields: Any) -> list[Message]:
    """A message of several parts as it comes from Yunxin's lines: a line each."""
    notes = [{"part": f"{n}/{count}", "of": "c2c/ann/bob/1_2_3"} for n in range(1, count + 1)]
    exts = [with_note('{"app":1}' if n == 0 else None, note) for n, note in enumerate(notes)]
    return [message(f"p{n}", msgid=n, source_id=str(n), ext=ext, **fields) for n, ext in enumerate(exts, 1)]


@pytest.mark.parametrize("fields", [{}, GROUP])
def test_parts_of_a_message_are_joined(fields: dict[str, Any]) -> None:
    road = Road("tencent")
    found = road.requests([*pieces(3, **fields), message("after", msgid=9, time=TIME + 1, **fields)])
    items = [item for body in bodies(found) for item in body.get("MsgList", [body])]
    texts = [[one["MsgContent"]["Text"] for one in item["MsgBody"]] for item in items]
    assert [["p1", "p2", "p3"], ["after"]] == texts and sum(request.lines for request in found) == 4
    note = {"id": "c2c/ann/bob/1_2_3", "ms": TIME, "client": 32}
    assert {"app": 1, "imconvert": note} == json.loads(items[0]["CloudCustomData"])
    assert [("transformed", "lines of one message joined")] == road.notes.changes


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_parts_without_one_of_them_stay_alone(missing: int) -> None:
    some = [piece for n, piece in enumerate(pieces(3)) if n != missing]
    found = Road("tencent").requests([*some, message("after", msgid=9, time=TIME + 1)])
    assert [1, 1, 1] == [request.lines for request in found]


def test_parts_that_are_too_large_together_stay_alone() -> None:
    road = Road("tencent", **{"tencent.size_limit": "90"})
    assert 3 == len(road.requests(pieces(3)))


def test_two_messages_in_parts_do_not_mix() -> None:
    other = [piece.__class__(**{**vars_of(piece), "sender": "bob", "target": "ann", "msgid": piece.msgid + 10})
             for piece in pieces(2)]  # fmt: skip
    found = bodies(Road("tencent").requests([*pieces(2), *other]))
    assert [("ann", 2), ("bob", 2)] == [(body["From_Account"], len(body["MsgBody"])) for body in found]


def vars_of(one: Message) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


@pytest.mark.parametrize(("way", "expected"), [
    ("none", []),
    ("sent", [("ann", "bob", 2), ("bob", "ann", 3)]),
    ("all", [("ann", "bob", 3), ("bob", "ann", 3)]),
])  # fmt: skip
def test_read_marks_stand_behind_the_messages(way: str, expected: list[tuple[str, str, int]]) -> None:
    road = Road("tencent", **{"tencent.read_marks": way})
    found = road.requests(talk([(1000, "ann"), (2000, "ann"), (3000, "bob")]))
    marks = [json.loads(request.data) for request in found[3:]]
    second = SECOND // 1000
    assert [(reader, peer, second + at) for reader, peer, at in expected] == [
        (mark["body"]["Report_Account"], mark["body"]["Peer_Account"], mark["body"]["MsgReadTime"]) for mark in marks
    ]
    assert {"openim/admin_set_msg_read"} >= {mark["api"] for mark in marks}
    assert [0] * len(marks) == [request.lines for request in found[3:]]


def test_key_and_digest_are_found_in_lines() -> None:
    road = Road("tencent")
    for one in (message("x"), message("x", **GROUP), message(Text("x"), sender="a/b")):
        (line,) = road.lines(one)
        assert line.key == key_of(*road.target.read_key(line.data))
        assert line.digest == road.target.digest_of(line.data)


def test_order_of_keys_in_custom_data_does_not_count() -> None:
    road = Road("tencent")
    one, other = [lines_of(road, message(Custom("custom", "yunxin", content)))
                  for content in ({"a": 1, "b": 2}, {"b": 2, "a": 1})]  # fmt: skip
    assert one.digest == other.digest and one.data != other.data


def lines_of(road: Road, one: Message) -> Line:
    (line,) = road.lines(one)
    return line


def test_another_number_changes_key_and_random() -> None:
    road = Road("tencent")
    for one in (message("39"), message("x", **GROUP)):
        line = lines_of(road, one)
        again = lines_of(road, message(one.parts[0], msgid=77, source_id="7001", chat=one.chat, target=one.target))
        assert again.data == road.target.with_msgid(line.data, 77)


def test_another_number_gives_up_those_of_tencent() -> None:
    road = Road("tencent")
    line = lines_of(road, from_tencent(3001, 71, SECOND // 1000))
    body = json.loads(road.target.with_msgid(line.data, 77))["body"]
    random = random_of(key_of(77, "ann", "bob", line.time))
    assert b'"MsgRandom":71' in line.data and (body["MsgSeq"], body["MsgRandom"]) == (1_000_000, random)


def test_a_tombstone_tells_only_the_type() -> None:
    road = Road("tencent")
    for one in (message("secret", ext='{"app":1}'), message("secret", ext='{"app":1}', **GROUP)):
        found = json.loads(road.target.tombstone(lines_of(road, one).data, "easemob", road.settings))
        (item,) = found["body"].get("MsgList", [found["body"]])
        data = json.loads(item["MsgBody"][0]["MsgContent"]["Data"])
        assert {"v": 1, "kind": "recalled", "src": "easemob", "raw": {"type": "TIMTextElem"}} == data
        assert b"secret" not in json.dumps(found).encode() and "app" not in item["CloudCustomData"]
