"""What RongCloud demands of ids (rongcloud.md §4.2): up to 64 bytes; users' of letters, digits and + = - _."""

from __future__ import annotations

import re

from imconvert.errors import Rejected

_ACCOUNT = re.compile(r"[A-Za-z0-9+=\-_]{1,64}")
_GROUP = re.compile(r"[\x21-\x7e]{1,64}")
ACCOUNT_RULE = "1 to 64 of A-Z a-z 0-9 + = - _"
GROUP_RULE = "1 to 64 bytes of printable ASCII without blanks"


def account(source: str) -> str:
    """The account id. Raises Rejected (IMC-2201) where it can't be one."""
    if _ACCOUNT.fullmatch(source):
        return source
    raise Rejected("IMC-2201", account=repr(source), rule=ACCOUNT_RULE)


def group(source: str) -> str:
    """The group id. Raises Rejected (IMC-2551) where it can't be one."""
    if _GROUP.fullmatch(source):
        return source
    raise Rejected("IMC-2551", group=repr(source), rule=GROUP_RULE)
