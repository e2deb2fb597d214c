"""Containers: whole input comes out whole, damaged input never silently."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert.errors import InputError, cause_of
from imconvert.sources.containers import (
    MIB,
    Limits,
    Member,
    container_of,
    members,
    open_blocks,
    read_head,
    read_range,
    sniff,
)


def pack_zst(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": pack_zst,
    "bz2": bz2.compress,
    "xz": partial(lzma.compress, preset=1),
}
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
SMALL = b"".join(b'{"id":%d,"text":"%d"}\n' % (n, n * 7919 % 1009) for n in range(30))
LARGE = random.Random(5).randbytes(250_000) + SMALL * 200
READS = (1, 7, 1 << 16)

every_kind = pytest.mark.parametrize("kind", PACK)


def put(folder: Path, data: bytes, name: str = "input") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def put_zip(folder: Path, files: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "input.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def drain(blocks: Iterator[bytes]) -> tuple[bytes, InputError | None]:
    got = bytearray()
    try:
        for block in blocks:
            assert block
            got += block
    except InputError as why:
        text = cause_of(why.code, why.values)
        assert "{" not in text, f"{why.code} lacks values: {text}"
        return bytes(got), why
    return bytes(got), None


def unpack(path: Path, *, member: str | None = None, **limits: int) -> tuple[bytes, str | None]:
    got, why = drain(open_blocks(path, "label", member=member, limits=Limits(**limits)))
    if why:
        assert why.place is not None
        assert why.place.offset == len(got)
        assert why.values.get("offset", len(got)) == len(got)
    return got, why.code if why else None


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert "{" not in cause_of(caught.value.code, caught.value.values)
    return caught.value.code


# Whole input


@pytest.mark.parametrize("content", [b"", b"x", SMALL, LARGE], ids=["empty", "one", "some", "much"])
def test_plain_comes_out_as_it_is(tmp_path: Path, content: bytes) -> None:
    assert (content, None) == unpack(put(tmp_path, content))


@every_kind
@pytest.mark.parametrize("content", [b"", b"x", b"B", SMALL, LARGE], ids=["none", "x", "B", "some", "much"])
def test_one_stream_comes_out_whole(tmp_path: Path, kind: str, content: bytes) -> None:
    path = put(tmp_path, PACK[kind](content))
    assert kind == container_of(read_head(path))
    assert (content, None) == unpack(path)


@every_kind
@pytest.mark.parametrize("read", READS)
def test_streams_in_a_row_come_out_for_every_read_size(tmp_path: Path, kind: str, read: int) -> None:
    pack = PACK[kind]
    path = put(tmp_path, pack(SMALL) + pack(b"") + pack(SMALL[:3]) + pack(SMALL))
    assert (SMALL + SMALL[:3] + SMALL, None) == unpack(path, read=read)


@given(st.lists(st.binary(max_size=300), min_size=1), st.sampled_from(sorted(PACK)), st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_any_content_survives(parts: list[bytes], kind: str, read: int) -> None:
    parts = [b"[,,,,,,,,,", *parts]
    with TemporaryDirectory() as folder:
        path = put(Path(folder), b"".join(map(PACK[kind], parts)))
        got, code = unpack(path, read=read)
    assert (got, code) == (b"".join(parts), None) or code == "IMC-4008"


def test_gz_header_fields_and_padding_are_passed_over(tmp_path: Path) -> None:
    held = io.BytesIO()
    with gzip.GzipFile("a-name", "wb", fileobj=held, mtime=7) as file:
        file.write(SMALL)
    path = put(tmp_path, held.getvalue() + bytes(512) + held.getvalue() + bytes(99))
    assert unpack(path) == (SMALL * 2, None)


def test_gz_that_unpacks_to_exactly_one_step(tmp_path: Path) -> None:
    for size in (1 << 18, (1 << 18) + 1, 1 << 20):
        assert (b"7" * size, None) == unpack(put(tmp_path, gzip.compress(b"7" * size)), read=1 << 30)


@pytest.mark.parametrize("zeros, code", [(4, None), (8, None), (3, "IMC-4003"), (5, "IMC-4003")])
@pytest.mark.parametrize("read", READS)
def test_xz_padding_is_a_multiple_of_four(tmp_path: Path, zeros: int, code: str | None, read: int) -> None:
    packed = lzma.compress(SMALL)
    assert (SMALL, code) == unpack(put(tmp_path, packed + bytes(zeros)), read=read)
    got, found = unpack(put(tmp_path, packed + bytes(zeros) + packed), read=read)
    assert (SMALL if code else SMALL * 2, code) == (got, found)


@pytest.mark.parametrize("read", READS)
def test_zst_shapes(tmp_path: Path, read: int) -> None:
    skippable = b"\x53\x2a\x4d\x18" + struct.pack("<I", 9) + b"123456789"
    no_size = zstandard.ZstdCompressor(write_content_size=False).compress(SMALL)
    stream = zstandard.ZstdCompressor(level=1, write_checksum=False).compressobj()
    flush = partial(stream.flush, zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    flushed = b"".join(stream.compress(SMALL) + flush() for _ in range(9)) + stream.flush()
    path = put(tmp_path, skippable + no_size + skippable + pack_zst(b"") + flushed + skippable)
    assert unpack(path, read=read) == (SMALL * 10, None)


@pytest.mark.parametrize("method", METHODS)
def test_zip_entries_come_out_in_order(tmp_path: Path, method: int) -> None:
    files = [("b", SMALL), ("folder/", b""), ("folder/a", LARGE), ("none", b""), ("中文.json", b"7")]
    path = put_zip(tmp_path, files, method)
    found = members(path, "label", Limits())
    assert [member.name for member in found] == ["b", "folder/a", "none", "中文.json"]
    for read in (3, 1 << 16):
        for name, content in (files[0], *files[3:]):
            assert (content, None) == unpack(path, member=name, read=read)
    assert unpack(path, member="folder/a") == (LARGE, None)


@pytest.mark.parametrize("block", [1, 2, 511, 513, 4096])
@pytest.mark.parametrize("kind", ["plain", *PACK])
def test_blocks_are_never_larger_than_asked(tmp_path: Path, kind: str, block: int) -> None:
    path = put(tmp_path, PACK.get(kind, bytes)(SMALL))
    blocks = list(open_blocks(path, "label", limits=Limits(block=block)))
    assert b"".join(blocks) == SMALL
    assert max(map(len, blocks)) <= block


@pytest.mark.parametrize("kind", ["plain", *PACK])
def test_progress_adds_up_to_the_packed_size(tmp_path: Path, kind: str) -> None:
    path = put(tmp_path, PACK.get(kind, bytes)(LARGE))
    told: list[int] = []
    drain(open_blocks(path, "label", progress=told.append))
    assert [Member(None, sum(told))] == members(path, "label", Limits())


@pytest.mark.parametrize("method", METHODS)
def test_progress_of_a_zip_entry_adds_up_to_its_packed_size(tmp_path: Path, method: int) -> None:
    path = put_zip(tmp_path, [("a", SMALL), ("b", LARGE)], method)
    for member in members(path, "label", Limits()):
        told: list[int] = []
        drain(open_blocks(path, "label", member=member.name, progress=told.append))
        assert member.packed == sum(told)


def test_zip_names_are_labels_only(tmp_path: Path) -> None:
    names = ["../../up", "/etc/passwd", "C:\\con", "a\nb", "..", "x/../y", "~", "con"]
    path = put_zip(tmp_path, [(name, name.encode()) for name in names])
    assert names == [member.name for member in members(path, "label", Limits())]
    for name in names:
        assert (name.encode(), None) == unpack(path, member=name)
    assert [found.name for found in tmp_path.iterdir()] == ["input.zip"]


# Cut input


@every_kind
@pytest.mark.parametrize("read", [1, 1 << 16])
def test_every_cut_is_told(tmp_path: Path, kind: str, read: int) -> None:
    whole = PACK[kind](SMALL) + PACK[kind](SMALL[:70])
    border = len(PACK[kind](SMALL))
    for cut in range(1, len(whole)):
        got, code = unpack(put(tmp_path, whole[:cut]), read=read)
        assert (SMALL + SMALL[:70]).startswith(got), cut
        assert (None if cut == border else "IMC-4002") == code, cut
        assert cut < border or got.startswith(SMALL)


@pytest.mark.parametrize("kind", ["gz", "zst", "xz"])
def test_a_cut_costs_only_what_cannot_be_unpacked(tmp_path: Path, kind: str) -> None:
    content = random.Random(1).randbytes(300_000).hex().encode()
    packed = PACK[kind](content)
    path = put(tmp_path, packed[: len(packed) // 2])
    lengths = {len(unpack(path, read=read)[0]) for read in (977, 1 << 16, MIB)}
    assert len(lengths) == 1
    assert len(content) * 0.3 < lengths.pop()


def test_zip_without_a_directory_is_cut(tmp_path: Path) -> None:
    whole = put_zip(tmp_path, [("a", SMALL), ("b", SMALL)]).read_bytes()
    for cut in range(4, len(whole), 5):
        path = put(tmp_path, whole[:cut])
        assert refused(partial(members, path, "label")) == "IMC-4002", cut


# Damaged input


@every_kind
def test_no_changed_byte_goes_unseen(tmp_path: Path, kind: str) -> None:
    """Bytes of the magic number are left alone: without it the file is a plain one of another sort."""
    whole = PACK[kind](SMALL) + PACK[kind](SMALL[:70])
    content = SMALL + SMALL[:70]
    chance = random.Random(3)
    for at in range(6, len(whole)):
        hurt = bytearray(whole)
        hurt[at] ^= 1 << chance.randrange(8)
        got, code = unpack(put(tmp_path, bytes(hurt)))
        assert code or content == got, at


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_damage_costs_the_same_for_every_read_size(tmp_path: Path, kind: str) -> None:
    content = b"".join(b"%d," % (n * n) for n in range(3000))
    whole = PACK[kind](content)
    for at in range(20, len(whole), len(whole) // 12):
        path = put(tmp_path, whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        results = {unpack(path, read=read) for read in (1, 2, 61, 1000, 1 << 16)}
        assert len(results) == 1, at


def test_content_before_a_bad_gz_is_kept_to_the_last_bytes(tmp_path: Path) -> None:
    good = gzip.compress(LARGE)
    got, code = unpack(put(tmp_path, good[:-8] + b"\0" * 8))
    assert (got, code) == (LARGE, "IMC-4003")
    stored = gzip.compress(LARGE, 0)
    got, code = unpack(put(tmp_path, stored[:150_000] + b"\xff" * 70_000 + stored[220_000:]))
    assert code == "IMC-4003"
    assert len(got) > 140_000


@every_kind
@pytest.mark.parametrize("tail", [b"garbage, long enough to be seen as such", b"x", b"\r\n"])
def test_trailing_garbage_is_told(tmp_path: Path, kind: str, tail: bytes) -> None:
    assert unpack(put(tmp_path, PACK[kind](SMALL) + tail)) == (SMALL, "IMC-4003")


@pytest.mark.parametrize("method", METHODS)
def test_no_changed_byte_of_a_zip_entry_goes_unseen(tmp_path: Path, method: int) -> None:
    whole = put_zip(tmp_path, [("a", SMALL)], method).read_bytes()
    for at in range(4, len(whole), 3):
        path = put(tmp_path, whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            names = [member.name for member in members(path, "label", Limits())]
        except InputError:
            continue
        for name in names:
            got, code = unpack(path, member=name)
            assert code or got == SMALL, at


def test_zip_with_a_wrong_sum_gives_its_content_first(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", LARGE)], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[200_000] ^= 1
    path.write_bytes(data)
    got, code = unpack(path, member="a")
    assert (len(LARGE), "IMC-4003") == (len(got), code)


# Bombs


def test_gz_bomb_is_stopped(tmp_path: Path) -> None:
    path = put(tmp_path, gzip.compress(bytes(10 * MIB)) * 60)
    began = time.monotonic()
    got, code = unpack(path)
    assert code == "IMC-4004"
    assert len(got) < 64 * MIB
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("kind", ["zst", "bz2", "xz"])
def test_other_bombs_are_stopped(tmp_path: Path, kind: str) -> None:
    got, code = unpack(put(tmp_path, PACK[kind](b"7" * (20 * MIB))))
    assert code == "IMC-4004"
    assert len(got) < 20 * MIB


@pytest.mark.parametrize("method", METHODS[1:])
def test_zip_bomb_is_stopped(tmp_path: Path, method: int) -> None:
    got, code = unpack(put_zip(tmp_path, [("a", b"7" * (20 * MIB))], method), member="a")
    assert code == "IMC-4004"
    assert len(got) < 20 * MIB


def test_ratio_and_grace_can_be_set(tmp_path: Path) -> None:
    path = put(tmp_path, gzip.compress(b"7" * MIB))
    assert unpack(path) == (b"7" * MIB, None)
    assert unpack(path, grace=1000, ratio=10)[1] == "IMC-4004"
    assert unpack(path, grace=1000, ratio=2000) == (b"7" * MIB, None)


@every_kind
def test_one_packed_piece_never_becomes_a_huge_block(tmp_path: Path, kind: str) -> None:
    packed = PACK[kind](b"7" * (5 * MIB))
    sizes = [len(block) for block in open_blocks(put(tmp_path, packed), "label", limits=Limits(block=1000))]
    assert (sum(sizes), max(sizes)) == (5 * MIB, 1000)


def test_endless_gz_name_takes_no_memory(tmp_path: Path) -> None:
    """A header field without an end is read over; the process stays small."""
    path = put(tmp_path, b"\x1f\x8b\x08\x18" + bytes(6) + b"n" * (100 * MIB))
    program = (
        "import resource, sys, pathlib\n"
        "from imconvert.sources.containers import open_blocks\n"
        "from imconvert.errors import InputError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n"
        "    list(open_blocks(pathlib.Path(sys.argv[1]), 'label'))\n"
        "except InputError as why:\n"
        "    print(why.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    path.unlink()
    code, grown = run.stdout.split()
    assert code == "IMC-4002"
    assert int(grown) < 30_000


def test_zst_with_a_huge_window_is_refused(tmp_path: Path) -> None:
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([(28 - 10) << 3]) + b"\x01\x00\x00"
    assert unpack(put(tmp_path, frame)) == (b"", "IMC-4003")


def test_zst_window_within_the_limit_is_taken(tmp_path: Path) -> None:
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([(27 - 10) << 3]) + b"\x21\x00\x00four"
    assert unpack(put(tmp_path, frame)) == (b"four", None)


# Zips that lie


def test_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", SMALL)])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert refused(lambda: members(path, "label", Limits())) == "IMC-4006"
    assert unpack(path, member="a") == (b"", "IMC-4006")
    assert refused(lambda: sniff(path, "label", Limits())) == "IMC-4006"


def test_overlapping_entries_are_refused(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", SMALL), ("b", SMALL)])
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)
    path.write_bytes(data)
    assert refused(lambda: members(path, "label", Limits())) == "IMC-4012"


def test_entry_that_reaches_into_the_directory_is_refused(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", SMALL)], zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 20 : directory + 24] = struct.pack("<I", len(SMALL) + 40)
    path.write_bytes(data)
    assert refused(lambda: members(path, "label", Limits())) == "IMC-4012"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_repeated_names_are_refused(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", SMALL), ("a", b"other")])
    assert refused(lambda: members(path, "label", Limits())) == "IMC-4012"


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [(f"{n}", b"") for n in range(30)])
    assert len(members(path, "label", Limits(entries=30))) == 30
    assert refused(lambda: members(path, "label", Limits(entries=29))) == "IMC-4005"
    assert refused(lambda: members(path, "label", Limits(entries=2))) == "IMC-4005"


def test_unknown_method_is_refused(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", SMALL)])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 10] = 9
    path.write_bytes(data)
    assert refused(lambda: members(path, "label", Limits())) == "IMC-4011"


def test_wrong_size_in_the_directory_is_told(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", SMALL)])
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = struct.pack("<I", 7)
    path.write_bytes(data)
    assert unpack(path, member="a") == (SMALL, "IMC-4003")


def test_folder_with_content_is_no_folder(tmp_path: Path) -> None:
    """A damaged name must not make an entry disappear."""
    path = put_zip(tmp_path, [("a/b", SMALL)])
    data = path.read_bytes()
    path.write_bytes(data[:40] + data[40:].replace(b"a/b", b"a//"))
    assert [member.name for member in members(path, "label", Limits())] == ["a//"]
    assert unpack(path, member="a//") == (b"", "IMC-4003")


def test_differing_names_are_told(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("first", SMALL)])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"first", b"other", 1))
    assert unpack(path, member="first") == (b"", "IMC-4003")


def test_zip_that_changed_is_told(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", SMALL)])
    assert unpack(path, member="a") == (SMALL, None)
    put_zip(tmp_path, [("b", SMALL * 2)])
    assert unpack(path, member="a") == (b"", "IMC-4010")
    assert unpack(path, member="b") == (SMALL * 2, None)


def test_empty_zip_has_no_members(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [])
    assert members(path, "label", Limits()) == []
    assert sniff(path, "label", Limits()) == b""


# Wrong kinds


@pytest.mark.parametrize("outer", PACK)
@pytest.mark.parametrize("inner", PACK)
def test_nested_archive_is_refused(tmp_path: Path, outer: str, inner: str) -> None:
    path = put(tmp_path, PACK[outer](PACK[inner](SMALL)))
    assert unpack(path) == (b"", "IMC-4007")
    assert refused(lambda: sniff(path, "label", Limits())) == "IMC-4007"


def test_a_hundred_levels_cost_as_much_as_one(tmp_path: Path) -> None:
    data = SMALL
    for _ in range(100):
        data = gzip.compress(data)
    assert unpack(put(tmp_path, data)) == (b"", "IMC-4007")


def test_tar_and_zip_inside_are_refused(tmp_path: Path) -> None:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        tar.add(put(tmp_path, SMALL), "a")
    inner = put_zip(tmp_path, [("a", SMALL)]).read_bytes()
    assert unpack(put(tmp_path, gzip.compress(held.getvalue()))) == (b"", "IMC-4007")
    assert unpack(put(tmp_path, held.getvalue())) == (b"", "IMC-4011")
    assert unpack(put(tmp_path, gzip.compress(inner))) == (b"", "IMC-4007")
    assert unpack(put_zip(tmp_path, [("in.zip", inner)]), member="in.zip") == (b"", "IMC-4007")
    assert unpack(put_zip(tmp_path, [("a.gz", gzip.compress(SMALL))]), member="a.gz") == (b"", "IMC-4007")


@pytest.mark.parametrize(
    "head, kind",
    [
        (b"", "plain"),
        (b"{", "plain"),
        (b"P", "plain"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"Rar!\x1a\x07\x01\x00", "rar"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"\x1f\x9d\x90", "Z(compress)"),
        (b"\x5a\x2a\x4d\x18", "zst"),
        (b"\x1f", "gz"),
        (bytes(257) + b"ustar", "tar"),
    ],
)
def test_containers_are_told_by_content(tmp_path: Path, head: bytes, kind: str) -> None:
    assert kind == container_of(head)
    if kind not in ("plain", "zst", "gz"):
        assert unpack(put(tmp_path, head + bytes(100))) == (b"", "IMC-4011")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "codec, name",
    [
        ("utf-16", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("utf-16-le", "UTF-16LE"),
        ("utf-16-be", "UTF-16BE"),
        ("utf-32-le", "UTF-32LE"),
        ("utf-32-be", "UTF-32BE"),
    ],
)
def test_wide_encodings_are_refused(tmp_path: Path, codec: str, name: str, packed: bool) -> None:
    data = '{"text":"你好"}\n'.encode(codec)
    got, why = drain(open_blocks(put(tmp_path, gzip.compress(data) if packed else data), "label"))
    assert why is not None
    assert (b"", "IMC-4008", name) == (got, why.code, why.values["encoding"])


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf{}\n", b"{}\n" + bytes(600), bytes(100), "你好".encode() * 99])
def test_other_odd_heads_are_passed_on(tmp_path: Path, content: bytes) -> None:
    assert (content, None) == unpack(put(tmp_path, content))


# Files that move or cannot be read


@pytest.mark.parametrize("target", ["missing", "."])
def test_unreadable_is_told(tmp_path: Path, target: str) -> None:
    path = tmp_path / target
    assert unpack(path) == (b"", "IMC-4001")
    assert refused(lambda: members(path, "label", Limits())) == "IMC-4001"
    assert refused(lambda: read_head(path)) == "IMC-4001"
    assert refused(lambda: list(read_range(path, "label", 0, 9))) == "IMC-4001"


def test_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = put(tmp_path, b"7" * (3 * MIB))
    blocks = open_blocks(path, "label")
    got = len(next(blocks))
    os.truncate(path, 3 * MIB // 2)
    rest, why = drain(blocks)
    assert why is not None
    assert ("IMC-4009", 3 * MIB, got + len(rest)) == (why.code, why.values["expected"], why.values["found"])


def test_file_is_closed_when_nobody_reads_on(tmp_path: Path) -> None:
    path = put(tmp_path, LARGE)
    opened = len(os.listdir("/proc/self/fd"))
    blocks = [open_blocks(path, "label"), read_range(path, "label", 0, 5 * MIB, block=10)]
    for each in blocks:
        next(each)
    assert opened + 2 == len(os.listdir("/proc/self/fd"))
    for each in blocks:
        each.close()  # type: ignore[attr-defined]
    assert opened == len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("start, stop", [(0, 0), (0, 5), (3, 4), (7, len(SMALL)), (0, len(SMALL))])
@pytest.mark.parametrize("block", [1, 3, MIB])
def test_ranges(tmp_path: Path, start: int, stop: int, block: int) -> None:
    told: list[int] = []
    path = put(tmp_path, SMALL)
    got, why = drain(read_range(path, "label", start, stop, block=block, progress=told.append))
    assert (SMALL[start:stop], None, stop - start) == (got, why, sum(told))


def test_range_behind_the_end(tmp_path: Path) -> None:
    got, why = drain(read_range(put(tmp_path, SMALL), "label", 5, len(SMALL) + 9))
    assert why is not None
    assert (SMALL[5:], "IMC-4009") == (got, why.code)
    assert {"expected": len(SMALL) + 9, "found": len(SMALL)} == why.values


# The label


def test_errors_name_the_member_once(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", gzip.compress(SMALL))])
    for label in ("x.zip", "x.zip!a"):
        _, why = drain(open_blocks(path, label, member="a"))
        assert why is not None
        assert str(why.place) == "x.zip!a"


def test_zip_is_never_read_without_a_member(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="member by member"):
        list(open_blocks(put_zip(tmp_path, [("a", SMALL)]), "label"))


# Standard input


class OneByteAtATime(io.RawIOBase):
    """A pipe at its slowest."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray) -> int:  # type: ignore[override]
        data = self._data.read(1)
        into[: len(data)] = data
        return len(data)


