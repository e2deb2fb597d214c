"""Where ids stand in Yunxin's calls (yunxin.md §4.4, §4.5) and import lines (§1.2)."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from imconvert.vendors.people.mentions import ACCOUNT, GROUP, Mention, Place, mentions_by
from imconvert.vendors.yunxin import second

_TEAM, _OWNER, _WHO, _SEVERAL = Place("@conv", GROUP), Place("owner"), Place("accid"), Place("members[]")
_OPERATOR = Place("operator_id")

_CALLS = mentions_by({
    "user/create.action": (Place("accid", makes=True),),
    "user/block.action": (_WHO,),
    "user/mute.action": (_WHO,),
    "friend/add.action": (_WHO, Place("faccid")),
    "friend/update.action": (_WHO, Place("faccid")),
    "user/setSpecialRelation.action": (_WHO, Place("targetAcc")),
    "team/create.action": (Place("@conv", GROUP, makes=True), _OWNER, _SEVERAL),
    **{f"team/{name}.action": (_TEAM, _OWNER, _WHO, _SEVERAL) for name in (
        "add", "addManager", "muteTlist", "muteTlistAll", "updateTeamNick", "muteTeam")},
    second.ACCOUNTS: (Place("account_id", makes=True),),
    second.FRIENDS: (Place("account_id"), Place("friend_account_id")),
    second.FRIEND: (Place("@id"), Place("friend_account_id")),
    **dict.fromkeys((second.BLOCKS, second.MUTES), (Place("account_id"), Place("contact_account_id"))),
    second.TEAMS: (Place("@conv", GROUP, makes=True), Place("owner_account_id")),
    second.MEMBERS: (_TEAM, _OPERATOR, Place("invite_account_ids[]")),
    second.MANAGERS: (_TEAM, _OPERATOR, Place("managers[]")),
    second.MEMBER: (_TEAM, _OPERATOR, Place("@other")),
})  # fmt: skip


class _Data(Struct, rename={"sender": "from", "receiver": "to"}, gc=False):
    sender: str = ""
    receiver: str = ""
    accid: str = ""
    accid2: str = ""
    tid: int = 0


class _Message(Struct, gc=False):
    data: _Data


_message = msgspec.json.Decoder(_Message).decode


def mentions(line: bytes) -> list[Mention]:
    """Of a call, or of an import line."""
    if line.startswith(b'{"api":'):
        return _CALLS(line)
    data = _message(line).data
    found = [Mention(ACCOUNT, id) for id in (data.sender, data.receiver, data.accid, data.accid2) if id]
    return [*found, Mention(GROUP, str(data.tid))] if data.tid else found
