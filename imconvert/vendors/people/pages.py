"""Saved answers of list APIs: which answer a page is, what was asked for, and the items in it.

Strategy: a vendor describes its answers as `Page`s, the first of which that fits a record is taken. A page with many
items is unfolded into pages with one item each, in the vendor's own shape, so that a bad item costs itself and a
reject can be corrected and read again like any page.
Format: a record is an answer as it came. What it does not say itself, such as whose friends it lists, may stand
beside it as `request`: {"request":{"accid":"u1"},"response":{…}}; the request is an object, a form (accid=u1&…) or an
address, and `response` may be left out by putting `request` among the answer's own keys.
Promise: the items of a page keep their bytes. Reading a page or what it was unfolded to gives the same nouns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Raw

from imconvert.errors import Rejected
from imconvert.model import MAX_DEPTH, Notes, Noun, Skip, depth_exceeds
from imconvert.vendors import lenient
from imconvert.vendors.lenient import shown
from imconvert.vendors.values import word

REQUEST, RESPONSE = "request", "response"
NAME = "name"
"""The fact that the name of the file is, where a setting says that it counts."""

_decode = msgspec.json.Decoder().decode
_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MARK = "\u0001item"

MOST_PATHS = 256
"""Addresses of which it is remembered what they say."""


class Asked(NamedTuple):
    """What a page answers: the facts of its request, and those that its address and its file's name tell."""

    facts: Mapping[str, Any]
    page: str

    def whose(self, *names: str) -> str:
        """The first of these facts that is there. Raises Rejected IMC-2601 where none is."""
        for name in names:
            value = self.facts.get(name)
            if value is not None and value != "":
                return word(value, name)
        raise Rejected("IMC-2601", page=self.page, names=" or ".join(names))

    def known(self, *names: str) -> str | None:
        """The first of these facts that is there, if any is."""
        return next((str(found) for name in names if (found := self.facts.get(name)) not in (None, "")), None)


ReadItem = Callable[[Any, Asked], Iterable[Noun]]


class Items(NamedTuple):
    """The items at a dotted path of an answer ("" is the answer itself): an array, one object, or, if `keyed`, an
    object whose values they are; then an item is the pair of key and value.

    `read(item, asked)` gives what an item says. `inner` are arrays inside of an item that have items of their own, for
    which the facts of the item named in `keep` are asked facts, too. `known` are the keys that the documents name.
    """

    path: str
    read: ReadItem
    keyed: bool = False
    inner: tuple[Items, ...] = ()
    keep: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()


class Page(NamedTuple):
    """An answer that is known: it has one of its items' paths, and all of `has`; `url`, if there is one, matches the
    path that was asked, and its named groups are facts."""

    name: str
    items: tuple[Items, ...]
    has: tuple[str, ...] = ()
    url: str = ""


class Shelf(NamedTuple):
    """All pages of a vendor. `address` are the keys of an answer that may say which path was asked; `trouble(answer)`
    says what is wrong with an answer that is an error."""

    pages: tuple[Page, ...]
    address: tuple[str, ...] = ()
    trouble: Callable[[dict[str, Any]], str | None] = lambda answer: None


def at(value: Any, path: str) -> Any:
    """What stands at a dotted path of keys; None where nothing does."""
    for key in path.split(".") if path else ():
        value = value.get(key) if value.__class__ is dict else None
    return value


class Found(NamedTuple):
    """A record that is a page: its description, the answer in it, what was asked, and where the answer stands."""

    page: Page
    answer: dict[str, Any]
    asked: Asked
    prefix: str


