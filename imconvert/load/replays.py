"""Take a list of failed items back in: it becomes shards of its own, and what is finished there leaves the old list.

Strategy: the lines are copied beside the journal, a file a stage, named by their sum, so that the list may be
rewritten meanwhile and the same list taken in twice is loaded once. Failures of a finished line move from the old
shard to it: they are gone, or stand at the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from imconvert import durable
from imconvert.deliver.done import Span
from imconvert.deliver.journal import Journal
from imconvert.durable.sums import Sums
from imconvert.errors import UsageError
from imconvert.load.shards import Shard, read_head
from imconvert.sources.inputs import text_lines
from imconvert.vendors.calls import Rest

PREFIX = "replay-"


def taken_in(path: Path, folder: Path, rest: Rest, journal: Journal) -> list[Shard]:
    """The shards of a list of failed items. Raises UsageError IMC-1261 for a line that is none of ours."""
    stages: dict[str, list[bytes]] = {}
    sums = Sums()
    for number, line in enumerate(text_lines(path)):
        if line.strip():
            sums.add(line + b"\n")
            stages.setdefault(_stage(line, path, number, rest), []).append(line.strip() + b"\n")
    return [
        _kept(folder / f"{PREFIX}{sums.sha256[:16]}-{stage}.ndjson", stage, lines, journal)
        for stage, lines in stages.items()
    ]


def _stage(line: bytes, path: Path, number: int, rest: Rest) -> str:
    place = f"{path}:{number + 1}"
    try:
        found: dict[str, Any] = msgspec.json.decode(line)
        stage = rest.stage_of(found["api"])
        fine = bool(stage) and isinstance(found["shard"], str) and isinstance(found["line"], int)
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError) as why:
        raise UsageError("IMC-1261", place, why=str(why)) from why
    if not fine:
        raise UsageError("IMC-1261", place, why="its api, shard or line is none that this output and target have")
    read_head(line, path.name, number)
    return stage


def _kept(path: Path, stage: str, lines: list[bytes], journal: Journal) -> Shard:
    data = b"".join(lines)
    sums = Sums()
    sums.add(data)
    known = journal.data.rows("SELECT id FROM shards WHERE name = ?", path.name)
    if not known:
        durable.replace_file(path, data)
        with journal.data.change() as link:
            link.execute(
                "INSERT INTO shards (name, sha256, bytes, lines, changed) VALUES (?, ?, ?, ?, 0)",
                (path.name, sums.sha256, len(data), len(lines)),
            )
        known = journal.data.rows("SELECT id FROM shards WHERE name = ?", path.name)
    return Shard(int(known[0][0]), path, path.name, stage, len(lines))


def settle(journal: Journal, folder: Path) -> None:
    """Take failures of which a replay is finished off the shards where they first stood."""
    numbers = {name: number for number, name in journal.data.rows("SELECT id, name FROM shards")}
    for name, number in numbers.items():
        if name.startswith(PREFIX):
            spans = [Span(*row) for row in journal.data.rows(
                "SELECT start, stop, offset FROM done WHERE shard = ?", number)]  # fmt: skip
            gone = list(_origins(folder / name, spans, numbers))
            with journal.data.change() as link:
                link.executemany("DELETE FROM failed WHERE shard = ? AND line = ? AND item = ?", gone)


def _origins(path: Path, spans: list[Span], numbers: dict[str, int]) -> Iterator[tuple[int, int, int]]:
    """Where the items of finished lines first failed."""
    for number, line in enumerate(durable.lines_of(path)):
        if any(span.start <= number < span.stop for span in spans):
            record = msgspec.json.decode(line)
            for one in record.get("failed", ()):
                if record["shard"] in numbers:
                    yield numbers[record["shard"]], record["line"] - 1, one["item"]
