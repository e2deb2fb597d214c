"""How the simulators are served: the options that all vendors share, and what is printed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec

from imconvert import durable
from imconvert.cli.options import FILE, Command, Pair, language
from imconvert.errors import UsageError
from imconvert.simulators.core.app import App
from imconvert.simulators.core.clock import Clock
from imconvert.simulators.core.faults import KINDS, POSTS, Plan, read_plan, read_shares
from imconvert.simulators.core.rates import read_limit
from imconvert.simulators.core.run import Choice, build
from imconvert.simulators.core.server import bind, listen, url_of
from imconvert.simulators.core.vendor import Vendor

WORDS = {
    "en": {"serving": "{vendor} simulator on {url}", "state": "state", "memory": "in memory", "limits": "limits",
           "on": "as documented", "off": "none", "faults": "mishaps", "none": "none", "seed": "seed {seed}",
           "imported": "imported", "new": "new", "overwritten": "overwritten", "bad": "cannot be imported",
           "stop": "Ctrl-C ends it; what it saw: GET {url}/_simulator/status"},
    "zh": {"serving": "{vendor} 模拟器：{url}", "state": "状态", "memory": "仅在内存中", "limits": "限制",
           "on": "按文档", "off": "无", "faults": "故障", "none": "无", "seed": "种子 {seed}",
           "imported": "已导入", "new": "新记录", "overwritten": "被覆盖", "bad": "无法导入",
           "stop": "按 Ctrl-C 结束；运行情况：GET {url}/_simulator/status"},
}  # fmt: skip

_BATCH = 1000

SERVING = (
    click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one."),
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option("--state", type=FILE, help="SQLite file for the state; without it, memory."),
    click.option("--no-limits", is_flag=True, help="No rate limits; all other rules hold."),
    click.option("--rate", "rates", type=Pair(), multiple=True, metavar="NAME=N[/SPAN]",
                 help="Change a rate limit: importmsg=500, token=10/1m."),
    click.option("--set", "settings", type=Pair(), multiple=True, metavar="NAME=VALUE",
                 help="Change a setting, see below."),
    click.option("--callback", metavar="URL",
                 help="Post the vendor's callbacks to this address, signed as the vendor signs."),
)  # fmt: skip
MISHAPS = (
    click.option("--faults", metavar="FILE|KIND=SHARE,...",
                 help="Mishaps to have on purpose, see below: a plan (TOML), or shares."),
    click.option("--seed", type=int, default=1, show_default=True, help="Decides which request has which mishap."),
    click.option("--quiet", "-q", is_flag=True, help="Print nothing."),
    click.option("--json", "as_json", is_flag=True, help="Print where it listens as a line of JSON."),
)  # fmt: skip


def with_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """A decorator that gives a command these options, in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def epilog_of(vendor: Vendor) -> str:
    """Settings, rates and kinds of mishaps, for --help."""
    lines = ["\b", "Settings (--set NAME=VALUE); § is the section of the vendor's reference in docs/references.md:"]
    for name, setting in vendor.settings.items():
        allowed = f"{'|'.join(setting.allowed)}; " if setting.allowed else ""
        lines += [
            f"  {name} [{allowed}default {setting.default if setting.default != '' else 'empty'}]",
            f"      {setting.help}",
        ]
    lines += ["", "\b", "Rates (--rate NAME=N[/SPAN]):"]
    lines += [f"  {name} {limit.calls}/{limit.span:g}s" for name, limit in vendor.limits.items()]
    lines += ["", "\b", "Mishaps (--faults):", *(f"  {name:<14} {text}" for name, text in KINDS.items())]
    lines += ["", "\b", "Mishaps of callbacks (table [callback] of a plan):"]
    return "\n".join([*lines, *(f"  {name:<14} {text}" for name, text in POSTS.items())])


def command_of(vendor: Vendor, text: str) -> click.Command:
    """The command that serves a vendor; its port has to be named, so that nobody serves by mistake."""

    @click.command(vendor.name, help=text, epilog=epilog_of(vendor))
    @with_options(*SERVING, *MISHAPS)
    def run(quiet: bool, as_json: bool, **chosen: Any) -> int:
        if chosen["port"] is None:
            raise click.UsageError("Missing option '--port'.")
        return serve(vendor, chosen, as_json=as_json, quiet=quiet)

    return run


def serve(vendor: Vendor, chosen: Mapping[str, Any], *, as_json: bool, quiet: bool, lines: Iterable[bytes] = ()) -> int:
    """Serve a vendor until a signal comes; `lines` are imported before, where the vendor imports text files."""
    plan = plan_of(chosen["faults"])
    choice = Choice(chosen["state"], plan, chosen["seed"], not chosen["no_limits"], _limits(chosen["rates"]),
                    dict(chosen["settings"]), chosen["callback"])  # fmt: skip
    app = build(vendor, choice, Clock(time.time, time.monotonic))
    try:
        if told := _imported(app, lines):
            click.echo(told, err=True)
        with bind(chosen["host"], chosen["port"] or 0) as end:
            listen(app, end, lambda: _ready(app, url_of(end), choice, as_json=as_json, quiet=quiet))
    finally:
        app.desk.store.close()
    return 0


def _imported(app: App, lines: Iterable[bytes]) -> str:
    """Import lines, a batch at a time, and say what became of them."""
    outcomes: Counter[str] = Counter()
    take, rest = app.vendor.take, iter(lines)
    while take and (batch := list(islice(rest, _BATCH))):
        outcomes.update(found["outcome"] for found in app.by_hand(take, batch))
    told = "  ".join(f"{WORDS[language()][name]} {count:,}" for name, count in sorted(outcomes.items()))
    return f"{WORDS[language()]['imported']}: {told}" if told else ""


def plan_of(text: str | None) -> Plan | None:
    """The plan of a file or of shares. Raises UsageError IMC-1292."""
    if not text:
        return None
    found = durable.read_file(Path(text))
    if found is None and "=" not in text:
        raise UsageError("IMC-1292", text, why="there is no such file, and it is not of the form reset=3%,busy=5%")
    try:
        return read_shares(text) if found is None else read_plan(found.decode())
    except ValueError as why:
        raise UsageError("IMC-1292", why=str(why)) from why


def _limits(rates: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    try:
        return {name: read_limit(text) for name, text in rates}
    except ValueError as why:
        raise UsageError("IMC-1291", why=str(why)) from why


def _ready(app: App, url: str, choice: Choice, *, as_json: bool, quiet: bool) -> None:
    """Say where it is. Names and keys are shown only as far as they are the simulator's own defaults."""
    given = {name: "…" if name in choice.settings else value for name, value in app.vendor.sample(app.desk).items()}
    if as_json:
        click.echo(msgspec.json.encode({"url": url, "vendor": app.vendor.name, **given}).decode())
        return
    if quiet:
        return
    words = WORDS[language()]
    click.echo(words["serving"].format(vendor=app.vendor.name, url=url), err=True)
    facts = {
        **given,
        words["state"]: str(choice.state or words["memory"]),
        words["limits"]: words["on" if choice.limited else "off"],
        words["faults"]: words["seed"].format(seed=choice.seed) if choice.plan else words["none"],
    }
    for name, value in facts.items():
        click.echo(f"  {name:<14} {value}", err=True)
    click.echo(words["stop"].format(url=url), err=True)
