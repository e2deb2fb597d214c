"""`imconvert pack OUT HANDOVER`: make of a finished output what the vendor wants to be given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import click
import msgspec

from imconvert.cli import progress
from imconvert.cli.options import Size, language
from imconvert.cli.terminal import padded, width
from imconvert.convert.finished.pack import RECORD, SHEET, Handover, Outcome, PackedFile, Request
from imconvert.convert.finished.pack import pack as pack_output
from imconvert.convert.map.media import FOLDER as MEDIA

WORDS = {
    "en": {
        "again": "This hand-over was finished before; nothing was done.", "lines": "lines", "bytes": "bytes",
        "file": "file", "none": "There are no messages to hand over.", "next": "Next", "output": "hand-over",
        "give": "Give the vendor the files and {sheet}; {record} is the same for programs.",
        "appkey": "The AppKey is still to be filled in: {sheet}, or repeat with --appkey KEY.",
        "roaming": "Roaming is still to be decided: {sheet}, or repeat with --roaming yes|no.",
        "left": "Records that are not in it: {count:,}; {sheet} says why and where they are.",
        "inputs": "Inputs of the conversion that could not be read whole: {count:,}.",
        "media": "{count:,} files of {media} are named in the lines and not handed over; their addresses begin with "
                 "{url}: see that they are there before the import, or convert again with --media-url.",
    },
    "zh": {
        "again": "该交付此前已完成，本次未做任何操作。", "lines": "行数", "bytes": "字节",
        "file": "文件", "none": "没有可交付的消息。", "next": "下一步", "output": "交付目录",
        "give": "请将文件和 {sheet} 交给厂商；{record} 是供程序读取的同一内容。",
        "appkey": "AppKey 尚未填写：请填入 {sheet}，或加 --appkey KEY 重复本命令。",
        "roaming": "是否漫游尚未填写：请填入 {sheet}，或加 --roaming yes|no 重复本命令。",
        "left": "有 {count:,} 条记录不在其中；原因和去处见 {sheet}。",
        "inputs": "转换时有 {count:,} 个输入未能完整读取。",
        "media": "消息引用了 {media} 中的 {count:,} 个文件，它们不在交付之内，其地址以 {url} 开头："
                 "请在导入前确认可以访问，或以 --media-url 重新转换。",
    },
}  # fmt: skip

_LEFT_OUT = {
    "rejected": ("被拒", "rejected records", "rejects.ndjson"),
    "conflicts": ("冲突（同键不同内容，已扣留）", "conflicts (same key, other content), held back", "conflicts.ndjson"),
    "duplicates": ("重复（已去除）", "duplicates, dropped", "duplicates.ndjson"),
    "skipped": ("有意略过", "skipped on purpose", "skipped.ndjson"),
}
_STREAMS = {"p2p": "单聊 p2p", "team": "群聊 team"}
_ROAMING = {"yes": "是 / yes", "no": "否 / no", "": "☐ 是 yes　☐ 否 no"}
_BEIJING = timezone(timedelta(hours=8))
_SHEET = """\
# 历史消息迁移交付单 / Hand-over of message history

| 项目 / item | 值 / value |
| --- | --- |
| 迁入应用 AppKey / AppKey of the app to import into | {appkey} |
| 是否需要漫游 / roaming wanted | {roaming} |
{streams}
| 转换清单 sha256 / sha256 of the conversion's manifest | `{digest}` |

## 文件 / Files

{files}
每条消息独占一行，UTF-8 编码，无 BOM，行尾为 LF；单聊与群聊分文件存放，文件只在行尾处切分。全部文件中不存在
msgid、from（accid）、to/tid、createTime 四者都相同的两条消息。收到后请按 sha256 和行数核对。

One message a line, UTF-8 without BOM, line ends LF; p2p and team apart, files cut at line ends only. No two messages
in all the files share msgid, from (accid), to/tid and createTime. Please compare sha256 and lines on receipt.
{kinds}
## 不在文件中的记录 / What is not in these files

| 原因 / why | 记录数 / records | 明细（由客户保存）/ details (kept by the customer) |
| --- | ---: | --- |
{left_out}
{incomplete}{media}
## 导入前后 / Before and after the import

- 请先完成账号、用户关系和群组迁移，再导入历史消息。
  Accounts, relations and teams have to be migrated before the messages.
- 若希望新进群用户能查阅历史群消息，请在云信控制台打开：应用 > IM专业版/IM免费版 > 功能配置 >
  新进群用户获取历史消息配置 > 新进群用户获取历史消息开关（默认关闭）。
  If new members of a team shall read its earlier messages, turn on that switch in the console: app > IM > feature
  configuration > history for new team members. It is off by default.
- 导入后可用“查询云端历史消息”接口抽查。免费版应用可查最近 30 天，正式版默认可查一年。
  After the import, check samples with the history query; free apps see 30 days, paid apps a year by default.
