"""Duplicates and conflicts: what resolving decides is what plain dicts decide, for any rows, runs, turns and hashes.

Plan: tiny exports with few keys are converted in this process with tiny runs, budgets and segments, so that every
partition is taken in turns; the oracle reads the same records and shares no code with the converter.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.small_jobs import START, options, run, side
from xxhash import xxh3_128_digest

import imconvert.convert.map.part
import imconvert.convert.resolve.keys
import imconvert.convert.resolve.partition
import imconvert.convert.resolve.rekey
import imconvert.convert.run
import imconvert.vendors.yunxin.import_lines
from imconvert.convert.books import ledger
from imconvert.convert.books.ledger import Account
from imconvert.convert.map.part import in_order
from imconvert.errors import IntegrityError


class Row(NamedTuple):
    msgid: int
    sender: str
    team: bool
    time: int
    text: str

    @property
    def key(self) -> tuple[Any, ...]:
        return self[:4]


words = st.sampled_from(["x", "y", "z"])
rows = st.lists(
    st.builds(
        Row, st.integers(1, 4), st.sampled_from(["a", "b"]), st.booleans(), st.just(START), words
    ),
    max_size=40,
)  # fmt: skip
shapes = st.fixed_dictionaries(
    {"segment": st.sampled_from([200, 700, 5000]), "run": st.integers(1, 9), "budget": st.integers(1, 9)}
)


def record(row: Row) -> bytes:
    payload = {"bodies": [{"type": "txt", "msg": row.text}], "from": row.sender, "to": "7"}
    kind = "groupchat" if row.team else "chat"
    return json.dumps({"msg_id": str(row.msgid), "timestamp": row.time, "chat_type": kind, "payload": payload}).encode()


def back(line: bytes) -> Row:
    data = json.loads(line)["data"]
    return Row(data["msgid"], data.get("from") or data["accid"], "tid" in data, data["createTime"], data["body"])


def weak(msgid: int, sender: str, target: str | int, time: int) -> bytes:
    """A key hash under which half of all keys are equal."""
    return xxh3_128_digest(b"%d" % (msgid % 2))


def weaker(msgid: int, sender: str, target: str | int, time: int) -> bytes:
    """Equal first halves, but second halves that tell people apart."""
    return b"\0" * 8 + xxh3_128_digest(sender.encode())[:8]


def converted(found: list[Row], shape: dict[str, int], policy: str, key_of: Any = None) -> tuple[list[Row], Any, Any]:
    """The rows in the shards, the manifest, and the lines of the side files, for an export of `found`."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        job = functools.partial(imconvert.convert.resolve.partition.ResolveJob, budget=shape["budget"])
        patch.setattr(imconvert.convert.resolve.settle, "ResolveJob", job)
        cut = functools.partial(imconvert.convert.resolve.partition.partitions, budget=shape["budget"])
        patch.setattr(imconvert.convert.resolve.keys, "partitions", cut)
        patch.setattr(imconvert.convert.map.part, "RUN", shape["run"])
        if key_of:
            patch.setattr(imconvert.vendors.yunxin.import_lines, "key_of", key_of)
            patch.setattr(imconvert.convert.resolve.rekey, "key_of", key_of)
        source, output = Path(folder, "in"), Path(folder, "out")
        source.write_bytes(b"".join(record(row) + b"\n" for row in found))
        wish = options(source, output, source="easemob", on_conflict=policy, segment_size=shape["segment"])
        manifest = run(wish).manifest
        shards = [back(line) for shard in manifest.shards for line in (output / shard.name).read_bytes().splitlines()]
        return shards, manifest, {name: side(output, name) for name in ("duplicates", "conflicts")}


def first_of_equals(found: list[Row]) -> tuple[list[Row], Counter[str]]:
    """The oracle: rows that stay, in order (people before groups), and how many left for which reason."""
    kept: dict[Any, Row] = {}
    left: Counter[str] = Counter()
    for row in found:
        winner = kept.setdefault(row.key, row)
        if winner is not row:
            left["duplicates" if winner.text == row.text else "conflicts"] += 1
    return sorted(kept.values(), key=lambda row: row.team), left


def balanced(manifest: Any, found: list[Row]) -> None:
    totals = manifest.totals
    assert len(found) == totals.read
    assert totals.read + totals.split == (
        totals.written + totals.duplicates + totals.conflicts + totals.rejected + totals.skipped
    )


