"""`imconvert serve` and `imconvert spool append` as they are run: real processes, signals, kills, exit codes."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from support.feeds import lines, output_of, record

from imconvert.cli import cli

SEED = int(os.environ.get("IMCONVERT_SEED", "1"))
COMMAND = (sys.executable, "-m", "imconvert")


@contextmanager
def started(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and its URL; it is killed at the end if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "serve", *words, "--port", "0", "--json", "--rate", "0"], cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | {"IMCONVERT_LANG": "en"},
    )  # fmt: skip
    try:
        assert process.stdout
        line = process.stdout.readline()
        yield process, json.loads(line)["url"] if line else ""
    finally:
        process.kill()
        process.communicate()


def get(url: str) -> list[Any]:
    with urlopen(url, timeout=10) as answer:
        return list(json.load(answer)["data"])


def post(url: str, records: list[bytes]) -> dict[str, Any]:
    wanted = Request(url.replace("/feed", "/ingest"), lines(records), {"Content-Type": "application/x-ndjson"})
    with urlopen(wanted, timeout=10) as answer:
        return dict(json.load(answer))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_politely_and_quickly(tmp_path: Path, number: int, code: int) -> None:
    output_of(tmp_path / "out", [record(1)])
    with started(tmp_path, "out") as (process, url):
        assert 1 == len(get(url))
        began = time.monotonic()
        process.send_signal(number)
        assert code == process.wait(10)
        assert time.monotonic() - began < 3


def test_kills_lose_nothing_that_was_acknowledged_or_not_delivered(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    acknowledged: set[int] = set()
    stored: set[int] = set()
    number = 0
    for _ in range(6):
        with started(tmp_path, "--max-records", "40") as (process, url):
            end = time.monotonic() + rng.uniform(0.05, 0.6)
            while time.monotonic() < end:
                some = [*range(number + 1, number + rng.randrange(2, 30))]
                number = some[-1]
                assert len(some) == post(url, [record(one) for one in some])["accepted"]
                acknowledged |= set(some)
                if rng.random() < 0.5:
                    stored |= {one["data"]["msgid"] for one in get(url)}
            process.send_signal(signal.SIGKILL)
            process.wait()
    with started(tmp_path, "--max-records", "1000000") as (_, url):
        more = True
        while more:
            with urlopen(url, timeout=10) as answer:
                found = json.load(answer)["data"]
                more = bool(found) or answer.headers["X-Feed-More"] == "true"
            stored |= {one["data"]["msgid"] for one in found}
    assert acknowledged == stored, "an answer that says neither records nor more means that there is nothing"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Its disk is full, and there is trouble to tell of besides."""
    (tmp_path / "outs").mkdir()
    out = output_of(tmp_path / "outs" / "out", [record(1), record(2)])
    command = [*COMMAND, "serve", "outs", *words, "--port"]
    with Path("/dev/full").open("w") as full, free_port() as port:
        process = subprocess.Popen([*command, str(port)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=full)
        try:
            url = f"http://127.0.0.1:{port}/feed"
            answered(url)
            assert 2 == len(get(url))
            (out / "manifest.json").write_text("{")
            answered(f"http://127.0.0.1:{port}/healthz", 503)
            assert 3 == post(url, [record(number) for number in (3, 4, 5)])["accepted"]
            assert 5 == len(get(url))
        finally:
            process.kill()
            process.wait()


@contextmanager
def free_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as end:
        port = int(end.getsockname()[1])
    yield port


def answered(url: str, status: int = 200) -> None:
    """Wait until an address answers with a status."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            with urlopen(Request(url, method="HEAD"), timeout=10) as answer:
                found = answer.status
        except HTTPError as why:
            found = why.code
        except URLError:
            found = 0
        if found == status:
            return
        time.sleep(0.05)
    raise AssertionError(f"{url} did not answer with {status}")


def test_a_second_server_of_the_same_state_is_refused(tmp_path: Path) -> None:
    with started(tmp_path), started(tmp_path) as (second, _):
        assert 2 == second.wait(10)
        assert second.stderr
        assert "IMC-1007" in second.stderr.read()


def test_the_token_comes_from_environment_or_file_and_shows_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMCONVERT_FEED_TOKEN", "canary-91")
    (tmp_path / "tokens").write_text("canary-92\n")
    (tmp_path / "tokens").chmod(0o600)
    with started(tmp_path, "--token-file", "tokens") as (process, url):
        with pytest.raises(HTTPError, match="401"):
            get(url)
        for token in ("canary-91", "canary-92"):
            assert [] == get(url.replace("/feed", f"/{token}/feed"))
        with pytest.raises((HTTPError, URLError)):
            get(url.replace("/feed", "/canary-91/nothing"))
        process.terminate()
        out, err = process.communicate()
        assert "canary" not in out + err
        assert 4 == len([line for line in err.splitlines() if '"what"' in line])


def run(*words: str, code: int = 0, given: bytes = b"") -> str:
    done = CliRunner().invoke(cli, words, standalone_mode=False, input=given)
    found = getattr(done.exception, "exit_code", done.return_value or 0)
    assert (code, done.output) == (found, done.output)
    return done.output + str(done.exception or "")


def test_wrong_options_are_told(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "feed.db"))
    assert "IMC-1130" in run("serve", "--host", "0.0.0.0", *state, code=2)
    assert "IMC-1133" in run("serve", str(tmp_path / "nothing"), *state, code=2)
    for words in (("--path", "feed"), ("--path", "/status"), ("--allow", "x"), ("--window", "long"), ("--token", ""),
                  ("--tls-cert", __file__), ("--max-records", "0")):  # fmt: skip
        run("serve", *words, *state, code=2)
    tokens = tmp_path / "tokens"
    tokens.write_text("x\n")
    tokens.chmod(0o644)
    assert "IMC-1135" in run("serve", "--token-file", str(tokens), *state, code=2)


def test_other_targets_are_not_served(tmp_path: Path) -> None:
    out = output_of(tmp_path / "out", [record(1)])
    found = json.loads((out / "manifest.json").read_bytes())
    (out / "manifest.json").write_text(json.dumps({**found, "target": "easemob"}))
    assert "IMC-1134" in run("serve", str(out), "--state", str(tmp_path / "feed.db"), "--port", "0", code=2)


def test_spool_append_names_what_it_cannot_take(tmp_path: Path) -> None:
    source = tmp_path / "in.ndjson"
    source.write_bytes(lines([record(1), b"", b"{", record(2), record(3, "x").replace(b'"to":"bob",', b"")]))
    spool = str(tmp_path / "spool")
    found = json.loads(run("spool", "append", spool, str(source), "--json", code=3))
    assert (5, 2, 2, 1) == (found["read"], found["appended"], found["refused"], found["blank"])
    assert [(3, "IMC-2001"), (5, "IMC-2101")] == [(one["line"], one["code"]) for one in found["refusals"]]
    assert lines([record(1), record(2)]) == (tmp_path / "spool" / "spool-000001.ndjson").read_bytes()
    text = run("spool", "append", spool, code=0, given=lines([record(4)]))
    assert "1 of 1 records appended" in text


def test_spool_append_reads_what_msgs_reads(tmp_path: Path) -> None:
    import gzip

    source = tmp_path / "in.gz"
    source.write_bytes(gzip.compress(lines([record(1)])))
    assert "1 of 1" in run("spool", "append", str(tmp_path / "spool"), str(source))
