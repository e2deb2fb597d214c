"""Turn Easemob's plain texts, the most of any history, into Yunxin lines without a message between.

Strategy: one typed decoder takes a record with a single text body and nothing unusual; its few fields go straight
into the target's record. Whatever the decoder or a check refuses goes the long way.
Promise: gives exactly the lines that reading and writing the messages would give; tests/test_shortcut.py compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field
from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert.model import MAX_ID, UNKNOWN_CLIENT, depth_exceeds
from imconvert.vendors import values
from imconvert.vendors.contract import Book, Columns, Settings, Shortcut
from imconvert.vendors.lenient import compact
from imconvert.vendors.yunxin.records import REFUSED, Data, Record, encode
from imconvert.vendors.yunxin.rules import BODY_LIMIT, EXT_LIMIT

REMEMBERED = 4096
"""Extensions whose text is kept at hand, because apps send the same few again and again."""


class _Body(Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["txt"]
    msg: Annotated[str, Meta(max_length=BODY_LIMIT)]


class _Payload(Struct, forbid_unknown_fields=True, gc=False):
    bodies: Annotated[list[_Body], Meta(min_length=1, max_length=1)]
    from_: str = field(name="from")
    to: str
    ext: Raw | UnsetType = UNSET


class _Record(Struct, forbid_unknown_fields=True, gc=False):
    msg_id: Annotated[str, Meta(min_length=1, max_length=19)]
    timestamp: int
    chat_type: Literal["chat", "groupchat"]
    payload: _Payload
    direction: str | UnsetType = UNSET
    from_: str | UnsetType = field(name="from", default=UNSET)
    to: str | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Record).decode
_decode_any = msgspec.json.Decoder().decode


def shortcut(settings: Settings, accounts: Book, groups: Book, latest: int) -> Shortcut:
    """The function that writes a batch of records; see `contract.Shortcut`."""
    texts: dict[bytes, str | UnsetType] = {b"{}": UNSET, b"null": UNSET}

    def write_through(
        records: Sequence[bytes], streams: Sequence[Columns], otherwise: Callable[[int, bytes], None]
    ) -> dict[str, int]:
        p2p, team = streams
        decode, encoded, digest, hashed = _decode, encode, xxh3_64_digest, xxh3_128_digest
        earliest, unset = values.EARLIEST, UNSET
        person, group = accounts.get, groups.get
        target: Any
        index = left = -1
        for raw in records:
            index += 1
            try:
                record = decode(raw)
                payload = record.payload
                time = record.timestamp
                msgid = _number(record.msg_id)
                if not earliest <= time <= latest:
                    raise _Unfit
                ext: Any = payload.ext
                if ext is not unset:
                    ext = texts.get(bytes(ext)) or _ext(texts, bytes(ext))
                sender = person(payload.from_) or accounts.learn(_bare(payload.from_))
                body = payload.bodies[0].msg
                if record.chat_type == "chat":
                    columns = p2p
                    target = person(payload.to) or accounts.learn(_bare(payload.to))
                    data = Data(
                        msgid=msgid, from_=sender, to=target, createTime=time, clientType=UNKNOWN_CLIENT,
                        ext=ext, body=body,
                    )  # fmt: skip
                else:
                    columns = team
                    target = group(payload.to) or groups.learn(_bare(payload.to))
                    data = Data(
                        msgid=msgid, accid=sender, tid=target, createTime=time, clientType=UNKNOWN_CLIENT,
                        ext=ext, body=body,
                    )  # fmt: skip
            except _REFUSED:
                left += 1
                otherwise(index, raw)
                continue
            line = encoded(Record(0, data))
            columns.lines.append(line)
            columns.keys.append(hashed(encoded((msgid, sender, target, time))))
            columns.digests.append(digest(line))
            columns.msgids.append(msgid)
            columns.times.append(time)
            columns.sources.append(index)
        return {"text": index - left}

    return write_through


class _Unfit(Exception):
    """The record has to go the long way."""


_REFUSED = (*REFUSED, KeyError, _Unfit)


def _bare(source: str) -> str:
    """An id without an app or a resource around it. Raises _Unfit."""
    if not source or "#" in source or "@" in source or "/" in source:
        raise _Unfit
    return source


def _number(source_id: str) -> int:
    if source_id.isascii() and source_id.isdigit() and source_id[0] != "0":
        number = int(source_id)
        if number <= MAX_ID:
            return number
    raise _Unfit


def _ext(texts: dict[bytes, str | UnsetType], raw: bytes) -> Any:
    """The text of an extension that is a plain object within the usual limit. Raises _Unfit, or REFUSED."""
    known = texts.get(raw, False)
    if known is not False:
        return known
    if depth_exceeds(raw, 32):
        raise _Unfit
    value = _decode_any(raw)
    text = compact(value) if isinstance(value, dict) and value else ""
    if not text or len(text) > EXT_LIMIT:
        raise _Unfit
    if len(texts) < REMEMBERED:
        texts[raw] = text
    return text