@pytest.fixture(params=["file", "pipe"])
def stdin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def put_in(data: bytes) -> None:
        buffer = io.BytesIO(data) if request.param == "file" else io.BufferedReader(OneByteAtATime(data))  # type: ignore[type-var]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(buffer))

    return put_in


@pytest.mark.parametrize("kind", ["plain", *PACK])
def test_stdin_is_read_like_a_file(stdin: Callable[[bytes], None], kind: str) -> None:
    stdin(PACK.get(kind, bytes)(SMALL))
    sniff(None, "-", Limits())
    assert drain(open_blocks(None, "-")) == (SMALL, None)
    assert not sys.stdin.buffer.closed


@pytest.mark.parametrize(
    "data, code",
    [
        (b"PK\x03\x04" + bytes(99), "IMC-4014"),
        (gzip.compress(SMALL)[:-9], "IMC-4002"),
        (b"\xff\xfe{\0", "IMC-4008"),
    ],
)
def test_stdin_damage_is_told(stdin: Callable[[bytes], None], data: bytes, code: str) -> None:
    stdin(data)
    _, why = drain(open_blocks(None, "-"))
    assert why is not None
    assert code == why.code


def test_sniffing_a_pipe_takes_nothing_away() -> None:
    program = (
        "from imconvert.sources.containers import *\n"
        "import sys\n"
        "head = sniff(None, '-')\n"
        "whole = b''.join(open_blocks(None, '-'))\n"
        "sys.exit(not (head and whole.startswith(head) and len(whole) == int(sys.argv[1])))\n"
    )
    for data in (SMALL, gzip.compress(SMALL), pack_zst(SMALL)):
        subprocess.run([sys.executable, "-c", program, str(len(SMALL))], input=data, check=True)


