"""NetEase Yunxin's server API as a REST target for people, friends and teams (yunxin.md §4).

Messages don't go this way: Yunxin takes them as files, or pulls them (§0).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from imconvert.vendors.calls import (
    Api,
    App,
    Call,
    Failed,
    Field,
    Found,
    Http,
    Kind,
    Limit,
    Query,
    Reply,
    Rest,
    Stage,
    Token,
    Verdict,
    answer_of,
    body_of,
    form_of,
    retry_after,
)
from imconvert.vendors.yunxin import second

FIELDS = (
    Field("appkey", None, "AppKey of the app; its AppSecret is not kept here"),
    Field("url", "https://api.yunxinapi.com/nimserver", "address of the server API"),
    Field("url2", "https://open.yunxinapi.com", "address of the second server API (v2)"),
    Field("block", 60, "seconds that the target is left alone once it says 416"),
)

_ALL = "nimserver"
_RATE = Limit(100)


_TEAMS = "team/joinTeams.action"


def _wanted(call: Call) -> dict[str, Any]:
    return second.in_words_of_the_first(body_of(call))


def _ask_teams(app: App, call: Call, more: object, now: float) -> Call:
    """The teams of a new team's owner (§4.4)."""
    return Call(_TEAMS, Raw(msgspec.json.encode({"accid": _wanted(call).get("owner", "")})))


def listed(found: Any) -> Any:
    """A list, which may be a text of JSON (§4.4)."""
    try:
        return msgspec.json.decode(found) if isinstance(found, str) else found
    except msgspec.DecodeError:
        return None


def _read_teams(app: App, call: Call, reply: Reply, now: float) -> Found:
    """Those of the same owner, name and facts, as far as the answer has them, may be the team of the call."""
    rows, body = listed((answer_of(reply) or {}).get("infos")), _wanted(call)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "tid" in row for row in rows):
        return Found(sure=False)
    facts = {name: str(body.get(name, "")) for name in ("tname", "custom", "intro", "announcement", "icon")}
    owner = str(body.get("owner", "")).lower()
    alike = [
        str(row["tid"]) for row in rows
        if str(row.get("owner", "")).lower() == owner
        and all(str(row.get(name) or "") == value for name, value in facts.items() if name == "tname" or name in row)
    ]  # fmt: skip
    return Found(candidates=tuple(alike))


def _api(
    name: str, *, items: str | None = None, safe: bool = True, gives: str = "", query: Query | None = None
) -> Api:  # fmt: skip
    return Api(f"{name}.action", _RATE, _ALL, items=items, safe=safe, gives=gives, query=query, body="form")


def _api2(
    name: str, *, method: str = "POST", items: str | None = None, safe: bool = True, gives: str = "",
    query: Query | None = None,
) -> Api:  # fmt: skip
    return Api(name, _RATE, _ALL, items=items, safe=safe, gives=gives, query=query, method=method)


APIS = (
    _api("user/create"),
    _api("user/updateUinfo"),
    _api("user/block"),
    _api("user/mute"),
    _api("user/setDonnop"),
    _api("friend/add"),
    _api("friend/update"),
    _api("user/setSpecialRelation"),
    _api("team/create", safe=False, gives="group", query=Query(_ask_teams, _read_teams)),
    _api("team/joinTeams"),
    _api("team/add", items="members"),
    _api("team/addManager", items="members"),
    _api("team/update"),
    _api("team/changeOwner"),
    _api("team/updateTeamNick"),
    _api("team/muteTeam"),
    _api("team/muteTlist"),
    _api("team/muteTlistAll"),
    _api2(second.ACCOUNTS),
    _api2(second.FRIENDS),
    _api2(second.FRIEND, method="PATCH"),
    _api2(second.BLOCKS),
    _api2(second.MUTES),
    _api2(second.TEAMS, safe=False, gives="group", query=Query(_ask_teams, _read_teams)),
    _api2(second.MEMBERS, items="invite_account_ids"),
    _api2(second.MANAGERS, items="managers"),
    _api2(second.MEMBER, method="PATCH"),
)
"""§4.2: under 100 calls a second in all. What sets something may be said twice; creating a team may not (§4.3): its
owner's teams tell whether it is there."""

STAGES = (
    Stage("accounts", ("user/create.action", second.ACCOUNTS)),
    Stage("profiles", ("user/updateUinfo.action", "user/setDonnop.action")),
    Stage("friends", ("friend/add.action", second.FRIENDS)),
    Stage("remarks", ("friend/update.action", second.FRIEND)),
    Stage("relations", ("user/setSpecialRelation.action", second.BLOCKS, second.MUTES)),
    Stage("groups", ("team/create.action", second.TEAMS)),
    Stage("members", ("team/add.action", second.MEMBERS)),
    Stage("group-roles", (
        "team/addManager.action", "team/update.action", "team/changeOwner.action", "team/updateTeamNick.action",
        "team/muteTeam.action", "team/muteTlist.action", "team/muteTlistAll.action", second.MANAGERS, second.MEMBER,
    )),
    Stage("bans", ("user/block.action", "user/mute.action")),
)  # fmt: skip

