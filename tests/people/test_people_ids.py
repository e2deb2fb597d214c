"""Id maps, references and recent conversations against naive answers to the same questions."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.small_jobs import CLOCK, LATEST, START, options, run
from support.worlds import SOURCES, World, world

from imconvert.cli.progress import Silent
from imconvert.convert import textsort
from imconvert.convert.authoring import ids
from imconvert.convert.authoring.ids import Given, Wanted
from imconvert.convert.finished import mentions, recents, refs
from imconvert.convert.finished.recents import recents as make_recents
from imconvert.convert.map import maps
from imconvert.errors import Rejected, UsageError
from imconvert.vendors import MESSAGES, settings

KEY = b"k" * 32
CHOSEN = {name: setting.default for name, setting in settings("auto").items()}
RULES = {name: MESSAGES[name].account_rule_by(CHOSEN) for name in ("easemob", "rongcloud", "tencent", "yunxin")}
NAMES = st.text(st.sampled_from("aAbB1_-@. é李\U0001f600,\"'"), min_size=1, max_size=8) | st.text(
    min_size=30, max_size=70
)
relaxed = hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ids")


def assigned(rule: Any, names: list[str], folder: Path) -> list[Given]:
    return list(ids.assign((Wanted(0, n, one, one) for n, one in enumerate(names)), rule, folder))


@pytest.mark.parametrize("target", sorted(RULES))
@relaxed
@given(names=st.lists(NAMES, min_size=1, max_size=12, unique=True))
def test_made_targets_fit_and_never_meet(target: str, names: list[str], folder: Path) -> None:
    rule = RULES[target]
    found = assigned(rule, names, folder)
    assert names == [one.source for one in found]
    assert len({one.target for one in found}) == len(names)
    assert [one.target for one in found] == [str(rule(one.target)) for one in found]
    fitting = {name for name in names if fits(rule, name)}
    assert {one.source for one in found if one.reason == "same"} == fitting
    assert all((one.source == one.target) == (one.reason == "same") for one in found)
    assert found == assigned(rule, names, folder)


@pytest.mark.parametrize("target", ["tencent", "yunxin"])
@relaxed
@given(rows=st.lists(st.tuples(st.sampled_from("abAB"), st.sampled_from(["", "x", "X", "李", "b"])), max_size=9))
def test_an_id_that_a_list_holds_twice_gets_one_target(target: str, rows: list[tuple[str, str]], folder: Path) -> None:
    """That of its first row; so the map can be reversed all the same."""
    wanted = [Wanted(0, number, source, hoped or source) for number, (source, hoped) in enumerate(rows)]
    found = list(ids.assign(iter(wanted), RULES[target], folder))
    firsts = dict(reversed([(source, hoped or source) for source, hoped in rows]))
    assert list(dict.fromkeys(source for source, _ in rows)) == [one.source for one in found]
    assert len({one.target.lower() if target == "yunxin" else one.target for one in found}) == len(found)
    assert all(firsts[one.source] == one.target for one in found if one.reason == "same")


def fits(rule: Any, name: str) -> bool:
    try:
        return bool(rule(name) == name)
    except Rejected:
        return False


@pytest.mark.parametrize("suffix", [".csv", ".db"])
@relaxed
@given(names=st.lists(NAMES.filter(lambda name: name.strip() == name and name.isprintable()), min_size=1, max_size=8,
                      unique=True))  # fmt: skip
def test_a_map_tells_back_who_is_who_and_has_nothing_wrong(suffix: str, names: list[str], folder: Path) -> None:
    rule = RULES["yunxin"]
    found = assigned(rule, names, folder)
    path = folder / f"map-{len(list(folder.iterdir()))}{suffix}"
    assert len(names) == ids.write(path, "account", ((one.source, one.target, one.reason) for one in found))
    back = {row.target: row.source for row in ids.rows_of(path, "account")}
    assert {one.target: one.source for one in found} == back
    assert [] == list(ids.check([path], "account", rule, folder))
    loaded = maps.load(path, "account", rule)
    assert {one.source: one.target for one in found} == {name: loaded.targets[name] for name in names}
    assert all(one.target in loaded.taken for one in found) and "nobody" not in loaded.taken


@relaxed
@given(rows=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["x", "X", "y", "é", "z" * 40])), max_size=10))
def test_what_is_wrong_with_a_map_is_what_a_naive_look_finds(rows: list[tuple[str, str]], folder: Path) -> None:
    path = folder / "some.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("source", "target"), *rows])
    found = Counter(one.code for one in ids.check([path], "account", RULES["yunxin"], folder))
    good = [(source, target) for source, target in rows if target not in ("é", "z" * 40)]
    folded = [(source, target.lower()) for source, target in good]
    wanted = Counter({"IMC-2610": len(rows) - len(good), "IMC-3310": sum(target == "X" for _, target in good)})
    for code, first, second in (("IMC-2611", 1, 0), ("IMC-2612", 0, 1)):
        several = defaultdict(set)
        for row in folded:
            several[row[first]].add(row[second])
        wanted[code] = sum(len(others) - 1 for others in several.values())
    assert +wanted == +found


def test_apps_are_merged_without_meeting(folder: Path) -> None:
    rule = RULES["yunxin"]
    both = [Wanted(0, 0, "ann", "ann"), Wanted(0, 1, "Bob", "Bob"), Wanted(1, 0, "ann", "ann"), Wanted(1, 1, "b", "b")]
    found = list(ids.assign(iter(both), rule, folder))
    assert [(0, "ann", "ann"), (0, "Bob", "bob")] == [(one.list, one.source, one.target) for one in found[:2]]
    assert "collision" == found[2].reason and found[2].target.startswith("ann") and "b" == found[3].target
    assert 4 == len({one.target for one in found})


@relaxed
@given(rows=st.lists(st.tuples(st.text(max_size=2), st.integers(-3, 3)), max_size=40), most=st.integers(1, 5))
def test_rows_come_back_sorted(rows: list[tuple[Any, ...]], most: int, folder: Path) -> None:
    sorter = textsort.Sorter(folder, "rows", most)
    for row in rows:
        sorter.add(row)
    assert sorted(rows) == list(sorter)
    assert [] == list(folder.glob("rows-*"))


# --- references -----------------------------------------------------------------------------------------


def outputs(folder: Path, found: World, known: set[str], target: str = "tencent", **chosen: str) -> list[Path]:
    """Outputs of the friends and groups of a world, and of those of its people that are known."""
    some = replace(found, people={name: one for name, one in found.people.items() if name in known})
    sources = {"users": SOURCES["yunxin"](some, folder / "some"), "friends": SOURCES["yunxin"](found, folder / "all")}
    sources["groups"] = sources["friends"]
    for content, source in sources.items():
        more = {"target": f"{target}/{content}", "source": "yunxin", "key": KEY, "settings": chosen}
        run(options(source, folder / content, **more))
    return [folder / content for content in sources]


def mentioned(found: World) -> set[str]:
    names = {name for pair in (*found.friends, *found.blocks) for name in pair}
    return names | {name for team in found.teams.values() for name in (team.owner, *team.members)}


def checked(folders: list[Path], report: Path, policy: Any = "list", jobs: int = 1) -> refs.Report:
    return refs.check_refs(refs.Wanted(tuple(folders), report, policy, jobs, KEY, False), Silent(), CLOCK, {})


def missing_in(report: Path) -> list[dict[str, str]]:
    with (report / refs.MISSING).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("target", "chosen"), [
    ("tencent", {}), ("easemob", {}), ("yunxin", {}), ("rongcloud", {}), ("yunxin", {"yunxin.api": "v2"}),
])  # fmt: skip
def test_whoever_is_mentioned_and_not_made_is_listed(
    target: str, chosen: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where tables are full all the time, and partitions many."""
    monkeypatch.setattr(mentions, "MOST_IDS", 5)
    monkeypatch.setattr(mentions, "PARTITION", 16)
    found = world(4)
    known = set(list(found.people)[::2])
    folders = outputs(tmp_path, found, known, target, **chosen)
    report = checked(folders, tmp_path / "report")
    wanted = mentioned(found) - known
    rows = missing_in(tmp_path / "report")
    assert wanted == {row["id"] for row in rows if row["kind"] == "account"}
    assert len(rows) == len(wanted) == report.ids.missing == report.missing["account"].ids
    for row in rows:
        lines = (Path(row["output"]) / row["shard"]).read_text().splitlines()
        quoted = [number for number, line in enumerate(lines, 1) if f'"{row["id"]}"' in line]
        assert int(row["line"]) in quoted
    assert not report.whole


