"""The radar tells what the documents don't know, the same for any cut of the input, and holds little of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_jobs import cli, easemob, recall, yunxin
from xxhash import xxh3_64_intdigest

from imconvert.convert.map.drift import LONGEST, MOST, Bounded, Radar

FEW = 4
names = st.lists(st.sampled_from([f"k{number}" for number in range(12)]), max_size=60)


def plain(seen: list[str]) -> tuple[dict[str, tuple[int, int]], int]:
    """What a Bounded of FEW has to hold, by counting everything first."""
    counts = Counter(seen)
    kept = sorted(counts, key=lambda name: xxh3_64_intdigest(name.encode()))[:FEW]
    return {name: (counts[name], seen.index(name)) for name in kept}, len(seen) - sum(counts[name] for name in kept)


def gathered(found: Bounded[int]) -> tuple[dict[str, tuple[int, int]], int]:
    return {name: (found.counts[name], found.first[name]) for name in found.counts}, found.others


@given(names, st.lists(st.integers(0, 60), max_size=4))
def test_any_cut_gives_what_plain_counting_gives(seen: list[str], cuts: list[int]) -> None:
    whole: Bounded[int] = Bounded(FEW)
    edges = [0, *sorted(cuts), len(seen)]
    for start, stop in zip(edges, edges[1:], strict=False):
        part: Bounded[int] = Bounded(FEW)
        for place in range(start, min(stop, len(seen))):
            part.add(seen[place], 1, place)
        whole.others += part.others
        for name in part.counts:
            whole.add(name, part.counts[name], part.first[name])
    assert plain(seen) == gathered(whole)


def test_name_counts_once_a_record_and_is_cut() -> None:
    radar = Radar()
    radar.see([("key", "a" * 500), ("key", "a" * 600), ("type", "x"), ("type", "x")], 0, 7)
    found = {what: {name: c.count for name, c in kind.names.items()} for what, kind in radar.found().items()}
    assert found == {"key": {"a" * LONGEST: 1}, "type": {"x": 1}}


def strange(number: int, key: str) -> bytes:
    return easemob(number, **{key: 1})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Messages, events and rejects with unknown keys: more names than are kept, in two files."""
    folder = tmp_path_factory.mktemp("drift") / "in"
    folder.mkdir()
    first = [strange(number, f"k{number % 150}") for number in range(1, 601)]
    second = [strange(number, f"k{number % 450}") for number in range(1, 901)]
    second.append(recall(5000, 1).replace(b'"msg_id"', b'"reason":"x","msg_id"'))
    second.append(easemob(5001, chat_type="channel"))
    (folder / "a.ndjson").write_bytes(b"".join(first))
    (folder / "b.ndjson").write_bytes(b"".join(second))
    return folder


def drift_of(*arguments: object) -> dict[str, dict[str, object]]:
    done = cli(*arguments, "-q", "--from", "easemob")
    assert done.returncode in (0, 3), done.stderr
    return json.loads((Path(str(arguments[1])) / "manifest.json").read_bytes())["drift"]


def test_hostile_names_are_bounded_and_all_are_counted(inputs: Path, tmp_path: Path) -> None:
    found = drift_of(inputs, tmp_path / "out")["key"]
    assert len(found["names"]) == MOST
    assert sum(seen["count"] for seen in found["names"].values()) + found["others"] == 600 + 900 + 1


def test_rejected_and_skipped_records_count(inputs: Path, tmp_path: Path) -> None:
    found = drift_of(inputs / "b.ndjson", tmp_path / "out")
    assert found["value"]["names"] == {"chat_type=channel": {"count": 1, "file": "b.ndjson", "line": 902}}


def test_first_place_is_the_first_in_input_order(inputs: Path, tmp_path: Path) -> None:
    found = drift_of(inputs, tmp_path / "out", "--segment-size", "20k")["key"]["names"]
    expected = {f"k{n}": ("a.ndjson", n or 150) if n < 150 else ("b.ndjson", n) for n in range(450)}
    expected["reason"] = "b.ndjson", 901
    assert {name: expected[name] for name in found} == {name: (s["file"], s["line"]) for name, s in found.items()}


@pytest.mark.parametrize("more", [("-j", 2), ("--segment-size", "7k"), ("-j", 3, "--segment-size", "3k")])
def test_segments_and_workers_change_nothing(inputs: Path, tmp_path: Path, more: tuple[object, ...]) -> None:
    assert drift_of(inputs, tmp_path / "one", "-j", 1) == drift_of(inputs, tmp_path / "other", *more)


def test_summary_tells_drift(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(yunxin(1).replace(b'"type": 0', b'"type": 77') + yunxin(2))
    said = cli(tmp_path / "in.txt", tmp_path / "out").stdout.decode()
    assert "Schema drift" in said
    assert "type 77  first in.txt:1" in said


def test_check_tells_drift_as_a_run_does(inputs: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from imconvert.cli import cli as commands

    wanted = drift_of(inputs, tmp_path / "out")
    done = CliRunner().invoke(commands, ["check", str(inputs), "--json", "--from", "easemob"], standalone_mode=False)
    assert wanted == json.loads(done.output)["manifest"]["drift"]
