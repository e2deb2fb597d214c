"""Storage that is not mounted: object stores and HDFS behind a small port.

Strategy: a path whose first part is a scheme, such as `s3:/bucket/name` (what `Path` makes of `s3://bucket/name`), is a
name in a store; every other path is a file. fsspec and its packages know the stores, their endpoints and secrets; here
are the few calls that are needed: names, status, read_at, put, copy, delete.
Promise: `put` is atomic: a name appears with all of its bytes or not at all. Nothing that was listed or seen before is
believed again. Secrets are never in a path.
"""

from __future__ import annotations

import errno
import io
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from imconvert.errors import UsageError

SCHEMES = ("s3", "s3a", "oss", "obs", "cos", "gs", "abfs", "hdfs", "webhdfs", "file")
AT_ONCE = ("s3", "s3a", "oss", "obs", "cos", "gs", "abfs")
"""Stores that can be named; those in which a name appears only with all of its bytes, so that `put` needs no rename."""

BLOCK, BLOCKS, BUFFER = 1 << 18, 4, 1 << 22
"""Bytes that are read at once where less is wanted, and how many such blocks are kept for a name; bytes that are read
at once from front to back."""


class Status(NamedTuple):
    """Size in bytes, and when it was last written, in ns since 1970."""

    size: int
    changed: int


def scheme_of(path: Path) -> str:
    """The scheme of a name in a store, or nothing for a file."""
    first = path.parts[0] if path.parts else ""
    return first[:-1] if first.endswith(":") and first[:-1] in SCHEMES else ""


def is_remote(path: Path) -> bool:
    return bool(scheme_of(path))


def path_of(text: str) -> Path:
    """What a user wrote as a path or an address. Raises UsageError IMC-1358 for a store that nobody knows."""
    scheme, mark, _ = text.partition("://")
    if mark and scheme not in SCHEMES:
        raise UsageError("IMC-1358", text, known=", ".join(SCHEMES))
    return Path(text)


def address_of(path: Path) -> str:
    """A path as the address that the user would write."""
    scheme = scheme_of(path)
    return f"{scheme}://{'/' * (scheme == 'file')}{'/'.join(path.parts[1:])}" if scheme else str(path)


@contextmanager
def _asking(path: Path) -> Iterator[tuple[Any, str]]:
    """The file system of a store and the name in it; whatever goes wrong is an OSError. Raises UsageError IMC-1357."""
    scheme = scheme_of(path)
    address = address_of(path).replace(f"{scheme}://", f"{_CALLED.get(scheme, scheme)}://", 1)
    try:
        from fsspec.core import url_to_fs

        store, name = url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as why:
        raise UsageError("IMC-1357", address_of(path), why=str(why).rstrip(".")) from why
    try:
        yield store, name
    except OSError:
        raise
    except Exception as why:  # noqa: BLE001 - packages of others raise what they like
        raise OSError(errno.EIO, f"{type(why).__name__}: {why}") from why


_CALLED = {"s3a": "s3", "obs": "s3", "cos": "s3"}
"""Stores that speak S3's language; where they are is told by the endpoint."""


def names(path: Path) -> list[Path]:
    """All names below a path, or the path itself if it is a name; sorted."""
    with _asking(path) as (store, name):
        found = store.find(name)
    return sorted(Path(f"{path.parts[0]}/", each.lstrip("/")) for each in found)


def matching(text: str) -> list[Path]:
    """The names that a pattern stands for."""
    path = path_of(text)
    with _asking(path) as (store, name):
        found = store.glob(name)
    return sorted(Path(f"{path.parts[0]}/", each.lstrip("/")) for each in found)


def status(path: Path) -> Status | None:
    """What is known of a name, or None where there is none."""
    try:
        with _asking(path) as (store, name):
            found = store.info(name)
    except FileNotFoundError:
        return None
    return Status(int(found["size"] or 0), _changed(found)) if found["type"] == "file" else None


def _changed(found: dict[str, Any]) -> int:
    when = next((found[key] for key in ("LastModified", "last_modified", "mtime", "modified") if key in found), 0)
    return int((when.timestamp() if isinstance(when, datetime) else float(when)) * 1e9)