def test_places_and_mentions_are_those_of_a_naive_count(tmp_path: Path) -> None:
    found = world(4)
    known = set(list(found.people)[:60])
    folders = outputs(tmp_path, found, known)
    checked(folders, tmp_path / "report", jobs=2)
    counts: Counter[str] = Counter()
    first: dict[str, tuple[str, str]] = {}
    for output in folders:
        for shard in json.loads((output / "manifest.json").read_bytes())["shards"]:
            for number, line in enumerate((output / shard["name"]).read_text().splitlines(), 1):
                for name in accounts_of(json.loads(line)):
                    if name not in known:
                        counts[name] += 1
                        first.setdefault(name, (shard["name"], str(number)))
    rows = missing_in(tmp_path / "report")
    assert counts == {row["id"]: int(row["mentions"]) for row in rows}
    assert first == {row["id"]: (row["shard"], row["line"]) for row in rows}


def accounts_of(call: dict[str, Any]) -> Iterator[str]:
    """Everybody whom one of Tencent's calls of this test needs (tencent.md §3, §5)."""
    body = call["body"]
    for key in ("From_Account", "Owner_Account"):
        if key in body:
            yield body[key]
    yield from (item["To_Account"] for item in body.get("AddFriendItem", ()))
    yield from body.get("To_Account", ())
    yield from body.get("Members_Account", ())
    yield from (item["Member_Account"] for item in body.get("MemberList", ()))


