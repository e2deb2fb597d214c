"""Tables: rows with their places, whatever stands in them, however the input comes in blocks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert.errors import InputError, Rejected
from imconvert.sources import tables
from imconvert.sources.records import KEPT, RECORD_LIMIT, Batch
from imconvert.vendors.contract import Tables
from imconvert.vendors.custom.rows import splitter
from imconvert.vendors.custom.spec import Input

Row = tuple[int, int, bytes]


def build(source: Input) -> Tables:
    marks = source.delimiter, source.quote, source.escape, source.encoding
    return Tables(lambda *_: None, lambda *_: None, *marks, source.header)  # type: ignore[arg-type, return-value]


def cut(data: bytes, source: Input, step: int) -> list[Batch]:
    blocks = (data[place : place + step] for place in range(0, len(data), step))
    return list(tables.rows(blocks, build(source)))


def rows_of(data: bytes, source: Input, step: int = 1 << 18) -> list[Row]:
    """Offset, line from 0 and bytes of each row."""
    return [
        (int(batch.offsets[index]), batch.number(index), row)
        for batch in cut(data, source, step)
        for index, row in enumerate(batch.records)
    ]


PLAIN = Input("csv")
MYSQL = Input("csv", quote='"', escape="\\", null=("\\N",))
DUMP = Input("csv", delimiter="\t", quote="", escape="\\", null=("\\N",))
CHINESE = Input("csv", delimiter="|", quote="'", escape="\\", encoding="gb18030")

BROKEN: list[tuple[str, bytes, list[Row]]] = [
    ("a line end in quotes", b'a,b\n1,"x\ny"\n2,z\n', [(0, 0, b"a,b"), (4, 1, b'1,"x\ny"'), (12, 3, b"2,z")]),
    ("doubled quotes", b'1,"a ""b""\n"\n2,""\n', [(0, 0, b'1,"a ""b""\n"'), (13, 2, b'2,""')]),
    ("a quote within a value", b'1,5" disk\n2,x\n', [(0, 0, b'1,5" disk'), (10, 1, b"2,x")]),
    ("a quote that never ends", b'1,"abc\n2,def\n3', [(0, 0, b'1,"abc'), (7, 1, b"2,def"), (13, 2, b"3")]),
    (
        "a quote that ends in another row",
        b'1,"abc\n2,"x",y\n3,"ok\nok"\n',
        [(0, 0, b'1,"abc'), (7, 1, b'2,"x",y'), (15, 2, b'3,"ok\nok"')],
    ),
    ("text behind a quote", b'1,"a"b\n2,c\n', [(0, 0, b'1,"a"b'), (7, 1, b"2,c")]),
    ("blank lines", b"\n\n1,2\n\n", [(0, 0, b""), (1, 1, b""), (2, 2, b"1,2"), (6, 3, b"")]),
    ("CRLF", b'1,"a\r\nb"\r\n2,c\r\n', [(0, 0, b'1,"a\r\nb"\r'), (10, 2, b"2,c\r")]),
    ("a byte order mark", b'\xef\xbb\xbf1,"a\nb"\n2', [(3, 0, b'1,"a\nb"'), (11, 2, b"2")]),
    ("no line end at the end", b'1,"a\nb"', [(0, 0, b'1,"a\nb"')]),
    ("nothing", b"", []),
]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(("name", "data", "expected"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_rows_have_their_places(name: str, data: bytes, expected: list[Row], step: int) -> None:
    assert expected == rows_of(data, PLAIN, step)


def test_a_second_byte_that_looks_like_a_sign_is_none() -> None:
    """In GB18030 the second byte of 乗 is a backslash and that of 亅 a bar."""
    text = "1|'乗\n'|亅|乗\n2|x||\n"
    assert {0x5C, 0x7C} <= set("乗亅".encode("gb18030"))
    rows = rows_of(text.encode("gb18030"), CHINESE, 1)
    assert ["1|'乗\n'|亅|乗", "2|x||"] == [row.decode("gb18030") for _, _, row in rows]


VALUES = st.text(st.sampled_from("ab ,;\t|\"'\\N\n\r乗亅0é"), max_size=8) | st.text(
    st.characters(codec="utf-8"), max_size=6
)
TABLE = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1))


@given(table=TABLE, delimiter=st.sampled_from(",;\t|"), step=st.integers(1, 40), quoting=st.sampled_from([0, 1]))
@settings(max_examples=400, deadline=None)
def test_what_a_csv_writer_writes_is_read(table: list[list[str]], delimiter: str, step: int, quoting: int) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(table)
    source = Input("csv", delimiter=delimiter)
    data = out.getvalue().encode("utf-8")
    if data.startswith(b"\xef\xbb\xbf"):
        return
    split = splitter(source)
    assert table == [split(row.decode()) for _, _, row in rows_of(data, source, step)]


def outfile(table: list[list[str | None]], source: Input) -> str:
    """As MySQL's SELECT INTO OUTFILE writes it: its manual's rules, in other words than the reader's."""
    return "".join(source.delimiter.join(_written(value, source) for value in row) + "\n" for row in table)


