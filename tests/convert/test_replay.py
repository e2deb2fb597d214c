"""Corrected rejects come back: once, at their old place, and as if the input had been right from the start."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.small_jobs import (
    CLOCK,
    LATEST,
    cli,
    complete,
    content,
    differing,
    easemob,
    leftovers,
    options,
    recall,
    run,
    side,
    tree,
    yunxin,
)

from imconvert.audit.explain import explain_message
from imconvert.cli.progress import Silent
from imconvert.cli.summary import WORDS
from imconvert.convert.books import publish
from imconvert.convert.finished.replay import replay
from imconvert.convert.options import Options
from imconvert.convert.run import Outcome
from imconvert.convert.seal import index
from imconvert.errors import ImconvertError, IntegrityError, UsageError

Reject = dict[str, Any]
BAD = [b"half {\n", b'{"msg_id": "7"}\n', b"\xe9t\xe9\n"]


def exported(tmp_path: Path, **inputs: list[bytes]) -> Path:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for name, records in inputs.items():
        (folder / name).write_bytes(b"".join(records))
    return folder


def began(tmp_path: Path, **inputs: list[bytes]) -> Path:
    """A finished output of these inputs, `tmp_path / "out"`."""
    run(options(exported(tmp_path, **inputs), tmp_path / "out", source="easemob"))
    return tmp_path / "out"


def file_of(rejects: list[Reject], path: Path) -> Path:
    path.write_text("".join(json.dumps(reject) + "\n" for reject in rejects), encoding="utf-8")
    return path


def corrected(output: Path, records: dict[tuple[str, int], bytes], *, only: bool = False) -> Path:
    """A copy of the rejects with other records at (file, line); `only` leaves out all that stay as they are."""
    found = side(output, "rejects")
    for reject in found:
        record = records.get((reject["file"], reject["line"]))
        if record is not None:
            reject.pop("raw_base64", None)
            reject["raw"] = record.decode()
    chosen = [reject for reject in found if not only or (reject["file"], reject["line"]) in records]
    return file_of(chosen, output.parent / "corrected.ndjson")


def replayed(path: Path, output: Path, **more: Any) -> Outcome:
    return replay(path, Options((), output, **{"latest": LATEST, **more}), Silent(), CLOCK, {})


def refused(code: str, path: Path, output: Path, **more: Any) -> ImconvertError:
    before = tree(output)
    with pytest.raises(ImconvertError) as caught:
        replayed(path, output, **more)
    assert code == caught.value.code
    assert differing(before, output) == []
    assert leftovers(output) == []
    return caught.value


def balanced(output: Path) -> dict[str, Any]:
    """The manifest, after a look at whether it fits itself and the folder."""
    found: dict[str, Any] = json.loads((output / "manifest.json").read_bytes())
    for account in [found["totals"], *(source["account"] for source in found["inputs"])]:
        left = ("written", "duplicates", "conflicts", "rejected", "skipped")
        assert account["read"] + account["split"] == sum(account[name] for name in left)
        assert min(account.values()) >= 0
    assert found["totals"]["rejected"] == len(side(output, "rejects"))
    assert found["totals"]["rejected"] == sum(row["count"] for row in found["rejects"].values())
    assert found["totals"]["written"] == sum(shard["lines"] for shard in found["shards"])
    assert (complete(output), leftovers(output)) == ([], [])
    return found


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Of `a` the records 2 and 4 are rejected, of `b` the record 1; both lie in several segments."""
    first = [easemob(1), BAD[0], *(easemob(n, team=True) for n in (2, 3)), *map(easemob, range(4, 9))]
    first.insert(3, BAD[1])
    return began(tmp_path, a=first, b=[BAD[2], *map(easemob, range(20, 25))])


GOOD = {("a", 2): easemob(101), ("a", 4): easemob(102, team=True), ("b", 1): easemob(103)}


# --- what comes back ---


