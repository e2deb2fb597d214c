"""Remember which lines come from source ids that are no message numbers.

Strategy: such a line leaves the hash of its source id, for looking it up later, and, where its number was derived, a
row that tells which id the number came from. Lines whose number is the source's own leave nothing.
Cost: 32 bytes of disk for a line of a named message, 32 more for a derived number; nothing for sources with numbers.
"""

from __future__ import annotations

import numpy as np
from xxhash import xxh3_128_digest

from imconvert.convert.work import KEY, SOURCE, Array
from imconvert.model import Message


def hash_of(source_id: str) -> bytes:
    """xxh3-128 of a source id, 16 bytes: how source ids are compared."""
    return xxh3_128_digest(source_id.encode("utf-8", "surrogatepass"))


def is_named(message: Message, lines: int) -> bool:
    """Whether the number of a line alone does not lead back to the source id."""
    return lines > 1 or message.source_id != str(message.msgid)


class Names:
    """The named lines of a batch, until their places are known."""

    __slots__ = ("derived", "hashes", "parts", "positions")

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.hashes: list[bytes] = []
        self.parts: list[int] = []
        self.derived: list[bool] = []

    def add(self, position: int, message: Message, part: int) -> None:
        """Note that the line at `position` is part number `part`, from 0, of a message."""
        self.positions.append(position)
        self.hashes.append(hash_of(message.source_id))
        self.parts.append(part)
        self.derived.append(part > 0 or message.source_id != str(message.msgid))

    def add_derived(self, named: list[tuple[int, str]]) -> None:
        """Note the lines that a shortcut wrote, at their places among the others; their numbers were derived."""
        if not named:
            return
        rows = [*zip(self.positions, self.hashes, self.parts, self.derived, strict=True)]
        rows += [(position, hash_of(source_id), 0, True) for position, source_id in named]
        columns = zip(*sorted(rows), strict=True)
        self.positions, self.hashes, self.parts, self.derived = map(list, columns)

    def sources(self, base: int) -> Array:
        """SOURCE rows; `base` is the place of the batch's first line."""
        rows = np.empty(len(self.positions), SOURCE)
        rows["hi"], rows["lo"] = np.frombuffer(b"".join(self.hashes), "<u8").reshape(-1, 2).T
        rows["place"] = np.array(self.positions, np.uint64) + np.uint64(base)
        rows["part"] = self.parts
        return rows

    def numbers(self, sources: Array, msgids: Array) -> Array:
        """KEY rows of those numbers that were derived; `msgids` are those of the batch."""
        chosen = np.array(self.derived, bool)
        rows = np.empty(int(chosen.sum()), KEY)
        rows["hi"] = msgids[self.positions][chosen] << np.uint64(1)
        for field, source in (("lo", "hi"), ("digest", "part"), ("place", "place")):
            rows[field] = sources[source][chosen]
        return rows
