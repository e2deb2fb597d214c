"""What `imconvert load` shows: a view that is drawn anew on a terminal, else a line every half minute; the summary."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any

import click

from imconvert.cli.terminal import padded, printable, width

WORDS = {
    "en": {
        "stage": "stage", "calls": "calls", "done": "done", "failed": "failed", "unknown": "unknown", "held": "held",
        "took": "{count} of them now, in {span}",
        "limit": "limit", "left": "left", "finish": "done by", "causes": "what happened",
        "again": "Nothing was left to do.", "loaded": "All is loaded.", "some": "Not all is loaded.",
        "stopped": "Stopped; the same command goes on.",
        "failed_next": "Correct body in {path}, then: imconvert load --replay {path} {output} --target {target}",
        "unknown_next": "Decide about what is unknown: imconvert load {output} --target {target} --resolve ask",
        "ids": "ids that the target gave out: {path}",
        "tokens": "tokens that the target gave out, for your eyes only: {path}",
        "next": "Next", "in_doubt": "Unknown outcome",
        "ask": "[r]esend, [s]kip, or [k]eep unknown?", "no_limit": "none",
    },
    "zh": {
        "stage": "阶段", "calls": "调用数", "done": "已完成", "failed": "失败", "unknown": "未知", "held": "暂停",
        "took": "本次 {count}，用时 {span}",
        "limit": "限额", "left": "剩余", "finish": "预计完成", "causes": "发生情况",
        "again": "没有剩余工作。", "loaded": "全部导入完成。", "some": "尚未全部导入。",
        "stopped": "已停止；再次运行同一命令可继续。",
        "failed_next": "修正 {path} 中的 body 后运行：imconvert load --replay {path} {output} --target {target}",
        "unknown_next": "处理结果未知的调用：imconvert load {output} --target {target} --resolve ask",
        "ids": "目标分配的 ID：{path}", "tokens": "目标发放的令牌（仅本人可读）：{path}",
        "next": "下一步", "in_doubt": "结果未知",
        "ask": "[r] 重发、[s] 略过，或 [k] 保持未知？", "no_limit": "无",
    },
}  # fmt: skip

EVERY, OFTEN = 30.0, 0.5
"""Seconds between lines, and between drawings."""
MOST_CAUSES = 8


def moment(ms: int | None) -> str:
    return datetime.fromtimestamp(ms / 1000).strftime("%Y-%m-%d %H:%M") if ms else "–"


def lasting(seconds: float | None) -> str:
    """A span of time for people: 45 s, 12 min, 3.4 h, 2.1 d."""
    if seconds is None:
        return "–"
    for unit, size, digits in (("d", 86_400, 1), ("h", 3600, 1), ("min", 60, 0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.0f} s"


def line_of(facts: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """The facts in one line."""
    rows = facts["stages"]
    share = f" × {facts['limit_share']:.0%}" if facts["limit_share"] < 1 else ""
    count = f"{sum(row['done'] for row in rows):,}/{sum(row['lines'] for row in rows):,}"
    if facts["state"] == "loading":
        parts = [
            f"{facts['stage'] or '–'}: {count}",
            f"{facts['rate_per_s']:.1f}/s ({words['limit']} {facts['limit_per_s'] or words['no_limit']}{share})",
            f"{words['left']} {lasting(facts['seconds_left'])}, {words['finish']} {moment(facts['finish_ms'])}",
        ]
    else:
        sent = sum(row["sent_now"] for row in rows)
        parts = [count, words["took"].format(count=f"{sent:,}", span=lasting(facts["seconds"]))]
    for name in ("failed", "unknown"):
        number = sum(row[name] for row in rows)
        parts += [f"{words[name]} {number:,}"] if number else []
    return "  ".join(parts)


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Columns, the first one to the left, the others to the right."""
    sizes = [max(width(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = []
    for row in (header, *rows):
        first = padded(row[0], sizes[0])
        rest = [" " * (size - width(cell)) + cell for cell, size in zip(row[1:], sizes[1:], strict=True)]
        lines.append("  ".join([first, *rest]).rstrip())
    return lines


def view(facts: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    """The facts as lines for a terminal."""
    names = ("calls", "done", "failed", "unknown", "held")
    rows = [
        [("▸ " if row["name"] == facts["stage"] else "  ") + row["name"],
         *(f"{row[key]:,}" for key in ("lines", "done", "failed", "unknown", "held")), _bar(row)]
        for row in facts["stages"]
    ]  # fmt: skip
    lines = table([f"  {words['stage']}", *(words[name] for name in names), ""], rows)
    causes = sorted(facts["causes"], key=lambda row: -row["count"])[:MOST_CAUSES]
    lines.append(line_of(facts, words))
    if causes:
        told = ", ".join(f"{row['kind']} {printable(row['cause'])} ×{row['count']:,}" for row in causes)
        lines.append(f"{words['causes']}: {told}")
    return lines


def _bar(row: Mapping[str, Any]) -> str:
    share = row["done"] / row["lines"] if row["lines"] else 1.0
    full = int(share * 20)
    return f"{'█' * full}{'░' * (20 - full)} {share:6.1%}"


def shower(words: Mapping[str, str], *, quiet: bool) -> Callable[[Callable[[], dict[str, Any]]], Any]:
    """What shows the facts while a load runs."""

    @contextlib.asynccontextmanager
    async def shown(facts: Callable[[], dict[str, Any]]) -> AsyncIterator[None]:
        draw = _drawing if sys.stderr.isatty() else _lines
        task = None if quiet else asyncio.get_running_loop().create_task(draw(facts, words))
        try:
            await asyncio.sleep(0)  # what never began would be told of at the end
            yield
        finally:
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    return shown


async def _lines(facts: Callable[[], dict[str, Any]], words: Mapping[str, str]) -> None:
    while True:
        await asyncio.sleep(EVERY)
        click.echo(line_of(facts(), words), err=True)


async def _drawing(facts: Callable[[], dict[str, Any]], words: Mapping[str, str]) -> None:
    """Draw over what was drawn before."""
    drawn = 0
    try:
        while True:
            columns, rows = _terminal()
            lines = [_cut(line, columns - 1) for line in view(facts(), words)][: rows - 1]
            up = f"\r\x1b[{drawn}A" if drawn else ""
            click.echo(up + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J", err=True, nl=False)
            drawn = len(lines)
            await asyncio.sleep(OFTEN)
    finally:
        if drawn:
            click.echo(f"\r\x1b[{drawn}A\x1b[J", err=True, nl=False)


def _terminal() -> tuple[int, int]:
    size = os.get_terminal_size(sys.stderr.fileno())
    return size.columns or 80, size.lines or 24  # a terminal may not know its size


def _cut(line: str, columns: int) -> str:
    while line and width(line) > columns:
        line = line[:-1]
    return line
