"""Apache Spark gives the same bytes as one machine, whatever dies on the way (docs/scale-out.md).

Plan: what one and two workers of this machine give is the yardstick; every file is compared. Needs pyspark and Java,
and is skipped without them unless IMCONVERT_TEST_SPARK=1 demands it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from golden import FIXTURES, VENDORS, cases
from support.small_jobs import ROOT, complete, differing, easemob, leftovers, options, recall, run, surroundings

from imconvert.cli.progress import Silent
from imconvert.cli.spark import chosen_engine
from imconvert.convert.ports import Clock
from imconvert.convert.run import Engines, convert
from imconvert.errors import UsageError
from imconvert.vendors import TARGETS


def missing() -> str:
    """What keeps these tests from running, or nothing."""
    try:
        import pyspark  # noqa: F401 - only whether it is there
    except ImportError:
        return "pyspark is not installed (pip install 'imconvert[spark]')"
    home = os.environ.get("JAVA_HOME")
    return "" if shutil.which("java", path=f"{home}/bin" if home else None) else "there is no Java"


LACKING = missing()
assert not (LACKING and os.environ.get("IMCONVERT_TEST_SPARK")), LACKING
pytestmark = [
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:.*fork.*:DeprecationWarning"),
]

CLOCK = Clock(time.time, time.monotonic)
PATIENCE = 240


class Job(NamedTuple):
    """One conversion of a corpus. `size` is that of segments."""

    corpus: str
    size: int
    more: dict[str, Any]

    @property
    def name(self) -> str:
        return "-".join([self.corpus, str(self.size), *map(str, self.more.values())])


JOBS = (
    Job("yunxin", 60_000, {}),
    Job("yunxin", 200_000, {"target": "tencent"}),
    Job("easemob", 30_000, {"on_conflict": "rekey", "recalls": "mark"}),
    Job("rongcloud", 30_000, {"target": "easemob"}),
    Job("tencent", 40_000, {"on_conflict": "keep-last", "recalls": "drop"}),
    Job("custom", 3_000, {"target": "rongcloud"}),
    Job("easemob", 90_000, {"target": "device"}),
)
ON_CLUSTER = (JOBS[4],)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs of all golden cases, a folder a vendor. Of self-built systems the cases with one mapping."""
    folder = tmp_path_factory.mktemp("corpora")
    for case in cases():
        if case.vendor == "custom" and case.name != "ndjson-log":
            continue
        for path in case.inputs():
            target = folder / case.vendor / f"{case.name}--{path.relative_to(case.path / 'in')}".replace("/", "--")
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    assert {path.name for path in folder.iterdir()} == set(VENDORS) == {job.corpus for job in JOBS}
    assert {job.more.get("target", "yunxin") for job in JOBS} == {name for name in TARGETS if not TARGETS[name].people}
    return folder


def wish(corpora: Path, job: Job, output: Path, **more: Any) -> Any:
    mapping = {"map": FIXTURES / "custom" / "ndjson-log" / "mapping.toml"} if job.corpus == "custom" else {}
    source = {"source": "auto" if mapping else job.corpus}
    return options(corpora / job.corpus, output, segment_size=job.size, **source, **mapping, **job.more, **more)


