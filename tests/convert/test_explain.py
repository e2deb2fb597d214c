"""What became of a message: each fate is found, by the number in the shard and by the id in the source."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.small_jobs import easemob, named, options, recall, run, surroundings, yunxin

from imconvert.audit.explain import Finding, explain_message
from imconvert.errors import UsageError
from imconvert.model import derived_id

RECORDS = [
    *(easemob(n, team=n % 2 == 0) for n in range(1, 12)),
    easemob(3),
    easemob(4, "other", team=True),
    recall(50, 6),
    easemob(21).replace(b'"bodies"', b'"other"'),
    named("ab-Cd_9"),
    named("ab-Cd_10").replace(b'"bodies"', b'"other"'),
    named("ab-Cd_9"),
    easemob(30, bodies=3),
    b'{"msg_id": "gbk-1", "text": "\xc4\xe3"}\n',
    easemob(40, chat_type="chatroom"),
]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two inputs, in segments so small that there are many shards."""
    folder = tmp_path_factory.mktemp("explained")
    (folder / "in").mkdir()
    (folder / "in" / "a").write_bytes(b"".join(RECORDS))
    (folder / "in" / "b").write_bytes(easemob(100) + b"\n" + easemob(101))
    found = run(options(folder / "in", folder / "out", source="easemob", segment_size=600))
    assert len(found.manifest.shards) > 5
    return folder / "out"


def fates(output: Path, msgid: str) -> list[tuple[str, int, str | None]]:
    return [(found.file, found.line, found.code) for found in explain_message(output, msgid)]


def line_of(output: Path, found: Finding) -> dict[str, Any]:
    assert found.shard is not None and found.shard_line is not None
    lines = (output / found.shard).read_bytes().splitlines()
    data: dict[str, Any] = json.loads(lines[found.shard_line - 1])["data"]
    return data


def test_every_line_is_found_where_it_stands(output: Path) -> None:
    """And its origin is its record, at its byte."""
    source = {name: (output.parent / "in" / name).read_bytes() for name in "ab"}
    shards = json.loads((output / "manifest.json").read_bytes())["shards"]
    for shard in shards:
        for number, line in enumerate((output / shard["name"]).read_bytes().splitlines(), 1):
            msgid = json.loads(line)["data"]["msgid"]
            found = next(found for found in explain_message(output, str(msgid)) if found.code is None)
            assert (shard["name"], number) == (found.shard, found.shard_line)
            assert source[found.file][: found.offset].count(b"\n") == found.line - 1
            assert source[found.file][found.offset : found.offset + 1] == b"{"


FATES: dict[str, tuple[str, list[tuple[str, int, str | None]]]] = {
    "written": ("5", [("a", 5, None)]),
    "written-team": ("2", [("a", 2, None)]),
    "second-input": ("101", [("b", 3, None)]),
    "duplicate": ("3", [("a", 3, None), ("a", 12, "IMC-8201")]),
    "conflict": ("4", [("a", 4, None), ("a", 13, "IMC-8301")]),
    "recalled": ("6", [("a", 6, None), ("a", 14, "IMC-8102")]),
    "event": ("50", [("a", 14, "IMC-8102")]),
    "rejected": ("21", [("a", 15, "IMC-2110")]),
    "derived": ("ab-Cd_9", [("a", 16, None), ("a", 18, "IMC-8201")]),
    "derived-number": (str(derived_id("easemob", "ab-Cd_9")), [("a", 16, None), ("a", 18, "IMC-8201")]),
    "derived-rejected": ("ab-Cd_10", [("a", 17, "IMC-2110")]),
    "part": ("30#2", [("a", 19, None)]),
    "not-utf8": ("gbk-1", [("a", 20, "IMC-2002")]),
    "chatroom": ("40", [("a", 21, "IMC-8103")]),
}


@pytest.mark.parametrize("case", FATES)
def test_fate(output: Path, case: str) -> None:
    msgid, expected = FATES[case]
    assert expected == fates(output, msgid)


@pytest.mark.parametrize("msgid", ["5000", "b-Cd_9", "ab-Cd", "ab", "", "9" * 19, "9" * 5000, "-1", "no such"])
def test_other_ids_are_not_found(output: Path, msgid: str) -> None:
    assert fates(output, msgid) == []


def test_what_is_kept_instead(output: Path) -> None:
    found = list(explain_message(output, "4"))[1]
    assert found.kept == {"file": "a", "line": 4, "offset": found.kept["offset"] if found.kept else None}
    assert found.key is not None and found.key["msgid"] == 4
    assert line_of(output, next(explain_message(output, "4")))["body"] == "hi 0"


def test_an_id_that_many_messages_share(tmp_path: Path) -> None:
    """The same number with other people is another message; all are told, from all shards."""
    (tmp_path / "in").write_bytes(b"".join(yunxin(7).replace(b'"ann"', b'"ann%d"' % n) for n in range(40)))
    run(options(tmp_path / "in", tmp_path / "out", source="yunxin"))
    found = list(explain_message(tmp_path / "out", "7"))
    assert [f.line for f in found] == list(range(1, 41))
    assert [line_of(tmp_path / "out", f)["from"] for f in found] == [f"ann{n}" for n in range(40)]


def test_a_folder_that_is_not_finished(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        list(explain_message(tmp_path, "1"))
    assert caught.value.code == "IMC-1014"


# --- the command ---


def command(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "imconvert", "explain", *map(str, arguments)]
    found = subprocess.run(words, capture_output=True, env=surroundings(**more), text=True, timeout=60, check=False)
    assert "Traceback" not in found.stderr
    return found


def test_text(output: Path) -> None:
    found = command(output, "3").stdout.splitlines()
    assert found[0].startswith("written  p2p-0000")
    assert found[1] == f"  from a:3 (byte {len(easemob(1) + easemob(2, team=True)):,})"
    assert found[2].startswith("IMC-8201  ")
    assert found[-1] == "  kept instead: a:3"


def test_chinese_text(output: Path) -> None:
    found = command(output, "3", IMCONVERT_LANG="zh").stdout
    assert "已写出" in found and "保留的是: a:3" in found
    assert not any(word in found for word in ("written", "from", "byte", "kept"))


def test_json(output: Path) -> None:
    found = json.loads(command(output, "3", "--json").stdout)
    assert [row.get("code") for row in found] == [None, "IMC-8201"]
    assert (found[0]["file"], found[0]["line"], found[0]["shard"][:4]) == ("a", 3, "p2p-")
    assert set(found[0]) == {"file", "line", "offset", "shard", "shard_line"}


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_unknown_id(output: Path, more: tuple[str, ...]) -> None:
    found = command(output, "777", *more)
    assert (found.returncode, found.stdout) == (2, "")
    assert "IMC-1012" in found.stderr and "777" in found.stderr


def test_no_such_folder(output: Path) -> None:
    assert command(output / "none", "1").returncode == 2


def test_unfinished_folder(tmp_path: Path) -> None:
    found = command(tmp_path, "1")
    assert found.returncode == 2
    assert "IMC-1014" in found.stderr
