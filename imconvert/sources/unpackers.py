"""Unpack gzip, zstd, bzip2 and xz streams: bytes in, bytes out, no files.

Strategy: every unpacker is a generator over pieces of packed bytes that gives pieces of content. No call
may put out more than a fixed number of bytes: zlib, bz2 and lzma take a maximum, zstd frames are walked
block by block.
Promise: what could be unpacked before a damage is given first, then `Damage` is raised; a stream that stops
early is never taken for a whole one. gzip and zstd give the same bytes however the input is cut into
pieces; bzip2 and xz do so for sound input, but may lose up to `SMALL` bytes just before a corrupt place
(their decoders drop them).
Cost: one decoder; 128 MiB window for zstd and 256 MiB for xz at most, and only if the archive asks for it.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import zstandard

from imconvert.sources.heads import PACKED, SKIPPABLE

STEP = 1 << 18
"""Bytes that zlib may put out in one call."""
SMALL = 256
"""Bytes that bz2 and lzma may put out in one call; kept small, as the output of a failed call is lost."""
WINDOW = 1 << 27
MEMORY = 1 << 28
ZST_BLOCK = 1 << 17

Unpack = Callable[[Iterator[bytes]], Iterator[bytes]]


class Damage(Exception):
    """Something is wrong with an input; who knows the place makes an `InputError` of it."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values


class Stream(Protocol):
    """One packed stream with an end of its own."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def rest(self) -> bytes | None:
        """The bytes behind the end of the stream, or None as long as the end was not met."""


class Inflate:
    """A deflate stream, bare (`wbits` -15) or with gzip header and check sum (31)."""

    def __init__(self, wbits: int) -> None:
        self._decoder = zlib.decompressobj(wbits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        out, decoder = b"", self._decoder
        while not decoder.eof and (data or len(out) == STEP):
            before = decoder.copy()
            try:
                out = decoder.decompress(data, STEP)
            except zlib.error as why:
                yield from _salvage(before, data)
                raise Damage("IMC-4003", why=str(why)) from None
            yield out
            data = decoder.unconsumed_tail

    def rest(self) -> bytes | None:
        return self._decoder.unused_data if self._decoder.eof else None


def _salvage(decoder: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """What lies before an error that is known to be in `data`: halve until one byte is left."""
    while len(data) > 1:
        half, trial = len(data) // 2, decoder.copy()
        try:
            out = trial.decompress(data[:half])
        except zlib.error:
            data = data[:half]
            continue
        yield out
        decoder, data = trial, data[half:]
    try:
        while out := decoder.decompress(data, 1):
            yield out
            data = decoder.unconsumed_tail
    except zlib.error:
        return


class Frugal:
    """A bzip2 or xz stream, unpacked in small steps."""

    def __init__(self, decoder: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._decoder = decoder

    def feed(self, data: bytes) -> Iterator[bytes]:
        decoder, held, more = self._decoder, bytearray(), True
        while more:
            try:
                out = decoder.decompress(data, SMALL)
            except (OSError, ValueError, lzma.LZMAError) as why:
                yield bytes(held)
                raise Damage("IMC-4003", why=str(why)) from None
            held += out
            data = b""
            more = not decoder.eof and (len(out) == SMALL or not decoder.needs_input)
            if len(held) >= STEP or not more:
                yield bytes(held)
                held.clear()

    def rest(self) -> bytes | None:
        return self._decoder.unused_data if self._decoder.eof else None


def unpack_one(pieces: Iterator[bytes], stream: Stream) -> Iterator[bytes]:
    """The content of exactly one stream, with nothing behind it."""
    for piece in pieces:
        if stream.rest() is not None:
            raise Damage("IMC-4003", why="bytes after the end")
        yield from stream.feed(piece)
    rest = stream.rest()
    if rest is None:
        raise Damage("IMC-4002")
    if rest:
        raise Damage("IMC-4003", why="bytes after the end")


def unpack_many(pieces: Iterator[bytes], start: Callable[[], Stream], magic: bytes, pad: int) -> Iterator[bytes]:
    """The content of streams in a row; zeros may follow a stream in multiples of `pad` (0: none)."""
    stream: Stream | None = start()
    zeros = 0
    for data in pieces:
        while data:
            if stream is None:
                data, dropped = _strip(data) if pad else (data, 0)
                zeros += dropped
                if not data:
                    break
                _expect_stream(data, magic, zeros % pad if pad else 0)
                stream, zeros = start(), 0
            yield from stream.feed(data)
            rest = stream.rest()
            if rest is not None:
                stream = None
            data = rest or b""
    if stream is not None:
        raise Damage("IMC-4002")
    _expect_stream(b"", magic, zeros % pad if pad else 0)


def _strip(data: bytes) -> tuple[bytes, int]:
    bare = data.lstrip(b"\0")
    return bare, len(data) - len(bare)


def _expect_stream(data: bytes, magic: bytes, odd_zeros: int) -> None:
    if odd_zeros or not magic.startswith(data[: len(magic)]):
        raise Damage("IMC-4003", why="trailing garbage")


class _Taker:
    """Takes exact numbers of bytes out of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()

    def up_to(self, count: int) -> bytes:
        while len(self._held) < count:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._held += piece
        out = bytes(self._held[:count])
        del self._held[:count]
        return out

    def take(self, count: int) -> bytes:
        out = self.up_to(count)
        if len(out) < count:
            raise Damage("IMC-4002")
        return out

    def skip(self, count: int) -> None:
        while count:
            count -= len(self.take(min(count, ZST_BLOCK)))


