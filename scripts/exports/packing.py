"""What a file may be packed in. Each opener takes the file and the name that it has without its ending."""

from __future__ import annotations

import gzip
import importlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from exports.core import Open


def open_zst(raw: IO[bytes], name: str) -> IO[bytes]:
    library = importlib.import_module("zstandard")
    return cast(IO[bytes], library.ZstdCompressor(level=3).stream_writer(raw, closefd=False))


def open_gz(raw: IO[bytes], name: str) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0))


@contextmanager
def open_zip(raw: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """A zip with one entry, for `Shape.container`."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(raw, "w", compresslevel=1) as pack, pack.open(entry, "w", force_zip64=True) as out:
        yield out


COMPRESSORS: dict[str, Open] = {"gz": open_gz, "zst": open_zst}
