"""Throw spoiled exports of every source at the converter, for as long as there is time: unknown shapes never crash.

Plan: a round takes golden cases of a source (messages of all, or people of all vendors), spoils their files (keys and
values replaced, removed, doubled, renamed or nested in their JSON; bytes cut out, replaced, doubled; lines mixed; files
cut off or packed), draws target and options, and converts, with the part in C and without it.
Each run has to end with a manifest whose ledger balances, every reject and skip has to have a code of the catalogue and
a place that is there, and both ways have to write the same bytes. Everything is drawn from the seed and the number of
the round, so that a failing one can be repeated with --seed and --first; its files are kept.

    python scripts/fuzz_sources.py --minutes 5 --seed 1
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from golden import CLOCK, KEY, LATEST, Case, cases, people_cases  # type: ignore[import-not-found]  # noqa: E402

from imconvert.cli.progress import Silent  # noqa: E402
from imconvert.convert.options import Options  # noqa: E402
from imconvert.convert.run import convert  # noqa: E402
from imconvert.errors import CATALOGUE, UsageError  # noqa: E402
from imconvert.vendors import TARGETS, settings  # noqa: E402

LARGEST = 200_000
"""Bytes of a golden file that is taken."""
AT_ONCE = 10
"""Golden cases in a round, where they need no mapping."""
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e400, 10**30, 2**63, "", " ", "x", "\ud83d", "\0", "李" * 3000, "9" * 5000, "1e5",
    "2024-01-01", [], {}, [[]], [None], [1, "a", {}], {"": {}}, {"type": "?"}, '{"a":', '{"a":{"b":[]}}', "[]", "null",
)  # fmt: skip
BYTES = (b'"', b"\\", b"{", b"}", b"[", b"]", b",", b"null", b"\\ud83d", b"\xff", b"\0", b"\xef\xbb\xbf", b"\r\n",
         b"\n", b"9" * 30, b"[" * 90, b" ", b"{}\n")  # fmt: skip


# --- spoiling -------------------------------------------------------------------------------------------


def spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything that can be replaced in a document, as (holder, key)."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from spots(inner)


def replaced(holder: Any, key: Any, chance: Random) -> None:
    holder[key] = deepcopy(chance.choice(VALUES))


def removed(holder: Any, key: Any, chance: Random) -> None:
    del holder[key]


def doubled(holder: Any, key: Any, chance: Random) -> None:
    if isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), deepcopy(holder[key]))
    else:
        holder[f"{key}2"] = deepcopy(holder[key])


def renamed(holder: Any, key: Any, chance: Random) -> None:
    """A word that nobody knows, in place of a key or of a text."""
    if isinstance(holder, dict):
        holder[chance.choice(("", "new", "类型", str(key).upper()))] = holder.pop(key)
    else:
        holder[key] = "no-such-word"


def nested(holder: Any, key: Any, chance: Random) -> None:
    """The value as an object, as JSON in a text, or in brackets, up to a hundred of them."""
    value = holder[key]
    for _ in range(chance.choice((1, 2, 100))):
        value = [value] if chance.random() < 0.7 else {"x": value}
    holder[key] = value if chance.random() < 0.7 else json.dumps(value)


WAYS: tuple[Callable[[Any, Any, Random], None], ...] = (replaced, replaced, removed, doubled, renamed, nested)


def respelled(line: bytes, chance: Random) -> bytes:
    """A JSON line with some of its values spoiled; anything else is left as it is."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line
    for _ in range(chance.randint(1, 3)):
        found = list(spots(value))
        if found:
            chance.choice(WAYS)(*chance.choice(found), chance)
    return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def bitten(data: bytes, chance: Random) -> bytes:
    """Data with a few bytes cut out, doubled or replaced."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        stop = min(len(data), start + chance.choice((0, 1, 3, 12, 200)))
        piece = chance.choice((*BYTES, data[start:stop] * 2))
        data = data[:start] + piece + data[stop:]
    return data


def spoiled(data: bytes, chance: Random) -> bytes:
    """A file, spoiled: each of its lines with some luck, then as a whole."""
    lines = data.split(b"\n")
    if len(lines) < 3 and chance.random() < 0.6:
        return respelled(data, chance)
    lines = [respelled(line, chance) if chance.random() < 0.4 else line for line in lines]
    if chance.random() < 0.3:
        lines += chance.choices(lines, k=chance.randint(1, 9))
    if chance.random() < 0.2:
        chance.shuffle(lines)
    found = b"\n".join(lines)
    found = bitten(found, chance) if chance.random() < 0.5 else found
    if chance.random() < 0.15:
        found = found[: chance.randrange(len(found) + 1)]
    if chance.random() < 0.1:
        found = gzip.compress(found, 1, mtime=0)
        found = found if chance.random() < 0.5 else bitten(found, chance)
    return found


# --- a round --------------------------------------------------------------------------------------------


def drawn(case: Case, chance: Random) -> dict[str, Any]:
    """The options of a round: the case's own, with other choices for some."""
    asked = {"source": case.vendor, "latest": LATEST, "key": KEY, **case.asked()}
    content = asked.get("target", "").partition("/")[2]
    if asked.get("map"):
        asked["source"] = "custom"
    if not content:
        asked["target"] = chance.choice(sorted(name for name, target in TARGETS.items() if not target.people))
        asked["recalls"] = chance.choice(("keep", "drop", "mark"))
        asked["on_conflict"] = chance.choice(("quarantine", "keep-last"))
    asked["strict"] = chance.random() < 0.15
    asked["segment_size"] = chance.choice((None, 700, 20_000))
    known = settings(asked["source"], content)
    chosen = chance.sample(sorted(known), min(len(known), chance.randint(0, 4)))
    more = {name: chance.choice(known[name].allowed) for name in chosen if isinstance(known[name].allowed, tuple)}
    return {**asked, "settings": asked.get("settings", {}) | more}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and path.name != "run.json"}  # fmt: skip


