"""The names of messages: by what Tencent itself tells them apart (tencent.md §7.3).

Promise: the same message has the same name, wherever it was read: in a history file, an answer or a callback. A name
can be typed: `c2c/USER/USER/SEQ_RANDOM_SECOND`, the users in byte order, as direction does not count; and
`group/GROUP/SEQ`. In ids `%` and `/` are written as %25 and %2F.
"""

from __future__ import annotations

from typing import NamedTuple

from imconvert.errors import Rejected
from imconvert.model import Message, derived_id
from imconvert.vendors.lenient import shown
from imconvert.vendors.values import digits

VENDOR = "tencent"
U32 = (1 << 32) - 1


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


class Triple(NamedTuple):
    """The three numbers that a message between two people has beside the two (§4.1)."""

    seq: int
    random: int
    second: int


def triple_of(message: Message) -> Triple | None:
    """The numbers of a message that was read from Tencent, if they can be imported again: unsigned 32 bits."""
    name = message.source_id
    if message.chat != "p2p" or not name.startswith("c2c/") or message.msgid != number(name):
        return None
    found = Triple(*read_key(name.rsplit("/", 1)[-1]))
    fits = 0 <= found.seq <= U32 and 0 <= found.random <= U32 and found.second == message.time // 1000
    return found if fits else None
