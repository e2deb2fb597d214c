"""Put ids that the target gave out while loading into a call that was written before they were known."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from imconvert.vendors.calls import Call, Kind, Verdict

PATH = "path"
"""Stands for the path of the call in `Call.ids`, where `{}` is filled in."""


def filled(call: Call, target_of: Callable[[str, str], str | None]) -> Call | Verdict:
    """The call with its ids; a verdict where the target has not given one out (IMC-7215)."""
    body = msgspec.json.decode(call.body)
    path = call.path
    for field, (kind, source) in call.ids.items():
        target = target_of(kind, source)
        if target is None:
            return Verdict(Kind.DEPENDENCY, "IMC-7215", f"no id of the target is known for {kind} {source}")
        if field == PATH:
            path = path.replace("{}", target)
        else:
            body[field] = target
    return msgspec.structs.replace(call, body=Raw(msgspec.json.encode(body)), path=path, ids={})
