"""The side index of a shard: what goes in comes out, whatever the numbers; damage is told, never passed on."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_digest

from imconvert import durable
from imconvert.convert.seal import index, source_index
from imconvert.convert.work import ROW, Array
from imconvert.errors import IntegrityError

U64, U32 = st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1)
ids = st.integers(0, 2**63 - 1)
lines = st.tuples(ids, U32, st.integers(0, 2**64 - 2), U64, st.integers(-(2**63), 2**63 - 1))
chunks = st.lists(st.lists(lines, max_size=30), max_size=4)


def rows_of(found: list[tuple[int, ...]]) -> Array:
    rows = np.zeros(len(found), ROW)
    for number, row in enumerate(found):
        for name, value in zip(("msgid", "file", "line", "offset", "time"), row, strict=True):
            rows[name][number] = value
    return rows


def written(path: Path, parts: list[Array]) -> index.Builder:
    writer = durable.Writer(path)
    builder = index.Builder(writer)
    for part in parts:
        builder.add(part)
    writer.finish()
    return builder


def read(path: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {name: [] for name in index.COLUMNS}
    with durable.Reader(path) as reader:
        for block in index.blocks(reader):
            for name in index.COLUMNS:
                found[name] += block[name].tolist()
    return found


@settings(max_examples=150, deadline=None)
@given(chunks)
def test_round_trip(found: list[list[tuple[int, ...]]]) -> None:
    """Numbers up to 2^64 in any order, gaps of any size; records are counted from 1."""
    flat = [row for chunk in found for row in chunk]
    with TemporaryDirectory() as folder:
        builder = written(Path(folder, "x.idx"), [rows_of(chunk) for chunk in found])
        columns = read(Path(folder, "x.idx"))
    assert columns == {
        "msgid": [row[0] for row in flat],
        "file": [row[1] for row in flat],
        "line": [row[2] + 1 for row in flat],
        "offset": [row[3] for row in flat],
    }
    assert builder.count == len(flat)
    assert builder.files == {file: [row[1] for row in flat].count(file) for file in {row[1] for row in flat}}
    if flat:
        assert builder.msgids == (min(row[0] for row in flat), max(row[0] for row in flat))
        assert builder.times == (min(row[4] for row in flat), max(row[4] for row in flat))


def usual(count: int) -> Array:
    rows = np.zeros(count, ROW)
    rows["msgid"] = np.arange(count) * 1009 + 123456789012345
    rows["line"] = np.arange(count)
    rows["offset"] = np.arange(count) * 217
    return rows


def test_full_blocks(tmp_path: Path) -> None:
    rows = usual(65536)
    written(tmp_path / "x.idx", [rows, rows[:1], rows])
    columns = read(tmp_path / "x.idx")
    assert columns["msgid"] == [*rows["msgid"], rows["msgid"][0], *rows["msgid"]]


def test_it_is_small(tmp_path: Path) -> None:
    written(tmp_path / "x.idx", [usual(65536)])
    assert (tmp_path / "x.idx").stat().st_size < 65536 * 6


def test_nothing_added_gives_no_block(tmp_path: Path) -> None:
    written(tmp_path / "x.idx", [usual(0)])
    assert (tmp_path / "x.idx").stat().st_size == 8
    assert read(tmp_path / "x.idx")["msgid"] == []


@pytest.mark.parametrize("shard", ["p2p-00001.txt", "team-100000.txt"])
def test_name(shard: str) -> None:
    assert index.name_of(shard) == shard.replace(".txt", ".idx")


# --- damage ---


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("index") / "x.idx"
    written(path, [usual(40), usual(3)])
    return path.read_bytes()


def outcome(path: Path, data: bytes) -> Any:
    """The columns, or the code of the error."""
    path.write_bytes(data)
    try:
        return read(path)
    except IntegrityError as why:
        assert "x.idx" in str(why)
        return why.code


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path, sound: bytes) -> None:
    path = tmp_path / "x.idx"
    expected = outcome(path, sound)
    found = []
    for place in range(len(sound)):
        for bit in range(8):
            hurt = bytearray(sound)
            hurt[place] ^= 1 << bit
            found.append(outcome(path, bytes(hurt)))
    assert all(one in (expected, "IMC-6002") for one in found)
    assert found.count("IMC-6002") > 0.98 * len(found)


def test_a_cut_is_found_but_between_blocks(tmp_path: Path, sound: bytes) -> None:
    """There only the manifest knows better."""
    whole = [end for end in range(len(sound)) if outcome(tmp_path / "x.idx", sound[:end]) != "IMC-6002"]
    assert len(whole) == 2
    assert whole[0] == 8


def test_what_follows_is_found(tmp_path: Path, sound: bytes) -> None:
    for more in (b"\0", b"\0" * 16, b"\0" * 40, b"x" * 100, sound):
        assert outcome(tmp_path / "x.idx", sound + more) == "IMC-6002"


@pytest.mark.parametrize("data", [b"", b"IMCX", b"IMCX\x03\0\0\0", b"x" * 100])
def test_other_files_are_no_index(tmp_path: Path, data: bytes) -> None:
    assert outcome(tmp_path / "x.idx", data) == "IMC-6002"


# --- the index of source ids ---


def entry_rows(found: list[tuple[int, int, int, int]]) -> Array:
    rows = np.zeros(len(found), source_index.ENTRY)
    for name, values in zip(("hash", "msgid", "line", "stream"), zip(*found, strict=True), strict=True):
        rows[name] = values
    return rows


def sources_written(path: Path, found: list[tuple[int, int, int, int]], chunk: int) -> None:
    writer = durable.Writer(path)
    builder = source_index.Builder(writer)
    for start in range(0, len(found), chunk):
        builder.add(entry_rows(found[start : start + chunk]))
    builder.flush()
    writer.finish()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "MSG-3", "c#d", "长"]), min_size=1, max_size=60), st.integers(1, 9))
def test_source_ids_are_found_in_every_run(names: list[str], run: int) -> None:
    found = [(hashed(name), 2**63 - 1 - number, number, number % 2) for number, name in enumerate(names)]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_index, "RUN", run)
        patch.setattr(source_index, "BLOCK", 3)
        sources_written(Path(folder, "x.ids"), found, 4)
        with durable.Reader(Path(folder, "x.ids")) as reader:
            for name in {*names, "none"}:
                expected = [row[1:] for row, its in zip(found, names, strict=True) if its == name]
                assert expected == sorted(source_index.find(reader, name), key=lambda row: row[1])


def hashed(name: str) -> int:
    return int.from_bytes(xxh3_128_digest(name.encode())[:8], "little")


@pytest.mark.parametrize("damage", [b"", b"IMCX\x01\0\0\0", b"short"])
def test_damaged_index_of_source_ids_is_told(tmp_path: Path, damage: bytes) -> None:
    sources_written(tmp_path / "x.ids", [(hashed("a"), 1, 1, 0)], 1)
    whole = (tmp_path / "x.ids").read_bytes()
    for broken in (damage, whole[:-1], whole[:-9] + b"\0" + whole[-8:], damage + whole[8:]):
        (tmp_path / "x.ids").write_bytes(broken)
        with durable.Reader(tmp_path / "x.ids") as reader, pytest.raises(IntegrityError):
            list(source_index.find(reader, "a"))
