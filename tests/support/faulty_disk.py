"""A disk that counts every operation below one folder and fails, tears or dies at the one it is told.

Strategy: the functions of `os` themselves are replaced, so that everything above them is tested as it is: `durable`,
`pathlib` and `shutil` alike. Only paths below the folder, and descriptors opened there, count.
Promise: between two counted operations nothing on that disk changes, so "killed after operation k" and "killed
before operation k + 1" are one state.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEAD = 137
PATH_FIRST = ("open", "unlink", "mkdir", "rmdir", "replace", "link")
FD_FIRST = ("write", "fsync", "close", "pread")


@dataclass
class Fault:
    """What happens at operation `at` (from 1): "kill", "tear" (half a write, then death), "short", or an errno."""

    at: int = 0
    what: str = "kill"
    sticky: bool = False


@dataclass
class Disk:
    """The operations seen, and what was done to files that had failed before (never allowed)."""

    folder: Path
    fault: Fault
    reads: bool = False
    log: list[tuple[str, str]] = field(default_factory=list)
    paths: dict[int, str] = field(default_factory=dict)
    fired: tuple[str, str] | None = None
    failed: set[str] = field(default_factory=set)
    cut: set[int] = field(default_factory=set)
    written: set[int] = field(default_factory=set)
    reused: list[tuple[str, str]] = field(default_factory=list)
    real: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def where(self, name: str, args: tuple[Any, ...], more: dict[str, Any]) -> str | None:
        """The path that an operation is about, or None where it is not below the folder."""
        if name in FD_FIRST:
            return self.paths.get(args[0])
        above = more.get("dir_fd")
        if above is not None:
            return f"{self.paths[above]}/{os.fsdecode(args[0])}" if above in self.paths else None
        path = os.path.abspath(os.fsdecode(args[0])) if not isinstance(args[0], int) else self.paths.get(args[0], "")
        return path if path == str(self.folder) or path.startswith(f"{self.folder}/") else None

    def act(self, name: str, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        path = self.where(name, args, more)
        if path is None or (name == "pread" and not self.reads):
            return self.real[name](*args, **more)
        self.log.append((name, path))
        number, fault = len(self.log), self.fault
        self._watch(name, path, args)
        if fault.at and (number == fault.at or (fault.sticky and number > fault.at)) or args[0] in self.cut:
            return self._fail(name, path, args, more)
        return self._done(name, path, args, more)

    def _watch(self, name: str, path: str, args: tuple[Any, ...]) -> None:
        """After a failed fsync or close the file must not be written, synced, renamed or linked."""
        truncating = name == "open" and args[1] & os.O_TRUNC
        if truncating or name == "unlink":
            self.failed.discard(path)
        elif path in self.failed and name in ("write", "fsync", "replace", "link"):
            self.reused.append((name, path))

    def _done(self, name: str, path: str, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        result = self.real[name](*args, **more)
        if name == "open":
            self.paths[result] = path
        elif name == "write":
            self.written.add(args[0])
        elif name == "close":
            self.paths.pop(args[0], None)
            self.written.discard(args[0])
        return result

    def _fail(self, name: str, path: str, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        what = self.fault.what
        if what == "kill":
            os._exit(DEAD)
        if what == "tear":
            if name == "write":
                self.real["write"](args[0], bytes(args[1])[: len(args[1]) // 2])
            os._exit(DEAD)
        if what == "short" and name == "write" and args[0] not in self.cut:
            self.fired = self.fired or (name, path)
            self.cut.add(args[0])
            return self.real["write"](args[0], bytes(args[1])[: len(args[1]) // 2])
        if what == "short" and name != "write" and args[0] not in self.cut:
            return self._done(name, path, args, more)
        if name == "close" and args[0] not in self.written:
            return self._done(name, path, args, more)  # the close of a file that was only read cannot fail
        self.fired = self.fired or (name, path)
        if name in ("fsync", "close"):
            self.failed.add(path)
        if name == "close":  # the kernel lets go of the descriptor whatever it answers
            self._done(name, path, args, more)
            self.cut.discard(args[0])
        number = getattr(errno, "ENOSPC" if what == "short" else what)
        raise OSError(number, os.strerror(number), path)


@contextmanager
def faulty(folder: Path, fault: Fault | None = None, *, reads: bool = False) -> Iterator[Disk]:
    """Count, and if told fail, all operations below `folder`."""
    disk = Disk(Path(os.path.abspath(folder)), fault or Fault(), reads)
    names = (*PATH_FIRST, *FD_FIRST)
    disk.real = {name: getattr(os, name) for name in names}
    for name in names:
        setattr(os, name, _counted(disk, name))
    try:
        yield disk
    finally:
        for name, real in disk.real.items():
            setattr(os, name, real)


def _counted(disk: Disk, name: str) -> Callable[..., Any]:
    def call(*args: Any, **more: Any) -> Any:
        return disk.act(name, args, more)

    return call
