"""What may be handed in over HTTP: any body at all, and nothing but the records of it that can be served."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.feeds import BASE, Server, lines, read_answer, record, running, serving

from imconvert.serve import gate
from imconvert.serve.access import Access, Secret
from imconvert.serve.app import LEAST_LINE, MOST_TOLD, Site

KIND = {"Content-Type": "application/x-ndjson"}
DATA = '"msgid":%d,"from":"ann","to":"bob","createTime":1700000000001,"clientType":1'


def text(number: int, body: bytes) -> bytes:
    return b'{"type":0,"data":{' + (DATA % number).encode() + b',"body":"' + body + b'"}}'


REFUSED = {
    "deep array": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "deep attach": b'{"type":100,"data":{' + (DATA % 2).encode() + b',"attach":' + b"[" * 5000 + b"]" * 5000 + b"}}",
    "deep attach as text": b'{"type":100,"data":{' + (DATA % 3).encode() + b',"attach":"' + b"[" * 50_000 + b'"}}',
    "huge number": text(4, b"x").replace(b'"msgid":4', b'"msgid":' + b"9" * 5000),
    "float": text(5, b"x").replace(b'"msgid":5', b'"msgid":5.5'),
    "infinite": text(6, b"x").replace(b"1700000000001", b"1e999"),
    "not a number": text(7, b"x").replace(b"1700000000001", b"NaN"),
    "no UTF-8": text(8, b"\xff\xfe"),
    "two on a line": text(9, b"x") + b"\r" + text(10, b"x"),
    "an array of records": b"[" + text(11, b"x") + b"]",
    "long ago": text(12, b"x").replace(b"1700000000001", b"1"),
    "far ahead": text(13, b"x").replace(b"1700000000001", b"9700000000001"),
    "two targets": text(14, b"x").replace(b'"to":"bob"', b'"to":"bob","tid":5'),
    "unknown type": text(15, b"x").replace(b'"type":0', b'"type":999'),
    "a string": b'"record"',
    "a number": b"1",
    "null": b"null",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_refused_with_code_and_line(tmp_path: Path, name: str) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        answer = server.ingest([record(100), REFUSED[name], record(101)])
        found = json.loads(answer.body)
        assert (422, 2, [2]) == (answer.status, found["accepted"], [one["line"] for one in found["rejected"]])
        assert found["rejected"][0]["code"].startswith("IMC-2")
        assert [100, 101] == [one["data"]["msgid"] for one in server.drain()]
        assert not server.clerk.trouble


@pytest.mark.parametrize("body", [b"\\ud800", b"\\u0000", b"a\\nb\\u2028", "长".encode() * 1000, b"x" * 2_000_000])
def test_odd_texts_are_served_as_one_line_of_json(tmp_path: Path, body: bytes) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        assert 200 == server.ingest([b"\xef\xbb\xbf" + text(1, body) + b"\r"]).status
        assert 200 == server.ingest([text(2, b"next")]).status
        found = json.loads(server.ask().body)
        assert [1, 2] == [one["data"]["msgid"] for one in found["data"]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=8).map(
                lambda value: json.dumps(value).encode()
            ),
            st.integers(1, 30).map(record),
            st.integers(1, 30).flatmap(lambda n: st.integers(0, 90).map(lambda k: record(n)[:k])),
        ),
        max_size=8,
    )
)
def test_any_body_is_answered_line_by_line(hostile: Server, body: list[bytes]) -> None:
    answer = hostile.ingest(body)
    found = json.loads(answer.body)
    told = [one["line"] for one in found["rejected"] + found["held"]]
    raws = lines(body).split(b"\n")
    assert answer.status in (200, 422)
    assert len([raw for raw in raws if raw.strip()]) == found["accepted"] + found["duplicates"] + len(told)
    assert not hostile.clerk.trouble


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running(serving(tmp_path_factory.mktemp("hostile") / "feed.db")) as server:
        yield server
        assert all(json.dumps(one) for one in server.drain())


def test_a_body_of_lines_too_short_to_be_records_is_refused_whole(tmp_path: Path) -> None:
    """A file of something else: millions of refusals would cost gigabytes."""
    site = Site("/feed", 64_000)
    with running(serving(tmp_path / "feed.db", site=site)) as server:
        most = 64_000 // LEAST_LINE
        assert 422 == server.ask("/ingest", method="POST", headers=KIND, body=b"1\n" * most).status
        for body in (b"1\n" * (most + 1), b"\n" * (most + 1)):
            assert 413 == server.ask("/ingest", method="POST", headers=KIND, body=body).status


def test_no_more_refusals_are_told_than_anybody_reads(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        found = json.loads(server.ingest([*[b"{"] * (MOST_TOLD + 5), record(1)]).body)
        assert (1, MOST_TOLD, 5) == (found["accepted"], len(found["rejected"]), found["untold"])
        assert MOST_TOLD + 5 == json.loads(server.ask("/status.json").body)["rejected_records"]


@pytest.mark.parametrize(("headers", "status"), [(KIND, 413), ({"Content-Type": "text/plain"}, 415), ({}, 401)])
def test_who_sends_too_much_or_the_wrong_thing_gets_the_answer(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    """Not a reset: the whole body is sent before the answer is read, as most programs do."""
    access = Access(tokens=(Secret("canary-1"),))
    token = {} if status == 401 else {"X-Token": "canary-1"}
    with running(serving(tmp_path / "feed.db", site=Site("/feed", 100_000), access=access)) as server:
        answer = server.ask("/ingest", method="POST", headers={**headers, **token}, body=b"x" * 6_000_000)
        assert (status, {"code": status, "data": []}) == (answer.status, json.loads(answer.body))


def test_a_refused_body_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "DRAIN_TIME", 0.2)
    with running(serving(tmp_path / "feed.db")) as server, server.connect() as end:
        end.sendall(b"POST /ingest HTTP/1.1\r\nHost: f\r\nContent-Length: 9\r\n\r\n")
        assert 415 == read_answer(end).status


def test_no_more_refused_bodies_are_read_at_a_time_than_a_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "DRAINS", 2)
    monkeypatch.setattr(gate, "DRAIN_TIME", 30.0)
    access = Access(tokens=(Secret("canary-1"),))
    with running(serving(tmp_path / "feed.db", access=access)) as server:
        ends = [server.connect() for _ in range(3)]
        for end in ends:
            end.sendall(b"POST /ingest HTTP/1.1\r\nHost: f\r\nContent-Length: 9\r\n\r\n")
            time.sleep(0.05)
        assert 401 == read_answer(ends[2]).status
        ends[0].settimeout(0.1)
        with pytest.raises(TimeoutError):
            ends[0].recv(1)
        for end in ends:
            end.close()


@pytest.mark.parametrize(("token", "status", "asked"), [("canary-1", 200, True), ("wrong", 401, False)])
def test_who_asks_before_sending_is_told(tmp_path: Path, token: str, status: int, asked: bool) -> None:
    """`Expect: 100-continue`, as curl does for large bodies."""
    body = lines([record(1)])
    wanted = serving(tmp_path / "feed.db", access=Access(tokens=(Secret("canary-1"),)))
    with running(wanted) as server, server.connect() as end:
        head = f"POST /ingest HTTP/1.1\r\nHost: f\r\nX-Token: {token}\r\nContent-Type: application/x-ndjson\r\n"
        end.sendall(f"{head}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        first = end.recv(4096)
        assert asked == first.startswith(b"HTTP/1.1 100")
        if asked:
            end.sendall(body)
            first = end.recv(4096)
        assert f"HTTP/1.1 {status}".encode() == first[:12]


def test_a_body_that_is_cut_off_takes_nothing(tmp_path: Path) -> None:
    body = lines([record(number) for number in range(1, 20)])
    head = (
        f"POST /ingest HTTP/1.1\r\nHost: f\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with running(serving(tmp_path / "feed.db")) as server:
        for cut in (0, 1, len(body) // 2, len(body) - 1):
            with server.connect() as end:
                end.sendall(head.encode() + body[:cut])
                end.shutdown(socket.SHUT_WR)
        assert [] == server.drain()
        assert 19 == json.loads(server.ingest([record(number) for number in range(1, 20)]).body)["accepted"]


# --- message copies (抄送) ---


def copy(number: int, **more: Any) -> bytes:
    """A p2p text as Yunxin's own message copies have it (yunxin.md §8)."""
    found = {
        "eventType": "1", "convType": "PERSON", "to": "bob", "fromAccount": "ann", "fromClientType": "AOS",
        "msgTimestamp": str(BASE + number), "msgType": "TEXT", "body": f"早 {number}", "msgidServer": str(number),
        "msgidClient": f"c-{number}", "resendFlag": "0",
    }  # fmt: skip
    return json.dumps(found | more, ensure_ascii=False).encode()


def test_message_copies_are_taken_as_import_records(tmp_path: Path) -> None:
    """A customer's receiver of message copies may hand them on as they came; the same message again is known."""
    with running(serving(tmp_path / "feed.db", overlap=0)) as server:
        team = copy(2, convType="TEAM", to="880011")
        found = json.loads(server.ingest([copy(1), team, copy(1), record(1)]).body)
        assert (2, 2, []) == (found["accepted"], found["duplicates"], found["rejected"]), found
        served = server.ask().records
    assert json.loads(record(1)) == served[0]
    assert {"msgid": 2, "accid": "ann", "tid": 880011} == {k: served[1]["data"][k] for k in ("msgid", "accid", "tid")}


def test_a_copy_that_is_no_message_is_refused_by_name(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        found = json.loads(server.ingest([copy(1), b'{"eventType":"2","accid":"ann","clientIp":"192.0.2.1"}']).body)
        assert (1, [2]) == (found["accepted"], [one["line"] for one in found["rejected"]])
        assert found["rejected"][0]["why"]
