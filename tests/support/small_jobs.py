"""Tiny exports with a bit of everything, and running them in this process, in a fork, or through the command line."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imconvert.cli.progress import Silent
from imconvert.convert.options import Options
from imconvert.convert.ports import Clock
from imconvert.convert.run import Outcome, convert

ROOT = Path(__file__).resolve().parents[2]
LATEST = 1_900_000_000_000
START = 1_710_464_400_000
PATIENCE = 30
CLOCK = Clock(time.time, time.monotonic)


def easemob(number: int, text: str = "hi", *, team: bool = False, bodies: int = 1, **more: Any) -> bytes:
    """One history line."""
    to = "90071992547" if team else f"u{number % 3}"
    found = [{"type": "txt", "msg": f"{text} {body}"} for body in range(bodies)]
    record = {
        "msg_id": str(number), "timestamp": START + number, "chat_type": "groupchat" if team else "chat",
        "payload": {"bodies": found, "from": "ann", "to": to}, **more,
    }  # fmt: skip
    return json.dumps(record).encode() + b"\n"


def yunxin(number: int, text: str = "hi", *, team: bool = False, time: int | None = None) -> bytes:
    """One import line."""
    ends: dict[str, Any] = {"accid": "ann", "tid": 77} if team else {"from": "ann", "to": f"u{number % 3}"}
    data = {"msgid": number, **ends, "createTime": time or START + number, "clientType": 1, "body": text}
    return json.dumps({"type": 0, "data": data}, ensure_ascii=False).encode() + b"\n"


def named(source_id: str, text: str = "hi", **more: Any) -> bytes:
    """A history line whose id is no number."""
    return easemob(77, text, **more).replace(b'"77"', json.dumps(source_id).encode())


def recall(number: int, of: int) -> bytes:
    return easemob(number, chat_type="recall", recall_id=str(of), payload={"from": "ann", "to": "u1"})


def small_inputs(folder: Path) -> None:
    """Two inputs with duplicates, conflicts, rejects, skips, several bodies, p2p and team; cut by 900 bytes."""
    folder.mkdir(parents=True)
    first = [easemob(n, team=n % 3 == 0, bodies=1 + (n == 4)) for n in range(1, 8)]
    first += [easemob(2), easemob(3, "other", team=True), b"not json\n", recall(50, 2), b"\n"]
    first += [named("abc-1", bodies=2), named("abc-1")]
    second = [
        named("abc-1"),
        easemob(5, "again"),
        easemob(6, team=True),
        easemob(5, "again"),
        b'{"half":',
        b"\xff\xfe\n",
    ]
    second += [easemob(n) for n in range(9, 12)] + [recall(51, 9)]
    (folder / "a.ndjson").write_bytes(b"".join(first))
    (folder / "b.ndjson").write_bytes(b"".join(second))


def options(inputs: Path, output: Path, **more: Any) -> Options:
    return Options(**{"inputs": (str(inputs),), "output": output, "latest": LATEST, "segment_size": 900, **more})


def run(wanted: Options, watch: Any = None) -> Outcome:
    return convert(wanted, watch or Silent(), CLOCK, {})


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of an output folder but run.json, by its path."""
    names = (path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(names) if p.name != "run.json"}


def differing(wanted: Path | dict[str, bytes], found: Path | dict[str, bytes]) -> list[str]:
    """The files that are missing, too many, or not the same byte for byte."""
    left = tree(wanted) if isinstance(wanted, Path) else wanted
    right = tree(found) if isinstance(found, Path) else found
    return sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name))


def leftovers(folder: Path) -> list[str]:
    """What must not be there after success."""
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if p.name == ".work" or p.name.endswith(".tmp")]


def complete(folder: Path) -> list[str]:
    """What a manifest names and the folder lacks or has otherwise; nothing where there is no manifest."""
    path = folder / "manifest.json"
    if not path.exists():
        return []
    manifest = json.loads(path.read_bytes())
    sums = {shard["name"]: shard["sha256"] for shard in manifest["shards"]}
    sums |= {name: side["sha256"] for name, side in manifest["files"].items()}
    return [name for name, wanted in sums.items() if sha256(folder / name) != wanted]


def sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def content(folder: Path) -> dict[str, bytes]:
    """The streams, each shard after the other: what does not depend on how the input was cut."""
    names = [shard["name"] for shard in json.loads((folder / "manifest.json").read_bytes())["shards"]]
    streams: dict[str, bytes] = {}
    for name in names:
        stream = name.split("-")[0]
        streams[stream] = streams.get(stream, b"") + (folder / name).read_bytes()
    return streams


def side(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.ndjson").read_bytes().splitlines()]


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """Exit code and answer of `work` in a fork of this process; (1, traceback) where it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        code, answer = 0, None
        try:
            answer = work()
        except BaseException:  # noqa: BLE001 - a fork must end here, whatever happens
            code, answer = 1, traceback.format_exc()
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, pickle.loads(data) if data else None


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is one: a thousand runs would wait for a disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "imconvert", "msgs", *map(str, arguments)]


def surroundings(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "IMCONVERT_LANG": "en", **more}


def cli(*arguments: object, stdin: bytes | None = None, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command to its end; one that hangs is killed with its workers."""
    process = subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=surroundings(**more), start_new_session=True,
    )  # fmt: skip
    try:
        said, errors = process.communicate(stdin, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, said, errors)
