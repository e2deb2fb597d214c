"""Keys that travel in blocks lead to the same decisions as keys in files; what attempts write is whole or not there."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import defaultdict
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imconvert import durable
from imconvert.convert.map import part as parts_module
from imconvert.convert.map.part import KeyRuns
from imconvert.convert.pool import Pool
from imconvert.convert.resolve.keys import OwnKeys, key_file
from imconvert.convert.resolve.partition import ResolveJob
from imconvert.convert.spark import shuffle
from imconvert.convert.spark.shuffle import Share, Source
from imconvert.convert.work import CONFLICT, DUPLICATE, KEY, Decided, PartMarker, WorkFolder, place_number
from imconvert.durable import attempts
from imconvert.errors import IntegrityError

few = st.integers(0, 6)
"""What stands for a key: few enough to meet again."""
exports = st.lists(st.lists(st.tuples(few, few), max_size=30), min_size=1, max_size=5)
shapes = st.fixed_dictionaries(
    {
        "run": st.integers(1, 7),
        "hold": st.integers(1, 9),
        "block": st.integers(1, 4),
        "bits": st.integers(0, 4),
        "senders": st.integers(1, 6),
        "groups": st.integers(1, 4),
        "rows": st.integers(1, 9),
        "last_wins": st.booleans(),
    }
)


def key_rows(segment: int, found: list[tuple[int, int]]) -> Any:
    """KEY rows whose hash depends on the first number, whose digest is the second."""
    rows = np.zeros(len(found), KEY)
    for at, (key, content) in enumerate(found):
        rows[at] = (key * 0x2492492492492493 % (1 << 64), key, content, place_number(segment, at % 2, at // 2))
    return rows[np.argsort(rows["place"], kind="stable")]


def written(work: WorkFolder, export: list[list[tuple[int, int]]]) -> list[PartMarker]:
    """The parts of an export, as far as keys are concerned."""
    markers = []
    for segment, found in enumerate(export):
        runs = KeyRuns(work, segment)
        for row in key_rows(segment, found):
            runs.add(row.reshape(1))
        runs.flush()
        for writer in (runs.keys, runs.buckets):
            writer.finish()
        files = {runs.keys.path.name: parts_module.FileSum(runs.keys.size, runs.keys.digest)}
        markers.append(PartMarker(segment, "", [], [], runs.runs, {}, {}, {}, {}, {}, 0, files))
    return markers


def expected(export: list[list[tuple[int, int]]], *, last_wins: bool) -> dict[int, tuple[int, int]]:
    """By place of each line left out: the place that stays, and the kind. The plainest way there is."""
    rows = [tuple(map(int, row)) for segment, found in enumerate(export) for row in key_rows(segment, found)]
    groups: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[3], reverse=last_wins):
        groups[row[:2]].append(row)
    return {
        row[3]: (group[0][3], DUPLICATE if row[2] == group[0][2] else CONFLICT)
        for group in groups.values()
        for row in group[1:]
    }


def exchanged(work: WorkFolder, parts: list[PartMarker], shape: dict[str, Any], job: ResolveJob) -> Decided:
    """What Spark does, in this process: blocks sorted by partition, shares sorted by segment; all in odd order."""
    sources = [
        Source(
            number, work.part(part.segment, "keys"), tuple(part.runs), part.files[f"part-{part.segment:05}.keys"].digest
        )
        for number, part in enumerate(parts)
    ]
    chance = random.Random(7)
    blocks = [
        block for some in shuffle.chunks(sources, shape["senders"]) for block in shuffle.blocks(some, shape["bits"])
    ]
    chance.shuffle(blocks)
    blocks.sort(key=lambda block: block[0], reverse=job.last_wins)
    shares: list[tuple[Share, bytes]] = []
    for partition, mine in groupby(blocks, key=lambda block: block[0].partition):
        shares += shuffle.found_drops(job, partition, list(mine), len(sources))
    chance.shuffle(shares)
    shares.sort(key=lambda share: share[0])
    groups = min(shape["groups"], len(parts))
    files: dict[str, Any] = {}
    kinds: dict[int, list[int]] = {}
    for group in range(groups):
        mine = range(-(-group * len(parts) // groups), -(-(group + 1) * len(parts) // groups))
        found = shuffle.write_lists(work, mine, [one for one in shares if one[0].segment in mine])
        files |= found.files
        kinds |= found.kinds
    return Decided(files, kinds)


@given(exports, shapes)
@settings(max_examples=150, deadline=None)
def test_blocks_and_files_lead_to_the_same_drops(export: list[list[tuple[int, int]]], shape: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module, "RUN", shape["run"])
        patch.setattr(shuffle, "HOLD", shape["hold"] * KEY.itemsize)
        patch.setattr(shuffle, "BLOCK", shape["block"] * KEY.itemsize)
        patch.setattr(shuffle, "ROWS", shape["rows"])
        work = WorkFolder(Path(folder))
        parts = written(work, export)
        job = ResolveJob(work.path, "yunxin", 0, 0, 0, (), last_wins=shape["last_wins"], confirm=False)
        with Pool(1, tick=lambda done: None) as pool:
            alone = OwnKeys(work, pool).decide(parts, job)
        together = exchanged(work, parts, shape, job)
        lists = b"".join((work.path / name).read_bytes() for name in together.files)
        assert work.drops.read_bytes() == lists
        assert alone.kinds == together.kinds
        rows = np.frombuffer(lists, shuffle.DROP)
        told = {int(row["place"]): (int(row["winner"]), int(row["kind"])) for row in rows}
        assert expected(export, last_wins=shape["last_wins"]) == told


def test_keys_that_were_damaged_are_not_believed(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    part = written(work, [[(1, 1), (2, 2)]])[0]
    path = work.part(0, "keys")
    source = Source(0, path, tuple(part.runs), part.files[path.name].digest)
    assert list(shuffle.blocks([source], 1))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="IMC-6002"):
        list(shuffle.blocks([source], 1))


@pytest.mark.parametrize(("rows", "cores", "bits"), [(0, 8, 0), (1000, 8, 0), (1 << 21, 1, 0), (1 << 20, 8, 3),
                                                     (1 << 24, 1, 3), (1 << 24, 200, 8)])  # fmt: skip
def test_partitions_fit_the_memory_and_the_cores(rows: int, cores: int, bits: int) -> None:
    assert bits == shuffle.bits_for(rows, cores)


def test_files_go_to_senders_in_order_and_none_is_lost() -> None:
    chance = random.Random(3)
    for _ in range(200):
        sources = [
            Source(number, Path(str(number)), tuple(chance.randrange(5) for _ in range(chance.randrange(4))))
            for number in range(chance.randrange(12))
        ]
        cut = shuffle.chunks(sources, chance.randrange(1, 9))
        assert sources == [source for some in cut for source in some]
        assert all(cut)


def fill(work: Path) -> None:
    """Write a few files as a job would: a file, a linked one, one in a folder, the marker."""
    writer = durable.Writer(work / "part-00001.p2p")
    writer.write(b"line\n" * 10)
    writer.finish()
    assert durable.link(work / "part-00001.p2p", work / "p2p-00001.txt")
    durable.make_folder(work / "media" / "ab")
    inner = durable.Writer(work / "media" / "ab" / "abc")
    inner.write(b"sound")
    inner.finish()
    assert durable.read_file(work / "part-00001.p2p") == b"line\n" * 10
    assert durable.intact(work / "part-00001.p2p", writer.size, writer.digest)
    durable.replace_file(work / "part-00001.json", b"{}")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    durable.replace_file(tmp_path / attempts.TURN, b"now")
    return tmp_path


def test_an_attempt_gives_names_to_what_is_whole(work: Path) -> None:
    before = tree(work)
    with attempts.attempted(work, "one", "now") as attempt:
        fill(work)
        assert before == {name: data for name, data in tree(work).items() if attempts.FOLDER not in name}
        attempts.publish(attempt)
    wanted = {"part-00001.p2p": b"line\n" * 10, "p2p-00001.txt": b"line\n" * 10, "media/ab/abc": b"sound",
              "part-00001.json": b"{}", attempts.TURN: b"now"}  # fmt: skip
    assert wanted == tree(work)
    assert list((work / attempts.FOLDER).iterdir()) == []


def test_two_attempts_at_once_leave_one_of_each_file(work: Path) -> None:
    with attempts.attempted(work, "one", "now") as first:
        fill(work)
        with attempts.attempted(work, "two", "now") as second:
            fill(work)
            attempts.publish(second)
        once = tree(work)
        attempts.publish(first)
    assert {name: data for name, data in once.items() if attempts.FOLDER not in name} == tree(work)


def test_an_attempt_that_fails_leaves_nothing(work: Path) -> None:
    before = tree(work)
    with pytest.raises(ZeroDivisionError), attempts.attempted(work, "one", "now"):
        fill(work)
        raise ZeroDivisionError
    assert before == tree(work)


def test_an_attempt_whose_time_is_over_publishes_nothing(work: Path) -> None:
    with attempts.attempted(work, "one", "now") as attempt:
        fill(work)
        (work / attempts.TURN).write_text("later")
        with pytest.raises(IntegrityError, match="IMC-6142"):
            attempts.publish(attempt)
    assert {attempts.TURN: b"later"} == tree(work)


def test_what_stands_already_is_read_where_the_attempt_has_nothing(work: Path) -> None:
    durable.replace_file(work / "plan.json", b"plan")
    with attempts.attempted(work, "one", "now"):
        assert durable.read_file(work / "plan.json") == b"plan"
        assert durable.read_file(work / "missing") is None
        durable.remove(work / "plan.json")
        assert durable.exists(work / "plan.json")
    assert durable.read_file(work / "plan.json") == b"plan"


def _publish_or_die(work: Path, at: int) -> None:
    real, seen = os.replace, 0

    def replace(source: Any, target: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            os._exit(1)
        real(source, target)

    with attempts.attempted(work, f"try-{at}", "now") as attempt:
        fill(work)
        os.replace = replace
        attempts.publish(attempt)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_marker_comes_last_wherever_an_attempt_dies(work: Path) -> None:
    codes = []
    for at in range(1, 6):
        child = multiprocessing.get_context("fork").Process(target=_publish_or_die, args=(work, at))
        child.start()
        child.join()
        codes.append(child.exitcode)
        assert (work / "part-00001.json").exists() == (at == 5)
    assert codes == [1, 1, 1, 1, 0]


def test_key_files_are_found_by_prefix(tmp_path: Path) -> None:
    found = key_file(WorkFolder(tmp_path), 3, [4, 5], "numbers.")
    assert (tmp_path / "part-00003.numbers.keys", (4, 5)) == (found.path, found.runs)
