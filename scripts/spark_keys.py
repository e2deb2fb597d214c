"""More keys than memory on Apache Spark: exchange and decide made-up keys, and look at every drop.

Plan: keys as in bench_resolve.py, of which a known share stands twice, go through the two exchanges of a run, with a
small heap for Java and little memory for Python's sorter, so that both spill. By construction it is known which
lines are dropped and which stay; every drop is compared.

    python scripts/spark_keys.py --rows 100000000 --heap 700m
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from bench_resolve import PART, make_part

from imconvert.cli.progress import Silent
from imconvert.cli.spark import chosen_engine
from imconvert.convert.options import Options
from imconvert.convert.resolve.partition import ResolveJob
from imconvert.convert.work import DROP, DUPLICATE, Decided, FileSum, PartMarker, WorkFolder, place_number, read_rows
from imconvert.durable import intact, size_of
from imconvert.durable.sums import Sums


def part_of(work: WorkFolder, number: int, rows: int, twins: int) -> PartMarker:
    """A part with such keys, as far as deciding is concerned."""
    found = make_part(work, number, rows, twins)
    files = {found.path.name: FileSum(size_of(found.path) or 0, digest_of(found.path))}
    return PartMarker(number, "", [], [], list(found.runs), {}, {}, {}, {}, {}, 0, files)


def digest_of(path: Path) -> str:
    sums = Sums()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sums.add(block)
    return sums.xxh3


def wrong_drops(work: WorkFolder, decided: Decided, counts: list[int], planted: list[int]) -> int:
    """How many drops are not as they were planted: the last lines of a part, for the first ones of the part before."""
    wrong = 0
    for number, (rows, twins) in enumerate(zip(counts, planted, strict=True)):
        path = work.list_of(decided, number)
        assert intact(path, decided.files[path.name].size, decided.files[path.name].digest)
        found, expected = read_rows(path, DROP), np.zeros(twins, DROP)
        expected["place"] = np.arange(rows - twins, rows, dtype=np.uint64) + np.uint64(place_number(number, 0, 0))
        expected["winner"] = np.arange(twins, dtype=np.uint64) + np.uint64(place_number(max(number - 1, 0), 0, 0))
        expected["kind"] = DUPLICATE
        wrong += int((found != expected).sum()) if len(found) == twins else abs(len(found) - twins) + 1
    return wrong


@click.command(help=__doc__.split("\n")[0])
@click.option("--rows", default=10_000_000, show_default=True, help="Keys in all, 32 bytes each.")
@click.option("--twins", default=0.01, show_default=True, help="Share of keys that stand twice.")
@click.option("--master", default="local[2,4]", show_default=True)
@click.option("--heap", default="700m", show_default=True, help="Memory of Java.")
@click.option("--sorter", default="64m", show_default=True, help="Memory of a Python worker before it spills.")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Where to work.")
def main(rows: int, twins: float, master: str, heap: str, sorter: str, work: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=work) as name:
        folder = WorkFolder(Path(name))
        counts = [min(PART, rows - first) for first in range(0, rows, PART)]
        planted = [0, *(int(min(now, before) * twins) for before, now in zip(counts, counts[1:], strict=False))]
        parts = [part_of(folder, n, count, planted[n]) for n, count in enumerate(counts)]
        conf = [("spark.driver.memory", heap), ("spark.executor.memory", heap), ("spark.python.worker.memory", sorter),
                ("spark.local.dir", name)]  # fmt: skip
        with chosen_engine("spark", master, conf) as engines:
            options: Any = Options((), folder.path)
            engine: Any
            engine, keys = engines(options, folder, Silent())
            with engine:
                began = time.monotonic()
                job = ResolveJob(folder.path, "yunxin", 0, 0, 0, (), confirm=False)
                decided = keys.decide(parts, job)
                seconds = time.monotonic() - began
                worker = engine.largest
        wrong = wrong_drops(folder, decided, counts, planted)
    found = decided.total()[DUPLICATE]
    facts = {"rows": rows, "key_bytes": rows * 32, "seconds": round(seconds, 1), "worker_peak_bytes": worker}
    print(json.dumps({**facts, "planted": sum(planted), "found": found, "wrong": wrong}))
    sys.exit(bool(wrong or found != sum(planted)))


if __name__ == "__main__":
    main()
