"""Compare what the puller has with what it should have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from imconvert.errors import Rejected
from imconvert.simulators.yunxin.records import Judged, judge
from imconvert.simulators.yunxin.store import Comparison, Store


def compared(store: Store, lines: Iterable[bytes], now: int) -> Comparison:
    """Compare a store with the lines that it should hold; a line that cannot be imported is not expected."""

    def judged() -> Iterator[Judged]:
        for line in lines:
            try:
                yield judge(line, now)
            except Rejected:
                continue

    return store.compare(judged())
