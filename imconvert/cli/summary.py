"""The summary of a run: a table that a person reads, or the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from imconvert.cli import package_table, people_words
from imconvert.cli.fidelity_words import said
from imconvert.cli.terminal import padded, printable, width
from imconvert.convert.books.manifest import Arranged, Example, Manifest, Recalls, Times
from imconvert.convert.run import Outcome
from imconvert.errors import cause_of, remedy_of
from imconvert.model import EPOCH

WORDS = {
    "en": {
        "inputs": "inputs", "read": "records read", "written": "messages written", "split": "more lines than records",
        "duplicates": "duplicates dropped", "conflicts": "conflicts held back", "rejected": "rejected",
        "skipped": "skipped on purpose", "rekeyed": "conflicts given a new id",
        "collisions": "source ids that had to get the next number", "rejects": "Rejects",
        "repairs": "Repairs and notices", "left": "Skipped", "fidelity": "Fidelity", "kept": "kept",
        "transformed": "transformed", "degraded": "degraded", "dropped": "dropped",
        "messages": "messages", "requests": "requests", "conversations": "conversations",
        "largest": "messages of the largest", "blockers": "Before you load", "errors": "Inputs not read whole",
        "rate": "rate", "memory": "peak memory", "output": "output", "next": "Next", "balanced": "the ledger balances",
        "again": "There was nothing left to do; the output is as it was.", "example": "first", "kind": "content",
        "drift": "Schema drift: what the vendor's documents don't know", "others": "others",
        "key": "key", "type": "type", "value": "value",
        "media": "Files taken out of records",
        "drop": "recalled messages left out, in lines", "mark": "recalled messages marked, in lines",
        "clock": "time zone", "events": "recall events", "without": "recall events without a message",
        "uncompiled": "without the part in C (see Installation in README)",
    },
    "zh": {
        "inputs": "输入", "read": "读取记录", "written": "写出消息", "split": "拆分多出的行",
        "duplicates": "重复（已去除）", "conflicts": "冲突（已扣留）", "rejected": "被拒",
        "skipped": "有意略过", "rekeyed": "冲突后换新 ID",
        "collisions": "推导 ID 相撞、改用下一个 ID 的来源 ID", "rejects": "被拒明细",
        "repairs": "修复与提示", "left": "略过明细", "fidelity": "保真度", "kept": "原样",
        "transformed": "已转换", "degraded": "有损", "dropped": "丢弃", "messages": "消息数",
        "requests": "请求数", "conversations": "会话数", "largest": "最大会话的消息数", "blockers": "加载之前",
        "errors": "未能完整读取的输入",
        "rate": "速度", "memory": "内存峰值", "output": "输出目录", "next": "下一步", "balanced": "账目平衡",
        "again": "没有需要处理的内容，输出保持不变。", "example": "首例", "kind": "内容",
        "drift": "结构漂移：厂商文档中没有的内容", "others": "其他",
        "key": "字段", "type": "类型", "value": "取值",
        "media": "从记录中取出的文件",
        "drop": "已略过的撤回消息（行）", "mark": "已标记的撤回消息（行）",
        "clock": "时区", "events": "撤回事件", "without": "找不到消息的撤回事件",
        "uncompiled": "未使用 C 扩展（见 README 的安装说明）",
    },
}  # fmt: skip

MOST_SHOWN = 10
"""Unknown names of a kind that the text tells apart; the manifest has more."""

NEXT = {
    "en": {
        "rejected": "Correct raw in {out}/rejects.ndjson, then: imconvert msgs --replay {out}/rejects.ndjson {out}",
        "again": "To take rejects back, convert for yunxin, replay there, and convert that output: "
        "imconvert msgs OUT NEW --to {target}",
        "conflicts": "Look at {out}/conflicts.ndjson and decide which message of each pair is right.",
        "errors": "Fetch the inputs named above again and convert them into a new folder.",
        "media": "Upload {out}/media and make its files available as the lines call them: {url}/…",
        "clean": "Hand the shards over: imconvert pack {out} handover",
        "load": "Send the requests, in order within each conversation: imconvert load {out}",
        "packages": "Hand each user's package to his app: imconvert packages {out}",
    },
    "zh": {
        "rejected": "查看 {out}/rejects.ndjson，修正 raw 后运行：imconvert msgs --replay {out}/rejects.ndjson {out}",
        "again": "如需取回被拒记录：先转换到 yunxin 并在其中回放，再转换该输出：imconvert msgs OUT NEW --to {target}",
        "conflicts": "查看 {out}/conflicts.ndjson，确认每一对消息以哪条为准。",
        "errors": "重新获取上面列出的输入，并转换到新的目录。",
        "media": "上传 {out}/media，并使其中的文件可按消息行中的地址访问：{url}/…",
        "clean": "打包交付：imconvert pack {out} handover",
        "load": "发送请求（每个会话内按顺序）：imconvert load {out}",
        "packages": "把每个用户的数据包交给他的应用：imconvert packages {out}",
    },
}


def as_json(outcome: Outcome, output: Path | None) -> str:
    """Manifest, run facts, output folder and exit code as one JSON object."""
    found = {
        "output": str(output) if output else None,
        "exit_code": outcome.exit_code,
        "already_finished": outcome.again,
        "manifest": outcome.manifest,
        "run": outcome.facts,
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode()


def as_text(outcome: Outcome, output: Path | None, lang: str) -> str:
    """The summary as a table in `lang`; `output` is None where nothing was written."""
    found = outcome.manifest
    words = WORDS[lang] | (people_words.WORDS[lang] if found.content else {})
    blocks = [
        _totals(found, words),
        _errors(found, words, lang),
        _codes(words["rejects"], found.rejects, words, lang),
        _codes(words["left"], found.skipped, words, lang),
        _codes(words["repairs"], found.repairs, words, lang),
        _drift(found, words),
        _fidelity(found, words, lang),
        _packages(found, lang),
        _blockers(found, words, lang),
        _media(found, words),
        _run(outcome, output, words),
        _next(found, output, lang),
    ]
    if outcome.again:
        blocks.insert(0, [words["again"]])
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _rows(rows: list[tuple[str, str]], indent: str = "") -> list[str]:
    """Names to the left, numbers to the right."""
    left = max((width(name) for name, _ in rows), default=0)
    right = max((len(value) for _, value in rows), default=0)
    return [f"{indent}{padded(name, left)}  {value:>{right}}" for name, value in rows]


def _totals(found: Manifest, words: Mapping[str, str]) -> list[str]:
    totals = found.totals
    rows = [(words["inputs"], f"{len(found.inputs):,}"), (words["read"], f"{totals.read:,}")]
    if totals.split:
        rows.append((f"+ {words['split']}", f"{totals.split:,}"))
    rows.append((f"= {words['written']}", f"{totals.written:,}"))
    rows += [(f"      {name}", f"{count:,}") for name, count in found.streams.items()]
    for name in ("duplicates", "conflicts", "rejected", "skipped"):
        rows.append((f"+ {words[name]}", f"{getattr(totals, name):,}"))
    lines = _rows(rows)
    if found.rekeyed:
        lines.append(f"  ({words['rekeyed']}: {found.rekeyed:,})")
    if found.collisions:
        lines.append(f"  ({words['collisions']}: {found.collisions.ids:,})")
    lines += _recalls(found.recalls, words) if found.recalls else []
    lines += _arranged(found.arranged, words) if found.arranged else []
    return [*lines, f"  ✓ {words['balanced']}"]


def _arranged(arranged: Arranged, words: Mapping[str, str]) -> list[str]:
    """How many requests and conversations there are."""
    counts = (("requests", arranged.requests), ("conversations", arranged.conversations))
    told = [f"{words[name]}: {sum(count.values()):,}" for name, count in counts]
    return [f"  ({'; '.join(told)}; {words['largest']}: {arranged.largest:,})"]


def _packages(found: Manifest, lang: str) -> list[str]:
    if not found.packages:
        return []
    return [package_table.WORDS[lang]["title"], *package_table.totals_of(found.packages, lang)]


def _blockers(found: Manifest, words: Mapping[str, str], lang: str) -> list[str]:
    """What has to be settled before loading, in full: it is about whether the history will be there at all."""
    lines = [words["blockers"]] if found.arranged and found.arranged.blockers else []
    for blocker in found.arranged.blockers if found.arranged else ():
        lines.append(f"  {blocker.code} {blocker.name}: {printable(cause_of(blocker.code, blocker.values, lang=lang))}")
        lines.append(f"    {remedy_of(blocker.code, blocker.values, lang=lang)}")
    return lines


def _recalls(recalls: Recalls, words: Mapping[str, str]) -> list[str]:
    """What became of recalled messages; events that are about none of these inputs' are told apart."""
    lines = [f"  ({words[recalls.policy]}: {recalls.lines:,}; {words['events']}: {recalls.events:,})"]
    if recalls.without:
        place = f"  {words['example']} {printable(recalls.first['file'])}:{recalls.first['line']}"
        lines.append(f"  ({words['without']}: {recalls.without:,}{place})")
    return lines


