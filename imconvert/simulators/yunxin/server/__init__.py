"""Yunxin's REST server, v1 and v2: accounts, friends, teams, sending, history, uploads, copies (yunxin.md §4, §5)."""

from __future__ import annotations

from typing import Any

from imconvert.simulators.core.desk import Setting
from imconvert.simulators.core.exports import rows
from imconvert.simulators.core.rates import Limit
from imconvert.simulators.core.vendor import Endpoint, Vendor
from imconvert.simulators.yunxin.server import accounts, answers, callbacks, imports, messages, notices, teams, teams_v2

SETTINGS = {
    "app_key": Setting("0123456789abcdef0123456789abcdef", "the application"),
    "app_secret": Setting("simulated-secret", "its secret; copies are signed with it, too"),
    "most_friends": Setting(3000, "most friends of an account (§7)"),
    "most_listed": Setting(3000, "most blocked or muted accounts of an account (§7)"),
    "team_size": Setting(200, "most members of a team (§4.4)"),
    "body": Setting(5000, "most characters of a body; newer plans allow more (§7)"),
    "history_days": Setting(0, "days for which queries find messages; 0 for all. Plans have 7 to 1095 (§5.3)"),
    "imported_ids": Setting("kept", "whether text files keep their msgid as the server's (§5.3, UNCONFIRMED there)",
                            ("kept", "new")),
    "request_id": Setting("once", "whether a request id that comes again is 431 (§4.3, UNCONFIRMED there)",
                          ("once", "ignored")),
}  # fmt: skip

_V1: tuple[tuple[str, Any, str], ...] = (
    ("user/create", accounts.create, "register"),
    ("user/updateUinfo", accounts.update, "users"),
    ("user/getUinfos", accounts.show, "users"),
    ("user/block", accounts.flag, "users"),
    ("user/unblock", accounts.flag, "users"),
    ("user/mute", accounts.flag, "users"),
    ("user/setDonnop", accounts.flag, "users"),
    ("user/setSpecialRelation", accounts.set_relation, "users"),
    ("user/listBlackAndMuteList", accounts.listed, "users"),
    ("friend/add", accounts.add_friend, "users"),
    ("friend/update", accounts.update_friend, "users"),
    ("friend/get", accounts.friends, "users"),
    ("team/create", teams.create, "teams"),
    ("team/add", teams.add, "teams"),
    ("team/update", teams.update, "teams"),
    ("team/addManager", teams.managers, "teams"),
    ("team/removeManager", teams.managers, "teams"),
    ("team/changeOwner", teams.change_owner, "teams"),
    ("team/updateTeamNick", teams.set_nick, "teams"),
    ("team/muteTeam", teams.quiet, "teams"),
    ("team/muteTlist", teams.gag, "teams"),
    ("team/muteTlistAll", teams.gag_all, "teams"),
    ("team/kick", teams.kick, "teams"),
    ("team/leave", teams.leave, "teams"),
    ("team/remove", teams.remove, "teams"),
    ("team/query", teams.query, "teams"),
    ("team/queryDetail", teams.detail, "teams"),
    ("team/joinTeams", teams.joined, "teams"),
    ("team/listTeamMute", teams.gagged, "teams"),
    ("msg/sendMsg", messages.send, "messages"),
    ("msg/sendBatchMsg", messages.send_batch, "sendBatchMsg"),
    ("msg/upload", messages.upload, "messages"),
    ("msg/fileUpload", messages.upload_file, "messages"),
    ("history/querySessionMsg", messages.history_of_pair, "messages"),
    ("history/queryTeamMsg", messages.history_of_team, "messages"),
)
_V2: tuple[tuple[str, str, str, Any, str], ...] = (
    ("accounts/create", "POST", "accounts", accounts.create_v2, "register"),
    ("users/update", "PATCH", "users/{accid}", accounts.update_v2, "users"),
    ("users/get", "GET", "users/{accid}", accounts.show_v2, "users"),
    ("users/list", "GET", "users", accounts.show_many_v2, "users"),
    ("friends/add", "POST", "friends", accounts.add_friend_v2, "users"),
    ("friends/list", "GET", "friends", accounts.friends_v2, "users"),
    ("friends/update", "PATCH", "friends/{accid}", accounts.update_friend_v2, "users"),
    ("block_contacts/add", "POST", "block_contacts", accounts.add_contact_v2, "users"),
    ("block_contacts/list", "GET", "block_contacts", accounts.contacts_v2, "users"),
    ("block_contacts/remove", "DELETE", "block_contacts/{accid}", accounts.remove_contact_v2, "users"),
    ("mute_contacts/add", "POST", "mute_contacts", accounts.add_contact_v2, "users"),
    ("mute_contacts/list", "GET", "mute_contacts", accounts.contacts_v2, "users"),
    ("mute_contacts/remove", "DELETE", "mute_contacts/{accid}", accounts.remove_contact_v2, "users"),
    ("teams/create", "POST", "teams", teams_v2.create, "teams"),
    ("teams/add_manager", "POST", "teams/{tid}/actions/add_manager", teams_v2.managers, "teams"),
    ("teams/remove_manager", "DELETE", "teams/{tid}/actions/remove_manager", teams_v2.managers, "teams"),
    ("teams/transfer_owner", "PATCH", "teams/{tid}/actions/transfer_owner", teams_v2.transfer, "teams"),
    ("teams/list_members", "GET", "teams/{tid}/actions/list_members", teams_v2.members, "teams"),
    ("team_members/add", "POST", "team_members", teams_v2.add, "teams"),
    ("team_members/batch_mute", "PATCH", "team_members/actions/batch_mute", teams_v2.gag, "teams"),
    ("team_members/update", "PATCH", "team_members/{accid}", teams_v2.member, "teams"),
    ("conversations/send", "POST", "conversations/{cid}/messages", messages.send_v2, "messages"),
    ("conversations/history", "GET", "conversations/{cid}/messages", messages.history_v2, "messages"),
)
_BATCHES = ("team/add", "team_members/add")
ENDPOINTS = [
    *(Endpoint(name, "POST", f"/nimserver/{name}.action", run, (rate,), name in _BATCHES) for name, run, rate in _V1),
    *(
        Endpoint(name, how, f"/im/{version}/{path}", run, (rate,), name in _BATCHES)
        for version in ("v2", "v2.1")  # both spellings are documented (§4.1)
        for name, how, path, run, rate in _V2
    ),
    Endpoint("files/get", "GET", "/files/{file}", messages.download, public=True),
]
LIMITS = {
    "register": Limit(100, block=10.0),
    "users": Limit(100, block=10.0),
    "teams": Limit(100, block=10.0),
    "messages": Limit(100, block=10.0),
    "sendBatchMsg": Limit(120, 60.0, 60.0),
}
"""§4.2: 100 a second for a category, and a block behind it; the length of most blocks is UNCONFIRMED there."""

