"""RongCloud's simulator: signatures, provisioning, publishing, queries and the hourly log."""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from zipfile import ZipFile

import pytest
from support.simulated import simulated
from support.vendor_calls import RongCloud

from imconvert.simulators import rongcloud
from imconvert.simulators.rongcloud.answers import sign

TEXT = json.dumps({"content": "早"})


@pytest.fixture
def client() -> Iterator[RongCloud]:
    with simulated(rongcloud.VENDOR) as sim, RongCloud(sim) as found:
        found.users("ann", "bob", "cid")
        found.call("group/create", userId=["ann", "bob"], groupId="g", groupName="G")
        yield found


@pytest.fixture(scope="module")
def one_app() -> Iterator[RongCloud]:
    with simulated(rongcloud.VENDOR) as sim, RongCloud(sim) as found:
        found.users("ann", "bob", "cid")
        found.call("group/create", userId=["ann", "bob"], groupId="g", groupName="G")
        yield found


# --- who calls ---


def test_the_signature_is_sha1_of_three_texts() -> None:
    """rongcloud.md §1: plain concatenation, lower-case hex."""
    assert sign("secret", "14314", "1408706337") == hashlib.sha1(b"secret143141408706337").hexdigest()


@pytest.mark.parametrize("prefix", ["", "RC-"])
@pytest.mark.parametrize("unit", [1, 1000])
def test_headers_with_and_without_prefix_in_both_units(one_app: RongCloud, prefix: str, unit: int) -> None:
    now = str(int(time.time() * unit))
    headers = one_app.headers(prefix, Timestamp=now, Nonce="n", Signature=sign("simulated-secret", "n", now))
    reply = one_app.http.post("/user/info.json", data={"userId": "ann"}, headers=headers)
    assert reply.json()["userName"] == "ann"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Signature": "0" * 40}, 1004),
        ({"Signature": ""}, 1004),
        ({"App-Key": "other"}, 1001),
        ({"Nonce": "x" * 19, "Signature": sign("simulated-secret", "x" * 19, "1"), "Timestamp": "1"}, 1004),
        ({"Timestamp": "now", "Nonce": "x", "Signature": sign("simulated-secret", "x", "now")}, 1004),
    ],
)
def test_a_signature_that_is_refused(one_app: RongCloud, changes: dict[str, str], code: int) -> None:
    reply = one_app.http.post("/user/info.json", data={"userId": "ann"}, headers=one_app.headers(**changes))
    assert (reply.status_code, reply.json()["code"]) == (401, code)


def test_a_clock_may_be_off_only_so_much() -> None:
    with simulated(rongcloud.VENDOR, settings={"clock_skew": "60"}) as sim, RongCloud(sim) as client:
        client.users("ann")
        sim.ahead(61)
        assert client.error("user/info", userId="ann") == (401, 1004)


# --- each documented refusal ---

