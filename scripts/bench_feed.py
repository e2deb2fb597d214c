"""Measure the increment feed over loopback: how fast it serves and takes in, how soon it answers, what memory it needs.

The server is `imconvert serve` in its own process; the load comes from this one, over plain sockets that only count
what they read. Beside it runs a plain static server on the same stack (uvicorn with the same protocol class, and
Starlette), which answers with a file that holds the very bytes of a feed's answer: once as Starlette's FileResponse,
once in blocks as large as the feed's. Contenders take turns in each round, the median of the rounds counts, and ratios
are to the static answers of the same run. Every figure depends on who else uses the machine: `load before` tells.

    served   one window of the feed again and again, as a replay (?cursor=), against the static answers of its bytes
    pulled   plain pulls from the first record to the last: the cursor moves durably, each has its own connection
    empty    polls that bring nothing, over one connection, against the static server's answer of the same bytes; the
             same while known records are handed in all the time; and replays of one record while a new output is read
    taken    records handed in with POST /ingest, each acknowledged when it is on the disk, against a bare write and
             fsync of the same bytes; and the time that the server needs until it serves all of a new output
    memory   resident memory of the server before, and at the peak of many pulls of a window at a time by slow readers

Nothing here fails on a time; the last table says what was aimed at. Alone on two cores, about four minutes:

    python scripts/bench_feed.py
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import click
import psutil
from bench import machine, padded, version_of

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent)]

from feed_load import Line, again, get, polled, post, serve_static, static  # noqa: E402
from support.serve_process import Server  # type: ignore[import-not-found]  # noqa: E402

MIB = 1 << 20
BATCH = 2000
"""Records of one hand-in."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the caller asked for."""

    messages: int
    repeat: int
    seconds: float
    polls: int
    records: int
    writers: int
    pulls: int
    work: Path


class Row(NamedTuple):
    """One line of a table: its name, its cells, and how it compares with the line that its group is compared with."""

    name: str
    cells: Sequence[str]
    facts: dict[str, Any]


# --- the servers ---


