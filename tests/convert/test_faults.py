"""Every operation on the disk may fail: the run says so (IMC-6004, with a path), and a clean run ends it (promise 3).

Plan: the small job is run with a fault at every operation in turn, once or from there on, each in a fork; the loop
is over operations, not over samples, but for a stride over (operation, error) pairs that keeps it short. Then the
inputs fail instead: shorter, changed, gone, between any two steps of a run.
"""

from __future__ import annotations

import gzip
import os
import random
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.faulty_disk import Fault, faulty
from support.small_jobs import (
    complete,
    differing,
    easemob,
    fast_folder,
    forked,
    leftovers,
    options,
    run,
    small_inputs,
    tree,
)

from imconvert import durable
from imconvert.cli.progress import Silent
from imconvert.errors import ImconvertError, InputError, IntegrityError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

SEED = int(os.environ.get("IMCONVERT_SEED", "1"))
STRIDE = int(os.environ.get("IMCONVERT_FAULT_STRIDE", "13"))
ERRORS = ("EIO", "ENOSPC", "EROFS", "EDQUOT", "short")


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        small_inputs(made / "in")
        yield made


def ended(wanted: Any, fault: Fault, *, reads: bool = False) -> dict[str, Any]:
    """How a run with a fault ended, told in words that fit through a pipe."""
    with faulty(wanted.output, fault, reads=reads) as disk:
        found: dict[str, Any] = {"code": None, "text": "", "kind": None}
        try:
            run(wanted)
        except ImconvertError as why:
            found = {"code": why.code, "text": str(why), "kind": type(why).__name__}
        except BaseException as why:  # noqa: BLE001 - anything else is what this test looks for
            found = {"code": "crash", "text": f"{why!r} at {place_of(why)}", "kind": type(why).__name__}
    return {**found, "fired": disk.fired, "reused": disk.reused, "operations": len(disk.log)}


def place_of(why: BaseException) -> str:
    """The innermost lines of the package that an exception passed."""
    frames = [frame for frame in traceback.extract_tb(why.__traceback__) if "/imconvert/" in frame.filename]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))


def wrong_with(found: dict[str, Any], output: Path) -> str | None:
    """What is wrong with the end of a run in which a fault fired."""
    if found["code"] is None:
        return "it finished quietly"
    if found["code"] != "IMC-6004":
        return f"{found['code']}: {found['text']}"
    if str(output) not in found["text"]:
        return f"no path in {found['text']}"
    if found["reused"]:
        return f"a failed file was used again: {found['reused'][:2]}"
    return None


def fail_everywhere(folder: Path, wanted: dict[str, bytes], cases: Iterator[Fault], *, reads: bool = False) -> None:
    fired, broken = Counter[str](), []
    for number, fault in enumerate(cases):
        output = folder / f"out-{number}"
        code, found = forked(
            lambda output=output, fault=fault: ended(options(folder / "in", output), fault, reads=reads)
        )
        assert code == 0, found
        if not found["fired"]:
            continue
        fired[f"{found['fired'][0]} {fault.what}"] += 1
        wrong = wrong_with(found, output)
        again, trouble = forked(lambda output=output: run(options(folder / "in", output)) and None)
        bad = complete(output) or trouble or differing(wanted, output) or leftovers(output)
        if wrong or again or bad:
            broken.append((fault, found["fired"], wrong, str(bad)[:80]))
    print(f"seed {SEED}: {fired.total()} faults fired: {dict(fired)}")
    print("\n".join(f"{count} x {what}" for what, count in Counter(told(*found) for found in broken).most_common()))
    assert broken == []


def told(fault: Fault, fired: tuple[str, str], wrong: str | None, bad: str) -> str:
    """A broken case in words that are the same for the same cause."""
    bad = "leftovers" if ".work" in bad else bad
    what = (wrong or "").split(" at ")[-1] if "crash" in (wrong or "") else wrong
    return f"{fired[0]}: {what}; then {bad}"


def count_of(folder: Path, *, reads: bool = False) -> tuple[int, dict[str, bytes]]:
    with faulty(folder / "whole", reads=reads) as disk:
        run(options(folder / "in", folder / "whole"))
    return len(disk.log), tree(folder / "whole")


