"""The key index: it answers like a dictionary, through runs, merges and restarts."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert import durable
from imconvert.errors import IntegrityError
from imconvert.serve import keys as module
from imconvert.serve.keys import KeyIndex
from imconvert.serve.runs import ROW, Known, Run, merged, write_run

SEED = 7


def some_keys(rng: random.Random, count: int) -> dict[bytes, Known]:
    return {rng.randbytes(16): Known(rng.randbytes(8), rng.getrandbits(63)) for _ in range(count)}


def take(index: KeyIndex, found: dict[bytes, Known]) -> None:
    for key, one in found.items():
        index.add(key, one.digest, one.place)


def rows_of(found: dict[bytes, Known]) -> np.ndarray:
    digests = np.frombuffer(b"".join(one.digest for one in found.values()), "<u8")
    keys = np.frombuffer(b"".join(found), "<u8").reshape(-1, 2)
    places = [one.place for one in found.values()]
    rows = np.array([*zip(keys[:, 0], keys[:, 1], digests, places, strict=True)], ROW)
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
        take(index, fresh)
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


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), unique=True, min_size=1, max_size=300))
def test_a_run_finds_keys_whose_first_halves_are_equal(lows: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        known = {(low % 3).to_bytes(8, "little") + low.to_bytes(8, "little"): Known(b"%08d" % low, low) for low in lows}
        path = Path(folder) / "0-000001.keys"
        write_run(path, [rows_of(known)], len(known))
        run = Run(path)
        rows = np.array([(low % 3, low) for low in range(401)], "<u8")
        found = run.find(rows[:, 0], rows[:, 1])
        assert {low: Known(b"%08d" % low, low) for low in lows} == found
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


def test_a_merge_that_fails_leaves_nothing_and_waits_for_other_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk a retry every moment would fill it with halves, and use up the descriptors."""
    rng = random.Random(SEED)
    index = KeyIndex(tmp_path / "keys", [])
    for _ in range(module.FAN):
        take(index, some_keys(rng, 50))
        index.flush(lambda names: None)
    tried = 0

    def full(writer: durable.Writer, *, sync: bool) -> None:
        nonlocal tried
        tried += 1
        raise IntegrityError("IMC-6004", "x", why="no space")

    with monkeypatch.context() as patch:
        patch.setattr(durable.Writer, "finish", full)
        index.tend(lambda names: None)
        with pytest.raises(IntegrityError):
            index.tend(lambda names: None, wait=True)
        for _ in range(5):
            index.tend(lambda names: None, wait=True)
    assert 1 == tried
    assert module.FAN == len([*(tmp_path / "keys").iterdir()])
    take(index, some_keys(rng, 50))
    index.flush(lambda names: None)
    index.tend(lambda names: None)
    index.tend(lambda names: None, wait=True)
    assert 50 * (module.FAN + 1) == len(index)
    assert len(index.runs) < module.FAN
    index.close()
