"""Servers of tests end at once: uvicorn looks every tenth of a second whether it should, and then waits another."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from uvicorn import server

LOOK = 0.005
"""Seconds between two looks."""


def _sleep(seconds: float) -> Any:
    return asyncio.sleep(min(seconds, LOOK))


server.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": _sleep})
