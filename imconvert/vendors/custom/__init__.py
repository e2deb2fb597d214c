"""Self-built systems: whatever a mapping file describes (docs/mapping.md), messages or people."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from imconvert.vendors.contract import Documents, Tables, Vendor
from imconvert.vendors.custom.coverage import Coverage, coverage_of
from imconvert.vendors.custom.messages import NAME, reader
from imconvert.vendors.custom.parse import mapping_of
from imconvert.vendors.custom.people import people_of
from imconvert.vendors.custom.shortcut import shortcut
from imconvert.vendors.custom.spec import Input, Mapping, PeopleMapping

__all__ = ["NAME", "Coverage", "Mapping", "coverage_of", "mapping_of", "people_vendor_of", "vendor_of"]


@lru_cache(maxsize=4)
def vendor_of(text: str) -> Vendor:
    """The vendor that the mapping file `text` describes. Raises UsageError IMC-1100 with all its problems."""
    mapping = mapping_of(text)
    source = mapping.input
    tables = _tables(
        source,
        lambda settings, notes, latest, head: reader(mapping, notes, latest, head.decode()),
        lambda target, settings, accounts, groups, latest, head: shortcut(
            mapping, target, accounts, groups, latest, head.decode()
        ),
    )
    return Vendor(
        name=NAME,
        title=mapping.name,
        looks_like=lambda value: False,
        reader=lambda settings, notes, latest: reader(mapping, notes, latest),
        documents=Documents((source.array,), always=True) if source.format == "json" else None,
        tables=tables if source.format == "csv" else None,
        shortcut=lambda target, settings, accounts, groups, latest: shortcut(mapping, target, accounts, groups, latest),
    )


def people_vendor_of(text: str) -> Vendor:
    """The source of people that the mapping file `text` describes. Raises UsageError IMC-1100 with all its problems."""
    return people_of(text, _people)


def _people(name: str, mapping: PeopleMapping, read: Callable[..., Any]) -> Vendor:
    tables = _tables(mapping.input, read, lambda *given: None)
    return Vendor(
        name=name,
        title=mapping.name,
        looks_like=lambda value: False,
        reader=read,
        tables=tables if mapping.input.format == "csv" else None,
    )


def _tables(source: Input, read: Callable[..., Any], through: Callable[..., Any]) -> Tables:
    return Tables(
        reader=read,
        shortcut=through,
        delimiter=source.delimiter,
        quote=source.quote,
        escape=source.escape,
        encoding=source.encoding,
        header=source.header,
        multiline=source.multiline,
    )
