"""Tencent's simulator: each call as documented, each documented refusal, and what makes two messages one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from support.simulated import simulated
from support.vendor_calls import KEY, TEXT, Tencent, usersig

from imconvert.simulators import tencent
from imconvert.simulators.tencent.auth import read_usersig, signature
from imconvert.simulators.tencent.elements import ELEMENTS

CREATED = 1_700_000_000
LONG = 1 << 40


@pytest.fixture
def client() -> Iterator[Tencent]:
    """A client of an app with three accounts and a group of two."""
    with simulated(tencent.VENDOR) as sim, Tencent(sim) as found:
        found.accounts("ann", "bob", "cid")
        found.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g", "Owner_Account": "ann",
                                    "CreateTime": CREATED})  # fmt: skip
        yield found


# --- who calls ---


def test_the_published_vector() -> None:
    """tencent.md §1.3: the signature inside; the outer text depends on the JSON and zlib that made it."""
    facts = {"TLS.identifier": "administrator", "TLS.sdkappid": 1400000000, "TLS.time": 1700000000,
             "TLS.expire": 15552000}  # fmt: skip
    assert signature(facts, KEY) == "gR61ETblX1aQKhMfO8TIM/9Vb6r3QZmeN3YsBX8C/eA="


def test_the_vendors_own_package_is_understood() -> None:
    found = read_usersig(usersig())
    assert found is not None
    assert ("2.0", "administrator", 1400000000, 86_400) == tuple(
        found[f"TLS.{name}"] for name in ("ver", "identifier", "sdkappid", "expire")
    )
    assert found["TLS.sig"] == signature(found, KEY)


def test_a_user_buffer_is_signed_as_a_fifth_line() -> None:
    facts = {"TLS.identifier": "a", "TLS.sdkappid": 1, "TLS.time": 2, "TLS.expire": 3, "TLS.userbuf": "YnVm"}
    text = b"TLS.identifier:a\nTLS.sdkappid:1\nTLS.time:2\nTLS.expire:3\nTLS.userbuf:YnVm\n"
    assert signature(facts, "k") == base64.b64encode(hmac.new(b"k", text, hashlib.sha256).digest()).decode()


def packed(value: Any) -> str:
    raw = zlib.compress(value if isinstance(value, bytes) else json.dumps(value).encode())
    return base64.b64encode(raw).decode().translate(str.maketrans("+/=", "*-_"))


_SPECIAL = next(found for expire in range(80_000, 90_000) if {"*", "-"} <= set(found := usersig(expire=expire)))
STANDARD = _SPECIAL.translate(str.maketrans("*-_", "+/="))
"""The same in the alphabets of RFC 4648 is none."""


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"sdkappid": "-"}, 60012),
        ({"sdkappid": "1400000001"}, 60006),
        ({"contenttype": "-"}, 60002),
        ({"random": "4294967296"}, 60002),
        ({"random": "-"}, 60002),
        ({"usersig": ""}, 70002),
        ({"usersig": "-"}, 70002),
        ({"usersig": usersig()[:60]}, 70003),
        ({"usersig": "no base64!"}, 70003),
        ({"usersig": packed(b"no json")}, 70003),
        ({"usersig": packed([1])}, 70003),
        ({"usersig": packed({"TLS.time": 1})}, 70003),
        ({"usersig": STANDARD}, 70003),
        ({"usersig": STANDARD.replace("+", "-").replace("/", "_")}, 70003),
        ({"usersig": usersig("somebody")}, 70013),
        ({"usersig": usersig(app=1400000001)}, 70014),
        ({"usersig": usersig(key="f" * 32)}, 70009),
        ({"usersig": usersig(expire=-1)}, 70001),
        ({"identifier": "ann", "usersig": usersig("ann")}, 60010),
    ],
)
def test_who_calls_is_checked(client: Tencent, changes: dict[str, str], code: int) -> None:
    assert client.code("account_check", {"CheckItem": [{"UserID": "ann"}]}, **changes) == code


def test_only_post_is_taken(client: Tencent) -> None:
    assert client.http.get("/v4/openim/importmsg", params=client.query()).json()["ErrorCode"] == 60009


# --- each documented refusal ---

ITEM = {"From_Account": "ann", "SendTime": CREATED + 10, "MsgBody": TEXT}
FRIEND = {"To_Account": "bob", "AddSource": "AddSource_Type_Import"}


def tag(name: str, value: Any) -> dict[str, Any]:
    return {"From_Account": "ann", "ProfileItem": [{"Tag": name, "Value": value}]}


def message(**changes: Any) -> dict[str, Any]:
    found = {"SyncFromOldSystem": 2, "From_Account": "ann", "To_Account": "bob", "MsgSeq": 1, "MsgRandom": 7,
             "MsgTimeStamp": CREATED, "MsgBody": TEXT}  # fmt: skip
    return {name: value for name, value in (found | changes).items() if value is not None}


def element(kind: str, **content: Any) -> list[dict[str, Any]]:
    return [{"MsgType": kind, "MsgContent": content}]


PICTURE = {"URL": "https://x/a.jpg", "Width": 1, "Height": 2}
REFUSALS: list[tuple[str, Any, int]] = [
    ("importmsg", b"{", 90001),
    ("importmsg", [], 90001),
    ("importmsg", message(SyncFromOldSystem=None), 90030),
    ("importmsg", message(SyncFromOldSystem="2"), 90030),
    ("importmsg", message(SyncFromOldSystem=3), 90030),
    ("importmsg", message(SyncFromOldSystem=True), 90030),
    ("importmsg", message(From_Account=None), 90008),
    ("importmsg", message(From_Account=7), 90008),
    ("importmsg", message(From_Account="nobody"), 90008),
    ("importmsg", message(To_Account=None), 90003),
    ("importmsg", message(To_Account="nobody"), 90012),
    ("importmsg", message(MsgRandom=None), 90005),
    ("importmsg", message(MsgRandom="7"), 90005),
    ("importmsg", message(MsgRandom=LONG), 90005),
    ("importmsg", message(MsgTimeStamp=None), 90006),
    ("importmsg", message(MsgTimeStamp=1.5), 90006),
    ("importmsg", message(MsgSeq=-1), 90010),
    ("importmsg", message(MsgBody=None), 90007),
    ("importmsg", message(MsgBody={}), 90007),
    ("importmsg", message(MsgBody=[]), 90002),
    ("importmsg", message(MsgBody=[{"MsgType": "TIMTextElem"}]), 90002),
    ("importmsg", message(MsgBody=element("TIMTextElem", text="x")), 90002),
    ("importmsg", message(MsgBody=element("TIMNewElem", Text="x")), 90002),
    ("importmsg", message(MsgBody=element("TIMCustomElem", Data="x") * 2), 90002),
    ("importmsg", message(MsgBody=element("TIMSoundElem", Url="https://x", UUID="u", Second=3)), 90002),
    ("importmsg", message(MsgBody=element("TIMImageElem", UUID="u", ImageInfoArray=[{"URL": "https://x"}])), 90002),
    ("importmsg", message(MsgBody=element("TIMImageElem", UUID="u", ImageInfoArray=["x"])), 90002),
    ("importmsg", message(MsgBody=element("TIMLocationElem", Latitude="1", Longitude=2)), 90002),
    ("importmsg", message(MsgBody=element("TIMTextElem", Text="早" * 4_096)), 93000),
    ("importmsg", message(CloudCustomData={"a": 1}), 90010),
    ("sendmsg", message(SyncOtherMachine="1"), 90031),
    ("sendmsg", message(MsgLifeTime=604_801), 90026),
    ("sendmsg", message(SendMsgControl=["Quiet"]), 90010),
    ("admin_set_msg_read", {"Report_Account": "ann"}, 90001),
    ("admin_set_msg_read", {"Report_Account": "ann", "Peer_Account": "bob", "MsgReadTime": "x"}, 90001),
    ("admin_set_msg_read", {"Report_Account": "ann", "Peer_Account": "nobody"}, 90048),
    (
        "admin_getroammsg",
        {"From_Account": "ann", "To_Account": "nobody", "MaxCnt": 1, "MinTime": 0, "MaxTime": 9},
        90048,
    ),
    ("admin_getroammsg", {"From_Account": "ann", "To_Account": "bob", "MaxCnt": 0, "MinTime": 0, "MaxTime": 9}, 90001),
    ("multiaccount_import", {"AccountList": []}, 70402),
    ("multiaccount_import", {"Accounts": [f"u{number}" for number in range(101)]}, 70206),
    ("account_import", {"UserID": "x" * 33}, 70402),
    ("account_import", {"UserID": ""}, 70402),
    ("account_import", {"UserID": "张"}, 70402),
    ("account_import", {"UserID": "x", "Nick": 5}, 70402),
    ("account_import", {"UserID": "x", "Nick": "早" * 167}, 40601),
    ("account_check", {"CheckItem": []}, 70402),
    ("account_check", {"CheckItem": [{"UserID": "u"}] * 101}, 70206),
    ("portrait_set", {"From_Account": "ann"}, 40001),
    ("portrait_set", tag("Tag_Profile_IM_Nick", "x") | {"From_Account": "nobody"}, 40003),
    ("portrait_set", tag("Tag_Profile_IM_Shoe", "x"), 40009),
    ("portrait_set", tag("Tag_Profile_Custom_Vip", "x"), 40009),
    ("portrait_set", tag("Tag_Profile_IM_Nick", "x" * 501), 40601),
    ("portrait_set", tag("Tag_Profile_IM_Gender", "Male"), 40605),
    ("portrait_set", tag("Tag_Profile_IM_Location", "x" * 17), 40605),
    ("portrait_set", tag("Tag_Profile_IM_BirthDay", "19900102"), 40610),
    ("portrait_set", tag("Tag_Profile_IM_Nick", 5), 40610),
    ("portrait_get", {"To_Account": ["ann"], "TagList": []}, 40001),
    ("friend_import", {"From_Account": "ann", "AddFriendItem": []}, 30001),
    ("friend_import", {"From_Account": "nobody", "AddFriendItem": [FRIEND]}, 30003),
    ("friend_import", {"From_Account": "ann", "AddFriendItem": [FRIEND] * 1001}, 30001),
    ("black_list_add", {"From_Account": "nobody", "To_Account": ["ann"]}, 30003),
    ("import_group", {"Type": "Public"}, 10004),
    ("import_group", {"Type": "Team", "Name": "x"}, 10004),
    ("import_group", {"Type": "Public", "Name": "x" * 101}, 10004),
    ("import_group", {"Type": "Public", "Name": "x", "GroupId": "@TGS#x"}, 10015),
    ("import_group", {"Type": "Community", "Name": "x", "GroupId": "x"}, 10015),
    ("import_group", {"Type": "Public", "Name": "x", "GroupId": "群"}, 10015),
    ("import_group", {"Type": "Public", "Name": "x", "GroupId": "g"}, 10021),
    ("import_group", {"Type": "Public", "Name": "x", "GroupId": "g", "Owner_Account": "bob"}, 10021),
    ("import_group", {"Type": "Public", "Name": "x", "GroupId": "g", "Owner_Account": "ann"}, 10025),
    ("import_group", {"Type": "Public", "Name": "x", "Owner_Account": "nobody"}, 10019),
    ("import_group", {"Type": "Public", "Name": "x", "CreateTime": 4_000_000_000}, 10004),
    ("import_group", {"Type": "Public", "Name": "x", "ApplyJoinOption": "Open"}, 10004),
    ("import_group", {"Type": "Public", "Name": "x", "AppDefinedData": [{"Key": "a-b", "Value": ""}]}, 10004),
    ("import_group_member", {"GroupId": "none", "MemberList": [{"Member_Account": "bob"}]}, 10010),
    ("import_group_member", {"MemberList": [{"Member_Account": "bob"}]}, 10015),
    ("import_group_member", {"GroupId": "g", "MemberList": [{"Member_Account": "bob"}] * 21}, 10005),
    ("import_group_msg", b"x", 10011),
    ("import_group_msg", {"GroupId": "none", "MsgList": [ITEM]}, 10010),
    ("import_group_msg", {"GroupId": "g", "MsgList": []}, 10004),
    ("import_group_msg", {"GroupId": "g", "MsgList": [ITEM] * 8}, 10005),
    ("import_group_msg", {"GroupId": "g", "MsgList": [ITEM | {"MsgBody": "x"}]}, 10004),
    ("import_group_msg", {"GroupId": "g", "MsgList": [ITEM | {"Random": LONG}]}, 10004),
    ("set_unread_msg_num", {"GroupId": "g", "Member_Account": "cid", "UnreadMsgNum": 1}, 10004),
    ("modify_group_base_info", {"GroupId": "none"}, 10010),
    ("modify_group_base_info", {"GroupId": "g", "MuteAllMember": True}, 10004),
    ("add_group_member", {"GroupId": "g", "MemberList": [{"Member_Account": "nobody"}]}, 10019),
    ("add_group_member", {"GroupId": "g", "MemberList": [{"Member_Account": "bob"}] * 21}, 10005),
    ("delete_group_member", {"GroupId": "g", "MemberToDel_Account": [f"u{number}" for number in range(101)]}, 10005),
    ("forbid_send_msg", {"GroupId": "g", "Members_Account": ["bob"]}, 10004),
    ("send_group_msg", {"GroupId": "g", "MsgBody": TEXT}, 10004),
    ("send_group_msg", {"GroupId": "g", "Random": 1, "MsgBody": TEXT, "From_Account": "nobody"}, 10019),
    ("send_group_msg", {"GroupId": "g", "Random": 1, "MsgBody": element("TIMTextElem", Text="x" * 12_289)}, 80002),
    ("group_msg_get_simple", {"GroupId": "g", "ReqMsgNumber": 21}, 10004),
    ("get_group_info", {"GroupIdList": ["g"] * 51}, 10004),
    ("get_group_member_info", {"GroupId": "g", "Limit": 201}, 10004),
    ("get_appid_group_list", {"Limit": 10_001}, 10004),
    ("get_history", {"ChatType": "Pair", "MsgTime": "2024030610"}, 1002),
    ("get_history", {"ChatType": "C2C", "MsgTime": "2024133010"}, 1002),
    ("get_history", {"ChatType": "C2C", "MsgTime": "2024030610"}, 1005),
    ("get_history", {"ChatType": "C2C", "MsgTime": "2999030610"}, 1004),
]


@pytest.fixture(scope="module")
def one_app() -> Iterator[Tencent]:
    with simulated(tencent.VENDOR) as sim, Tencent(sim) as found:
        found.accounts("ann", "bob", "cid")
        found.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g", "Owner_Account": "ann",
                                    "CreateTime": CREATED})  # fmt: skip
        yield found


@pytest.mark.parametrize(
    ("name", "body", "code"), REFUSALS, ids=lambda value: value if isinstance(value, str) else None
)
def test_a_refusal(one_app: Tencent, name: str, body: Any, code: int) -> None:
    before = {name: one_app.sim.rows(f"export/{name}") for name in ("messages", "group_messages", "members", "friends")}
    assert one_app.code(name, body) == code
    assert before == {name: one_app.sim.rows(f"export/{name}") for name in before}


def test_every_endpoint_is_refused_something() -> None:
    reads = {"friend_get", "black_list_get", "history/file"}
    assert {one.name for one in tencent.VENDOR.endpoints} - reads == {name for name, _, _ in REFUSALS}


# --- accounts, profiles, relations ---


def test_accounts_are_imported_again_and_again(client: Tencent) -> None:
    listed = [{"UserID": "dan", "Nick": "Dan", "FaceUrl": "https://x/d.png"}, {"UserID": "x" * 33}]
    assert client.call("multiaccount_import", {"AccountList": listed})["FailAccounts"] == ["x" * 33]
    assert client.code("account_import", {"Identifier": "dan", "Nick": "Daniel"}) == 0
    found = client.call(
        "portrait_get", {"To_Account": ["dan", "eve"], "TagList": ["Tag_Profile_IM_Nick", "Tag_Profile_IM_Image"]}
    )
    dan, eve = found["UserProfileItem"]
    assert dan["ProfileItem"] == [{"Tag": "Tag_Profile_IM_Nick", "Value": "Daniel"},
                                  {"Tag": "Tag_Profile_IM_Image", "Value": "https://x/d.png"}]  # fmt: skip
    assert (eve["ResultCode"], found["Fail_Account"]) == (40003, ["eve"])
    checked = client.call("account_check", {"CheckItem": [{"UserID": "dan"}, {"UserID": "eve"}, {"UserID": ""}]})
    assert [(0, "Imported"), (0, "NotImported"), (70402, "")] == [
        (item["ResultCode"], item["AccountStatus"]) for item in checked["ResultItem"]
    ]


def test_profiles_keep_what_is_not_named(client: Tencent) -> None:
    assert client.code("portrait_set", tag("Tag_Profile_IM_Nick", "An")) == 0
    assert client.code("portrait_set", tag("Tag_Profile_IM_BirthDay", 19900102)) == 0
    row = next(row for row in client.sim.rows("export/accounts") if row["UserID"] == "ann")
    assert row["profile"] == {"Tag_Profile_IM_Nick": "An", "Tag_Profile_IM_BirthDay": 19900102}


def test_a_custom_tag_has_to_be_declared() -> None:
    with simulated(tencent.VENDOR, settings={"custom_tags": "Vip,Lvl"}) as sim, Tencent(sim) as client:
        client.accounts("ann")
        codes = [client.code("portrait_set", tag(f"Tag_Profile_Custom_{name}", "x")) for name in ("Vip", "Lvl", "Ego")]
    assert [0, 0, 40009] == codes


def test_friends_are_one_way_and_judged_one_by_one(client: Tencent) -> None:
    listed = [FRIEND | {"Remark": "boss", "GroupName": ["work"], "AddTime": CREATED},
              {"To_Account": "nobody", "AddSource": "AddSource_Type_Import"}, {"To_Account": "cid"},
              {"To_Account": "cid", "AddSource": "Import"}]  # fmt: skip
    found = client.call("friend_import", {"From_Account": "ann", "AddFriendItem": listed})
    assert [0, 30003, 30001, 30001] == [item["ResultCode"] for item in found["ResultItem"]]
    assert found["Fail_Account"] == ["nobody", "cid", "cid"]
    got = client.call("friend_get", {"From_Account": "ann", "StartIndex": 0})
    assert (got["FriendNum"], got["CompleteFlag"], got["UserDataItem"][0]["To_Account"]) == (1, 1, "bob")
    assert {"Tag": "Tag_SNS_IM_Remark", "Value": "boss"} in got["UserDataItem"][0]["ValueItem"]
    assert client.call("friend_get", {"From_Account": "bob", "StartIndex": 0})["FriendNum"] == 0


def test_friends_come_in_pages() -> None:
    with simulated(tencent.VENDOR) as sim, Tencent(sim) as client:
        names = [f"u{number:03}" for number in range(150)]
        for start in (0, 100):
            client.accounts(*names[start : start + 100])
        client.accounts("ann")
        listed = [{"To_Account": name, "AddSource": "AddSource_Type_Import"} for name in names]
        assert "Fail_Account" not in client.call("friend_import", {"From_Account": "ann", "AddFriendItem": listed})
        first = client.call("friend_get", {"From_Account": "ann", "StartIndex": 0})
        second = client.call("friend_get", {"From_Account": "ann", "StartIndex": first["NextStartIndex"]})
    assert [(0, 100), (1, 50)] == [(page["CompleteFlag"], len(page["UserDataItem"])) for page in (first, second)]
    assert names == [item["To_Account"] for page in (first, second) for item in page["UserDataItem"]]


def test_blocking_ends_a_friendship_in_both_directions(client: Tencent) -> None:
    for owner, friend in (("ann", "bob"), ("bob", "ann"), ("bob", "cid")):
        item = {"To_Account": friend, "AddSource": "AddSource_Type_Import"}
        client.call("friend_import", {"From_Account": owner, "AddFriendItem": [item]})
    assert "Fail_Account" not in client.call("black_list_add", {"From_Account": "ann", "To_Account": ["bob"]})
    assert [("bob", "cid")] == [(row["From_Account"], row["To_Account"]) for row in client.sim.rows("export/friends")]
    again = client.call("black_list_add", {"From_Account": "ann", "To_Account": ["bob", "cid", "nobody"]})["ResultItem"]
    assert [30001, 0, 30003] == [item["ResultCode"] for item in again]
    assert "Already_Exist" in again[0]["ResultInfo"]
    page = client.call("black_list_get", {"From_Account": "ann", "StartIndex": 0, "MaxLimited": 1})
    rest = client.call("black_list_get", {"From_Account": "ann", "StartIndex": page["StartIndex"], "MaxLimited": 1})
    assert (1, ["bob"], 0, ["cid"]) == (
        page["StartIndex"], [item["To_Account"] for item in page["BlackListItem"]],
        rest["StartIndex"], [item["To_Account"] for item in rest["BlackListItem"]],
    )  # fmt: skip


def test_lists_can_be_full() -> None:
    with simulated(tencent.VENDOR, settings={"most_friends": "1", "most_blocks": "1"}) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob", "cid")
        listed = [{"To_Account": name, "AddSource": "AddSource_Type_Import"} for name in ("bob", "cid")]
        friends = client.call("friend_import", {"From_Account": "ann", "AddFriendItem": listed})
        blocks = client.call("black_list_add", {"From_Account": "ann", "To_Account": ["bob", "cid"]})
    assert [[0, 30010], [0, 30013]] == [
        [one["ResultCode"] for one in found["ResultItem"]] for found in (friends, blocks)
    ]


# --- one-to-one ---


def kept(client: Tencent, name: str = "messages") -> list[tuple[Any, ...]]:
    return [(row["From_Account"], row["MsgSeq"], row["MsgBody"][0]["MsgContent"].get("Text"))
            for row in client.sim.rows(f"export/{name}")]  # fmt: skip


def test_a_message_is_known_by_pair_sequence_random_and_second(client: Tencent) -> None:
    """§4.1: content and direction do not count, and the first import wins."""
    first = client.message(1)
    same = [first, first | {"MsgBody": element("TIMTextElem", Text="other")},
            first | {"From_Account": "bob", "To_Account": "ann"}]  # fmt: skip
    others = [first | {"MsgSeq": 2}, first | {"MsgRandom": 8}, first | {"MsgTimeStamp": CREATED + 1},
              first | {"To_Account": "cid"}]  # fmt: skip
    assert [0] * 7 == [client.code("importmsg", body) for body in (*same, *others)]
    assert [("ann", 1, "早"), ("ann", 2, "早"), ("ann", 1, "早"), ("ann", 1, "早"), ("ann", 1, "早")] == kept(client)
    assert [("ann", "bob"), ("bob", "ann")] == [
        (row["sender"], row["receiver"]) for row in client.sim.rows("export/again")
    ]


def test_without_a_sequence_number_each_is_a_message_of_its_own(client: Tencent) -> None:
    body = client.message(1, MsgSeq=None)
    assert [0, 0] == [client.code("importmsg", body) for _ in range(2)]
    assert len(kept(client)) == 2


@pytest.mark.parametrize(("sync", "unread"), [(2, 0), (5, 1), (1, 1)])
def test_history_is_read_and_live_messages_are_not(client: Tencent, sync: int, unread: int) -> None:
    client.code("importmsg", client.message(1, SyncFromOldSystem=sync))
    rows = client.sim.rows("export/unread")
    assert unread == sum(row["count"] for row in rows)
    assert all((row["owner"], row["peer"]) == ("bob", "ann") for row in rows)


@pytest.mark.parametrize("until", [CREATED + 1, str(CREATED + 1)], ids=["number", "text"])
def test_a_read_mark_reaches_up_to_its_second(client: Tencent, until: Any) -> None:
    for second in range(4):
        client.code("importmsg", client.message(1, SyncFromOldSystem=5, MsgTimeStamp=CREATED + second))
    mark = {"Report_Account": "bob", "Peer_Account": "ann", "MsgReadTime": until}
    assert [0, 0] == [client.code("admin_set_msg_read", mark) for _ in range(2)]
    assert [2] == [row["count"] for row in client.sim.rows("export/unread")]
    assert client.code("admin_set_msg_read", {"Report_Account": "bob", "Peer_Account": "ann"}) == 0
    assert client.sim.rows("export/unread") == []


def pages(client: Tencent, most: int) -> list[list[str]]:
    """All pages of the history of ann and bob, as a client is told to read them (§4.4)."""
    ask: dict[str, Any] = {"From_Account": "ann", "To_Account": "bob", "MaxCnt": most, "MinTime": 0,
                           "MaxTime": CREATED + 100}  # fmt: skip
    found = []
    while True:
        page = client.call("admin_getroammsg", ask)
        assert page["MsgCnt"] == len(page["MsgList"])
        found.append([item["MsgKey"] for item in page["MsgList"]])
        if page["Complete"]:
            return found
        ask |= {"MaxTime": page["LastMsgTime"], "LastMsgKey": page["LastMsgKey"]}


@pytest.mark.parametrize("most", [1, 2, 3, 5, 100])
def test_history_is_read_back_page_by_page(client: Tencent, most: int) -> None:
    """Both directions, several in a second, nothing twice and nothing missing."""
    for number in range(7):
        ends = {} if number % 2 else {"From_Account": "bob", "To_Account": "ann"}
        client.code("importmsg", client.message(number, MsgTimeStamp=CREATED + number // 3, **ends))
    found = [key for page in pages(client, most) for key in page]
    assert [f"{number}_7_{CREATED + number // 3}" for number in reversed(range(7))] == found


def test_an_answer_of_history_is_cut_at_13_kilobytes(client: Tencent) -> None:
    for number in range(5):
        client.code("importmsg", client.message(number, MsgBody=element("TIMTextElem", Text="x" * 5_000)))
    assert [2, 2, 1] == [len(page) for page in pages(client, 100)]


def test_history_ends_where_roaming_storage_ends() -> None:
    with simulated(tencent.VENDOR, settings={"roaming_days": "7"}) as sim, Tencent(sim) as client:
        client.accounts("ann", "bob")
        client.code("importmsg", client.message(1))
        assert client.code("sendmsg", client.message(2, MsgTimeStamp=None, SyncFromOldSystem=None)) == 0
        ask = {"From_Account": "ann", "To_Account": "bob", "MaxCnt": 9, "MinTime": 0, "MaxTime": 4_000_000_000}
        assert [2] == [item["MsgSeq"] for item in client.call("admin_getroammsg", ask)["MsgList"]]


def test_sending_gives_a_key(client: Tencent) -> None:
    found = client.call("sendmsg", client.message(3, SyncFromOldSystem=None, CloudCustomData="x"))
    assert found["MsgKey"] == f"3_7_{found['MsgTime']}"
    online = client.call("sendmsg", client.message(4, SyncFromOldSystem=None, MsgLifeTime=0))
    assert online["MsgKey"].startswith("4_7_")
    assert [("ann", 3, "早")] == kept(client)


GOOD = {
    "TIMTextElem": {"Text": ""}, "TIMLocationElem": {"Latitude": 1, "Longitude": -2.5, "Desc": "x"},
    "TIMFaceElem": {"Index": 1, "Data": "\u0000"}, "TIMCustomElem": {},
    "TIMSoundElem": {"Url": "https://x", "UUID": "u", "Size": 1, "Second": 3, "Download_Flag": 2},
    "TIMImageElem": {"UUID": "u", "ImageFormat": 255, "ImageInfoArray": [PICTURE | {"Type": 1, "Size": 9}]},
    "TIMFileElem": {"Url": "https://x", "UUID": "u", "FileSize": 1, "FileName": "a", "Download_Flag": 2},
    "TIMVideoFileElem": {"VideoUrl": "https://x", "VideoUUID": "u", "VideoDownloadFlag": 2, "ThumbUrl": "https://x",
                         "ThumbUUID": "u", "ThumbDownloadFlag": 2, "ThumbWidth": 1, "ThumbHeight": 1},
    "TIMRelayElem": {"Title": "x", "MsgNum": 1, "CompatibleText": "x", "AbstractList": ["x"], "MsgList": []},
}  # fmt: skip


@pytest.mark.parametrize("kind", ELEMENTS)
def test_every_element_is_taken_in_pairs_and_groups(client: Tencent, kind: str) -> None:
    body = element(kind, **GOOD[kind])
    assert client.code("importmsg", client.message(1, MsgBody=body)) == 0
    found = client.call("import_group_msg", {"GroupId": "g", "MsgList": [ITEM | {"MsgBody": body}]})
    assert [0] == [item["Result"] for item in found["ImportMsgResult"]]


# --- groups ---


def imported(client: Tencent, *items: dict[str, Any], group: str = "g") -> list[tuple[int, int]]:
    """Sequence number and result of each message of a call."""
    found = client.call("import_group_msg", {"GroupId": group, "MsgList": [ITEM | item for item in items]})
    assert len(items) == len(found["ImportMsgResult"])
    return [(item["MsgSeq"], item["Result"]) for item in found["ImportMsgResult"]]


def test_group_messages_rise_and_are_judged_one_by_one(client: Tencent) -> None:
    at = CREATED + 10
    assert [(1, 0), (2, 0), (0, 10004), (3, 0), (0, 10019), (0, 80002), (0, 10004)] == imported(
        client, {"SendTime": at, "Random": 1}, {"SendTime": at, "Random": 2}, {"SendTime": at - 1, "Random": 3},
        {"SendTime": at + 5, "Random": 4}, {"SendTime": at + 6, "From_Account": "nobody"},
        {"SendTime": at + 6, "MsgBody": element("TIMTextElem", Text="x" * 12_289)}, {"SendTime": 4_000_000_000},
    )  # fmt: skip
    assert [(0, 10004)] == imported(client, {"SendTime": CREATED})
    info = client.call("get_group_info", {"GroupIdList": ["g"]})["GroupInfo"][0]
    assert (info["NextMsgSeq"], info["LastMsgTime"]) == (4, at + 5)


def test_equal_seconds_can_be_refused() -> None:
    with simulated(tencent.VENDOR, settings={"equal_seconds": "refuse"}) as sim, Tencent(sim) as client:
        client.accounts("ann")
        client.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g", "CreateTime": CREATED})
        assert [(1, 0), (0, 10004)] == imported(client, {"Random": 1}, {"Random": 2})


def test_the_same_random_is_a_duplicate_for_five_minutes(client: Tencent) -> None:
    """Of the same sender in the same group; behind that, only the order refuses it."""
    assert [(1, 0)] == imported(client, {"Random": 5, "SendTime": CREATED + 10})
    assert [(2, 0)] == imported(client, {"Random": 6, "SendTime": CREATED + 20})
    assert [(1, 0), (3, 0)] == imported(
        client, {"Random": 5, "SendTime": CREATED + 10}, {"Random": 5, "SendTime": CREATED + 20, "From_Account": "bob"}
    )
    client.sim.ahead(301)
    assert [(0, 10004)] == imported(client, {"Random": 5, "SendTime": CREATED + 10})
    assert [(4, 0)] == imported(client, {"Random": 5, "SendTime": CREATED + 20})
    assert len(client.sim.rows("export/group_messages")) == 4


def test_rooms_without_history_take_none(client: Tencent) -> None:
    client.call("import_group", {"Type": "AVChatRoom", "Name": "r", "GroupId": "r"})
    codes = [client.code(name, body) for name, body in (
        ("import_group_msg", {"GroupId": "r", "MsgList": [ITEM]}),
        ("import_group_member", {"GroupId": "r", "MemberList": [{"Member_Account": "bob"}]}),
        ("add_group_member", {"GroupId": "r", "MemberList": [{"Member_Account": "bob"}]}),
        ("delete_group_member", {"GroupId": "r", "MemberToDel_Account": ["bob"]}),
        ("set_unread_msg_num", {"GroupId": "r", "Member_Account": "bob", "UnreadMsgNum": 1}),
    )]  # fmt: skip
    assert [10007, 10007, 10007, 10004, 0] == codes


def test_members_are_judged_one_by_one(client: Tencent) -> None:
    imported(client, {"Random": 1}, {"Random": 2})
    listed = [{"Member_Account": "bob", "Role": "Admin", "JoinTime": CREATED + 1, "UnreadMsgNum": 9},
              {"Member_Account": "ann"}, {"Member_Account": "nobody"}, {"Member_Account": "cid", "JoinTime": CREATED},
              {"Member_Account": "cid", "Role": "Member"},
              {"Member_Account": "cid", "JoinTime": 4_000_000_000}]  # fmt: skip
    found = client.call("import_group_member", {"GroupId": "g", "MemberList": listed})["MemberList"]
    assert [1, 2, 0, 0, 0, 0] == [item["Result"] for item in found]
    members = client.call("get_group_member_info", {"GroupId": "g", "Limit": 100, "Offset": 0})
    assert (members["MemberNum"], [("ann", "Owner"), ("bob", "Admin")]) == (
        2, [(item["Member_Account"], item["Role"]) for item in members["MemberList"]])  # fmt: skip
    unread = {row["Member_Account"]: row["UnreadMsgNum"] for row in client.sim.rows("export/members")}
    assert {"ann": 0, "bob": 2} == unread
    imported(client, {"Random": 3})
    assert {"ann": 0, "bob": 0} == {
        row["Member_Account"]: row["UnreadMsgNum"] for row in client.sim.rows("export/members")
    }
    assert client.code("set_unread_msg_num", {"GroupId": "g", "Member_Account": "bob", "UnreadMsgNum": 99}) == 0
    assert {"ann": 0, "bob": 3} == {
        row["Member_Account"]: row["UnreadMsgNum"] for row in client.sim.rows("export/members")
    }


def test_groups_get_ids_of_the_vendor_where_they_have_none(client: Tencent) -> None:
    made = [client.call("import_group", {"Type": kind, "Name": "x"})["GroupId"] for kind in ("Work", "Community")]
    assert made[0].startswith("@TGS#")
    assert made[1].startswith("@TGS#_")
    assert client.code("import_group", {"Type": "Community", "Name": "x", "GroupId": "@TGS#_mine"}) == 0
    listed = client.call("get_appid_group_list", {"Limit": 2})
    rest = client.call("get_appid_group_list", {"Limit": 2, "Next": listed["Next"]})
    assert (4, 0) == (listed["TotalCount"], rest["Next"])
    ids = [item["GroupId"] for page in (listed, rest) for item in page["GroupIdList"]]
    assert ["g", *made, "@TGS#_mine"] == ids
    only = client.call("get_appid_group_list", {"GroupType": "Meeting"})
    assert (0, []) == (only["TotalCount"], only["GroupIdList"])


def test_groups_are_told_with_a_code_of_their_own(client: Tencent) -> None:
    data = [{"Key": "OldId", "Value": "8812"}, {"Key": "Gone", "Value": "x"}]
    change = {"GroupId": "g", "Name": "new", "MaxMemberNum": 500, "ShutUpAllMember": "On", "AppDefinedData": data}
    assert client.code("modify_group_base_info", change) == 0
    gone = {"GroupId": "g", "AppDefinedData": [{"Key": "Gone", "Value": ""}]}
    assert client.code("modify_group_base_info", gone) == 0
    found, none = client.call("get_group_info", {"GroupIdList": ["g", "none"]})["GroupInfo"]
    assert (none["ErrorCode"], found["ErrorCode"]) == (10010, 0)
    assert ("new", "Public", "ann", "On", 500, [data[0]]) == tuple(
        found[name] for name in ("Name", "Type", "Owner_Account", "MuteAllMember", "MaxMemberNum", "AppDefinedData")
    )
    wanted = {"GroupBaseInfoFilter": ["Name"], "MemberInfoFilter": []}
    short = client.call("get_group_info", {"GroupIdList": ["g"], "ResponseFilter": wanted})["GroupInfo"][0]
    assert {"GroupId", "ErrorCode", "ErrorInfo", "Name", "AppDefinedData"} == short.keys()


def test_live_members_come_and_go(client: Tencent) -> None:
    listed = [{"Member_Account": name} for name in ("ann", "bob", "cid")]
    found = client.call("add_group_member", {"GroupId": "g", "Silence": 1, "MemberList": listed})["MemberList"]
    assert [2, 1, 1] == [item["Result"] for item in found]
    assert [0, 0] == [
        client.code("delete_group_member", {"GroupId": "g", "MemberToDel_Account": ["bob"]}) for _ in "12"
    ]
    assert ["ann", "cid"] == [row["Member_Account"] for row in client.sim.rows("export/members")]


def test_who_is_muted_cannot_send(client: Tencent) -> None:
    send = {"GroupId": "g", "From_Account": "ann", "Random": 1, "MsgBody": TEXT}
    assert client.code("forbid_send_msg", {"GroupId": "g", "Members_Account": ["ann"], "ShutUpTime": 600}) == 0
    assert client.code("send_group_msg", send) == 10017
    assert client.code("forbid_send_msg", {"GroupId": "g", "Members_Account": ["ann"], "MuteTime": 0}) == 0
    assert client.code("send_group_msg", send) == 0


def test_live_messages_have_the_servers_time_and_count_unread(client: Tencent) -> None:
    client.call("add_group_member", {"GroupId": "g", "MemberList": [{"Member_Account": "bob"}]})
    send = {"GroupId": "g", "From_Account": "ann", "Random": 1, "MsgBody": TEXT}
    first, again = client.call("send_group_msg", send), client.call("send_group_msg", send)
    quiet = client.call("send_group_msg", send | {"Random": 2, "SendMsgControl": ["NoUnread"]})
    online = client.call("send_group_msg", send | {"Random": 3, "OnlineOnlyFlag": 1})
    assert (1, 1, 2, 0) == (first["MsgSeq"], again["MsgSeq"], quiet["MsgSeq"], online["MsgSeq"])
    assert {"ann": 0, "bob": 1} == {
        row["Member_Account"]: row["UnreadMsgNum"] for row in client.sim.rows("export/members")
    }


def test_a_groups_history_is_read_back_from_the_newest(client: Tencent) -> None:
    imported(client, *({"Random": number, "SendTime": CREATED + 10 + number} for number in range(5)))
    first = client.call("group_msg_get_simple", {"GroupId": "g", "ReqMsgNumber": 3})
    rest = client.call("group_msg_get_simple", {"GroupId": "g", "ReqMsgNumber": 20, "ReqMsgSeq": 2})
    assert [5, 4, 3, 2, 1] == [item["MsgSeq"] for page in (first, rest) for item in page["RspMsgList"]]
    assert (1, 0, TEXT) == tuple(first["RspMsgList"][0][name] if name != "IsFinished" else first[name]
                                 for name in ("IsFinished", "IsPlaceMsg", "MsgBody"))  # fmt: skip


def test_what_roaming_storage_lost_is_a_place_holder() -> None:
    with simulated(tencent.VENDOR, settings={"roaming_days": "7"}) as sim, Tencent(sim) as client:
        client.accounts("ann")
        client.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g", "CreateTime": CREATED})
        imported(client, {"Random": 1})
        found = client.call("group_msg_get_simple", {"GroupId": "g", "ReqMsgNumber": 20})
    assert (2, 1, []) == (found["IsFinished"], found["RspMsgList"][0]["IsPlaceMsg"], found["RspMsgList"][0]["MsgBody"])


def test_a_community_is_read_on_with_next(client: Tencent) -> None:
    group = client.call("import_group", {"Type": "Community", "Name": "x", "Owner_Account": "ann"})["GroupId"]
    client.call("add_group_member", {"GroupId": group, "MemberList": [{"Member_Account": "bob"}]})
    first = client.call("get_group_member_info", {"GroupId": group, "Limit": 1, "Next": ""})
    rest = client.call("get_group_member_info", {"GroupId": group, "Limit": 1, "Next": first["Next"]})
    assert ("1", "") == (first["Next"], rest["Next"])
    assert {"ann", "bob"} == {item["Member_Account"] for page in (first, rest) for item in page["MemberList"]}


# --- history files ---


@pytest.mark.parametrize("chat", ["C2C", "Group"])
def test_an_hours_file_has_what_was_sent_and_not_what_was_imported(client: Tencent, chat: str) -> None:
    """§7: a header line, a message a line, a closing line; sizes and sums are those of the file."""
    hour = client.sim.hour()
    client.code("importmsg", client.message(1, MsgTimeStamp=int(time.time()) - 1))
    imported(client, {"Random": 1})
    client.sim.say({"from": "ann", "to": "bob", "text": "早"}, {"from": "ann", "group": "g", "text": "好"})
    client.sim.say({"from": "bob", "to": "ann", "text": "]}"}, {"from": "bob", "group": "g", "text": "]}"})
    ask = {"ChatType": chat, "MsgTime": hour}
    assert client.code("get_history", ask) == 1004
    client.sim.ahead(2 * 3600)
    found = client.call("get_history", ask)["File"][0]
    packed = client.http.get(found["URL"]).content
    plain = gzip.decompress(packed)
    assert (found["GzipSize"], found["GzipMD5"]) == (len(packed), hashlib.md5(packed).hexdigest())
    assert (found["FileSize"], found["FileMD5"]) == (len(plain), hashlib.md5(plain).hexdigest())
    head, *lines, end = plain.decode().splitlines()
    assert (f'{{"SdkAppId":1400000000,"ChatType":"{chat}","MsgTime":"{hour}","MsgList":[', "]}") == (head, end)
    records = [json.loads(line.rstrip(",")) for line in lines]
    assert [("ann", {"C2C": "早", "Group": "好"}[chat]), ("bob", "]}")] == [
        (record["From_Account"], record["MsgBody"][0]["MsgContent"]["Text"]) for record in records
    ]
    assert ("MsgRandom" in records[0], "GroupId" in records[0]) == (chat == "C2C", chat == "Group")
    assert json.loads(plain)["MsgList"] == records
    client.sim.ahead(7 * 86_400)
    assert client.code("get_history", ask, usersig=usersig(expire=10**7)) == 1005


# --- limits and partial success ---


def test_one_group_has_a_rate_of_its_own() -> None:
    rates = {"group_messages": "2/60s", "send_group_msg": "100/60s"}
    with simulated(tencent.VENDOR, limited=True, rates=rates) as sim, Tencent(sim) as client:
        client.accounts("ann")
        for group in ("g", "h"):
            client.call("import_group", {"Type": "Public", "Name": "x", "GroupId": group})
        sends = [{"GroupId": group, "From_Account": "ann", "Random": number, "MsgBody": TEXT}
                 for number in range(3) for group in ("g", "h")]  # fmt: skip
        assert [0, 0, 0, 0, 10023, 10023] == [client.code("send_group_msg", body) for body in sends]


def test_the_documented_rates() -> None:
    hundred = {"multiaccount_import", "account_check"}
    special = {"get_appid_group_list": 1, "group_messages": 40, "get_history": 10}
    assert {name: 100 if name in hundred else special.get(name, 200) for name in tencent.LIMITS} == {
        name: limit.calls for name, limit in tencent.LIMITS.items()
    }
    assert {1.0} == {limit.span for limit in tencent.LIMITS.values()}


@pytest.mark.parametrize("name", ["import_group_msg", "multiaccount_import", "import_group_member", "friend_import"])
def test_a_batch_fails_in_part(name: str) -> None:
    plan = f'["{name}"]\npartial = 1.0'
    with simulated(tencent.VENDOR, faults=plan) as sim, Tencent(sim) as client:
        users = [f"u{number}" for number in range(6)]
        for user in users:
            client.code("account_import", {"UserID": user})
        client.call("import_group", {"Type": "Public", "Name": "g", "GroupId": "g", "CreateTime": CREATED})
        body = {
            "import_group_msg": {"GroupId": "g", "MsgList": [
                ITEM | {"From_Account": user, "Random": 1} for user in users]},
            "multiaccount_import": {"Accounts": users},
            "import_group_member": {"GroupId": "g", "MemberList": [{"Member_Account": user} for user in users]},
            "friend_import": {"From_Account": "u0", "AddFriendItem": [
                {"To_Account": user, "AddSource": "AddSource_Type_Import"} for user in users]},
        }[name]  # fmt: skip
        found = client.call(name, body)
    failed = {
        "import_group_msg": lambda: sum(item["Result"] == 10002 for item in found["ImportMsgResult"]),
        "multiaccount_import": lambda: len(found["FailAccounts"]),
        "import_group_member": lambda: sum(item["Result"] == 0 for item in found["MemberList"]),
        "friend_import": lambda: sum(item["ResultCode"] == 30006 for item in found["ResultItem"]),
    }[name]()
    assert 0 < failed < 6