@pytest.mark.parametrize("half", range(2))
@pytest.mark.parametrize("sticky", [False, True], ids=["once", "sticky"])
def test_any_operation_may_fail(folder: Path, sticky: bool, half: int) -> None:
    """Every operation fails with some error; which one moves on with the seed."""
    count, wanted = count_of(folder)
    every = [(at, what) for at in range(1, count + 1) for what in ERRORS]
    chosen = every[random.Random(SEED + half).randrange(STRIDE) :: STRIDE][half::2]
    fail_everywhere(folder, wanted, (Fault(at, what, sticky) for at, what in chosen))


def test_own_files_may_be_unreadable(folder: Path) -> None:
    """EIO while reading work files back ends the run, too."""
    count, wanted = count_of(folder, reads=True)
    places = range(1 + random.Random(SEED).randrange(11), count, 11)
    fail_everywhere(folder, wanted, (Fault(at, "EIO") for at in places), reads=True)


def test_faults_while_resuming(folder: Path) -> None:
    """The run that follows a killed one meets a fault, too; the third ends it."""
    count, wanted = count_of(folder)
    chance = random.Random(SEED)
    fired, broken = 0, []
    for number in range(60):
        output = folder / f"out-{number}"
        wish = options(folder / "in", output)
        faults = [Fault(chance.randrange(1, count), chance.choice(ERRORS), chance.random() < 0.5) for _ in range(2)]
        for fault in faults:
            code, found = forked(lambda wish=wish, fault=fault: ended(wish, fault))
            assert code == 0, found
            fired += bool(found["fired"])
            if found["fired"] and wrong_with(found, output):
                broken.append((faults, found["fired"], wrong_with(found, output)))
            assert complete(output) == []
        code, trouble = forked(lambda wish=wish: run(wish) and None)
        assert code == 0, trouble
        if differing(wanted, output) or leftovers(output):
            broken.append((faults, "then", str(differing(wanted, output) or leftovers(output))[:200]))
    print(f"seed {SEED}: {fired} faults in runs and their resumes")
    assert broken == []


