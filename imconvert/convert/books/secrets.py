"""The secrets of accounts (passwords, tokens): for who logs in and for the loader, and nowhere else.

Strategy: a secret is derived from the account's id and a key of 256 bits that came from the system's source of chance:
HMAC-SHA-256, of which 144 bits are kept. So nothing has to be looked up while loading, an interrupted run ends with the
secrets it began with, and a later run that is given the key gives the same account the same secret.
Format: `secrets.key` holds the key as hex, `secrets.csv` the columns account and secret; both are readable by their
owner only. Shards, side files, manifest and run.json hold neither.
Order of durable writes: the key, synced, before anything else of the run; the list before `publish.json`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from imconvert import durable
from imconvert.convert.books.manifest import Manifest, SecretFacts
from imconvert.convert.options import Options
from imconvert.convert.work import ShardFacts
from imconvert.errors import IntegrityError
from imconvert.vendors.contract import Target

KEY, LIST = "secrets.key", "secrets.csv"
HEADER = ("account", "secret")
KEY_BYTES = 32
_HEX = re.compile(rb"[0-9a-f]{64}\s*")
_ROWS = 4096


class _Call(msgspec.Struct):
    """What of a line says whose secrets go into it."""

    body: msgspec.Raw
    secret: dict[str, str] = {}


_decode_call = msgspec.json.Decoder(_Call).decode
_decode = msgspec.json.Decoder().decode


def keep_key(work: Path, options: Options, target: Target) -> None:
    """Leave the key of a run in its work folder, unless an interrupted run left one."""
    if target.secret and (options.fixed_key or not durable.exists(work / KEY)):
        durable.replace_file(work / KEY, options.key.hex().encode() + b"\n")


def read_key(path: Path) -> bytes:
    """The key in a file. Raises IntegrityError IMC-6130 for anything else."""
    data = durable.read_file(path)
    if data is None or not _HEX.fullmatch(data):
        raise IntegrityError("IMC-6130", str(path))
    return bytes.fromhex(data.decode())


def secret_of(key: bytes, account: str) -> str:
    """The secret of an account: 24 of A-Z a-z 0-9 - _."""
    found = hmac.digest(key, account.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(found[:18]).decode()


def accounts_in(line: bytes) -> Iterator[str]:
    """The accounts for which a line of a shard wants a secret."""
    call = _decode_call(line)
    if call.secret:
        body = _decode(call.body)
        for item in body if isinstance(body, list) else [body]:
            yield from (str(item[field]) for field in call.secret.values())


def write_secrets(work: Path, shards: Sequence[ShardFacts], stream: str) -> SecretFacts:
    """Write the list of all accounts in the shards of a stream, synced; gives what there is to say of it."""
    key = read_key(work / KEY)
    writer, count = durable.Writer(work / LIST), 0
    writer.write(_rows([HEADER]))
    waiting: list[tuple[str, str]] = []
    for shard in shards:
        if shard.stream != stream:
            continue
        for line in durable.lines_of(work / shard.name):
            waiting += [(account, secret_of(key, account)) for account in accounts_in(line)]
            if len(waiting) >= _ROWS:
                writer.write(_rows(waiting))
                count, waiting = count + len(waiting), []
    writer.write(_rows(waiting))
    writer.finish(sync=True)
    return SecretFacts(LIST, count + len(waiting))


def _rows(rows: Sequence[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def secret_moves(found: Manifest) -> list[list[str]]:
    """The moves that bring key and list into the output."""
    return [[KEY, KEY], [LIST, LIST]] if isinstance(found.secrets, SecretFacts) else []


def filled(body: Any, fields: Mapping[str, str], secret: Callable[[str], str]) -> Any:
    """A body, or each of its items, with what `secret` gives for the accounts that it names; `fields` says where."""
    if isinstance(body, list):
        return [filled(item, fields, secret) for item in body]
    return {**body, **{field: secret(str(body[account])) for field, account in fields.items()}}