@pytest.mark.parametrize("key_of", [None, weak, weaker], ids=["true", "weak", "weaker"])
@settings(max_examples=60, deadline=None)
@given(found=rows, shape=shapes)
def test_the_first_of_equals_stays(key_of: Any, found: list[Row], shape: dict[str, int]) -> None:
    kept, left = first_of_equals(found)
    shards, manifest, sides = converted(found, shape, "quarantine", key_of)
    assert kept == shards
    assert left == +Counter(duplicates=manifest.totals.duplicates, conflicts=manifest.totals.conflicts)
    assert left == +Counter({name: len(lines) for name, lines in sides.items()})
    balanced(manifest, found)


@pytest.mark.parametrize("key_of", [None, weak, weaker], ids=["true", "weak", "weaker"])
@settings(max_examples=40, deadline=None)
@given(found=rows, shape=shapes)
def test_the_last_of_equals_stays_if_asked_for(key_of: Any, found: list[Row], shape: dict[str, int]) -> None:
    kept, left = first_of_equals(found[::-1])
    shards, manifest, _ = converted(found, shape, "keep-last", key_of)
    assert sorted(kept[::-1], key=lambda row: row.team) == shards
    assert left == +Counter(duplicates=manifest.totals.duplicates, conflicts=manifest.totals.conflicts)
    balanced(manifest, found)


@pytest.mark.parametrize("key_of", [None, weak], ids=["true", "weak"])
@settings(max_examples=40, deadline=None)
@given(found=rows, shape=shapes)
def test_rekeyed_messages_all_survive_once(key_of: Any, found: list[Row], shape: dict[str, int]) -> None:
    shards, manifest, sides = converted(found, shape, "rekey", key_of)
    kept, _ = first_of_equals(found)
    assert set(kept) <= set(shards)
    assert len(shards) == len({row.key for row in shards})
    distinct = {(row.key, row.text) for row in found}
    assert len(distinct) == len(shards)
    assert len(distinct) - len(kept) == manifest.rekeyed
    assert Counter(row[1:] for row in {(*key, text) for key, text in distinct}) == Counter(row[1:] for row in shards)
    assert sides["conflicts"] == []
    balanced(manifest, found)


@settings(max_examples=15, deadline=None)
@given(found=rows, one=shapes, other=shapes, policy=st.sampled_from(["quarantine", "keep-last", "rekey"]))
def test_the_way_of_working_never_shows(found: list[Row], one: Any, other: Any, policy: str) -> None:
    """Runs, turns and segments decide nothing."""
    assert converted(found, one, policy)[0] == converted(found, other, policy)[0]


def test_a_new_number_that_is_taken_is_derived_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first numbers that rekeying derives are those of other messages."""
    real = imconvert.convert.resolve.rekey.derived_id
    given_out = iter([2, 3])
    monkeypatch.setattr(
        imconvert.convert.resolve.rekey, "derived_id", lambda *args: next(given_out, None) or real(*args)
    )
    found = [Row(n, "a", False, START, text) for n, text in ((1, "x"), (2, "x"), (3, "x"), (1, "y"))]
    shards, manifest, _ = converted(found, {"segment": 5000, "run": 9, "budget": 9}, "rekey")
    assert manifest.rekeyed == 1
    assert found[:3] == shards[:3]
    assert shards[3].text == "y"
    assert shards[3].msgid not in (1, 2, 3)


@given(st.lists(st.integers(0, 50), min_size=6, max_size=6))
def test_books_that_balance_pass(counts: list[int]) -> None:
    written, split, duplicates, conflicts, rejected, skipped = counts
    account = Account(0, written, split, duplicates, conflicts, rejected, skipped)
    account.read = written + duplicates + conflicts + rejected + skipped - split
    ledger.check([account], ["in"], written)


@pytest.mark.parametrize("name", Account.__struct_fields__)
@pytest.mark.parametrize("by", [-1, 1])
def test_a_tampered_count_is_found(name: str, by: int) -> None:
    account = Account(20, 11, 1, 2, 3, 2, 3)
    ledger.check([account], ["in"], 11)
    setattr(account, name, getattr(account, name) + by)
    with pytest.raises(IntegrityError) as caught:
        ledger.check([account], ["in"], 11)
    assert caught.value.code == "IMC-6001"


def test_two_errors_that_cancel_out_in_total_are_found() -> None:
    with pytest.raises(IntegrityError):
        ledger.check([Account(read=2, written=1), Account(read=0, written=1)], ["a", "b"], 2)


def test_shards_that_hold_other_than_was_written_are_found() -> None:
    with pytest.raises(IntegrityError):
        ledger.check([Account(read=1, written=1)], ["a"], 2)


@given(st.lists(st.integers(0, 6) | st.integers(0, (1 << 64) - 1), max_size=60))
def test_hashes_are_sorted_with_equal_ones_as_they_came(hashes: list[int]) -> None:
    found = in_order(np.array(hashes, np.uint64)).tolist()
    assert found == sorted(range(len(hashes)), key=hashes.__getitem__)
