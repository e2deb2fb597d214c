"""The increment feed over real sockets: what is delivered, what is not, and what stays so."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from feed_machine import loop
from hypothesis import given, settings
from hypothesis import strategies as st
from support.feeds import (
    BASE,
    DEFAULTS,
    LATEST,
    lines,
    output_of,
    record,
    running,
    serving,
    team_record,
    wait_for,
)

from imconvert.serve.append import append
from imconvert.serve.intake import Checker
from imconvert.serve.receiving import Receiver
from imconvert.serve.spool import Spool
from imconvert.serve.taking import Taker
from imconvert.serve.windows import Caps
from imconvert.vendors import TARGETS

EMPTY = b'{"code":200,"data":[]}'


def msgids(records: list) -> list[int]:
    return [one["data"]["msgid"] for one in records]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return output_of(tmp_path / "out", [record(number) for number in range(1, 101)])


def spool_append(folder: Path, records: list[bytes]) -> int:
    source = folder.with_name("more.ndjson")
    source.write_bytes(lines(records))
    checker = Checker(TARGETS["yunxin"], DEFAULTS)
    return append(Spool(folder), checker, [str(source)], LATEST, lambda place, why: None).appended


def test_shards_come_word_for_word_in_windows(tmp_path: Path, out: Path) -> None:
    shard = (out / "p2p-00001.txt").read_bytes()
    with running(serving(tmp_path / "feed.db", out, caps=Caps(30, 1 << 20), overlap=0)) as server:
        server.settled()
        answers = [server.ask() for _ in range(5)]
        assert [30, 30, 30, 10, 0] == [len(answer.records) for answer in answers]
        assert EMPTY == answers[-1].body
        joined = b",".join(answer.body[len(b'{"code":200,"data":[') : -2] for answer in answers[:-1])
        assert shard.replace(b"\n", b",")[:-1] == joined
        assert "application/json; charset=utf-8" == answers[0].headers["content-type"]


def test_an_answer_never_exceeds_the_caps_but_for_one_long_record(tmp_path: Path) -> None:
    records = [record(1, "x" * 3000), record(2), record(3), record(4, "y" * 3000)]
    out = output_of(tmp_path / "out", records)
    with running(serving(tmp_path / "feed.db", out, caps=Caps(100, 1000), overlap=0)) as server:
        server.settled()
        assert [[1], [2, 3], [4], []] == [msgids(server.ask().records) for _ in range(4)]


def test_the_cursor_survives_a_restart_and_a_kill(tmp_path: Path, out: Path) -> None:
    wanted = serving(tmp_path / "feed.db", out, caps=Caps(30, 1 << 20), overlap=0)
    with running(wanted, kill=True) as server:
        server.settled()
        assert [*range(1, 31)] == msgids(server.ask().records)
        wait_for(lambda: server.clerk.feed.cursor)
    with running(wanted) as server:
        server.settled()
        assert [*range(31, 61)] == msgids(server.ask().records)


@pytest.mark.parametrize("stop", [0, 1, 20, 100, 500, 2000, 5000])
def test_who_breaks_off_gets_the_same_again(tmp_path: Path, out: Path, stop: int) -> None:
    with running(serving(tmp_path / "feed.db", out, caps=Caps(50, 1 << 20), overlap=0)) as server:
        server.settled()
        for _ in range(3):
            assert not server.ask(stop=stop).whole
        assert [*range(1, 51)] == msgids(server.ask().records)
        assert [*range(51, 101)] == msgids(server.ask().records)


def test_who_dies_with_the_answer_unread_gets_it_again(tmp_path: Path, out: Path) -> None:
    """The whole answer fits into the socket's buffers, so that every write succeeded."""
    with running(serving(tmp_path / "feed.db", out, overlap=0)) as server:
        server.settled()
        with server.connect() as end:
            end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
            end.recv(1)
            time.sleep(0.2)
        wait_for(lambda: server.log)
        assert "not taken" == server.log[-1]["end"]
        assert 100 == len(server.ask().records)


