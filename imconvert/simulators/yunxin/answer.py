"""Read one answer of the feed, strictly (yunxin.md §2).

Promise: an answer is taken whole or not at all. Only HTTP 200 with JSON of exactly the form `{"code":200,"data":[…]}`
brings records; everything else is told apart by a code, and the records in it are not looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct


class PullFailed(Exception):
    """A pull brought nothing. `code` is a catalogue code, `values` fill its text."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values


class Answer(NamedTuple):
    """What came over the wire: the body is unpacked, `size` counts the bytes before that."""

    status: int
    content_type: str
    body: bytes
    size: int


class _Shape(Struct, forbid_unknown_fields=True):
    code: int
    data: list[Raw]


_decode = msgspec.json.Decoder(_Shape).decode

REFUSALS = (401, 403, 404, 405, 429)
TROUBLE = 503


def elements_of(answer: Answer) -> list[bytes]:
    """The elements of `data`, as they were sent. Raises PullFailed for any other answer than the agreed one."""
    if answer.status in REFUSALS:
        raise PullFailed("IMC-7121", status=answer.status)
    if answer.status not in (200, TROUBLE):
        raise PullFailed("IMC-7122", status=answer.status)
    shape = _shape(answer)
    if answer.status == shape.code == 200:
        return [bytes(element) for element in shape.data]
    if shape.data:
        raise _wrong(f"HTTP {answer.status} with code {shape.code} and {len(shape.data):,} elements")
    if answer.status == TROUBLE and shape.code == 200:
        raise _wrong(f"HTTP {TROUBLE} with code 200")
    raise PullFailed("IMC-7123", status=answer.status, found=shape.code)


def _shape(answer: Answer) -> _Shape:
    kind, _, parameters = answer.content_type.lower().partition(";")
    if kind.strip() != "application/json" or parameters.strip() not in ("", "charset=utf-8"):
        raise _wrong(f"the Content-Type is {answer.content_type[:80]!r}")
    try:
        return _decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as why:
        raise _wrong(f"{len(answer.body):,} bytes that are not of this form ({why})") from why


def _wrong(why: str) -> PullFailed:
    return PullFailed("IMC-7124", why=why)
