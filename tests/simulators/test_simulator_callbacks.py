"""The callbacks that simulators post: signed as documented, tried as often as the vendor does, clumsy on purpose."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.simulated import Simulated, simulated
from support.vendor_calls import TEXT, Easemob, RongCloud, Tencent, Yunxin

from imconvert.simulators import easemob, rongcloud, tencent
from imconvert.simulators.core.vendor import Vendor
from imconvert.simulators.tencent.callbacks import sign
from imconvert.simulators.yunxin import server as yunxin


class Got(NamedTuple):
    """One post as it came."""

    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@contextmanager
def receiver(
    answer: Callable[[int], tuple[int, bytes]] = lambda number: (200, b"{}"),
) -> Iterator[tuple[str, list[Got]]]:
    """A customer's address on loopback: its URL, and what came; `answer` is asked with the number of the post."""
    got: list[Got] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got.append(Got(dict(parse_qsl(urlsplit(self.path).query)), headers, body))
            status, text = answer(len(got))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?k=v", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(vendor: Vendor, *messages: dict[str, Any], **options: Any) -> tuple[list[Got], list[dict[str, Any]]]:
    """What came of messages that users sent, and how the simulator notes it."""
    answer = options.pop("answer", lambda number: (200, b"{}"))
    with receiver(answer) as (url, got), simulated(vendor, callback=url, **options) as sim:
        people(sim)
        sim.settle()
        before = len(got), len(sim.rows("posts"))
        sim.say(*messages)
        sim.settle()
        return got[before[0] :], sim.rows("posts")[before[1] :]


def people(sim: Simulated) -> None:
    """ann, bob and a group or team of theirs."""
    name = sim.app.vendor.name
    if name == "tencent":
        with Tencent(sim) as one:
            one.accounts("ann", "bob")
            one.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g"})
    elif name == "rongcloud":
        with RongCloud(sim) as two:
            two.users("ann", "bob")
    elif name == "yunxin":
        with Yunxin(sim) as three:
            three.accounts("ann", "bob")
            three.team("ann", "bob")


PAIR = {"from": "ann", "to": "bob", "text": "早"}

# --- the shape and signature of each vendor's ---


def test_the_published_vector_of_tencent() -> None:
    """tencent.md §8."""
    assert sign("xxxxyyyy", "1669872112") == "17773bc39a671d7b9aa835458704d2a6db81360a5940292b587d6d760d484061"


def test_tencents_callbacks() -> None:
    messages = [PAIR, {"from": "bob", "group": "g", "text": "好"}]
    (pair, group), posts = said(tencent.VENDOR, *messages, settings={"callback_token": "t0k"})
    assert [("C2C.CallbackAfterSendMsg", 1, "200"), ("Group.CallbackAfterSendMsg", 1, "200")] == [
        (row["event"], row["tries"], row["outcome"]) for row in posts
    ]
    for got in (pair, group):
        assert got.query["Sign"] == hashlib.sha256(f"t0k{got.query['RequestTime']}".encode()).hexdigest()
        assert ("v", "1400000000", "json", "Android", got.json["CallbackCommand"]) == tuple(
            got.query[name] for name in ("k", "SdkAppid", "contenttype", "OptPlatform", "CallbackCommand")
        )
        assert got.json["EventTime"] // 1000 == got.json["MsgTime"]
    body = pair.json
    assert body["MsgKey"] == f"{body['MsgSeq']}_{body['MsgRandom']}_{body['MsgTime']}"
    assert ("ann", "bob", 0, 0) == tuple(
        body[name] for name in ("From_Account", "To_Account", "SendMsgResult", "OnlineOnlyFlag")
    )
    assert ("g", "Public", "bob", 1) == tuple(
        group.json[name] for name in ("GroupId", "Type", "From_Account", "MsgSeq")
    )
    assert group.json["MsgBody"] == [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "好"}}]


def test_tencents_other_events() -> None:
    with receiver() as (url, got), simulated(tencent.VENDOR, callback=url) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        client.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g"})
        client.call("importmsg", client.message(1))
        member = {"GroupId": "g", "MemberList": [{"Member_Account": "bob"}]}
        client.call("add_group_member", member)
        client.call("modify_group_base_info", {"GroupId": "g", "Name": "new", "MuteAllMember": "On"})
        client.call("delete_group_member", {"GroupId": "g", "MemberToDel_Account": ["bob"]})
        client.call("admin_set_msg_read", {"Report_Account": "bob", "Peer_Account": "ann"})
        live = {"GroupId": "g", "From_Account": "ann", "Random": 1, "MsgBody": TEXT}
        quiet = {"ForbidCallbackControl": ["ForbidAfterSendMsgCallback"]}
        client.call("send_group_msg", live | quiet)
        client.call("sendmsg", client.message(2, SyncFromOldSystem=None, **quiet))
        client.call("sendmsg", client.message(3, SyncFromOldSystem=None, CloudCustomData="x"))
        sim.settle()
    assert [
        "Group.CallbackAfterNewMemberJoin",
        "Group.CallbackAfterGroupInfoChanged",
        "Group.CallbackAfterMemberExit",
        "C2C.CallbackAfterMsgReport",
        "C2C.CallbackAfterSendMsg",
    ] == [one.json["CallbackCommand"] for one in got]
    assert all(one.query["OptPlatform"] == "RESTAPI" and "Sign" not in one.query for one in got)
    joined, changed, left, read, sent = (one.json for one in got)
    assert [{"Member_Account": "bob"}] == joined["NewMemberList"] == left["ExitMemberList"]
    assert ("new", False) == (changed["Name"], "MuteAllMember" in changed)
    assert ("bob", "ann", 0) == (read["Report_Account"], read["Peer_Account"], read["UnreadMsgNum"])
    assert "x" == sent["CloudCustomData"]


