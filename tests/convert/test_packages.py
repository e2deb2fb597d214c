"""Packages for users' devices: whose copy goes where, in calls, found again by an index (easemob.md §7)."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from golden import run
from support.small_jobs import differing, tree
from xxhash import xxh3_64_intdigest

from imconvert.cli import cli
from imconvert.convert.arrange import runs
from imconvert.convert.devices import copies, handout, members, packages
from imconvert.convert.finished import unpack
from imconvert.convert.finished.unpack import Packages, folder_name
from imconvert.convert.run import Outcome
from imconvert.errors import IntegrityError, UsageError

BASE = 1_709_690_400_000
PEOPLE = [f"user{number}" for number in range(12)]


def line(number: int, time: int, sender: str, *, to: str = "", team: int = 0) -> dict[str, Any]:
    ends = {"accid": sender, "tid": team} if team else {"from": sender, "to": to}
    return {"type": 0, "data": {"msgid": number, **ends, "createTime": time, "clientType": 1, "body": f"text {number}"}}


def history(seed: int, count: int) -> list[dict[str, Any]]:
    """Texts of pairs and groups at few different times, so that many are equal."""
    chance = random.Random(seed)
    found = []
    for number in range(1, count + 1):
        time, sender = BASE + chance.randrange(50), chance.choice(PEOPLE)
        if chance.random() < 0.5:
            found.append(line(number, time, sender, team=chance.randrange(1, 4)))
        else:
            found.append(line(number, time, sender, to=chance.choice(PEOPLE)))
    return found


def written(folder: Path, lines: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.txt").write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return folder


def converted(tmp_path: Path, lines: list[dict[str, Any]], name: str = "out", **asked: Any) -> Outcome:
    return run(written(tmp_path / "in", lines), tmp_path / name, "yunxin", target="device", **asked)


def csv(tmp_path: Path, *rows: str, header: str = "group,user,joined_at") -> Path:
    path = tmp_path / "members.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def packages_in(output: Path) -> dict[str, list[list[Any]]]:
    """Every user's calls as lists of messages, by the index."""
    with Packages(output) as found:
        calls = {user.user: list(found.calls(user)) for user in found.users()}
    opened = {name: [gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for data in some]
              for name, some in calls.items()}  # fmt: skip
    return {name: [[json.loads(one) for one in data.splitlines()] for data in some] for name, some in opened.items()}


def expected(lines: list[dict[str, Any]], told: dict[int, dict[str, int]] | None = None) -> dict[str, Counter[Any]]:
    """What everybody has, by a naive account of it: message, time, direction and conversation."""
    wrote: dict[int, set[str]] = {}
    for one in lines:
        if "tid" in one["data"]:
            wrote.setdefault(one["data"]["tid"], set()).add(one["data"]["accid"])
    found: dict[str, Counter[Any]] = {}
    for one in lines:
        data = one["data"]
        if "tid" in data:
            who = (told or {}).get(data["tid"]) or dict.fromkeys(wrote[data["tid"]], 0)
            owners = [(user, data["accid"] == user, str(data["tid"])) for user, since in who.items()
                      if since <= data["createTime"]]  # fmt: skip
        else:
            owners = [(data["from"], True, data["to"])]
            owners += [(data["to"], False, data["from"])] if data["to"] != data["from"] else []
        for user, own, talk in owners:
            key = (str(data["msgid"]), data["createTime"], "send" if own else "rec", talk)
            found.setdefault(user, Counter())[key] += 1
    return found


def told_by(found: dict[str, list[list[Any]]]) -> dict[str, Counter[Any]]:
    return {
        user: Counter((m["msgId"], m["serverTime"], m["direction"], m["conversationId"]) for call in some for m in call)
        for user, some in found.items()
    }


@pytest.mark.parametrize("seed", range(4))
def test_everybody_has_what_he_sent_and_received(seed: int, tmp_path: Path) -> None:
    lines = history(seed, 400)
    outcome = converted(tmp_path, lines)
    assert expected(lines) == told_by(packages_in(tmp_path / "out"))
    totals = outcome.manifest.packages
    assert sum(sum(one.values()) for one in expected(lines).values()) == totals.copies  # type: ignore[union-attr]


@pytest.mark.parametrize("packed", ["yes", "no"])
def test_calls_are_in_order_and_within_the_limit(packed: str, tmp_path: Path) -> None:
    lines = history(1, 500)
    converted(tmp_path, lines, settings={"device.batch": "7", "device.gzip": packed})
    found = packages_in(tmp_path / "out")
    assert expected(lines) == told_by(found)
    for some in found.values():
        assert all(len(call) == 7 for call in some[:-1]) and 1 <= len(some[-1]) <= 7
        times = [message["serverTime"] for call in some for message in call]
        assert times == sorted(times)
        for talk in {message["conversationId"] for call in some for message in call}:
            mine = [(m["serverTime"], int(m["msgId"])) for call in some for m in call if m["conversationId"] == talk]
            assert all(one < other for one, other in pairwise(mine))


