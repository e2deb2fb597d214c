"""The external sort: whatever the runs and the memory, a bucket comes back whole and in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert.convert.arrange import runs
from imconvert.convert.arrange.runs import BOUND, PLACED, Files, Runs, bucket_rows, slices, sorted_lines, windows
from imconvert.convert.work import read_rows

Line = tuple[int, int, bytes]
lines = st.tuples(
    st.sampled_from([0, 1, 1 << 62, 3 << 62, (1 << 64) - 1]), st.integers(-2, 3), st.binary(max_size=9)
).map(lambda line: (line[0], line[1], line[2].replace(b"\n", b".")))
batches = st.lists(st.lists(lines, min_size=1, max_size=12), max_size=8)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_OPEN", 3)


def rows_of(batch: list[Line], first: int) -> Any:
    rows = np.zeros(len(batch), PLACED)
    rows["talk"] = np.array([talk for talk, _, _ in batch], np.uint64)
    rows["time"] = [time for _, time, _ in batch]
    rows["place"] = np.arange(first, first + len(batch))
    return rows


def scattered(folder: Path, owners: list[list[list[Line]]], bits: int) -> list[tuple[int, int]]:
    """Runs of several owners; a place is the number of the line among all."""
    first, found = 0, []
    for owner, mine in enumerate(owners):
        made = Runs(lambda suffix, owner=owner: folder / f"{owner}.x{suffix}", bits)
        for batch in mine:
            made.write(rows_of(batch, first), [data for _, _, data in batch])
            first += len(batch)
        made.finish()
        found.append((owner, made.runs))
    return found


def read_back(folder: Path, found: list[tuple[int, int]], bits: int) -> Iterator[tuple[int, list[Any]]]:
    files = Files(lambda owner, name: folder / f"{owner}.{name}")
    for bucket in range(1 << bits):
        got = [
            (int(row["talk"]), int(row["time"]), int(row["place"]), line)
            for rows, some in sorted_lines(files, "x", slices(files, "x", found, bits, bucket))
            for row, line in zip(rows, some, strict=True)
        ]
        yield bucket, got
    files.close()


@settings(max_examples=200, deadline=None)
@given(owners=st.lists(batches, max_size=4), bits=st.integers(0, 3), most=st.integers(1, 9), room=st.integers(1, 60))
def test_buckets_come_back_in_order(owners: list[Any], bits: int, most: int, room: int) -> None:
    """All lines are there once, each in the bucket of its hash, sorted by hash, time and place."""
    everything = [line for owner in owners for batch in owner for line in batch]
    wanted = sorted((talk, time, place, data) for place, (talk, time, data) in enumerate(everything))
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "MOST_ROWS", most)
        patch.setattr(runs, "WINDOW_BYTES", room)
        folder = Path(name)
        found = scattered(folder, owners, bits)
        back = list(read_back(folder, found, bits))
    assert wanted == [line for _, mine in back for line in mine]
    assert [] == [line for bucket, mine in back for line in mine if bits and line[0] >> (64 - bits) != bucket]


@settings(max_examples=100, deadline=None)
@given(owners=st.lists(batches, max_size=3), bits=st.integers(0, 3))
def test_bounds_count_each_bucket(owners: list[Any], bits: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for owner, _ in scattered(folder, owners, bits):
            counts = bucket_rows(read_rows(folder / f"{owner}.x.bounds", BOUND), bits)
            talks = [talk for batch in owners[owner] for talk, _, _ in batch]
            assert [sum(t >> (64 - bits) == b if bits else True for t in talks) for b in range(1 << bits)] == [*counts]


def test_what_is_read_at_once_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One conversation in forty runs, all at equal times: a range never has more rows than allowed, none is lost."""
    monkeypatch.setattr(runs, "MOST_ROWS", 50)
    batches = [[(7, 0, b"x")] * 30 for _ in range(40)]
    found = scattered(tmp_path, [batches], 0)
    files = Files(lambda owner, name: tmp_path / f"{owner}.{name}")
    sizes = [len(rows) for rows, _ in sorted_lines(files, "x", slices(files, "x", found, 0, 0))]
    files.close()
    assert (1200, True) == (sum(sizes), max(sizes) <= 50)


@given(talks=st.lists(st.integers(0, 4), max_size=30).map(sorted), room=st.integers(1, 40))
def test_windows_end_where_a_conversation_does(talks: list[int], room: int) -> None:
    """Unless it is the only one in its window."""
    lengths, found = np.full(len(talks), 4, np.uint32), np.array(talks, np.uint64)
    some = list(windows(np.arange(len(talks), dtype=np.uint64) * np.uint64(5), lengths, room, found))
    assert [*range(len(talks))] == [row for start, stop in some for row in range(start, stop)]
    for start, stop in some:
        assert stop - start <= max(1, room // 5)
        assert stop == len(talks) or talks[stop] != talks[stop - 1] or talks[start] == talks[stop - 1]


@given(lengths=st.lists(st.integers(0, 30), max_size=30), room=st.integers(1, 40))
def test_windows_cover_all_lines_once(lengths: list[int], room: int) -> None:
    begins = np.cumsum([0, *[length + 1 for length in lengths]])[:-1].astype(np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "WINDOW_BYTES", room)
        found = list(windows(begins, np.array(lengths, np.uint32), room))
    assert [*range(len(lengths))] == [row for start, stop in found for row in range(start, stop)]
    assert [] == [w for w in found if w[1] - w[0] > 1 and sum(n + 1 for n in lengths[w[0] : w[1]]) > room]
