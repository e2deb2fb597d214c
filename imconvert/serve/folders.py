"""Find finished output folders and their shards.

A folder that is given is an output itself, or holds outputs. Only what a manifest names counts; a manifest comes
last, by rename, so that what it names is whole. A replay adds shards to a manifest, so each is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from imconvert import durable
from imconvert.convert.books import manifest
from imconvert.convert.books.manifest import Manifest
from imconvert.convert.plan import FORMAT
from imconvert.errors import IntegrityError, UsageError
from imconvert.serve.state import File
from imconvert.vendors.contract import Target

OURS_NOT = frozenset({"lost+found"})
"""What a folder of outputs may have that cannot be looked into, and need not."""


def candidates(folder: Path) -> list[Path]:
    """A folder if it is a finished output, else what may be one in it, by name. Raises IntegrityError IMC-6052."""
    with _reading(folder):
        if durable.exists(folder / manifest.NAME):
            return [folder]
        return [folder / name for name in durable.names_in(folder) if name not in OURS_NOT]


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except IntegrityError as why:
        raise IntegrityError("IMC-6052", str(folder), why=str(why.values.get("why"))) from why


def mark(folder: Path) -> tuple[int, int] | None:
    """What changes with the manifest of a finished output: its size and the time of its last write; None without.
    Raises IntegrityError IMC-6052."""
    with _reading(folder):
        return durable.stamp(folder / manifest.NAME)


def shards(folder: Path, target: Target, known: Mapping[str, File]) -> Iterator[File]:
    """The shards of a finished output that are not `known` by path and sha256, in the order of its manifest; their
    numbers are still to be given.

    Raises UsageError IMC-1006 or IMC-1134 for an output that cannot be fed, IntegrityError IMC-6041.
    """
    found = _read(folder / manifest.NAME)
    if found.format != FORMAT:
        raise UsageError("IMC-1006", str(folder), found=found.format, ours=FORMAT)
    if found.target_name not in (target.name,):
        raise UsageError("IMC-1134", str(folder), found=found.target, target=target.name)
    for shard in found.shards:
        path = (folder / shard.name).absolute()
        old = known.get(str(path))
        if not old or old.sha256 != shard.sha256:
            yield File(
                number=0, kind="shard", path=str(path), bytes=shard.bytes, lines=shard.lines, sha256=shard.sha256,
                changed=_changed(path), first=shard.times[0], last=shard.times[1],
            )  # fmt: skip


def _changed(path: Path) -> int:
    try:
        with durable.Reader(path) as reader:
            return reader.changed
    except IntegrityError as why:
        raise IntegrityError("IMC-6041", str(path), why=str(why.values.get("why"))) from why


def _read(path: Path) -> Manifest:
    data = durable.read_file(path)
    try:
        return manifest.from_bytes(data or b"")
    except msgspec.DecodeError as why:
        raise UsageError("IMC-1014", str(path), why=str(why)) from why
