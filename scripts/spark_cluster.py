"""A real Spark cluster on this machine, killed piece by piece while a run is on: the bytes must not show it.

Plan: a Master and Workers from the installed package listen on loopback. An export is converted by this machine alone,
then again and again on the cluster; each time a Python worker, an executor or a whole Worker with its executor is
killed with kill -9 at a random moment. Every file is compared, and nothing may be left over. A Worker that was killed
is started anew for the next round.

    python scripts/spark_cluster.py --rounds 6 --seed 1
"""

from __future__ import annotations

import filecmp
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
import psutil
import pyspark

HERE = Path(__file__).resolve().parent
CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
DEPLOY = "org.apache.spark.deploy"
VICTIMS = {"python": "pyspark.daemon", "executor": "CoarseGrainedExecutorBackend", "worker": f"{DEPLOY}.worker.Worker"}
PATIENCE = 900


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Cluster:
    """A Master and its Workers, which are our children."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.port = free_port()
        self.surroundings = {
            **os.environ,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "PYSPARK_PYTHON": sys.executable,
        }
        self.master = self.start("master.Master", "--host", "127.0.0.1", "--port", self.port, "--webui-port", 0)
        self.workers = [self.start_worker(number) for number in range(workers)]

    @property
    def url(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def start(self, name: str, *arguments: object) -> subprocess.Popen[bytes]:
        command = [str(CLASS), f"{DEPLOY}.{name}", *map(str, arguments)]
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=self.surroundings)

    def start_worker(self, number: int) -> subprocess.Popen[bytes]:
        place = self.folder / f"worker-{number}"
        return self.start("worker.Worker", "--cores", 1, "--memory", "1200m", "--host", "127.0.0.1", "--webui-port", 0,
                          "--work-dir", place, self.url)  # fmt: skip

    def mend(self) -> None:
        """Start Workers anew that were killed."""
        self.workers = [
            self.start_worker(number) if process.poll() is not None else process
            for number, process in enumerate(self.workers)
        ]

    def stop(self) -> None:
        for process in (*self.workers, self.master):
            for child in below(process):
                child.kill()
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    found = Cluster(folder, workers)
    try:
        yield found
    finally:
        found.stop()


def below(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def victims(found: Cluster, word: str) -> list[psutil.Process]:
    """What runs of this kind below our Workers."""
    chosen = []
    for worker in found.workers:
        for process in [psutil.Process(worker.pid), *below(worker)] if worker.poll() is None else []:
            try:
                if any(word in part for part in process.cmdline()):
                    chosen.append(process)
            except psutil.NoSuchProcess:
                continue
    return chosen


def kill(found: Cluster, kind: str, chance: random.Random) -> bool:
    """Kill one of a kind; a Worker goes with everything below it."""
    alive = victims(found, VICTIMS[kind])
    if not alive:
        return False
    victim = chance.choice(alive)
    for process in [*victim.children(recursive=True), victim] if kind == "worker" else [victim]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    return True


def command(source: Path, output: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "imconvert", "msgs", str(source), str(output), "--segment-size", "4MiB", "-q",
            "--latest", "1900000000000", "--recalls", "drop", *more]  # fmt: skip


def differing(wanted: Path, found: Path) -> list[str]:
    """Files that are missing, too many or different."""
    names = {
        str(path.relative_to(base))
        for base in (wanted, found)
        for path in base.rglob("*")
        if path.is_file() and path.name != "run.json"
    }
    return [
        name
        for name in sorted(names)
        if not ((wanted / name).exists() and (found / name).exists())
        or not filecmp.cmp(wanted / name, found / name, shallow=False)
    ]


def one_round(found: Cluster, source: Path, wanted: Path, output: Path, kind: str, chance: random.Random) -> Any:
    conf = {"spark.executor.memory": "1g", "spark.executor.cores": "1", "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false", "spark.local.dir": f"{output}.local",
            "spark.pyspark.python": sys.executable}  # fmt: skip
    given = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    began = time.monotonic()
    with (found.folder / "driver.log").open("ab") as log:
        process = subprocess.Popen(
            command(source, output, "--engine", "spark", "--master", found.url, *given), stdout=log, stderr=log,
            env=found.surroundings, cwd=HERE.parent,
        )  # fmt: skip
        killed = kill_in_time(found, process, output, kind, chance)
        code = process.wait(PATIENCE)
    seconds = round(time.monotonic() - began, 1)
    left = [str(path) for path in output.rglob("*") if path.name == ".work"]
    told = {"killed": killed, "after": kind, "code": code, "seconds": seconds}
    return told | {"differing": differing(wanted, output), "left": left}


def kill_in_time(
    found: Cluster, process: subprocess.Popen[bytes], output: Path, kind: str, chance: random.Random
) -> bool:
    """Wait until parts are being written, then some more, and kill."""
    while process.poll() is None and not any((output / ".work" / "attempts").glob("*/*")):
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 4))
    return process.poll() is None and kill(found, kind, chance)


@click.command(help=__doc__.split("\n")[0])
@click.option("--rounds", default=6, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--messages", default=150_000, show_default=True)
@click.option("--vendor", default="easemob", show_default=True)
def main(rounds: int, seed: int, workers: int, messages: int, vendor: str) -> None:
    chance = random.Random(seed)
    bad = kills = 0
    with tempfile.TemporaryDirectory() as name, cluster(Path(name), workers) as found:
        source, wanted = Path(name, "in"), Path(name, "wanted")
        make = [
            sys.executable,
            str(HERE / "make_export.py"),
            vendor,
            str(source),
            f"--messages={messages}",
            "--files=4",
        ]
        subprocess.run([*make, f"--seed={seed}"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(command(source, wanted), cwd=HERE.parent, check=False)
        assert (wanted / "manifest.json").exists()
        for number in range(rounds):
            kind = list(VICTIMS)[number % len(VICTIMS)]
            told = one_round(found, source, wanted, Path(name, f"out-{number}"), kind, chance)
            print(json.dumps(told), flush=True)
            kills += told["killed"]
            bad += bool(told["differing"] or told["left"] or told["code"] not in (0, 3))
            shutil.rmtree(Path(name, f"out-{number}"), ignore_errors=True)
            found.mend()
    print(json.dumps({"seed": seed, "rounds": rounds, "kills": kills, "bad": bad}))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
