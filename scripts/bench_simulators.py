"""How fast the simulators take imports: requests a second and the server's CPU time, over plain sockets on loopback.

    python scripts/bench_simulators.py --vendor tencent --requests 20000 --connections 16
    python scripts/bench_simulators.py --vendor easemob --state

The driver writes requests that were made before and reads no more of an answer than its length, so that what is
measured is the server. It takes a core of its own: with less than two, the rate says little, the CPU time still does.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import selectors
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

ROOT = Path(__file__).resolve().parents[1]
KEY = b"0123456789abcdef0123456789abcdef"
USERS = 100


def usersig() -> str:
    facts = {"TLS.identifier": "administrator", "TLS.sdkappid": 1400000000, "TLS.time": int(time.time()),
             "TLS.expire": 86_400}  # fmt: skip
    text = "".join(f"{name}:{value}\n" for name, value in facts.items())
    digest = base64.b64encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest()).decode()
    packed = zlib.compress(json.dumps({"TLS.ver": "2.0", **facts, "TLS.sig": digest}).encode())
    return base64.b64encode(packed).decode().translate(str.maketrans("+/=", "*-_"))


def request(path: str, body: Any, *headers: str) -> bytes:
    raw = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(raw)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + raw


def whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    return bool(found) and len(body) >= int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0])


def ask(address: tuple[str, int], sent: bytes) -> Any:
    with socket.create_connection(address) as end:
        end.sendall(sent)
        answer = b""
        while not whole(answer):
            answer += end.recv(65536)
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def tencent(address: tuple[str, int], count: int) -> Iterator[bytes]:
    query = f"?sdkappid=1400000000&identifier=administrator&contenttype=json&random=5&usersig={usersig()}"
    accounts = {"Accounts": [f"u{number}" for number in range(USERS)]}
    ask(address, request(f"/v4/im_open_login_svc/multiaccount_import{query}", accounts))
    for number in range(count):
        yield request(f"/v4/openim/importmsg{query}", {
            "SyncFromOldSystem": 2, "From_Account": f"u{number % USERS}", "To_Account": f"u{(number * 7 + 1) % USERS}",
            "MsgSeq": number, "MsgRandom": number * 7919 % (1 << 32), "MsgTimeStamp": 1_700_000_000 + number // 100,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "a message of usual length"}}],
            "CloudCustomData": f'{{"id":"{number}"}}',
        })  # fmt: skip


def easemob(address: tuple[str, int], count: int) -> Iterator[bytes]:
    grant = {
        "grant_type": "client_credentials",
        "client_id": "YXA6simulated-id",
        "client_secret": "YXA6simulated-secret",
    }
    token = ask(address, request("/rehearsal/app/token", grant))["access_token"]
    for number in range(count):
        yield request("/rehearsal/app/messages/users/import", {
            "from": f"u{number % USERS}", "target": f"u{(number * 7 + 1) % USERS}", "type": "txt",
            "body": {"msg": "a message of usual length"}, "ext": {"_src": f"yunxin:{number}"},
            "msg_timestamp": 1_700_000_000_000 + number,
        }, f"Authorization: Bearer {token}")  # fmt: skip


VENDORS = {"tencent": tencent, "easemob": easemob}
GOOD = (b'"ErrorCode":0', b'"msg_id"')


def drive(address: tuple[str, int], requests: list[bytes], connections: int) -> int:
    """Send all requests, one at a time on each connection; gives how many were not taken."""
    selector, waiting, bad = selectors.DefaultSelector(), iter(requests), 0
    answers: dict[int, bytes] = {}
    for _ in range(connections):
        end = socket.create_connection(address)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(end, selectors.EVENT_READ)
        end.sendall(next(waiting))
    left = len(requests)
    while left:
        for key, _ in selector.select():
            line: Any = key.fileobj
            answer = answers.pop(key.fd, b"") + line.recv(65536)
            if not whole(answer):
                answers[key.fd] = answer
                continue
            left -= 1
            bad += not any(mark in answer for mark in GOOD)
            if sent := next(waiting, None):
                line.sendall(sent)
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vendor", choices=sorted(VENDORS), default="tencent")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--state", action="store_true", help="keep the state in a file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "imconvert", "simulate", given.vendor, "--port", "0", "--json", "--no-limits"]
        words += ["--state", str(Path(folder) / "state.db")] if given.state else []
        server = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert server.stdout
            parts = urlsplit(json.loads(server.stdout.readline())["url"])
            address = (str(parts.hostname), int(parts.port or 0))
            requests = list(VENDORS[given.vendor](address, given.requests))
            process = psutil.Process(server.pid)
            used, began = sum(process.cpu_times()[:2]), time.monotonic()
            bad = drive(address, requests, given.connections)
            seconds, cpu = time.monotonic() - began, sum(process.cpu_times()[:2]) - used
        finally:
            server.terminate()
            server.wait()
    print(json.dumps({
        "vendor": given.vendor, "state": "file" if given.state else "memory", "requests": given.requests, "bad": bad,
        "seconds": round(seconds, 2), "requests_a_second": round(given.requests / seconds),
        "server_cpu_ms_a_request": round(cpu / given.requests * 1000, 3),
    }))  # fmt: skip
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
