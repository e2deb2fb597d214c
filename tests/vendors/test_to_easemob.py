"""Easemob as target: what the requests say, against a plain oracle; ids, sizes, times, and what the settings change."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import easemob_oracle as oracle
import pytest
from golden import LATEST
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_jobs import differing, options, run, side

from imconvert.convert.options import Options
from imconvert.errors import Rejected, UsageError
from imconvert.model import Custom, Media, Message, Notes, Notice, Text
from imconvert.vendors import TARGETS
from imconvert.vendors.contract import Book, LeftOut, Line, Placed
from imconvert.vendors.easemob import rules

START = 1_711_000_000_000
TARGET = TARGETS["easemob"]

ids = st.text("abz09_.-", min_size=1, max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts.filter(lambda key: key not in ("imconvert", "v")), values, max_size=5)
exts = st.none() | texts | objects.map(oracle.compact)
urls = st.text("abc/.", min_size=1, max_size=9).map(lambda tail: f"https://x/{tail}")
attaches = st.fixed_dictionaries(
    {"url": urls, "ext": st.sampled_from(["jpg", "AMR"])},
    optional={
        "name": texts.filter(bool), "md5": st.just("9894907e4ad9de4678091277509361f7"), "dur": st.integers(0, 90_000),
        "w": st.integers(0, 9999), "h": st.integers(0, 9999), "size": st.integers(0, 10**9),
    },
)  # fmt: skip
places = st.fixed_dictionaries({"title": texts, "lng": st.sampled_from(["120.1915", "-0"]), "lat": st.just("30.18653")})
wraps = st.builds(
    lambda kind, raw: {"v": 1, "kind": kind, "src": "rongcloud", "raw": raw}, st.sampled_from(["card", "face"]), values
)
numbers = st.integers(1, 2**63 - 1)


@st.composite
def contents(draw: st.DrawFn) -> tuple[int, dict[str, Any]]:
    kind = draw(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 6, 100]))
    if kind == 0:
        return 0, {"body": draw(texts)}
    if kind == 100:
        return 100, {"attach": draw(objects | wraps)}
    return kind, {"attach": oracle.compact(draw(places if kind == 4 else attaches))}


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    kind, content = draw(contents())
    ends: dict[str, Any] = {"from": draw(ids), "to": draw(ids)}
    if draw(st.booleans()):
        ends = {"accid": draw(ids), "tid": draw(st.integers(1, 3))}
        if draw(st.integers(0, 4)) == 0:
            kind = draw(st.sampled_from(sorted(oracle.NOTICES)))
            content = {"accid2": draw(ids)} if kind in (101, 102, 103, 104, 105, 106, 108) else {}
            content |= {"tinfo": {"tid": ends["tid"], "14": draw(texts)}} if kind == 107 else {}
    data = {
        "msgid": draw(numbers),
        **ends,
        "createTime": START + draw(st.integers(0, 5)),
        "clientType": draw(st.sampled_from([1, 2, 16])),
    }
    ext = draw(exts) if kind < 101 else None
    return {"type": kind, "data": data | ({"ext": ext} if ext else {}) | content}


@settings(max_examples=50, deadline=None)
@given(made=st.lists(lines(), min_size=1, max_size=12, unique_by=lambda line: line["data"]["msgid"]))
def test_requests_are_those_of_the_oracle(made: list[dict[str, Any]]) -> None:
    """Whether the part in C takes them or not."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").write_bytes(b"".join(oracle.compact(line).encode() + b"\n" for line in made))
        outcome = run(options(folder / "in", folder / "out", target="easemob", source="yunxin"))
        assert len(made) == outcome.manifest.totals.written
        assert oracle.requests(made) == found_in(folder / "out")
        run(options(folder / "in", folder / "long", target="easemob", source="yunxin", compiled=False))
        assert [] == differing(folder / "out", folder / "long")


def found_in(folder: Path) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*-*.ndjson")):
        for line in path.read_bytes().splitlines():
            read = json.loads(line)
            found.setdefault((read["api"], read["conv"]), []).append(read["body"])
    return found


def defaults(**more: str) -> dict[str, str]:
    chosen = {f"easemob.{name}": value for name, value in more.items()}
    return Options(inputs=(), output=Path(), settings=chosen).complete_settings()


