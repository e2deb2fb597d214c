"""Mishaps of a puller, on purpose: which one a pull has is drawn from a seed.

Promise: the same seed gives the same mishaps to the same pulls, whatever the feed answers.
"""

from __future__ import annotations

import re
from random import Random
from typing import NamedTuple

KINDS = ("cut", "hangup", "lose", "slow", "twice")
"""cut: break the connection at some byte of the answer. hangup: ask, and be gone before the answer comes. lose: take
the whole answer and forget it. slow: read in small bites. twice: pull two times at once."""

_RULE = re.compile(rf"({'|'.join(KINDS)})(?:@([0-9]+))?(?:=([0-9]+(?:\.[0-9]+)?)%)?")


class Rule(NamedTuple):
    """A kind of mishap, its share of the pulls, and, for a cut, the byte if it is always the same one."""

    kind: str
    share: float
    byte: int | None = None


class Fault(NamedTuple):
    """The mishap of one pull. A cut comes at `byte`, or at the `part` (0 to 1) of the answer."""

    kind: str
    part: float
    byte: int | None = None


def read_rules(text: str) -> tuple[Rule, ...]:
    """Rules from `cut=30%,lose=5%` or `cut@4096`. Raises ValueError for anything else."""
    found = [_RULE.fullmatch(word.strip()) for word in text.split(",")]
    rules = tuple(Rule(m[1], float(m[3] or 100) / 100, int(m[2]) if m[2] else None) for m in found if m)
    if len(rules) < len(found):
        raise ValueError(f"{text!r} is not of the form cut=30%,lose=5%; kinds are {', '.join(KINDS)}")
    if sum(rule.share for rule in rules) > 1:
        raise ValueError("the shares exceed 100%")
    if any(rule.byte is not None and rule.kind != "cut" for rule in rules):
        raise ValueError("only a cut has a byte: cut@4096")
    return rules


def fault_of(rules: tuple[Rule, ...], seed: int, number: int) -> Fault | None:
    """The mishap of the pull with this number, if it has one."""
    random = Random(f"{seed}/{number}")
    drawn, part = random.random(), random.random()
    for rule in rules:
        if drawn < rule.share:
            return Fault(rule.kind, part, rule.byte)
        drawn -= rule.share
    return None
