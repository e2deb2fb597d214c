"""Trouble in the feed's surroundings: it is told, it loses nothing, and the feed goes on when it is over."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.feeds import CLOCK, DEFAULTS, LATEST, Server, lines, output_of, record, running, serving, wait_for

from imconvert.durable import appending
from imconvert.errors import IntegrityError, UsageError
from imconvert.serve import app, clerk, folders
from imconvert.serve.append import append
from imconvert.serve.intake import Checker
from imconvert.serve.run import opened
from imconvert.serve.spool import Spool
from imconvert.vendors import TARGETS

FULL = IntegrityError("IMC-6004", "spool", why="No space left on device (ENOSPC)")


def msgids(records: list[Any]) -> list[int]:
    return [one["data"]["msgid"] for one in records]


def spool_append(folder: Path, records: list[bytes]) -> None:
    source = folder.with_name("more.ndjson")
    source.write_bytes(lines(records))
    append(Spool(folder), Checker(TARGETS["yunxin"], DEFAULTS), [str(source)], LATEST, lambda place, why: None)


@contextmanager
def failing(thing: Any, name: str, why: BaseException = FULL) -> Iterator[None]:
    """A method of one object that fails for a while."""

    def fail(*words: Any, **more: Any) -> Any:
        raise why

    setattr(thing, name, fail)
    try:
        yield
    finally:
        delattr(thing, name)


def well_again(server: Server) -> None:
    wait_for(lambda: not server.clerk.trouble)
    server.settled()


def test_records_handed_in_behind_an_output_that_could_not_be_put_in_order_are_served(tmp_path: Path) -> None:
    """The spool file before the output must not grow any more, also if the next one could not be begun at first."""
    (tmp_path / "outs").mkdir()
    with running(serving(tmp_path / "feed.db", tmp_path / "outs", overlap=0)) as server:
        server.ingest([record(1)])
        assert [1] == msgids(server.drain())
        with failing(server.clerk.spool, "begin_next"):
            output_of(tmp_path / "outs" / "a", [record(10), record(11)])
            wait_for(lambda: server.clerk.trouble)
        well_again(server)
        assert [10, 11] == msgids(server.drain())
        server.ingest([record(20)])
        assert [20] == msgids(server.settled().drain())


def test_a_conflict_that_cannot_be_stored_costs_no_other_record(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        server.ingest([record(1)])
        server.drain()
        with failing(server.clerk.spool, "hold"):
            spool_append(tmp_path / "feed.spool", [record(1, "other"), record(2), record(3)])
            wait_for(lambda: server.clerk.trouble)
            assert 503 == server.ask().status
        well_again(server)
        assert [2, 3] == msgids(server.drain())
        held = [json.loads(line) for line in (tmp_path / "feed.spool" / "held.ndjson").read_bytes().splitlines()]
        assert [(record(1, "other").decode(), record(1).decode())] == [(one["raw"], one["served"]) for one in held]
        assert 1 == server.clerk.taker.held


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_clerk_that_dies_is_trouble_and_nothing_new_is_not_claimed(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        told: list[Any] = []
        server.clerk.tell = told.append
        server.ingest([record(1), record(2)])
        assert [1, 2] == msgids(server.drain())
        server.ingest([record(3)])
        with failing(server.clerk.register, "look", ValueError("a mistake of ours")):
            wait_for(lambda: not server.clerk._thread.is_alive())
        assert [3] == msgids(server.ask().records), "what was taken is still served"
        wait_for(lambda: server.ask().status == 503)
        assert (503, b"trouble\n") == (server.ask("/healthz").status, server.ask("/healthz").body)
        assert 503 == server.ingest([record(4)]).status
        assert "IMC-6051" in json.loads(server.ask("/status.json").body)["why"]
        assert ["IMC-6051"] == [one.code for one in told]


def test_a_clerk_that_is_stuck_is_trouble_and_hand_ins_are_not_kept_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped while it had the spool, or a disk that hangs."""
    monkeypatch.setattr(clerk, "STUCK", 0.3)
    monkeypatch.setattr(app, "TAKE_TIME", 0.6)
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        server.ingest([record(1)])
        with appending.turn(tmp_path / "feed.spool"):
            began = time.monotonic()
            assert 503 == server.ingest([record(2)]).status
            assert time.monotonic() - began < 5
            wait_for(lambda: server.ask("/healthz").status == 503)
            assert "IMC-6050" in json.loads(server.ask("/status.json").body)["why"]
            assert [1] == msgids(server.ask().records)
            assert 503 == server.ask().status
        well_again(server)
        assert 200 == server.ingest([record(2), record(3)]).status
        assert [2, 3] == msgids(server.drain())


def test_who_stops_waiting_for_a_hand_in_does_not_stop_the_others(tmp_path: Path) -> None:
    """A request that is given up cancels its future; the clerk must not fall over it."""
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        with appending.turn(tmp_path / "feed.spool"):
            futures = [server.clerk.hand_in(record(number) + b"\n") for number in range(1, 30)]
            cancelled = [number for number, one in enumerate(futures, 1) if one.cancel()]
        done = [one.result(10).accepted for one in futures if not one.cancelled()]
        assert len(done) == 29 - len(cancelled) == sum(done)
        assert cancelled
        assert 200 == server.ingest([record(100)]).status
        assert {*range(1, 30)} - {*cancelled} | {100} == set(msgids(server.drain()))


