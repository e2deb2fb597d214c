"""Group notices: `RC:GrpNtf` as what happened to whom (rongcloud.md §3).

Strategy: a table from operation to kind of notice. Notices are sent by apps; who and what they are about stands in
`data`, under the names that the vendor's own demo app uses. Where these are not there, nothing is guessed.
"""

from __future__ import annotations

from typing import Any

from imconvert.errors import Rejected
from imconvert.model import Notes, Notice
from imconvert.vendors import lenient

WHO, NAME = "targetUserIds", "targetGroupName"
"""Of `data`: the people that a notice is about, and the group's name."""

TEAM_NAME = "3"
"""The property of an `info` notice that holds the group's name (yunxin.md §1.5)."""

MOST_PEOPLE = 1000
"""A notice about more people stays whole, so that a record can't become any number of lines."""

WITH_PEOPLE = {"Add": "join", "Kicked": "kick"}
ALONE = {"Quit": "leave", "Dismiss": "disband"}
OPERATIONS = frozenset({"Create", "Rename", *WITH_PEOPLE, *ALONE})
"""The operations that the documents name; apps may have others."""

_TOLD = {"Add": {WHO}, "Kicked": {WHO}, "Rename": {NAME}, "Quit": set(), "Dismiss": set()}


def read_notices(fields: dict[str, Any], notes: Notes) -> tuple[Notice, ...] | None:
    """The notices of a content, or None where it tells too little for one."""
    operation = fields.get("operation")
    if not isinstance(operation, str):
        return None
    if operation not in OPERATIONS:
        notes.novel.append(("value", f"content.RC:GrpNtf.operation={operation}"))
        return None
    data = _opened(fields.get("data"))
    found = _notices(operation, data)
    if found:
        notes.changes.append(("transformed", f"group notice {operation} to {found[0].kind}"))
        if fields.get("message") or data.keys() - _TOLD[operation]:
            notes.changes.append(("degraded", "names and text of a group notice left out"))
    return found


def _notices(operation: str, data: dict[str, Any]) -> tuple[Notice, ...] | None:
    if operation in ALONE:
        return (Notice(ALONE[operation]),)
    if operation in WITH_PEOPLE:
        people = _people(data.get(WHO))
        return tuple(Notice(WITH_PEOPLE[operation], who) for who in people) or None
    name = data.get(NAME)
    if operation == "Rename" and isinstance(name, str) and name:
        return (Notice("info", None, {TEAM_NAME: name}),)
    return None


def _opened(data: Any) -> dict[str, Any]:
    """`data` is an object or text that holds one."""
    if isinstance(data, str):
        try:
            data = lenient.parse_text(data, Notes())
        except Rejected:
            return {}
    return data if isinstance(data, dict) else {}


def _people(found: Any) -> list[str]:
    """The ids in a list, each once; none where the list is of another kind or too long."""
    if (
        not isinstance(found, list)
        or len(found) > MOST_PEOPLE
        or not all(isinstance(who, str) and who for who in found)
    ):
        return []
    return list(dict.fromkeys(found))
