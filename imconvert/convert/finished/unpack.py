"""Find a user's package in a finished output, and write the calls of it as files of their own.

Strategy: the index of users is sorted by a hash, so that a user is found by bisection over its bytes; a call is a range
of a shard. Nothing is held in memory but one call.
Promise: what is written is what the shard holds; a call that has another number of lines than the index says ends it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
from xxhash import xxh3_64_intdigest

from imconvert import durable
from imconvert.convert.books.manifest import PackageTotals, read_manifest
from imconvert.convert.devices.handout import INDEX
from imconvert.convert.devices.packages import User
from imconvert.errors import IntegrityError, UsageError

LONGEST = 1 << 20
"""More bytes than a row of the index has, but for the greatest packages; rows are read in pieces of this."""

_SAFE = "-_=+."
_decode = msgspec.json.Decoder(User).decode


class Packages:
    """The packages of a finished output. Raises UsageError IMC-1014 or IMC-1233 where there are none."""

    def __init__(self, output: Path) -> None:
        found = read_manifest(output)
        if not isinstance(found.packages, PackageTotals):
            raise UsageError("IMC-1233", str(output), target=found.target)
        self.output = output
        self.totals = found.packages
        self.index = durable.Reader(output / INDEX)
        if self.index.size != self.totals.index.bytes:
            raise IntegrityError("IMC-6002", str(self.index.path), what="it has another length than the manifest says")

    def __enter__(self) -> Packages:
        return self

    def __exit__(self, *exc: object) -> None:
        self.index.close()

    def find(self, name: str) -> User | None:
        """The row of a user, or None."""
        wanted = f"{xxh3_64_intdigest(name.encode(), self.totals.salt):016x}"
        low, high = 0, self.index.size
        while low < high:
            middle = (low + high) // 2
            row, begin, end = self._row_at(middle)
            if row.hash == wanted:
                return row if row.user == name else None
            low, high = (end, high) if row.hash < wanted else (low, begin)
        return None

    def _row_at(self, offset: int) -> tuple[User, int, int]:
        """The row in which a byte lies, and where it begins and ends."""
        begin = self._line_start(offset)
        data = b""
        end = begin
        while b"\n" not in data:
            data += self.index.at(end, min(LONGEST, self.index.size - end))
            end = begin + len(data)
        line, _, _ = data.partition(b"\n")
        return _decode(line), begin, begin + len(line) + 1

    def _line_start(self, offset: int) -> int:
        stop = offset
        while stop > 0:
            start = max(0, stop - LONGEST)
            found = self.index.at(start, stop - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            stop = start
        return 0

    def users(self) -> Iterator[User]:
        """All rows of the index, in its order."""
        rest = b""
        for block in self.index.blocks():
            *lines, rest = (rest + block).split(b"\n")
            yield from map(_decode, lines)

    def calls(self, user: User) -> Iterator[bytes]:
        """The bytes of each call. Raises IntegrityError IMC-6002 where one is not what the index says."""
        with durable.Reader(self.output / user.file) as shard:
            for offset, size, messages in user.calls:
                data = shard.at(offset, size)
                self._check(user, data, messages)
                yield data

    def _check(self, user: User, data: bytes, messages: int) -> None:
        try:
            lines = (gzip.decompress(data) if self.totals.packed else data).count(b"\n")
        except (OSError, EOFError, zlib.error):
            lines = -1
        if lines != messages:
            what = f"a call of {user.user} does not hold the {messages} messages that the index tells of"
            raise IntegrityError("IMC-6002", str(self.output / user.file), what=what)

    def write(self, user: User, folder: Path) -> int:
        """Write the calls of a user as files below `folder`; gives how many. They are not synced."""
        place = folder / folder_name(user.user)
        durable.make_folder(place)
        suffix = ".ndjson.gz" if self.totals.packed else ".ndjson"
        for number, data in enumerate(self.calls(user), 1):
            writer = durable.Writer(place / f"{number:05}{suffix}")
            writer.write(data)
            writer.finish()
        return len(user.calls)


def folder_name(user: str) -> str:
    """The name of a user's folder: what could be more than a name is written as %XX."""
    name = quote(user, safe=_SAFE)
    return f"%2E{name[1:]}" if name.startswith(".") else name
