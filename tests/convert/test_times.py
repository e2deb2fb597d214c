"""The manifest says by which offset the times of the inputs were read, and what says so."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from support.small_jobs import easemob, options, run

import imconvert.vendors
from imconvert.cli import summary
from imconvert.convert.books.manifest import Times


def by_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Easemob's records tell an offset, as logs with wall clocks do; no shortcut may take them."""
    vendor = imconvert.vendors.BY_NAME["easemob"]

    def reader(settings: Any, notes: Any, latest: int) -> Any:
        read = vendor.reader(settings, notes, latest)

        def told(raw: bytes) -> Any:
            notes.clock = tuple(json.loads(raw)["clock"])
            return read(raw)

        return told

    changed = dataclasses.replace(vendor, reader=reader, shortcut=None, **NO_SHAPE)
    monkeypatch.setitem(imconvert.vendors.BY_NAME, "easemob", changed)


NO_SHAPE = {"shape": None} if hasattr(imconvert.vendors.BY_NAME["easemob"], "shape") else {}
CHINA, UTC = ("+08:00", "timestamp"), ("+00:00", "setting")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name, clocks in (("a", [CHINA] * 40), ("b", [CHINA, UTC, CHINA]), ("c", [UTC])):
        lines = [easemob(number, clock=clock) for number, clock in enumerate(clocks, 1)]
        (tmp_path / "in" / name).write_bytes(b"".join(lines))
    return tmp_path / "in"


EXPECTED = [Times("+00:00", "setting", 2, "b"), Times("+08:00", "timestamp", 2, "a")]


@pytest.mark.parametrize("size", [300, 1 << 20])
@pytest.mark.parametrize("jobs", [1, 2])
def test_offsets_are_told_by_input(
    monkeypatch: pytest.MonkeyPatch, inputs: Path, tmp_path: Path, size: int, jobs: int
) -> None:
    by_record(monkeypatch)
    found = run(options(inputs, tmp_path / "out", source="easemob", segment_size=size, jobs=jobs)).manifest
    assert found.times == EXPECTED


@pytest.mark.parametrize(("lang", "said"), [("en", "time zone"), ("zh", "时区")])
def test_summary_tells_offsets(
    monkeypatch: pytest.MonkeyPatch, inputs: Path, tmp_path: Path, lang: str, said: str
) -> None:
    by_record(monkeypatch)
    outcome = run(options(inputs, tmp_path / "out", source="easemob"))
    line = next(line for line in summary.as_text(outcome, None, lang).splitlines() if line.startswith(said))
    assert "+00:00 (setting)" in line


def test_rejected_records_prove_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    by_record(monkeypatch)
    (tmp_path / "in").write_bytes(easemob(1, clock=CHINA) + easemob(2, clock=UTC, payload={"bodies": []}))
    found = run(options(tmp_path / "in", tmp_path / "out", source="easemob")).manifest
    assert found.times == [Times("+08:00", "timestamp", 1, "in")]


def test_records_with_instants_need_no_zone(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(easemob(1))
    outcome = run(options(tmp_path / "in", tmp_path / "out", source="easemob"))
    assert [Times("+00:00", "epoch", 1, "in")] == outcome.manifest.times
    assert "time zone" not in summary.as_text(outcome, None, "en")


MAPPING = """
version = 1
[input]
format = "csv"
[message]
id = "id"
time = { path = "at", %s }
sender = "from"
receiver = "to"
[chat]
always = "p2p"
[body.text]
as = "text"
text = "text"
"""
CLOCK = "2024-03-15 09:00:00"


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize(
    ("time", "written", "expected", "moment"),
    [
        ('unit = "iso", zone = "Asia/Shanghai"', CLOCK, [("Asia/Shanghai", "mapping")], 1_710_464_400_000),
        ('unit = "format", format = "%Y-%m-%d %H:%M:%S", zone = "+08:00"', CLOCK, [("+08:00", "mapping")],
         1_710_464_400_000),
        ('unit = "iso", zone = "+08:00"', "2024-03-15T01:00:00Z", [("own", "value")], 1_710_464_400_000),
        ('unit = "s"', "1710464400", [("+00:00", "epoch")], 1_710_464_400_000),
    ],
)  # fmt: skip
def test_a_mapping_tells_its_zone(
    tmp_path: Path, time: str, written: str, expected: list[tuple[str, str]], moment: int, *, compiled: bool
) -> None:
    """The zone that the mapping names, not UTC; times that tell an offset themselves are told apart."""
    table, mapping = tmp_path / "in.csv", tmp_path / "map.toml"
    table.write_text(f"id,at,from,to,text\n1,{written},ann,bob,hi\n2,{written},ann,bob,ho\n")
    mapping.write_text(MAPPING % time)
    found = run(options(table, tmp_path / "out", source="custom", map=mapping, compiled=compiled)).manifest
    assert [(clock.offset, clock.source) for clock in found.times] == expected
    assert [shard.times for shard in found.shards] == [(moment, moment)]
