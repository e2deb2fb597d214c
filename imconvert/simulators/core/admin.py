"""What a test or a rehearsal may ask the simulator itself, below /_simulator/ and from loopback only.

GET  status faults settings     JSON
GET  arrivals posts             NDJSON: every request that came in, every callback that was posted
GET  export/NAME                NDJSON: the state by kind, in the vendor's own words; `export` lists the names
POST clock                      {"ahead": seconds}: move the clock ahead
POST say                        NDJSON: messages that users of the app send, with their callbacks
POST import                     NDJSON: lines of text files, where the vendor imports such; an answer a line
POST settle                     wait until all callbacks are posted
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from ipaddress import ip_address
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from imconvert.simulators.core.calls import Answer, Refused
from imconvert.simulators.core.calls import answer as json_answer
from imconvert.simulators.core.exports import rows
from imconvert.simulators.core.wire import Send, send_whole

if TYPE_CHECKING:
    from imconvert.simulators.core.app import App

_BATCH = 1000
ARRIVALS = rows("SELECT * FROM arrivals ORDER BY number")
POSTS = rows("SELECT * FROM posts ORDER BY number")
_NOTHING = Answer(404, b"{}")


async def answer(app: App, scope: Any, body: bytes | None, send: Send) -> None:
    """Answer a question about the simulator itself."""
    client = scope.get("client")
    if not client or not ip_address(client[0]).is_loopback:
        await send_whole(Answer(403, b"{}"), send)
        return
    name, _, rest = scope["path"].removeprefix("/_simulator/").partition("/")
    app.desk.store.flush()
    run = _ANSWERS.get((scope["method"], name))
    found = await run(app, scope, rest, body or b"") if run else _NOTHING
    if isinstance(found, Answer):
        await send_whole(found, send)
    else:
        await _stream(found, send)


async def _stream(rows: Iterable[Any], send: Send) -> None:
    """Rows as NDJSON, a batch at a time so that others get their turn."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/x-ndjson")]})
    found: Iterator[Any] = iter(rows)
    while batch := list(islice(found, _BATCH)):
        lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch)
        await send({"type": "http.response.body", "body": lines, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def _status(app: App, scope: Any, rest: str, body: bytes) -> Any:
    rows = app.desk.store.all("SELECT api, status, code, count(*) FROM arrivals GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")
    names = ("api", "status", "code", "count")
    return json_answer(200, {
        "vendor": app.vendor.name, "requests": app.number, "now": int(app.desk.clock.now() * 1000),
        "posts_waiting": app.postman.waiting if app.postman else 0,
        "outcomes": [dict(zip(names, row, strict=True)) for row in rows],
    })  # fmt: skip


async def _faults(app: App, scope: Any, rest: str, body: bytes) -> Any:
    return json_answer(200, app.draws.told() if app.draws else {"requests": 0, "kinds": {}, "endpoints": {}})


async def _settings(app: App, scope: Any, rest: str, body: bytes) -> Any:
    return json_answer(200, dict(app.desk.settings))


async def _arrivals(app: App, scope: Any, rest: str, body: bytes) -> Any:
    return ARRIVALS(app.desk)


async def _posts(app: App, scope: Any, rest: str, body: bytes) -> Any:
    return POSTS(app.desk)


async def _export(app: App, scope: Any, rest: str, body: bytes) -> Any:
    if not rest:
        return json_answer(200, sorted(app.vendor.exports))
    export = app.vendor.exports.get(rest)
    return export(app.desk) if export else _NOTHING


async def _clock(app: App, scope: Any, rest: str, body: bytes) -> Any:
    ahead = float(orjson.loads(body)["ahead"])
    if ahead < 0:
        return json_answer(400, {"why": "a clock goes ahead only"})
    app.desk.clock.ahead += ahead
    return json_answer(200, {"now": int(app.desk.clock.now() * 1000)})


async def _say(app: App, scope: Any, rest: str, body: bytes) -> Any:
    """Each line is a message: `from`, `to` or `group`, `text`; and what else the vendor's folder knows."""
    try:
        return json_answer(200, app.by_hand(app.vendor.say, map(orjson.loads, _lines(body))))
    except Refused as why:
        return why.answer if why.answer.status >= 400 else why.answer._replace(status=400)
    except (ValueError, KeyError) as why:
        return json_answer(400, {"why": repr(why)})


async def _import(app: App, scope: Any, rest: str, body: bytes) -> Any:
    take = app.vendor.take
    return iter(app.by_hand(take, _lines(body))) if take else _NOTHING


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


async def _settle(app: App, scope: Any, rest: str, body: bytes) -> Any:
    if app.postman:
        await app.postman.settle()
    return json_answer(200, {})


_ANSWERS: dict[tuple[str, str], Callable[[App, Any, str, bytes], Awaitable[Any]]] = {
    ("GET", "status"): _status, ("GET", "faults"): _faults, ("GET", "settings"): _settings,
    ("GET", "arrivals"): _arrivals, ("GET", "posts"): _posts, ("GET", "export"): _export,
    ("POST", "clock"): _clock, ("POST", "say"): _say, ("POST", "settle"): _settle, ("POST", "import"): _import,
}  # fmt: skip
