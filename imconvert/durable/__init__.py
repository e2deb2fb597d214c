"""The one door through which files are written.

Strategy: bytes first, then the name: a file appears under its final name only by an atomic rename after its bytes
and, where it counts, its folder have been synced. Work files are caches: they carry a checksum in the marker that
names them and are believed only if it fits. Names in stores (`storage`) are put in place whole; nothing of them can be
synced, linked or locked.
Promise: a failed write, fsync or close is never retried on the same file; it ends the run with IMC-6004, and the
next run starts from what is true.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from xxhash import xxh3_64

from imconvert.durable import storage
from imconvert.durable.attempts import being_written, to_read
from imconvert.durable.storage import is_remote
from imconvert.durable.sums import Sums
from imconvert.durable.system import BLOCK as BLOCK
from imconvert.durable.system import NEW, close, told, told_of, write_all
from imconvert.durable.system import Closing as Closing
from imconvert.durable.system import Range as Range
from imconvert.errors import IntegrityError, UsageError

LOCK = ".lock"
SMALL = 1 << 16
"""Bytes of small writes that are written together."""


class Writer:
    """An append-only file that counts and checks what it is given. Not durable until `finish(sync=True)`.

    `size` is the number of bytes given so far, `digest` their xxh3-64. Less than SMALL bytes wait in memory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._waiting = bytearray()
        self._sum = xxh3_64()
        self._made = ExitStack()
        with told(path):
            place = self._made.enter_context(storage.made(being_written(path)))
            self._fd = os.open(place, NEW | os.O_TRUNC, 0o600)

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if len(self._waiting) + len(data) < SMALL:
            self._waiting += data
            return
        self._flush()
        if len(data) < SMALL:
            self._waiting += data
        else:
            self._pass_on(data)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, bytearray()
        if waiting:
            self._pass_on(waiting)

    def _pass_on(self, data: bytes | bytearray) -> None:
        with told(self.path):
            write_all(self._fd, data)
        self._sum.update(data)

    @property
    def digest(self) -> str:
        self._flush()
        return self._sum.hexdigest()

    def finish(self, *, sync: bool = False, forget: bool = False, closing: Closing | None = None) -> None:
        """Close the file, synced if asked for; with `closing`, it is synced and closed by that. With `forget`, what was
        synced does not stay in memory for readers."""
        self._flush()
        with told(self.path):
            fd, self._fd = self._fd, -1
            if fd < 0:
                return
            if sync or closing:
                _close_synced(fd, self.path, closing, forget=forget)
            else:
                close(fd, sync=False)
            self._made.close()

    def give_up(self) -> None:
        """Close the file and delete it as far as that is possible; it is of no use."""
        self._waiting.clear()
        with suppress(OSError):
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def replace_file(path: Path, data: bytes) -> None:
    """Make `path` hold `data`, whole or not at all: temp file, fsync, rename, fsync of the folder."""
    path = being_written(path)
    if is_remote(path):
        with told(path), storage.made(path) as place:
            place.write_bytes(data)
        return
    temp = path.with_name(path.name + ".tmp")
    with told(path):
        fd = os.open(temp, NEW | os.O_TRUNC, 0o600)
        try:
            write_all(fd, data)
        except BaseException:
            os.close(fd)
            raise
        close(fd, sync=True)
        os.replace(temp, path)
        sync_folder(path.parent)


def rename(source: Path, target: Path) -> None:
    """Give an already synced file its final name; the caller syncs the folder."""
    with told(target):
        storage.move(source, target) if is_remote(source) else os.replace(source, target)


def sync_file(path: Path) -> None:
    """Wait until the bytes of a finished file are on the disk."""
    if is_remote(to_read(path)):
        return
    with told(path):
        fd = os.open(to_read(path), os.O_RDONLY | os.O_CLOEXEC)
        close(fd, sync=True)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    folder = to_read(folder)
    if is_remote(folder):
        return
    with told(folder):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        close(fd, sync=True)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, private to the user, if they are missing."""
    folder = being_written(folder)
    if is_remote(folder):
        return
    with told(folder):
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        if missing:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in missing:
            sync_folder(one.parent)


def remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it; nothing there is fine."""
    path = being_written(path)
    with told(path):
        if is_remote(path):
            storage.delete(path)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


