"""Clients of the simulators, written from the vendors' documents alone: they share no code with either side."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import TLSSigAPIv2
from support.simulated import Simulated

KEY = "0123456789abcdef0123456789abcdef"
TEXT = [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "早"}}]
SERVICES = {
    "im_open_login_svc": ("multiaccount_import", "account_import", "account_check"),
    "profile": ("portrait_set", "portrait_get"),
    "sns": ("friend_import", "friend_get", "black_list_add", "black_list_get"),
    "open_msg_svc": ("get_history",),
    "openim": ("importmsg", "sendmsg", "admin_set_msg_read", "admin_getroammsg"),
}
SERVICE_OF = {name: service for service, names in SERVICES.items() for name in names}


def usersig(user: str = "administrator", *, app: int = 1400000000, key: str = KEY, expire: int = 86_400) -> str:
    """As the vendor's own package makes it."""
    return str(TLSSigAPIv2.TLSSigAPIv2(app, key).gen_sig(user, expire))


class Client:
    """What all of them need: an httpx client that takes nothing from the environment."""

    def __init__(self, sim: Simulated, base: str = "") -> None:
        self.sim = sim
        self.http = httpx.Client(base_url=sim.url + base, trust_env=False, timeout=60)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()


class Tencent(Client):
    """tencent.md §1.1."""

    def query(self, **changes: str) -> dict[str, str]:
        found = {"sdkappid": "1400000000", "identifier": "administrator", "random": "99", "contenttype": "json"}
        query = found | ({} if "usersig" in changes else {"usersig": usersig()}) | changes
        return {name: value for name, value in query.items() if value != "-"}

    def send(self, name: str, body: Any, **changes: str) -> httpx.Response:
        service = SERVICE_OF.get(name, "group_open_http_svc")
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(f"/v4/{service}/{name}", params=self.query(**changes), content=content)

    def call(self, name: str, body: Any, **changes: str) -> Any:
        reply = self.send(name, body, **changes)
        assert reply.status_code == 200
        return reply.json()

    def code(self, name: str, body: Any, **changes: str) -> int:
        found = self.call(name, body, **changes)
        assert (found["ErrorCode"] == 0) is (found["ActionStatus"] == "OK")
        return int(found["ErrorCode"])

    def accounts(self, *users: str) -> None:
        assert self.call("multiaccount_import", {"Accounts": list(users)}).get("FailAccounts") is None

    def message(self, number: int, **changes: Any) -> dict[str, Any]:
        found = {"SyncFromOldSystem": 2, "From_Account": "ann", "To_Account": "bob", "MsgSeq": number, "MsgRandom": 7,
                 "MsgTimeStamp": 1_700_000_000, "MsgBody": TEXT}  # fmt: skip
        return {name: value for name, value in (found | changes).items() if value is not None}


class Easemob(Client):
    """easemob.md §1: a token first."""

    def __init__(self, sim: Simulated) -> None:
        super().__init__(sim, "/rehearsal/app")
        self.grant()

    def grant(self, **changes: Any) -> httpx.Response:
        body = {"grant_type": "client_credentials", "client_id": "YXA6simulated-id",
                "client_secret": "YXA6simulated-secret", **changes}  # fmt: skip
        reply = self.http.post("/token", json=body)
        if reply.status_code == 200:
            self.http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        return reply

    def send(self, method: str, path: str, **how: Any) -> httpx.Response:
        return self.http.request(method, path, **how)

    def call(self, method: str, path: str, body: Any = None, **how: Any) -> Any:
        reply = self.send(method, path, **({"json": body} if body is not None else {}), **how)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def error(self, method: str, path: str, body: Any = None, **how: Any) -> tuple[int, str]:
        """Status and type of an error."""
        reply = self.send(method, path, **({"json": body} if body is not None else {}), **how)
        return reply.status_code, reply.json().get("error", "")

    def users(self, *names: str) -> None:
        self.call("POST", "/users", [{"username": name, "password": "p"} for name in names])

    def group(self, owner: str, *members: str, **changes: Any) -> str:
        body = {"groupname": "g", "public": True, "owner": owner, "members": list(members), **changes}
        return str(self.call("POST", "/chatgroups", body)["data"]["groupid"])

    def message(self, at: int, **changes: Any) -> dict[str, Any]:
        found = {"from": "ann", "target": "bob", "type": "txt", "body": {"msg": "早"}, "msg_timestamp": at}
        return {name: value for name, value in (found | changes).items() if value is not None}

    def roaming(self, kind: str, body: Any) -> httpx.Response:
        return self.http.post(f"{self.sim.url}/api/server/v6/rehearsal/app/roaming/{kind}", json=body)


