"""Tencent Cloud IM as a server: REST import, live sending, queries, callbacks (tencent.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imconvert.simulators.core.calls import Call
from imconvert.simulators.core.desk import Setting
from imconvert.simulators.core.exports import rows
from imconvert.simulators.core.rates import Limit
from imconvert.simulators.core.vendor import Endpoint, Vendor
from imconvert.simulators.tencent import (
    answers,
    auth,
    c2c,
    callbacks,
    elements,
    groups,
    history,
    members,
    messages,
    people,
    relations,
)

SETTINGS = {
    "sdkappid": Setting(1400000000, "the application"),
    "key": Setting("0123456789abcdef0123456789abcdef", "its secret key"),
    "identifier": Setting("administrator", "the administrator whose UserSig is accepted (§1.1)"),
    "accounts": Setting(100, "most accounts in a call (§3.1)"),
    "friends": Setting(1000, "most friends or blocks in a call (§3.6, §3.7)"),
    "most_friends": Setting(3000, "most friends of a user (§2)"),
    "most_blocks": Setting(1000, "most blocks of a user (§2)"),
    "members": Setting(20, "most members in a call; older pages say 100 or 300 (§5.3)"),
    "messages": Setting(7, "most messages of a group in a call (§5.4)"),
    "size": elements.SIZE,
    "lengths": groups.LENGTHS,
    "custom_tags": Setting("", "declared custom profile fields, with commas between them (§3.4)"),
    "equal_seconds": Setting("accept", "whether a group takes a message of the same second as the last one (§13, 3)",
                             ("accept", "refuse")),
    "roaming_days": Setting(0, "days for which queries find messages; 0 for all. Plans have 7, 30 or 90 (§2)"),
    "callback_token": Setting("", "token that signs callbacks; empty for no signature (§8)"),
}  # fmt: skip

_HUNDRED = ("multiaccount_import", "account_check")
_TABLE: tuple[tuple[str, str, Any, bool], ...] = (
    ("im_open_login_svc", "multiaccount_import", people.multiaccount_import, True),
    ("im_open_login_svc", "account_import", people.account_import, False),
    ("im_open_login_svc", "account_check", people.account_check, False),
    ("profile", "portrait_set", people.portrait_set, False),
    ("profile", "portrait_get", people.portrait_get, False),
    ("sns", "friend_import", relations.friend_import, True),
    ("sns", "friend_get", relations.friend_get, False),
    ("sns", "black_list_add", relations.black_list_add, True),
    ("sns", "black_list_get", relations.black_list_get, False),
    ("open_msg_svc", "get_history", history.get_history, False),
    ("openim", "importmsg", c2c.importmsg, False),
    ("openim", "sendmsg", c2c.sendmsg, False),
    ("openim", "admin_set_msg_read", c2c.admin_set_msg_read, False),
    ("openim", "admin_getroammsg", c2c.admin_getroammsg, False),
    ("group_open_http_svc", "import_group", groups.import_group, False),
    ("group_open_http_svc", "import_group_member", members.import_group_member, True),
    ("group_open_http_svc", "import_group_msg", messages.import_group_msg, True),
    ("group_open_http_svc", "set_unread_msg_num", members.set_unread_msg_num, False),
    ("group_open_http_svc", "modify_group_base_info", groups.modify_group_base_info, False),
    ("group_open_http_svc", "add_group_member", members.add_group_member, True),
    ("group_open_http_svc", "delete_group_member", members.delete_group_member, False),
    ("group_open_http_svc", "forbid_send_msg", members.forbid_send_msg, False),
    ("group_open_http_svc", "send_group_msg", messages.send_group_msg, False),
    ("group_open_http_svc", "group_msg_get_simple", messages.group_msg_get_simple, False),
    ("group_open_http_svc", "get_appid_group_list", groups.get_appid_group_list, False),
    ("group_open_http_svc", "get_group_info", groups.get_group_info, False),
    ("group_open_http_svc", "get_group_member_info", members.get_group_member_info, False),
)
ENDPOINTS = [
    *(Endpoint(name, "POST", f"/v4/{service}/{name}", run, (name,), batch) for service, name, run, batch in _TABLE),
    Endpoint("history/file", "GET", "/history/{chat}/{file}", history.download, public=True),
]
LIMITS = {
    **{name: Limit(100 if name in _HUNDRED else 200) for _, name, _, _ in _TABLE},
    "get_appid_group_list": Limit(1),
    "get_history": Limit(10),
    "group_messages": Limit(40),
}
"""§1.5: 200 a second for each API unless it says otherwise; 40 messages a second sent into one group."""


def _say(call: Call, message: Mapping[str, Any]) -> Mapping[str, Any]:
    return messages.say(call, message) if "group" in message else c2c.say(call, message)


_C2C = """
    SELECT sender AS From_Account, receiver AS To_Account, seq AS MsgSeq, random AS MsgRandom, time AS MsgTimeStamp,
        body AS MsgBody, data AS CloudCustomData, api, number FROM c2c ORDER BY number
"""
_GROUP = """
    SELECT team AS GroupId, seq AS MsgSeq, sender AS From_Account, time AS SendTime, random AS Random, body AS MsgBody,
        data AS CloudCustomData, api, number FROM group_messages ORDER BY number
"""
EXPORTS = {
    "accounts": rows("SELECT id AS UserID, profile FROM accounts ORDER BY id", "profile"),
    "friends": rows("SELECT owner AS From_Account, friend AS To_Account, facts FROM friends ORDER BY 1, 2", "facts"),
    "blocks": rows("SELECT owner AS From_Account, blocked AS To_Account, at FROM blocks ORDER BY 1, 2"),
    "groups": rows("SELECT id AS GroupId, type AS Type, owner AS Owner_Account, created AS CreateTime, facts, next_seq "
                    "AS NextMsgSeq FROM groups ORDER BY number", "facts"),
    "members": rows("SELECT team AS GroupId, account AS Member_Account, role AS Role, joined AS JoinTime, unread AS "
                     "UnreadMsgNum, muted_until AS MuteUntil FROM members ORDER BY 1, 2"),
    "messages": rows(_C2C, "MsgBody"),
    "group_messages": rows(_GROUP, "MsgBody"),
    "unread": rows("SELECT owner, peer, count(*) AS count FROM c2c_unread GROUP BY 1, 2 ORDER BY 1, 2"),
    "again": rows("SELECT api, sender, receiver, key FROM c2c_again UNION ALL "
                   "SELECT 'import_group_msg', sender, team, random || '' FROM group_again"),
}  # fmt: skip
"""State by kind; `again` are the duplicates that were answered and not kept."""

VENDOR = Vendor(
    name="tencent",
    tables="".join(module.TABLES for module in (people, relations, c2c, groups, messages)),
    endpoints=ENDPOINTS,
    settings=SETTINGS,
    limits=LIMITS,
    where=lambda desk, path: path,
    reply=answers.reply,
    authorize=auth.authorize,
    limited=answers.limited,
    unknown=answers.unknown,
    expired=answers.expired,
    busy=answers.BUSY,
    exports=EXPORTS,
    say=_say,
    post=callbacks.post,
    posting=callbacks.POSTING,
    sample=lambda desk: {name: str(desk.settings[name]) for name in ("sdkappid", "identifier", "key")},
)
