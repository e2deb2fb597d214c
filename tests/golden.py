"""Golden cases: folders `fixtures/<vendor>/<case>` with `in/`, `out/` and, where it needs them, `options.json`.

Plan: `cases` finds them all, `produce` converts one and gives what its `out/` has to hold, by file name. Shards are
joined stream by stream; a file that would be empty is absent. A new case needs no Python. Cases of other targets than
Yunxin are folders `fixtures/targets/<target>/<vendor>`, whose `options.json` lists the cases they take as `inputs`.
Cases of people are folders `fixtures/people/<vendor>/<case>`, whose `options.json` lists the `targets` they are
converted for; each has an `out/<target>` of its own.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imconvert.cli.progress import Silent
from imconvert.convert.books.manifest import Example, Manifest
from imconvert.convert.options import Options
from imconvert.convert.ports import Clock
from imconvert.convert.run import Outcome, convert
from imconvert.vendors import TARGETS

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
VENDORS = ("custom", "easemob", "rongcloud", "tencent", "yunxin")
STREAMS = ("p2p", "team")
SIDES = ("rejects", "skipped", "duplicates", "conflicts")
LATEST = 1_900_000_000_000
KEY = b"k" * 32
"""What secrets are made from."""
PATHS = ("ids", "map", "members", "tids")
CLOCK = Clock(lambda: 1_800_000_000.0, lambda: 0.0)


@dataclass(frozen=True, slots=True)
class Case:
    """One folder of fixtures."""

    vendor: str
    name: str
    path: Path
    target: str = ""

    @property
    def id(self) -> str:
        return f"{self.vendor}/{self.name}" + f"-to-{self.target}" * bool(self.target)

    def asked(self) -> dict[str, Any]:
        """The case's own options; paths are relative to its folder."""
        file = self.path / "options.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if found.pop("inputs", None) or found.pop("targets", None):
            found |= {"target": self.target, "key": KEY} if self.target else {}
        return {key: self.path / value if key in PATHS else value for key, value in found.items()}

    def expected(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.out.glob("*")}

    @property
    def out(self) -> Path:
        """Where what is expected lies."""
        return self.path / "out" / self.target.replace("/", "-")

    def sources(self) -> list[Path]:
        """The folders that are converted: its own, or those of other cases of the vendor."""
        file = self.path / "options.json"
        names = json.loads(file.read_text(encoding="utf-8")).get("inputs", []) if file.exists() else []
        return [FIXTURES / self.vendor / name / "in" for name in names] or [self.path / "in"]

    def inputs(self) -> list[Path]:
        return sorted(file for folder in self.sources() for file in folder.rglob("*") if file.is_file())


def codes_of(case: Case) -> set[str]:
    """The codes that a golden of an arranged target tells of: of records, and of what blocks a load."""
    counts = json.loads((case.path / "out" / "counts.json").read_bytes())
    blocked = {name.partition(" ")[0] for name in counts["arranged"]["blockers"]}
    return {*counts["rejects"], *counts["skipped"], *counts["repairs"]} | blocked


def target_cases() -> list[Case]:
    """The cases of targets that are loaded in time order, in order of their ids."""
    return [
        Case(path.name.partition("+")[0], f"to-{target.name}{''.join(path.name.partition('+')[1:])}", path)
        for target in sorted((FIXTURES / "targets").iterdir())
        for path in sorted(target.iterdir())
    ]


def people_cases() -> list[Case]:
    """The cases of people, one for each target."""
    return [
        Case(path.parent.name, path.name, path, target)
        for path in sorted((FIXTURES / "people").glob("*/*"))
        for target in json.loads((path / "options.json").read_text(encoding="utf-8"))["targets"]
    ]


def cases() -> list[Case]:
    """All cases, in order of their ids."""
    return [
        Case(vendor, path.name, path)
        for vendor in VENDORS
        for path in sorted((FIXTURES / vendor).iterdir())
        if (path / "in").is_dir()
    ]


def run(path: Path | list[Path], output: Path, vendor: str, **asked: Any) -> Outcome:
    """Convert folders or files with one worker."""
    paths = path if isinstance(path, list) else [path]
    options = Options(inputs=tuple(map(str, paths)), output=output, **{"source": vendor, "latest": LATEST} | asked)
    return convert(options, Silent(), CLOCK, {})