NOBODY, WRONG, LONG = (400, 400), (400, 1002), (400, 1005)
MANY = [f"u{number}" for number in range(1001)]
PUBLISH = {"fromUserId": "ann", "objectName": "RC:TxtMsg", "content": TEXT}
ENTRUST = {"groupId": "h", "name": "H", "owner": "ann"}
REFUSALS: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    ("user/getToken", {"name": "x"}, WRONG),
    ("user/getToken", {"userId": "x"}, WRONG),
    ("user/getToken", {"userId": "x" * 65, "name": "x"}, LONG),
    ("user/getToken", {"userId": "a b", "name": "x"}, WRONG),
    ("user/getToken", {"userId": "x", "name": "早" * 43}, LONG),
    ("user/getToken", {"userId": "x", "name": "x", "portraitUri": "x" * 1025}, LONG),
    ("user/refresh", {"userId": "nobody", "name": "x"}, NOBODY),
    ("user/info", {"userId": "nobody"}, NOBODY),
    ("user/profile/set", {"userId": "ann", "userProfile": "x"}, WRONG),
    ("user/profile/batch/query", {}, WRONG),
    ("user/blacklist/add", {"userId": "ann", "blackUserId": MANY[:21]}, WRONG),
    ("user/blacklist/add", {"userId": "nobody", "blackUserId": "bob"}, NOBODY),
    ("user/blacklist/remove", {"userId": "ann"}, WRONG),
    ("user/blacklist/query", {}, WRONG),
    ("user/whitelist/add", {"userId": "ann"}, WRONG),
    ("user/whitelist/remove", {"userId": "ann"}, WRONG),
    ("user/whitelist/query", {}, WRONG),
    ("user/blockPushPeriod/set", {"userId": "ann", "startTime": "25:00:00", "period": "5"}, WRONG),
    ("user/blockPushPeriod/set", {"userId": "ann", "startTime": "23:00:00", "period": "1440"}, WRONG),
    ("friend/add", {"userId": "ann", "targetId": "nobody"}, NOBODY),
    ("friend/add", {"userId": "ann", "targetId": "bob", "optType": "3"}, WRONG),
    ("friend/profile/set", {"userId": "ann", "targetId": "cid", "remarkName": "x"}, WRONG),
    ("friend/get", {}, WRONG),
    ("friend/check", {"userId": "ann"}, WRONG),
    ("conversation/notification/set", {"conversationType": "1", "requestId": "ann", "targetId": "bob"}, WRONG),
    ("conversation/notification/set", {"conversationType": 2, "requestId": "a", "targetId": "b", "isMuted": 0}, WRONG),
    ("conversation/type/notification/set", {"conversationType": "1", "requestId": "ann", "unpushLevel": "3"}, WRONG),
    ("conversation/top/set", {"userId": "ann", "conversationType": "1", "targetId": "bob", "setTop": "1"}, WRONG),
    ("group/create", {"userId": "ann", "groupId": "x" * 65, "groupName": "x"}, LONG),
    ("group/create", {"userId": "nobody", "groupId": "x", "groupName": "x"}, NOBODY),
    ("group/join", {"userId": "ann", "groupId": "none", "groupName": "x"}, WRONG),
    ("group/join", {"userId": MANY, "groupId": "g"}, WRONG),
    ("group/quit", {"userId": "ann", "groupId": "none"}, WRONG),
    ("group/refresh", {"groupId": "g"}, WRONG),
    ("group/dismiss", {"userId": "ann", "groupId": "none"}, WRONG),
    ("group/sync", {"userId": "nobody"}, NOBODY),
    ("group/user/query", {"groupId": "none"}, WRONG),
    ("group/user/gag/add", {"userId": "ann", "groupId": "g", "minute": "43201"}, (400, 1003)),
    ("group/user/gag/add", {"userId": MANY[:21], "groupId": "g", "minute": "1"}, WRONG),
    ("entrust/group/create", ENTRUST | {"groupId": "g"}, WRONG),
    ("entrust/group/create", ENTRUST | {"permissions": '{"joinPerm":4}'}, WRONG),
    ("entrust/group/create", ENTRUST | {"groupProfile": '{"introduction":"%s"}' % ("x" * 513)}, LONG),
    ("entrust/group/create", ENTRUST | {"groupExtProfile": '{"key":"x"}'}, WRONG),
    ("entrust/group/create", ENTRUST | {"owner": "nobody"}, NOBODY),
    ("entrust/group/import", ENTRUST, WRONG),
    ("entrust/group/join", {"groupId": "g", "userIds": "cid"}, WRONG),
    ("entrust/group/manager/add", {"groupId": "g", "userIds": "bob"}, WRONG),
    ("message/private/publish", PUBLISH, WRONG),
    ("message/private/publish", PUBLISH | {"toUserId": MANY}, WRONG),
    ("message/private/publish", PUBLISH | {"toUserId": "bob", "content": "x"}, WRONG),
    ("message/private/publish", PUBLISH | {"toUserId": "bob", "objectName": "x" * 33}, LONG),
    ("message/private/publish", PUBLISH | {"toUserId": "bob", "content": json.dumps("x" * (128 << 10))}, LONG),
    ("message/private/publish", PUBLISH | {"toUserId": "bob", "fromUserId": "nobody"}, NOBODY),
    ("message/group/publish", PUBLISH | {"toGroupId": ["g"] * 4}, WRONG),
    ("message/group/publish", PUBLISH | {"toGroupId": "none"}, WRONG),
    ("message/system/publish", PUBLISH | {"toUserId": MANY[:101]}, WRONG),
    ("message/history", {"date": "2024"}, WRONG),
    ("message/history", {"date": "2024130100"}, WRONG),
    ("message/history/delete", {"date": "2024010100"}, (400, 1015)),
]  # fmt: skip


