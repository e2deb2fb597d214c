"""Open the wrapping that content without a type of Yunxin's has in Yunxin lines, for a target that can do better.

A finished output for Yunxin may be an archive that is converted on. What was wrapped there as
`{"v":1,"kind":…,"src":…,"raw":…}` is the content of another vendor again, as if it had come directly.
"""

from __future__ import annotations

from imconvert.model import Custom

_KEYS = ("v", "kind", "src", "raw")
_WRAPPED_BY, _OWN = "yunxin", "custom"


def opened(part: Custom) -> Custom:
    """The content that was wrapped, or the part as it is where it is no wrapping of ours."""
    content = part.content
    if part.vendor != _WRAPPED_BY or part.kind != _OWN or not isinstance(content, dict) or tuple(content) != _KEYS:
        return part
    kind, source = content["kind"], content["src"]
    if content["v"] != 1 or not isinstance(kind, str) or not isinstance(source, str):
        return part
    return Custom(kind, source, content["raw"], part.extra)
