"""Below the feed everything may fail: what was acknowledged is there, and what was not delivered comes again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faulty_disk import Fault, faulty
from support.feeds import lines, output_of, record, running, serving, wait_for
from support.small_jobs import fast_folder, forked

from imconvert.durable import database
from imconvert.errors import IntegrityError
from imconvert.serve.spool import Spool
from imconvert.serve.windows import Caps

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "short")
GROUPS = [[record(number * 10 + one) for one in range(1, 4)] for number in range(1, 5)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


def append_all(folder: Path, ledger: Path) -> list[int]:
    """Append all groups, a small file limit between; the numbers of those that were acknowledged."""
    spool, done = Spool(folder, limit=300), []
    for number, group in enumerate(GROUPS):
        try:
            spool.append(lines(group))
        except IntegrityError as why:
            assert "IMC-6004" == why.code
        else:
            done.append(number)
            with ledger.open("a") as file:
                file.write(f"{number}\n")
    return done


def found_in(folder: Path) -> list[bytes]:
    """The whole lines of a spool, as the feed reads them."""
    return [line for path in Spool(folder).segments() for line in path.read_bytes().split(b"\n")[:-1]]


def operations(folder: Path) -> int:
    with faulty(folder / "counted") as disk:
        append_all(folder / "counted", folder / "ledger")
    return len(disk.log)


@pytest.mark.parametrize("what", ERRORS)
@pytest.mark.parametrize("sticky", [False, True])
def test_what_an_append_acknowledged_is_there(folder: Path, what: str, sticky: bool) -> None:
    total = operations(folder)
    assert total > 40
    fired = 0
    for at in range(1, total + 1):
        spool = folder / f"{what}-{at}"
        with faulty(spool, Fault(at, what, sticky=sticky)) as disk:
            try:
                done = append_all(spool, folder / "ledger")
            except IntegrityError as why:
                assert "IMC-6004" == why.code
                continue
        fired += disk.fired is not None
        assert [] == [(name, path) for name, path in disk.reused if path != str(spool)]
        there = found_in(spool)
        assert [] == [one for number in done for one in GROUPS[number] if one not in there]
        assert set(there) <= {one for group in GROUPS for one in group}
    assert fired > 3


@pytest.mark.parametrize("what", ["kill", "tear"])
def test_a_killed_append_leaves_what_it_acknowledged_and_no_half_line(folder: Path, what: str) -> None:
    for at in range(1, operations(folder) + 1, 2):
        spool, ledger = folder / f"{what}-{at}", folder / f"{what}-{at}.ledger"

        def job(spool: Path = spool, ledger: Path = ledger, at: int = at) -> None:
            with faulty(spool, Fault(at, what)):
                append_all(spool, ledger)

        forked(job)
        acknowledged = [int(line) for line in ledger.read_text().split()] if ledger.exists() else []
        Spool(spool).append(lines([record(999)]))
        there = found_in(spool)
        assert record(999) == there[-1]
        assert [] == [one for number in acknowledged for one in GROUPS[number] if one not in there]
        assert set(there) <= {one for group in GROUPS for one in group} | {record(999)}


def test_an_intake_that_cannot_be_written_is_answered_503_and_works_again(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        assert 200 == server.ingest([record(1)]).status
        with faulty(tmp_path / "feed.spool", Fault(1, "ENOSPC", sticky=True)):
            answer = server.ingest([record(2)])
            assert (503, {"code": 503, "data": []}) == (answer.status, json.loads(answer.body))
            assert 503 == server.ask().status
        wait_for(lambda: server.ask().status == 200)  # also if nobody hands anything in again
        wait_for(lambda: server.ask("/healthz").status == 200)
        assert 200 == server.ingest([record(2)]).status
        assert 2 in [one["data"]["msgid"] for one in server.drain()]


def test_a_full_database_delivers_nothing_and_loses_nothing(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 151)])
    with running(serving(tmp_path / "feed.db", out, overlap=0, caps=Caps(1, 1000))) as server:
        server.settled()
        link = server.clerk.state._data._link
        link.execute(f"PRAGMA max_page_count = {link.execute('PRAGMA page_count').fetchone()[0]}")
        pulled, ends = [], []
        for _ in range(150):
            pulled += server.ask().records
            wait_for(lambda: server.log)
            ends.append(server.log.pop()["end"])
        assert {"IMC-6040", "delivered"} == set(ends)
        link.execute("PRAGMA max_page_count = 100000")
        pulled += server.drain()
        assert [*range(1, 151)] == [*dict.fromkeys(one["data"]["msgid"] for one in pulled)]


def test_a_locked_database_delivers_nothing_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT", 0.1)
    out = output_of(tmp_path / "out", [record(number) for number in range(1, 11)])
    with running(serving(tmp_path / "feed.db", out, overlap=0)) as server:
        server.settled()
        other = sqlite3.connect(tmp_path / "feed.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert 10 == len(server.ask().records)
        wait_for(lambda: server.log)
        assert "IMC-6040" == server.log[-1]["end"]
        assert 10 == len(server.ask().records)
        wait_for(lambda: len(server.log) == 2)
        other.execute("ROLLBACK")
        other.close()
        assert 10 == len(server.ask().records)
        assert [] == server.ask().records


def test_a_file_that_shrinks_while_it_is_sent_breaks_the_answer_off(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(number, "x" * 4000) for number in range(1, 2001)])
    with running(serving(tmp_path / "feed.db", out, overlap=0)) as server:
        server.settled()
        with server.connect(buffer=4096) as end:
            end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
            head = end.recv(4096)
            with (out / "p2p-00001.txt").open("r+b") as file:
                file.truncate(1000)
            data = bytearray(head)
            try:
                while some := end.recv(1 << 20):
                    data += some
            except ConnectionResetError:
                pass
        assert b"HTTP/1.1 200" == head[:12]
        assert not data.endswith(b"]}")
        assert server.log[-1]["end"] in ("IMC-6002", "IMC-6041")
        assert 503 == server.ask().status
        assert not server.clerk.feed.cursor
