"""The names of messages: by what Tencent itself tells them apart (tencent.md §7.3).

Promise: the same message has the same name, wherever it was read: in a history file, an answer or a callback. A name
can be typed: `c2c/USER/USER/SEQ_RANDOM_SECOND`, the users in byte order, as direction does not count; and
`group/GROUP/SEQ`. In ids `%` and `/` are written as %25 and %2F.
"""

from __future__ import annotations

from imconvert.errors import Rejected
from imconvert.model import derived_id
from imconvert.vendors.lenient import shown
from imconvert.vendors.values import digits

VENDOR = "tencent"


def of_pair(one: str, other: str, key: str) -> str:
    """The name of a message between two people; `key` is its MsgKey, SEQ_RANDOM_SECOND (§8)."""
    low, high = sorted((_escaped(one), _escaped(other)))
    return f"c2c/{low}/{high}/{key}"


def of_group(group: str, seq: int) -> str:
    """The name of a group's message."""
    return f"group/{_escaped(group)}/{seq}"


def number(name: str) -> int:
    """The message number for a name."""
    return derived_id(VENDOR, name)


def read_key(key: str) -> tuple[int, int, int]:
    """MsgSeq, MsgRandom and second of a MsgKey. Raises Rejected (IMC-2102)."""
    parts = key.split("_")
    if len(parts) != 3 or not all(map(digits, parts)):
        raise Rejected("IMC-2102", field="MsgKey", found=shown(key), expected="SEQ_RANDOM_SECOND")
    seq, random, second = map(int, parts)
    return seq, random, second


def _escaped(account: str) -> str:
    return account.replace("%", "%25").replace("/", "%2F") if "/" in account or "%" in account else account
