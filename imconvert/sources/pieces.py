"""Read one piece of an input as batches of located raw records.

Strategy: what the content is (lines, or a document with the vendor's array) is decided by its first block; a range
of a plain file is always lines, for the plan never cuts a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from imconvert.sources.containers import Limits, open_blocks
from imconvert.sources.detect import document_head
from imconvert.sources.documents import elements
from imconvert.sources.inputs import STDIN, Input
from imconvert.sources.records import Batch, line_range, lines


def batches(
    source: Input, start: int, stop: int, array: str | None, limits: Limits, progress: Callable[[int], None]
) -> Iterator[Batch]:
    """The records of bytes [start, stop) of `source`; stop -1 is its end. `progress` is told raw bytes read.

    Raises InputError (IMC-40xx) after the records before the damage.
    """
    if stop >= 0:
        blocks, begin = line_range(Path(source.path), source.label, start, stop, source.size, progress)
        return lines(blocks, offset=begin)
    path = None if source.path == STDIN else Path(source.path)
    blocks = open_blocks(path, source.label, member=source.member, limits=limits, progress=progress)
    return _whole(blocks, array, source.label)


def _whole(blocks: Iterator[bytes], array: str | None, label: str) -> Iterator[Batch]:
    head = next(blocks, b"")
    every = chain([head], blocks) if head else iter(())
    if array and document_head(head, array):
        return elements(every, array, label)
    return lines(every)
