"""Find finished output folders and their shards.

A folder that is given is an output itself, or holds outputs. Only what a manifest names counts; a manifest comes
last, by rename, so that what it names is whole. A replay adds shards to a manifest, so each is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from imconvert import durable
from imconvert.convert import manifest
from imconvert.convert.manifest import Manifest
from imconvert.convert.plan import FORMAT
from imconvert.errors import IntegrityError, UsageError
from imconvert.serve.state import File
from imconvert.vendors.contract import Target


def finished(folders: Sequence[Path]) -> Iterator[Path]:
    """The finished outputs among and directly in the folders, by name."""
    for folder in folders:
        if durable.exists(folder / manifest.NAME):
            yield folder
        else:
            inner = (folder / name for name in durable.names_in(folder))
            yield from (one for one in inner if durable.exists(one / manifest.NAME))


def mark(folder: Path) -> tuple[int, int]:
    """What changes with the manifest of a finished output: its size and the time of its last write."""
    with durable.Reader(folder / manifest.NAME) as reader:
        return reader.size, reader.changed


def shards(folder: Path, target: Target) -> Iterator[File]:
    """The shards of a finished output, in the order of its manifest; their numbers are still to be given.

    Raises UsageError IMC-1006 or IMC-1134 for an output that cannot be fed, IntegrityError IMC-6041.
    """
    found = _read(folder / manifest.NAME)
    if found.format != FORMAT:
        raise UsageError("IMC-1006", str(folder), found=found.format, ours=FORMAT)
    if found.target_name not in (target.name,):
        raise UsageError("IMC-1134", str(folder), found=found.target, target=target.name)
    for shard in found.shards:
        path = (folder / shard.name).absolute()
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
