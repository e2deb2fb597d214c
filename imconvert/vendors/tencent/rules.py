"""What Tencent demands of ids (tencent.md §2): printable ASCII, counted in bytes, compared exactly."""

from __future__ import annotations

import re

from imconvert.errors import Rejected

PRINTABLE, LONGEST = bytes(range(0x20, 0x7F)), 32
_ACCOUNT = re.compile(r"[\x20-\x7e]{1,32}")
_GROUP = re.compile(r"[\x20-\x7e]{1,48}")
ACCOUNT_RULE = "1 to 32 bytes of printable ASCII"
GROUP_RULE = "1 to 48 bytes of printable ASCII, not beginning with @TGS# unless it is a community's @TGS#_"
OWN = "@TGS#"
"""How group ids begin that the vendor itself gives; only a community's, which begins with COMMUNITY, may be chosen."""
COMMUNITY = "@TGS#_"


def account(source: str) -> str:
    """The account id. Raises Rejected (IMC-2201) where it can't be one."""
    if _ACCOUNT.fullmatch(source):
        return source
    raise Rejected("IMC-2201", account=repr(source), rule=ACCOUNT_RULE)


def group(source: str) -> str:
    """The group id. Raises Rejected (IMC-2551) where it can't be one."""
    if _GROUP.fullmatch(source) and (not source.startswith(OWN) or source.startswith(COMMUNITY)):
        return source
    raise Rejected("IMC-2551", group=repr(source), rule=GROUP_RULE)
