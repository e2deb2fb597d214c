"""Files that stood inside of records, such as voices: kept beside the lines, told apart by their content.

Strategy: a file's name is the sha256 of its bytes, so that the line can name it at once. A segment appends the bytes
to one work file, each content once, with a row each in another; both have their sums in the part's marker, and end
with it in a crash. Before publishing, the hash space is cut into partitions; each gathers its rows of all parts and
writes each content once, in order of the names.
The files of a finished output that is read as an archive are brought along.
Promise: the same input gives the same files, whatever the segments; bytes are checked against their name on the way.
Cost: about 200 bytes of memory for each file of a partition, and the bytes a second time on the disk until the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from imconvert import durable
from imconvert.convert.work import Array, FileSum, PartMarker, WorkFolder, row_windows
from imconvert.errors import IntegrityError
from imconvert.model import Media, Message
from imconvert.sources.finished import holds

FOLDER = "media"
LIST = "media.ndjson"

FILE = np.dtype([("sha", "V32"), ("begin", "<u8"), ("length", "<u8"), ("suffix", "S8")])
"""Of one file in a part: sha256 of its bytes, where they lie, and the suffix of its name."""

PARTITIONS = 16


class MediaFacts(Struct, frozen=True):
    """The files taken out of records: how many, and their bytes."""

    files: int = 0
    bytes: int = 0


def file_name(sha: str, suffix: str | None) -> str:
    """Where a file lies below the media folder; a folder for the first two digits keeps folders small."""
    return f"{sha[:2]}/{sha}.{suffix}" if suffix else f"{sha[:2]}/{sha}"


class Apart:
    """Takes files out of the messages of one segment. Nothing is written before the first file comes.

    `base` stands before each name in the lines. `keep` off only names the files (check).
    """

    def __init__(self, work: WorkFolder, segment: int, base: str, *, keep: bool) -> None:
        self.work = work
        self.segment = segment
        self.base = base.rstrip("/")
        self.keep = keep
        self.seen: set[bytes] = set()
        self.waiting: list[tuple[bytes, bytes, str]] = []
        self.writers: tuple[durable.Writer, durable.Writer] | None = None

    def named(self, message: Message) -> Message:
        """The message with URLs in place of the files it holds, which wait for `take`."""
        self.waiting.clear()
        if not any(part.__class__ is Media and part.data is not None for part in message.parts):
            return message
        parts = tuple(self._named(p) if isinstance(p, Media) and p.data is not None else p for p in message.parts)
        return replace(message, parts=parts)

    def _named(self, part: Media) -> Media:
        assert part.data is not None
        return replace(part, url=self.add(part.data, part.suffix or ""), data=None)

    def add(self, data: bytes, suffix: str) -> str:
        """The URL of a file of the message that is being written; it waits for `take`."""
        sha = hashlib.sha256(data)
        self.waiting.append((sha.digest(), data, suffix[:8]))
        return f"{self.base}/{file_name(sha.hexdigest(), suffix[:8])}"

    def take(self) -> None:
        """Keep the files of the message that was named last, for it is written."""
        for sha, data, suffix in self.waiting:
            if self.keep and sha not in self.seen:
                self.seen.add(sha)
                self._write(sha, data, suffix)
        self.waiting.clear()

    def _write(self, sha: bytes, data: bytes, suffix: str) -> None:
        if self.writers is None:
            names = ("media", "media.rows")
            self.writers = tuple(durable.Writer(self.work.part(self.segment, name)) for name in names)  # type: ignore[assignment]
        assert self.writers is not None
        bytes_, rows = self.writers
        row = np.zeros(1, FILE)
        row["sha"], row["begin"], row["length"], row["suffix"] = np.void(sha), bytes_.size, len(data), suffix.encode()
        bytes_.write(data)
        rows.write(row.tobytes())

    def finish(self) -> dict[str, FileSum]:
        """Close what was written; gives the sums for the marker."""
        for writer in self.writers or ():
            writer.finish()
        return {writer.path.name: FileSum(writer.size, writer.digest) for writer in self.writers or ()}


@dataclass(frozen=True, slots=True)
class MediaJob:
    """What a worker needs to write the files of one partition. `segments` are those that hold any, `archives` the
    finished outputs that are read and have files of their own."""

    work: Path
    partition: int
    segments: tuple[int, ...]
    archives: tuple[Path, ...] = ()


def holders(work: WorkFolder, parts: list[PartMarker]) -> dict[int, int]:
    """The segments that took files out of messages, in order, with the bytes of these."""
    sizes = {part.segment: part.files.get(work.part(part.segment, "media").name) for part in parts}
    return {segment: found.size for segment, found in sizes.items() if found}


def archives_of(paths: Iterable[str]) -> dict[Path, int]:
    """The folders of finished outputs that hold these inputs and files, in order, with the bytes of these."""
    folders = [folder for folder in dict.fromkeys(Path(path).parent for path in paths) if holds(folder, LIST)]
    sizes = {folder: sum(size for _, size in listed(folder / LIST)) for folder in folders}
    return {folder: size for folder, size in sizes.items() if size}


def write(
    work: WorkFolder, segments: tuple[int, ...], run: Callable[..., Iterable[Any]], archives: tuple[Path, ...] = ()
) -> list[Path]:
    """Write the files of these segments and archives below `.work/media`, by `run` of a pool; gives their lists, in
    order."""
    if not segments and not archives:
        return []
    durable.remove(work.path / FOLDER)
    jobs = [MediaJob(work.path, number, segments, archives) for number in range(PARTITIONS)]
    for _ in run(write_partition, jobs):
        pass
    return [list_of(work, job.partition) for job in jobs]


def write_partition(job: MediaJob, progress: Callable[[int], None]) -> int:
    """Write the files of a partition below `.work/media`, synced, and their list; gives how many.

    Raises IntegrityError IMC-6002 where the bytes of a file are not those of its name.
    """
    work = WorkFolder(job.work)
    rows, owners = _rows(work, job)
    written: dict[str, int] = {}
    for row, owner in zip(rows, owners.tolist(), strict=True):
        with durable.Reader(work.part(owner, "media")) as reader:
            data = reader.at(int(row["begin"]), int(row["length"]))
        sha = hashlib.sha256(data)
        if sha.digest() != bytes(row["sha"]):
            raise IntegrityError("IMC-6002", str(reader.path), what="a file in it is not what was taken out")
        name = file_name(sha.hexdigest(), row["suffix"].decode())
        _write(work.path / FOLDER / name, data)
        written[f"{FOLDER}/{name}"] = len(data)
        progress(len(data))
    for archive in job.archives:
        written |= _brought(work, archive, job.partition, written, progress)
    for name in written:
        durable.sync_file(work.path / name)
    for folder in sorted({(work.path / name).parent for name in written}):
        durable.sync_folder(folder)
    write_list(list_of(work, job.partition), written)
    return len(written)


def _brought(
    work: WorkFolder, archive: Path, partition: int, known: Mapping[str, int], progress: Callable[[int], None]
) -> dict[str, int]:
    """Bring the files of a partition along from a finished output; gives their bytes by name.

    Raises IntegrityError IMC-6002 where the bytes of a file are not those of its name.
    """
    found: dict[str, int] = {}
    for name, _ in listed(archive / LIST):
        digest = name.rsplit("/", 1)[-1]
        if name in known or int(digest[:2], 16) // (256 // PARTITIONS) != partition:
            continue
        with durable.Reader(archive / name) as reader:
            data = reader.at(0, reader.size)
        if hashlib.sha256(data).hexdigest() != digest[:64]:
            raise IntegrityError("IMC-6002", str(archive / name), what="it is not what its name says")
        _write(work.path / name, data)
        found[name] = len(data)
        progress(len(data))
    return found


def _write(path: Path, data: bytes) -> None:
    """One file, not synced yet: syncing all behind writing all lets the file system do it in a few strokes."""
    durable.make_folder(path.parent)
    writer = durable.Writer(path)
    writer.write(data)
    writer.finish()


def list_of(work: WorkFolder, partition: int) -> Path:
    return work.path / f"media-{partition:05}.ndjson"


def _rows(work: WorkFolder, job: MediaJob) -> tuple[Array, Array]:
    """The rows of the partition, each content once, by name; and the segments that hold them."""
    found = [np.empty(0, FILE)]
    owners = [np.empty(0, np.int64)]
    for segment in job.segments:
        for _, rows in row_windows(work.part(segment, "media.rows"), FILE):
            first = np.ascontiguousarray(rows["sha"]).view(np.uint8).reshape(len(rows), -1)[:, 0]
            mine = rows[first // (256 // PARTITIONS) == job.partition]
            found.append(mine)
            owners.append(np.full(len(mine), segment, np.int64))
    rows, owning = np.concatenate(found), np.concatenate(owners)
    names = [bytes(sha) for sha in rows["sha"]]
    order = sorted(range(len(names)), key=names.__getitem__)
    once = [at for place, at in enumerate(order) if not place or names[at] != names[order[place - 1]]]
    chosen = np.array(once, np.int64)
    return rows[chosen], owning[chosen]


def write_list(path: Path, files: dict[str, int]) -> None:
    """A list of files with their bytes, by name."""
    writer = durable.Writer(path)
    for name in sorted(files):
        writer.write(_row(name, files[name]))
    writer.finish()


def _row(name: str, size: int) -> bytes:
    return msgspec.json.encode({"name": name, "bytes": size}) + b"\n"


def listed(path: Path) -> Iterator[tuple[str, int]]:
    """Name and bytes of each file in a list; nothing where there is no list."""
    if durable.exists(path):
        for line in durable.lines_of(path):
            found = msgspec.json.decode(line)
            yield found["name"], found["bytes"]


def moves(found: MediaFacts) -> list[list[str]]:
    """What has to be moved into a new output folder: the whole folder in one stroke, and its list."""
    return [[FOLDER, FOLDER], [LIST, LIST]] if found.files else []