def produce(case: Case, folder: Path, **more: Any) -> dict[str, bytes]:
    """What the case's `out/` has to hold, converted in the empty `folder`."""
    outcome = run(case.sources(), folder, case.vendor, **case.asked(), **more)
    suffix = TARGETS[outcome.manifest.target_name].suffix
    found = {f"{stream}{suffix}": shards(folder, stream, suffix) for stream in outcome.manifest.streams}
    found |= {f"{side}.ndjson": (folder / f"{side}.ndjson").read_bytes() for side in SIDES}
    found |= {
        file.name: file.read_bytes()
        for name in ("media", "packages*", "users")
        for file in folder.glob(f"{name}.ndjson")
    }
    return {name: data for name, data in found.items() if data} | {"counts.json": counts(outcome)}


def shards(folder: Path, stream: str, suffix: str = ".txt") -> bytes:
    """The shards of a stream, joined."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob(f"{stream}-*{suffix}")))


def counts(outcome: Outcome) -> bytes:
    """Totals, counts by code, fidelity, input errors and exit code as indented JSON."""
    found = outcome.manifest
    tables = {name: tally(getattr(found, name)) for name in ("rejects", "skipped", "repairs")}
    totals = {name: getattr(found.totals, name) for name in found.totals.__struct_fields__}
    summary = {
        "exit_code": outcome.exit_code,
        "totals": totals,
        "rekeyed": found.rekeyed,
        **tables,
        "fidelity": dict(fidelity(found)),
        "errors": {source.file: source.error["code"] for source in found.inputs if source.error},
    }
    summary |= {"drift": drift(found)} if found.drift else {}
    summary |= {"arranged": arranged(found)} if found.arranged else {}
    summary |= {"packages": packages(found)} if found.packages else {}
    surveys = {source.file: source.survey for source in found.inputs if source.survey}
    summary |= {"surveys": surveys} if surveys else {}
    return (json.dumps(summary, indent=1, ensure_ascii=False) + "\n").encode()


def arranged(found: Manifest) -> dict[str, Any]:
    """Requests, conversations, and what has to be settled before loading."""
    facts = found.arranged
    assert facts
    blockers = {f"{one.code} {one.values['first']}": one.values["messages"] for one in facts.blockers}
    counts = {name: getattr(facts, name) for name in ("requests", "conversations", "largest")}
    return {**counts, "blockers": blockers}


def packages(found: Manifest) -> dict[str, Any]:
    """What the manifest tells of packages, but for what follows from the files."""
    facts = found.packages
    assert facts
    return {name: getattr(facts, name) for name in facts.__struct_fields__ if name not in ("index", "shards")}


def drift(found: Manifest) -> dict[str, dict[str, int]]:
    """What the vendor's documents don't know, by kind and name."""
    return {what: {name: seen.count for name, seen in kind.names.items()} for what, kind in found.drift.items()}


def tally(table: dict[str, Example]) -> dict[str, int]:
    return {name: example.count for name, example in table.items()}


def fidelity(found: Manifest) -> Iterator[tuple[str, Any]]:
    for kind, row in found.fidelity.items():
        if not row.messages and not row.transformed and not row.degraded:
            continue
        more = {name: tally(getattr(row, name) or {}) for name in ("transformed", "degraded", "dropped")}
        yield kind, {"messages": row.messages, "kept": row.kept} | {name: what for name, what in more.items() if what}


def difference(expected: dict[str, bytes], actual: dict[str, bytes]) -> str:
    """A unified diff of the two sets of files; nothing where they are equal."""
    lines: list[str] = []
    for name in sorted(expected.keys() | actual.keys()):
        before, after = (shown(files.get(name, b"")) for files in (expected, actual))
        lines += difflib.unified_diff(before, after, f"out/{name}", f"new/{name}", lineterm="", n=1)
    return "\n".join(lines)


def shown(data: bytes) -> list[str]:
    """Lines for a diff: whatever a terminal would hide is escaped, and a missing last newline is told."""
    lines = [line.encode("unicode_escape").decode() if not line.isprintable() else line
             for line in data.decode("utf-8", "backslashreplace").split("\n")]  # fmt: skip
    return lines[:-1] if lines[-1] == "" else [*lines[:-1], f"{lines[-1]} (no newline)"]