def _errors(found: Manifest, words: Mapping[str, str], lang: str) -> list[str]:
    bad = [(source.file, source.error) for source in found.inputs if source.error]
    lines = [f"  {error['code']}  {printable(file)}: {printable(_why(error, lang))}" for file, error in bad[:10]]
    if len(bad) > 10:
        lines.append(f"  … +{len(bad) - 10:,}")
    return [words["errors"], *lines] if bad else []


def _why(error: Mapping[str, Any], lang: str) -> str:
    """The cause of an input's error; manifests of before the values were kept tell it in English alone."""
    return cause_of(error["code"], error["values"], lang=lang) if "values" in error else str(error["why"])


def _codes(title: str, counts: Mapping[str, Example], words: Mapping[str, str], lang: str) -> list[str]:
    if not counts:
        return []
    lines = [title]
    columns = max(len(f"{example.count:,}") for example in counts.values())
    for code, example in sorted(counts.items(), key=lambda item: -item[1].count):
        what = printable(cause_of(code, dict(example.values), lang=lang))
        lines.append(f"  {example.count:>{columns},}  {code} {example.name}: {what}")
        lines.append(f"  {'':>{columns}}  {words['example']} {printable(example.file)}:{example.line}")
    return lines


def _drift(found: Manifest, words: Mapping[str, str]) -> list[str]:
    """Of each kind the most frequent names with their first places; how many there are beyond them."""
    lines = [words["drift"]] if found.drift else []
    for what, drift in found.drift.items():
        often = sorted(drift.names.items(), key=lambda item: (-item[1].count, item[0]))
        for name, seen in often[:MOST_SHOWN]:
            place = f"{words['example']} {printable(seen.file)}:{seen.line}"
            lines.append(f"  {seen.count:>8,}  {words[what]} {printable(name)}  {place}")
        rest = sum(seen.count for _, seen in often[MOST_SHOWN:]) + drift.others
        if rest:
            lines.append(f"  {rest:>8,}  {words[what]}: {words['others']}")
    return lines


