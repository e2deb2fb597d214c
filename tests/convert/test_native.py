"""The part in C: a faster way to the same bytes, refusing whatever it isn't sure of.

Strategy: single tokens are drawn around what the scanner allows and forbids and put through a one-field shape; whole
records are compared with the long way in test_shortcut.py; whole conversions with and without the part in C here.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from array import array
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from golden import LATEST
from hypothesis import example, given, settings
from hypothesis import strategies as st
from roads import TARGET
from support.small_jobs import differing, options, run, tree
from xxhash import xxh3_64_digest, xxh3_64_intdigest, xxh3_128_digest, xxh64_digest

from imconvert import native
from imconvert.convert.map.gather import Gathering
from imconvert.convert.map.part import keyed, rows_of
from imconvert.convert.map.segment import ids_of
from imconvert.convert.work import ROW, PieceCounts
from imconvert.sources.records import Batch, line_ends
from imconvert.vendors import compiled, nodes, shapes
from imconvert.vendors.contract import NOT_PLAIN, Book, Columns, Gathered, Line, Plain
from imconvert.vendors.shapes import LineForm, literal, put

needed = pytest.mark.skipif(not native.BUILT, reason="the part in C isn't built here")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "make_export.py"
ENDS = b'"msgid":7,"time":1711000000000,"kind":0,"from":"a","to":"b"'


@cache
def through(value: Any, layers: int = 0, *, name: str = "text") -> Any:
    """A shortcut for records whose key "value" is of this shape; its line is the field alone."""
    tree = nodes.record(
        msgid=nodes.number("msgid"), time=nodes.number("time"), kind=nodes.choice("kind", {"0": 0}),
        from_=nodes.text("sender"), to=nodes.text("receiver"), value=value,
    )  # fmt: skip
    kinds = {0: ("text", shapes.Kind(required=(name,)))}
    form = LineForm((literal("<"), put(name, layers=layers), literal(">")))
    return compiled.through(
        shapes.Shape(tree, kinds, client=1),
        lambda label, chat, extras: form,
        books=(Book(TARGET.account_rule), Book(TARGET.group_rule)),
        latest=LATEST,
        digest_of=TARGET.digest_of,
    )


TEXT = nodes.text("text")


def one_field(
    book: Book, plain: Plain, value: Any = TEXT, digest_of: Any = TARGET.digest_of
) -> Any:  # fmt: skip
    """A shortcut for records with one value, that asks this book for people; its lines name them, or its content."""
    tree = nodes.record(
        msgid=nodes.number("msgid"), time=nodes.number("time"), kind=nodes.choice("kind", {"0": 0}),
        from_=nodes.text("sender"), to=nodes.text("receiver"), value=value,
    )  # fmt: skip
    name = nodes.FIELDS[value[1]]
    ends, content = (put("sender", layers=1), put("receiver", layers=1)), (literal('{"v":'), put(name), literal("}"))
    form = LineForm(content, sorted_digest=True) if name == "content" else LineForm(ends)
    return compiled.through(
        shapes.Shape(tree, {0: ("text", shapes.Kind(required=(name,)))}, client=1),
        lambda label, chat, extras: form,
        books=(book, Book(TARGET.group_rule)), latest=LATEST, digest_of=digest_of, plain=plain,
    )  # fmt: skip


def met_by(book: Book) -> list[tuple[int, int]]:
    """The ids that were met, as pairs of hashes."""
    return sorted(set(ids_of(book).tolist()))


def taken(shortcut: Any, token: bytes) -> bytes | None:
    """The field that a token became, or None if the record was left."""
    streams = tuple(shortcut.columns() for _ in range(2))
    left: list[bytes] = []
    shortcut.take([b"{" + ENDS + b',"value":' + token + b"}"], streams, lambda _, raw: left.append(raw))
    found = Gathered(*streams[0].take()).lines
    assert bool(left) != bool(found)
    return found[1:-2] if found else None


def decoded(token: bytes) -> Any:
    try:
        return msgspec.json.decode(token)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NotImplemented


ESCAPES = ["\\n", "\\/", "\\\"", "\\\\", "\\b", "\\f", "\\r", "\\t", "\\u0000", "\\u001F", "\\u0041", "\\u4f60",
           "\\u2028", "\\uD83D\\uDE00", "\\uD83D", "\\uDE00", "\\uD83D\\n", "\\x", "\\u12", "\\"]  # fmt: skip
BYTES = [b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xc0\xaf", b"\xc3\xa9", b"\xe0\x80\x80", b"\xed\xa0\x80",
         b"\xef\xbf\xbf", b"\xf0\x8f\x80\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
         b"\xe4\xbd", b"\xff", b'"', b"plain text of more than eight"]  # fmt: skip
pieces = st.one_of(
    st.sampled_from(ESCAPES).map(str.encode), st.sampled_from(BYTES), st.text(max_size=9).map(str.encode)
)
strings = st.lists(pieces, max_size=6).map(lambda parts: b'"' + b"".join(parts) + b'"')


@needed
@settings(max_examples=1000, deadline=None)
@given(strings)
def test_strings_are_written_as_they_are_meant(token: bytes) -> None:
    meant = decoded(token)
    found = taken(through(nodes.text("text"), 1), token)
    if found is None:
        assert not isinstance(meant, str) or b"\\" not in token, "only odd escapes may be left"
    else:
        assert msgspec.json.encode(meant) == found


@needed
def test_the_plainest_strings_are_taken() -> None:
    shortcut = through(nodes.text("text"), 1)
    for text in ("", "a", "你好", "😀", "a" * 1000, "tab\t", 'quote"', "back\\slash", "\x7f", "\u2028"):
        for token in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
            assert taken(shortcut, token.encode()) == msgspec.json.encode(text)


numbers = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(repr),
    st.decimals(-(10**9), 10**9, places=6).map(str),
    st.from_regex(r"\A-?[0-9]{1,20}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?\Z"),
    st.sampled_from(["0", "-0", "00", "0.0", "-0.0", "1.", ".5", "1e5", "0.001", "0.0001", "1.10",
                     "9223372036854775807", "9223372036854775808", "+1", "123456789012345.5", "0.1234567890123456"]),
)  # fmt: skip


@needed
@settings(max_examples=1000, deadline=None)
@given(numbers)
def test_numbers_keep_their_text_or_are_left(text: str) -> None:
    found = taken(through(nodes.decimal("text"), 1), text.encode())
    meant = decoded(text.encode())
    assert found is None or (type(meant) in (int, float) and f'"{meant!r}"'.encode() == found)


@needed
@given(numbers)
def test_whole_numbers_are_exact(text: str) -> None:
    found = taken(through(nodes.number("size"), name="size"), text.encode())
    meant = decoded(text.encode())
    fits = type(meant) is int and 0 <= meant < 1 << 63 and text != "-0"
    assert found == (str(meant).encode() if fits else None)
    assert taken(through(nodes.digits("size"), name="size"), b'"%s"' % text.encode()) == found


@needed
@given(st.integers(0, 10**19), st.integers(0, 9))
def test_zeros_are_added_to_what_stays_in_range(number: int, zeros: int) -> None:
    found = taken(through(nodes.number("size", zeros=zeros), name="size"), b"%d" % number)
    assert found in (b"%d" % (number * 10**zeros), None)
    assert (found is not None) == (number * 10**zeros < 10**18 or (zeros == 0 and number < 1 << 63) or number == 0)


keys = st.one_of(st.text(max_size=3), st.sampled_from(["a", "b", "\u4f60"]))
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@needed
@settings(max_examples=800, deadline=None)
@given(values, st.booleans(), st.sampled_from([None, 0, 2]))
def test_values_are_made_compact_or_left(value: Any, narrow: bool, indent: int | None) -> None:
    token = json.dumps(value, ensure_ascii=narrow, indent=indent).encode("utf-8", "surrogatepass")
    found = taken(through(nodes.anything("content"), name="content"), token)
    assert found is None or msgspec.json.encode(decoded(token)) == found


MARKS = [b"{", b"}", b"[", b"]", b'"a"', b'"b"', b":", b",", b"1", b"null", b"true", b"nul", b" ", b"\x00"]


@needed
@settings(max_examples=800, deadline=None)
@given(st.lists(st.sampled_from(MARKS), max_size=14).map(b"".join))
@example(b'{"a":1,"a":2}')
@example(b'{"a":1,}')
@example(b"[1,]")
def test_what_is_no_json_is_left(token: bytes) -> None:
    found = taken(through(nodes.anything("content"), name="content"), token)
    assert found is None or msgspec.json.encode(decoded(token)) == found


@needed
@pytest.mark.parametrize("depth", [1, 31, 32, 33, 64, 100_000])
def test_deep_values_are_left(depth: int) -> None:
    found = taken(through(nodes.anything("content"), name="content"), b"[" * depth + b"]" * depth)
    assert (found is not None) == (depth <= 32)


@needed
def test_an_object_of_too_many_members_is_left() -> None:
    for count, fine in ((64, True), (65, False)):
        token = json.dumps({f"k{n}": n for n in range(count)}, separators=(",", ":")).encode()
        assert (taken(through(nodes.anything("content"), name="content"), token) == token) == fine


@needed
@given(values)
def test_json_in_a_string_is_read_like_json(value: Any) -> None:
    inner = nodes.json(nodes.record(x=nodes.anything("content")))
    token = json.dumps(json.dumps({"x": value})).encode()
    plain = taken(through(nodes.anything("content"), name="content"), json.dumps(value).encode())
    assert taken(through(inner, name="content"), token) == plain


@needed
@pytest.mark.parametrize("wrong", [
    (), ("nothing",), ("text",), ("text", 99), ("text", -1), ("text", "x"), ("number", 3), ("object",), ("object", 5),
    ("object", ("a", ("text", 1))), ("object", (b"a",)), ("only",), ("json", 3), ("choice", 0, (b"1", b"12")),
    ("either", ("text", 1)), ("kept", 1), ("among",), 7, ("object", *((b"%d" % n, ("refused",)) for n in range(64))),
])  # fmt: skip
def test_a_wrong_shape_is_told(wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        taken(through(wrong), b"1")


@needed
@pytest.mark.parametrize("wrong", [("put", b"", 99, 0, 0), ("write", b"", 1, 0, 0), ("put", b"", 1, 7, 0), ("put",), 3])
def test_a_wrong_form_is_told(wrong: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        compiled.through(
            shapes.Shape(nodes.record(a=nodes.text("text")), {0: ("text", shapes.Kind(()))}),
            lambda label, chat, extras: LineForm((wrong,)),
            books=(Book(TARGET.account_rule), Book(TARGET.group_rule)), latest=LATEST, digest_of=TARGET.digest_of,
        )  # fmt: skip


@needed
def test_what_otherwise_raises_goes_up() -> None:
    def fail(number: int, raw: bytes) -> None:
        raise ArithmeticError(number)

    shortcut = through(nodes.text("text"))
    for batch in ([b"{}"], b"{}\n{}", b""):
        with pytest.raises(ArithmeticError, match="0"):
            shortcut.take(batch, (native.Columns(), native.Columns()), fail)


@needed
def test_arguments_of_other_types_are_refused() -> None:
    shortcut = through(nodes.text("text"))
    columns = native.Columns()
    for batch, streams in (("{}", (columns, columns)), ([b"{}"], [columns, columns]), ([b"{}"], (columns,)),
                           ([b"{}"], (Columns(), Columns())), (["{}"], (columns, columns))):  # fmt: skip
        with pytest.raises(TypeError):
            shortcut.take(batch, streams, lambda number, raw: None)


@needed
def test_lines_are_parted_like_python_parts_them() -> None:
    shortcut = through(nodes.text("text"), 1)
    good = b"{" + ENDS + b',"value":"x"}'
    for text in (b"", b"\n", good, good + b"\n", b"\n" + good, b"a\n\n" + good + b"\r\n" + good + b"\nb"):
        both = []
        for batch in (text, text.split(b"\n")):
            left: list[tuple[int, bytes]] = []
            streams = tuple(native.Columns() for _ in range(2))
            shortcut.take(batch, streams, lambda number, raw, left=left: left.append((number, raw)))
            both.append((left, Gathered(*streams[0].take())))
        (left, parted), (same, whole) = both
        starts = [0, *(at + 1 for at, byte in enumerate(text) if byte == ord("\n"))]
        assert left == same
        assert parted._replace(offsets=b"") == whole
        assert array("q", parted.offsets).tolist() == [starts[at] for at in array("q", whole.sources)]


def row(number: int) -> Line:
    return Line("p2p", b"k%015d" % number, b"x" * (number % 7), b"d%07d" % number, (1 << 63) - number - 1, -number)


@needed
@given(st.lists(st.integers(0, 10**6), max_size=40))
def test_columns_are_those_of_python(numbers: list[int]) -> None:
    ours, theirs = native.Columns(), Columns()
    for _ in range(2):
        for source, number in enumerate(numbers):
            ours.add(row(number), source)
            theirs.add(row(number), source)
        assert len(theirs) == len(ours)
        assert tuple(theirs.take()) == ours.take()
        assert len(theirs) == len(ours) == 0


@needed
def test_columns_refuse_other_lines() -> None:
    for wrong in (row(1)._replace(key=b"short"), row(1)._replace(digest=b""), row(1)[:5], None):
        with pytest.raises((TypeError, ValueError)):
            native.Columns().add(wrong, 0)  # type: ignore[arg-type]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)


@needed
@given(st.dictionaries(st.text(max_size=3), values, max_size=5), st.booleans())
@example({f"k{number}": number for number in range(64, 0, -1)}, False)
@example({f"k{number}": number for number in range(65, 0, -1)}, True)
@example({"a]": "}", "a": '"', "\\": {"{": "\\"}, "é": [], "ｅ": {}, "😀": 1, "\x7f": 0}, True)
def test_content_is_hashed_with_its_keys_in_order(content: dict[str, Any], refused: bool) -> None:
    """What is sorted in C has the digest that the sorting encoder leads to; what C refuses is sorted by that."""
    sort = msgspec.json.Encoder(order="sorted").encode
    asked: list[bytes] = []

    def digest_of(line: bytes) -> bytes:
        asked.append(line)
        return xxh3_64_digest(sort(msgspec.json.decode(line)))

    shortcut = one_field(Book(TARGET.account_rule), NOT_PLAIN, nodes.content("content"), digest_of)
    streams = tuple(native.Columns() for _ in range(2))
    shortcut.take([b"{" + ENDS + b',"value":' + msgspec.json.encode(content) + b"}"], streams, lambda _, raw: None)
    found = Gathered(*streams[0].take())
    if found.lines:
        line = found.lines[:-1]
        assert found.digests == xxh3_64_digest(sort(msgspec.json.decode(line)))
        assert not asked or b"\\" in line
    else:
        assert refused


ids = st.text(st.sampled_from("abz09_@.-A #/é"), min_size=1, max_size=34)


@needed
@settings(deadline=None)
@given(st.lists(ids, min_size=1, max_size=30), st.dictionaries(ids, st.just("mapped"), max_size=1))
def test_plain_ids_are_learned_like_the_book_learns_them(sources: list[str], mapped: dict[str, str]) -> None:
    """Ids that the book isn't asked about are those that its rule would not have changed; a map comes first."""
    asked = [Book(TARGET.account_rule, map=(mapped, set(mapped.values()))) for _ in range(2)]
    lines = []
    for book, plain in zip(asked, (NOT_PLAIN, TARGET.plain_account), strict=True):
        shortcut = one_field(book, plain)
        streams = tuple(native.Columns() for _ in range(2))
        for source in sources * 2:
            name = msgspec.json.encode(source)
            shortcut.take([b"{" + ENDS.replace(b'"a"', name) + b',"value":"x"}'], streams, lambda _, raw: None)
        lines.append(streams[0].take())
    assert met_by(asked[0]) == met_by(asked[1])
    assert lines[0] == lines[1]