def message(*parts: Any, **more: Any) -> Message:
    found = {"source_id": "77", "msgid": 77, "time": START, "chat": "p2p", "sender": "a", "target": "b", "client": 1}
    return Message(**{**found, **more}, parts=parts)


def written(
    *parts: Any, notes: Notes | None = None, ext: str | None = None, chat: str = "p2p", **more: str
) -> list[Line]:
    write = TARGET.writer(defaults(**more), notes or Notes(), Book(rules.account), Book(rules.group))
    return write(message(*parts, ext=ext, chat=chat))


def bodies(found: list[Line]) -> list[dict[str, Any]]:
    return [json.loads(line.data)["body"] for line in found]


def size(body: dict[str, Any]) -> int:
    return sum(len(oracle.compact(body[name]).encode()) for name in ("body", "ext"))


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.sampled_from("a\"\\\n é好😀👍🏽\u200d👩🇨🇳\u0301 "), min_size=200, max_size=900),
    limit=st.integers(300, 600), ext=st.none() | st.just('{"k":"v"}'),
)  # fmt: skip
def test_a_long_text_is_cut_and_nothing_of_it_lost(text: str, limit: int, ext: str | None) -> None:
    found = bodies(written(Text(text), ext=ext, size_limit=str(limit), size_margin="50"))
    assert text == "".join(body["body"]["msg"] for body in found)
    assert [] == [body for body in found if size(body) > limit - 50]
    count = len(found)
    assert count == 1 or [f"{n}/{count}" for n in range(1, count + 1)] == [b["ext"]["imconvert"]["part"] for b in found]
    assert [bool(ext), *[False] * (count - 1)] == ["k" in body["ext"] for body in found]


