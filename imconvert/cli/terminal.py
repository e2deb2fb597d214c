"""Text on a terminal."""

from __future__ import annotations

import unicodedata


def width(text: str) -> int:
    """Columns of a text on a terminal: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def padded(text: str, columns: int) -> str:
    return text + " " * max(0, columns - width(text))


def printable(text: str) -> str:
    """Text from the data with control characters escaped, so that it can't steer a terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