"""


@click.command()
@click.argument("output", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="OUT")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="HANDOVER")
@click.option(
    "--max-file",
    type=Size(),
    default="50GiB",
    show_default=True,
    help="Cut files at a line end so that none is larger, unless a single line is.",
)
@click.option("--appkey", default="", metavar="KEY", help="AppKey of the app to import into, for the sheet.")
@click.option(
    "--roaming",
    type=click.Choice(["yes", "no"]),
    default=None,
    help="Whether the messages shall be roaming messages, for the sheet.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")
@click.option("--json", "as_json", is_flag=True, help="Print the hand-over record as JSON.")
def pack(
    output: Path, folder: Path, max_file: int, appkey: str, roaming: str | None, quiet: bool, as_json: bool
) -> int:
    """Pack the finished output OUT into the folder HANDOVER for the vendor.

    Makes as few .txt files as possible, p2p and team apart, a sheet HANDOVER.md in Chinese and English, and
    handover.json. Every file is read back and checked against the manifest. The same command goes on after an
    interruption; once finished, it only renews the sheet if --appkey or --roaming changed.
    """
    wanted = Request(output, folder, max_file, appkey, roaming or "")
    watch = progress.watcher(quiet=quiet)
    try:
        outcome = pack_output(wanted, sheet, watch)
    finally:
        watch.close()
    if as_json:
        click.echo(_json(outcome, folder))
    elif not quiet:
        click.echo(_text(outcome, output, folder, WORDS[language()]))
    return 0


def _json(outcome: Outcome, folder: Path) -> str:
    found = {"folder": str(folder), "already_finished": outcome.again, "handover": outcome.handover}
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode()


def _text(outcome: Outcome, output: Path, folder: Path, words: dict[str, str]) -> str:
    found = outcome.handover
    lines = [words["again"], ""] if outcome.again else []
    rows = [(words["file"], words["lines"], words["bytes"], "sha256")]
    rows += [(file.name, f"{file.lines:,}", f"{file.bytes:,}", file.sha256) for file in found.files]
    lines += _table(rows) if found.files else [words["none"]]
    lines += ["", f"{words['output']}  {folder}", "", f"{words['next']}:"]
    due = {
        "inputs": found.inputs_not_read_whole,
        "left": sum(found.left_out.values()),
        "media": found.media,
        "appkey": not found.appkey,
        "roaming": not found.roaming,
        "give": True,
    }
    names = {"sheet": folder / SHEET, "record": RECORD, "media": output / MEDIA, "url": found.media_url}
    lines += [f"  {words[name].format(count=count, **names)}" for name, count in due.items() if count]
    return "\n".join(lines)


def _table(rows: list[tuple[str, str, str, str]]) -> list[str]:
    """Names to the left, numbers to the right."""
    first, second, third = (max(width(row[column]) for row in rows) for column in range(3))
    return [
        f"{padded(name, first)}  {' ' * (second - width(lines))}{lines}  {' ' * (third - width(size))}{size}  {sum_}"
        for name, lines, size, sum_ in rows
    ]


def sheet(handover: Handover) -> bytes:
    """The hand-over sheet, Chinese and English, as Markdown."""
    streams = [
        f"| {_STREAMS.get(name, name)}：消息数 / messages | {lines:,} |" for name, lines in handover.streams.items()
    ]
    left_out = [
        f"| {zh} / {en} | {handover.left_out[name]:,} | `{file}` |" for name, (zh, en, file) in _LEFT_OUT.items()
    ]
    text = _SHEET.format(
        appkey=f"`{handover.appkey}`" if handover.appkey else "____________________",
        roaming=_ROAMING[handover.roaming],
        streams="\n".join(streams),
        digest=handover.manifest_sha256,
        files="\n".join([*_file_rows(handover.files), ""]),
        kinds="\n".join(_kind_rows(handover)),
        left_out="\n".join(left_out),
        incomplete=_incomplete(handover.inputs_not_read_whole),
        media=_media(handover),
    )
    return text.encode()


def _file_rows(files: list[PackedFile]) -> list[str]:
    if not files:
        return ["（没有消息 / no messages）"]
    rows = [
        "| 文件 / file | 类别 / stream | 行数 / lines | 字节 / bytes | sha256 | 首条 / first | 末条 / last |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
    ]
    for file in files:
        first, last = map(_moment, file.times)
        name = _STREAMS.get(file.stream, file.stream)
        rows.append(
            f"| `{file.name}` | {name} | {file.lines:,} | {file.bytes:,} | `{file.sha256}` | {first} | {last} |"
        )
    return rows


def _moment(time: int) -> str:
    """A time in UTC and in Beijing."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)
    beijing = moment.astimezone(_BEIJING)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC<br>{beijing:%Y-%m-%d %H:%M:%S} 北京时间 / Beijing"


def _kind_rows(handover: Handover) -> list[str]:
    if not handover.kinds:
        return []
    rows = [f"| {kind} | {count:,} |" for kind, count in handover.kinds.items()]
    title = "| 消息类别（去除重复和冲突之前）/ kind (before duplicates and conflicts left) | 消息数 / messages |"
    return ["", title, "| --- | ---: |", *rows, ""]


def _incomplete(count: int) -> str:
    if not count:
        return ""
    return (
        f"\n**有 {count:,} 个来源文件未能完整读取，其损坏处之后的消息不在文件中。"
        f" / {count:,} source files could not be read whole; what came after the damage is missing.**\n"
    )


def _media(handover: Handover) -> str:
    if not handover.media:
        return ""
    count, url = handover.media, handover.media_url
    return (
        f"\n**消息引用的 {count:,} 个媒体文件不随本单交付，其地址以 `{url}` 开头；导入前须已可访问。"
        f" / {count:,} media files that messages name are not part of this; their addresses begin with `{url}`"
        " and have to work before the import.**\n"
    )