def test_placeholders_make_an_output_whole(tmp_path: Path) -> None:
    found = world(4)
    folders = outputs(tmp_path, found, set(list(found.people)[:60]), "easemob")
    report = checked(folders, tmp_path / "report", "placeholder")
    assert report.whole and report.placeholders == report.missing["account"].ids > 10
    made = tmp_path / "report" / refs.PLACEHOLDERS
    assert report.placeholders == len((made / "secrets.csv").read_text().splitlines()) - 1
    assert 0 == checked([*folders, made], tmp_path / "again").ids.missing


def test_lines_that_need_the_missing_are_listed(tmp_path: Path) -> None:
    found = world(4)
    known = set(list(found.people)[:80])
    folders = outputs(tmp_path, found, known)
    report = checked(folders, tmp_path / "report", "reject")
    rows = [json.loads(line) for line in (tmp_path / "report" / refs.REJECTED).read_bytes().splitlines()]
    wanted = [
        (str(output), shard["name"], number)
        for output in folders
        for shard in json.loads((output / "manifest.json").read_bytes())["shards"]
        for number, line in enumerate((output / shard["name"]).read_text().splitlines(), 1)
        if set(accounts_of(json.loads(line))) - known
    ]
    assert wanted == [(row["output"], row["shard"], row["line"]) for row in rows]
    assert len(wanted) == report.rejected


def test_messages_need_their_ends_and_groups(tmp_path: Path) -> None:
    found = world(4)
    folders = outputs(tmp_path, found, set(found.people))
    lines = [p2p(1, "u1", "u2"), p2p(2, "u1", "stranger"), team(3, "u1", "770"), team(4, "ghost", "999")]
    (tmp_path / "messages.txt").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run(options(tmp_path / "messages.txt", tmp_path / "messages", target="tencent", source="yunxin"))
    checked([*folders, tmp_path / "messages"], tmp_path / "report")
    rows = {(row["kind"], row["id"]) for row in missing_in(tmp_path / "report")}
    assert {("account", "stranger"), ("account", "ghost"), ("group", "999")} == rows


def test_outputs_that_cannot_be_checked_are_refused(tmp_path: Path) -> None:
    found = world(4, people=70, pairs=3, teams=1)
    folders = outputs(tmp_path, found, set(found.people))
    run(options(tmp_path / "some", tmp_path / "other", target="easemob/users", source="yunxin", key=KEY))
    for some, code in ((folders[1:], "IMC-1302"), ([folders[0], tmp_path / "other"], "IMC-1300")):
        with pytest.raises(UsageError) as why:
            checked(some, tmp_path / "report")
        assert code == why.value.code


# --- recent conversations -------------------------------------------------------------------------------


def p2p(number: int, sender: str, to: str, time: int | None = None) -> dict[str, Any]:
    return line(number, {"from": sender, "to": to}, time)


