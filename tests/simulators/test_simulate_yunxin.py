"""The puller that Yunxin would be: strict with answers and records, exact in its counts, clumsy only on purpose."""

from __future__ import annotations

import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_feed import BASE, Feed, Reply, good, p2p, serving, team

from imconvert.errors import CATALOGUE, Rejected, UsageError
from imconvert.simulators.yunxin.answer import Answer, PullFailed, elements_of
from imconvert.simulators.yunxin.compare import compared
from imconvert.simulators.yunxin.faults import KINDS, Rule, fault_of, read_rules
from imconvert.simulators.yunxin.fetch import Address, Clock, Fetcher, open_client
from imconvert.simulators.yunxin.records import DAY, judge
from imconvert.simulators.yunxin.rehearsal import Course, Mishaps, Rehearsal, Tally
from imconvert.simulators.yunxin.store import Comparison, Counts, Pull, Store

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_900_000_000_000
JSON = "application/json; charset=utf-8"


def raw(record: Any) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode()


def changed(record: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The record with other fields of `data`; None takes a field out."""
    data = {name: value for name, value in {**record["data"], **fields}.items() if value is not None}
    return {**record, "data": data}


def made(kind: int, *, of: Callable[[int], dict[str, Any]] = p2p, **fields: Any) -> dict[str, Any]:
    return {**changed(of(7), **{"body": None, **fields}), "type": kind}


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


PICTURE = {"name": "a", "md5": "0", "url": "https://cdn.example/a.jpg", "ext": "jpg", "w": 4, "h": 3, "size": 9}
PLACE = {"title": "杭州", "lng": "120.1", "lat": "-30.25"}

# --- records ---


@pytest.mark.parametrize("folder", sorted((ROOT / "fixtures").glob("*/*/out")), ids=lambda path: path.parent.name)
def test_whatever_the_converter_writes_can_be_imported(folder: Path) -> None:
    """The two were written apart, from the same pages: this is where a mistake of either would show."""
    for shard in sorted(folder.glob("*.txt")):
        for line in shard.read_bytes().splitlines():
            judge(line, NOW)


GOOD: dict[str, Any] = {
    "text": p2p(1),
    "team text": team(1),
    "numbers as the samples have them": changed(p2p(1), clientType="2", createTime="1537262375000"),
    "empty text": changed(p2p(1), body=""),
    "picture": made(1, attach=text(PICTURE)),
    "audio": made(2, attach=text({"url": "u", "ext": "aac", "dur": 1, "size": 1})),
    "video": made(3, attach=text({"url": "u", "ext": "mp4", "dur": 1, "w": 1, "h": 1, "size": 1})),
    "place": made(4, attach=text(PLACE)),
    "place with numbers": made(4, attach=text({**PLACE, "lng": 120.1, "lat": 30})),
    "file": made(6, attach=text({"url": "u", "ext": "ttf", "size": 1})),
    "custom object": made(100, attach={"a": [1, {"b": None}]}),
    "custom text": made(100, attach="anything"),
    **{f"notice {kind}": made(kind, of=team, accid2="u_bob") for kind in (101, 102, 103, 104, 105, 106, 108)},
    "notice 107": made(107, of=team, tinfo={"tid": 880011, "14": "x", "16": "0", "24": 1}),
    "notice 109": made(109, of=team, ext=""),
    "notice 110": made(110, of=team),
}


@pytest.mark.parametrize("name", GOOD)
def test_good(name: str) -> None:
    assert frozenset() == judge(raw(GOOD[name]), NOW).remarks


BAD: dict[str, tuple[Any, str]] = {
    "a list": ([], "not an object"),
    "no type": ({"data": p2p(1)["data"]}, "type is missing"),
    "type as text": ({**p2p(1), "type": "0"}, "type is '0'"),
    "type as truth": ({**p2p(1), "type": False}, "type is False"),
    "tip": (made(10, body="x"), "type 10"),
    "notification": (made(5), "type 5"),
    "robot": (made(11), "type 11"),
    "other key outside": ({**p2p(1), "seq": 1}, "'seq'"),
    "other key inside": (changed(p2p(1), seq=1), "'seq'"),
    "attach in a text": (changed(p2p(1), attach="{}"), "'attach'"),
    "no data": ({"type": 0}, "data is missing"),
    "no msgid": (changed(p2p(1), msgid=None), "msgid is missing"),
    "msgid 0": (changed(p2p(1), msgid=0), "msgid is 0"),
    "msgid too great": (changed(p2p(1), msgid=2**63), "msgid is 9223372036854775808"),
    "msgid as text": (changed(p2p(1), msgid="1"), "msgid is '1'"),
    "msgid as float": (changed(p2p(1), msgid=1.0), "msgid is 1.0"),
    "seconds": (changed(p2p(1), createTime=1_711_000_000), "createTime is 1711000000"),
    "future": (changed(p2p(1), createTime=NOW + DAY + 1), "createTime is 1900086400001"),
    "no time": (changed(p2p(1), createTime=None), "createTime is missing"),
    "client": (changed(p2p(1), clientType=3), "clientType is 3"),
    "no sender": (changed(p2p(1), **{"from": None}), "from is missing"),
    "no receiver": (changed(p2p(1), to=None), "to is missing"),
    "long account": (changed(p2p(1), to="x" * 33), "to is"),
    "chinese account": (changed(p2p(1), to="张"), "to is '张'"),
    "both targets": (changed(p2p(1), tid=1), "both to and tid"),
    "tid as text": (changed(team(1), tid="880011"), "tid is '880011'"),
    "from in a team": (changed(team(1), accid=None, **{"from": "u_ann"}), "'from'"),
    "text as object": (changed(p2p(1), body={"msg": "x"}), "body is {'msg': 'x'}"),
    "text without body": (changed(p2p(1), body=None), "body is missing"),
    "ext as object": (changed(p2p(1), ext={}), "ext is {}"),
    "picture as object": (made(1, attach=PICTURE), "attach is {"),
    "picture torn": (made(1, attach='{"url":"u"'), "attach is not valid JSON"),
    "picture without url": (made(1, attach=text({**PICTURE, "url": ""})), "attach.url is empty"),
    "picture with text width": (made(1, attach=text({**PICTURE, "w": "4"})), "w is '4'"),
    "place off the map": (made(4, attach=text({**PLACE, "lng": "181"})), "attach.lng is '181'"),
    "place without lat": (made(4, attach=text({"title": "x", "lng": "1"})), "attach.lat is 'None'"),
    "custom as number": (made(100, attach=7), "attach is 7"),
    "notice to a person": (made(109), "needs tid"),
    "notice without other": (made(101, of=team), "accid2 is missing"),
    "notice with ext": (made(109, of=team, ext="x"), "no ext"),
    "notice with body": ({**team(1), "type": 110}, "'body'"),
    "info of another team": (made(107, of=team, tinfo={"tid": 1, "14": "x"}), "tinfo.tid is 1"),
    "info of nothing": (made(107, of=team, tinfo={"tid": 880011}), "nothing but tid"),
    "info unknown": (made(107, of=team, tinfo={"tid": 880011, "4": 1}), "'4'"),
    "info out of range": (made(107, of=team, tinfo={"tid": 880011, "17": 2}), "17 is 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(name: str) -> None:
    record, why = BAD[name]
    with pytest.raises(Rejected) as found:
        judge(raw(record), NOW)
    assert found.value.code == "IMC-7126"
    assert why in str(found.value.values["why"])


REMARKS: dict[str, tuple[Any, str]] = {
    "capitals": (changed(p2p(1), to="U_Bob"), "an account id with capitals"),
    "harmony": (changed(p2p(1), clientType=65), "clientType 65, which the import page does not list"),
    "team name": (made(107, of=team, tinfo={"tid": 880011, "3": "x"}), "tinfo 3, which the import page does not list"),
    "no client": (changed(p2p(1), clientType=None), "no clientType"),
    "long body": (changed(p2p(1), body="x" * 5001), "body longer than 5,000 characters"),
    "long ext": (changed(p2p(1), ext="x" * 1025), "ext longer than 1,024 characters"),
    "long attach": (made(100, attach="x" * 4097), "attach longer than 4,096 characters"),
    "longer attach": (made(100, attach="x" * 5001), "attach longer than 5,000 characters"),
    "thin picture": (made(1, attach=text(PICTURE).replace('"ext"', '"x"')), "picture without ext"),
}  # fmt: skip


@pytest.mark.parametrize("name", REMARKS)
def test_remarks(name: str) -> None:
    record, remark = REMARKS[name]
    assert frozenset({remark}) == judge(raw(record), NOW).remarks


SAME = [
    (p2p(1), changed(p2p(1), ext="")),
    (p2p(1), changed(p2p(1), clientType="1", createTime=str(BASE + 1))),
    (p2p(1), changed(p2p(1), **{"from": "U_ANN"})),
    (p2p(1), {"data": dict(reversed(p2p(1)["data"].items())), "type": 0}),
    (made(1, attach=text(PICTURE)), made(1, attach=json.dumps(dict(reversed(PICTURE.items())), indent=1))),
    (made(100, attach={"a": 1, "b": 2}), made(100, attach='{"b": 2, "a": 1}')),
    (made(4, attach=text(PLACE)), made(4, attach=text({**PLACE, "lng": 120.1, "lat": -30.25}))),
    (made(101, of=team, accid2="u_bob"), made(101, of=team, accid2="U_BOB")),
    (made(107, of=team, tinfo={"tid": 880011, "16": "2"}), made(107, of=team, tinfo={"tid": 880011, "16": 2})),
]


@pytest.mark.parametrize(("one", "other"), SAME, ids=range(len(SAME)))
def test_other_spelling_same_record(one: Any, other: Any) -> None:
    first, second = judge(raw(one), NOW), judge(raw(other), NOW)
    assert (first.key, first.content) == (second.key, second.content)


def test_each_of_the_four_makes_another_key() -> None:
    records = [p2p(1), changed(p2p(1), msgid=2), changed(p2p(1), createTime=BASE), changed(p2p(1), to="u_x")]
    records += [changed(p2p(1), **{"from": "u_bob", "to": "u_ann"}), team(1), changed(team(1), tid=1)]
    records += [changed(p2p(1), to="880011")]
    assert len(records) == len({judge(raw(record), NOW).key for record in records})


def test_type_and_content_are_no_part_of_the_key() -> None:
    one, other = judge(raw(p2p(7)), NOW), judge(raw(made(100, attach="x")), NOW)
    assert one.key == other.key
    assert one.content != other.content


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["type", "msgid", "from", "to", "tid", "accid", "createTime", "clientType", "ext", "body",
                         "attach", "tinfo", "accid2"])  # fmt: skip


@given(st.sampled_from([record for record in GOOD.values()]), names, junk)
def test_nothing_but_a_rejection_comes_out_of_a_spoiled_record(record: Any, name: str, value: Any) -> None:
    spoiled = {**record, name: value} if name == "type" else {**record, "data": {**record["data"], name: value}}
    try:
        judge(raw(spoiled), NOW)
    except Rejected as why:
        assert why.code == "IMC-7126"


@given(st.binary(max_size=60))
def test_nothing_but_a_rejection_comes_out_of_bytes(data: bytes) -> None:
    with pytest.raises(Rejected):
        judge(data, NOW)


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"type":0,"data":' * 2000, b'"\xff"', b"", b"\x00", b'{"type":1e400}']
)
def test_hostile_element(data: bytes) -> None:
    with pytest.raises(Rejected):
        judge(data, NOW)


# --- answers ---


def answer(body: str | bytes, status: int = 200, kind: str = JSON) -> Answer:
    data = body.encode() if isinstance(body, str) else body
    return Answer(status, kind, data, len(data))


def test_the_elements_of_a_good_answer_are_given_as_sent() -> None:
    assert [b'{"a": 1}', b"[ 2]"] == elements_of(answer(' {"data":[{"a": 1},[ 2]], "code":200}\n'))
    assert [] == elements_of(answer('{"code":200,"data":[]}', kind="application/json"))


WRONG = {
    "half": (answer('{"code":200,"data":[{}'), "IMC-7124"),
    "nothing": (answer(""), "IMC-7124"),
    "a word behind it": (answer('{"code":200,"data":[]} x'), "IMC-7124"),
    "two answers": (answer('{"code":200,"data":[]}{"code":200,"data":[]}'), "IMC-7124"),
    "a field more": (answer('{"code":200,"data":[],"cursor":1}'), "IMC-7124"),
    "a field less": (answer('{"code":200}'), "IMC-7124"),
    "code as text": (answer('{"code":"200","data":[]}'), "IMC-7124"),
    "data as object": (answer('{"code":200,"data":{}}'), "IMC-7124"),
    "not utf-8": (answer(b'{"code":200,"data":["\xff'), "IMC-7124"),
    "deep": (answer('{"code":200,"data":' + "[" * 100_000), "IMC-7124"),
    "html": (answer("<html>", kind="text/html"), "IMC-7124"),
    "no type": (answer('{"code":200,"data":[]}', kind=""), "IMC-7124"),
    "other charset": (answer('{"code":200,"data":[]}', kind="application/json; charset=gbk"), "IMC-7124"),
    "trouble": (answer('{"code":503,"data":[]}', 503), "IMC-7123"),
    "trouble with 200": (answer('{"code":500,"data":[]}'), "IMC-7123"),
    "trouble with records": (answer('{"code":503,"data":[{}]}', 503), "IMC-7124"),
    "trouble that says 200": (answer('{"code":200,"data":[]}', 503), "IMC-7124"),
    "trouble of a proxy": (answer("<html>", 503, "text/html"), "IMC-7124"),
    "refused": (answer("", 403), "IMC-7121"),
    "not there": (answer("", 404), "IMC-7121"),
    "too often": (answer("", 429), "IMC-7121"),
    "broken": (answer('{"code":200,"data":[]}', 500), "IMC-7122"),
    "elsewhere": (answer("", 302), "IMC-7122"),
    "unchanged": (answer("", 304), "IMC-7122"),
    "part": (answer('{"code":200,"data":[]}', 206), "IMC-7122"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answer(name: str) -> None:
    given, code = WRONG[name]
    with pytest.raises(PullFailed) as found:
        elements_of(given)
    assert code == found.value.code


# --- mishaps ---


def test_rules_are_read() -> None:
    assert (Rule("cut", 0.3), Rule("lose", 0.05)) == read_rules("cut=30%, lose=5%")
    assert (Rule("cut", 1.0, 4096),) == read_rules("cut@4096")
    assert (Rule("twice", 0.125),) == read_rules("twice=12.5%")


@pytest.mark.parametrize(
    "wrong", ["", "cut=", "cut=30", "burn=1%", "cut=60%,slow=41%", "lose@3", "cut@-1", "cut,", "a"]
)
def test_rules_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_rules(wrong)


def test_mishaps_come_in_their_shares_and_again_with_the_same_seed() -> None:
    rules = read_rules("cut=30%,slow=20%,twice=10%")
    drawn = [fault_of(rules, 5, number) for number in range(4000)]
    assert drawn == [fault_of(rules, 5, number) for number in range(4000)]
    assert drawn != [fault_of(rules, 6, number) for number in range(4000)]
    shares = {kind: sum(1 for fault in drawn if fault and fault.kind == kind) / 4000 for kind in KINDS}
    for kind, share in {"cut": 0.3, "slow": 0.2, "twice": 0.1, "lose": 0, "hangup": 0}.items():
        assert abs(shares[kind] - share) < 0.03
    parts = sorted(fault.part for fault in drawn if fault and fault.kind == "cut")
    assert parts[0] < 0.02
    assert parts[-1] > 0.98
    assert max(b - a for a, b in pairwise(parts)) < 0.02


# --- store ---


def pull(number: int = 1) -> Pull:
    return Pull(number=number, at_ms=NOW, outcome="taken", counts=Counts())


def stored(store: Store, number: int, *records: Any) -> Counts:
    one = pull(number)
    elements: list[Any] = []
    for record in records:
        try:
            elements.append((raw(record), judge(raw(record), NOW)))
        except Rejected as why:
            elements.append((raw(record), why))
    store.take(one, elements)
    return one.counts


def test_counts_by_what_was_there() -> None:
    with Store(None) as store:
        assert Counts(3, 3, 0, 0, 0) == stored(store, 1, p2p(1), p2p(2), team(1))
        assert Counts(4, 1, 1, 1, 1) == stored(store, 2, p2p(1), p2p(2, "other"), p2p(3), {})
        assert store.records == 4
        assert store.pulls == 2


def test_the_later_record_overwrites_and_the_earlier_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with Store(path) as store:
        stored(store, 1, p2p(1, "first"))
        stored(store, 2, p2p(1, "second"))
        assert [p2p(1, "second")] == [json.loads(row) for row in store.rows()]
    found = sqlite3.connect(path).execute("SELECT pull, before, after FROM overwritten").fetchall()
    assert [(2, raw(p2p(1, "first")).decode(), raw(p2p(1, "second")).decode())] == found


def test_one_answer_may_hold_a_record_two_times() -> None:
    with Store(None) as store:
        assert Counts(3, 1, 1, 1, 0) == stored(store, 1, p2p(1), p2p(1), p2p(1, "x"))


def test_bad_elements_are_kept_as_they_came(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        store.take(pull(), [(b'{"\xff', Rejected("IMC-7126", why="broken"))])
    found = sqlite3.connect(tmp_path / "store").execute("SELECT * FROM bad").fetchall()
    assert [(1, 0, "broken", b'{"\xff')] == found


def test_a_store_goes_on(tmp_path: Path) -> None:
    for _ in range(2):
        with Store(tmp_path / "store") as store:
            number = store.pulls + 1
            stored(store, number, p2p(1), p2p(number + 1))
    with Store(tmp_path / "store") as store:
        assert (3, 2) == (store.records, store.pulls)


def test_an_answer_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def elements() -> Iterator[Any]:
        yield raw(p2p(1)), judge(raw(p2p(1)), NOW)
        raise Killed

    with Store(tmp_path / "store") as store:
        with pytest.raises(Killed):
            store.take(pull(), elements())  # type: ignore[arg-type]
        assert (0, 0) == (store.records, store.pulls)
        stored(store, 1, p2p(1))
        assert store.records == 1


@pytest.mark.parametrize("content", [b"hello, I am something else, and long enough to be a header" * 9, None])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "store"
    if content is None:
        sqlite3.connect(path).execute("CREATE TABLE mine (x)").connection.commit()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(UsageError) as found:
        Store(path)
    assert found.value.code in ("IMC-1160", "IMC-1161")
    assert before == path.read_bytes()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="IMC-1161"):
        Store(tmp_path / "no" / "store")


# --- pulling ---


class Time:
    """A clock that jumps when it is asked to sleep."""

    def __init__(self) -> None:
        self.at = NOW / 1000
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.at += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.at, lambda: self.at, self.sleep)


def rehearse(feed: Feed, course: Course, rules: str = "", *, store: Store | None = None, seed: int = 1,
             calm_after: int | None = None, **address: Any) -> tuple[Tally, list[Pull], Time]:  # fmt: skip
    watch, pulls = Time(), []
    mishaps = Mishaps(read_rules(rules) if rules else (), seed, calm_after)
    with open_client(small=True) as client, Store(None) as memory:
        fetcher = Fetcher(client, Address(feed.url, **address), watch.clock())
        work = Rehearsal(fetcher, store or memory, watch.clock(), mishaps, pulls.append)
        work.run(course)
    return work.tally, pulls, watch


def test_pulls_at_the_interval_until_nothing_new_comes() -> None:
    with serving(good(p2p(1)), good(p2p(1), p2p(2)), good(p2p(2)), good(), good(p2p(3))) as feed:
        tally, pulls, watch = rehearse(feed, Course(5.0, until_quiet=2))
    assert [1, 1, 0, 0] == [pull.counts.new for pull in pulls]
    assert [0, 1, 1, 0] == [pull.counts.again for pull in pulls]
    assert [5.0, 5.0, 5.0] == watch.slept
    assert tally.clean
    assert (4, 4, 2, 2) == (tally.pulls, tally.counts.received, tally.counts.new, tally.counts.again)


def test_a_clock_that_ticks_between_two_looks_never_makes_it_sleep_backwards() -> None:
    ticking = Time()

    def look() -> float:
        ticking.at += 0.7
        return ticking.at

    with serving(good()) as feed, open_client() as client, Store(None) as store:
        clock = Clock(look, look, ticking.sleep)
        work = Rehearsal(Fetcher(client, Address(feed.url), clock), store, clock, Mishaps(), lambda pull: None)
        work.run(Course(0.1, pulls=5))
    assert [0.0] * 4 == ticking.slept


def test_what_is_asked() -> None:
    with serving(good()) as feed:
        rehearse(feed, Course(1.0, pulls=1), token="tok")
        rehearse(feed, Course(1.0, pulls=1))
    first, second = feed.seen
    assert ("/feed", "Bearer tok", "identity") == (
        first.path,
        first.headers["authorization"],
        first.headers["accept-encoding"],
    )
    assert "authorization" not in second.headers
    assert not {"if-none-match", "range", "cookie"} & second.headers.keys()


def test_a_refusal_then_trouble_then_records() -> None:
    refused, trouble = Reply(403, b""), Reply(503, b'{"code":503,"data":[]}')
    with serving(refused, trouble, good(p2p(1))) as feed:
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=3))
        assert tally.clean
        assert ["IMC-7121", "IMC-7123", None] == [pull.code for pull in pulls]
        assert {"failed": 2, "taken": 1} == tally.outcomes
    with serving(good(p2p(1)), trouble) as feed:
        assert not rehearse(feed, Course(1.0, pulls=2))[0].clean


def test_half_an_array_with_200_is_never_forgiven() -> None:
    whole = good(p2p(1), p2p(2))
    with serving(whole._replace(body=whole.body[:-20]), whole) as feed:
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=2))
    assert [0, 2] == [pull.counts.received for pull in pulls]
    assert pulls[0].code == "IMC-7124"
    assert not tally.clean


def test_an_answer_that_the_server_breaks_off_is_not_taken() -> None:
    whole = good(*map(p2p, range(1, 200)))
    with serving(whole._replace(stop=5000), whole._replace(length=len(whole.body) + 1), whole) as feed:
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=3))
    assert ["IMC-7125", "IMC-7125", None] == [pull.code for pull in pulls]
    assert [0, 0, 199] == [pull.counts.new for pull in pulls]
    assert pulls[0].values["size"] == 5000
    assert tally.clean


def test_overwriting_and_bad_elements_are_the_verdict() -> None:
    with serving(good(p2p(1)), good(p2p(1, "x")), good()) as feed:
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=3))
        assert not tally.clean
        assert pulls[1].code == "IMC-7127"
        assert {"position": 0, "msgid": 1} == pulls[1].values
    with serving(good(p2p(1), {"type": 5, "data": {}}), good()) as feed:
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=2))
        assert not tally.clean
        assert pulls[0].code == "IMC-7126"
        assert pulls[0].values["position"] == 1


def test_gzip_is_unpacked_when_it_was_asked_for() -> None:
    reply = good(p2p(1))
    packed = reply._replace(body=gzip.compress(reply.body), extra=[("Content-Encoding", "gzip")])
    with serving(packed) as feed:
        _, pulls, _ = rehearse(feed, Course(1.0, pulls=1), gzip=True)
    assert pulls[0].counts.new == 1
    assert len(packed.body) == pulls[0].bytes
    assert feed.seen[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("body", [gzip.compress(good(p2p(1)).body)[:-12], b"no gzip"])
def test_broken_gzip(body: bytes) -> None:
    with serving(Reply(body=body, extra=[("Content-Encoding", "gzip")])) as feed:
        _, pulls, _ = rehearse(feed, Course(1.0, pulls=1), gzip=True)
    assert pulls[0].code in ("IMC-7124", "IMC-7125")
    assert pulls[0].counts.received == 0


def test_too_large_an_answer_is_not_read_to_the_end() -> None:
    packed = Reply(body=gzip.compress(bytes(50 << 20)), extra=[("Content-Encoding", "gzip")])
    with serving(packed) as feed:
        _, pulls, _ = rehearse(feed, Course(1.0, pulls=1), gzip=True, most=1 << 20)
    assert pulls[0].code == "IMC-7125"


@pytest.mark.parametrize("byte", [0, 1, 30, 4096, 100_000])
def test_a_cut_takes_nothing_and_the_next_pull_everything(byte: int) -> None:
    whole = good(*map(p2p, range(1, 2001)))
    with serving(whole) as feed:
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=2), f"cut@{byte}", calm_after=1)
    assert ["cut", "taken"] == [pull.outcome for pull in pulls]
    assert byte == pulls[0].bytes
    assert [0, 2000] == [pull.counts.received for pull in pulls]
    assert tally.clean


def test_a_cut_behind_the_end_does_not_happen() -> None:
    with serving(good(p2p(1))) as feed:
        _, pulls, _ = rehearse(feed, Course(1.0, pulls=1), "cut@99999")
    assert pulls[0].outcome == "taken"


def test_a_cut_resets_the_connection() -> None:
    """The server's socket is told, as it would be by a process that dies; a quiet close would look like success."""
    broken: Queue[type[BaseException] | None] = Queue()
    whole = good(*(p2p(number, "x" * 4000) for number in range(1, 2001)))
    with serving(whole) as feed, pytest.MonkeyPatch.context() as patch:
        patch.setattr("support.fake_feed._Server.handle_error", lambda *_: broken.put(sys.exc_info()[0]))
        rehearse(feed, Course(1.0, pulls=1), "cut@4096")
        assert issubclass(broken.get(timeout=10) or Exception, ConnectionError)


def test_hanging_up_and_forgetting() -> None:
    with serving(good(p2p(1))) as feed:
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=2), "hangup", calm_after=1)
        assert ["cut", "taken"] == [pull.outcome for pull in pulls]
        assert feed.came(2)
        tally, pulls, _ = rehearse(feed, Course(1.0, pulls=2), "lose", calm_after=1)
    assert ["lost", "taken"] == [pull.outcome for pull in pulls]
    assert [0, 1] == [pull.counts.new for pull in pulls]
    assert tally.clean