def told_wrong(folder: Path, names: set[str]) -> str:
    """What is wrong with the side files of an output, if anything is."""
    for side in ("rejects", "skipped"):
        for line in (folder / f"{side}.ndjson").read_bytes().splitlines():
            row = json.loads(line)
            if row["code"] not in CATALOGUE:
                return f"{side} has the code {row['code']}"
            if row["file"].split("!")[0] not in names or row["line"] < 1 or row["offset"] < 0:
                return f"{side} has a place that can't be: {row['file']}:{row['line']}"
    totals = json.loads((folder / "manifest.json").read_bytes())["totals"]
    gone = sum(totals[name] for name in ("written", "duplicates", "conflicts", "rejected", "skipped"))
    return "" if totals["read"] + totals["split"] == gone else f"the ledger does not balance: {totals}"


class Campaign:
    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.counts: Counter[str] = Counter()
        every = [*cases(), *people_cases()]
        self.groups: dict[str, list[Case]] = {}
        for case in every:
            self.groups.setdefault(f"{case.vendor}{'/people' if case.target else ''}", []).append(case)

    def round(self, number: int) -> None:
        chance = Random(f"{self.seed} {number}")
        group = chance.choice(sorted(self.groups))
        taken = chance.sample(self.groups[group], min(len(self.groups[group]), AT_ONCE))
        taken = taken[:1] if "map" in taken[0].asked() else [case for case in taken if "map" not in case.asked()]
        folder = self.folder / f"round-{number}"
        names = self.write(taken, folder / "in", chance)
        asked = drawn(taken[0], chance)
        trouble = self.tried(asked, folder, names, group)
        if trouble:
            self.counts["troubles"] += 1
            ids = ", ".join(case.id for case in taken)
            print(f"round {number} (--seed {self.seed} --first {number}) {ids}: {trouble}\n  {asked}", flush=True)
        else:
            shutil.rmtree(folder)
        self.counts["rounds"] += 1

    def write(self, taken: list[Case], folder: Path, chance: Random) -> set[str]:
        """The spoiled files of cases; gives their names."""
        folder.mkdir(parents=True)
        names = set()
        for number, case in enumerate(taken):
            files = [file for file in case.inputs() if file.stat().st_size <= LARGEST]
            for file in chance.sample(files, min(len(files), 4)):
                name = f"{number}/{file.name}"
                (folder / name).parent.mkdir(exist_ok=True)
                data = file.read_bytes()
                spoil = spoiled if chance.random() < 0.9 else bitten
                (folder / name).write_bytes(spoil(data, chance))
                names.add(name)
        return names

    def tried(self, asked: dict[str, Any], folder: Path, names: set[str], group: str) -> str:
        """What is wrong, if anything is."""
        found = []
        for compiled in (True, False):
            out = folder / f"out-{compiled}"
            try:
                outcome = convert(
                    Options(inputs=(str(folder / "in"),), output=out, compiled=compiled, **asked), Silent(), CLOCK, {}
                )
            except UsageError as why:
                self.counts["refused"] += 1
                found.append({"refused": str(why).encode()})
                continue
            except Exception:  # noqa: BLE001 - this is what we look for
                return traceback.format_exc()
            if compiled:
                totals = outcome.manifest.totals
                self.counts[f"{group} records"] += totals.read
                self.counts[f"{group} rejects"] += totals.rejected
            wrong = told_wrong(out, names)
            if wrong:
                return wrong
            found.append(tree(out))
        if found[0] != found[1]:
            names = {name for name in found[0].keys() | found[1].keys() if found[0].get(name) != found[1].get(name)}
            return f"the part in C and the rest differ in {sorted(names)}"
        return ""


@click.command()
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--first", type=int, default=0, show_default=True, help="Number of the first round.")
@click.option("--minutes", type=float, default=5.0, show_default=True)
@click.option("--rounds", type=int, default=None, help="Stop after so many rounds.")
@click.option(
    "--work", type=click.Path(path_type=Path, file_okay=False), help="Where to work.  [default: a new folder]"
)
def main(seed: int, first: int, minutes: float, rounds: int | None, work: Path | None) -> None:
    """Convert spoiled exports. Exit code 1 for any trouble; the folders of such rounds are kept."""
    end = time.monotonic() + minutes * 60
    campaign = Campaign(work or Path(tempfile.mkdtemp(prefix="fuzz-sources-")), seed)
    number = first
    while time.monotonic() < end and (rounds is None or number < first + rounds):
        campaign.round(number)
        number += 1
    print(json.dumps({"seed": seed, "first": first, **dict(sorted(campaign.counts.items()))}))
    sys.exit(1 if campaign.counts["troubles"] else 0)


if __name__ == "__main__":
    main()
