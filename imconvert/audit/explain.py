"""Find out what became of a message: written, and from where; or rejected, skipped, dropped, and why.

Strategy: a message number is looked up in the indexes of the shards whose range of numbers holds it; a source id in the
indexes of source ids, which lead to numbers and lines (where the lines were arranged, to numbers alone). The side files
are searched for the id, and for its numbers, as text, and what is found is then read properly.
Cost: for a number, the indexes that fit (about 5 bytes a message); for a source id, a block for each half million
messages; in both cases the side files. Memory is a block.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from imconvert import durable
from imconvert.convert.books.manifest import SIDES, Manifest, read_manifest
from imconvert.convert.seal import index, source_index
from imconvert.convert.work import ShardFacts
from imconvert.errors import UsageError
from imconvert.model import derived_id
from imconvert.vendors import BY_NAME, TARGETS, find, is_plug_in

NameOf = Callable[[bytes, bytes], str | None]


class Finding(Struct, omit_defaults=True):
    """One thing that became of the message. `code` is None for a line that was written."""

    file: str
    line: int
    offset: int
    shard: str | None = None
    shard_line: int | None = None
    code: str | None = None
    why: str | None = None
    key: dict[str, Any] | None = None
    kept: dict[str, Any] | None = None


def explain_message(output: Path, msgid: str) -> Iterator[Finding]:
    """All that became of `msgid`. Raises UsageError IMC-1014 where `output` is not finished."""
    manifest = read_manifest(output)
    named = list(_named(output, msgid, manifest))
    numbers = _numbers(msgid, manifest)
    shards = {shard.name: shard for shard in manifest.shards}
    if manifest.arranged:
        numbers = list(dict.fromkeys([*numbers, *(number for _, row, number in named if row)]))
        named = [(name, 0, number) for name, _, number in named]
    found = [(name, row) for name, row, _ in named if row] + [
        (shard.name, row)
        for number in numbers
        for shard in manifest.shards
        if shard.msgids[0] <= number <= shard.msgids[1]
        for row in _rows(output, shard, number)
    ]
    for name, row in dict.fromkeys(found):
        yield _written(output, shards[name], row, manifest)
    wanted = dict.fromkeys([*numbers, *(number for _, _, number in named)])
    name_of = _name_of(manifest.source)
    for side in SIDES:
        yield from _left_out(output / f"{side}.ndjson", list(wanted), msgid, name_of)


def _name_of(source: str) -> NameOf | None:
    """What finds the id in a record of this source; a plug-in that is not there any more finds none."""
    try:
        vendor = BY_NAME.get(source) or (find(source) if is_plug_in(source) else None)
    except UsageError:
        return None
    return vendor.name_of if vendor else None


def _named(output: Path, source_id: str, manifest: Manifest) -> Iterator[tuple[str, int, int]]:
    """Shard, line in it (0: left out) and number of each line of a source id that had to be remembered."""
    streams = TARGETS[manifest.target_name].streams
    for each in manifest.sources:
        with durable.Reader(output / index.FOLDER / each.name) as reader:
            for number, line, stream in source_index.find(reader, source_id):
                yield each.shards.get(streams[stream], ""), line, number


def _numbers(msgid: str, manifest: Manifest) -> list[int]:
    """The id as a message number; one that is none as that of a further body (`ID#2`), and, where there is no index of
    source ids, as the one that its vendor would derive."""
    number = [int(msgid)] if msgid.isascii() and msgid.isdigit() and len(msgid) < 20 else []
    return number or [derived_id("part", msgid), *([] if manifest.sources else [derived_id(manifest.source, msgid)])]


def _rows(output: Path, shard: ShardFacts, number: int) -> Iterator[int]:
    """The messages of a shard, counted from 1, that have a message number."""
    with durable.Reader(output / index.FOLDER / index.name_of(shard.name)) as reader:
        base = 1
        for block in index.blocks(reader):
            yield from (base + row for row in np.flatnonzero(block["msgid"] == number).tolist())
            base += len(block["msgid"])


def _written(output: Path, shard: ShardFacts, message: int, manifest: Manifest) -> Finding:
    with durable.Reader(output / index.FOLDER / index.name_of(shard.name)) as reader:
        row = index.row_of(reader, message)
    line = row.get("request", message)
    return Finding(manifest.inputs[row["file"]].file, row["line"], row["offset"], shard.name, line)


def _left_out(path: Path, numbers: list[int], msgid: str, name_of: NameOf | None) -> Iterator[Finding]:
    wanted = {msgid.encode(), *(str(number).encode() for number in numbers)} - {b""}
    for line in durable.lines_of(path):
        if not name_of and b'"raw_base64":' not in line and not any(word in line for word in wanted):
            continue
        found = msgspec.json.decode(line)
        named = name_of is not None and "key" not in found and name_of(*_record(found)) == msgid
        if named or any(_has_word(text, word.decode()) for word in wanted for text in _texts(found)):
            yield Finding(
                found["file"], found["line"], found["offset"], None, None,
                found["code"], found.get("why"), found.get("key"), found.get("kept"),
            )  # fmt: skip


def _record(found: dict[str, Any]) -> tuple[bytes, bytes]:
    """The record that a line of a side file holds, and the head of its document."""
    raw = found["raw"].encode() if "raw" in found else base64.b64decode(found.get("raw_base64", ""))
    return raw, found.get("head", "").encode()


def _texts(found: dict[str, Any]) -> tuple[str, ...]:
    """Where a line of a side file can name the message: the record, the key, what an event is about."""
    unread = base64.b64decode(found.get("raw_base64", "")).decode(errors="replace")
    return found.get("raw", unread), str(found.get("key", {}).get("msgid", "")), found.get("of", "")


def _has_word(text: str, word: str) -> bool:
    """Whether `word` stands in the text with nothing on either side that an id may be made of."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
