"""Join a vendor's shape and a target's line forms into a shortcut that the compiled part takes.

Plan: every kind of a shape and every form for it become a row of numbers that C follows; what C says it took comes
back as words of the report. The tables are told in `shapes.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from msgspec.json import encode
from xxhash import xxh3_64_digest, xxh3_128_digest

from imconvert import native
from imconvert.model import MAX_ID
from imconvert.vendors import values
from imconvert.vendors.contract import NOT_PLAIN, Book, Plain, Shortcut, Taken
from imconvert.vendors.nodes import MENDINGS, mask_of, number_of, some_text
from imconvert.vendors.shapes import (
    OPENINGS,
    ORDERS,
    TARGETS,
    Kind,
    LineForm,
    LineForms,
    Naming,
    Opening,
    Shape,
)
from imconvert.vendors.wrapping import is_of_lines


def through(
    shape: Shape,
    forms: LineForms,
    *,
    books: tuple[Book, Book],
    latest: int,
    digest_of: Callable[[bytes], bytes],
    plain: Plain = NOT_PLAIN,
    strict: bool = False,
) -> Shortcut | None:
    """The compiled shortcut from a shape to a target's lines; None where the compiled part isn't built.

    `books` are those of accounts and groups, `digest_of` and `plain` are the target's own. A map comes before `plain`.
    With `strict` nothing is mended: such records go the long way. A target with types of its own looks for suffixes
    itself; its lines for records that have to be named or wrapped, or of a shape's other kinds, are not described yet.
    """
    if not native.BUILT:
        return None
    accounts, groups = books
    every = [row for number, found in shape.kinds.items() for row in _rows(shape, number, *found, forms)]
    apart = any(row.form.into for row in every)
    if apart and (shape.naming or shape.wrapping):
        return None
    others = () if apart else shape.others
    every += [row for number, label, kind in others for row in _rows(shape, number, label, kind, forms)]
    rows = [row for row in every if not (strict and row.form.repairs)]
    allowed, longest = NOT_PLAIN if accounts.map else plain
    taker = native.Through(
        shape=_opened(shape.tree) if any(map(_has_members, rows)) else shape.tree,
        forms=tuple(row.compiled for row in rows),
        accounts=accounts,
        learn_account=accounts.learn,
        groups=groups,
        learn_group=_numbers(groups.learn) if shape.numbered else groups.learn,
        hashed=xxh3_128_digest,
        digest=xxh3_64_digest,
        sorted_digest=digest_of,
        defaults=tuple(_defaults(shape)),
        earliest=values.EARLIEST,
        latest=latest,
        bare=shape.bare,
        find_suffix=shape.find_suffix and not apart,
        plain_account=allowed,
        longest_account=longest,
        label=shape.label,
        strict=strict,
        naming=_naming(shape.naming) if shape.naming else None,
        order=ORDERS.index(shape.order),
        opening=_opening(shape.opening),
        targets=TARGETS.index(shape.targets),
        wrapping=shape.wrapping,
        turned=shape.turned if apart else -1,
    )

    accounts.met.append(taker.met)

    def take(batch: Any, streams: Any, otherwise: Any) -> list[Taken]:
        return [
            Taken(rows[row].word, rows[row].changes(seen), count, first, (*_repairs(mended), *rows[row].form.repairs))
            for row, seen, mended, count, first in taker.take(batch, streams, otherwise)
        ]

    def behind(head: bytes) -> tuple[str, str] | None:
        bounds = shape.behind(head)
        if bounds is None:
            return None
        group = None if bounds.group is None else encode(bounds.group)[1:-1]
        taker.behind(bounds.first, bounds.stop, bounds.offset, group)
        return bounds.clock

    return Shortcut(take, native.Columns, splits=True, behind=behind)


def _defaults(shape: Shape) -> Iterable[tuple[int, int, bytes]]:
    """What records have that don't say so: the field, how many strings it is escaped for, and what it is."""
    if shape.client is not None:
        yield number_of("client"), 0, b"%d" % shape.client
    if shape.kind is not None:
        yield number_of("kind"), 0, bytes([shape.kind])
    if shape.ext:
        yield number_of("ext"), 1, encode(shape.ext)[1:-1]


def _opening(found: Opening) -> tuple[Any, ...]:
    signs = (sign[0] if sign else 0 for sign in (found.delimiter, found.quote, found.escape))
    return (OPENINGS.index(found.what), *signs, found.nulls)


def _numbers(learn: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same for ids that are numbers from 1; any other raises KeyError, whatever the target takes."""

    def found(source: str) -> Any:
        if source.isascii() and source.isdigit() and source[0] != "0" and int(source[:20]) <= MAX_ID:
            return learn(source)
        raise KeyError(source)

    return found


def _naming(found: Naming) -> tuple[Any, ...]:
    echoes = tuple((number_of(name), steps) for name, steps in found.echoes.items())
    guarded = f"\\{found.guarded}".encode()
    return found.space.encode(), found.alone, found.numbers, guarded, (found.p2p, found.team), echoes


class _Row(NamedTuple):
    """A form of a kind: as it is, as the compiled part takes it, and what to remark on a field."""

    label: str
    form: LineForm
    compiled: tuple[Any, ...]
    remarks: tuple[tuple[int, tuple[str, str]], ...]

    @property
    def word(self) -> str:
        """The row of the fidelity table."""
        kind = re.split("[:+]", self.label)[0]
        return f"{kind} > {self.form.into}" if self.form.into else kind

    def changes(self, seen: int) -> tuple[tuple[str, str], ...]:
        found = (change for mask, change in self.remarks if seen & mask)
        return tuple(dict.fromkeys((*found, *self.form.changes)))


def _rows(shape: Shape, number: int, label: str, kind: Kind, forms: LineForms) -> Iterable[_Row]:
    for chat in (0, 1):
        found = forms(label, chat, shape.extras)
        for form in found if isinstance(found, tuple) else (found,) if found else ():
            yield _row(shape, (number, chat), label, kind, form)


def _row(shape: Shape, numbers: tuple[int, int], label: str, kind: Kind, form: LineForm) -> _Row:
    """`numbers` are those of the kind and the chat."""
    given = {*kind.required, *kind.optional, *(("suffix",) if shape.find_suffix else ())}
    remarks = [one for one in kind.remarks.items() if not (form.into and is_of_lines(one[1]))] + [*form.remarks.items()]
    limits = tuple((number_of(name), most) for name, most in form.limits.items())
    masks = map(
        mask_of,
        (
            {*kind.required, *form.needs} - {*form.without},
            given - {*form.without},
            (*kind.filled, *form.filled),
            [name for name, _ in remarks],
        ),
    )
    ordered = 2 if form.own_digest else int(form.sorted_digest)
    compiled = (*numbers, *masks, ordered, form.named_by_url, limits, form.steps)
    return _Row(label, form, compiled, tuple((mask_of([name]), change) for name, change in remarks))


def _has_members(row: _Row) -> bool:
    return any(step[0] == "members" for step in row.form.steps)


def _opened(node: Any) -> Any:
    """The tree, but an extension that is a text which holds an object is that object."""
    if node == some_text("ext"):
        return ("opened", number_of("ext"))
    return tuple(map(_opened, node)) if isinstance(node, tuple) else node


def _repairs(mended: int) -> tuple[str, ...]:
    return tuple(code for number, code in enumerate(MENDINGS) if mended >> number & 1) if mended else ()