def test_easemobs_callbacks() -> None:
    messages = [PAIR | {"ext": {"k": 1}}, {"from": "bob", "group": "77", "type": "loc", "body": {"lat": 1}}]
    (pair, group), _ = said(easemob.VENDOR, *messages)
    for got in (pair, group):
        body = got.json
        text = f"{body['callId']}simulated-callback{body['timestamp']}"
        assert body["security"] == hashlib.md5(text.encode()).hexdigest()
        assert ("chat", "rehearsal#app") == (body["eventType"], body["appkey"])
    assert ("chat", "ann", "bob", "chat:user:text") == tuple(
        pair.json[name] for name in ("chat_type", "from", "to", "content_type")
    )
    assert ([{"type": "txt", "msg": "早"}], {"k": 1}) == (pair.json["payload"]["bodies"], pair.json["payload"]["ext"])
    assert ("groupchat", "77", "chat:group:location") == tuple(
        group.json[name] for name in ("chat_type", "group_id", "content_type")
    )


def test_easemob_calls_back_for_its_own_sends_and_not_for_imports() -> None:
    with receiver() as (url, got), simulated(easemob.VENDOR, callback=url) as sim, Easemob(sim) as client:
        client.call("POST", "/messages/users/import", client.message(1_700_000_000_000))
        sent = client.call("POST", "/messages/users", {"to": ["bob"], "type": "txt", "body": {"msg": "x"}})
        sim.settle()
    assert [sent["data"]["bob"]] == [one.json["msg_id"] for one in got]


@pytest.mark.parametrize("name", ["timestamp", "signTimestamp"])
def test_rongclouds_routing(name: str) -> None:
    messages = [PAIR, {"from": "bob", "group": "g", "class": "RC:ImgMsg", "content": {"imageUri": "https://x"}}]
    (pair, group), _ = said(rongcloud.VENDOR, *messages, settings={"callback_time": name})
    for got in (pair, group):
        text = f"simulated-secret{got.query['nonce']}{got.query[name]}"
        assert got.query["signature"] == hashlib.sha1(text.encode()).hexdigest()
        assert "simulated-key" == got.query["appKey"]
        assert "application/x-www-form-urlencoded" == got.headers["content-type"]
    assert ("ann", "bob", "PERSON", "RC:TxtMsg", {"content": "早"}) == (
        *(pair.form[one] for one in ("fromUserId", "toUserId", "channelType", "objectName")),
        json.loads(pair.form["content"]),
    )
    assert ("g", "GROUP", "0") == tuple(group.form[one] for one in ("toUserId", "channelType", "sensitiveType"))


@pytest.mark.parametrize(("setting", "count"), [("off", 0), ("on", 1)])
def test_rongcloud_routes_its_own_sends_only_if_set(setting: str, count: int) -> None:
    with receiver() as (url, got), simulated(
        rongcloud.VENDOR, callback=url, settings={"route_server": setting}
    ) as sim, RongCloud(sim) as client:  # fmt: skip
        client.users("ann", "bob")
        client.call("message/private/publish", fromUserId="ann", toUserId="bob", objectName="RC:TxtMsg", content="{}")
        sim.settle()
    assert len(got) == count


def test_yunxins_copies() -> None:
    messages = [
        PAIR,
        {"from": "bob", "group": 880011, "type": 4, "body": {"title": "x", "lng": 1, "lat": 2}, "client": 2},
    ]
    (pair, team), _ = said(yunxin.VENDOR, *messages)
    for got in (pair, team):
        digest = hashlib.md5(got.body).hexdigest()
        text = f"simulated-secret{digest}{got.headers['curtime']}"
        assert (digest, hashlib.sha1(text.encode()).hexdigest()) == (got.headers["md5"], got.headers["checksum"])
        assert len(got.headers["curtime"]) == 13
        assert all(isinstance(value, str) for value in got.json.values())
    assert ("PERSON", "bob", "ann", "TEXT", "早", "", "AOS") == tuple(pair.json[name] for name in (
        "convType", "to", "fromAccount", "msgType", "body", "attach", "fromClientType"))  # fmt: skip
    assert ("TEAM", "880011", "LOCATION", {"title": "x", "lng": 1, "lat": 2}, "IOS") == (
        *(team.json[name] for name in ("convType", "to", "msgType")), json.loads(team.json["attach"]),
        team.json["fromClientType"])  # fmt: skip


