"""Tell finished outputs of this tool among folders: of these only the shards are input, as their manifest lists them.

Promise: a folder whose manifest is not ours is a folder like any other; one that is ours is read as a whole or refused.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from imconvert.errors import InputError, UsageError
from imconvert.vendors import TARGETS

MANIFEST = "manifest.json"
_WORK = ".work"
_MOST = 256 << 20
"""Bytes of a manifest, which grows with the inputs of its run."""


class _Shard(Struct):
    name: str
    bytes: int
    sha256: str


class _Manifest(Struct):
    """What makes a manifest ours, and what is needed of it here."""

    format: int
    source: str
    target: str
    shards: list[_Shard]
    totals: dict[str, int]
    files: dict[str, msgspec.Raw]
    inputs: list[msgspec.Raw]
    content: str = ""

    @property
    def target_name(self) -> str:
        return f"{self.target}/{self.content}" if self.content else self.target


_decode = msgspec.json.Decoder(_Manifest).decode


def shards_of(folder: Path) -> list[Path] | None:
    """The shards of a finished output, in their order; None for any other folder.

    Raises UsageError IMC-1201 for an output that can't be converted on, IMC-1202 for one that is not whole.
    """
    found = _manifest_in(folder)
    if found is None:
        return None
    target = TARGETS.get(found.target_name)
    if target is None or target.arrange:
        known = ", ".join(name for name, one in TARGETS.items() if not one.arrange)
        raise UsageError("IMC-1201", str(folder), target=found.target_name, known=known)
    if (folder / _WORK).exists():
        raise UsageError("IMC-1202", str(folder), why="a run on it is not finished")
    for shard in found.shards:
        _check(folder, shard)
    return [folder / shard.name for shard in found.shards]


def holds(folder: Path, name: str) -> bool:
    """Whether a folder is a finished output that holds this file beside its shards."""
    found = _manifest_in(folder)
    return found is not None and name in found.files


def _manifest_in(folder: Path) -> _Manifest | None:
    path = folder / MANIFEST
    try:
        if not path.is_file() or path.stat().st_size > _MOST:
            return None
        with path.open("rb") as file:
            return _decode(file.read())
    except msgspec.DecodeError:
        return None
    except OSError as why:
        raise InputError("IMC-4001", str(path), why=why.strerror or str(why)) from why


def _check(folder: Path, shard: _Shard) -> None:
    path = folder / shard.name
    if not path.is_file():
        raise UsageError("IMC-1202", str(folder), why=f"{shard.name} is missing")
    size = path.stat().st_size
    if size != shard.bytes:
        raise UsageError("IMC-1202", str(folder), why=f"{shard.name} has {size} bytes instead of {shard.bytes}")
