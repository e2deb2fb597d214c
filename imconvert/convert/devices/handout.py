"""Make packages for users' devices of what was arranged: a copy of each message for everybody who has it, by user.

Strategy: an external sort once more, now by owner: `copies` makes the copies of each arranged shard, `packages` brings
together what is one user's. How many shards there are follows from the bytes of all copies. The shards of
conversations stay: they hold each message once, with the index that explains it; packages are views of them.
Promise: each message is copied, left out by a choice, or told to reach nobody; copies that were made and lines that
were written are equal in number, or nothing is published. The same bytes for any number of workers.
Order of durable writes: members, their marker; copies, their markers; packages, their markers; the index of users.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
from msgspec import UNSET, UnsetType
from xxhash import xxh3_64_hexdigest

from imconvert import durable
from imconvert.convert.arrange.arranger import MOST_SALTS, bits_for
from imconvert.convert.arrange.bucket import BucketMarker
from imconvert.convert.arrange.runs import BOUND, bucket_rows
from imconvert.convert.arrange.scatter import WIDTH
from imconvert.convert.books.manifest import PackageTotals, SideFile
from imconvert.convert.devices import members
from imconvert.convert.devices.copies import BITS, STREAM, Bucket, CopyJob, CopyMarker, copied, copy_name
from imconvert.convert.devices.packages import PackageJob, PackageMarker, index_of, packaged
from imconvert.convert.map import maps
from imconvert.convert.options import Options
from imconvert.convert.pool import Engine
from imconvert.convert.work import WorkFolder, marker_bytes, read_rows
from imconvert.errors import IntegrityError
from imconvert.sources.inputs import sha256_of
from imconvert.vendors.contract import Book, Settings, Target, number_in

INDEX = "users.ndjson"
"""The index of all packages: a row for each user, sorted by hash."""

NAMES = "packages"
GROUPS = "team"


@dataclass(frozen=True, slots=True)
class Handout:
    """The parts of a run on which packages depend. `file` is the user's file of members with its
    sha256; `width` bits of the hash of users count."""

    work: WorkFolder
    target: Target
    pool: Engine
    phase: Callable[[str, int], None]
    settings: Settings
    books: tuple[Book, Book]
    file: tuple[Path, str] | None
    width: int = WIDTH

    def make(self, buckets: Sequence[BucketMarker]) -> PackageTotals:
        """Packages and their index in `.work/`; what is there already is taken over. Raises UsageError IMC-1231."""
        for salt in range(MOST_SALTS):
            basis = self._basis(buckets, salt)
            told = self._members(buckets, basis)
            copies = self._copies(buckets, told.runs if told else None, basis, salt)
            found = self._packages(copies, basis)
            if found is not None:
                return self._totals(copies, found, told, salt)
        raise IntegrityError("IMC-6001", detail=f"users have the same hash under {MOST_SALTS} salts")

    def _basis(self, buckets: Sequence[BucketMarker], salt: int) -> str:
        choices = repr((salt, self.file and self.file[1], sorted(self.settings.items()))).encode()
        return xxh3_64_hexdigest(b"".join(map(marker_bytes, buckets)) + choices)

    def _members(self, buckets: Sequence[BucketMarker], basis: str) -> members.MembersMarker | None:
        if not self.file:
            return None
        self.phase("members", 0)
        salt = next((bucket.salt for bucket in buckets), 0)
        return members.scatter(self.work, self.file[0], self.books, members.Talks(salt, WIDTH), basis)

    def _copies(self, buckets: Sequence[BucketMarker], told: int | None, basis: str, salt: int) -> list[CopyMarker]:
        self.phase("copies", sum(bucket.shard.bytes for bucket in buckets))
        jobs = [
            CopyJob(
                self.work.path, self.target.name, number, bucket.shard.name,
                Bucket(bucket.bucket, bucket.bits, bucket.salt, bucket.shard.stream == GROUPS), told,
                number_in(self.settings["device.since"]), number_in(self.settings["device.newest"]), basis, salt,
                self.width,
            )
            for number, bucket in enumerate(buckets)
        ]  # fmt: skip
        return [marker for _, marker in sorted(self.pool.run(copied, jobs), key=itemgetter(0))]

    def _packages(self, copies: list[CopyMarker], basis: str) -> list[PackageMarker] | None:
        """None where two users turned out to have the same hash."""
        size = sum(marker.files[copy_name(marker.number, STREAM)].size for marker in copies)
        self.phase("packages", size)
        jobs = self._jobs(copies, bits_for(size), basis)
        found = [marker for _, marker in sorted(self.pool.run(packaged, jobs), key=itemgetter(0))]
        return None if None in found else found

    def _jobs(self, copies: list[CopyMarker], bits: int, basis: str) -> list[PackageJob]:
        """A job for each bucket that holds anything; their shards have consecutive names."""
        assert self.target.packages
        runs = tuple((marker.number, marker.runs) for marker in copies if marker.runs)
        rows = np.zeros(1 << BITS, np.uint64)
        for number, _ in runs:
            rows += bucket_rows(read_rows(self.work.path / copy_name(number, f"{STREAM}.bounds"), BOUND), BITS)
        filled = np.flatnonzero(rows.reshape(1 << bits, -1).sum(axis=1)).tolist()
        packed = self.settings["device.gzip"] == "yes"
        names = [f"{NAMES}-{place:05}{self.target.suffix}{'.gz' * packed}" for place in range(1, len(filled) + 1)]
        most = self.target.packages.most(self.settings)
        return [
            PackageJob(self.work.path, bucket, bits, runs, name, most, packed, basis)
            for bucket, name in zip(filled, names, strict=True)
        ]

    def _totals(
        self, copies: list[CopyMarker], found: list[PackageMarker], told: members.MembersMarker | None, salt: int
    ) -> PackageTotals:
        """What there is to say of all of them. Raises IntegrityError IMC-6001 where copies were lost."""
        made, written = sum(marker.copies for marker in copies), sum(marker.shard.lines for marker in found)
        if made != written:
            raise IntegrityError("IMC-6001", detail=f"of {made} copies {written} are in packages")
        lists = [self.work.path / index_of(marker.shard.name) for marker in found]
        index = SideFile(*durable.join_files(self.work.path / INDEX, lists))
        largest = max(found, key=lambda marker: marker.largest, default=None)
        return PackageTotals(
            users=sum(marker.shard.users for marker in found),
            calls=sum(marker.shard.calls for marker in found),
            copies=made,
            messages={
                "copied": sum(marker.copied for marker in copies),
                "since": sum(marker.since for marker in copies),
                "newest": sum(marker.newest for marker in copies),
                "lost": sum(marker.lost for marker in copies),
            },
            first_lost=next((marker.first_lost for marker in copies if marker.first_lost), ""),
            groups=sum(marker.groups for marker in copies),
            untold=sum(marker.untold for marker in copies),
            first_untold=next((marker.first_untold for marker in copies if marker.first_untold), ""),
            members={"rows": told.rows, "refused": told.refused} if told else None,
            first_refused=told.first if told else "",
            largest=largest.largest if largest else 0,
            largest_user=largest.largest_user if largest else "",
            most=self.target.packages.most(self.settings) if self.target.packages else 0,
            packed=self.settings["device.gzip"] == "yes",
            salt=salt,
            index=index,
            shards=[marker.shard for marker in found],
        )


def hand_out(
    options: Options,
    buckets: Sequence[BucketMarker],
    *,
    work: WorkFolder,
    target: Target,
    pool: Engine,
    phase: Callable[[str, int], None],
) -> PackageTotals | UnsetType:
    """The packages of a run, where its target is users' devices. Raises UsageError IMC-1231."""
    if not target.packages:
        return UNSET
    settings = options.complete_settings()
    accounts = Book(target.account_rule_by(settings), map=maps.load(options.ids, "account", target.account_rule))
    groups = Book(target.group_rule, map=maps.load(options.tids, "group", target.group_rule))
    file = (options.members, sha256_of(options.members)) if options.members else None
    return Handout(work, target, pool, phase, settings, (accounts, groups), file).make(buckets)


def package_moves(found: PackageTotals | UnsetType) -> list[list[str]]:
    """The moves that publish packages."""
    if isinstance(found, UnsetType):
        return []
    return [[name, name] for name in (*(shard.name for shard in found.shards), INDEX)]
