"""Derived message numbers: one for each source id, one source id for each, whatever the cut of the work.

Plan: the numbers are masked to a few bits, below everything that derives them, so that ids collide all the time; forked
workers inherit the mask. The oracle knows each line's source id and body by its text and checks what has to hold, with
dicts. Numbers of its own it derives only to know which id may keep one.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.small_jobs import CLOCK, START, differing, easemob, options, run, side
from xxhash import xxh3_64_intdigest

import imconvert.convert.map.part
import imconvert.convert.resolve.keys
import imconvert.convert.resolve.settle
import imconvert.convert.seal.source_index
import imconvert.model
from imconvert import durable
from imconvert.audit.explain import explain_message
from imconvert.cli.progress import Silent
from imconvert.convert.check import check
from imconvert.convert.finished.replay import replay
from imconvert.convert.seal import source_index

BITS = 0x7F
FEW = [f"id-{number:02}" for number in range(24)]


class Sent(NamedTuple):
    source_id: str
    sender: str
    bodies: int
    version: int

    def record(self) -> bytes:
        texts = [f"{self.source_id} {body} v{self.version}" for body in range(self.bodies)]
        payload = {"bodies": [{"type": "txt", "msg": text} for text in texts], "from": self.sender, "to": "u1"}
        record = {"msg_id": self.source_id, "timestamp": START, "chat_type": "chat", "payload": payload}
        return json.dumps(record).encode() + b"\n"


class Written(NamedTuple):
    source_id: str
    body: int
    sender: str
    msgid: int


messages = st.builds(
    Sent, st.sampled_from([*FEW, "7000", "99000"]), st.sampled_from(["a", "b"]), st.integers(1, 2), st.integers(1, 2)
)
shapes = st.fixed_dictionaries(
    {"segment": st.sampled_from([300, 900, 9000]), "run": st.integers(1, 9), "budget": st.integers(1, 9)}
)


def masked(data: bytes) -> int:
    return xxh3_64_intdigest(data) & BITS


def own_number(source_id: str, body: int) -> int:
    """The number that an id has, or derives, as docs/formats.md says."""
    if body == 0 and source_id.isdigit():
        return int(source_id)
    text = f"part\0{source_id}#{body}" if body else f"easemob\0{source_id}"
    return masked(text.encode()) or 1


def back(line: bytes) -> Written:
    data = json.loads(line)["data"]
    source_id, body, _ = data["body"].split()
    return Written(source_id, int(body), data["from"], data["msgid"])


def small_work(patch: pytest.MonkeyPatch, shape: dict[str, int]) -> None:
    patch.setattr(imconvert.model, "xxh3_64_intdigest", masked)
    for module, name in (
        (imconvert.convert.resolve.settle, "ResolveJob"),
        (imconvert.convert.resolve.keys, "NumbersJob"),
        (imconvert.convert.resolve.keys, "partitions"),
    ):
        patch.setattr(module, name, functools.partial(getattr(module, name), budget=shape["budget"]))
    patch.setattr(imconvert.convert.map.part, "RUN", shape["run"])
    patch.setattr(imconvert.convert.seal.source_index, "RUN", shape["run"])


def converted(folder: Path, sent: list[Sent], shape: dict[str, int], **more: Any) -> tuple[list[Written], Any]:
    (folder / "in").write_bytes(b"".join(one.record() for one in sent))
    with pytest.MonkeyPatch.context() as patch:
        small_work(patch, shape)
        wish = options(folder / "in", folder / "out", source="easemob", segment_size=shape["segment"], **more)
        manifest = run(wish).manifest
    shards = [(folder / "out" / shard.name).read_bytes().splitlines() for shard in manifest.shards]
    return [back(line) for lines in shards for line in lines], manifest


def expected_left(sent: list[Sent]) -> Counter[str]:
    """Duplicates and conflicts among lines that have the same id, body and sender, as if no numbers collided."""
    seen: dict[Any, int] = {}
    left: Counter[str] = Counter()
    for one in sent:
        for body in range(one.bodies):
            content = one.version, one.bodies if one.bodies > 1 else 0
            first = seen.setdefault((one.source_id, body, one.sender), content)
            seen[one.source_id, body, one.sender, "met"] = 1 + seen.get((one.source_id, body, one.sender, "met"), 0)
            if seen[one.source_id, body, one.sender, "met"] > 1:
                left["duplicates" if first == content else "conflicts"] += 1
    return left


def keepers(sent: list[Sent]) -> dict[int, tuple[str, int]]:
    """For each derived number the id and body that came first with it."""
    found: dict[int, tuple[str, int]] = {}
    for one in sent:
        for body in range(one.bodies):
            if body or not one.source_id.isdigit():
                found.setdefault(own_number(one.source_id, body), (one.source_id, body))
    return found


@settings(max_examples=40, deadline=None)
@given(sent=st.lists(messages, max_size=40), shape=shapes)
def test_an_id_has_one_number_and_a_derived_number_one_id(sent: list[Sent], shape: dict[str, int]) -> None:
    with TemporaryDirectory() as folder:
        written, manifest = converted(Path(folder), sent, shape)
    numbers: dict[Any, set[int]] = {}
    ids: dict[int, set[Any]] = {}
    for line in written:
        numbers.setdefault((line.source_id, line.body), set()).add(line.msgid)
        if line.body or not line.source_id.isdigit():
            ids.setdefault(line.msgid, set()).add((line.source_id, line.body))
    assert [found for found in numbers.values() if len(found) > 1] == []
    assert [found for found in ids.values() if len(found) > 1] == []
    moved = {one for one, found in numbers.items() if found != {own_number(*one)}}
    assert {one for one in numbers if keepers(sent).get(own_number(*one)) not in (one, None)} >= moved
    assert [number for number, one in keepers(sent).items() if one in moved] == []
    assert (manifest.collisions.ids if manifest.collisions else 0) == len(moved)
    lines = sum((line.source_id, line.body) in moved for line in written)
    assert (manifest.collisions.lines if manifest.collisions else 0) == lines
    left = Counter(duplicates=manifest.totals.duplicates, conflicts=manifest.totals.conflicts)
    assert expected_left(sent) == +left


@settings(max_examples=12, deadline=None)
@given(sent=st.lists(messages, max_size=40), shape=shapes, policy=st.sampled_from(["quarantine", "keep-last", "rekey"]))
def test_the_cut_of_the_work_never_shows(sent: list[Sent], shape: dict[str, int], policy: str) -> None:
    found = []
    for cut in (shape, {"segment": 9000, "run": 1 << 17, "budget": 1 << 19}):
        with TemporaryDirectory() as folder:
            written, manifest = converted(Path(folder), sent, cut, on_conflict=policy)
            keys = [line["key"] for name in ("duplicates", "conflicts") for line in side(Path(folder, "out"), name)]
            found.append((written, keys, manifest.totals, manifest.collisions))
    assert found[0] == found[1]


@settings(max_examples=40, deadline=None)
@given(sent=st.lists(messages, max_size=40), shape=shapes)
def test_rekeyed_lines_keep_clear_of_collisions(sent: list[Sent], shape: dict[str, int]) -> None:
    with TemporaryDirectory() as folder:
        written, manifest = converted(Path(folder), sent, shape, on_conflict="rekey")
    keys = [(line.msgid, line.sender) for line in written]
    assert len(keys) == len(set(keys)) == manifest.totals.written
    assert manifest.totals.conflicts == 0


def many(count: int) -> list[Sent]:
    return [Sent(FEW[number % len(FEW)], "ab"[number % 5 == 0], 1 + number % 2, 1 + (number % 7 == 0))
            for number in range(count)]  # fmt: skip


def test_workers_change_nothing(tmp_path: Path) -> None:
    shape = {"segment": 500, "run": 3, "budget": 5}
    manifests = []
    for jobs in (1, 3):
        (tmp_path / str(jobs)).mkdir()
        manifests.append(converted(tmp_path / str(jobs), many(70), shape, jobs=jobs)[1])
    assert manifests[0].collisions.ids > 3
    assert differing(tmp_path / "1" / "out", tmp_path / "3" / "out") == []


def test_check_tells_what_a_run_tells(tmp_path: Path) -> None:
    shape = {"segment": 500, "run": 3, "budget": 5}
    _, told = converted(tmp_path, many(70), shape)
    with pytest.MonkeyPatch.context() as patch:
        small_work(patch, shape)
        found = check(options(tmp_path / "in", tmp_path, source="easemob"), None, Silent(), CLOCK, {}).manifest
    assert (told.totals, told.collisions.ids) == (found.totals, found.collisions.ids)


def test_explain_follows_an_id_to_its_other_number(tmp_path: Path) -> None:
    """Every id is found by name, wherever its lines are and whatever their numbers."""
    sent = many(70)
    written, _ = converted(tmp_path, sent, {"segment": 500, "run": 3, "budget": 5})
    for name in FEW:
        places = [(found.line, found.code) for found in explain_message(tmp_path / "out", name) if found.code is None]
        expected = [number for number, one in enumerate(sent, 1) if one.source_id == name]
        assert len(places) == sum(line.source_id == name for line in written)
        assert {line for line, _ in places} <= set(expected)
        met = {found.line for found in explain_message(tmp_path / "out", name)}
        assert met == set(expected)


def test_numbers_of_the_source_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"".join(easemob(number) for number in range(1, 60)))
    manifest = run(options(tmp_path / "in", tmp_path / "out", source="easemob")).manifest
    assert (manifest.sources, manifest.collisions) == ([], None)
    assert list((tmp_path / "out" / "index").glob("*.ids")) == []


@settings(max_examples=12, deadline=None)
@example(sent=[Sent("id-15", "a", 1, 1), Sent("id-19", "a", 1, 1)], late=[Sent("id-19", "a", 1, 1)])
@given(sent=st.lists(messages, min_size=1, max_size=25), late=st.lists(messages, min_size=1, max_size=6))
def test_replayed_ids_have_the_numbers_of_the_finished_output(sent: list[Sent], late: list[Sent]) -> None:
    """A replayed record of an id that is there gets its number; one of a new id gets none that is taken."""
    shape = {"segment": 900, "run": 3, "budget": 5}
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        (folder / "in").write_bytes(b"".join(one.record() for one in sent) + b"not json\n" * len(late))
        small_work(patch, shape)
        run(options(folder / "in", folder / "out", source="easemob", segment_size=shape["segment"]))
        rejects = side(folder / "out", "rejects")
        mended = [json.dumps(line | {"raw": one.record().decode()}) for line, one in zip(rejects, late, strict=True)]
        (folder / "mended").write_text("\n".join(mended) + "\n")
        manifest = replay(folder / "mended", options(folder, folder / "out"), Silent(), CLOCK, {}).manifest
        written = [back(line) for shard in manifest.shards for line in lines_of(folder / "out" / shard.name)]
        told = {name: {n for n, _, _ in found(folder / "out", manifest, name)} for name in FEW}
    derived = [line for line in written if line.body or not line.source_id.isdigit()]
    numbers, ids = (
        {getter(line): set[Any]() for line in derived} for getter in (lambda line: line[:2], lambda line: line.msgid)
    )
    for line in derived:
        numbers[line[:2]].add(line.msgid)
        ids[line.msgid].add(line[:2])
    assert [row for row in (*numbers.values(), *ids.values()) if len(row) > 1] == []
    left = Counter(duplicates=manifest.totals.duplicates, conflicts=manifest.totals.conflicts)
    assert expected_left([*sent, *late]) == +left
    for line in written:
        if line.source_id in told:
            assert line.msgid in told[line.source_id]


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def found(output: Path, manifest: Any, source_id: str) -> list[tuple[int, int, int]]:
    rows: list[tuple[int, int, int]] = []
    for each in manifest.sources:
        with durable.Reader(output / "index" / each.name) as reader:
            rows += source_index.find(reader, source_id)
    return rows
