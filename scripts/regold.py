"""Rewrite the `out/` folders of golden cases, and print the difference it made.

Usage: regold.py [CASE...]; a case is named like yunxin/text-p2p. Without a name it does nothing but list the cases
whose output differs. Read the difference before committing it: a golden is a claim that the output is right.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import golden  # type: ignore[import-not-found]


def regold(case: golden.Case, *, write: bool) -> bool:
    """Compare one case with what the converter makes of it now, and rewrite it if asked; whether it differed."""
    with TemporaryDirectory() as folder:
        actual = golden.produce(case, Path(folder))
    expected = case.expected()
    if expected == actual:
        return False
    print(f"=== {case.id}")
    if write:
        print(golden.difference(expected, actual))
        rewrite(case.path / "out", actual)
    return True


def rewrite(folder: Path, files: dict[str, bytes]) -> None:
    """Make the folder hold just these files."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.name not in files:
            old.unlink()
    for name, data in files.items():
        (folder / name).write_bytes(data)


def main(names: list[str]) -> int:
    known = {case.id: case for case in (*golden.cases(), *golden.target_cases())}
    strange = [name for name in names if name not in known]
    if strange:
        print(f"no such case: {', '.join(strange)}", file=sys.stderr)
        return 2
    chosen = [known[name] for name in names] or list(known.values())
    different = sum([regold(case, write=bool(names)) for case in chosen])
    print(f"{different} of {len(chosen)} cases {'rewritten' if names else 'differ'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
