"""Shards of targets that are loaded in time order: the same messages as without order, bucketed, sorted, finished.

Plan: small exports are converted in this process with tiny windows and buckets; what stands in the shards is compared
with the lines of the parts, which plain Python sorts. Then the run is killed, and cut otherwise.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from golden import CLOCK, LATEST
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_jobs import (
    cli,
    differing,
    easemob,
    fast_folder,
    options,
    run,
    small_inputs,
    yunxin,
)
from test_crash import Job, kill_everywhere

from imconvert.audit.explain import explain_message
from imconvert.cli.progress import Silent
from imconvert.convert.arrange import arranger, runs, scatter
from imconvert.convert.arrange.arranger import Arranger, bits_for
from imconvert.convert.finished.replay import replay
from imconvert.convert.map import spread
from imconvert.convert.run import Run
from imconvert.convert.seal import index
from imconvert.durable import Reader
from imconvert.errors import IntegrityError, UsageError
from imconvert.model import Notes
from imconvert.vendors import TARGETS
from imconvert.vendors import settings as known_settings
from imconvert.vendors.contract import Arrange, Placed, Request

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

SEED = int(os.environ.get("IMCONVERT_SEED", "1"))
STRIDE = int(os.environ.get("IMCONVERT_CRASH_STRIDE", "1"))
START = 1_711_000_000_000
TINY = (("WANTED_BYTES", arranger, 700), ("WINDOW_BYTES", arranger, 900), ("MOST_WINDOW", arranger, 900),
        ("WINDOW_BYTES", runs, 900), ("MOST_ROWS", runs, 5), ("MOST_OPEN", runs, 2),
        ("LEAST", spread, 600), ("MOST", spread, 900))  # fmt: skip


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch)


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Windows, ranges and buckets so small that a few lines fill several."""
    for name, module, value in TINY:
        patch.setattr(module, name, value)


def requests(folder: Path, stream: str = "*") -> dict[str, list[dict[str, Any]]]:
    """The lines of each shard."""
    return {
        path.name: [json.loads(line) for line in path.read_bytes().splitlines()]
        for path in sorted(folder.glob(f"{stream}-*.ndjson"))
    }


def record(number: int, sender: str, to: str, time: int, team: bool) -> bytes:
    ends: dict[str, Any] = {"accid": sender, "tid": 70 + len(to)} if team else {"from": sender, "to": to}
    data = {"msgid": number, **ends, "createTime": START + time, "clientType": 1, "body": f"{number}"}
    return json.dumps({"type": 0, "data": data}).encode() + b"\n"


people = st.sampled_from(["a", "b", "cc", "a.b"])
records = st.lists(st.builds(record, st.integers(1, 30), people, people, st.integers(0, 6), st.booleans()), max_size=40)


@settings(max_examples=20, deadline=None)
@given(made=records, files=st.integers(1, 3), size=st.sampled_from([150, 600, 1 << 20]))
def test_arranging_is_a_sorted_permutation(made: list[bytes], files: int, size: int) -> None:
    """Nothing is lost, doubled or changed but for times; a conversation is in one shard, by time and source."""
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        folder = Path(name)
        (folder / "in").mkdir()
        for number in range(files):
            (folder / "in" / f"{number}.txt").write_bytes(b"".join(made[number::files]) or b"\n")
        plain = run(options(folder / "in", folder / "plain", segment_size=size)) if made else None
        if not made or not plain or not plain.manifest.totals.written:
            return
        found = run(options(folder / "in", folder / "out", segment_size=size, target="easemob")).manifest
        assert (plain.manifest.totals, plain.manifest.streams) == (found.totals, found.streams)
        shards = requests(folder / "out")
        lines = [line for some in shards.values() for line in some]
        originals = [
            json.loads(line)
            for shard in sorted((folder / "plain").glob("*.txt"))
            for line in shard.read_bytes().splitlines()
        ]
        assert Counter(map(told, originals)) == Counter(map(told_by_request, lines))
        homes = defaultdict(set)
        for name, some in shards.items():
            for line in some:
                homes[line["api"], line["conv"]].add(name)
        assert {1} == {len(names) for names in homes.values()}
        for conv in homes:
            mine = [line for line in lines if (line["api"], line["conv"]) == conv]
            assert mine == sorted(mine, key=lambda line: line["time"])
            stamps = [line["body"]["msg_timestamp"] for line in mine]
            assert stamps == least([line["time"] for line in mine])


