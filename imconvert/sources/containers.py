"""Open an input: plain, gzip, zstd, bzip2, xz or zip, from a file or from standard input.

Strategy: the container is told by its first bytes, never by its name. One chain reads, unpacks, watches the
ratio and joins blocks; the first bytes of the content are looked at before any is given.
Promise: all content before a damage is given, then `InputError` names the place; a cut or changed archive
is never taken for a whole one. One level of archive only. Blocks do not depend on how the input was read.
Cost: a few blocks of memory, plus the window that the archive asks for.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from imconvert.errors import InputError, Location
from imconvert.sources.archives import Entry, read_directory, seek_entry, unpack_entry
from imconvert.sources.files import open_file, read_at, size_of
from imconvert.sources.heads import container_of, encoding_of
from imconvert.sources.unpackers import UNPACK, Damage

__all__ = [
    "LIMITS",
    "MIB",
    "Limits",
    "Member",
    "container_of",
    "ignore",
    "label_of",
    "members",
    "open_blocks",
    "read_head",
    "read_range",
    "sniff",
]

MIB = 1 << 20
HEAD = 512
"""Bytes of content that tell a nested archive or a wrong encoding; the mark of a tar ends at 262."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an input may ask for."""

    ratio: int = 200
    """Unpacked to packed bytes, checked after `grace` unpacked bytes."""
    grace: int = 16 * MIB
    entries: int = 100_000
    """Entries of a zip."""
    block: int = MIB // 4
    """Bytes handed out at once at most."""
    read: int = 1 << 16
    """Packed bytes given to an unpacker at once."""


LIMITS = Limits()


class Member(NamedTuple):
    """One stream inside an input file: the name of a zip entry (else None) and its packed bytes."""

    name: str | None
    packed: int


def ignore(count: int) -> None:
    """The progress callback that tells nobody."""


def label_of(label: str, member: str | None) -> str:
    """How messages call a member of the file `label`; a label that names the member already stays."""
    if member is None or label.endswith(f"!{member}"):
        return label
    return f"{label}!{member}"


def read_head(path: Path, size: int = 65536) -> bytes:
    """The first bytes of a file as they lie on disk."""
    with _placing(str(path)), _reading(), open_file(path) as file:
        return file.read(size)


def members(path: Path, label: str, limits: Limits = LIMITS) -> list[Member]:
    """The streams of a file: the checked entries of a zip, or the file itself."""
    with _placing(label), _reading():
        with open_file(path) as file:
            kind = container_of(file.read(HEAD))
            size = size_of(file) or 0
        if kind != "zip":
            return [Member(None, size)]
        return [Member(entry.name, entry.packed) for entry in read_directory(path, limits.entries).values()]


def open_blocks(
    path: Path | str | None,
    label: str,
    *,
    member: str | None = None,
    limits: Limits = LIMITS,
    progress: Callable[[int], None] = ignore,
) -> Iterator[bytes]:
    """The content of a file (None: standard input) in blocks; damage is raised behind all before it."""
    given = 0
    try:
        with _opened(path) as file:
            for block in _blocks(_Raw(file, limits.read, progress), path, member, limits):
                given += len(block)
                yield block
    except Damage as why:
        raise _input_error(why, label_of(label, member), given) from None


def read_range(
    path: Path,
    label: str,
    start: int,
    stop: int,
    *,
    block: int = MIB // 4,
    progress: Callable[[int], None] = ignore,
) -> Iterator[bytes]:
    """The bytes from `start` to before `stop` of a plain file."""
    at = start
    try:
        with _opened(path) as file:
            while at < stop:
                with _reading():
                    data = read_at(file, min(block, stop - at), at)
                if not data:
                    raise Damage("IMC-4009", expected=stop, found=size_of(file))
                at += len(data)
                progress(len(data))
                yield data
    except Damage as why:
        raise _input_error(why, label, at) from None


def sniff(
    path: Path | None, label: str, limits: Limits = LIMITS, size: int = 65536, *, member: str | None = None
) -> bytes:
    """The first content bytes of `member`, or of the first that has any; standard input keeps its bytes."""
    limits = replace(limits, block=size)
    if path is None:
        return _sniff_stdin(label, limits)
    names = [each.name for each in members(path, label, limits)] if member is None else [member]
    heads = (_first(open_blocks(path, label, member=name, limits=limits), size) for name in names)
    return next(filter(None, heads), b"")


def _sniff_stdin(label: str, limits: Limits) -> bytes:
    """What is waiting in standard input, unpacked; it may be cut anywhere, which is no damage."""
    with _placing(label):
        raw = _Raw(io.BytesIO(_waiting(sys.stdin.buffer, limits.block)), limits.read, ignore)
        try:
            return _first(_blocks(raw, None, None, limits), limits.block)
        except Damage as why:
            if why.code != "IMC-4002":
                raise
    return b""


def _waiting(file: BinaryIO, size: int) -> bytes:
    with _reading():
        if file.seekable():
            at = file.tell()
            data = file.read(size)
            file.seek(at)
            return data
        return file.peek(size) if isinstance(file, io.BufferedReader) else b""


