"""`--engine spark`: start Apache Spark, or join what spark-submit has started.

Nothing of Spark is imported before it is asked for. Settings of our own are defaults: --conf, spark-submit and
spark-defaults.conf come first.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from imconvert.cli.options import Pair
from imconvert.convert.options import Options
from imconvert.convert.run import Engines, on_this_machine
from imconvert.durable.storage import is_remote
from imconvert.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

HERE, SPARK = "local", "spark"

OPTIONS = (
    click.option("--engine", type=click.Choice([HERE, SPARK]), default=HERE, show_default=True,
                 help="Where the work is done: on this machine, or on an Apache Spark whose machines all see the "
                 "inputs and OUT at the same paths (docs/scale-out.md). The output does not depend on it."),
    click.option("--master", metavar="URL", help="Spark's master: local[4,4], yarn, spark://..., k8s://..."),
    click.option("--conf", type=Pair(), multiple=True, help="A setting of Spark's."),
)  # fmt: skip

DEFAULTS = {
    "spark.app.name": "imconvert",
    "spark.ui.showConsoleProgress": "false",
    "spark.shuffle.sort.bypassMergeThreshold": "1",
    "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
}
"""One writer a task instead of a file for each partition; no threads of NumPy's beside the tasks."""

ON_THIS_MACHINE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}


def engine_options(command: Command) -> Command:
    """Add the options that choose who does the work."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@contextmanager
def chosen_engine(engine: str, master: str | None, conf: Sequence[tuple[str, str]]) -> Iterator[Engines]:
    """Who does the work. Raises UsageError IMC-1350 to IMC-1352, IMC-1355, IMC-1356."""
    if engine == HERE:
        for name, given in (("--master", master), ("--conf", conf)):
            if given:
                raise UsageError("IMC-1355", option=name, why="needs --engine spark")
        yield on_this_machine
        return
    context = _started(master, dict(conf))
    try:
        from imconvert.convert.spark.exchange import on_spark

        yield on_spark(context)
    finally:
        context.stop()


def absolute(options: Options) -> Options:
    """The same with paths that mean the same wherever a process runs."""
    given = {name: getattr(options, name) for name in ("output", "ids", "tids", "map", "members")}
    here = {name: path for name, path in given.items() if path and not is_remote(path)}
    paths: Any = {name: Path(os.path.abspath(path)) for name, path in here.items()}
    return replace(options, **paths)


def _started(master: str | None, conf: dict[str, str]) -> Any:
    """A SparkContext. Signals stay with us."""
    try:
        from py4j.protocol import Py4JError
        from pyspark import SparkConf, SparkContext
    except ImportError as why:
        raise UsageError("IMC-1350", why=str(why)) from why
    settings = SparkConf()
    for name, value in {**({"spark.master": master} if master else {}), **conf}.items():
        settings.set(name, value)
    where = settings.get("spark.master")
    if not where:
        raise UsageError("IMC-1352")
    _as_here(where)
    for name, value in {**DEFAULTS, **(ON_THIS_MACHINE if where.startswith("local") else {})}.items():
        settings.setIfMissing(name, value)
    before = signal.getsignal(signal.SIGINT)
    try:
        context = SparkContext(conf=settings)
    except (RuntimeError, OSError, ValueError, Py4JError) as why:
        reason = str(why).strip().splitlines()[0].rstrip(".")
        raise UsageError("IMC-1356" if _has_java() else "IMC-1351", why=reason) from why
    finally:
        signal.signal(signal.SIGINT, before)
    context.setLogLevel("ERROR")
    return context


def _has_java() -> bool:
    """Whether there is a Java where Spark looks for one."""
    home = os.environ.get("JAVA_HOME")
    folders = [os.path.join(home, "bin")] if home else os.get_exec_path()
    return any(os.access(os.path.join(folder, "java"), os.X_OK) for folder in folders)


def _as_here(master: str) -> None:
    """Workers on this machine run the same Python and talk by the loopback interface."""
    if master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
