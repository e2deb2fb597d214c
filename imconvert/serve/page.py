"""The status page for a browser."""

from __future__ import annotations

_PAGE = b"""<!doctype html><meta charset="utf-8"><title>imconvert serve</title><pre>%s</pre>"""


def render(status: bytes = b"null", *, lang: str = "en") -> bytes:
    """The page, with the status as it is now."""
    return _PAGE % status.replace(b"&", b"&amp;").replace(b"<", b"&lt;")


def policy() -> str:
    """The Content-Security-Policy that fits the page."""
    return "default-src 'none'"
