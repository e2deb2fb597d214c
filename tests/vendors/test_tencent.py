"""Tencent as a source: names, heads, elements, what is left out; heads survive rejects, segments and replays."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from golden import LATEST, cases
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import SETS, SNIPPETS, mutated
from roads import TARGET, complete
from support.small_jobs import CLOCK, cli, content, differing, options, run, side, tree, yunxin

from imconvert.audit.explain import explain_message
from imconvert.cli.progress import Silent
from imconvert.convert.finished.replay import replay
from imconvert.convert.options import Options
from imconvert.errors import Rejected
from imconvert.model import Custom, Media, Message, Notes, Part, Place, Skip, Text
from imconvert.vendors import BY_NAME
from imconvert.vendors.contract import Book
from imconvert.vendors.tencent import keys, messages
from imconvert.vendors.tencent.elements import read_element
from imconvert.vendors.tencent.heads import Head, read_head

SECOND = 1_709_690_405
HOUR = "2024030610"
ids = st.text(st.sampled_from("ab/%2F5 @#_"), min_size=1, max_size=6)


def element(kind: str, **more: Any) -> dict[str, Any]:
    return {"MsgType": kind, "MsgContent": more}


def record(text: str = "hi", **more: Any) -> dict[str, Any]:
    """A message between two people, or in a group if `more` names one."""
    ends = {"From_Account": "u-001"} | ({} if "GroupId" in more or "To_Account" in more else {"To_Account": "u-002"})
    body = [element("TIMTextElem", Text=text)]
    return {**ends, "MsgTimestamp": SECOND, "MsgSeq": 1, "MsgRandom": 7, "MsgBody": body, **more}


def group_record(text: str = "hi", **more: Any) -> dict[str, Any]:
    """A group's message that leaves the group to the head of its file."""
    found = record(text, GroupId=None, **more)
    return {key: value for key, value in found.items() if key not in ("GroupId", "MsgRandom")}


def document(found: list[dict[str, Any] | str], chat: str = "C2C", hour: str = HOUR, **head: Any) -> bytes:
    begin = json.dumps({"SdkAppId": 1, "ChatType": chat, "MsgTime": hour, **head, "MsgList": []})[:-2]
    lines = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in found]
    return (begin + "\n" + ",\n".join(lines) + "\n]}\n").encode()


def read(raw: Any, head: bytes = b"", **chosen: str) -> tuple[Message | Skip, Notes]:
    notes = Notes()
    settings_of = complete({f"tencent.{name}": value for name, value in chosen.items()})
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    reader = messages.document_reader(settings_of, notes, LATEST, head)
    return reader(data), notes


def message(raw: Any, head: bytes = b"", **chosen: str) -> Message:
    found = read(raw, head, **chosen)[0]
    assert isinstance(found, Message)
    return found


# --- names ---


def test_names_can_be_typed() -> None:
    pair = message(record(To_Account="u-000"))
    group = message(record(GroupId="@TGS#1AB"))
    assert (f"c2c/u-000/u-001/1_7_{SECOND}", "group/@TGS#1AB/1") == (pair.source_id, group.source_id)


def test_numbers_never_change() -> None:
    """Written down, for shards of earlier versions hold such numbers."""
    expected = 6506800864342104904, 8820585724896056637
    assert expected == (keys.number("c2c/u-001/u-002/1_7_1709690405"), keys.number("group/880011/1"))


def test_direction_does_not_count() -> None:
    there, back = record(), record(From_Account="u-002", To_Account="u-001")
    assert message(there).source_id == message(back).source_id


@pytest.mark.parametrize("other", [{"MsgSeq": 2}, {"MsgRandom": 8}, {"MsgTimestamp": SECOND + 1}, {"To_Account": "x"}])
def test_each_field_of_the_key_counts(other: dict[str, Any]) -> None:
    assert message(record()).msgid != message({**record(), **other}).msgid


def test_random_and_time_of_a_group_do_not_count() -> None:
    one = record(GroupId="g", MsgRandom=1)
    assert message(one).msgid == message({**one, "MsgRandom": 2, "MsgTimestamp": SECOND + 1}).msgid


