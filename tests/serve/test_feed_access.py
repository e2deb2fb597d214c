"""Who may ask the feed, how often, how slowly; and what is said of it in the log."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from support.feeds import Server, lines, output_of, read_answer, record, running, serving, wait_for

from imconvert.errors import UsageError
from imconvert.serve import app, listen
from imconvert.serve.access import Access, Rates, Secret
from imconvert.serve.app import Site
from imconvert.serve.listen import Tls
from imconvert.serve.run import check

TOKEN, INTAKE = "canary-4f1c9a7e", "canary-b07d2e55"
LOCKED = Access(tokens=(Secret(TOKEN), Secret("older")), ingest=(Secret(INTAKE),))
OPEN = Access(tokens=(Secret(TOKEN),))
PATHS = ("/feed", "/status", "/status.json", "/metrics", "/ingest", "/nothing")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [{}, bearer(""), bearer("wrong"), bearer(TOKEN + "x"), {"X-Token": TOKEN[:-1]},
                                     {"Authorization": f"Basic {TOKEN}"}, {"Cookie": TOKEN}])  # fmt: skip
def test_without_the_token_nothing_is_told(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    with running(serving(tmp_path / "feed.db", access=LOCKED)) as server:
        for asked in (path, f"/wrong{path}", f"{path}?token={TOKEN}"):
            answer = server.ask(asked, headers=headers)
            assert (401, b'{"code":401,"data":[]}') == (answer.status, answer.body)


def test_a_token_fits_in_either_header_or_in_the_path(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", access=LOCKED)) as server:
        assert 200 == server.ask(headers=bearer(TOKEN)).status
        assert 200 == server.ask(headers=bearer("older")).status
        assert 200 == server.ask(headers={"X-Token": TOKEN}).status
        assert 200 == server.ask(f"/{TOKEN}/feed").status
        assert 200 == server.ask(f"/{TOKEN}/status.json").status
        assert 404 == server.ask("/nothing", headers=bearer(TOKEN)).status
        assert 200 == server.ask("/healthz").status


def test_who_may_pull_may_not_hand_in_and_the_other_way_round(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", access=LOCKED)) as server:
        assert 401 == server.ingest([record(1)], Authorization=f"Bearer {TOKEN}").status
        assert 401 == server.ask(headers=bearer(INTAKE)).status
        assert 200 == server.ingest([record(1)], Authorization=f"Bearer {INTAKE}").status
        assert 200 == server.ask("/status.json", headers=bearer(INTAKE)).status
        assert 1 == len(server.ask(headers=bearer(TOKEN)).records)


def test_no_secret_stands_in_log_metrics_or_answers(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db", access=LOCKED)) as server:
        said = [server.ask(f"/{TOKEN}/{path}").body for path in ("feed", "status", "metrics", "nothing")]
        said.append(server.ask(f"/{TOKEN}").body)
        said.append(server.ask(f"/feed?token={TOKEN}", headers={"X-Token": INTAKE}).body)
        said += [json.dumps(server.log).encode(), repr(server.clerk).encode(), repr(LOCKED).encode()]
        assert [] == [one for one in said if TOKEN.encode() in one or INTAKE.encode() in one]


def test_networks_that_are_not_allowed_are_refused(tmp_path: Path) -> None:
    only = Access(networks=(ipaddress.ip_network("203.0.113.0/24"),))
    with running(serving(tmp_path / "feed.db", access=only)) as server:
        assert [403, 403] == [server.ask(path).status for path in ("/feed", "/healthz")]


@pytest.mark.parametrize(
    ("address", "fine"),
    [("203.0.113.9", True), ("203.0.114.1", False), ("::ffff:203.0.113.9", True), ("2001:db8::1", True),
     ("2001:db9::1", False), ("", False), ("testclient", False)],
)  # fmt: skip
def test_networks(address: str, fine: bool) -> None:
    networks = tuple(map(ipaddress.ip_network, ("203.0.113.0/24", "2001:db8::/32")))
    assert fine == Access(networks=networks).knows(address)


def test_a_rate_is_kept(tmp_path: Path) -> None:
    now = [0.0]
    rates = Rates(5, lambda: now[0])
    assert 10 == sum(rates.allows("a") for _ in range(50))
    assert rates.allows("b")
    now[0] = 1.0
    assert 5 == sum(rates.allows("a") for _ in range(50))
    with running(serving(tmp_path / "feed.db", access=Access(rate=2))) as server:
        answers = [server.ask() for _ in range(8)]
        refused = [answer for answer in answers if answer.status == 429]
        assert refused
        assert "1" == refused[0].headers["retry-after"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_on_another_site_moves_nothing(tmp_path: Path, site: str) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        server.ingest([record(1)])
        assert 403 == server.ask(headers={"Sec-Fetch-Site": site}).status
        assert 1 == len(server.ask(headers={"Sec-Fetch-Site": "none"}).records)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_web_form_can_send_is_not_taken_in(tmp_path: Path, kind: str) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        headers = {"Content-Type": kind} if kind else {}
        assert 415 == server.ask("/ingest", method="POST", headers=headers, body=lines([record(1)])).status


def test_security_headers_stand_on_every_answer(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        for path in ("/feed", "/status", "/nothing", "/metrics"):
            headers = server.ask(path).headers
            assert "no-store" == headers["cache-control"]
            assert "nosniff" == headers["x-content-type-options"]
            assert "DENY" == headers["x-frame-options"]
            assert headers["content-security-policy"]
            assert "server" not in headers


def test_a_body_that_is_too_long_is_refused(tmp_path: Path) -> None:
    site = Site("/feed", 1000)
    kind = {"Content-Type": "application/x-ndjson"}
    with running(serving(tmp_path / "feed.db", site=site)) as server:
        body = lines([record(1)])
        fits = body + b" " * (999 - len(body)) + b"\n"
        assert 200 == server.ask("/ingest", method="POST", headers=kind, body=fits).status
        assert 413 == server.ask("/ingest", method="POST", headers=kind, body=fits + b"\n").status
        with server.connect() as end:
            end.sendall(b"POST /ingest HTTP/1.1\r\nHost: f\r\nContent-Type: application/x-ndjson\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n400\r\n" + b" " * 1024 + b"\r\n0\r\n\r\n")  # fmt: skip
            assert 413 == read_answer(end).status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_the_feed_is_only_read(tmp_path: Path, method: str) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        assert 405 == server.ask(method=method).status


def closed(end: socket.socket) -> bool:
    try:
        return end.recv(4096) == b""
    except ConnectionResetError:
        return True


def test_slow_and_silent_connections_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "HEAD_TIME", 0.3)
    with running(serving(tmp_path / "feed.db")) as server:
        silent, slow = server.connect(), server.connect()
        head = iter(b"GET /feed HTTP/1.1\r\nHost: feed\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
        began = time.monotonic()
        with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe
            while time.monotonic() - began < 5:
                slow.sendall(bytes([next(head)]))
                time.sleep(0.02)
        assert time.monotonic() - began < 2
        assert closed(silent)
        assert 200 == server.ask().status
        slow.close()
        silent.close()


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BODY_TIME", 0.2)
    with running(serving(tmp_path / "feed.db")) as server, server.connect() as end:
        end.sendall(
            b"POST /ingest HTTP/1.1\r\nHost: f\r\nContent-Type: application/x-ndjson\r\nContent-Length: 9\r\n\r\n"
        )
        assert 408 == read_answer(end).status


def test_a_flood_of_silent_connections_shuts_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "MOST_IDLE", 20)
    with running(serving(tmp_path / "feed.db")) as server:
        ends = [server.connect() for _ in range(200)]
        assert 200 == server.ask().status
        assert 150 < sum(closed(end) for end in ends[:170])
        for end in ends:
            end.close()


def test_a_reader_that_stops_reading_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imconvert.serve.answers.SEND_TIME", 0.3)
    out = output_of(tmp_path / "out", [record(number, "x" * 4000) for number in range(1, 2500)])
    with running(serving(tmp_path / "feed.db", out)) as server:
        server.settled()
        with server.connect(buffer=4096) as end:
            end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
            wait_for(lambda: server.log)
        assert "too slow" == server.log[0]["end"]
        assert 1 == server.ask("/feed?limit=1").records[0]["data"]["msgid"]
        assert not server.clerk.feed.cursor


@pytest.mark.parametrize(
    "garbage",
    [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00" + b"\xff" * 60,
     b"GET /feed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_request_is_refused(tmp_path: Path, garbage: bytes) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        with server.connect() as end:
            end.sendall(garbage)
            assert read_answer(end).status in (400, 404)
        assert 200 == server.ask().status


def test_garbage_behind_an_answered_request_is_no_noise(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        with server.connect() as end:
            end.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: f\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
            assert closed(end) or closed(end)
        assert 200 == server.ask().status
    assert [] == [entry for entry in caplog.records if entry.exc_info]


def test_beyond_loopback_a_token_is_needed(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(UsageError, match="IMC-1130"):
            check(serving(tmp_path / "feed.db", host=host))
        check(serving(tmp_path / "feed.db", host=host, access=OPEN))
        check(serving(tmp_path / "feed.db", host=host, open_to_all=True))
    for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9"):
        check(serving(tmp_path / "feed.db", host=host))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    found = Tls(folder / "cert.pem", folder / "key.pem")
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-keyout", str(found.key), "-out", str(found.certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no openssl to make a certificate")
    return found


def over_tls(server: Server, *, unread: bool = False) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with server.connect() as plain, context.wrap_socket(plain) as end:
        end.sendall(b"GET /feed HTTP/1.1\r\nHost: feed\r\n\r\n")
        if unread:
            time.sleep(0.1)
            return b""
        answer = read_answer(end)
        assert "strict-transport-security" in answer.headers
        return answer.body


def test_tls(tmp_path: Path, certificate: Tls) -> None:
    out = output_of(tmp_path / "out", [record(number, "x" * 1000) for number in range(1, 101)])
    with running(serving(tmp_path / "feed.db", out, tls=certificate, overlap=0)) as server:
        server.settled()
        over_tls(server, unread=True)
        assert 100 == len(json.loads(over_tls(server))["data"])
        assert [] == json.loads(over_tls(server))["data"]


def test_a_handshake_that_does_not_come_on_is_ended(
    tmp_path: Path, certificate: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such connections are none yet, so that they are not among the idle ones."""
    monkeypatch.setattr(listen, "HEAD_TIME", 0.5)
    with running(serving(tmp_path / "feed.db", tls=certificate)) as server:
        ends = [server.connect() for _ in range(20)]
        ends[0].sendall(b"\x16\x03\x01")
        assert 200 == json.loads(over_tls(server))["code"]
        assert all(closed(end) for end in ends)
        for end in ends:
            end.close()


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("none")
    with pytest.raises(UsageError, match="IMC-1131"):
        listen.server(None, Tls(tmp_path / "x.pem", tmp_path / "x.pem"))


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as end, pytest.raises(UsageError, match="IMC-1132"):
        listen.bind("127.0.0.1", end.getsockname()[1])