def test_who_resets_behind_the_last_byte_gets_it_again(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out, overlap=0)) as server:
        server.settled()
        with server.connect() as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
            while not end.recv(1 << 20).endswith(b"]}"):
                pass
        assert 100 == len(server.ask().records)


def test_concurrent_pulls_get_the_same_window(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out, caps=Caps(60, 1 << 20), overlap=0)) as server:
        server.settled()
        ends = [server.connect() for _ in range(2)]
        for end in ends:
            end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
        bodies = []
        for end in ends:
            data = b""
            while not data.endswith(b"]}"):
                data += end.recv(65536)
            bodies.append(data.partition(b"\r\n\r\n")[2])
            end.close()
        assert bodies[0] == bodies[1]
        assert [*range(61, 101)] == msgids(server.ask().records)
        wait_for(lambda: server.clerk.feed.state.windows[-1].total == 100)


def test_new_records_come_behind_older_ones(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out, caps=Caps(60, 1 << 20), overlap=0)) as server:
        server.settled()
        assert [*range(1, 61)] == msgids(server.ask().records)
        assert 200 == server.ingest([record(500), team_record(501)]).status
        assert [*range(61, 101), 500, 501] == msgids(server.ask().records)


def test_the_last_windows_are_repeated_as_far_as_there_is_room(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", caps=Caps(4, 1 << 20))) as server:
        pulls = []
        for number in range(1, 7):
            server.ingest([record(number)])
            pulls.append(msgids(server.ask().records))
        assert [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]] == pulls
        assert EMPTY == server.ask().body
        assert 6 == server.clerk.feed.state.windows[-1].total


def test_the_last_window_is_repeated_however_old_it_is(tmp_path: Path) -> None:
    """A vendor that pulls once a day loses nothing by forgetting one answer, nor does one whose clock jumps."""
    with running(serving(tmp_path / "feed.db", overlap=1)) as server:
        pulls = []
        for number in range(1, 4):
            server.ingest([record(number)])
            pulls.append(msgids(server.ask().records))
            wait_for(lambda: server.log and server.log.pop().get("end") == "delivered")
            time.sleep(0.01)
        assert [[1], [1, 2], [2, 3]] == pulls


@pytest.mark.parametrize("copies", [1, 2, 4])
def test_each_record_is_served_in_so_many_answers_as_is_wished(tmp_path: Path, out: Path, copies: int) -> None:
    """Also in a backlog, where answers have the least room, and with windows that are old."""
    wanted = serving(tmp_path / "feed.db", out, caps=Caps(20, 1 << 20), overlap=1, copies=copies)
    with running(wanted) as server:
        server.settled()
        seen: dict[int, int] = {}
        while records := server.ask().records:
            for msgid in msgids(records):
                seen[msgid] = seen.get(msgid, 0) + 1
            time.sleep(0.002)
    behind = 20 // copies * (copies - 1)
    assert [*range(1, 101)] == sorted(seen)
    assert copies <= min(seen[msgid] for msgid in range(1, 101 - behind))


