"""A mapping file as a vendor: what it describes is read like any other export."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from imconvert.vendors.contract import Documents, Tables, Vendor
from imconvert.vendors.custom import NAME
from imconvert.vendors.custom.messages import reader
from imconvert.vendors.custom.parse import mapping_of
from imconvert.vendors.custom.people import people_of
from imconvert.vendors.custom.shape import shape, shape_of_rows
from imconvert.vendors.custom.shortcut import shortcut
from imconvert.vendors.custom.spec import Input, PeopleMapping
from imconvert.vendors.shapes import Shape


@lru_cache(maxsize=4)
def vendor_of(text: str) -> Vendor:
    """The vendor that the mapping file `text` describes. Raises UsageError IMC-1100 with all its problems."""
    mapping = mapping_of(text)
    source, plain = mapping.input, shape(mapping)
    tables = _tables(
        source,
        lambda settings, notes, latest, head: reader(mapping, notes, latest, head.decode()),
        lambda target, settings, accounts, groups, latest, head: shortcut(
            mapping, target, accounts, groups, latest, head.decode()
        ),
        (lambda settings, head: shape_of_rows(mapping, head.decode())) if plain else None,
    )
    return Vendor(
        name=NAME,
        title=mapping.name,
        looks_like=lambda value: False,
        reader=lambda settings, notes, latest: reader(mapping, notes, latest),
        documents=Documents((source.array,), always=True) if source.format == "json" else None,
        tables=tables if source.format == "csv" else None,
        shortcut=lambda target, settings, accounts, groups, latest: shortcut(mapping, target, accounts, groups, latest),
        shape=(lambda settings: plain) if plain and source.format != "csv" else None,
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


def _tables(
    source: Input,
    read: Callable[..., Any],
    through: Callable[..., Any],
    shape_of: Callable[..., Shape | None] | None = None,
) -> Tables:
    return Tables(
        reader=read,
        shortcut=through,
        delimiter=source.delimiter,
        quote=source.quote,
        escape=source.escape,
        encoding=source.encoding,
        header=source.header,
        multiline=source.multiline,
        shape=shape_of,
    )
