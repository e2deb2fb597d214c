"""`imconvert plan OUT`: what loading will take, and what stands in its way, before the first call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert.cli import progress
from imconvert.cli.load import CLOCK, OUTPUT, target_in
from imconvert.cli.loading import lasting, moment, table
from imconvert.cli.options import EXISTING, Span, language
from imconvert.errors import exit_code_of
from imconvert.load.forecast import LATENCY, facts, forecast
from imconvert.load.shards import opened

WORDS = {
    "en": {"stage": "stage", "calls": "calls", "limit": "limit/s", "takes": "takes", "finish": "done by",
           "longest": "longest conversation", "total": "in all", "blocks": "BLOCKS", "note": "note",
           "nothing": "There is nothing to load."},
    "zh": {"stage": "阶段", "calls": "调用数", "limit": "限额/秒", "takes": "耗时", "finish": "预计完成",
           "longest": "最长会话", "total": "合计", "blocks": "阻断", "note": "提示", "nothing": "没有需要导入的内容。"},
}  # fmt: skip


@click.command()
@click.argument("output", type=OUTPUT, metavar="OUT")
@click.option("--target", "target_file", type=EXISTING, required=True, help="target.toml, as for load.")
@click.option(
    "--latency",
    type=Span(),
    default=LATENCY,
    show_default="50ms",
    help="Time from a call to its answer; the calls of one conversation go one by one.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(output: Path, target_file: Path, latency: float, quiet: bool, as_json: bool) -> int:
    """Say what loading OUT will take: calls, time and date by stage, after what blocks it.

    Sends nothing and needs no secret. Ends with exit code 7 if something blocks the load.

    With --engine spark and INPUT... it says how to size a run of msgs instead: imconvert plan --engine spark --help.
    """
    target, now = target_in(target_file), CLOCK.now()
    watch = progress.watcher(quiet=quiet or as_json)
    done = [0]

    def seen(size: int) -> None:
        done[0] += size
        watch.tick(done[0])

    try:
        watch.phase("plan", sum(shard.bytes for shard in opened(output).shards))
        found = forecast(output, target, now=now, latency=latency, seen=seen)
    finally:
        watch.close()
    told = facts(found, now, language())
    click.echo(msgspec.json.encode(told).decode() if as_json else "\n".join(_text(told)))
    return exit_code_of("IMC-7280") if found.blocked else 0


def _text(told: Mapping[str, Any]) -> list[str]:
    words = WORDS[language()]
    lines = [
        f"{words['blocks' if one['blocks'] else 'note']}  {one['code']} {one['why']} {one['remedy']}"
        for one in told["findings"]
    ]
    if not told["stages"]:
        return lines or [words["nothing"]]
    header = [words[name] for name in ("stage", "calls", "limit", "takes", "finish", "longest")]
    rows = [
        [one["name"], f"{one['calls']:,}", f"{one['limit_per_s']:g}" if one["limit_per_s"] else "–",
         lasting(one["seconds"]), moment(one["finish_ms"]), f"{one['longest_conversation']:,}"]
        for one in told["stages"]
    ]  # fmt: skip
    total = [words["total"], f"{sum(one['calls'] for one in told['stages']):,}", "", lasting(told["seconds"]),
             moment(told["finish_ms"]), ""]  # fmt: skip
    return [*lines, *([""] if lines else []), *table(header, [*rows, total])]