def test_pulls_through_a_proxy_are_told(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        server.settled().ask(headers={"X-Forwarded-For": "203.0.113.9"})
        server.ask()
        wait_for(lambda: len(server.log) == 2)
        assert [True, None] == [line.get("proxied") for line in server.log]
        assert 1 == json.loads(server.ask("/status.json").body)["proxied_pulls"]
        assert b"imconvert_feed_proxied_pulls_total 1" in server.ask("/metrics").body


def test_when_nothing_is_new_the_last_windows_are_repeated_so_often_as_is_wished(tmp_path: Path) -> None:
    wanted = serving(tmp_path / "feed.db", idle=2)
    with running(wanted) as server:
        server.ingest([record(1)])
        assert [[1], [1], [1], [], []] == [msgids(server.ask().records) for _ in range(5)]
        server.ingest([record(2)])
        assert [1, 2] == msgids(server.ask().records)
        assert not server.ask(stop=30).whole, "a repetition that is broken off does not count"
        assert [[1, 2], [1, 2], []] == [msgids(server.ask().records) for _ in range(3)]
        assert 2 == server.clerk.feed.state.windows[-1].total
    with running(wanted) as server:
        assert [[1, 2], [1, 2], []] == [msgids(server.settled().ask().records) for _ in range(3)]


def test_no_answer_holds_more_new_records_than_can_be_repeated(tmp_path: Path, out: Path) -> None:
    """Whoever loses a whole answer gets its records with the next one, also while there is a backlog."""
    with running(serving(tmp_path / "feed.db", out, caps=Caps(20, 1 << 20))) as server:
        server.settled()
        pulls = [msgids(server.ask().records) for _ in range(11)]
        assert [*range(1, 11)] == pulls[0]
        assert [[*range(k * 10 - 9, k * 10 + 11)] for k in range(1, 10)] == pulls[1:10]
        assert [] == pulls[10]


def test_a_receiver_that_keeps_silent_gets_the_window_twice(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its system acknowledged every byte, but it may have died without reading them."""
    monkeypatch.setattr("imconvert.serve.answers.CLOSE_TIME", 0.2)
    with running(serving(tmp_path / "feed.db", out, overlap=0)) as server:
        server.settled()
        for expected in ("not taken", "delivered"):
            with server.connect() as end:
                end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
                wait_for(lambda: server.log)
            assert expected == server.log.pop()["end"]
        assert EMPTY == server.ask().body


def test_windows_older_than_the_overlap_are_not_repeated(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        server.ingest([record(1)])
        server.ask()
        server.ingest([record(2)])
        assert [2] == msgids(server.ask().records)


def test_nothing_new_is_not_said_while_lines_are_still_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill the cursor is ahead of the lines that were taken again: what is behind it comes a moment later."""
    wanted = serving(tmp_path / "feed.db", overlap=0, caps=Caps(3, 1000))
    with running(wanted, kill=True) as server:
        server.ingest([record(number) for number in range(1, 7)])
        assert [1, 2, 3] == msgids(server.ask().records)
        wait_for(lambda: server.clerk.feed.cursor)
    step = Taker.step
    monkeypatch.setattr(Taker, "step", lambda *words: (time.sleep(0.5), step(*words))[1])
    with running(wanted) as server:
        assert [4, 5, 6] == msgids(server.ask().records)


def test_the_last_windows_can_be_delivered_again(tmp_path: Path, out: Path) -> None:
    wanted = serving(tmp_path / "feed.db", out, caps=Caps(40, 1 << 20), overlap=0)
    with running(wanted) as server:
        server.settled().drain()
    with running(replace(wanted, again=2)) as server:
        assert [*range(41, 101)] == msgids(server.settled().drain())


def test_delivering_again_begins_at_the_oldest_window_that_is_remembered(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imconvert.serve.state.KEPT_WINDOWS", 5)
    wanted = serving(tmp_path / "feed.db", out, caps=Caps(10, 1 << 20), overlap=0)
    with running(wanted) as server:
        server.settled().drain()
    for _ in range(2):
        with running(replace(wanted, again=9)) as server:
            assert 61 == msgids(server.settled().ask().records)[0]
            assert 100 == msgids(server.drain())[-1]


@pytest.mark.parametrize("headers", [{}, {"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip;q=0"}])
def test_plain_unless_gzip_is_asked_for(tmp_path: Path, out: Path, headers: dict[str, str]) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        answer = server.settled().ask(headers=headers)
        assert "content-encoding" not in answer.headers
        assert 100 == len(answer.records)


def test_gzip_when_asked_for(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        plain = server.settled().ask("/feed?cursor=0-0")
        packed = server.ask(headers={"Accept-Encoding": "deflate, gzip;q=0.5"})
        assert "gzip" == packed.headers["content-encoding"]
        assert plain.body == gzip.decompress(packed.body)
        assert plain.headers["etag"] != packed.headers["etag"]
        assert EMPTY == server.ask().body


def test_head_tells_and_moves_nothing(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        head = server.settled().ask(method="HEAD")
        full = server.ask()
        assert b"" == head.body
        for name in ("content-length", "etag", "x-feed-cursor", "x-feed-next", "x-feed-records"):
            assert full.headers[name] == head.headers[name]
        assert 100 == len(full.records)


@pytest.mark.parametrize("weak", ["", "W/"])
def test_who_names_the_tag_of_the_window_has_it(tmp_path: Path, out: Path, weak: str) -> None:
    with running(serving(tmp_path / "feed.db", out, overlap=0)) as server:
        tag = server.settled().ask(method="HEAD").headers["etag"]
        assert 200 == server.ask(method="HEAD", headers={"If-None-Match": tag}).status
        assert not server.clerk.feed.cursor, "HEAD moves nothing"
        answer = server.ask(headers={"If-None-Match": f'"other", {weak}{tag}'})
        assert (304, b"") == (answer.status, answer.body)
        assert EMPTY == server.ask().body


def test_replays_do_not_move_the_cursor(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out, overlap=0)) as server:
        server.settled()
        assert [1, 2, 3] == msgids(server.ask("/feed?limit=3").records)
        first = server.ask("/feed?cursor=0-0&limit=70")
        rest = server.ask(f"/feed?cursor={first.headers['x-feed-next']}")
        assert [*range(1, 101)] == msgids(first.records + rest.records)
        assert "true" == first.headers["x-feed-more"]
        assert "x-feed-more" not in rest.headers
        assert [*range(20, 31)] == msgids(server.ask(f"/feed?since={BASE + 20}&until={BASE + 31}").records)
        assert [20, 21] == msgids(server.ask(f"/feed?since={BASE + 20}&limit=2").records)
        assert [] == server.ask(f"/feed?since={BASE + 101}").records
        assert 100 == len(server.ask().records)


@pytest.mark.parametrize("query", ["cursor=x", "cursor=1", "cursor=1--5", "cursor=9999999-0", "since=-1", "limit=1e3",
                                   "until=", "cursor=1-5", "cursor=1-99999999"])  # fmt: skip
def test_a_query_that_cannot_be_read_is_refused(tmp_path: Path, out: Path, query: str) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        answer = server.settled().ask(f"/feed?{query}")
        assert (400, {"code": 400, "data": []}) == (answer.status, json.loads(answer.body))
        assert 100 == len(server.ask().records)


def test_what_is_known_is_left_out_and_what_conflicts_is_held(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        server.settled()
        answer = server.ingest([record(5), record(6, "other"), record(200), record(200), record(200, "third")])
        found = json.loads(answer.body)
        assert 422 == answer.status
        assert (1, 2) == (found["accepted"], found["duplicates"])
        assert [(2, "IMC-8301"), (5, "IMC-8301")] == [(one["line"], one["code"]) for one in found["held"]]
        assert [*range(1, 101), 200] == msgids(server.drain())
        held = [json.loads(line) for line in (tmp_path / "feed.spool" / "held.ndjson").read_bytes().splitlines()]
        assert [record(6, "other").decode(), record(200, "third").decode()] == [one["raw"] for one in held]
        assert 2 == json.loads(server.ask("/status.json").body)["held"]


def test_a_bad_record_is_named_and_the_others_are_taken(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        found = json.loads(server.ingest([record(1), b"{", record(2).replace(b'"to":"bob",', b""), record(3)]).body)
        assert 2 == found["accepted"]
        assert [(2, "IMC-2001"), (3, "IMC-2101")] == [(one["line"], one["code"]) for one in found["rejected"]]
        assert all(one["why"] and one["remedy"] for one in found["rejected"])
        assert [1, 3] == msgids(server.drain())


def test_a_record_that_needs_repair_is_served_in_canonical_form(tmp_path: Path) -> None:
    odd = record(1).replace(b'"clientType":1', b'"clientType":"1"').replace(b'"msgid":1', b'"msgid":"1"')
    with running(serving(tmp_path / "feed.db")) as server:
        assert 200 == server.ingest([odd + b"\r"]).status
        assert b'{"code":200,"data":[' + record(1) + b"]}" == server.ask().body


def test_what_others_append_is_served_once(tmp_path: Path, out: Path) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        server.settled().drain()
        assert 3 == spool_append(tmp_path / "feed.spool", [record(7), record(300), record(8, "other")])
        wait_for(lambda: server.clerk.feed.backlog()[0] == 1)
        assert [300] == msgids(server.drain())[-1:]
        held = (tmp_path / "feed.spool" / "held.ndjson").read_bytes()
        assert b"IMC-8301" in held
        assert 1 == held.count(b"\n")


def test_records_appended_before_the_first_start_come_behind_the_shards(tmp_path: Path, out: Path) -> None:
    spool_append(tmp_path / "feed.spool", [record(300), record(1)])
    with running(serving(tmp_path / "feed.db", out)) as server:
        assert [*range(1, 101), 300] == msgids(server.settled().drain())


def test_outputs_that_appear_are_served_behind_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "outs").mkdir()
    with running(serving(tmp_path / "feed.db", tmp_path / "outs", overlap=0)) as server:
        server.ingest([record(1), record(2)])
        output_of(tmp_path / "outs" / "late", [record(2), record(3), record(1, "other"), record(4)])
        wait_for(lambda: server.clerk.feed.backlog()[0] == 4 and not server.clerk.behind)
        server.ingest([record(5)])
        assert [1, 2, 3, 4, 5] == msgids(server.drain())
        assert 1 == server.clerk.taker.held


def test_a_crash_between_lines_and_checkpoint_decides_the_same(tmp_path: Path, out: Path) -> None:
    wanted = serving(tmp_path / "feed.db", out, overlap=0)
    with running(wanted, kill=True) as server:
        server.settled().ingest([record(300)])
        spool_append(tmp_path / "feed.spool", [record(300, "other"), record(301)])
        wait_for(lambda: server.clerk.taker.held == 1)
    with running(wanted, kill=True) as server:
        server.settled()
        assert 1 == server.clerk.taker.held
        assert [*range(1, 101), 300, 301] == msgids(server.drain())
        found = json.loads(server.ingest([record(301), record(300), record(302)]).body)
        assert (1, 2) == (found["accepted"], found["duplicates"])


def test_the_increment_begins_exactly_where_the_bulk_ends(tmp_path: Path, out: Path) -> None:
    """A second export overlaps the first: late records of old conversations are in it, and all that is new."""
    late = [record(50, msgid=9001), record(99, msgid=9002)]
    second = output_of(tmp_path / "second", [record(number) for number in range(60, 131)] + late)
    with running(serving(tmp_path / "feed.db", second, after=(out / "manifest.json",))) as server:
        server.settled()
        served = server.drain()
        assert [*range(101, 131), 9001, 9002] == msgids(served)
        assert 31 + 1 == server.clerk.feed.backlog()[0] + len(served)
        assert 200 == server.ingest([record(3)]).status
        assert EMPTY == server.ask().body


@settings(max_examples=12, deadline=None)
@given(
    bulk=st.sets(st.integers(1, 40), min_size=1, max_size=30),
    second=st.sets(st.integers(1, 40), min_size=1, max_size=30),
    handed=st.lists(st.integers(1, 40), max_size=15),
    changed=st.sets(st.integers(1, 40), max_size=5),
)
def test_bulk_and_increment_together_are_all_records_once(
    bulk: set[int], second: set[int], handed: list[int], changed: set[int]
) -> None:
    """Whatever order the records of conversations came in: no gap, nothing twice, and nothing overwritten."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = output_of(folder / "out", [record(number) for number in sorted(bulk)])
        export = [record(number, "other" if number in changed else "") for number in sorted(second, reverse=True)]
        later = output_of(folder / "later", export)
        with loop().running(serving(folder / "feed.db", later, after=(first,), overlap=0)) as server:
            server.settled().ingest([record(number) for number in handed])
            served = server.drain()
            held = server.clerk.taker.held
    keys = [one["data"]["msgid"] for one in served]
    assert len(set(keys)) == len(keys)
    assert (second | set(handed)) - bulk == set(keys)
    conflicts = len(changed & second & bulk) + sum(number in changed & second - bulk for number in handed)
    assert conflicts == held


def test_a_changed_shard_is_trouble_until_it_is_back(tmp_path: Path, out: Path) -> None:
    shard = out / "p2p-00001.txt"
    content = shard.read_bytes()
    with running(serving(tmp_path / "feed.db", out, caps=Caps(50, 1 << 20), overlap=0)) as server:
        server.settled().ask()
        wait_for(lambda: server.clerk.feed.cursor)
        shard.write_bytes(content.replace(b"ann", b"eve"))
        answer = server.ask()
        assert (503, {"code": 503, "data": []}) == (answer.status, json.loads(answer.body))
        wait_for(lambda: server.ask("/healthz").status == 503)
        assert "trouble" == json.loads(server.ask("/status.json").body)["state"]
        shard.write_bytes(content)
        wait_for(lambda: server.ask("/healthz").status == 200)
        assert [*range(51, 101)] == msgids(server.ask().records)


def test_a_damaged_shard_is_never_served(tmp_path: Path, out: Path) -> None:
    shard = out / "p2p-00001.txt"
    content = shard.read_bytes()
    shard.write_bytes(content.replace(b"ann", b"eve", 1))
    with running(serving(tmp_path / "feed.db", out)) as server:
        wait_for(lambda: server.clerk.trouble)
        assert 503 == server.ask().status
        assert 200 == server.ingest([record(500)]).status
        assert 503 == server.ask().status
        shard.write_bytes(content)
        wait_for(lambda: not server.clerk.trouble and server.clerk.feed.backlog()[0] == 101)
        assert [*range(1, 101), 500] == msgids(server.drain())


def test_a_torn_tail_of_the_spool_is_cut(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db"), kill=True) as server:
        server.ingest([record(1)])
    segment = tmp_path / "feed.spool" / "spool-000001.ndjson"
    with segment.open("ab") as file:
        file.write(record(2)[:40])
    with running(serving(tmp_path / "feed.db")) as server:
        server.settled().ingest([record(3)])
        assert [1, 3] == msgids(server.drain())
        assert lines([record(1), record(3)]) == segment.read_bytes()


def test_a_damaged_spool_line_is_held(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        server.ingest([record(1)])
        segment = tmp_path / "feed.spool" / "spool-000001.ndjson"
        with segment.open("ab") as file:
            file.write(b"\0" * 20 + b"\n" + record(2) + b"\n" + record(3).replace(b":1,", b": 1,") + b"\n")
        wait_for(lambda: server.clerk.taker.held == 2)
        assert [1, 2] == msgids(server.settled().drain())


def test_records_are_stored_first_and_compared_later_while_the_feed_reads(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(serving(tmp_path / "feed.db", out)) as server:
        server.settled()
        monkeypatch.setattr(Receiver, "_caught_up", lambda receiver: False)
        found = json.loads(server.ingest([record(1), record(400)]).body)
        assert (2, 2) == (found["accepted"], found["undecided"])
        wait_for(lambda: server.clerk.feed.backlog()[0] == 101)
        assert [*range(1, 101), 400] == msgids(server.drain())


def test_the_spool_rolls(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        server.clerk.spool.limit = 2000
        for number in range(1, 101):
            assert 200 == server.ingest([record(number)]).status
        assert len(server.clerk.spool.segments()) > 3
        assert [*range(1, 101)] == msgids(server.drain())


def test_a_damaged_index_is_built_again(tmp_path: Path, out: Path) -> None:
    wanted = serving(tmp_path / "feed.db", out, overlap=0)
    with running(wanted) as server:
        server.settled().ingest([record(300)])
        server.ask()
    runs = [*(tmp_path / "feed.keys").glob("*.keys")]
    assert runs
    runs[0].write_bytes(runs[0].read_bytes()[:-9])
    with running(wanted) as server:
        server.settled()
        assert EMPTY == server.ask().body
        assert 2 == json.loads(server.ingest([record(300), record(1), record(301)]).body)["duplicates"]
        assert [301] == msgids(server.ask().records)
