from collections.abc import Callable
from typing import Any

class Through:
    def __init__(
        self,
        *,
        shape: tuple[Any, ...],
        forms: tuple[tuple[Any, ...], ...],
        accounts: dict[str, Any],
        learn_account: Callable[[str], Any],
        groups: dict[str, Any],
        learn_group: Callable[[str], Any],
        hashed: Callable[[bytes], bytes],
        digest: Callable[[bytes], bytes],
        sorted_digest: Callable[[bytes], bytes],
        defaults: tuple[tuple[int, int, bytes], ...],
        earliest: int,
        latest: int,
        bare: bool,
        find_suffix: bool,
        plain_account: bytes,
        longest_account: int,
        label: bytes | None,
        strict: bool,
        naming: tuple[Any, ...] | None,
        order: int,
        opening: tuple[Any, ...],
        targets: int,
        wrapping: tuple[Any, ...],
        turned: int,
    ) -> None: ...
    def behind(self, first: int, stop: int, offset: int, group: bytes | None, /) -> None: ...
    def take(
        self, batch: list[bytes] | bytes, streams: tuple[Any, ...], otherwise: Callable[[int, bytes], None], /
    ) -> list[tuple[int, int, int, int, int]]: ...
    def met(self) -> bytes: ...

class Columns:
    def add(self, line: tuple[Any, ...], source: int, /) -> None: ...
    def __len__(self) -> int: ...
    def take(self) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]: ...

def cut_elements(block: bytes, begin: int, offset: int, records: list[bytes], offsets: list[int], /) -> int: ...
def keep_memory(bytes: int, /) -> None: ...
def keys(
    data: Any, begins: Any, lengths: Any, open: bytes, close: bytes, hash: Callable[[bytes], bytes], /
) -> bytes: ...
def mixed(data: Any, begins: Any, lengths: Any, keys: Any, close: bytes, /) -> int: ...
def ends(data: Any, /) -> tuple[int, int]: ...
def rows(
    lengths: bytes,
    times: bytes,
    msgids: bytes,
    records: bytes,
    offsets: bytes,
    begin: int,
    line: int,
    offset: int,
    file: int,
    /,
) -> bytes: ...
def keyed(hashes: bytes, digests: bytes, place: int, /) -> bytes: ...
def joined(data: Any, begins: Any, lengths: Any, /) -> bytes: ...
def bundled(
    data: Any, begins: Any, lengths: Any, starts: Any, marks: tuple[Any, ...], /
) -> tuple[bytes, bytes, bytes]: ...
def cut_rows(block: bytes, begin: int, offset: int, records: list[bytes], offsets: list[int], /) -> int: ...
def cut_table(
    block: bytes, begin: int, signs: tuple[int, int, int], records: list[bytes], lines: list[int], /
) -> int: ...
def edges(
    block: bytes, most: int, depth: int, in_string: bool, escaped: bool, /
) -> tuple[list[tuple[int, bool, int]], int, bool, bool]: ...
def follow(
    block: bytes, begin: int, level: int, depth: int, in_string: bool, escaped: bool, /
) -> tuple[int, int, bool, bool]: ...
