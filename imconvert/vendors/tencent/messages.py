"""Read Tencent's history files, answers of its history queries, and recorded callbacks as messages.

References: tencent.md §4.4, §5.9, §7.2 and §8 for the shapes, §7.3 for the keys, §11 for the mapping.
Order: times are whole seconds, and inside of a second MsgSeq decides. A target that sorts by milliseconds gets some
made of MsgSeq, by the record alone, so that a message has the same time wherever and however often it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from imconvert.errors import Rejected
from imconvert.model import CLIENTS, MAX_DEPTH, MAX_ID, UNKNOWN_CLIENT, Message, Notes, Skip, depth_exceeds
from imconvert.vendors import values
from imconvert.vendors.contract import Read, Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.tencent import callbacks, keys
from imconvert.vendors.tencent.elements import read_element
from imconvert.vendors.tencent.heads import Head, read_head
from imconvert.vendors.tencent.records import MESSAGES, Found, Record
from imconvert.vendors.tencent.records import read as read_record

RECALLED = 8
PLACE, RECALLED_PLACE = 1, 2
"""MsgFlagBits of a recalled message; IsPlaceMsg of one that is gone, and of one that was recalled (§4.4, §5.9)."""

LIVE_ROOM = "AVChatRoom"
PLATFORMS: Mapping[str, int] = {
    "android": CLIENTS["android"], "ios": CLIENTS["ios"], "ipad": CLIENTS["ios"], "windows": CLIENTS["pc"],
    "web": CLIENTS["web"], "mac": CLIENTS["mac"], "macos": CLIENTS["mac"], "restapi": CLIENTS["server"],
    "unknown": UNKNOWN_CLIENT,
}  # fmt: skip
_TIMES = ("MsgTimestamp", "MsgTimeStamp", "MsgTime")


def looks_like(value: dict[str, Any]) -> bool:
    """A message or a callback, or a document of messages on one line."""
    if isinstance(value.get("MsgList"), list) or isinstance(value.get("RspMsgList"), list):
        return True
    if isinstance(value.get("CallbackCommand"), str):
        return True
    return "MsgBody" in value and "From_Account" in value and any(name in value for name in _TIMES)


def reader(settings: Settings, notes: Notes, latest: int) -> Read:
    """The function that reads one record. It raises Rejected with codes of the 2xxx family."""
    return _Reader(settings, notes, latest, Head()).read


def document_reader(settings: Settings, notes: Notes, latest: int, head: bytes) -> Read:
    """The same for the records of a document that begins with `head`."""
    return _Reader(settings, notes, latest, read_head(head)).read


def _counted(seq: int) -> int:
    """The place in a second of a counter's value: right but where the second holds a multiple of 1000 (§11)."""
    return seq % 1000


def _imported(seq: int) -> int:
    """The milliseconds that MsgSeq of an imported message begins with (§4.1); any other is a counter's value."""
    return seq // 1_000_000 if seq < 1_000_000_000 else _counted(seq)


_ORDERS: Mapping[str, Callable[[int], int]] = {"counter": _counted, "imported": _imported, "none": lambda seq: 0}