def told(line: dict[str, Any]) -> tuple[Any, ...]:
    data = line["data"]
    team = "tid" in data
    ends = (data["accid"], str(data["tid"])) if team else (data["from"], data["to"])
    return team, *ends, data["msgid"], data["createTime"], data["body"]


def told_by_request(line: dict[str, Any]) -> tuple[Any, ...]:
    body = line["body"]
    number, time, sender = line["key"].split("/")
    assert (sender, int(time)) == (body["from"], line["time"])
    team = line["api"] == "messages/chatgroups/import"
    return team, body["from"], body["target"], int(number), line["time"], body["body"]["msg"]


def least(times: list[int]) -> list[int]:
    """The least times that rise strictly and are not earlier."""
    found: list[int] = []
    for time in times:
        found.append(max([time, *(last + 1 for last in found[-1:])]))
    return found


def test_equal_times_keep_the_order_of_the_source(tmp_path: Path, tiny: None) -> None:
    """Across files, segments and runs."""
    source = tmp_path / "in"
    source.mkdir()
    for file in range(4):
        lines = [
            record(file * 10 + n, "a" if n % 2 else "b", "b" if n % 2 else "a", 0, team=False) for n in range(1, 9)
        ]
        (source / f"{file}.txt").write_bytes(b"".join(lines))
    run(options(source, tmp_path / "out", segment_size=300, target="easemob"))
    found = [line["body"]["body"]["msg"] for lines in requests(tmp_path / "out").values() for line in lines]
    assert [str(file * 10 + n) for file in range(4) for n in range(1, 9)] == found


@pytest.mark.parametrize("target", ["easemob", "tencent"])
@pytest.mark.parametrize("more", [{"on_conflict": "rekey", "recalls": "mark"}, {"recalls": "drop"}])
def test_any_segments(tmp_path: Path, tiny: None, target: str, more: dict[str, Any]) -> None:
    """Shards and what they are told to be are the same however the input is cut."""
    small_inputs(tmp_path / "in")
    found = []
    for size in (250, 900, 1 << 20):
        folder = tmp_path / str(size)
        outcome = run(options(tmp_path / "in", folder, segment_size=size, target=target, **more))
        shards = {path.name: path.read_bytes() for path in folder.glob("*-*.ndjson")}
        found.append((shards, outcome.manifest.shards, outcome.manifest.totals, outcome.manifest.arranged))
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) > 2


