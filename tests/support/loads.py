"""Outputs to load, made by hand as the contract says: a manifest and shards of finished requests."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from imconvert.convert.books import manifest
from imconvert.convert.books.ledger import Account
from imconvert.convert.plan import FORMAT
from imconvert.convert.work import ShardFacts
from imconvert.deliver import Clock
from imconvert.errors import ImconvertError
from imconvert.load.job import Job, Wanted, Ways, carry_out
from imconvert.load.target import read_target
from imconvert.vendors import BY_NAME
from imconvert.vendors.calls import Rest, Secret

KEY = "5eCr3t-cAnArY-0123456789abcdef"


def line(api: str, conv: str, key: str, time: int, body: Any, **more: Any) -> dict[str, Any]:
    return {"api": api, "conv": conv, "key": key, "time": time, **more, "body": body}


def output(folder: Path, target: str, shards: dict[str, list[dict[str, Any]]]) -> Path:
    """A finished output with these shards."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = []
    for name, lines in shards.items():
        data = "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in lines).encode()
        (folder / name).write_bytes(data)
        times = [one["time"] for one in lines] or [0]
        facts.append(ShardFacts(name, name.split("-")[0], len(lines), len(data), hashlib.sha256(data).hexdigest(),
                                (min(times), max(times)), (0, 0)))  # fmt: skip
    made = manifest.Manifest(
        format=FORMAT, source="yunxin", target=target, options={}, totals=Account(), rekeyed=0, streams={},
        shards=facts, files={}, inputs=[], rejects={}, conflicts={}, duplicates={}, skipped={}, repairs={}, fidelity={},
    )  # fmt: skip
    (folder / manifest.NAME).write_bytes(manifest.to_bytes(made))
    return folder


def tencent_pairs(pairs: int, each: int, *, start: int = 1_600_000_000) -> list[dict[str, Any]]:
    """Import lines of `pairs` conversations with `each` messages."""
    return [
        line("openim/importmsg", f"u{pair}·v{pair}", f"{pair}-{number}/{(start + number) * 1000}/u{pair}",
             (start + number) * 1000,
             {"SyncFromOldSystem": 2, "From_Account": f"u{pair}", "To_Account": f"v{pair}", "MsgSeq": number,
              "MsgRandom": pair * 100_000 + number, "MsgTimeStamp": start + number,
              "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"早 {pair}-{number}"}}]})
        for pair in range(pairs)
        for number in range(each)
    ]  # fmt: skip


def target_file(folder: Path, url: str, text: str = "", *, target: str = "tencent", app: str = "") -> Path:
    """A target.toml of a rehearsal."""
    folder.mkdir(parents=True, exist_ok=True)
    usual = {"tencent": "sdkappid = 1400000000"}.get(target, "")
    path = folder / "target.toml"
    path.write_text(f'target = "{target}"\n[app]\nurl = "{url}"\n{app or usual}\n{text}')
    return path


APPS = {
    "tencent": ("sdkappid = 1400000000\nretention_days = 3650", "0123456789abcdef0123456789abcdef"),
    "easemob": ('org = "rehearsal"\napp = "app"\nclient_id = "YXA6simulated-id"\nretention_days = 3650',
                "YXA6simulated-secret"),
    "yunxin": ('appkey = "0123456789abcdef0123456789abcdef"', "simulated-secret"),
    "rongcloud": ('appkey = "simulated-key"', "simulated-secret"),
}  # fmt: skip
"""What the simulators take for an app, and its secret."""

QUICK = '[load]\nsettle = "0s"\nbackoff = "10ms"\ntries = 60\ntimeout = "2s"\nbudget_share = 1.0\n'


def simulated_target(folder: Path, vendor: str, url: str, text: str = QUICK) -> Path:
    """A target.toml for a simulator, without limits."""
    limits = "".join(f'"{api}" = 0\n' for api in rest_of(vendor).apis)
    return target_file(folder, url, f"[limits]\n{limits}{text}", target=vendor, app=APPS[vendor][0])


def rest_of(vendor: str) -> Rest:
    maker = BY_NAME[vendor].rest
    assert maker is not None
    return maker()


@dataclass
class Loaded:
    """How a load ended: its exit code, its summary, the error that ended it."""

    code: int
    summary: dict[str, Any]
    error: ImconvertError | None = None


def load(out: Path, target: Path, secret: str = KEY, **wanted: Any) -> Loaded:
    """Load in this process."""

    async def run() -> Loaded:
        ways = Ways(Clock(time.time, time.monotonic, asyncio.sleep), Random(1), asyncio.Event())
        job = Job(Wanted(out, read_target(target.read_text(), str(target)), Secret(secret), **wanted), ways)
        try:
            await carry_out(job, job.prepare())
        except ImconvertError as why:
            return Loaded(why.exit_code, job.summary(), why)
        return Loaded(job.exit_code(), job.summary())

    return asyncio.run(run())


def accounts(*names: str) -> dict[str, Any]:
    return line("im_open_login_svc/multiaccount_import", "", names[0], 0,
                {"AccountList": [{"UserID": name} for name in names]})  # fmt: skip


def tencent_group(group: str, count: int, *, batch: int = 7, start: int = 1_600_000_000) -> list[dict[str, Any]]:
    """Batches of messages that u0 sent to a group."""
    messages = [
        {"From_Account": "u0", "SendTime": start + at, "Random": hash_of(f"{group}/{at}"),
         "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"{group}/{at}"}}]}
        for at in range(count)
    ]  # fmt: skip
    return [
        line("group_open_http_svc/import_group_msg", group, f"{group}/{first}", (start + first) * 1000,
             {"GroupId": group, "MsgList": messages[first : first + batch]})
        for first in range(0, count, batch)
    ]  # fmt: skip


def hash_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def new_group(group: str, *, start: int = 1_600_000_000) -> dict[str, Any]:
    body = {"GroupId": group, "Type": "Public", "Name": group, "Owner_Account": "u0", "CreateTime": start - 9}
    return line("group_open_http_svc/import_group", group, group, 0, body)


def easemob_pair(name: str, count: int, *, kind: str = "users", start: int = 1_600_000_000) -> list[dict[str, Any]]:
    """Messages to a user or a group, in order."""
    return [
        line(f"messages/{kind}/import", name, f"{name}/{at}", (start + at) * 1000,
             {"from": "sender", "target": name, "type": "txt", "body": {"msg": f"{name}/{at}"},
              "msg_timestamp": (start + at) * 1000})
        for at in range(count)
    ]  # fmt: skip
