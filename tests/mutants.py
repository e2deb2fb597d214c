"""Golden lines with damage, for tests that throw them at readers and shortcuts."""

from __future__ import annotations

from golden import cases
from hypothesis import strategies as st
from roads import elements

from imconvert.vendors import ALL, SETTINGS

ELEMENTS = {
    vendor.name: [(head, raw) for case in cases() if case.vendor == vendor.name for file in case.inputs()
                  for head, raw in elements(vendor, file.read_bytes(), file.name) if len(raw) < 4000]
    for vendor in ALL
}  # fmt: skip
SEEDS = {name: [raw for _, raw in found] for name, found in ELEMENTS.items()}
HEADS = {name: sorted({head for head, _ in found} | {b""}) for name, found in ELEMENTS.items()}
"""What golden records are made of, and what stands before them."""

SNIPPETS = [b'"', b"\\", b"{", b"}", b"[", b"null", b"-1", b"1e400", b"9" * 25, b"9" * 5000, b"\\ud83d", b"\xff", b"\0",
            b"\xef\xbb\xbf", b'"\\ud83d"', "“".encode(), b"true", b"1.5", b"[]", b"{}", b'""', b"[" * 80]  # fmt: skip
SETS = st.fixed_dictionaries({}, optional={
    name: st.sampled_from(setting.allowed if isinstance(setting.allowed, tuple) else ("1", "90", "9000"))
    for name, setting in SETTINGS.items()
})  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, vendor: str) -> bytes:
    """A golden line with a few pieces cut out, doubled, or replaced; half of the time whole values are replaced."""
    raw = draw(st.sampled_from(SEEDS[vendor]))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(raw)))
        stop = draw(st.integers(start, min(len(raw), start + 12)))
        piece = draw(st.sampled_from(SNIPPETS) | st.binary(max_size=4))
        raw = raw[:start] + piece + raw[stop:]
    return swapped(draw, raw) if draw(st.booleans()) else raw


def swapped(draw: st.DrawFn, raw: bytes) -> bytes:
    """Put another value behind one of the colons."""
    colons = [place for place, byte in enumerate(raw) if byte == 0x3A and raw[place - 1 : place] == b'"']
    if not colons:
        return raw
    start = draw(st.sampled_from(colons)) + 1
    stop = min([place for mark in b",}" if (place := raw.find(mark, start)) > 0] or [len(raw)])
    return raw[:start] + draw(st.sampled_from(SNIPPETS)) + raw[stop:]
