"""The real server and the puller that shares no code with it: whatever breaks, the puller ends with every record.

The truth is what lies on the disk: the lines of the shards, and of the spool the records that were acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from support.fake_feed import p2p, team
from support.serve_process import TOKEN, Server
from support.small_jobs import LATEST

from imconvert.cli.progress import Silent
from imconvert.convert.options import Options
from imconvert.convert.ports import Clock as RunClock
from imconvert.convert.run import convert
from imconvert.simulators.yunxin.faults import read_rules
from imconvert.simulators.yunxin.fetch import Address, Clock, Fetcher, open_client
from imconvert.simulators.yunxin.records import judge
from imconvert.simulators.yunxin.rehearsal import Course, Mishaps, Rehearsal, Tally
from imconvert.simulators.yunxin.store import Pull, Store

NEVER = 4_000_000_000_000


def output(folder: Path, records: Sequence[Any], *, segment: int = 20_000) -> Path:
    """A finished output with several shards."""
    folder.mkdir(parents=True)
    source = folder / "export.txt"
    source.write_text("".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records))
    options = Options(
        inputs=(str(source),), output=folder / "out", latest=LATEST, segment_size=segment, source="yunxin"
    )
    convert(options, Silent(), RunClock(lambda: 1_800_000_000.0, lambda: 0.0), {})
    return folder / "out"


def lines_of(*folders: Path) -> list[bytes]:
    """The records on the disk, of shards and of the spool."""
    shards = [path for folder in folders for path in sorted(folder.glob("*.txt"))]
    spools = [path for folder in folders for path in sorted(folder.glob("spool-*.ndjson"))]
    return [line for path in (*shards, *spools) for line in path.read_bytes().splitlines()]


def contents(lines: Sequence[bytes]) -> dict[Any, bytes]:
    judged = [judge(line, NEVER) for line in lines]
    return {one.key: one.content for one in judged}


class Puller:
    """The puller with its store, asking one server."""

    def __init__(
        self, server: Server, store: Store, rules: str = "", seed: int = 1, calm_after: int | None = None
    ) -> None:
        self.pulls: list[Pull] = []
        self._client = open_client(small=bool(rules))
        clock = Clock(time.time, time.monotonic, time.sleep)
        mishaps = Mishaps(read_rules(rules) if rules else (), seed, calm_after)
        fetcher = Fetcher(self._client, Address(server.url, TOKEN, timeout=30), clock)
        self.work = Rehearsal(fetcher, store, clock, mishaps, self.pulls.append)

    def close(self) -> None:
        self._client.close()

    def run(self, course: Course) -> Tally:
        with self._client:
            self.work.run(course)
        return self.work.tally


@pytest.fixture
def store() -> Iterator[Store]:
    with Store(None) as found:
        yield found


def mixed(numbers: range, seed: int = 0) -> list[dict[str, Any]]:
    random = Random(seed)
    return [(p2p if random.random() < 0.7 else team)(n, "早安 " * random.randrange(40)) for n in numbers]


def finished(server: Server, store: Store) -> Tally:
    """Calm pulls until nothing comes."""
    return Puller(server, store).run(Course(0.05, until_quiet=3))


def test_a_calm_puller_gets_every_record_of_the_shards_once(tmp_path: Path, store: Store) -> None:
    out = output(tmp_path / "a", mixed(range(1, 1500)))
    with Server(tmp_path, "--max-records", "200", "--window", "0s", outputs=(out,)) as server:
        tally = finished(server, store)
        assert 0 == server.status()["backlog"]["records"]
    assert tally.clean
    assert contents(lines_of(out)) == contents([row.encode() for row in store.rows()])
    assert {"received": 1499, "new": 1499} == {"received": tally.counts.received, "new": tally.counts.new}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cuts_and_kills_lose_nothing(seed: int, tmp_path: Path, store: Store) -> None:
    """Pulls broken off at random bytes, the server killed at random moments, records handed in meanwhile."""
    random = Random(seed)
    first, second = mixed(range(1, 1200), seed), mixed(range(5000, 5400), seed)
    out = output(tmp_path / "a", first)
    sent: list[Any] = []
    with Server(tmp_path, "--max-records", "150", "--max-bytes", "64KiB", outputs=(out,)) as server:
        puller = Puller(server, store, "cut=45%,hangup=10%,twice=10%,slow=5%", seed)
        done = threading.Event()
        thread = threading.Thread(target=_pull_until, args=(puller, done))
        thread.start()
        try:
            for start in range(0, len(second), 50):
                _hand_in(server, second[start : start + 50], sent)
                time.sleep(random.random() * 0.3)
                if random.random() < 0.5:
                    server.kill()
                    time.sleep(random.random() * 0.1)
                    server.start()
        finally:
            done.set()
            thread.join()
            puller.close()
        tally = finished(server, store)
        assert 0 == server.status()["held"]
    assert tally.clean
    assert (0, 0) == (puller.work.tally.counts.bad, puller.work.tally.counts.overwritten)
    assert {"cut", "taken", "failed"} >= puller.work.tally.outcomes.keys()
    assert {"IMC-7120", "IMC-7125"} >= puller.work.tally.codes.keys()
    truth = contents(lines_of(out, server.spool))
    assert truth == contents([row.encode() for row in store.rows()])
    assert contents([json.dumps(record).encode() for record in (*first, *sent)]).items() <= truth.items()


def _pull_until(puller: Puller, done: threading.Event) -> None:
    number = 1
    while not done.is_set():
        number += len(puller.work.round(number))


def _hand_in(server: Server, records: list[Any], sent: list[Any]) -> None:
    reply = server.ingest(*records)
    assert reply.status_code == 200, reply.text
    assert len(records) == reply.json()["accepted"]
    sent.extend(records)


@pytest.mark.parametrize("byte", [0, 1, 22, 2000])
@pytest.mark.parametrize("times", [1, 20])
def test_any_number_of_cuts_in_a_row_lose_nothing(byte: int, times: int, tmp_path: Path, store: Store) -> None:
    """A small answer fits into the buffers of the sockets: the server has sent it all long before it is broken off."""
    out = output(tmp_path / "a", mixed(range(1, 60)))
    with Server(tmp_path, outputs=(out,)) as server:
        Puller(server, store, f"cut@{byte}").run(Course(0.0, pulls=times))
        assert store.records == 0
        assert finished(server, store).clean
    assert contents(lines_of(out)) == contents([row.encode() for row in store.rows()])


@pytest.mark.parametrize("place", [0, 2, 7])
def test_a_forgotten_answer_comes_once_more(place: int, tmp_path: Path, store: Store) -> None:
    """In a backlog of full windows, where answers have the least room: the overlap covers one that was forgotten."""
    out = output(tmp_path / "a", mixed(range(1, 1000)))
    with Server(tmp_path, "--max-records", "200", outputs=(out,)) as server:
        if place:
            Puller(server, store).run(Course(0.0, pulls=place))
        lost = Puller(server, store, "lose").run(Course(0.0, pulls=1))
        assert {"lost": 1} == lost.outcomes
        tally = finished(server, store)
    assert tally.clean
    assert contents(lines_of(out)) == contents([row.encode() for row in store.rows()])


def test_forgetting_the_very_last_answer_is_mended_by_serving_it_again(tmp_path: Path, store: Store) -> None:
    out = output(tmp_path / "a", mixed(range(1, 60)))
    with Server(tmp_path, outputs=(out,)) as server:
        Puller(server, store, "lose").run(Course(0.0, pulls=1))
        assert 0 == finished(server, store).counts.received
    with Server(tmp_path, "--again", "1", outputs=(out,)) as server:
        assert finished(server, store).clean
    assert store.records == 59


def test_hanging_up_loses_nothing(tmp_path: Path, store: Store) -> None:
    out = output(tmp_path / "a", mixed(range(1, 60)))
    with Server(tmp_path, outputs=(out,)) as server:
        Puller(server, store, "hangup").run(Course(0.0, pulls=10))
        assert finished(server, store).clean
    assert store.records == 59


def test_a_server_that_is_killed_in_an_answer_serves_it_again(tmp_path: Path, store: Store) -> None:
    out = output(tmp_path / "a", mixed(range(1, 4000)))
    with Server(tmp_path, "--max-records", "100000", outputs=(out,)) as server:
        with httpx.Client(trust_env=False) as client, client.stream("GET", server.url, headers=server.headers) as reply:
            blocks = reply.iter_raw()
            next(blocks)
            server.kill()
            with contextlib.suppress(httpx.HTTPError):
                for _ in blocks:
                    pass
        server.start()
        assert finished(server, store).clean
    assert contents(lines_of(out)) == contents([row.encode() for row in store.rows()])


def test_an_output_and_a_spool_are_compared_by_the_command(tmp_path: Path) -> None:
    """All of it from outside: serve, hand in, one conflict, pull by the command, compare with what lies on the disk."""
    out = output(tmp_path / "a", mixed(range(1, 300)))
    store = tmp_path / "store"
    with Server(tmp_path, outputs=(out,)) as server:
        more = mixed(range(1000, 1100))
        conflict = {**more[0], "data": {**more[0]["data"], "body": "other"}}
        assert server.ingest(*more, conflict).json()["accepted"] in (100, 101)
        words = ["simulate", "yunxin", "--pull", server.url, "--token", TOKEN, "--every", "50ms", "--until-quiet", "2",
                 "--store", str(store), "--expect", str(out), "--expect", str(server.spool), "--json",
                 "--faults", "cut=40%,twice=20%", "--calm-after", "20"]  # fmt: skip
        done = subprocess.run([sys.executable, "-m", "imconvert", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (True, True) == (found["clean"], found["complete"])
    assert (399, 399) == (found["stored"], found["compared"]["expected"])


def test_stopping_by_signal_keeps_the_cursor(tmp_path: Path, store: Store) -> None:
    out = output(tmp_path / "a", mixed(range(1, 500)))
    server = Server(tmp_path, "--max-records", "100", "--window", "0s", outputs=(out,))
    with server:
        Puller(server, store).run(Course(0.0, pulls=2))
        assert store.records == 200
        assert server.end(signal.SIGTERM) in (0, 143)
        server.start()
        tally = finished(server, store)
    assert (299, 0) == (tally.counts.new, tally.counts.again)
