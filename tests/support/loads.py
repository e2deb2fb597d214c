"""Outputs to load, made by hand as the contract says: a manifest and shards of finished requests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from imconvert.convert import manifest
from imconvert.convert.ledger import Account
from imconvert.convert.plan import FORMAT
from imconvert.convert.work import ShardFacts

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
