"""The books: where every record and every line of every input went.

The identity, per input and in total, each term counted where it happens and checked here:

    read + split = written + duplicates + conflicts + rejected + skipped

`read` are the records (lines, or elements of a document) of the input, blank ones too; `split` is how many more
lines than records the written messages are; `written` the lines that stand in shards; `duplicates` and `conflicts`
the lines left out because their key was there before; `rejected` and `skipped` whole records, the latter on purpose.
A message that was recalled and therefore left out counts as skipped with each of its lines.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from imconvert.convert.work import PartMarker, SealMarker
from imconvert.errors import IntegrityError


class Account(Struct):
    """The ledger of one input, or of all."""

    read: int = 0
    written: int = 0
    split: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    skipped: int = 0

    def balances(self) -> bool:
        out = self.written + self.duplicates + self.conflicts + self.rejected + self.skipped
        return self.read + self.split == out

    def add(self, other: Account) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def accounts(parts: Iterable[PartMarker], seals: Iterable[SealMarker], inputs: int) -> list[Account]:
    """The account of each input, from what mapping and sealing counted."""
    found = [Account() for _ in range(inputs)]
    for part in parts:
        for piece in part.pieces:
            account = found[piece.file]
            account.read += piece.read
            account.split += piece.split
            account.rejected += piece.rejected
            account.skipped += piece.skipped
    for seal in seals:
        for name in ("written", "duplicates", "conflicts"):
            for file, count in getattr(seal, name).items():
                setattr(found[file], name, getattr(found[file], name) + count)
        for file, count in seal.recalled.items():
            found[file].skipped += count
    return found


def total(books: Iterable[Account]) -> Account:
    """The sum of accounts."""
    everything = Account()
    for account in books:
        everything.add(account)
    return everything


def check(books: list[Account], labels: list[str], shard_lines: int) -> None:
    """Raise IntegrityError IMC-6001 unless every account balances and the shards hold what was written."""
    for account, label in zip(books, labels, strict=True):
        if not account.balances():
            raise IntegrityError("IMC-6001", label, detail=repr(account))
    written = total(books).written
    if written != shard_lines:
        raise IntegrityError("IMC-6001", detail=f"{written} lines were written, the shards hold {shard_lines}")