Piece = Range | bytes


def write_pieces(
    target: Path, pieces: Iterable[Piece], *, seen: Callable[[bytes], None], closing: Closing | None = None
) -> None:
    """Make a new, synced file of the pieces, in order; `seen` is shown every block on its way. With `closing`, it is
    synced by that."""
    with told(target), storage.made(being_written(target)) as place:
        fd = os.open(place, NEW | os.O_TRUNC, 0o600)
        try:
            for block in _gathered(_bytes_of(pieces)):
                write_all(fd, block)
                seen(block)
        except BaseException:
            os.close(fd)
            raise
        _close_synced(fd, target, closing)


def _close_synced(fd: int, path: Path, closing: Closing | None, *, forget: bool = False) -> None:
    """At once, or by `closing`; what goes to a store is put there right behind, and has to be closed."""
    if closing and not is_remote(being_written(path)):
        closing.take(fd, path)
    else:
        close(fd, sync=True, forget=forget and not is_remote(being_written(path)))


def _bytes_of(pieces: Iterable[Piece]) -> Iterator[bytes | memoryview]:
    """The bytes of the pieces; what lies near each other in one file is read at once."""
    reader: Reader | None = None
    near, begin = memoryview(b""), 0
    try:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            if reader is None or reader.path != piece.path:
                reader, near = _switched(reader, piece.path), memoryview(b"")
            start = piece.start
            while start < piece.stop:
                if not begin <= start < begin + len(near):
                    near, begin = memoryview(reader.at(start, max(0, min(BLOCK, reader.size - start)))), start
                found = near[start - begin : piece.stop - begin]
                if not found:
                    raise IntegrityError("IMC-6002", str(piece.path), what="it is shorter than expected")
                yield found
                start += len(found)
    finally:
        if reader:
            reader.close()


