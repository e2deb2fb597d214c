"""Nothing lies in the repository by accident: no numbers of a bench, no output, no scratch file."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = {
    ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "README.md", "README.zh-CN.md",
    "pyproject.toml", "ruff.toml", "setup.cfg", "setup.py",
}  # fmt: skip
ENDINGS = {
    ".ci": {""}, "docs": {".md"}, "scripts": {".py"}, "tests": {".py"},
    "imconvert": {".py", ".pyi", ".c", ".h", ".html", ".typed"},
}  # fmt: skip
"""What may lie in the top folder, and what the names of files in folders of it may end with."""

FIXTURES = {
    "custom", "easemob", "people", "plugin-example", "rongcloud", "sample", "targets", "tencent", "yunxin",
}  # fmt: skip


def belongs(name: str) -> bool:
    """Whether a file may have this path."""
    path = PurePosixPath(name)
    top, *below = path.parts
    if not below:
        return name in TOP
    if top == "fixtures":
        return len(below) > 1 and below[0] in FIXTURES
    return path.suffix in ENDINGS.get(top, ())


def files() -> list[str]:
    """The files that git keeps; without a checkout, all that .gitignore does not leave out."""
    kept = ["git", "-C", str(ROOT), "ls-files", "-z"]
    try:
        found = (
            subprocess.run(kept, capture_output=True, check=True, text=True).stdout if (ROOT / ".git").exists() else ""
        )
    except (OSError, subprocess.CalledProcessError):
        found = ""
    return found.split("\0")[:-1] or sorted(walked(ROOT, (ROOT / ".gitignore").read_text().split()))


def walked(folder: Path, ignored: list[str]) -> Iterator[str]:
    for path in folder.iterdir():
        name = path.relative_to(ROOT).as_posix()
        if name == ".git" or any(fits(name, pattern, folder=path.is_dir()) for pattern in ignored):
            continue
        if path.is_dir():
            yield from walked(path, ignored)
        else:
            yield name


def fits(name: str, pattern: str, *, folder: bool) -> bool:
    """Whether a line of .gitignore means a path; a slash at its end means folders, at its beginning the top folder."""
    if pattern.endswith("/") and not folder:
        return False
    return fnmatch(f"/{name}" if pattern.startswith("/") else PurePosixPath(name).name, pattern.rstrip("/"))


def test_nothing_is_there_by_accident() -> None:
    found = files()
    assert len(found) > 1000
    assert [] == [name for name in found if not belongs(name)]


def test_all_that_is_named_is_there() -> None:
    found = files()
    assert TOP <= set(found)
    assert {*ENDINGS, "fixtures"} == {PurePosixPath(name).parts[0] for name in found} - TOP


@pytest.mark.parametrize(
    "name", ["0.00312482", "out/manifest.json", "notes.txt", "scripts/log", "scripts/x.json", "tests/core",
             "docs/a.png", "fixtures/x", "fixtures/nobody/case/in/a", "imconvert/x.txt", "imconvert/2490.32"],
)  # fmt: skip
def test_a_stray_file_is_seen(name: str) -> None:
    assert not belongs(name)


def test_without_a_checkout_the_same_is_found() -> None:
    """And what was not yet added."""
    kept = {name for name in files() if (ROOT / name).exists()}
    assert kept <= set(walked(ROOT, (ROOT / ".gitignore").read_text().split()))