def test_corrected_records_become_further_shards(output: Path) -> None:
    before = tree(output)
    outcome = replayed(corrected(output, GOOD), output)
    assert (0, False) == (outcome.exit_code, outcome.again)
    found = balanced(output)
    old = [shard["name"] for shard in json.loads(before["manifest.json"])["shards"]]
    new = [shard["name"] for shard in found["shards"] if shard["name"] not in old]
    counts = {stream: sum(name.startswith(stream) for name in old) for stream in ("p2p", "team")}
    assert new == [f"{stream}-{count + 1:05}.txt" for stream, count in counts.items()]
    assert all(before[name] == (output / name).read_bytes() for name in old)
    assert side(output, "rejects") == []


def test_ledger_is_moved_per_input(output: Path) -> None:
    before = json.loads((output / "manifest.json").read_bytes())
    assert [source["account"]["rejected"] for source in before["inputs"]] == [2, 1]
    replayed(corrected(output, GOOD), output)
    after = balanced(output)
    assert [source["account"]["rejected"] for source in after["inputs"]] == [0, 0]
    for old, new, more in zip(before["inputs"], after["inputs"], (2, 1), strict=True):
        assert old["account"]["written"] + more == new["account"]["written"]
        assert old["account"]["read"] == new["account"]["read"]
    assert before["fidelity"]["text"]["messages"] + 3 == after["fidelity"]["text"]["messages"]


@pytest.mark.parametrize("only", [False, True], ids=["whole", "part"])
def test_still_bad_records_stay_rejected_once(output: Path, only: bool) -> None:
    """Whether the file still names them or, being a copy with lines removed, does not."""
    path = corrected(output, {("a", 2): GOOD["a", 2]}, only=only)
    assert replayed(path, output).exit_code == 3
    assert balanced(output)["totals"]["rejected"] == 2
    assert sorted((r["file"], r["line"]) for r in side(output, "rejects")) == [("a", 4), ("b", 1)]


@pytest.mark.parametrize("records", [GOOD, {("a", 2): GOOD["a", 2]}, {("b", 1): b'{"other": 1}'}, {}])
def test_the_same_replay_twice_changes_nothing(output: Path, records: dict[tuple[str, int], bytes]) -> None:
    path = corrected(output, records)
    replayed(path, output)
    before = tree(output)
    outcome = replayed(path, output)
    assert outcome.again
    assert differing(before, output) == []
    balanced(output)


def test_replays_in_turn_take_each_record_once(output: Path) -> None:
    for place, record in GOOD.items():
        replayed(corrected(output, {place: record}, only=True), output)
        balanced(output)
    assert side(output, "rejects") == []
    lines = b"".join(content(output).values())
    assert [lines.count(b'"msgid":%d,' % n) for n in (101, 102, 103)] == [1, 1, 1]


def test_edited_in_place(output: Path) -> None:
    """With a blank line and CRLF, as editors leave them."""
    path = corrected(output, {("a", 2): GOOD["a", 2]})
    (output / "rejects.ndjson").write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    replayed(output / "rejects.ndjson", output)
    assert balanced(output)["totals"]["rejected"] == 2


def test_what_becomes_an_event_is_skipped(output: Path) -> None:
    replayed(corrected(output, {("a", 2): recall(50, 1)}), output)
    found = balanced(output)
    assert found["totals"]["skipped"] == found["skipped"]["IMC-8102"]["count"] == 1
    assert [(r["file"], r["line"], r["of"]) for r in side(output, "skipped")] == [("a", 2, "1")]


def test_several_bodies_are_split(output: Path) -> None:
    replayed(corrected(output, {("a", 2): easemob(101, bodies=3)}), output)
    assert balanced(output)["totals"]["split"] == 2


def test_raw_base64_is_taken_as_bytes(output: Path) -> None:
    rejects = side(output, "rejects")
    wanted = next(reject for reject in rejects if "raw_base64" in reject)
    assert base64.b64decode(wanted["raw_base64"]) == BAD[2].rstrip(b"\n")
    wanted["raw_base64"] = base64.b64encode(easemob(103, "你好")).decode()
    replayed(file_of([wanted], output.parent / "corrected.ndjson"), output)
    assert '"body":"你好 0"'.encode() in content(output)["p2p"]
    balanced(output)


