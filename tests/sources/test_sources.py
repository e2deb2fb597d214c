"""Lines and documents: every record comes out once, whole, with its place, wherever the input is cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert.convert import plan
from imconvert.errors import InputError, UsageError
from imconvert.sources import records
from imconvert.sources.containers import ignore
from imconvert.sources.documents import begins_with_array, elements
from imconvert.sources.inputs import Input, expand
from imconvert.sources.records import Batch, line_range, lines
from imconvert.vendors import BY_NAME
from imconvert.vendors.contract import Documents

ENTITIES = Documents(("entities",))
ODD = ["\u2028".encode(), "\u0085".encode(), b"\0", b" "]
pieces = st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"\n\n", *ODD])
texts = st.lists(pieces, max_size=40).map(b"".join)
sizes = st.integers(1, 50)


def blocks_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def taken(batches: Iterator[Batch]) -> tuple[list[tuple[int, bytes]], InputError | None]:
    """All (offset, record), and the damage behind them; numbers of records have to follow each other."""
    found: list[tuple[int, bytes]] = []
    try:
        for batch in batches:
            assert batch.first == len(found)
            assert len(batch.records) == len(batch.offsets)
            found += zip(batch.offsets.tolist(), batch.records, strict=True)
    except InputError as why:
        return found, why
    return found, None


def plain_lines(data: bytes) -> list[tuple[int, bytes]]:
    """The oracle: split at LF only; an unfinished last line counts, nothing behind the last LF does not."""
    found, at = [], 0
    for line in data.split(b"\n"):
        found.append((at, line))
        at += len(line) + 1
    return found if found[-1][1] else found[:-1]


# --- lines ---


@given(texts, sizes)
def test_lines_are_split_at_lf_only(data: bytes, size: int) -> None:
    assert (plain_lines(data), None) == taken(lines(blocks_of(data, size)))


@given(texts, sizes, sizes)
def test_ranges_give_every_line_once(data: bytes, size: int, step: int) -> None:
    """A line belongs to the range that holds its first byte, whatever the ranges."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "in")
        path.write_bytes(data)
        found: list[tuple[int, bytes]] = []
        for start in range(0, len(data), step):
            blocks, begin = line_range(path, "in", start, min(start + step, len(data)), len(data), ignore)
            some, damage = taken(lines(blocks, offset=begin))
            assert damage is None
            assert all(start <= at < start + step for at, _ in some)
            found += some
    assert plain_lines(data) == found


@given(texts, sizes)
def test_carriage_returns_before_lf_are_counted(data: bytes, size: int) -> None:
    """The count of IMC-3002 does not depend on where the blocks end."""
    found = sum(batch.crlf for batch in lines(blocks_of(data, size)))
    assert data.count(b"\r\n") == found


@given(st.lists(st.integers(0, 60), max_size=20), sizes, st.booleans())
def test_too_long_lines_are_cut_but_counted_whole(lengths: list[int], size: int, final: bool) -> None:
    data = b"\n".join(bytes([97 + n % 26]) * length for n, length in enumerate(lengths)) + b"\n" * final
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORD_LIMIT", 50)
        patch.setattr(records, "KEPT", 10)
        offset, seen = 0, []
        for batch in lines(blocks_of(data, min(size, 50))):
            for index, (at, record) in enumerate(zip(batch.offsets.tolist(), batch.records, strict=True)):
                assert offset == at
                true = batch.lengths.get(index, len(record))
                assert data[at : at + len(record)] == record
                assert (true > 50) == (index in batch.lengths)
                assert len(record) == (10 if true > 50 else true)
                offset += true + 1
                seen.append(true)
    assert [len(line) for _, line in plain_lines(data)] == seen


# --- documents ---

scalars = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.text('a"\\{}[],: é', max_size=6))
keys = st.sampled_from(["entities", "k", 'q"', "{"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
objects = st.dictionaries(st.sampled_from(["entities", "k", "ext", "}"]), values, max_size=4)
documents = st.tuples(
    st.lists(objects, max_size=5),
    st.dictionaries(st.sampled_from(["action", "path", "a[", "b}"]), values, max_size=3),
    st.dictionaries(st.sampled_from(["cursor", "count", "z]"]), values, max_size=2),
)
styles = st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}, {"indent": 0}, {"ensure_ascii": False}])


def document(parts: Any, style: Any) -> bytes:
    array, before, after = parts
    return json.dumps({**before, "entities": array, **after}, **style).encode()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(documents, min_size=1, max_size=3), styles, st.integers(1, 400), st.sampled_from([b"", b"\n", b" \r\n"])
)
def test_elements_are_those_that_json_finds(found: list[Any], style: Any, size: int, between: bytes) -> None:
    data = between.join(document(parts, style) for parts in found)
    records_found, damage = taken(elements(blocks_of(data, size), ENTITIES, "in"))
    assert damage is None
    assert [element for array, _, _ in found for element in array] == [json.loads(raw) for _, raw in records_found]
    assert all(data[at : at + len(raw)] == raw for at, raw in records_found)