def _media(found: Manifest, words: Mapping[str, str]) -> list[str]:
    size = f"{found.media.bytes / 1e6:,.1f} MB"
    if found.secrets:
        return [f"{words['secrets']}: {found.secrets.accounts:,}"]
    return [f"{words['media']}: {found.media.files:,}, {size}"] if found.media.files else []


def _fidelity(found: Manifest, words: Mapping[str, str], lang: str) -> list[str]:
    if not found.fidelity:
        return []
    left = max(width(name) for name in (*found.fidelity, words["kind"]))
    lines = [words["fidelity"], f"  {padded(words['kind'], left)}  {words['messages']:>12}  {words['kept']:>12}"]
    for kind, row in found.fidelity.items():
        lines.append(f"  {padded(kind, left)}  {row.messages:>12,}  {row.kept:>12,}")
        for outcome in ("transformed", "degraded", "dropped"):
            for name, example in (getattr(row, outcome) or {}).items():
                lines.append(f"      {words[outcome]} {example.count:,}: {printable(said(name, lang))}")
    return lines


def _run(outcome: Outcome, output: Path | None, words: Mapping[str, str]) -> list[str]:
    facts = outcome.facts
    rows = [(words["clock"], _clock(each, words)) for each in outcome.manifest.times if each.source != EPOCH[1]]
    rows += [(words["output"], str(output))] if output else []
    if facts:
        rate = f"{facts['records_per_second']:,}/s, {facts['megabytes_per_second']:,} MB/s, {facts['seconds']:,} s"
        if not facts["compiled"]:
            rate += f"; {words['uncompiled']}"
        rows = [
            (words["rate"], rate),
            (words["memory"], f"{facts['peak_memory_bytes'] / (1 << 20):,.0f} MiB"),
            *rows,
        ]
    return [f"{padded(name, 14)}  {value}" for name, value in rows]


def _clock(times: Times, words: Mapping[str, str]) -> str:
    return f"{printable(times.offset)} ({printable(times.source)}), {words['inputs']}: {times.inputs:,}"


def _next(found: Manifest, output: Path | None, lang: str) -> list[str]:
    if output is None:
        return []
    texts = people_words.NEXT[lang] if found.content else NEXT[lang]
    url = found.options.get("media-url", "media").rstrip("/")
    due = {
        "errors": any(source.error for source in found.inputs),
        "rejected": found.totals.rejected and not found.arranged,
        "again": found.totals.rejected and found.arranged,
        "conflicts": found.totals.conflicts,
        "media": found.media.files,
        "secrets": found.secrets,
        "clean": found.totals.written and not found.arranged,
        "load": found.totals.written and found.arranged and not found.packages,
        "packages": found.packages,
    }
    key = f" --secrets-key {output}/secrets.key" if found.secrets else ""
    values = {"out": output, "url": url, "content": found.content, "target": found.target, "key": key}
    return [
        f"{WORDS[lang]['next']}:",
        *(f"  {texts[name].format(**values)}" for name, is_due in due.items() if is_due),
    ]
