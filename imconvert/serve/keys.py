"""Which keys the feed has ever taken, answered online for a hundred million of them.

Strategy: new keys gather in a dictionary. When it is full it is sorted and written as a run, together with the place
in the feed up to which all keys are in runs; FAN runs of a level are merged into one of the next, beside the work.
Promise: the index is a cache of the feed's own lines. What the dictionary held when a process died is read again from
the lines behind that place, in the order of the feed, and so decides as it did before.
Cost: memory is the dictionary (MOST keys, about 25 MiB) and 1.3 to 2.6 bytes a key in runs; disk 32 bytes a key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from imconvert import durable
from imconvert.serve.runs import ROW, Array, Known, Run, known_of, merged, write_run

MOST = 131_072
FAN = 8


class KeyIndex:
    """Key to what is known of it. The level of each run is known by its name: `LEVEL-NUMBER.keys`.

    What is fresh is kept as bytes, which the garbage collector does not look at: for a hundred thousand of them it
    would hold up all answers.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Open the runs that the state names; files of the folder that it does not name are removed."""
        self.folder = folder
        durable.make_folder(folder)
        for name in durable.names_in(folder):
            if name.endswith(".keys") and name not in names:
                durable.remove(folder / name)
        self.runs: list[Run] = [Run(folder / name) for name in names]
        self._fresh: dict[bytes, bytes] = {}
        self._number = max((_number(name) for name in names), default=0)
        self._helper = ThreadPoolExecutor(1, "merge")
        self._refused: list[str] = []
        self._merging: Future[tuple[list[Run], Path]] | None = None

    def __len__(self) -> int:
        return len(self._fresh) + sum(run.count for run in self.runs)

    @property
    def names(self) -> list[str]:
        return [run.path.name for run in self.runs]

    @property
    def full(self) -> bool:
        return len(self._fresh) >= MOST

    def find(self, keys: Sequence[bytes]) -> dict[int, Known]:
        """Those keys that are known, by their index."""
        fresh = self._fresh
        found = {index: known_of(fresh[key]) for index, key in enumerate(keys) if key in fresh}
        if self.runs and keys:
            rows = np.frombuffer(b"".join(keys), "<u8").reshape(-1, 2)
            hi, lo = rows[:, 0], rows[:, 1]
            for run in self.runs:
                found |= run.find(hi, lo)
        return found

    def add(self, key: bytes, digest: bytes, place: int) -> None:
        """Take up a key that `find` did not know."""
        self._fresh[key] = digest + place.to_bytes(8, "little")

    def flush(self, note: Callable[[list[str]], None]) -> None:
        """Write the fresh keys as a run; `note` records the names of all runs, durably, before anything else."""
        if not self._fresh:
            note(self.names)
            return
        path = self._path(0)
        rows = _rows(self._fresh)
        write_run(path, (rows[at : at + 65536] for at in range(0, len(rows), 65536)), len(rows))
        durable.sync_folder(self.folder)
        note([*self.names, path.name])
        self.runs.append(Run(path))
        self._fresh = {}

    def tend(self, note: Callable[[list[str]], None], *, wait: bool = False) -> None:
        """Take over a merge that has ended, or begin one that is due. Call it now and then.

        A merge that fails is not tried again before there are other runs.
        """
        if self._merging and (wait or self._merging.done()):
            merging, self._merging = self._merging, None
            self._refused = self.names
            olds, path = merging.result()
            kept = [run for run in self.runs if run not in olds]
            note([*(run.path.name for run in kept), path.name])
            self.runs = [*kept, Run(path)]
            for run in olds:
                run.close()
                durable.remove(run.path)
        if not self._merging and self.names != self._refused and (due := self._due()):
            self._merging = self._helper.submit(self._merge, due)

    def _due(self) -> list[Run]:
        levels: dict[int, list[Run]] = {}
        for run in self.runs:
            levels.setdefault(_level(run.path.name), []).append(run)
        return next((runs for _, runs in sorted(levels.items()) if len(runs) >= FAN), [])

    def _merge(self, runs: list[Run]) -> tuple[list[Run], Path]:
        path = self._path(_level(runs[0].path.name) + 1)
        write_run(path, merged(runs), sum(run.count for run in runs))
        durable.sync_folder(self.folder)
        return runs, path

    def _path(self, level: int) -> Path:
        self._number += 1
        return self.folder / f"{level}-{self._number:06}.keys"

    def close(self) -> None:
        self._helper.shutdown()
        for run in self.runs:
            run.close()


def _level(name: str) -> int:
    return int(name.split("-")[0])


def _number(name: str) -> int:
    return int(name.split("-")[1].split(".")[0])


def _rows(fresh: dict[bytes, bytes]) -> Array:
    keys = np.frombuffer(b"".join(fresh), "<u8").reshape(-1, 2)
    found = np.frombuffer(b"".join(fresh.values()), "<u8").reshape(-1, 2)
    rows = np.empty(len(keys), ROW)
    rows["hi"], rows["lo"] = keys[:, 0], keys[:, 1]
    rows["digest"], rows["place"] = found[:, 0], found[:, 1]
    return rows[np.argsort(rows["hi"], kind="stable")]
