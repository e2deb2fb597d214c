"""UserSig, the proof that a call comes from the app's administrator (tencent.md §1.3)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib

_OUTER = str.maketrans("+/=", "*-_")


def user_sig(sdkappid: int, key: str, user: str, *, now: int, expire: int) -> str:
    """The UserSig of `user` from `now` (seconds since 1970) for `expire` seconds."""
    fields = {"identifier": user, "sdkappid": sdkappid, "time": now, "expire": expire}
    text = "".join(f"TLS.{name}:{value}\n" for name, value in fields.items())
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    outer = {
        "TLS.ver": "2.0",
        **{f"TLS.{name}": value for name, value in fields.items()},
        "TLS.sig": base64.b64encode(digest).decode(),
    }
    packed = zlib.compress(json.dumps(outer, separators=(",", ":")).encode())
    return base64.b64encode(packed).decode().translate(_OUTER)
