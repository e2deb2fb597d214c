"""What the pipeline asks of a line that `requests.py` wrote: its key, its content, another number, a tombstone."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from xxhash import xxh3_64_digest

from imconvert.model import Custom, key_of
from imconvert.vendors import requests
from imconvert.vendors.contract import KeyFields, Settings
from imconvert.vendors.tencent.element_writers import CUSTOM, custom_content
from imconvert.vendors.tencent.joining import message_in
from imconvert.vendors.tencent.keys import U32
from imconvert.vendors.wrapping import MARK, object_of, with_note, wrapped

_decode = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode
_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode
_CUSTOM = f'"{CUSTOM}"'.encode()
SEQ_STEP = 1_000_000
"""MsgSeq counts milliseconds in steps of so many, so that there is room for those of the same one."""


def read_key(line: bytes) -> KeyFields:
    """The key fields of a line."""
    return _key(_decode(line))


def _key(found: dict[str, Any]) -> KeyFields:
    msgid, time, sender = found["key"].split("/", 2)
    body = found["body"]
    target = (body["GroupId"],) if "GroupId" in body else body["To_Account"]
    return KeyFields(int(msgid), sender, target, int(time))


def digest_of(line: bytes) -> bytes:
    """xxh3-64 of the canonical content of a line; in custom data that is JSON the order of keys does not count."""
    if _CUSTOM not in line:
        return xxh3_64_digest(line)
    found = _decode(line)
    for element in message_in(found["body"])["MsgBody"]:
        if element["MsgType"] == CUSTOM:
            element["MsgContent"] = _opened(element["MsgContent"])
    return xxh3_64_digest(_sorted(found))


def _opened(content: Any) -> Any:
    try:
        return {**content, "Data": _decode(content["Data"])}
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError):
        return content


def with_msgid(line: bytes, msgid: int) -> bytes:
    """The line with another message number; numbers that a message had at Tencent were another message's."""
    found = _decode(line)
    fields = _key(found)
    found["key"] = requests.key(msgid, fields.time, fields.sender)
    key = key_of(*fields._replace(msgid=msgid))
    message = message_in(found["body"])
    numbers = derived_numbers(key, fields.time) if message is found["body"] else item_numbers(key, fields.time)
    kept = {name: value for name, value in message.items() if name not in numbers}
    message.clear()
    message.update({**numbers, **kept})
    return _encode(found)


def derived_numbers(key: bytes, time: int) -> dict[str, int]:
    """What a message between two people is known by at Tencent (§4.1)."""
    return {"MsgSeq": seq_of(time), "MsgRandom": random_of(key), "MsgTimeStamp": time // 1000}


def item_numbers(key: bytes, time: int) -> dict[str, int]:
    """The same for a message in a group (§5.4)."""
    return {"Random": random_of(key), "SendTime": time // 1000}


def seq_of(time: int, ordinal: int = 0) -> int:
    """MsgSeq of a message that so many of the same millisecond went before (§4.1)."""
    return min(time % 1000 * SEQ_STEP + ordinal, U32)


def random_of(key: bytes) -> int:
    """32 bits of the canonical key, in which the sender is (§4.1)."""
    return int.from_bytes(key[:4], "little")


def tombstone(line: bytes, source: str, settings: Settings) -> bytes:
    """The line of a recalled message: who, where and when, but of its content only the type of its first element."""
    found = _decode(line)
    found.pop("upload", None)
    message = message_in(found["body"])
    content = wrapped(Custom("recalled", source, {"type": message["MsgBody"][0]["MsgType"]}))
    message["MsgBody"] = [{"MsgType": CUSTOM, "MsgContent": custom_content(content)}]
    note = object_of(message.pop("CloudCustomData", None)).get(MARK)
    if isinstance(note, dict) and (origin := {key: note[key] for key in ("id", "ms") if key in note}):
        message["CloudCustomData"] = with_note(None, origin)
    return _encode(found)