def test_an_output_for_somebody_else_is_told_and_stops_nothing_else(tmp_path: Path) -> None:
    outs = tmp_path / "outs"
    outs.mkdir()
    with running(serving(tmp_path / "feed.db", outs, overlap=0)) as server:
        foreign = output_of(tmp_path / "foreign", [record(5)])
        found = json.loads((foreign / "manifest.json").read_bytes())
        (foreign / "manifest.json").write_text(json.dumps({**found, "target": "easemob"}))
        foreign.rename(outs / "a-foreign")
        wait_for(lambda: server.clerk.trouble)
        assert "IMC-1134" in json.loads(server.ask("/status.json").body)["why"]
        spool_append(tmp_path / "feed.spool", [record(2)])
        output_of(outs / "b", [record(3)])
        got: list[int] = []
        wait_for(lambda: got.extend(msgids(server.ask("/feed?cursor=0-0").records)) or {2, 3} <= set(got))
        shutil.rmtree(outs / "a-foreign")
        well_again(server)


def test_a_folder_that_cannot_be_read_is_told_and_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outs = tmp_path / "outs"
    (outs / "shut").mkdir(parents=True)
    (outs / "lost+found").mkdir()
    stat = Path.stat

    def shut(path: Path, **more: Any) -> os.stat_result:
        if path.parent.name in ("shut", "lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **more)

    monkeypatch.setattr(Path, "stat", shut)
    with running(serving(tmp_path / "feed.db", outs, overlap=0)) as server:
        wait_for(lambda: server.clerk.trouble)
        assert "IMC-6052" == server.clerk.trouble.code  # type: ignore[union-attr]
        assert 200 == server.ingest([record(1)]).status
        assert [1] == msgids(server.ask().records)
        os.rmdir(outs / "shut")
        well_again(server)


def test_a_start_in_trouble_answers_503_and_says_why(tmp_path: Path) -> None:
    """A shard that is changed while the server is stopped is no reason to answer nothing at all."""
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 11)])
    with running(serving(tmp_path / "feed.db", out)) as server:
        server.settled()
    shard = out / "p2p-00001.txt"
    content = shard.read_bytes()
    shard.write_bytes(content.replace(b"ann", b"eve"))
    with running(serving(tmp_path / "feed.db", out)) as server:
        assert 503 == server.ask().status
        assert "IMC-6041" in json.loads(server.ask("/status.json").body)["why"]
        shard.write_bytes(content)
        well_again(server)
        assert 10 == len(server.ask().records)


def test_a_wrong_folder_is_told_at_the_start(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(1)])
    (out / "manifest.json").write_text("{")
    with opened(serving(tmp_path / "feed.db", out), CLOCK) as found, pytest.raises(UsageError, match="IMC-1014"):
        found.start()


def test_what_was_handed_over_as_files_is_there_when_it_is_first_read_or_nothing_starts(tmp_path: Path) -> None:
    """Serving an increment without knowing what the vendor has could overwrite what it has."""
    out = output_of(tmp_path / "out", [record(1)])
    (out / "p2p-00001.txt").rename(out / "elsewhere")
    wanted = serving(tmp_path / "feed.db", after=(out,))
    for _ in range(2):
        with opened(wanted, CLOCK) as found:
            with pytest.raises(IntegrityError, match="IMC-6041"):
                found.start()
            assert [] == found.state.files
    (out / "elsewhere").rename(out / "p2p-00001.txt")
    with running(wanted) as server:
        assert 1 == json.loads(server.settled().ingest([record(1)]).body)["duplicates"]
    (out / "p2p-00001.txt").rename(out / "elsewhere")
    with running(wanted) as server:
        found_now = json.loads(server.settled().ingest([record(1), record(2)]).body)
        assert (1, 1) == (found_now["accepted"], found_now["duplicates"])


def test_what_was_delivered_whole_may_be_moved_away(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 11)])
    with running(serving(tmp_path / "feed.db", out)) as server:
        assert 10 == len(server.settled().drain())
        wait_for(lambda: server.clerk.feed.cursor)
        (out / "p2p-00001.txt").rename(tmp_path / "archived")
        server.ingest([record(20)])
        assert [20] == msgids(server.ask().records), "it cannot be repeated any more"
        assert not server.clerk.trouble
    with running(serving(tmp_path / "feed.db", out)) as server:
        server.ingest([record(21)])
        assert [20, 21] == msgids(server.settled().ask().records)
        assert not server.clerk.trouble


def test_trouble_is_told_once_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        told: list[Any] = []
        server.clerk.tell = told.append
        with failing(server.clerk.register, "look"):
            wait_for(lambda: told)
            time.sleep(1.2)
        well_again(server)
        wait_for(lambda: len(told) > 1)
        assert ["IMC-6004", None] == [one and one.code for one in told]


