"""What a writer could not place: kept in a note where the target takes one, and told in the fidelity table.

Plan: a writer makes a `Leftovers` for each message, keeps under a name what has no field in the target, and asks at the
end for the note. Where the target takes no note, all that was kept counts as dropped.
"""

from __future__ import annotations

from typing import Any

from imconvert.model import Notes

MOST = 40
"""Characters of a key that are told; a key may be anything."""


class Leftovers:
    """Gathers what the parts of one message leave over; `place` is where the note goes, or None."""

    __slots__ = ("notes", "parts", "place")

    def __init__(self, notes: Notes, place: str | None) -> None:
        self.notes = notes
        self.place = place
        self.parts: list[dict[str, Any]] = []

    def begin(self) -> None:
        """A further part of the message."""
        self.parts.append({})

    def keep(self, key: str, value: Any) -> None:
        """Keep what the part says under `key`, unless it says nothing."""
        if value is None:
            return
        if self.place is None:
            self.notes.changes.append(("dropped", key[:MOST]))
            return
        self.notes.changes.append(("transformed", f"{key[:MOST]} kept in {self.place}"))
        self.parts[-1][key] = value

    def keep_all(self, extra: dict[str, Any] | None) -> None:
        """Keep all of these, in the order of their names."""
        for key in sorted(extra or {}):
            self.keep(key, (extra or {})[key])

    def apart(self, name: str, extra: dict[str, Any] | None) -> dict[str, Any]:
        """What the message as a whole leaves over, under a name of its own."""
        parts, self.parts = self.parts, [{}]
        self.keep_all(extra)
        kept, self.parts = self.parts[0], parts
        return {name: kept} if kept else {}

    def note(self) -> dict[str, Any]:
        """`left`: an object for the one part, or a list of one for each; empty where nothing was left."""
        if not any(self.parts):
            return {}
        return {"left": self.parts[0] if len(self.parts) == 1 else self.parts}