class Finder:
    """Finds which page of a shelf a record is. What the path of an address says stands in many records one after the
    other, and is found out once for all of them."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.on_paths: dict[str, list[tuple[Page, dict[str, str]]]] = {}

    def found(self, top: dict[str, Any], file_name: str | None = None) -> Found | None:
        """Which page a record is, if it is one."""
        inside = top.get(RESPONSE)
        answer, prefix = (inside, RESPONSE) if inside.__class__ is dict and REQUEST in top else (top, "")
        facts, url = _request(top.get(REQUEST))
        url = next((value for key in self.shelf.address if isinstance(value := answer.get(key), str)), url)
        if file_name is not None:
            facts[NAME] = file_name
        for page, groups in self.on_paths.get(url) or self._on_path(url):
            if _holds(page, answer):
                return Found(page, answer, Asked({**facts, **groups}, page.name), prefix)
        return None

    def _on_path(self, url: str) -> list[tuple[Page, dict[str, str]]]:
        """The pages that the path of an address allows, with the facts in it."""
        path = _split(url).path
        fitting = [(page, groups) for page in self.shelf.pages if (groups := _facts_in(path, page)) is not None]
        if len(self.on_paths) >= MOST_PATHS:
            self.on_paths.clear()
        self.on_paths[url] = fitting
        return fitting


def _request(request: Any) -> tuple[dict[str, Any], str]:
    """The facts of a request, and the address that it went to."""
    if request.__class__ is dict:
        return dict(request), str(request.get("url", ""))
    if not isinstance(request, str):
        return {}, ""
    if "/" in request.split("?", 1)[0]:
        return dict(parse_qsl(_split(request).query)), request
    return dict(parse_qsl(request)), ""


def _split(url: str) -> SplitResult:
    """An address in its parts; an empty one for what is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


@cache
def _pattern(url: str) -> re.Pattern[str]:
    return re.compile(url)


def _facts_in(path: str, page: Page) -> dict[str, str] | None:
    """The facts in a path that a page may have; None where it may not."""
    if not page.url:
        return {}
    match = _pattern(page.url).search(path)
    return match and {name: unquote(value) for name, value in match.groupdict().items() if value}


def _holds(page: Page, answer: dict[str, Any]) -> bool:
    """Whether an answer has what a page has."""
    if page.has and not all(at(answer, path) is not None for path in page.has):
        return False
    return any(at(answer, items.path) is not None for items in page.items)


# --- reading --------------------------------------------------------------------------------------------


def reader(shelf: Shelf, notes: Notes, file_name: str | None = None) -> Callable[[bytes], tuple[Noun, ...] | Skip]:
    """The function that reads one record. It raises Rejected with codes of the 2xxx family."""
    finder = Finder(shelf)

    def read(raw: bytes) -> tuple[Noun, ...] | Skip:
        top = lenient.parse(raw, notes)
        page = finder.found(top, file_name)
        inner = top.get(RESPONSE) if REQUEST in top else top
        trouble = shelf.trouble(inner) if inner.__class__ is dict else None
        if trouble:
            raise Rejected("IMC-2600", found=trouble)
        if page is None:
            raise Rejected("IMC-2602", keys=shown(sorted(top), 200))
        nouns = tuple(_nouns(page, notes))
        return nouns or Skip("IMC-8181", {"page": page.page.name})

    return read


def _nouns(page: Found, notes: Notes) -> Iterator[Noun]:
    for items in page.page.items:
        for item in _items(items, at(page.answer, items.path)):
            yield from _of_item(items, item, page.asked, notes)


