"""People: pages are cut without loss, documents are split at their ends, and damage costs only what is damaged."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from golden import FIXTURES
from hypothesis import given
from hypothesis import strategies as st
from mutants import SNIPPETS
from support.small_jobs import CLOCK, LATEST
from support.worlds import SOURCES, world

from imconvert.cli.progress import Silent
from imconvert.convert.options import Options
from imconvert.convert.run import Outcome, convert
from imconvert.errors import InputError, Rejected
from imconvert.model import Notes
from imconvert.sources import whole
from imconvert.vendors import ALL, settings
from imconvert.vendors.people import pages
from imconvert.vendors.people.finish import called

VENDORS = {vendor.name: vendor for vendor in ALL}
SETTINGS = {name: setting.default for name, setting in settings("auto", "users").items()}
KEY = b"k" * 32


def answers(name: str) -> list[bytes]:
    """All answers of a vendor's golden cases, as documents of a line each."""
    files = sorted((FIXTURES / "people" / name).glob("*/in/*"))
    texts = [raw for file in files for raw in naive_documents(file.read_text(encoding="utf-8"))]
    return [json.dumps(value, ensure_ascii=False).encode() for value in texts]


def naive_documents(text: str) -> list[Any]:
    """The documents one after the other in a text, up to what is none."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while True:
        while place < len(text) and text[place] in " \r\n\t":
            place += 1
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError:
            return found
        found.append(value)


ANSWERS = {name: answers(name) for name in ("easemob", "rongcloud", "tencent", "yunxin")}


def said_by(vendor: str, raw: bytes) -> tuple[list[Any], list[str]]:
    """The nouns that reading a record gives, and the code that rejects it."""
    people = VENDORS[vendor].people
    assert people
    read = people.reader(SETTINGS, Notes(), LATEST)
    try:
        found = read(raw)
    except Rejected as why:
        return [], [why.code]
    return (list(found), []) if isinstance(found, tuple) else ([], [])


def read_apart(vendor: str, raw: bytes) -> tuple[list[Any], list[str]]:
    people = VENDORS[vendor].people
    assert people and people.unfold
    nouns: list[Any] = []
    codes: list[str] = []
    for begin, piece in people.unfold(raw) or [(0, raw)]:
        assert 0 <= begin < len(raw)
        again = people.unfold(piece) or [(0, piece)]
        assert [json.loads(piece)] == [json.loads(one) for _, one in again], "a piece is cut again"
        found, refused = said_by(vendor, piece)
        nouns += found
        codes += refused
    return nouns, codes


@pytest.mark.parametrize("vendor", sorted(ANSWERS))
def test_cutting_a_page_loses_nothing(vendor: str) -> None:
    assert len(ANSWERS[vendor]) > 8
    for raw in ANSWERS[vendor]:
        nouns, codes = said_by(vendor, raw)
        apart, refused = read_apart(vendor, raw)
        assert bool(codes) == bool(refused)
        if not codes:
            assert sorted(map(repr, nouns)) == sorted(map(repr, apart))


@pytest.mark.parametrize("vendor", sorted(ANSWERS))
def test_every_answer_that_is_known_has_a_golden(vendor: str) -> None:
    shelf = import_module(f"imconvert.vendors.{vendor}.lists").shelf(SETTINGS, Notes(), LATEST)
    finder = pages.Finder(shelf)
    seen = [found.page for raw in ANSWERS[vendor] if (found := finder.found(json.loads(raw)))]
    assert [] == [page.name for page in shelf.pages if not any(page is one for one in seen)]


@pytest.mark.parametrize("vendor", sorted(SOURCES))
def test_cutting_pages_of_a_world_loses_nothing(vendor: str, tmp_path: Path) -> None:
    for file in SOURCES[vendor](world(9), tmp_path / "in").iterdir():
        for value in naive_documents(file.read_text(encoding="utf-8")):
            raw = json.dumps(value, ensure_ascii=False).encode()
            assert sorted(map(repr, said_by(vendor, raw)[0])) == sorted(map(repr, read_apart(vendor, raw)[0]))


@pytest.mark.parametrize("vendor", sorted(ANSWERS))
@given(data=st.data())
def test_damaged_answers_are_read_or_rejected(vendor: str, data: st.DataObject) -> None:
    """Nothing but Rejected comes out, whatever was done to a page, cut or whole."""
    raw = data.draw(st.sampled_from(ANSWERS[vendor]))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        stop = data.draw(st.integers(start, min(len(raw), start + 12)))
        raw = raw[:start] + data.draw(st.sampled_from(SNIPPETS)) + raw[stop:]
    said_by(vendor, raw)
    people = VENDORS[vendor].people
    assert people and people.unfold
    for _, piece in people.unfold(raw) or ():
        said_by(vendor, piece)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("vendor", sorted(ANSWERS))
@given(data=st.data())
def test_answers_with_other_values_are_read_or_rejected(vendor: str, data: st.DataObject) -> None:
    """Any value of a page may be anything."""
    top = json.loads(data.draw(st.sampled_from(ANSWERS[vendor])))
    spots = list(spots_in(top))
    holder, key = data.draw(st.sampled_from(spots))
    holder[key] = data.draw(VALUES)
    raw = json.dumps(top).encode()
    said_by(vendor, raw)
    read_apart(vendor, raw)


def spots_in(value: Any) -> Any:
    """Everything that can be replaced in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from spots_in(inner)


