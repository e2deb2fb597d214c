"""Phrases that stand inside of other texts, in Chinese.

A phrase is written in English where it arises: it is what files hold, the same on every machine. Only who reads it on a
terminal gets it in another language. Promise: what no table has is given back as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_CLOSE = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")
"""A blank between two Chinese characters; they need none."""


class Phrases:
    """Translates whole phrases by a table; `{}` in a key stands for any text, and goes into the value in turn.

    Where several keys fit, the one with the most words of its own is meant.
    """

    def __init__(self, table: Mapping[str, str]) -> None:
        self._whole = {key: value for key, value in table.items() if "{}" not in key}
        open_keys = sorted((key for key in table if "{}" in key), key=lambda key: -len(key.replace("{}", "")))
        self._forms = [(_form(key), table[key]) for key in open_keys]
        self.translated = lru_cache(maxsize=1024)(self._translated)

    def has(self, phrase: str) -> bool:
        """Whether the table has this phrase."""
        return self._found(phrase) is not None

    def _translated(self, phrase: str) -> str:
        found = self._found(phrase)
        return phrase if found is None else found

    def _found(self, phrase: str) -> str | None:
        if phrase in self._whole:
            return self._whole[phrase]
        for form, value in self._forms:
            if match := form.fullmatch(phrase):
                return _CLOSE.sub("", value.format(*(self._whole.get(part, part) for part in match.groups())))
        return None


def _form(key: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, key.split("{}"))), re.DOTALL)
