"""What a line of messages says, as far as a conversation list needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from imconvert.vendors.requests import BETWEEN, conversation

PAIR, TEAM = "p2p", "team"


class Said(NamedTuple):
    """The last message in a line: kind and name of its conversation, time in ms, sender, content as the target's JSON.

    A pair is named by its two ids, sorted, with BETWEEN between them.
    """

    chat: str
    talk: str
    time: int
    sender: str
    content: bytes


SaidIn = Callable[[bytes], list[Said]]


def pair_of(one: str, other: str) -> tuple[str, str]:
    """Kind and name of the conversation of two."""
    return PAIR, conversation(PAIR, one, other)


def ends_of(talk: str) -> tuple[str, str]:
    """The two of a pair's conversation."""
    first, _, second = talk.partition(BETWEEN)
    return first, second
