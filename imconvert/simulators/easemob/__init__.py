"""Easemob as a server: users, groups, import, live sending, roaming, files, callbacks (easemob.md)."""

from __future__ import annotations

from typing import Any

from imconvert.simulators.core.desk import Setting
from imconvert.simulators.core.exports import rows
from imconvert.simulators.core.rates import Limit
from imconvert.simulators.core.vendor import Endpoint, Vendor
from imconvert.simulators.easemob import (
    answers,
    auth,
    callbacks,
    files,
    groups,
    history,
    messages,
    people,
    relations,
)

SETTINGS = {
    "org": Setting("rehearsal", "the organization"),
    "app": Setting("app", "the application; App Key is org#app"),
    "client_id": Setting("YXA6simulated-id", "id of the client"),
    "client_secret": Setting("YXA6simulated-secret", "its secret"),
    "token_seconds": Setting(5_184_000, "how long a token holds whose request names no ttl (§1)"),
    "users": Setting(60, "most users in a call (§4.2)"),
    "most_users": Setting(0, "most users of the plan; 0 for no end (§4.2)"),
    "contacts": Setting(10, "most contacts in an import (§4.6)"),
    "most_contacts": Setting(0, "most contacts of a user; 0 for no end, plans have 100 or 3000 (§4.6)"),
    "most_blocks": Setting(500, "most blocked users (§4.6)"),
    "contacts_import": Setting("two-way", "whether an import makes both contacts of each other (§11, 13)",
                               ("two-way", "one-way")),
    "members": Setting(100, "most members in a call; older pages say 60 (§4.5)"),
    "mutes": Setting(100, "most muted members in a call (§4.5)"),
    "group_blocks": Setting(60, "most members in a call that blocks them (§4.5)"),
    "group_ids": Setting("vendor", "whether groups may have ids of one's own, which needs activation (§4.5)",
                         ("vendor", "own")),
    "size": Setting(5120, "most bytes of body and ext together (§4.4)"),
    "order": Setting("enforce", "whether import needs rising times in a conversation (§4.3; enforcement UNCONFIRMED)",
                     ("enforce", "off")),
    "group_time": Setting("enforce", "whether import needs times between the group's creation and now (§4.3)",
                          ("enforce", "off")),
    "check_ids": Setting("off", "whether import refuses users and groups that are not there (§11, 10)", ("off", "on")),
    "import_rate": Setting("shared", "whether both imports share one rate (§11, 5)", ("shared", "apart")),
    "roaming_page": Setting(50, "most messages in a page of roaming (§11, 12)"),
    "roaming_days": Setting(0, "days for which roaming finds messages; 0 for all. Plans have 3 to 180 (§0)"),
    "zone_hours": Setting(8, "hours that the cluster is ahead of UTC: 8 in China, 0 elsewhere (§2.1)"),
    "history_after_hours": Setting(1, "hours after which an hour's file is there; the vendor advises 24 (§2.1)"),
    "history_days": Setting(3, "days for which an hour's file is there (§2.1)"),
    "file_days": Setting(7, "days for which files stay; 0 for ever (§4.9)"),
    "callback_secret": Setting("simulated-callback", "secret that signs callbacks (§5.2)"),
}  # fmt: skip

