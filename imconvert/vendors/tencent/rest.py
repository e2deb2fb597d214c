"""Tencent Cloud IM as a REST target: calls, order, signature and answers (tencent.md §1, §3 to §5, §9, §10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

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
    Reply,
    Rest,
    Stage,
    Token,
    Verdict,
    answer_of,
    body_of,
    outlived,
    retry_after,
)
from imconvert.vendors.tencent import readback
from imconvert.vendors.tencent.codes import BLOCKS, kind_of
from imconvert.vendors.tencent.sign import user_sig

FIELDS = (
    Field("sdkappid", None, "SDKAppID of the app, a number"),
    Field("admin", "administrator", "account that is an administrator of the app"),
    Field("domain", "console.tim.qq.com", "domain of the app's region"),
    Field("url", "", "whole address in place of the domain, such as http://127.0.0.1:8080 of a rehearsal"),
    Field("expire", 86_400, "seconds for which a UserSig holds"),
    Field("retention_days", 7, "days for which the plan keeps messages: 7, 30, 90 or more"),
)

_IMPORT, _GROUP, _OPEN, _SNS = "im_open_login_svc", "group_open_http_svc", "openim", "sns"
_USUAL, _SLOW = Limit(200), Limit(100)

APIS = (
    Api(f"{_IMPORT}/multiaccount_import", _SLOW, items="AccountList", safe=True),
    Api(f"{_IMPORT}/account_import", _USUAL, safe=True),
    Api("profile/portrait_set", _USUAL, safe=True),
    Api(f"{_SNS}/friend_import", _USUAL, items="AddFriendItem", safe=True),
    Api(f"{_SNS}/black_list_add", _USUAL, items="To_Account", safe=True),
    Api(f"{_OPEN}/importmsg", _USUAL, safe=True),
    Api(f"{_OPEN}/admin_set_msg_read", _USUAL, safe=True),
    Api(f"{_GROUP}/import_group", _USUAL, gives="group", query=readback.GROUP),
    Api(f"{_GROUP}/import_group_msg", _USUAL, items="MsgList", ordered=True, query=readback.MESSAGES),
    Api(f"{_GROUP}/import_group_member", _USUAL, items="MemberList", safe=True),
    Api(f"{_GROUP}/set_unread_msg_num", _USUAL, safe=True),
    Api(f"{_GROUP}/modify_group_base_info", _USUAL, safe=True),
    Api(f"{_GROUP}/forbid_send_msg", _USUAL, items="Members_Account", safe=True),
    Api(readback.GROUP_INFO, _USUAL, safe=True),
    Api(readback.GROUP_MESSAGES, _USUAL, safe=True),
)

STAGES = (
    Stage("accounts", (f"{_IMPORT}/multiaccount_import", f"{_IMPORT}/account_import")),
    Stage("profiles", ("profile/portrait_set",)),
    Stage("friends", (f"{_SNS}/friend_import",)),
    Stage("messages", (f"{_OPEN}/importmsg",)),
    Stage("read-marks", (f"{_OPEN}/admin_set_msg_read",)),
    Stage("groups", (f"{_GROUP}/import_group",)),
    Stage("group-messages", (f"{_GROUP}/import_group_msg",)),
    Stage("members", (f"{_GROUP}/import_group_member",)),
    Stage("group-roles", (f"{_GROUP}/modify_group_base_info", f"{_GROUP}/forbid_send_msg")),
    Stage("unread", (f"{_GROUP}/set_unread_msg_num",)),
    Stage("blocks", (f"{_SNS}/black_list_add",)),
)
"""The order of §10; blocks come last, as they end friendships."""


def identity(app: App) -> str:
    return f"tencent {app.values['sdkappid']}"


def address(app: App) -> str:
    return str(app.values["url"] or f"https://{app.values['domain']}").rstrip("/")


def token(app: App, now: float) -> Token:
    """A UserSig of the administrator from `now` (seconds since 1970)."""
    expire = int(app.values["expire"])
    sig = user_sig(int(app.values["sdkappid"]), app.secret.reveal(), str(app.values["admin"]), now=int(now),
                   expire=expire)  # fmt: skip
    return Token(type(app.secret)(sig), now + expire)


def prepare(app: App, api: Api, call: Call, token: Token, *, now: float, nonce: int) -> Http:
    """The exact request; `nonce` is a random number of 32 bits (§1.1)."""
    sig = token.secret.reveal()
    query = (f"sdkappid={app.values['sdkappid']}&identifier={quote(str(app.values['admin']), safe='')}"
             f"&usersig={quote(sig, safe='*-_')}&random={nonce}&contenttype=json")  # fmt: skip
    url = f"{address(app)}/v4/{call.path or api.name}?{query}"
    return Http("POST", url, (("Content-Type", "application/json"),), bytes(call.body), (sig, app.secret.reveal()))


def read(app: App, api: Api, call: Call, reply: Reply) -> Verdict:
    """What an answer means: HTTP status, then the envelope, then the items (§1.4, §9)."""
    if reply.status == 429:
        return Verdict(Kind.THROTTLE, "HTTP 429", "", retry_after(reply))
    found = answer_of(reply)
    if reply.status != 200 or found is None or not isinstance(found.get("ErrorCode"), int):
        return Verdict(Kind.UNCLEAR, f"HTTP {reply.status}", "no answer of the API's")
    code, info = found["ErrorCode"], str(found.get("ErrorInfo", ""))
    if code and not (api.items and _items(api, call, found)):
        kind = kind_of(code)
        wait = retry_after(reply) if kind is Kind.THROTTLE else BLOCKS.get(code, 0.0)
        return Verdict(kind, str(code), info, wait)
    return Verdict(Kind.DONE, failed=_items(api, call, found), given=_given(api, found))


def _given(api: Api, found: Mapping[str, Any]) -> str:
    return str(found.get("GroupId", "")) if api.gives else ""


def _items(api: Api, call: Call, found: Mapping[str, Any]) -> tuple[Failed, ...]:
    reader = _READERS.get(api.name)
    return tuple(reader(call, found)) if reader else ()


def _accounts(call: Call, found: Mapping[str, Any]) -> list[Failed]:
    """FailAccounts names those that did not go in (§3.1)."""
    names = [one.get("UserID") for one in body_of(call).get("AccountList", [])]
    bad = set(found.get("FailAccounts") or ())
    return [Failed(item, Kind.ITEM, "FailAccounts", "") for item, name in enumerate(names) if name in bad]


def _relations(field: str) -> Callable[[Call, Mapping[str, Any]], list[Failed]]:
    """ResultItem has a ResultCode for each account (§3.6, §3.7)."""

    def read(call: Call, found: Mapping[str, Any]) -> list[Failed]:
        wanted = body_of(call).get(field, [])
        names = [one.get("To_Account") if isinstance(one, dict) else one for one in wanted]
        results = {one.get("To_Account"): one for one in found.get("ResultItem") or () if isinstance(one, dict)}
        return [
            Failed(item, kind_of(int(one["ResultCode"])), str(one["ResultCode"]), str(one.get("ResultInfo", "")))
            for item, name in enumerate(names)
            if (one := results.get(name)) and one.get("ResultCode") and not _exists(one)
        ]

    return read


def _exists(one: Mapping[str, Any]) -> bool:
    """30001 is a bad parameter, or an account that is on the list already; the text tells (§3.7)."""
    return one["ResultCode"] == 30001 and "Already_Exist" in str(one.get("ResultInfo", ""))


def _members(call: Call, found: Mapping[str, Any]) -> list[Failed]:
    """Result 0 failed, 1 imported, 2 was a member before (§5.3)."""
    names = [one.get("Member_Account") for one in body_of(call).get("MemberList", [])]
    bad = {one.get("Member_Account") for one in found.get("MemberList") or () if one.get("Result") == 0}
    return [Failed(item, Kind.ITEM, "Result 0", "") for item, name in enumerate(names) if name in bad]


def _messages(call: Call, found: Mapping[str, Any]) -> list[Failed]:
    """ImportMsgResult has a Result for each message, in order (§5.4)."""
    results = [int(one.get("Result", 0)) for one in found.get("ImportMsgResult") or ()]
    return [Failed(item, kind_of(code), str(code), "") for item, code in enumerate(results) if code]


_READERS: Mapping[str, Callable[[Call, Mapping[str, Any]], list[Failed]]] = {
    f"{_IMPORT}/multiaccount_import": _accounts,
    f"{_SNS}/friend_import": _relations("AddFriendItem"),
    f"{_SNS}/black_list_add": _relations("To_Account"),
    f"{_GROUP}/import_group_member": _members,
    f"{_GROUP}/import_group_msg": _messages,
}


def checks(app: App, history: History) -> list[Finding]:
    """What stands in the way: messages older than the plan keeps them; more new groups than a day allows (§2, §5.1)."""
    found = outlived(app, history)
    groups = history.calls.get(f"{_GROUP}/import_group", 0)
    if groups > 10_000:
        found.append(Finding("IMC-7284", {"count": groups, "limit": 10_000}, False))
    return found


REST = Rest(
    title="Tencent Cloud IM 腾讯云",
    apis={api.name: api for api in APIS},
    stages=STAGES,
    fields=FIELDS,
    secret_env="IMCONVERT_TENCENT_KEY",
    identity=identity,
    address=address,
    prepare=prepare,
    read=read,
    checks=checks,
    token=token,
)
