"""Bad input is data, a bad file is named, a bad folder is refused: code, exit code, and what is kept (promise 5)."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import zstandard
from support.small_jobs import (
    LATEST,
    START,
    cli,
    command,
    complete,
    content,
    differing,
    easemob,
    leftovers,
    options,
    run,
    side,
    surroundings,
    tree,
    yunxin,
)

from imconvert import durable
from imconvert.convert.options import Budget
from imconvert.errors import BudgetExceeded, UsageError
from imconvert.sources import records

GOOD = b"".join(yunxin(n) for n in range(1, 2001))
NOISE = b"".join(yunxin(n, random.Random(n).randbytes(40).hex()) for n in range(1, 2001))
"""Lines that do not pack well, so that a cut archive still holds some."""

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress, "xz": lzma.compress, "bz2": bz2.compress,
}  # fmt: skip


def put(path: Path, *parts: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(parts))
    return path


def converted(tmp_path: Path, *parts: bytes, **more: Any) -> Any:
    """The manifest of a run over one file of these parts."""
    source = put(tmp_path / "in" / "in", *parts)
    return run(options(source, tmp_path / "out", **{"source": "yunxin", "segment_size": None, **more}))


def codes(outcome: Any) -> list[str]:
    return [found.error["code"] for found in outcome.manifest.inputs if found.error]


def balanced(outcome: Any, output: Path) -> Any:
    totals = outcome.manifest.totals
    assert totals.rejected == len(side(output, "rejects"))
    assert totals.read + totals.split == (
        totals.written + totals.duplicates + totals.conflicts + totals.rejected + totals.skipped
    )
    assert complete(output) == []
    return totals


def ends(code: str, exit_code: int, *arguments: object, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """The command ends with this exit code, names the code, and shows no traceback."""
    found = cli(*arguments, **more)
    shown = (found.stdout + found.stderr).decode()
    assert "Traceback" not in shown
    assert exit_code == found.returncode, shown
    assert code in shown
    return found


# --- archives ---


@pytest.mark.parametrize("kind", PACK)
def test_cut_archive_keeps_what_lies_before(tmp_path: Path, kind: str) -> None:
    packed = PACK[kind](NOISE)
    outcome = converted(tmp_path, packed[: len(packed) * 2 // 3])
    totals = balanced(outcome, tmp_path / "out")
    assert codes(outcome) == ["IMC-4002"]
    assert outcome.exit_code == 4
    kept = content(tmp_path / "out").get("p2p", b"")
    assert [json.loads(line)["data"]["msgid"] for line in kept.splitlines()] == list(range(1, totals.written + 1))
    assert kind in ("bz2", "zst") or totals.written > 0


def test_cut_archive_beside_a_whole_one(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.gz", gzip.compress(NOISE)[:-3000])
    put(tmp_path / "in" / "b", yunxin(5000))
    found = ends("IMC-4002", 4, tmp_path / "in", tmp_path / "out")
    assert b"a.gz" in found.stdout
    assert b'"msgid":5000' in content(tmp_path / "out")["p2p"]


def test_gzip_bomb(tmp_path: Path) -> None:
    packed = gzip.compress(yunxin(1) + b"a" * (60 << 20))
    source = put(tmp_path / "bomb.gz", packed)
    began = time.monotonic()
    ends("IMC-4004", 4, source, tmp_path / "out")
    assert time.monotonic() - began < 20
    assert b'"msgid":1,' in content(tmp_path / "out")["p2p"]


def test_zip_bomb(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", yunxin(1) + b"a" * (60 << 20))
        archive.writestr("b", yunxin(2))
    ends("IMC-4004", 4, tmp_path / "bomb.zip", tmp_path / "out")
    assert content(tmp_path / "out")["p2p"].count(b"\n") == 2


def test_encrypted_zip(tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", GOOD)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    ends("IMC-4006", 4, path, tmp_path / "out")


@pytest.mark.parametrize("outer", ["gz", "zip"])
def test_nested_archive(tmp_path: Path, outer: str) -> None:
    inner = gzip.compress(GOOD)
    if outer == "gz":
        put(tmp_path / "in" / "a", gzip.compress(inner))
    else:
        (tmp_path / "in").mkdir()
        with zipfile.ZipFile(tmp_path / "in" / "a", "w") as archive:
            archive.writestr("a.gz", inner)
    put(tmp_path / "in" / "b", yunxin(1))
    ends("IMC-4007", 4, tmp_path / "in", tmp_path / "out")
    assert content(tmp_path / "out")["p2p"].count(b"\n") == 1


# --- encodings and records ---


def test_wide_encoding_is_named_and_the_rest_kept(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a", GOOD.decode().encode("utf-16"))
    put(tmp_path / "in" / "b", yunxin(1))
    found = ends("IMC-4008", 4, tmp_path / "in", tmp_path / "out")
    assert b"UTF-16" in found.stdout
    assert content(tmp_path / "out")["p2p"].count(b"\n") == 1


def gbk(number: int) -> bytes:
    return yunxin(number, "你好吗").decode().encode("gbk")


DEEP = b'{"a":' * 9999 + b"1" + b"}" * 9999

CASES: dict[str, tuple[bytes, str | None]] = {
    "gbk": (gbk(9), "IMC-2002"),
    "nul": (yunxin(9)[:-2] + b"\0\0\n", "IMC-2007"),
    "only-nul": (b"\0" * 50 + b"\n", "IMC-2007"),
    "bom": (b"\xef\xbb\xbf" + yunxin(9), None),
    "crlf": (yunxin(9).replace(b"\n", b"\r\n"), None),
    "surrogate": (yunxin(9).replace(b'"hi"', b'"h\\ud800i"'), None),
    "control": (yunxin(9).replace(b'"hi"', b'"h\ti"'), None),
    "deep": (b"[" * 10_000 + b"]" * 10_000 + b"\n", "IMC-2004"),
    "deep-open": (b'{"a":' * 10_000 + b"\n", "IMC-2004"),
    "deep-attach": (yunxin(9).replace(b'"body"', b'"attach": ' + DEEP + b', "body"'), "IMC-2004"),
    "msgid-2^63": (yunxin(2**63, time=START), "IMC-2103"),
    "msgid-2^64": (yunxin(2**64, time=START), "IMC-2103"),
    "msgid-max": (yunxin(2**63 - 1, time=START), None),
    "msgid-0": (yunxin(0), "IMC-2103"),
    "msgid-minus": (yunxin(-5), "IMC-2103"),
    "msgid-5000-digits": (yunxin(9).replace(b": 9,", b": " + b"9" * 5000 + b","), "IMC-2"),
    "time-400-digits": (yunxin(9, time=1710464400009).replace(b"1710464400009", b"9" * 400), "IMC-2"),
    "time-4000-digits": (yunxin(9, time=1710464400009).replace(b"1710464400009", b"9" * 4000), "IMC-2"),
    "time-5000-digits": (yunxin(9, time=1710464400009).replace(b"1710464400009", b"9" * 5000), "IMC-2"),
    "time-float": (yunxin(9, time=1710464400009).replace(b"1710464400009", b"1e400"), "IMC-2"),
    "type-huge": (yunxin(9).replace(b'"type": 0', b'"type": ' + b"9" * 4000), "IMC-2"),
    "array": (b"[1]\n", "IMC-2006"),
    "number": (b"17\n", "IMC-2006"),
    "text": (b"hello\n", "IMC-2001"),
    "nan": (b"NaN\n", "IMC-2"),
    "half": (yunxin(9)[:40] + b"\n", "IMC-2001"),
    "latin": (b"\xff\xfe\xfd\n", "IMC-2002"),
}  # fmt: skip


@pytest.mark.parametrize("source", ["yunxin", "easemob"])
@pytest.mark.parametrize("case", CASES)
def test_a_bad_record_costs_itself_only(tmp_path: Path, case: str, source: str) -> None:
    """Between two good records; rejected ones keep their place and their bytes."""
    bad, code = CASES[case]
    before, after = (yunxin(1), yunxin(2)) if source == "yunxin" else (easemob(1), easemob(2))
    if source == "easemob" and code is None:
        return
    outcome = converted(tmp_path, before, bad, after, source=source)
    totals = balanced(outcome, tmp_path / "out")
    assert totals.read == 3
    assert (3 if code is None else 2) == totals.written
    assert codes(outcome) == []
    for reject in side(tmp_path / "out", "rejects"):
        assert reject["code"].startswith((code or "none") if source == "yunxin" else "IMC-2")
        assert (2, len(before)) == (reject["line"], reject["offset"])
        assert bad.rstrip(b"\n") == raw_of(reject).rstrip(b"\n")


def raw_of(reject: dict[str, Any]) -> bytes:
    return reject["raw"].encode() if "raw" in reject else base64.b64decode(reject["raw_base64"])


def test_record_beyond_the_limit_is_rejected_not_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_LIMIT", 3 << 20)
    long = b"x" * ((3 << 20) + 1)
    outcome = converted(tmp_path, yunxin(1), long, b"\n", yunxin(2))
    assert balanced(outcome, tmp_path / "out").read == 3
    assert [reject["code"] for reject in side(tmp_path / "out", "rejects")] == ["IMC-2003"]
    assert len(yunxin(1)) == side(tmp_path / "out", "rejects")[0]["offset"]


@pytest.mark.parametrize("size", [None, 3 << 20], ids=["whole", "segments"])
def test_twenty_mebibytes_without_a_newline(tmp_path: Path, size: int | None) -> None:
    """A real case: kept are the first 64 KiB; what follows is still read."""
    outcome = converted(tmp_path, yunxin(1), b"x" * (20 << 20), b"\n", yunxin(2), segment_size=size)
    totals = balanced(outcome, tmp_path / "out")
    assert (totals.read, totals.written, totals.rejected) == (3, 2, 1)
    reject = side(tmp_path / "out", "rejects")[0]
    assert (reject["code"], reject["line"], len(reject["raw"])) == ("IMC-2003", 2, 65536)


@pytest.mark.parametrize("rest", [b"", b"\n", b"\n\n  \n"])
def test_empty_inputs(tmp_path: Path, rest: bytes) -> None:
    outcome = converted(tmp_path, rest)
    assert outcome.exit_code == 0
    assert rest.count(b"\n") == balanced(outcome, tmp_path / "out").skipped


def test_bom_in_the_middle_and_crlf_are_noted_at_their_place(tmp_path: Path) -> None:
    crlf = yunxin(3).replace(b"\n", b"\r\n")
    outcome = converted(tmp_path, yunxin(1), b"\xef\xbb\xbf", yunxin(2), crlf, yunxin(4), crlf)
    repairs = outcome.manifest.repairs
    assert (repairs["IMC-3001"].count, repairs["IMC-3001"].line) == (1, 2)
    assert (repairs["IMC-3002"].count, repairs["IMC-3002"].line) == (2, 3)


def test_cut_last_line_is_called_cut_off(tmp_path: Path) -> None:
    outcome = converted(tmp_path, yunxin(1), yunxin(2)[:30])
    assert list(outcome.manifest.rejects) == ["IMC-2005"]
    assert outcome.exit_code == 3


# --- standard input ---


@pytest.mark.parametrize("jobs", [1, 2])
def test_standard_input_is_read_wherever_it_is_mapped(tmp_path: Path, jobs: int) -> None:
    put(tmp_path / "b", b"".join(yunxin(n) for n in range(100, 150)))
    found = cli(
        "-", tmp_path / "b", tmp_path / "out", "--from", "yunxin", "-j", jobs, "--segment-size", "1k",
        stdin=b"".join(yunxin(n) for n in range(1, 51)),
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert content(tmp_path / "out")["p2p"].count(b"\n") == 100


def test_other_standard_input_is_another_run(tmp_path: Path) -> None:
    """A finished output never answers for data that it has not seen."""
    cli("-", tmp_path / "out", "--from", "yunxin", stdin=yunxin(1))
    found = cli("-", tmp_path / "out", "--from", "yunxin", stdin=yunxin(2))
    assert found.returncode == 2, found.stdout


# --- formats and folders ---


def test_unknown_format(tmp_path: Path) -> None:
    ends("IMC-1002", 2, put(tmp_path / "in", b'{"hello": 1}\n'), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ambiguous_format(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a", yunxin(1))
    put(tmp_path / "in" / "b", easemob(1))
    ends("IMC-1003", 2, tmp_path / "in", tmp_path / "out")


def test_missing_input(tmp_path: Path) -> None:
    ends("IMC-1001", 2, tmp_path / "nothing", tmp_path / "out")


def test_output_of_another_run(tmp_path: Path) -> None:
    first = put(tmp_path / "a", yunxin(1))
    assert cli(first, tmp_path / "out").returncode == 0
    before = tree(tmp_path / "out")
    ends("IMC-1005", 2, put(tmp_path / "b", yunxin(2)), tmp_path / "out")
    ends("IMC-1005", 2, first, tmp_path / "out", "--on-conflict", "rekey")
    ends("IMC-1005", 2, put(first, yunxin(3)), tmp_path / "out")
    assert before == tree(tmp_path / "out")


def test_unfinished_output_of_another_run(tmp_path: Path) -> None:
    source = put(tmp_path / "a", yunxin(1), b"bad\n")
    with pytest.raises(BudgetExceeded):
        run(options(source, tmp_path / "out", max_rejects=Budget(0, False)))
    for change in ({"on_conflict": "rekey"}, {"segment_size": 10}, {"strict": True}, {"source": "easemob"}):
        with pytest.raises(UsageError) as caught:
            run(options(source, tmp_path / "out", **change))
        assert caught.value.code == "IMC-1005"


def test_output_of_another_version(tmp_path: Path) -> None:
    source = put(tmp_path / "a", yunxin(1))
    run(options(source, tmp_path / "out"))
    path = tmp_path / "out" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 99'))
    ends("IMC-1006", 2, source, tmp_path / "out", "--latest", LATEST, "--segment-size", 900)


def test_unfinished_output_of_another_version(tmp_path: Path) -> None:
    source = put(tmp_path / "a", yunxin(1))
    put(tmp_path / "out" / ".work" / "plan.json", b'{"format": 99}')
    ends("IMC-1006", 2, source, tmp_path / "out")


@pytest.mark.parametrize("name", ["holiday.jpg", ".hidden", "p2p-00001.txt", "folder/x"])
def test_output_with_foreign_files(tmp_path: Path, name: str) -> None:
    put(tmp_path / "out" / name, b"mine")
    ends("IMC-1004", 2, put(tmp_path / "a", yunxin(1)), tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == b"mine"


def test_output_with_foreign_files_beside_work(tmp_path: Path) -> None:
    """What lies in an interrupted run's folder and is not its own is not written over."""
    source = put(tmp_path / "a", yunxin(1))
    put(tmp_path / "out" / ".work" / ".lock")
    put(tmp_path / "out" / "p2p-00001.txt", b"mine")
    with pytest.raises(UsageError):
        run(options(source, tmp_path / "out"))
    assert (tmp_path / "out" / "p2p-00001.txt").read_bytes() == b"mine"


