"""Attack a feed from all sides, and see that it gives nothing away and goes on serving.

Three parts, each against a server of its own with a few thousand records and a token: forged requests (forgeries.py),
none of which may be accepted; slow-loris, connections that send a byte now and then; and idle connections by the
thousand. During the last two real pulls and hand-ins go on, and their times are told. A forged request is accepted if
any answer on its connection is a 2xx with anything but the open /healthz, if a word of a record comes back, or if the
feed moved or took a record in, which is looked at behind the attack. A 5xx, or a traceback in the log, counts as a
failure of the server, too.

Exit code 1 if anything was accepted, a real pull failed, or a record was lost. The same seed makes the same requests.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import click
import httpx
import psutil
from forgeries import forgery

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from support.fake_feed import p2p  # type: ignore[import-not-found]  # noqa: E402
from support.serve_process import Server  # type: ignore[import-not-found]  # noqa: E402

MARK = "only-for-the-puller"
RECORDS = 2000
PATIENCE = 60.0
SILENT = b"silent"
"""Seconds for an answer, and what stands for one that did not come."""

MIB = 1 << 20


@dataclass(slots=True)
class Part:
    """What one part of the attack found."""

    name: str
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


# --- the server ---


@contextmanager
def feed(seed: int) -> Iterator[Any]:
    """A feed whose records all bear the mark."""
    random = Random(seed)
    token = "".join(random.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=32))
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), "--quiet", token=token) as server:
        for start in range(0, RECORDS, 500):
            server.ingest(*(p2p(n, MARK) for n in range(start + 1, start + 501)))
        yield server


def memory(server: Any) -> int:
    return int(psutil.Process(server.pid).memory_info().rss)


def delivered(server: Any) -> set[int]:
    """The numbers of the records that a puller with the right token gets, to the end."""
    found: set[int] = set()
    with httpx.Client(trust_env=False, headers=server.headers, timeout=PATIENCE) as client:
        while data := client.get(server.url).json()["data"]:
            found |= {record["data"]["msgid"] for record in data}
    return found


# --- forged requests ---


def forged(seed: int, requests: int, at_once: int) -> Part:
    """Send forged requests, and look at the answers and at what became of the feed."""
    part = Part("forged requests")
    families: dict[str, Counter[str]] = defaultdict(Counter)
    with feed(seed) as server:
        before = server.status()
        start = time.perf_counter()
        asyncio.run(_send_all(server, seed, requests, at_once, families, part))
        seconds = time.perf_counter() - start
        after = server.status()
        for name in ("delivered_records", "ingested_records", "held"):
            if after[name] != before[name]:
                part.failures.append(f"{name} went from {before[name]} to {after[name]}")
        if delivered(server) != set(range(1, RECORDS + 1)):
            part.failures.append("the right puller does not get every record afterwards")
        if tracebacks := (server.folder / "log").read_text().count("Traceback"):
            part.failures.append(f"the server's log has {tracebacks} tracebacks")
    part.facts = {"seconds": round(seconds, 1), "families": {name: dict(found) for name, found in families.items()}}
    return part


async def _send_all(
    server: Any, seed: int, requests: int, at_once: int, families: dict[str, Counter[str]], part: Part
) -> None:
    numbers = iter(range(requests))

    async def worker() -> None:
        for number in numbers:
            name, data = forgery(seed, number, server.token)
            answer = await _exchange(server.port, data)
            part.sent += 1
            families[name].update(_read(answer) or ["closed"])
            if why := _wrong(answer):
                part.failures.append(f"{name} --seed {seed} number {number}: {why}")

    await asyncio.gather(*(worker() for _ in range(at_once)))


async def _exchange(port: int, data: bytes) -> bytes:
    """Send bytes over a new connection, end our side, and read until the other side ends."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(data)
                writer.write_eof()
                return await reader.read()
            finally:
                writer.transport.abort()
    except TimeoutError:
        return SILENT
    except OSError:
        return b""


