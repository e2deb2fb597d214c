"""What Tencent's error codes mean for a call (tencent.md §9, with the remarks of §3 to §5)."""

from __future__ import annotations

from imconvert.vendors.calls import Kind

_CODES = {
    Kind.THROTTLE: (60007, 60011, 60018, 60019, 10006, 10023, 10049),
    Kind.UNCLEAR: (
        60008, 60013, 60014, 70169, 70202, 70500, 40006, 30006, 30007, 30008, 20004, 20005, 10002, 80003, 90992,
        90994, 90995, 91000, 50004, 50005, 1003, 10021,
    ),
    Kind.REAUTH: (60004, 60005, 70001, 70002, 70003, 70005, 70009, 70013, 70014, 70050, 20002),
    Kind.STOP: (
        60002, 60006, 60009, 60010, 60012, 60016, 60017, 60020, 60021, 70016, 70020, 70398, 70403, 40004, 30002, 30004,
        90009, 90030, 10003, 10026, 10036, 10037, 10038, 10058, 1001, 1002,
    ),
    Kind.DEPENDENCY: (70107, 40003, 30003, 20003, 90003, 90008, 90012, 90048, 10010, 10015, 10019, 50001),
    Kind.DONE: (10013, 10025),
    Kind.SPLIT: (10005, 70206, 90011, 90018, 10018, 10054),
}  # fmt: skip
"""Codes of the class RETRY stand under UNCLEAR: a time-out inside of the service may have let the call in. What is
named nowhere is an item that can't go in. 10021 says that the group's id is taken, by ours or by another's: whose it is
has to be asked (§5.2)."""

KINDS: dict[int, Kind] = {code: kind for kind, codes in _CODES.items() for code in codes}

BLOCKS = {70050: 60.0}
"""Seconds to wait before the next call, by code (§9: too many wrong UserSigs)."""


def kind_of(code: int) -> Kind:
    """The class of an error code."""
    return KINDS.get(code, Kind.ITEM)