# --- whole documents ------------------------------------------------------------------------------------

OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), min_size=1, max_size=5)
BETWEEN = st.sampled_from(["", "\n", " \r\n\t", "\n\n"])


def split(text: bytes, size: int) -> tuple[list[bytes], list[int], InputError | None]:
    blocks = iter([text[start : start + size] for start in range(0, len(text), size)])
    records: list[bytes] = []
    offsets: list[int] = []
    try:
        for batch in whole.documents(blocks, "x"):
            assert batch.first == len(records)
            records += batch.records
            offsets += batch.offsets.tolist()
    except InputError as why:
        return records, offsets, why
    return records, offsets, None


@given(OBJECTS, st.data(), st.integers(1, 40), st.booleans(), st.booleans())
def test_documents_are_split_where_they_end(
    values: list[Any], data: st.DataObject, size: int, as_array: bool, indented: bool
) -> None:
    texts = [json.dumps(value, indent=2 if indented else None, ensure_ascii=False) for value in values]
    if as_array:
        text = "[" + ",".join(data.draw(BETWEEN) + one + data.draw(BETWEEN) for one in texts) + "]"
    else:
        text = "".join(one + data.draw(BETWEEN) for one in texts)
    raw = text.encode()
    records, offsets, damage = split(raw, size)
    assert [one.encode() for one in texts] == records
    assert damage is None
    assert all(raw[at : at + len(one)] == one for at, one in zip(offsets, records, strict=True))


@given(OBJECTS, st.data(), st.integers(1, 40))
def test_a_cut_document_is_told_and_costs_no_other(values: list[Any], data: st.DataObject, size: int) -> None:
    texts = [json.dumps(value, indent=1).encode() for value in values]
    raw = b"\n".join([*texts[:-1], texts[-1][: data.draw(st.integers(1, len(texts[-1]) - 1))]])
    records, _, damage = split(raw, size)
    assert texts[:-1] == records[: len(texts) - 1]
    assert damage and damage.code == "IMC-4013"


@pytest.mark.parametrize(("head", "spread"), [
    (b'{"a":1}\n{"b":2}\n', False), (b'{\n "a": 1\n}\n', True), (b'[{"a":1},{"b":2}]', True), (b'{"a":1}', False),
    (b"", False), (b"user,1\n", False), (b'{"cut":"by a reject\n{"a":1}\n{"b":2}\n', False),
    (b'\xef\xbb\xbf{\n"a":1}', True), (b'{"a":\n[1]}\n', True),
])  # fmt: skip
def test_documents_are_told_from_lines(head: bytes, spread: bool) -> None:
    assert spread == whole.is_spread(head)


# --- runs -----------------------------------------------------------------------------------------------


def run(inputs: Path | list[Path], output: Path, target: str, **more: Any) -> Outcome:
    paths = inputs if isinstance(inputs, list) else [inputs]
    options = Options(**{
        "inputs": tuple(map(str, paths)), "output": output, "target": target, "latest": LATEST, "key": KEY, **more,
    })  # fmt: skip
    return convert(options, Silent(), CLOCK, {})


