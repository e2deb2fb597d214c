"""What Easemob's webhook posts say beside the message that they carry (easemob.md §5.2).

A post wraps the same record as a history line. Only its `content_type` tells groups and chat rooms apart, and it
repeats a message for each offline receiver. What vouches for it (`security`, `callId`) is neither looked at nor taken.
"""

from __future__ import annotations

from imconvert.errors import Rejected
from imconvert.model import Notes, Skip
from imconvert.vendors.lenient import shown

_EVENTS = ("chat", "chat_offline")
_GROUPS = ("groupchat", "group")
_SCOPES = ("user", "group", "room")


def left_out(event: str, chat: str, content_type: str | None, notes: Notes) -> Skip | None:
    """Why the post is no message of the history, if it is none. Raises Rejected (IMC-2102)."""
    if event not in _EVENTS:
        notes.novel.append(("value", f"eventType={event}"))
        raise Rejected("IMC-2102", field="eventType", found=shown(event), expected=" or ".join(_EVENTS))
    if event == "chat_offline":
        return Skip("IMC-8154", {})
    if chat not in _GROUPS:
        return None
    scope = _scope(content_type, notes)
    if scope is None:
        notes.repairs.append("IMC-3140")
    return Skip("IMC-8103", {}) if scope == "room" else None


def _scope(content_type: str | None, notes: Notes) -> str | None:
    """`chat:room:text` is a text in a chat room; None where the post doesn't say."""
    if not content_type:
        return None
    words = content_type.split(":")
    if len(words) > 1 and words[1] in _SCOPES:
        return words[1]
    notes.novel.append(("value", f"content_type={content_type}"))
    return None