@given(ids, ids, ids, ids)
def test_names_are_equal_only_for_equal_pairs(one: str, other: str, third: str, fourth: str) -> None:
    assert ({one, other} == {third, fourth}) == (keys.of_pair(one, other, "k") == keys.of_pair(third, fourth, "k"))
    assert (one == third) == (keys.of_group(one, 1) == keys.of_group(third, 1))
    assert keys.of_pair(one, other, "k").count("/") == 3


@pytest.mark.parametrize("spelled", ["MsgTimestamp", "MsgTimeStamp", "MsgTime"])
def test_a_message_has_one_name_in_every_shape(spelled: str) -> None:
    found = record()
    found[spelled] = found.pop("MsgTimestamp")
    assert message(record()) == message(found)


@pytest.mark.parametrize("name", [f"c2c/u-001/u-002/1_7_{SECOND}", "group/880011/5"])
def test_explain_takes_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "in.json").write_bytes(document([record(), record(GroupId="880011", MsgSeq=5)]))
    run(options(tmp_path / "in.json", tmp_path / "out", source="tencent"))
    assert [("in.json", 2 + name.startswith("group"))] == [
        (f.file, f.line) for f in explain_message(tmp_path / "out", name)
    ]


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (record(MsgBody="bad", MsgSeq=9), f"c2c/u-001/u-002/9_7_{SECOND}"),
        (record(MsgBody=[], MsgSeq="10"), f"c2c/u-001/u-002/10_7_{SECOND}"),
        (record(MsgFlagBits=8, MsgSeq=11), f"c2c/u-001/u-002/11_7_{SECOND}"),
        (group_record(MsgBody=[], MsgSeq=12), "group/881/12"),
    ],
)
def test_explain_finds_what_was_left_out_by_its_name(tmp_path: Path, bad: dict[str, Any], name: str) -> None:
    lines = [record(), bad, '{"From_Account":', record(MsgSeq=99), {"MsgSeq": 9}]
    (tmp_path / "in.json").write_bytes(document(lines, "Group", GroupId="881"))
    run(options(tmp_path / "in.json", tmp_path / "out", source="tencent"))
    assert [(3, True)] == [(found.line, bool(found.code)) for found in explain_message(tmp_path / "out", name)]


# --- heads ---


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b'{"ChatType":"C2C","MsgTime":"2024030610","MsgList":[', Head("C2C", None, (1709690400, 1709694000))),
        (b'{"GroupId":"g","RspMsgList":[', Head(None, "g", None)),
        (b'{"MsgTime":2024030610,"MsgList" : [ ', Head(None, None, (1709690400, 1709694000))),
        (b'{"ChatType":7,"GroupId":"","MsgTime":"2024030625","MsgList":[', Head()),
        (b'{"MsgTime":"0000000000","MsgList":[', Head()),
        ('{"MsgTime":"２０２４０３０６１０","MsgList":['.encode(), Head()),
        (b'{"MsgTime":["x"],"MsgList":[', Head()),
        (b"not json [", Head()),
        (b"[", Head()),
        (b"", Head()),
    ],
)
def test_head_is_read_or_says_nothing(data: bytes, head: Head) -> None:
    assert head == read_head(data)


@given(st.binary(max_size=40) | st.text('{}[]":, 1', max_size=30).map(str.encode))
def test_no_head_is_a_surprise(data: bytes) -> None:
    assert isinstance(read_head(data), Head)


def test_group_of_the_head_is_the_record_s() -> None:
    found = message(group_record(), b'{"GroupId":"880011","MsgList":[')
    assert ("team", "880011", "group/880011/1") == (found.chat, found.target, found.source_id)


def test_record_s_own_ends_come_first() -> None:
    head = b'{"GroupId":"880011","MsgList":['
    assert [message(record(), head).target, message(record(GroupId="1"), head).target] == ["u-002", "1"]


@pytest.mark.parametrize(("offset", "repairs"), [(-5, []), (3594, []), (-6, ["IMC-3101"]), (3595, ["IMC-3101"])])
def test_hour_of_the_file_is_beijing_s(offset: int, repairs: list[str]) -> None:
    _, notes = read(record(MsgTimestamp=SECOND + offset), b'{"MsgTime":"2024030610","MsgList":[')
    assert repairs == notes.repairs


# --- order ---


