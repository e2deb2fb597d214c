"""Loading from end to end: against the vendors' simulators with mishaps, killed at every step of the journal."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.fake_target import Answer, Asked, FakeTarget
from support.loads import (
    APPS,
    KEY,
    Loaded,
    accounts,
    easemob_pair,
    line,
    load,
    new_group,
    output,
    simulated_target,
    target_file,
    tencent_group,
    tencent_pairs,
)
from support.simulated import Simulated, simulated

from imconvert.durable.database import Database
from imconvert.errors import ImconvertError, IntegrityError
from imconvert.load.run import Choice
from imconvert.simulators import easemob, rongcloud, tencent
from imconvert.simulators.yunxin import server as yunxin

FAULTS = """
stall = 0.1
pause = 0.001
retry-after = 0.02
["*"]
429 = "2%"
429-after = "1%"
5xx = "4%"
busy = "3%"
expired = "1%"
reset = "3%"
5xx-after = "4%"
malformed = "2%"
truncated = "2%"
cut = "3%"
reset-after = "3%"
slow-head = "0.3%"
slow-body = "0.3%"
reply-twice = "1%"
"""
OK = {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}


def tencent_output(folder: Path, *, pairs: int, each: int, groups: int, size: int) -> Path:
    names = [f"{side}{pair}" for pair in range(pairs) for side in "uv"]
    teams = [f"g{group}" for group in range(groups)]
    return output(folder, "tencent", {
        "accounts-00001.ndjson": [accounts("u0", *names)],
        "p2p-00001.ndjson": tencent_pairs(pairs, each),
        "groups-00001.ndjson": [new_group(name) for name in teams],
        "team-00001.ndjson": [one for name in teams for one in tencent_group(name, size)],
    })  # fmt: skip


def kept_by_tencent(sim: Simulated) -> dict[str, list[str]]:
    found = defaultdict(list)
    rows = [*sim.rows("export/messages"), *sim.rows("export/group_messages")]
    for row in sorted(rows, key=lambda row: row["number"]):
        conv = row.get("GroupId") or "·".join((row["From_Account"], row["To_Account"]))
        found[conv].append(row["MsgBody"][0]["MsgContent"]["Text"])
    return dict(found)


def kept_by_easemob(sim: Simulated) -> dict[str, list[str]]:
    found = defaultdict(list)
    for row in sorted(sim.rows("export/messages"), key=lambda row: row["number"]):
        found[row["target"]].append(row["body"]["msg"])
    return dict(found)


def said_in(folder: Path) -> dict[str, list[str]]:
    """What the shards say, by conversation, in order."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*-0*.ndjson")):
        for text in path.read_text().splitlines():
            one = json.loads(text)
            body = one["body"]
            messages = body.get("MsgList", [body] if "MsgBody" in body else [])
            found[one["conv"]] += [message["MsgBody"][0]["MsgContent"]["Text"] for message in messages]
            found[one["conv"]] += [body["body"]["msg"]] if "msg_timestamp" in body else []
    return {conv: texts for conv, texts in found.items() if texts}


def until_done(out: Path, target: Path, secret: str) -> Loaded:
    """Load again and again, as somebody would who is told to: runs that stop may go on."""
    for _ in range(10):
        found = load(out, target, secret)
        if found.code in (0, 3):
            return found
        assert found.code == 7, found
    raise AssertionError("it never ends")


@pytest.mark.parametrize("seed", [1, 2])
def test_tencent_gets_each_message_once_and_in_order_through_mishaps(seed: int, tmp_path: Path) -> None:
    out = tencent_output(tmp_path / "out", pairs=12, each=20, groups=5, size=30)
    with simulated(tencent.VENDOR, faults=FAULTS, seed=seed) as sim:
        found = until_done(out, simulated_target(tmp_path, "tencent", sim.url), APPS["tencent"][1])
        assert (0, said_in(out)) == (found.code, kept_by_tencent(sim))
        assert sum(sim.ask("faults")["kinds"].values()) > 50


