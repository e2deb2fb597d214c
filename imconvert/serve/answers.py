"""Answer a pull: stream the lines of a window, and find out whether they arrived.

Strategy: head, lines and tail have a known length, so that an answer that was cut off shows. Whoever is given new
records is told that the connection closes; how it closes says whether all of it was read (`listen.Link`).
Promise: the cursor moves only behind an answer whose every byte was taken. A file that fails in the middle of an answer
breaks the connection; half an array never ends well.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from imconvert.errors import ImconvertError
from imconvert.serve import windows
from imconvert.serve.feed import Feed
from imconvert.serve.listen import LINK, Link
from imconvert.serve.state import SHIFT
from imconvert.serve.windows import Window

SEND_TIME = 30.0
CLOSE_TIME = 3.0
SETTLE_TIME = 0.25
"""Seconds: for one block to go out; for the receiver to close; that a pull waits for the one before it to be judged."""

GZIP_LEVEL = 4
KEPT_PACKED = 2

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Told:
    """What there is to say of an answer in the access log."""

    records: int = 0
    bytes: int = 0
    end: str = ""
    proxied: bool = False


@dataclass(slots=True)
class Desk:
    """What all answers of a feed share. `doubts` are answers that went out and are not judged yet; `doubtful` is the
    place from which a window went out whose receiver kept silent."""

    feed: Feed
    now: Callable[[], float]
    steady: Callable[[], float]
    doubts: set[asyncio.Event] = field(default_factory=set)
    packed: OrderedDict[bytes, bytes] = field(default_factory=OrderedDict)
    packing: asyncio.Lock = field(default_factory=asyncio.Lock)
    doubtful: int = -1

    async def settle(self) -> None:
        """Wait a moment for answers that are nearly done, so that the next pull gets what comes behind them."""
        for event in list(self.doubts):
            try:
                async with asyncio.timeout(SETTLE_TIME):
                    await event.wait()
            except TimeoutError:
                return

    def tag(self, window: Window, *, packed: bool) -> bytes:
        """The entity tag of a window: the same places of the same feed are the same bytes."""
        name = self.feed.state.facts.get("feed", "")
        return f'"{name}.{cursor_text(window.start)}.{cursor_text(window.stop)}{".gz" if packed else ""}"'.encode()

    def pieces(self, window: Window) -> Iterator[bytes]:
        """The body, in blocks."""
        shape = self.feed.target.feed
        assert shape is not None
        yield shape.begin
        yield from windows.blocks(window, shape.between)
        yield shape.end

    def length(self, window: Window) -> int:
        shape = self.feed.target.feed
        assert shape is not None
        return len(shape.begin) + max(0, window.bytes - 1) + len(shape.end)

    async def pack(self, window: Window) -> bytes:
        """The body as gzip; pulls of the same window share it."""
        tag = self.tag(window, packed=True)
        async with self.packing:
            if tag not in self.packed:
                self.packed[tag] = await asyncio.to_thread(_gzipped, self.pieces(window))
                while len(self.packed) > KEPT_PACKED:
                    self.packed.popitem(last=False)
            return self.packed[tag]


def cursor_text(place: int) -> str:
    """A place as it stands in a query and in headers: FILE-OFFSET."""
    return f"{place >> SHIFT}-{place & (1 << SHIFT) - 1}"


def _gzipped(pieces: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(piece) for piece in pieces), packer.flush()])


class Answer:
    """An answer of records. A plain pull's answer `moves` the cursor if it arrives, or is counted as a repetition;
    `known` are the tags the puller has already."""

    def __init__(self, desk: Desk, window: Window, *, moves: bool, gzip: bool, known: str) -> None:
        self.desk, self.window = desk, window
        repeats = window.records > 0 and not window.fresh
        self.moves = moves and (window.stop > desk.feed.cursor or repeats)
        self.gzip = gzip
        self.known = known
        self.began = desk.steady()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        told: Told = scope["told"]
        told.records = self.window.records
        link: Link | None = scope.get("extensions", {}).get(LINK)
        tag = self.desk.tag(self.window, packed=self.gzip)
        known = [one.strip().removeprefix("W/").encode() for one in self.known.split(",")]
        if self.window.records and tag in known and scope["method"] != "HEAD":
            await self._unchanged(send, tag, told)
            return
        body = await self.desk.pack(self.window) if self.gzip else None
        length = self.desk.length(self.window) if body is None else len(body)
        closes = self.moves and scope["method"] != "HEAD"
        headers = self._headers(tag, length, closes=closes)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        pieces = self.desk.pieces(self.window) if body is None else iter([body])
        await self._stream(pieces, send, link, told)

    def _headers(self, tag: bytes, length: int, *, closes: bool) -> Headers:
        window, shape = self.window, self.desk.feed.target.feed
        assert shape is not None
        found = [
            (b"content-type", shape.media_type.encode()),
            (b"content-length", b"%d" % length),
            (b"etag", tag),
            (b"vary", b"accept-encoding"),
            (b"x-feed-cursor", cursor_text(window.start).encode()),
            (b"x-feed-next", cursor_text(window.stop).encode()),
            (b"x-feed-records", b"%d" % window.records),
        ]
        found += [(b"x-feed-more", b"true")] if window.more else []
        found += [(b"content-encoding", b"gzip")] if self.gzip else []
        return [*found, (b"connection", b"close")] if closes else found

    async def _unchanged(self, send: Any, tag: bytes, told: Told) -> None:
        """The puller names the tag of this very window: it has all of it."""
        if self.moves:
            await self._note(told)
        headers = [(b"etag", tag), (b"vary", b"accept-encoding")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _stream(self, pieces: Iterator[bytes], send: Any, link: Link | None, told: Told) -> None:
        try:
            for piece in pieces:
                async with asyncio.timeout(SEND_TIME):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                told.bytes += len(piece)
                if link and link.lost.is_set():
                    told.end = "cut off"
                    return
                await asyncio.sleep(0)
            if self.moves:
                await self._judge(link, told)
        except TimeoutError:
            told.end = "too slow"
            _cut(link)
            return
        except ImconvertError as why:
            told.end = why.code
            _cut(link)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _judge(self, link: Link | None, told: Told) -> None:
        """Move the cursor if the answer arrived. Raises IntegrityError IMC-6040.

        Of a receiver that keeps the connection open nobody knows: it gets the window twice before that counts.
        """
        async with asyncio.timeout(SEND_TIME):
            flushed = await link.flushed() if link else True
        doubt = asyncio.Event()
        self.desk.doubts.add(doubt)
        try:
            taken = flushed and (link is None or await link.taken(CLOSE_TIME))
            if taken is None:
                taken, self.desk.doubtful = self.desk.doubtful == self.window.begin, self.window.begin
            if taken:
                await self._note(told)
            else:
                told.end = "not taken"
        finally:
            self.desk.doubts.discard(doubt)
            doubt.set()

    async def _note(self, told: Told) -> None:
        desk = self.desk
        seconds = desk.steady() - self.began
        await asyncio.to_thread(desk.feed.delivered, self.window, int(desk.now() * 1000), seconds)
        told.end = "delivered"


def _cut(link: Link | None) -> None:
    if link:
        link.cut()
