"""Golden cases of targets that are loaded in time order, and of what the vendors' documents say of every request."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
from golden import Case, cases, codes_of, difference, produce, target_cases

from imconvert.errors import CATALOGUE
from imconvert.vendors import TARGETS
from imconvert.vendors.easemob.outgoing import _WRITERS

CASES = target_cases()
EASEMOB = [case for case in CASES if "to-easemob" in case.name]
IN_C = [case for case in CASES if TARGETS[case.path.parent.name].line_forms]
VENDORS = ("custom", "easemob", "rongcloud", "tencent", "yunxin")
TYPES = {"txt", "img", "audio", "video", "file", "loc", "cmd", "custom"}
BODIES: dict[str, tuple[set[str], set[str]]] = {
    "txt": ({"msg"}, set()), "img": ({"url"}, {"filename", "size", "secret"}),
    "audio": ({"url"}, {"filename", "length", "secret"}), "file": ({"url"}, {"filename", "secret"}),
    "video": ({"url"}, {"filename", "thumb", "thumb_secret", "length", "file_length", "secret"}),
    "loc": ({"lat", "lng", "addr"}, set()), "cmd": ({"action"}, set()),
    "custom": ({"customEvent"}, {"customExts"}),
}  # fmt: skip
"""What a body must have and may have (easemob.md §4.4)."""


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_case_gives_its_golden_output(case: Case, tmp_path: Path) -> None:
    expected, actual = case.expected(), produce(case, tmp_path)
    assert expected == actual, difference(expected, actual)


@pytest.mark.parametrize("case", IN_C, ids=attrgetter("id"))
def test_case_gives_the_same_without_the_part_in_c(case: Case, tmp_path: Path) -> None:
    assert case.expected() == produce(case, tmp_path, compiled=False)


@pytest.mark.parametrize("target", sorted({case.path.parent.name for case in CASES}))
def test_every_source_has_a_golden(target: str) -> None:
    assert set(VENDORS) <= {case.vendor for case in CASES if case.path.parent.name == target}


def kinds_in(some: list[Case]) -> set[str]:
    """What the records of these cases hold, by the words of the fidelity table."""
    counts = [json.loads((case.path / "out" / "counts.json").read_bytes()) for case in some]
    return {row.partition(" > ")[0] for found in counts for row in found["fidelity"]} - {"order"}


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor != "custom"])
@pytest.mark.parametrize("target", sorted({case.path.parent.name for case in CASES}))
def test_every_kind_of_a_source_has_a_golden(target: str, vendor: str) -> None:
    """Whatever a golden of the source holds. Kinds of self-built systems are called by their mappings."""
    own = [case for case in cases() if case.vendor == vendor]
    here = [case for case in CASES if (case.path.parent.name, case.vendor) == (target, vendor)]
    assert kinds_in(own) - kinds_in(here) == set()


def requests_of(case: Case) -> list[dict[str, Any]]:
    files = case.expected()
    return [json.loads(line) for name in ("p2p.ndjson", "team.ndjson") for line in files.get(name, b"").splitlines()]


def test_every_type_has_a_golden_in_both_chats() -> None:
    found = {(line["api"], line["body"]["type"]) for case in EASEMOB for line in requests_of(case)}
    apis = {"messages/users/import", "messages/chatgroups/import"}
    assert {(api, kind) for api in apis for kind in TYPES - {"cmd"}} <= found
    assert {kind for _, kind in found} == TYPES
    assert _WRITERS


@pytest.mark.parametrize("case", EASEMOB, ids=attrgetter("id"))
def test_requests_are_what_the_documents_say(case: Case) -> None:
    last: dict[tuple[str, str], int] = {}
    for line in requests_of(case):
        body = line["body"]
        assert {"from", "target", "type", "body", "msg_timestamp"} <= body.keys()
        required, optional = BODIES[body["type"]]
        assert required <= body["body"].keys() <= required | optional
        assert all(
            isinstance(v, str)
            for k, v in body["body"].items()
            if k not in ("size", "length", "file_length", "customExts")
        )
        exts = body["body"].get("customExts", {})
        assert len(exts) <= 16
        assert all(isinstance(value, str) for value in exts.values())
        compact = [json.dumps(body.get(k, {}), ensure_ascii=False, separators=(",", ":")) for k in ("body", "ext")]
        assert sum(len(text.encode()) for text in compact) <= 5120
        assert body["msg_timestamp"] > last.get((line["api"], line["conv"]), 0)
        last[line["api"], line["conv"]] = body["msg_timestamp"]


@pytest.mark.parametrize(
    "code", [c for c in CATALOGUE if "IMC-2500" <= c <= "IMC-2549" or "IMC-3200" <= c <= "IMC-3249"]
)
def test_code_has_a_golden(code: str) -> None:
    assert code in {found for case in CASES for found in codes_of(case)}