_USERS, _GROUPS = ("users",), ("groups",)
_TABLE: tuple[tuple[str, str, str, Any, tuple[str, ...]], ...] = (
    ("users/create", "POST", "/users", people.register, _USERS),
    ("users/list", "GET", "/users", people.listed, _USERS),
    ("users/get", "GET", "/users/{user}", people.shown, _USERS),
    ("users/modify", "PUT", "/users/{user}", people.renamed, _USERS),
    ("users/push/set", "PUT", "/users/{user}/notification/{kind}/{key}", people.set_push, _USERS),
    ("users/push/get", "GET", "/users/{user}/notification/{kind}/{key}", people.get_push, _USERS),
    ("metadata/set", "PUT", "/metadata/user/{user}", people.set_attributes, ("metadata/set",)),
    ("metadata/get", "GET", "/metadata/user/{user}", people.get_attributes, ("metadata/get",)),
    ("metadata/find", "POST", "/metadata/user/get", people.find_attributes, ("metadata/find",)),
    ("contacts/add", "POST", "/users/{user}/contacts/users/{friend}", relations.add_contact, ("contacts/add",)),
    ("contacts/import", "POST", "/users/{user}/contacts/import", relations.import_contacts, ("contacts/import",)),
    ("contacts/remark", "PUT", "/user/{user}/contacts/users/{friend}", relations.set_remark, ("contacts/remark",)),
    ("contacts/page", "GET", "/user/{user}/contacts", relations.page_of_contacts, ("contacts/page",)),
    ("contacts/list", "GET", "/users/{user}/contacts/users", relations.all_contacts, ("contacts/list",)),
    ("blocks/add", "POST", "/users/{user}/blocks/users", relations.add_blocks, ("blocks/add",)),
    ("blocks/list", "GET", "/users/{user}/blocks/users", relations.all_blocks, ("blocks/list",)),
    ("groups/create", "POST", "/chatgroups", groups.create, ("groups/create",)),
    ("groups/list", "GET", "/chatgroups", groups.listed, ("groups/list",)),
    ("groups/get", "GET", "/chatgroups/{group}", groups.shown, ("groups/get",)),
    ("groups/modify", "PUT", "/chatgroups/{group}", groups.modified, ("groups/modify",)),
    ("groups/members/add", "POST", "/chatgroups/{group}/users", groups.add_members, ("groups/members/add",)),
    ("groups/members/list", "GET", "/chatgroups/{group}/users", groups.members, ("groups/members/list",)),
    ("groups/admins/add", "POST", "/chatgroups/{group}/admin", groups.add_admin, ("groups/admins/add",)),
    ("groups/admins/list", "GET", "/chatgroups/{group}/admin", groups.admins, ("groups/admins/list",)),
    ("groups/mutes/add", "POST", "/chatgroups/{group}/mute", groups.mute, ("groups/mutes/add",)),
    ("groups/mutes/list", "GET", "/chatgroups/{group}/mute", groups.mutes, ("groups/mutes/list",)),
    ("groups/ban", "POST", "/chatgroups/{group}/ban", groups.ban, ("groups/ban",)),
    ("groups/blocks/add", "POST", "/chatgroups/{group}/blocks/users", groups.block, ("groups/blocks/add",)),
    ("groups/blocks/list", "GET", "/chatgroups/{group}/blocks/users", groups.blocks, ("groups/blocks/list",)),
    ("groups/announce", "POST", "/chatgroups/{group}/announcement", groups.announce, ("groups/announce",)),
    ("groups/announcement", "GET", "/chatgroups/{group}/announcement", groups.announcement, ("groups/announcement",)),
    ("members/set", "PUT", "/metadata/chatgroup/{group}/user/{user}", groups.set_member, ("members/set",)),
    ("members/get", "GET", "/metadata/chatgroup/{group}/user/{user}", groups.get_member, ("members/get",)),
    ("groups/joined", "GET", "/chatgroups/user/{user}", groups.joined, ("groups/joined",)),
    ("groups/joined/older", "GET", "/users/{user}/joined_chatgroups", groups.joined, ("groups/joined",)),
    ("messages/users/import", "POST", "/messages/users/import", messages.import_to_user, ()),
    ("messages/chatgroups/import", "POST", "/messages/chatgroups/import", messages.import_to_group, ()),
    ("messages/users", "POST", "/messages/users", messages.send, ("send_users",)),
    ("messages/chatgroups", "POST", "/messages/chatgroups", messages.send, ("send_groups",)),
    ("roaming/chat", "POST", "/api/server/v6/{app}/roaming/chat", messages.roaming_of_pair, ("roaming/chat",)),
    ("roaming/group", "POST", "/api/server/v6/{app}/roaming/group", messages.roaming_of_group, ("roaming/group",)),
    ("chatmessages", "GET", "/chatmessages/{hour}", history.hour_file, ("chatmessages",)),
    ("files/upload", "POST", "/chatfiles", files.upload, ("files/upload",)),
    ("files/get", "GET", "/chatfiles/{file}", files.download, ("files/get",)),
    ("files/lifetime", "PUT", "/users/{user}/chatfiles/lifetime", files.set_lifetime, ("files/lifetime",)),
)
_BATCHES = ("users/create", "contacts/import", "groups/members/add", "groups/blocks/add")
ENDPOINTS = [
    Endpoint("token", "POST", "/token", auth.token, ("token",), public=True),
    *(Endpoint(name, how, path, run, rates, name in _BATCHES) for name, how, path, run, rates in _TABLE),
    Endpoint("chatmessages/file", "GET", "//history/14D/{org}/{app}/{file}", history.download, public=True),
]
LIMITS = {
    **{name: Limit(100) for *_, rates in _TABLE for name in rates},
    "token": Limit(300),
    "chatmessages": Limit(10, 60.0),
    "import": Limit(100),
    "groups/joined": Limit(50),
    "send_groups": Limit(20),
    "send_users_messages": Limit(6000, 60.0),
    "send_groups_messages": Limit(20),
}
"""§1: 100 a second unless it says otherwise; users and push share one rate. §4.10 counts messages besides calls."""

EXPORTS = {
    "users": rows("SELECT name AS username, nickname, created FROM users ORDER BY name"),
    "attributes": rows("SELECT user AS username, facts FROM attributes ORDER BY user", "facts"),
    "push": rows("SELECT user AS username, kind, key, facts FROM push ORDER BY 1, 2, 3", "facts"),
    "contacts": rows("SELECT owner, friend, remark FROM contacts ORDER BY 1, 2"),
    "blocks": rows("SELECT owner, blocked FROM blocks ORDER BY 1, 2"),
    "groups": rows("SELECT id AS groupid, owner, facts, announcement, muted, created FROM groups ORDER BY number",
                   "facts"),
    "members": rows("SELECT team AS groupid, user AS username, role, joined, muted_until, facts FROM members "
                    "ORDER BY 1, 2", "facts"),
    "group_blocks": rows("SELECT team AS groupid, user AS username FROM group_blocks ORDER BY 1, 2"),
    "messages": rows('SELECT CAST(id AS TEXT) AS msg_id, chat AS chat_type, sender AS "from", target, type, body, ext, '
                     "time AS msg_timestamp, api, number FROM messages ORDER BY number", "body", "ext"),
    "files": rows("SELECT id AS uuid, name AS filename, length(bytes) AS size FROM files ORDER BY 1"),
}  # fmt: skip

VENDOR = Vendor(
    name="easemob",
    tables="".join(module.TABLES for module in (auth, people, relations, groups, messages, files)),
    endpoints=ENDPOINTS,
    settings=SETTINGS,
    limits=LIMITS,
    where=answers.where,
    reply=answers.reply,
    authorize=auth.authorize,
    limited=answers.limited,
    unknown=answers.unknown,
    expired=auth.expired,
    busy=answers.BUSY,
    exports=EXPORTS,
    say=messages.say,
    post=callbacks.post,
    posting=callbacks.POSTING,
    sample=lambda desk: {name: str(desk.settings[name]) for name in ("org", "app", "client_id", "client_secret")},
)