# Sniffing


@pytest.mark.parametrize("kind", ["plain", *PACK])
@pytest.mark.parametrize("size", [1, 100, 65536])
def test_sniff_gives_the_first_content(tmp_path: Path, kind: str, size: int) -> None:
    path = put(tmp_path, PACK.get(kind, bytes)(SMALL))
    assert SMALL[:size] == sniff(path, "label", Limits(), size)


def test_sniff_passes_over_empty_entries(tmp_path: Path) -> None:
    assert sniff(put_zip(tmp_path, [("a", b""), ("b/", b""), ("c", SMALL)]), "label", Limits()) == SMALL


def test_sniff_looks_at_the_member_that_is_named(tmp_path: Path) -> None:
    path = put_zip(tmp_path, [("a", b"one"), ("b", b"two")])
    assert sniff(path, "label", Limits()) == b"one"
    assert sniff(path, "label", Limits(), member="b") == b"two"


def test_sniff_does_not_mind_damage_behind(tmp_path: Path) -> None:
    content = random.Random(2).randbytes(200_000)
    path = put(tmp_path, gzip.compress(content)[:150_000])
    assert content[:65536] == sniff(path, "label", Limits())


def test_sniff_tells_damage_at_the_begin(tmp_path: Path) -> None:
    assert refused(lambda: sniff(put(tmp_path, gzip.compress(SMALL)[:12]), "label", Limits())) == "IMC-4002"
