"""A check tells what a conversion would, and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from golden import Case, cases
from support.small_jobs import CLOCK, LATEST, ROOT, easemob, options, run, small_inputs, surroundings, yunxin

from imconvert.cli.progress import Silent
from imconvert.convert.books.manifest import Manifest
from imconvert.convert.check import check
from imconvert.convert.options import Budget, Options
from imconvert.convert.run import Outcome
from imconvert.errors import BudgetExceeded, ImconvertError

SHAPES = [("yunxin", "lines"), ("easemob", "lines"), ("easemob", "entities")]
RATES = ("--oddities", "0.3", "--duplicates", "0.08", "--conflicts", "0.05", "--damage", "0.05")
TOLD = ("source", "target", "totals", "inputs", "rejects", "skipped", "repairs", "fidelity")


def checked(wanted: Options, base: Path | None = None) -> Outcome:
    return check(wanted, base, Silent(), CLOCK, {})


def told(found: Manifest) -> dict[str, Any]:
    """What a check knows as well as a run does."""
    return {name: msgspec.to_builtins(getattr(found, name)) for name in TOLD} | {
        "inputs": [(source.file, source.account.read, source.account.rejected, source.error) for source in found.inputs]
    }


def same(wanted: Options, base: Path) -> None:
    expected, found = run(wanted), checked(wanted, base)
    assert told(expected.manifest) == told(found.manifest)
    assert expected.exit_code == found.exit_code


@pytest.mark.parametrize("seed", [11, 12])
@pytest.mark.parametrize(("vendor", "shape"), SHAPES, ids=["-".join(shape) for shape in SHAPES])
def test_counts_are_those_of_a_run(tmp_path: Path, vendor: str, shape: str, seed: int) -> None:
    script = ROOT / "scripts" / "make_export.py"
    made = [sys.executable, str(script), vendor, str(tmp_path / "in"), "--messages", "1500", "--files", "2", "--shape",
            shape, "--seed", str(seed), "--users", "100", "--groups", "20", *RATES]  # fmt: skip
    subprocess.run(made, check=True, capture_output=True)
    same(options(tmp_path / "in", tmp_path / "out", source=vendor, segment_size=60_000), tmp_path)


GOLDEN = [case for number, case in enumerate(cases()) if number % 6 == 0 or "conflicts" in case.name]


@pytest.mark.parametrize("case", [case for case in GOLDEN if "rekeyed" not in case.name], ids=lambda case: case.id)
def test_counts_are_those_of_golden_runs(tmp_path: Path, case: Case) -> None:
    same(options(case.path / "in", tmp_path / "out", **{"source": case.vendor, **case.asked()}), tmp_path)


@pytest.mark.parametrize("policy", ["quarantine", "keep-last"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_bit_of_everything(tmp_path: Path, policy: str, jobs: int) -> None:
    small_inputs(tmp_path / "in")
    same(options(tmp_path / "in", tmp_path / "out", on_conflict=policy, jobs=jobs), tmp_path)


def test_the_last_of_equals_counts_where_it_is_to_stay(tmp_path: Path) -> None:
    """Then both of the first two conflict with it; else one repeats the other."""
    (tmp_path / "in").write_bytes(easemob(1) + easemob(1) + easemob(1, "other"))
    for policy, counts in (("quarantine", (1, 1)), ("keep-last", (0, 2))):
        wanted = options(tmp_path / "in", tmp_path / policy, on_conflict=policy)
        same(wanted, tmp_path)
        totals = checked(wanted).manifest.totals
        assert counts == (totals.duplicates, totals.conflicts)


def test_conflicts_to_be_rekeyed_are_told_as_conflicts(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(easemob(1) + easemob(1, "other"))
    found = checked(options(tmp_path / "in", tmp_path / "out", on_conflict="rekey")).manifest
    assert (found.totals.written, found.totals.conflicts, found.rekeyed) == (1, 1, 0)


# --- nothing is left ---


@pytest.fixture
def source(tmp_path: Path) -> Path:
    small_inputs(tmp_path / "in")
    return tmp_path / "in"


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class Looking(Silent):
    """Remembers what lies in a folder at each phase."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: set[str] = set()

    def phase(self, name: str, total: int) -> None:
        self.seen |= {path.name for path in self.folder.iterdir()}


