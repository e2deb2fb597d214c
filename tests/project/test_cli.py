"""The command line: values are read or refused, languages are whole, and nothing in the data steers a terminal."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import click
import pytest
from support.small_jobs import LATEST, easemob, options, run, small_inputs, surroundings

from imconvert import __version__
from imconvert.cli import progress, summary, terminal
from imconvert.cli.options import Moment, Pair, Rejects, SegmentSize, Size, Span
from imconvert.convert.books.manifest import Example, Fidelity
from imconvert.convert.options import Budget
from imconvert.convert.run import Outcome
from imconvert.errors import CATALOGUE

CJK = re.compile(r"[\u4e00-\u9fff]")


def command(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "imconvert", *map(str, arguments)]
    found = subprocess.run(
        words, capture_output=True, env=surroundings(**more), encoding="utf-8", timeout=120, check=False
    )
    assert "Traceback" not in found.stderr
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    small_inputs(folder / "in")
    return folder / "in"


# --- values ---


def named(value: Any) -> str:
    return value.name if isinstance(value, click.ParamType) else str(value)


VALUES: list[tuple[click.ParamType, str, Any]] = [
    (Size(), "1000", 1000), (Size(), "64k", 65536), (Size(), "64KiB", 65536), (Size(), " 2 mb ", 2 << 20),
    (Size(), "1.5G", 3 << 29), (Size(), "1T", 1 << 40), (Size(), "10b", 10),
    (Span(), "500ms", 0.5), (Span(), "5s", 5.0), (Span(), "5", 5.0), (Span(), " 2 m ", 120.0), (Span(), "1.5H", 5400.0),
    (Span(), "1d", 86400.0), (Span(), "0", 0.0),
    (SegmentSize(), "auto", None), (SegmentSize(), "900", 900),
    (Rejects(), "0", Budget(0, False)), (Rejects(), "17", Budget(17, False)), (Rejects(), "0.1%", Budget(0.1, True)),
    (Rejects(), "100%", Budget(100, True)),
    (Moment(), "1711000000000", 1711000000000), (Moment(), "1970-01-02", 86_400_000),
    (Moment(), "2024-03-15T09:00:00+08:00", 1710464400000), (Moment(), "2024-03-15T01:00:00Z", 1710464400000),
    (Moment(), "2024-03-15 01:00", 1710464400000),
    (Pair(), "a=b", ("a", "b")), (Pair(), " a = b=c ", ("a", "b=c")), (Pair(), "a=", ("a", "")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "expected"), VALUES, ids=named)
def test_value(kind: click.ParamType, text: str, expected: Any) -> None:
    assert expected == kind.convert(text, None, None)
    assert expected == kind.convert(expected, None, None)


WRONG: list[tuple[click.ParamType, list[str], str]] = [
    (Size(), ["", "x", "-1", "0", "0k", "1x", "1kk", "1e3", "0x10", "1,000"], "is no size such as 64MiB"),
    (Span(), ["", "x", "-1s", "5x", "1e3s", "1,000s", "s"], "is no span of time such as 500ms, 5s or 2h"),
    (SegmentSize(), ["AUTO!", "0", "none"], "is no size such as 64MiB"),
    (Rejects(), ["", "x", "-1", "1.5", "-1%", "%", "nan%", "inf%", "1%%"], "neither a number of records nor a share"),
    (Moment(), ["", "yesterday", "-1", "1.5", "2024-13-01", "12:00"], "neither milliseconds nor a time"),
    (Pair(), ["", "a", "a:b"], "is not of the form NAME=VALUE"),
]


@pytest.mark.parametrize(
    ("kind", "text", "said"), [(kind, text, said) for kind, texts, said in WRONG for text in texts], ids=named
)
def test_wrong_value(kind: click.ParamType, text: str, said: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(text, None, None)
    assert repr(text) in caught.value.message
    assert said in caught.value.message


USAGE: list[tuple[tuple[str, ...], str]] = [
    (("--segment-size", "x"), "'x' is no size such as 64MiB"),
    (("--max-rejects", "few"), "'few' is neither a number of records"),
    (("--latest", "soon"), "'soon' is neither milliseconds"),
    (("--set", "fold"), "'fold' is not of the form NAME=VALUE"),
    (("--set", "no.such=1"), "IMC-1010 --set no.such: known are"),
    (("--set", "yunxin.fold=maybe"), "IMC-1010 --set yunxin.fold=maybe: expected is"),
    (("--jobs", "0"), "0 is not in the range"),
    (("--on-conflict", "fight"), "'fight' is not one of"),
    (("--from", "nobody"), "IMC-1112 There is no source nobody"),
    (("--ids", "no/such/file"), "does not exist"),
    (("--no-such",), "No such option"),
]


@pytest.mark.parametrize(("more", "said"), USAGE, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_wrong_usage(tmp_path: Path, source: Path, more: tuple[str, ...], said: str) -> None:
    found = command("msgs", source, tmp_path / "out", *more)
    assert (found.returncode, found.stdout) == (2, "")
    assert said in found.stderr.replace("IMC-1010: ", "IMC-1010 ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["msgs", "check", "explain"])
def test_arguments_are_needed(name: str) -> None:
    assert command(name).returncode == 2


def test_msgs_needs_an_input(tmp_path: Path) -> None:
    found = command("msgs", tmp_path / "out")
    assert found.returncode == 2
    assert "Name at least one INPUT" in found.stderr


def test_version() -> None:
    found = command("--version")
    assert (found.returncode, found.stdout) == (0, f"imconvert, version {__version__}\n")


@pytest.mark.parametrize("name", ["", "msgs", "check", "explain", "errors", "pack"])
def test_help(name: str) -> None:
    found = command(*([name] if name else []), "--help")
    assert found.returncode == 0
    assert found.stdout.startswith("Usage: ")


# --- what is said ---


def test_quiet_is_silent(tmp_path: Path, source: Path) -> None:
    found = command("msgs", source, tmp_path / "out", "-q")
    assert (found.returncode, found.stdout, found.stderr) == (3, "", "")


def test_json(tmp_path: Path, source: Path) -> None:
    found = command("msgs", source, tmp_path / "out", "--json")
    said = json.loads(found.stdout)
    assert (said["exit_code"], said["already_finished"], said["output"]) == (3, False, str(tmp_path / "out"))
    assert said["manifest"] == json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert said["run"] == json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert json.loads(command("msgs", source, tmp_path / "out", "--json").stdout)["already_finished"]


def test_chinese_summary_has_no_english_headings(tmp_path: Path, source: Path) -> None:
    chinese = command("msgs", source, tmp_path / "out", IMCONVERT_LANG="zh").stdout
    for heading in summary.WORDS["en"].values():
        assert not re.search(rf"^\W*{re.escape(heading)}\b", chinese, re.MULTILINE), heading
    assert "账目平衡" in chinese and "下一步" in chinese and "被拒明细" in chinese
    assert not any(CATALOGUE[code].cause["en"].partition("{")[0] in chinese for code in ("IMC-2001", "IMC-8102"))


def test_english_summary_has_no_chinese(tmp_path: Path, source: Path) -> None:
    assert not CJK.search(command("msgs", source, tmp_path / "out", IMCONVERT_LANG="en").stdout)


@pytest.mark.parametrize(("more", "chinese"), [
    ({"IMCONVERT_LANG": "zh"}, True), ({"IMCONVERT_LANG": "zh_TW"}, True), ({"IMCONVERT_LANG": "en"}, False),
    ({"IMCONVERT_LANG": "", "LC_ALL": "zh_CN.UTF-8"}, True), ({"IMCONVERT_LANG": "", "LC_ALL": "", "LANG": "C"}, False),
])  # fmt: skip
def test_language(more: dict[str, str], chinese: bool) -> None:
    assert chinese == bool(CJK.search(command("errors", "2001", PYTHONUTF8="1", **more).stdout))


def test_errors_are_told_in_chinese(tmp_path: Path) -> None:
    found = command("msgs", tmp_path / "none", tmp_path / "out", IMCONVERT_LANG="zh")
    assert found.returncode == 2
    assert "没有文件匹配" in found.stderr


# --- the catalogue ---


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_all_codes_are_listed(lang: str) -> None:
    lines = command("errors", "--lang", lang).stdout.splitlines()
    rows = [line.split()[:2] for line in lines if line.startswith("  IMC-")]
    assert rows == [[entry.code, entry.name] for entry in CATALOGUE.values()]
    headings = [line for line in lines if line and not line.startswith("  ")]
    assert [bool(CJK.search(heading)) for heading in headings] == [lang == "zh"] * len(headings)
    assert "(exit 3)" in headings[1]
    assert lines[0] == headings[0]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("code", ["2104", "imc-2104", "Bad-Time"])
def test_one_code(code: str, lang: str) -> None:
    entry = CATALOGUE["IMC-2104"]
    expected = f"IMC-2104 bad-time\n  {entry.cause[lang]}\n  {entry.remedy[lang]}\n"
    assert expected == command("errors", code, IMCONVERT_LANG=lang).stdout


def test_codes_as_json() -> None:
    found = json.loads(command("errors", "--json").stdout)
    assert [row["code"] for row in found] == list(CATALOGUE)
    one = json.loads(command("errors", "4002", "--json").stdout)
    assert one == [{**CATALOGUE["IMC-4002"]._asdict(), "exit_code": 4}]


@pytest.mark.parametrize("code", ["9999", "IMC-0000", "no-such", "IMC-"])
def test_unknown_code(code: str) -> None:
    found = command("errors", code)
    assert (found.returncode, found.stdout) == (2, "")
    assert f"There is no code {code}." in found.stderr


# --- control characters ---

EVIL = "a\x1b[31m\nb\r\x07\u202ec\x9b"


def steered(text: str) -> list[str]:
    return [character for character in text if unicodedata.category(character) in ("Cc", "Cf") and character != "\n"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_summary_escapes_what_comes_from_the_data(tmp_path: Path, lang: str) -> None:
    """File names, causes, keys: nothing can steer the terminal or break a line."""
    (tmp_path / "in").write_bytes(easemob(1) + b"bad\n")
    outcome = run(options(tmp_path / "in", tmp_path / "out", source="easemob"))
    found = outcome.manifest
    plain = summary.as_text(outcome, None, lang).count("\n")
    for example in found.rejects.values():
        example.file = example.why = EVIL
    found.inputs[0].file = EVIL
    found.inputs[0].error = {"code": "IMC-4001", "name": "unreadable", "why": EVIL}
    found.fidelity["text"] = Fidelity(1, 0, {}, {EVIL: Example(1, EVIL, EVIL, 1)})
    said = summary.as_text(Outcome(found, outcome.facts, again=False), None, lang)
    assert steered(said) == []
    assert said.count("\n") == plain + 4


@pytest.mark.parametrize(("values", "lang", "said"), [
    ({"values": {"why": "trailing garbage"}}, "zh", "末尾有多余内容"),
    ({"values": {"why": "trailing garbage"}}, "en", "trailing garbage"),
    ({}, "zh", "what an older manifest says"),
])  # fmt: skip
def test_an_input_that_could_not_be_read_is_told_in_the_language(
    tmp_path: Path, values: dict[str, Any], lang: str, said: str
) -> None:
    (tmp_path / "in").write_bytes(easemob(1))
    outcome = run(options(tmp_path / "in", tmp_path / "out", source="easemob"))
    error = {"code": "IMC-4003", "name": "corrupt", "why": "what an older manifest says", **values}
    outcome.manifest.inputs[0].error = error
    text = summary.as_text(Outcome(outcome.manifest, outcome.facts, again=False), None, lang)
    assert said in next(line for line in text.splitlines() if "IMC-4003" in line)


def test_the_command_escapes_file_names(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x\x1b[2J\n").write_bytes(easemob(1) + b"bad\n")
    (tmp_path / "in" / "y\x1b[2J\n").write_bytes("hello".encode("utf-16"))
    found = command("msgs", tmp_path / "in", tmp_path / "out")
    assert found.returncode == 4
    assert steered(found.stdout) == []
    assert "x\\x1b[2J\\n:2" in found.stdout
    assert "y\\x1b[2J\\n" in found.stdout


@pytest.mark.parametrize(("text", "expected"), [
    ("plain 你好 ü", "plain 你好 ü"), ("\x1b", "\\x1b"), ("\n", "\\n"), ("\u202e", "\\u202e"), ("'", "'"), ("", ""),
])  # fmt: skip
def test_printable(text: str, expected: str) -> None:
    assert expected == terminal.printable(text)


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("你好", 4), ("", 0), ("a你", 3)])
def test_width(text: str, columns: int) -> None:
    assert columns == terminal.width(text)
    assert terminal.width(terminal.padded(text, 6)) == 6


# --- progress ---


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def driven(watch: progress.Silent) -> None:
    """Phases with, without and with wrong totals; ticks that stand still and run past the end."""
    watch.tick(0)
    base = 0
    for name, total in (("convert", 1000), ("keys", 10), ("resolve", 0), ("seal", 5), ("publish", 0), ("other", 3)):
        watch.phase(name, total)
        for done in (0, 1, 1, 700, 5000):
            watch.tick(base + done)
        base += 5000
    watch.close()
    watch.close()
    watch.tick(base)


def test_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    watch = progress.watcher(quiet=False)
    assert isinstance(watch, progress.Bar)
    driven(watch)
    said = terminal.getvalue()
    assert "convert" in said and "publish" not in said


def test_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One at most every half minute."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    watch = progress.Lines()
    watch.phase("convert", 100_000_000)
    for _ in range(100):
        now[0] += 1
        watch.tick(int(now[0] * 1_000_000))
    assert capsys.readouterr().err.splitlines() == [
        "convert: 30.0%, 1.0 MB/s, 70 s left",
        "convert: 60.0%, 1.0 MB/s, 40 s left",
        "convert: 90.0%, 1.0 MB/s, 10 s left",
    ]


def test_lines_never_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]

    def later() -> float:
        now[0] += 31
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", later)
    driven(progress.Lines())
    said = capsys.readouterr().err
    assert "keys: 100.0%" in said
    assert "publish" not in said and "-" not in said


def test_silence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    driven(progress.watcher(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_there_are_lines() -> None:
    assert isinstance(progress.watcher(quiet=False), progress.Lines)


def test_latest_by_date(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(easemob(1))
    assert command("msgs", tmp_path / "in", tmp_path / "a", "--latest", "2024-01-01").returncode == 3
    assert command("msgs", tmp_path / "in", tmp_path / "b", "--latest", LATEST).returncode == 0
