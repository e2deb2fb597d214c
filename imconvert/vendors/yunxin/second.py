"""People and teams as calls of Yunxin's second server API (v2, yunxin.md §4.5): those of the first, said otherwise.

Plan: provisioning makes calls of the first API; where the setting says so, each is translated behind that, by a table.
What the second has no documented call for (blocking or gagging an account, silencing a whole team, do not disturb of
one member) stays a call of the first: the same app takes both, with the same signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Raw

from imconvert.model import Notes
from imconvert.vendors.contract import FinishAll, Request, Settings
from imconvert.vendors.people.calls import Call
from imconvert.vendors.people.finish import MakeFinish, Talks
from imconvert.vendors.people.writing import Content

ACCOUNTS, FRIENDS, FRIEND = "im/v2/accounts", "im/v2.1/friends", "im/v2.1/friends/update"
BLOCKS, MUTES = "im/v2/block_contacts", "im/v2/mute_contacts"
TEAMS, MEMBERS, MANAGERS = "im/v2.1/teams", "im/v2/team_members", "im/v2/teams/add_manager"
MEMBER = "im/v2.1/team_members/update"

_PROFILE = {"name": "name", "icon": "avatar", "sign": "sign", "email": "email", "birth": "birthday",
            "mobile": "mobile", "gender": "gender", "ex": "extension"}  # fmt: skip
_FACTS = {"tname": "name", "icon": "icon", "announcement": "announcement", "intro": "intro",
          "teamMemberLimit": "members_limit", "custom": "server_extension"}  # fmt: skip
_MODES = {"joinmode": "join_mode", "invitemode": "invite_mode", "uptinfomode": "update_team_info_mode"}
ADVANCED = 1
"""The team_type of a team; 2 are super teams."""
NOBODY_IS_ASKED = 1

_decode_call = msgspec.json.Decoder(Call).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def either(content: Content) -> Content:
    """The content with calls of the API that the setting names."""
    return replace(content, streams={name: _made(make) for name, make in content.streams.items()})


def _made(make: MakeFinish) -> MakeFinish:
    def made(settings: Settings, notes: Notes) -> FinishAll:
        first = make(settings, notes)
        if settings["yunxin.api"] == "v1":
            return first

        def second(talks: Talks) -> Iterator[Request]:
            for request in first(talks):
                yield request._replace(data=_translated(request.data, notes)) if request.data else request

        return second

    return made


def _translated(data: bytes, notes: Notes) -> bytes:
    call = _decode_call(data)
    translate = _WAYS.get(call.api)
    if not translate:
        return data
    changes = translate(_decode(call.body), call, notes)
    changes["body"] = Raw(_encode(changes["body"]))
    return _encode(msgspec.structs.replace(call, **changes))


def _renamed(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {new: body[old] for old, new in names.items() if old in body}


def _account(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    profile = _renamed(body, _PROFILE)
    found = {"account_id": body["accid"], **({"user_information": profile} if profile else {})}
    return {"api": ACCOUNTS, "body": found, "secret": {"token": "account_id"}}


def _friend(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    found = _renamed(body, {"accid": "account_id", "faccid": "friend_account_id", "type": "type"})
    return {"api": FRIENDS, "body": found}


def _remark(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    found = _renamed(body, {"faccid": "friend_account_id", "alias": "alias", "ex": "extension"})
    return {"api": FRIEND, "path": f"{FRIENDS}/{quote(body['accid'], safe='')}", "body": found}


def _relation(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    found = _renamed(body, {"accid": "account_id", "targetAcc": "contact_account_id"})
    return {"api": BLOCKS if body["relationType"] == 1 else MUTES, "body": found}


def _team(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    """Its owner is a member anyway; whoever is added would have to agree, if the team asked its members."""
    if body.get("beinvitemode") == 0:
        notes.changes.append(("degraded", "consent of members, who are not asked while the team is filled"))
    modes = {**_renamed(body, _MODES), "agree_mode": NOBODY_IS_ASKED}
    found = {"owner_account_id": body["owner"], "team_type": ADVANCED, **_renamed(body, _FACTS), "configuration": modes}
    return {"api": TEAMS, "body": found}


def _operated(body: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    return {"operator_id": body["owner"], "team_id": "", "team_type": ADVANCED, **more}


def _members(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    found = _operated(body, {"invite_account_ids": body["members"]})
    return {"api": MEMBERS, "ids": {"team_id": call.ids["tid"]}, "body": found}


def _managers(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    found = {"operator_id": body["owner"], "managers": body["members"]}
    path = "im/v2/teams/{}/actions/add_manager"
    return {"api": MANAGERS, "path": path, "ids": {"path": call.ids["tid"]}, "body": found}


def _member(body: dict[str, Any], call: Call, notes: Notes) -> dict[str, Any]:
    """A gag, or the name and the extension of a member."""
    facts = {"chat_banned": True} if "mute" in body else _renamed(body, {"nick": "team_nick"})
    facts |= _renamed(body, {"custom": "server_extension"})
    path = f"im/v2.1/team_members/{quote(body['accid'], safe='')}"
    return {"api": MEMBER, "path": path, "ids": {"team_id": call.ids["tid"]}, "body": _operated(body, facts)}


_WAYS: Mapping[str, Callable[[dict[str, Any], Call, Notes], dict[str, Any]]] = {
    "user/create.action": _account,
    "friend/add.action": _friend,
    "friend/update.action": _remark,
    "user/setSpecialRelation.action": _relation,
    "team/create.action": _team,
    "team/add.action": _members,
    "team/addManager.action": _managers,
    "team/muteTlist.action": _member,
    "team/updateTeamNick.action": _member,
}