@pytest.mark.parametrize(
    ("chosen", "seq", "milliseconds"),
    [("counter", 41, 41), ("counter", 1000, 0), ("counter", 2**32 - 1, 295), ("none", 41, 0), ("imported", 41, 0),
     ("imported", 412000003, 412), ("imported", 999_999_999, 999), ("imported", 2_000_000_041, 41)],
)  # fmt: skip
def test_sequence_gives_milliseconds(chosen: str, seq: int, milliseconds: int) -> None:
    assert SECOND * 1000 + milliseconds == message(record(MsgSeq=seq), order=chosen).time


@given(st.integers(0, 2**32 - 1), st.sampled_from(["counter", "imported", "none"]))
def test_no_message_leaves_its_second(seq: int, chosen: str) -> None:
    assert message(record(MsgSeq=seq), order=chosen).time // 1000 == SECOND


def test_a_whole_second_is_the_same_time_in_milliseconds() -> None:
    assert message(record(MsgTimestamp=SECOND * 1000, MsgSeq=41)) == message(record(MsgSeq=41))


# --- elements ---

URL = "https://cos.example/x"
PICTURE = {"Type": 1, "Size": 9, "Width": 2, "Height": 3, "URL": f"{URL}.png"}
THUMB = {"Type": 3, "Size": 1, "Width": 0, "Height": 0, "URL": f"{URL}-t"}
WHOLE = [element("TIMFaceElem", Index=1, Data="\0"), element("TIMCustomElem", Data="{}"), element("TIMNew", x=1),
         element("TIMRelayElem", MsgList=[{"MsgBody": []}]), element("TIMGroupTipElem", x=1), {"MsgType": "TIMNew"},
         element("TIMSoundElem", UUID="u"), element("TIMImageElem", ImageInfoArray=[{"URL": " "}])]  # fmt: skip
KINDS = ["face", "custom", "unknown", "combined", "tip", "unknown", "media-unavailable", "media-unavailable"]


@pytest.mark.parametrize(
    ("found", "part"),
    [
        (element("TIMTextElem", Text="x"), Text("x")),
        (element("TIMTextElem", Text="x", y=1), Text("x", {"y": 1})),
        ({**element("TIMTextElem", Text="x"), "z": 2}, Text("x", {"z": 2})),
        (element("TIMLocationElem", Desc="d", Latitude=39.908692, Longitude=-1), Place("d", "-1", "39.908692")),
        (element("TIMSoundElem", Url=f" {URL} ", Size=5, Second=3, Download_Flag=2),
         Media("audio", URL, size=5, duration=3000)),
        (element("TIMSoundElem", Url=URL, Download_Flag=1, UUID="u"),
         Media("audio", URL, extra={"UUID": "u", "Download_Flag": 1})),
        (element("TIMImageElem", ImageFormat=3, ImageInfoArray=[THUMB, PICTURE]),
         Media("image", f"{URL}.png", suffix="png", size=9, width=2, height=3, extra={"ImageInfoArray": [THUMB]})),
        (element("TIMImageElem", ImageFormat=255, ImageInfoArray=[THUMB]), Media("image", f"{URL}-t", size=1)),
        (element("TIMFileElem", Url=URL, FileName="/data/a b/报告.pdf", FileSize=1),
         Media("file", URL, name="报告.pdf", size=1)),
        (element("TIMFileElem", Url=URL, FileName="C:\\x\\"), Media("file", URL, name="x")),
        (element("TIMFileElem", Url=URL, FileName="///"), Media("file", URL)),
        (element("TIMVideoFileElem", VideoUrl=URL, VideoSecond=2, VideoFormat="MP4", ThumbWidth=3, ThumbHeight=0,
                 ThumbUrl="t", ThumbDownloadFlag=2),
         Media("video", URL, suffix="mp4", width=3, duration=2000, extra={"ThumbUrl": "t"})),
        *[(found, Custom(kind, "tencent", found)) for found, kind in zip(WHOLE, KINDS, strict=True)],
    ],
)  # fmt: skip
def test_element_becomes_a_part(found: dict[str, Any], part: Part) -> None:
    assert part == read_element(found, Notes())


@pytest.mark.parametrize("chosen", [[PICTURE, THUMB], [THUMB, PICTURE]])
def test_original_is_taken_wherever_it_stands(chosen: list[Any]) -> None:
    found = read_element(element("TIMImageElem", ImageInfoArray=chosen), Notes())
    assert isinstance(found, Media) and found.url == PICTURE["URL"]


# --- what is left out ---


