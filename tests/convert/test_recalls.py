"""Recalled messages are kept, dropped or marked: the same for any order, cut and number of events.

Plan: tiny exports in which events and messages of few ids come in any order; the oracle knows each line by its text
and decides with sets. A vendor of the test's own tells conversations, for no export that is read today does.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import pytest
from golden import fidelity
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_jobs import CLOCK, START, content, differing, easemob, options, recall, run, side

import imconvert.convert.map.part
import imconvert.convert.resolve.drops
import imconvert.convert.resolve.keys
import imconvert.convert.resolve.lines
import imconvert.convert.resolve.partition
import imconvert.convert.resolve.recalls
import imconvert.convert.resolve.settle
import imconvert.vendors
from imconvert.cli import summary
from imconvert.cli.progress import Silent
from imconvert.convert.check import check
from imconvert.convert.finished.replay import replay
from imconvert.model import Skip

POLICIES = ("keep", "drop", "mark")
IDS = ["1", "2", "3", "9007199254740993", "a-1", "a-2", "长", "unknown", "00012"]


class Sent(NamedTuple):
    """A message, or (no bodies) the event that recalls one."""

    source_id: str
    bodies: int
    sender: str = "a"
    team: bool = False
    version: int = 1

    def record(self) -> bytes:
        if not self.bodies:
            payload: dict[str, Any] = {"bodies": [], "from": self.sender, "to": "7"}
            record = {"msg_id": "event", "timestamp": START, "chat_type": "recall", "recall_id": self.source_id}
        else:
            texts = [f"{self.source_id} {body} {self.version}" for body in range(self.bodies)]
            payload = {"bodies": [{"type": "txt", "msg": text} for text in texts], "from": self.sender, "to": "7"}
            record = {"msg_id": self.source_id, "timestamp": START, "chat_type": "groupchat" if self.team else "chat"}
        return json.dumps(record | {"payload": payload}, ensure_ascii=False).encode() + b"\n"


sent = st.lists(
    st.one_of(
        st.builds(
            Sent, st.sampled_from(IDS), st.integers(1, 2), st.sampled_from("ab"), st.booleans(), st.integers(1, 2)
        ),
        st.builds(Sent, st.sampled_from([*IDS, "none"]), st.just(0)),
    ),
    max_size=30,
)
shapes = st.fixed_dictionaries(
    {"segment": st.sampled_from([300, 900, 9000]), "small": st.integers(1, 6), "on_conflict":
     st.sampled_from(["quarantine", "keep-last", "rekey"])}
)  # fmt: skip


def small_work(patch: pytest.MonkeyPatch, small: int) -> None:
    """Tables, runs and partitions of a few rows, so that each step is taken in turns."""
    for module in (imconvert.convert.resolve.recalls, imconvert.convert.resolve.settle):
        patch.setattr(module, "CHUNK", small)
    patch.setattr(imconvert.convert.resolve.drops, "BUDGET", 4)
    patch.setattr(imconvert.convert.map.part, "RUN", small)
    job = functools.partial(imconvert.convert.resolve.partition.ResolveJob, budget=small)
    patch.setattr(imconvert.convert.resolve.settle, "ResolveJob", job)
    cut = functools.partial(imconvert.convert.resolve.partition.partitions, budget=small)
    patch.setattr(imconvert.convert.resolve.keys, "partitions", cut)


def convert(folder: Path, found: list[Sent], recalls: str, shape: dict[str, Any], **more: Any) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / "in").write_bytes(b"".join(one.record() for one in found))
    wish = options(folder / "in", folder / recalls, source="easemob", recalls=recalls, on_conflict=shape["on_conflict"],
                   segment_size=shape["segment"], **more)  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        small_work(patch, shape["small"])
        return run(wish).manifest


def datas(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["data"] for stream in content(folder).values() for line in stream.splitlines()]


def key(data: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(data.get(name) for name in ("msgid", "from", "to", "accid", "tid", "createTime"))


def recalled(data: dict[str, Any], events: set[str]) -> bool:
    return data["body"].split()[0] in events


@settings(max_examples=30, deadline=None)
@given(found=sent, shape=shapes)
def test_what_was_recalled_goes_and_all_else_stays(found: list[Sent], shape: dict[str, Any]) -> None:
    """Against the output that keeps everything: by the ids in the texts, and by nothing that the converter says."""
    events = {one.source_id for one in found if not one.bodies} - {"unknown"}
    with TemporaryDirectory() as name:
        folder = Path(name)
        totals = {policy: convert(folder, found, policy, shape).totals for policy in POLICIES}
        kept, dropped, marked = (datas(folder / policy) for policy in POLICIES)
        skipped = [line for line in side(folder / "drop", "skipped") if line["code"] == "IMC-8140"]
    stays = [data for data in kept if not recalled(data, events)]
    gone = [data for data in kept if recalled(data, events)]
    assert stays == dropped
    assert [key(data) for data in kept] == [key(data) for data in marked]
    assert stays == [data for data in marked if "body" in data]
    assert all(data["attach"]["kind"] == "recalled" and "ext" not in data for data in marked if "attach" in data)
    assert Counter(map(key, gone)) == Counter(key(line["message"]["data"]) for line in skipped)
    assert totals["keep"].skipped + len(gone) == totals["drop"].skipped
    assert totals["mark"] == totals["keep"]
    for place in (line["recalled_by"] for line in skipped):
        assert found[place["line"] - 1].bodies == 0


@settings(max_examples=25, deadline=None)
@given(found=sent, shape=shapes)
def test_the_first_event_is_told_and_those_without_a_message_counted(found: list[Sent], shape: dict[str, Any]) -> None:
    known = {one.source_id for one in found if one.bodies} - {"unknown"}
    events = [(number, one.source_id) for number, one in enumerate(found, 1) if not one.bodies]
    without = [number for number, source_id in events if source_id not in known]
    with TemporaryDirectory() as name:
        told = convert(Path(name), found, "drop", shape).recalls
        skipped = [line for line in side(Path(name, "drop"), "skipped") if line["code"] == "IMC-8140"]
    assert (len(events), len(without)) == (told.events, told.without)
    assert without[:1] == [told.first["line"]][: len(without)] if told.first else without == []
    first = {source_id: number for number, source_id in reversed(events)}
    for line in skipped:
        assert first[line["message"]["data"]["body"].split()[0]] == line["recalled_by"]["line"]
    assert [line["line"] for line in skipped] == sorted(line["line"] for line in skipped)


@settings(max_examples=10, deadline=None)
@given(found=sent, shape=shapes, policy=st.sampled_from(["drop", "mark"]))
def test_the_cut_of_the_work_never_shows(found: list[Sent], shape: dict[str, Any], policy: str) -> None:
    plain = shape | {"segment": 9000, "small": 1 << 17}
    with TemporaryDirectory() as name:
        told = [convert(Path(name, str(n)), found, policy, cut) for n, cut in enumerate((shape, plain))]
        outputs = [Path(name, str(n), policy) for n in range(2)]
        lines, skipped = ([function(output) for output in outputs] for function in (content, skips))
    assert (lines[0], skipped[0]) == (lines[1], skipped[1])
    assert (told[0].totals, told[0].recalls, told[0].skipped) == (told[1].totals, told[1].recalls, told[1].skipped)
    assert dict(fidelity(told[0])) == dict(fidelity(told[1]))


def skips(output: Path) -> list[dict[str, Any]]:
    return side(output, "skipped")


MIXED = [
    Sent("1", 1), Sent("2", 0), Sent("a-1", 2), Sent("1", 1), Sent("2", 1, team=True), Sent("a-1", 0), Sent("3", 2),
    Sent("1", 0), Sent("none", 0), Sent("3", 1, version=2), Sent("9007199254740993", 1, team=True), Sent("3", 0),
    Sent("2", 1, "b"),
]  # fmt: skip
USUAL = {"segment": 500, "small": 2, "on_conflict": "rekey"}


@pytest.mark.parametrize("policy", ["drop", "mark"])
def test_workers_change_nothing(tmp_path: Path, policy: str) -> None:
    for jobs in (1, 3):
        convert(tmp_path / str(jobs), MIXED * 3, policy, USUAL, jobs=jobs)
    assert differing(tmp_path / "1" / policy, tmp_path / "3" / policy) == []


@pytest.mark.parametrize("policy", ["drop", "mark"])
def test_check_tells_what_a_run_tells(tmp_path: Path, policy: str) -> None:
    shape = USUAL | {"on_conflict": "quarantine"}
    told = convert(tmp_path, MIXED, policy, shape)
    wish = options(tmp_path / "in", tmp_path, source="easemob", recalls=policy)
    found = check(wish, None, Silent(), CLOCK, {}).manifest
    assert (told.totals, told.recalls) == (found.totals, found.recalls)
    assert told.skipped == found.skipped


def test_tombstone_as_text_where_custom_content_is_text(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(easemob(1) + recall(2, 1))
    wish = options(tmp_path / "in", tmp_path / "out", source="easemob", recalls="mark",
                   settings={"yunxin.custom_attach": "string"})  # fmt: skip
    run(wish)
    assert datas(tmp_path / "out")[0]["attach"] == '{"v":1,"kind":"recalled","src":"easemob","raw":{"type":0}}'


def test_policy_is_part_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(easemob(1))
    assert run(options(tmp_path / "in", tmp_path / "a", recalls="drop")).manifest.options["recalls"] == "drop"
    assert "recalls" not in run(options(tmp_path / "in", tmp_path / "b")).manifest.options


# --- conversations ---


def telling_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Easemob's events tell their conversation, as sources do whose ids are not unique."""
    vendor = imconvert.vendors.BY_NAME["easemob"]

    def reader(*arguments: Any) -> Any:
        read = vendor.reader(*arguments)

        def told(raw: bytes) -> Any:
            found = read(raw)
            if isinstance(found, Skip) and b'"ends"' in raw:
                ends = tuple(json.loads(raw)["ends"])
                return Skip(found.code, found.values, ends)  # type: ignore[arg-type]
            return found

        return told

    monkeypatch.setitem(imconvert.vendors.BY_NAME, "easemob", msgspec_replace(vendor, reader=reader))


