"""Self-built systems: the mapping file, what it makes of records, and the road through a whole run."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from golden import CLOCK, FIXTURES, LATEST, Case, cases
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutants import SNIPPETS

from imconvert.cli import cli
from imconvert.cli.progress import Silent
from imconvert.convert.authoring.guess import guess
from imconvert.convert.finished.replay import replay
from imconvert.convert.map.segment import label_of
from imconvert.convert.options import Options
from imconvert.convert.run import Outcome, convert
from imconvert.errors import Rejected, UsageError
from imconvert.model import Message, Notes, Skip, derived_id
from imconvert.sources.containers import LIMITS
from imconvert.sources.documents import elements
from imconvert.sources.records import lines
from imconvert.sources.tables import rows
from imconvert.vendors import CUSTOM, TARGETS, find
from imconvert.vendors.contract import Book, Columns, Line, Vendor
from imconvert.vendors.custom import times, zones
from imconvert.vendors.custom.parse import mapping_of
from imconvert.vendors.custom.proposal import proposal
from imconvert.vendors.custom.spec import path_of, shown

TARGET = TARGETS["yunxin"]
CASES = [case for case in cases() if case.vendor == CUSTOM]
SIMPLE = """
[input]
format = "ndjson"
[message]
id = "id"
time = { path = "time", unit = "ms" }
sender = "from"
receiver = "to"
[chat]
always = "p2p"
[body.text]
as = "text"
text = "text"
"""
RECORD = {"id": "1", "time": 1711000000000, "from": "alice", "to": "bob", "text": "hi"}


def read(mapping: str, record: Any, notes: Notes | None = None) -> Message | Skip:
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    return find(CUSTOM, mapping).reader({}, notes or Notes(), LATEST)(raw)


def message(mapping: str, record: Any) -> Message:
    found = read(mapping, record)
    assert isinstance(found, Message)
    return found


def problems(mapping: str) -> list[tuple[str, str]]:
    with pytest.raises(UsageError) as found:
        mapping_of(mapping)
    assert "IMC-1100" == found.value.code
    return [(code, place) for code, place, _ in found.value.values["problems"]]  # type: ignore[attr-defined]


def changed(old: str, new: str, mapping: str = SIMPLE) -> str:
    assert old in mapping
    return mapping.replace(old, new)


# What the file may say


PATHS = {
    "a": ("a",), "a.b": ("a", "b"), "a[0]": ("a", 0), "a[-1].b": ("a", -1, "b"), '"a.b".c': ("a.b", "c"), "$": (),
    "中文.名": ("中文", "名"), "a b": ("a b",), '"x\\"y"': ('x"y',), "a[0][1]": ("a", 0, 1),
}  # fmt: skip


@pytest.mark.parametrize(("text", "path"), PATHS.items())
def test_a_path_is_read_and_shown(text: str, path: tuple[str | int, ...]) -> None:
    assert (path, path) == (path_of(text), path_of(shown(path)))


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[0]", "a[x]", "a[", '"a', "a]", "a[0]b"])
def test_what_is_no_path_is_none(text: str) -> None:
    assert path_of(text) is None


@given(st.lists(st.text(min_size=1, max_size=5) | st.integers(-9, 9), min_size=1, max_size=5))
@settings(max_examples=300)
def test_every_path_can_be_written(steps: list[str | int]) -> None:
    path = ("a", *steps)
    assert path == path_of(shown(path))


WRONG = [
    ('text = "text"', 'txt = "text"', [("IMC-1102", "line 13 [body.text]"), ("IMC-1103", "line 11 [body.text]")]),
    ('id = "id"', 'idd = "id"', [("IMC-1102", "line 5 [message]"), ("IMC-1103", "line 4 [message]")]),
    ('unit = "ms"', 'unit = "msec"', [("IMC-1104", "line 6 [message.time]")]),
    (', unit = "ms"', "", [("IMC-1103", "line 6 [message.time]")]),
    ('unit = "ms"', 'unit = "iso"', [("IMC-1103", "line 6 [message.time]")]),
    ('unit = "ms"', 'unit = "iso", zone = "Mars/Base"', [("IMC-1104", "line 6 [message.time]")]),
    ('unit = "ms"', 'unit = "ms", zone = "UTC"', [("IMC-1105", "line 6 [message.time]")]),
    ('unit = "ms"', 'unit = "format", format = "%Q", zone = "UTC"', [("IMC-1104", "line 6 [message.time]")]),
    ('"ndjson"', '"xml"', [("IMC-1104", "line 3 [input]")]),
    ('"ndjson"', '"csv"\ndelimiter = "ab"', [("IMC-1104", "line 4 [input]")]),
    ('"ndjson"', '"csv"\nquote = ","', [("IMC-1105", "line 2 [input]")]),
    ('"ndjson"', '"csv"\nheader = false', [("IMC-1103", "line 2 [input]")]),
    ('"ndjson"', '"csv"\ncolumns = ["id", "time", "from", "to", "txt"]', [("IMC-1104", "line 14 [body.text]")]),
    ('receiver = "to"', "", [("IMC-1103", "line 4 [message]")]),
    ('always = "p2p"', 'always = "room"', [("IMC-1104", "line 10 [chat]"), ("IMC-1103", "line 10 [chat]")]),
    ('always = "p2p"', 'path = "kind"', [("IMC-1103", "line 9 [chat]"), ("IMC-1103", "line 9 [chat]")]),
    ('as = "text"', 'as = "txt"', [("IMC-1104", "line 12 [body.text]")]),
    ('as = "text"', 'as = "image"', [("IMC-1102", "line 13 [body.text]"), ("IMC-1103", "line 11 [body.text]")]),
    ("[chat]", '[kind]\npath = "k"\ntable = { 1 = "tex" }\n[chat]', [("IMC-1104", "line 11 [kind.table]")]),
    ('text = "text"', 'text = "a..b"', [("IMC-1104", "line 13 [body.text]")]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), WRONG, ids=[new or old for old, new, _ in WRONG])
def test_problems_are_told_with_their_lines(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(expected) == sorted(problems(changed(old, new)))


def test_all_problems_are_told_at_once() -> None:
    text = SIMPLE.replace('id = "id"', 'idd = "id"').replace('"ms"', '"msec"').replace('as = "text"', 'as = "tex"')
    assert ["IMC-1102", "IMC-1103", "IMC-1104", "IMC-1104"] == sorted(code for code, _ in problems(text))


def test_a_problem_tells_what_was_meant() -> None:
    with pytest.raises(UsageError) as found:
        mapping_of(changed('sender = "from"', 'sendr = "from"'))
    assert any('did you mean "sender"?' in line for line in found.value.details("en"))
    assert all(line.isascii() is False for line in found.value.details("zh"))


def test_broken_toml_is_told_with_its_line() -> None:
    assert [("IMC-1101", "line 3")] == problems("[input]\nformat = 'ndjson'\n[message\n")


@given(st.text(st.sampled_from("[]{}=\"'.,#\n abkindmessage01"), max_size=200))
@settings(max_examples=500, deadline=None)
def test_whatever_the_file_holds_ends_in_problems(text: str) -> None:
    assert problems(text)


LEAVES = st.sampled_from(["text", 1, True, 1.5, [], ["a"], {}, {"path": "a"}, {"path": 1}, {"table": {"a": 1}}, "a."])
TABLES = st.dictionaries(st.sampled_from(["path", "table", "as", "text", "default", "unit", "is", "id", "time", "array",
                                          "sender", "receiver", "columns", "null", "json", "prefix", "always", "of"]),
                         LEAVES, max_size=5)  # fmt: skip


TOPS = st.sampled_from(["input", "message", "chat", "kind", "body", "skip", "recall", "name", "ignore"])


@given(st.dictionaries(TOPS, TABLES | LEAVES | st.dictionaries(st.just("text"), TABLES)))
@settings(max_examples=500, deadline=None)
def test_tables_of_wrong_types_end_in_problems(found: dict[str, Any]) -> None:
    """Each value is of a type that TOML has; nothing of it may raise anything but the problems."""
    text = "\n".join(f"{key} = {toml(value)}" for key, value in found.items())
    try:
        mapping_of(text)
    except UsageError as why:
        assert why.details("en")


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


# What it makes of records


def test_a_number_is_the_id_and_anything_else_derives_one() -> None:
    found = [message(SIMPLE, {**RECORD, "id": each}) for each in ("1", 2, "01", "m-1", "0", str(1 << 63))]
    derived = [derived_id(CUSTOM, each) for each in ("01", "m-1", "0", str(1 << 63))]
    assert [1, 2, *derived] == [each.msgid for each in found]


def test_an_id_of_other_fields_is_that_of_their_values() -> None:
    mapping = changed('id = "id"', 'id = { from = ["time", "from", "text"] }')
    one, same, other = (message(mapping, record) for record in (RECORD, {**RECORD, "x": 1}, {**RECORD, "text": "ho"}))
    assert one.msgid == same.msgid != other.msgid


TIMES = [
    ('unit = "s"', 1711000000, 1711000000000), ('unit = "s"', "1711000000.9999", 1711000000999),
    ('unit = "s"', 1711000000.123, 1711000000123), ('unit = "s"', 1711000000123, 1711000000123),
    ('unit = "us"', 1711000000123456, 1711000000123), ('unit = "ns"', "1711000000123456789", 1711000000123),
    ('unit = "iso", zone = "+08:00"', "2024-03-21T10:00:00", 1710986400000),
    ('unit = "iso", zone = "+08:00"', "2024-03-21 10:00:00.5+09:00", 1710982800500),
    ('unit = "iso", zone = "-03:30"', "2024-03-21", 1710991800000),
    ('unit = "format", format = "%Y/%m/%d %H:%M", zone = "Asia/Shanghai"', "2024/3/21 10:00", 1710986400000),
    ('unit = "format", format = "%Y-%m-%d %H:%M:%S", zone = "UTC"', "2024-03-21 10:00:00", 1711015200000),
    ('unit = "format", format = "%d.%m.%Y %H:%M:%S %z", zone = "UTC"', "21.03.2024 10:00:00 +0800", 1710986400000),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "value", "expected"), TIMES)
def test_times(unit: str, value: Any, expected: int) -> None:
    assert expected == message(changed('unit = "ms"', unit), {**RECORD, "time": value}).time


@pytest.mark.parametrize("value", ["", "x", None, True, [], "1e999999999", "nan", "-1", 1e300, "9" * 400])
@pytest.mark.parametrize("unit", ['unit = "s"', 'unit = "iso", zone = "UTC"'])
def test_what_is_no_time_is_rejected(unit: str, value: Any) -> None:
    with pytest.raises(Rejected, match="IMC-21"):
        read(changed('unit = "ms"', unit), {**RECORD, "time": value})


@pytest.mark.parametrize(("value", "key"), [(1, "1"), ("1", "1"), (True, "true"), (1.0, "1"), ("true", "true")])
def test_values_are_compared_as_text(value: Any, key: str) -> None:
    """A JSON true is no 1, though Python takes them for equal."""
    table = 'client = { path = "os", table = { 1 = "ios", true = "web" } }'
    found = message(changed('receiver = "to"', f'receiver = "to"\n{table}'), {**RECORD, "os": value})
    assert {"1": 2, "true": 16}[key] == found.client


@pytest.mark.parametrize(("value", "code"), [(True, None), (1, "IMC-8131"), ("1", "IMC-8131"), (None, None), (2, None)])
def test_a_rule_leaves_out_what_it_names(value: Any, code: str | None) -> None:
    found = read(SIMPLE + '[[skip]]\npath = "gone"\nis = [1]\n', {**RECORD, "gone": value})
    assert code == (found.code if isinstance(found, Skip) else None)


def test_a_recall_is_an_event_about_its_message() -> None:
    found = read(SIMPLE + '[recall]\npath = "op"\nis = "recall"\nof = "text"\n', {**RECORD, "op": "recall"})
    assert Skip("IMC-8102", {"event": "recall", "of": "hi"}) == found


@pytest.mark.parametrize(("records", "expected"), [
    ([{"more": 1}], ["more"]),
    ([{"inner": '{"a":1,"b":2}', "c": {"d": 1, "e": 2}}], ["c.e", "inner.b"]),
    ([{"inner": '{"a":1}', "noise": {"x": 1}}], []),
])  # fmt: skip
def test_keys_that_the_mapping_does_not_name_are_noted(records: list[Any], expected: list[str]) -> None:
    more = '\next = { object = { a = "inner.a", d = "c.d" } }\n'
    mapping = 'ignore = ["noise"]\n' + changed('"ndjson"', '"ndjson"\njson = ["inner"]').replace('"to"', '"to"' + more)
    notes = Notes()
    for record in records:
        read(mapping, {**RECORD, **record}, notes)
    assert [("key", name) for name in expected] == sorted(notes.novel)


def test_inner_json_is_opened_only_where_a_path_leads_through() -> None:
    mapping = changed('"ndjson"', '"ndjson"\njson = ["text"]')
    assert "{no json" == message(mapping, {**RECORD, "text": "{no json"}).parts[0].text  # type: ignore[union-attr]
    with pytest.raises(Rejected, match="IMC-2447"):
        read(changed('text = "text"', 'text = "text.inner"', mapping), {**RECORD, "text": "{no json"})


def test_words_of_the_target_are_written_as_they_are() -> None:
    body = 'as = "custom"\ncontent = "text"\nwords = "yunxin"'
    found = message(changed('as = "text"\ntext = "text"', body), {**RECORD, "text": {"own": 1}})
    write = TARGET.writer({"yunxin.attach_limit": "5000", "yunxin.custom_attach": "object"}, Notes(),
                          Book(TARGET.account_rule), Book(TARGET.group_rule))  # fmt: skip
    assert {"own": 1} == json.loads(write(found)[0].data)["data"]["attach"]


# Hostile input, and the shortcut beside the long way


class Roads:
    """The two ways of one golden case."""

    def __init__(self, case: Case) -> None:
        self.vendor: Vendor = find(CUSTOM, (case.path / "mapping.toml").read_text())
        self.records = [(batch.head, raw) for file in case.inputs() for batch in self.batches(file.read_bytes())
                        for raw in batch.records if raw]  # fmt: skip

    def batches(self, data: bytes) -> Any:
        if self.vendor.tables:
            return list(rows(iter([data]), self.vendor.tables))
        if self.vendor.documents:
            found = []
            try:
                for batch in elements(iter([data]), self.vendor.documents, ""):
                    found.append(batch)
            except Exception:  # noqa: BLE001, S110 - a case may hold a document that breaks off
                pass
            return found
        return list(lines(iter([data])))

    def long(self, head: bytes, raw: bytes) -> tuple[list[Line], bool] | None:
        """The lines of a record, and whether anything had to be noted; None for what gives none."""
        notes = Notes()
        settings = {"yunxin.attach_limit": "5000", "yunxin.custom_attach": "object"}
        if self.vendor.tables:
            reader = self.vendor.tables.reader(settings, notes, LATEST, head)
        else:
            reader = self.vendor.reader(settings, notes, LATEST)
        write = TARGET.writer(settings, notes, Book(TARGET.account_rule), Book(TARGET.group_rule))
        try:
            found = reader(raw)
            if isinstance(found, Skip):
                return None
            plainly = label_of(found.parts[0]) == "text" and len(found.parts) == 1
            return write(found), bool(notes.repairs or notes.changes or notes.novel or not plainly)
        except Rejected as why:
            assert why.why()
            return None

    def short(self, head: bytes, raw: bytes) -> list[bytes] | None:
        """The lines that the shortcut gives; None where it leaves the record to the long way."""
        ends = (TARGET, {}, Book(TARGET.account_rule), Book(TARGET.group_rule), LATEST)
        through = self.vendor.tables.shortcut(*ends, head) if self.vendor.tables else self.vendor.shortcut(*ends)  # type: ignore[misc]
        left: list[int] = []
        streams = [Columns() for _ in TARGET.streams]
        assert through
        through.take([raw], tuple(streams), lambda index, _: left.append(index))
        return None if left else [line for stream in streams for line in stream.lines]


ROADS = {case.name: Roads(case) for case in CASES}


@pytest.mark.parametrize("name", ROADS)
def test_the_shortcut_gives_what_the_long_way_gives(name: str) -> None:
    taken = 0
    for head, raw in ROADS[name].records:
        found, short = ROADS[name].long(head, raw), ROADS[name].short(head, raw)
        if short is None:
            assert found is None or found[1] or TARGET.account_rule, raw
            continue
        taken += 1
        assert found is not None
        assert ([line.data for line in found[0]], False) == (short, found[1])
    print(f"{taken} of {len(ROADS[name].records)}")


def test_the_shortcut_takes_plain_texts() -> None:
    roads = ROADS["ndjson-log"]
    assert 3 <= sum(roads.short(head, raw) is not None for head, raw in roads.records)


@pytest.mark.parametrize("name", ROADS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_a_record_holds_is_written_or_rejected(name: str, data: st.DataObject) -> None:
    roads = ROADS[name]
    head, raw = data.draw(st.sampled_from(roads.records))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        stop = data.draw(st.integers(start, min(len(raw), start + 10)))
        raw = raw[:start] + data.draw(st.sampled_from(SNIPPETS) | st.binary(max_size=4)) + raw[stop:]
    found, short = roads.long(head, raw), roads.short(head, raw)
    if short is not None:
        assert found is not None
        assert [line.data for line in found[0]] == short


# Through a whole run


def run(path: Path, output: Path, mapping: Path, **asked: Any) -> Outcome:
    options = Options((str(path),), output, map=mapping, latest=LATEST, **asked)
    return convert(options, Silent(), CLOCK, {})


@pytest.fixture
def table(tmp_path: Path) -> tuple[Path, Path]:
    """A table of rows by line, and its mapping."""
    source, mapping = tmp_path / "t.csv", tmp_path / "m.toml"
    rows = [f"{n},{1711000000000 + n},u{n % 5},u{n % 7},text {n}" for n in range(1, 300)]
    rows[40] = "x,y"
    source.write_text("\n".join(["id,time,from,to,text", *rows]) + "\n")
    mapping.write_text(changed('"ndjson"', '"csv"\nmultiline = false'))
    return source, mapping


def shards(folder: Path) -> dict[str, bytes]:
    """The lines by stream, and the side files."""
    lines = {s: b"".join(f.read_bytes() for f in sorted(folder.glob(f"{s}-*.txt"))) for s in TARGET.streams}
    return lines | {name: (folder / f"{name}.ndjson").read_bytes() for name in ("rejects", "skipped")}


@pytest.mark.parametrize("size", [50, 333, 5000, 1 << 20])
def test_segments_and_workers_change_nothing(table: tuple[Path, Path], size: int, tmp_path: Path) -> None:
    run(table[0], tmp_path / "whole", table[1])
    run(table[0], tmp_path / "parts", table[1], segment_size=size, jobs=2)
    assert shards(tmp_path / "whole") == shards(tmp_path / "parts")


def test_a_run_with_another_mapping_is_another_run(table: tuple[Path, Path], tmp_path: Path) -> None:
    run(table[0], tmp_path / "out", table[1])
    assert run(table[0], tmp_path / "out", table[1]).again
    table[1].write_text(table[1].read_text() + "# a remark\n")
    with pytest.raises(UsageError, match="IMC-1005"):
        run(table[0], tmp_path / "out", table[1])


def test_a_reject_is_replayed_with_its_head(table: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "out"
    run(table[0], output, table[1])
    rejects = output / "rejects.ndjson"
    fixed = tmp_path / "fixed.ndjson"
    fixed.write_bytes(rejects.read_bytes().replace(b'"raw":"x,y"', b'"raw":"41,1711000000041,u1,u2,mended"'))
    options = Options((), output, map=table[1], latest=LATEST)
    found = replay(fixed, options, Silent(), CLOCK, {}).manifest
    assert (0, 299, 300) == (found.totals.rejected, found.totals.written, found.totals.read)


def test_a_reject_is_replayed_with_a_better_mapping(tmp_path: Path) -> None:
    source, mapping, output = tmp_path / "in.ndjson", tmp_path / "m.toml", tmp_path / "out"
    source.write_text(json.dumps({**RECORD, "k": 1}) + "\n" + json.dumps({**RECORD, "id": "2", "k": 2}) + "\n")
    mapping.write_text(changed("[chat]", '[kind]\npath = "k"\ntable = { 1 = "text" }\n[chat]'))
    assert {"IMC-2444"} == run(source, output, mapping).manifest.rejects.keys()
    mapping.write_text(changed("1 = ", "2 = ", mapping.read_text()))
    options = Options((), output, map=mapping, latest=LATEST)
    found = replay(output / "rejects.ndjson", options, Silent(), CLOCK, {}).manifest
    assert (2, 0) == (found.totals.written, found.totals.rejected)


def test_a_replay_needs_the_mapping(table: tuple[Path, Path], tmp_path: Path) -> None:
    run(table[0], tmp_path / "out", table[1])
    with pytest.raises(UsageError, match="--map"):
        replay(tmp_path / "out" / "rejects.ndjson", Options((), tmp_path / "out"), Silent(), CLOCK, {})


@pytest.mark.parametrize("source", ["yunxin", "easemob"])
def test_a_mapping_and_a_vendor_do_not_go_together(source: str, table: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="IMC-1106"):
        run(table[0], tmp_path / "out", table[1], source=source)


# map guess and map test


def command(*arguments: object) -> Any:
    return CliRunner().invoke(cli, ["map", *map(str, arguments)], env={"IMCONVERT_LANG": "en"}, standalone_mode=False)


@pytest.mark.parametrize("case", CASES, ids=attrgetter("name"))
def test_what_is_guessed_is_a_mapping(case: Case) -> None:
    for file in case.inputs():
        assert mapping_of(guess(file, LIMITS))


def test_names_and_values_lead_to_the_roles() -> None:
    found = mapping_of(guess(FIXTURES / "custom" / "mysql-csv" / "in" / "im_message.csv", LIMITS))
    assert [("msg_id",), ("send_time",), ("from_user",), ("to_user",), ("group_id",), ("platform",), ("msg_type",)] == [
        value.paths[0] for value in (found.id, found.time, found.sender, found.receiver, found.group, found.client,
                                     found.kind) if value
    ]  # fmt: skip
    assert (("0",), "\\", ("\\N",)) == (tuple(found.group.unset), found.input.escape, found.input.null)  # type: ignore[union-attr]
    assert ("iso", "+08:00") == (found.time.unit, found.time.zone)
    assert ("text", "image", "audio") == tuple(found.bodies[found.kinds[kind][0]].kind for kind in "123")


def test_pinyin_and_chinese_are_understood() -> None:
    records = [{"xiaoxiid": n, "fasongshijian": 1711000000 + n, "fasongren": "a", "jieshouren": "b", "leixing": "文本",
                "neirong": "你好"} for n in range(9)]  # fmt: skip
    found = mapping_of(proposal(records, ['format = "ndjson"'], "x"))
    assert ("s", "text", "p2p") == (found.time.unit, found.bodies[found.kinds["文本"][0]].kind, found.chat.always)


def test_a_guess_of_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "prose").write_bytes(b"no table at all\n")
    for name in ("empty", "prose"):
        assert "IMC-1107" == command("guess", tmp_path / name).exception.code


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))
KEYS = st.sampled_from(
    ["id", "msg_id", "time", "from", "to", "group_id", "msg_type", "content", "status", "a.b", '"', ""]
)


@given(st.lists(st.dictionaries(KEYS | st.text(max_size=4), VALUES, max_size=8), min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_whatever_the_records_hold_a_guess_is_a_mapping(records: list[dict[str, Any]]) -> None:
    assert mapping_of(proposal(records, ['format = "ndjson"'], "a\nb"))


def test_map_test_shows_records_side_by_side(table: tuple[Path, Path]) -> None:
    found = command("test", table[1], table[0], "-n", "1", "--latest", LATEST)
    assert 3 == found.return_value
    assert ["t.csv:2", "  source    1,1711000000001,u1,u1,text 1"] == found.output.splitlines()[:2]
    assert '"body":"text 1"' in found.output
    assert "IMC-2442: The row has 2 values; expected are 5.  first t.csv:42" in found.output


def test_map_test_gives_json(table: tuple[Path, Path]) -> None:
    found = json.loads(command("test", table[1], table[0], "--json", "--limit", "10", "--latest", LATEST).output)
    assert (10, 9, 0, 1) == (found["records"], found["written"], found["rejected"], found["skipped"])
    assert "text 1" == found["shown"][0]["canonical"]["parts"][0]["text"]


def test_map_test_tells_paths_that_nothing_sets(tmp_path: Path) -> None:
    mapping, source = tmp_path / "m.toml", tmp_path / "a.ndjson"
    mapping.write_text(changed('receiver = "to"', 'receiver = "to"\next = "extr"'))
    source.write_text(json.dumps({**RECORD, "extra": {"a": 1}}) + "\n")
    found = json.loads(command("test", mapping, source, "--json", "--latest", LATEST).output)
    assert (["extr"], ["key extra"]) == (found["never"], list(found["drift"]))


def test_map_test_tells_the_problems_of_a_mapping(tmp_path: Path, table: tuple[Path, Path]) -> None:
    (tmp_path / "bad.toml").write_text(changed('sender = "from"', ""))
    found = command("test", tmp_path / "bad.toml", table[0])
    assert ["IMC-1103"] == [code for code, _, _ in found.exception.values["problems"]]


# Generated exports whose truth is known


@pytest.mark.parametrize(("shape", "example"), [("lines", "ndjson-log"), ("table", "mysql-csv")])
def test_counts_are_those_of_the_generator(shape: str, example: str, tmp_path: Path) -> None:
    script = FIXTURES.parent / "scripts" / "make_export.py"
    asked = ["--messages", "2500", "--files", "2", "--seed", "11", "--damage", "0.02", "--conflicts", "0.01"]
    line = [sys.executable, str(script), "custom", str(tmp_path / "in"), "--shape", shape, *asked]
    truth = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    found = run(tmp_path / "in", tmp_path / "out", FIXTURES / "custom" / example / "mapping.toml").manifest
    headers = len(truth["files"]) if shape == "table" else 0
    totals = found.totals
    assert (
        truth["lines"] + headers,
        truth["messages"] + truth["extra_bodies"],
        truth["conflicts"],
        truth["damaged"],
        truth["events"] + truth["chatroom"] + headers,
    ) == (totals.read, totals.written, totals.conflicts, totals.rejected, totals.skipped)
    assert truth["duplicates"] + totals.split - truth["extra_bodies"] == totals.duplicates
    assert truth["by_chat"]["p2p"] + truth["by_chat"]["team"] == truth["messages"]


# --- zones for the compiled part -----------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Africa/Casablanca",
                                  "Australia/Lord_Howe", "Asia/Kathmandu", "+08:00", "UTC"])  # fmt: skip
@given(seconds=st.integers(zones.LAST - 41 * 366 * zones.DAY, zones.LAST + zones.DAY))
@example(seconds=1_710_037_800)
@example(seconds=1_729_996_200)
@settings(max_examples=150, deadline=None)
def test_intervals_hold_clocks_that_one_offset_alone_is_right_for(zone: str, seconds: int) -> None:
    wall = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    known = times.zone_of(zone)
    found = [offset for first, stop, offset in zones.intervals(zone) if first <= seconds * 1000 < stop]
    earlier, later = (wall.replace(tzinfo=known, fold=fold).utcoffset() for fold in (0, 1))
    assert len(found) <= 1
    if found:
        assert earlier == later == timedelta(milliseconds=found[0])
    elif 946_684_800 < seconds < zones.LAST - zones.DAY:
        assert earlier != later, "only what a change shows twice or never is in no interval"
