"""`imconvert plan INPUT... --engine spark --nodes N`: how to size a run on Apache Spark, before it is begun."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from imconvert.cli.loading import lasting
from imconvert.cli.msgs import CLOCK
from imconvert.cli.options import SegmentSize, Size, Source, language
from imconvert.cli.spark import SPARK
from imconvert.convert.options import Options
from imconvert.convert.plan import make_plan
from imconvert.convert.spark.sizing import RATE, Cluster, Sizing, sizing
from imconvert.vendors import TARGETS

WORDS = {
    "en": {
        "input": "input, unpacked", "messages": "messages, about", "segments": "segments", "keys": "keys to exchange",
        "partitions": "partitions", "executors": "executors", "driver": "memory of the driver",
        "shared": "shared storage, at most", "local": "local disks, together", "takes": "takes, about",
        "longest": "one task takes at most", "with": "{count} with {cores} cores, {heap} + {overhead}",
        "of": "{count} of {size}", "command": "Command",
        "estimate": "An estimate: {rate} MB/s a core and 350 bytes a message; --rate takes a measured figure.",
        "uncut": "A packed file can't be cut: repack the largest ones in smaller files, or the others wait for them.",
    },
    "zh": {
        "input": "输入（解压后）", "messages": "消息数（约）", "segments": "分段", "keys": "需交换的键",
        "partitions": "分区", "executors": "执行器", "driver": "驱动程序内存", "shared": "共享存储（上限）",
        "local": "本地磁盘（合计）", "takes": "耗时（约）", "longest": "单个任务最长",
        "with": "{count} 个，各 {cores} 核，{heap} + {overhead}", "of": "{count} 个，每个 {size}", "command": "命令",
        "estimate": "以上为估算：每核 {rate} MB/s，每条消息 350 字节；可用 --rate 指定实测值。",
        "uncut": "压缩文件无法切分：请将最大的文件拆成较小的文件重新打包，否则其他任务需等待。",
    },
}  # fmt: skip


@click.command(name="plan")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--engine", type=click.Choice([SPARK]), required=True, help="Where the work will be done.")
@click.option("--nodes", type=click.IntRange(1), required=True, help="Machines.")
@click.option("--cores", type=click.IntRange(1), default=16, show_default=True, help="Cores that each of them gives.")
@click.option("--memory", type=Size(), default="64GiB", show_default=True, help="Memory that each of them gives.")
@click.option("--rate", type=Size(), help="Bytes of input that a core takes in a second.  [default: 20 MB]")
@click.option("--from", "source", type=Source(), default="auto", show_default=True, help="Whose export it is.")
@click.option(
    "--to",
    "target",
    type=click.Choice(sorted(TARGETS)),
    default="yunxin",
    show_default=True,
    help="Whom the shards are for.",
)
@click.option("--segment-size", type=SegmentSize(), default=None, show_default="auto", help="As for msgs.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")  # fmt: skip
def scale(
    inputs: tuple[str, ...], engine: str, nodes: int, cores: int, memory: int, rate: int | None, source: str,
    target: str, segment_size: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Say how a run of INPUT... on Apache Spark should be cut, and what it needs.

    Looks at the sizes and heads of the inputs alone. Nothing is started and nothing is written.
    """
    options = Options(inputs, Path("nowhere"), source=source, target=target, segment_size=segment_size)
    cluster = Cluster(nodes, cores, memory)
    found = sizing(make_plan(options, CLOCK), cluster, rate=rate or RATE, arranged=bool(TARGETS[target].arrange))
    click.echo(msgspec.json.encode(found._asdict()).decode() if as_json else "\n".join(_text(found, rate or RATE)))
    return 0


def _text(found: Sizing, rate: int) -> list[str]:
    words = WORDS[language()]
    executor = words["with"].format(
        count=found.executors, cores=found.executor_cores, heap=size_of(found.executor_memory),
        overhead=size_of(found.executor_overhead),
    )  # fmt: skip
    rows = {
        "input": size_of(found.bytes),
        "messages": f"{found.messages:,}",
        "segments": words["of"].format(count=f"{found.segments:,}", size=size_of(found.segment_size)),
        "keys": size_of(found.keys),
        "partitions": f"{found.partitions:,}",
        "executors": executor,
        "driver": size_of(found.driver_memory),
        "shared": size_of(found.shared),
        "local": size_of(found.local),
        "takes": lasting(found.seconds),
        "longest": lasting(found.longest),
    }
    lines = [f"{words[name]}: {text}" for name, text in rows.items()]
    if found.longest > max(found.seconds, 60):
        lines.append(words["uncut"])
    return [*lines, words["estimate"].format(rate=f"{rate / 1e6:g}"), "", f"{words['command']}:", *_command(found)]


def _command(found: Sizing) -> list[str]:
    conf = {
        "spark.executor.instances": found.executors,
        "spark.executor.cores": found.executor_cores,
        "spark.executor.memory": f"{found.executor_memory >> 20}m",
        "spark.executor.memoryOverhead": f"{found.executor_overhead >> 20}m",
        "spark.driver.memory": f"{max(1 << 30, found.driver_memory // 2) >> 20}m",
    }
    given = " ".join(f"--conf {name}={value}" for name, value in conf.items())
    return [f"  imconvert msgs INPUT... OUT --engine spark --segment-size {found.segment_size >> 20}MiB {given}"]


def size_of(size: int) -> str:
    """Bytes for people."""
    for unit, digits in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << digits:
            return f"{size / (1 << digits):.3g} {unit}"
    return f"{size} B"
