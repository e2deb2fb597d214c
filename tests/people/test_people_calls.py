"""The calls that people become: batches of any size, friendships told twice, large groups."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.small_jobs import content, differing, options, run

from imconvert.convert.map import people
from imconvert.vendors import SETTINGS, settings

KEY = b"k" * 32
NAMES = [f"u{number}" for number in range(8)]
CONTENT_OF = {
    "account": "users", "relation": "friends", "contact": "friends", "block": "friends", "member": "groups",
    "manager": "groups", "silence": "groups", "gag": "groups",
}  # fmt: skip
BATCHES = sorted(name for name in settings("auto", "users") if name.endswith("_batch") and name not in SETTINGS)


def answers(folder: Path, *found: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "answers.ndjson"
    path.write_text("".join(json.dumps(one) + "\n" for one in found))
    return path


def everything() -> list[Any]:
    """In Yunxin's shapes: seven of each kind that is sent in batches."""
    owner, *others = NAMES
    members = [{"accid": name, "createtime": 1_600_000_000_000 + number} for number, name in enumerate(others)]
    team = {"tid": 7, "tname": "g", "owner": owner, "joinmode": 1, "createtime": 1_500_000_000_000, "members": [],
            "admins": [{**one, "mute": True} for one in members]}  # fmt: skip
    asked = {"request": f"accid={owner}"}
    return [
        {"code": 200, "uinfos": [{"accid": name} for name in others]},
        {**asked, "response": {"code": 200, "friends": [{"faccid": name} for name in others]}},
        {**asked, "response": {"code": 200, "mutelist": [], "blacklist": others}},
        {"code": 200, "tinfo": team},
    ]


def calls(folder: Path) -> Iterator[dict[str, Any]]:
    """What is sent, in its order."""
    for _, data in sorted(content(folder).items()):
        yield from map(json.loads, data.splitlines())


def batches(folder: Path) -> dict[tuple[str, str], list[list[Any]]]:
    """The lists in the bodies of calls, by api and owner."""
    found = defaultdict(list)
    for call in calls(folder):
        body = call["body"]
        lists = [body] if isinstance(body, list) else [value for value in body.values() if isinstance(value, list)]
        for one in lists[:1]:
            found[call["api"], call["conv"]].append(one)
    return found


@pytest.mark.parametrize("setting", BATCHES)
def test_batches_have_the_size_that_is_set(setting: str, tmp_path: Path) -> None:
    vendor, _, name = setting.partition(".")
    target = f"{vendor}/{CONTENT_OF[name.removesuffix('_batch')]}"
    source = answers(tmp_path, *everything())
    chosen = {"rongcloud.hosted_groups": "yes"} if vendor == "rongcloud" else {}
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(options(source, whole, target=target, source="yunxin", key=KEY, settings=chosen))
    run(options(source, cut, target=target, source="yunxin", key=KEY, settings={**chosen, setting: "3"}))
    before, after = batches(whole), batches(cut)
    joined = {key: sum(lists, []) for key, lists in after.items()}
    assert {key: sum(lists, []) for key, lists in before.items()} == joined
    changed = [[len(one) for one in after[key]] for key in before if len(before[key]) != len(after[key])]
    assert changed
    assert [[3, 3, 1]] * len(changed) == changed


# --- told twice -----------------------------------------------------------------------------------------


def pairs_sent(target: str, folder: Path) -> Counter[tuple[str, str]]:
    """Who is made whose friend, and how often, read from the calls as the vendors' documents have them."""
    found: Counter[tuple[str, str]] = Counter()
    for call in calls(folder):
        body = call["body"]
        if target == "tencent":
            found.update((body["From_Account"], one["To_Account"]) for one in body["AddFriendItem"])
        elif target == "easemob":
            found.update((call["conv"], name) for name in body["usernames"])
        elif target == "yunxin":
            found[body["accid"], body["faccid"]] += 1
        else:
            found[body["userId"], body["targetId"]] += 1
    return found


