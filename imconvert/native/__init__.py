"""The compiled part: the inner loop of mapping, in C, where the machine that installed this could build it.

Promise: it is a faster way to the same bytes and nothing else; without it, `vendors/*/shortcut.py` does the work.
Its layers: `scan.c` reads tokens, `shape.c` finds the fields of a record, `ids.c` looks its ids up, `form.c` writes
a line, `hashes.c` and `sorted.c` take its hashes, `columns.c` gathers lines, `rows.c` makes rows of them; `through.c`
joins them for a batch. What they may be asked for is told in `vendors/shapes.py`. `cut.c` cuts records out of
documents, for `sources`; `lines.c` counts lines and brings them into an order, and `bundle.c` makes one of several, for
`convert`; `memory.c` is for its workers.
"""

from __future__ import annotations

try:
    from imconvert.native.through import (
        Columns,
        Through,
        bundled,
        cut_elements,
        cut_rows,
        cut_table,
        edges,
        ends,
        follow,
        joined,
        keep_memory,
        keyed,
        keys,
        mixed,
        rows,
    )
except ImportError:
    BUILT = False
else:
    BUILT = True

__all__ = [
    "BUILT",
    "Columns",
    "Through",
    "bundled",
    "cut_elements",
    "cut_rows",
    "cut_table",
    "edges",
    "ends",
    "follow",
    "joined",
    "keep_memory",
    "keyed",
    "keys",
    "mixed",
    "rows",
]
