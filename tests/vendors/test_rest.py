"""The vendors' REST tables: proofs against published vectors, exact requests, and what answers mean."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import zlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import TLSSigAPIv2
from msgspec import Raw

from imconvert.vendors import ALL
from imconvert.vendors.calls import Api, App, Call, Http, Kind, Reply, Rest, Secret, Token, Verdict
from imconvert.vendors.rongcloud.rest import signature
from imconvert.vendors.tencent.codes import _CODES
from imconvert.vendors.tencent.codes import KINDS as TENCENT_KINDS
from imconvert.vendors.tencent.sign import user_sig
from imconvert.vendors.yunxin.rest import check_sum

SECRET = "0123456789abcdef0123456789abcdef"
VALUES: dict[str, dict[str, Any]] = {
    "tencent": {"sdkappid": 1400000000},
    "easemob": {"org": "o", "app": "a", "client_id": "c"},
    "yunxin": {"appkey": "k"},
    "rongcloud": {"appkey": "k"},
}
RESTS: dict[str, Rest] = {vendor.name: vendor.rest() for vendor in ALL if vendor.rest}
every_rest = pytest.mark.parametrize("name", RESTS)


def app(name: str, **values: Any) -> App:
    usual = {one.name: one.default for one in RESTS[name].fields}
    return App({**usual, **VALUES[name], **values}, Secret(SECRET))


def call(name: str, api: str, body: Any, **more: Any) -> tuple[Api, Call]:
    return RESTS[name].apis[api], Call(api, Raw(msgspec.json.encode(body)), **more)


def judge(name: str, api: str, body: Any, answer: Any, status: int = 200, **headers: str) -> Verdict:
    found, asked = call(name, api, body)
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return RESTS[name].read(app(name), found, asked, Reply(status, named, content))


def prepared(name: str, api: str, body: Any, **more: Any) -> Http:
    found, asked = call(name, api, body, **more)
    token = Token(Secret("t0ken"), 0)
    return RESTS[name].prepare(app(name), found, asked, token, now=1_700_000_000.9, nonce=77)


# -- proofs


def opened(sig: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(sig.translate(str.maketrans("*-_", "+/=")))))
    return found


def test_user_sig_is_the_published_one() -> None:
    """tencent.md §1.3."""
    sig = user_sig(1400000000, SECRET, "administrator", now=1_700_000_000, expire=15_552_000)
    assert opened(sig) == {
        "TLS.ver": "2.0", "TLS.identifier": "administrator", "TLS.sdkappid": 1400000000, "TLS.time": 1_700_000_000,
        "TLS.expire": 15_552_000, "TLS.sig": "gR61ETblX1aQKhMfO8TIM/9Vb6r3QZmeN3YsBX8C/eA=",
    }  # fmt: skip
    assert set(sig) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-_")


def test_user_sig_is_what_the_vendors_own_package_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    for now, key, user in ((1_700_000_000, SECRET, "administrator"), (1_800_000_001, "钥匙", "用户 1")):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        theirs = TLSSigAPIv2.TLSSigAPIv2(1400000001, key).gen_sig(user, 3600)
        assert opened(theirs) == opened(user_sig(1400000001, key, user, now=now, expire=3600))


def test_check_sum_and_signature_are_sha1_of_the_parts() -> None:
    """yunxin.md §4.1 names the first; the second is the same function of the same parts (rongcloud.md §1)."""
    expected = hashlib.sha1(b"secretn11443592222").hexdigest()
    assert expected == check_sum("secret", "n1", 1443592222) == signature("secret", "n1", 1443592222)
    assert expected == expected.lower()


# -- exact requests


def test_tencents_request() -> None:
    http = prepared("tencent", "openim/importmsg", {"MsgSeq": 1, "文": "早"})
    parts = urlsplit(http.url)
    assert "https://console.tim.qq.com/v4/openim/importmsg" == f"{parts.scheme}://{parts.netloc}{parts.path}"
    query = parse_qs(parts.query, strict_parsing=True)
    assert query == {"sdkappid": ["1400000000"], "identifier": ["administrator"], "usersig": ["t0ken"],
                     "random": ["77"], "contenttype": ["json"]}  # fmt: skip
    assert '{"MsgSeq":1,"文":"早"}'.encode() == http.content
    assert {"t0ken", SECRET} == set(http.hidden)


def test_easemobs_request() -> None:
    http = prepared("easemob", "messages/users/import", {"from": "a"})
    assert ("POST", "https://a1.easemob.com/o/a/messages/users/import") == (http.method, http.url)
    assert dict(http.headers) == {"Authorization": "Bearer t0ken", "Content-Type": "application/json",
                                  "Accept": "application/json"}  # fmt: skip
    http = prepared("easemob", "users/profile", {"nickname": "小 明", "gender": 1}, path="metadata/user/u1")
    assert ("PUT", "https://a1.easemob.com/o/a/metadata/user/u1") == (http.method, http.url)
    assert b"nickname=%E5%B0%8F+%E6%98%8E&gender=1" == http.content
    assert "form-urlencoded" in dict(http.headers)["Content-Type"]
    http = prepared("easemob", "roaming/chat", {}, path="/api/server/v6/o/a/roaming/chat")
    assert "https://a1.easemob.com/api/server/v6/o/a/roaming/chat" == http.url


def test_yunxins_request() -> None:
    body = {"tname": "t", "members": ["a", "b"], "magree": 0}
    http, again = (prepared("yunxin", "team/create.action", body, key="g1") for _ in range(2))
    assert "https://api.yunxinapi.com/nimserver/team/create.action" == http.url
    headers = dict(http.headers)
    assert ("77", "1700000000") == (headers["Nonce"], headers["CurTime"])
    assert check_sum(SECRET, "77", 1_700_000_000) == headers["CheckSum"]
    assert dict(again.headers)["RequestId"] == headers["RequestId"]
    assert headers["RequestId"] != dict(prepared("yunxin", "team/create.action", body, key="g2").headers)["RequestId"]
    assert {"tname": ["t"], "members": ['["a","b"]'], "magree": ["0"]} == parse_qs(http.content.decode())


def test_rongclouds_request() -> None:
    http = prepared("rongcloud", "group/join.json", {"userId": ["a", "b"], "groupId": "g"})
    headers = dict(http.headers)
    assert "1700000000900" == headers["Timestamp"]
    assert signature(SECRET, "77", 1_700_000_000_900) == headers["Signature"]
    assert b"userId=a&userId=b&groupId=g" == http.content


# -- what answers mean


@every_rest
def test_every_call_has_a_stage_or_is_a_question(name: str) -> None:
    rest = RESTS[name]
    staged = [api for stage in rest.stages for api in stage.apis]
    asked = {"group_open_http_svc/get_group_info", "group_open_http_svc/group_msg_get_simple", "roaming/chat",
             "roaming/group", "chatfiles", "team/joinTeams.action"}  # fmt: skip
    assert sorted(staged) == sorted(set(staged))
    assert set(rest.apis) - set(staged) <= asked


@every_rest
@pytest.mark.parametrize("content", [b"", b"<html>", b"[1]", b'{"code":', b"null"], ids=repr)
@pytest.mark.parametrize("status", [200, 500, 502, 504])
def test_an_answer_that_is_none_of_the_vendors_leaves_it_unclear(name: str, status: int, content: bytes) -> None:
    for api in RESTS[name].apis:
        body: Any = [] if RESTS[name].apis[api].items == "" else {}
        assert Kind.UNCLEAR is judge(name, api, body, content, status).kind


@every_rest
def test_429_is_too_fast_and_its_wait_is_kept(name: str) -> None:
    for api in RESTS[name].apis:
        body: Any = [] if RESTS[name].apis[api].items == "" else {}
        found = judge(name, api, body, {}, 429, retry_after="7")
        assert (Kind.THROTTLE, 7.0) == (found.kind, found.wait)


C2C, GROUP_MESSAGES = "openim/importmsg", "group_open_http_svc/import_group_msg"


def code(number: int, info: str = "") -> dict[str, Any]:
    return {"ActionStatus": "FAIL" if number else "OK", "ErrorCode": number, "ErrorInfo": info}


@pytest.mark.parametrize(
    ("number", "kind"),
    [(0, Kind.DONE), (60007, Kind.THROTTLE), (60008, Kind.UNCLEAR), (91000, Kind.UNCLEAR), (70001, Kind.REAUTH),
     (60021, Kind.STOP), (90009, Kind.STOP), (90048, Kind.DEPENDENCY), (90001, Kind.ITEM), (123456, Kind.ITEM)],
)  # fmt: skip
def test_tencents_codes(number: int, kind: Kind) -> None:
    assert kind is judge("tencent", C2C, {}, code(number)).kind


def test_tencents_code_table_is_the_references() -> None:
    """§9: one class for each code; content errors are those that no class names."""
    listed = [code for codes in _CODES.values() for code in codes]
    assert sorted(listed) == sorted(TENCENT_KINDS)
    content = (60003, 60015, 70402, 40001, 40005, 40601, 30001, 80001, 80002, 10020, 93000, 90001, 90010, 10004, 10007)
    assert [] == [code for code in content if code in TENCENT_KINDS]


def test_tencents_items() -> None:
    messages = {"MsgList": [{}, {}, {}]}
    results = [{"MsgSeq": 1, "Result": 0}, {"Result": 10004}, {"Result": 10002}]
    found = judge("tencent", GROUP_MESSAGES, messages, code(0) | {"ImportMsgResult": results})
    assert [(1, Kind.ITEM, "10004"), (2, Kind.UNCLEAR, "10002")] == [one[:3] for one in found.failed]
    accounts = {"AccountList": [{"UserID": "a"}, {"UserID": "b"}]}
    found = judge("tencent", "im_open_login_svc/multiaccount_import", accounts, code(0) | {"FailAccounts": ["b"]})
    assert [1] == [one.item for one in found.failed]
    members = {"MemberList": [{"Member_Account": name} for name in "abc"]}
    results = [{"Member_Account": "a", "Result": 1}, {"Member_Account": "b", "Result": 0},
               {"Member_Account": "c", "Result": 2}]  # fmt: skip
    found = judge("tencent", "group_open_http_svc/import_group_member", members, code(0) | {"MemberList": results})
    assert [1] == [one.item for one in found.failed]


@pytest.mark.parametrize("outer", [0, 30001], ids=["all in", "outer code"])
def test_tencents_blocks_that_are_there_are_fine(outer: int) -> None:
    rows = [{"To_Account": "a", "ResultCode": 30001, "ResultInfo": "Err_SNS_BlackListAdd_Already_Exist"},
            {"To_Account": "b", "ResultCode": 30001, "ResultInfo": "bad"},
            {"To_Account": "c", "ResultCode": 0}]  # fmt: skip
    found = judge("tencent", "sns/black_list_add", {"To_Account": ["a", "b", "c"]}, code(outer) | {"ResultItem": rows})
    assert (Kind.DONE, [1]) == (found.kind, [one.item for one in found.failed])


def error(kind: str, text: str = "") -> dict[str, Any]:
    return {"error": kind, "exception": "x", "error_description": text, "timestamp": 1, "duration": 0}


IMPORT = "messages/users/import"


@pytest.mark.parametrize(
    ("api", "status", "answer", "kind"),
    [
        (IMPORT, 200, {"data": {"msg_id": "102"}}, Kind.DONE),
        (IMPORT, 200, {"data": {"msg_id": 102}}, Kind.DONE),
        (IMPORT, 200, {"data": {"groupid": "1"}}, Kind.UNCLEAR),
        (IMPORT, 400, error("illegal_argument", "message body not allow empty"), Kind.ITEM),
        (IMPORT, 400, error("illegal_argument", "service open exception"), Kind.STOP),
        (IMPORT, 401, error("unauthorized"), Kind.REAUTH),
        (IMPORT, 403, error("forbidden_op", "message send reach limit"), Kind.THROTTLE),
        (IMPORT, 403, error("exceed_limit"), Kind.ITEM),
        (IMPORT, 404, error("organization_application_not_found"), Kind.STOP),
        (IMPORT, 404, error("resource_not_found", "username x doesn't exist!"), Kind.DEPENDENCY),
        (IMPORT, 408, error("timeout"), Kind.UNCLEAR),
        (IMPORT, 409, error("conflict"), Kind.RETRY),
        (IMPORT, 415, error("unsupported"), Kind.STOP),
        (IMPORT, 429, error("reach_limit"), Kind.THROTTLE),
        (IMPORT, 429, error("resource_limited"), Kind.STOP),
        (IMPORT, 302, {}, Kind.STOP),
        ("users", 400, error("illegal_argument", "username A is not legal"), Kind.SPLIT),
        ("chatgroups", 400, error("illegal_argument", "group ID 9 already exists!"), Kind.DONE),
        ("chatgroups/members", 403, error("forbidden_op", 'users ["a"] already in group: 1'), Kind.DONE),
    ],
)
def test_easemobs_errors(api: str, status: int, answer: Any, kind: Kind) -> None:
    body: Any = [{"username": "a"}, {"username": "b"}] if api == "users" else {"usernames": ["a"]}
    assert kind is judge("easemob", api, body, answer, status).kind


def test_easemobs_items_and_ids() -> None:
    users = [{"username": "A1"}, {"username": "b"}, {"username": "c"}]
    data = [{"username": "a1", "registerUserFailReason": "the a1 already exists"},
            {"username": "b", "registerUserFailReason": "is not legal"}]  # fmt: skip
    found = judge("easemob", "users", users, {"data": data, "entities": []})
    assert [1] == [one.item for one in found.failed]
    lists = {"success": ["a"], "NotExistFailed": ["b"], "maxLimitFailed": ["c"], "UnKnowFailed": ["d"]}
    found = judge("easemob", "contacts/import", {"usernames": list("abcd")}, {"data": lists})
    assert [(1, Kind.DEPENDENCY), (2, Kind.ITEM), (3, Kind.UNCLEAR)] == [one[:2] for one in found.failed]
    assert "184" == judge("easemob", "chatgroups", {"owner": "a"}, {"data": {"groupid": "184"}}).given


@pytest.mark.parametrize(
    ("number", "text", "kind"),
    [(200, "", Kind.DONE), (414, "already register", Kind.DONE), (414, "bad checksum", Kind.REAUTH),
     (414, "check uinfo", Kind.ITEM), (416, "", Kind.THROTTLE), (431, "", Kind.UNCLEAR), (500, "", Kind.UNCLEAR),
     (403, "", Kind.ITEM), (404, "", Kind.DEPENDENCY), (315, "", Kind.STOP), (809, "", Kind.DONE)],
)  # fmt: skip
def test_yunxins_codes(number: int, text: str, kind: Kind) -> None:
    found = judge("yunxin", "user/create.action", {"accid": "a"}, {"code": number, "desc": text})
    assert kind is found.kind
    assert (60.0 if kind is Kind.THROTTLE else 0.0) == found.wait


def test_yunxins_teams() -> None:
    assert "77" == judge("yunxin", "team/create.action", {"tname": "t"}, {"code": 200, "tid": 77}).given
    answer = {"code": 200, "faccid": {"accid": ["B"], "msg": "team count exceed"}}
    found = judge("yunxin", "team/add.action", {"members": ["a", "b"]}, answer)
    assert [(1, "team count exceed")] == [(one.item, one.why) for one in found.failed]


def test_yunxins_second_api() -> None:
    """§4.1, §4.5: bodies are JSON, failures have codes of their own, the id of a team stands deeper."""
    info = {"code": 200, "msg": "success", "data": {"team_info": {"team_id": 88, "team_type": 1}, "failed_list": []}}
    assert "88" == judge("yunxin", "im/v2.1/teams", {"name": "t"}, info).given
    rows = [{"account_id": "b", "error_code": 102404, "error_msg": "account not exist"}, {"account_id": "z"}]
    answer = {"code": 200, "msg": "success", "data": {"success_list": ["a"], "failed_list": rows}}
    found = judge("yunxin", "im/v2/team_members", {"invite_account_ids": ["a", "B"]}, answer)
    assert [(1, Kind.DEPENDENCY, "102404", "account not exist")] == list(found.failed)
    assert Kind.DONE is judge("yunxin", "im/v2.1/friends", {}, {"code": 104405, "msg": "already friends"}).kind
    assert Kind.DONE is judge("yunxin", "im/v2/accounts", {}, {"code": 414, "msg": "already register"}).kind
    for odd in ({"code": 200}, {"code": 200, "data": []}, {"code": 200, "data": {"failed_list": {"a": 1}}}):
        assert () == judge("yunxin", "im/v2/team_members", {"invite_account_ids": ["a"]}, odd).failed


@pytest.mark.parametrize(
    ("status", "number", "kind"),
    [(200, 200, Kind.DONE), (401, 1004, Kind.REAUTH), (429, 1008, Kind.THROTTLE), (430, 1009, Kind.STOP),
     (400, 1002, Kind.ITEM), (500, 1000, Kind.UNCLEAR), (504, 1050, Kind.UNCLEAR), (200, 2007, Kind.STOP)],
)  # fmt: skip
def test_rongclouds_codes(status: int, number: int, kind: Kind) -> None:
    found = judge("rongcloud", "user/getToken.json", {}, {"code": number, "errorMessage": "e"}, status)
    assert kind is found.kind


def test_easemobs_token() -> None:
    login = RESTS["easemob"].login
    assert login is not None
    http = login.ask(app("easemob"))
    assert "https://a1.easemob.com/o/a/token" == http.url
    assert {
        "grant_type": "client_credentials",
        "client_id": "c",
        "client_secret": SECRET,
        "ttl": 604_800,
    } == json.loads(http.content)
    found = login.read(Reply(200, {}, b'{"access_token":"x","expires_in":60}'), 1000.0)
    assert isinstance(found, Token)
    assert ("x", 1060.0) == (found.secret.reveal(), found.until)
    assert "x" not in repr(found.secret) and SECRET not in repr(app("easemob"))
    bad = login.read(Reply(400, {}, json.dumps(error("invalid_grant")).encode()), 0.0)
    assert isinstance(bad, Verdict) and bad.kind is Kind.STOP
    late = login.read(Reply(502, {}, b""), 0.0)
    assert isinstance(late, Verdict) and late.kind is Kind.RETRY


# -- asking back


def test_tencents_group_is_read_back_page_by_page() -> None:
    rest, now = RESTS["tencent"], 1.7e9
    messages = [
        {"From_Account": "a", "SendTime": 100, "Random": 1},
        {"From_Account": "b", "SendTime": 101, "Random": 2},
    ]
    api, asked = call("tencent", GROUP_MESSAGES, {"GroupId": "g", "MsgList": messages})
    query = api.query
    assert query is not None
    first = query.ask(app("tencent"), asked, None, now)
    assert first is not None and first.api in rest.apis
    assert {"GroupId": "g", "ReqMsgNumber": 20} == json.loads(bytes(first.body))

    def row(seq: int, at: int, random: int, sender: str = "a", place: int = 0) -> dict[str, Any]:
        return {"From_Account": sender, "MsgSeq": seq, "MsgTimeStamp": at, "MsgRandom": random, "IsPlaceMsg": place}

    def read(*rows: dict[str, Any]) -> Any:
        content = json.dumps(code(0) | {"RspMsgList": list(rows)}).encode()
        return query.read(app("tencent"), asked, Reply(200, {}, content), now)

    assert (frozenset({0}), None, True) == read(row(9, 101, 7), row(8, 100, 1), row(7, 99, 5))[:3]
    assert (frozenset(), 7, True) == read(row(9, 300, 7), row(8, 200, 1))[:3]
    assert (frozenset({0, 1}), None) == read(row(9, 101, 2, "b"), row(8, 100, 1))[:2]
    assert read() == (frozenset(), None, True, "", ())
    assert not read(row(9, 101, 0, place=1), row(8, 99, 1)).sure
    assert not query.read(app("tencent"), asked, Reply(200, {}, b"{}"), now).sure


def test_easemobs_roaming_is_believed_only_where_it_shows_what_is_as_old() -> None:
    api, asked = call("easemob", IMPORT, {"from": "A", "target": "b", "msg_timestamp": 5000})
    query, now = api.query, 1.7e9
    assert query is not None

    def read(*times: int, cursor: str = "", days: int = 7, at: float = now) -> Any:
        rows = [{"timestamp": one, "from": "x", "payload": {"from": "a"}} for one in times]
        data = {"data": {"messages": rows, "pagination": {"cursor": cursor}}}
        known = app("easemob", retention_days=days)
        return query.read(known, asked, Reply(200, {}, json.dumps(data).encode()), at)

    assert read(5000, 4000) == (frozenset({0}), None, True, "", ())
    assert read(4000, 3000) == (frozenset(), None, True, "", ())
    assert not read().sure
    assert read(at=10.0).sure
    assert "c" == read(6000, 5500, cursor="c").more
    assert "c" == read(1000, 2000, cursor="c").more
    assert not query.read(app("easemob"), asked, Reply(200, {}, b'{"data":{}}'), now).sure
    assert query.ask(app("easemob", query="none"), asked, None, now) is None


@pytest.mark.parametrize(("name", "body"), [
    ("team/create.action", {"tname": "t", "owner": "Ann", "members": ["Ann"], "custom": "{}", "msg": "m", "magree": 0}),
    ("im/v2.1/teams", {"name": "t", "owner_account_id": "Ann", "team_type": 1, "server_extension": "{}"}),
])  # fmt: skip
def test_a_new_yunxin_team_is_looked_for_among_those_of_its_owner(name: str, body: dict[str, Any]) -> None:
    api, asked = call("yunxin", name, body)
    query = api.query
    assert query is not None
    question = query.ask(app("yunxin"), asked, None, 0.0)
    assert question is not None and {"accid": "Ann"} == json.loads(bytes(question.body))

    def read(*rows: Any) -> Any:
        return query.read(app("yunxin"), asked, Reply(200, {}, json.dumps({"code": 200, "infos": rows}).encode()), 0.0)

    team = {"tid": 7, "owner": "ann", "tname": "t"}
    assert ("7", "8") == read(team, {**team, "tid": 8, "custom": "{}", "intro": ""}).candidates
    others = ({"tname": "u"}, {"owner": "bob"}, {"custom": ""}, {"intro": "i"}, {"icon": "x"})
    assert () == read(*({**team, **other} for other in others)).candidates
    assert read().sure
    text = json.dumps({"code": 200, "infos": json.dumps([team])}).encode()
    assert ("7",) == query.read(app("yunxin"), asked, Reply(200, {}, text), 0.0).candidates
    assert not read("t").sure
    assert not query.read(app("yunxin"), asked, Reply(200, {}, b'{"code":200}'), 0.0).sure
