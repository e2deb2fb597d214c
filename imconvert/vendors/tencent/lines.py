"""What the pipeline asks of a line that `requests.py` wrote: its key, its content, another number, a tombstone."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw
from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert.model import Custom
from imconvert.vendors import requests
from imconvert.vendors.contract import KeyFields, Settings
from imconvert.vendors.tencent.element_writers import CUSTOM, custom_content
from imconvert.vendors.tencent.joining import JOIN, message_in
from imconvert.vendors.wrapping import MARK, object_of, with_note, wrapped

_decode = msgspec.json.Decoder(float_hook=lambda digits: Raw(digits.encode())).decode
_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode
_CUSTOM = f'"{CUSTOM}"'.encode()
NUMBERS = ("MsgRandom", "MsgSeq", "MsgTimeStamp")
_PAIR = b'{"api":"openim/importmsg"'
_CONV, _NAME, _TIME = b'","conv":"', b'","key":"', b'","time":'
_GROUP = re.compile(rb'"GroupId":"((?:[^"\\]|\\.)*)"')
_BETWEEN = requests.BETWEEN.encode()


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
    found["body"] = {key: value for key, value in found["body"].items() if key not in NUMBERS}
    return _encode(found)


def random_of(key: bytes) -> int:
    """MsgRandom: 32 bits of the canonical key, in which the sender is (§4.1)."""
    return int.from_bytes(key[:4], "little")


def random_in(line: bytes) -> int:
    """MsgRandom of a line, its key read from its bytes; the same as `random_of(key_of(*read_key(line)))`."""
    conv, name = line.index(_CONV) + len(_CONV), line.index(_NAME)
    talk = line[conv:name]
    name += len(_NAME)
    msgid, time, sender = line[name : line.index(_TIME, name)].split(b"/", 2)
    if line.startswith(_PAIR):
        target = b'"%b"' % _other(talk, sender)
    else:
        group = _GROUP.search(line, name)
        target = b'["%b"]' % (group[1] if group else talk)
    return random_of(xxh3_128_digest(b'[%b,"%b",%b,%b]' % (msgid, sender, target, time)))


def _other(talk: bytes, sender: bytes) -> bytes:
    """The other one of a pair; ids stand in a line as JSON has them."""
    before, behind = sender + _BETWEEN, _BETWEEN + sender
    return talk[len(before) :] if talk.startswith(before) else talk[: -len(behind)]


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
