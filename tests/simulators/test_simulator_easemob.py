"""Easemob's simulator: each call as documented, each documented refusal, and what an import's order means."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.simulated import simulated
from support.vendor_calls import Easemob

from imconvert.simulators import easemob
from imconvert.simulators.easemob.bodies import BODIES

AT = 1_700_000_000_000


@pytest.fixture
def client() -> Iterator[Easemob]:
    """A client of an app with three users; groups may be imported into."""
    with simulated(easemob.VENDOR, settings={"group_time": "off"}) as sim, Easemob(sim) as found:
        found.users("ann", "bob", "cid")
        yield found


@pytest.fixture(scope="module")
def one_app() -> Iterator[Easemob]:
    with simulated(easemob.VENDOR, settings={"group_ids": "own"}) as sim, Easemob(sim) as found:
        found.users("ann", "bob", "cid")
        found.group("ann", "bob", groupid="g")
        yield found


# --- tokens ---


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "x"}, "invalid_grant"),
        ({"client_secret": "x"}, "invalid_grant"),
        ({"client_id": ""}, "illegal_argument"),
        ({"client_secret": None}, "illegal_argument"),
        ({"ttl": "60"}, "illegal_argument"),
        ({"ttl": -1}, "illegal_argument"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_token_that_is_not_granted(one_app: Easemob, changes: dict[str, Any], error: str) -> None:
    reply = one_app.grant(**changes)
    assert (reply.status_code, reply.json()["error"]) == (400, error)


def test_another_app_is_not_found(one_app: Easemob) -> None:
    reply = one_app.http.post(f"{one_app.sim.url}/other/app/token", json={})
    assert (reply.status_code, reply.json()["error"]) == (404, "organization_application_not_found")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("", "unauthorized"),
        ("Bearer", "unauthorized"),
        ("Bearer YWMtnobody", "auth_bad_access_token"),
        ("Bearer nonsense", "auth_bad_access_token"),
        ("Basic YWMtx", "auth_bad_access_token"),
    ],
)
def test_a_token_that_is_not_accepted(one_app: Easemob, given: str, error: str) -> None:
    reply = one_app.send("GET", "/users", headers={"Authorization": given})
    assert (reply.status_code, reply.json()["error"]) == (401, error)


def test_tokens_expire_after_their_time_or_never(client: Easemob) -> None:
    assert client.grant(ttl=60).json()["expires_in"] == 60
    assert client.send("GET", "/users").status_code == 200
    client.sim.ahead(61)
    assert client.error("GET", "/users") == (401, "unauthorized")
    client.grant(ttl=0)
    client.sim.ahead(10**9)
    assert client.send("GET", "/users").status_code == 200


def test_several_tokens_hold_at_once(client: Easemob) -> None:
    before = client.http.headers["Authorization"]
    client.grant()
    assert before != client.http.headers["Authorization"]
    assert client.send("GET", "/users", headers={"Authorization": before}).status_code == 200


def test_the_envelope(client: Easemob) -> None:
    """§1."""
    found = client.call("GET", "/users", params={"limit": 1})
    assert ("get", "app", "rehearsal", "/users") == tuple(
        found[name] for name in ("action", "applicationName", "organization", "path")
    )
    assert abs(found["timestamp"] - time.time() * 1000) < 60_000
    reply = client.send("POST", "/users", json=[])
    assert {"error", "exception", "error_description", "timestamp", "duration"} == reply.json().keys()


# --- each documented refusal ---


def user(name: Any, **changes: Any) -> dict[str, Any]:
    return {"username": name, "password": "p"} | changes


def message(**changes: Any) -> dict[str, Any]:
    found = {"from": "ann", "target": "bob", "type": "txt", "body": {"msg": "早"}, "msg_timestamp": AT}
    return {name: value for name, value in (found | changes).items() if value is not ...}


IMPORT = "/messages/users/import"
ILLEGAL, INVALID, BODY = (400, "illegal_argument"), (400, "invalid_parameter"), (400, "invalid_request_body")
TAKEN, FORBIDDEN, FULL = (400, "duplicate_unique_property_exists"), (403, "forbidden_op"), (403, "exceed_limit")
NOBODY, NO_GROUP = (404, "service_resource_not_found"), (404, "resource_not_found")
GROUP = {"groupname": "g", "public": True, "owner": "ann"}

REFUSALS: list[tuple[str, str, Any, tuple[int, str]]] = [
    ("POST", "/users", b"{", BODY),
    ("POST", "/users", [], BODY),
    ("POST", "/users", user("ann"), TAKEN),
    ("POST", "/users", user("ANN"), TAKEN),
    ("POST", "/users", [user("x"), user("X", password="q")], TAKEN),
    ("POST", "/users", user("x" * 65), ILLEGAL),
    ("POST", "/users", user("a b"), ILLEGAL),
    ("POST", "/users", user("张"), ILLEGAL),
    ("POST", "/users", user(""), ILLEGAL),
    ("POST", "/users", user(5), ILLEGAL),
    ("POST", "/users", [user("fine"), user("a b")], ILLEGAL),
    ("POST", "/users", user("x", password=""), ILLEGAL),
    ("POST", "/users", user("x", password="p" * 65), ILLEGAL),
    ("POST", "/users", user("x", nickname="n" * 101), ILLEGAL),
    ("POST", "/users", [user(f"u{number}") for number in range(61)], ILLEGAL),
    ("GET", "/users?limit=101", None, ILLEGAL),
    ("GET", "/users?cursor=x", None, ILLEGAL),
    ("GET", "/users/nobody", None, NOBODY),
    ("PUT", "/users/nobody", {"nickname": "x"}, NOBODY),
    ("PUT", "/users/ann", {"nickname": 5}, ILLEGAL),
    ("PUT", "/users/nobody/notification/user/bob", {"type": "ALL"}, NOBODY),
    ("PUT", "/users/ann/notification/user/ann", {"type": "DEFAULT"}, ILLEGAL),
    ("PUT", "/users/ann/notification/user/bob", {"type": "SOME"}, ILLEGAL),
    ("PUT", "/users/ann/notification/user/bob", {"ignoreInterval": "21:30-08:00"}, ILLEGAL),
    ("PUT", "/users/ann/notification/user/ann", {"ignoreInterval": "24:30-08:00"}, ILLEGAL),
    ("PUT", "/users/ann/notification/user/bob", {"ignoreDuration": 604_800_001}, ILLEGAL),
    ("PUT", "/users/ann/notification/room/bob", {"type": "ALL"}, ILLEGAL),
    ("PUT", "/metadata/user/ann", {"nickname": "x"}, (415, "unsupported_media_type")),
    ("POST", "/metadata/user/get", {"targets": ["ann"] * 101, "properties": ["x"]}, ILLEGAL),
    ("POST", "/metadata/user/get", {"targets": ["ann"]}, ILLEGAL),
    ("POST", "/users/nobody/contacts/users/bob", None, NOBODY),
    ("POST", "/users/ann/contacts/users/nobody", None, NOBODY),
    ("POST", "/users/ann/contacts/import", {"usernames": [f"u{number}" for number in range(11)]}, ILLEGAL),
    ("POST", "/users/ann/contacts/import", {"usernames": []}, ILLEGAL),
    ("PUT", "/user/ann/contacts/users/cid", {"remark": "x"}, ILLEGAL),
    ("GET", "/user/ann/contacts?limit=51", None, ILLEGAL),
    ("POST", "/users/ann/blocks/users", {"usernames": ["nobody"]}, NOBODY),
    ("POST", "/chatgroups", {"groupname": "g", "owner": "ann"}, INVALID),
    ("POST", "/chatgroups", {"groupname": "g", "public": True}, INVALID),
    ("POST", "/chatgroups", GROUP | {"groupname": "n" * 129}, INVALID),
    ("POST", "/chatgroups", GROUP | {"description": "n" * 513}, INVALID),
    ("POST", "/chatgroups", GROUP | {"public": "true"}, INVALID),
    ("POST", "/chatgroups", GROUP | {"owner": "nobody"}, NO_GROUP),
    ("POST", "/chatgroups", GROUP | {"members": ["nobody"]}, NO_GROUP),
    ("POST", "/chatgroups", GROUP | {"maxusers": 1, "members": ["bob"]}, FULL),
    ("POST", "/chatgroups", GROUP | {"groupid": "g"}, ILLEGAL),
    ("POST", "/chatgroups", GROUP | {"groupid": "G-1"}, ILLEGAL),
    ("GET", "/chatgroups?limit=1001", None, ILLEGAL),
    ("PUT", "/chatgroups/none", {"groupname": "x"}, NO_GROUP),
    ("PUT", "/chatgroups/g", {"newowner": "cid"}, FORBIDDEN),
    ("POST", "/chatgroups/none/users", {"usernames": ["cid"]}, NO_GROUP),
    ("POST", "/chatgroups/g/users", {"usernames": ["nobody"]}, NO_GROUP),
    ("POST", "/chatgroups/g/users", {"usernames": ["ann", "bob"]}, FORBIDDEN),
    ("POST", "/chatgroups/g/users", {"usernames": ["x"] * 101}, ILLEGAL),
    ("GET", "/chatgroups/g/users?pagesize=1001", None, ILLEGAL),
    ("POST", "/chatgroups/g/admin", {"newadmin": "cid"}, FORBIDDEN),
    ("POST", "/chatgroups/g/mute", {"usernames": ["ann"], "mute_duration": 5}, FORBIDDEN),
    ("POST", "/chatgroups/g/mute", {"usernames": ["cid"], "mute_duration": 5}, FORBIDDEN),
    ("POST", "/chatgroups/g/mute", {"usernames": ["bob"], "mute_duration": -2}, ILLEGAL),
    ("POST", "/chatgroups/g/blocks/users", {"usernames": ["x"] * 61}, ILLEGAL),
    ("POST", "/chatgroups/g/announcement", {"announcement": "x" * 513}, ILLEGAL),
    ("PUT", "/metadata/chatgroup/g/user/cid", {"role": "x"}, FORBIDDEN),
    ("PUT", "/metadata/chatgroup/g/user/bob", {"k" * 17: "x"}, ILLEGAL),
    ("POST", IMPORT, b"x", BODY),
    ("POST", IMPORT, message(**{"from": ...}), ILLEGAL),
    ("POST", IMPORT, message(**{"from": ""}), ILLEGAL),
    ("POST", IMPORT, message(**{"from": 5}), BODY),
    ("POST", IMPORT, message(target=["bob"]), BODY),
    ("POST", IMPORT, message(type=""), ILLEGAL),
    ("POST", IMPORT, message(type=...), ILLEGAL),
    ("POST", IMPORT, message(type="combine"), ILLEGAL),
    ("POST", IMPORT, message(body={}), ILLEGAL),
    ("POST", IMPORT, message(body=...), ILLEGAL),
    ("POST", IMPORT, message(body="x"), BODY),
    ("POST", IMPORT, message(body={"msg": 5}), BODY),
    ("POST", IMPORT, message(ext=None), BODY),
    ("POST", IMPORT, message(msg_timestamp="x"), BODY),
    ("POST", IMPORT, message(msg_timestamp=1.5), BODY),
    ("POST", IMPORT, message(msg_timestamp=0), ILLEGAL),
    ("POST", IMPORT, message(msg_timestamp=999), ILLEGAL),
    ("POST", IMPORT, message(need_download="yes"), BODY),
    ("POST", IMPORT, message(is_ack_read=1), BODY),
    ("POST", IMPORT, message(type="loc", body={"lat": 1.5, "lng": "2", "addr": "x"}), BODY),
    ("POST", IMPORT, message(type="loc", body={"lat": "1.5", "lng": "2"}), BODY),
    ("POST", IMPORT, message(type="custom", body={"customEvent": "a b"}), BODY),
    ("POST", IMPORT, message(type="custom", body={"customExts": {str(number): "x" for number in range(17)}}), BODY),
    ("POST", IMPORT, message(type="audio", body={"url": "https://x", "length": "3"}), BODY),
    ("POST", IMPORT, message(body={"msg": "早" * 1_705}), (400, "message_send_error")),
    ("POST", IMPORT, message(ext={"x": "y" * 5_110}), (400, "message_send_error")),
    ("POST", "/messages/chatgroups/import", message(target="g"), ILLEGAL),
    ("POST", "/messages/users", {"from": "", "to": ["bob"], "type": "txt", "body": {"msg": "x"}}, ILLEGAL),
    ("POST", "/messages/users", {"to": "bob", "type": "txt", "body": {"msg": "x"}}, ILLEGAL),
    ("POST", "/messages/users", {"to": ["x"] * 601, "type": "txt", "body": {"msg": "x"}}, ILLEGAL),
    ("POST", "/messages/chatgroups", {"to": ["a", "b", "c", "d"], "type": "txt", "body": {"msg": "x"}}, ILLEGAL),
    ("GET", "/chatmessages/2024", None, ILLEGAL),
    ("GET", "/chatmessages/2024010100", None, ILLEGAL),
    ("GET", "/chatmessages/2999010100", None, ILLEGAL),
    ("POST", "/chatfiles", {}, (415, "unsupported_media_type")),
    ("GET", "/chatfiles/none", None, (404, "entity_not_found")),
    ("PUT", "/users/ann/chatfiles/lifetime", {"lifetime": "long", "chatfile_ids": ["x"]}, ILLEGAL),
    ("PUT", "/users/ann/chatfiles/lifetime", {"lifetime": "forever", "chatfile_ids": ["x"] * 101}, ILLEGAL),
    ("DELETE", "/users", None, NO_GROUP),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "error"), REFUSALS)
def test_a_refusal(one_app: Easemob, method: str, path: str, body: Any, error: tuple[int, str]) -> None:
    tables = ("users", "contacts", "groups", "members", "messages", "files")
    before = {name: one_app.sim.rows(f"export/{name}") for name in tables}
    how = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
    assert one_app.error(method, path, **how) == error
    assert before == {name: one_app.sim.rows(f"export/{name}") for name in tables}


def test_a_message_that_is_too_large_has_a_code(one_app: Easemob) -> None:
    assert one_app.send("POST", IMPORT, json=message(ext={"x": "y" * 5_110})).json()["error_code"] == 14007


# --- users ---


def test_users_are_folded_and_told_apart_in_a_batch(client: Easemob) -> None:
    made = client.call("POST", "/users", [user("Dan", nickname="D"), user("ann"), user("Eve.1-_")])
    assert ["dan", "eve.1-_"] == [entity["username"] for entity in made["entities"]]
    assert made["data"] == [{"username": "ann", "registerUserFailReason": "the ann already exists"}]
    single = client.call("POST", "/users", user("Fay"))
    assert "fay" == single["entities"][0]["username"] == client.call("GET", "/users/FAY")["entities"][0]["username"]
    assert client.call("PUT", "/users/dan", {"nickname": "x"})["entities"][0]["nickname"] == "x"


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_users_come_in_pages_the_oldest_first(client: Easemob, limit: int) -> None:
    found, cursor = [], {}
    while True:
        page = client.call("GET", "/users", params={"limit": limit, **cursor})
        found += [entity["username"] for entity in page["entities"]]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}
    assert ["ann", "bob", "cid"] == found


def test_a_plan_can_be_used_up() -> None:
    with simulated(easemob.VENDOR, settings={"most_users": "1", "most_contacts": "1"}) as sim, Easemob(sim) as client:
        client.users("ann")
        assert client.error("POST", "/users", user("bob")) == (429, "resource_limited")


def test_attributes_are_merged(client: Easemob) -> None:
    for data in ({"nickname": "An", "ext": ""}, {"sign": "早"}):
        assert client.send("PUT", "/metadata/user/ann", data=data).status_code == 200
    assert {"nickname": "An", "ext": "", "sign": "早"} == client.call("GET", "/metadata/user/ann")["data"]
    ask = {"targets": ["ann", "nobody"], "properties": ["nickname", "shoe"]}
    assert {"ann": {"nickname": "An"}, "nobody": {}} == client.call("POST", "/metadata/user/get", ask)["data"]
    assert client.error("PUT", "/metadata/user/ann", data={"x": "y" * 2_048}) == FULL
    assert client.error("PUT", "/metadata/user/ann", data={"nickname": "n" * 65}) == ILLEGAL
    assert client.error("PUT", "/metadata/user/nobody", data={"x": "y"}) == NOBODY


def test_push_settings_are_kept_by_conversation(client: Easemob) -> None:
    path = "/users/ann/notification/chatgroup/g1"
    found = client.call("PUT", path, {"type": "NONE", "ignoreDuration": 60_000})["data"]
    assert 0 < found["ignoreDuration"] - time.time() * 1000 <= 61_000
    assert client.call("GET", path)["data"] == found
    whole = client.call("PUT", "/users/ann/notification/user/ann", {"type": "AT", "ignoreInterval": "21:30-08:00"})
    assert whole["data"] == {"type": "AT", "ignoreInterval": "21:30-08:00"}


# --- relations ---


def test_friends_go_both_ways(client: Easemob) -> None:
    client.call("POST", "/users/ann/contacts/users/BOB")
    found = client.call("POST", "/users/ann/contacts/import", {"usernames": ["bob", "cid", "nobody"]})["data"]
    assert {"success": ["bob", "cid"], "NotExistFailed": ["nobody"], "maxLimitFailed": [], "UnKnowFailed": []} == found
    assert [["bob", "cid"], ["ann"], ["ann"]] == [
        client.call("GET", f"/users/{name}/contacts/users")["data"] for name in ("ann", "bob", "cid")
    ]
    client.call("PUT", "/user/ann/contacts/users/bob", {"remark": "boss"})
    first = client.call("GET", "/user/ann/contacts", params={"limit": 1, "needReturnRemark": "true"})
    rest = client.call("GET", "/user/ann/contacts", params={"cursor": first["cursor"], "needReturnRemark": "true"})
    assert [{"username": "cid", "remark": None}, {"username": "bob", "remark": "boss"}] == [
        *first["data"]["contacts"], *rest["data"]["contacts"]]  # fmt: skip
    assert "cursor" not in rest


def test_an_import_of_friends_can_be_one_way_and_full() -> None:
    settings = {"contacts_import": "one-way", "most_contacts": "1"}
    with simulated(easemob.VENDOR, settings=settings) as sim, Easemob(sim) as client:
        client.users("ann", "bob", "cid")
        found = client.call("POST", "/users/ann/contacts/import", {"usernames": ["bob", "cid"]})["data"]
        assert (["bob"], ["cid"]) == (found["success"], found["maxLimitFailed"])
        assert client.call("GET", "/users/bob/contacts/users")["data"] == []
        assert client.error("POST", "/users/ann/contacts/users/cid") == FULL


def test_blocks(client: Easemob) -> None:
    client.call("POST", "/users/ann/contacts/users/bob")
    for names in (["bob"], ["bob", "cid"]):
        client.call("POST", "/users/ann/blocks/users", {"usernames": names})
    assert client.call("GET", "/users/ann/blocks/users")["data"] == ["bob", "cid"]
    assert client.call("GET", "/users/ann/contacts/users")["data"] == ["bob"]


# --- groups ---


def test_a_group_lives(client: Easemob) -> None:
    group = client.group("ann", "bob", description="d", invite_need_confirm=False, groupid="mine")
    assert len(group) == 15 and group.isdecimal()
    added = client.call(
        "POST", f"/chatgroups/{group}/users", {"usernames": ["bob", "CID"]}, params={"need_notify": "false"}
    )
    assert added["data"]["newmembers"] == ["cid"]
    found, none = client.call("GET", f"/chatgroups/{group},none")["data"]
    assert {"error", "id"} == none.keys()
    assert [{"owner": "ann"}, {"member": "bob"}, {"member": "cid"}] == found["affiliations"]
    assert ("g", "d", "ann", 3, True) == tuple(
        found[name] for name in ("name", "description", "owner", "affiliations_count", "public")
    )
    listed = client.call("GET", "/chatgroups")["data"][0]
    assert (group, "rehearsal#app_ann", 3) == tuple(listed[name] for name in ("groupid", "owner", "affiliations"))
    assert isinstance(listed["lastModified"], str)


def test_roles_mutes_and_words(client: Easemob) -> None:
    group = client.group("ann", "bob", "cid")
    at = f"/chatgroups/{group}"
    client.call("POST", f"{at}/admin", {"newadmin": "bob"})
    assert client.call("GET", f"{at}/admin")["data"] == ["bob"]
    muted = client.call("POST", f"{at}/mute", {"usernames": ["bob"], "mute_duration": -1})["data"]
    assert client.call("GET", f"{at}/mute")["data"] == [{"user": "bob", "expire": muted[0]["expire"]}]
    client.call("POST", f"{at}/mute", {"usernames": ["bob"], "mute_duration": 0})
    assert client.call("GET", f"{at}/mute")["data"] == []
    client.call("POST", f"{at}/ban")
    client.call("POST", f"{at}/announcement", {"announcement": "早"})
    assert client.call("GET", f"{at}/announcement")["data"] == {"announcement": "早"}
    client.call("PUT", f"/metadata/chatgroup/{group}/user/bob", {"card": "B"})
    assert client.call("GET", f"/metadata/chatgroup/{group}/user/bob")["data"] == {"card": "B"}
    assert client.call("GET", at)["data"][0]["mute"] is True
    blocked = client.call("POST", f"{at}/blocks/users", {"usernames": ["cid", "ann"]})["data"]
    assert [True, False] == [item["result"] for item in blocked]
    assert client.call("GET", f"{at}/blocks/users")["data"] == ["cid"]
    client.call("PUT", at, {"newowner": "bob"})
    members = client.call("GET", f"{at}/users", params={"pagenum": 1, "pagesize": 9, "joined_time": "true"})["data"]
    assert [{"member": "ann"}, {"owner": "bob"}] == [
        {name: value for name, value in item.items() if name != "joined_time"} for item in members
    ]
    client.call("PUT", at, {"groupname": "new"})
    assert ["new"] == [item["groupname"] for item in client.call("GET", "/users/ann/joined_chatgroups")["data"]]
    assert [group] == [item["groupid"] for item in client.call("GET", "/chatgroups/user/bob")["data"]]


def test_groups_come_in_pages_the_newest_first(client: Easemob) -> None:
    made = [client.group("ann") for _ in range(5)]
    first = client.call("GET", "/chatgroups", params={"limit": 3})
    rest = client.call("GET", "/chatgroups", params={"limit": 3, "cursor": first["cursor"]})
    assert made[::-1] == [item["groupid"] for page in (first, rest) for item in page["data"]]


def test_a_group_can_keep_its_id_where_that_was_activated() -> None:
    with simulated(easemob.VENDOR, settings={"group_ids": "own"}) as sim, Easemob(sim) as client:
        client.users("ann")
        assert client.group("ann", groupid="team100") == "team100"
        assert client.error("POST", "/chatgroups", GROUP | {"groupid": "team100"}) == ILLEGAL


# --- import ---


def kept(client: Easemob) -> list[tuple[str, str, int]]:
    return [(row["from"], row["target"], row["msg_timestamp"]) for row in client.sim.rows("export/messages")]


def test_times_have_to_rise_in_a_conversation(client: Easemob) -> None:
    """§4.3: in both directions of a pair, and in nothing else."""
    take = [client.message(AT), client.message(AT + 1, **{"from": "bob", "target": "ANN"}),
            client.message(AT - 5, target="cid"), client.message(AT + 2)]  # fmt: skip
    assert [200] * 4 == [client.send("POST", IMPORT, json=body).status_code for body in take]
    for at in (AT + 2, AT + 1, AT - 1):
        assert client.error("POST", IMPORT, client.message(at)) == ILLEGAL
    assert [("ann", "bob", AT), ("bob", "ann", AT + 1), ("ann", "cid", AT - 5), ("ann", "bob", AT + 2)] == kept(client)


def test_a_resent_message_is_a_second_one_where_order_is_off() -> None:
    with simulated(easemob.VENDOR, settings={"order": "off"}) as sim, Easemob(sim) as client:
        ids = [client.call("POST", IMPORT, client.message(AT))["data"]["msg_id"] for _ in range(2)]
        assert ids[0] != ids[1]
        assert len(kept(client)) == 2


def test_ids_rise_and_tell_the_second_of_the_import(client: Easemob) -> None:
    ids = [int(client.call("POST", IMPORT, client.message(AT + number))["data"]["msg_id"]) for number in range(3)]
    assert sorted(set(ids)) == ids
    assert all(abs((one >> 32) + 1_417_564_800 - time.time()) < 60 for one in ids)


def test_both_forms_of_a_body_are_one(client: Easemob) -> None:
    """The official SDK puts the type inside of `msg`."""
    sdk = {
        "from": "ann",
        "target": "bob",
        "msg": {"type": "txt", "msg": "早"},
        "ext": {"k": 1},
        "msg_timestamp": AT + 1,
    }
    client.call("POST", IMPORT, client.message(AT, ext={"k": 1}))
    client.call("POST", IMPORT, sdk)
    one, other = client.sim.rows("export/messages")
    assert [one[name] for name in ("type", "body", "ext")] == [other[name] for name in ("type", "body", "ext")]


GOOD = {
    "txt": {"msg": ""}, "img": {"url": "https://x", "size": {"width": 1, "height": 2}, "filename": "a.jpg"},
    "audio": {"url": "https://x", "length": 3}, "video": {"url": "https://x", "thumb": "https://y", "length": 3},
    "file": {"url": "https://x", "filename": "a", "secret": "s"}, "loc": {"lat": "1.5", "lng": "2", "addr": "x"},
    "cmd": {"action": "x"}, "custom": {"customEvent": "a/b-c_d.e", "customExts": {"k": "v"}},
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_every_type_is_imported(client: Easemob, kind: str) -> None:
    body = client.message(AT, type=kind, body=GOOD[kind], need_download=False, is_ack_read=True)
    assert client.send("POST", IMPORT, json=body).status_code == 200
    row = client.sim.rows("export/messages")[0]
    assert (kind, GOOD[kind], None) == (row["type"], row["body"], row["ext"])


def test_without_a_time_it_is_now(client: Easemob) -> None:
    client.call("POST", IMPORT, client.message(AT, msg_timestamp=None))
    assert abs(kept(client)[0][2] - time.time() * 1000) < 60_000


def test_a_group_takes_nothing_from_before_its_creation() -> None:
    """§4.3: the main blocker of a migration; a vendor may lift it."""
    for setting, codes in (("enforce", [400, 400, 200]), ("off", [200, 200, 400])):
        with simulated(easemob.VENDOR, settings={"group_time": setting}) as sim, Easemob(sim) as client:
            client.users("ann")
            group = client.group("ann")
            sim.ahead(100)
            now = int(time.time() * 1000)
            path, times = "/messages/chatgroups/import", (AT, now + 10**9, now + 50_000)
            bodies = [client.message(at, target=group) for at in times]
            assert codes == [client.send("POST", path, json=body).status_code for body in bodies]


def test_ids_are_looked_at_only_if_set() -> None:
    with simulated(easemob.VENDOR, settings={"check_ids": "on"}) as sim, Easemob(sim) as client:
        client.users("ann", "bob")
        assert client.error("POST", IMPORT, client.message(AT, target="nobody")) == NO_GROUP
        assert client.error("POST", "/messages/chatgroups/import", client.message(AT, target="none")) == NO_GROUP
        assert client.send("POST", IMPORT, json=client.message(AT)).status_code == 200


# --- sending and reading back ---


def test_sending_takes_several_targets(client: Easemob) -> None:
    body = {"to": ["bob", "Cid"], "type": "txt", "body": {"msg": "x"}}
    found = client.call("POST", "/messages/users", body)["data"]
    assert {"bob", "Cid"} == found.keys()
    assert [("admin", "bob"), ("admin", "cid")] == [one[:2] for one in kept(client)]
    group = client.group("ann")
    sent = client.call("POST", "/messages/chatgroups", body | {"to": [group], "from": "ann"})["data"]
    assert list(sent) == [group]


@pytest.mark.parametrize("order", ["down", "up"])
@pytest.mark.parametrize("limit", [1, 2, 50])
def test_roaming_is_read_page_by_page(client: Easemob, order: str, limit: int) -> None:
    for number in range(5):
        ends = {} if number % 2 else {"from": "bob", "target": "ann"}
        client.call("POST", IMPORT, client.message(AT + number, **ends))
    found, cursor = [], ""
    while True:
        ask = {"username": "ann", "to": "bob", "limit": limit, "order": order} | ({"cursor": cursor} if cursor else {})
        data = client.roaming("chat", ask).json()["data"]
        found += [line["timestamp"] - AT for line in data["messages"]]
        cursor = data["pagination"]["cursor"]
        if not cursor:
            break
    assert found == (list(range(5)) if order == "up" else list(range(5))[::-1])


def test_roaming_of_groups_and_of_times(client: Easemob) -> None:
    group = client.group("ann")
    for number in range(5):
        client.call("POST", "/messages/chatgroups/import", client.message(AT + number, target=group, ext={"n": number}))
    ask = {"username": "ann", "groupId": group, "startTimestamp": AT + 1, "endTimestamp": AT + 3, "order": "up"}
    lines = client.roaming("group", ask).json()["data"]["messages"]
    assert [1, 2, 3] == [line["payload"]["ext"]["n"] for line in lines]
    assert ("groupchat", "ann", group) == (
        lines[0]["chat_type"],
        lines[0]["payload"]["from"],
        lines[0]["payload"]["to"],
    )


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("chat", {"to": 5}), ("group", {}), ("chat", {"limit": 51}), ("chat", {"order": "x"}), ("chat", {"cursor": "x"})],
)
def test_roaming_that_is_refused(one_app: Easemob, kind: str, changes: dict[str, Any]) -> None:
    reply = one_app.roaming(kind, {"username": "ann", "to": "bob"} | changes)
    assert (reply.status_code, reply.json()["error"]) == ILLEGAL


def test_roaming_ends_with_retention() -> None:
    with simulated(easemob.VENDOR, settings={"roaming_days": "3"}) as sim, Easemob(sim) as client:
        client.call("POST", IMPORT, client.message(AT))
        client.call("POST", IMPORT, client.message(AT, msg_timestamp=None))
        lines = client.roaming("chat", {"username": "ann", "to": "bob"}).json()["data"]["messages"]
    assert len(lines) == 1


# --- history files ---


def test_an_hours_file_has_what_was_sent_and_not_what_was_imported(client: Easemob) -> None:
    """§2.1, §2.2: ready some time behind the hour, gone after three days; the link holds for half an hour."""
    hour = client.sim.hour()
    path = f"/chatmessages/{hour}"
    client.call("POST", IMPORT, client.message(AT, msg_timestamp=None))
    client.sim.say({"from": "ann", "to": "bob", "text": "早", "ext": {"k": 1}})
    sent = client.call("POST", "/messages/users", {"from": "bob", "to": ["ann"], "type": "txt", "body": {"msg": "x"}})
    assert client.error("GET", path) == ILLEGAL
    client.sim.ahead(2 * 3600)
    url = client.call("GET", path)["data"][0]["url"]
    lines = [json.loads(line) for line in gzip.decompress(client.http.get(url).content).splitlines()]
    assert [("ann", {"k": 1}), ("bob", {})] == [(line["payload"]["from"], line["payload"]["ext"]) for line in lines]
    assert (sent["data"]["ann"], "outgoing", "chat") == tuple(
        lines[1][name] for name in ("msg_id", "direction", "chat_type")
    )
    client.sim.ahead(3600)
    assert client.error("GET", f"/chatmessages/{client.sim.hour(6)}") == (404, "storage_object_not_found")
    client.sim.ahead(1801)
    assert client.http.get(url).status_code == 403
    client.sim.ahead(3 * 86_400)
    assert client.error("GET", path) == ILLEGAL


# --- files ---


def test_a_file_is_kept_for_a_week(client: Easemob) -> None:
    kept, lost = (
        client.send("POST", "/chatfiles", files={"file": ("早.txt", b"\x00hello", "text/plain")}).json()["entities"][0]
        for _ in range(2)
    )
    assert (b"\x00hello", "text/plain") == (
        client.send("GET", f"/chatfiles/{kept['uuid']}").content,
        client.send("GET", f"/chatfiles/{kept['uuid']}").headers["content-type"],
    )
    client.call("PUT", "/users/ann/chatfiles/lifetime", {"lifetime": "forever", "chatfile_ids": [kept["uuid"]]})
    client.sim.ahead(8 * 86_400)
    assert client.send("GET", f"/chatfiles/{kept['uuid']}").status_code == 200
    assert client.error("GET", f"/chatfiles/{lost['uuid']}") == (404, "file_expired")


def test_a_restricted_file_needs_its_secret(client: Easemob) -> None:
    entity = client.send("POST", "/chatfiles", files={"file": ("a", b"x")}, headers={"restrict-access": "true"}).json()[
        "entities"
    ][0]
    path = f"/chatfiles/{entity['uuid']}"
    codes = [client.send("GET", path, **how).status_code for how in (
        {}, {"headers": {"share-secret": "x"}}, {"headers": {"share-secret": entity["share-secret"]}},
        {"params": {"share-secret": entity["share-secret"]}})]  # fmt: skip
    assert [401, 401, 200, 200] == codes


def test_a_file_that_is_too_large(client: Easemob) -> None:
    reply = client.send("POST", "/chatfiles", files={"file": ("a", b"x" * (10 * 1024 * 1024 + 1))})
    assert (reply.status_code, client.sim.rows("export/files")) == (413, [])
    assert client.error("POST", "/chatfiles", files={"other": ("a", b"x")}) == ILLEGAL


# --- limits and partial success ---


def statuses(client: Easemob, times: int, path: str, body: Any) -> list[int]:
    return [client.send("POST", path, json=body).status_code for _ in range(times)]


def test_both_imports_share_a_rate_or_not() -> None:
    for setting, codes in (("shared", [200, 200, 429]), ("apart", [200, 200, 200])):
        settings = {"import_rate": setting, "group_time": "off", "order": "off"}
        with simulated(easemob.VENDOR, limited=True, rates={"import": "2/60s"}, settings=settings) as sim:
            with Easemob(sim) as client:
                paths = ("users", "users", "chatgroups")
                found = [statuses(client, 1, f"/messages/{path}/import", client.message(AT)) for path in paths]
            assert [[code] for code in codes] == found


def test_each_target_counts_as_a_message() -> None:
    rates = {"send_groups_messages": "4/60s", "send_groups": "9/60s"}
    with simulated(easemob.VENDOR, limited=True, rates=rates) as sim, Easemob(sim) as client:
        body = {"from": "ann", "to": ["g1", "g2", "g3"], "type": "txt", "body": {"msg": "x"}}
        assert [200, 403] == statuses(client, 2, "/messages/chatgroups", body)
        assert client.error("POST", "/messages/chatgroups", body) == FORBIDDEN
        assert len(kept(client)) == 3


def test_users_and_push_share_a_rate() -> None:
    with simulated(easemob.VENDOR, limited=True, rates={"users": "2/60s"}) as sim, Easemob(sim) as client:
        client.users("ann")
        client.call("PUT", "/users/ann/notification/user/bob", {"type": "ALL"})
        assert client.error("GET", "/users") == (429, "reach_limit")
        assert client.send("GET", "/chatgroups").status_code == 200


def test_the_documented_rates() -> None:
    others = {"token": 300, "chatmessages": 10, "groups/joined": 50, "send_groups": 20, "send_users_messages": 6000,
              "send_groups_messages": 20}  # fmt: skip
    assert {name: others.get(name, 100) for name in easemob.LIMITS} == {
        name: limit.calls for name, limit in easemob.LIMITS.items()
    }


@pytest.mark.parametrize("name", ["users/create", "contacts/import", "groups/members/add", "groups/blocks/add"])
def test_a_batch_fails_in_part(name: str) -> None:
    users = [f"u{number}" for number in range(6)]
    with simulated(easemob.VENDOR, faults=f'calm-first = 3\n["{name}"]\npartial = 1.0') as sim, Easemob(sim) as client:
        client.users("ann", *users)
        group = client.group("ann", *(users if name == "groups/blocks/add" else ()))
        path, body = {
            "users/create": ("/users", [user(f"n{number}") for number in range(6)]),
            "contacts/import": ("/users/ann/contacts/import", {"usernames": users}),
            "groups/members/add": (f"/chatgroups/{group}/users", {"usernames": users}),
            "groups/blocks/add": (f"/chatgroups/{group}/blocks/users", {"usernames": users}),
        }[name]
        data = client.call("POST", path, body)["data"]
    done = {
        "users/create": lambda: 6 - len(data),
        "contacts/import": lambda: 6 - len(data["UnKnowFailed"]),
        "groups/members/add": lambda: len(data["newmembers"]),
        "groups/blocks/add": lambda: sum(item["result"] for item in data),
    }[name]()
    assert 0 < done < 6


def test_http_is_spoken_to_httpx_without_surprises(client: Easemob) -> None:
    """A HEAD, an absolute path with dots, an empty path: answers, no crash."""
    for method, path in (
        ("HEAD", "/users"),
        ("GET", "/../users"),
        ("GET", ""),
        ("POST", "/%2e%2e/x"),
        ("GET", "/用户"),
    ):
        assert isinstance(client.send(method, path), httpx.Response)
