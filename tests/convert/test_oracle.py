"""Generated exports, bad on purpose, come out as the naive oracle says, and as their maker knows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from golden import STREAMS, run, shards
from oracle import Answer, answer, as_answered, raw_entities, raw_lines, raw_zipped

from imconvert.convert.run import Outcome

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make_export.py"
RATES = ("--oddities", "0.3", "--duplicates", "0.08", "--conflicts", "0.05", "--damage", "0.05")
SHAPES = [("yunxin", "lines"), ("easemob", "lines"), ("easemob", "entities"), ("rongcloud", "logs"),
          ("rongcloud", "posts")]  # fmt: skip
SPLIT = {"lines": raw_lines, "entities": raw_entities, "logs": raw_zipped, "posts": raw_lines}


@dataclass(frozen=True, repr=False)
class Made:
    """One export: its maker's truth, the oracle's answer, and what the converter made of it."""

    truth: dict[str, Any]
    told: Answer
    outcome: Outcome
    written: Counter[str]


def make(folder: Path, vendor: str, shape: str, seed: int) -> Made:
    command = [sys.executable, str(SCRIPT), vendor, str(folder / "in"), "--messages", "3000", "--files", "2", "--shape",
               shape, "--seed", str(seed), "--users", "200", "--groups", "30", *RATES]  # fmt: skip
    truth = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    raws = [raw for name in truth["files"] for raw in SPLIT[shape]((folder / "in" / name).read_bytes())]
    outcome = run(folder / "in", folder / "out", vendor)
    lines = [(stream, line) for stream in STREAMS for line in shards(folder / "out", stream).splitlines()]
    return Made(truth, answer(vendor, raws), outcome, Counter(as_answered(*line) for line in lines))


@pytest.fixture(scope="module", params=[(*shape, seed) for shape in SHAPES for seed in (1, 2, 3)],
                ids=lambda param: "-".join(map(str, param)))  # fmt: skip
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("made"), *request.param)


def test_content_is_what_the_oracle_says(made: Made) -> None:
    assert (few(made.told.kept - made.written), few(made.written - made.told.kept)) == ([], [])


def few(lines: Counter[str]) -> list[str]:
    return sorted(lines.elements())[:5]


@pytest.mark.parametrize("name", ["read", "duplicates", "conflicts", "rejected", "skipped"])
def test_count_is_what_the_oracle_says(made: Made, name: str) -> None:
    assert getattr(made.told, name) == getattr(made.outcome.manifest.totals, name)


def test_every_message_is_written(made: Made) -> None:
    assert made.truth["messages"] + made.truth["extra_bodies"] == made.outcome.manifest.totals.written


def test_every_line_is_read(made: Made) -> None:
    assert made.truth["lines"] == made.outcome.manifest.totals.read


def test_what_is_damaged_is_rejected(made: Made) -> None:
    assert made.truth["damaged"] == made.outcome.manifest.totals.rejected


def test_events_and_rooms_are_skipped(made: Made) -> None:
    planted = made.truth["events"] + made.truth["chatroom"] + made.truth.get("signals", 0)
    assert planted == made.outcome.manifest.totals.skipped


def test_the_oracle_knows_what_was_planted(made: Made) -> None:
    expected = made.truth["duplicates"], made.truth["conflicts"]
    assert expected == (made.told.duplicate_records, made.told.conflict_records)
