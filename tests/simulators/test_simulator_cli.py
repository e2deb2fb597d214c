"""`imconvert simulate VENDOR --port`: a process of its own, its options, and what it keeps when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.simulated import Simulated
from support.vendor_calls import Easemob, RongCloud, Tencent, Yunxin

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = {"tencent": Tencent, "easemob": Easemob, "rongcloud": RongCloud, "yunxin": Yunxin}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "imconvert", "simulate", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "IMCONVERT_LANG": "en", "PYTHONPATH": str(ROOT)}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), env=environment(), capture_output=True, text=True, timeout=60)


class Process(Simulated):
    """A simulator as a process of its own; what it printed first, and the process."""

    def __init__(self, told: dict[str, Any], process: subprocess.Popen[str]) -> None:
        super().__init__(None, told["url"])  # type: ignore[arg-type]
        self.told, self.process = told, process

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@contextmanager
def running(vendor: str, *words: str) -> Iterator[Process]:
    process = subprocess.Popen(
        command(vendor, "--port", "0", "--json", *words),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    found = Process(json.loads(line), process)
    try:
        yield found
    finally:
        found.close()
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("vendor", CLIENTS)
def test_it_serves_until_it_is_told_to_stop(vendor: str) -> None:
    with running(vendor) as sim:
        assert (vendor, vendor) == (sim.told["vendor"], sim.ask("status")["vendor"])
        with CLIENTS[vendor](sim):
            pass
        assert sim.end(signal.SIGTERM) == 143


def test_names_and_keys_are_told_only_if_they_are_the_simulators_own() -> None:
    with running("tencent", "--set", "key=my-own-secret") as sim:
        assert {"sdkappid": "1400000000", "identifier": "administrator", "key": "…"} == {
            name: sim.told[name] for name in ("sdkappid", "identifier", "key")
        }
        sim.end(signal.SIGINT)
        assert sim.process.stderr is not None
        assert "my-own-secret" not in sim.process.stderr.read()


def test_nothing_that_was_answered_is_lost_by_a_kill(tmp_path: Path) -> None:
    state = str(tmp_path / "state.db")
    with running("tencent", "--state", state, "--no-limits") as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        for number in range(20):
            assert client.code("importmsg", client.message(number)) == 0
        sim.end(signal.SIGKILL)
    with running("tencent", "--state", state, "--no-limits") as sim, Tencent(sim) as client:
        assert list(range(20)) == [row["MsgSeq"] for row in sim.rows("export/messages")]
        assert client.code("importmsg", client.message(5)) == 0
        assert 20 == len(sim.rows("export/messages"))


def test_rates_are_as_chosen() -> None:
    with running("tencent", "--rate", "account_check=1/60s") as sim, Tencent(sim) as client:
        assert [0, 60007] == [client.code("account_check", {"CheckItem": [{"UserID": "a"}]}) for _ in range(2)]


def test_mishaps_are_as_planned_in_a_file_or_in_shares(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text('["account_check"]\nexpired = "100%"\n')
    for faults in (str(plan), "expired=100%"):
        with running("tencent", "--faults", faults, "--seed", "3") as sim, Tencent(sim) as client:
            assert 70001 == client.code("account_check", {"CheckItem": [{"UserID": "a"}]})
            assert {"expired": 1} == sim.ask("faults")["kinds"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("tencent", "--port", "0", "--set", "sizes=1"), "IMC-1291"),
        (("tencent", "--port", "0", "--rate", "importmsg=fast"), "IMC-1291"),
        (("tencent", "--port", "0", "--faults", "none.toml"), "IMC-1292"),
        (("tencent", "--port", "0", "--faults", "resets=3%"), "IMC-1292"),
        (("tencent", "--port", "0", "--state", "{file}"), "IMC-1161"),
        (("tencent", "--port", "0", "--host", "192.0.2.1"), "IMC-1132"),
        (("tencent",), "Missing option '--port'"),
        (("yunxin",), "Name one of --port"),
        (("yunxin", "--port", "0", "--pull", "http://127.0.0.1:1/"), "Name one of --port"),
        (("yunxin", "--pull", "http://127.0.0.1:1/", "--faults", "reset=3%"), "is not of the form"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    (tmp_path / "file").write_text("no database\n" * 100)
    done = run(*(word.format(file=tmp_path / "file") for word in words))
    assert done.returncode == 2
    assert code in done.stderr


def test_yunxin_imports_finished_outputs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = ROOT / "fixtures" / "sample" / "yunxin.txt"
    done = subprocess.run(
        [sys.executable, "-m", "imconvert", "msgs", str(source), str(out), "--latest", "2026-01-01"],
        env=environment(), capture_output=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 3
    written = json.loads((out / "manifest.json").read_text())["totals"]["written"]
    with running("yunxin", "--import", str(out)) as sim:
        assert written == len(sim.rows("export/messages")) == 56
        sim.end(signal.SIGTERM)
        assert sim.process.stderr is not None
        assert "imported: new 56" in sim.process.stderr.read()


def test_callbacks_go_where_they_are_sent() -> None:
    """To another simulator, which knows no such path: the post is made, answered 404, and noted."""
    with running("tencent") as other, running("easemob", "--callback", f"{other.url}/hook") as sim:
        sim.say({"from": "ann", "to": "bob", "text": "x"})
        sim.settle()
        assert [("chat", 1, "200")] == [(row["event"], row["tries"], row["outcome"]) for row in sim.rows("posts")]
        assert "/hook" == other.rows("arrivals")[0]["api"]


def test_help_names_settings_rates_and_mishaps() -> None:
    for vendor in CLIENTS:
        text = run(vendor, "--help").stdout
        assert all(word in text for word in ("Settings", "Rates", "reset-after", "forged", "--no-limits"))


def test_a_port_that_is_taken_is_told() -> None:
    with running("tencent") as sim:
        done = run("easemob", "--port", str(httpx.URL(sim.url).port))
    assert (done.returncode, "IMC-1132" in done.stderr) == (2, True)
