"""The app token: granted for id and secret of the client, then carried as a Bearer (easemob.md §1)."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

from imconvert.simulators.core.calls import Answer, Call, answer
from imconvert.simulators.core.checks import integer
from imconvert.simulators.easemob.answers import APPLICATION, body_of, fail, illegal
from imconvert.simulators.easemob.answers import expired as _expired

TABLES = """
CREATE TABLE tokens (token TEXT PRIMARY KEY, until INTEGER) WITHOUT ROWID;
"""
PREFIX = "YWMt"


def token(call: Call) -> Answer:
    """Grant a token. `ttl` in seconds, 0 for one that never expires (§1)."""
    body, desk = body_of(call), call.desk
    if body.get("grant_type") != "client_credentials":
        fail(call, 400, "unsupported_grant_type", "grant_type must be client_credentials")
    for name in ("client_id", "client_secret"):
        if not isinstance(body.get(name), str) or not body[name]:
            illegal(call, f"{name} must be provided")
        if not hmac.compare_digest(body[name].encode(), desk.text(name).encode()):
            fail(call, 400, "invalid_grant", f"{name} does not match")
    ttl = body.get("ttl", desk.number("token_seconds"))
    if not integer(0, 1 << 40)(ttl):
        illegal(call, "ttl is no number of seconds")
    number = desk.store.next("token")
    found = PREFIX + sha256(f"{desk.text('client_secret')}/{number}/{call.now}".encode()).hexdigest()
    desk.store.run("INSERT INTO tokens VALUES (?, ?)", (found, call.now + ttl * 1000 if ttl else None))
    return answer(200, {"access_token": found, "expires_in": ttl, "application": APPLICATION}, 200)


def authorize(call: Call) -> None:
    """Check the Bearer (§9: missing or expired, of another form, or not ours)."""
    kind, _, given = call.headers.get("authorization", "").partition(" ")
    if not given:
        fail(call, 401, "unauthorized", "Unable to authenticate due to expired access token")
    if kind != "Bearer" or not given.startswith(PREFIX):
        fail(call, 401, "auth_bad_access_token", "Unable to authenticate due to corrupt access token")
    row = call.desk.store.one("SELECT until FROM tokens WHERE token = ?", given)
    if row is None:
        fail(call, 401, "auth_bad_access_token", "Unable to authenticate")
    if row[0] is not None and row[0] <= call.now:
        fail(call, 401, "unauthorized", "Unable to authenticate due to expired access token")


def expired(call: Call) -> Answer:
    """End the token of this call, so that only a new one helps."""
    given: Any = call.headers.get("authorization", "").partition(" ")[2]
    call.desk.store.run("UPDATE tokens SET until = ? WHERE token = ?", (call.now, given))
    return _expired(call)
