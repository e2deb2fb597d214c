"""Measure resolving alone, on keys made up for it: time and peak memory for any number of rows.

Plan: keys are drawn from a seeded generator and written as the sorted runs that mapping would leave; a known share
of them stands twice. Then the package's own partitions are resolved in two workers, without the lines that confirm
equal hashes. The number of drops found must be the number planted.

    python scripts/bench_resolve.py --rows 100000000
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from imconvert.convert.map.part import RUN, KeyRuns
from imconvert.convert.pool import Pool
from imconvert.convert.resolve import drops
from imconvert.convert.resolve.partition import KeyFile, ResolveJob, partitions, resolve_partition
from imconvert.convert.work import KEY, WorkFolder, place_number

PART = 16 * RUN


def make_part(work: WorkFolder, number: int, rows: int, twins: int) -> KeyFile:
    """One part of `rows` keys; its last `twins` are again the first ones of the part before."""
    keys = np.empty(rows, KEY)
    for part, first, count in ((number, 0, rows - twins), (number - 1, rows - twins, twins)):
        stream = np.random.default_rng([7, part + 1])
        keys["hi"][first : first + count], keys["lo"][first : first + count] = stream.integers(
            0, 1 << 64, (count, 2), np.uint64
        ).T
    keys["digest"] = keys["lo"]
    keys["place"] = np.arange(rows, dtype=np.uint64) + np.uint64(place_number(number, 0, 0))
    runs = KeyRuns(work, number)
    for first in range(0, rows, RUN):
        runs.add(keys[first : first + RUN])
    runs.flush()
    runs.keys.finish()
    runs.buckets.finish()
    return KeyFile(runs.keys.path, runs.buckets.path, tuple(runs.runs))


@click.command()
@click.option("--rows", default=10_000_000, show_default=True, help="Keys in all.")
@click.option("--jobs", default=2, show_default=True, help="Workers.")
@click.option("--twins", default=0.01, show_default=True, help="Share of keys that stand twice.")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Where to work.")
def main(rows: int, jobs: int, twins: float, work: Path | None) -> None:
    """Resolve made-up keys; prints seconds, peak memory in bytes and the drops as JSON."""
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = WorkFolder(Path(name))
        counts = [min(PART, rows - first) for first in range(0, rows, PART)]
        planted = [0, *(int(min(now, before) * twins) for before, now in zip(counts, counts[1:], strict=False))]
        files = tuple(make_part(folder, n, count, planted[n]) for n, count in enumerate(counts))
        began = time.monotonic()
        with Pool(jobs, tick=lambda done: None) as pool:
            todo = [
                ResolveJob(folder.path, "yunxin", number, first, stop, files, confirm=False)
                for number, (first, stop) in enumerate(partitions(rows))
            ]
            for _ in pool.run(resolve_partition, todo):
                pass
            lists = [folder.partition(number) for number in range(len(todo))]
            found = sum(drops.merge(lists, folder.drops).total())
            seconds = time.monotonic() - began
            workers = sum(pool.peaks.values())
        facts = {"rows": rows, "partitions": len(todo), "seconds": round(seconds, 1), "workers_peak_bytes": workers}
        print(json.dumps({**facts, "planted": sum(planted), "found": found}))


if __name__ == "__main__":
    main()