def test_full_disk(tmp_path: Path) -> None:
    """A disk that is full from the first write on leaves nothing that looks finished."""
    small_inputs(tmp_path / "in")
    with faulty(tmp_path / "out", Fault(1, "ENOSPC", sticky=True)), pytest.raises(IntegrityError) as caught:
        run(options(tmp_path / "in", tmp_path / "out"))
    assert caught.value.code == "IMC-6004"
    assert "ENOSPC" in str(caught.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


# --- inputs that fail ---


class Between(Silent):
    """Does something once, when a phase begins."""

    def __init__(self, phase: str, act: Callable[[], Any]) -> None:
        self.wanted, self.act, self.done = phase, act, False

    def phase(self, name: str, total: int) -> None:
        if name == self.wanted and not self.done:
            self.done = True
            self.act()


LINES = [easemob(n) for n in range(1, 41)]


def shortened(path: Path, by: int) -> Callable[[], None]:
    return lambda: os.truncate(path, path.stat().st_size - by)


def codes_of(outcome: Any) -> list[str]:
    return [source.error["code"] for source in outcome.manifest.inputs if source.error]


@pytest.mark.parametrize("size", [900, 1 << 20], ids=["ranges", "whole"])
@pytest.mark.parametrize("cut", [1, 100, len(LINES[-1]), 3000])
def test_input_shrinks_between_plan_and_map(tmp_path: Path, size: int, cut: int) -> None:
    """A file that is shorter than it was planned is named; what is there is kept; the exit code says so."""
    source = tmp_path / "in.ndjson"
    source.write_bytes(b"".join(LINES))
    watch = Between("convert", shortened(source, cut))
    wish = options(source, tmp_path / "out", segment_size=size)
    try:
        outcome = run(wish, watch)
    except InputError as why:
        assert why.code in ("IMC-4009", "IMC-4010")
        return
    assert set(codes_of(outcome)) & {"IMC-4009", "IMC-4010"}
    assert outcome.exit_code == 4


@pytest.mark.parametrize("size", [900, 1 << 20], ids=["ranges", "whole"])
def test_input_changes_between_plan_and_map(tmp_path: Path, size: int) -> None:
    """Other bytes than those that the manifest's `edges` vouch for are never called the same input."""
    source = tmp_path / "in.ndjson"
    source.write_bytes(b"".join(LINES))
    other = b"".join(easemob(n, "yo") for n in range(1, 41))
    assert len(other) == source.stat().st_size
    watch = Between("convert", lambda: source.write_bytes(other))
    try:
        outcome = run(options(source, tmp_path / "out", segment_size=size), watch)
    except InputError as why:
        assert why.code == "IMC-4010"
        return
    assert codes_of(outcome) == ["IMC-4010"]


def test_packed_input_changes_between_plan_and_map(tmp_path: Path) -> None:
    source = tmp_path / "in.ndjson.gz"
    source.write_bytes(gzip.compress(b"".join(LINES)))
    watch = Between("convert", lambda: source.write_bytes(gzip.compress(b"".join(LINES[:20]))))
    try:
        outcome = run(options(source, tmp_path / "out"), watch)
    except InputError as why:
        assert why.code == "IMC-4010"
        return
    assert set(codes_of(outcome)) & {"IMC-4009", "IMC-4010"}


def interrupted(inputs: Path, output: Path) -> None:
    """A run that stops where mapping ends."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(options(inputs, output), Between("resolve", stop))


def other_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"hi 0"', b'"yo 0"'))


def more_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes() + easemob(99))


def fewer_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("change", [other_bytes, more_bytes, fewer_bytes])
def test_input_changed_before_resume(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """The message is that the input changed, not that an option did."""
    small_inputs(tmp_path / "in")
    interrupted(tmp_path / "in", tmp_path / "out")
    change(tmp_path / "in" / "a.ndjson")
    with pytest.raises(InputError) as caught:
        run(options(tmp_path / "in", tmp_path / "out"))
    assert caught.value.code == "IMC-4010"
    assert "a.ndjson" in str(caught.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_big_input_changed_in_the_middle_before_resume(tmp_path: Path) -> None:
    """A change far from both edges, to a file of the same size, is seen as well."""
    source = tmp_path / "in.ndjson"
    lines = [easemob(n) for n in range(1000, 2600)]
    source.write_bytes(b"".join(lines))
    interrupted_at_first_part(source, tmp_path / "out")
    lines[800] = easemob(1800, "yo")
    assert len(b"".join(lines)) == source.stat().st_size
    source.write_bytes(b"".join(lines))
    with pytest.raises(InputError) as caught:
        run(options(source, tmp_path / "out", segment_size=100_000))
    assert caught.value.code == "IMC-4010"


def interrupted_at_first_part(source: Path, output: Path) -> None:
    class Stop(Silent):
        def tick(self, done: int) -> None:
            if done >= 100_000:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(options(source, output, segment_size=100_000), Stop())


def test_input_removed_before_resume(tmp_path: Path) -> None:
    small_inputs(tmp_path / "in")
    interrupted(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "a.ndjson").unlink()
    with pytest.raises((InputError, UsageError)):
        run(options(tmp_path / "in", tmp_path / "out"))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_input_removed_between_plan_and_map(tmp_path: Path) -> None:
    small_inputs(tmp_path / "in")
    outcome = run(options(tmp_path / "in", tmp_path / "out"), Between("convert", (tmp_path / "in" / "a.ndjson").unlink))
    assert {"IMC-4001"} == set(codes_of(outcome))
    assert outcome.exit_code == 4


def test_only_bytes_on_the_disk_leave_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (fsync(fd), done.append("synced")))
    monkeypatch.setattr(os, "posix_fadvise", lambda *asked: done.append("left"), raising=False)
    monkeypatch.setattr(os, "POSIX_FADV_DONTNEED", 4, raising=False)
    for forget in (True, False):
        writer = durable.Writer(tmp_path / "shard")
        writer.write(b"line\n")
        writer.finish(sync=True, forget=forget)
    assert ["synced", "left", "synced"] == done
    assert (tmp_path / "shard").read_bytes() == b"line\n"