def test_an_output_that_is_named_twice_is_served_once(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(1)])
    with running(serving(tmp_path / "feed.db", tmp_path, out, overlap=0)) as server:
        assert [1] == msgids(server.settled().drain())
        assert not server.clerk.trouble


def test_a_spool_file_that_grew_before_it_was_finished_is_read_to_its_end(tmp_path: Path) -> None:
    """Another process appends to the last file, and then begins the next one, between two looks."""
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        for number in range(1, 20, 3):
            with appending.turn(tmp_path / "feed.spool"):
                last = server.clerk.spool.segments()[-1]
                appending.append(last, lines([record(number)]))
                appending.append(last, lines([record(number + 1)]))
                following = server.clerk.spool.begin_next()
                appending.append(following, lines([record(number + 2)]))
            time.sleep(0.2 * (number % 2))
        wait_for(lambda: server.clerk.feed.backlog()[0] == 21)
        assert [*range(1, 22)] == msgids(server.settled().drain())


def test_looking_at_thousands_of_files_finds_the_first_that_has_more(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        server.clerk.spool.limit = 1
        for number in range(1, 40):
            server.ingest([record(number)])
        spool_append(tmp_path / "feed.spool", [record(100), record(101)])
        wait_for(lambda: server.clerk.feed.backlog()[0] == 41)
        assert [*range(1, 40), 100, 101] == msgids(server.settled().drain())
        assert server.clerk.register.pending() is None


def test_the_names_in_a_folder_of_outputs_need_not_be_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert [tmp_path / "file"] == folders.candidates(tmp_path)
    assert folders.mark(tmp_path / "file") is None


def test_an_output_that_takes_the_place_of_a_delivered_one_is_served(tmp_path: Path) -> None:
    """`rm -r out` and a new conversion into the same folder, every hour."""
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 11)])
    with running(serving(tmp_path / "feed.db", out)) as server:
        for first in (1, 9, 17):
            if first > 1:
                shutil.rmtree(out)
                output_of(out, [record(number) for number in range(first, first + 10)])
                wait_for(lambda: server.clerk.feed.backlog()[0] and not server.clerk.behind)
            assert not {*range(max(11, first + 2), first + 10)} - {*msgids(server.settled().drain())}
            wait_for(lambda: server.clerk.feed.backlog() == (0, 0))
        assert 26 == server.clerk.feed.state.windows[-1].total
        assert not server.clerk.trouble
    with running(serving(tmp_path / "feed.db", out)) as server:
        assert [] == server.settled().drain()


def test_an_output_that_takes_the_place_of_one_that_still_waits_is_trouble(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 11)])
    wanted = serving(tmp_path / "feed.db", out, overlap=0)
    with running(wanted) as server:
        server.settled()
        out.rename(tmp_path / "old")
        output_of(out, [record(number) for number in range(20, 31)])
        wait_for(lambda: server.clerk.trouble)
        assert 503 == server.ask().status
    shutil.rmtree(out)
    (tmp_path / "old").rename(out)
    with running(wanted) as server:
        assert [*range(1, 11)] == msgids(server.settled().drain())


@pytest.mark.parametrize("first", ["server", "append"])
def test_spool_files_that_were_delivered_may_be_moved_away(tmp_path: Path, first: str) -> None:
    """All of them: their numbers are not given again, whoever appends next."""
    wanted = serving(tmp_path / "feed.db", overlap=0)
    with running(wanted) as server:
        server.ingest([record(number) for number in range(1, 20)])
        assert 19 == len(server.drain())
        wait_for(lambda: server.clerk.feed.cursor)
    for path in (tmp_path / "feed.spool").glob("spool-*"):
        path.rename(tmp_path / path.name)
    if first == "append":
        spool_append(tmp_path / "feed.spool", [record(30)])
    with running(wanted) as server:
        if first == "server":
            assert 1 == json.loads(server.settled().ingest([record(30)]).body)["accepted"]
        assert [30] == msgids(server.settled().drain())


def test_a_spool_file_that_shrinks_is_told(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        server.ingest([record(1), record(2)])
        assert [1, 2] == msgids(server.drain())
        path = tmp_path / "feed.spool" / "spool-000001.ndjson"
        path.write_bytes(lines([record(1)]))
        wait_for(lambda: server.clerk.trouble)
        assert "IMC-6041" == server.clerk.trouble.code  # type: ignore[union-attr]
        path.write_bytes(lines([record(1), record(2)]))
        well_again(server)


def test_a_clerk_that_is_stuck_does_not_keep_the_server_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clerk, "STOPPED", 0.3)
    with running(serving(tmp_path / "feed.db")) as server:
        server.ingest([record(1)])
        began = time.monotonic()
        with appending.turn(tmp_path / "feed.spool"):
            server.clerk.hand_in(record(2) + b"\n")
            time.sleep(0.1)
            server.clerk.stop()
            assert time.monotonic() - began < 5
        server.clerk._thread.join(10)
    with running(serving(tmp_path / "feed.db")) as server:
        assert 1 in msgids(server.settled().drain())
