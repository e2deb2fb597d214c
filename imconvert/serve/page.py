"""The status page for a browser: one file with its style and its script, and nothing from elsewhere.

Strategy: the asset is read and its inline parts are hashed once; a request only puts the status into it, so that the
first paint is right. After that the page asks `status.json` beside it again and again, under whatever prefix.
Promise: no I/O at request time. The policy allows this very style and this very script, and no other; what stands in
the status reaches the page as data, never as markup.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from imconvert import durable

_ASSET = Path(__file__).with_name("page.html")
_MARKS = re.compile(rb"@(LANG|STATUS)@")


@cache
def _asset() -> bytes:
    found = durable.read_file(_ASSET)
    assert found is not None, "the package is installed without its page"
    return found


def _hash_of(tag: bytes) -> str:
    (content,) = re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), _asset(), re.DOTALL)
    return f"'sha256-{b64encode(sha256(content).digest()).decode()}'"


@cache
def policy() -> str:
    """The Content-Security-Policy that the page needs, and no more than that."""
    rules = {
        "default-src": "'none'",
        "script-src": _hash_of(b"script"),
        "style-src": _hash_of(b"style"),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def render(status: bytes = b"null", *, lang: str = "en") -> bytes:
    """The page as HTML, with `status` (the content of status.json) as what it shows first, in `lang` (en or zh)."""
    told = html.escape(status.decode(), quote=True).encode()
    values = {b"LANG": b"zh" if lang == "zh" else b"en", b"STATUS": told}
    return _MARKS.sub(lambda found: values[found[1]], _asset())
