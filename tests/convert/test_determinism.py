"""Same input, same bytes: whatever the workers, container, hash seed, locale or interruption (promise 2)."""

from __future__ import annotations

import gzip
import hashlib
import random
import signal
import subprocess
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import zstandard
from support.small_jobs import (
    cli,
    command,
    content,
    differing,
    easemob,
    leftovers,
    options,
    recall,
    run,
    side,
    small_inputs,
    surroundings,
    tree,
)

POLICIES = ("quarantine", "keep-last", "rekey")


def export(seed: int, count: int) -> bytes:
    """Lines of every kind, with duplicates and conflicts near and far."""
    chance = random.Random(seed)
    lines: list[bytes] = []
    for number in range(1, count + 1):
        lines.append(easemob(number, chance.choice("ab") * chance.randrange(60), team=number % 3 == 0))
        match chance.randrange(12):
            case 0:
                lines.append(chance.choice(lines))
            case 1:
                lines.append(easemob(number, "other", team=number % 3 == 0))
            case 2:
                lines.append(chance.choice([b"bad\n", b"\n", b'{"msg_id":"7"}\n', b"\xff\n"]))
            case 3:
                lines.append(recall(9000 + number, number))
            case 4:
                lines.append(easemob(50_000 + number, bodies=3).replace(b"\n", b"\r\n"))
            case _:
                pass
    return b"".join(lines)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "in"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.ndjson").write_bytes(export(number, 80))
    return folder


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for name, data in tree(folder).items():
        found.update(f"{name}\0{len(data)}\0".encode() + data)
    return found.hexdigest()


@pytest.mark.parametrize("policy", POLICIES)
def test_any_number_of_workers(tmp_path: Path, inputs: Path, policy: str) -> None:
    for jobs in (1, 2, 3):
        code = cli(inputs, tmp_path / str(jobs), "-q", "-j", jobs, "--segment-size", "5k", "--on-conflict", policy)
        assert code.returncode == 3, code.stderr
    assert differing(tmp_path / "1", tmp_path / "2") == []
    assert differing(tmp_path / "1", tmp_path / "3") == []


PLACES: list[dict[str, str]] = [
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "LC_ALL": "zh_CN.UTF-8"},
    {"PYTHONHASHSEED": "2", "TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "IMCONVERT_LANG": "zh"},
    {"PYTHONHASHSEED": "random", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
]


def test_any_place_on_earth(tmp_path: Path, inputs: Path) -> None:
    found = []
    for number, place in enumerate(PLACES):
        done = cli(inputs, tmp_path / str(number), "-j", 1 + number % 2, "--segment-size", "5k", **place)
        assert done.returncode == 3, done.stderr
        found.append(digest(tmp_path / str(number)))
    assert [found[0]] * len(PLACES) == found


def test_the_folder_that_is_worked_in_does_not_show(tmp_path: Path, inputs: Path) -> None:
    """The same files under other paths, named otherwise, touched at other times."""
    copied = tmp_path / "elsewhere" / "deep"
    copied.mkdir(parents=True)
    for path in sorted(inputs.iterdir(), reverse=True):
        (copied / path.name).write_bytes(path.read_bytes())
    run(options(inputs, tmp_path / "a", segment_size=None))
    run(options(copied, tmp_path / "b", segment_size=None))
    assert differing(tmp_path / "a", tmp_path / "b") == []


PACKED = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}


def packed(folder: Path, kind: str, files: dict[str, bytes]) -> Path:
    """The same files under the same labels; a zip's labels have the archive in front, see `unlabelled`."""
    folder.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        for name, data in files.items():
            (folder / name).write_bytes(PACKED[kind](data))
    return folder


def unlabelled(data: bytes) -> bytes:
    return data.replace(b"all.zip!", b"")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", ["gz", "zst", "zip"])
def test_packed_or_plain(tmp_path: Path, inputs: Path, kind: str, policy: str) -> None:
    """Shards, side files and totals are the same; only the manifest's container and labels may differ."""
    files = {path.name: path.read_bytes() for path in sorted(inputs.iterdir())}
    plain = run(options(inputs, tmp_path / "plain", segment_size=None, on_conflict=policy)).manifest
    source = packed(tmp_path / "in", kind, files)
    other = run(options(source, tmp_path / "packed", segment_size=None, on_conflict=policy)).manifest
    names = [f"{name}.ndjson" for name in ("rejects", "conflicts", "duplicates", "skipped")]
    for name in names:
        expected = (tmp_path / "plain" / name).read_bytes()
        assert expected == unlabelled((tmp_path / "packed" / name).read_bytes()), name
    assert content(tmp_path / "plain") == content(tmp_path / "packed")
    assert (plain.totals, plain.fidelity.keys()) == (other.totals, other.fidelity.keys())
    assert {code: found.count for code, found in plain.repairs.items()} == {
        code: found.count for code, found in other.repairs.items()
    }


def meaning(folder: Path, name: str) -> Counter[str]:
    return Counter(str(sorted(line.items())) for line in side(folder, name))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("size", [7, 100, 997, 65536, None])
def test_segment_size_does_not_show_in_the_content(tmp_path: Path, inputs: Path, size: Any, policy: str) -> None:
    """Streams in order, and what was left out with its places, are the same however the input is cut."""
    if size == 7:
        inputs = tmp_path / "in"
        small_inputs(inputs)
    one = run(options(inputs, tmp_path / "one", segment_size=1 << 30, on_conflict=policy)).manifest
    many = run(options(inputs, tmp_path / "many", segment_size=size, on_conflict=policy)).manifest
    assert content(tmp_path / "one") == content(tmp_path / "many")
    for name in ("rejects", "conflicts", "duplicates", "skipped"):
        assert meaning(tmp_path / "one", name) == meaning(tmp_path / "many", name), name
    for table in ("totals", "rekeyed", "streams", "rejects", "skipped", "repairs", "fidelity"):
        assert getattr(one, table) == getattr(many, table), table
    assert [s.account for s in one.inputs] == [s.account for s in many.inputs]


def stopped(arguments: list[str], after: float, number: int) -> bool:
    """Run and send a signal after some time; whether the run ended before."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=surroundings())
    time.sleep(after)
    early = process.poll() is not None
    process.send_signal(number)
    process.wait(20)
    return early


def test_interrupted_or_not(tmp_path: Path, inputs: Path) -> None:
    """Stopped by signals at odd moments, with other numbers of workers each time, then run to its end."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole = (inputs, tmp_path / "whole", "-q", "--segment-size", "3k")
    cli(*whole)
    for _ in range(6):
        jobs = chance.choice([1, 2])
        again = command(inputs, tmp_path / "out", "-q", "--segment-size", "3k", "-j", jobs)
        if stopped(again, chance.uniform(0.15, 0.9), chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])):
            break
    assert cli(inputs, tmp_path / "out", "-q", "--segment-size", "3k").returncode == 3
    assert differing(tmp_path / "whole", tmp_path / "out") == []
    assert leftovers(tmp_path / "out") == []
