"""Ids that a target gives out itself: whatever the source calls them will do as their name until then."""

from __future__ import annotations

import re

from imconvert.errors import Rejected

MOST = 256
_ID = re.compile(rf"[\x20-\x7e]{{1,{MOST}}}")
RULE = f"1 to {MOST} bytes of printable ASCII"


def any_id(source: str) -> str:
    """The id itself. Raises Rejected (IMC-2603) where it is empty, too long or not ASCII."""
    if _ID.fullmatch(source):
        return source
    raise Rejected("IMC-2603", group=repr(source), rule=RULE)
