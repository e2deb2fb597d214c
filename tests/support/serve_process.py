"""`imconvert serve` as its own process: started, asked, killed, started again on the same port."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "t0k-" + "5eCr3t" * 4
LONG = 60
"""Seconds for whatever must come."""


def kept_port() -> socket.socket:
    """A port of loopback that nobody else is given until this socket is closed, though a server may listen on it."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end.bind(("127.0.0.1", 0))
    return end


class Server:
    """One feed in `folder`. `url` is the feed's address; a context that ends the process with a signal."""

    program: tuple[str, ...] = ("-m", "imconvert")

    def __init__(self, folder: Path, *words: str, outputs: tuple[Path, ...] = (), token: str = TOKEN) -> None:
        self.folder, self.words, self.outputs, self.token = folder, words, outputs, token
        self._kept = kept_port()
        self.port = int(self._kept.getsockname()[1])
        self.url = ""
        self.spool = folder / "feed.spool"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        command = [sys.executable, *self.program, "serve", *map(str, self.outputs), "--json",
                   "--port", str(self.port), "--state", str(self.folder / "feed.db"), "--rate", "0"]  # fmt: skip
        environment = {
            **os.environ,
            "IMCONVERT_LANG": "en",
            "PYTHONPATH": str(ROOT),
            "IMCONVERT_FEED_TOKEN": self.token,
        }
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.words], env=environment, stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"serve ended: {(self.folder / 'log').read_text()[-2000:]}"
        self.url = json.loads(line)["url"]
        self._wait()
        return self

    def _wait(self) -> None:
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            try:
                if httpx.get(self.at("/healthz"), trust_env=False, timeout=LONG).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.02)
        raise AssertionError("serve does not answer")

    def at(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def end(self, number: int) -> int:
        """Send a signal and wait for the end."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=LONG)
        self.process.stdout.close()
        self.process = None
        return code

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def status(self) -> dict[str, Any]:
        reply = httpx.get(self.at("/status.json"), headers=self.headers, trust_env=False, timeout=LONG)
        found: dict[str, Any] = reply.json()
        return found

    def ingest(self, *records: Any) -> httpx.Response:
        lines = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records).encode()
        headers = {**self.headers, "Content-Type": "application/x-ndjson"}
        return httpx.post(self.at("/ingest"), content=lines, headers=headers, trust_env=False, timeout=LONG)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        if self.process is not None:
            self.end(signal.SIGTERM)
        self._kept.close()


class PatientServer(Server):
    """One whose answers are judged however long its puller, or the machine, takes (support/patience.py)."""

    program = (str(Path(__file__).with_name("patience.py")),)
