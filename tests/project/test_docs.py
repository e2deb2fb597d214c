"""The documents say what the program does (style, habit 17).

Convention: in README's ```console blocks every line is a command; it ends with the exit code behind `# exit`,
or with 0. They run in order, in one folder that at first holds the repository's fixtures and nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import imconvert
from imconvert.cli import cli
from imconvert.errors import CATALOGUE, EXIT_CODES, Entry
from imconvert.vendors import SETTINGS, settings

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
READMES = pytest.mark.parametrize("readme", [ENGLISH, CHINESE], ids=lambda path: path.name)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_EXIT = re.compile(r"\s+# exit (\d+)\s*$")


def fenced(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def marked(text: str, name: str) -> str:
    """The content of the fenced block right behind the comment `name`."""
    found = re.findall(rf"^<!-- {name} -->\n```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, f"{name} stands {len(found)} times"
    return str(found[0])


def examples(readme: Path) -> list[tuple[str, int]]:
    """The commands of a README and the exit codes that it promises."""
    lines = "".join(fenced(readme.read_text(), "console")).splitlines()
    found = [(_EXIT.sub("", line), _EXIT.search(line)) for line in lines if line.strip()]
    return [(command, int(code[1]) if code else 0) for command, code in found]


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below `group`, with the words that lead to it."""
    if not isinstance(group, click.Group):
        yield path, group
        return
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found is not None
        yield from commands(found, (*path, name))