def test_yunxin_copies_what_is_not_kept_out() -> None:
    with receiver() as (url, got), simulated(yunxin.VENDOR, callback=url) as sim, Yunxin(sim) as client:
        client.accounts("ann", "bob")
        client.team("ann", "bob")
        form = {"from_": "ann", "ope": 0, "to": "bob", "type": 0, "body": {"msg": "x"}}
        client.call("msg/sendMsg", **form, option={"route": False})
        client.call("msg/sendMsg", **form)
        sim.settle()
    assert [("NOTIFICATION", "TEAM"), ("TEXT", "PERSON")] == [
        (one.json["msgType"], one.json["convType"]) for one in got
    ]
    assert {"id": 0, "data": {"ids": ["bob"]}} == json.loads(got[0].json["attach"])


# --- tries and bans ---


@pytest.mark.parametrize(
    ("vendor", "answer", "tries"),
    [
        (tencent.VENDOR, (500, b"{}"), 1),
        (tencent.VENDOR, (200, b"no json"), 1),
        (easemob.VENDOR, (500, b""), 2),
        (easemob.VENDOR, (200, b"x" * 1001), 2),
        (rongcloud.VENDOR, (404, b""), 3),
        (yunxin.VENDOR, (503, b""), 3),
    ],
    ids=lambda value: value.name if isinstance(value, Vendor) else None,
)
def test_a_post_that_fails_is_tried_again_and_dropped(vendor: Vendor, answer: tuple[int, bytes], tries: int) -> None:
    got, posts = said(vendor, PAIR, answer=lambda number: answer)
    assert [(tries, str(answer[0]))] == [(row["tries"], row["outcome"]) for row in posts]
    assert tries == len(got) == len({one.body for one in got}) * tries


@pytest.mark.parametrize(
    ("vendor", "status"), [(easemob.VENDOR, 200), (rongcloud.VENDOR, 204), (yunxin.VENDOR, 500), (yunxin.VENDOR, 200)],
    ids=lambda value: value.name if isinstance(value, Vendor) else None,
)  # fmt: skip
def test_what_counts_as_delivered(vendor: Vendor, status: int) -> None:
    _, posts = said(vendor, PAIR, answer=lambda number: (status, b""))
    assert (1, str(status)) == (posts[-1]["tries"], posts[-1]["outcome"])


def test_the_second_try_may_arrive() -> None:
    _, posts = said(easemob.VENDOR, PAIR, answer=lambda number: (503 if number == 1 else 200, b""))
    assert [(2, "200")] == [(row["tries"], row["outcome"]) for row in posts]


def test_nobody_there() -> None:
    with simulated(easemob.VENDOR, callback="http://127.0.0.1:9/") as sim:
        sim.say(PAIR)
        sim.settle()
        assert [(2, "ConnectError")] == [(row["tries"], row["outcome"]) for row in sim.rows("posts")]


def test_ninety_failures_ban_an_address() -> None:
    """easemob.md §5.3: calls of the meantime are lost."""
    with receiver(lambda number: (500, b"")) as (url, got), simulated(easemob.VENDOR, callback=url) as sim:
        sim.say(*([PAIR] * 50))
        sim.settle()
        assert len(got) == 90
        assert [500] * 45 + ["banned"] * 5 == [
            int(row["outcome"]) if row["outcome"].isdecimal() else row["outcome"] for row in sim.rows("posts")
        ]
        sim.ahead(301)
        sim.say(PAIR)
        sim.settle()
        assert len(got) == 92


# --- mishaps ---


def texts(got: list[Got]) -> list[int]:
    return [int(one.json["payload"]["bodies"][0]["msg"]) for one in got]


NUMBERED = [{"from": "ann", "to": "bob", "text": str(number)} for number in range(4)]


@pytest.mark.parametrize(
    ("kind", "found"),
    [("lost", []), ("twice", [0, 0, 1, 1, 2, 2, 3, 3]), ("late", [1, 0, 3, 2]), ("forged", [0, 0, 1, 1, 2, 2, 3, 3])],
)
def test_a_mishap_of_callbacks(kind: str, found: list[int]) -> None:
    got, posts = said(easemob.VENDOR, *NUMBERED, faults=f"[callback]\n{kind} = 1.0")
    assert found == texts(got)
    assert len(posts) == max(len(found), 4)


@pytest.mark.parametrize(
    "vendor", [tencent.VENDOR, easemob.VENDOR, rongcloud.VENDOR, yunxin.VENDOR], ids=lambda v: v.name
)
def test_a_forged_post_has_another_signature(vendor: Vendor) -> None:
    settings = {"callback_token": "t"} if vendor is tencent.VENDOR else {}
    (true, forged), _ = said(vendor, PAIR, faults="[callback]\nforged = 1.0", settings=settings)

    def signature(got: Got) -> str:
        known = {**got.query, **got.headers}
        return known.get("Sign") or known.get("signature") or known.get("checksum") or got.json["security"]

    assert signature(true) != signature(forged)
