"""The list of recent conversations of each user, from finished messages and groups: who, when last, what was said.

Order: scan the message shards for the last message of each conversation; scan the shards of groups for members; give
each conversation to its two people, or to a group's members; sort by person, the latest first.
Strategy: external sorts of rows throughout: conversations and members meet in the order of groups, and what belongs to
one person comes together at the end.
Promise: memory grows with neither people nor conversations; the same outputs give the same lists.
Order of durable writes: all in `.work/`, from nothing; then the shards, each by a rename, `recents.json` last.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from imconvert import durable
from imconvert.convert.books.manifest import read_manifest
from imconvert.convert.finished.mentions import ShardJob, finder, located
from imconvert.convert.finished.refs import WORK, groups_of
from imconvert.convert.pool import Pool
from imconvert.convert.ports import Watcher
from imconvert.convert.textsort import Sorter
from imconvert.durable.sums import Sums
from imconvert.errors import UsageError
from imconvert.sources.inputs import text_lines
from imconvert.vendors import BY_NAME
from imconvert.vendors.people.mentions import ACCOUNT, GROUP
from imconvert.vendors.people.said import PAIR, TEAM, ends_of

REPORT = "recents.json"
SHARD_BYTES = 64 << 20
LONGEST = 2048
"""Bytes of a last message that is told in full; of a longer one only its place is."""

_encode = msgspec.json.Encoder().encode


class Conversation(Struct, omit_defaults=True, rename={"sender": "from"}):
    """One conversation of a list: its kind, the other one or the group, when the last message was sent (ms), by whom,
    and what it said, as the target has it; how many are not read, where that is known."""

    chat: str
    peer: str
    time: int
    sender: str
    message: Raw | None = None
    unread: int | None = None


class Person(Struct):
    """The list of one user, the latest first."""

    owner: str
    conversations: list[Conversation]


class Facts(Struct):
    """A shard of lists."""

    name: str
    lines: int
    bytes: int
    sha256: str


class Report(Struct):
    """What was made. `without` are groups' conversations whose members nobody knows; `cut` are conversations beyond
    the most that a list may have."""

    format: int
    target: str
    outputs: list[str]
    most: int
    people: int = 0
    conversations: int = 0
    cut: int = 0
    without: int = 0
    shards: list[Facts] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: outputs of messages and groups, where to, the longest list, unread counts, workers."""

    outputs: tuple[Path, ...]
    folder: Path
    most: int = 100
    unread: Path | None = None
    jobs: int = 1


@dataclass(frozen=True, slots=True)
class _Job:
    """What a worker needs for one shard; `content` is that of its output, "" for messages."""

    shard: ShardJob
    content: str


def recents(wanted: Wanted, watch: Watcher) -> Report:
    """Make the lists. Raises UsageError IMC-1004, IMC-1014, IMC-1300, IMC-1301, IMC-1304."""
    jobs, size = _jobs(wanted)
    strange = [name for name in durable.names_in(wanted.folder)
               if name not in (WORK, REPORT) and not name.startswith("recents-")]  # fmt: skip
    if strange:
        raise UsageError("IMC-1004", str(wanted.folder), found=strange[0])
    work = wanted.folder / WORK
    durable.make_folder(work)
    with durable.sole_owner(work):
        durable.clear(work)
        for name in durable.names_in(wanted.folder):
            if name != WORK:
                durable.remove(wanted.folder / name)
        with Pool(wanted.jobs, tick=watch.tick) as pool:
            watch.phase("recents", size)
            found = dict(pool.run(scan, jobs))
        report = Report(1, jobs[0].shard.target, [str(output) for output in wanted.outputs], wanted.most, shards=[])
        _write(wanted, work, report, _people(wanted, work, jobs, found, report))
        data = msgspec.json.format(_encode(report), indent=1) + b"\n"
        durable.replace_file(wanted.folder / REPORT, data)
        durable.remove(work)
    return report


def _jobs(wanted: Wanted) -> tuple[list[_Job], int]:
    """A job for each shard of messages and groups, and their bytes."""
    jobs: list[_Job] = []
    size, target = 0, ""
    for output in wanted.outputs:
        found = read_manifest(output)
        target = target or found.target
        if found.target != target:
            raise UsageError("IMC-1300", str(output), found=found.target, first=target)
        if BY_NAME[target].said is None:
            raise UsageError("IMC-1301", str(output), target=target)
        content = str(found.content or "")
        groups = groups_of(output) if content else {}
        for shard in found.shards if content in ("", "groups") else ():
            place = ShardJob(wanted.folder / WORK, len(jobs), output / shard.name, target, groups)
            jobs.append(_Job(place, content))
            size += shard.bytes
    if not any(job.content == "" for job in jobs):
        raise UsageError("IMC-1304", str(wanted.outputs[0]))
    return jobs, size


def scan(job: _Job, progress: Callable[[int], None]) -> list[Path]:
    """Leave the last messages of a shard's conversations, or the members that it names, as sorted files."""
    sorter = Sorter(job.shard.work, f"recents-{job.shard.number:05}")
    for row in _members(job, progress) if job.content else _last(job, progress):
        sorter.add(row)
    return sorter.leave()