def make_output(plan: Plan) -> Path:
    """A finished output of so many messages, made once."""
    folder = plan.work / f"yunxin-{plan.messages}"
    out = folder / "out"
    if not (out / "manifest.json").exists():
        click.echo(f"making {out} ...", err=True)
        source = folder / "in"
        made = [sys.executable, str(HERE / "make_export.py"), "yunxin", str(source), f"--messages={plan.messages}"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        convert = [sys.executable, "-m", "imconvert", "msgs", str(source), str(out), "--quiet"]
        done = subprocess.run(convert, check=False, cwd=HERE.parent)
        if done.returncode not in (0, 3):
            sys.exit(f"msgs ended with {done.returncode}")
    return out


@contextmanager
def feed(plan: Plan, *outputs: Path) -> Iterator[Any]:
    words = ("--window", "0s", "--max-records", "1000000", "--quiet")
    with tempfile.TemporaryDirectory(dir=plan.work) as folder, Server(Path(folder), *words, outputs=outputs) as server:
        yield server


def serving(server: Any) -> float:
    """Wait until all records are taken up; gives the seconds."""
    start = time.perf_counter()
    while server.status()["state"] == "starting":
        time.sleep(0.02)
    return time.perf_counter() - start


# --- what is measured ---


def served(plan: Plan, server: Any) -> tuple[list[Row], Path]:
    """One window again and again, against static answers of its bytes."""
    window = get("/feed?cursor=0-0", server.token)
    line = Line(server.port)
    headers, size, _ = line.ask(window)
    line.close()
    records = int(headers[b"x-feed-records"])
    path = plan.work / "window.json"
    path.write_bytes(_body(server))
    rates: dict[str, list[float]] = {"feed": [], "static, FileResponse": [], "static, blocks": []}
    with static(path) as port:
        asked = {"feed": (server.port, window), "static, FileResponse": (port, get("/file")),
                 "static, blocks": (port, get("/blocks"))}  # fmt: skip
        for turn in range(plan.repeat):
            for name, (where, request) in asked.items():
                rate, _ = again(where, request, plan.seconds)
                rates[name].append(rate)
                click.echo(f"round {turn + 1}: {name} {rate / 1e6:,.0f} MB/s", err=True)
    mine = median(rates["feed"])
    rows = []
    for name, found in rates.items():
        rate, ratio = median(found), mine / median(found)
        cells = [f"{rate / 1e6:,.0f}", f"{rate * records / size:,.0f}", "" if name == "feed" else f"{ratio:.2f}"]
        rows.append(Row(name, cells, {"bytes_per_s": rate, "ratio": ratio, "window_bytes": size, "records": records}))
    return rows, path


def _body(server: Any) -> bytes:
    """The bytes of that window."""
    with socket.create_connection(("127.0.0.1", server.port)) as end:
        end.sendall(get("/feed?cursor=0-0", server.token).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        parts = list(iter(lambda: end.recv(MIB), b""))
    return b"".join(parts).partition(b"\r\n\r\n")[2]


def pulled(server: Any) -> Row:
    """Plain pulls until nothing is left."""
    total = records = pulls = 0
    start = time.perf_counter()
    while True:
        line = Line(server.port)
        headers, size, _ = line.ask(get("/feed", server.token))
        line.close()
        count = int(headers.get(b"x-feed-records", b"0"))
        if not count:
            break
        total, records, pulls = total + size, records + count, pulls + 1
    seconds = time.perf_counter() - start
    cells = [f"{total / seconds / 1e6:,.0f}", f"{records / seconds:,.0f}", ""]
    facts = {"bytes_per_s": total / seconds, "records_per_s": records / seconds, "pulls": pulls, "records": records}
    return Row(f"plain pulls ({pulls})", cells, facts)


def empty(plan: Plan, server: Any, path: Path) -> list[Row]:
    with static(path) as port:
        found = {"feed": polled(server.port, get("/feed", server.token), lambda done: done < plan.polls),
                 "static": polled(port, get("/empty"), lambda done: done < plan.polls)}  # fmt: skip
    ratio = median(found["feed"]) / median(found["static"])
    return [times_row(name, times, "" if name == "feed" else f"{ratio:.2f}") for name, times in found.items()]


def times_row(name: str, times: list[float], ratio: str = "") -> Row:
    shown = {"p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)], "max": times[-1]}
    return Row(name, [*(f"{value * 1000:.2f}" for value in shown.values()), ratio], shown | {"polls": len(times)})


def empty_while_busy(plan: Plan, server: Any, known: int) -> Row:
    """Polls while one writer hands in again what is known, so that they stay empty."""
    todo, done = bodies(plan, known), threading.Event()
    pulled(server)

    def write() -> None:
        line = Line(server.port)
        for body in todo:
            line.ask(post(body, server.token))
        line.close()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    times = polled(server.port, get("/feed", server.token), lambda count: not done.is_set())
    writer.join()
    return times_row("feed, while records are handed in", times)


def while_reading(plan: Plan, out: Path) -> tuple[Row, float]:
    """Replays of one record while a new output is read; and how long that took."""
    with tempfile.TemporaryDirectory(dir=plan.work) as folder, feed(plan, Path(folder)) as server:
        first = bodies(plan, 1)[0]
        Line(server.port).ask(post(first, server.token))
        (Path(folder) / "new").symlink_to(out.resolve())
        start, lines = time.perf_counter(), first.count(b"\n")
        while server.status()["known_keys"] <= lines:
            time.sleep(0.01)
        start = time.perf_counter()
        one = get("/feed?cursor=0-0&limit=1", server.token)
        times = polled(server.port, one, lambda count: count % 50 != 0 or server.status()["state"] == "starting")
        return times_row("one record, while an output is read", times), time.perf_counter() - start


def bodies(plan: Plan, first: int) -> list[bytes]:
    """Hand-ins of fresh records."""

    def record(number: int) -> bytes:
        people = f'"from":"u_{number % 977}","to":"u_{number % 991}"'
        data = f'"msgid":{number},{people},"createTime":{1_711_000_000_000 + number}'
        return (
            f'{{"type":0,"data":{{{data},"clientType":1,"body":"明天上午十点开会，记得带上材料 {number}"}}}}\n'.encode()
        )

    numbers = range(first, first + plan.records)
    return [b"".join(map(record, numbers[start : start + BATCH])) for start in range(0, len(numbers), BATCH)]


def taken(plan: Plan, server: Any, first: int) -> tuple[float, float]:
    """Seconds for hand-ins by several writers at once, and for a bare write and fsync of the same bytes."""
    todo = bodies(plan, first)
    lines = [Line(server.port) for _ in range(plan.writers)]

    def write(number: int) -> int:
        count = 0
        for body in todo[number :: plan.writers]:
            _, _, reply = lines[number].ask(post(body, server.token))
            count += int(json.loads(reply)["accepted"])
        return count

    start = time.perf_counter()
    with ThreadPoolExecutor(plan.writers) as threads:
        accepted = sum(threads.map(write, range(plan.writers)))
    seconds = time.perf_counter() - start
    for line in lines:
        line.close()
    if accepted != plan.records:
        sys.exit(f"{accepted} of {plan.records} records were accepted")
    return seconds, bare(plan, todo)


def bare(plan: Plan, todo: Sequence[bytes]) -> float:
    path = plan.work / "bare"
    start = time.perf_counter()
    with path.open("wb", buffering=0) as out:
        for body in todo:
            out.write(body)
            os.fsync(out.fileno())
    seconds = time.perf_counter() - start
    path.unlink()
    return seconds


def ingest(plan: Plan, server: Any) -> list[Row]:
    found = [taken(plan, server, 1 + turn * plan.records) for turn in range(plan.repeat)]
    size = sum(map(len, bodies(plan, 1)))
    mine, theirs = median(seconds for seconds, _ in found), median(seconds for _, seconds in found)
    rows = []
    for name, seconds in ((f"POST /ingest, {plan.writers} writers", mine), ("write and fsync", theirs)):
        cells = [f"{plan.records / seconds:,.0f}", f"{size / seconds / 1e6:,.1f}", f"{theirs / seconds:.2f}"]
        facts = {"records_per_s": plan.records / seconds, "bytes_per_s": size / seconds}
        rows.append(Row(name, cells if seconds is mine else [*cells[:2], ""], facts))
    return rows


def memory(plan: Plan, server: Any) -> Row:
    """Many slow pulls of one window at a time."""
    process = psutil.Process(server.pid)
    before = peak = process.memory_info().rss
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    def pull(_: int) -> int:
        line = Line(server.port, receive=65536)
        size = line.ask(get("/feed?cursor=0-0", server.token), pause=0.002)[1]
        line.close()
        return size

    sampler = threading.Thread(target=sample)
    sampler.start()
    start = time.perf_counter()
    with ThreadPoolExecutor(plan.pulls) as threads:
        sizes = list(threads.map(pull, range(plan.pulls)))
    seconds = time.perf_counter() - start
    done.set()
    sampler.join()
    cells = [
        f"{sizes[0] / MIB:.1f}",
        f"{before / MIB:.0f}",
        f"{peak / MIB:.0f}",
        f"{(peak - before) / MIB:.0f}",
        f"{seconds:.1f}",
    ]
    return Row(f"{plan.pulls} pulls", cells, {"before": before, "peak": peak, "seconds": seconds})


# --- report ---


def table(heads: Sequence[str], rows: Sequence[Row]) -> str:
    """Markdown whose columns also line up as plain text."""
    lines = [["", *heads], *([row.name, *row.cells] for row in rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(lines[0]))]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    made = [[line[0].ljust(widths[0]), *padded(line[1:], widths[1:])] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in [made[0], rule, *made[1:]])


def measure(plan: Plan) -> dict[str, tuple[Sequence[str], list[Row]]]:
    out = make_output(plan)
    with feed(plan, out) as server:
        seconds = serving(server)
        rows, path = served(plan, server)
        held = memory(plan, server)
        whole = pulled(server)
        polls = empty(plan, server, path)
    with feed(plan) as server:
        handed_in = ingest(plan, server)
        polls.append(empty_while_busy(plan, server, 1))
    polls.append(while_reading(plan, out)[0])
    path.unlink()
    lines = int(whole.facts["records"])
    start = Row("a new output, until all is served", [f"{lines / seconds:,.0f}", "", ""], {"seconds": seconds})
    return {
        "served": (("MB/s", "records/s", "feed is x times"), [*rows, whole]),
        "empty polls": (("p50 ms", "p99 ms", "max ms", "feed takes x times"), polls),
        "taken in": (("records/s", "MB/s", "x times write and fsync"), [*handed_in, start]),
        "memory": (("window MiB", "before MiB", "peak MiB", "more MiB", "s"), [held]),
        "aims": (("measured", "aim", "reached"), aims(rows, polls[0], handed_in[0], held)),
    }


def aims(served_rows: list[Row], poll: Row, handed_in: Row, held: Row) -> list[Row]:
    """What was aimed at. Served counts as reached by either of its two."""
    rate = served_rows[0].facts["bytes_per_s"] / 1e6
    ratio = served_rows[1].facts["ratio"]
    p99, taken_in = poll.facts["p99"] * 1000, handed_in.facts["records_per_s"]
    more = (held.facts["peak"] - held.facts["before"]) / MIB
    found = (
        ("served", f"{rate:,.0f} MB/s, {ratio:.2f} of a static file", "300 MB/s, or 0.60", rate >= 300 or ratio >= 0.6),
        ("empty poll, p99", f"{p99:.2f} ms", "5 ms", p99 <= 5),
        ("POST /ingest, durable", f"{taken_in:,.0f} records/s", "50,000 records/s", taken_in >= 50_000),
        ("memory of many pulls", f"{more:.0f} MiB more", "flat: 128 MiB", more <= 128),
    )
    return [
        Row(name, [measured, aim, "yes" if well else "no"], {"measured": measured, "aim": aim, "reached": bool(well)})
        for name, measured, aim, well in found
    ]


def report(found: dict[str, tuple[Sequence[str], list[Row]]], host: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in host["versions"].items())
    parts = [f"{host['date']} · {host['cpu']}, {host['cores']} cores, {host['memory']} · {host['system']} · "
             f"Python {host['python']} · {versions} · load before {host['load']}\n\n`{host['command']}`"]  # fmt: skip
    return "\n\n".join([*parts, *(f"**{title}**\n\n{table(heads, rows)}" for title, (heads, rows) in found.items())])


@click.command()
@click.option("--messages", default=400_000, show_default=True, help="Messages of the output that is served.")
@click.option("--repeat", default=3, show_default=True, help="Rounds; the median counts.")
@click.option("--seconds", default=4.0, show_default=True, help="Time for each contender in a round.")
@click.option("--polls", default=3000, show_default=True, help="Empty polls.")
@click.option("--records", default=200_000, show_default=True, help="Records that are handed in, in a round.")
@click.option("--writers", default=4, show_default=True, help="Connections that hand them in.")
@click.option("--pulls", default=100, show_default=True, help="Pulls at a time, for the memory.")
@click.option("--work", type=click.Path(path_type=Path, file_okay=False), help="Folder to work in; inputs stay in it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--static", "path", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
def main(path: Path | None, work: Path | None, as_json: bool, **amounts: Any) -> None:
    """Measure the increment feed on this machine."""
    if path:
        serve_static(path)
        return
    host = machine()
    host["command"] = " ".join(["python", "scripts/bench_feed.py", *sys.argv[1:]])
    host["versions"] |= {name: version_of(name) for name in ("uvicorn", "starlette", "h11")}
    with tempfile.TemporaryDirectory() as scratch:
        folder = work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        found = measure(Plan(**amounts, work=folder))
    if as_json:
        facts = {title: {row.name: row.facts for row in rows} for title, (_, rows) in found.items()}
        click.echo(json.dumps({"machine": host, **facts}, indent=1))
    else:
        click.echo(report(found, host))


if __name__ == "__main__":
    main()