def test_slow_reading_takes_its_time() -> None:
    with serving(good(*map(p2p, range(1, 2001)))) as feed:
        _, pulls, watch = rehearse(feed, Course(1.0, pulls=1), "slow")
    assert pulls[0].counts.new == 2000
    assert len(watch.slept) > 10


def test_two_at_once() -> None:
    with serving(good(p2p(1))) as feed:
        tally, pulls, watch = rehearse(feed, Course(1.0, pulls=1), "twice")
    assert [] == watch.slept
    assert [1, 2] == [pull.number for pull in pulls]
    assert (1, 1) == (tally.counts.new, tally.counts.again)


def test_time_is_up() -> None:
    with serving(good(*map(p2p, range(1, 2001)))) as feed:
        _, pulls, _ = rehearse(feed, Course(1.0, pulls=1), "slow", timeout=0.05)
    assert pulls[0].code == "IMC-7125"


def test_nobody_there() -> None:
    with serving(good()) as feed:
        pass
    tally, pulls, _ = rehearse(feed, Course(1.0, pulls=1))
    assert pulls[0].code == "IMC-7120"
    assert not tally.clean


def test_redirects_are_not_followed() -> None:
    with serving(good()) as feed:
        with serving(Reply(302, b"", extra=[("Location", feed.url)])) as elsewhere:
            _, pulls, _ = rehearse(elsewhere, Course(1.0, pulls=1))
        assert pulls[0].code == "IMC-7122"
        assert feed.seen == []


