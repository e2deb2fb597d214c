"""Small worlds of people and groups: as saved answers of each vendor's list calls, and as a target has to hold them.

Shares no code with the package: pages are written by hand from the references, expectations from the world itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

CREATED = 1_600_000_000_000
"""When the first group was made, in ms."""


@dataclass
class Person:
    id: str
    name: str = ""
    avatar: str = ""
    gender: str = ""


@dataclass
class Team:
    id: str
    name: str
    owner: str
    created: int
    members: dict[str, int] = field(default_factory=dict)
    admins: list[str] = field(default_factory=list)
    muted: list[str] = field(default_factory=list)
    notice: str = ""


@dataclass
class World:
    people: dict[str, Person]
    friends: dict[tuple[str, str], str]
    blocks: list[tuple[str, str]]
    teams: dict[str, Team]


def world(seed: int = 1, *, people: int = 110, pairs: int = 60, teams: int = 3) -> World:
    """A world in which friendship is mutual, with remarks of each side's own."""
    chance = Random(seed)
    names = [f"u{number}" for number in range(people)]
    every = {
        name: Person(name, chance.choice(["", f"名{name}"]), chance.choice(["", f"https://x/{name}.png"]),
                     chance.choice(["", "male", "female"]))
        for name in names
    }  # fmt: skip
    friends: dict[tuple[str, str], str] = {}
    while len(friends) < 2 * pairs:
        one, two = chance.sample(names, 2)
        if (one, two) not in friends:
            friends[one, two] = chance.choice(["", "", f"备注{two}"])
            friends[two, one] = chance.choice(["", "", f"备注{one}"])
    free = [(one, two) for one in names[:20] for two in names[60:64] if (one, two) not in friends]
    groups = {}
    for number in range(teams):
        owner, *rest = chance.sample(names, min(people, 3 + number * 30))
        made = CREATED + number * 1_000_000
        members = {name: made + chance.randrange(0, 900_000) for name in rest}
        groups[f"{770 + number}"] = Team(
            f"{770 + number}", f"群{number}", owner, made, members, sorted(rest)[: 1 + number], sorted(rest)[-1:],
            f"公告{number}" if number % 2 else "",
        )  # fmt: skip
    return World(every, friends, chance.sample(free, 12), groups)


