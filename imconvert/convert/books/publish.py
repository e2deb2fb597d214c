"""Bring a finished run into the output folder, so that a crash at any moment leaves it unfinished or finished.

Order of durable writes: everything is built and synced in `.work/`; then `publish.json` names every move; then the
moves, each an atomic rename, `manifest.json` last; then the folders are synced and `.work/` goes. A run that finds
`publish.json` only has to finish the moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from imconvert import durable
from imconvert.convert.books.manifest import NAME, RUN, SIDES
from imconvert.convert.seal import index
from imconvert.convert.work import WorkFolder

WORK = ".work"


def announce(
    work: WorkFolder, shards: Sequence[str], sources: Sequence[str] = (), more: Sequence[list[str]] = ()
) -> None:
    """Write down what is to be moved: shards and indexes of source ids by name, and `more`, moves of this run's own.

    From here on the run is decided.
    """
    moves = [[shard, shard] for shard in shards]
    moves += [[index.name_of(shard), f"{index.FOLDER}/{index.name_of(shard)}"] for shard in shards]
    moves += [[name, f"{index.FOLDER}/{name}"] for name in sources]
    moves += more
    moves += [[f"{name}.ndjson", f"{name}.ndjson"] for name in SIDES]
    moves += [[RUN, RUN], [NAME, NAME]]
    durable.sync_folder(work.path)
    durable.replace_file(work.publish, msgspec.json.encode(moves))


def pending(work: WorkFolder) -> bool:
    """Whether a run was decided but not brought to its end."""
    return durable.read_file(work.publish) is not None


def finish(work: WorkFolder, output: Path) -> None:
    """Do the moves that are not done yet, then remove the work folder."""
    moves = msgspec.json.decode(durable.read_file(work.publish) or b"[]")
    folders = sorted({(output / target).parent for _, target in moves} | {output / index.FOLDER})
    for folder in folders:
        durable.make_folder(folder)
    for source, target in moves[:-1]:
        _move(work.path / source, output / target)
    for folder in reversed(folders):
        durable.sync_folder(folder)
    for source, target in moves[-1:]:
        _move(work.path / source, output / target)
    durable.sync_folder(output)
    durable.remove(work.path)
    durable.sync_folder(output)


def _move(source: Path, target: Path) -> None:
    if durable.exists(source):
        durable.rename(source, target)