def test_a_packed_shard_is_one_gzip_file_as_well(tmp_path: Path) -> None:
    outcome = converted(tmp_path, history(2, 200), settings={"device.gzip": "yes", "device.batch": "10"})
    totals = outcome.manifest.packages
    (shard,) = totals.shards  # type: ignore[union-attr]
    data = (tmp_path / "out" / shard.name).read_bytes()
    assert shard.lines == gzip.decompress(data).count(b"\n") and shard.bytes == len(data)


def test_a_call_ends_at_its_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "CALL_BYTES", 2000)
    converted(tmp_path, history(3, 200))
    with Packages(tmp_path / "out") as found:
        calls = [size for user in found.users() for _, size, _ in user.calls]
    assert max(calls) <= 2001 and len(calls) > 50


def test_memory_does_not_decide_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = history(4, 400)
    converted(tmp_path, lines, "whole")
    for module in (runs, copies):
        monkeypatch.setattr(module, "WINDOW_BYTES", 3000)
        monkeypatch.setattr(module, "MOST_ROWS", 16)
    monkeypatch.setattr(members, "WINDOW_ROWS", 5)
    converted(tmp_path, lines, "small")
    different = differing(tree(tmp_path / "whole"), tmp_path / "small")
    assert [name for name in different if not name.startswith("index/")] == []


def test_workers_do_not_decide_what_comes_out(tmp_path: Path) -> None:
    lines = history(5, 400)
    who = csv(tmp_path, *(f"{group},{user}," for group in (1, 2) for user in PEOPLE[:5]))
    converted(tmp_path, lines, "one", members=who, segment_size=5000)
    converted(tmp_path, lines, "three", members=who, segment_size=5000, jobs=3)
    assert differing(tree(tmp_path / "one"), tmp_path / "three") == []


def test_members_have_their_groups_messages_from_when_they_joined(tmp_path: Path) -> None:
    lines = history(6, 400)
    told = {1: {"user0": 0, "reader": 0, "late": BASE + 25}, 2: {"reader": BASE + 10}}
    rows = [f"{group},{user},{joined or ''}" for group, users in told.items() for user, joined in users.items()]
    random.Random(1).shuffle(rows)
    outcome = converted(tmp_path, lines, members=csv(tmp_path, *rows, "2,reader,2030-01-01", "7,nobody,"))
    assert expected(lines, told) == told_by(packages_in(tmp_path / "out"))
    totals: Any = outcome.manifest.packages
    assert (3, 1, "3", {"rows": 6, "refused": 0}) == (totals.groups, totals.untold, totals.first_untold, totals.members)


@pytest.mark.parametrize("value", ["1709690425000", "1709690425", "2024-03-06T02:00:25Z", "2024-03-06T10:00:25+08:00"])
def test_times_of_joining_are_told_in_several_ways(value: str, tmp_path: Path) -> None:
    """Also in whole seconds, so that the limit is one."""
    lines = [line(1, BASE + 24_999, "user1", team=1), line(2, BASE + 25_000, "user1", team=1)]
    converted(tmp_path, lines, members=csv(tmp_path, f"1,reader,{value}"))
    assert ["2"] == [m["msgId"] for call in packages_in(tmp_path / "out")["reader"] for m in call]


def test_members_go_through_the_maps(tmp_path: Path) -> None:
    ids, tids = tmp_path / "ids.csv", tmp_path / "tids.csv"
    ids.write_text("source,target\nWang 1,wang\nuser1,renamed\n", encoding="utf-8")
    tids.write_text("source,target\n1,g1\n", encoding="utf-8")
    who = csv(tmp_path, "1,Wang 1,", "1,user1,", "1,no id at all!,", "no group!,user1,")
    outcome = converted(tmp_path, [line(1, BASE, "user1", team=1)], ids=ids, tids=tids, members=who)
    found = packages_in(tmp_path / "out")
    assert {"wang": "rec", "renamed": "send"} == {user: calls[0][0]["direction"] for user, calls in found.items()}
    totals: Any = outcome.manifest.packages
    assert {"rows": 4, "refused": 2} == totals.members and totals.first_refused.startswith("4: ")


