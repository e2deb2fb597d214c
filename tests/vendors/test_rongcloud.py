"""RongCloud: what is peculiar to its logs and posts; the suites for all vendors run over its goldens besides."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from golden import FIXTURES, LATEST, cases, run
from hypothesis import given, settings
from hypothesis import strategies as st
from roads import TARGET, LongRoad, Shortcut, Written, complete, gathered, records

from imconvert.audit.explain import explain_message
from imconvert.errors import Rejected
from imconvert.model import Media, Message, Notes, Notice, Skip
from imconvert.sources.detect import matches
from imconvert.vendors import ALL, BY_NAME
from imconvert.vendors.contract import Book, Columns
from imconvert.vendors.rongcloud import bodies, clock, lines, messages, voices
from imconvert.vendors.rongcloud.records import CONVERSATIONS

TIME = 1_642_750_828_920
WALL = "2022-01-21 15:40:28.920"
SETTINGS = complete(None)
RONGCLOUD = BY_NAME["rongcloud"]
CASES = [case for case in cases() if case.vendor == "rongcloud"]


def fields(kind: str = "RC:TxtMsg", content: Any = None, **more: Any) -> dict[str, Any]:
    usual = {
        "appId": "k", "fromUserId": "u_ann", "targetId": "u_bob", "targetType": 1, "GroupId": "", "classname": kind,
        "content": {"content": "hi"} if content is None else content, "dateTime": WALL, "timestamp": TIME,
        "msgUID": "5A2T-98B7-454E-L6O2", "source": "iOS", "isSensitiveWord": "false",
    }  # fmt: skip
    return {name: value for name, value in (usual | more).items() if value is not None}


def line(*given: Any, **more: Any) -> bytes:
    return json.dumps(fields(*given, **more), ensure_ascii=False).encode()


def read(raw: bytes, notes: Notes | None = None, chosen: dict[str, str] | None = None, found: bytes = b"") -> Any:
    return messages.reader(complete(chosen), notes or Notes(), LATEST, found)(raw)


def code(raw: bytes, **more: Any) -> str:
    with pytest.raises(Rejected) as caught:
        read(raw, **more)
    return caught.value.code


# --- the record ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "behind", "repairs"),
    [
        (b"", b"", []), (b"2016/04/19 21:10:48", b"", []), (b"2016/04/19 21:10:48 ", b"\r", []),
        (b"\xef\xbb\xbf", b"", ["IMC-3001"]), (b"\xef\xbb\xbf2016/04/19 21:10:48", b"", ["IMC-3001"]),
        (b"INFO ", b"", ["IMC-3111"]), (b"", b" end", ["IMC-3111"]), (b"a ", b" b", ["IMC-3111", "IMC-3111"]),
    ],
)  # fmt: skip
def test_what_stands_around_a_record_is_taken_off(before: bytes, behind: bytes, repairs: list[str]) -> None:
    notes = Notes()
    message = read(before + line() + behind, notes)
    assert (message.parts[0].text, message.time, notes.repairs) == ("hi", TIME, repairs)


@pytest.mark.parametrize("raw", [b"[" + line() + b"]", b'"text"', b"7", b"null"])
def test_what_is_no_object_is_not_made_one(raw: bytes) -> None:
    assert code(raw) in ("IMC-2006", "IMC-2001")


def test_a_truncated_record_is_no_other_record() -> None:
    """Cut anywhere, a line is rejected, never read as something that it is not."""
    raw = line(content={"content": "x", "user": {"id": "u"}})
    assert {code(raw[:cut]) for cut in range(1, len(raw))} <= {"IMC-2001", "IMC-2301"}


def test_msg_uid_is_the_source_id_and_gives_the_number() -> None:
    message = read(line())
    assert (message.source_id, message.msgid) == ("5A2T-98B7-454E-L6O2", read(line(source="Android")).msgid)
    assert message.msgid != read(line(msgUID="5A2T-98B7-454E-L6O3")).msgid


@pytest.mark.parametrize("number", sorted(CONVERSATIONS))
def test_every_conversation_type_is_written_or_skipped(number: int) -> None:
    """By its number in the log and by its name in a post the same becomes of it (§2.3)."""
    logged = read(line(targetType=number, targetId="880011"))
    posted = read(json.dumps(post(channelType=CONVERSATIONS[number], toUserId="880011")).encode())
    assert logged == posted


def post(**more: Any) -> dict[str, Any]:
    usual = {
        "fromUserId": "u_ann", "toUserId": "u_bob", "objectName": "RC:TxtMsg", "content": '{"content":"hi"}',
        "channelType": "PERSON", "msgTimestamp": str(TIME), "msgUID": "5A2T-98B7-454E-L6O2", "source": "iOS",
    }  # fmt: skip
    return usual | more


def test_log_line_form_and_json_post_are_one_message() -> None:
    form, posted = urlencode(post()).encode(), json.dumps(post()).encode()
    assert read(line()) == read(form) == read(posted) == read(b"?" + form)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20), st.text(max_size=8), st.lists(st.text(min_size=1, max_size=5), max_size=3))
def test_a_form_says_what_its_json_says(text: str, user: str, receivers: list[str]) -> None:
    asked = post(content=json.dumps({"content": text}), fromUserId=user or "u", groupUserIds=receivers)
    form = urlencode(asked, doseq=True, errors="surrogatepass").encode()
    assert LongRoad("rongcloud")(form) == LongRoad("rongcloud")(json.dumps(asked).encode())


def test_a_form_of_endless_fields_is_refused() -> None:
    assert code(b"fromUserId=a&" + b"x=1&" * (lines.MOST_FIELDS + 1)) == "IMC-2001"


SIGNED = {"appKey": "k", "nonce": "14314", "signTimestamp": "1642750829", "timestamp": "1642750829",
          "signature": "3b1a4c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7"}  # fmt: skip


@pytest.mark.parametrize("names", [str, lambda name: f"RC-{name.title()}"])
def test_a_signature_changes_nothing_and_goes_nowhere(names: Any) -> None:
    signed = {names(name): value for name, value in SIGNED.items() if name != "timestamp"} | post()
    assert read(json.dumps(signed).encode()) == read(json.dumps(post()).encode())
    for raw in (json.dumps(signed).encode(), urlencode(signed).encode(), json.dumps(signed).encode()[:-9]):
        told = lines.redacted(raw)
        assert SIGNED["signature"].encode() not in told
    assert b"14314" not in lines.redacted(urlencode(signed).encode())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_golden_output_holds_a_signature(case: Any) -> None:
    assert [name for name, data in case.expected().items() if SIGNED["signature"].encode() in data] == []


def test_redacting_leaves_everything_else_as_it_is() -> None:
    """Whatever an app calls a signature within its content stays: a replay has to find it."""
    logged = line("app:contract", {"signature": "3b1a4c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7"})
    posted = json.dumps(post(content='{"signature":"x"}', foo={"signature": "x"})).encode()
    for raw in (logged, posted, b"not json", b"\xff", b'{"a":'):
        assert lines.redacted(raw) == raw


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_redacted_records_read_the_same(case: Any) -> None:
    for file in case.inputs():
        for raw in records(file.read_bytes()):
            assert LongRoad("rongcloud")(raw) == LongRoad("rongcloud")(lines.redacted(raw))


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in ("missing-fields", "hourly-zips")],
                         ids=lambda case: case.name)  # fmt: skip
def test_detection_finds_rongcloud_alone(case: Any) -> None:
    for file in case.inputs():
        assert ["rongcloud"] == [vendor.name for vendor in matches(file.read_bytes(), ALL)]


# --- times ---------------------------------------------------------------------------------------------


def found(**more: str) -> bytes:
    return json.dumps(more).encode()


BEIJING = found(zone="+08:00", zone_from="timestamp")


@pytest.mark.parametrize(
    ("epoch", "wall", "context", "expected"),
    [
        (TIME, WALL, BEIJING, TIME),
        (TIME, None, BEIJING, TIME),
        (None, WALL, BEIJING, TIME),
        (None, WALL, found(zone="+00:00", zone_from="timestamp"), TIME + 8 * clock.HOUR),
        (None, WALL, found(zone="-03:30", zone_from="timestamp"), TIME + 8 * clock.HOUR + 210 * clock.MINUTE),
        (TIME, WALL, found(zone="+00:00", zone_from="timestamp"), "IMC-2420"),
        (TIME + 1, WALL, BEIJING, "IMC-2420"),
        (TIME, "2022-01-21 15:40:28", BEIJING, TIME),
        (TIME, "2022-01-21 15:40:29", BEIJING, "IMC-2420"),
        (TIME, WALL, found(zone="+08:00", hour="2022-01-21T15"), TIME),
        (TIME, WALL, found(zone="+08:00", hour="2022-01-21T14"), TIME),
        (TIME, WALL, found(zone="+08:00", hour="2022-01-21T07"), "IMC-2421"),
        (None, WALL, found(zone="+08:00", hour="2022-01-21T07"), "IMC-2421"),
        (TIME, None, found(zone="+08:00", zone_from="timestamp", hour="2022-01-21T07"), "IMC-2421"),
        (TIME, None, found(hour="2022-01-21T07"), TIME),
        (None, None, BEIJING, "IMC-2101"),
        (None, "2022-02-30 00:00:00.000", BEIJING, "IMC-2102"),
        (None, "2022-01-21 24:00:00.000", BEIJING, "IMC-2102"),
        (None, "1999-01-01 00:00:00.000", BEIJING, "IMC-2104"),
    ],
)
def test_times_have_to_agree(epoch: Any, wall: Any, context: bytes, expected: Any) -> None:
    raw = line(timestamp=epoch, dateTime=wall)
    if isinstance(expected, str):
        assert code(raw, found=context) == expected
    else:
        assert read(raw, found=context).time == expected


@pytest.mark.parametrize(
    ("context", "chosen", "repairs"),
    [
        (BEIJING, {}, []), (b"", {}, ["IMC-3110"]), (found(zone="+08:00", zone_from="default"), {}, ["IMC-3110"]),
        (b"", {"rongcloud.zone": "+08:00"}, []), (b"no json", {}, ["IMC-3110"]), (b'{"zone":"x"}', {}, ["IMC-3110"]),
    ],
)  # fmt: skip
def test_a_zone_that_nothing_proves_is_told(context: bytes, chosen: dict[str, str], repairs: list[str]) -> None:
    notes = Notes()
    assert read(line(timestamp=None), notes, chosen, context).time == TIME
    assert notes.repairs == repairs


def test_a_chosen_zone_stands_above_what_was_found() -> None:
    assert read(line(timestamp=None), None, {"rongcloud.zone": "+00:00"}, BEIJING).time == TIME + 8 * clock.HOUR


def survey(begin: bytes, label: str = "log", **chosen: str) -> dict[str, str]:
    return clock.survey(label, begin, SETTINGS | {f"rongcloud.{name}": value for name, value in chosen.items()})


def test_the_zone_is_what_most_of_the_first_lines_show() -> None:
    utc = line(dateTime="2022-01-21 07:40:28.920")
    assert survey(b"\n".join([utc, line(), line()]))["zone"] == "+08:00"
    assert survey(b"\n".join([b"not json", utc, utc, line()])) == {"zone": "+00:00", "zone_from": "timestamp"}
    assert survey(line(dateTime="2022-01-21 15:41:28.920"))["zone_from"] == "default"
    assert survey(line(timestamp=None)) == {"zone": "+08:00", "zone_from": "default"}
    assert survey(line(dateTime=None)) == survey(b"") == survey(json.dumps(post()).encode()) == {}
    assert survey(line(), zone="+00:00") == {"zone": "+00:00", "zone_from": "setting"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=30))
def test_any_beginning_can_be_surveyed(begin: bytes, label: str) -> None:
    told = messages.look(label, begin, SETTINGS)
    messages.clock_of(told, SETTINGS, LATEST, Notes())


@pytest.mark.parametrize(
    ("label", "hour"),
    [
        ("2016-04-19-21", "2016-04-19T21"), ("2019120109.zip!2016-04-19-21", "2016-04-19T21"),
        ("1/2019120109/0a1b.zip!log.txt", "2019-12-01T09"), ("2019120109/abc.zip", "2019-12-01T09"),
        ("2016_04_19_21.log", "2016-04-19T21"), ("2016-04-19-21#2", "2016-04-19T21"),
        ("log-2016041921.txt", "2016-04-19T21"), ("2016-04-19-24", None), ("2016-13-19-21", None),
        ("2016-04-1921", None), ("20160419213", None), ("export", None), ("20160419", None), ("2016-04-19", None),
        ("２０１６041921", None),
    ],
)  # fmt: skip
def test_hours_are_read_from_names(label: str, hour: str | None) -> None:
    assert clock.hour_of(label) == hour


@settings(max_examples=300, deadline=None)
@given(st.datetimes(datetime(2000, 1, 1), datetime(2029, 12, 31)), st.integers(-56, 56))
def test_wall_clock_and_zone_give_the_epoch(moment: datetime, quarters: int) -> None:
    """Against the standard library, for every zone there can be."""
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    time = round(moment.timestamp() * 1000)
    shown = (moment + timedelta(minutes=15 * quarters)).strftime("%Y-%m-%d %H:%M:%S.") + f"{time % 1000:03}"
    wall = clock.read_wall(shown)
    assert wall is not None
    offset = clock.offset_between(wall, time)
    assert (offset, clock.zone_offset(clock.zone_name(offset))) == (15 * quarters * clock.MINUTE,) * 2


# --- content -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted({*bodies.READERS, *bodies.OPEN_KINDS, "RC:VCHangup"}))
def test_every_class_has_a_golden(kind: str) -> None:
    logged = b"".join(file.read_bytes() for case in CASES for file in case.inputs())
    assert f'"classname":"{kind}"'.encode() in logged


def test_every_documented_class_is_read() -> None:
    assert bodies.KEYS.keys() | bodies.OPEN_KINDS <= bodies.READERS.keys()


@pytest.mark.parametrize("kind", sorted(bodies.READERS))
@pytest.mark.parametrize("content", ["{}", '{"extra":7,"user":[],"content":null}', "[]", "7", '""', '"{"', "true"])
def test_no_content_surprises(kind: str, content: str) -> None:
    LongRoad("rongcloud")(line(kind).replace(b'{"content": "hi"}', content.encode()))


def test_new_keys_and_classes_are_told() -> None:
    notes = Notes()
    read(line(content={"content": "x", "new": 1, "extra": ""}, brandNew=1, source="Fridge"), notes)
    assert notes.novel == [("key", "brandNew"), ("key", "content.RC:TxtMsg.new"), ("value", "source=Fridge")]
    notes.clear()
    read(line("RC:New", {"a": 1}), notes)
    assert notes.novel == [("type", "RC:New")]


def test_nothing_of_a_documented_content_is_told_as_new() -> None:
    for kind, keys in bodies.KEYS.items():
        notes = Notes()
        with suppress(Rejected):
            read(line(kind, dict.fromkeys(sorted(keys), "1")), notes)
        assert [name for what, name in notes.novel if what == "key"] == [], kind


AMR = b"#!AMR\n\x0c" + bytes(range(256)) * 4


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.booleans(), st.sampled_from(["", "\n", "\r\n", " "]))
def test_a_voice_comes_out_as_it_went_in(sound: bytes, url_safe: bool, between: str) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(sound).decode()
    text = text.rstrip("=") if url_safe else text
    assert voices.decoded(between.join(text[at : at + 7] for at in range(0, len(text), 7))) == sound


def test_a_voice_is_bytes_for_the_converter_to_keep() -> None:
    message = read(line("RC:VcMsg", {"content": base64.b64encode(AMR).decode(), "duration": 9}))
    part = message.parts[0]
    assert isinstance(part, Media)
    assert (part.data, part.url, part.suffix, part.duration, part.size) == (AMR, "", "amr", 9000, len(AMR))


@pytest.mark.parametrize(
    ("content", "of"),
    [({"messageUId": "5A2T-0001-454E-L6O2"}, "5A2T-0001-454E-L6O2"), ({"operatorId": "u"}, "5A2T-98B7-454E-L6O2")],
)
def test_recalls_name_the_message(content: dict[str, Any], of: str) -> None:
    kind = "RC:RcCmd" if "messageUId" in content else "RC:RcNtf"
    assert read(line(kind, content)) == Skip("IMC-8102", {"event": "recall", "of": of})


def test_operations_name_the_message() -> None:
    asked = {"eventType": 1, "fromUserId": "u", "originalMsgInfo": {"messageId": "5A2T-0001-454E-L6O2"}}
    assert read(json.dumps(asked).encode()) == Skip("IMC-8102", {"event": "recall", "of": "5A2T-0001-454E-L6O2"})


def notice(operation: str, data: Any, **more: Any) -> Any:
    return read(line("RC:GrpNtf", {"operatorUserId": "u_op", "operation": operation, "data": data, **more},
                     targetType=3, GroupId="880011"))  # fmt: skip


@pytest.mark.parametrize("encode", [json.dumps, lambda data: data])
@pytest.mark.parametrize(
    ("operation", "data", "expected"),
    [
        ("Add", {"targetUserIds": ["a", "b"]}, (Notice("join", "a"), Notice("join", "b"))),
        ("Kicked", {"targetUserIds": ["a"]}, (Notice("kick", "a"),)),
        ("Quit", {}, (Notice("leave"),)),
        ("Dismiss", {}, (Notice("disband"),)),
        ("Rename", {"targetGroupName": "x"}, (Notice("info", None, {"3": "x"}),)),
    ],
)
def test_group_notices_are_read(encode: Any, operation: str, data: Any, expected: tuple[Notice, ...]) -> None:
    message: Message = notice(operation, encode(data))
    assert (message.parts, message.sender) == (expected, "u_op")


@pytest.mark.parametrize(
    ("operation", "data"),
    [("Add", {"targetUserIds": [7]}), ("Add", {"targetUserIds": "a"}), ("Add", {"targetUserIds": ["a"] * 1001}),
     ("Add", None), ("Rename", {"targetGroupName": ""}), ("Create", {}), ("Own", {}), (7, {}), (None, {})],
)  # fmt: skip
def test_a_notice_that_tells_too_little_stays_whole(operation: Any, data: Any) -> None:
    assert notice(operation, data).parts[0].kind == "notice"


# --- the shortcut --------------------------------------------------------------------------------------

walls = st.sampled_from([
    WALL, "2022-01-21 15:40:28.9", "2022-01-21T15:40:28.920", "2022/01/21 15:40:28.920", "2022-01-21 07:40:28.920",
    "2022-01-21 15:40:28", "2022-01-21 25:40:28.920", "２022-01-21 15:40:28.920", "", None, 7,
])  # fmt: skip
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "fromUserId": st.sampled_from(["u_ann", "U_Ann", "小王", "", None, 7]),
    "targetId": st.sampled_from(["880011", "u_bob", "", None, "team"]),
    "GroupId": st.sampled_from(["", "880012", None, "team", 7]),
    "targetType": st.sampled_from([1, 3, 4, "1", 1.0, None, True]),
    "content": st.sampled_from([{"content": "x", "extra": "e"}, {"content": "x", "extra": {}}, {"content": ""}, {}, "x",
                                '{"content":"x"}', {"content": "长" * 5001}, {"content": "x", "user": {}}, None]),
    "dateTime": walls,
    "timestamp": st.sampled_from([TIME, TIME + 1, str(TIME), TIME // 1000, None, 7, float(TIME)]),
    "msgUID": st.sampled_from(["", None, "x", 7]),
    "source": st.sampled_from(["Android", "", None, "Fridge", 7]),
    "isSensitiveWord": st.sampled_from(["true", "false", False, None]),
    "more": st.sampled_from([1, None]),
}  # fmt: skip
CONTEXTS = [b"", BEIJING, found(zone="+00:00", zone_from="timestamp"), found(zone="+08:00", hour="2022-01-21T15"),
            found(zone="+08:00", hour="2022-01-21T07")]  # fmt: skip


class Behind:
    """Both roads for records of an input that says something as a whole."""

    def __init__(self, context: bytes) -> None:
        self.long = LongRoad("rongcloud")
        self.long.read = RONGCLOUD.survey.reader(SETTINGS, self.long.notes, LATEST, context)  # type: ignore[union-attr]
        self.short = Shortcut("rongcloud")
        made = RONGCLOUD.survey.shortcut  # type: ignore[union-attr]
        through = made(TARGET, SETTINGS, Book(TARGET.account_rule), Book(TARGET.group_rule), LATEST, context)
        self.short.ways = [(b"", through)]


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_shortcut_agrees_with_the_long_road(data: st.DataObject) -> None:
    changed = data.draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=3, unique=True))
    raw = line(**{name: data.draw(CHANGES[name]) for name in changed})
    raw = data.draw(st.sampled_from([b"", b"2022/01/21 15:40:28", b"2022/01/21 15:40:28 ", b"x"])) + raw
    roads = Behind(data.draw(st.sampled_from(CONTEXTS)))
    short = roads.short(raw)
    assert short is None or short == roads.long(raw)


@pytest.mark.parametrize("prefix", [b"", b"2022/01/21 15:40:28"])
@pytest.mark.parametrize(
    "more", [{}, {"targetType": 3, "GroupId": "880011"}, {"content": {"content": "x", "extra": ""}}]
)
def test_shortcut_takes_the_usual_texts(prefix: bytes, more: dict[str, Any]) -> None:
    roads = Behind(BEIJING)
    taken = roads.short(prefix + line(**more))
    assert isinstance(taken, Written)
    assert taken.lines


def test_shortcut_remembers_no_end_of_seconds() -> None:
    """More different seconds than are kept at hand: all come out right."""
    raws = []
    for second in range(5000):
        time = TIME + second * 1000
        wall = (datetime.fromtimestamp(time / 1000, UTC) + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S.920")
        raws.append(line(timestamp=time, dateTime=wall, msgUID=str(second)))
    streams = (Columns(), Columns())
    taken = Behind(BEIJING).short.ways[0][1].take(raws, streams, lambda index, _: pytest.fail(str(index)))
    assert ([(each.label, each.records) for each in taken], len(gathered(streams))) == ([("text", 5000)], 5000)


def test_messages_are_found_by_their_msg_uid_whichever_road_they_took(tmp_path: Path) -> None:
    """Texts by the shortcut and pictures by the long road, in turns, each in a line of its own."""
    picture = {"imageUri": "https://m.cn/a.jpg"}
    raws = [line(msgUID=f"UID-{n}", timestamp=None) if n % 5 == 4 else
            line("RC:ImgMsg", picture, msgUID=f"UID-{n}") if n % 3 == 2 else
            line(msgUID=f"UID-{n}", targetType=1 + 2 * (n % 2), targetId="7") for n in range(40)]  # fmt: skip
    (tmp_path / "log").write_bytes(b"\n".join(raws))
    run(tmp_path / "log", tmp_path / "out", "rongcloud")
    for number in range(40):
        found = explain_message(tmp_path / "out", f"UID-{number}")
        assert [(finding.file, finding.line) for finding in found] == [("log", number + 1)]


@pytest.mark.parametrize("compiled", [True, False])
def test_manifest_tells_by_which_clock_times_were_read(tmp_path: Path, *, compiled: bool) -> None:
    """Posts count from 1970; lines of logs by what proves their zone, with the shortcut and without."""
    utc = (datetime.fromtimestamp(TIME / 1000, UTC)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    (tmp_path / "in").mkdir()
    for name, text in {"a": line(), "b": line(msgUID="B", dateTime=utc), "c": line(msgUID="C", timestamp=None)}.items():
        (tmp_path / "in" / name).write_bytes(text + b"\n")
    post = FIXTURES / "rongcloud" / "routing-form" / "in"
    (tmp_path / "in" / "d").write_bytes(b"".join(path.read_bytes() for path in post.iterdir()))
    outcome = run(tmp_path / "in", tmp_path / "out", "rongcloud", compiled=compiled)
    assert [(each.offset, each.source, each.first) for each in outcome.manifest.times] == [
        ("+00:00", "epoch", "d"), ("+00:00", "timestamp", "b"), ("+08:00", "default", "c"), ("+08:00", "timestamp", "a")
    ]  # fmt: skip