@pytest.mark.parametrize(
    ("more", "chosen", "code"),
    [
        ({"SendMsgResult": 1}, {}, "IMC-8113"),
        ({"OnlineOnlyFlag": 1}, {}, "IMC-8112"),
        ({"IsPlaceMsg": 1}, {}, "IMC-8111"),
        ({"MsgFlagBits": 8}, {}, "IMC-8114"),
        ({"IsPlaceMsg": 2}, {}, "IMC-8114"),
        ({"Type": "AVChatRoom"}, {}, "IMC-8103"),
        ({"IsPlaceMsg": 2, "MsgBody": []}, {"recalled": "keep"}, "IMC-8114"),
        ({"MsgFlagBits": 8}, {"recalled": "mark"}, ""),
        ({"MsgFlagBits": 8}, {"recalled": "keep"}, ""),
        ({"MsgFlagBits": 0, "IsPlaceMsg": 0, "SendMsgResult": 0}, {}, ""),
    ],
)
def test_what_is_no_message_of_the_history(more: dict[str, Any], chosen: dict[str, str], code: str) -> None:
    found, _ = read(record(**more), **chosen)
    assert code == (found.code if isinstance(found, Skip) else "")


def test_recall_names_its_message() -> None:
    raw = {"CallbackCommand": "C2C.CallbackAfterMsgWithDraw", "From_Account": "u-002", "To_Account": "u-001",
           "MsgKey": f"1_7_{SECOND}"}  # fmt: skip
    assert read(raw)[0] == Skip("IMC-8102", {"event": "recall", "of": message(record()).source_id})


# --- bad lines ---


@pytest.mark.parametrize(
    "bad",
    [b"hello", b'"', b'{"half', b"}", b"]", b"[1]", b"null", b"17", b"\xff\xfe", b"{}", b"\0\0", b'{"a":' + b"[" * 80,
     json.dumps(record(MsgSeq=10**400)).encode(), json.dumps(record(MsgTimestamp=10**400)).encode(),
     json.dumps(record(MsgBody=[element("TIMTextElem", Text="x")] * 3, MsgSeq="9" * 5000)).encode(),
     json.dumps(record(MsgBody=[element("T" * 9000)], To_Account="x" * 40)).encode()],
)  # fmt: skip
@pytest.mark.parametrize("behind", [b",\n", b"\n"])
def test_a_bad_line_costs_itself_only(tmp_path: Path, bad: bytes, behind: bytes) -> None:
    """Between two good lines of a file; it keeps its place and its bytes."""
    head, first, last = document([record(MsgSeq=1), record(MsgSeq=2)]).split(b"\n")[:3]
    (tmp_path / "c2c.json").write_bytes(head + b"\n" + first + b"\n" + bad + behind + last + b"\n]}\n")
    outcome = run(options(tmp_path / "c2c.json", tmp_path / "out", source="tencent"))
    (reject,) = side(tmp_path / "out", "rejects")
    raw = reject["raw"].encode() if "raw" in reject else base64.b64decode(reject["raw_base64"])
    assert (3, 2, 1) == (
        outcome.manifest.totals.read,
        outcome.manifest.totals.written,
        outcome.manifest.totals.rejected,
    )
    assert (bad, 3, len(head) + len(first) + 2) == (raw, reject["line"], reject["offset"])
    assert not any(source.error for source in outcome.manifest.inputs)


# --- nothing surprises the readers of documents ---


class Within:
    """Reads and writes records behind a head."""

    def __init__(self, head: bytes, chosen: dict[str, str]) -> None:
        self.notes = Notes()
        documents = BY_NAME["tencent"].documents
        assert documents and documents.reader
        found = complete(chosen)
        self.read = documents.reader(found, self.notes, LATEST, head)
        self.write = TARGET.writer(found, self.notes, Book(TARGET.account_rule), Book(TARGET.group_rule))

    def __call__(self, raw: bytes) -> list[bytes]:
        self.notes.clear()
        try:
            found = self.read(raw)
            return [] if isinstance(found, Skip) else [line.data for line in self.write(found)]
        except Rejected as why:
            why.why()
            return []


@settings(max_examples=800, deadline=None)
@given(mutated("tencent"), SETS, st.sampled_from([b'{"GroupId":"7","MsgTime":"2024030610","MsgList":[', b"{", b""]))
def test_mutated_records_behind_a_head(raw: bytes, chosen: dict[str, str], head: bytes) -> None:
    name = messages.name_of(raw, head)
    for line in Within(head, chosen)(raw)[:1]:
        assert name is not None and TARGET.read_key(line).msgid == keys.number(name)


