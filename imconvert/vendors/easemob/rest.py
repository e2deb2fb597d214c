"""Easemob as a REST target: calls, order, token and answers (easemob.md §1, §4, §9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from imconvert.vendors.calls import (
    Api,
    App,
    Call,
    Failed,
    Field,
    Finding,
    History,
    Http,
    Kind,
    Limit,
    Login,
    Reply,
    Rest,
    Secret,
    Stage,
    Token,
    Verdict,
    answer_of,
    body_of,
    form_of,
    outlived,
)
from imconvert.vendors.easemob import readback
from imconvert.vendors.easemob.outcomes import judged

IMPORT = "messages/import"
"""The bucket that both imports share (§4.3, UNCONFIRMED); a limit of its own for one of them sets it apart."""

UPLOAD = "chatfiles"

FIELDS = (
    Field("host", "a1.easemob.com", "host of the app's data centre, as the console shows it"),
    Field("url", "", "whole address in place of the host, such as http://127.0.0.1:8080 of a rehearsal"),
    Field("org", None, "org_name, the first part of the App Key"),
    Field("app", None, "app_name, the second part of the App Key"),
    Field("client_id", None, "id of the client; its secret is not kept here"),
    Field("ttl", 604_800, "seconds that a token is asked for"),
    Field("query", "roaming", "how unknown messages are found: roaming, or none"),
    Field("retention_days", 7, "days for which the plan keeps messages: 3, 7, 90 or 180"),
    Field("group_times", "", "lifted if the vendor lets group messages in that are older than their group"),
)

_ONE, _USERS = Limit(100), "users"

APIS = (
    Api("users", _ONE, _USERS, items="", safe=True),
    Api("users/profile", _ONE, safe=True, method="PUT", body="form"),
    Api("contacts/import", _ONE, items="usernames", safe=True),
    Api("contacts/remark", _ONE, safe=True, method="PUT"),
    Api("blocks", _ONE, items="usernames", safe=True),
    Api("chatgroups", _ONE, gives="group"),
    Api("chatgroups/members", _ONE, items="usernames", safe=True),
    Api("chatgroups/admin", _ONE, safe=True),
    Api("chatgroups/mute", _ONE, items="usernames", safe=True),
    Api("chatgroups/ban", _ONE, safe=True),
    Api("chatgroups/announcement", _ONE, safe=True),
    Api("chatgroups/blocks", _ONE, items="usernames", safe=True),
    Api("chatgroups/member-profile", _ONE, safe=True, method="PUT"),
    Api("users/notification", _ONE, _USERS, safe=True, method="PUT"),
    Api("messages/users/import", _ONE, IMPORT, ordered=True, query=readback.PAIR),
    Api("messages/chatgroups/import", _ONE, IMPORT, ordered=True, query=readback.GROUP),
    Api(UPLOAD, _ONE, safe=True, gives="file", body="file"),
    Api(readback.ROAMING_PAIR, _ONE, safe=True),
    Api(readback.ROAMING_GROUP, _ONE, safe=True),
)

STAGES = (
    Stage("accounts", ("users",)),
    Stage("profiles", ("users/profile",)),
    Stage("friends", ("contacts/import",)),
    Stage("remarks", ("contacts/remark",)),
    Stage("blocks", ("blocks",)),
    Stage("groups", ("chatgroups",)),
    Stage("members", ("chatgroups/members",)),
    Stage("group-roles", (
        "chatgroups/admin", "chatgroups/mute", "chatgroups/ban", "chatgroups/announcement", "chatgroups/blocks",
        "chatgroups/member-profile",
    )),
    Stage("messages", ("messages/users/import", "messages/chatgroups/import")),
    Stage("push", ("users/notification",)),
)  # fmt: skip
"""The order of §4.1. A call whose path has a user or a group in it says its path in its line."""


def identity(app: App) -> str:
    return f"easemob {app.values['org']}#{app.values['app']}"


def address(app: App) -> str:
    return str(app.values["url"] or f"https://{app.values['host']}").rstrip("/")


def _base(app: App) -> str:
    return f"{address(app)}/{app.values['org']}/{app.values['app']}"


def prepare(app: App, api: Api, call: Call, token: Token, *, now: float, nonce: int) -> Http:
    """The exact request; a path from the root begins with a slash (§1)."""
    path = call.path or api.name
    url = f"{address(app)}{path}" if path.startswith("/") else f"{_base(app)}/{path}"
    bearer = token.secret.reveal()
    kind, content = _BODIES[api.body](call)
    headers = (("Authorization", f"Bearer {bearer}"), ("Content-Type", kind), ("Accept", "application/json"))
    return Http(api.method, url, headers, content, (bearer, app.secret.reveal()))


def _file(call: Call) -> tuple[str, bytes]:
    """A file as the one part of a multipart body, whose boundary can't stand in it: it is its own hash (§4.9)."""
    name = str(body_of(call).get("name", "file")).replace('"', "_")
    boundary = f"imconvert-{sha256(call.data).hexdigest()}"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    kind = f"multipart/form-data; boundary={boundary}"
    return kind, b"".join((head.encode(), call.data, f"\r\n--{boundary}--\r\n".encode()))


_BODIES: Mapping[str, Callable[[Call], tuple[str, bytes]]] = {
    "json": lambda call: ("application/json", bytes(call.body)),
    "form": lambda call: form_of(call.body),
    "file": _file,
}


