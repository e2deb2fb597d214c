"""Tell a container or a wide encoding by the first bytes of a file.

Strategy: tables of magic numbers; names of files are never looked at.
Promise: pure functions; the same head always gives the same answer. A plain UTF-8 text of seven bytes or
more is taken for packed only if it begins with `BZh`, which no export does.
Cost: nothing worth counting.
"""

from __future__ import annotations

PACKED = {"gz": b"\x1f\x8b", "zst": b"\x28\xb5\x2f\xfd", "bz2": b"BZh", "xz": b"\xfd7zXZ\0"}
SKIPPABLE = frozenset(bytes((low,)) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
"""First bytes of the zstd frames that hold no content."""
OTHERS = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x1f\x9d", "Z(compress)"),
)
LOOKED_AT = 4096
"""Bytes that tell an encoding."""

BOMS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_FIRST_BYTES = {magic[:1] for magic in (*PACKED.values(), *SKIPPABLE, *(magic for magic, _ in OTHERS))}
ZEROS = (
    ((False, True, True, True), "UTF-32LE"),
    ((True, True, True, False), "UTF-32BE"),
    ((False, True), "UTF-16LE"),
    ((True, False), "UTF-16BE"),
)
"""Where the zero bytes of a unit are when ASCII text is written in a wide encoding."""


def container_of(head: bytes) -> str:
    """The container that begins with `head`; a whole file that is but part of a magic number counts, too."""
    if head[:1] not in _FIRST_BYTES:
        return "tar" if head[257:262] == b"ustar" else "plain"
    for kind, magic in PACKED.items():
        if head and magic.startswith(head[: len(magic)]):
            return kind
    for magic, kind in OTHERS:
        if head.startswith(magic):
            return kind
    if head[:4] in SKIPPABLE:
        return "zst"
    return "tar" if head[257:262] == b"ustar" else "plain"


def encoding_of(head: bytes) -> str | None:
    """The wide encoding that `head` is in, by its mark or because most of its first units have zeros like one."""
    head = head[:LOOKED_AT]
    for mark, name in BOMS:
        if head.startswith(mark):
            return name
    if 0 not in head[:64]:
        return None
    for zeros, name in ZEROS:
        units = [head[at : at + len(zeros)] for at in range(0, len(head), len(zeros))]
        fitting = sum(tuple(byte == 0 for byte in unit) == zeros for unit in units)
        if fitting >= 4 and fitting * 2 > len(units):
            return name
    return None
