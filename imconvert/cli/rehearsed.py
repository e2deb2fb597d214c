"""What `imconvert simulate yunxin` prints: a line for each pull, and the summary."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from imconvert.cli.options import language
from imconvert.cli.terminal import padded, printable, width
from imconvert.errors import cause_of, remedy_of
from imconvert.simulators.yunxin.rehearsal import Tally
from imconvert.simulators.yunxin.store import Comparison, Pull, Store

WORDS = {
    "en": {
        "taken": "taken", "cut": "broken off", "lost": "forgotten", "failed": "failed", "again": "identical again",
        "pulling": "pulling from {origin} as Yunxin would, every {every:g} s", "planned": "planned",
        "pulls": "pulls", "received": "records received", "new": "new", "bad": "cannot be imported",
        "overwritten": "overwrote another message", "holds": "the store holds", "largest": "largest answer",
        "slowest": "slowest whole answer", "records": "records", "remarks": "Remarks (records taken all the same)",
        "trouble": "What was wrong", "clean": "the feed kept to the agreement", "not": "the feed did not keep to it",
        "none": "no whole answer yet", "complete": "all {count:,} expected records are in the store",
        "more": "and {count:,} more",
    },
    "zh": {
        "taken": "已接收", "cut": "中途断开", "lost": "接收后丢弃", "failed": "失败", "again": "重复（内容相同）",
        "pulling": "模拟云信从 {origin} 拉取，每 {every:g} 秒一次", "planned": "计划内",
        "pulls": "拉取次数", "received": "收到记录", "new": "新记录", "bad": "无法导入",
        "overwritten": "覆盖了其他消息", "holds": "存储中共有", "largest": "最大的应答",
        "slowest": "最慢的完整应答", "records": "条记录", "remarks": "提示（记录仍已接收）",
        "trouble": "问题", "clean": "增量接口符合约定", "not": "增量接口不符合约定",
        "none": "尚无完整应答", "complete": "应有的 {count:,} 条记录均在存储中", "more": "另有 {count:,} 条",
    },
}  # fmt: skip


def origin_of(url: str) -> str:
    """Scheme, host and port: the rest may hold the token."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def line_of(pull: Pull, words: Mapping[str, str]) -> str:
    """What became of one pull, in one line."""
    moment = datetime.fromtimestamp(pull.at_ms / 1000).strftime("%H:%M:%S")
    fault = f" ({words['planned']}: {pull.fault})" if pull.fault else ""
    start = f"{moment}  #{pull.number:<4} {padded(words[pull.outcome], 10)}"
    counts = pull.counts
    found = [f"{pull.bytes:>12,} B  {pull.seconds:6.2f} s"]
    if pull.outcome == "taken":
        found.append(f"{counts.received:>7,} {words['records']}")
        found += [f"{words[name]} {count:,}" for name in _KINDS if (count := getattr(counts, name))]
    if pull.code:
        found.append(f"{pull.code} {printable(cause_of(pull.code, dict(pull.values), lang=language()))}")
    return start + "  ".join(found) + fault


_KINDS = ("new", "again", "overwritten", "bad")


def summary_of(tally: Tally, store: Store, compared: Comparison | None) -> str:
    """The summary for programs, as JSON."""
    complete = compared.complete if compared else None
    found = {"clean": tally.clean, "complete": complete, **msgspec.to_builtins(tally), "stored": store.records,
             "pulls_ever": store.pulls, "compared": compared}  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode()


def text_of(tally: Tally, store: Store, compared: Comparison | None, words: Mapping[str, str]) -> str:
    """The summary for people."""
    rows = [(words["pulls"], f"{tally.pulls:,}")]
    rows += [(f"  {words[name]}", f"{count:,}") for name, count in tally.outcomes.items()]
    rows.append((words["received"], f"{tally.counts.received:,}"))
    rows += [(f"  {words[name]}", f"{getattr(tally.counts, name):,}") for name in _KINDS]
    rows.append((words["holds"], f"{store.records:,}"))
    left, right = max(width(name) for name, _ in rows), max(len(value) for _, value in rows)
    lines = ["", *(f"{padded(name, left)}  {value:>{right}}" for name, value in rows)]
    largest = f"{tally.largest_records:,} {words['records']}, {tally.largest_bytes:,} B"
    lines += ["", f"{words['largest']}: {largest}; {words['slowest']}: {tally.slowest_seconds:.2f} s"]
    lines += _block(words["remarks"], [f"{count:,}  {text}" for text, count in sorted(tally.remarks.items())])
    lines += _block(words["trouble"], [line for code in tally.codes for line in _code(code, tally)])
    lines += _comparison(compared, words) if compared else []
    verdict = words["none"] if "taken" not in tally.outcomes else words["clean" if tally.clean else "not"]
    return "\n".join([*lines, "", f"{'✓' if tally.clean else '✗'} {verdict}"])


def _comparison(found: Comparison, words: Mapping[str, str]) -> list[str]:
    if found.complete:
        more = f", {words['more'].format(count=found.more)}" if found.more else ""
        return ["", f"✓ {words['complete'].format(count=found.expected)}{more}"]
    values: dict[str, object] = {"expected": found.expected, "missing": found.missing, "other": found.other}
    examples = f" msgid {', '.join(map(str, found.examples))}" if found.examples else ""
    lang = language()
    cause, remedy = (one("IMC-7128", values, lang=lang) for one in (cause_of, remedy_of))
    return ["", f"✗ IMC-7128: {cause}{examples}", f"   {remedy}"]


def _block(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {printable(line)}" for line in lines)] if lines else []


def _code(code: str, tally: Tally) -> list[str]:
    lang = language()
    cause = cause_of(code, tally.examples[code], lang=lang)
    return [f"{tally.codes[code]:,}  {code}: {cause}", f"   {remedy_of(code, lang=lang)}"]