def _ask_token(app: App) -> Http:
    """POST /token (§1)."""
    body = {"grant_type": "client_credentials", "client_id": app.values["client_id"],
            "client_secret": app.secret.reveal(), "ttl": app.values["ttl"]}  # fmt: skip
    headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
    return Http("POST", f"{_base(app)}/token", headers, msgspec.json.encode(body), (app.secret.reveal(),))


def _read_token(reply: Reply, now: float) -> Token | Verdict:
    """The token; `expires_in` is in seconds (§1)."""
    found = answer_of(reply) or {}
    token, seconds = found.get("access_token"), found.get("expires_in")
    if reply.status == 200 and isinstance(token, str) and token:
        return Token(Secret(token), now + seconds if isinstance(seconds, int) and seconds else float("inf"))
    verdict = judged(reply, found)
    again = (Kind.UNCLEAR, Kind.DONE, Kind.REAUTH)
    return verdict._replace(kind=Kind.RETRY) if verdict.kind in again else verdict


def read(app: App, api: Api, call: Call, reply: Reply) -> Verdict:
    """What an answer means: status and error type, then the items (§9)."""
    found = answer_of(reply)
    if reply.status == 200 and found is not None and _fits(api, found):
        return Verdict(Kind.DONE, failed=_items(api, call, found), given=_given(app, api, found))
    verdict = judged(reply, found)
    if reply.status == 400 and verdict.kind is Kind.ITEM and api.items is not None:
        return verdict._replace(kind=Kind.SPLIT)
    if verdict.kind is Kind.DONE and api.gives:
        return verdict._replace(given=str(body_of(call).get("groupid", "")))
    return verdict


def _fits(api: Api, found: Mapping[str, Any]) -> bool:
    """Whether an answer is one to this call, and not one to another: an import gives the message an id (§4.3)."""
    data = found.get("data")
    if api.name == UPLOAD:
        return bool(_file_of(found))
    return not api.ordered or (isinstance(data, dict) and isinstance(data.get("msg_id"), str | int))


def _given(app: App, api: Api, found: Mapping[str, Any]) -> str:
    """The id of a new group, the address of a new file (§4.5, §4.9)."""
    data = found.get("data")
    if api.name == UPLOAD:
        return f"{_base(app)}/{UPLOAD}/{_file_of(found)}"
    return str(data.get("groupid", "")) if api.gives and isinstance(data, dict) else ""


def _file_of(found: Mapping[str, Any]) -> str:
    """The id of an uploaded file; "" where the answer has none."""
    entities = found.get("entities")
    one = entities[0] if isinstance(entities, list) and len(entities) == 1 else None
    return str(one.get("uuid", "")) if isinstance(one, dict) else ""


def _items(api: Api, call: Call, found: Mapping[str, Any]) -> tuple[Failed, ...]:
    reader = _READERS.get(api.name)
    return tuple(reader(call, found.get("data"))) if reader else ()


def _users(call: Call, data: Any) -> list[Failed]:
    """`data` names users with the reason; who exists already is fine (§4.2)."""
    names = [str(one.get("username", "")).lower() for one in msgspec.json.decode(call.body)]
    reasons = {str(one.get("username", "")).lower(): str(one.get("registerUserFailReason", "")) for one in data or ()}
    return [
        Failed(item, Kind.ITEM, "registerUserFailReason", reasons[name])
        for item, name in enumerate(names)
        if name in reasons and "already exists" not in reasons[name]
    ]


_CONTACTS = {"NotExistFailed": Kind.DEPENDENCY, "maxLimitFailed": Kind.ITEM, "UnKnowFailed": Kind.UNCLEAR}


def _contacts(call: Call, data: Any) -> list[Failed]:
    """Lists of names by what went wrong (§4.6)."""
    names = [str(one).lower() for one in body_of(call).get("usernames", [])]
    found = data if isinstance(data, dict) else {}
    return [
        Failed(names.index(str(name).lower()), kind, field, "")
        for field, kind in _CONTACTS.items()
        for name in found.get(field) or ()
        if str(name).lower() in names
    ]


def _blocked(call: Call, data: Any) -> list[Failed]:
    """`result` false for each that could not be blocked (§4.5)."""
    names = [str(one).lower() for one in body_of(call).get("usernames", [])]
    rows = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return [
        Failed(names.index(name), Kind.ITEM, "result false", str(one.get("reason", "")))
        for one in rows
        if one.get("result") is False and (name := str(one.get("user", "")).lower()) in names
    ]


_READERS: Mapping[str, Callable[[Call, Any], list[Failed]]] = {
    "users": _users,
    "contacts/import": _contacts,
    "chatgroups/blocks": _blocked,
}


def checks(app: App, history: History) -> list[Finding]:
    """What stands in the way: groups that are younger than their messages, and retention (§0, §4.3)."""
    found = outlived(app, history)
    group = history.calls.get("messages/chatgroups/import", 0)
    if group and app.values["group_times"] != "lifted":
        found.append(Finding("IMC-7280", {"count": group, "setting": 'group_times = "lifted"'}, True))
    return found


REST = Rest(
    title="Easemob 环信",
    apis={api.name: api for api in APIS},
    stages=STAGES,
    fields=FIELDS,
    secret_env="IMCONVERT_EASEMOB_SECRET",
    identity=identity,
    address=address,
    prepare=prepare,
    read=read,
    checks=checks,
    login=Login(_ask_token, _read_token),
    uploads=UPLOAD,
)