@pytest.mark.parametrize(("path", "form", "error"), REFUSALS)
def test_a_refusal(one_app: RongCloud, path: str, form: dict[str, Any], error: tuple[int, int]) -> None:
    before = {name: one_app.sim.rows(f"export/{name}") for name in rongcloud.EXPORTS}
    assert one_app.error(path, **form) == error
    assert before == {name: one_app.sim.rows(f"export/{name}") for name in before}


def test_every_endpoint_is_refused_something() -> None:
    others = {"v3/message/private/query", "v3/message/group/query", "history/file"}
    assert {one.name for one in rongcloud.VENDOR.endpoints} - others == {path for path, _, _ in REFUSALS}


@pytest.mark.parametrize(
    "changes",
    [
        {"userId": 5},
        {"startTime": "0"},
        {"pageSize": 101},
        {"pageSize": True},
        {"endTime": -1},
        {"endTime": 15 * 86_400_000},
    ],
)
@pytest.mark.parametrize("kind", ["private", "group"])
def test_a_query_that_is_refused(one_app: RongCloud, kind: str, changes: dict[str, Any]) -> None:
    body = {"userId": "ann", "targetId": "g", "startTime": 0, "endTime": 9} | changes
    reply = one_app.query(f"v3/message/{kind}/query", body)
    assert (reply.status_code, reply.json()["code"]) == (400, 1002)


def test_a_development_app_has_a_quota() -> None:
    with simulated(rongcloud.VENDOR, settings={"most_users": "1"}) as sim, RongCloud(sim) as client:
        client.users("ann")
        assert client.error("user/getToken", userId="bob", name="b") == (403, 2007)
        client.users("ann")


# --- provisioning ---


def test_a_token_registers_and_refreshes(client: RongCloud) -> None:
    found = client.call("user/getToken", userId="ann", name="Ann", portraitUri="https://x")
    assert (200, "ann") == (found["code"], found["userId"])
    client.call("user/refresh", userId="ann", name="An")
    info = client.call("user/info", userId="ann")
    assert ("An", "https://x") == (info["userName"], info["userPortrait"])
    client.call("user/profile/set", userId="ann", userProfile='{"sex":1}')
    assert client.call("user/profile/batch/query", userId=["ann", "nobody"])["profiles"] == [
        {"userId": "ann", "userProfile": {"sex": 1}}]  # fmt: skip


def test_friends_and_lists(client: RongCloud) -> None:
    client.call("friend/add", userId="ann", targetId="bob", optType=2, extra="x")
    client.call("friend/profile/set", userId="ann", targetId="bob", remarkName="boss")
    client.call("friend/add", userId="ann", targetId="cid")
    first = client.call("friend/get", userId="ann", size=1)
    rest = client.call("friend/get", userId="ann", size=1, pageToken=first["pageToken"])
    listed = [(one["userId"], one["remarkName"]) for page in (first, rest) for one in page["friendList"]]
    assert (2, [("bob", "boss"), ("cid", "")], "") == (first["totalCount"], listed, rest["pageToken"])
    checked = client.call("friend/check", userId="bob", targetIds=["ann", "cid"])["results"]
    assert [1, 4] == [one["result"] for one in checked]
    for kind, field in (("blacklist", "blackUserId"), ("whitelist", "whiteUserId")):
        client.call(f"user/{kind}/add", **{"userId": "ann", field: ["bob", "cid"]})
        client.call(f"user/{kind}/remove", **{"userId": "ann", field: "bob"})
        assert client.call(f"user/{kind}/query", userId="ann")["users"] == ["cid"]


