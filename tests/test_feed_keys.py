"""The key index: it answers like a dictionary, through runs, merges and restarts."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imconvert.errors import IntegrityError
from imconvert.serve import keys as module
from imconvert.serve.keys import KeyIndex
from imconvert.serve.runs import ROW, Run, merged, write_run

SEED = 7


def some_keys(rng: random.Random, count: int) -> dict[bytes, bytes]:
    return {rng.randbytes(16): rng.randbytes(8) for _ in range(count)}


def rows_of(found: dict[bytes, bytes]) -> np.ndarray:
    rows = np.array([(*np.frombuffer(key, "<u8"), np.frombuffer(d, "<u8")[0]) for key, d in found.items()], ROW)
    return rows[np.argsort(rows["hi"], kind="stable")]


def test_the_index_answers_like_a_dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 500)
    rng, known = random.Random(SEED), {}
    noted: list[str] = []

    def note(names: list[str]) -> None:
        noted[:] = names

    index = KeyIndex(tmp_path, [])
    for _ in range(40):
        fresh = some_keys(rng, rng.randrange(1, 300))
        index.add([*fresh], [*fresh.values()])
        known |= fresh
        if index.full:
            index.flush(note)
        index.tend(note, wait=True)
    assert len(known) == len(index)
    assert any(name.startswith("1-") for name in noted)
    index.flush(note)
    index.close()
    index = KeyIndex(tmp_path, noted)
    asked = [*rng.sample([*known], 2000), *some_keys(rng, 2000)]
    found = index.find(asked)
    assert {number: known[key] for number, key in enumerate(asked) if key in known} == found
    index.close()


def test_runs_that_nobody_names_are_removed(tmp_path: Path) -> None:
    (tmp_path / "0-000007.keys").write_bytes(b"half")
    KeyIndex(tmp_path, []).close()
    assert [] == [*tmp_path.glob("*.keys")]


@given(st.lists(st.integers(0, 400), unique=True, min_size=1, max_size=300))
def test_a_run_finds_keys_whose_first_halves_are_equal(lows: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        known = {(low % 3).to_bytes(8, "little") + low.to_bytes(8, "little"): b"%08d" % low for low in lows}
        path = Path(folder) / "0-000001.keys"
        write_run(path, [rows_of(known)], len(known))
        run = Run(path)
        rows = np.array([(low % 3, low) for low in range(401)], "<u8")
        found = run.find(rows[:, 0], rows[:, 1])
        assert {low: b"%08d" % low for low in lows} == found
        run.close()


def test_merging_keeps_all_rows_in_order(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    parts = [some_keys(rng, count) for count in (1, 70_000, 3, 140_000)]
    runs = []
    for number, part in enumerate(parts):
        path = tmp_path / f"{number}"
        write_run(path, [rows_of(part)], len(part))
        runs.append(Run(path))
    got = np.concatenate([*merged(runs)])
    assert sum(map(len, parts)) == len(got)
    assert bool(np.all(got["hi"][:-1] <= got["hi"][1:]))
    write_run(tmp_path / "all", merged(runs), len(got))
    everything = Run(tmp_path / "all")
    for part in parts:
        rows = rows_of(part)[:200]
        assert len(rows) == len(everything.find(rows["hi"], rows["lo"]))


@pytest.mark.parametrize("at", [0, 4, -1, -20, -40])
def test_a_damaged_run_is_told(tmp_path: Path, at: int) -> None:
    path = tmp_path / "run"
    write_run(path, [rows_of(some_keys(random.Random(SEED), 1000))], 1000)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="IMC-6043"):
        Run(path)