COMMANDS = list(commands(cli))
every_command = pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with this imconvert on its path, and a folder with the fixtures as `HOME` to work in."""
    tools, folder = tmp_path / "bin", tmp_path / "work"
    tools.mkdir()
    folder.mkdir()
    script = tools / "imconvert"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imconvert "$@"\n')
    script.chmod(0o755)
    (folder / "fixtures").symlink_to(ROOT / "fixtures")
    yield {
        **os.environ,
        "HOME": str(folder),
        "IMCONVERT_LANG": "en",
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(imconvert.__file__).parents[1]),
    }
    shutil.rmtree(folder)


def run(line: str, shell: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], cwd=shell["HOME"], env=shell, capture_output=True, text=True)


def test_the_examples_run_as_documented(shell: dict[str, str]) -> None:
    for line, expected in examples(ENGLISH):
        done = run(line, shell)
        assert expected == done.returncode, f"{line}\n{done.stdout}\n{done.stderr}"


def test_both_languages_show_the_same_commands() -> None:
    assert examples(ENGLISH) == examples(CHINESE)
    english, chinese = ENGLISH.read_text(), CHINESE.read_text()
    for name in ("setup:convert", "setup:test"):
        assert marked(english, name) == marked(chinese, name)


@READMES
def test_set_up_is_one_line_each(readme: Path) -> None:
    for name in ("setup:convert", "setup:test"):
        assert marked(readme.read_text(), name).count("\n") == 1


def steady(summary: str) -> list[str]:
    """The lines of a summary without blank ones and those that differ from run to run."""
    moving = ("rate ", "peak memory ", "速度 ", "内存峰值 ", "  …")
    return [line.rstrip() for line in summary.splitlines() if line.strip() and not line.startswith(moving)]


@pytest.mark.parametrize(("readme", "language"), [(ENGLISH, "en"), (CHINESE, "zh")], ids=["en", "zh"])
def test_the_shown_summary_is_what_the_first_command_prints(readme: Path, language: str, shell: dict[str, str]) -> None:
    """In its order, and shortened; the path of the program is that of the virtual environment."""
    line = marked(readme.read_text(), "setup:convert").strip()
    *_, conversion = line.replace(".venv/bin/imconvert", "imconvert").split(" && ")
    done = run(conversion, {**shell, "IMCONVERT_LANG": language})
    assert done.returncode == 0, done.stderr
    shown, printed = steady(marked(readme.read_text(), "output:convert")), iter(steady(done.stdout))
    assert [line for line in shown if line not in printed] == []


@every_command
def test_every_command_has_help(path: tuple[str, ...], command: click.Command) -> None:
    assert command.help
    bare = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
    assert bare == []


@every_command
@READMES
def test_every_command_has_an_example(readme: Path, path: tuple[str, ...], command: click.Command) -> None:
    start = " ".join(["imconvert", *path])
    assert [line for line, _ in examples(readme) if line == start or line.startswith(f"{start} ")]


@READMES
def test_every_option_of_the_main_command_is_named(readme: Path) -> None:
    text = readme.read_text()
    main = dict(COMMANDS)[("msgs",)]
    options = [name for option in main.params if isinstance(option, click.Option) for name in option.opts[:1]]
    assert [name for name in options if f"`{name}" not in text and f"{name} " not in text] == []


@READMES
def test_every_exit_code_is_explained(readme: Path) -> None:
    lines = [line for line in (cli.help or "").splitlines() if re.match(r"\s+\d", line)]
    codes = {code for line in lines for code in re.findall(r"(?:^|\s)(\d[\d/]*)  ?\S", line)}
    assert {"0", "2", "3", "4", "5", "6", "130/143"} <= codes
    assert [code for code in sorted(codes) if f"| {code} |" not in readme.read_text()] == []


FORMATS = [ROOT / "docs" / "formats.md", ROOT / "docs" / "formats.zh-CN.md"]


@pytest.mark.parametrize("document", [ENGLISH, CHINESE, *FORMATS], ids=lambda path: path.name)
def test_every_setting_is_named_with_its_values(document: Path) -> None:
    """All of them in formats.md, in both languages; the READMEs leave those of further targets to it."""
    rows = {line.split("`")[1]: line for line in document.read_text().splitlines() if line.startswith("| `")}
    wanted = SETTINGS if document in FORMATS else SETTINGS.keys() & rows.keys()
    assert len(wanted) > 20
    for setting in [SETTINGS[name] for name in wanted]:
        values = [setting.default] if isinstance(setting.allowed, str) else list(setting.allowed)
        assert [value for value in values if f"`{value}`" not in rows[setting.name]] == []


def test_formats_names_every_code_that_a_record_can_get() -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    assert [code for code in CATALOGUE if code[4] in "238" and code not in text] == []


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.code)
def test_every_code_has_cause_and_remedy_in_both_languages(entry: Entry) -> None:
    assert entry.code[4] in EXIT_CODES
    for texts in (entry.cause, entry.remedy):
        assert {"en", "zh"} == texts.keys()
        assert texts["en"].strip()
        assert re.search("[\u3000-\u9fff\uff00-\uffef]", texts["zh"])
        assert placeholders(texts["en"]) == placeholders(texts["zh"])


def test_names_of_codes_are_unique() -> None:
    names = [entry.name for entry in CATALOGUE.values()]
    assert sorted(set(names)) == sorted(names)


def test_the_changelog_has_what_is_not_released_yet() -> None:
    assert re.search(r"^## Unreleased\n\n- ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Files of the repository, and headings in them."""
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        name, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def anchors(document: Path) -> set[str]:
    """What links can name in a document: its headings, as they are shown."""
    titles = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_pages_about_people_say_the_same_in_both_languages() -> None:
    """The same parts, tables of the same rows, examples of the same text; and all settings with their defaults."""
    english, chinese = ((ROOT / "docs" / name).read_text() for name in ("people.md", "people.zh-CN.md"))
    for pattern in (r"^#+ ", r"^\| .*\|$", r"^\d\. "):
        assert len(re.findall(pattern, english, re.MULTILINE)) == len(re.findall(pattern, chinese, re.MULTILINE))
    for kind in ("toml", "json"):
        assert fenced(english, kind) == fenced(chinese, kind)
    own = {name: one for name, one in settings("auto", "users").items() if name not in SETTINGS}
    for text in (english, chinese):
        rows = dict(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \| `([^`]+)`", text, re.MULTILINE))
        assert {name: one.default for name, one in own.items()} == {name: rows.get(name) for name in own}
