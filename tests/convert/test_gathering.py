"""Files that are mapped together come out as each would alone: lines, side files, ledger and first places."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from golden import FIXTURES
from support.small_jobs import content, differing, easemob, options, recall, run, side, tree

POST = (FIXTURES / "easemob/posts/in/posts.ndjson").read_bytes().splitlines(keepends=True)[0]
DOCUMENT = b'{"entities":[' + easemob(7001).strip() + b"," + easemob(7002, bodies=2).strip() + b"]}"
SIZE = 4000
"""Bytes that each file is padded to, so that segments of this size have one each, but for empty and packed ones."""
ALL = 1 << 20


def small_file(chance: random.Random, number: int) -> bytes:
    """A few records of one or two formats, with what may go wrong at the edges of a file."""
    first = number * 10
    lines = [easemob(first + index, team=index % 2 == 0) for index in range(chance.randrange(1, 5))]
    lines[0] = chance.choice((lines[0], POST, easemob(first, bodies=3), b'{"msg_id":"9"}\n', b"\n"))
    lines.append(chance.choice((easemob(1 + chance.randrange(50)), recall(first + 9, 3), b"bad\n", b"\xef\xbb\xbf\n")))
    text = b"".join(lines)
    ends = (text, text.rstrip(), text.replace(b"\n", b"\r\n"), text + b'{"msg_id":"1', DOCUMENT, b"", b"\n")
    found = chance.choices(ends, (6, 3, 2, 1, 1, 1, 1))[0]
    return found.replace(b"{", b"{" + b" " * (SIZE - len(found)), 1)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "in"
    folder.mkdir()
    chance = random.Random(20)
    for number in range(150):
        data = small_file(chance, number)
        (folder / f"{number:03}").write_bytes(gzip.compress(data) if number % 17 == 3 else data)
    return folder


def told(folder: Path) -> dict[str, Any]:
    """What the manifest says of the content, apart from how it lies in shards; "first" is by segment for twins."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name in ("options", "shards", "sources", "files", "duplicates", "conflicts"):
        manifest.pop(name)
    return dict(manifest)


@pytest.mark.parametrize("compiled", [True, False])
def test_together_as_alone(tmp_path: Path, inputs: Path, *, compiled: bool) -> None:
    """In one segment the files are mapped in a few goes, in segments of their own each is."""
    run(options(inputs, tmp_path / "together", compiled=compiled, segment_size=ALL))
    run(options(inputs, tmp_path / "alone", compiled=compiled, segment_size=SIZE))
    together, alone = tmp_path / "together", tmp_path / "alone"
    assert told(alone) == told(together)
    assert content(alone) == content(together)
    for name in ("rejects", "skipped", "duplicates", "conflicts"):
        assert side(alone, name) == side(together, name)


def test_with_and_without_the_part_in_c(tmp_path: Path, inputs: Path) -> None:
    for compiled in (True, False):
        run(options(inputs, tmp_path / str(compiled), compiled=compiled, segment_size=ALL))
    assert differing(tree(tmp_path / "True"), tree(tmp_path / "False")) == []


def test_the_ledger_of_each_file(tmp_path: Path, inputs: Path) -> None:
    """Each file's records are its own lines, whoever else was mapped with it."""
    run(options(inputs, tmp_path / "out", segment_size=ALL))
    manifest = json.loads((tmp_path / "out/manifest.json").read_bytes())
    read = {found["file"]: found["account"]["read"] for found in manifest["inputs"]}
    for path in inputs.iterdir():
        data = path.read_bytes()
        text = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        records = 2 if b"entities" in text else len(text.removesuffix(b"\n").split(b"\n")) if text else 0
        assert read[path.name] == records, path.name