@pytest.mark.parametrize("seed", [1, 2])
def test_easemob_gets_each_message_once_and_in_order_through_mishaps(seed: int, tmp_path: Path) -> None:
    lines = [one for name in range(12) for one in easemob_pair(f"p{name}", 15)]
    groups = [one for name in range(5) for one in easemob_pair(f"g{name}", 20, kind="chatgroups")]
    out = output(tmp_path / "out", "easemob", {"p2p-00001.ndjson": lines, "team-00001.ndjson": groups})
    with simulated(easemob.VENDOR, faults=FAULTS, seed=seed, settings={"group_time": "off"}) as sim:
        found = until_done(out, simulated_target(tmp_path, "easemob", sim.url), APPS["easemob"][1])
        assert (0, said_in(out)) == (found.code, kept_by_easemob(sim))
        assert sum(sim.ask("faults")["kinds"].values()) > 50


def test_what_fails_of_a_batch_is_listed_and_all_else_goes_in(tmp_path: Path) -> None:
    """A message that is tried alone behind its successors is refused by the order rule, and so stays in the list."""
    out = tencent_output(tmp_path / "out", pairs=1, each=1, groups=6, size=35)
    plan = '["import_group_msg"]\npartial = "40%"\n'
    with simulated(tencent.VENDOR, faults=plan) as sim:
        assert 3 == load(out, simulated_target(tmp_path, "tencent", sim.url), APPS["tencent"][1]).code
        kept, said = kept_by_tencent(sim), said_in(out)
        listed = defaultdict(list)
        for one in failed_in(out):
            listed[one["conv"]] += [text["MsgBody"][0]["MsgContent"]["Text"] for text in one["body"]["MsgList"]]
        assert 0 < sum(map(len, listed.values())) < 100
        assert said == {conv: sorted(kept[conv] + listed[conv], key=texts.index) for conv, texts in said.items()}
        assert all(texts == [text for text in said[conv] if text in texts] for conv, texts in kept.items())


def test_accounts_that_fail_of_a_batch_go_in_by_replays_of_the_list(tmp_path: Path) -> None:
    names = [f"u{number:03}" for number in range(180)]
    batches = [
        line("users", "", f"a{at}", 0, [{"username": name, "password": "p"} for name in names[at : at + 60]])
        for at in range(0, 180, 60)
    ]
    out = output(tmp_path / "out", "easemob", {"accounts-00001.ndjson": batches})
    with simulated(easemob.VENDOR, faults='["users/create"]\npartial = "60%"\n', seed=3) as sim:
        target = simulated_target(tmp_path, "easemob", sim.url)
        found, rounds = load(out, target, APPS["easemob"][1]), 0
        assert 3 == found.code
        while found.code == 3:
            rounds += 1
            missing = {user["username"] for one in failed_in(out) for user in one["body"]}
            assert set(names) - missing == {row["username"] for row in sim.rows("export/users")}
            again = tmp_path / f"again{rounds}.ndjson"
            again.write_bytes((out / "load-failed.ndjson").read_bytes())
            found = load(out, target, APPS["easemob"][1], replay=again)
        assert (0, names) == (found.code, sorted(row["username"] for row in sim.rows("export/users")))


# -- killed at each step of the journal


def killed_at(step: int, where: str, work: Callable[[], Any]) -> bool:
    """Do the work in a child that dies before or behind its commit number `step`; False if it got to its end."""
    child = os.fork()
    if child == 0:
        commits = [0]
        change = Database.change

        def dying(self: Database) -> Any:
            made = change(self)
            enter, leave = made.__enter__, made.__exit__

            class Dying:
                def __enter__(self) -> Any:
                    commits[0] += 1
                    if (commits[0], where) == (step, "before"):
                        os._exit(9)
                    return enter()

                def __exit__(self, *exc: Any) -> Any:
                    found = leave(*exc)
                    if (commits[0], where) == (step, "behind"):
                        os._exit(9)
                    return found

            return Dying()

        Database.change = dying  # type: ignore[method-assign,assignment]
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@dataclass(frozen=True)
class Kept:
    """What a vendor's simulator holds at the end, and the shards that should bring it there; `name` makes them unique.

    `wanted(name)` is what should be held of these shards, `held(sim)` what is held of all.
    """

    vendor: Any
    shards: Callable[[str], dict[str, list[dict[str, Any]]]]
    wanted: Callable[[str], dict[str, Any]]
    held: Callable[[Simulated], dict[str, Any]]
    target: str = ""