def _items(items: Items, value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    if items.keyed:
        return list(value.items()) if value.__class__ is dict else ()
    return value if value.__class__ is list else [value]


def _of_item(items: Items, item: Any, asked: Asked, notes: Notes) -> Iterator[Noun]:
    own = item
    if item.__class__ is dict:
        inner = [name for one in items.inner if (name := one.path) in item]
        own = {key: value for key, value in item.items() if key not in inner} if inner else item
        if items.known and not items.known >= own.keys():
            notes.novel.extend(("key", f"{asked.page}.{key}") for key in own if key not in items.known)
        if inner and own.keys() <= set(items.keep):
            own = None
    if own is not None:
        yield from items.read(own, asked)
    for one in items.inner:
        more = at(item, one.path) if item.__class__ is dict else None
        if more is not None:
            around = Asked({**asked.facts, **{key: item[key] for key in items.keep if key in item}}, asked.page)
            for piece in _items(one, more):
                yield from _of_item(one, piece, around, notes)


# --- unfolding ------------------------------------------------------------------------------------------


def unfolded(finder: Finder, raw: bytes) -> list[tuple[int, bytes]] | None:
    """The pages with one item each that a page stands for, with their offsets in it; None where it is not to be cut.

    What can't be parsed strictly is not cut: reading says what is wrong with it.
    """
    if depth_exceeds(raw, MAX_DEPTH):
        return None
    try:
        top = _decode(raw)
        page = finder.found(top) if top.__class__ is dict else None
        if page is None or not _is_many(page):
            return None
        return list(_cut(page, top, raw))
    except _REFUSED:
        return None


def _is_many(page: Found) -> bool:
    """Whether there is more than one item, or one with items inside."""
    count = 0
    for items in page.page.items:
        for item in _items(items, at(page.answer, items.path)):
            count += 1
            if count > 1 or (item.__class__ is dict and any(at(item, one.path) for one in items.inner)):
                return True
    return False


def _cut(page: Found, top: dict[str, Any], raw: bytes) -> Iterator[tuple[int, bytes]]:
    lists = [items for items in page.page.items if at(page.answer, items.path) is not None]
    for items in lists:
        whole = f"{page.prefix}.{items.path}".strip(".")
        others = [f"{page.prefix}.{one.path}".strip(".") for one in lists if one is not items]
        before, after = _frame(top, whole, others, keyed=items.keyed)
        begin = 0
        for item in _raw_items(items, _raw_at(raw, whole)):
            begin = max(raw.find(item.key or item.data, begin), 0)
            for piece in _pieces(items, item.data):
                yield begin, b"%b%b%b%b" % (before, item.key, piece, after)
            begin += 1


class _Item(NamedTuple):
    data: bytes
    key: bytes = b""


def _raw_at(raw: bytes, path: str) -> bytes:
    found = raw
    for key in path.split(".") if path else ():
        found = bytes(_decode_object(found)[key])
    return found


def _raw_items(items: Items, data: bytes) -> Iterator[_Item]:
    if items.keyed:
        for key, value in _decode_object(data).items():
            yield _Item(bytes(value), _encode(key) + b":")
    elif data.lstrip().startswith(b"["):
        for value in _decode_list(data):
            yield _Item(bytes(value))
    else:
        yield _Item(data)


def _frame(top: dict[str, Any], path: str, without: list[str], *, keyed: bool) -> tuple[bytes, bytes]:
    """What stands before and behind the items at `path` in a page that has no other ones."""
    if not path:
        return b"", b""
    frame = _with(top, path.split("."), {_MARK: 0} if keyed else [_MARK])
    for other in without:
        frame = _with(frame, other.split("."), None)
    mark = _encode(_MARK) + (b":0" if keyed else b"")
    before, _, after = _encode(frame).partition(mark)
    return before, after


def _with(value: dict[str, Any], keys: list[str], new: Any) -> dict[str, Any]:
    """The object with another value at a path of keys, or without it."""
    first, *rest = keys
    if rest:
        return {**value, first: _with(value[first], rest, new)}
    if new is None:
        return {key: one for key, one in value.items() if key != first}
    return {**value, first: new}


def _pieces(items: Items, data: bytes) -> Iterator[bytes]:
    """An item, or, where it has items inside, itself without them and one with each of them."""
    names = {one.path: one for one in items.inner}
    inside = _decode_object(data) if names and data.lstrip().startswith(b"{") else {}
    lists = {name: value for name, value in inside.items() if name in names}
    if not lists:
        yield data
        return
    own = {key: value for key, value in inside.items() if key not in lists}
    if not own.keys() <= set(items.keep):
        yield _encode(own)
    kept = {key: inside[key] for key in items.keep if key in inside and key not in lists}
    for name, value in lists.items():
        for item in _raw_items(names[name], bytes(value)):
            for piece in _pieces(names[name], item.data):
                inner = b"{%b%b}" % (item.key, piece) if names[name].keyed else b"[%b]" % piece
                yield _encode({**kept, name: Raw(inner)})