def test_a_record_over_several_lines_is_one(output: Path) -> None:
    pretty = json.dumps(json.loads(easemob(101)), indent=2).encode()
    replayed(corrected(output, {("a", 2): pretty}), output)
    assert b'"msgid":101,' in content(output)["p2p"]


# --- what was there before ---


def test_a_duplicate_of_a_finished_line_is_found(output: Path) -> None:
    replayed(corrected(output, {("a", 2): easemob(5), ("b", 1): easemob(3, team=True)}), output)
    totals = balanced(output)["totals"]
    assert (totals["duplicates"], totals["written"]) == (2, 13)
    kept = {
        (row["file"], row["line"]): (row["kept"]["file"], row["kept"]["line"]) for row in side(output, "duplicates")
    }
    assert kept == {("a", 2): ("a", 7), ("b", 1): ("a", 5)}


def test_a_conflict_with_a_finished_line_is_held_back(output: Path) -> None:
    """Though it stood before the other one in the input: what is finished stays."""
    before = content(output)
    outcome = replayed(corrected(output, {("a", 2): easemob(5, "other")}, only=True), output)
    assert outcome.exit_code == 3
    assert before == content(output)
    assert balanced(output)["totals"]["conflicts"] == 1
    assert balanced(output)["conflicts"]["line"] == 2
    found = side(output, "conflicts")[0]
    assert ("a", 2, "a", 7) == (found["file"], found["line"], found["kept"]["file"], found["kept"]["line"])
    assert ("other 0", "hi 0") == tuple(found[name]["data"]["body"] for name in ("message", "kept_message"))


def test_conflicts_among_the_replayed_are_found(output: Path) -> None:
    replayed(corrected(output, {("a", 2): easemob(101), ("b", 1): easemob(101, "other")}), output)
    assert balanced(output)["totals"]["conflicts"] == 1
    assert b'"msgid":101,' in content(output)["p2p"]
    assert side(output, "conflicts")[0]["message"]["data"]["body"] == "other 0"


def test_conflicts_get_new_ids_where_asked(output: Path) -> None:
    path = corrected(output, {("a", 2): easemob(5, "other"), ("b", 1): easemob(103)})
    outcome = replayed(path, output, on_conflict="rekey")
    found = balanced(output)
    assert (found["rekeyed"], found["totals"]["conflicts"]) == (1, 0)
    line = next(line for line in content(output)["p2p"].splitlines() if b"other 0" in line)
    number = json.loads(line)["data"]["msgid"]
    assert number != 5
    assert [(f.file, f.line) for f in explain_message(output, str(number))] == [("a", 2)]
    assert outcome.exit_code == 3  # one is still bad
    assert replayed(path, output, on_conflict="rekey").again


def test_explain_finds_replayed_lines_at_their_old_place(output: Path) -> None:
    places = {(reject["file"], reject["line"]): reject["offset"] for reject in side(output, "rejects")}
    replayed(corrected(output, GOOD), output)
    for place, msgid in zip(GOOD, ("101", "102", "103"), strict=True):
        found = list(explain_message(output, msgid))
        assert [(*place, places[place])] == [(f.file, f.line, f.offset) for f in found]
        assert found[0].shard is not None and found[0].shard_line is not None
        lines = (output / found[0].shard).read_bytes().splitlines()
        assert f'"msgid":{msgid},'.encode() in lines[found[0].shard_line - 1]


# --- id maps ---


def filled(path: Path, targets: dict[str, str]) -> Path:
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    done = path.with_suffix(".filled.csv")
    with done.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("kind", "source", "target", "messages"))
        writer.writeheader()
        writer.writerows({**row, "target": targets[row["source"]]} for row in rows)
    return done


def ends(sender: str, to: str, number: int, *, team: bool = False) -> bytes:
    record = json.loads(easemob(number, team=team))
    record["payload"] |= {"from": sender, "to": to}
    return json.dumps(record).encode() + b"\n"


