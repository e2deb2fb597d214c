"""The spool: a folder of NDJSON files of import records that grows while the feed serves it.

Layout: `spool-000001.ndjson` and so on; records go to the last one only, so that all others are finished. Beside them
`held.ndjson`: records that were handed in or found and are not served, each with code and cause; and `.number`: the
last number that was given, so that none is given again when files are moved away.
Promise: whoever appends (the server, `imconvert spool append`, a relay) does so in turn and has its bytes on the disk
before it says so. A file on which a write or sync failed is given up for the next number.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from imconvert import durable
from imconvert.durable import appending
from imconvert.errors import IntegrityError

HELD = "held.ndjson"
NUMBER = ".number"
LIMIT = 256 << 20
"""Bytes from which on a new file is begun."""

_PREFIX, _SUFFIX = "spool-", ".ndjson"


class Appended(NamedTuple):
    """Where records went: the file, and the bytes [start, stop) of it."""

    path: Path
    start: int
    stop: int


class Spool:
    """The folder. Its methods but `segments` wait for their turn among all processes."""

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self.folder = folder
        self.limit = limit
        durable.make_folder(folder)

    def turn(self) -> AbstractContextManager[None]:
        """Hold the spool: nobody else appends meanwhile. The other methods must not be called within."""
        return appending.turn(self.folder)

    def segments(self) -> list[Path]:
        """The files in order; the last one may grow."""
        names = durable.names_in(self.folder)
        return [self.folder / name for name in names if name.startswith(_PREFIX) and name.endswith(_SUFFIX)]

    def append(self, data: bytes, *, expected: Appended | None = None) -> Appended | None:
        """Append whole lines, durably. With `expected`, only if nobody appended behind its end meanwhile, else None.

        Raises IntegrityError IMC-6004; then the lines must be handed in again.
        """
        with self.turn():
            path = self._open()
            if expected and (expected.path, expected.stop) != (path, appending.whole_lines(path)):
                return None
            try:
                start = appending.append(path, data)
            except IntegrityError:
                self.begin_next()
                raise
            return Appended(path, start, start + len(data))

    def _open(self) -> Path:
        """The file that takes the next records."""
        found = self.segments()
        if not found or (durable.size_of(found[-1]) or 0) >= self.limit:
            return self.begin_next()
        return found[-1]

    def begin_next(self) -> Path:
        """Finish the last file by beginning the next one; call it in turn."""
        number = self._last_number() + 1
        path = self.folder / f"{_PREFIX}{number:06}{_SUFFIX}"
        appending.begin(path)
        durable.replace_file(self.folder / NUMBER, b"%d\n" % number)
        return path

    def probe(self) -> None:
        """See whether something can be written, durably. Raises IntegrityError IMC-6004."""
        with self.turn():
            durable.replace_file(self.folder / NUMBER, b"%d\n" % self._last_number())

    def _last_number(self) -> int:
        """The last number that was given to a file, be it there or not."""
        found = self.segments()
        last = int(found[-1].name.removeprefix(_PREFIX).removesuffix(_SUFFIX)) if found else 0
        given = (durable.read_file(self.folder / NUMBER) or b"").strip()
        return max(last, int(given) if given.isdigit() else 0)

    def ends(self, paths: Iterable[Path]) -> dict[Path, int]:
        """For each of some files where its last complete line ends; call it in turn."""
        return {path: appending.whole_lines(path) for path in paths}

    def hold(self, lines: bytes) -> None:
        """Append lines to HELD, durably."""
        with self.turn():
            appending.begin(self.folder / HELD)
            appending.append(self.folder / HELD, lines)