def _written(value: str | None, source: Input) -> str:
    if value is None:
        return "\\N"
    special = {source.escape, source.quote or source.delimiter, "\n"} | ({source.delimiter} - {source.quote})
    found = "".join("\\0" if c == "\0" else "\\" + c if c in special else c for c in value)
    return f"{source.quote}{found}{source.quote}"


NULLS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.none() | VALUES, min_size=width, max_size=width), min_size=1)
)


@given(table=NULLS, source=st.sampled_from([MYSQL, DUMP]), step=st.integers(1, 40))
@settings(max_examples=400, deadline=None)
def test_what_mysql_writes_is_read(table: list[list[str | None]], source: Input, step: int) -> None:
    data = outfile(table, source).encode("utf-8")
    if data.startswith(b"\xef\xbb\xbf"):
        return
    split = splitter(source)
    assert table == [split(row.decode()) for _, _, row in rows_of(data, source, step)]


SIGNS = st.lists(st.sampled_from([b'"', b"'", b",", b"\n", b"\r", b"\\", b"|", b"a", b"\x81", b"\xff", b"\t", b'""']))


@given(parts=SIGNS, source=st.sampled_from([PLAIN, MYSQL, DUMP, CHINESE]), step=st.integers(1, 9))
@settings(max_examples=1500, deadline=None)
def test_no_byte_is_lost_and_blocks_do_not_matter(parts: list[bytes], source: Input, step: int) -> None:
    data = b"".join(parts)
    rows = rows_of(data, source, step)
    assert rows_of(data, source) == rows
    joined = b"\n".join(row for _, _, row in rows)
    assert data in (joined, joined + b"\n")
    assert [row for _, _, row in rows] == [data[offset : offset + len(row)] for offset, _, row in rows]
    assert [data.count(b"\n", 0, offset) for offset, _, _ in rows] == [line for _, line, _ in rows]


@given(parts=SIGNS, source=st.sampled_from([PLAIN, MYSQL, DUMP, CHINESE]))
@settings(max_examples=500, deadline=None)
def test_splitting_gives_values_or_a_reject(parts: list[bytes], source: Input) -> None:
    split = splitter(source)
    for _, _, row in rows_of(b"".join(parts), source):
        try:
            values = split(row.decode(source.encoding, "replace"))
        except Rejected as why:
            assert "IMC-2443" == why.code
        else:
            assert values


def blocks(*sizes: tuple[bytes, int]) -> Iterator[bytes]:
    for unit, count in sizes:
        for _ in range(count):
            yield unit


MIB = b"x" * (1 << 20)


def test_a_row_beyond_the_limit_is_kept_in_part() -> None:
    found = list(tables.rows(blocks((b"1,2\n", 1), (MIB, 17), (b"\n3,4\n", 1)), build(PLAIN)))
    records = [row for batch in found for row in batch.records]
    lengths = [length for batch in found for length in batch.lengths.values()]
    assert [b"1,2", MIB[:KEPT], b"3,4"] == records
    assert [17 << 20] == lengths
    assert [0, 4, 5 + (17 << 20)] == [int(place) for batch in found for place in batch.offsets]


def test_a_quote_without_end_costs_no_more_than_the_limit() -> None:
    line = b"y" * 1023 + b"\n"
    count = 2 * RECORD_LIMIT // 1024
    found = list(tables.rows(blocks((b'1,"open\n', 1), (line * 64, count // 64), (b'2,"a\nb"\n', 1)), build(PLAIN)))
    records = [row for batch in found for row in batch.records]
    assert [b'1,"open', b'2,"a\nb"', count + 2] == [records[0], records[-1], len(records)]


def test_damage_comes_behind_the_rows_before_it() -> None:
    def damaged() -> Iterator[bytes]:
        yield b'1,"a\nb"\n2,"c'
        raise InputError("IMC-4002", "x", offset=12)

    found = []
    with pytest.raises(InputError):
        for batch in tables.rows(damaged(), build(PLAIN)):
            found += batch.records
    assert [b'1,"a\nb"', b'2,"c'] == found


def test_a_hostile_table_takes_linear_time() -> None:
    """Each of these lines opens a quote that the next one closes and opens again; only the end breaks the rules."""
    data = b'x","\n' * 200_000 + b'"z'
    assert 100_000 < len(rows_of(data, PLAIN))