def test_a_message_that_reaches_nobody_is_told(tmp_path: Path) -> None:
    lines = [line(1, BASE, "user1", team=1), line(2, BASE + 9, "user1", team=1)]
    outcome = converted(tmp_path, lines, members=csv(tmp_path, f"1,late,{BASE + 9}"))
    totals: Any = outcome.manifest.packages
    assert {"copied": 1, "since": 0, "newest": 0, "lost": 1} == totals.messages
    assert f"1/{BASE}/user1" == totals.first_lost
    assert 2 == outcome.manifest.totals.written


def test_old_messages_may_be_left_out_of_packages(tmp_path: Path) -> None:
    lines = history(7, 300)
    outcome = converted(tmp_path, lines, settings={"device.since": str(BASE + 20)})
    young = [one for one in lines if one["data"]["createTime"] >= BASE + 20]
    senders: set[Any] = {(one["data"].get("tid"), one["data"].get("accid")) for one in lines}
    found = told_by(packages_in(tmp_path / "out"))
    told = {group: {who: 0 for of, who in senders if of == group} for group in (1, 2, 3)}
    assert expected(young, told) == found
    totals: Any = outcome.manifest.packages
    assert (len(young), len(lines) - len(young)) == (totals.messages["copied"], totals.messages["since"])


def test_only_the_newest_of_each_conversation_may_be_in_packages(tmp_path: Path) -> None:
    lines = [line(number, BASE + number, "user1", to="user2") for number in range(1, 10)]
    lines += [line(20, BASE, "user1", to="user3")]
    outcome = converted(tmp_path, lines, settings={"device.newest": "3"})
    found = packages_in(tmp_path / "out")
    assert ["7", "8", "9"] == [m["msgId"] for call in found["user2"] for m in call]
    assert ["20"] == [m["msgId"] for call in found["user3"] for m in call]
    totals: Any = outcome.manifest.packages
    assert {"copied": 4, "since": 0, "newest": 6, "lost": 0} == totals.messages


def test_talking_to_oneself_is_one_copy(tmp_path: Path) -> None:
    converted(tmp_path, [line(1, BASE, "user1", to="user1")])
    ((message,),) = packages_in(tmp_path / "out")["user1"]
    assert ("send", "user1") == (message["direction"], message["conversationId"])


def test_shards_of_conversations_hold_each_message_once(tmp_path: Path) -> None:
    lines = history(8, 200)
    outcome = converted(tmp_path, lines)
    keys = [json.loads(one)["key"] for file in sorted((tmp_path / "out").glob("[pt]*-*.ndjson"))
            for one in file.read_bytes().splitlines() if not file.name.startswith("packages")]  # fmt: skip
    assert len(lines) == len(set(keys)) == outcome.manifest.totals.written


def test_nobody_at_all_gives_no_package(tmp_path: Path) -> None:
    outcome = converted(tmp_path, [{"type": 5, "data": {"msgid": 1}}])
    totals: Any = outcome.manifest.packages
    assert (0, 0, []) == (totals.users, totals.copies, totals.shards)
    assert {} == packages_in(tmp_path / "out")


def place_of(user: str) -> int:
    return xxh3_64_intdigest(user.encode()) >> 57


def test_collisions_of_hashes_change_nothing_but_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash of few bits, under which users meet until a salt is found that keeps them apart."""
    other = next(name for n in range(1000) if (name := f"x{n}") and place_of(name) == place_of("user1"))
    lines = [*history(9, 200), line(1000, BASE, "user1", to=other)]
    usual = handout.Handout
    monkeypatch.setattr(handout, "Handout", lambda *given: usual(*given, width=7))
    outcome = converted(tmp_path, lines)
    totals: Any = outcome.manifest.packages
    assert 0 < totals.salt < 64
    with Packages(tmp_path / "out") as found:
        rows = list(found.users())
    hashes = [row.hash for row in rows]
    assert hashes == sorted(set(hashes)) and {row.user for row in rows} == set(expected(lines))


def test_a_hash_that_never_keeps_users_apart_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = handout.Handout
    monkeypatch.setattr(handout, "Handout", lambda *given: usual(*given, width=2))
    with pytest.raises(IntegrityError) as why:
        converted(tmp_path, history(9, 50))
    assert why.value.code == "IMC-6001" and not (tmp_path / "out" / "manifest.json").exists()


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packages of many users, more than a block of the index."""
    folder = tmp_path_factory.mktemp("many")
    lines = [line(number, BASE + number, f"u{number % 97}", to=f"v{number}") for number in range(1, 1500)]
    converted(folder, [*lines, line(5000, BASE, "..", to=".hidden")])
    return folder / "out"


def test_every_user_is_found(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "LONGEST", 50)
    with Packages(output) as found:
        users = list(found.users())
        assert [user.user for user in users] == [row.user for user in users if (row := found.find(user.user))]
        assert [None] * 50 == [found.find(f"nobody{number}") for number in range(50)]


