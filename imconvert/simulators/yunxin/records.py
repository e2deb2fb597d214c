"""Judge one element of an answer as an import record (yunxin.md §1.2-1.7).

Strategy: a table says for each message type which fields `data` may have and what its payload must be; what the
vendor's page asks for is demanded, what it only shows in its samples is remarked upon when it is absent.
Promise: the canonical content of a record does not depend on the spelling of its numbers, on capitals of account ids
or on the order of keys, so that two records differ only if an importer would tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from imconvert.errors import Rejected
from imconvert.model import MAX_ID

EARLIEST = 946_684_800_000
"""2000-01-01 in milliseconds: an earlier createTime is in some other unit."""

DAY = 86_400_000
CLIENTS = frozenset({1, 2, 4, 8, 16, 32, 64})
HARMONY = 65
"""A client type that copies and REST know, but the import page does not list (§1.6)."""

BODY_LIMIT, EXT_LIMIT = 5000, 1024
ATTACH_LIMITS = (4096, 5000)
"""Characters of `attach` in copies and in recalls; what the importer allows is not documented (§7)."""

_ACCOUNT = re.compile(r"[A-Za-z0-9_@.\-]{1,32}")
_DIGITS = re.compile(r"[1-9][0-9]{0,18}")
_DEGREES = re.compile(r"-?[0-9]{1,3}(\.[0-9]+)?")
_decode = msgspec.json.Decoder().decode
_canonical = msgspec.json.Encoder(order="sorted").encode

Data = dict[str, Any]
Remarks = set[str]


class Key(NamedTuple):
    """What Yunxin knows a record by: number, sender, p2p or team, receiver or team, time (§1.7)."""

    msgid: int
    sender: str
    chat: str
    target: str
    time: int


class Judged(NamedTuple):
    """A record that can be imported: its key, the sha256 of its canonical content, and what is odd about it."""

    key: Key
    content: bytes
    remarks: frozenset[str]


def judge(raw: bytes, now: int) -> Judged:
    """Check one record at the time `now` (ms). Raises Rejected (IMC-7126) if an importer could not take it."""
    record = _object(_parsed(raw), "the element")
    _no_others("the element", record, {"type", "data"})
    kind = _KINDS.get(_number(record, "type"))
    if kind is None:
        raise _bad(f"the type {record['type']} cannot be imported")
    data = _object(record.get("data"), "data")
    remarks: Remarks = set()
    key = _envelope(data, kind, now, remarks)
    kind.payload(data, remarks)
    return Judged(key, sha256(_canonical(record)).digest(), frozenset(remarks))


def _parsed(raw: bytes) -> Any:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise _bad(f"it is not valid JSON ({why})") from why


def _bad(why: str) -> Rejected:
    return Rejected("IMC-7126", why=why)


# --- the envelope ---------------------------------------------------------------------------------------


def _envelope(data: Data, kind: _Kind, now: int, remarks: Remarks) -> Key:
    """Check what every record has, and bring it into canonical form in place."""
    team = "tid" in data
    if team and "to" in data:
        raise _bad("it names both to and tid")
    if kind.team_only and not team:
        raise _bad("a team notice needs tid")
    sender, target = ("accid", "tid") if team else ("from", "to")
    _no_others("data", data, {"msgid", "createTime", "clientType", "ext", sender, target} | kind.fields)
    _number(data, "msgid", 1, MAX_ID)
    data["createTime"] = _number(_unquoted(data, "createTime"), "createTime", EARLIEST, now + DAY)
    _client(data, remarks)
    _account(data, sender, remarks)
    if team:
        _number(data, "tid", 1, MAX_ID)
    else:
        _account(data, "to", remarks)
    if not _limited(data, "ext", EXT_LIMIT, remarks, needed=False):
        data.pop("ext", None)
    return Key(data["msgid"], data[sender], "team" if team else "p2p", str(data[target]), data["createTime"])


def _unquoted(data: Data, name: str) -> Data:
    """The field as a number where the vendor's own samples have it as a string, too (§1.2)."""
    found = data.get(name)
    return {name: int(found)} if isinstance(found, str) and _DIGITS.fullmatch(found) else data


def _client(data: Data, remarks: Remarks) -> None:
    if "clientType" not in data:
        remarks.add("no clientType")
        return
    found = data["clientType"] = _number(_unquoted(data, "clientType"), "clientType")
    if found == HARMONY:
        remarks.add("clientType 65, which the import page does not list")
    elif found not in CLIENTS:
        raise _bad(f"clientType is {found}")


def _account(data: Data, name: str, remarks: Remarks) -> None:
    found = data.get(name)
    if not isinstance(found, str) or not _ACCOUNT.fullmatch(found):
        raise _bad(f"{name} is {_shown(found)}, not 1 to 32 of a-z 0-9 _ @ . -")
    if found != found.lower():
        remarks.add("an account id with capitals")
        data[name] = found.lower()


def _number(data: Mapping[str, Any], name: str, least: int = 0, most: int = MAX_ID) -> int:
    found = data.get(name)
    if type(found) is not int or not least <= found <= most:
        raise _bad(f"{name} is {_shown(found)}, not a number from {least} to {most}")
    return found


def _text(data: Data, name: str, *, needed: bool = True) -> str:
    found = data.get(name, None if needed else "")
    if not isinstance(found, str):
        raise _bad(f"{name} is {_shown(found)}, not a text")
    return found


def _limited(data: Data, name: str, limit: int, remarks: Remarks, *, needed: bool = True) -> str:
    found = _text(data, name, needed=needed)
    if len(found) > limit:
        remarks.add(f"{name} longer than {limit:,} characters")
    return found