def _first(blocks: Iterator[bytes], size: int) -> bytes:
    """Up to `size` bytes; damage counts only if nothing lies before it."""
    head = b""
    try:
        while len(head) < size and (block := next(blocks, b"")):
            head += block
    except (InputError, Damage):
        if not head:
            raise
    return head[:size]


class _Raw:
    """The packed bytes of one member; counts what was handed on."""

    def __init__(self, file: BinaryIO, step: int, progress: Callable[[int], None]) -> None:
        self.consumed = 0
        self._file = file
        self._step = step
        self._most = MIB
        self._progress = progress
        self._ahead = b""

    def look(self) -> bytes:
        self._ahead = self._read(MIB)
        return self._ahead

    def seek(self, entry: Entry) -> None:
        with _reading():
            seek_entry(self._file, entry)

    def whole(self, expected: int | None, size: int) -> Iterator[bytes]:
        """All bytes, `size` at a time; fewer than `expected` are damage."""
        self._step = self._most = size
        yield from self.pieces()
        if expected is not None and self.consumed < expected:
            raise Damage("IMC-4009", expected=expected, found=self.consumed)

    def pieces(self, length: int | None = None) -> Iterator[bytes]:
        """All bytes in small pieces, or exactly the next `length`."""
        left = self._most if length is None else length
        while data := self._ahead or self._read(min(left, self._most)):
            self._ahead = b""
            for at in range(0, len(data), self._step):
                piece = data[at : at + self._step]
                self.consumed += len(piece)
                self._progress(len(piece))
                yield piece
            if length is not None:
                left -= len(data)
        if length is not None and left:
            raise Damage("IMC-4002")

    def size(self) -> int | None:
        """The size of a regular file."""
        return size_of(self._file)

    def _read(self, size: int) -> bytes:
        with _reading():
            return self._file.read(size)


def _blocks(raw: _Raw, path: Path | str | None, member: str | None, limits: Limits) -> Iterator[bytes]:
    size = max(limits.block, HEAD)
    packed, pieces = _content(raw, path, member, limits, size)
    joined = _joined(_watched(pieces, raw, limits) if packed else pieces, size)
    for number, block in enumerate(joined):
        if number == 0:
            _check_head(block[:HEAD], packed)
        for at in range(0, len(block), limits.block):
            yield block[at : at + limits.block]


def _content(
    raw: _Raw, path: Path | str | None, member: str | None, limits: Limits, size: int
) -> tuple[bool, Iterator[bytes]]:
    """Whether the content is packed, and its pieces, which have `size` bytes if it isn't."""
    if path is not None and member is not None:
        entry = _find(Path(path), member, limits)
        raw.seek(entry)
        return True, unpack_entry(raw.pieces(entry.packed), entry)
    expected = None if path is None else raw.size()
    kind = container_of(raw.look())
    if kind == "plain":
        return False, raw.whole(expected, size)
    if kind == "zip":
        raise Damage("IMC-4014") if path is None else ValueError("a zip is read member by member")
    if kind not in UNPACK:
        raise Damage("IMC-4011", kind=kind)
    return True, UNPACK[kind](raw.pieces())


def _find(path: Path, member: str, limits: Limits) -> Entry:
    with _reading():
        entry = read_directory(path, limits.entries).get(member)
    if entry is None:
        raise Damage("IMC-4010")
    return entry


def _watched(pieces: Iterator[bytes], raw: _Raw, limits: Limits) -> Iterator[bytes]:
    """Stops an archive that grows beyond its ratio to what was read, whatever it says of itself."""
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limits.grace and total > limits.ratio * raw.consumed:
            raise Damage("IMC-4004", ratio=limits.ratio)
        yield piece


def _joined(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Blocks of exactly `size`; the last one, also that before a damage, may be shorter."""
    held = bytearray()
    damage: Damage | None = None
    try:
        for piece in pieces:
            if not held and len(piece) == size:
                yield piece
                continue
            held += piece
            while len(held) >= size:
                yield bytes(held[:size])
                del held[:size]
    except Damage as why:
        damage = why
    if held:
        yield bytes(held)
    if damage:
        raise damage


def _check_head(head: bytes, packed: bool) -> None:
    """One level of archive only, and only UTF-8. A few bytes are no archive, whatever they begin like."""
    kind = container_of(head) if packed and len(head) >= 6 else "plain"
    if kind != "plain":
        raise Damage("IMC-4007", kind=kind)
    encoding = encoding_of(head)
    if encoding:
        raise Damage("IMC-4008", encoding=encoding)


@contextmanager
def _opened(path: Path | str | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdin.buffer
        return
    with _reading():
        file = open_file(path)
    with file:
        yield file


@contextmanager
def _reading() -> Iterator[None]:
    """Turns the system's errors into ours; holds only the calls that read, never a `yield`."""
    try:
        yield
    except OSError as why:
        raise Damage("IMC-4001", why=why.strerror or str(why)) from None


@contextmanager
def _placing(label: str) -> Iterator[None]:
    try:
        yield
    except Damage as why:
        raise _input_error(why, label, 0) from None


def _input_error(why: Damage, label: str, offset: int) -> InputError:
    values = dict(why.values)
    if why.code in ("IMC-4002", "IMC-4003"):
        values["offset"] = offset
    return InputError(why.code, Location(label, offset=offset), **values)
