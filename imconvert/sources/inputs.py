"""From what the user names to an ordered list of input streams.

Strategy: each argument in the order given; a folder or a glob gives its files sorted bytewise by their path in it.
A zip gives one stream for each entry. Labels name a stream in reports and are the same on every machine.
Promise: the same arguments over the same files give the same list; times and folder order never matter.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from imconvert.errors import InputError, UsageError
from imconvert.sources.containers import Limits, container_of, members
from imconvert.sources.finished import MANIFEST, shards_of
from imconvert.sources.heads import encoding_of

STDIN = "-"
_EDGE = 65536


class Input(Struct, frozen=True):
    """One stream of records: a file, a zip entry, or standard input (`path` "-").

    `size` is the packed size in bytes (0 for standard input), `container` how it is packed. By `edges`, the sha256 of
    the file's size and of its first and last 64 KiB, a later run knows its inputs again; by `changed`, when it was
    last written (ns since 1970), this run knows that nobody wrote to it meanwhile.
    """

    label: str
    path: str
    member: str | None
    container: str
    size: int
    edges: str
    changed: int = 0


class Unreadable(Struct, frozen=True):
    """An input that could not even be opened: its label and the error."""

    label: str
    code: str
    values: dict[str, str | int]


def expand(patterns: tuple[str, ...], *, outside: Path | None = None) -> list[tuple[str, Path]]:
    """The files that the arguments name, each with its label, in input order, each file once.

    Raises UsageError IMC-1001 for an argument that names nothing, IMC-1011 where `outside`, the output folder, lies
    inside of a named folder.
    """
    found: dict[Path, str] = {}
    outside = outside and outside.resolve()
    for pattern in patterns:
        files = list(_files_of(pattern, outside))
        if not files:
            raise UsageError("IMC-1001", pattern=pattern)
        for label, path in files:
            found.setdefault(path, label)
    return _unique(found)


def _unique(found: dict[Path, str]) -> list[tuple[str, Path]]:
    """Files with their labels, files of the same name told apart as `name#2`, `name#3` in input order."""
    taken: dict[str, int] = {}
    files = []
    for path, label in found.items():
        taken[label] = taken.get(label, 0) + 1
        files.append((label if taken[label] == 1 else f"{label}#{taken[label]}", path))
    return files


def _files_of(pattern: str, outside: Path | None) -> Iterator[tuple[str, Path]]:
    path = Path(pattern)
    if pattern == STDIN:
        yield "stdin", Path(STDIN)
    elif path.is_dir():
        yield from _tree(path, outside)
    elif path.exists():
        yield path.name, Path(os.path.abspath(path))
    else:
        for name in sorted(glob.glob(pattern, recursive=True), key=os.fsencode):
            yield from _files_of(name, outside) if Path(name).is_dir() else [(Path(name).name, Path(name).absolute())]


def _tree(folder: Path, outside: Path | None) -> Iterator[tuple[str, Path]]:
    """All files below a folder but hidden ones, sorted bytewise; symbolic links to folders are not followed.

    Of finished outputs these are the shards alone. One that is named itself lends its name to their labels.
    """
    root = Path(os.path.abspath(folder))
    if outside is not None and outside.is_relative_to(root.resolve()):
        raise UsageError("IMC-1011", str(outside), folder=str(folder))
    paths: list[Path] = []
    above = root
    for base, folders, names in os.walk(root):
        shards = shards_of(Path(base)) if MANIFEST in names else None
        if shards is not None:
            folders.clear()
            paths.extend(shards)
            above = root.parent if Path(base) == root else above
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths.extend(Path(base, name) for name in names if not name.startswith("."))
    for path in sorted(paths, key=os.fsencode):
        yield path.relative_to(above).as_posix(), path


def open_inputs(files: list[tuple[str, Path]], limits: Limits) -> tuple[list[Input], list[Unreadable]]:
    """The streams of the files, and the files that hold none that can be read."""
    inputs: list[Input] = []
    unreadable: list[Unreadable] = []
    for label, path in files:
        try:
            inputs.extend(_streams(label, path, limits))
        except InputError as why:
            unreadable.append(Unreadable(label, why.code, {k: _plain(v) for k, v in why.values.items()}))
    return inputs, unreadable


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)


def _streams(label: str, path: Path, limits: Limits) -> Iterator[Input]:
    if path == Path(STDIN):
        yield Input(label, STDIN, None, "stream", 0, "")
        return
    size, edges, container, changed = _edges(label, path)
    if container != "zip":
        yield Input(label, str(path), None, container, size, edges, changed)
        return
    for member in members(path, label, limits):
        yield Input(f"{label}!{member.name}", str(path), member.name, container, member.packed, edges, changed)


def _edges(label: str, path: Path) -> tuple[int, str, str, int]:
    """Size, sha256 over size and both edges, container, and time of the last change of a regular file."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            size = found.st_size
            head = file.read(_EDGE)
            if size > 2 * _EDGE:
                file.seek(size - _EDGE)
            tail = file.read(_EDGE)
    except OSError as why:
        raise InputError("IMC-4001", label, why=why.strerror or str(why)) from why
    container = container_of(head)
    encoding = encoding_of(head) if container == "plain" else None
    if encoding:
        raise InputError("IMC-4008", label, encoding=encoding)
    return size, hashlib.sha256(b"%d\0" % size + head + tail).hexdigest(), container, found.st_mtime_ns


def check_unchanged(source: Input) -> None:
    """Raise InputError IMC-4009 or IMC-4010 where somebody wrote to an input since the run began."""
    if source.path == STDIN:
        return
    try:
        found = os.stat(source.path)
    except OSError as why:
        raise InputError("IMC-4001", source.label, why=why.strerror or str(why)) from why
    if source.member is None and found.st_size < source.size:
        raise InputError("IMC-4009", source.label, expected=source.size, found=found.st_size)
    if found.st_mtime_ns != source.changed or (source.member is None and found.st_size != source.size):
        raise InputError("IMC-4010", source.label)


def text_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file of the user's, without their LF; blank ones are left out. Raises InputError IMC-4001."""
    try:
        with path.open("rb") as file:
            for line in file:
                if line.strip():
                    yield line.rstrip(b"\r\n")
    except OSError as why:
        raise InputError("IMC-4001", str(path), why=why.strerror or str(why)) from why


SQLITE = b"SQLite format 3\0"


def is_database(path: Path) -> bool:
    """Whether a file of the user's is an SQLite database. Raises InputError IMC-4001."""
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE)) == SQLITE
    except OSError as why:
        raise InputError("IMC-4001", str(path), why=why.strerror or str(why)) from why


def lines_of_text(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 text of any size, with their ends. Raises InputError as `read_text` does."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from file
    except OSError as why:
        raise InputError("IMC-4001", str(path), why=why.strerror or str(why)) from why
    except UnicodeDecodeError as why:
        raise InputError("IMC-4008", str(path), encoding="another encoding") from why


def sha256_of(path: Path) -> str:
    """The sha256 of a file of the user's, of any size. Raises InputError IMC-4001."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as why:
        raise InputError("IMC-4001", str(path), why=why.strerror or str(why)) from why


def read_text(path: Path) -> str:
    """A small UTF-8 text of the user's, such as a map. Raises InputError IMC-4001, or IMC-4008 for other encodings."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as why:
        raise InputError("IMC-4001", str(path), why=why.strerror or str(why)) from why
    except UnicodeDecodeError as why:
        raise InputError("IMC-4008", str(path), encoding="another encoding") from why