def test_do_not_disturb(client: RongCloud) -> None:
    client.call("conversation/notification/set", conversationType=3, requestId="ann", targetId="g", isMuted=1)
    client.call("conversation/type/notification/set", conversationType=1, requestId="ann", unpushLevel=5)
    client.call("user/blockPushPeriod/set", userId="ann", startTime="22:00:00", period=600)
    client.call("conversation/top/set", userId="ann", conversationType=1, targetId="bob", setTop="true")
    rows = {(row["kind"], row["targetId"]): row["facts"] for row in client.sim.rows("export/quiet")}
    assert {("3", "g"), ("1", ""), ("hours", ""), ("top/1", "bob")} == rows.keys()
    assert rows["3", "g"] == {"isMuted": "1"}


def members(client: RongCloud) -> list[tuple[str, str, str]]:
    return [(row["groupId"], row["userId"], row["role"]) for row in client.sim.rows("export/members")]


def test_a_group_lives(client: RongCloud) -> None:
    client.call("group/join", userId=["cid"], groupId="g")
    client.call("group/quit", userId=["bob"], groupId="g")
    client.call("group/refresh", groupId="g", groupName="New")
    assert ["ann", "cid"] == [one["id"] for one in client.call("group/user/query", groupId="g")["users"]]
    client.call("group/user/gag/add", userId=["ann"], groupId="g", minute=0)
    client.call("entrust/group/import", groupId="g", name="H", owner="ann", groupProfile='{"introduction":"x"}')
    client.call("entrust/group/join", groupId="g", userIds=["bob"])
    client.call("entrust/group/manager/add", groupId="g", userIds=["bob"])
    assert [("g", "ann", "owner"), ("g", "bob", "manager"), ("g", "cid", "member")] == members(client)
    row = client.sim.rows("export/groups")[0]
    assert ("H", "ann", 1, {"introduction": "x"}) == (
        row["name"],
        row["owner"],
        row["hosted"],
        row["facts"]["groupProfile"],
    )
    client.call("entrust/group/create", groupId="h", name="H", owner="cid", userId=["ann"])
    client.call("group/dismiss", userId="ann", groupId="g")
    assert [("h", "ann", "member"), ("h", "cid", "owner")] == members(client)


def test_a_users_groups_are_synced(client: RongCloud) -> None:
    reply = client.send("group/sync", [("userId", "ann"), ("group[x]", "X"), ("group[y]", "Y")])
    assert reply.json()["code"] == 200
    assert [("g", "bob", "member"), ("x", "ann", "member"), ("y", "ann", "member")] == members(client)


def test_a_group_can_be_full() -> None:
    with simulated(rongcloud.VENDOR, settings={"most_members": "1"}) as sim, RongCloud(sim) as client:
        client.users("ann", "bob")
        assert client.error("group/create", userId=["ann", "bob"], groupId="g", groupName="x") == (500, 1000)
        assert members(client) == []


# --- messages ---