def test_scratch_lies_where_it_is_told_to_and_goes(tmp_path: Path, source: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    watch = Looking(work)
    check(options(source, work), work, watch, CLOCK, {})
    assert len(watch.seen) == 1
    assert list(work.iterdir()) == []


def test_scratch_goes_by_default_too(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    watch = Looking(tmp_path / "tmp")
    check(options(source, Path()), None, watch, CLOCK, {})
    assert len(watch.seen) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


class Stopping(Silent):
    def phase(self, name: str, total: int) -> None:
        if name == "resolve":
            raise KeyboardInterrupt


ERRORS: dict[str, tuple[dict[str, Any], Any]] = {
    "budget": ({"max_rejects": Budget(1, False)}, Silent()),
    "format": ({}, Silent()),
    "setting": ({"settings": {"no": "such"}}, Silent()),
    "map": ({"ids": Path(__file__)}, Silent()),
    "stop": ({}, Stopping()),
}


@pytest.mark.parametrize("case", ERRORS)
def test_scratch_goes_on_errors(tmp_path: Path, source: Path, case: str) -> None:
    (tmp_path / "odd").write_bytes(b'{"odd": 1}\n')
    work = tmp_path / "work"
    work.mkdir()
    more, watch = ERRORS[case]
    source = tmp_path / "odd" if case == "format" else source
    with pytest.raises((ImconvertError, KeyboardInterrupt)):
        check(options(source, work, **more), work, watch, CLOCK, {})
    assert list(work.iterdir()) == []


def test_the_budget_holds(source: Path, tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded):
        checked(options(source, tmp_path, max_rejects=Budget(0, False)))


def test_missing_ids_are_listed_where_asked_for(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(yunxin(1) + yunxin(2).replace(b"ann", "钱".encode()))
    checked(options(tmp_path / "in", tmp_path, source="yunxin", write_missing=tmp_path / "ids.csv"))
    assert (tmp_path / "ids.csv").read_text(encoding="utf-8") == "kind,source,target,messages\naccount,钱,,1\n"


# --- the command ---


def command(folder: Path, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run in an empty folder of its own, which has to stay empty."""
    here = folder / "here"
    here.mkdir(exist_ok=True)
    before = everything(folder)
    words = [sys.executable, "-m", "imconvert", "check", *map(str, arguments), "--latest", str(LATEST)]
    found = subprocess.run(words, cwd=here, capture_output=True, env=surroundings(), timeout=60, check=False)
    assert b"Traceback" not in found.stderr
    assert before == everything(folder)
    return found


EXITS: dict[str, tuple[bytes, tuple[str, ...], int]] = {
    "clean": (easemob(1), (), 0),
    "duplicate": (easemob(1) * 2, (), 0),
    "conflict": (easemob(1) + easemob(1, "other"), (), 3),
    "reject": (easemob(1) + b"bad\n", (), 3),
    "cut-off": (b"\x1f\x8b\x08\0\0\0\0\0\0\3", ("--from", "easemob"), 4),
    "budget": (easemob(1) + b"bad\n", ("--max-rejects", "0"), 5),
    "format": (b'{"odd": 1}\n', (), 2),
}


@pytest.mark.parametrize("case", EXITS)
def test_exit_codes(tmp_path: Path, case: str) -> None:
    data, more, code = EXITS[case]
    (tmp_path / "in").write_bytes(data)
    found = command(tmp_path, tmp_path / "in", *more)
    assert code == found.returncode, found.stderr


def test_json(tmp_path: Path, source: Path) -> None:
    found = json.loads(command(tmp_path, source, "--json", "--work", tmp_path / "here").stdout)
    assert (found["output"], found["exit_code"]) == (None, 3)
    assert found["manifest"]["totals"]["rejected"] == 2


def test_quiet_is_silent(tmp_path: Path, source: Path) -> None:
    found = command(tmp_path, source, "--quiet")
    assert (found.returncode, found.stdout, found.stderr) == (3, b"", b"")


def test_no_next_step_is_advised(tmp_path: Path, source: Path) -> None:
    said = command(tmp_path, source).stdout
    assert b"IMC-2001" in said
    assert b"Next" not in said


def test_no_such_work_folder(tmp_path: Path, source: Path) -> None:
    assert command(tmp_path, source, "--work", tmp_path / "none").returncode == 2
