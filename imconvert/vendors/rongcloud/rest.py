"""RongCloud's server API as a REST target for users, groups and relations (rongcloud.md §1, §4.2, §6).

Messages don't go this way: no call takes one with a past time (§4.1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from imconvert.vendors.calls import (
    Api,
    App,
    Call,
    Field,
    Http,
    Kind,
    Limit,
    Reply,
    Rest,
    Secret,
    Stage,
    Token,
    Verdict,
    answer_of,
    body_of,
    form_of,
    retry_after,
)

FIELDS = (
    Field("appkey", None, "App Key; the App Secret is not kept here"),
    Field("host", "api.rong-api.com", "host of the data centre"),
    Field("url", "", "whole address in place of the host, such as http://127.0.0.1:8080 of a rehearsal"),
)

_NAMES = (
    "user/refresh", "group/create", "group/join", "group/refresh", "group/user/gag/add", "entrust/group/import",
    "entrust/group/join", "entrust/group/manager/add", "friend/add", "friend/profile/set", "user/blacklist/add",
    "user/whitelist/add", "conversation/notification/set", "conversation/type/notification/set",
    "user/blockPushPeriod/set", "conversation/top/set",
)  # fmt: skip
_LISTS = {
    "group/create": "userId", "group/join": "userId", "group/user/gag/add": "userId", "entrust/group/join": "userIds",
    "user/blacklist/add": "blackUserId", "user/whitelist/add": "whiteUserId",
}  # fmt: skip

APIS = (
    Api("user/getToken.json", Limit(200), safe=True, body="repeated"),
    *(Api(f"{name}.json", Limit(100), items=_LISTS.get(name), safe=True, body="repeated") for name in _NAMES),
)
"""§4.2: all of them set something, and may be said twice."""

STAGES = (
    Stage("accounts", ("user/getToken.json",)),
    Stage("profiles", ("user/refresh.json", "user/blockPushPeriod/set.json")),
    Stage("friends", ("friend/add.json",)),
    Stage("remarks", ("friend/profile/set.json",)),
    Stage("blocks", ("user/blacklist/add.json", "user/whitelist/add.json")),
    Stage("groups", ("group/create.json",)),
    Stage("members", ("group/join.json", "group/refresh.json")),
    Stage("hosted-groups", ("entrust/group/import.json", "entrust/group/join.json")),
    Stage("group-roles", ("entrust/group/manager/add.json", "group/user/gag/add.json")),
    Stage("conversations", (
        "conversation/notification/set.json", "conversation/type/notification/set.json", "conversation/top/set.json",
    )),
)  # fmt: skip

_KINDS: Mapping[Kind, tuple[int, ...]] = {
    Kind.DONE: (200, 1015),
    Kind.UNCLEAR: (1000, 1050),
    Kind.THROTTLE: (1008,),
    Kind.REAUTH: (1001, 1004),
    Kind.STOP: (404, 1006, 1007, 1009, 1010, 1011, 2007),
    Kind.DEPENDENCY: (400,),
}
KINDS: Mapping[int, Kind] = {code: kind for kind, codes in _KINDS.items() for code in codes}
"""§6; what is named nowhere is an item that can't go in."""


def signature(secret: str, nonce: str, now: int) -> str:
    """Lower-case hex SHA1 of App Secret, Nonce and Timestamp, in this order (§1)."""
    return hashlib.sha1(f"{secret}{nonce}{now}".encode()).hexdigest()


def identity(app: App) -> str:
    return f"rongcloud {app.values['appkey']}"


def address(app: App) -> str:
    return str(app.values["url"] or f"https://{app.values['host']}").rstrip("/")


def prepare(app: App, api: Api, call: Call, token: Token, *, now: float, nonce: int) -> Http:
    """The exact request, a form; the time is in milliseconds (§1)."""
    kind, content = form_of(call.body, repeat=True)
    at = int(now * 1000)
    proof = signature(app.secret.reveal(), str(nonce), at)
    headers = (
        ("App-Key", str(app.values["appkey"])), ("Nonce", str(nonce)), ("Timestamp", str(at)), ("Signature", proof),
        ("Content-Type", kind),
    )  # fmt: skip
    return Http("POST", f"{address(app)}/{call.path or api.name}", headers, content, (proof, app.secret.reveal()))


def read(app: App, api: Api, call: Call, reply: Reply) -> Verdict:
    """What an answer means: the code inside, else the status (§6)."""
    found = answer_of(reply)
    code = found.get("code") if found else None
    if reply.status == 429 or code == 1008:
        return Verdict(Kind.THROTTLE, str(code or "HTTP 429"), "", retry_after(reply))
    if found is None or not isinstance(code, int):
        stops = {401: Kind.REAUTH, 403: Kind.STOP, 404: Kind.STOP, 405: Kind.STOP, 430: Kind.STOP}
        return Verdict(stops.get(reply.status, Kind.UNCLEAR), f"HTTP {reply.status}", "no answer of the API's")
    kind = Kind.UNCLEAR if reply.status >= 500 else KINDS.get(code, Kind.ITEM)
    if kind is Kind.DONE:
        return Verdict(kind, token=_token(call, found))
    return Verdict(kind, str(code), str(found.get("errorMessage", "")))


def _token(call: Call, found: Mapping[str, object]) -> tuple[str, Secret] | None:
    """The token that registering gives (§4.2)."""
    token = found.get("token")
    return (str(body_of(call).get("userId", "")), Secret(token)) if isinstance(token, str) and token else None


REST = Rest(
    title="RongCloud 融云",
    apis={api.name: api for api in APIS},
    stages=STAGES,
    fields=FIELDS,
    secret_env="IMCONVERT_RONGCLOUD_SECRET",
    identity=identity,
    address=address,
    prepare=prepare,
    read=read,
    no_messages="IMC-7282",
)