def unpack_zst(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The content of zstd frames in a row; skippable frames are skipped."""
    taker = _Taker(pieces)
    unpacker = zstandard.ZstdDecompressor(max_window_size=WINDOW)
    while magic := taker.up_to(4):
        if magic in SKIPPABLE:
            taker.skip(int.from_bytes(taker.take(4), "little"))
        elif PACKED["zst"].startswith(magic):
            yield from _unpack_frame(unpacker, magic, taker)
        else:
            raise Damage("IMC-4003", why="trailing garbage")


def _unpack_frame(unpacker: zstandard.ZstdDecompressor, magic: bytes, taker: _Taker) -> Iterator[bytes]:
    frame = unpacker.decompressobj()
    flags = taker.take(1)
    yield _feed_frame(frame, magic + flags + taker.take(_header_length(flags[0])))
    last = False
    while not last:
        head = taker.take(3)
        number = int.from_bytes(head, "little")
        last, kind, size = bool(number & 1), number >> 1 & 3, number >> 3
        if size > ZST_BLOCK:
            raise Damage("IMC-4003", why="zstd block too large")
        yield _feed_frame(frame, head + taker.take(1 if kind == 1 else size))
    if flags[0] & 4:
        yield _feed_frame(frame, taker.take(4))
    if not frame.eof:
        raise Damage("IMC-4003", why="zstd frame without an end")


def _header_length(flags: int) -> int:
    """Bytes of a frame header behind its first (RFC 8878, 3.1.1.1): window, dictionary id, content size."""
    single = flags >> 5 & 1
    return (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]


def _feed_frame(frame: zstandard.ZstdDecompressionObj, data: bytes) -> bytes:
    try:
        return frame.decompress(data)
    except zstandard.ZstdError as why:
        raise Damage("IMC-4003", why=str(why)) from None


def open_inflate() -> Stream:
    """A bare deflate stream."""
    return Inflate(-15)


def open_gz() -> Stream:
    """A gzip member."""
    return Inflate(31)


def open_bz2() -> Stream:
    """A bzip2 stream."""
    return Frugal(bz2.BZ2Decompressor())


def open_xz() -> Stream:
    """An xz stream."""
    return Frugal(lzma.LZMADecompressor(lzma.FORMAT_XZ, MEMORY))


def open_lzma() -> Stream:
    """An LZMA stream with the old header of 13 bytes."""
    return Frugal(lzma.LZMADecompressor(lzma.FORMAT_ALONE, MEMORY))


UNPACK: dict[str, Unpack] = {
    "gz": partial(unpack_many, start=open_gz, magic=PACKED["gz"], pad=1),
    "zst": unpack_zst,
    "bz2": partial(unpack_many, start=open_bz2, magic=PACKED["bz2"], pad=0),
    "xz": partial(unpack_many, start=open_xz, magic=PACKED["xz"], pad=4),
}
