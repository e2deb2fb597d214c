"""Requests that no feed may accept: forged tokens, and every trick to get past the need for one.

Plan: a family is a function from a generator and the right token to the bytes that are sent over one connection. What a
family makes never holds the right token where a token may stand; `attack_feed.py` sends it and looks at the answers.
Promise: equal seeds give equal bytes.
"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Callable
from random import Random

Forge = Callable[[Random, str], bytes]

PATHS = ("/feed", "/status", "/status.json", "/metrics")
RECORD = {"type": 0, "data": {"msgid": 999, "from": "mallory", "to": "u_bob", "createTime": 1_711_000_000_000,
                              "clientType": 1, "body": "forged"}}  # fmt: skip
_BODY = json.dumps(RECORD).encode() + b"\n"


def request(path: str = "/feed", *lines: str, method: str = "GET", body: bytes = b"", host: str = "127.0.0.1") -> bytes:
    """The bytes of a request; nothing in it is checked."""
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", *lines]
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body


# --- tokens that are nearly right ---


def _flip(random: Random, token: str) -> str:
    place = random.randrange(len(token))
    other = random.choice([one for one in string.ascii_letters + string.digits if one != token[place]])
    return token[:place] + other + token[place + 1 :]


def _middle(random: Random, token: str) -> int:
    return random.randrange(1, len(token))


MISSES: tuple[Callable[[Random, str], str], ...] = (
    _flip,
    lambda random, token: token[: _middle(random, token)],
    lambda random, token: token[_middle(random, token) :],
    lambda random, token: token + random.choice(string.ascii_letters + "=&;,%/."),
    lambda random, token: random.choice(string.ascii_letters + "=&;,%/.") + token,
    lambda random, token: token.swapcase(),
    lambda random, token: token[::-1],
    lambda random, token: token * 2,
    lambda random, token: "",
    lambda random, token: base64.b64encode(token.encode()).decode(),
    lambda random, token: token.encode().hex(),
    lambda random, token: "".join(f"%{ord(one):02X}" for one in token) + "%20",
    lambda random, token: f"{token[: len(token) // 2]} {token[len(token) // 2 :]}",
    lambda random, token: f'"{token}"',
    lambda random, token: f"{_flip(random, token)}, {_flip(random, token)}",
    lambda random, token: f"token={token}",
    lambda random, token: token[:-1] + chr(ord(token[-1]) + 0x80),
    lambda random, token: "".join(random.choices(string.ascii_letters + string.digits, k=len(token))),
    lambda random, token: random.choice(["null", "undefined", "*", "admin", "0", "true", "' OR 1=1 --", "${token}"]),
)


def miss(random: Random, token: str) -> str:
    """A token that is nearly the right one."""
    while True:
        found = random.choice(MISSES)(random, token)
        if found.strip() != token:
            return found


def token_in_header(random: Random, token: str) -> bytes:
    wrong = miss(random, token)
    line = random.choice([
        f"Authorization: Bearer {wrong}", f"X-Token: {wrong}", f"Authorization: {wrong}",
        f"Authorization: Token {token}",
        f"Authorization: Basic {base64.b64encode(f'x:{token}'.encode()).decode()}", f"Authorization: Bearer{token}",
        f"Authorization: Digest {token}", f"X_Token: {token}", f"XToken: {token}", f"Token: {token}",
        f"Proxy-Authorization: Bearer {token}", f"Cookie: token={token}; x-token={token}", f"X-Api-Key: {token}",
    ])  # fmt: skip
    return request(random.choice(PATHS), line)


def token_in_path(random: Random, token: str) -> bytes:
    wrong = "".join(one if one.isalnum() else f"%{ord(one) & 0xFF:02x}" for one in miss(random, token))
    path = random.choice(PATHS)
    return request(random.choice([
        f"/{wrong}{path}", f"/{wrong}/{wrong}{path}", f"/x/{token}{path}", f"{path}/{token}", f"{path}?token={token}",
        f"{path}?authorization=Bearer%20{token}", f"{path};{token}", f"{path}#{token}", f"/%2f{token}{path}",
        f"/{token}%00{path}", f"/{token}%20{path}", f"/{token};{path}", f"/{token}%2e{path}",
    ]))  # fmt: skip


# --- ways around ---


def path_tricks(random: Random, token: str) -> bytes:
    path = random.choice([
        "//feed", "/./feed", "/healthz/../feed", "/healthz/%2e%2e/feed", "/healthz%2f..%2ffeed", "/healthz;/../feed",
        "/healthz/feed", "/healthz//feed", "/healthz/./status", "/%66eed", "/feed/", "/feed//", "/feed/.", "/FEED",
        "/feed%20", "/feed%00", "/feed%0d%0aX-Token:%20x", "/\\feed", "\\feed", "/..\\feed", "/feed%3f", "/feed..;/",
        "feed",
        "http://127.0.0.1/feed", "http://localhost/healthz/../feed", "//127.0.0.1/feed", "*", "/%c0%af/feed",
        "/healthz?path=/feed", "/healthz#/feed", "/?/feed", "/healthz%23/feed", "/metrics/../healthz/../feed",
        "/ingest/../feed", "/feed?cursor=0-0", "/feed?since=0&limit=1", "/feed?limit=-1", "/.git/config", "/feed.db",
        "/static/../../feed.db", "/%2e%2e/%2e%2e/etc/passwd", "/" + "a/" * random.randrange(2000) + "feed",
    ])  # fmt: skip
    return request(path, method=random.choice(["GET", "GET", "HEAD"]))


def header_tricks(random: Random, token: str) -> bytes:
    wrong = _flip(random, token)
    lines = random.choice([
        ["X-Original-URL: /feed"], ["X-Rewrite-URL: /feed"], ["X-Forwarded-For: 127.0.0.1"], ["X-Real-IP: ::1"],
        ["Forwarded: for=127.0.0.1;host=x"], ["X-HTTP-Method-Override: GET"], ["X-Forwarded-Prefix: /" + token],
        ["Authorization : Bearer " + token], [" Authorization: Bearer " + token],
        ["Authorization:", " Bearer " + wrong],
        ["X-Dummy: a", "\tX-Token: " + token], ["X-Dummy: a\rX-Token: " + token], ["X-Dummy: a\nX-Tokens: " + token],
        ["Authorization: Bearer", "X-Token:"], ["X-Token: ", "X-Token: " + wrong], ["X-Token\0: " + token],
        ["Connection: X-Token, close"],
        ["Connection: keep-alive, upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
        ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", "Connection: Upgrade, HTTP2-Settings"],
        ["Expect: 100-continue"], ["If-None-Match: *"], ["If-Match: *"], ["Accept-Encoding: gzip"], ["TE: trailers"],
        ["Trailer: X-Token", "Transfer-Encoding: chunked"], ["Sec-Fetch-Site: same-origin"], ["Origin: null"],
    ])  # fmt: skip
    host = random.choice(["127.0.0.1", "localhost", "", "a b", "127.0.0.1:0", "x" * 300, "127.0.0.1\r\nX-Tokens: a"])
    return request(random.choice(["/feed", "/healthz", *PATHS]), *lines, host=host)


def ranges(random: Random, token: str) -> bytes:
    number = random.randrange(1 << 40)
    wanted = random.choice([
        "bytes=0-", f"bytes={number}-", f"bytes=-{number}", "bytes=0-0,1-1,2-2", "bytes=" + "0-1," * 1500 + "5-",
        "bytes=9-1", f"bytes=0-{1 << 70}", "items=0-5",
    ])  # fmt: skip
    return request("/feed", f"Range: {wanted}", f"X-Token: {miss(random, token)}")


def methods(random: Random, token: str) -> bytes:
    method = random.choice([
        "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "OPTIONS", "get", "Get", "HEAD", "PROPFIND", "G" * 5000,
        "GET\0", "", "GET GET", "\x16\x03\x01", "PRI",
    ])  # fmt: skip
    return request(random.choice([*PATHS, "/ingest", "*"]), f"X-Token: {_flip(random, token)}", method=method)


def hand_ins(random: Random, token: str) -> bytes:
    kind = random.choice(["application/x-ndjson", "text/plain", "multipart/form-data; boundary=x", "application/json"])
    lines = [f"Content-Type: {kind}", f"X-Token: {miss(random, token)}"]
    return request(
        random.choice(["/ingest", "/ingest/", "//ingest"]), *lines, method="POST", body=_BODY * random.randrange(1, 9)
    )


def huge(random: Random, token: str) -> bytes:
    size = random.choice([1 << 10, 15 << 10, 17 << 10, 64 << 10, 300 << 10])
    makers: list[Callable[[], bytes]] = [
        lambda: request("/feed", "X-Token: " + "a" * size),
        lambda: request("/feed?" + "a" * size),
        lambda: request("/feed", *(f"X-{n}: {n}" for n in range(size // 12))),
        lambda: request("/feed", "X-" + "a" * size + ": 1"),
        lambda: b"GET /feed HTTP/1.1\r\n" + b"\r\n" * (size // 2),
        lambda: b"A" * size,
    ]
    return random.choice(makers)()


_CHUNKS = (b"ffffffffffffffff\r\n", b"-1\r\n", b"0;x=\n\r\n\r\n", b"0\r\nX-Token: x\r\n\r\n")


def smuggling(random: Random, token: str) -> bytes:
    """Two readings of where a request ends; the hidden one has a token that is nearly right."""
    hidden = request("/feed", f"X-Token: {_flip(random, token)}")
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden)
    size = str(len(hidden))
    lines, body = random.choice([
        ([f"Content-Length: {size}", "Transfer-Encoding: chunked"], b"0\r\n\r\n" + hidden),
        (["Transfer-Encoding: chunked", "Content-Length: 4"], chunk),
        (["Content-Length: 0", f"Content-Length: {size}"], hidden),
        ([f"Content-Length: +{size}"], hidden), ([f"Content-Length: {size}, 0"], hidden),
        (["Content-Length: 0x10"], hidden),
        (["Content-Length: -1"], hidden), ([f"Content-Length:\x0b{size}"], hidden),
        (["Transfer-Encoding: xchunked"], chunk), (["Transfer-Encoding: chunked, identity"], chunk),
        (["Transfer-Encoding:\tchunked", "Transfer-Encoding: identity"], chunk),
        (["Transfer-Encoding : chunked"], chunk),
        *((["Transfer-Encoding: chunked"], begin + hidden) for begin in _CHUNKS),
    ])  # fmt: skip
    method = random.choice(["GET", "POST", "HEAD"])
    return request(random.choice(["/healthz", "/feed", "/ingest"]), *lines, method=method, body=body)


def garbage(random: Random, token: str) -> bytes:
    makers: list[Callable[[], bytes]] = [
        lambda: random.randbytes(random.randrange(1, 400)),
        lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(200),
        lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + random.randbytes(50),
        lambda: b"GET /feed\r\n\r\n",
        lambda: b"GET /feed HTTP/0.9\r\n\r\n",
        lambda: b"GET /feed HTTP/9.9\r\nHost: x\r\n\r\n",
        lambda: b"GET /feed HTTP/1.0\r\n\r\n",
        lambda: b"GET /feed HTTP/1.1\r\n\r\n",
        lambda: b"\r\n\r\n\r\n",
        lambda: b"GET /feed HTTP/1.1\nHost: x\n\n",
        lambda: b"\0" * 100,
        lambda: request("/healthz") + request("/feed", f"X-Token: {_flip(random, token)}") * 3,
        lambda: request("/feed")[: random.randrange(1, 30)],
    ]
    return random.choice(makers)()


FAMILIES: dict[str, Forge] = {
    "token in header": token_in_header, "token in path": token_in_path, "path tricks": path_tricks,
    "header tricks": header_tricks, "ranges": ranges, "methods": methods, "hand-ins": hand_ins, "huge": huge,
    "smuggling": smuggling, "garbage": garbage,
}  # fmt: skip
WEIGHTS = (30, 20, 10, 10, 4, 6, 6, 2, 8, 4)


def forgery(seed: int, number: int, token: str) -> tuple[str, bytes]:
    """The request with this number: its family and its bytes."""
    random = Random(f"{seed}/{number}")
    (name,) = random.choices(list(FAMILIES), WEIGHTS)
    return name, FAMILIES[name](random, token)