def test_publishing_is_stamped_now_and_found_by_queries(client: RongCloud) -> None:
    one = client.call("message/private/publish", **PUBLISH, toUserId="bob")["messageUID"]
    two = client.call("message/private/publish", **PUBLISH, toUserId=["bob", "cid"])["messageUIDs"]
    client.call("message/private/publish", **(PUBLISH | {"fromUserId": "bob"}), toUserId="ann")
    client.call("message/private/publish", **PUBLISH, toUserId="bob", isPersisted=0)
    client.call("message/group/publish", **PUBLISH, toGroupId="g")
    client.call("message/system/publish", **PUBLISH, toUserId=["bob"])
    assert all(re.fullmatch(r"(?:[0-9A-V]{4}-){3}[0-9A-V]{4}", uid) for uid in (one, *two))
    now = int(time.time() * 1000)
    ask = {"userId": "ann", "targetId": "bob", "startTime": now - 60_000, "endTime": now + 60_000}
    found = client.query("v3/message/private/query", ask).json()["data"]
    assert ["bob", "ann", "ann"] == [row["fromUserId"] for row in found]
    assert (two[0], "RC:TxtMsg", TEXT) == tuple(found[1][name] for name in ("messageUID", "objectName", "content"))
    assert len(client.query("v3/message/private/query", ask | {"pageSize": 1}).json()["data"]) == 1
    assert len(client.query("v3/message/group/query", ask | {"targetId": "g"}).json()["data"]) == 1
    edge = ask | {"startTime": found[0]["msgTime"], "includeStart": False}
    assert found[0]["messageUID"] not in [
        row["messageUID"] for row in client.query("v3/message/private/query", edge).json()["data"]
    ]


def test_an_hours_log_appears_when_the_hour_is_over(client: RongCloud) -> None:
    """§2.1, §2.2: Beijing hours, a zip, a time before each record."""
    date = client.sim.hour()
    client.sim.say(
        {"from": "ann", "to": "bob", "text": "早"}, {"from": "bob", "group": "g", "text": "好", "source": "iOS"}
    )
    assert client.call("message/history", date=date)["url"] == ""
    client.sim.ahead(3600)
    url = client.call("message/history", date=date)["url"]
    with ZipFile(io.BytesIO(client.http.get(url).content)) as file:
        lines = file.read(file.namelist()[0]).decode().splitlines()
    pair, group = (json.loads(line[line.index("{") :]) for line in lines)
    assert re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", lines[0][:19]) and lines[0][19] == "{"
    assert ("ann", "bob", 1, "", {"content": "早"}) == tuple(
        pair[name] for name in ("fromUserId", "targetId", "targetType", "GroupId", "content")
    )
    assert ("g", "g", 3, "iOS") == tuple(group[name] for name in ("targetId", "GroupId", "targetType", "source"))
    moment = datetime.fromtimestamp(pair["timestamp"] / 1000, timezone(timedelta(hours=8)))
    assert pair["dateTime"] == f"{moment:%Y-%m-%d %H:%M:%S}.{pair['timestamp'] % 1000:03}"
    assert client.call("message/history/delete", date=date)["code"] == 200
    assert client.call("message/history", date=date)["url"] == ""


def test_a_log_is_gone_after_three_days_and_may_be_switched_off(client: RongCloud) -> None:
    date = client.sim.hour()
    client.sim.say({"from": "ann", "to": "bob", "text": "x"})
    client.sim.ahead(4 * 86_400)
    assert client.call("message/history", date=date)["url"] == ""
    with simulated(rongcloud.VENDOR, settings={"history_log": "off"}) as sim, RongCloud(sim) as other:
        assert other.error("message/history", date=date) == (430, 1009)


# --- limits ---


def test_too_many_calls_and_too_many_receivers() -> None:
    rates = {"receivers": "3/60s", "user/info": "1/60s"}
    with simulated(rongcloud.VENDOR, limited=True, rates=rates) as sim, RongCloud(sim) as client:
        client.users("ann", "bob")
        assert [(200, 200), (429, 1008)] == [client.error("user/info", userId="ann") for _ in range(2)]
        codes = [client.error("message/private/publish", **PUBLISH, toUserId=["bob"] * count) for count in (2, 2, 1)]
    assert [(200, 200), (429, 1008), (200, 200)] == codes


def test_the_documented_rates() -> None:
    others = {"user/getToken": 200, "message/group/publish": 20, "receivers": 6000}
    assert {name: others.get(name, 100) for name in rongcloud.LIMITS} == {
        name: limit.calls for name, limit in rongcloud.LIMITS.items()
    }
    assert {"query", "receivers"} == {name for name, limit in rongcloud.LIMITS.items() if limit.span == 60.0}
