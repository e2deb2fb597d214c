"""Callbacks that are no messages (tencent.md §8): each is an event, listed for whoever wants to apply it."""

from __future__ import annotations

from typing import Any

from imconvert.model import Notes, Skip
from imconvert.vendors.tencent import keys

EVENTS = {
    "C2C.CallbackAfterMsgWithDraw": "recall",
    "C2C.CallbackAfterMsgReport": "read_ack",
    "Group.CallbackAfterCreateGroup": "group-create",
    "Group.CallbackAfterGroupDestroyed": "group-destroy",
    "Group.CallbackAfterGroupInfoChanged": "group-info",
    "Group.CallbackAfterNewMemberJoin": "group-join",
    "Group.CallbackAfterMemberExit": "group-exit",
    "Group.CallbackAfterMemberFieldChanged": "group-member",
}


def left_out(found: dict[str, Any], notes: Notes) -> Skip:
    """The skip for a callback that is no message."""
    command = str(found["CallbackCommand"])
    event = EVENTS.get(command)
    if event is None:
        notes.novel.append(("value", f"CallbackCommand={command}"))
    message = _message(found)
    if event == "recall" and message:
        return Skip("IMC-8102", {"event": event, "of": message})
    return Skip("IMC-8110", {"event": event or command[:80], "of": _subject(found)})


def _message(found: dict[str, Any]) -> str | None:
    """The name of the message that a callback is about, where it tells all of it."""
    parts = [found.get(name) for name in ("From_Account", "To_Account", "MsgKey")]
    if not all(isinstance(part, str) and part for part in parts):
        return None
    one, other, key = map(str, parts)
    return keys.of_pair(one, other, key)


def _subject(found: dict[str, Any]) -> str:
    """The group, or else the people, that an event is about."""
    group = found.get("GroupId")
    if isinstance(group, str) and group:
        return group
    people = [found.get(name) for name in ("From_Account", "To_Account", "Report_Account", "Peer_Account")]
    return ", ".join(person for person in people if isinstance(person, str) and person) or "unknown"
