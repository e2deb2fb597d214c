"""Whatever is sent, a simulator answers as its vendor would: no request breaks it, which `simulated` asserts."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import pytest
import test_simulator_easemob as of_easemob
import test_simulator_rongcloud as of_rongcloud
import test_simulator_tencent as of_tencent
import test_simulator_yunxin as of_yunxin
from support.simulated import simulated
from support.vendor_calls import Easemob, RongCloud, Tencent, Yunxin

from imconvert.simulators import easemob, rongcloud, tencent
from imconvert.simulators.core.vendor import Vendor
from imconvert.simulators.yunxin import server as yunxin

VALUES: list[Any] = [
    None, True, 0, -1, 5, 1 << 63, 1.5, "", "x", "早" * 9, "\ufffd\x00", "-1", "x" * 2_000, [], [None], [[]], ["x"],
    [{}], [{"x": None}], {}, {"x": None}, {"x": {"x": []}},
]  # fmt: skip
TEXTS = ["", "x", "-1", "1e9", "9" * 20, "[]", "[null]", '["x"]', "{}", '{"x":null}', "null", "早", "\x00", "[[1]]"]
RAW = [b"", b"null", b"[]", b"5", b'"x"', b"{", b"\xff", b"[" * 3_000, b'{"x":' * 1_500, b'{"a":1,"a":2}', b"a=b&a=%ff"]


def mutants(body: Any, values: list[Any]) -> Iterator[Any]:
    """A body with one value after the other in the place of each of its parts, and without each of them."""
    if isinstance(body, dict):
        for name in body:
            yield {other: value for other, value in body.items() if other != name}
            for value in values:
                yield {**body, name: value}
            yield from ({**body, name: mutant} for mutant in mutants(body[name], values))
    elif isinstance(body, list) and body:
        yield from ([mutant, *body[1:]] for mutant in (*values, *mutants(body[0], values)))


def some(found: Iterator[Any], count: int) -> list[Any]:
    """So many of them, always the same."""
    every = list(found)
    return every if len(every) <= count else Random(5).sample(every, count)


def test_tencent() -> None:
    bodies = {name: body for name, body, _ in of_tencent.REFUSALS if isinstance(body, dict)}
    bodies |= {"importmsg": of_tencent.message(MsgBody=[
        {"MsgType": kind, "MsgContent": content} for kind, content in of_tencent.GOOD.items()])}  # fmt: skip
    bodies |= {"friend_get": {"From_Account": "ann", "StartIndex": 0},
               "black_list_get": {"From_Account": "ann", "StartIndex": 0, "MaxLimited": 9}}  # fmt: skip
    with simulated(tencent.VENDOR) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        client.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g"})
        for name, body in bodies.items():
            for mutant in (*RAW, *some(mutants(body, VALUES), 150)):
                assert isinstance(client.code(name, mutant), int)


def test_easemob() -> None:
    with simulated(easemob.VENDOR, settings={"group_ids": "own"}) as sim, Easemob(sim) as client:
        client.users("ann", "bob")
        client.group("ann", "bob", groupid="g")
        for method, path, body, _ in of_easemob.REFUSALS:
            for mutant in (*RAW, *some(mutants(body, VALUES), 25)):
                content = mutant if isinstance(mutant, bytes) else json.dumps(mutant).encode()
                reply = client.send(method, path, content=content)
                assert reply.status_code < 500 and isinstance(reply.json(), dict)
        for kind in ("chat", "group"):
            for mutant in mutants({"username": "ann", "to": "bob", "groupId": "g", "limit": 5, "order": "up",
                                   "cursor": "5_5", "startTimestamp": 5, "endTimestamp": 6}, VALUES):  # fmt: skip
                assert client.roaming(kind, mutant).status_code < 500


@pytest.mark.parametrize(
    "words", ["", "?limit=x", "?cursor=-1", "?pagenum=0", "?limit=5&limit=x", "?cursor=%ff", "?%00"]
)
def test_easemobs_queries(words: str) -> None:
    with simulated(easemob.VENDOR) as sim, Easemob(sim) as client:
        client.users("ann")
        group = client.group("ann")
        for endpoint in easemob.VENDOR.endpoints:
            if endpoint.method == "GET" and not endpoint.public:
                path = endpoint.path.format(user="ann", group=group, kind="user", key="ann", file="x", hour="x")
                assert client.send("GET", path + words).status_code < 500


def test_rongcloud() -> None:
    with simulated(rongcloud.VENDOR) as sim, RongCloud(sim) as client:
        client.users("ann", "bob")
        client.call("group/create", userId=["ann"], groupId="g", groupName="g")
        for path, form, _ in of_rongcloud.REFUSALS:
            for mutant in some(mutants(form, TEXTS), 25):
                assert isinstance(client.send(path, mutant).json()["code"], int)
        body = {"userId": "ann", "targetId": "bob", "startTime": 1, "endTime": 2, "pageSize": 3, "includeStart": True}
        for mutant in mutants(body, VALUES):
            assert client.query("v3/message/private/query", mutant).status_code in (200, 400)


def test_yunxin() -> None:
    with simulated(yunxin.VENDOR) as sim, Yunxin(sim) as client:
        client.accounts("ann", "bob")
        client.team("ann", "bob")
        for path, form, _ in of_yunxin.REFUSALS:
            for mutant in some(mutants(form, TEXTS), 25):
                assert isinstance(client.call(path, **mutant)["code"], int)
        bodies = {
            "accounts": {"account_id": "x", "token": "t", "user_information": {"name": "x", "gender": 1}},
            "friends": {"account_id": "ann", "friend_account_id": "bob", "type": 1, "alias": "x", "extension": "x"},
            "teams": {"owner_account_id": "ann", "team_type": 1, "name": "x", "members_limit": 9,
                      "invite_account_ids": ["bob"], "configuration": {"join_mode": 1}},
            "team_members": {"operator_id": "ann", "team_id": 880011, "team_type": 1, "invite_account_ids": ["bob"]},
            "conversations/ann%7C1%7Cbob/messages": {
                "message": {"message_type": 0, "text": "x", "message_client_id": "c", "attachment": {"url": "x"}},
                "extension": "{}", "route_config": {"route_enabled": True}},
        }  # fmt: skip
        for path, body in bodies.items():
            for mutant in some(mutants(body, VALUES), 150):
                assert isinstance(client.v2("POST", path, mutant)["code"], int)


@pytest.mark.parametrize("vendor", [easemob.VENDOR, yunxin.VENDOR], ids=lambda vendor: vendor.name)
@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=x"]
)
@pytest.mark.parametrize(
    "body", [b"", b"--x--", b"--x\r\n\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--"]
)
def test_forms_with_files(vendor: Vendor, kind: str, body: bytes) -> None:
    with simulated(vendor) as sim:
        if vendor is easemob.VENDOR:
            with Easemob(sim) as client:
                assert (
                    client.send("POST", "/chatfiles", content=body, headers={"Content-Type": kind}).status_code == 400
                )
        else:
            with Yunxin(sim) as other:
                headers = {**other.headers(), "Content-Type": kind}
                reply = other.http.post("/nimserver/msg/fileUpload.action", content=body, headers=headers)
                assert reply.json()["code"] == 414


@pytest.mark.parametrize(
    "bytes_",
    [
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"x" * 100_000,
    ],
)
def test_what_is_no_http(bytes_: bytes) -> None:
    with simulated(tencent.VENDOR) as sim:
        url = httpx.URL(sim.url)
        with socket.create_connection((url.host, url.port or 0), timeout=10) as end:
            end.sendall(bytes_)
            end.shutdown(socket.SHUT_WR)
            while end.recv(65536):
                pass
        assert sim.ask("status")["requests"] == 0


def test_a_request_that_breaks_off_is_none() -> None:
    with simulated(tencent.VENDOR) as sim:
        url = httpx.URL(sim.url)
        with socket.create_connection((url.host, url.port or 0), timeout=10) as end:
            end.sendall(b"POST /v4/openim/importmsg HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert sim.ask("status")["requests"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [("say", b"{"), ("say", b"{}"), ("say", b'{"from":"ann","to":"nobody","text":"x"}'), ("clock", b'{"ahead":-1}'),
     ("import", b"{}"), ("nothing", b"")],
)  # fmt: skip
def test_wrong_questions(path: str, body: bytes) -> None:
    with simulated(tencent.VENDOR) as sim:
        assert httpx.post(f"{sim.url}/_simulator/{path}", content=body, trust_env=False).status_code in (400, 404)
