"""Remember which lines come from source ids that are no message numbers.

Strategy: such a line leaves the hash of its source id, for looking it up later, and, where its number was derived, a
row that tells which id the number came from. Lines whose number is the source's own leave nothing.
Cost: 32 bytes of disk for a line of a named message, 32 more for a derived number; nothing for sources with numbers.
"""

from __future__ import annotations

import numpy as np

from imconvert.convert.work import KEY, SOURCE, Array
from imconvert.model import Message, hash_of_source

NAMED = np.dtype([("row", "<i8"), ("hash", "V16")])
"""Of a line whose number a shortcut made of a name: its row in the batch, and the hash of the name."""


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
        self.hashes.append(hash_of_source(message.source_id))
        self.parts.append(part)
        self.derived.append(part > 0 or message.source_id != str(message.msgid))

    def rows(self, shortcut: bytes, base: int, msgids: Array) -> tuple[Array, Array]:
        """SOURCE rows of all, and KEY rows of the numbers that were derived.

        `shortcut` are NAMED rows of lines that a shortcut wrote, `base` is the place of the batch's first line,
        `msgids` are the numbers of its lines.
        """
        more = np.frombuffer(shortcut, NAMED)
        positions = np.concatenate([np.array(self.positions, np.int64), more["row"]])
        hashes = b"".join(self.hashes) + more["hash"].tobytes()
        sources = np.empty(len(positions), SOURCE)
        sources["hi"], sources["lo"] = np.frombuffer(hashes, "<u8").reshape(-1, 2).T
        sources["place"] = positions.astype(np.uint64) + np.uint64(base)
        sources["part"] = np.concatenate([np.array(self.parts, np.int64), np.zeros(len(more), np.int64)])
        derived = np.concatenate([np.array(self.derived, bool), np.ones(len(more), bool)])
        order = np.argsort(positions, kind="stable")
        sources, chosen = sources[order], order[derived[order]]
        return sources, _numbers(sources[derived[order]], msgids[positions[chosen]])


def _numbers(sources: Array, msgids: Array) -> Array:
    """KEY rows of derived numbers, for looking which names share one."""
    rows = np.empty(len(sources), KEY)
    rows["hi"] = msgids << np.uint64(1)
    for field, source in (("lo", "hi"), ("digest", "part"), ("place", "place")):
        rows[field] = sources[source]
    return rows