HOLD = """
import sys, pathlib
from imconvert import durable
with durable.sole_owner(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_output_locked_by_another_process(tmp_path: Path) -> None:
    """Refused while the other lives; taken over as soon as it is gone, however it went."""
    work = tmp_path / "out" / ".work"
    work.mkdir(parents=True)
    source = put(tmp_path / "a", yunxin(1))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(work)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=surroundings()
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        ends("IMC-1007", 2, source, tmp_path / "out")
        holder.kill()
    assert cli(source, tmp_path / "out").returncode == 0


def other_run_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a run's first look at the folder and its lock, another run finishes there."""
    real = durable.make_folder

    def late(folder: Path) -> None:
        monkeypatch.setattr(durable, "make_folder", real)
        run(options(put(tmp_path / "other", *(yunxin(n) for n in range(1, 60))), tmp_path / "out"))
        real(folder)

    monkeypatch.setattr(durable, "make_folder", late)


def test_two_runs_never_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_run_first(tmp_path, monkeypatch)
    with pytest.raises(UsageError) as caught:
        run(options(put(tmp_path / "mine", yunxin(1)), tmp_path / "out"))
    assert caught.value.code in ("IMC-1004", "IMC-1005", "IMC-1007")
    assert complete(tmp_path / "out") == []


@pytest.mark.parametrize("where", ["in/out", "in", "in/../in/out", "link/out"])
def test_output_inside_of_input(tmp_path: Path, where: str) -> None:
    put(tmp_path / "in" / "a", yunxin(1))
    (tmp_path / "link").symlink_to(tmp_path / "in")
    with pytest.raises(UsageError) as caught:
        run(options(tmp_path / "in", tmp_path / where))
    assert caught.value.code == "IMC-1011"


