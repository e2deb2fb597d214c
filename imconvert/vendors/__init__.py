"""The vendors: what each can read and write, as records of pure functions.

Promise: adding a vendor adds one folder, one fixtures folder and one name in `ALL`; a vendor of another package is a
plug-in. Nothing in a vendor's folder opens, sends, sleeps, logs or asks a clock.
"""

from __future__ import annotations

import difflib

from imconvert.errors import UsageError
from imconvert.vendors import device, plugins
from imconvert.vendors.contract import Setting, Target, Vendor
from imconvert.vendors.custom import NAME as CUSTOM
from imconvert.vendors.easemob import VENDOR as EASEMOB
from imconvert.vendors.people.source import SUFFIX
from imconvert.vendors.rongcloud import VENDOR as RONGCLOUD
from imconvert.vendors.tencent import VENDOR as TENCENT
from imconvert.vendors.yunxin import VENDOR as YUNXIN

__all__ = [
    "ALL", "BY_NAME", "CUSTOM", "MESSAGES", "SETTINGS", "TARGETS", "Setting", "Target", "Vendor",
    "content_of", "every", "find", "is_plug_in", "names", "provisioned", "settings",
]  # fmt: skip

ALL: tuple[Vendor, ...] = (YUNXIN, EASEMOB, TENCENT, RONGCLOUD)
BY_NAME: dict[str, Vendor] = {vendor.name: vendor for vendor in ALL}
MESSAGES: dict[str, Target] = {vendor.target.name: vendor.target for vendor in ALL if vendor.target}
MESSAGES[device.TARGET.name] = device.TARGET
TARGETS: dict[str, Target] = MESSAGES | {target.name: target for vendor in ALL for target in vendor.provisions}
SETTINGS: dict[str, Setting] = {setting.name: setting for vendor in ALL for setting in vendor.settings}
SETTINGS |= {setting.name: setting for setting in device.SETTINGS}
"""What comes with imconvert; plug-ins are asked for by the functions below, and loaded only then. `MESSAGES` are the
targets of messages; those of people and groups are named VENDOR/CONTENT."""

_TAKEN = frozenset({*BY_NAME, CUSTOM, "auto"})


def every(content: str = "") -> tuple[Vendor, ...]:
    """All vendors whose messages, or whose pages about people if there is a content, are read; plug-ins behind our own.

    Raises UsageError IMC-1110 or IMC-1111 for a plug-in that can't be used.
    """
    if content:
        return tuple(vendor.people for vendor in ALL if vendor.people)
    return (*ALL, *plugins.every(_TAKEN))


def content_of(target: str) -> str:
    """The content in the name of a target: users, friends, groups; nothing for messages."""
    return target.partition("/")[2]


def provisioned(content: str) -> list[str]:
    """The vendors that take a content."""
    return sorted(name.partition("/")[0] for name in TARGETS if content_of(name) == content)


def names() -> list[str]:
    """The names of all vendors; no plug-in is loaded."""
    return [*BY_NAME, *(name for name in plugins.names() if name not in BY_NAME)]


def is_plug_in(name: str) -> bool:
    """Whether a name can only be that of a plug-in."""
    return name.removesuffix(SUFFIX) not in _TAKEN


def find(name: str, mapping: str | None = None) -> Vendor:
    """The vendor of that name, or the one that the text of a mapping file describes.

    Raises UsageError IMC-1100 for the mapping, IMC-1110 to IMC-1112 for the name.
    """
    if name.endswith(SUFFIX):
        return _people(name, mapping)
    if mapping is not None:
        from imconvert.vendors.custom.vendor import vendor_of

        return vendor_of(mapping)
    found = BY_NAME.get(name) or plugins.find(name, _TAKEN)
    if found is None:
        close = difflib.get_close_matches(name, names(), n=1)
        hint = f' (did you mean "{close[0]}"?)' if close else ""
        raise UsageError("IMC-1112", found=name, hint=hint, known=", ".join(["auto", *names()]))
    return found


def _people(name: str, mapping: str | None) -> Vendor:
    """The vendor of that name as a source of people. Raises UsageError IMC-1112."""
    if mapping is not None:
        from imconvert.vendors.custom.vendor import people_vendor_of

        return people_vendor_of(mapping)
    vendor = BY_NAME.get(name.removesuffix(SUFFIX))
    if vendor is None or vendor.people is None:
        known = ", ".join(["auto", *(one.name for one in ALL if one.people)])
        raise UsageError("IMC-1112", found=name.removesuffix(SUFFIX), hint="", known=known)
    return vendor.people


def settings(source: str, content: str = "") -> dict[str, Setting]:
    """The settings that a run may have; those of plug-ins only if the source may be one."""
    if content:
        return SETTINGS | {one.name: one for vendor in ALL if vendor.people for one in vendor.people.settings}
    if source in _TAKEN - {"auto"}:
        return SETTINGS
    return SETTINGS | {setting.name: setting for vendor in plugins.usable(_TAKEN) for setting in vendor.settings}
