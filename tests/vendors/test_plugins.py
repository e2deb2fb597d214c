"""Vendors of other packages: found by their entry point, guarded, and refused with a code where they can't be used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from golden import CLOCK, FIXTURES, LATEST

from imconvert.audit.explain import explain_message
from imconvert.cli.progress import Silent
from imconvert.convert.options import Options
from imconvert.convert.run import Outcome, convert
from imconvert.errors import UsageError
from imconvert.vendors import ALL, every, find, names, plugins, settings

EXAMPLE = FIXTURES / "plugin-example"


def install(folder: Path, name: str, point: str, code: str | None = None) -> Path:
    """What pip leaves of a package: its metadata with an entry point, and its module."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{point}\n")
    if code is not None:
        (folder / f"{point.split('=')[1].split(':')[0].strip()}.py").write_text(code)
    return folder


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages that is on the path of modules."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    plugins._loaded.cache_clear()
    for name in [name for name in sys.modules if name.startswith("imconvert_")]:
        del sys.modules[name]


@pytest.fixture
def example(site: Path) -> Path:
    code = (EXAMPLE / "imconvert_markup.py").read_text()
    return install(site, "imconvert-markup", "markup = imconvert_markup:VENDOR", code)


def run(output: Path, **asked: object) -> Outcome:
    options = {"source": "auto", "latest": LATEST, **asked}
    return convert(Options((str(EXAMPLE / "history.ndjson"),), output, **options), Silent(), CLOCK, {})  # type: ignore[arg-type]


def test_the_example_declares_the_entry_point_that_the_tests_use() -> None:
    text = (EXAMPLE / "pyproject.toml").read_text()
    assert '[project.entry-points."imconvert.vendors"]\nmarkup = "imconvert_markup:VENDOR"' in text


def test_a_plug_in_is_told_by_content_and_converts(example: Path, tmp_path: Path) -> None:
    found = run(tmp_path / "out").manifest
    lines = [json.loads(line) for line in (tmp_path / "out" / "p2p-00001.txt").read_bytes().splitlines()]
    assert "markup" == found.source
    assert [(0, "Look:"), (1, None), (0, "nice?")] == [(line["type"], line["data"].get("body")) for line in lines]
    totals = found.totals
    assert (4, 2, 4, 2) == (totals.read, totals.split, totals.written, totals.rejected)
    assert {"mood": 1} == {name: seen.count for name, seen in found.drift["key"].names.items()}


def test_an_error_of_a_plug_in_rejects_the_record(example: Path, tmp_path: Path) -> None:
    assert {"IMC-2102": 1, "IMC-2440": 1} == {k: v.count for k, v in run(tmp_path / "out").manifest.rejects.items()}
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.ndjson").read_bytes().splitlines()]
    assert "The plug-in failed at this record: KeyError: 'sent'." == rejects[1]["why"]
    assert rejects[1]["raw"].startswith('{"no":10,')


def test_a_plug_in_has_settings(example: Path, tmp_path: Path) -> None:
    found = run(tmp_path / "out", source="markup", settings={"markup.rooms": "skip"}).manifest
    assert {"IMC-8104": 1} == {code: seen.count for code, seen in found.skipped.items()}


def test_package_and_version_are_part_of_the_run(example: Path, tmp_path: Path) -> None:
    assert "imconvert-markup 1.0" == run(tmp_path / "out").manifest.options["plug-in"]


def test_workers_load_the_plug_in(example: Path, tmp_path: Path) -> None:
    run(tmp_path / "one", jobs=1, segment_size=100)
    run(tmp_path / "two", jobs=2, segment_size=100)
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()


