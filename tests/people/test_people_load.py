"""People and groups from saved answers of one vendor to the server of another: all of the world is there."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from golden import CLOCK, LATEST
from support import loads
from support.loads import load, rest_of, target_file
from support.simulated import Simulated, simulated
from support.worlds import SOURCES, World, world

from imconvert.cli.progress import Silent
from imconvert.convert.options import Options
from imconvert.convert.run import Outcome, convert
from imconvert.simulators import easemob, rongcloud, tencent
from imconvert.simulators.yunxin import server as yunxin

KEY = bytes(range(32))
CONTENTS = ("users", "friends", "groups")
SIMULATORS = {"tencent": tencent.VENDOR, "easemob": easemob.VENDOR, "yunxin": yunxin.VENDOR,
              "rongcloud": rongcloud.VENDOR}  # fmt: skip
PATHS = {"yunxin": "/nimserver"}


def converted(source: Path, output: Path, content: str, target: str, **more: Any) -> Outcome:
    options = Options(
        inputs=(str(source),), output=output, target=f"{target}/{content}", latest=LATEST, key=KEY, **more
    )
    return convert(options, Silent(), CLOCK, {})


def brought(folder: Path, source: str, target: str, sim: Simulated, found: World, **settings: str) -> None:
    """Convert all of a world and load it, users first."""
    pages = SOURCES[source](found, folder / "in")
    limits = "".join(f'"{api}" = 0\n' for api in rest_of(target).apis)
    text, url = f"[limits]\n{limits}{loads.QUICK}", sim.url + PATHS.get(target, "")
    second = f'\nurl2 = "{sim.url}"' if target == "yunxin" else ""
    app = target_file(folder / "app", url, text, target=target, app=loads.APPS[target][0] + second)
    for content in CONTENTS:
        outcome = converted(pages, folder / content, content, target, settings=settings)
        assert {} == outcome.manifest.rejects
        assert 0 == outcome.manifest.totals.conflicts
        ended = load(folder / content, app, loads.APPS[target][1])
        assert (0, 0) == (ended.code, sum(row["failed"] for row in ended.summary["stages"])), ended
    assert not (folder / "users" / "load-failed.ndjson").exists()


@pytest.mark.parametrize("source", ["easemob", "yunxin"])
def test_a_world_comes_to_tencent(source: str, tmp_path: Path) -> None:
    found = world(3)
    with simulated(SIMULATORS["tencent"]) as sim:
        brought(tmp_path, source, "tencent", sim, found)
        tags = {"Tag_Profile_IM_Nick": "name", "Tag_Profile_IM_Image": "avatar", "Tag_Profile_IM_Gender": "gender"}
        genders = {"male": "Gender_Type_Male", "female": "Gender_Type_Female"}
        wanted = {
            one.id: {tag: genders.get(value, value) for tag, name in tags.items() if (value := getattr(one, name))}
            for one in found.people.values()
        }
        assert wanted == {row["UserID"]: row["profile"] for row in sim.rows("export/accounts")}
        ended = {pair for one, two in found.blocks for pair in ((one, two), (two, one))}
        friends = {pair: remark for pair, remark in found.friends.items() if pair not in ended}
        assert friends == {
            (row["From_Account"], row["To_Account"]): row["facts"].get("Remark", "")
            for row in sim.rows("export/friends")
        }
        assert sorted(found.blocks) == [(row["From_Account"], row["To_Account"]) for row in sim.rows("export/blocks")]
        groups = {row["GroupId"]: row for row in sim.rows("export/groups")}
        members = {(row["GroupId"], row["Member_Account"]): row for row in sim.rows("export/members")}
        for team in found.teams.values():
            row = groups[team.id]
            facts = row["facts"]
            assert (team.name, team.notice) == (facts["Name"], facts.get("Notification", ""))
            assert (team.owner, team.created // 1000 - 1) == (row["Owner_Account"], row["CreateTime"])
            for name, joined in team.members.items():
                own = members.pop((team.id, name))
                role = "Admin" if name in team.admins else "Member"
                assert (role, joined // 1000) == (own["Role"], own["JoinTime"])
                assert (name in team.muted) == bool(own["MuteUntil"])
            assert "Owner" == members.pop((team.id, team.owner))["Role"]
        assert members == {}


@pytest.mark.parametrize(("source", "own"), [("yunxin", "vendor"), ("tencent", "own")])
def test_a_world_comes_to_easemob(source: str, own: str, tmp_path: Path) -> None:
    found = world(4)
    with simulated(SIMULATORS["easemob"], settings={"group_ids": own}) as sim:
        brought(tmp_path, source, "easemob", sim, found, **{"easemob.group_ids": own})
        assert sorted(found.people) == [row["username"] for row in sim.rows("export/users")]
        numbers = {"male": "1", "female": "2"}
        wanted = {
            one.id: {key: numbers.get(value, value) for key, value in (
                ("nickname", one.name), ("avatarurl", one.avatar), ("gender", one.gender)) if value}
            for one in found.people.values()
        }  # fmt: skip
        assert {user: facts for user, facts in wanted.items() if facts} == {
            row["username"]: row["facts"] for row in sim.rows("export/attributes")
        }
        contacts = {(row["owner"], row["friend"]): row["remark"] or "" for row in sim.rows("export/contacts")}
        assert found.friends == contacts
        assert sorted(found.blocks) == [(row["owner"], row["blocked"]) for row in sim.rows("export/blocks")]
        with (tmp_path / "groups" / "load-ids.csv").open() as file:
            ids = {row["target"]: row["source"] for row in csv.DictReader(file)}
        names = {row["groupid"]: row for row in sim.rows("export/groups")}
        assert {ids[group]: row["owner"] for group, row in names.items()} == {
            team.id: team.owner for team in found.teams.values()
        }
        members = {(ids[row["groupid"]], row["username"]): row for row in sim.rows("export/members")}
        assert roles_of(found) == {pair: row["role"] for pair, row in members.items()}
        assert muted_in(found) == {pair for pair, row in members.items() if row["muted_until"]}


@pytest.mark.parametrize(("source", "api"), [("easemob", "v1"), ("tencent", "v2")])
def test_a_world_comes_to_yunxin(source: str, api: str, tmp_path: Path) -> None:
    found = world(6)
    with simulated(SIMULATORS["yunxin"]) as sim:
        brought(tmp_path, source, "yunxin", sim, found, **{"yunxin.api": api})
        numbers = {"male": "1", "female": "2"}
        names = {"name": "name", "icon": "avatar", "gender": "gender"}
        wanted = {
            one.id: {key: numbers.get(value, value) for key, name in names.items() if (value := getattr(one, name))}
            for one in found.people.values()
        }
        profiles = {row["accid"]: row["profile"] for row in sim.rows("export/accounts")}
        assert wanted == {name: {key: str(value) for key, value in one.items()} for name, one in profiles.items()}
        friends = {(row["accid"], row["faccid"]): row["facts"].get("alias", "") for row in sim.rows("export/friends")}
        assert found.friends == friends
        lists = [(row["accid"], row["targetAcc"]) for row in sim.rows("export/lists") if row["kind"] == "black"]
        assert sorted(found.blocks) == lists
        with (tmp_path / "groups" / "load-ids.csv").open() as file:
            ids = {row["target"]: row["source"] for row in csv.DictReader(file)}
        teams = {ids[str(row["tid"])]: (row["owner"], row["facts"]["tname"]) for row in sim.rows("export/teams")}
        assert {team.id: (team.owner, team.name) for team in found.teams.values()} == teams
        members = {(ids[str(row["tid"])], row["accid"]): row for row in sim.rows("export/members")}
        assert roles_of(found, admin="manager") == {pair: row["role"] for pair, row in members.items()}
        assert muted_in(found) == {pair for pair, row in members.items() if row["facts"].get("gagged")}


@pytest.mark.parametrize(("source", "hosted"), [("yunxin", "no"), ("tencent", "yes")])
def test_a_world_comes_to_rongcloud(source: str, hosted: str, tmp_path: Path) -> None:
    found = world(7)
    with simulated(SIMULATORS["rongcloud"]) as sim:
        brought(tmp_path, source, "rongcloud", sim, found, **{"rongcloud.hosted_groups": hosted})
        users = {row["userId"]: (row["name"], row["portraitUri"]) for row in sim.rows("export/users")}
        assert {one.id: (one.name or one.id, one.avatar) for one in found.people.values()} == users
        assert found.friends == {(row["userId"], row["targetId"]): row["remark"] for row in sim.rows("export/friends")}
        assert sorted(found.blocks) == [(row["userId"], row["listed"]) for row in sim.rows("export/lists")]
        groups = {row["groupId"]: (row["name"], row["owner"]) for row in sim.rows("export/groups")}
        owned = {team.id: (team.name, team.owner if hosted == "yes" else None) for team in found.teams.values()}
        assert owned == groups
        members = {(row["groupId"], row["userId"]): row for row in sim.rows("export/members")}
        roles = roles_of(found, admin="manager") if hosted == "yes" else dict.fromkeys(roles_of(found), "member")
        assert roles == {pair: row["role"] for pair, row in members.items()}
        assert muted_in(found) == {pair for pair, row in members.items() if row["gagged_until"]}


def roles_of(found: World, admin: str = "admin") -> dict[tuple[str, str], str]:
    roles = {
        (team.id, name): admin if name in team.admins else "member"
        for team in found.teams.values() for name in team.members
    }  # fmt: skip
    return roles | {(team.id, team.owner): "owner" for team in found.teams.values()}


def muted_in(found: World) -> set[tuple[str, str]]:
    return {(team.id, name) for team in found.teams.values() for name in team.muted}


def test_passwords_are_in_their_file_and_nowhere_else(tmp_path: Path) -> None:
    """The server got those of the list; no other file of output and journal holds one of them."""
    found = world(5, people=70, pairs=3, teams=1)
    with simulated(SIMULATORS["easemob"]) as sim:
        brought(tmp_path, "yunxin", "easemob", sim, found)
    folder = tmp_path / "users"
    with (folder / "secrets.csv").open() as file:
        secrets = {row["account"]: row["secret"] for row in csv.DictReader(file)}
    assert found.people.keys() == secrets.keys()
    assert 70 == len(set(secrets.values()))
    for file in folder.rglob("*"):
        assert 0 == file.stat().st_mode & 0o077
        if file.is_file() and file.name not in ("secrets.csv", "secrets.key"):
            data = file.read_bytes()
            assert not [secret for secret in secrets.values() if secret.encode() in data], file
    assert (folder / "secrets.key").read_text() == KEY.hex() + "\n"
    assert {"file": "secrets.csv", "accounts": 70} == json.loads((folder / "manifest.json").read_bytes())["secrets"]