@settings(max_examples=40, deadline=None)
@given(documents, styles, st.integers(1, 100))
def test_a_cut_document_keeps_its_complete_elements(parts: Any, style: Any, size: int) -> None:
    """Truncated at every byte: the complete elements come out, the cut one at most as the last, then IMC-4013."""
    data = document(parts, style)
    whole, _ = taken(elements(iter([data]), ENTITIES, "in"))
    for cut in range(1, len(data)):
        found, damage = taken(elements(blocks_of(data[:cut], size), ENTITIES, "in"))
        complete = [(at, raw) for at, raw in whole if at + len(raw) <= cut]
        assert complete == found[: len(complete)], f"cut at {cut}"
        assert len(found) <= len(complete) + 1
        assert damage is not None, f"cut at {cut}"
        assert damage.code == "IMC-4013"


@settings(max_examples=200, deadline=None)
@given(st.lists(objects, min_size=1, max_size=3), styles, st.sampled_from([b"", b" \n", b"\xef\xbb\xbf"]))
def test_a_document_is_told_by_its_beginning(found: list[Any], style: Any, before: bytes) -> None:
    """By the first value alone, and as soon as its array begins."""
    texts = [json.dumps(value, **style).encode() for value in found]
    data = before + b"\n".join(texts)
    expected = isinstance(found[0].get("entities"), list)
    assert expected == begins_with_array(data, ENTITIES)
    cuts = [cut for cut in range(len(data)) if begins_with_array(data[:cut], ENTITIES)]
    assert cuts == list(range(cuts[0], len(data))) if cuts else not expected


@pytest.mark.parametrize("number", [b"9" * 5000, b"-" + b"9" * 300_000, b"1e400", b"1" + b"0" * 5000 + b".5"])
def test_no_number_is_too_long_for_a_beginning(number: bytes) -> None:
    """A parser of events crashed the whole process here."""
    assert begins_with_array(b'{"count":' + number + b',"entities":[', ENTITIES)


def test_what_is_no_object_comes_out_too() -> None:
    """Each element of another kind is one record, so that read counts elements."""
    data = b'{"entities": [1, {"a": 1}, "x", null, [1, 2], {"b": 2}, true]}'
    found, damage = taken(elements(iter([data]), ENTITIES, "in"))
    assert damage is None
    assert [json.loads(raw) for _, raw in found] == [1, {"a": 1}, "x", None, [1, 2], {"b": 2}, True]
    assert [data[at : at + len(raw)] for at, raw in found] == [raw for _, raw in found]


def test_a_string_element_with_a_comma_is_one_record() -> None:
    found, _ = taken(elements(iter([b'{"entities": ["a,b", {"k": 1}]}']), ENTITIES, "in"))
    assert [raw for _, raw in found] == [b'"a,b"', b'{"k": 1}']


def test_what_stands_outside_of_documents_does_not_vanish() -> None:
    """Records behind a document are told about: as records, or as damage."""
    data = b'{"entities": [{"a": 1}]}\n{"msg_id": "2"}\n{"msg_id": "3"}\n'
    found, damage = taken(elements(iter([data]), ENTITIES, "in"))
    assert damage or len(found) == 3


# --- plan and inputs ---


def planned(sizes_of: list[int], size: int) -> list[Input]:
    return [Input(f"f{n}", "/nowhere/of/this/test", None, "plain", found, "") for n, found in enumerate(sizes_of)]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=8), st.integers(1, 200))
def test_the_plan_covers_each_byte_once(found: list[int], size: int) -> None:
    inputs = planned(found, size)
    segments = plan.cut(tuple(inputs), size, replace(BY_NAME["yunxin"], documents=None))
    assert list(range(len(segments))) == [segment.number for segment in segments]
    every = [piece for segment in segments for piece in segment.pieces]
    assert sorted(every, key=lambda piece: (piece.file, piece.start)) == every
    for number, source in enumerate(inputs):
        mine = [piece for piece in every if piece.file == number]
        if mine[0].stop < 0:
            assert len(mine) == 1
            continue
        assert mine[0].start == 0
        assert source.size == mine[-1].stop
        assert [piece.stop for piece in mine[:-1]] == [piece.start for piece in mine[1:]]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_folder_gives_its_files_sorted_bytewise(tmp_path: Path) -> None:
    touch(tmp_path, "b", "a/z", "a-1", "B", "é", ".hidden", ".git/x")
    assert [label for label, _ in expand((str(tmp_path),))] == ["B", "a-1", "a/z", "b", "é"]


def test_arguments_keep_their_order_and_each_file_comes_once(tmp_path: Path) -> None:
    touch(tmp_path, "1", "2", "3")
    names = tuple(str(tmp_path / name) for name in ("3", "1"))
    assert [label for label, _ in expand((*names, str(tmp_path)))] == ["3", "1", "2"]
    assert [label for label, _ in expand((str(tmp_path / "*"),))] == ["1", "2", "3"]


def test_what_names_nothing_is_said(tmp_path: Path) -> None:
    for pattern in ("missing", "*.nothing"):
        with pytest.raises(UsageError) as caught:
            expand((str(tmp_path / pattern),))
        assert caught.value.code == "IMC-1001"