# --- the command ---


def command(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "IMCONVERT_LANG": "en", "PYTHONPATH": str(ROOT), **more}
    found = subprocess.run([sys.executable, "-m", "imconvert", "simulate", "yunxin", *words], capture_output=True,
                           text=True, env=environment, timeout=60, check=False)  # fmt: skip
    assert "Traceback" not in found.stderr
    return found


def test_command(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    with serving(good(p2p(1), team(2)), good(p2p(1))) as feed:
        first = command("--pull", feed.url, "--store", store, "--pulls", "2", "--every", "10ms")
        second = command("--pull", feed.url, "--store", store, "--once", "--json", "--quiet")
    assert (0, 0) == (first.returncode, second.returncode)
    assert "✓ the feed kept to the agreement" in first.stdout
    assert "new 2" in first.stderr
    found = json.loads(second.stdout)
    assert (True, 0, 1, 2, 3) == (found["clean"], found["counts"]["new"], found["counts"]["again"],
                                  found["stored"], found["pulls_ever"])  # fmt: skip
    assert second.stderr == ""


def test_command_says_what_is_wrong_in_both_languages() -> None:
    with serving(good(p2p(1), p2p(1, "x"), {"type": 5, "data": {}})) as feed:
        english = command("--pull", feed.url, "--once")
        chinese = command("--pull", feed.url, "--once", IMCONVERT_LANG="zh")
    assert (7, 7) == (english.returncode, chinese.returncode)
    assert "✗ the feed did not keep to it" in english.stdout
    assert re.search(r"overwrote another message +1\n  cannot be imported +1\n", english.stdout)
    assert CATALOGUE["IMC-7127"].remedy["en"] in english.stdout
    assert "✗ 增量接口不符合约定" in chinese.stdout


SECRET = "tok-4f6c-secret"


@pytest.mark.parametrize("status", [200, 302, 403, 500, 503])
def test_the_token_is_never_shown(status: int, tmp_path: Path) -> None:
    with serving(Reply(status, b"<html>")) as feed:
        url = f"{feed.url}/{SECRET}/pull?key={SECRET}"
        store = tmp_path / "store"
        found = command("--pull", url, "--token", SECRET, "--once", "--store", str(store), "--faults", "cut=1%")
        assert any(SECRET in request.headers["authorization"] for request in feed.seen)
    assert SECRET not in found.stdout + found.stderr
    assert SECRET.encode() not in store.read_bytes()


WRONG_ADDRESSES = [
    f"ftp://{SECRET}/", f"http:///{SECRET}", SECRET, f"http://[{SECRET}", f"http://a:x/{SECRET}",
    f"http://u:{SECRET}@127.0.0.1/", f"http://h/{SECRET} b", f"http://h/{SECRET}\n",
]  # fmt: skip


@pytest.mark.parametrize("url", WRONG_ADDRESSES)
def test_a_wrong_address_is_refused_and_not_repeated(url: str) -> None:
    found = command("--pull", url, "--once")
    assert found.returncode == 2
    assert SECRET not in found.stdout + found.stderr


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("nothing")
    found = command("--pull", "https://127.0.0.1:1/", "--once", "--ca", str(tmp_path / "ca"))
    assert found.returncode == 2
    assert "holds no certificate" in found.stderr


def test_httpx_tells_no_address_in_its_errors() -> None:
    """`_told` relies on it."""
    for url in (f"http://127.0.0.1:1/{SECRET}", f"http://no-such-host.invalid/{SECRET}"):
        with httpx.Client(trust_env=False) as client, pytest.raises(httpx.HTTPError) as found:
            client.get(url)
        assert SECRET not in str(found.value)


def test_stopping_prints_the_summary(tmp_path: Path) -> None:
    with serving(good(p2p(1))) as feed:
        words = [sys.executable, "-m", "imconvert", "simulate", "yunxin", "--pull", feed.url, "--every", "1h", "--json"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "PYTHONPATH": str(ROOT), "IMCONVERT_LANG": "en"})  # fmt: skip
        assert process.stderr is not None
        while "#1" not in process.stderr.readline():
            pass
        process.terminate()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    assert json.loads(output)["counts"]["new"] == 1