def read_at(path: Path, offset: int, length: int) -> bytes:
    """At most `length` bytes from `offset`; fewer where the name ends."""
    if length <= 0:
        return b""
    with _asking(path) as (store, name):
        data: bytes = store.cat_file(name, start=offset, end=offset + length)
    return data


def read(path: Path) -> bytes:
    """All bytes of a small name. Raises FileNotFoundError."""
    with _asking(path) as (store, name):
        data: bytes = store.cat_file(name)
    return data


def put(source: Path, target: Path) -> None:
    """Make a name hold the bytes of a file, whole or not at all."""
    with _asking(target) as (store, name):
        if scheme_of(target) in AT_ONCE:
            store.put_file(str(source), name)
            return
        store.makedirs(name.rpartition("/")[0], exist_ok=True)
        store.put_file(str(source), f"{name}.tmp")
        if scheme_of(target) != "file" and store.exists(name):
            store.rm_file(name)
        store.mv(f"{name}.tmp", name)


def move(source: Path, target: Path) -> None:
    """Give everything at or below a name another one; a crash in between leaves some under both."""
    for each in names(source):
        goal = target / each.relative_to(source) if each != source else target
        with _asking(each) as (store, name), _asking(goal) as (_, other):
            store.makedirs(other.rpartition("/")[0], exist_ok=True)
            store.copy(name, other)
            store.rm_file(name)


def delete(path: Path) -> None:
    """Remove everything at or below a name; nothing there is fine."""
    with _asking(path) as (store, name):
        if store.exists(name):
            store.rm(name, recursive=True)


@contextmanager
def made(path: Path) -> Iterator[Path]:
    """A file to write what gets this name: the file itself, or one that is put in place at the end."""
    if not is_remote(path):
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="imconvert-") as file:
        yield Path(file.name)
        put(Path(file.name), path)


def known(path: Path) -> Status:
    """What is known of a name. Raises FileNotFoundError."""
    found = status(path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "No such file", address_of(path))
    return found


def exists(path: Path) -> bool:
    """Whether there is something at or below a name."""
    with _asking(path) as (store, name):
        return bool(store.exists(name))


def names_in(path: Path) -> list[str]:
    """The last parts of the names right below a path, sorted; an absent one has none."""
    try:
        with _asking(path) as (store, name):
            found = store.ls(name, detail=False)
    except FileNotFoundError:
        return []
    return sorted(each.rstrip("/").rpartition("/")[2] for each in found if each.strip("/") != name.strip("/"))


def opened(path: Path) -> BinaryIO:
    """A file, or a name in a store, for reading from front to back."""
    if not is_remote(path):
        return path.open("rb")
    return cast(BinaryIO, io.BufferedReader(RemoteFile(path), BUFFER))


def far(file: BinaryIO) -> RemoteFile | None:
    """What is behind an open file that `opened` gave, if it is a name in a store."""
    raw = getattr(file, "raw", None)
    return raw if isinstance(raw, RemoteFile) else None


class Ranges:
    """Reads a name at any place, a few blocks kept at hand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.status = known(path)
        self.blocks: OrderedDict[int, bytes] = OrderedDict()

    def at(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`."""
        if length >= BLOCK:
            return read_at(self.path, offset, min(length, max(0, self.status.size - offset)))
        first, last = offset // BLOCK, (offset + max(length, 1) - 1) // BLOCK
        data = b"".join(self._block(number) for number in range(first, last + 1))
        return data[offset - first * BLOCK :][:length]

    def _block(self, number: int) -> bytes:
        found = self.blocks.pop(number, None)
        if found is None:
            start = number * BLOCK
            found = read_at(self.path, start, min(BLOCK, max(0, self.status.size - start)))
            while len(self.blocks) >= BLOCKS:
                self.blocks.popitem(last=False)
        self.blocks[number] = found
        return found


class RemoteFile(io.RawIOBase):
    """A name as a file that can be read and wound."""

    def __init__(self, path: Path) -> None:
        self.ranges = Ranges(path)
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.ranges.status.size}[whence]
        self.place = max(0, base + offset)
        return self.place

    def tell(self) -> int:
        return self.place

    def readinto(self, buffer: Any) -> int:
        data = self.ranges.at(self.place, len(buffer))
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)
