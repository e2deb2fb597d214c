"""Runs about people: the same bytes for any cut and any number of workers, after any kill; secrets in their place."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.faulty_disk import DEAD, Fault, faulty
from support.small_jobs import CLOCK, complete, differing, fast_folder, forked, leftovers, options, run, tree
from support.worlds import SOURCES, world

from imconvert.cli.progress import Silent
from imconvert.convert.books.secrets import KEY, LIST, read_key, secret_of
from imconvert.convert.finished.replay import replay
from imconvert.errors import IntegrityError, UsageError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
FIRST, SECOND = b"1" * 32, b"2" * 32
STRIDE = 7


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SOURCES["easemob"](world(3, people=70, pairs=30, teams=2), tmp_path_factory.mktemp("world") / "in")


def asked(answers: Path, output: Path, content: str, **more: Any) -> Any:
    return options(answers, output, target=f"tencent/{content}", source="easemob", key=FIRST, **more)


def lines(folder: Path) -> dict[str, list[bytes]]:
    """Shards, and side files without the order of their lines, which is that of segments."""
    sides = ("rejects", "skipped", "duplicates", "conflicts")
    found = {path.name: path.read_bytes().splitlines() for path in folder.glob("*.ndjson")}
    return {name: sorted(rows) if name.startswith(sides) else rows for name, rows in found.items()}


@pytest.mark.parametrize("content", ["users", "friends", "groups"])
def test_workers_and_cuts_do_not_count(answers: Path, content: str, tmp_path: Path) -> None:
    run(asked(answers, tmp_path / "whole", content, segment_size=1 << 30))
    run(asked(answers, tmp_path / "cut", content, segment_size=700, jobs=2))
    run(asked(answers, tmp_path / "again", content, segment_size=700))
    assert len(lines(tmp_path / "whole")) > 5
    assert lines(tmp_path / "whole") == lines(tmp_path / "cut")
    assert [] == differing(tmp_path / "cut", tmp_path / "again")


def killed(answers: Path, output: Path, at: int) -> int:
    def work() -> None:
        with faulty(output, Fault(at, "kill")):
            run(wanted(answers, output, SECOND))

    code, trouble = forked(work)
    assert code in (0, DEAD), trouble
    return code


def wanted(answers: Path, output: Path, key: bytes) -> Any:
    return options(answers, output, target="easemob/users", source="easemob", key=key, segment_size=4000)


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


def test_killed_anywhere_it_ends_with_the_same_bytes_and_one_key(answers: Path, folder: Path) -> None:
    """The key of the first start stays, though every start brings one of its own."""
    with faulty(folder / "whole") as disk:
        run(wanted(answers, folder / "whole", SECOND))
    whole = tree(folder / "whole")
    places = range(1, len(disk.log) + 1, STRIDE)
    assert len(places) > 20
    kept = 0
    for at in places:
        output = folder / str(at)
        assert killed(answers, output, at) == DEAD
        assert complete(output) == []
        began = (output / ".work" / KEY).exists() or (output / KEY).exists()
        code, trouble = forked(lambda output=output: run(wanted(answers, output, FIRST)) and None)
        assert code == 0, trouble
        assert leftovers(output) == []
        secret = {KEY, LIST}
        assert set(differing(whole, output)) == (set() if began else secret), disk.log[at - 1]
        kept += began
    assert 0 < kept < len(places)


def secrets_in(folder: Path) -> dict[str, str]:
    with (folder / LIST).open() as file:
        return {row["account"]: row["secret"] for row in csv.DictReader(file)}


def test_a_key_gives_the_same_secrets_and_all_else_does_not_know_it(answers: Path, tmp_path: Path) -> None:
    for name, key in (("a", FIRST), ("b", FIRST), ("c", SECOND)):
        run(wanted(answers, tmp_path / name, key))
    assert [] == differing(tmp_path / "a", tmp_path / "b")
    assert {KEY, LIST} == set(differing(tmp_path / "a", tmp_path / "c"))
    first, other = secrets_in(tmp_path / "a"), secrets_in(tmp_path / "c")
    assert first.keys() == other.keys() and not set(first.values()) & set(other.values())
    assert {name: secret_of(FIRST, name) for name in first} == first
    assert {24} == set(map(len, first.values()))


def test_a_finished_output_is_left_alone_and_kept_from_others(answers: Path, tmp_path: Path) -> None:
    run(wanted(answers, tmp_path / "out", FIRST))
    before = tree(tmp_path / "out")
    assert run(wanted(answers, tmp_path / "out", SECOND)).again
    assert before == tree(tmp_path / "out")
    for target in ("easemob/friends", "tencent/users", "easemob"):
        with pytest.raises(UsageError) as why:
            run(options(answers, tmp_path / "out", target=target, source="easemob", key=FIRST, segment_size=4000))
        assert why.value.code == "IMC-1005"


def test_people_are_no_input_of_messages_and_take_no_replay(answers: Path, tmp_path: Path) -> None:
    run(options(answers, tmp_path / "out", target="yunxin/friends", source="easemob"))
    with pytest.raises(UsageError) as why:
        run(options(tmp_path / "out", tmp_path / "more", target="tencent"))
    assert why.value.code == "IMC-1201"
    with pytest.raises(UsageError) as why:
        replay(tmp_path / "out" / "rejects.ndjson", options(answers, tmp_path / "out"), Silent(), CLOCK, {})
    assert why.value.code == "IMC-1306"


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 31)
    with pytest.raises(IntegrityError) as why:
        read_key(tmp_path / "key")
    assert why.value.code == "IMC-6130"


def test_keep_last_keeps_the_last(tmp_path: Path) -> None:
    rows = [{"uri": "https://a/o/a/users", "entities": [{"username": "u", "nickname": name}]} for name in "abc"]
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for policy, name in (("quarantine", "a"), ("keep-last", "c")):
        folder = tmp_path / policy
        run(options(tmp_path / "in.ndjson", folder, target="easemob/users", key=FIRST, on_conflict=policy))
        assert f'"nickname":"{name}"' in (folder / "accounts-00001.ndjson").read_text()
        found = [json.loads(line) for line in (folder / "conflicts.ndjson").read_bytes().splitlines()]
        assert ["IMC-8183"] * 2 == [one["code"] for one in found]
