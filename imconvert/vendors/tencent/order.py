"""What only the order of a conversation can tell: MsgSeq inside of a millisecond, distinct Randoms, batches (tencent.md
§4.1, §5.4).

Strategy: lines stand as they are loaded but for numbers that collide, which are changed at known places of their bytes;
only lines of a message that came in several are parsed, and joined again. Of a group the Randoms of the last messages
are remembered, as many as can be loaded in the time in which the vendor takes equal ones for duplicates.
Promise: MsgSeq grows inside of a second; a batch holds at most as many messages as allowed, in order; no two messages
in the window have the same Random; the same lines give the same bytes.
Cost: about 100 bytes of memory for each message in the window of one group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from imconvert.model import Notes
from imconvert.vendors import requests
from imconvert.vendors.bundles import Bundle
from imconvert.vendors.contract import Blocker, Finish, Placed, Request, Settings
from imconvert.vendors.tencent import marks
from imconvert.vendors.tencent.joining import MARKED, Joined, Room, joined
from imconvert.vendors.tencent.keys import U32
from imconvert.vendors.tencent.lines import seq_of
from imconvert.vendors.tencent.requests import PAIR, STREAMS

_IS_PAIR = b'{"api":"%b"' % PAIR.encode()
_SEQ = b',"body":{"MsgSeq":'
_RANDOM, _SECOND = b'"Random":', b'"SendTime":'
_BODY, _LIST, _LIST_END = b',"body":', b'"MsgList":[', b"]}}"
_ITEM = _LIST + b"{" + _RANDOM
_NAME_END, _UPLOAD = b'","time":', b',"upload":'


def finisher(settings: Settings, notes: Notes) -> Finish:
    """The function that makes calls of the lines of one conversation."""
    marked = marks.WAYS[settings["tencent.read_marks"]]
    batch, window = int(settings["tencent.group_batch"]), int(settings["tencent.random_window"])
    later = settings["tencent.group_seconds"] == "increase"
    room = Room(int(settings["tencent.size_limit"]), settings["tencent.size_counts"] == "body+data")

    def finish(lines: Iterator[Placed]) -> Iterator[Request]:
        first = next(lines)
        whole = joined(chain((first,), lines), notes, room)
        if first.data.startswith(_IS_PAIR):
            return map(_request, marked(_pair(whole)))
        group = Group(window, notes if later else None)
        return _batches(map(group.placed, whole), batch)

    return finish


def still(settings: Settings) -> Callable[[str, Any, Any], Any]:
    """Says which pairs have a message a millisecond at most, and which groups have one message."""
    unmarked = marks.WAYS[settings["tencent.read_marks"]] is marks.none

    def found(stream: str, times: Any, starts: Any) -> Any:
        if stream != STREAMS[0]:
            return np.diff(np.append(starts, len(times))) == 1
        risen = np.append(True, times[1:] > times[:-1]) & unmarked
        risen[starts] = unmarked
        return np.logical_and.reduceat(risen, starts)

    return found


def bundle(settings: Settings, stream: str) -> Bundle | None:
    """How messages of a group share a call, if their seconds are not to be moved."""
    if stream == STREAMS[0] or settings["tencent.group_seconds"] == "increase":
        return None
    most = int(settings["tencent.group_batch"])
    return Bundle(most, _NAME_END, _BODY, _LIST, b"{" + _RANDOM, _LIST_END, _UPLOAD, MARKED)


def blockers(settings: Settings) -> tuple[Blocker, ...]:
    """What has to be settled before loading: how groups are created, and how long history is kept."""
    return (Blocker("IMC-3254", "team"), *(Blocker("IMC-3255", stream) for stream in STREAMS))


def _request(line: Joined) -> Request:
    return Request(line.data, line.lines)


def _pair(lines: Iterator[Joined]) -> Iterator[Joined]:
    """The calls of a pair: MsgSeq counts inside of a millisecond."""
    time, ordinal = -1, 0
    for line in lines:
        ordinal = ordinal + 1 if line.time == time else 0
        time = line.time
        if ordinal and _SEQ in line.data:
            line = line._replace(data=_with(line.data, _SEQ, seq_of(time, ordinal)))
        yield line


def _with(data: bytes, before: bytes, number: int) -> bytes:
    """The line with another number behind `before`, which has a member behind it."""
    begin = data.index(before) + len(before)
    return b"%b%d%b" % (data[:begin], number, data[data.index(b",", begin) :])


class Group:
    """Gives the messages of one group distinct Randoms and, with `notes`, seconds that grow."""

    def __init__(self, window: int, notes: Notes | None) -> None:
        self.window = window
        self.notes = notes
        self.last: deque[int] = deque()
        self.known: set[int] = set()
        self.second = 0

    def placed(self, line: Joined) -> Joined:
        """The line as it may follow those before it."""
        data = line.data
        begin = data.index(_ITEM) + len(_ITEM)
        wanted = int(data[begin : data.index(b",", begin)])
        found = self.random(wanted)
        if found != wanted:
            line = line._replace(data=_with(data, _ITEM, found))
        return line if self.notes is None else self._later(line, self.notes)

    def random(self, wanted: int) -> int:
        """The Random itself, or else the first of a fixed row of others, that the window does not hold."""
        found, again = wanted, 0
        while found in self.known:
            again += 1
            found = xxh3_64_intdigest(b"%d/%d" % (wanted, again)) & U32
        self.known.add(found)
        self.last.append(found)
        if len(self.last) > self.window:
            self.known.discard(self.last.popleft())
        return found

    def _later(self, line: Joined, notes: Notes) -> Joined:
        """The line with a second that is later than the one before."""
        self.second = max(line.time // 1000, self.second + 1)
        if self.second > line.time // 1000:
            notes.repairs.append("IMC-3252")
            return line._replace(data=_with(line.data, _SECOND, self.second))
        return line


def _batches(lines: Iterator[Joined], most: int) -> Iterator[Request]:
    """Calls of at most so many messages to the same group and topic."""
    waiting: list[Joined] = []
    head = b""
    for line in lines:
        begin = line.data.index(_BODY)
        mine = line.data[begin : line.data.index(_LIST, begin)]
        if waiting and (mine != head or len(waiting) >= most):
            yield _call(waiting)
            waiting = []
        waiting.append(line)
        head = mine
    yield _call(waiting)


def _call(lines: list[Joined]) -> Request:
    """One call of several lines, under the key of the first."""
    first = lines[0].data
    if len(lines) == 1:
        return Request(first, lines[0].lines)
    items = b",".join(line.data[line.data.index(_LIST, line.data.index(_BODY)) + len(_LIST) : -len(_LIST_END)]
                      for line in lines)  # fmt: skip
    begin = first.index(_BODY)
    start = first.index(_LIST, begin) + len(_LIST)
    data = b"%b%b%b%b" % (_head(lines, first[:begin]), first[begin:start], items, _LIST_END)
    return Request(data, sum(line.lines for line in lines))


def _head(lines: list[Joined], first: bytes) -> bytes:
    """The head of the first line with the name of a call of several, and all their uploads."""
    end = first.index(_NAME_END)
    named = b"%b+%d%b" % (first[:end], len(lines) - 1, first[end:])
    with_uploads = [line.data for line in lines if _UPLOAD in line.data[: line.data.index(_BODY)]]
    uploads = dict.fromkeys(url for data in with_uploads for url in requests.head_of(data).upload)
    if not uploads:
        return named
    alone = named[: named.index(_UPLOAD)] if _UPLOAD in named else named
    return b"%b%b%b" % (alone, _UPLOAD, msgspec.json.encode(list(uploads)))