@pytest.fixture(scope="module")
def wanted(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this machine gives alone, with one worker and with two."""
    folder = tmp_path_factory.mktemp("wanted")
    for job in {job.name: job for job in (*JOBS, *ON_CLUSTER)}.values():
        outcome = run(wish(corpora, job, folder / job.name))
        run(wish(corpora, job, folder / "two", jobs=2))
        assert differing(folder / job.name, folder / "two") == []
        assert outcome.manifest.totals.written > 3
        assert outcome.facts["jobs"] == 1
        shutil.rmtree(folder / "two")
    return folder


def compare(corpora: Path, wanted: Path, output: Path, job: Job, engines: Engines) -> None:
    """Convert on Spark and compare every file."""
    outcome = convert(wish(corpora, job, output), Silent(), CLOCK, {}, engines)
    assert outcome.facts["engine"].startswith("spark "), outcome.facts
    assert differing(wanted / job.name, output) == []
    assert leftovers(output) == []


@pytest.fixture
def tidy() -> Iterator[None]:
    """The work folders of a local cluster lie inside of the installed package, wherever it is told to put them."""
    yield
    import pyspark

    shutil.rmtree(Path(pyspark.__file__).parent / "work", ignore_errors=True)


def test_threads_of_a_local_spark(corpora: Path, wanted: Path, tmp_path: Path) -> None:
    with chosen_engine("spark", "local[2,4]", [("spark.local.dir", str(tmp_path / "spark"))]) as engines:
        for job in JOBS:
            compare(corpora, wanted, tmp_path / job.name, job, engines)
        again = convert(wish(corpora, JOBS[0], tmp_path / JOBS[0].name), Silent(), CLOCK, {}, engines)
        assert again.again
        _a_file_that_is_not_shared(tmp_path, engines)


def _a_file_that_is_not_shared(folder: Path, engines: Engines) -> None:
    """A map that the driver has read and no other machine sees ends the run with a code and a place."""
    (folder / "in").write_bytes(easemob(1))

    def hidden(*args: Any) -> Any:
        spark, keys = engines(*args)
        (folder / "in").rename(folder / "elsewhere")
        return spark, keys

    with pytest.raises(UsageError, match="IMC-1353"):
        convert(options(folder / "in", folder / "unseen"), Silent(), CLOCK, {}, hidden)


def test_executors_of_a_local_cluster(corpora: Path, wanted: Path, tmp_path: Path, tidy: None) -> None:
    """In processes of their own, which share nothing but the disk."""
    where = [("spark.local.dir", str(tmp_path / "spark"))]
    with chosen_engine("spark", "local-cluster[2,1,1024]", where) as engines:
        for job in ON_CLUSTER:
            compare(corpora, wanted, tmp_path / job.name, job, engines)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Inputs that take a while, and what they become; with duplicates, conflicts and recalls from end to end."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "in").mkdir()
    for file in range(3):
        lines = [easemob(file * 9000 + n, "x" * (n % 200), team=n % 3 == 0) for n in range(1, 9001)]
        lines += [easemob(n * 7, "x" * (n * 7 % 200)) for n in range(1, 400)]
        lines += [recall(900_000 + file * 100 + n, 5000 * n + file) for n in range(1, 6)]
        (folder / "in" / f"{file}.ndjson").write_bytes(b"".join(lines))
    run(options(folder / "in", folder / "out", segment_size=900_000, recalls="drop"))
    return folder / "in", folder / "out"


def start(inputs: Path, output: Path, master: str, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "imconvert", "msgs", str(inputs), str(output), "--segment-size", "900000", "-q",
               "--latest", "1900000000000", "--recalls", "drop", *more]  # fmt: skip
    if master:
        command += ["--engine", "spark", "--master", master, "--conf", f"spark.local.dir={output}.spark"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=surroundings(), cwd=ROOT, start_new_session=True)


def ended(process: subprocess.Popen[bytes]) -> int:
    try:
        _, errors = process.communicate(timeout=PATIENCE)
    finally:
        for child in below(process.pid):
            child.kill()
        process.kill()
    print(errors.decode(errors="replace")[-3000:])
    return process.returncode


def below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_for(process: subprocess.Popen[bytes], what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert process.poll() is None, ended(process)
        assert time.monotonic() < end
        time.sleep(0.01)


def busy(output: Path) -> bool:
    """Whether an attempt has begun to write."""
    return any((output / ".work" / "attempts").glob("*/part-*"))


def kill_some(process: subprocess.Popen[bytes], name: str) -> int:
    """Kill one process below that has `name` on its command line, the youngest; gives how many there were."""
    found = []
    for child in below(process.pid):
        try:
            if any(name in word for word in child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    for child in sorted(found, key=lambda child: child.create_time())[-1:]:
        child.send_signal(signal.SIGKILL)
    return len(found)


def test_workers_and_executors_may_die(slow: tuple[Path, Path], tmp_path: Path, tidy: None) -> None:
    """A Python worker in the middle of mapping, then an executor once some parts are there."""
    inputs, whole = slow
    process = start(inputs, tmp_path / "out", "local-cluster[2,1,1024]")
    wait_for(process, lambda: busy(tmp_path / "out"))
    assert kill_some(process, "pyspark.daemon")
    wait_for(process, lambda: any((tmp_path / "out" / ".work").glob("part-*.json")))
    assert kill_some(process, "CoarseGrainedExecutorBackend") == 2
    assert ended(process) == 0
    assert differing(whole, tmp_path / "out") == []
    assert leftovers(tmp_path / "out") == []


def test_a_driver_may_die_and_anybody_goes_on(slow: tuple[Path, Path], tmp_path: Path) -> None:
    """Killed while it maps; once the run is finished on Spark, once on this machine from where Spark stood."""
    inputs, whole = slow
    process = start(inputs, tmp_path / "out", "local[2,4]")
    wait_for(process, lambda: any((tmp_path / "out" / ".work").glob("part-*.json")))
    process.kill()
    ended(process)
    assert complete(tmp_path / "out") == []
    parts = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / ".work").glob("part-*.json")}
    assert parts
    shutil.copytree(tmp_path / "out", tmp_path / "other")
    assert ended(start(inputs, tmp_path / "other", "")) == 0
    assert differing(whole, tmp_path / "other") == []
    assert ended(start(inputs, tmp_path / "out", "local[2,4]")) == 0
    assert differing(whole, tmp_path / "out") == []
    assert leftovers(tmp_path / "out") == []


def refused(*arguments: str, **more: str) -> str:
    """What the command says that ends with exit code 2."""
    command = [sys.executable, "-m", "imconvert", "msgs", *arguments, "--engine", "spark"]
    told = subprocess.run(
        command, capture_output=True, env=surroundings(**more), cwd=ROOT, timeout=PATIENCE, check=False
    )
    assert told.returncode == 2, told.stderr.decode()
    return told.stderr.decode()


def test_what_keeps_spark_from_starting_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(easemob(1))
    ends = str(tmp_path / "in"), str(tmp_path / "out")
    assert "IMC-1352" in refused(*ends)
    assert "IMC-1351" in refused(*ends, "--master", "local[1]", PATH="/bin:/usr/sbin", JAVA_HOME=str(tmp_path))
    assert "IMC-1356" in refused(*ends, "--master", "nonsense")
    bare = getattr(sys, "_base_executable", "")
    if bare and subprocess.run([bare, "-c", "import imconvert"], capture_output=True, check=False, cwd="/").returncode:
        assert "IMC-1354" in refused(*ends, "--master", "local[1]", PYSPARK_PYTHON=bare, PYTHONPATH="")
    assert not (tmp_path / "out" / "manifest.json").exists()
