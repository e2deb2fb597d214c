"""Say from a file's first bytes whose export it is, and whether it is lines or one document.

Strategy: the first records are parsed leniently and shown to every vendor; a document too long for its head is told by
the brackets and keys of its beginning, which needs no end. Names of files are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from imconvert.errors import InputError, UsageError
from imconvert.sources import whole
from imconvert.sources.containers import Limits, read_head, sniff
from imconvert.sources.documents import begins_with_array
from imconvert.sources.inputs import STDIN, Input
from imconvert.sources.records import Batch
from imconvert.sources.whole import is_spread
from imconvert.vendors.contract import Documents, Vendor

HEAD = 1 << 18
RECORDS = 20
FILES = 16
"""How much of a file, how many of its records and how many files are looked at."""


def is_document(path: Path, documents: Documents) -> bool:
    """Whether a plain file is a JSON document as described, not lines of records."""
    head = read_head(path, HEAD)
    return is_spread(head) if documents.whole else begins_with_array(head, documents)


def detect(inputs: list[Input], vendors: tuple[Vendor, ...], limits: Limits) -> Vendor:
    """The one vendor whose export the inputs are. Raises UsageError IMC-1002 or IMC-1003."""
    seen, label = "nothing", ""
    matching: dict[str, Vendor] = {}
    for source in _some(inputs):
        try:
            head = sniff(Path(source.path), source.label, limits, HEAD, member=source.member)
        except InputError:  # named by the run, which reads what can be read
            continue
        if head.strip() and not label:
            label, seen = source.label, _shown(head)
        matching |= {vendor.name: vendor for vendor in matches(head, vendors)}
    if len(matching) == 1:
        return next(iter(matching.values()))
    if matching:
        raise UsageError("IMC-1003", label, matches=", ".join(sorted(matching)), seen=seen)
    raise UsageError("IMC-1002", label or None, seen=seen, vendors=", ".join(v.name for v in vendors))


def _some(inputs: list[Input]) -> list[Input]:
    """Up to FILES of the inputs, spread evenly; standard input can't be looked at twice."""
    files = [source for source in inputs if source.path != STDIN]
    step = max(1, -(-len(files) // FILES))
    return files[::step]


def matches(head: bytes, vendors: tuple[Vendor, ...]) -> list[Vendor]:
    """The vendors that one of the first records, or the document as a whole, looks like."""
    lines = head.split(b"\n")[:RECORDS]
    documents = [batch.records[0] for batch in _first_documents(head)] if is_spread(head) else []
    return [
        vendor
        for vendor in vendors
        if (vendor.documents and not vendor.documents.whole and begins_with_array(head, vendor.documents))
        or any(map(vendor.looks_like, filter(None, map(vendor.peek, [*lines, *documents]))))
    ]


def _first_documents(head: bytes) -> Iterator[Batch]:
    """The documents that are whole in the beginning of a file."""
    try:
        yield from whole.documents(iter([head]), "")
    except InputError:
        return


def _shown(head: bytes) -> str:
    text = head[:200].decode("utf-8", "replace").strip()
    return repr(text[:80])
