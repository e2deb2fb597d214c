"""The files of a feed in their order: what is there, and how far each has grown.

Order: outputs that were handed over as files (`take_up_bulk`), then shards and spool files as they appear. A new shard
comes behind all that was handed in before it: the last spool file is finished by beginning the next one, and then they
are numbered together, in one transaction. So whatever is handed in later stands behind it, also after a crash between
the two. Records always go into the last file of the feed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from imconvert import durable
from imconvert.errors import ImconvertError, IntegrityError
from imconvert.serve import folders
from imconvert.serve.spool import Spool
from imconvert.serve.state import File, State
from imconvert.serve.taking import Taker

RECENT = 8
COMPARED = 100
"""Files at the end of the feed whose unread bytes are counted, and shards before their delivery that are looked at."""


class Register:
    """See the head of this module. `outputs` are folders to serve, `bulk` outputs that were handed over as files."""

    def __init__(self, taker: Taker, outputs: Sequence[Path], bulk: Sequence[Path]) -> None:
        self.taker = taker
        self.state: State = taker.feed.state
        self.spool: Spool = taker.spool
        self.outputs, self.bulk = outputs, bulk
        self._ends: dict[str, int] = {}
        self._finished: set[Path] = set()
        self._known = {file.path: file for file in self.state.files}
        self._marks: dict[Path, tuple[int, int]] = {}
        self._begin = 0

    def take_up_bulk(self) -> None:
        """Take up what was handed over as files: before all else, so that nothing that is in it is ever served."""
        found = [file for folder in self.bulk for file in self._new_shards(folder)]
        self._number([msgspec.structs.replace(file, kind="bulk") for file in found])

    def look(self) -> None:
        """Take up new shards and spool files, and see how far the spool has grown.

        A folder that cannot be read is told behind all else, and stops neither the others nor the spool. Raises
        UsageError IMC-1006, IMC-1014, IMC-1134, IntegrityError IMC-6004, IMC-6040, IMC-6041.
        """
        new, troubles = self._appeared()
        with self.spool.turn():
            self._number(self._in_order(new))
            *finished, _ = segments = self.spool.segments()
            ends = self.spool.ends(path for path in segments if path not in self._finished)
        self._grown({str(path): end for path, end in ends.items()})
        self._finished.update(finished)
        self._compare_waiting()
        if troubles:
            raise troubles[0]

    def _grown(self, ends: dict[str, int]) -> None:
        """Take note of how far spool files have grown, once that is on the disk."""
        for path, end in ends.items():
            if end > self._ends.get(path, 0):
                durable.sync_file(Path(path))
            if end < self._known[path].taken:
                raise IntegrityError("IMC-6041", path, why="it is shorter than what was read of it")
        self._ends |= ends
        self._begin = 0

    def _appeared(self) -> tuple[list[File], list[ImconvertError]]:
        new: list[File] = []
        troubles: list[ImconvertError] = []
        for output in self.outputs:
            try:
                candidates = folders.candidates(output)
            except ImconvertError as why:
                troubles.append(why)
                continue
            for folder in candidates:
                try:
                    new += self._new_shards(folder)
                except ImconvertError as why:
                    troubles.append(why)
        return new, troubles

    def _new_shards(self, folder: Path) -> Iterator[File]:
        """The shards of an output that are new, or have taken the place of ones that were delivered whole."""
        mark = folders.mark(folder)
        if mark is None or self._marks.get(folder) == mark:
            return
        found = list(folders.shards(folder, self.taker.feed.target, self._known))
        yield from (file for file in found if self._is_done(self._known.get(file.path)))
        if not found:
            self._marks[folder] = mark

    def _is_done(self, file: File | None) -> bool:
        return file is None or file.kind == "bulk" or (file.taken == file.bytes and not self.taker.feed.waits(file))

    def _in_order(self, new: list[File]) -> list[File]:
        """The order of new shards among the spool files; what is numbered already is among these, too."""
        segments = self.spool.segments()
        last = self.state.files[-1] if self.state.files else None
        if segments and not any(file.kind == "spool" for file in self.state.files):
            return [*new, *_spooled(segments)]
        if new or not segments or (last and last.kind != "spool"):
            return [*_spooled(segments), *new, *_spooled([self.spool.begin_next()])]
        return _spooled(segments)

    def _number(self, files: Sequence[File]) -> None:
        """Put those that are new at the end of the feed."""
        known = self._known
        found = {file.path: file for file in files if file.path not in known or file.sha256 != known[file.path].sha256}
        new = list(found.values())
        for number, file in enumerate(new, len(self.state.files) + 1):
            file.number = number
        if new:
            self.state.add_files(new, [self._known[file.path] for file in new if file.path in self._known])
            self._known |= {file.path: file for file in new}

    def _compare_waiting(self) -> None:
        """See that the shards that are delivered next are what they were. Raises IntegrityError IMC-6041."""
        feed = self.taker.feed
        waiting = (file for file in self.state.from_place(feed.cursor) if file.kind == "shard" and feed.waits(file))
        for file in islice(waiting, COMPARED):
            self.taker.compare(file)

    def end_of(self, file: File) -> int:
        """Where the whole lines of a file end."""
        return file.bytes if file.kind != "spool" else self._ends.get(file.path, 0)

    def grew(self, file: File, end: int) -> None:
        """Take note of lines that we appended."""
        self._ends[file.path] = end

    def pending(self) -> File | None:
        """The first file with lines that were not taken."""
        files = self.state.files
        while self._begin < len(files):
            file = files[self._begin]
            if file.taken < self.end_of(file):
                return file
            if self._begin == len(files) - 1:
                return None
            self._begin += 1
        return None

    def unread(self, most: int) -> bool:
        """Whether more than `most` bytes were not taken, or some in files further back."""
        back, recent = self.state.files[:-RECENT], self.state.files[-RECENT:]
        pending = self.pending()
        if pending and back and pending.number <= back[-1].number:
            return True
        return sum(max(0, self.end_of(file) - file.taken) for file in recent) > most


def _spooled(segments: Sequence[Path]) -> list[File]:
    return [File(number=0, kind="spool", path=str(path)) for path in segments]
