"""Read marks behind the messages of a pair (tencent.md §4.2): who is taken to have read up to where.

Exports of messages hold no read marks. Imported history counts as read by itself (SyncFromOldSystem 2); with 5 the
unread counters can be cleared up to what somebody wrote, which he must have seen, or altogether.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from imconvert.vendors import requests
from imconvert.vendors.tencent.joining import Joined

READ = "openim/admin_set_msg_read"
_decode = msgspec.json.Decoder().decode
_KEY = b'","key":"'
Mark = Callable[[Iterator[Joined]], Iterator[Joined]]


def none(lines: Iterator[Joined]) -> Iterator[Joined]:
    """The calls alone."""
    return lines


def up_to_own(lines: Iterator[Joined]) -> Iterator[Joined]:
    """Behind the calls each of the two has read up to his last own message."""
    return _marked(lines, alone=True)


def all_of_it(lines: Iterator[Joined]) -> Iterator[Joined]:
    """Behind the calls both have read everything."""
    return _marked(lines, alone=False)


def _marked(lines: Iterator[Joined], *, alone: bool) -> Iterator[Joined]:
    """The calls, and a mark for each of the two; with `alone`, for each who wrote."""
    latest: dict[bytes, Joined] = {}
    for line in lines:
        begin = line.data.index(_KEY) + len(_KEY)
        key = line.data[begin : line.data.index(b'","time":', begin)]
        latest[key.split(b"/", 2)[-1]] = line
        yield line
    last = line
    wrote = [(own.time, _decode(own.data)) for own in latest.values()]
    if alone:
        yield from (_mark(found, found["body"]["From_Account"], time) for time, found in wrote)
        return
    found = _decode(last.data)
    for reader in sorted({found["body"]["From_Account"], found["body"]["To_Account"]}):
        yield _mark(found, reader, last.time)


def _mark(found: dict[str, Any], reader: str, time: int) -> Joined:
    """That `reader` has read up to a time in ms."""
    body = found["body"]
    peer = body["To_Account"] if reader == body["From_Account"] else body["From_Account"]
    call = {"Report_Account": reader, "Peer_Account": peer, "MsgReadTime": time // 1000}
    return Joined(time, requests.line(READ, found["conv"], f"read/{time}/{reader}", time, call), 0)


WAYS: dict[str, Mark] = {"none": none, "sent": up_to_own, "all": all_of_it}