def test_missing_ids_round_trip(tmp_path: Path) -> None:
    """Convert, take the list, fill it in, replay: everything is written. A second list follows the first."""
    records = [
        easemob(1),
        ends("钱", "bob", 2),
        ends("ann", "x y", 3),
        ends("钱", "孙", 4),
        ends("ann", "g-1", 5, team=True),
    ]
    source, output = exported(tmp_path, a=records), tmp_path / "out"
    run(options(source, output, source="easemob", write_missing=tmp_path / "1.csv"))
    assert len(side(output, "rejects")) == 4
    rejects = output / "rejects.ndjson"
    targets = {"钱": "qian", "孙": "sun", "g-1": "12", "x y": "xy"}
    ids = filled(tmp_path / "1.csv", targets)
    replayed(rejects, output, ids=ids, tids=ids, write_missing=tmp_path / "2.csv")
    again = filled(tmp_path / "2.csv", targets)
    both = tmp_path / "both.csv"
    both.write_bytes(ids.read_bytes() + again.read_bytes().partition(b"\n")[2])
    assert replayed(rejects, output, ids=both, tids=both).exit_code == 0
    assert balanced(output)["totals"]["written"] == 5
    whole = tmp_path / "whole"
    run(options(source, whole, source="easemob", ids=both, tids=both))
    assert messages(whole) == messages(output)


def test_a_list_of_missing_ids_is_written_though_nothing_is_taken(tmp_path: Path) -> None:
    output = began(tmp_path, a=[easemob(1), ends("钱", "bob", 2)])
    assert replayed(output / "rejects.ndjson", output, write_missing=tmp_path / "list.csv").again
    assert (tmp_path / "list.csv").read_text(encoding="utf-8") == "kind,source,target,messages\naccount,钱,,1\n"


def test_capitals_need_a_map(tmp_path: Path) -> None:
    """Whether an id collides after folding can't be known any more."""
    output = began(tmp_path, a=[easemob(1), b"bad\n"])
    replayed(corrected(output, {("a", 2): ends("Bob", "ann", 2)}), output)
    assert [reject["code"] for reject in side(output, "rejects")] == ["IMC-2203"]
    replayed(corrected(output, {}), output, settings={"yunxin.fold": "merge"})
    assert balanced(output)["totals"]["written"] == 2


def test_a_map_has_to_be_given_again(tmp_path: Path) -> None:
    ids = tmp_path / "ids.csv"
    ids.write_text("source,target\nann,anne\n", encoding="utf-8")
    output = tmp_path / "out"
    run(options(exported(tmp_path, a=[easemob(1), b"bad\n"]), output, source="easemob", ids=ids))
    path = corrected(output, {("a", 2): easemob(2)})
    assert "--ids" in refused("IMC-1010", path, output).text()
    replayed(path, output, ids=ids)
    assert content(output)["p2p"].count(b'"from":"anne"') == 2


def test_settings_of_the_first_run_hold(tmp_path: Path) -> None:
    source = exported(tmp_path, a=[yunxin(1).replace(b'"from"', b' "from"'), b"bad\n"])
    output = tmp_path / "out"
    run(options(source, output, source="yunxin", strict=True, settings={"yunxin.fold": "merge"}))
    replayed(corrected(output, {("a", 2): yunxin(2).replace(b"ann", b"Ann")}), output)
    assert [reject["code"] for reject in side(output, "rejects")] == ["IMC-3009"]


# --- what is refused ---