# --- stops ---


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("budget", ["1", "0", "10%"])
def test_reject_budget(tmp_path: Path, budget: str, jobs: int) -> None:
    source = put(tmp_path / "a", *(yunxin(n) for n in range(1, 11)), b"bad\n" * 2)
    ends("IMC-5001", 5, source, tmp_path / "out", "--max-rejects", budget, "-j", jobs, "--segment-size", 300)
    assert sorted(os.listdir(tmp_path / "out")) == [".work"]
    found = cli(source, tmp_path / "out", "--max-rejects", "2", "-j", jobs, "--segment-size", 300)
    assert found.returncode == 3, found.stderr


def test_reject_budget_that_is_kept(tmp_path: Path) -> None:
    source = put(tmp_path / "a", *(yunxin(n) for n in range(1, 19)), b"bad\n" * 2)
    assert cli(source, tmp_path / "out", "--max-rejects", "10%").returncode == 3
    assert cli(source, tmp_path / "out2", "--max-rejects", "2").returncode == 3


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough work for a few seconds."""
    folder = tmp_path_factory.mktemp("big")
    block = b"".join(yunxin(n, "x" * 60) for n in range(1, 20_001))
    for number in range(12):
        put(folder / "in" / f"{number:02}", block.replace(b'"msgid": ', b'"msgid": %d' % (number + 1)))
    return folder / "in"


def started(big: Path, output: Path, jobs: int) -> subprocess.Popen[bytes]:
    arguments = command(big, output, "-q", "-j", jobs, "--segment-size", "1M")
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings(), start_new_session=True
    )
    deadline = time.monotonic() + 30
    while not list(output.glob(".work/part-*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def last_words(process: subprocess.Popen[bytes]) -> bytes:
    """What a stopped run says; one that hangs is killed with all its workers, so that no test leaves any behind."""
    try:
        return process.communicate(timeout=20)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def session_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found = []
    for other in psutil.process_iter():
        try:
            if os.getsid(other.pid) == process.pid and other.pid != process.pid and other.status() != "zombie":
                found.append(other)
        except (ProcessLookupError, psutil.NoSuchProcess, PermissionError):
            continue
    return found


def no_orphans(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 3
    while session_of(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [other.cmdline() for other in session_of(process)] == []


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
def test_stops_politely(tmp_path: Path, big: Path, jobs: int, number: int, code: int, group: bool) -> None:
    """Within two seconds, with the signal's exit code, nothing left running, and resumable."""
    process = started(big, tmp_path / "out", jobs)
    began = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    said = last_words(process)
    assert time.monotonic() - began < 2
    assert b"Traceback" not in said
    assert code == process.returncode, said
    no_orphans(process)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_killed_worker_is_told_and_the_run_resumes(tmp_path: Path, big: Path) -> None:
    process = started(big, tmp_path / "out", 2)
    workers = [other for other in session_of(process) if "resource_tracker" not in " ".join(other.cmdline())]
    began = time.monotonic()
    workers[0].kill()
    said = last_words(process)
    assert time.monotonic() - began < 5
    assert process.returncode == 6, said
    assert b"IMC-6003" in said and b"Traceback" not in said
    no_orphans(process)
    assert cli(big, tmp_path / "out", "-q", "-j", 2, "--segment-size", "1M").returncode == 0
    assert leftovers(tmp_path / "out") == []
    assert cli(big, tmp_path / "whole", "-q", "-j", 2, "--segment-size", "1M").returncode == 0
    assert differing(tmp_path / "whole", tmp_path / "out") == []


def test_killed_parent_leaves_no_orphans(tmp_path: Path, big: Path) -> None:
    process = started(big, tmp_path / "out", 2)
    process.kill()
    last_words(process)
    no_orphans(process)


def test_full_disk(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full."""
    source = put(tmp_path / "a", GOOD)
    script = "ulimit -f 40; trap '' XFSZ; exec \"$@\""
    limited = ["bash", "-c", script, "x", *command(source, tmp_path / "out", "-j", 1)]
    found = subprocess.run(limited, capture_output=True, env=surroundings(), timeout=60, check=False)
    assert found.returncode == 6, found.stderr
    assert b"IMC-6004" in found.stderr and b"Traceback" not in found.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()
    assert cli(source, tmp_path / "out").returncode == 0