def tencents(name: str) -> dict[str, list[dict[str, Any]]]:
    pair = [one | {"conv": f"u0·{name}", "body": one["body"] | {"From_Account": "u0", "To_Account": name}}
            for one in tencent_pairs(1, 3)]  # fmt: skip
    return {
        "accounts-00001.ndjson": [accounts("u0", name)], "p2p-00001.ndjson": pair,
        "groups-00001.ndjson": [new_group(f"{name}g")], "team-00001.ndjson": tencent_group(f"{name}g", 4, batch=2),
    }  # fmt: skip


def yunxins(name: str) -> dict[str, list[dict[str, Any]]]:
    """Two people who are friends, and in two teams of one of them."""
    one, two = f"{name}a", f"{name}b"
    teams = [f"{name}-{number}" for number in range(2)]
    return {
        "accounts-00001.ndjson": [line("user/create.action", "", who, 0, {"accid": who}) for who in (one, two)],
        "friends-00001.ndjson": [line("friend/add.action", one, f"{one}/{two}", 0,
                                      {"accid": one, "faccid": two, "type": 1})],
        "groups-00001.ndjson": [
            line("team/create.action", team, team, 0, source=team,
                 body={"tname": team, "owner": one, "members": [one], "msg": "m", "magree": 0, "joinmode": 0})
            for team in teams],
        "members-00001.ndjson": [
            line("team/add.action", team, team, 0, ids={"tid": ["group", team]},
                 body={"tid": "", "owner": one, "members": [two], "magree": 0, "msg": "m"})
            for team in teams],
    }  # fmt: skip


def yunxins_held(sim: Simulated) -> dict[str, Any]:
    """The people, their friends, and of each name the teams with the number of their members."""
    members = Counter(row["tid"] for row in sim.rows("export/members"))
    teams: dict[str, list[int]] = defaultdict(list)
    for row in sim.rows("export/teams"):
        teams[row["facts"]["tname"]].append(members[row["tid"]])
    friends = {f"{row['accid']} {row['faccid']}": 1 for row in sim.rows("export/friends")}
    return dict.fromkeys((row["accid"] for row in sim.rows("export/accounts")), 1) | teams | friends


def yunxins_wanted(name: str) -> dict[str, Any]:
    one, two = f"{name}a", f"{name}b"
    return {one: 1, two: 1, f"{name}-0": [2], f"{name}-1": [2], f"{one} {two}": 1, f"{two} {one}": 1}


def rongclouds(name: str) -> dict[str, list[dict[str, Any]]]:
    one, two = f"{name}a", f"{name}b"
    return {
        "accounts-00001.ndjson": [line("user/getToken.json", "", who, 0, {"userId": who, "name": who})
                                  for who in (one, two)],
        "blocks-00001.ndjson": [line("user/blacklist/add.json", one, one, 0, {"userId": one, "blackUserId": [two]})],
        "groups-00001.ndjson": [line("group/create.json", name, name, 0,
                                     {"userId": [one], "groupId": name, "groupName": name})],
        "members-00001.ndjson": [line("group/join.json", name, name, 0,
                                      {"userId": [two], "groupId": name, "groupName": name})],
    }  # fmt: skip


def rongclouds_held(sim: Simulated) -> dict[str, Any]:
    members: dict[str, Any] = Counter(row["groupId"] for row in sim.rows("export/members"))
    lists = {f"{row['userId']} {row['listed']}": 1 for row in sim.rows("export/lists")}
    return dict.fromkeys((row["userId"] for row in sim.rows("export/users")), 1) | members | lists


