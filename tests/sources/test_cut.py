"""The part in C cuts records exactly as the scan and the look at lines do, on documents and on anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from golden import cases
from hypothesis import example, given, settings
from hypothesis import strategies as st

from imconvert import native
from imconvert.errors import InputError
from imconvert.sources import documents, layout, pieces, tables
from imconvert.sources import records as limits
from imconvert.sources.documents import elements
from imconvert.sources.layout import rows
from imconvert.sources.records import Batch
from imconvert.vendors import find
from imconvert.vendors.contract import Documents, Tables

pytestmark = pytest.mark.skipif(not native.BUILT, reason="the part in C isn't built here")

BUILDS = [
    Documents(("list",)),
    Documents(("list", "d.items"), by_line=True, one_a_line=True, reader=lambda *_: lambda raw: raw),  # type: ignore[arg-type, return-value]
    Documents(("",), always=True),
]
TOKENS = [
    b'{"list":[', b'{"d":{"items":[', b"]}", b"]}}", b'{"a":1}', b'{"b":"x\\"}]"}', b"{}", b'{"list":[{}]}', b"{", b"}",
    b"[", b"]", b",", b",\n", b"\n", b"\r\n", b" \t", b'"', b"\\", b'\\"', b"\\\\", b"word", b'"text"', b"\xef\xbb\xbf",
    b"\x0b", b'{"k":[[{}],{"]":"}"}]}', b'"tail":1', b"null", b"\xff\0", b'{"a":"' + b"y" * 40 + b'"}',
]  # fmt: skip
soups = st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join)
usual = st.lists(st.sampled_from([b'{"a":1}', b'{"b":"x\\"}]"}', b"{}", b'{"k":[[{}]]}']), max_size=12)
begins = st.sampled_from([b'{"list":[', b'{"head":1,"list":[\n', b'{"d":{"items":[\n', b"["])
between = st.sampled_from([b",", b",\n", b" ,\r\n"])
ends = st.sampled_from([b"]}", b"\n]}\n", b"]}}", b"]", b""])
framed = st.tuples(begins, usual, between, ends).map(lambda parts: parts[0] + parts[2].join(parts[1]) + parts[3])
texts = st.lists(soups | framed, max_size=4).map(b"".join)

Cut = Callable[..., Iterator[Batch]]


def taken(batches: Iterator[Batch]) -> tuple[list[Any], Any]:
    """Record, offset, number, head, true length, whether it was cut; and the damage behind them."""
    found: list[Any] = []
    try:
        for batch in batches:
            assert batch.first == len(found)
            last = len(batch) - 1
            for index, (raw, at) in enumerate(zip(batch.records, batch.offsets.tolist(), strict=True)):
                open_end = batch.open_end and index == last
                found.append((raw, at, batch.number(index), batch.head, batch.lengths.get(index), open_end))
    except InputError as why:
        return found, (why.code, why.values)
    return found, None


def blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("cut", [elements, rows], ids=["elements", "rows"])
@settings(max_examples=1200, deadline=None)
@given(texts, st.sampled_from(BUILDS), st.integers(1, 90), st.integers(1, 60))
@example(b'{"list":[{"q\\"":1}]}', BUILDS[0], 1, 1)
def test_cut_in_c_as_in_python(cut: Cut, data: bytes, build: Documents, size: int, step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "STEP", step)
        patch.setattr(limits, "RECORD_LIMIT", 60)
        patch.setattr(limits, "KEPT", 10)
        patch.setattr(layout, "RECORD_LIMIT", 60)
        ways = [taken(cut(blocks(data, min(size, 60)), build, "in", compiled=compiled)) for compiled in (False, True)]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("cut", [elements, rows], ids=["elements", "rows"])
@settings(max_examples=120, deadline=None)
@given(texts, st.sampled_from(BUILDS), st.integers(1, 60))
def test_it_makes_no_difference_where_blocks_end(
    cut: Cut, compiled: bool, data: bytes, build: Documents, step: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "STEP", step)
        whole = taken(cut(iter([data]), build, "in", compiled=compiled))
        for place in range(1, len(data)):
            parted = taken(cut(iter([data[:place], data[place:]]), build, "in", compiled=compiled))
            assert whole == parted, f"parted at {place}"


MARKS = [
    b"a", b"bc", b",", b"|", b'"', b"'", b'""', b"\\", b'\\"', b"\\\\", b"\n", b"\r\n", b"\\\n", b"\r", b"\xef\xbb\xbf",
    b"\\N", b'"x,\ny"', b"\xe4\xbd\xa0",
]  # fmt: skip
grids = st.lists(st.sampled_from(MARKS), max_size=40).map(b"".join)
SIGNS = st.sampled_from(
    [(",", '"', ""), (",", '"', "\\"), ("|", "'", ""), ("\t", "", "\\"), (",", '"', '"'), (",", "", "")]
)


@settings(max_examples=1500, deadline=None)
@given(grids, SIGNS, st.integers(1, 60), st.booleans(), st.sampled_from(["utf-8", "gb18030"]))
def test_rows_of_tables_are_cut_the_same(
    data: bytes, signs: tuple[str, str, str], size: int, header: bool, encoding: str
) -> None:
    build = Tables(None, None, *signs, encoding, header)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "RECORD_LIMIT", 60)
        patch.setattr(tables, "KEPT", 10)
        ways = [taken(tables.rows(blocks(data, min(size, 60)), build, compiled=compiled)) for compiled in (False, True)]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("size", [7, 300, 1 << 18])
def test_golden_inputs_are_cut_the_same(size: int) -> None:
    """Every file of fixtures that is read as a document."""
    found = 0
    for case in cases():
        asked = case.asked()
        vendor = find(case.vendor, asked["map"].read_text() if "map" in asked else None)
        for path in case.inputs():
            data = path.read_bytes()
            if not vendor.documents or not documents.begins_with_array(data[: 1 << 18], vendor.documents):
                continue
            ways = [
                [
                    (raw, batch.head, batch.number(index), int(batch.offsets[index]))
                    for batch in read(data, vendor.documents, size, compiled=compiled)
                    for index, raw in enumerate(batch.records)
                ]
                for compiled in (False, True)
            ]
            assert ways[0] == ways[1], case.id
            found += 1
    assert found > 20


def read(data: bytes, build: Documents, size: int, *, compiled: bool) -> Iterator[Batch]:
    try:
        yield from pieces._whole(blocks(data, size), build, "in", None, compiled=compiled)
    except InputError:
        return


@pytest.mark.parametrize("wrong", [(b"", 1, 0, [], []), (b"", -1, 0, [], []), ("", 0, 0, [], []), (b"", 0, 0, (), []),
                                   (b"", 0, 0, []), (b"", 0.5, 0, [], []), (b"", 0, 1 << 70, [], [])])  # fmt: skip
@pytest.mark.parametrize("name", ["cut_elements", "cut_rows"])
def test_wrong_arguments_are_told(name: str, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        getattr(native, name)(*wrong)


def test_wrong_arguments_of_follow_are_told() -> None:
    for wrong in ((b"", 1, 1, 1, False, False), ("", 0, 1, 1, False, False), (b"", 0)):
        with pytest.raises((TypeError, ValueError)):
            native.follow(*wrong)  # type: ignore[arg-type]