@needed
def test_more_ids_than_a_table_holds_are_all_found() -> None:
    book = Book(TARGET.account_rule)
    shortcut, streams = one_field(book, TARGET.plain_account), tuple(native.Columns() for _ in range(2))
    records = [b"{" + ENDS.replace(b'"a"', b'"u%d"' % number) + b',"value":"x"}' for number in range(100_000)]
    for _ in range(2):
        shortcut.take(records, streams, lambda _, raw: None)
    assert len(streams[0]) == 2 * len(records)
    hashes = {xxh3_64_intdigest(source.encode()) for source in ("b", *(f"u{number}" for number in range(100_000)))}
    assert met_by(book) == sorted((each, each) for each in hashes)


def wrapped(function: Any) -> Any:
    """The same, as a function of which nothing is exported."""
    return lambda data: function(data)


@needed
@pytest.mark.parametrize("digest", [wrapped(xxh3_64_digest), wrapped(xxh64_digest), xxh64_digest])
def test_hashes_are_those_of_the_functions_given(digest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a library exports is called only if it says the same as the function that was given."""
    found = []
    for function, key in ((digest, wrapped(xxh3_128_digest)), (wrapped(digest), xxh3_128_digest)):
        monkeypatch.setattr(compiled, "xxh3_64_digest", function)
        monkeypatch.setattr(compiled, "xxh3_128_digest", key)
        book = Book(TARGET.account_rule)
        shortcut, streams = one_field(book, TARGET.plain_account), tuple(native.Columns() for _ in range(2))
        shortcut.take([b"{" + ENDS + b',"value":"x"}'], streams, lambda _, raw: None)
        found.append(Gathered(*streams[0].take()))
        assert met_by(book) == sorted((xxh3_64_intdigest(each),) * 2 for each in (b"a", b"b"))
    assert found[0] == found[1]
    assert found[0].digests == digest(b'"a""b"')


SEQUENCES = (
    "报".encode(), "，".encode(), "\u0800".encode(), "\ud7ff".encode(), "é".encode(), "😂".encode(), b"a", b"\\n",
    b"\xed\xa0\x80", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xe4\xb8", b"\xb8\xe4", b"\xe4\xb8\xc0", b"\xf4\x90\x80\x80",
)  # fmt: skip


@needed
@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("before", range(9))
def test_a_run_of_characters_is_taken_if_it_is_utf_8(sequence: bytes, before: int) -> None:
    """Wherever among usual characters an unusual one stands, and however many bytes follow."""
    for behind in range(7):
        text = "报价明天下雨了吗好"[:before].encode() + sequence + "晚上见，可以的"[:behind].encode()
        try:
            expected = msgspec.json.encode(text.decode().replace("\\n", "\n"))
        except UnicodeDecodeError:
            expected = None
        assert taken(through(TEXT, 1), b'"' + text + b'"') == expected


@needed
@given(st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"b" * 300]), max_size=20).map(b"".join))
def test_line_ends_are_counted_like_python_counts_them(data: bytes) -> None:
    lines = data.split(b"\n")
    assert native.ends(data) == line_ends(data)
    assert line_ends(data) == (len(lines) - 1, sum(line.endswith(b"\r") for line in lines))


@needed
@given(st.lists(st.integers(0, 10**6), max_size=40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_rows_are_those_of_numpy(numbers: list[int], begin: int, first: int) -> None:
    columns = native.Columns()
    for number in numbers:
        columns.add(row(number), number)
    found = Gathered(*columns.take())._replace(offsets=array("q", numbers).tobytes())
    gathering = Gathering()
    gathering.add(Batch.of_lines(b"\n" * 10, 5, first, 0), PieceCounts(3))
    rows = rows_of(found, gathering, [(len(numbers), 7)], begin) if numbers else np.empty(0, ROW)
    given = found.lengths, found.times, found.msgids, found.sources, found.offsets
    assert native.rows(*given, begin, first + 7, 5, 3) == rows.tobytes()
    assert native.keyed(found.keys, found.digests, begin) == keyed(found.keys, found.digests, begin).tobytes()


@needed
def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="other lengths"):
        native.rows(b"1234", b"12345678", b"12345678", b"1234567", b"12345678", 0, 0, 0, 0)
    with pytest.raises(ValueError, match="other lengths"):
        native.keyed(b"1" * 16, b"", 0)


@needed
def test_books_and_shortcuts_are_let_go_of() -> None:
    """A book's note may lead back to its shortcut; the ring has to be found by the collector."""
    gc.collect()

    class Watched(Book):
        ring: Any

    book = Watched(TARGET.account_rule)
    book.ring = compiled.through(
        shapes.Shape(nodes.record(a=nodes.text("text")), {0: ("text", shapes.Kind(()))}),
        lambda label, chat, extras: None,
        books=(book, book), latest=LATEST, digest_of=TARGET.digest_of,
    )  # fmt: skip
    seen = weakref.ref(book)
    del book
    gc.collect()
    assert seen() is None


@needed
def test_hashes_are_those_of_the_library() -> None:
    shortcut = through(nodes.text("text"), 1)
    streams = tuple(native.Columns() for _ in range(2))
    shortcut.take([b"{" + ENDS + b',"value":"x"}'], streams, lambda number, raw: None)
    found = Gathered(*streams[0].take())
    assert found.keys == xxh3_128_digest(b'[7,"a","b",1711000000000]')
    assert found.digests == xxh3_64_digest(b'<"x">')
    assert (array("Q", found.msgids)[0], array("q", found.times)[0], array("q", found.sources)[0]) == (
        7,
        1711000000000,
        0,
    )


@needed
def test_more_ids_than_are_kept_at_hand() -> None:
    """Twice as many ids as the table in front of the book holds, each asked for twice, in both orders."""
    shortcut = through(nodes.text("text"), 1)
    people = [f"p{number}" for number in range(140_000)]
    head = b'{"msgid":7,"time":1711000000000,"kind":0,"to":"b","value":"x","from":'
    left: list[int] = []
    streams = tuple(native.Columns() for _ in range(2))
    shortcut.take(
        [head + b'"%s"}' % p.encode() for p in [*people, *reversed(people)]], streams, lambda i, _: left.append(i)
    )
    keys = Gathered(*streams[0].take()).keys
    expected = b"".join(xxh3_128_digest(b'[7,"%s","b",1711000000000]' % p.encode()) for p in people)
    assert (left, keys[: len(expected)]) == ([], expected)
    assert [keys[i : i + 16] for i in range(0, len(keys), 16)] == [keys[i - 16 : i] for i in range(len(keys), 0, -16)]


@needed
@pytest.mark.parametrize(
    ("vendor", "target", "messages"),
    [("yunxin", "yunxin", "20000"), ("easemob", "yunxin", "20000"), ("yunxin", "easemob", "8000"),
     ("easemob", "easemob", "8000"), ("yunxin", "tencent", "4000")],
)  # fmt: skip
def test_a_conversion_is_the_same_without_it(vendor: str, target: str, messages: str, tmp_path: Path) -> None:
    """Every file of the output but run.json, for an export with a bit of everything."""
    command = [
        sys.executable,
        str(SCRIPT),
        vendor,
        str(tmp_path / "in"),
        "--messages",
        messages,
        "--files",
        "3",
        "--users",
        "900",
        "--groups",
        "80",
        "--oddities",
        "0.1",
        "--duplicates",
        "0.05",
        "--conflicts",
        "0.02",
        "--damage",
        "0.02",
    ]
    subprocess.run(command, check=True, capture_output=True)  # fmt: skip
    for name, asked in (("with", True), ("without", False)):
        run(options(tmp_path / "in", tmp_path / name, segment_size=1 << 20, compiled=asked, target=target))
    assert tree(tmp_path / "with").keys() > {"manifest.json", "rejects.ndjson", "duplicates.ndjson"}
    assert differing(tmp_path / "with", tmp_path / "without") == []


def test_an_installation_without_it_converts(tmp_path: Path) -> None:
    """As on a machine that had no compiler: the module is not to be found."""
    hidden = "import sys; sys.modules['imconvert.native.through'] = None; from imconvert.__main__ import main; main()"
    sample = ROOT / "fixtures" / "sample" / "yunxin.txt"
    arguments = ["msgs", str(sample), str(tmp_path / "out"), "--latest", "2026-01-01", "--json"]
    done = subprocess.run([sys.executable, "-c", hidden, *arguments], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, json.loads((tmp_path / "out" / "run.json").read_bytes())["compiled"]) == (3, False)
