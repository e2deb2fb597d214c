"""The sound of a `RC:VcMsg`, which stands in the record as base64 (rongcloud.md §3).

Strategy: base64 is decoded strictly but for blanks, a missing end and the URL alphabet, which clients differ in; what
the sound is in is told by its first bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from imconvert.errors import Rejected
from imconvert.vendors.lenient import shown

USUAL = "amr"
"""What the documents say that the sound is."""

_MAGIC = (
    (b"#!AMR", "amr"), (b"RIFF", "wav"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"\xff\xf1", "aac"),
    (b"\xff\xf9", "aac"), (b"OggS", "ogg"),
)  # fmt: skip
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BLANKS = b" \t\r\n"


def decoded(content: Any) -> bytes:
    """The bytes in base64 text. Raises Rejected (IMC-2101, IMC-2422)."""
    if content is None or content == "":
        raise Rejected("IMC-2101", field="content.content")
    if not isinstance(content, str) or not content.isascii():
        raise Rejected("IMC-2422", found=shown(content))
    data = content.encode("ascii").translate(_URL_SAFE, _BLANKS).rstrip(b"=")
    try:
        found = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("IMC-2422", found=shown(content)) from None
    if not found:
        raise Rejected("IMC-2422", found=shown(content))
    return found


def suffix_of(sound: bytes) -> str | None:
    """The extension for a sound by its first bytes, or None where they say nothing."""
    return next((suffix for magic, suffix in _MAGIC if sound.startswith(magic)), None)


def md5_of(sound: bytes) -> str:
    """The check sum by which clients know a file."""
    return hashlib.md5(sound, usedforsecurity=False).hexdigest()
