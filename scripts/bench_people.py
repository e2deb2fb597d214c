"""Measure people: time and peak memory of users, friends, groups, refs and id maps, on answers made up for it.

Plan: users with a handful of friends each, some with a great many; each friendship stands in the lists of both. Groups
have members, one of them a tenth of all users. The answers are made once for a size, Easemob's for all of it. Every
run's counts are compared with what was made.

    python scripts/bench_people.py --pairs 1000000
    python scripts/bench_people.py --pairs 10000000 --only friends --target easemob
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from measuring import HERE, sample

SEED = 11
BASE = "https://a1.easemob.com/demo/app"
PAGE = 50
SUITES = ("users", "friends", "groups", "refs", "ids")


def pairs_of(users: int, pairs: int) -> Any:
    """Distinct pairs of users, each with the lower first; a thousandth of the users have many friends."""
    chance = np.random.default_rng(SEED)
    hubs = max(1, users // 1000)
    found = np.empty(0, np.uint64)
    while len(found) < pairs:
        count = (pairs - len(found)) * 5 // 4 + 64
        one = chance.integers(0, users, count, np.uint64)
        some = chance.random(count) < 0.1
        one[some] = chance.integers(0, hubs, int(some.sum()), np.uint64)
        two = chance.integers(0, users, count, np.uint64)
        low, high = np.minimum(one, two), np.maximum(one, two)
        found = np.unique(np.concatenate([found, (low << np.uint64(32) | high)[low != high]]))
    return chance.permutation(found)[:pairs]


def lists_of(pairs: Any) -> Iterator[tuple[int, Any]]:
    """Each user with friends, and all of these."""
    low, high = pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)
    owners, others = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.argsort(owners, kind="stable")
    owners, others = owners[order], others[order]
    starts = np.flatnonzero(np.concatenate([[True], owners[1:] != owners[:-1]]))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(owners)], strict=True):
        yield int(owners[start]), others[start:stop].tolist()


def make(folder: Path, users: int, pairs: int, groups: int) -> dict[str, int]:
    """The answers, in files of about a gigabyte at most; what they hold."""
    folder.mkdir(parents=True)
    facts = {"users": users, "pairs": pairs, "groups": groups, "memberships": 0}
    with (folder / "users.ndjson").open("w") as out:
        for start in range(0, users, 100):
            page = [
                {"type": "user", "username": f"user{n}", "activated": True, "created": 1_541_587_920_710 + n,
                 "nickname": f"昵称{n}"}
                for n in range(start, min(users, start + 100))
            ]  # fmt: skip
            out.write(json.dumps({"uri": f"{BASE}/users", "entities": page}, ensure_ascii=False) + "\n")
    with (folder / "contacts.ndjson").open("w") as out:
        for owner, others in lists_of(pairs_of(users, pairs)):
            for start in range(0, len(others), PAGE):
                page = [{"username": f"user{n}", "remark": f"备注{n}" if n % 7 == 0 else None}
                        for n in others[start : start + PAGE]]  # fmt: skip
                uri = f"{BASE}/user/user{owner}/contacts"
                out.write(json.dumps({"uri": uri, "data": {"contacts": page}}, ensure_ascii=False) + "\n")
    with (folder / "groups.ndjson").open("w") as out:
        chance = np.random.default_rng(SEED)
        for group in range(groups):
            size = users // 10 if group == 0 else 50
            chosen = chance.choice(users, size, replace=False).tolist()
            facts["memberships"] += size
            out.write(json.dumps(group_of(group, chosen)) + "\n")
    return facts


def group_of(group: int, members: list[int]) -> dict[str, Any]:
    owner, *rest = members
    told = [{"owner": f"user{owner}"}, *({"member": f"user{n}"} for n in rest)]
    detail = {"id": str(10_000 + group), "name": f"g{group}", "public": True, "membersonly": True, "maxusers": 100_000,
              "owner": f"user{owner}", "created": 1_600_000_000_000, "affiliations": told}  # fmt: skip
    return {"uri": f"{BASE}/chatgroups/{10_000 + group}", "data": [detail]}


def measured(command: list[str]) -> dict[str, Any]:
    """Run a command; seconds, peak memory of its process tree in MiB, and what it printed."""
    os.sync()
    done, peaks = threading.Event(), {"pss": 0, "rss": 0}
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, cwd=HERE.parent)
        sampler = threading.Thread(target=sample, args=(process.pid, done, peaks))
        sampler.start()
        code = process.wait()
        seconds = time.perf_counter() - began
        done.set()
        sampler.join()
        said.seek(0)
        text = said.read()
    facts = {"seconds": round(seconds, 1), "peak_pss_mib": peaks["pss"] >> 20, "exit": code}
    return {**facts, "said": json.loads(text) if text[:1] == b"{" else {}}


def converted(content: str, source: Path, out: Path, target: str, jobs: int) -> dict[str, Any]:
    shutil.rmtree(out, ignore_errors=True)
    start = [sys.executable, "-m", "imconvert", content, str(source), str(out), "--from", "easemob", "--to", target]
    found = measured([*start, "--jobs", str(jobs), "--json"])
    said = found.pop("said")
    totals = said["manifest"]["totals"]
    return {**found, "read": totals["read"], "written": totals["written"], "rejected": totals["rejected"],
            "requests": sum(said["manifest"]["arranged"]["requests"].values()),
            "records_per_second": round(totals["read"] / found["seconds"])}  # fmt: skip


def refs(folders: list[Path], out: Path, jobs: int) -> dict[str, Any]:
    shutil.rmtree(out, ignore_errors=True)
    start = [sys.executable, "-m", "imconvert", "refs", *map(str, folders), str(out)]
    found = measured([*start, "--jobs", str(jobs), "--json"])
    return {**found, "said": found["said"]["ids"]}


def id_maps(folder: Path, users: int) -> dict[str, Any]:
    """A map for ids of which some meet, made and checked."""
    source, out = folder / "ids.csv", folder / "map.db"
    out.unlink(missing_ok=True)
    with source.open("w") as file:
        file.write("source\n")
        file.writelines(f"User{n}@corp\n" if n % 3 else f"user{n}@corp\n" for n in range(users))
    start = [sys.executable, "-m", "imconvert", "ids"]
    made = measured([*start, "suggest", str(source), str(out), "--to", "easemob"])
    found = measured([*start, "check", str(out), "--to", "easemob", "--json"])
    del made["said"]
    return {"suggest": made, "check": {**found, "said": found["said"]["rows"]}}


@click.command()
@click.option("--pairs", default=1_000_000, show_default=True, help="Friendships.")
@click.option("--users", type=int, help="Users.  [default: a fifth of the pairs]")
@click.option("--groups", type=int, help="Groups.  [default: a hundredth of the users]")
@click.option("--target", default="tencent", show_default=True, help="Whom it is converted for.")
@click.option("--only", type=click.Choice(SUITES), multiple=True, help="Only this; may be repeated.")
@click.option("--jobs", default=2, show_default=True, help="Workers.")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), default=Path("/tmp/bench-people"),
              show_default=True, help="Where to work; answers are kept there.")  # fmt: skip
def main(
    pairs: int, users: int | None, groups: int | None, target: str, only: tuple[str, ...], jobs: int, work: Path
) -> None:  # fmt: skip
    """Print a line of JSON for each suite."""
    users = users or max(1000, pairs // 5)
    groups = groups or max(10, users // 100)
    source = work / f"answers-{users}-{pairs}-{groups}"
    if not (source / "facts.json").exists():
        shutil.rmtree(source, ignore_errors=True)
        facts = make(source, users, pairs, groups)
        (source / "facts.json").write_text(json.dumps(facts))
    facts = json.loads((source / "facts.json").read_text())
    size = sum(file.stat().st_size for file in source.glob("*.ndjson"))
    print(json.dumps({**facts, "megabytes": size // 1_000_000}), flush=True)
    outs = {content: work / f"out-{content}" for content in ("users", "friends", "groups")}
    wanted = {"users": users, "friends": 2 * pairs, "groups": facts["memberships"]}
    files = {"users": "users.ndjson", "friends": "contacts.ndjson", "groups": "groups.ndjson"}
    for content, out in outs.items():
        if not only or content in only or ("refs" in only and not out.exists()):
            found = converted(content, source / files[content], out, target, jobs)
            assert not found["rejected"] and found["written"] >= wanted[content], found
            print(json.dumps({"suite": content, "target": target, **found}), flush=True)
    if not only or "refs" in only:
        print(json.dumps({"suite": "refs", **refs(list(outs.values()), work / "out-refs", jobs)}), flush=True)
    if not only or "ids" in only:
        print(json.dumps({"suite": "ids", **id_maps(work, users)}), flush=True)


if __name__ == "__main__":
    main()
