"""Documents that are laid out in lines: each element comes out once, and a broken line costs itself."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert import native
from imconvert.errors import InputError
from imconvert.sources import records as limits
from imconvert.sources.documents import BOM, elements
from imconvert.sources.layout import laid_out, rows
from imconvert.sources.records import HEAD_KEPT, Batch
from imconvert.vendors.contract import Documents

LIST = Documents(("MsgList", "RspMsgList"), by_line=True, reader=lambda *_: lambda raw: raw)  # type: ignore[arg-type, return-value]
NO_HEADS = Documents(("MsgList",), by_line=True)

texts = st.text('a]}{[,:"\\ é', max_size=12)
items = st.dictionaries(st.sampled_from(["MsgList", "k", "]}", "{"]), texts | st.integers(-9, 99), max_size=3)
heads = st.dictionaries(st.sampled_from(["a", "b", "ChatType"]), texts, max_size=2)
documents = st.tuples(heads, st.lists(items, max_size=6), st.sampled_from(["MsgList", "RspMsgList"]))
ends = st.sampled_from(["]},\n", "]}\n", "]}", '],\n"x":1}\n', " ]}\r\n"])
Element = tuple[bytes, int, bytes, int]


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def laid(head: dict[str, Any], found: list[Any], array: str = "MsgList", end: str = "]}\n") -> bytes:
    """A document as the vendor writes it; elements that are texts stand there as they are."""
    lines = [element if isinstance(element, str) else compact(element) for element in found]
    body = ",\n".join(lines) + "\n" if lines else ""
    return f"{compact({**head, array: []})[:-2]}\n{body}{end}".encode()


def blocks_of(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def taken(batches: Iterator[Batch]) -> tuple[list[Element], InputError | None]:
    """All (record, offset, head, number from 0), and the damage behind them."""
    found: list[Element] = []
    try:
        for batch in batches:
            assert batch.first == len(found)
            for index, (raw, at) in enumerate(zip(batch.records, batch.offsets.tolist(), strict=True)):
                found.append((raw, at, batch.head, batch.number(index)))
    except InputError as why:
        return found, why
    return found, None


def read(data: bytes, size: int = 1 << 18, how: Documents = LIST) -> tuple[list[Element], InputError | None]:
    return taken(rows(blocks_of(data, size), how, "in"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(documents, ends), min_size=1, max_size=4), st.integers(1, 300))
def test_elements_are_those_that_json_finds(found: list[Any], size: int) -> None:
    data = b""
    expected: list[tuple[Any, dict[str, Any]]] = []
    for (head, array, name), end in found:
        data += laid(head, array, name, end) + b"\n"
        expected += [(element, head) for element in array]
    elements_found, damage = read(data, size)
    assert damage is None
    assert [element for element, _ in expected] == [json.loads(raw) for raw, _, _, _ in elements_found]
    assert all(data[at : at + len(raw)] == raw for raw, at, _, _ in elements_found)
    assert [number for _, _, _, number in elements_found] == [data[:at].count(b"\n") for _, at, _, _ in elements_found]
    for (_, head), (_, _, text, _) in zip(expected, elements_found, strict=True):
        whole = json.loads(text + b"]}")
        assert {**head, **{name: [] for name in LIST.arrays if name in whole}} == whole


@settings(max_examples=60, deadline=None)
@given(documents, st.integers(1, 60))
def test_a_cut_document_keeps_its_complete_elements(found: Any, size: int) -> None:
    """Truncated at every byte behind its head: the complete elements come out, at most the cut one follows them."""
    head, array, name = found
    data = laid(head, array, name)
    whole, _ = read(data)
    for cut in range(data.index(b"[\n") + 2, data.rindex(b"}")):
        elements_found, damage = read(data[:cut], size)
        complete = [element for element in whole if element[1] + len(element[0]) <= cut]
        assert complete == elements_found[: len(complete)], f"cut at {cut}"
        assert len(elements_found) <= len(complete) + 1
        assert damage is not None and damage.code == "IMC-4013", f"cut at {cut}"


@given(documents, st.integers(1, 60))
def test_both_ways_of_reading_agree(found: Any, size: int) -> None:
    head, array, name = found
    data = laid(head, array, name)
    by_line, _ = read(data, size)
    by_structure, damage = taken(elements(blocks_of(data, size), LIST, "in"))
    assert damage is None
    assert [element[:3] for element in by_structure] == [element[:3] for element in by_line]


BROKEN = [
    b'{"a":"half',
    b'{"a":"an " unescaped quote"}',
    b"}",
    b"]",
    b"garbage",
    b'{"a":[}',
    b'"text"',
    b"17",
    b"\xff\xfe",
    b"{",
    b"[",
    b"]]}",
    b'],{"a":1}',
]


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("size", [1, 7, 1 << 18])
def test_a_broken_line_costs_itself(broken: bytes, size: int) -> None:
    good = [compact({"n": number}) for number in range(4)]
    data = laid({}, [good[0], "BROKEN", *good[1:]]).replace(b"BROKEN", broken)
    found = [raw for raw, _, _, _ in read(data, size)[0]]
    assert [text.encode() for text in good] == [raw for raw in found if raw.startswith(b'{"n"')]
    assert any(broken in raw for raw in found)


in_c = pytest.mark.skipif(not native.BUILT, reason="the part in C isn't built here")
NEIGHBOURS = ["{}", "\ufeff{}", "{}  \t", "{}\r", "\t {} ", " \ufeff{}"]


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=in_c)])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_line_leaves_its_neighbours_alone(broken: bytes, compiled: bool) -> None:
    """However these are framed: by a byte order mark, by blanks in front of the comma."""
    for before, behind in product(NEIGHBOURS, NEIGHBOURS):
        data = laid({}, ['{"n":0}', before.format('{"n":1}'), "BROKEN", behind.format('{"n":2}'), '{"n":3}'])
        lines, _ = taken(rows(iter([data.replace(b"BROKEN", broken)]), LIST, "in", compiled=compiled))
        found = [raw.removeprefix(BOM) for raw, _, _, _ in lines]
        good = [b'{"n":0}', b'{"n":1}', b'{"n":2}', b'{"n":3}']
        assert good == [raw for raw in found if raw.startswith(b'{"n"')], (before, behind)


def test_a_line_feed_inside_of_a_text_breaks_no_record() -> None:
    data = laid({}, ['{"a":"one\ntwo"}', '{"b":2}'])
    assert [b'{"a":"one\ntwo"}', b'{"b":2}'] == [raw for raw, _, _, _ in read(data, 5)[0]]


def test_an_end_glued_to_the_last_element_is_an_end() -> None:
    data = laid({}, [{"a": [1]}, {"b": [{"c": 2}]}]).replace(b"\n]}\n", b"]}")
    found, damage = read(data, 9)
    assert ([b'{"a":[1]}', b'{"b":[{"c":2}]}'], None) == ([raw for raw, _, _, _ in found], damage)


def test_a_document_without_an_end_does_not_swallow_the_next() -> None:
    data = laid({"h": "1"}, [{"a": 1}], end="") + laid({"h": "2"}, [{"b": 2}])
    found, damage = read(data)
    assert [(b'{"a":1}', b'{"h":"1","MsgList":['), (b'{"b":2}', b'{"h":"2","MsgList":[')] == [
        (raw, head) for raw, _, head, _ in found
    ]
    assert damage is not None and damage.code == "IMC-4013"


def test_a_document_on_one_line_among_others() -> None:
    data = laid({"h": "1"}, [{"a": 1}]) + compact({"h": "2", "MsgList": [{"b": 2}, {"c": 3}]}).encode() + b"\n"
    found, damage = read(data)
    assert damage is None
    assert [(b'{"a":1}', 1), (b'{"b":2}', 3), (b'{"c":3}', 3)] == [(raw, number) for raw, _, _, number in found]
    assert [data.index(raw) for raw, _, _, _ in found] == [at for _, at, _, _ in found]


def test_what_stands_outside_comes_out_too() -> None:
    data = b"before\n" + laid({"h": "1"}, [{"a": 1}]) + b"between\n" + laid({}, []) + b'{"alone":1}\n'
    found = [(raw, head) for raw, _, head, _ in read(data)[0]]
    assert found == [(b"before", b""), (b'{"a":1}', b'{"h":"1","MsgList":['), (b"between", b""), (b'{"alone":1}', b"")]


@pytest.mark.parametrize(("length", "kept"), [(HEAD_KEPT - 40, True), (HEAD_KEPT + 1, False)])
@pytest.mark.parametrize("how", [rows, elements])
def test_a_head_beyond_the_limit_is_not_kept(how: Any, length: int, kept: bool) -> None:
    data = laid({"h": "x" * length}, [{"a": 1}])
    ((_, _, head, _),), _ = taken(how(blocks_of(data, 1000), LIST, "in"))
    assert kept == bool(head)


@pytest.mark.parametrize("how", [rows, elements])
def test_a_head_that_is_no_text_is_not_kept(how: Any) -> None:
    data = laid({"h": "HERE"}, [{"a": 1}]).replace(b"HERE", b"\xff")
    ((_, _, head, _),), _ = taken(how(iter([data]), LIST, "in"))
    assert head == b""


@pytest.mark.parametrize("how", [rows, elements])
def test_who_does_not_ask_for_heads_gets_none(how: Any) -> None:
    ((_, _, head, _),), _ = taken(how(iter([laid({"h": "1"}, [{"a": 1}])]), NO_HEADS, "in"))
    assert head == b""


def test_a_record_beyond_the_limit_is_cut_and_the_next_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECORD_LIMIT", 100)
    monkeypatch.setattr(limits, "KEPT", 10)
    monkeypatch.setattr("imconvert.sources.layout.RECORD_LIMIT", 100)
    data = laid({}, [{"a": "x" * 200}, {"b": 2}, '{"c":"' + "y\n" * 100 + '"}', {"d": 4}])
    batches = list(rows(blocks_of(data, 64), LIST, "in"))
    found = [(raw, batch.lengths.get(index, 0)) for batch in batches for index, raw in enumerate(batch.records)]
    assert [(b'{"a":"xxxx', 209), (b'{"b":2}', 0), (b'{"c":"y\ny\n', 209), (b'{"d":4}', 0)] == found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (laid({"x": "1"}, [{"a": 1}]), True),
        (laid({"x": "1"}, []), True),
        (b"\xef\xbb\xbf\n" + laid({"x": "1"}, [{"a": 1}]), True),
        (laid({"x": "1"}, ["broken", "{half", {"a": 1}]), True),
        (json.dumps({"x": 1, "MsgList": [{"a": 1}]}).encode(), False),
        (json.dumps({"x": 1, "MsgList": [{"a": 1}]}, indent=0).encode(), False),
        (b'{"MsgList":[\n{\n"a":1\n}\n]}\n', False),
        (b'{"MsgList":[\n', True),
        (b"", False),
    ],
)
def test_the_layout_is_told_by_the_head(data: bytes, expected: bool) -> None:
    assert expected == laid_out(data, LIST)


def test_memory_does_not_grow_with_the_document() -> None:
    line = compact({"text": "x" * 400}).encode() + b",\n"

    def blocks() -> Iterator[bytes]:
        yield b'{"MsgList":[\n'
        for _ in range(300):
            yield line * 200
        yield b"{}\n]}\n"

    tracemalloc.start()
    count = sum(len(batch.records) for batch in rows(blocks(), LIST, "in"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 300 * 200 + 1
    assert peak < 4 << 20
