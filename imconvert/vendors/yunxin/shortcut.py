"""Write a Yunxin line through that needs no repair: one decoding, a few checks, one encoding, no message between.

Promise: gives exactly the line that reading and writing the message would give, or None, which leaves the record to
them. tests/test_shortcut.py compares the two on every kind of record.
Cost: this is the hottest code of the converter, so it is one function, and every step in it was measured.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert.model import depth_exceeds
from imconvert.vendors import values
from imconvert.vendors.contract import Book, Line, Settings, Shortcut
from imconvert.vendors.yunxin.records import (
    CLIENT_NUMBERS,
    CUSTOM,
    MEDIA,
    REFUSED,
    decode_attach,
    decode_record,
    encode,
    encode_sorted,
)
from imconvert.vendors.yunxin.rules import ATTACH_USUAL, BODY_LIMIT, EXT_LIMIT

_FILE = 6


def shortcut(  # noqa: C901 - one function on purpose, see Cost
    settings: Settings, accounts: Book, groups: Book, latest: int
) -> Shortcut:
    """The function that gives the label and the line of a record that can be written through, or None.

    It raises Rejected for ids that can't be used, as the writer does.
    """
    earliest, client_of = values.EARLIEST, CLIENT_NUMBERS.get
    custom = CUSTOM if settings["yunxin.custom_attach"] == "object" else -1

    def write_through(raw: bytes) -> tuple[str, Line] | None:  # noqa: C901
        try:
            record = decode_record(raw)
        except REFUSED:
            return None
        data: Any = record.data
        kind = record.type
        if kind == 0:
            if data.body is UNSET or data.attach is not UNSET or len(data.body) > BODY_LIMIT:
                return None
            label = "text"
        elif kind in MEDIA:
            attach = _canonical(data.attach, kind)
            if attach is None or data.body is not UNSET:
                return None
            data.attach = attach
            label = MEDIA[kind]
        elif kind == custom and data.attach.__class__ is dict and data.body is UNSET:
            if len(raw) > ATTACH_USUAL or depth_exceeds(raw):
                return None
            label = "custom"
        else:
            return None
        client = client_of(data.clientType)
        time = data.createTime
        if time.__class__ is str:
            time = int(time) if values.digits(time) else 0
        if client is None or not earliest <= time <= latest:
            return None
        data.createTime = time
        data.clientType = client
        ext = data.ext
        if not ext:
            data.ext = UNSET
        elif len(ext) > EXT_LIMIT:
            return None
        if data.accid2 is not UNSET or data.tinfo is not UNSET:
            return None
        tid = data.tid
        if tid is UNSET:
            if data.accid is not UNSET or data.from_ is UNSET or data.to is UNSET:
                return None
            stream = "p2p"
            data.from_ = sender = accounts[data.from_]
            data.to = target = accounts[data.to]
        else:
            if data.accid is UNSET or data.from_ is not UNSET or data.to is not UNSET:
                return None
            stream = "team"
            data.accid = sender = accounts[data.accid]
            data.tid = target = groups[str(tid)]
        msgid = data.msgid
        line = encode(record) + b"\n"
        digest = xxh3_64_digest(line if kind < CUSTOM else encode_sorted(record))
        return label, (stream, xxh3_128_digest(encode((msgid, sender, target, time))), line, digest, msgid, time)

    return write_through


def _canonical(attach: Any, kind: int) -> str | None:
    """The description of a file in canonical form, or None where something has to be repaired."""
    try:
        found = decode_attach(attach)
    except (*REFUSED, TypeError):
        return None
    url, suffix = found.url, found.ext
    if not url or not suffix or url != url.strip() or suffix != suffix.strip() or (kind == _FILE and not found.name):
        return None
    text = encode(found).decode()
    return text if len(text) <= ATTACH_USUAL else None