def msgspec_replace(record: Any, **more: Any) -> Any:
    import dataclasses

    return dataclasses.replace(record, **more)


def about(of: str, *ends: str) -> bytes:
    return easemob(900, chat_type="recall", recall_id=of, ends=ends, payload={"from": "x", "to": "y"})


def between(sender: str, to: str, *, team: bool = False) -> bytes:
    payload = {"bodies": [{"type": "txt", "msg": f"{sender} to {to}"}], "from": sender, "to": to}
    return easemob(5, chat_type="groupchat" if team else "chat", payload=payload)


FOUR = [between("ann", "bob"), between("bob", "ann"), between("ann", "cid"), between("ann", "77", team=True)]
ENDS = [
    (("p2p", "ann", "bob"), {0, 1}), (("p2p", "bob", "ann"), {0, 1}), (("p2p", "ANN", "cid"), {2}),
    (("team", "", "77"), {3}), (("team", "zoe", "78"), set()), (("p2p", "no one", "小"), {0, 1, 2, 3}),
]  # fmt: skip


@pytest.mark.parametrize(("ends", "expected"), ENDS)
@pytest.mark.parametrize("first", [True, False])
def test_an_event_stays_in_its_conversation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ends: tuple[str, ...], expected: set[int], first: bool
) -> None:
    telling_ends(monkeypatch)
    event = about("5", *ends)
    (tmp_path / "in").write_bytes(b"".join([event, *FOUR] if first else [*FOUR, event]))
    run(options(tmp_path / "in", tmp_path / "out", source="easemob", recalls="drop"))
    left = {data["body"] for data in datas(tmp_path / "out")}
    texts = ["ann to bob", "bob to ann", "ann to cid", "ann to 77"]
    assert left == {text for number, text in enumerate(texts) if number not in expected}


