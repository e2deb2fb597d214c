"""What a run is asked to do, and which of it decides the output."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from imconvert.errors import UsageError
from imconvert.sources.containers import Limits
from imconvert.sources.inputs import is_database, read_text, sha256_of
from imconvert.vendors import CUSTOM, TARGETS, Vendor, content_of, find, is_plug_in, plugins, settings
from imconvert.vendors.people.source import SUFFIX

ON_CONFLICT = ("quarantine", "keep-last", "rekey")
RECALLS = ("keep", "drop", "mark")
DAY = 86_400_000


class Budget(NamedTuple):
    """How many records may be rejected: a number, or a share of those read in percent."""

    amount: float
    percent: bool

    def exceeded(self, rejected: int, read: int, *, finished: bool) -> bool:
        if self.percent:
            return finished and rejected * 100 > self.amount * read
        return rejected > self.amount

    def __str__(self) -> str:
        return f"{self.amount:g}{'%' if self.percent else ''}"


@dataclass(frozen=True, slots=True)
class Options:
    """One run. `latest` is the upper bound for times in ms; None lets the clock decide.

    `target` is the name of a `Target`: a vendor's for messages, VENDOR/CONTENT for people and groups. `key` is what
    secrets of accounts are derived from; `fixed_key` says that it was given, and is no new one.
    """

    inputs: tuple[str, ...]
    output: Path
    source: str = "auto"
    target: str = "yunxin"
    jobs: int = 1
    on_conflict: str = "quarantine"
    recalls: str = "keep"
    max_rejects: Budget | None = None
    segment_size: int | None = None
    map: Path | None = None
    ids: Path | None = None
    tids: Path | None = None
    members: Path | None = None
    strict: bool = False
    latest: int | None = None
    settings: dict[str, str] = field(default_factory=dict)
    write_missing: Path | None = None
    limits: Limits = Limits()
    keep_lines: bool = True
    media_url: str | None = None
    compiled: bool = True
    key: bytes = b""
    fixed_key: bool = False

    @property
    def content(self) -> str:
        """What is converted of people: users, friends, groups; nothing for messages."""
        return content_of(self.target)

    def complete_settings(self) -> dict[str, str]:
        """All settings, the defaults filled in. Raises UsageError IMC-1010 for one that can't be."""
        url = self.media_url
        if url is not None and not (url.isprintable() and url.split() == [url]):
            raise UsageError("IMC-1010", option="--media-url", why="it is empty or holds blanks", command="msgs")
        if self.write_missing and self.write_missing in (self.ids, self.tids):
            raise UsageError("IMC-1010", option="--write-missing-ids", why="it would overwrite the map", command="msgs")
        if self.members and not TARGETS[self.target].packages:
            raise UsageError("IMC-1230", target=self.target)
        known = settings(CUSTOM if self.map else self.source, self.content)
        found = {name: setting.default for name, setting in known.items()}
        for name, value in self.settings.items():
            setting = known.get(name)
            if setting is None:
                raise UsageError("IMC-1010", option=f"--set {name}", why=f"known are {', '.join(known)}",
                                 command="msgs")  # fmt: skip
            if not setting.accepts(value):
                allowed = setting.allowed if isinstance(setting.allowed, str) else " or ".join(setting.allowed)
                raise UsageError("IMC-1010", option=f"--set {name}={value}", why=f"expected is {allowed}",
                                 command="msgs")  # fmt: skip
            found[name] = value
        return found

    def mapping(self) -> str | None:
        """The text of the mapping file. Raises UsageError IMC-1106 where the source is a vendor's all the same."""
        if self.map is None:
            if self.source == CUSTOM:
                raise UsageError("IMC-1010", option=f"--from {CUSTOM}", why="give --map FILE instead", command="msgs")
            return None
        if self.source not in ("auto", CUSTOM):
            raise UsageError("IMC-1106", option=f"--from {self.source}")
        return read_text(self.map)

    def vendor(self) -> Vendor | None:
        """Whose export it is, if the options say so. Raises UsageError (IMC-11xx)."""
        mapping = self.mapping()
        if mapping is not None:
            try:
                return find(CUSTOM + self.suffix, mapping)
            except UsageError as why:
                raise UsageError(why.code, str(self.map), **why.values) from None
        return None if self.source == "auto" else find(self.source + self.suffix)

    @property
    def suffix(self) -> str:
        """What stands behind the name of a source's vendor."""
        return SUFFIX if self.content else ""

    def _sums(self) -> Iterator[tuple[str, str]]:
        """The sha256 of each file that decides: of a small one's text, whatever its line ends; of others the bytes."""
        for name, path in (("map", self.map), ("ids", self.ids), ("tids", self.tids)):
            if path:
                text = not is_database(path)
                yield name, hashlib.sha256(read_text(path).encode()).hexdigest() if text else sha256_of(path)
        if self.members:
            yield "members", sha256_of(self.members)

    def identity(self, vendor: str) -> dict[str, str]:
        """What decides the output, as the manifest tells it; maps by their sha256, plug-ins by their version."""
        found = {f"set {name}": value for name, value in self.settings.items()}
        found["on-conflict"] = self.on_conflict
        found |= {name: "sha256:" + sum for name, sum in self._sums()}
        if is_plug_in(vendor):
            found["plug-in"] = plugins.version_of(vendor)
        if self.recalls != "keep":
            found["recalls"] = self.recalls
        if self.strict:
            found["strict"] = "yes"
        if self.latest is not None:
            found["latest"] = str(self.latest)
        if self.media_url is not None:
            found["media-url"] = self.media_url
        if self.segment_size is not None:
            found["segment-size"] = str(self.segment_size)
        return dict(sorted(found.items()))
