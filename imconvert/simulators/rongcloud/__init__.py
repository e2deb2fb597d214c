"""RongCloud as a server: users, groups, lists, publishing, queries, the hourly log, message routing (rongcloud.md)."""

from __future__ import annotations

from typing import Any

from imconvert.simulators.core.desk import Setting
from imconvert.simulators.core.exports import rows
from imconvert.simulators.core.rates import Limit
from imconvert.simulators.core.vendor import Endpoint, Vendor
from imconvert.simulators.rongcloud import answers, groups, messages, people

SETTINGS = {
    "app_key": Setting("simulated-key", "the application"),
    "app_secret": Setting("simulated-secret", "its secret; callbacks are signed with it, too"),
    "clock_skew": Setting(0, "seconds that a Timestamp may be off; 0 for any (§1, UNCONFIRMED there)"),
    "most_users": Setting(0, "most registered users; 0 for no end, 100 in a development app (§6, 2007)"),
    "most_members": Setting(3000, "most members of a group (§4.2)"),
    "listed": Setting(20, "most users in a call that lists them (§4.2)"),
    "query_days": Setting(14, "most days of a history query (§2.4)"),
    "history_log": Setting("on", "whether the hourly log is switched on (§2.1)", ("on", "off")),
    "zone_hours": Setting(8, "hours that the data centre is ahead of UTC (§2.1)"),
    "route_server": Setting("off", "whether messages of the server API are routed (§5)", ("off", "on")),
    "callback_time": Setting(
        "timestamp", "name of the time in a callback's query (§5)", ("timestamp", "signTimestamp")
    ),
}

_TABLE: tuple[tuple[str, Any], ...] = (
    ("user/getToken", people.get_token),
    ("user/refresh", people.refresh),
    ("user/info", people.info),
    ("user/profile/set", people.set_profile),
    ("user/profile/batch/query", people.find_profiles),
    ("user/blacklist/add", people.add_to_list),
    ("user/blacklist/remove", people.remove_from_list),
    ("user/blacklist/query", people.show_list),
    ("user/whitelist/add", people.add_to_list),
    ("user/whitelist/remove", people.remove_from_list),
    ("user/whitelist/query", people.show_list),
    ("user/blockPushPeriod/set", people.quiet_hours),
    ("friend/add", people.add_friend),
    ("friend/profile/set", people.set_remark),
    ("friend/get", people.friends),
    ("friend/check", people.check_friends),
    ("conversation/notification/set", people.quiet_conversation),
    ("conversation/type/notification/set", people.quiet_type),
    ("conversation/top/set", people.pin),
    ("group/create", groups.create),
    ("group/join", groups.join),
    ("group/quit", groups.quit_group),
    ("group/refresh", groups.refresh),
    ("group/dismiss", groups.dismiss),
    ("group/sync", groups.sync),
    ("group/user/query", groups.members),
    ("group/user/gag/add", groups.gag),
    ("entrust/group/create", groups.entrust_create),
    ("entrust/group/import", groups.entrust_import),
    ("entrust/group/join", groups.entrust_join),
    ("entrust/group/manager/add", groups.add_managers),
    ("message/private/publish", messages.publish_private),
    ("message/group/publish", messages.publish_group),
    ("message/system/publish", messages.publish_system),
    ("v3/message/private/query", messages.query_private),
    ("v3/message/group/query", messages.query_group),
    ("message/history", messages.history),
    ("message/history/delete", messages.forget_history),
)
_QUERY = ("v3/message/private/query", "v3/message/group/query")
ENDPOINTS = [
    *(Endpoint(n, "POST", f"/{n}.json", run, ("query",) if n in _QUERY else (n,)) for n, run in _TABLE),
    Endpoint("history/file", "GET", "/1/{date}/{name}", messages.history_file, public=True),
]
LIMITS = {
    **{name: Limit(100) for name, _ in _TABLE if name not in _QUERY},
    "user/getToken": Limit(200),
    "message/group/publish": Limit(20),
    "query": Limit(100, 60.0),
    "receivers": Limit(6000, 60.0),
}
"""§6: getToken 200 a second, others 100; 6000 receivers a minute, 20 groups a second; 100 queries a minute."""

EXPORTS = {
    "users": rows("SELECT id AS userId, name, portrait AS portraitUri, profile FROM users ORDER BY id", "profile"),
    "friends": rows("SELECT owner AS userId, friend AS targetId, remark, extra FROM friends ORDER BY 1, 2"),
    "lists": rows("SELECT kind, owner AS userId, user AS listed FROM lists ORDER BY 1, 2, 3"),
    "quiet": rows("SELECT owner AS userId, kind, target AS targetId, facts FROM quiet ORDER BY 1, 2, 3", "facts"),
    "groups": rows("SELECT id AS groupId, name, owner, hosted, facts FROM groups ORDER BY id", "facts"),
    "members": rows("SELECT team AS groupId, user AS userId, role, gagged_until FROM members ORDER BY 1, 2"),
    "messages": rows("SELECT uid AS msgUID, kind AS targetType, sender AS fromUserId, target AS targetId, object AS "
                     "objectName, content, time AS msgTime, source, number FROM messages ORDER BY number", "content"),
}  # fmt: skip

VENDOR = Vendor(
    name="rongcloud",
    tables="".join(module.TABLES for module in (people, groups, messages)),
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
    post=messages.post,
    posting=messages.POSTING,
    sample=lambda desk: {name: str(desk.settings[name]) for name in ("app_key", "app_secret")},
)