def _lists(pairs: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for owner, other in sorted(pairs):
        found.setdefault(owner, []).append(other)
    return found


def _pages(rows: list[Any], size: int) -> list[list[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def easemob(world: World, folder: Path) -> Path:
    """Answers as Easemob gives them (easemob.md §3)."""
    folder.mkdir(parents=True)
    base = "https://a1.easemob.com/demo/app"
    users = [{"type": "user", "username": one, "activated": True, "created": CREATED} for one in world.people]
    users_pages = [{"action": "get", "uri": f"{base}/users", "entities": page, "count": len(page)}
                   for page in _pages(users, 50)]  # fmt: skip
    (folder / "users.json").write_text("\n".join(json.dumps(page, indent=2) for page in users_pages))
    numbers = {"": "0", "male": "1", "female": "2"}
    attributes = {
        one.id: {key: value for key, value in (("nickname", one.name), ("avatarurl", one.avatar),
                                               ("gender", numbers[one.gender])) if value and value != "0"}
        for one in world.people.values()
    }  # fmt: skip
    lines: list[Any] = [
        {"uri": f"{base}/metadata/user/get", "data": dict(page)} for page in _pages(list(attributes.items()), 100)
    ]
    for owner, others in _lists(world.friends).items():
        contacts = [{"username": other, "remark": world.friends[owner, other] or None} for other in others]
        lines += [{"uri": f"{base}/user/{owner}/contacts", "data": {"contacts": page}} for page in _pages(contacts, 10)]
    lines += [{"uri": f"{base}/users/{owner}/blocks/users", "data": others}
              for owner, others in _lists(world.blocks).items()]  # fmt: skip
    for team in world.teams.values():
        lines += _easemob_team(team, base)
    (folder / "lists.ndjson").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return folder


def _easemob_team(team: Team, base: str) -> list[Any]:
    url = f"{base}/chatgroups/{team.id}"
    affiliations = [{"owner": team.owner}, *({"member": name} for name in team.members)]
    detail = {
        "id": team.id, "name": team.name, "description": "", "public": True, "membersonly": True, "maxusers": 500,
        "owner": team.owner, "created": team.created, "mute": False, "affiliations": affiliations,
    }  # fmt: skip
    joined = [{"owner": team.owner, "joined_time": team.created},
              *({"member": name, "joined_time": at} for name, at in team.members.items())]  # fmt: skip
    found: list[Any] = [
        {"uri": url, "data": [detail]},
        *({"uri": f"{url}/users", "data": page} for page in _pages(joined, 40)),
        {"uri": f"{url}/admin", "data": team.admins},
        {"uri": f"{url}/mute", "data": [{"user": name, "expire": 4_638_873_600_000} for name in team.muted]},
    ]
    return found + ([{"uri": f"{url}/announcement", "data": {"announcement": team.notice}}] if team.notice else [])


def yunxin(world: World, folder: Path) -> Path:
    """Answers as Yunxin's v1 gives them (yunxin.md §4.4)."""
    folder.mkdir(parents=True)
    numbers = {"": 0, "male": 1, "female": 2}
    infos = [
        {"accid": one.id, "name": one.name, "icon": one.avatar, "gender": numbers[one.gender]}
        for one in world.people.values()
    ]
    lines: list[Any] = [{"code": 200, "uinfos": page} for page in _pages(infos, 200)]
    for owner, others in _lists(world.friends).items():
        friends = [{"faccid": other, "alias": world.friends[owner, other], "bidirection": True, "createtime": CREATED}
                   for other in others]  # fmt: skip
        answer = {"code": 200, "size": len(friends), "friends": friends}
        lines.append({"request": {"accid": owner, "updatetime": 0}, "response": answer})
    for owner, others in _lists(world.blocks).items():
        lines.append({"request": f"accid={owner}", "response": {"code": 200, "mutelist": [], "blacklist": others}})
    for team in world.teams.values():
        members = [_yunxin_member(team, name) for name in team.members if name not in team.admins]
        admins = [_yunxin_member(team, name) for name in team.admins]
        found = {
            "tid": int(team.id), "tname": team.name, "owner": {"accid": team.owner, "createtime": team.created},
            "announcement": team.notice, "joinmode": 1, "beinvitemode": 1, "invitemode": 0, "uptinfomode": 0,
            "maxusers": 500, "createtime": team.created, "mute": False, "members": members, "admins": admins,
        }  # fmt: skip
        lines.append({"code": 200, "tinfo": found})
    (folder / "answers.ndjson").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return folder


def _yunxin_member(team: Team, name: str) -> dict[str, Any]:
    return {"accid": name, "createtime": team.members[name], "mute": name in team.muted}


def tencent(world: World, folder: Path) -> Path:
    """Answers as Tencent gives them (tencent.md §3, §5.10); the requests stand beside those that need them."""
    folder.mkdir(parents=True)
    fine = {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}
    genders = {"": "Gender_Type_Unknown", "male": "Gender_Type_Male", "female": "Gender_Type_Female"}
    items = [
        {"To_Account": one.id, "ResultCode": 0, "ResultInfo": "", "ProfileItem": [
            {"Tag": "Tag_Profile_IM_Nick", "Value": one.name}, {"Tag": "Tag_Profile_IM_Image", "Value": one.avatar},
            {"Tag": "Tag_Profile_IM_Gender", "Value": genders[one.gender]}]}
        for one in world.people.values()
    ]  # fmt: skip
    lines: list[Any] = [{**fine, "UserProfileItem": page} for page in _pages(items, 100)]
    for owner, others in _lists(world.friends).items():
        friends = [
            {"To_Account": other, "ValueItem": [{"Tag": "Tag_SNS_IM_Remark", "Value": world.friends[owner, other]}]}
            for other in others
        ]
        answer = {**fine, "UserDataItem": friends, "FriendNum": len(friends), "CompleteFlag": 1, "NextStartIndex": 0}
        lines.append({"request": {"From_Account": owner, "StartIndex": 0}, "response": answer})
    for owner, others in _lists(world.blocks).items():
        blocked = [{"To_Account": other, "AddBlackTimeStamp": CREATED // 1000} for other in others]
        answer = {**fine, "BlackListItem": blocked, "StartIndex": 0, "CurruentSequence": 1}
        lines.append({"request": {"From_Account": owner}, "response": answer})
    lines += [_tencent_team(team) for team in world.teams.values()]
    (folder / "answers.ndjson").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return folder


def _tencent_team(team: Team) -> dict[str, Any]:
    members = [{"Member_Account": team.owner, "Role": "Owner", "JoinTime": team.created // 1000, "MuteUntil": 0}] + [
        {"Member_Account": name, "Role": "Admin  " if name in team.admins else "Member", "JoinTime": at // 1000,
         "MsgFlag": "AcceptAndNotify", "MuteUntil": 4294967295 if name in team.muted else 0}
        for name, at in team.members.items()
    ]  # fmt: skip
    group = {
        "GroupId": team.id, "ErrorCode": 0, "ErrorInfo": "", "Type": "Public", "Name": team.name, "Introduction": "",
        "Notification": team.notice, "FaceUrl": "", "Owner_Account": team.owner, "CreateTime": team.created // 1000,
        "MemberNum": len(members), "MaxMemberNum": 500, "ApplyJoinOption": "NeedPermission", "MuteAllMember": "Off",
        "NextMsgSeq": 1, "AppDefinedData": [], "MemberList": members,
    }  # fmt: skip
    return {"ActionStatus": "OK", "ErrorCode": 0, "GroupInfo": [group]}


SOURCES = {"easemob": easemob, "yunxin": yunxin, "tencent": tencent}
