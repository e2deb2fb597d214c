"""How fast the loader is, and how exactly it keeps its pace.

    python scripts/bench_load.py rate --messages 20000             # calls a second, no limit, simulator included
    python scripts/bench_load.py pace --limit 200 --seconds 60     # share of the limit that is used, worst window

Both start a server on loopback as a process of its own: the vendor's simulator without limits, or with --server bare
one that only answers, to see what the loader alone costs. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
KEY = "0123456789abcdef0123456789abcdef"
ACCOUNTS = 500


class Bare(asyncio.Protocol):
    """Answers every request with OK, and notes when it came; GET gives the times."""

    times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.got = b""

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, found, rest = self.got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0] or 0)
        if not found or len(rest) < length:
            return
        self.got = rest[length:]
        body = b'{"ActionStatus":"OK","ErrorCode":0,"ErrorInfo":""}'
        if head.startswith(b"GET"):
            body = json.dumps(self.times).encode()
        else:
            self.times.append(time.monotonic())
        self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


async def serve_bare() -> None:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(json.dumps({"url": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}), flush=True)
    await server.serve_forever()


def output(folder: Path, messages: int) -> None:
    """An output of accounts and of messages of ACCOUNTS / 2 pairs, each of them long."""
    pairs = ACCOUNTS // 2
    people = {"AccountList": [{"UserID": f"u{number}"} for number in range(ACCOUNTS)]}
    first = [{"AccountList": people["AccountList"][at : at + 100]} for at in range(0, ACCOUNTS, 100)]
    shards = {
        "accounts-00001.ndjson": [
            ("im_open_login_svc/multiaccount_import", "", at, body) for at, body in enumerate(first)
        ],
        "p2p-00001.ndjson": [
            ("openim/importmsg", f"u{pair}·u{pair + pairs}", at, message(pair, pairs, at))
            for pair in range(pairs)
            for at in range(messages // pairs)
        ],
    }  # fmt: skip
    folder.mkdir()
    facts = []
    for name, rows in shards.items():
        data = "".join(
            json.dumps({"api": api, "conv": conv, "key": f"{conv}/{at}", "time": at, "body": body}) + "\n"
            for api, conv, at, body in rows
        ).encode()
        (folder / name).write_bytes(data)
        facts.append({"name": name, "stream": "p2p", "lines": len(rows), "bytes": len(data),
                      "sha256": hashlib.sha256(data).hexdigest(), "times": [0, 0], "msgids": [0, 0]})  # fmt: skip
    empty = (
        "options",
        "totals",
        "streams",
        "files",
        "rejects",
        "conflicts",
        "duplicates",
        "skipped",
        "repairs",
        "fidelity",
    )
    manifest = {"format": 1, "source": "yunxin", "target": "tencent", "rekeyed": 0, "shards": facts, "inputs": [],
                **{name: {} for name in empty}}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def message(pair: int, pairs: int, at: int) -> dict[str, Any]:
    return {"SyncFromOldSystem": 2, "From_Account": f"u{pair}", "To_Account": f"u{pair + pairs}", "MsgSeq": at,
            "MsgRandom": pair * 1000 + at, "MsgTimeStamp": 1_600_000_000 + at,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"message {at} of {pair}, 早上好"}}],
            "CloudCustomData": json.dumps({"src": "yunxin", "id": f"{pair}-{at}"})}  # fmt: skip


def start(kind: str) -> tuple[subprocess.Popen[bytes], str]:
    words = [sys.executable, __file__, "serve"] if kind == "bare" else [
        sys.executable, "-m", "imconvert", "simulate", "tencent", "--port", "0", "--json", "--no-limits"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    return process, json.loads(process.stdout.readline())["url"]


def load(folder: Path, url: str, limit: int, inflight: int) -> tuple[float, float, dict[str, Any]]:
    """Seconds, seconds of CPU, and the summary of a load."""
    (folder / "target.toml").write_text(
        f'target = "tencent"\n[app]\nsdkappid = 1400000000\nurl = "{url}"\n[limits]\n"openim/importmsg" = {limit}\n'
        f"[load]\ninflight = {inflight}\n"
    )
    words = [sys.executable, "-m", "imconvert", "load", str(folder / "out"), "--target", str(folder / "target.toml"),
             "--json"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "IMCONVERT_TENCENT_KEY": KEY}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, cpu, json.loads(done.stdout)


def times_of(url: str, kind: str) -> list[float]:
    """When the messages came, as the server saw it."""
    if kind == "bare":
        return sorted(httpx.get(url, trust_env=False).json())[ACCOUNTS // 100 :]
    from load_campaign import rows

    with httpx.Client(base_url=url, trust_env=False) as client:
        return sorted(row["at"] for row in rows(client, "arrivals") if row["api"] == "importmsg")


def most_in_a_second(times: list[float]) -> int:
    first = most = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def main() -> None:
    given = arguments()
    if given.what == "serve":
        asyncio.run(serve_bare())
    limit = given.limit if given.what == "pace" else 0
    messages = limit * given.seconds if limit else given.messages
    with tempfile.TemporaryDirectory(prefix="bench-load-", dir=given.work) as scratch:
        folder = Path(scratch)
        output(folder / "out", messages)
        server, url = start(given.server)
        try:
            seconds, cpu, told = load(folder, url, limit, given.inflight)
            times = times_of(url, given.server)
        finally:
            server.terminate()
            server.wait()
    span = times[-1] - times[0]
    found = {"server": given.server, "messages": len(times), "calls_per_s": round((len(times) - 1) / span, 1),
             "seconds_in_all": round(seconds, 2), "cpu_us_per_call": round(cpu / told["sent"] * 1e6),
             "most_in_a_second": most_in_a_second(times)}  # fmt: skip
    if limit:
        after = [at for at in times if at > times[0] + 2]
        share = (len(after) - 1) / (after[-1] - after[0]) / limit
        found |= {"limit": limit, "share_of_limit": round(share, 4), "in_all": round(found["calls_per_s"] / limit, 4)}
    print(json.dumps(found))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("rate", "pace", "serve"))
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--inflight", type=int, default=64)
    parser.add_argument("--server", choices=("simulator", "bare"), default="simulator")
    parser.add_argument("--work", type=Path, help="folder for scratch files")
    return parser.parse_args()


if __name__ == "__main__":
    main()
