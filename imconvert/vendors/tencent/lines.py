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
from imconvert.vendors.tencent.joining import JOIN, message_in
from imconvert.vendors.wrapping import MARK, object_of, with_note, wrapped

_decode = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode
_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode
_CUSTOM = f'"{CUSTOM}"'.encode()


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
    """The line with another message number: its key changes, and MsgRandom with it."""
    found = _decode(line)
    fields = _key(found)._replace(msgid=msgid)
    found["key"] = requests.key(msgid, fields.time, fields.sender)
    message = message_in(found["body"])
    message["MsgRandom" if message is found["body"] else "Random"] = random_of(key_of(*fields))
    return _encode(found)


def random_of(key: bytes) -> int:
    """MsgRandom: 32 bits of the canonical key, in which the sender is (§4.1)."""
    return int.from_bytes(key[:4], "little")


def tombstone(line: bytes, source: str, settings: Settings) -> bytes:
    """The line of a recalled message: who, where and when, but of its content only the type of its first element."""
    found = _decode(line)
    found.pop("upload", None)
    found["body"].pop(JOIN, None)
    message = message_in(found["body"])
    content = wrapped(Custom("recalled", source, {"type": message["MsgBody"][0]["MsgType"]}))
    message["MsgBody"] = [{"MsgType": CUSTOM, "MsgContent": custom_content(content)}]
    note = object_of(message.pop("CloudCustomData", None)).get(MARK)
    if isinstance(note, dict) and (origin := {key: note[key] for key in ("id", "ms") if key in note}):
        message["CloudCustomData"] = with_note(None, origin)
    return _encode(found)