# --- replay ---


def mended(output: Path, text: str) -> Path:
    """The rejects of an output, each with another record."""
    found = side(output, "rejects")
    path = output.parent / "mended.ndjson"
    path.write_text("".join(json.dumps(line | {"raw": text}) + "\n" for line in found))
    return path


@pytest.mark.parametrize("policy", POLICIES)
def test_replayed_records_meet_the_events_of_the_run(tmp_path: Path, policy: str) -> None:
    (tmp_path / "in").write_bytes(recall(900, 5) + b"not json\n" + easemob(6))
    wish = options(tmp_path / "in", tmp_path / "out", source="easemob", recalls=policy)
    run(wish)
    outcome = replay(mended(tmp_path / "out", easemob(5).decode().strip()), options(tmp_path, tmp_path / "out"),
                     Silent(), CLOCK, {})  # fmt: skip
    left = Counter("body" in data for data in datas(tmp_path / "out"))
    assert left == {"keep": {True: 2}, "drop": {True: 1}, "mark": {True: 1, False: 1}}[policy]
    assert outcome.manifest.totals.skipped == 1 + (policy == "drop")
    told = [line.get("recalled_by", {}).get("line") for line in skips(tmp_path / "out")]
    assert told == ([None, 1] if policy == "drop" else [None])


def test_replayed_events_leave_finished_shards_alone(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(easemob(5) + b"not json\n")
    wish = options(tmp_path / "in", tmp_path / "out", source="easemob", recalls="drop")
    run(wish)
    path = mended(tmp_path / "out", recall(900, 5).decode().strip())
    outcome = replay(path, options(tmp_path, tmp_path / "out"), Silent(), CLOCK, {})
    assert [data["msgid"] for data in datas(tmp_path / "out")] == [5]
    assert outcome.manifest.recalls is not None
    assert (1, 0, 1) == (
        outcome.manifest.recalls.events, outcome.manifest.recalls.lines, outcome.manifest.recalls.without
    )  # fmt: skip


def test_manifest_with_recalls_reads_back(tmp_path: Path) -> None:
    manifest = convert(tmp_path, MIXED, "drop", USUAL)
    data = (tmp_path / "drop" / "manifest.json").read_bytes()
    assert msgspec.json.decode(data, type=type(manifest)) == manifest


@pytest.mark.parametrize(("lang", "words"), [("en", "recalled messages left out"), ("zh", "已略过的撤回消息")])
def test_summary_tells_recalls(tmp_path: Path, lang: str, words: str) -> None:
    (tmp_path / "in").write_bytes(easemob(1) + recall(2, 1) + recall(3, 9))
    outcome = run(options(tmp_path / "in", tmp_path / "out", source="easemob", recalls="drop"))
    said = summary.as_text(outcome, tmp_path / "out", lang)
    assert f"{words}" in said and "in:3" in said
