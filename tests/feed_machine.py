"""Any program of appends, pulls, broken pulls, restarts and kills ends with a puller that has exactly what came in.

Plan: the machine keeps what must be served, the first record of each key, in the order in which it came, and a puller
that stores only whole answers and lets equal keys overwrite each other, as Yunxin does. Run for CI by
test_feed_programs.py, at length by scripts/feed_campaign.py.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.feeds import DEFAULTS, LATEST, Loop, Server, lines, output_of, read_answer, record, serving, wait_for

from imconvert.durable.appending import whole_lines
from imconvert.serve import clerk
from imconvert.serve.append import append
from imconvert.serve.intake import Checker
from imconvert.serve.spool import Spool
from imconvert.serve.windows import Caps
from imconvert.vendors import TARGETS

NUMBERS = st.lists(st.integers(1, 60), min_size=1, max_size=8)
BODIES = st.sampled_from(["", "", "", "other", "长" * 200])
LOOP: list[Loop] = []


def loop() -> Loop:
    if not LOOP:
        LOOP.append(Loop())
    return LOOP[0]


class FeedMachine(RuleBasedStateMachine):
    """See the head of this module. `programs` and `steps` count what was run."""

    programs = 0
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        FeedMachine.programs += 1
        shared = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="feed-", dir=shared if shared.is_dir() else None))
        self.known: dict[int, Any] = {}
        self.expected: dict[int, Any] = {}
        self.held = 0
        self.store: dict[int, Any] = {}
        self.outputs = 0
        self.stack = ExitStack()

    @initialize(
        overlap=st.sampled_from([0, 7_200_000]),
        idle=st.sampled_from([0, 0, 2]),
        records=st.integers(1, 12),
        size=st.sampled_from([300, 4000]),
        bulk=st.sets(st.integers(1, 60), max_size=8),
    )
    def begin(self, overlap: int, idle: int, records: int, size: int, bulk: set[int]) -> None:
        """`bulk` was handed over as files: known, and not served."""
        (self.folder / "outs").mkdir()
        after = []
        if bulk:
            lines_before = [record(number) for number in sorted(bulk)]
            after = [output_of(self.folder / "bulk", lines_before)]
            self.known = {json.loads(one)["data"]["msgid"]: json.loads(one) for one in lines_before}
        self.wanted = serving(
            self.folder / "feed.db", self.folder / "outs", caps=Caps(records, size), overlap=overlap, idle=idle,
            after=tuple(after),
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        self.server: Server = self.stack.enter_context(loop().running(self.wanted))
        self.server.clerk.spool.limit = 1500
        self.server.settled()

    def came(self, records: list[bytes]) -> int:
        """Take note of records that came in; gives how many are new."""
        new = 0
        for one in records:
            found = json.loads(one)
            known = self.known.setdefault(found["data"]["msgid"], found)
            if known is found:
                new += 1
                self.expected[found["data"]["msgid"]] = found
            self.held += known != found
        return new

    # --- what comes in -----------------------------------------------------------------------------------------------

    @rule(numbers=NUMBERS, body=BODIES, bad=st.booleans())
    def ingest(self, numbers: list[int], body: str, bad: bool) -> None:
        records = [record(number, body) for number in numbers]
        before = self.held
        new = self.came(records)
        answer = json.loads(self.server.ingest([*records, b'{"type":0}'] if bad else records).body)
        assert new == answer["accepted"]
        assert self.held - before == len(answer["held"])
        assert len(records) == answer["accepted"] + answer["duplicates"] + len(answer["held"])
        assert bad == len(answer["rejected"])

    @rule(numbers=NUMBERS, body=BODIES)
    def spool_append(self, numbers: list[int], body: str) -> None:
        records = [record(number, body) for number in numbers]
        source = self.folder / "more"
        source.write_bytes(lines(records))
        append(Spool(self.folder / "feed.spool"), Checker(TARGETS["yunxin"], DEFAULTS), [str(source)], LATEST,
               lambda place, why: None)  # fmt: skip
        self.came(records)
        self.look()

    @precondition(lambda self: self.outputs < 3)
    @rule(numbers=st.sets(st.integers(1, 60), min_size=1, max_size=20), body=BODIES)
    def output_appears(self, numbers: set[int], body: str) -> None:
        self.outputs += 1
        records = [record(number, body) for number in sorted(numbers)]
        output_of(self.folder / "outs" / f"out-{self.outputs}", records)
        self.came(records)
        self.look()

    def look(self) -> None:
        """Let the feed see what came from elsewhere, so that what comes next comes behind it."""
        ends = {path: whole_lines(path) for path in Spool(self.folder / "feed.spool").segments()}
        self.server.clerk._look_at = 0.0
        self.server.clerk.hand_in(b"").result()

        def seen() -> bool:
            files = self.server.clerk.state.files
            taken = {Path(file.path): file.taken for file in files}
            outputs = {Path(file.path).parent for file in files if file.kind == "shard"}
            return all(taken.get(path, -1) >= end for path, end in ends.items()) and self.outputs == len(outputs)

        wait_for(seen)
        self.server.settled()

    # --- what goes out -----------------------------------------------------------------------------------------------

    def stored(self, records: list[Any]) -> None:
        """A whole answer: what is in it for the first time comes in order, and nothing older is left behind."""
        order = {msgid: place for place, msgid in enumerate(self.expected)}
        new = []
        for one in records:
            msgid = one["data"]["msgid"]
            assert self.expected[msgid] == one, "a record is served that should not be"
            if msgid not in self.store:
                new.append(order[msgid])
            self.store[msgid] = one
        assert sorted(new) == new, "records came out of order"
        left = [place for msgid, place in order.items() if msgid not in self.store]
        assert not new or not left or max(new) < min(left), "newer data overtook older"

    @rule(gzip=st.booleans())
    def pull(self, gzip: bool) -> None:
        answer = self.server.ask(headers={"Accept-Encoding": "gzip" if gzip else "identity"})
        assert 200 == answer.status
        assert answer.whole
        self.stored(answer.records)

    @rule()
    def head(self) -> None:
        """If this moved anything, the puller would lack it in the end."""
        answer = self.server.ask(method="HEAD")
        self.server.ask(method="HEAD", headers={"If-None-Match": answer.headers["etag"]})

    @rule(stop=st.integers(0, 6000), count=st.integers(1, 4), gzip=st.booleans())
    def broken_pulls(self, stop: int, count: int, gzip: bool) -> None:
        for _ in range(count):
            answer = self.server.ask(stop=stop, headers={"Accept-Encoding": "gzip"} if gzip else {})
            if answer.whole:
                self.stored(answer.records)

    @rule()
    def silent_death(self) -> None:
        """The request goes out, and the puller dies without reading."""
        with self.server.connect() as end:
            end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
            time.sleep(0.002)

    @rule(stop=st.none() | st.integers(0, 3000))
    def two_pulls(self, stop: int | None) -> None:
        ends = [self.server.connect() for _ in range(2)]
        for end in ends:
            end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
        answers = []
        for end, until in zip(ends, (stop, None), strict=True):
            answers.append(read_answer(end, stop=until))
            end.close()
        for answer in answers:
            if answer.whole:
                self.stored(answer.records)

    @rule(limit=st.integers(1, 30))
    def replay(self, limit: int) -> None:
        answer = self.server.ask(f"/feed?cursor=0-0&limit={limit}")
        found = [one["data"]["msgid"] for one in answer.records]
        assert [*self.expected][: len(found)] == found

    # --- what goes wrong ---------------------------------------------------------------------------------------------

    @rule(kill=st.booleans(), torn=st.booleans())
    def restart(self, kill: bool, torn: bool) -> None:
        if kill:
            self.server.clerk.checkpoint = lambda: None  # type: ignore[method-assign]
        self.stack.pop_all().close()
        segments = Spool(self.folder / "feed.spool").segments()
        if torn and segments:
            with segments[-1].open("ab") as file:
                file.write(record(777)[:33])
        self.start()

    @rule()
    def checkpoint(self) -> None:
        """The clerk turns what is known into a run."""
        self.server.clerk._since = clerk.SAVED
        wait_for(lambda: not self.server.clerk._since)

    @invariant()
    def is_well(self) -> None:
        FeedMachine.steps += 1
        if hasattr(self, "server"):
            assert self.server.clerk.trouble is None

    def teardown(self) -> None:
        try:
            if hasattr(self, "server"):
                for _ in range(500):
                    answer = self.server.settled().ask()
                    if not answer.records:
                        break
                    self.stored(answer.records)
                assert self.expected == self.store
                assert self.held == self.server.clerk.taker.held
                wait_for(lambda: self.server.clerk.feed.backlog() == (0, 0))
        finally:
            self.stack.close()
            shutil.rmtree(self.folder)
