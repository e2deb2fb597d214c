"""Golden cases: every folder of fixtures gives exactly its `out/`; and nothing a vendor can read or say lacks one."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path

import pytest
from golden import FIXTURES, VENDORS, Case, cases, difference, produce, run

from imconvert.errors import CATALOGUE
from imconvert.vendors.easemob import bodies
from imconvert.vendors.tencent import elements
from imconvert.vendors.yunxin.records import MEDIA, NOTICE_KINDS

CASES = cases()
FAMILIES = ("IMC-20", "IMC-21", "IMC-22", "IMC-23", "IMC-24", "IMC-30", "IMC-31", "IMC-81", "IMC-82", "IMC-83")
PEOPLE = "IMC-818"
"""Codes of people, which have goldens of their own."""
ELSEWHERE = {
    "IMC-2440": "needs a plug-in; tests/vendors/test_plugins.py has one",
    "IMC-2003": "needs a record of 16 MiB; tests of the sources make one",
}


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_case_gives_its_golden_output(case: Case, tmp_path: Path) -> None:
    expected, actual = case.expected(), produce(case, tmp_path)
    assert expected == actual, difference(expected, actual)


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_golden_ledger_balances(case: Case) -> None:
    totals = counts_of(case)["totals"]
    assert totals["read"] + totals["split"] == sum(
        totals[name] for name in ("written", "duplicates", "conflicts", "rejected", "skipped")
    )


@pytest.mark.parametrize(("vendor", "name"), [("yunxin", "text-p2p"), ("yunxin", "guide-as-printed"),
                                              ("easemob", "text"), ("easemob", "entities-concatenated"),
                                              ("tencent", "c2c-text"), ("tencent", "pretty-printed"),
                                              ("tencent", "group-answer"), ("tencent", "callbacks"),
                                              ("tencent", "gzip"),
                                              ("rongcloud", "text-prefixed"), ("rongcloud", "hourly-zips"),
                                              ("rongcloud", "routing-form"), ("rongcloud", "operations")])  # fmt: skip
def test_vendor_is_told_by_content(vendor: str, name: str, tmp_path: Path) -> None:
    outcome = run(FIXTURES / vendor / name / "in", tmp_path, vendor, source="auto")
    assert vendor == outcome.manifest.source


def test_fidelity_tells_nothing_of_content_that_is_not_there(tmp_path: Path) -> None:
    outcome = run(FIXTURES / "yunxin" / "text-p2p" / "in", tmp_path, "yunxin")
    assert list(outcome.manifest.fidelity) == ["text"]


def test_sample_is_what_the_readme_says(tmp_path: Path) -> None:
    totals = run(FIXTURES / "sample" / "yunxin.txt", tmp_path / "out", "auto").manifest.totals
    assert (62, 2, 1, 2, 1) == (totals.read, totals.duplicates, totals.conflicts, totals.rejected, totals.skipped)


@pytest.mark.parametrize("vendor", VENDORS)
def test_case_has_input_and_counts(vendor: str) -> None:
    incomplete = [case.id for case in CASES if case.vendor == vendor and not complete(case)]
    assert incomplete == []


def complete(case: Case) -> bool:
    return bool(case.inputs()) and (case.path / "out" / "counts.json").is_file()


@pytest.mark.parametrize("kind", sorted({0, 4, 100, *MEDIA, *NOTICE_KINDS}))
def test_yunxin_type_has_a_golden(kind: int) -> None:
    written = {json.loads(line)["type"] for case in yunxin_cases() for line in golden_lines(case)}
    assert kind in written


@pytest.mark.parametrize("kind", sorted({0, 4, 100, *MEDIA}))
@pytest.mark.parametrize("stream", ["p2p.txt", "team.txt"])
def test_yunxin_type_has_a_golden_for_both_chats(kind: int, stream: str) -> None:
    written = {json.loads(line)["type"] for case in yunxin_cases() for line in golden_lines(case, stream)}
    assert kind in written


@pytest.mark.parametrize("kind", sorted(bodies._READERS))
def test_easemob_body_has_a_golden(kind: str) -> None:
    inputs = b"".join(file.read_bytes() for case in CASES if case.vendor == "easemob" for file in case.inputs())
    assert f'"type":"{kind}"'.encode() in inputs.replace(b'": "', b'":"')


@pytest.mark.parametrize("kind", sorted(elements._READERS))
@pytest.mark.parametrize("receiver", ["To_Account", "GroupId"])
def test_tencent_element_has_a_golden_for_both_chats(kind: str, receiver: str) -> None:
    lines = b"\n".join(file.read_bytes() for case in CASES if case.vendor == "tencent" for file in case.inputs())
    assert any(f'"{kind}"'.encode() in line and receiver.encode() in line for line in lines.split(b"\n"))


@pytest.mark.parametrize("code", [code for code in CATALOGUE if code.startswith(FAMILIES) and code[:7] != PEOPLE])
def test_code_has_a_golden(code: str) -> None:
    if code in ELSEWHERE:
        pytest.skip(ELSEWHERE[code])
    assert code in golden_codes()


def test_exceptions_have_no_golden() -> None:
    assert set() == golden_codes() & set(ELSEWHERE)


def yunxin_cases() -> list[Case]:
    return [case for case in CASES if case.vendor == "yunxin"]


def golden_lines(case: Case, *names: str) -> list[bytes]:
    expected = case.expected()
    return [line for name in names or ("p2p.txt", "team.txt") for line in expected.get(name, b"").splitlines()]


def counts_of(case: Case) -> dict[str, dict[str, int]]:
    return json.loads((case.path / "out" / "counts.json").read_bytes())


def golden_codes() -> set[str]:
    found: set[str] = set()
    for case in CASES:
        counts = counts_of(case)
        found.update(*(counts[table] for table in ("rejects", "skipped", "repairs")))
        found.update(code for code, name in SIDE_CODES.items() if counts["totals"][name])
    return found


SIDE_CODES = {"IMC-8201": "duplicates", "IMC-8301": "conflicts"}
