"""Write Yunxin lines through that need no repair: one decoding, few checks, one encoding, no message between.

Strategy: one typed decoder takes texts and files whose fields are already canonical; the same record, its ids looked
up, is encoded again. Whatever the decoder or a check refuses goes the long way.
Promise: gives exactly the lines that reading and writing the messages would give;
tests/vendors/test_shortcut.py compares the two on every kind of record.
Cost: this is the hottest loop of the converter; every step in it was measured (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field
from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert.model import MAX_ID, depth_exceeds
from imconvert.vendors import values
from imconvert.vendors.contract import Book, Columns, Settings, Shortcut, Taken, Target, Unfit
from imconvert.vendors.yunxin.records import (
    CLIENT_NUMBERS,
    CUSTOM,
    MEDIA,
    REFUSED,
    decode_attach,
    encode,
    encode_sorted,
)
from imconvert.vendors.yunxin.rules import ATTACH_USUAL, BODY_LIMIT, EXT_LIMIT

_Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
_Text = str | UnsetType
_NUMBERS = Literal[0, 1, 2, 3, 6, 100]


class _Data(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False):
    """What a text or a file has, in the order in which it is written; an empty ext is not written."""

    msgid: _Id
    from_: _Text = field(default=UNSET, name="from")
    to: _Text = UNSET
    accid: _Text = UNSET
    tid: _Id | UnsetType = UNSET
    createTime: int | str
    clientType: int | str
    ext: Annotated[str, Meta(max_length=EXT_LIMIT)] = ""
    body: Annotated[str, Meta(max_length=BODY_LIMIT)] | UnsetType = UNSET
    attach: str | dict[str, Any] | UnsetType = UNSET


class _Record(Struct, forbid_unknown_fields=True, gc=False):
    type: _NUMBERS
    data: _Data


_decode = msgspec.json.Decoder(_Record).decode
_FILE = 6
_LABELS = {**MEDIA, CUSTOM: "custom"}


def shortcut(  # noqa: C901
    target: Target, settings: Settings, accounts: Book, groups: Book, latest: int
) -> Shortcut | None:
    """The function that writes a batch of records to Yunxin; see `contract.Shortcut`."""
    if target.name != "yunxin":
        return None
    custom = CUSTOM if settings["yunxin.custom_attach"] == "object" else -1
    limit = min(ATTACH_USUAL, int(settings["yunxin.attach_limit"]))

    def write_through(  # noqa: C901 - one loop on purpose, see Cost
        records: list[bytes], streams: tuple[Columns, ...], otherwise: Callable[[int, bytes], None]
    ) -> list[Taken]:
        p2p, team = streams
        counts = dict.fromkeys(("text", *_LABELS.values()), 0)
        decode, encoded, digest, hashed = _decode, encode, xxh3_64_digest, xxh3_128_digest
        client_of, earliest, unset = CLIENT_NUMBERS, values.EARLIEST, UNSET
        person, group = accounts.get, groups.get
        data: Any
        other: Any
        index = left = -1
        for raw in records:
            index += 1
            try:
                record = decode(raw)
                data = record.data
                kind = record.type
                if kind == custom:
                    _check_custom(raw, data, limit)
                elif kind:
                    data.attach = _canonical(data, kind, limit)
                elif data.body is unset or data.attach is not unset:
                    raise Unfit
                time = data.createTime
                if time.__class__ is str:
                    data.createTime = time = _digits(time)
                if not earliest <= time <= latest:
                    raise Unfit
                client = data.clientType
                data.clientType = client_of[client]
                tid = data.tid
                if tid is unset:
                    if data.accid is not unset:
                        raise Unfit
                    columns = p2p
                    data.from_ = sender = person(data.from_) or accounts.learn(data.from_)
                    data.to = other = person(data.to) or accounts.learn(data.to)
                else:
                    if data.from_ is not unset or data.to is not unset:
                        raise Unfit
                    columns = team
                    data.accid = sender = person(data.accid) or accounts.learn(data.accid)
                    source = str(tid)
                    data.tid = other = group(source) or groups.learn(source)
            except _REFUSED:
                left += 1
                otherwise(index, raw)
                continue
            line = encoded(record)
            msgid = data.msgid
            columns.lines.append(line)
            columns.keys.append(hashed(encoded((msgid, sender, other, time))))
            columns.digests.append(digest(line if kind < CUSTOM else encode_sorted(record)))
            columns.msgids.append(msgid)
            columns.times.append(time)
            columns.sources.append(index)
            if kind:
                counts[_LABELS[kind]] += 1
        counts["text"] = index - left - sum(counts.values())
        return [Taken(label, (), count, 0) for label, count in counts.items()]

    return Shortcut(write_through)


_REFUSED = (*REFUSED, KeyError, TypeError, Unfit)


def _digits(time: str) -> int:
    if not values.digits(time):
        raise Unfit
    return int(time)


def _check_custom(raw: bytes, data: _Data, limit: int) -> None:
    """Raise Unfit unless this is an object of the app's own within all limits."""
    if data.attach.__class__ is not dict or data.body is not UNSET or depth_exceeds(raw):
        raise Unfit
    if len(encode(data.attach)) > limit:
        raise Unfit


def _canonical(data: _Data, kind: int, limit: int) -> str:
    """The description of a file in canonical form. Raises Unfit where something has to be repaired."""
    if data.body is not UNSET or kind == CUSTOM:
        raise Unfit
    found = decode_attach(data.attach)  # type: ignore[arg-type]
    url, suffix = found.url, found.ext
    if not url or not suffix or url != url.strip() or suffix != suffix.strip() or (kind == _FILE and not found.name):
        raise Unfit
    text = encode(found).decode()
    if len(text) > limit:
        raise Unfit
    return text
