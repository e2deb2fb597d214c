"""Read the directory of a zip, and unpack one of its entries.

Strategy: `zipfile` reads the directory only; the packed bytes of an entry go through our own unpackers, so
that damage costs nothing that lies before it. An entry is never extracted, and its name is never used as a
path.
Promise: encrypted, overlapping or repeated entries, too many of them and unknown methods are refused before
a byte is unpacked; sizes in headers are checked at the end and never trusted.
Cost: the directory in memory, at most `entries` rows; the one read last is kept, as entries are opened one
by one.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import IO, BinaryIO, NamedTuple, cast

from imconvert.sources.files import open_file, status_of
from imconvert.sources.unpackers import Damage, open_bz2, open_inflate, open_lzma, unpack_one

ENCRYPTED = 0x01 | 0x40 | 0x2000
UTF8_NAME = 0x800
END_MARKED = 0x02
LOCAL = struct.Struct("<4s5H3I2H")
ENTRY_MIN = 46
NAME_USUAL = 1024
BROKEN = (
    zipfile.BadZipFile,
    ValueError,
    IndexError,
    struct.error,
    NotImplementedError,
    OverflowError,
    EOFError,
)


class Entry(NamedTuple):
    """One file inside a zip, as the directory tells it."""

    name: str
    raw_name: bytes
    header: int
    packed: int
    unpacked: int
    crc: int
    method: int
    flags: int


def read_directory(path: Path, limit: int) -> Mapping[str, Entry]:
    """The files of a zip by name, in the order of its directory, or `Damage`."""
    return _read_directory(path, status_of(path).identity, limit)


@lru_cache(maxsize=1)
def _read_directory(path: Path, seen: tuple[int, ...], limit: int) -> Mapping[str, Entry]:
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(cast(IO[bytes], _Bounded(file, limit))) as archive:
                infos, end = archive.infolist(), archive.start_dir
        except BROKEN as why:
            raise _directory_damage(why) from None
    if len(infos) > limit:
        raise Damage("IMC-4005", found=len(infos), limit=limit)
    entries = [_entry(info) for info in infos]
    _check(entries, end)
    files = {entry.name: entry for entry in entries if entry.unpacked or not entry.name.endswith("/")}
    _check_methods(files)
    return MappingProxyType(files)


class _Bounded:
    """A file that refuses to give a zip directory of too many entries, before it becomes objects."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, file.close

    def read(self, size: int | None = -1) -> bytes:
        many = size is not None and size > ENTRY_MIN * self._limit
        if many and size is not None and size > NAME_USUAL * max(self._limit, NAME_USUAL):
            raise Damage("IMC-4005", found=f"up to {size // ENTRY_MIN}", limit=self._limit)
        data = self._file.read(-1 if size is None else size) or b""
        if many and (found := data.count(b"PK\x01\x02")) > self._limit:
            raise Damage("IMC-4005", found=found, limit=self._limit)
        return data


def _directory_damage(why: Exception) -> Damage:
    """No end record means that the file was cut; nothing in it can be trusted then."""
    if str(why) == "File is not a zip file":
        return Damage("IMC-4002")
    return Damage("IMC-4003", why=str(why) or "broken directory")


def _entry(info: zipfile.ZipInfo) -> Entry:
    raw_name = info.orig_filename.encode("utf-8" if info.flag_bits & UTF8_NAME else "cp437", "replace")
    return Entry(
        info.filename,
        raw_name,
        info.header_offset,
        info.compress_size,
        info.file_size,
        info.CRC,
        info.compress_type,
        info.flag_bits,
    )


def _check(entries: list[Entry], end: int) -> None:
    if any(entry.flags & ENCRYPTED for entry in entries):
        raise Damage("IMC-4006")
    if len({entry.name for entry in entries}) < len(entries):
        raise Damage("IMC-4012")
    stretches = sorted((entry.header, _end(entry)) for entry in entries)
    for (_, stop), (start, _) in pairwise(chain(stretches, [(end, end)])):
        if stop > start:
            raise Damage("IMC-4012")
    if stretches and stretches[0][0] < 0:
        raise Damage("IMC-4003", why="entry before the file's begin")


def _end(entry: Entry) -> int:
    return entry.header + LOCAL.size + len(entry.raw_name) + entry.packed


def _check_methods(files: Mapping[str, Entry]) -> None:
    for entry in files.values():
        if entry.method not in METHODS:
            raise Damage("IMC-4011", kind=f"zip method {entry.method}")


def seek_entry(file: BinaryIO, entry: Entry) -> None:
    """Place `file` at the first packed byte of an entry."""
    file.seek(entry.header)
    header = file.read(LOCAL.size)
    if len(header) < LOCAL.size or header[:4] != b"PK\x03\x04":
        raise Damage("IMC-4003", why="no zip entry here")
    name_length, extra_length = LOCAL.unpack(header)[-2:]
    if file.read(name_length) != entry.raw_name:
        raise Damage("IMC-4003", why="names of the zip entry differ")
    file.seek(extra_length, io.SEEK_CUR)


def unpack_entry(pieces: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    """The content of an entry; its length and check sum are compared at the end."""
    length = crc = 0
    for piece in METHODS[entry.method](pieces, entry):
        length += len(piece)
        crc = zlib.crc32(piece, crc)
        yield piece
    if length != entry.unpacked:
        raise Damage("IMC-4003", why=f"{entry.unpacked} bytes promised, {length} found")
    if crc != entry.crc:
        raise Damage("IMC-4003", why="check sum differs")


def _unpack_stored(pieces: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    return pieces


def _unpack_deflate(pieces: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    return unpack_one(pieces, open_inflate())


def _unpack_bz2(pieces: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    return unpack_one(pieces, open_bz2())


def _unpack_lzma(pieces: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    """A zip puts 4 bytes before the LZMA properties and leaves out the size that the old header wants."""
    head = b""
    while len(head) < 9:
        piece = next(pieces, b"")
        if not piece:
            raise Damage("IMC-4002")
        head += piece
    if head[2:4] != b"\x05\x00":
        raise Damage("IMC-4003", why="unknown LZMA properties")
    size = b"\xff" * 8 if entry.flags & END_MARKED else entry.unpacked.to_bytes(8, "little")
    yield from unpack_one(chain([head[4:9] + size + head[9:]], pieces), open_lzma())


METHODS: dict[int, Callable[[Iterator[bytes], Entry], Iterator[bytes]]] = {
    zipfile.ZIP_STORED: _unpack_stored,
    zipfile.ZIP_DEFLATED: _unpack_deflate,
    zipfile.ZIP_BZIP2: _unpack_bz2,
    zipfile.ZIP_LZMA: _unpack_lzma,
}