class RongCloud(Client):
    """rongcloud.md §1."""

    numbers = count(1)

    def headers(self, prefix: str = "", **changes: str) -> dict[str, str]:
        now, nonce = str(int(time.time() * 1000)), f"n{next(self.numbers)}"
        digest = hashlib.sha1(f"simulated-secret{nonce}{now}".encode()).hexdigest()
        found = {"App-Key": "simulated-key", "Nonce": nonce, "Timestamp": now, "Signature": digest} | changes
        return {prefix + name: value for name, value in found.items()}

    def send(self, path: str, form: Iterable[tuple[str, Any]] | Mapping[str, Any], **changes: str) -> httpx.Response:
        pairs = list(form.items()) if isinstance(form, Mapping) else list(form)
        flat = [(name, one) for name, value in pairs for one in (value if isinstance(value, list) else [value])]
        headers = {**self.headers(**changes), "Content-Type": "application/x-www-form-urlencoded"}
        return self.http.post(f"/{path}.json", content=urlencode(flat), headers=headers)

    def call(self, path: str, **form: Any) -> Any:
        reply = self.send(path, form)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def error(self, path: str, **form: Any) -> tuple[int, int]:
        """Status and code."""
        reply = self.send(path, form)
        return reply.status_code, int(reply.json()["code"])

    def query(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(f"/{path}.json", json=body, headers=self.headers())

    def users(self, *names: str) -> None:
        for name in names:
            self.call("user/getToken", userId=name, name=name)


class Yunxin(Client):
    """yunxin.md §4.1. `ahead` is how far its clock is, in seconds."""

    numbers = count(1)
    ahead = 0

    def headers(self, **changes: str) -> dict[str, str]:
        now, nonce = str(int(time.time()) + self.ahead), f"n{next(self.numbers)}"
        digest = hashlib.sha1(f"simulated-secret{nonce}{now}".encode()).hexdigest()
        return {"AppKey": KEY, "Nonce": nonce, "CurTime": now, "CheckSum": digest} | changes

    def send(self, path: str, form: Mapping[str, Any], **changes: str) -> httpx.Response:
        pairs = {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in form.items()}
        return self.http.post(f"/nimserver/{path}.action", data=pairs, headers=self.headers(**changes))

    def call(self, path: str, **form: Any) -> Any:
        """The answer of a v1 call, whose code is not looked at."""
        form = {name.rstrip("_"): value for name, value in form.items()}
        reply = self.send(path, form)
        assert reply.status_code == 200
        return reply.json()

    def code(self, path: str, **form: Any) -> int:
        return int(self.call(path, **form)["code"])

    def v2(self, method: str, path: str, body: Any = None, *, version: str = "v2", **query: Any) -> Any:
        how = {"json": body} if body is not None else {}
        reply = self.http.request(method, f"/im/{version}/{path}", params=query, headers=self.headers(), **how)
        assert reply.status_code == 200
        return reply.json()

    def accounts(self, *names: str) -> None:
        assert [200] * len(names) == [self.code("user/create", accid=name) for name in names]

    def team(self, owner: str, *members: str) -> str:
        made = self.call("team/create", tname="t", owner=owner, members=list(members), msg="hi", magree=0, joinmode=0)
        return str(made["tid"])


def conversation(owner: str, kind: int, other: str) -> str:
    return quote(f"{owner}|{kind}|{other}", safe="")
