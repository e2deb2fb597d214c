"""Load through mishaps: push messages through a simulator that answers badly, kill the loader on the way if you
like, and compare what the simulator holds at the end with the shards.

    python scripts/load_campaign.py --vendor tencent --messages 100000 --faults 0.3 --seed 7
    python scripts/load_campaign.py --vendor easemob --messages 100000 --kills 500

Prints one JSON line: counts of messages, mishaps by kind, lost, duplicated, out of order, worst window of the pace.
Ends with exit code 1 if anything is lost, twice, out of order or too fast.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]
START = 1_600_000_000
SECRETS = {
    "tencent": ("IMCONVERT_TENCENT_KEY", "0123456789abcdef0123456789abcdef"),
    "easemob": ("IMCONVERT_EASEMOB_SECRET", "YXA6simulated-secret"),
}
APPS = {
    "tencent": "sdkappid = 1400000000\nretention_days = 3650",
    "easemob": 'org = "rehearsal"\napp = "app"\nclient_id = "YXA6simulated-id"\nretention_days = 3650',
}
KINDS = {
    "429": 3, "429-after": 1, "5xx": 4, "busy": 3, "expired": 1, "reset": 3, "5xx-after": 4, "malformed": 2,
    "truncated": 2, "cut": 3, "reset-after": 3, "slow-head": 0.2, "slow-body": 0.2, "reply-twice": 0.4, "stall": 0.2,
}  # fmt: skip
"""Kinds of mishaps by weight."""
BATCHES = {"tencent": "import_group_msg", "easemob": "users/create"}
PARTIAL = 0.02
"""Calls of which some items may fail, and the share that do."""


def plan_of(share: float, vendor: str) -> str:
    """The plan of mishaps of a simulator: KINDS, `share` of the requests in all."""
    total = sum(KINDS.values())
    rows = "\n".join(f"{kind} = {share * weight / total:.5f}" for kind, weight in KINDS.items())
    return f'stall = 1.5\npause = 0.01\nretry-after = 0.05\n["*"]\n{rows}\n["{BATCHES[vendor]}"]\npartial = {PARTIAL}\n'


def sizes(messages: int, chance: Random) -> Iterator[int]:
    """Lengths of conversations: most are short, a few are very long."""
    left = messages
    while left:
        size = min(left, chance.choice((1, 2, 3, 5, 8, 13, 40, 200, max(1, messages // 50))))
        left -= size
        yield size


def tencent(messages: int, chance: Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Shards of accounts, groups and messages: two thirds of them of pairs."""
    pairs = list(sizes(messages * 2 // 3, chance))
    teams = list(sizes(messages - messages * 2 // 3, chance))
    people = [f"u{number}" for number in range(len(pairs) + 1)]
    yield "accounts-00001.ndjson", [
        line("im_open_login_svc/multiaccount_import", "", f"a{start}", 0,
             {"AccountList": [{"UserID": one} for one in people[start : start + 100]]})
        for start in range(0, len(people), 100)
    ]  # fmt: skip
    yield (
        "p2p-00001.ndjson",
        [
            line(
                "openim/importmsg",
                f"u{pair}·u{pair + 1}",
                f"{pair}/{at}",
                (START + at) * 1000,
                tencent_message(pair, at),
            )
            for pair, size in enumerate(pairs)
            for at in range(size)
        ],
    )
    yield "groups-00001.ndjson", [
        line("group_open_http_svc/import_group", f"g{team}", f"g{team}", 0,
             {"GroupId": f"g{team}", "Type": "Public", "Name": f"g{team}", "Owner_Account": "u0",
              "CreateTime": START - 10})
        for team in range(len(teams))
    ]  # fmt: skip
    yield "team-00001.ndjson", [
        line("group_open_http_svc/import_group_msg", f"g{team}", f"{team}/{first}", (START + first) * 1000,
             {"GroupId": f"g{team}", "MsgList": [tencent_group_message(team, at)
                                                 for at in range(first, min(first + 7, size))]})
        for team, size in enumerate(teams)
        for first in range(0, size, 7)
    ]  # fmt: skip


def tencent_message(pair: int, at: int) -> dict[str, Any]:
    return {"SyncFromOldSystem": 2, "From_Account": f"u{pair}", "To_Account": f"u{pair + 1}", "MsgSeq": at,
            "MsgRandom": pair, "MsgTimeStamp": START + at,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"{pair}/{at}"}}]}  # fmt: skip


def tencent_group_message(team: int, at: int) -> dict[str, Any]:
    random = int.from_bytes(hashlib.sha256(f"{team}/{at}".encode()).digest()[:4])
    return {"From_Account": "u0", "SendTime": START + at, "Random": random,
            "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"{team}/{at}"}}]}  # fmt: skip


def easemob(messages: int, chance: Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Shards of accounts, and of messages of pairs and groups."""
    pairs = list(sizes(messages * 2 // 3, chance))
    teams = list(sizes(messages - messages * 2 // 3, chance))
    people = [f"u{number}" for number in range(len(pairs))]
    yield (
        "accounts-00001.ndjson",
        [
            line(
                "users", "", f"a{start}", 0, [{"username": one, "password": "p"} for one in people[start : start + 60]]
            )
            for start in range(0, len(people), 60)
        ],
    )
    for stream, path, name, several in (("p2p", "users", "u", pairs), ("team", "chatgroups", "g", teams)):
        yield f"{stream}-00001.ndjson", [
            line(f"messages/{path}/import", f"{name}{conv}", f"{name}{conv}/{at}", (START + at) * 1000,
                 {"from": f"v{conv}", "target": f"{name}{conv}", "type": "txt", "body": {"msg": f"{conv}/{at}"},
                  "msg_timestamp": (START + at) * 1000})
            for conv, size in enumerate(several)
            for at in range(size)
        ]  # fmt: skip


def line(api: str, conv: str, key: str, time: int, body: Any) -> dict[str, Any]:
    return {"api": api, "conv": conv, "key": key, "time": time, "body": body}


MAKERS = {"tencent": tencent, "easemob": easemob}
Said = dict[str, list[str]]
"""Texts of each conversation, in order."""


def write_output(folder: Path, vendor: str, shards: Iterator[tuple[str, list[dict[str, Any]]]]) -> Said:
    """A finished output; gives what the target should hold in the end."""
    folder.mkdir()
    facts: list[dict[str, Any]] = []
    said: Said = defaultdict(list)
    for name, lines in shards:
        data = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines).encode()
        (folder / name).write_bytes(data)
        facts.append({"name": name, "stream": name.split("-")[0], "lines": len(lines), "bytes": len(data),
                      "sha256": hashlib.sha256(data).hexdigest(), "times": [0, 0], "msgids": [0, 0]})  # fmt: skip
        for one in lines:
            said[one["conv"]] += texts_of(one)
    none: dict[str, Any] = {
        "format": 1,
        "source": "yunxin",
        "target": vendor,
        "options": {},
        "totals": {},
        "rekeyed": 0,
    }
    rest = ("streams", "files", "rejects", "conflicts", "duplicates", "skipped", "repairs", "fidelity")
    manifest = {**none, "shards": facts, "inputs": [], **{name: {} for name in rest}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return {conv: texts for conv, texts in said.items() if texts}


def texts_of(one: dict[str, Any]) -> list[str]:
    """What a line brings to its conversation; accounts are a conversation of their own, without a name."""
    body = one["body"]
    if one["api"] == "users":
        return [user["username"] for user in body]
    if "import_group_msg" in one["api"]:
        return [message["MsgBody"][0]["MsgContent"]["Text"] for message in body["MsgList"]]
    if one["api"] == "openim/importmsg":
        return [body["MsgBody"][0]["MsgContent"]["Text"]]
    return [body["body"]["msg"]] if "/import" in one["api"] and "messages" in one["api"] else []


def listed(output: Path) -> Said:
    """What the loader says did not go in."""
    found: Said = defaultdict(list)
    path = output / "load-failed.ndjson"
    for text in path.read_text().splitlines() if path.exists() else ():
        one = json.loads(text)
        found[one["conv"]] += texts_of(one)
    return found


def held(client: httpx.Client, vendor: str) -> Said:
    """What the simulator holds, in the order in which it came."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    if vendor == "tencent":
        for row in rows(client, "export/messages"):
            pair = sorted((row["From_Account"], row["To_Account"]), key=lambda name: int(name[1:]))
            found["·".join(pair)].append((row["number"], row["MsgBody"][0]["MsgContent"]["Text"]))
        for row in rows(client, "export/group_messages"):
            found[row["GroupId"]].append((row["number"], row["MsgBody"][0]["MsgContent"]["Text"]))
    else:
        for row in rows(client, "export/messages"):
            found[row["target"]].append((row["number"], row["body"]["msg"]))
        names = {row["username"] for row in rows(client, "export/users")}
        found[""] = [(int(name[1:]), name) for name in names]
    return {conv: [text for _, text in sorted(texts)] for conv, texts in found.items()}


def rows(client: httpx.Client, name: str) -> Iterator[dict[str, Any]]:
    with client.stream("GET", f"/_simulator/{name}", timeout=120) as answer:
        for text in answer.iter_lines():
            yield json.loads(text)


def compared(wanted: Said, found: Said, failed: Said) -> dict[str, Any]:
    """How many are missing and not listed as failed, are listed, are there twice, or stand in another order."""
    lost = twice = disordered = told = 0
    examples = []
    for conv in wanted.keys() | found.keys():
        want, have = Counter(wanted.get(conv, ())), Counter(found.get(conv, ()))
        missing, known = want - have, Counter(failed.get(conv, ()))
        lost += (missing - known).total()
        told += (missing & known).total()
        examples += [f"{conv} {text}" for text in (missing - known)][:3]
        twice += (have - want).total()
        first = list(dict.fromkeys(found.get(conv, ())))
        disordered += first != [text for text in wanted.get(conv, ()) if text in have]
    return {
        "lost": lost,
        "listed_as_failed": told,
        "twice": twice,
        "conversations_out_of_order": disordered,
        "lost_examples": examples[:5],
    }


def worst(client: httpx.Client) -> dict[str, int]:
    """The most calls of an endpoint in any second, as the simulator saw them come."""
    times: dict[str, list[float]] = defaultdict(list)
    for row in rows(client, "arrivals"):
        times[row["api"]].append(row["at"])
    found = {}
    for api, at in times.items():
        at.sort()
        first = most = 0
        for last, moment in enumerate(at):
            while moment - at[first] >= 1.0:
                first += 1
            most = max(most, last - first + 1)
        found[api] = most
    return found


class Loader:
    """Runs `imconvert load` over and over, killed at random moments, until it ends by itself."""

    def __init__(self, words: list[str], environment: dict[str, str], chance: Random) -> None:
        self.words, self.environment, self.chance = words, environment, chance
        self.codes: Counter[int] = Counter()
        self.kills = 0

    def run(self, kills: int, longest: float) -> None:
        while True:
            process = subprocess.Popen(self.words, env=self.environment, stdout=subprocess.DEVNULL)
            if self.kills < kills:
                try:
                    code = process.wait(self.chance.uniform(0.2, longest))
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    self.kills += 1
                    continue
            else:
                code = process.wait()
            self.codes[code] += 1
            if code in (0, 2, 3, 6) or self.codes.total() > 20:
                return


def main() -> int:
    given = arguments()
    chance = Random(given.seed)
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="load-campaign-", dir=given.work))
    wanted = write_output(folder / "out", given.vendor, MAKERS[given.vendor](given.messages, chance))
    (folder / "plan.toml").write_text(plan_of(given.faults, given.vendor))
    simulator = start_simulator(given, folder)
    assert simulator.stdout
    url = json.loads(simulator.stdout.readline())["url"]
    (folder / "target.toml").write_text(target_of(given, url))
    name, secret = SECRETS[given.vendor]
    environment = {**os.environ, name: secret, "IMCONVERT_LANG": "en", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "imconvert", "load", str(folder / "out"), "--target", str(folder / "target.toml"),
             "--quiet"]  # fmt: skip
    loader, began = Loader(words, environment, chance), time.monotonic()
    try:
        loader.run(given.kills, given.longest)
        with httpx.Client(base_url=url, trust_env=False) as client:
            found = told(given, client, (wanted, listed(folder / "out")), loader) | {
                "seconds": round(time.monotonic() - began, 1)
            }
    finally:
        simulator.terminate()
        simulator.wait()
    print(json.dumps(found))
    bad = found["lost"] or found["twice"] or found["conversations_out_of_order"] or found["too_fast"]
    return 1 if bad or set(loader.codes) - {0, 3, 7} else 0


def told(
    given: argparse.Namespace, client: httpx.Client, said: tuple[Said, Said], loader: Loader
) -> dict[str, Any]:  # fmt: skip
    wanted, failed = said
    mishaps = client.get("/_simulator/faults").json()
    windows = worst(client)
    return {
        "vendor": given.vendor, "seed": given.seed, "messages": sum(map(len, wanted.values())),
        "conversations": len(wanted), "kills": loader.kills, "exit_codes": dict(loader.codes),
        **compared(wanted, held(client, given.vendor), failed), "requests": mishaps["requests"],
        "mishaps": mishaps["kinds"],
        "worst_window": windows, "too_fast": [api for api, most in windows.items() if most > given.limit],
    }  # fmt: skip


def start_simulator(given: argparse.Namespace, folder: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "imconvert", "simulate", given.vendor, "--port", "0", "--json", "--no-limits",
             "--faults", str(folder / "plan.toml"), "--seed", str(given.seed)]  # fmt: skip
    more = ["--set", "group_time=off"] if given.vendor == "easemob" else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*words, *more], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def target_of(given: argparse.Namespace, url: str) -> str:
    """The target file: every call at the same limit, and patient enough for mishaps."""
    sys.path.insert(0, str(ROOT))
    from imconvert.vendors import BY_NAME

    rest = BY_NAME[given.vendor].rest
    assert rest
    limits = "\n".join(f'"{api}" = {given.limit}' for api in rest().apis)
    return (f'target = "{given.vendor}"\n[app]\nurl = "{url}"\n{APPS[given.vendor]}\n[limits]\n{limits}\n'
            '[load]\ninflight = 256\ntimeout = "1s"\nsettle = "300ms"\nbackoff = "50ms"\ntries = 40\n'
            'budget_share = 1.0\n')  # fmt: skip


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vendor", choices=sorted(MAKERS), default="tencent")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--faults", type=float, default=0.3, help="share of requests with a mishap")
    parser.add_argument("--limit", type=int, default=8000, help="calls a second that the loader may make")
    parser.add_argument("--kills", type=int, default=0, help="kill -9 the loader so often, at random moments")
    parser.add_argument("--longest", type=float, default=2.0, help="longest life in seconds until a kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="folder for scratch files")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
