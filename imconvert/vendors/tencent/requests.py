"""Messages as calls of `importmsg` and `import_group_msg` (tencent.md §4.1, §5.4).

Strategy: a line is the call for its one message. The numbers by which Tencent knows it follow from its key and time,
and stand first; `order.py` changes those that have to differ in a conversation. A message that comes from Tencent
keeps the numbers it had there, in another order, so that they are left alone.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, structs

from imconvert.model import Message, Notes, Notice, Skip, derived_id, key_of
from imconvert.vendors import requests
from imconvert.vendors.contract import Book, LeftOut, Line, Settings, Write
from imconvert.vendors.tencent import keys
from imconvert.vendors.tencent.bodies import Body, BodyWriter
from imconvert.vendors.tencent.lines import derived_numbers, digest_of, item_numbers, random_of
from imconvert.vendors.tencent.rules import COMMUNITY
from imconvert.vendors.uploads import uploads_of

PAIR, GROUP = "openim/importmsg", "group_open_http_svc/import_group_msg"
STREAMS = ("p2p", "team")
TOPIC = "TopicId"


def writer(settings: Settings, notes: Notes, accounts: Book, groups: Book) -> Write:
    """The function that writes one message. It raises Rejected (IMC-2102, IMC-22xx, IMC-255x) and LeftOut."""
    desk = _Writer(settings, notes, accounts, groups)
    return desk.write


class _Writer:
    def __init__(self, settings: Settings, notes: Notes, accounts: Book, groups: Book) -> None:
        self.accounts = accounts
        self.groups = groups
        self.bodies = BodyWriter(settings, notes, accounts)
        self.sync = int(settings["tencent.sync"])
        self.own_numbers = settings["tencent.numbers"] == "source"
        self.recent = settings["tencent.recent_contacts"] == "yes"
        self.room_in_groups = settings["tencent.group_cloud_data"] == "yes"
        self.without_notices = settings["tencent.notices"] == "skip"

    def write(self, message: Message) -> list[Line]:
        if self.without_notices and isinstance(message.parts[0], Notice):
            raise LeftOut(Skip("IMC-8104", {"setting": "tencent.notices=skip"}))
        sender = self.accounts[message.sender]
        if message.chat == "team":
            return self._to_group(message, sender, self.groups[message.target])
        return self._to_person(message, sender, self.accounts[message.target])

    def _to_person(self, message: Message, sender: str, receiver: str) -> list[Line]:
        triple = keys.triple_of(message) if self.own_numbers else None
        bodies = self.bodies.write(message, {} if triple else _origin(message))
        lines = []
        for number, body in enumerate(bodies):
            msgid = _msgid(message, number)
            key = key_of(msgid, sender, receiver, message.time)
            numbers = _numbers(triple, key, number) if triple else derived_numbers(key, message.time)
            fields = {**numbers, "SyncFromOldSystem": self.sync, "From_Account": sender,
                      "To_Account": receiver, **_content(body)}  # fmt: skip
            lines.append(_line(PAIR, message, msgid, (sender, receiver), fields, key))
        return lines

    def _to_group(self, message: Message, sender: str, group: str) -> list[Line]:
        head: dict[str, Any] = {"GroupId": group}
        if self.recent and not group.startswith(COMMUNITY):
            head["RecentContactFlag"] = 1
        message, topic = _topic(message)
        bodies = self.bodies.write(message, _origin(message), room=self.room_in_groups)
        head |= {TOPIC: topic} if topic else {}
        lines = []
        for number, body in enumerate(bodies):
            msgid = _msgid(message, number)
            key = key_of(msgid, sender, (group,), message.time)
            item = {**item_numbers(key, message.time), "From_Account": sender, **_content(body)}
            lines.append(_line(GROUP, message, msgid, (sender, topic or group), {**head, "MsgList": [item]}, key))
        return lines


def _origin(message: Message) -> dict[str, Any]:
    """What is remembered of where a message comes from (§6)."""
    return {"id": message.source_id, "ms": message.time}


def _msgid(message: Message, number: int) -> int:
    return message.msgid if number == 0 else derived_id("part", f"{message.source_id}#{number}")


def _numbers(triple: keys.Triple, key: bytes, number: int) -> dict[str, int]:
    """The numbers of a message from Tencent; later pieces of it come close behind."""
    random = triple.random if number == 0 else random_of(key)
    return {"MsgRandom": random, "MsgSeq": min(triple.seq + number, keys.U32), "MsgTimeStamp": triple.second}


def _content(body: Body) -> dict[str, Any]:
    content: dict[str, Any] = {"MsgBody": Raw(body.elements)}
    return content if body.data is None else {**content, "CloudCustomData": body.data}


def _topic(message: Message) -> tuple[Message, str | None]:
    """The topic of a community that a message was read from, which has a field of its own in the call (§5.4)."""
    extra = dict(message.extra or {})
    topic = extra.pop(TOPIC, None)
    if not isinstance(topic, str) or not topic:
        return message, None
    return structs.replace(message, extra=extra or None), topic


def _line(api: str, message: Message, msgid: int, ends: tuple[str, str], body: dict[str, Any], key: bytes) -> Line:
    sender, target = ends
    stream = STREAMS[message.chat != "p2p"]
    conv = requests.conversation(message.chat, sender, target)
    name = requests.key(msgid, message.time, sender)
    uploads = uploads_of(message)
    data = requests.line(api, conv, name, message.time, body, uploads)
    return Line(stream, key, data, digest_of(data), msgid, message.time)
