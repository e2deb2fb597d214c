"""Who may import whom, and who may touch the world (design, section 6; style, habit 4)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "imconvert"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

LEVELS = {
    "cli": 5, "convert": 4, "load": 4, "serve": 4, "audit": 4, "deliver": 3, "sources": 3, "vendors": 3, "native": 1,
    "model": 2, "durable": 2, "simulators": 3, "errors": 1,
}  # fmt: skip
"""Modules import what is lower, or their own room; what stands beside them only where ALLOWED says so."""
ALLOWED = {
    ("sources", "vendors"),
    ("load", "convert"),
    ("serve", "convert"),
    ("audit", "convert"),
    ("model", "errors"),
    ("deliver", "vendors"),
}

STAGES = (
    "work", "options", "ports", "plan", "pool", "steps", "blocks", "textsort", "map", "resolve", "seal",
    "books", "arrange", "devices", "authoring", "run", "check", "finished", "spark",
)  # fmt: skip
"""The rooms and modules of the converter, in the order of the road: each imports what stands before it."""

DOORS = {
    "open": ("sources", "durable"), "subprocess": (),
    "socket": ("deliver", "serve", "load", "simulators", "cli/load.py", "cli/loading.py"),
    "sqlite3": ("durable", "simulators"), "print": ("cli",), "click": ("cli",), "environ": ("cli",), "time": ("cli",),
    "multiprocessing": ("convert/pool.py",),
    "pyspark": ("convert/spark/distributed.py", "convert/spark/exchange.py", "cli/spark.py"),
    "fsspec": ("durable/storage.py",),
}  # fmt: skip
LIMIT, LONGEST, USUAL = 500, 60, 40


@cache
def tree(module: Path) -> ast.Module:
    return ast.parse((PACKAGE / module).read_bytes(), str(module))


def room(module: Path | str) -> str:
    return Path(module).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, wherever in it."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def names(module: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted text of every call and attribute."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call | ast.Attribute):
            yield node.lineno, ast.unparse(node.func if isinstance(node, ast.Call) else node)


every_module = pytest.mark.parametrize("module", MODULES, ids=str)


@every_module
def test_imports_go_downward(module: Path) -> None:
    mine = room(module)
    if mine not in LEVELS:
        return
    for line, name in imported(module):
        if not name.startswith("imconvert.") or name == "imconvert.__version__":
            continue
        theirs = name.split(".")[1]
        fine = theirs == mine or (mine, theirs) in ALLOWED or LEVELS[theirs] < LEVELS[mine]
        assert fine, f"{module}:{line} imports {name}"


@every_module
def test_the_converter_imports_along_its_road(module: Path) -> None:
    if room(module) != "convert" or module.name == "__init__.py":
        return
    mine = module.parts[1].removesuffix(".py")
    theirs = {name.split(".")[2] for _, name in imported(module) if name.startswith("imconvert.convert.")}
    assert {stage for stage in theirs if STAGES.index(stage) > STAGES.index(mine)} == set()


@every_module
def test_simulators_share_no_code_with_what_they_rehearse(module: Path) -> None:
    if room(module) != "simulators":
        return
    theirs = {name.split(".")[1] for _, name in imported(module) if name.startswith("imconvert.")}
    assert set() == theirs - {"simulators", "model", "errors"}


def test_every_room_has_a_level() -> None:
    rooms = {room(module) for module in MODULES}
    assert set() == rooms - LEVELS.keys() - {"__init__", "__main__"}


WORLD = {"os", "io", "socket", "time", "subprocess", "multiprocessing", "shutil", "tempfile", "random", "threading",
         "logging", "httpx", "click", "tqdm", "pathlib", "sys"}  # fmt: skip


@every_module
def test_vendors_touch_nothing(module: Path) -> None:
    """Vendors, the model and the errors are pure: bytes in, records out."""
    if room(module) not in ("vendors", "model", "errors"):
        return
    assert [(line, name) for line, name in imported(module) if name.split(".")[0] in WORLD] == []
    assert [(line, name) for line, name in names(module) if name in ("open", "print", "input")] == []
    assert [(line, name) for line, name in names(module) if name.endswith((".now", ".utcnow", ".today"))] == []


def behind(module: Path, door: str) -> bool:
    return any(str(module) == own or room(module) == own for own in DOORS[door])


OPENERS = (
    ".open",
    ".read_text",
    ".write_text",
    ".read_bytes",
    ".write_bytes",
    ".unlink",
    ".mkdir",
    ".rename",
    ".touch",
)


@every_module
def test_files_are_opened_behind_two_doors(module: Path) -> None:
    if behind(module, "open"):
        return
    found = [
        (line, name)
        for line, name in names(module)
        if name in ("open", "io.open", "os.open", "os.replace", "os.write", "os.remove", "os.unlink", "os.rename")
        or (name.endswith(OPENERS) and not name.startswith("durable."))
        or name.startswith("shutil.")
    ]
    dev_null = [(line, name) for line, name in found if room(module) != "cli" or name != "os.open"]
    assert dev_null == []


@every_module
def test_sources_write_nothing(module: Path) -> None:
    if room(module) != "sources":
        return
    assert [(line, name) for line, name in names(module) if name.endswith((".write_text", ".write_bytes"))] == []
    modes = [
        node
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("open")
        for mode in node.args[:2]
        if isinstance(mode, ast.Constant) and str(mode.value) in ("w", "wb", "a", "ab", "r+b", "x")
    ]
    assert modes == []


@every_module
@pytest.mark.parametrize(
    "door", ["socket", "subprocess", "sqlite3", "click", "time", "multiprocessing", "pyspark", "fsspec"]
)
def test_the_world_is_imported_at_its_door(module: Path, door: str) -> None:
    if behind(module, door):
        return
    aliases = {
        "socket": {"socket", "httpx", "asyncio", "http", "uvicorn", "starlette"},
        "click": {"click", "tqdm"},
    }.get(door, {door})
    assert [(line, name) for line, name in imported(module) if name.split(".")[0] in aliases] == []


@every_module
def test_only_the_command_line_prints_and_reads_the_environment(module: Path) -> None:
    if room(module) in ("cli", "__main__"):
        return
    found = [(line, name) for line, name in names(module) if name in ("print", "input", "os.environ", "os.getenv")]
    assert found + [(line, name) for line, name in names(module) if name.startswith(("sys.stdout", "sys.stderr"))] == []


@every_module
def test_nobody_asks_for_a_vendor_by_name(module: Path) -> None:
    """The difference between vendors is a function, a limit or a capability in the `Vendor` record."""
    if room(module) == "vendors":
        return
    compared = [node for node in ast.walk(tree(module)) if isinstance(node, ast.Compare)]
    sides = [(node.lineno, ast.unparse(side)) for node in compared for side in (node.left, *node.comparators)]
    assert [(line, text) for line, text in sides if text.endswith(("vendor.name", "vendor", "target.name"))
                  or text.strip("'\"") in ("yunxin", "easemob", "tencent", "rongcloud")] == []  # fmt: skip


@every_module
def test_nobody_catches_everything(module: Path) -> None:
    """`except Exception` stands at the top of a worker or of the command line, and around code of others."""
    if str(module) in ("convert/pool.py", "cli/__init__.py", "vendors/plugins.py", "durable/storage.py"):
        return
    handlers = [node for node in ast.walk(tree(module)) if isinstance(node, ast.ExceptHandler)]
    broad = [h for h in handlers if h.type is None or ast.unparse(h.type) in ("Exception", "BaseException")]
    assert [h.lineno for h in broad if not any(isinstance(n, ast.Raise) and n.exc is None for n in h.body)] == []


def functions() -> Iterator[tuple[str, int]]:
    """Every function and its lines, those of the functions inside of it not counted."""
    for module in MODULES:
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.FunctionDef):
                inner = [child for child in ast.walk(node) if isinstance(child, ast.FunctionDef) and child is not node]
                yield f"{module}:{node.lineno} {node.name}", lines_of(node) - sum(map(lines_of, inner))


def lines_of(node: ast.FunctionDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_modules_are_short() -> None:
    lengths = {str(module): len((PACKAGE / module).read_bytes().splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > LIMIT} == {}


def test_functions_are_short() -> None:
    long = {name: length for name, length in functions() if length > USUAL}
    print(f"longer than {USUAL} lines: {long}")
    assert {name: length for name, length in long.items() if length > LONGEST} == {}