KILLED = {
    "easemob": Kept(
        easemob.VENDOR,
        lambda name: {"p2p-00001.ndjson": easemob_pair(f"{name}a", 6) + easemob_pair(f"{name}b", 2)},
        lambda name: {f"{name}{side}": [f"{name}{side}/{at}" for at in range(size)]
                      for side, size in (("a", 6), ("b", 2))},
        kept_by_easemob,
    ),
    "tencent": Kept(
        tencent.VENDOR, tencents,
        lambda name: {f"u0·{name}": [f"早 0-{at}" for at in range(3)],
                      f"{name}g": [f"{name}g/{at}" for at in range(4)]},
        kept_by_tencent,
    ),
    "yunxin": Kept(yunxin.VENDOR, yunxins, yunxins_wanted, yunxins_held, "/nimserver"),
    "rongcloud": Kept(
        rongcloud.VENDOR, rongclouds,
        lambda name: {f"{name}a": 1, f"{name}b": 1, name: 2, f"{name}a {name}b": 1}, rongclouds_held,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("vendor", "where"), [("easemob", "before"), *((vendor, "behind") for vendor in KILLED)])
def test_a_kill_at_any_step_of_the_journal_loses_and_doubles_nothing(vendor: str, where: str, tmp_path: Path) -> None:
    case = KILLED[vendor]
    settings = {"group_time": "off"} if vendor == "easemob" else {}
    with simulated(case.vendor, settings=settings) as sim:
        target = simulated_target(tmp_path, vendor, sim.url + case.target)
        step = 0
        expected: dict[str, Any] = {}
        while True:
            step += 1
            out = output(tmp_path / f"out{step}", vendor, case.shards(f"s{step}"))
            expected |= case.wanted(f"s{step}")
            died = killed_at(step, where, lambda out=out: load(out, target, APPS[vendor][1]))
            assert 0 == load(out, target, APPS[vendor][1]).code
            if not died:
                break
        assert expected == case.held(sim)
        assert step > 8


def test_a_kill_between_sending_and_journal_leaves_only_calls_under_way_unknown(tmp_path: Path) -> None:
    """A target that takes a message without our knowing, and a history that nobody can ask."""
    out = output(tmp_path / "out", "easemob", {"p2p-00001.ndjson": [
        one for name in range(30) for one in easemob_pair(f"p{name}", 4)]})  # fmt: skip
    with simulated(easemob.VENDOR) as sim:
        target = simulated_target(tmp_path, "easemob", sim.url)
        target.write_text(target.read_text().replace("retention_days = 3650", 'query = "none"'))
        assert killed_at(12, "before", lambda: load(out, target, APPS["easemob"][1]))
        inflight = sqlite3.connect(out / "load/journal.db").execute("SELECT count(*) FROM open").fetchone()[0]
        assert 0 < inflight <= 64
        found = load(out, target, APPS["easemob"][1])
        assert 7 == found.code
        assert inflight == found.summary["unknown"]
        assert 7 == load(out, target, APPS["easemob"][1]).code
        before = Counter(text for texts in kept_by_easemob(sim).values() for text in texts)
        assert 1 == max(before.values())
        assert load(out, target, APPS["easemob"][1], decide=lambda case: "resend").code in (0, 3)
        assert said_in(out) == kept_by_easemob(sim), "what was there was refused by the order rule"


@pytest.mark.parametrize("step", [2, 3, 5, 9])
def test_a_journal_that_can_not_be_written_ends_the_run_and_nothing_is_sent_behind_it(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(6, 30)})
    commits, change = [0], Database.change

    def full(self: Database) -> Any:
        commits[0] += 1
        if commits[0] >= step + 2:
            raise IntegrityError("IMC-6004", str(self.path), why="No space left on device (ENOSPC)")
        return change(self)

    with FakeTarget(answering(lambda body: None)) as fake:
        target = target_file(tmp_path, fake.url, '[limits]\n"openim/importmsg" = 0\n')
        monkeypatch.setattr(Database, "change", full)
        found = load(out, target)
        assert (6, "IMC-6004") == (found.code, found.error and found.error.code)
        monkeypatch.undo()
        sent = len(fake.asked)
        assert sent < 180
        assert 0 == load(out, target).code
        keys = Counter(one.body for one in fake.asked)
        assert 180 == len(keys) and len(fake.asked) <= 180 + 6, (
            "only calls under way are sent twice, and that does no harm"
        )


@pytest.mark.parametrize("step", [None, 6])
def test_tokens_are_in_their_file_and_nowhere_else(step: int | None, tmp_path: Path) -> None:
    """Also behind a kill: each account that is called finished has its token on the disk."""
    names = [f"u{number}" for number in range(9)]
    with simulated(rongcloud.VENDOR) as sim:
        target = simulated_target(tmp_path, "rongcloud", sim.url)
        out = output(tmp_path / "out", "rongcloud", {"accounts-00001.ndjson": [
            line("user/getToken.json", "", name, 0, {"userId": name, "name": name}) for name in names]})  # fmt: skip
        if step:
            assert killed_at(step, "before", lambda: load(out, target, APPS["rongcloud"][1]))
        found = load(out, target, APPS["rongcloud"][1])
    assert (0, 9) == (found.code, found.summary["tokens"])
    with (out / "load-tokens.csv").open() as file:
        tokens = {row["account"]: row["token"] for row in csv.DictReader(file)}
    assert names == sorted(tokens) and all(tokens.values()) and 9 == len(set(tokens.values()))
    for path in (one for one in out.rglob("*") if one.is_file()):
        if path.name.startswith(("load-tokens.csv", "tokens.db")):
            assert 0o600 == path.stat().st_mode & 0o777
        else:
            assert not [token for token in tokens.values() if token.encode() in path.read_bytes()], path


