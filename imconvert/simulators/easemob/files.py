"""Files of messages: upload, download, lifetime (easemob.md §2.3, §4.9)."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

from imconvert.simulators.core.calls import Answer, Call
from imconvert.simulators.easemob.answers import body_of, fail, illegal

TABLES = """
CREATE TABLE lifetimes (id TEXT PRIMARY KEY, lifetime TEXT NOT NULL) WITHOUT ROWID;
"""
MOST = 10 << 20
LIFETIMES = ("forever", "refresh", "default")


def upload(call: Call) -> Mapping[str, Any]:
    """§4.9: multipart, part `file`, at most 10 MB."""
    if call.kind != "multipart/form-data":
        fail(call, 415, "unsupported_media_type", "Content-Type must be multipart/form-data")
    part = call.multipart().get("file")
    if part is None:
        illegal(call, "file must be provided")
    if len(part.content) > MOST:
        fail(call, 413, "payload_too_large", "the file is larger than 10 MB")
    number = call.desk.store.next("file")
    identity = str(UUID(bytes=sha256(f"file/{number}".encode()).digest()[:16], version=1))
    secret = sha256(f"secret/{identity}".encode()).hexdigest()[:36]
    restricted = secret if "restrict-access" in call.headers else None
    row = (identity, part.name, part.type, part.content, restricted, call.now)
    call.desk.store.run("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", row)
    return {"entities": [{"uuid": identity, "type": "chatfile", "share-secret": secret}]}


def download(call: Call) -> Answer:
    """§2.3: a restricted file needs its secret; after some days it is gone."""
    query = "SELECT name, type, bytes, secret, at, id FROM files WHERE id = ?"
    row = call.desk.store.one(query, call.parts["file"])
    if row is None:
        fail(call, 404, "entity_not_found", "Entity not found")
    kept = call.desk.store.one("SELECT lifetime FROM lifetimes WHERE id = ?", row[5])
    days = call.desk.number("file_days")
    if days and call.now - row[4] > days * 86_400_000 and not (kept and kept[0] == "forever"):
        fail(call, 404, "file_expired", "the file has expired")
    given = call.headers.get("share-secret", call.query.get("share-secret"))
    if row[3] is not None and given != row[3]:
        fail(call, 401, "unauthorized", "the share-secret is missing or wrong")
    return Answer(200, row[2], "200", row[1])


def set_lifetime(call: Call) -> Mapping[str, Any]:
    """§4.9: at most 100 files."""
    body = body_of(call)
    lifetime, files = body.get("lifetime"), body.get("chatfile_ids")
    if lifetime not in LIFETIMES:
        illegal(call, f"lifetime is one of {', '.join(LIFETIMES)}")
    if not isinstance(files, list) or not 1 <= len(files) <= 100:
        illegal(call, "chatfile_ids are 1 to 100 files")
    rows: Any = [(str(one), lifetime) for one in files]
    call.desk.store.many("INSERT OR REPLACE INTO lifetimes VALUES (?, ?)", rows)
    return {"data": {"result": "success"}}