@pytest.mark.parametrize("bytes_", [4999, 5000, 5001])
def test_the_limit_is_exact(bytes_: int) -> None:
    """Body and extension in bytes of UTF-8: {"msg":"…"} and {"imconvert":{"id":"77","client":1}}."""
    room = bytes_ - len('{"msg":""}') - len('{"imconvert":{"id":"77","client":1}}')
    text = "好" * (room // 3) + "x" * (room % 3)
    assert [5000 >= bytes_] == [len(written(Text(text))) == 1]


def test_pieces_are_told_apart_by_numbers_of_their_own() -> None:
    found = written(Text("x" * 12_000))
    assert 3 == len({line.msgid for line in found}) == len({line.key for line in found})
    assert 77 == found[0].msgid


def test_a_large_extension_is_refused_whatever_is_done_with_texts() -> None:
    for policy in ("split", "file", "reject"):
        with pytest.raises(Rejected) as caught:
            written(Text("x"), ext=json.dumps({"k": "v" * 5000}), long_text=policy)
        assert "IMC-2502" == caught.value.code


def test_a_long_text_may_become_a_file() -> None:
    kept: list[tuple[bytes, str]] = []
    notes = Notes(lambda data, suffix: kept.append((data, suffix)) or f"media/ab/ab{'0' * 62}.{suffix}")  # type: ignore[func-returns-value]
    found = [json.loads(line.data) for line in written(Text("好" * 4000), ext='{"k":1}', notes=notes, long_text="file")]
    assert [("好" * 4000).encode()] == [data for data, _ in kept]
    assert [[f"media/ab/ab{'0' * 62}.txt"]] == [line["upload"] for line in found]
    assert [1, "txt"] == [found[0]["body"]["ext"]["k"], found[0]["body"]["ext"]["imconvert"]["long"]]


@pytest.mark.parametrize(("mark", "more"), [("imconvert", {"ext"}), ("none", set())])
def test_other_content_may_become_a_file_with_its_json(mark: str, more: set[str]) -> None:
    kept: list[bytes] = []
    notes = Notes(lambda data, suffix: kept.append(data) or "https://x/1.json")  # type: ignore[func-returns-value]
    part = Custom("custom", "yunxin", {"k": "v" * 6000})
    found = json.loads(written(part, notes=notes, long_content="file", mark=mark)[0].data)
    assert ("file", "custom") == (found["body"]["type"], found["body"]["ext"]["imconvert"]["long"])
    assert ("upload" in found, {"type", "body"} | more) == (False, json.loads(kept[0]).keys())


def test_a_file_of_this_output_is_to_be_uploaded() -> None:
    url = f"media/ab/ab{'0' * 62}.amr"
    line = json.loads(written(Media("audio", url, suffix="amr", duration=1500), need_download="true")[0].data)
    assert ([url], "audio.amr", 2) == (line["upload"], line["body"]["body"]["filename"], line["body"]["body"]["length"])
    assert "need_download" not in line["body"]


def test_flags_of_the_import() -> None:
    picture = Media("image", "https://x/a.png")
    plain, asked = (
        bodies(written(picture, **more))[0] for more in ({}, {"need_download": "true", "is_ack_read": "false"})
    )
    flags = ("need_download", "is_ack_read")
    assert (set(), [True, False]) == (plain.keys() & {*flags}, [asked[name] for name in flags])
    assert "need_download" not in bodies(written(Text("x"), need_download="true"))[0]


OWN_CUSTOM = {"type": "custom", "customEvent": "card", "v2:customExts": {"uid": "1"}}


@pytest.mark.parametrize(
    ("kind", "body", "wanted"),
    [
        ("custom", OWN_CUSTOM, ("custom", {"customEvent": "card", "customExts": {"uid": "1"}})),
        ("custom", {"customEvent": "e", "customExts": [{"a": 1}, {"b": "2"}]},
         ("custom", {"customEvent": "e", "customExts": {"a": "1", "b": "2"}})),
        ("custom", {"customEvent": "no blanks"}, ("custom", {"customEvent": "custom"})),
        ("command", {"type": "cmd", "action": "typing"}, ("cmd", {"action": "typing"})),
        ("command", {"type": "cmd"}, ("custom", {"customEvent": "command"})),
        ("combined", {"type": "txt", "subType": "sub_combine"}, ("custom", {"customEvent": "combined"})),
    ],
)  # fmt: skip
@pytest.mark.parametrize("detour", [False, True])
def test_what_came_from_easemob_becomes_what_it_was(kind: str, body: Any, wanted: Any, detour: bool) -> None:
    """Directly, and by the way of a Yunxin line."""
    part = Custom(kind, "easemob", body)
    if detour:
        part = Custom("custom", "yunxin", {"v": 1, "kind": kind, "src": "easemob", "raw": body})
    found = bodies(written(part))[0]
    assert wanted == (found["type"], found["body"])


def test_content_without_a_place_is_never_left_out() -> None:
    """Without a key of ours, what can't be understood without it still stands below one."""
    part = Custom("face", "tencent", {"Index": 1})
    notes = Notes()
    found = bodies(written(part, mark="none", notes=notes))[0]
    assert {"imconvert": {"src": "tencent", "raw": '{"Index":1}'}} == found["ext"]
    assert ("dropped", "client and source id") in notes.changes


def test_nothing_is_noted_of_a_plain_text() -> None:
    notes = Notes()
    written(Text("x"), ext='{"k":1}', notes=notes)
    assert ([], [], "text > txt") == (notes.changes, notes.repairs, notes.label)


def test_notices_may_be_left_out() -> None:
    with pytest.raises(LeftOut) as caught:
        _notice("skip")
    assert "IMC-8104" == caught.value.skip.code
    assert "custom" == bodies(_notice("custom"))[0]["type"]


def _notice(policy: str) -> list[Line]:
    write = TARGET.writer(defaults(notices=policy), Notes(), Book(rules.account), Book(rules.group))
    return write(message(Notice("leave"), chat="team", target="1"))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Ann", "ann"),
        ("a.b-c_9", "a.b-c_9"),
        ("a" * 64, "a" * 64),
        ("", None),
        ("a" * 65, None),
        ("a@b", None),
        ("é", None),
    ],
)
def test_user_ids(source: str, target: str | None) -> None:
    assert target == (rules.account(source) if target else refused(source))


def refused(source: str) -> None:
    with pytest.raises(Rejected, match="IMC-2500"):
        rules.account(source)


@pytest.mark.parametrize(("source", "target"), [("a@b", "a_x40b"), ("A b", "a_x20b"), ("é", "_xc3_xa9"), ("ok", "ok")])
def test_user_ids_may_be_escaped(source: str, target: str) -> None:
    rule = rules.account_rules(defaults(escape="escape"))
    assert target == rule(source)


