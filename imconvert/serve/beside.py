"""The status of a load, served beside it: JSON, Prometheus text, and whether it lives."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from imconvert.serve.listen import bind, server

LOOPBACK = "127.0.0.1"
SOON = 0.3
"""Seconds that who asks for the status gets at the end; a load has to end within 2."""

Facts = Callable[[], dict[str, Any]]


def application(facts: Facts) -> Starlette:
    """`/` and `/status.json` are the facts, `/metrics` the same for Prometheus, `/healthz` says ok."""

    async def status(request: Request) -> Response:
        return Response(msgspec.json.encode(facts()), media_type="application/json")

    async def numbers(request: Request) -> Response:
        return Response(metrics(facts()), media_type="text/plain; version=0.0.4")

    async def health(request: Request) -> Response:
        return Response(b"ok")

    paths = {"/": status, "/status.json": status, "/metrics": numbers, "/healthz": health}
    return Starlette(routes=[Route(path, answer) for path, answer in paths.items()])


@contextlib.asynccontextmanager
async def beside(facts: Facts, end: socket.socket) -> AsyncIterator[None]:
    """Serve the facts on a listening socket while the block runs, in its event loop."""
    found = server(application(facts), None)
    found.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # they are the load's
    task = asyncio.get_running_loop().create_task(found.serve(sockets=[end]))
    try:
        yield
    finally:
        found.should_exit = True
        await asyncio.wait([task], timeout=SOON)
        task.cancel()


def on_loopback(port: int) -> socket.socket:
    """A listening socket of this machine's. Raises UsageError IMC-1132."""
    return bind(LOOPBACK, port)


_GAUGES = (
    ("imconvert_load_rate_calls_per_second", "Calls a second over the last minute", "rate_per_s"),
    ("imconvert_load_limit_calls_per_second", "The limit of the stage", "limit_per_s"),
    ("imconvert_load_limit_share", "Share of the limit that is used", "limit_share"),
    ("imconvert_load_left_calls", "Calls that are left", "left"),
    ("imconvert_load_seconds_left", "Seconds until all is done, at this rate", "seconds_left"),
)
_BY_STAGE = (
    ("imconvert_load_calls", "gauge", "Calls in all", "lines"),
    ("imconvert_load_done_calls", "gauge", "Calls finished", "done"),
    ("imconvert_load_items_total", "counter", "Items that went in since the start", "items_now"),
    ("imconvert_load_failed_total", "counter", "Items that failed since the start", "failed"),
    ("imconvert_load_unknown_calls", "gauge", "Calls whose outcome is unknown", "unknown"),
    ("imconvert_load_held_calls", "gauge", "Calls that wait for a decision", "held"),
)


def metrics(found: dict[str, Any]) -> bytes:
    """The facts as Prometheus text."""
    lines = []
    for name, text, key in _GAUGES:
        if found[key] is not None:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {found[key]}"]
    for name, kind, text, key in _BY_STAGE:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f'{name}{{stage="{row["name"]}"}} {row[key]}' for row in found["stages"]]
    name = "imconvert_load_causes_total"
    lines += [f"# HELP {name} What happened to calls since the start, by cause", f"# TYPE {name} counter"]
    lines += [f'{name}{{kind="{_label(row["kind"])}",cause="{_label(row["cause"])}"}} {row["count"]}'
              for row in found["causes"]]  # fmt: skip
    return "\n".join([*lines, ""]).encode()


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
