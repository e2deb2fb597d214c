"""State as rows, for a test or a rehearsal that compares it with what should be there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from imconvert.simulators.core.desk import Desk

Export = Callable[[Desk], Iterator[dict[str, Any]]]


def rows(query: str, *parsed: str) -> Export:
    """The rows of a query by the names of their columns; `parsed` are those that hold JSON."""

    def export(desk: Desk) -> Iterator[dict[str, Any]]:
        found = desk.store.run(query)
        names = [column[0] for column in found.description]
        for row in found:
            item = dict(zip(names, row, strict=True))
            yield item | {name: item[name] and orjson.loads(item[name]) for name in parsed}

    return export
