"""How a load is doing: what the terminal, the status page and the summary show.

Counts are of this run but for those of lines, which are the journal's. Rates are over the last RATE_OVER seconds.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RATE_OVER = 60


@dataclass(slots=True)
class Row:
    """A stage: its lines (calls) in all and finished, those finished by this run with their items, what failed."""

    name: str
    lines: int
    done: int = 0
    mine: int = 0
    items: int = 0
    failed: int = 0
    unknown: int = 0
    held: int = 0


@dataclass(slots=True)
class Progress:
    """The counts of a run, and its answers by second."""

    target: str
    began: float
    rows: dict[str, Row] = field(default_factory=dict)
    causes: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=RATE_OVER + 1))
    now_at: str = ""
    state: str = "loading"
    why: str = ""

    def count(self, kind: str, cause: str) -> None:
        """Something happened to a call, and why."""
        self.causes[kind, cause] += 1

    def answered(self, steady: float) -> None:
        """A line was finished, failed, or is unknown."""
        second = int(steady)
        if self.seconds and self.seconds[-1][0] == second:
            self.seconds[-1] = (second, self.seconds[-1][1] + 1)
        else:
            self.seconds.append((second, 1))

    def rate(self, steady: float) -> float:
        """Lines a second, the running second left out if there are others."""
        until = int(steady)
        known = [(second, number) for second, number in self.seconds if until - RATE_OVER <= second < until]
        if not known:
            return sum(number for _, number in self.seconds) / max(steady - self.began, 0.001)
        return sum(number for _, number in known) / max(1, until - known[0][0])


def facts(
    found: Progress, *, now: float, steady: float, limits: Mapping[str, float], share: float = 1.0
) -> dict[str, Any]:  # fmt: skip
    """The progress at `now` (s since 1970) as JSON has it.

    `limits` are in calls a second, by stage; `share` of them is used at present.
    """
    rate = found.rate(steady)
    left = sum(row.lines - row.done - row.held for row in found.rows.values())
    eta = left / rate if rate and left > 0 else None
    return {
        "target": found.target,
        "state": found.state,
        "why": found.why or None,
        "stage": found.now_at or None,
        "seconds": round(steady - found.began, 1),
        "rate_per_s": round(rate, 2),
        "limit_per_s": limits.get(found.now_at) or None,
        "limit_share": round(share, 3),
        "left": left,
        "seconds_left": round(eta) if eta is not None else None,
        "finish_ms": round((now + eta) * 1000) if eta is not None else None,
        "stages": [
            {"name": row.name, "lines": row.lines, "done": row.done, "sent_now": row.mine, "items_now": row.items,
             "failed": row.failed, "unknown": row.unknown, "held": row.held}
            for row in found.rows.values()
        ],
        "causes": [
            {"kind": kind, "cause": cause, "count": number} for (kind, cause), number in sorted(found.causes.items())
        ],
    }  # fmt: skip
