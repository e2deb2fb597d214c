"""What did not go in, as a file that can be corrected and sent alone; and the ids and tokens that the target gave out.

Promise: all are made anew from the journal, whole or not at all; a failed item stands in the list exactly once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from imconvert import durable
from imconvert.deliver import Clock
from imconvert.deliver.journal import WHOLE, Failure, Journal
from imconvert.errors import cause_of
from imconvert.load import replays
from imconvert.load.shards import read_call
from imconvert.vendors.calls import Rest, part_of

NAME = "load-failed.ndjson"
IDS = "load-ids.csv"
TOKENS = "load-tokens.csv"
_encode = msgspec.json.Encoder().encode


class Left(NamedTuple):
    """What the journal says at the end: calls that are unknown, lines in the list of failures, ids and tokens given."""

    unknown: int = 0
    failed_lines: int = 0
    ids: int = 0
    tokens: int = 0


def leave_lists(output: Path, journal: Path, rest: Rest, clock: Clock, *, ours: Callable[[int], bool]) -> Left:
    """Write load-failed.ndjson, load-ids.csv and load-tokens.csv from the journal; an empty list has no file.

    `ours` says of a shard that no other process is loading it: what is under way there is no other's business.
    """
    found = Journal(journal, clock)
    try:
        replays.settle(found, journal.parent)
        _leave(output / NAME, lines(found, output, journal.parent, rest))
        _leave(output / IDS, table(("kind", "source", "target"), found.data.rows(_IDS)))
        tokens = found.vault.rows()
        _leave(output / TOKENS, table(("account", "token"), tokens))
        failures = "SELECT count(*) FROM (SELECT DISTINCT shard, line FROM failed)"
        lines_failed, ids = (int(found.data.rows(query)[0][0]) for query in (failures, "SELECT count(*) FROM ids"))
        rows = found.data.rows("SELECT shard, unknown FROM open")
        return Left(sum(bool(unknown) or ours(shard) for shard, unknown in rows), lines_failed, ids, len(tokens))
    finally:
        found.vault.close()
        found.data.close()


def _leave(path: Path, pieces: Iterator[bytes]) -> None:
    first = next(pieces, None)
    if first is None:
        durable.remove(path)
        return
    temp = path.with_name(path.name + ".tmp")
    durable.write_pieces(temp, _with(first, pieces), seen=lambda block: None)
    durable.rename(temp, path)
    durable.sync_folder(path.parent)


def _with(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def lines(journal: Journal, output: Path, folder: Path, rest: Rest) -> Iterator[bytes]:
    """The failed calls, each with only its failed items, its place and why."""
    for number, name in journal.data.rows("SELECT id, name FROM shards ORDER BY id"):
        found = journal.failures(number)
        path = output / name if durable.exists(output / name) else folder / name
        if found:
            with durable.Reader(path) as reader:
                for _, items in groupby(found, lambda one: one.place.line):
                    yield _line(reader, name, list(items), rest)


def _line(reader: durable.Reader, name: str, failures: list[Failure], rest: Rest) -> bytes:
    place = failures[0].place
    data = reader.at(place.offset, place.stop - place.offset)
    record: dict[str, Any] = msgspec.json.decode(data)
    items = [one.item for one in failures if one.item != WHOLE]
    if items:
        call = read_call(data, name, place.line)
        record["body"] = part_of(rest.apis[call.api], call, items).body
    why = [{"item": one.item, "kind": one.kind, "code": one.code, "why": _why(one)} for one in failures]
    return _encode({**record, "shard": name, "line": place.line + 1, "failed": why}) + b"\n"


def _why(one: Failure) -> str:
    return cause_of(one.code) if one.code.startswith("IMC-") and not one.why else one.why


_IDS = "SELECT kind, source, target FROM ids ORDER BY kind, source"


def table(header: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> Iterator[bytes]:
    """Rows as CSV; nothing without rows. The ids are a map as `--tids` takes it."""
    if not rows:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    yield text.getvalue().encode()
