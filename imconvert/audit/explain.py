"""Find out what became of a message: written, and from where; or rejected, skipped, dropped, and why.

Strategy: the shards whose range of message numbers holds the wanted one are asked by their index; the side files are
searched for the id as text, and what is found is then read properly. An id that is no number is also tried as the
number that each vendor would derive from it.
Cost: reads the indexes that fit (about 5 bytes a message) and the side files.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from imconvert import durable
from imconvert.convert import index
from imconvert.convert.manifest import SIDES, Manifest
from imconvert.convert.run import read_manifest
from imconvert.convert.work import ShardFacts
from imconvert.model import derived_id
from imconvert.vendors import BY_NAME


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
    for number in _numbers(msgid, manifest.source):
        for shard in manifest.shards:
            if shard.msgids[0] <= number <= shard.msgids[1]:
                yield from _written(output, shard, number, manifest)
    for side in SIDES:
        yield from _left_out(output / f"{side}.ndjson", _numbers(msgid, manifest.source), msgid)


def _numbers(msgid: str, source: str) -> list[int]:
    numbers = [int(msgid)] if msgid.isascii() and msgid.isdigit() and len(msgid) < 20 else []
    return [*numbers, derived_id(BY_NAME[source].name, msgid), derived_id("part", msgid)]


def _written(output: Path, shard: ShardFacts, number: int, manifest: Manifest) -> Iterator[Finding]:
    base = 0
    with durable.Reader(output / index.FOLDER / index.name_of(shard.name)) as reader:
        for block in index.blocks(reader):
            for row in np.flatnonzero(block["msgid"] == number).tolist():
                label = manifest.inputs[int(block["file"][row])].file
                yield Finding(label, int(block["line"][row]), int(block["offset"][row]), shard.name, base + row + 1)
            base += len(block["msgid"])


def _left_out(path: Path, numbers: list[int], msgid: str) -> Iterator[Finding]:
    wanted = {msgid.encode(), *(str(number).encode() for number in numbers)} - {b""}
    for line in durable.lines_of(path):
        if b'"raw_base64":' not in line and not any(word in line for word in wanted):
            continue
        found = msgspec.json.decode(line)
        if any(_has_word(text, word.decode()) for word in wanted for text in _texts(found)):
            yield Finding(
                found["file"], found["line"], found["offset"], None, None,
                found["code"], found.get("why"), found.get("key"), found.get("kept"),
            )  # fmt: skip


def _texts(found: dict[str, Any]) -> tuple[str, ...]:
    """Where a line of a side file can name the message: the record, the key, what an event is about."""
    unread = base64.b64decode(found.get("raw_base64", "")).decode(errors="replace")
    return found.get("raw", unread), str(found.get("key", {}).get("msgid", "")), found.get("of", "")


def _has_word(text: str, word: str) -> bool:
    """Whether `word` stands in the text with nothing on either side that an id may be made of."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
