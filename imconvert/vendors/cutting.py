"""Cut a text into pieces that fit a limit in bytes, between characters as readers see them.

Strategy: the cost of a character is what it takes as JSON in UTF-8; pieces are filled greedily with clusters, a base
and what joins onto it (accents, variation selectors, skin tones, joined emoji, flags). Only a cluster that alone is
too long is cut.
Promise: the pieces joined are the text, and each costs at most the limit.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

LEAST = 6
"""The most that one character costs."""

_ESCAPED = {character: 2 for character in '"\\\b\f\n\r\t'}
_JOINER = "\u200d"
_JOINS = frozenset([*range(0xFE00, 0xFE10), *range(0xE0020, 0xE0080), *range(0x1F3FB, 0x1F400), 0x20E3, 0x200D])
"""Variation selectors, tags, skin tones, key caps, the joiner."""
_FLAGS = range(0x1F1E6, 0x1F200)


def cost(text: str) -> int:
    """Bytes of a text inside of a JSON string: escaped where our encoder escapes, else UTF-8."""
    return sum(_ESCAPED.get(one) or (LEAST if one < " " else len(one.encode())) for one in text)


def pieces(text: str, limit: int) -> Iterator[str]:
    """The text in pieces that each cost at most `limit`, which is at least LEAST; an empty text is one piece."""
    piece: list[str] = []
    used = 0
    for cluster in clusters(text):
        for part in [cluster] if (price := cost(cluster)) <= limit else cluster:
            price = cost(part)
            if used + price > limit:
                yield "".join(piece)
                piece, used = [], 0
            piece.append(part)
            used += price
    yield "".join(piece)


def clusters(text: str) -> Iterator[str]:
    """The text in clusters, none of which is empty."""
    begin = flags = 0
    for at, character in enumerate(text):
        flag = ord(character) in _FLAGS
        joined = text[at - 1] == _JOINER or _joins(character, text[at - 1]) or (flag and flags % 2 == 1)
        if at > begin and not joined:
            yield text[begin:at]
            begin = at
        flags = flags + 1 if flag else 0
    if begin < len(text):
        yield text[begin:]


def _joins(character: str, before: str) -> bool:
    if ord(character) in _JOINS or unicodedata.combining(character):
        return True
    return character == "\n" and before == "\r"