def test_a_page_is_counted_item_by_item_with_its_place(tmp_path: Path) -> None:
    page = {
        "uri": "https://a/o/a/user/me/contacts",
        "data": {"contacts": [{"username": "a"}, {"x": 1}, {"username": "b"}]},
    }
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    files[0].write_text(json.dumps(page))
    files[1].write_text("\n" + json.dumps(page, indent=1))
    found = run(files, tmp_path / "out", "tencent/friends", source="easemob").manifest
    assert (6, 2, 2, 2) == (found.totals.read, found.totals.written, found.totals.duplicates, found.totals.rejected)
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.ndjson").read_bytes().splitlines()]
    assert [("a.json", 2), ("b.json", 2)] == [(one["file"], one["line"]) for one in rejects]
    texts = [file.read_text()[one["offset"] :] for file, one in zip(files, rejects, strict=True)]
    assert [{"x": 1}, {"x": 1}] == [json.JSONDecoder().raw_decode(text)[0] for text in texts]


def test_corrected_rejects_come_in(tmp_path: Path) -> None:
    file = tmp_path / "in.ndjson"
    request = {"request": {"accid": "u1"}, "response": {"code": 200, "friends": [{"faccid": ""}, {"faccid": "u3"}]}}
    file.write_text(json.dumps(request))
    run(file, tmp_path / "out", "tencent/friends", source="yunxin")
    rejects = tmp_path / "out" / "rejects.ndjson"
    corrected = tmp_path / "corrected.ndjson"
    corrected.write_text(rejects.read_text().replace('\\"faccid\\": \\"\\"', '\\"faccid\\":\\"u2\\"'))
    found = run(corrected, tmp_path / "more", "tencent/friends", source="yunxin").manifest
    assert (1, 1, 0) == (found.totals.read, found.totals.written, found.totals.rejected)
    assert '"From_Account":"u1"' in (tmp_path / "more" / "friends-00001.ndjson").read_text()


def test_people_are_named_after_their_files_in_rejects_too(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "u1.json").write_text('{"data":{"contacts":[{"username":""}]}}')
    chosen = {"source": "easemob", "settings": {"people.file_names": "owner"}}
    run(tmp_path / "in", tmp_path / "out", "tencent/friends", **chosen)
    rejects = tmp_path / "out" / "rejects.ndjson"
    rejects.write_text(rejects.read_text().replace('\\"username\\":\\"\\"', '\\"username\\":\\"u2\\"'))
    found = run(rejects, tmp_path / "more", "tencent/friends", source="easemob").manifest
    assert 1 == found.totals.written
    assert '"From_Account":"u1"' in (tmp_path / "more" / "friends-00001.ndjson").read_text()


def test_names_that_pushes_show_stand_in_for_missing_ones() -> None:
    assert {"name": "a", "id": 1} == called({"id": 1, "push_name": "a"}, "name")
    assert {"name": "b", "id": 1} == called({"id": 1, "push_name": "a", "name": "b"}, "name")


def test_requests_in_every_form_tell_the_owner() -> None:
    forms: list[Any] = [{"accid": "u1"}, "accid=u1&updatetime=0", "https://x/friend/get.action?accid=u1"]
    for form in forms:
        raw = json.dumps({"request": form, "response": {"code": 200, "friends": [{"faccid": "u2"}]}}).encode()
        nouns, _ = said_by("yunxin", raw)
        assert [("u1", "u2")] == [(noun.owner, noun.friend) for noun in nouns]


@pytest.mark.parametrize("address", ["https://a1[].com/o/a/user/u1/contacts", "http://[::1", "//[x]/user/u1/contacts"])
def test_what_is_no_address_tells_nothing(address: str) -> None:
    items = {"contacts": [{"username": "u2"}, {"username": "u3"}]}
    for top in ({"uri": address, "data": items}, {"request": address, "response": {"data": items}}):
        raw = json.dumps(top).encode()
        assert said_by("easemob", raw) == ([], ["IMC-2601"])
        assert read_apart("easemob", raw) == ([], ["IMC-2601"] * 2)


def test_pages_that_nobody_knows_stay_whole() -> None:
    people = VENDORS["easemob"].people
    assert people and people.unfold
    assert people.unfold(b'{"what":[1,2,3]}') is None
    assert pages.at({"a": {"b": 1}}, "a.b") == 1
    assert pages.at({"a": 1}, "a.b") is None