FILES = [file for case in cases() if case.vendor == "tencent" for file in case.inputs() if file.suffix != ".gz"]
PIECES = [b"\n", b"]}", b"]", b"{", b"}", b'"', b"[\n", b'"MsgList":[', b"\n{", b",", *SNIPPETS]


@pytest.mark.parametrize("seed", range(25))
def test_damaged_files_balance(tmp_path: Path, seed: int) -> None:
    """A run that would not balance is not published, but raises."""
    rng = Random(seed)
    data = rng.choice(FILES).read_bytes()
    for _ in range(rng.randrange(1, 6)):
        start = rng.randrange(len(data) + 1)
        data = data[:start] + rng.choice(PIECES) + data[start + rng.choice((0, 0, 1, 8, 40)) :]
    (tmp_path / "in").write_bytes(data)
    totals = run(options(tmp_path / "in", tmp_path / "out", source="tencent")).manifest.totals
    assert totals.rejected == len(side(tmp_path / "out", "rejects"))


# --- heads in whole runs ---


def export(folder: Path) -> None:
    """Hours of pairs and groups: laid out, pretty-printed, packed, truncated, one after the other; some lines bad."""
    folder.mkdir()

    def hour(number: int, chat: str) -> bytes:
        stamp = f"20240306{10 + number:02}"
        base = SECOND + 3600 * number
        more: Callable[..., dict[str, Any]] = group_record if chat == "Group" else record
        found: list[Any] = [more(f"{chat} {n}", MsgSeq=100 * number + n, MsgTimestamp=base + n % 7) for n in range(40)]
        found[7:7] = ['{"broken', {"no": "message"}, more("twice", MsgSeq=100 * number + 3, MsgTimestamp=base + 3)]
        return document(found, chat, stamp, **({"GroupId": f"88{number}"} if chat == "Group" else {}))

    (folder / "a.json").write_bytes(hour(0, "C2C") + hour(1, "Group") + hour(2, "Group"))
    (folder / "b.gz").write_bytes(gzip.compress(hour(3, "Group"), mtime=0))
    (folder / "c.json").write_bytes(hour(4, "Group")[:-900])
    (folder / "d.json").write_text(
        json.dumps(json.loads(document([group_record("x")], "Group", GroupId="89")), indent=1)
    )
    (folder / "e.ndjson").write_bytes(
        b"".join(json.dumps(record(GroupId="90", MsgSeq=n)).encode() + b"\n" for n in range(60))
    )


@pytest.mark.parametrize(("size", "jobs"), [(900, 2), (3000, 1), (20_000, 2), (1 << 30, 1)])
def test_segments_and_workers_change_nothing(tmp_path: Path, size: int, jobs: int) -> None:
    export(tmp_path / "in")
    first = run(options(tmp_path / "in", tmp_path / "one", source="tencent", segment_size=5000)).manifest
    second = run(options(tmp_path / "in", tmp_path / "two", source="tencent", segment_size=size, jobs=jobs)).manifest
    assert content(tmp_path / "one") == content(tmp_path / "two")
    for name in ("rejects", "skipped", "duplicates", "conflicts"):
        assert side(tmp_path / "one", name) == side(tmp_path / "two", name)
    assert (first.totals, first.repairs, first.inputs) == (second.totals, second.repairs, second.inputs)
    assert first.totals.rejected == 2 * 5 + 1


def test_standard_input_is_read_as_the_file_is(tmp_path: Path) -> None:
    export(tmp_path / "in")
    data = (tmp_path / "in" / "a.json").read_bytes()
    run(options(tmp_path / "in" / "a.json", tmp_path / "out", source="tencent"))
    found = cli("-", tmp_path / "piped", "--from", "tencent", stdin=data)
    assert found.returncode == 3, found.stderr
    assert content(tmp_path / "out") == content(tmp_path / "piped")


def test_rejects_carry_their_head_and_only_where_there_is_one(tmp_path: Path) -> None:
    export(tmp_path / "in")
    run(options(tmp_path / "in", tmp_path / "out", source="tencent"))
    groups = {json.loads(reject["head"] + "]}").get("GroupId") for reject in side(tmp_path / "out", "rejects")}
    assert groups == {None, "881", "882", "883", "884"}