def _answers(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Status and body of each answer in what came back over one connection."""
    for one in raw.split(b"HTTP/1.1 ")[1:]:
        head, _, body = one.partition(b"\r\n\r\n")
        yield int(head[:3]), body


def _read(raw: bytes) -> list[str]:
    return [str(status) for status, _ in _answers(raw)]


def _wrong(raw: bytes) -> str:
    """Why an answer must not be, or nothing."""
    if raw is SILENT:
        return f"no end of the connection within {PATIENCE:g} s"
    if MARK.encode() in raw:
        return "records came back"
    for status, body in _answers(raw):
        if 200 <= status < 300 and body not in (b"ok\n", b""):
            return f"accepted with {status}: {body[:60]!r}"
        if status >= 500:
            return f"the server failed with {status}"
    if raw and not raw.startswith(b"HTTP/1.1 "):
        return f"no answer in HTTP: {raw[:60]!r}"
    return ""


# --- while real pulls go on ---


class Pulls:
    """Real pulls and hand-ins while an attack goes on."""

    def __init__(self, server: Any, part: Part) -> None:
        self.server, self.part = server, part
        self.times: list[float] = []
        self.records = RECORDS
        self.seen: set[int] = set()

    async def go_on(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        async with httpx.AsyncClient(trust_env=False, headers=self.server.headers, timeout=PATIENCE) as client:
            while time.perf_counter() < end:
                await self._hand_in(client)
                await self._pull(client)
                await asyncio.sleep(0.05)

    async def _hand_in(self, client: httpx.AsyncClient) -> None:
        self.records += 1
        line = json.dumps(p2p(self.records, MARK)).encode()
        kind = {"Content-Type": "application/x-ndjson"}
        try:
            reply = await client.post(self.server.at("/ingest"), content=line, headers=kind)
            if reply.status_code != 200:
                self.part.failures.append(f"a hand-in was answered with {reply.status_code}")
        except httpx.HTTPError as why:
            self.part.failures.append(f"a hand-in failed: {type(why).__name__}")

    async def _pull(self, client: httpx.AsyncClient) -> None:
        start = time.perf_counter()
        try:
            reply = await client.get(self.server.url)
            self.seen |= {record["data"]["msgid"] for record in reply.json()["data"]}
        except (httpx.HTTPError, ValueError, KeyError) as why:
            self.part.failures.append(f"a pull failed: {type(why).__name__}")
        self.times.append(time.perf_counter() - start)

    def close(self) -> None:
        """Look at the end whether every record came."""
        self.seen |= delivered(self.server)
        if self.seen != set(range(1, self.records + 1)):
            self.part.failures.append(f"{self.records - len(self.seen)} records are missing")
        times = sorted(self.times)
        self.part.facts |= {
            "pulls": len(times), "p50_ms": round(times[len(times) // 2] * 1000, 1),
            "p99_ms": round(times[int(len(times) * 0.99)] * 1000, 1), "max_ms": round(times[-1] * 1000, 1),
            "memory_MiB": round(memory(self.server) / MIB),
        }  # fmt: skip


def loris(seed: int, connections: int, seconds: float) -> Part:
    """Connections that send their head a byte at a time; each that is dropped comes again."""
    part = Part("slow-loris")

    async def dribble(port: int, end: float, random: Random) -> None:
        while time.perf_counter() < end:
            data = b"GET /feed HTTP/1.1\r\nHost: x\r\nX-Token: " + b"a" * 500
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                part.sent += 1
                for place in range(len(data)):
                    writer.write(data[place : place + 1])
                    await asyncio.sleep(random.uniform(0.05, 0.5))
                    if reader.at_eof() or writer.transport.is_closing() or time.perf_counter() > end:
                        break
                writer.transport.abort()
            except OSError:
                await asyncio.sleep(0.1)

    async def run(server: Any, pulls: Pulls) -> None:
        end = time.perf_counter() + seconds
        attackers = (dribble(server.port, end, Random(f"{seed}/{n}")) for n in range(connections))
        await asyncio.gather(pulls.go_on(seconds), *attackers)

    with feed(seed) as server:
        pulls = Pulls(server, part)
        asyncio.run(run(server, pulls))
        pulls.close()
    return part


def idle(seed: int, connections: int, seconds: float) -> Part:
    """Connections that say nothing, more than the server may have."""
    part = Part("idle connections")
    with feed(seed) as server, ExitStack() as stack:
        part.facts["memory_before_MiB"] = round(memory(server) / MIB)
        for number in range(connections):
            line = stack.enter_context(socket.socket())
            line.bind((f"127.0.0.{2 + number % 200}", 0))
            line.settimeout(PATIENCE)
            try:
                line.connect(("127.0.0.1", server.port))
                part.sent += 1
            except OSError as why:
                part.failures.append(f"connection {number} was refused: {why}")
                break
        pulls = Pulls(server, part)
        asyncio.run(pulls.go_on(seconds))
        pulls.close()
    return part


def allow_many_files(wanted: int) -> int:
    """Raise the limit of open files as far as needed and possible; gives how many connections it leaves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + 200
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - 200)


# --- report ---


def told(part: Part) -> Iterator[str]:
    verdict = "FAILED" if part.failures else "ok"
    yield f"{part.name}: {part.sent:,} sent, {len(part.failures):,} failures: {verdict}"
    for name, found in part.facts.get("families", {}).items():
        statuses = ", ".join(f"{status} x {count:,}" for status, count in sorted(found.items()))
        yield f"  {name:<16} {statuses}"
    facts = {name: value for name, value in part.facts.items() if name != "families"}
    yield "  " + ", ".join(f"{name} {value}" for name, value in facts.items())
    yield from (f"  ! {failure}" for failure in part.failures[:20])


@click.command()
@click.option("--requests", default=200_000, show_default=True, help="Forged requests.")
@click.option("--at-once", default=32, show_default=True, help="Connections that send them at a time.")
@click.option("--loris", "slow", default=500, show_default=True, help="Slow connections.")
@click.option("--idle", "silent", default=10_000, show_default=True, help="Idle connections.")
@click.option("--seconds", default=30.0, show_default=True, help="Time for each of the last two parts.")
@click.option("--seed", default=1, show_default=True, help="Decides every request.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(requests: int, at_once: int, slow: int, silent: int, seconds: float, seed: int, as_json: bool) -> None:
    """Attack a feed: forged requests, slow-loris, idle connections."""
    possible = allow_many_files(silent)
    attacks: list[Callable[[], Part]] = [
        lambda: forged(seed, requests, at_once),
        lambda: loris(seed, slow, seconds),
        lambda: idle(seed, possible, seconds),
    ]
    parts = []
    for attack in attacks:
        parts.append(attack())
        click.echo(next(told(parts[-1])), err=True)
    if as_json:
        click.echo(
            json.dumps(
                {part.name: {"sent": part.sent, "failures": part.failures, **part.facts} for part in parts}, indent=1
            )
        )
    else:
        click.echo("\n\n".join("\n".join(told(part)) for part in parts))
    sys.exit(1 if any(part.failures for part in parts) else 0)


if __name__ == "__main__":
    main()