def test_the_command_line_knows_plug_ins(example: Path, tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(example), root]), "IMCONVERT_LANG": "en"}
    line = [sys.executable, "-m", "imconvert", "msgs"]
    helped = subprocess.run([*line, "--help"], env=environment, capture_output=True, text=True, check=True).stdout
    assert "|markup]" in helped
    assert "markup.rooms [keep|skip; default keep]" in helped
    done = subprocess.run([*line, str(EXAMPLE / "history.ndjson"), str(tmp_path / "out"), "--from", "markup"],
                          env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert 3 == done.returncode, done.stderr


def test_nothing_is_loaded_for_our_own_vendors(site: Path, tmp_path: Path) -> None:
    install(site, "bad", "bad = imconvert_bad:VENDOR", "raise RuntimeError('loaded')")
    assert "yunxin" == find("yunxin").name
    assert "bad" not in settings("yunxin")
    assert "bad" in names()


BROKEN = {
    "raises": ("IMC-1110", "bad = imconvert_bad:VENDOR", "raise RuntimeError('at import')"),
    "exits": ("IMC-1110", "bad = imconvert_bad:VENDOR", "import not_there_at_all"),
    "lacks": ("IMC-1110", "bad = imconvert_bad:VENDOR", "OTHER = 1"),
    "no vendor": ("IMC-1111", "bad = imconvert_bad:VENDOR", "VENDOR = 'a text'"),
    "other name": ("IMC-1111", "bad = imconvert_bad:VENDOR", "from imconvert.vendors.easemob import VENDOR"),
    "taken": ("IMC-1111", "yunxin = imconvert_bad:VENDOR", "from imconvert.vendors.yunxin import VENDOR"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_plug_in_that_cannot_be_used_is_named(kind: str, site: Path, tmp_path: Path) -> None:
    code, point, source = BROKEN[kind]
    install(site, "imconvert-bad", point, source)
    with pytest.raises(UsageError) as found:
        every()
    assert code == found.value.code
    assert "imconvert-bad 1.0" in str(found.value)


def test_two_packages_with_one_name_are_refused(example: Path) -> None:
    install(example, "imconvert-other", "markup = imconvert_other:VENDOR", "")
    with pytest.raises(UsageError, match="imconvert-markup 1.0 and imconvert-other 1.0"):
        find("markup")


def test_the_same_package_found_twice_is_one(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(
        str(install(tmp_path / "again", "imconvert-markup", "markup = imconvert_markup:VENDOR"))
    )
    assert "markup" == find("markup").name


def test_an_unknown_name_is_told_with_what_is_close(example: Path) -> None:
    with pytest.raises(UsageError, match='did you mean "markup"'):
        find("mark-up")


def test_without_plug_ins_there_are_our_own(site: Path) -> None:
    assert ALL == every()[: len(ALL)]


def test_what_a_plug_in_gives_is_checked(site: Path) -> None:
    install(site, "odd", "odd = imconvert_odd:VENDOR", "from imconvert.vendors.contract import Vendor\n"
            "VENDOR = Vendor('odd', 'Odd', lambda value: 1 / 0, lambda *_: lambda raw: 'a text')")  # fmt: skip
    vendor = find("odd")
    assert vendor.looks_like({}) is False
    with pytest.raises(Exception, match="IMC-2440"):
        vendor.reader({}, None, LATEST)(b"{}")  # type: ignore[arg-type]


# --- explain -------------------------------------------------------------------------------------------

NAMED = """
import json
from dataclasses import replace
from imconvert_markup import VENDOR as EXAMPLE
from imconvert.model import derived_id
import msgspec

def reader(settings, notes, latest):
    read = EXAMPLE.reader(settings, notes, latest)

    def named(raw):
        message = read(raw)
        name = f"box/{message.msgid}"
        return msgspec.structs.replace(message, source_id=name, msgid=derived_id("named", name))

    return named

def name_of(raw, head):
    number = json.loads(raw)["no"]
    return "box/%d" % number if number != 10 else {}["nothing"]

VENDOR = replace(EXAMPLE, name="named", settings=(), reader=lambda s, n, l: reader({"markup.rooms": "keep"}, n, l),
                 name_of=name_of)
"""


@pytest.fixture
def named(example: Path) -> Path:
    return install(example, "imconvert-named", "named = imconvert_named:VENDOR", NAMED)


def told(output: Path, name: str) -> list[tuple[str | None, int]]:
    return [(finding.code, finding.line) for finding in explain_message(output, name)]


def test_explain_asks_the_plug_in_for_names(named: Path, tmp_path: Path) -> None:
    """Of records that were left out, too: their id doesn't stand there as the plug-in calls it."""
    run(tmp_path / "out", source="named")
    assert told(tmp_path / "out", "box/8") == [(None, 2)]
    assert told(tmp_path / "out", "box/9") == [("IMC-2102", 3)]
    assert told(tmp_path / "out", "box/10") == [], "an error in name_of is no name, and no crash"


def test_explain_does_without_a_plug_in_that_is_gone(named: Path, tmp_path: Path) -> None:
    run(tmp_path / "out", source="named")
    shutil.rmtree(named / "imconvert_named-1.0.dist-info")
    plugins._loaded.cache_clear()
    assert told(tmp_path / "out", "box/8") == [(None, 2)]
    assert told(tmp_path / "out", "box/9") == []


def test_what_cannot_be_guarded_is_not_taken(site: Path) -> None:
    code = """
from imconvert.vendors.contract import Survey, Tables, Vendor

def fail(*given):
    raise RuntimeError("no")

VENDOR = Vendor("bad", "Bad", fail, fail, tables=Tables(fail, fail), survey=Survey(fail, fail), shape=fail,
                more_shapes=fail, shortcut=fail, peek=fail, redact=fail, name_of=fail)
"""
    install(site, "bad", "bad = imconvert_bad:VENDOR", code)
    vendor = find("bad")
    assert [vendor.tables, vendor.survey, vendor.shape, vendor.more_shapes, vendor.shortcut] == [None] * 5
    assert (vendor.peek(b"{}"), vendor.name_of(b"{}", b"")) == (None, None)  # type: ignore[misc]
    assert vendor.redact(b"secret") == plugins.WITHHELD  # type: ignore[misc]