@pytest.mark.parametrize("target", ["easemob", "rongcloud", "tencent", "yunxin"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_friendship_is_made_once_however_often_it_is_told(target: str, seed: int, tmp_path: Path) -> None:
    """Both directions are one friendship where the vendor makes pairs, and two where it keeps lists."""
    chance = Random(seed)
    told = [tuple(chance.sample(NAMES, 2)) for _ in range(70)]
    lists = [{"request": {"accid": one}, "response": {"code": 200, "friends": [{"faccid": two}]}} for one, two in told]
    found = run(options(answers(tmp_path, *lists), tmp_path / "out", target=f"{target}/friends", source="yunxin"))
    sent = pairs_sent(target, tmp_path / "out")
    assert set(sent.values()) == {1}
    assert {frozenset(pair) for pair in told} == {frozenset(pair) for pair in sent}
    assert len(sent) == len(set(told) if target == "tencent" else {frozenset(pair) for pair in told})
    totals = found.manifest.totals
    assert (70, 70 - len(set(told)), 0) == (totals.read, totals.duplicates, totals.conflicts)


def test_an_account_is_made_once_however_often_it_is_told(tmp_path: Path) -> None:
    """And so is a member, whom the group's own answer and the list of members tell."""
    team = everything()[-1]
    told = [{"code": 200, "uinfos": [{"accid": name} for name in NAMES]}] * 3 + [team, team]
    source = answers(tmp_path, *told)
    found = run(options(source, tmp_path / "users", target="tencent/users", source="yunxin")).manifest
    assert (8, 16) == (found.totals.written, found.totals.duplicates)
    [call] = calls(tmp_path / "users")
    assert [{"UserID": name} for name in NAMES] == sorted(call["body"]["AccountList"], key=lambda one: one["UserID"])
    run(options(source, tmp_path / "groups", target="tencent/groups", source="yunxin"))
    members = [one["Member_Account"] for call in calls(tmp_path / "groups") if "MemberList" in call["body"]
               for one in call["body"]["MemberList"]]  # fmt: skip
    assert sorted(members) == sorted(set(members))


# --- large ----------------------------------------------------------------------------------------------


def test_a_large_group_comes_in_calls_with_each_member_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the books of ids are full all the time; and the bytes don't depend on how the answer was cut."""
    size = 3001
    names = [f"m{number:05}" for number in range(size)]
    Random(5).shuffle(names)
    time = 1_600_000_000_000
    members = [{"accid": name, "createtime": time + int(name[1:]) * 1000} for name in names]
    facts = {"tid": 7, "tname": "g", "owner": "boss", "joinmode": 1, "createtime": time - 1000}
    whole = {"code": 200, "tinfo": {**facts, "members": members, "admins": []}}
    pages = [{"code": 200, "tinfo": {**facts, "members": members[at : at + 100], "admins": []}}
             for at in range(0, size, 100)]  # fmt: skip
    run(options(answers(tmp_path / "one", whole), tmp_path / "whole", target="tencent/groups", source="yunxin"))
    monkeypatch.setattr(people, "MOST_IDS", 7)
    source = answers(tmp_path / "many", *pages)
    run(options(source, tmp_path / "cut", target="tencent/groups", source="yunxin", segment_size=30_000))
    found = [call["body"]["MemberList"] for call in calls(tmp_path / "cut") if "MemberList" in call["body"]]
    assert [20] * 150 + [1] == [len(one) for one in found]
    assert sorted(names) == sorted(one["Member_Account"] for batch in found for one in batch)
    assert content(tmp_path / "whole") == content(tmp_path / "cut")


def test_what_books_forget_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = answers(tmp_path, *everything())
    for target in ("easemob/users", "yunxin/groups"):
        run(options(source, tmp_path / "whole" / target, target=target, source="yunxin", key=KEY))
        monkeypatch.setattr(people, "MOST_IDS", 1)
        run(options(source, tmp_path / "small" / target, target=target, source="yunxin", key=KEY))
        monkeypatch.undo()
        assert [] == differing(tmp_path / "whole" / target, tmp_path / "small" / target)
