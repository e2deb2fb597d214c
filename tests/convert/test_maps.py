"""The user's id maps: what they say is done, what they can't mean is refused at its line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert.convert.map import maps
from imconvert.errors import ImconvertError
from imconvert.vendors.yunxin import rules


def loaded(tmp_path: Path, text: str | bytes, kind: str = "account") -> dict[str, str]:
    path = tmp_path / "map.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    maps._load.cache_clear()
    found = maps.load(path, kind, rules.account if kind == "account" else rules.group)
    assert found.taken == frozenset(found.targets.values())
    return dict(found.targets)


def refused(tmp_path: Path, text: str | bytes, kind: str = "account") -> ImconvertError:
    with pytest.raises(ImconvertError) as caught:
        loaded(tmp_path, text, kind)
    return caught.value


def test_no_map() -> None:
    assert maps.load(None, "account", rules.account) == ({}, frozenset())


READ: dict[str, tuple[str | bytes, dict[str, str]]] = {
    "plain": ("source,target\na,x\nb,y\n", {"a": "x", "b": "y"}),
    "columns": ("no,target,kind,source,more\n1,x,account,a,\n", {"a": "x"}),
    "bom": (b"\xef\xbb\xbfsource,target\na,x\n", {"a": "x"}),
    "crlf": ("source,target\r\na,x\r\n", {"a": "x"}),
    "no-end": ("source,target\na,x", {"a": "x"}),
    "header": ("source,target\n", {}),
    "not-filled-in": ("source,target\na,\nb, \nc\n,x\n\nd,y\n", {"d": "y"}),
    "kind": ("kind,source,target\naccount,a,x\ngroup,b,1\n,c,z\n", {"a": "x", "c": "z"}),
    "twice": ("source,target\na,x\na,x\n", {"a": "x"}),
    "folded": ("source,target\na,Bob\n", {"a": "bob"}),
    "folded-twice": ("source,target\na,Bob\na,bOB\n", {"a": "bob"}),
    "blanks": ("source,target\n a, x \n", {" a": "x"}),
    "quoted": ('source,target\n"a,""b""\nc",x\n', {'a,"b"\nc': "x"}),
    "swapped": ("source,target\na,b\nb,a\n", {"a": "b", "b": "a"}),
    "itself": ("source,target\na,a\n", {"a": "a"}),
    "capitals-in-source": ("source,target\nA,x\na,y\n", {"A": "x", "a": "y"}),
}


@pytest.mark.parametrize("case", READ)
def test_read(tmp_path: Path, case: str) -> None:
    text, expected = READ[case]
    assert expected == loaded(tmp_path, text)


def test_groups_are_picked_by_kind(tmp_path: Path) -> None:
    assert loaded(tmp_path, "kind,source,target\naccount,a,x\ngroup,b,12\n", "group") == {"b": "12"}


REFUSED: dict[str, tuple[str, str, str, str]] = {
    "empty": ("", "IMC-1008", "", "header"),
    "no-target": ("source,to\na,x\n", "IMC-1008", "", "header"),
    "no-source": ("from,target\na,x\n", "IMC-1008", "", "header"),
    "semicolons": ("source;target\na;x\n", "IMC-1008", "", "header"),
    "no-header": ("a,x\nb,y\n", "IMC-1008", "", "header"),
    "two-targets": ("source,target\na,x\nb,y\na,z\n", "IMC-1008", ":4", "'a' has two targets"),
    "not-allowed": ("source,target\na,x\nb,y z\n", "IMC-1008", ":3", "'y z'"),
    "too-long": (f"source,target\na,{'x' * 33}\n", "IMC-1008", ":2", "xxx"),
    "not-ascii": ("source,target\na,钱\n", "IMC-1008", ":2", "钱"),
    "one-target": ("source,target\na,x\nb,x\n", "IMC-1009", ":3", "a and b -> x"),
    "one-folded": ("source,target\na,Bob\nb,bob\n", "IMC-1009", ":3", "a and b -> bob"),
    "open-quote": ('source,target\na,x\n"b,y\nc,z\n', "IMC-1008", ":4", "end of data"),
    "odd-quote": ('source,target\n"b"b,y\n', "IMC-1008", ":2", "expected"),
    "huge-field": (f"source,target\n{'a' * 140_000},x\n", "IMC-1008", ":2", "limit"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    text, code, line, why = REFUSED[case]
    found = refused(tmp_path, text)
    assert (code, 2) == (found.code, found.exit_code)
    assert str(found.place) == f"{tmp_path / 'map.csv'}{line}"
    assert why in found.text()


@pytest.mark.parametrize("target", ["0", "x", "-1", "01", "1.5", str(2**63)])
def test_groups_that_are_no_numbers_are_refused(tmp_path: Path, target: str) -> None:
    assert refused(tmp_path, f"source,target\na,{target}\n", "group").code == "IMC-1008"


def test_other_encodings_and_missing_files(tmp_path: Path) -> None:
    assert refused(tmp_path, "source,target\n你好,x\n".encode("gbk")).code == "IMC-4008"
    with pytest.raises(ImconvertError) as caught:
        maps.load(tmp_path / "none", "account", rules.account)
    assert caught.value.code == "IMC-4001"


# --- the list of missing ids ---

Counts = dict[tuple[str, str], int]
sources = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=8)
counts = st.dictionaries(st.tuples(st.sampled_from(["account", "group"]), sources), st.integers(1, 99), max_size=6)


def merged(folder: Path, parts: list[Counts]) -> tuple[int, str]:
    paths = []
    for number, part in enumerate(parts):
        paths.append(folder / f"{number}.missing")
        rows = [json.dumps([*key, part[key]]) + "\n" for key in sorted(part)]
        paths[-1].write_text("".join(rows), encoding="utf-8")
    number = maps.write_missing(folder / "list.csv", paths)
    return number, (folder / "list.csv").read_bytes().decode()


@settings(max_examples=60, deadline=None)
@given(st.lists(counts, max_size=4))
def test_parts_are_merged_in_order(tmp_path_factory: pytest.TempPathFactory, parts: list[Counts]) -> None:
    expected: Counts = {}
    for part in parts:
        for key, number in part.items():
            expected[key] = expected.get(key, 0) + number
    number, text = merged(tmp_path_factory.mktemp("list"), parts)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["kind", "source", "target", "messages"]
    assert rows[1:] == [[*key, "", str(expected[key])] for key in sorted(expected)]
    assert number == len(expected)


def test_nobody_missing_gives_a_header(tmp_path: Path) -> None:
    assert merged(tmp_path, [{}]) == (0, "kind,source,target,messages\n")


def test_a_part_without_a_list_is_passed_over(tmp_path: Path) -> None:
    assert maps.write_missing(tmp_path / "list.csv", [tmp_path / "none"]) == 0


def test_the_list_reads_back_as_not_filled_in(tmp_path: Path) -> None:
    _, text = merged(tmp_path, [{("account", 'a,"b'): 1, ("group", "g"): 2}])
    assert loaded(tmp_path, text) == {}
    assert loaded(tmp_path, text.replace('"a,""b",,', '"a,""b",x,')) == {'a,"b': "x"}
