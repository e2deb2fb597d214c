"""Read RongCloud's hourly logs, and posts of its message routing, as messages (rongcloud.md §2, §3, §5).

Strategy: a raw record is opened (`lines.py`), told by its shape (`records.py`), and its content read by its class
(`bodies.py`). What an input as a whole says about its times comes from `clock.survey`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from imconvert.model import CLIENTS, UNKNOWN_CLIENT, Message, Notes, Skip, derived_id
from imconvert.vendors.contract import Read, Settings
from imconvert.vendors.lenient import shown
from imconvert.vendors.rongcloud.bodies import read_content
from imconvert.vendors.rongcloud.clock import Clock, survey
from imconvert.vendors.rongcloud.lines import opened
from imconvert.vendors.rongcloud.records import VENDOR, Record, shape_of

SOURCES = {
    "iOS": "ios", "Android": "android", "HarmonyOS": "harmony", "Websocket": "web", "MiniProgram": "web", "PC": "pc",
    "Server": "server",
}  # fmt: skip
"""The kinds of client that a record's `source` names (§2.2)."""

CLIENT_OF: dict[Any, int] = {source: CLIENTS[client] for source, client in SOURCES.items()}

_OTHER_GROUPS = ("PERSONS", "ULTRAGROUP")


_decode_found = msgspec.json.Decoder(dict[str, str]).decode


def look(label: str, begin: bytes, settings: Settings) -> bytes:
    """What an input says about its times as JSON; nothing for one that says nothing."""
    found = survey(label, begin, settings)
    return msgspec.json.encode(found) if found else b""


def clock_of(found: bytes, settings: Settings, latest: int, notes: Notes) -> Clock:
    """The clock for records of an input that says this. What nobody can read, in a reject by hand, says nothing."""
    try:
        context = _decode_found(found) if found else {}
        return Clock(context, settings, latest, notes)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return Clock({}, settings, latest, notes)


def reader(settings: Settings, notes: Notes, latest: int, found: bytes = b"") -> Read:
    """The function that reads one record of an input that says `found` as a whole.

    It raises Rejected with codes of the 2xxx family.
    """
    clock = clock_of(found, settings, latest, notes)
    chats = {"PERSON": "p2p", "GROUP": "team"}
    if settings["rongcloud.other_groups"] == "team":
        chats |= dict.fromkeys(_OTHER_GROUPS, "team")

    def read(raw: bytes) -> Message | Skip:
        open_record = opened(raw, notes)
        record = shape_of(open_record.fields)(open_record, clock, notes)
        if isinstance(record, Skip):
            return record
        chat = chats.get(record.conversation)
        if chat is None:
            return _left_out(record)
        content = read_content(record, settings, notes)
        if isinstance(content, Skip):
            return content
        if record.conversation in _OTHER_GROUPS:
            notes.changes.append(("transformed", f"{record.conversation} to a team"))
        return Message(
            record.uid,
            derived_id(VENDOR, record.uid),
            record.time,
            chat,  # type: ignore[arg-type]
            content.actor or record.sender,
            record.target,
            _client(record.client, notes),
            content.parts,
            content.ext,
        )

    return read


def _left_out(record: Record) -> Skip:
    """Chat rooms and talks with the app itself have no import path (§2.3)."""
    if record.conversation == "TEMPGROUP":
        return Skip("IMC-8103", {})
    if record.conversation in _OTHER_GROUPS:
        return Skip("IMC-8104", {"setting": "rongcloud.other_groups=skip"})
    return Skip("IMC-8121", {"kind": record.conversation})


def _client(source: Any, notes: Notes) -> int:
    """The client's number; older logs do not tell it, which is no oddity."""
    if source in (None, ""):
        return UNKNOWN_CLIENT
    client = CLIENT_OF.get(source) if isinstance(source, str) else None
    if client is None:
        notes.repairs.append("IMC-3013")
        notes.novel.append(("value", f"source={source if isinstance(source, str) else shown(source)}"))
        return UNKNOWN_CLIENT
    return client
