"""Say how lines of a conversation become one request of several, as marks that the compiled part follows.

Promise: only lines with which nothing else is to be done are bundled so, and as the target's finisher would;
tests/convert/test_bundles.py compares the two. A conversation with any other line is left to the finisher.
"""

from __future__ import annotations

from typing import NamedTuple


class Bundle(NamedTuple):
    """Where in a line stands what; each mark is found first behind the one before it.

    `most` lines at most become one, if what stands between `common` and `items` is the same. The first one's key, which
    `named` follows, gets "+N" for N further lines. Behind `items` comes the item of a line, up to its `end`. An item
    begins with `number` and a number of 32 bits that no other of the conversation has. Lines with `head_without` before
    `common`, or `without` anywhere, are left.
    """

    most: int
    named: bytes
    common: bytes
    items: bytes
    number: bytes
    end: bytes
    head_without: bytes
    without: bytes
