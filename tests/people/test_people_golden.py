"""Golden cases of people and groups: saved answers of each vendor, and a table, as requests for each target."""

from __future__ import annotations

import json
from operator import attrgetter
from pathlib import Path

import pytest
from golden import KEY, Case, difference, people_cases, produce, run
from support.loads import rest_of

from imconvert.errors import CATALOGUE
from imconvert.vendors import TARGETS

CASES = people_cases()
FAMILIES = ("IMC-26", "IMC-33", "IMC-818")
ELSEWHERE = ("IMC-2610", "IMC-2611", "IMC-2612", "IMC-3310", "IMC-3311")
"""What id maps get; tests/people/test_people_ids.py has them."""


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_case_gives_its_golden_output(case: Case, tmp_path: Path) -> None:
    expected, actual = case.expected(), produce(case, tmp_path)
    assert expected == actual, difference(expected, actual)


@pytest.mark.parametrize("case", CASES, ids=attrgetter("id"))
def test_ledger_balances_and_every_line_counts(case: Case) -> None:
    counts = counts_of(case)
    totals = counts["totals"]
    outcomes = sum(totals[name] for name in ("written", "duplicates", "conflicts", "rejected", "skipped"))
    assert totals["read"] + totals["split"] == outcomes
    lines = {name: data.count(b"\n") for name, data in case.expected().items() if name != "counts.json"}
    sides = {name: lines.pop(f"{name}.ndjson", 0) for name in ("rejects", "skipped", "duplicates", "conflicts")}
    assert sum(lines.values()) == sum(counts["arranged"]["requests"].values())
    assert (sides["rejects"], sides["duplicates"]) == (totals["rejected"], totals["duplicates"])


@pytest.mark.parametrize("code", [code for code in CATALOGUE if code.startswith(FAMILIES)])
def test_code_has_a_golden(code: str) -> None:
    found = {name for case in CASES for table in ("rejects", "skipped", "repairs") for name in counts_of(case)[table]}
    sides = [case.expected().get("conflicts.ndjson", b"") for case in CASES]
    found |= {json.loads(line)["code"] for side in sides for line in side.splitlines()}
    assert (code in ELSEWHERE) != (code in found)


def test_every_target_of_people_has_a_golden() -> None:
    assert {name for name, target in TARGETS.items() if target.people} == {case.target for case in CASES}


UNUSED = {
    "easemob": "chatfiles chatgroups/blocks messages/chatgroups/import messages/users/import roaming/chat "
    "roaming/group",
    "rongcloud": "conversation/top/set.json conversation/type/notification/set.json entrust/group/join.json "
    "group/refresh.json user/refresh.json user/whitelist/add.json",
    "tencent": "group_open_http_svc/get_group_info group_open_http_svc/group_msg_get_simple "
    "group_open_http_svc/import_group_msg im_open_login_svc/account_import openim/importmsg",
    "yunxin": "team/changeOwner.action team/joinTeams.action team/update.action user/setDonnop.action "
    "user/updateUinfo.action",
}
"""Calls that the loader knows and that are about messages, or about what none of the sources tells."""


@pytest.mark.parametrize("vendor", sorted(UNUSED))
def test_every_call_has_a_golden(vendor: str) -> None:
    sides = ("rejects", "skipped", "duplicates", "conflicts", "counts")
    shards = [data for case in CASES if case.target.startswith(f"{vendor}/")
              for name, data in case.expected().items() if not name.startswith(sides)]  # fmt: skip
    found = {json.loads(line)["api"] for data in shards for line in data.splitlines()}
    assert set(rest_of(vendor).apis) - set(UNUSED[vendor].split()) == found


@pytest.mark.parametrize("vendor", ["easemob", "rongcloud", "tencent", "yunxin"])
def test_vendor_is_told_by_content(vendor: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.vendor == vendor)
    found = run(case.sources(), tmp_path, vendor, source="auto", target=case.target, key=KEY).manifest
    assert vendor == found.source


def test_rejects_are_an_input_that_gives_the_same_rejects(tmp_path: Path) -> None:
    """They hold the records with their requests; nothing else is needed to correct and convert them."""
    for number, case in enumerate(case for case in CASES if case.vendor != "custom"):
        rejects = case.out / "rejects.ndjson"
        if not rejects.exists():
            continue
        asked = case.asked() | {"source": case.vendor}
        asked["settings"] = {**asked.get("settings", {}), "people.file_names": "ignore"}
        run(rejects, tmp_path / str(number), case.vendor, **asked)
        again = (tmp_path / str(number) / "rejects.ndjson").read_bytes()
        assert said(rejects.read_bytes()) == said(again), case.id


def said(rejects: bytes) -> list[tuple[str, str]]:
    found = [json.loads(line) for line in rejects.splitlines()]
    return [(one["code"], one["why"]) for one in found if "raw" in one]


def counts_of(case: Case) -> dict[str, dict[str, dict[str, int]]]:
    return json.loads((case.out / "counts.json").read_bytes())  # type: ignore[no-any-return]