EXPORTS = {
    "accounts": rows("SELECT id AS accid, profile, flags FROM accounts ORDER BY id", "profile", "flags"),
    "friends": rows("SELECT owner AS accid, friend AS faccid, facts FROM friends ORDER BY 1, 2", "facts"),
    "lists": rows("SELECT kind, owner AS accid, other AS targetAcc FROM lists ORDER BY 1, 2, 3"),
    "teams": rows("SELECT tid, owner, facts FROM teams ORDER BY tid", "facts"),
    "members": rows("SELECT tid, accid, role, facts FROM members ORDER BY tid, accid", "facts"),
    "messages": rows('SELECT msgid, team, sender AS "from", target AS "to", type, body, ext, time AS sendtime, client, '
                     "source, number FROM messages ORDER BY number", "body"),
    "files": rows("SELECT id, type, length(bytes) AS size FROM files ORDER BY id"),
}  # fmt: skip

VENDOR = Vendor(
    name="yunxin",
    tables="".join(module.TABLES for module in (accounts, teams, notices, imports)),
    endpoints=ENDPOINTS,
    settings=SETTINGS,
    limits=LIMITS,
    where=lambda desk, path: path,
    reply=answers.reply,
    authorize=answers.authorize,
    limited=answers.limited,
    unknown=answers.unknown,
    expired=answers.expired,
    busy=answers.BUSY,
    exports=EXPORTS,
    say=messages.say,
    take=imports.take,
    post=callbacks.post,
    posting=callbacks.POSTING,
    sample=lambda desk: {name: str(desk.settings[name]) for name in ("app_key", "app_secret")},
)
