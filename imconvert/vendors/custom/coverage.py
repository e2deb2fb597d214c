"""Find the paths of a mapping that are set in none of the records: most likely a slip, and never told by an error."""

from __future__ import annotations

from imconvert.errors import Rejected
from imconvert.model import Notes, Skip
from imconvert.vendors.custom.fields import Compiler, tree_of
from imconvert.vendors.custom.messages import record_parser
from imconvert.vendors.custom.parse import mapping_of
from imconvert.vendors.custom.spec import shown


class Coverage:
    """Which paths were set so far."""

    def __init__(self, text: str) -> None:
        self.mapping = mapping_of(text)
        self.head: bytes | None = None
        make = Compiler(self.mapping.input.json, tree_of(()), Notes())
        self.left = {path: make.path(path) for path in sorted(self.mapping.used, key=shown) if path}

    def see(self, raw: bytes, head: bytes) -> None:
        """Take a record; one that can't be read tells nothing."""
        if not self.left:
            return
        if head != self.head:
            self.head = head
            self.parse = record_parser(self.mapping, Notes(), head.decode(), None)
        try:
            record = self.parse(raw)
            if isinstance(record, Skip):
                return
            for path in [path for path, get in self.left.items() if get(record) not in (None, "")]:
                del self.left[path]
        except Rejected:
            return

    def never(self) -> list[str]:
        return [shown(path) for path in self.left]


def coverage_of(text: str) -> Coverage:
    """The coverage of the mapping in `text`, with nothing seen yet."""
    return Coverage(text)
