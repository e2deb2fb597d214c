"""What there is to say of packages for devices, as a table."""

from __future__ import annotations

from imconvert.cli.terminal import padded, printable, width
from imconvert.convert.books.manifest import PackageTotals

WORDS = {
    "en": {
        "title": "Packages for users' devices", "users": "users", "copies": "copies of messages", "calls": "calls",
        "largest": "largest", "since": "messages left out as older (device.since)",
        "newest": "messages left out as not the newest (device.newest)", "lost": "messages that reach nobody",
        "untold": "groups without members told: those who wrote stand for them", "refused": "rows of members whose ids "
        "the target can't have", "first": "first", "messages": "messages",
        "wrote": "{files} files of {users} users in {folder}",
    },
    "zh": {
        "title": "用户设备数据包", "users": "用户", "copies": "消息副本", "calls": "批次", "largest": "最大的一份",
        "since": "因较早而未放入的消息（device.since）", "newest": "因不在最新之列而未放入的消息（device.newest）",
        "lost": "无人可收的消息", "untold": "没有成员名单的群：以发言者代替", "refused": "ID 不符合目标规则的成员行",
        "first": "首例", "messages": "条消息", "wrote": "{users} 个用户的 {files} 个文件已写入 {folder}",
    },
}  # fmt: skip


def totals_of(found: PackageTotals, lang: str) -> list[str]:
    """Users, copies and calls; what was left out, and what nobody told, each with its first."""
    words = WORDS[lang]
    rows = [(words[name], getattr(found, name), "") for name in ("users", "copies", "calls")]
    if found.users:
        rows.append((words["largest"], found.largest, found.largest_user))
    rows += [(words[name], found.messages[name], "") for name in ("since", "newest") if found.messages[name]]
    told = (("lost", found.messages["lost"], found.first_lost), ("untold", found.untold, found.first_untold),
            ("refused", (found.members or {}).get("refused", 0), found.first_refused))  # fmt: skip
    rows += [(words[name], count, f"{words['first']} {first}") for name, count, first in told if count]
    left = max(width(name) for name, _, _ in rows)
    return [f"  {padded(name, left)}  {count:>13,}  {printable(first)}".rstrip() for name, count, first in rows]
