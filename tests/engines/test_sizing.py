"""What `imconvert plan --engine spark` reckons, and what stands in the way of `--engine spark` before Spark begins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.small_jobs import easemob, surroundings

from imconvert.cli import cli, scale
from imconvert.cli.spark import absolute, chosen_engine
from imconvert.convert.options import Options
from imconvert.convert.plan import Plan, Segment
from imconvert.convert.spark import sizing
from imconvert.convert.spark.sizing import Cluster
from imconvert.errors import ImconvertError, UsageError
from imconvert.sources.inputs import Input

GIB, TIB = 1 << 30, 1 << 40


def plan_of(sizes: list[tuple[str, int]], **options: str) -> Plan:
    inputs = tuple(Input(f"{n}", f"/{n}", None, container, size, "") for n, (container, size) in enumerate(sizes))
    return Plan(1, "easemob", "yunxin", options, 0, inputs, (), (Segment(0, ()),) * 7)


@pytest.mark.parametrize(
    ("size", "cores", "expected"),
    [(0, 1, 32 << 20), (GIB, 4, 64 << 20), (100 * GIB, 100, 256 << 20), (100 * TIB, 100, GIB), (GIB, 1000, 32 << 20)],
)
def test_segments_keep_all_cores_busy(size: int, cores: int, expected: int) -> None:
    assert expected == sizing.segment_size(size, cores)


def test_what_ten_terabytes_take() -> None:
    found = sizing.sizing(plan_of([("plain", 10 * TIB)]), Cluster(10, 16, 64 * GIB))
    assert (found.segment_size, found.segments) == (GIB, 10 * 1024)
    assert found.messages == 10 * TIB // 350
    assert found.keys == found.messages * 32
    assert found.partitions * 2 * (1 << 21) > found.messages >= found.partitions * (1 << 20)
    assert (found.executors, found.executor_cores) == (40, 4)
    assert found.executors // 10 * (found.executor_memory + found.executor_overhead) <= 64 * GIB
    assert 54 * 60 < found.seconds < 60 * 60
    assert found.shared > 2 * found.bytes


def test_a_small_machine_gets_fewer_cores_than_it_has() -> None:
    found = sizing.sizing(plan_of([("plain", GIB)]), Cluster(1, 16, 4 * GIB))
    assert (found.executors, found.executor_cores) == (1, 2)


def test_a_packed_file_is_one_task_and_plain_ones_are_cut() -> None:
    found = sizing.sizing(plan_of([("gz", 100 * GIB), ("plain", 100 * GIB), ("gz", 1000)]), Cluster(4, 4, 64 * GIB))
    assert found.longest == 500 * GIB / sizing.RATE
    assert found.segments == 100 + 1 + 1


def test_a_segment_size_that_was_asked_for_counts() -> None:
    found = sizing.sizing(plan_of([("plain", GIB)], **{"segment-size": "1000"}), Cluster(1, 2, 8 * GIB))
    assert (found.segment_size, found.segments) == (1000, 7)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.ndjson"
    path.write_bytes(b"".join(easemob(n) for n in range(1, 50)))
    return path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_plan_says_how_to_size_a_run(source: Path, language: str) -> None:
    arguments = ["plan", str(source), "--engine", "spark", "--nodes", "3", "--cores", "8"]
    told = CliRunner().invoke(cli, arguments, env={"IMCONVERT_LANG": language})
    assert told.exit_code == 0, told.output
    assert "--conf spark.executor.instances=6 --conf spark.executor.cores=4" in told.output
    assert all(word in told.output for word in (scale.WORDS[language]["executors"], scale.WORDS[language]["driver"]))
    figures = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).output)
    assert figures["bytes"] == source.stat().st_size
    assert scale.WORDS["en"].keys() == scale.WORDS["zh"].keys()


def test_plan_without_the_option_is_about_loading() -> None:
    told = CliRunner().invoke(cli, ["plan", "--help"])
    assert "loading OUT" in told.output
    assert "imconvert plan --engine spark --help" in " ".join(told.output.split())


def asked(*arguments: str) -> ImconvertError:
    told = CliRunner().invoke(cli, ["msgs", *arguments])
    assert isinstance(told.exception, ImconvertError), told.output
    return told.exception


def test_options_of_spark_need_spark(source: Path, tmp_path: Path) -> None:
    for option in (["--master", "yarn"], ["--conf", "a=b"]):
        assert asked(str(source), str(tmp_path / "out"), *option).code == "IMC-1355"
    assert asked(str(tmp_path), "--replay", str(source), "--engine", "spark").code == "IMC-1355"


def test_spark_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyspark", "py4j", "py4j.protocol"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"IMC-1350.*imconvert\[spark\]"), chosen_engine("spark", "local[2]", []):
        pass


def test_nothing_of_spark_is_loaded_without_the_option() -> None:
    code = "import sys, imconvert.cli.msgs; print([n for n in sys.modules if n[:3] in ('py4', 'pys')])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, env=surroundings(), check=True)
    assert told.stdout.strip() == b"[]"


def test_paths_mean_the_same_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    given: Any = {name: Path(name) for name in ("output", "ids", "tids", "map", "members")}
    found = absolute(Options(inputs=("in",), **given))
    assert [tmp_path / name for name in given] == [getattr(found, name) for name in given]
    assert absolute(Options(inputs=(), output=Path("out"))).ids is None
