"""Read the keys of a finished shard back, as if it were a part that had just been mapped.

Promise: a shard that is not as the manifest says, or an index that does not fit it, ends the replay (IMC-6002).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from imconvert import durable
from imconvert.convert.map.part import KeyRuns
from imconvert.convert.seal import index
from imconvert.convert.work import KEY, ROW, ShardFacts, WorkFolder, place_number
from imconvert.durable.sums import Sums
from imconvert.errors import IntegrityError
from imconvert.model import key_of
from imconvert.vendors import TARGETS


@dataclass(frozen=True, slots=True)
class FinishedShard:
    """A finished shard that stands in for a part: its number as a segment, its stream, its facts."""

    number: int
    stream: int
    facts: ShardFacts


@dataclass(frozen=True, slots=True)
class KeysJob:
    """What a worker needs to read the keys of one finished shard."""

    work: Path
    output: Path
    target: str
    shard: FinishedShard
    own_keys: bool = False


def read_keys(job: KeysJob, progress: Any) -> list[int]:
    """Leave rows and keys of a finished shard as if it were a part; gives the lengths of its runs.

    Raises IntegrityError IMC-6002 where the shard or its index is not as it was written.
    """
    work, shard, target = WorkFolder(job.work), job.shard, TARGETS[job.target]
    name, stream = shard.facts.name, shard.facts.stream
    part = work.part(shard.number, stream)
    if not durable.link(job.output / name, part):
        durable.join_files(part, [job.output / name])
    sums = Sums()
    durable.scan(part, seen=sums.add)
    _as_written(name, sums.sha256 == shard.facts.sha256)
    rows = durable.Writer(work.part(shard.number, f"{stream}.rows"))
    keys = KeyRuns(work, shard.number)
    first = begin = 0
    with durable.Reader(job.output / index.FOLDER / index.name_of(name)) as beside:
        lines = durable.lines_of(part)
        for block in index.blocks(beside):
            some = list(islice(lines, len(block["msgid"])))
            _as_written(name, len(some) == len(block["msgid"]))
            found, hashed, begin = _shard_rows(block, some, target, begin, own_keys=job.own_keys)
            hashed["place"] += np.uint64(place_number(shard.number, shard.stream, first))
            rows.write(found.tobytes())
            keys.add(hashed)
            first += len(found)
            progress(int(found["length"].sum()) + len(found))
    _as_written(name, first == shard.facts.lines)
    keys.flush()
    for writer in (rows, keys.keys, keys.buckets):
        writer.finish()
    return keys.runs


def _as_written(name: str, found: bool) -> None:
    if not found:
        raise IntegrityError("IMC-6002", name, what="the shard or its index is not what the manifest says")


def _shard_rows(
    block: dict[str, Any], lines: list[bytes], target: Any, begin: int, *, own_keys: bool
) -> tuple[Any, Any, int]:
    count = len(block["msgid"])
    rows, keys = np.zeros(count, ROW), np.zeros(count, KEY)
    for name in index.COLUMNS:
        rows[name] = block[name] - np.uint64(name == "line")
    hashes, digests = [], []
    for row, line in enumerate(lines):
        hashes.append(key_of(*target.read_key(line).identity(own_keys)))
        digests.append(target.digest_of(line))
        rows["begin"][row], rows["length"][row] = begin, len(line)
        begin += len(line) + 1
    keys["hi"], keys["lo"] = np.frombuffer(b"".join(hashes), "<u8").reshape(count, 2).T
    keys["digest"] = np.frombuffer(b"".join(digests), "<u8")
    keys["place"] = np.arange(count, dtype=np.uint64)
    return rows, keys, begin
