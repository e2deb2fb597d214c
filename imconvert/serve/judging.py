"""Decide which records are new to the feed, which it has, and which are in conflict with what it has.

Strategy: the key index knows keys by 128-bit hashes. Where it knows one, the earlier line is read back from its place
and the real keys are compared. Where a hash deceives, the record is known by another one, made of that hash and of its
real key, and is asked for by that.
Promise: nothing is left out or held unless a line before it has the very same key. Only where that line cannot be read
any more, since its file was moved away, the hash is trusted; such records are counted in `unconfirmed`.
Cost: nothing for a new record; of a known one its earlier line is read, in blocks for those that lie together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from xxhash import xxh3_128_digest

from imconvert.serve.keys import KeyIndex
from imconvert.serve.lines import lines_at
from imconvert.serve.runs import Known
from imconvert.serve.state import State
from imconvert.vendors.contract import KeyFields, Target

NEW, SAME, OTHER = 0, 1, 2

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Batch:
    """Records that are judged together, in order: hashes of their keys, digests of their contents, canonical lines
    without LF."""

    keys: Sequence[bytes]
    digests: Sequence[bytes]
    lines: Sequence[bytes]


@dataclass(slots=True)
class Verdicts:
    """For each record of a batch whether it is NEW, known with the SAME content or with OTHER content; `fresh` are the
    numbers of the new ones, by the hash by which each is to be known; `served` are the lines that those with OTHER
    content are in conflict with, by number, where they can still be read."""

    kinds: list[int] = field(default_factory=list)
    fresh: dict[bytes, int] = field(default_factory=dict)
    served: dict[int, bytes] = field(default_factory=dict)


class Judge:
    """Judges records against an index of what was taken of a feed."""

    def __init__(self, index: KeyIndex, state: State, target: Target) -> None:
        self.index, self.state, self.target = index, state, target
        self.unconfirmed = 0

    def judge(self, batch: Batch) -> Verdicts:
        """Compare records with all that was taken, and with each other."""
        known = self.index.find(batch.keys)
        earlier = lines_at(self.state.files, {one.place for one in known.values()})
        found = Verdicts()
        for number, key in enumerate(batch.keys):
            one = known.get(number)
            if one is None and key not in found.fresh:
                found.fresh[key] = number
                found.kinds.append(NEW)
            else:
                line = earlier.get(one.place) if one else None
                found.kinds.append(self._settled(batch, number, one, line, found))
        return found

    def _settled(self, batch: Batch, number: int, known: Known | None, line: bytes | None, found: Verdicts) -> int:
        """What a record is whose hash is known, from the index or from before in its batch."""
        key, own = batch.keys[number], batch.lines[number]
        while known or key in found.fresh:
            if known:
                digest = known.digest
            else:
                digest, line = batch.digests[found.fresh[key]], batch.lines[found.fresh[key]]
            if self._confirmed(own, line):
                if digest == batch.digests[number]:
                    return SAME
                if line is not None:
                    found.served[number] = line
                return OTHER
            key = _other_hash(key, self.target.read_key(own))
            known = self.index.find([key]).get(0)
            line = lines_at(self.state.files, [known.place])[known.place] if known else None
        found.fresh[key] = number
        return NEW

    def _confirmed(self, line: bytes, earlier: bytes | None) -> bool:
        """Whether two lines have the same key; counted, and taken for granted, where the earlier cannot be read."""
        if line == earlier:
            return True
        key = self._key(earlier) if earlier is not None else None
        if key is None:
            self.unconfirmed += 1
            return True
        return key == self.target.read_key(line)

    def _key(self, line: bytes) -> KeyFields | None:
        try:
            return self.target.read_key(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


def _other_hash(key: bytes, fields: KeyFields) -> bytes:
    """Another hash of a key; the same for the same key in every life of the feed."""
    return xxh3_128_digest(key + _encode(fields))
