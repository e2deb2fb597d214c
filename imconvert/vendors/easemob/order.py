"""Give the messages of a conversation times that rise strictly, as Easemob demands (easemob.md §4.3).

A message that is not later than the one before it gets the next millisecond; the true time stays in the extension. With
`easemob.group_created` those of a group begin behind that moment, the vendor's last resort.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from imconvert.model import Notes
from imconvert.vendors.contract import Blocker, Finish, Placed, Request, Settings
from imconvert.vendors.easemob.extension import NONE, mark_of
from imconvert.vendors.easemob.target import APIS

_GROUPS = b'{"api":"%s"' % APIS["team"].encode()


def finisher(settings: Settings, notes: Notes) -> Finish:
    """The function that finishes the lines of one conversation."""
    marked = bool(mark_of(settings))
    created = _created(settings)

    def finish(lines: Iterator[Placed]) -> Iterator[Request]:
        last = behind = -1
        for time, data in lines:
            if last < 0 and data.startswith(_GROUPS):
                last = behind = created
            if time > last:
                last = time
                yield Request(data)
                continue
            notes.repairs.append("IMC-3206" if time <= behind else "IMC-3203")
            notes.changes.append(("transformed" if marked else "degraded", "msg_timestamp moved on"))
            last += 1
            yield Request(moved(data, time, last, marked=marked))

    return finish


def still(settings: Settings) -> Callable[[str, Any, Any], Any]:
    """Says which conversations have times that rise strictly, and in groups begin late enough, as they are."""
    created = _created(settings)

    def found(stream: str, times: Any, starts: Any) -> Any:
        risen = np.append(True, times[1:] > times[:-1])
        risen[starts] = times[starts] > (created if APIS[stream] == APIS["team"] else -1)
        return np.logical_and.reduceat(risen, starts)

    return found


def _created(settings: Settings) -> int:
    return 0 if settings["easemob.group_created"] == NONE else int(settings["easemob.group_created"])


def moved(data: bytes, time: int, later: int, *, marked: bool) -> bytes:
    """The line with a later time, the true one kept in the extension where there is one of ours."""
    old = b'"msg_timestamp":%d}}' % time
    assert data.endswith(old)
    head = data[: -len(old)]
    if marked:
        assert head.endswith(b"}},")
        head = b'%s,"time":%d}},' % (head[:-3], time)
    return b'%s"msg_timestamp":%d}}' % (head, later)


def blockers(settings: Settings) -> tuple[Blocker, ...]:
    """What has to be settled before loading: the groups' times of creation, and how long history is kept."""
    groups = () if settings["easemob.group_created"] != NONE else (Blocker("IMC-3249", "team"),)
    return (*groups, Blocker("IMC-3248", "p2p"), Blocker("IMC-3248", "team"))