_KINDS: Mapping[Kind, tuple[int, ...]] = {
    Kind.DONE: (200, 417, 808, 809, 810, 104405),
    Kind.UNCLEAR: (408, 415, 431, 500, 503, 514),
    Kind.THROTTLE: (416,),
    Kind.SPLIT: (419, 801),
    Kind.DEPENDENCY: (404, 803, 804, 102404, 104404, 108404),
    Kind.STOP: (201, 302, 315, 509, 998, 999),
}
KINDS: Mapping[int, Kind] = {code: kind for kind, codes in _KINDS.items() for code in codes}
"""§4.3, those of six digits being of the second API; what is named nowhere is an item that can't go in. 414 is told
apart by its text."""

_STALE = ("checksum", "curtime", "time out", "timestamp")


def check_sum(secret: str, nonce: str, now: int) -> str:
    """Lower-case hex SHA1 of AppSecret, Nonce and CurTime in seconds, in this order (§4.1)."""
    return hashlib.sha1(f"{secret}{nonce}{now}".encode()).hexdigest()


def identity(app: App) -> str:
    return f"yunxin {app.values['appkey']}"


def address(app: App) -> str:
    return str(app.values["url"]).rstrip("/")


def prepare(app: App, api: Api, call: Call, token: Token, *, now: float, nonce: int) -> Http:
    """The exact request, a form, or JSON for the second API (§4.1).

    The id of the request is that of the record where it may not be said twice, so that a retry is known; else it is
    new each time, as one that comes again may be refused as seen (431, §4.3).
    """
    number = hashlib.sha256(f"{api.name} {call.key} {nonce if api.safe else ''}".encode()).hexdigest()[:32]
    proof = check_sum(app.secret.reveal(), str(nonce), int(now))
    first = api.body == "form"
    kind, content = form_of(call.body) if first else ("application/json", bytes(call.body))
    headers = (
        ("AppKey", str(app.values["appkey"])), ("Nonce", str(nonce)), ("CurTime", str(int(now))), ("CheckSum", proof),
        ("RequestId" if first else "X-custom-traceid", number), ("Content-Type", kind),
    )  # fmt: skip
    base = address(app) if first else str(app.values["url2"]).rstrip("/")
    return Http(api.method, f"{base}/{call.path or api.name}", headers, content, (proof, app.secret.reveal()))


def read(app: App, api: Api, call: Call, reply: Reply) -> Verdict:
    """What an answer means: the code inside of a 200 decides (§4.1, §4.3)."""
    found = answer_of(reply)
    if reply.status == 429:
        return Verdict(Kind.THROTTLE, "HTTP 429", "", retry_after(reply))
    if reply.status != 200 or found is None or not isinstance(found.get("code"), int):
        return Verdict(Kind.UNCLEAR, f"HTTP {reply.status}", "no answer of the API's")
    code, text = found["code"], str(found.get("desc") or found.get("msg") or "")
    kind = KINDS.get(code, Kind.ITEM) if code != 414 else _of_414(text)
    if kind is Kind.DONE:
        failed = _left_out(call, found) if api.body == "form" else _in_failed_list(api, call, found)
        return Verdict(kind, failed=failed, given=_given(found) if api.gives else "")
    wait = retry_after(reply, float(app.values["block"])) if kind is Kind.THROTTLE else 0.0
    return Verdict(kind, str(code), text, wait)


def _data(found: Mapping[str, Any]) -> Mapping[str, Any]:
    data = found.get("data")
    return data if isinstance(data, dict) else {}


def _given(found: Mapping[str, Any]) -> str:
    """The id of a new team, in either API."""
    info = _data(found).get("team_info")
    return str(info.get("team_id", "")) if isinstance(info, dict) else str(found.get("tid", ""))


def _in_failed_list(api: Api, call: Call, found: Mapping[str, Any]) -> tuple[Failed, ...]:
    """Who stands in `failed_list`, with a code of their own (§4.1)."""
    rows = _data(found).get("failed_list")
    told = {str(row.get("account_id", "")).lower(): row for row in rows or () if isinstance(row, dict)}
    names = body_of(call).get(api.items or "", [])
    return tuple(_failed(item, row) for item, name in enumerate(names) if (row := told.get(str(name).lower())))


def _failed(item: int, row: Mapping[str, Any]) -> Failed:
    code = row.get("error_code")
    kind = KINDS.get(code, Kind.ITEM) if isinstance(code, int) else Kind.ITEM
    return Failed(item, kind, str(code), str(row.get("error_msg", "")))


def _of_414(text: str) -> Kind:
    """414 is a bad parameter, a stale signature, or an account that is there already (§4.3)."""
    if "already" in text.lower():
        return Kind.DONE
    return Kind.REAUTH if any(word in text.lower() for word in _STALE) else Kind.ITEM


def _left_out(call: Call, found: Mapping[str, object]) -> tuple[Failed, ...]:
    """`faccid` names those who could not be added to a team (§4.4)."""
    rest = found.get("faccid")
    bad = {str(name).lower() for name in rest.get("accid") or ()} if isinstance(rest, dict) else set()
    why = str(rest.get("msg", "")) if isinstance(rest, dict) else ""
    names = body_of(call).get("members", [])
    rows = [str(name).lower() for name in names] if isinstance(names, list) else []
    return tuple(Failed(item, Kind.ITEM, "faccid", why) for item, name in enumerate(rows) if name in bad)


REST = Rest(
    title="NetEase Yunxin 网易云信",
    apis={api.name: api for api in APIS},
    stages=STAGES,
    fields=FIELDS,
    secret_env="IMCONVERT_YUNXIN_SECRET",
    identity=identity,
    address=address,
    prepare=prepare,
    read=read,
    no_messages="IMC-7283",
)