# -- outcomes


def answering(act: Callable[[dict[str, Any]], Any]) -> Callable[[Asked], Answer]:
    return lambda asked: Answer(OK | (act(asked.json()) or {}))


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    return output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(5, 4)})


def failed_in(out: Path) -> list[dict[str, Any]]:
    path = out / "load-failed.ndjson"
    return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []


def test_failed_items_are_listed_and_can_be_corrected_and_sent_alone(pairs: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def act(body: dict[str, Any]) -> dict[str, Any]:
        text = body["MsgBody"][0]["MsgContent"]["Text"]
        seen.append(text)
        return {"ErrorCode": 80001, "ErrorInfo": "sensitive"} if text in ("早 1-1", "早 3-2") else {}

    with FakeTarget(answering(act)) as fake:
        target = target_file(tmp_path, fake.url, "[load]\nbackoff = 0\n")
        found = load(pairs, target)
        assert (3, 2) == (found.code, found.summary["failed_lines"])
        bad = failed_in(pairs)
        assert [("p2p-00001.ndjson", 6, "80001"), ("p2p-00001.ndjson", 15, "80001")] == [
            (one["shard"], one["line"], one["failed"][0]["code"]) for one in bad
        ]
        assert 3 == load(pairs, target).code and 20 == len(seen)
        corrected = tmp_path / "corrected.ndjson"
        text = (pairs / "load-failed.ndjson").read_text().replace("早 1-1", "早上好")
        corrected.write_text(text)
        found = load(pairs, target, replay=corrected)
        assert ["早上好", "早 3-2"] == seen[20:]
        assert 3 == found.code
        assert ["早 3-2"] == [one["body"]["MsgBody"][0]["MsgContent"]["Text"] for one in failed_in(pairs)]
        assert 3 == load(pairs, target, replay=corrected).code and 22 == len(seen)
        again = tmp_path / "again.ndjson"
        again.write_text((pairs / "load-failed.ndjson").read_text().replace("早 3-2", "好"))
        assert 0 == load(pairs, target, replay=again).code
        assert [] == failed_in(pairs) and 23 == len(seen)


def test_only_failed_items_of_a_batch_are_listed(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {"team-00001.ndjson": tencent_group("g", 7)})

    def act(body: dict[str, Any]) -> dict[str, Any]:
        return {"ImportMsgResult": [{"Result": 80002 if "/3" in json.dumps(one) else 0} for one in body["MsgList"]]}

    with FakeTarget(answering(act)) as fake:
        found = load(out, target_file(tmp_path, fake.url))
    [one] = failed_in(out)
    assert (3, [3]) == (found.code, [item["item"] for item in one["failed"]])
    assert ["g/3"] == [m["MsgBody"][0]["MsgContent"]["Text"] for m in one["body"]["MsgList"]]
    assert [(6, 1)] == [(row["items_now"], row["failed"]) for row in found.summary["stages"]]


def test_one_code_everywhere_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": tencent_pairs(30, 10)})
    broken = [True]
    act = answering(lambda body: {"ErrorCode": 90001} if broken[0] else {})
    with FakeTarget(act) as fake:
        target = target_file(tmp_path, fake.url, '[load]\nbudget_window = 40\n[limits]\n"openim/importmsg" = 0\n')
        found = load(out, target)
        assert (5, "IMC-5010") == (found.code, found.error and found.error.code)
        assert len(fake.asked) < 40 + 64
        failed = len(failed_in(out))
        assert failed == found.summary["failed_lines"] > 0
        broken[0] = False
        assert 3 == load(out, target).code
        assert 300 == len(fake.asked)
        assert 0 == load(out, target, replay=out / "load-failed.ndjson").code
        assert 300 + failed == len(fake.asked)


def test_a_target_that_refuses_ends_the_run_with_its_words(pairs: Path, tmp_path: Path) -> None:
    with FakeTarget(answering(lambda body: {"ErrorCode": 60021, "ErrorInfo": f"IP {KEY} not allowed"})) as fake:
        found = load(pairs, target_file(tmp_path, fake.url))
    assert (7, "IMC-7210") == (found.code, found.error and found.error.code)
    assert "60021" in str(found.error) and KEY not in str(found.error)
    assert 0 == found.summary["unknown"] == found.summary["failed_lines"]


def test_a_target_that_is_down_ends_the_run_when_patience_does(pairs: Path, tmp_path: Path) -> None:
    found = load(pairs, target_file(tmp_path, "http://127.0.0.1:9", '[load]\npatience = "500ms"\nbackoff = "20ms"\n'))
    assert (7, "IMC-7210") == (found.code, found.error and found.error.code)
    assert 0 == found.summary["unknown"]


def test_lines_after_an_unknown_one_wait_where_order_counts(tmp_path: Path) -> None:
    """Easemob refuses what is older than the last message: a later decision to send again must still be possible."""
    out = output(tmp_path / "out", "easemob", {"p2p-00001.ndjson": easemob_pair("a", 4) + easemob_pair("b", 4)})
    lost = [True]

    def act(asked: Asked) -> Answer:
        if asked.path.endswith("/token"):
            return Answer({"access_token": "t", "expires_in": 3600})
        text = asked.json()["body"]["msg"]
        return Answer(cut=True) if text == "a/1" and lost[0] else Answer({"data": {"msg_id": text}})

    with FakeTarget(act) as fake:
        target = target_file(tmp_path, fake.url, target="easemob", app='org="o"\napp="a"\nclient_id="c"\nquery="none"')
        found = load(out, target)
        row = found.summary["stages"][0]
        assert (7, 5, 1, 3) == (found.code, row["done"], found.summary["unknown"], row["held"] + 1)
        lost[0] = False
        assert 0 == load(out, target, decide=lambda case: "resend").code
        texts = [one.json()["body"]["msg"] for one in fake.asked if "import" in one.path]
        assert ["a/0", "a/1", "a/1", "a/2", "a/3"] == [text for text in texts if text.startswith("a")]


def test_what_is_left_out_on_demand_is_listed(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "easemob", {"p2p-00001.ndjson": easemob_pair("a", 2)})

    def act(asked: Asked) -> Answer:
        if asked.path.endswith("/token"):
            return Answer({"access_token": "t", "expires_in": 3600})
        return Answer(cut=asked.json()["body"]["msg"] == "a/0", value={"data": {"msg_id": 1}})

    with FakeTarget(act) as fake:
        target = target_file(tmp_path, fake.url, target="easemob", app='org="o"\napp="a"\nclient_id="c"\nquery="none"')
        assert 7 == load(out, target).code
        assert 3 == load(out, target, decide=lambda case: "skip").code
    [one] = failed_in(out)
    assert ("unknown", "IMC-7221", 1) == (one["failed"][0]["kind"], one["failed"][0]["code"], one["line"])


def test_ids_that_the_target_gives_out_are_kept_and_used(tmp_path: Path) -> None:
    people = line("users", "", "u", 0, [{"username": name, "password": "p1"} for name in "ab"])
    group = line("chatgroups", "", "g7", 0, {"groupname": "seven", "owner": "a", "public": True}, source="team 7")
    members = line("chatgroups/members", "team 7", "m", 0, {"usernames": ["b"]}, path="chatgroups/{}/users",
                   ids={"path": ["group", "team 7"]})  # fmt: skip
    message = easemob_pair("team 7", 1, kind="chatgroups")[0] | {"ids": {"target": ["group", "team 7"]}}
    lost = easemob_pair("team 8", 1, kind="chatgroups")[0] | {"ids": {"target": ["group", "team 8"]}}
    out = output(tmp_path / "out", "easemob", {"accounts-00001.ndjson": [people],
                                               "groups-00001.ndjson": [group], "members-00001.ndjson": [members],
                                               "team-00001.ndjson": [message, lost]})  # fmt: skip
    with simulated(easemob.VENDOR, settings={"group_time": "off"}) as sim:
        found = load(out, simulated_target(tmp_path, "easemob", sim.url), APPS["easemob"][1])
        [made] = sim.rows("export/groups")
        assert [(made["groupid"], "b")] == [(one["groupid"], one["username"]) for one in sim.rows("export/members")
                                            if one["username"] == "b"]  # fmt: skip
        assert {made["groupid"]: ["team 7/0"]} == kept_by_easemob(sim)
    assert f"kind,source,target\ngroup,team 7,{made['groupid']}\n" == (out / "load-ids.csv").read_text()
    assert (3, "IMC-7215") == (found.code, failed_in(out)[0]["failed"][0]["code"])


def test_files_of_the_output_are_uploaded_once_and_their_addresses_put_in(tmp_path: Path) -> None:
    def voice(conv: str, path: str) -> dict[str, Any]:
        one = easemob_pair(conv, 1)[0]
        body = {"url": path, "filename": "a.amr", "length": 3}
        return one | {"upload": [path], "body": one["body"] | {"type": "audio", "body": body}}

    lines = [voice("a", "media/ab/1.amr"), voice("b", "media/ab/1.amr"), voice("c", "media/gone.amr")]
    out = output(tmp_path / "out", "easemob", {"p2p-00001.ndjson": lines})
    (out / "media/ab").mkdir(parents=True)
    (out / "media/ab/1.amr").write_bytes(b"#!AMR\n\r\n--imconvert" * 9)
    with simulated(easemob.VENDOR) as sim:
        found = load(out, simulated_target(tmp_path, "easemob", sim.url), APPS["easemob"][1])
        [file] = sim.rows("export/files")
        assert ("1.amr", 19 * 9) == (file["filename"], file["size"])
        urls = {row["body"]["url"] for row in sim.rows("export/messages")}
        assert {f"{sim.url}/rehearsal/app/chatfiles/{file['uuid']}"} == urls
    assert (3, "IMC-7216") == (found.code, failed_in(out)[0]["failed"][0]["code"])


# -- parts of an output


def test_stages_go_in_the_vendors_order(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {
        "blocks-00001.ndjson": [line("sns/black_list_add", "u", "b", 0, {"From_Account": "u", "To_Account": ["v"]})],
        "p2p-00001.ndjson": tencent_pairs(1, 2),
        "accounts-00001.ndjson": [accounts("u0", "v0")],
        "team-00001.ndjson": tencent_group("g", 2),
        "groups-00001.ndjson": [new_group("g")],
    })  # fmt: skip
    with FakeTarget(answering(lambda body: None)) as fake:
        load(out, target_file(tmp_path, fake.url), choice=Choice(stages=("accounts", "messages")))
        assert ["multiaccount_import", "importmsg", "importmsg"] == [one.path.split("/")[-1] for one in fake.asked]
        assert 0 == load(out, target_file(tmp_path, fake.url)).code
        rest = [one.path.split("/")[-1] for one in fake.asked][3:]
        assert ["import_group", "import_group_msg", "black_list_add"] == rest


def test_a_pilot_and_a_choice_of_conversations_leave_the_rest_for_later(pairs: Path, tmp_path: Path) -> None:
    with FakeTarget(answering(lambda body: None)) as fake:
        target = target_file(tmp_path, fake.url)
        assert 0 == load(pairs, target, choice=Choice(only=("u3*", "u1·*"))).code
        assert {"u1", "u3"} == {one.json()["From_Account"] for one in fake.asked} and 8 == len(fake.asked)
        found = load(pairs, target, choice=Choice(limit=5))
        assert (0, 13) == (found.code, found.summary["stages"][0]["done"])
        assert 0 == load(pairs, target).code
        keys = Counter(json.dumps(one.json()) for one in fake.asked)
        assert (20, 1) == (len(keys), max(keys.values()))


def orders(asked: list[Asked]) -> Iterator[list[int]]:
    seen = defaultdict(list)
    for one in asked:
        seen[one.json()["From_Account"]].append(one.json()["MsgSeq"])
    return iter(seen.values())


@pytest.mark.parametrize("seed", range(3))
def test_order_is_kept_and_one_call_a_conversation_is_under_way(seed: int, tmp_path: Path) -> None:
    """Also where lines of conversations are not neighbours, and shards are several."""
    chance = Random(seed)
    lines = tencent_pairs(9, 7)
    mixed = sorted(lines, key=lambda one: (one["time"], chance.random()))
    shards = {
        f"p2p-0000{number}.ndjson": [one for one in mixed if int(one["body"]["From_Account"][1:]) % 2 == number]
        for number in (0, 1)
    }
    out = output(tmp_path / "out", "tencent", shards)
    until: dict[str, float] = {}
    early: list[str] = []

    def act(asked: Asked) -> Answer:
        conv, delay = asked.json()["From_Account"], 0.005 * chance.random()
        early.extend([conv] if asked.at < until.get(conv, 0.0) else [])
        until[conv] = asked.at + delay
        return Answer(OK, delay=delay)

    with FakeTarget(act) as fake:
        assert 0 == load(out, target_file(tmp_path, fake.url, '[limits]\n"openim/importmsg" = 0\n')).code
        assert all(one == list(range(7)) for one in orders(fake.asked))
    assert [] == early


def test_shards_with_the_longest_conversations_begin(tmp_path: Path) -> None:
    lines = tencent_pairs(6, 4)
    shards = {"p2p-00001.ndjson": lines[:6], "p2p-00002.ndjson": lines[8:14], "p2p-00003.ndjson": lines[16:20]}
    longest = [{**one, "conv": "long"} for one in tencent_pairs(3, 3, start=1_500_000_000)]
    out = output(tmp_path / "out", "tencent", {**shards, "p2p-00004.ndjson": longest})
    with FakeTarget(answering(lambda body: None)) as fake:
        assert 0 == load(out, target_file(tmp_path, fake.url, "[load]\ninflight = 1\n")).code
    begun = [one.json()["MsgTimeStamp"] for one in fake.asked]
    assert all(at < 1_600_000_000 for at in begun[:9])


# -- what can't be loaded


def refused(out: Path, target: Path, secret: str = KEY, **wanted: Any) -> str:
    with pytest.raises(ImconvertError) as why:
        found = load(out, target, secret, **wanted)
        raise found.error or AssertionError(found)
    return why.value.code


def test_outputs_and_journals_of_others_are_refused(pairs: Path, tmp_path: Path) -> None:
    easemob_app = 'org="o"\napp="a"\nclient_id="c"'
    other = target_file(tmp_path / "e", "http://127.0.0.1:1", target="easemob", app=easemob_app)
    assert "IMC-1255" == refused(pairs, other)
    assert "IMC-1256" == refused(pairs, target_file(tmp_path, "http://127.0.0.1:1"), "")
    with FakeTarget(answering(lambda body: None)) as fake:
        target = target_file(tmp_path, fake.url)
        assert 0 == load(pairs, target).code
        moved = target_file(tmp_path / "m", fake.url.replace("127.0.0.1", "localhost"))
        assert "IMC-1260" == refused(pairs, moved)
        assert 0 == load(pairs, moved, rebind=True).code
        another = target_file(tmp_path / "n", fake.url, app="sdkappid = 1400000001")
        assert "IMC-1260" == refused(pairs, another, rebind=True)
        assert 0 == load(pairs, another, journal=tmp_path / "another").code
        assert 40 == len(fake.asked)


def test_a_changed_shard_is_not_sent(pairs: Path, tmp_path: Path) -> None:
    shard = pairs / "p2p-00001.ndjson"
    with FakeTarget(answering(lambda body: None)) as fake:
        target = target_file(tmp_path, fake.url)
        load(pairs, target, choice=Choice(limit=3))
        shard.write_bytes(shard.read_bytes().replace("早".encode(), "晚".encode()))
        assert "IMC-6110" == refused(pairs, target)
        assert 3 == len(fake.asked)


def test_a_call_that_the_target_does_not_have_is_refused(tmp_path: Path) -> None:
    out = output(tmp_path / "out", "tencent", {"p2p-00001.ndjson": [line("openim/none", "c", "k", 1, {})]})
    assert "IMC-1258" == refused(out, target_file(tmp_path, "http://127.0.0.1:1"))


def test_a_stage_that_the_target_does_not_have_is_refused(pairs: Path, tmp_path: Path) -> None:
    assert "IMC-1259" == refused(pairs, target_file(tmp_path, "http://127.0.0.1:1"), choice=Choice(("x",)))
