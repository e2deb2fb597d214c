"""The lines of people: what each noun leaves in a stream, named by its kind and its ids, until the sort made calls of
them.

Format: `{"api":STREAM,"conv":OWNER,"key":"KIND/ID·OTHER","time":RANK,"body":ITEM}`; all lines of an owner lie together,
in order of their rank. What becomes of them, `finish.py` says.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct
from xxhash import xxh3_64_digest, xxh3_64_intdigest, xxh3_128_digest

from imconvert.model import derived_id
from imconvert.vendors.contract import Line, Placed
from imconvert.vendors.requests import BETWEEN

SPACE = "people"
"""The namespace of the numbers by which `explain` finds what became of somebody."""

_encode = msgspec.json.Encoder().encode


class Key(NamedTuple):
    """What tells a line apart: its kind, and the ids that it is about, as the target has them."""

    kind: str
    id: str
    other: str = ""

    def identity(self, own_keys: bool) -> Key:
        return self

    @property
    def name(self) -> str:
        """The ids as a text: ID, or ID/OTHER."""
        return f"{self.id}/{self.other}" if self.other else self.id


class Entry(Struct, gc=False):
    """A line as the sort gives it back."""

    conv: str
    key: str
    body: Raw


_decode = msgspec.json.Decoder(Entry).decode


def line(stream: str, owner: str, key: Key, body: Any, rank: int = 0) -> Line:
    """A line. `rank` orders the lines of an owner; equal ones keep the order of the input."""
    name = f"{key.kind}/{key.id}{BETWEEN}{key.other}" if key.other else f"{key.kind}/{key.id}"
    data = b'{"api":%b,"conv":%b,"key":%b,"time":%d,"body":%b}' % (
        _encode(stream), _encode(owner), _encode(name), rank, _encode(body),
    )  # fmt: skip
    return Line(stream, xxh3_128_digest(_encode(key)), data, digest_of(data), number_of(key.name), rank)


def number_of(name: str) -> int:
    """The number by which lines about these ids are found, `name` being ID or ID/OTHER."""
    return derived_id(SPACE, name)


def digest_of(data: bytes) -> bytes:
    """xxh3-64 of a line's content; lines with the same key have the same head."""
    return xxh3_64_digest(data)


def entry_of(placed: Placed) -> Entry:
    return _decode(placed.data)


def key_in(name: str) -> Key:
    """The key of a line from the text in it."""
    kind, _, ids = name.partition("/")
    first, _, second = ids.partition(BETWEEN)
    return Key(kind, first, second)


def read_key(data: bytes) -> Key:
    """The key of a line that `line` made."""
    return key_in(_decode(data).key)


def rank_of(id: str) -> int:
    """A rank for what has no order of its own: lines about the same other come together."""
    return xxh3_64_intdigest(id.encode()) >> 1
