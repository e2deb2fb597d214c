"""Who calls: administrator, application and UserSig in the query (tencent.md §1.1, §1.3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.checks import digits
from imconvert.simulators.core.desk import Desk
from imconvert.simulators.tencent.answers import fail

_ALPHABET = str.maketrans("*-_", "+/=")
_FOREIGN = frozenset("+/=")
_LONGEST = 16 << 10


def authorize(call: Call) -> None:
    """Check what stands in the query. Raises Refused."""
    query, desk = call.query, call.desk
    if call.method != "POST":
        fail(60002, "the method is not POST")
    app = digits(query.get("sdkappid"))
    if app is None:
        fail(60012, "sdkappid is missing in the address")
    if app != desk.number("sdkappid"):
        fail(60006, "the SDKAppID is not valid")
    if query.get("contenttype") != "json":
        fail(60002, "contenttype is not json")
    if digits(query.get("random"), 0, (1 << 32) - 1) is None:
        fail(60002, "random is no unsigned 32-bit number")
    _verify(desk, query.get("identifier", ""), query.get("usersig", ""), call.now // 1000)
    if query["identifier"] != desk.text("identifier"):
        fail(60010, "the identifier is no administrator")


def _verify(desk: Desk, user: str, usersig: str, now: int) -> None:
    if now > _checked(user, usersig, desk.number("sdkappid"), desk.text("key")):
        fail(70001, "the UserSig has expired")


@lru_cache(64)
def _checked(user: str, usersig: str, app: int, key: str) -> int:
    """The second until which this signature holds. Raises Refused."""
    if not usersig:
        fail(70002, "the UserSig is empty")
    found = read_usersig(usersig)
    if found is None:
        fail(70003, "the UserSig cannot be read; it may be cut off")
    if found.get("TLS.identifier") != user:
        fail(70013, "the UserSig is for another identifier")
    if found.get("TLS.sdkappid") != app:
        fail(70014, "the UserSig is for another SDKAppID")
    if not hmac.compare_digest(str(found.get("TLS.sig")), signature(found, key)):
        fail(70009, "the UserSig was made with another key")
    return int(found["TLS.time"]) + int(found["TLS.expire"])


def read_usersig(usersig: str) -> dict[str, Any] | None:
    """The object inside of a UserSig; None if it is none (§1.3, steps 3 to 5). Its alphabet is not that of base64."""
    if not _FOREIGN.isdisjoint(usersig):
        return None
    try:
        packed = base64.b64decode(usersig.translate(_ALPHABET), validate=True)
        found = orjson.loads(zlib.decompressobj().decompress(packed, _LONGEST))
    except (binascii.Error, zlib.error, ValueError):
        return None
    whole = isinstance(found, dict) and all(
        isinstance(found.get(name), int) for name in ("TLS.time", "TLS.expire", "TLS.sdkappid")
    )
    return found if whole else None


def signature(found: Mapping[str, Any], key: str) -> str:
    """The signature that such an object has to have (§1.3, steps 1 and 2)."""
    names = ("TLS.identifier", "TLS.sdkappid", "TLS.time", "TLS.expire")
    lines = [f"{name}:{found[name]}\n" for name in names]
    if "TLS.userbuf" in found:
        lines.append(f"TLS.userbuf:{found['TLS.userbuf']}\n")
    digest = hmac.new(key.encode(), "".join(lines).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
