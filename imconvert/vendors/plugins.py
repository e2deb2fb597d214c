"""Vendors from other packages: entry points of the group `imconvert.vendors`, each a `Vendor` (docs/plugins.md).

Strategy: nothing is imported until somebody asks; asked for by name, only the plug-in of that name is. What a plug-in
gives is checked, and its functions are guarded: an error at a record rejects the record.
Promise: a plug-in that can't be used is an error with a code that names its package. It is not kept from anything
else: a plug-in is code, and runs with all the rights of the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from imconvert.errors import Rejected, UsageError
from imconvert.model import Message, Notes, Skip
from imconvert.vendors.contract import Read, Settings, Vendor

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "imconvert.vendors"
WITHHELD = b"(withheld: the plug-in's redact failed)"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def points() -> list[EntryPoint]:
    """The entry points that are installed, by name."""
    from importlib.metadata import entry_points  # slow to load, and only wanted where plug-ins may matter

    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def names() -> list[str]:
    """The names of all plug-ins, loaded or not."""
    return list(dict.fromkeys(point.name for point in points()))


def every(taken: frozenset[str]) -> tuple[Vendor, ...]:
    """All plug-ins; `taken` are the names of others. Raises UsageError IMC-1110 or IMC-1111 where one fails."""
    return tuple(found for name in names() if (found := find(name, taken)))


def usable(taken: frozenset[str]) -> Iterator[Vendor]:
    """All plug-ins that can be used; the others are passed over."""
    for name in names():
        try:
            found = find(name, taken)
        except UsageError:
            continue
        if found:
            yield found


def find(name: str, taken: frozenset[str]) -> Vendor | None:
    """The plug-in of that name, None where there is none. Raises UsageError IMC-1110 or IMC-1111."""
    found = [point for point in points() if point.name == name]
    if not found:
        return None
    if len({point.value for point in found}) > 1:
        raise _at_odds(found[0], f"{' and '.join(map(_package, found))} have the same name")
    if name in taken:
        raise _at_odds(found[0], f"{name} is the name of another source")
    return _loaded(found[0])


def version_of(name: str) -> str:
    """Package and version of a plug-in, which decide its output."""
    return next((_package(point) for point in points() if point.name == name), name)


@cache
def _loaded(point: EntryPoint) -> Vendor:
    try:
        vendor = point.load()
    except Exception as why:  # noqa: BLE001 - a plug-in may raise anything
        raise UsageError("IMC-1110", plugin=_told(point), why=f"{type(why).__name__}: {why}") from why
    if not isinstance(vendor, Vendor):
        raise _at_odds(point, f"{point.value} is no imconvert.vendors.contract.Vendor")
    if vendor.name != point.name or not _NAME.fullmatch(vendor.name):
        raise _at_odds(
            point, f"the vendor calls itself {vendor.name!r}; entry point and vendor need one lower-case name"
        )
    if any(not setting.name.startswith(f"{vendor.name}.") for setting in vendor.settings):
        raise _at_odds(point, f"its settings have to begin with {vendor.name}.")
    if vendor.target:
        raise _at_odds(point, "plug-ins read; targets can't be added")
    return _guarded(vendor)


def _at_odds(point: EntryPoint, why: str) -> UsageError:
    return UsageError("IMC-1111", plugin=_told(point), why=why)


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _told(point: EntryPoint) -> str:
    return f"{point.name} ({_package(point)})"


def _guarded(vendor: Vendor) -> Vendor:
    """The vendor with errors of its reader made rejects; what can't be guarded record by record is not used."""
    documents = vendor.documents
    if documents and documents.reader:
        documents = replace(documents, reader=_guard_head(documents.reader))
    return replace(
        vendor,
        looks_like=_guard_look(vendor.looks_like),
        reader=_guard(vendor.reader),
        documents=documents,
        peek=_guard_peek(vendor.peek),
        redact=vendor.redact and _guard_redact(vendor.redact),
        name_of=vendor.name_of and _guard_name(vendor.name_of),
        tables=None,
        survey=None,
        shortcut=None,
        shape=None,
        more_shapes=None,
    )


def _guard(maker: Callable[[Settings, Notes, int], Read]) -> Callable[[Settings, Notes, int], Read]:
    return lambda settings, notes, latest: _guard_read(maker(settings, notes, latest))


def _guard_head(maker: Callable[[Settings, Notes, int, bytes], Read]) -> Callable[[Settings, Notes, int, bytes], Read]:
    return lambda settings, notes, latest, head: _guard_read(maker(settings, notes, latest, head))


def _guard_read(read: Read) -> Read:
    def guarded(raw: bytes) -> Message | Skip:
        try:
            found = read(raw)
        except Rejected:
            raise
        except Exception as why:  # noqa: BLE001 - a plug-in may raise anything
            raise Rejected("IMC-2440", detail=f"{type(why).__name__}: {why}"[:200]) from why
        if not isinstance(found, Message | Skip):
            raise Rejected("IMC-2440", detail=f"it gave {type(found).__name__}, neither Message nor Skip")
        return found

    return guarded


def _guard_peek(peek: Callable[[bytes], dict[str, Any] | None]) -> Callable[[bytes], dict[str, Any] | None]:
    def guarded(raw: bytes) -> dict[str, Any] | None:
        try:
            return peek(raw)
        except Exception:  # noqa: BLE001 - as below
            return None

    return guarded


def _guard_redact(redact: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def guarded(raw: bytes) -> bytes:
        try:
            return redact(raw)
        except Exception:  # noqa: BLE001 - a plug-in may raise anything; what may hold a secret is not shown
            return WITHHELD

    return guarded


def _guard_name(name_of: Callable[[bytes, bytes], str | None]) -> Callable[[bytes, bytes], str | None]:
    def guarded(raw: bytes, head: bytes) -> str | None:
        try:
            return name_of(raw, head)
        except Exception:  # noqa: BLE001 - a plug-in may raise anything; then nobody knows the name
            return None

    return guarded


def _guard_look(look: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], bool]:
    def guarded(value: dict[str, Any]) -> bool:
        try:
            return bool(look(value))
        except Exception:  # noqa: BLE001 - a plug-in may raise anything; what it can't tell is not its own
            return False

    return guarded
