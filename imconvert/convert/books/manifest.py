"""The manifest: what an output folder holds and where everything went. Written last; without it nothing is finished.

Promise: the same input and options give the same bytes, on any machine, with any number of workers. What depends on
the clock or the machine stands in run.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from imconvert import durable
from imconvert.convert.books.ledger import Account
from imconvert.convert.map.drift import Drift
from imconvert.convert.map.media import MediaFacts, listed
from imconvert.convert.plan import FORMAT, Plan
from imconvert.convert.work import Count, PackageFacts, PartMarker, ShardFacts, SourceFacts
from imconvert.errors import CATALOGUE, UsageError, cause_of, exit_code_of
from imconvert.vendors.people.source import SUFFIX

NAME = "manifest.json"
RUN = "run.json"
SIDES = ("rejects", "conflicts", "duplicates", "skipped")


class SideFile(Struct):
    """One of the files beside the shards."""

    lines: int
    bytes: int
    sha256: str


class InputFacts(Struct):
    """One input: where it came from, what it was, its account, and its error if it could not be read whole.

    `survey` is what it says as a whole about its records.
    """

    file: str
    bytes: int
    container: str
    edges: str
    account: Account
    error: dict[str, Any] | None = None
    survey: dict[str, str] = {}


class Example(Struct):
    """How often something happened, and where first."""

    count: int
    name: str
    file: str
    line: int
    why: str = ""
    values: dict[str, Any] = {}


class Fidelity(Struct):
    """What became of one kind of content: messages in all, those untouched, and what was done to the others."""

    messages: int
    kept: int
    transformed: dict[str, Example]
    degraded: dict[str, Example]
    dropped: dict[str, Example] | UnsetType = UNSET

    def add(self, outcome: str, example: Example) -> None:
        """Tell of a field, by the example's name."""
        if outcome == "dropped" and isinstance(self.dropped, UnsetType):
            self.dropped = {}
        getattr(self, outcome)[example.name] = example


class Collisions(Struct):
    """Source ids whose derived number another id had: how many, their lines that are written, the first of these."""

    ids: int
    lines: int
    first: dict[str, Any]


class Times(Struct, rename={"source": "from"}):
    """An offset from UTC by which times were read, what says that it is that, in how many inputs, the first of them."""

    offset: str
    source: str
    inputs: int
    first: str


class Recalls(Struct):
    """What was done about recalled messages: the policy, recall events, lines that were left out or became tombstones,
    and events without a message, with the first of these."""

    policy: str
    events: int
    lines: int
    without: int
    first: dict[str, Any]


class BlockerFacts(Struct):
    """What has to be settled before loading: a code with its text, and the figures in it."""

    code: str
    name: str
    why: str
    remedy: str
    values: dict[str, Any]


class Arranged(Struct):
    """What was arranged for a target that is loaded in time order: requests and conversations by stream, messages of
    the largest conversation, and what has to be settled before loading."""

    requests: dict[str, int]
    conversations: dict[str, int]
    largest: int
    blockers: list[BlockerFacts]


class SecretFacts(Struct):
    """The file with the secrets of the accounts, and how many it has. Neither it nor what is in it is summed."""

    file: str
    accounts: int


class PackageTotals(Struct):
    """The packages for users' devices, in all: users, calls and copies of messages; of the messages how many were
    copied, left out by `since` or `newest`, or reach nobody; groups, and those of which nobody told the members; the
    rows of the file of members, and those whose ids the target can't have; the largest package; messages in a call at
    most; whether calls are gzip files; the salt of the hash of users; the index and the shards. Of what is missing the
    first each."""

    users: int
    calls: int
    copies: int
    messages: dict[str, int]
    first_lost: str
    groups: int
    untold: int
    first_untold: str
    members: dict[str, int] | None
    first_refused: str
    largest: int
    largest_user: str
    most: int
    packed: bool
    salt: int
    index: SideFile
    shards: list[PackageFacts]


class Manifest(Struct):
    """See docs/formats.md for each field."""

    format: int
    source: str
    target: str
    options: dict[str, str]
    totals: Account
    rekeyed: int
    streams: dict[str, int]
    shards: list[ShardFacts]
    files: dict[str, SideFile]
    inputs: list[InputFacts]
    rejects: dict[str, Example]
    conflicts: dict[str, Any]
    duplicates: dict[str, Any]
    skipped: dict[str, Example]
    repairs: dict[str, Example]
    fidelity: dict[str, Fidelity]
    drift: dict[str, Drift] = {}
    collisions: Collisions | None = None
    sources: list[SourceFacts] = []
    media: MediaFacts = MediaFacts()
    recalls: Recalls | None = None
    times: list[Times] = []
    arranged: Arranged | UnsetType = UNSET
    packages: PackageTotals | UnsetType = UNSET
    content: str | UnsetType = UNSET
    secrets: SecretFacts | UnsetType = UNSET

    @property
    def target_name(self) -> str:
        """The name of the `Target` whose lines these are."""
        return self.target if isinstance(self.content, UnsetType) else f"{self.target}/{self.content}"

    @property
    def source_name(self) -> str:
        """The name of the `Vendor` that was read."""
        return self.source if isinstance(self.content, UnsetType) else f"{self.source}{SUFFIX}"