def test_any_number_of_workers(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    chance = random.Random(SEED)
    for file in range(3):
        made = [yunxin(n, team=n % 3 == 0, time=START + chance.randrange(500)) for n in range(400)]
        (source / f"{file}.txt").write_bytes(b"".join(made))
    for jobs in (1, 2, 3):
        done = cli(source, tmp_path / str(jobs), "-q", "-j", jobs, "--segment-size", "9k", "--to", "easemob")
        assert done.returncode in (0, 3), done.stderr
    assert differing(tmp_path / "1", tmp_path / "2") == []
    assert differing(tmp_path / "1", tmp_path / "3") == []


@pytest.fixture
def folder() -> Iterator[Path]:
    with fast_folder() as made:
        yield made


@pytest.mark.parametrize("target", ["easemob", "tencent"])
def test_killed_at_any_operation(folder: Path, tiny: None, target: str) -> None:
    """Of the operations behind sealing every one or two, of the others a few: test_crash.py has them all."""
    job = Job(folder, target=target, recalls="mark", on_conflict="rekey")
    first = next(at for at, (_, name) in enumerate(job.log, 1) if "scatter" in str(name))
    every = list(job.points(1, SEED))
    late = [point for point in every if point[0] >= first][:: 23 * STRIDE]
    early = [point for point in every if point[0] < first][:: 97 * STRIDE]
    job.points = lambda stride, seed: iter([*early, *late])  # type: ignore[method-assign]
    kill_everywhere(job, 1)


def test_damaged_work_is_done_again(folder: Path, tiny: None) -> None:
    """A run that was stopped before publishing, whose scattered lines were changed since, ends with the same bytes."""
    job = Job(folder, target="easemob")
    last = max(at for at, (_, name) in enumerate(job.log, 1) if "bucket-" in str(name))
    job.killed("out", last + 1)
    work = folder / "out" / ".work"
    for path in (*work.glob("scatter-*.p2p"), *work.glob("team-*.ndjson")):
        path.write_bytes(path.read_bytes()[::-1])
    job.resumed("out")


def test_conversations_with_equal_hashes_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hash of few bits two of them collide, until another salt parts them."""
    source = tmp_path / "in"
    source.mkdir()
    names = [f"u{n}" for n in range(40)]
    pairs = {f"a·{name}".encode(): name for name in names}
    talks = scatter.hash_for(0, 8)
    twins = next([a, b] for a in pairs for b in pairs if a < b and talks(a) == talks(b))
    assert len({scatter.hash_for(1, 8)(twin) for twin in twins}) == 2
    made = [record(n, "a", pairs[twins[n % 2]], 0, team=False) for n in range(1, 20)]
    (source / "in.txt").write_bytes(b"".join(made))
    wide, narrow = (arranged(source, tmp_path / str(width), width) for width in (64, 8))
    assert [19, 2] == [len(narrow), len({line["conv"] for line in narrow})]
    assert sorted(wide, key=lambda line: line["key"]) == sorted(narrow, key=lambda line: line["key"])
    monkeypatch.setattr(arranger, "MOST_SALTS", 3)
    with pytest.raises(IntegrityError, match="IMC-6001"):
        arranged(source, tmp_path / "never", 0)


def arranged(source: Path, output: Path, width: int) -> list[dict[str, Any]]:
    """What a run gives whose hashes have so many bits."""

    class Narrow(Run):
        def _arrange(self, parts: Any, resolved: Any, bases: Any) -> Any:
            own = self.options.complete_settings()
            arranger = Arranger(
                self.work, self.target, self.pool, self._phase, bases, resolved, self.plan.vendor, own, width=width
            )
            return arranger.arrange(parts, resolved.basis)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imconvert.convert.run.Run", Narrow)
        run(options(source, output, target="easemob", segment_size=400))
    return [line for lines in requests(output).values() for line in lines]


@pytest.mark.parametrize(("target", "bodies"), [("easemob", 2), ("tencent", 1)])
def test_index_leads_from_messages_to_requests(tmp_path: Path, tiny: None, target: str, bodies: int) -> None:
    """Of a target that puts several messages into a request, too; and of source ids that are no numbers."""
    small_inputs(tmp_path / "in")
    outcome = run(options(tmp_path / "in", tmp_path / "out", target=target))
    for shard in outcome.manifest.shards:
        lines = (tmp_path / "out" / shard.name).read_bytes().splitlines()
        with Reader(tmp_path / "out" / "index" / index.name_of(shard.name)) as reader:
            numbers = [int(n) for block in index.blocks(reader) for n in block["request"]]
        assert sorted(numbers) == numbers
        assert (shard.lines, shard.count) == (len(lines), len(numbers))
        assert [messages_in(json.loads(line)) for line in lines] == [numbers.count(n) for n in range(1, len(lines) + 1)]
    found = list(explain_message(tmp_path / "out", "abc-1"))
    written = [one for one in found if one.code is None]
    assert bodies == len(written)
    for one in written:
        line = (tmp_path / "out" / str(one.shard)).read_bytes().splitlines()[one.shard_line - 1]  # type: ignore[operator]
        assert b"abc-1" in line


def messages_in(line: dict[str, Any]) -> int:
    return len(line["body"].get("MsgList", [None]))


@pytest.mark.parametrize("broken", [lambda lines: iter(()), lambda lines: (Request(b"{}", 99) for _ in lines)])
def test_a_finisher_that_loses_lines_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Any) -> None:
    own = TARGETS["easemob"]
    monkeypatch.setitem(TARGETS, "easemob", replace(own, arrange=Arrange(lambda settings, notes: broken)))
    (tmp_path / "in.ndjson").write_bytes(easemob(1) + easemob(2) + easemob(3))
    with pytest.raises(IntegrityError, match="IMC-6001"):
        run(options(tmp_path / "in.ndjson", tmp_path / "out", target="easemob"))


def test_requests_of_no_message_count_as_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand behind the lines that they belong to, and lead nowhere."""

    def doubled(lines: Iterator[Placed]) -> Iterator[Request]:
        for line in lines:
            yield Request(line.data)
            yield Request(line.data.replace(b"import", b"read"), 0)

    own = TARGETS["easemob"]
    monkeypatch.setitem(TARGETS, "easemob", replace(own, arrange=Arrange(lambda settings, notes: doubled)))
    (tmp_path / "in.ndjson").write_bytes(easemob(1) + easemob(4))
    found = run(options(tmp_path / "in.ndjson", tmp_path / "out", target="easemob")).manifest
    assert (2, 4, 2) == (found.totals.written, found.shards[0].lines, found.shards[0].count)
    assert [1, 3] == [one.shard_line for number in (1, 4) for one in explain_message(tmp_path / "out", str(number))]


def test_replay_is_refused(tmp_path: Path) -> None:
    small_inputs(tmp_path / "in")
    wanted = options(tmp_path / "in", tmp_path / "out", target="easemob")
    run(wanted)
    with pytest.raises(UsageError, match="IMC-1200"):
        replay(tmp_path / "out" / "rejects.ndjson", wanted, Silent(), CLOCK, {})


def test_again_is_nothing_to_do(tmp_path: Path) -> None:
    small_inputs(tmp_path / "in")
    wanted = options(tmp_path / "in", tmp_path / "out", target="easemob")
    assert (False, True) == (run(wanted).again, run(wanted).again)
    with pytest.raises(UsageError, match="IMC-1005"):
        run(options(tmp_path / "in", tmp_path / "out", target="tencent"))


@pytest.mark.parametrize(("size", "bits"), [(0, 0), (48 << 20, 0), ((48 << 20) + 1, 1), (1 << 30, 5), (1 << 40, 12)])
def test_buckets_follow_from_the_bytes(size: int, bits: int) -> None:
    assert bits == bits_for(size)


@given(times=st.lists(st.integers(0, 20), min_size=1, max_size=30).map(sorted))
def test_finisher_takes_every_line_in_its_turn(times: list[int]) -> None:
    """Lazily: a request is given before the next line is asked for."""
    arrange_ = TARGETS["easemob"].arrange
    assert arrange_
    asked: list[int] = []
    finish = arrange_.finisher({name: one.default for name, one in known_settings("auto").items()}, Notes())

    def lines() -> Iterator[Placed]:
        for time in times:
            asked.append(time)
            yield Placed(
                START + time, b'{"api":"x","body":{"ext":{"imconvert":{}},"msg_timestamp":%d}}' % (START + time)
            )

    for number, request in enumerate(finish(lines()), 1):
        assert (number, 1) == (len(asked), request.lines)
    assert len(asked) == len(times)


def test_latest_is_still_the_bound(tmp_path: Path) -> None:
    (tmp_path / "in.ndjson").write_bytes(easemob(1) + easemob(LATEST))
    assert 1 == run(options(tmp_path / "in.ndjson", tmp_path / "out", target="easemob")).manifest.totals.rejected
