"""Copies, history answers and posts: other words for the same messages give the same lines, and broken ones cost
themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from golden import FIXTURES, LATEST, STREAMS, run, shards
from hypothesis import given, settings
from hypothesis import strategies as st
from roads import complete

from imconvert.errors import InputError, Rejected
from imconvert.model import Notes, Skip
from imconvert.sources.documents import elements
from imconvert.sources.layout import one_a_line
from imconvert.vendors import BY_NAME
from imconvert.vendors.contract import Documents
from imconvert.vendors.yunxin import formats

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_export.py"
CLEAN = ["--oddities", "0", "--duplicates", "0", "--conflicts", "0", "--damage", "0"]
ROUGH = ["--oddities", "0.3", "--duplicates", "0.08", "--conflicts", "0.05", "--damage", "0.05"]
SHAPES = [("yunxin", "copies"), ("yunxin", "history-v1"), ("yunxin", "history-v2"), ("easemob", "posts"),
          ("easemob", "document"), ("easemob", "indented")]  # fmt: skip
NESTED = Documents(("msgs", "data.items"))


def made(folder: Path, vendor: str, shape: str, rates: list[str], *, messages: int = 2500) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), vendor, str(folder), "--messages", str(messages), "--shape", shape,
               "--users", "200", "--groups", "30", "--seed", "5", *rates]  # fmt: skip
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def lines_of(folder: Path) -> set[bytes]:
    return {line for stream in STREAMS for line in shards(folder, stream).splitlines()}


@pytest.mark.parametrize(("vendor", "shape"), SHAPES, ids=lambda word: word)
def test_counts_are_those_that_were_planted(vendor: str, shape: str, tmp_path: Path) -> None:
    truth = made(tmp_path / "in", vendor, shape, [*ROUGH, "--files", "2"])
    outcome = run(tmp_path / "in", tmp_path / "out", "auto")
    totals = outcome.manifest.totals
    twins = totals.split - truth["extra_bodies"]
    expected = (truth["lines"], truth["messages"] + truth["extra_bodies"], truth["duplicates"] + twins)
    assert (vendor, *expected) == (outcome.manifest.source, totals.read, totals.written, totals.duplicates)
    assert (truth["conflicts"], truth["damaged"]) == (totals.conflicts, totals.rejected)


@pytest.mark.parametrize("shape", ["entities", "document", "indented", "posts"])
def test_easemob_says_the_same_in_all_its_formats(shape: str, tmp_path: Path) -> None:
    """The generator makes the same messages of each, so the lines are the same bytes."""
    for name in ("lines", shape):
        made(tmp_path / name, "easemob", name, CLEAN)
        run(tmp_path / name, tmp_path / f"out-{name}", "easemob")
    assert lines_of(tmp_path / "out-lines") == lines_of(tmp_path / f"out-{shape}")


def test_copies_say_the_same_as_import_lines(tmp_path: Path) -> None:
    """But for custom content and properties of teams, which the generator draws anew. Of a 101 the line names first who
    joined, the copy who invited."""
    for name in ("lines", "copies"):
        made(tmp_path / name, "yunxin", name, CLEAN)
        run(tmp_path / name, tmp_path / f"out-{name}", "yunxin")
    lines, copies = (
        [
            record
            for line in lines_of(tmp_path / f"out-{name}")
            if (record := json.loads(line))["type"] not in (100, 107)
        ]
        for name in ("lines", "copies")
    )
    for record in copies:
        if record["type"] == 101:
            record["data"]["accid"], record["data"]["accid2"] = record["data"]["accid2"], record["data"]["accid"]
    assert sorted(map(json.dumps, lines)) == sorted(json.dumps(record) for record in copies)


CASES = [path for vendor in ("yunxin", "easemob") for path in sorted((FIXTURES / vendor).iterdir())
         if path.name.startswith(("copies", "history", "posts"))]  # fmt: skip


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_format_is_told_by_content(path: Path, tmp_path: Path) -> None:
    assert path.parent.name == run(path / "in", tmp_path, "auto").manifest.source


# --- arrays one level down ------------------------------------------------------------------------------


def split(data: bytes, size: int, documents: Documents = NESTED) -> tuple[list[bytes], str]:
    blocks = (data[at : at + size] for at in range(0, len(data), size))
    records: list[bytes] = []
    try:
        for batch in elements(blocks, documents, "x"):
            records += batch.records
    except InputError as why:
        return records, why.code
    return records, ""


@pytest.mark.parametrize(
    ("document", "records"),
    [
        ({"code": 200, "data": {"items": [{"a": 1}, {"b": [1]}], "next": {"items": [{"c": 1}]}}}, 2),
        ({"data": {"next": {"items": [{"c": 1}]}, "items": [{"a": {"items": [{}]}}]}}, 1),
        ({"other": {"items": [{"x": 1}]}, "data": {"items": [{"a": 1}]}}, 1),
        ({"data": [], "msgs": [{"a": 1}, {"b": {"items": []}}]}, 2),
        ({"data": {"x": 1}, "msgs": [{"a": 1}], "items": [{"b": 1}]}, 1),
        ({"data": {"items": []}}, 0),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_array_is_found_where_it_stands_and_nowhere_else(document: Any, records: int, indent: int | None) -> None:
    data = json.dumps(document, indent=indent).encode()
    for size in (1, 7, 64, 10_000):
        found, damage = split(data, size)
        assert (records, "") == (len(found), damage)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["items", "data", "msgs", "k"]), st.recursive(
    st.none() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["items", "data", "msgs"]), inner, max_size=3), max_leaves=6), max_size=3),
    max_size=5), st.integers(1, 40))  # fmt: skip
def test_every_element_comes_out_once(items: list[Any], size: int) -> None:
    data = json.dumps({"code": 200, "data": {"more": False, "items": items}, "tail": {"items": [1]}}).encode()
    found, damage = split(data * 2, size)
    assert (items * 2, "") == ([json.loads(record) for record in found], damage)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9))
def test_no_bytes_break_the_splitter(tail: bytes, size: int) -> None:
    split(b'{"data":{"items":[{"a":1},' + tail, size)


def test_answers_one_a_line_are_seen_as_such() -> None:
    answer = b'{"code":200,"data":{"items":[{"a":1}]}}'
    assert [True, False, False] == [
        one_a_line(head, NESTED) for head in (answer + b"\n" + answer, answer + b"\n", b'{"data":{\n"items":[]}}\n')
    ]


# --- history answers ------------------------------------------------------------------------------------

ITEM = b'{"from":"u_ann","msgid":7,"sendtime":1711000000000,"type":0,"body":{"msg":"x"}}'


@pytest.mark.parametrize(
    ("head", "setting", "expected"),
    [
        (b'{"from":"u_ann","to":"u_bob","code":200,"msgs":[', "none", ("p2p", "u_ann", "u_bob")),
        (b'{"from":"u_bob","to":"U_ANN","code":200,"msgs":[', "none", ("p2p", "u_ann", "u_bob")),
        (b'{"code":200,"tid":880011,"msgs":[', "none", ("team", "u_ann", "880011")),
        (b'{"code":200,"msgs":[', "u_cat,u_ann", ("p2p", "u_ann", "u_cat")),
        (b'{"code":200,"msgs":[', "880011", ("team", "u_ann", "880011")),
        (b'{"tid":"880012","msgs":[', "u_cat,u_ann", ("team", "u_ann", "880012")),
        (b'{"from":7,"to":"u_ann","msgs":[', "none", "IMC-2481"),
        (b'{"from":"u_bob","to":"u_cat","msgs":[', "none", "IMC-2480"),
        (b"\xff{", "none", "IMC-2481"),
        (b"", "none", "IMC-2481"),
    ],
)
def test_conversation_is_told_by_head_or_setting(head: bytes, setting: str, expected: Any) -> None:
    read = formats.reader(complete({"yunxin.conversation": setting}), Notes(), LATEST, head)
    try:
        message = read(ITEM)
    except Rejected as why:
        assert expected == why.code
        return
    assert not isinstance(message, Skip)
    assert expected == (message.chat, message.sender, message.target)


def test_a_mark_within_content_is_no_mark() -> None:
    """The marks are but hints: an import line may hold them as keys of the app's own."""
    read = BY_NAME["yunxin"].reader(complete(None), Notes(), LATEST)
    content = b'{"eventType":"1","sendtime":1,"message_server_id":2,"code":3}'
    line = b'{"type":100,"data":{"msgid":1,"from":"a","to":"b","createTime":1711000000000,"clientType":1,"attach":%s}}'
    message = read(line % content)
    assert not isinstance(message, Skip)
    assert json.loads(content) == message.parts[0].content  # type: ignore[union-attr]


def test_secrets_of_a_post_are_nowhere_in_the_output(tmp_path: Path) -> None:
    run(FIXTURES / "easemob" / "posts" / "in", tmp_path, "easemob")
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"0123456789abcdef0123456789abcdef" not in written
