"""Yunxin's notifications of what happened in a team, as notices (yunxin.md §3.3, §1.5).

Strategy: a table from the number of a notification to the kind of notice and to where the other people stand. What
the table can't place stays what it is: content that only a reader of Yunxin's own words understands, kept whole.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from imconvert.errors import Rejected
from imconvert.model import Custom, Message, Notes, Notice, Part
from imconvert.vendors import lenient, values
from imconvert.vendors.contract import Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.yunxin import repair
from imconvert.vendors.yunxin.records import INFO_KEYS, INFO_NUMBERS, Record

NOTIFICATION = 5
"""The message type of a notification in history answers; in copies it has a name."""

_KINDS = {
    0: "join", 1: "kick", 2: "leave", 3: "info", 4: "disband", 5: "join", 6: "transfer", 7: "appoint",
    8: "dismiss-manager", 9: "join", 10: "mute",
}  # fmt: skip
_INVITED, _MUTED, _INFO = 9, 10, 3
_ALONE = frozenset({"leave", "disband"})
_SUPER = range(401, 412)
"""Numbers of a super team's notifications; which is which the reference does not say."""

_NAME = "3"
_PROFILE = frozenset({"1", _NAME, "4", "5", "6", "8", "9", "10", "11", "12"})
"""Keys of tinfo that only copies have: the team's number, name, kind, creator, sizes and times."""

_DATA = frozenset({"ids", "id", "tinfo", "uinfos"})
_FLAGS = {"1": "mute", "0": "unmute", "true": "mute", "false": "unmute"}


class Words(NamedTuple):
    """What the settings say about notifications."""

    mute_flag: str
    keep_name: bool

    @classmethod
    def of(cls, settings: Settings) -> Words:
        return cls(settings["yunxin.mute_flag"], settings["yunxin.team_name"] == "keep")


def read_notification(record: Record, notes: Notes) -> Part:
    """A notification as it is; `placed` makes notices of it. Raises Rejected."""
    if record.data.attach is UNSET:
        raise Rejected("IMC-2101", field="attach")
    content = repair.attach_object(record.data.attach, notes)
    repair.check_depth(content)
    return Custom("notification", "yunxin", content)


def placed(message: Message, words: Words, notes: Notes) -> Message:
    """The message of a notification with a notice for each person it names, where it can be told. Raises Rejected."""
    content = message.parts[0].content  # type: ignore[union-attr]
    number, data = content.get("id"), content.get("data")
    if type(number) is str and values.digits(number):
        number = int(number)
    kind = _KINDS.get(number) if type(number) is int else None
    data = {} if data is None else data
    if message.chat != "team" or kind is None or not isinstance(data, dict):
        if kind is None and number not in _SUPER:
            notes.novel.append(("type", f"notification {str(number)[:40]}"))
        return _kept(message, notes)
    _name_unknown(data, words, notes)
    if number == _INFO:
        info = _info(data.get("tinfo"), message.target, words, notes)
        return _with(message, [Notice("info", None, info)]) if info else _kept(message, notes)
    if kind in _ALONE:
        return _with(message, [Notice(kind)])
    people = _people(data)
    if number == _MUTED:
        kind = _FLAGS.get(str(data.get(words.mute_flag)).lower(), "")
    if not people or not kind:
        return _kept(message, notes)
    if number == _INVITED:
        return msgspec.structs.replace(message, sender=people[0], parts=(Notice(kind, message.sender),))
    return _with(message, [Notice(kind, who) for who in people])


def _with(message: Message, parts: list[Notice]) -> Message:
    return msgspec.structs.replace(message, parts=tuple(parts))


def _kept(message: Message, notes: Notes) -> Message:
    notes.changes.append(("transformed", "notification to a wrapped custom message"))
    return message


def _people(data: dict[str, Any]) -> list[str]:
    """The accounts that the notification is about, each once."""
    found = data.get("ids", data.get("id"))
    listed = found if isinstance(found, list) else [] if found is None else [found]
    people = dict.fromkeys(str(who) if type(who) is int else values.text(who, "attach.data.ids") for who in listed)
    return [who for who in people if who]


def _name_unknown(data: dict[str, Any], words: Words, notes: Notes) -> None:
    notes.novel.extend(("key", f"attach.data.{key}") for key in data if key not in _DATA and key != words.mute_flag)


def _info(tinfo: Any, team: str, words: Words, notes: Notes) -> dict[str, Any]:
    """The properties that an import line can tell; the others are named as lost. Raises Rejected."""
    if isinstance(tinfo, str):
        tinfo = lenient.parse_text(tinfo, notes)
    if not isinstance(tinfo, dict):
        return {}
    if tinfo.get("1") is not None and values.whole(tinfo["1"], "tinfo.1", notes, note=None) != int(team):
        raise Rejected("IMC-2108", found=shown(tinfo["1"]), tid=team)
    known = INFO_KEYS | {_NAME} if words.keep_name else INFO_KEYS
    info = {key: value for key, value in tinfo.items() if key in known and value is not None}
    if not info:
        return {}
    for key in sorted(tinfo.keys() - known - {"1"}):
        if key not in _PROFILE:
            notes.novel.append(("key", f"attach.data.tinfo.{key}"))
        notes.changes.append(("degraded", f"tinfo {key[:40]}"))
    for key in info.keys() & set(INFO_NUMBERS):
        info[key] = values.whole(info[key], f"tinfo.{key}", notes, note=None)
    return info