def _last(job: _Job, progress: Callable[[int], None]) -> Iterator[tuple[Any, ...]]:
    """(chat, talk, -time, sender, content) of the last message of each conversation, or of what was seen of it last."""
    said = BY_NAME[job.shard.target].said
    assert said is not None
    last: dict[tuple[str, str], tuple[int, str, bytes]] = {}
    for _, _, line in located(job.shard.path):
        for one in said(line):
            name = one.chat, one.talk
            known = last.get(name)
            if known is None or known[0] <= one.time:
                last[name] = one.time, one.sender, one.content
        if len(last) >= MOST_TALKS:
            yield from _rows(last)
            last.clear()
        progress(len(line) + 1)
    yield from _rows(last)


MOST_TALKS = 1 << 16
"""Conversations of a shard that are kept at hand."""


def _rows(last: Mapping[tuple[str, str], tuple[int, str, bytes]]) -> Iterator[tuple[Any, ...]]:
    for (chat, talk), (time, sender, content) in last.items():
        yield chat, talk, -time, sender, content.decode() if len(content) <= LONGEST else ""


def _members(job: _Job, progress: Callable[[int], None]) -> Iterator[tuple[str, str]]:
    """(group, account) of everybody who is named together with a group."""
    find = finder(job.shard)
    for _, _, line in located(job.shard.path):
        found = find(line)
        for group in [one.id for one in found if one.kind == GROUP]:
            yield from ((group, one.id) for one in found if one.kind == ACCOUNT)
        progress(len(line) + 1)


def _people(
    wanted: Wanted, work: Path, jobs: list[_Job], found: dict[int, list[Path]], report: Report
) -> Iterator[tuple[Any, ...]]:
    """(owner, -time, chat, peer, sender, content, unread) of all conversations of everybody, sorted."""
    talks, members, owned = (Sorter(work, name) for name in ("talks", "members", "owned"))
    for number, job in enumerate(jobs):
        (members if job.content else talks).files += found[number]
    unread = _unread_counts(wanted.unread, Sorter(work, "unread"))
    for owner, chat, peer, row in _owned(_latest(talks), members, report):
        time, sender, content = row
        owned.add((owner, chat, peer, 1, time, sender, content))
    for owner, chat, peer, count in unread:
        owned.add((owner, chat, peer, 0, count, "", ""))
    ordered = Sorter(work, "ordered")
    for (owner, chat, peer), group in groupby(owned, key=itemgetter(0, 1, 2)):
        count = None
        for _, _, _, is_talk, value, sender, content in group:
            if is_talk:
                ordered.add((owner, value, chat, peer, sender, content, count))
            else:
                count = value
    yield from ordered


def _latest(talks: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Of each conversation the last message: they are sorted so that it comes first."""
    for _, group in groupby(talks, key=itemgetter(0, 1)):
        yield next(group)


def _owned(
    talks: Iterator[tuple[Any, ...]], members: Iterable[tuple[Any, ...]], report: Report
) -> Iterator[tuple[str, str, str, tuple[int, str, str]]]:
    """Owner, chat, peer and last message: of a pair for both, of a group for all its members."""
    groups = groupby(members, key=itemgetter(0))
    group, own = next(groups, (None, iter(())))
    for chat, talk, time, sender, content in talks:
        last = time, sender, content
        if chat == PAIR:
            first, second = ends_of(talk)
            yield first, PAIR, second, last
            if first != second:
                yield second, PAIR, first, last
            continue
        while group is not None and group < talk:
            group, own = next(groups, (None, iter(())))
        if group != talk:
            report.without += 1
            continue
        for account, _ in groupby(own, key=itemgetter(1)):
            yield account, TEAM, talk, last


def _unread_counts(path: Path | None, sorter: Sorter) -> Iterable[tuple[Any, ...]]:
    """(owner, chat, target, unread) of a CSV with these columns. Raises UsageError IMC-1305."""
    if path is None:
        return sorter
    rows = csv.DictReader(line.decode("utf-8-sig") for line in text_lines(path))
    try:
        for row in rows:
            sorter.add((row["owner"], row["chat"], row["target"], int(row["unread"])))
    except (KeyError, ValueError, TypeError, csv.Error) as why:
        raise UsageError("IMC-1305", f"{path}:{rows.line_num}", why=str(why)) from why
    return sorter


def _write(wanted: Wanted, work: Path, report: Report, rows: Iterator[tuple[Any, ...]]) -> None:
    """Write the lists into shards."""
    people = groupby(rows, key=itemgetter(0))
    number = 0
    while True:
        number += 1
        name = f"recents-{number:05}.ndjson"
        facts = _shard(work / name, people, wanted.most, report)
        if not facts.lines:
            durable.remove(work / name)
            return
        durable.rename(work / name, wanted.folder / name)
        durable.sync_folder(wanted.folder)
        report.shards.append(facts)


def _shard(path: Path, people: Iterator[tuple[str, Iterator[tuple[Any, ...]]]], most: int, report: Report) -> Facts:
    writer, sums = durable.Writer(path), Sums()
    for owner, group in people:
        lists = [_conversation(row) for row in islice(group, most)]
        report.cut += sum(1 for _ in group)
        report.people += 1
        report.conversations += len(lists)
        data = _encode(Person(owner, lists)) + b"\n"
        writer.write(data)
        sums.add(data)
        if sums.size >= SHARD_BYTES:
            break
    writer.finish(sync=True)
    return Facts(path.name, sums.lines, sums.size, sums.sha256)


def _conversation(row: tuple[Any, ...]) -> Conversation:
    _, time, chat, peer, sender, content, unread = row
    return Conversation(chat, peer, -time, sender, Raw(content.encode()) if content else None, unread)
