"""A vendor's simulator on loopback, in a thread of the test; it ends with the test."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
from support import quick  # noqa: F401 - it makes servers end at once

from imconvert.simulators.core.app import App
from imconvert.simulators.core.clock import Clock
from imconvert.simulators.core.faults import Plan, read_plan
from imconvert.simulators.core.rates import read_limit
from imconvert.simulators.core.run import Choice, build
from imconvert.simulators.core.server import bind, server, url_of
from imconvert.simulators.core.vendor import Vendor


class Simulated:
    """A running simulator: its address, its own questions, and what it holds."""

    def __init__(self, app: App, url: str) -> None:
        self.app, self.url = app, url
        self._client = httpx.Client(base_url=f"{url}/_simulator/", trust_env=False, timeout=60)

    def ask(self, name: str) -> Any:
        """The answer to a question such as `status`, `faults`."""
        return self._client.get(name).raise_for_status().json()

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The lines of `arrivals`, `posts` or `export/NAME`."""
        return [json.loads(line) for line in self._client.get(name).raise_for_status().text.splitlines()]

    def say(self, *messages: Mapping[str, Any]) -> Any:
        """Let users of the app send messages."""
        lines = "".join(f"{json.dumps(message)}\n" for message in messages)
        return self._client.post("say", content=lines).raise_for_status().json()

    def take(self, *lines: bytes) -> list[dict[str, Any]]:
        """Import lines of text files, and what became of each."""
        reply = self._client.post("import", content=b"\n".join(lines)).raise_for_status()
        return [json.loads(line) for line in reply.text.splitlines()]

    def ahead(self, seconds: float) -> None:
        """Move its clock."""
        self._client.post("clock", json={"ahead": seconds}).raise_for_status()

    def hour(self, zone: int = 8) -> str:
        """The hour that it is in a zone, as vendors write it; it will not end within this test."""
        if self.ask("status")["now"] // 1000 % 3600 > 3540:
            self.ahead(60)
        moment = datetime.fromtimestamp(self.ask("status")["now"] / 1000, timezone(timedelta(hours=zone)))
        return moment.strftime("%Y%m%d%H")

    def settle(self) -> None:
        """Wait until all callbacks are posted."""
        self._client.post("settle").raise_for_status()

    def close(self) -> None:
        self._client.close()


@contextmanager
def simulated(
    vendor: Vendor,
    *,
    state: Path | None = None,
    faults: str | Plan | None = None,
    seed: int = 1,
    limited: bool = False,
    rates: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    callback: str | None = None,
    clock: Clock | None = None,
) -> Iterator[Simulated]:
    """Serve a vendor; `faults` is a plan or its TOML, `rates` and `settings` are as on the command line.

    Its posts wait a minute for an answer, for a machine that stalls is none that does not answer.
    """
    vendor = replace(vendor, posting=vendor.posting._replace(timeout=60.0))
    plan = read_plan(faults) if isinstance(faults, str) else faults
    limits = {name: read_limit(text) for name, text in (rates or {}).items()}
    choice = Choice(state, plan, seed, limited, limits, settings or {}, callback)
    app = build(vendor, choice, clock or Clock(time.time, time.monotonic))
    end = bind("127.0.0.1", 0)
    running = server(app)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[end])), daemon=True)
    thread.start()
    found = Simulated(app, url_of(end))
    try:
        yield found
    finally:
        found.close()
        while not running.started and thread.is_alive():
            time.sleep(0.005)
        running.should_exit = True
        thread.join(timeout=60)
        end.close()
        app.desk.store.close()
        assert not thread.is_alive()
        assert app.failures == [], sorted(set(app.failures))