def test_replay_reads_a_record_as_one_of_its_document(tmp_path: Path) -> None:
    """What was bad is mended; with its head it goes to the group that only the head names."""
    good = [group_record(f"n {n}", MsgSeq=n) for n in range(3)]
    bad = [json.dumps(good[1]).replace('"MsgSeq"', '"MsgSeek"'), json.dumps(good[2])[:-5]]
    (tmp_path / "right").mkdir()
    (tmp_path / "wrong").mkdir()
    (tmp_path / "right" / "g.json").write_bytes(document([*good], "Group", GroupId="881"))
    (tmp_path / "wrong" / "g.json").write_bytes(document([good[0], *bad], "Group", GroupId="881"))
    run(options(tmp_path / "right", tmp_path / "expected", source="tencent"))
    run(options(tmp_path / "wrong", tmp_path / "out", source="tencent"))
    rejects = side(tmp_path / "out", "rejects")
    for reject, right in zip(rejects, good[1:], strict=True):
        reject["raw"] = json.dumps(right)
    (tmp_path / "corrected").write_text("".join(json.dumps(reject) + "\n" for reject in rejects))
    again = [replay(tmp_path / "corrected", Options((), tmp_path / "out", latest=LATEST), Silent(), CLOCK, {})]
    before = tree(tmp_path / "out")
    again.append(replay(tmp_path / "corrected", Options((), tmp_path / "out", latest=LATEST), Silent(), CLOCK, {}))
    assert content(tmp_path / "expected") == content(tmp_path / "out")
    assert [0, 0] == [outcome.manifest.totals.rejected for outcome in again]
    assert differing(before, tmp_path / "out") == []


# --- the vendor's own key ---


def turned(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "From_Account": found["To_Account"], "To_Account": found["From_Account"]}


@pytest.mark.parametrize("size", [400, 1 << 30])
@pytest.mark.parametrize(("policy", "kept"), [("quarantine", "u-001"), ("keep-last", "u-002")])
def test_direction_does_not_make_another_message(tmp_path: Path, size: int, policy: str, kept: str) -> None:
    (tmp_path / "in.ndjson").write_bytes(b"".join(json.dumps(r).encode() + b"\n" for r in (record(), turned(record()))))
    wanted = options(tmp_path / "in.ndjson", tmp_path / "out", source="tencent", segment_size=size, on_conflict=policy)
    totals = run(wanted).manifest.totals
    assert (1, 1) == (totals.written, totals.conflicts)
    assert json.loads(content(tmp_path / "out")["p2p"])["data"]["from"] == kept


@pytest.mark.parametrize("policy", ["quarantine", "rekey"])
def test_replay_knows_messages_by_their_own_key(tmp_path: Path, policy: str) -> None:
    """What comes back under the key of a finished message is in conflict with it, whoever sent it."""
    bad = json.dumps(turned(record("other"))).replace('"MsgSeq"', '"MsgSeek"')
    (tmp_path / "in.json").write_bytes(document([record(), record("again", MsgSeq=2), bad]))
    run(options(tmp_path / "in.json", tmp_path / "out", source="tencent"))
    (reject,) = side(tmp_path / "out", "rejects")
    (tmp_path / "corrected").write_text(json.dumps({**reject, "raw": bad.replace("MsgSeek", "MsgSeq")}) + "\n")
    wanted = Options((), tmp_path / "out", latest=LATEST, on_conflict=policy)
    totals = replay(tmp_path / "corrected", wanted, Silent(), CLOCK, {}).manifest.totals
    assert ((2, 1) if policy == "quarantine" else (3, 0)) == (totals.written, totals.conflicts)
    numbers = [json.loads(line)["data"]["msgid"] for line in content(tmp_path / "out")["p2p"].splitlines()]
    assert len(numbers) == len(set(numbers))


def test_numbers_alone_tell_lines_apart_only_for_those_who_say_so(tmp_path: Path) -> None:
    """The same number with other ends is another message of Yunxin's."""
    case = b"".join(yunxin(1).replace(b'"ann"', sender) for sender in (b'"ann"', b'"eve"'))
    (tmp_path / "in").write_bytes(case)
    assert run(options(tmp_path / "in", tmp_path / "out", source="yunxin")).manifest.totals.written == 2
