"""Ask the feed once, over HTTP, and have the mishap that is planned.

Strategy: one GET of the URL as it was given, nothing more, as the vendor's page describes it. The answer is read as it
comes, up to a limit of bytes and of time.
Promise: the address is never part of an error, since it may hold the token.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import httpx

from imconvert.simulators.yunxin.answer import Answer, PullFailed
from imconvert.simulators.yunxin.faults import Fault

_BITE, _PAUSE = 16 << 10, 0.02
_GUESS = 64 << 10
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing resets the connection, as a process that dies does."""


class Cut(Exception):
    """We broke the connection off, as planned, after `size` bytes of the answer."""

    def __init__(self, size: int, status: int | None = None) -> None:
        super().__init__(size)
        self.size = size
        self.status = status


class Clock(NamedTuple):
    """Time of day in seconds, a clock that never goes back, and how to wait."""

    now: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


class Address(NamedTuple):
    """Where and how to ask: at most `most` bytes (unpacked) and `timeout` seconds for one answer."""

    url: str
    token: str = ""
    gzip: bool = False
    timeout: float = 60.0
    most: int = 64 << 20

    @property
    def headers(self) -> dict[str, str]:
        packing = {"Accept": "application/json", "Accept-Encoding": "gzip" if self.gzip else "identity"}
        return packing | ({"Authorization": f"Bearer {self.token}"} if self.token else {})


def open_client(verify: ssl.SSLContext | bool = True, *, small: bool = False) -> httpx.Client:
    """A client that keeps its connection from pull to pull and follows no redirects.

    With `small`, its receive buffer is small, so that a cut reaches a server that is still writing.
    """
    options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)] if small else None
    transport = httpx.HTTPTransport(verify=verify, trust_env=False, socket_options=options)
    return httpx.Client(transport=transport, trust_env=False, follow_redirects=False)


class Fetcher:
    """Asks an address again and again; `largest` is the size of the largest whole answer, from which cuts are drawn."""

    def __init__(self, client: httpx.Client, address: Address, clock: Clock) -> None:
        self._client = client
        self._address = address
        self._clock = clock
        self.largest = 0

    def fetch(self, fault: Fault | None = None) -> Answer:
        """One whole answer. Raises PullFailed (IMC-7120, IMC-7125), or Cut for the planned mishap."""
        address = self._address
        asked = self._client.build_request("GET", address.url, headers=address.headers, timeout=address.timeout)
        if fault and fault.kind == "hangup":
            asked.extensions = {**asked.extensions, "trace": _hang_up}
        try:
            response = self._client.send(asked, stream=True)
        except httpx.HTTPError as why:
            raise PullFailed("IMC-7120", why=_told(why)) from why
        try:
            body = self._body(response, fault)
        except httpx.HTTPError as why:
            raise PullFailed("IMC-7125", size=response.num_bytes_downloaded, why=_told(why)) from why
        finally:
            response.close()
        size = response.num_bytes_downloaded
        self.largest = max(self.largest, size)
        return Answer(response.status_code, response.headers.get("content-type", ""), body, size)

    def _body(self, response: httpx.Response, fault: Fault | None) -> bytes:
        cut, pause = self._cut_at(response, fault), _PAUSE if fault and fault.kind == "slow" else 0.0
        start, blocks, size = self._clock.monotonic(), [], 0
        if cut == 0:
            _break_off(response, 0)
        for block in response.iter_bytes(_BITE if pause else None):
            if cut is not None and response.num_bytes_downloaded >= cut:
                _break_off(response, cut)
            if pause:
                self._clock.sleep(pause)
            blocks.append(block)
            size += len(block)
            late = self._clock.monotonic() - start > self._address.timeout
            if late or size > self._address.most:
                why = f"it took longer than {self._address.timeout:g} s" if late else "it is too large"
                raise PullFailed("IMC-7125", size=response.num_bytes_downloaded, why=why)
        return b"".join(blocks)

    def _cut_at(self, response: httpx.Response, fault: Fault | None) -> int | None:
        if not fault or fault.kind != "cut":
            return None
        if fault.byte is not None:
            return fault.byte
        told = response.headers.get("content-length", "")
        return int(fault.part * (int(told) if told.isdigit() else self.largest or _GUESS))


def _hang_up(event: str, info: object) -> None:
    if event == "http11.receive_response_headers.started":
        raise Cut(0)


def _break_off(response: httpx.Response, size: int) -> NoReturn:
    """Reset the connection; whatever comes later finds nobody."""
    line = response.extensions["network_stream"].get_extra_info("socket")
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    raise Cut(size, response.status_code)


def _told(why: Exception) -> str:
    """The cause in few words; what httpx says never holds the address."""
    return f"{type(why).__name__}: {why}".rstrip(": ")
