"""New, known or in conflict is decided on the real keys: hashes that deceive change nothing."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from feed_machine import FeedMachine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from support.feeds import lines, output_of, record, running, serving, wait_for

from imconvert.serve import lines as module
from imconvert.serve import taking
from imconvert.serve.intake import Checker
from imconvert.serve.lines import lines_at
from imconvert.serve.state import File, place


def weak(key: bytes) -> bytes:
    """One of three hashes."""
    return bytes([key[0] % 3]) * 16


@pytest.fixture
def weak_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    real_key, real_check = taking.key_of, Checker.check

    def check(self: Checker, *words: Any) -> Any:
        found = real_check(self, *words)
        found.keys = [weak(key) for key in found.keys]
        return found

    monkeypatch.setattr(taking, "key_of", lambda *fields: weak(real_key(*fields)))
    monkeypatch.setattr(Checker, "check", check)


@pytest.mark.usefixtures("weak_hashes")
def test_any_program_ends_the_same_with_hashes_that_deceive() -> None:
    made = settings(
        max_examples=15,
        stateful_step_count=15,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(FeedMachine, settings=made)


@pytest.mark.usefixtures("weak_hashes")
@pytest.mark.parametrize("kill", [False, True])
def test_decisions_by_deceiving_hashes_are_the_same_after_a_restart(tmp_path: Path, kill: bool) -> None:
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 30)])
    wanted = serving(tmp_path / "feed.db", out, overlap=0)
    with running(wanted, kill=kill) as server:
        server.settled().ingest([record(number) for number in range(20, 60)])
    with running(wanted) as server:
        found = json.loads(server.settled().ingest([record(number) for number in range(1, 62)]).body)
        assert (2, 59, 0) == (found["accepted"], found["duplicates"], len(found["held"]))
        found = json.loads(server.ingest([record(3, "other"), record(50, "other"), record(61)]).body)
        assert (0, 1, 2) == (found["accepted"], found["duplicates"], len(found["held"]))
        assert [*range(1, 62)] == [one["data"]["msgid"] for one in server.drain()]
        assert 0 == json.loads(server.ask("/status.json").body)["unconfirmed"]


def test_where_the_earlier_line_is_gone_the_hash_is_trusted_and_counted(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 11)])
    wanted = serving(tmp_path / "feed.db", out, overlap=0)
    with running(wanted) as server:
        server.settled().drain()
        wait_for(lambda: server.clerk.feed.cursor)
        (out / "p2p-00001.txt").rename(tmp_path / "archived")
        found = json.loads(server.ingest([record(1), record(2, "other"), record(11)]).body)
        assert (1, 1, 1) == (found["accepted"], found["duplicates"], len(found["held"]))
        assert 2 == json.loads(server.ask("/status.json").body)["unconfirmed"]
        assert b"imconvert_feed_unconfirmed_records_total 2" in server.ask("/metrics").body


def test_both_contents_of_a_conflict_are_kept(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        server.ingest([record(1)])
        server.ingest([record(1, "other"), record(2), record(2, "third")])
        held = [json.loads(line) for line in (tmp_path / "feed.spool" / "held.ndjson").read_bytes().splitlines()]
    pairs = [(record(1, "other"), record(1)), (record(2, "third"), record(2))]
    assert [(one.decode(), other.decode()) for one, other in pairs] == [(one["raw"], one["served"]) for one in held]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.data())
def test_lines_are_read_back_by_their_places(lengths: list[int], data: Any) -> None:
    """Blocks and gaps are small, so that lines lie near and far, across blocks and longer than them."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "NEAR", 16)
        patch.setattr(module, "BLOCK", 64)
        files, wanted = [], {}
        for number in (1, 2):
            some = [bytes([65 + length % 26]) * length for length in lengths]
            path = Path(folder) / str(number)
            path.write_bytes(lines(some))
            files.append(File(number=number, kind="spool", path=str(path)))
            begins = [sum(len(one) + 1 for one in some[:index]) for index in range(len(some))]
            wanted |= {place(number, begin): one for begin, one in zip(begins, some, strict=True)}
        asked = data.draw(st.sets(st.sampled_from(sorted(wanted))))
        assert {one: wanted[one] for one in asked} == lines_at(files, asked)


def test_lines_of_files_that_changed_are_none(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"ab")
    short = File(number=1, kind="spool", path=str(tmp_path / "short"))
    gone = File(number=2, kind="spool", path=str(tmp_path / "gone"))
    asked = [place(1, 0), place(1, 50), place(2, 0)]
    assert dict.fromkeys(asked) == lines_at([short, gone], asked)