def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        server.ingest([record(1), record(2)])
        server.ask()
        wait_for(lambda: server.clerk.feed.cursor)
        text = server.ask("/metrics").body.decode()
        assert "imconvert_feed_delivered_records_total 2" in text
        assert 'imconvert_http_requests_total{what="ingest",status="200"} 1' in text
        pattern = re.compile(r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.e+-]+)')
        assert [] == [line for line in text.splitlines() if not pattern.fullmatch(line)]


def test_the_status_tells_all_that_the_page_shows(tmp_path: Path) -> None:
    with running(serving(tmp_path / "feed.db")) as server:
        server.ingest([record(1), record(2)])
        before = json.loads(server.ask("/status.json").body)
        assert {"records": 2, "bytes": len(lines([record(1), record(2)]))} == before["backlog"]
        assert 2 == before["next_window"]["records"]
        assert before["last_pull"] is None
        server.ask()
        wait_for(lambda: server.clerk.feed.cursor)
        after = json.loads(server.ask("/status.json").body)
        assert ("serving", 2, 0, None) == (
            after["state"], after["delivered_records"], after["backlog"]["records"], after["next_window"],
        )  # fmt: skip
        assert 1_700_000_000_002 == after["delivered_until_ms"]
        assert b"<" in server.ask("/status").body
