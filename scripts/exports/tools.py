"""Small tools for lines that hold one UTF-8 byte a character."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import orjson

from exports.core import Change, Fragment, Media


def split(text: str) -> list[str]:
    return text.split()


def narrow(text: str) -> str:
    """The UTF-8 bytes of a text as a string with one character a byte, as all lines and fragments are."""
    return text.encode().decode("latin-1")


def dumps(value: Any) -> str:
    return orjson.dumps(value).decode("latin-1")


def loads(line: str) -> Any:
    return orjson.loads(line.encode("latin-1"))


def quoted(value: Any) -> str:
    """JSON in a JSON string."""
    return dumps(orjson.dumps(value).decode())


def spread(weighted: Sequence[tuple[str, int]]) -> list[str]:
    return [value for value, weight in weighted for _ in range(weight)]


def split_at_mark(text: str) -> Fragment:
    before, _, after = text.partition("@@")
    return before, after


def random_slots(rng: Random, count: int) -> array[int]:
    slots = array("H", rng.randbytes(2 * count))
    if sys.byteorder == "big":
        slots.byteswap()
    return slots


def uuid_head(rng: Random) -> str:
    return f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-11ee-{rng.getrandbits(16):04x}-"


def backwards(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in reversed(record)}


def zipf_table(values: Sequence[Any], rng: Random, size: int) -> list[Any]:
    """Every value once, then more of the first ones than of the last ones."""
    return [*values, *rng.choices(values, [1 / (rank + 12) for rank in range(len(values))], k=size)]


def pick_media(media: Media, kind: str, index: int, number: int) -> str:
    choices = media[kind]
    before, after = choices[index % len(choices)]
    return f"{before}{number:x}{after}" if after else before


def swap(pattern: str, replacement: str | Callable[[re.Match[str]], str], *, once: bool = False) -> Change:
    """Replace what the pattern finds, everywhere or only the first time."""
    found = re.compile(pattern)
    return lambda line: found.sub(replacement, line, int(once))
