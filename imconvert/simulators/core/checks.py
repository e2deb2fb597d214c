"""Tables of fields and what they may hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, NoReturn

Test = Callable[[Any], bool]
_MISSING = object()


class Rule(NamedTuple):
    """What a field may hold, the code if it does not, and whether it has to be there."""

    test: Test
    code: Any
    needed: bool = True


def text(least: int = 0, most: int | None = None) -> Test:
    """A text of so many bytes in UTF-8."""
    return lambda value: (
        isinstance(value, str) and least <= len(value.encode()) and (most is None or len(value.encode()) <= most)
    )


def chars(least: int = 0, most: int | None = None) -> Test:
    """A text of so many characters."""
    return lambda value: isinstance(value, str) and least <= len(value) and (most is None or len(value) <= most)


MOST = (1 << 63) - 1


def integer(low: int = -MOST, high: int = MOST) -> Test:
    """A whole number of 64 bits; true and false are none."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def digits(value: Any, low: int = 0, high: int = MOST) -> int | None:
    """The number that a text of decimal digits stands for; None for anything else."""
    if not isinstance(value, str) or not value.isdecimal() or len(value) > 19 or not low <= int(value) <= high:
        return None
    return int(value)


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def boolean(value: Any) -> bool:
    return isinstance(value, bool)


def one_of(allowed: Collection[Any]) -> Test:
    """One of these values, of the same type."""
    return lambda value: any(value == one and type(value) is type(one) for one in allowed)


def array(least: int = 0, most: int | None = None, of: Test | None = None) -> Test:
    """An array of so many elements."""
    return lambda value: (
        isinstance(value, list)
        and least <= len(value)
        and (most is None or len(value) <= most)
        and (of is None or all(of(one) for one in value))
    )


def table(value: Any) -> bool:
    """An object."""
    return isinstance(value, dict)


U32 = integer(0, (1 << 32) - 1)


def check(body: Mapping[str, Any], rules: Mapping[str, Rule], fail: Callable[[Any, str], NoReturn]) -> None:
    """Hold a body against its rules, in their order; `fail` hears the code and which field it is."""
    for name, rule in rules.items():
        value = body.get(name, _MISSING)
        if value is _MISSING:
            if rule.needed:
                fail(rule.code, f"{name} is missing")
        elif not rule.test(value):
            fail(rule.code, f"{name} has a wrong value")