class _Reader:
    def __init__(self, settings: Settings, notes: Notes, latest: int, head: Head) -> None:
        self.notes = notes
        self.latest = latest
        self.head = head
        self.within = _ORDERS[settings["tencent.order"]]
        self.recalled = settings["tencent.recalled"]
        self.topics_apart = settings["tencent.topics"] == "topic"

    def read(self, raw: bytes) -> Message | Skip:
        if depth_exceeds(raw):
            raise Rejected("IMC-2004", limit=MAX_DEPTH)
        found = read_record(raw, self.notes)
        if not isinstance(found, Found):
            return callbacks.left_out(found, self.notes)
        record = found.record
        return self._left_out(record) or self._message(record, found.unknown)

    def _left_out(self, record: Record) -> Skip | None:
        """What is recorded, but is no message of the history (§4.4, §5.1, §5.9, §8)."""
        if record.command and record.command not in MESSAGES:
            return callbacks.left_out({"CallbackCommand": record.command, "GroupId": record.group,
                                       "From_Account": record.sender, "To_Account": record.receiver,
                                       "MsgKey": record.key}, self.notes)  # fmt: skip
        if record.group_type == LIVE_ROOM:
            return Skip("IMC-8103", {})
        if record.result:
            return Skip("IMC-8113", {"result": record.result})
        if record.online_only == 1:
            return Skip("IMC-8112", {})
        if record.place == PLACE:
            return Skip("IMC-8111", {})
        if _was_recalled(record) and (self.recalled == "drop" or not record.body):
            return Skip("IMC-8114", {})
        return None

    def _message(self, record: Record, unknown: dict[str, Any]) -> Message:
        _check_number("MsgSeq", record.seq)
        group = record.group or (None if record.receiver else self.head.group)
        second, milliseconds = self._time(record)
        if not record.sender:
            raise Rejected("IMC-2101", field="From_Account")
        if record.receiver and record.group:
            raise Rejected("IMC-2105")
        if record.receiver:
            name, target = _name_of_pair(record, second), record.receiver
        elif group:
            name = keys.of_group(record.topic or group, record.seq)
            target = record.topic if record.topic and self.topics_apart else group
        else:
            raise Rejected("IMC-2101", field="GroupId" if self._is_group(record) else "To_Account")
        if not record.body:
            raise Rejected("IMC-2110")
        return Message(
            name,
            keys.number(name),
            second * 1000 + milliseconds,
            "p2p" if record.receiver else "team",
            record.sender,
            target,
            self._client(record),
            tuple([read_element(element, self.notes) for element in record.body]),
            record.data or None,
            self._extra(record, unknown, second),
        )

    def _is_group(self, record: Record) -> bool:
        return self.head.chat == "Group" or (record.command or "").startswith("Group.")

    def _time(self, record: Record) -> tuple[int, int]:
        """The second, and the milliseconds in it. Raises Rejected (IMC-2101, IMC-2104, IMC-2400)."""
        times = (record.time_of_file, record.time_of_answer, record.time_of_callback)
        found = [time for time in times if time is not None]
        if not found:
            raise Rejected("IMC-2101", field="MsgTimestamp")
        time = found[0]
        if len(found) > 1 and len(set(found)) > 1:
            raise Rejected("IMC-2400", found=", ".join(map(str, found)))
        if values.EARLIEST <= time <= self.latest:
            self.notes.repairs.append("IMC-3100")
            second, milliseconds = divmod(time, 1000)
            return second, milliseconds or self.within(record.seq)
        if not values.EARLIEST <= time * 1000 <= self.latest:
            earliest, latest = values.day(values.EARLIEST), values.day(self.latest)
            raise Rejected("IMC-2104", found=time, earliest=earliest, latest=latest)
        if self.head.hour and not self.head.hour[0] <= time < self.head.hour[1]:
            self.notes.repairs.append("IMC-3101")
        return time, self.within(record.seq)

    def _client(self, record: Record) -> int:
        platform = record.platform or record.request_platform
        if not platform:
            return UNKNOWN_CLIENT
        client = PLATFORMS.get(platform.lower())
        if client is None:
            self.notes.repairs.append("IMC-3013")
            self.notes.novel.append(("value", f"MsgFromPlatform={platform}"))
            return UNKNOWN_CLIENT
        return client

    def _extra(self, record: Record, unknown: dict[str, Any], second: int) -> dict[str, Any] | None:
        """What the message has no field for, and the account of what is left out."""
        extra: dict[str, Any] = dict(unknown)
        if record.mentions:
            extra["GroupAtInfo"] = record.mentions
        if record.topic and not self.topics_apart:
            extra["TopicId"] = record.topic
        if record.flags not in (0, RECALLED):
            self.notes.novel.append(("value", f"MsgFlagBits={record.flags}"))
            extra["MsgFlagBits"] = record.flags
        if record.place not in (0, RECALLED_PLACE):
            self.notes.novel.append(("value", f"IsPlaceMsg={record.place}"))
            extra["IsPlaceMsg"] = record.place
        if record.key and record.key != f"{record.seq}_{record.random}_{second}":
            extra["MsgKey"] = record.key
        if self.recalled == "mark" and _was_recalled(record):
            extra["recalled"] = True
        changes = self.notes.changes
        changes.extend(("transformed", f"{key[:40]} kept in ext") for key in extra)
        changes.extend(("degraded", f"{name} left out") for name in _lost(record))
        return extra or None


def _was_recalled(record: Record) -> bool:
    return record.flags == RECALLED or record.place == RECALLED_PLACE


def _check_number(field: str, value: int) -> None:
    """Both are unsigned; newer services may count beyond 32 bits."""
    if not 0 <= value <= MAX_ID:
        raise Rejected("IMC-2102", field=field, found=shown(value), expected=f"a number from 0 to {MAX_ID}")


def _name_of_pair(record: Record, second: int) -> str:
    """Raises Rejected (IMC-2101): without MsgRandom nobody can tell a message from another of the same second."""
    if record.random is None:
        raise Rejected("IMC-2101", field="MsgRandom")
    _check_number("MsgRandom", record.random)
    return keys.of_pair(record.sender, record.receiver or "", f"{record.seq}_{record.random}_{second}")


def _lost(record: Record) -> list[str]:
    """What is told of a message and has no place in any target."""
    lost = []
    if record.address:
        lost.append("ClientIP")
    if record.priority is not None:
        lost.append("MsgPriority")
    if record.message_id is not None:
        lost.append("MsgId")
    if record.operator and record.operator != record.sender:
        lost.append("Operator_Account")
    return lost
