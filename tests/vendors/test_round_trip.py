"""What was written reads back and is written the same: the lines of every golden case are a fixed point."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path

import pytest
from golden import STREAMS, Case, cases, run, shards
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import mutated
from roads import LongRoad, Shortcut, records, settings_of

from imconvert.model import key_of
from imconvert.vendors import ALL, TARGETS

TARGET = TARGETS["yunxin"]
CASES = [case for case in cases() if any((case.path / "out" / f"{stream}.txt").exists() for stream in STREAMS)]
NOTICES = {"IMC-3019"}
"""Said about what stays as it is, so said again."""


def lines_of(case: Case) -> list[tuple[str, bytes]]:
    expected = case.expected()
    return [(stream, line) for stream in STREAMS for line in records(expected.get(f"{stream}.txt", b""))]


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_golden_line_reads_back_as_it_is(case: Case) -> None:
    road = LongRoad(settings=settings_of(case.asked()))
    expected = [(stream, line) for stream, line in lines_of(case)]
    written = [road(line) for _, line in expected]
    assert expected == [(line.stream, line.data) for found in written for line in found.lines]


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_golden_line_needs_no_repair(case: Case) -> None:
    road = LongRoad(settings=settings_of(case.asked()))
    assert [code for _, line in lines_of(case) for code in road(line).repairs if code not in NOTICES] == []


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_golden_line_is_not_changed(case: Case) -> None:
    road = LongRoad(settings=settings_of(case.asked()))
    assert [change for _, line in lines_of(case) for change in road(line).changes] == []


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_golden_line_takes_the_shortcut_as_it_is(case: Case) -> None:
    shortcut = Shortcut()
    taken = [(line, found) for _, line in lines_of(case) if (found := shortcut(line))]
    assert [line for line, _ in taken] == [found.lines[0].data for _, found in taken]


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_key_and_digest_are_found_again(case: Case) -> None:
    road = LongRoad(settings=settings_of(case.asked()))
    for _, raw in lines_of(case):
        for line in road(raw).lines:
            assert (line.key, line.digest) == (key_of(*TARGET.read_key(line.data)), TARGET.digest_of(line.data))


@pytest.mark.parametrize("vendor", [vendor.name for vendor in ALL])
@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_whatever_is_written_reads_back_as_it_is(vendor: str, data: st.DataObject) -> None:
    lines = LongRoad(vendor)(data.draw(mutated(vendor))).lines
    assert [line.data for line in lines] == [again.data for line in lines for again in LongRoad()(line.data).lines]


def test_a_second_conversion_gives_the_same_shards(tmp_path: Path) -> None:
    """All lines of the guide at once, through the whole converter."""
    case = next(case for case in CASES if case.name == "guide-joined")
    source = tmp_path / "in"
    source.mkdir()
    for name, data in case.expected().items():
        if name.endswith(".txt"):
            (source / name).write_bytes(data)
    outcome = run(source, tmp_path / "out", "auto")
    expected = {stream: case.expected().get(f"{stream}.txt", b"") for stream in STREAMS}
    assert (expected, {}) == ({s: shards(tmp_path / "out", s) for s in STREAMS}, outcome.manifest.repairs)


def test_another_number_changes_nothing_else() -> None:
    line = b'{"type":0,"data":{"msgid":1,"from":"a","to":"b","createTime":1711000000000,"clientType":1,"body":"1"}}'
    assert line.replace(b'"msgid":1,', b'"msgid":77,') == TARGET.with_msgid(line, 77)
