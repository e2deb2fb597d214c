"""A short attack on the feed and a short bench: nothing is accepted, and both scripts run through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import attack_feed  # noqa: E402
import forgeries  # noqa: E402

TOKEN = "Zr4" + "kQ7" * 9


def script(name: str, *words: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "scripts" / name), *words, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_attack_gets_nothing_and_stops_nothing() -> None:
    amounts = ("--requests=4000", "--loris=60", "--idle=800", "--seconds=4")
    found = script("attack_feed.py", *amounts, "--seed=7")
    assert ["forged requests", "slow-loris", "idle connections"] == list(found)
    assert {"forged requests": [], "slow-loris": [], "idle connections": []} == {
        name: part["failures"] for name, part in found.items()
    }
    assert (4000, 800) == (found["forged requests"]["sent"], found["idle connections"]["sent"])
    assert set(forgeries.FAMILIES) == found["forged requests"]["families"].keys()
    assert found["slow-loris"]["pulls"] > 10
    assert found["idle connections"]["memory_MiB"] - found["idle connections"]["memory_before_MiB"] < 60


def test_forgeries_come_again_with_their_seed_and_never_hold_the_key() -> None:
    """The right token never stands where it counts: whole, in one of its two headers, or first in a path."""
    families: Counter[str] = Counter()
    for number in range(20_000):
        name, data = forgeries.forgery(3, number, TOKEN)
        assert (name, data) == forgeries.forgery(3, number, TOKEN)
        families[name] += 1
        for line in data.split(b"\r\n"):
            key, _, value = line.decode("latin-1").partition(":")
            if key.lower() in ("x-token", "authorization"):
                assert TOKEN not in (value.strip(), value.strip().removeprefix("Bearer ").strip())
            words = line.decode("latin-1").split(" ")
            if len(words) > 2 and words[1].startswith("/"):
                assert words[1][1:].split("/")[0] != TOKEN
    assert min(families.values()) > 200


ACCEPTED = {
    b"HTTP/1.1 200 OK\r\n\r\n{}": "accepted with 200",
    b"HTTP/1.1 401 No\r\n\r\nHTTP/1.1 200 OK\r\n\r\n[": "accepted with 200",
    b"HTTP/1.1 204 OK\r\n\r\n\x00": "accepted with 204",
    b"HTTP/1.1 500 Oh\r\n\r\n": "the server failed with 500",
    b"HTTP/1.1 401 No\r\n\r\n" + attack_feed.MARK.encode(): "records came back",
    b"anything": "no answer in HTTP",
    attack_feed.SILENT: "no end of the connection",
}


@pytest.mark.parametrize("raw", ACCEPTED)
def test_what_counts_as_accepted(raw: bytes) -> None:
    assert ACCEPTED[raw] in attack_feed._wrong(raw)


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 401 No\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\nok\n", b"HTTP/1.1 400 X\r\n\r\n"]
)
def test_what_does_not(raw: bytes) -> None:
    assert attack_feed._wrong(raw) == ""


def test_the_bench_runs_through(tmp_path: Path) -> None:
    amounts = ("--messages=3000", "--repeat=1", "--seconds=0.2", "--polls=50", "--records=3000", "--pulls=5")
    found = script("bench_feed.py", *amounts, f"--work={tmp_path}")
    assert ["machine", "served", "empty polls", "taken in", "memory", "aims"] == list(found)
    assert "bench_feed.py --messages=3000" in found["machine"]["command"]
    assert 4 == len(found["empty polls"]) == len(found["aims"])
    pulled = next(facts for name, facts in found["served"].items() if name.startswith("plain pulls"))
    assert pulled["records"] == 3000
    assert {"feed", "static, FileResponse", "static, blocks"} < found["served"].keys()
    assert all(facts["bytes_per_s"] > 0 for facts in found["served"].values())