def to_bytes(manifest: Manifest) -> bytes:
    """The manifest as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def from_bytes(data: bytes) -> Manifest:
    """Read a manifest. Raises msgspec.DecodeError for anything else."""
    return msgspec.json.decode(data, type=Manifest)


def read_manifest(output: Path) -> Manifest:
    """The manifest of a finished output folder. Raises UsageError IMC-1006 or IMC-1014."""
    data = durable.read_file(output / NAME)
    if data is None:
        raise UsageError("IMC-1014", str(output), why=f"there is no {NAME}")
    try:
        version = msgspec.json.decode(data).get("format")
        if version != FORMAT:
            raise UsageError("IMC-1006", str(output), found=version, ours=FORMAT)
        return from_bytes(data)
    except (msgspec.DecodeError, AttributeError) as why:
        raise UsageError("IMC-1014", str(output), why=f"its manifest cannot be read ({why})") from why


class Labels:
    """Turns places counted within a piece into places in the whole input."""

    def __init__(self, plan: Plan, bases: dict[tuple[int, int], int]) -> None:
        self.labels = [source.label for source in plan.inputs]
        self.bases = bases

    def examples(self, counts: list[tuple[int, dict[str, Count]]]) -> dict[str, Example]:
        """Merge counters of (segment, counters) in input order; the first place of each stays."""
        found: dict[str, Example] = {}
        for segment, counters in counts:
            for name, count in counters.items():
                if name in found:
                    found[name].count += count.count
                else:
                    found[name] = self.example(segment, name, count)
        return dict(sorted(found.items()))

    def example(self, segment: int, name: str, count: Count) -> Example:
        """A counter of a segment, its first place counted in the whole input."""
        first = count.first
        assert first is not None
        line = first.line + self.bases.get((segment, first.file), 0) + 1
        title = CATALOGUE[name].name if name in CATALOGUE else name
        return Example(count.count, title, self.labels[first.file], line, first.why, first.values)


def fidelity(parts: list[PartMarker], labels: Labels) -> dict[str, Fidelity]:
    """The fidelity table: kinds of content by what became of them (design: kept, transformed, degraded)."""
    found: dict[str, Fidelity] = {}
    for part in parts:
        for kind, messages in part.kinds.items():
            row = found.setdefault(kind, Fidelity(0, 0, {}, {}))
            row.messages += messages
            row.kept += messages
    changes = labels.examples([(part.segment, part.changes) for part in parts])
    for name, example in changes.items():
        kind, outcome, field = name.split("\t")
        row = found.setdefault(kind, Fidelity(0, 0, {}, {}))
        if field:
            example.name = field
            row.add(outcome, example)
    for kind, row in found.items():
        row.kept -= changes[f"{kind}\tany\t"].count if f"{kind}\tany\t" in changes else 0
    return dict(sorted(found.items()))


def times(parts: list[PartMarker], labels: list[str]) -> list[Times]:
    """By which offsets the times of the inputs were read, in order."""
    inputs: dict[tuple[str, str], set[int]] = {}
    for part in parts:
        for piece in part.pieces:
            for clock in piece.clocks:
                inputs.setdefault(clock, set()).add(piece.file)
    return [Times(*clock, len(files), labels[min(files)]) for clock, files in sorted(inputs.items())]


def example_of(reject: dict[str, Any]) -> Example:
    """A line of a rejects file as an example."""
    return Example(1, CATALOGUE[reject["code"]].name, reject["file"], reject["line"], reject["why"])


def input_facts(plan: Plan, parts: list[PartMarker], books: list[Account]) -> list[InputFacts]:
    """What there is to say of each input; those that could not be opened come last."""
    pieces = [piece for part in parts for piece in part.pieces]
    errors = {piece.file: piece.error for piece in pieces if piece.error is not None}
    surveys = {piece.file: piece.survey for piece in pieces if piece.survey}
    found = [
        InputFacts(
            s.label, s.size, s.container, s.edges, account, error_facts(errors.get(number)),
            msgspec.json.decode(surveys.get(number, "{}")),
        )
        for number, (s, account) in enumerate(zip(plan.inputs, books, strict=True))
    ]  # fmt: skip
    return found + [
        InputFacts(bad.label, 0, "", "", Account(), error_facts((bad.code, bad.values))) for bad in plan.unreadable
    ]


def media_list(target: Path, lists: list[Path]) -> tuple[MediaFacts, SideFile]:
    """Join the lists of files that stood inside of records; gives what there is to say of both."""
    side = SideFile(*durable.join_files(target, lists))
    return MediaFacts(side.lines, sum(size for _, size in listed(target))), side


def error_facts(error: tuple[str, dict[str, Any]] | None) -> dict[str, Any] | None:
    """An input's error as the manifest tells it."""
    if error is None:
        return None
    code, values = error
    return {"code": code, "name": CATALOGUE[code].name, "why": cause_of(code, values), "values": values}


def exit_code(manifest: Manifest) -> int:
    """The exit code that a finished run deserves: 4 for inputs not read whole, 3 for rejects or conflicts, else 0."""
    if any(source.error for source in manifest.inputs):
        return exit_code_of("IMC-4001")
    return exit_code_of("IMC-2001") if manifest.totals.rejected or manifest.totals.conflicts else 0


def new(plan: Plan) -> Manifest:
    """A manifest of a plan, with nothing counted yet."""
    target, _, content = plan.target.partition("/")
    return Manifest(
        format=FORMAT, source=plan.vendor.removesuffix(SUFFIX), target=target, options=plan.options,
        totals=Account(), rekeyed=0, streams={}, shards=[], files={}, inputs=[], rejects={}, conflicts={},
        duplicates={}, skipped={}, repairs={}, fidelity={}, content=content or UNSET,
    )  # fmt: skip