def test_ranges_of_a_shard_follow_each_other(output: Path) -> None:
    with Packages(output) as found:
        calls = [call for user in found.users() for call in user.calls]
        assert [begin + size for begin, size, _ in calls[:-1]] == [begin for begin, _, _ in calls[1:]]
        assert calls[-1][0] + calls[-1][1] == (output / found.totals.shards[0].name).stat().st_size


@pytest.mark.parametrize(("user", "name"), [
    ("ann", "ann"), ("..", "%2E."), ("a/b", "a%2Fb"), ("王", "%E7%8E%8B"), (".x", "%2Ex"), ("a+b=c_-.", "a+b=c_-."),
    ("a%b", "a%25b"),
])  # fmt: skip
def test_folders_are_names_and_nothing_more(user: str, name: str) -> None:
    assert name == folder_name(user)


def command(*given: str | Path) -> Any:
    return CliRunner().invoke(cli, ["packages", *map(str, given)], env={"IMCONVERT_LANG": "en"})


def test_command_writes_a_file_a_call(output: Path, tmp_path: Path) -> None:
    result = command(output, "u1", "..", "--to", tmp_path)
    assert (0, f"2 files of 2 users in {tmp_path}\n") == (result.exit_code, result.output)
    assert [tmp_path / "%2E." / "00001.ndjson", tmp_path / "u1" / "00001.ndjson"] == sorted(tmp_path.rglob("*.ndjson"))
    with Packages(output) as found:
        (data,) = found.calls(found.find("u1"))  # type: ignore[arg-type]
    assert data == (tmp_path / "u1" / "00001.ndjson").read_bytes()


def test_command_writes_everybody(output: Path, tmp_path: Path) -> None:
    told = json.loads(command(output, "--all", "--to", tmp_path, "--json").output)
    files = list(tmp_path.rglob("*.ndjson"))
    assert told["files"] == len(files) and told["users"] == len(list(tmp_path.iterdir()))


def test_command_tells_what_there_is(output: Path) -> None:
    text = command(output).output
    assert "users" in text and "1,598" in text
    assert json.loads(command(output, "--json").output)["users"] == 1598
    assert "00001.ndjson" in command(output, "u1").output
    assert "u1" == json.loads(command(output, "u1", "--json").output)[0]["user"]


@pytest.mark.parametrize(("given", "code"), [
    (("nobody",), "IMC-1232"), (("--all",), "IMC-1234"), (("u1", "--all", "--to", "x"), "IMC-1234"),
    (("--to", "x"), "IMC-1234"),
])  # fmt: skip
def test_command_refuses(given: tuple[str, ...], code: str, output: Path) -> None:
    assert code == command(output, *given).exception.code


def test_outputs_without_packages_are_refused(tmp_path: Path) -> None:
    run(written(tmp_path / "in", history(1, 5)), tmp_path / "out", "yunxin")
    assert "IMC-1233" == command(tmp_path / "out").exception.code


@pytest.mark.parametrize("packed", ["yes", "no"])
def test_a_damaged_shard_is_noticed(packed: str, tmp_path: Path) -> None:
    converted(tmp_path, history(1, 50), settings={"device.gzip": packed})
    shard = next((tmp_path / "out").glob("packages-*"))
    shard.write_bytes(b" " * shard.stat().st_size)
    with Packages(tmp_path / "out") as found, pytest.raises(IntegrityError) as why:
        for user in found.users():
            list(found.calls(user))
    assert why.value.code == "IMC-6002"


def test_members_are_for_packages_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as why:
        run(written(tmp_path / "in", []), tmp_path / "out", "yunxin", members=csv(tmp_path))
    assert why.value.code == "IMC-1230"


@pytest.mark.parametrize(("rows", "header", "place"), [
    (["1"], "group", ""), (["1,u,yesterday"], "group,user,joined_at", ":2"), (["1,"], "group,user", ":2"),
    (["1,u", '1,"u'], "group,user", ":3"),
])  # fmt: skip
def test_a_file_of_members_that_cannot_be_read_is_told(
    rows: list[str], header: str, place: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as why:
        converted(tmp_path, history(1, 5), members=csv(tmp_path, *rows, header=header))
    assert why.value.code == "IMC-1231" and str(why.value.place).endswith(f"members.csv{place}")


def test_another_file_of_members_is_another_run(tmp_path: Path) -> None:
    lines = history(1, 5)
    converted(tmp_path, lines, members=csv(tmp_path, "1,a,"))
    with pytest.raises(UsageError) as why:
        converted(tmp_path, lines, members=csv(tmp_path, "1,b,"))
    assert why.value.code == "IMC-1005"