def team(number: int, sender: str, tid: str, time: int | None = None) -> dict[str, Any]:
    return line(number, {"accid": sender, "tid": int(tid)}, time)


def line(number: int, ends: dict[str, Any], time: int | None) -> dict[str, Any]:
    data = {"msgid": number, **ends, "createTime": time or START + number, "clientType": 1, "body": f"text {number}"}
    return {"type": 0, "data": data}


@pytest.mark.parametrize(("target", "most"), [("tencent", 100), ("easemob", 100), ("tencent", 2)])
def test_recent_conversations_are_those_of_a_naive_look(
    target: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recents, "MOST_TALKS", 3)
    chance, found = Random(8), world(4)
    names = [f"u{n}" for n in range(12)]
    lines: list[dict[str, Any]] = []
    for number in range(400):
        time = START + number * 1000
        if number % 4:
            lines.append(p2p(number + 1, *chance.sample(names, 2), time=time))
        else:
            lines.append(team(number + 1, chance.choice(names), chance.choice(["770", "771", "5"]), time))
    chance.shuffle(lines)
    (tmp_path / "messages.txt").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run(options(tmp_path / "messages.txt", tmp_path / "messages", target=target, source="yunxin"))
    groups = outputs(tmp_path, found, set(), target)[2]
    (tmp_path / "unread.csv").write_text("owner,chat,target,unread\nu1,p2p,u2,7\nu9,team,5,1\nnobody,p2p,u1,1\n")
    report = make_recents(
        recents.Wanted((tmp_path / "messages", groups), tmp_path / "out", most, tmp_path / "unread.csv", 2), Silent()
    )
    lists = [
        json.loads(row) for file in sorted((tmp_path / "out").glob("*.ndjson")) for row in file.read_text().splitlines()
    ]
    wanted, without = naive_recents(lines, found)
    assert {name: talks[:most] for name, talks in wanted.items()} == {
        one["owner"]: [(talk["time"], talk["chat"], talk["peer"], talk["from"]) for talk in one["conversations"]]
        for one in lists
    }
    assert (report.without, report.people) == (without, len(wanted))
    assert report.cut == sum(max(0, len(talks) - most) for talks in wanted.values())
    unread = {(one["owner"], talk["peer"]): talk["unread"] for one in lists for talk in one["conversations"]
              if "unread" in talk}  # fmt: skip
    assert unread in ({("u1", "u2"): 7}, {})
    assert most == 2 or unread
    said = json.dumps(lists[0]["conversations"][0]["message"])
    assert "text " in said


def naive_recents(lines: list[dict[str, Any]], found: World) -> tuple[dict[str, list[tuple[Any, ...]]], int]:
    last: dict[tuple[str, str, str], tuple[int, str]] = {}
    unknown = set()
    for data in (line["data"] for line in lines):
        time = data["createTime"]
        if "tid" in data:
            group, sender = str(data["tid"]), data["accid"]
            if group not in found.teams:
                unknown.add(group)
                continue
            of = found.teams[group]
            ends = [(name, "team", group) for name in (of.owner, *of.members)]
        else:
            sender = data["from"]
            ends = [(sender, "p2p", data["to"]), (data["to"], "p2p", sender)]
        for end in ends:
            last[end] = max(last.get(end, (0, "")), (time, sender))
    wanted: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for (owner, chat, peer), (time, sender) in last.items():
        wanted[owner].append((time, chat, peer, sender))
    return {owner: sorted(talks, reverse=True) for owner, talks in wanted.items()}, len(unknown)


def test_what_is_no_list_of_unread_is_refused(tmp_path: Path) -> None:
    (tmp_path / "messages.txt").write_text(json.dumps(p2p(1, "a", "b")) + "\n")
    run(options(tmp_path / "messages.txt", tmp_path / "messages", target="tencent", source="yunxin", latest=LATEST))
    for text in ("owner,chat\na,p2p\n", "owner,chat,target,unread\na,p2p,b,many\n"):
        (tmp_path / "unread.csv").write_text(text)
        with pytest.raises(UsageError) as why:
            make_recents(
                recents.Wanted((tmp_path / "messages",), tmp_path / "out", 5, tmp_path / "unread.csv"), Silent()
            )
        assert "IMC-1305" == why.value.code