GARBAGE: dict[str, Callable[[Reject], Any]] = {
    "no-raw": lambda reject: {**reject, "raw": None},
    "no-file": lambda reject: {name: reject[name] for name in ("line", "offset", "raw")},
    "no-line": lambda reject: {name: reject[name] for name in ("file", "offset", "raw")},
    "text-line": lambda reject: {**reject, "line": "2"},
    "list": lambda reject: [reject],
    "number": lambda reject: 17,
    "other-file": lambda reject: {**reject, "file": "c"},
    "bad-base64": lambda reject: {**reject, "raw_base64": "a"},
    "no-base64": lambda reject: {**reject, "raw_base64": "!!!!"},
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_is_refused_at_its_line(output: Path, case: str) -> None:
    rejects = side(output, "rejects")
    found = refused("IMC-1015", file_of([rejects[1], GARBAGE[case](rejects[0])], output.parent / "x"), output)
    assert str(found.place).endswith("/x:2")
    assert isinstance(found, UsageError)


@pytest.mark.parametrize("line", [b"garbage", b"{", b"\xff", b'{"file": "a"}', b"\0"])
def test_lines_that_are_no_json_are_refused(output: Path, line: bytes) -> None:
    (output.parent / "x").write_bytes(line + b"\n")
    refused("IMC-1015", output.parent / "x", output)


def test_an_input_name_that_two_inputs_have_is_refused(output: Path) -> None:
    """It can't be told which of them is meant."""
    path = output / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"file": "b"', b'"file": "a"'))
    refused("IMC-1015", corrected(output, GOOD), output)


@pytest.mark.parametrize("place", [{"line": 99}, {"offset": 1}, {"line": 2**80}, {"line": -1}])
def test_records_that_are_no_rejects_are_passed_over(output: Path, place: dict[str, int]) -> None:
    before = tree(output)
    rejects = [{**reject, "raw": easemob(101).decode(), **place} for reject in side(output, "rejects")[:1]]
    assert replayed(file_of(rejects, output.parent / "x"), output).again
    assert differing(before, output) == []


def test_an_empty_file_changes_nothing(output: Path) -> None:
    before = tree(output)
    assert replayed(file_of([], output.parent / "x"), output).again
    assert differing(before, output) == []


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_rejects_taken_out_by_hand_are_missed(output: Path, kept: int) -> None:
    path = corrected(output, GOOD)
    lines = (output / "rejects.ndjson").read_bytes().splitlines(keepends=True)
    (output / "rejects.ndjson").write_bytes(b"".join((lines * 2)[:kept]))
    refused("IMC-1018", path, output)


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    for folder in (tmp_path / "empty", tmp_path / "half" / ".work"):
        folder.mkdir(parents=True)
    for output in (tmp_path / "empty", tmp_path / "half", tmp_path / "none"):
        with pytest.raises(UsageError) as caught:
            replayed(path, output)
        assert caught.value.code == "IMC-1014"
    assert not (tmp_path / "none").exists()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[: data.rindex(b"\n", 0, -1) + 1],
    "longer": lambda data: data + data[: data.index(b"\n") + 1],
    "other": lambda data: data.replace(b"hi", b"ho"),
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_shard_is_found(output: Path, case: str) -> None:
    path = output / "p2p-00001.txt"
    path.write_bytes(DAMAGE[case](path.read_bytes()))
    assert isinstance(refused("IMC-6002", corrected(output, GOOD), output), IntegrityError)


def test_an_index_that_ends_too_early_is_found(output: Path) -> None:
    path = output / index.FOLDER / "p2p-00001.idx"
    path.write_bytes(path.read_bytes()[:8])
    refused("IMC-6002", corrected(output, GOOD), output)


# --- crashes and workers ---


def test_killed_at_publishing_it_is_finished_by_the_same_command(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = corrected(output, GOOD)
    real, calls = publish._move, [0]

    def dying(source: Path, target: Path) -> None:
        calls[0] += 1
        if calls[0] == dies:
            raise KeyboardInterrupt
        real(source, target)

    twin = tmp_path / "twin"
    run(options(tmp_path / "in", twin, source="easemob"))
    replayed(path, twin)
    for dies in (1, 3, 6, 10):
        run(options(tmp_path / "in", tmp_path / f"out{dies}", source="easemob"))
        calls[0] = 0
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(publish, "_move", dying)
            replayed(path, tmp_path / f"out{dies}")
        outcome = replayed(path, tmp_path / f"out{dies}")
        assert outcome.exit_code == 0
        assert differing(twin, tmp_path / f"out{dies}") == []
        balanced(tmp_path / f"out{dies}")


def test_killed_before_publishing_it_starts_anew(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = corrected(output, GOOD), tree(output)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(publish, "announce", stopped)
        replayed(path, output)
    assert differing(before, output) == []
    (output / ".work").mkdir()
    (output / ".work" / "part-00000.p2p").write_bytes(b"rest of a replay that was killed")
    replayed(path, output)
    assert balanced(output)["totals"]["rejected"] == 0


def stopped(*found: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("policy", ["quarantine", "rekey"])
def test_workers_do_not_show(tmp_path: Path, policy: str) -> None:
    records = [easemob(n, team=n % 3 == 0) if n % 4 else b"bad %d\n" % n for n in range(1, 60)]
    outputs = []
    for jobs in (1, 2):
        output = tmp_path / str(jobs)
        run(options(exported(tmp_path, a=records, b=records[:9]), output, source="easemob"))
        wanted = {(file, n): easemob(n + n % 8 // 4, "x") for file in "ab" for n in range(4, 60, 4)}
        replayed(corrected(output, wanted), output, jobs=jobs, on_conflict=policy)
        balanced(output)
        outputs.append(output)
    assert differing(*outputs) == []


# --- the same as from scratch ---


def messages(output: Path) -> list[bytes]:
    return sorted(line for stream in content(output).values() for line in stream.splitlines())


@pytest.mark.parametrize("seed", range(6))
def test_a_replay_comes_to_what_a_new_conversion_comes_to(tmp_path: Path, seed: int) -> None:
    """The same messages and counts, with any share of damage, duplicates among them."""
    random = Random(seed)
    good = {name: [any_record(random, seed) for _ in range(random.randrange(1, 25))] for name in "abc"}
    hurt = {name: [hurt_one(random, record) for record in records] for name, records in good.items()}
    output = began(tmp_path, **hurt)
    places = {(name, line): record for name in good for line, record in enumerate(good[name], 1)}
    for share in (0.5, 1):
        some = {place: record for place, record in places.items() if random.random() < share}
        replayed(corrected(output, some, only=random.random() < 0.5), output, jobs=random.choice((1, 1, 2)))
        balanced(output)
    whole = tmp_path / "whole"
    run(options(exported(tmp_path, **good), whole, source="easemob"))
    assert messages(whole) == messages(output)
    assert balanced(whole)["totals"] == balanced(output)["totals"]
    assert accounts(whole) == accounts(output)


def accounts(output: Path) -> list[tuple[str, int, int]]:
    """What stays the same for each input whichever of two equal messages is kept."""
    found = balanced(output)["inputs"]
    return [(source["file"], source["account"]["read"], source["account"]["skipped"]) for source in found]


def any_record(random: Random, seed: int) -> bytes:
    """A message with few ids; texts follow from the id, so that there are duplicates but no conflicts."""
    number = random.randrange(1, 30)
    if random.random() < 0.05:
        return recall(number + 1000, number)
    return easemob(number, f"text {number * seed}", team=number % 3 == 0, bodies=1 + (number % 7 == 0))


def hurt_one(random: Random, record: bytes) -> bytes:
    if random.random() < 0.6:
        return record
    return random.choice((b"\xe9" + record, record[:25] + b"\n", record.replace(b'"bodies"', b'"other"'), b"{}\n"))


# --- the command ---


def test_the_command(output: Path) -> None:
    path = corrected(output, GOOD)
    found = cli("--replay", path, output, "--latest", LATEST)
    assert (found.returncode, found.stderr) == (0, b"")
    again = cli("--replay", path, output, "--latest", LATEST, IMCONVERT_LANG="zh")
    assert again.returncode == 0
    assert WORDS["zh"]["again"].encode() in again.stdout
    assert json.loads((output / "run.json").read_bytes())["replayed"] == 3


def test_replay_takes_no_input(output: Path) -> None:
    found = cli("--replay", output / "rejects.ndjson", "in", output)
    assert found.returncode == 2
    assert b"--replay takes OUT alone" in found.stderr
