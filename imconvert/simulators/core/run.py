"""Build a simulator from its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imconvert.errors import UsageError
from imconvert.simulators.core.app import App
from imconvert.simulators.core.clock import Clock
from imconvert.simulators.core.desk import Desk, read_settings
from imconvert.simulators.core.faults import Plan
from imconvert.simulators.core.posts import Postman
from imconvert.simulators.core.rates import Limit, Rates
from imconvert.simulators.core.store import Store
from imconvert.simulators.core.vendor import Vendor


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be chosen: where the state lies, mishaps and their seed, limits, settings, the address for callbacks."""

    state: Path | None = None
    plan: Plan | None = None
    seed: int = 1
    limited: bool = True
    limits: Mapping[str, Limit] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    callback: str | None = None


def build(vendor: Vendor, choice: Choice, clock: Clock) -> App:
    """A simulator that is ready to be served. Raises UsageError IMC-1290 to IMC-1292, IMC-1161."""
    try:
        settings = read_settings(vendor.settings, choice.settings)
        if unknown := choice.limits.keys() - vendor.limits.keys():
            raise ValueError(f"there is no rate {min(unknown)}; there are {', '.join(vendor.limits)}")
    except ValueError as why:
        raise UsageError("IMC-1291", why=str(why)) from why
    rates = Rates({**vendor.limits, **choice.limits}, on=choice.limited)
    store = Store(choice.state, vendor.name, vendor.tables)
    try:
        desk = Desk(store, clock, rates, settings, lambda event, facts: None)
        postman = Postman(vendor, desk, choice.callback) if choice.callback else None
        return App(vendor, desk, (choice.plan, choice.seed) if choice.plan else None, postman)
    except UsageError:
        store.close()
        raise