def _object(value: Any, name: str) -> Data:
    if not isinstance(value, dict):
        raise _bad(f"{name} is {_shown(value)}, not an object")
    return value


def _no_others(name: str, found: Mapping[str, Any], known: set[str]) -> None:
    if others := sorted(found.keys() - known):
        raise _bad(f"{name} has a field {_shown(others[0])} that is not in the format")


def _shown(value: Any) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- payloads -------------------------------------------------------------------------------------------


def _put_text(data: Data, remarks: Remarks) -> None:
    _limited(data, "body", BODY_LIMIT, remarks)


def _nothing(data: Data, remarks: Remarks) -> None:
    if data.get("ext"):
        raise _bad("a team notice has no ext")


def _other(data: Data, remarks: Remarks) -> None:
    _nothing(data, remarks)
    _account(data, "accid2", remarks)


def _custom(data: Data, remarks: Remarks) -> None:
    found = data.get("attach")
    if not isinstance(found, str | dict):
        raise _bad(f"attach is {_shown(found)}, neither an object nor a text")
    _attach_length(found if isinstance(found, str) else _canonical(found).decode(), remarks)
    if isinstance(found, str) and found[:1] == "{":
        data["attach"] = _parsed_attach(found)


def _parsed_attach(text: str) -> Data:
    try:
        return _object(_decode(text), "attach")
    except (msgspec.DecodeError, RecursionError) as why:
        raise _bad(f"attach is not valid JSON ({why})") from why


def _attach_length(text: str, remarks: Remarks) -> None:
    passed = [limit for limit in ATTACH_LIMITS if len(text) > limit]
    if passed:
        remarks.add(f"attach longer than {passed[-1]:,} characters")


def _attach(kind: str, *, texts: tuple[str, ...], numbers: tuple[str, ...]) -> Callable[[Data, Remarks], None]:
    """The check of a file's description: `url` has to be there; the rest may be absent, which is remarked upon."""

    def check(data: Data, remarks: Remarks) -> None:
        _attach_length(_text(data, "attach"), remarks)
        attach = data["attach"] = _parsed_attach(data["attach"])
        if not _text(attach, "url"):
            raise _bad("attach.url is empty")
        for name in ("name", "md5", *texts):
            _text(attach, name, needed=False)
        for name in numbers:
            if name in attach:
                _number(attach, name)
        remarks.update(f"{kind} without {name}" for name in (*texts, *numbers) if name not in attach)

    return check


def _place(data: Data, remarks: Remarks) -> None:
    _attach_length(_text(data, "attach"), remarks)
    attach = data["attach"] = _parsed_attach(data["attach"])
    _text(attach, "title")
    for name, most in (("lng", 180), ("lat", 90)):
        attach[name] = found = str(attach.get(name))
        if not _DEGREES.fullmatch(found) or abs(float(found)) > most:
            raise _bad(f"attach.{name} is {_shown(found)}, not degrees up to {most}")


_INFO_NAME = "3"
"""The team's name, which copies number so; whether the importer takes it is not documented (§1.5)."""

_INFO_TEXTS = (_INFO_NAME, "14", "15", "18", "19", "20")
_INFO_NUMBERS = {"16": 2, "17": 1, "21": 1, "22": 1, "23": 1, "24": 1}
"""The numbered properties of a team and the greatest value of those that are numbers (§1.5)."""


def _info(data: Data, remarks: Remarks) -> None:
    _nothing(data, remarks)
    info = _object(data.get("tinfo"), "tinfo")
    if info.get("tid") != data["tid"]:
        raise _bad(f"tinfo.tid is {_shown(info.get('tid'))}, tid is {data['tid']}")
    if len(info) < 2:
        raise _bad("tinfo says nothing but tid")
    _no_others("tinfo", info, {"tid", *_INFO_TEXTS, *_INFO_NUMBERS})
    if _INFO_NAME in info:
        remarks.add("tinfo 3, which the import page does not list")
    for name in info.keys() & set(_INFO_TEXTS):
        _text(info, name)
    for name in info.keys() & _INFO_NUMBERS.keys():
        value = 0 if info[name] == "0" else _unquoted(info, name)[name]
        info[name] = _number({name: value}, name, 0, _INFO_NUMBERS[name])


class _Kind(NamedTuple):
    """One message type: the fields of `data` beside the envelope, and the check of them."""

    fields: frozenset[str]
    payload: Callable[[Data, Remarks], None]
    team_only: bool = False


def _with_attach(payload: Callable[[Data, Remarks], None]) -> _Kind:
    return _Kind(frozenset({"attach"}), payload)


_PICTURE = _attach("picture", texts=("ext",), numbers=("w", "h", "size"))
_AUDIO = _attach("audio", texts=("ext",), numbers=("dur", "size"))
_VIDEO = _attach("video", texts=("ext",), numbers=("dur", "w", "h", "size"))
_FILE = _attach("file", texts=("ext",), numbers=("size",))
_WITH_OTHER = _Kind(frozenset({"accid2"}), _other, team_only=True)
_ALONE = _Kind(frozenset(), _nothing, team_only=True)

_KINDS: dict[int, _Kind] = {
    0: _Kind(frozenset({"body"}), _put_text),
    1: _with_attach(_PICTURE), 2: _with_attach(_AUDIO), 3: _with_attach(_VIDEO), 6: _with_attach(_FILE),
    4: _with_attach(_place), 100: _with_attach(_custom),
    **dict.fromkeys((101, 102, 103, 104, 105, 106, 108), _WITH_OTHER),
    107: _Kind(frozenset({"tinfo"}), _info, team_only=True),
    109: _ALONE, 110: _ALONE,
}  # fmt: skip
"""The message types that the import page lists (§1.3)."""
