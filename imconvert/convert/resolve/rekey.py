"""Give the later of two conflicting messages a fresh message number, so that both survive.

Strategy: the new number is derived from the old key, the content and a salt, so that the same message gets the same
number in every run. New keys are resolved against all others again; a number that meets another message by chance
is derived anew with the next salt, until nothing conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from imconvert import durable
from imconvert.convert.map.part import bucket_counts
from imconvert.convert.resolve import drops as lists
from imconvert.convert.resolve.lines import LineReader
from imconvert.convert.resolve.partition import KeyFile, numbers_by_place
from imconvert.convert.work import DROP, KEY, REKEYED, RENUMBERED, Array, WorkFolder, read_rows
from imconvert.model import derived_id, key_of
from imconvert.vendors.contract import Target


class Rekeyed:
    """The lines that got new numbers so far, and with which salt; `round` counts the rounds.

    `renumbered` is a file of DROP rows of lines whose numbers had been changed before. Where `lines` are kept, those
    are compared by their new keys, too: a finished output may hold some of them. `own_keys` as in the source's
    `Vendor`.
    """

    def __init__(
        self,
        work: WorkFolder,
        target: Target,
        renumbered: Path | None = None,
        *,
        own_keys: bool = False,
        lines: bool = True,
    ) -> None:
        self.work = work
        self.target = target
        self.own_keys = own_keys
        self.numbers = numbers_by_place(renumbered)
        self.taken = frozenset(self.numbers.values())
        self.read = self.numbers if lines else {}
        self.salts: dict[int, int] = {}
        self.round = 0

    def again(self, conflicts: list[int]) -> bool:
        """Derive numbers for the lines in conflict, given by place; False if there are none."""
        for place in conflicts:
            self.salts[place] = self.salts.get(place, -1) + 1
        self.round += bool(conflicts)
        return bool(conflicts)

    def files(self) -> tuple[Path, KeyFile] | None:
        """Write the new numbers, as DROP rows, and the new keys, for the next round of resolving."""
        if not self.salts and not self.read:
            return None
        places = np.array(sorted({*self.salts, *self.read}), np.uint64)
        drops, keys = np.zeros(len(places), DROP), np.zeros(len(places), KEY)
        drops["place"] = drops["winner"] = keys["place"] = places
        drops["kind"] = np.where(np.isin(places, list(self.salts)), REKEYED, RENUMBERED)
        with LineReader(self.work, self.target, self.numbers) as reader:
            for row, (place, line) in enumerate(zip(places.tolist(), reader.lines(places), strict=True)):
                drops["msgid"][row], key, digest = self._keyed(line, self.salts.get(place))
                keys["hi"][row], keys["lo"][row] = np.frombuffer(key, "<u8")
                keys["digest"][row] = np.frombuffer(digest, "<u8")[0]
        return self._write(drops, keys[np.argsort(keys["hi"], kind="stable")])

    def left(self, dropped: Iterable[Path]) -> Array:
        """The new numbers of lines about which these lists of drops say nothing, as DROP rows."""
        if not self.salts:
            return np.empty(0, DROP)
        rows = read_rows(self.work.path / "rekeyed", DROP)
        return lists.left(rows[rows["kind"] == REKEYED], dropped)

    def _keyed(self, line: bytes, salt: int | None) -> tuple[int, bytes, bytes]:
        """The number, the key and the digest of a line; one without a salt has its number."""
        old = self.target.read_key(line)
        if salt is None:
            return old.msgid, key_of(*old.identity(self.own_keys)), self.target.digest_of(line)
        content = self.target.digest_of(line).hex()
        text = msgspec.json.encode((*old, content, salt)).decode()
        while (msgid := derived_id("rekey", text)) in self.taken:
            text += "+"
        digest = self.target.digest_of(self.target.with_msgid(line, msgid))
        return msgid, key_of(*old._replace(msgid=msgid).identity(self.own_keys)), digest

    def _write(self, drops: Array, keys: Array) -> tuple[Path, KeyFile]:
        folder = self.work.path
        paths = folder / "rekeyed", folder / "rekeyed.keys", folder / "rekeyed.buckets"
        for path, rows in zip(paths, (drops, keys, bucket_counts(keys["hi"])), strict=True):
            writer = durable.Writer(path)
            writer.write(rows.tobytes())
            writer.finish()
        return paths[0], KeyFile(paths[1], paths[2], (len(keys),))