# --- comparing with what should be there ---


def expecting(folder: Path, *lines: bytes, name: str = "p2p-00001.txt") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], Comparison(0, 0, 0, 3, [])),
        ([p2p(1), p2p(2), team(3)], Comparison(3, 0, 0, 0, [])),
        ([p2p(1), changed(p2p(1), clientType="1"), p2p(1, "later")], Comparison(1, 0, 0, 2, [])),
        ([p2p(1, "earlier"), p2p(1)], Comparison(1, 0, 1, 2, [])),
        ([p2p(1), p2p(7), team(2)], Comparison(3, 2, 0, 2, [7, 2])),
        ([p2p(1), {"type": 5}], Comparison(1, 0, 0, 2, [])),
    ],
    ids=["nothing", "all", "first of equals", "other content", "missing", "bad line"],
)
def test_comparing(lines: list[Any], expected: Comparison) -> None:
    with Store(None) as store:
        stored(store, 1, p2p(1), p2p(2), team(3))
        for _ in range(2):
            found = compared(store, map(raw, lines), NOW)
            assert expected == found
            assert found.complete == (not expected.missing and not expected.other)


def test_the_command_compares(tmp_path: Path) -> None:
    out = expecting(tmp_path / "out", raw(p2p(1)))
    spool = expecting(tmp_path / "spool", raw(p2p(2)), name="spool-000001.ndjson")
    expecting(spool, b"not a record of the feed", name="held.ndjson")
    with serving(good(p2p(1), p2p(2), p2p(3))) as feed:
        words = ("--pull", feed.url, "--once", "--expect", str(out), "--expect", str(spool))
        whole = command(*words)
        expecting(spool, raw(p2p(2)), raw(p2p(9)), name="spool-000001.ndjson")
        lacking, told = command(*words), command(*words, "--json")
    assert (0, 7, 7) == (whole.returncode, lacking.returncode, told.returncode)
    assert "✓ all 2 expected records are in the store, and 1 more" in whole.stdout
    assert "✗ IMC-7128: Of 3 records 1 are missing in the store, and 0 have other content. msgid 9" in lacking.stdout
    found = json.loads(told.stdout)
    assert (True, False, 1) == (found["clean"], found["complete"], found["compared"]["missing"])
