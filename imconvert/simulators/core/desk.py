"""What the endpoints of one running simulator share: store, clock, windows, settings, and the way out to a callback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from imconvert.simulators.core.clock import Clock
from imconvert.simulators.core.rates import Rates
from imconvert.simulators.core.store import Store

Value = str | int


class Setting(NamedTuple):
    """A point that a vendor's documents leave open, a limit, or a name of the app; `allowed` is empty for any value."""

    default: Value
    help: str
    allowed: tuple[str, ...] = ()


def read_settings(known: Mapping[str, Setting], given: Mapping[str, str]) -> dict[str, Value]:
    """All settings, the given ones checked. Raises ValueError that names what is wrong."""
    found: dict[str, Value] = {name: setting.default for name, setting in known.items()}
    for name, text in given.items():
        setting = known.get(name)
        if setting is None:
            raise ValueError(f"there is no setting {name}; known are {', '.join(sorted(known))}")
        if setting.allowed and text not in setting.allowed:
            raise ValueError(f"{name} is one of {', '.join(setting.allowed)}, not {text!r}")
        if isinstance(setting.default, int) and not text.isdecimal():
            raise ValueError(f"{name} is a number, not {text!r}")
        found[name] = int(text) if isinstance(setting.default, int) else text
    return found


@dataclass(slots=True)
class Desk:
    """`tell` hears of what happened in the app, by the name of the event; it posts only what was committed."""

    store: Store
    clock: Clock
    rates: Rates
    settings: Mapping[str, Value]
    tell: Callable[[str, Mapping[str, Any]], None]

    def text(self, name: str) -> str:
        return str(self.settings[name])

    def number(self, name: str) -> int:
        return int(self.settings[name])

    def chosen(self, name: str, value: str) -> bool:
        """Whether a setting has this value."""
        return self.settings[name] == value