def _gathered(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Blocks of at least BLOCK bytes but for the last."""
    waiting: list[bytes | memoryview] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= BLOCK:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def link(source: Path, target: Path) -> bool:
    """Give a file a second name in the same folder; False where the file system has no links."""
    remove(target)
    if is_remote(to_read(source)) or is_remote(being_written(target)):
        return False
    try:
        os.link(to_read(source), being_written(target))
    except OSError as why:
        if why.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK, errno.ENOSYS):
            return False
        raise told_of(target, why) from why
    return True


def scan(path: Path, *, seen: Callable[[bytes], None]) -> None:
    """Show `seen` every block of a file."""
    with Reader(path) as reader:
        for block in reader.blocks():
            seen(block)


def _switched(reader: Reader | None, path: Path) -> Reader:
    if reader:
        reader.close()
    return Reader(path)


class Reader:
    """Reads a file that this tool wrote, at any place; many readers may share a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._far: storage.Ranges | None = None
        place = to_read(path)
        with told(path):
            if is_remote(place):
                self._far = storage.Ranges(place)
            else:
                self._fd = os.open(place, os.O_RDONLY | os.O_CLOEXEC)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        if self._far is None:
            os.close(self._fd)

    @property
    def size(self) -> int:
        return self._far.status.size if self._far else os.fstat(self._fd).st_size

    @property
    def changed(self) -> int:
        """Time of the last write in ns."""
        return self._far.status.changed if self._far else os.fstat(self._fd).st_mtime_ns

    def at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`. Raises IMC-6002 if the file ends before."""
        try:
            data = self._some(offset, length)
            while len(data) < length:
                more = self._some(offset + len(data), length - len(data))
                if not more:
                    raise IntegrityError("IMC-6002", str(self.path), what="it is shorter than expected")
                data += more
        except OSError as why:
            raise told_of(self.path, why) from why
        return data

    def each(self, offsets: Sequence[int], lengths: Sequence[int]) -> list[bytes]:
        """`at` for each of them; quick where they are many and small."""
        if self._far:
            return list(map(self.at, offsets, lengths))
        fd, pread = self._fd, os.pread
        with told(self.path):
            found = [pread(fd, length, offset) for offset, length in zip(offsets, lengths, strict=True)]
        short = [number for number, length in enumerate(lengths) if len(found[number]) < length]
        for number in short:
            found[number] = self.at(offsets[number], lengths[number])
        return found

    def _some(self, offset: int, length: int) -> bytes:
        return self._far.at(offset, length) if self._far else os.pread(self._fd, length, offset)

    def blocks(self, start: int = 0, stop: int | None = None, *, size: int = BLOCK) -> Iterator[bytes]:
        """The bytes from `start` to `stop` (default: the end) in blocks of at most `size`."""
        stop = self.size if stop is None else stop
        for offset in range(start, stop, size):
            yield self.at(offset, min(size, stop - offset))


def clear(folder: Path) -> None:
    """Delete all that is in a folder of ours but its lock."""
    for name in names_in(folder):
        if name != LOCK:
            remove(folder / name)


@contextmanager
def scratch_folder(base: Path | None) -> Iterator[Path]:
    """A private folder below `base` (default: the system's folder for temporary files) that goes at the end."""
    with told(base or Path(tempfile.gettempdir())):
        folder = Path(tempfile.mkdtemp(prefix="imconvert-", dir=base))
    try:
        yield folder
    finally:
        remove(folder)


def read_file(path: Path) -> bytes | None:
    """The content of a small file of ours, or None if it does not exist."""
    try:
        with told(path), storage.opened(to_read(path)) as file:
            return file.read()
    except IntegrityError as why:
        if isinstance(why.__cause__, FileNotFoundError):
            return None
        raise


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file of ours, without their LF."""
    with told(path), storage.opened(to_read(path)) as file:
        for line in file:
            yield line.rstrip(b"\n")


def join_files(target: Path, sources: Iterable[Path]) -> tuple[int, int, str]:
    """Make a new, synced file of whole files, one after the other; gives its lines, bytes and sha256."""
    sums = Sums()
    write_pieces(target, _wholes(sources), seen=sums.add)
    return sums.lines, sums.size, sums.sha256


def exists(path: Path) -> bool:
    """Whether a file of ours is there."""
    with told(path):
        place = to_read(path)
        return storage.exists(place) if is_remote(place) else place.exists()


def _wholes(sources: Iterable[Path]) -> Iterator[Range]:
    for source in sources:
        with Reader(source) as reader:
            size = reader.size
        yield Range(source, 0, size)


def intact(path: Path, size: int, digest: str) -> bool:
    """Whether a work file still has the size and xxh3-64 that its marker says."""
    if size_of(path) != size:
        return False
    check = xxh3_64()
    scan(path, seen=check.update)
    return check.hexdigest() == digest


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted bytewise; an absent folder has none."""
    with told(folder):
        if is_remote(folder):
            return storage.names_in(folder)
        return sorted(os.listdir(folder), key=os.fsencode) if folder.is_dir() else []


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone. Raises IMC-1007 if a living process holds it.

    The lock is the kernel's, on `.lock` in the folder, so that it ends with its owner however that dies; workers
    that the owner forks do not hold it.
    """
    if is_remote(folder):
        yield
        return
    lock = folder / LOCK
    fd = -1
    while fd < 0:
        make_folder(folder)
        with told(folder):
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as why:
            os.close(fd)
            raise UsageError("IMC-1007", str(folder)) from why
        if not _same_file(fd, lock):  # the owner before us removed the folder's work: lock the new file
            os.close(fd)
            fd = -1
    try:
        yield
    finally:
        os.close(fd)


def _same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of the last write (ns) of a file of ours, which change when it is replaced; None without it."""
    place = to_read(path)
    try:
        with told(path):
            if is_remote(place):
                return storage.known(place)
            found = place.stat()
    except IntegrityError as why:
        if isinstance(why.__cause__, FileNotFoundError | NotADirectoryError):
            return None
        raise
    return found.st_size, found.st_mtime_ns


def size_of(path: Path) -> int | None:
    """The size of a file of ours, or None if it does not exist."""
    found = stamp(path)
    return found[0] if found else None


def free_bytes(folder: Path) -> int:
    """How many bytes may still be written to the file system of a folder."""
    with told(folder):
        found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
