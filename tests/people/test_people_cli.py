"""Maps, references and secrets as somebody uses them: a process, its words, its exit codes."""

from __future__ import annotations

import csv
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from golden import FIXTURES
from support.small_jobs import surroundings

CJK = re.compile(r"[\u4e00-\u9fff]")
ANSWERS = FIXTURES / "people" / "easemob" / "answers" / "in"


def command(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "imconvert", *map(str, arguments)]
    found = subprocess.run(words, capture_output=True, env=surroundings(**more), encoding="utf-8", timeout=60)
    assert "Traceback" not in found.stderr
    return found


def rows(path: Path) -> list[tuple[str, str, str]]:
    with path.open(encoding="utf-8") as file:
        return [(row["source"], row["target"], row["reason"]) for row in csv.DictReader(file)]


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "ids.txt"
    path.write_text("Alice\nalice\nBob@corp\n李雷\n\nalice\n", encoding="utf-8")
    return path


def test_a_suggested_map_passes_the_check_and_is_not_overwritten(names: Path, tmp_path: Path) -> None:
    made = tmp_path / "map.csv"
    assert 0 == command("ids", "suggest", names, made, "--to", "yunxin").returncode
    found = {source: (target, reason) for source, target, reason in rows(made)}
    assert ["Alice", "alice", "Bob@corp", "李雷"] == [source for source, _, _ in rows(made)]
    assert (("alice", "same"), ("bob@corp", "case")) == (found["alice"], found["Bob@corp"])
    assert "collision" == found["Alice"][1] and found["Alice"][0].startswith("alice_")
    assert "characters" == found["李雷"][1] and re.fullmatch("u_[a-z2-7]{13}", found["李雷"][0])
    checked = command("ids", "check", made, "--to", "yunxin")
    assert (0, "Nothing is wrong with it: 4 ids.\n") == (checked.returncode, checked.stdout)
    made.write_text("kind,source,target,reason\naccount,Alice,al,mine\n")
    again = command("ids", "suggest", names, made, "--to", "yunxin")
    assert 2 == again.returncode and "may have been edited" in again.stderr
    assert 0 == command("ids", "suggest", made, made, "--to", "yunxin").returncode
    assert [("Alice", "al", "same")] == rows(made)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_is_wrong_with_a_map_is_told_in_both_languages(lang: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("source,target\na,X\nb,x\nc,y y\nd,z\nd,w\n")
    found = command("ids", "check", bad, "--to", "yunxin", IMCONVERT_LANG=lang)
    assert 3 == found.returncode
    assert ["IMC-2610", "IMC-2611", "IMC-2612", "IMC-3310"] == re.findall(r"1 × (IMC-\d+)", found.stdout)
    said = [line for line in found.stdout.splitlines() if "×" not in line]
    assert all(bool(CJK.search(line)) == (lang == "zh") for line in said)
    assert "breaks the target" not in found.stdout or lang == "en"
    told = json.loads(command("ids", "check", bad, "--to", "yunxin", "--json", IMCONVERT_LANG=lang).stdout)
    assert (5, 4) == (told["rows"], len(told["findings"]))


def test_apps_are_merged_into_maps_that_never_meet(names: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("source,target\nalice,\n小李,\n1_bob,bob\n1_bob,rob\n")
    for prefix in ("always", "never"):
        out = tmp_path / prefix
        done = command("ids", "merge", f"shop={names}", f"game={other}", out, "--to", "tencent", "--prefix", prefix)
        assert 0 == done.returncode, done.stderr
        shop, game = rows(out / "shop.csv"), rows(out / "game.csv")
        assert ["alice", "小李", "1_bob"] == [source for source, _, _ in game]
        targets = [target for _, target, _ in (*shop, *game)]
        assert len(targets) == len(set(targets)) == 7
        assert all(target.startswith("shop_") for _, target, _ in shop) == (prefix == "always")
        for name in ("shop", "game"):
            assert 0 == command("ids", "check", out / f"{name}.csv", "--to", "tencent").returncode
    for wrong in ([f"a={names}", f"a={other}", tmp_path / "o"], [tmp_path / "o"]):
        assert 2 == command("ids", "merge", *wrong, "--to", "tencent").returncode


def test_each_output_gets_secrets_of_its_own_that_only_their_files_hold(tmp_path: Path) -> None:
    said, keys = "", set()
    for name in ("a", "b"):
        found = command("users", ANSWERS, tmp_path / name, "--to", "easemob")
        assert 3 == found.returncode
        said += found.stdout + found.stderr
        for file in ("secrets.csv", "secrets.key"):
            assert 0o600 == stat.S_IMODE((tmp_path / name / file).stat().st_mode)
        keys.add((tmp_path / name / "secrets.key").read_text())
    assert 2 == len(keys)
    again = command("users", ANSWERS, tmp_path / "c", "--to", "easemob", "--secrets-key", tmp_path / "a/secrets.key")
    assert 3 == again.returncode
    lists = [(tmp_path / name / "secrets.csv").read_text() for name in "abc"]
    assert lists[0] == lists[2] != lists[1]
    secrets = [row.split(",")[1] for text in lists for row in text.splitlines()[1:]]
    assert secrets and not [secret for secret in secrets if secret in said + again.stdout]
    for file in (path for name in "abc" for path in (tmp_path / name).rglob("*") if path.is_file()):
        if not file.name.startswith("secrets."):
            assert not [secret for secret in secrets if secret.encode() in file.read_bytes()], file


def test_references_are_told_with_places_and_an_exit_code(tmp_path: Path) -> None:
    outs = {content: tmp_path / content for content in ("users", "friends", "groups")}
    for content, out in outs.items():
        command(content, ANSWERS, out, "--to", "tencent")
    found = command("refs", *outs.values(), tmp_path / "report")
    assert 3 == found.returncode
    assert f"accounts Old.Friend  first {outs['friends']}/friends-00001.ndjson:1" in found.stdout
    told = json.loads((tmp_path / "report" / "refs.json").read_bytes())
    assert (2, 1) == (told["missing"]["account"]["ids"], told["missing"]["group"]["ids"])
    chinese = command("refs", *outs.values(), tmp_path / "again", IMCONVERT_LANG="zh")
    assert 3 == chinese.returncode and "缺少 2 个账号" in chinese.stdout
    nothing = command("refs", tmp_path / "no", tmp_path / "other")
    assert (2, "") == (nothing.returncode, nothing.stdout) and "IMC-1014" in nothing.stderr
