"""A vendor as the one whose saved pages about people are read: the `Vendor` record of its shelf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from imconvert.model import Notes
from imconvert.vendors.contract import Documents, Setting, Settings, Survey, Vendor
from imconvert.vendors.people.pages import Finder, Shelf, reader, unfolded

SUFFIX = "/people"
"""What stands behind a vendor's name where it is meant as the source of people."""

FILE_NAMES = Setting(
    "people.file_names", "ignore", ("ignore", "owner"),
    "whether a page without a request belongs to the user or group that its file is named after",
)  # fmt: skip
MakeShelf = Callable[[Settings, Notes, int], Shelf]


def source(name: str, title: str, shelf: MakeShelf, settings: tuple[Setting, ...]) -> Vendor:
    """The vendor of that name as a source of people."""
    still = Finder(shelf({setting.name: setting.default for setting in settings}, Notes(), 0))

    def read(settings: Settings, notes: Notes, latest: int, survey: bytes = b"") -> Any:
        name = msgspec.json.decode(survey).get("name") if survey else None
        return reader(shelf(settings, notes, latest), notes, name)

    return Vendor(
        name=f"{name}{SUFFIX}",
        title=title,
        looks_like=lambda value: still.found(value) is not None,
        reader=read,
        documents=Documents((), whole=True),
        settings=(FILE_NAMES, *settings),
        survey=Survey(named_after, read),
        unfold=lambda raw: unfolded(still, raw),
    )


def named_after(label: str, begin: bytes, settings: Settings) -> bytes:
    """What the file of a page says about it, by a setting: the name before its first dot."""
    if settings[FILE_NAMES.name] != "owner":
        return b""
    name = label.rsplit("/", 1)[-1].rsplit("!", 1)[-1].split(".", 1)[0]
    return msgspec.json.encode({"name": name}) if name else b""
