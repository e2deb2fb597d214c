"""Yunxin's simulator: v1 and v2 as documented, CheckSum, history, uploads."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.simulated import simulated
from support.vendor_calls import KEY, Yunxin, conversation

from imconvert.simulators.yunxin import server as yunxin
from imconvert.simulators.yunxin.server.answers import check_sum


@pytest.fixture
def client() -> Iterator[Yunxin]:
    with simulated(yunxin.VENDOR) as sim, Yunxin(sim) as found:
        found.accounts("ann", "bob", "cid")
        yield found


@pytest.fixture(scope="module")
def one_app() -> Iterator[Yunxin]:
    with simulated(yunxin.VENDOR) as sim, Yunxin(sim) as found:
        found.accounts("ann", "bob", "cid")
        assert found.team("ann", "bob") == TID
        yield found


TID = "880011"

# --- who calls ---


def test_the_checksum_is_sha1_of_three_texts() -> None:
    """yunxin.md §4.1, with the values that it names."""
    assert check_sum("secret", "n1", "1443592222") == hashlib.sha1(b"secretn11443592222").hexdigest()


def signed(nonce: str, when: float, secret: str = "simulated-secret") -> dict[str, str]:
    now = str(int(when))
    return {"Nonce": nonce, "CurTime": now, "CheckSum": hashlib.sha1(f"{secret}{nonce}{now}".encode()).hexdigest()}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (lambda: signed("n", time.time()), 200),
        (lambda: signed("n" * 128, time.time()), 200),
        (lambda: signed("n" * 129, time.time()), 414),
        (lambda: signed("n", time.time(), "other"), 414),
        (lambda: signed("n", time.time() - 400), 414),
        (lambda: signed("n", time.time() + 3_000), 414),
        (lambda: {"CheckSum": "x"}, 414),
        (lambda: {"CurTime": "now"}, 414),
        (lambda: {"AppKey": "other"}, 403),
    ],
    ids=["fine", "longest nonce", "nonce", "secret", "old", "ahead", "checksum", "time", "key"],
)
def test_who_calls_is_checked(one_app: Yunxin, changes: Callable[[], dict[str, str]], code: int) -> None:
    """What a request says of the time is made when it is sent: a signature is good for minutes only."""
    assert one_app.send("user/getUinfos", {"accids": ["ann"]}, **changes()).json()["code"] == code


def test_a_request_id_counts_once(client: Yunxin) -> None:
    first, again = (client.send("user/create", {"accid": "dan"}, RequestId="r1").json()["code"] for _ in range(2))
    assert [200, 431] == [first, again]
    refused, then = (
        client.send("user/create", {"accid": name}, RequestId="r2").json()["code"] for name in ("dan", "eve")
    )
    assert [414, 200] == [refused, then]
    with simulated(yunxin.VENDOR, settings={"request_id": "ignored"}) as sim, Yunxin(sim) as other:
        codes = [other.send("user/create", {"accid": "dan"}, RequestId="r1").json()["code"] for _ in range(2)]
    assert [200, 414] == codes


# --- each documented refusal ---

TEAM = {"tname": "t", "owner": "ann", "members": ["bob"], "msg": "hi", "magree": 0, "joinmode": 0}
SEND = {"from_": "ann", "ope": 0, "to": "bob", "type": 0, "body": {"msg": "x"}}
MANY = [f"u{number}" for number in range(501)]
OWNED = {"tid": TID, "owner": "ann"}
ASK = {"from_": "ann", "to": "bob", "begintime": 1, "endtime": 2, "limit": 10}
REFUSALS: list[tuple[str, dict[str, Any], int]] = [
    ("user/create", {}, 414),
    ("user/create", {"accid": "ann"}, 414),
    ("user/create", {"accid": "ANN"}, 414),
    ("user/create", {"accid": "a b"}, 414),
    ("user/create", {"accid": "x" * 33}, 405),
    ("user/create", {"accid": "x", "name": "n" * 65}, 405),
    ("user/create", {"accid": "x", "gender": 3}, 414),
    ("user/updateUinfo", {"accid": "nobody", "name": "x"}, 414),
    ("user/getUinfos", {"accids": ["nobody"]}, 414),
    ("user/getUinfos", {"accids": "ann"}, 414),
    ("user/getUinfos", {"accids": MANY[:201]}, 414),
    ("user/block", {"accid": "nobody"}, 414),
    ("user/unblock", {"accid": "nobody"}, 414),
    ("user/mute", {"accid": "ann"}, 414),
    ("user/setDonnop", {"accid": "ann", "donnopOpen": "1"}, 414),
    ("user/setSpecialRelation", {"accid": "ann", "targetAcc": "bob", "relationType": 3, "value": 1}, 414),
    ("user/setSpecialRelation", {"accid": "ann", "targetAcc": "nobody", "relationType": 1, "value": 1}, 414),
    ("user/listBlackAndMuteList", {"accid": "nobody"}, 414),
    ("friend/add", {"accid": "ann", "faccid": "bob"}, 414),
    ("friend/add", {"accid": "ann", "faccid": "nobody", "type": 1}, 414),
    ("friend/add", {"accid": "ann", "faccid": "bob", "type": 1, "serverex": "x" * 257}, 405),
    ("friend/update", {"accid": "ann", "faccid": "cid", "alias": "x"}, 404),
    ("friend/get", {"accid": "nobody", "updatetime": 0}, 414),
    ("team/create", TEAM | {"magree": 2}, 414),
    ("team/create", TEAM | {"members": "bob"}, 414),
    ("team/create", TEAM | {"members": ["nobody"]}, 414),
    ("team/create", TEAM | {"tname": "t" * 65}, 405),
    ("team/create", TEAM | {"announcement": "t" * 1025}, 405),
    ("team/create", TEAM | {"teamMemberLimit": 1}, 414),
    ("team/create", TEAM | {"teamMemberLimit": 2, "members": ["bob", "cid"]}, 801),
    ("team/add", OWNED | {"members": ["bob"], "magree": 0, "msg": "x"}, 809),
    ("team/add", OWNED | {"members": ["nobody"], "magree": 0, "msg": "x"}, 414),
    ("team/add", OWNED | {"members": MANY[:201], "magree": 0, "msg": "x"}, 414),
    ("team/add", {"tid": "1", "owner": "ann", "members": ["cid"], "magree": 0, "msg": "x"}, 803),
    ("team/add", {"tid": TID, "owner": "bob", "members": ["cid"], "magree": 0, "msg": "x"}, 802),
    ("team/update", {"tid": TID, "owner": "cid", "tname": "x"}, 802),
    ("team/update", OWNED | {"icon": "x" * 1025}, 405),
    ("team/addManager", OWNED | {"members": ["cid"]}, 804),
    ("team/addManager", OWNED | {"members": MANY[:11]}, 414),
    ("team/removeManager", OWNED | {"members": ["cid"]}, 804),
    ("team/changeOwner", OWNED | {"newowner": "cid", "leave": 2}, 804),
    ("team/changeOwner", OWNED | {"newowner": "bob", "leave": 3}, 414),
    ("team/updateTeamNick", OWNED | {"accid": "cid", "nick": "x"}, 804),
    ("team/updateTeamNick", OWNED | {"accid": "bob", "nick": "n" * 33}, 405),
    ("team/muteTeam", {"tid": TID, "accid": "cid", "ope": 1}, 804),
    ("team/muteTlist", OWNED | {"accid": "cid", "mute": 1}, 804),
    ("team/muteTlistAll", OWNED, 414),
    ("team/kick", OWNED | {"member": "cid"}, 804),
    ("team/kick", OWNED | {"member": "ann"}, 804),
    ("team/kick", OWNED, 414),
    ("team/leave", {"tid": TID, "accid": "ann"}, 804),
    ("team/remove", {"tid": TID, "owner": "bob"}, 802),
    ("team/query", {"tids": ["1"], "ope": 0}, 803),
    ("team/query", {"tids": [TID], "ope": 2}, 414),
    ("team/queryDetail", {"tid": "1"}, 803),
    ("team/joinTeams", {"accid": "nobody"}, 414),
    ("team/listTeamMute", {"tid": TID, "owner": "cid"}, 802),
    ("msg/sendMsg", SEND | {"to": "nobody"}, 414),
    ("msg/sendMsg", SEND | {"from_": "nobody"}, 414),
    ("msg/sendMsg", SEND | {"type": 5}, 414),
    ("msg/sendMsg", SEND | {"body": "x"}, 414),
    ("msg/sendMsg", SEND | {"body": {"text": "x"}}, 414),
    ("msg/sendMsg", SEND | {"body": {"msg": "x" * 5_000}}, 405),
    ("msg/sendMsg", SEND | {"ext": "no json"}, 414),
    ("msg/sendMsg", SEND | {"ext": json.dumps({"x": "y" * 1_024})}, 405),
    ("msg/sendMsg", SEND | {"ope": 1, "to": "1"}, 803),
    ("msg/sendMsg", SEND | {"ope": 1, "to": TID, "from_": "cid"}, 804),
    ("msg/sendBatchMsg", {"fromAccid": "ann", "toAccids": MANY, "type": 0, "body": {"msg": "x"}}, 414),
    ("msg/sendBatchMsg", {"fromAccid": "ann", "toAccids": MANY[:101], "type": 0, "body": {"msg": "x"},
                          "returnMsgid": "true"}, 414),
    ("msg/upload", {"content": "no base64!"}, 414),
    ("msg/upload", {"content": "eA==", "tag": "t" * 33}, 405),
    ("msg/upload", {"content": "eA==", "expireSec": "60"}, 414),
    ("msg/fileUpload", {}, 414),
    ("history/querySessionMsg", ASK | {"begintime": 2}, 414),
    ("history/querySessionMsg", ASK | {"limit": 0}, 414),
    ("history/querySessionMsg", ASK | {"limit": 101}, 414),
    ("history/querySessionMsg", ASK | {"to": "nobody"}, 414),
    ("history/queryTeamMsg", {"tid": TID, "accid": "cid", "begintime": 1, "endtime": 2, "limit": 1}, 804),
    ("history/queryTeamMsg", {"tid": TID, "accid": "cid", "begintime": 1, "endtime": 2, "limit": 1,
                              "checkTeamValid": "false"}, 804),
]  # fmt: skip


@pytest.mark.parametrize(("path", "form", "code"), REFUSALS)
def test_a_refusal(one_app: Yunxin, path: str, form: dict[str, Any], code: int) -> None:
    before = {name: one_app.sim.rows(f"export/{name}") for name in yunxin.EXPORTS}
    assert one_app.code(path, **form) == code
    assert before == {name: one_app.sim.rows(f"export/{name}") for name in before}


def test_every_v1_endpoint_is_refused_something() -> None:
    assert {name for name, _, _ in yunxin._V1} == {path for path, _, _ in REFUSALS}


def test_v1_takes_forms_only(one_app: Yunxin) -> None:
    reply = one_app.http.post("/nimserver/user/create.action", json={"accid": "x"}, headers=one_app.headers())
    assert reply.json()["code"] == 414


# --- v1 ---


def test_accounts_are_folded(client: Yunxin) -> None:
    made = client.call("user/create", accid="Dan_1@x.y-z", name="Dan", token="t")
    assert made["info"] == {"accid": "dan_1@x.y-z", "token": "t", "name": "Dan"}
    client.call("user/updateUinfo", accid="DAN_1@x.y-z", sign="早", name="")
    found = client.call("user/getUinfos", accids=["Dan_1@X.Y-Z", "ann"])["uinfos"]
    assert [{"accid": "dan_1@x.y-z", "name": "", "sign": "早"}, {"accid": "ann"}] == found
    for path, form in (("block", {}), ("mute", {"mute": "true"}), ("setDonnop", {"donnopOpen": "false"})):
        assert client.code(f"user/{path}", accid="ann", **form) == 200
    row = next(row for row in client.sim.rows("export/accounts") if row["accid"] == "ann")
    assert row["flags"] == {"block": True, "mute": True, "donnopOpen": False}


def test_friends_and_lists(client: Yunxin) -> None:
    assert client.code("friend/add", accid="ann", faccid="bob", type=1) == 200
    assert client.code("friend/add", accid="ann", faccid="cid", type=2) == 200
    assert client.code("friend/update", accid="ann", faccid="bob", alias="boss") == 200
    found = client.call("friend/get", accid="ann", updatetime=0)
    assert [("bob", "boss", True)] == [(one["faccid"], one["alias"], one["bidirection"]) for one in found["friends"]]
    assert [one["faccid"] for one in client.call("friend/get", accid="bob", updatetime=0)["friends"]] == ["ann"]
    for relation, value in ((1, 1), (2, 1), (2, 0)):
        form = {"accid": "ann", "targetAcc": "bob", "relationType": relation, "value": value}
        assert client.code("user/setSpecialRelation", **form) == 200
    listed = client.call("user/listBlackAndMuteList", accid="ann")
    assert ([], ["bob"]) == (listed["mutelist"], listed["blacklist"])
    assert client.code("msg/sendMsg", **(SEND | {"from_": "bob", "to": "ann"})) == 403


def test_lists_can_be_full() -> None:
    with simulated(yunxin.VENDOR, settings={"most_friends": "1", "most_listed": "1"}) as sim, Yunxin(sim) as client:
        client.accounts("ann", "bob", "cid")
        friends = [client.code("friend/add", accid="ann", faccid=name, type=1) for name in ("bob", "cid")]
        blocks = [client.code("user/setSpecialRelation", accid="ann", targetAcc=name, relationType=1, value=1)
                  for name in ("bob", "cid")]  # fmt: skip
    assert [200, 419] == friends == blocks


def test_a_team_lives(client: Yunxin) -> None:
    tid = client.team("ann", "bob")
    assert client.code("team/add", tid=tid, owner="ann", members=["CID", "bob"], magree=0, msg="x") == 200
    assert client.code("team/update", tid=tid, owner="ann", tname="new", intro="早") == 200
    assert client.code("team/addManager", tid=tid, owner="ann", members=["bob"]) == 200
    assert client.code("team/updateTeamNick", tid=tid, owner="ann", accid="bob", nick="B") == 200
    assert client.code("team/muteTlist", tid=tid, owner="bob", accid="cid", mute=1) == 200
    assert client.code("team/muteTeam", tid=tid, accid="cid", ope=1) == 200
    assert [{"accid": "cid", "tid": int(tid)}] == client.call("team/listTeamMute", tid=tid, owner="ann")["mutes"]
    assert client.code("msg/sendMsg", **(SEND | {"ope": 1, "to": tid, "from_": "cid"})) == 423
    info = client.call("team/query", tids=[tid, "1"], ope=1, ignoreInvalid="true")["tinfos"][0]
    assert ("new", "早", "ann", ["bob"], ["cid"], 3) == tuple(
        info[name] for name in ("tname", "intro", "owner", "admins", "members", "size")
    )
    detail = client.call("team/queryDetail", tid=tid)["tinfo"]
    assert ("ann", "B", True) == (detail["owner"]["accid"], detail["admins"][0]["nick"], detail["members"][0]["mute"])
    assert client.code("team/changeOwner", tid=tid, owner="ann", newowner="bob", leave=1) == 200
    assert client.code("team/kick", tid=tid, owner="bob", member="cid") == 200
    assert client.code("team/add", tid=tid, owner="bob", members=["cid"], magree=0, msg="x") == 200
    assert client.code("team/leave", tid=tid, accid="cid") == 200
    assert [int(tid)] == [one["tid"] for one in client.call("team/joinTeams", accid="bob")["infos"]]
    assert client.code("team/remove", tid=tid, owner="bob") == 200
    assert client.code("team/queryDetail", tid=tid) == 803
    ids = [row["body"]["id"] for row in client.sim.rows("export/messages") if row["type"] == 5]
    assert [0, 0, 3, 7, 10, 6, 1, 0, 2, 4] == ids


def test_notices_can_be_kept_off_the_creation(client: Yunxin) -> None:
    client.call("team/create", **TEAM, isNotifyClosePersistent=1)
    assert client.sim.rows("export/messages") == []


@pytest.mark.parametrize(("kind", "codes"), [(0, [200, 200]), (1, [200, 812]), (3, [812, 812])])
def test_a_team_can_be_muted(client: Yunxin, kind: int, codes: list[int]) -> None:
    tid = client.team("ann", "bob")
    assert client.code("team/muteTlistAll", tid=tid, owner="ann", muteType=kind) == 200
    assert codes == [
        client.code("msg/sendMsg", **(SEND | {"ope": 1, "to": tid, "from_": name})) for name in ("ann", "bob")
    ]


def test_a_batch_is_sent_and_tells_who_is_missing(client: Yunxin) -> None:
    form = {"fromAccid": "ann", "toAccids": ["bob", "nobody"], "type": 0, "body": {"msg": "x"}, "returnMsgid": "true"}
    found = client.call("msg/sendBatchMsg", **form)
    assert ('["nobody"]', {"bob"}) == (found["unregister"], found["msgids"].keys())


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_history_is_read_by_sliding_the_window(client: Yunxin, limit: int) -> None:
    """§5.1: both directions; the last number is left out of the next window."""
    sent = [client.call("msg/sendMsg", **(SEND | ends))["data"]["msgid"] for _ in range(3)
            for ends in ({}, {"from_": "bob", "to": "ann"})]  # fmt: skip
    found: list[int] = []
    begin, exclude = 1, ""
    while True:
        form = {"from_": "bob", "to": "ann", "begintime": begin, "endtime": 4 * 10**12, "limit": limit, "reverse": 1}
        answer = client.call("history/querySessionMsg", **form, excludeMsgid=exclude)
        assert answer["size"] == len(answer["msgs"])
        found += [message["msgid"] for message in answer["msgs"]]
        if answer["size"] < limit:
            break
        last = answer["msgs"][-1]["sendtime"]
        same = [one for one in client.sim.rows("export/messages") if one["sendtime"] == last and one["msgid"] in found]
        begin, exclude = last, ",".join(str(one["msgid"]) for one in same)
    assert sent == found


def test_history_of_a_team_asks_who_asks(client: Yunxin) -> None:
    tid = client.team("ann", "bob")
    client.call("msg/sendMsg", **(SEND | {"ope": 1, "to": tid, "ext": json.dumps({"k": 1})}))
    client.call("team/leave", tid=tid, accid="bob")
    ask = {"tid": tid, "accid": "bob", "begintime": 1, "endtime": 4 * 10**12, "limit": 100, "type": "0"}
    assert client.code("history/queryTeamMsg", **ask) == 804
    found = client.call("history/queryTeamMsg", **ask, checkTeamValid="false")["msgs"]
    assert [("ann", 0, {"msg": "x"}, '{"k": 1}')] == [
        (one["from"], one["type"], one["body"], one["ext"]) for one in found
    ]
    everything = client.call("history/queryTeamMsg", **(ask | {"type": "", "accid": "ann"}))["msgs"]
    assert [5, 0, 5] == [one["type"] for one in everything]


def test_history_ends_with_retention() -> None:
    with simulated(yunxin.VENDOR, settings={"history_days": "7"}) as sim, Yunxin(sim) as client:
        client.accounts("ann", "bob")
        client.call("msg/sendMsg", **SEND)
        ask = {"from_": "ann", "to": "bob", "begintime": 1, "endtime": 4 * 10**12, "limit": 9}
        assert client.call("history/querySessionMsg", **ask)["size"] == 1
        client.ahead = 8 * 86_400
        sim.ahead(client.ahead)
        assert client.call("history/querySessionMsg", **ask)["size"] == 0


BODIES = {
    0: {"msg": "x"}, 1: {"url": "https://x", "ext": "jpg", "w": 1, "h": 2, "size": 3},
    2: {"url": "https://x", "ext": "aac", "dur": 1, "size": 2},
    3: {"url": "https://x", "ext": "mp4", "dur": 1, "w": 1, "h": 2, "size": 3}, 4: {"title": "x", "lng": 1.5, "lat": 2},
    6: {"url": "https://x", "ext": "zip", "size": 1}, 10: {"msg": "x"}, 100: {},
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_every_type_is_sent(client: Yunxin, kind: int) -> None:
    assert client.code("msg/sendMsg", **(SEND | {"type": kind, "body": BODIES[kind]})) == 200
    if kind != 100:
        assert client.code("msg/sendMsg", **(SEND | {"type": kind, "body": {}})) == 414


def test_files_come_back(client: Yunxin) -> None:
    content = bytes(range(256))
    plain = client.call("msg/upload", content=base64.b64encode(content).decode(), type="image/png")["url"]
    reply = client.http.post("/nimserver/msg/fileUpload.action", headers=client.headers(),
                             files={"content": ("a.bin", content)}, data={"tag": "t"})  # fmt: skip
    assert [content, content] == [client.http.get(url).content for url in (plain, reply.json()["url"])]
    assert client.http.get(plain).headers["content-type"] == "image/png"
    assert client.http.get(f"{client.sim.url}/files/none").status_code == 404


def test_a_file_that_is_too_large(client: Yunxin) -> None:
    reply = client.http.post("/nimserver/msg/fileUpload.action", headers=client.headers(),
                             files={"content": ("a", b"x" * ((15 << 20) + 1))})  # fmt: skip
    assert (reply.json()["code"], client.sim.rows("export/files")) == (414, [])


# --- the import of text files ---


def line(kind: int, number: int, **data: Any) -> bytes:
    envelope = {
        "msgid": number,
        "from": "ann",
        "to": "Bob",
        "createTime": 1_700_000_000_000 + number,
        "clientType": "2",
    }
    if "tid" in data:
        envelope = {"accid": "ann", **envelope}
        del envelope["from"], envelope["to"]
    return json.dumps({"type": kind, "data": envelope | data}, ensure_ascii=False).encode()


PICTURE = {"url": "https://x/a.jpg", "ext": "jpg", "w": 1, "h": 2, "size": 3}


def test_text_files_are_imported_and_found_by_queries(client: Yunxin) -> None:
    """yunxin.md §1, §5: lines become messages as history tells them; the same four overwrite."""
    lines = [line(0, 1, body="早"), line(1, 2, attach=json.dumps(PICTURE)), line(0, 1, body="other"),
             line(4, 3, attach='{"title":"x","lng":"120.1","lat":"30.2"}'), line(100, 4, attach={"k": "v"}),
             line(9, 5), b"{"]  # fmt: skip
    found = client.sim.take(*lines)
    assert ["new", "new", "overwritten", "new", "new", "bad", "bad"] == [one["outcome"] for one in found]
    ask = {"from_": "bob", "to": "ann", "begintime": 1, "endtime": 4 * 10**12, "limit": 100, "reverse": 1}
    messages = client.call("history/querySessionMsg", **ask)["msgs"]
    assert [(1, 0, {"msg": "other"}), (2, 1, PICTURE), (3, 4, {"title": "x", "lng": 120.1, "lat": 30.2}),
            (4, 100, {"k": "v"})] == [(one["msgid"], one["type"], one["body"]) for one in messages]  # fmt: skip
    assert {("ann", 2)} == {(one["from"], one["fromclienttype"]) for one in messages}


def test_notices_come_back_as_type_5(client: Yunxin) -> None:
    tid = int(client.team("bob", "ann"))
    client.sim.take(
        line(101, 1, tid=tid, accid2="bob"),
        line(102, 2, tid=tid, accid2="cid"),
        line(109, 3, tid=tid),
        line(103, 4, tid=tid, accid2="cid"),
        line(107, 5, tid=tid, tinfo={"tid": tid, "14": "x"}),
    )
    times = {"begintime": 1, "endtime": 1_700_000_001_000}
    ask = {"tid": tid, "accid": "bob", "limit": 100, "reverse": 1} | times
    found = [(one["type"], one["from"], one["body"]) for one in client.call("history/queryTeamMsg", **ask)["msgs"]]
    assert [
        (5, "bob", {"id": 0, "data": {"ids": ["ann"]}}), (5, "ann", {"id": 1, "data": {"ids": ["cid"]}}),
        (5, "ann", {"id": 2, "data": {}}), (5, "ann", {"id": 10, "data": {"ids": ["cid"], "mute": "1"}}),
        (5, "ann", {"id": 3, "data": {"tinfo": {"tid": str(tid), "14": "x"}}}),
    ] == found  # fmt: skip


def test_numbers_of_text_files_may_be_new_ones() -> None:
    with simulated(yunxin.VENDOR, settings={"imported_ids": "new"}) as sim:
        assert [1, 1] != [one["msgid"] for one in sim.take(line(0, 1, body="x"), line(0, 1, body="y"))]
        assert len(sim.rows("export/messages")) == 1


# --- v2 ---


@pytest.mark.parametrize("version", ["v2", "v2.1"])
def test_v2_accounts_and_profiles(client: Yunxin, version: str) -> None:
    body = {"account_id": "dan", "token": "t", "user_information": {"name": "Dan", "avatar": "https://x"}}
    made = client.v2("POST", "accounts", body, version=version)
    assert (200, "success", {"account_id": "dan", "token": "t"}) == (made["code"], made["msg"], made["data"])
    assert client.v2("POST", "accounts", body, version=version)["code"] == 414
    assert client.v2("POST", "accounts", {"account_id": "Dan"}, version=version)["code"] == 414
    client.v2("PATCH", "users/dan", {"sign": "早"}, version=version)
    found = client.v2("GET", "users", version=version, account_ids="dan,nobody")["data"]
    assert [{"account_id": "dan", "name": "Dan", "avatar": "https://x", "sign": "早"}] == found["success_list"]
    assert [("nobody", 102404)] == [(one["account_id"], one["error_code"]) for one in found["failed_list"]]
    assert client.v2("GET", "users/dan", version=version)["data"]["name"] == "Dan"


def test_v2_friends_and_lists(client: Yunxin) -> None:
    for name in ("bob", "cid"):
        client.v2("POST", "friends", {"account_id": "ann", "friend_account_id": name, "type": 1, "alias": name.upper()})
    client.v2("PATCH", "friends/ann", {"friend_account_id": "bob", "extension": "x"}, version="v2.1")
    first = client.v2("GET", "friends", account_id="ann", limit=1)["data"]
    rest = client.v2("GET", "friends", account_id="ann", limit=1, page_token=first["next_token"])["data"]
    assert [("bob", "BOB", "x"), ("cid", "CID", None)] == [
        (one["friend_account_id"], one["alias"], one.get("extension"))
        for page in (first, rest)
        for one in page["items"]
    ]
    assert (True, False) == (first["has_more"], rest["has_more"])
    for kind in ("block_contacts", "mute_contacts"):
        client.v2("POST", kind, {"account_id": "ann", "contact_account_id": "bob"})
        client.v2("POST", kind, {"account_id": "ann", "contact_account_id": "cid"})
        client.v2("DELETE", f"{kind}/ann", contact_account_id="bob")
        listed = client.v2("GET", kind, account_id="ann")["data"]["items"]
        assert ["cid"] == [one["contact_account_id"] for one in listed]


def test_v2_teams(client: Yunxin) -> None:
    body = {"owner_account_id": "ann", "team_type": 1, "name": "t", "invite_account_ids": ["bob", "nobody"],
            "configuration": {"join_mode": 0}}  # fmt: skip
    made = client.v2("POST", "teams", body, version="v2.1")["data"]
    tid = made["team_info"]["team_id"]
    assert ["nobody"] == [one["account_id"] for one in made["failed_list"]]
    operated = {"operator_id": "ann", "team_id": tid, "team_type": 1}
    added = client.v2("POST", "team_members", operated | {"invite_account_ids": ["cid", "gone"]})["data"]
    assert (["cid"], ["gone"]) == (added["success_list"], [one["account_id"] for one in added["failed_list"]])
    client.v2("POST", f"teams/{tid}/actions/add_manager", {"operator_id": "ann", "managers": ["bob"]})
    client.v2("PATCH", "team_members/cid", operated | {"team_nick": "C"})
    client.v2("PATCH", "team_members/actions/batch_mute", operated | {"chat_ban_account_ids": ["cid"]})
    client.v2("PATCH", f"teams/{tid}/actions/transfer_owner", {"operator_id": "ann", "new_owner_account_id": "bob"})
    first = client.v2("GET", f"teams/{tid}/actions/list_members", team_type=1, limit=2)["data"]
    rest = client.v2("GET", f"teams/{tid}/actions/list_members", limit=2, page_token=first["next_token"])["data"]
    roles = {one["account_id"]: (one["member_role"], one["team_nick"], one["chat_banned"])
             for page in (first, rest) for one in page["items"]}  # fmt: skip
    assert {"ann": (0, "", False), "bob": (1, "", False), "cid": (0, "C", True)} == roles
    removed = client.v2("DELETE", f"teams/{tid}/actions/remove_manager", {"operator_id": "ann", "managers": ["cid"]})
    assert removed["code"] == 802


def test_v2_sends_once_and_reads_back(client: Yunxin) -> None:
    cid = conversation("ann", 1, "bob")
    body = {"message": {"message_type": 0, "text": "早", "message_client_id": "c1"}, "extension": '{"k":1}'}
    sent = client.v2("POST", f"conversations/{cid}/messages", body)
    assert client.v2("POST", f"conversations/{cid}/messages", body)["code"] == 107306
    place = {"message": {"message_type": 4, "attachment": {"title": "x", "lng": 1, "lat": 2}}}
    assert client.v2("POST", f"conversations/{conversation('bob', 1, 'ann')}/messages", place)["code"] == 200
    ask = {"begin_time": 1, "end_time": 4 * 10**12, "limit": 1, "descending": "true"}
    first = client.v2("GET", f"conversations/{cid}/messages", **ask, version="v2.1")["data"]
    rest = client.v2("GET", f"conversations/{cid}/messages", **ask, page_token=first["next_token"])["data"]
    one, other = first["items"] + rest["items"]
    assert (sent["data"]["message_server_id"], "c1", "早", "bob", '{"k":1}') == tuple(
        one[name] for name in ("message_server_id", "message_client_id", "text", "receiver_id", "extension")
    )
    assert ({"title": "x", "lng": 1, "lat": 2}, "bob") == (other["attachment"], other["sender_id"])


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "code"),
    [
        ("POST", "accounts", [], {}, 414),
        ("POST", "accounts", {"account_id": ""}, {}, 414),
        ("POST", "accounts", {"account_id": "x" * 33}, {}, 405),
        ("PATCH", "users/nobody", {"name": "x"}, {}, 414),
        ("GET", "users", None, {}, 414),
        ("GET", "friends", None, {"account_id": "nobody"}, 414),
        ("GET", "friends", None, {"account_id": "ann", "limit": "101"}, 414),
        ("POST", "mute_contacts", {"account_id": "ann"}, {}, 414),
        ("POST", "teams", {"owner_account_id": "ann", "team_type": 3, "name": "x"}, {}, 414),
        ("POST", "team_members", {"operator_id": "ann", "team_id": 1, "team_type": 1, "invite_account_ids": ["b"]}, {},
         803),
        ("GET", "teams/1/actions/list_members", None, {}, 803),
        ("POST", "conversations/ann%7C9%7Cbob/messages", {"message": {"message_type": 0, "text": "x"}}, {}, 414),
        ("POST", "conversations/ann%7C1%7Cbob/messages", {"message": {"message_type": 7}}, {}, 414),
        ("GET", "conversations/ann%7C1%7Cbob/messages", None, {"begin_time": 1, "end_time": 2, "limit": 101}, 414),
        ("GET", "conversations/ann%7C1%7Cbob/messages", None, {"begin_time": 2, "end_time": 1, "limit": 1}, 414),
        ("GET", "conversations/cid%7C2%7C880011/messages", None, {"begin_time": 1, "end_time": 2, "limit": 1}, 804),
        ("GET", "nothing", None, {}, 404),
    ],
)  # fmt: skip
def test_a_refusal_of_v2(one_app: Yunxin, method: str, path: str, body: Any, query: dict[str, Any], code: int) -> None:
    found = one_app.v2(method, path, body, **query)
    assert (found["code"], "msg" in found) == (code, True)


# --- limits and partial success ---


def test_who_is_too_fast_is_blocked_for_a_while() -> None:
    with simulated(yunxin.VENDOR, limited=True, rates={"register": "2/1s/10s"}) as sim, Yunxin(sim) as client:
        codes = [client.code("user/create", accid=f"u{number}") for number in range(4)]
        sim.ahead(5)
        codes.append(client.code("user/create", accid="u5"))
        assert client.code("user/getUinfos", accids=["u0"]) == 200
        sim.ahead(6)
        codes.append(client.code("user/create", accid="u6"))
    assert [200, 200, 416, 416, 416, 200] == codes


def test_the_documented_rates() -> None:
    assert {"register": (100, 1.0, 10.0), "sendBatchMsg": (120, 60.0, 60.0)} == {
        name: tuple(yunxin.LIMITS[name]) for name in ("register", "sendBatchMsg")
    }
    assert {100, 120} == {limit.calls for limit in yunxin.LIMITS.values()}


def test_a_batch_fails_in_part() -> None:
    with simulated(yunxin.VENDOR, faults='["team*/add"]\npartial = 1.0') as sim, Yunxin(sim) as client:
        names = [f"u{number}" for number in range(6)]
        client.accounts("ann", "bob", *names)
        tid = client.team("ann", "bob")
        failed = client.call("team/add", tid=tid, owner="ann", members=names, magree=0, msg="x")["faccid"]["accid"]
        assert 0 < len(failed) < 6
        body = {"operator_id": "ann", "team_id": int(tid), "team_type": 1, "invite_account_ids": failed}
        again = client.v2("POST", "team_members", body)["data"]
        assert len(again["success_list"]) + len(again["failed_list"]) == len(failed)


def test_the_key_of_the_app_is_checked_first(one_app: Yunxin) -> None:
    assert KEY == one_app.headers()["AppKey"]
