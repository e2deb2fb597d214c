"""Read one piece of an input as batches of located raw records.

Strategy: a table is rows throughout; else what the content is (lines, a document laid out in lines, or any other
document with the vendor's array) is decided by its first blocks; a range of a plain file is always lines, for the plan
never cuts anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from imconvert import native
from imconvert.errors import InputError
from imconvert.sources import tables, whole
from imconvert.sources.containers import Limits, open_blocks, read_head, read_range
from imconvert.sources.detect import HEAD
from imconvert.sources.documents import begins_with_array, elements
from imconvert.sources.inputs import STDIN, Input, check_unchanged
from imconvert.sources.layout import laid_out, one_a_line, rows
from imconvert.sources.records import Batch, line_range, lines
from imconvert.vendors.contract import Documents, Tables

Build = Documents | Tables | None

Look = Callable[[str, bytes], bytes]


def batches(
    source: Input,
    start: int,
    stop: int,
    build: Build,
    limits: Limits,
    progress: Callable[[int], None],
    *,
    look: Look | None = None,
    compiled: bool = native.BUILT,
) -> Iterator[Batch]:
    """The records of bytes [start, stop) of `source`; stop -1 is its end. `progress` is told raw bytes read.

    `look(label, begin)` gives the head for the records of an input from how its content begins.
    `build` says how the vendor's files are built, if they are more than lines. `compiled` takes the part in C, where it
    is built.

    Raises InputError (IMC-40xx) after the records before the damage.
    """
    if stop >= 0:
        blocks, begin = line_range(Path(source.path), source.label, start, stop, source.size, progress)
        found = lines(blocks, offset=begin)
        if isinstance(build, Tables):
            yield from _part(found, start, source, build)
        else:
            head = look(source.label, read_head(Path(source.path), HEAD)) if look else b""
            yield from _with_head(found, head)
    else:
        path = None if source.path == STDIN else source.path
        blocks = open_blocks(path, source.label, member=source.member, limits=limits, progress=progress)
        if isinstance(build, Tables):
            yield from tables.rows(blocks, build)
        else:
            yield from _whole(blocks, build, source.label, look, compiled=compiled and native.BUILT)
    check_unchanged(source)


def _with_head(found: Iterator[Batch], head: bytes) -> Iterator[Batch]:
    for batch in found:
        batch.head = head
        yield batch


def _part(found: Iterator[Batch], start: int, source: Input, build: Tables) -> Iterator[Batch]:
    """Rows of a part of a table, with the header that stands at the beginning of its file."""
    first = next(lines(read_range(Path(source.path), source.label, 0, min(source.size, HEAD))), None)
    head = tables.head_of(tables.without_mark(first), build) if first else b""
    for number, batch in enumerate(found):
        batch = tables.without_mark(batch) if number == 0 and start == 0 else batch
        batch.head = head
        yield batch


def _whole(
    blocks: Iterator[bytes], documents: Documents | None, label: str, look: Look | None, *, compiled: bool
) -> Iterator[Batch]:
    """Records of a whole stream. Damage within its head is raised behind the records before it."""
    head: list[bytes] = []
    damage: list[InputError] = []
    while (documents or look) and sum(map(len, head)) < HEAD:
        try:
            head.append(next(blocks))
        except StopIteration:
            break
        except InputError as why:
            damage.append(why)
            break
    every = chain(head, _raised(damage), blocks)
    begin = b"".join(head)[:HEAD]
    if documents and documents.whole:
        found = whole.documents(every, label) if whole.is_spread(begin) else lines(every)
        return _with_head(found, look(label, begin) if look else b"")
    if not documents or not begins_with_array(begin, documents):
        return _with_head(lines(every), look(label, begin) if look else b"")
    if (documents.by_line and laid_out(begin, documents)) or (documents.one_a_line and one_a_line(begin, documents)):
        return rows(every, documents, label, compiled=compiled)
    return elements(every, documents, label, compiled=compiled)


def _raised(damage: list[InputError]) -> Iterator[bytes]:
    for why in damage:
        raise why
    yield from ()
