"""Hand Easemob's plain texts, the most of any history, to the target without a message between.

Strategy: one typed decoder takes a record with a single text body and nothing unusual; its few fields go straight
to the target. Whatever the decoder or a check refuses goes the long way.
Promise: gives exactly the lines that reading and writing the messages would give;
tests/vendors/test_shortcut.py compares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from imconvert.model import MAX_ID, UNKNOWN_CLIENT, depth_exceeds
from imconvert.vendors import values
from imconvert.vendors.contract import Book, Columns, Settings, Shortcut, Taken, Target, Unfit
from imconvert.vendors.lenient import compact

REMEMBERED = 4096
"""Extensions whose text is kept at hand, because apps send the same few again and again."""

REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _Body(Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["txt"]
    msg: str


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


class _Outgoing(_Record, forbid_unknown_fields=True, gc=False):
    direction: Literal["outgoing"] | UnsetType = UNSET


_decode: Callable[[bytes], Any] = msgspec.json.Decoder(_Record).decode
_decode_outgoing: Callable[[bytes], Any] = msgspec.json.Decoder(_Outgoing).decode
_decode_any = msgspec.json.Decoder().decode


def shortcut(target: Target, settings: Settings, accounts: Book, groups: Book, latest: int) -> Shortcut | None:
    """The function that writes a batch of records to a target that takes plain texts; see `contract.Shortcut`."""
    put = target.put_text
    if put is None:
        return None
    decoded = _decode if settings["easemob.incoming"] == "keep" else _decode_outgoing
    texts: dict[bytes, Any] = {b"{}": UNSET, b"null": UNSET}

    def write_through(
        records: list[bytes], streams: tuple[Columns, ...], otherwise: Callable[[int, bytes], None]
    ) -> list[Taken]:
        decode, earliest, unset = decoded, values.EARLIEST, UNSET
        person, group = accounts.get, groups.get
        index = left = -1
        for raw in records:
            index += 1
            try:
                record = decode(raw)
                payload = record.payload
                time = record.timestamp
                if not earliest <= time <= latest:
                    raise Unfit
                ext: Any = payload.ext
                if ext is not unset:
                    ext = texts.get(bytes(ext)) or _ext(texts, bytes(ext))
                sender = person(payload.from_) or accounts.learn(_bare(payload.from_))
                to = payload.to
                if record.chat_type == "chat":
                    chat, other = "p2p", person(to) or accounts.learn(_bare(to))
                else:
                    chat, other = "team", group(to) or groups.learn(_bare(to))
                msgid, text = _number(record.msg_id), payload.bodies[0].msg
                put(streams, index, chat, msgid, sender, other, time, UNKNOWN_CLIENT, ext, text)
            except _REFUSED:
                left += 1
                otherwise(index, raw)
        return [Taken("text", (), index - left, 0)]

    return Shortcut(write_through)


_REFUSED = (*REFUSED, KeyError, Unfit)


def _bare(source: str) -> str:
    """An id without an app or a resource around it. Raises Unfit."""
    if not source or "#" in source or "@" in source or "/" in source:
        raise Unfit
    return source


def _number(source_id: str) -> int:
    if source_id.isascii() and source_id.isdigit() and source_id[0] != "0":
        number = int(source_id)
        if number <= MAX_ID:
            return number
    raise Unfit


def _ext(texts: dict[bytes, str | UnsetType], raw: bytes) -> Any:
    """The text of an extension that is a plain object within the usual limit. Raises Unfit, or REFUSED."""
    known = texts.get(raw, False)
    if known is not False:
        return known
    if depth_exceeds(raw, 32):
        raise Unfit
    value = _decode_any(raw)
    if not isinstance(value, dict) or not value:
        raise Unfit
    text = compact(value)
    if len(texts) < REMEMBERED:
        texts[raw] = text
    return text
