"""Put the secrets of accounts into calls: on their way out, and nowhere else.

Promise: neither the journal nor any list or report sees them; whoever shows a request hides them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from imconvert.convert.books.secrets import KEY, filled, read_key, secret_of
from imconvert.vendors.calls import Call


class Secrets:
    """The secrets of an output's accounts. The key is read when it is first needed."""

    def __init__(self, output: Path) -> None:
        self.path = output / KEY

    @cached_property
    def _key(self) -> bytes:
        return read_key(self.path)

    def into(self, call: Call) -> tuple[Call, tuple[str, ...]]:
        """The call as it is to be sent, and what of it nobody may see. Raises IntegrityError IMC-6130."""
        if not call.secret:
            return call, ()
        hidden: list[str] = []

        def secret(account: str) -> str:
            hidden.append(secret_of(self._key, account))
            return hidden[-1]

        return with_secrets(call, secret), tuple(hidden)


def with_secrets(call: Call, secret: Callable[[str], str]) -> Call:
    """The call with what `secret(account)` gives in its places."""
    if not call.secret:
        return call
    body: Any = filled(msgspec.json.decode(call.body), call.secret, secret)
    return msgspec.structs.replace(call, body=Raw(msgspec.json.encode(body)), secret={})