def test_escaped_ids_that_meet_another_are_refused(tmp_path: Path) -> None:
    data = [(1, "a@b"), (2, "a_x40b"), (3, "c@d")]
    made = [
        {"type": 0, "data": {"msgid": n, "from": one, "to": "x", "createTime": START, "clientType": 1, "body": ""}}
        for n, one in data
    ]
    (tmp_path / "in").write_bytes(b"".join(oracle.compact(line).encode() + b"\n" for line in made))
    run(options(tmp_path / "in", tmp_path / "out", target="easemob", settings={"easemob.escape": "escape"}))
    assert ["IMC-2203"] == [reject["code"] for reject in side(tmp_path / "out", "rejects")]
    assert {"a_x40b", "c_x40d"} == {b["from"] for some in found_in(tmp_path / "out").values() for b in some}


@pytest.mark.parametrize("group", ["880011", "abc1", "1" * 64])
def test_group_ids(group: str) -> None:
    assert group == rules.group(group)


@pytest.mark.parametrize("group", ["", "A1", "a-b", "1" * 65, "@TGS#1", "群"])
def test_group_ids_that_are_none(group: str) -> None:
    with pytest.raises(Rejected, match="IMC-2501"):
        rules.group(group)


def test_what_stands_in_the_way_is_told_before_loading(tmp_path: Path) -> None:
    made = [{"type": 0, "data": {"msgid": 1, "accid": "a", "tid": 7, "createTime": START, "clientType": 1, "body": ""}}]
    (tmp_path / "in").write_bytes(b"".join(oracle.compact(line).encode() + b"\n" for line in made))
    found = run(options(tmp_path / "in", tmp_path / "out", target="easemob")).manifest.arranged
    assert found
    blocker = found.blockers[0]
    assert ("IMC-3249", 1, 1, "2024-03-21T05:46:40Z") == (
        blocker.code, blocker.values["messages"], blocker.values["conversations"], blocker.values["first"])  # fmt: skip
    assert "--to device" in blocker.remedy and "easemob.group_created" in blocker.remedy
    moved = options(
        tmp_path / "in", tmp_path / "moved", target="easemob", settings={"easemob.group_created": f"{START + 9}"}
    )
    outcome = run(moved).manifest
    assert outcome.arranged and "IMC-3249" not in [one.code for one in outcome.arranged.blockers]
    body = next(iter(found_in(tmp_path / "moved").values()))[0]
    assert (START + 10, START) == (body["msg_timestamp"], body["ext"]["imconvert"]["time"])
    assert 1 == outcome.repairs["IMC-3206"].count


@pytest.mark.parametrize("bad", [{"group_created": "soon"}, {"size_limit": "0"}, {"long_text": "cut"}])
def test_settings_are_checked(bad: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="IMC-1010"):
        defaults(**bad)


def test_a_line_is_found_again() -> None:
    for chat, target, wanted in (("p2p", "b", "b"), ("p2p", "a", "a"), ("team", "7", ("7",))):
        write = TARGET.writer(defaults(), Notes(), Book(rules.account), Book(rules.group))
        line = write(message(Text("x"), chat=chat, target=target))[0]
        assert (77, "a", wanted, START) == TARGET.read_key(line.data)
        other = TARGET.with_msgid(line.data, 5)
        assert (5, "a", wanted, START) == TARGET.read_key(other)
        assert line.digest == TARGET.digest_of(line.data) != TARGET.digest_of(other)


def test_custom_content_has_no_order() -> None:
    one, two = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    found = [written(Custom("custom", "yunxin", content))[0] for content in (one, two)]
    assert found[0].data != found[1].data
    assert found[0].digest == found[1].digest == TARGET.digest_of(found[1].data)


def test_a_tombstone_says_only_what_it_was() -> None:
    line = written(Media("image", "https://x/secret.png", name="secret"), ext='{"secret":1}')[0]
    found = TARGET.tombstone(line.data, "easemob", defaults())
    assert b"secret" not in found
    body = json.loads(found)["body"]
    assert ({"customEvent": "recalled", "customExts": {"type": "img"}}, {"imconvert": {"id": "77", "client": 1}}) == (
        body["body"], body["ext"])  # fmt: skip
    assert TARGET.read_key(found) == TARGET.read_key(line.data)
    finish = TARGET.arrange.finisher(defaults(), Notes())  # type: ignore[union-attr]
    moved = [json.loads(one.data)["body"] for one in finish(iter([Placed(START, found), Placed(START, found)]))]
    assert [START, START + 1] == [one["msg_timestamp"] for one in moved]
    assert START == moved[1]["ext"]["imconvert"]["time"] < LATEST
