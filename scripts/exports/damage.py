"""Records that no reader can take, and oddities of lines that every reader should, for all vendors."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from exports.core import Change, Plant
from exports.tools import dumps, loads, narrow

Way = Callable[[str, Random], str]  # earlier line, chance -> damaged line

GARBAGE = (
    "2024-03-15 09:12:44,102 ERROR [export-worker-7] java.net.SocketTimeoutException: Read timed out",
    "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
    "--- 导出中断,正在重试 (3/5) ---",
    "锟斤拷烫烫烫",
    "}}}]",
)


def cut(past: str, rng: Random) -> str:
    return past[: rng.randrange(8, len(past) - 1)]


def bad_byte_in(*keys: str) -> Way:
    """The last letter but one of the first such key becomes 0xFF, so that dropping or replacing it does not help."""
    found = re.compile(f'"({"|".join(keys)})"')
    return lambda past, rng: found.sub(lambda key: f'"{key[1][:-2]}\xff{key[1][-1]}"', past, count=1)


def garbage(past: str, rng: Random) -> str:
    return narrow(rng.choice(GARBAGE))


def with_nul(past: str, rng: Random) -> str:
    return cut(past, rng) + "\0" * rng.randrange(1, 64)


def without(*keys: str) -> Way:
    """None of the keys is left, neither at the top nor in `data` or `payload`."""

    def change(past: str, rng: Random) -> str:
        record = loads(past)
        for owner in (record, record.get("data", {}), record.get("payload", {})):
            for key in keys:
                owner.pop(key, None)
        return dumps(record)

    return change


def not_an_object(past: str, rng: Random) -> str:
    return rng.choice(("null", "17", '"record"', "[]", "true"))


def damage(*ways: Way) -> Plant:
    """One of the ways, by chance."""
    return lambda past, fresh, rng: rng.choice(ways)(past, rng)


bad_byte = bad_byte_in("msgid", "msg_id")
without_sender = without("from", "accid")
DAMAGED_LINE = damage(cut, bad_byte, garbage, with_nul, without_sender)

LINE_ODDITIES: tuple[Change, ...] = (
    lambda line: line + "\r",
    lambda line: narrow("\ufeff") + line,
    lambda line: line + "  \t",
)
